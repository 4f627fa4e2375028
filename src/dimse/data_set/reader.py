"""Reading of an encoded data set that a peer sent, such as an identifier: tolerant, with limits, and without decoding a value.

All headers are read first, so that depth and number of the elements are known before anything is decoded. Elements may be in any
order, and of duplicates the last counts. They may have no VR where they should, and one where they should not. Group lengths are
left out, and zero bytes at the end are padding. A sequence of defined length may have a delimitation item too.
"""

from __future__ import annotations

import struct
from typing import TypeAlias

from dimse import tags
from dimse.data_set.encoding import LONG_FORM, SHORT_FORM, UNDEFINED_LENGTH, inflate, is_vr
from dimse.data_set.source import BeyondLimits, CutShort, MalformedDataSet, NestedTooDeep
from dimse.support.text import tag_name
from dimse.support.values import value
from dimse.uids import TransferSyntax

_ITEM, _ITEM_DELIMITATION, _SEQUENCE_DELIMITATION = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
_KNOWN = SHORT_FORM | LONG_FORM
_SHORT_VRS = {letters: letters.decode("ascii") for letters in SHORT_FORM}
_EXPLICIT_HEADER = {True: struct.Struct("<HH2sH"), False: struct.Struct(">HH2sH")}
_IMPLICIT_HEADER = struct.Struct("<HHL")
_LONG = {True: struct.Struct("<L"), False: struct.Struct(">L")}

# VRs of elements that are nothing but a value field.
_PLAIN = frozenset(letters.decode("ascii") for letters in _KNOWN) - {"SQ", "UN"}

Elements: TypeAlias = "dict[int, RawElement]"


@value
class Limits:
    """The limits on an encoded data set.

    Attributes:
        size: Bytes, after inflating too.
        depth: Sequences within each other.
        elements: Elements, items included, at all levels together.
    """

    size: int = 4 * 1024 * 1024
    depth: int = 64
    elements: int = 16_384


class RawElement:
    """A data element whose value is not decoded.

    Attributes:
        tag: Its tag.
        vr: Its VR; of Implicit VR as the dictionary has it, "US or SS" too; UN if unknown.
        items: The items of a sequence; None for any other element.
        little_endian: The byte order of its value.
    """

    __slots__ = ("_data", "_end", "_start", "items", "little_endian", "tag", "vr")

    def __init__(
        self,
        tag: int,
        vr: str,
        data: memoryview,
        start: int,
        end: int,
        items: list[Elements] | None = None,
        little_endian: bool = True,
    ) -> None:
        self.tag, self.vr, self.items, self.little_endian = tag, vr, items, little_endian
        self._data, self._start, self._end = data, start, end

    @property
    def value(self) -> memoryview | list[Elements]:
        """The bytes of the value field, or the items of a sequence."""
        return self._data[self._start : self._end] if self.items is None else self.items


def read(data: bytes | memoryview, syntax: TransferSyntax, limits: Limits | None = None) -> Elements:
    """Read the elements of a data set.

    Args:
        data: The encoded data set.
        syntax: Its transfer syntax.
        limits: Limits on it; those of `Limits()` by default.

    Raises:
        MalformedDataSet: It is cut short, contradicts itself, or is beyond the limits.
    """
    limits = limits or Limits()
    if len(data) > limits.size:
        raise BeyondLimits(f"the data set has {len(data):,} bytes, more than {limits.size:,}")
    if syntax.deflated:
        data = inflate(data, limits.size)
    view = memoryview(data)
    reader = _Reader(view, limits, syntax.little_endian)
    return reader.data_set(_is_implicit(view, syntax), len(view), depth=0)


def _is_implicit(data: memoryview, syntax: TransferSyntax) -> bool:
    """Return whether the elements have no VR, which the first of them shows whatever the transfer syntax says."""
    if not syntax.implicit_vr or len(data) < 8:
        return syntax.implicit_vr
    # An implicit length that would read as a VR is at least 1 MB long: believed only if the data set is as long.
    return bytes(data[4:6]) not in _KNOWN or 8 + _LONG[True].unpack_from(data, 4)[0] <= len(data)


class _Reader:
    """A reader of elements from a buffer, which believes no length beyond the end of what encloses it."""

    def __init__(self, data: memoryview, limits: Limits, little_endian: bool) -> None:
        self.data, self.limits, self.little = data, limits, little_endian
        self.position = self.count = 0
        self.padding = len(bytes(data).rstrip(b"\0"))  # only zero bytes from there on

    def data_set(self, implicit: bool, end: int, *, depth: int, delimited: bool = False) -> Elements:
        """Read elements up to `end`, or to the Item Delimitation Item."""
        elements: Elements = {}
        while delimited or self.position < end:
            if depth == 0 and self.position >= self.padding:
                break
            tag, vr, length = self._header(implicit, end)
            # The shortest way for most elements. An undefined length ends far behind every end.
            if vr in _PLAIN and (stop := self.position + length) <= end:
                if tag & 0xFFFF:
                    elements[tag] = RawElement(tag, vr, self.data, self.position, stop, None, self.little)
                self.position = stop
                continue
            if tag == _ITEM_DELIMITATION and depth:
                if delimited:
                    break
                continue
            if tag >> 16 == 0xFFFE:
                raise MalformedDataSet(f"{tag_name(tag)} stands where a data element should", self.position)
            element = self._element(tag, vr, length, implicit, end, depth)
            if tag & 0xFFFF:
                elements[tag] = element
        return elements

    def _within(self, length: int, end: int, tag: int) -> int:
        if self.position + length > end:
            raise CutShort(
                f"{tags.label(tag)} ends early: the data set is cut short, or a length is wrong", self.position
            )
        return self.position + length

    def _header(self, implicit: bool, end: int) -> tuple[int, str, int]:
        self.count += 1
        if self.count > self.limits.elements:
            raise BeyondLimits(f"the data set has more than {self.limits.elements:,} elements")
        if self.position + 8 > end:
            raise CutShort("the data set ends inside the header of an element", self.position)
        position, self.position = self.position, self.position + 8
        if implicit and self.little:
            group, number, length = _IMPLICIT_HEADER.unpack_from(self.data, position)
            tag = group << 16 | number
            return tag, tags.vr(tag) if group != 0xFFFE else "", length
        group, number, letters, short_length = _EXPLICIT_HEADER[self.little].unpack_from(self.data, position)
        tag = group << 16 | number
        if not implicit and letters in _SHORT_VRS:
            return tag, _SHORT_VRS[letters], short_length
        if not implicit and is_vr(letters):
            self._within(4, end, tag)
            self.position += 4
            return tag, letters.decode("ascii"), _LONG[self.little].unpack_from(self.data, position + 8)[0]
        length = _LONG[self.little].unpack_from(self.data, position + 4)[0]
        if group == 0xFFFE:
            return tag, "", length
        if not self.little:
            raise MalformedDataSet(f"{tags.label(tag)} has no VR", position)
        return tag, tags.vr(tag), length

    def _element(self, tag: int, vr: str, length: int, implicit: bool, end: int, depth: int) -> RawElement:
        little = self.little
        is_undefined = length == UNDEFINED_LENGTH
        if vr == "SQ" or (is_undefined and vr == "UN"):
            if vr == "UN":
                # A sequence in Implicit VR Little Endian, wherever it stands (PS3.5 6.2.2).
                implicit, self.little = True, True
            start = self.position
            stop = end if is_undefined else self._within(length, end, tag)
            items = self._items(tag, implicit, stop, delimited=is_undefined, depth=depth + 1)
            self.little = little
            return RawElement(tag, "SQ", self.data, start, self.position, items, little)
        if is_undefined:
            raise MalformedDataSet(f"{tags.label(tag)} has undefined length and is not a sequence", self.position)
        start, stop = self.position, self._within(length, end, tag)
        hidden = self._hidden_items(tag, stop, depth) if vr == "UN" and length and tags.vr(tag) == "SQ" else None
        self.position = stop
        return RawElement(tag, vr if hidden is None else "SQ", self.data, start, stop, hidden, little)

    def _hidden_items(self, tag: int, end: int, depth: int) -> list[Elements] | None:
        """Return the items of a sequence that is encoded as UN (PS3.5 6.2.2); None if the bytes are not items."""
        little, self.little = self.little, True
        try:
            return self._items(tag, True, end, delimited=False, depth=depth + 1)
        except (BeyondLimits, NestedTooDeep):
            raise
        except MalformedDataSet:
            return None
        finally:
            self.little = little

    def _items(self, sequence: int, implicit: bool, end: int, *, delimited: bool, depth: int) -> list[Elements]:
        if depth > self.limits.depth:
            raise NestedTooDeep(f"sequences are nested more than {self.limits.depth} deep", self.position)
        items = []
        while delimited or self.position < end:
            tag, _, length = self._header(implicit, end)
            if tag == _SEQUENCE_DELIMITATION:
                if delimited:
                    break
                continue
            if tag != _ITEM:
                raise MalformedDataSet(f"{tags.label(tag)} stands where an item should", self.position)
            is_undefined = length == UNDEFINED_LENGTH
            stop = end if is_undefined else self._within(length, end, sequence)
            items.append(self.data_set(implicit, stop, delimited=is_undefined, depth=depth))
        return items
