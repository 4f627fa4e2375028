"""A survey of a received data set: the values that a receiver needs, and whether the data set ends inside an element.

A receiver keeps what it receives, so it is more tolerant than a sender has to be. It must notice that bytes were lost on the way.
Therefore the element lengths of the data set itself must add up to its size. Other faults are remarks.
"""

from __future__ import annotations

from collections.abc import Collection
from contextlib import suppress

from dimse.data_set.encoding import LONG_FORM, SHORT_FORM, UNDEFINED_LENGTH
from dimse.data_set.source import WINDOW, CutShort, MalformedDataSet, Plain, Read
from dimse.data_set.steps import (
    DELIMITERS,
    EXPLICIT_LITTLE,
    IMAGE_PRESENTATION,
    LITTLE,
    LONGEST_VALUE,
    NOT_IN_DATA_SETS,
    PIXEL_DATA,
    Frame,
    Steps,
)
from dimse.data_set.walk import first_inflated
from dimse.support.text import tag_name
from dimse.support.values import value
from dimse.uids import TransferSyntax

MOST_STRAY = 1_000
"""Elements and delimiters that do not belong in a data set and are skipped. After the last of them the survey stops."""


@value
class Survey:
    """The result of a survey.

    Attributes:
        values: The values by tag, as in `dimse.data_set.walk.peek`, from anywhere in the data set. Those of group 0028 keep their
            padding, since most of them are binary.
        cut_short: The place at which the data set ends inside an element, in one line; empty if it does not.
        remarks: Other faults that are no reason to refuse it, one line each.
        pixel_data: The offset of the value of Pixel Data (7FE0,0010) and its length as written, if that tag was among the wanted
            ones. It is None without it, and in a deflated data set.
    """

    values: dict[int, str]
    cut_short: str = ""
    remarks: tuple[str, ...] = ()
    pixel_data: tuple[int, int] | None = None


def survey(
    read: Read, end: int, transfer_syntax: TransferSyntax, tags: Collection[int], head: bytes | memoryview = b""
) -> Survey:
    """Walk over the elements of a data set, to find values, and to test whether it ends inside an element.

    The survey skips elements of groups that do not belong in a data set, delimiters without a sequence, and zero bytes at the end.
    It also skips sequences and Items of defined length, whatever their content. If it cannot continue for another reason than the
    end of the bytes, it stops, and adds a remark. In a deflated data set it examines the first `WINDOW` inflated bytes, and does
    not check the end.

    Args:
        read: A function that returns bytes, from offset 0 on; it is asked for `WINDOW` bytes at most.
        end: The size of the data set.
        transfer_syntax: The transfer syntax of the data set.
        tags: The tags of the values, as for `dimse.data_set.walk.peek`.
        head: The bytes from offset 0 on that are in memory.
    """
    plain = _values(head, end, transfer_syntax, tags)
    if plain is not None:
        return plain
    if transfer_syntax.deflated:
        inflated = first_inflated(read, end)
        steps = _Survey(Plain(lambda offset, size: b"", len(inflated), inflated), transfer_syntax, tags)
        with suppress(MalformedDataSet):
            steps.run(0, len(inflated))
        return Survey(steps.values)
    steps, cut_short = _Survey(Plain(read, end, bytes(head)), transfer_syntax, tags), ""
    try:
        steps.run(0, end)
    except CutShort as error:
        cut_short = str(error)
    except MalformedDataSet as error:
        steps.warnings["rest"] = f"{error}; the rest is not looked at"
    return Survey(steps.values, cut_short, tuple(steps.warnings.values()), steps.pixel_data)


def _values(
    head: bytes | memoryview, end: int, transfer_syntax: TransferSyntax, tags: Collection[int]
) -> Survey | None:
    """Return the survey of a data set without faults, all of whose headers are in memory; None for any other one.

    Nearly all data sets are so: elements of defined length in Little Endian, up to the end. A walk takes twice the time.
    """
    if transfer_syntax.deflated or not transfer_syntax.little_endian or head[:2] != LITTLE:
        return None
    implicit_vr, vr = transfer_syntax.implicit_vr, bytes(head[4:6])
    if implicit_vr and (vr in SHORT_FORM or vr in LONG_FORM):
        return None
    implicit, explicit = EXPLICIT_LITTLE.implicit.unpack_from, EXPLICIT_LITTLE.explicit.unpack_from
    numbers = {tag & 0xFFFF for tag in tags}
    values: dict[int, str] = {}
    pixel_data = None
    index, last = 0, len(head) - 8
    while index <= last:
        if implicit_vr:
            group, element, length = implicit(head, index)
            value = index + 8
        else:
            group, element, vr, length = explicit(head, index)
            value = index + 8
            if vr not in SHORT_FORM:
                if length or vr not in LONG_FORM or index > last - 4:
                    return None
                (length,) = EXPLICIT_LITTLE.length.unpack_from(head, value)
                value += 4
        after = value + length
        if length == UNDEFINED_LENGTH or after > end or not 0x0002 < group < DELIMITERS:
            return None
        if element in numbers and (tag := group << 16 | element) in tags:
            if tag == PIXEL_DATA:
                pixel_data = value, length
            elif length > LONGEST_VALUE or after > len(head):
                return None
            else:
                text = str(head[value:after], "latin-1")
                # As `text_of`, which would be called for each value.
                values.setdefault(tag, text if group == IMAGE_PRESENTATION else text.strip("\0 "))
        index = after
    return Survey(values, pixel_data=pixel_data) if index == end else None


class _Survey(Steps):
    """A walk that continues wherever a receiver can."""

    enters_all = False
    _stray = 0  # elements and delimiters out of place

    def _out_of_place(self, frame: Frame, position: int, group: int, element: int) -> int:
        """Skip an element that does not belong in a data set. Garbage in its place means that the data set has ended."""
        what = f"{tag_name(group << 16 | element)} at offset {position:,}"
        if group > DELIMITERS:
            raise CutShort(f"cut short: {what} is not an element")
        is_stray = group in NOT_IN_DATA_SETS and any(self._bytes(position, 8))
        is_delimiter = group == DELIMITERS and not frame.tag and position + 8 <= frame.limit
        if not (is_stray or is_delimiter):
            return super()._out_of_place(frame, position, group, element)
        self._stray += 1
        if self._stray > MOST_STRAY:
            raise MalformedDataSet(f"{what} does not belong in a data set, like {MOST_STRAY:,} before it")
        self.warnings.setdefault("stray", f"{what} does not belong in a data set")
        return position + 8 if is_delimiter else self._end_of_element(frame, position, what)

    def _end_of_element(self, frame: Frame, position: int, what: str) -> int:
        """Return the offset after an element."""
        header, encoding = self._bytes(position, 8), frame.encoding
        value, length = position + 8, int(encoding.implicit.unpack(header)[2])
        if not encoding.implicit_vr:
            _, _, vr, length = encoding.explicit.unpack(header)
            if vr not in SHORT_FORM:
                _, value, length = self._long_form(frame, position, vr)
        if value + length > frame.limit:
            raise CutShort(f"cut short: {what} is of {length:,} bytes, and {max(0, frame.limit - value):,} are there")
        return value + length

    def _rest(self, frame: Frame, position: int) -> int:
        """Skip the zero bytes after the last element, however many there are."""
        place = position
        while place < frame.limit:
            rest = self._bytes(place, min(WINDOW, frame.limit - place))
            if frame.tag or not rest or any(rest):
                raise CutShort(f"cut short: no element at offset {position:,}, and {frame.limit - position:,} bytes")
            place += len(rest)
        self._frames.pop()
        if place > position:
            self.warnings["padding"] = f"{place - position:,} zero bytes follow the data set"
        return place
