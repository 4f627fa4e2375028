"""A cheap C-FIND SCP, whose matches are prepared beforehand, so that the program that asks is what is measured.

    python bench/replay_find.py PORT MATCHES

Each C-FIND is answered with this number of matches and a final Success, in ready bytes. A match is a PDU with a command set, and
one with an identifier of eleven attributes, as many archives send them. Each match has a UID of its own. No key is looked at. The
SCP serves one association at a time, and answers C-ECHO.
"""

from __future__ import annotations

import socket
import struct
import sys
from collections.abc import Iterator
from contextlib import suppress
from functools import cache

from bench.replay import COMMAND, LAST, RefusedError, read_pdu
from dimse import uids
from dimse.data_set import identifier
from dimse.message import command
from dimse.message.assembly import Assembler, CommandSet
from dimse.settings import Acceptor
from dimse.uids import transfer_syntax
from dimse.upper_layer import negotiation, pdu

MODELS = (uids.StudyRootQueryRetrieveInformationModelFind, uids.PatientRootQueryRetrieveInformationModelFind)
# Matches that are made at a time, and sent in one call.
BLOCK = 10_000
PENDING = 0xFF00
P_DATA, RELEASE = 0x04, 0x05  # PDU types
# Its digits are replaced by the number of the match.
DIGITS = 12
PLACEHOLDER = "2.25.3" + "7" * DIGITS

MATCH = {
    "SpecificCharacterSet": "ISO_IR 100",
    "StudyDate": "20240131",
    "StudyTime": "101500",
    "AccessionNumber": "A0012345",
    "QueryRetrieveLevel": "STUDY",
    "RetrieveAETitle": "REPLAY",
    "ModalitiesInStudy": ["CT", "SR"],
    "StudyDescription": "CT Abdomen with contrast",
    "PatientName": "Müller^Jörg",
    "PatientID": "P0012345",
    "StudyInstanceUID": PLACEHOLDER,
}


def message(context_id: int, response: command.Message, data_set: bytes = b"") -> bytes:
    """Return a message as it is transmitted, in one PDU for each part of it (PS3.8 9.3.5)."""
    parts = [(COMMAND | LAST, command.encode(response)), *([(LAST, data_set)] if data_set else [])]
    heads = [
        struct.pack(">BxLLBB", 0x04, len(value) + 6, len(value) + 2, context_id, control) for control, value in parts
    ]
    return b"".join(head + value for head, (_, value) in zip(heads, parts, strict=True))


@cache
def pending(context_id: int, message_id: int, model: str) -> bytes:
    """Return a match with the placeholder."""
    response = command.CFindRSP(
        affected_sop_class_uid=model, message_id_being_responded_to=message_id, status=PENDING, has_data_set=True
    )
    syntax = transfer_syntax(uids.ImplicitVRLittleEndian)
    assert syntax is not None
    return message(context_id, response, identifier.encode(MATCH, syntax))


@cache
def block(context_id: int, message_id: int, model: str, first: int, count: int) -> bytes:
    """Return matches in sequence, each with the UID of its number."""
    before, after = pending(context_id, message_id, model).split(b"7" * DIGITS)
    return b"".join(b"%b%0*d%b" % (before, DIGITS, number, after) for number in range(first, first + count))


def answer(request: command.Message, context_id: int, matches: int) -> Iterator[bytes]:
    """Yield the bytes that answer a request."""
    if isinstance(request, command.CFindRQ):
        asked = context_id, request.message_id, request.affected_sop_class_uid
        for first in range(0, matches, BLOCK):
            count = min(BLOCK, matches - first)
            # Few matches are kept for the next run; of many, none.
            make = block if matches <= BLOCK else block.__wrapped__
            yield make(*asked, first, count)
    if isinstance(request, command.Request):
        yield message(context_id, command.respond(request, 0x0000))


def serve(connection: socket.socket, matches: int) -> None:
    """Serve one association.

    Raises:
        RefusedError: The peer does not do what is measured.
    """
    kind, body = read_pdu(connection)
    request = pdu.decode(kind, body)
    if not isinstance(request, pdu.AssociateRQ):
        raise RefusedError(repr(request))
    syntaxes = (uids.ImplicitVRLittleEndian,)
    acceptor = Acceptor(contexts=(*MODELS, uids.Verification), transfer_syntaxes=syntaxes)
    answered = negotiation.answer(acceptor, request)
    if isinstance(answered, pdu.AssociateRJ):
        raise RefusedError(repr(answered))
    connection.sendall(pdu.encode(answered[0]))
    for context_id, asked in requests(connection):
        for piece in answer(asked, context_id, matches):
            connection.sendall(piece)
    connection.sendall(pdu.encode(pdu.ReleaseRP()))


def requests(connection: socket.socket) -> Iterator[tuple[int, command.Message]]:
    """Yield the context ID and the message of each request, when all of it is here, until the release.

    Raises:
        RefusedError: The peer aborts.
    """
    assembler, begun = Assembler(), None
    while True:
        kind, body = read_pdu(connection)
        if kind == RELEASE:
            return
        if kind != P_DATA:
            raise RefusedError(f"PDU type {kind:02X}H")
        while body:
            length, context_id, control = struct.unpack_from(">LBB", body)
            fragment = assembler.feed(context_id, control, body[6 : 4 + length], True)
            body = body[4 + length :]
            if isinstance(fragment, CommandSet) and isinstance(fragment.message, command.Message):
                begun = fragment.message
            if begun is not None and assembler.between_messages:
                yield context_id, begun
                begun = None


def main(port: int, matches: int) -> None:
    """Serve until the process is ended."""
    with socket.create_server(("127.0.0.1", port)) as listener:
        while True:
            connection, _ = listener.accept()
            with connection, suppress(RefusedError, ConnectionError):
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                serve(connection, matches)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
