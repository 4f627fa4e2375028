"""The declarations of Storage Commitment, apart from its modules: a server that gets no such request loads none of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dimse import uids
from dimse.association.association import Arrived, BaseAssociation
from dimse.association.sinks import Sink
from dimse.message.command import NActionRQ, NEventReportRQ
from dimse.services.service import Service
from dimse.settings import Role

if TYPE_CHECKING:
    from dimse.services.storage_commitment import CommitmentHandler
    from dimse.services.storage_commitment_scp import CommitHandler

_SOP_CLASSES = (uids.StorageCommitmentPushModel,)


async def begin(association: BaseAssociation, arrived: Arrived, handler: None) -> Sink:
    """Return the sink for the data set of a request or of a report."""
    from dimse.services.commitment_information import InformationSink

    return InformationSink()


async def answer_report(association: BaseAssociation, arrived: Arrived, handler: CommitmentHandler | None) -> None:
    """Answer a report."""
    from dimse.services import storage_commitment

    await storage_commitment.answer_report(association, arrived, handler)


async def answer_request(association: BaseAssociation, arrived: Arrived, handler: CommitHandler | None) -> None:
    """Answer a request."""
    from dimse.services import storage_commitment_scp

    await storage_commitment_scp.answer_request(association, arrived, handler)


STORAGE_COMMITMENT = Service(
    name="storage commitment",
    requests=(NEventReportRQ,),
    sop_classes=_SOP_CLASSES,
    begin=begin,
    answer=answer_report,
    handler="commitment",
    abstract_syntaxes=lambda: _SOP_CLASSES,
    # The peer that reports is the SCP.
    roles=lambda: (Role(uids.StorageCommitmentPushModel, scu=False, scp=True),),
)

STORAGE_COMMITMENT_SCP = Service(
    name="storage commitment",
    requests=(NActionRQ,),
    sop_classes=_SOP_CLASSES,
    begin=begin,
    answer=answer_request,
    handler="commit",
    abstract_syntaxes=lambda: _SOP_CLASSES,
    # The peer that asks is the SCU.
    roles=lambda: (Role(uids.StorageCommitmentPushModel, scu=True, scp=False),),
)
