"""The encoding of data elements (PS3.5 section 7), as far as all code that reads or writes them needs it."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator

from dimse import uids
from dimse.uids import TransferSyntax

# PS3.5 7.1.2: the VRs with 16 bits of length, and those with 32 bits after two reserved bytes.
SHORT_FORM = frozenset(b"AE AS AT CS DA DS DT FL FD IS LO LT PN SH SL SS ST TM UI UL US".split())
LONG_FORM = frozenset(b"OB OD OF OL OV OW SQ SV UC UN UR UT UV".split())

UNDEFINED_LENGTH = 0xFFFFFFFF

IMPLICIT_VR_LITTLE_ENDIAN = TransferSyntax(uids.ImplicitVRLittleEndian, implicit_vr=True)
EXPLICIT_VR_LITTLE_ENDIAN = TransferSyntax(uids.ExplicitVRLittleEndian)

# The bytes of a large value that are processed at once. Meanwhile Python runs no other thread and no event loop.
PIECE = 1024 * 1024


def is_vr(letters: bytes) -> bool:
    """Return True if these bytes look like a VR, known or unknown. Otherwise they are the length of an element without a VR."""
    return letters.isalpha() and letters.isupper()


def tag_name(tag: int) -> str:
    """Return a tag in the Standard's notation: "(0008,0018)"."""
    return f"({tag >> 16:04X},{tag & 0xFFFF:04X})"


def pieces(value: bytes | memoryview) -> Iterator[bytes | memoryview]:
    """Yield a value in pieces of at most `PIECE` bytes."""
    if len(value) <= PIECE:
        yield value
        return
    view = memoryview(value)
    for start in range(0, len(view), PIECE):
        yield view[start : start + PIECE]


def deflate(buffers: Iterable[bytes | memoryview]) -> bytes:
    """Return a data set in Explicit VR Little Endian, given in pieces, as a deflated one of even length (PS3.5 A.5)."""
    compressor = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    deflated = b"".join(
        [*(compressor.compress(piece) for buffer in buffers for piece in pieces(buffer)), compressor.flush()]
    )
    return deflated + b"\0" * (len(deflated) % 2)
