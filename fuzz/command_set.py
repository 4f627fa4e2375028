"""A fuzz target for command sets: an input is the bytes of one."""

from __future__ import annotations

from dimse.association.dump import Dump
from dimse.errors import InvalidCommand, RemoteProtocolError
from dimse.message.command import Message, Request, Response, decode, encode, refusal, respond
from dimse.message.elements import MAX_COMMAND_SET, MAX_ELEMENTS, read

DATA_SET_TYPE = b"\x00\x00\x00\x08"  # tag (0000,0800)
LONGEST_COMMENT = 64  # characters that we write


def _written_again(message: Message) -> Message:
    return decode(encode(message))


def _test_refusal(invalid: InvalidCommand) -> None:
    """Test that a request that cannot be carried out is answered with its status and the reason, if possible."""
    assert invalid.status in (0x0211, 0x0212)
    assert "has_data_set" in invalid.elements
    assert str(invalid)
    answer = refusal(invalid)
    if answer is not None:
        values, fault = read(answer)
        assert not fault
        assert values["status"] == invalid.status
        assert values["message_id_being_responded_to"] == invalid.elements["message_id"]
        assert not values["has_data_set"]


def _test_message(message: Message) -> None:
    """Test that a message is written and read as the same, and that a request can be answered."""
    again = _written_again(message)
    for field in message.fields:
        said, read_again = getattr(message, field), getattr(again, field)
        if field == "error_comment" and said is not None and len(said) > LONGEST_COMMENT:
            said = said[:LONGEST_COMMENT].strip("\0 ") or None
        assert said == read_again
    assert type(again) is type(message)
    repr(message)
    for outgoing in (True, False):
        Dump().message(message, 1, outgoing=outgoing)
    if isinstance(message, Request):
        response = respond(message, 0x0110, error_comment="\u2029" + repr(message))
        again = _written_again(response)
        assert isinstance(again, Response)
        assert again.message_id_being_responded_to == message.message_id


def _elements(data: bytes) -> dict[bytes, bytes] | None:
    """Return the values of the elements, if the bytes are a series of distinct command elements within the limits.

    Elements of other groups may follow.
    """
    found: dict[bytes, bytes] = {}
    others = position = 0
    while position < len(data) <= MAX_COMMAND_SET:
        start = position + 8
        tag, position = data[position : position + 4], start + int.from_bytes(data[position + 4 : start], "little")
        if not start <= position <= len(data):
            return None
        if tag[:2] != b"\0\0" and found:
            others += 1
        elif tag[:2] != b"\0\0" or tag in found or others:
            return None
        else:
            found[tag] = data[start:position]
    return found if len(data) <= MAX_COMMAND_SET and len(found) <= MAX_ELEMENTS else None


def one(data: bytes) -> None:
    """Test a command set of a peer.

    Raises:
        Exception: A promise was broken; any exception means that.
    """
    elements = _elements(data)
    try:
        message = decode(memoryview(data))
    except InvalidCommand as invalid:  # a `RemoteProtocolError` too
        assert elements is not None
        _test_refusal(invalid)
    except RemoteProtocolError as error:
        assert elements is None or len(elements.get(DATA_SET_TYPE, b"")) != 2
        assert (error.abort_source, error.abort_reason) == (0, 0)
    else:
        assert elements is not None
        assert decode(data) == message
        # A missing group length is added when the message is written, which makes it longer.
        if len(data) < MAX_COMMAND_SET - 64:
            _test_message(message)
