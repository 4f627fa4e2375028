"""The attributes that the index keeps at each level (PS3.4 C.6.1.1), and the columns of those that have one."""

from __future__ import annotations

from functools import cache
from typing import Literal, TypeAlias

from dimse import tags
from dimse.services.information_models import KEYS, UNIQUE_KEYS
from dimse.support.values import value

Level: TypeAlias = Literal["PATIENT", "STUDY", "SERIES", "IMAGE"]

LEVELS: tuple[Level, ...] = ("PATIENT", "STUDY", "SERIES", "IMAGE")

COLUMNS: dict[str, str] = {
    "PatientID": "patient_id",
    "IssuerOfPatientID": "issuer",
    "PatientName": "name",
    "PatientBirthDate": "birth_date",
    "PatientSex": "sex",
    "StudyInstanceUID": "study_uid",
    "StudyDate": "study_date",
    "StudyTime": "study_time",
    "AccessionNumber": "accession",
    "StudyID": "study_id",
    "StudyDescription": "description",
    "ReferringPhysicianName": "referring",
    "ModalitiesInStudy": "modalities",
    "SOPClassesInStudy": "sop_classes",
    "NumberOfStudyRelatedSeries": "n_series",
    "NumberOfStudyRelatedInstances": "n_instances",
    "SeriesInstanceUID": "series_uid",
    "Modality": "modality",
    "SeriesNumber": "number",
    "SeriesDescription": "description",
    "BodyPartExamined": "body_part",
    "StationName": "station",
    "SeriesDate": "date",
    "SeriesTime": "time",
    "NumberOfSeriesRelatedInstances": "n_instances",
    "SOPInstanceUID": "sop_uid",
    "SOPClassUID": "sop_class",
    "AvailableTransferSyntaxUID": "ts",
    "InstanceNumber": "number",
}
"""The columns of keywords, in the table of their level. A keyword without one is in `attrs`, or that of an image in its file."""

# Attributes that are computed of the entities below; a data set does not have them.
COMPUTED = frozenset(
    (
        *("NumberOfPatientRelatedStudies", "NumberOfPatientRelatedSeries", "NumberOfPatientRelatedInstances"),
        *("NumberOfStudyRelatedSeries", "NumberOfStudyRelatedInstances", "NumberOfSeriesRelatedInstances"),
        *("ModalitiesInStudy", "SOPClassesInStudy", "AvailableTransferSyntaxUID"),
    )
)


@value
class Key:
    """An attribute of the index.

    Attributes:
        tag: Its tag.
        keyword: Its keyword.
        level: The level of its entity.
        column: Its column in the table of the level; empty if it has none.
        is_computed: True if it is not an attribute of data sets.
    """

    tag: int
    keyword: str
    level: Level
    column: str
    is_computed: bool


@cache
def keys() -> dict[int, Key]:
    """Return every attribute that the index keeps, by tag; the mapping must not be changed."""
    found: dict[int, Key] = {}
    for level in LEVELS:
        unique = tags.keyword(UNIQUE_KEYS[level])
        for keyword in (unique, *KEYS[level].split()):
            tag = tags.find(keyword)
            assert tag is not None
            found[tag] = Key(tag, keyword, level, COLUMNS.get(keyword, ""), keyword in COMPUTED)
    return found


@cache
def read_tags() -> frozenset[int]:
    """Return the tags that a receiver reads in each data set: those of patient, study and series, and a few of the image."""
    image = ("SOPClassUID", "SOPInstanceUID", "InstanceNumber")
    return frozenset(
        key.tag for key in keys().values() if not key.is_computed and (key.level != "IMAGE" or key.keyword in image)
    )
