"""The encoding of data elements (PS3.5 section 7), as far as all code that reads or writes them needs it."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator

from dimse import uids
from dimse.data_set.source import BeyondLimits, CutShort, MalformedDataSet
from dimse.uids import TransferSyntax

# PS3.5 7.1.2: the VRs with 16 bits of length, and those with 32 bits after two reserved bytes.
SHORT_FORM = frozenset(b"AE AS AT CS DA DS DT FL FD IS LO LT PN SH SL SS ST TM UI UL US".split())
LONG_FORM = frozenset(b"OB OD OF OL OV OW SQ SV UC UN UR UT UV".split())

UNDEFINED_LENGTH = 0xFFFFFFFF

IMPLICIT_VR_LITTLE_ENDIAN = TransferSyntax(uids.ImplicitVRLittleEndian, implicit_vr=True)
EXPLICIT_VR_LITTLE_ENDIAN = TransferSyntax(uids.ExplicitVRLittleEndian)

# The bytes of a large value that are processed at once. Meanwhile Python runs no other thread and no event loop.
PIECE = 1024 * 1024
MOST_INFLATED = 256 * 1024 * 1024
"""The most bytes that a deflated data set may have in memory. Without a limit, one of 1 MB could take 1 GB."""


def is_vr(letters: bytes) -> bool:
    """Return True if these bytes look like a VR, known or unknown. Otherwise they are the length of an element without a VR."""
    return letters.isalpha() and letters.isupper()


def pieces(value: bytes | memoryview) -> Iterator[bytes | memoryview]:
    """Yield a value in pieces of at most `PIECE` bytes."""
    if len(value) <= PIECE:
        yield value
        return
    view = memoryview(value)
    for start in range(0, len(view), PIECE):
        yield view[start : start + PIECE]


def inflate(deflated: bytes | memoryview, most: int = MOST_INFLATED) -> bytes:
    """Return the data set in a deflated one (PS3.5 A.5).

    Raises:
        MalformedDataSet: It is damaged or cut short, or inflates to more than `most` bytes; the message says which.
    """
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        data = inflater.decompress(deflated, most + 1)
    except zlib.error as error:
        raise MalformedDataSet(f"the deflated data set cannot be inflated: {error}") from error
    if len(data) > most:
        raise BeyondLimits(f"the data set has more than {most:,} bytes when it is inflated")
    if not inflater.eof:
        raise CutShort("the deflated data set is cut short")
    return data


def deflate(buffers: Iterable[bytes | memoryview]) -> bytes:
    """Return a data set in Explicit VR Little Endian, given in pieces, as a deflated one of even length (PS3.5 A.5)."""
    compressor = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    deflated = b"".join(
        [*(compressor.compress(piece) for buffer in buffers for piece in pieces(buffer)), compressor.flush()]
    )
    return deflated + b"\0" * (len(deflated) % 2)
