"""The report of a sending: written as it goes, readable by programs, and under its name only as a whole."""

from __future__ import annotations

import csv
import errno
import json
import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dimse import uids
from dimse.errors import AssociationAborted, FileError, NotSent
from dimse.message.status import Status
from dimse.services.outcome import Outcome
from dimse.support import disk
from dimse.support.text import path_of
from dimse.tools import report_formats
from dimse.tools.report import COLUMNS, Report
from dimse.tools.report_formats import FORMATS, UnusableReport
from dimse.upper_layer.negotiation import PresentationContext

ROOT = Path(__file__).parents[2]
CT, EXPLICIT, JPEG = uids.CTImageStorage, uids.ExplicitVRLittleEndian, uids.JPEGBaseline8Bit
CONTEXT = PresentationContext(3, CT, 0, EXPLICIT)


def sent(path: str, status: int, comment: str = "") -> Outcome:
    answer = Status(status, service="storage", comment=comment)
    return Outcome(
        path, answer, None, f"1.2.{path}", CT, JPEG, CONTEXT, size=1000, seconds=0.0125, attempts=2, started=0.25
    )


OUTCOMES = [
    sent("a.dcm", 0x0000),
    sent("b.dcm", 0xB000),
    sent("c.dcm", 0xA700, "disk\nfull"),
    Outcome("d.dcm", None, AssociationAborted(), "1.2.d.dcm", CT, JPEG, CONTEXT, size=7, attempts=1),
    Outcome("e.dcm", None, NotSent("not sent: no association"), "1.2.e.dcm", CT, JPEG),
    Outcome("f.dcm", error=FileError("f.dcm", "not DICOM")),
    Outcome("g.dcm", Status(0, service="storage"), None, "1.2.g.dcm", CT, JPEG, size=7),
]
STATES = ["stored", "warning", "refused", "unknown", "unsent", "invalid", "already"]


def report(path: Path, outcomes: list[Outcome], **finish: Any) -> str:
    """Write a report; what is in it."""
    with Report(os.fspath(path)) as written:
        for outcome in outcomes:
            written.add(outcome)
        written.finish(**{"complete": True, "seconds": 2.5} | finish)
    return path.read_bytes().decode()


def rows(path: Path, outcomes: list[Outcome], **finish: Any) -> list[dict[str, Any]]:
    """Write a report in JSON lines; its rows, without the summary."""
    return [json.loads(line) for line in report(path, outcomes, **finish).splitlines()[:-1]]


@pytest.fixture(params=FORMATS)
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Return a path for a report, in each format."""
    return tmp_path / f"report{request.param}"


@pytest.fixture
def lines(tmp_path: Path) -> Path:
    return tmp_path / "report.jsonl"


# ---- what it says


def test_a_row_says_all_that_is_known_of_a_file(lines: Path) -> None:
    (row,) = rows(lines, OUTCOMES[2:3], committed={"1.2.c.dcm": False})
    assert row == {
        "file": "c.dcm",
        "file_escaped": False,
        "sop_instance_uid": "1.2.c.dcm",
        "sop_class_uid": CT,
        "outcome": "refused",
        "status": "0xA700",
        "meaning": "Refused: Out of Resources: disk\\nfull",
        "milliseconds": 12.5,
        "bytes": 1000,
        "context_id": 3,
        "transfer_syntax_stored": JPEG,
        "transfer_syntax_sent": EXPLICIT,
        "attempts": 2,
        "committed": False,
        "started": "1970-01-01T00:00:00.250Z",
        "study_instance_uid": None,
        "series_instance_uid": None,
        "modality": None,
        "patient_id": None,
        "peer": None,
        "called_ae_title": None,
    }


MUELLER = {0x0020000D: "1.9", 0x0020000E: "1.9.1", 0x00080060: "CT", 0x00080005: "ISO_IR 192", 0x00100020: "M\xc3\xbc1"}


@pytest.mark.parametrize(("shows_patients", "patient_id"), [(False, None), (True, "M\u00fc1")])
def test_the_patient_is_named_only_if_the_user_allows_it(
    lines: Path, shows_patients: bool, patient_id: str | None
) -> None:
    same = {"peer": "pacs:104", "called_ae_title": "PACS"}
    with Report(os.fspath(lines), same=same, shows_patients=shows_patients) as written:
        assert (0x00100020 in written.tags) is shows_patients
        written.add(OUTCOMES[0], MUELLER)
        written.finish(complete=True, seconds=1)
    row = json.loads(lines.read_text().splitlines()[0])
    assert list(row) == list(COLUMNS)
    described = {"study_instance_uid": "1.9", "series_instance_uid": "1.9.1", "modality": "CT"}
    assert row.items() >= (described | same | {"patient_id": patient_id}).items()


def test_a_file_that_was_passed_over_is_a_row_and_counts_apart(path: Path) -> None:
    with Report(os.fspath(path)) as written:
        written.add(OUTCOMES[0])
        written.skip("caf\udce9.txt", "not DICOM")
        written.finish(complete=True, seconds=1)
    first, second = report_formats.read(os.fspath(path))
    assert first["outcome"] == "stored"
    assert (second["file"], second["outcome"], second["meaning"]) == (r"caf\xe9.txt", "skipped", "not DICOM")
    if path.suffix != ".csv":
        text = path.read_text()
        summary = json.loads(text if path.suffix == ".json" else text.splitlines()[-1])["summary"]
        assert (summary["files"], summary["skipped"], summary["outcomes"]["stored"]) == (1, 1, 1)


def test_what_is_not_known_is_null(lines: Path) -> None:
    (row,) = rows(lines, OUTCOMES[5:6])
    assert row == dict.fromkeys(COLUMNS) | {
        "file": "f.dcm",
        "file_escaped": False,
        "outcome": "invalid",
        "meaning": "f.dcm: not DICOM",
        "bytes": 0,
        "attempts": 0,
    }


def test_what_the_peer_committed_to_is_said_of_each_instance(lines: Path) -> None:
    committed = {"1.2.a.dcm": True, "1.2.b.dcm": False}
    assert [row["committed"] for row in rows(lines, OUTCOMES[:3], committed=committed)] == [True, False, None]


def test_the_summary_counts_every_outcome(tmp_path: Path) -> None:
    written = json.loads(report(tmp_path / "report.json", [*OUTCOMES, OUTCOMES[0]], complete=False))
    assert written["summary"] == {
        "complete": False,
        "seconds": 2.5,
        "files": 8,
        "skipped": 0,
        "bytes": 3000,
        "outcomes": dict.fromkeys(STATES, 1) | {"stored": 2},
    }
    assert [row["outcome"] for row in written["files"]] == [*STATES, "stored"]


def test_the_formats_say_the_same(tmp_path: Path) -> None:
    committed = {"1.2.a.dcm": True}
    expected = rows(tmp_path / "report.jsonl", OUTCOMES, committed=committed)
    as_json = report(tmp_path / "REPORT.JSON", OUTCOMES, committed=committed)
    assert json.loads(as_json)["files"] == expected
    assert len(as_json.splitlines()) == len(OUTCOMES) + 5  # one to a line
    table = list(csv.DictReader(report(tmp_path / "report.csv", OUTCOMES, committed=committed).splitlines()))

    def cell(value: object) -> str:
        return "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)

    assert table == [{name: cell(value) for name, value in row.items()} for row in expected]


def test_a_report_of_nothing_is_one(path: Path) -> None:
    content = report(path, [])
    if path.suffix == ".json":
        assert json.loads(content)["files"] == []
    else:
        assert content.startswith(",".join(COLUMNS) + "\n" if path.suffix == ".csv" else '{"summary": ')
        assert content.count("\n") == 1
    assert list(report_formats.read(os.fspath(path))) == []


NAMES = [
    (b"caf\xc3\xa9.dcm", "café.dcm", False),
    (b"caf\xe9\\.dcm", r"caf\xe9\\.dcm", True),
    (b"a\\b.dcm", r"a\b.dcm", False),
    (b'two\nlines, "quoted".dcm', 'two\nlines, "quoted".dcm', False),
]


@pytest.mark.parametrize(("name", "text", "escaped"), NAMES)
def test_a_name_is_written_as_text_and_says_whether_it_was_none(
    path: Path, name: bytes, text: str, escaped: bool
) -> None:
    content = report(path, [sent(os.fsdecode(name), 0)])
    if path.suffix == ".csv":
        (row,) = csv.DictReader(content.splitlines(keepends=True))
        assert (row["file"], row["file_escaped"]) == (text, str(escaped).lower())
    else:
        (row,) = json.loads(content)["files"] if path.suffix == ".json" else map(json.loads, content.splitlines()[:-1])
        assert (row["file"], row["file_escaped"]) == (text, escaped)


@pytest.mark.parametrize("name", ["=HYPERLINK(1)", "+1", "-1", "@a", "\t=1"])
def test_a_spreadsheet_takes_no_text_for_a_formula(tmp_path: Path, name: str) -> None:
    path = tmp_path / "report.csv"
    (row,) = csv.DictReader(report(path, [sent(name, 0)]).splitlines())
    assert row["file"] == f"'{name}"
    assert [row["file"] for row in report_formats.read(os.fspath(path))] == [name]


@pytest.mark.parametrize("name", [*(os.fsdecode(name) for name, _, _ in NAMES), "'=1", "''", "true", "", "x\r"])
def test_a_report_is_read_as_it_was_written(path: Path, name: str) -> None:
    report(path, [sent(name, 0), *OUTCOMES], committed={"1.2.a.dcm": True})
    first, *others = report_formats.read(os.fspath(path))
    assert path_of(first["file"]) == name if first["file_escaped"] else first["file"] == name
    assert [row["outcome"] for row in others] == STATES
    assert [row["committed"] for row in others][:2] == [True, None]


def test_a_report_whose_lines_another_program_has_changed_is_read(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    path.write_text(json.dumps(json.loads(report(path, OUTCOMES)), indent=2))
    assert [row["outcome"] for row in report_formats.read(os.fspath(path))] == STATES


@pytest.mark.parametrize("content", ["", "{}", "[]", "hello\nworld\n", '{"file": 1}\n', "file\nx\n", "\xff\n"])
def test_a_file_that_is_not_a_report_is_refused(path: Path, content: str) -> None:
    path.write_bytes(content.encode("latin-1"))
    try:
        assert list(report_formats.read(os.fspath(path))) == []
    except UnusableReport as error:
        assert str(path) in str(error)


# ---- where it goes


def test_until_it_is_finished_an_earlier_one_stands(path: Path) -> None:
    path.write_text("earlier")
    with Report(os.fspath(path)) as written:
        for outcome in OUTCOMES:
            written.add(outcome)
    assert path.read_text() == "earlier"
    left = [] if path.suffix == ".json" else [f"{path.name}.part"]
    assert sorted(os.listdir(path.parent)) == [path.name, *left]
    assert "a.dcm" in report(path, OUTCOMES)
    assert sorted(os.listdir(path.parent)) == [path.name, *(f"{name}.old" for name in left)]


def test_a_report_without_rows_that_is_not_finished_leaves_nothing(path: Path) -> None:
    with Report(os.fspath(path)):
        pass
    assert os.listdir(path.parent) == []


@pytest.mark.parametrize("suffix", [".jsonl", ".csv"])
def test_rows_can_be_read_while_the_run_goes_on(tmp_path: Path, suffix: str) -> None:
    """The rows that wait are written by a thread, without a further row."""
    path, part = tmp_path / f"report{suffix}", tmp_path / f"report{suffix}.part"
    with Report(os.fspath(path)) as written:
        for outcome in OUTCOMES:
            written.add(outcome)
        while len(found := list(report_formats.read(os.fspath(part)))) < len(OUTCOMES):
            os.sched_yield()
        assert [row["outcome"] for row in found] == STATES
        assert not path.exists()
        written.finish(complete=True, seconds=1)
    assert not part.exists()
    assert [row["outcome"] for row in report_formats.read(os.fspath(path))] == STATES


@pytest.mark.thorough
@pytest.mark.parametrize("suffix", [".jsonl", ".csv"])
def test_a_report_that_is_cut_anywhere_has_all_rows_before(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"report{suffix}"
    content = report(path, [sent('two\nlines, "quoted".dcm', 0), *OUTCOMES]).encode()
    whole = [row["sop_instance_uid"] for row in report_formats.read(os.fspath(path))]
    for end in range(content.index(b"\n") + 1, len(content)):
        path.write_bytes(content[:end])
        found = [row["sop_instance_uid"] for row in report_formats.read(os.fspath(path))]
        assert found == whole[: len(found)]
        # A file name with a line feed makes two lines of CSV, and the heading is one.
        assert len(found) >= min(content[:end].count(b"\n") - 2, len(whole))


@pytest.mark.parametrize("suffix", [".jsonl", ".csv"])
def test_two_runs_do_not_write_one_report(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"report{suffix}"
    with Report(os.fspath(path)) as written:
        written.add(OUTCOMES[0])
        with pytest.raises(OSError, match="another process is writing it"):
            Report(os.fspath(path))
        written.finish(complete=True, seconds=1)
    assert os.listdir(tmp_path) == [path.name]


def test_a_report_and_its_folder_are_synced_under_its_name(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[tuple[int, bool]] = []

    def noted(descriptor: int) -> None:
        synced.append((os.fstat(descriptor).st_ino, path.exists()))

    monkeypatch.setattr(disk, "sync", noted)
    report(path, OUTCOMES)
    assert synced == [(path.stat().st_ino, False), (path.parent.stat().st_ino, True)]


def test_a_link_to_a_report_stays_one(tmp_path: Path) -> None:
    target, link = tmp_path / "a.json", tmp_path / "b.json"
    link.symlink_to(target)
    report(link, OUTCOMES)
    assert link.is_symlink()
    assert target.is_file()


def test_it_is_as_readable_as_the_umask_allows(path: Path) -> None:
    before = os.umask(0o027)
    try:
        report(path, OUTCOMES)
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


@pytest.mark.parametrize("name", ["report", "report.txt", "json"])
def test_a_suffix_that_says_no_format_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match=r"\.json, \.jsonl, \.csv"):
        Report(os.fspath(tmp_path / name))


def no_folder(path: Path) -> Path:
    return path.parent / "none" / path.name


def a_folder(path: Path) -> Path:
    path.mkdir()
    return path


def a_pipe(path: Path) -> Path:
    os.mkfifo(path)
    return path


@pytest.mark.parametrize(
    ("make", "reason"),
    [(no_folder, "No such file or directory"), (a_folder, "not a regular file"), (a_pipe, "not a regular file")],
)
def test_where_no_report_can_be_is_found_before_anything_is_sent(path: Path, make: Any, reason: str) -> None:
    target = make(path)
    with pytest.raises(OSError) as raised:
        Report(os.fspath(target))
    assert (raised.value.strerror, raised.value.filename) == (reason, os.fspath(target))


@pytest.fixture
def unprivileged(tmp_path: Path) -> Iterator[None]:
    """Take the rights of a user who may not write here."""
    if os.geteuid() != 0:
        pytest.skip("only root may take another user's rights")
    for folder in tmp_path, tmp_path.parent, tmp_path.parent.parent:
        folder.chmod(0o755)
    os.seteuid(65534)
    yield
    os.seteuid(0)


@pytest.mark.usefixtures("unprivileged")
def test_a_folder_that_may_not_be_written_to_is_found_before_anything_is_sent(path: Path) -> None:
    with pytest.raises(PermissionError) as raised:
        Report(os.fspath(path))
    assert raised.value.filename == os.fspath(path)


FILL = """
import os, sys
from dimse.services.outcome import Outcome
from dimse.tools.report import Report
from dimse.tools.report_formats import read

def write(rows):
    with Report(sys.argv[1]) as report:
        for number in range(rows):
            report.add(Outcome(f"{number}.dcm"))
        report.finish(complete=True, seconds=1)

write(10)
before = open(sys.argv[1]).read()
try:
    write(40_000)
except OSError as error:
    print(error)
print(open(sys.argv[1]).read() == before)
part = sys.argv[1] + ".part"
if os.path.exists(part):
    found = list(read(part))
    print(len(found) > 100, [row["file"] for row in found] == [f"{number}.dcm" for number in range(len(found))])
"""


def test_on_a_full_disk_an_earlier_one_stands(path: Path, tmp_path: Path) -> None:
    words = ("unshare", "--mount", "sh", "-c", f"mount -t tmpfs -o size=1m none '{tmp_path}' && exec \"$@\"", "sh")
    if not shutil.which("unshare") or subprocess.run([*words, "true"], capture_output=True, check=False).returncode:
        pytest.skip("only root may mount a small file system")
    done = subprocess.run(
        [*words, sys.executable, "-c", FILL, path],
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])},
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    full = f"[Errno {errno.ENOSPC}] {os.strerror(errno.ENOSPC)}: '{path}'"
    readable = [] if path.suffix == ".json" else ["True True"]
    assert done.stdout.splitlines() == [full, "True", *readable], done.stderr


# ---- many rows

MANY = """
import os, sys
from dimse import uids
from dimse.instances import InstanceFile
from dimse.message.status import Status
from dimse.services.outcome import Outcome
from dimse.tools.report import Report
from dimse.upper_layer.negotiation import PresentationContext

context = PresentationContext(3, uids.CTImageStorage, 0, uids.ExplicitVRLittleEndian)
status = Status(0, service="storage")

def memory():
    with open("/proc/self/status") as lines:
        return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon:"))

with Report(sys.argv[1], same={"peer": "pacs:104", "called_ae_title": "PACS"}) as report:
    for number in range(int(sys.argv[2]) + 1):
        uid = f"1.2.826.0.1.3680043.8.498.{number}"
        elements = ((0x0020000D, f"{uid}.{number // 500}"), (0x00080060, "CT"))
        file = InstanceFile(
            f"/archive/{number}.dcm", uids.CTImageStorage, uid, uids.ExplicitVRLittleEndian, 300, 1000, (1, number), 1300, 1,
            series_instance_uid=f"{uid}.1", elements=elements,
        )
        report.add(
            Outcome(
                file.path, status, None, uid, file.sop_class_uid, file.transfer_syntax_uid, context, 1000, 0.01, 1, file,
                1.7e9 + number,
            )
        )
        report.skip(f"/archive/{number}.txt", "not DICOM")
        if number == 1000:
            before = most = memory()
        elif number % 1000 == 0 and number:
            most = max(most, memory())
    report.finish(complete=True, seconds=1)
print(max(most, memory()) - before)
"""


@pytest.mark.campaign
@pytest.mark.timeout(300)
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="only Linux tells how much memory a process has")
def test_the_memory_of_a_report_does_not_grow_with_its_rows(path: Path) -> None:
    rows = 200_000
    done = subprocess.run(
        [sys.executable, "-c", MANY, path, str(rows // 2)],
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])},
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    print(f"{path.suffix}: {rows:,} rows, {path.stat().st_size:,} bytes, memory grew by {int(done.stdout):,} KiB")
    assert sum(1 for _ in report_formats.read(os.fspath(path))) >= rows
    assert int(done.stdout) < 10 * 1024
