"""The sinks of received data sets that need no archive."""

from __future__ import annotations

import mmap
from collections.abc import Sequence
from typing import IO

from dimse.support.sinks import Sink

__all__ = ["DiscardSink", "Sink", "SpooledSink"]

SPOOL_MEMORY = 1024 * 1024  # bytes of a data set that are kept in memory before it goes to a temporary file


class DiscardSink:
    """Drains a data set that nobody wants: the message was refused before its data set came."""

    error: OSError | None = None

    def write(self, buffers: Sequence[memoryview]) -> None:
        """Drop the bytes."""

    def discard(self) -> None:
        """Nothing is held."""


class SpooledSink:
    """Keeps a data set in memory, and in an unnamed temporary file once it is larger than 1 MiB.

    Attributes:
        size: Bytes written.
        error: What the disk said, if it failed.
    """

    def __init__(self) -> None:
        self.size = 0
        self.error: OSError | None = None
        self._memory = bytearray()
        self._file: IO[bytes] | None = None

    def write(self, buffers: Sequence[memoryview]) -> None:
        """Append the bytes of `buffers`."""
        if self.error is not None:
            return
        for view in buffers:
            self._memory += view
            self.size += len(view)
        if self._file is not None or self.size > SPOOL_MEMORY:
            self._spill()

    def _spill(self) -> None:
        try:
            if self._file is None:
                import tempfile  # what it loads is felt when a tool starts

                self._file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115  (lives as long as the request)
            pending = memoryview(self._memory)
            while pending:
                pending = pending[self._file.write(pending) :]
        except OSError as error:
            self.error = error
        self._memory = bytearray()

    def view(self) -> memoryview:
        """Everything that was written; above 1 MiB a read-only map of the file, which costs no memory."""
        if self._file is None:
            return memoryview(self._memory)
        return memoryview(mmap.mmap(self._file.fileno(), 0, access=mmap.ACCESS_READ))

    def discard(self) -> None:
        """Let go of the memory, or of the file and its disk space."""
        self._memory = bytearray()
        if self._file is not None:
            self._file.close()
