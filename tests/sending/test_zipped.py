"""Files in ZIP archives are found and given byte by byte; nothing of them stays on disk, and their names lead nowhere."""

from __future__ import annotations

import gc
import os
import resource
import struct
import tempfile
import threading
import time
import warnings
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from dimse import uids
from dimse.errors import FileError
from dimse.instances import MAPPED, InstanceFile
from dimse.sending.zipped import is_archive
from tests.files import pydicom_files
from tests.sending.looking import TEST_FILES, Found, find, finding
from tests.tools.running import Instance, pixel_data

SMALL, LARGE = Instance("1.2.1"), Instance("1.2.2", rest=pixel_data(1_000_000))
# The signature of an entry in the archive's directory.
CENTRAL = b"PK\1\2"


def archive(path: Path, *members: tuple[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> Path:
    """Write an archive with these members, in this order."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # two members of one name
        with zipfile.ZipFile(path, "w", method) as file:
            for name, content in members:
                file.writestr(zipfile.ZipInfo(name), content, compress_type=method)
    return path


@contextmanager
def no_file_larger_than(size: int) -> Iterator[None]:
    """Have the kernel refuse larger files, as it does when a disk is full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def names(found: Found) -> list[str]:
    return [path.rpartition("zip:")[2] for path in found.paths]


# ---- what is in it


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED], ids=["stored", "deflated"])
@pytest.mark.parametrize("mapped", [True, False], ids=["mapped", "in memory"])
def test_members_are_found_by_name_and_given_byte_by_byte(tmp_path: Path, method: int, mapped: bool) -> None:
    padded = Instance("1.2.3").content + bytes(100)
    members = [("b/large", LARGE.content), ("b/", b""), ("a/small", SMALL.content), ("c", padded)]
    path = archive(tmp_path / "a.zip", *members, method=method)
    with finding(path) as (finder, found):
        found.items += finder
        assert names(found) == ["a/small", "b/large", "c"]
        assert [file.sop_instance_uid for file in found.files] == ["1.2.1", "1.2.2", "1.2.3"]
        for file, instance in zip(found.files, (SMALL, LARGE, Instance("1.2.3")), strict=True):
            view = file.data_set(mapped=mapped)
            assert view.readonly
            assert view == instance.data_set
            with file.open() as stream:
                assert stream.read(file.data_set_size) == instance.data_set
            file.verify_unchanged()
    assert found.errors == []
    status = path.stat()
    assert {(file.identity, file.mtime_ns) for file in found.files} == {
        ((status.st_dev, status.st_ino), status.st_mtime_ns)
    }
    assert [file.size for file in found.files] == [len(SMALL.content), len(LARGE.content), len(padded)]


def test_every_file_that_pydicom_ships_is_found_in_an_archive_as_in_a_folder(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "all.zip", "w", zipfile.ZIP_DEFLATED) as file:
        for one in pydicom_files().sendable:
            file.write(one.path, one.path.relative_to(TEST_FILES.parent))
    with finding(tmp_path / "all.zip") as (finder, found):
        found.items += finder
        given = {file.path.partition("zip:")[2]: bytes(file.data_set()) for file in found.files}
    assert found.errors == []
    padded = {line.split(": ")[0].partition("zip:")[2] for line in found.warnings if "zero bytes follow" in line}
    for one in pydicom_files().sendable:
        name = str(one.path.relative_to(TEST_FILES.parent))
        assert given[name] == (one.data_set[: len(given[name])] if name in padded else one.data_set)


def test_an_archive_is_known_by_what_is_in_it_not_by_its_name(tmp_path: Path) -> None:
    path = archive(tmp_path / "study.dcm", ("1", SMALL.content))
    assert find(path).paths == [f"{path}:1"]
    # A DICOM file may have anything in its preamble.
    content = b"PK\3\4" + SMALL.content[4:]
    (tmp_path / "1.zip").write_bytes(content)
    assert find(tmp_path / "1.zip").paths == [str(tmp_path / "1.zip")]


def test_an_archive_without_members_finds_nothing(tmp_path: Path) -> None:
    found = find(archive(tmp_path / "a.zip"))
    assert found.items == []


def test_an_archive_in_a_folder_is_skipped_with_a_word_how_to_send_it(tmp_path: Path) -> None:
    path = archive(tmp_path / "a.zip", ("1", SMALL.content))
    found = find(tmp_path)
    assert (found.items, found.warnings) == ([], [f"Skipped: {path}: a ZIP archive: name it to send what it holds"])


def test_other_members_are_skipped_and_counted(tmp_path: Path) -> None:
    inner = archive(tmp_path / "inner.zip", ("1", LARGE.content)).read_bytes()
    dicomdir = (TEST_FILES / "dicomdirtests" / "DICOMDIR").read_bytes()
    path = archive(
        tmp_path / "a.zip",
        ("1", SMALL.content),
        ("2.zip", inner),
        ("DICOMDIR", dicomdir),
        ("empty", b""),
        ("text\n", b"hello"),
    )
    found = find(path)
    assert (names(found), found.errors) == (["1"], [])
    assert found.warnings == [
        f"Skipped: {path}:DICOMDIR: a DICOMDIR, which is no SOP instance",
        "3 files skipped: not DICOM",
    ]
    assert found.infos == [
        f"Skipped: {path}:2.zip: a ZIP archive in a ZIP archive",
        f"Skipped: {path}:empty: empty file",
        f"Skipped: {path}:text\\n: not DICOM: shorter than preamble and prefix",
    ]


def test_a_member_named_as_a_dicom_file_is_sent_or_is_an_error(tmp_path: Path) -> None:
    path = archive(tmp_path / "a.zip", ("a/empty.DCM", b""), ("b", SMALL.content), ("zero.dcm", bytes(1000)))
    found = find(path)
    assert names(found) == ["b"]
    assert [error.path for error in found.errors] == [f"{path}:a/empty.DCM", f"{path}:zero.dcm"]


def test_hidden_members_are_not_sent(tmp_path: Path) -> None:
    members = ("__MACOSX/._a.dcm", ".incoming/b.dcm", "a.dcm", "../c.dcm")
    found = find(archive(tmp_path / "a.zip", *((name, Instance(f"1.2.{name}").content) for name in members)))
    assert names(found) == ["../c.dcm", "a.dcm"]
    assert found.warnings[-1] == "2 hidden files skipped"


def test_a_member_that_is_cut_short_is_an_error_and_the_others_are_found(tmp_path: Path) -> None:
    path = archive(tmp_path / "a.zip", ("1", LARGE.content[:-1]), ("2", SMALL.content))
    found = find(path)
    assert names(found) == ["2"]
    assert found.error.path == f"{path}:1"
    assert "cut short" in found.error.reason


def test_bare_data_sets_in_an_archive(tmp_path: Path) -> None:
    path = archive(tmp_path / "a.zip", ("1", SMALL.data_set), ("2", b"hello"), ("3", LARGE.data_set))
    found = find(path, raw_transfer_syntax_uid=uids.ExplicitVRLittleEndian)
    assert [file.data_set_offset for file in found.files] == [0, 0]
    assert found.error.path == f"{path}:2"


def test_the_same_instance_in_and_out_of_an_archive_is_sent_once(tmp_path: Path) -> None:
    file = LARGE.write(tmp_path / "large")
    other = Instance("1.2.2", rest=pixel_data(500_000)).content
    path = archive(tmp_path / "a.zip", ("1", LARGE.content), ("2", other), ("3", other))
    found = find(file, path)
    assert found.paths == [str(file), f"{path}:2"]
    assert found.warnings == [
        f"Sent once: {path}:1 is the same instance as {file}",
        f"Both are sent: {path}:2 has the SOP instance UID of {file}, and another data set",
        f"Sent once: {path}:3 is the same instance as {path}:2",
    ]
    assert find(path, file).paths == [f"{path}:1", f"{path}:2"]


def test_a_file_larger_than_a_window_is_walked(tmp_path: Path) -> None:
    elements = b"".join(
        struct.pack("<HH2sH", 0x0009, 0x1000 + number, b"LO", 200) + bytes(200) for number in range(1000)
    )
    later = Instance("1.2.3", rest=elements + pixel_data(300_000))
    (file,) = find(archive(tmp_path / "a.zip", ("1", later.content))).files
    assert file.data_set() == later.data_set


# ---- names are data


@pytest.mark.parametrize(
    "name", ["../../out", "/tmp/out", "a/../../out", "..\\out", "C:\\out", "con", "x" * 1000, "a\nb", "-r"]
)
def test_the_name_of_a_member_leads_nowhere(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "deep" / "folder"
    folder.mkdir(parents=True)
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    path = archive(tmp_path / "a.zip", (name, LARGE.content))
    (file,) = find(path).files
    assert file.path == f"{path}:{name}"
    assert file.data_set() == LARGE.data_set
    assert {one for one in tmp_path.rglob("*") if one.is_file()} == {path}


def test_two_members_of_one_name_are_both_found(tmp_path: Path) -> None:
    with finding(archive(tmp_path / "a.zip", ("1", SMALL.content), ("1", LARGE.content))) as (finder, found):
        found.items += finder
        assert [bytes(file.data_set()) for file in found.files] == [SMALL.data_set, LARGE.data_set]


# ---- on disk


def test_a_large_data_set_lies_in_a_nameless_file_that_goes_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    path = archive(tmp_path / "a.zip", ("1", LARGE.content))

    def mapped() -> list[str]:
        maps = Path("/proc/self/maps").read_text().splitlines()
        return [line for line in maps if str(tmp_path) in line]

    (file,) = find(path).files
    view = file.data_set()
    assert os.listdir(tmp_path) == ["a.zip"]
    if Path("/proc/self/maps").exists():
        assert len(mapped()) == 1
        view.release()
        del view
        assert mapped() == []


def test_a_small_data_set_needs_no_file(tmp_path: Path) -> None:
    (file,) = find(archive(tmp_path / "a.zip", ("1", SMALL.content))).files
    with no_file_larger_than(0):
        assert file.data_set() == SMALL.data_set


def test_a_full_disk_is_an_error_of_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    path = archive(tmp_path / "a.zip", ("1", LARGE.content))
    (file,) = find(path).files
    with no_file_larger_than(MAPPED), pytest.raises(FileError) as raised:
        file.data_set()
    assert raised.value.path == f"{path}:1"
    assert raised.value.reason == f"it cannot be inflated into a temporary file in {tmp_path}: file too large"
    assert file.data_set(mapped=False) == LARGE.data_set


# ---- many


def test_many_archives_need_few_descriptors(tmp_path: Path) -> None:
    paths = [
        archive(tmp_path / f"{number}.zip", *((str(one), Instance(f"1.{number}.{one}").content) for one in range(2)))
        for number in range(30)
    ]
    gc.collect()
    before = len(os.listdir("/dev/fd"))
    with finding(*paths) as (finder, found):
        found.items += finder
        assert len(found.files) == 60
        for file in found.files:
            assert file.data_set() == Instance(file.sop_instance_uid).data_set
        assert len(os.listdir("/dev/fd")) < before + 20
    assert len(os.listdir("/dev/fd")) == before
    found.files[0].data_set()  # it can still be had


def test_threads_read_one_archive_together(tmp_path: Path) -> None:
    instances = {
        f"1.2.{number}": Instance(f"1.2.{number}", rest=pixel_data(200_000 + number * 2)) for number in range(20)
    }
    path = archive(tmp_path / "a.zip", *((uid, instance.content) for uid, instance in instances.items()))
    others = [archive(tmp_path / f"{number}.zip", ("1", SMALL.content)) for number in range(20)]
    wrong: list[str] = []
    with finding(path, *others) as (finder, found):
        found.items += finder

        def read(files: list[InstanceFile]) -> None:
            wrong.extend(file.path for file in files if file.data_set() != instances[file.sop_instance_uid].data_set)

        threads = [threading.Thread(target=read, args=(found.files[number:20:2],)) for number in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert wrong == []


# ---- archives that are not what they say


def encrypt(content: bytes) -> bytes:
    return set_flags(content, 1)


def set_flags(content: bytes, flags: int) -> bytes:
    changed = bytearray(content)
    struct.pack_into("<H", changed, 6, flags)
    struct.pack_into("<H", changed, content.index(CENTRAL) + 8, flags)
    return bytes(changed)


def change_method(content: bytes) -> bytes:
    changed = bytearray(content)
    struct.pack_into("<H", changed, 8, 99)
    struct.pack_into("<H", changed, content.index(CENTRAL) + 10, 99)
    return bytes(changed)


def change_a_byte(content: bytes) -> bytes:
    at = content.index(CENTRAL) // 2
    return content[:at] + bytes((content[at] ^ 0xFF,)) + content[at + 1 :]


def change_crc(content: bytes) -> bytes:
    at = content.index(CENTRAL) + 16
    return content[:at] + bytes((content[at] ^ 0xFF,)) + content[at + 1 :]


def change_name(content: bytes) -> bytes:
    return content.replace(b"0001.dcm", b"0002.dcm", 1)


def say_size(size: int) -> Callable[[bytes], bytes]:
    """Change the inflated size that the archive's directory says."""

    def change(content: bytes) -> bytes:
        changed = bytearray(content)
        struct.pack_into("<I", changed, content.index(CENTRAL) + 24, size)
        return bytes(changed)

    return change


UNREADABLE: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "encrypted": (encrypt, "encrypted"),
    "strong encryption": (lambda content: set_flags(content, 0x40), "cannot be read"),
    "unknown compression": (change_method, "compressed by method 99, and only Stored and Deflate are read"),
    "damaged": (change_a_byte, ""),
    "wrong CRC": (change_crc, "Bad CRC-32"),
    "two names": (change_name, "cannot be read"),
    "inflates to more than it says": (say_size(len(LARGE.content) - 10), ""),
    "inflates to less than it says": (say_size(len(LARGE.content) + 10), ""),
    "inflates to much less than it says": (say_size(0xFFFFFFF0), ""),
}


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED], ids=["stored", "deflated"])
@pytest.mark.parametrize("kind", UNREADABLE)
def test_a_member_that_cannot_be_read_is_an_error_with_its_name(tmp_path: Path, kind: str, method: int) -> None:
    change, words = UNREADABLE[kind]
    path = archive(tmp_path / "a.zip", ("0001.dcm", LARGE.content), ("x", SMALL.content), method=method)
    path.write_bytes(change(path.read_bytes()))
    found = find(path)
    assert names(found) == ["x"]
    assert found.error.path.startswith(f"{path}:000")
    assert words in found.error.reason
    assert "\n" not in found.error.reason
    assert find(path, skip_invalid=True).errors == []


def test_a_member_that_ends_early_is_an_error_though_its_data_set_is_whole(tmp_path: Path) -> None:
    deflater = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    instance = Instance(transfer_syntax=uids.DeflatedExplicitVRLittleEndian)
    content = instance.file_meta + deflater.compress(instance.data_set) + deflater.flush()
    path = archive(tmp_path / "a.zip", ("1", content))
    path.write_bytes(say_size(len(content) + 10)(path.read_bytes()))
    assert find(path).error.reason == f"not the {len(content) + 10:,} bytes that the ZIP archive gives as its size"


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA], ids=["bzip2", "LZMA"])
def test_a_method_that_inflates_without_bounds_is_refused(tmp_path: Path, method: int) -> None:
    error = find(archive(tmp_path / "a.zip", ("1", LARGE.content), method=method)).error
    assert "only Stored and Deflate are read" in error.reason


def cut(content: bytes) -> bytes:
    return content[:-30]


def no_directory(content: bytes) -> bytes:
    return content[: content.index(CENTRAL)]


def name_that_is_no_text(content: bytes) -> bytes:
    return set_flags(content.replace(b"0001.dcm", b"\xff001.dcm"), 0x800)


@pytest.mark.parametrize("damage", [cut, no_directory, name_that_is_no_text])
def test_an_archive_that_cannot_be_read_is_an_error(tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    path = archive(tmp_path / "a.zip", ("0001.dcm", SMALL.content))
    path.write_bytes(damage(path.read_bytes()))
    error = find(path).error
    assert error.path == str(path)
    assert error.reason.startswith("it cannot be read as a ZIP archive: ")


def test_a_member_without_a_name_is_found(tmp_path: Path) -> None:
    path = archive(tmp_path / "a.zip", ("\0", SMALL.content))
    assert find(path).paths == [f"{path}:"]


# ---- archives that change


def test_an_archive_that_changes_before_its_turn_is_not_sent(tmp_path: Path) -> None:
    path = archive(tmp_path / "a.zip", ("1", SMALL.content), ("2", LARGE.content))
    for file in find(path).files:
        os.utime(path, ns=(0, 0))
        for look in (file.data_set, file.open):
            with pytest.raises(FileError, match="changed while being read"):
                look()
        path.touch()


def test_an_archive_that_is_gone_is_an_error_of_the_file(tmp_path: Path) -> None:
    path = archive(tmp_path / "a.zip", ("1", SMALL.content))
    (file,) = find(path).files
    path.unlink()
    with pytest.raises(FileError) as raised:
        file.data_set()
    assert (raised.value.path, raised.value.reason) == (f"{path}:1", "no such file or directory")


def test_what_cannot_be_opened_is_no_archive(tmp_path: Path) -> None:
    assert not is_archive(str(tmp_path / "missing"))


# ---- members that overlap


def local(name: str, size: int, packed: bytes, *, extra: bytes = b"") -> bytes:
    """Return a local file header, and the deflated bytes that follow it."""
    return (
        struct.pack("<IHHHHHIIIHH", 0x04034B50, 20, 0, 8, 0, 0, 0, len(packed), size, len(name), len(extra))
        + name.encode()
        + extra
        + packed
    )


def with_directory(content: bytes, *entries: tuple[str, int, int, int, int], start: int | None = None) -> bytes:
    """Return an archive of these entries: name, CRC, deflated and inflated size, offset of the local header."""
    central = b"".join(
        struct.pack(
            "<IHHHHHHIIIHHHHHII", 0x02014B50, 20, 20, 0, 8, 0, 0, crc, packed, size, len(name), 0, 0, 0, 0, 0, offset
        )
        + name.encode()
        for name, crc, packed, size, offset in entries
    )
    at = len(content) if start is None else start
    end = struct.pack("<IHHHHIIH", 0x06054B50, 0, 0, len(entries), len(entries), len(central), at, 0)
    return content[:at] + central + end


def deflated(content: bytes) -> bytes:
    compressor = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    return compressor.compress(content) + compressor.flush()


def one_header(count: int) -> bytes:
    """Return an archive of many members that share one local header."""
    content = Instance("1.2.1", rest=pixel_data(10_000_000)).content
    packed = deflated(content)
    whole = local("x", len(content), packed)
    sizes = zlib.crc32(content), len(packed), len(content)
    return with_directory(whole, *((f"{number:03}", *sizes, 0) for number in range(count)))


def quoted() -> bytes:
    """Return an archive whose members overlap: the deflated bytes of each begin with the local header of the next."""
    packed = deflated(SMALL.content)
    inner = local("b", len(SMALL.content), packed)
    header = inner[: len(inner) - len(packed)]
    block = struct.pack("<BHH", 0, len(header), len(header) ^ 0xFFFF)
    size = len(header) + len(SMALL.content)
    outer = local("a", size, block + inner)
    return with_directory(
        outer,
        ("a", zlib.crc32(header + SMALL.content), len(block + inner), size, 0),
        ("b", zlib.crc32(SMALL.content), len(packed), len(SMALL.content), len(outer) - len(inner)),
    )


def into_the_directory() -> bytes:
    packed = deflated(SMALL.content)
    whole = local("a", len(SMALL.content), packed)
    return with_directory(whole, ("a", zlib.crc32(SMALL.content), len(packed) + 20, len(SMALL.content), 0))


def by_a_long_extra_field() -> bytes:
    packed = deflated(SMALL.content)
    first = local("a", len(SMALL.content), packed)
    first = first[:28] + struct.pack("<H", 100) + first[30:]
    second = local("b", len(SMALL.content), packed)
    sizes = zlib.crc32(SMALL.content), len(packed), len(SMALL.content)
    return with_directory(first + second, ("a", *sizes, 0), ("b", *sizes, len(first)))


OVERLAPPING: dict[str, Callable[[], bytes]] = {
    "one local header for two": lambda: one_header(2),
    "one local header for 400": lambda: one_header(400),
    "quoted": quoted,
    "a member in the directory": into_the_directory,
    "a long extra field": by_a_long_extra_field,
}


@pytest.mark.parametrize("kind", OVERLAPPING)
def test_members_that_overlap_are_refused_before_anything_is_inflated(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "a.zip"
    path.write_bytes(OVERLAPPING[kind]())
    before = time.process_time()
    error = find(path).error
    assert time.process_time() - before < 1
    assert error.path == str(path)
    assert "overlap" in error.reason
    skipped = find(path, skip_invalid=True)
    assert (skipped.items, len(skipped.warnings)) == ([], 1)


def test_members_with_gaps_between_them_are_read(tmp_path: Path) -> None:
    packed = deflated(SMALL.content)
    first, second = (
        local("a", len(SMALL.content), packed) + bytes(40),
        local("b", len(LARGE.content), deflated(LARGE.content)),
    )
    sizes = zlib.crc32(LARGE.content), len(deflated(LARGE.content)), len(LARGE.content)
    whole = with_directory(
        first + second + bytes(9),
        ("b", *sizes, len(first)),
        ("a", zlib.crc32(SMALL.content), len(packed), len(SMALL.content), 0),
    )
    (tmp_path / "a.zip").write_bytes(whole)
    found = find(tmp_path / "a.zip")
    assert (names(found), found.errors) == (["a", "b"], [])
