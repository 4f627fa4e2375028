"""What waits to be sent: found no sooner than needed, and shared by the jobs of one sending.

There is no thread that searches. A job that takes a file pulls another one out of the finder behind it, so what is known
ahead of the sending stays as much as it was, and sending begins after `GATHERING` seconds of search at the latest.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable, Iterator
from itertools import chain
from threading import Condition, Lock
from typing import Protocol

from dimse.errors import DimseError, NotSent
from dimse.instances import InstanceFile
from dimse.message.status import Status
from dimse.sending.proposal import Need, Proposal, Syntaxes, need_of
from dimse.services.storage import Outcome
from dimse.values import record, replace

GATHERING = 1.0
"""Seconds of search before the first association is requested, so that it can propose what most files need."""
LOOK_AHEAD = 10_000
"""Files that are known and not sent, at most."""
GLANCE = 0.1
"""Seconds between two looks of a job that has nothing to do: what stops a sending takes no lock, for it may be a signal."""


class Ledger(Protocol):
    """What remembers acknowledgements: `dimse.sending.journal.Journal`, or nothing."""

    def acknowledged(self, file: InstanceFile) -> Status | None:
        """The peer's answer to it in an earlier run, if it was acknowledged."""

    def queue(self, file: InstanceFile) -> None:
        """It was found."""

    def sending(self, file: InstanceFile, attempt: int) -> None:
        """Its request is about to go out."""

    def record(self, file: InstanceFile, outcome: Outcome) -> None:
        """What became of it."""


@record
class Counts:
    """How far a sending has come. May be read from any thread while it goes on.

    Attributes:
        found: Instances to be sent, without those that an earlier run's journal has.
        found_bytes: Their data sets.
        done: Of those, the ones whose outcome is known.
        done_bytes: Their data sets.
        failed: Of the done ones, those that were not stored; and what was asked for and cannot be sent.
        already: Acknowledged in an earlier run.
        searching: May there be more?
    """

    found: int = 0
    found_bytes: int = 0
    done: int = 0
    done_bytes: int = 0
    failed: int = 0
    already: int = 0
    searching: bool = True


@record
class Item:
    """An instance that waits or is under way.

    Attributes:
        file: Its file; no two items have the same object.
        number: Its place in the order of the search.
        series: What stays on one association; empty where any order will do.
        attempts: How often it was sent.
        last: What came of that, where it is to be sent again.
    """

    file: InstanceFile
    number: int
    series: str
    attempts: int = 0
    last: Outcome | None = None


class Feed:
    """Gives each job of a sending what it is to send next.

    Args:
        found: What there is to send, and outcomes of what cannot be.
        syntaxes: How transfer syntaxes are chosen.
        ledger: What remembers acknowledgements.
        repeat: How often each file is sent.
        keep_series: A series stays with the job that has begun it.

    Attributes:
        counts: How far it has come.
        stopped: Set from any thread, to give nothing more.
    """

    def __init__(
        self,
        found: Iterable[InstanceFile | Outcome],
        syntaxes: Syntaxes,
        *,
        ledger: Ledger | None = None,
        repeat: int = 1,
        keep_series: bool = False,
    ) -> None:
        self.counts = Counts()
        self.stopped = False
        self._found = iter(found)
        self._syntaxes, self._ledger, self._repeat, self._keep_series = syntaxes, ledger, repeat, keep_series
        self._gathering, self._searching = Lock(), Lock()
        self._changed = Condition()
        self._waiting: dict[str, deque[Item]] = {}  # by series
        self._owners: dict[str, object] = {}  # the job that has begun a series
        self._under_way: dict[str, int] = {}  # instances of a series that a job has taken
        self._count = self._number = 0
        self._known: dict[Need, None] = {}
        self._outcomes: deque[Outcome] = deque()
        self._gathered_at = time.monotonic() + GATHERING

    # --- for a job ---

    def propose(self, job: object) -> Proposal | None:
        """What to propose for the next association of a job; None when nothing is left for it. May wait."""
        with self._gathering:  # one job searches, and the others wait for what it finds
            while not self.stopped and time.monotonic() < self._gathered_at and self._search():
                pass
        while not self.stopped:
            with self._changed:
                needs = dict.fromkeys(need_of(item.file) for items in self._free_for(job) for item in items)
                if needs:
                    more = self._known if self.counts.searching else ()
                    return Proposal(self._syntaxes, chain(needs, more))
                if not self.counts.searching and not self._waiting:
                    return None
            self._search_or_wait()
        return None

    def take(self, job: object, proposal: Proposal) -> Item | None:
        """The next instance for a job that the association is for; None if there is none for the time being."""
        while not self.stopped:
            with self._changed:
                item = self._claim(job, proposal)
            if item is not None:
                self._search()
                return item
            if not self._may_find:
                return None
            self._search_or_wait()
        return None

    def put_back(self, items: Iterable[Item]) -> None:
        """Instances that a job has taken and that are to be sent after all, before anything else of their series."""
        with self._changed:
            for item in sorted(items, key=lambda item: item.number, reverse=True):
                self._waiting.setdefault(item.series, deque()).appendleft(item)
                self._under_way[item.series] -= 1
                self._count += 1
            self._changed.notify_all()

    def settle(self, item: Item, outcome: Outcome) -> None:
        """What has become of an instance that a job has taken is known, and stays so."""
        if self._ledger is not None:
            self._ledger.record(item.file, outcome)
        with self._changed:
            self._under_way[item.series] -= 1
            if not self._under_way[item.series] and item.series not in self._waiting:
                self._disown(item.series)

    def refuse(self, proposal: Proposal, error: DimseError) -> None:
        """The peer accepts none of these contexts: what they are for is not sent."""
        with self._changed:
            refused = [
                item for items in self._waiting.values() for item in items if proposal.covers(need_of(item.file))
            ]
        for item in sorted(refused, key=lambda item: item.number):
            self._outcomes.append(self._give_up(item, error))

    def leave(self, job: object) -> None:
        """A job has ended: the series that it has begun are for the others."""
        with self._changed:
            for series in [series for series, owner in self._owners.items() if owner is job]:
                self._disown(series)
            self._changed.notify_all()

    def outcomes(self) -> Iterator[Outcome]:
        """The outcomes, each once, of what is not for a job to send."""
        while self._outcomes:
            try:
                yield self._outcomes.popleft()
            except IndexError:  # another job was faster
                return

    def rest(self, error: DimseError) -> Iterator[Outcome]:
        """When all jobs have ended: the outcomes of what was not sent, or not again, for want of an association."""
        yield from self.outcomes()
        left = [item for items in self._waiting.values() for item in items]
        for item in sorted(left, key=lambda item: item.number):
            yield self._give_up(item, error)

    # --- what waits ---

    def _free_for(self, job: object) -> Iterator[deque[Item]]:
        return (items for series, items in self._waiting.items() if self._owners.get(series, job) is job)

    def _claim(self, job: object, proposal: Proposal) -> Item | None:
        for items in self._free_for(job):
            for index, item in enumerate(items):
                if proposal.covers(need_of(item.file)):
                    self._remove(items, index)
                    self._under_way[item.series] = self._under_way.get(item.series, 0) + 1
                    if self._keep_series:
                        self._owners[item.series] = job
                    return item
        return None

    def _remove(self, items: deque[Item], index: int) -> None:
        item = items[index]
        del items[index]
        if not items:
            del self._waiting[item.series]
        self._count -= 1

    def _give_up(self, item: Item, error: DimseError) -> Outcome:
        """An instance that waits is sent no more: if it was before, what came of that counts."""
        with self._changed:
            items = self._waiting[item.series]
            self._remove(items, next(index for index, other in enumerate(items) if other is item))
        outcome = item.last or _unsent(item.file, error)
        if self._ledger is not None:
            self._ledger.record(item.file, outcome)
        return outcome

    def _disown(self, series: str) -> None:
        self._owners.pop(series, None)
        if not self._under_way.get(series):
            self._under_way.pop(series, None)
        self._changed.notify_all()

    # --- the search ---

    @property
    def _may_find(self) -> bool:
        """May there be more, and is there room for it?"""
        return self.counts.searching and self._count < LOOK_AHEAD

    def _search_or_wait(self) -> None:
        if not self._search():
            with self._changed:
                self._changed.wait(GLANCE)

    def _search(self) -> bool:
        """Find one more; False if there is no use in it, or if another job is at it."""
        if not self._may_find or not self._searching.acquire(blocking=False):
            return False
        try:
            found = next(self._found, None)
            if found is None:
                self.counts.searching = False
            elif isinstance(found, Outcome):
                self._outcomes.append(found)
            else:
                self._enter(found)
        finally:
            self._searching.release()
        return True

    def _enter(self, file: InstanceFile) -> None:
        """An instance was found: it waits, unless an earlier run has its acknowledgement."""
        if self._ledger is not None:
            status = self._ledger.acknowledged(file)
            if status is not None:
                self._outcomes.append(replace(_outcome(file), status=status))
                return
            self._ledger.queue(file)
        series = file.series_instance_uid if self._keep_series else ""
        with self._changed:
            self._known[need_of(file)] = None
            for time_ in range(self._repeat):
                self._number += 1
                item = Item(replace(file) if time_ else file, self._number, series)
                self._waiting.setdefault(series, deque()).append(item)
                self._count += 1
                self.counts.found += 1
                self.counts.found_bytes += file.data_set_size
            self._changed.notify_all()


def _outcome(file: InstanceFile) -> Outcome:
    """The outcome of a file that has none yet."""
    return Outcome(
        file.path,
        sop_instance_uid=file.sop_instance_uid,
        sop_class_uid=file.sop_class_uid,
        transfer_syntax_uid=file.transfer_syntax_uid,
        size=file.data_set_size,
        source=file,
    )


def _unsent(file: InstanceFile, error: DimseError) -> Outcome:
    not_sent = NotSent(f"not sent: {error}")
    not_sent.__cause__ = error
    return replace(_outcome(file), error=not_sent)
