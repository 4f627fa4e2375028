"""Attention: where a peer's next message comes soon, the thread that waits for it stays awake.

A processor that has nothing to do goes to sleep; to be woken up takes it a good part of the time that a small instance takes, and
its caches have forgotten what it worked with. So a wait for a message begins with looking again and again, if the one before was
brief. Not within a message, whose bytes had better come in large pieces; not where there are other connections, whose threads would
be held up; not on the only processor, and for a while not where the processor, or Python, was wanted by somebody else meanwhile.
"""

from __future__ import annotations

import os
import select
import time

BRIEF = 0.0003
"""Seconds: so long a thread looks again and again, at the most, and so long the wait before took, at the most."""
DISTURBED = 0.0002
"""Seconds between two looks, from which on somebody else has worked there."""
REST = 0.1
"""Seconds for which that is left to the other one."""

_open: set[int] = set()  # descriptors of the connections that threads wait for


class Attention:
    """How the waits for one connection begin.

    Args:
        descriptor: The connection's.
    """

    __slots__ = ("_descriptor", "_pays", "_rested")

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._pays = False  # is it probable that the next message comes soon?
        self._rested = 0.0  # from when on it may be looked again
        _open.add(descriptor)

    def end(self) -> None:
        """The connection is about to be closed."""
        _open.discard(self._descriptor)

    def poll(self, poll: select.poll, deadline: float | None, awaited: bool) -> list[tuple[int, int]]:
        """Wait for what `poll` is to see.

        Args:
            poll: What to ask.
            deadline: Until when, on `time.monotonic()`; None is without limit.
            awaited: Is it for the next message?

        Returns:
            What it has found: nothing if the deadline has passed.
        """
        if not awaited:
            return poll.poll(milliseconds_to(deadline))
        started = time.monotonic()
        polled = []
        if self._pays and started >= self._rested:
            polled = self._look(poll, started, started + BRIEF if deadline is None else min(started + BRIEF, deadline))
        polled = polled or poll.poll(milliseconds_to(deadline))
        self._pays = time.monotonic() - started < BRIEF and len(_open) == 1 and _HAS_SEVERAL_PROCESSORS
        return polled

    def _look(self, poll: select.poll, now: float, end: float) -> list[tuple[int, int]]:
        """Look again and again, until `end` or until it is seen that somebody else is held up."""
        while not (polled := poll.poll(0)):
            os.sched_yield()
            before, now = now, time.monotonic()
            if now - before >= DISTURBED:
                self._rested = now + REST
                break
            if now >= end:
                break
        return polled


def milliseconds_to(deadline: float | None) -> float | None:
    """How long a poll may wait."""
    return None if deadline is None else max(0.0, deadline - time.monotonic()) * 1000


def _count_processors() -> int:
    """How many this process may use."""
    if hasattr(os, "sched_getaffinity"):  # Linux
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


_HAS_SEVERAL_PROCESSORS = hasattr(os, "sched_yield") and _count_processors() > 1
