"""Files that cannot be sent, or change meanwhile: nothing of them is stored, the good ones go, and the exit status says so."""

from __future__ import annotations

import os
import struct
import subprocess
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import pydicom
import pytest

import dimse
from dimse import uids
from tests import faulty_peer as scp
from tests.faulty_peer import Connection
from tests.tools import running
from tests.tools.running import Instance, Receiver, errors, lines

EXPLICIT, DEFLATED = uids.ExplicitVRLittleEndian, uids.DeflatedExplicitVRLittleEndian
GOOD = Instance("1.2.999", uids.CTImageStorage)


def send_with_a_good_one(path: Path | str, *options: str) -> tuple[list[str], list[str]]:
    """Send a file between two names of a good one; what was said, and the UIDs of what was stored besides."""
    good = GOOD.write(Path(path).parent / "good.dcm")
    with Receiver() as receiver:
        process = receiver.storescu(path, good, *options)
    assert process.returncode == 3
    assert receiver.uids[-1:] == ["1.2.999"]
    return errors(process), receiver.uids[:-1]


# ---- not whole, or no DICOM: found before anything is sent


def truncated(instance: Instance, left_out: int) -> bytes:
    return instance.content[:-left_out]


def deflated(instance: Instance) -> bytes:
    compressor = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return instance.file_meta + compressor.compress(instance.data_set) + compressor.flush()


def nested(levels: int) -> bytes:
    """Nest sequences of undefined length, with Items of undefined length (PS3.5 7.5)."""
    sequence = struct.pack("<HH2sHI", 0x0040, 0xA730, b"SQ", 0, 0xFFFFFFFF)
    item = struct.pack("<HHI", 0xFFFE, 0xE000, 0xFFFFFFFF)
    ends = struct.pack("<HHI", 0xFFFE, 0xE00D, 0) + struct.pack("<HHI", 0xFFFE, 0xE0DD, 0)
    return (sequence + item) * levels + ends * levels


IMAGE = Instance(rest=running.pixel_data(100_000))
BAD_FILES: dict[str, tuple[bytes, str]] = {
    "cut short within a value": (truncated(IMAGE, 5), "cut short"),
    "cut short by one byte": (truncated(Instance(), 1), "cut short"),
    "cut short within an element's header": (Instance().content + b"\x10\0\x20\0LO", "cut short"),
    "cut short within the File Meta Information": (Instance().content[:180], "cut short"),
    "cut short behind the prefix": (Instance().content[:132], ""),
    "cut short within the preamble": (bytes(100), "not DICOM"),
    "text": (b"This is no DICOM file.\n" * 100, "not DICOM"),
    "a short text": (b"hello", "not DICOM"),
    "empty": (b"", "empty"),
    "a program": (b"\x7fELF" + bytes(1000), "not DICOM"),
    "a data set without preamble and File Meta Information": (Instance().data_set, "not DICOM"),
    "no transfer syntax, and compressed": (
        Instance(transfer_syntax="", rest=running.fragments(b"\xff\xd8\xff\xd9")).content,
        "no Transfer Syntax UID",
    ),
    "no UIDs at all": (Instance("", "").content, "no SOP Class UID"),
    "no SOP class UID in the data set": (Instance("1.2.3", "", meta=("1.2", "1.2.3")).content, "no SOP Class UID"),
    "no SOP instance UID in the data set": (
        Instance("", meta=(uids.SecondaryCaptureImageStorage, "1.2.3")).content,
        "no SOP Instance UID",
    ),
    "a UID of 65 characters": (Instance("1." + "2" * 63).content, "65 characters"),
    "deflated, cut short": (deflated(Instance(transfer_syntax=DEFLATED))[:-10], "cut short"),
    "deflated, and nonsense": (Instance(transfer_syntax=DEFLATED).file_meta + b"\xff" * 500, ""),
    "nested 100,000 times": (Instance(rest=nested(100_000)).content, "nested"),
    "lengths that do not add up": (
        Instance(rest=struct.pack("<HH2sHI", 0x7FE0, 0x0010, b"OB", 0, 0xFFFFFFFE) + bytes(100)).content,
        "cut short",
    ),
}


@pytest.mark.sample("cut short within a value", "text", "empty", "no UIDs at all")
@pytest.mark.parametrize("kind", BAD_FILES)
def test_a_bad_file_is_not_sent(tmp_path: Path, kind: str) -> None:
    content, words = BAD_FILES[kind]
    path = tmp_path / "bad.dcm"
    path.write_bytes(content)
    said, stored = send_with_a_good_one(path)
    assert stored == []
    (line,) = said
    assert line.startswith(f"Bad DICOM file: {path}: ")
    assert words.lower() in line.lower()


def test_a_bad_file_in_a_folder_is_not_skipped_in_silence(tmp_path: Path) -> None:
    GOOD.write(tmp_path / "good.dcm")
    (tmp_path / "cut.dcm").write_bytes(truncated(IMAGE, 5))
    with Receiver() as receiver:
        process = receiver.storescu(tmp_path)
    assert process.returncode == 3
    (line,) = errors(process)
    assert line.startswith(f"Bad DICOM file: {tmp_path / 'cut.dcm'}: ")
    assert receiver.uids == ["1.2.999"]


def test_a_bad_file_alone_is_found_before_an_association(tmp_path: Path) -> None:
    path = tmp_path / "cut.dcm"
    path.write_bytes(truncated(IMAGE, 5))
    # No program listens on that port, and the tool does not connect to it.
    process = running.tool("storescu", "127.0.0.1", 1, path)
    assert process.returncode == 3
    assert len(errors(process)) == 1


# ---- amiss, and sent all the same


def test_a_file_without_meta_uids_is_sent(tmp_path: Path) -> None:
    path = Instance("1.2.3", meta=("", "")).write(tmp_path / "few")
    with Receiver() as receiver:
        process = receiver.storescu(path, "-ll", "warn")
    assert process.returncode == 0
    assert receiver.uids == ["1.2.3"]


def test_a_file_whose_group_length_is_missing_is_sent(tmp_path: Path) -> None:
    content = Instance("1.2.3").content
    path = tmp_path / "few"
    path.write_bytes(content[:132] + content[144:])
    with Receiver() as receiver:
        assert receiver.storescu(path).returncode == 0
    assert receiver.uids == ["1.2.3"]
    assert receiver.stored[0].data_set == Instance("1.2.3").data_set


def test_the_data_sets_uids_count_where_the_file_meta_has_others(tmp_path: Path) -> None:
    path = Instance("1.2.3", uids.CTImageStorage, meta=(uids.MRImageStorage, "1.2.4")).write(tmp_path / "anonymised")
    with Receiver() as receiver:
        process = receiver.storescu(path, "-ll", "warn")
    assert process.returncode == 0
    (stored,) = receiver.stored
    assert (stored.sop_class_uid, stored.sop_instance_uid) == (uids.CTImageStorage, "1.2.3")
    said = lines(process, "W")
    assert len(said) == len(process.stderr.splitlines()) == 2
    assert all(line.startswith(f"{path}: SOP ") for line in said)
    assert "1.2.4" in said[1] and "1.2.3" in said[1]


def test_an_unknown_sop_class_is_sent(tmp_path: Path) -> None:
    path = Instance("1.2.3", "1.2.826.0.1.3680043.10.77").write(tmp_path / "unknown")
    with Receiver() as receiver:
        process = receiver.storescu(path)
    assert (process.returncode, process.stderr) == (0, "")
    assert receiver.stored[0].sop_class_uid == "1.2.826.0.1.3680043.10.77"


def test_padding_behind_the_data_set_is_not_sent(tmp_path: Path) -> None:
    path = tmp_path / "padded"
    path.write_bytes(Instance().content + bytes(512))
    with Receiver() as receiver:
        assert receiver.storescu(path).returncode == 0
    assert receiver.stored[0].data_set == Instance().data_set


# ---- DICOMDIRs, archives, lists, bare data sets


MEDIA = Path(pydicom.__file__).parent / "data" / "test_files" / "dicomdirtests"


def test_a_dicomdir_stands_for_what_it_lists() -> None:
    with Receiver() as receiver:
        process = receiver.storescu(MEDIA / "DICOMDIR")
    assert (process.returncode, process.stderr) == (0, "")
    records = pydicom.dcmread(MEDIA / "DICOMDIR").DirectoryRecordSequence
    listed = [record.ReferencedSOPInstanceUIDInFile for record in records if "ReferencedFileID" in record]
    assert sorted(receiver.uids) == sorted(listed)


def test_a_dicomdir_whose_files_are_gone(tmp_path: Path) -> None:
    path = tmp_path / "DICOMDIR"
    path.write_bytes((MEDIA / "DICOMDIR").read_bytes())
    said, stored = send_with_a_good_one(path)
    assert len(said) == 31
    assert all(line.startswith(f"Cannot access path: {tmp_path}/") and f"{path} lists it" in line for line in said)
    assert stored == []


def test_what_is_in_an_archive_is_sent(tmp_path: Path) -> None:
    large = Instance("1.2.2", rest=running.pixel_data(300_000))
    path = tmp_path / "study.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("../b", large.content)
        archive.writestr("a", Instance("1.2.1").content)
        archive.writestr("c", truncated(IMAGE, 5))
        archive.writestr("readme", b"hello")
    said, stored = send_with_a_good_one(path)
    (line,) = said
    assert line.startswith(f"Bad DICOM file: {path}:c: cut short")
    assert sorted(stored) == ["1.2.1", "1.2.2"]
    with Receiver() as receiver:
        assert receiver.storescu(path, "--skip-invalid").returncode == 0
    assert {one.data_set for one in receiver.stored} == {large.data_set, Instance("1.2.1").data_set}


@pytest.mark.parametrize("separator", ["\n", "\0"], ids=["lines", "NUL"])
def test_a_list_of_paths_on_stdin(tmp_path: Path, separator: str) -> None:
    paths = [Instance(f"1.2.{number}").write(tmp_path / f"{number} .dcm") for number in range(3)]
    with Receiver() as receiver:
        process = subprocess.run(
            running.command("storescu", "127.0.0.1", receiver.port, "-"),
            input=separator.join(map(str, paths)),
            capture_output=True,
            text=True,
            timeout=running.SECONDS,
            check=False,
        )
    assert (process.returncode, process.stderr) == (0, "")
    assert receiver.uids == ["1.2.0", "1.2.1", "1.2.2"]


def test_a_bare_data_set_is_sent_in_the_transfer_syntax_that_is_said(tmp_path: Path) -> None:
    path = tmp_path / "bare"
    path.write_bytes(Instance("1.2.3").data_set)
    with Receiver() as receiver:
        process = receiver.storescu(path, GOOD.write(tmp_path / "good"), "--raw-ts", EXPLICIT)
    assert (process.returncode, process.stderr) == (0, "")
    assert receiver.uids == ["1.2.3", "1.2.999"]
    assert receiver.stored[0].data_set == Instance("1.2.3").data_set


def test_what_cannot_be_sent_is_skipped_if_asked(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("hello")
    (tmp_path / "cut").write_bytes(truncated(IMAGE, 5))
    good = GOOD.write(tmp_path / "good")
    with Receiver() as receiver:
        process = receiver.storescu(tmp_path / "text", tmp_path / "cut", good, "--skip-invalid", "-ll", "warn")
    assert process.returncode == 0
    assert [line.split(": ")[:2] for line in lines(process, "W")] == [
        ["Skipped", str(tmp_path / "text")],
        ["Skipped", str(tmp_path / "cut")],
    ]
    assert receiver.uids == ["1.2.999"]
    process = running.tool("storescu", "127.0.0.1", 1, tmp_path / "missing", "--skip-invalid")
    assert process.returncode == 3
    assert errors(process) == [f"Cannot access path: {tmp_path / 'missing'}: no such file or directory"]


# ---- what is no file, or cannot be read


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda path: None, "no such file or directory"),
        (lambda path: path.symlink_to("nowhere"), "no such file or directory"),
        (lambda path: path.symlink_to(path.name), "too many levels of symbolic links"),
    ],
    ids=["missing", "dangling link", "link to itself"],
)
def test_a_path_that_leads_nowhere(tmp_path: Path, make: Callable[[Path], None], words: str) -> None:
    path = tmp_path / "nothing.dcm"
    make(path)
    said, stored = send_with_a_good_one(path)
    assert (said, stored) == ([f"Cannot access path: {path}: {words}"], [])


@pytest.mark.parametrize("target", ["nowhere", "link"], ids=["dangling link", "link to itself"])
def test_a_link_in_a_folder_that_leads_nowhere(tmp_path: Path, target: str) -> None:
    GOOD.write(tmp_path / "good.dcm")
    (tmp_path / "link").symlink_to(target)
    with Receiver() as receiver:
        process = receiver.storescu(tmp_path, "-r")
    assert process.returncode == 3
    (line,) = errors(process)
    assert line.startswith(f"Cannot access path: {tmp_path / 'link'}: ")
    assert receiver.uids == ["1.2.999"]


def test_a_path_below_a_file(tmp_path: Path) -> None:
    GOOD.write(tmp_path / "file")
    process = running.tool("storescu", "127.0.0.1", 1, tmp_path / "file" / "below")
    assert process.returncode == 3
    assert errors(process) == [f"Cannot access path: {tmp_path / 'file' / 'below'}: not a directory"]


def test_a_name_that_is_too_long(tmp_path: Path) -> None:
    said, stored = send_with_a_good_one(tmp_path / ("x" * 300))
    (line,) = said
    assert "file name too long" in line
    assert stored == []


@pytest.mark.parametrize("device", ["/dev/null", "/dev/zero", "/dev/tty"])
def test_a_device_is_not_read(tmp_path: Path, device: str) -> None:
    GOOD.write(tmp_path / "good.dcm")
    with Receiver() as receiver:
        process = receiver.storescu(device, tmp_path / "good.dcm")
    assert process.returncode == 3
    (line,) = errors(process)
    assert device in line
    assert receiver.uids == ["1.2.999"]


def test_a_fifo_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    said, stored = send_with_a_good_one(tmp_path / "fifo")
    assert (said, stored) == ([f"Bad DICOM file: {tmp_path / 'fifo'}: not a regular file"], [])


def test_a_fifo_in_a_folder_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    GOOD.write(tmp_path / "good.dcm")
    with Receiver() as receiver:
        process = receiver.storescu(tmp_path, "-ll", "warn")
    assert str(tmp_path / "fifo") in process.stderr
    assert receiver.uids == ["1.2.999"]


@pytest.mark.parametrize("folder", [False, True], ids=["file", "folder"])
def test_what_may_not_be_read(tmp_path: Path, folder: bool) -> None:
    good = GOOD.write(tmp_path / "good.dcm")
    secret = Instance("1.2.3").write(tmp_path / "folder" / "secret.dcm")
    forbidden = secret.parent if folder else secret
    forbidden.chmod(0)
    try:
        with Receiver() as receiver:
            command = running.command("storescu", "127.0.0.1", receiver.port, forbidden, good)
            process = running.run(*running.unprivileged(), *command)
    finally:
        forbidden.chmod(0o700)
    assert process.returncode == 3
    what = "Cannot access path" if folder else "Bad DICOM file"
    assert errors(process) == [f"{what}: {forbidden}: permission denied"]
    assert receiver.uids == ["1.2.999"]


# ---- names


def test_a_name_with_a_line_break_stays_on_one_line(tmp_path: Path) -> None:
    path = tmp_path / "a\nE: forged\x1b[31m.dcm"
    said, stored = send_with_a_good_one(path)
    (line,) = said
    assert line.startswith(f"Cannot access path: {tmp_path}/a\\nE: forged\\x1b[31m.dcm: ")
    assert stored == []

    Instance("1.2.3").write(path)
    with Receiver() as receiver:
        process = receiver.storescu(path, "-v")
    assert process.returncode == 0
    assert f"Sending file: {tmp_path}/a\\nE: forged\\x1b[31m.dcm" in lines(process, "I")
    assert receiver.uids == ["1.2.3"]


@pytest.mark.parametrize("environment", [{}, {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}])
def test_a_name_that_is_no_text(tmp_path: Path, environment: dict[str, str]) -> None:
    name = os.fsencode(tmp_path) + b"/caf\xe9.dcm"
    Path(os.fsdecode(name)).write_bytes(Instance("1.2.3").content)
    with Receiver() as receiver:
        process = receiver.storescu(tmp_path, os.fsdecode(name) + "2", "-v", env=os.environ | environment)
    assert process.returncode == 3
    assert receiver.uids == ["1.2.3"]
    assert f"Sending file: {tmp_path}/caf\\xe9.dcm" in lines(process, "I")
    missing = f"Cannot access path: {tmp_path}/caf\\xe9.dcm2: no such file or directory"
    assert lines(process, "E") == [missing, "See DIMSE-E100 (dimse explain E100)"]


# ---- files that change


LARGE = Instance("1.2.3", rest=running.pixel_data(16 << 20))


def shrink(path: Path) -> None:
    os.truncate(path, 100_000)


def grow(path: Path) -> None:
    with path.open("ab") as file:
        file.write(bytes(1000))


def overwrite(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(8 << 20)
        file.write(b"\xff" * 1000)


def replace(path: Path) -> None:
    other = path.with_name("other")
    other.write_bytes(b"something else")
    other.replace(path)


def send_and_change(tmp_path: Path, change: Callable[[Path], object]) -> tuple[list[Connection], list[str], Path]:
    """Send a large file and a small one; change the large one while the peer has read some of it."""
    large, small = LARGE.write(tmp_path / "large.dcm"), GOOD.write(tmp_path / "small.dcm")
    gate = running.Gate()

    def stops_reading(connection: Connection) -> None:
        connection.accept()
        if connection is peer.connections[0]:
            for _ in range(20):
                connection.read_pdu()
            gate.stop()
        connection.serve()

    peer = scp.FaultyPeer(stops_reading)
    with peer as port, running.start("storescu", "127.0.0.1", port, large, small) as process:
        gate.wait()
        running.until_asleep(process)
        change(large)
        gate.open()
        out, err = process.communicate(timeout=running.SECONDS)
    assert process.returncode == 3
    assert out == ""
    said = err.splitlines()
    assert all(line.startswith("E: ") for line in said), err
    return peer.connections, [line[3:] for line in said], large


def test_a_file_that_shrinks_while_it_is_sent_ends_the_association_and_the_others_go_on_another(tmp_path: Path) -> None:
    (torn, other), said, large = send_and_change(tmp_path, shrink)
    assert torn.messages == []
    assert torn.end in ("FIN", "RST")
    assert len(other.messages) == 1
    (line,) = said
    assert line.startswith(f"Store failed: {large}: cut short while it was being sent")


@pytest.mark.sample("grow", "unlink")
@pytest.mark.parametrize(
    "change", [grow, overwrite, replace, os.unlink], ids=["grow", "overwrite", "replace", "unlink"]
)
def test_a_file_that_changes_while_it_is_sent_is_a_failure(tmp_path: Path, change: Callable[[Path], object]) -> None:
    (connection,), said, large = send_and_change(tmp_path, change)
    # The association stays open, and the other file is sent.
    assert len(connection.messages) == 2
    assert connection.faults == []
    (line,) = said
    assert line.startswith(f"Store failed: {large}: ")
    assert line.endswith(": what the peer has stored may be damaged")


@pytest.mark.sample("shrink")
@pytest.mark.parametrize("change", [shrink, grow, replace, os.unlink], ids=["shrink", "grow", "replace", "unlink"])
def test_a_file_that_changes_before_its_turn_is_not_sent(tmp_path: Path, change: Callable[[Path], object]) -> None:
    paths = [Instance(f"1.2.{number}").write(tmp_path / f"{number}.dcm") for number in range(4)]
    big = Instance("1.2.9", rest=running.pixel_data(200_000)).write(tmp_path / "big.dcm")
    changed: list[str] = []

    def changes_the_third(stored: running.Stored) -> int:
        if not changed:
            changed.append(stored.sop_instance_uid)
            change(paths[2])
            change(big)
        return 0

    with Receiver(changes_the_third) as receiver:
        process = receiver.storescu(*paths, big)
    assert process.returncode == 3
    assert receiver.uids == ["1.2.0", "1.2.1", "1.2.3"]
    said = errors(process)
    assert [line.split(": ")[:2] for line in said] == [["Store failed", str(path)] for path in (paths[2], big)]


# ---- many (one of 4.5 GiB is in tests/test_resources.py)


@pytest.mark.thorough
def test_10000_files_in_one_folder(tmp_path: Path) -> None:
    content = Instance("1.2.00000").content
    for number in range(10_000):
        (tmp_path / f"{number:05}").write_bytes(content.replace(b"1.2.00000", b"1.2.%05d" % (number + 10_000)))
    stored: list[str] = []

    def store(request: dimse.StoreRequest) -> int:
        stored.append(request.sop_instance_uid)
        return 0

    with dimse.Server(("127.0.0.1", 0), dimse.Handlers(store=store)) as server:
        process = running.tool("storescu", *server.address, tmp_path)
    assert (process.returncode, process.stderr) == (0, "")
    assert stored == [f"1.2.{number + 10_000:05}" for number in range(10_000)]
