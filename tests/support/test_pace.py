"""The recent duration of calls, and the expectation for the next one."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from dimse.support.pace import LONG_CALL, Pace, Paced, Paces, brief, is_brief


def moment() -> str:
    return "done"


def long() -> None:
    threading.Event().wait(20 * LONG_CALL)


def test_a_call_of_which_nothing_is_known_is_taken_for_long() -> None:
    pace = Pace()
    assert pace.is_long
    assert pace.call(moment) == "done"
    for _ in range(100):
        pace.call(moment)
    assert not pace.is_long


def test_a_call_that_takes_long_is_expected_to_do_so_again() -> None:
    pace = Pace(0.0)
    assert not pace.is_long
    pace.call(long)
    assert pace.is_long


def test_what_a_call_raises_is_raised_and_its_time_counts() -> None:
    def fails() -> None:
        long()
        raise ValueError("it is wrong")

    pace = Pace(0.0)
    with pytest.raises(ValueError, match="it is wrong"):
        pace.call(fails)
    assert pace.is_long


def make_handler() -> Callable[[object], int]:
    return lambda request: 0


def test_what_is_known_of_one_function_is_not_taken_for_anothers() -> None:
    """The first function may be gone: then the next one may have its place in memory, and so its `id`."""
    paces = Paces()
    known = paces.of(lambda request: 0)
    assert all(paces.of(lambda request: 0) is not known for _ in range(20))
    kept = make_handler()
    assert paces.of(kept) is paces.of(kept)


def test_what_cannot_be_a_key_has_no_pace() -> None:
    class Handler:
        __hash__ = None  # type: ignore[assignment]

        def __call__(self, request: object) -> int:
            return 0

    paces, handler = Paces(), Handler()
    assert paces.of(handler) is not paces.of(handler)


def test_a_handler_is_brief_where_it_says_so() -> None:
    pace = Pace(0.0)
    paced = Paced(lambda request: request, pace)
    assert not is_brief(make_handler())
    assert is_brief(brief(make_handler()))
    assert is_brief(paced)
    assert paced("asked") == "asked"
    pace.call(long)
    assert not is_brief(paced)
