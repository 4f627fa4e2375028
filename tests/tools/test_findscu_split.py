"""findscu against a peer that cuts a result short: all is found in parts, or the exit status is 3."""

from __future__ import annotations

import itertools
import signal
import threading
from collections.abc import Iterator
from datetime import date, timedelta
from subprocess import CompletedProcess

import pytest

import dimse
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


# --- parts that the user asks for ---


RANGE = ("--study-date", "20240101-20240229")


def ranges(scp: EvilSCP) -> list[str]:
    """Return the Study Date of each query."""
    return [request.keys[0x00080020][1].decode().strip() for request in scp.requests]


def test_a_query_is_sent_in_parts_of_so_many_days_from_the_start() -> None:
    stored = studies(60, days=60)
    with serve_limited(stored, 0) as scp:
        done = findscu(scp, *RANGE, "--split", 30)
        assert (done.returncode, done.stdout.split()) == (0, [study.uid for study in stored])
        assert ranges(scp) == ["20240131-20240229", "20240101-20240130"]
        assert findscu(scp, *RANGE, "--split", 30, "--count").stdout == "60\n"
        assert findscu(scp, *RANGE, "--split", 90, "--count").stdout == "60\n"
    assert ranges(scp)[4:] == ["20240101-20240229"]


def test_a_part_that_is_cut_short_is_halved() -> None:
    stored = studies(60, days=60)
    with serve_limited(stored, 10, OUT_OF_RESOURCES) as scp:
        done = findscu(scp, *RANGE, "--split", 15)
        assert (done.returncode, sorted(done.stdout.split())) == (0, uids(stored))


@pytest.mark.parametrize("count", [1, 30, 31, 59])
def test_a_limit_counts_over_all_parts(count: int) -> None:
    stored = studies(60, days=60)
    with serve_limited(stored, 0) as scp:
        done = findscu(scp, *RANGE, "--split", 30, "--limit", count)
        assert (done.returncode, done.stdout.split()) == (0, [study.uid for study in stored[:count]])
        assert len(ranges(scp)) == (1 if count <= 30 else 2)


@pytest.mark.parametrize("count", [3, 35])
def test_a_cancel_ends_the_parts(count: int) -> None:
    with serve_limited(studies(60, days=60), 0) as scp:
        done = findscu(scp, *RANGE, "--split", 30, "--cancel", count)
        assert done.returncode == 0
        assert len(ranges(scp)) == (1 if count <= 30 else 2)


def test_a_limit_counts_over_the_parts_of_a_query_that_was_cut_short() -> None:
    stored = studies(60, days=60)
    with serve_limited(stored, 10, OUT_OF_RESOURCES) as scp:
        done = findscu(scp, *RANGE, "--limit", 25)
        assert (done.returncode, len(done.stdout.split())) == (0, 25)


def test_an_interrupt_ends_the_parts() -> None:
    asked: list[str] = []
    came = threading.Event()

    def find(request: dimse.FindRequest) -> Iterator[dict[str, str]]:
        asked.append(request.identifier["StudyDate"])
        for number in itertools.count():
            if request.cancelled:
                return
            yield {"StudyInstanceUID": f"1.2.{number}", "StudyDate": "20240229"}
            if number > 100:
                came.set()

    with dimse.Server(("127.0.0.1", 0), dimse.Handlers(find=find)) as server:
        keys = ("-S", "-k", "StudyInstanceUID=", "--format", "jsonl", *RANGE, "--split", 7)
        with running.start("findscu", "127.0.0.1", server.address[1], *keys) as process:
            assert came.wait(20)
            process.send_signal(signal.SIGINT)
            output, _ = process.communicate(timeout=20)
    assert process.returncode == 130
    assert len(output.splitlines()) > 1
    assert asked == ["20240223-20240229"]


@pytest.mark.parametrize("is_relational", [True, False])
def test_patients_are_found_by_the_dates_of_their_studies(is_relational: bool) -> None:
    patients = {f"P{number % 15}": date(2024, 1, 1) + timedelta(number) for number in range(30)}

    def find(request: dimse.FindRequest) -> Iterator[dict[str, str] | int]:
        first, _, last = request.identifier.text("StudyDate").partition("-")
        found = [uid for uid, day in patients.items() if first <= f"{day:%Y%m%d}" <= (last or first)]
        for uid in found[:4]:
            yield {"PatientID": uid}
        if len(found) > 4:
            yield dimse.Status(OUT_OF_RESOURCES)

    supported = dimse.Features(relational=True).supported() if is_relational else ()
    with dimse.Server(("127.0.0.1", 0), dimse.Handlers(find=find), extended=supported) as server:
        done = running.tool(
            "findscu", "-P", "-L", "patient", "127.0.0.1", server.address[1], "-r", "PatientID", *RANGE,
            "--relational-query", "--format", "uid",
        )  # fmt: skip
    if is_relational:
        assert (done.returncode, sorted(done.stdout.split())) == (0, sorted(patients))
    else:
        assert (done.returncode, len(done.stdout.split())) == (3, 4)
        assert "one for patients can only where the peer accepts --relational-query" in done.stderr


def test_a_query_that_has_no_parts_is_not_sent() -> None:
    with serve_limited(studies(10, days=2), 0) as scp:
        done = findscu(scp, "-L", "series", "-k", "SeriesInstanceUID=", "--split", 30)
        assert (done.returncode, ranges(scp)) == (3, [])
    assert "E: The query cannot be split: only a query for studies can" in done.stderr


@pytest.mark.parametrize("days", ["0", "-1", "x", "1.5", "100000"])
def test_what_is_no_number_of_days_is_wrong_usage(days: str) -> None:
    done = running.tool("findscu", "127.0.0.1", 104, "-k", "StudyDate=", f"--split={days}")
    assert done.returncode == 2
    assert "is not auto, never or a number of days" in done.stderr


@pytest.mark.parametrize("days", [1, 2, 3, 4, 5, 99999])
def test_parts_of_days_are_without_a_gap(days: int) -> None:
    whole = Part(date(2023, 12, 30), date(2024, 1, 2))
    parts = list(whole.of_days(days))
    assert (parts[0].last, parts[-1].first) == (whole.last, whole.first)
    assert all(older.last + timedelta(1) == newer.first for newer, older in itertools.pairwise(parts))
    assert all(part.last - part.first == timedelta(days - 1) for part in parts[:-1])


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


# --- every limit and every way to say it, over studies that are spread in three ways ---


SPREAD = {
    "over days": lambda limit: studies(12 if limit == 1 else 3 * limit, days=12 if limit == 1 else 60),
    "on one day": lambda limit: studies(12 if limit == 1 else min(3 * limit, 1200), days=1),
    "some undated": lambda limit: studies(10 if limit == 1 else 2 * limit, days=20, undated=limit // 2),
}


@pytest.mark.sample("over days-A700H-10", "some undated-silent-10")
@pytest.mark.parametrize("limit", [1, 10, 500])
@pytest.mark.parametrize("status", [OUT_OF_RESOURCES, LIMIT_REACHED, SILENT], ids=["A700H", "B001H", "silent"])
@pytest.mark.parametrize("spread", SPREAD)
def test_every_study_is_found_whatever_the_limit(spread: str, status: int, limit: int) -> None:
    stored = SPREAD[spread](limit)
    options = ["--peer-limit", limit] if status == SILENT else []
    with serve_limited(stored, limit, status, empty_values=True, seconds=40) as scp:
        done = findscu(scp, "--empty-values", *options)
    # Where a single match may be a cut result, even the smallest part is not known to be complete.
    expected = 3 if (status, limit) == (SILENT, 1) else 0
    assert (done.returncode, sorted(done.stdout.split())) == (expected, uids(stored)), done.stderr
