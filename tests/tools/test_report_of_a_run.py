"""The reports of storescu: after a kill, a signal and a full disk, and as a source of the next run."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import zipfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from dimse import uids
from dimse.tools import report_formats
from dimse.tools.report import COLUMNS
from tests.tools import running
from tests.tools.running import Gate, Instance, Receiver, Stored, element, errors

CANNOT_UNDERSTAND = 0xC000
GROWING = pytest.mark.parametrize("suffix", [".jsonl", ".csv"])
EVERY = pytest.mark.parametrize("suffix", [".json", ".jsonl", ".csv"])


def described(number: int, study: int = 0, modality: str = "CT") -> Instance:
    """Return an instance of a study."""
    rest = (
        element(0x0008, 0x0060, "CS", modality.encode())
        + element(0x0010, 0x0010, "PN", b"Doe^Jane")
        + element(0x0010, 0x0020, "LO", b"PID-1")
        + element(0x0020, 0x000D, "UI", f"1.8.{study}".encode())
        + element(0x0020, 0x000E, "UI", f"1.9.{study}".encode())
    )
    return Instance(f"1.2.{study}.{number}", uids.CTImageStorage, rest=rest)


def write_files(folder: Path, count: int) -> Path:
    """Write instances of one study, whose names are in their order; return the folder."""
    for number in range(count):
        described(number).write(folder / f"{number:04}.dcm")
    return folder


def read(path: Path) -> list[dict[str, Any]]:
    return list(report_formats.read(os.fspath(path)))


def outcomes(path: Path) -> Counter[str]:
    return Counter(row["outcome"] for row in read(path))


def part_of(report: Path) -> Path:
    return Path(f"{report}.part")


def until_written(report: Path, count: int) -> None:
    """Return when a report in the making has so many rows."""
    while not part_of(report).exists() or len(read(part_of(report))) < count:
        os.sched_yield()


class HeldAt:
    """A behaviour of a `Receiver` that stops at one instance until the test opens its gate."""

    def __init__(self, sop_instance_uid: str) -> None:
        self.gate = Gate()
        self._uid = sop_instance_uid

    def __call__(self, stored: Stored) -> int:
        if stored.sop_instance_uid == self._uid:
            self.gate.stop()
        return 0


# ---- a run that does not come to its end


@GROWING
def test_a_killed_run_leaves_a_readable_report(tmp_path: Path, suffix: str) -> None:
    folder, report = write_files(tmp_path / "study", 20), tmp_path / f"r{suffix}"
    held = HeldAt("1.2.0.15")
    with Receiver(held) as receiver:
        with running.start("storescu", "127.0.0.1", receiver.port, folder, "--report", report) as process:
            held.gate.wait()
            until_written(report, 14)
            process.kill()
            process.wait(running.SECONDS)
        held.gate.open()
    assert not report.exists()
    found = read(part_of(report))
    assert [Path(row["file"]).name for row in found] == [f"{number:04}.dcm" for number in range(len(found))]
    assert 14 <= len(found) < 20 and outcomes(part_of(report)).keys() == {"stored"}
    assert part_of(report).read_bytes().endswith(b"\n")


@pytest.mark.thorough
@GROWING
def test_a_run_that_is_killed_while_it_writes_leaves_whole_lines(tmp_path: Path, suffix: str) -> None:
    folder, report = write_files(tmp_path / "study", 3000), tmp_path / f"r{suffix}"
    with Receiver() as receiver:
        for least in (1, 300, 1500):
            with running.start("storescu", "127.0.0.1", receiver.port, folder, "--report", report) as process:
                while not part_of(report).exists() or part_of(report).read_bytes().count(b"\n") <= least:
                    os.sched_yield()
                process.kill()
                process.wait(running.SECONDS)
            lines = part_of(report).read_bytes().splitlines()[suffix == ".csv" :]
            found = read(part_of(report))
            assert len(found) >= least - 1 and len(lines) - len(found) in (0, 1)
            assert [Path(row["file"]).name for row in found] == [f"{number:04}.dcm" for number in range(len(found))]
            part_of(report).unlink()


@EVERY
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_run_that_is_interrupted_completes_its_report(tmp_path: Path, suffix: str, number: int) -> None:
    folder, report = write_files(tmp_path / "study", 20), tmp_path / f"r{suffix}"
    held = HeldAt("1.2.0.5")
    with Receiver(held) as receiver:
        with running.start("storescu", "127.0.0.1", receiver.port, folder, "--report", report) as process:
            held.gate.wait()
            process.send_signal(number)
            process.communicate(timeout=running.SECONDS)
        held.gate.open()
    assert process.returncode == 128 + number
    assert os.listdir(tmp_path) == ["study", report.name] or sorted(os.listdir(tmp_path)) == [report.name, "study"]
    found = outcomes(report)
    assert found["stored"] == 5 and found["unknown"] >= 1 and found["unsent"] >= 1 and found.total() == 20
    if suffix == ".jsonl":
        assert json.loads(report.read_text().splitlines()[-1])["summary"]["complete"] is False


@GROWING
def test_a_full_disk_is_one_line_and_does_not_stop_the_sending(tmp_path: Path, suffix: str) -> None:
    folder, small = write_files(tmp_path / "study", 300), tmp_path / "small"
    small.mkdir()
    words = ("unshare", "--mount", "sh", "-c", f"mount -t tmpfs -o size=64k none '{small}' && exec \"$@\"", "sh")
    if not shutil.which("unshare") or subprocess.run([*words, "true"], capture_output=True, check=False).returncode:
        pytest.skip("only root may mount a small file system")
    report = small / f"r{suffix}"
    with Receiver() as receiver:
        command = running.command("storescu", "127.0.0.1", receiver.port, folder, "--report", report)
        done = running.run(*words, *command)
    assert done.returncode == 3
    assert errors(done) == [f"The report was not written: {report}: no space left on device"]
    assert len(receiver.stored) == 300


# ---- what a row has


@EVERY
def test_a_row_tells_of_study_peer_and_time(tmp_path: Path, suffix: str) -> None:
    report = tmp_path / f"r{suffix}"
    described(1).write(tmp_path / "1.dcm")
    with Receiver() as receiver:
        assert receiver.storescu(tmp_path / "1.dcm", "-aec", "PACS", "--report", report).returncode == 0
    (row,) = read(report)
    assert list(row) == list(COLUMNS)
    assert (row["study_instance_uid"], row["series_instance_uid"], row["modality"]) == ("1.8.0", "1.9.0", "CT")
    assert (row["peer"], row["called_ae_title"]) == (f"127.0.0.1:{receiver.port}", "PACS")
    assert row["started"].startswith("20") and row["started"].endswith("Z")
    assert row["patient_id"] is None
    content = report.read_text()
    assert "PID-1" not in content and "Doe" not in content


@pytest.mark.parametrize("tool", ["file", "member"])
def test_the_patient_is_named_with_log_phi(tmp_path: Path, tool: str) -> None:
    report, path = tmp_path / "r.jsonl", described(1).write(tmp_path / "1.dcm")
    if tool == "member":
        with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
            archive.write(path, "x/1.dcm")
        path = tmp_path / "a.zip"
    with Receiver() as receiver:
        assert receiver.storescu(path, "--log-phi", "--report", report).returncode == 0
    (row,) = read(report)
    assert (row["patient_id"], row["modality"]) == ("PID-1", "CT")
    assert "Doe" not in report.read_text()


@EVERY
def test_what_is_skipped_is_a_row_with_its_reason(tmp_path: Path, suffix: str) -> None:
    folder, report = tmp_path / "study", tmp_path / f"r{suffix}"
    described(1).write(folder / "1.dcm")
    described(1).write(folder / "copy.dcm")
    (folder / "link.dcm").symlink_to("1.dcm")
    (folder / "bad.dcm").write_bytes(b"x" * 200)
    (folder / "index.html").write_text("hello")
    described(2).write(folder / "below" / "2.dcm")
    described(3).write(folder / ".hidden" / "3.dcm")
    with Receiver() as receiver:
        assert receiver.storescu(folder, "--skip-invalid", "--report", report, "-q").returncode == 0
    found = {Path(row["file"]).name: (row["outcome"], row["meaning"]) for row in read(report)}
    no_prefix = "not DICOM: no DICM prefix after 128 bytes of preamble"
    assert found == {
        "1.dcm": ("stored", "Success"),
        "copy.dcm": ("skipped", f"the same instance as {folder}/1.dcm"),
        "link.dcm": ("skipped", "the same file was found before"),
        "bad.dcm": ("skipped", no_prefix),
        "index.html": ("skipped", "not DICOM: shorter than preamble and prefix"),
        "below": ("skipped", "a subfolder, which is read with -r"),
        ".hidden": ("skipped", "its name begins with a dot"),
    }


@EVERY
def test_the_answer_of_the_peer_about_commitment_is_in_each_form(tmp_path: Path, suffix: str) -> None:
    report, path = tmp_path / f"r{suffix}", described(1).write(tmp_path / "1.dcm")
    with Receiver() as receiver:
        options = "--verify", "--commit-timeout", 1, "--report", report
        assert receiver.storescu(path, *options).returncode == 3
    (row,) = read(report)
    assert (row["outcome"], row["committed"]) == ("stored", None)


UNDECODABLE, TEXT = b"M\xfcller\\1.dcm", r"M\xfcller\\1.dcm"


def test_a_name_that_is_not_text_is_written_alike_everywhere(tmp_path: Path) -> None:
    path, journal = os.fsencode(tmp_path) + b"/" + UNDECODABLE, tmp_path / "sent.db"
    Path(os.fsdecode(path)).write_bytes(described(1).content)
    with Receiver(lambda stored: CANNOT_UNDERSTAND) as receiver:
        options = "--journal", journal, "--report", tmp_path / "r.jsonl", "-v"
        process = receiver.storescu(os.fsdecode(path), *options)
    assert process.returncode == 3
    told = [line for line in process.stderr.splitlines() if "ller" in line]
    assert told and all(f"{tmp_path}/{TEXT}" in line for line in told), process.stderr
    exported = tmp_path / "sent.csv"
    assert running.tool("storescu", "--journal", journal, "--export", exported).returncode == 0
    for report in (tmp_path / "r.jsonl", exported):
        (row,) = read(report)
        assert (row["file"], row["file_escaped"]) == (f"{tmp_path}/{TEXT}", True)
    status = running.tool("storescu", "--journal", journal, "--status")
    assert f"{tmp_path}/{TEXT}" in status.stdout
    with Receiver() as receiver:
        again = receiver.storescu("--retry-failed", tmp_path / "r.jsonl")
    assert (again.returncode, receiver.uids) == (0, ["1.2.0.1"])


# ---- a journal as a report, and either as the source of the next run


@EVERY
def test_a_journal_is_exported(tmp_path: Path, suffix: str) -> None:
    folder, journal, export = write_files(tmp_path / "study", 5), tmp_path / "sent.db", tmp_path / f"out{suffix}"
    with Receiver(lambda stored: CANNOT_UNDERSTAND * stored.sop_instance_uid.endswith(".4")) as receiver:
        assert receiver.storescu(folder, "--journal", journal, "-q").returncode == 3
    done = running.tool("storescu", "--journal", journal, "--export", export)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    found = read(export)
    assert [(row["outcome"], row["state"]) for row in found] == [("stored", "acked")] * 4 + [("refused", "refused")]
    assert list(found[0])[: len(COLUMNS)] == list(COLUMNS)
    assert (
        found[4].items()
        >= {
            "file": str(folder / "0004.dcm"),
            "sop_instance_uid": "1.2.0.4",
            "status": "0xC000",
            "peer": f"127.0.0.1:{receiver.port}",
            "called_ae_title": "ANY-SCP",
        }.items()
    )


def test_a_journal_that_is_missing_leaves_no_export(tmp_path: Path) -> None:
    done = running.tool("storescu", "--journal", tmp_path / "no.db", "--export", tmp_path / "out.csv")
    assert (done.returncode, errors(done)) == (3, [f"there is no journal {tmp_path}/no.db"])
    assert os.listdir(tmp_path) == []


def refusing(numbers: Sequence[int]) -> Any:
    """Return a behaviour of a `Receiver` that refuses these instances."""
    refused = {f"1.2.0.{number}" for number in numbers}
    return lambda stored: CANNOT_UNDERSTAND * (stored.sop_instance_uid in refused)


@pytest.mark.parametrize("suffix", [".json", ".jsonl", ".csv", ".jsonl.part", ".csv.part"])
def test_only_what_a_report_has_as_failed_is_sent_again(tmp_path: Path, suffix: str) -> None:
    folder = write_files(tmp_path / "study", 6)
    report = tmp_path / f"r{suffix.removesuffix('.part')}"
    (folder / "bad.dcm").write_bytes(b"x" * 200)
    (folder / "notes.txt").touch()
    with Receiver(refusing([1, 4])) as receiver:
        assert receiver.storescu(folder, "--report", report, "-q").returncode == 3
    described(9).write(folder / "bad.dcm")
    source = report.rename(tmp_path / f"r{suffix}")
    with Receiver() as receiver:
        process = receiver.storescu("--retry-failed", source, "--report", report)
    assert (process.returncode, process.stderr) == (0, "")
    assert sorted(receiver.uids) == ["1.2.0.1", "1.2.0.4", "1.2.0.9"]
    assert outcomes(report) == {"stored": 3}


def test_only_what_a_journal_has_not_as_acknowledged_is_sent_again_and_recorded(tmp_path: Path) -> None:
    folder, journal = write_files(tmp_path / "study", 6), tmp_path / "sent.db"
    with Receiver(refusing([1, 4])) as receiver:
        assert receiver.storescu(folder, "--journal", journal, "-q").returncode == 3
        assert receiver.storescu(folder, "--journal", journal, "-aec", "OTHER", "-q").returncode == 3
        (folder / "0004.dcm").unlink()
        vanished = receiver.storescu("--retry-failed", journal, "-aec", "OTHER")
        assert vanished.returncode == 3
        gone = f"Cannot access path: {folder}/0004.dcm: no such file or directory"
        refused = f"Store failed: {folder}/0001.dcm: 0xC000 - Failure: Error: Cannot understand"
        assert sorted(errors(vanished)) == sorted([gone, refused])
        assert receiver.uids[12:] == ["1.2.0.1"]
        port = receiver.port
    with Receiver() as receiver:
        none = running.tool("storescu", "127.0.0.1", receiver.port, "--retry-failed", journal, "-v")
    # The journal has nothing of a peer with another port.
    assert (none.returncode, receiver.stored) == (0, [])
    assert none.stderr == f"I: Nothing to send: {journal} has no file that failed\n"
    exported = tmp_path / "out.jsonl"
    assert running.tool("storescu", "--journal", journal, "--export", exported).returncode == 0
    assert Counter((row["called_ae_title"], row["outcome"]) for row in read(exported)) == {
        ("ANY-SCP", "stored"): 4,
        ("ANY-SCP", "refused"): 2,
        ("OTHER", "stored"): 4,
        ("OTHER", "refused"): 2,
    }
    assert port != receiver.port


@pytest.mark.parametrize("source", ["report", "journal"])
def test_only_the_members_of_an_archive_that_failed_are_sent_again(tmp_path: Path, source: str) -> None:
    archive, report, journal = tmp_path / "a:b.zip", tmp_path / "r.csv", tmp_path / "sent.db"
    with zipfile.ZipFile(archive, "w") as writer:
        for number in range(4):
            writer.writestr(f"x/{number}", described(number).content)
    statuses = iter([0, CANNOT_UNDERSTAND, 0, CANNOT_UNDERSTAND])
    with Receiver(lambda stored: next(statuses, 0)) as receiver:
        assert receiver.storescu(archive, "--report", report, "--journal", journal, "-q").returncode == 3
        process = receiver.storescu("--retry-failed", report if source == "report" else journal)
    assert (process.returncode, process.stderr) == (0, "")
    assert receiver.uids[4:] == ["1.2.0.1", "1.2.0.3"]


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("r.txt", "x", "is neither a journal nor a report"),
        ("r.csv", None, "cannot read the report"),
        ("r.jsonl", "hello\n", "is not a report"),
    ],
)
def test_a_source_that_cannot_be_used_is_one_line(tmp_path: Path, name: str, content: str | None, words: str) -> None:
    source = tmp_path / name
    if content is not None:
        source.write_text(content)
    with Receiver() as receiver:
        process = receiver.storescu("--retry-failed", source)
    (line,) = errors(process)
    assert process.returncode == 3 and words in line and str(source) in line
    assert receiver.stored == []


@pytest.mark.parametrize("again", ["localhost", "OTHER"])
def test_a_journal_that_has_the_files_under_another_name_is_said_once(tmp_path: Path, again: str) -> None:
    folder, journal = write_files(tmp_path / "study", 3), tmp_path / "sent.db"
    with Receiver() as receiver:
        assert receiver.storescu(folder, "--journal", journal).returncode == 0
        host, title = ("localhost", "ANY-SCP") if again == "localhost" else ("127.0.0.1", again)
        process = running.tool("storescu", host, receiver.port, folder, "--journal", journal, "-aec", title)
    assert len(receiver.stored) == 6
    assert process.returncode == 0
    held = f"{journal} holds these files as acknowledged by 127.0.0.1:{receiver.port}, called ANY-SCP"
    assert process.stderr == f"W: {held}: they are sent to {host}:{receiver.port}, called {title} all the same\n"


# ---- totals by study and modality


def studies(folder: Path) -> Path:
    """Write two studies, one of which has two modalities; return the folder."""
    for number in range(3):
        described(number).write(folder / "a" / f"{number}.dcm")
    described(3, modality="SR").write(folder / "a" / "3.dcm")
    described(4, study=1, modality="MR").write(folder / "b" / "4.dcm")
    (folder / "b" / "notes.txt").touch()
    return folder


def cells(table: str) -> list[list[str]]:
    """Return the cells of a table in a pipe, without its heading and what follows it."""
    return [line.split() for line in table.split("\n\n", maxsplit=1)[0].splitlines()[1:]]


def test_the_summary_of_a_run_counts_by_study_and_modality(tmp_path: Path) -> None:
    folder = studies(tmp_path / "study")
    with Receiver(refusing([1])) as receiver:
        process = receiver.storescu(folder, "-r", "--summary", "-q")
    assert process.returncode == 3
    found = [row[:3] + row[4:] for row in cells(process.stdout)]
    assert found == [["1.8.0", "CT", "3", "2", "1"], ["1.8.0", "SR", "1", "1", "0"], ["1.8.1", "MR", "1", "1", "0"]]
    assert process.stdout.splitlines()[-1].startswith("5 files, 2 studies, ")
    assert process.stdout.splitlines()[-1].endswith(" bytes, 4 stored, 1 failed, 1 skipped")


@pytest.mark.parametrize("suffix", [".json", ".jsonl", ".csv", ".csv.part"])
def test_the_summary_of_a_report_is_that_of_its_run(tmp_path: Path, suffix: str) -> None:
    folder, report = studies(tmp_path / "study"), tmp_path / f"r{suffix.removesuffix('.part')}"
    with Receiver(refusing([1])) as receiver:
        run = receiver.storescu(folder, "-r", "--summary", "-q", "--report", report)
    done = running.tool("summary", report.rename(tmp_path / f"r{suffix}"))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == run.stdout


def test_the_summary_of_a_folder_is_made_from_headers(tmp_path: Path) -> None:
    folder = studies(tmp_path / "study")
    # The rest of the file is missing, which only a look behind the headers would notice.
    cut = folder / "a" / "0.dcm"
    cut.write_bytes(described(0).content + element(0x7FE0, 0x0010, "OB", bytes(100))[:-50])
    done = running.tool("summary", folder)
    assert (done.returncode, done.stderr) == (0, "")
    assert [row[:3] for row in cells(done.stdout)] == [["1.8.0", "CT", "3"], ["1.8.0", "SR", "1"], ["1.8.1", "MR", "1"]]
    assert done.stdout.endswith(" bytes, 1 skipped\n")
    document = json.loads(running.tool("summary", "--json", folder).stdout)
    assert [(one["study_instance_uid"], one["modality"], one["files"]) for one in document["studies"]] == [
        ("1.8.0", "CT", 3),
        ("1.8.0", "SR", 1),
        ("1.8.1", "MR", 1),
    ]
    assert document["total"]["files"] == 5 and document["total"]["skipped"] == 1


def test_a_summary_of_nothing_is_an_error(tmp_path: Path) -> None:
    done = running.tool("summary", tmp_path)
    assert (done.returncode, done.stderr) == (3, "E: No suitable DICOM files found\n")
    missing = running.tool("summary", tmp_path / "missing")
    assert missing.returncode == 3
    assert missing.stderr == f"E: Cannot access path: {tmp_path}/missing: No such file or directory\n"
