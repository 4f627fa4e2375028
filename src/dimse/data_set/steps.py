"""The steps of a walk over a data set (PS3.5 section 7): from element to element, into sequences and Items, and out again.

Nothing recurses: a stack of frames holds the open structures. `dimse.data_set.walk` says what is tested and what is tolerated.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from struct import Struct
from typing import NamedTuple

from dimse import uids
from dimse.data_set.encoding import (
    EXPLICIT_VR_LITTLE_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
    LONG_FORM,
    SHORT_FORM,
    UNDEFINED_LENGTH,
    is_vr,
)
from dimse.data_set.source import UIDS, WINDOW, CutShort, Inflated, MalformedDataSet, NestedTooDeep, Plain
from dimse.support.text import tag_name
from dimse.uids import TransferSyntax

MAXIMUM_NESTING = 64
"""Nested sequences, far beyond any real data set. Other parsers in the field have this limit too."""

_LONGEST_HEADER = 12
# Longer values are not read. Whether a value is a valid UID or text is not tested here.
LONGEST_VALUE = 1_024
UNKNOWN_END = 1 << 62

PIXEL_DATA = 0x7FE00010
IMAGE_PRESENTATION = 0x0028  # group of the description of pixels
DELIMITERS = 0xFFFE  # group of the three below
_ITEM, _ITEM_DELIMITATION, _SEQUENCE_DELIMITATION = 0xE000, 0xE00D, 0xE0DD
_ITEM_TAG = b"\xfe\xff\x00\xe0"  # in Little Endian
_FILE_META = 0x0002  # group of the File Meta Information
# Group 0000 is that of the command set.
NOT_IN_DATA_SETS = frozenset((0x0000, _FILE_META))
# Equal bytes, FFH or 00H. A sparse file of any size may have a hole behind its data set, and one second is enough to read it.
_LEAST_FILL, _MOST_FILL = 8, 1 << 30

# Some programs write "??" for a VR that they do not know.
_SHORT_FORM = SHORT_FORM | {b"??"}
_NO_VR = frozenset((b"", b"UN"))  # perhaps a sequence

Encoding = NamedTuple(
    "Encoding",
    [
        ("implicit_vr", bool),
        # Group, element, VR, 16 bits of length.
        ("explicit", Struct),
        # Group, element, 32 bits of length; for Items and delimiters too.
        ("implicit", Struct),
        ("length", Struct),  # 32 bits of length
    ],
)
"""The structs that read the headers of elements."""

IMPLICIT_LITTLE = Encoding(True, Struct("<HH2sH"), Struct("<HHL"), Struct("<L"))
EXPLICIT_LITTLE = IMPLICIT_LITTLE._replace(implicit_vr=False)
EXPLICIT_BIG = Encoding(False, Struct(">HH2sH"), Struct(">HHL"), Struct(">L"))

# The keys are: elements have no VR; they are in Little Endian.
_ENCODINGS = {
    (True, True): (IMPLICIT_LITTLE, IMPLICIT_VR_LITTLE_ENDIAN),
    (False, True): (EXPLICIT_LITTLE, EXPLICIT_VR_LITTLE_ENDIAN),
    (False, False): (EXPLICIT_BIG, TransferSyntax(uids.ExplicitVRBigEndian, little_endian=False)),
}
# The group number with which data sets begin, in either byte order. The Standard has no group 0800H.
LITTLE, BIG = (b"\x08\0", b"\0\x08")


Frame = NamedTuple(
    "Frame",
    [
        # A function that walks the content, until it ends or something in it is entered.
        ("steps", Callable[..., int]),
        # The end of the content; if it is undefined, the end of the enclosing structure.
        ("limit", int),
        ("undefined", bool),  # a delimiter closes it
        ("encoding", Encoding),
        # The tag of the element, also for its Items; 0 for the data set.
        ("tag", int),
        # The number of sequences around the content, itself included.
        ("depth", int),
        # True if it counts as a sequence only because its value begins with an Item.
        ("presumed", bool),
    ],
)
"""An open structure of the walk: the data set, a sequence, an Item, encapsulated pixel data."""


def text_of(group: int, value: bytes | memoryview) -> str:
    """Return a value as text. Those of group 0028, which describe pixels, are binary for the most part and keep all bytes."""
    text = str(value, "latin-1")
    return text if group == IMAGE_PRESENTATION else text.strip("\0 ")


class Steps:
    """The state of one walk: a stack of frames, and a window of bytes around its position.

    Attributes:
        enters_all: True to enter sequences and Items of defined length, in order to find faults in them.
        values: The values by tag; within a sequence, by their offsets.
        warnings: One warning of each kind, since a data set may have any number of faults.
        syntax: An uncompressed transfer syntax with the encoding of the elements.
        mislabelled: True if the given transfer syntax has another encoding.
        encapsulated: True if the pixel data is encapsulated.
        pixel_data: The offset of the value of the pixel data, and its length as written; None if it was not searched for or found.
        native: True if pixel data was searched for, and is present and not encapsulated.
        mixed, left_out: See `EncodingFaults`.
        front: The offset before which elements of group 0002 are left out, if no UID precedes them.
    """

    enters_all = True
    # Nearly every walk keeps these values.
    mislabelled = encapsulated = native = mixed = False
    pixel_data: tuple[int, int] | None = None
    front = 0
    left_out: tuple[tuple[int, int], ...] = ()
    # The end of a sequence without any content written, and the fault.
    _nothing_written: tuple[int, MalformedDataSet] | None = None

    def __init__(
        self,
        source: Plain | Inflated,
        transfer_syntax: TransferSyntax | None,
        wanted: Collection[int],
        last_group: int = DELIMITERS - 1,
        within: int = 0,
        most_values: int = -1,
    ) -> None:
        self.values: dict[int, str] = {}
        self.warnings: dict[str, str] = {}
        self._source, self._transfer_syntax = source, transfer_syntax
        self._wanted, self._within, self._last_group = wanted, within, last_group
        # The number of values after which the walk may stop.
        self._most_values = most_values
        # Element numbers, whatever their group.
        self._element_numbers = frozenset([tag & 0xFFFF for tag in wanted])
        self._frames: list[Frame] = []
        self._window, self._base = source.head, 0

    def run(self, start: int, end: int) -> int:
        """Walk to `end`, or to the end of the source if that is `UNKNOWN_END`, and return the offset where the data set ends."""
        self._frames.append(Frame(Steps._elements, end, False, self._encoding(start), 0, 0, False))
        position = start
        while self._frames:
            frame = self._frames[-1]
            try:
                position = frame.steps(self, frame, position)
            except NestedTooDeep:
                raise
            except MalformedDataSet as error:
                position = self._step_over(error)
        if self._nothing_written is not None and self._nothing_written[0] == position:
            raise self._nothing_written[1]
        return position

    def _encoding(self, start: int) -> Encoding:
        """Return the encoding of the data set. Its first element shows it, whatever the transfer syntax."""
        first = self._bytes(start, 6)
        group, vr = first[:2], first[4:]
        said, implicit_vr = self._transfer_syntax, len(vr) == 2 and not is_vr(vr)
        if said is not None and said.implicit_vr:
            # These letters may be a length.
            implicit_vr = vr not in _SHORT_FORM and vr not in LONG_FORM
        little_endian = implicit_vr or group == LITTLE or (group != BIG and (said is None or said.little_endian))
        if said is not None and (implicit_vr, little_endian) != (said.implicit_vr, said.little_endian):
            self.mislabelled = True
        encoding, self.syntax = _ENCODINGS[implicit_vr, little_endian]
        return encoding

    def _bytes(self, position: int, size: int) -> bytes:
        """Return `size` bytes at `position`, or fewer at the end of the bytes."""
        index = position - self._base
        if not 0 <= index <= len(self._window) - size:
            self._window, self._base, index = self._source.load(position, size), position, 0
        return self._window[index : index + size]

    def _step_over(self, error: MalformedDataSet) -> int:
        """Leave the innermost sequence of defined length, and continue at its end; raise `error` outside of such a sequence.

        It is also raised if nothing was written from there to the end of the sequence. If the value may not be a sequence at all,
        this applies only if nothing follows it: then the data set is truncated.
        """
        while self._frames:
            frame = self._frames.pop()
            if frame.steps is Steps._items and not frame.undefined:
                if error.position is not None and self._is_fill(error.position + _LONGEST_HEADER, frame.limit):
                    if not frame.presumed:
                        raise error
                    self._nothing_written = frame.limit, error
                if not frame.presumed:
                    self.warnings.setdefault("sequence", f"within {tag_name(frame.tag)}: {error}")
                return frame.limit
        raise error

    def _is_fill(self, position: int, limit: int) -> bool:
        """Return True if the bytes from `position` to `limit` are all FFH, or all zero."""
        if position + _LEAST_FILL > limit:
            return False
        fill = self._bytes(position, 1)
        return fill in (b"\xff", b"\0") and self._end_of(fill, position, limit) is not None

    def _end_of(self, fill: bytes, position: int, limit: int) -> int | None:
        """Return the end of the bytes, which is `limit` if that is known, if all from `position` on are `fill`; otherwise None.

        More than `_MOST_FILL` bytes count as other ones, and are not read if `limit` is known.
        """
        most = position + _MOST_FILL
        if most < limit != UNKNOWN_END:
            return None
        while position < min(limit, most):
            window = self._bytes(position, min(WINDOW, limit - position))
            if window.count(fill) < len(window):
                return None
            position += len(window)
            if not window:
                return position if limit == UNKNOWN_END else None
        return position if position <= most else None

    def _elements(self, frame: Frame, position: int) -> int:
        """Walk the elements of the data set or of an Item."""
        _, limit, _, (implicit_vr, explicit, implicit, _), item_of, _, _ = frame
        last_group = DELIMITERS - 1 if item_of else self._last_group
        looked_at = self._element_numbers if item_of == self._within else frozenset()
        window, base, vr = self._window, self._base, b""
        index, most, last = position - base, limit - base, len(window) - _LONGEST_HEADER
        while index < most:
            # The window may not hold the whole header.
            if index > last:
                base += index
                window = self._window = self._source.load(base, _LONGEST_HEADER)
                self._base, index, most, last = base, 0, limit - base, max(0, len(window) - _LONGEST_HEADER)
                if len(window) < 8:
                    return self._rest(frame, base)
            if implicit_vr:
                group, element, length = implicit.unpack_from(window, index)
                plain = length < 8 or (length != UNDEFINED_LENGTH and window[index + 8 : index + 12] != _ITEM_TAG)
            else:
                group, element, vr, length = explicit.unpack_from(window, index)
                plain = vr in _SHORT_FORM
            after = index + 8 + length
            # Nearly all elements are plain, with a header of 8 bytes and a value that is not wanted. This path has to be fast.
            if plain and element not in looked_at and 0x0002 < group <= last_group and after <= most:
                index = after
                continue
            position = base + index
            value = position + 8
            if not plain and not implicit_vr:
                vr, value, length = self._long_form(frame, position, vr, group)
            if group > last_group or (
                group in NOT_IN_DATA_SETS and not self._leaves_out(group, position, value + length)
            ):
                return self._out_of_place(frame, position, group, element)
            tag = group << 16 | element
            if element in looked_at and tag in self._wanted:
                self._take(tag, position, value, length, limit)
                if len(self.values) == self._most_values:
                    self._frames.clear()
                    return value
            if not plain and self._is_entered(vr, value, length):
                return self._enter(position, tag, vr, value, length)
            if value + length > limit:
                raise _cut_short(position, tag_name(tag), length, limit - value)
            index = value + length - base
        return self._close(frame, base + index)

    def _leaves_out(self, group: int, position: int, after: int) -> bool:
        """Return True for an element at the front that is left out: one of File Meta Information, or of a command."""
        if group > _FILE_META or self.values or after > self.front or not any(self._bytes(position, 8)):
            return False
        if group == _FILE_META:
            self.left_out += ((position, after),)
        else:
            self.warnings["command"] = "elements of a command (group 0000) stand in the data set"
        return True

    def _is_entered(self, vr: bytes, value: int, length: int) -> bool:
        """Return True if an element holds Items; if that is unknown, if its value begins with one."""
        if length == UNDEFINED_LENGTH or not self.enters_all:
            return length == UNDEFINED_LENGTH
        if vr == b"SQ":
            return True
        return vr in _NO_VR and length >= 8 and self._bytes(value, 4) == _ITEM_TAG

    def _long_form(self, frame: Frame, position: int, vr: bytes, group: int = 0) -> tuple[bytes, int, int]:
        """Return VR, offset of the value and its length, for an element whose VR is not one of the short form."""
        header = self._bytes(position, _LONGEST_HEADER)
        # Items and delimiters have no VR, and some programs omit it elsewhere.
        if not is_vr(vr):
            if 0 < group < DELIMITERS:
                self.mixed = True
            return b"", position + 8, frame.encoding.implicit.unpack_from(header)[2]
        if len(header) == _LONGEST_HEADER:
            (length,) = frame.encoding.length.unpack_from(header, 8)
            # A VR younger than these tables has the long form (PS3.5 7.1.2), but some files have mistaken ones of the short form.
            fits = not any(header[6:8]) and (
                length == UNDEFINED_LENGTH or position + _LONGEST_HEADER + length <= frame.limit
            )
            if vr in LONG_FORM or fits:
                return vr, position + _LONGEST_HEADER, length
        elif vr in LONG_FORM:
            raise CutShort(f"cut short: the header of an element at offset {position:,} is not complete")
        return vr, position + 8, frame.encoding.explicit.unpack_from(header)[3]

    def _take(self, tag: int, position: int, value: int, length: int, limit: int) -> None:
        if tag == PIXEL_DATA:
            self.native = 0 < length < UNDEFINED_LENGTH
            self.pixel_data = value, length
            return
        if length > LONGEST_VALUE:
            if self._within or tag in UIDS:
                raise MalformedDataSet(f"{tag_name(tag)} at offset {position:,} is too long: {length:,} bytes")
            return
        text = self._bytes(value, length)
        if len(text) < length or value + length > limit:
            raise CutShort(f"cut short: {tag_name(tag)} at offset {position:,} is not complete")
        # Of two values, which are not allowed, the first counts, so that a peek and a walk find the same.
        self.values.setdefault(position if self._within else tag, text_of(tag >> 16, text))

    def _enter(self, position: int, tag: int, vr: bytes, value: int, length: int) -> int:
        """Begin a sequence, or encapsulated pixel data (PS3.5 A.4)."""
        frame, undefined = self._frames[-1], length == UNDEFINED_LENGTH
        limit = frame.limit if undefined else value + length
        if limit > frame.limit:
            raise _cut_short(position, tag_name(tag), length, frame.limit - value)
        encoding = IMPLICIT_LITTLE if vr == b"UN" else frame.encoding  # PS3.5 6.2.2
        if undefined and (vr in (b"OB", b"OW") or tag == PIXEL_DATA):
            self.encapsulated = self.encapsulated or frame.depth == 0
            self._frames.append(Frame(Steps._fragments, limit, True, frame.encoding, tag, frame.depth, False))
            return value
        if undefined and vr not in (b"SQ", b"UN") and (vr in _SHORT_FORM or vr in LONG_FORM):
            raise MalformedDataSet(
                f"{tag_name(tag)} at offset {position:,} is of undefined length, which {vr.decode()} may not be"
            )
        if frame.depth == MAXIMUM_NESTING:
            raise NestedTooDeep(
                f"{tag_name(tag)} at offset {position:,}: sequences are nested more than {MAXIMUM_NESTING} deep"
            )
        presumed = not undefined and vr != b"SQ"
        self._frames.append(Frame(Steps._items, limit, undefined, encoding, tag, frame.depth + 1, presumed))
        return value

    def _item(self, frame: Frame, position: int) -> tuple[int, int]:
        """Return element number and length of the Item or delimiter at `position`."""
        header = self._bytes(position, 8)
        if len(header) < 8 or position + 8 > frame.limit:
            raise CutShort(
                f"cut short: {tag_name(frame.tag)} ends at offset {position + len(header):,} within an Item's header"
            )
        group, element, length = frame.encoding.implicit.unpack(header)
        if group != DELIMITERS or element not in (_ITEM, _SEQUENCE_DELIMITATION):
            raise MalformedDataSet(
                f"{tag_name(group << 16 | element)} at offset {position:,} where an Item of {tag_name(frame.tag)} is due",
                position,
            )
        return element, length

    def _items(self, frame: Frame, position: int) -> int:
        """Walk the Items of a sequence."""
        while position < frame.limit:
            element, length = self._item(frame, position)
            position += 8
            if element == _ITEM:
                undefined = length == UNDEFINED_LENGTH
                limit = frame.limit if undefined else position + length
                if limit > frame.limit:
                    raise _cut_short(position - 8, f"an Item of {tag_name(frame.tag)}", length, frame.limit - position)
                if not (undefined or self.enters_all):
                    position = limit
                    continue
                self._frames.append(
                    Frame(Steps._elements, limit, undefined, frame.encoding, frame.tag, frame.depth, False)
                )
                return position
            if frame.undefined:
                self._frames.pop()
                return position
        return self._close(frame, position)

    def _fragments(self, frame: Frame, position: int) -> int:
        """Walk the fragments of encapsulated pixel data."""
        while position < frame.limit:
            element, length = self._item(frame, position)
            position += 8
            if element != _ITEM:
                self._frames.pop()
                return position
            if position + length > frame.limit:
                raise _cut_short(position - 8, f"a fragment of {tag_name(frame.tag)}", length, frame.limit - position)
            position += length
        return self._close(frame, position)

    def _close(self, frame: Frame, position: int) -> int:
        """Leave a structure whose length gives its end."""
        if frame.undefined:
            what = "an Item of " if frame.steps is Steps._elements else ""
            raise CutShort(
                f"cut short: {what}{tag_name(frame.tag)} is of undefined length and not closed at offset {position:,}"
            )
        self._frames.pop()
        return position

    def _out_of_place(self, frame: Frame, position: int, group: int, element: int) -> int:
        """Handle what is not an element of a data set: a delimiter, padding, the end of a peek, or a fault."""
        if group == DELIMITERS and element == _ITEM_DELIMITATION and frame.tag and position + 8 <= frame.limit:
            # Otherwise the delimiter is superfluous, and harmless.
            if frame.undefined:
                self._frames.pop()
            return position + 8
        if not frame.tag:
            if group == DELIMITERS and element != _ITEM and position + 8 == frame.limit:
                self.warnings["delimiter"] = "a delimiter that closes nothing ends the data set"
                return position + 8
            if self._last_group < group < DELIMITERS:
                self._frames.clear()
                return position
            if group == 0 and element == 0:
                return self._rest(frame, position)
        raise MalformedDataSet(
            f"{tag_name(group << 16 | element)} at offset {position:,} is not an element of a data set", position
        )

    def _rest(self, frame: Frame, position: int) -> int:
        """Leave the data set at the end of its bytes, or where only zero bytes follow, which are padding.

        Raises:
            CutShort: Other bytes follow.
        """
        end = None if frame.tag else self._end_of(b"\0", position, frame.limit)
        if end is None:
            left = f", and {frame.limit - position:,} bytes" if frame.limit != UNKNOWN_END else ""
            raise CutShort(f"cut short: no element at offset {position:,}{left}")
        self._frames.pop()
        if end > position:
            self.warnings["padding"] = f"{end - position:,} zero bytes follow the data set"
        return position


def _cut_short(position: int, what: str, length: int, available: int) -> CutShort:
    return CutShort(
        f"cut short: {what} at offset {position:,} is of {length:,} bytes, and {max(0, available):,} are there",
        position,
    )
