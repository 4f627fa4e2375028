"""Sources of a data set's bytes for a walk, from a file or inflated, and the faults that a walk finds."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping

WINDOW = 65_536
"""The most bytes of one window, and the most that `peek` inflates."""
UIDS_WITHIN = 4 * 1024 * 1024
"""Inflated bytes of a deflated data set within which its UIDs must be. In real data sets a few hundred precede them."""

# The window after a long value has been skipped: often a short value follows, or another long one.
_FIRST_WINDOW = 4_096
_DEFLATED_WINDOW = 16_384

SOP_CLASS_UID = 0x00080016
SOP_INSTANCE_UID = 0x00080018
UIDS = frozenset((SOP_CLASS_UID, SOP_INSTANCE_UID))

Read = Callable[[int, int], bytes]
"""`read(offset, size)` returns `size` bytes at `offset`, or fewer at the end of the bytes."""


class MalformedDataSet(ValueError):
    """The bytes are not a whole data set; the message describes the fault and its place in one line.

    Attributes:
        position: The offset of the faulty header; None if the fault is not in a header.
    """

    def __init__(self, message: str, position: int | None = None) -> None:
        super().__init__(message)
        self.position = position


class CutShort(MalformedDataSet):
    """The data set ends inside an element, or continues with bytes that are not one."""


class BeyondLimits(MalformedDataSet):
    """The data set is larger than the limits allow."""


class NestedTooDeep(MalformedDataSet):
    """The data set has more than `MAXIMUM_NESTING` nested sequences."""


class Plain:
    """A source of bytes that can be read at any position; the positions only grow."""

    def __init__(self, read: Read, end: int, head: bytes = b"") -> None:
        self._read, self._end, self.head = read, end, head[:end]
        self._size, self._loaded = _FIRST_WINDOW, 0

    def load(self, position: int, size: int) -> bytes:
        """Return at least `size` bytes at `position`, or fewer at the end of the bytes."""
        # Successive small elements are read in growing windows; after a long value the window is small again.
        near = position < self._loaded + self._size
        self._size = min(2 * self._size, WINDOW) if near else _FIRST_WINDOW
        size = min(max(self._size, size), max(0, self._end - position))
        at_hand = position + size <= len(self.head)
        window = self.head[position : position + size] if at_hand else self._read(position, size)
        self._loaded = position + len(window)
        return window


class Inflated:
    """A source like `Plain` for the inflated bytes of a deflated data set (PS3.5 A.5); it keeps a window of them."""

    head = b""

    def __init__(self, read: Read, start: int, end: int) -> None:
        self._read, self._next, self._end = read, start, end
        self._inflate = zlib.decompressobj(-zlib.MAX_WBITS)
        # A window of inflated bytes, and its inflated offset.
        self._window, self._base = b"", 0
        # The values that the walk has found so far, by tag.
        self.found: Mapping[int, str] = {}

    def load(self, position: int, size: int) -> bytes:
        while (inflated := self._base + len(self._window)) < position + size and (more := self._more()):
            if inflated >= UIDS_WITHIN and not self.found.keys() >= UIDS:
                raise MalformedDataSet(f"its UIDs are not among the first {UIDS_WITHIN:,} bytes that it inflates to")
            kept = self._window[max(0, position - self._base) :]
            self._base += len(self._window) - len(kept)
            self._window = kept + more
        if position > self._base + len(self._window):
            raise CutShort(
                f"cut short: the data set ends within an element, {position:,} bytes from its start (inflated)"
            )
        return self._window[position - self._base :]

    def _more(self) -> bytes:
        """Return up to `WINDOW` further inflated bytes; none at the end of the stream."""
        inflate = self._inflate
        while not inflate.eof:
            deflated = inflate.unconsumed_tail or self._compressed()
            try:
                inflated = inflate.decompress(deflated, WINDOW)
            except zlib.error as error:
                raise MalformedDataSet(f"the deflated data set does not inflate: {error}") from None
            if inflated:
                return inflated
            if not deflated:
                raise CutShort(f"cut short: the deflated data set is not complete at offset {self._end:,}")
        return b""

    def _compressed(self) -> bytes:
        deflated = self._read(self._next, min(_DEFLATED_WINDOW, self._end - self._next))
        self._next += len(deflated)
        return deflated
