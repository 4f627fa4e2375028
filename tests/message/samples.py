"""Messages to test with, and their bytes taken apart and put together without our own codec."""

from __future__ import annotations

import struct
from io import BytesIO
from typing import Any

import pytest
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pydicom.filereader import read_dataset

from dimse.message import command
from dimse.message.command import Message, encode
from dimse.message.elements import ELEMENTS

CT_IMAGE_STORAGE = "1.2.840.10008.5.1.4.1.1.2"
VERIFICATION = "1.2.840.10008.1.1"

# PS3.7 9.3 and 10.3, transcribed: name, Command Field, data set, and the mandatory elements besides Command Field and Command Data
# Set Type. (Priority is mandatory too, but a missing one counts as MEDIUM.)
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
    """Return a message with its mandatory fields."""
    mandatory: dict[str, Any] = {field: SAMPLE.get(field, 7) for field in message_class.mandatory}
    return message_class(**mandatory, **fields)


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


Elements = list[tuple[int, bytes]]  # tag, value


def elements_of(message: Message) -> Elements:
    """Return the elements of an encoded message, without the package's own decoder."""
    data, position, elements = encode(message), 0, []
    while position < len(data):
        group, element, length = struct.unpack_from("<HHI", data, position)
        elements.append((group << 16 | element, data[position + 8 : position + 8 + length]))
        position += 8 + length
    return elements


def joined(elements: Elements) -> bytes:
    return b"".join(struct.pack("<HHI", tag >> 16, tag & 0xFFFF, len(value)) + value for tag, value in elements)


def with_value(elements: Elements, tag: int, value: bytes) -> Elements:
    """Return elements with this value of an element, which is inserted if it is missing."""
    return sorted([(other, old) for other, old in elements if other != tag] + [(tag, value)])


def parsed_by_pydicom(data: bytes) -> Dataset:
    return read_dataset(BytesIO(data), is_implicit_VR=True, is_little_endian=True)
