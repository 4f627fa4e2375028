"""A walk over the element headers of a data set (PS3.5 section 7), which finds out whether it is complete, and its UIDs.

Values are skipped, not read. Nothing is decoded, nothing recurses, and memory does not grow with the data set. The lengths must
add up, so that a truncated data set is noticed. Otherwise the walk is as tolerant as programs in the field. It accepts any order of
elements, odd lengths, unknown VRs, and lengths in delimiters. It also accepts elements without VR among others with one, bytes
behind a deflated stream, and zero bytes at the end.

A sequence is recognised by VR SQ or by an undefined length. Without a VR (Implicit VR, and UN) it is recognised by a value that
begins with an Item. A sequence of defined length whose content does not add up is skipped as a whole, since its own length gives
its end. That is a warning, unless it may not be a sequence at all.
"""

from __future__ import annotations

import zlib
from collections.abc import Collection, Mapping
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
    "CutShort",
    "EncodingFaults",
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
"""Bytes at the front of a data set in which elements of groups 0000 and 0002 are tolerated, if its UIDs follow them."""

_STUDY_INSTANCE_UID, _SERIES_INSTANCE_UID = 0x0020000D, 0x0020000E
_ROWS = 0x00280010
_BEFORE_PIXEL_DATA = 0x7FDF  # group
_OUTLINED = UIDS | {_STUDY_INSTANCE_UID, _SERIES_INSTANCE_UID}
_OUTLINED_IN_COMPRESSED = _OUTLINED | {PIXEL_DATA}


@value
class EncodingFaults:
    """The faults in the encoding of a data set that are no reason to refuse it.

    Attributes:
        encoding: The UID of the uncompressed transfer syntax of its elements, if it contradicts the transfer syntax of the data
            set. It is also set if the pixel data is not compressed as that transfer syntax says. Otherwise None.
        compressed: True if its pixel data is encapsulated, or all of it is deflated.
        mixed: True if some of its elements have a VR and others do not.
        left_out: The start and end of each element of group 0002 that stands before its UIDs and in its first `FRONT` bytes. A
            sender leaves these elements out.
    """

    encoding: str | None = None
    compressed: bool = False
    mixed: bool = False
    left_out: tuple[tuple[int, int], ...] = ()


@value
class Outline:
    """The result of a walk.

    Attributes:
        sop_class_uid: (0008,0016); None if it is missing or empty.
        sop_instance_uid: (0008,0018); None if it is missing or empty.
        end: The offset at which the data set ends, less than the given end if zero bytes of padding follow.
        warnings: Faults that are no reason to refuse it, one line each.
        series_instance_uid: (0020,000E); None if it is missing or empty.
        faults: The faults of its encoding; None without faults.
        values: By tag, the values that were read if the caller has named tags: text without padding, as Latin-1. Otherwise None.
        study_instance_uid: (0020,000D); None if it is missing or empty.
    """

    sop_class_uid: str | None
    sop_instance_uid: str | None
    end: int
    warnings: tuple[str, ...] = ()
    series_instance_uid: str | None = None
    faults: EncodingFaults | None = None
    values: Mapping[int, str] | None = None
    study_instance_uid: str | None = None


def walk(
    read: Read,
    start: int,
    end: int,
    transfer_syntax: TransferSyntax | None,
    head: bytes = b"",
    tags: Collection[int] = (),
) -> Outline:
    """Step over every element of a data set, from `start` to `end`.

    Zero bytes after the last element, up to 1 GiB of them, are padding: they cannot be elements. Some files are padded to whole
    blocks. But if an image has Rows (0028,0010) and no pixel data, they stand in the place of its pixel data.

    A deflated data set is inflated completely, in bounded steps, if its UIDs are in the first `UIDS_WITHIN` bytes. A data set that
    is not deflated, although its transfer syntax is, is recognised by its first element.

    Args:
        read: A function that returns bytes; it is asked for `WINDOW` bytes at most. The offsets grow, except that a padded data set
            is examined twice.
        start: The offset of the first element.
        end: The offset after the last byte.
        transfer_syntax: None if it is private or unknown. The data set then counts as Little Endian, with VR if the first element
            has one.
        head: The bytes from offset 0 on that are in memory. They are not read again unless the data set is deflated.
        tags: Tags of further elements of the data set itself whose values are wanted. Those of more than 1,024 bytes are left out.

    Raises:
        MalformedDataSet: It is truncated, or not a data set in any transfer syntax that may be mistaken for this one.
    """
    deflated = transfer_syntax is not None and transfer_syntax.deflated
    is_deflated = deflated and not _begins_data_set(read(start, 8))
    if is_deflated:
        source = Inflated(read, start, end)
        steps = Steps(source, transfer_syntax, _OUTLINED.union(tags) if tags else _OUTLINED)
        source.found = steps.values
        steps.run(0, UNKNOWN_END)
    else:
        compressed = transfer_syntax is not None and transfer_syntax.encapsulated
        wanted = _OUTLINED_IN_COMPRESSED if compressed else _OUTLINED
        if tags:
            wanted = wanted.union(tags)
        steps = Steps(Plain(read, end, head), None if deflated else transfer_syntax, wanted)
        steps.front = start + FRONT
        limit, end = end, steps.run(start, end)
        if end < limit:
            _verify_pixel_data(Plain(read, end, head), start, end, steps)
    faults = None
    is_other = steps.mislabelled or steps.native or deflated is not is_deflated
    if is_other or steps.mixed or steps.left_out:
        encoding = steps.syntax.uid if is_other else None
        faults = EncodingFaults(encoding, steps.encapsulated or is_deflated, steps.mixed, steps.left_out)
    if steps.encapsulated and transfer_syntax is not None and not (transfer_syntax.encapsulated or deflated):
        raise MalformedDataSet(f"its Pixel Data is compressed, which it may not be in {uids.name(transfer_syntax.uid)}")
    get, warnings = steps.values.get, tuple(steps.warnings.values())
    return Outline(
        get(SOP_CLASS_UID) or None,
        get(SOP_INSTANCE_UID) or None,
        end,
        warnings,
        get(_SERIES_INSTANCE_UID) or None,
        faults,
        steps.values if tags else None,
        get(_STUDY_INSTANCE_UID) or None,
    )


def _begins_data_set(first: bytes) -> bool:
    """Return True if the first bytes of a deflated data set are an element instead.

    A deflated stream that began with these bytes would be a stored block, whose length is followed by its complement (RFC 1951
    3.2.4). The bytes at that place in an element are not a complement.
    """
    if first.startswith(LITTLE):
        return first[3:4] == b"\0"
    return first.startswith(BIG + b"\0") and is_vr(first[4:6])


def _verify_pixel_data(source: Plain, start: int, end: int, first: Steps) -> None:
    """Raise `MalformedDataSet` if the zero bytes behind a data set stand where its pixel data should."""
    # Only padded files need this second walk. To look for pixel data in the first walk would slow down every file.
    steps = Steps(source, first.syntax, (_ROWS,), _BEFORE_PIXEL_DATA)
    steps.front = first.front
    if steps.run(start, end) == end and _ROWS in steps.values:
        raise MalformedDataSet(f"cut short: only zero bytes from offset {end:,} on, where an image has its Pixel Data")


def peek(read: Read, end: int, transfer_syntax: TransferSyntax | None, tags: Collection[int] = UIDS) -> dict[int, str]:
    """Return values from the beginning of a data set, by tag: by default, its SOP Class UID and SOP Instance UID.

    The walk ends at the last of `tags`, or at their last group. At most `WINDOW` bytes of a deflated data set are inflated. No
    content raises an exception. A value has no entry if it is not found for any reason, or is longer than 1,024 bytes. An empty
    value has one.

    Args:
        read: A function that returns bytes, from offset 0 on; it is asked for `WINDOW` bytes at most.
        end: The offset at which to stop; the data set may be longer.
        transfer_syntax: The transfer syntax, as for `walk`.
        tags: The tags of elements of the data set itself, not of those in a sequence. The values are text without padding, as
            Latin-1.
    """
    if transfer_syntax is not None and transfer_syntax.deflated:
        head = first_inflated(read, end)
        read, end = lambda offset, size: head[offset : offset + size], len(head)
    steps = Steps(Plain(read, end), transfer_syntax, tags, last_group=max(tags) >> 16, most_values=len(tags))
    # The rest of the data set may be missing.
    with suppress(MalformedDataSet):
        steps.run(0, UNKNOWN_END)
    return steps.values


def first_inflated(read: Read, end: int) -> bytes:
    """Return the first bytes of a deflated data set, at most `WINDOW` of them; none if it cannot be inflated."""
    try:
        return zlib.decompressobj(-zlib.MAX_WBITS).decompress(read(0, min(end, WINDOW)), WINDOW)
    except zlib.error:
        return b""


def values_within(
    read: Read, start: int, end: int, transfer_syntax: TransferSyntax, sequence: int, tag: int
) -> tuple[list[str], str | None]:
    """Return the values of one element in the Items of a sequence, in their order.

    Args:
        read, start, end: The bytes, as for `walk`.
        transfer_syntax: A transfer syntax that is not deflated.
        sequence: The tag of a sequence of the data set itself.
        tag: The tag of the elements in its Items; their values are text without padding, as Latin-1.

    Returns:
        The values, and the reason why the rest of a sequence was skipped, if one was.

    Raises:
        MalformedDataSet: See `walk`.
    """
    steps = Steps(Plain(read, end), transfer_syntax, (tag,), within=sequence)
    steps.run(start, end)
    return list(steps.values.values()), steps.warnings.get("sequence")
