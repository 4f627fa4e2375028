"""The PDUs of association establishment and end: byte vectors from the Standard's tables, round trips, and hostile input."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from struct import pack
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dimse.errors import LocalProtocolError, RemoteProtocolError
from dimse.upper_layer import pdu
from dimse.upper_layer.codec import Cursor, Structure

VERIFICATION = "1.2.840.10008.1.1"
IMPLICIT = "1.2.840.10008.1.2"
EXPLICIT = "1.2.840.10008.1.2.1"

# ---------------------------------------------------------------------------------------------------------------------
# Bytes by hand, from the field tables of PS3.8 9.3 and D.1, and of PS3.7 D.3.3.


def item(item_type: int, content: bytes, length: int | None = None) -> bytes:
    return pack(">BxH", item_type, len(content) if length is None else length) + content


def prefixed(content: str) -> bytes:
    return pack(">H", len(content)) + content.encode()


FIXED = b"\x00\x01\x00\x00" + b"ANY-SCP         " + b"ECHOSCU         " + bytes(32)
APPLICATION_CONTEXT = b"\x10\x00\x00\x151.2.840.10008.3.1.1.1"
CONTEXT_RQ = (
    b"\x20\x00\x00\x45\x03\x00\x00\x00"
    b"\x30\x00\x00\x111.2.840.10008.1.1"
    b"\x40\x00\x00\x131.2.840.10008.1.2.1"
    b"\x40\x00\x00\x111.2.840.10008.1.2"
)
CONTEXT_AC = b"\x21\x00\x00\x19\x03\x00\x00\x00\x40\x00\x00\x111.2.840.10008.1.2"
SUB_ITEMS: dict[int, tuple[pdu.UserInformationItem, bytes]] = {
    0x51: (pdu.MaximumLength(16384), b"\x51\x00\x00\x04\x00\x00\x40\x00"),
    0x52: (pdu.ImplementationClassUID("1.2.3"), b"\x52\x00\x00\x051.2.3"),
    0x53: (pdu.AsynchronousOperationsWindow(2, 258), b"\x53\x00\x00\x04\x00\x02\x01\x02"),
    0x54: (pdu.RoleSelection("1.2.4", 0, 1), b"\x54\x00\x00\x09\x00\x051.2.4\x00\x01"),
    0x55: (pdu.ImplementationVersionName("NAME 1"), b"\x55\x00\x00\x06NAME 1"),
    0x56: (pdu.SOPClassExtendedNegotiation("1.2.5", b"\x01\x00\x02"), b"\x56\x00\x00\x0a\x00\x051.2.5\x01\x00\x02"),
    0x57: (
        pdu.SOPClassCommonExtendedNegotiation("1.2.6", "1.2.7", ("1.2.8", "1.2")),
        b"\x57\x00\x00\x1c\x00\x051.2.6\x00\x051.2.7\x00\x0c\x00\x051.2.8\x00\x031.2",
    ),
    0x58: (pdu.UserIdentityRQ(2, 1, b"me", b"secret"), b"\x58\x00\x00\x0e\x02\x01\x00\x02me\x00\x06secret"),
    0x59: (pdu.UserIdentityAC(b"yes"), b"\x59\x00\x00\x05\x00\x03yes"),
}
ONCE_A_SOP_CLASS = {0x54, 0x56, 0x57}

USER_INFORMATION = item(0x50, b"".join(data for _, data in SUB_ITEMS.values()))
MAXIMUM_LENGTH = item(0x50, SUB_ITEMS[0x51][1])
ALL_ITEMS = tuple(value for value, _ in SUB_ITEMS.values())

RQ = FIXED + APPLICATION_CONTEXT + CONTEXT_RQ + USER_INFORMATION
AC = FIXED + APPLICATION_CONTEXT + CONTEXT_AC + USER_INFORMATION
CONTEXTS_RQ = (pdu.PresentationContextRQ(3, VERIFICATION, (EXPLICIT, IMPLICIT)),)
CONTEXTS_AC = (pdu.PresentationContextAC(3, 0, IMPLICIT),)

VECTORS: list[tuple[pdu.PDU, bytes]] = [
    (pdu.AssociateRQ("ANY-SCP", "ECHOSCU", CONTEXTS_RQ, ALL_ITEMS), b"\x01\x00" + pack(">L", len(RQ)) + RQ),
    (pdu.AssociateAC("ANY-SCP", "ECHOSCU", CONTEXTS_AC, ALL_ITEMS), b"\x02\x00" + pack(">L", len(AC)) + AC),
    (pdu.AssociateRJ(result=1, source=2, reason=7), b"\x03\x00\x00\x00\x00\x04\x00\x01\x02\x07"),
    (pdu.ReleaseRQ(), b"\x05\x00\x00\x00\x00\x04\x00\x00\x00\x00"),
    (pdu.ReleaseRP(), b"\x06\x00\x00\x00\x00\x04\x00\x00\x00\x00"),
    (pdu.Abort(source=2, reason=6), b"\x07\x00\x00\x00\x00\x04\x00\x00\x02\x06"),
    (pdu.Abort(), b"\x07\x00\x00\x00\x00\x04\x00\x00\x00\x00"),
]
BODIES = {data[0]: data[6:] for _, data in VECTORS}


def decode_rq(body: bytes) -> pdu.AssociateRQ:
    value = pdu.decode(0x01, body)
    assert isinstance(value, pdu.AssociateRQ)
    return value


def decode_ac(body: bytes) -> pdu.AssociateAC:
    value = pdu.decode(0x02, body)
    assert isinstance(value, pdu.AssociateAC)
    return value


def rq(contexts: bytes = CONTEXT_RQ, user_information: bytes = MAXIMUM_LENGTH) -> bytes:
    return FIXED + APPLICATION_CONTEXT + contexts + user_information


def ac(contexts: bytes) -> bytes:
    return FIXED + APPLICATION_CONTEXT + contexts + MAXIMUM_LENGTH


def context_rq(context_id: int, *sub_items: bytes) -> bytes:
    return item(0x20, bytes((context_id, 0, 0, 0)) + b"".join(sub_items))


def abstract_syntax(uid: bytes) -> bytes:
    return item(0x30, uid)


def transfer_syntax(uid: bytes) -> bytes:
    return item(0x40, uid)


def decodes_or_is_refused(pdu_type: int, body: bytes) -> pdu.PDU | None:
    """The PDU, or None if it is refused as a peer's bytes are; anything else that is raised fails the test."""
    try:
        return pdu.decode(pdu_type, body)
    except RemoteProtocolError as error:
        assert error.abort_source == 2
        return None


# ---------------------------------------------------------------------------------------------------------------------
# What is right.


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
    buffer.clear()  # a view of it, held by the error's traceback, would forbid that
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
        (item(0x40, b"1.2") * 3, ""),
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


# ---------------------------------------------------------------------------------------------------------------------
# Round trips.

U8, U16, U32 = (st.integers(0, 256**size - 1) for size in (1, 2, 4))
LATIN_1 = st.characters(max_codepoint=255)
UIDS = st.one_of(
    st.from_regex(r"[0-2](\.[0-9]{1,9}){1,5}", fullmatch=True), st.text(LATIN_1, min_size=1, max_size=64)
).map(
    lambda text: text[:-1] + "1"  # padding at the end is no part of a UID
)
OPTIONAL_UIDS = st.one_of(st.just(""), UIDS)
AE_TITLES = st.text(
    st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="\\"), min_size=1, max_size=16
)
ECHOED_TITLES = st.text(LATIN_1, max_size=16).map(lambda text: text.rstrip("\0 ").lstrip(" "))
CONTEXT_IDS = st.integers(0, 127).map(lambda n: 2 * n + 1)
OCTETS = st.binary(max_size=300)


def several(element: st.SearchStrategy[str], minimum: int, maximum: int) -> st.SearchStrategy[tuple[str, ...]]:
    return st.lists(element, min_size=minimum, max_size=maximum).map(tuple)


SINGLE_ITEMS: list[st.SearchStrategy[pdu.UserInformationItem]] = [
    st.builds(pdu.MaximumLength, U32),
    st.builds(pdu.ImplementationClassUID, OPTIONAL_UIDS),
    st.builds(pdu.AsynchronousOperationsWindow, U16, U16),
    st.builds(pdu.ImplementationVersionName, UIDS.map(lambda text: text[-16:])),
    st.builds(pdu.UserIdentityRQ, U8, U8, OCTETS, OCTETS),
    st.builds(pdu.UserIdentityAC, OCTETS),
]
NEGOTIATIONS: list[st.SearchStrategy[pdu.UserInformationItem]] = [
    st.builds(pdu.RoleSelection, UIDS, U8, U8),
    st.builds(pdu.SOPClassExtendedNegotiation, UIDS, OCTETS),
    st.builds(pdu.SOPClassCommonExtendedNegotiation, UIDS, UIDS, several(UIDS, 0, 4)),
]
USER_INFORMATION_ITEMS = st.tuples(
    st.lists(st.one_of(NEGOTIATIONS), max_size=5), st.lists(st.one_of(SINGLE_ITEMS), max_size=6, unique_by=type)
).flatmap(lambda lists: st.permutations([*lists[0], *lists[1]]).map(tuple))
REQUESTS = st.builds(
    pdu.AssociateRQ,
    AE_TITLES,
    AE_TITLES,
    st.lists(st.builds(pdu.PresentationContextRQ, CONTEXT_IDS, UIDS, several(UIDS, 1, 5)), min_size=1, max_size=6).map(
        tuple
    ),
    USER_INFORMATION_ITEMS,
    application_context=UIDS,
    protocol_version=U16,
)
ACCEPTS = st.builds(
    pdu.AssociateAC,
    ECHOED_TITLES,
    ECHOED_TITLES,
    st.lists(
        st.one_of(
            st.builds(pdu.PresentationContextAC, CONTEXT_IDS, st.just(0), UIDS),
            st.builds(pdu.PresentationContextAC, CONTEXT_IDS, st.integers(1, 255), OPTIONAL_UIDS),
        ),
        max_size=6,
    ).map(tuple),
    USER_INFORMATION_ITEMS,
    application_context=UIDS,
    protocol_version=U16,
)
PDUS: st.SearchStrategy[pdu.PDU] = st.one_of(
    REQUESTS,
    ACCEPTS,
    st.builds(pdu.AssociateRJ, U8, U8, U8),
    st.builds(pdu.ReleaseRQ),
    st.builds(pdu.ReleaseRP),
    st.builds(pdu.Abort, U8, U8),
)


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


@given(PDUS, st.data())
def test_a_pdu_with_changed_bytes_decodes_or_is_refused(value: pdu.PDU, data: st.DataObject) -> None:
    body = bytearray(pdu.encode(value)[6:])
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(body)))
        body[start : start + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
    decodes_or_is_refused(value.wire_type, bytes(body))


@given(U8, st.binary(max_size=400))
def test_any_bytes_decode_or_are_refused(pdu_type: int, body: bytes) -> None:
    decodes_or_is_refused(pdu_type, body)
    decodes_or_is_refused(1, FIXED + body)


# ---------------------------------------------------------------------------------------------------------------------
# What is wrong: cut, lengths, unknown items, contexts, sub-items.


@pytest.mark.parametrize("pdu_type", [pdu_type for pdu_type in range(256) if pdu_type not in (1, 2, 3, 5, 6, 7)])
def test_an_unknown_pdu_type_is_an_unrecognised_pdu(pdu_type: int) -> None:
    with pytest.raises(RemoteProtocolError, match=f"PDU type {pdu_type:02X}H") as caught:
        pdu.decode(pdu_type, bytes(4))
    assert (caught.value.abort_source, caught.value.abort_reason) == (2, 1)


@pytest.mark.parametrize("pdu_type", BODIES)
def test_a_pdu_cut_at_any_byte_is_refused(pdu_type: int) -> None:
    body = BODIES[pdu_type]
    for end in range(len(body)):
        assert decodes_or_is_refused(pdu_type, body[:end]) is None, f"cut at {end}"


@pytest.mark.parametrize("pdu_type", [3, 5, 6, 7])
@pytest.mark.parametrize("length", [0, 1, 3, 5, 8, 4096])
def test_a_fixed_pdu_has_4_bytes(pdu_type: int, length: int) -> None:
    with pytest.raises(RemoteProtocolError):
        pdu.decode(pdu_type, bytes(length))


# Where the lengths inside the sub-items above stand, from the start of the sub-item.
INNER_LENGTHS = {0x54: (4,), 0x56: (4,), 0x57: (4, 11, 18, 20, 27), 0x58: (6, 10), 0x59: (4,)}


def length_fields(body: bytes, start: int = 68) -> Iterator[int]:
    """The offsets of all length fields of the whole A-ASSOCIATE-RQ and -AC above."""
    while start < len(body):
        item_type, end = body[start], start + 4 + int.from_bytes(body[start + 2 : start + 4], "big")
        yield start + 2
        yield from (start + offset for offset in INNER_LENGTHS.get(item_type, ()))
        if item_type in (0x20, 0x21, 0x50):
            yield from length_fields(body[:end], start + (4 if item_type == 0x50 else 8))
        start = end


def test_every_length_field_of_the_whole_pdus_is_known() -> None:
    assert (len(list(length_fields(RQ))), len(list(length_fields(AC)))) == (25, 23)


@pytest.mark.parametrize(("pdu_type", "body"), [(1, RQ), (2, AC)], ids=["RQ", "AC"])
def test_a_wrong_length_is_never_read_past_its_end(pdu_type: int, body: bytes) -> None:
    for offset in length_fields(body):
        true = int.from_bytes(body[offset : offset + 2], "big")
        for length in {0, 1, 2, true - 1, true + 1, true + 2, true + 4, 2 * true, 0x100, 0x7FFF, 0x8000, 0xFFFF} - {
            true
        }:
            changed = body[:offset] + pack(">H", length) + body[offset + 2 :]
            value = decodes_or_is_refused(pdu_type, changed)
            if length > len(body):
                assert value is None, f"{length} at {offset}"
            elif value is not None:
                assert pdu.decode(pdu_type, pdu.encode(value)[6:]) == value


@pytest.mark.parametrize("content", [b"", b"\0", b"\x01\x02\x03\x04"])
@pytest.mark.parametrize("item_type", range(256))
def test_items_that_are_not_known_are_skipped_at_each_level(item_type: int, content: bytes) -> None:
    stranger = item(item_type, content)
    context = context_rq(3, *(abstract_syntax(b"1.2"), transfer_syntax(b"1.3"), stranger))
    levels = [
        ({0x10, 0x20, 0x50}, FIXED + stranger + RQ[68:], RQ),
        ({0x30, 0x40}, rq(context), rq(context_rq(3, abstract_syntax(b"1.2"), transfer_syntax(b"1.3")))),
        (
            set(SUB_ITEMS),
            rq(user_information=item(0x50, USER_INFORMATION[4:] + stranger)),
            rq()[:-12] + USER_INFORMATION,
        ),
    ]
    for known, body, without in levels:
        if item_type not in known:
            assert decode_rq(body) == decode_rq(without)
        elif (item_type, content) == (0x40, b"\x01\x02\x03\x04"):
            assert decode_rq(body).presentation_contexts[0].transfer_syntaxes == ("1.3", "\x01\x02\x03\x04")
        else:
            assert decodes_or_is_refused(1, body) is None


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(FIXED + CONTEXT_RQ + MAXIMUM_LENGTH, id="no application context"),
        pytest.param(FIXED + APPLICATION_CONTEXT + MAXIMUM_LENGTH, id="no presentation context"),
        pytest.param(FIXED + APPLICATION_CONTEXT + CONTEXT_RQ, id="no user information"),
        pytest.param(FIXED + APPLICATION_CONTEXT + CONTEXT_AC + MAXIMUM_LENGTH, id="contexts of an AC"),
        pytest.param(FIXED + APPLICATION_CONTEXT * 2 + CONTEXT_RQ + MAXIMUM_LENGTH, id="two application contexts"),
        pytest.param(rq(user_information=MAXIMUM_LENGTH * 2), id="two user informations"),
        pytest.param(FIXED + item(0x10, b"") + CONTEXT_RQ + MAXIMUM_LENGTH, id="empty application context"),
        pytest.param(rq() + b"\0", id="one byte too many"),
        pytest.param(rq() + b"\x99\0\0", id="three bytes too many"),
        pytest.param(FIXED, id="no items"),
    ],
)
def test_a_request_without_its_items_is_refused(body: bytes) -> None:
    assert decodes_or_is_refused(1, body) is None


@pytest.mark.parametrize(
    "body",
    [
        FIXED + CONTEXT_AC + MAXIMUM_LENGTH,
        FIXED + APPLICATION_CONTEXT + CONTEXT_AC,
        ac(item(0x21, b"\x03\0\0\0")),
        ac(item(0x21, b"\x03\0\0\0" + item(0x40, b""))),
        ac(item(0x21, b"\x03\0\0\0" + item(0x40, b"1.2") * 2)),
        ac(item(0x21, b"\x03\0\0\0" + item(0x40, b"1.2", 4))),
        ac(item(0x21, b"\x02\0\0\0" + item(0x40, b"1.2"))),
        ac(item(0x21, b"\x00\0\x01\0")),
        ac(item(0x21, b"\x03\0\x01")),
        ac(CONTEXT_AC * 257),
    ],
)
def test_an_accept_that_cannot_be_is_refused(body: bytes) -> None:
    assert decodes_or_is_refused(2, body) is None


def test_an_accept_that_answers_nothing_is_read() -> None:
    assert decode_ac(ac(CONTEXT_RQ)).presentation_contexts == ()


@pytest.mark.parametrize("context_id", range(256))
def test_a_context_id_is_odd(context_id: int) -> None:
    value = decodes_or_is_refused(1, rq(context_rq(context_id, abstract_syntax(b"1.2"), transfer_syntax(b"1.3"))))
    assert (value is not None) == (context_id % 2 == 1)


@pytest.mark.parametrize("count", [1, 2, 127, 128, 129, 200, 255, 256])
def test_more_contexts_than_there_are_ids_can_be_read_and_told_of(count: int) -> None:
    contexts = decode_rq(rq(CONTEXT_RQ * count)).presentation_contexts
    assert contexts == CONTEXTS_RQ * count


@pytest.mark.parametrize("count", [257, 1000, 1025])
def test_far_too_many_contexts_are_refused(count: int) -> None:
    assert decodes_or_is_refused(1, rq(CONTEXT_RQ * count)) is None


ABSTRACT, TRANSFER = abstract_syntax(b"1.2"), transfer_syntax(b"1.3")


@pytest.mark.parametrize(
    ("sub_items", "allowed"),
    [
        ((ABSTRACT, TRANSFER), True),
        ((TRANSFER,), False),
        ((ABSTRACT,), False),
        ((), False),
        ((ABSTRACT, ABSTRACT, TRANSFER), False),
        ((ABSTRACT, *[TRANSFER] * 64), True),
        ((ABSTRACT, *[TRANSFER] * 65), False),
        ((ABSTRACT, *[TRANSFER] * 1000), False),
        ((ABSTRACT, TRANSFER, b"\0"), False),
    ],
)
def test_a_context_has_one_abstract_syntax_and_1_to_64_transfer_syntaxes(
    sub_items: tuple[bytes, ...], allowed: bool
) -> None:
    assert (decodes_or_is_refused(1, rq(context_rq(1, *sub_items))) is not None) == allowed


@pytest.mark.parametrize(
    ("uid", "text"),
    [
        (b"", None),
        (b"\0", None),
        (b" ", None),
        (b"1", "1"),
        (b"1" * 64, "1" * 64),
        (b"1" * 64 + b"\0", "1" * 64),
        (b"1.2 \0\0", "1.2"),
        (b"1.2" + bytes(60000), "1.2"),
        (b"1" * 65, None),
        (b"1" * 255, None),
        (b"1" * 60000, None),
        (b"../../x\n%s\0\xff.", "../../x\n%s\0\xff."),
    ],
)
def test_a_uid_is_1_to_64_characters_and_padding(uid: bytes, text: str | None) -> None:
    for sub_items in ((abstract_syntax(uid), TRANSFER), (ABSTRACT, transfer_syntax(uid))):
        value = decodes_or_is_refused(1, rq(context_rq(1, *sub_items)))
        if text is None:
            assert value is None
        else:
            assert isinstance(value, pdu.AssociateRQ)
            context = value.presentation_contexts[0]
            assert text in (context.abstract_syntax, *context.transfer_syntaxes)


# Sub-items that can still be read when their content is empty, one byte shorter, or one byte longer (a NUL).
READABLE = {(0x52, "empty"), (0x52, "shorter"), (0x52, "longer"), (0x55, "empty"), (0x55, "shorter"), (0x55, "longer")}
READABLE |= {(0x56, "shorter"), (0x56, "longer"), (0x57, "longer")}


@pytest.mark.parametrize("item_type", SUB_ITEMS)
@pytest.mark.parametrize("change", ["empty", "one byte", "shorter", "longer", "as it is"])
@pytest.mark.parametrize("times", [1, 2, 128, 129, 1000])
def test_a_sub_item_of_any_length_any_number_of_times(item_type: int, change: str, times: int) -> None:
    content = SUB_ITEMS[item_type][1][4:]
    changed = {"empty": b"", "one byte": b"1", "shorter": content[:-1], "longer": content + b"\0", "as it is": content}[
        change
    ]
    readable = (
        change == "as it is" or (item_type, change) in READABLE or (change == "one byte" and item_type in (0x52, 0x55))
    )
    most = 128 if item_type in ONCE_A_SOP_CLASS else 1
    value = decodes_or_is_refused(1, rq(user_information=item(0x50, item(item_type, changed) * times)))
    if readable and times <= most:
        assert isinstance(value, pdu.AssociateRQ)
        assert [read.wire_type for read in value.user_information] == [item_type] * times
    else:
        assert value is None


@pytest.mark.parametrize("item_type", SUB_ITEMS)
@pytest.mark.parametrize("declared", [1, 65535])
def test_a_sub_item_that_declares_more_than_there_is_is_refused(item_type: int, declared: int) -> None:
    data = SUB_ITEMS[item_type][1]
    length = declared if declared == 65535 else len(data) - 4 + declared
    assert decodes_or_is_refused(1, rq(user_information=item(0x50, item(item_type, data[4:], length)))) is None


@pytest.mark.parametrize("identity_type", [0, 1, 2, 3, 4, 5, 6, 255])
def test_a_user_identity_of_any_type_is_read(identity_type: int) -> None:
    sub_item = item(0x58, bytes((identity_type, 255)) + prefixed("u") + prefixed(""))
    identity = decode_rq(rq(user_information=item(0x50, sub_item))).user_information[0]
    assert identity == pdu.UserIdentityRQ(identity_type, 255, b"u")


@pytest.mark.parametrize(
    "content", [b"\1\0\0\2u\0\0", b"\1\0\xff\xffu\0\0", b"\1\0\0\1u\0\1", b"\1\0\0\1u\0", b"\1\0\0\1u\0\0\0"]
)
def test_a_user_identity_whose_lengths_lie_is_refused(content: bytes) -> None:
    assert decodes_or_is_refused(1, rq(user_information=item(0x50, item(0x58, content)))) is None


@pytest.mark.parametrize(("count", "allowed"), [(0, True), (1, True), (64, True), (65, False), (1000, False)])
def test_a_common_extended_negotiation_relates_to_at_most_64_sop_classes(count: int, allowed: bool) -> None:
    related = prefixed("1.2") * count
    sub_item = item(0x57, prefixed("1.3") + prefixed("1.4") + pack(">H", len(related)) + related)
    assert (decodes_or_is_refused(1, rq(user_information=item(0x50, sub_item))) is not None) == allowed


def test_the_sub_item_version_and_later_additions_do_not_matter() -> None:
    content = prefixed("1.3") + prefixed("1.4") + b"\0\0" + b"added in version 1"
    sub_item = b"\x57\x01" + pack(">H", len(content)) + content
    value = decode_rq(rq(user_information=item(0x50, sub_item)))
    assert value.user_information == (pdu.SOPClassCommonExtendedNegotiation("1.3", "1.4", ()),)


def test_a_user_information_has_at_most_1024_sub_items() -> None:
    assert decode_rq(rq(user_information=item(0x50, item(0x99, b"") * 1024))).user_information == ()
    assert decodes_or_is_refused(1, rq(user_information=item(0x50, item(0x99, b"") * 1025))) is None


# ---------------------------------------------------------------------------------------------------------------------
# Memory: what a request takes while it is read, against its size on the wire.


def peak(body: bytes) -> int:
    """The bytes that reading an A-ASSOCIATE-RQ takes at most."""
    decodes_or_is_refused(1, body)  # whatever Python makes once is there now
    tracemalloc.start()
    try:
        decodes_or_is_refused(1, body)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("declared", [0, 65535])
@pytest.mark.parametrize("item_type", [0x00, 0x10, 0x20, 0x30, 0x40, *range(0x50, 0x5A), 0xFF])
def test_16000_tiny_items_do_not_grow_in_memory(item_type: int, declared: int) -> None:
    flood = item(item_type, b"", declared) * 16000
    for body in (
        FIXED + APPLICATION_CONTEXT + flood,
        rq(context_rq(1, ABSTRACT, TRANSFER, flood)),
        rq(user_information=item(0x50, flood)),
    ):
        assert len(body) <= 65535
        assert peak(body) <= len(body) / 2


@pytest.mark.parametrize(("contexts", "transfer_syntaxes"), [(1, 64), (128, 1), (128, 19), (128, 64), (256, 64)])
def test_a_request_takes_no_more_than_eight_times_its_size(contexts: int, transfer_syntaxes: int) -> None:
    proposed = b"".join(
        context_rq(
            2 * n % 256 + 1,
            abstract_syntax(b"1.2.840.10008.5.1.4.1.1.%d" % n),
            *(transfer_syntax(b"1.2.840.10008.1.2.4.%d" % (100 * n + m)) for m in range(transfer_syntaxes)),
        )
        for n in range(contexts)
    )
    body = rq(proposed, USER_INFORMATION)
    assert len(decode_rq(body).presentation_contexts) == contexts
    assert peak(body) <= 8 * len(body)


def test_no_request_takes_more_than_eight_times_the_largest_that_is_let_in() -> None:
    # UIDs of two characters, all different: nothing on the wire takes more memory for its size.
    uids = iter([bytes((first, second)) for first in range(33, 255) for second in range(33, 255)])
    proposed = b"".join(
        context_rq(1, abstract_syntax(next(uids)), *(transfer_syntax(next(uids)) for _ in range(64)))
        for _ in range(256)
    )
    sub_items = b"".join(
        item(
            0x57,
            b"\0\2" + next(uids) + b"\0\2" + next(uids) + b"\1\0" + b"".join(b"\0\2" + next(uids) for _ in range(64)),
        )
        + item(0x54, b"\0\2" + next(uids) + b"\0\1")
        + item(0x56, b"\0\2" + next(uids))
        for _ in range(128)
    )
    body = rq(proposed, item(0x50, sub_items))
    assert len(decode_rq(body).user_information) == 384
    assert peak(body) <= 8 * 256 * 1024


# ---------------------------------------------------------------------------------------------------------------------
# What we may not say ourselves.

CONTEXT = CONTEXTS_RQ[0]


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
        (pdu.AssociateRQ("A", "B", (pdu.PresentationContextRQ(2, "1", ("1",)),), ()), "2 is no odd"),
        (pdu.AssociateRQ("A", "B", (pdu.PresentationContextRQ(257, "1", ("1",)),), ()), "257 is no odd"),
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
            "is no unsigned integer of 2 bytes",
        ),
        (pdu.AssociateAC("A" * 17, "B", CONTEXTS_AC, ()), "more than 16 characters"),
        (pdu.AssociateAC("A", "B", (pdu.PresentationContextAC(1, 0, ""),), ()), "accepted without one transfer syntax"),
        (pdu.AssociateAC("A", "B", (pdu.PresentationContextAC(0, 0, "1"),), ()), "0 is no odd"),
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
