"""Storage (PS3.4 Annex B): C-STORE of one instance, as SCU and SCP. A data set is not decoded on its way, in either direction."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterable

from dimse import uids
from dimse.association.association import MESSAGES, Arrived, BaseAssociation, Refusal
from dimse.association.sinks import DiscardSink, Sink, SpooledSink
from dimse.errors import DimseError, FileError
from dimse.message.command import LOW, CStoreRQ, CStoreRSP, Response
from dimse.message.status import (
    CANNOT_UNDERSTAND,
    DATA_SET_DOES_NOT_MATCH,
    OUT_OF_RESOURCES,
    PROCESSING_FAILURE,
    Status,
)
from dimse.services.handling import as_status, ask, ask_status, send_status
from dimse.services.receiving import LeadingGroupTwo, dropping_group_two
from dimse.services.service import Service
from dimse.services.sources import FALL_BACK, Outgoing, Storable, Transcode, check_transcode, numbered, source_of
from dimse.services.store_request import StoreRequest
from dimse.settings import ProposedContext, arguments
from dimse.support.text import one_line


def contexts_for(paths: Storable | Iterable[Storable]) -> tuple[ProposedContext, ...]:
    """Return the presentation contexts that these instances need; one of them needs no list.

    A SOP class has a context for each transfer syntax of its instances. It has one more as the fall-back, with Explicit and
    Implicit VR Little Endian. They may be more than the 128 that one association takes.

    Args:
        paths: Instances as for `Association.store`. They are looked at one after another, and not kept. A generator is used up
            by it, so it has to be made again for the sending.

    Raises:
        FileError: An instance cannot be sent. One in memory is named by its SOP Instance UID or by its number, "data set 3".
        TypeError: An object is not an instance.
    """
    syntaxes: dict[str, dict[str, None]] = {}
    for number, given in numbered(paths):
        source = source_of(given, number)
        source.check()
        syntaxes.setdefault(source.sop_class_uid, {})[source.transfer_syntax_uid] = None
    return tuple(
        ProposedContext(sop_class, proposed)
        for sop_class, own in syntaxes.items()
        for proposed in (*((syntax,) for syntax in own), FALL_BACK)
    )


# --- SCU ---


async def store(
    association: BaseAssociation,
    source: Storable,
    *,
    priority: int = LOW,
    transcode: Transcode = "lossless",
    nested: bool = False,
) -> Status:
    """Send one SOP instance (PS3.7 9.1.1).

    Args:
        source: The path of a Part 10 file; the bytes of one, or an open binary file; or a pydicom data set. Bytes without a zero
            byte are a path. A `StoreRequest` or another `ReceivedInstance` is sent on as it came. Data sets and memory must not be
            changed before this returns.
        priority: 0 medium, 1 high, 2 low.
        transcode: The conversions of a file whose transfer syntax the peer refuses. "never": it is not sent. "lossless": it is
            re-encoded or decompressed. "always": it is decompressed even if it was compressed with loss.
        nested: True for a service that sends within the answer to a request of the peer, as an SCP of C-GET does.

    Returns:
        The status of the peer's response.

    Raises:
        FileError: The file cannot be sent, or not be converted; nothing was sent and the association stands. Or it was changed
            while it was sent: if it became shorter, the association was aborted, else the peer has stored it, perhaps damaged.
        NoPresentationContext: The SOP class was not accepted in a transfer syntax that fits; the association stands.
        OperationTimeout: No response came within the DIMSE timeout; the association was aborted.
        AssociationError: The association ended.
        RemoteProtocolError: The peer sent something that is not a valid response; the association was aborted.
    """
    arguments.priority(priority)
    check_transcode(transcode)
    opened = source_of(source)
    outgoing = None if association.calls_in_threads else opened.open_for(association, transcode)
    async with association.operation(nested=nested) as operation:
        if outgoing is None:
            # Only now, so that stores which wait for their turn hold no data.
            outgoing = await operation.prepare(association.begin_call(opened.open_for, association, transcode))
        request = request_for(association, outgoing, priority)
        await send(association, outgoing, request)
        status = status_of(await association.wait_response(request))
    outgoing.verify_stored(status)
    return status


_MODALITIES = {uids.CTImageStorage: ", (CT)", uids.MRImageStorage: ", (MR)"}


def request_for(association: BaseAssociation, outgoing: Outgoing, priority: int) -> CStoreRQ:
    """Return the C-STORE-RQ for a data set."""
    source = outgoing.source
    return CStoreRQ(
        message_id=association.next_message_id(),
        affected_sop_class_uid=source.sop_class_uid,
        affected_sop_instance_uid=source.sop_instance_uid,
        priority=priority,
    )


async def send(
    association: BaseAssociation,
    outgoing: Outgoing,
    request: CStoreRQ,
    command_set: bytes | None = None,
    *,
    named: bool = False,
) -> None:
    """Send a C-STORE-RQ with its data set, which is released: to unmap a large file takes a while, and the peer works now.

    Args:
        association: The association, within an operation.
        outgoing: The data set.
        request: Its request.
        command_set: The request encoded, if that was done before.
        named: True to name the instance in each line of the log.

    Raises:
        FileError: The file has become shorter meanwhile; the association was aborted.
        DimseError: The association ended; see `Association.send_request`.
    """
    if MESSAGES.isEnabledFor(logging.INFO):
        modality = _MODALITIES.get(request.affected_sop_class_uid, "")
        name = one_line(outgoing.source.name)
        MESSAGES.info("Sending file: %s", name)
        MESSAGES.info("Sending Store Request: MsgID %d%s%s", request.message_id, modality, f", {name}" if named else "")
    try:
        await association.send_request(outgoing.context, request, outgoing.data_set, command_set)
    except DimseError:
        raise
    except OSError as error:
        # EFAULT: the mapped file has become shorter.
        words = "cut short while it was being sent; the association was aborted"
        raise FileError(outgoing.source.name, words) from error
    outgoing.data_set = None


def status_of(response: Response, outgoing: Outgoing | None = None) -> Status:
    """Return the status of a C-STORE-RSP; the line of the log names the instance that was sent, if it is given."""
    # The association lets no other response through.
    assert isinstance(response, CStoreRSP)
    status = Status(response.status, service="storage", comment=response.error_comment or "")
    if MESSAGES.isEnabledFor(logging.INFO):
        name = ""
        if outgoing is not None:
            name = f": MsgID {response.message_id_being_responded_to}, {one_line(outgoing.source.name)}"
        MESSAGES.info("Received Store Response (Status: 0x%04X - %s)%s", status, status.category, name)
    return status


# --- SCP ---


StoreHandler = Callable[[StoreRequest], "int | Awaitable[int]"]
StoreBeginHandler = Callable[[StoreRequest], "int | Sink | None | Awaitable[int | Sink | None]"]


async def begin_store(association: BaseAssociation, arrived: Arrived, handler: StoreBeginHandler | None) -> Sink:
    """Return the sink for the data set of a C-STORE-RQ that is about to come: the one that `handler` chooses, if it does."""
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


async def answer_store(association: BaseAssociation, arrived: Arrived, handler: StoreHandler | None) -> None:
    """Answer a C-STORE-RQ whose data set is complete."""
    await send_status(association, arrived, await decide_store(association, arrived, handler))


async def decide_store(association: BaseAssociation, arrived: Arrived, handler: StoreHandler | None) -> Refusal:
    """Return the answer to a C-STORE-RQ whose data set is complete: a status and its comment."""
    message, request, sink = arrived.message, arrived.request, arrived.sink
    assert isinstance(message, CStoreRQ) and isinstance(request, StoreRequest) and request.sink is not None
    fault = sink.end() if isinstance(sink, LeadingGroupTwo) else ""
    if arrived.refusal is not None:
        return arrived.refusal
    if fault:
        return Refusal(CANNOT_UNDERSTAND, fault)
    if request.sink.error is not None:
        return Refusal(OUT_OF_RESOURCES, request.sink.error.strerror or "out of resources")
    if handler is None:
        return Refusal(PROCESSING_FAILURE, "nothing here takes instances")
    return await ask_status(association, handler, request)


STORAGE = Service(
    name="storage",
    requests=(CStoreRQ,),
    begin=begin_store,
    begin_handler="store_begin",
    answer=answer_store,
    handler="store",
    abstract_syntaxes=lambda: uids.STORAGE_SOP_CLASSES,
)
