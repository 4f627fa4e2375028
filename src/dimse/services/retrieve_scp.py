"""Retrieval as SCP (PS3.4 C.4.2 and C.4.3): C-GET and C-MOVE requests, and the C-STORE sub-operations that they lead to."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable, Mapping
from itertools import zip_longest
from typing import Any

from dimse import uids
from dimse.association.association import LOGGER, Arrived, BaseAssociation, Refusal
from dimse.association.sinks import MemorySink
from dimse.data_set.encoding import EXPLICIT_VR_LITTLE_ENDIAN
from dimse.data_set.identifier import Identifier
from dimse.data_set.walk import MalformedDataSet
from dimse.logs.notices import notice
from dimse.message.command import CGetRQ, CMoveRQ
from dimse.message.status import (
    CANNOT_UNDERSTAND,
    DATA_SET_DOES_NOT_MATCH,
    OUT_OF_RESOURCES,
    SOP_CLASS_NOT_SUPPORTED,
)
from dimse.services.features import accepted_features
from dimse.services.handling import as_status, ask, send_status
from dimse.services.information_models import LEVEL, model_of
from dimse.services.move_delivery import deliver
from dimse.services.retrieve_request import MoveTo, RetrieveRequest
from dimse.services.sources import Source, Storable, numbered, source_of
from dimse.services.sub_operations import SubOperations
from dimse.support.text import host_and_port, one_line
from dimse.upper_layer.negotiation import PresentationContext

__all__ = ["MoveTo", "RetrieveRequest"]

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
    operations = SubOperations(association, arrived, len(sources))
    request = arrived.request
    is_strict = isinstance(request, RetrieveRequest) and request.strict_roles
    nested = None if is_strict else _AnyRole(association)
    try:
        for source, following in zip_longest(sources, sources[1:]):
            if not await operations.go_on():
                break
            if nested is not None:
                nested.note_roles(source)
            await operations.store(source, association, nested or association, following)
    finally:
        operations.end()
    await operations.finish()


async def answer_move(association: BaseAssociation, arrived: Arrived, handler: MoveHandler | None) -> None:
    """Answer a C-MOVE-RQ whose identifier is complete: send the instances to their destination, then the final response."""
    answer = await _asked(association, arrived, handler, MoveTo)
    sources = answer if isinstance(answer, Refusal) else await _sources(association, arrived, answer.instances)
    if isinstance(sources, Refusal):
        await send_status(association, arrived, sources)
        return
    move: MoveTo = answer  # type: ignore[assignment]
    operations = SubOperations(association, arrived, len(sources), outlives=move.outlives)
    try:
        await deliver(operations, move, sources)
    finally:
        operations.end()
    await operations.finish()


async def _asked(
    association: BaseAssociation, arrived: Arrived, handler: Callable[[RetrieveRequest], Any] | None, *kinds: Any
) -> Any | Refusal:
    """Return what the handler answers, if it is of one of these kinds, else the status that refuses the request."""
    # A C-CANCEL directly behind the request counts.
    await association.poll()
    if handler is None:
        return Refusal(SOP_CLASS_NOT_SUPPORTED, "nothing here answers it")
    if arrived.refusal is not None:
        return arrived.refusal
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


class _AnyRole:
    """The contexts of an association, whatever roles were negotiated: requestors of C-GET are known that negotiate none."""

    def __init__(self, association: BaseAssociation) -> None:
        self.association = association
        self._told = False

    def note_roles(self, source: Source) -> None:
        """Warn once if an instance has to go on a context without the role for it."""
        uid = source.sop_class_uid
        if not self._told and uid and self.association.accepted(uid, None) and not self.association.accepted(uid):
            self._told = True
            peer = self.association.peer
            words = "%s at %s has not negotiated the SCP role, and gets its instances all the same"
            notice("roles", peer.address[0], words, one_line(peer.ae_title, 16), one_line(peer.address[0], 64))

    def accepted(self, abstract_syntax: str) -> Mapping[str, PresentationContext]:
        return self.association.accepted(abstract_syntax, None)

    def context_for(self, abstract_syntax: str, transfer_syntax: str | None = None) -> PresentationContext:
        return self.association.context_for(abstract_syntax, transfer_syntax, None)
