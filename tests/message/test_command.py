"""Command sets against PS3.7's tables: bytes, values, what is forgiven and what is not."""

from __future__ import annotations

import copy
import pickle
import struct
from collections.abc import Callable
from io import BytesIO
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from pydicom._dicom_dict import DicomDictionary
from pydicom.dataset import Dataset
from pydicom.filereader import read_dataset

from dimse.errors import InvalidCommand, RemoteProtocolError
from dimse.message import command
from dimse.message.command import ELEMENTS, MESSAGES, RESPONSES, Message, Request, decode, encode, refusal, respond

CT_IMAGE_STORAGE = "1.2.840.10008.5.1.4.1.1.2"
VERIFICATION = "1.2.840.10008.1.1"

# PS3.7 9.3 and 10.3, transcribed: name, Command Field, whether a data set goes with it, what must be there besides
# Command Field and Command Data Set Type. (Priority is mandatory too: one that is missing is taken as MEDIUM.)
TABLE: list[tuple[type[Message], str, int, str, str]] = [
    (command.CStoreRQ, "C-STORE-RQ", 0x0001, "always", "message_id affected_sop_class_uid affected_sop_instance_uid"),
    (command.CStoreRSP, "C-STORE-RSP", 0x8001, "never", "message_id_being_responded_to status"),
    (command.CGetRQ, "C-GET-RQ", 0x0010, "always", "message_id affected_sop_class_uid"),
    (command.CGetRSP, "C-GET-RSP", 0x8010, "may", "message_id_being_responded_to status"),
    (command.CFindRQ, "C-FIND-RQ", 0x0020, "always", "message_id affected_sop_class_uid"),
    (command.CFindRSP, "C-FIND-RSP", 0x8020, "may", "message_id_being_responded_to status"),
    (command.CMoveRQ, "C-MOVE-RQ", 0x0021, "always", "message_id affected_sop_class_uid move_destination"),
    (command.CMoveRSP, "C-MOVE-RSP", 0x8021, "may", "message_id_being_responded_to status"),
    (command.CEchoRQ, "C-ECHO-RQ", 0x0030, "never", "message_id affected_sop_class_uid"),
    (command.CEchoRSP, "C-ECHO-RSP", 0x8030, "never", "message_id_being_responded_to status"),
    (command.CCancelRQ, "C-CANCEL-RQ", 0x0FFF, "never", "message_id_being_responded_to"),
    (
        command.NEventReportRQ,
        "N-EVENT-REPORT-RQ",
        0x0100,
        "may",
        "message_id affected_sop_class_uid affected_sop_instance_uid event_type_id",
    ),
    (command.NEventReportRSP, "N-EVENT-REPORT-RSP", 0x8100, "may", "message_id_being_responded_to status"),
    (command.NGetRQ, "N-GET-RQ", 0x0110, "never", "message_id requested_sop_class_uid requested_sop_instance_uid"),
    (command.NGetRSP, "N-GET-RSP", 0x8110, "may", "message_id_being_responded_to status"),
    (command.NSetRQ, "N-SET-RQ", 0x0120, "always", "message_id requested_sop_class_uid requested_sop_instance_uid"),
    (command.NSetRSP, "N-SET-RSP", 0x8120, "may", "message_id_being_responded_to status"),
    (
        command.NActionRQ,
        "N-ACTION-RQ",
        0x0130,
        "may",
        "message_id requested_sop_class_uid requested_sop_instance_uid action_type_id",
    ),
    (command.NActionRSP, "N-ACTION-RSP", 0x8130, "may", "message_id_being_responded_to status"),
    (command.NCreateRQ, "N-CREATE-RQ", 0x0140, "may", "message_id affected_sop_class_uid"),
    (command.NCreateRSP, "N-CREATE-RSP", 0x8140, "may", "message_id_being_responded_to status"),
    (
        command.NDeleteRQ,
        "N-DELETE-RQ",
        0x0150,
        "never",
        "message_id requested_sop_class_uid requested_sop_instance_uid",
    ),
    (command.NDeleteRSP, "N-DELETE-RSP", 0x8150, "never", "message_id_being_responded_to status"),
]
CLASSES = [row[0] for row in TABLE]
every_message = pytest.mark.parametrize("message_class", CLASSES, ids=[row[1] for row in TABLE])

SAMPLE: dict[str, Any] = {
    "affected_sop_class_uid": CT_IMAGE_STORAGE,
    "requested_sop_class_uid": CT_IMAGE_STORAGE,
    "affected_sop_instance_uid": "1.2.3.4",
    "requested_sop_instance_uid": "1.2.3.4",
    "move_destination": "ARCHIVE",
}


def sample(message_class: type[Message], **fields: Any) -> Message:
    """A message with its mandatory fields."""
    mandatory: dict[str, Any] = {field: SAMPLE.get(field, 7) for field in message_class.mandatory}
    return message_class(**mandatory, **fields)


# --- bytes made by hand from the Standard's tables --------------------------------------------------------------------

VECTORS: list[tuple[Message, str]] = [
    (
        command.CEchoRQ(message_id=1, affected_sop_class_uid=VERIFICATION),
        "0000 0000 04000000 38000000"  # Command Group Length: 56
        "0000 0200 12000000 312e322e3834302e31303030382e312e3100"  # 1.2.840.10008.1.1 and one NUL
        "0000 0001 02000000 3000"
        "0000 1001 02000000 0100"
        "0000 0008 02000000 0101",
    ),
    (
        command.CStoreRQ(
            message_id=0x1234,
            priority=command.LOW,
            affected_sop_class_uid="1.2",
            affected_sop_instance_uid="1.2.34",
            move_originator_application_entity_title="MOVER",
            move_originator_message_id=65535,
        ),
        "0000 0000 04000000 5a000000"
        "0000 0200 04000000 312e3200"
        "0000 0001 02000000 0100"
        "0000 1001 02000000 3412"
        "0000 0007 02000000 0200"
        "0000 0008 02000000 0100"
        "0000 0010 06000000 312e322e3334"
        "0000 3010 06000000 4d4f56455220"  # an AE title is padded with a space
        "0000 3110 02000000 ffff",
    ),
    (
        command.CStoreRSP(
            message_id_being_responded_to=7,
            status=0xA700,
            offending_element=(0x00100020, 0x7FE00010),
            error_comment="full",
        ),
        "0000 0000 04000000 44000000"
        "0000 0001 02000000 0180"
        "0000 2001 02000000 0700"
        "0000 0008 02000000 0101"
        "0000 0009 02000000 00a7"
        "0000 0109 08000000 1000 2000 e07f 1000"
        "0000 0209 04000000 66756c6c",
    ),
    (
        command.CMoveRSP(
            message_id_being_responded_to=0,
            status=0xFF00,
            number_of_remaining_suboperations=3,
            number_of_completed_suboperations=2,
            number_of_failed_suboperations=1,
            number_of_warning_suboperations=0,
        ),
        "0000 0000 04000000 50000000"
        "0000 0001 02000000 2180"
        "0000 2001 02000000 0000"
        "0000 0008 02000000 0101"
        "0000 0009 02000000 00ff"
        "0000 2010 02000000 0300"
        "0000 2110 02000000 0200"
        "0000 2210 02000000 0100"
        "0000 2310 02000000 0000",
    ),
    (
        command.CCancelRQ(message_id_being_responded_to=258),
        "0000 0000 04000000 1e0000000000 0001 02000000 ff0f0000 2001 02000000 02010000 0008 02000000 0101",
    ),
    (
        command.NGetRQ(
            message_id=2,
            requested_sop_class_uid="1.2",
            requested_sop_instance_uid="1.3",
            attribute_identifier_list=(0x00080016,),
        ),
        "0000 0000 04000000 42000000"
        "0000 0300 04000000 312e3200"
        "0000 0001 02000000 1001"
        "0000 1001 02000000 0200"
        "0000 0008 02000000 0101"
        "0000 0110 04000000 312e3300"
        "0000 0510 04000000 0800 1600",
    ),
    (
        command.NActionRQ(
            message_id=3,
            requested_sop_class_uid="1.2",
            requested_sop_instance_uid="1.3",
            action_type_id=1,
            has_data_set=True,
        ),
        "0000 0000 04000000 40000000"
        "0000 0300 04000000 312e3200"
        "0000 0001 02000000 3001"
        "0000 1001 02000000 0300"
        "0000 0008 02000000 0100"
        "0000 0110 04000000 312e3300"
        "0000 0810 02000000 0100",
    ),
]


@pytest.mark.parametrize(("message", "expected"), VECTORS, ids=[message.name for message, _ in VECTORS])
def test_a_message_has_the_bytes_of_its_table(message: Message, expected: str) -> None:
    assert encode(message).hex() == expected.replace(" ", "")
    assert decode(bytes.fromhex(expected)) == message
    assert decode(memoryview(bytes.fromhex(expected))) == message


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


def test_the_messages_are_those_of_the_standard() -> None:
    rule = {command.ALWAYS: "always", command.NEVER: "never", command.MAY: "may"}
    declared = [
        (message, message.name, message.command_field, rule[message.data_set], set(message.mandatory))
        for message in sorted(MESSAGES.values(), key=CLASSES.index)
    ]
    assert declared == [(*row[:4], set(row[4].split())) for row in TABLE]


def test_each_request_but_c_cancel_has_its_response() -> None:
    requests = [message for message in CLASSES if message.is_request]
    assert {*RESPONSES, command.CCancelRQ} == {*requests}
    for request, response in RESPONSES.items():
        assert response.command_field == request.command_field | 0x8000
        assert response.name == request.name.replace("RQ", "RSP")
        assert not response.is_request


# --- there and back ---------------------------------------------------------------------------------------------------

NUMBERS = st.integers(0, 0xFFFF)
BY_VR = {
    "US": NUMBERS,
    "UI": st.lists(st.integers(0, 99999), min_size=1, max_size=10).map(lambda numbers: ".".join(map(str, numbers))),
    "AE": st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=16),
    "LO": st.text(st.characters(min_codepoint=0x21, max_codepoint=0xFF), min_size=1, max_size=64),
    "AT": st.lists(st.integers(0, 0xFFFFFFFF), min_size=1, max_size=20).map(tuple),
}


def messages(message_class: type[Message]) -> st.SearchStrategy[Message]:
    rule = message_class.data_set
    values: dict[str, st.SearchStrategy[Any]] = {
        field: (st.booleans() if rule is command.MAY else st.just(rule))
        if field == "has_data_set"
        else BY_VR[ELEMENTS[field][1]]
        for field in sorted(message_class.fields)
    }
    mandatory = {field: value for field, value in values.items() if field in message_class.mandatory}
    optional = {field: value for field, value in values.items() if field not in message_class.mandatory}
    return st.fixed_dictionaries(mandatory, optional=optional).map(lambda fields: message_class(**fields))


any_message = st.sampled_from(CLASSES).flatmap(messages)


def parsed_by_pydicom(data: bytes) -> Dataset:
    return read_dataset(BytesIO(data), is_implicit_VR=True, is_little_endian=True)


@every_message
@settings(max_examples=40)
@given(data=st.data())
def test_what_is_encoded_is_decoded_the_same(message_class: type[Message], data: st.DataObject) -> None:
    message = data.draw(messages(message_class))
    assert decode(encode(message)) == message


@every_message
@settings(max_examples=40)
@given(data=st.data())
def test_pydicom_reads_the_same_elements(message_class: type[Message], data: st.DataObject) -> None:
    message = data.draw(messages(message_class).filter(lambda drawn: "\\" not in repr(drawn)))
    encoded = encode(message)
    elements = parsed_by_pydicom(encoded)
    assert elements[0x00000000].value == len(encoded) - 12
    assert elements[0x00000100].value == message.command_field
    assert (elements[0x00000800].value != 0x0101) is message.has_data_set
    tags = [element.tag for element in elements]
    assert tags == sorted(tags)
    read = {int(element.tag): element.value for element in elements}
    said = {ELEMENTS[field][0]: getattr(message, field) for field in message.fields if field != "has_data_set"}
    for tag, value in said.items():
        if isinstance(value, tuple):
            assert read.pop(tag) == (value[0] if len(value) == 1 else list(value))
        elif value is not None:
            assert read.pop(tag) == value
    assert set(read) == {0x00000000, 0x00000100, 0x00000800}


# --- values -----------------------------------------------------------------------------------------------------------


def test_only_what_can_follow_may_be_said_to_follow() -> None:
    with pytest.raises(ValueError, match="C-STORE-RQ always carries a data set"):
        sample(command.CStoreRQ, has_data_set=False)
    with pytest.raises(ValueError, match="C-ECHO-RSP never carries a data set"):
        sample(command.CEchoRSP, has_data_set=True)
    assert sample(command.CStoreRQ).has_data_set
    assert not sample(command.CStoreRSP).has_data_set
    assert not sample(command.CFindRSP).has_data_set
    assert sample(command.CFindRSP, has_data_set=True).has_data_set


@every_message
def test_a_message_lacks_nothing_and_has_nothing_more(message_class: type[Message]) -> None:
    for field in message_class.mandatory:
        fields: dict[str, Any] = {other: SAMPLE.get(other, 7) for other in message_class.mandatory if other != field}
        with pytest.raises(TypeError, match=f"{message_class.name} lacks {field}"):
            message_class(**fields)
        with pytest.raises(TypeError, match=f"{message_class.name} lacks {field}"):
            message_class(**{**fields, field: None})
    with pytest.raises(TypeError, match=f"{message_class.name} has no patient_name"):
        sample(message_class, patient_name="")


def test_a_message_is_a_value() -> None:
    first = command.CEchoRQ(message_id=1, affected_sop_class_uid=VERIFICATION)
    assert first == command.CEchoRQ(message_id=1, affected_sop_class_uid=VERIFICATION, has_data_set=False)
    assert first != command.CEchoRQ(message_id=2, affected_sop_class_uid=VERIFICATION)
    assert sample(command.CEchoRSP) != sample(command.CStoreRSP)
    assert first != "C-ECHO-RQ"
    assert len({first, copy.copy(first), pickle.loads(pickle.dumps(first))}) == 1
    assert repr(first) == "CEchoRQ(affected_sop_class_uid='1.2.840.10008.1.1', message_id=1)"
    with pytest.raises(AttributeError, match="CEchoRQ is frozen: message_id cannot be set"):
        setattr(first, "message_id", 2)  # noqa: B010
    with pytest.raises(AttributeError, match="CEchoRQ is frozen: message_id cannot be deleted"):
        delattr(first, "message_id")


def test_an_optional_field_that_is_none_is_not_given() -> None:
    assert sample(command.CStoreRSP, error_comment=None) == sample(command.CStoreRSP)
    assert decode(encode(sample(command.CStoreRSP))) == sample(command.CStoreRSP)
    priority = command.CFindRQ(message_id=7, affected_sop_class_uid="1.2").priority
    assert priority == command.MEDIUM == 0


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"affected_sop_class_uid": ""}, "'' is not 1 to 64 characters long"),
        ({"affected_sop_class_uid": "1" * 65}, "is not 1 to 64 characters long"),
        ({"affected_sop_instance_uid": "1.2.\u0663"}, "latin-1"),
        ({"move_originator_application_entity_title": "A" * 17}, "'A{17}' is not 1 to 16 characters long"),
        ({"message_id": 65536}, "cannot be encoded"),
        ({"message_id": -1}, "cannot be encoded"),
        ({"priority": "MEDIUM"}, "cannot be encoded"),
    ],
    ids=["empty UID", "long UID", "foreign UID", "long AE title", "17 bits", "negative", "text"],
)
def test_what_cannot_be_encoded_is_refused(fields: dict[str, Any], reason: str) -> None:
    store: dict[str, Any] = {"message_id": 1, "affected_sop_class_uid": "1.2", "affected_sop_instance_uid": "1.3"}
    with pytest.raises(ValueError, match=reason):
        encode(command.CStoreRQ(**{**store, **fields}))


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

Elements = list[tuple[int, bytes]]  # tag, value


def elements_of(message: Message) -> Elements:
    """The elements of an encoded message, taken apart without its own decoder."""
    data, position, elements = encode(message), 0, []
    while position < len(data):
        group, element, length = struct.unpack_from("<HHI", data, position)
        elements.append((group << 16 | element, data[position + 8 : position + 8 + length]))
        position += 8 + length
    return elements


def joined(elements: Elements) -> bytes:
    return b"".join(struct.pack("<HHI", tag >> 16, tag & 0xFFFF, len(value)) + value for tag, value in elements)


def with_value(elements: Elements, tag: int, value: bytes) -> Elements:
    """With this value of this element, which is put in its place if there is none."""
    return sorted([(other, old) for other, old in elements if other != tag] + [(tag, value)])


TEXTS = {tag for tag, vr in ELEMENTS.values() if vr in ("UI", "AE", "LO")}
UNUSED = {0x00000600, 0x00001030, 0x00001031}  # neither mandatory nor given in what is tested

FORGIVEN: dict[str, Callable[[Elements], Elements]] = {
    "no group length": lambda elements: elements[1:],
    "group length wrong": lambda elements: [(0, b"\xff\xff\xff\xff"), *elements[1:]],
    "order reversed": lambda elements: elements[::-1],
    "unknown elements": lambda elements: [*elements, (0x00004321, b"odd"), (0x0000FFFF, b"")],
    "retired elements": lambda elements: [(0x00000001, b"\0\0\0\0"), *elements, (0x00005010, b"SCHEME")],
    "64 elements": lambda elements: elements + [(0x6000 + number, b"") for number in range(64 - len(elements))],
    "no padding": lambda elements: [(tag, value.rstrip(b"\0 ") if tag in TEXTS else value) for tag, value in elements],
    "padding of the other kind": lambda elements: [
        (tag, value.rstrip(b"\0 ") + b" \0" if tag in TEXTS else value) for tag, value in elements
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


def test_text_is_data() -> None:
    message = decode(joined(with_value(elements_of(sample(command.CEchoRQ)), 0x00000002, b"../\xff\n\x1b")))
    assert isinstance(message, command.CEchoRQ)
    assert message.affected_sop_class_uid == "../\xff\n\x1b"


@pytest.mark.parametrize("length", [64, 65])
def test_a_uid_of_64_characters_is_whole_with_and_without_padding(length: int) -> None:
    message = decode(joined(with_value(elements_of(sample(command.CEchoRQ)), 2, (b"1" * 64 + b"\0")[:length])))
    assert isinstance(message, command.CEchoRQ)
    assert message.affected_sop_class_uid == "1" * 64


# --- what is not: 23 messages, 40 defects -----------------------------------------------------------------------------

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
    "element of a data set": (BROKEN, lambda elements: joined([*elements, (0x00080018, b"1.2 ")])),
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
    "UID with much padding": (MISTYPED, lambda elements: joined(with_value(elements, 0x00001000, b"1" + bytes(65)))),
    "AE title of 18 bytes": (MISTYPED, lambda elements: joined(with_value(elements, 0x00000600, b"A" * 18))),
    "tag of 6 bytes": (MISTYPED, lambda elements: joined(with_value(elements, 0x00000901, bytes(6)))),
    "status of 4 bytes": (MISTYPED, lambda elements: joined(with_value(elements, 0x00000900, bytes(4)))),
}


@every_message
@pytest.mark.parametrize("defect", DEFECTS)
def test_each_defect_has_its_documented_error(message_class: type[Message], defect: str) -> None:
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


# --- answers ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("request_class", RESPONSES, ids=lambda request_class: request_class.name)
def test_a_response_repeats_what_it_answers(request_class: type[Request]) -> None:
    request = sample(request_class)
    assert isinstance(request, Request)
    response = respond(request, 0x0110, error_comment="no")
    assert type(response) is RESPONSES[request_class]
    assert (response.message_id_being_responded_to, response.status, response.error_comment) == (7, 0x0110, "no")
    assert response.affected_sop_class_uid == CT_IMAGE_STORAGE
    has_instance = any(field.endswith("instance_uid") for field in request_class.mandatory)
    assert response.affected_sop_instance_uid == ("1.2.3.4" if has_instance else None)
    assert decode(encode(response)) == response


def test_a_response_may_say_more_and_otherwise() -> None:
    request = command.NCreateRQ(message_id=9, affected_sop_class_uid="1.2")
    response = respond(request, 0, affected_sop_instance_uid="1.2.9", has_data_set=True)
    assert response == command.NCreateRSP(
        message_id_being_responded_to=9,
        status=0,
        affected_sop_class_uid="1.2",
        affected_sop_instance_uid="1.2.9",
        has_data_set=True,
    )
    with pytest.raises(TypeError, match="N-CREATE-RSP has no priority"):
        respond(request, 0, priority=1)


def invalid(elements: Elements) -> InvalidCommand:
    with pytest.raises(InvalidCommand) as caught:
        decode(joined(elements))
    return caught.value


def test_a_mistyped_request_is_answered_with_0212() -> None:
    answer = refusal(invalid(with_value(elements_of(sample(command.CStoreRQ)), 0x00000700, b"\0")))
    assert answer is not None
    assert decode(answer) == command.CStoreRSP(
        message_id_being_responded_to=7,
        status=0x0212,
        affected_sop_class_uid=CT_IMAGE_STORAGE,
        affected_sop_instance_uid="1.2.3.4",
        error_comment="C-STORE-RQ: priority (0000,0700): 1 bytes where 2 are due",
    )


def test_an_unknown_request_is_answered_with_0211() -> None:
    answer = refusal(invalid(with_value(elements_of(sample(command.NGetRQ)), 0x00000100, b"\x77\x77")))
    assert answer is not None
    read = {int(element.tag): element.value for element in parsed_by_pydicom(answer)}
    assert read == {
        0x00000000: len(answer) - 12,
        0x00000002: CT_IMAGE_STORAGE,
        0x00000100: 0xF777,
        0x00000120: 7,
        0x00000800: 0x0101,
        0x00000900: 0x0211,
        0x00000902: "unknown command field 0x7777",
        0x00001000: "1.2.3.4",
    }


@pytest.mark.parametrize(
    "elements",
    [
        with_value(elements_of(sample(command.CStoreRSP)), 0x00000900, b""),
        with_value(elements_of(sample(command.CStoreRQ)), 0x00000110, b"\1"),
        with_value(elements_of(sample(command.CStoreRQ)), 0x00000100, b""),
        with_value(with_value(elements_of(sample(command.CCancelRQ)), 0x00000120, b""), 0x00000110, b"\1\0"),
    ],
    ids=["response", "no message ID", "no command field", "C-CANCEL-RQ"],
)
def test_what_cannot_be_answered_is_not(elements: Elements) -> None:
    assert refusal(invalid(elements)) is None
