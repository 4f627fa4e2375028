"""Re-encode a data set for a peer that does not accept the file's own transfer syntax (PS3.5 section 7, Annex A).

The data set is split into its elements and written again, with tags, VRs and lengths in the target's form. Values keep their bytes,
except for a byte order that their VR demands. So no value can change. Compressed pixel data is decompressed by the decoders that
are installed (`pip install "dimse[codecs]"`).
"""

from __future__ import annotations

from collections.abc import Collection

from dimse import uids
from dimse.data_set.decompress import COMPRESSED, decompress, may_decompress
from dimse.data_set.elements import Unfit, read, write
from dimse.data_set.encoding import EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN
from dimse.errors import FileError
from dimse.uids import TransferSyntax

# The transfer syntaxes that can be written, best first.
_UNCOMPRESSED = {
    syntax.uid: syntax
    for syntax in (
        EXPLICIT_VR_LITTLE_ENDIAN,
        IMPLICIT_VR_LITTLE_ENDIAN,
        TransferSyntax(uids.DeflatedExplicitVRLittleEndian, deflated=True),
        TransferSyntax(uids.ExplicitVRBigEndian, little_endian=False),
    )
}


def targets(source: str, accepted: Collection[str], *, lossy: bool) -> list[str]:
    """Return the accepted transfer syntaxes to which a file in `source` can be re-encoded.

    For some transfer syntaxes the UID alone does not tell whether pixel data is lossy compressed. These are near-lossless JPEG-LS,
    and JPEG 2000 and High-Throughput JPEG 2000 in their general form. The answer is then optimistic, and `transcode` examines the
    data set.

    Args:
        source: The Transfer Syntax UID of the file.
        accepted: The Transfer Syntax UIDs that the peer accepts for the SOP class.
        lossy: True if lossy compressed pixel data may be decompressed.

    Returns:
        Transfer Syntax UIDs, best first; may be empty.
    """
    if source not in _UNCOMPRESSED and not may_decompress(source, lossy=lossy, lossy_image_compression="00"):
        return []
    return [uid for uid in _UNCOMPRESSED if uid in accepted]


def transcode(data_set: bytes | memoryview, source: str, target: str, *, path: str, lossy: bool = False) -> bytes:
    """Re-encode a data set without loss.

    Only what the encoding demands changes. Group lengths are dropped (retired, PS3.5 7.2), and sequences and items get undefined
    length. A value that is too long for its VR, or whose VR cannot be known, becomes UN (PS3.5 6.2.2). For decompressed Pixel Data,
    Photometric Interpretation describes the new pixels. The SOP Instance UID stays.

    Args:
        data_set: The bytes of the data set, in memory: a map cannot be read after its file has been truncated.
        source: The Transfer Syntax UID of the data set.
        target: The transfer syntax to write, one of those that `targets` returns. It may be `source` itself, for a data set whose
            elements have another encoding.
        path: The path of the file, for error messages.
        lossy: True if lossy compressed pixel data may be decompressed. Otherwise a transfer syntax that can be lossy counts as
            lossy unless Lossy Image Compression (0028,2110) is 00. JPEG Baseline and Extended always count as lossy.

    Returns:
        The data set, of even length, and deflated if the transfer syntax is.

    Raises:
        FileError: The data set cannot be re-encoded without loss; the message has the reason.
        ValueError: `target` cannot be written.
    """
    encoding = _UNCOMPRESSED.get(source)
    if target == source and not encoding:
        encoding = uids.transfer_syntax(source)
    written = encoding if target == source else _UNCOMPRESSED.get(target)
    if written is None:
        raise ValueError(f"cannot write transfer syntax {target!r}")
    try:
        if not encoding and source not in COMPRESSED:
            raise Unfit(f"a data set in {uids.name(source)} cannot be re-encoded")
        elements = read(memoryview(data_set), encoding or EXPLICIT_VR_LITTLE_ENDIAN)
        if not encoding:
            elements = decompress(elements, source, lossy=lossy)
        return write(elements, written)
    except Unfit as error:
        raise FileError(path, str(error)) from error
