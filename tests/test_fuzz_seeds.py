"""The seeds and the findings of fuzzing, tried again: no input breaks a promise of its target (fuzz/README.md)."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import pytest

from fuzz import SEEDS, TARGETS

EVERY_SEED = sorted(path.relative_to(SEEDS) for path in SEEDS.glob("*/*"))


@pytest.mark.parametrize("seed", EVERY_SEED, ids=str)
def test_every_promise_holds_for_a_seed(seed: Path) -> None:
    import_module(f"fuzz.{seed.parent}").one((SEEDS / seed).read_bytes())


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("data", [b"", b"\0", b"\0\0", bytes(3), bytes(200), b"\xff" * 200])
def test_every_promise_holds_for_bytes_that_say_nothing(target: str, data: bytes) -> None:
    import_module(f"fuzz.{target}").one(data)


def test_every_target_has_seeds_and_they_are_small() -> None:
    seeds = {target: [path.stat().st_size for path in (SEEDS / target).iterdir()] for target in TARGETS}
    assert all(len(sizes) >= 10 for sizes in seeds.values())
    assert sum(map(sum, seeds.values())) < 200 * 1024
    assert {path.name for path in SEEDS.iterdir()} == set(TARGETS)
