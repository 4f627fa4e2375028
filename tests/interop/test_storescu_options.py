"""Each of storescu's options of sending with real peers: what they hold in the end, and what the user is told."""

from __future__ import annotations

import csv
import json
import re
import shutil
import subprocess
import zipfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from pydicom.data import get_testdata_file

from dimse import uids
from tests.chaos.proxy import Proxy
from tests.files import Part10File, part10_files
from tests.interop import peers
from tests.tools import running
from tests.tools.running import errors, lines
from tests.tools.studies import rows

pytestmark = pytest.mark.thorough  # peers take their time to start

PEERS: dict[str, Sequence[str]] = {"dcmtk_storescp": ("+xa", "-pm", "+B"), "pynetdicom_scp": (), "orthanc": ()}
DICOMDIR = Path(str(get_testdata_file("DICOMDIR")))

with_each = pytest.mark.parametrize("peer", PEERS)
with_dcmtk = pytest.mark.parametrize("peer", ["dcmtk_storescp"])


@pytest.fixture
def scp(peer: str, request: pytest.FixtureRequest) -> peers.StorageSCP:
    """Return the peer that the test is parametrized with."""
    start: peers.StartSCP = request.getfixturevalue(peer)
    return start(*PEERS[peer])


@pytest.fixture
def study(tmp_path: Path) -> list[Part10File]:
    """Return the 31 instances that pydicom's DICOMDIR lists, in one folder."""
    listed = [path for path in sorted(DICOMDIR.parent.glob("[0-9]*/*/*")) if path.is_file()]
    for number, path in enumerate(listed):
        (tmp_path / "study").mkdir(exist_ok=True)
        shutil.copy(path, tmp_path / "study" / f"{number:02}.dcm")
    return part10_files(tmp_path / "study")


def storescu(peer: peers.StorageSCP | int, *arguments: object, **options: Any) -> subprocess.CompletedProcess[str]:
    port = peer if isinstance(peer, int) else peer.port
    return running.tool("storescu", "127.0.0.1", port, *arguments, **options)


def silent(process: subprocess.CompletedProcess[str]) -> None:
    """Check that storescu succeeded and printed nothing."""
    assert (process.returncode, process.stdout, process.stderr) == (0, "", "")


def instances(files: Sequence[Part10File]) -> set[str]:
    return {file.sop_instance_uid for file in files}


def folder_of(study: Sequence[Part10File]) -> Path:
    return study[0].path.parent


# ---- how it is sent


@pytest.mark.parametrize("options", [[], ["--any-order"]], ids=["series", "any order"])
# DCMTK's storescp takes one association at a time.
@pytest.mark.parametrize("peer", ["pynetdicom_scp", "orthanc"])
def test_jobs(scp: peers.StorageSCP, study: list[Part10File], options: list[str]) -> None:
    silent(storescu(scp, folder_of(study), "--jobs", 3, *options))
    assert set(scp.received()) == instances(study)


@with_each
def test_a_window_that_is_not_granted_is_done_without(scp: peers.StorageSCP, study: list[Part10File]) -> None:
    process = storescu(scp, folder_of(study), "--async-ops", 8, "-v")
    assert process.returncode == 0
    steps = [line.split()[0] for line in lines(process, "I") if re.match("(Sending|Received) Store", line)]
    assert steps == ["Sending", "Received"] * len(study)
    assert set(scp.received()) == instances(study)


@with_each
def test_retry_where_connections_break(scp: peers.StorageSCP, study: list[Part10File], tmp_path: Path) -> None:
    report = tmp_path / "r.jsonl"
    with Proxy(scp.port, cut_after=iter([9, 30, 21]), seed=2) as port:
        process = storescu(port, folder_of(study), "--retry", 5, "--retry-wait", 0.1, "-ll", "warn", "--report", report)
    assert process.returncode == 0
    assert [bool(re.search(r"; trying again in \d\.\d s$", line)) for line in lines(process, "W")] == [True] * 3
    assert lines(process, "E") == []
    assert set(scp.received()) == instances(study)
    assert Counter(row["outcome"] for row in rows(report)) == {"stored": len(study)}
    assert max(row["attempts"] for row in rows(report)) >= 2


def test_what_a_peer_refuses_is_not_tried_again(pynetdicom_scp: peers.StartSCP, study: list[Part10File]) -> None:
    scp = pynetdicom_scp(status=0xC000)
    process = storescu(scp, study[0].path, "--retry", 3, "--retry-wait", 0, "-ll", "warn")
    assert process.returncode == 3
    (said,) = errors(process)
    assert said.startswith(f"Store failed: {study[0].path}: 0xC000 - Failure: ")


# ---- the count that is kept


@with_each
def test_a_journal(scp: peers.StorageSCP, study: list[Part10File], tmp_path: Path) -> None:
    kept = ["--journal", tmp_path / "sent.db"]
    silent(storescu(scp, study[0].path, study[1].path, *kept))
    process = storescu(scp, folder_of(study), *kept, "-v")
    assert process.returncode == 0
    assert sum(line.startswith("Sending file: ") for line in lines(process, "I")) == len(study) - 2
    assert lines(process, "I")[-1].startswith(f"Stored {len(study) - 2} of {len(study) - 2} files, ")
    assert lines(process, "I")[-1].endswith(", 0 failed, 2 acknowledged earlier")
    silent(storescu(scp, folder_of(study), *kept))
    assert set(scp.received()) == instances(study)
    status = running.tool("storescu", *kept, "--status")
    (total,) = status.stdout.splitlines()[1:]
    assert total.split()[:4] == [f"127.0.0.1:{scp.port}", "ANY-SCP", "acked", str(len(study))]


@pytest.mark.parametrize("suffix", ["json", "jsonl", "csv"])
def test_a_report(dcmtk_storescp: peers.StartSCP, study: list[Part10File], tmp_path: Path, suffix: str) -> None:
    scp, report = dcmtk_storescp("+xi"), tmp_path / f"r.{suffix}"
    silent(storescu(scp, folder_of(study), "--report", report))
    content = report.read_text()
    if suffix == "csv":
        found: list[dict[str, Any]] = list(csv.DictReader(content.splitlines()))
    else:
        found = json.loads(content)["files"] if suffix == "json" else rows(report)
    assert [row["file"] for row in found] == [str(file.path) for file in study]
    for row, file in zip(found, study, strict=True):
        assert row["sop_instance_uid"] == file.sop_instance_uid
        assert row["transfer_syntax_stored"] == file.transfer_syntax
        assert row["transfer_syntax_sent"] == uids.ImplicitVRLittleEndian
        assert (row["outcome"], row["status"], int(row["attempts"])) == ("stored", "0x0000", 1)


# ---- what is sent


@with_each
def test_a_dicomdir(scp: peers.StorageSCP, study: list[Part10File]) -> None:
    silent(storescu(scp, DICOMDIR))
    assert set(scp.received()) == instances(study)


@with_each
def test_an_archive(scp: peers.StorageSCP, study: list[Part10File], tmp_path: Path) -> None:
    archive = tmp_path / "study.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed:
        for file in study:
            packed.write(file.path, file.path.name)
    silent(storescu(scp, archive))
    assert set(scp.received()) == instances(study)


@with_dcmtk
@pytest.mark.parametrize("end", ["\n", "\0"], ids=["lines", "NUL"])
def test_a_list_on_stdin(scp: peers.StorageSCP, study: list[Part10File], end: str) -> None:
    process = subprocess.run(
        running.command("storescu", "127.0.0.1", scp.port, "-"),
        input=end.join(str(file.path) for file in study),
        capture_output=True,
        text=True,
        timeout=running.SECONDS,
        check=False,
    )
    silent(process)
    assert set(scp.received()) == instances(study)


@with_dcmtk
def test_data_sets_without_file_meta(scp: peers.StorageSCP, study: list[Part10File], tmp_path: Path) -> None:
    bare = tmp_path / "bare"
    bare.write_bytes(study[0].data_set)
    silent(storescu(scp, bare, "--raw-ts", study[0].transfer_syntax))
    (kept,) = scp.received().values()
    assert (kept.transfer_syntax, kept.data_set) == (study[0].transfer_syntax, study[0].data_set)


@with_dcmtk
def test_skip_invalid(scp: peers.StorageSCP, study: list[Part10File], tmp_path: Path) -> None:
    cut = tmp_path / "cut.dcm"
    cut.write_bytes(study[0].content[:-1])
    assert storescu(scp, cut, study[1].path).returncode == 3
    silent(storescu(scp, cut, study[2].path, "--skip-invalid"))
    assert set(scp.received()) == instances(study[1:3])


def test_a_dry_run(dcmtk_storescp: peers.StartSCP, study: list[Part10File]) -> None:
    scp = dcmtk_storescp("-v")
    process = storescu(scp, folder_of(study), "--dry-run")
    assert (process.returncode, process.stderr) == (0, "")
    assert process.stdout.splitlines()[-1].startswith(f"{len(study)} files, ")
    assert scp.received() == {}
    silent(storescu(scp, study[0].path))
    assert scp.output.count("I: Association Acknowledged") == 1


def test_dcmtks_spellings(dcmtk_storescp: peers.StartSCP, study: list[Part10File], tmp_path: Path) -> None:
    deep = tmp_path / "deep" / "er"
    deep.mkdir(parents=True)
    shutil.copy(study[0].path, deep)
    scp = dcmtk_storescp("-d")
    silent(storescu(scp, "--call", "THEM", "--aetitle", "US", "+sd", "+r", "-R", deep.parent))
    assert "Calling Application Name:    US\n" in scp.output
    assert "Called Application Name:     THEM\n" in scp.output
    assert set(scp.received()) == instances(study[:1])
    silent(running.tool("echoscu", "127.0.0.1", scp.port, "--call", "OTHERS", "--aetitle", "WE"))
    assert "Calling Application Name:    WE\n" in scp.output
    assert "Called Application Name:     OTHERS\n" in scp.output


# ---- storage commitment


def committed(report: Path) -> list[bool | None]:
    return [row["committed"] for row in rows(report)]


def test_orthanc_commits_itself_on_an_association_of_its_own(
    orthanc: peers.StartSCP, study: list[Part10File], tmp_path: Path
) -> None:
    port, report = peers.free_port(), tmp_path / "r.jsonl"
    sender = {"AET": "SENDER", "Host": "127.0.0.1", "Port": port, "AllowStorageCommitment": True}
    scp = orthanc(DicomModalities={"sender": sender})
    options = "-aet", "SENDER", "--verify", "--commit-port", port, "--report", report
    silent(storescu(scp, folder_of(study), *options))
    assert committed(report) == [True] * len(study)


def test_pynetdicom_commits_itself_on_the_same_association(
    pynetdicom_commitment_scp: peers.StartSCP, study: list[Part10File], tmp_path: Path
) -> None:
    report, scp = tmp_path / "r.jsonl", pynetdicom_commitment_scp()
    options = "--verify", "--report", report, "--journal", tmp_path / "sent.db"
    silent(storescu(scp, folder_of(study), *options))
    assert committed(report) == [True] * len(study)
    # This includes what an earlier run has sent.
    silent(storescu(scp, folder_of(study), *options))
    assert committed(report) == [True] * len(study)


def test_what_a_peer_does_not_commit_itself_to_is_named(
    pynetdicom_commitment_scp: peers.StartSCP, study: list[Part10File], tmp_path: Path
) -> None:
    report, scp = tmp_path / "r.jsonl", pynetdicom_commitment_scp("--lose", study[2].sop_instance_uid)
    process = storescu(scp, folder_of(study), "--verify", "--report", report)
    assert process.returncode == 3
    (said,) = errors(process)
    assert said == f"Not committed: {study[2].path}: 0x0112 - Failure: No such object instance"
    assert committed(report) == [file is not study[2] for file in study]


@with_dcmtk
def test_a_peer_without_storage_commitment(scp: peers.StorageSCP, study: list[Part10File], tmp_path: Path) -> None:
    report = tmp_path / "r.jsonl"
    process = storescu(scp, study[0].path, "--verify", "--report", report)
    assert process.returncode == 3
    (said,) = errors(process)
    assert said.startswith(
        "Storage commitment failed: No accepted presentation contexts; Storage Commitment Push Model"
    )
    assert committed(report) == [None]
    assert set(scp.received()) == instances(study[:1])


@pytest.mark.parametrize("listens", [False, True])
def test_a_report_that_does_not_come_in_time(
    pynetdicom_commitment_scp: peers.StartSCP, study: list[Part10File], tmp_path: Path, listens: bool
) -> None:
    report, scp = tmp_path / "r.jsonl", pynetdicom_commitment_scp("--report-to", str(peers.free_port()))
    port = ["--commit-port", peers.free_port()] if listens else []
    process = storescu(scp, study[0].path, "--verify", "--commit-timeout", 0.3, *port, "--report", report)
    assert process.returncode == 3
    assert errors(process) == ["No storage commitment report within the time given (instances requested: 1)"]
    assert committed(report) == [None]
