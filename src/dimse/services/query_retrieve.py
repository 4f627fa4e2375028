"""The declarations of C-FIND, C-GET and C-MOVE, apart from their modules: a server that gets no such request loads neither."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from dimse import uids
from dimse.association.association import Arrived, BaseAssociation
from dimse.association.sinks import DiscardSink, MemorySink, Sink
from dimse.message.command import CFindRQ, CGetRQ, CMoveRQ
from dimse.services.handling import ask_status
from dimse.services.service import Service
from dimse.settings import Role

if TYPE_CHECKING:
    from dimse.services.information_models import Operation
    from dimse.services.operation_request import AdmitHandler
    from dimse.services.query import FindHandler
    from dimse.services.retrieve_scp import GetHandler, MoveHandler


async def begin(association: BaseAssociation, arrived: Arrived, handler: AdmitHandler | None) -> Sink:
    """Return a sink for the identifier of a request; that of one which the handler refuses is dropped."""
    if handler is not None:
        from dimse.services.operation_request import OperationRequest

        message = arrived.message
        request = OperationRequest(
            "find" if isinstance(message, CFindRQ) else "get" if isinstance(message, CGetRQ) else "move",
            association.peer,
            association.negotiated.called_ae_title,
            getattr(message, "move_destination", ""),
        )
        answer = await ask_status(association, handler, request)
        if answer.status:
            arrived.refusal = answer
            return DiscardSink()
    return MemorySink()


async def answer_find(association: BaseAssociation, arrived: Arrived, handler: FindHandler | None) -> None:
    """Answer a C-FIND-RQ."""
    from dimse.services import query

    await query.answer_find(association, arrived, handler)


async def answer_get(association: BaseAssociation, arrived: Arrived, handler: GetHandler | None) -> None:
    """Answer a C-GET-RQ."""
    from dimse.services import retrieve_scp

    await retrieve_scp.answer_get(association, arrived, handler)


async def answer_move(association: BaseAssociation, arrived: Arrived, handler: MoveHandler | None) -> None:
    """Answer a C-MOVE-RQ."""
    from dimse.services import retrieve_scp

    await retrieve_scp.answer_move(association, arrived, handler)


def sop_classes(operation: Operation) -> frozenset[str]:
    """Return the SOP classes of every information model that has an operation."""
    from dimse.services.information_models import MODELS

    return frozenset(filter(None, (model.sop_class(operation) for model in MODELS)))


def storage_roles() -> Iterable[Role]:
    """Return the roles that a requestor of C-GET may have: it is SCP of storage."""
    return (Role(uid, scu=True, scp=True) for uid in uids.STORAGE_SOP_CLASSES)


FIND = Service(
    name="find",
    requests=(CFindRQ,),
    begin=begin,
    begin_handler="admit",
    answer=answer_find,
    handler="find",
    abstract_syntaxes=lambda: sop_classes("find"),
)

GET = Service(
    name="get",
    requests=(CGetRQ,),
    begin=begin,
    begin_handler="admit",
    answer=answer_get,
    handler="get",
    # The instances go out on contexts for storage.
    abstract_syntaxes=lambda: sop_classes("get") | uids.STORAGE_SOP_CLASSES,
    roles=storage_roles,
)

MOVE = Service(
    name="move",
    requests=(CMoveRQ,),
    begin=begin,
    begin_handler="admit",
    answer=answer_move,
    handler="move",
    abstract_syntaxes=lambda: sop_classes("move"),
)
