"""Attribute matching agrees with the second implementation, which another hand wrote from the Standard."""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from tests.matching.adapter import answer, answer_of, attributes
from tests.matching.reference import Element, KeyRefusedError, Options, all_match, matches
from tests.matching.samples import items, options, plain_pairs

EXAMPLES = int(os.environ.get("DIMSE_MATCHING_EXAMPLES", "200000"))
SEED = int(os.environ.get("DIMSE_MATCHING_SEED", "15"))
_UNHURRIED = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]


def agree_on_elements(pair: tuple[Element, Element, str], chosen: Options) -> None:
    """Hold one key against one stored element, by both implementations."""
    key, stored, keyword = pair
    expected: bool | None
    for there in (stored, None):
        try:
            expected = matches(key, there, chosen, keyword)
        except KeyRefusedError:
            expected = None
        assert answer_of(key, there, chosen, keyword) is expected


def agree_on_identifiers(keys: dict[str, Element], entity: dict[str, Element], chosen: Options) -> None:
    """Hold an identifier against an entity, by both implementations."""
    expected: bool | None
    try:
        for keyword, key in keys.items():
            matches(
                key, None, chosen, keyword
            )  # a key that is not allowed is refused, whatever those before it have found
        expected = all_match(keys, entity, chosen)
    except KeyRefusedError:
        expected = None
    assert answer(attributes(keys), attributes(entity), chosen) is expected


def run(examples: int, on_elements: bool) -> None:
    """Try so many examples, the same ones for the same seed."""
    quietly = settings(max_examples=examples, deadline=None, database=None, suppress_health_check=_UNHURRIED)
    if on_elements:
        seed(SEED)(quietly(given(plain_pairs(), options)(agree_on_elements)))()
    else:
        strategies: list[st.SearchStrategy[dict[str, Element]]] = [items(True), items(False)]
        seed(SEED)(quietly(given(*strategies, options)(agree_on_identifiers)))()


@pytest.mark.parametrize("on_elements", [True, False], ids=["elements", "identifiers"])
@pytest.mark.parametrize(
    "examples",
    [
        300,
        pytest.param(EXAMPLES // 40, marks=[pytest.mark.thorough, pytest.mark.timeout(600)]),
        pytest.param(EXAMPLES, marks=[pytest.mark.campaign, pytest.mark.timeout(0)]),
    ],
)
def test_both_implementations_agree(examples: int, on_elements: bool) -> None:
    run(examples, on_elements)
