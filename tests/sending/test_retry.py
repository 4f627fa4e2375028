"""The waits between attempts."""

from __future__ import annotations

import pytest

from dimse.sending.retry import Retry


def test_waits_grow_fourfold_up_to_the_longest_and_are_shortened_by_chance() -> None:
    retry = Retry(5, wait=1, longest=60)
    assert [retry.pause(failures, 0) for failures in range(1, 6)] == [1, 4, 16, 60, 60]
    assert [retry.pause(failures, 1) for failures in range(1, 6)] == [0.5, 2, 8, 30, 30]
    assert retry.pause(10_000, 0) == 60
    assert Retry(1, wait=0).pause(1, 0) == 0


@pytest.mark.parametrize("wrong", [{"times": -1}, {"wait": -0.5}, {"longest": -1}])
def test_negative_numbers_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="negative"):
        Retry(**wrong)
