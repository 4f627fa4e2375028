"""How much the interpreter does for an object: it calls functions, and that is most of what an object takes.

A call of a Python function counts, and so does a generator or coroutine that goes on; and, apart from them, a call of a function
written in C.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.speed.counting import Profiled, Work

ROOM = 1.15  # times the counts of Python 3.11, which are these; other versions count a little otherwise

WORKS = {
    # storescp: 8 of them take the data set for what it is, so that one that was cut short is refused.
    "small": Work(3_800, (50, 150), {"Python": 191, "C": 226}, {"Python": 195, "C": 203}),
    "a CT image": Work(524_288, (50, 150), {"Python": 199, "C": 234}, {"Python": 285, "C": 293}),
    # storescu: as if it took 25 calls of the system to send one, as `test_system_calls` allows; there are 10 to 15.
    "large": Work(20_000_000, (1, 3), {"Python": 368, "C": 938}, {"Python": 3940, "C": 3680}),
}


@pytest.mark.thorough
@pytest.mark.parametrize("work", WORKS.values(), ids=WORKS)
def test_an_object_takes_few_function_calls_of_either_side(work: Work, tmp_path: Path) -> None:
    assert work.exceeded(tmp_path, Profiled, room=ROOM) == {"storescu": {}, "storescp": {}}
