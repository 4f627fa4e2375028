"""The three instances that an evil SCP has, and the encoding of data sets by hand.

A data set is written as tuples of tag, VR and value; nothing here is shared with the package.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass

IMPLICIT, EXPLICIT = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1"
CT_IMAGE_STORAGE = "1.2.840.10008.5.1.4.1.1.2"
MR_IMAGE_STORAGE = "1.2.840.10008.5.1.4.1.1.4"

STUDY, SERIES = "1.2.826.0.1.3680043.10.999.1", "1.2.826.0.1.3680043.10.999.1.1"
FOREIGN_STUDY = "1.2.826.0.1.3680043.10.999.2"

CHARACTER_SET, SOP_CLASS_UID, SOP_INSTANCE_UID, LEVEL = 0x00080005, 0x00080016, 0x00080018, 0x00080052
RETRIEVE_AE_TITLE, FAILED_UIDS = 0x00080054, 0x00080058
STUDY_DATE, MODALITY, MODALITIES, SOP_CLASSES = 0x00080020, 0x00080060, 0x00080061, 0x00080062
PATIENT_NAME, PATIENT_ID = 0x00100010, 0x00100020
STUDY_UID, SERIES_UID, INSTANCE_NUMBER = 0x0020000D, 0x0020000E, 0x00200013
SERIES_COUNT, INSTANCE_COUNT, INSTANCES_IN_SERIES = 0x00201206, 0x00201208, 0x00201209
PIXEL_DATA = 0x7FE00010

LONG_VRS = frozenset(["OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV"])
UNDEFINED = 0xFFFFFFFF

Attribute = tuple[int, str, str | bytes]


@dataclass(frozen=True)
class Instance:
    """A CT image of a few bytes."""

    number: int
    study: str = STUDY
    series: str = SERIES
    sop_class: str = CT_IMAGE_STORAGE

    @property
    def uid(self) -> str:
        """The SOP Instance UID."""
        return f"{self.series}.{self.number}"

    def attributes(self, uid: str | None = None, pixels: bytes = b"pixels" * 20) -> list[Attribute]:
        """Return the data set, under another UID or with other pixels where they are given."""
        return [
            (SOP_CLASS_UID, "UI", self.sop_class),
            (SOP_INSTANCE_UID, "UI", uid if uid is not None else self.uid),
            (MODALITY, "CS", "CT"),
            (PATIENT_NAME, "PN", "Doe^John"),
            (PATIENT_ID, "LO", "P1"),
            (STUDY_UID, "UI", self.study),
            (SERIES_UID, "UI", self.series),
            (INSTANCE_NUMBER, "IS", str(self.number)),
            (PIXEL_DATA, "OW", pixels),
        ]


INSTANCES = tuple(Instance(number) for number in (1, 2, 3))
FOREIGN = Instance(9, FOREIGN_STUDY, FOREIGN_STUDY + ".1")

# The values of the stock by tag, for each level of a query.
STUDY_VALUES: dict[int, tuple[str, str]] = {
    STUDY_DATE: ("DA", "20240131"),
    MODALITIES: ("CS", "CT"),
    SOP_CLASSES: ("UI", CT_IMAGE_STORAGE),
    PATIENT_NAME: ("PN", "Doe^John"),
    PATIENT_ID: ("LO", "P1"),
    STUDY_UID: ("UI", STUDY),
    SERIES_COUNT: ("IS", "1"),
    INSTANCE_COUNT: ("IS", "3"),
}
SERIES_VALUES = {
    **STUDY_VALUES,
    MODALITY: ("CS", "CT"),
    SERIES_UID: ("UI", SERIES),
    INSTANCES_IN_SERIES: ("IS", "3"),
}


def values_of(level: str) -> list[dict[int, tuple[str, str]]]:
    """Return the values of each entity at a level: "STUDY", "SERIES", "IMAGE", or anything else for the patient."""
    if level == "IMAGE":
        return [
            {
                **SERIES_VALUES,
                SOP_CLASS_UID: ("UI", instance.sop_class),
                SOP_INSTANCE_UID: ("UI", instance.uid),
                INSTANCE_NUMBER: ("IS", str(instance.number)),
            }
            for instance in INSTANCES
        ]
    return [SERIES_VALUES if level == "SERIES" else STUDY_VALUES]


def encode(attributes: Iterable[Attribute], *, explicit: bool) -> bytes:
    """Return attributes as they stand, in Explicit or Implicit VR Little Endian; values are padded to even length."""
    return b"".join(element(tag, vr, padded(vr, value), explicit=explicit) for tag, vr, value in attributes)


def padded(vr: str, value: str | bytes) -> bytes:
    """Return a value in even length."""
    raw = value.encode("utf-8", "surrogateescape") if isinstance(value, str) else value
    return raw + (b"\0" if vr in ("UI", "OB", "OW", "UN") else b" ") * (len(raw) % 2)


def element(tag: int, vr: str, value: bytes, length: int | None = None, *, explicit: bool) -> bytes:
    """Return a data element, whose length field may lie."""
    length = len(value) if length is None else length
    head = struct.pack("<HH", tag >> 16, tag & 0xFFFF)
    if not explicit:
        return head + struct.pack("<I", length) + value
    if vr in LONG_VRS:
        return head + vr.encode() + struct.pack("<HI", 0, length) + value
    return head + vr.encode() + struct.pack("<H", length & 0xFFFF) + value


def parse(data: bytes, *, explicit: bool) -> dict[int, tuple[str, bytes]]:
    """Return VR ("LO" where it is implicit) and value of a data set's own elements by tag; a sequence counts as empty."""
    found: dict[int, tuple[str, bytes]] = {}
    at = 0
    while at + 8 <= len(data):
        tag, length, start = _header(data, at, explicit=explicit)
        vr = data[at + 4 : at + 6].decode("latin-1") if explicit else "LO"
        if length == UNDEFINED or vr == "SQ":
            found[tag] = (vr, b"")
            at = start + length if length != UNDEFINED else _after_items(data, start, explicit=explicit)
        else:
            found[tag], at = (vr, data[start : start + length]), start + length
    return found


def _header(data: bytes, at: int, *, explicit: bool) -> tuple[int, int, int]:
    """Return tag, length and start of the value of the element at `at`."""
    group, number = struct.unpack_from("<HH", data, at)
    tag = group << 16 | number
    if not explicit or group == 0xFFFE:
        return tag, struct.unpack_from("<I", data, at + 4)[0], at + 8
    if data[at + 4 : at + 6].decode("latin-1") in LONG_VRS:
        return tag, struct.unpack_from("<I", data, at + 8)[0], at + 12
    return tag, struct.unpack_from("<H", data, at + 6)[0], at + 8


def _after_items(data: bytes, at: int, *, explicit: bool) -> int:
    """Return where the elements go on after a sequence or item of undefined length."""
    while at + 8 <= len(data):
        tag, length, start = _header(data, at, explicit=explicit)
        if tag in (0xFFFEE0DD, 0xFFFEE00D):
            return start
        at = _after_items(data, start, explicit=explicit) if length == UNDEFINED else start + length
    return at
