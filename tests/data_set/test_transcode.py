"""Re-encoding a data set (PS3.5 section 7): nothing that it says is lost or changed, or it is refused with a reason."""

from __future__ import annotations

import io
import struct
import subprocess
import sys
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy
import pydicom
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate, generate_frames
from pydicom.filewriter import write_file_meta_info
from pydicom.pixels.utils import pixel_array
from pydicom.tag import BaseTag
from pydicom.uid import UID

from dimse import uids
from dimse.data_set.transcode import targets, transcode
from dimse.errors import FileError
from tests import files

EXPLICIT, IMPLICIT = uids.ExplicitVRLittleEndian, uids.ImplicitVRLittleEndian
DEFLATED, BIG = uids.DeflatedExplicitVRLittleEndian, uids.ExplicitVRBigEndian
TARGETS = {"explicit": EXPLICIT, "implicit": IMPLICIT, "deflated": DEFLATED, "big": BIG}
JPEG, JPEG_EXTENDED, JPEG_LOSSLESS = uids.JPEGBaseline8Bit, uids.JPEGExtended12Bit, uids.JPEGLosslessSV1
JPEG_LS_NEAR, JPEG_2000, JPEG_2000_LOSSLESS = uids.JPEGLSNearLossless, uids.JPEG2000, uids.JPEG2000Lossless
RLE = uids.RLELossless
DATA = Path(pydicom.__file__).parent / "data" / "test_files"

# --- Every file that pydicom ships ------------------------------------------------------------------------------------

SHIPPED = files.pydicom_files()
WITH_SOP_UIDS = [
    file
    for file in (*SHIPPED.sendable, *SHIPPED.repeated, *SHIPPED.refused)
    if file.sop_class_uid and file.sop_instance_uid and file.transfer_syntax
]

ALL = tuple(TARGETS)
LITTLE = ("explicit", "implicit", "deflated")
UNDECODABLE = "Pixel Data cannot be decompressed"
UNCERTAIN = "the byte order of Pixel Data of more than 16 bits is uncertain"
CUT_SHORT = "the file is cut short"

# All that cannot be converted: to which targets, and why. Everything else must be, and without loss.
REFUSED = {
    "JPEG-lossy.dcm": (ALL, UNDECODABLE),  # its scan header is wrong
    "JPEG2000-embedded-sequence-delimiter.dcm": (ALL, UNDECODABLE),  # its codestream was damaged on purpose
    "MR_truncated.dcm": (ALL, CUT_SHORT),
    "rtplan_truncated.dcm": (ALL, CUT_SHORT),
    "SC_rgb_rle_32bit.dcm": (("big",), UNCERTAIN),
    "SC_rgb_rle_32bit_2frame.dcm": (("big",), UNCERTAIN),
    "badVR.dcm": (("big",), UNCERTAIN),
    "rtdose.dcm": (("big",), UNCERTAIN),
    "rtdose_1frame.dcm": (("big",), UNCERTAIN),
    "rtdose_rle.dcm": (("big",), UNCERTAIN),
    "rtdose_rle_1frame.dcm": (("big",), UNCERTAIN),
    "rtdose_expb.dcm": (LITTLE, UNCERTAIN),
    "rtdose_expb_1frame.dcm": (LITTLE, UNCERTAIN),
}

NO_IMAGE = {"badVR.dcm"}  # its Number of Frames is no number

NOT_COMPARED = {0x00080001, 0x7FE00001, 0x7FE00002, 0x7FE00003, 0x7FE00010}  # compared as pixels, or of what is gone
WIDTHS = {
    1: [
        "AE",
        "AS",
        "CS",
        "DA",
        "DS",
        "DT",
        "IS",
        "LO",
        "LT",
        "OB",
        "PN",
        "SH",
        "ST",
        "TM",
        "UC",
        "UI",
        "UN",
        "UR",
        "UT",
    ],
    2: ("AT", "OW", "SS", "US"),
    4: ("FL", "OF", "OL", "SL", "UL"),
    8: ("FD", "OD", "OV", "SV", "UV"),
}
WIDTH = {vr: width for width, vrs in WIDTHS.items() for vr in vrs}


@contextmanager
def as_pydicom_likes() -> Iterator[None]:
    """pydicom's own view of its odd files, without its warnings."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def read_back(data_set: bytes, transfer_syntax: str) -> Dataset:
    """What pydicom makes of a data set."""
    head = io.BytesIO()
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = UID(transfer_syntax)
    write_file_meta_info(pydicom.filebase.DicomIO(head), meta, enforce_standard=False)
    return pydicom.dcmread(io.BytesIO(bytes(128) + b"DICM" + head.getvalue() + data_set))


def in_little_endian(element: RawDataElement, big: bool) -> bytes:
    """The bytes of a value, of even length."""
    value = bytes(element.value or b"")
    value += (b"\0" if element.VR in ("OB", "UI", "UN") else b" ") * (len(value) % 2)
    if not big:
        return value
    return numpy.frombuffer(value, dtype=f">u{WIDTH[str(element.VR)]}").byteswap().tobytes()


def assert_says_the_same(original: Dataset, result: Dataset, big: tuple[bool, bool]) -> None:
    """Both data sets have the same elements with the same values, byte for byte but for the order, in sequences too."""

    def compared(data_set: Dataset) -> list[BaseTag]:
        return [tag for tag in sorted(data_set.keys()) if tag.element and tag not in NOT_COMPARED]

    assert compared(result) == compared(original)
    for tag in compared(original):
        before: Any = original.get_item(tag)  # as it is encoded, where pydicom has not looked at it
        after: Any = result.get_item(tag)
        known, new = original[tag], result[tag]
        if known.VR == "SQ" == new.VR:
            for one, other in zip(known.value, new.value, strict=True):
                assert_says_the_same(one, other, big)
        elif tag == 0x00280004 and "YBR" in known.value:
            assert new.value in ("RGB", "YBR_FULL", known.value)
        elif isinstance(before, RawDataElement) and isinstance(after, RawDataElement):
            assert in_little_endian(after, big[1]) == in_little_endian(before, big[0]), tag
            if after.VR is not None:  # the target has VRs; where the source had none, they come from the dictionary
                allowed = {before.VR} if before.VR else {*known.VR.split(" or "), "UN"}
                assert after.VR in allowed, tag
        else:
            assert new.value == known.value or (new.is_empty and known.is_empty), tag


@pytest.mark.parametrize("file", WITH_SOP_UIDS, ids=lambda file: file.path.name)
def test_every_shipped_file_keeps_its_elements_and_pixels_in_every_encoding(
    file: files.Part10File, monkeypatch: pytest.MonkeyPatch
) -> None:
    # UN is Little Endian in every transfer syntax (PS3.5 6.2.2); taken for a known VR, pydicom reads it in the file's order.
    monkeypatch.setattr(pydicom.config, "replace_un_with_known_vr", False)
    unfit, reason = REFUSED.get(file.path.name, ((), ""))
    pixels = None
    if unfit != ALL and file.path.name not in NO_IMAGE:
        with as_pydicom_likes():
            original = pydicom.dcmread(file.path)
            pixels = pixel_array(original, raw=True) if "PixelData" in original else None
    for target, uid in TARGETS.items():
        if target in unfit:
            with pytest.raises(FileError, match=reason):
                transcode(str(file.path), uid, lossy=True)
            continue
        data_set = transcode(str(file.path), uid, lossy=True)
        assert len(data_set) % 2 == 0
        with as_pydicom_likes():
            result = read_back(data_set, uid)
            assert_says_the_same(pydicom.dcmread(file.path), result, (file.transfer_syntax == BIG, uid == BIG))
            if pixels is not None:
                assert numpy.array_equal(pixel_array(read_back(data_set, uid), raw=True), pixels)


def test_the_table_names_only_shipped_files() -> None:
    assert REFUSED.keys() <= {file.path.name for file in WITH_SOP_UIDS}


# --- Which targets there are ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "lossy", "possible"),
    [
        (EXPLICIT, False, True),
        (IMPLICIT, False, True),
        (DEFLATED, False, True),
        (BIG, False, True),
        (RLE, False, True),
        (JPEG_LOSSLESS, False, True),
        (JPEG_2000_LOSSLESS, False, True),
        (JPEG, False, False),
        (JPEG, True, True),
        (JPEG_EXTENDED, False, False),
        (JPEG_EXTENDED, True, True),
        (JPEG_LS_NEAR, False, True),  # the data set decides
        (JPEG_2000, False, True),
        (uids.HTJ2K, False, True),
        (uids.MPEG2MPML, True, False),
        ("1.2.840.113619.5.2", True, False),  # private
        ("", True, False),
    ],
)
def test_targets_follow_the_source_syntax_and_the_policy(source: str, lossy: bool, possible: bool) -> None:
    everything = {BIG, DEFLATED, IMPLICIT, EXPLICIT, JPEG, "1.2.3"}
    assert targets(source, everything, lossy=lossy) == ([EXPLICIT, IMPLICIT, DEFLATED, BIG] if possible else [])
    assert targets(source, [IMPLICIT], lossy=lossy) == ([IMPLICIT] if possible else [])
    assert targets(source, [JPEG_2000], lossy=lossy) == []


def test_a_target_that_cannot_be_written_is_the_callers_mistake() -> None:
    with pytest.raises(ValueError, match=JPEG.replace(".", r"\.")):
        transcode(str(DATA / "CT_small.dcm"), JPEG)


# --- Files made by hand -----------------------------------------------------------------------------------------------


def explicit(tag: int, vr: str, value: bytes, *, order: str = "<", length: int | None = None) -> bytes:
    """An element with VR (PS3.5 7.1.2)."""
    size = len(value) if length is None else length
    form = "HH2s2xL" if vr.encode() in files.LONG_VRS else "HH2sH"
    return struct.pack(order + form, tag >> 16, tag & 0xFFFF, vr.encode(), size) + value


def implicit(tag: int, value: bytes, *, order: str = "<", length: int | None = None) -> bytes:
    """An element without VR (PS3.5 7.1.3), an item or a delimiter."""
    return struct.pack(f"{order}HHL", tag >> 16, tag & 0xFFFF, len(value) if length is None else length) + value


def sequence(tag: int, *items: bytes, order: str = "<", vr: str | None = "SQ") -> bytes:
    """A sequence of undefined length, of items of undefined length, in Implicit VR if `vr` is None."""
    bodies = b"".join(
        implicit(0xFFFEE000, b"", order=order, length=0xFFFFFFFF) + item + implicit(0xFFFEE00D, b"", order=order)
        for item in items
    )
    body = bodies + implicit(0xFFFEE0DD, b"", order=order)
    if vr is None:
        return implicit(tag, body, order=order, length=0xFFFFFFFF)
    return explicit(tag, vr, body, order=order, length=0xFFFFFFFF)


class Made:
    """Writes data sets to files and re-encodes them."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "made.dcm"

    def transcode(self, data_set: bytes, source: str, target: str, *, lossy: bool = False) -> bytes:
        uid = source.encode() + bytes(len(source) % 2)
        self.path.write_bytes(bytes(128) + b"DICM" + explicit(0x00020010, "UI", uid) + data_set)
        return transcode(str(self.path), target, lossy=lossy)

    def refuses(self, data_set: bytes, source: str, target: str, *, lossy: bool = False) -> str:
        with pytest.raises(FileError) as raised:
            self.transcode(data_set, source, target, lossy=lossy)
        assert raised.value.path == str(self.path)
        assert "\n" not in raised.value.reason
        assert raised.value.__cause__ is not None
        return raised.value.reason


@pytest.fixture
def made(tmp_path: Path) -> Made:
    return Made(tmp_path)


# VR, a value in Little Endian, the same in Big Endian (PS3.5 6.2 and 7.3).
BYTE_ORDER = [
    ("AT", "08000500", "00080005"),
    ("US", "0102", "0201"),
    ("SS", "0102", "0201"),
    ("OW", "0102030405060708", "0201040306050807"),
    ("UL", "01020304", "04030201"),
    ("SL", "01020304", "04030201"),
    ("FL", "01020304", "04030201"),
    ("OF", "0102030405060708", "0403020108070605"),
    ("OL", "0102030405060708", "0403020108070605"),
    ("FD", "0102030405060708", "0807060504030201"),
    ("OD", "0102030405060708", "0807060504030201"),
    ("OV", "0102030405060708", "0807060504030201"),
    ("SV", "0102030405060708", "0807060504030201"),
    ("UV", "0102030405060708", "0807060504030201"),
    ("OB", "01020304", "01020304"),
    ("UN", "01020304", "01020304"),  # Little Endian always, PS3.5 6.2.2
    ("LO", "41424344", "41424344"),
]


@pytest.mark.parametrize(("vr", "little", "big"), BYTE_ORDER, ids=[vr for vr, _, _ in BYTE_ORDER])
@pytest.mark.parametrize("tag", [0x00091001, 0x00181020])
def test_values_are_swapped_word_by_word_in_sequences_too(made: Made, tag: int, vr: str, little: str, big: str) -> None:
    def data_set(value: str, order: str) -> bytes:
        element = explicit(tag, vr, bytes.fromhex(value), order=order)
        return sequence(0x00081140, element, sequence(0x00081199, element, order=order), order=order) + element

    assert made.transcode(data_set(little, "<"), EXPLICIT, BIG) == data_set(big, ">")
    assert made.transcode(data_set(big, ">"), BIG, EXPLICIT) == data_set(little, "<")


@pytest.mark.parametrize("target", [EXPLICIT, BIG])
def test_private_elements_of_implicit_vr_keep_their_bytes_as_un(made: Made, target: str) -> None:
    order = ">" if target == BIG else "<"
    source = implicit(0x00090010, b"ACME 1") + implicit(0x00091001, b"\1\2\3\4") + sequence(
        0x00091002, implicit(0x00091001, b"\5\6") + implicit(0x00280010, b"\1\0"), vr=None
    )  # fmt: skip
    rows = explicit(0x00280010, "US", b"\0\1" if target == BIG else b"\1\0", order=order)
    assert made.transcode(source, IMPLICIT, target) == (
        explicit(0x00090010, "LO", b"ACME 1", order=order)
        + explicit(0x00091001, "UN", b"\1\2\3\4", order=order)
        + sequence(0x00091002, explicit(0x00091001, "UN", b"\5\6", order=order) + rows, order=order)
    )


def test_un_of_undefined_length_is_a_sequence_in_implicit_vr(made: Made) -> None:
    inner = sequence(0x00091002, implicit(0x00280010, b"\1\0"), vr=None)
    source = explicit(0x00091002, "UN", inner[8:], order=">", length=0xFFFFFFFF)
    assert made.transcode(source, BIG, BIG) == sequence(
        0x00091002, explicit(0x00280010, "US", b"\0\1", order=">"), order=">"
    )
    assert made.transcode(source, BIG, IMPLICIT) == inner


@pytest.mark.parametrize("target", [EXPLICIT, BIG])
def test_a_value_too_long_for_its_vr_becomes_un(made: Made, target: str) -> None:
    order = ">" if target == BIG else "<"
    for tag, value in ((0x300A00B0 + 0x1B, b""), (0x00281201, b"")):  # nothing to make longer: empty values stay short
        assert len(made.transcode(implicit(tag, value), IMPLICIT, target)) >= 8
    contour, histogram = (
        b"1.50\\" * 13108 + b" ",
        bytes(range(256)) * 512,
    )  # Contour Data DS; Table of X Break Points US
    source = implicit(0x00181060, contour) + implicit(0x00186052, histogram)
    assert made.transcode(source, IMPLICIT, target) == (
        explicit(0x00181060, "UN", contour + bytes(len(contour) % 2), order=order)
        + explicit(0x00186052, "UN", histogram, order=order)
    )


SIGNED, UNSIGNED = implicit(0x00280103, b"\1\0"), implicit(0x00280103, b"\0\0")


@pytest.mark.parametrize(
    ("before", "element", "vr"),
    [
        (UNSIGNED, implicit(0x00280106, b"\xff\xff"), "US"),
        (SIGNED, implicit(0x00280106, b"\xff\xff"), "SS"),
        (b"", implicit(0x00280106, b"\xff\x7f"), "US"),  # the same number either way
        (b"", implicit(0x00280106, b"\xff\xff"), "UN"),  # nothing says whether it is -1
        (b"", implicit(0x00283006, b"\1\0\2\0"), "OW"),  # LUT Data, US or OW
        (b"", implicit(0x00281200, b"\1\0\2\0"), "OW"),  # US or SS or OW
        (b"", implicit(0x60003000, b"\1\2"), "OW"),  # Overlay Data
        (b"", implicit(0x50003000, b"\1\2"), "UN"),  # Curve Data: no telling
        (implicit(0x00280100, b"\x08\0"), implicit(0x7FE00010, b"\1\2"), "OB"),
        (implicit(0x00280100, b"\x10\0"), implicit(0x7FE00010, b"\1\2"), "OW"),
        (implicit(0x00280100, b"\1\0"), implicit(0x7FE00010, b"\1\2"), "OB"),
        (implicit(0x54001004, b"\x08\0"), implicit(0x54001010, b"\1\2"), "OB"),
        (implicit(0x54001004, b"\x10\0"), implicit(0x54001010, b"\1\2"), "OW"),
    ],
)
def test_a_vr_that_the_dictionary_leaves_open_is_chosen_by_the_data_set(
    made: Made, before: bytes, element: bytes, vr: str
) -> None:
    tag, value = int.from_bytes(element[:2], "little") << 16 | int.from_bytes(element[2:4], "little"), element[8:]
    swapped = value if vr in ("UN", "OB") else b"".join(value[i : i + 2][::-1] for i in range(0, len(value), 2))
    assert made.transcode(before + element, IMPLICIT, EXPLICIT).endswith(explicit(tag, vr, value))
    assert made.transcode(before + element, IMPLICIT, BIG).endswith(explicit(tag, vr, swapped, order=">"))


def test_pixel_representation_counts_in_the_items_below_it(made: Made) -> None:
    source = SIGNED + sequence(0x00409096, implicit(0x00409216, b"\xff\xff"), vr=None)
    assert explicit(0x00409216, "SS", b"\xff\xff") in made.transcode(source, IMPLICIT, EXPLICIT)


def test_texts_and_numbers_in_text_keep_their_bytes(made: Made) -> None:
    values = {
        (0x00080005, "CS"): b"\\ISO 2022 IR 87 ",
        (0x00100010, "PN"): "ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎".encode("iso2022_jp_ext", "replace") + b"\x1b\xff",  # not valid either
        (0x00180050, "DS"): b" +1.50E+00\\1.500",
        (0x00200013, "IS"): b"+007  ",
        (0x00200032, "DS"): b"not a number",
    }
    values = {key: value + b" " * (len(value) % 2) for key, value in values.items()}
    source = b"".join(implicit(tag, value) for (tag, _), value in values.items())
    for target, order in ((EXPLICIT, "<"), (BIG, ">")):
        wanted = b"".join(explicit(tag, vr, value, order=order) for (tag, vr), value in values.items())
        assert made.transcode(source, IMPLICIT, target) == wanted


def test_what_is_none_of_a_data_sets_or_counts_its_bytes_is_left_out(made: Made) -> None:
    kept = explicit(0x00080060, "CS", b"OT")
    source = (
        explicit(0x00080000, "UL", b"\x0a\0\0\0")
        + explicit(0x00080001, "UL", b"\xff\0\0\0")
        + kept
        + sequence(0x00081140, explicit(0x00080000, "UL", b"\0\0\0\0"))
    )
    assert made.transcode(source + bytes(512), EXPLICIT, EXPLICIT) == kept + sequence(0x00081140, b"")
    assert made.transcode(explicit(0x00000002, "UI", b"1.2\0") + kept, EXPLICIT, EXPLICIT) == kept


def test_lengths_that_are_defined_become_undefined_and_odd_ones_even(made: Made) -> None:
    item = explicit(0x00080100, "SH", b"abc") + explicit(0x00080102, "UI", b"1.2.3")
    source = explicit(0x00081140, "SQ", implicit(0xFFFEE000, item)) + explicit(0x00420011, "OB", b"%PDF-")
    assert made.transcode(source, EXPLICIT, EXPLICIT) == (
        sequence(0x00081140, explicit(0x00080100, "SH", b"abc ") + explicit(0x00080102, "UI", b"1.2.3\0"))
        + explicit(0x00420011, "OB", b"%PDF-\0")
    )


def test_a_file_that_claims_vrs_and_has_none_is_read(made: Made) -> None:
    source = implicit(0x00080060, b"OT") + implicit(0x00280010, b"\1\0")
    assert made.transcode(source, EXPLICIT, BIG) == (
        explicit(0x00080060, "CS", b"OT", order=">") + explicit(0x00280010, "US", b"\0\1", order=">")
    )


def test_a_deflated_data_set_is_the_explicit_one_deflated(made: Made) -> None:
    data_set = explicit(0x00080060, "CS", b"OT") + explicit(0x00420011, "OB", bytes(5000))
    deflated = made.transcode(data_set, EXPLICIT, DEFLATED)
    assert len(deflated) % 2 == 0
    assert zlib.decompressobj(-15).decompress(deflated) == data_set
    assert made.transcode(deflated, DEFLATED, EXPLICIT) == data_set
    assert "cut short" in made.refuses(deflated[:-8], DEFLATED, EXPLICIT)
    assert "inflated" in made.refuses(b"\xff" * 20, DEFLATED, EXPLICIT)


# --- What is refused --------------------------------------------------------------------------------------------------

NESTED = explicit(0x00081140, "SQ", b"", length=0xFFFFFFFF) + implicit(0xFFFEE000, b"", length=0xFFFFFFFF)


@pytest.mark.parametrize(
    ("data_set", "source", "target", "reason"),
    [
        (explicit(0x00080060, "CS", b"OT", length=4), EXPLICIT, IMPLICIT, "(0008,0060) ends early"),
        (explicit(0x00081140, "SQ", b"", length=8), EXPLICIT, IMPLICIT, "(0008,1140) ends early"),
        (explicit(0x00081140, "SQ", implicit(0xFFFEE000, b"", length=9)), EXPLICIT, IMPLICIT, "a sequence item ends"),
        (explicit(0x00081140, "SQ", implicit(0x00080060, b"")), EXPLICIT, IMPLICIT, "where a sequence item should"),
        (implicit(0xFFFEE00D, b""), EXPLICIT, IMPLICIT, "where a data element should"),
        (NESTED * 100, EXPLICIT, IMPLICIT, "nested more than 64 deep"),
        (NESTED * 5, EXPLICIT, IMPLICIT, "ends early"),
        (explicit(0x00080060, "CS", b"OT") + explicit(0x00080060, "CS", b"CT"), EXPLICIT, IMPLICIT, "twice"),
        (explicit(0x00420011, "OB", b"", length=0xFFFFFFFF), EXPLICIT, IMPLICIT, "undefined length and is no sequence"),
        (explicit(0x7FE00010, "OB", b"", length=0xFFFFFFFF), EXPLICIT, IMPLICIT, "ends early"),
        (explicit(0x00181020, "OW", b"\1\2\3"), EXPLICIT, BIG, "no whole number of OW values"),
        (b"\0\x08\0\x60\0\0\0\2OT", BIG, EXPLICIT, "where its VR should stand"),
        (struct.pack("<HH2s2xL", 9, 0x1001, b"ZZ", 2) + b"ab", EXPLICIT, BIG, "unknown VR ZZ"),
        (explicit(0x00080060, "CS", b"OT"), "1.2.3", EXPLICIT, "1.2.3 cannot be re-encoded"),
        (explicit(0x00080060, "CS", b"OT"), uids.MPEG2MPML, EXPLICIT, "MPEG2 Main Profile / Main Level cannot"),
        (explicit(0x7FE00010, "OB", b"ab"), RLE, EXPLICIT, "not encapsulated"),
    ],
)
def test_a_data_set_that_cannot_be_re_encoded_is_refused_with_the_reason(
    made: Made, data_set: bytes, source: str, target: str, reason: str
) -> None:
    assert reason in made.refuses(data_set, source, target)


def test_an_unknown_vr_stays_where_the_byte_order_does(made: Made) -> None:
    element = struct.pack("<HH2s2xL", 9, 0x1001, b"ZZ", 2) + b"ab"
    assert made.transcode(element, EXPLICIT, EXPLICIT) == element


def test_a_file_that_is_missing_or_not_dicom_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="No such file"):
        transcode(str(tmp_path / "missing"), EXPLICIT)
    (tmp_path / "text").write_bytes(b"hello")
    with pytest.raises(FileError, match="not DICOM"):
        transcode(str(tmp_path / "text"), EXPLICIT)


@pytest.mark.parametrize("name", ["MR_small_RLE.dcm", "UN_sequence.dcm", "test-SR.dcm", "image_dfl.dcm"])
@given(data=st.data())
def test_a_damaged_file_raises_nothing_but_a_file_error(
    name: str, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    content = bytearray((DATA / name).read_bytes())
    place = st.integers(132, len(content) - 1)
    for position in data.draw(st.lists(place, max_size=4)):
        content[position] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.getbasetemp() / "damaged.dcm"
    path.write_bytes(content[: data.draw(place)])
    for target in TARGETS.values():
        try:
            transcode(str(path), target, lossy=True)
        except FileError as error:
            assert error.reason and "\n" not in error.reason


# --- Compressed pixel data --------------------------------------------------------------------------------------------


def image(
    *frames: bytes,
    samples: int = 1,
    bits: int = 8,
    planar: int | None = None,
    offsets: bytes = b"",
    more: bytes = b"",
    interpretation: bytes = b"",
    loss: bytes = b"",
) -> bytes:
    """A compressed image of 2 rows and 3 columns."""
    fragments = b"".join(implicit(0xFFFEE000, frame) for frame in (offsets, *frames)) + implicit(0xFFFEE0DD, b"")
    planes = b"" if planar is None else explicit(0x00280006, "US", bytes((planar, 0)))
    return b"".join((
        explicit(0x00280002, "US", bytes((samples, 0))),
        explicit(0x00280004, "CS", interpretation or (b"RGB " if samples == 3 else b"MONOCHROME2 ")),
        planes,
        explicit(0x00280008, "IS", b"%d " % 2) if more == b"two frames" else b"",
        explicit(0x00280010, "US", b"\2\0"),
        explicit(0x00280011, "US", b"\3\0"),
        explicit(0x00280100, "US", bytes((bits, 0))),
        explicit(0x00280101, "US", bytes((bits, 0))),
        explicit(0x00280103, "US", b"\0\0"),
        explicit(0x00282110, "CS", loss) if loss else b"",
        explicit(0x7FE00001, "OV", bytes(8)),
        explicit(0x7FE00002, "OV", bytes(8)),
        explicit(0x7FE00010, "OB", fragments, length=0xFFFFFFFF),
    ))  # fmt: skip


def rle(*segments: bytes) -> bytes:
    """A frame in RLE (PS3.5 Annex G) that compresses nothing."""
    packed = [bytes((len(segment) - 1,)) + segment for segment in segments]
    packed = [segment + b"\x80" * (len(segment) % 2) for segment in packed]
    starts = [64 + sum(map(len, packed[:i])) for i in range(len(packed))]
    return struct.pack("<16L", len(packed), *starts, *[0] * (15 - len(packed))) + b"".join(packed)


def value_of(data_set: bytes, tag: int) -> Any:
    with as_pydicom_likes():
        return read_back(data_set, EXPLICIT)[tag].value


@pytest.mark.parametrize(
    ("data_set", "pixels", "vr"),
    [
        (image(rle(b"abcdef")), b"abcdef", "OB"),
        (image(rle(b"ABCDEF", b"abcdef"), bits=16), b"aAbBcCdDeEfF", "OW"),
        (image(rle(b"rrrrrr", b"gggggg", b"bbbbbb"), samples=3, planar=0), b"rgb" * 6, "OB"),
        (image(rle(b"rrrrrr", b"gggggg", b"bbbbbb"), samples=3, planar=1), b"rrrrrrggggggbbbbbb", "OB"),
        (image(rle(b"rrrrrr", b"gggggg", b"bbbbbb"), samples=3), b"rgb" * 6, "OB"),
        (image(rle(b"abcdef"), rle(b"ghijkl"), more=b"two frames"), b"abcdefghijkl", "OB"),
        (image(rle(b"abcdef")[:64], rle(b"abcdef")[64:]), b"abcdef", "OB"),
        (
            image(
                rle(b"a" * 6)[:64], rle(b"a" * 6)[64:], rle(b"b" * 6), more=b"two frames", offsets=b"\0\0\0\0\x58\0\0\0"
            ),
            b"aaaaaabbbbbb",
            "OB",
        ),
    ],
)
def test_frames_become_native_pixels_of_the_attributes_they_had(
    made: Made, data_set: bytes, pixels: bytes, vr: str
) -> None:
    result = made.transcode(data_set, RLE, EXPLICIT)
    assert result.endswith(explicit(0x7FE00010, vr, pixels))
    with as_pydicom_likes():
        before, after = read_back(data_set, RLE), read_back(result, EXPLICIT)
    assert after.get("PlanarConfiguration") == (before.get("PlanarConfiguration", 0) if b"RGB " in data_set else None)
    assert after.get("NumberOfFrames") == before.get("NumberOfFrames")
    assert after.PhotometricInterpretation == before.PhotometricInterpretation
    assert "ExtendedOffsetTable" not in after and "ExtendedOffsetTableLengths" not in after


def test_a_compressed_icon_is_decompressed_too_and_a_native_one_kept(made: Made) -> None:
    native = explicit(0x7FE00010, "OB", b"fedcba")
    for icon, wanted in ((image(rle(b"fedcba")), native), (native, native)):
        result = made.transcode(sequence(0x00880200, icon) + image(rle(b"abcdef")), RLE, EXPLICIT)
        assert result.count(wanted) == 1 and result.endswith(explicit(0x7FE00010, "OB", b"abcdef"))


@pytest.mark.parametrize(
    ("data_set", "reason"),
    [
        (image(), "0 frames, Number of Frames says 1"),
        (image(rle(b"abcdef"), more=b"two frames"), "frames, Number of Frames says 2"),
        (image(rle(b"abcdef"), rle(b"abcdef"), offsets=b"\0\0\0\0\x50\0\0\0"), "2 frames, Number of Frames says 1"),
        (image(rle(b"abcd")), "cannot be decompressed (RLE Lossless)"),
        (image(b""), "cannot be decompressed (RLE Lossless)"),
        (image(rle(b"abcdef"), bits=1), "1 bits allocated"),
        (image(rle(b"abcdef"), interpretation=b"YBR_ICT "), "no Photometric Interpretation"),
        (image(rle(b"abcdef"))[10:], "without (0028,0002) Samples Per Pixel"),
        (image(rle(b"abcdef")).replace(b"\x28\0\x10\0US\2\0\2\0", b""), "without (0028,0010) Rows"),
        (explicit(0x00280008, "IS", b"1A") + image(rle(b"abcdef")), "Number of Frames is '1A'"),
    ],
)
def test_an_image_that_cannot_be_decompressed_is_refused(made: Made, data_set: bytes, reason: str) -> None:
    assert reason in made.refuses(data_set, RLE, EXPLICIT)


def test_a_jpeg_frame_that_is_none_is_refused(made: Made) -> None:
    for frame in (b"\xff\xd8\xff\xd9", b"\xff\xd8" + bytes(20), b"no JPEG!"):
        reason = made.refuses(image(frame), JPEG_LOSSLESS, EXPLICIT)
        assert "cannot be decompressed (JPEG Lossless" in reason
    damaged = image(rle(b"abcdef")).replace(implicit(0xFFFEE0DD, b""), implicit(0xFFFEE00D, b""))
    assert "where a fragment of Pixel Data should" in made.refuses(damaged, RLE, EXPLICIT)


@pytest.mark.parametrize("boxes", [bytes(16), b"\0\0\0\x0bjp2h" + bytes(8), b"\0\0\0\x0cjp2h" + bytes(8)])
def test_a_jp2_file_of_faulty_boxes_is_refused_at_once(made: Made, boxes: bytes) -> None:
    frame = b"\0\0\0\x0cjP  \r\n\x87\n" + boxes  # whoever goes by the lengths would stay at one of 0
    assert "JP2" in made.refuses(image(frame), JPEG_2000_LOSSLESS, EXPLICIT)


def test_samples_that_do_not_fit_bits_allocated_are_refused(tmp_path: Path) -> None:
    for name in ("MR_small_jp2klossless.dcm", "MR_small_jpeg_ls_lossless.dcm"):
        content = (DATA / name).read_bytes()
        for tag in (0x00280100, 0x00280101):
            content = content.replace(explicit(tag, "US", b"\x10\0"), explicit(tag, "US", b"\x08\0"))
        (tmp_path / name).write_bytes(content)
        with pytest.raises(FileError, match="more than the 8 bits of Bits Allocated"):
            transcode(str(tmp_path / name), EXPLICIT)


@pytest.mark.parametrize("offset_table", [True, False])
def test_frames_in_several_fragments_are_put_together(tmp_path: Path, offset_table: bool) -> None:
    source, path = DATA / "examples_ybr_color.dcm", tmp_path / "fragments.dcm"
    with as_pydicom_likes():
        data_set = pydicom.dcmread(source)
        frames = list(generate_frames(data_set.PixelData, number_of_frames=30))
        data_set.PixelData = encapsulate(frames, fragments_per_frame=3, has_bot=offset_table)
        data_set.save_as(path)
    assert transcode(str(path), EXPLICIT, lossy=True) == transcode(str(source), EXPLICIT, lossy=True)


def test_encapsulated_pixels_in_an_uncompressed_syntax_are_refused(made: Made) -> None:
    assert "is encapsulated" in made.refuses(image(rle(b"abcdef")), EXPLICIT, EXPLICIT)


@pytest.mark.parametrize(
    ("name", "loss", "decompressed"),
    [
        ("JPEG2000.dcm", b"00", True),
        ("JPEG2000.dcm", b"01", False),
        ("JPEG2000.dcm", b"", False),
        ("JPEGLSNearLossless_08.dcm", None, False),  # it has no Lossy Image Compression
        ("SC_rgb_dcmtk_+eb+cr.dcm", b"00", False),  # JPEG Baseline always loses
        ("SC_rgb_dcmtk_+eb+cr.dcm", b"01", False),
        ("JPGExtended.dcm", b"01", False),
        ("MR_small_jp2klossless.dcm", None, True),
    ],
)
def test_what_may_be_lossy_is_decompressed_only_with_leave(
    tmp_path: Path, name: str, loss: bytes | None, decompressed: bool
) -> None:
    content = (DATA / name).read_bytes()
    path = tmp_path / name
    if loss is not None:
        before = explicit(0x00282110, "CS", b"01")
        assert before in content
        content = content.replace(before, explicit(0x00282110, "CS", loss))
    path.write_bytes(content)
    if decompressed:
        assert transcode(str(path), EXPLICIT)
    else:
        with pytest.raises(FileError, match="may be lossy compressed"):
            transcode(str(path), EXPLICIT)
    result = transcode(str(path), EXPLICIT, lossy=True)
    if loss:
        assert value_of(result, 0x00282110) == loss.decode()


def test_photometric_interpretation_says_what_the_pixels_are() -> None:
    said = {
        "GDCMJ2K_TextGBR.dcm": "RGB",  # YBR_RCT: the codec undoes it
        "SC_rgb_dcmtk_+eb+cy+np.dcm": "YBR_FULL",  # YBR_FULL_422: every pixel has its samples now
        "SC_rgb_jpeg_dcmtk.dcm": "YBR_FULL",
        "SC_rgb_dcmtk_+eb+cr.dcm": "RGB",
    }
    for name, interpretation in said.items():
        assert value_of(transcode(str(DATA / name), EXPLICIT, lossy=True), 0x00280004) == interpretation


def test_a_jfif_codestream_called_rgb_is_ybr_without_a_warning(tmp_path: Path) -> None:
    source = DATA / "SC_rgb_small_odd_jpeg.dcm"
    content = source.read_bytes()
    assert b"JFIF" in content
    before, after = explicit(0x00280004, "CS", b"YBR_FULL"), explicit(0x00280004, "CS", b"RGB ")
    assert before in content
    path = tmp_path / "mislabelled.dcm"
    path.write_bytes(content.replace(before, after))
    result = transcode(str(path), EXPLICIT, lossy=True)
    assert value_of(result, 0x00280004) == "YBR_FULL"
    assert value_of(result, 0x7FE00010) == value_of(transcode(str(source), EXPLICIT, lossy=True), 0x7FE00010)


WITHOUT_DECODERS = """
import sys
for name in ("numpy", "pylibjpeg", "PIL", "jpeg_ls", "gdcm"):
    sys.modules[name] = None  # as if not installed
from dimse.data_set.transcode import transcode
from dimse.errors import FileError
for path in sys.argv[1:]:
    try:
        print(len(transcode(path, "1.2.840.10008.1.2")))
    except FileError as error:
        print(error.reason)
"""


def test_without_decoders_the_extra_to_install_is_named_and_the_rest_still_works() -> None:
    paths = [
        str(DATA / name) for name in ("MR_small_jp2klossless.dcm", "SC_rgb_rle.dcm", "CT_small.dcm", "MR_small_RLE.dcm")
    ]
    command = [sys.executable, "-W", "error", "-c", WITHOUT_DECODERS, *paths]
    jpeg, colour, plain, gray = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    assert jpeg.startswith("no decoder for JPEG 2000 Image Compression (Lossless Only) is installed")
    assert colour.startswith("no decoder for RLE Lossless is installed")
    assert jpeg.endswith('pip install "dimse[codecs]"') and colour.endswith('pip install "dimse[codecs]"')
    assert int(plain) > 32768 and int(gray) > 8192
