"""The 23 messages against PS3.7's tables: their bytes, there and back, their values, and the answers to them."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dimse.errors import InvalidCommand
from dimse.message import command
from dimse.message.command import MESSAGES, RESPONSES, Message, Request, decode, encode, refusal, respond
from dimse.message.elements import ELEMENTS
from tests.message.samples import (
    CLASSES,
    CT_IMAGE_STORAGE,
    SAMPLE,
    TABLE,
    VERIFICATION,
    Elements,
    elements_of,
    every_message,
    joined,
    messages,
    parsed_by_pydicom,
    sample,
    with_value,
)

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
        "0000 3010 06000000 4d4f56455220"  # with a space as padding
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


@every_message
@settings(max_examples=40)
@given(data=st.data())
def test_what_is_encoded_is_decoded_the_same(message_class: type[Message], data: st.DataObject) -> None:
    message = data.draw(messages(message_class))
    assert decode(encode(message)) == message


@pytest.mark.sample("C-STORE-RQ", "C-GET-RSP", "N-ACTION-RQ")
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
    with pytest.raises(AttributeError, match="cannot assign to field 'message_id'"):
        setattr(first, "message_id", 2)  # noqa: B010
    with pytest.raises(AttributeError, match="cannot delete field 'message_id'"):
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


def test_a_request_without_a_sop_class_is_answered_without_one() -> None:
    answer = refusal(invalid([element for element in elements_of(sample(command.CEchoRQ)) if element[0] != 0x00000002]))
    assert answer is not None
    assert decode(answer) == command.CEchoRSP(
        message_id_being_responded_to=7, status=0x0212, error_comment="C-ECHO-RQ: no affected_sop_class_uid"
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
