"""A DICOMDIR stands for what it lists: those files are found, however the medium spells them, and no others."""

from __future__ import annotations

import os
import shutil
import struct
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pydicom
import pytest

from dimse import uids
from dimse.errors import FileError, InaccessiblePath
from dimse.instances import IsDicomdir
from dimse.sending.file_sets import FileSet
from tests.files import MEDIA_STORAGE_DIRECTORY_STORAGE
from tests.sending.looking import TEST_FILES, find
from tests.tools.running import Instance

MEDIA = TEST_FILES / "dicomdirtests"


def oracle(path: Path) -> list[str]:
    """Return what pydicom reads in a DICOMDIR, as paths."""
    records = pydicom.dcmread(path).DirectoryRecordSequence
    listed = [record.ReferencedFileID for record in records if "ReferencedFileID" in record]
    return [os.path.join(path.parent, *([one] if isinstance(one, str) else one)) for one in listed]


def record(file_id: bytes, *, undefined: bool = False) -> bytes:
    """Return a directory record with a Referenced File ID (0004,1500), an even number of bytes."""
    content = struct.pack("<HH2sH", 0x0004, 0x1410, b"US", 2) + b"\xff\xff"
    content += struct.pack("<HH2sH", 0x0004, 0x1500, b"CS", len(file_id)) + file_id
    if undefined:
        return struct.pack("<HHI", 0xFFFE, 0xE000, 0xFFFFFFFF) + content + struct.pack("<HHI", 0xFFFE, 0xE00D, 0)
    return struct.pack("<HHI", 0xFFFE, 0xE000, len(content)) + content


def dicomdir(folder: Path, *file_ids: str | bytes, undefined: bool = False) -> Path:
    """Write a DICOMDIR that lists these."""
    raw = [one if isinstance(one, bytes) else one.encode() for one in file_ids]
    records = b"".join(record(one + b" " * (len(one) % 2), undefined=undefined) for one in raw)
    if undefined:
        records += struct.pack("<HHI", 0xFFFE, 0xE0DD, 0)
    header = struct.pack("<HH2sHI", 0x0004, 0x1220, b"SQ", 0, 0xFFFFFFFF if undefined else len(records))
    path = folder / "DICOMDIR"
    meta = Instance("1.2.3", MEDIA_STORAGE_DIRECTORY_STORAGE).file_meta
    path.write_bytes(meta + struct.pack("<HH2sH", 0x0004, 0x1130, b"CS", 0) + header + records)
    return path


# ---- real ones


@pytest.mark.parametrize(
    "name",
    ["DICOMDIR", "DICOMDIR-implicit", "DICOMDIR-bigEnd", "DICOMDIR-reordered", "DICOMDIR-nopatient"],
)
def test_what_a_dicomdir_lists_is_found_in_its_order(name: str) -> None:
    found = find(MEDIA / name)
    assert found.paths == oracle(MEDIA / name)
    assert len(found.paths) == 31
    assert found.errors == []


def test_one_with_a_length_that_does_not_add_up_is_followed_as_far_as_it_can_be_read() -> None:
    path = MEDIA / "DICOMDIR-nooffset"
    found = find(path)
    assert found.paths == oracle(path)[:30]
    assert found.error.reason.startswith("not all of it can be read: within (0004,1220): ")


def test_a_file_set_is_found_all_of_it() -> None:
    folder = MEDIA / "TINY_ALPHA"
    assert find(folder / "DICOMDIR").paths == oracle(folder / "DICOMDIR")
    assert sorted(find(folder / "DICOMDIR").paths) == sorted(map(str, folder.rglob("IM0*")))


def test_one_that_lists_nothing_finds_nothing() -> None:
    found = find(MEDIA / "DICOMDIR-empty.dcm")
    assert found.items == []


def test_what_is_listed_and_named_is_found_once() -> None:
    folder = MEDIA / "TINY_ALPHA"
    assert len(find(folder, folder / "DICOMDIR", recurse=True).paths) == 50
    assert len(find(folder / "DICOMDIR", folder / "DICOMDIR", folder, recurse=True).paths) == 50


def test_a_dicomdir_in_the_folder_where_one_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Instance().write(tmp_path / "IM1")
    dicomdir(tmp_path, "IM1")
    monkeypatch.chdir(tmp_path)
    assert find("DICOMDIR").paths == ["IM1"]


# ---- how media spell names


@pytest.mark.parametrize(
    ("listed", "there"),
    [
        ("A\\B\\IM1", "A/B/IM1"),
        ("A\\B\\IM1", "a/b/im1"),
        ("A\\B\\IM1", "A/b/IM1;1"),
        ("A\\B\\IM1", "a/B/im1.;1"),
        ("A\\IM1", "A/IM1.dcm"),
        ("A\\IM1;1", "A/IM1"),
        ("A\\IM1.DCM", "A/im1"),
        ("A\\IM1 \0", "A/IM1"),
        ("A \\IM1", "A/IM1"),
        (b"A\\\xe4", "A/\udce4"),
    ],
)
@pytest.mark.parametrize("undefined", [False, True], ids=["", "undefined length"])
def test_a_name_is_found_as_the_medium_spells_it(
    tmp_path: Path, listed: str | bytes, there: str, undefined: bool
) -> None:
    path = Instance().write(tmp_path / there)
    found = find(dicomdir(tmp_path, listed, undefined=undefined))
    assert (found.paths, found.errors) == ([str(path)], [])


def test_the_exact_name_counts_first(tmp_path: Path) -> None:
    for number, name in enumerate(("im1", "IM1", "IM1.dcm", "IM1;1", "im2.dcm", "im2"), 1):
        Instance(f"1.2.{number}").write(tmp_path / name)
    found = find(dicomdir(tmp_path, "IM1", "IM2", "IM1.dcm"))
    assert found.paths == [str(tmp_path / name) for name in ("IM1", "im2", "IM1.dcm")]


def test_a_folder_that_cannot_be_listed_has_no_other_names(tmp_path: Path) -> None:
    (tmp_path / "A").write_text("no folder")
    assert isinstance(find(dicomdir(tmp_path, "A\\IM1")).error, InaccessiblePath)


# ---- what is refused


@pytest.mark.parametrize(
    "file_id",
    [
        "..\\SECRET",
        "A\\..\\..\\SECRET",
        ".\\SECRET",
        "/etc/passwd",
        "\\SECRET",
        "A\\\\B",
        "A\\",
        "../SECRET",
        "A/IM1",
        "A\0B",
    ],
)
def test_what_is_no_file_id_is_refused(tmp_path: Path, file_id: str) -> None:
    Instance("1.2.9").write(tmp_path / "SECRET")
    good = Instance("1.2.3").write(tmp_path / "medium" / "A" / "IM1")
    path = dicomdir(good.parent.parent, file_id, "A\\IM1")
    found = find(path)
    assert found.paths == [str(good)]
    assert found.error.path == str(path)
    assert found.error.reason.startswith('it lists "')
    assert found.error.reason.endswith('", which is not a File ID')


@pytest.mark.parametrize("place", ["IM1", "A"], ids=["file", "folder"])
def test_a_link_does_not_lead_out_of_the_file_set(tmp_path: Path, place: str) -> None:
    secret = Instance().write(tmp_path / "secret" / "IM1")
    medium = tmp_path / "medium"
    medium.mkdir()
    (medium / place).symlink_to(secret if place == "IM1" else secret.parent)
    path = dicomdir(medium, "IM1" if place == "IM1" else "A\\IM1")
    error = find(path).error
    assert (error.path, error.reason.partition(", ")[2]) == (str(path), "which leads out of its folder")


def test_a_link_within_the_file_set_is_followed(tmp_path: Path) -> None:
    Instance().write(tmp_path / "A" / "IM1")
    (tmp_path / "B").symlink_to("A")
    found = find(dicomdir(tmp_path, "B\\IM1", "A\\IM1"))
    assert found.paths == [str(tmp_path / "B" / "IM1")]


def test_a_file_that_is_listed_and_missing_is_an_error_and_the_others_are_found(tmp_path: Path) -> None:
    last = Instance().write(tmp_path / "IM2")
    (tmp_path / "IM1").symlink_to("nowhere")
    path = dicomdir(tmp_path, "A\\B", "IM1", "IM2")
    found = find(path)
    assert [type(error) for error in found.errors] == [InaccessiblePath, InaccessiblePath]
    assert [error.path for error in found.errors] == [str(tmp_path / "A" / "B"), str(tmp_path / "IM1")]
    assert found.errors[0].reason == f"no such file or directory, and {path} lists it"
    assert found.paths == [str(last)]


def test_a_listed_file_that_is_no_instance_is_an_error_or_skipped_if_asked(tmp_path: Path) -> None:
    (tmp_path / "TEXT").write_text("hello")
    shutil.copy(MEDIA / "DICOMDIR", tmp_path / "OTHER")
    path = dicomdir(tmp_path, "TEXT", "OTHER")
    found = find(path)
    assert [error.path for error in found.errors] == [str(tmp_path / "TEXT"), str(tmp_path / "OTHER")]
    assert isinstance(found.errors[1], IsDicomdir)
    assert find(path, skip_invalid=True).items == []


def shorten(content: bytes) -> bytes:
    return content[:-10]


def end_in_file_meta(content: bytes) -> bytes:
    return content[:200]


@pytest.mark.parametrize("damage", [shorten, end_in_file_meta])
def test_a_dicomdir_that_is_cut_short_is_an_error(tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    Instance().write(tmp_path / "IM1")
    path = dicomdir(tmp_path, "IM1", "IM2")
    path.write_bytes(damage(path.read_bytes()))
    error = find(path).error
    assert error.path == str(path)
    assert "cut short" in error.reason


def test_a_dicomdir_in_a_transfer_syntax_that_none_may_have_is_an_error(tmp_path: Path) -> None:
    directory = Instance("1.2.3", MEDIA_STORAGE_DIRECTORY_STORAGE, uids.DeflatedExplicitVRLittleEndian)
    error = find(directory.write(tmp_path / "DICOMDIR")).error
    assert error.reason == "a DICOMDIR cannot be in Deflated Explicit VR Little Endian"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (os.unlink, "no such file or directory"),
        (partial(os.truncate, length=200), "cut short: the file ends with its File Meta Information"),
        (partial(os.truncate, length=0), "cut short: the file ends with its File Meta Information"),
    ],
    ids=["unlink", "shrink", "empty"],
)
def test_a_dicomdir_that_changes_before_it_is_read_is_an_error(
    tmp_path: Path, change: Callable[[Path], object], reason: str
) -> None:
    path = dicomdir(tmp_path, "IM1")
    files = FileSet(str(path)).files()
    change(path)
    with pytest.raises(FileError) as raised:
        next(files)
    assert (raised.value.path, raised.value.reason) == (str(path), reason)


def test_records_of_patients_studies_and_series_lead_to_no_file(tmp_path: Path) -> None:
    path = Instance().write(tmp_path / "IM1")
    found = find(dicomdir(tmp_path, "", " ", "IM1", ""))
    assert (found.paths, found.errors) == ([str(path)], [])


def test_a_dicomdir_without_records_finds_nothing(tmp_path: Path) -> None:
    path = tmp_path / "DICOMDIR"
    path.write_bytes(Instance("1.2.3", MEDIA_STORAGE_DIRECTORY_STORAGE).file_meta + Instance("", "").data_set)
    assert find(path).items == []


def test_a_faulty_record_is_an_error_and_those_before_it_are_found(tmp_path: Path) -> None:
    first = Instance().write(tmp_path / "IM1")
    path = dicomdir(tmp_path, "IM1", "X" * 2000, "IM1")
    found = find(path)
    assert found.paths == [str(first)]
    assert found.error.path == str(path)
    assert found.error.reason.startswith("not all of it can be read: within (0004,1220): (0004,1500) at offset ")


def test_text_in_an_unknown_character_set_does_no_harm(tmp_path: Path) -> None:
    path = Instance().write(tmp_path / "IM1")
    directory = dicomdir(tmp_path, "IM1")
    flag = struct.pack("<HH2sH", 0x0004, 0x1410, b"US", 2)
    other = struct.pack("<HH2sH", 0x0008, 0x0005, b"CS", 2)
    content = directory.read_bytes()
    assert flag in content
    directory.write_bytes(content.replace(flag, other))
    assert find(directory).paths == [str(path)]
