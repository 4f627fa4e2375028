"""Retrieval as SCP (PS3.4 C.4.2 and C.4.3): C-GET and C-MOVE requests, and the C-STORE sub-operations that they lead to."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from dimse import uids
from dimse.association import establishing
from dimse.association.association import LOGGER, MESSAGES, Arrived, BaseAssociation, Refusal
from dimse.association.sinks import MemorySink
from dimse.data_set import identifier
from dimse.data_set.encoding import EXPLICIT_VR_LITTLE_ENDIAN
from dimse.data_set.identifier import Identifier
from dimse.data_set.walk import MalformedDataSet
from dimse.errors import DimseError, FileError, NoPresentationContext
from dimse.instances import InstanceFile
from dimse.message.command import CGetRQ, CMoveRQ, CStoreRQ, Request, respond
from dimse.message.status import (
    CANNOT_UNDERSTAND,
    DATA_SET_DOES_NOT_MATCH,
    OUT_OF_RESOURCES,
    SOP_CLASS_NOT_SUPPORTED,
    UNABLE_TO_PERFORM_SUB_OPERATIONS,
    Status,
)
from dimse.services.features import Features, accepted_features
from dimse.services.handling import as_status, ask, send_status
from dimse.services.information_models import FAILED_SOP_INSTANCE_UID_LIST, LEVEL, InformationModel, model_of
from dimse.services.sources import FALL_BACK, Source, Storable, Transcode, numbered, source_of
from dimse.services.storage import send, status_of
from dimse.settings import MOST_CONTEXTS, ProposedContext, Requestor, Timeouts
from dimse.support.text import host_and_port, one_line
from dimse.support.values import field, record, value
from dimse.upper_layer.negotiation import Peer, PresentationContext

if TYPE_CHECKING:
    import ssl

    from dimse.settings.tls import TLS

# PS3.4 Tables C.4-2 and C.4-3
WITH_FAILURES_OR_WARNINGS = 0xB000
CANCELLED, PENDING = 0xFE00, 0xFF00

# The value of an element has 65,534 bytes in Explicit VR: so many UIDs of 64 characters, with their separators.
MOST_FAILED_UIDS = 1_000


@record
class RetrieveRequest:
    """A C-GET-RQ or C-MOVE-RQ that was received.

    Attributes:
        identifier: The keys, all of them as the peer sent them.
        model: The information model.
        level: The Query/Retrieve Level, one of the model's; empty where the model has none.
        destination: The AE title that a C-MOVE names; empty in a C-GET.
        peer: The peer that asks.
        message_id: The message ID.
        priority: 0 medium, 1 high, 2 low.
        called_ae_title: The AE title that the peer called.
        features: The features that were agreed when the association was established.
        transcode: The conversion of a data set whose transfer syntax is not accepted: "never", "lossless" or "always". The handler
            may set this.
    """

    identifier: Identifier
    model: InformationModel
    level: str
    destination: str
    peer: Peer
    message_id: int
    priority: int
    called_ae_title: str
    features: Features
    _arrived: Arrived = field(repr=False)
    transcode: Transcode = "always"

    @property
    def cancelled(self) -> bool:
        """True once the peer has sent a C-CANCEL for the request."""
        return self._arrived.cancelled


@value
class MoveTo:
    """The answer of a handler of C-MOVE: the instances, and the address of the AE that they go to.

    Attributes:
        address: Host and port of the destination.
        instances: The instances, each as `association.store` takes it.
        called_ae_title: The AE title to call; empty is the one that the request names.
        calling_ae_title: Our AE title; empty is the one that the peer has called.
        timeouts: The deadlines of the association with the destination, in seconds.
        tls: A `dimse.TLS`, or any context of `ssl`, if the destination wants it.
    """

    address: tuple[str, int]
    instances: Iterable[Storable] | AsyncIterable[Storable]
    called_ae_title: str = ""
    calling_ae_title: str = ""
    timeouts: Timeouts = Timeouts()
    tls: TLS | ssl.SSLContext | None = None


Instances = Iterable[Storable] | AsyncIterable[Storable]
GetHandler = Callable[[RetrieveRequest], "int | Instances | Awaitable[int | Instances]"]
MoveHandler = Callable[[RetrieveRequest], "int | MoveTo | Awaitable[int | MoveTo]"]


# --- a request ---


async def answer_get(association: BaseAssociation, arrived: Arrived, handler: GetHandler | None) -> None:
    """Answer a C-GET-RQ whose identifier is complete: send the instances, then the final response."""
    answer = await _asked(association, arrived, handler, Iterable, AsyncIterable)
    sources = answer if isinstance(answer, Refusal) else await _sources(association, arrived, answer)
    if isinstance(sources, Refusal):
        await send_status(association, arrived, sources)
        return
    operations = _SubOperations(association, arrived, len(sources))
    nested = _AnyRole(association)
    for source in sources:
        if not await operations.go_on():
            break
        await operations.store(source, association, nested)
    await operations.finish()


async def answer_move(association: BaseAssociation, arrived: Arrived, handler: MoveHandler | None) -> None:
    """Answer a C-MOVE-RQ whose identifier is complete: send the instances to their destination, then the final response."""
    answer = await _asked(association, arrived, handler, MoveTo)
    sources = answer if isinstance(answer, Refusal) else await _sources(association, arrived, answer.instances)
    if isinstance(sources, Refusal):
        await send_status(association, arrived, sources)
        return
    move: MoveTo = answer  # type: ignore[assignment]
    operations = _SubOperations(association, arrived, len(sources))
    # It reads the files that it knows nothing of.
    groups = await association.call(_groups, sources)
    for contexts, group in groups:
        if not await operations.go_on():
            break
        await _move(operations, move, contexts, group)
    await operations.finish()


async def _asked(
    association: BaseAssociation, arrived: Arrived, handler: Callable[[RetrieveRequest], Any] | None, *kinds: Any
) -> Any | Refusal:
    """Return what the handler answers, if it is of one of these kinds, else the status that refuses the request."""
    # A C-CANCEL directly behind the request counts.
    await association.poll()
    if handler is None:
        return Refusal(SOP_CLASS_NOT_SUPPORTED, "nothing here answers it")
    request = _read(association, arrived)
    if isinstance(request, Refusal):
        name, peer = getattr(arrived.message, "name", "request"), host_and_port(*association.peer.address)
        LOGGER.error("refused a %s from %s: %s", name, peer, one_line(request.comment))
        return request
    arrived.request = request
    answer = await ask(association, handler, request)
    if isinstance(answer, Refusal) or (isinstance(answer, kinds) and not isinstance(answer, (str, bytes))):
        return answer
    return as_status(answer, request)


def _read(association: BaseAssociation, arrived: Arrived) -> RetrieveRequest | Refusal:
    message, sink = arrived.message, arrived.sink
    assert isinstance(message, CGetRQ | CMoveRQ) and isinstance(sink, MemorySink)
    model = model_of(message.affected_sop_class_uid)
    if model is None or message.affected_sop_class_uid != arrived.context.abstract_syntax:
        return Refusal(SOP_CLASS_NOT_SUPPORTED, "the SOP class is not that of the presentation context")
    if sink.error is not None:
        return Refusal(OUT_OF_RESOURCES, f"the identifier is {sink.error.strerror}")
    syntax = uids.transfer_syntax(arrived.context.transfer_syntax) or EXPLICIT_VR_LITTLE_ENDIAN
    try:
        keys = Identifier.read(bytes(sink.view()), syntax)
        level = model.check_level(keys.text(LEVEL)) if model.levels else ""
    except MalformedDataSet as error:
        return Refusal(CANNOT_UNDERSTAND, f"the identifier cannot be read: {error}")
    except ValueError:
        return Refusal(DATA_SET_DOES_NOT_MATCH, f"Query/Retrieve Level is not one of {', '.join(model.levels)}")
    negotiated = association.negotiated
    return RetrieveRequest(
        keys, model, level, getattr(message, "move_destination", ""), association.peer, message.message_id,
        message.priority, negotiated.called_ae_title,
        accepted_features(negotiated, model, "move" if isinstance(message, CMoveRQ) else "get"), arrived,
    )  # fmt: skip


async def _sources(association: BaseAssociation, arrived: Arrived, instances: Any) -> list[Source] | Refusal:
    """Return the sources of the instances that a handler gave; the handler may be a generator, and fail here."""
    collect = _collect_async if isinstance(instances, AsyncIterable) else _collect

    def made(_request: object) -> Any:
        return collect(instances)

    answer: list[Source] | Refusal = await ask(association, made, arrived.request)
    return answer


def _collect(instances: Iterable[Storable]) -> list[Source]:
    return [source_of(one, number) for number, one in numbered(instances)]


async def _collect_async(instances: AsyncIterator[Storable]) -> list[Source]:
    return [source_of(one) async for one in instances]


# --- sub-operations ---


@value
class _AnyRole:
    """The contexts of an association, whatever roles were negotiated: requestors of C-GET are known that negotiate none."""

    association: BaseAssociation

    def accepted(self, abstract_syntax: str) -> Mapping[str, PresentationContext]:
        return self.association.accepted(abstract_syntax, None)

    def context_for(self, abstract_syntax: str, transfer_syntax: str | None = None) -> PresentationContext:
        return self.association.context_for(abstract_syntax, transfer_syntax, None)


@record
class _SubOperations:
    """The sub-operations of one request, and their counts.

    Attributes:
        association: The association that the request came on.
        arrived: The request.
        remaining: The number of instances that are still to be sent.
        completed: The number of instances that were stored.
        failed: The number of instances that were not.
        warning: The number of instances that were stored with a warning.
        failed_uids: The SOP instance UIDs of those that failed, each once.
    """

    association: BaseAssociation
    arrived: Arrived
    remaining: int
    completed: int = 0
    failed: int = 0
    warning: int = 0
    failed_uids: dict[str, None] = field(default_factory=dict)

    @property
    def _message(self) -> Request:
        assert isinstance(self.arrived.message, Request)
        return self.arrived.message

    @property
    def _name(self) -> str:
        return "Move" if isinstance(self.arrived.message, CMoveRQ) else "Get"

    async def go_on(self) -> bool:
        """Receive what is here, and return False if the peer has cancelled the request."""
        await self.association.poll()
        return not self.arrived.cancelled

    async def store(self, source: Source, association: BaseAssociation, accepting: Any) -> None:
        """Send one instance over an association, and a pending response to the peer."""
        request = self.arrived.request
        transcode: Transcode = request.transcode if isinstance(request, RetrieveRequest) else "always"
        try:
            if association.calls_in_threads:
                outgoing = await association.begin_call(source.open_for, accepting, transcode)
            else:
                outgoing = source.open_for(accepting, transcode)
        except (FileError, NoPresentationContext, OSError, ValueError) as error:
            await self.fail(source, str(error))
            return
        message, is_move = self._message, isinstance(self.arrived.message, CMoveRQ)
        store_request = CStoreRQ(
            message_id=association.next_message_id(),
            affected_sop_class_uid=source.sop_class_uid,
            affected_sop_instance_uid=source.sop_instance_uid,
            priority=getattr(message, "priority", 0),
            move_originator_application_entity_title=self.association.peer.ae_title if is_move else None,
            move_originator_message_id=message.message_id if is_move else None,
        )
        async with association.operation(nested=association is self.association):
            await send(association, outgoing, store_request)
            status = status_of(await association.wait_response(store_request))
        MESSAGES.info("%s SCP: Received Store SCP response 0x%04X (%s)", self._name, int(status), status.category)
        if status.is_success or status.is_warning:
            self.remaining -= 1
            self.completed += status.is_success
            self.warning += status.is_warning
            await self._tell()
        else:
            await self.fail(source, f"{status}: {status.meaning} {status.comment}")

    async def fail(self, source: Source, why: str) -> None:
        """Count an instance as failed, and send a pending response to the peer."""
        LOGGER.error("%s SCP: %s was not sent: %s", self._name, one_line(source.name), one_line(why.strip()))
        self.remaining -= 1
        self.failed += 1
        if source.sop_instance_uid:
            self.failed_uids[source.sop_instance_uid] = None
        await self._tell()

    async def _tell(self) -> None:
        if self.remaining:
            pending = respond(
                self._message, PENDING, number_of_remaining_suboperations=self.remaining, **self._counts()
            )
            await self.association.send_response(self.arrived.context, pending)

    def _counts(self) -> dict[str, Any]:
        return {
            "number_of_completed_suboperations": self.completed,
            "number_of_failed_suboperations": self.failed,
            "number_of_warning_suboperations": self.warning,
        }

    async def finish(self) -> None:
        """Send the final response, with the list of what failed."""
        status, counts = 0x0000, self._counts()
        if self.arrived.cancelled and self.remaining:
            status, counts["number_of_remaining_suboperations"] = CANCELLED, self.remaining
        elif self.failed and not (self.completed or self.warning):
            status = UNABLE_TO_PERFORM_SUB_OPERATIONS
        elif self.failed or self.warning:
            status = WITH_FAILURES_OR_WARNINGS
        context, data_set = self.arrived.context, None
        if self.failed_uids:
            syntax = uids.transfer_syntax(context.transfer_syntax) or EXPLICIT_VR_LITTLE_ENDIAN
            listed = list(self.failed_uids)[:MOST_FAILED_UIDS]
            data_set = identifier.encode({FAILED_SOP_INSTANCE_UID_LIST: listed}, syntax)
        MESSAGES.info("%s SCP Response: 0x%04X (%s)", self._name, status, Status(status, service="get").category)
        final = respond(self._message, status, has_data_set=data_set is not None, **counts)
        await self.association.send_response(context, final, data_set)


# --- the association with a destination ---


Contexts = tuple[ProposedContext, ...]


def _groups(sources: Sequence[Source]) -> list[tuple[Contexts, list[Source]]]:
    """Return the sources in groups, each with the contexts that it needs, which one association has room for."""
    groups: list[tuple[dict[ProposedContext, None], list[Source]]] = []
    for source in sources:
        needed = _contexts_of(source)
        if not groups or len(groups[-1][0] | needed) > MOST_CONTEXTS:
            groups.append(({}, []))
        groups[-1][0].update(needed)
        groups[-1][1].append(source)
    return [(tuple(contexts), group) for contexts, group in groups]


def _contexts_of(source: Source) -> dict[ProposedContext, None]:
    """Return the contexts that an instance can be sent on; none where it cannot be read, which is found when it is opened."""
    known = source
    if not source.sop_class_uid:
        with suppress(FileError):
            known = source_of(InstanceFile.check(source.name))
    if not known.sop_class_uid:
        return {}
    own = (known.transfer_syntax_uid,) if known.transfer_syntax_uid else ()
    fall_back = ProposedContext(known.sop_class_uid, FALL_BACK)
    return {ProposedContext(known.sop_class_uid, own): None, fall_back: None} if own else {fall_back: None}


async def _move(operations: _SubOperations, move: MoveTo, contexts: Contexts, sources: Sequence[Source]) -> None:
    """Send a group of instances over an association of its own; what an association takes with it has failed."""
    left, ours = list(reversed(sources)), operations.association
    message = operations.arrived.message
    assert isinstance(message, CMoveRQ)
    try:
        if not contexts:
            raise NoPresentationContext("no instance of them can be read")
        requestor = Requestor(
            contexts,
            calling_ae_title=move.calling_ae_title or ours.negotiated.called_ae_title,
            called_ae_title=move.called_ae_title or message.move_destination,
        )
        opened = ours.pump.transport.open_another
        association = await establishing.request(
            BaseAssociation, opened, move.address, requestor, move.timeouts, None, move.tls
        )
    except (DimseError, ValueError) as error:
        LOGGER.error("Move SCP: Unable to associate with destination AE: %s", one_line(str(error)))
        await _fail_all(operations, left, "no association with its destination")
        return
    try:
        while left and await operations.go_on():
            source = left[-1]
            try:
                await operations.store(source, association, association)
            except DimseError as error:
                # It is the destination's association that has ended, or ours: then nothing can be sent any more.
                if not ours.open:
                    raise
                await _fail_all(operations, left, str(error))
                return
            left.pop()
        with suppress(DimseError):
            await association.release()
    finally:
        association.abort()


async def _fail_all(operations: _SubOperations, left: Sequence[Source], why: str) -> None:
    for source in reversed(left):
        await operations.fail(source, why)
