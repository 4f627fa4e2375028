"""Searching an index: levels, order, pages, scope, what an entity has, and keys that are meant to do harm."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dimse import tags
from dimse.archive.index import Index
from dimse.archive.index.attributes import Level
from dimse.archive.index.attributes import keys as known_keys
from dimse.archive.index.levels import check_strictly
from dimse.archive.index.row import EVERYTHING, Row, Scope
from dimse.data_set.attributes import Attribute
from dimse.errors import QueryTooLong
from dimse.matching import Rules, UnfitKey, matches
from dimse.matching.query import MOST_VALUES
from dimse.matching.texts import composed
from dimse.services.information_models import UNIQUE_KEYS
from dimse.support.values import replace
from tests.archive.index.archives import tag_of
from tests.archive.index.rows import attributes, row


def found(index: Index, level: Level, what: str, scope: Scope = EVERYTHING, **keys: str) -> list[str]:
    """Return an attribute of each entity that a search yields; values are joined by backslashes."""
    entities = index.search(level, attributes(**keys), root="patient", scope=scope)
    return ["\\".join(entity.get(tag_of(what), Attribute("LO", ())).values) for entity in entities]


def some_studies() -> list[Row]:
    """Return the rows of three studies of two patients."""
    john: dict[str, Any] = {"PatientID": "1", "PatientName": "Doe^John"}
    return [
        *(row(number, 1, 1, StudyDate="20240101", SeriesNumber="2", Modality="MR", **john) for number in (2, 1)),
        row(1, 2, 1, StudyDate="20240101", SeriesNumber="1", Modality="CT", **john),
        row(1, 1, 2, StudyDate="20240301", Modality="CT", **john),
        row(1, 1, 3, StudyDate="20240301", PatientID="2", PatientName="Adams^Eve", Modality="US"),
    ]


def test_studies_are_newest_first_and_patients_by_name(index: Index) -> None:
    index.add(some_studies())
    assert found(index, "STUDY", "StudyInstanceUID") == ["1.2.2", "1.2.3", "1.2.1"]
    assert found(index, "PATIENT", "PatientName") == ["Adams^Eve", "Doe^John"]
    assert found(index, "SERIES", "SeriesNumber", StudyInstanceUID="1.2.1") == ["1", "2"]
    assert found(index, "IMAGE", "InstanceNumber", SeriesInstanceUID="1.2.1.1") == ["1", "2"]


@pytest.mark.parametrize("page", [1, 2, 3, 100])
def test_pages_of_any_size_have_each_entity_once(index: Index, page: int) -> None:
    index.add([row(1, 1, study, StudyDate=f"2024010{study % 3 + 1}") for study in range(1, 8)])
    entities = index.search("STUDY", {}, page=page)
    uids = [entity[0x0020000D].values[0] for entity in entities]
    assert uids == ["1.2.2", "1.2.5", "1.2.1", "1.2.4", "1.2.7", "1.2.3", "1.2.6"]


def test_what_is_added_and_deleted_between_pages_shifts_no_other(index: Index) -> None:
    index.add([row(1, 1, study, StudyDate=f"202401{study:02}") for study in range(1, 7)])
    entities = index.search("STUDY", {}, page=2)
    first = [next(entities)[0x0020000D].values[0] for _ in range(2)]
    # One before the place where the search is, and one behind it.
    index.add([row(1, 1, 8, StudyDate="20250101"), row(1, 1, 9, StudyDate="20230101")])
    assert first + [entity[0x0020000D].values[0] for entity in entities] == [
        *("1.2.6", "1.2.5", "1.2.4", "1.2.3", "1.2.2", "1.2.1", "1.2.9")
    ]


def test_a_search_takes_no_more_than_its_limit(index: Index) -> None:
    index.add([row(1, 1, study) for study in range(1, 8)])
    assert len(list(index.search("STUDY", {}, limit=3))) == 3
    assert len(list(index.search("STUDY", {}, limit=0))) == 7


def test_counts_are_those_of_the_entity_and_not_of_the_query(index: Index) -> None:
    index.add(some_studies())
    numbers = ("NumberOfPatientRelatedStudies", "NumberOfPatientRelatedSeries", "NumberOfPatientRelatedInstances")
    keys = {"PatientName": "DOE*", "StudyInstanceUID": "1.2.1"} | dict.fromkeys(numbers, "")
    keys |= dict.fromkeys(("NumberOfStudyRelatedSeries", "NumberOfStudyRelatedInstances"), "")
    (study,) = index.search("STUDY", attributes(**keys))
    assert [study[tag_of(name)].values for name in numbers] == [("2",), ("3",), ("4",)]
    assert study[tag_of("NumberOfStudyRelatedSeries")].values == ("2",)
    assert study[tag_of("NumberOfStudyRelatedInstances")].values == ("3",)
    assert study[tag_of("ModalitiesInStudy")].values == ("CT", "MR")


def test_a_number_of_a_patients_studies_is_matched(index: Index) -> None:
    index.add(some_studies())
    assert found(index, "PATIENT", "PatientID", NumberOfPatientRelatedStudies="2") == ["1"]


def test_modality_at_the_level_of_studies_means_modalities_in_study(index: Index) -> None:
    index.add(some_studies())
    assert found(index, "STUDY", "StudyInstanceUID", Modality="MR") == ["1.2.1"]
    assert found(index, "STUDY", "StudyInstanceUID", Modality="MR\\US") == ["1.2.3", "1.2.1"]
    assert found(index, "STUDY", "StudyInstanceUID", Modality="MR", ModalitiesInStudy="US") == []
    assert found(index, "STUDY", "StudyInstanceUID", ModalitiesInStudy="?T") == ["1.2.2", "1.2.1"]
    # It is no key of a patient.
    assert found(index, "PATIENT", "PatientID", Modality="MR") == ["2", "1"]


def test_keys_of_levels_above_are_matched_and_those_below_are_not(index: Index) -> None:
    index.add(some_studies())
    assert found(index, "IMAGE", "SOPInstanceUID", PatientName="adams*") == ["1.2.3.1.1"]
    assert found(index, "STUDY", "StudyInstanceUID", SeriesDescription="nothing", PatientID="2") == ["1.2.3"]


@pytest.mark.parametrize(
    ("level", "keyword"),
    [("PATIENT", "StudyInstanceUID"), ("STUDY", "SeriesInstanceUID"), ("SERIES", "SOPInstanceUID")],
)
def test_a_unique_key_of_a_lower_level_is_refused(index: Index, level: Level, keyword: str) -> None:
    with pytest.raises(UnfitKey, match=keyword):
        index.search(level, attributes(**{keyword: ""}), root="patient")


def test_the_study_root_has_no_level_of_patients(index: Index) -> None:
    with pytest.raises(ValueError, match="PATIENT"):
        index.search("PATIENT", {}, root="study")


def test_a_strict_hierarchy_wants_one_value_for_each_level_above() -> None:
    check_strictly("SERIES", attributes(StudyInstanceUID="1.2"))
    check_strictly("STUDY", attributes(PatientID="1"), "patient")
    for keys in ({}, {"StudyInstanceUID": ""}, {"StudyInstanceUID": "1.2\\1.3"}):
        with pytest.raises(UnfitKey, match="StudyInstanceUID"):
            check_strictly("SERIES", attributes(**keys))
    with pytest.raises(UnfitKey, match="PatientID"):
        check_strictly("STUDY", attributes(PatientID="1*"), "patient")


def test_a_scope_hides_everything_beyond_it(index: Index) -> None:
    index.add(some_studies())
    one_study, one_patient = Scope(studies=frozenset(("1.2.1",))), Scope(patients=frozenset(("2",)))
    assert found(index, "STUDY", "StudyInstanceUID", one_study) == ["1.2.1"]
    assert found(index, "PATIENT", "PatientID", one_study) == ["1"]
    assert found(index, "PATIENT", "NumberOfPatientRelatedStudies", one_study, NumberOfPatientRelatedStudies="") == [
        "1"
    ]
    assert found(index, "SERIES", "SeriesInstanceUID", one_patient) == ["1.2.3.1"]
    assert found(index, "IMAGE", "SOPInstanceUID", Scope(frozenset(("1.2.1",)), frozenset(("2",)))) == []
    assert found(index, "STUDY", "StudyInstanceUID", Scope(studies=frozenset())) == []
    assert found(index, "STUDY", "StudyInstanceUID", one_patient, StudyInstanceUID="1.2.1") == []


def test_a_list_of_uids_keeps_the_order_of_the_search(index: Index) -> None:
    """A Series Instance UID that is in two studies is found twice, and not more often."""
    index.add([row(1, 1, study, StudyDate=f"2024{study % 12 + 1:02}01") for study in range(1, 30)])
    index.add([replace(row(2, 1, 31), series_instance_uid="1.2.1.1")])
    everything = [entity[0x0020000D].values for entity in index.search("STUDY", {})]
    uids = [f"1.2.{study}" for study in range(1, 1200)]
    for more in ([], ["1.2.x", "a\0b", ""]):
        keys = {0x0020000D: Attribute("UI", tuple(uids + more))}
        assert [entity[0x0020000D].values for entity in index.search("STUDY", keys)] == everything
    keys = {0x0020000E: Attribute("UI", tuple(f"{uid}.1" for uid in uids))}
    assert len(list(index.search("SERIES", keys))) == 30


@pytest.mark.parametrize("number", [2, 600, 10_000])
def test_a_list_of_uids_finds_each_of_them(index: Index, number: int) -> None:
    index.add([row(1, 1, study) for study in range(1, 4)])
    wanted = [f"1.2.{study}" for study in range(2, number + 2)]
    keys = {0x0020000D: Attribute("UI", tuple(wanted))}
    assert len(list(index.search("STUDY", keys, page=1))) == 2
    assert len(list(index.search("SERIES", keys))) == 2


HARMFUL = [
    "'; DROP TABLE study; --",
    "' OR '1'='1",
    '" OR ""="',
    "%",
    "_",
    "\\",
    "!",
    "!%",
    "[a-z]",
    "%' ESCAPE '",
    "a\0b",
    "*'*",
    "$.x",
    '"]',
    "\udfff",
]


@pytest.mark.parametrize("text", HARMFUL)
def test_a_value_is_a_value(index: Index, text: str) -> None:
    """Characters that mean something in SQL, in patterns, or in JSON mean nothing in a key."""
    index.add([row(1, 1, 1, StudyDescription="plain", InstitutionName="plain", StationName="plain")])
    for keyword in (
        "PatientName",
        "PatientID",
        "StudyDescription",
        "AccessionNumber",
        "StationName",
        "InstitutionName",
    ):
        keys = {tag_of(keyword): Attribute("LO" if keyword != "PatientName" else "PN", (text, text))}
        for rules in (Rules(), Rules(fuzzy=True, multiple_values=True), Rules(match_case=True)):
            assert list(index.search("SERIES", keys, rules=rules)) == []
    assert index.counts()["studies"] == 1


@pytest.mark.parametrize("keyword", ["StudyDescription", "StudyID", "PatientName", "InstitutionName", "StationName"])
def test_every_character_is_matched_as_it_is(index: Index, keyword: str) -> None:
    """Characters of ASCII and a few others, as themselves, within wild cards, and under a question mark."""
    characters = "aAz09 !\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~éÉßſ山İıﬁ\U0001f600\u0301\uffff"
    values = [f"a{character}b" for character in characters if character not in "\\^="]
    given: dict[str, Any]
    for study, value in enumerate(values):
        given = {"PatientID": f"{study}", keyword: value}
        index.add([row(1, 1, study, **given)])
    vr = "PN" if keyword == "PatientName" else "SH" if keyword in ("StudyID", "StationName") else "LO"
    tag = tag_of(keyword)
    for character in characters:
        for key in (f"a{character}b", f"?{character}*"):
            keys = {tag: Attribute(vr, (key,))}
            expected = {composed(value) for value in values if matches(keys, {tag: Attribute(vr, (value,))})}
            got = {value for entity in index.search("SERIES", keys) for value in entity[tag].values}
            assert got == expected, key


@pytest.mark.parametrize("key", ["*" + "a*" * 31, "?" * 1024, "a" * 60_000 + "*", "%" * 60_000, "*" + "!" * 60_000])
def test_a_long_key_is_answered(index: Index, key: str) -> None:
    index.add([row(1, 1, 1, StudyDescription="x" * 900, InstitutionName="x" * 900)])
    for tag in (tag_of("StudyDescription"), tag_of("InstitutionName"), tag_of("StationName")):
        assert list(index.search("SERIES", {tag: Attribute("LO", (key,))})) == []


@pytest.mark.timeout(20)
def test_an_identifier_of_as_many_keys_and_values_as_there_may_be_is_answered(index: Index) -> None:
    index.add([row(PatientName="a99^b", StudyDescription="x200y")])
    keys: dict[int, Attribute] = {}
    for tag, key in known_keys().items():
        vr = tags.vr(tag)
        if (
            key.level in ("PATIENT", "STUDY", "SERIES")
            and tag not in UNIQUE_KEYS.values()
            and vr in ("LO", "PN", "SH", "CS")
        ):
            keys[tag] = Attribute(vr, tuple(f"*{number}*" for number in range(MOST_VALUES)))
    assert list(index.search("SERIES", keys)) == []
    few = {tag: keys[tag] for tag in (tag_of("PatientName"), tag_of("StudyDescription"))}
    assert len(list(index.search("SERIES", few))) == 1
    assert len(list(index.search("SERIES", keys, rules=Rules(match_unknown=True)))) == 0


@pytest.mark.parametrize(
    ("number", "expected"), [("7", 1), ("007", 1), ("+7", 1), ("8", 0), ("7.0", 0), ("9" * 60, 0), ("-" + "9" * 60, 0)]
)
def test_a_number_is_matched_as_a_number(index: Index, number: str, expected: int) -> None:
    index.add([row(SeriesNumber="07")])
    assert len(found(index, "SERIES", "SeriesNumber", SeriesNumber=number)) == expected


@pytest.mark.parametrize(
    ("level", "keys"),
    [
        ("STUDY", {"PatientName": "*a*"}),
        ("SERIES", {"InstitutionName": "nowhere"}),
        ("IMAGE", {"ContentDate": "20240101"}),
    ],
)
def test_a_search_that_finds_nothing_ends_after_its_time(
    index: Index, monkeypatch: pytest.MonkeyPatch, level: Level, keys: dict[str, str]
) -> None:
    """The time of a query is limited, even where most of it is spent outside the database."""
    index.add([row(1, 1, study, PatientName="x") for study in range(50)])
    monkeypatch.setattr("dimse.archive.index.search.LONGEST_QUERY", {"sqlite": 0.0, "postgresql": 0.0})
    if level == "IMAGE":
        with pytest.raises(QueryTooLong):
            list(index.search(level, attributes(**keys)))
    else:
        # SQL alone finds nothing.
        assert list(index.search(level, attributes(**keys))) == []


def test_an_attribute_that_is_not_in_the_index_comes_from_the_file(tmp_path: Path, database: str) -> None:
    from pydicom import Dataset
    from pydicom.dataset import FileMetaDataset
    from pydicom.uid import UID

    data_set = Dataset()
    data_set.SpecificCharacterSet = "ISO_IR 192"
    data_set.SOPClassUID, data_set.SOPInstanceUID = row().sop_class_uid, row().sop_instance_uid
    data_set.ContentDate, data_set.Rows, data_set.ImageComments = "20240131", 512, "Größe"
    data_set.file_meta = FileMetaDataset()
    data_set.file_meta.TransferSyntaxUID = UID(row().transfer_syntax_uid)
    with Index(database, tmp_path) as index:
        index.add([row(1), row(2)])
        path = tmp_path / "1.2.1/1.2.1.1/1.2.1.1.1.dcm"
        path.parent.mkdir(parents=True)
        data_set.save_as(path, enforce_file_format=True)
        keys = attributes(ContentDate="20240101-", ImageComments="")
        (entity,) = index.search("IMAGE", keys)
        assert entity[tag_of("Rows")] == Attribute("US", (512,))
        assert entity[tag_of("ImageComments")].values == ("Größe",)
        assert entity.get(tag_of("ConceptNameCodeSequence")) is None
        assert entity.location.path == str(path)
        assert set(entity) >= {tag_of("ContentDate"), tag_of("Rows"), tag_of("PatientName")}
        # The file of the second is missing, and so are its attributes.
        assert [one.get(tag_of("ContentDate")) for one in index.search("IMAGE", attributes(InstanceNumber="2"))] == [
            None
        ]


def test_an_entity_hides_its_values_from_a_log(index: Index) -> None:
    index.add([row(PatientName="Secret^Name")])
    (entity,) = index.search("STUDY", {})
    assert "Secret" not in repr(entity)
    with pytest.raises(KeyError):
        entity[tag_of("PatientComments")]
    with pytest.raises(ValueError, match="no file"):
        entity.location
