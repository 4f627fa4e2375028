"""A file that grows while its run goes on: lines are written each second, by a thread of its own."""

from __future__ import annotations

import os
import threading
import time
from contextlib import suppress

from dimse.support.closing import Closing

# Seconds between two writes.
INTERVAL = 1.0
# Lines that are written before that time is over.
MANY = 1_000
# The most lines that wait; beyond that the run waits for the disk too.
MOST = 10_000


class GrowingFile(Closing):
    """A file to which lines are added. At each moment it holds complete lines, as far as the system allows.

    Adding a line costs no system call, and a signal does not divide a line. The first failure to write is final: the lines after it
    are dropped, and `finish` raises it.

    Args:
        descriptor: The file, open for writing at its end. It is closed by `close`.
    """

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self._lines: list[str] = []
        self._size = 0
        self._failure: OSError | None = None
        self._is_over = self._is_closed = False
        self._wake = threading.Event()
        self._thread = threading.Thread(target=self._run, name="report", daemon=True)
        self._thread.start()

    def add(self, line: str) -> None:
        """Add a line, which is written within a second."""
        self._lines.append(line)
        if len(self._lines) >= MANY:
            self._wake.set()
            while len(self._lines) >= MOST and self._thread.is_alive():
                time.sleep(0.001)

    def finish(self) -> None:
        """Write the lines that wait; nothing can be added after that.

        Raises:
            OSError: A line could not be written.
        """
        self._stop()
        self._write()
        if self._failure is not None:
            raise self._failure

    def close(self) -> None:
        """Close the file, without the lines that wait; idempotent."""
        self._stop()
        if not self._is_closed:
            self._is_closed = True
            with suppress(OSError):
                os.close(self.descriptor)

    def _stop(self) -> None:
        self._is_over = True
        self._wake.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._is_over:
            self._wake.wait(INTERVAL)
            if not self._is_over:
                self._wake.clear()
                self._write()

    def _write(self) -> None:
        # Other threads may add lines meanwhile.
        count = len(self._lines)
        left = memoryview("".join(self._lines[:count]).encode("utf-8", "backslashreplace"))
        del self._lines[:count]
        if self._failure is not None:
            return
        size = self._size + len(left)
        try:
            while left:
                left = left[os.write(self.descriptor, left) :]
        except OSError as error:
            self._failure = error
            # The disk took a part of the lines, the last of which may be cut.
            with suppress(OSError):
                os.ftruncate(self.descriptor, self._size)
        else:
            self._size = size
