"""The files to send: each is found once, in order, when it is asked for; and what cannot be sent is said."""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
import threading
import zlib
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from dimse import uids
from dimse.errors import FileError, InaccessiblePath
from dimse.instances import NotDicom
from dimse.sending.finding import Finder, as_they_come, listed_paths
from tests.files import pydicom_files
from tests.sending.looking import TEST_FILES, find, finding
from tests.tools.running import Instance, pixel_data

IMPLICIT, EXPLICIT, DEFLATED = (
    uids.ImplicitVRLittleEndian,
    uids.ExplicitVRLittleEndian,
    uids.DeflatedExplicitVRLittleEndian,
)


def write(folder: Path, *names: str) -> list[str]:
    """Write files, each an instance of its own."""
    return [str(Instance(f"1.2.{number}").write(folder / name)) for number, name in enumerate(names, 1)]


# ---- folders


def test_a_folder_is_read_sorted_and_one_level_deep(tmp_path: Path) -> None:
    write(tmp_path, "b", "sub/c", "a", "10", "9")
    assert find(tmp_path).paths == [str(tmp_path / name) for name in ("10", "9", "a", "b")]


def test_folders_below_follow_the_files_of_their_folder(tmp_path: Path) -> None:
    write(tmp_path, "z", "a/2", "a/1", "a/x/deep", "b/1", "m")
    expected = ["m", "z", "a/1", "a/2", "a/x/deep", "b/1"]
    assert find(tmp_path, recurse=True).paths == [str(tmp_path / name) for name in expected]


def test_paths_are_taken_in_their_order_and_any_kind_of_them(tmp_path: Path) -> None:
    second, first = write(tmp_path, "2", "1")
    assert find(second, Path(first), tmp_path).paths == [second, first]


def test_a_file_with_several_names_is_found_once(tmp_path: Path) -> None:
    (path,) = write(tmp_path / "folder", "1")
    os.link(path, tmp_path / "folder" / "2")
    (tmp_path / "link").symlink_to(path)
    (tmp_path / "folder" / "loop").symlink_to("..")
    found = find(path, tmp_path / "link", tmp_path / "folder", tmp_path / "folder" / "loop", recurse=True)
    assert (found.paths, found.errors, found.warnings) == ([path], [], [])


def test_other_files_in_a_folder_are_skipped_and_counted(tmp_path: Path) -> None:
    # A line a file at WARNING hid the line about the one file that mattered: they are INFO, and one line counts them.
    (path,) = write(tmp_path, "image")
    (tmp_path / "DICOMDIR").write_bytes((TEST_FILES / "dicomdirtests" / "DICOMDIR").read_bytes())
    (tmp_path / "empty").touch()
    (tmp_path / "read\nme").write_text("not DICOM " * 100)
    found = find(tmp_path)
    assert (found.paths, found.errors, found.notices) == ([path], [], [])
    assert found.warnings == [
        f"Skipped: {tmp_path}/DICOMDIR: a DICOMDIR, which is no SOP instance",
        "2 files skipped: not DICOM",
    ]
    assert found.infos == [
        f"Skipped: {tmp_path}/empty: empty file",
        f"Skipped: {tmp_path}/read\\nme: not DICOM: no DICM prefix after 128 bytes of preamble",
    ]


@pytest.mark.parametrize("name", ["a.dcm", "A.DCM"])
@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty file"),
        (bytes(5000), "no DICM prefix"),
        (b"\xff" * 5000, "no DICM prefix"),
        (b"PK\3\4 and no more of an archive", "shorter than preamble and prefix"),
        (Instance("1.2.9").data_set, "no DICM prefix|shorter than preamble"),
    ],
    ids=["empty", "zero bytes", "erased", "archive", "bare data set"],
)
def test_a_file_named_as_a_dicom_file_is_sent_or_is_an_error(
    tmp_path: Path, name: str, content: bytes, reason: str
) -> None:
    (good,) = write(tmp_path, "image")
    (tmp_path / name).write_bytes(content)
    found = find(tmp_path)
    assert found.paths == [good]
    assert found.error.path == str(tmp_path / name)
    assert re.search(reason, found.error.reason)
    skipped = find(tmp_path, skip_invalid=True)
    assert (skipped.errors, len(skipped.warnings)) == ([], 1)


@pytest.mark.parametrize(
    "content",
    [
        bytes(128) + b"DICM",
        bytes(128) + b"DICM" + b"\xff" * 500,
        bytes(128) + b"DICM" + bytes(500),
        Instance("1.2.9").content[:150],
        Instance("", "").content,
    ],
    ids=["prefix alone", "erased", "zero bytes", "cut short", "no UIDs"],
)
def test_what_begins_as_a_dicom_file_is_sent_or_is_an_error_whatever_its_name(tmp_path: Path, content: bytes) -> None:
    (good,) = write(tmp_path, "a/image")
    (tmp_path / "a" / "IM1").write_bytes(content)
    found = find(tmp_path, recurse=True)
    assert found.paths == [good]
    assert found.error.path == str(tmp_path / "a" / "IM1")


def test_hidden_files_and_folders_are_sent_only_if_named(tmp_path: Path) -> None:
    shown, partial, thumbnail, below = write(tmp_path, "1", ".incoming/2.dcm", "._1.dcm", "a/.b/3")
    found = find(tmp_path, recurse=True)
    assert (found.paths, found.errors) == ([shown], [])
    assert found.warnings == ["3 hidden files skipped"]
    assert find(tmp_path / ".incoming", thumbnail, tmp_path / "a" / ".b").paths == [partial, thumbnail, below]


# ---- where nothing is found


def test_a_tree_whose_folders_are_not_read_says_how_they_are(tmp_path: Path) -> None:
    write(tmp_path, "a/1", "b/2")
    found = find(tmp_path, recurse_hint="-r")
    assert (found.items, found.warnings) == ([], [])
    assert found.notices == ["2 subfolders not read: use -r to send what is in subfolders"]
    (top,) = write(tmp_path, "3")
    found = find(tmp_path)
    assert (found.paths, found.notices) == ([top], [])
    assert found.warnings == ["2 subfolders not read: use recurse=True to send what is in subfolders"]


@pytest.mark.parametrize("recurse", [False, True])
def test_an_empty_folder_is_said_to_be_empty(tmp_path: Path, recurse: bool) -> None:
    (tmp_path / "a\nb").mkdir()
    assert find(tmp_path / "a\nb", recurse=recurse).notices == [f"{tmp_path}/a\\nb: the folder is empty"]
    (path,) = write(tmp_path, "1")
    found = find(path, tmp_path / "a\nb")
    assert (found.notices, found.warnings) == ([], [f"{tmp_path}/a\\nb: the folder is empty"])


def test_a_tree_of_empty_folders_is_empty(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    assert find(tmp_path, recurse=True).notices == [f"{tmp_path}: the folder is empty"]


def test_a_folder_without_dicom_says_how_much_it_holds(tmp_path: Path) -> None:
    for name in ("1", "2", "a/3"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("hello")
    (tmp_path / ".DS_Store").touch()
    assert find(tmp_path, recurse=True).notices == ["3 files skipped: not DICOM", "1 hidden file skipped"]
    assert find(tmp_path).notices == [
        "2 files skipped: not DICOM",
        "1 subfolder not read: use recurse=True to send what is in subfolders",
        "1 hidden file skipped",
    ]


# ---- one path


@pytest.mark.parametrize("kind", [str, os.fsencode, Path])
def test_one_path_is_one_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: Callable[[str], Path]) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path, "a", "b", "ab.dcm")
    with closing(Finder(kind("ab.dcm"), recurse=True)) as finder:
        assert [found and found.path for found in finder] == ["ab.dcm"]


def test_a_bad_instance_in_a_folder_is_an_error_where_it_stands(tmp_path: Path) -> None:
    write(tmp_path, "1", "3")
    (tmp_path / "2").write_bytes(Instance("1.2.9").content[:-1])
    found = find(tmp_path)
    assert [item.path for item in found.items] == [str(tmp_path / name) for name in "123"]
    assert "cut short" in found.error.reason
    assert found.items[1].state == "invalid"


def test_a_link_that_leads_nowhere_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("nowhere")
    error = find(tmp_path).error
    assert isinstance(error, InaccessiblePath)
    assert (error.path, error.reason) == (str(tmp_path / "link"), "no such file or directory")


def test_warnings_about_an_instance_name_it(tmp_path: Path) -> None:
    path = Instance("1.2.3", meta=(uids.SecondaryCaptureImageStorage, "1.2.4")).write(tmp_path / "1")
    (warning,) = find(path).warnings
    assert warning.startswith(f"{path}: SOP Instance UID is 1.2.4 in the File Meta Information and 1.2.3 ")


def test_every_file_that_pydicom_ships_is_found_or_said() -> None:
    expected = pydicom_files()
    folder = TEST_FILES.parent
    found = find(folder, recurse=True)
    paths = {Path(path) for path in found.paths}
    assert {file.path for file in expected.sendable} <= paths | {file.path for file in expected.repeated}
    # Their names say that they are DICOM files, and they have no File Meta Information: that is told, as for any other `.dcm`.
    bare = {"ExplVR_BigEndNoMeta.dcm", "ExplVR_LitEndNoMeta.dcm", "no_meta.dcm", "rtstruct.dcm"}
    named = {TEST_FILES / name for name in bare}
    assert {Path(error.path) for error in found.errors} == {file.path for file in expected.refused} | named
    skipped = [line for line in found.warnings if line.startswith("Skipped: ")]
    assert found.infos
    assert len([line for line in skipped if "a DICOMDIR" in line]) == len(expected.directories)


# ---- what is named


@pytest.mark.parametrize(
    ("make", "kind", "reason"),
    [
        (lambda path: None, InaccessiblePath, "no such file or directory"),
        (lambda path: path.symlink_to(path.name), InaccessiblePath, "too many levels of symbolic links"),
        (lambda path: path.write_text("hello"), NotDicom, "not DICOM: shorter than preamble and prefix"),
        (lambda path: path.touch(), NotDicom, "empty file"),
        (os.mkfifo, FileError, "not a regular file"),
    ],
    ids=["missing", "loop", "text", "empty", "fifo"],
)
def test_a_named_file_that_cannot_be_sent_is_an_error(
    tmp_path: Path, make: Callable[[Path], object], kind: type[FileError], reason: str
) -> None:
    make(tmp_path / "file")
    error = find(tmp_path / "file").error
    assert (type(error), error.reason) == (kind, reason)


def test_a_name_that_no_file_can_have_is_an_error() -> None:
    error = find("a\0b").error
    assert isinstance(error, InaccessiblePath)


def test_what_cannot_be_sent_for_what_is_in_it_is_skipped_if_asked(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("hello")
    (tmp_path / "cut").write_bytes(Instance().content[:-1])
    found = find(tmp_path / "text", tmp_path / "cut", tmp_path / "missing", tmp_path, skip_invalid=True)
    assert isinstance(found.error, InaccessiblePath)
    first, second = found.warnings
    assert first == f"Skipped: {tmp_path}/text: not DICOM: shorter than preamble and prefix"
    assert second.startswith(f"Skipped: {tmp_path}/cut: cut short: ")


@pytest.mark.parametrize(("secret", "kind"), [("folder/file", FileError), ("folder", InaccessiblePath)])
def test_what_may_not_be_read_is_an_error_even_then(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, secret: str, kind: type[FileError]
) -> None:
    write(tmp_path, "folder/file")
    (tmp_path / "folder").chmod(0o755)
    (tmp_path / secret).chmod(0)
    tmp_path.chmod(0o755)
    monkeypatch.chdir(tmp_path)
    user = os.geteuid()
    if user == 0:  # root may read everything
        os.seteuid(65_534)
    try:
        error = find(secret, skip_invalid=True).error
    finally:
        os.seteuid(user)
        (tmp_path / secret).chmod(0o755)
    assert (type(error), error.reason) == (kind, "permission denied")


# ---- one instance in several files


def test_the_same_instance_in_two_files_is_sent_once(tmp_path: Path) -> None:
    instance = Instance("1.2.3", rest=pixel_data(3_000_000))
    first = instance.write(tmp_path / "1")
    other_meta = Instance("1.2.3", meta=("", ""), rest=pixel_data(3_000_000)).write(tmp_path / "2")
    found = find(tmp_path)
    assert found.paths == [str(first)]
    assert found.warnings == [f"Sent once: {other_meta} is the same instance as {first}"]


def test_other_bytes_under_one_uid_are_sent_too(tmp_path: Path) -> None:
    first, second, again, other = (
        Instance("1.2.3", rest=pixel_data(size)).write(tmp_path / name)
        for name, size in (("1", 1000), ("2", 2000), ("3", 2000), ("4", 3000))
    )
    found = find(tmp_path)
    assert found.paths == [str(first), str(second), str(other)]
    assert found.warnings == [
        f"Both are sent: {second} has the SOP instance UID of {first}, and another data set",
        f"Sent once: {again} is the same instance as {second}",
        f"Both are sent: {other} has the SOP instance UID of {first}, and another data set",
    ]


def test_one_byte_is_another_data_set(tmp_path: Path) -> None:
    content = Instance("1.2.3", rest=pixel_data(3_000_000)).content
    (tmp_path / "1").write_bytes(content)
    (tmp_path / "2").write_bytes(content[:-1] + b"\1")
    assert len(find(tmp_path).paths) == 2


def test_a_first_file_that_is_gone_does_not_hide_the_second(tmp_path: Path) -> None:
    first, second = (Instance("1.2.3").write(tmp_path / name) for name in "12")
    with finding(first, second) as (finder, found):
        iterator = iter(finder)
        found.items.append(next(iterator))
        first.unlink()
        found.items.extend(iterator)
    assert found.paths == [str(first), str(second)]


# ---- one by one


def test_files_are_looked_at_when_they_are_asked_for(tmp_path: Path) -> None:
    first, second, third = write(tmp_path, "1", "2", "3")
    with finding(tmp_path) as (finder, found):
        iterator = iter(finder)
        looked_at = next(iterator)
        assert looked_at is not None and looked_at.path == first
        Path(second).unlink()
        found.items.extend(iterator)
    assert [item.path for item in found.items] == [second, third]
    assert isinstance(found.error, InaccessiblePath)


def test_where_there_is_nothing_for_the_moment_it_is_said_and_nowhere_else(tmp_path: Path) -> None:
    first, second = write(tmp_path, "1", "2")
    (tmp_path / "0").write_text("not DICOM")
    with finding(None, tmp_path, None, first) as (finder, _):
        assert [found and found.path for found in finder] == [None, first, second, None]


def test_nothing_more_is_found_after_close(tmp_path: Path) -> None:
    write(tmp_path, "1", "2")
    with finding(tmp_path) as (finder, _):
        next(iter(finder))
        finder.close()
        assert list(finder) == []


FIND_ALL = """
import resource, sys
from dimse.sending.finding import Finder
def peak(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // (1024 if sys.platform != "darwin" else 1024 ** 2)
before = peak()
count = sum(1 for _ in Finder([sys.argv[1]], recurse=True))
print(count, peak() - before)
"""


@pytest.mark.thorough
def test_20000_files_are_remembered_in_a_few_megabytes(tmp_path: Path) -> None:
    content = Instance("1.2.00000").content
    for number in range(10_000, 30_000):
        path = tmp_path / f"{number // 10_000}" / f"{number:05}.dcm"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content.replace(b"1.2.00000", b"1.2.%05d" % number))
    process = subprocess.run(
        [sys.executable, "-c", FIND_ALL, tmp_path], capture_output=True, text=True, check=True, timeout=50
    )
    count, megabytes = map(int, process.stdout.split())
    assert count == 20_000
    assert megabytes < 20


# ---- bare data sets


def deflate(data: bytes) -> bytes:
    compressor = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return compressor.compress(data) + compressor.flush()


def implicit() -> bytes:
    return b"".join(
        tag + len(value).to_bytes(4, "little") + value
        for tag, value in (
            (b"\x08\0\x16\0", uids.CTImageStorage.encode() + b"\0"),
            (b"\x08\0\x18\0", b"1.2.3\0"),
            (b"\x10\0\x10\0", b"Doe^Jane"),
        )
    )


RAW: dict[str, tuple[str, bytes]] = {
    "implicit": (IMPLICIT, implicit()),
    "explicit": (EXPLICIT, Instance("1.2.3").data_set),
    "longer than the preamble": (EXPLICIT, Instance("1.2.3", rest=pixel_data(100_000)).data_set),
    "deflated": (DEFLATED, deflate(Instance("1.2.3").data_set)),
}


@pytest.mark.parametrize("kind", RAW)
@pytest.mark.parametrize("named", [True, False], ids=["named", "in a folder"])
def test_a_bare_data_set_is_sent_in_the_transfer_syntax_that_is_said(tmp_path: Path, kind: str, named: bool) -> None:
    transfer_syntax, data_set = RAW[kind]
    path = tmp_path / "bare"
    path.write_bytes(data_set)
    (file,) = find(path if named else tmp_path, raw_transfer_syntax_uid=transfer_syntax).files
    assert (file.sop_instance_uid, file.transfer_syntax_uid) == ("1.2.3", transfer_syntax)
    assert file.data_set_offset == 0
    assert file.data_set() == data_set


def test_a_file_with_file_meta_is_read_as_ever(tmp_path: Path) -> None:
    path = Instance("1.2.3").write(tmp_path / "1")
    (file,) = find(path, raw_transfer_syntax_uid=IMPLICIT).files
    assert file.transfer_syntax_uid == EXPLICIT
    cut = tmp_path / "cut"
    cut.write_bytes(Instance().content[:-1])
    error = find(tmp_path, raw_transfer_syntax_uid=IMPLICIT).error
    assert (error.path, type(error)) == (str(cut), FileError)


NO_DATA_SETS = {
    "text": b"hello, this is no DICOM file\n" * 100,
    "short text": b"hello",
    "zero bytes": bytes(1000),
    "without UIDs": b"\x10\0\x10\0PN\x02\0A^",
    "cut short": Instance().data_set[:-1],
}


@pytest.mark.parametrize("kind", NO_DATA_SETS)
def test_what_is_no_data_set_either_is_an_error(tmp_path: Path, kind: str) -> None:
    # In a folder too: whoever says that files there are data sets wants to know of those that are not.
    path = tmp_path / "file"
    path.write_bytes(NO_DATA_SETS[kind])
    for where in (path, tmp_path):
        error = find(where, raw_transfer_syntax_uid=EXPLICIT).error
        assert isinstance(error, NotDicom)
        assert (error.path, error.reason[:11]) == (str(path), "not DICOM: ")


def test_a_dicomdir_is_told_from_bare_data_sets() -> None:
    assert len(find(TEST_FILES / "dicomdirtests" / "DICOMDIR", raw_transfer_syntax_uid=IMPLICIT).files) == 31


# ---- lists of paths


@pytest.mark.parametrize(
    ("listed", "paths"),
    [
        (b"", []),
        (b"a\nb c\n\n\nd", ["a", "b c", "d"]),
        (b"a\nb\0c\0\0d", ["a\nb", "c", "d"]),
        (b"a\0", ["a"]),
        (b"caf\xe9\n", ["caf\udce9"]),
        (b"x" * 200_000 + b"\ny\n", ["x" * 200_000, "y"]),
        (b"\xef\xbb\xbfa\r\nb c\r\n\r\nd\r", ["a", "b c", "d"]),
        (b"\xef\xbb\xbfa\r\0b\r\0", ["\ufeffa\r", "b\r"]),
    ],
    ids=["none", "lines", "ended by NUL", "one", "no text", "long", "of Windows", "with NULs"],
)
def test_a_list_of_paths(listed: bytes, paths: list[str]) -> None:
    assert list(listed_paths(io.BytesIO(listed))) == paths
    assert list(listed_paths(io.BufferedReader(io.BytesIO(listed), 16))) == paths


def test_a_list_is_read_as_it_comes() -> None:
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as reader, os.fdopen(writing, "wb", buffering=0) as writer:
        paths = listed_paths(reader)
        writer.write(b"first\nsec")
        assert next(paths) == "first"
        writer.write(b"ond\nthird")
        assert next(paths) == "second"
        writer.close()
        assert list(paths) == ["third"]


def test_paths_that_come_slowly_are_given_as_they_come() -> None:
    more = threading.Event()

    def source() -> Iterator[str]:
        yield "a"
        more.wait()
        yield "b"

    paths = as_they_come(source(), moment=0.01)
    assert next(paths) == "a"
    assert next(paths) is None
    more.set()
    assert [path for path in paths if path is not None] == ["b"]
