"""Databases and disks that fail while instances arrive: what was acknowledged is found, and what was not can be sent again."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from dimse.archive.index import Index
from dimse.archive.index.check import check
from dimse.errors import DatabaseError
from tests.archive.index import faulty_ingest
from tests.archive.index.conftest import PostgreSQL, new_postgresql
from tests.archive.index.rows import ARCHIVE_FOLDER, contents, row
from tests.archive.index.test_arriving import archive, data_set, keep
from tests.archive.storing import ENVIRONMENT, KEPT, OUT_OF_RESOURCES, ROOT, in_a_process
from tests.archive.test_disk import on_a_small_disk, strace


def found(index: Index) -> set[str]:
    """Return the SOP Instance UIDs that are served."""
    return {one["sop_uid"] for one in contents(index)["instance"]}


# --- PostgreSQL that ends and is there again ---


@pytest.fixture
def server() -> Iterator[PostgreSQL]:
    with new_postgresql() as server:
        yield server


@pytest.mark.thorough
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGQUIT])
def test_a_database_that_is_back_is_used_at_once(folder: Path, server: PostgreSQL, how: signal.Signals) -> None:
    with archive(folder, f"postgresql://dimse@/postgres?host={server.folder}") as (store, index):
        index.start()
        assert keep(store, data_set("1.2.3.1"), "1.2.3.1") == KEPT
        server.stop(how)
        status = keep(store, data_set("1.2.3.2"), "1.2.3.2")
        assert status == OUT_OF_RESOURCES
        assert "cannot be used" in status.comment
        with pytest.raises(DatabaseError):
            index.counts()
        server.start()
        assert keep(store, data_set("1.2.3.2"), "1.2.3.2") == KEPT
        assert found(index) == {"1.2.3.1", "1.2.3.2"}
        server.stop(how)
        server.start()
        # No connection is lost at the cost of an instance.
        assert keep(store, data_set("1.2.3.3"), "1.2.3.3") == KEPT
        assert index.counts()["instances"] == 3
        assert list(check(index, full=True)) == []


def restart_again_and_again(folder: Path, server: PostgreSQL, restarts: int, seed: int) -> None:
    """End and start the database at random moments while four threads store."""
    chance = random.Random(seed)
    acknowledged: set[str] = set()
    ending, progress = threading.Event(), threading.Condition()
    statuses: set[int] = set()
    with archive(folder, f"postgresql://dimse@/postgres?host={server.folder}") as (store, index):
        index.start()

        def send(thread: int) -> None:
            number = 0
            while not ending.is_set():
                uid = f"1.2.{thread}.{number}"
                status = keep(store, data_set(uid, f"1.3.{number // 5}", f"1.3.{number // 5}.{thread}"), uid)
                statuses.add(int(status))
                if status == KEPT:
                    number += 1
                    with progress:
                        acknowledged.add(uid)
                        progress.notify()

        threads = [threading.Thread(target=send, args=(thread,)) for thread in range(4)]
        for thread in threads:
            thread.start()
        try:
            for _ in range(restarts):
                with progress:
                    enough = len(acknowledged) + chance.randint(4, 60)
                    assert progress.wait_for(lambda enough=enough: len(acknowledged) >= enough, 20)  # type: ignore[misc]
                server.stop(chance.choice([signal.SIGINT, signal.SIGQUIT]))
                server.start()
        finally:
            ending.set()
            for thread in threads:
                thread.join()
        assert statuses <= {KEPT, OUT_OF_RESOURCES}
        assert acknowledged - found(index) == set()
        assert {one.kind for one in check(index, full=True)} <= {"no row"}
        index.recover()
        assert list(check(index, full=True)) == []


@pytest.mark.parametrize(
    "restarts",
    [pytest.param(5, marks=pytest.mark.thorough), pytest.param(50, marks=pytest.mark.campaign)],
)
@pytest.mark.timeout(900)
def test_a_database_that_is_restarted_loses_nothing(folder: Path, server: PostgreSQL, restarts: int) -> None:
    restart_again_and_again(folder, server, restarts, restarts)


# --- SQLite that others lock, that is read-only, that is damaged ---


def test_a_database_that_another_process_locks_is_out_of_resources_until_it_is_free(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dimse.archive.index.database.LONGEST_WAIT", 0.1)
    path = tmp_path / "index.db"
    with archive(folder, str(path)) as (store, index):
        assert keep(store, data_set("1.2.3.1"), "1.2.3.1") == KEPT
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            status = keep(store, data_set("1.2.3.2"), "1.2.3.2")
            assert status == OUT_OF_RESOURCES
            assert status.comment.endswith("database is locked")
            # Readers are free.
            assert found(index) == {"1.2.3.1"}
            other.execute("ROLLBACK")
        assert keep(store, data_set("1.2.3.2"), "1.2.3.2") == KEPT
        assert list(check(index, full=True)) == []


def test_a_read_only_database_is_refused_in_words(tmp_path: Path) -> None:
    path = tmp_path / "index.db"
    with Index(path, ARCHIVE_FOLDER) as index:
        index.commit(row())
    code = """
import subprocess
from dimse.archive.index import Index
subprocess.run(["mount", "--bind", sys.argv[1], sys.argv[1]], check=True)
subprocess.run(["mount", "-o", "remount,bind,ro", sys.argv[1]], check=True)
try:
    Index(sys.argv[1] + "/index.db", "/nonexistent")
except Exception as error:
    print(type(error).__name__, error)
"""
    words = ("unshare", "--mount")
    if not shutil.which("unshare") or subprocess.run([*words, "true"], capture_output=True, check=False).returncode:
        pytest.skip("only root may mount")
    done = in_a_process(code, tmp_path, before=words)
    assert done.stdout.startswith(f"DatabaseError the database {path} cannot be used: "), done.stderr
    assert "readonly" in done.stdout or "unable to open" in done.stdout


@pytest.mark.parametrize("place", [100, 9_000, 30_000])
def test_a_damaged_database_acknowledges_nothing_that_it_does_not_find(
    folder: Path, tmp_path: Path, place: int
) -> None:
    path = tmp_path / "index.db"
    with archive(folder, str(path)) as (store, _):
        for number in range(20):
            assert keep(store, data_set(f"1.2.3.{number}"), f"1.2.3.{number}") == KEPT
    content = bytearray(path.read_bytes())
    content[place : place + 4_000] = os.urandom(4_000)
    path.write_bytes(content)
    try:
        with archive(folder, str(path)) as (store, index):
            if keep(store, data_set("1.2.4"), "1.2.4") == KEPT:
                assert [one.sop_instance_uid for one in index.locate("IMAGE", ["1.2.4"])] == ["1.2.4"]
    except DatabaseError:
        pass


# --- disks that fill up ---

# The database is on a small disk, and what fills it up is removed at the end.
FULL_DATABASE = """
from dimse.archive.index.check import check
from tests.archive.index.test_arriving import archive, data_set, keep
from tests.archive.index.test_faults import found
disk, folder, room = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
acknowledged, statuses = set(), []
with archive(folder, str(disk / "index.db")) as (store, index):
    index.start()
    (disk / "ballast").write_bytes(bytes(disk.stat().st_blksize))
    with open(disk / "ballast", "wb", buffering=0) as ballast:
        try:
            while True:
                ballast.write(bytes(4096))
        except OSError:
            pass
    os.truncate(disk / "ballast", max(0, (disk / "ballast").stat().st_size - room))
    for number in range(200):
        uid = f"1.2.3.{number}"
        status = keep(store, data_set(uid, f"1.2.{number}", f"1.3.{number}"), uid)
        statuses.append(int(status))
        acknowledged |= {uid} if status == 0 else set()
        if statuses[-5:] == [0xA700] * 5:
            break
    assert set(statuses) == {0, 0xA700} or not acknowledged, statuses
    assert acknowledged <= found(index)
    (disk / "ballast").unlink()
    for number in range(len(statuses)):
        uid = f"1.2.3.{number}"
        assert keep(store, data_set(uid, f"1.2.{number}", f"1.3.{number}"), uid) == 0
    assert len(found(index)) == len(statuses)
    assert list(check(index, full=True)) == []
print(len(acknowledged), statuses.count(0xA700))
"""


@pytest.mark.parametrize(
    "room",
    [
        *(pytest.param(room, marks=pytest.mark.thorough) for room in (0, 40_000, 300_000)),
        *(pytest.param(room, marks=pytest.mark.campaign) for room in range(20_480, 50 * 20_480, 20_480)),
    ],
)
def test_a_database_on_a_full_disk_acknowledges_nothing_that_it_has_not(tmp_path: Path, room: int) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    done = in_a_process(FULL_DATABASE, disk, tmp_path / "store", room, before=on_a_small_disk(disk, "32m"))
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.split()[1] == "5"


# Files and database are on one small disk, as usual.
FULL_DISK = """
from dimse.archive.index.check import check
from tests.archive.index.test_arriving import archive, data_set, keep
from tests.archive.index.test_faults import found
from tests.archive.index.test_header import long_element
disk, size = Path(sys.argv[1]), int(sys.argv[2])
(disk / "ballast").write_bytes(bytes(500_000))
acknowledged, statuses = set(), []
with archive(disk / "store", str(disk / "index.db")) as (store, index):
    index.start()
    for number in range(400):
        uid = f"1.2.3.{number}"
        pixels = long_element(0x7FE00010, b"OW", bytes(size))
        status = keep(store, data_set(uid, f"1.2.{number}", f"1.3.{number}", end=pixels), uid)
        statuses.append(int(status))
        acknowledged |= {uid} if status == 0 else set()
        if statuses[-5:] == [0xA700] * 5:
            break
    assert acknowledged <= found(index)
    # Deleting needs a little space in the database, of which the disk has more without a file.
    (disk / "ballast").unlink()
    for uid in sorted(acknowledged)[:2]:
        assert index.delete("IMAGE", uid).instances == 1
        acknowledged.discard(uid)
    assert acknowledged == found(index)
    assert {one.kind for one in check(index, full=True)} <= {"no row"}
    index.recover()
    assert list(check(index, full=True)) == []
print(len(acknowledged), statuses.count(0xA700))
"""


@pytest.mark.parametrize(
    "size",
    [
        *(pytest.param(size, marks=pytest.mark.thorough) for size in (0, 100_000)),
        *(pytest.param(size, marks=pytest.mark.campaign) for size in range(1_000, 240_000, 10_000)),
    ],
)
def test_a_full_disk_acknowledges_nothing_that_is_not_found(tmp_path: Path, size: int) -> None:
    done = in_a_process(FULL_DISK, tmp_path, size, before=on_a_small_disk(tmp_path, "6m"))
    assert done.returncode == 0, done.stderr[-3000:]
    kept, refused = map(int, done.stdout.split())
    assert kept > 0
    assert refused == 5


# --- each system call in its turn ---


def run_cases(folder: Path, trace: Path, step: int, pairs: dict[str, str]) -> list[dict[str, Any]]:
    """Ingest with each `step`-th system call of a kind failing, and return what each case says."""
    injections = [
        word
        for call, error in pairs.items()
        for word in ("-e", f"inject={call}:error={error}:when={faulty_ingest.WHEN}")
    ]
    watch = strace(trace, "-e", f"trace={','.join(pairs)}", *injections)
    words = [word for pair in pairs.items() for word in pair]
    done = subprocess.run(
        [*watch, sys.executable, "-m", "tests.archive.index.faulty_ingest", str(folder), str(step), *words],
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
        cwd=ROOT,
        env=ENVIRONMENT,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.parametrize(
    ("step", "number"),
    [
        pytest.param(20, 0, marks=pytest.mark.thorough),
        *(pytest.param(4, number, marks=pytest.mark.campaign) for number in range(3)),
    ],
)
@pytest.mark.timeout(1800)
def test_whatever_call_fails_what_was_acknowledged_is_found(tmp_path: Path, step: int, number: int) -> None:
    pairs = {call: errors[number] for call, (_, errors) in faulty_ingest.CALLS.items() if number < len(errors)}
    cases = run_cases(tmp_path, tmp_path / "trace", step, pairs)
    assert {case["case"][0] for case in cases} == set(pairs)
    assert [problem for case in cases for problem in faulty_ingest.problems(case)] == []
    print(f"{len(cases)} cases")
    assert len(cases) > 30
