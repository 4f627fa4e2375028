"""The log of a server on stderr, which must not stop the server when nothing reads it."""

from __future__ import annotations

import logging
import math
import os
import sys
import time
from select import PIPE_BUF, POLLOUT, poll
from typing import TextIO, cast

from dimse.support.text import counted
from dimse.tools import log_setup

# Milliseconds that a line waits for its reader, and seconds in which only one line waits.
PATIENCE, PAUSE = 100, 1.0


def drop_unread_lines() -> None:
    """Drop lines that stderr does not take at once, such as those for a pipe that nothing reads; count them in a later warning."""
    for handler in logging.getLogger("dimse").handlers:
        if isinstance(handler, logging.StreamHandler) and handler.stream is sys.stderr:
            try:
                handler.setStream(cast(TextIO, DroppingStream(sys.stderr)))
            except (OSError, ValueError):
                # It has no descriptor, and so no reader that could stop.
                continue


class DroppingStream:
    """A stream that drops what its descriptor does not take at once, for a handler of `logging`.

    The descriptor stays in blocking mode, because other processes may share it.

    Args:
        stream: The stream for the text.

    Raises:
        OSError: The stream has no descriptor.
    """

    def __init__(self, stream: TextIO) -> None:
        self._descriptor, self._encoding = stream.fileno(), stream.encoding
        self._poll = poll()
        self._poll.register(self._descriptor, POLLOUT)
        self._dropped = 0
        self._is_torn = False
        self._waited = -math.inf

    def write(self, line: str) -> None:
        """Write a line or drop it."""
        if self._dropped and self._takes_more():
            dropped, self._dropped = self._dropped, 0
            log_setup.warn(
                f"{counted(dropped, 'line', separator=',')} of this log dropped, because nothing read stderr"
            )
        data = line.encode(self._encoding, "backslashreplace")
        if self._is_torn:
            data = b"\n" + data
        for start in range(0, len(data), PIPE_BUF):
            if not self._takes_more():
                self._dropped += 1
                self._is_torn = self._is_torn or start > 0
                return
            # After `poll` a write of so many bytes does not block.
            os.write(self._descriptor, data[start : start + PIPE_BUF])
            self._is_torn = False

    def flush(self) -> None:
        """Do nothing, for nothing is kept back."""

    def _takes_more(self) -> bool:
        """Return True if the descriptor takes `PIPE_BUF` bytes, after a short wait if the last wait was a while ago."""
        if self._poll.poll(0):
            return True
        if time.monotonic() - self._waited < PAUSE:
            return False
        takes_more = bool(self._poll.poll(PATIENCE))
        self._waited = time.monotonic()
        return takes_more
