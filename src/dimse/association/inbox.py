"""The inbox: what arrives of messages, and where each of them goes (PS3.7 section 6, PS3.8 Annex E).

A request of the peer waits until those ahead of it are answered: one at a time is taken in. A response goes to the table of
outstanding requests, and a C-CANCEL to the request that it names, past everything that waits.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, Self

from dimse.association.outstanding import Outstanding
from dimse.association.receiver import LOGGER, MESSAGES
from dimse.association.sinks import DiscardSink, Sink
from dimse.errors import InvalidCommand, InvalidResponse, RemoteProtocolError
from dimse.message import command
from dimse.message.assembly import DATA_SET_END, Assembler, CommandSet
from dimse.message.command import Message
from dimse.support.values import record, value
from dimse.upper_layer.negotiation import PresentationContext
from dimse.upper_layer.pdata import Fragment

if TYPE_CHECKING:
    from dimse.association.receiver import Watching


@value
class Refusal:
    """A status to answer with, and its Error Comment (0000,0902)."""

    status: int
    comment: str = ""


@record
class Arrived:
    """A message of the peer: its command set, and the sink that holds its data set.

    Attributes:
        context: The presentation context that the message came on.
        message: The command set; an `InvalidCommand` where it is not a message that we know.
        sink: The sink for its data set; None if it has none.
        request: The object that its service has made of it when its data set began to arrive.
        refusal: The answer of the service, where that was decided before the data set came.
        cancelled: True once the peer has sent a C-CANCEL for the request.
        outer: The request that was being answered when the answer to this one began; None without one.
    """

    context: PresentationContext
    message: Message | InvalidCommand
    sink: Sink | None = None
    request: object = None
    refusal: Refusal | None = None
    cancelled: bool = False
    outer: Self | None = None


class Inbox:
    """The layer above a pump (`receiver.Above`): it takes the messages of one association as they arrive.

    Attributes:
        contexts: The presentation contexts by ID, once they are negotiated.
        begin: Returns the sink for the data set of a request of the peer; None refuses all requests.
        answer: Sends the responses to a request of the peer; None refuses all requests.
        owner: The association while an operation on it is under way, else None.
        dump: Is told of messages; None for nothing.
        requests: Requests of the peer that are complete and wait for their answer.
        answering: The request whose answer is under way, the innermost of several; None without one.
        depth: The number of requests whose answers are under way, one within the other.
        held_back: The command set of a message that is not taken in before what is ahead of it is done with.
        leaving: True once requests are not answered any more.
    """

    def __init__(self, outstanding: Outstanding) -> None:
        self.contexts: Mapping[int, PresentationContext] = {}
        self.begin: Callable[[Any, Arrived], Awaitable[Sink]] | None = None
        self.answer: Callable[[Any, Arrived], Awaitable[None]] | None = None
        self.owner: Any = None
        self.dump: Watching | None = None
        self.requests: deque[Arrived] = deque()
        self.answering: Arrived | None = None
        self.depth = 0
        self.held_back: CommandSet | None = None
        self.leaving = False
        self._outstanding = outstanding
        self._assembler = Assembler()
        # The message whose data set is arriving.
        self._current: Arrived | None = None
        # True while that is the data set of a response.
        self._fills_response = False

    # --- what the pump asks ---

    @property
    def within_message(self) -> bool:
        """True if a message has arrived in part."""
        return not self._assembler.between_messages

    @property
    def is_at_work(self) -> bool:
        """True if a message has arrived in part, or a request has not been answered; any thread may ask."""
        # In the order in which a request goes through them, each of them set before the last one is cleared.
        return self.within_message or self._current is not None or bool(self.requests) or self.answering is not None

    @property
    def expecting(self) -> bool:
        """True if the peer is to send more before we send anything."""
        # A request of the peer that is complete is answered first.
        if self.requests or self.held_back is not None:
            return False
        return self._outstanding.unfinished > 0 or not self._assembler.between_messages

    @property
    def awaiting(self) -> bool:
        """True if a response is awaited."""
        return bool(self._outstanding.requests)

    async def data_arrived(self, fragments: list[Fragment]) -> list[Fragment]:
        """Take fragments of messages, and return those behind a message that must wait."""
        # Pieces of the data set that is arriving.
        views: list[memoryview] = []
        following = iter(fragments)
        for fragment in following:
            try:
                assembled = self._assembler.feed(*fragment)
            except RemoteProtocolError as error:
                raise self._misplaced(str(error)) from error
            if assembled is None:
                continue
            if isinstance(assembled, CommandSet):
                is_busy = self.answering is not None or self.requests or self._outstanding.is_full
                if is_busy and self._must_wait(assembled.message):
                    self.held_back = assembled
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

    async def take_held_back(self) -> None:
        """Take the message that was held back."""
        held_back, self.held_back = self.held_back, None
        if held_back is not None:
            await self._command_arrived(held_back)

    def stop_answering(self) -> None:
        """Drop the requests that wait, and those that arrive from now on."""
        self.leaving = self._outstanding.leaving = True
        for arrived in self.requests:
            if arrived.sink is not None:
                arrived.sink.discard()
        self.requests.clear()

    def let_go(self) -> None:
        """Drop everything that has arrived: the association has ended."""
        for arrived in (*self.requests, self._current):
            if arrived is not None and arrived.sink is not None:
                arrived.sink.discard()
        self.requests.clear()
        self._current = self.held_back = None
        self._outstanding.let_go()

    # --- what the association asks ---

    @property
    def can_go_on(self) -> bool:
        """True if a message is held back and need not be any more, once the requests that wait are answered."""
        if self.held_back is None:
            return False
        return not (isinstance(self.held_back.message, command.Response) and self._outstanding.is_full)

    # --- a message as it arrives ---

    def _must_wait(self, message: Message | InvalidCommand) -> bool:
        """Return True if a message is held back: a request while another one waits or is answered, a response while many wait."""
        if self.leaving or isinstance(message, command.CCancelRQ):
            return False
        if isinstance(message, command.Response):
            return self._outstanding.is_full
        return self.answering is not None or bool(self.requests)

    async def _command_arrived(self, assembled: CommandSet) -> None:
        context = self.contexts.get(assembled.context_id)
        if context is None or not context.accepted:
            raise self._misplaced(f"it came on presentation context {assembled.context_id}, which was not accepted")
        if self.dump:
            self.dump.command_set()
        message = assembled.message
        self._current = arrived = Arrived(context, message)
        if not assembled.has_data_set:
            self._message_arrived()
        elif self.begin is not None and not self.leaving and isinstance(message, command.Request):
            arrived.sink = await self.begin(self.owner, arrived)
        elif isinstance(message, command.Response):
            arrived.sink, self._fills_response = self._outstanding.sink_for(message), True
        else:
            arrived.sink = DiscardSink()

    def _write(self, views: list[memoryview]) -> None:
        assert self._current is not None and self._current.sink is not None
        self._current.sink.write(views)
        if self._fills_response:
            # An endless data set is not received to its end.
            self._outstanding.check_kept(self._current.sink)

    def _message_arrived(self) -> None:
        arrived = self._current
        assert arrived is not None
        message = arrived.message
        if self.dump and isinstance(message, Message):
            self.dump.message(message, arrived.context.context_id, outgoing=False)
        if isinstance(message, InvalidCommand):
            is_answer = self._outstanding.requests and command.refusal(message) is None
            if is_answer or self.begin is None:
                raise InvalidResponse(self._outstanding.awaited, str(message)) from message
        elif isinstance(message, command.Response):
            self._fills_response = False
            self._current = None
            self._outstanding.response_arrived(arrived.context, message, arrived.sink)
            return
        elif type(message) is command.CCancelRQ:
            self._current = None
            self._cancel(message)
            return
        if not self.leaving:
            self.requests.append(arrived)
        # Only now: `is_at_work` is asked in other threads.
        self._current = None

    def _cancel(self, cancel: command.CCancelRQ) -> None:
        """Mark the request that a C-CANCEL names (PS3.7 9.3.2.3), if it waits or is being answered."""
        message_id = cancel.message_id_being_responded_to
        answering, found = self.answering, False
        under_way = list(self.requests)
        while answering is not None:
            under_way.append(answering)
            answering = answering.outer
        for arrived in under_way:
            if isinstance(arrived.message, command.Request) and arrived.message.message_id == message_id:
                arrived.cancelled = found = True
                MESSAGES.info("Received C-CANCEL-%s RQ from peer", arrived.message.name[2:-3])
        if not found:
            LOGGER.debug("ignored a C-CANCEL-RQ for message ID %d, which is not under way", message_id)

    def _misplaced(self, why: str) -> RemoteProtocolError:
        """Return the error for a message that cannot be here; if a response is awaited, it should have been that."""
        if self._outstanding.requests:
            return InvalidResponse(self._outstanding.awaited, why)
        return RemoteProtocolError(why, abort_source=0)
