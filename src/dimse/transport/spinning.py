"""Adaptive spinning: a thread that expects a peer's next message soon polls again and again before it sleeps.

A processor that has nothing to do goes to sleep. Waking it takes a good part of the time of a small instance, and its caches are
cold afterwards. So a wait for a message begins with spinning if the wait before it was brief.

A thread does not spin within a message, whose bytes should come in large pieces. Nor does it spin with one processor, or while
another connection of the process receives messages. It rests for a while if another program or thread wanted the processor, or
Python, meanwhile. Connections that are idle do not matter.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable

LONGEST_SPIN = 0.0003
"""The most seconds that a thread spins, and that the wait before took."""
DISTURBED = 0.0002
"""Seconds between two polls. A longer time means that another thread or program had the processor."""
SPIN_REST = 0.1
"""Seconds without spinning after that."""

_latest: Spinner | None = None
"""The connection of the process that had the latest message."""

Poll = Callable[[float | None], list[tuple[int, int]]]
"""Waits for that long, without limit for None, and returns the descriptors that are ready with their events."""


class Spinner:
    """The waits for the messages of one connection.

    Args:
        descriptor: The descriptor of the connection.
    """

    __slots__ = ("_descriptor", "_pays", "_rested")

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        # True if the next message will probably come soon.
        self._pays = False
        # The moment from which on it may spin again, on `time.monotonic()`.
        self._rested = 0.0

    def wait(self, poll: Poll, deadline: float | None, per_second: int = 1) -> list[tuple[int, int]]:
        """Wait for the peer's next message.

        Args:
            poll: Waits for the connection, and perhaps for others.
            per_second: The unit of time of `poll`: 1000 if it takes milliseconds.
            deadline: The end of the wait on `time.monotonic()`; None is without limit.

        Returns:
            What `poll` has returned: nothing if the deadline has passed.
        """
        global _latest  # noqa: PLW0603
        started = time.monotonic()
        polled = []
        if self._pays and _latest is self and started >= self._rested:
            polled = self._spin(
                poll, started, started + LONGEST_SPIN if deadline is None else min(started + LONGEST_SPIN, deadline)
            )
        polled = polled or poll(time_to(deadline, per_second))
        if polled and polled[0][0] == self._descriptor:
            self._pays = time.monotonic() - started < LONGEST_SPIN and _HAS_SEVERAL_PROCESSORS
            _latest = self
        else:
            self._pays = False
        return polled

    def _spin(self, poll: Poll, now: float, end: float) -> list[tuple[int, int]]:
        """Poll again and again, until `end` or until another connection or thread is held up."""
        while not (polled := poll(0)):
            os.sched_yield()
            before, now = now, time.monotonic()
            if now - before >= DISTURBED:
                self._rested = now + SPIN_REST
                break
            if now >= end or _latest is not self:
                break
        return polled


def time_to(deadline: float | None, per_second: int = 1) -> float | None:
    """Return the time that is left until a deadline; None without a deadline."""
    return None if deadline is None else max(0.0, deadline - time.monotonic()) * per_second


def _count_processors() -> int:
    """Return how many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):  # Linux
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


_HAS_SEVERAL_PROCESSORS = hasattr(os, "sched_yield") and _count_processors() > 1
