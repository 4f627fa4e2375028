"""Compressed pixel data made native: the pixels that were meant, described as they are, or a reason."""

from __future__ import annotations

import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import pydicom
import pytest
from pydicom.encaps import encapsulate, generate_frames

from dimse.errors import FileError
from tests import files
from tests.data_set.samples import (
    DATA,
    EXPLICIT,
    JPEG_2000_LOSSLESS,
    JPEG_LOSSLESS,
    RLE,
    as_pydicom_likes,
    changed,
    convert,
    explicit,
    implicit,
    re_encode,
    read_back,
    refusal,
    sequence,
    shipped,
)


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
    """Return a compressed image of 2 rows and 3 columns."""
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
    """Return a frame in RLE (PS3.5 Annex G) without any compression."""
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
def test_frames_become_native_pixels_of_the_attributes_they_had(data_set: bytes, pixels: bytes, vr: str) -> None:
    result = convert(data_set, RLE, EXPLICIT)
    assert result.endswith(explicit(0x7FE00010, vr, pixels))
    with as_pydicom_likes():
        before, after = read_back(data_set, RLE), read_back(result, EXPLICIT)
    assert after.get("PlanarConfiguration") == (before.get("PlanarConfiguration", 0) if b"RGB " in data_set else None)
    assert after.get("NumberOfFrames") == before.get("NumberOfFrames")
    assert after.PhotometricInterpretation == before.PhotometricInterpretation
    assert "ExtendedOffsetTable" not in after and "ExtendedOffsetTableLengths" not in after


def test_a_compressed_icon_is_decompressed_too_and_a_native_one_kept() -> None:
    native = explicit(0x7FE00010, "OB", b"fedcba")
    for icon, wanted in ((image(rle(b"fedcba")), native), (native, native)):
        result = convert(sequence(0x00880200, icon) + image(rle(b"abcdef")), RLE, EXPLICIT)
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
def test_an_image_that_cannot_be_decompressed_is_refused(data_set: bytes, reason: str) -> None:
    assert reason in refusal(data_set, RLE, EXPLICIT)


def test_an_invalid_jpeg_frame_is_refused() -> None:
    for frame in (b"\xff\xd8\xff\xd9", b"\xff\xd8" + bytes(20), b"no JPEG!"):
        reason = refusal(image(frame), JPEG_LOSSLESS, EXPLICIT)
        assert "cannot be decompressed (JPEG Lossless" in reason
    damaged = image(rle(b"abcdef")).replace(implicit(0xFFFEE0DD, b""), implicit(0xFFFEE00D, b""))
    assert "where a fragment of Pixel Data should" in refusal(damaged, RLE, EXPLICIT)


@pytest.mark.parametrize("boxes", [bytes(16), b"\0\0\0\x0bjp2h" + bytes(8), b"\0\0\0\x0cjp2h" + bytes(8)])
def test_a_jp2_file_of_faulty_boxes_is_refused_at_once(boxes: bytes) -> None:
    # A reader that follows the lengths would stay at a box of length 0.
    frame = b"\0\0\0\x0cjP  \r\n\x87\n" + boxes
    assert "JP2" in refusal(image(frame), JPEG_2000_LOSSLESS, EXPLICIT)


def test_samples_that_do_not_fit_bits_allocated_are_refused() -> None:
    for name in ("MR_small_jp2klossless.dcm", "MR_small_jpeg_ls_lossless.dcm"):
        file = shipped(name)
        for tag in (0x00280100, 0x00280101):
            file = changed(file, explicit(tag, "US", b"\x10\0"), explicit(tag, "US", b"\x08\0"))
        with pytest.raises(FileError, match="more than the 8 bits of Bits Allocated"):
            re_encode(file, EXPLICIT)


@pytest.mark.parametrize("offset_table", [True, False])
def test_frames_in_several_fragments_are_put_together(tmp_path: Path, offset_table: bool) -> None:
    whole, path = shipped("examples_ybr_color.dcm"), tmp_path / "fragments.dcm"
    with as_pydicom_likes():
        data_set = pydicom.dcmread(whole.path)
        frames = list(generate_frames(data_set.PixelData, number_of_frames=30))
        data_set.PixelData = encapsulate(frames, fragments_per_frame=3, has_bot=offset_table)
        data_set.save_as(path)
    fragments = files.read_part10(path.read_bytes(), path)
    assert re_encode(fragments, EXPLICIT, lossy=True) == re_encode(whole, EXPLICIT, lossy=True)


def test_encapsulated_pixels_in_an_uncompressed_syntax_are_refused() -> None:
    assert "is encapsulated" in refusal(image(rle(b"abcdef")), EXPLICIT, EXPLICIT)


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
def test_what_may_be_lossy_is_decompressed_only_with_leave(name: str, loss: bytes | None, decompressed: bool) -> None:
    file = shipped(name)
    if loss is not None:
        file = changed(file, explicit(0x00282110, "CS", b"01"), explicit(0x00282110, "CS", loss))
    if decompressed:
        assert re_encode(file, EXPLICIT)
    else:
        with pytest.raises(FileError, match="may be lossy compressed"):
            re_encode(file, EXPLICIT)
    result = re_encode(file, EXPLICIT, lossy=True)
    if loss:
        assert value_of(result, 0x00282110) == loss.decode()


def test_photometric_interpretation_says_what_the_pixels_are() -> None:
    said = {
        "GDCMJ2K_TextGBR.dcm": "RGB",  # YBR_RCT: the codec undoes it
        # YBR_FULL_422 before; now every pixel has its samples.
        "SC_rgb_dcmtk_+eb+cy+np.dcm": "YBR_FULL",
        "SC_rgb_jpeg_dcmtk.dcm": "YBR_FULL",
        "SC_rgb_dcmtk_+eb+cr.dcm": "RGB",
    }
    for name, interpretation in said.items():
        assert value_of(re_encode(shipped(name), EXPLICIT, lossy=True), 0x00280004) == interpretation


def test_a_jfif_codestream_called_rgb_is_ybr_without_a_warning() -> None:
    file = shipped("SC_rgb_small_odd_jpeg.dcm")
    assert b"JFIF" in file.data_set
    mislabelled = changed(file, explicit(0x00280004, "CS", b"YBR_FULL"), explicit(0x00280004, "CS", b"RGB "))
    result = re_encode(mislabelled, EXPLICIT, lossy=True)
    assert value_of(result, 0x00280004) == "YBR_FULL"
    assert value_of(result, 0x7FE00010) == value_of(re_encode(file, EXPLICIT, lossy=True), 0x7FE00010)


WITHOUT_DECODERS = """
import sys
for name in ("numpy", "pylibjpeg", "PIL", "jpeg_ls", "gdcm"):
    sys.modules[name] = None  # as if not installed
from dimse.data_set.transcode import transcode
from dimse.errors import FileError
from dimse.instances import InstanceFile
for file in map(InstanceFile.check, sys.argv[1:]):
    try:
        data_set = file.data_set(mapped=False)
        print(len(transcode(data_set, file.transfer_syntax_uid, "1.2.840.10008.1.2", path=file.path)))
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
