"""An association: what was agreed, the requests of either side, and its release.

This is also the interface for the authors of services (`dimse.services`). A service never touches a PDU; it works with messages.

Asking, as SCU. An operation owns the association while it lasts, and an exception that leaves it aborts the association:

    context = association.context_for(uids.Verification)
    request = CEchoRQ(message_id=association.next_message_id(), affected_sop_class_uid=uids.Verification)
    response = await association.exchange(context, request)

A C-FIND, C-GET or C-MOVE has many responses. `sink` makes what takes the data set of each, and bounds it:

    async with association.operation():
        await association.send_request(context, request, identifier, sink=MemorySink)
        async for response, data_set in association.responses(request):
            if have_enough:
                await association.cancel(request)

Responses wait in the connection until the loop asks for them. The loop ends after the final response. A loop that is left before
then drops the responses to come, so cancel first. The peer's own requests are answered meanwhile, by the dispatcher: the C-STOREs
of a C-GET, or an N-EVENT-REPORT. `dispatch_to` puts another dispatcher in its place for a time.

Answering, as SCP. The dispatcher gets each request, and `send_response` sends as many responses as there are:

    async def answer(self, association: BaseAssociation, arrived: Arrived) -> None:
        await association.poll()
        async for identifier in matches:
            if arrived.cancelled:
                break
            await association.send_response(arrived.context, pending, identifier)
        await association.send_response(arrived.context, final)

`arrived.cancelled` is True once the peer has sent a C-CANCEL. That is received by `poll`, after each pending response, and while a
response of the peer is awaited. A service shows it to its handler as the property `cancelled` of its own request.

Within an answer a service may ask the peer, as a C-GET SCP does with each C-STORE. It calls `send_request` and `wait_response`, or
opens a nested operation, as `store` and `store_many` do with `nested=True`. Meanwhile further requests of the peer are answered,
within that answer. Beyond `answering.MOST_NESTED` of them they are refused.

Roles (PS3.7 D.3.3.4). `accepted` and `context_for` answer for the role in which the caller acts, by default "SCU". The requestor
of a C-GET is "SCP" of the storage contexts, and so is the sender of an N-EVENT-REPORT. None is for a caller that disregards the
roles, because peers are known that do not negotiate them.
"""

from __future__ import annotations

import math
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Container
from typing import TYPE_CHECKING, Protocol

from dimse.association.agreed import AgreedAssociation
from dimse.association.answering import Answering
from dimse.association.contexts import AcceptedContexts
from dimse.association.inbox import Arrived, Inbox, Refusal
from dimse.association.operation import Operation
from dimse.association.outstanding import PENDING, PENDING_BITS, Answer, Outstanding
from dimse.association.pump import LOGGER, MESSAGES, Buffers, Pump
from dimse.association.sinks import DiscardSink, Sink
from dimse.errors import AssociationReleased
from dimse.message import command
from dimse.settings import Timeouts
from dimse.support.values import replace
from dimse.transport import READ
from dimse.transport.base import Transport, deadline_after
from dimse.upper_layer.negotiation import Negotiated, PresentationContext
from dimse.upper_layer.pdata import Buffer
from dimse.upper_layer.provider import UpperLayer

if TYPE_CHECKING:
    from dimse.association.observing import Observing

__all__ = ["LOGGER", "MESSAGES", "Arrived", "BaseAssociation", "Dispatcher", "Refusal"]


class Dispatcher(Protocol):
    """The interface of what answers the requests of a peer; `dimse.services.handlers` has the one in use."""

    async def begin(self, association: BaseAssociation, arrived: Arrived) -> Sink:
        """Return the sink for the data set of a request, whose command set has come."""

    async def answer(self, association: BaseAssociation, arrived: Arrived) -> None:
        """Send the responses to a request that is complete."""


class Cancellable(Protocol):
    """The interface of an operation that can be cancelled; `dimse.services.responses` has the one in use."""

    async def cancel(self) -> None:
        """Send a C-CANCEL."""


class BaseAssociation(AgreedAssociation):
    """An association, as either side (PS3.8 section 7, PS3.7 section 7), without the operations of the services.

    Made by `establishing.request` or `establishing.accept`. One operation at a time; `abort` from any thread, at any time.

    Attributes:
        connect_seconds: The time that the transport connection took; 0 for an acceptor.
        negotiate_seconds: The time from the A-ASSOCIATE-RQ to its answer.
        running: Returns the operation under way that can be cancelled, or None. It holds no reference to it.
        when_released: Called by `serve` when the peer has released the association, before that is answered.
        timeouts: In seconds.
        about: The subject of log lines about the association.
        next_message_id: Returns the next message ID: 1 to 65,535 and round again, none that is outstanding.
        call: Runs a handler, `def` or `async def`, in the way of the driver.
        begin_call: Begins a disk operation that may block, in a thread where `call` uses one; it is awaited later.
        calls_in_threads: True if `call` runs a `def` in another thread, because an event loop must not wait for it.
        agenda: Work that `serve` is to do later.
    """

    def __init__(
        self,
        transport: Transport,
        upper_layer: UpperLayer,
        timeouts: Timeouts,
        dispatcher: Dispatcher | None,
        buffers: Buffers,
    ) -> None:
        self.connect_seconds = self.negotiate_seconds = 0.0
        self.when_released: Callable[[], object] = lambda: None
        self.running: Callable[[], Cancellable | None] = lambda: None
        self.timeouts = timeouts
        self._outstanding = Outstanding()
        self.next_message_id = self._outstanding.next_message_id
        self._inbox = Inbox(self._outstanding)
        self.pump = Pump(transport, upper_layer, self._inbox, timeouts, buffers)
        self.about = self.pump.about
        self.call, self.begin_call = transport.call, transport.begin_call
        self.calls_in_threads = transport.calls_in_threads
        self._inbox.dump = self._dump = self.pump.dump
        self._answering = Answering(self._inbox, self.pump)
        self.agenda = self._answering.agenda
        self._dispatcher: Dispatcher | None = None
        self.dispatch_to(dispatcher)

    def agree(self, negotiated: Negotiated, *, is_requestor: bool) -> None:
        """Take what was negotiated: messages may follow."""
        transport = self.pump.transport
        peer = replace(negotiated.peer, address=transport.peer_address, fingerprint=transport.peer_fingerprint)
        self.negotiated = replace(negotiated, peer=peer)
        self.accepted_contexts = AcceptedContexts(negotiated, is_requestor=is_requestor)
        self._inbox.contexts = negotiated.contexts
        self._send_length = self._answering.send_length = negotiated.send_length
        # The last response and its command set. The same one may go out with many data sets.
        self._encoded: tuple[command.Response, bytes] | None = None

    def watch(self, observing: Observing) -> None:
        """Have the events of the association told to an observer."""
        self.pump.observing = observing
        self.pump.dump = self.pump.receiver.dump = self._inbox.dump = self._dump = observing

    # --- one operation at a time, and the end ---

    def operation(self, *, nested: bool = False, serves: bool = False) -> Operation:
        """Return the context manager that an operation runs in; see `Operation`.

        A nested one is part of the answer to a request of the peer, which is being answered within another operation. One that
        `serves` the peer lets no other wait behind it.

        Raises:
            LocalProtocolError: At entry: another operation is under way, or no operation that this one could be nested in.
        """
        return Operation(self.pump, self._inbox, self, nested, serves)

    def abort(self) -> None:
        """Abort the association (PS3.8 7.3) and close the connection; from any thread, and idempotent.

        An operation that waits in another thread or task gets `AssociationAborted`.
        """
        self.pump.abort()

    def finish(self) -> None:
        """Abort the association once the message under way has been answered, at once without one; from any thread."""
        self._answering.finishing = True
        if not self._inbox.is_at_work:
            self.abort()

    async def release(self) -> None:
        """Release the association (PS3.8 7.2) and close the connection; harmless on one that has ended.

        Raises:
            OperationTimeout: The peer did not answer within the ACSE timeout; the association was aborted.
            AssociationError: The peer aborted or closed instead.
        """
        if not self.pump.open:
            self.pump.close()
            return
        async with self.operation():
            if self.pump.open:  # it may have ended meanwhile
                await self.pump.release()

    # --- requests of ours ---

    async def exchange(
        self,
        context: PresentationContext,
        message: command.Request,
        data_set: Buffer | None = None,
        *,
        nested: bool = False,
    ) -> command.Response:
        """Send a request and wait for its one response; `nested` is that of `operation`.

        Raises:
            DimseError: As `operation`, `send_request` and `wait_response` do.
        """
        async with self.operation(nested=nested):
            await self.send_request(context, message, data_set)
            return await self.wait_response(message)

    async def send_request(
        self,
        context: PresentationContext,
        message: command.Request,
        data_set: Buffer | None = None,
        command_set: bytes | None = None,
        *,
        sink: Callable[[], Sink] = DiscardSink,
    ) -> None:
        """Send a request, within an `operation`.

        Args:
            context: The presentation context.
            message: The request.
            data_set: The data set that goes with it.
            command_set: The request encoded by `command.encode`, if that was done before.
            sink: Makes what takes the data set of each response. A response whose sink has an `error` ends the association.

        Raises:
            AssociationError: The association has ended, or does now.
            OperationTimeout: No byte moved within the network timeout; the association was aborted.
            RemoteProtocolError: The peer broke the protocol meanwhile; the association was aborted.
        """
        await self.pump.receive_what_is_here()
        if self._dump:
            self._dump.message(message, context.context_id, outgoing=True)
        outstanding = self._outstanding.add(context.context_id, message, sink)
        await self.pump.transmit(
            context.context_id, self._send_length, command_set or command.encode(message), data_set
        )
        outstanding.sent = True

    async def wait_response(self, request: command.Request) -> command.Response:
        """Wait for the response to a request that was sent within the same `operation`.

        Raises:
            OperationTimeout: No response came within the DIMSE timeout; the association was aborted.
            AssociationError: The association ended.
            InvalidResponse: The peer sent something that does not answer the request; the association was aborted.
        """
        outstanding = self._outstanding.requests[request.message_id]
        deadline = deadline_after(self.timeouts.dimse)
        while not outstanding.answers:
            await self._await_response(deadline)
        return self._outstanding.fetch(request.message_id)[0]

    async def wait_any_response(
        self,
        among: Container[int] | None = None,
        *,
        meanwhile: Callable[[], Awaitable[None]] | None = None,
        every: float = math.inf,
    ) -> command.Response:
        """Wait for a response to any of several requests: the one that came first and was not fetched.

        Args:
            among: Message IDs of the requests; None for all that are under way.
            meanwhile: A function that is called each time that `every` seconds have passed without a byte of the peer.
            every: Seconds.

        Raises:
            DimseError: As `wait_response` does.
        """
        deadline = deadline_after(self.timeouts.dimse)
        while True:
            if self._outstanding.responded and (response := self.response_here(among)) is not None:
                return response
            if meanwhile is None or await self._is_near(deadline, every):
                await self._await_response(deadline)
            else:
                await meanwhile()

    async def _is_near(self, deadline: float | None, every: float) -> bool:
        """Wait for a byte of the peer, and return False if none has come for some seconds and the deadline is farther off."""
        end = time.monotonic() + every
        return (deadline is not None and end >= deadline) or bool(await self.pump.transport.ready(READ, end))

    def response_here(self, among: Container[int] | None = None) -> command.Response | None:
        """Return the next response that has arrived, without waiting, and after the association has ended too."""
        for message_id in self._outstanding.responded:
            if among is None or message_id in among:
                return self._outstanding.fetch(message_id)[0]
        return None

    def is_outstanding(self, message_id: int) -> bool:
        """Return True if a request has gone out, at least in part, and its final response has not been fetched."""
        return message_id in self._outstanding.requests

    @property
    def is_unanswered(self) -> bool:
        """True if a request has gone out whole and its response was not fetched: the peer may have done what it asks."""
        return any(outstanding.sent for outstanding in self._outstanding.requests.values())

    async def responses(self, request: command.Request) -> AsyncIterator[Answer]:
        """Wait for the responses to a request that was sent within the same `operation`, one after the other.

        The DIMSE timeout counts from the last byte that has arrived: sub-operations of the peer put it off.

        Yields:
            Each response, and the sink that holds its data set, None if it has none; to the final one.

        Raises:
            DimseError: As `wait_response` does.
        """
        outstanding = self._outstanding.requests[request.message_id]
        try:
            while not (outstanding.finished and not outstanding.answers):
                while not outstanding.answers:
                    await self._await_response(deadline_after(self.timeouts.dimse))
                answer, begun = self._outstanding.fetch(request.message_id), time.monotonic()
                yield answer
                # While the caller looks at it, nothing is received.
                self.pump.progress.put_off(begun)
        finally:
            self._outstanding.abandon(outstanding)

    async def next_response(
        self,
        request: command.Request,
        *,
        timeout: float | None = None,
        end: float | None = None,
        until: Callable[[], bool] = lambda: False,
    ) -> Answer | None:
        """Wait for the next response to a request that was sent within the same `operation`.

        For a service that looks after each request of the peer, as a C-GET SCU does; `responses` is for the others.

        Args:
            request: The request.
            timeout: Seconds from the last byte that has arrived; None is the DIMSE timeout, and 0 is unlimited.
            end: The end of the whole operation on `time.monotonic()`; None is without limit.
            until: Called before each wait; True ends the call.

        Returns:
            The response, and the sink that holds its data set, None if it has none; None if `until` has ended the call.

        Raises:
            DimseError: As `wait_response` does.
        """
        outstanding = self._outstanding.requests[request.message_id]
        seconds = self.timeouts.dimse if timeout is None else timeout
        while not outstanding.answers:
            if until():
                return None
            deadline = deadline_after(seconds)
            await self._await_response(deadline if end is None else min(end, deadline or end))
        return self._outstanding.fetch(request.message_id)

    async def cancel(self, request: command.Request | None = None) -> None:
        """Send a C-CANCEL for a request of ours (PS3.7 9.3.2.3); nothing is sent if it has had its final response.

        The responses up to the final one are for the caller to fetch. Those that come even later are dropped.

        Args:
            request: The request; None is the C-FIND, C-GET or C-MOVE that is under way, if there is one.

        Raises:
            LocalProtocolError: It is not a request that can be cancelled.
            DimseError: As `send_request` does.
        """
        if request is None:
            running = self.running()
            if running is not None:
                await running.cancel()
            return
        outstanding = self._outstanding.cancel(request)
        if outstanding is not None:
            message = command.encode(command.CCancelRQ(message_id_being_responded_to=request.message_id))
            await self.pump.transmit(outstanding.context_id, self._send_length, message, None)

    async def _await_response(self, deadline: float | None) -> None:
        """Answer the requests of the peer that wait, and receive once."""
        inbox = self._inbox
        waits = inbox.requests or inbox.held_back is not None
        # A response may have come behind a message that was held back.
        if waits and await self._answering.answer_waiting() and self._outstanding.responded:
            return
        if self.pump.lifecycle.release_asked:
            await self.pump.confirm_release_instead()
        await self.pump.receive(deadline, "dimse")

    # --- requests of the peer ---

    def dispatch_to(self, dispatcher: Dispatcher | None) -> Dispatcher | None:
        """Give the requests of the peer to another dispatcher from now on; return the one before."""
        before, self._dispatcher = self._dispatcher, dispatcher
        self._inbox.begin = None if dispatcher is None else dispatcher.begin
        self._inbox.answer = None if dispatcher is None else dispatcher.answer
        return before

    @property
    def dispatcher(self) -> Dispatcher | None:
        """The dispatcher that answers the requests of the peer; None refuses them."""
        return self._dispatcher

    async def send_response(
        self, context: PresentationContext, message: command.Response, data_set: Buffer | None = None
    ) -> None:
        """Send a response; for a dispatcher, within `serve` or while a response is awaited.

        After a pending response what has arrived is received, as by `poll`.
        """
        if self._dump:
            self._dump.message(message, context.context_id, outgoing=True)
        if self._encoded is None or message is not self._encoded[0]:
            self._encoded = message, command.encode(message)
        await self.pump.transmit(context.context_id, self._send_length, self._encoded[1], data_set)
        if message.status & PENDING_BITS == PENDING:
            await self.poll()

    async def poll(self) -> None:
        """Receive what has arrived, without waiting: a C-CANCEL takes effect, and other requests of the peer are answered."""
        await self.pump.receive_what_is_here()
        if self._inbox.requests or self._inbox.held_back is not None:
            await self._answering.answer_waiting()

    async def serve(self, timeout: float | None = None, *, until: Callable[[], bool] | None = None) -> None:
        """Answer the peer until it releases the association, for `timeout` seconds, or until `until` returns True.

        Args:
            timeout: In seconds; None is without limit.
            until: Called after requests have been answered; True ends the call.

        Raises:
            AssociationError: The peer aborted or vanished.
            OperationTimeout: Without `timeout`, no request came within the idle timeout.
            RemoteProtocolError: The peer broke the protocol; the association was aborted.
        """
        end = None if timeout is None else time.monotonic() + timeout
        try:
            async with self.operation(serves=True):
                if not await self._answering.serve(end, until):
                    return
                # The association may have ended by what came behind the A-RELEASE-RQ.
                if self.pump.lifecycle.ended:
                    raise self.pump.lifecycle.ended
                self.agenda.drop()
                self.when_released()
                await self.pump.confirm_release()
                await self.pump.await_close()
        finally:
            if not self.pump.open:
                self.agenda.drop()
        LOGGER.info("Association Released")
        self.pump.lifecycle.end(AssociationReleased("the association has been released"))
