"""Files as other programs write them, sent by storescu: each as its transfer syntax says, or told why not."""

from __future__ import annotations

import io
import json
import struct
import zipfile
from pathlib import Path

import pydicom
import pytest

from dimse import uids
from tests.test_imperfect_files import (
    BIG,
    DEFLATED,
    EXPLICIT,
    IMPLICIT,
    JPEG,
    PREAMBLE,
    STRAY,
    compressed,
    deflate,
    file_of,
    group_two,
    image,
)
from tests.tools import running
from tests.tools.running import Instance, Receiver, Stored, errors, lines

GOOD = Instance("1.2.999", uids.CTImageStorage)


def as_pydicom_reads(stored: Stored) -> pydicom.Dataset:
    """Read an instance as a peer does that believes the transfer syntax of its presentation context."""
    return pydicom.dcmread(io.BytesIO(file_of(stored.data_set, stored.transfer_syntax)))


NAME = struct.pack("<HH2sH", 0x0010, 0x0010, b"PN", 8) + b"Doe^Jane"
NAME_WITHOUT_VR = struct.pack("<HHL", 0x0010, 0x0010, 8) + b"Doe^Jane"
IMPERFECT: dict[str, bytes] = {
    "File Meta in Implicit VR": PREAMBLE + group_two(EXPLICIT.uid, IMPLICIT) + image(),
    "File Meta in Big Endian": PREAMBLE + group_two(EXPLICIT.uid, BIG) + image(),
    "no preamble": group_two(EXPLICIT.uid) + image(),
    "prefix at offset 0": b"DICM" + group_two(EXPLICIT.uid) + image(),
    "a transfer syntax that is no UID": file_of(image(), "\xff\xfe"),
    "a transfer syntax that is too long": file_of(image(), "1." + "2" * 100),
    "not compressed": file_of(image(), JPEG),
    "no transfer syntax": PREAMBLE + group_two(None) + image(IMPLICIT),
    "group 0002 in front": file_of(STRAY[IMPLICIT] + image(IMPLICIT), IMPLICIT.uid),
    "implicit said to be explicit": file_of(image(IMPLICIT), EXPLICIT.uid),
    "explicit said to be implicit": file_of(image(), IMPLICIT.uid),
    "little endian said to be big": file_of(image(), BIG.uid),
    "big endian said to be little": file_of(image(BIG), EXPLICIT.uid),
    "not deflated": file_of(image(), DEFLATED),
    "deflated, and implicit": file_of(deflate(image(IMPLICIT)), DEFLATED),
    "one element without VR": file_of(image().replace(NAME, NAME_WITHOUT_VR)),
    "no File Meta": PREAMBLE + image(),
    "compressed, and implicit": file_of(compressed(IMPLICIT), JPEG),
    "padded": file_of(image() + bytes(200_000)),
}


@pytest.mark.sample("no preamble", "no File Meta", "padded", "implicit said to be explicit")
@pytest.mark.parametrize("kind", IMPERFECT)
def test_an_imperfect_file_is_sent_and_so_are_those_behind_it(tmp_path: Path, kind: str) -> None:
    (tmp_path / "1").write_bytes(IMPERFECT[kind])
    GOOD.write(tmp_path / "2")
    with Receiver() as receiver:
        process = receiver.storescu(tmp_path / "1", tmp_path / "2")
    assert process.returncode == 0
    # What is not sent byte for byte is told at the default level.
    notices = [f"W: {tmp_path / '1'}: elements of group 0002 stand in the data set, and are left out"]
    assert process.stderr.splitlines() == (notices if "0002" in kind else [])
    first, second = receiver.stored
    assert second.data_set == GOOD.data_set
    read = as_pydicom_reads(first)
    assert (read.SOPInstanceUID, read.PatientName, read.Rows, read.BitsAllocated) == ("1.2.3.4", "Doe^Jane", 4, 8)
    assert read.PixelData
    assert [element.tag for element in read if element.tag.group == 2] == []


@pytest.mark.parametrize("options", [("-R",), ("--transcode", "never")])
def test_what_would_have_to_be_re_encoded_is_refused_where_that_is_not_wanted(
    tmp_path: Path, options: tuple[str, ...]
) -> None:
    (tmp_path / "1").write_bytes(IMPERFECT["compressed, and implicit"])
    GOOD.write(tmp_path / "2")
    with Receiver() as receiver:
        process = receiver.storescu(tmp_path / "1", tmp_path / "2", *options)
    assert process.returncode == 3
    (line,) = errors(process)
    assert line.startswith(f"Store failed: {tmp_path / '1'}: its data set would have to be re-encoded")
    assert receiver.uids == ["1.2.999"]


@pytest.mark.sample("padded-*", "no transfer syntax-*")
@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("group 0002 in front", "elements of group 0002 stand in the data set, and are left out"),
        (
            "implicit said to be explicit",
            "the data set is in Implicit VR Little Endian, and its transfer syntax is said",
        ),
        ("compressed, and implicit", "it is re-encoded"),
        ("no transfer syntax", "no Transfer Syntax UID: the data set is in Implicit VR Little Endian"),
        ("padded", "200,000 zero bytes follow the data set"),
    ],
)
def test_what_is_amiss_is_a_warning(tmp_path: Path, kind: str, words: str) -> None:
    (tmp_path / "1").write_bytes(IMPERFECT[kind])
    with Receiver() as receiver:
        process = receiver.storescu(tmp_path / "1", "-ll", "warn")
    (line,) = lines(process, "W")
    assert line.startswith(f"{tmp_path / '1'}: ")
    assert words in line


def test_what_was_never_written_is_not_sent(tmp_path: Path) -> None:
    whole = file_of(image())
    (tmp_path / "erased.dcm").write_bytes(whole[: whole.index(b"\xe0\x7f")] + b"\xff" * 4096)
    (tmp_path / "unwritten.dcm").write_bytes(whole[: whole.index(b"\xe0\x7f")] + bytes(4096))
    GOOD.write(tmp_path / "good")
    with Receiver() as receiver:
        process = receiver.storescu(tmp_path)
    assert process.returncode == 3
    assert [line.split(": ")[:2] for line in errors(process)] == [
        ["Bad DICOM file", str(tmp_path / name)] for name in ("erased.dcm", "unwritten.dcm")
    ]
    assert receiver.uids == ["1.2.999"]


@pytest.mark.parametrize("suffix", [".json", ".csv"])
def test_the_report_has_each_file_that_is_not_sent_and_counts_the_skipped(tmp_path: Path, suffix: str) -> None:
    folder, report = tmp_path / "study", tmp_path / f"report{suffix}"
    GOOD.write(folder / "good")
    (folder / "empty.dcm").touch()
    (folder / "zero.DCM").write_bytes(bytes(1000))
    (folder / "IM1").write_bytes(PREAMBLE + b"\xff" * 500)
    (folder / "index.html").write_text("hello")
    (folder / ".incoming").mkdir()
    Instance("1.2.5").write(folder / ".incoming" / "part.dcm")
    with zipfile.ZipFile(folder / "archive.zip", "w") as archive:
        archive.writestr("a", b"")
    with Receiver() as receiver:
        process = receiver.storescu(folder, "-r", "--report", report)
    assert process.returncode == 3
    assert sorted(line.split(": ")[1] for line in errors(process)) == [
        str(folder / name) for name in ("IM1", "empty.dcm", "zero.DCM")
    ]
    assert receiver.uids == ["1.2.999"]
    if suffix == ".json":
        written = json.loads(report.read_text())
        assert written["summary"]["skipped"] == 3
        assert written["summary"]["outcomes"]["invalid"] == 3
    else:
        assert report.read_text().count(",invalid,") == 3


def test_an_archive_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "study.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a", GOOD.content)
    path.write_bytes(path.read_bytes()[:-30])
    process = running.tool("storescu", "127.0.0.1", 1, path)
    assert process.returncode == 3
    (line,) = errors(process)
    assert line.startswith(f"Bad DICOM file: {path}: it cannot be read as a ZIP archive: ")


def test_raw_ts_is_for_all_files_that_do_not_say_their_transfer_syntax(tmp_path: Path) -> None:
    for name, head in (
        ("1", PREAMBLE + group_two(None)),
        ("2", group_two(None)),
        ("3", b"DICM"),
        ("4", PREAMBLE),
        ("5", b""),
    ):
        uid = struct.pack("<HH2sH", 0x0008, 0x0018, b"UI", 8) + f"1.2.3.{name}\0".encode()
        data_set = compressed().replace(struct.pack("<HH2sH", 0x0008, 0x0018, b"UI", 8) + b"1.2.3.4\0", uid)
        (tmp_path / name).write_bytes(head + data_set)
    with Receiver() as receiver:
        process = receiver.storescu(tmp_path, "--raw-ts", "JPEGBaseline8Bit")
    assert (process.returncode, process.stderr) == (0, "")
    assert receiver.uids == [f"1.2.3.{number}" for number in range(1, 6)]
    assert {stored.transfer_syntax for stored in receiver.stored} == {JPEG}
