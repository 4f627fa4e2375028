"""Re-encode a data set for a peer that does not accept the file's own transfer syntax (PS3.5 section 7, Annex A).

The data set is taken apart into its elements and written again: tags, VRs and lengths in the target's form, the values
as they are, byte for byte, but for the byte order that their VR demands. So nothing can change on the way. Compressed pixel
data is decompressed by the decoders that are installed (`pip install "dimse[codecs]"`).
"""

from __future__ import annotations

from collections.abc import Collection

from dimse import uids
from dimse.data_set.decompress import COMPRESSED, decompress, may_decompress
from dimse.data_set.elements import EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN, Unfit, read, write
from dimse.errors import FileError
from dimse.uids import TransferSyntax

# What can be written, best first.
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
    """Say which accepted transfer syntaxes a file in `source` can be re-encoded to.

    Where the syntax alone cannot tell whether pixel data is lossy compressed (near-lossless JPEG-LS, JPEG 2000 and
    High-Throughput JPEG 2000 in their general form), the answer is hopeful: `transcode` looks at the data set.

    Args:
        source: Transfer Syntax UID of the file.
        accepted: Transfer Syntax UIDs that the peer accepts for the SOP class.
        lossy: May lossy compressed pixel data be decompressed?

    Returns:
        Transfer Syntax UIDs, best first; empty if there are none.
    """
    if source not in _UNCOMPRESSED and not may_decompress(source, lossy=lossy, lossy_image_compression="00"):
        return []
    return [uid for uid in _UNCOMPRESSED if uid in accepted]


def transcode(data_set: bytes | memoryview, source: str, target: str, *, path: str, lossy: bool = False) -> bytes:
    """Re-encode a data set without loss.

    Only what the encoding demands changes: group lengths are left out (retired, PS3.5 7.2), sequences and items get
    undefined length, a value too long for its VR or of a VR that cannot be known becomes UN (PS3.5 6.2.2). Of
    decompressed Pixel Data, Photometric Interpretation says what the pixels are now; the SOP Instance UID stays.

    Args:
        data_set: Its bytes, in memory: of a map whose file is cut short meanwhile no byte can be read.
        source: Transfer Syntax UID that it is in.
        target: The syntax to write, one of those that `targets` gives; or `source` itself, for a data set whose elements are not
            encoded as they are in it.
        path: Its file, for what is said of errors.
        lossy: May lossy compressed pixel data be decompressed? If not, a syntax that can be lossy counts as lossy
            unless Lossy Image Compression (0028,2110) says 00; JPEG Baseline and Extended always do.

    Returns:
        The data set, of even length; deflated if the syntax is.

    Raises:
        FileError: It cannot be re-encoded without loss; says why.
        ValueError: `target` is not one that can be written.
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
