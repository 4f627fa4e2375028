"""The sinks that need no archive, and the interface of all."""

from __future__ import annotations

import errno
import mmap
from collections.abc import Sequence
from typing import IO

from dimse.support.sinks import Sink

__all__ = ["DiscardSink", "Sink", "SpooledSink"]

# Bytes of a data set that are kept in memory before it goes to a temporary file.
SPOOL_MEMORY = 1024 * 1024
# Bytes of an identifier at most.
MEMORY = 4 * 1024 * 1024


class DiscardSink:
    """A sink that drops its data set, for a message that was refused before the data set came."""

    error: OSError | None = None

    def write(self, buffers: Sequence[memoryview]) -> None:
        """Drop the bytes."""

    def discard(self) -> None:
        """Do nothing: no bytes are held."""


class MemorySink:
    """A sink that keeps a data set in memory, if it is short enough: for identifiers, which are never large.

    Args:
        most: The most bytes that are kept. Of a longer data set nothing is kept, and `error` is set.

    Attributes:
        size: Bytes written.
        error: Says that the data set is too long; None if it is not.
    """

    def __init__(self, most: int = MEMORY) -> None:
        self.size = 0
        self.error: OSError | None = None
        self._most = most
        self._memory = bytearray()

    def write(self, buffers: Sequence[memoryview]) -> None:
        """Append the bytes of `buffers`, unless there are too many by then."""
        for view in buffers:
            self.size += len(view)
            if self.size <= self._most:
                self._memory += view
            elif self.error is None:
                self._memory = bytearray()
                self.error = OSError(errno.EFBIG, f"longer than {self._most:,} bytes")

    def view(self) -> memoryview:
        """Return everything that was written."""
        return memoryview(self._memory)

    def discard(self) -> None:
        """Drop the bytes."""
        self._memory = bytearray()


class SpooledSink:
    """A sink that keeps a data set in memory, and in an unnamed temporary file once it is larger than 1 MiB.

    Attributes:
        size: Bytes written.
        error: The error of the disk, if it failed.
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
                # Imported here: what it loads is felt when a tool starts.
                import tempfile

                self._file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115  (lives as long as the request)
            pending = memoryview(self._memory)
            while pending:
                pending = pending[self._file.write(pending) :]
        except OSError as error:
            self.error = error
        self._memory = bytearray()

    def view(self) -> memoryview:
        """Return everything that was written; above 1 MiB a read-only map of the file, which costs no memory."""
        if self._file is None:
            return memoryview(self._memory)
        return memoryview(mmap.mmap(self._file.fileno(), 0, access=mmap.ACCESS_READ))

    def discard(self) -> None:
        """Free the memory, or the file and its disk space."""
        self._memory = bytearray()
        if self._file is not None:
            self._file.close()
