"""getscu against an SCP in this process: its files, its log, its report and its exit status."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

import dimse
from dimse.testing import QueryRetrieveSCP
from tests.drivers import silent
from tests.faulty_peer import FaultyPeer
from tests.tools.retrieved import STUDY, UIDS, ct, kept, write_images
from tests.tools.running import errors, lines, start, tool


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    return write_images(tmp_path / "archive")


@pytest.fixture
def scp(files: list[Path]) -> Iterator[QueryRetrieveSCP]:
    with QueryRetrieveSCP(files) as scp:
        yield scp


def test_a_study_is_kept_byte_for_byte(scp: QueryRetrieveSCP, tmp_path: Path) -> None:
    done = tool("getscu", "-S", "127.0.0.1", scp.port, "--study-uid", STUDY, "-od", tmp_path / "in")
    assert done.returncode == 0
    assert kept(tmp_path / "in") == [f"CT.{uid}" for uid in UIDS]
    for uid in UIDS:
        assert (tmp_path / "in" / f"CT.{uid}").read_bytes().endswith(ct(uid).data_set)
    said = lines(done, "I")
    assert "Sending Get Request: MsgID 1" in said
    assert "Get SCP Response: 1 - 0xFF00 (Pending)" in said
    assert "Sub-Operations Remaining: 2, Completed: 1, Failed: 0, Warning: 0" in said
    assert "Get SCP Result: 0x0000 (Success)" in said
    assert any(line.startswith("Retrieved 3 of 3 instances of 1 study") for line in said)


@pytest.mark.parametrize(
    ("keys", "found"),
    [
        (["--study-uid", STUDY, "--sop-uid", UIDS[1]], UIDS[1:2]),
        (["-L", "image", "-k", f"SOPInstanceUID={UIDS[0]}\\{UIDS[2]}"], [UIDS[0], UIDS[2]]),
        (["-P", "--patient-id", "P1"], UIDS),
        (["--study-uid", "1.2.3.4"], []),
    ],
)
def test_what_the_keys_match_is_retrieved(
    scp: QueryRetrieveSCP, keys: list[str], found: list[str], tmp_path: Path
) -> None:
    model = [] if "-P" in keys else ["-S"]
    done = tool("getscu", *model, "127.0.0.1", scp.port, *keys, "-od", tmp_path / "in")
    assert done.returncode == 0
    assert kept(tmp_path / "in") == [f"CT.{uid}" for uid in found]


def test_nothing_found_is_a_failure_where_that_is_asked_for(scp: QueryRetrieveSCP, tmp_path: Path) -> None:
    options = ["-S", "127.0.0.1", scp.port, "--study-uid", "1.2.3.4", "-od", tmp_path]
    done = tool("getscu", *options, "--fail-empty")
    assert (done.returncode, lines(done, "E")) == (3, ["Nothing matched", "See DIMSE-E256 (dimse explain E256)"])


def test_quiet_is_silent(scp: QueryRetrieveSCP, tmp_path: Path) -> None:
    done = tool("getscu", "-q", "-S", "127.0.0.1", scp.port, "--study-uid", STUDY, "-od", tmp_path / "in")
    assert (done.returncode, done.stdout, done.stderr, len(kept(tmp_path / "in"))) == (0, "", "", 3)


def test_what_is_ignored_is_counted_and_not_kept(scp: QueryRetrieveSCP, tmp_path: Path) -> None:
    done = tool("getscu", "-S", "127.0.0.1", scp.port, "--study-uid", STUDY, "--ignore", cwd=tmp_path)
    assert done.returncode == 0
    assert any(line.startswith("Retrieved 3 of 3 instances") for line in lines(done, "I"))
    assert kept(tmp_path) == ["archive"]


def test_an_instance_that_the_peer_cannot_send_is_told_and_the_exit_status_is_3(
    scp: QueryRetrieveSCP, files: list[Path], tmp_path: Path
) -> None:
    files[1].unlink()
    report = tmp_path / "report.jsonl"
    done = tool(
        "getscu", "-S", "127.0.0.1", scp.port, "--study-uid", STUDY, "-od", tmp_path / "in", "--report", report
    )  # fmt: skip
    assert done.returncode == 3
    said = lines(done, "E")
    assert said[0].startswith("0xB000: ")
    assert "The peer has not sent 1 of 3 instances" in said
    *rows, study, _summary = [json.loads(line) for line in report.read_text().splitlines()]
    assert (study["study_instance_uid"], study["outcome"]) == (STUDY, "study partial")
    assert [row["outcome"] for row in rows] == ["stored", "stored", "unsent"]
    assert [row["sop_instance_uid"] for row in rows] == [UIDS[0], UIDS[2], UIDS[1]]
    stored = {(row["study_instance_uid"], row["modality"], row["patient_id"]) for row in rows[:2]}
    assert stored == {(STUDY, "CT", None)}
    assert {row["peer"] for row in rows} == {f"127.0.0.1:{scp.port}"}


def test_what_cannot_be_written_here_is_an_exit_status_of_3(scp: QueryRetrieveSCP, tmp_path: Path) -> None:
    options = ["-S", "127.0.0.1", scp.port, "--study-uid", STUDY, "-od", tmp_path / "in"]
    assert tool("getscu", "-q", *options).returncode == 0
    for file in (tmp_path / "in").iterdir():
        file.write_bytes(b"another file")
    done = tool("getscu", *options, "--on-duplicate", "reject")
    assert done.returncode == 3
    assert "3 instances came and could not be stored" in lines(done, "E")


def test_a_folder_that_cannot_be_used_is_told(scp: QueryRetrieveSCP, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = tool("getscu", "-S", "127.0.0.1", scp.port, "--study-uid", STUDY, "-od", tmp_path / "file", "-ll", "error")
    assert done.returncode == 1
    assert errors(done)[0].startswith("Cannot store in ")


def test_a_retrieval_is_cancelled_where_that_is_asked_for(scp: QueryRetrieveSCP, tmp_path: Path) -> None:
    done = tool(
        "getscu", "-S", "127.0.0.1", scp.port, "--study-uid", STUDY, "-od", tmp_path / "in", "--cancel", "1"
    )  # fmt: skip
    assert done.returncode == 0
    assert "Sending C-CANCEL request" in lines(done, "I")
    assert "Get SCP Result: 0xFE00 (Cancel)" in lines(done, "I")
    assert 1 <= len(kept(tmp_path / "in")) <= 2


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ([], "-f and/or -k must be specified"),
        (["-k", "PatientID=1", "--sop-class", "NoSuchStorage"], "NoSuchStorage"),
        (["-k", "PatientID=1", "--report", "report.txt"], "a report ends with"),
        (["-k", "PatientID=1", "--report", "report.json", "--ignore"], "--report does not go with --ignore"),
        (["-k", "PatientID=1", "-M", "worklist"], "has no C-GET"),
    ],
)
def test_wrong_usage_is_told_before_anything_is_sent(options: list[str], reason: str) -> None:
    done = tool("getscu", "127.0.0.1", "1", *options)
    assert (done.returncode, done.stdout) == (2, "")
    assert reason in " ".join(done.stderr.split())


def test_a_key_that_cannot_be_read_is_an_exit_status_of_1() -> None:
    done = tool("getscu", "127.0.0.1", "1", "-k", "NoSuchKeyword=1")
    assert done.returncode == 1
    assert lines(done, "E")[0].startswith("Exception raised trying to parse the supplied keywords")


def test_a_peer_that_does_not_listen_is_an_exit_status_of_1(tmp_path: Path) -> None:
    done = tool("getscu", "-S", "127.0.0.1", "1", "--study-uid", STUDY, "-od", tmp_path)
    assert done.returncode == 1


def test_a_peer_that_falls_silent_ends_in_an_exit_status_of_3(tmp_path: Path) -> None:
    with FaultyPeer(silent) as port:
        done = tool("getscu", "-S", "127.0.0.1", port, "--study-uid", STUDY, "-od", tmp_path, "-td", "0.1")
    assert done.returncode == 3
    assert "No final response came: 0 instances stored, and it is not known what is missing" in lines(done, "E")


@pytest.mark.thorough
def test_a_second_interrupt_ends_a_retrieval_of_a_silent_peer(tmp_path: Path) -> None:
    with (
        FaultyPeer(silent) as port,
        start("getscu", "-S", "127.0.0.1", port, "--study-uid", STUDY, "-od", tmp_path) as process,
    ):
        assert process.stderr is not None
        while "Sending Get Request" not in process.stderr.readline():
            pass
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=20)
    assert process.returncode in (130, 143)


def test_every_class_that_is_asked_for_is_proposed_alone(tmp_path: Path) -> None:
    with QueryRetrieveSCP() as scp:
        done = tool(
            "getscu", "-S", "127.0.0.1", scp.port, "-d", "--study-uid", STUDY, "--sop-class", "MRImageStorage",
            "--ts", "JPEG2000Lossless", "-od", tmp_path / "in",
        )  # fmt: skip
    assert done.returncode == 0
    assert done.stderr.count("Abstract Syntax: =MR Image Storage") in (1, 2)
    assert "CT Image Storage" not in done.stderr


def test_implicit_vr_alone_may_be_proposed(tmp_path: Path) -> None:
    with QueryRetrieveSCP() as scp:
        done = tool("getscu", "-S", "127.0.0.1", scp.port, "-d", "--study-uid", STUDY, "--implicit", "-od", tmp_path)
    assert done.returncode == 0
    # It is about storage; the keys go in any syntax.
    proposed = done.stderr.partition("Abstract Syntax: =CT Image Storage")[2].partition("Context ID")[0]
    assert "=Implicit VR Little Endian" in proposed
    assert "Explicit" not in proposed


@pytest.mark.parametrize("name", ["getscu", "movescu"])
def test_features_are_proposed_and_told_of_where_they_are_refused(
    name: str, scp: QueryRetrieveSCP, tmp_path: Path
) -> None:
    options = ("-od", tmp_path / "in") if name == "getscu" else ("-aem", "NOWHERE")
    done = tool(
        name, "-S", "127.0.0.1", scp.port, "--study-uid", STUDY, *options, "--relational-retrieval", "--enhanced-conversion"
    )  # fmt: skip
    assert lines(done, "W") == ["the peer did not accept the feature enhanced conversion"]
    assert scp.retrievals[0].features == dimse.Features(relational=True)


def test_a_feature_that_the_model_lacks_is_wrong_usage() -> None:
    done = tool("getscu", "-M", "composite-instance", "127.0.0.1", 1, "--sop-uid", "1.2", "--relational-retrieval")
    assert done.returncode == 2
    assert "has no feature 'relational'" in " ".join(done.stderr.split())
