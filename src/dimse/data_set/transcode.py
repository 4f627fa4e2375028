"""Re-encode a data set for a peer that does not accept the file's own transfer syntax (PS3.5 section 7, Annex A).

The data set is taken apart into its elements and written again: tags, VRs and lengths in the target's form, the values
as they are, byte for byte, but for the byte order that their VR demands. No text is decoded and no number is printed
anew, so nothing can change on the way. pydicom gives the data dictionary, which Implicit VR needs, and the decoders of
compressed pixel data (`pip install "dimse[codecs]"`).

A warning of pydicom would reach the user or, where warnings are errors, stop the work; and `warnings.catch_warnings` is
not safe with threads. So pydicom never sees a data set here, only one frame at a time with its description, corrected
beforehand where pydicom would correct it with a warning.
"""

from __future__ import annotations

import struct
import zlib
from array import array
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from pydicom.datadict import dictionary_VR
from pydicom.pixels.decoders.base import get_decoder
from pydicom.pixels.utils import get_j2k_parameters

from dimse import uids
from dimse.errors import FileError
from dimse.uids import TransferSyntax

_IMPLICIT_LITTLE = TransferSyntax(uids.ImplicitVRLittleEndian, implicit_vr=True)
_EXPLICIT_LITTLE = TransferSyntax(uids.ExplicitVRLittleEndian)

# What can be written, best first.
_UNCOMPRESSED = {
    uids.ExplicitVRLittleEndian: _EXPLICIT_LITTLE,
    uids.ImplicitVRLittleEndian: _IMPLICIT_LITTLE,
    uids.DeflatedExplicitVRLittleEndian: TransferSyntax(uids.DeflatedExplicitVRLittleEndian, deflated=True),
    uids.ExplicitVRBigEndian: TransferSyntax(uids.ExplicitVRBigEndian, little_endian=False),
}

# What can be decompressed; all of them are Explicit VR Little Endian (PS3.5 A.4).
_JPEG = frozenset((uids.JPEGBaseline8Bit, uids.JPEGExtended12Bit, uids.JPEGLossless, uids.JPEGLosslessSV1))
_JPEG_LS = frozenset((uids.JPEGLSLossless, uids.JPEGLSNearLossless))
_JPEG_2000 = frozenset(
    (uids.JPEG2000Lossless, uids.JPEG2000, uids.HTJ2KLossless, uids.HTJ2KLosslessRPCL, uids.HTJ2K),
)
_COMPRESSED = _JPEG | _JPEG_LS | _JPEG_2000 | {uids.RLELossless}

# VRs by the width of the words that change with the byte order, and by the form of their header (PS3.5 7.1.2, 7.3).
# UN is Little Endian whatever the transfer syntax (PS3.5 6.2.2), so its bytes stay.
_WORD = dict.fromkeys(("AT", "OW", "SS", "US"), 2)
_WORD |= dict.fromkeys(("FL", "OF", "OL", "SL", "UL"), 4)
_WORD |= dict.fromkeys(("FD", "OD", "OV", "SV", "UV"), 8)
_SPACE_PADDED = frozenset(("AE AS CS DA DS DT IS LO LT PN SH ST TM UC UR UT").split())  # noqa: SIM905
_SHORT_FORM = frozenset(("AE AS AT CS DA DS DT FL FD IS LO LT PN SH SL SS ST TM UI UL US").split())  # noqa: SIM905
_KNOWN = _SPACE_PADDED | _WORD.keys() | {"OB", "SQ", "UI", "UN"}

_ITEM, _ITEM_DELIMITATION, _SEQUENCE_DELIMITATION = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
_UNDEFINED_LENGTH = 0xFFFFFFFF
_MAXIMUM_NESTING = 64

_LENGTH_TO_END = 0x00080001  # retired; it counts bytes that will be others
_PHOTOMETRIC_INTERPRETATION, _PLANAR_CONFIGURATION, _NUMBER_OF_FRAMES = 0x00280004, 0x00280006, 0x00280008
_BITS_ALLOCATED, _PIXEL_REPRESENTATION, _LOSSY_IMAGE_COMPRESSION = 0x00280100, 0x00280103, 0x00282110
_WAVEFORM_BITS_ALLOCATED, _PIXEL_DATA = 0x54001004, 0x7FE00010
# Extended Offset Table, its lengths, and their total: of frames that are no more.
_OFFSET_TABLES = (0x7FE00001, 0x7FE00002, 0x7FE00003)

# What a decoder must know (PS3.3 C.7.6.3), as pydicom names it.
_IMAGE_PIXEL = {
    "samples_per_pixel": 0x00280002,
    "rows": 0x00280010,
    "columns": 0x00280011,
    "bits_allocated": _BITS_ALLOCATED,
    "bits_stored": 0x00280101,
    "pixel_representation": _PIXEL_REPRESENTATION,
}

# Elements of a data set that say how others, and those of its items, are to be read.
_CONTEXT = (_BITS_ALLOCATED, _PIXEL_REPRESENTATION, _WAVEFORM_BITS_ALLOCATED)
_WAVEFORM = frozenset((0x54000110, 0x54000112, 0x5400100A, 0x54001010))

# A plain value · the items of a sequence · the fragments of encapsulated Pixel Data, Basic Offset Table first.
_Value: TypeAlias = "memoryview | list[_DataSet] | tuple[memoryview, ...]"
_DataSet: TypeAlias = "dict[int, _Element]"


@dataclass(frozen=True, slots=True)
class _Element:
    tag: int
    vr: str  # of Implicit VR as the dictionary has it, "US or SS" too; UN if unknown
    value: _Value
    little_endian: bool = True


class _Unfit(Exception):
    """Why this data set cannot be re-encoded, in one line."""


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
    if source not in _UNCOMPRESSED and not _may_decompress(source, lossy=lossy, lossy_image_compression="00"):
        return []
    return [uid for uid in _UNCOMPRESSED if uid in accepted]


def transcode(path: str, transfer_syntax_uid: str, *, lossy: bool = False) -> bytes:
    """Re-encode the data set of a Part 10 file without loss.

    Only what the encoding demands changes: group lengths are left out (retired, PS3.5 7.2), sequences and items get
    undefined length, a value too long for its VR or of a VR that cannot be known becomes UN (PS3.5 6.2.2). Of
    decompressed Pixel Data, Photometric Interpretation says what the pixels are now; the SOP Instance UID stays.

    Args:
        path: The file.
        transfer_syntax_uid: The syntax to write, one of those that `targets` gives.
        lossy: May lossy compressed pixel data be decompressed? If not, a syntax that can be lossy counts as lossy
            unless Lossy Image Compression (0028,2110) says 00; JPEG Baseline and Extended always do.

    Returns:
        The data set, of even length, without preamble and File Meta; deflated if the syntax is.

    Raises:
        FileError: It cannot be read, or not be re-encoded without loss; says why.
        ValueError: `transfer_syntax_uid` is not one that can be written.
    """
    if transfer_syntax_uid not in _UNCOMPRESSED:
        raise ValueError(f"cannot write transfer syntax {transfer_syntax_uid!r}")
    try:
        with open(path, "rb") as file:
            data_set = _read(memoryview(file.read()), lossy=lossy)
        return _write(data_set, _UNCOMPRESSED[transfer_syntax_uid])
    except _Unfit as error:
        raise FileError(path, str(error)) from error
    except OSError as error:
        raise FileError(path, error.strerror or str(error)) from error


def _may_decompress(source: str, *, lossy: bool, lossy_image_compression: str) -> bool:
    syntax = uids.transfer_syntax(source)
    if syntax is None or source not in _COMPRESSED:
        return False
    return lossy or not syntax.lossy or (source not in _JPEG and lossy_image_compression == "00")


def _name(tag: int) -> str:
    return f"({tag >> 16:04X},{tag & 0xFFFF:04X})"


# --- Reading ---------------------------------------------------------------------------------------------------------


def _read(data: memoryview, *, lossy: bool) -> _DataSet:
    """The data set of a Part 10 file, its pixel data decompressed."""
    source, data = _head(data)
    encoding = _UNCOMPRESSED.get(source)
    if encoding and encoding.deflated:
        data = _inflate(data)
    elif not encoding and source not in _COMPRESSED:
        raise _Unfit(f"a data set in {uids.name(source) or 'an unknown transfer syntax'} cannot be re-encoded")
    data_set = _Reader(data).data_set(encoding or _EXPLICIT_LITTLE, len(data))
    if encoding:
        return data_set
    pixel_data = data_set.get(_PIXEL_DATA)
    if pixel_data and not isinstance(pixel_data.value, tuple):
        raise _Unfit("Pixel Data of a compressed transfer syntax is not encapsulated")
    loss = _text(data_set, _LOSSY_IMAGE_COMPRESSION)
    return _decompress(data_set, source, allowed=_may_decompress(source, lossy=lossy, lossy_image_compression=loss))


def _head(data: memoryview) -> tuple[str, memoryview]:
    """The Transfer Syntax UID, and what follows the File Meta Information (PS3.10 7.1)."""
    if data[128:132].tobytes() != b"DICM":
        raise _Unfit("not DICOM: no DICM prefix after 128 bytes of preamble")
    reader, file_meta = _Reader(data[132:]), {}
    # The VR is looked at because a deflated data set may begin with any bytes.
    while reader.peek(2) == b"\x02\x00" and _looks_like_vr(reader.peek(6)[4:]):
        element = reader.element(_EXPLICIT_LITTLE, len(reader.data))
        file_meta[element.tag] = element
    return _text(file_meta, 0x00020010), reader.data[reader.position :]


def _inflate(deflated: memoryview) -> memoryview:
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        data = inflater.decompress(deflated)
    except zlib.error as error:
        raise _Unfit(f"the deflated data set cannot be inflated: {error}") from error
    if not inflater.eof:
        raise _Unfit("the deflated data set is cut short")
    return memoryview(data)


class _Reader:
    """Takes elements off a buffer; no length is believed beyond the end of what encloses it."""

    def __init__(self, data: memoryview) -> None:
        self.data, self.position = data, 0

    def data_set(self, encoding: TransferSyntax, end: int, *, delimited: bool = False, depth: int = 0) -> _DataSet:
        """Read elements up to `end`, or to the Item Delimitation Item if `delimited`."""
        elements: _DataSet = {}
        while delimited or self.position < end:
            if depth == 0 and not any(self.peek(8)) and not any(self.data[self.position :]):
                break  # padding of files that were filled up to whole blocks
            element = self.element(encoding, end, depth)
            if delimited and element.tag == _ITEM_DELIMITATION:
                break
            if element.tag >> 16 == 0xFFFE:
                raise _Unfit(f"{_name(element.tag)} stands where a data element should")
            if elements.setdefault(element.tag, element) != element:
                raise _Unfit(f"{_name(element.tag)} appears twice in one data set, with two values")
        return elements

    def peek(self, length: int) -> bytes:
        return bytes(self.data[self.position : self.position + length])

    def _within(self, length: int, end: int, what: str) -> None:
        if self.position + length > end:
            raise _Unfit(f"{what} ends early: the file is cut short, or a length is wrong")

    def _take(self, length: int, end: int, what: str) -> memoryview:
        self._within(length, end, what)
        start, self.position = self.position, self.position + length
        return self.data[start : self.position]

    def _header(self, encoding: TransferSyntax, end: int) -> tuple[int, str, int]:
        order = "<" if encoding.little_endian else ">"
        raw = self._take(8, end, "a data set")
        group, number, length = struct.unpack(f"{order}HHL", raw)
        tag = group << 16 | number
        if group == 0xFFFE:
            return tag, "", length
        vr = str(raw[4:6], "latin-1")
        if encoding.implicit_vr or (encoding.little_endian and not _looks_like_vr(raw[4:6])):
            # Files are found with elements, or a whole data set, in Implicit VR where it should be explicit.
            return tag, _dictionary_vr(tag), length
        if vr in _SHORT_FORM:
            return tag, vr, struct.unpack(f"{order}H", raw[6:])[0]
        if not _looks_like_vr(raw[4:6]):
            raise _Unfit(f"{_name(tag)} has {vr!r} where its VR should stand")
        return tag, vr, struct.unpack(f"{order}L", self._take(4, end, _name(tag)))[0]

    def element(self, encoding: TransferSyntax, end: int, depth: int = 0) -> _Element:
        """Read one element; an Item or a delimiter, which is none, without what follows it."""
        tag, vr, length = self._header(encoding, end)
        if not vr:
            return _Element(tag, vr, memoryview(b""))
        undefined = length == _UNDEFINED_LENGTH
        if undefined and tag == _PIXEL_DATA and vr in ("OB", "OW", "OB or OW"):
            return _Element(tag, vr, self._fragments(end))
        if vr == "SQ" or (undefined and vr == "UN"):
            # UN of undefined length is a sequence in Implicit VR Little Endian, wherever it stands (PS3.5 6.2.2).
            inner = _IMPLICIT_LITTLE if vr == "UN" else encoding
            if not undefined:
                self._within(length, end, _name(tag))
                end = self.position + length
            return _Element(tag, "SQ", self._items(inner, end, delimited=undefined, depth=depth + 1))
        if undefined:
            raise _Unfit(f"{_name(tag)} has undefined length and is no sequence")
        return _Element(tag, vr, self._take(length, end, _name(tag)), encoding.little_endian)

    def _items(self, encoding: TransferSyntax, end: int, *, delimited: bool, depth: int) -> list[_DataSet]:
        if depth > _MAXIMUM_NESTING:
            raise _Unfit(f"sequences are nested more than {_MAXIMUM_NESTING} deep")
        items = []
        while delimited or self.position < end:
            tag, _, length = self._header(encoding, end)
            if delimited and tag == _SEQUENCE_DELIMITATION:
                break
            if tag != _ITEM:
                raise _Unfit(f"{_name(tag)} stands where a sequence item should")
            undefined = length == _UNDEFINED_LENGTH
            if not undefined:
                self._within(length, end, "a sequence item")
            stop = end if undefined else self.position + length
            items.append(self.data_set(encoding, stop, delimited=undefined, depth=depth))
        return items

    def _fragments(self, end: int) -> tuple[memoryview, ...]:
        fragments = []
        while (header := self._header(_EXPLICIT_LITTLE, end))[0] == _ITEM:
            fragments.append(self._take(header[2], end, "a fragment of Pixel Data"))
        if header[0] != _SEQUENCE_DELIMITATION:
            raise _Unfit(f"{_name(header[0])} stands where a fragment of Pixel Data should")
        return tuple(fragments)


def _looks_like_vr(raw: bytes | memoryview) -> bool:
    return bytes(raw).isalpha() and bytes(raw).isupper()


def _dictionary_vr(tag: int) -> str:
    if tag & 0xFFFF == 0:
        return "UL"
    if tag >> 16 & 1:
        # Only private creators are known (PS3.5 7.8.1). No dictionary can vouch for what others mean by the rest.
        return "LO" if 0x10 <= tag & 0xFFFF <= 0xFF else "UN"
    try:
        return dictionary_VR(tag)
    except KeyError:
        return "UN"


def _plain(data_set: _DataSet, tag: int) -> bytes:
    element = data_set.get(tag)
    return bytes(element.value) if element and isinstance(element.value, memoryview) else b""


def _text(data_set: _DataSet, tag: int) -> str:
    return _plain(data_set, tag).decode("latin-1").strip(" \0")


def _unsigned_short(data_set: _DataSet, tag: int) -> int | None:
    raw = _plain(data_set, tag)
    return int.from_bytes(raw, "little" if data_set[tag].little_endian else "big") if len(raw) == 2 else None


# --- Writing ---------------------------------------------------------------------------------------------------------


def _write(data_set: _DataSet, encoding: TransferSyntax) -> bytes:
    writer = _Writer(encoding)
    writer.data_set(data_set, {})
    if not encoding.deflated:
        return b"".join(writer.out)
    deflater = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    data = b"".join([*map(deflater.compress, writer.out), deflater.flush()])
    return data + b"\0" * (len(data) % 2)


class _Writer:
    """Collects the buffers of a data set in one encoding."""

    def __init__(self, encoding: TransferSyntax) -> None:
        self.encoding = encoding
        self.order = "<" if encoding.little_endian else ">"
        self.out: list[bytes | memoryview] = []

    def data_set(self, data_set: _DataSet, context: Mapping[int, int]) -> None:
        """Write a data set, in an enclosing one whose `_CONTEXT` elements are given."""
        own = {tag: value for tag in _CONTEXT if (value := _unsigned_short(data_set, tag)) is not None}
        context = {**context, **own}
        for tag, element in sorted(data_set.items()):
            # Group lengths are retired (PS3.5 7.2); groups 0000 and 0002 are none of a data set's.
            if tag & 0xFFFF and tag >> 16 not in (0x0000, 0x0002) and tag != _LENGTH_TO_END:
                if isinstance(element.value, list):
                    self._sequence(tag, element.value, context)
                else:
                    self._plain(element, context)

    def _sequence(self, tag: int, items: list[_DataSet], context: Mapping[int, int]) -> None:
        self._header(tag, "SQ", _UNDEFINED_LENGTH)
        for item in items:
            self._header(_ITEM, "", _UNDEFINED_LENGTH)
            self.data_set(item, context)
            self._header(_ITEM_DELIMITATION, "", 0)
        self._header(_SEQUENCE_DELIMITATION, "", 0)

    def _plain(self, element: _Element, context: Mapping[int, int]) -> None:
        tag, value = element.tag, element.value
        if not isinstance(value, memoryview):
            raise _Unfit("Pixel Data of an uncompressed transfer syntax is encapsulated")
        vr = _explicit_vr(element, value, context)
        length = len(value) + len(value) % 2
        if length >= _UNDEFINED_LENGTH:
            raise _Unfit(f"{_name(tag)} is longer than an element can be: {length} bytes")
        out: bytes | memoryview = value
        if element.little_endian != self.encoding.little_endian and vr != "UN":
            if tag == _PIXEL_DATA and vr == "OW" and context.get(_BITS_ALLOCATED, 0) > 16:
                # Words of 16 bits by the definition of OW, yet files are found that turn the whole sample round.
                raise _Unfit("the byte order of Pixel Data of more than 16 bits is uncertain in Explicit VR Big Endian")
            out = _swap(value, vr, tag)
        if vr in _SHORT_FORM and length > 0xFFFE:
            vr = "UN"  # PS3.5 6.2.2; it comes from Implicit VR, so `value` is Little Endian as UN must be
            out = value
        self._header(tag, vr, length)
        self.out.append(out)
        if len(value) % 2:
            self.out.append(b" " if vr in _SPACE_PADDED else b"\0")

    def _header(self, tag: int, vr: str, length: int) -> None:
        group, number = tag >> 16, tag & 0xFFFF
        if not vr or self.encoding.implicit_vr:
            header = struct.pack(f"{self.order}HHL", group, number, length)
        elif vr in _SHORT_FORM:
            header = struct.pack(f"{self.order}HH2sH", group, number, vr.encode(), length)
        else:
            header = struct.pack(f"{self.order}HH2s2xL", group, number, vr.encode(), length)
        self.out.append(header)


def _swap(value: memoryview, vr: str, tag: int) -> bytes | memoryview:
    """The value in the other byte order (PS3.5 7.3)."""
    if vr not in _KNOWN:
        raise _Unfit(f"{_name(tag)} has the unknown VR {vr}: its byte order cannot be changed")
    width = _WORD.get(vr)
    if not width:
        return value
    if len(value) % width:
        raise _Unfit(f"{_name(tag)} has {len(value)} bytes, no whole number of {vr} values")
    words = array({2: "H", 4: "I", 8: "Q"}[width])
    words.frombytes(value)
    words.byteswap()
    return words.tobytes()


def _explicit_vr(element: _Element, value: memoryview, context: Mapping[int, int]) -> str:
    """Choose among the VRs that the dictionary allows (it was Implicit VR Little Endian); UN if nothing tells."""
    tag, vr = element.tag, element.vr
    if vr == "US or SS":
        representation = context.get(_PIXEL_REPRESENTATION)
        if representation is None and any(byte & 0x80 for byte in value[1::2]):
            return "UN"
        return "SS" if representation else "US"
    if vr == "OB or OW":
        if tag >> 16 in range(0x6000, 0x6100):
            return "OW"  # Overlay Data
        if tag == _PIXEL_DATA or tag in _WAVEFORM:
            # In Implicit VR they are OW (PS3.5 A.1): for samples of a byte OB says the same in either byte order.
            size = context.get(_BITS_ALLOCATED if tag == _PIXEL_DATA else _WAVEFORM_BITS_ALLOCATED, 16)
            return "OB" if size <= 8 else "OW"
        return "UN"
    return "OW" if vr.endswith(" or OW") else vr


# --- Decompressing ---------------------------------------------------------------------------------------------------


# What uncompressed pixels can be (PS3.3 C.7.6.3.1.2); the other terms are of compressed or subsampled ones.
_INTERPRETATIONS = frozenset(("MONOCHROME1", "MONOCHROME2", "PALETTE COLOR", "RGB", "YBR_FULL"))


@dataclass(frozen=True, slots=True)
class _Codestream:
    """What the head of one compressed frame says of it; `precision` is 0 where it says nothing."""

    precision: int = 0
    signed: bool = False
    components: bytes = b""
    jfif: bool = False


def _decompress(data_set: _DataSet, syntax: str, *, allowed: bool) -> _DataSet:
    """The data set with all encapsulated Pixel Data decompressed, that of its items (icons) too."""
    native = dict(data_set)
    for tag, element in data_set.items():
        if isinstance(element.value, list):
            items = [_decompress(item, syntax, allowed=allowed) for item in element.value]
            native[tag] = replace(element, value=items)
        elif isinstance(element.value, tuple):
            if not allowed:
                raise _Unfit(
                    f"Pixel Data may be lossy compressed ({uids.name(syntax)}): not decompressed without leave"
                )
            native.update(_native_image(data_set, element.value, syntax))
            for table in _OFFSET_TABLES:
                native.pop(table, None)
    return native


def _native_image(data_set: _DataSet, fragments: tuple[memoryview, ...], syntax: str) -> _DataSet:
    """The elements that take the place of those of a compressed image."""
    image, interpretation = _image_pixel(data_set), _text(data_set, _PHOTOMETRIC_INTERPRETATION)
    frames = _frames(fragments, _number_of_frames(data_set))
    decoded = [_decode(frame, image, interpretation, syntax) for frame in frames]
    found = {interpretation for _, interpretation in decoded}
    if len(found) != 1 or not found <= _INTERPRETATIONS:
        raise _Unfit(f"no Photometric Interpretation describes the decompressed pixels ({', '.join(sorted(found))})")
    pixels = b"".join(pixels for pixels, _ in decoded)
    elements = [_Element(_PIXEL_DATA, "OB" if image["bits_allocated"] == 8 else "OW", memoryview(pixels))]
    if found != {interpretation}:
        value = memoryview(found.pop().encode())
        elements.append(_Element(_PHOTOMETRIC_INTERPRETATION, "CS", value))
    if image["samples_per_pixel"] > 1 and _PLANAR_CONFIGURATION not in data_set:
        elements.append(_Element(_PLANAR_CONFIGURATION, "US", memoryview(bytes(2))))
    return {element.tag: element for element in elements}


def _image_pixel(data_set: _DataSet) -> dict[str, int]:
    image = {"planar_configuration": _unsigned_short(data_set, _PLANAR_CONFIGURATION) or 0}
    for name, tag in _IMAGE_PIXEL.items():
        value = _unsigned_short(data_set, tag)
        if value is None:
            raise _Unfit(f"Pixel Data cannot be decompressed without {_name(tag)} {name.replace('_', ' ').title()}")
        image[name] = value
    if image["bits_allocated"] not in (8, 16, 32, 64) or image["pixel_representation"] > 1:
        raise _Unfit(f"compressed Pixel Data of {image['bits_allocated']} bits allocated cannot be decompressed")
    return image


def _number_of_frames(data_set: _DataSet) -> int:
    text = _text(data_set, _NUMBER_OF_FRAMES)
    if not text:
        return 1
    if not (text.isascii() and text.isdigit()):
        raise _Unfit(f"Number of Frames is {text!r}")
    return int(text)


def _frames(fragments: tuple[memoryview, ...], number_of_frames: int) -> list[bytes]:
    """The compressed frames, put together from their fragments (PS3.5 A.4)."""
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
            ended = b"\xff\xd9" in bytes(fragment[-10:])  # End of Image, End of Codestream; padding may follow
    if len(frames) != number_of_frames or not fragments:
        raise _Unfit(
            f"Pixel Data has {len(frames) if fragments else 0} frames, Number of Frames says {number_of_frames}"
        )
    return [b"".join(frame) for frame in frames]


def _decode(frame: bytes, image: Mapping[str, int], interpretation: str, syntax: str) -> tuple[bytes, str]:
    """Decompress one frame: its samples as the image describes them, and their Photometric Interpretation."""
    name, decoder = uids.name(syntax), get_decoder(syntax)
    missing = f'no decoder for {name} is installed: pip install "dimse[codecs]"'
    if not decoder.is_available:
        raise _Unfit(missing)
    codestream = _codestream(frame)
    interpretation = _true_interpretation(interpretation, codestream, image, syntax)
    frame += bytes(len(frame) % 2)
    encapsulated = struct.pack("<HHLHHL", 0xFFFE, 0xE000, 0, 0xFFFE, 0xE000, len(frame)) + frame
    options: dict[str, Any] = {**image, "number_of_frames": 1, "photometric_interpretation": interpretation}
    try:
        # As a buffer: unlike an array it is neither turned into RGB nor cleared of the bits above Bits Stored, where
        # overlays once were. Not validated: that may warn, and what matters has been looked at.
        pixels, properties = decoder.as_buffer(encapsulated, validate=False, **options)
        arranged = _arrange(bytes(pixels), properties, codestream, image, syntax)
    except ImportError as error:
        raise _Unfit(missing) from error
    except _Unfit:
        raise
    except Exception as error:  # whatever a decoder makes of a faulty frame
        raise _Unfit(f"Pixel Data cannot be decompressed ({name}): {' '.join(str(error).split())}") from error
    interpretation = str(properties["photometric_interpretation"])
    # A decoder gives every pixel all its samples.
    return arranged, "YBR_FULL" if interpretation == "YBR_FULL_422" else interpretation


def _arrange(
    pixels: bytes, decoded: Mapping[str, str | int], codestream: _Codestream, image: Mapping[str, int], syntax: str
) -> bytes:
    """Bring decoded samples to Bits Allocated, Pixel Representation and Planar Configuration of the image."""
    bits, allocated = int(decoded["bits_allocated"]), image["bits_allocated"]
    if max(bits, codestream.precision) > allocated:
        raise _Unfit(f"the compressed samples have more than the {allocated} bits of Bits Allocated")
    # JPEG-LS knows no sign, and JPEG 2000 may have been told the wrong one: the bits are right, not those beyond them.
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
        # A Start of Frame: of JPEG-LS, or of JPEG, whose numbers DHT, JPG and DAC interrupt.
        if marker == 0xFFF7 or (0xFFC0 <= marker <= 0xFFCF and marker not in (0xFFC4, 0xFFC8, 0xFFCC)):
            components = frame[position + 10 : position + 10 + 3 * frame[position + 9] : 3]
            return _Codestream(frame[position + 4], components=components, jfif=jfif)
        position += 2 + length
    return _Codestream()


def _check_boxes(frame: bytes) -> None:
    """Refuse a JPEG 2000 frame in a JP2 file (not allowed by PS3.5 A.4.4, yet found) whose boxes never end.

    pydicom steps from box to box by their lengths, and would stay at one of length 0.
    """
    position = 12 if frame.startswith(b"\0\0\0\x0cjP  ") else len(frame)
    while position + 8 <= len(frame) and frame[position + 4 : position + 8] != b"jp2c":
        length = int.from_bytes(frame[position : position + 4], "big")
        if length < 8:
            raise _Unfit("a JPEG 2000 frame is a JP2 file with a box of wrong length")
        position += length
    if len(frame) - 8 < position < len(frame):
        raise _Unfit("a JPEG 2000 frame is a JP2 file without codestream")


def _true_interpretation(interpretation: str, codestream: _Codestream, image: Mapping[str, int], syntax: str) -> str:
    """The Photometric Interpretation of the frame as its codestream has it: it is right where the data set is wrong.

    Believed are component identifiers that spell RGB, and a JFIF marker, which means YCbCr.
    """
    if image["samples_per_pixel"] != 3:
        return interpretation
    if codestream.components in (b"RGB", b"rgb"):
        return "RGB"
    if codestream.jfif and "YBR" not in interpretation:
        return "YBR_FULL_422" if syntax == uids.JPEGBaseline8Bit else "YBR_FULL"
    return interpretation
