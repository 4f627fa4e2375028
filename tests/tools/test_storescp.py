"""storescp as its user sees it: what it accepts, where the files go, what follows. `test_listening` has its other options."""

from __future__ import annotations

import json
import re
import shlex
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

import dimse
from dimse import uids
from dimse.__main__ import main
from dimse.archive.events import PendingStudies
from dimse.association.sinks import SpooledSink
from dimse.instances.received import ReceivedInstance
from tests.files import part10_files
from tests.tools import running
from tests.tools.listeners import Listener, Requestor, listening
from tests.tools.running import Instance, element

STUDY = element(0x0020, 0x000D, "UI", b"1.9")
SERIES = element(0x0020, 0x000E, "UI", b"1.9.1")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run storescp in an empty folder; what is to be sent is elsewhere."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)


def ct(uid: str = "1.2.3", patient: bytes = b"Doe^Jane", more: bytes = STUDY + SERIES) -> Instance:
    """Make a CT image."""
    patient_elements = element(0x0010, 0x0010, "PN", patient) + element(0x0010, 0x0020, "LO", b"ID1")
    return Instance(uid, uids.CTImageStorage, rest=patient_elements + more)


def send(listener: Listener, folder: Path, *instances: Instance, exit_status: int = 0) -> list[str]:
    """Send files with these instances; the `I: Received Store Response` lines' statuses."""
    paths = [instance.write(folder / f"{index}") for index, instance in enumerate(instances)]
    done = listener.run("storescu", "-v", "--priority", "low", *paths, exit_status=exit_status)
    found = [
        line.partition("(Status: ")[2].rstrip(")") for line in done.stderr.splitlines() if "Store Response" in line
    ]
    return [status.partition(" ")[0] for status in found]


def kept(folder: Path) -> list[str]:
    """Return the names of all that is in a folder and below it, but for what is being received."""
    paths = (path.relative_to(folder) for path in folder.rglob("*"))
    return sorted(str(path) for path in paths if str(path) != ".incoming")


# --- what is kept ---


def test_what_is_sent_is_kept_byte_for_byte_and_said(tmp_path: Path) -> None:
    sent = [ct(f"1.2.{index}") for index in range(3)]
    with listening("storescp", "-v", "-od", "incoming") as listener:
        listener.run("echoscu")
        assert send(listener, tmp_path / "sent", *sent) == ["0x0000"] * 3
        said = listener.end()
    assert said.count("I: Accepting Association") == said.count("I: Association Released") == 2
    assert said.count("I: Received Store Request") == 3
    assert "I: Storing DICOM file: CT.1.2.0" in said
    files = part10_files(Path("incoming"))
    assert [(file.path.name, file.data_set) for file in files] == [
        (f"CT.{instance.sop_instance_uid}", instance.data_set) for instance in sent
    ]
    assert {(file.transfer_syntax, file.content[:128]) for file in files} == {(uids.ExplicitVRLittleEndian, bytes(128))}
    assert sorted(path.name for path in Path("incoming").iterdir()) == ["CT.1.2.0", "CT.1.2.1", "CT.1.2.2"]


def test_without_a_folder_it_keeps_the_files_where_it_runs(tmp_path: Path) -> None:
    with listening("storescp") as listener:
        send(listener, tmp_path / "sent", ct())
        assert listener.end() == []
    assert kept(Path()) == ["CT.1.2.3"]


def test_what_is_ignored_is_not_kept(tmp_path: Path) -> None:
    with listening("storescp", "--ignore", "-od", "none") as listener:
        assert send(listener, tmp_path / "sent", ct("1.2.3"), ct("1.2.4")) == ["0x0000"] * 2
        assert listener.end() == []
    assert kept(Path()) == []


@pytest.mark.sample("--exec")
@pytest.mark.parametrize("option", ["--exec", "--exec-study", "--report"])
def test_nothing_is_told_of_what_is_ignored(option: str) -> None:
    done = running.tool("storescp", 0, "--ignore", option, "true")
    assert done.returncode == 2
    assert f"error: {option} does not go with --ignore" in done.stderr


@pytest.mark.sample("options0-384")
@pytest.mark.parametrize(("options", "mode"), [([], 0o600), (["--mode", "640"], 0o640), (["--mode", "0644"], 0o644)])
def test_the_permissions_of_the_files(tmp_path: Path, options: list[str], mode: int) -> None:
    with listening("storescp", *options) as listener:
        send(listener, tmp_path / "sent", ct())
        listener.end()
    assert Path("CT.1.2.3").stat().st_mode & 0o777 == mode


@pytest.mark.sample("full")
@pytest.mark.parametrize("durability", ["full", "none"])
def test_durability(tmp_path: Path, durability: str) -> None:
    with listening("storescp", "--durability", durability) as listener:
        assert send(listener, tmp_path / "sent", ct()) == ["0x0000"]
        # Either durability survives that.
        listener.end(signal.SIGKILL, status=-signal.SIGKILL)
    assert kept(Path()) == ["CT.1.2.3"]


@pytest.mark.sample("{PatientID}*")
@pytest.mark.parametrize(
    ("layout", "path"),
    [
        ("{SOPInstanceUID}.dcm", "1.2.3.dcm"),
        ("{PatientID}/{StudyInstanceUID}/{SeriesInstanceUID}/{SOPInstanceUID}.dcm", "ID1/1.9/1.9.1/1.2.3.dcm"),
        ("{CallingAETitle}/{CalledAETitle}/{AccessionNumber}/{SOPInstanceUID}", "STORESCU/ANY-SCP/unknown/1.2.3"),
    ],
)
def test_layout(tmp_path: Path, layout: str, path: str) -> None:
    with listening("storescp", "--layout", layout) as listener:
        send(listener, tmp_path / "sent", ct())
        listener.end()
    assert kept(Path())[-1] == path


@pytest.mark.sample("options0-*")
@pytest.mark.parametrize(
    ("options", "status", "names", "patients"),
    [
        ([], "0x0000", ["CT.1.2.3", "CT.1.2.3~2"], [b"Doe^Jane", b"Roe^Jane"]),
        (["--on-duplicate", "keep-both"], "0x0000", ["CT.1.2.3", "CT.1.2.3~2"], [b"Doe^Jane", b"Roe^Jane"]),
        (["--on-duplicate", "reject"], "0x0111", ["CT.1.2.3"], [b"Doe^Jane"]),
        (["--on-duplicate", "replace"], "0x0000", ["CT.1.2.3"], [b"Roe^Jane"]),
    ],
)
def test_an_instance_that_comes_again(
    tmp_path: Path, options: list[str], status: str, names: list[str], patients: list[bytes]
) -> None:
    with listening("storescp", *options) as listener:
        assert send(listener, tmp_path / "1", ct()) == ["0x0000"]
        assert send(listener, tmp_path / "2", ct()) == ["0x0000"]  # with the same bytes: kept already
        assert kept(Path()) == ["CT.1.2.3"]
        changed = ct(patient=b"Roe^Jane")
        assert send(listener, tmp_path / "3", changed, exit_status=0 if status == "0x0000" else 3) == [status]
        listener.end()
    assert kept(Path()) == names
    for name, patient in zip(names, patients, strict=True):
        assert patient in Path(name).read_bytes()


def test_duplicates_with_other_bytes_are_noticed_and_limited(tmp_path: Path) -> None:
    options = ("--max-duplicates", 2, "--layout", "{SOPInstanceUID}.dcm")
    with listening("storescp", *options) as listener:
        for number in range(5):
            instance = ct(patient=b"Doe^%04d" % number)
            status = send(listener, tmp_path / str(number), instance, exit_status=0 if number < 3 else 3)
            assert status == ["0x0000" if number < 3 else "0x0111"]
        assert kept(Path()) == ["1.2.3.dcm", "1.2.3~2.dcm", "1.2.3~3.dcm"]
        said = listener.end()
    # What is refused is told at once, and not held back behind what was kept; the rest is told at the end.
    assert [line.removeprefix("W: DICOM file already exists with another data set: 1.2.3.dcm, ") for line in said] == [
        "kept as 1.2.3~2.dcm",
        "and has too many copies",
        "kept as 1.2.3~3.dcm",
        "and has too many copies",
    ]


def test_a_data_set_that_ends_inside_an_element(tmp_path: Path) -> None:
    instance = ct(more=STUDY + SERIES + element(0x0028, 0x0010, "US", b"\1\0")[:-2])
    for options, status, names in (([], 0xC000, []), (["--accept-cut-short"], 0xB007, ["CT.1.2.3"])):
        folder = tmp_path / str(status)
        with listening("storescp", "-od", folder, "--audit", tmp_path / f"{status}.xml", *options) as listener:
            request = store_request(listener.port, instance)
            assert request == (status, "cut short: (0028,0010) at offset ")
            assert kept(folder) == names
            said = listener.end()
        assert any("cut short: (0028,0010)" in line for line in said)
        failed = "not transferred: 1 of 1 instance" in (tmp_path / f"{status}.xml").read_text()
        assert failed is (names == [])


def store_request(port: int, instance: Instance) -> tuple[int, str]:
    """Store an instance by a peer that does not check it; the status, and what its Error Comment begins with."""
    sink = SpooledSink()
    sink.write([memoryview(instance.data_set)])
    context = dimse.ProposedContext(instance.sop_class_uid, (uids.ExplicitVRLittleEndian,))
    with dimse.associate("127.0.0.1", port, contexts=[context]) as association:
        received = ReceivedInstance(
            instance.sop_class_uid, instance.sop_instance_uid, uids.ExplicitVRLittleEndian, sink=sink
        )
        status = association.store(received)
    return int(status), status.comment.rstrip("0123456789")[:33]


@pytest.mark.thorough
def test_a_folder_that_is_replaced_while_workers_run(tmp_path: Path) -> None:
    with listening("storescp", "-od", "in", "--workers", 2, "--report", "report") as listener:
        for number in range(4):
            assert send(listener, tmp_path / f"1{number}", ct(f"1.{number}")) == ["0x0000"]
        Path("in").rename("old")
        Path("in").mkdir()
        for number in range(4, 12):
            assert send(listener, tmp_path / f"2{number}", ct(f"1.{number}")) == ["0x0000"]
        said = listener.end()
    assert kept(Path("old")) == [f"CT.1.{number}" for number in range(4)]
    assert kept(Path("in")) == sorted(f"CT.1.{number}" for number in range(4, 12))
    assert all(Path(json.loads(line)["path"]).exists() for line in Path("report").read_text().splitlines()[4:])
    assert any("was replaced: new instances are kept in the new one" in line for line in said)


def test_what_a_killed_storescp_was_receiving_is_gone_when_it_starts_again(tmp_path: Path) -> None:
    instance = ct()
    with listening("storescp") as listener, Requestor(listener, instance.sop_class_uid) as requestor:
        requestor.associate().begin_store(instance)
        while not list(Path(".incoming").glob("*.part")):
            pass
        listener.end(signal.SIGKILL, status=-signal.SIGKILL)
        assert len(list(Path(".incoming").iterdir())) == 1
    with listening("storescp") as listener:
        assert kept(Path()) == []
        assert send(listener, tmp_path / "sent", instance) == ["0x0000"]
        listener.end()
    assert kept(Path()) == ["CT.1.2.3"]


def test_a_folder_is_one_storescps(tmp_path: Path) -> None:
    with listening("storescp", "-od", "incoming", "--workers", 2) as listener:
        done = running.tool("storescp", 0, "-ba", "127.0.0.1", "-od", "incoming")
        assert done.returncode == 1
        (line,) = running.errors(done)
        assert "another storescp or FileStore uses this folder" in line
        assert "incoming" in line
        assert listener.echo().is_success
        listener.end()


@pytest.mark.sample("1--od")
@pytest.mark.parametrize("option", ["-od", "--report"])
@pytest.mark.parametrize("workers", ["1", "2"])
def test_what_cannot_be_written(option: str, workers: str) -> None:
    Path("file").touch()
    done = running.tool("storescp", 0, "-ba", "127.0.0.1", "--workers", workers, option, "file/below")
    assert done.returncode == 1
    (line,) = running.errors(done)
    assert "file" in line
    assert line.endswith(": Not a directory")


# --- what is accepted ---

UNKNOWN, KNOWN, CT, JPEG = "1.2.3.4", "1.2.840.10008.5.1.4.31", uids.CTImageStorage, uids.JPEGBaseline8Bit
# The results of Verification, CT, CT in JPEG, a worklist, a private class.
ACCEPTED: list[tuple[list[str], list[int]]] = [
    ([], [0, 0, 0, 3, 3]),
    (["--accept-unknown"], [0, 0, 0, 0, 0]),
    (["--no-echo"], [3, 0, 0, 3, 3]),
    (["--accept-only", CT], [0, 0, 0, 3, 3]),
    (["--accept-only", "MRImageStorage"], [0, 3, 3, 3, 3]),
    (["--accept-only", UNKNOWN, "--no-echo"], [3, 3, 3, 3, 0]),
    (["--accept-only", "ExplicitVRLittleEndian"], [0, 0, 4, 3, 3]),
    (["--accept-only", JPEG], [4, 4, 0, 3, 3]),
    (["--accept-only", "CTImageStorage", "--accept-only", JPEG, "--no-echo"], [3, 4, 0, 3, 3]),
]


@pytest.mark.sample("options0-*", "options1-*")
@pytest.mark.parametrize(("options", "results"), ACCEPTED)
def test_what_it_accepts(options: list[str], results: list[int]) -> None:
    explicit = (uids.ExplicitVRLittleEndian,)
    proposed = [(dimse.Verification, explicit), (CT, explicit), (CT, (JPEG,)), (KNOWN, explicit), (UNKNOWN, explicit)]
    with listening("storescp", *options) as listener:
        with listener.associate(*(dimse.ProposedContext(*context) for context in proposed)) as association:
            assert [context.result for context in association.contexts] == results
        listener.end()


JPEG_XL, FRAMES_DEFLATED, HTJ2K = "1.2.840.10008.1.2.4.110", "1.2.840.10008.1.2.8.1", "1.2.840.10008.1.2.4.201"
PRIVATE, UNHEARD_OF = "1.2.840.113619.5.2", "1.2.840.10008.1.2.999"


@pytest.mark.sample("options0-*", "options1-*")
@pytest.mark.parametrize(
    ("options", "results"),
    [
        ([], [0, 0, 0, 4, 4, 4]),
        (["--accept-syntax", PRIVATE], [0, 0, 0, 4, 0, 4]),
        (["--accept-syntax", "private"], [0, 0, 0, 4, 0, 4]),
        (["--accept-syntax", "XMLEncoding", "--accept-syntax", UNHEARD_OF], [0, 0, 0, 0, 4, 0]),
        (["--accept-syntax", "any"], [0] * 6),
        (["--accept-syntax", "private", "-xe"], [0, 0, 0, 4, 0, 4]),
        (["--accept-syntax", "private", "--accept-only", JPEG_XL], [0, 4, 4, 4, 0, 4]),
        (["--accept-syntax", "private", "-xi"], [4, 4, 4, 4, 0, 4]),
    ],
)
def test_transfer_syntaxes_that_it_accepts(options: list[str], results: list[int]) -> None:
    proposed = (JPEG_XL, FRAMES_DEFLATED, HTJ2K, uids.XMLEncoding, PRIVATE, UNHEARD_OF)
    with listening("storescp", *options) as listener:
        contexts = [dimse.ProposedContext(CT, (uid,)) for uid in proposed]
        with listener.associate(dimse.ProposedContext(dimse.Verification), *contexts) as association:
            assert [context.result for context in association.contexts][1:] == results
        listener.end()


def test_an_invalid_transfer_syntax_is_wrong_usage() -> None:
    done = running.tool("storescp", 0, "--accept-syntax", "JPEGXLosless")
    assert done.returncode == 2
    assert "'JPEGXLosless' is not a UID, nor a keyword of PS3.6" in done.stderr


def test_from_python_the_same_can_be_chosen() -> None:
    chosen = [*uids.STORABLE_TRANSFER_SYNTAXES, "XMLEncoding", "private"]
    with dimse.Server(("127.0.0.1", 0), contexts=[CT], transfer_syntaxes=chosen) as server:
        contexts = [dimse.ProposedContext(CT, (uid,)) for uid in (uids.XMLEncoding, PRIVATE, UNHEARD_OF)]
        with dimse.associate(*server.address, contexts=contexts) as association:
            assert [context.result for context in association.contexts] == [0, 0, 4]
    with pytest.raises(ValueError, match="'JPEGXLosless' is not a UID"):
        dimse.Server(("127.0.0.1", 0), transfer_syntaxes=["JPEGXLosless"])


def test_every_storage_sop_class_is_accepted() -> None:
    classes = sorted(uids.STORAGE_SOP_CLASSES)
    with listening("storescp") as listener:
        for some in (classes[:128], classes[128:]):
            if some:
                with listener.associate(*some) as association:
                    assert all(context.accepted for context in association.contexts)
        listener.end()


def test_an_unknown_class_is_kept_like_any_other(tmp_path: Path) -> None:
    with listening("storescp", "--accept-unknown") as listener:
        assert send(listener, tmp_path / "sent", Instance("1.2.3", UNKNOWN)) == ["0x0000"]
        listener.end()
    assert [file.sop_class_uid for file in part10_files(Path())] == [UNKNOWN]


# --- what follows ---

# A program that leaves what it was told in a file of its own.
TELL = f"""{shlex.quote(sys.executable)} -c {
    shlex.quote('''
import json, os, sys
said = json.load(sys.stdin)
told = {name: value for name, value in os.environ.items() if name.startswith("DIMSE_")}
name = said.get("sop_instance_uid") or said["study_instance_uid"]
with open(f"told.{name}.tmp", "w") as file:
    json.dump([said, told, sys.argv[1:]], file)
os.rename(file.name, f"told.{name}")
''')
} one 'two words' '$HOME;x'"""


def told(name: str) -> Any:
    """Return what the program was given of an instance or study, and its arguments."""
    return json.loads(Path(f"told.{name}").read_text())


@pytest.mark.sample("1")
@pytest.mark.parametrize("workers", [1, 2])
def test_a_program_is_run_for_each_instance(tmp_path: Path, workers: int) -> None:
    with listening("storescp", "-od", "in", "--exec", TELL, "--workers", workers) as listener:
        send(listener, tmp_path / "sent", ct("1.2.3"), ct("1.2.4", patient=b"`touch x`;$(id)"))
        # Instances that were kept are announced before the end.
        assert listener.end() == []
    for uid in ("1.2.3", "1.2.4"):
        said, environment, arguments = told(uid)
        assert arguments == ["one", "two words", "$HOME;x"]
        assert said["event"] == environment["DIMSE_EVENT"] == "instance"
        assert said["path"] == environment["DIMSE_PATH"] == str(Path("in").absolute() / f"CT.{uid}")
        assert said["patient_id"] == environment["DIMSE_PATIENT_ID"] == "ID1"
        assert said["calling_ae_title"] == environment["DIMSE_CALLING_AE_TITLE"] == "STORESCU"


@pytest.mark.sample("at the end")
@pytest.mark.parametrize("options", [["--study-timeout", "0.1"], []], ids=["quiet", "at the end"])
def test_a_program_is_run_for_a_study(tmp_path: Path, options: list[str]) -> None:
    with listening("storescp", "-od", "in", "--exec-study", TELL, *options) as listener:
        send(listener, tmp_path / "sent", ct("1.2.3"), ct("1.2.4"))
        while options and not Path("told.1.9").exists():
            pass
        assert listener.end() == []
    said, environment, _ = told("1.9")
    assert said["event"] == "study"
    assert said["instances"] == int(environment["DIMSE_INSTANCES"]) == 2
    assert said["folder"] == str(Path("in").absolute())


@pytest.mark.sample("false-*")
@pytest.mark.parametrize(
    ("command", "words"), [("false", "exit status 1"), ("sh -c 'kill -9 $$'", "killed by signal 9")]
)
def test_a_program_that_fails_is_a_notice_and_the_instance_is_kept(tmp_path: Path, command: str, words: str) -> None:
    with listening("storescp", "--exec", command) as listener:
        assert send(listener, tmp_path / "sent", ct()) == ["0x0000"]
        (line,) = listener.end()
    assert line.startswith("W: ")
    assert words in line
    assert kept(Path()) == ["CT.1.2.3"]


def test_a_program_does_not_hold_up_the_end_for_longer_than_it_may(tmp_path: Path) -> None:
    with listening("storescp", "-ll", "warn", "--exec", "sleep 1000", "--drain", 0.2) as listener:
        assert send(listener, tmp_path / "sent", ct()) == ["0x0000"]
        assert any("killed, because the program is ending" in line for line in listener.end())


@pytest.mark.thorough
@pytest.mark.parametrize("workers", [1, 3])
def test_a_study_that_arrives_over_several_associations_is_told_of_once(tmp_path: Path, workers: int) -> None:
    study_of_others = element(0x0020, 0x000D, "UI", b"1.8")
    long = STUDY + SERIES + element(0x0029, 0x1010, "LT", b"x" * 1000)
    options = ("--exec-study", TELL, "--study-timeout", 0.2, "--workers", workers)
    with listening("storescp", "-od", "in", *options) as listener:
        with Requestor(listener, uids.CTImageStorage).associate() as slow:
            rest = slow.begin_store(ct("1.2.5", more=long))
            for sent in (ct("1.2.3"), ct("1.2.4"), ct("9.9", more=study_of_others)):
                send(listener, tmp_path / "sent", sent)
            # Nothing of this one is arriving. When it has been told of, the other would have been too.
            while not Path("told.1.8").exists():
                pass
            assert not Path("told.1.9").exists()
            slow.socket.sendall(rest)
            assert slow.read_status() == 0
        while not Path("told.1.9").exists():
            pass
        assert listener.end() == []
    said, environment, _ = told("1.9")
    assert said["event_id"] == environment["DIMSE_EVENT_ID"]
    assert said["instances"] == 3


def pending(exit_status: int) -> list[list[str]]:
    """Return the rows of `storescp --pending-studies`, without its heading."""
    done = running.tool("storescp", "-od", "in", "--pending-studies")
    assert (done.returncode, done.stderr) == (exit_status, "")
    return [re.split(r"  +", line) for line in done.stdout.splitlines()[1:]]


@pytest.mark.thorough
def test_a_program_that_fails_for_a_study_is_a_notice_and_the_study_waits(tmp_path: Path) -> None:
    Path("in").mkdir()
    assert pending(0) == []
    with listening(
        "storescp", "-od", "in", "--exec-study", "sh -c 'echo Doe; exit 9'", "--study-timeout", 0
    ) as listener:
        send(listener, tmp_path / "sent", ct())
        listener.until("it is tried again")
        (row,) = pending(0)
        assert (row[0], row[1], row[2], row[4], row[5]) == (
            "waiting",
            "1",
            "1",
            "exit status 9, 4 bytes printed",
            "1.9",
        )
        (line,) = listener.end()
    assert line == "W: command sh for study 1.9: exit status 9, 4 bytes printed; it is tried again in 10 s"
    with listening("storescp", "-od", "in") as listener:
        (line,) = listener.end()
    assert line == "W: 1 study still waiting for a program: --exec-study runs one, --pending-studies lists them"
    with listening("storescp", "-od", "in", "--exec-study", TELL, "--study-timeout", 0) as listener:
        while not Path("told.1.9").exists():
            pass
        assert listener.end() == []
    assert pending(0) == []
    assert kept(Path("in")) == ["CT.1.2.3"]


def test_a_study_that_was_given_up_is_in_the_exit_status(tmp_path: Path) -> None:
    from tests.archive.test_events import instance

    with PendingStudies("in") as studies:
        studies.join(instance(1, "1.9"), 0.0)
        for _ in range(5):
            claim = studies.claim("1.9", 1e9, 0.0)
            assert claim is not None
            assert not isinstance(claim, float)
            claim.failed("exit status 1", -1e9)
    assert [row[0] for row in pending(3)] == ["failed"]


def test_a_folder_whose_studies_cannot_be_listed_is_an_error() -> None:
    done = running.tool("storescp", "-od", "none", "--pending-studies")
    assert (done.returncode, done.stdout, done.stderr) == (3, "", "E: none: No such file or directory\n")


@pytest.mark.thorough
@pytest.mark.parametrize("workers", [1, 2])
def test_a_report_has_a_line_for_each_instance(tmp_path: Path, workers: int) -> None:
    Path("report").write_text('{"event": "of before"}\n')
    with listening("storescp", "-od", "in", "--report", "report", "--workers", workers) as listener:
        # Each goes over an association of its own, to any of the workers.
        for number in range(6):
            send(listener, tmp_path / "sent", ct(f"1.2.{number}"))
        send(listener, tmp_path / "sent", ct("1.2.0"))
        assert listener.end() == []
    before, *lines = (json.loads(line) for line in Path("report").read_text().splitlines())
    assert before == {"event": "of before"}
    assert [(line["relative_path"], line["duplicate"]) for line in lines] == [
        *((f"CT.1.2.{number}", False) for number in range(6)),
        ("CT.1.2.0", True),
    ]
    assert {line["size"] for line in lines} == {len(ct("1.2.0").data_set)}


# --- usage ---

WRONG = [
    *(["--accept-only", ""], ["--accept-only", "NoSuchKeyword"], ["--on-duplicate", "both"], ["--durability", "some"]),
    *(["--mode", "rw"], ["--mode", "9"], ["--mode", "0"], ["--mode", "1777"], ["--mode", "044"]),
    *(
        ["--layout", ""],
        ["--layout", "{PatientID}"],
        ["--layout", "../{SOPInstanceUID}"],
        ["--layout", "{SOPInstanceUID"],
    ),
    *(["--layout", "/{SOPInstanceUID}"], ["--layout", "{NoSuchField}/{SOPInstanceUID}"]),
    *(["--exec", ""], ["--exec", "no-such-program x"], ["--exec", "'"], ["--exec-study", "no-such-program"]),
    *(["--study-timeout", "-1"], ["-od"]),
]


@pytest.mark.parametrize("arguments", WRONG, ids=" ".join)
def test_wrong_usage(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["storescp", "0", *arguments])
    out, err = capsys.readouterr()
    assert (ended.value.code, out) == (2, "")
    assert err.splitlines()[-1].startswith(f"storescp: error: argument {'/'.join(aliases(arguments[0]))}: ")


def aliases(option: str) -> list[str]:
    return ["-od", "--output-directory"] if option == "-od" else [option]
