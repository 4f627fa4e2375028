"""Notices: lines about what a person must act on, such as a caller that is rejected or a data set that was changed.

A notice is a warning of the logger `dimse.notices`. The tools show notices at the default log level, and each of them once a
minute for a peer and a reason: `OncePerMinute` is the filter that does so.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

LOGGER = logging.getLogger("dimse.notices")

INTERVAL = 60.0
"""Seconds between two lines about one peer and one reason."""
MOST_REMEMBERED = 1024
"""Pairs of a peer and a reason that are remembered; beyond them the oldest is forgotten."""


def notice(reason: str, peer: str, message: str, *args: object) -> None:
    """Log a line about what a person must act on.

    Args:
        reason: A short name of what happened, the same for each line of its kind: `"rejected"`.
        peer: The host of the peer; empty where the line is about no peer.
        message: The line, with a `%s` for each of `args`. The caller escapes what a peer sent.
        *args: As for `logging.Logger.warning`.
    """
    LOGGER.warning(message, *args, extra={"notice": (peer, reason)})


class OncePerMinute:
    """A filter for the logger of the notices: it lets one line a minute through for each peer and reason.

    A line that repeats an earlier one within the minute becomes an INFO line. The next line after the minute says how many there
    were meanwhile, and so does `flush` at the end.

    Args:
        clock: Returns seconds; `time.monotonic` but in tests.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        # By peer and reason: when the last line was let through, how many were held back since, and the last of those.
        self._told: dict[tuple[str, str], tuple[float, int, str]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether the record is to be logged; its level and text are changed where it repeats others."""
        key: tuple[str, str] | None = getattr(record, "notice", None)
        if key is None:
            return True
        now = self._clock()
        with self._lock:
            before, held_back, _ = self._told.get(key, (-INTERVAL, 0, ""))
            if now - before < INTERVAL:
                self._told[key] = before, held_back + 1, record.getMessage()
                record.levelno, record.levelname = logging.INFO, "INFO"
                return logging.getLogger("dimse").isEnabledFor(logging.INFO)
            self._told.pop(key, None)
            self._told[key] = now, 0, ""
            while len(self._told) > MOST_REMEMBERED:
                del self._told[next(iter(self._told))]
        if held_back:
            record.msg, record.args = "%s (and %d more like it since)", (record.getMessage(), held_back)
        return True

    def flush(self) -> None:
        """Log a line for each peer and reason whose last lines were held back."""
        with self._lock:
            rest = [(held_back, last) for _, held_back, last in self._told.values() if held_back]
            self._told.clear()
        for held_back, last in rest:
            if held_back > 1:
                LOGGER.warning("%s (and %d more like it since)", last, held_back - 1)
            else:
                LOGGER.warning("%s", last)
