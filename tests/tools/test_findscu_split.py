"""findscu against a peer that cuts a result short: all is found in parts, or the exit status is 3."""

from __future__ import annotations

from datetime import date
from subprocess import CompletedProcess

import pytest

from dimse.data_set.identifier import Identifier
from dimse.tools.splitting import Part, whole_of
from tests.interop.evil_query import EvilSCP
from tests.interop.limited_scp import Study, serve_limited, studies
from tests.tools import running

SILENT, OUT_OF_RESOURCES, LIMIT_REACHED = 0x0000, 0xA700, 0xB001


def findscu(scp: EvilSCP, *options: object) -> CompletedProcess[str]:
    keys = ("-S", "-k", "StudyInstanceUID=", "-r", "StudyDate", "--format", "uid")
    return running.tool("findscu", "127.0.0.1", scp.port, *keys, *options)


def uids(stored: list[Study]) -> list[str]:
    return sorted(study.uid for study in stored)


@pytest.mark.parametrize("limit", [10, 50])
@pytest.mark.parametrize("status", [OUT_OF_RESOURCES, LIMIT_REACHED])
def test_every_study_is_found_once_by_days(limit: int, status: int) -> None:
    stored = studies(120, days=60)
    with serve_limited(stored, limit, status, empty_values=True) as scp:
        done = findscu(scp, "--empty-values")
        assert (done.returncode, sorted(done.stdout.split())) == (0, uids(stored))
        assert "W: The peer cut the result short: the query is sent in parts" in done.stderr
        assert len(scp.conversations) == 1


def test_a_range_of_dates_is_not_exceeded() -> None:
    stored = studies(100, days=50)
    wanted = [study for study in stored if "20240110" <= study.date <= "20240120"]
    with serve_limited(stored, 5, OUT_OF_RESOURCES) as scp:
        done = findscu(scp, "--study-date", "20240110-20240120")
    assert (done.returncode, sorted(done.stdout.split())) == (0, uids(wanted))


def test_a_silent_limit_is_seen_where_it_is_known() -> None:
    stored = studies(100, days=50)
    with serve_limited(stored, 20, SILENT) as scp:
        assert len(findscu(scp, "--study-date", "20240101-20241231").stdout.split()) == 20
        done = findscu(scp, "--study-date", "20240101-20241231", "--peer-limit", 20)
        assert (done.returncode, sorted(done.stdout.split())) == (0, uids(stored))
        assert findscu(scp, "--peer-limit", 20, "--split", "never").returncode == 3


def test_studies_of_one_day_are_found_by_their_times() -> None:
    stored = studies(60, days=1)
    with serve_limited(stored, 10, OUT_OF_RESOURCES, empty_values=True) as scp:
        done = findscu(scp, "--study-date", "20240101", "--empty-values")
    assert (done.returncode, sorted(done.stdout.split())) == (0, uids(stored))


def test_studies_without_a_date_are_found_by_the_empty_value_or_told_of() -> None:
    stored = studies(40, days=20, undated=5)
    with serve_limited(stored, 10, OUT_OF_RESOURCES, empty_values=True) as scp:
        done = findscu(scp, "--empty-values")
        assert (done.returncode, sorted(done.stdout.split())) == (0, uids(stored))
        done = findscu(scp)
        assert done.returncode == 3
        assert "E: Studies without a StudyDate cannot be reached" in done.stderr
        assert len(done.stdout.split()) == 40


def test_what_remains_cut_is_told() -> None:
    stored = [Study(f"1.2.3.{number}", "20240101", "101010") for number in range(5)]
    with serve_limited(stored, 2, OUT_OF_RESOURCES, empty_values=True) as scp:
        done = findscu(scp, "--study-date", "20240101", "--empty-values")
    assert (done.returncode, len(done.stdout.split())) == (3, 2)
    assert "E: The peer cuts short what it has of 2024-01-01 10:10 to 10:10" in done.stderr


def test_what_cannot_be_split_is_a_shortfall() -> None:
    with serve_limited(studies(10, days=2), 1, OUT_OF_RESOURCES) as scp:
        done = findscu(scp, "-L", "series", "-k", "SeriesInstanceUID=")
    assert done.returncode == 3
    assert "E: The query cannot be split: only a query for studies can" in done.stderr
    assert "E: 0xA700: Refused: Out of Resources" in done.stderr


def test_halves_are_without_a_gap() -> None:
    part = Part(date(2023, 12, 30), date(2024, 1, 2))
    newer, older = part.halves(by_time=True) or (part, part)
    assert (older.first, older.last, newer.first, newer.last) == (
        date(2023, 12, 30),
        date(2023, 12, 31),
        date(2024, 1, 1),
        date(2024, 1, 2),
    )
    day = Part(date(2024, 1, 1), date(2024, 1, 1))
    assert day.halves(by_time=False) is None
    later, earlier = day.halves(by_time=True) or (day, day)
    assert (earlier.minutes, later.minutes) == ((0, 719), (720, 1439))
    assert later.of(Identifier({})).text("StudyTime") == "120000-235959.999999"
    assert Part(day.first, day.last, (5, 5)).halves(by_time=True) is None


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("", date(1900, 1, 1), date(2024, 3, 2)),
        ("20240101-", date(2024, 1, 1), date(2024, 3, 2)),
        ("-20240101", date(1900, 1, 1), date(2024, 1, 1)),
        ("20240101", date(2024, 1, 1), date(2024, 1, 1)),
    ],
)
def test_the_whole_of_a_query_is_known(text: str, first: date, last: date) -> None:
    assert whole_of(Identifier.of({"StudyDate": text}), date(2024, 3, 1)) == Part(first, last)


@pytest.mark.parametrize("text", ["20241301", "2024*", "20240201-20240101", '""'])
def test_what_is_no_range_is_not_split(text: str) -> None:
    assert whole_of(Identifier.of({"StudyDate": text}), date(2024, 3, 1)) is None
