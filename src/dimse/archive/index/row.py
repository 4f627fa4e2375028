"""Rows: what the index keeps of one file, as values without a database."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypeAlias

from dimse.archive.names import safe_component
from dimse.data_set.attributes import Attributes
from dimse.support.values import field, value


@value
class Frames:
    """The place and the shape of an instance's Pixel Data.

    Attributes:
        offset: The bytes of the data set before its value.
        length: The bytes of its value; -1 if the length is undefined.
        frames: The number of frames.
        rows: Rows of a frame.
        columns: Columns of a frame.
        bits: Bits Allocated.
        table: Offset and length of each compressed frame, from the beginning of the data set on. It is empty if the frames are not
            compressed, or their places are unknown.
    """

    offset: int
    length: int
    frames: int = 1
    rows: int = 0
    columns: int = 0
    bits: int = 0
    table: tuple[tuple[int, int], ...] = ()


@value
class Row:
    """An instance that was stored, as the index takes it.

    Attributes:
        sop_instance_uid: The SOP Instance UID.
        sop_class_uid: The SOP Class UID.
        transfer_syntax_uid: The transfer syntax of the data set.
        study_instance_uid: The Study Instance UID; not empty.
        series_instance_uid: The Series Instance UID; not empty.
        attributes: The attributes of patient, study and series that the index keeps, decoded.
        number: The Instance Number; None if there is no whole number.
        path: The path of the file, relative to its store.
        size: Bytes of the data set.
        digest: SHA-256 over transfer syntax UID and data set; empty if it was not computed.
        received: The time when it was kept, in seconds since 1970-01-01 UTC.
        calling_ae_title: The AE title of the sender; empty if it is not known.
        pixels: Its Pixel Data; None without any.
        fingerprint: It stands for the values of `attributes`: two rows of one series with the same one have the same values.
            It is empty if it is not known.
        was_there: True if the file was there before this instance arrived, so that no file was added.
    """

    sop_instance_uid: str
    sop_class_uid: str
    transfer_syntax_uid: str
    study_instance_uid: str
    series_instance_uid: str
    attributes: Attributes = field(repr=False)
    number: int | None
    path: str
    size: int
    digest: bytes
    received: float
    calling_ae_title: str = ""
    pixels: Frames | None = None
    fingerprint: bytes = field(default=b"", repr=False)
    was_there: bool = False


What: TypeAlias = Literal["stored", "same", "duplicate", "replaced", "rejected"]


@value
class Added:
    """The outcome of adding a row.

    Attributes:
        what: "stored": it is served. "same": it was there already, with the same data set. "duplicate": another data set with its
            SOP Instance UID is served, and it is kept beside it. "replaced": it is served, and the other one is kept beside it.
            "rejected": another data set is served, and this one must not be acknowledged.
        sop_instance_uid: Its SOP Instance UID.
        path: The path of its file, relative to its store.
        differs: The attributes that differ from those in force for its patient and its study, by keyword. With PatientID among
            them, its study belongs to another patient.
    """

    what: What
    sop_instance_uid: str
    path: str
    differs: tuple[str, ...] = ()


@value
class Location:
    """The place of an instance that a search has found.

    Attributes:
        sop_instance_uid: The SOP Instance UID.
        sop_class_uid: The SOP Class UID.
        transfer_syntax_uid: The transfer syntax of the file.
        path: The absolute path of the file.
        size: Bytes of the data set.
        study_instance_uid: The Study Instance UID.
        series_instance_uid: The Series Instance UID.
        pixels: Its Pixel Data; None without any, or where they were not asked for.
        patient_id: The Patient ID of its study; empty without one.
    """

    sop_instance_uid: str
    sop_class_uid: str
    transfer_syntax_uid: str
    path: str
    size: int
    study_instance_uid: str
    series_instance_uid: str
    pixels: Frames | None = None
    patient_id: str = field(default="", repr=False)


@value
class Scope:
    """The part of the archive that a caller may see. By default it is all.

    Attributes:
        studies: Study Instance UIDs; None is any.
        patients: Patient IDs; None is any.
    """

    studies: frozenset[str] | None = None
    patients: frozenset[str] | None = None


EVERYTHING = Scope()


@value
class Change:
    """An entry of the change feed.

    Attributes:
        number: Its number; later changes have larger ones.
        what: "stored", "replaced", "duplicate", "deleted" or "moved".
        study: The Study Instance UID.
        series: The Series Instance UID; empty if the change is one of a study.
        instance: The SOP Instance UID; empty if the change is one of a study or series.
        at: The time, in seconds since 1970-01-01 UTC.
    """

    number: int
    what: str
    study: str
    series: str
    instance: str
    at: float


Counts = Mapping[str, int]
"""Numbers of patients, studies, series, instances and duplicates, and "size" in bytes."""


def default_path(study: str, series: str, instance: str) -> str:
    """Return the path that the default layout of an archive makes of the UIDs, relative to its store."""
    return f"{safe_component(study)}/{safe_component(series)}/{safe_component(instance)}.dcm"
