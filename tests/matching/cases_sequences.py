"""Cases of attribute matching: sequences."""

from __future__ import annotations

from collections.abc import Mapping

from tests.matching.reference import Options
from tests.matching.table import NO, REFUSED, YES, Case, Value, block

UNKNOWN = Options(match_unknown=True)

Item = Mapping[str, tuple[str, Value]]


def code(value: str, scheme: str = "") -> Item:
    """Return an item of a code sequence; an attribute without a value stays in it."""
    return {"CodeValue": ("SH", value), "CodingSchemeDesignator": ("SH", scheme)}


def nested(depth: int, value: str) -> list[Item]:
    """Return the items of a sequence that holds `value` as deep as `depth` sequences."""
    inner: Item = {"CodeValue": ("SH", value)} if depth == 1 else {"ContentSequence": ("SQ", nested(depth - 1, value))}
    return [inner]


CT, MR, US = code("CT1", "DCM"), code("MR1", "DCM"), code("US1", "99X")
STEP: Item = {
    "Modality": ("CS", "CT"),
    "ScheduledProcedureStepStartDate": ("DA", "20240131"),
    "ScheduledStationAETitle": ("AE", "ROOM1"),
}
STEP_2: Item = {
    "Modality": ("CS", "MR"),
    "ScheduledProcedureStepStartDate": ("DA", "20240201"),
    "ScheduledStationAETitle": ("AE", "ROOM2"),
}

CASES: list[Case] = [
    *block(
        "SQ",
        "C.2.2.2.6: no item, or one empty item, matches everything",
        [([], [CT], YES), ([], [], YES), ([], None, YES), ([{}], [CT], YES), ([{}], [], YES), ([{}], None, YES)],
    ),
    *block(
        "SQ",
        "C.2.2.2.6 and C.2.2.2.3: an item that asks for attributes without a value matches every item",
        [([code("")], [CT], YES), ([code("", "")], [CT, MR], YES), ([{"CodeValue": ("SH", "*")}], [CT], YES)],
    ),
    *block(
        "SQ",
        "C.2.2.2.6: an item has to match every attribute of the key",
        [
            ([code("CT1", "DCM")], [CT], YES),
            ([code("CT1", "99X")], [CT], NO),
            ([code("CT2", "DCM")], [CT], NO),
            ([code("CT1")], [CT], YES),
            ([code("", "DCM")], [CT], YES),
            ([code("", "99X")], [CT], NO),
        ],
    ),
    *block(
        "SQ",
        "C.2.2.2.6: any item may match, not the first alone",
        [
            ([code("MR1")], [CT, MR], YES),
            ([code("US1", "99X")], [CT, MR, US], YES),
            ([code("XA1")], [CT, MR, US], NO),
            ([code("CT1", "DCM")], [US, CT], YES),
        ],
    ),
    *block(
        "SQ",
        "C.2.2.2.6: attributes have to match in one item, not here one and there another",
        [
            ([code("CT1", "99X")], [CT, US], NO),
            ([code("US1", "DCM")], [CT, US], NO),
            ([code("US1", "99X")], [CT, US], YES),
        ],
    ),
    *block(
        "SQ",
        "C.2.2.2.6: an entity without items does not match a key with a value",
        [([code("CT1")], [], NO), ([code("CT1")], None, NO), ([code("CT1")], [{}], NO)],
    ),
    *block(
        "SQ",
        "C.2.2.1.2 to the letter: unknown matches",
        [([code("CT1")], [], YES), ([code("CT1")], None, YES), ([code("CT1")], [{}], YES), ([code("CT1")], [MR], NO)],
        UNKNOWN,
    ),
    *block(
        "SQ",
        "C.2.2.2: within an item the rules of each VR hold",
        [
            ([{"Modality": ("CS", "CT")}], [STEP], YES),
            ([{"Modality": ("CS", "ct")}], [STEP], NO),
            ([{"Modality": ("CS", "C*")}], [STEP_2, STEP], YES),
            ([{"Modality": ("CS", "CT\\US")}], [STEP], YES),
            ([{"ScheduledProcedureStepStartDate": ("DA", "20240101-20240131")}], [STEP], YES),
            ([{"ScheduledProcedureStepStartDate": ("DA", "20240101-20240130")}], [STEP], NO),
            ([{"ScheduledProcedureStepStartDate": ("DA", "20240201-")}], [STEP, STEP_2], YES),
            ([{"ScheduledStationAETitle": ("AE", "ROOM?")}], [STEP], YES),
            ([{"Modality": ("CS", "CT"), "ScheduledStationAETitle": ("AE", "ROOM2")}], [STEP, STEP_2], NO),
            ([{"Modality": ("CS", "MR"), "ScheduledStationAETitle": ("AE", "ROOM2")}], [STEP, STEP_2], YES),
            ([{"Modality": ("CS", "CT"), "ScheduledStationAETitle": ("AE", "")}], [STEP], YES),
            ([{"CodeMeaning": ("LO", "chest")}], [{"CodeMeaning": ("LO", "CHEST")}], YES),
            ([{"PersonName": ("PN", "muller*")}], [{"PersonName": ("PN", "Müller^Hans")}], YES),
            ([{"CodeValue": ("SH", "x" + "*a" * 33)}], [CT], REFUSED),
        ],
    ),
    *block(
        "SQ",
        "C.2.2.2.6: an attribute that an item has not does not match a key with a value",
        [
            ([{"CodeMeaning": ("LO", "chest")}], [CT], NO),
            ([{"CodeMeaning": ("LO", "*"), "CodeValue": ("SH", "CT1")}], [CT], YES),
        ],
    ),
    *block(
        "SQ",
        "C.2.2.2.6: a key has one item",
        [([CT, MR], [CT], REFUSED), ([{}, {}], [CT], REFUSED), ([CT, MR], [], REFUSED)],
    ),
    *block(
        "SQ",
        "C.2.2.2.6: a sequence within a sequence follows the same rules",
        [
            (nested(2, "A"), nested(2, "A"), YES),
            (nested(2, "A"), nested(2, "B"), NO),
            (nested(2, "A"), nested(1, "A"), NO),
            (nested(2, ""), nested(2, "B"), YES),
            (nested(3, "A*"), nested(3, "AB"), YES),
            (nested(8, "A"), nested(8, "A"), YES),
            (nested(8, "A"), nested(8, "B"), NO),
            (nested(2, "A"), [*nested(2, "B"), *nested(2, "A")], YES),
            ([{"ContentSequence": ("SQ", [])}], [CT], YES),
            ([{"ContentSequence": ("SQ", [{}])}], [], YES),
        ],
    ),
    *block(
        "SQ",
        "A key with sequences deeper than eight is refused",
        [(nested(9, "A"), nested(9, "A"), REFUSED), (nested(9, "A"), [], REFUSED)],
    ),
    *block(
        "SQ",
        "PS3.5 7.8: a private element within a sequence is matched as any other",
        [
            ([{"[ACME]0029,1010": ("LO", "x")}], [{"[ACME]0029,1010": ("LO", "X")}], YES),
            ([{"[ACME]0029,1010": ("LO", "x")}], [{"[OTHER]0029,1010": ("LO", "X")}], NO),
        ],
    ),
]
