"""The elements of a data set as values that can be written in another encoding (PS3.5 section 7).

Tags, VRs and lengths take the form of the encoding. A value keeps its bytes, except for the byte order that its VR demands. No
text is decoded and no number is printed anew.
"""

from __future__ import annotations

import io
import struct
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from dimse import tags
from dimse.data_set.encoding import (
    EXPLICIT_VR_LITTLE_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
    LONG_FORM,
    PIECE,
    SHORT_FORM,
    UNDEFINED_LENGTH,
    deflate,
    inflate,
    is_vr,
    pieces,
)
from dimse.data_set.walk import MAXIMUM_NESTING
from dimse.support.text import tag_name
from dimse.uids import TransferSyntax

BITS_ALLOCATED, PIXEL_REPRESENTATION, PIXEL_DATA = 0x00280100, 0x00280103, 0x7FE00010
_LENGTH_TO_END = 0x00080001  # retired; wrong after re-encoding
_WAVEFORM_BITS_ALLOCATED = 0x54001004
_ITEM, _ITEM_DELIMITATION, _SEQUENCE_DELIMITATION = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD

# VRs by the width of the words that a byte order affects (PS3.5 7.3), the VRs padded with a space, and all VRs.
# UN is Little Endian in every transfer syntax (PS3.5 6.2.2), so its bytes never change.
_WORD = dict.fromkeys(("AT", "OW", "SS", "US"), 2)
_WORD |= dict.fromkeys(("FL", "OF", "OL", "SL", "UL"), 4)
_WORD |= dict.fromkeys(("FD", "OD", "OV", "SV", "UV"), 8)
_SPACE_PADDED = frozenset(("AE AS CS DA DS DT IS LO LT PN SH ST TM UC UR UT").split())
_KNOWN = SHORT_FORM | LONG_FORM

# Elements of a data set that determine how others are read, also within its items.
_CONTEXT = (BITS_ALLOCATED, PIXEL_REPRESENTATION, _WAVEFORM_BITS_ALLOCATED)
_WAVEFORM = frozenset((0x54000110, 0x54000112, 0x5400100A, 0x54001010))

# A plain value, the items of a sequence, or the fragments of encapsulated Pixel Data with the Basic Offset Table first.
Value: TypeAlias = "memoryview | list[DataSet] | tuple[memoryview, ...]"
DataSet: TypeAlias = "dict[int, Element]"


@dataclass(frozen=True, slots=True)
class Element:
    """A data element as it was read.

    Attributes:
        tag: Group and element number.
        vr: The VR. For Implicit VR it is the dictionary's, such as "US or SS", or UN if the element is unknown.
        value: The value, in its original byte order.
        little_endian: The original byte order.
    """

    tag: int
    vr: str
    value: Value
    little_endian: bool = True


class Unfit(Exception):
    """A data set cannot be re-encoded; the message gives the reason in one line."""


def _bytes_of(data_set: DataSet, tag: int) -> bytes:
    """Return the bytes of a plain value; empty if it is missing."""
    element = data_set.get(tag)
    return bytes(element.value) if element and isinstance(element.value, memoryview) else b""


def text_of(data_set: DataSet, tag: int) -> str:
    """Return a value as text without its padding; empty if it is missing."""
    return _bytes_of(data_set, tag).decode("latin-1").strip(" \0")


def unsigned_short(data_set: DataSet, tag: int) -> int | None:
    """Return the number in a value of VR US; None if it is missing or has several numbers."""
    raw = _bytes_of(data_set, tag)
    return int.from_bytes(raw, "little" if data_set[tag].little_endian else "big") if len(raw) == 2 else None


# --- Reading ---------------------------------------------------------------------------------------------------------


def read(data: memoryview, syntax: TransferSyntax) -> DataSet:
    """Return the elements of a data set.

    Raises:
        Unfit: The data set is incomplete, contradicts itself, or inflates to more than `MOST_INFLATED` bytes.
    """
    if syntax.deflated:
        try:
            data = memoryview(inflate(data))
        except ValueError as error:
            raise Unfit(str(error)) from error
    return _Reader(data).data_set(syntax, len(data))


class _Reader:
    """A reader of elements from a buffer, which trusts no length beyond the end of the enclosing structure."""

    def __init__(self, data: memoryview) -> None:
        self.data, self.position = data, 0

    def data_set(self, encoding: TransferSyntax, end: int, *, delimited: bool = False, depth: int = 0) -> DataSet:
        """Read elements up to `end`, or to the Item Delimitation Item if `delimited`."""
        elements: DataSet = {}
        while delimited or self.position < end:
            if (
                depth == 0
                and not any(self.data[self.position : self.position + 8])
                and not any(self.data[self.position :])
            ):
                # Some files are padded to whole blocks.
                break
            element = self._element(encoding, end, depth)
            if delimited and element.tag == _ITEM_DELIMITATION:
                break
            if element.tag >> 16 == 0xFFFE:
                raise Unfit(f"{tag_name(element.tag)} is where a data element should be")
            if elements.setdefault(element.tag, element) != element:
                raise Unfit(f"{tag_name(element.tag)} appears twice in one data set, with two values")
        return elements

    def _within(self, length: int, end: int, what: str) -> None:
        if self.position + length > end:
            raise Unfit(f"{what} ends early: the file is cut short, or a length is wrong")

    def _take(self, length: int, end: int, what: str) -> memoryview:
        self._within(length, end, what)
        start, self.position = self.position, self.position + length
        return self.data[start : self.position]

    def _header(self, encoding: TransferSyntax, end: int) -> tuple[int, str, int]:
        order = "<" if encoding.little_endian else ">"
        raw = self._take(8, end, "a data set")
        group, number, length = struct.unpack(f"{order}HHL", raw)
        tag = group << 16 | number
        if group == 0xFFFE:
            return tag, "", length
        letters = bytes(raw[4:6])
        if encoding.implicit_vr or (encoding.little_endian and not is_vr(letters)):
            # Some files have elements, or a whole data set, in Implicit VR where it should be explicit.
            return tag, _dictionary_vr(tag), length
        vr = letters.decode("latin-1")
        if letters in SHORT_FORM:
            return tag, vr, struct.unpack(f"{order}H", raw[6:])[0]
        if not is_vr(letters):
            raise Unfit(f"{tag_name(tag)} has {vr!r} where its VR should be")
        return tag, vr, struct.unpack(f"{order}L", self._take(4, end, tag_name(tag)))[0]

    def _element(self, encoding: TransferSyntax, end: int, depth: int = 0) -> Element:
        """Read one element, or an Item or delimiter without the bytes that follow it."""
        tag, vr, length = self._header(encoding, end)
        if not vr:
            return Element(tag, vr, memoryview(b""))
        undefined = length == UNDEFINED_LENGTH
        if undefined and tag == PIXEL_DATA and vr in ("OB", "OW", "OB or OW"):
            return Element(tag, vr, self._fragments(end))
        if vr == "SQ" or (undefined and vr == "UN"):
            # UN of undefined length is a sequence in Implicit VR Little Endian, wherever it stands (PS3.5 6.2.2).
            inner = IMPLICIT_VR_LITTLE_ENDIAN if vr == "UN" else encoding
            if not undefined:
                self._within(length, end, tag_name(tag))
                end = self.position + length
            return Element(tag, "SQ", self._items(inner, end, delimited=undefined, depth=depth + 1))
        if undefined:
            raise Unfit(f"{tag_name(tag)} has undefined length and is not a sequence")
        return Element(tag, vr, self._take(length, end, tag_name(tag)), encoding.little_endian)

    def _items(self, encoding: TransferSyntax, end: int, *, delimited: bool, depth: int) -> list[DataSet]:
        if depth > MAXIMUM_NESTING:
            raise Unfit(f"sequences are nested more than {MAXIMUM_NESTING} deep")
        items = []
        while delimited or self.position < end:
            tag, _, length = self._header(encoding, end)
            if delimited and tag == _SEQUENCE_DELIMITATION:
                break
            if tag != _ITEM:
                raise Unfit(f"{tag_name(tag)} is where a sequence item should be")
            undefined = length == UNDEFINED_LENGTH
            if not undefined:
                self._within(length, end, "a sequence item")
            stop = end if undefined else self.position + length
            items.append(self.data_set(encoding, stop, delimited=undefined, depth=depth))
        return items

    def _fragments(self, end: int) -> tuple[memoryview, ...]:
        fragments = []
        while (header := self._header(EXPLICIT_VR_LITTLE_ENDIAN, end))[0] == _ITEM:
            fragments.append(self._take(header[2], end, "a fragment of Pixel Data"))
        if header[0] != _SEQUENCE_DELIMITATION:
            raise Unfit(f"{tag_name(header[0])} is where a fragment of Pixel Data should be")
        return tuple(fragments)


def _dictionary_vr(tag: int) -> str:
    if tag & 0xFFFF == 0:
        return "UL"
    return tags.vr(tag)


# --- Writing ---------------------------------------------------------------------------------------------------------


def write(data_set: DataSet, syntax: TransferSyntax) -> bytes:
    """Return the bytes of a data set, of even length.

    Raises:
        Unfit: A value cannot be expressed in this transfer syntax.
    """
    writer = _Writer(syntax)
    writer.data_set(data_set, {})
    return deflate(writer.out) if syntax.deflated else _join(writer.out)


def _join(buffers: Sequence[bytes | memoryview]) -> bytes:
    """Return the bytes of all the buffers, copied in pieces."""
    if sum(map(len, buffers)) <= PIECE:
        return b"".join(buffers)
    whole = io.BytesIO()
    for buffer in buffers:
        for piece in pieces(buffer):
            whole.write(piece)
    return whole.getvalue()


class _Writer:
    """A writer that collects the buffers of a data set in one encoding."""

    def __init__(self, encoding: TransferSyntax) -> None:
        self.encoding = encoding
        self.order = "<" if encoding.little_endian else ">"
        self.out: list[bytes | memoryview] = []

    def data_set(self, data_set: DataSet, context: Mapping[int, int]) -> None:
        """Write a data set within an enclosing one whose `_CONTEXT` elements are given."""
        own = {tag: value for tag in _CONTEXT if (value := unsigned_short(data_set, tag)) is not None}
        context = {**context, **own}
        for tag, element in sorted(data_set.items()):
            # Group lengths are retired (PS3.5 7.2), and groups 0000 and 0002 do not belong in a data set.
            if tag & 0xFFFF and tag >> 16 not in (0x0000, 0x0002) and tag != _LENGTH_TO_END:
                if isinstance(element.value, list):
                    self._sequence(tag, element.value, context)
                else:
                    self._plain(element, context)

    def _sequence(self, tag: int, items: list[DataSet], context: Mapping[int, int]) -> None:
        self._header(tag, "SQ", UNDEFINED_LENGTH)
        for item in items:
            self._header(_ITEM, "", UNDEFINED_LENGTH)
            self.data_set(item, context)
            self._header(_ITEM_DELIMITATION, "", 0)
        self._header(_SEQUENCE_DELIMITATION, "", 0)

    def _plain(self, element: Element, context: Mapping[int, int]) -> None:
        tag, value = element.tag, element.value
        if isinstance(value, tuple) and self.encoding.encapsulated:
            self._fragments(tag, value)
            return
        if not isinstance(value, memoryview):
            raise Unfit("Pixel Data of an uncompressed transfer syntax is encapsulated")
        vr = _explicit_vr(element, value, context)
        length = len(value) + len(value) % 2
        if length >= UNDEFINED_LENGTH:
            raise Unfit(f"{tag_name(tag)} is longer than an element can be: {length} bytes")
        out: bytes | memoryview = value
        if element.little_endian != self.encoding.little_endian and vr != "UN":
            if tag == PIXEL_DATA and vr == "OW" and context.get(BITS_ALLOCATED, 0) > 16:
                # OW has words of 16 bits by definition, yet some files reverse the bytes of the whole sample.
                raise Unfit("the byte order of Pixel Data of more than 16 bits is uncertain in Explicit VR Big Endian")
            out = _swap(value, vr, tag)
        if length > 0xFFFE and vr.encode() in SHORT_FORM:
            # PS3.5 6.2.2. The value comes from Implicit VR, so it is Little Endian, as UN must be.
            vr = "UN"
            out = value
        self._header(tag, vr, length)
        self.out.append(out)
        if len(value) % 2:
            self.out.append(b" " if vr in _SPACE_PADDED else b"\0")

    def _fragments(self, tag: int, fragments: tuple[memoryview, ...]) -> None:
        self._header(tag, "OB", UNDEFINED_LENGTH)
        for fragment in fragments:
            self._header(_ITEM, "", len(fragment) + len(fragment) % 2)
            self.out += [fragment, b"\0" * (len(fragment) % 2)]
        self._header(_SEQUENCE_DELIMITATION, "", 0)

    def _header(self, tag: int, vr: str, length: int) -> None:
        group, number = tag >> 16, tag & 0xFFFF
        if not vr or self.encoding.implicit_vr:
            header = struct.pack(f"{self.order}HHL", group, number, length)
        else:
            letters = vr.encode()
            form = "HH2sH" if letters in SHORT_FORM else "HH2s2xL"
            header = struct.pack(self.order + form, group, number, letters, length)
        self.out.append(header)


def _swap(value: memoryview, vr: str, tag: int) -> bytes | memoryview:
    """Return the value in the other byte order (PS3.5 7.3)."""
    if vr.encode() not in _KNOWN:
        raise Unfit(f"{tag_name(tag)} has the unknown VR {vr}: its byte order cannot be changed")
    width = _WORD.get(vr)
    if not width:
        return value
    if len(value) % width:
        raise Unfit(f"{tag_name(tag)} has {len(value)} bytes, not a whole number of {vr} values")
    code = {2: "H", 4: "I", 8: "Q"}[width]
    swapped = []
    for piece in pieces(value):
        words = array(code)
        words.frombytes(piece)
        words.byteswap()
        swapped.append(words.tobytes())
    return _join(swapped)


def _explicit_vr(element: Element, value: memoryview, context: Mapping[int, int]) -> str:
    """Choose among the VRs that the dictionary allows for Implicit VR Little Endian; UN if nothing decides."""
    tag, vr = element.tag, element.vr
    if vr == "US or SS":
        representation = context.get(PIXEL_REPRESENTATION)
        if representation is None and any(byte & 0x80 for byte in value[1::2]):
            return "UN"
        return "SS" if representation else "US"
    if vr == "OB or OW":
        if tag >> 16 in range(0x6000, 0x6100):
            return "OW"  # Overlay Data
        if tag == PIXEL_DATA or tag in _WAVEFORM:
            # In Implicit VR they are OW (PS3.5 A.1). For samples of one byte OB means the same in either byte order.
            size = context.get(BITS_ALLOCATED if tag == PIXEL_DATA else _WAVEFORM_BITS_ALLOCATED, 16)
            return "OB" if size <= 8 else "OW"
        return "UN"
    return "OW" if vr.endswith(" or OW") else vr
