"""Locating instances by the unique keys of a retrieval."""

from __future__ import annotations

import pytest

from dimse.archive.index import Index, locate
from dimse.archive.index.row import Frames, Scope
from dimse.matching import UnfitKey
from dimse.support.values import replace
from tests.archive.index.rows import ARCHIVE_FOLDER, row


def test_instances_come_series_by_series_and_by_number(index: Index) -> None:
    index.add([row(number, series, study) for study in (1, 2) for series in (1, 2) for number in (3, 1, 2)])
    located = [one.sop_instance_uid for one in index.locate("STUDY", ["1.2.2", "1.2.1"])]
    assert located == [
        f"1.2.{study}.{series}.{number}" for study in (1, 2) for series in (1, 2) for number in (1, 2, 3)
    ]
    assert [one.sop_instance_uid for one in index.locate("SERIES", ["1.2.1.2"])] == [f"1.2.1.2.{n}" for n in (1, 2, 3)]
    assert [one.sop_instance_uid for one in index.locate("IMAGE", ["1.2.1.1.2"])] == ["1.2.1.1.2"]


def test_a_location_has_what_is_needed_to_send_a_file(index: Index) -> None:
    index.add([row(), row(2, path="else/where.dcm")])
    first, second = index.locate("STUDY", ["1.2.1"])
    assert first.path == f"{ARCHIVE_FOLDER}/1.2.1/1.2.1.1/1.2.1.1.1.dcm"
    assert second.path == f"{ARCHIVE_FOLDER}/else/where.dcm"
    assert (first.sop_class_uid, first.transfer_syntax_uid, first.size) == (
        row().sop_class_uid,
        row().transfer_syntax_uid,
        400,
    )
    assert (first.study_instance_uid, first.series_instance_uid, first.pixels) == ("1.2.1", "1.2.1.1", None)


@pytest.mark.parametrize("uids", [[], [""], ["1.9"], ["*"], ["1.2.?"], ["\0"], ["' OR 1=1 --"]])
def test_what_names_no_instance_finds_none(index: Index, uids: list[str]) -> None:
    """An empty list never means everything, and wild cards mean nothing in a retrieval."""
    index.add([row()])
    assert list(index.locate("STUDY", uids)) == []


def test_keys_above_the_level_must_match(index: Index) -> None:
    index.add([row(), row(1, 1, 2, PatientID="2")])
    assert len(list(index.locate("IMAGE", ["1.2.1.1.1", "1.2.2.1.1"], above={"STUDY": "1.2.2"}))) == 1
    assert list(index.locate("SERIES", ["1.2.1.1"], above={"PATIENT": "2"})) == []
    assert len(list(index.locate("SERIES", ["1.2.1.1"], above={"PATIENT": "1", "STUDY": "1.2.1"}))) == 1


def test_a_patient_id_of_several_issuers_needs_an_issuer(index: Index) -> None:
    index.add([row(1, 1, 1, IssuerOfPatientID="A"), row(1, 1, 2, IssuerOfPatientID="B"), row(1, 1, 3, PatientID="2")])
    with pytest.raises(UnfitKey, match="PatientID"):
        index.locate("PATIENT", ["1"])
    assert [one.study_instance_uid for one in index.locate("PATIENT", ["1"], issuer="B")] == ["1.2.2"]
    assert [one.study_instance_uid for one in index.locate("PATIENT", ["2"])] == ["1.2.3"]
    # Of a caller who may see one of them, the other is no ambiguity.
    seen = Scope(studies=frozenset(("1.2.1",)))
    assert [one.study_instance_uid for one in index.locate("PATIENT", ["1"], scope=seen)] == ["1.2.1"]


def test_a_scope_hides_instances(index: Index) -> None:
    index.add([row(1, 1, study) for study in (1, 2)])
    scope = Scope(studies=frozenset(("1.2.2",)))
    assert [one.study_instance_uid for one in index.locate("PATIENT", ["1"], scope=scope)] == ["1.2.2"]


def test_many_instances_come_in_pages(index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locate, "PAGE", 7)
    index.add([row(number, series) for series in (1, 2, 3) for number in range(1, 11)])
    uids = [one.sop_instance_uid for one in index.locate("STUDY", ["1.2.1"])]
    assert len(uids) == len(set(uids)) == 30


def test_the_place_of_the_frames_is_found_where_asked_for(index: Index) -> None:
    frames = Frames(1000, -1, 2, 512, 256, 16, ((1008, 100), (1116, 90)))
    index.add([replace(row(1), pixels=frames), row(2)])
    assert [one.pixels for one in index.locate("STUDY", ["1.2.1"], pixels=True)] == [frames, None]
    assert [one.pixels for one in index.locate("STUDY", ["1.2.1"])] == [None, None]
