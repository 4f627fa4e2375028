"""An association from its request or acceptance to its release, and the messages that cross it.

Responses meet their request in the table of outstanding ones by message ID. Of the peer's own requests one at a time is taken in,
in the next moment between messages; those behind it wait in the receive buffer and in the connection.
`dimse.association.pump` moves the PDUs, and `dimse.services` has what the messages mean.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, Self, TypeVar, cast

from dimse import uids
from dimse.association.pump import LOGGER, MESSAGES, Buffers, Pump
from dimse.association.sinks import DiscardSink, Sink
from dimse.errors import (
    AssociationAborted,
    AssociationError,
    AssociationRejected,
    AssociationReleased,
    ConnectError,
    ConnectionLost,
    InvalidCommand,
    InvalidResponse,
    NoPresentationContext,
    RemoteProtocolError,
)
from dimse.logs import About, within
from dimse.message import command
from dimse.message.assembly import DATA_SET_END, Assembler, CommandSet
from dimse.message.command import Message
from dimse.settings import Acceptor, Limits, Requestor, Timeouts
from dimse.support.values import field, record, replace, value
from dimse.transport.base import Transport, deadline_after
from dimse.upper_layer import negotiation, pdu
from dimse.upper_layer.negotiation import Negotiated, Peer, PresentationContext
from dimse.upper_layer.pdata import Buffer, Fragment
from dimse.upper_layer.provider import UpperLayer

if TYPE_CHECKING:
    import ssl

    from dimse.settings.tls import TLS, Security
    from dimse.transport.tls import TLSSession

T = TypeVar("T")

__all__ = ["LOGGER", "MESSAGES", "Arrived", "Association", "Dispatcher", "Open", "Refusal"]


@record
class Outstanding:
    """A request of ours whose response has not come.

    Attributes:
        sent: Whether it has gone out whole.
    """

    context_id: int
    request: command.Request
    response_type: type[command.Response]
    sent: bool = False
    responses: deque[command.Response] = field(default_factory=deque)


@value
class Refusal:
    """A status to answer with, and its Error Comment (0000,0902)."""

    status: int
    comment: str = ""


@record
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
    """Answers what a peer asks: `dimse.services.handlers` has the one that is used."""

    async def begin(self, association: Association, arrived: Arrived) -> Sink:
        """A command set has come and its data set is on the way: where shall it go?"""

    async def answer(self, association: Association, arrived: Arrived) -> None:
        """The message is complete: send its response."""


Open = Callable[[str, int, float], Awaitable[Transport]]


class Association(Pump):
    """One association, as either side (PS3.8 section 7, PS3.7 section 7).

    Made by `request` or `accept`. One operation at a time; `abort` from anywhere, any time.

    Attributes:
        negotiated: What was agreed.
        connect_seconds: What opening the transport connection took; 0 for an acceptor.
        negotiate_seconds: From the A-ASSOCIATE-RQ to its answer.
        when_released: Called by `serve` when the peer has released the association, before that is answered.
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
        buffers: Buffers,
    ) -> None:
        super().__init__(transport, upper_layer, timeouts, limits, buffers)
        self.connect_seconds = self.negotiate_seconds = 0.0
        self._dispatcher = dispatcher
        self._assembler = Assembler()
        self._current: Arrived | None = None  # its data set is arriving
        self._requests: deque[Arrived] = deque()
        # The command set of a request that is not taken in before those ahead of it are answered.
        self._next: CommandSet | None = None
        self._outstanding: dict[int, Outstanding] = {}
        self._responded: deque[int] = deque()  # those whose response has come, in that order, and was not fetched
        self._last_message_id = 0
        self._accepted_for: dict[str, Mapping[str, PresentationContext]] = {}  # by abstract syntax, what was asked for
        self._refused = False  # has a message been refused?
        # Answers under way: a handler that awaits a response of the peer's answers its requests meanwhile.
        self._answering = 0
        self._finishing = self._leaving = False
        self.when_released: Callable[[], object] = lambda: None

    # --- making one ---

    @classmethod
    async def request(
        cls,
        open_transport: Open,
        address: tuple[str, int],
        requestor: Requestor,
        timeouts: Timeouts,
        dispatcher: Dispatcher | None = None,
        tls: TLS | ssl.SSLContext | None = None,
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
            ConnectError: No transport connection could be made; a `TLSError` if that is for TLS.
            TLSConfigurationError: `tls` cannot be used.
            AssociationRejected: The peer answered A-ASSOCIATE-RJ.
            AssociationError: The peer aborted or vanished instead of answering.
            RefusedContexts: It accepted none of the contexts; the association was aborted.
            UnusableMaximumLength: Its maximum length is too small to send anything in.
            OperationTimeout: It did not answer in time.
            RemoteProtocolError: What it said is no DICOM, or no answer to what was asked.
        """
        security = None
        if tls is not None:
            from dimse.settings.tls import of_a_requestor

            security = of_a_requestor(tls)
        with within(About(address, requestor.calling_ae_title, requestor.called_ae_title)):
            try:
                return await cls._requested(open_transport, address, requestor, timeouts, dispatcher, security)
            except ConnectError as error:
                error.host, error.port = address
                raise

    @classmethod
    async def _requested(
        cls,
        open_transport: Open,
        address: tuple[str, int],
        requestor: Requestor,
        timeouts: Timeouts,
        dispatcher: Dispatcher | None,
        security: Security | None,
    ) -> Self:
        LOGGER.info("Requesting Association")
        started = time.monotonic()
        transport = await open_transport(*address, timeouts.connect)
        if security is not None:
            await transport.secure(security, deadline_after(timeouts.connect), host=address[0])
        upper = UpperLayer(requestor=True, maximum_length=requestor.maximum_length)
        association = cls(transport, upper, timeouts, dispatcher, Limits(), Buffers())
        connected = time.monotonic()
        proposal = negotiation.propose(requestor)
        try:
            async with association.operation():
                await association._request(requestor, proposal)
        except ConnectionLost as error:
            if (turned_away := transport.turned_away()) is not None:
                raise turned_away from error
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
            await self._receive(deadline, "acse")
        if isinstance(self._answer, pdu.AssociateRJ):
            rejection = self._answer
            raise AssociationRejected(rejection.result, rejection.source, rejection.reason)
        assert isinstance(self._answer, pdu.AssociateAC)  # the state machine lets nothing else through in Sta5

    @classmethod
    async def accept(
        cls,
        transport: Transport,
        upper_layer: UpperLayer,
        request: pdu.AssociateRQ,
        acceptor: Acceptor,
        timeouts: Timeouts,
        dispatcher: Dispatcher,
        limits: Limits,
        buffers: Buffers,
        identified: bytes | None = None,
    ) -> Self | None:
        """Answer an A-ASSOCIATE-RQ that has arrived.

        Args:
            transport: The connection it came on.
            upper_layer: What took it in.
            request: The A-ASSOCIATE-RQ.
            acceptor: What we accept.
            timeouts: In seconds.
            dispatcher: What answers the peer's requests.
            limits: How much it may ask for.
            buffers: What is received into; shared by all associations of a server.
            identified: The answer to the request's user identity, which was verified; None if it was not looked at.

        Returns:
            The association, or None if the request was rejected; then the connection is closed.

        Raises:
            UnusableMaximumLength: The requestor's maximum length is too small to answer in; the association was aborted.
            AssociationError: The peer vanished.
        """
        association = cls(transport, upper_layer, timeouts, dispatcher, limits, buffers)
        async with association.operation():
            accepted = await association._accept(acceptor, request, identified)
        return association if accepted else None

    async def _accept(self, acceptor: Acceptor, request: pdu.AssociateRQ, identified: bytes | None) -> bool:
        if self._dump:
            self._dump.pdu(request, outgoing=False)
        _say_tolerated(request)
        self._answer = request
        answer = negotiation.answer(acceptor, request, identified)
        if isinstance(answer, pdu.AssociateRJ):
            await self._respond(answer)
            LOGGER.info("Rejecting Association")
            await self._linger()
            self._close()
            return False
        accept, negotiated = answer
        LOGGER.info("Accepting Association")
        self._agree(negotiated)
        await self._respond(accept)
        return True

    async def _respond(self, response: pdu.AssociateAC | pdu.AssociateRJ) -> None:
        if self._dump:
            self._dump.pdu(response, outgoing=True)
        self._upper.associate_response(response)
        await self._send_owed()

    def _agree(self, negotiated: Negotiated) -> None:
        _say_tolerated(negotiated)
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
    def identity_response(self) -> bytes | None:
        """The peer's answer to our user identity: a ticket, assertion or token, empty for a user name; None if it gave none."""
        return self.negotiated.identity_response

    @property
    def tls(self) -> TLSSession | None:
        """What TLS has negotiated, and the peer's certificate; None on a plain connection."""
        return self._transport.tls

    def accepted(self, abstract_syntax: str) -> Mapping[str, PresentationContext]:
        """The accepted contexts of a SOP class by transfer syntax, of several with one the first."""
        known = self._accepted_for.get(abstract_syntax)
        if known is not None:
            return known
        by_syntax: dict[str, PresentationContext] = {}
        for context in self.negotiated.accepted(abstract_syntax):
            by_syntax.setdefault(context.transfer_syntax, context)
        if by_syntax:
            self._accepted_for[abstract_syntax] = by_syntax
        return by_syntax

    def context_for(self, abstract_syntax: str, transfer_syntax: str | None = None) -> PresentationContext:
        """An accepted context for a SOP class, and a transfer syntax if one is given.

        Raises:
            NoPresentationContext: There is none.
        """
        accepted = self.accepted(abstract_syntax)
        if transfer_syntax is None and accepted:
            return next(iter(accepted.values()))
        if transfer_syntax is not None and transfer_syntax in accepted:
            return accepted[transfer_syntax]
        named = uids.name(abstract_syntax)
        with_syntax = f" with '{uids.name(transfer_syntax)}' transfer syntax" if transfer_syntax else ""
        raise NoPresentationContext(
            f"No presentation context for '{named}' has been accepted by the peer{with_syntax} for the SCU role"
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
        async with self.operation():
            await self._take_what_is_here()
            LOGGER.info("Releasing Association")
            await self._release()
        self._end(AssociationReleased("the association has been released"))
        self._close()

    async def _release(self) -> None:
        await self._answer_no_more()
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
            await self._receive(deadline, "release")

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

        Raises:
            LocalProtocolError: Another operation is under way; nothing was sent.
            DimseError: As `send_request` and `wait_response` do.
        """
        async with self.operation():
            await self.send_request(context, message, data_set)
            return await self.wait_response(message)

    async def send_request(
        self,
        context: PresentationContext,
        message: command.Request,
        data_set: Buffer | None = None,
        command_set: bytes | None = None,
    ) -> None:
        """Within an `operation`: send a request; its response is fetched with `wait_response`.

        Args:
            context: The presentation context.
            message: The request.
            data_set: What goes with it.
            command_set: What `command.encode` has made of the request, if that was done before.

        Raises:
            AssociationError: The association has ended, or does now.
            OperationTimeout: No byte moved within the network timeout; the association was aborted.
            RemoteProtocolError: The peer broke the protocol meanwhile; the association was aborted.
        """
        await self._take_what_is_here()
        if self._dump:
            self._dump.message(message, context.context_id, outgoing=True)
        response_type = command.RESPONSES[type(message)]
        outstanding = self._outstanding[message.message_id] = Outstanding(context.context_id, message, response_type)
        await self._send(context, command_set or command.encode(message), data_set)
        outstanding.sent = True

    def _send(
        self, context: PresentationContext, command_set: bytes, data_set: Buffer | None
    ) -> Coroutine[Any, Any, None]:
        return self._transmit(context.context_id, self.negotiated.send_length, command_set, data_set)

    async def wait_response(self, request: command.Request) -> command.Response:
        """Within the same `operation`: wait for the response to a request that was sent.

        Raises:
            OperationTimeout: None came within the DIMSE timeout; the association was aborted.
            AssociationError: The association ended.
            InvalidResponse: What came is no response to it; the association was aborted.
        """
        outstanding = self._outstanding[request.message_id]
        deadline = deadline_after(self.timeouts.dimse)
        while not outstanding.responses:
            await self._await_response(deadline)
        return self._fetch(request.message_id)

    async def wait_any_response(self) -> command.Response:
        """As `wait_response`, for any of the requests that were sent: the response that came first and was not fetched yet."""
        deadline = deadline_after(self.timeouts.dimse)
        while not self._responded:
            await self._await_response(deadline)
        return self._fetch(self._responded[0])

    def is_outstanding(self, message_id: int) -> bool:
        """Has a request gone out, at least in part, whose response has not been fetched?"""
        return message_id in self._outstanding

    @property
    def is_unanswered(self) -> bool:
        """Whether a request has gone out whole and its response was not fetched: the peer may have done what it asks."""
        return any(outstanding.sent for outstanding in self._outstanding.values())

    def response_here(self) -> command.Response | None:
        """As `wait_any_response`, without waiting, and after the association has ended too; None if there is none."""
        return self._fetch(self._responded[0]) if self._responded else None

    async def _await_response(self, deadline: float | None) -> None:
        """Let something arrive."""
        if self._requests or self._next is not None:
            await self._answer_waiting()
            if self._responded:  # it came behind a request that was held back
                return
        if self._release_asked:
            raise await self._released_by_peer()
        await self._receive(deadline, "dimse")

    def _fetch(self, message_id: int) -> command.Response:
        self._responded.remove(message_id)
        response = self._outstanding[message_id].responses.popleft()
        if response.status & 0xFFFE != 0xFF00:  # FF00H, FF01H: more to come
            del self._outstanding[message_id]
        return response

    async def _released_by_peer(self) -> AssociationError:
        """The peer released the association while we wait for it to respond: agree, and say so to the caller."""
        if self._ended:  # by what it sent behind its A-RELEASE-RQ
            raise self._ended
        self._upper.release_response()
        await self._send_owed()
        self._end(AssociationReleased("the peer released the association instead of responding"))
        await self._linger()
        return AssociationReleased("the peer released the association instead of responding")

    # --- requests of the peer's ---

    def call(self, function: Callable[..., T | Awaitable[T]], *args: object) -> Coroutine[Any, Any, T]:
        """Run a handler, `def` or `async def`, as the driver does it."""
        return self._transport.call(function, *args)

    @property
    def calls_in_threads(self) -> bool:
        """Whether `call` runs a `def` in another thread, because an event loop must not wait for it."""
        return self._transport.calls_in_threads

    def begin_call(self, function: Callable[..., T], *args: object) -> Awaitable[T]:
        """Begin a disk operation that may block, in a thread where `call` uses one; it is awaited later."""
        return self._transport.begin_call(function, *args)

    async def send_response(
        self, context: PresentationContext, message: Message, data_set: Buffer | None = None
    ) -> None:
        """Send a response; for a dispatcher, within `serve` or while a response is awaited."""
        if self._dump:
            self._dump.message(message, context.context_id, outgoing=True)
        await self._send(context, command.encode(message), data_set)

    def dispatch_to(self, dispatcher: Dispatcher | None) -> Dispatcher | None:
        """Have another dispatcher answer the peer's requests from now on; the one that did until now."""
        before, self._dispatcher = self._dispatcher, dispatcher
        return before

    async def serve(self, timeout: float | None = None, *, until: Callable[[], bool] | None = None) -> None:
        """Answer the peer until it releases the association, for `timeout` seconds, or until `until` says so.

        Args:
            timeout: In seconds; None is without limit.
            until: Asked when requests have been answered: is it enough?

        Raises:
            AssociationError: The peer aborted or vanished.
            OperationTimeout: Without `timeout`, no request came within the idle timeout.
            RemoteProtocolError: The peer broke the protocol; the association was aborted.
        """
        end = None if timeout is None else time.monotonic() + timeout
        async with self.operation():
            while True:
                if self._requests:
                    await self._answer_waiting()
                if self._release_asked:
                    break
                if until is not None and until():
                    return
                if self._finishing and not self._within_message:
                    raise AssociationAborted
                if end is None:
                    await self._receive(deadline_after(self.timeouts.idle), "idle")
                elif time.monotonic() >= end or not await self._pull_until(end):
                    return
            if self._ended:  # by what came behind the A-RELEASE-RQ
                raise self._ended
            self.when_released()
            self._upper.release_response()
            await self._send_owed()
            await self._await_close()
        LOGGER.info("Association Released")
        self._end(AssociationReleased("the association has been released"))

    def finish(self) -> None:
        """Abort the association once the message under way has been answered, at once if there is none; from any thread."""
        self._finishing = True
        if not (self._within_message or self._requests or self._answering):
            self.abort()

    async def _answer_waiting(self) -> None:
        """Answer the requests that wait, and after each of them take in what was held back behind it."""
        while True:
            if self._requests:
                await self._answer_one(self._requests.popleft())
            elif self._next is not None:
                await self._take_in_kept()
            else:
                return

    async def _answer_one(self, arrived: Arrived) -> None:
        begun = time.monotonic()
        self._answering += 1
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
            self._answering -= 1
            self._put_off(begun)
            if arrived.sink is not None:
                arrived.sink.discard()

    async def _refuse(self, arrived: Arrived) -> None:
        """Answer a command set that is no message we know, where it says enough to be answered."""
        invalid = cast(InvalidCommand, arrived.message)
        refusal = command.refusal(invalid)
        if refusal is None:
            raise RemoteProtocolError(str(invalid), abort_source=0)
        # Once an association: no peer is to fill the log.
        LOGGER.log(logging.DEBUG if self._refused else logging.ERROR, "refused a message: %s", invalid)
        self._refused = True
        await self._send(arrived.context, refusal, None)

    # --- messages that arrive ---

    async def _p_data(self, fragments: list[Fragment]) -> list[Fragment]:
        views: list[memoryview] = []  # of the data set that is arriving
        following = iter(fragments)
        for fragment in following:
            try:
                assembled = self._assembler.feed(*fragment)
            except RemoteProtocolError as error:
                raise self._misplaced(str(error)) from error
            if assembled is None:
                continue
            if isinstance(assembled, CommandSet):
                if (self._requests or self._answering) and self._must_wait(assembled):
                    self._next = assembled
                    return list(following)
                await self._command_arrived(assembled)
                continue
            views.append(fragment.data)
            if assembled is DATA_SET_END:
                self._write(views)
                views = []
                self._message_arrived()
        if views:
            self._write(views)
        return []

    def _must_wait(self, assembled: CommandSet) -> bool:
        """Return whether a message, where requests wait or are being answered, is held back until they are answered.

        A response is not; nor is a C-CANCEL, which is about one of those requests.
        """
        message = assembled.message
        if self._leaving or isinstance(message, command.Response):
            return False
        return not isinstance(message, command.CCancelRQ) or len(self._requests) >= self._limits.queued_requests

    async def _begin_held_back(self) -> None:
        held_back, self._next = self._next, None
        if held_back is not None:
            await self._command_arrived(held_back)

    async def _answer_no_more(self) -> None:
        self._leaving = True
        for arrived in self._requests:
            if arrived.sink is not None:
                arrived.sink.discard()
        self._requests.clear()
        if self._next is not None:
            await self._take_in_kept()

    def _accepted(self, accept: pdu.AssociateAC) -> None:
        _say_tolerated(accept)
        self._agree(self._conclude(accept))

    @property
    def _within_message(self) -> bool:
        return not self._assembler.between_messages

    @property
    def _awaiting(self) -> bool:
        return bool(self._outstanding)

    @property
    def _expecting(self) -> bool:
        if self._next is not None:
            return False
        return not self._assembler.between_messages or len(self._outstanding) > len(self._responded)

    @property
    def _held_back(self) -> bool:
        return self._next is not None

    def _let_go(self) -> None:
        for arrived in (*self._requests, self._current):
            if arrived is not None and arrived.sink is not None:
                arrived.sink.discard()
        self._requests.clear()
        self._current = self._next = None
        self._kept.clear()

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
        elif self._dispatcher is not None and not self._leaving and isinstance(arrived.message, command.Request):
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
            if not self._leaving:
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
        self._responded.append(answered)

    def _awaited(self) -> str:
        """What kind of response is awaited, in the Standard's words."""
        for outstanding in self._outstanding.values():
            return outstanding.request.name[: -len("-RQ")]
        return "DIMSE"


def _say_tolerated(said: pdu.AssociateRQ | pdu.AssociateAC | Negotiated) -> None:
    """Log each fault of the peer that was tolerated; they are few, and escaped."""
    for oddity in said.oddities:
        LOGGER.info("Tolerated: %s", oddity)
