"""Recovery after an unclean end, rebuilding, checking and deleting, on a store of real files."""

from __future__ import annotations

import os
import shutil
import sqlite3
from pathlib import Path

import pytest

from dimse.archive.index import Index
from dimse.archive.index.check import check
from dimse.archive.index.deleting import delete_rows
from dimse.archive.index.reindex import reindex_in_place, reindex_sqlite
from tests.archive.index.rows import contents
from tests.archive.index.test_arriving import archive, data_set, keep


def fill(folder: Path, database: str) -> None:
    """Store five instances of two studies, one of which has a duplicate."""
    with archive(folder, database) as (store, _):
        for number in range(5):
            uid = f"1.2.3.{number}"
            assert keep(store, data_set(uid, study=f"1.2.{number % 2}", series=f"1.3.{number % 2}"), uid).is_success
        assert keep(store, data_set("1.2.3.0", study="1.2.0", series="1.3.0", name="Doe^Jane"), "1.2.3.0").is_success


# What removes the row of an instance, as a power cut does that has lost it.
LOST = (
    "DELETE FROM pixels WHERE instance_pk = (SELECT pk FROM instance WHERE sop_uid = '1.2.3.4')",
    "UPDATE series SET n_instances = n_instances - 1 WHERE series_uid = '1.3.0'",
    "UPDATE study SET n_instances = n_instances - 1, size = size - (SELECT size FROM instance WHERE sop_uid = '1.2.3.4')"
    " WHERE study_uid = '1.2.0'",
    "DELETE FROM instance WHERE sop_uid = '1.2.3.4'",
    "UPDATE store SET clean = 0",
)


def test_what_a_power_cut_has_lost_is_found_again(folder: Path, database: str) -> None:
    fill(folder, database)
    with Index(database, folder) as index:
        before = contents(index)
        for statement in LOST:
            index.database.write(lambda writer, statement=statement: writer.text(statement))  # type: ignore[misc]
    with Index(database, folder) as index:
        assert not index.start()
        recovered = index.recover()
        assert (recovered.files, recovered.added, recovered.missing) == (6, 1, 0)
        assert contents(index) == before
        assert list(check(index, full=True)) == []
    with Index(database, folder) as index:
        assert index.start()


def test_only_folders_that_changed_lately_are_read(folder: Path, database: str) -> None:
    fill(folder, database)
    for series in folder.glob("*/*"):
        os.utime(series, (1_000, 1_000))
    with Index(database, folder) as index:
        index.database.write(lambda writer: writer.text("UPDATE store SET clean = 0, synced_at = 2000"))
    with Index(database, folder) as index:
        assert not index.start()
        assert index.recover().files == 0
        assert index.recover(everything=True).files == 6


def test_a_data_set_that_came_again_is_served_though_its_row_is_lost(folder: Path, tmp_path: Path) -> None:
    path, kept, uid = str(tmp_path / "index.db"), str(tmp_path / "kept.db"), "1.2.3.0"
    first, second = (data_set(uid, study="1.2.0", series="1.3.0", name=name) for name in ("Doe^Jane", "Doe^John"))

    def served(index: Index) -> bytes:
        [row] = contents(index)["instance"]
        return bytes(row["digest"])

    with archive(folder, path, on_duplicate="replace") as (store, index):
        assert keep(store, first, uid).is_success
        wanted = served(index)
        assert keep(store, second, uid).is_success
        index.database.checkpoint()
        shutil.copyfile(path, kept)
        # Nothing has been in the folder for long when the first data set comes again.
        for series in folder.glob("*/*"):
            os.utime(series, (1_000, 1_000))
        assert keep(store, first, uid).is_success
        assert served(index) == wanted
    os.replace(kept, path)
    with Index(path, folder, on_duplicate="replace") as index:
        assert served(index) != wanted
        index.database.write(lambda writer: writer.text("UPDATE store SET clean = 0, synced_at = 2000"))
    with Index(path, folder, on_duplicate="replace") as index:
        assert not index.start()
        assert index.recover().added == 1
        assert served(index) == wanted
        assert list(check(index, full=True)) == []


def test_a_process_that_is_serving_has_not_ended_in_order(folder: Path, database: str) -> None:
    with Index(database, folder) as serving:
        assert serving.start()
        with Index(database, folder) as other:
            assert not other.store.was_clean
    with Index(database, folder) as after:
        assert after.store.was_clean
        assert after.store.synced_at > 0


def test_a_missing_file_is_marked_and_not_forgotten(folder: Path, database: str) -> None:
    fill(folder, database)
    (folder / "1.2.1/1.3.1/1.2.3.1.dcm").unlink()
    with Index(database, folder) as index:
        assert index.recover(everything=True).missing == 1
        assert index.counts()["instances"] == 5
        assert [(one.kind, one.entity) for one in check(index)] == [("file missing", "1.2.3.1")]


def test_a_file_that_is_no_instance_is_told_and_left_alone(folder: Path, database: str) -> None:
    fill(folder, database)
    (folder / "notes.txt").write_text("not DICOM " * 40)
    with Index(database, folder) as index:
        skipped = index.recover(everything=True).skipped
        assert skipped is not None
        assert skipped[0].startswith("notes.txt: not DICOM")
        assert [(one.kind, one.entity) for one in check(index)] == [("no instance", "notes.txt")]
    assert (folder / "notes.txt").exists()


@pytest.mark.parametrize("processes", [1, 2])
def test_an_index_is_rebuilt_from_the_files(folder: Path, tmp_path: Path, processes: int) -> None:
    path = str(tmp_path / "index.db")
    fill(folder, path)
    with Index(path, folder) as index:
        before, changes = contents(index), index.changes()
    read: list[int] = []
    done = reindex_sqlite(lambda new: Index(new, folder), path, processes=processes, progress=read.append)
    assert (done.instances, done.duplicates, done.skipped, read) == (5, 1, [], [4, 6])
    with Index(path, folder) as index:
        assert contents(index) == before
        # A reader of the feed goes on where it was.
        assert index.changes()[: len(changes)] == changes
        assert {change.instance for change in index.changes(changes[-1].number)} == {
            f"1.2.3.{number}" for number in range(5)
        }


@pytest.mark.parametrize("damage", ["missing", "damaged", "another"])
def test_an_index_is_rebuilt_without_the_old_one(folder: Path, tmp_path: Path, damage: str) -> None:
    path = tmp_path / "index.db"
    fill(folder, str(path))
    with Index(path, folder) as index:
        before = contents(index)
    path.unlink()
    if damage == "damaged":
        path.write_bytes(b"SQLite format 3\0" + os.urandom(10_000))
    elif damage == "another":
        with sqlite3.connect(path) as connection:
            connection.execute("CREATE TABLE mine (x)")
    reindex_sqlite(lambda new: Index(new, folder), str(path))
    with Index(path, folder) as index:
        assert contents(index) == before


def test_an_index_can_be_repaired_in_place(folder: Path, database: str) -> None:
    fill(folder, database)
    (folder / "1.2.1/1.3.1/1.2.3.1.dcm").unlink()
    with Index(database, folder) as index:
        index.database.write(lambda writer: writer.text("DELETE FROM duplicate"))
        assert reindex_in_place(index) == 1
        counts = index.counts()
        assert (counts["instances"], counts["duplicates"]) == (4, 1)
        assert list(check(index, full=True)) == []


@pytest.mark.parametrize(
    ("level", "uid", "left"),
    [("IMAGE", "1.2.3.0", 4), ("SERIES", "1.3.0", 2), ("STUDY", "1.2.0", 2), ("PATIENT", "7", 0)],
)
def test_deleting_removes_rows_files_and_folders(folder: Path, database: str, level: str, uid: str, left: int) -> None:
    fill(folder, database)
    with Index(database, folder) as index:
        deleted = index.delete(level, uid)  # type: ignore[arg-type]
        # The first instance has a duplicate.
        assert (deleted.instances, deleted.files) == (5 - left, 6 - left)
        assert index.counts()["instances"] == left
        assert len(list(folder.rglob("*.dcm"))) == left
        assert list(check(index, full=True)) == []
        assert index.changes()[-1].what == "deleted"
        assert index.counts()["duplicates"] == 0
    assert (folder / "1.2.0").exists() == (left == 4)


def test_nothing_is_deleted_for_an_unknown_uid(folder: Path, database: str) -> None:
    fill(folder, database)
    with Index(database, folder) as index:
        assert index.delete("STUDY", "9.9").instances == 0
        assert index.counts()["instances"] == 5


def test_a_deleted_instance_can_be_stored_again(folder: Path, database: str) -> None:
    fill(folder, database)
    with archive(folder, database) as (store, index):
        index.delete("STUDY", "1.2.0")
        assert keep(store, data_set("1.2.3.0", study="1.2.0", series="1.3.0"), "1.2.3.0").is_success
        assert (folder / "1.2.0/1.3.0/1.2.3.0.dcm").exists()
        assert list(check(index, full=True)) == []


def test_files_that_a_crash_has_left_are_removed_at_the_next_start(folder: Path, database: str) -> None:
    fill(folder, database)
    with Index(database, folder) as index:
        index.database.write(lambda writer: delete_rows(writer, "STUDY", "1.2.0"))
        assert (folder / "1.2.0").exists()
    with Index(database, folder) as index:
        index.start()
        assert not (folder / "1.2.0").exists()
        assert list(check(index)) == []


def test_a_file_that_is_to_be_removed_stays_if_its_instance_arrives_again(folder: Path, database: str) -> None:
    fill(folder, database)
    with archive(folder, database) as (store, index):
        index.database.write(lambda writer: delete_rows(writer, "STUDY", "1.2.0"))
        assert keep(store, data_set("1.2.3.2", study="1.2.0", series="1.3.0"), "1.2.3.2").is_success
        assert index.remove_files() == 3
        assert [path.name for path in (folder / "1.2.0").rglob("*.dcm")] == ["1.2.3.2.dcm"]
        assert list(check(index, full=True)) == []


def test_wrong_counts_are_found(folder: Path, database: str) -> None:
    fill(folder, database)
    with Index(database, folder) as index:
        index.database.write(lambda writer: writer.text("UPDATE study SET n_instances = 7 WHERE study_uid = '1.2.1'"))
        assert [(one.kind, one.entity) for one in check(index)] == [("counts", "1.2.1")]


def test_a_changed_file_is_found_by_a_full_check(folder: Path, database: str) -> None:
    fill(folder, database)
    path = folder / "1.2.1/1.3.1/1.2.3.1.dcm"
    path.write_bytes(path.read_bytes()[:-1] + b"\1")
    with Index(database, folder) as index:
        assert list(check(index)) == []
        assert [(one.kind, one.entity) for one in check(index, full=True)] == [("digest", "1.2.3.1")]
