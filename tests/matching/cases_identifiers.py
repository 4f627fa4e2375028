"""Cases of whole identifiers: several keys, and date and time matched as one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from tests.matching.reference import DEFAULT, Options
from tests.matching.table import NO, YES, Value

Attributes = Mapping[str, tuple[str, Value]]

COMBINED = Options(date_time=True)


class IdentifierCase(NamedTuple):
    """A row of the table: the keys of an identifier held against the attributes of an entity."""

    keys: Attributes
    entity: Attributes
    options: Options
    expected: str
    why: str


def study(date: str | None, time: str | None) -> Attributes:
    """Return Study Date and Study Time, each left out where it is None."""
    found = {"StudyDate": ("DA", date), "StudyTime": ("TM", time)}
    return {keyword: (vr, value) for keyword, (vr, value) in found.items() if value is not None}


def _studies(
    date: str, time: str, why: str, rows: list[tuple[str | None, str | None, str]], options: Options
) -> list[IdentifierCase]:
    return [IdentifierCase(study(date, time), study(day, hour), options, expected, why) for day, hour, expected in rows]


PATIENT: Attributes = {
    "PatientID": ("LO", "P1"),
    "PatientName": ("PN", "Doe^John"),
    "ModalitiesInStudy": ("CS", "CT\\MR"),
}

CASES: list[IdentifierCase] = [
    IdentifierCase({}, PATIENT, DEFAULT, YES, "C.2.2.2: no key restricts nothing"),
    IdentifierCase({"PatientID": ("LO", "P1")}, PATIENT, DEFAULT, YES, "C.2.2.2: every key has to match"),
    IdentifierCase(
        {"PatientID": ("LO", "P1"), "PatientName": ("PN", "DOE*")},
        PATIENT,
        DEFAULT,
        YES,
        "C.2.2.2: every key has to match",
    ),
    IdentifierCase(
        {"PatientID": ("LO", "P1"), "PatientName": ("PN", "ROE*")},
        PATIENT,
        DEFAULT,
        NO,
        "C.2.2.2: every key has to match",
    ),
    IdentifierCase(
        {"PatientID": ("LO", "P1"), "AccessionNumber": ("SH", "")}, PATIENT, DEFAULT, YES, "C.2.2.2.3: a return key"
    ),
    IdentifierCase(
        {"PatientID": ("LO", "p1")}, PATIENT, DEFAULT, NO, "C.2.2.2.1: the case of a patient ID counts by its keyword"
    ),
    IdentifierCase({"ModalitiesInStudy": ("CS", "MR\\US")}, PATIENT, DEFAULT, YES, "Several values, any of them"),
    *_studies(
        "20240101-20240103",
        "2200-0600",
        "C.2.2.2.5, not negotiated: a range of times is the same for each day, and this one is empty",
        [("20240102", "120000", NO), ("20240101", "230000", NO)],
        DEFAULT,
    ),
    *_studies(
        "20240101-20240103",
        "0900-1000",
        "C.2.2.2.5, not negotiated: date and time are matched each for itself",
        [("20240102", "093000", YES), ("20240102", "120000", NO), ("20240101", "083000", NO)],
        DEFAULT,
    ),
    *_studies(
        "20240101-20240103",
        "0900-1000",
        "C.2.2.2.5, negotiated: from the first time on the first day to the second time on the last",
        [
            ("20240101", "090000", YES),
            ("20240101", "085959", NO),
            ("20240102", "030000", YES),
            ("20240102", "235959", YES),
            ("20240103", "100059", YES),
            ("20240103", "100100", NO),
            ("20231231", "093000", NO),
            ("20240104", "093000", NO),
        ],
        COMBINED,
    ),
    *_studies(
        "20240101-20240102",
        "2200-0600",
        "C.2.2.2.5, negotiated: a night is a range over midnight",
        [
            ("20240101", "230000", YES),
            ("20240102", "050000", YES),
            ("20240101", "210000", NO),
            ("20240102", "070000", NO),
            ("20240102", "000000", YES),
        ],
        COMBINED,
    ),
    *_studies(
        "20240101-",
        "1200-",
        "C.2.2.2.5, negotiated: both without an upper end",
        [("20240101", "115959", NO), ("20240101", "120000", YES), ("20240102", "010000", YES)],
        COMBINED,
    ),
    *_studies(
        "-20240101",
        "-1200",
        "C.2.2.2.5, negotiated: both without a lower end",
        [("20240101", "120059", YES), ("20240101", "120100", NO), ("20231231", "235959", YES)],
        COMBINED,
    ),
    *_studies(
        "20240101-",
        "-1200",
        "C.2.2.2.5, negotiated: other open ends, so each for itself",
        [("20240102", "110000", YES), ("20240102", "130000", NO), ("20231231", "110000", NO)],
        COMBINED,
    ),
    *_studies(
        "20240101",
        "0900-1000",
        "C.2.2.2.5, negotiated: the date is not a range, so each for itself",
        [("20240101", "093000", YES), ("20240101", "110000", NO), ("20240102", "093000", NO)],
        COMBINED,
    ),
    *_studies(
        "20240101-20240103",
        "",
        "C.2.2.2.5, negotiated: the time is a return key, so the date is matched for itself",
        [("20240103", "235959", YES), ("20240103", None, YES), ("20240104", "000000", NO)],
        COMBINED,
    ),
    *_studies(
        "20240101-20240103",
        "0900-1000",
        "C.2.2.1.2, departed from: a study without date or time is within no range",
        [(None, "093000", NO), ("20240102", None, NO), ("", "", NO), ("20240102", "", NO)],
        COMBINED,
    ),
    *_studies(
        "20240101-20240103",
        "0900-1000",
        "PS3.5 6.2: what is malformed is within no range",
        [("x", "093000", NO), ("20240102", "240000", NO)],
        COMBINED,
    ),
    IdentifierCase(
        {"SeriesDate": ("DA", "20240101-20240102"), "SeriesTime": ("TM", "2200-0600")},
        {"SeriesDate": ("DA", "20240102"), "SeriesTime": ("TM", "050000")},
        COMBINED,
        YES,
        "C.2.2.2.5, negotiated: date and time of a series",
    ),
    IdentifierCase(
        {"ContentDate": ("DA", "20240101-20240102"), "ContentTime": ("TM", "2200-0600")},
        {"ContentDate": ("DA", "20240102"), "ContentTime": ("TM", "050000")},
        COMBINED,
        YES,
        "C.2.2.2.5, negotiated: date and time of an image",
    ),
    IdentifierCase(
        {"StudyDate": ("DA", "20240101-20240102"), "SeriesTime": ("TM", "2200-0600")},
        {"StudyDate": ("DA", "20240102"), "SeriesTime": ("TM", "050000")},
        COMBINED,
        NO,
        "C.2.2.2.5, negotiated: a date and a time that are no pair stay each for itself",
    ),
]
