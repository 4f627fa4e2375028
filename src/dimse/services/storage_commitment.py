"""Storage Commitment (PS3.4 Annex J, Push Model) as SCU: the N-ACTION that requests it, and the N-EVENT-REPORT that answers.

The report comes on the association that asked, or on one that the peer makes to us, to a server whose handlers take it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping

from dimse import uids
from dimse.association.association import LOGGER, MESSAGES, Arrived, BaseAssociation, Dispatcher, Refusal
from dimse.association.sinks import DiscardSink, Sink
from dimse.errors import AssociationReleased, InvalidCommand, OperationTimeout
from dimse.logs import within
from dimse.message.command import Message, NActionRQ, NEventReportRQ, Request
from dimse.message.status import (
    INVALID_ARGUMENT_VALUE,
    NO_SUCH_EVENT_TYPE,
    NO_SUCH_SOP_INSTANCE,
    PROCESSING_FAILURE,
    RESOURCE_LIMITATION,
    UNRECOGNIZED_OPERATION,
    Status,
)
from dimse.services import commitment_information
from dimse.services.commitment_information import SERVICE, InformationSink
from dimse.services.handling import ask_status, send_status
from dimse.support.text import counted, host_and_port, one_line
from dimse.support.values import record, value
from dimse.upper_layer.negotiation import Peer

REQUEST_STORAGE_COMMITMENT = 1  # Action Type ID (PS3.4 J.3.2)
# All instances are safe; failures exist (PS3.4 J.3.3).
EVENT_TYPES = (1, 2)


@value
class Commitment:
    """A report of a peer on one transaction.

    Attributes:
        transaction_uid: The UID of the transaction.
        committed: SOP instance UIDs for which the peer has taken responsibility. An instance that was asked about and is in neither
            of the two is not committed.
        failed: By SOP instance UID, the reason why the peer has not taken responsibility. It is the Failure Reason (0008,1197) as a
            `Status`, whose `meaning` has it in words, and 0110H where the peer gives no reason.
        peer: The peer that reported.
    """

    transaction_uid: str
    committed: frozenset[str]
    failed: Mapping[str, Status]
    peer: Peer

    def limited_to(self, asked: Iterable[str]) -> Commitment:
        """Return the report on the SOP instances `asked` alone; others, and those that it lacks, are a line in the log."""
        asked = frozenset(asked)
        reported = self.committed | self.failed.keys()
        for what, odd in (("not asked about", reported - asked), ("missing, and so not committed", asked - reported)):
            if odd:
                LOGGER.warning("storage commitment report: %d %s, such as %s", len(odd), what, one_line(min(odd)))
        failed = {uid: reason for uid, reason in self.failed.items() if uid in asked}
        return Commitment(self.transaction_uid, self.committed & asked, failed, self.peer)


CommitmentHandler = Callable[[Commitment], "int | Awaitable[int]"]


# --- asking ---


async def begin_commitment(
    association: BaseAssociation, instances: Iterable[tuple[str, str]], *, transaction_uid: str | None = None
) -> str:
    """Ask the peer to commit to the storage of SOP instances (N-ACTION, PS3.4 J.3.2); its report is not waited for.

    It goes to `Handlers.commitment`: of this association, which has to be served, or of a server that the peer knows.

    Args:
        instances: SOP class UID and SOP instance UID of each, 10,000 at most.
        transaction_uid: Names the request in the report; by default a new one. The report may come before this returns.

    Returns:
        The transaction UID.

    Raises:
        ValueError: There are no instances or too many, or a UID is not valid; nothing was sent.
        NoPresentationContext: Storage Commitment was not negotiated; the association stands.
        StatusError: The peer does not take the request; the association stands.
        OperationTimeout: No response came within the DIMSE timeout; the association was aborted.
        AssociationError: The association ended.
        RemoteProtocolError: The peer sent something that is not a valid response; the association was aborted.
    """
    transaction_uid = transaction_uid or _new_uid()
    asked = tuple(instances)
    context = association.context_for(uids.StorageCommitmentPushModel)
    data_set = await association.call(commitment_information.encode, transaction_uid, asked, context.transfer_syntax)
    request = NActionRQ(
        message_id=association.next_message_id(),
        requested_sop_class_uid=uids.StorageCommitmentPushModel,
        requested_sop_instance_uid=uids.StorageCommitmentPushModelInstance,
        action_type_id=REQUEST_STORAGE_COMMITMENT,
        has_data_set=True,
    )
    with within(association.about):
        MESSAGES.info(
            "Sending Storage Commitment Request: MsgID %d, %s", request.message_id, counted(len(asked), "instance")
        )
        response = await association.exchange(context, request, data_set)
        status = Status(response.status, service=SERVICE, comment=one_line(response.error_comment or ""))
        MESSAGES.info("Received Storage Commitment Response (Status: %s)", status)
    status.check()
    return transaction_uid


async def request_commitment(
    association: BaseAssociation,
    instances: Iterable[tuple[str, str]],
    *,
    wait: float = 60,
    transaction_uid: str | None = None,
) -> Commitment:
    """Ask the peer to commit to the storage of SOP instances, and wait for its report on this association (PS3.4 J.3).

    Meanwhile everything else that the peer asks is answered by the association's own handlers; a report that comes too late is too.

    Args:
        instances: SOP class UID and SOP instance UID of each, 10,000 at most.
        wait: For the report, in seconds from the peer's response.
        transaction_uid: Names the request in the report; by default a new one.

    Returns:
        What the peer has committed to, of what was asked about. An instance that its report does not name is not committed.

    Raises:
        ValueError, NoPresentationContext, StatusError: As for `begin_commitment`.
        OperationTimeout: No report came within `wait` (its `wait` is "commitment"), and the association stands: the peer may report
            on another one. Or no response came within the DIMSE timeout, and the association was aborted.
        AssociationError: The association ended.
        RemoteProtocolError: The peer sent something that is not a valid message; the association was aborted.
    """
    asked = tuple(instances)
    awaited = _AwaitedReport(transaction_uid or _new_uid())
    awaited.others = association.dispatch_to(awaited)
    try:
        await begin_commitment(association, asked, transaction_uid=awaited.transaction_uid)
        await association.serve(wait, until=lambda: awaited.commitment is not None)
    finally:
        association.dispatch_to(awaited.others)
    if awaited.commitment is not None:
        return awaited.commitment.limited_to(uid for _, uid in asked)
    named = f"storage commitment transaction {awaited.transaction_uid}"
    if not association.open:
        raise AssociationReleased(f"the peer released the association without a report on {named}")
    raise OperationTimeout("commitment", f"no report on {named} came on this association within {wait:g} seconds")


def _is_report(message: Message | InvalidCommand) -> bool:
    return isinstance(message, NEventReportRQ) and message.affected_sop_class_uid == uids.StorageCommitmentPushModel


@record
class _AwaitedReport:
    """A dispatcher that takes the report on one transaction, and leaves the rest to the one that was there before.

    Attributes:
        transaction_uid: What is awaited.
        others: The dispatcher for the rest; None refuses it.
        commitment: The report, once it has come.
    """

    transaction_uid: str
    others: Dispatcher | None = None
    commitment: Commitment | None = None

    async def begin(self, association: BaseAssociation, arrived: Arrived) -> Sink:
        if _is_report(arrived.message):
            return InformationSink()
        return DiscardSink() if self.others is None else await self.others.begin(association, arrived)

    async def answer(self, association: BaseAssociation, arrived: Arrived) -> None:
        if _is_report(arrived.message):
            found = await read_report(association, arrived)
            if isinstance(found, Commitment) and found.transaction_uid == self.transaction_uid:
                self.commitment = self.commitment or found
                await send_status(association, arrived, Refusal(0x0000))
                return
        if self.others is not None:
            await self.others.answer(association, arrived)
        elif _is_report(arrived.message):
            await answer_report(association, arrived, None)
        elif isinstance(arrived.message, Request):
            await send_status(association, arrived, Refusal(UNRECOGNIZED_OPERATION))


def _new_uid() -> str:
    """Return a new UID (PS3.5 B.2)."""
    from uuid import uuid4

    return f"2.25.{uuid4().int}"


# --- the report ---


async def answer_report(association: BaseAssociation, arrived: Arrived, handler: CommitmentHandler | None) -> None:
    """Answer a report whose data set is complete."""
    found = await read_report(association, arrived)
    if isinstance(found, Refusal):
        peer = host_and_port(*association.peer.address)
        LOGGER.error("refused a storage commitment report from %s: %s", peer, one_line(found.comment))
        answer = found
    elif handler is None:
        answer = Refusal(INVALID_ARGUMENT_VALUE, "no such transaction is known")
    else:
        answer = await ask_status(association, handler, found)
    await send_status(association, arrived, answer)


async def read_report(association: BaseAssociation, arrived: Arrived) -> Commitment | Refusal:
    """Return the content of a report, or the status that refuses it (PS3.7 10.1.1.1.8) with the reason."""
    message, sink = arrived.message, arrived.sink
    assert isinstance(message, NEventReportRQ)
    if message.affected_sop_instance_uid != uids.StorageCommitmentPushModelInstance:
        return Refusal(NO_SUCH_SOP_INSTANCE, f"it is about {message.affected_sop_instance_uid}")
    if message.event_type_id not in EVENT_TYPES:
        return Refusal(NO_SUCH_EVENT_TYPE, f"event type {message.event_type_id} is unknown")
    if not isinstance(sink, InformationSink):
        return Refusal(PROCESSING_FAILURE, "it has no data set")
    if sink.error is not None:
        return Refusal(RESOURCE_LIMITATION, sink.error.strerror or "out of resources")
    found: Commitment | Refusal = await association.call(
        _decode_report, sink.view(), arrived.context.transfer_syntax, association.peer
    )
    if isinstance(found, Commitment):
        counts = counted(len(found.committed), "instance"), len(found.failed)
        MESSAGES.info("Received Storage Commitment Report: %s committed, %d failed", *counts)
    return found


def _decode_report(data: memoryview, transfer_syntax: str, peer: Peer) -> Commitment | Refusal:
    """Decode the Event Information (PS3.4 Table J.3-2)."""
    try:
        report = commitment_information.decode(data, transfer_syntax)
    except ValueError as error:
        return Refusal(PROCESSING_FAILURE, str(error))
    failed = {uid: Status(reason, service=SERVICE) for uid, reason in report.failed.items()}
    committed = frozenset(uid for _, uid in report.references if uid and uid not in failed)
    return Commitment(report.transaction_uid, committed, failed, peer)
