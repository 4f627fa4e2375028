"""Command elements (PS3.7 6.3.1 and Annex E), each declared once in `ELEMENTS`.

A command set is a series of elements in Implicit VR Little Endian. In this module a message is a mapping from keywords to values;
`command` decides which of them are needed. Command Data Set Type (0000,0800) is a bool, `has_data_set`, in both modules.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

from dimse.errors import RemoteProtocolError

MAX_COMMAND_SET = 64 * 1024  # bytes; the Standard needs 1 KiB
MAX_ELEMENTS = 64
MAX_UID = 64  # characters (PS3.5 9.1)

# Command Data Set Type (0000,0800): 0101H means that no data set follows, and any other value that one does.
NO_DATA_SET = 0x0101
DATA_SET_PRESENT = 0x0001

# Every command element of Table E.1-1 by its keyword: tag, VR.
ELEMENTS: Mapping[str, tuple[int, str]] = {
    "command_group_length": (0x00000000, "UL"),
    "affected_sop_class_uid": (0x00000002, "UI"),
    "requested_sop_class_uid": (0x00000003, "UI"),
    "command_field": (0x00000100, "US"),
    "message_id": (0x00000110, "US"),
    "message_id_being_responded_to": (0x00000120, "US"),
    "move_destination": (0x00000600, "AE"),
    "priority": (0x00000700, "US"),
    "command_data_set_type": (0x00000800, "US"),
    "status": (0x00000900, "US"),
    "offending_element": (0x00000901, "AT"),
    "error_comment": (0x00000902, "LO"),
    "error_id": (0x00000903, "US"),
    "affected_sop_instance_uid": (0x00001000, "UI"),
    "requested_sop_instance_uid": (0x00001001, "UI"),
    "event_type_id": (0x00001002, "US"),
    "attribute_identifier_list": (0x00001005, "AT"),
    "action_type_id": (0x00001008, "US"),
    "number_of_remaining_suboperations": (0x00001020, "US"),
    "number_of_completed_suboperations": (0x00001021, "US"),
    "number_of_failed_suboperations": (0x00001022, "US"),
    "number_of_warning_suboperations": (0x00001023, "US"),
    "move_originator_application_entity_title": (0x00001030, "AE"),
    "move_originator_message_id": (0x00001031, "US"),
}

_HEADER = struct.Struct("<HHI")  # group, element, value length
_US = struct.Struct("<H")
_UL = struct.Struct("<I")
_US_ELEMENT = struct.Struct("<HHIH")
_UL_ELEMENT = struct.Struct("<HHII")
_TAG = struct.Struct("<HH")

# The longest value of each text VR (PS3.5 Table 6.2-1), and the byte that makes its length even.
_TEXTS = {"UI": (MAX_UID, b"\0"), "AE": (16, b" "), "LO": (64, b" ")}


# --- writing ---------------------------------------------------------------------------------------------------------

Writer = Callable[[Any], bytes]
"""A function that makes an element with its header; `ValueError` or `struct.error` if the value has no encoding."""


def _text_writer(element: int, limit: int, pad: bytes) -> Writer:
    def write(value: str) -> bytes:
        text = value.encode("latin-1")
        if not 0 < len(text) <= limit:
            raise ValueError(f"{value!r} is not 1 to {limit} characters long")
        if len(text) & 1:
            text += pad
        return _HEADER.pack(0, element, len(text)) + text

    return write


def _write_comment(element: int, limit: int, pad: bytes, value: str) -> bytes:
    # A comment explains a failure. If it is too long or has foreign characters, it must not cost the response that carries it.
    text = value[:limit].encode("latin-1", "replace")
    return _HEADER.pack(0, element, len(text) + len(text) % 2) + text + pad[: len(text) % 2]


def _write_tags(element: int, tags: Iterable[int]) -> bytes:
    value = b"".join([_TAG.pack(tag >> 16, tag & 0xFFFF) for tag in tags])
    return _HEADER.pack(0, element, len(value)) + value


def _write_has_data_set(element: int, present: bool) -> bytes:
    return _US_ELEMENT.pack(0, element, 2, DATA_SET_PRESENT if present else NO_DATA_SET)


def _writer(keyword: str, tag: int, vr: str) -> Writer:
    """Return the writer of an element with its header."""
    if keyword == "command_data_set_type":
        return partial(_write_has_data_set, tag)
    if vr == "US":
        return partial(_US_ELEMENT.pack, 0, tag, 2)
    if vr == "AT":
        return partial(_write_tags, tag)
    if vr == "LO":
        return partial(_write_comment, tag, *_TEXTS[vr])
    return _text_writer(tag, *_TEXTS[vr])


WRITERS: Mapping[str, Writer] = {
    "has_data_set" if keyword == "command_data_set_type" else keyword: _writer(keyword, tag, vr)
    for keyword, (tag, vr) in ELEMENTS.items()
    if keyword != "command_group_length"
}
"""The writer of each element, by keyword, in the order of tags, which is their order in a command set."""


def command_set(elements: list[bytes]) -> bytes:
    """Return the command set of elements made by `WRITERS`, behind Command Group Length (0000,0000)."""
    body = b"".join(elements)
    return _UL_ELEMENT.pack(0, 0, 4, len(body)) + body


# --- reading ---------------------------------------------------------------------------------------------------------

# It gets the command set, the same as text, and the start and length of the value. It raises ValueError with the fault.
_Reader = Callable[[bytes | memoryview, str, int, int], Any]


def _read_number(number: struct.Struct, data: bytes | memoryview, _text: str, start: int, length: int) -> int:
    if length != number.size:
        raise ValueError(f"{length} bytes where {number.size} are due")
    value: int = number.unpack_from(data, start)[0]
    return value


def _read_text(limit: int, _data: bytes | memoryview, text: str, start: int, length: int) -> str:
    # Blanks and NULs around a text are padding. Some peers send more than the one byte that makes its length even.
    value = text[start : start + length].strip("\0 ")
    if len(value) > limit:
        raise ValueError(f"{len(value)} characters where {limit} are the most")
    return value


def _read_tags(data: bytes | memoryview, _text: str, start: int, length: int) -> tuple[int, ...]:
    if length % _TAG.size:
        raise ValueError(f"{length} bytes are not a whole number of tags")
    return tuple(group << 16 | element for group, element in _TAG.iter_unpack(data[start : start + length]))


_READ: Mapping[str, _Reader] = {
    "US": partial(_read_number, _US),
    "UL": partial(_read_number, _UL),
    "UI": partial(_read_text, _TEXTS["UI"][0]),
    "AE": partial(_read_text, _TEXTS["AE"][0]),
    # A peer's comment is read whatever its length.
    "LO": partial(_read_text, MAX_COMMAND_SET),
    "AT": _read_tags,
}

_READERS: Mapping[int, tuple[str, _Reader]] = {tag: (keyword, _READ[vr]) for keyword, (tag, vr) in ELEMENTS.items()}


def _broken(reason: str) -> RemoteProtocolError:
    return RemoteProtocolError(f"invalid command set: {reason}", abort_source=0, abort_reason=0)


def split(data: bytes | memoryview) -> dict[int, tuple[int, int]]:
    """Return the start and length of each element's value, by tag, in the order of the command set.

    Raises:
        RemoteProtocolError: The bytes are not a series of distinct group 0000 elements, or there are too many. Elements of other
            groups behind them are ignored.
    """
    size = len(data)
    if size > MAX_COMMAND_SET:
        raise _broken(f"{size} bytes long, more than {MAX_COMMAND_SET}")
    elements: dict[int, tuple[int, int]] = {}
    position, unpack_header = 0, _HEADER.unpack_from
    while position < size:
        if size - position < _HEADER.size:
            raise _broken(f"cut short inside the header of an element at byte {position}")
        group, tag, length = unpack_header(data, position)
        if group:
            if not elements:
                raise _broken(f"({group:04X},{tag:04X}) is not a command element")
            # Some archives list the UIDs of failed instances here, behind the command elements, instead of in an identifier.
            _skip_others(data, position)
            break
        if tag in elements:
            raise _broken(f"(0000,{tag:04X}) comes twice")
        start = position + _HEADER.size
        position = start + length
        if position > size:
            raise _broken(f"cut short inside the value of ({group:04X},{tag:04X})")
        elements[tag] = start, length
    if len(elements) > MAX_ELEMENTS:
        raise _broken(f"{len(elements)} elements, more than {MAX_ELEMENTS}")
    return elements


def _skip_others(data: bytes | memoryview, position: int) -> None:
    """Verify that what begins at `position` is a series of elements of other groups, which are ignored.

    Raises:
        RemoteProtocolError: It is cut short, or a command element is among them.
    """
    before = (0, 0)
    while position < len(data):
        if len(data) - position < _HEADER.size:
            raise _broken(f"cut short inside the header of an element at byte {position}")
        group, tag, length = _HEADER.unpack_from(data, position)
        if not group:
            raise _broken(f"({before[0]:04X},{before[1]:04X}) is not a command element")
        before = group, tag
        position += _HEADER.size + length
    if position > len(data):
        raise _broken(f"cut short inside the value of ({group:04X},{tag:04X})")


def read(data: bytes | memoryview) -> tuple[dict[str, Any], str]:
    """Return the values of a complete command set's elements by keyword, with "has_data_set". Nothing of `data` is kept.

    Returns:
        The values of the elements that are known and not empty, and the fault in the first unreadable one; empty without a fault.

    Raises:
        RemoteProtocolError: The stream behind it can no longer be read. The bytes are not a series of command elements, one is
            repeated, a limit is exceeded, or Command Data Set Type is missing.
    """
    spans = split(data)
    text = str(data, "latin-1")
    values: dict[str, Any] = {}
    fault = ""
    for tag, (start, length) in spans.items():
        known = _READERS.get(tag)
        if known is None or not length:
            continue
        keyword, read_value = known
        try:
            value = read_value(data, text, start, length)
        except ValueError as error:
            fault = fault or f"{keyword} (0000,{tag:04X}): {error}"
        else:
            if value != "":
                values[keyword] = value
    if "command_data_set_type" not in values:
        raise _broken(fault or "no command_data_set_type (0000,0800)")
    values["has_data_set"] = values["command_data_set_type"] != NO_DATA_SET
    return values, fault
