"""The files that a search remembers: in memory and on disk it gives the same answers."""

from __future__ import annotations

import os
import random
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from dimse.sending import known
from dimse.sending.finding import Finder
from dimse.sending.known import KnownFiles
from tests.tools.running import Instance, element


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have files moved to disk soon."""
    monkeypatch.setattr(known, "MOST_IN_MEMORY", 7)


@pytest.mark.usefixtures("few")
def test_what_was_moved_to_disk_is_known() -> None:
    files, numbers = KnownFiles(), list(range(100))
    random.Random(1).shuffle(numbers)
    identities = [number << 90 | 2**63 + number for number in numbers]
    try:
        assert all(files.is_new(identity) for identity in identities)
        assert not any(files.is_new(identity) for identity in identities)
        paths = [f"/{number}/\udce9" for number in numbers]
        assert [files.first_with(f"1.2.{number}", path) for number, path in zip(numbers, paths, strict=True)] == paths
        assert [files.first_with(f"1.2.{number}", "/other") for number in numbers] == paths
    finally:
        files.close()


@pytest.mark.usefixtures("few")
@pytest.mark.parametrize("uid", ["1.2.\xe9", "\udce9", "not a UID", "1.2\0.3"])
def test_a_uid_may_be_any_text(uid: str) -> None:
    files = KnownFiles()
    try:
        assert files.first_with(uid, "/first") == "/first"
        for identity in range(20):
            assert files.is_new(identity)
        assert files.first_with(uid, "/second") == "/first"
    finally:
        files.close()


class FullDisk(sqlite3.Connection):
    """A database that takes nothing more after its first rows."""

    batches = 0

    def executemany(self, *arguments: Any) -> sqlite3.Cursor:
        FullDisk.batches += 1
        if FullDisk.batches > 2:
            raise sqlite3.OperationalError("database or disk is full")
        return super().executemany(*arguments)


@pytest.mark.usefixtures("few")
def test_where_there_is_no_room_on_disk_the_rest_stays_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    connect = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", lambda *words, **options: connect(*words, **options, factory=FullDisk))
    files = KnownFiles()
    try:
        for attempt in (True, False):
            assert all(files.is_new(identity) is attempt for identity in range(30))
            assert all((files.first_with(f"1.{number}", f"/{attempt}") == "/True") for number in range(30))
    finally:
        files.close()


@pytest.mark.usefixtures("few")
def test_a_search_finds_the_same_with_its_files_on_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(30):
        Instance(f"1.2.{number}").write(tmp_path / f"{number:02}.dcm")
        if number % 3 == 0:
            os.link(tmp_path / f"{number:02}.dcm", tmp_path / f"link{number}.dcm")
            Instance(f"1.2.{number}").write(tmp_path / f"same{number}.dcm")
            Instance(f"1.2.{number}", rest=element(0x0010, 0x0020, "LO", b"other")).write(tmp_path / f"z{number}.dcm")

    def found() -> list[str]:
        finder = Finder([str(tmp_path), str(tmp_path / "01.dcm")], recurse=True)
        try:
            return [os.path.basename(file.path) for file in finder if file is not None]
        finally:
            finder.close()

    on_disk = found()
    monkeypatch.setattr(known, "MOST_IN_MEMORY", 10**6)
    assert on_disk == found()
    assert len(on_disk) == 40


# ---- a million files

# It prints the bytes of memory that the last nine tenths of a million files take.
REMEMBERING = """
import resource, sys
from dimse.sending.known import KnownFiles

def most():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)

files = KnownFiles()
for number in range(1_000_000):
    if number == 100_000:
        before = most()
    assert files.is_new(5 << 64 | number * 7919 % 1_000_003)
    path = f"/archive/2024/{number // 500:06}/{number:07}.dcm"
    assert files.first_with(f"1.2.826.0.1.3680043.2.1125.{hash(path)}.{number}", path) is path
files.close()
print(most() - before)
"""


@pytest.mark.campaign
@pytest.mark.timeout(600)
def test_the_memory_for_a_million_files_is_flat() -> None:
    process = subprocess.run(
        [sys.executable, "-c", REMEMBERING],
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
        env=os.environ | {"PYTHONPATH": str(Path(known.__file__).parents[2])},
    )
    assert process.returncode == 0, process.stderr
    growth = int(process.stdout)
    print(f"{growth / 1e6:.1f} MB for 900,000 files")
    assert growth < 10_000_000
