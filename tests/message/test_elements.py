"""Command elements as peers send them: what is forgiven and what is not."""

from __future__ import annotations

import struct
from collections.abc import Callable

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from pydicom._dicom_dict import DicomDictionary

from dimse.errors import InvalidCommand, RemoteProtocolError
from dimse.message import command
from dimse.message.command import Message, decode, encode
from dimse.message.elements import ELEMENTS
from tests.message.samples import CLASSES, Elements, any_message, elements_of, every_message, joined, sample, with_value


def test_the_elements_are_those_of_the_data_dictionary() -> None:
    def snake_case(keyword: str) -> str:
        for acronym in ("SOP", "UID", "ID"):
            keyword = keyword.replace(acronym, acronym.title())
        return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in keyword)[1:]

    dictionary = {
        snake_case(keyword): (tag, vr)
        for tag, (vr, _, _, retired, keyword) in DicomDictionary.items()
        if tag >> 16 == 0 and not retired
    }
    assert dictionary == ELEMENTS


@pytest.mark.parametrize(
    ("comment", "read"),
    [("x" * 65, "x" * 64), ("x" * 63, "x" * 63), ("Größe \u4e00", "Größe ?"), ("", None)],
    ids=["too long", "odd", "foreign", "empty"],
)
def test_a_comment_never_costs_its_response(comment: str, read: str | None) -> None:
    message = decode(encode(sample(command.CStoreRSP, error_comment=comment)))
    assert isinstance(message, command.CStoreRSP)
    assert message.error_comment == read


# --- what is forgiven -------------------------------------------------------------------------------------------------

TEXTS = {tag for tag, vr in ELEMENTS.values() if vr in ("UI", "AE", "LO")}
# Neither mandatory nor given in what is tested.
UNUSED = {0x00000600, 0x00001030, 0x00001031}

FORGIVEN: dict[str, Callable[[Elements], Elements]] = {
    "no group length": lambda elements: elements[1:],
    "group length wrong": lambda elements: [(0, b"\xff\xff\xff\xff"), *elements[1:]],
    "order reversed": lambda elements: elements[::-1],
    "unknown elements": lambda elements: [*elements, (0x00004321, b"odd"), (0x0000FFFF, b"")],
    "retired elements": lambda elements: [(0x00000001, b"\0\0\0\0"), *elements, (0x00005010, b"SCHEME")],
    "elements of a data set behind": lambda elements: [*elements, (0x00080000, bytes(4)), (0x00080058, b"1.2 ")],
    "64 elements": lambda elements: elements + [(0x6000 + number, b"") for number in range(64 - len(elements))],
    "no padding": lambda elements: [(tag, value.rstrip(b"\0 ") if tag in TEXTS else value) for tag, value in elements],
    "padding of the other kind": lambda elements: [
        (tag, value.rstrip(b"\0 ") + b" \0" if tag in TEXTS else value) for tag, value in elements
    ],
    "much padding": lambda elements: [
        (tag, b" " + value.rstrip(b"\0 ") + b" \0" * 40 if tag in TEXTS else value) for tag, value in elements
    ],
    "empty optional elements": lambda elements: [*elements, *((tag, b"") for tag in UNUSED)],
    "blank optional texts": lambda elements: [*elements, *((tag, b"  ") for tag in UNUSED if tag in TEXTS)],
    "another message's element": lambda elements: with_value(elements, 0x00000903, b"\1\0"),
    "data set type": lambda elements: [
        (tag, b"\2\1" if tag == 0x0800 and value != b"\1\1" else value) for tag, value in elements
    ],
}


@pytest.mark.parametrize("sloppiness", FORGIVEN)
@pytest.mark.parametrize(
    "message",
    [sample(command.CEchoRQ), sample(command.CStoreRQ), sample(command.NGetRQ), sample(command.NSetRQ)],
    ids=lambda message: message.name,
)
def test_harmless_sloppiness_is_forgiven(message: Message, sloppiness: str) -> None:
    assert decode(joined(FORGIVEN[sloppiness](elements_of(message)))) == message


def test_a_missing_priority_is_medium() -> None:
    elements = [element for element in elements_of(sample(command.CStoreRQ)) if element[0] != 0x00000700]
    assert decode(joined(elements)) == sample(command.CStoreRQ)


def test_a_long_comment_of_a_peer_is_kept() -> None:
    message = decode(joined(with_value(elements_of(sample(command.CEchoRSP)), 0x00000902, b"why " * 100)))
    assert isinstance(message, command.CEchoRSP)
    assert message.error_comment == ("why " * 100).rstrip()


@pytest.mark.parametrize("padding", [b"", b" ", b" " * 6, b" " * 48, b"\0" * 50, b" \0" * 500])
@pytest.mark.parametrize("title", ["A", "SIXTEENCHARACTER"])
def test_the_title_of_a_move_originator_has_any_number_of_blanks(title: str, padding: bytes) -> None:
    """Some archives pad a title to more than 16 characters; the padding does not count."""
    elements = with_value(elements_of(sample(command.CStoreRQ)), 0x00001030, title.encode() + padding)
    message = decode(joined(elements))
    assert isinstance(message, command.CStoreRQ)
    assert message.move_originator_application_entity_title == title


def test_text_is_data() -> None:
    message = decode(joined(with_value(elements_of(sample(command.CEchoRQ)), 0x00000002, b"../\xff\n\x1b")))
    assert isinstance(message, command.CEchoRQ)
    assert message.affected_sop_class_uid == "../\xff\n\x1b"


@pytest.mark.parametrize("length", [64, 65])
def test_a_uid_of_64_characters_is_whole_with_and_without_padding(length: int) -> None:
    message = decode(joined(with_value(elements_of(sample(command.CEchoRQ)), 2, (b"1" * 64 + b"\0")[:length])))
    assert isinstance(message, command.CEchoRQ)
    assert message.affected_sop_class_uid == "1" * 64


# --- what is not: 23 messages, 44 defects -----------------------------------------------------------------------------

BROKEN, UNKNOWN, MISTYPED = 0, 0x0211, 0x0212  # RemoteProtocolError; InvalidCommand with this status


def first_mandatory(elements: Elements) -> int:
    """Message ID, or Message ID Being Responded To."""
    return next(tag for tag, _ in elements if tag in (0x00000110, 0x00000120))


def without(elements: Elements, tag: int) -> bytes:
    return joined([element for element in elements if element[0] != tag])


def big_endian(elements: Elements) -> bytes:
    return b"".join(struct.pack(">HHI", 0, tag, len(value)) + value[::-1] for tag, value in elements)


def explicit_vr(elements: Elements) -> bytes:
    vr = {tag: vr.encode() for tag, vr in ELEMENTS.values()}
    return b"".join(struct.pack("<HH2sH", 0, tag, vr[tag], len(value)) + value for tag, value in elements)


DEFECTS: dict[str, tuple[int, Callable[[Elements], bytes]]] = {
    "nothing": (BROKEN, lambda elements: b""),
    "value cut": (BROKEN, lambda elements: joined(elements)[:-1]),
    "header cut": (BROKEN, lambda elements: joined([*elements, (0x0000FFFF, b"")])[:-1]),
    "a byte too many": (BROKEN, lambda elements: joined(elements) + b"\0"),
    "seven bytes too many": (BROKEN, lambda elements: joined(elements) + bytes(7)),
    "undefined length": (BROKEN, lambda elements: joined(elements) + b"\0\0\xff\xff\xff\xff\xff\xff"),
    "value past the end": (BROKEN, lambda elements: joined(elements) + b"\0\0\xff\xff\2\0\0\0\1"),
    "first length wrong": (BROKEN, lambda elements: joined(elements)[:4] + b"\xff" + joined(elements)[5:]),
    "element of a data set first": (BROKEN, lambda elements: joined([(0x00080018, b"1.2 "), *elements])),
    "nothing but a data set": (BROKEN, lambda elements: joined([(0x00080018, b"1.2 ")])),
    "element of a data set between": (
        BROKEN,
        lambda elements: joined([*elements[:-1], (0x00080018, b""), elements[-1]]),
    ),
    "element of a data set cut": (BROKEN, lambda elements: joined([*elements, (0x00080018, b"1.2 ")])[:-1]),
    "element of a data set and a byte": (BROKEN, lambda elements: joined([*elements, (0x00080018, b"1.2 ")]) + b"\0"),
    "element of a file meta": (BROKEN, lambda elements: joined([(0x00020010, b"1.2 "), *elements])),
    "item": (BROKEN, lambda elements: joined([elements[0], (0xFFFEE000, b""), *elements[1:]])),
    "command field twice": (BROKEN, lambda elements: joined([*elements, (0x00000100, b"\x30\0")])),
    "message ID twice": (BROKEN, lambda elements: joined([*elements, (first_mandatory(elements), b"\1\0")])),
    "data set type twice": (BROKEN, lambda elements: joined([*elements, (0x00000800, b"\0\0")])),
    "unknown element twice": (BROKEN, lambda elements: joined([*elements, (0x00004321, b""), (0x00004321, b"")])),
    "65 elements": (BROKEN, lambda elements: joined(elements + [(0x6000 + n, b"") for n in range(65 - len(elements))])),
    "more than 64 KiB": (BROKEN, lambda elements: joined([*elements, (0x0000FFFF, bytes(64 * 1024))])),
    "no data set type": (BROKEN, lambda elements: without(elements, 0x00000800)),
    "data set type empty": (BROKEN, lambda elements: joined(with_value(elements, 0x00000800, b""))),
    "data set type of 1 byte": (BROKEN, lambda elements: joined(with_value(elements, 0x00000800, b"\1"))),
    "data set type of 4 bytes": (BROKEN, lambda elements: joined(with_value(elements, 0x00000800, bytes(4)))),
    "big endian": (BROKEN, big_endian),
    "explicit VR": (BROKEN, explicit_vr),
    "command field 7777": (UNKNOWN, lambda elements: joined(with_value(elements, 0x00000100, b"\x77\x77"))),
    "command field 0": (UNKNOWN, lambda elements: joined(with_value(elements, 0x00000100, b"\0\0"))),
    "response to C-CANCEL": (UNKNOWN, lambda elements: joined(with_value(elements, 0x00000100, b"\xff\x8f"))),
    "no command field": (MISTYPED, lambda elements: without(elements, 0x00000100)),
    "command field empty": (MISTYPED, lambda elements: joined(with_value(elements, 0x00000100, b""))),
    "two command fields": (MISTYPED, lambda elements: joined(with_value(elements, 0x00000100, b"\1\0\1\0"))),
    "no message ID": (MISTYPED, lambda elements: without(elements, first_mandatory(elements))),
    "message ID empty": (MISTYPED, lambda elements: joined(with_value(elements, first_mandatory(elements), b""))),
    "message ID of 1 byte": (MISTYPED, lambda elements: joined(with_value(elements, first_mandatory(elements), b"1"))),
    "two message IDs": (MISTYPED, lambda elements: joined(with_value(elements, first_mandatory(elements), bytes(4)))),
    "group length of 2 bytes": (MISTYPED, lambda elements: joined(with_value(elements, 0x00000000, bytes(2)))),
    "UID of 4000 bytes": (MISTYPED, lambda elements: joined(with_value(elements, 0x00000002, b"1" * 4000))),
    "UID of 65 characters": (MISTYPED, lambda elements: joined(with_value(elements, 0x00001000, b"1" * 65))),
    "UID of 66 characters": (MISTYPED, lambda elements: joined(with_value(elements, 0x00001000, b"1" * 64 + b" 1"))),
    "AE title of 18 bytes": (MISTYPED, lambda elements: joined(with_value(elements, 0x00000600, b"A" * 18))),
    "tag of 6 bytes": (MISTYPED, lambda elements: joined(with_value(elements, 0x00000901, bytes(6)))),
    "status of 4 bytes": (MISTYPED, lambda elements: joined(with_value(elements, 0x00000900, bytes(4)))),
}


@pytest.mark.parametrize("defect", DEFECTS)
def test_each_defect_has_its_documented_error(defect: str) -> None:
    for message_class in CLASSES:
        a_defect_has_its_documented_error(message_class, defect)


def a_defect_has_its_documented_error(message_class: type[Message], defect: str) -> None:
    status, damage = DEFECTS[defect]
    elements = elements_of(sample(message_class))
    with pytest.raises(RemoteProtocolError) as caught:
        decode(damage(elements))
    assert (caught.value.abort_source, caught.value.abort_reason) == (0, 0)
    if status == BROKEN:
        assert not isinstance(caught.value, InvalidCommand)
    else:
        assert isinstance(caught.value, InvalidCommand)
        assert caught.value.status == status
        assert caught.value.elements["has_data_set"] is sample(message_class).has_data_set
        if "message ID" not in defect:
            assert caught.value.elements[first_field(message_class)] == 7


def first_field(message_class: type[Message]) -> str:
    return "message_id" if "message_id" in message_class.fields else "message_id_being_responded_to"


@every_message
def test_each_mandatory_element_is_missed(message_class: type[Message]) -> None:
    for field in message_class.mandatory:
        with pytest.raises(InvalidCommand, match=f"{message_class.name}: no {field}") as caught:
            decode(without(elements_of(sample(message_class)), ELEMENTS[field][0]))
        assert caught.value.status == 0x0212


@every_message
def test_a_data_set_where_none_is_due_and_none_where_one_is(message_class: type[Message]) -> None:
    message = sample(message_class)
    data_set_type = b"\1\1" if message.has_data_set else b"\1\0"
    changed = joined(with_value(elements_of(message), 0x00000800, data_set_type))
    if message_class.data_set is command.MAY:
        assert decode(changed).has_data_set
    else:
        with pytest.raises(
            InvalidCommand, match="no data set" if message.has_data_set else "a data set where"
        ) as caught:
            decode(changed)
        assert caught.value.status == 0x0212
        assert caught.value.elements["has_data_set"] is not message.has_data_set


def test_the_limit_of_64_kib_is_exact() -> None:
    elements = elements_of(sample(command.CEchoRQ))
    room = 64 * 1024 - len(joined(elements)) - 8
    assert decode(joined([*elements, (0x0000FFFF, bytes(room))])) == sample(command.CEchoRQ)
    with pytest.raises(RemoteProtocolError, match="65537 bytes long"):
        decode(joined([*elements, (0x0000FFFF, bytes(room + 1))]))


@given(st.binary(max_size=300))
def test_any_bytes_give_a_message_or_a_documented_error(data: bytes) -> None:
    try:
        decode(data)
    except RemoteProtocolError:
        return


@given(message=any_message, data=st.data())
def test_a_damaged_message_is_a_message_or_a_documented_error(message: Message, data: st.DataObject) -> None:
    damaged = bytearray(encode(message))
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    try:
        read = decode(bytes(damaged))
    except RemoteProtocolError:
        return
    assume(len(getattr(read, "error_comment", None) or "") <= 64)
    assert decode(encode(read)) == read
