"""Files as other programs write them: sent where nothing can be lost or mixed up, else refused with the reason."""

from __future__ import annotations

import io
import os
import struct
import time
import zipfile
import zlib
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pydicom
import pytest

from dimse import uids
from dimse.data_set.transcode import transcode
from dimse.errors import FileError
from dimse.instances import MAPPED, InstanceFile
from dimse.sending.finding import Finder
from dimse.uids import TransferSyntax

IMPLICIT = TransferSyntax(uids.ImplicitVRLittleEndian, implicit_vr=True)
EXPLICIT = TransferSyntax(uids.ExplicitVRLittleEndian)
BIG = TransferSyntax(uids.ExplicitVRBigEndian, little_endian=False)
DEFLATED, JPEG = uids.DeflatedExplicitVRLittleEndian, "1.2.840.10008.1.2.4.50"
ENCODINGS = pytest.mark.parametrize("encoding", [IMPLICIT, EXPLICIT, BIG], ids=["implicit", "explicit", "big endian"])
LONG = (b"OB", b"OW", b"SQ", b"UN")
UNDEFINED = 0xFFFFFFFF
SEQUENCE, PIXEL_DATA = 0x0040A730, 0x7FE00010
FILLS = pytest.mark.parametrize("fill", [b"\xff", b"\0"], ids=["FFH", "zero"])


def element(tag: int, vr: bytes, value: bytes, encoding: TransferSyntax = EXPLICIT, length: int | None = None) -> bytes:
    order = "<" if encoding.little_endian else ">"
    size = len(value) if length is None else length
    header = struct.pack(order + "HH", tag >> 16, tag & 0xFFFF)
    if encoding.implicit_vr or not vr:
        return header + struct.pack(order + "L", size) + value
    if vr in LONG:
        return header + vr + struct.pack(order + "HL", 0, size) + value
    return header + vr + struct.pack(order + "H", size) + value


def padded(uid: str) -> bytes:
    return uid.encode("latin-1") + b"\0" * (len(uid) % 2)


def elements(encoding: TransferSyntax = EXPLICIT) -> list[bytes]:
    """Return the elements of a small image but for its pixel data."""
    us = struct.Struct("<H" if encoding.little_endian else ">H").pack
    return [
        element(0x00080016, b"UI", padded(uids.SecondaryCaptureImageStorage), encoding),
        element(0x00080018, b"UI", padded("1.2.3.4"), encoding),
        element(
            0x00081111,
            b"SQ",
            element(0xFFFEE000, b"", element(0x00081150, b"UI", b"1.2\0", encoding), BARE[encoding]),
            encoding,
        ),
        element(0x00100010, b"PN", b"Doe^Jane", encoding),
        element(0x0020000E, b"UI", b"1.2.9\0", encoding),
        element(0x00280010, b"US", us(4), encoding),
        element(0x00280011, b"US", us(4), encoding),
        element(0x00280100, b"US", us(8), encoding),
    ]


# Items have no VR, but the byte order of what they are in.
BARE = {IMPLICIT: IMPLICIT, EXPLICIT: IMPLICIT, BIG: TransferSyntax("", implicit_vr=True, little_endian=False)}


def pixel_data(encoding: TransferSyntax = EXPLICIT, size: int = 16) -> bytes:
    return element(PIXEL_DATA, b"OB", bytes(size - 1) + b"\1", encoding)


def image(encoding: TransferSyntax = EXPLICIT, size: int = 16) -> bytes:
    return b"".join(elements(encoding)) + pixel_data(encoding, size)


def compressed(encoding: TransferSyntax = EXPLICIT) -> bytes:
    """Return the same image with encapsulated pixel data (PS3.5 A.4)."""
    items = [element(0xFFFEE000, b"", one, BARE[encoding]) for one in (b"", b"\xff\xd8\xff\xd9")]
    end = element(0xFFFEE0DD, b"", b"", BARE[encoding])
    return b"".join(elements(encoding)) + element(PIXEL_DATA, b"OB", b"".join(items) + end, encoding, UNDEFINED)


def group_two(syntax: str | None, encoding: TransferSyntax = EXPLICIT, *, length: int | None = None) -> bytes:
    """File Meta Information; without (0002,0010) if `syntax` is None."""
    group = element(0x00020001, b"OB", b"\0\1", encoding)
    group += element(0x00020002, b"UI", padded(uids.SecondaryCaptureImageStorage), encoding)
    group += element(0x00020003, b"UI", padded("1.2.3.4"), encoding)
    if syntax is not None:
        group += element(0x00020010, b"UI", padded(syntax), encoding)
    size = struct.pack("<L" if encoding.little_endian else ">L", len(group) if length is None else length)
    return element(0x00020000, b"UL", size, encoding) + group


PREAMBLE = bytes(128) + b"DICM"


def file_of(data_set: bytes, syntax: str = EXPLICIT.uid) -> bytes:
    return PREAMBLE + group_two(syntax) + data_set


@pytest.fixture
def write(tmp_path: Path) -> Callable[[bytes], str]:
    def write(content: bytes) -> str:
        (tmp_path / "file").write_bytes(content)
        return str(tmp_path / "file")

    return write


Write = Callable[[bytes], str]


def deflate(data: bytes) -> bytes:
    compressor = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return compressor.compress(data) + compressor.flush()


def refused(path: str) -> str:
    """Return why a file is refused."""
    with pytest.raises(FileError) as raised:
        InstanceFile.check(path)
    return raised.value.reason


# ---- the head of a file


@ENCODINGS
@pytest.mark.parametrize("data", [IMPLICIT, EXPLICIT, BIG], ids=["implicit data", "explicit data", "big endian data"])
def test_file_meta_in_another_encoding_is_read(write: Write, encoding: TransferSyntax, data: TransferSyntax) -> None:
    head = PREAMBLE + group_two(data.uid, encoding)
    instance = InstanceFile.check(write(head + image(data)))
    assert (instance.transfer_syntax_uid, instance.data_set_offset, instance.warnings) == (data.uid, len(head), ())
    assert instance.data_set() == image(data)


@pytest.mark.parametrize("length", [0, 14, 1_000_000])
def test_a_wrong_group_length_does_not_matter(write: Write, length: int) -> None:
    head = PREAMBLE + group_two(EXPLICIT.uid, length=length)
    assert InstanceFile.check(write(head + image())).data_set() == image()


def test_file_meta_in_any_order_is_read(write: Write) -> None:
    head = PREAMBLE + element(0x00020010, b"UI", padded(JPEG)) + group_two(None)
    assert InstanceFile.check(write(head + compressed())).transfer_syntax_uid == JPEG


@ENCODINGS
@pytest.mark.parametrize("start", [b"DICM", b""], ids=["prefix at offset 0", "neither preamble nor prefix"])
def test_file_meta_without_a_preamble_is_read(write: Write, start: bytes, encoding: TransferSyntax) -> None:
    meta = group_two(IMPLICIT.uid, encoding)
    if encoding.implicit_vr and not start:
        # Any program may begin a file with such bytes.
        assert "not DICOM" in refused(write(meta + image(IMPLICIT)))
        return
    assert InstanceFile.check(write(start + meta + image(IMPLICIT))).data_set() == image(IMPLICIT)
    # Of both transfer syntaxes the one in the file counts.
    raw = InstanceFile.check(write(start + meta + image(IMPLICIT)), raw_transfer_syntax_uid=EXPLICIT.uid)
    assert raw.transfer_syntax_uid == IMPLICIT.uid
    assert raw.data_set() == image(IMPLICIT)


@ENCODINGS
@pytest.mark.parametrize("head", [PREAMBLE + group_two(None), group_two(None), b"DICM" + group_two(None), PREAMBLE])
def test_a_transfer_syntax_that_is_not_said_is_seen_from_the_data_set(
    write: Write, head: bytes, encoding: TransferSyntax
) -> None:
    instance = InstanceFile.check(write(head + image(encoding)))
    assert instance.transfer_syntax_uid == encoding.uid
    assert instance.data_set() == image(encoding)
    assert instance.warnings == (f"no Transfer Syntax UID: the data set is in {uids.name(encoding.uid)}",)


@pytest.mark.parametrize(
    "head", [PREAMBLE + group_two(None), group_two(None), b"DICM" + group_two(None), PREAMBLE, b""]
)
def test_one_that_cannot_be_seen_is_what_the_user_says(write: Write, head: bytes) -> None:
    path = write(head + compressed())
    assert refused(path)
    instance = InstanceFile.check(path, raw_transfer_syntax_uid=JPEG)
    assert (instance.transfer_syntax_uid, instance.warnings) == (JPEG, ())
    assert instance.data_set() == compressed()


NO_UIDS = ["1." + "2" * 63, "\xff\xfe", "JPEG", "1.2 3", "1.2\n3", "1.2\0\0" + "3"]


@ENCODINGS
@pytest.mark.parametrize("said", NO_UIDS, ids=ascii)
def test_a_transfer_syntax_that_is_no_uid_is_one_that_is_not_said(
    write: Write, encoding: TransferSyntax, said: str
) -> None:
    instance = InstanceFile.check(write(file_of(image(encoding), said)))
    assert instance.transfer_syntax_uid == encoding.uid
    assert instance.warnings == (f"no Transfer Syntax UID: the data set is in {uids.name(encoding.uid)}",)
    raw = InstanceFile.check(write(file_of(compressed(), said)), raw_transfer_syntax_uid=JPEG)
    assert raw.transfer_syntax_uid == JPEG


@pytest.mark.parametrize("said", NO_UIDS[1:], ids=ascii)
def test_a_sop_class_that_is_no_uid_is_refused(write: Write, said: str) -> None:
    data_set = element(0x00080016, b"UI", padded(said)) + b"".join(elements()[1:]) + pixel_data()
    assert refused(write(file_of(data_set))) == (
        f"the SOP Class UID (0008,0016) in its data set is not a UID: {said!a}"
    )


# ---- the encoding of the data set


@ENCODINGS
@pytest.mark.parametrize("said", [IMPLICIT.uid, EXPLICIT.uid, BIG.uid, DEFLATED, JPEG], ids=uids.name)
def test_a_data_set_is_sent_as_what_it_is_in(write: Write, encoding: TransferSyntax, said: str) -> None:
    # Pixel data that is not compressed was sent as JPEG where the elements are encoded so; but peers exist that abort over that.
    instance = InstanceFile.check(write(file_of(image(encoding), said)))
    assert (instance.transfer_syntax_uid, instance.mislabelled) == (encoding.uid, False)
    assert instance.data_set() == image(encoding)
    assert len(instance.warnings) == (encoding.uid != said)
    assert all("it is sent as what it is" in warning for warning in instance.warnings)


def without_pixel_data() -> bytes:
    return b"".join(elements())


def icon() -> bytes:
    """Return a sequence that holds an uncompressed image, as it may in any transfer syntax (PS3.5 A.4)."""
    item = element(0xFFFEE000, b"", pixel_data(), IMPLICIT)
    return b"".join([*elements(), element(0x00880200, b"SQ", item)])


@pytest.mark.parametrize(
    "data_set",
    [compressed(), without_pixel_data(), without_pixel_data() + element(PIXEL_DATA, b"OB", b""), icon()],
    ids=["compressed", "without pixel data", "with empty pixel data", "with an icon"],
)
def test_what_may_be_in_a_compressed_transfer_syntax_is_sent_in_it(write: Write, data_set: bytes) -> None:
    instance = InstanceFile.check(write(file_of(data_set, JPEG)))
    assert (instance.transfer_syntax_uid, instance.warnings) == (JPEG, ())


@pytest.mark.parametrize("kind", ["encapsulated", "deflated"])
def test_what_no_transfer_syntax_is_like_is_written_anew(write: Write, kind: str) -> None:
    content, said, data = {
        "encapsulated": (compressed(IMPLICIT), JPEG, compressed(IMPLICIT)),
        "deflated": (deflate(image(IMPLICIT)), DEFLATED, image(IMPLICIT)),
    }[kind]
    instance = InstanceFile.check(write(file_of(content, said)))
    assert (instance.transfer_syntax_uid, instance.mislabelled) == (said, True)
    written = transcode(instance.data_set(mapped=False), said, said, path="file")
    read = pydicom.dcmread(io.BytesIO(file_of(written, said)))
    as_it_was = pydicom.dcmread(io.BytesIO(file_of(data, IMPLICIT.uid)))
    assert (read.PatientName, read.PixelData, read.Rows) == (as_it_was.PatientName, as_it_was.PixelData, 4)
    assert len(written) % 2 == 0


@ENCODINGS
@pytest.mark.parametrize("said", [IMPLICIT.uid, EXPLICIT.uid, BIG.uid], ids=uids.name)
def test_compressed_pixel_data_in_an_uncompressed_transfer_syntax_is_refused(
    write: Write, encoding: TransferSyntax, said: str
) -> None:
    assert "its Pixel Data is compressed" in refused(write(file_of(compressed(encoding), said)))


@pytest.mark.parametrize("where", ["element", "in a sequence", "pixel data", "all but the first"])
def test_elements_without_vr_among_others_with_one_are_written_anew(write: Write, where: str) -> None:
    without = element(0x00100020, b"LO", b"4711", IMPLICIT)
    parts = elements()
    data_set, said = {
        "element": (b"".join([*parts[:4], without, *parts[4:]]) + pixel_data(), EXPLICIT.uid),
        "in a sequence": (
            b"".join([*parts, element(SEQUENCE, b"SQ", element(0xFFFEE000, b"", without, IMPLICIT))]) + pixel_data(),
            EXPLICIT.uid,
        ),
        "pixel data": (b"".join(parts) + pixel_data(IMPLICIT), EXPLICIT.uid),
        "all but the first": (CHARACTER_SET[EXPLICIT] + image(IMPLICIT), IMPLICIT.uid),
    }[where]
    instance = InstanceFile.check(write(file_of(data_set, said)))
    assert (instance.transfer_syntax_uid, instance.mislabelled) == (EXPLICIT.uid, True)
    written = transcode(instance.data_set(mapped=False), EXPLICIT.uid, EXPLICIT.uid, path="file")
    assert InstanceFile.check(write(file_of(written))).warnings == ()
    read = pydicom.dcmread(io.BytesIO(file_of(written)))
    assert (read.PatientName, read.PixelData[:16]) == ("Doe^Jane", bytes(15) + b"\1")


# ---- what does not belong in a data set


@ENCODINGS
def test_elements_of_a_command_at_the_front_are_sent_as_they_are(write: Write, encoding: TransferSyntax) -> None:
    length = struct.pack("<L" if encoding.little_endian else ">L", 10)
    command = element(0x00000000, b"UL", length, encoding) + element(0x00000002, b"UI", b"1.2\0", encoding)
    instance = InstanceFile.check(write(file_of(command + image(encoding), encoding.uid)))
    assert instance.data_set() == command + image(encoding)
    assert instance.warnings == ("elements of a command (group 0000) stand in the data set",)
    assert "(0000,0002)" in refused(write(file_of(image(encoding) + command[12:], encoding.uid)))


@ENCODINGS
@pytest.mark.parametrize("tag", [0xFFFEE00D, 0xFFFEE0DD])
def test_a_delimiter_at_the_end_is_sent_as_it_is_and_elsewhere_refused(
    write: Write, encoding: TransferSyntax, tag: int
) -> None:
    delimiter = element(tag, b"", b"", BARE[encoding])
    instance = InstanceFile.check(write(file_of(image(encoding) + delimiter, encoding.uid)))
    assert instance.data_set() == image(encoding) + delimiter
    assert instance.warnings == ("a delimiter that closes nothing ends the data set",)
    # There some programs stop to read.
    within = b"".join(elements(encoding)) + delimiter + pixel_data(encoding)
    assert "FFFE" in refused(write(file_of(within, encoding.uid)))


# ---- elements of group 0002 in the data set


STRAY = {
    IMPLICIT: element(0x00020003, b"UI", padded("9.9.9"), IMPLICIT)
    + element(0x00020010, b"UI", padded(JPEG), IMPLICIT),
    EXPLICIT: element(0x00020010, b"UI", padded(JPEG)) + element(0x00020013, b"SH", b"OTHER "),
    BIG: element(0x00020010, b"UI", padded(JPEG), BIG),
}
CHARACTER_SET = {
    encoding: element(0x00080005, b"CS", b"ISO_IR 100", encoding) for encoding in (IMPLICIT, EXPLICIT, BIG)
}


@ENCODINGS
@pytest.mark.parametrize("size", [16, MAPPED + 1_000], ids=["read", "mapped"])
@pytest.mark.parametrize("where", ["in front", "behind the character set", "both"])
def test_elements_of_group_0002_are_left_out(tmp_path: Path, encoding: TransferSyntax, size: int, where: str) -> None:
    stray, character_set, rest = STRAY[encoding], CHARACTER_SET[encoding], image(encoding, size)
    data_set, expected = {
        "in front": (stray + rest, rest),
        "behind the character set": (character_set + stray + rest, character_set + rest),
        "both": (stray + character_set + stray + rest, character_set + rest),
    }[where]
    content = file_of(data_set, encoding.uid)
    (tmp_path / "file").write_bytes(content)
    with zipfile.ZipFile(tmp_path / "file.zip", "w") as archive:
        archive.writestr("member", content)
    for name in ("file", "file.zip"):
        with closing(Finder(tmp_path / name, recurse=False)) as finder:
            (instance,) = finder
            assert isinstance(instance, InstanceFile)
            assert (instance.transfer_syntax_uid, instance.data_set_size) == (encoding.uid, len(expected))
            assert instance.warnings == ("elements of group 0002 stand in the data set, and are left out",)
            for mapped in (True, False):
                view = instance.data_set(mapped=mapped)
                assert view == expected
                assert view.readonly
            with instance.open() as stream:
                assert instance.front + stream.read() == expected
    assert (tmp_path / "file").read_bytes() == content


def test_they_are_left_out_behind_large_file_meta_too(tmp_path: Path) -> None:
    private = element(0x00020102, b"OB", bytes(40_000))
    content = (
        PREAMBLE + group_two(EXPLICIT.uid) + private + CHARACTER_SET[EXPLICIT] + STRAY[EXPLICIT] + image(size=100_000)
    )
    (tmp_path / "file").write_bytes(content)
    with zipfile.ZipFile(tmp_path / "file.zip", "w") as archive:
        archive.writestr("member", content)
    for name in ("file", "file.zip"):
        with closing(Finder(tmp_path / name, recurse=False)) as finder:
            (instance,) = finder
            assert isinstance(instance, InstanceFile)
            assert instance.data_set() == CHARACTER_SET[EXPLICIT] + image(size=100_000)


def test_the_same_instance_with_and_without_them_is_sent_once(tmp_path: Path) -> None:
    data_set = CHARACTER_SET[EXPLICIT] + image()
    (tmp_path / "1").write_bytes(file_of(STRAY[EXPLICIT] + data_set))
    (tmp_path / "2").write_bytes(file_of(data_set))
    other = CHARACTER_SET[EXPLICIT].replace(b"100", b"101")
    (tmp_path / "3").write_bytes(file_of(other + STRAY[EXPLICIT] + image()))
    (tmp_path / "4").write_bytes(file_of(other + STRAY[EXPLICIT] + image()))
    with closing(Finder(tmp_path, recurse=False)) as finder:
        assert [Path(found.path).name for found in finder if found] == ["1", "3"]


def test_elements_of_group_0002_elsewhere_are_refused(write: Write) -> None:
    assert "(0002,0010)" in refused(write(file_of(image() + STRAY[EXPLICIT])))
    assert "(0002,0010)" in refused(write(file_of(deflate(STRAY[EXPLICIT] + image()), DEFLATED)))
    endless = element(0x00020102, b"OB", b"", length=UNDEFINED)
    assert "(0002,0102)" in refused(write(file_of(CHARACTER_SET[EXPLICIT] + endless + image())))


# ---- what was never written


@ENCODINGS
@FILLS
@pytest.mark.parametrize("size", [64, 4_096, 200_000])
def test_a_file_that_nothing_was_written_to_from_an_element_on_is_refused(
    write: Write, encoding: TransferSyntax, fill: bytes, size: int
) -> None:
    parts = elements(encoding)
    # Before Rows nothing says that it is an image, and zeros may be padding.
    first = 1 if fill == b"\xff" else 6
    for number in range(first, len(parts) + 1):
        reason = refused(write(file_of(b"".join(parts[:number]) + fill * size, encoding.uid)))
        assert "cut short" in reason or "FFFF,FFFF" in reason or "no SOP Instance UID" in reason


@ENCODINGS
def test_erased_bytes_behind_the_pixel_data_are_refused(write: Write, encoding: TransferSyntax) -> None:
    assert "(FFFF,FFFF)" in refused(write(file_of(image(encoding) + b"\xff" * 4_096, encoding.uid)))


@ENCODINGS
@FILLS
@pytest.mark.parametrize("undefined", [False, True], ids=["", "undefined length"])
@pytest.mark.parametrize("within", ["an element", "a header", "an item", "an item's header"])
def test_a_sequence_that_nothing_was_written_to_from_somewhere_on_is_refused(
    write: Write, encoding: TransferSyntax, fill: bytes, undefined: bool, within: str
) -> None:
    entry = element(0x00081150, b"UI", b"1.2\0", encoding)
    item = element(0xFFFEE000, b"", entry * 10, BARE[encoding])
    content = item * 10
    cut = {
        "an element": len(item) * 3 + 8 + len(entry) * 5,
        "a header": len(item) * 3 + 8 + len(entry) * 5 + 5,
        "an item": len(item) * 5,
        "an item's header": len(item) * 5 + 6,
    }[within]
    length = UNDEFINED if undefined else len(content)
    sequence = element(SEQUENCE, b"SQ", content[:cut] + fill * (len(content) - cut), encoding, length)
    for padding in (0, 4_096):
        report = b"".join(elements(encoding)[:2]) + sequence + fill * padding
        assert refused(write(file_of(report, encoding.uid)))


def test_a_private_value_that_looks_like_a_sequence_and_ends_with_zeros_is_no_fault(write: Write) -> None:
    looks = element(0xFFFEE000, b"", element(0x00081150, b"UI", b"1.2\0", IMPLICIT), IMPLICIT) + bytes(1_000)
    data_set = image().replace(pixel_data(), element(0x00291010, b"UN", looks) + pixel_data())
    assert InstanceFile.check(write(file_of(data_set))).data_set() == data_set


# ---- zero bytes behind the data set


@ENCODINGS
@pytest.mark.parametrize("zeros", [1, 8, 65_535, 65_536, 131_072, 2_400_000])
def test_zero_bytes_behind_the_data_set_are_not_sent(write: Write, encoding: TransferSyntax, zeros: int) -> None:
    instance = InstanceFile.check(write(file_of(image(encoding) + bytes(zeros), encoding.uid)))
    assert instance.data_set() == image(encoding)
    assert instance.warnings == (f"{zeros:,} zero bytes follow the data set",)


@pytest.mark.thorough
def test_a_gigabyte_of_them_is_passed_quickly(write: Write, tmp_path: Path) -> None:
    path = write(file_of(image()))
    os.truncate(path, 1 << 30)
    assert InstanceFile.check(path).data_set() == image()


def test_a_hole_of_any_size_is_refused_at_once(write: Write) -> None:
    path = write(file_of(image()))
    size = os.stat(path).st_size
    os.truncate(path, 1 << 38)
    begun = time.monotonic()
    with pytest.raises(FileError, match=f"cut short: no element at offset {size:,}, and 274,"):
        InstanceFile.check(path)
    assert time.monotonic() - begun < 5


def test_what_follows_them_is_refused(write: Write) -> None:
    for zeros in (100, 65_536, 1_000_000):
        assert "cut short: no element" in refused(write(file_of(image() + bytes(zeros) + b"\1")))


def test_a_padded_file_in_an_archive_is_known_too(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("padded", file_of(image(size=100_000) + bytes(300_000)))
        archive.writestr("unwritten", file_of(b"".join(elements()) + bytes(300_000)))
    with closing(Finder(tmp_path / "a.zip", recurse=False)) as finder:
        instance, outcome = finder
        assert isinstance(instance, InstanceFile)
        assert instance.data_set() == image(size=100_000)
        assert outcome is not None
        assert not isinstance(outcome, InstanceFile)
        assert "where an image has its Pixel Data" in str(outcome.error)


def test_a_private_transfer_syntax_is_left_as_it_is(write: Write) -> None:
    data_set = b"".join(elements()) + element(0x00290011, b"LO", b"AB", IMPLICIT) + pixel_data()
    instance = InstanceFile.check(write(file_of(data_set, "1.2.3.4.5")))
    assert (instance.transfer_syntax_uid, instance.mislabelled, instance.warnings) == ("1.2.3.4.5", False, ())


def test_a_group_that_is_0002_in_the_other_byte_order_is_read_as_it_stands(write: Write) -> None:
    data_set = element(0x02000010, b"UI", b"1.2\0") + image()
    instance = InstanceFile.check(write(file_of(data_set)))
    assert (instance.transfer_syntax_uid, instance.warnings) == (EXPLICIT.uid, ())
    assert instance.data_set() == data_set
