"""The count of the files that a search will come to: what it counts, what it leaves out, and what it costs."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from dimse.sending import counting
from dimse.sending.counting import Count
from dimse.sending.finding import Finder
from tests.tools import running
from tests.tools.running import Instance

SOURCE = Path(counting.__file__).parents[2]


def counted(*paths: Path | str | None, recurse: bool = True) -> Count:
    """Count the files of these paths, in this thread."""
    count = Count([None if path is None else str(path) for path in paths], recurse=recurse)
    count.run()
    assert count.is_over
    return count


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Make a folder with files, some of which are not sent, and with folders in it."""
    for number, place in enumerate(("a", "b/c", "b/d/e", "b/d/.hidden", ".hidden/f")):
        Instance(f"1.2.{number}").write(tmp_path / place)
    (tmp_path / "b" / "note.txt").write_text("note")
    (tmp_path / "empty").mkdir()
    (tmp_path / "gone").symlink_to(tmp_path / "nothing")
    os.link(tmp_path / "a", tmp_path / "again")
    return tmp_path


@pytest.mark.parametrize("recurse", [True, False])
def test_the_count_is_of_the_files_that_the_search_comes_to(folder: Path, recurse: bool) -> None:
    paths = [str(folder), str(folder / "b" / "c"), str(folder / "missing")]
    finder = Finder(paths, recurse=recurse)
    assert len(list(finder)) > 3
    count = counted(*paths, recurse=recurse)
    assert count.is_whole
    assert count.tally == finder.met
    assert count.tally.files == (8 if recurse else 5)


@pytest.mark.parametrize("name", ["DICOMDIR", "study.ZIP"])
def test_files_within_a_file_make_the_count_a_least_one(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"content")
    count = counted(tmp_path / name)
    assert (count.is_whole, count.tally.files) == (False, 1)


def test_paths_that_are_not_known_yet_make_the_count_a_least_one(folder: Path) -> None:
    count = counted(folder / "b", None)
    assert (count.is_whole, count.tally.files) == (False, 3)


def test_a_folder_behind_a_link_is_not_looked_into(folder: Path) -> None:
    (folder / "loop").symlink_to(folder)
    count = counted(folder)
    assert (count.is_whole, count.tally.files) == (False, 6)


def test_what_cannot_be_read_is_left_to_the_search(tmp_path: Path) -> None:
    assert counted(tmp_path / "missing", "a\0b").tally.files == 2


def test_the_count_ends_at_its_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(50):
        (tmp_path / str(number)).touch()
    monkeypatch.setattr(counting, "SLICE", 5)
    monkeypatch.setattr(counting, "MOST_ENTRIES", 20)
    count = counted(tmp_path)
    assert (count.is_whole, count.tally.files) == (False, 20)
    monkeypatch.setattr(counting, "MOST_ENTRIES", 1000)
    monkeypatch.setattr(counting, "MOST_SECONDS", 0.0)
    assert counted(tmp_path).tally.files == 5


def test_folders_within_one_another_are_counted_to_a_depth(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counting, "DEEPEST", 3)
    deep = tmp_path / "1" / "2" / "3"
    deep.mkdir(parents=True)
    for folder in (tmp_path, *deep.parents[:2], deep):
        (folder / "file").touch()
    count = counted(tmp_path)
    assert (count.is_whole, count.tally.files) == (False, 3)


def test_a_count_that_is_stopped_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counting, "SLICE", 1)
    for number in range(50):
        (tmp_path / str(number)).touch()
    count = Count([str(tmp_path)], recurse=True)
    count.stop()
    count.run()
    assert (count.is_over, count.tally.files) == (False, 1)


# ---- a million files

MILLION, A_FOLDER, A_FILE = 1_000_000, 1000, 20_000
MOST_GROWTH = 10_000_000  # bytes

# It prints the files, and the bytes of memory that the count has taken.
COUNTING = """
import resource, sys
from dimse.sending import counting
from dimse.sending.finding import Finder

def most():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)

what, folder = sys.argv[1:]
before = most()
if what == "count":
    counting.SHARE = 1.0
    count = counting.Count([folder], recurse=True)
    count.run()
    assert count.is_whole
    files = count.tally.files
else:
    finder = Finder([folder], recurse=True)
    for found in finder:
        pass
    files = finder.met.files
print(files, most() - before)
"""


@pytest.fixture(scope="module")
def million() -> Iterator[Path]:
    """Make a million names of files, a thousand in each folder, where possible in memory."""
    shm = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=shm if os.access(shm, os.W_OK) else None) as name:
        root = Path(name)
        for number in range(MILLION):
            folder = root / "names" / f"{number // A_FOLDER:04}"
            if number % A_FOLDER == 0:
                folder.mkdir(parents=True)
            # A file system bounds the names of one file.
            if number % A_FILE == 0:
                file = Instance(f"1.2.{number}").write(root / f"{number}.dcm")
            os.link(file, folder / f"{number:07}.dcm")
        yield root / "names"


@pytest.mark.campaign
@pytest.mark.timeout(600)
@pytest.mark.parametrize("what", ["count", "search"])
def test_a_million_names_are_not_kept_in_memory(million: Path, what: str) -> None:
    process = running.run(
        sys.executable, "-c", COUNTING, what, str(million), env=os.environ | {"PYTHONPATH": str(SOURCE)}
    )
    assert process.returncode == 0, process.stderr
    files, growth = map(int, process.stdout.split())
    print(f"{what}: {files:,} names, {growth / 1e6:.1f} MB")
    assert files == MILLION
    assert growth < MOST_GROWTH
