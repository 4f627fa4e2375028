"""The gates of the destinations of C-MOVE: a destination gets few requests at a time, and is left alone while it is away."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from threading import Lock

from dimse.services.retrieve_request import Gate

MOST_AT_A_TIME = 4
"""Requests that send to one destination at a time; others wait."""
MOST_FAILURES, WITHIN, PAUSE = 10, 60.0, 60.0
"""So many failures to reach a destination within so many seconds leave it alone for so many seconds."""


class DestinationGate(Gate):
    """The gate of one destination. Threads share it.

    Args:
        clock: A function that returns seconds; `time.monotonic` except in tests.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = Lock()
        self._inside = 0
        self._failures: deque[float] = deque(maxlen=MOST_FAILURES)
        self._paused_until = -PAUSE

    @property
    def is_paused(self) -> bool:
        """True while the destination is left alone, because it could not be reached again and again."""
        return self._clock() < self._paused_until

    def enter(self) -> bool:
        """Return True if another C-MOVE may begin."""
        with self._lock:
            if self._inside >= MOST_AT_A_TIME:
                return False
            self._inside += 1
            return True

    def leave(self, was_away: bool) -> None:
        """Note that a C-MOVE has ended."""
        with self._lock:
            self._inside -= 1
            if not was_away:
                self._failures.clear()
                return
            now = self._clock()
            self._failures.append(now)
            if len(self._failures) == MOST_FAILURES and now - self._failures[0] <= WITHIN:
                self._failures.clear()
                self._paused_until = now + PAUSE
