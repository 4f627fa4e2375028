"""Behaviours in P-DATA-TF PDUs and their fragments (PS3.8 9.3.5 and Annex E)."""

from __future__ import annotations

import struct

from tests.faulty_peer import A_ASSOCIATE_RQ, P_DATA_TF, command_set, pdu, pdv
from tests.interop.evil.conversation import (
    COMMAND,
    LAST,
    LONGEST_PDV,
    PENDING,
    SUCCESS,
    Conversation,
    Request,
    data_pdus,
    match_of,
    response_elements,
)
from tests.interop.evil.registry import ANY, FIND, behaviour


def _command(request: Request, status: int, identifier: bytes | None = None) -> bytes:
    """Return the command set of a response."""
    elements = response_elements(request, status, identifier)
    return command_set({number: value for number, value in elements.items() if value is not None})


def _pdvs_of(context_id: int, control: int, data: bytes, length: int) -> list[bytes]:
    """Return data as fragments of `length` bytes; the last one has the bit for it."""
    starts = range(0, len(data), length)
    return [
        pdv(context_id, control | LAST * (start + length >= len(data)), data[start : start + length])
        for start in starts
    ]


# --- seldom seen, and legal but for the odd length of a byte (PS3.8 9.3.5.1) ---


@behaviour(FIND)
def pdvs_of_one_byte(talk: Conversation, request: Request) -> None:
    """Send a match in fragments of one byte, each in a PDU of its own."""
    identifier, context_id = match_of(request), request.message.context_id
    fragments = _pdvs_of(context_id, COMMAND, _command(request, PENDING, identifier), 1)
    for fragment in fragments + _pdvs_of(context_id, 0, identifier, 1):
        talk.send(pdu(P_DATA_TF, fragment))
    talk.final(request)


@behaviour(FIND)
def command_and_identifier_in_one_pdu(talk: Conversation, request: Request) -> None:
    """Send command and identifier of a match in one PDU, and Success in it as well."""
    identifier, context_id = match_of(request), request.message.context_id
    match = pdv(context_id, COMMAND | LAST, _command(request, PENDING, identifier)) + pdv(context_id, LAST, identifier)
    talk.send(pdu(P_DATA_TF, match + pdv(context_id, COMMAND | LAST, _command(request, SUCCESS))))


@behaviour(FIND)
def empty_last_fragment(talk: Conversation, request: Request) -> None:
    """Send a match whose last fragment is empty."""
    identifier, context_id = match_of(request), request.message.context_id
    talk.send(pdu(P_DATA_TF, pdv(context_id, COMMAND | LAST, _command(request, PENDING, identifier))))
    talk.send(pdu(P_DATA_TF, pdv(context_id, 0, identifier) + pdv(context_id, LAST, b"")))
    talk.final(request)


@behaviour(FIND)
def bytes_one_by_one(talk: Conversation, request: Request) -> None:
    """Send a match byte by byte, over a second in all."""
    identifier, context_id = match_of(request), request.message.context_id
    command = pdu(P_DATA_TF, pdv(context_id, COMMAND | LAST, _command(request, PENDING, identifier)))
    talk.dribble(command + data_pdus(context_id, identifier), 1.0)
    talk.final(request)


# --- not legal ---


@behaviour(*ANY)
def empty_fragments_for_ever(talk: Conversation, request: Request) -> None:
    """Send empty fragments of a command, for ever."""
    while True:
        talk.send(pdu(P_DATA_TF, pdv(request.message.context_id, COMMAND, b"")))


@behaviour(*ANY)
def command_without_end(talk: Conversation, request: Request) -> None:
    """Send fragments of one command for ever, none of which is the last."""
    while True:
        talk.send(pdu(P_DATA_TF, pdv(request.message.context_id, COMMAND, bytes(LONGEST_PDV))))


@behaviour(*ANY)
def command_of_noise(talk: Conversation, request: Request) -> None:
    """Send a command set that cannot be read."""
    talk.send(pdu(P_DATA_TF, pdv(request.message.context_id, COMMAND | LAST, b"\xde\xad\xbe\xef" * 8)))
    talk.drain()


@behaviour(*ANY)
def command_element_of_4_gib(talk: Conversation, request: Request) -> None:
    """Send a command set with an element that says to be 4 GiB long."""
    lie = struct.pack("<HHI", 0, 0x0902, 0xFFFFFFFE) + b"text"
    talk.send(pdu(P_DATA_TF, pdv(request.message.context_id, COMMAND | LAST, _command(request, SUCCESS) + lie)))
    talk.drain()


@behaviour(*ANY)
def group_length_of_4_gib(talk: Conversation, request: Request) -> None:
    """Send Success whose command group length says 4 GiB."""
    command = struct.pack("<HHII", 0, 0, 4, 0xFFFFFFFE) + _command(request, SUCCESS)[12:]
    talk.send(pdu(P_DATA_TF, pdv(request.message.context_id, COMMAND | LAST, command)))


@behaviour(*ANY)
def pdv_longer_than_its_pdu(talk: Conversation, request: Request) -> None:
    """Send a PDV that says to be longer than the PDU around it."""
    talk.send(pdu(P_DATA_TF, pdv(request.message.context_id, COMMAND | LAST, b"\0" * 20, length=4000)))
    talk.drain()


@behaviour(*ANY)
def pdv_of_length_0(talk: Conversation, request: Request) -> None:
    """Send a PDV whose length has no room for its own header."""
    talk.send(pdu(P_DATA_TF, struct.pack(">I", 0)))
    talk.drain()


@behaviour(*ANY)
def pdu_of_4_gib(talk: Conversation, request: Request) -> None:
    """Begin a P-DATA-TF that says to be 4 GiB long, and send 64 KiB of it."""
    talk.send(pdu(P_DATA_TF, pdv(request.message.context_id, 0, bytes(65536)), length=0xFFFFFFFF))
    talk.drain()


@behaviour(FIND)
def pdu_longer_than_negotiated(talk: Conversation, request: Request) -> None:
    """Send a match in a P-DATA-TF of 1 MiB, more than was negotiated."""
    identifier = match_of(request) + bytes(1 << 20)
    talk.say(request.message.context_id, response_elements(request, PENDING, identifier), identifier, longest=1 << 21)
    talk.final(request)
    talk.drain()


@behaviour(*ANY)
def unknown_pdu_type(talk: Conversation, request: Request) -> None:
    """Send a PDU of a type that does not exist."""
    talk.send(pdu(0x42, b"\0" * 8))
    talk.drain()


@behaviour(*ANY)
def second_acceptance(talk: Conversation, request: Request) -> None:
    """Accept the association again, where a response is due."""
    talk.send(talk.acceptance())
    talk.drain()


@behaviour(*ANY)
def associate_request_in_between(talk: Conversation, request: Request) -> None:
    """Send an A-ASSOCIATE-RQ, where a response is due."""
    body = talk.acceptance()[6:]
    talk.send(pdu(A_ASSOCIATE_RQ, body))
    talk.drain()


@behaviour(FIND)
def identifier_before_command(talk: Conversation, request: Request) -> None:
    """Send an identifier without a command before it."""
    talk.send(data_pdus(request.message.context_id, match_of(request)))
    talk.drain()


@behaviour(FIND)
def identifier_on_another_context(talk: Conversation, request: Request) -> None:
    """Send the command of a match on its context, and the identifier on one that was never proposed."""
    identifier = match_of(request)
    talk.say(request.message.context_id, response_elements(request, PENDING, identifier))
    talk.send(data_pdus(251, identifier))
    talk.drain()


@behaviour(FIND)
def abort_within_identifier(talk: Conversation, request: Request) -> None:
    """Send half an identifier, and abort."""
    talk.say(request.message.context_id, response_elements(request, PENDING, b""))
    talk.send(pdu(P_DATA_TF, pdv(request.message.context_id, 0, match_of(request)[:8])))
    talk.send_abort()
    talk.drain()


@behaviour(*ANY)
def close_within_pdu(talk: Conversation, request: Request) -> None:
    """Close the connection in the middle of a PDU."""
    whole = pdu(P_DATA_TF, pdv(request.message.context_id, COMMAND | LAST, _command(request, SUCCESS)))
    talk.send(whole[: len(whole) // 2])
    talk.half_close()
    talk.drain()


@behaviour(*ANY)
def silence_within_pdu(talk: Conversation, request: Request) -> None:
    """Fall silent in the middle of a PDU."""
    whole = pdu(P_DATA_TF, pdv(request.message.context_id, COMMAND | LAST, _command(request, SUCCESS)))
    talk.send(whole[: len(whole) // 2])
    talk.drain()


@behaviour(*ANY)
def abort_that_is_too_long(talk: Conversation, request: Request) -> None:
    """Send an A-ABORT of 64 bytes."""
    talk.send(pdu(0x07, bytes(64)))
    talk.drain()
