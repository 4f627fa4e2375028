"""Attribute matching agrees with the second implementation, which another hand wrote from the Standard."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from dimse.data_set.attributes import Attribute, decode, delimiters
from dimse.data_set.text import character_sets
from tests.matching.adapter import SOME_TAG, answer, answer_of, attributes
from tests.matching.character_sets import decode as decode_plainly
from tests.matching.reference import Element, KeyRefusedError, Options, all_match, matches
from tests.matching.samples import encoded, items, options, plain_pairs

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
            # A key that is not allowed is refused, whatever the keys before it have found.
            matches(key, None, chosen, keyword)
        expected = all_match(keys, entity, chosen)
    except KeyRefusedError:
        expected = None
    assert answer(attributes(keys), attributes(entity), chosen) is expected


def agree_on_text(data: st.DataObject, vr: str, chosen: Options) -> None:
    """Hold a key against a stored value, each in a character set of its own, by both decoders and both implementations."""
    sides = []
    for is_key in (True, False):
        terms, text = data.draw(encoded(vr, is_key))
        raw = character_sets(terms).encode(text, delimiters(vr))
        ours = Attribute(vr, decode(vr, raw, True, character_sets(terms)))
        sides.append((ours, Element(vr, tuple(decode_plainly(raw, terms, vr)))))
    (key, plain_key), (stored, plain_stored) = sides
    expected = matches(plain_key, plain_stored, chosen)
    assert answer({SOME_TAG: key}, {SOME_TAG: stored}, chosen) is expected


# Functions that make a new test each time, since Hypothesis takes settings once for each.
CHECKS: dict[str, Callable[[], Callable[[], None]]] = {
    "elements": lambda: given(plain_pairs(), options)(agree_on_elements),
    "identifiers": lambda: given(items(True), items(False), options)(agree_on_identifiers),
    "text": lambda: given(st.data(), st.sampled_from(["PN", "PN", "LO", "LT"]), options)(agree_on_text),
}


def run(examples: int, check: str) -> None:
    """Try so many examples, the same ones for the same seed."""
    quietly = settings(max_examples=examples, deadline=None, database=None, suppress_health_check=_UNHURRIED)
    seed(SEED)(quietly(CHECKS[check]()))()


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize(
    "examples",
    [
        100,
        pytest.param(EXAMPLES // 40, marks=[pytest.mark.thorough, pytest.mark.timeout(600)]),
        pytest.param(EXAMPLES, marks=[pytest.mark.campaign, pytest.mark.timeout(0)]),
    ],
)
def test_both_implementations_agree(examples: int, check: str) -> None:
    run(examples, check)
