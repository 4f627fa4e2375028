"""Attribute matching has the outcome in the table of cases, and that of the second implementation."""

from __future__ import annotations

import pytest

from dimse.data_set.attributes import Attribute, decode
from dimse.data_set.text import character_sets
from tests.matching.adapter import SOME_TAG, answer, answer_of, attributes
from tests.matching.cases import CASES
from tests.matching.cases_character_sets import CASES as ENCODED
from tests.matching.cases_character_sets import Encoded, EncodedCase
from tests.matching.cases_identifiers import CASES as IDENTIFIERS
from tests.matching.cases_identifiers import IdentifierCase
from tests.matching.reference import DEFAULT
from tests.matching.table import NO, REFUSED, YES, Case, element_of

OUTCOMES = {True: YES, False: NO, None: REFUSED}


def test_there_are_as_many_cases_as_were_promised() -> None:
    assert len(CASES) + len(ENCODED) + len(IDENTIFIERS) >= 600


@pytest.mark.parametrize("case", CASES, ids=lambda case: ascii(case[:3])[:80])
def test_a_key_matches_as_the_table_says(case: Case) -> None:
    key = element_of(case.vr, case.key)
    assert key is not None
    found = answer_of(key, element_of(case.vr, case.stored), case.options, case.keyword)
    assert OUTCOMES[found] == case.expected, case.why


@pytest.mark.parametrize("case", IDENTIFIERS, ids=str)
def test_an_identifier_matches_as_the_table_says(case: IdentifierCase) -> None:
    keys, entity = (
        attributes({keyword: found for keyword, (vr, value) in side.items() if (found := element_of(vr, value))})
        for side in (case.keys, case.entity)
    )
    assert OUTCOMES[answer(keys, entity, case.options)] == case.expected, case.why


@pytest.mark.parametrize("case", ENCODED, ids=str)
def test_text_matches_whatever_its_character_set(case: EncodedCase) -> None:
    def attribute(side: Encoded) -> Attribute:
        return Attribute(case.vr, decode(case.vr, side.raw, True, character_sets(side.character_sets)))

    found = answer({SOME_TAG: attribute(case.key)}, {SOME_TAG: attribute(case.stored)}, DEFAULT)
    assert OUTCOMES[found] == case.expected, case.why
