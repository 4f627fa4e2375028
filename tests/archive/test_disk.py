"""A disk that fills up, fails, forbids, or is pulled out: acknowledged instances stay, and failed ones leave nothing behind."""

from __future__ import annotations

import itertools
import json
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from dimse.archive import FileStore
from dimse.archive.file_store import Durability
from tests.archive import faulty_disk
from tests.archive.storing import (
    ENVIRONMENT,
    KEPT,
    OUT_OF_RESOURCES,
    PATIENT_ID,
    ROOT,
    data_set,
    in_a_process,
    keep,
    names,
    start_a_process,
    stored_data_set,
    tree,
)


@contextmanager
def without_permission(*paths: Path) -> Iterator[None]:
    """Take away the right to write to these folders; root becomes another user meanwhile."""
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
    assert caplog.messages == [f"cannot store 1.2.3 in {folder}: Too many open files"]
    assert keep(store) == KEPT


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
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))\n"
    done = in_a_process(limit + FILL_THE_DISK, folder)
    assert done.stdout.splitlines() == disk_filled("File too large"), done.stderr


def on_a_small_disk(folder: Path, size: str = "1m") -> tuple[str, ...]:
    """Return the words that run a command with a private file system of 1 MiB, or of another size, at `folder`."""
    words = ("unshare", "--mount", "sh", "-c", f"mount -t tmpfs -o size={size} none '{folder}' && exec \"$@\"", "sh")
    if not shutil.which("unshare") or subprocess.run([*words, "true"], capture_output=True, check=False).returncode:
        pytest.skip("only root may mount a small file system")
    return words


def test_a_full_disk_leaves_nothing_and_works_again_when_there_is_space(tmp_path: Path) -> None:
    done = in_a_process(FILL_THE_DISK, tmp_path / "store", before=on_a_small_disk(tmp_path))
    assert done.stdout.splitlines() == disk_filled("No space left on device"), done.stderr


SPACE_COMES_AND_GOES = """
disk = Path(sys.argv[1])
store = FileStore(disk / "store")
for number in range(10):
    print(int(keep(store, f"1.2.{number}", b"x" * 20_000)), end=" ")
    with open(disk / "ballast", "wb", buffering=0) as ballast:
        try:
            while True:
                ballast.write(bytes(4096))
        except OSError:
            pass
    status = keep(store, "1.2.99", b"x" * 20_000)
    print(int(status), status.comment)
    (disk / "ballast").unlink()
print(len(names(disk / "store")))
"""


def test_space_that_returns_is_used_and_no_failure_uses_it_up(tmp_path: Path) -> None:
    done = in_a_process(SPACE_COMES_AND_GOES, tmp_path, before=on_a_small_disk(tmp_path))
    reserve = "42752 no space left on the disk except its reserve"
    assert done.stdout.splitlines() == [f"0 {reserve}"] * 10 + ["10"], done.stderr


READ_ONLY = """
import subprocess
store = FileStore(sys.argv[1] + "/store")
print(int(keep(store, "1.2.1")))
subprocess.run(["mount", "-o", "remount,ro", sys.argv[1]], check=True)
status = keep(store, "1.2.2")
print(int(status), status.comment)
subprocess.run(["mount", "-o", "remount,rw", sys.argv[1]], check=True)
print(int(keep(store, "1.2.3")), names(Path(sys.argv[1] + "/store")))
"""


def test_a_disk_that_becomes_read_only_keeps_nothing_until_it_is_not(tmp_path: Path) -> None:
    done = in_a_process(READ_ONLY, tmp_path, before=on_a_small_disk(tmp_path))
    expected = ["0", f"{OUT_OF_RESOURCES} Read-only file system", "0 ['CT.1.2.1', 'CT.1.2.3']"]
    assert done.stdout.splitlines() == expected, done.stderr


def test_an_incoming_folder_on_another_disk_is_refused(tmp_path: Path) -> None:
    incoming = tmp_path / ".incoming"
    incoming.mkdir()
    code = "try: FileStore(sys.argv[1])\nexcept OSError as error: print(error)"
    done = in_a_process(code, tmp_path, before=on_a_small_disk(incoming))
    assert done.stdout == f"[Errno 18] not on the same file system: '{incoming}'\n", done.stderr


def strace(trace: Path, *options: str) -> tuple[str, ...]:
    """Return the words that put a process under strace."""
    words = ("strace", "-f", "--seccomp-bpf", "-qq", "-o", str(trace), *options)
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
    code = "store = FileStore(sys.argv[1], durability=sys.argv[2]); [os.write(1, b'%d' % keep(store, n)) for n in '12']"
    watch = strace(trace, "-e", "trace=openat,fsync,linkat,unlinkat,renameat,write")
    done = in_a_process(code, folder, durability, before=watch)
    assert done.stdout == "00", done.stderr
    lines = [line.split(maxsplit=1)[1] for line in trace.read_text().splitlines()]
    start = max(index for index, line in enumerate(lines) if "O_CREAT" in line)
    assert "O_CREAT|O_EXCL|O_NOFOLLOW|O_CLOEXEC, 0600" in lines[start]
    seen = [line.partition("(")[0] for line in lines[start:] if '"."' not in line]
    assert seen[: len(calls)] == calls


@pytest.mark.parametrize(("durability", "begun"), [("full", [(0, 4), (4, 8)]), ("none", [])])
def test_the_disk_begins_with_a_large_instance_while_it_arrives(
    folder: Path, tmp_path: Path, durability: Durability, begun: list[tuple[int, int]]
) -> None:
    trace = tmp_path / "trace"
    code = """
with FileStore(sys.argv[1], durability=sys.argv[2]) as store:
    print(int(take(store, store_request(), *[data_set(), bytes(4 << 20), bytes(4 << 20), bytes(3 << 20)])))
"""
    watch = strace(trace, "-e", "trace=fadvise64,writev,fsync")
    done = in_a_process(code, folder, durability, before=watch)
    assert done.stdout == "0\n", done.stderr
    calls = [line.split(maxsplit=1)[1] for line in trace.read_text().splitlines()]
    arriving = calls[: max(number for number, call in enumerate(calls) if call.startswith("writev"))]
    told = [call.partition("(")[2].split(", ")[1:3] for call in arriving if call.startswith("fadvise64")]
    ranges = [(int(offset), int(offset) + int(size)) for offset, size in told]
    assert [(start >> 20, end >> 20) for start, end in ranges] == begun
    assert all(end == start for (_, end), (start, _) in itertools.pairwise(ranges))  # without a gap


def test_a_disk_that_cannot_be_told_to_begin_is_only_slower(folder: Path, tmp_path: Path) -> None:
    code = "print(int(take(FileStore(sys.argv[1]), store_request(), *[data_set(), bytes(5 << 20)])))"
    trace = tmp_path / "trace"
    watch = strace(trace, "-e", "trace=fadvise64", "-e", "inject=fadvise64:error=EINVAL")
    assert in_a_process(code, folder, before=watch).stdout == "0\n"
    assert trace.read_text().count("(INJECTED)") == 1


def test_every_folder_with_a_new_name_in_it_is_synced_once(folder: Path, tmp_path: Path) -> None:
    folder.mkdir()
    trace = tmp_path / "trace"
    code = """
with FileStore(sys.argv[1], layout="{PatientID}/{Modality}/{SOPInstanceUID}") as store:
    for uid, patient in (("1", "A"), ("2", "A"), ("3", "B"), ("3", "B")):
        os.write(1, b"%d" % keep(store, uid, others={PATIENT_ID: patient}))
"""
    watch = strace(trace, "-y", "-e", "trace=fsync,linkat,mkdirat,write")
    assert in_a_process(code, folder, before=watch).stdout == "0000"
    lines = [line.split(maxsplit=1)[1] for line in trace.read_text().splitlines()]
    calls = [line.partition(" = ")[0] for line in lines if not line.startswith("write(2<")]
    inode = str(folder)
    seen = []
    for call in calls[1:]:  # the first makes the incoming folder
        name, _, rest = call.partition("(")
        if name == "fsync":
            path = rest.partition("<")[2].removesuffix(">)").removeprefix(inode)
            seen.append("fsync file" if path.endswith(".part") else f"fsync {path or '/'}")
        else:
            seen.append(name)
    first = ["fsync file", "mkdirat", "mkdirat", "linkat"]
    assert seen[:8] == [*first, "fsync /A/unknown", "fsync /A", "fsync /", "write"]
    assert seen[8:12] == ["fsync file", "linkat", "fsync /A/unknown", "write"]
    assert seen[12:20] == [*first, "fsync /B/unknown", "fsync /B", "fsync /", "write"]
    assert seen[20:] == ["fsync file", "linkat", "fsync /B/unknown/3", "fsync /B/unknown", "write"]


def test_a_folder_that_was_removed_and_is_made_again_has_its_name_synced_again(folder: Path, tmp_path: Path) -> None:
    folder.mkdir()
    trace = tmp_path / "trace"
    code = """
import shutil
with FileStore(sys.argv[1], layout="{PatientID}/{SOPInstanceUID}") as store:
    for _ in range(3):
        os.write(1, b"%d" % keep(store, others={PATIENT_ID: "A"}))
        shutil.rmtree(sys.argv[1] + "/A")  # the new folder may get the old one's inode
"""
    assert in_a_process(code, folder, before=strace(trace, "-y", "-e", "trace=fsync")).stdout == "000"
    assert [line.count(f"<{folder}>") for line in trace.read_text().splitlines()] == [0, 0, 1] * 3


def test_of_what_a_store_has_open_a_fork_shares_nothing_that_failures_are_reported_by(
    folder: Path, tmp_path: Path
) -> None:
    folder.mkdir()
    trace = tmp_path / "trace"
    code = """
store = FileStore(sys.argv[1])
kept = [keep(store, "1.2.1")]
child = os.fork()
kept += [keep(store, f"1.2.{number}") for number in ((2, 3) if child else (4, 5))]
if not child:
    os._exit(0 if kept == [KEPT] * 3 else 1)
print(kept == [KEPT] * 3, os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), names(Path(sys.argv[1])))
"""
    done = in_a_process(code, folder, before=strace(trace, "-y", "-e", "trace=openat,fsync"))
    assert done.stdout == f"True 0 {[f'CT.1.2.{number}' for number in range(1, 6)]}\n", done.stderr
    calls = [line.split(maxsplit=1) for line in trace.read_text().splitlines() if f"<{folder}>" in line]
    parent = calls[0][0]
    seen = {True: "", False: ""}
    for process, call in calls:
        seen[process == parent] += "o" if '"."' in call else "s" if call.startswith("fsync") else ""
    assert seen == {True: "osss", False: "oss"}


def test_a_disk_with_plenty_of_space_is_not_asked_for_each_instance(folder: Path, tmp_path: Path) -> None:
    disk = os.statvfs(tmp_path)
    if disk.f_bavail * disk.f_frsize < 2 * 1024**3:
        pytest.skip("there is not plenty of space here")
    trace = tmp_path / "trace"
    code = """
store = FileStore(sys.argv[1], reserve=0, durability="none")
print({int(keep(store, f"1.2.{number}")) for number in range(200)})
"""
    done = in_a_process(code, folder, before=strace(trace, "-e", "trace=fstatfs,linkat"))
    assert done.stdout == "{0}\n", done.stderr
    calls = trace.read_text()
    assert calls.count("linkat(") == 200
    assert 1 <= calls.count("fstatfs(") <= 100


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
    assert f"cannot store 1.2.3 in {folder}: Input/output error" in done.stderr
    assert trace.read_text().count("fsync") == failing + 2


def test_a_sync_that_fails_for_a_repeated_instance_does_not_harm_the_first(folder: Path, tmp_path: Path) -> None:
    folder.mkdir()
    watch = strace(tmp_path / "trace", "-e", "trace=fsync", "-e", "inject=fsync:error=EIO:when=5")
    done = in_a_process(FAILED_SYNC, folder, before=watch)
    assert done.stdout == f"[{KEPT}, {OUT_OF_RESOURCES}] ['CT.1.2.3']\n", done.stderr


@pytest.mark.sample("keep-both-*-faults0-*", "reject-*-faults1-*")
@pytest.mark.parametrize(
    ("faults", "way"),
    [
        (["linkat:error=EPERM"], "_rename_no_replace"),
        (["linkat:error=EOPNOTSUPP", "renameat2:error=EINVAL"], "_keep_place_and_rename"),
        (["linkat:error=EPERM", "renameat2:error=ENOSYS"], "_keep_place_and_rename"),
    ],
)
@pytest.mark.parametrize(
    ("policy", "kept"), [("keep-both", ["CT.1.2.3", "CT.1.2.3~2"]), ("reject", ["CT.1.2.3"]), ("replace", ["CT.1.2.3"])]
)
def test_a_disk_without_hard_links_keeps_the_promise_too(
    folder: Path, tmp_path: Path, faults: list[str], way: str, policy: str, kept: list[str]
) -> None:
    code = """
import logging
logging.basicConfig(level=logging.DEBUG)
store = FileStore(sys.argv[1], on_duplicate=sys.argv[2])
print([int(keep(store, content=content)) for content in (b"1", b"1", b"2", b"2")], names(Path(sys.argv[1])))
"""
    injections = [word for fault in faults for word in ("-e", f"inject={fault}")]
    watch = strace(tmp_path / "trace", "-e", "trace=linkat,renameat2", *injections)
    done = in_a_process(code, folder, policy, before=watch)
    statuses = [0, 0, 0x0111, 0x0111] if policy == "reject" else [0, 0, 0, 0]
    assert done.stdout == f"{statuses} {kept}\n", done.stderr
    assert f"CT.1.2.3 was named by {way}" in done.stderr
    assert stored_data_set(folder / kept[-1]) == data_set(content=b"1" if policy == "reject" else b"2")


def test_a_replaced_instance_has_its_name_again_where_the_sync_fails(folder: Path, tmp_path: Path) -> None:
    folder.mkdir()
    code = """
store = FileStore(sys.argv[1], on_duplicate="replace")
print([int(keep(store, content=content)) for content in (b"first", b"second")], names(Path(sys.argv[1])))
"""
    watch = strace(tmp_path / "trace", "-e", "trace=fsync", "-e", "inject=fsync:error=EIO:when=4")
    done = in_a_process(code, folder, before=watch)
    assert done.stdout == f"[{KEPT}, {OUT_OF_RESOURCES}] ['CT.1.2.3']\n", done.stderr
    assert stored_data_set(folder / "CT.1.2.3") == data_set(content=b"first")


# --- each call in its turn ---

ROUNDS = max(len(errors) for _, errors in faulty_disk.CALLS.values())


@pytest.mark.parametrize(
    "number",
    [
        pytest.param(0, marks=pytest.mark.thorough),
        *(pytest.param(number, marks=pytest.mark.campaign) for number in range(1, ROUNDS)),
    ],
)
def test_whatever_call_fails_what_was_acknowledged_is_there(tmp_path: Path, number: int) -> None:
    pairs = {call: errors[number] for call, (_, errors) in faulty_disk.CALLS.items() if number < len(errors)}
    injections = [
        word
        for call, error in pairs.items()
        for word in ("-e", f"inject={call}:error={error}:when={faulty_disk.when(call)}")
    ]
    watch = strace(tmp_path / "trace", "-e", f"trace={','.join(pairs)}", *injections)
    words = [word for pair in pairs.items() for word in pair]
    done = subprocess.run(
        [*watch, sys.executable, "-m", "tests.archive.faulty_disk", str(tmp_path), *words],
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
        cwd=ROOT,
        env=ENVIRONMENT,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    cases = [json.loads(line) for line in done.stdout.splitlines()]
    assert {case["case"][0] for case in cases} == set(pairs)
    assert [problem for case in cases for problem in faulty_disk.problems(case)] == []
    assert len(cases) > 50


# --- other processes in the folder ---


ATTACKER = """
folder, outside = Path(sys.argv[1]), Path(sys.argv[2])
swaps = 0
while True:
    try:
        (folder / "A").rename(folder / f"away{swaps}")
        (folder / "A").symlink_to(outside)
        os.sched_yield()
        (folder / "A").unlink()
        swaps += 1
        os.write(1, b".")
    except OSError:
        pass
"""


@pytest.mark.parametrize("stores", [200, pytest.param(2_000, marks=pytest.mark.campaign)])
def test_a_folder_that_becomes_a_symbolic_link_leads_nowhere(folder: Path, tmp_path: Path, stores: int) -> None:
    """A user with write access to the store's folder swaps `.incoming` for a link, again and again."""
    outside = tmp_path / "outside"
    outside.mkdir()
    swaps, others, kept = 0, {PATIENT_ID: "A"}, []
    with (
        FileStore(folder, layout="{PatientID}/{AccessionNumber}/{SOPInstanceUID}", durability="none") as store,
        start_a_process(ATTACKER, folder, outside) as attacker,
    ):
        assert attacker.stdout is not None
        assert keep(store, "1.2.0", others=others) == KEPT
        swaps += len(attacker.stdout.read(1))  # it has begun
        for number in range(1, 1 + stores):
            status = keep(store, f"1.2.{number}", others=others)
            assert status in (KEPT, OUT_OF_RESOURCES)
            kept += [f"1.2.{number}"] * (status == KEPT)
        attacker.kill()
        swaps += len(attacker.stdout.read())
    assert tree(outside) == {}
    assert set(kept) <= {Path(path).name for path in names(folder) if not (folder / path).is_symlink()}
    assert kept
    assert swaps
