"""Notices: lines about what a person must act on, such as a caller that is rejected or a data set that was changed.

A notice is a warning, or an error, of the logger `dimse.notices`. The tools show notices at the default log level, and each of
them once a minute for a peer and a reason, and no more than `MOST_PEERS` a minute for a reason: `OncePerMinute` is the filter that
does so.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

LOGGER = logging.getLogger("dimse.notices")

INTERVAL = 60.0
"""Seconds between two lines about one peer and one reason."""
MOST_PEERS = 60
"""Lines about one reason within that time, whatever peers they are about."""
MOST_REMEMBERED = 1024
"""Pairs of a peer and a reason that are remembered; beyond them the oldest is forgotten."""


def notice(reason: str, peer: str, message: str, *args: object, level: int = logging.WARNING) -> None:
    """Log a line about what a person must act on.

    Args:
        reason: A short name of what happened, the same for each line of its kind: `"rejected"`.
        peer: The host of the peer; empty where the line is about no peer.
        message: The line, with a `%s` for each of `args`. The caller escapes what a peer sent.
        *args: As for `logging.Logger.warning`.
        level: Of the line: ERROR where something has failed.
    """
    LOGGER.log(level, message, *args, extra={"notice": (peer, reason)})


class OncePerMinute:
    """A filter for the logger of the notices: it lets one line a minute through for each peer and reason.

    A line that repeats an earlier one within the minute becomes an INFO line. So does one about a reason that was told of
    `MOST_PEERS` peers within the minute: addresses are many, and the log is not to fill up. The next line after the minute says how
    many there were meanwhile, and so does `flush` at the end.

    Args:
        clock: Returns seconds; `time.monotonic` but in tests.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        # By peer and reason: when the last line was let through, how many were held back since, and the last of those.
        self._told: dict[tuple[str, str], tuple[float, int, str]] = {}
        # By reason: when its minute began, how many lines were let through since, and how many not because of that, and the last.
        self._reasons: dict[str, tuple[float, int, int, str]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether the record is to be logged; its level and text are changed where it repeats others."""
        key: tuple[str, str] | None = getattr(record, "notice", None)
        if key is None:
            return True
        with self._lock:
            counts = self._let_through(key, self._clock(), record)
        if counts is None:
            record.levelno, record.levelname = logging.INFO, "INFO"
            return logging.getLogger("dimse").isEnabledFor(logging.INFO)
        held_back, of_others = counts
        for count, words in ((held_back, "like it"), (of_others, "like it of other peers")):
            if count:
                record.msg, record.args = "%s (and %d more %s since)", (record.getMessage(), count, words)
        return True

    def _let_through(self, key: tuple[str, str], now: float, record: logging.LogRecord) -> tuple[int, int] | None:
        """Return how many lines were held back before this one, of its peer and of others; None if it is held back too."""
        _, reason = key
        before, held_back, _ = self._told.get(key, (-INTERVAL, 0, ""))
        if now - before < INTERVAL:
            self._told[key] = before, held_back + 1, record.getMessage()
            return None
        began, told, of_others, _ = self._reasons.get(reason, (now, 0, 0, ""))
        if now - began >= INTERVAL:
            began, told = now, 0
        if told >= MOST_PEERS:
            self._reasons[reason] = began, told, of_others + 1, record.getMessage()
            return None
        self._reasons[reason] = began, told + 1, 0, ""
        self._told.pop(key, None)
        self._told[key] = now, 0, ""
        while len(self._told) > MOST_REMEMBERED:
            self._forget(next(iter(self._told)))
        return held_back, of_others

    def _forget(self, key: tuple[str, str]) -> None:
        """Forget a peer and a reason; the lines that were held back are counted with those of other peers."""
        _, held_back, last = self._told.pop(key)
        began, told, of_others, last_of_others = self._reasons[key[1]]
        self._reasons[key[1]] = began, told, of_others + held_back, last or last_of_others

    def flush(self) -> None:
        """Log a line for each peer and reason whose last lines were held back."""
        with self._lock:
            rest = [(held_back, "like it", last) for _, held_back, last in self._told.values() if held_back]
            rest += [(count, "like it of other peers", last) for _, _, count, last in self._reasons.values() if count]
            self._told.clear()
            self._reasons.clear()
        for held_back, words, last in rest:
            if held_back > 1:
                LOGGER.warning("%s (and %d more %s since)", last, held_back - 1, words)
            else:
                LOGGER.warning("%s", last)
