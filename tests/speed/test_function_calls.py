"""How much the interpreter does for an object: calls of functions, which are most of what an object takes.

A call of a Python function, or of a generator or coroutine that goes on, counts, and so does one of a function written in C.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.speed.counting import Counts, Profiled, one_more, too_many, transfer

# Bytes of pixel data: objects in two runs, and how many functions in Python and in C may be called for one of them.
# They are those of Python 3.11 and 15 % more, for other versions count a little otherwise.
WORKS = {
    "small": (3_800, (50, 150), {"Python": 220, "C": 260}, {"Python": 220, "C": 240}),
    "a CT image": (524_288, (50, 150), {"Python": 230, "C": 270}, {"Python": 330, "C": 340}),
    "large": (20_000_000, (1, 3), {"Python": 430, "C": 1080}, {"Python": 4500, "C": 4200}),
}


@pytest.mark.thorough
@pytest.mark.parametrize("work", WORKS.values(), ids=WORKS)
def test_an_object_takes_few_function_calls_of_either_side(
    work: tuple[int, tuple[int, int], dict[str, float], dict[str, float]], tmp_path: Path
) -> None:
    pixels, runs, storescu, storescp = work

    def counts(objects: int) -> Counts:
        return transfer(objects, pixels, tmp_path / str(objects), Profiled)

    calls = one_more(*runs, counts)
    print(calls)
    assert too_many(calls["storescu"], storescu) == {}
    assert too_many(calls["storescp"], storescp) == {}
