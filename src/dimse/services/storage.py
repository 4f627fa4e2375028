"""Storage (PS3.4 Annex B): C-STORE, asked and answered. A data set is not decoded on its way, in either direction."""

from __future__ import annotations

import logging
import os
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from contextlib import suppress

from dimse import uids
from dimse.association.association import MESSAGES, Arrived, Association, Refusal
from dimse.association.sinks import DiscardSink, Sink, SpooledSink
from dimse.errors import (
    AssociationAborted,
    DimseError,
    FileError,
    InvalidResponse,
)
from dimse.instances import InstanceFile, Path
from dimse.message.command import LOW, CStoreRQ, CStoreRSP, Response, encode
from dimse.message.status import Status
from dimse.services.handling import PROCESSING_FAILURE, as_status, ask, ask_status, send_status
from dimse.services.outcome import Outcome
from dimse.services.outgoing import FALL_BACK, Outgoing, Source, Transcode, each_of, prepare
from dimse.services.receiving import LeadingGroupTwo, dropping_group_two
from dimse.services.sources import AHEAD, Sources
from dimse.services.store_request import StoreRequest
from dimse.settings import ProposedContext
from dimse.support.text import one_line

__all__ = [
    "MOST_OUTSTANDING",
    "Outcome",
    "StoreBeginHandler",
    "StoreHandler",
    "answer_store",
    "begin_store",
    "contexts_for",
    "store",
    "store_many",
]

MOST_OUTSTANDING = 64  # C-STORE requests of ours at one time, however many the peer allows

OUT_OF_RESOURCES = 0xA700
DATA_SET_DOES_NOT_MATCH = 0xA900
CANNOT_UNDERSTAND = 0xC000


def contexts_for(paths: Path | InstanceFile | Iterable[Path | InstanceFile]) -> tuple[ProposedContext, ...]:
    """Return the presentation contexts that these files need; one path stands for one file.

    For each SOP class one context for each transfer syntax of its files, and one more with Explicit and Implicit VR Little Endian
    as the fall-back. They may be more than the 128 that one association takes.

    Raises:
        FileError: A file cannot be sent.
    """
    syntaxes: dict[str, dict[str, None]] = {}
    for path in each_of(paths):
        instance = path if isinstance(path, InstanceFile) else InstanceFile.check(os.fsdecode(path))
        syntaxes.setdefault(instance.sop_class_uid, {})[instance.transfer_syntax_uid] = None
    return tuple(
        ProposedContext(sop_class, proposed)
        for sop_class, own in syntaxes.items()
        for proposed in (*((syntax,) for syntax in own), FALL_BACK)
    )


# --- SCU ---


async def store(
    association: Association,
    source: Source,
    *,
    priority: int = LOW,
    transcode: Transcode = "lossless",
) -> Status:
    """Send one SOP instance (PS3.7 9.1.1).

    Args:
        source: The path of a Part 10 file; an `InstanceFile`; a `StoreRequest` that was received, which goes on as it came; or a
            pydicom data set.
        priority: 0 medium, 1 high, 2 low.
        transcode: May the data set be re-encoded or decompressed if the peer refuses its transfer syntax: "never", "lossless", or
            "always", which decompresses what was compressed with loss too.

    Returns:
        The status of the peer's response.

    Raises:
        FileError: The file cannot be sent, or not be converted; nothing was sent and the association stands. Or it was changed
            while it was sent: where it became shorter the association was aborted, else the peer has stored it, perhaps damaged.
        NoPresentationContext: The SOP class was not accepted in a transfer syntax that fits; the association stands.
        OperationTimeout: No response came within the DIMSE timeout; the association was aborted.
        AssociationError: The association ended.
        RemoteProtocolError: What came is no response; the association was aborted.
    """
    if association.calls_in_threads:
        outgoing = await association.begin_call(prepare, association, source, transcode)
    else:
        outgoing = prepare(association, source, transcode)
    async with association.operation():
        request = _request(association, outgoing, priority)
        await _send(association, outgoing, request)
        status = _status(await association.wait_response(request))
    outgoing.verify_stored(status)
    return status


async def store_many(
    association: Association,
    sources: Source | Iterable[Source],
    *,
    priority: int = LOW,
    transcode: Transcode = "lossless",
    ahead: bool = False,
    alone: Callable[[Source], bool] | None = None,
) -> AsyncIterator[Outcome]:
    """Send SOP instances one after the other; while the peer works on one, the next is opened and checked.

    Where a window of asynchronous operations was negotiated (PS3.7 D.3.3.3), as many requests are outstanding as it allows,
    `MOST_OUTSTANDING` at the most, and an outcome comes when its response does, in whatever order. While any is outstanding the
    association is taken: another operation on it raises `LocalProtocolError`, and who asks for no more outcomes aborts it. Between
    outcomes with none outstanding, as all are without a window, it is free.

    A file that cannot be sent is an outcome, and the others go. When the association ends, an outcome for each instance under way
    says so, and asking for the next one raises.

    The DIMSE timeout counts from the last byte of a request, and with a window anew from each response: a peer that works on one
    request after the other has it for each of them.

    Args:
        sources: One as for `store`, or several. The next source is asked for when a request has gone out; on an event loop
            some files of a list or tuple are made ready ahead of their turn.
        priority, transcode: As for `store`.
        ahead: Send an instance of `AHEAD` bytes or less before the outcome of the one before it is told, so that the peer need not
            wait for who asks; the association is then taken until the last outcome, as with a window.
        alone: With a window, asked for each source whose turn it is: is nothing else to be outstanding while it is? So that it is
            known which one an association dies of.

    Yields:
        One outcome for each source; in order, unless there is a window.

    Raises:
        AssociationError, OperationTimeout, RemoteProtocolError: The association ended; what was not yielded was not sent.
        FileError: A file was cut short while it was sent, which ended the association.
    """
    prepared = Sources(association, each_of(sources), transcode)
    window = _Window(association, priority, ahead, alone)
    following = await prepared.next()
    while following is not None:
        try:
            async with association.operation():
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
                        break  # the association is free while its user has the last outcome
                    while window.known:
                        yield window.tell()
        except DimseError as error:
            for outcome in window.lost(error):
                yield outcome
            raise
        while window.known:
            yield window.tell()


_Answered = tuple[Outgoing, Status, float]  # and how many seconds it took the peer


class _Window:
    """The window of asynchronous operations that we have on an association, and the C-STORE requests in it.

    Attributes:
        size: How many requests may be outstanding.
        under_way: What was sent and not yet answered, by message ID.
        known: Outcomes that were not told yet; of what was answered, only what they are made of.
    """

    def __init__(
        self,
        association: Association,
        priority: int,
        ahead: bool,
        alone: Callable[[Source], bool] | None,
    ) -> None:
        self.size = min(association.negotiated.invoked or MOST_OUTSTANDING, MOST_OUTSTANDING)
        self._is_taken = ahead or self.size > 1  # nobody else makes a request before the last outcome
        self.under_way: dict[int, Outgoing] = {}
        self.known: deque[Outcome | _Answered] = deque()
        self._goes_alone, self._lonely = alone, False
        self._association, self._priority = association, priority

    def has_room_for(self, following: Outgoing | Outcome) -> bool:
        """May it go out before another one is answered?"""
        if not self.under_way:
            return True
        if len(self.under_way) >= self.size:
            return False
        if isinstance(following, Outcome):
            return True
        return not (self._lonely or self._is_lonely(following))

    def _is_lonely(self, outgoing: Outgoing) -> bool:
        return self._goes_alone is not None and outgoing.source is not None and self._goes_alone(outgoing.source)

    def foresee(self, following: Outgoing | Outcome | None) -> None:
        """Make the request of the next one if it is sure to be the next: while the peer works on another one it costs no time."""
        if self._is_taken and isinstance(following, Outgoing):
            self._make_request(following)

    def _make_request(self, outgoing: Outgoing) -> CStoreRQ:
        outgoing.request = request = _request(self._association, outgoing, self._priority)
        outgoing.command_set = encode(request)
        return request

    async def send(self, outgoing: Outgoing) -> None:
        request = outgoing.request or self._make_request(outgoing)
        self.under_way[request.message_id] = outgoing
        self._lonely = self.size > 1 and self._is_lonely(outgoing)
        outgoing.begun = time.monotonic()
        await _send(self._association, outgoing, request)

    async def wait(self) -> None:
        """Wait until another one is answered."""
        self._answered(await self._association.wait_any_response())

    def look(self) -> bool:
        """Has another one been answered already?"""
        response = self._association.response_here()
        if response is not None:
            self._answered(response)
        return response is not None

    def _answered(self, response: Response) -> None:
        """From now on it is known what has become of the instance that this response is about.

        Raises:
            InvalidResponse: It is about none that is under way.
        """
        outgoing = self.under_way.pop(response.message_id_being_responded_to, None)
        if outgoing is None:
            raise InvalidResponse("C-STORE", "it is the second response to one request")
        self.known.append((outgoing, _status(response), time.monotonic() - outgoing.begun))

    def tell(self) -> Outcome:
        """The next outcome that is known."""
        known = self.known.popleft()
        if isinstance(known, Outcome):
            return known
        outgoing, status, seconds = known
        try:
            outgoing.verify_stored(status)
        except FileError as error:
            return _outcome(outgoing, None, error, seconds)
        return _outcome(outgoing, status, None, seconds)

    def lost(self, error: DimseError) -> Iterator[Outcome]:
        """The association has ended: what becomes of all that is under way. Some may have been answered before."""
        with suppress(InvalidResponse):
            while self.look():
                pass
        while self.known:
            yield self.tell()
        for message_id, outgoing in self.under_way.items():
            if not self._association.is_outstanding(message_id):
                continue  # the association had ended before a byte of it went out
            if isinstance(error, FileError) and outgoing.sent:  # it was another one's file
                aborted = AssociationAborted()
                aborted.__cause__ = error
                yield _outcome(outgoing, None, aborted)
            else:
                yield _outcome(outgoing, None, error)


def _outcome(outgoing: Outgoing, status: Status | None, error: DimseError | None, seconds: float = 0.0) -> Outcome:
    """What became of an instance once it was sent."""
    return Outcome(
        outgoing.path,
        status,
        error,
        outgoing.sop_instance_uid,
        outgoing.sop_class_uid,
        outgoing.transfer_syntax_uid,
        outgoing.context,
        outgoing.size,
        seconds,
        1,
        outgoing.source,
    )


_MODALITIES = {uids.CTImageStorage: ", (CT)", uids.MRImageStorage: ", (MR)"}


def _request(association: Association, outgoing: Outgoing, priority: int) -> CStoreRQ:
    return CStoreRQ(
        message_id=association.next_message_id(),
        affected_sop_class_uid=outgoing.sop_class_uid,
        affected_sop_instance_uid=outgoing.sop_instance_uid,
        priority=priority,
    )


async def _send(association: Association, outgoing: Outgoing, request: CStoreRQ) -> None:
    if MESSAGES.isEnabledFor(logging.INFO):
        modality = _MODALITIES.get(outgoing.sop_class_uid, "")
        MESSAGES.info("Sending file: %s", one_line(outgoing.path))
        MESSAGES.info("Sending Store Request: MsgID %d%s", request.message_id, modality)
    try:
        await association.send_request(outgoing.context, request, outgoing.data_set, outgoing.command_set)
    except DimseError:
        raise
    except OSError as error:  # EFAULT: the mapped file has become shorter
        raise FileError(outgoing.path, "cut short while it was being sent; the association was aborted") from error
    outgoing.let_go()


def _status(response: Response) -> Status:
    assert isinstance(response, CStoreRSP)  # the association lets no other through
    status = Status(response.status, service="storage", comment=response.error_comment or "")
    if MESSAGES.isEnabledFor(logging.INFO):
        MESSAGES.info("Received Store Response (Status: 0x%04X - %s)", status, status.category)
    return status


# --- SCP ---


StoreHandler = Callable[[StoreRequest], "int | Awaitable[int]"]
StoreBeginHandler = Callable[[StoreRequest], "int | Sink | None | Awaitable[int | Sink | None]"]


async def begin_store(association: Association, arrived: Arrived, handler: StoreBeginHandler | None) -> Sink:
    """A C-STORE-RQ has come and its data set is on the way: ask `handler` where it shall go, or whether it is refused."""
    message = arrived.message
    assert isinstance(message, CStoreRQ)
    MESSAGES.info("Received Store Request")
    originator, peer, context = message.move_originator_application_entity_title, association.peer, arrived.context
    request = StoreRequest(
        message.affected_sop_class_uid,
        message.affected_sop_instance_uid,
        context.transfer_syntax,
        context,
        peer,
        message.message_id,
        message.priority,
        (originator, message.move_originator_message_id or 0) if originator else None,
        calling_ae_title=peer.ae_title,
        called_ae_title=association.negotiated.called_ae_title,
        peer_address=peer.address,
    )
    arrived.request = request
    if message.affected_sop_class_uid != arrived.context.abstract_syntax:
        arrived.refusal = Refusal(DATA_SET_DOES_NOT_MATCH, "the SOP class is not that of the presentation context")
    elif handler is not None:
        answer = await ask(association, handler, request)
        if isinstance(answer, Refusal):
            arrived.refusal = answer
        elif isinstance(answer, int):
            arrived.refusal = as_status(answer, request) if answer else None
        elif answer is None or (
            callable(getattr(answer, "write", None)) and callable(getattr(answer, "discard", None))
        ):
            request.sink = answer
        else:
            arrived.refusal = as_status(answer, request)
    if arrived.refusal is not None:
        request.sink = DiscardSink()
        return request.sink
    if request.sink is None:
        request.sink = SpooledSink()
    return dropping_group_two(request.sink, request)


async def answer_store(association: Association, arrived: Arrived, handler: StoreHandler | None) -> None:
    """Answer a C-STORE-RQ whose data set is complete."""
    message, request, sink = arrived.message, arrived.request, arrived.sink
    assert isinstance(message, CStoreRQ) and isinstance(request, StoreRequest) and request.sink is not None
    fault = sink.end() if isinstance(sink, LeadingGroupTwo) else ""
    if arrived.refusal is not None:
        answer = arrived.refusal
    elif fault:
        answer = Refusal(CANNOT_UNDERSTAND, fault)
    elif request.sink.error is not None:
        answer = Refusal(OUT_OF_RESOURCES, request.sink.error.strerror or "out of resources")
    elif handler is None:
        answer = Refusal(PROCESSING_FAILURE, "nothing here takes instances")
    else:
        answer = await ask_status(association, handler, request)
    await send_status(association, arrived, answer)
