"""The requests of ours that are under way, and the responses to them (PS3.7 9.1.2 to 9.1.4).

A response counts only if it answers a request in this table, by its message ID, presentation context and kind. Its UIDs have to fit
too, if it carries them. A C-FIND, C-GET or C-MOVE has any number of pending responses before its final one; every other request has
one response.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from dimse.association.receiver import LOGGER
from dimse.association.sinks import DiscardSink, Sink
from dimse.errors import InvalidResponse, LocalProtocolError
from dimse.message import command
from dimse.support.values import field, record
from dimse.upper_layer.negotiation import PresentationContext

# Requests that may have many responses, and the statuses of all but the last: FF00H and FF01H (PS3.7 C.1.3).
HAVE_MANY_RESPONSES = frozenset({command.CFindRQ, command.CGetRQ, command.CMoveRQ})
PENDING, PENDING_BITS = 0xFF00, 0xFFFE

# Responses that have arrived and were not fetched, and bytes of their data sets; beyond either nothing more is received.
MOST_WAITING = 64
MOST_WAITING_BYTES = 4 * 1024 * 1024

# Requests that were cancelled and have had their final response: those of which the late responses are still known.
MOST_CANCELLED = 64

Answer = tuple[command.Response, Sink | None]
"""A response, and what holds its data set; None if it has none."""


@record
class OutstandingRequest:
    """A request of ours whose final response has not been fetched.

    Attributes:
        context_id: The presentation context that the request went out on.
        request: The request.
        response_type: The kind of its responses.
        sink: Makes the sink for the data set of a response.
        has_many: True if pending responses may come before the final one.
        sent: True once the request has gone out whole.
        cancelled: True once a C-CANCEL for it has gone out.
        abandoned: True if no caller will fetch its responses.
        finished: True once the final response has arrived.
        answers: Responses that were not fetched.
    """

    context_id: int
    request: command.Request
    response_type: type[command.Response]
    sink: Callable[[], Sink] = DiscardSink
    has_many: bool = False
    sent: bool = False
    cancelled: bool = False
    abandoned: bool = False
    finished: bool = False
    answers: deque[Answer] = field(default_factory=deque)

    @property
    def operation(self) -> str:
        """The name of the operation as the Standard writes it: "C-STORE"."""
        return self.request.name[: -len("-RQ")]


class Outstanding:
    """The table of requests that are under way, by message ID.

    Attributes:
        requests: The requests.
        responded: Message IDs of the responses that were not fetched, in the order in which those arrived.
        unfinished: The number of requests whose final response has not arrived.
        is_full: True while so many responses wait that no more are taken in.
        leaving: True once the association is being released: pending responses are dropped from then on.
    """

    def __init__(self) -> None:
        self.requests: dict[int, OutstandingRequest] = {}
        self.responded: deque[int] = deque()
        self.unfinished = 0
        self.is_full = self.leaving = False
        self._waiting = self._waiting_bytes = 0
        self._last_message_id = 0
        self._cancelled: deque[int] = deque(maxlen=MOST_CANCELLED)

    def next_message_id(self) -> int:
        """Return the next message ID: 1 to 65,535 and round again, none that is outstanding."""
        while True:
            self._last_message_id = self._last_message_id % 0xFFFF + 1
            if self._last_message_id not in self.requests:
                return self._last_message_id

    def add(self, context_id: int, request: command.Request, sink: Callable[[], Sink]) -> OutstandingRequest:
        """Add a request that is about to go out."""
        kind = type(request)
        outstanding = OutstandingRequest(
            context_id, request, command.RESPONSES[kind], sink, kind in HAVE_MANY_RESPONSES
        )
        self.requests[request.message_id] = outstanding
        self.unfinished += 1
        if self._cancelled and request.message_id in self._cancelled:
            self._cancelled.remove(request.message_id)
        return outstanding

    def sink_for(self, response: command.Response) -> Sink:
        """Return a sink for the data set of a response, which is on its way."""
        outstanding = self.requests.get(response.message_id_being_responded_to)
        if outstanding is None or outstanding.finished or outstanding.abandoned or self.leaving:
            return DiscardSink()
        return outstanding.sink()

    def check_kept(self, sink: Sink) -> None:
        """Check that the sink for the data set of a response has taken all of it so far.

        Raises:
            InvalidResponse: It has not: the data set is too long, or the disk has failed.
        """
        if sink.error is not None:
            raise InvalidResponse(self.awaited, f"its data set is {sink.error.strerror or sink.error}")

    def response_arrived(self, context: PresentationContext, response: command.Response, sink: Sink | None) -> None:
        """Take a response that is complete.

        Raises:
            InvalidResponse: It does not answer a request of ours as the Standard has it, or comes after the final one.
        """
        answered = response.message_id_being_responded_to
        outstanding = self.requests.get(answered)
        if outstanding is None or outstanding.finished:
            self._late_response_arrived(outstanding, response)
            return
        self._check(outstanding, context, response)
        is_pending = outstanding.has_many and response.status & PENDING_BITS == PENDING
        if not is_pending:
            outstanding.finished = True
            self.unfinished -= 1
        if outstanding.abandoned or (is_pending and self.leaving):
            if sink is not None:
                sink.discard()
            if outstanding.finished:
                self._remove(outstanding)
            return
        outstanding.answers.append((response, sink))
        self.responded.append(answered)
        if outstanding.has_many:
            self._count_waiting(1, sink)

    def _check(self, outstanding: OutstandingRequest, context: PresentationContext, response: command.Response) -> None:
        request = outstanding.request
        if type(response) is not outstanding.response_type:
            raise InvalidResponse(outstanding.operation, f"it is a {response.name}")
        if context.context_id != outstanding.context_id:
            why = f"it came on presentation context {context.context_id}, not {outstanding.context_id}"
            raise InvalidResponse(outstanding.operation, why)
        for keyword in ("affected_sop_class_uid", "affected_sop_instance_uid"):
            theirs, ours = getattr(response, keyword, None), getattr(request, keyword, None)
            if theirs is not None and ours is not None and theirs != ours:
                why = f"its {keyword.replace('_', ' ')} is {theirs!r}, not {ours!r}"
                raise InvalidResponse(outstanding.operation, why)

    def _late_response_arrived(self, outstanding: OutstandingRequest | None, response: command.Response) -> None:
        """Drop a response that comes after the final one, if the request was cancelled: the two may have crossed."""
        answered = response.message_id_being_responded_to
        if answered in self._cancelled if outstanding is None else outstanding.cancelled:
            LOGGER.debug("dropped a %s to message ID %d, which was cancelled and is over", response.name, answered)
        elif outstanding is not None and type(response) is outstanding.response_type:
            raise InvalidResponse(outstanding.operation, "it is the second response to one request")
        else:
            raise InvalidResponse(self.awaited, f"it answers message ID {answered}, which is not outstanding")

    def fetch(self, message_id: int) -> Answer:
        """Return the next response to a request, which has arrived; the final one ends the request."""
        self.responded.remove(message_id)
        outstanding = self.requests[message_id]
        answer = outstanding.answers.popleft()
        if outstanding.has_many:
            self._count_waiting(-1, answer[1])
        if outstanding.finished and not outstanding.answers:
            self._remove(outstanding)
        return answer

    def cancel(self, request: command.Request) -> OutstandingRequest | None:
        """Mark a request for which a C-CANCEL is about to go out; return None if it has had its final response.

        Raises:
            LocalProtocolError: It is not a request that can be cancelled.
        """
        if type(request) not in HAVE_MANY_RESPONSES:
            raise LocalProtocolError(f"a {request.name} cannot be cancelled")
        outstanding = self.requests.get(request.message_id)
        if outstanding is None or outstanding.finished:
            return None
        outstanding.cancelled = True
        return outstanding

    def abandon(self, outstanding: OutstandingRequest) -> None:
        """Drop the responses to a request that no caller will fetch, those that are still to come included."""
        outstanding.abandoned = True
        while outstanding.answers:
            _, sink = self.fetch(outstanding.request.message_id)
            if sink is not None:
                sink.discard()

    def let_go(self) -> None:
        """Drop the data sets of responses that were not fetched."""
        for outstanding in self.requests.values():
            for _, sink in outstanding.answers:
                if sink is not None:
                    sink.discard()

    def _remove(self, outstanding: OutstandingRequest) -> None:
        message_id = outstanding.request.message_id
        del self.requests[message_id]
        if outstanding.cancelled:
            self._cancelled.append(message_id)

    def _count_waiting(self, difference: int, sink: Sink | None) -> None:
        self._waiting += difference
        self._waiting_bytes += difference * getattr(sink, "size", 0)
        self.is_full = self._waiting >= MOST_WAITING or self._waiting_bytes >= MOST_WAITING_BYTES

    @property
    def awaited(self) -> str:
        """The name of an operation that awaits its response, as the Standard writes it."""
        for outstanding in self.requests.values():
            return outstanding.operation
        return "DIMSE"
