"""A look at a data set that was received: the values that a receiver needs, and whether the data set ends inside an element.

A receiver keeps what it is sent, so it is more tolerant than a sender has to be. What counts is that nothing was lost on the way:
element lengths of the data set itself have to add up to its size. The rest is a remark.
"""

from __future__ import annotations

from collections.abc import Collection
from contextlib import suppress

from dimse.data_set.encoding import SHORT_FORM, tag_name
from dimse.data_set.source import WINDOW, CutShort, MalformedDataSet, Plain, Read
from dimse.data_set.steps import DELIMITERS, NOT_IN_DATA_SETS, Frame, Steps
from dimse.data_set.walk import first_inflated
from dimse.support.values import value
from dimse.uids import TransferSyntax

MOST_STRAY = 1_000
"""Elements and delimiters that do not belong in a data set and are stepped over: behind the last of them nothing is looked at."""


@value
class Survey:
    """What a receiver finds in a data set.

    Attributes:
        values: Values by tag, as of `dimse.data_set.walk.peek`, from wherever they stand in the data set.
        cut_short: Where the data set ends inside an element, in one line; empty if it does not.
        remarks: What is amiss besides and no reason to refuse it, a line each.
    """

    values: dict[int, str]
    cut_short: str = ""
    remarks: tuple[str, ...] = ()


def survey(
    read: Read, end: int, transfer_syntax: TransferSyntax, tags: Collection[int], head: bytes | memoryview = b""
) -> Survey:
    """Step over the elements of a data set: find values, and whether it ends inside an element.

    These are stepped over: elements of groups that do not belong in a data set, delimiters without a sequence, sequences and
    Items of defined length whatever is in them, and zero bytes at the end. Where the survey cannot go on for another reason than
    the end of the bytes, the rest is not looked at, which is a remark. Of a deflated data set it looks at the first `WINDOW`
    inflated bytes, and does not check where it ends.

    Args:
        read: Gives the bytes, from offset 0 on; asked for `WINDOW` bytes at most.
        end: The size of the data set.
        transfer_syntax: That of the data set.
        tags: As for `dimse.data_set.walk.peek`.
        head: What is at hand of the bytes from offset 0 on.
    """
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
    return Survey(steps.values, cut_short, tuple(steps.warnings.values()))


class _Survey(Steps):
    """A walk that goes on wherever a receiver can."""

    enters_all = False
    _stray = 0  # elements and delimiters that do not belong where they stand

    def _out_of_place(self, frame: Frame, position: int, group: int, element: int) -> int:
        """Step over what does not belong in a data set; the data set has ended where garbage stands in the place of an element."""
        what = f"{tag_name(group << 16 | element)} at offset {position:,}"
        if group > DELIMITERS:
            raise CutShort(f"cut short: {what} is not an element")
        is_stray = group in NOT_IN_DATA_SETS and any(self._bytes(position, 8))
        is_delimiter = group == DELIMITERS and not frame.tag and position + 8 <= frame.limit
        if not (is_stray or is_delimiter):
            return super()._out_of_place(frame, position, group, element)
        self._stray += 1
        if self._stray > MOST_STRAY:
            raise MalformedDataSet(f"{what} does not belong in a data set, as {MOST_STRAY:,} before it")
        self.warnings.setdefault("stray", f"{what} does not belong in a data set")
        return position + 8 if is_delimiter else self._behind(frame, position, what)

    def _behind(self, frame: Frame, position: int, what: str) -> int:
        """Return the offset behind an element."""
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
        """Step over the zero bytes after the last element, however many there are."""
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
