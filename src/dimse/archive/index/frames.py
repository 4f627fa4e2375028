"""The table of the compressed frames of an instance, as the database keeps it: offsets and lengths, compressed."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence

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
