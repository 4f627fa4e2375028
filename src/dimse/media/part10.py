"""The head of a DICOM file: preamble, prefix and File Meta Information (PS3.10 section 7.1).

`parse` reads the head of a file to send. The network needs its transfer syntax and the position of the data set. `encode(meta)`
makes the head of a file for a received instance; the data set's bytes follow.
"""

from __future__ import annotations

from struct import Struct
from typing import Any

from dimse.data_set.encoding import LONG_FORM, SHORT_FORM, is_vr
from dimse.support.values import value

PREAMBLE = bytes(128)
PREFIX = b"DICM"
MAXIMUM_SIZE = 65_536
"""Bytes within which preamble, prefix and File Meta Information must end, far more than any real file has."""

# Element number in group 0002 -> attribute of FileMeta, VR (PS3.10 Table 7.1-1).
_ELEMENTS = {
    0x0002: ("media_storage_sop_class_uid", "UI"),
    0x0003: ("media_storage_sop_instance_uid", "UI"),
    0x0010: ("transfer_syntax_uid", "UI"),
    0x0012: ("implementation_class_uid", "UI"),
    0x0013: ("implementation_version_name", "SH"),
    0x0016: ("source_application_entity_title", "AE"),
    0x0017: ("sending_application_entity_title", "AE"),
    0x0018: ("receiving_application_entity_title", "AE"),
}
_REQUIRED = (0x0002, 0x0003, 0x0010, 0x0012)

_START = len(PREAMBLE) + len(PREFIX)
_GROUP_LENGTH = 0x0000
_header = Struct("<HH2sH")
_long_length = Struct("<L")
_GROUP = 0x0002

# The ways in which programs write File Meta Information, by the bytes of its group number. Each has the headers of elements with a
# VR, their long lengths, and the headers of elements without one. The first way is the Standard's.
_FORMS = {
    b"\x02\0": (_header, _long_length, Struct("<HHL")),
    b"\0\x02": (Struct(">HH2sH"), Struct(">L"), Struct(">HHL")),
}
_FIRST_VRS = frozenset((b"UL", b"OB", b"UI"))  # VRs of the first element

# These are written first, then the elements of `_ELEMENTS`, whose VRs all have a length of 16 bits.
_HEAD = PREAMBLE + PREFIX + _header.pack(0x0002, 0x0000, b"UL", 4)  # and the group length
_VERSION = _header.pack(0x0002, 0x0001, b"OB", 0) + _long_length.pack(2) + b"\0\1"  # File Meta Information Version
_INSTANCE = 0x0003
_COMMON = tuple(number for number in _ELEMENTS if number != _INSTANCE)
_LONGEST = 0xFFFE


class NotPart10(ValueError):
    """The bytes are not the head of a DICOM file; the message gives the reason in one line."""


@value
class FileMeta:
    """The File Meta Information (PS3.10 Table 7.1-1). None means that the element is missing or empty.

    Attributes:
        media_storage_sop_class_uid: (0002,0002).
        media_storage_sop_instance_uid: (0002,0003).
        transfer_syntax_uid: (0002,0010), the encoding of the data set.
        implementation_class_uid: (0002,0012), the program that wrote the file.
        implementation_version_name: (0002,0013), its version, at most 16 characters.
        source_application_entity_title: (0002,0016), the AE that wrote the file.
        sending_application_entity_title: (0002,0017), the AE that sent the instance.
        receiving_application_entity_title: (0002,0018), the AE that received it.
        data_set_offset: The number of bytes before the data set in the file that was parsed.
        overlong: True if further elements of group 0002 follow behind the end by group length (0002,0000). They belong to the
            data set.
    """

    media_storage_sop_class_uid: str | None = None
    media_storage_sop_instance_uid: str | None = None
    transfer_syntax_uid: str | None = None
    implementation_class_uid: str | None = None
    implementation_version_name: str | None = None
    source_application_entity_title: str | None = None
    sending_application_entity_title: str | None = None
    receiving_application_entity_title: str | None = None
    data_set_offset: int = 0
    overlong: bool = False


def start_of(head: bytes | memoryview) -> int | None:
    """Return the position of the File Meta Information in a file that begins with `head`; None if the file has none.

    It follows the preamble and the prefix. Some files have the prefix without the preamble, or neither.
    """
    head = bytes(head[:_START])
    if head.startswith(PREFIX, len(PREAMBLE)):
        return _START
    if head.startswith(PREFIX):
        return len(PREFIX)
    return 0 if head[:2] in _FORMS and head[4:6] in _FIRST_VRS else None


def parse(head: bytes | memoryview) -> FileMeta | None:
    """Read the head of a DICOM file.

    The group length (0002,0000) is not trusted, since some files lack it or have a wrong one. The File Meta Information ends
    where no further element of group 0002 follows. If an element is repeated, the first one counts. The encoding is Explicit VR
    Little Endian (PS3.10 7.1), but some files use Implicit VR or Big Endian. The first element shows the encoding.

    Args:
        head: The first bytes of the file; `MAXIMUM_SIZE` of them always suffice.

    Returns:
        The File Meta Information, or None if `head` ends before it does, so that more bytes are needed.

    Raises:
        NotPart10: The bytes are not the head of a DICOM file, or its File Meta Information does not end within `MAXIMUM_SIZE`.
    """
    head = bytes(head[:MAXIMUM_SIZE])
    begin = _START if head.startswith(PREFIX, len(PREAMBLE)) else start_of(head)
    if begin is None:
        if not PREFIX.startswith(head[len(PREAMBLE) : _START]):
            raise NotPart10("not DICOM: no DICM prefix after 128 bytes of preamble")
        return None
    values: dict[str, Any] = {}
    position, overlong = _read(head, begin, values)
    if position > len(head) - 8:
        if len(head) == MAXIMUM_SIZE:
            raise NotPart10(f"not DICOM: the File Meta Information does not end within {MAXIMUM_SIZE:,} bytes")
        return None
    if position == begin:
        raise NotPart10("not DICOM: no File Meta Information after the DICM prefix")
    return FileMeta(**values, data_set_offset=position, overlong=overlong)


def _read(head: bytes, position: int, values: dict[str, Any]) -> tuple[int, bool]:
    """Read elements of group 0002 at `position`, and add those of `_ELEMENTS` to `values`.

    Returns:
        The position of their end, which may be behind the end of `head`, and True if one begins at the end by group length.

    Raises:
        NotPart10: An element is too long.
    """
    with_vr, long_length, without_vr = _FORMS.get(head[position : position + 2], _FORMS[b"\x02\0"])
    first_vr = head[position + 4 : position + 6]
    is_explicit = first_vr in SHORT_FORM or is_vr(first_vr)
    # `last` is the last position at which a header may begin.
    last, said_end, overlong = len(head) - 8, -1, False
    while position <= last:
        group, element, vr, length = with_vr.unpack_from(head, position)
        # A deflated data set may begin with any bytes, and one in Implicit VR with stray elements of this group.
        if group != _GROUP or (vr in SHORT_FORM or is_vr(vr)) is not is_explicit:
            break
        if position == said_end:
            overlong = True
        start = position + 8
        if not is_explicit:
            length = without_vr.unpack_from(head, position)[2]
        elif vr in LONG_FORM:
            start += 4
            length = long_length.unpack_from(head, position + 8)[0] if position <= last - 4 else 0
        position = start + length
        if position > MAXIMUM_SIZE:
            raise NotPart10(f"not DICOM: File Meta element (0002,{element:04X}) of {length:,} bytes")
        if known := _ELEMENTS.get(element):
            if known[0] not in values:
                values[known[0]] = head[start:position].decode("latin-1").strip("\0 ") or None
        elif element == _GROUP_LENGTH and length == 4 and position <= len(head):
            said_end = position + (long_length.unpack_from(head, start)[0] or -1)
    return position, overlong


class Encoder:
    """An encoder for File Meta Information that differs in the SOP Instance UID only, as for the instances of an association.

    Args:
        meta: The common values. Its `data_set_offset` is ignored, and values of None are left out.

    Raises:
        ValueError: One of the three UIDs that every file must have is None, or a value cannot be encoded.
    """

    def __init__(self, meta: FileMeta) -> None:
        encoded = {number: _encode_element(number, getattr(meta, _ELEMENTS[number][0])) for number in _COMMON}
        self._class = _VERSION + encoded.pop(0x0002)
        self._others = b"".join(encoded.values())

    def encode(self, sop_instance_uid: str | None) -> bytes:
        """Return preamble, prefix and File Meta Information for the file of an instance; its data set follows.

        The preamble is all zero, whatever the instance had before.

        Raises:
            ValueError: The UID is None, or cannot be encoded.
        """
        group = self._class + _encode_element(_INSTANCE, sop_instance_uid) + self._others
        return _HEAD + _long_length.pack(len(group)) + group


def encode(meta: FileMeta) -> bytes:
    """Return preamble, prefix and File Meta Information for one instance.

    Raises:
        ValueError: One of the four UIDs that every file must have is None, or a value cannot be encoded.
    """
    return Encoder(meta).encode(meta.media_storage_sop_instance_uid)


def _encode_element(number: int, value: str | None) -> bytes:
    attribute, vr = _ELEMENTS[number]
    if not value:
        if number in _REQUIRED:
            raise ValueError(f"File Meta Information needs a {attribute}")
        return b""
    encoded = value.encode("latin-1")
    if len(encoded) % 2:
        encoded += b"\0" if vr == "UI" else b" "
    if len(encoded) > _LONGEST:
        raise ValueError(f"a value of {len(encoded):,} bytes does not fit File Meta element (0002,{number:04X})")
    return _header.pack(0x0002, number, vr.encode(), len(encoded)) + encoded
