"""Rows for tests of the index, and the contents of an index in a form that can be compared."""

from __future__ import annotations

import hashlib
from typing import Any

from sqlalchemy import select

from dimse import tags, uids
from dimse.archive.index import Index
from dimse.archive.index.row import Row, default_path
from dimse.archive.index.schema import DUPLICATE, INSTANCE, PATIENT, SERIES, STUDY
from dimse.data_set.attributes import Attribute

ARCHIVE_FOLDER = "/nonexistent/archive"
"""The folder of an index of rows whose files do not matter."""


def attributes(**values: str) -> dict[int, Attribute]:
    """Return attributes of text, by keyword."""
    found = {}
    for keyword, value in values.items():
        tag = tags.find(keyword)
        assert tag is not None, keyword
        found[tag] = Attribute(tags.vr(tag), tuple(value.split("\\")) if value else ())
    return found


def row(
    number: int = 1,
    series: int = 1,
    study: int = 1,
    *,
    content: bytes = b"",
    path: str = "",
    uid: str = "",
    **values: str,
) -> Row:
    """Return the row of an instance. Its UIDs are made of the numbers, and its digest of UID and `content`.

    Args:
        number: The number of the instance in its series.
        series: The number of the series in its study.
        study: The number of the study.
        content: What makes its data set another one.
        path: The path of its file; that of the default layout if it is empty.
        uid: Its SOP Instance UID, if it is another one.
        values: Values of attributes, by keyword, besides those that every row has.
    """
    study_uid, series_uid = f"1.2.{study}", f"1.2.{study}.{series}"
    sop_uid = uid or f"1.2.{study}.{series}.{number}"
    said = {"PatientID": "1", "PatientName": "Doe^John", "StudyDate": "20240131", "Modality": "CT"} | values
    return Row(
        sop_uid,
        uids.CTImageStorage,
        uids.ExplicitVRLittleEndian,
        study_uid,
        series_uid,
        attributes(**said),
        number,
        path or default_path(study_uid, series_uid, sop_uid),
        400,
        hashlib.sha256(sop_uid.encode() + content).digest(),
        1_700_000_000.0 + number,
        "MODALITY",
    )


def contents(index: Index) -> dict[str, list[dict[str, Any]]]:
    """Return what an index holds, without keys and times: the same for two indexes of the same files."""
    patient = [column for column in PATIENT.columns if column.name != "pk"]
    study = [c for c in STUDY.columns if c.name not in ("pk", "patient_pk", "first_received", "last_received")]
    series = [column for column in SERIES.columns if column.name not in ("pk", "study_pk")]
    instance = [INSTANCE.c[name] for name in ("sop_uid", "number", "path", "size", "digest", "calling_ae")]
    queries = {
        "patient": select(*patient).order_by(PATIENT.c.patient_id, PATIENT.c.issuer, PATIENT.c.only_study),
        "study": select(*study, PATIENT.c.patient_id)
        .join(PATIENT, PATIENT.c.pk == STUDY.c.patient_pk)
        .order_by(STUDY.c.study_uid),
        "series": select(*series, STUDY.c.study_uid)
        .join(STUDY, STUDY.c.pk == SERIES.c.study_pk)
        .order_by("study_uid", "series_uid"),
        "instance": select(*instance, SERIES.c.series_uid)
        .join(SERIES, SERIES.c.pk == INSTANCE.c.series_pk)
        .order_by("sop_uid"),
        "duplicate": select(DUPLICATE.c.sop_uid, DUPLICATE.c.path, DUPLICATE.c.digest).order_by("sop_uid", "path"),
    }
    with index.database.reading() as connection:
        return {name: [dict(found._mapping) for found in connection.execute(query)] for name, query in queries.items()}
