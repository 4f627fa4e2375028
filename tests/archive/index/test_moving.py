"""The moving of studies between patients, and the lists and numbers of an index, on both databases."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import select

from dimse.archive.index import Index
from dimse.archive.index.check import check
from dimse.archive.index.importing import Importer
from dimse.archive.index.schema import META, PATIENT, STUDY
from dimse.archive.index.statistics import by_modality, span
from tests.archive.index.rows import ARCHIVE_FOLDER, row
from tests.tools import running
from tests.tools.running import Instance


def patients(index: Index) -> dict[str, tuple[str, str, str]]:
    """Return the Patient ID, the issuer and the name of each study's patient, by Study Instance UID."""
    query = select(STUDY.c.study_uid, PATIENT.c.patient_id, PATIENT.c.issuer, PATIENT.c.name)
    with index.database.reading() as connection:
        found = connection.execute(query.join(PATIENT, PATIENT.c.pk == STUDY.c.patient_pk)).all()
    return {uid: (patient_id, issuer, name) for uid, patient_id, issuer, name in found}


def test_a_study_moves_to_a_patient_who_is_there(database: str) -> None:
    with Index(database, ARCHIVE_FOLDER) as index:
        index.add([row(study=1), row(study=2, PatientID="2", PatientName="Roe^Jane")])
        assert index.move_study("1.2.1", "2")
        assert patients(index) == {"1.2.1": ("2", "", "Roe^Jane"), "1.2.2": ("2", "", "Roe^Jane")}
        assert index.counts()["patients"] == 1
        assert [change.what for change in index.changes()] == ["stored", "stored", "moved"]
        # Further instances of the study stay with it.
        (added,) = index.add([row(2, study=1)])
        assert added.differs == ("PatientID",)
        assert patients(index)["1.2.1"][0] == "2"
        assert next(iter(check(index, files=False))).kind == "differing"


def test_a_patient_who_is_not_there_gets_the_demographics(database: str) -> None:
    with Index(database, ARCHIVE_FOLDER) as index:
        index.add([row(study=1, PatientComments="x"), row(study=2)])
        assert index.move_study("1.2.1", "Müller", "HERE")
        assert patients(index) == {"1.2.1": ("Müller", "HERE", "Doe^John"), "1.2.2": ("1", "", "Doe^John")}
        assert not index.move_study("9.9", "2")
        with pytest.raises(ValueError, match="the Patient ID is empty"):
            index.move_study("1.2.1", "")


def test_a_move_is_forgotten_with_its_study(database: str) -> None:
    with Index(database, ARCHIVE_FOLDER) as index:
        index.add([row()])
        index.move_study("1.2.1", "2")
        index.delete("STUDY", "1.2.1")
        with index.database.reading() as connection:
            assert [key for key, _ in connection.execute(select(META)) if key != "schema"] == []
        index.add([row()])
        assert patients(index)["1.2.1"][0] == "1"


def test_the_numbers_of_modalities_are_counted(database: str) -> None:
    with Index(database, ARCHIVE_FOLDER) as index:
        assert by_modality(index.database) == []
        assert span(index.database).last_received == 0
        index.add([row(1), row(2), row(1, 2, Modality="SR"), row(study=2, StudyDate="20200101")])
        found = [(each.modality, each.studies, each.series, each.instances) for each in by_modality(index.database)]
        assert found == [("CT", 2, 2, 3), ("SR", 1, 1, 1)]
        assert (span(index.database).first_study, span(index.database).last_study) == ("20200101", "20240131")


def test_files_are_imported_into_both_databases(database: str, tmp_path: Path) -> None:
    rest = running.element(0x0020, 0x000D, "UI", b"1.2") + running.element(0x0020, 0x000E, "UI", b"1.3")
    paths = [str(Instance(f"1.4.{number}", rest=rest).write(tmp_path / "in" / f"{number}")) for number in range(50)]
    folder = tmp_path / "instances"
    with Index(database, folder) as index, Importer(index) as importer:
        assert {imported.fate for imported in importer.take(paths)} == {"imported"}
        assert {imported.fate for imported in importer.take(paths)} == {"there"}
        (folder / "1.2/1.3/1.4.7.dcm").unlink()
        # A file that is gone is put back.
        fates = [imported.fate for imported in importer.take(paths)]
        assert fates.count("there") == len(paths)
        assert list(check(index, full=True)) == []
        Instance("1.4.7", rest=rest + running.element(0x0028, 0x0010, "US", b"\1\0")).write(tmp_path / "in" / "7")
        assert [each.fate for each in importer.take(paths)].count("duplicate") == 1
        (duplicate,) = index.duplicates()
        assert (duplicate.sop_instance_uid, duplicate.why) == ("1.4.7", "other data set")
        assert duplicate.path == str(folder / "1.2/1.3/1.4.7~2.dcm")
