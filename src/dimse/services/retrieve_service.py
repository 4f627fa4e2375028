"""The declarations of the retrieve services, apart from their module: a server that gets no retrieval does not load that."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING

from dimse import uids
from dimse.association.association import Arrived, BaseAssociation
from dimse.association.sinks import MemorySink, Sink
from dimse.message.command import CGetRQ, CMoveRQ
from dimse.services.service import Service
from dimse.settings import Role

if TYPE_CHECKING:
    from dimse.services.retrieve_scp import GetHandler, MoveHandler


async def begin(association: BaseAssociation, arrived: Arrived, handler: None) -> Sink:
    """Return a sink for the identifier of a request."""
    return MemorySink()


async def answer_get(association: BaseAssociation, arrived: Arrived, handler: GetHandler | None) -> None:
    """Answer a C-GET-RQ."""
    from dimse.services import retrieve_scp

    await retrieve_scp.answer_get(association, arrived, handler)


async def answer_move(association: BaseAssociation, arrived: Arrived, handler: MoveHandler | None) -> None:
    """Answer a C-MOVE-RQ."""
    from dimse.services import retrieve_scp

    await retrieve_scp.answer_move(association, arrived, handler)


def get_syntaxes() -> Collection[str]:
    """Return the SOP classes of every model that has a C-GET, and the storage classes that its instances go out on."""
    from dimse.services.information_models import MODELS

    return frozenset(model.get for model in MODELS if model.get) | uids.STORAGE_SOP_CLASSES


def move_syntaxes() -> Collection[str]:
    """Return the SOP classes of every model that has a C-MOVE."""
    from dimse.services.information_models import MODELS

    return tuple(model.move for model in MODELS if model.move)


def storage_roles() -> Iterable[Role]:
    """Return the roles that a requestor of C-GET may have: it is SCP of storage."""
    return (Role(uid, scu=True, scp=True) for uid in uids.STORAGE_SOP_CLASSES)


GET = Service(
    name="get",
    requests=(CGetRQ,),
    begin=begin,
    answer=answer_get,
    handler="get",
    abstract_syntaxes=get_syntaxes,
    roles=storage_roles,
)

MOVE = Service(
    name="move",
    requests=(CMoveRQ,),
    begin=begin,
    answer=answer_move,
    handler="move",
    abstract_syntaxes=move_syntaxes,
)
