"""Verification (PS3.4 Annex A): C-ECHO, as SCU and SCP."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from dimse import uids
from dimse.association.association import MESSAGES, Arrived, BaseAssociation, Refusal
from dimse.logs import within
from dimse.message.command import CEchoRQ, CEchoRSP
from dimse.message.status import Status
from dimse.services.handling import ask_status, send_status
from dimse.services.service import Service
from dimse.support.values import value
from dimse.upper_layer.negotiation import Peer, PresentationContext


async def echo(association: BaseAssociation) -> Status:
    """Send a C-ECHO-RQ and wait for its response (PS3.7 9.1.5).

    Returns:
        The status of the response; 0000H is success.

    Raises:
        NoPresentationContext: Verification was not negotiated; the association stands.
        OperationTimeout: No response came within the DIMSE timeout; the association was aborted.
        AssociationError: The association ended.
        RemoteProtocolError: The peer sent something that is not a valid response; the association was aborted.
    """
    context = association.context_for(uids.Verification)
    request = CEchoRQ(message_id=association.next_message_id(), affected_sop_class_uid=uids.Verification)
    with within(association.about):
        MESSAGES.info("Sending Echo Request: MsgID %d", request.message_id)
        response = await association.exchange(context, request)
        # The association lets no other response through.
        assert isinstance(response, CEchoRSP)
        status = Status(response.status, service="verification", comment=response.error_comment or "")
        MESSAGES.info("Received Echo Response (Status: 0x%04X - %s)", status, "Unknown" if status else "Success")
    return status


@value
class EchoRequest:
    """A C-ECHO-RQ that was received.

    Attributes:
        context: The presentation context that it came on.
        peer: The peer that sent it.
        message_id: Its message ID.
    """

    context: PresentationContext
    peer: Peer
    message_id: int


EchoHandler = Callable[[EchoRequest], "int | Awaitable[int]"]


async def answer_echo(association: BaseAssociation, arrived: Arrived, handler: EchoHandler | None) -> None:
    """Answer a C-ECHO-RQ: with the status that `handler` returns, or with success if there is no handler."""
    message = arrived.message
    assert isinstance(message, CEchoRQ)
    MESSAGES.info("Received Echo Request (MsgID %d)", message.message_id)
    answer = Refusal(0x0000)
    if handler is not None:
        request = EchoRequest(arrived.context, association.peer, message.message_id)
        answer = await ask_status(association, handler, request)
    await send_status(association, arrived, answer)


VERIFICATION = Service(
    name="verification",
    requests=(CEchoRQ,),
    answer=answer_echo,
    handler="echo",
    abstract_syntaxes=lambda: (uids.Verification,),
    needs_handler=False,
)
