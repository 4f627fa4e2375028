"""Files to send: a whole instance is known by its UIDs, and each fault has its reason."""

from __future__ import annotations

import os
import socket
import struct
import threading
import zlib
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pydicom
import pytest

from dimse import uids
from dimse.data_set import walk
from dimse.errors import FileError
from dimse.instances import HEAD, MAPPED, InstanceFile, IsDicomdir, NotDicom
from dimse.media import part10

TEST_FILES = Path(pydicom.__file__).parent / "data" / "test_files"
SHIPPED_CT = TEST_FILES / "CT_small.dcm"


def element(tag: int, vr: bytes, value: bytes) -> bytes:
    header = struct.pack("<HH2s", tag >> 16, tag & 0xFFFF, vr)
    return header + (struct.pack("<HL", 0, len(value)) if vr == b"OW" else struct.pack("<H", len(value))) + value


def data_set(pixels: int = 16, sop_instance_uid: bytes = b"1.2.3\0") -> bytes:
    return (
        element(0x00080016, b"UI", uids.CTImageStorage.encode() + b"\0")
        + element(0x00080018, b"UI", sop_instance_uid)
        + element(0x7FE00010, b"OW", bytes(range(256)) * (pixels // 256) + bytes(pixels % 256))
    )


def file_meta(
    sop_instance_uid: str = "1.2.3",
    transfer_syntax_uid: str = uids.ExplicitVRLittleEndian,
    sop_class_uid: str = uids.CTImageStorage,
) -> bytes:
    return part10.encode(part10.FileMeta(sop_class_uid, sop_instance_uid, transfer_syntax_uid, "1.2.3.4"))


@pytest.fixture
def write(tmp_path: Path) -> Callable[[bytes], str]:
    def write(content: bytes, name: str = "instance.dcm") -> str:
        path = tmp_path / name
        path.write_bytes(content)
        return str(path)

    return write


def open_descriptors() -> int:
    return len(list(Path("/dev/fd").iterdir()))


@pytest.mark.parametrize("pixels", [16, MAPPED - 1_000, MAPPED, 1_000_001])
def test_a_whole_file_is_known_and_its_data_set_given(write: Callable[[bytes], str], pixels: int) -> None:
    path = write(file_meta() + data_set(pixels))
    descriptors = open_descriptors()
    instance = InstanceFile.check(path)
    assert open_descriptors() == descriptors
    status = Path(path).stat()
    assert instance == InstanceFile(
        path=path,
        sop_class_uid=uids.CTImageStorage,
        sop_instance_uid="1.2.3",
        transfer_syntax_uid=uids.ExplicitVRLittleEndian,
        data_set_offset=len(file_meta()),
        data_set_size=len(data_set(pixels)),
        identity=(status.st_dev, status.st_ino),
        size=status.st_size,
        mtime_ns=status.st_mtime_ns,
    )
    view = instance.data_set()
    assert view.readonly
    assert view == data_set(pixels)
    in_memory = instance.data_set(mapped=False)
    # The bytes can be looked at whatever becomes of the file.
    assert isinstance(in_memory.obj, bytes)
    assert in_memory == view
    instance.verify_unchanged()
    del view
    assert open_descriptors() == descriptors


def test_a_real_file_is_given_byte_by_byte() -> None:
    instance = InstanceFile.check(str(SHIPPED_CT))
    content = SHIPPED_CT.read_bytes()
    assert instance.data_set() == content[instance.data_set_offset :]
    assert instance.warnings == ()


def test_padding_is_not_given(write: Callable[[bytes], str]) -> None:
    instance = InstanceFile.check(write(file_meta() + data_set() + bytes(100)))
    assert instance.data_set() == data_set()
    assert instance.warnings == ("100 zero bytes follow the data set",)


def test_a_deflated_file_is_known(write: Callable[[bytes], str]) -> None:
    deflater = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    deflated = deflater.compress(data_set()) + deflater.flush()
    instance = InstanceFile.check(write(file_meta(transfer_syntax_uid=uids.DeflatedExplicitVRLittleEndian) + deflated))
    assert instance.sop_instance_uid == "1.2.3"
    assert instance.data_set() == deflated


def test_file_meta_larger_than_the_first_read_is_read_on(write: Callable[[bytes], str]) -> None:
    private = struct.pack("<HH2sHL", 2, 0x0102, b"OB", 0, HEAD) + bytes(HEAD)
    instance = InstanceFile.check(write(file_meta() + private + data_set()))
    assert instance.data_set_offset == len(file_meta() + private)


def test_an_unknown_transfer_syntax_is_sent_as_it_is(write: Callable[[bytes], str]) -> None:
    instance = InstanceFile.check(write(file_meta(transfer_syntax_uid="1.2.3.4.5") + data_set()))
    assert instance.transfer_syntax_uid == "1.2.3.4.5"


def test_the_data_sets_uids_count_and_the_difference_is_told(write: Callable[[bytes], str]) -> None:
    instance = InstanceFile.check(write(file_meta("9.9", sop_class_uid=uids.MRImageStorage) + data_set()))
    assert (instance.sop_class_uid, instance.sop_instance_uid) == (uids.CTImageStorage, "1.2.3")
    assert instance.warnings == (
        f"SOP Class UID is {uids.MRImageStorage} in the File Meta Information and {uids.CTImageStorage} in the data set, "
        "which counts",
        "SOP Instance UID is 9.9 in the File Meta Information and 1.2.3 in the data set, which counts",
    )


def test_file_meta_without_uids_is_no_fault(write: Callable[[bytes], str]) -> None:
    syntax = b"1.2.840.10008.1.2.1\0"
    instance = InstanceFile.check(write(bytes(128) + b"DICM" + element(0x00020010, b"UI", syntax) + data_set()))
    assert instance.warnings == ()


WITHOUT_SYNTAX = bytes(128) + b"DICM" + element(0x00020012, b"UI", b"1.2\0") + data_set()[:-28]
COMPRESSED = struct.pack("<HH2sHL", 0x7FE0, 0x0010, b"OB", 0, 0xFFFFFFFF) + struct.pack("<HHL", 0xFFFE, 0xE0DD, 0)


@pytest.mark.parametrize(
    ("content", "kind", "reason"),
    [
        pytest.param(b"", NotDicom, "empty file", id="empty"),
        pytest.param(b"a few words", NotDicom, "not DICOM: shorter than preamble and prefix", id="short text"),
        pytest.param(b"words " * 100, NotDicom, "not DICOM: no DICM prefix after 128 bytes of preamble", id="text"),
        pytest.param(
            data_set(256), NotDicom, "not DICOM: no DICM prefix after 128 bytes of preamble", id="no preamble"
        ),
        pytest.param(
            file_meta()[:-3], FileError, "cut short: the file ends with its File Meta Information", id="in meta"
        ),
        pytest.param(file_meta(), FileError, "cut short: the file ends with its File Meta Information", id="only meta"),
        pytest.param(
            file_meta() + data_set()[:-1],
            FileError,
            "cut short: (7FE0,0010) at offset 298 is of 16 bytes, and 15 are there",
            id="cut short",
        ),
        pytest.param(
            WITHOUT_SYNTAX + COMPRESSED,
            FileError,
            "no Transfer Syntax UID in its File Meta Information, and its Pixel Data is compressed, which it may not be in "
            "Explicit VR Little Endian",
            id="no syntax, and compressed",
        ),
        pytest.param(
            file_meta() + element(0x00080018, b"UI", b"1.2\0"),
            FileError,
            "no SOP Class UID (0008,0016) in its data set",
            id="no class",
        ),
        pytest.param(
            file_meta() + data_set(sop_instance_uid=b""),
            FileError,
            "no SOP Instance UID (0008,0018) in its data set",
            id="no instance",
        ),
        pytest.param(
            file_meta() + data_set(sop_instance_uid=b"1" * 66),
            FileError,
            "the SOP Instance UID (0008,0018) in its data set is of 66 characters, and at most 64 are allowed",
            id="long uid",
        ),
        pytest.param(
            file_meta(sop_class_uid=uids.MediaStorageDirectoryStorage) + data_set(),
            IsDicomdir,
            "a DICOMDIR, which is no SOP instance",
            id="DICOMDIR",
        ),
        pytest.param(
            file_meta() + element(0x00080016, b"UI", uids.MediaStorageDirectoryStorage.encode()),
            IsDicomdir,
            "a DICOMDIR, which is no SOP instance",
            id="DICOMDIR by its data set",
        ),
    ],
)
def test_a_fault_has_its_kind_and_its_reason(
    write: Callable[[bytes], str], content: bytes, kind: type[FileError], reason: str
) -> None:
    path = write(content)
    descriptors = open_descriptors()
    with pytest.raises(FileError) as raised:
        InstanceFile.check(path)
    assert (type(raised.value), raised.value.path, raised.value.reason) == (kind, path, reason)
    assert open_descriptors() == descriptors


@pytest.mark.parametrize("name", ["DICOMDIR", "DICOMDIR-bigEnd", "DICOMDIR-implicit", "DICOMDIR-nooffset"])
def test_a_real_dicomdir_is_told_from_instances(name: str) -> None:
    (path,) = (path for path in TEST_FILES.rglob(name) if path.parent.name != "TINY_ALPHA")
    with pytest.raises(IsDicomdir):
        InstanceFile.check(str(path))


@pytest.mark.parametrize("pixels", [16, 1_000_000], ids=["small", "large"])
def test_the_bytes_of_a_data_set_can_be_read_in_pieces(write: Callable[[bytes], str], pixels: int) -> None:
    instance = InstanceFile.check(write(file_meta() + data_set(pixels) + bytes(10)))
    with instance.open() as stream:
        pieces = iter(partial(stream.read, 100_000), b"")
        assert b"".join(pieces) == data_set(pixels) + bytes(10)


def test_the_series_is_known_if_the_data_set_says_it(write: Callable[[bytes], str]) -> None:
    series = element(0x0020000D, b"UI", b"1.2\0") + element(0x0020000E, b"UI", b"1.2.9\0")
    before, after = data_set(0)[:-12], data_set(0)[-12:]
    assert InstanceFile.check(write(file_meta() + before + series + after)).series_instance_uid == "1.2.9"
    assert InstanceFile.check(write(file_meta() + data_set())).series_instance_uid == ""


@pytest.mark.parametrize("pixels", [0, 100_000])
def test_a_bare_data_set_is_known_in_the_transfer_syntax_that_is_said(
    write: Callable[[bytes], str], pixels: int
) -> None:
    path = write(data_set(pixels))
    instance = InstanceFile.check(path, raw_transfer_syntax_uid=uids.ExplicitVRLittleEndian)
    assert (instance.sop_class_uid, instance.sop_instance_uid) == (uids.CTImageStorage, "1.2.3")
    assert (instance.transfer_syntax_uid, instance.data_set_offset) == (uids.ExplicitVRLittleEndian, 0)
    assert instance.data_set() == data_set(pixels)
    assert instance.warnings == ()


def test_file_meta_counts_more_than_the_transfer_syntax_that_is_said(write: Callable[[bytes], str]) -> None:
    path = write(file_meta() + data_set())
    instance = InstanceFile.check(path, raw_transfer_syntax_uid=uids.ImplicitVRLittleEndian)
    assert instance == InstanceFile.check(path)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"a few words", "not DICOM: cut short: (2061,6566) "),
        (data_set()[:-1], "not DICOM: cut short: (7FE0,0010) "),
        (element(0x00080018, b"UI", b"1.2\0"), "not DICOM: no SOP Class UID (0008,0016) in its data set"),
        (bytes(200), "not DICOM: no SOP Class UID (0008,0016) in its data set"),
    ],
)
def test_what_is_no_bare_data_set_is_no_dicom(write: Callable[[bytes], str], content: bytes, reason: str) -> None:
    with pytest.raises(NotDicom) as raised:
        InstanceFile.check(write(content), raw_transfer_syntax_uid=uids.ExplicitVRLittleEndian)
    assert raised.value.reason.startswith(reason)


def test_a_bare_dicomdir_is_told_from_instances(write: Callable[[bytes], str]) -> None:
    path = write(element(0x00080016, b"UI", uids.MediaStorageDirectoryStorage.encode()))
    with pytest.raises(IsDicomdir):
        InstanceFile.check(path, raw_transfer_syntax_uid=uids.ExplicitVRLittleEndian)


def test_what_is_no_regular_file_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    for path in (str(tmp_path), str(tmp_path / "fifo"), os.devnull):
        with pytest.raises(FileError, match=r": not a regular file$"):
            InstanceFile.check(path)


def test_what_the_system_says_is_the_reason(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "dangling").symlink_to("nowhere")
    reasons = {"missing": "no such file or directory", "dangling": "no such file or directory"}
    for name, reason in {**reasons, "loop": "too many levels of symbolic links"}.items():
        with pytest.raises(FileError) as raised:
            InstanceFile.check(str(tmp_path / name))
        assert raised.value.reason == reason
        assert isinstance(raised.value.__cause__, OSError)


def test_a_file_that_may_not_be_read_is_refused(write: Callable[[bytes], str]) -> None:
    path = write(file_meta() + data_set())
    Path(path).chmod(0)
    user = os.geteuid()
    if user == 0:  # root may read everything
        os.seteuid(65_534)
    try:
        with pytest.raises(FileError, match=r": permission denied$"):
            InstanceFile.check(path)
    finally:
        os.seteuid(user)


def test_names_that_are_no_text_are_kept(tmp_path: Path) -> None:
    raw = os.fsencode(tmp_path) + b"/\xff\nname.dcm"
    with open(raw, "wb") as file:
        file.write(file_meta() + data_set())
    instance = InstanceFile.check(os.fsdecode(raw))
    assert os.fsencode(instance.path) == raw
    assert instance.data_set() == data_set()


def shorten(path: Path) -> None:
    os.truncate(path, path.stat().st_size - 1)


def lengthen(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"more")


def touch(path: Path) -> None:
    os.utime(path, ns=(0, 0))


def replace(path: Path) -> None:
    status = path.stat()
    other = path.with_suffix(".new")
    other.write_bytes(path.read_bytes())
    os.utime(other, ns=(status.st_atime_ns, status.st_mtime_ns))
    other.rename(path)


@pytest.mark.parametrize("pixels", [16, 1_000_000], ids=["small", "large"])
@pytest.mark.parametrize("change", [shorten, lengthen, touch, replace])
def test_a_file_that_is_not_the_one_checked_is_refused(
    write: Callable[[bytes], str], change: Callable[[Path], None], pixels: int
) -> None:
    path = write(file_meta() + data_set(pixels))
    instance = InstanceFile.check(path)
    change(Path(path))
    descriptors = open_descriptors()
    for look in (instance.data_set, partial(instance.data_set, mapped=False), instance.open, instance.verify_unchanged):
        with pytest.raises(FileError, match=r": changed while being read$"):
            look()
    assert open_descriptors() == descriptors


@pytest.mark.parametrize(
    ("make", "reason"),
    [(os.mkfifo, "not a regular file"), (os.mkdir, "not a regular file"), (Path.touch, "empty file")],
    ids=["fifo", "folder", "empty"],
)
def test_what_is_no_file_any_more_is_refused_for_what_it_is(
    write: Callable[[bytes], str], make: Callable[[Path], object], reason: str
) -> None:
    path = Path(write(file_meta() + data_set()))
    instance = InstanceFile.check(str(path))
    path.unlink()
    make(path)
    descriptors = open_descriptors()
    for look in (instance.data_set, partial(instance.data_set, mapped=False), instance.open):
        with pytest.raises(FileError) as raised:
            look()
        assert raised.value.reason == reason
    assert open_descriptors() == descriptors


def test_a_file_that_is_gone_is_refused(write: Callable[[bytes], str]) -> None:
    path = write(file_meta() + data_set())
    instance = InstanceFile.check(path)
    Path(path).unlink()
    for look in (instance.data_set, instance.open, instance.verify_unchanged):
        with pytest.raises(FileError, match=r": no such file or directory$"):
            look()


def private_memory() -> int:
    """Private memory of this process (RssAnon), bytes."""
    (line,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("RssAnon"))
    return int(line.split()[1]) * 1024


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is measured through /proc")
def test_500_megabytes_are_sent_without_being_held(tmp_path: Path) -> None:
    size = 500 * 1024 * 1024
    path = tmp_path / "large.dcm"
    head = file_meta() + data_set(0)[:-4] + struct.pack("<L", size)
    with path.open("wb") as file:
        file.write(head)
        file.truncate(len(head) + size)
    before = private_memory()
    ours, theirs = socket.socketpair()
    received = bytearray(1024 * 1024)

    def drain() -> None:
        while theirs.recv_into(received):
            pass

    thread = threading.Thread(target=drain)
    thread.start()
    with ours:
        view = InstanceFile.check(str(path)).data_set()
        sent = 0
        while sent < len(view):
            sent += ours.sendmsg([view[sent : sent + 262_144]])
    thread.join()
    theirs.close()
    assert sent == len(head) - len(file_meta()) + size
    assert private_memory() - before < 8 * 1024 * 1024


def test_all_faults_of_a_data_set_are_file_errors(write: Callable[[bytes], str]) -> None:
    whole = file_meta() + data_set()
    # Cut between two elements: no length can tell.
    without_pixels = len(whole) - 16 - 12
    for size in set(range(len(whole))) - {without_pixels}:
        with pytest.raises(FileError) as raised:
            InstanceFile.check(write(whole[:size]))
        assert "\n" not in raised.value.reason
        assert raised.value.__cause__ is None or isinstance(
            raised.value.__cause__, walk.MalformedDataSet | part10.NotPart10
        )
