"""The PDUs of association establishment and end: byte vectors from the Standard's tables, round trips, and our mistakes."""

from __future__ import annotations

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dimse.errors import LocalProtocolError, RemoteProtocolError
from dimse.upper_layer import pdu
from dimse.upper_layer.codec import Cursor
from dimse.upper_layer.structure import Structure
from tests.upper_layer.samples import (
    APPLICATION_CONTEXT,
    CONTEXT_AC,
    CONTEXT_RQ,
    CONTEXTS_AC,
    CONTEXTS_RQ,
    EXPLICIT,
    FIXED,
    IMPLICIT,
    MAXIMUM_LENGTH,
    NEGOTIATIONS,
    PDUS,
    RQ,
    SINGLE_ITEMS,
    SUB_ITEMS,
    VECTORS,
    VERIFICATION,
    abstract_syntax,
    ac,
    context_rq,
    decode_ac,
    decode_rq,
    item,
    rq,
    transfer_syntax,
)


@pytest.mark.parametrize(("value", "data"), VECTORS, ids=lambda v: type(v).__name__)
def test_a_pdu_and_its_bytes(value: pdu.PDU, data: bytes) -> None:
    assert pdu.encode(value) == data
    assert pdu.decode(data[0], data[6:]) == value
    assert pdu.decode(data[0], memoryview(bytearray(data))[6:]) == value


@pytest.mark.parametrize("item_type", SUB_ITEMS)
def test_a_user_information_sub_item_alone(item_type: int) -> None:
    value, data = SUB_ITEMS[item_type]
    assert value.encode() == data[4:]
    assert pdu.ITEM_TYPES[item_type].decode(Cursor(data[4:])) == value


def test_the_receive_buffer_is_free_after_decoding_and_after_an_error() -> None:
    buffer = bytearray(RQ)
    pdu.decode(0x01, memoryview(buffer))
    buffer.append(0)
    with pytest.raises(RemoteProtocolError) as caught:
        pdu.decode(0x01, memoryview(buffer))
    # A view of it, held by the error's traceback, would forbid that.
    buffer.clear()
    assert caught.value.__traceback__ is not None


def test_a_presentation_context_and_its_fields() -> None:
    assert pdu.PresentationContextRQ(1, VERIFICATION, (IMPLICIT,)).transfer_syntaxes == (IMPLICIT,)
    assert CONTEXTS_RQ[0].encode() == CONTEXT_RQ[4:]
    assert CONTEXTS_AC[0].encode() == CONTEXT_AC[4:]


def test_the_tables_name_every_type_once() -> None:
    assert sorted(pdu.PDU_TYPES) == [1, 2, 3, 5, 6, 7]
    assert sorted(pdu.ITEM_TYPES) == [0x20, 0x21, *range(0x51, 0x5A)]
    assert set(SUB_ITEMS) == {kind.wire_type for kind in get_args(pdu.UserInformationItem)}


def test_the_dicom_application_context_and_version_1_are_the_default() -> None:
    request = pdu.AssociateRQ("A", "B", CONTEXTS_RQ, ())
    assert (request.application_context, request.protocol_version) == ("1.2.840.10008.3.1.1.1", 1)


def test_reserved_bytes_are_not_tested() -> None:
    body = bytearray(rq())
    for position in (2, 3, *range(36, 68), 69, 94, 98, 99, 100, 102, 123):
        assert body[position] == 0
        body[position] = 0xFF
    assert decode_rq(bytes(body)) == decode_rq(rq())
    assert pdu.decode(0x03, b"\xff\x01\x02\x03") == pdu.AssociateRJ(1, 2, 3)
    assert pdu.decode(0x05, b"\xff\xff\xff\xff") == pdu.ReleaseRQ()
    assert pdu.decode(0x07, b"\xff\xff\x02\x03") == pdu.Abort(2, 3)


def test_items_in_another_order_are_read() -> None:
    body = FIXED + MAXIMUM_LENGTH + CONTEXT_RQ + APPLICATION_CONTEXT
    assert decode_rq(body) == decode_rq(rq())
    context = context_rq(3, transfer_syntax(EXPLICIT.encode()), abstract_syntax(VERIFICATION.encode()))
    assert decode_rq(rq(context)).presentation_contexts[0].abstract_syntax == VERIFICATION


def test_the_maximum_length_may_be_absent() -> None:
    assert decode_rq(rq(user_information=item(0x50, b""))).user_information == ()


def test_what_a_peer_calls_itself_is_data() -> None:
    fixed = b"\x00\x03\x00\x00" + b"../secret/VICTIM" + b"\x1b[31m\\\n\xff`$(id)" + b"  " + bytes(32)
    request = decode_rq(fixed + rq()[68:])
    assert request.protocol_version == 3
    assert request.called_ae_title == "../secret/VICTIM"
    assert request.calling_ae_title == "\x1b[31m\\\n\xff`$(id)"


def test_an_accept_echoes_titles_that_are_none() -> None:
    accept = pdu.AssociateAC("", "\\\n\xff", (), ())
    assert pdu.encode(accept)[10:42] == b" " * 16 + b"\\\n\xff" + b" " * 13
    assert pdu.decode(0x02, pdu.encode(accept)[6:]) == accept


@pytest.mark.parametrize("result", [1, 2, 3, 4, 99])
@pytest.mark.parametrize(
    ("sub_items", "transfer_syntax"),
    [
        (b"", ""),
        (item(0x40, b""), ""),
        (item(0x40, b"\0"), ""),
        (item(0x40, IMPLICIT.encode()), IMPLICIT),
        (item(0x40, b"1.2") * 3, "1.2"),
        (item(0x40, b"1.2") + item(0x40, b"1.3"), ""),
        (item(0x40, b"9" * 65), ""),
        (item(0x40, b"1.2", 400), ""),
        (b"\x40", ""),
    ],
)
def test_the_transfer_syntax_of_a_refused_context_is_not_tested(
    result: int, sub_items: bytes, transfer_syntax: str
) -> None:
    refused = item(0x21, bytes((5, 0, result, 0)) + sub_items)
    contexts = decode_ac(ac(CONTEXT_AC + refused)).presentation_contexts
    assert contexts == (*CONTEXTS_AC, pdu.PresentationContextAC(5, result, transfer_syntax))
    assert decode_ac(pdu.encode(pdu.AssociateAC("A", "B", contexts, ()))[6:]).presentation_contexts == contexts


def test_a_user_identity_does_not_show_its_secrets() -> None:
    shown = repr(pdu.AssociateRQ("A", "B", CONTEXTS_RQ, (pdu.UserIdentityRQ(2, 0, b"user", b"passcode"),)))
    assert "UserIdentityRQ(identity_type=2, positive_response_requested=0)" in shown
    assert "passcode" not in shown
    assert "ticket" not in repr(pdu.UserIdentityAC(b"ticket"))


# --- There and back ---


@given(PDUS)
def test_what_is_encoded_decodes_to_the_same(value: pdu.PDU) -> None:
    data = pdu.encode(value)
    assert data[:2] == bytes((value.wire_type, 0))
    assert int.from_bytes(data[2:6], "big") == len(data) - 6
    decoded = pdu.decode(data[0], data[6:])
    assert decoded == value
    assert pdu.encode(decoded) == data


@given(st.one_of([*SINGLE_ITEMS, *NEGOTIATIONS]))
def test_each_item_decodes_to_the_same(value: Structure) -> None:
    assert pdu.ITEM_TYPES[value.wire_type].decode(Cursor(value.encode())) == value


# --- What we may not say ourselves ---


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (pdu.AssociateRQ("", "B", CONTEXTS_RQ, ()), "AssociateRQ: AE title '' is blank"),
        (pdu.AssociateRQ("A", "B" * 17, CONTEXTS_RQ, ()), "more than 16 characters"),
        (pdu.AssociateRQ("A\\B", "B", CONTEXTS_RQ, ()), "backslash"),
        (pdu.AssociateRQ("A", "B\0", CONTEXTS_RQ, ()), "control"),
        (pdu.AssociateRQ("A", "B", (), ()), "0 items of type 20H, not 1 to 256"),
        (pdu.AssociateRQ("A", "B", CONTEXTS_RQ * 257, ()), "257 items of type 20H"),
        (pdu.AssociateRQ("A", "B", CONTEXTS_RQ, (), application_context=""), "UID of 0"),
        (pdu.AssociateRQ("A", "B", CONTEXTS_RQ, (), protocol_version=65536), "65536 is no"),
        (
            pdu.AssociateRQ("A", "B", (pdu.PresentationContextRQ(2, "1", ("1",)),), ()),
            "2 is not a presentation context ID",
        ),
        (pdu.AssociateRQ("A", "B", (pdu.PresentationContextRQ(257, "1", ("1",)),), ()), "257 is not a"),
        (pdu.AssociateRQ("A", "B", (pdu.PresentationContextRQ(1, "", ("1",)),), ()), "UID of 0"),
        (pdu.AssociateRQ("A", "B", (pdu.PresentationContextRQ(1, "1" * 65, ("1",)),), ()), "UID of 65"),
        (pdu.AssociateRQ("A", "B", (pdu.PresentationContextRQ(1, "1", ()),), ()), "0 items of type 40H"),
        (pdu.AssociateRQ("A", "B", (pdu.PresentationContextRQ(1, "1", ("1",) * 65),), ()), "65 items of type 40H"),
        (pdu.AssociateRQ("A", "B", CONTEXTS_RQ, (pdu.MaximumLength(1),) * 2), "2 items of type 51H"),
        (pdu.AssociateRQ("A", "B", CONTEXTS_RQ, (pdu.MaximumLength(2**32),)), "MaximumLength: 4294967296 is no"),
        (pdu.AssociateRQ("A", "B", CONTEXTS_RQ, (pdu.RoleSelection("1", 0, 1),) * 129), "129 items of type 54H"),
        (pdu.AssociateRQ("A", "B", CONTEXTS_RQ, (pdu.ImplementationVersionName("1" * 17),)), "of 17 characters"),
        (pdu.AssociateRQ("A", "B", CONTEXTS_RQ, (pdu.ImplementationVersionName(""),)), "of 0 characters"),
        (pdu.AssociateRQ("A", "B", CONTEXTS_RQ, (pdu.UserIdentityRQ(1, 0, bytes(65536)),)), "65536 is no"),
        (pdu.AssociateRQ("A", "B", CONTEXTS_RQ, (pdu.UserIdentityAC(bytes(65534)),)), "65536 is no"),
        (
            pdu.AssociateRQ(
                "A", "B", CONTEXTS_RQ, (pdu.UserIdentityRQ(1, 0, bytes(65000)), pdu.UserIdentityAC(bytes(600)))
            ),
            "is not an unsigned integer of 2 bytes",
        ),
        (pdu.AssociateAC("A" * 17, "B", CONTEXTS_AC, ()), "more than 16 characters"),
        (pdu.AssociateAC("A", "B", (pdu.PresentationContextAC(1, 0, ""),), ()), "accepted without one transfer syntax"),
        (pdu.AssociateAC("A", "B", (pdu.PresentationContextAC(0, 0, "1"),), ()), "0 is not a presentation context ID"),
        (pdu.AssociateAC("A", "B", (pdu.PresentationContextAC(1, 256, "1"),), ()), "256 is no"),
        (pdu.AssociateAC("A", "B", CONTEXTS_AC * 257, ()), "257 items of type 21H"),
        (pdu.AssociateRJ(256, 1, 1), "AssociateRJ: 256 is no"),
        (pdu.AssociateRJ(1, -1, 1), "-1 is no"),
        (pdu.Abort(0, 256), "Abort: 256 is no"),
    ],
)
def test_what_has_no_encoding_is_a_local_error(value: pdu.PDU, message: str) -> None:
    with pytest.raises(LocalProtocolError, match=message):
        pdu.encode(value)
