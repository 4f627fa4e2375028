"""The places of instances: which files the unique keys of a retrieval name (PS3.4 C.4.2 and C.4.3)."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, func, select

from dimse.archive.index.attributes import Level
from dimse.archive.index.database import Database
from dimse.archive.index.frames import unpack
from dimse.archive.index.normal import is_storable
from dimse.archive.index.pages import rows
from dimse.archive.index.row import EVERYTHING, Frames, Location, Scope, default_path
from dimse.archive.index.schema import INSTANCE, PATIENT, PIXELS, SERIES, STORE, STUDY, UID_NAME
from dimse.archive.index.tables import DIALECTS, within
from dimse.matching import UnfitKey
from dimse.services.information_models import UNIQUE_KEYS

PAGE = 1_000
"""Instances that are located in one transaction."""

_LAST = 2**63 - 1

_UNIQUE: dict[Level, ColumnElement[str]] = {
    "PATIENT": PATIENT.c.patient_id,
    "STUDY": STUDY.c.study_uid,
    "SERIES": SERIES.c.series_uid,
    "IMAGE": INSTANCE.c.sop_uid,
}

LOCATION: tuple[ColumnElement[Any], ...] = (
    INSTANCE.c.sop_uid,
    select(UID_NAME.c.uid).where(UID_NAME.c.pk == INSTANCE.c.sop_class).scalar_subquery().label("class_uid"),
    select(UID_NAME.c.uid).where(UID_NAME.c.pk == INSTANCE.c.ts).scalar_subquery().label("syntax_uid"),
    select(STORE.c.root).where(STORE.c.pk == INSTANCE.c.store).scalar_subquery().label("root"),
    INSTANCE.c.path,
    INSTANCE.c.size,
    STUDY.c.study_uid,
    SERIES.c.series_uid,
    PATIENT.c.patient_id,
)
"""The columns of which `location_of` makes a location."""

_PIXELS = tuple(column for column in PIXELS.c if column.name != "instance_pk")


def location_of(row: Sequence[Any], pixels: Frames | None = None) -> Location:
    """Return the location in the columns `LOCATION`."""
    instance, sop_class, syntax, root, path, size, study, series, patient = row
    place = default_path(study, series, instance) if path is None else path
    return Location(instance, sop_class, syntax, os.path.join(root, place), size, study, series, pixels, patient)


def locations(
    database: Database,
    level: Level,
    uids: Sequence[str],
    *,
    above: Mapping[Level, str] | None = None,
    issuer: str | None = None,
    scope: Scope = EVERYTHING,
    pixels: bool = False,
) -> Iterator[Location]:
    """Yield the places of the instances of patients, studies or series, or of some instances.

    They come series by series, and by Instance Number in each. A page at a time is read.

    Args:
        database: The database of the index.
        level: The level of the unique keys.
        uids: Patient IDs, or UIDs; without any nothing is found.
        above: Unique keys of levels above, one for each.
        issuer: The Issuer of Patient ID of the patients; None for any.
        scope: What the caller may see.
        pixels: Find the places of the frames too.

    Raises:
        UnfitKey: Patients of several issuers have one of the Patient IDs, and no issuer is given (PS3.4 C.4.2.2.1).
    """
    wanted = [uid for uid in dict.fromkeys(uids) if uid and is_storable(uid)]
    dialect = DIALECTS[database.is_sqlite]
    conditions = [dialect.any_of(_UNIQUE[level], wanted)]
    conditions += [_UNIQUE[upper] == uid for upper, uid in (above or {}).items()]
    if issuer is not None:
        conditions.append(PATIENT.c.issuer == issuer)
    elif level == "PATIENT":
        issuers = within((PATIENT.c.patient_id,), "PATIENT", scope, dialect).where(*conditions)
        issuers = issuers.group_by(PATIENT.c.patient_id).having(func.count() > 1).limit(1)
        with database.reading() as connection:
            if connection.execute(issuers).first() is not None:
                raise UnfitKey(UNIQUE_KEYS["PATIENT"], "is that of patients of several issuers")
    order = (INSTANCE.c.series_pk, func.coalesce(INSTANCE.c.number, _LAST), INSTANCE.c.sop_uid)
    columns = (*LOCATION, *(_PIXELS if pixels else ()), *order)
    statement = within(columns, "IMAGE", scope, dialect).where(*conditions)
    if pixels:
        statement = statement.outerjoin(PIXELS, PIXELS.c.instance_pk == INSTANCE.c.pk)
    return (_located(row[: -len(order)]) for row in rows(database, statement, order, PAGE))


def _located(row: Sequence[Any]) -> Location:
    """Return the location in a row that may have Pixel Data."""
    location, pixels = row[: len(LOCATION)], row[len(LOCATION) :]
    if not pixels or pixels[0] is None:
        return location_of(location)
    offset, length, frames, rows_of_frame, columns, bits, table = pixels
    return location_of(location, Frames(offset, length, frames, rows_of_frame, columns, bits, unpack(table)))
