"""The compressed frames of an instance: their places in the data set (PS3.5 A.4), and the table that the database keeps."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Sequence

_ITEM = b"\xfe\xff\x00\xe0"
_UNDEFINED = 0xFFFFFFFF

MOST_FRAMES = 1_000_000
"""Frames of a table; a longer one is left out."""


def pack(table: Sequence[tuple[int, int]]) -> bytes | None:
    """Return a table of frames as bytes; None for an empty one."""
    if not table or len(table) > MOST_FRAMES:
        return None
    numbers: list[int] = []
    end = 0
    for offset, length in table:
        # Small numbers compress well: frames follow each other, and are of similar lengths.
        numbers += (offset - end, length)
        end = offset + length
    return zlib.compress(struct.pack(f"<{len(numbers)}q", *numbers), 6)


def unpack(packed: bytes | None) -> tuple[tuple[int, int], ...]:
    """Return the table of frames in the bytes that `pack` made."""
    if not packed:
        return ()
    data = zlib.decompress(packed)
    numbers = struct.unpack(f"<{len(data) // 8}q", data)
    table, end = [], 0
    for gap, length in zip(numbers[::2], numbers[1::2], strict=True):
        table.append((end + gap, length))
        end += gap + length
    return tuple(table)


def locate_frames(read: Callable[[int, int], bytes], offset: int, frames: int) -> tuple[tuple[int, int], ...]:
    """Return the offset and the length of each frame of encapsulated pixel data, the items around its fragments left out.

    A frame of several fragments counts from the value of its first to the end of its last one, with the headers between them. Where
    the frames have no one fragment each, the Basic Offset Table says which fragments begin one.

    Args:
        read: A function that returns bytes of the data set by offset and size.
        offset: The offset of the value of Pixel Data.
        frames: The number of frames.

    Returns:
        The frames; none if their places are unknown.
    """
    table, position = _fragment(read, offset)
    if table is None or frames > MOST_FRAMES:
        return ()
    first = position
    fragments: list[tuple[int, int]] = []
    while (found := _fragment(read, position))[0] is not None and len(fragments) <= MOST_FRAMES:
        fragments.append(found[0])
        position = found[1]
    if len(fragments) == frames:
        return tuple(fragments)
    if frames == 1 and fragments:
        starts = {first}
    else:
        count = table[1] // 4
        starts = (
            {first + one for one in struct.unpack(f"<{count}L", read(table[0], 4 * count))}
            if count <= MOST_FRAMES
            else set()
        )
    if len(starts) != frames or not starts <= {start - 8 for start, _ in fragments}:
        return ()
    return _joined(fragments, starts)


def _fragment(read: Callable[[int, int], bytes], position: int) -> tuple[tuple[int, int] | None, int]:
    """Return the place of the fragment whose Item begins at `position`, None without one, and the offset behind it."""
    header = read(position, 8)
    if len(header) < 8 or header[:4] != _ITEM:
        return None, position
    (length,) = struct.unpack_from("<L", header, 4)
    if length == _UNDEFINED:
        return None, position
    return (position + 8, length), position + 8 + length


def _joined(fragments: Sequence[tuple[int, int]], starts: set[int]) -> tuple[tuple[int, int], ...]:
    """Return frames of fragments; a frame begins with each fragment whose Item is at one of the offsets."""
    frames: list[tuple[int, int]] = []
    for start, length in fragments:
        if start - 8 in starts:
            frames.append((start, length))
        elif frames:
            begin = frames[-1][0]
            frames[-1] = begin, start + length - begin
    return tuple(frames)
