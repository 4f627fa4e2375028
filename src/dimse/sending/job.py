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
from dimse.sending.feed import POLL_INTERVAL, Feed, Item, without_memory
from dimse.sending.proposal import Proposal
from dimse.sending.retry import Retry
from dimse.services import Association
from dimse.services.outcome import Outcome
from dimse.services.sources import Storable, Transcode
from dimse.support.values import replace, value

MOST_GIVEN_UP = 2
"""Instances in a row that failed as often as they are tried, after which the peer is taken to be at fault.

Without retries it counts associations in a row that were lost before the peer had answered a request.
"""


@value
class AssociationFault:
    """A fault of an association: it was not established, was lost, or is given up to try again on another one.

    Attributes:
        stage: The stage of the fault: "request", "transfer" or "release".
        error: The error; a `StatusError` if the peer is out of resources.
        again: Seconds until another association is requested; None if none will be.
    """

    stage: Stage
    error: DimseError
    again: float | None = None


Event = Outcome | AssociationFault


@value
class Manner:
    """The manner in which the jobs of a sending send.

    Attributes:
        priority: 0 medium, 1 high, 2 low.
        transcode: See `dimse.Association.store`.
        retry: The number of retries and the waits between them.
        abort: True to end an association by A-ABORT instead of a release.
        announce: Called with each file whose request is about to be sent, in the thread of the job.
        named: True to name the file in each line of the log about a request, because other jobs log too.
    """

    priority: int = LOW
    transcode: Transcode = "lossless"
    retry: Retry = Retry()
    abort: bool = False
    announce: Callable[[InstanceFile], object] | None = None
    named: bool = False


class Job:
    """A job of a sending: it takes instances from the feed and sends them over one association after another.

    Args:
        feed: The queue of instances.
        associations: The source of associations.
        manner: The manner of sending.

    Attributes:
        association: The current association, if there is one.
        associated: True once an association was established.
        sent_bytes: Bytes sent on associations that have ended.
        retries: The number of times that an instance or an association was tried again.
    """

    def __init__(self, feed: Feed, associations: Associations, manner: Manner) -> None:
        self.association: Association | None = None
        self.associated = False
        self.sent_bytes = self.retries = 0
        self._feed, self._associations, self._manner = feed, associations, manner
        # By the identity of the file.
        self._under_way: dict[int, Item] = {}
        self._to_repeat: list[Item] = []
        # In a row.
        self._failures = self._given_up = 0
        # True once an instance was sent on the association under way, and once the peer has answered one.
        self._sent = self._answered = False
        self._ended = False

    async def run(self) -> AsyncIterator[Event]:
        """Send until nothing is left, or until retries are used up; yield outcomes and faults."""
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
        """Abort the association under way; return False without one. Any thread and a signal handler may call it."""
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
        # The sending may have been stopped during the request.
        if self._feed.stopped:
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
            named=self._manner.named,
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
            # A file became shorter, which its outcome says. The other files need another association.
            return
        except DimseError as error:
            fault = self._fail("transfer", error)
        else:
            if self._to_repeat:
                fault = self._fail("transfer", _refusal(self._to_repeat[-1]))
            release_fault = await self._release(association)
            if release_fault is not None:
                yield release_fault
        if fault is not None and not self._feed.stopped:
            # Other jobs may send the instances under way while this one waits.
            if not isinstance(fault.error, StatusError):
                self._put_back()
                self._feed.leave(self)
            yield fault
            self._pause(fault)

    async def _release(self, association: Association) -> AssociationFault | None:
        """Release or abort the association; every request is answered, so a failure is only a fault of the release."""
        if self._manner.abort:
            association.abort()
            return None
        try:
            await association.release()
        except DimseError as error:
            return AssociationFault("release", error)
        return None

    # --- instances under way ---

    def _sources(self, proposal: Proposal) -> Iterator[InstanceFile]:
        while not self._to_repeat and (item := self._feed.take(self, proposal)) is not None:
            item.attempts += 1
            self._under_way[id(item.file)] = item
            if self._feed.ledger is not None and not item.held:
                self._feed.ledger.sending(item.file, item.attempts)
            if self._manner.announce is not None:
                self._manner.announce(item.file)
            yield item.file

    def _is_sent_again(self, source: Storable) -> bool:
        """Return True for an instance that is sent again: it may be the one that ended the last association."""
        return self._under_way[id(source)].attempts > 1

    def _settle(self, outcome: Outcome) -> Outcome | None:
        """Return the final outcome of an instance; None if it is to be sent again."""
        item = self._under_way.pop(id(outcome.source))
        # It was taken and not sent.
        if not outcome.attempts:
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
                self.retries += 1
                self._to_repeat.append(item)
                return None
            self._given_up += 1
            # If the association ends with it, that was its last attempt, and does not count against the others.
            self._failures = -1
        if item.held:
            # Outcomes that are kept must not keep what was sent.
            outcome = without_memory(outcome, item.file)
        self._feed.settle(item, outcome)
        return outcome

    def _put_back(self) -> None:
        """Put back the instances that were taken and not sent, and those that are to be sent again."""
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
            # One instance may have ended the association. It is not sent again, and must not stop the others.
            most = MOST_GIVEN_UP - 1
        if self._failures > most or self._given_up >= MOST_GIVEN_UP or self._feed.stopped:
            self._ended = True
            return AssociationFault(stage, error)
        self.retries += stage == "request"
        pause = retry.pause(self._failures, os.urandom(1)[0] / 255) if retry.times else 0.0
        return AssociationFault(stage, error, pause)

    def _pause(self, fault: AssociationFault) -> None:
        """Wait for the next attempt, while there are instances to try."""
        end = time.monotonic() + (fault.again or 0)
        while not self._feed.stopped and (self._to_repeat or self._feed.more) and (left := end - time.monotonic()) > 0:
            time.sleep(min(left, POLL_INTERVAL))


def _is_passing(outcome: Outcome) -> bool:
    if outcome.status is not None:
        return is_passing_status(outcome.status)
    return outcome.error is not None and is_passing(outcome.error)


def _refusal(item: Item) -> DimseError:
    """Return the error for which an instance is sent again on another association although this one is intact."""
    assert item.last is not None and item.last.status is not None
    status = item.last.status
    return StatusError(status, f"{item.file.path}: {status}: {status.meaning}")
