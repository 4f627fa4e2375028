"""The progress of a command of `dimse archive`, for the bar."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from typing import Self

from dimse.tools.progress import Bar


class Progress:
    """The progress of a command, which counts files. The thread of the bar reads it.

    Args:
        found: The number of files, as far as it is known.

    Attributes:
        found, found_bytes, done, done_bytes, failed, searching, is_least, notes: As of `dimse.tools.progress.Counts`.
    """

    found_bytes: int | None = None
    is_least = False
    notes: Sequence[str] = ()

    def __init__(self, found: int = 0) -> None:
        self.found, self.searching = found, not found
        self.done = self.done_bytes = self.failed = 0

    @property
    def counts(self) -> Self:
        """The counts: those of this object."""
        return self

    @property
    def sent_bytes(self) -> int:
        """The bytes so far."""
        return self.done_bytes

    def add(self, size: int = 0) -> None:
        """Count a file that has an outcome."""
        self.reach(self.done + 1)
        self.done_bytes += size

    def reach(self, number: int) -> None:
        """Record that so many files have an outcome."""
        self.done = number
        self.found = max(self.found, number)

    def bar(self, *, enabled: bool) -> Bar:
        """Return a bar of this progress, to be entered."""
        return Bar(lambda: nullcontext(self), enabled=enabled)
