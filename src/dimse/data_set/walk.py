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
from collections.abc import Collection
from contextlib import suppress

from dimse import uids
from dimse.data_set.encoding import is_vr
from dimse.data_set.source import (
    SOP_CLASS_UID,
    SOP_INSTANCE_UID,
    UIDS,
    UIDS_WITHIN,
    WINDOW,
    CutShort,
    Inflated,
    MalformedDataSet,
    NestedTooDeep,
    Plain,
    Read,
)
from dimse.data_set.steps import BIG, LITTLE, MAXIMUM_NESTING, PIXEL_DATA, UNKNOWN_END, Steps
from dimse.support.values import value
from dimse.uids import TransferSyntax

__all__ = [
    "FRONT",
    "MAXIMUM_NESTING",
    "UIDS_WITHIN",
    "WINDOW",
    "Amiss",
    "CutShort",
    "MalformedDataSet",
    "NestedTooDeep",
    "Outline",
    "Read",
    "first_inflated",
    "peek",
    "values_within",
    "walk",
]

FRONT = 16_384
"""Bytes at the front of a data set in which elements of groups 0000 and 0002 are tolerated, if its UIDs are behind them."""

_SERIES_INSTANCE_UID = 0x0020000E
_ROWS = 0x00280010
_BEFORE_PIXEL_DATA = 0x7FDF  # group
_OUTLINED = UIDS | {_SERIES_INSTANCE_UID}
_OUTLINED_IN_COMPRESSED = _OUTLINED | {PIXEL_DATA}


@value
class Amiss:
    """What about the encoding of a data set is not as it should be, and no reason to refuse it.

    Attributes:
        encoding: UID of the uncompressed transfer syntax that its elements are in, where that is not how the elements of its own
            transfer syntax are encoded, or where its pixel data is not compressed as that says; else None.
        compressed: Its pixel data is encapsulated, or all of it is deflated.
        mixed: Some of its elements have a VR, and others have none.
        left_out: Where elements of group 0002 begin and end that stand before its UIDs and in its first `FRONT` bytes: a sender
            leaves them out.
    """

    encoding: str | None = None
    compressed: bool = False
    mixed: bool = False
    left_out: tuple[tuple[int, int], ...] = ()


@value
class Outline:
    """What a walk finds.

    Attributes:
        sop_class_uid: (0008,0016), None if the data set has none or an empty one.
        sop_instance_uid: (0008,0018), likewise.
        end: Offset where the data set ends: less than the end that was given if padding with zero bytes follows.
        warnings: What is amiss and no reason to refuse it, a line each.
        series_instance_uid: (0020,000E), likewise as the first two.
        amiss: What is wrong with its encoding; None if nothing is.
    """

    sop_class_uid: str | None
    sop_instance_uid: str | None
    end: int
    warnings: tuple[str, ...] = ()
    series_instance_uid: str | None = None
    amiss: Amiss | None = None


def walk(read: Read, start: int, end: int, transfer_syntax: TransferSyntax | None, head: bytes = b"") -> Outline:
    """Step over every element of a data set, from `start` to `end`.

    Zero bytes after the last element are padding, however many: they cannot be elements of a data set, and files that were
    padded to whole blocks have them. But where an image has Rows (0028,0010) and no pixel data, they stand in its place.

    A deflated data set is inflated in bounded steps, all of it, if its UIDs are in the first `UIDS_WITHIN` bytes. One that is not
    deflated, though its transfer syntax is, is told by its first element.

    Args:
        read: Gives the bytes; asked for `WINDOW` bytes at most. The offsets grow, but that a padded data set is looked at twice.
        start: Offset of the first element.
        end: Offset after the last byte.
        transfer_syntax: None for a private or unknown one: taken as Little Endian, with VR if the first element has.
        head: What is at hand of the bytes from offset 0 on: of a data set that is not deflated it is not read again.

    Raises:
        MalformedDataSet: It is cut short, or not a data set in any transfer syntax that this one may be mistaken for.
    """
    deflated = transfer_syntax is not None and transfer_syntax.deflated
    is_deflated = deflated and not _begins_data_set(read(start, 8))
    if is_deflated:
        source = Inflated(read, start, end)
        steps = Steps(source, transfer_syntax, _OUTLINED)
        source.found = steps.values
        steps.run(0, UNKNOWN_END)
    else:
        compressed = transfer_syntax is not None and transfer_syntax.encapsulated
        wanted = _OUTLINED_IN_COMPRESSED if compressed else _OUTLINED
        steps = Steps(Plain(read, end, head), None if deflated else transfer_syntax, wanted)
        steps.front = start + FRONT
        limit, end = end, steps.run(start, end)
        if end < limit:
            _verify_pixel_data(Plain(read, end, head), start, end, steps)
    amiss = None
    is_other = steps.mislabelled or steps.native or deflated is not is_deflated
    if is_other or steps.mixed or steps.left_out:
        encoding = steps.syntax.uid if is_other else None
        amiss = Amiss(encoding, steps.encapsulated or is_deflated, steps.mixed, steps.left_out)
    if steps.encapsulated and transfer_syntax is not None and not (transfer_syntax.encapsulated or deflated):
        raise MalformedDataSet(f"its Pixel Data is compressed, which it may not be in {uids.name(transfer_syntax.uid)}")
    get, warnings = steps.values.get, tuple(steps.warnings.values())
    return Outline(
        get(SOP_CLASS_UID) or None,
        get(SOP_INSTANCE_UID) or None,
        end,
        warnings,
        get(_SERIES_INSTANCE_UID) or None,
        amiss,
    )


def _begins_data_set(first: bytes) -> bool:
    """Return whether the first bytes of a deflated data set are an element instead.

    A stream that began with them would be a stored block, whose length is followed by its complement (RFC 1951 3.2.4). What stands
    there in an element is no complement.
    """
    if first.startswith(LITTLE):
        return first[3:4] == b"\0"
    return first.startswith(BIG + b"\0") and is_vr(first[4:6])


def _verify_pixel_data(source: Plain, start: int, end: int, first: Steps) -> None:
    """Raise `MalformedDataSet` if the zero bytes behind a data set stand where its pixel data should."""
    # A second walk, for files with padding alone: to look out for pixel data in the first would cost every file its time.
    steps = Steps(source, first.syntax, (_ROWS,), _BEFORE_PIXEL_DATA)
    steps.front = first.front
    if steps.run(start, end) == end and _ROWS in steps.values:
        raise MalformedDataSet(f"cut short: only zero bytes from offset {end:,} on, where an image has its Pixel Data")


def peek(read: Read, end: int, transfer_syntax: TransferSyntax | None, tags: Collection[int] = UIDS) -> dict[int, str]:
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
    steps = Steps(Plain(read, end), transfer_syntax, tags, last_group=max(tags) >> 16, enough=len(tags))
    with suppress(MalformedDataSet):  # the rest of it is not here
        steps.run(0, UNKNOWN_END)
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
    steps = Steps(Plain(read, end), transfer_syntax, (tag,), within=sequence)
    steps.run(start, end)
    return list(steps.values.values()), steps.warnings.get("sequence")
