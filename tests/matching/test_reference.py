"""The second implementation of matching agrees with the table of cases that was made by hand."""

from __future__ import annotations

import re
from contextlib import suppress
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.matching.cases import CASES
from tests.matching.cases_character_sets import (
    ARABIC,
    DIONYSIOS,
    HEBREW,
    HONG,
    RUSSIAN,
    WANG_GB18030,
    YAMADA,
    YAMADA_KATAKANA,
    ZHANG,
    Encoded,
    EncodedCase,
)
from tests.matching.cases_character_sets import CASES as ENCODED
from tests.matching.cases_identifiers import CASES as IDENTIFIERS
from tests.matching.cases_identifiers import IdentifierCase
from tests.matching.character_sets import decode
from tests.matching.reference import (
    BULK,
    INTEGERS,
    WILD_CARDS,
    Element,
    KeyRefusedError,
    Options,
    all_match,
    matches,
    pattern_of,
    wild_card_matches,
)
from tests.matching.table import NO, REFUSED, YES, Case, element_of

VRS = sorted(WILD_CARDS | INTEGERS | BULK | {"AS", "AT", "DA", "DS", "DT", "FD", "FL", "IS", "TM", "UI"})


def outcome(case: Case) -> str:
    """Return what the reference makes of a case, in the words of the table."""
    key = element_of(case.vr, case.key)
    assert key is not None
    try:
        found = matches(key, element_of(case.vr, case.stored), case.options, case.keyword)
    except KeyRefusedError:
        return REFUSED
    return YES if found else NO


@pytest.mark.parametrize("case", CASES, ids=lambda case: ascii(case[:3])[:80])
def test_each_case_has_the_outcome_in_the_table(case: Case) -> None:
    assert outcome(case) == case.expected, case.why


def test_no_case_stands_twice_in_the_table() -> None:
    rows = [
        *(repr(case._replace(why="")) for case in CASES),
        *(repr(case._replace(why="")) for case in ENCODED),
        *(repr(case._replace(why="")) for case in IDENTIFIERS),
    ]
    assert sorted(rows) == sorted(set(rows))


def test_every_reason_names_a_rule() -> None:
    assert all(len(case.why) > 10 for case in CASES)


@pytest.mark.parametrize("case", IDENTIFIERS, ids=str)
def test_each_identifier_has_the_outcome_in_the_table(case: IdentifierCase) -> None:
    keys, entity = (
        {keyword: found for keyword, (vr, value) in attributes.items() if (found := element_of(vr, value)) is not None}
        for attributes in (case.keys, case.entity)
    )
    assert all_match(keys, entity, case.options) is (case.expected == YES), case.why


@pytest.mark.parametrize("case", ENCODED, ids=str)
def test_each_encoded_case_has_the_outcome_in_the_table(case: EncodedCase) -> None:
    key, stored = (
        Element(case.vr, tuple(decode(side.raw, side.character_sets, case.vr))) for side in (case.key, case.stored)
    )
    assert matches(key, stored) is (case.expected == YES), case.why


@pytest.mark.parametrize(
    ("encoded", "text"),
    [
        (YAMADA, "Yamada^Tarou=山田^太郎=やまだ^たろう"),
        (YAMADA_KATAKANA, "ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎=やまだ^たろう"),
        (HONG, "Hong^Gildong=洪^吉洞=홍^길동"),
        (WANG_GB18030, "Wang^XiaoDong=王^小东="),
        (ZHANG, "Zhang^XiaoDong=张^小东="),
        (DIONYSIOS, "Διονυσιος"),
        (RUSSIAN, "Люкceмбypг"),
        (ARABIC, "قباني^لنزار"),
        (HEBREW, "שרון^דבורה"),
    ],
    ids=ascii,
)
def test_the_examples_of_the_standard_are_decoded(encoded: Encoded, text: str) -> None:
    assert decode(encoded.raw, encoded.character_sets, "PN") == [text]


def test_a_character_set_that_is_not_of_the_standard_is_unknown() -> None:
    with pytest.raises(LookupError):
        decode(b"\xff", ["KOI8-R"])


@given(st.text("ab*?", max_size=12), st.text("ab", max_size=12))
def test_wild_cards_agree_with_regular_expressions(wanted: str, text: str) -> None:
    expression = "".join({"*": ".*", "?": "."}.get(character, character) for character in wanted)
    assert wild_card_matches(pattern_of(wanted, str), text) is (re.fullmatch(expression, text) is not None)


@given(st.dates(), st.dates(), st.dates())
def test_ranges_of_dates_agree_with_the_calendar(first: date, last: date, day: date) -> None:
    key = Element("DA", (f"{first.year:04}{first:%m%d}-{last.year:04}{last:%m%d}",))
    stored = Element("DA", (f"{day.year:04}{day:%m%d}",))
    assert matches(key, stored) is (first <= day <= last)


@given(st.sampled_from(VRS), st.text(max_size=20), st.text(max_size=20), st.builds(Options))
def test_nothing_but_a_refused_key_raises(vr: str, wanted: str, stored: str, options: Options) -> None:
    with suppress(KeyRefusedError):
        matches(Element(vr, (wanted,)), Element(vr, (stored,)), options)
