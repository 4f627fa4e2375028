"""An association from its request or acceptance to its release or abort, and the messages that cross it.

One pump moves it both ways: while a request goes out or its response is awaited, whatever arrives is taken in. Responses meet their
request in the table of outstanding ones by message ID; the peer's own requests wait, bounded, for the next moment between messages.
What a service makes of this is in `dimse.services`; how a wait waits is the transport's affair.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field, replace
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, Self, TypeVar, cast

from dimse.errors import (
    AssociationAborted,
    AssociationError,
    AssociationRejected,
    AssociationReleased,
    ConnectionLost,
    DimseError,
    InvalidCommand,
    InvalidResponse,
    LocalProtocolError,
    NoPresentationContext,
    NotDicomPeer,
    ProviderAborted,
    RemoteProtocolError,
)
from dimse.message import assembly, command
from dimse.message.assembly import DATA_SET_END, Assembler, CommandSet
from dimse.message.command import Message
from dimse.settings import Acceptor, Limits, Requestor, Timeouts
from dimse.sinks import DiscardSink, Sink
from dimse.transport import READ, WRITE
from dimse.transport.base import Transport, deadline_after, timed_out
from dimse.upper_layer import negotiation, pdata, pdu
from dimse.upper_layer.negotiation import Negotiated, Peer, PresentationContext
from dimse.upper_layer.pdata import Buffer, Fragment
from dimse.upper_layer.provider import Indication, ProviderAbort, UpperLayer

if TYPE_CHECKING:
    from dimse.dump import Dump

if TYPE_CHECKING:
    import ssl

T = TypeVar("T")

LOGGER = logging.getLogger("dimse.association")
MESSAGES = logging.getLogger("dimse.message")

RECEIVE_BUFFER = 256 * 1024  # bytes; the most that one system call brings

# After an A-ABORT the peer is given this many seconds to close: closing over its unread bytes would reset the connection, and
# the reset can overtake the A-ABORT.
LINGER = 0.5

MOST_HEARD = 12  # bytes of what is no DICOM that an error shows: 'HTTP/1.1 400'


@dataclass(slots=True)
class Outstanding:
    """A request of ours whose response has not come."""

    context_id: int
    request: command.Request
    response_type: type[command.Response]
    responses: deque[command.Response] = field(default_factory=deque)


@dataclass(frozen=True, slots=True)
class Refusal:
    """A status to answer with, and its Error Comment (0000,0902)."""

    status: int
    comment: str = ""


@dataclass(slots=True)
class Arrived:
    """A message of the peer's: its command set, and the sink that holds its data set.

    Attributes:
        context: The presentation context it came on.
        message: The command set; an `InvalidCommand` where it is none that we know.
        sink: Where its data set goes; None if it has none.
        request: What its service has made of it when its data set began to arrive.
        refusal: The service's answer, where that was decided before the data set came.
    """

    context: PresentationContext
    message: Message | InvalidCommand
    sink: Sink | None = None
    request: object = None
    refusal: Refusal | None = None


class Dispatcher(Protocol):
    """Answers what a peer asks: `dimse.handlers` has the one that is used."""

    async def begin(self, association: Association, arrived: Arrived) -> Sink:
        """A command set has come and its data set is on the way: where shall it go?"""

    async def answer(self, association: Association, arrived: Arrived) -> None:
        """The message is complete: send its response."""


Open = Callable[[str, int, float], Awaitable[Transport]]


class Association:
    """One association, as either side (PS3.8 section 7, PS3.7 section 7).

    Made by `request` or `accept`. One operation at a time; `abort` from anywhere, any time.

    Attributes:
        negotiated: What was agreed.
        connect_seconds: What opening the transport connection took; 0 for an acceptor.
        negotiate_seconds: From the A-ASSOCIATE-RQ to its answer.
    """

    negotiated: Negotiated
    _conclude: Callable[[pdu.AssociateAC], Negotiated]

    def __init__(
        self,
        transport: Transport,
        upper_layer: UpperLayer,
        timeouts: Timeouts,
        dispatcher: Dispatcher | None,
        limits: Limits,
    ) -> None:
        self.timeouts = timeouts
        self.connect_seconds = self.negotiate_seconds = 0.0
        self._transport = transport
        self._upper = upper_layer
        self._dispatcher = dispatcher
        self._limits = limits
        self._assembler = Assembler()
        self._buffer = memoryview(bytearray(RECEIVE_BUFFER))
        self._answer: pdu.AssociateRQ | pdu.AssociateAC | pdu.AssociateRJ | None = None
        self._current: Arrived | None = None  # its data set is arriving
        self._requests: deque[Arrived] = deque()
        self._outstanding: dict[int, Outstanding] = {}
        self._last_message_id = 0
        self._release_asked = self._release_confirmed = False
        self._ended: DimseError | None = None  # why nothing can be sent or received any more
        self._busy = False
        self._torn = False  # a PDU has gone out in part
        self._abort_wanted = False
        self._dump = _dump_if_debugging()

    # --- making one ---

    @classmethod
    async def request(
        cls,
        open_transport: Open,
        address: tuple[str, int],
        requestor: Requestor,
        timeouts: Timeouts,
        dispatcher: Dispatcher | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> Self:
        """Connect and request an association.

        Args:
            open_transport: The driver's way to connect: host, port, seconds.
            address: Host and port of the peer.
            requestor: What to ask for.
            timeouts: In seconds.
            dispatcher: What answers the peer's own requests; without it they are refused.
            tls: How to speak TLS; None for a plain connection.

        Raises:
            ConnectError: No transport connection could be made.
            AssociationRejected: The peer answered A-ASSOCIATE-RJ.
            AssociationError: The peer aborted or vanished instead of answering.
            RefusedContexts: It accepted none of the contexts; the association was aborted.
            NegotiationError: Its maximum length is too small to send anything in.
            OperationTimeout: It did not answer in time.
            RemoteProtocolError: What it said is no DICOM, or no answer to what was asked.
        """
        LOGGER.info("Requesting Association")
        started = time.monotonic()
        transport = await open_transport(*address, timeouts.connect)
        if tls is not None:
            await transport.secure(tls, deadline_after(timeouts.connect), server_hostname=address[0])
        upper = UpperLayer(requestor=True, maximum_length=requestor.maximum_length)
        association = cls(transport, upper, timeouts, dispatcher, Limits())
        connected = time.monotonic()
        proposal = negotiation.propose(requestor)
        with _Operation(association):
            try:
                await association._request(requestor, proposal)
            except BaseException as error:
                await association._give_up(error)
                raise
        association.connect_seconds = connected - started
        association.negotiate_seconds = time.monotonic() - connected
        LOGGER.info("Association Accepted")
        return association

    async def _request(self, requestor: Requestor, proposal: pdu.AssociateRQ) -> None:
        self._upper.associate_request(proposal)
        self._upper.transport_opened()
        if self._dump:
            self._dump.pdu(proposal, outgoing=True)
        await self._send_owed()
        self._conclude = partial(negotiation.conclude, requestor, proposal)
        deadline = deadline_after(self.timeouts.acse)
        while self._answer is None:
            await self._pull(deadline, "acse")
        if isinstance(self._answer, pdu.AssociateRJ):
            rejection = self._answer
            raise AssociationRejected(rejection.result, rejection.source, rejection.reason)
        assert isinstance(self._answer, pdu.AssociateAC)  # the state machine lets nothing else through in Sta5

    @classmethod
    async def accept(
        cls,
        transport: Transport,
        acceptor: Acceptor,
        timeouts: Timeouts,
        dispatcher: Dispatcher,
        limits: Limits,
        admit: Callable[[], bool] = lambda: True,
    ) -> Self | None:
        """Wait for an A-ASSOCIATE-RQ and answer it.

        Args:
            admit: Is there room for one more association? Asked once the request is complete.

        Returns:
            The association, or None if the request was rejected.

        Raises:
            OperationTimeout: No request came within the ACSE timeout (ARTIM).
            AssociationError, RemoteProtocolError: The peer aborted, vanished or spoke no DICOM.
        """
        upper = UpperLayer(requestor=False, maximum_length=acceptor.maximum_length)
        association = cls(transport, upper, timeouts, dispatcher, limits)
        with _Operation(association):
            try:
                upper.transport_opened()
                accepted = await association._accept(acceptor, admit)
            except BaseException as error:
                await association._give_up(error)
                raise
        return association if accepted else None

    async def _accept(self, acceptor: Acceptor, admit: Callable[[], bool]) -> bool:
        deadline = deadline_after(self.timeouts.acse)
        while self._answer is None:
            await self._pull(deadline, "acse")
        request = self._answer
        assert isinstance(request, pdu.AssociateRQ)  # the state machine lets nothing else through in Sta2
        result: tuple[pdu.AssociateAC, Negotiated] | pdu.AssociateRJ = pdu.AssociateRJ(2, 3, 2)  # local limit exceeded
        if admit():
            result = negotiation.answer(acceptor, request)
        if isinstance(result, pdu.AssociateRJ):
            LOGGER.info("Rejecting Association")
            if self._dump:
                self._dump.pdu(result, outgoing=True)
            self._upper.associate_response(result)
            await self._send_owed()
            await self._await_close()
            return False
        accept, negotiated = result
        LOGGER.info("Accepting Association")
        if self._dump:
            self._dump.pdu(accept, outgoing=True)
        self._upper.associate_response(accept)
        await self._send_owed()
        self._agree(negotiated)
        return True

    def _agree(self, negotiated: Negotiated) -> None:
        peer = replace(negotiated.peer, address=self._transport.peer_address)
        self.negotiated = replace(negotiated, peer=peer)

    # --- what it is ---

    @property
    def contexts(self) -> tuple[PresentationContext, ...]:
        """Every proposed presentation context with its result."""
        return tuple(self.negotiated.contexts.values())

    @property
    def peer(self) -> Peer:
        """Who the peer says it is."""
        return self.negotiated.peer

    @property
    def open(self) -> bool:
        """Does the association still stand, as far as we know?"""
        return self._ended is None and not self._abort_wanted and not self._transport.closed

    def context_for(self, abstract_syntax: str, transfer_syntax: str | None = None) -> PresentationContext:
        """An accepted context for a SOP class, and a transfer syntax if one is given.

        Raises:
            NoPresentationContext: There is none.
        """
        for context in self.negotiated.accepted(abstract_syntax):
            if transfer_syntax in (None, context.transfer_syntax):
                return context
        from dimse.uids import name

        with_syntax = f" with '{name(transfer_syntax)}' transfer syntax" if transfer_syntax else ""
        raise NoPresentationContext(
            f"No presentation context for '{name(abstract_syntax)}' has been accepted by the peer{with_syntax} for the SCU role"
        )

    # --- ending one ---

    async def release(self) -> None:
        """Release the association (PS3.8 7.2) and close the connection; harmless on one that has ended.

        Raises:
            OperationTimeout: The peer did not answer within the ACSE timeout; the association was aborted.
            AssociationError: The peer aborted or closed instead.
        """
        if not self.open:
            self._close()
            return
        with _Operation(self):
            try:
                await self._take_what_is_here()
                if self._ended:
                    raise self._ended
                LOGGER.info("Releasing Association")
                await self._release()
            except BaseException as error:
                await self._give_up(error)
                raise
        self._end(AssociationReleased("the association has been released"))
        self._close()

    async def _release(self) -> None:
        if not self._release_asked:  # else the peer was first
            self._upper.release_request()
            await self._send_owed()
        deadline = deadline_after(self.timeouts.acse)
        while True:
            if self._upper.state in ("Sta8", "Sta9", "Sta12"):  # the peer asks too, and it is our turn
                self._upper.release_response()
                await self._send_owed()
                if self._upper.state == "Sta13":
                    await self._await_close()
                    return
            if self._release_confirmed:
                return
            await self._pull(deadline, "release")

    def abort(self) -> None:
        """Abort the association (PS3.8 7.3) and close the connection; from any thread, and again.

        Who waits on the association in another thread or task gets `AssociationAborted`.
        """
        if self._abort_wanted or self._transport.closed:
            return
        self._abort_wanted = True
        LOGGER.info("Aborting Association")
        self._say_abort(pdu.Abort())
        self._transport.wake()
        if not self._busy:
            self._end(AssociationAborted())
            self._close()

    def _say_abort(self, abort: pdu.Abort) -> bool:
        """Send an A-ABORT, unless it would land in the middle of a PDU or there is no association; was it sent?"""
        if self._torn or self._ended is not None or self._upper.state in ("Sta1", "Sta2", "Sta13"):
            return False
        if self._dump:
            self._dump.pdu(abort, outgoing=True)
        self._transport.send_now(pdu.encode(abort))
        return True

    async def _give_up(self, error: BaseException) -> None:
        """After a failure inside a message nothing can be sent any more but an A-ABORT, and that only between PDUs."""
        if self._ended is None and not self._abort_wanted:
            source, reason = (
                (error.abort_source, error.abort_reason) if isinstance(error, RemoteProtocolError) else (0, 0)
            )
            said = self._say_abort(pdu.Abort(source, reason if source == 2 else 0))
            if said or self._torn:
                LOGGER.info("Aborting Association")
            self._end(error if isinstance(error, DimseError) else AssociationAborted())
            if said and isinstance(error, Exception):
                await self._linger()
        self._end(error if isinstance(error, DimseError) else AssociationAborted())
        self._close()

    async def _linger(self) -> None:
        """Wait a moment for the peer to close, dropping what it sends."""
        deadline = time.monotonic() + LINGER
        try:
            while time.monotonic() < deadline:
                received = await self._transport.receive_some(self._buffer)
                if received == 0 or (received is None and not await self._transport.ready(READ, deadline)):
                    return
        except ConnectionLost:
            return

    async def _await_close(self) -> None:
        """Sta13: the peer closes the connection; the ARTIM timer bounds the wait (PS3.8 9.1.5)."""
        deadline = deadline_after(self.timeouts.acse)
        try:
            while not self._upper.closing and not self._ended:
                await self._receive(deadline, "acse")
        except (DimseError, TimeoutError):
            self._upper.artim_expired()
        self._close()

    def _close(self) -> None:
        """Close the connection, and let go of what nobody will ask for any more."""
        unanswered = [*self._requests, self._current] if self._current else [*self._requests]
        for arrived in unanswered:
            if arrived.sink is not None:
                arrived.sink.discard()
        self._requests.clear()
        self._current = None
        self._transport.close()

    def _end(self, reason: DimseError) -> None:
        if self._ended is None:
            self._ended = reason

    # --- requests of ours ---

    def next_message_id(self) -> int:
        """The next message ID: 1 to 65,535 and round again, none that is outstanding."""
        while True:
            self._last_message_id = self._last_message_id % 0xFFFF + 1
            if self._last_message_id not in self._outstanding:
                return self._last_message_id

    async def exchange(
        self, context: PresentationContext, message: command.Request, data_set: Buffer | None = None
    ) -> command.Response:
        """Send a request and wait for its one response.

        Raises: As `send_request` and `wait_response` do.
        """
        await self.send_request(context, message, data_set)
        return await self.wait_response(message)

    async def send_request(
        self, context: PresentationContext, message: command.Request, data_set: Buffer | None = None
    ) -> None:
        """Send a request; its response is fetched with `wait_response`.

        Raises:
            LocalProtocolError: Another operation is under way; nothing was sent.
            AssociationError: The association has ended, or does now.
            OperationTimeout: No byte moved within the network timeout; the association was aborted.
            RemoteProtocolError: The peer broke the protocol meanwhile; the association was aborted.
        """
        with _Operation(self):
            try:
                await self._take_what_is_here()
                if self._dump:
                    self._dump.message(message, context.context_id, outgoing=True)
                response_type = command.RESPONSES[type(message)]
                self._outstanding[message.message_id] = Outstanding(context.context_id, message, response_type)
                await self._transmit(context.context_id, command.encode(message), data_set)
            except BaseException as error:
                await self._give_up(error)
                raise

    async def wait_response(self, request: command.Request) -> command.Response:
        """Wait for the response to a request that was sent.

        Raises:
            OperationTimeout: None came within the DIMSE timeout; the association was aborted.
            AssociationError: The association ended.
            InvalidResponse: What came is no response to it; the association was aborted.
        """
        outstanding = self._outstanding[request.message_id]
        with _Operation(self):
            try:
                deadline = deadline_after(self.timeouts.dimse)
                while not outstanding.responses:
                    await self._answer_waiting()
                    if self._release_asked:
                        raise await self._released_by_peer()
                    await self._pull(deadline, "dimse")
            except BaseException as error:
                await self._give_up(error)
                raise
        response = outstanding.responses.popleft()
        if response.status & 0xFFFE != 0xFF00:  # FF00H, FF01H: more to come
            del self._outstanding[request.message_id]
        return response

    async def _released_by_peer(self) -> AssociationError:
        """The peer released the association while we wait for it to respond: agree, and say so to the caller."""
        self._upper.release_response()
        await self._send_owed()
        self._end(AssociationReleased("the peer released the association instead of responding"))
        await self._linger()
        return AssociationReleased("the peer released the association instead of responding")

    # --- requests of the peer's ---

    async def call(self, function: Callable[..., T | Awaitable[T]], *args: object) -> T:
        """Run a handler, `def` or `async def`, as the driver does it."""
        return await self._transport.call(function, *args)

    async def send_response(
        self, context: PresentationContext, message: Message, data_set: Buffer | None = None
    ) -> None:
        """Send a response; for a dispatcher, within `serve` or while a response is awaited."""
        if self._dump:
            self._dump.message(message, context.context_id, outgoing=True)
        await self._transmit(context.context_id, command.encode(message), data_set)

    async def serve(self, timeout: float | None = None) -> None:
        """Answer the peer until it releases the association, or for `timeout` seconds.

        Raises:
            AssociationError: The peer aborted or vanished.
            OperationTimeout: Without `timeout`, no request came within the idle timeout.
            RemoteProtocolError: The peer broke the protocol; the association was aborted.
        """
        end = None if timeout is None else time.monotonic() + timeout
        with _Operation(self):
            try:
                while not self._release_asked:
                    await self._answer_waiting()
                    if end is None:
                        await self._pull(deadline_after(self.timeouts.idle), "network")
                    elif time.monotonic() >= end or not await self._pull_until(end):
                        return
                await self._answer_waiting()
                self._upper.release_response()
                await self._send_owed()
                await self._await_close()
            except BaseException as error:
                await self._give_up(error)
                raise
        LOGGER.info("Association Released")
        self._end(AssociationReleased("the association has been released"))

    async def _pull_until(self, end: float) -> bool:
        if self._ended:
            raise self._ended
        if not await self._transport.ready(READ, end):
            return False
        await self._receive_once()
        return True

    async def _answer_waiting(self) -> None:
        while self._requests:
            arrived = self._requests.popleft()
            try:
                if isinstance(arrived.message, InvalidCommand):
                    await self._refuse(arrived)
                elif self._dispatcher is not None:
                    await self._dispatcher.answer(self, arrived)
                elif isinstance(arrived.message, command.Request):
                    await self.send_response(
                        arrived.context, command.respond(arrived.message, command.UNRECOGNIZED_OPERATION)
                    )
            finally:
                if arrived.sink is not None:
                    arrived.sink.discard()

    async def _refuse(self, arrived: Arrived) -> None:
        """Answer a command set that is no message we know, where it says enough to be answered."""
        invalid = cast(InvalidCommand, arrived.message)
        LOGGER.error("refused a message: %s", invalid)
        refusal = command.refusal(invalid)
        if refusal is None:
            raise RemoteProtocolError(str(invalid), abort_source=0)
        await self._transmit(arrived.context.context_id, refusal, None)

    # --- the pump: out ---

    async def _transmit(self, context_id: int, command_set: bytes, data_set: Buffer | None) -> None:
        """Send a command set and its data set; the first PDUs of both in one system call."""
        length = self.negotiated.send_length
        batches: Iterable[list[Buffer]] = pdata.cut(command_set, context_id, length, command=True)
        if data_set is not None:
            head = [buffer for batch in batches for buffer in batch]
            batches = pdata.cut(data_set, context_id, length, command=False, before=head)
        for batch in batches:
            if self._ended:
                raise self._ended
            self._upper.p_data_request()
            await self._push(batch)

    async def _push(self, buffers: list[Buffer]) -> None:
        """Send all of `buffers`. While that would block, take in what arrives: the peer may be aborting, or sending as we are."""
        self._torn = True
        deadline = deadline_after(self.timeouts.network)
        while True:
            if self._abort_wanted:
                raise AssociationAborted
            try:
                sent = self._transport.send_some(buffers)
            except ConnectionLost:
                await self._last_words()
                raise
            if sent:
                buffers = _after(buffers, sent)
                self._torn = bool(buffers)
                await self._transport.breathe(sent)
                if not buffers:
                    break
                deadline = deadline_after(self.timeouts.network)  # what arrives meanwhile does not put it off
            room = len(self._requests) < self._limits.queued_requests
            events = await self._transport.ready(WRITE | READ if room else WRITE, deadline)
            if not events:
                raise timed_out("network")
            if events & READ:
                if deadline is not None and time.monotonic() > deadline:
                    raise timed_out("network")
                await self._receive_once()
                if self._ended:
                    raise self._ended

    async def _last_words(self) -> None:
        """Sending failed: what the peer said before it closed tells more than the failure does."""
        try:
            while not self._ended and await self._receive_once():
                pass
        except DimseError:
            return
        if isinstance(self._ended, AssociationAborted):
            raise self._ended

    async def _send_owed(self) -> None:
        owed = self._upper.data_to_send()
        if owed:
            await self._push([owed])

    # --- the pump: in ---

    async def _pull(self, deadline: float | None, wait: str) -> None:
        """Receive something, or fail: the association has ended, or the deadline passed."""
        if self._ended:  # only now: what arrived before the end has been looked at
            raise self._ended
        await self._receive(deadline, wait)

    async def _receive(self, deadline: float | None, wait: str) -> None:
        """Take in what one system call brings, waiting for it until `deadline`; a message under way has the network timeout too."""
        if (
            deadline is not None and time.monotonic() > deadline
        ):  # a peer that never stops sending does not stop the clock
            raise timed_out(wait)
        while not await self._receive_once():
            until, why = deadline, wait
            if self._upper.within_pdu or not self._assembler.between_messages:
                network = deadline_after(self.timeouts.network)
                if network is not None and (until is None or network < until):
                    until, why = network, "network"
            if not await self._transport.ready(READ, until):
                raise timed_out(why)

    async def _take_what_is_here(self) -> None:
        """Take in what has arrived, without waiting."""
        if self._ended:
            raise self._ended
        deadline = deadline_after(self.timeouts.network)
        while not self._ended and await self._receive_once():
            if deadline is not None and time.monotonic() > deadline:
                return  # a peer that never stops sending

    async def _receive_once(self) -> bool:
        """One system call; False if it would block."""
        try:
            count = await self._transport.receive_some(self._buffer)
        except ConnectionLost as error:
            self._upper.transport_closed()
            lost = self._lost()
            lost.__cause__ = error.__cause__
            self._end(lost)
            return True
        if count is None:
            return False
        await self._take_in(self._upper.receive(self._buffer[:count]) if count else self._upper.transport_closed())
        if self._upper.owes:
            owed = self._upper.data_to_send()
            if not self._torn:  # else it would stand within a PDU of ours
                self._transport.send_now(owed)
                if self._dump:
                    self._dump.pdu(pdu.decode(owed[0], owed[6:]), outgoing=True)
        if self._ended is None and self._answer is None and self._upper.state in ("Sta1", "Sta13"):
            self._provider_aborted(self._upper.fault)  # nothing is indicated before an association is asked for
        return True

    async def _take_in(self, indications: list[Indication]) -> None:
        views: list[memoryview] = []  # of the data set that is arriving
        for indication in indications:
            if type(indication) is not Fragment:
                self._indicated(indication)
                continue
            assembled = self._assemble(indication)
            if assembled is None:
                continue
            if isinstance(assembled, CommandSet):
                await self._command_arrived(assembled)
                continue
            views.append(indication.data)
            if assembled is DATA_SET_END:
                self._write(views)
                views = []
                self._message_arrived()
        if views:
            self._write(views)

    def _assemble(self, fragment: Fragment) -> assembly.Fragment:
        try:
            return self._assembler.feed(*fragment)
        except RemoteProtocolError as error:
            raise self._misplaced(str(error)) from error

    def _misplaced(self, why: str) -> RemoteProtocolError:
        """A message that is none here; while a response is awaited, that is what it should have been."""
        return InvalidResponse(self._awaited(), why) if self._outstanding else RemoteProtocolError(why, abort_source=0)

    def _write(self, views: list[memoryview]) -> None:
        assert self._current is not None and self._current.sink is not None
        self._current.sink.write(views)

    async def _command_arrived(self, assembled: CommandSet) -> None:
        context = self.negotiated.contexts.get(assembled.context_id)
        if context is None or not context.accepted:
            raise self._misplaced(f"it came on presentation context {assembled.context_id}, which was not accepted")
        if self._dump:
            self._dump.command_set()
        self._current = arrived = Arrived(context, assembled.message)
        if not assembled.has_data_set:
            self._message_arrived()
        elif self._dispatcher is not None and isinstance(arrived.message, command.Request):
            arrived.sink = await self._dispatcher.begin(self, arrived)
        else:
            arrived.sink = DiscardSink()

    def _message_arrived(self) -> None:
        arrived, self._current = self._current, None
        assert arrived is not None
        message = arrived.message
        if self._dump and isinstance(message, Message):
            self._dump.message(message, arrived.context.context_id, outgoing=False)
        if isinstance(message, InvalidCommand) and (self._outstanding or self._dispatcher is None):
            raise InvalidResponse(self._awaited(), str(message)) from message
        if isinstance(message, InvalidCommand) or message.is_request:
            if len(self._requests) >= 2 * self._limits.queued_requests:
                raise RemoteProtocolError("too many requests wait for their response", abort_source=0)
            self._requests.append(arrived)
        elif isinstance(message, command.Response):
            self._response_arrived(arrived.context, message)

    def _response_arrived(self, context: PresentationContext, response: command.Response) -> None:
        """A response counts only if it is one: our message ID, its context and command, and our UIDs where it carries them."""
        answered = response.message_id_being_responded_to
        outstanding = self._outstanding.get(answered)
        if outstanding is None:
            raise InvalidResponse(self._awaited(), f"it answers message ID {answered}, which is not outstanding")
        request, name = outstanding.request, outstanding.request.name[: -len("-RQ")]
        if type(response) is not outstanding.response_type:
            raise InvalidResponse(name, f"it is a {response.name}")
        if context.context_id != outstanding.context_id:
            raise InvalidResponse(
                name, f"it came on presentation context {context.context_id}, not {outstanding.context_id}"
            )
        for keyword in ("affected_sop_class_uid", "affected_sop_instance_uid"):
            theirs, ours = getattr(response, keyword, None), getattr(request, keyword, None)
            if theirs is not None and ours is not None and theirs != ours:
                raise InvalidResponse(name, f"its {keyword.replace('_', ' ')} is {theirs!r}, not {ours!r}")
        if outstanding.responses:
            raise InvalidResponse(name, "it is the second response to one request")
        outstanding.responses.append(response)

    def _awaited(self) -> str:
        """What kind of response is awaited, in the Standard's words."""
        for outstanding in self._outstanding.values():
            return outstanding.request.name[: -len("-RQ")]
        return "DIMSE"

    def _indicated(self, indication: Indication) -> None:
        """Everything that the upper layer says but data."""
        match indication:
            case pdu.AssociateRQ() | pdu.AssociateAC() | pdu.AssociateRJ():
                if self._dump:
                    self._dump.pdu(indication, outgoing=False)
                self._answer = indication
                if isinstance(indication, pdu.AssociateAC):  # a message may follow in the same bytes
                    self._agree(self._conclude(indication))
            case pdu.ReleaseRQ():
                self._release_asked = True
            case pdu.ReleaseRP():
                self._release_confirmed = True
            case pdu.Abort(source, reason):
                if self._dump:
                    self._dump.pdu(indication, outgoing=False)
                self._end(AssociationAborted(source, reason) if source == 0 else ProviderAborted(source, reason))
            case ProviderAbort():
                self._provider_aborted(indication)

    def _lost(self) -> AssociationError:
        """The connection has ended under us, by our own hand or without a word."""
        if self._abort_wanted:
            return AssociationAborted()
        return ConnectionLost(f"Connection closed{' while waiting for DIMSE message' if self._outstanding else ''}")

    def _provider_aborted(self, abort: ProviderAbort) -> None:
        if self._abort_wanted or not abort.why:
            self._end(self._lost())
        elif abort.foreign and self._answer is None:
            heard = bytes(self._buffer[:MOST_HEARD])
            self._end(NotDicomPeer(heard if heard.startswith(abort.foreign) else abort.foreign))
        else:
            self._end(RemoteProtocolError(abort.why, abort_reason=abort.reason))


class _Operation:
    """One operation at a time on an association."""

    def __init__(self, association: Association) -> None:
        self._association = association

    def __enter__(self) -> None:
        if self._association._busy:
            raise LocalProtocolError("another operation is under way on this association")
        self._association._busy = True

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._association._busy = False


def _after(buffers: list[Buffer], sent: int) -> list[Buffer]:
    """What is left of `buffers` once `sent` bytes of them are gone."""
    for index, buffer in enumerate(buffers):
        if sent < len(buffer):
            rest = buffers[index:]
            rest[0] = memoryview(buffer)[sent:]
            return rest
        sent -= len(buffer)
    return []


def _dump_if_debugging() -> Dump | None:
    """What prints PDUs and messages, if anybody wants to see them; asked once an association."""
    if not (LOGGER.isEnabledFor(logging.DEBUG) or MESSAGES.isEnabledFor(logging.DEBUG)):
        return None
    from dimse.dump import Dump

    return Dump()
