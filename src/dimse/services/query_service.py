"""The declaration of the query service, apart from its module: a server that gets no query does not load that."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from dimse.association.association import Arrived, BaseAssociation
from dimse.association.sinks import MemorySink, Sink
from dimse.message.command import CFindRQ
from dimse.services.service import Service

if TYPE_CHECKING:
    from dimse.services.query import FindHandler


async def begin(association: BaseAssociation, arrived: Arrived, handler: None) -> Sink:
    """Return a sink for the identifier of a C-FIND-RQ."""
    return MemorySink()


async def answer(association: BaseAssociation, arrived: Arrived, handler: FindHandler | None) -> None:
    """Answer a C-FIND-RQ."""
    from dimse.services.query import answer_find

    await answer_find(association, arrived, handler)


def abstract_syntaxes() -> Collection[str]:
    """Return the SOP classes of every information model that has a C-FIND."""
    from dimse.services.information_models import MODELS

    return tuple(model.find for model in MODELS if model.find)


QUERY = Service(
    name="find",
    requests=(CFindRQ,),
    begin=begin,
    answer=answer,
    handler="find",
    abstract_syntaxes=abstract_syntaxes,
)
