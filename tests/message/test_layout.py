"""Command sets that are laid out like one before: what is said of them is what `decode` says, whatever came before."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dimse.errors import InvalidCommand, RemoteProtocolError
from dimse.message import command
from dimse.message.command import Message, decode, encode, respond
from dimse.message.layout import MAX_LAYOUTS, MAX_SIZE, Decoder, Layout
from tests.message.samples import any_message, elements_of, joined, sample, with_value

STORE = command.CStoreRQ(message_id=1, affected_sop_class_uid="1.2.840.1", affected_sop_instance_uid="1.2.3.4")


def said(decoding: Callable[[bytes], Message], data: bytes) -> object:
    """Return all that can be seen of a decoding: the message, or the error."""
    try:
        message = decoding(data)
    except InvalidCommand as invalid:
        return str(invalid), invalid.status, invalid.elements
    except RemoteProtocolError as error:
        return str(error)
    return type(message), message, repr(message), encode(message)


def changed(data: bytes, changes: list[tuple[int, int]]) -> bytes:
    """Return the data with other bytes at these places."""
    octets = bytearray(data)
    for place, octet in changes:
        octets[place % len(data)] = octet
    return bytes(octets)


CHANGES = st.lists(st.tuples(st.integers(0, 500), st.sampled_from([0, 1, 2, 3, 0x20, 0x31, 0x80, 0xFF])), max_size=2)


@given(st.lists(any_message, min_size=1, max_size=3), st.lists(st.tuples(st.integers(0, 2), CHANGES), max_size=12))
def test_what_came_before_changes_nothing(
    kinds: list[Message], sequence: list[tuple[int, list[tuple[int, int]]]]
) -> None:
    decoder = Decoder()
    for kind, changes in sequence:
        data = changed(encode(kinds[kind % len(kinds)]), changes)
        assert said(decoder.decode, data) == said(decode, data)


@pytest.mark.parametrize("place", range(len(encode(STORE))))
def test_each_byte_may_change(place: int) -> None:
    for octet in (*range(4), 0x10, 0x20, 0x2E, 0x31, 0x7F, 0x80, 0xFF):
        decoder, data = Decoder(), changed(encode(STORE), [(place, octet)])
        decoder.decode(encode(STORE))
        assert said(decoder.decode, data) == said(decode, data)
        assert decoder.decode(encode(STORE)) == STORE


# --- what is laid out alike -------------------------------------------------------------------------------------------


def like(message: Message, other: Message) -> Message | None:
    """Read another message by the layout of this one."""
    return Layout(encode(message), message).read(encode(other))


def test_numbers_and_uids_may_differ() -> None:
    other = command.CStoreRQ(
        message_id=65535, affected_sop_class_uid="1.2.840.22", affected_sop_instance_uid="1.2.3.5", priority=command.LOW
    )
    assert like(command.CStoreRQ(**STORE.__dict__, priority=command.MEDIUM), other) == other


def test_responses_are_alike_whatever_their_status() -> None:
    stored, failed = (respond(STORE, status) for status in (0, 0xA700))
    assert like(stored, failed) == failed


@pytest.mark.parametrize(
    ("message", "other"),
    [
        (sample(command.CFindRQ), sample(command.CGetRQ)),
        (sample(command.CFindRSP), sample(command.CFindRSP, has_data_set=True)),
        (sample(command.CStoreRSP, error_comment="full"), sample(command.CStoreRSP, error_comment="busy")),
        (
            sample(command.NGetRQ, attribute_identifier_list=(1,)),
            sample(command.NGetRQ, attribute_identifier_list=(2,)),
        ),
        (sample(command.CGetRSP, error_id=1), sample(command.CGetRSP, number_of_failed_suboperations=1)),
    ],
    ids=["message", "data set", "comment", "tags", "element"],
)
def test_what_differs_otherwise_is_decoded_anew(message: Message, other: Message) -> None:
    assert len(encode(message)) == len(encode(other))
    assert like(message, other) is None
    decoder = Decoder()
    for each in (message, other, other, message):
        assert decoder.decode(encode(each)) == each


def test_a_blank_uid_is_absent() -> None:
    decoder = Decoder()
    decoder.decode(encode(STORE))
    blank = joined(with_value(elements_of(STORE), 0x00001000, b" " * 8))
    with pytest.raises(InvalidCommand, match="C-STORE-RQ: no affected_sop_instance_uid"):
        decoder.decode(blank)


@pytest.mark.parametrize("padding", [b"\0", b" "])
def test_a_uid_of_64_characters_and_padding_is_not_one_of_65(padding: bytes) -> None:
    decoder, elements = Decoder(), elements_of(STORE)
    for _ in range(2):
        whole = decoder.decode(joined(with_value(elements, 0x00001000, b"1" * 64 + padding)))
        assert isinstance(whole, command.CStoreRQ)
        assert whole.affected_sop_instance_uid == "1" * 64
        with pytest.raises(InvalidCommand, match="65 characters where 64 are the most"):
            decoder.decode(joined(with_value(elements, 0x00001000, b"1" * 65)))


# --- what is kept -----------------------------------------------------------------------------------------------------


def test_any_number_of_lengths_is_decoded() -> None:
    decoder = Decoder()
    messages = [sample(command.CEchoRSP, error_comment="x" * 2 * length) for length in range(1, MAX_LAYOUTS + 4)]
    for message in messages * 2:
        assert decoder.decode(encode(message)) == message


def test_command_sets_of_any_length_are_decoded() -> None:
    decoder, elements = Decoder(), elements_of(STORE)
    for size in (1, MAX_SIZE, 60_000):
        for _ in range(2):
            assert decoder.decode(joined([*elements, (0x0000FFFF, bytes(size))])) == STORE


def test_the_messages_of_a_layout_share_nothing_that_changes() -> None:
    decoder, data = Decoder(), encode(STORE)
    first, second, third = (decoder.decode(data) for _ in range(3))
    assert first == second == third == STORE
    assert len({id(message.__dict__) for message in (first, second, third)}) == 3
