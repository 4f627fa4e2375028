"""qrscp against every attack of an evil SCU: it serves others in time and in full, within its memory, and loses nothing."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

from tests.interop.evil_scu import conversations, instances, queries, retrievals
from tests.interop.evil_scu.registry import ATTACKS
from tests.interop.evil_scu.victim import Victim, victim

MODULES = (conversations, instances, queries, retrievals)

# Continuous integration runs this tenth of them, and `make campaign` runs all.
SEED = 16
TENTH = random.Random(SEED).sample(sorted(ATTACKS), len(ATTACKS) // 10)
CASES = [
    pytest.param(name, marks=pytest.mark.thorough if name in TENTH else pytest.mark.campaign)
    for name in sorted(ATTACKS)
]


@pytest.fixture(scope="module")
def attacked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Victim]:
    """Start a qrscp for all attacks: what one of them leaves behind is there in the next."""
    with victim(tmp_path_factory.mktemp("victim")) as one:
        yield one


@pytest.mark.timeout(120)
@pytest.mark.parametrize("name", CASES)
def test_an_attack_harms_nobody_else(name: str, attacked: Victim) -> None:
    ATTACKS[name](attacked)
    attacked.is_well()


def test_there_are_as_many_attacks_as_are_wanted() -> None:
    assert len(ATTACKS) >= 80
    assert all(module.__doc__ for module in MODULES)
