"""Behaviours in the identifiers of C-FIND responses: what cannot be read, what is too much, and what is not true."""

from __future__ import annotations

import random

from tests.faulty_peer import P_DATA_TF, pdu, pdv
from tests.interop.evil import stock
from tests.interop.evil.conversation import (
    LONGEST_PDV,
    PENDING,
    Conversation,
    Request,
    match_of,
    response_elements,
)
from tests.interop.evil.registry import FIND, behaviour
from tests.interop.evil.responses import TERMINAL_ESCAPES

CONTENT_SEQUENCE, IMAGE_COMMENTS, PRIVATE = 0x0040A730, 0x00204000, 0x00291010
MEBIBYTE = 1 << 20


def _sends(talk: Conversation, request: Request, identifier: bytes) -> None:
    """Send one match with these bytes for its identifier, and Success."""
    talk.respond_to(request, PENDING, identifier)
    talk.final(request)


def _changed(request: Request, tag: int, vr: str, value: str | bytes) -> bytes:
    return match_of(request, changes={tag: (vr, value)})


# --- what cannot be read ---


@behaviour(FIND)
def identifier_of_no_bytes(talk: Conversation, request: Request) -> None:
    """Send a match whose identifier has no elements."""
    _sends(talk, request, b"")


@behaviour(FIND)
def identifier_of_noise(talk: Conversation, request: Request) -> None:
    """Send a match whose identifier is 4 KiB of noise, the same each time."""
    _sends(talk, request, random.Random(15).randbytes(4096))


@behaviour(FIND)
def identifier_cut_short(talk: Conversation, request: Request) -> None:
    """Send a match whose identifier ends within its last value."""
    _sends(talk, request, match_of(request)[:-2])


@behaviour(FIND)
def value_of_4_gib(talk: Conversation, request: Request) -> None:
    """Send a match with an element that says to be 4 GiB long, and is not."""
    lie = stock.element(PRIVATE, "UN", b"abcd", 0xFFFFFFFE, explicit=request.explicit)
    _sends(talk, request, match_of(request) + lie)


@behaviour(FIND)
def sequence_without_end(talk: Conversation, request: Request) -> None:
    """Send a match with a sequence of undefined length that is never closed."""
    opened = stock.element(CONTENT_SEQUENCE, "SQ", b"", stock.UNDEFINED, explicit=request.explicit)
    _sends(talk, request, match_of(request) + opened)


@behaviour(FIND)
def big_endian_identifier(talk: Conversation, request: Request) -> None:
    """Send a match in Explicit VR Big Endian, which was not negotiated."""
    _sends(talk, request, b"\x00\x08\x00\x52CS\x00\x06STUDY \x00\x20\x00\x0dUI\x00\x061.2.3\0")


@behaviour(FIND)
def identifier_in_the_other_vr(talk: Conversation, request: Request) -> None:
    """Send a match in Explicit VR where Implicit VR was negotiated, or the other way round."""
    values = [(stock.LEVEL, "CS", request.level), (stock.STUDY_UID, "UI", stock.STUDY)]
    _sends(talk, request, stock.encode(values, explicit=not request.explicit))


@behaviour(FIND)
def command_and_file_elements(talk: Conversation, request: Request) -> None:
    """Send a match that holds elements of groups 0000H and 0002H."""
    head: list[stock.Attribute] = [(0x00000900, "US", b"\x00\x00"), (0x00020010, "UI", "1.2.840.10008.1.2.1")]
    _sends(talk, request, stock.encode(head, explicit=request.explicit) + match_of(request))


@behaviour(FIND)
def elements_out_of_order(talk: Conversation, request: Request) -> None:
    """Send a match whose elements come in descending order of tags, one of them twice."""
    values: list[stock.Attribute] = [
        (stock.STUDY_UID, "UI", stock.STUDY),
        (stock.PATIENT_ID, "LO", "P1"),
        (stock.PATIENT_ID, "LO", "P2"),
        (stock.LEVEL, "CS", request.level),
    ]
    _sends(talk, request, stock.encode(values, explicit=request.explicit))


@behaviour(FIND)
def group_length_that_lies(talk: Conversation, request: Request) -> None:
    """Send a match with a group length element that says 4 GiB."""
    lie = stock.element(0x00080000, "UL", b"\xff\xff\xff\xff", explicit=request.explicit)
    _sends(talk, request, lie + match_of(request))


# --- what is too much ---


def _nested(depth: int, explicit: bool) -> bytes:
    """Return sequences of undefined length within each other, closed properly."""
    opening = stock.element(CONTENT_SEQUENCE, "SQ", b"", stock.UNDEFINED, explicit=explicit)
    opening += b"\xfe\xff\x00\xe0\xff\xff\xff\xff"
    closing = b"\xfe\xff\x0d\xe0\0\0\0\0\xfe\xff\xdd\xe0\0\0\0\0"
    return opening * depth + closing * depth


@behaviour(FIND)
def nested_1000_deep(talk: Conversation, request: Request) -> None:
    """Send a match with a thousand sequences within each other."""
    _sends(talk, request, match_of(request) + _nested(1000, request.explicit))


@behaviour(FIND)
def nested_50000_deep(talk: Conversation, request: Request) -> None:
    """Send a match with fifty thousand sequences within each other, below 4 MiB in all."""
    _sends(talk, request, match_of(request) + _nested(50_000, request.explicit))


@behaviour(FIND)
def elements_by_the_hundred_thousand(talk: Conversation, request: Request) -> None:
    """Send a match with a hundred thousand private elements without a value."""
    tags = (group << 16 | number for group in (0x0029, 0x002B) for number in range(0x1000, 0x1000 + 50_000))
    elements = (stock.element(tag, "LO", b"", explicit=request.explicit) for tag in tags)
    _sends(talk, request, match_of(request) + b"".join(elements))


@behaviour(FIND)
def items_by_the_hundred_thousand(talk: Conversation, request: Request) -> None:
    """Send a match with a sequence of a hundred thousand empty items."""
    empty = b"\xfe\xff\x00\xe0\0\0\0\0" * 100_000
    _sends(talk, request, match_of(request) + stock.element(CONTENT_SEQUENCE, "SQ", empty, explicit=request.explicit))


@behaviour(FIND)
def identifier_of_16_mib(talk: Conversation, request: Request) -> None:
    """Send a match with one value of 16 MiB, four times what may be."""
    value = stock.element(PRIVATE, "UN", bytes(16 * MEBIBYTE), explicit=request.explicit)
    _sends(talk, request, match_of(request) + value)


@behaviour(FIND)
def identifier_without_end(talk: Conversation, request: Request) -> None:
    """Send fragments of one identifier for ever, none of which is the last."""
    talk.say(request.message.context_id, response_elements(request, PENDING, b""))
    fragment = pdu(P_DATA_TF, pdv(request.message.context_id, 0, bytes(LONGEST_PDV)))
    while True:
        talk.send(fragment)


@behaviour(FIND)
def identifier_one_fragment_a_second(talk: Conversation, request: Request) -> None:
    """Send two bytes of one identifier each second, for ever."""
    talk.say(request.message.context_id, response_elements(request, PENDING, b""))
    while True:
        talk.send(pdu(P_DATA_TF, pdv(request.message.context_id, 0, b"\x08\x00")))
        talk.stall(1.0)
        talk.take_input()


@behaviour(FIND)
def value_with_a_million_values(talk: Conversation, request: Request) -> None:
    """Send a match with one text of a million values, 2 MB in all."""
    values = stock.element(IMAGE_COMMENTS, "UT", b"\\".join([b"x"] * 1_000_000) + b" ", explicit=request.explicit)
    _sends(talk, request, match_of(request) + values)


# --- what is not true ---


def _lie(name: str, says: str, tag: int, vr: str, value: str | bytes) -> None:
    """Enter a behaviour that sends one match with one value of its own choice."""

    def act(talk: Conversation, request: Request) -> None:
        _sends(talk, request, _changed(request, tag, vr, value))

    act.__name__, act.__doc__ = name, says
    behaviour(FIND)(act)


_lie(
    "match_of_another_patient",
    "Send a match that contradicts the Patient ID asked for.",
    stock.PATIENT_ID,
    "LO",
    "OTHER",
)
_lie(
    "match_of_another_study",
    "Send a match that contradicts the study asked for.",
    stock.STUDY_UID,
    "UI",
    stock.FOREIGN_STUDY,
)
_lie("match_of_another_level", "Send a match that names a level which was not asked for.", stock.LEVEL, "CS", "FRAME")
_lie("match_with_traversal_uid", "Send a match whose UID is a path.", stock.STUDY_UID, "UI", "../../../../tmp/evil")
_lie("match_with_empty_uid", "Send a match without the unique key of its level.", stock.STUDY_UID, "UI", "")
_lie(
    "match_with_uid_of_1000_characters", "Send a match whose UID is too long.", stock.STUDY_UID, "UI", "1." * 500 + "1"
)
_lie(
    "match_with_escapes",
    "Send a match whose name holds escapes of a terminal.",
    stock.PATIENT_NAME,
    "PN",
    TERMINAL_ESCAPES,
)
_lie(
    "match_with_formula",
    "Send a match whose name is a formula of a spreadsheet.",
    stock.PATIENT_NAME,
    "PN",
    "=cmd|' /C calc'!A0",
)
_lie(
    "match_with_unknown_charset",
    "Send a match in a character set that does not exist.",
    stock.CHARACTER_SET,
    "CS",
    "ISO_IR 999",
)
_lie("match_with_malformed_count", "Send a match whose count is not a number.", stock.INSTANCE_COUNT, "IS", "many")
_lie("match_with_huge_count", "Send a match whose count no study has.", stock.INSTANCE_COUNT, "IS", "999999999999")


@behaviour(FIND)
def match_with_broken_utf_8(talk: Conversation, request: Request) -> None:
    """Send a match that says UTF-8 and holds bytes that are not."""
    changes: dict[int, tuple[str, str | bytes]] = {
        stock.CHARACTER_SET: ("CS", "ISO_IR 192"),
        stock.PATIENT_NAME: ("PN", b"M\xfcller\xff\xfe"),
    }
    _sends(talk, request, match_of(request, changes=changes))


@behaviour(FIND)
def same_match_a_thousand_times(talk: Conversation, request: Request) -> None:
    """Send the same match a thousand times, and Success."""
    for _ in range(1000):
        talk.pending(request)
    talk.final(request)


@behaviour(FIND)
def keys_not_asked_for(talk: Conversation, request: Request) -> None:
    """Send a match with elements that were not requested, private ones and pixel data among them."""
    more: list[stock.Attribute] = [
        (0x00290010, "LO", "ACME"),
        (PRIVATE, "UN", b"\0" * 64),
        (stock.PIXEL_DATA, "OW", b"\0" * 64),
    ]
    _sends(talk, request, match_of(request) + stock.encode(more, explicit=request.explicit))


@behaviour(FIND)
def no_keys_at_all(talk: Conversation, request: Request) -> None:
    """Send a match with the level and nothing that was asked for."""
    _sends(talk, request, stock.encode([(stock.LEVEL, "CS", request.level)], explicit=request.explicit))
