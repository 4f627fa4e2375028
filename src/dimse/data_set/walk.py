"""A walk over the element headers of a data set (PS3.5 section 7): is it whole, and which SOP instance is it?

Values are stepped over, not read; nothing is decoded, nothing recurses, and memory does not grow with the data set.
What counts is that lengths add up, so that a data set that was cut short is seen. About the rest the walk is as
tolerant as the programs in the field: order of elements, odd lengths, unknown VRs, lengths in delimiters, elements
without VR among others with one, what follows a deflated stream, zero bytes at the end.

Sequences are entered wherever they can be told: by VR SQ, by an undefined length, and, where there is no VR to tell
(Implicit VR, and UN), by a value that begins with an Item. One of defined length whose content does not add up is
stepped over as a whole, since its own length still says where it ends: with a warning, unless it may be no sequence
at all.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from struct import Struct
from typing import NamedTuple

from dimse.encoding import LONG_FORM, SHORT_FORM, UNDEFINED_LENGTH, is_vr, tag_name
from dimse.uids import TransferSyntax
from dimse.values import value

MAXIMUM_NESTING = 64
"""Sequences within sequences: far beyond any real data set, and a limit of parsers in the field."""
WINDOW = 65_536
"""Bytes that are looked at in one piece, at most; also the most that `peek` inflates."""
UIDS_WITHIN = 4 * 1024 * 1024
"""Inflated bytes of a deflated data set in which its UIDs have to be: a few hundred are in front of them in any real one."""

_FIRST_WINDOW = 4_096  # where a long value has been stepped over: what follows is often short, or another long value
_DEFLATED_WINDOW = 16_384
_LONGEST_HEADER = 12
_LONGEST_VALUE = 1_024  # read as it is up to here; whether it is a valid UID, or text, is not for us to say
_UNKNOWN_END = 1 << 62

_SOP_CLASS_UID = 0x00080016
_SOP_INSTANCE_UID = 0x00080018
_SERIES_INSTANCE_UID = 0x0020000E
_PIXEL_DATA = 0x7FE00010
_DELIMITERS = 0xFFFE  # group of the three below
_ITEM, _ITEM_DELIMITATION, _SEQUENCE_DELIMITATION = 0xE000, 0xE00D, 0xE0DD
_ITEM_TAG = b"\xfe\xff\x00\xe0"  # in Little Endian
_UIDS = frozenset((_SOP_CLASS_UID, _SOP_INSTANCE_UID))
_OUTLINED = _UIDS | {_SERIES_INSTANCE_UID}
_NOT_IN_DATA_SETS = frozenset((0x0000, 0x0002))  # groups of the command set and the File Meta Information

_SHORT_FORM = SHORT_FORM | {b"??"}  # what some programs write for a VR that they do not know
_NO_VR = frozenset((b"", b"UN"))  # these do not tell a sequence from a value


class MalformedDataSet(ValueError):
    """The bytes are not a whole data set; the message says what is wrong and where, in one line."""


class CutShort(MalformedDataSet):
    """The data set ends inside an element, or goes on with bytes that are none."""


class NestedTooDeep(MalformedDataSet):
    """More than `MAXIMUM_NESTING` sequences within each other."""


@value
class Outline:
    """What a walk finds.

    Attributes:
        sop_class_uid: (0008,0016), None if the data set has none or an empty one.
        sop_instance_uid: (0008,0018), likewise.
        end: Offset where the data set ends: less than the end that was given if padding with zero bytes follows.
        warnings: What is amiss and no reason to refuse it, a line each.
        series_instance_uid: (0020,000E), likewise as the first two.
    """

    sop_class_uid: str | None
    sop_instance_uid: str | None
    end: int
    warnings: tuple[str, ...] = ()
    series_instance_uid: str | None = None


Read = Callable[[int, int], bytes]
"""`read(offset, size)`: up to `size` bytes from `offset` on; fewer only where there are no more."""


def walk(read: Read, start: int, end: int, transfer_syntax: TransferSyntax | None, head: bytes = b"") -> Outline:
    """Step over every element of a data set, from `start` to `end`.

    Zero bytes after the last element, at most `WINDOW` of them, are padding: they cannot be elements of a data set,
    and files that were padded to whole blocks have them. A deflated data set is inflated in bounded steps, all of it, if its UIDs
    are in the first `UIDS_WITHIN` bytes.

    Args:
        read: Gives the bytes; asked for `WINDOW` bytes at most.
        start: Offset of the first element.
        end: Offset after the last byte.
        transfer_syntax: None for a private or unknown one: taken as Little Endian, with VR if the first element has.
        head: What is at hand of the bytes from offset 0 on: of a data set that is not deflated it is not read again.

    Raises:
        MalformedDataSet: It is cut short, or no data set in this transfer syntax.
    """
    if transfer_syntax is not None and transfer_syntax.deflated:
        source = _Inflated(read, start, end)
        steps = _Walk(source, transfer_syntax, _OUTLINED)
        source.found = steps.values
        steps.run(0, _UNKNOWN_END)
    else:
        steps = _Walk(_Plain(read, end, head), transfer_syntax, _OUTLINED)
        end = steps.run(start, end)
    get, warnings = steps.values.get, tuple(steps.warnings.values())
    return Outline(
        get(_SOP_CLASS_UID) or None, get(_SOP_INSTANCE_UID) or None, end, warnings, get(_SERIES_INSTANCE_UID) or None
    )


def peek(read: Read, end: int, transfer_syntax: TransferSyntax | None, tags: Collection[int] = _UIDS) -> dict[int, str]:
    """Values from the beginning of a data set, by tag: without `tags`, its SOP Class UID and SOP Instance UID.

    The walk goes no further than the last of `tags`, or their last group; of a deflated data set `WINDOW` bytes at most are
    inflated. Never raises for what the bytes say: a value that is not found, whatever the reason, or is longer than 1,024 bytes,
    has no entry. An empty one has.

    Args:
        read: Gives the bytes, from offset 0 on; asked for `WINDOW` bytes at most.
        end: How far to look; the data set may be longer.
        transfer_syntax: As for `walk`.
        tags: Of elements of the data set itself, not of one in a sequence; their values are text without padding, as Latin-1.
    """
    if transfer_syntax is not None and transfer_syntax.deflated:
        head = first_inflated(read, end)
        read, end = lambda offset, size: head[offset : offset + size], len(head)
    steps = _Walk(_Plain(read, end), transfer_syntax, tags, last_group=max(tags) >> 16, enough=len(tags))
    with suppress(MalformedDataSet):  # the rest of it is not here
        steps.run(0, _UNKNOWN_END)
    return steps.values


def first_inflated(read: Read, end: int) -> bytes:
    """Return the first bytes of a deflated data set, `WINDOW` of them at most; none if it does not inflate."""
    try:
        return zlib.decompressobj(-zlib.MAX_WBITS).decompress(read(0, min(end, WINDOW)), WINDOW)
    except zlib.error:
        return b""


def values_within(
    read: Read, start: int, end: int, transfer_syntax: TransferSyntax, sequence: int, tag: int
) -> tuple[list[str], str | None]:
    """The values of one element in the Items of a sequence, in their order.

    Args:
        read, start, end: As for `walk`.
        transfer_syntax: One that is not deflated.
        sequence: Tag of a sequence of the data set itself.
        tag: Of elements in its Items; their values are text without padding, as Latin-1.

    Returns:
        The values, and why the rest of a sequence was stepped over, if one was.

    Raises:
        MalformedDataSet: As `walk`.
    """
    steps = _Walk(_Plain(read, end), transfer_syntax, (tag,), within=sequence)
    steps.run(start, end)
    return list(steps.values.values()), steps.warnings.get("sequence")


class _Plain:
    """Bytes that can be read anywhere; asked for positions that only grow."""

    def __init__(self, read: Read, end: int, head: bytes = b"") -> None:
        self._read, self._end, self.head = read, end, head[:end]
        self._size, self._loaded = _FIRST_WINDOW, 0

    def load(self, position: int, size: int) -> bytes:
        """At least `size` bytes from `position` on; fewer only where there are no more."""
        # Many small elements in a row are read in growing windows; after a long value one begins small again.
        near = position < self._loaded + self._size
        self._size = min(2 * self._size, WINDOW) if near else _FIRST_WINDOW
        size = min(max(self._size, size), max(0, self._end - position))
        at_hand = position + size <= len(self.head)
        window = self.head[position : position + size] if at_hand else self._read(position, size)
        self._loaded = position + len(window)
        return window


class _Inflated:
    """The inflated bytes of a deflated data set (PS3.5 A.5), of which a window is kept: a source like `_Plain`."""

    head = b""

    def __init__(self, read: Read, start: int, end: int) -> None:
        self._read, self._next, self._end = read, start, end
        self._inflate = zlib.decompressobj(-zlib.MAX_WBITS)
        self._window, self._base = b"", 0  # inflated bytes, and the inflated offset where they begin
        self.found: Mapping[int, str] = {}  # what the walk has found so far, by tag

    def load(self, position: int, size: int) -> bytes:
        while (inflated := self._base + len(self._window)) < position + size and (more := self._more()):
            if inflated >= UIDS_WITHIN and not self.found.keys() >= _UIDS:
                raise MalformedDataSet(f"its UIDs are not among the first {UIDS_WITHIN:,} bytes that it inflates to")
            kept = self._window[max(0, position - self._base) :]
            self._base += len(self._window) - len(kept)
            self._window = kept + more
        if position > self._base + len(self._window):
            raise CutShort(
                f"cut short: the data set ends within an element, {position:,} bytes from its start (inflated)"
            )
        return self._window[position - self._base :]

    def _more(self) -> bytes:
        """Up to `WINDOW` inflated bytes more; none at the end of the stream."""
        inflate = self._inflate
        while not inflate.eof:
            deflated = inflate.unconsumed_tail or self._compressed()
            try:
                inflated = inflate.decompress(deflated, WINDOW)
            except zlib.error as error:
                raise MalformedDataSet(f"the deflated data set does not inflate: {error}") from None
            if inflated:
                return inflated
            if not deflated:
                raise CutShort(f"cut short: the deflated data set is not complete at offset {self._end:,}")
        return b""

    def _compressed(self) -> bytes:
        deflated = self._read(self._next, min(_DEFLATED_WINDOW, self._end - self._next))
        self._next += len(deflated)
        return deflated


_Encoding = NamedTuple(
    "_Encoding",
    [
        ("implicit_vr", bool),
        ("explicit", Struct),  # group, element, VR, 16 bits of length
        ("implicit", Struct),  # group, element, 32 bits of length; Items and delimiters too
        ("length", Struct),  # 32 bits of length
    ],
)
"""How the headers of elements are read."""

_IMPLICIT_LITTLE = _Encoding(True, Struct("<HH2sH"), Struct("<HHL"), Struct("<L"))
_EXPLICIT_LITTLE = _IMPLICIT_LITTLE._replace(implicit_vr=False)
_EXPLICIT_BIG = _Encoding(False, Struct(">HH2sH"), Struct(">HHL"), Struct(">L"))


_Frame = NamedTuple(
    "_Frame",
    [
        ("steps", Callable[..., int]),  # walks its content: until it ends, or something in it is entered
        ("limit", int),  # its end; where that is undefined, the end of what it is in
        ("undefined", bool),  # a delimiter closes it
        ("encoding", _Encoding),
        ("tag", int),  # of the element that it is, or is an Item of; 0 for the data set
        ("depth", int),  # sequences that it is in, itself included
        ("presumed", bool),  # taken for a sequence only because its value begins with an Item
    ],
)
"""What holds the place where the walk is: the data set, a sequence, an Item, encapsulated pixel data."""


class _Walk:
    """The state of one walk: a stack of frames, and the window of bytes around the place where it is.

    Attributes:
        enters_all: Sequences and Items of defined length are entered too, to find what is amiss in them.
    """

    enters_all = True

    def __init__(
        self,
        source: _Plain | _Inflated,
        transfer_syntax: TransferSyntax | None,
        wanted: Collection[int],
        last_group: int = _DELIMITERS - 1,
        within: int = 0,
        enough: int = -1,
    ) -> None:
        self.values: dict[int, str] = {}  # by tag; those within a sequence by their offsets
        self.warnings: dict[str, str] = {}  # one of a kind: a data set may hold any number of faults
        self._source, self._transfer_syntax = source, transfer_syntax
        self._wanted, self._within, self._last_group = wanted, within, last_group
        self._enough = enough  # when there are so many values, there is no need to go on
        self._looked_at = frozenset([tag & 0xFFFF for tag in wanted])  # element numbers, in whatever group
        self._frames: list[_Frame] = []
        self._window, self._base = source.head, 0

    def run(self, start: int, end: int) -> int:
        """Walk to `end`, or as far as the source goes if that is `_UNKNOWN_END`; return where the data set ends."""
        self._frames.append(_Frame(_Walk._elements, end, False, self._encoding(start), 0, 0, False))
        position = start
        while self._frames:
            frame = self._frames[-1]
            try:
                position = frame.steps(self, frame, position)
            except NestedTooDeep:
                raise
            except MalformedDataSet as error:
                position = self._step_over(error)
        return position

    def _encoding(self, start: int) -> _Encoding:
        vr = self._bytes(start, 6)[4:]
        syntax, implicit_vr = self._transfer_syntax, len(vr) == 2 and not is_vr(vr)
        if syntax is None:
            return _IMPLICIT_LITTLE if implicit_vr else _EXPLICIT_LITTLE
        if syntax.implicit_vr:  # these letters may be a length
            implicit_vr = vr not in _SHORT_FORM and vr not in LONG_FORM
        if implicit_vr is not syntax.implicit_vr:
            words = ("Explicit VR", "Implicit VR")
            self.warnings["vr"] = (
                f"the data set is in {words[implicit_vr]}, its transfer syntax in {words[not implicit_vr]}"
            )
        if implicit_vr:
            return _IMPLICIT_LITTLE
        return _EXPLICIT_LITTLE if syntax.little_endian else _EXPLICIT_BIG

    def _bytes(self, position: int, size: int) -> bytes:
        """`size` bytes from `position` on; fewer only where there are no more."""
        index = position - self._base
        if not 0 <= index <= len(self._window) - size:
            self._window, self._base, index = self._source.load(position, size), position, 0
        return self._window[index : index + size]

    def _step_over(self, error: MalformedDataSet) -> int:
        """Leave the innermost sequence of defined length, and go on at its end; `error` is raised if there is none."""
        while self._frames:
            frame = self._frames.pop()
            if frame.steps is _Walk._items and not frame.undefined:
                if not frame.presumed:
                    self.warnings.setdefault("sequence", f"within {tag_name(frame.tag)}: {error}")
                return frame.limit
        raise error

    def _elements(self, frame: _Frame, position: int) -> int:
        """Walk the elements of the data set or of an Item."""
        _, limit, _, (implicit_vr, explicit, implicit, _), item_of, _, _ = frame
        last_group = _DELIMITERS - 1 if item_of else self._last_group
        looked_at = self._looked_at if item_of == self._within else frozenset()
        window, base, vr = self._window, self._base, b""
        index, most, last = position - base, limit - base, len(window) - _LONGEST_HEADER
        while index < most:
            if index > last:  # a header may not be all in the window
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
            # Nearly all elements are plain, a header of 8 bytes and a value, and nobody looks at them: that has to be fast.
            if plain and element not in looked_at and 0x0002 < group <= last_group and after <= most:
                index = after
                continue
            position = base + index
            value = position + 8
            if not plain and not implicit_vr:
                vr, value, length = self._long_form(frame, position, vr)
            if group > last_group or group in _NOT_IN_DATA_SETS:
                return self._out_of_place(frame, position, group, element)
            tag = group << 16 | element
            if element in looked_at and tag in self._wanted:
                self._take(tag, position, value, length, limit)
                if len(self.values) == self._enough:
                    self._frames.clear()
                    return value
            if not plain and self._is_entered(vr, value, length):
                return self._enter(position, tag, vr, value, length)
            if value + length > limit:
                raise _beyond(position, tag_name(tag), length, limit - value)
            index = value + length - base
        return self._close(frame, base + index)

    def _is_entered(self, vr: bytes, value: int, length: int) -> bool:
        """Whether an element holds Items; where that is not known, whether its value begins with one."""
        if length == UNDEFINED_LENGTH or not self.enters_all:
            return length == UNDEFINED_LENGTH
        if vr == b"SQ":
            return True
        return vr in _NO_VR and length >= 8 and self._bytes(value, 4) == _ITEM_TAG

    def _long_form(self, frame: _Frame, position: int, vr: bytes) -> tuple[bytes, int, int]:
        """VR, offset of the value and its length, for an element whose VR is not one of the short form."""
        header = self._bytes(position, _LONGEST_HEADER)
        if not is_vr(vr):  # Items and delimiters have none; some programs leave it out elsewhere
            return b"", position + 8, frame.encoding.implicit.unpack_from(header)[2]
        if len(header) == _LONGEST_HEADER:
            (length,) = frame.encoding.length.unpack_from(header, 8)
            # A VR younger than these tables has the long form (PS3.5 7.1.2); but mistaken ones of the short form exist.
            fits = not any(header[6:8]) and (
                length == UNDEFINED_LENGTH or position + _LONGEST_HEADER + length <= frame.limit
            )
            if vr in LONG_FORM or fits:
                return vr, position + _LONGEST_HEADER, length
        elif vr in LONG_FORM:
            raise CutShort(f"cut short: the header of an element at offset {position:,} is not complete")
        return vr, position + 8, frame.encoding.explicit.unpack_from(header)[3]

    def _take(self, tag: int, position: int, value: int, length: int, limit: int) -> None:
        if length > _LONGEST_VALUE:
            if self._within or tag in _UIDS:
                raise MalformedDataSet(f"{tag_name(tag)} at offset {position:,} is too long: {length:,} bytes")
            return
        text = self._bytes(value, length)
        if len(text) < length or value + length > limit:
            raise CutShort(f"cut short: {tag_name(tag)} at offset {position:,} is not complete")
        # The first counts where there are two, which is not allowed: a peek and a walk are to find the same.
        self.values.setdefault(position if self._within else tag, text.decode("latin-1").strip("\0 "))

    def _enter(self, position: int, tag: int, vr: bytes, value: int, length: int) -> int:
        """Begin a sequence, or encapsulated pixel data (PS3.5 A.4)."""
        frame, undefined = self._frames[-1], length == UNDEFINED_LENGTH
        limit = frame.limit if undefined else value + length
        if limit > frame.limit:
            raise _beyond(position, tag_name(tag), length, frame.limit - value)
        encoding = _IMPLICIT_LITTLE if vr == b"UN" else frame.encoding  # PS3.5 6.2.2
        if undefined and (vr in (b"OB", b"OW") or tag == _PIXEL_DATA):
            self._frames.append(_Frame(_Walk._fragments, limit, True, frame.encoding, tag, frame.depth, False))
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
        self._frames.append(_Frame(_Walk._items, limit, undefined, encoding, tag, frame.depth + 1, presumed))
        return value

    def _item(self, frame: _Frame, position: int) -> tuple[int, int]:
        """Element number and length of the Item or delimiter at `position`."""
        header = self._bytes(position, 8)
        if len(header) < 8 or position + 8 > frame.limit:
            raise CutShort(
                f"cut short: {tag_name(frame.tag)} ends at offset {position + len(header):,} within an Item's header"
            )
        group, element, length = frame.encoding.implicit.unpack(header)
        if group != _DELIMITERS or element not in (_ITEM, _SEQUENCE_DELIMITATION):
            raise MalformedDataSet(
                f"{tag_name(group << 16 | element)} at offset {position:,} where an Item of {tag_name(frame.tag)} is due"
            )
        return element, length

    def _items(self, frame: _Frame, position: int) -> int:
        """Walk the Items of a sequence."""
        while position < frame.limit:
            element, length = self._item(frame, position)
            position += 8
            if element == _ITEM:
                undefined = length == UNDEFINED_LENGTH
                limit = frame.limit if undefined else position + length
                if limit > frame.limit:
                    raise _beyond(position - 8, f"an Item of {tag_name(frame.tag)}", length, frame.limit - position)
                if not (undefined or self.enters_all):
                    position = limit
                    continue
                self._frames.append(
                    _Frame(_Walk._elements, limit, undefined, frame.encoding, frame.tag, frame.depth, False)
                )
                return position
            if frame.undefined:
                self._frames.pop()
                return position
        return self._close(frame, position)

    def _fragments(self, frame: _Frame, position: int) -> int:
        """Walk the fragments of encapsulated pixel data."""
        while position < frame.limit:
            element, length = self._item(frame, position)
            position += 8
            if element != _ITEM:
                self._frames.pop()
                return position
            if position + length > frame.limit:
                raise _beyond(position - 8, f"a fragment of {tag_name(frame.tag)}", length, frame.limit - position)
            position += length
        return self._close(frame, position)

    def _close(self, frame: _Frame, position: int) -> int:
        """Leave what ends where its length says."""
        if frame.undefined:
            what = "an Item of " if frame.steps is _Walk._elements else ""
            raise CutShort(
                f"cut short: {what}{tag_name(frame.tag)} is of undefined length and not closed at offset {position:,}"
            )
        self._frames.pop()
        return position

    def _out_of_place(self, frame: _Frame, position: int, group: int, element: int) -> int:
        """What is no element of a data set: a delimiter, padding, the end of a peek, or a fault."""
        if group == _DELIMITERS and element == _ITEM_DELIMITATION and frame.tag and position + 8 <= frame.limit:
            if frame.undefined:  # else a delimiter that is not needed, and harmless
                self._frames.pop()
            return position + 8
        if not frame.tag:
            if group > self._last_group and group != _DELIMITERS:
                self._frames.clear()
                return position
            if group == 0 and element == 0:
                return self._rest(frame, position)
        raise MalformedDataSet(f"{tag_name(group << 16 | element)} at offset {position:,} is no element of a data set")

    def _rest(self, frame: _Frame, position: int) -> int:
        """The end of the data set's bytes, where it ends, or zero bytes, which are padding; else it is cut short."""
        rest = self._bytes(position, WINDOW)
        ended = len(rest) < WINDOW if frame.limit == _UNKNOWN_END else len(rest) == frame.limit - position
        if frame.tag or not ended or any(rest):
            raise CutShort(f"cut short: no element at offset {position:,}, and {len(rest):,} bytes")
        self._frames.pop()
        if rest:
            self.warnings["padding"] = f"{len(rest):,} zero bytes follow the data set"
        return position


def _beyond(position: int, what: str, length: int, available: int) -> CutShort:
    return CutShort(
        f"cut short: {what} at offset {position:,} is of {length:,} bytes, and {max(0, available):,} are there"
    )
