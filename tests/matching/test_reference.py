"""The second implementation of matching agrees with the table of cases that was made by hand."""

from __future__ import annotations

import pytest

from tests.matching.cases import CASES
from tests.matching.reference import KeyRefusedError, matches
from tests.matching.table import NO, REFUSED, YES, Case, element_of


def outcome(case: Case) -> str:
    """Return what the reference makes of a case, in the words of the table."""
    key = element_of(case.vr, case.key)
    assert key is not None
    try:
        found = matches(key, element_of(case.vr, case.stored), case.options, case.keyword)
    except KeyRefusedError:
        return REFUSED
    return YES if found else NO


@pytest.mark.parametrize(
    "case", CASES, ids=lambda case: f"{case.vr} {case.key!r:.30} {case.stored!r:.30}".replace("\0", "NUL")
)
def test_each_case_has_the_outcome_in_the_table(case: Case) -> None:
    assert outcome(case) == case.expected, case.why


def test_no_case_stands_twice_in_the_table() -> None:
    rows = [repr(case._replace(why="")) for case in CASES]
    assert sorted(rows) == sorted(set(rows))


def test_every_reason_names_a_rule() -> None:
    assert all(len(case.why) > 10 for case in CASES)
