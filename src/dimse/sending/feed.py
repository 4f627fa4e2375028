"""What waits to be sent: found no sooner than needed, and shared by the jobs of one sending.

There is no thread that searches. A job that takes a file pulls another one out of the finder behind it, so what is known
ahead of the sending stays as much as it was, and sending begins when `GATHERED` files are found, or after `GATHERING` seconds.
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
"""Files that are found, or seconds of search, before the first association is requested, so that it can propose what most need."""
NAMED, NAMING = 500, 0.1
"""Files that are found, or seconds of search, when a sending is stopped, so that it can be said what was not sent."""
LOOK_AHEAD = 10_000
"""Files that are known and not sent, at most."""
PATIENCE = 1.0
"""Seconds that an association waits for something to be found; then it is released, and another one requested later."""
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


class Item:
    """An instance that waits or is under way.

    Attributes:
        file: Its file; no two items have the same object.
        number: Its place in the order of the search.
        series: What stays on one association; empty where any order will do.
        attempts: How often it was sent.
        last: What came of that, where it is to be sent again.
    """

    __slots__ = ("attempts", "file", "last", "number", "series")

    def __init__(self, file: InstanceFile, number: int, series: str) -> None:
        self.file, self.number, self.series = file, number, series
        self.attempts = 0
        self.last: Outcome | None = None


class Feed:
    """Gives each job of a sending what it is to send next.

    Args:
        found: What there is to send, and outcomes of what cannot be; None where there is nothing for the moment.
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
        self._syntaxes, self._ledger, self._repeat, self._keep_series = syntaxes, ledger, repeat, keep_series
        self._gathering, self._searching = Lock(), Lock()
        self._lock = RLock()
        self._changed = Condition(self._lock)
        # By what it needs and then by series: what an association is not for costs its job no look.
        self._waiting: dict[Need, dict[str, deque[Item]]] = {}
        self._owners: dict[str, object] = {}  # the job that has begun a series
        self._unsettled: dict[str, int] = {}  # instances of a series that wait or are under way
        self._count = self._number = 0
        self._known: dict[Need, None] = {}
        self._outcomes: deque[Outcome] = deque()
        self._dry = False  # was there nothing for the moment, when last asked?
        self._gathered_at = time.monotonic() + GATHERING

    # --- for a job ---

    def propose(self, job: object) -> Proposal | None:
        """What to propose for the next association of a job; None when nothing is left for it. May wait."""
        with self._gathering:  # one job searches, and the others wait for what it finds
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
        """The next instance for a job that the association is for; None if there is none for the time being."""
        until = time.monotonic() + PATIENCE
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
        """Instances that a job has taken and that are to be sent after all, before anything else of their series."""
        with self._lock:
            for item in sorted(items, key=_number, reverse=True):
                self._alike(item).appendleft(item)
                self._count += 1
            self._changed.notify_all()

    def settle(self, item: Item, outcome: Outcome) -> None:
        """What has become of an instance that a job has taken is known, and stays so."""
        if self._ledger is not None:
            self._ledger.record(item.file, outcome)
        with self._lock:
            self._close(item)

    def refuse(self, proposal: Proposal, error: DimseError) -> None:
        """The peer accepts none of these contexts: what they are for is not sent."""
        with self._lock:
            refused = self._all_that_wait(proposal.covers)
        self._outcomes.extend(self._give_up(item, error) for item in refused)

    def leave(self, job: object) -> None:
        """A job has ended: the series that it has begun are for the others."""
        with self._lock:
            self._owners = {series: owner for series, owner in self._owners.items() if owner is not job}
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
        until = time.monotonic() + NAMING
        while self._number < NAMED and time.monotonic() < until and self._search():
            pass
        yield from self.outcomes()
        for item in self._all_that_wait(lambda need: True):
            yield self._give_up(item, error)

    @property
    def more(self) -> bool:
        """Is there anything that waits, or may something be found yet?"""
        return self.counts.searching or self._count > 0

    # --- what waits ---

    def _alike(self, item: Item) -> deque[Item]:
        """What waits, needs the same, and is of the same series."""
        return self._waiting.setdefault(need_of(item.file), {}).setdefault(item.series, deque())

    def _all_that_wait(self, is_meant: Callable[[Need], bool]) -> list[Item]:
        meant = (by_series for need, by_series in self._waiting.items() if is_meant(need))
        return sorted((item for by_series in meant for items in by_series.values() for item in items), key=_number)

    def _firsts(self, job: object, groups: Iterable[dict[str, deque[Item]]]) -> list[Item]:
        """The first item of each group that is for a job: of a series that it has begun, or that nobody has."""
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
        if len(firsts) > 1:  # a series that is begun goes on, and its items in their order
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
        if not items:
            del by_series[item.series]
            if not by_series:
                del self._waiting[need_of(item.file)]

    def _give_up(self, item: Item, error: DimseError) -> Outcome:
        """An instance that waits is sent no more: if it was before, what came of that counts."""
        with self._lock:
            self._remove(item, next(index for index, other in enumerate(self._alike(item)) if other is item))
            self._close(item)
        outcome = item.last or _unsent(item.file, error)
        if self._ledger is not None:
            self._ledger.record(item.file, outcome)
        return outcome

    def _close(self, item: Item) -> None:
        """An item is done with: a series of which it was the last belongs to nobody."""
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
        """May there be more, and is there room for it?"""
        return self.counts.searching and self._count < LOOK_AHEAD

    def _search_or_wait(self) -> None:
        if not self._search():
            with self._lock:
                self._changed.wait(GLANCE)

    def _search(self) -> bool:
        """Find one more; False if there is no use in it, or if another job is at it."""
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
        """An instance was found: it waits, unless an earlier run has its acknowledgement."""
        if self._ledger is not None:
            status = self._ledger.acknowledged(file)
            if status is not None:
                self._outcomes.append(replace(_outcome(file), status=status))
                return
            self._ledger.queue(file)
        series = file.series_instance_uid if self._keep_series else ""
        with self._lock:
            self._known[need_of(file)] = None
            for time_ in range(self._repeat):
                self._number += 1
                item = Item(replace(file) if time_ else file, self._number, series)
                self._alike(item).append(item)
            self._unsettled[series] = self._unsettled.get(series, 0) + self._repeat
            self._count += self._repeat
            self.counts.found += self._repeat
            self.counts.found_bytes += self._repeat * file.data_set_size
            self._changed.notify_all()


def _number(item: Item) -> int:
    return item.number


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
