"""A destination of C-MOVE gets few requests at a time, and is left alone while it is away."""

from __future__ import annotations

from dimse.archive.gates import MOST_AT_A_TIME, MOST_FAILURES, PAUSE, WITHIN, DestinationGate


class Clock:
    """A clock that a test sets."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def fail(gate: DestinationGate, times: int = 1) -> None:
    for _ in range(times):
        assert gate.enter()
        gate.leave(was_away=True)


def test_so_many_requests_are_inside_at_a_time() -> None:
    gate = DestinationGate()
    assert [gate.enter() for _ in range(MOST_AT_A_TIME + 1)] == [True] * MOST_AT_A_TIME + [False]
    gate.leave(was_away=False)
    assert gate.enter()


def test_a_destination_that_is_away_too_often_is_left_alone_for_a_while() -> None:
    clock = Clock()
    gate = DestinationGate(clock)
    fail(gate, MOST_FAILURES - 1)
    assert not gate.is_paused
    fail(gate)
    is_paused = gate.is_paused
    clock.now = PAUSE
    assert (is_paused, gate.is_paused) == (True, False)


def test_failures_count_within_a_minute_and_in_a_row() -> None:
    clock = Clock()
    gate = DestinationGate(clock)
    fail(gate, MOST_FAILURES - 1)
    clock.now = WITHIN + 1
    fail(gate)
    assert not gate.is_paused
    fail(gate, MOST_FAILURES - 2)
    assert gate.enter()
    gate.leave(was_away=False)
    fail(gate)
    assert not gate.is_paused
