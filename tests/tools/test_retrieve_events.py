"""--exec, --exec-study and --audit of getscu, movescu and dimse retrieve."""

from __future__ import annotations

import json
import shlex
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dimse.testing import QueryRetrieveSCP
from tests.audit.reading import read
from tests.interop.peers import free_port
from tests.tools.retrieved import STUDY, UIDS, ct, write_images
from tests.tools.running import start, tool

OTHER = "1.2.826.0.1.3680043.10.999.8"

# Appends the event that it gets, and the variables, to a file.
NOTE = """
import json, os, sys
event = json.load(sys.stdin)
event["variable"] = os.environ["DIMSE_STUDY_INSTANCE_UID"]
with open(sys.argv[1], "a") as file:
    file.write(json.dumps(event) + "\\n")
"""


@pytest.fixture
def scp(tmp_path: Path) -> Iterator[QueryRetrieveSCP]:
    files = write_images(tmp_path / "archive")
    files += [ct(f"{OTHER}.1.{number}", OTHER).write(tmp_path / "archive" / f"{OTHER}.{number}") for number in (1, 2)]
    with QueryRetrieveSCP(files) as scp:
        yield scp


class Notes:
    """A program that notes each event in a file.

    Attributes:
        command: Its command line.
    """

    def __init__(self, folder: Path) -> None:
        self._file = folder / "events"
        script = folder / "note.py"
        script.write_text(NOTE)
        self.command = shlex.join([sys.executable, str(script), str(self._file)])

    @property
    def events(self) -> list[dict[str, Any]]:
        """The events so far."""
        return [json.loads(line) for line in self._file.read_text().splitlines()] if self._file.exists() else []

    @property
    def studies(self) -> list[tuple[str, int]]:
        """UID and instances of each study."""
        return [(event["variable"], event["instances"]) for event in self.events if event["event"] == "study"]


def run(name: str, scp: QueryRetrieveSCP, folder: Path, *options: object, study: str = STUDY) -> Any:
    """Retrieve a study with a tool, into the folder "in"."""
    folder_options = ("-od", folder / "in")
    if name == "retrieve":
        return tool("retrieve", "127.0.0.1", scp.port, *study.split(","), *folder_options, *options)
    if name == "movescu":
        port = free_port()
        scp.destinations["ME"] = ("127.0.0.1", port)
        options = ("--store-port", port, "--store-aet", "ME", "--settle", 0.2, *options)
    return tool(name, "-S", "127.0.0.1", scp.port, "--study-uid", study, *folder_options, *options)


TOOLS = pytest.mark.parametrize("name", ["getscu", "movescu", "retrieve"])


@TOOLS
def test_a_program_runs_for_each_instance_and_then_for_the_study(
    name: str, scp: QueryRetrieveSCP, tmp_path: Path
) -> None:
    notes = Notes(tmp_path)
    done = run(name, scp, tmp_path, "--exec", notes.command, "--exec-study", notes.command)
    assert done.returncode == 0, done.stderr
    *instances, study = notes.events
    assert sorted(event["sop_instance_uid"] for event in instances) == UIDS
    assert all(Path(event["path"]).parent == tmp_path / "in" for event in instances)
    assert (study["event"], study["variable"], study["instances"]) == ("study", STUDY, 3)
    assert study["folder"] == str(tmp_path / "in")


@TOOLS
def test_no_program_runs_for_a_study_that_is_not_complete(name: str, scp: QueryRetrieveSCP, tmp_path: Path) -> None:
    notes = Notes(tmp_path)
    (tmp_path / "archive" / f"{UIDS[1]}.dcm").unlink()
    done = run(name, scp, tmp_path, "--exec", notes.command, "--exec-study", notes.command)
    assert done.returncode == 3
    assert sorted(event["sop_instance_uid"] for event in notes.events) == [UIDS[0], UIDS[2]]


@TOOLS
def test_a_program_that_fails_is_an_exit_status_of_3(name: str, scp: QueryRetrieveSCP, tmp_path: Path) -> None:
    done = run(name, scp, tmp_path, "--exec-study", "sh -c 'exit 9'")
    assert done.returncode == 3
    assert f"E: Command sh for study {STUDY}: exit status 9, 0 bytes printed" in done.stderr.splitlines()


def test_a_cancelled_retrieval_announces_no_study(scp: QueryRetrieveSCP, tmp_path: Path) -> None:
    notes = Notes(tmp_path)
    assert run("getscu", scp, tmp_path, "--cancel", 1, "--exec-study", notes.command).returncode == 0
    assert notes.events == []


def test_of_several_studies_the_complete_ones_have_their_program(scp: QueryRetrieveSCP, tmp_path: Path) -> None:
    notes = Notes(tmp_path)
    (tmp_path / "archive" / f"{UIDS[1]}.dcm").unlink()
    done = run("retrieve", scp, tmp_path, "--exec-study", notes.command, study=f"{STUDY},9.9,{OTHER}")
    assert done.returncode == 3
    assert notes.studies == [(OTHER, 2)]


def test_a_study_of_an_earlier_run_has_no_program_again(scp: QueryRetrieveSCP, tmp_path: Path) -> None:
    notes = Notes(tmp_path)
    options = ("--journal", tmp_path / "journal", "--exec-study", notes.command)
    assert run("retrieve", scp, tmp_path, *options).returncode == 0
    assert run("retrieve", scp, tmp_path, *options).returncode == 0
    assert notes.studies == [(STUDY, 3)]


@pytest.mark.parametrize("option", ["--exec", "--exec-study", "--audit"])
def test_what_is_not_kept_is_not_reported(option: str) -> None:
    done = tool("getscu", "127.0.0.1", 1, "-k", "PatientID=1", "--ignore", option, "true")
    assert done.returncode == 2
    assert f"{option} does not go with --ignore" in done.stderr


@pytest.mark.parametrize("option", ["--exec", "--exec-study", "--audit"])
def test_movescu_reports_only_what_comes_here(option: str) -> None:
    done = tool("movescu", "127.0.0.1", 1, "-k", "PatientID=1", option, "true")
    assert done.returncode == 2
    assert f"{option} goes with --store" in done.stderr


@TOOLS
def test_a_program_that_does_not_exist_is_wrong_usage(name: str) -> None:
    done = tool(name, "127.0.0.1", 1, "--exec", "no-such-program")
    assert done.returncode == 2
    assert "there is no program 'no-such-program'" in done.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("name", ["getscu", "retrieve"])
def test_a_signal_ends_a_program_that_is_waited_for(
    name: str, number: signal.Signals, scp: QueryRetrieveSCP, tmp_path: Path
) -> None:
    began = tmp_path / "began"
    command = f"sh -c 'touch {shlex.quote(str(began))}; exec sleep 1000'"
    address = ("127.0.0.1", scp.port)
    what = (*address, STUDY) if name == "retrieve" else ("-S", *address, "--study-uid", STUDY)
    with start(name, *what, "-od", tmp_path / "in", "--exec-study", command) as process:
        # The signal may come while the tool still releases the association: it counts then, too.
        while not began.exists():
            assert process.poll() is None
        process.send_signal(number)
        _, said = process.communicate(timeout=20)
    assert process.returncode == (130 if number == signal.SIGINT else 143)
    assert "Traceback" not in said


# --- the audit trail ---


@TOOLS
def test_a_transfer_is_in_the_audit_trail(name: str, scp: QueryRetrieveSCP, tmp_path: Path) -> None:
    trail = tmp_path / "trail.xml"
    assert run(name, scp, tmp_path, "--audit", trail, "-aet", "ME").returncode == 0
    start_of, begin, transferred, end_of = read(trail.read_text().splitlines())
    assert (start_of.event, end_of.event) == ("110100", "110100")
    assert (begin.event, transferred.event, transferred.outcome) == ("110102", "110104", 0)
    assert transferred.objects == {"110180": STUDY, "2": "P1"}
    assert sum(transferred.sop_classes.values()) == 3
    assert transferred.roles == {"110153": "AETITLES=ANY-SCP", "110152": "AETITLES=ME"}


@TOOLS
def test_a_transfer_that_is_not_complete_is_told(name: str, scp: QueryRetrieveSCP, tmp_path: Path) -> None:
    trail = tmp_path / "trail.xml"
    (tmp_path / "archive" / f"{UIDS[1]}.dcm").unlink()
    assert run(name, scp, tmp_path, "--audit", trail).returncode == 3
    assert "the retrieval is not complete" in trail.read_text()


@TOOLS
def test_a_trail_that_cannot_be_kept_is_wrong_usage(name: str, tmp_path: Path) -> None:
    done = tool(
        name,
        "127.0.0.1",
        1,
        *(["1.2.3"] if name == "retrieve" else ["-k", "PatientID=1", "-od", "x"]),
        *(["--store"] if name == "movescu" else []),
        "--audit",
        tmp_path / "no" / "folder",
    )
    assert (done.returncode, "cannot keep the audit trail" in done.stderr) == (2, True)


def test_an_instance_that_is_refused_here_is_in_the_audit_trail(scp: QueryRetrieveSCP, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / f"CT.{UIDS[0]}").write_bytes(b"another file")
    trail = tmp_path / "trail.xml"
    assert run("getscu", scp, tmp_path, "--on-duplicate", "reject", "--audit", trail).returncode == 3
    assert "not transferred: 1 of 1 instance" in trail.read_text()
