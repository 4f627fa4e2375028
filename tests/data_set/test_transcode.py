"""Re-encoding a data set (PS3.5 section 7): nothing that it says is lost or changed, or it is refused with a reason."""

from __future__ import annotations

import struct
import zlib
from typing import Any

import numpy
import pydicom
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.pixels.utils import pixel_array
from pydicom.tag import BaseTag

from dimse import uids
from dimse.data_set.transcode import targets, transcode
from dimse.errors import FileError
from tests import files
from tests.data_set.samples import (
    BIG,
    DEFLATED,
    EXPLICIT,
    IMPLICIT,
    JPEG,
    JPEG_2000,
    JPEG_2000_LOSSLESS,
    JPEG_EXTENDED,
    JPEG_LOSSLESS,
    JPEG_LS_NEAR,
    RLE,
    TARGETS,
    as_pydicom_likes,
    convert,
    explicit,
    implicit,
    re_encode,
    read_back,
    refusal,
    sequence,
    shipped,
)

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

NO_IMAGE = {"badVR.dcm"}  # Number of Frames is no number

# These are compared as pixels, or describe what is gone.
NOT_COMPARED = {0x00080001, 0x7FE00001, 0x7FE00002, 0x7FE00003, 0x7FE00010}
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


def in_little_endian(element: RawDataElement, big: bool) -> bytes:
    """Return the bytes of a value in little endian, of even length."""
    value = bytes(element.value or b"")
    value += (b"\0" if element.VR in ("OB", "UI", "UN") else b" ") * (len(value) % 2)
    if not big:
        return value
    return numpy.frombuffer(value, dtype=f">u{WIDTH[str(element.VR)]}").byteswap().tobytes()


def assert_says_the_same(original: Dataset, result: Dataset, big: tuple[bool, bool]) -> None:
    """Check that both data sets have the same elements with the same values but for the byte order, in sequences too."""

    def compared(data_set: Dataset) -> list[BaseTag]:
        return [tag for tag in sorted(data_set.keys()) if tag.element and tag not in NOT_COMPARED]

    assert compared(result) == compared(original)
    for tag in compared(original):
        # This is as encoded where pydicom has not looked at it.
        before: Any = original.get_item(tag)
        after: Any = result.get_item(tag)
        known, new = original[tag], result[tag]
        if known.VR == "SQ" == new.VR:
            for one, other in zip(known.value, new.value, strict=True):
                assert_says_the_same(one, other, big)
        elif tag == 0x00280004 and "YBR" in known.value:
            assert new.value in ("RGB", "YBR_FULL", known.value)
        elif isinstance(before, RawDataElement) and isinstance(after, RawDataElement):
            assert in_little_endian(after, big[1]) == in_little_endian(before, big[0]), tag
            # The target has VRs; where the source had none, they come from the dictionary.
            if after.VR is not None:
                allowed = {before.VR} if before.VR else {*known.VR.split(" or "), "UN"}
                assert after.VR in allowed, tag
        else:
            assert new.value == known.value or (new.is_empty and known.is_empty), tag


@pytest.mark.parametrize(
    "file",
    [  # every fourth one by default
        pytest.param(file, id=file.path.name, marks=[pytest.mark.thorough] * (number % 4 > 0))
        for number, file in enumerate(WITH_SOP_UIDS)
    ],
)
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
                re_encode(file, uid, lossy=True)
            continue
        data_set = re_encode(file, uid, lossy=True)
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
        re_encode(shipped("CT_small.dcm"), JPEG)


# --- Files made by hand -----------------------------------------------------------------------------------------------


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
def test_values_are_swapped_word_by_word_in_sequences_too(tag: int, vr: str, little: str, big: str) -> None:
    def data_set(value: str, order: str) -> bytes:
        element = explicit(tag, vr, bytes.fromhex(value), order=order)
        return sequence(0x00081140, element, sequence(0x00081199, element, order=order), order=order) + element

    assert convert(data_set(little, "<"), EXPLICIT, BIG) == data_set(big, ">")
    assert convert(data_set(big, ">"), BIG, EXPLICIT) == data_set(little, "<")


@pytest.mark.parametrize("target", [EXPLICIT, BIG])
def test_private_elements_of_implicit_vr_keep_their_bytes_as_un(target: str) -> None:
    order = ">" if target == BIG else "<"
    source = implicit(0x00090010, b"ACME 1") + implicit(0x00091001, b"\1\2\3\4") + sequence(
        0x00091002, implicit(0x00091001, b"\5\6") + implicit(0x00280010, b"\1\0"), vr=None
    )  # fmt: skip
    rows = explicit(0x00280010, "US", b"\0\1" if target == BIG else b"\1\0", order=order)
    assert convert(source, IMPLICIT, target) == (
        explicit(0x00090010, "LO", b"ACME 1", order=order)
        + explicit(0x00091001, "UN", b"\1\2\3\4", order=order)
        + sequence(0x00091002, explicit(0x00091001, "UN", b"\5\6", order=order) + rows, order=order)
    )


def test_un_of_undefined_length_is_a_sequence_in_implicit_vr() -> None:
    inner = sequence(0x00091002, implicit(0x00280010, b"\1\0"), vr=None)
    source = explicit(0x00091002, "UN", inner[8:], order=">", length=0xFFFFFFFF)
    assert convert(source, BIG, BIG) == sequence(0x00091002, explicit(0x00280010, "US", b"\0\1", order=">"), order=">")
    assert convert(source, BIG, IMPLICIT) == inner


@pytest.mark.parametrize("target", [EXPLICIT, BIG])
def test_a_value_too_long_for_its_vr_becomes_un(target: str) -> None:
    order = ">" if target == BIG else "<"
    # There is nothing to make longer: empty values stay short.
    for tag, value in ((0x300A00B0 + 0x1B, b""), (0x00281201, b"")):
        assert len(convert(implicit(tag, value), IMPLICIT, target)) >= 8
    # Contour Data is DS, and Table of X Break Points is US.
    contour, histogram = b"1.50\\" * 13108 + b" ", bytes(range(256)) * 512
    source = implicit(0x00181060, contour) + implicit(0x00186052, histogram)
    assert convert(source, IMPLICIT, target) == (
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
def test_a_vr_that_the_dictionary_leaves_open_is_chosen_by_the_data_set(before: bytes, element: bytes, vr: str) -> None:
    tag, value = int.from_bytes(element[:2], "little") << 16 | int.from_bytes(element[2:4], "little"), element[8:]
    swapped = value if vr in ("UN", "OB") else b"".join(value[i : i + 2][::-1] for i in range(0, len(value), 2))
    assert convert(before + element, IMPLICIT, EXPLICIT).endswith(explicit(tag, vr, value))
    assert convert(before + element, IMPLICIT, BIG).endswith(explicit(tag, vr, swapped, order=">"))


def test_pixel_representation_counts_in_the_items_below_it() -> None:
    source = SIGNED + sequence(0x00409096, implicit(0x00409216, b"\xff\xff"), vr=None)
    assert explicit(0x00409216, "SS", b"\xff\xff") in convert(source, IMPLICIT, EXPLICIT)


def test_texts_and_numbers_in_text_keep_their_bytes() -> None:
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
        assert convert(source, IMPLICIT, target) == wanted


def test_elements_of_other_groups_and_counts_of_bytes_are_left_out() -> None:
    kept = explicit(0x00080060, "CS", b"OT")
    source = (
        explicit(0x00080000, "UL", b"\x0a\0\0\0")
        + explicit(0x00080001, "UL", b"\xff\0\0\0")
        + kept
        + sequence(0x00081140, explicit(0x00080000, "UL", b"\0\0\0\0"))
    )
    assert convert(source + bytes(512), EXPLICIT, EXPLICIT) == kept + sequence(0x00081140, b"")
    assert convert(explicit(0x00000002, "UI", b"1.2\0") + kept, EXPLICIT, EXPLICIT) == kept


def test_lengths_that_are_defined_become_undefined_and_odd_ones_even() -> None:
    item = explicit(0x00080100, "SH", b"abc") + explicit(0x00080102, "UI", b"1.2.3")
    source = explicit(0x00081140, "SQ", implicit(0xFFFEE000, item)) + explicit(0x00420011, "OB", b"%PDF-")
    assert convert(source, EXPLICIT, EXPLICIT) == (
        sequence(0x00081140, explicit(0x00080100, "SH", b"abc ") + explicit(0x00080102, "UI", b"1.2.3\0"))
        + explicit(0x00420011, "OB", b"%PDF-\0")
    )


def test_a_file_that_claims_vrs_and_has_none_is_read() -> None:
    source = implicit(0x00080060, b"OT") + implicit(0x00280010, b"\1\0")
    assert convert(source, EXPLICIT, BIG) == (
        explicit(0x00080060, "CS", b"OT", order=">") + explicit(0x00280010, "US", b"\0\1", order=">")
    )


def test_a_deflated_data_set_is_the_explicit_one_deflated() -> None:
    data_set = explicit(0x00080060, "CS", b"OT") + explicit(0x00420011, "OB", bytes(5000))
    deflated = convert(data_set, EXPLICIT, DEFLATED)
    assert len(deflated) % 2 == 0
    assert zlib.decompressobj(-15).decompress(deflated) == data_set
    assert convert(deflated, DEFLATED, EXPLICIT) == data_set
    assert "cut short" in refusal(deflated[:-8], DEFLATED, EXPLICIT)
    assert "inflated" in refusal(b"\xff" * 20, DEFLATED, EXPLICIT)


@pytest.mark.thorough
def test_a_deflated_data_set_that_would_fill_the_memory_is_refused() -> None:
    compressor = zlib.compressobj(9, wbits=-zlib.MAX_WBITS)
    zeros = bytes(1 << 20)
    bomb = b"".join(compressor.compress(zeros) for _ in range(300)) + compressor.flush()
    assert len(bomb) < 400_000
    assert refusal(bomb, DEFLATED, EXPLICIT) == "the data set has more than 268,435,456 bytes when it is inflated"


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
        (
            explicit(0x00420011, "OB", b"", length=0xFFFFFFFF),
            EXPLICIT,
            IMPLICIT,
            "undefined length and is not a sequence",
        ),
        (explicit(0x7FE00010, "OB", b"", length=0xFFFFFFFF), EXPLICIT, IMPLICIT, "ends early"),
        (explicit(0x00181020, "OW", b"\1\2\3"), EXPLICIT, BIG, "not a whole number of OW values"),
        (b"\0\x08\0\x60\0\0\0\2OT", BIG, EXPLICIT, "where its VR should be"),
        (struct.pack("<HH2s2xL", 9, 0x1001, b"ZZ", 2) + b"ab", EXPLICIT, BIG, "unknown VR ZZ"),
        (explicit(0x00080060, "CS", b"OT"), "1.2.3", EXPLICIT, "1.2.3 cannot be re-encoded"),
        (explicit(0x00080060, "CS", b"OT"), uids.MPEG2MPML, EXPLICIT, "MPEG2 Main Profile / Main Level cannot"),
        (explicit(0x7FE00010, "OB", b"ab"), RLE, EXPLICIT, "not encapsulated"),
    ],
)
def test_a_data_set_that_cannot_be_re_encoded_is_refused_with_the_reason(
    data_set: bytes, source: str, target: str, reason: str
) -> None:
    assert reason in refusal(data_set, source, target)


def test_an_unknown_vr_stays_where_the_byte_order_does() -> None:
    element = struct.pack("<HH2s2xL", 9, 0x1001, b"ZZ", 2) + b"ab"
    assert convert(element, EXPLICIT, EXPLICIT) == element


@pytest.mark.parametrize("name", ["MR_small_RLE.dcm", "UN_sequence.dcm", "test-SR.dcm", "image_dfl.dcm"])
@given(data=st.data())
def test_a_damaged_data_set_raises_nothing_but_a_file_error(name: str, data: st.DataObject) -> None:
    file = shipped(name)
    damaged = bytearray(file.data_set)
    place = st.integers(0, len(damaged) - 1)
    for position in data.draw(st.lists(place, max_size=4)):
        damaged[position] = data.draw(st.integers(0, 255))
    del damaged[data.draw(place) :]
    for target in TARGETS.values():
        try:
            transcode(bytes(damaged), file.transfer_syntax, target, path=name, lossy=True)
        except FileError as error:
            assert error.reason and "\n" not in error.reason


# --- Data sets whose elements are not encoded as their transfer syntax says -------------------------------------------


def test_compressed_pixel_data_stays_as_it_is_where_only_the_elements_are_written_anew() -> None:
    items = implicit(0xFFFEE000, b"") + implicit(0xFFFEE000, b"odd") + implicit(0xFFFEE000, b"\xff\xd8\xff\xd9")
    pixels = implicit(0x7FE00010, items + implicit(0xFFFEE0DD, b""), length=0xFFFFFFFF)
    rows = struct.pack("<H", 4)
    written = convert(implicit(0x00280010, rows) + pixels, JPEG, JPEG)
    fragments = implicit(0xFFFEE000, b"") + implicit(0xFFFEE000, b"odd\0") + implicit(0xFFFEE000, b"\xff\xd8\xff\xd9")
    end = implicit(0xFFFEE0DD, b"")
    assert written == explicit(0x00280010, "US", rows) + explicit(0x7FE00010, "OB", fragments + end, length=0xFFFFFFFF)
    assert convert(written, JPEG, JPEG) == written


def test_a_transfer_syntax_that_is_not_known_is_not_written() -> None:
    with pytest.raises(ValueError, match="cannot write transfer syntax"):
        convert(implicit(0x00280010, b"\4\0"), "1.2.3", "1.2.3")
