"""The interface of sinks, which take a data set while it arrives."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol


class Sink(Protocol):
    """A destination for the bytes of one data set, which arrive in order.

    A sink never raises for an error of the disk: it keeps the first `OSError` in `error` and drops the rest. So the data set is
    drained, and the peer gets an answer (A700H) instead of a dead connection.
    """

    error: OSError | None

    def write(self, buffers: Sequence[memoryview]) -> None:
        """Take the next bytes. The views are valid during the call only."""

    def discard(self) -> None:
        """Forget all bytes. It is harmless twice, and after the data set has been kept elsewhere."""


class ReadableSink(Sink, Protocol):
    """A sink that gives back the bytes that it took."""

    size: int

    def view(self) -> memoryview:
        """Return the bytes of the data set."""
