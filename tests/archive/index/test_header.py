"""Reading the head of data sets and of stored files."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import pytest

from dimse import uids
from dimse.archive.index.header import Header, PixelData, read_header
from dimse.archive.index.reading import Unindexable, row_of_file
from dimse.archive.names import safe_component
from tests.archive.storing import element

PATIENT_NAME, STUDY_UID, REQUESTS, PIXEL_DATA = 0x00100010, 0x0020000D, 0x00400275, 0x7FE00010
UNDEFINED = 0xFFFFFFFF


def long_element(tag: int, vr: bytes, value: bytes, length: int | None = None) -> bytes:
    """Return an element in Explicit VR Little Endian, of a VR with 32 bits of length."""
    header = struct.pack("<HH2sHL", tag >> 16, tag & 0xFFFF, vr, 0, len(value) if length is None else length)
    return header + value


def item(value: bytes, *, delimited: bool = False) -> bytes:
    """Return an item of a sequence."""
    if delimited:
        return struct.pack("<HHL", 0xFFFE, 0xE000, UNDEFINED) + value + struct.pack("<HHL", 0xFFFE, 0xE00D, 0)
    return struct.pack("<HHL", 0xFFFE, 0xE000, len(value)) + value


END = struct.pack("<HHL", 0xFFFE, 0xE0DD, 0)
FRONT = element(0x00080005, b"CS", b"ISO_IR 192") + element(0x00080016, b"UI", uids.CTImageStorage.encode())
NAMED = element(PATIENT_NAME, b"PN", "Müller^Jürgen".encode()) + element(STUDY_UID, b"UI", b"1.2.3")


def read(data: bytes, syntax: str = uids.ExplicitVRLittleEndian, head: int = 0) -> Header:
    """Read the head of a data set, the first `head` bytes of which are in memory."""
    found = uids.transfer_syntax(syntax)
    assert found is not None
    return read_header(lambda offset, size: data[offset : offset + size], len(data), found, head=data[:head])


@pytest.mark.parametrize("head", [0, 10, 60, 10_000])
def test_attributes_are_decoded_wherever_the_bytes_are(head: int) -> None:
    data = FRONT + long_element(0x00091010, b"OB", bytes(70_000)) + NAMED + long_element(PIXEL_DATA, b"OW", bytes(64))
    header = read(data, head=head)
    assert header.attributes[PATIENT_NAME].values == ("Müller^Jürgen",)
    assert header.attributes[STUDY_UID].values == ("1.2.3",)
    assert header.pixel_data == PixelData(len(data) - 64, 64)
    assert 0x00091010 not in header.attributes


@pytest.mark.parametrize("delimited", [False, True])
@pytest.mark.parametrize("undefined", [False, True])
def test_sequences_are_read_and_stepped_over(delimited: bool, undefined: bool) -> None:
    inner = item(element(0x00400007, b"LO", b"CT Chest"), delimited=delimited)
    items = inner + item(inner and long_element(0x00400008, b"SQ", inner + END, UNDEFINED), delimited=delimited)
    value, length = (items + END, UNDEFINED) if undefined else (items, len(items))
    other = long_element(0x00081140, b"SQ", value, length)
    data = FRONT + other + NAMED + long_element(REQUESTS, b"SQ", value, length) + long_element(PIXEL_DATA, b"OW", b"12")
    header = read(data)
    requests = header.attributes[REQUESTS]
    assert requests.vr == "SQ"
    assert requests.values[0][0x00400007].values == ("CT Chest",)
    assert 0x00081140 not in header.attributes
    assert header.pixel_data == PixelData(len(data) - 2, 2)


def test_encapsulated_pixel_data_has_no_length() -> None:
    data = FRONT + NAMED + long_element(PIXEL_DATA, b"OB", item(b"") + item(b"1234") + END, UNDEFINED)
    assert read(data, uids.JPEGBaseline8Bit).pixel_data == PixelData(len(FRONT + NAMED) + 12, -1)


def test_a_deflated_data_set_is_inflated() -> None:
    deflater = zlib.compressobj(wbits=-15)
    deflated = deflater.compress(FRONT + NAMED) + deflater.flush()
    header = read(deflated, uids.DeflatedExplicitVRLittleEndian)
    assert header.attributes[STUDY_UID].values == ("1.2.3",)
    assert header.pixel_data is None


def test_a_deflated_data_set_is_inflated_within_limits() -> None:
    deflater = zlib.compressobj(wbits=-15)
    bomb = FRONT + long_element(0x00091010, b"OB", bytes(50_000_000)) + NAMED
    deflated = deflater.compress(bomb) + deflater.flush()
    assert STUDY_UID not in read(deflated, uids.DeflatedExplicitVRLittleEndian).attributes


def test_elements_without_vr_are_read() -> None:
    data = struct.pack("<HHL", 0x0010, 0x0010, 8) + b"Doe^John" + struct.pack("<HHL", 0x0020, 0x000D, 6) + b"1.2.3\0"
    assert read(data, uids.ImplicitVRLittleEndian).attributes[STUDY_UID].values == ("1.2.3",)


def test_big_endian_is_read() -> None:
    data = (
        struct.pack(">HH2sH", 0x0010, 0x0010, b"PN", 8)
        + b"Doe^John"
        + struct.pack(">HH2sH", 0x0028, 0x0010, b"US", 2)
        + b"\2\0"
    )
    header = read(data, uids.ExplicitVRBigEndian)
    assert header.attributes[PATIENT_NAME].values == ("Doe^John",)
    assert header.attributes[0x00280010].values == (512,)


@pytest.mark.parametrize("cut", range(0, 90, 3))
def test_a_data_set_that_ends_early_has_the_attributes_before(cut: int) -> None:
    data = FRONT + NAMED + long_element(REQUESTS, b"SQ", item(element(0x00400007, b"LO", b"x")) + END, UNDEFINED)
    for head in (0, 10_000):
        assert set(read(data[: len(data) - cut], head=head).attributes) <= {
            0x00080005,
            0x00080016,
            PATIENT_NAME,
            STUDY_UID,
            REQUESTS,
        }


def test_nothing_nests_without_end() -> None:
    opened = long_element(0x00081140, b"SQ", struct.pack("<HHL", 0xFFFE, 0xE000, UNDEFINED), UNDEFINED)
    assert set(read(FRONT + opened * 5_000 + NAMED).attributes) == {0x00080005, 0x00080016}


def test_a_long_value_is_left_out() -> None:
    data = FRONT + long_element(0x00104000, b"UT", b"x" * 70_000) + NAMED
    assert 0x00104000 not in read(data).attributes
    assert STUDY_UID in read(data).attributes


def test_a_file_that_is_no_instance_is_told(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("not DICOM " * 40)
    with pytest.raises(Unindexable, match="not DICOM"):
        row_of_file(str(tmp_path), "notes.txt")


def test_a_path_of_the_default_layout_is_safe() -> None:
    from dimse.archive.index.row import default_path

    assert default_path("1.2", "1.3", "1.4") == "1.2/1.3/1.4.dcm"
    assert default_path("../..", "/", "a\0") == "/".join(map(safe_component, ("../..", "/", "a\0"))) + ".dcm"
