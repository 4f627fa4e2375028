"""The SCP with a limit stops where it is told to, and matches dates, times and empty values before that."""

from __future__ import annotations

import pytest

from tests.interop.evil import stock
from tests.interop.evil.raw_scu import STUDY_ROOT, RawSCU
from tests.interop.evil.stock import LEVEL, STUDY_DATE, STUDY_UID, Attribute
from tests.interop.limited_scp import STUDY_TIME, Study, serve_limited, studies

YEAR = studies(100, days=365, undated=5)
ONE_DAY = studies(100, days=1)


def ask(
    stored: list[Study], limit: int, status: int = 0, date: str = "", time: str = "", *, empty_values: bool = False
) -> tuple[str, list[str]]:
    """Ask for studies, and return the last line and the UIDs of the matches."""
    keys: list[Attribute] = [
        (STUDY_DATE, "DA", date),
        (STUDY_TIME, "TM", time),
        (LEVEL, "CS", "STUDY"),
        (STUDY_UID, "UI", ""),
    ]
    features = (STUDY_ROOT + "1", bytes([0, 0, 0, 0, 0, 1, 0])) if empty_values else None
    with serve_limited(stored, limit, status, empty_values=empty_values) as scp, RawSCU(scp.port) as scu:
        assert scu.ask_for_association(features=features) == "A-ASSOCIATE-AC"
        scu.ask("find", keys=keys)
        while (line := scu.line()).startswith(("C-FIND-RSP FF00H", "data set")):
            pass
        uids = [stock.parse(data, explicit=True)[STUDY_UID][1] for data in scu.data_sets]
        return line, [uid.decode("ascii").strip("\0") for uid in uids]


@pytest.mark.parametrize(("limit", "status"), [(1, 0xA700), (10, 0xB001), (10, 0), (99, 0xA700)])
def test_it_stops_at_its_limit_with_its_status(limit: int, status: int) -> None:
    line, uids = ask(YEAR, limit, status)
    assert line == f"C-FIND-RSP {status:04X}H to 1"
    assert uids == [study.uid for study in YEAR[:limit]]


@pytest.mark.parametrize("limit", [0, 105, 500])
def test_it_ends_in_success_below_its_limit(limit: int) -> None:
    line, uids = ask(YEAR, limit, 0xA700)
    assert (line, len(uids)) == ("C-FIND-RSP 0000H to 1", 105)


def test_it_matches_a_range_of_dates() -> None:
    january = [study.uid for study in YEAR if study.date.startswith("202401")]
    assert ask(YEAR, 50, date="20240101-20240131")[1] == january
    assert len(january) == 9


def test_it_matches_a_range_of_times() -> None:
    morning = [study.uid for study in ONE_DAY if study.time < "060000"]
    assert ask(ONE_DAY, 0, date="20240101", time="0000-0559")[1] == morning
    assert 0 < len(morning) < 100


def test_a_study_without_a_date_is_within_no_range() -> None:
    assert len(ask(YEAR, 0, date="19000101-")[1]) == 100


@pytest.mark.parametrize(("negotiated", "count"), [(True, 5), (False, 0)])
def test_it_finds_empty_values_if_negotiated(negotiated: bool, count: int) -> None:
    assert len(ask(YEAR, 0, date='""', empty_values=negotiated)[1]) == count
