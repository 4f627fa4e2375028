"""The queue of instances to send: filled only as needed, and shared by the jobs of one sending.

No thread searches. A job that takes a file pulls another one out of the finder, so the number of files that wait stays the
same. Sending begins when `GATHERED` files are found, or after `GATHERING` seconds.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from threading import Condition, Lock, RLock
from typing import Protocol

from dimse.errors import DimseError, NotSent
from dimse.instances import InstanceFile
from dimse.message.status import Status
from dimse.sending.proposal import Need, Proposal, Syntaxes, need_of
from dimse.services.outcome import Outcome
from dimse.support.values import record, replace

GATHERED, GATHERING = 128, 1.0
"""Files found, or seconds of search, before the first association is requested. It can then propose the contexts of most files."""
NAMED, NAMING = 500, 0.1
"""Files found, or seconds of search, after a sending is stopped, for the report of files that were not sent."""
LOOK_AHEAD = 10_000
"""The most files that wait to be sent."""
HELD_AHEAD = 64 * 1024 * 1024
"""Bytes of instances in memory that wait to be sent, from which on no further one is asked for."""
FIND_PATIENCE = 1.0
"""Seconds that an association waits for a file to be found; then it is released, and another one requested later."""
POLL_INTERVAL = 0.1
"""Seconds after which an idle job polls the flag that stops it. Stopping takes no lock, for a signal handler may do it."""


class Ledger(Protocol):
    """A record of acknowledgements: `dimse.sending.journal.Journal`."""

    def acknowledged(self, file: InstanceFile) -> Status | None:
        """Return the status with which the peer acknowledged a file in an earlier run; None if it did not."""

    def queue(self, file: InstanceFile) -> None:
        """Record that a file was found."""

    def sending(self, file: InstanceFile, attempt: int) -> None:
        """Record that the request for a file is about to be sent."""

    def record(self, file: InstanceFile, outcome: Outcome) -> None:
        """Record the outcome of a file."""


@record
class Counts:
    """The progress of a sending. Any thread may read it at any time.

    Attributes:
        found: Number of instances to send, without those that the journal has as acknowledged.
        found_bytes: Bytes of their data sets.
        done: Number of instances whose outcome is known.
        done_bytes: Bytes of their data sets.
        failed: Number of instances that were not stored, and of named paths that cannot be sent.
        already: Number of instances that were acknowledged in an earlier run.
        searching: True while more may be found.
    """

    found: int = 0
    found_bytes: int = 0
    done: int = 0
    done_bytes: int = 0
    failed: int = 0
    already: int = 0
    searching: bool = True


class Item:
    """An instance that waits or is under way.

    Attributes:
        file: Its file; each item has an object of its own.
        number: Its place in the order of the search.
        series: The series, which stays on one association; empty if any order will do.
        attempts: The number of times that it was sent.
        last: The outcome of the last attempt, if it is to be sent again.
        held: Bytes of memory that it holds; 0 for a file on the disk, and for a member of an archive.
    """

    __slots__ = ("attempts", "file", "held", "last", "number", "series")

    def __init__(self, file: InstanceFile, number: int, series: str, held: int = 0) -> None:
        self.file, self.number, self.series, self.held = file, number, series, held
        self.attempts = 0
        self.last: Outcome | None = None


class Feed:
    """The queue from which each job of a sending takes its next instance.

    Args:
        found: Files to send, outcomes of paths that cannot be sent, and None where the next one is not there yet.
        syntaxes: The rule for the transfer syntaxes to propose.
        ledger: The record of acknowledgements.
        repeat: The number of times that each file is sent.
        keep_series: True to leave a series to the job that has begun it.

    Attributes:
        counts: The progress.
        stopped: Set from any thread, so that the feed gives nothing more.
    """

    def __init__(
        self,
        found: Iterable[InstanceFile | Outcome | None],
        syntaxes: Syntaxes,
        *,
        ledger: Ledger | None = None,
        repeat: int = 1,
        keep_series: bool = False,
    ) -> None:
        self.counts = Counts()
        self.stopped = False
        self._found = iter(found)
        self.ledger = ledger
        self._syntaxes, self._repeat, self._keep_series = syntaxes, repeat, keep_series
        self._gathering, self._searching = Lock(), Lock()
        self._lock = RLock()
        self._changed = Condition(self._lock)
        # Grouped by need and then by series, so that a job skips items that its association is not for.
        self._waiting: dict[Need, dict[str, deque[Item]]] = {}
        # The job that has begun a series.
        self._owners: dict[str, object] = {}
        # Number of instances of a series that wait or are under way.
        self._unsettled: dict[str, int] = {}
        self._count = self._number = 0
        # Bytes of the instances in memory that wait.
        self._held = 0
        self._known: dict[Need, None] = {}
        self._outcomes: deque[Outcome] = deque()
        # True if the finder had nothing at the last search.
        self._dry = False
        self._gathered_at = time.monotonic() + GATHERING

    # --- for a job ---

    def propose(self, job: object) -> Proposal | None:
        """Return the contexts to propose for the next association of a job, or None when nothing is left for it; may block."""
        # One job searches at a time, and the others wait.
        with self._gathering:
            while not self.stopped and self._is_gathering and self._search():
                pass
        while not self.stopped:
            with self._lock:
                if firsts := self._firsts(job, self._waiting.values()):
                    needs = (need_of(item.file) for item in sorted(firsts, key=_number))
                    return Proposal(self._syntaxes, chain(needs, self._known if self.counts.searching else ()))
                if not self.more:
                    return None
            self._search_or_wait()
        return None

    def take(self, job: object, proposal: Proposal) -> Item | None:
        """Return the next instance for a job and its association; None if no instance is ready."""
        until = time.monotonic() + FIND_PATIENCE
        while not self.stopped:
            with self._lock:
                item = self._claim(job, proposal)
            if item is not None:
                if not self._dry:
                    self._search()
                return item
            if not self._may_find or time.monotonic() > until:
                return None
            self._search_or_wait()
        return None

    def put_back(self, items: Iterable[Item]) -> None:
        """Put instances that a job has taken back to the head of their series."""
        with self._lock:
            for item in sorted(items, key=_number, reverse=True):
                self._alike(item).appendleft(item)
                self._count += 1
                self._held += item.held
            self._changed.notify_all()

    def settle(self, item: Item, outcome: Outcome) -> None:
        """Take the final outcome of an instance that a job has taken."""
        if self.ledger is not None and not item.held:
            self.ledger.record(item.file, outcome)
        with self._lock:
            self._close(item)

    def refuse(self, proposal: Proposal, error: DimseError) -> None:
        """Give up the instances of a proposal of which the peer accepts no context."""
        with self._lock:
            refused = self._all_that_wait(proposal.covers)
        self._outcomes.extend(self._give_up(item, error) for item in refused)

    def leave(self, job: object) -> None:
        """Leave the series that a job has begun to the other jobs."""
        with self._lock:
            self._owners = {series: owner for series, owner in self._owners.items() if owner is not job}
            self._changed.notify_all()

    def outcomes(self) -> Iterator[Outcome]:
        """Yield the outcomes of instances that no job sends, each once."""
        while self._outcomes:
            try:
                yield self._outcomes.popleft()
            # Another job was faster.
            except IndexError:
                return

    def rest(self, error: DimseError) -> Iterator[Outcome]:
        """Yield the outcomes of instances that were not sent, or not sent again, after all jobs have ended."""
        until = time.monotonic() + NAMING
        while self._number < NAMED and time.monotonic() < until and self._search():
            pass
        yield from self.outcomes()
        for item in self._all_that_wait(lambda need: True):
            yield self._give_up(item, error)

    @property
    def more(self) -> bool:
        """True if instances wait, or may still be found."""
        return self.counts.searching or self._count > 0

    # --- the instances that wait ---

    def _alike(self, item: Item) -> deque[Item]:
        """Return the items that wait with the same need and series."""
        return self._waiting.setdefault(need_of(item.file), {}).setdefault(item.series, deque())

    def _all_that_wait(self, is_meant: Callable[[Need], bool]) -> list[Item]:
        meant = (by_series for need, by_series in self._waiting.items() if is_meant(need))
        return sorted((item for by_series in meant for items in by_series.values() for item in items), key=_number)

    def _firsts(self, job: object, groups: Iterable[dict[str, deque[Item]]]) -> list[Item]:
        """Return the first item of each group for a job: of a series that it has begun, or that no job has."""
        firsts = []
        for by_series in groups:
            for series, items in by_series.items():
                if self._owners.get(series, job) is job:
                    firsts.append(items[0])
                    break
        return firsts

    def _claim(self, job: object, proposal: Proposal) -> Item | None:
        groups = [by_series for need, by_series in self._waiting.items() if proposal.covers(need)]
        firsts = self._firsts(job, groups)
        if not firsts:
            return None
        item = firsts[0]
        # A series that was begun goes on, with its items in their order.
        if len(firsts) > 1:
            series = min(firsts, key=lambda item: (item.series not in self._owners, item.number)).series
            item = min((by_series[series][0] for by_series in groups if series in by_series), key=_number)
        self._remove(item, 0)
        if self._keep_series:
            self._owners[item.series] = job
        return item

    def _remove(self, item: Item, index: int) -> None:
        by_series = self._waiting[need_of(item.file)]
        items = by_series[item.series]
        del items[index]
        self._count -= 1
        self._held -= item.held
        if not items:
            del by_series[item.series]
            if not by_series:
                del self._waiting[need_of(item.file)]

    def _give_up(self, item: Item, error: DimseError) -> Outcome:
        """Give up an instance that waits, and return its outcome: that of the last attempt, or an error."""
        with self._lock:
            self._remove(item, next(index for index, other in enumerate(self._alike(item)) if other is item))
            self._close(item)
        outcome = item.last or _unsent(item.file, error)
        if item.held:
            return without_memory(outcome, item.file)
        if self.ledger is not None:
            self.ledger.record(item.file, outcome)
        return outcome

    def _close(self, item: Item) -> None:
        """Count an item as settled. After the last item of a series no job owns the series."""
        self._unsettled[item.series] -= 1
        if not self._unsettled[item.series]:
            del self._unsettled[item.series]
            self._owners.pop(item.series, None)
            self._changed.notify_all()

    # --- the search ---

    @property
    def _is_gathering(self) -> bool:
        return self._number < GATHERED and time.monotonic() < self._gathered_at

    @property
    def _may_find(self) -> bool:
        """True if more may be found, and there is room for it."""
        return self.counts.searching and self._count < LOOK_AHEAD and self._held < HELD_AHEAD

    def _search_or_wait(self) -> None:
        if not self._search():
            with self._lock:
                self._changed.wait(POLL_INTERVAL)

    def _search(self) -> bool:
        """Find one more; return False if nothing can be found at present, or another job searches."""
        if not self._may_find or not self._searching.acquire(blocking=False):
            return False
        try:
            found = next(self._found, self)
            if found is self:
                self.counts.searching = False
            self._dry = found is None
            if found is None:
                return False
            if isinstance(found, Outcome):
                self._outcomes.append(found)
            elif isinstance(found, InstanceFile):
                self._enter(found)
        finally:
            self._searching.release()
        return True

    def _enter(self, file: InstanceFile) -> None:
        """Put an instance into the queue, unless it was acknowledged in an earlier run."""
        held = 0 if file.container is None else file.container.held
        # The journal knows files: it cannot tell whether an instance in memory is the one that was acknowledged.
        if self.ledger is not None and not held:
            status = self.ledger.acknowledged(file)
            if status is not None:
                self._outcomes.append(replace(_outcome(file), status=status))
                return
            self.ledger.queue(file)
        series = file.series_instance_uid if self._keep_series else ""
        with self._lock:
            self._known[need_of(file)] = None
            for time_ in range(self._repeat):
                self._number += 1
                item = Item(replace(file) if time_ else file, self._number, series, held=held)
                self._alike(item).append(item)
            self._unsettled[series] = self._unsettled.get(series, 0) + self._repeat
            self._count += self._repeat
            self._held += self._repeat * held
            self.counts.found += self._repeat
            self.counts.found_bytes += self._repeat * file.data_set_size
            self._changed.notify_all()


def _number(item: Item) -> int:
    return item.number


def _outcome(file: InstanceFile) -> Outcome:
    """Return the outcome that a file has before it is sent."""
    return Outcome(
        file.path,
        sop_instance_uid=file.sop_instance_uid,
        sop_class_uid=file.sop_class_uid,
        transfer_syntax_uid=file.transfer_syntax_uid,
        size=file.data_set_size,
        source=file,
    )


def without_memory(outcome: Outcome, file: InstanceFile) -> Outcome:
    """Return an outcome that does not keep the bytes of an instance in memory."""
    from dimse.instances.memory import emptied

    return replace(outcome, source=emptied(file))


def _unsent(file: InstanceFile, error: DimseError) -> Outcome:
    not_sent = NotSent(f"not sent: {error}")
    not_sent.__cause__ = error
    return replace(_outcome(file), error=not_sent)
