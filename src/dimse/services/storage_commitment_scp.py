"""Storage Commitment as SCP (PS3.4 Annex J, Push Model): the N-ACTION that requests it, and the N-EVENT-REPORT that answers.

The report goes out on the association that brought the request, some time after the response. Or it goes out on an association that
the SCP requests of the peer.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from functools import partial
from typing import TypeGuard

from dimse import uids
from dimse.association.association import LOGGER, MESSAGES, Arrived, BaseAssociation, Refusal
from dimse.logs import within
from dimse.message.command import NActionRQ, NEventReportRQ
from dimse.message.status import (
    INVALID_ARGUMENT_VALUE,
    NO_SUCH_ACTION,
    NO_SUCH_SOP_INSTANCE,
    RESOURCE_LIMITATION,
    SOP_CLASS_NOT_SUPPORTED,
    UNRECOGNIZED_OPERATION,
    Status,
)
from dimse.services import commitment_information
from dimse.services.commitment_information import MOST_INSTANCES, SERVICE, InformationSink, Reference
from dimse.services.handling import as_status, ask, send_status
from dimse.services.storage_commitment import REQUEST_STORAGE_COMMITMENT
from dimse.support.text import counted, host_and_port, one_line
from dimse.support.values import value
from dimse.upper_layer.negotiation import Peer, PresentationContext

# References whose report on the association of their request is not due yet.
MOST_WAITING = 100_000

# Event Type IDs (PS3.4 J.3.3).
ALL_COMMITTED, FAILURES_EXIST = 1, 2


@value
class CommitmentRequest:
    """A request for storage commitment that was received, an N-ACTION-RQ.

    Attributes:
        transaction_uid: The UID of the transaction, which the report repeats.
        references: SOP class UID and SOP instance UID of each instance, each once, 1 to 10,000.
        peer: The peer that asks.
        message_id: The message ID.
        called_ae_title: The AE title that the peer called.
        can_report_here: True if the peer can take the report on the association of the request, by the roles that were negotiated.
    """

    transaction_uid: str
    references: tuple[Reference, ...]
    peer: Peer
    message_id: int
    called_ae_title: str
    can_report_here: bool


Failures = Mapping[str, int]
"""The Failure Reason (0008,1197) by SOP instance UID of the instances that are not committed (PS3.3 C.14.1.1)."""


@value
class ReportLater:
    """The answer of a handler that takes a request: success, and a report on the association of the request some time later.

    Attributes:
        judge: Called with the request when the report is due, returns the Failure Reason of each instance that is not committed. It
            may be `def` or `async def`.
        wait: Seconds before the report. A peer that wants it on another association releases this one meanwhile.
        reported: Called with the request once the peer has taken the report; it may be `def` or `async def`.
        missed: Called with the request if the peer has not taken the report on this association. It must not block.
    """

    judge: Callable[[CommitmentRequest], Failures | Awaitable[Failures]]
    wait: float = 2.0
    reported: Callable[[CommitmentRequest], object] | None = None
    missed: Callable[[CommitmentRequest], object] | None = None


CommitHandler = Callable[[CommitmentRequest], "int | ReportLater | Awaitable[int | ReportLater]"]


# --- the request ---


async def answer_request(association: BaseAssociation, arrived: Arrived, handler: CommitHandler | None) -> None:
    """Answer a request whose data set is complete, and put its report on the agenda of the association."""
    if handler is None:
        await send_status(association, arrived, Refusal(UNRECOGNIZED_OPERATION))
        return
    request = await _read_request(association, arrived)
    if isinstance(request, Refusal):
        peer = host_and_port(*association.peer.address)
        LOGGER.error("refused a storage commitment request from %s: %s", peer, one_line(request.comment))
        await send_status(association, arrived, request)
        return
    answer = await ask(association, handler, request)
    if isinstance(answer, ReportLater):
        await _take(association, arrived, request, answer)
    else:
        refusal = answer if isinstance(answer, Refusal) else as_status(answer, request)
        await send_status(association, arrived, refusal)


async def _read_request(association: BaseAssociation, arrived: Arrived) -> CommitmentRequest | Refusal:
    """Return the content of a request, or the status that refuses it (PS3.7 10.1.4.1.10) with the reason."""
    message, sink, context = arrived.message, arrived.sink, arrived.context
    if (refusal := _refusal_of(arrived)) is not None:
        return refusal
    assert isinstance(message, NActionRQ) and isinstance(sink, InformationSink)
    found: tuple[str, tuple[Reference, ...]] | Refusal = await association.call(
        _decode_request, sink.view(), context.transfer_syntax
    )
    if isinstance(found, Refusal):
        return found
    transaction_uid, references = found
    if association.agenda.size + len(references) > MOST_WAITING:
        return Refusal(RESOURCE_LIMITATION, "too many references wait for their report")
    MESSAGES.info(
        "Received Storage Commitment Request: MsgID %d, %s", message.message_id, counted(len(references), "instance")
    )
    return CommitmentRequest(
        transaction_uid,
        references,
        association.peer,
        message.message_id,
        association.negotiated.called_ae_title,
        context.requestor_is_scu,
    )


def _refusal_of(arrived: Arrived) -> Refusal | None:
    """Return the status that refuses a request for its command set, or for the size of its data set."""
    message, sink = arrived.message, arrived.sink
    assert isinstance(message, NActionRQ)
    if arrived.context.abstract_syntax != uids.StorageCommitmentPushModel:
        return Refusal(SOP_CLASS_NOT_SUPPORTED, "the SOP class is not that of the presentation context")
    if message.requested_sop_instance_uid != uids.StorageCommitmentPushModelInstance:
        return Refusal(NO_SUCH_SOP_INSTANCE, f"it is about {message.requested_sop_instance_uid}")
    if message.action_type_id != REQUEST_STORAGE_COMMITMENT:
        return Refusal(NO_SUCH_ACTION, f"action type {message.action_type_id} is unknown")
    if not isinstance(sink, InformationSink):
        return Refusal(INVALID_ARGUMENT_VALUE, "it has no data set")
    if sink.error is not None:
        return Refusal(RESOURCE_LIMITATION, sink.error.strerror or "out of resources")
    return None


def _decode_request(data: memoryview, transfer_syntax: str) -> tuple[str, tuple[Reference, ...]] | Refusal:
    """Decode the Action Information (PS3.4 Table J.3-1); return the Transaction UID and the references, each once."""
    try:
        information = commitment_information.decode(data, transfer_syntax)
        references = tuple(dict.fromkeys(information.references))
        if not references:
            return Refusal(INVALID_ARGUMENT_VALUE, "it names no instance")
        if len(references) > MOST_INSTANCES:
            return Refusal(RESOURCE_LIMITATION, f"it names {len(references)} instances: {MOST_INSTANCES} at most")
        # The report repeats all of them.
        for uid in (information.transaction_uid, *(uid for reference in references for uid in reference)):
            commitment_information.check_uid(uid)
    except ValueError as error:
        return Refusal(INVALID_ARGUMENT_VALUE, str(error))
    return information.transaction_uid, references


# --- the report ---


async def _take(
    association: BaseAssociation, arrived: Arrived, request: CommitmentRequest, answer: ReportLater
) -> None:
    """Answer a request with success, and report on this association later."""
    missed = partial(_missed, request, answer)
    try:
        await send_status(association, arrived, Refusal(0x0000))
    except BaseException:
        missed()
        raise
    if request.can_report_here:
        report = partial(_report_here, association, arrived.context, request, answer)
        association.agenda.add(answer.wait, report, missed, len(request.references))
    else:
        missed()


def _missed(request: CommitmentRequest, answer: ReportLater) -> None:
    if answer.missed is not None:
        answer.missed(request)
    else:
        peer = host_and_port(*request.peer.address)
        LOGGER.warning("%s has not taken the report on storage commitment %s", peer, one_line(request.transaction_uid))


async def _report_here(
    association: BaseAssociation, context: PresentationContext, request: CommitmentRequest, answer: ReportLater
) -> None:
    """Judge a request, and report on the association that brought it, which is being served."""
    taken = False
    try:
        failed = await ask(association, answer.judge, request)
        if _are_failures(failed, request):
            status = await _report(
                association, context, request.transaction_uid, request.references, failed, nested=True
            )
            taken = status.is_success or status.is_warning
    finally:
        if not taken:
            _missed(request, answer)
    if taken and answer.reported is not None:
        await ask(association, answer.reported, request)


def _are_failures(found: object, request: CommitmentRequest) -> TypeGuard[Failures]:
    """Return True if what a judge of a program has returned can be reported; else it is a line in the log."""
    if isinstance(found, Refusal):
        return False
    if isinstance(found, Mapping) and all(isinstance(code, int) and 0 <= code <= 0xFFFF for code in found.values()):
        return True
    LOGGER.error("the handler of %s returned %s instead of a status", type(request).__name__, type(found).__name__)
    return False


async def report_commitment(
    association: BaseAssociation,
    transaction_uid: str,
    references: Iterable[Reference],
    failed: Failures | None = None,
) -> Status:
    """Report on a request for storage commitment (N-EVENT-REPORT, PS3.4 J.3.3), over an association of our own.

    The roles of the association have `Role(dimse.uids.StorageCommitmentPushModel, scu=False, scp=True)`. A peer that does not
    negotiate roles gets the report all the same.

    Args:
        transaction_uid: The UID of the transaction, as it was requested.
        references: SOP class UID and SOP instance UID of each instance that the request named.
        failed: The Failure Reason (0008,1197) of each instance that is not committed, by SOP instance UID.

    Returns:
        The status that the peer answers with.

    Raises:
        ValueError: There are no references or too many, or a UID or a reason is not valid; nothing was sent.
        NoPresentationContext: Storage Commitment was not negotiated; the association stands.
        OperationTimeout: No response came within the DIMSE timeout; the association was aborted.
        AssociationError: The association ended.
        RemoteProtocolError: The peer sent something that is not a valid response; the association was aborted.
    """
    if any(not 0 <= reason <= 0xFFFF for reason in (failed or {}).values()):
        raise ValueError("a Failure Reason is 0 to 0xFFFF")
    context = association.context_for(uids.StorageCommitmentPushModel, role=None)
    return await _report(association, context, transaction_uid, tuple(references), failed or {}, nested=False)


async def _report(
    association: BaseAssociation,
    context: PresentationContext,
    transaction_uid: str,
    references: tuple[Reference, ...],
    failed: Failures,
    *,
    nested: bool,
) -> Status:
    failed = {uid: reason for _, uid in references if (reason := failed.get(uid)) is not None}
    data_set = await association.call(
        commitment_information.encode, transaction_uid, references, context.transfer_syntax, failed
    )
    message = NEventReportRQ(
        message_id=association.next_message_id(),
        affected_sop_class_uid=uids.StorageCommitmentPushModel,
        affected_sop_instance_uid=uids.StorageCommitmentPushModelInstance,
        event_type_id=FAILURES_EXIST if failed else ALL_COMMITTED,
        has_data_set=True,
    )
    with within(association.about):
        counts = counted(len(references) - len(failed), "instance"), len(failed)
        MESSAGES.info(
            "Sending Storage Commitment Report: MsgID %d, %s committed, %d failed", message.message_id, *counts
        )
        response = await association.exchange(context, message, data_set, nested=nested)
        status = Status(response.status, service=SERVICE, comment=one_line(response.error_comment or ""))
        MESSAGES.info("Received Storage Commitment Report Response (Status: %s)", status)
    return status
