"""The strategies make keys that match and keys that do not, in shares worth having."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis.strategies import SearchStrategy

from tests.matching.reference import KeyRefusedError, matches
from tests.matching.strategies import Pair, pairs, sequences

EXAMPLES = 300


def outcomes(strategy: SearchStrategy[Pair]) -> Counter[tuple[str, bool]]:
    """Return how often keys of each VR match, and how often not."""
    found: Counter[tuple[str, bool]] = Counter()

    @settings(
        max_examples=EXAMPLES, database=None, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck)
    )
    @given(strategy)
    def draw(pair: Pair) -> None:
        with suppress(KeyRefusedError):
            found[pair.key.vr, matches(*pair)] += 1

    draw()
    return found


@pytest.mark.thorough
@pytest.mark.parametrize("strategy", [pairs(), sequences()], ids=["pairs", "sequences"])
def test_a_sixth_matches_and_a_sixth_does_not(strategy: SearchStrategy[Pair]) -> None:
    found = outcomes(strategy)
    shares = [sum(count for (_, outcome), count in found.items() if outcome is wanted) for wanted in (True, False)]
    assert min(shares) >= EXAMPLES / 6, shares
