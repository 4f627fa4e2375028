"""dimse retrieve against an SCP in this process: what it prints, keeps and records, and its exit status."""

from __future__ import annotations

import json
import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pydicom
import pytest

from dimse import tags, uids
from dimse.data_set.attributes import Attribute
from dimse.data_set.identifier import Identifier
from dimse.services.query import FindRequest
from dimse.testing import QueryRetrieveSCP
from tests.interop.peers import free_port
from tests.tools.listeners import listening
from tests.tools.retrieved import ct, kept
from tests.tools.running import Instance, element, start, tool

STUDIES = [f"1.2.{number}" for number in (1, 2, 3)]
IMAGES = 4


def write_archive(folder: Path) -> list[Path]:
    folder.mkdir()
    uids = [(study, f"{study}.1.{number}") for study in STUDIES for number in range(1, IMAGES + 1)]
    return [ct(uid, study).write(folder / f"{uid}.dcm") for study, uid in uids]


@pytest.fixture
def scp(tmp_path: Path) -> Iterator[QueryRetrieveSCP]:
    with QueryRetrieveSCP(write_archive(tmp_path / "archive")) as scp:
        yield scp


def lines(done: Any, level: str) -> list[str]:
    assert "Traceback" not in done.stderr
    return [line[3:] for line in done.stderr.splitlines() if line.startswith(f"{level}: ")]


def errors(done: Any) -> list[str]:
    """Return the `E:` lines, but the last one, which is the sum of the run."""
    found = lines(done, "E")
    return found[:-1] if re.search(" stud(y|ies) complete, ", found[-1]) else found


def retrieve(scp: QueryRetrieveSCP, folder: Path, *arguments: Any, **options: Any) -> Any:
    return tool("retrieve", "127.0.0.1", scp.port, *arguments, "-od", folder / "in", **options)


def test_each_study_has_a_line(scp: QueryRetrieveSCP, tmp_path: Path) -> None:
    done = retrieve(scp, tmp_path, *STUDIES)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [f"{study}  complete  4 of 4  C-GET" for study in STUDIES]
    assert len(kept(tmp_path / "in")) == 12
    assert done.stderr == ""


def test_json_lines_are_for_programs(scp: QueryRetrieveSCP, tmp_path: Path) -> None:
    done = retrieve(scp, tmp_path, STUDIES[0], "9.9", "--format", "jsonl")
    assert done.returncode == 3
    complete, failed = map(json.loads, done.stdout.splitlines())
    assert (complete["state"], complete["stored"], complete["method"], complete["missing"]) == (
        "complete",
        4,
        "get",
        [],
    )
    assert (failed["state"], failed["method"], failed["error"]) == ("failed", None, "the peer lists no instance of it")
    assert errors(done) == ["9.9 is not here: the peer lists no instance of it"]


@pytest.mark.parametrize(
    "text",
    [
        "1.2.1\n1.2.3\n",
        "\ufeff1.2.1\r\n\r\n# the last one\r\n1.2.3",
        "PatientID,StudyInstanceUID\nP1,1.2.1\nP1,1.2.3\n",
        '{"StudyInstanceUID": "1.2.1"}\n{"0020000D": {"vr": "UI", "Value": ["1.2.3"]}}\n',
    ],
    ids=["plain", "windows", "csv", "json"],
)
@pytest.mark.parametrize("is_stdin", [False, True])
def test_the_studies_of_a_list_are_retrieved(scp: QueryRetrieveSCP, text: str, is_stdin: bool, tmp_path: Path) -> None:
    listed = tmp_path / "list"
    listed.write_text(text, newline="")
    done = retrieve(scp, tmp_path, "--from", "-" if is_stdin else listed, **({"input": text} if is_stdin else {}))
    assert done.returncode == 0, done.stderr
    assert [line.split()[0] for line in done.stdout.splitlines()] == ["1.2.1", "1.2.3"]


def test_what_findscu_writes_is_a_list(scp: QueryRetrieveSCP, tmp_path: Path) -> None:
    found = tool("findscu", "-S", "127.0.0.1", scp.port, "-r", "@study", "--format", "csv", "-L", "study")
    assert found.returncode == 0, found.stderr
    done = retrieve(scp, tmp_path, "--from", "-", input=found.stdout)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 3


def test_a_line_that_is_no_uid_is_named(scp: QueryRetrieveSCP, tmp_path: Path) -> None:
    listed = tmp_path / "list"
    listed.write_text("1.2.1\nbroken\n1.2.3\n" + '"' + "x" * 200_000)
    done = retrieve(scp, tmp_path, "--from", listed)
    assert done.returncode == 3
    second, fourth = errors(done)
    assert second == f"{listed}, line 2: broken is not a UID"
    assert fourth.startswith(f"{listed}, line 4: ") and len(fourth) < 200
    # The others are retrieved.
    assert len(kept(tmp_path / "in")) == 8


def test_a_list_that_does_not_exist_is_named(scp: QueryRetrieveSCP, tmp_path: Path) -> None:
    done = retrieve(scp, tmp_path, "--from", tmp_path / "nothing")
    assert done.returncode == 3
    assert errors(done) == [f"Cannot read the list {tmp_path / 'nothing'}: No such file or directory"]


def test_what_the_keys_match_is_retrieved(scp: QueryRetrieveSCP, tmp_path: Path) -> None:
    done = retrieve(scp, tmp_path, "--patient-id", "P1")
    assert done.returncode == 0, done.stderr
    assert len(kept(tmp_path / "in")) == 12


class Forgetful(QueryRetrieveSCP):
    """A peer that does not know Modalities in Study."""

    def find(self, request: FindRequest) -> Iterator[Identifier | int]:
        keys = request.identifier.attributes
        request.identifier = Identifier(
            {tag: key for tag, key in keys.items() if tag != tags.find("ModalitiesInStudy")}
        )
        yield from super().find(request)


def test_a_key_that_the_peer_ignores_is_named(tmp_path: Path) -> None:
    with Forgetful(write_archive(tmp_path / "archive")) as peer:
        done = retrieve(peer, tmp_path, "--modality", "MR")
    assert lines(done, "W") == ["The peer ignores the key ModalitiesInStudy: what is retrieved may not match it"]
    assert len(kept(tmp_path / "in")) == 12


class Unselective(QueryRetrieveSCP):
    """A peer that returns Modalities in Study, and does not match it."""

    def find(self, request: FindRequest) -> Iterator[Identifier | int]:
        keys = dict(request.identifier.attributes)
        tag = tags.find("ModalitiesInStudy")
        if tag in keys:
            keys[tag] = Attribute("CS", ())
        request.identifier = Identifier(keys)
        yield from super().find(request)


def test_a_modality_is_matched_here_where_the_peer_does_not(tmp_path: Path) -> None:
    files = write_archive(tmp_path / "archive")
    mr = Instance(
        "1.3.1",
        uids.MRImageStorage,
        rest=element(0x0008, 0x0060, "CS", b"MR")
        + element(0x0020, 0x000D, "UI", b"1.3")
        + element(0x0020, 0x000E, "UI", b"1.3.9"),
    ).write(tmp_path / "archive" / "mr.dcm")
    with Unselective([*files, mr]) as peer:
        done = retrieve(peer, tmp_path, "--modality", "MR")
    assert (done.returncode, done.stdout) == (0, "1.3  complete  1 of 1  C-GET\n")
    assert lines(done, "W") == ["The peer does not match the modality: 3 matches left out"]
    assert kept(tmp_path / "in") == ["MR.1.3.1"]


def two_series(folder: Path) -> list[Path]:
    """Write a study with two series of two images, and return the files."""
    folder.mkdir()
    return [
        Instance(
            f"1.2.{series}.{number}", uids.CTImageStorage,
            rest=element(0x0008, 0x0060, "CS", b"CT") + element(0x0020, 0x000D, "UI", b"1.2")
            + element(0x0020, 0x000E, "UI", f"1.2.{series}".encode()),
        ).write(folder / f"{series}{number}.dcm")
        for series in (1, 2) for number in (1, 2)
    ]  # fmt: skip


@pytest.mark.parametrize("expect", ["find", "count"])
@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["1.2,1.2.2"], ""),
        (["--from", "-"], "1.2, 1.2.2\n"),
        (["--from", "-"], "PatientID,StudyInstanceUID,SeriesInstanceUID\n1,1.2,1.2.2\n1,1.2,1.2.2\n"),
        (["--from", "-"], json.dumps({"0020000D": {"Value": ["1.2"]}, "0020000E": {"Value": ["1.2.2"]}})),
        (["-L", "series", "--series-uid", "1.2.2"], ""),
    ],
    ids=["argument", "list", "CSV", "JSON", "keys"],
)
def test_a_single_series_is_retrieved(arguments: list[str], text: str, expect: str, tmp_path: Path) -> None:
    with QueryRetrieveSCP(two_series(tmp_path / "archive")) as peer:
        done = retrieve(peer, tmp_path, *arguments, "--expect", expect, "-v", input=text)
        assert done.returncode == 0, done.stderr
        expected = "2" if expect == "find" else "?"
        assert done.stdout == f"1.2,1.2.2  complete  2 of {expected}  C-GET\n"
        assert kept(tmp_path / "in") == ["CT.1.2.2.1", "CT.1.2.2.2"]
        assert [request.level for request in peer.retrievals] == ["SERIES"]


def test_series_are_taken_up_with_a_journal(tmp_path: Path) -> None:
    with QueryRetrieveSCP(two_series(tmp_path / "archive")) as peer:
        options = ("--journal", tmp_path / "journal.db", "--format", "jsonl")
        for _ in range(2):
            first, second = (
                json.loads(line)
                for line in retrieve(peer, tmp_path, "1.2,1.2.1", "1.2,1.2.2", *options).stdout.splitlines()
            )
            assert (first["series_instance_uid"], first["stored"], first["state"]) == ("1.2.1", 2, "complete")
            assert (second["series_instance_uid"], second["stored"], second["state"]) == ("1.2.2", 2, "complete")
        assert len(peer.retrievals) == 2
        assert retrieve(peer, tmp_path, "1.2", *options).returncode == 0
        assert len(peer.retrievals) == 2


def test_what_is_in_the_folder_is_not_retrieved_again(scp: QueryRetrieveSCP, tmp_path: Path) -> None:
    folder = tmp_path / "in" / "of a CD"
    folder.mkdir(parents=True)
    for number in range(1, IMAGES + 1):
        ct(f"1.2.1.1.{number}", "1.2.1").write(folder / f"IM{number}")
    ct("1.2.2.1.1", "1.2.2").write(folder / "one.dcm")
    cut_short = ct("1.2.2.1.2", "1.2.2").write(folder / "cut.dcm")
    os.truncate(cut_short, 2000)
    report = tmp_path / "studies.txt"
    done = retrieve(
        scp,
        tmp_path,
        "1.2.1",
        "1.2.2",
        "--skip-existing",
        "--exec-study",
        f"sh -c 'echo $DIMSE_STUDY_INSTANCE_UID >> {report}'",
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["1.2.1  already  4 of 4", "1.2.2  complete  4 of 4  C-GET"]
    assert kept(tmp_path / "in") == ["CT.1.2.2.1.2", "CT.1.2.2.1.3", "CT.1.2.2.1.4", "of a CD"]
    assert report.read_text() == "1.2.2\n"


def test_keys_that_match_nothing(scp: QueryRetrieveSCP, tmp_path: Path) -> None:
    assert retrieve(scp, tmp_path, "--patient-id", "P2").returncode == 0
    done = retrieve(scp, tmp_path, "--patient-id", "P2", "--fail-empty")
    assert (done.returncode, errors(done)) == (3, ["Nothing matched"])


def test_c_move_comes_to_the_tool_itself(scp: QueryRetrieveSCP, tmp_path: Path) -> None:
    port = free_port()
    scp.destinations["ME"] = ("127.0.0.1", port)
    done = retrieve(scp, tmp_path, *STUDIES, "--method", "move", "--store-aet", "ME", "--store-port", port, "--jobs", 2)
    assert done.returncode == 0, done.stderr
    assert sorted(done.stdout.splitlines()) == [f"{study}  complete  4 of 4  C-MOVE" for study in STUDIES]


def test_a_destination_that_the_peer_does_not_know_is_told(scp: QueryRetrieveSCP, tmp_path: Path) -> None:
    done = retrieve(scp, tmp_path, STUDIES[0], "--method", "move", "--store-port", free_port())
    assert done.returncode == 3
    assert any("0xA801" in line for line in errors(done))


def test_a_report_names_what_came_and_what_is_missing(tmp_path: Path) -> None:
    class LeavesOut(QueryRetrieveSCP):
        def get(self, request: Any) -> Any:
            return super().get(request)[1:]  # type: ignore[index]

    report = tmp_path / "report.json"
    with LeavesOut(write_archive(tmp_path / "archive")) as scp:
        done = retrieve(scp, tmp_path, STUDIES[0], "--report", report)
    assert done.returncode == 3
    assert done.stdout == "1.2.1  partial  3 of 4  C-GET\n"
    assert errors(done) == ["1.2.1 is incomplete: 1 of its instances did not come", "Missing: 1.2.1.1.1"]
    document = json.loads(report.read_text())
    *rows, missing, study = document["files"]
    assert (missing["sop_instance_uid"], missing["outcome"]) == ("1.2.1.1.1", "unsent")
    assert len(rows) == 3
    assert (study["study_instance_uid"], study["sop_instance_uid"], study["outcome"]) == (
        "1.2.1",
        None,
        "study partial",
    )
    assert study["meaning"] == "3 of 4 instances: 1 of its instances did not come"
    assert (document["summary"]["files"], document["summary"]["studies"]) == (4, {"partial": 1})
    summary = json.loads(tool("summary", "--json", report).stdout)
    # A row of a study is no file.
    assert (summary["total"]["files"], summary["total"]["stored"]) == (4, 3)


def test_an_unreachable_peer(tmp_path: Path) -> None:
    done = tool("retrieve", "127.0.0.1", free_port(), "1.2.3", "-od", tmp_path / "in")
    assert done.returncode == 1
    assert "Association request failed: unable to connect to remote" in errors(done)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "name studies, or give a list (--from) or keys"),
        (["--study-uid", ""], "without one every study matches"),
        (["1.2.3", "--method", "push"], "invalid choice"),
        (["1.2.3", "--jobs", "0"], "0 is not"),
    ],
)
def test_wrong_usage(arguments: list[str], words: str, tmp_path: Path) -> None:
    done = tool("retrieve", "127.0.0.1", 104, *arguments, "-od", tmp_path / "in")
    assert done.returncode == 2
    assert words in done.stderr
    assert not (tmp_path / "in").exists()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_a_run_that_was_ended_is_taken_up(scp: QueryRetrieveSCP, number: int, tmp_path: Path) -> None:
    journal = tmp_path / "journal.db"
    arguments = ["127.0.0.1", scp.port, *STUDIES, "--journal", journal, "-od", tmp_path / "in"]
    with start("retrieve", *arguments) as process:
        assert process.stdout is not None
        # The first study is complete.
        assert process.stdout.readline()
        os.kill(process.pid, number)
        process.communicate(timeout=20)
    assert process.returncode == {signal.SIGKILL: -9, signal.SIGINT: 130, signal.SIGTERM: 143}[signal.Signals(number)]
    done = retrieve(scp, tmp_path, *STUDIES, "--journal", journal)
    assert done.returncode == 0, done.stderr
    assert "already" in done.stdout.splitlines()[0]
    assert len(kept(tmp_path / "in")) == 12
    assert "; 3 already here" in "".join(lines(retrieve(scp, tmp_path, "-v", *STUDIES, "--journal", journal), "I"))


def test_what_was_compressed_in_rare_ways_comes_as_it_is_stored(tmp_path: Path) -> None:
    """An association for classes that are not known has few contexts for each; the codecs here cannot convert these files."""
    folder = Path(pydicom.__file__).parent / "data/test_files"
    paths = [folder / name for name in ("JPEG-lossy.dcm", "JPEG2000-embedded-sequence-delimiter.dcm")]
    data_sets = [pydicom.dcmread(path) for path in paths]
    places = ("--instance-location", tmp_path / "instances", "--database-location", tmp_path / "index.sqlite")
    with listening("qrscp", *places) as listener:
        listener.run("storescu", *paths)
        where = ("127.0.0.1", listener.port, data_sets[0].StudyInstanceUID)
        done = tool("retrieve", *where, "--method", "get", "-od", tmp_path / "in")
    assert done.returncode == 0, done.stderr
    found = {
        one.SOPInstanceUID: one.file_meta.TransferSyntaxUID for one in map(pydicom.dcmread, (tmp_path / "in").iterdir())
    }
    assert found == {one.SOPInstanceUID: one.file_meta.TransferSyntaxUID for one in data_sets}
