"""Decompression of pixel data (PS3.5 A.4, PS3.3 C.7.6.3), by the decoders that pydicom finds installed.

A warning of pydicom would reach the user or, if warnings are errors, stop the work; and `warnings.catch_warnings` is not safe with
threads. So pydicom never sees a data set here, but one frame at a time with its description. The description is corrected
beforehand where pydicom would correct it with a warning.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from pydicom.pixels.decoders.base import get_decoder
from pydicom.pixels.utils import get_j2k_parameters

from dimse import uids
from dimse.data_set.elements import (
    BITS_ALLOCATED,
    PIXEL_DATA,
    PIXEL_REPRESENTATION,
    DataSet,
    Element,
    Unfit,
    text_of,
    unsigned_short,
)
from dimse.support.text import tag_name

_JPEG = frozenset((uids.JPEGBaseline8Bit, uids.JPEGExtended12Bit, uids.JPEGLossless, uids.JPEGLosslessSV1))
_JPEG_LS = frozenset((uids.JPEGLSLossless, uids.JPEGLSNearLossless))
_JPEG_2000 = frozenset(
    (uids.JPEG2000Lossless, uids.JPEG2000, uids.HTJ2KLossless, uids.HTJ2KLosslessRPCL, uids.HTJ2K),
)
COMPRESSED = _JPEG | _JPEG_LS | _JPEG_2000 | {uids.RLELossless}
"""The transfer syntaxes that can be decompressed. All of them are Explicit VR Little Endian (PS3.5 A.4)."""

_PHOTOMETRIC_INTERPRETATION, _PLANAR_CONFIGURATION, _NUMBER_OF_FRAMES = 0x00280004, 0x00280006, 0x00280008
_LOSSY_IMAGE_COMPRESSION = 0x00282110
# Extended Offset Table, its lengths, and their total, which describe the compressed frames.
_OFFSET_TABLES = (0x7FE00001, 0x7FE00002, 0x7FE00003)

# The elements that a decoder needs (PS3.3 C.7.6.3), by pydicom's names.
_IMAGE_PIXEL = {
    "samples_per_pixel": 0x00280002,
    "rows": 0x00280010,
    "columns": 0x00280011,
    "bits_allocated": BITS_ALLOCATED,
    "bits_stored": 0x00280101,
    "pixel_representation": PIXEL_REPRESENTATION,
}

# The interpretations of uncompressed pixels (PS3.3 C.7.6.3.1.2); other terms describe compressed or subsampled ones.
_INTERPRETATIONS = frozenset(("MONOCHROME1", "MONOCHROME2", "PALETTE COLOR", "RGB", "YBR_FULL"))


@dataclass(frozen=True, slots=True)
class _Codestream:
    """The description of a compressed frame in its own header; `precision` is 0 if the header has none."""

    precision: int = 0
    signed: bool = False
    components: bytes = b""
    jfif: bool = False


def may_decompress(source: str, *, lossy: bool, lossy_image_compression: str) -> bool:
    """Return True if pixel data in a transfer syntax can be decompressed, and without loss unless `lossy` is true.

    Args:
        source: The Transfer Syntax UID.
        lossy: True if lossy compressed pixel data may be decompressed.
        lossy_image_compression: (0028,2110) of the data set. If the transfer syntax can be lossy or lossless, "00" says that this
            image is lossless.
    """
    syntax = uids.transfer_syntax(source)
    if syntax is None or source not in COMPRESSED:
        return False
    return lossy or not syntax.lossy or (source not in _JPEG and lossy_image_compression == "00")


def decompress(data_set: DataSet, source: str, *, lossy: bool) -> DataSet:
    """Return the data set with all encapsulated Pixel Data decompressed, including that of its items (icons).

    Args:
        data_set: A data set that was read in a compressed transfer syntax.
        source: The transfer syntax, one of `COMPRESSED`.
        lossy: True if lossy compressed pixel data may be decompressed.

    Raises:
        Unfit: The pixel data may not or cannot be decompressed: there is no decoder, or its frames are faulty.
    """
    pixel_data = data_set.get(PIXEL_DATA)
    if pixel_data and not isinstance(pixel_data.value, tuple):
        raise Unfit("Pixel Data of a compressed transfer syntax is not encapsulated")
    loss = text_of(data_set, _LOSSY_IMAGE_COMPRESSION)
    return _decompress(data_set, source, may_decompress(source, lossy=lossy, lossy_image_compression=loss))


def _decompress(data_set: DataSet, syntax: str, allowed: bool) -> DataSet:
    native = dict(data_set)
    for tag, element in data_set.items():
        if isinstance(element.value, list):
            items = [_decompress(item, syntax, allowed) for item in element.value]
            native[tag] = replace(element, value=items)
        elif isinstance(element.value, tuple):
            if not allowed:
                raise Unfit(
                    f"Pixel Data may be lossy compressed ({uids.name(syntax)}):"
                    " decompressed only where that is asked for (transcode: always)"
                )
            native.update(_native_image(data_set, element.value, syntax))
            for table in _OFFSET_TABLES:
                native.pop(table, None)
    return native


def _native_image(data_set: DataSet, fragments: tuple[memoryview, ...], syntax: str) -> DataSet:
    """Return the elements that replace those of a compressed image."""
    image, interpretation = _image_pixel(data_set), text_of(data_set, _PHOTOMETRIC_INTERPRETATION)
    frames = _frames(fragments, _number_of_frames(data_set))
    decoded = [_decode(frame, image, interpretation, syntax) for frame in frames]
    found = {interpretation for _, interpretation in decoded}
    if len(found) != 1 or not found <= _INTERPRETATIONS:
        raise Unfit(f"no Photometric Interpretation describes the decompressed pixels ({', '.join(sorted(found))})")
    pixels = b"".join(pixels for pixels, _ in decoded)
    elements = [Element(PIXEL_DATA, "OB" if image["bits_allocated"] == 8 else "OW", memoryview(pixels))]
    if found != {interpretation}:
        value = memoryview(found.pop().encode())
        elements.append(Element(_PHOTOMETRIC_INTERPRETATION, "CS", value))
    if image["samples_per_pixel"] > 1 and _PLANAR_CONFIGURATION not in data_set:
        elements.append(Element(_PLANAR_CONFIGURATION, "US", memoryview(bytes(2))))
    return {element.tag: element for element in elements}


def _image_pixel(data_set: DataSet) -> dict[str, int]:
    image = {"planar_configuration": unsigned_short(data_set, _PLANAR_CONFIGURATION) or 0}
    for name, tag in _IMAGE_PIXEL.items():
        value = unsigned_short(data_set, tag)
        if value is None:
            raise Unfit(f"Pixel Data cannot be decompressed without {tag_name(tag)} {name.replace('_', ' ').title()}")
        image[name] = value
    if image["bits_allocated"] not in (8, 16, 32, 64) or image["pixel_representation"] > 1:
        raise Unfit(f"compressed Pixel Data of {image['bits_allocated']} bits allocated cannot be decompressed")
    return image


def _number_of_frames(data_set: DataSet) -> int:
    text = text_of(data_set, _NUMBER_OF_FRAMES)
    if not text:
        return 1
    if not (text.isascii() and text.isdigit()):
        raise Unfit(f"Number of Frames is {text!r}")
    return int(text)


def _frames(fragments: tuple[memoryview, ...], number_of_frames: int) -> list[bytes]:
    """Return the compressed frames, assembled from their fragments (PS3.5 A.4)."""
    offset_table, fragments = (fragments[0] if fragments else memoryview(b"")), fragments[1:]
    starts = {offset for (offset,) in struct.iter_unpack("<L", offset_table[: len(offset_table) // 4 * 4])}
    frames: list[list[memoryview]] = []
    if starts:
        position = 0
        for fragment in fragments:
            if position in starts or not frames:
                frames.append([])
            frames[-1].append(fragment)
            position += 8 + len(fragment)
    elif number_of_frames == 1:
        frames = [list(fragments)]
    elif len(fragments) == number_of_frames:
        frames = [[fragment] for fragment in fragments]
    else:
        ended = True
        for fragment in fragments:
            if ended:
                frames.append([])
            frames[-1].append(fragment)
            # End of Image, or End of Codestream. Padding may follow.
            ended = b"\xff\xd9" in bytes(fragment[-10:])
    if len(frames) != number_of_frames or not fragments:
        raise Unfit(
            f"Pixel Data has {len(frames) if fragments else 0} frames, Number of Frames says {number_of_frames}"
        )
    return [b"".join(frame) for frame in frames]


def _decode(frame: bytes, image: Mapping[str, int], interpretation: str, syntax: str) -> tuple[bytes, str]:
    """Decompress one frame, and return its samples as the image describes them, and their Photometric Interpretation."""
    name, decoder = uids.name(syntax), get_decoder(syntax)
    missing = f'no decoder for {name} is installed: pip install "dimse[codecs]"'
    if not decoder.is_available:
        raise Unfit(missing)
    codestream = _codestream(frame)
    interpretation = _true_interpretation(interpretation, codestream, image, syntax)
    frame += bytes(len(frame) % 2)
    encapsulated = struct.pack("<HHLHHL", 0xFFFE, 0xE000, 0, 0xFFFE, 0xE000, len(frame)) + frame
    options: dict[str, Any] = {**image, "number_of_frames": 1, "photometric_interpretation": interpretation}
    try:
        # A buffer keeps the colour space and the bits above Bits Stored, which may hold overlays; an array would lose both. It is
        # not validated, because validation may warn, and the relevant values have been checked already.
        pixels, properties = decoder.as_buffer(encapsulated, validate=False, **options)
        arranged = _arrange(bytes(pixels), properties, codestream, image, syntax)
    except ImportError as error:
        raise Unfit(missing) from error
    except Unfit:
        raise
    # A decoder may raise any exception for a faulty frame.
    except Exception as error:
        raise Unfit(f"Pixel Data cannot be decompressed ({name}): {' '.join(str(error).split())}") from error
    interpretation = str(properties["photometric_interpretation"])
    # A decoder returns all samples of each pixel.
    return arranged, "YBR_FULL" if interpretation == "YBR_FULL_422" else interpretation


def _arrange(
    pixels: bytes, decoded: Mapping[str, str | int], codestream: _Codestream, image: Mapping[str, int], syntax: str
) -> bytes:
    """Bring decoded samples to Bits Allocated, Pixel Representation and Planar Configuration of the image."""
    bits, allocated = int(decoded["bits_allocated"]), image["bits_allocated"]
    if max(bits, codestream.precision) > allocated:
        raise Unfit(f"the compressed samples have more than the {allocated} bits of Bits Allocated")
    # JPEG-LS has no sign, and the sign in JPEG 2000 may be wrong. The coded bits are right; the bits beyond them may not be.
    signed, gray = bool(image["pixel_representation"]), image["samples_per_pixel"] == 1
    wrong_sign = signed if syntax in _JPEG_LS else syntax in _JPEG_2000 and gray and signed != codestream.signed
    shift = bits - codestream.precision if wrong_sign and codestream.precision else 0
    planar = decoded.get("planar_configuration", 0)
    turn = not gray and planar != image["planar_configuration"]
    if not shift and not turn and bits == allocated:
        return pixels

    import numpy

    kind = "ui"[signed]
    samples = numpy.frombuffer(pixels, dtype=f"<{kind}{bits // 8}")
    samples = ((samples << shift) >> shift).astype(f"<{kind}{allocated // 8}")
    if turn:
        planes, count = image["samples_per_pixel"], image["rows"] * image["columns"]
        samples = samples.reshape((planes, count) if planar else (count, planes)).T
    return samples.tobytes()


def _codestream(frame: bytes) -> _Codestream:
    if frame[:2] != b"\xff\xd8":
        _check_boxes(frame)
        info = get_j2k_parameters(frame)
        return _Codestream(info.get("precision", 0), info.get("is_signed", False))
    jfif, position = False, 2
    while position + 10 <= len(frame):
        marker, length = struct.unpack_from(">HH", frame, position)
        jfif = jfif or (0xFFE0 <= marker <= 0xFFEF and frame.startswith(b"JFIF", position + 4))
        # A Start of Frame of JPEG-LS or of JPEG. DHT, JPG and DAC interrupt the numbers of the latter.
        if marker == 0xFFF7 or (0xFFC0 <= marker <= 0xFFCF and marker not in (0xFFC4, 0xFFC8, 0xFFCC)):
            components = frame[position + 10 : position + 10 + 3 * frame[position + 9] : 3]
            return _Codestream(frame[position + 4], components=components, jfif=jfif)
        position += 2 + length
    return _Codestream()


def _check_boxes(frame: bytes) -> None:
    """Refuse a JPEG 2000 frame in a JP2 file whose boxes never end. PS3.5 A.4.4 does not allow such a file, yet it occurs.

    pydicom steps from box to box by their lengths, and would never leave a box of length 0.
    """
    position = 12 if frame.startswith(b"\0\0\0\x0cjP  ") else len(frame)
    while position + 8 <= len(frame) and frame[position + 4 : position + 8] != b"jp2c":
        length = int.from_bytes(frame[position : position + 4], "big")
        if length < 8:
            raise Unfit("a JPEG 2000 frame is a JP2 file with a box of wrong length")
        position += length
    if len(frame) - 8 < position < len(frame):
        raise Unfit("a JPEG 2000 frame is a JP2 file without codestream")


def _true_interpretation(interpretation: str, codestream: _Codestream, image: Mapping[str, int], syntax: str) -> str:
    """Return the Photometric Interpretation by the frame's codestream, which is right if the data set is wrong.

    Two things in the codestream are trusted: component identifiers that spell RGB, and a JFIF marker, which means YCbCr.
    """
    if image["samples_per_pixel"] != 3:
        return interpretation
    if codestream.components in (b"RGB", b"rgb"):
        return "RGB"
    if codestream.jfif and "YBR" not in interpretation:
        return "YBR_FULL_422" if syntax == uids.JPEGBaseline8Bit else "YBR_FULL"
    return interpretation
