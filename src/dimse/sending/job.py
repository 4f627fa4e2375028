"""A job: one association after another, until there is nothing left for it to send."""

from __future__ import annotations

import os
import time
from collections.abc import AsyncIterator, Callable, Iterator

from dimse.errors import DimseError, FileError, JournalError, RefusedContexts, StatusError
from dimse.instances import InstanceFile
from dimse.meanings import Stage, is_passing, is_passing_status
from dimse.message.command import LOW
from dimse.sending.associations import Associations
from dimse.sending.feed import GLANCE, Feed, Item, Ledger
from dimse.sending.proposal import Proposal
from dimse.sending.retry import Retry
from dimse.services import Association
from dimse.services.outcome import Outcome
from dimse.services.sources import Storable, Transcode
from dimse.support.values import replace, value

MOST_GIVEN_UP = 2
"""Instances in a row that were tried as often as they may, after which it is the peer that is at fault, not they.

Where none is tried again: associations in a row that were lost before the peer had answered a request.
"""


@value
class AssociationFault:
    """An association did not come about, was lost, or is given up to try again on another one.

    Attributes:
        stage: While what: "request", "transfer" or "release".
        error: What happened; a `StatusError` where the peer is out of resources.
        again: Seconds until another association is requested; None if none is.
    """

    stage: Stage
    error: DimseError
    again: float | None = None


Event = Outcome | AssociationFault


@value
class Manner:
    """How instances are sent.

    Attributes:
        priority: 0 medium, 1 high, 2 low.
        transcode: See `dimse.Association.store`.
        retry: What is tried again.
        abort: End an association by A-ABORT, not by release.
        announce: Called with each file whose request is about to go out, in the job's thread.
    """

    priority: int = LOW
    transcode: Transcode = "lossless"
    retry: Retry = Retry()
    abort: bool = False
    announce: Callable[[InstanceFile], object] | None = None


class Job:
    """Sends what a feed gives it.

    Args:
        feed: Where it comes from.
        associations: Requests them.
        manner: How it is sent.
        ledger: What is told of each attempt.

    Attributes:
        association: The one that is under way, if there is one.
        associated: Was there ever a usable one?
        sent_bytes: Bytes that went out on those that have ended.
    """

    def __init__(self, feed: Feed, associations: Associations, manner: Manner, ledger: Ledger | None = None) -> None:
        self.association: Association | None = None
        self.associated = False
        self.sent_bytes = 0
        self._feed, self._associations, self._manner, self._ledger = feed, associations, manner, ledger
        self._under_way: dict[int, Item] = {}  # by the identity of its file
        self._to_repeat: list[Item] = []
        self._failures = self._given_up = 0  # in a row
        # Whether an instance was sent on the association under way, and whether the peer has answered one.
        self._sent = self._answered = False
        self._ended = False

    async def run(self) -> AsyncIterator[Event]:
        """Send until nothing is left, or until there is no more use in trying."""
        try:
            while not self._ended and (proposal := self._feed.propose(self)) is not None:
                for outcome in self._feed.outcomes():
                    yield outcome
                async for event in self._over_one_association(proposal):
                    yield event
        finally:
            self._feed.leave(self)
        for outcome in self._feed.outcomes():
            yield outcome

    def abort(self) -> bool:
        """Abort the association under way, from any thread or a signal's handler; False if there is none."""
        association = self.association
        if association is None or not association.open:
            return False
        association.abort()
        return True

    async def _over_one_association(self, proposal: Proposal) -> AsyncIterator[Event]:
        try:
            association = await self._associations.request(proposal.contexts)
        except RefusedContexts as error:
            self._feed.refuse(proposal, error)
            yield AssociationFault("request", error)
            return
        except DimseError as error:
            fault = self._fail("request", error)
            yield fault
            self._pause(fault)
            return
        self.association, self.associated = association, True
        self._sent = self._answered = False
        if self._feed.stopped:  # while it was being requested
            association.abort()
        try:
            async for event in self._until_it_ends(association, proposal):
                yield event
        finally:
            self._put_back()
            self.sent_bytes += association.sent_bytes
            self.association = None
            if association.open:
                association.abort()

    async def _until_it_ends(self, association: Association, proposal: Proposal) -> AsyncIterator[Event]:
        fault: AssociationFault | None = None
        outcomes = association.store_many(
            self._sources(proposal),
            priority=self._manner.priority,
            transcode=self._manner.transcode,
            ahead=True,
            alone=self._is_sent_again,
        )
        try:
            async for outcome in outcomes:
                final = self._settle(outcome)
                if final is not None:
                    yield final
                for other in self._feed.outcomes():
                    yield other
        except JournalError:
            raise
        except FileError:
            return  # a file became shorter, and its outcome says so: the others go on another association
        except DimseError as error:
            fault = self._fail("transfer", error)
        else:
            if self._to_repeat:
                fault = self._fail("transfer", _refusal(self._to_repeat[-1]))
            parting = await self._part(association)
            if parting is not None:
                yield parting
        if fault is not None and not self._feed.stopped:
            if not isinstance(
                fault.error, StatusError
            ):  # what is under way need not wait for us, if there are other jobs
                self._put_back()
                self._feed.leave(self)
            yield fault
            self._pause(fault)

    async def _part(self, association: Association) -> AssociationFault | None:
        """All is answered by now: how the peer parts from us is no fault of what was sent."""
        if self._manner.abort:
            association.abort()
            return None
        try:
            await association.release()
        except DimseError as error:
            return AssociationFault("release", error)
        return None

    # --- what is under way ---

    def _sources(self, proposal: Proposal) -> Iterator[InstanceFile]:
        while not self._to_repeat and (item := self._feed.take(self, proposal)) is not None:
            item.attempts += 1
            self._under_way[id(item.file)] = item
            if self._ledger is not None:
                self._ledger.sending(item.file, item.attempts)
            if self._manner.announce is not None:
                self._manner.announce(item.file)
            yield item.file

    def _is_sent_again(self, source: Storable) -> bool:
        """Of what is sent again one may be what the association before died of."""
        return self._under_way[id(source)].attempts > 1

    def _settle(self, outcome: Outcome) -> Outcome | None:
        """What became of an instance; None if it is to be sent again."""
        item = self._under_way.pop(id(outcome.source))
        if not outcome.attempts:  # it did not come to that
            item.attempts -= 1
        if outcome.attempts != item.attempts:
            outcome = replace(outcome, attempts=item.attempts)
        self._sent = self._sent or outcome.attempts > 0
        self._answered = self._answered or outcome.status is not None
        if not _is_passing(outcome):
            if outcome.status is not None:
                self._failures = self._given_up = 0
        elif self._manner.retry.times:
            if item.attempts <= self._manner.retry.times and not self._feed.stopped:
                item.last = outcome
                self._to_repeat.append(item)
                return None
            self._given_up += 1
            # The association that may end with it was the last one for its sake.
            self._failures = -1
        self._feed.settle(item, outcome)
        return outcome

    def _put_back(self) -> None:
        """What was taken and did not go out, and what is to be sent again."""
        for item in self._under_way.values():
            item.attempts -= 1
        self._feed.put_back([*self._under_way.values(), *self._to_repeat])
        self._under_way.clear()
        self._to_repeat.clear()

    # --- faults ---

    def _fail(self, stage: Stage, error: DimseError) -> AssociationFault:
        """Decide whether another association is requested."""
        unanswered = stage == "transfer" and not self._answered and not self._feed.stopped
        if unanswered and self._associations.withdraw_window(error):
            return AssociationFault(stage, error, 0.0)
        self._failures += 1
        retry = self._manner.retry
        most = retry.times if is_passing(error) else 0
        if not most and stage == "transfer" and self._sent:
            # One instance may have cost it. That one is not sent again, and does not keep the rest from being sent.
            most = MOST_GIVEN_UP - 1
        if self._failures > most or self._given_up >= MOST_GIVEN_UP or self._feed.stopped:
            self._ended = True
            return AssociationFault(stage, error)
        pause = retry.pause(self._failures, os.urandom(1)[0] / 255) if retry.times else 0.0
        return AssociationFault(stage, error, pause)

    def _pause(self, fault: AssociationFault) -> None:
        """Wait for the next attempt, for as long as there is anything to be tried."""
        end = time.monotonic() + (fault.again or 0)
        while not self._feed.stopped and (self._to_repeat or self._feed.more) and (left := end - time.monotonic()) > 0:
            time.sleep(min(left, GLANCE))


def _is_passing(outcome: Outcome) -> bool:
    if outcome.status is not None:
        return is_passing_status(outcome.status)
    return outcome.error is not None and is_passing(outcome.error)


def _refusal(item: Item) -> DimseError:
    """Why an instance is to be sent again on another association, where the one that it was sent on stands."""
    assert item.last is not None and item.last.status is not None
    status = item.last.status
    return StatusError(status, f"{item.file.path}: {status}: {status.meaning}")
