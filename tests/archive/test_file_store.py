"""A success status means that the instance is kept; nothing that a peer says or a disk does harms what is kept already."""

from __future__ import annotations

import errno
import io
import logging
import os
import resource
import shutil
import signal
import stat
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from itertools import pairwise
from pathlib import Path
from threading import Barrier

import pydicom
import pytest
from hypothesis import given
from hypothesis import strategies as st

import dimse
from dimse import uids
from dimse.archive import FileStore
from dimse.archive.file_store import Durability, OnDuplicate
from dimse.archive.names import safe_component
from dimse.message.status import Status
from dimse.services.storage import StoreRequest
from dimse.sinks import SpooledSink
from dimse.upper_layer.negotiation import Peer, PresentationContext
from tests import files

ROOT = Path(__file__).parents[2]
ENVIRONMENT = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path]), "PYTHONDONTWRITEBYTECODE": "1"}

CT = uids.CTImageStorage
KEPT, OUT_OF_RESOURCES, DOES_NOT_MATCH, DUPLICATE = 0x0000, 0xA700, 0xA900, 0x0111


def element(group: int, number: int, vr: bytes, value: bytes) -> bytes:
    """A data element in Explicit VR Little Endian, of a VR with 16 bits of length."""
    value += (b"\0" if vr == b"UI" else b" ") * (len(value) % 2)
    return struct.pack("<HH2sH", group, number, vr, len(value)) + value


def data_set(uid: str = "1.2.3", sop_class: str = CT, content: bytes = b"Doe^John") -> bytes:
    return (
        element(0x0008, 0x0016, b"UI", sop_class.encode("latin-1"))
        + element(0x0008, 0x0018, b"UI", uid.encode("latin-1"))
        + element(0x0010, 0x0010, b"PN", content)
    )


def store_request(
    uid: str = "1.2.3", sop_class: str = CT, syntax: str = uids.ExplicitVRLittleEndian, ae_title: str = "MODALITY"
) -> StoreRequest:
    context = PresentationContext(1, sop_class, 0, syntax, (syntax,))
    return StoreRequest(context, sop_class, uid, Peer(ae_title), message_id=1)


def take(store: FileStore, request: StoreRequest, *pieces: bytes) -> Status:
    """What an association does with a C-STORE-RQ whose data set comes in these pieces."""
    request.sink = store.begin(request)
    try:
        for piece in pieces:
            request.sink.write([memoryview(piece)])
        return store.store(request)
    finally:
        request.sink.discard()


def keep(store: FileStore, uid: str = "1.2.3", content: bytes = b"Doe^John") -> Status:
    """Store a CT instance."""
    return take(store, store_request(uid), data_set(uid, content=content))


def tree(folder: Path) -> dict[str, bytes | None]:
    """What is in a folder and below it: the bytes of each file by its path; None for what is none."""
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() and not path.is_symlink() else None
        for path in folder.rglob("*")
    }


def names(folder: Path) -> list[str]:
    """The files in a store's folder; there is never a temporary one left."""
    incoming = folder / ".incoming"
    assert not incoming.exists() or list(incoming.iterdir()) == []
    return sorted(path.name for path in folder.iterdir() if path != incoming)


def stored_data_set(path: Path) -> bytes:
    return files.read_part10(path.read_bytes(), path).data_set


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "store"


@pytest.fixture
def store(folder: Path) -> Iterator[FileStore]:
    with FileStore(folder) as store:
        yield store


# --- what is kept ---


def test_an_instance_becomes_a_part_10_file(store: FileStore, folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "dimse.archive")
    assert keep(store) == KEPT
    assert names(folder) == ["CT.1.2.3"]
    content = (folder / "CT.1.2.3").read_bytes()
    assert content[:132] == bytes(128) + b"DICM"
    read = pydicom.dcmread(io.BytesIO(content))
    assert read.PatientName == "Doe^John"
    assert read.file_meta.MediaStorageSOPClassUID == CT
    assert read.file_meta.MediaStorageSOPInstanceUID == "1.2.3"
    assert read.file_meta.TransferSyntaxUID == uids.ExplicitVRLittleEndian
    assert read.file_meta.SourceApplicationEntityTitle == "MODALITY"
    assert caplog.messages == ["Storing DICOM file: CT.1.2.3"]


def test_every_data_set_is_kept_byte_for_byte(
    store: FileStore, folder: Path, pydicom_files: files.PydicomFiles
) -> None:
    for file in pydicom_files.sendable:
        request = store_request(file.sop_instance_uid, file.sop_class_uid, file.transfer_syntax)
        cuts = [0, 1, 2, len(file.data_set) // 2, len(file.data_set)]
        pieces = [file.data_set[start:end] for start, end in pairwise(cuts)]
        assert take(store, request, *pieces) == KEPT, file.path
        assert request.path is not None
        assert stored_data_set(Path(request.path)) == file.data_set
    assert len(names(folder)) == len(pydicom_files.sendable)


def test_a_server_keeps_what_it_is_sent(
    store: FileStore, folder: Path, pydicom_files: files.PydicomFiles, caplog: pytest.LogCaptureFixture
) -> None:
    file = next(file for file in pydicom_files.sendable if file.path.name == "CT_small.dcm")
    with dimse.Server(("127.0.0.1", 0), store.handlers()) as server:
        contexts = dimse.contexts_for([file.path])
        with dimse.associate(*server.address, contexts=contexts, calling_ae_title="MODALITY") as association:
            assert [association.store(file.path) for _ in range(2)] == [KEPT, KEPT]
            assert names(folder) == [f"CT.{file.sop_instance_uid}"]  # as soon as success is said
    stored = files.read_part10((folder / f"CT.{file.sop_instance_uid}").read_bytes(), file.path)
    assert stored.data_set == file.data_set
    assert stored.transfer_syntax == file.transfer_syntax
    assert caplog.messages == [f"DICOM file already exists with the same data set: CT.{file.sop_instance_uid}"]


def test_any_number_of_fragments_is_written_at_once(store: FileStore, folder: Path) -> None:
    request = store_request()
    sent = data_set(content=b"x" * 20_000)
    request.sink = store.begin(request)
    request.sink.write([memoryview(sent)[index : index + 1] for index in range(len(sent))] + [memoryview(b"")])
    assert request.size == len(sent)
    assert request.view() == sent
    assert store.store(request) == KEPT
    assert request.path == str(folder / "CT.1.2.3")
    assert request.view() == sent  # it may still go on from here, to a router's next hop
    request.sink.discard()
    assert stored_data_set(folder / "CT.1.2.3") == sent


def test_files_and_folders_are_the_owners_alone(store: FileStore, folder: Path) -> None:
    keep(store)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((folder / "CT.1.2.3").stat().st_mode) == 0o600


def test_the_permissions_of_files_can_be_chosen_whatever_the_umask_is(folder: Path) -> None:
    before = os.umask(0o077)
    try:
        with FileStore(folder, mode=0o640) as store:
            keep(store)
    finally:
        os.umask(before)
    assert stat.S_IMODE((folder / "CT.1.2.3").stat().st_mode) == 0o640


def test_folders_are_made_as_deep_as_need_be(tmp_path: Path) -> None:
    with FileStore(tmp_path / "a" / "b" / "c") as store:
        assert keep(store) == KEPT
    assert tree(tmp_path).keys() == {"a", "a/b", "a/b/c", "a/b/c/CT.1.2.3"}


# --- duplicates ---


@pytest.mark.parametrize("policy", ["keep-both", "reject", "replace"])
@pytest.mark.parametrize("ae_title", ["MODALITY", "ROUTER"])
def test_the_same_data_set_again_is_a_success_and_stored_once(
    folder: Path, policy: OnDuplicate, ae_title: str, caplog: pytest.LogCaptureFixture
) -> None:
    with FileStore(folder, on_duplicate=policy) as store:
        assert keep(store) == KEPT
        before = tree(folder)
        assert take(store, store_request(ae_title=ae_title), data_set()) == KEPT
        assert tree(folder) == before
    assert caplog.messages == ["DICOM file already exists with the same data set: CT.1.2.3"]


@pytest.mark.parametrize(
    ("policy", "statuses", "kept"),
    [
        ("keep-both", [KEPT, KEPT, KEPT], {"CT.1.2.3": b"1", "CT.1.2.3~2": b"4444", "CT.1.2.3~3": b"3"}),
        ("reject", [KEPT, DUPLICATE, DUPLICATE], {"CT.1.2.3": b"1"}),
        ("replace", [KEPT, KEPT, KEPT], {"CT.1.2.3": b"3"}),
    ],
)
def test_other_bytes_under_the_same_uid(
    folder: Path,
    policy: OnDuplicate,
    statuses: list[int],
    kept: dict[str, bytes],
    caplog: pytest.LogCaptureFixture,
) -> None:
    with FileStore(folder, on_duplicate=policy) as store:
        assert [keep(store, content=content) for content in (b"1", b"4444", b"3")] == statuses
        assert names(folder) == sorted(kept)
        for name, content in kept.items():
            assert stored_data_set(folder / name) == data_set(content=content)
    assert all(message.startswith("DICOM file already exists with another data set: ") for message in caplog.messages)


def test_each_of_several_kept_data_sets_is_found_again(store: FileStore, folder: Path) -> None:
    for _ in range(2):
        for content in (b"1", b"2", b"3"):
            assert keep(store, content=content) == KEPT
    assert names(folder) == ["CT.1.2.3", "CT.1.2.3~2", "CT.1.2.3~3"]


def test_the_same_bytes_in_another_transfer_syntax_are_another_file(store: FileStore, folder: Path) -> None:
    assert keep(store) == KEPT
    assert take(store, store_request(syntax=uids.JPEG2000Lossless), data_set()) == KEPT
    assert names(folder) == ["CT.1.2.3", "CT.1.2.3~2"]


def test_a_hundred_stores_of_one_instance_at_a_time_make_one_file(store: FileStore, folder: Path) -> None:
    start = Barrier(100)

    def send(_: int) -> int:
        start.wait()
        return keep(store)

    with ThreadPoolExecutor(100) as pool:
        assert list(pool.map(send, range(100))) == [KEPT] * 100
    assert names(folder) == ["CT.1.2.3"]


def test_parallel_stores_of_other_bytes_are_all_kept(store: FileStore, folder: Path) -> None:
    contents = [f"{number}".encode() for number in range(30)]
    with ThreadPoolExecutor(30) as pool:
        assert list(pool.map(lambda content: keep(store, content=content), contents)) == [KEPT] * 30
    assert len(names(folder)) == 30
    assert {stored_data_set(folder / name) for name in names(folder)} == {
        data_set(content=content) for content in contents
    }


def test_what_is_no_instance_is_never_taken_for_one(store: FileStore, folder: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(b"secret")
    (folder / "CT.1.2.1").symlink_to(secret)
    (folder / "CT.1.2.2").mkdir()
    os.mkfifo(folder / "CT.1.2.3")
    (folder / "CT.1.2.4").write_bytes(b"not DICOM")
    (folder / "CT.1.2.5").write_bytes(b"")
    (folder / "CT.1.2.6").symlink_to(tmp_path / "nowhere")
    for number in range(1, 7):
        assert keep(store, f"1.2.{number}") == KEPT
        assert stored_data_set(folder / f"CT.1.2.{number}~2") == data_set(f"1.2.{number}")
    assert secret.read_bytes() == b"secret"
    assert not (tmp_path / "nowhere").exists()


def test_replacing_a_symbolic_link_leaves_its_target_alone(folder: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(b"secret")
    with FileStore(folder, on_duplicate="replace") as store:
        (folder / "CT.1.2.3").symlink_to(secret)
        assert keep(store) == KEPT
    assert not (folder / "CT.1.2.3").is_symlink()
    assert secret.read_bytes() == b"secret"


# --- what a peer says ---


@pytest.mark.parametrize(
    ("request_", "sent", "comment"),
    [
        (store_request("1.2.3"), data_set("1.2.4"), "the data set has the SOP Instance UID 1.2.4"),
        (store_request(), data_set(sop_class="1.2.840.1"), "the data set has the SOP Class UID 1.2.840.1"),
        (store_request(), element(0x0008, 0x0016, b"UI", CT.encode()), "the data set has no SOP Instance UID"),
        (store_request(), element(0x0008, 0x0018, b"UI", b"1.2.3"), "the data set has no SOP Class UID"),
        (store_request(), b"", "the data set has no SOP Class UID"),
        (store_request(), b"GET / HTTP/1.1\r\n\r\n", "the data set has no SOP Class UID"),
        (store_request(syntax=uids.DeflatedExplicitVRLittleEndian), b"x" * 99, "the data set has no SOP Class UID"),
    ],
)
def test_a_data_set_that_is_not_the_commands_is_refused(
    store: FileStore, folder: Path, request_: StoreRequest, sent: bytes, comment: str
) -> None:
    status = take(store, request_, sent)
    assert status == DOES_NOT_MATCH
    assert status.comment == comment
    assert names(folder) == []


ATTACKS = [
    "../../../x",
    "/abs/x",
    "..",
    ".",
    "1.2\0.3",
    "1.2/3",
    "..\\..\\x",
    "9" * 65,
    "9" * 1000,
    "9" * 4000,
    "1.2.3\n",
    "1.2.\xb3",
    "CON",
    "%2e%2e",
    "%s%n",
    ".incoming",
    "x~2",
    "$(id)",
    '";touch scratch;"',
    "1.2.3\r\nE: forged",
    "\xff" * 16,
]


def attack(tmp_path: Path, uid: str) -> Status:
    """Store an instance with this UID; fail if anything outside the store's folder has changed."""
    folder = tmp_path / "above" / "store"
    (tmp_path / "x").write_bytes(b"x")
    (tmp_path / "above").mkdir(exist_ok=True)
    outside = {path: content for path, content in tree(tmp_path).items() if not path.startswith("above/store")}
    with FileStore(folder, durability="none") as store:
        status = take(store, store_request(uid), data_set(uid))
    after = {path: content for path, content in tree(tmp_path).items() if not path.startswith("above/store")}
    assert after == outside
    assert not Path("/abs/x").exists()
    expected = [f"CT.{safe_component(uid)}"] if status == KEPT else []
    assert names(folder) == expected
    shutil.rmtree(tmp_path / "above")
    return status


@pytest.mark.parametrize("uid", ATTACKS, ids=ascii)
def test_no_uid_leads_out_of_the_folder(tmp_path: Path, uid: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    # A UID of more than 1,024 bytes is not read from a data set.
    assert attack(tmp_path, uid) == (KEPT if len(uid) <= 1024 else DOES_NOT_MATCH)
    assert all(message.isprintable() for message in caplog.messages)


@given(
    uid=st.text(st.characters(max_codepoint=255), min_size=1, max_size=70).filter(lambda uid: uid.strip("\0 ") == uid)
)
def test_nor_does_any_other_text(tmp_path_factory: pytest.TempPathFactory, uid: str) -> None:
    assert attack(tmp_path_factory.mktemp("attack"), uid) == KEPT


def test_an_incoming_folder_that_leads_elsewhere_is_refused(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    folder.mkdir()
    (folder / ".incoming").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match=r"\.incoming"):
        FileStore(folder)
    assert list((tmp_path / "elsewhere").iterdir()) == []


# --- what the disk does ---


@contextmanager
def without_permission(*paths: Path) -> Iterator[None]:
    """Nobody may write to these folders: neither we nor, where that is who we are, root."""
    root = os.geteuid() == 0
    modes = [(path, path.stat().st_mode) for path in paths]
    for path in paths:
        path.chmod(0o500)
    if root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)
        for path, mode in modes:
            path.chmod(mode)


def test_a_folder_that_may_not_be_written_to_is_out_of_resources_until_it_may(store: FileStore, folder: Path) -> None:
    assert keep(store, "1.2.1") == KEPT
    before = tree(folder)
    with without_permission(folder / ".incoming"):
        status = keep(store)
        assert status == OUT_OF_RESOURCES
        assert status.comment == "Permission denied"
    assert tree(folder) == before
    assert keep(store) == KEPT


def test_a_name_that_cannot_be_given_leaves_nothing(store: FileStore, folder: Path) -> None:
    if os.geteuid() == 0:
        os.chown(folder / ".incoming", 65534, 65534)
    with without_permission(folder):
        assert keep(store) == OUT_OF_RESOURCES
    assert names(folder) == []
    assert keep(store) == KEPT


def test_a_store_whose_folder_is_taken_away_says_so(store: FileStore, folder: Path) -> None:
    shutil.rmtree(folder)
    assert keep(store) == OUT_OF_RESOURCES
    assert not folder.exists()


def test_no_more_descriptors(store: FileStore, folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    lowest = os.open("/", os.O_RDONLY)
    os.close(lowest)
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest, hard))
    try:
        status = keep(store)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert status == OUT_OF_RESOURCES
    assert caplog.messages == ["cannot store CT.1.2.3: Too many open files"]
    assert keep(store) == KEPT


def in_a_process(code: str, *arguments: object, before: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    """Run Python code that has this module's helpers; `before` are the words in front of the command."""
    header = "import sys; from tests.archive.test_file_store import *; "
    return subprocess.run(
        [*before, sys.executable, "-c", header + code, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
        cwd=ROOT,
        env=ENVIRONMENT,
    )


# One instance that fits, one that does not, the first again with too many bytes, and another one that fits.
FILL_THE_DISK = """
store = FileStore(sys.argv[1])
folder = Path(sys.argv[1])
print(int(keep(store, "1.2.1")))
before = (folder / "CT.1.2.1").read_bytes()
huge = [bytes(60_000)] * 60
for uid in ("1.2.2", "1.2.1"):
    status = take(store, store_request(uid), data_set(uid), *huge)
    print(int(status), status.comment)
print(names(folder), (folder / "CT.1.2.1").read_bytes() == before)
print(int(keep(store, "1.2.3")))
"""


def disk_filled(why: str) -> list[str]:
    return ["0", f"42752 {why}", f"42752 {why}", "['CT.1.2.1'] True", "0"]


def test_a_file_that_becomes_too_large_leaves_nothing(folder: Path) -> None:
    limit = "resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))\n"
    done = in_a_process(limit + FILL_THE_DISK, folder)
    assert done.stdout.splitlines() == disk_filled("File too large"), done.stderr


def test_a_full_disk_leaves_nothing_and_works_again_when_there_is_space(tmp_path: Path) -> None:
    mounted = ("unshare", "--mount", "sh", "-c", f"mount -t tmpfs -o size=1m none '{tmp_path}' && exec \"$@\"", "sh")
    if not shutil.which("unshare") or subprocess.run([*mounted, "true"], capture_output=True, check=False).returncode:
        pytest.skip("only root may mount a small file system")
    done = in_a_process(FILL_THE_DISK, tmp_path / "store", before=mounted)
    assert done.stdout.splitlines() == disk_filled("No space left on device"), done.stderr


def strace(trace: Path, *options: str) -> tuple[str, ...]:
    """The words that put a process under strace."""
    words = ("strace", "-f", "-qq", "-o", str(trace), *options)
    if not shutil.which("strace") or subprocess.run([*words, "true"], capture_output=True, check=False).returncode:
        pytest.skip("there is no strace here that may trace")
    return words


@pytest.mark.parametrize(
    ("durability", "calls"),
    [
        ("full", ["openat", "fsync", "linkat", "fsync", "unlinkat", "write"]),
        ("none", ["openat", "linkat", "unlinkat", "write"]),
    ],
)
def test_success_is_said_after_the_disk_has_the_file_and_its_name(
    folder: Path, tmp_path: Path, durability: Durability, calls: list[str]
) -> None:
    trace = tmp_path / "trace"
    code = "store = FileStore(sys.argv[1], durability=sys.argv[2]); os.write(1, b'%d' % keep(store))"
    watch = strace(trace, "-e", "trace=openat,fsync,linkat,unlinkat,renameat,write")
    done = in_a_process(code, folder, durability, before=watch)
    assert done.stdout == "0", done.stderr
    lines = [line.split(maxsplit=1)[1] for line in trace.read_text().splitlines()]
    start = next(index for index, line in enumerate(lines) if ".part" in line)
    assert "O_CREAT|O_EXCL|O_NOFOLLOW|O_CLOEXEC, 0600" in lines[start]
    seen = [line.partition("(")[0] for line in lines[start:] if '"."' not in line]
    assert seen[: len(calls)] == calls


# The folder is there, so the first fsync is the file's and the second one the folder's.
FAILED_SYNC = """
store = FileStore(sys.argv[1])
print([int(keep(store)) for _ in range(2)], names(Path(sys.argv[1])))
"""


@pytest.mark.parametrize("failing", [1, 2])
def test_a_sync_that_fails_is_not_tried_again_and_nothing_is_published(
    folder: Path, tmp_path: Path, failing: int
) -> None:
    folder.mkdir()
    trace = tmp_path / "trace"
    watch = strace(trace, "-e", "trace=fsync", "-e", f"inject=fsync:error=EIO:when={failing}")
    done = in_a_process(FAILED_SYNC, folder, before=watch)
    assert done.stdout == f"[{OUT_OF_RESOURCES}, {KEPT}] ['CT.1.2.3']\n", done.stderr
    assert "cannot store CT.1.2.3: Input/output error" in done.stderr
    assert trace.read_text().count("fsync") == failing + 2


def test_a_sync_that_fails_for_a_repeated_instance_does_not_harm_the_first(folder: Path, tmp_path: Path) -> None:
    folder.mkdir()
    watch = strace(tmp_path / "trace", "-e", "trace=fsync", "-e", "inject=fsync:error=EIO:when=5")
    done = in_a_process(FAILED_SYNC, folder, before=watch)
    assert done.stdout == f"[{KEPT}, {OUT_OF_RESOURCES}] ['CT.1.2.3']\n", done.stderr


STORE_WITHOUT_END = """
store = FileStore(sys.argv[1])
for number in range(10_000):
    if keep(store, f"1.2.{number}", b"x" * 5000) == 0:
        os.write(1, b"%d\\n" % number)
"""


@pytest.mark.parametrize("acknowledged", [1, 7, 40])
def test_what_was_acknowledged_survives_a_kill(folder: Path, acknowledged: int) -> None:
    header = "import sys; from tests.archive.test_file_store import *\n"
    with subprocess.Popen(
        [sys.executable, "-c", header + STORE_WITHOUT_END, str(folder)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env=ENVIRONMENT,
    ) as process:
        assert process.stdout is not None
        said = [process.stdout.readline() for _ in range(acknowledged)]
        process.send_signal(signal.SIGKILL)
        said += [line for line in process.stdout if line.endswith("\n")]
    for number in map(int, said):
        assert stored_data_set(folder / f"CT.1.2.{number}") == data_set(f"1.2.{number}", content=b"x" * 5000)
    with FileStore(folder) as store:
        number = len(said)  # what was under way may be there, whole, or not at all
        assert len(names(folder)) in (number, number + 1)
        assert keep(store, f"1.2.{number}", b"x" * 5000) == KEPT
        assert len(names(folder)) == number + 1


# --- one store a folder, from its start to its end ---


def test_a_folder_is_one_stores_alone(store: FileStore, folder: Path) -> None:
    with pytest.raises(BlockingIOError, match="another store uses this folder") as raised:
        FileStore(folder)
    assert raised.value.filename == str(folder)
    assert keep(store) == KEPT  # undisturbed
    store.close()
    FileStore(folder).close()


def test_what_a_killed_process_left_is_cleared_and_nothing_else(folder: Path) -> None:
    (folder / ".incoming").mkdir(parents=True)
    (folder / ".incoming" / "0123456789abcdef.part").write_bytes(b"cut short")
    (folder / ".incoming" / "mine").write_bytes(b"not ours")
    (folder / "CT.1.2.3.part").write_bytes(b"not ours either")
    with FileStore(folder) as store:
        assert os.listdir(folder / ".incoming") == ["mine"]
        assert keep(store) == KEPT
    assert tree(folder).keys() == {".incoming", ".incoming/mine", "CT.1.2.3", "CT.1.2.3.part"}


def test_closing_removes_the_incoming_folder_and_may_be_repeated(folder: Path) -> None:
    store = FileStore(folder)
    keep(store)
    store.close()
    store.close()
    assert tree(folder).keys() == {"CT.1.2.3"}


def test_a_closed_store_keeps_nothing(folder: Path) -> None:
    store = FileStore(folder)
    store.close()
    assert keep(store) == OUT_OF_RESOURCES
    assert tree(folder) == {}


def test_an_association_that_ends_within_a_data_set_leaves_nothing(store: FileStore, folder: Path) -> None:
    sink = store.begin(store_request())
    sink.write([memoryview(data_set())])
    written = sink.path
    assert written and Path(written).parent == folder / ".incoming"
    sink.discard()
    sink.discard()
    assert sink.path is None
    assert names(folder) == []


@pytest.mark.parametrize(
    ("prepare", "number"),
    [(lambda path: path.write_bytes(b""), errno.ENOTDIR), (lambda path: path.symlink_to("nowhere"), errno.ENOENT)],
    ids=["a file", "a dangling link"],
)
def test_what_is_no_folder_is_refused(folder: Path, prepare: Callable[[Path], object], number: int) -> None:
    prepare(folder)
    with pytest.raises(OSError) as raised:
        FileStore(folder)
    assert raised.value.errno == number


@pytest.mark.parametrize("choice", [{"durability": "some"}, {"on_duplicate": "overwrite"}])
def test_a_choice_that_is_none_is_refused(folder: Path, choice: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=next(iter(choice.values()))):
        FileStore(folder, **choice)  # type: ignore[arg-type]  # that is what is tested
    assert not folder.exists()


def test_a_request_that_another_sink_took_is_a_mistake(store: FileStore) -> None:
    request = store_request()
    request.sink = SpooledSink()
    with pytest.raises(TypeError, match=r"FileStore\.begin"):
        store.store(request)


def test_the_view_of_what_could_not_be_written_raises(folder: Path) -> None:
    store = FileStore(folder)
    store.close()
    request = store_request()
    request.sink = store.begin(request)
    request.sink.write([memoryview(b"dropped")])
    with pytest.raises(OSError):
        request.view()


def test_an_empty_data_set_has_an_empty_view(store: FileStore) -> None:
    request = store_request()
    request.sink = store.begin(request)
    assert bytes(request.view()) == b""
    request.sink.discard()


def test_no_descriptor_is_left_open(folder: Path) -> None:
    before = len(os.listdir("/dev/fd"))
    for content in (b"1", b"1", b"2"):
        with FileStore(folder, on_duplicate="reject") as store, suppress(BlockingIOError):
            keep(store, content=content)
            FileStore(folder)
    assert len(os.listdir("/dev/fd")) == before
