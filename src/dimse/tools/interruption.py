"""The handling of Ctrl-C and SIGTERM in tools that have something to conclude: the first signal ends what is under way."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType

from dimse.tools import running

# Seconds that an abort has to take effect; after them another signal raises KeyboardInterrupt.
ABORT_PATIENCE = 1.0


class Interruption:
    """The handling of SIGINT and SIGTERM: the first one aborts or cancels the requests under way, so that the tool can conclude.

    Where there is nothing to abort, and where the abort takes too long, a signal raises KeyboardInterrupt in `breakable`.

    Args:
        abort: Aborts or cancels what is under way, and returns True if anything was.

    Attributes:
        abort: The same; it may be replaced as the run goes on.
        number: The first signal that came; 0 if none did.
    """

    def __init__(self, abort: Callable[[], bool] = lambda: False) -> None:
        self.number = 0
        self.abort = abort
        self._came_at = 0.0
        self._may_break = True

    def has_come(self) -> bool:
        """Return True after a signal."""
        return self.number != 0

    @property
    def status(self) -> int:
        """The exit status of a tool that a signal has ended; 0 if none has come."""
        if not self.number:
            return 0
        return running.INTERRUPTED if self.number == signal.SIGINT else running.TERMINATED

    @contextmanager
    def handled(self) -> Iterator[None]:
        """Handle the signals as long as the body runs, except those that the process ignores."""
        numbers = [
            number for number in (signal.SIGINT, signal.SIGTERM) if signal.getsignal(number) is not signal.SIG_IGN
        ]
        before = {}
        # Python refuses it outside the main thread, where no handler runs.
        with suppress(ValueError):
            before = {number: signal.signal(number, self._stop) for number in numbers}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _stop(self, number: int, _frame: FrameType | None) -> None:
        aborted = self.abort()
        if self.number:
            breaks = time.monotonic() - self._came_at > ABORT_PATIENCE
        else:
            self.number, self._came_at = number, time.monotonic()
            breaks = not aborted
        if breaks and self._may_break:
            raise KeyboardInterrupt(number)

    @contextmanager
    def breakable(self) -> Iterator[None]:
        """Run the body so that a signal may break it off; code that comes after it takes a moment, and is not broken off."""
        self._may_break = True
        with suppress(KeyboardInterrupt):
            yield
            self._may_break = False
        self._may_break = False
