"""PDUs of peers that err or attack: whatever the bytes, a PDU comes of them or `RemoteProtocolError`, in bounded memory."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from struct import pack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dimse.errors import LocalProtocolError, RemoteProtocolError
from dimse.upper_layer import pdu
from tests.upper_layer.samples import (
    AC,
    APPLICATION_CONTEXT,
    BODIES,
    CONTEXT_AC,
    CONTEXT_RQ,
    CONTEXTS_RQ,
    FIXED,
    MAXIMUM_LENGTH,
    PDUS,
    RQ,
    SUB_ITEMS,
    U8,
    USER_INFORMATION,
    abstract_syntax,
    ac,
    context_rq,
    decode_ac,
    decode_rq,
    decodes_or_is_refused,
    item,
    prefixed,
    rq,
    transfer_syntax,
)


@given(PDUS, st.data())
def test_a_pdu_with_changed_bytes_decodes_or_is_refused(value: pdu.PDU, data: st.DataObject) -> None:
    body = bytearray(pdu.encode(value)[6:])
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(body)))
        body[start : start + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
    decodes_or_is_refused(value.wire_type, bytes(body))


def reads_back(value: pdu.PDU) -> None:
    """Write what was read and read it again as the same; what was tolerated may be something that we do not write."""
    try:
        again = pdu.encode(value)
    except LocalProtocolError:
        assert isinstance(value, pdu.AssociateRQ | pdu.AssociateAC)
        assert value.oddities or (isinstance(value, pdu.AssociateAC) and "" in syntaxes_of_accepted(value))
    else:
        assert pdu.decode(again[0], again[6:]) == value


def syntaxes_of_accepted(accept: pdu.AssociateAC) -> set[str]:
    return {context.transfer_syntax for context in accept.presentation_contexts if context.result == 0}


@given(U8, st.binary(max_size=400))
def test_any_bytes_decode_or_are_refused(pdu_type: int, body: bytes) -> None:
    decodes_or_is_refused(pdu_type, body)
    decodes_or_is_refused(1, FIXED + body)


# --- Cut, lengths, unknown items, contexts, sub-items ---

# Where an item of the A-ASSOCIATE-AC begins. It may lack every one: its answer then refuses each context.
AC_ITEMS = (len(FIXED), len(FIXED + APPLICATION_CONTEXT), len(FIXED + APPLICATION_CONTEXT + CONTEXT_AC))


def test_an_unknown_pdu_type_is_an_unrecognised_pdu() -> None:
    for pdu_type in set(range(256)) - {1, 2, 3, 5, 6, 7}:
        with pytest.raises(RemoteProtocolError, match=f"PDU type {pdu_type:02X}H") as caught:
            pdu.decode(pdu_type, bytes(4))
        assert (caught.value.abort_source, caught.value.abort_reason) == (2, 1)


@pytest.mark.parametrize("pdu_type", BODIES)
def test_a_pdu_cut_at_any_byte_is_refused(pdu_type: int) -> None:
    """A cut between two items leaves a valid PDU where the items that it lacks may be missing."""
    body = BODIES[pdu_type]
    items = {1: {len(FIXED + APPLICATION_CONTEXT + CONTEXT_RQ)}, 2: set(AC_ITEMS)}.get(pdu_type, set())
    for end in range(len(body)):
        assert (decodes_or_is_refused(pdu_type, body[:end]) is not None) == (end in items), f"cut at {end}"


@pytest.mark.parametrize("pdu_type", [3, 5, 6, 7])
@pytest.mark.parametrize("length", [0, 1, 3, 5, 8, 4096])
def test_a_fixed_pdu_has_4_bytes(pdu_type: int, length: int) -> None:
    with pytest.raises(RemoteProtocolError):
        pdu.decode(pdu_type, bytes(length))


# Where the lengths inside the sub-items above stand, from the start of the sub-item.
INNER_LENGTHS = {0x54: (4,), 0x56: (4,), 0x57: (4, 11, 18, 20, 27), 0x58: (6, 10), 0x59: (4,)}


def length_fields(body: bytes, start: int = 68) -> Iterator[int]:
    """Yield the offsets of all length fields of the whole A-ASSOCIATE-RQ and -AC above."""
    while start < len(body):
        item_type, end = body[start], start + 4 + int.from_bytes(body[start + 2 : start + 4], "big")
        yield start + 2
        yield from (start + offset for offset in INNER_LENGTHS.get(item_type, ()))
        if item_type in (0x20, 0x21, 0x50):
            yield from length_fields(body[:end], start + (4 if item_type == 0x50 else 8))
        start = end


def framing_lengths(body: bytes, start: int = 68) -> Iterator[int]:
    """Yield the offsets of the lengths of items in the PDU and in the user information: with a false one it cannot be read.

    Within a context, or a sub-item of the user information, a length that lies costs that item alone.
    """
    while start < len(body):
        end = start + 4 + int.from_bytes(body[start + 2 : start + 4], "big")
        yield start + 2
        if body[start] == 0x50:
            yield from framing_lengths(body[:end], start + 4)
        start = end


def test_every_length_field_of_the_whole_pdus_is_known() -> None:
    assert (len(list(length_fields(RQ))), len(list(length_fields(AC)))) == (25, 23)
    assert (len(list(framing_lengths(RQ))), len(list(framing_lengths(AC)))) == (12, 12)


@pytest.mark.parametrize(("pdu_type", "body"), [(1, RQ), (2, AC)], ids=["RQ", "AC"])
def test_a_wrong_length_is_never_read_past_its_end(pdu_type: int, body: bytes) -> None:
    for offset in length_fields(body):
        true = int.from_bytes(body[offset : offset + 2], "big")
        for length in {0, 1, 2, true - 1, true + 1, true + 2, true + 4, 2 * true, 0x100, 0x7FFF, 0x8000, 0xFFFF} - {
            true
        }:
            changed = body[:offset] + pack(">H", length) + body[offset + 2 :]
            value = decodes_or_is_refused(pdu_type, changed)
            if length > len(body) and offset in set(framing_lengths(body)):
                assert value is None, f"{length} at {offset}"
            elif value is not None:
                reads_back(value)


FOUR = b"\x01\x02\x03\x04"


@pytest.mark.parametrize("content", [b"", b"\0", FOUR])
def test_items_that_are_not_known_are_skipped_at_each_level(content: bytes) -> None:
    for item_type in range(256):
        an_item_at_each_level(item_type, content)


def an_item_at_each_level(item_type: int, content: bytes) -> None:
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
        elif (item_type, content) == (0x40, FOUR):
            assert decode_rq(body).presentation_contexts[0].transfer_syntaxes == ("1.3", "\x01\x02\x03\x04")
        elif item_type == 0x10 or (item_type, len(content)) in {(0x50, 1), (0x50, 4)}:
            assert decodes_or_is_refused(1, body) is None
        else:
            # One bad item, or one that comes again, does not cost the association.
            again = (item_type, content) in {(0x51, FOUR), (0x52, FOUR), (0x53, FOUR), (0x55, FOUR), (0x55, b"")}
            # The negotiation reports which of them counts.
            assert bool(decode_rq(body).oddities) != again


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(FIXED + CONTEXT_RQ + MAXIMUM_LENGTH, id="no application context"),
        pytest.param(FIXED + APPLICATION_CONTEXT + MAXIMUM_LENGTH, id="no presentation context"),
        pytest.param(FIXED + APPLICATION_CONTEXT + CONTEXT_AC + MAXIMUM_LENGTH, id="contexts of an AC"),
        pytest.param(
            FIXED + APPLICATION_CONTEXT + item(0x10, b"1.2") + CONTEXT_RQ + MAXIMUM_LENGTH,
            id="two application contexts",
        ),
        pytest.param(rq(user_information=MAXIMUM_LENGTH * 5), id="five user informations"),
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
        FIXED + APPLICATION_CONTEXT + CONTEXT_AC + item(0x50, b"\x51"),
        ac(CONTEXT_AC) + b"\0",
        ac(item(0x21, b"\x03\0\0\0", 99)),
        ac(item(0x21, b"\x03\0\0\0" + item(0x40, b"1.2") * 129)),
        ac(CONTEXT_AC * 257),
    ],
)
def test_an_accept_that_cannot_be_is_refused(body: bytes) -> None:
    assert decodes_or_is_refused(2, body) is None


def test_an_accept_that_answers_nothing_is_read() -> None:
    assert decode_ac(ac(CONTEXT_RQ)).presentation_contexts == ()


def test_a_context_id_is_not_0_and_an_even_one_is_told_of() -> None:
    """Accept the even IDs that peers send, though the Standard asks for odd ones."""
    for context_id in range(256):
        proposed = context_rq(context_id, abstract_syntax(b"1.2"), transfer_syntax(b"1.3"))
        assert (decodes_or_is_refused(1, rq(proposed)) is not None) == (context_id > 0), context_id
        value = decode_rq(rq((CONTEXT_RQ if context_id != 3 else b"") + proposed))
        assert (context_id in [context.context_id for context in value.presentation_contexts]) == (context_id > 0)
        assert bool(value.oddities) == (context_id % 2 == 0), context_id


@pytest.mark.parametrize("count", [1, 2, 127, 128, 129, 200, 255, 256])
def test_more_contexts_than_there_are_ids_can_be_read_and_told_of(count: int) -> None:
    contexts = decode_rq(rq(CONTEXT_RQ * count)).presentation_contexts
    assert contexts == CONTEXTS_RQ * count


@pytest.mark.parametrize("count", [257, 1000, 1025])
def test_far_too_many_contexts_are_refused(count: int) -> None:
    assert decodes_or_is_refused(1, rq(CONTEXT_RQ * count)) is None


ABSTRACT, TRANSFER = abstract_syntax(b"1.2"), transfer_syntax(b"1.3")


@pytest.mark.parametrize(
    ("sub_items", "abstract", "transfers"),
    [
        ((ABSTRACT, TRANSFER), "1.2", 1),
        ((TRANSFER,), "", 1),
        ((ABSTRACT,), "1.2", 0),
        ((), "", 0),
        ((ABSTRACT, ABSTRACT, TRANSFER), "1.2", 1),
        ((ABSTRACT, abstract_syntax(b"1.4"), TRANSFER), "", 1),
        ((ABSTRACT, *[TRANSFER] * 64), "1.2", 64),
        ((ABSTRACT, TRANSFER, b"\0"), "", 0),
    ],
)
def test_a_context_that_cannot_be_used_is_read_without_what_it_lacks(
    sub_items: tuple[bytes, ...], abstract: str, transfers: int
) -> None:
    """It alone is refused; the association stays."""
    (context,) = decode_rq(rq(context_rq(1, *sub_items))).presentation_contexts
    assert (context.context_id, context.abstract_syntax, len(context.transfer_syntaxes)) == (1, abstract, transfers)


@pytest.mark.parametrize("count", [65, 1000])
def test_a_context_has_at_most_64_transfer_syntaxes(count: int) -> None:
    assert decodes_or_is_refused(1, rq(context_rq(1, ABSTRACT, *[TRANSFER] * count))) is None


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
        value = decode_rq(rq(context_rq(1, *sub_items)))
        context = value.presentation_contexts[0]
        if text is None:
            assert (context.abstract_syntax, context.transfer_syntaxes) in (("", ("1.3",)), ("1.2", ()))
        else:
            assert text in (context.abstract_syntax, *context.transfer_syntaxes)
        assert bool(value.oddities) == (text is None or text.encode("latin-1") != uid)


# Sub-items that can still be read when their content is empty, one byte shorter, or one byte longer (a NUL).
READABLE = {(0x52, "shorter"), (0x52, "longer"), (0x55, "empty"), (0x55, "shorter"), (0x55, "longer")}
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
    body = rq(user_information=item(0x50, item(item_type, changed) * times))
    if times > 128:
        assert decodes_or_is_refused(1, body) is None
        return
    # Several of an item that may come once are read: the negotiation decides which counts.
    value = decode_rq(body)
    if readable:
        assert [read.wire_type for read in value.user_information] == [item_type] * times
    else:
        unreadable = [pdu.UNREADABLE_IDENTITY] * times if item_type == 0x58 else []
        assert list(value.user_information) == unreadable
        assert value.oddities


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
def test_a_user_identity_whose_lengths_lie_says_nothing_and_is_there(content: bytes) -> None:
    request = decode_rq(rq(user_information=item(0x50, item(0x58, content))))
    assert request.user_information == (pdu.UNREADABLE_IDENTITY,)
    assert len(request.oddities) == 1


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


# --- Memory: what a request takes while it is read, against its size on the wire ---


def peak(body: bytes) -> int:
    """Return the peak of memory, in bytes, of reading an A-ASSOCIATE-RQ."""
    # This makes whatever Python makes once.
    decodes_or_is_refused(1, body)
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
