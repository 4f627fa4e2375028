"""Fragments put together: the same result however they are cut, and an end to what is not allowed."""

from __future__ import annotations

import gc
from collections.abc import Iterable, Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dimse.errors import InvalidCommand, RemoteProtocolError
from dimse.message.assembly import DATA_SET_END, DATA_SET_PART, Assembler, CommandSet
from dimse.message.command import CEchoRQ, CFindRSP, CStoreRQ, CStoreRSP, Message, encode

COMMAND, LAST, DATA, DATA_LAST, COMMAND_LAST = 0x01, 0x02, 0x00, 0x02, 0x03

ECHO = CEchoRQ(message_id=1, affected_sop_class_uid="1.2.840.10008.1.1")
STORE = CStoreRQ(message_id=2, affected_sop_class_uid="1.2.3", affected_sop_instance_uid="1.2.3.4")
STORED = CStoreRSP(message_id_being_responded_to=2, status=0)
PENDING = CFindRSP(message_id_being_responded_to=3, status=0xFF00, has_data_set=True)

# The context ID, the message control header, the bytes, and True where the PDV ends.
Piece = tuple[int, int, bytes, bool]


def expecting(message: Message = STORE, context_id: int = 1) -> Assembler:
    """Return an assembler that has taken a command."""
    assembler = Assembler()
    command = assembler.feed(context_id, COMMAND_LAST, encode(message), True)
    assert command == CommandSet(context_id, message, message.has_data_set)
    return assembler


def state(assembler: Assembler) -> tuple[bool, bool]:
    return assembler.expecting_data_set, assembler.between_messages


def test_a_message_without_a_data_set() -> None:
    assembler = expecting(ECHO)
    assert state(assembler) == (False, True)


def test_a_message_with_a_data_set() -> None:
    assembler = expecting(STORE)
    assert state(assembler) == (True, False)
    assert assembler.feed(1, DATA, b"da", True) is DATA_SET_PART
    assert not DATA_SET_PART.last
    assert state(assembler) == (True, False)
    assert assembler.feed(1, DATA_LAST, b"ta", True) is DATA_SET_END
    assert DATA_SET_END.last
    assert state(assembler) == (False, True)


def test_a_data_set_ends_with_the_last_piece_of_its_last_fragment() -> None:
    assembler = expecting(STORE)
    assert assembler.feed(1, DATA_LAST, b"da", False) is DATA_SET_PART
    assert assembler.feed(1, DATA_LAST, b"", True) is DATA_SET_END


def test_an_empty_data_set_is_one() -> None:
    assert expecting(STORE).feed(1, DATA_LAST, b"", True) is DATA_SET_END


def test_a_command_in_fragments() -> None:
    assembler, encoded = Assembler(), encode(ECHO)
    assert assembler.feed(3, COMMAND, encoded[:10], True) is None
    assert state(assembler) == (False, False)
    assert assembler.feed(3, COMMAND_LAST, encoded[10:20], False) is None
    assert assembler.feed(3, COMMAND_LAST, encoded[20:], True) == CommandSet(3, ECHO, False)
    assert state(assembler) == (False, True)


def test_an_empty_last_fragment_ends_a_command() -> None:
    assembler = Assembler()
    assert assembler.feed(3, COMMAND, encode(ECHO), True) is None
    assert assembler.feed(3, COMMAND_LAST, b"", True) == CommandSet(3, ECHO, False)


def test_the_other_bits_of_the_message_control_header_are_not_checked() -> None:
    assembler = Assembler()
    assert assembler.feed(1, 0xFC | COMMAND_LAST, encode(STORE), True) == CommandSet(1, STORE, True)
    assert assembler.feed(1, 0xFC | DATA, b"data", True) is DATA_SET_PART
    assert assembler.feed(1, 0xFC | DATA_LAST, b"data", True) is DATA_SET_END


# --- however it is cut ------------------------------------------------------------------------------------------------

CONVERSATION: list[tuple[int, Message, bytes]] = [
    (1, STORE, bytes(range(256)) * 2),
    (3, ECHO, b""),
    (1, STORED, b""),
    (5, PENDING, b"identifier"),
    (1, STORE, b"x"),
]


def cut(value: bytes, ends: Iterable[int]) -> list[bytes]:
    """Return `value` in pieces that end at these places."""
    places = [0, *sorted({end for end in ends if 0 < end < len(value)}), len(value)]
    return [value[start:end] for start, end in pairwise(places)]


def fragments(kind: int, context_id: int, pdvs: Sequence[Sequence[bytes]]) -> list[Piece]:
    """Return values, each in pieces, as fragments of one command or data set."""
    return [
        (context_id, kind | (LAST if pdv is pdvs[-1] else 0), piece, number == len(pdv) - 1)
        for pdv in pdvs
        for number, piece in enumerate(pdv)
    ]


def heard(pieces: Iterable[Piece]) -> list[tuple[int, Message | InvalidCommand, bytes]]:
    """Return what an assembler makes of the pieces, as a conversation."""
    assembler = Assembler()
    conversation: list[tuple[int, Message | InvalidCommand, bytes]] = []
    data_set = b""
    for context_id, control, data, ends in pieces:
        fragment = assembler.feed(context_id, control, memoryview(data), ends)
        if isinstance(fragment, CommandSet):
            conversation.append((fragment.context_id, fragment.message, b""))
        elif fragment is not None:
            data_set += data
            if fragment.last:
                conversation[-1] = (*conversation[-1][:2], data_set)
                data_set = b""
    assert assembler.between_messages
    return conversation


def test_byte_by_byte_as_whole() -> None:
    pieces: dict[str, list[Piece]] = {"whole": [], "PDVs of a byte": [], "pieces of a byte": []}
    for context_id, message, data_set in CONVERSATION:
        for kind, value in ((COMMAND, encode(message)), (DATA, data_set)):
            octets = cut(value, range(len(value)))
            if value:
                pieces["whole"] += fragments(kind, context_id, [[value]])
                pieces["PDVs of a byte"] += fragments(kind, context_id, [[octet] for octet in octets])
                pieces["pieces of a byte"] += fragments(kind, context_id, [octets])
    for way in pieces.values():
        assert heard(way) == CONVERSATION


@given(st.data())
def test_random_cuts_as_whole(data: st.DataObject) -> None:
    places = st.lists(st.integers(1, 600), max_size=8)
    pieces: list[Piece] = []
    for context_id, message, data_set in CONVERSATION:
        for kind, value in ((COMMAND, encode(message)), (DATA, data_set)):
            pdvs = [cut(pdv, data.draw(places)) for pdv in cut(value, data.draw(places))]
            if value:
                empty = data.draw(st.lists(st.integers(0, len(pdvs)), max_size=3))
                for place in empty:
                    pdvs.insert(place, [b""])
                ended_apart = data.draw(st.lists(st.integers(0, len(pdvs) - 1), max_size=3))
                for place in ended_apart:
                    pdvs[place] = [*pdvs[place], b""]
                pieces += fragments(kind, context_id, [list(pdv) for pdv in pdvs])
    assert heard(pieces) == CONVERSATION


# --- commands that are no message we know -----------------------------------------------------------------------------


def unknown(message: Message) -> bytes:
    """Return `message` with Command Field 7777H, as a command set."""
    encoded = encode(message)
    field = b"\0\0\0\1\2\0\0\0"
    at = encoded.index(field) + len(field)
    return encoded[:at] + b"\x77\x77" + encoded[at + 2 :]


def test_the_data_set_of_an_unknown_command_is_followed() -> None:
    assembler = Assembler()
    command = assembler.feed(1, COMMAND_LAST, unknown(STORE), True)
    assert isinstance(command, CommandSet)
    assert isinstance(command.message, InvalidCommand)
    assert command.message.status == 0x0211
    assert command.message.elements["message_id"] == 2
    assert command.has_data_set
    assert assembler.feed(1, DATA, b"data", True) is DATA_SET_PART
    assert assembler.feed(1, DATA_LAST, b"data", True) is DATA_SET_END
    assert assembler.feed(1, COMMAND_LAST, encode(ECHO), True) == CommandSet(1, ECHO, False)


def test_an_unknown_command_without_a_data_set_is_followed_by_a_command() -> None:
    assembler = Assembler()
    command = assembler.feed(1, COMMAND_LAST, unknown(ECHO), True)
    assert isinstance(command, CommandSet)
    assert isinstance(command.message, InvalidCommand)
    assert not command.has_data_set
    assert assembler.feed(3, COMMAND_LAST, encode(ECHO), True) == CommandSet(3, ECHO, False)


@pytest.mark.parametrize("encoded", [encode(STORE), unknown(STORE)], ids=["message", "no message"])
def test_the_receive_buffer_is_not_held(encoded: bytes) -> None:
    buffer = bytearray(encoded)
    assembler = Assembler()
    gc.disable()
    try:
        with memoryview(buffer) as view:
            command = assembler.feed(1, COMMAND_LAST, view, True)
        # This raises BufferError while any view of it is left.
        buffer += b"more"
    finally:
        gc.enable()
    assert isinstance(command, CommandSet)


# --- what is not allowed ----------------------------------------------------------------------------------------------

ENCODED = encode(ECHO)

NOT_ALLOWED: dict[str, tuple[Assembler, list[Piece], str]] = {
    "command where a data set is due": (
        expecting(STORE),
        [(1, COMMAND_LAST, ENCODED, True)],
        "a command on context 1 where a data set is due on 1",
    ),
    "command inside a data set": (
        expecting(STORE),
        [(1, DATA, b"data", True), (3, COMMAND, ENCODED, False)],
        "a command on context 3 where a data set is due on 1",
    ),
    "data set from nowhere": (
        Assembler(),
        [(1, DATA, b"data", True)],
        "a data set fragment on context 1 where none is due",
    ),
    "data set after its end": (
        expecting(STORE),
        [(1, DATA_LAST, b"data", True), (1, DATA_LAST, b"data", True)],
        "a data set fragment on context 1 where none is due",
    ),
    "data set that was not announced": (
        expecting(ECHO),
        [(1, DATA_LAST, b"data", True)],
        "a data set fragment on context 1 where none is due",
    ),
    "data set inside a command": (
        Assembler(),
        [(1, COMMAND, ENCODED[:20], True), (1, DATA, b"data", True)],
        "a data set fragment on context 1 where none is due",
    ),
    "data set on another context": (
        expecting(STORE),
        [(3, DATA, b"data", True)],
        "a data set fragment on context 3, its command was on 1",
    ),
    "command on two contexts": (
        Assembler(),
        [(1, COMMAND, ENCODED[:20], True), (3, COMMAND_LAST, ENCODED[20:], True)],
        "a command begun on context 1 continues on 3",
    ),
    "command on two contexts, the first empty": (
        Assembler(),
        [(1, COMMAND, b"", True), (3, COMMAND_LAST, ENCODED, True)],
        "a command begun on context 1 continues on 3",
    ),
    "empty command": (Assembler(), [(1, COMMAND_LAST, b"", True)], "an empty command set"),
    "large command": (Assembler(), [(1, COMMAND_LAST, bytes(65537), True)], "a command set of more than 65536 bytes"),
    "large command in pieces": (
        Assembler(),
        [(1, COMMAND, bytes(65536), False), (1, COMMAND, b"\0", True)],
        "a command set of more than 65536 bytes",
    ),
    "broken command": (Assembler(), [(1, COMMAND_LAST, ENCODED[:-1], True)], "cut short"),
    "empty commands": (Assembler(), [(1, COMMAND, b"", True)] * 65, "more than 64 empty PDVs"),
    "empty data": (expecting(STORE), [(1, DATA, b"", True)] * 65, "more than 64 empty PDVs"),
}


@pytest.mark.parametrize("case", NOT_ALLOWED)
def test_what_is_not_allowed_ends_the_association(case: str) -> None:
    assembler, pieces, reason = NOT_ALLOWED[case]
    for piece in pieces[:-1]:
        assembler.feed(*piece)
    with pytest.raises(RemoteProtocolError, match=reason) as caught:
        assembler.feed(*pieces[-1])
    assert (caught.value.abort_source, caught.value.abort_reason) == (0, 0)


def test_empty_pdvs_count_only_one_after_the_other() -> None:
    assembler = expecting(STORE)
    for _ in range(3):
        for _ in range(64):
            assert assembler.feed(1, DATA, b"", True) is DATA_SET_PART
        assert assembler.feed(1, DATA, b"d", False) is DATA_SET_PART
        assert assembler.feed(1, DATA, b"", True) is DATA_SET_PART
    assert assembler.feed(1, DATA_LAST, b"", True) is DATA_SET_END
