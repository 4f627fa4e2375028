"""Storage (PS3.4 Annex B): C-STORE, asked and answered. A data set is not decoded on its way, in either direction."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Literal, TypeAlias

from dimse import uids
from dimse.association import MESSAGES, Arrived, Association, Refusal
from dimse.encoding import deflate
from dimse.errors import DimseError, FileError, NoPresentationContext
from dimse.instances import MAPPED, InstanceFile
from dimse.message.command import LOW, CStoreRQ, CStoreRSP
from dimse.message.status import Status
from dimse.services.handling import PROCESSING_FAILURE, as_status, ask, ask_status, send_status
from dimse.services.store_request import StoreRequest
from dimse.settings import ProposedContext
from dimse.sinks import DiscardSink, Sink, SpooledSink
from dimse.text import one_line
from dimse.upper_layer.negotiation import PresentationContext
from dimse.upper_layer.pdata import Buffer
from dimse.values import record, value

if TYPE_CHECKING:
    from pydicom import Dataset

OUT_OF_RESOURCES = 0xA700
DATA_SET_DOES_NOT_MATCH = 0xA900

# What a peer that refuses a file's own transfer syntax is offered besides; every SOP class must be offered Implicit VR Little
# Endian somewhere (PS3.5 10.1).
FALL_BACK = (uids.ExplicitVRLittleEndian, uids.ImplicitVRLittleEndian)

Transcode = Literal["never", "lossless", "always"]


def contexts_for(paths: Iterable[str | os.PathLike[str] | InstanceFile]) -> tuple[ProposedContext, ...]:
    """The presentation contexts that these files need.

    For each SOP class one context for each transfer syntax of its files, and one more with Explicit and Implicit VR Little Endian
    as the fall-back. They may be more than the 128 that one association takes.

    Raises:
        FileError: A file cannot be sent.
    """
    syntaxes: dict[str, dict[str, None]] = {}
    for path in paths:
        instance = path if isinstance(path, InstanceFile) else InstanceFile.check(os.fspath(path))
        syntaxes.setdefault(instance.sop_class_uid, {})[instance.transfer_syntax_uid] = None
    return tuple(
        ProposedContext(sop_class, proposed)
        for sop_class, own in syntaxes.items()
        for proposed in (*((syntax,) for syntax in own), FALL_BACK)
    )


# --- SCU ---


@value
class Outcome:
    """What became of one instance that was to be stored.

    Attributes:
        path: Its file, as given.
        status: The peer's answer; None if there is none.
        error: Why there is no status: the file cannot be sent, no context fits it (the association stands), or the association
            ended before the answer came, and it is unknown whether the peer has the instance.
        sop_instance_uid: Its SOP instance UID; empty where the file was refused before it was known.
    """

    path: str
    status: Status | None = None
    error: DimseError | None = None
    sop_instance_uid: str = ""


@record
class _Outgoing:
    """A data set ready to be sent, and what its request says; `file` where it is sent as it lies in one."""

    path: str
    context: PresentationContext
    sop_class_uid: str
    sop_instance_uid: str
    data_set: Buffer
    file: InstanceFile | None = None

    def verify_stored(self, status: Status) -> None:
        """Once the peer has stored it: was it all of one file?

        Raises:
            FileError: The file has been changed since it was checked, and was not read as a whole before it was sent.
        """
        stored = status.is_success or status.is_warning
        if not stored or self.file is None or self.file.data_set_size <= MAPPED:
            return
        try:
            self.file.verify_unchanged()
        except FileError as error:
            raise FileError(self.path, f"{error.reason}: what the peer has stored may be damaged") from error


Source: TypeAlias = "str | os.PathLike[str] | InstanceFile | StoreRequest | Dataset"


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
    outgoing = _prepare(association, source, transcode)
    async with association.operation():
        status = await _await_status(association, await _send(association, outgoing, priority))
    outgoing.verify_stored(status)
    return status


async def store_many(
    association: Association,
    sources: Iterable[Source],
    *,
    priority: int = LOW,
    transcode: Transcode = "lossless",
) -> AsyncIterator[Outcome]:
    """Send SOP instances one after the other; while the peer works on one, the next is opened and checked.

    A file that cannot be sent is an outcome, and the others go. When the association ends, the outcome of the instance under way
    says so, and asking for the next one raises.

    Args:
        sources, priority, transcode: As for `store`.

    Yields:
        One outcome for each source, in order.

    Raises:
        AssociationError, OperationTimeout, RemoteProtocolError: The association ended; what was not yielded was not sent.
    """
    prepared = _prepare_all(association, sources, transcode)
    following = next(prepared, None)
    while following is not None:
        current, following = following, None
        if isinstance(current, Outcome):
            yield current
            following = next(prepared, None)
            continue
        try:
            async with association.operation():
                request = await _send(association, current, priority)
                following = next(prepared, None)
                status = await _await_status(association, request)
        except DimseError as error:
            yield Outcome(current.path, None, error, current.sop_instance_uid)
            raise
        try:
            current.verify_stored(status)
        except FileError as error:
            yield Outcome(current.path, None, error, current.sop_instance_uid)
        else:
            yield Outcome(current.path, status, None, current.sop_instance_uid)


def _prepare_all(
    association: Association,
    sources: Iterable[Source],
    transcode: Transcode,
) -> Iterator[_Outgoing | Outcome]:
    for source in sources:
        try:
            if isinstance(source, (str, os.PathLike)):
                source = InstanceFile.check(os.fspath(source))  # noqa: PLW2901  (known by its UIDs from here on)
            yield _prepare(association, source, transcode)
        except (FileError, NoPresentationContext) as error:
            yield Outcome(_name(source), None, error, getattr(source, "sop_instance_uid", ""))


def _name(source: object) -> str:
    if isinstance(source, (str, os.PathLike)):
        return os.fspath(source)
    return str(getattr(source, "path", "") or getattr(source, "sop_instance_uid", ""))


def _prepare(
    association: Association,
    source: Source,
    transcode: Transcode,
) -> _Outgoing:
    """Open and check a source and choose its presentation context, before a byte is sent."""
    if isinstance(source, StoreRequest):
        context = association.context_for(source.sop_class_uid, source.context.transfer_syntax)
        return _Outgoing(_name(source), context, source.sop_class_uid, source.sop_instance_uid, source.view())
    if isinstance(source, (str, os.PathLike)):
        source = InstanceFile.check(os.fspath(source))
    if isinstance(source, InstanceFile):
        context, convert = _choose(association, source, transcode)
        data_set = _converted(source, context, lossy=transcode == "always") if convert else source.data_set()
        file = None if convert else source
        return _Outgoing(source.path, context, source.sop_class_uid, source.sop_instance_uid, data_set, file)
    return _prepare_data_set(association, source)


def _choose(association: Association, instance: InstanceFile, transcode: Transcode) -> tuple[PresentationContext, bool]:
    """The context for a file: its own transfer syntax where accepted, else one that it can be converted to."""
    own = instance.transfer_syntax_uid
    accepted: dict[str, PresentationContext] = {}
    for context in association.negotiated.accepted(instance.sop_class_uid):
        accepted.setdefault(context.transfer_syntax, context)
    if own in accepted:
        return accepted[own], False
    if accepted and transcode != "never":
        from dimse.data_set.transcode import targets

        for target in targets(own, accepted, lossy=transcode == "always"):
            return accepted[target], True
        if targets(own, accepted, lossy=True):
            raise FileError(
                instance.path,
                f"the peer does not accept {uids.name(own)}, and what it compressed with loss is decompressed only"
                " where that is asked for (transcode: always)",
            )
    return association.context_for(instance.sop_class_uid, own), False


def _converted(instance: InstanceFile, context: PresentationContext, *, lossy: bool) -> bytes:
    """The data set of a file in the transfer syntax of a context."""
    from dimse.data_set.transcode import transcode

    data_set = instance.data_set(mapped=False)
    return transcode(data_set, instance.transfer_syntax_uid, context.transfer_syntax, path=instance.path, lossy=lossy)


def _prepare_data_set(association: Association, data_set: Dataset) -> _Outgoing:
    """A pydicom data set, encoded in an accepted transfer syntax: its own if it has one, else uncompressed."""
    from pydicom.filebase import DicomBytesIO
    from pydicom.filewriter import write_dataset

    sop_class_uid, sop_instance_uid = str(data_set.get("SOPClassUID", "")), str(data_set.get("SOPInstanceUID", ""))
    if not sop_class_uid or not sop_instance_uid:
        raise FileError("data set", "it has no SOP Class UID or no SOP Instance UID")
    own = str(getattr(getattr(data_set, "file_meta", None), "TransferSyntaxUID", ""))
    if own:
        context = association.context_for(sop_class_uid, own)
    else:
        accepted = {context.transfer_syntax: context for context in association.negotiated.accepted(sop_class_uid)}
        wanted = next((uid for uid in _WRITABLE if uid in accepted), uids.ExplicitVRLittleEndian)
        context = association.context_for(sop_class_uid, wanted)
    syntax = uids.transfer_syntax(context.transfer_syntax)
    target = DicomBytesIO()
    target.is_implicit_VR = bool(syntax and syntax.implicit_vr)
    target.is_little_endian = bool(syntax is None or syntax.little_endian)
    write_dataset(target, data_set)
    encoded = target.getvalue()
    if syntax and syntax.deflated:
        encoded = deflate((encoded,))
    return _Outgoing("data set", context, sop_class_uid, sop_instance_uid, encoded)


_MODALITIES = {uids.CTImageStorage: ", (CT)", uids.MRImageStorage: ", (MR)"}


# What a pydicom data set that says no transfer syntax is written in; its numbers are Little Endian.
_WRITABLE = (*FALL_BACK, uids.DeflatedExplicitVRLittleEndian)


async def _send(association: Association, outgoing: _Outgoing, priority: int) -> CStoreRQ:
    request = CStoreRQ(
        message_id=association.next_message_id(),
        affected_sop_class_uid=outgoing.sop_class_uid,
        affected_sop_instance_uid=outgoing.sop_instance_uid,
        priority=priority,
    )
    MESSAGES.info("Sending file: %s", one_line(outgoing.path))
    MESSAGES.info("Sending Store Request: MsgID %d%s", request.message_id, _MODALITIES.get(outgoing.sop_class_uid, ""))
    try:
        await association.send_request(outgoing.context, request, outgoing.data_set)
    except DimseError:
        raise
    except OSError as error:  # EFAULT: the mapped file has become shorter
        raise FileError(outgoing.path, "cut short while it was being sent; the association was aborted") from error
    return request


async def _await_status(association: Association, request: CStoreRQ) -> Status:
    response = await association.wait_response(request)
    assert isinstance(response, CStoreRSP)  # the association lets no other through
    status = Status(response.status, service="storage", comment=response.error_comment or "")
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
    originator = message.move_originator_application_entity_title
    request = StoreRequest(
        context=arrived.context,
        sop_class_uid=message.affected_sop_class_uid,
        sop_instance_uid=message.affected_sop_instance_uid,
        peer=association.peer,
        message_id=message.message_id,
        called_ae_title=association.negotiated.called_ae_title,
        priority=message.priority,
        move_originator=(originator, message.move_originator_message_id or 0) if originator else None,
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
        else:
            request.sink = answer
    if arrived.refusal is not None:
        request.sink = DiscardSink()
    elif request.sink is None:
        request.sink = SpooledSink()
    return request.sink


async def answer_store(association: Association, arrived: Arrived, handler: StoreHandler | None) -> None:
    """Answer a C-STORE-RQ whose data set is complete."""
    message, request = arrived.message, arrived.request
    assert isinstance(message, CStoreRQ) and isinstance(request, StoreRequest) and request.sink is not None
    if arrived.refusal is not None:
        answer = arrived.refusal
    elif request.sink.error is not None:
        answer = Refusal(OUT_OF_RESOURCES, request.sink.error.strerror or "out of resources")
    elif handler is None:
        answer = Refusal(PROCESSING_FAILURE, "nothing here takes instances")
    else:
        answer = await ask_status(association, handler, request)
    await send_status(association, arrived, answer)
