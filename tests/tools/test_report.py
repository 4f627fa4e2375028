"""The report of a sending: complete, readable by programs, and there as a whole or not at all."""

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
from dimse.tools.report import FIELDS, FORMATS, Report
from dimse.upper_layer.negotiation import PresentationContext

ROOT = Path(__file__).parents[2]
CT, EXPLICIT, JPEG = uids.CTImageStorage, uids.ExplicitVRLittleEndian, uids.JPEGBaseline8Bit
CONTEXT = PresentationContext(3, CT, 0, EXPLICIT)


def sent(path: str, status: int, comment: str = "") -> Outcome:
    answer = Status(status, service="storage", comment=comment)
    return Outcome(path, answer, None, f"1.2.{path}", CT, JPEG, CONTEXT, size=1000, seconds=0.0125, attempts=2)


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
    """Write a report in JSON lines; its rows."""
    return [json.loads(line) for line in report(path, outcomes, **finish).splitlines()]


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
    }


def test_what_is_not_known_is_null(lines: Path) -> None:
    (row,) = rows(lines, OUTCOMES[5:6])
    assert row == dict.fromkeys(FIELDS) | {
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
        assert content == (",".join(FIELDS) + "\n" if path.suffix == ".csv" else "")


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
        (row,) = json.loads(content)["files"] if path.suffix == ".json" else [json.loads(content)]
        assert (row["file"], row["file_escaped"]) == (text, escaped)


@pytest.mark.parametrize("name", ["=HYPERLINK(1)", "+1", "-1", "@a", "\t=1"])
def test_a_spreadsheet_takes_no_text_for_a_formula(tmp_path: Path, name: str) -> None:
    (row,) = csv.DictReader(report(tmp_path / "report.csv", [sent(name, 0)]).splitlines())
    assert row["file"] == f"'{name}"


# ---- where it goes


def test_until_it_is_finished_an_earlier_one_stands(path: Path) -> None:
    path.write_text("earlier")
    with Report(os.fspath(path)) as written:
        for outcome in OUTCOMES:
            written.add(outcome)
        assert os.listdir(path.parent) == [path.name]
    assert path.read_text() == "earlier"
    assert os.listdir(path.parent) == [path.name]
    assert "a.dcm" in report(path, OUTCOMES)
    assert os.listdir(path.parent) == [path.name]


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
import sys
from dimse.services.outcome import Outcome
from dimse.tools.report import Report

def write(rows):
    with Report(sys.argv[1]) as report:
        for number in range(rows):
            report.add(Outcome(f"{number}.dcm"))
        report.finish(complete=True, seconds=1)

write(10)
before = open(sys.argv[1]).read()
for rows in (4_000, 2_000):  # too many to be gathered; too many to be written
    try:
        write(rows)
    except OSError as error:
        print(error)
print(open(sys.argv[1]).read() == before)
"""


def test_on_a_full_disk_an_earlier_one_stands(tmp_path: Path) -> None:
    words = ("unshare", "--mount", "sh", "-c", f"mount -t tmpfs -o size=1m none '{tmp_path}' && exec \"$@\"", "sh")
    if not shutil.which("unshare") or subprocess.run([*words, "true"], capture_output=True, check=False).returncode:
        pytest.skip("only root may mount a small file system")
    path = tmp_path / "report.jsonl"
    done = subprocess.run(
        [*words, sys.executable, "-c", FILL, path],
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])},
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    full = f"[Errno {errno.ENOSPC}] {os.strerror(errno.ENOSPC)}: '{path}'"
    assert done.stdout.splitlines() == [full, full, "True"], done.stderr
