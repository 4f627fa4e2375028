"""The head of a data set: the attributes that the index keeps, decoded, and the place of the Pixel Data.

One loop steps over the elements, and stops behind the last that is wanted. It reads no value that is not wanted, and no more than
some 256 KiB. It believes no length beyond the end of the data set. What it cannot follow ends it: a receiver has tested the rest.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import suppress
from functools import cache
from typing import TypeAlias

from dimse import tags, uids
from dimse.archive.index.attributes import read_tags
from dimse.data_set import reader
from dimse.data_set.attributes import Attribute, Decoded
from dimse.data_set.encoding import LONG_FORM, SHORT_FORM, UNDEFINED_LENGTH
from dimse.data_set.source import MalformedDataSet
from dimse.data_set.steps import EXPLICIT_BIG, EXPLICIT_LITTLE, Encoding
from dimse.media import part10
from dimse.support.values import value
from dimse.uids import TransferSyntax

Read: TypeAlias = "Callable[[int, int], bytes]"
"""`read(offset, size)` returns bytes of a data set, fewer at its end."""

PIXEL_DATA = 0x7FE00010
SHAPE = (0x00280008, 0x00280010, 0x00280011, 0x00280100)
"""Number of Frames, Rows, Columns and Bits Allocated."""

LARGEST_HEADER = 256 * 1024
"""Bytes that are read of a header, long values that are skipped not counted."""
LONGEST_VALUE = 64 * 1024
"""Bytes of a value; a longer one is left out."""
MOST_INFLATED = 1024 * 1024
"""Bytes of a deflated data set that are examined, inflated."""
MOST_NESTED = 64
"""Sequences within each other."""

_WINDOW = 16 * 1024
_DELIMITERS = (0xFFFEE00D, 0xFFFEE0DD)
# Float, Double Float and other Pixel Data.
_PIXEL_DATA_TAGS = frozenset((0x7FE00008, 0x7FE00009, PIXEL_DATA))


@cache
def header_tags() -> frozenset[int]:
    """Return the tags that are read by default: those of the index, the character sets, and the shape of the pixels."""
    return read_tags() | {*SHAPE, tags.SPECIFIC_CHARACTER_SET}


@value
class PixelData:
    """The Pixel Data of a data set.

    Attributes:
        offset: The bytes of the data set before its value.
        length: The bytes of its value; -1 if the length is undefined: then it is encapsulated.
    """

    offset: int
    length: int


@value
class Header:
    """The part of a data set that was read.

    Attributes:
        attributes: The wanted attributes that it has.
        pixel_data: Its Pixel Data; None if it has none, or it was not reached.
    """

    attributes: Mapping[int, Attribute]
    pixel_data: PixelData | None = None


def read_header(
    read: Read, size: int, transfer_syntax: TransferSyntax, wanted: Collection[int] | None = None, head: bytes = b""
) -> Header:
    """Read the head of a data set.

    Args:
        read: A function that returns bytes of the data set.
        size: The bytes of the data set.
        transfer_syntax: Its transfer syntax.
        wanted: The tags of the attributes; those of `header_tags` by default.
        head: The first bytes, if they are in memory.
    """
    wanted = header_tags() if wanted is None else wanted
    if transfer_syntax.deflated:
        inflated = _inflated(read, size)
        # The place of a value in inflated bytes is of no use to a reader of the file.
        return Header(_Loop(_bytes_of(inflated), len(inflated), transfer_syntax, wanted, inflated).run().attributes)
    return _Loop(read, size, transfer_syntax, wanted, head).run()


def read_file(path: str, wanted: Collection[int] | None = None) -> tuple[part10.FileMeta, int, Header]:
    """Read the head of a Part 10 file, and return its File Meta Information, the size of its data set, and its header.

    Raises:
        OSError: The file cannot be read.
        MalformedDataSet: It is not a Part 10 file, or its transfer syntax is unknown.
    """
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        first = os.pread(file, part10.MAXIMUM_SIZE, 0)
        try:
            meta = part10.parse(first)
        except part10.NotPart10 as error:
            raise MalformedDataSet(str(error)) from error
        if meta is None:
            raise MalformedDataSet("the file ends within its File Meta Information")
        start = meta.data_set_offset
        size = os.fstat(file).st_size - start
        syntax = uids.transfer_syntax(meta.transfer_syntax_uid or "")
        if syntax is None or not syntax.has_elements:
            return meta, size, Header({})
        header = read_header(
            lambda offset, count: os.pread(file, count, start + offset), size, syntax, wanted, first[start:]
        )
        return meta, size, header
    finally:
        os.close(file)


class Unread(Mapping[int, Attribute]):
    """The attributes of a stored file, which is read when the first of them is asked for.

    Args:
        path: The path of the file.
    """

    __slots__ = ("_found", "_path")

    def __init__(self, path: str) -> None:
        self._path = path
        self._found: Mapping[int, Attribute] | None = None

    @property
    def _attributes(self) -> Mapping[int, Attribute]:
        if self._found is None:
            self._found = read_file(self._path)[2].attributes
        return self._found

    def __getitem__(self, tag: int) -> Attribute:
        return self._attributes[tag]

    def __iter__(self) -> Iterator[int]:
        return iter(self._attributes)

    def __len__(self) -> int:
        return len(self._attributes)


def _bytes_of(data: bytes) -> Read:
    return lambda offset, size: data[offset : offset + size]


def _inflated(read: Read, size: int) -> bytes:
    """Return the first bytes of a deflated data set, inflated."""
    inflater, out, position = zlib.decompressobj(-zlib.MAX_WBITS), b"", 0
    with suppress(zlib.error):
        while position < size and len(out) < MOST_INFLATED and not inflater.eof:
            deflated = read(position, _WINDOW)
            if not deflated:
                break
            position += len(deflated)
            while deflated and len(out) < MOST_INFLATED:
                out += inflater.decompress(deflated, MOST_INFLATED - len(out))
                deflated = inflater.unconsumed_tail
    return out


class _Loop:
    """The loop over the elements of a data set, with a window of its bytes."""

    def __init__(
        self, read: Read, size: int, transfer_syntax: TransferSyntax, wanted: Collection[int], head: bytes
    ) -> None:
        self._read, self._size, self._wanted = read, size, wanted
        self._window, self._base, self._left = head[:size], 0, LARGEST_HEADER
        self._syntax = transfer_syntax
        self._encoding = _encoding(transfer_syntax, self._bytes(0, 6))

    def _bytes(self, position: int, size: int) -> bytes:
        """Return bytes of the data set, fewer at its end, or behind too large a header."""
        index = position - self._base
        if index < 0 or index + size > len(self._window):
            count = max(0, min(max(size, _WINDOW), self._size - position, self._left))
            self._left -= count
            self._window, self._base, index = self._read(position, count) if count else b"", position, 0
        return self._window[index : index + size]

    def run(self) -> Header:
        """Read the header."""
        found: dict[int, reader.RawElement] = {}
        pixel_data = None
        with suppress(MalformedDataSet):
            pixel_data = self._elements(found)
        return Header(Decoded(found), pixel_data)

    def _elements(self, found: dict[int, reader.RawElement]) -> PixelData | None:
        position, wanted, last = 0, self._wanted, max(PIXEL_DATA, *self._wanted)
        while position + 8 <= self._size:
            tag, value, length = self._element(position)
            if tag in (PIXEL_DATA, *_PIXEL_DATA_TAGS):
                if tag == PIXEL_DATA and length:
                    return PixelData(value, -1 if length == UNDEFINED_LENGTH else min(length, self._size - value))
            elif tag > last or tag >> 16 == 0xFFFE:
                break
            after = value + length
            if length == UNDEFINED_LENGTH:
                after = self._end_of_items(value, self._encoding.implicit_vr)
            if after > self._size:
                break
            if tag in wanted and after - value <= LONGEST_VALUE:
                self._take(tag, position, after, found)
            position = after
        return None

    def _take(self, tag: int, start: int, end: int, found: dict[int, reader.RawElement]) -> None:
        """Read one element, with its items if it is a sequence."""
        data = self._bytes(start, end - start)
        with suppress(MalformedDataSet):
            elements = reader.read(data, self._syntax_as_read)
            if tag in elements:
                found.setdefault(tag, elements[tag])

    @property
    def _syntax_as_read(self) -> TransferSyntax:
        implicit, little = self._encoding.implicit_vr, self._syntax.little_endian
        return TransferSyntax(self._syntax.uid, implicit_vr=implicit, little_endian=little)

    def _element(self, position: int, implicit_vr: bool | None = None) -> tuple[int, int, int]:
        """Return the tag of an element, the offset of its value, and its length."""
        encoding = self._encoding
        header = self._bytes(position, 12)
        if len(header) < 8:
            raise MalformedDataSet("the header ends early")
        group, element, length = encoding.implicit.unpack_from(header)
        vr = header[4:6]
        tag = group << 16 | element
        if (encoding.implicit_vr if implicit_vr is None else implicit_vr) or group == 0xFFFE:
            return tag, position + 8, length
        if vr in SHORT_FORM:
            return tag, position + 8, encoding.explicit.unpack_from(header)[3]
        if vr in LONG_FORM or (vr.isalpha() and vr.isupper()):
            if len(header) < 12:
                raise MalformedDataSet("the header ends early")
            return tag, position + 12, encoding.length.unpack_from(header, 8)[0]
        return tag, position + 8, length

    def _end_of_items(self, position: int, implicit_vr: bool) -> int:
        """Return the offset behind a sequence of undefined length, or behind encapsulated fragments."""
        open_structures = [implicit_vr]
        while open_structures:
            implicit = open_structures[-1]
            tag, value, length = self._element(position, implicit)
            if tag in _DELIMITERS:
                open_structures.pop()
                position = value
            elif length != UNDEFINED_LENGTH:
                position = value + length
            else:
                if len(open_structures) > 2 * MOST_NESTED:
                    raise MalformedDataSet("sequences are nested too deep")
                # The items of a sequence that is encoded as UN are in Implicit VR (PS3.5 6.2.2).
                is_unknown = not implicit and self._bytes(position + 4, 2) == b"UN"
                open_structures.append(implicit or is_unknown)
                position = value
            if position > self._size:
                raise MalformedDataSet("a sequence ends early")
        return position


def _encoding(syntax: TransferSyntax, first: bytes) -> Encoding:
    """Return the encoding of the elements; the first element shows if they have a VR."""
    implicit_vr, vr = syntax.implicit_vr, first[4:6]
    if implicit_vr and (vr in SHORT_FORM or vr in LONG_FORM):
        implicit_vr = False
    elif not implicit_vr and len(vr) == 2 and not (vr.isalpha() and vr.isupper()):
        implicit_vr = True
    if syntax.little_endian:
        return EXPLICIT_LITTLE._replace(implicit_vr=implicit_vr)
    return EXPLICIT_BIG._replace(implicit_vr=implicit_vr)
