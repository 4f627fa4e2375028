"""The watchdog of an event loop: a thread that notices when one association keeps the loop from going on.

It has another thread go on with the other associations, and says in the log for how long the loop was kept, and in what. It looks
at the loop while that works, and sleeps while the loop waits.
"""

from __future__ import annotations

import logging
import math
import sys
import threading
import time
from collections.abc import Callable

from dimse.logs import ABOUT, within
from dimse.logs.notices import notice
from dimse.serving.served import Served

LOGGER = logging.getLogger("dimse.association")

HANGS_AFTER = 0.05
"""Seconds after which a loop that has not gone on hangs."""
HANGS_AGAIN_AFTER = 0.005
"""The same in the second after an association has begun to keep a thread: others may soon stall in the same call."""
SAID_TO_HANG = 1.0
"""Seconds from which on there is a line in the log."""


class Pulse:
    """The state of an event loop while one thread leads it, as its watchdog sees it.

    Attributes:
        since: The moment at which its present step began, on `time.monotonic()`; `math.inf` while it waits.
        last: The moment at which its last step began.
        is_unobserved: True while the watchdog sleeps, and is to be roused when the loop works again.
    """

    __slots__ = ("is_unobserved", "last", "since")

    def __init__(self) -> None:
        self.since = math.inf
        self.last = 0.0
        self.is_unobserved = False


class Kept:
    """A thread that an association keeps from leading the loop.

    Args:
        served: The association.
        thread: The `ident` of the thread.
        since: The moment at which that step of the association began, on `time.monotonic()`.

    Attributes:
        is_over: True once the thread goes on.
    """

    __slots__ = ("_is_said", "_served", "_thread", "is_over", "since")

    def __init__(self, served: Served, thread: int, since: float) -> None:
        self._served, self._thread, self.since = served, thread, since
        self._is_said = self.is_over = False

    def say(self) -> None:
        """Log that the association still keeps the thread, and in what."""
        self._is_said = True
        self._notice("blocked for %.1f s in %s: other associations go on", where_is(self._thread))

    def end(self) -> None:
        """Note that the thread goes on, and log for how long it was kept if the log knows that it was."""
        self.is_over = True
        if self._is_said:
            self._notice("goes on after %.1f s")

    def _notice(self, message: str, *args: object) -> None:
        about = self._served.context.get(ABOUT)
        with within(about):
            host = about.peer[0] if about is not None else ""
            notice("blocked", host, message, time.monotonic() - self.since, *args)


class LoopWatchdog(threading.Thread):
    """The thread that looks at an event loop.

    Args:
        pulse: Returns the state of the loop.
        hand_over: Has another thread lead the loop; returns the one that is kept, None if no association keeps it.
    """

    def __init__(self, pulse: Callable[[], Pulse], hand_over: Callable[[], Kept | None]) -> None:
        super().__init__(name="dimse-watchdog", daemon=True)
        self._pulse, self._hand_over = pulse, hand_over
        self._roused, self._ends = threading.Event(), threading.Event()
        self._kept: list[Kept] = []
        self._said = math.inf

    def rouse(self) -> None:
        """Look at the loop again, which has begun to work; from any thread."""
        self._roused.set()

    def end(self) -> None:
        """End the thread; from any thread."""
        self._ends.set()
        self._roused.set()

    def run(self) -> None:
        seen = 0.0
        while not self._ends.is_set():
            pulse = self._pulse()
            is_idle = pulse.since == math.inf and pulse.last == seen
            seen = pulse.last
            if is_idle:
                self._sleep(pulse)
            self._roused.clear()
            self._roused.wait(self._patience)
            self._look()

    def _sleep(self, pulse: Pulse) -> None:
        """Wait until the loop works."""
        pulse.is_unobserved = True
        # It may have begun to work before it could see that.
        if pulse.since == math.inf and not self._ends.is_set():
            self._roused.wait(SAID_TO_HANG if self._kept else None)
        pulse.is_unobserved = False

    @property
    def _patience(self) -> float:
        """The seconds after which the loop hangs."""
        return HANGS_AGAIN_AFTER if self._kept else HANGS_AFTER

    def _look(self) -> None:
        since, now = self._pulse().since, time.monotonic()
        if now - since > self._patience:
            if (kept := self._hand_over()) is not None:
                self._kept.append(kept)
            elif now - since >= SAID_TO_HANG and self._said != since:
                self._said = since
                LOGGER.error("the event loop of the server has been blocked for %.1f s", now - since)
        for kept in [each for each in self._kept if each.is_over or now - each.since >= SAID_TO_HANG]:
            self._kept.remove(kept)
            if not kept.is_over:
                kept.say()


def where_is(thread: int) -> str:
    """Return the function that a thread runs, with its file and line."""
    frame = sys._current_frames().get(thread)
    return "" if frame is None else f"{frame.f_code.co_qualname} ({frame.f_code.co_filename}:{frame.f_lineno})"
