"""The progress of a sending for the bar, with the files that its search has not come to yet."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager

from dimse.sending import Sending
from dimse.sending.counting import Count
from dimse.support.values import value


@value
class Expected:
    """The progress of a sending, and what is expected of it; the attributes are those of `dimse.tools.progress.Counts`."""

    found: int
    found_bytes: int
    done: int
    done_bytes: int
    failed: int
    searching: bool
    is_least: bool
    notes: tuple[str, ...]


class SendingProgress:
    """The progress of a sending, which any thread may read.

    Args:
        sending: The sending.
        count: The count of the files that its search will come to.
        jobs: The number of its jobs.
        repeat: The number of times that each file is sent.
    """

    def __init__(self, sending: Sending, count: Count, *, jobs: int = 1, repeat: int = 1) -> None:
        self._sending, self._count, self._jobs, self._repeat = sending, count, jobs, repeat

    @property
    def sent_bytes(self) -> int:
        """The bytes sent so far."""
        return self._sending.sent_bytes

    @property
    def counts(self) -> Expected:
        """The progress so far. A file that is counted and not met by the search is expected to be sent."""
        counts, met, count = self._sending.counts, self._sending.met, self._count
        ahead = ahead_bytes = 0
        if counts.searching:
            ahead = max(0, count.tally.files - met.files) * self._repeat
            ahead_bytes = max(0, count.tally.size - met.size) * self._repeat
        return Expected(
            counts.found + ahead,
            counts.found_bytes + ahead_bytes,
            counts.done,
            counts.done_bytes,
            counts.failed,
            counts.searching and not count.is_whole,
            counts.searching and count.is_over and not count.is_whole,
            self._notes(),
        )

    def _notes(self) -> tuple[str, ...]:
        notes = []
        if self._jobs > 1:
            notes.append(f"{self._sending.associations} of {self._jobs} jobs")
        if retries := self._sending.retries:
            notes.append(f"{retries:,} retries" if retries > 1 else "1 retry")
        return tuple(notes)


@contextmanager
def watched(sending: Sending, options: argparse.Namespace) -> Iterator[SendingProgress]:
    """Give the progress of a sending, and count the files that the options name while the body runs."""
    # The list of paths on stdin can be read only once.
    paths = [None if path == "-" else path for path in options.path]
    count = Count(paths, recurse=options.recurse)
    count.start()
    try:
        yield SendingProgress(sending, count, jobs=options.jobs, repeat=options.repeat)
    finally:
        count.stop()
