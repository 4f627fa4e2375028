"""Notices: lines about events that a person must act on, such as a rejected caller or a changed data set.

A notice is a warning or an error of the logger `dimse.notices`. The tools show notices at the default log level. The filter
`OncePerMinute` shows each of them once a minute for a peer and a reason, and at most `MOST_PEERS` a minute for a reason.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

LOGGER = logging.getLogger("dimse.notices")

INTERVAL = 60.0
"""The number of seconds between two lines about one peer and one reason."""
MOST_PEERS = 60
"""The most lines about one reason within that time, over all peers."""
MOST_REMEMBERED = 1024
"""The most pairs of a peer and a reason that are remembered. Beyond them the oldest is dropped."""


def notice(reason: str, peer: str, message: str, *args: object, level: int = logging.WARNING) -> None:
    """Log a line about an event that a person must act on.

    Args:
        reason: A short name of the event, the same for each line of its kind: `"rejected"`.
        peer: The host of the peer; empty if the line concerns no peer.
        message: The line, with a `%s` for each of `args`. The caller escapes text from a peer.
        *args: The arguments of `message`, as for `logging.Logger.warning`.
        level: The level of the line: ERROR if something has failed.
    """
    LOGGER.log(level, message, *args, extra={"notice": (peer, reason)})


class OncePerMinute:
    """A filter for the logger of the notices: it passes one line a minute for each peer and reason.

    A line that repeats an earlier one within the minute becomes an INFO line. So does a line whose reason has been reported for
    `MOST_PEERS` peers within the minute, because many addresses must not flood the log. The next line after the minute has the
    count of such lines, and so has `flush` at the end.

    Args:
        clock: A function that returns seconds; `time.monotonic` except in tests.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        # By peer and reason: the time of the last line that passed, the number held back since, and the last of those.
        self._by_peer: dict[tuple[str, str], tuple[float, int, str]] = {}
        # By reason: the start of its minute, the number of lines that passed since, the number held back, and the last of those.
        self._by_reason: dict[str, tuple[float, int, int, str]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Return True to log the record. Its level and text are changed if it repeats others."""
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
        """Return how many lines were held back before this one, of its peer and of others; None to hold it back too."""
        _, reason = key
        before, held_back, _ = self._by_peer.get(key, (-INTERVAL, 0, ""))
        if now - before < INTERVAL:
            self._by_peer[key] = before, held_back + 1, record.getMessage()
            return None
        began, passed, of_others, _ = self._by_reason.get(reason, (now, 0, 0, ""))
        if now - began >= INTERVAL:
            began, passed = now, 0
        if passed >= MOST_PEERS:
            self._by_reason[reason] = began, passed, of_others + 1, record.getMessage()
            return None
        self._by_reason[reason] = began, passed + 1, 0, ""
        self._by_peer.pop(key, None)
        self._by_peer[key] = now, 0, ""
        while len(self._by_peer) > MOST_REMEMBERED:
            self._forget(next(iter(self._by_peer)))
        return held_back, of_others

    def _forget(self, key: tuple[str, str]) -> None:
        """Drop a peer and a reason; lines that were held back are counted with those of other peers."""
        _, held_back, last = self._by_peer.pop(key)
        began, passed, of_others, last_of_others = self._by_reason[key[1]]
        self._by_reason[key[1]] = began, passed, of_others + held_back, last or last_of_others

    def flush(self) -> None:
        """Log a line for each peer and reason whose last lines were held back."""
        with self._lock:
            rest = [(held_back, "like it", last) for _, held_back, last in self._by_peer.values() if held_back]
            rest += [(count, "like it of other peers", last) for _, _, count, last in self._by_reason.values() if count]
            self._by_peer.clear()
            self._by_reason.clear()
        for held_back, words, last in rest:
            if held_back > 1:
                LOGGER.warning("%s (and %d more %s since)", last, held_back - 1, words)
            else:
                LOGGER.warning("%s", last)
