"""Behaviours in the order and the command sets of responses (PS3.7 9.1.2 to 9.1.4, 9.3; PS3.4 C.4)."""

from __future__ import annotations

from itertools import count

from tests.faulty_peer import (
    AFFECTED_SOP_CLASS_UID,
    COMMAND_DATA_SET_TYPE,
    COMMAND_FIELD,
    ERROR_COMMENT,
    MESSAGE_ID,
    MESSAGE_ID_BEING_RESPONDED_TO,
    NO_DATA_SET,
    STATUS,
    PeerGoneError,
    ui,
    us,
)
from tests.interop.evil.conversation import (
    C_ECHO,
    C_STORE,
    CANCELLED,
    DATA_SET,
    PENDING,
    RESPONSE,
    SUCCESS,
    Conversation,
    Request,
    match_of,
    response_elements,
)
from tests.interop.evil.registry import ANY, FIND, behaviour

OFFENDING_ELEMENT = 0x0901
OUT_OF_RESOURCES, UNABLE_TO_PROCESS = 0xA700, 0xC001
TERMINAL_ESCAPES = b"\x1b]0;owned\x07\x1b[2J\r\nE: forged line\n"


def _responding_to(message_id: int) -> dict[int, bytes | None]:
    return {MESSAGE_ID_BEING_RESPONDED_TO: us(message_id)}


# --- no end ---


@behaviour(*ANY)
def pending_for_ever(talk: Conversation, request: Request) -> None:
    """Send pending responses without a pause and without an end, whatever comes."""
    while True:
        talk.pending(request)
        talk.take_input()


@behaviour(*ANY)
def pending_for_ever_slowly(talk: Conversation, request: Request) -> None:
    """Send a pending response every 50 milliseconds, without an end, whatever comes."""
    while True:
        talk.pending(request)
        talk.take_input(0.05)


@behaviour(*ANY)
def silence(talk: Conversation, request: Request) -> None:
    """Answer nothing, not even a release."""
    talk.drain()


@behaviour(*ANY)
def silence_after_pending(talk: Conversation, request: Request) -> None:
    """Send one pending response, and then nothing, not even to a C-CANCEL or a release."""
    talk.pending(request)
    talk.drain()


@behaviour(*ANY)
def no_answer_to_release(talk: Conversation, request: Request) -> None:
    """Answer the request as usual, and the release not at all."""
    talk.pending(request)
    talk.final(request)
    talk.drain()


@behaviour(*ANY)
def no_final(talk: Conversation, request: Request) -> None:
    """Send three pending responses and no final one; a release is answered."""
    for _ in range(3):
        talk.pending(request)


# --- C-CANCEL ---


@behaviour(*ANY)
def cancel_ignored(talk: Conversation, request: Request) -> None:
    """Wait for a C-CANCEL, go on with twenty pending responses, and end with Success."""
    talk.pending(request)
    talk.wait_for_cancel()
    for _ in range(20):
        talk.pending(request)
    talk.final(request)


@behaviour(*ANY)
def cancel_never_answered(talk: Conversation, request: Request) -> None:
    """Fall silent at a C-CANCEL: no final response ever comes."""
    talk.pending(request)
    talk.wait_for_cancel()
    talk.drain()


@behaviour(*ANY)
def cancel_answered_twice(talk: Conversation, request: Request) -> None:
    """Answer a C-CANCEL with two final responses of status FE00H."""
    talk.pending(request)
    talk.wait_for_cancel()
    talk.final(request, CANCELLED)
    talk.final(request, CANCELLED)


@behaviour(*ANY)
def cancelled_unasked(talk: Conversation, request: Request) -> None:
    """End with FE00H though no C-CANCEL came."""
    talk.pending(request)
    talk.final(request, CANCELLED)


@behaviour(*ANY)
def pending_after_cancelled(talk: Conversation, request: Request) -> None:
    """Answer a C-CANCEL with FE00H, and go on with pending responses."""
    talk.pending(request)
    talk.wait_for_cancel()
    talk.final(request, CANCELLED)
    for _ in range(5):
        talk.pending(request)


# --- ends ---


@behaviour(*ANY)
def abort_at_once(talk: Conversation, request: Request) -> None:
    """Abort as soon as the request is there."""
    talk.send_abort()
    talk.drain()


@behaviour(*ANY)
def abort_after_pending(talk: Conversation, request: Request) -> None:
    """Abort after two pending responses."""
    talk.pending(request)
    talk.pending(request)
    talk.send_abort(source=2, reason=0)
    talk.drain()


@behaviour(*ANY)
def close_at_once(talk: Conversation, request: Request) -> None:
    """Close the connection as soon as the request is there."""
    talk.half_close()
    talk.drain()


@behaviour(*ANY)
def close_after_pending(talk: Conversation, request: Request) -> None:
    """Close the connection after two pending responses."""
    talk.pending(request)
    talk.pending(request)
    talk.half_close()
    talk.drain()


@behaviour(*ANY)
def reset_after_pending(talk: Conversation, request: Request) -> None:
    """Reset the connection after a pending response."""
    talk.pending(request)
    talk.reset()
    raise PeerGoneError


@behaviour(*ANY)
def release_instead_of_final(talk: Conversation, request: Request) -> None:
    """Ask to release after a pending response, where the final one is due."""
    talk.pending(request)
    talk.send_release_request()
    talk.drain()


# --- too many, or the wrong ones ---


@behaviour(*ANY)
def two_finals(talk: Conversation, request: Request) -> None:
    """Send Success twice."""
    talk.pending(request)
    talk.final(request)
    talk.final(request)


@behaviour(*ANY)
def two_different_finals(talk: Conversation, request: Request) -> None:
    """Send Success, and then a failure for the same request."""
    talk.final(request)
    talk.final(request, UNABLE_TO_PROCESS)


@behaviour(*ANY)
def pending_after_final(talk: Conversation, request: Request) -> None:
    """Send Success, and then pending responses."""
    talk.final(request)
    for _ in range(3):
        talk.pending(request)


@behaviour(*ANY)
def wrong_message_id_pending(talk: Conversation, request: Request) -> None:
    """Send a pending response to a message that was never sent, and then Success to the right one."""
    talk.pending(request, changes=_responding_to(request.message_id + 7))
    talk.final(request)


@behaviour(*ANY)
def wrong_message_id_final(talk: Conversation, request: Request) -> None:
    """Send Success to a message that was never sent, and nothing to the right one."""
    talk.respond_to(request, SUCCESS, changes=_responding_to(request.message_id + 7))
    talk.drain()


@behaviour(*ANY)
def response_of_another_service(talk: Conversation, request: Request) -> None:
    """Answer with a C-ECHO response of the right Message ID."""
    talk.respond_to(request, SUCCESS, changes={COMMAND_FIELD: us(C_ECHO | RESPONSE)})
    talk.drain()


@behaviour(*ANY)
def store_response_unasked(talk: Conversation, request: Request) -> None:
    """Answer with a C-STORE response of the right Message ID, and then with Success."""
    talk.respond_to(request, SUCCESS, changes={COMMAND_FIELD: us(C_STORE | RESPONSE)})
    talk.final(request)


@behaviour(*ANY)
def request_sent_back(talk: Conversation, request: Request) -> None:
    """Send the request back, where a response is due."""
    elements = {number: value for number, value in request.message.elements.items() if number}
    talk.say(request.message.context_id, elements, request.identifier)
    talk.drain()


@behaviour(*ANY)
def unknown_command_field(talk: Conversation, request: Request) -> None:
    """Answer with a Command Field that the Standard does not know."""
    talk.respond_to(request, SUCCESS, changes={COMMAND_FIELD: us(0xFFF0)})
    talk.drain()


@behaviour(*ANY)
def response_on_unknown_context(talk: Conversation, request: Request) -> None:
    """Answer on a presentation context that was never proposed."""
    talk.respond_to(request, SUCCESS, context_id=251)
    talk.drain()


@behaviour(*ANY)
def response_on_another_context(talk: Conversation, request: Request) -> None:
    """Answer on another context of the association than the request's."""
    others = [context_id for context_id in talk.accepted if context_id != request.message.context_id]
    talk.respond_to(request, SUCCESS, context_id=others[0] if others else 251)
    talk.drain()


@behaviour(*ANY)
def echo_in_between(talk: Conversation, request: Request) -> None:
    """Send a C-ECHO request on the operation's context before the final response."""
    talk.pending(request)
    elements = {
        AFFECTED_SOP_CLASS_UID: ui("1.2.840.10008.1.1"),
        COMMAND_FIELD: us(C_ECHO),
        MESSAGE_ID: us(77),
        COMMAND_DATA_SET_TYPE: us(NO_DATA_SET),
    }
    talk.say(request.message.context_id, elements)
    talk.final(request)


# --- command sets ---


@behaviour(*ANY)
def no_status(talk: Conversation, request: Request) -> None:
    """Send a response without a status."""
    talk.respond_to(request, SUCCESS, changes={STATUS: None})
    talk.drain()


@behaviour(*ANY)
def no_message_id(talk: Conversation, request: Request) -> None:
    """Send a response that does not say what it answers."""
    talk.respond_to(request, SUCCESS, changes={MESSAGE_ID_BEING_RESPONDED_TO: None})
    talk.drain()


@behaviour(*ANY)
def no_command_field(talk: Conversation, request: Request) -> None:
    """Send a command set without a Command Field."""
    talk.respond_to(request, SUCCESS, changes={COMMAND_FIELD: None})
    talk.drain()


@behaviour(*ANY)
def no_data_set_type(talk: Conversation, request: Request) -> None:
    """Send a command set that does not say if a data set follows."""
    talk.respond_to(request, SUCCESS, changes={COMMAND_DATA_SET_TYPE: None})
    talk.drain()


@behaviour(*ANY)
def no_sop_class(talk: Conversation, request: Request) -> None:
    """Leave the Affected SOP Class UID out of each response."""
    talk.respond_to(request, SUCCESS, changes={AFFECTED_SOP_CLASS_UID: None})


@behaviour(*ANY)
def another_sop_class(talk: Conversation, request: Request) -> None:
    """Name another SOP class in the response than in the request."""
    talk.respond_to(request, SUCCESS, changes={AFFECTED_SOP_CLASS_UID: ui("1.2.3.4")})


@behaviour(*ANY)
def unknown_status(talk: Conversation, request: Request) -> None:
    """End with a status that no table has: 1234H."""
    talk.respond_to(request, 0x1234)


@behaviour(*ANY)
def unknown_failure(talk: Conversation, request: Request) -> None:
    """End with a failure that no table has: CFFFH."""
    talk.respond_to(request, 0xCFFF)


@behaviour(*ANY)
def unknown_warning(talk: Conversation, request: Request) -> None:
    """End with a warning that no table has: B0FFH."""
    talk.respond_to(request, 0xB0FF)


@behaviour(*ANY)
def status_of_four_bytes(talk: Conversation, request: Request) -> None:
    """Send a status of four bytes."""
    talk.respond_to(request, SUCCESS, changes={STATUS: b"\0\0\0\0"})
    talk.drain()


@behaviour(*ANY)
def comment_with_escapes(talk: Conversation, request: Request) -> None:
    """Fail with an Error Comment that holds escape sequences of a terminal and a line end."""
    talk.respond_to(request, OUT_OF_RESOURCES, changes={ERROR_COMMENT: TERMINAL_ESCAPES.ljust(40)})


@behaviour(*ANY)
def comment_of_64_kib(talk: Conversation, request: Request) -> None:
    """Fail with an Error Comment a thousand times as long as it may be."""
    talk.respond_to(request, OUT_OF_RESOURCES, changes={ERROR_COMMENT: b"x" * 65536})


@behaviour(*ANY)
def offending_element_of_odd_length(talk: Conversation, request: Request) -> None:
    """Fail with an Offending Element of seven bytes."""
    talk.respond_to(request, 0xA900, changes={OFFENDING_ELEMENT: b"\x10\x00\x20\x00\x10\x00\x30"})


# --- data sets that are announced or not ---


@behaviour(FIND)
def pending_without_identifier(talk: Conversation, request: Request) -> None:
    """Send pending responses to a C-FIND that announce no identifier, and Success."""
    for _ in range(3):
        talk.respond_to(request, PENDING)
    talk.final(request)


@behaviour(FIND)
def final_with_identifier(talk: Conversation, request: Request) -> None:
    """Send Success with an identifier."""
    talk.pending(request)
    talk.respond_to(request, SUCCESS, match_of(request))


@behaviour(*ANY)
def final_announces_identifier_only(talk: Conversation, request: Request) -> None:
    """Announce a data set with Success, and never send it."""
    talk.respond_to(request, SUCCESS, changes={COMMAND_DATA_SET_TYPE: us(DATA_SET)})
    talk.drain()


@behaviour(*ANY)
def command_where_identifier_is_due(talk: Conversation, request: Request) -> None:
    """Announce an identifier with a pending response, and send Success in its place."""
    talk.respond_to(request, PENDING, changes={COMMAND_DATA_SET_TYPE: us(DATA_SET)})
    talk.final(request)
    talk.drain()


@behaviour(*ANY)
def data_set_not_announced(talk: Conversation, request: Request) -> None:
    """Announce no data set with Success, and send one."""
    elements = response_elements(request, SUCCESS)
    talk.say(request.message.context_id, elements, match_of(request))
    talk.drain()


@behaviour(FIND)
def a_million_matches(talk: Conversation, request: Request) -> None:
    """Send a million matches, each with another UID, and Success; a C-CANCEL ends them."""
    for number in count(1):
        if number > 1_000_000 or talk.cancels:
            break
        talk.respond_to(request, PENDING, match_of(request, changes={0x0020000D: ("UI", f"1.2.3.{number}")}))
        talk.take_input()
    talk.final(request, CANCELLED if talk.cancels else SUCCESS)
