"""The upkeep of an index: marks that survive a power cut, the trimming of the change feed, and the place of the database."""

from __future__ import annotations

import os
import shutil
import sqlite3
from pathlib import Path

import pytest

from dimse.archive.index import Index
from dimse.archive.index.changes import trim_changes
from dimse.archive.index.check import check
from dimse.archive.index.reindex import reindex_sqlite
from dimse.errors import DatabaseError
from dimse.support import mounts
from tests.archive.index.rows import ARCHIVE_FOLDER, contents, row
from tests.archive.index.test_arriving import archive, data_set, keep

THREE_DAYS = 3 * 86_400.0


def age(index: Index, upto: int, seconds: float) -> None:
    """Let the changes up to a number be older."""
    index.database.write(lambda writer: writer.text(f"UPDATE change SET at = at - {seconds} WHERE number <= {upto}"))


def test_old_changes_are_trimmed(index: Index) -> None:
    index.add([row(number) for number in range(1, 6)])
    changes = index.changes()
    assert index.first_change() == changes[0].number
    age(index, changes[2].number, THREE_DAYS)
    assert trim_changes(index.database, changes[3].at - 86_400) == 3
    assert index.changes() == changes[3:]
    assert index.first_change() == changes[3].number


def test_the_last_change_stays_so_that_its_number_is_not_used_again(index: Index) -> None:
    index.add([row(number) for number in range(1, 4)])
    last = index.changes()[-1]
    assert trim_changes(index.database, last.at + THREE_DAYS) == 2
    assert trim_changes(index.database, last.at + THREE_DAYS) == 0
    assert index.changes() == [last]
    index.commit(row(4))
    assert [change.number > last.number for change in index.changes(last.number)] == [True]


def test_an_index_that_serves_trims_its_changes(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dimse.archive.index.upkeep.EVERY", 0.01)
    with Index(database, ARCHIVE_FOLDER, keep_changes=2.0) as index:
        index.add([row(number) for number in range(1, 4)])
        changes = index.changes()
        age(index, changes[1].number, THREE_DAYS)
        index.start()
        while index.first_change() != changes[2].number:
            pass


def test_an_index_that_was_deleted_is_built_again_before_it_is_searched(
    folder: Path, database: str, tmp_path: Path
) -> None:
    with archive(folder, database) as (store, index):
        index.start()
        assert keep(store, data_set()).is_success
        before = contents(index)
    with Index(tmp_path / "another.db", folder) as index:
        assert not index.store.was_clean
    with Index(tmp_path / "another.db", folder) as index:
        assert not index.start()
        assert index.recover().added == 1
        assert contents(index) == before
    with Index(tmp_path / "another.db", folder) as index:
        assert index.start()


def test_an_index_that_was_rebuilt_needs_no_recovery(folder: Path, tmp_path: Path) -> None:
    path = str(tmp_path / "index.db")
    with archive(folder, path) as (store, _):
        assert keep(store, data_set()).is_success
    reindex_sqlite(lambda new: Index(new, folder), path)
    with Index(path, folder) as index:
        assert index.start()
        assert index.store.synced_at > 0


def test_an_index_is_not_taken_from_the_folder_of_a_process_that_serves(
    folder: Path, database: str, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    with archive(folder, database) as (store, index):
        assert keep(store, data_set()).is_success
        with pytest.raises(DatabaseError, match=f"another process uses this index for the folder {folder}"):
            Index(database, other)
        (found,) = index.locate("IMAGE", ["1.2.3"])
        assert found.path == str(folder / "1.2/1.3/1.2.3.dcm")
    # A folder may be moved while nothing uses it.
    folder.rename(other)
    with Index(database, other) as index:
        (found,) = index.locate("IMAGE", ["1.2.3"])
        assert found.path == str(other / "1.2/1.3/1.2.3.dcm")


def test_a_new_archive_needs_no_recovery(folder: Path, database: str) -> None:
    with archive(folder, database) as (_, index):
        assert index.start()


@pytest.mark.parametrize("kinds", ["AB", "ABA", "ABAB", "ABCAB", "AABBA"])
def test_the_latest_is_served_before_and_after_a_rebuilding(folder: Path, tmp_path: Path, kinds: str) -> None:
    """A data set that comes again after its replacement is the latest, though its file is the oldest."""
    path = str(tmp_path / "index.db")

    def open_index(where: str) -> Index:
        return Index(where, folder, on_duplicate="replace")

    with archive(folder, path, "replace") as (store, index):
        for kind in kinds:
            assert keep(store, data_set(name=f"Doe^{kind}")).is_success
        before = contents(index)["instance"]
        digest = bytes(before[0]["digest"])
        assert keep(store, data_set(name=f"Doe^{kinds[-1]}")).is_success
        assert bytes(contents(index)["instance"][0]["digest"]) == digest
    reindex_sqlite(open_index, path)
    with open_index(path) as index:
        assert contents(index)["instance"] == before
        assert list(check(index, full=True)) == []


def test_a_clock_that_was_set_back_does_not_change_what_is_served(folder: Path, tmp_path: Path) -> None:
    path = str(tmp_path / "index.db")
    with archive(folder, path, "replace") as (store, index):
        assert keep(store, data_set(name="Doe^A")).is_success
        (first,) = folder.rglob("*.dcm")
        os.utime(first, (first.stat().st_mtime + 3600,) * 2)
        assert keep(store, data_set(name="Doe^B")).is_success
        before = contents(index)["instance"]
    reindex_sqlite(lambda new: Index(new, folder, on_duplicate="replace"), path)
    with Index(path, folder, on_duplicate="replace") as index:
        assert contents(index)["instance"] == before


def test_a_recovery_serves_what_was_acknowledged_last(folder: Path, tmp_path: Path) -> None:
    """The row of a replacement is lost, and so is that of the first data set, which came again after it."""
    path, cut = tmp_path / "index.db", tmp_path / "cut.db"
    with archive(folder, str(path), "replace") as (store, index):
        assert keep(store, data_set(name="Doe^A")).is_success
        index.database.checkpoint()
        shutil.copyfile(path, cut)
        before = contents(index)["instance"]
        for name in ("Doe^B", "Doe^A"):
            assert keep(store, data_set(name=name)).is_success
    with Index(cut, folder, on_duplicate="replace") as index:
        assert index.recover(everything=True).added == 1
        assert contents(index)["instance"] == before
        assert index.counts()["duplicates"] == 1


def test_sqlite_on_a_network_file_system_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    device = os.stat(tmp_path).st_dev
    line = f"36 35 {os.major(device)}:{os.minor(device)} / /mnt rw - nfs4 server:/archive rw,vers=4.2\n"
    (tmp_path / "mountinfo").write_text(line)
    monkeypatch.setattr(mounts, "MOUNTS", str(tmp_path / "mountinfo"))
    with pytest.raises(DatabaseError, match=r"network file system \(nfs4\).*PostgreSQL"):
        Index(tmp_path / "index.db", ARCHIVE_FOLDER)
    assert not (tmp_path / "index.db").exists()


def test_file_systems_of_this_machine_are_told_apart(tmp_path: Path) -> None:
    assert mounts.network_file_system(str(tmp_path)) == ""
    assert mounts.network_file_system("/no/such/folder") == ""


@pytest.mark.parametrize("version", ["2", "999"])
def test_an_index_of_a_later_version_is_refused_and_left_alone(database: str, version: str) -> None:
    with Index(database, ARCHIVE_FOLDER) as index:
        index.commit(row())
        index.database.write(lambda writer: writer.text(f"UPDATE meta SET value = '{version}' WHERE key = 'schema'"))
    for _ in range(2):
        with pytest.raises(DatabaseError, match=f"has version {version}, and only 1 is supported: update dimse"):
            Index(database, ARCHIVE_FOLDER)


STORED = Path(__file__).with_name("index_version_1.sql")


def test_an_index_of_version_1_can_be_used(tmp_path: Path) -> None:
    path = tmp_path / "index.db"
    with sqlite3.connect(path) as connection:
        connection.executescript(STORED.read_text())
    with Index(path, ARCHIVE_FOLDER) as index:
        before = contents(index)
        assert [one["sop_uid"] for one in before["instance"]] == ["1.2.1.1.1", "1.2.1.1.2", "1.2.2.1.1"]
        assert [one["path"] for one in before["duplicate"]] == ["1/2/3~2.dcm"]
        assert [one["name_norm"] for one in before["patient"]] == ["doe^john", "muller^jurgen"]
        assert [found.sop_instance_uid for found in index.locate("STUDY", ["1.2.1"])] == ["1.2.1.1.1", "1.2.1.1.2"]
        assert len(index.changes()) == 4
        assert index.commit(row()).what == "same"
        assert index.commit(row(3)).what == "stored"
        assert list(check(index, files=False)) == []
