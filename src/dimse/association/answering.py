"""The answers to the requests of the peer, and the agenda: what is done between two of its messages.

Requests are answered one after the other, or one within the other where an answer waits for the peer.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable
from typing import cast

from dimse.association.inbox import Arrived, Inbox
from dimse.association.pump import LOGGER, Pump
from dimse.errors import AssociationAborted, InvalidCommand, RemoteProtocolError
from dimse.message import command
from dimse.message.status import RESOURCE_LIMITATION, UNRECOGNIZED_OPERATION
from dimse.support.text import host_and_port
from dimse.support.values import value
from dimse.transport.base import deadline_after

# Requests of the peer that are answered one within the other. Each of them costs some frames of Python's stack.
MOST_NESTED = 8


@value
class Task:
    """A piece of work that is due later.

    Attributes:
        due: On `time.monotonic()`.
        act: Does the work, within the operation that serves the peer.
        missed: Called instead if the association ends before; it must not block.
        size: A measure of the memory that it holds, in the unit of the service that has added it.
    """

    due: float
    act: Callable[[], Awaitable[None]]
    missed: Callable[[], object]
    size: int = 0


class Agenda:
    """The work that an association is to do later; one that ends before tells so.

    Attributes:
        tasks: In the order in which they are due.
    """

    def __init__(self) -> None:
        self.tasks: list[Task] = []

    @property
    def size(self) -> int:
        """The sizes of all tasks together."""
        return sum(task.size for task in self.tasks)

    def add(
        self, seconds: float, act: Callable[[], Awaitable[None]], missed: Callable[[], object], size: int = 0
    ) -> None:
        """Add work that is due in some seconds, as `Task` describes it."""
        self.tasks.append(Task(time.monotonic() + seconds, act, missed, size))
        self.tasks.sort(key=lambda task: task.due)

    async def do_due(self) -> bool:
        """Do the next piece of work if it is due; return True if it was."""
        if not self.tasks or self.tasks[0].due > time.monotonic():
            return False
        await self.tasks.pop(0).act()
        return True

    def drop(self) -> None:
        """Call `missed` of all that is left: the association ends."""
        tasks, self.tasks = self.tasks, []
        for task in tasks:
            task.missed()


class Answering:
    """The part of an association that has each request of the peer answered.

    Attributes:
        send_length: The most bytes of a P-DATA-TF PDU after its header, once that is negotiated.
        agenda: Work of ours that is due between two messages.
        finishing: True if the association is to be aborted once no message is under way.
    """

    def __init__(self, inbox: Inbox, pump: Pump) -> None:
        self.send_length = 0
        self.agenda = Agenda()
        self.finishing = False
        self._inbox = inbox
        self._pump = pump
        # True once a message has been refused.
        self._refused = False

    async def serve(self, end: float | None, until: Callable[[], bool] | None) -> bool:
        """Answer the peer, and do what is due; return True once the peer asks for the release.

        Args:
            end: The end of the call on `time.monotonic()`; None is without limit.
            until: Called after requests have been answered; True ends the call.

        Raises:
            DimseError: As `Pump.receive` does, or the association is to finish.
        """
        pump, inbox, agenda = self._pump, self._inbox, self.agenda
        while True:
            if inbox.requests or inbox.held_back is not None:
                await self.answer_waiting()
            if pump.lifecycle.release_asked:
                return True
            if until is not None and until():
                return False
            if self.finishing and not inbox.within_message:
                raise AssociationAborted
            if agenda.tasks and (end is None or agenda.tasks[0].due < end):
                if not await agenda.do_due():
                    await pump.receive_until(agenda.tasks[0].due)
            elif end is None:
                await pump.receive(deadline_after(pump.timeouts.idle), "idle")
            elif time.monotonic() >= end or not await pump.receive_until(end):
                return False

    async def answer_waiting(self) -> bool:
        """Answer the requests that wait, and after each of them take in what was held back behind it.

        Returns:
            False if there was nothing to answer or to take in.
        """
        inbox, done = self._inbox, False
        while True:
            if inbox.requests:
                await self._answer_first()
            elif inbox.can_go_on:
                await self._pump.receiver.take_held_back()
            else:
                return done
            done = True

    async def _answer_first(self) -> None:
        inbox = self._inbox
        begun = time.monotonic()
        arrived = inbox.requests[0]
        arrived.outer, inbox.answering = inbox.answering, arrived
        # Only now: `Inbox.is_at_work` is asked in other threads.
        inbox.requests.popleft()
        inbox.depth += 1
        try:
            if isinstance(arrived.message, InvalidCommand):
                await self._refuse(arrived)
            elif inbox.answer is not None and inbox.depth <= MOST_NESTED:
                await inbox.answer(inbox.owner, arrived)
            elif isinstance(arrived.message, command.Request):
                status = UNRECOGNIZED_OPERATION if inbox.answer is None else RESOURCE_LIMITATION
                response = command.respond(arrived.message, status)
                if self._pump.dump:
                    self._pump.dump.message(response, arrived.context.context_id, outgoing=True)
                await self._send(arrived, command.encode(response))
        finally:
            inbox.depth -= 1
            inbox.answering = arrived.outer
            self._pump.progress.put_off(begun)
            if arrived.sink is not None:
                arrived.sink.discard()

    async def _refuse(self, arrived: Arrived) -> None:
        """Answer a command set that is not a message that we know, if it says enough to be answered."""
        invalid = cast(InvalidCommand, arrived.message)
        refusal = command.refusal(invalid)
        if refusal is None:
            raise RemoteProtocolError(str(invalid), abort_source=0)
        # Once an association: no peer is to fill the log.
        level, peer = (
            logging.DEBUG if self._refused else logging.ERROR,
            host_and_port(*self._pump.transport.peer_address),
        )
        LOGGER.log(level, "refused a message from %s: %s", peer, invalid)
        self._refused = True
        await self._send(arrived, refusal)

    async def _send(self, arrived: Arrived, response: bytes) -> None:
        await self._pump.transmit(arrived.context.context_id, self.send_length, response, None)
