"""Adding rows to an index: counts, duplicates, demographics, and the change feed, on both databases."""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path

import pytest

from dimse.archive.index import Index
from dimse.errors import DatabaseError
from dimse.support.values import replace
from tests.archive.index.rows import ARCHIVE_FOLDER, contents, row


def test_an_instance_is_found_once_commit_returns(index: Index) -> None:
    added = index.commit(row())
    assert (added.what, added.sop_instance_uid, added.differs) == ("stored", "1.2.1.1.1", ())
    assert index.counts() == {
        "patients": 1,
        "studies": 1,
        "series": 1,
        "instances": 1,
        "duplicates": 0,
        "size": 400,
    }


def test_counts_are_those_of_the_instances(index: Index) -> None:
    index.add([row(number, series, study) for study in (1, 2) for series in (1, 2, 3) for number in (1, 2)])
    found = contents(index)
    assert [(study["n_series"], study["n_instances"], study["size"]) for study in found["study"]] == [(3, 6, 2400)] * 2
    assert [series["n_instances"] for series in found["series"]] == [2] * 6
    assert len(found["patient"]) == 1


def test_the_same_data_set_again_is_one_instance(index: Index) -> None:
    assert [added.what for added in index.add([row(), row()])] == ["stored", "same"]
    assert index.commit(row()).what == "same"
    assert index.counts()["instances"] == 1
    assert len(index.changes()) == 1


def test_another_data_set_is_kept_beside_the_first(index: Index) -> None:
    index.commit(row())
    before = contents(index)["instance"]
    for _ in range(2):
        assert index.commit(row(content=b"other", path="1/2/3~2.dcm")).what == "duplicate"
    assert contents(index)["instance"] == before
    assert [(found["sop_uid"], found["path"]) for found in contents(index)["duplicate"]] == [
        ("1.2.1.1.1", "1/2/3~2.dcm")
    ]
    assert [change.what for change in index.changes()] == ["stored", "duplicate"]


def test_a_duplicate_in_another_series_leaves_no_empty_series(index: Index) -> None:
    index.commit(row(uid="1.9"))
    assert index.commit(row(series=2, study=2, uid="1.9", content=b"other", PatientID="2")).what == "duplicate"
    counts = index.counts()
    assert (counts["patients"], counts["studies"], counts["series"], counts["instances"]) == (1, 1, 1, 1)
    assert index.commit(row(series=2, study=2, PatientID="2")).what == "stored"
    assert index.counts()["studies"] == 2


def test_a_replacement_is_served_and_the_first_is_kept(database: str) -> None:
    with Index(database, ARCHIVE_FOLDER, on_duplicate="replace") as index:
        index.commit(row(uid="1.9"))
        assert index.commit(row(2, 2, 2, uid="1.9", content=b"other", Modality="MR")).what == "replaced"
        found = contents(index)
        assert [(one["sop_uid"], one["series_uid"]) for one in found["instance"]] == [("1.9", "1.2.2.2")]
        assert [one["path"] for one in found["duplicate"]] == ["1.2.1/1.2.1.1/1.9.dcm"]
        assert [(one["study_uid"], one["n_instances"], one["modalities"]) for one in found["study"]] == [
            ("1.2.2", 1, "MR")
        ]
        # The first comes again, so it is the latest.
        assert index.commit(row(uid="1.9")).what == "replaced"
        assert [one["path"] for one in contents(index)["duplicate"]] == ["1.2.2/1.2.2.2/1.9.dcm"]


def test_a_rejected_data_set_is_not_served(database: str) -> None:
    with Index(database, ARCHIVE_FOLDER, on_duplicate="reject") as index:
        index.commit(row())
        assert index.commit(row(content=b"other", path="elsewhere")).what == "rejected"
        assert index.commit(row()).what == "same"
        assert index.counts()["instances"] == 1


def test_patients_without_an_id_are_one_for_each_study(index: Index) -> None:
    index.add([row(study=study, PatientID="") for study in (1, 2)])
    assert index.counts()["patients"] == 2


def test_the_same_id_of_two_issuers_is_two_patients(index: Index) -> None:
    index.add([row(study=1, IssuerOfPatientID="A"), row(study=2, IssuerOfPatientID="B")])
    assert index.counts()["patients"] == 2


def test_a_study_stays_with_its_first_patient(index: Index) -> None:
    index.commit(row())
    added = index.commit(row(2, PatientID="2", PatientName="Roe^Jane"))
    assert added.what == "stored"
    assert added.differs == ("PatientID",)
    found = contents(index)
    assert [(one["patient_id"], one["name"]) for one in found["patient"]] == [("1", "Doe^John")]
    assert [one["differing"] for one in found["study"]] == [1]


def test_the_first_values_stay_in_force_and_empty_ones_are_filled(index: Index) -> None:
    index.commit(row(PatientBirthDate="", PatientAge="033Y"))
    added = index.commit(row(2, PatientName="Doe^Jane", PatientBirthDate="19800101", PatientWeight="70"))
    assert added.differs == ("PatientName",)
    found = contents(index)
    assert [(one["name"], one["name_norm"], one["birth_date"]) for one in found["patient"]] == [
        ("Doe^John", "doe^john", "19800101")
    ]
    assert set(found["study"][0]["attrs"]) == {"00101010", "00101030"}


def test_the_latest_values_come_into_force_if_asked(database: str) -> None:
    with Index(database, ARCHIVE_FOLDER, update="latest") as index:
        index.commit(row())
        assert index.commit(row(2, PatientName="Doe^Jane", StudyDescription="")).differs == ("PatientName",)
        assert [(one["name"], one["name_norm"]) for one in contents(index)["patient"]] == [("Doe^Jane", "doe^jane")]


def test_a_study_lists_its_modalities_and_sop_classes(index: Index) -> None:
    index.add([row(series=1, Modality="PT"), row(series=2, Modality="CT"), row(series=3, Modality="CT")])
    assert contents(index)["study"][0]["modalities"] == "CT\\PT"


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("Müller^Jürgen", "Müller^Jürgen"),
        ("Yamada^Tarou=山田^太郎=やまだ^たろう", "Yamada^Tarou=山田^太郎=やまだ^たろう"),
        # PostgreSQL takes no NUL.
        ("a\0b", "a\ufffdb"),
        # Two values begin with a backslash.
        ("%_'\"\\;--", "\\%_'\"\\;--"),
        ("\U0001f600", "\U0001f600"),
        ("x" * 70_000, ""),
    ],
)
def test_any_text_can_be_kept(index: Index, text: str, kept: str) -> None:
    assert index.commit(row(PatientName=text, PatientComments=text, StudyDescription=text)).what == "stored"
    assert contents(index)["patient"][0]["name"] == kept


def test_a_malformed_number_is_no_number(index: Index) -> None:
    index.add([row(series=1, SeriesNumber="7"), row(series=2, SeriesNumber="x"), row(series=3, SeriesNumber="9" * 30)])
    assert [one["number"] for one in contents(index)["series"]] == [7, None, None]


def test_changes_are_numbered_in_the_order_of_commits(index: Index) -> None:
    for number in range(1, 6):
        index.commit(row(number))
    changes = index.changes()
    assert [change.instance for change in changes] == [f"1.2.1.1.{number}" for number in range(1, 6)]
    assert index.changes(changes[1].number, limit=2) == changes[2:4]
    assert index.changes(changes[-1].number) == []


def test_threads_that_commit_share_transactions(index: Index) -> None:
    what: list[str] = []

    def commit(thread: int) -> None:
        what.extend(index.commit(row(number, 1 + thread % 2, 1 + thread % 3)).what for number in range(20))

    threads = [threading.Thread(target=commit, args=(thread,)) for thread in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    # Six series of 20 instances, each committed by two threads.
    assert (what.count("stored"), what.count("same")) == (120, 120)
    found = contents(index)
    assert [one["n_instances"] for one in found["series"]] == [20] * 6
    assert [one["n_instances"] for one in found["study"]] == [40] * 3


def test_a_row_can_be_committed_for_an_event_loop(index: Index) -> None:
    futures = [index.begin(row(number)) for number in range(5)]
    assert [future.result(10).what for future in futures] == ["stored"] * 5


def test_one_bad_row_does_not_refuse_the_others(index: Index) -> None:
    futures = [index.begin(one) for one in (row(1), replace(row(2), size=1 << 70), row(3))]
    assert futures[0].result(10).what == "stored"
    assert futures[2].result(10).what == "stored"
    with pytest.raises((DatabaseError, OverflowError)):
        futures[1].result(10)
    assert index.counts()["instances"] == 2


def test_an_index_can_be_opened_again(database: str) -> None:
    with Index(database, ARCHIVE_FOLDER) as index:
        index.commit(row())
        before = contents(index)
    with Index(database, ARCHIVE_FOLDER) as index:
        assert contents(index) == before
        assert index.commit(row()).what == "same"
        assert index.commit(row(2)).what == "stored"


def test_two_indexes_of_one_database_see_each_other(database: str) -> None:
    with Index(database, ARCHIVE_FOLDER) as one, Index(database, ARCHIVE_FOLDER) as other:
        one.commit(row(1))
        assert other.commit(row(2)).what == "stored"
        assert one.commit(row(2)).what == "same"
        assert one.counts()["instances"] == 2
        assert len(contents(one)["series"]) == 1


def test_a_database_of_another_program_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE mine (x)")
    before = path.read_bytes()
    with pytest.raises(DatabaseError, match="another program"):
        Index(path, ARCHIVE_FOLDER)
    assert path.read_bytes() == before


def test_the_database_is_for_its_owner_alone(tmp_path: Path) -> None:
    with Index(tmp_path / "index.db", ARCHIVE_FOLDER) as index:
        index.commit(row())
        assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o600}
