"""Storage of many instances over one association, with as many requests outstanding as it allows (PS3.4 Annex B)."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import suppress

from dimse.association.association import BaseAssociation
from dimse.errors import AssociationAborted, DimseError, FileError, InvalidResponse
from dimse.message.command import LOW, CStoreRQ, Response, encode
from dimse.message.status import Status
from dimse.services.outcome import Outcome
from dimse.services.preparing import AHEAD, Preparing
from dimse.services.sources import Outgoing, Storable, Transcode, check_transcode
from dimse.services.storage import request_for, send, status_of
from dimse.settings import arguments

MOST_OUTSTANDING = 64
"""C-STORE requests of ours at one time, however many the peer allows."""


def store_many(
    association: BaseAssociation,
    sources: Storable | Iterable[Storable],
    *,
    priority: int = LOW,
    transcode: Transcode = "lossless",
    ahead: bool = False,
    alone: Callable[[Storable], bool] | None = None,
    nested: bool = False,
    named: bool = False,
) -> AsyncIterator[Outcome]:
    """Send SOP instances one after another; while the peer works on one, the next is opened and checked.

    Where a window of asynchronous operations was negotiated (PS3.7 D.3.3.3), as many requests are outstanding as it allows,
    at most `MOST_OUTSTANDING`. An outcome comes when its response does, in whatever order. While a request is outstanding the
    association is taken: another operation on it raises `LocalProtocolError`. A caller that asks for no more outcomes then aborts
    it. It is free between outcomes with no request outstanding, as it always is without a window.

    A file that cannot be sent is an outcome, and the others are sent. When the association ends, there is an outcome for each
    instance under way, and asking for the next one raises.

    The DIMSE timeout counts from the last byte of a request. With a window it counts anew from each response, because a peer may
    work on one request after another.

    Args:
        sources: One as for `store`, or several. The next source is asked for when a request has gone out, so a generator holds few
            of them. On an event loop some files of a list or tuple are made ready ahead of their turn. A data set is encoded when
            it is asked for, so it may be changed once the next one is, and not before.
        priority, transcode: See `store`.
        ahead: Send an instance of `AHEAD` bytes or less before the outcome of the one before it is yielded. So the peer need not
            wait for the caller. The association is then taken until the last outcome, as with a window.
        alone: A function that is called with each source whose turn it is, where there is a window. It returns True if the source
            is to be the only one outstanding, so that it is known which instance an association dies of.
        nested: True for a service that sends within the answer to a request of the peer, as an SCP of C-GET does.
        named: True to name the instance and the message ID in each line of the log, as is done where there is a window.

    Yields:
        One outcome for each source; in order, unless there is a window.

    Raises:
        AssociationError, OperationTimeout, RemoteProtocolError: The association ended; sources without an outcome were not sent.
        FileError: A file was cut short while it was sent, which ended the association.
        TypeError, ValueError: At the call: `sources` is no iterable and no source, or `priority` or `transcode` is wrong.
    """
    arguments.priority(priority)
    check_transcode(transcode)
    prepared = Preparing(association, sources, transcode)
    return _store_many(association, prepared, priority, ahead, alone, named, nested)


async def _store_many(
    association: BaseAssociation,
    prepared: Preparing,
    priority: int,
    ahead: bool,
    alone: Callable[[Storable], bool] | None,
    named: bool,
    nested: bool,
) -> AsyncIterator[Outcome]:
    """Send SOP instances that are made ready one after another; see `store_many`."""
    window = Window(association, priority, ahead, alone, named=named)
    following = await prepared.next()
    while following is not None:
        try:
            async with association.operation(nested=nested):
                while True:
                    if following is None or not window.has_room_for(following):
                        await window.wait()
                        if ahead and isinstance(following, Outgoing) and following.size <= AHEAD:
                            continue
                    elif isinstance(following, Outcome):
                        window.known.append(following)
                        following = await prepared.next()
                    else:
                        await window.send(following)
                        while window.known:
                            yield window.tell()
                        following = await prepared.next()
                        window.foresee(following)
                        window.look()
                    if not window.under_way:
                        # The association is free while its user has the last outcome.
                        break
                    while window.known:
                        yield window.tell()
        except DimseError as error:
            for outcome in window.lost(error):
                yield outcome
            raise
        while window.known:
            yield window.tell()


# A data set that was answered, the status, the time when its request began to go out, and that of the answer.
_Answered = tuple[Outgoing, Status, float, float]


class Window:
    """The window of asynchronous operations on an association, and the C-STORE requests in it.

    Attributes:
        size: The most requests that may be outstanding.
        under_way: The data sets that were sent and are not yet answered, each with the time when its request began to go out, by
            message ID.
        known: Outcomes that were not told yet; of data sets that were answered, the parts that they are made of.

    Args:
        association: The association.
        priority: The priority of the requests.
        ahead: See `store_many`.
        alone: See `store_many`.
        named: See `store_many`.
    """

    def __init__(
        self,
        association: BaseAssociation,
        priority: int,
        ahead: bool,
        alone: Callable[[Storable], bool] | None,
        *,
        named: bool = False,
    ) -> None:
        self.size = min(association.negotiated.invoked or MOST_OUTSTANDING, MOST_OUTSTANDING)
        self._is_named = named or self.size > 1
        # No other request is made before the last outcome.
        self._is_taken = ahead or self.size > 1
        self.under_way: dict[int, tuple[Outgoing, float]] = {}
        self.known: deque[Outcome | _Answered] = deque()
        self._alone = alone if self.size > 1 else None
        # True while a source that goes alone is outstanding.
        self._is_closed = False
        self._foreseen: tuple[Outgoing, CStoreRQ, bytes] | None = None
        self._association, self._priority = association, priority
        # Seconds from 1970 to the start of the clock that times the requests.
        self._clock_began = time.time() - time.monotonic()

    def has_room_for(self, following: Outgoing | Outcome) -> bool:
        """Return whether a request may go out before another one is answered."""
        if not self.under_way:
            return True
        if len(self.under_way) >= self.size:
            return False
        if isinstance(following, Outcome):
            return True
        return not self._is_closed and (self._alone is None or not self._alone(following.source.given))

    def foresee(self, following: Outgoing | Outcome | None) -> None:
        """Make the request of the next data set if it is sure to be the next: while the peer works it costs no time."""
        if self._is_taken and isinstance(following, Outgoing):
            request = request_for(self._association, following, self._priority)
            self._foreseen = following, request, encode(request)

    async def send(self, outgoing: Outgoing) -> None:
        """Send the request for a data set."""
        foreseen, self._foreseen = self._foreseen, None
        if foreseen is not None and foreseen[0] is outgoing:
            _, request, command_set = foreseen
        else:
            request, command_set = request_for(self._association, outgoing, self._priority), None
        self._is_closed = self._alone is not None and self._alone(outgoing.source.given)
        self.under_way[request.message_id] = outgoing, time.monotonic()
        await send(self._association, outgoing, request, command_set, named=self._is_named)

    async def wait(self) -> None:
        """Wait until another request is answered."""
        self._answered(await self._association.wait_any_response(self.under_way))

    def look(self) -> bool:
        """Take a response that has come already; return False without one."""
        response = self._association.response_here(self.under_way)
        if response is not None:
            self._answered(response)
        return response is not None

    def _answered(self, response: Response) -> None:
        """Note that the outcome of the data set which a response is about is known from here on.

        Raises:
            InvalidResponse: No request under way has the message ID that it answers.
        """
        sent = self.under_way.pop(response.message_id_being_responded_to, None)
        if sent is None:
            raise InvalidResponse("C-STORE", "it is the second response to one request")
        outgoing, begun = sent
        status = status_of(response, outgoing if self._is_named else None)
        self.known.append((outgoing, status, begun, time.monotonic()))

    def tell(self) -> Outcome:
        """Return the next outcome that is known."""
        known = self.known.popleft()
        if isinstance(known, Outcome):
            return known
        outgoing, status, begun, ended = known
        seconds, started = ended - begun, self._clock_began + begun
        if outgoing.file is not None:
            try:
                outgoing.verify_stored(status)
            except FileError as error:
                return _outcome(outgoing, None, error, started, seconds)
        return _outcome(outgoing, status, None, started, seconds)

    def lost(self, error: DimseError) -> Iterator[Outcome]:
        """Yield the outcomes of all that is under way, when the association has ended; some may have been answered before."""
        with suppress(InvalidResponse):
            while self.look():
                pass
        while self.known:
            yield self.tell()
        for message_id, (outgoing, begun) in self.under_way.items():
            if not self._association.is_outstanding(message_id):
                # The association had ended before a byte of the request went out.
                continue
            if isinstance(error, FileError) and outgoing.data_set is None:
                # The file of another request is at fault.
                aborted = AssociationAborted()
                aborted.__cause__ = error
                yield _outcome(outgoing, None, aborted, self._clock_began + begun)
            else:
                yield _outcome(outgoing, None, error, self._clock_began + begun)


def _outcome(
    outgoing: Outgoing, status: Status | None, error: DimseError | None, started: float, seconds: float = 0.0
) -> Outcome:
    """Return the outcome of a data set that was sent."""
    source = outgoing.source
    return Outcome(
        source.name,
        status,
        error,
        source.sop_instance_uid,
        source.sop_class_uid,
        source.transfer_syntax_uid,
        outgoing.context,
        outgoing.size,
        seconds,
        1,
        source.given,
        started,
    )
