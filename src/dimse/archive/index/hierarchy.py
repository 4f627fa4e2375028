"""Patients, studies and series in the transaction that adds instances: found or made, and compared with what the instances say."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Table, bindparam, select, update

from dimse.archive.index.attributes import COLUMNS
from dimse.archive.index.columns import Columns, patient_columns, series_columns, study_columns
from dimse.archive.index.database import Stale, Writer
from dimse.archive.index.inserting import insert
from dimse.archive.index.normal import name_words, split
from dimse.archive.index.row import Row
from dimse.archive.index.schema import NAME_WORD, PATIENT, SERIES, STUDY
from dimse.support.values import field, record

MOST_PLACES = 10_000
"""Series whose place is remembered."""
MOST_FINGERPRINTS = 64
"""Fingerprints that are remembered of a series."""

# Columns that are made of another one, and change with it.
_DERIVED = {
    "name": ("name_norm", "name_i", "name_p"),
    "description": ("description_norm",),
    "accession": ("accession_norm",),
    "referring": ("referring_norm",),
}
# Columns whose values should be the same in all instances of a patient and of a study; others may differ by the device.
_COMPARED = {
    "patient": ("name", "birth_date", "sex"),
    "study": ("study_date", "study_time", "accession", "study_id"),
}
_KEYWORDS = {column: keyword for keyword, column in COLUMNS.items()} | {"name": "PatientName"}


@record
class Place:
    """A series in the database, with its study.

    Attributes:
        study_pk: The key of the study.
        series_pk: The key of the series.
        study_uid: The Study Instance UID.
        series_uid: The Series Instance UID.
        sop_classes: SOP classes that the study is known to have.
        differences: The differing attributes of instances, by their fingerprint.
        is_new: True if this transaction has made the series.
    """

    study_pk: int
    series_pk: int
    study_uid: str
    series_uid: str
    sop_classes: set[str] = field(default_factory=set)
    differences: dict[bytes, tuple[str, ...]] = field(default_factory=dict)
    is_new: bool = False


def _columns(table: Table, *without: str) -> tuple[str, ...]:
    return tuple(column.name for column in table.columns if column.name not in ("pk", *without))


def _insert(table: Table, *without: str) -> Any:
    return insert(table).values({name: bindparam(name) for name in _columns(table, *without)}).returning(table.c.pk)


_COUNTED = ("n_series", "n_instances", "size", "differing")
_INSERT_PATIENT = _insert(PATIENT)
_INSERT_STUDY = _insert(STUDY, *_COUNTED)
_INSERT_SERIES = _insert(SERIES, "n_instances")
_FIND_PATIENT = select(PATIENT.c.pk).where(
    *(PATIENT.c[name] == bindparam(name) for name in ("patient_id", "issuer", "only_study"))
)
_FIND_STUDY = (
    select(STUDY.c.pk, STUDY.c.patient_pk).where(STUDY.c.study_uid == bindparam("study_uid")).with_for_update()
)
_FIND_SERIES = select(SERIES.c.pk).where(
    SERIES.c.series_uid == bindparam("series_uid"), SERIES.c.study_pk == bindparam("study_pk")
)
_LOAD = {
    table.name: select(*(table.c[name] for name in _columns(table)))
    .where(table.c.pk == bindparam("pk_"))
    .with_for_update()
    for table in (PATIENT, STUDY, SERIES)
}
_CHANGE = {
    (table.name, name): update(table).where(table.c.pk == bindparam("pk_")).values({name: bindparam("value_")})
    for table in (PATIENT, STUDY, SERIES)
    for name in _columns(table)
}
_PATIENT_OF = select(STUDY.c.patient_pk).where(STUDY.c.pk == bindparam("pk_"))
_DELETE_WORDS = NAME_WORD.delete().where(NAME_WORD.c.patient_pk == bindparam("pk_"))
_INSERT_WORD = insert(NAME_WORD).values({name: bindparam(name) for name in ("patient_pk", "word", "sound")})
_JOINED = {"modality": "modalities", "sop_class": "sop_classes"}


class Hierarchy:
    """The patients, studies and series of an index, and the places that are remembered.

    Args:
        latest: True to let the values of later instances replace those in force.
    """

    def __init__(self, *, latest: bool = False) -> None:
        self._latest = latest
        self._places: dict[tuple[str, str], Place] = {}

    def forget(self) -> None:
        """Forget all places."""
        self._places.clear()

    def resolve(self, writer: Writer, rows: Sequence[Row]) -> list[tuple[Place, tuple[str, ...]]]:
        """Return the place of each row, and the attributes in which it differs from what is in force, by keyword."""
        if len(self._places) > MOST_PLACES:
            self.forget()
        found: list[tuple[Place, tuple[str, ...]] | None] = [None] * len(rows)
        if not all(self._is_known(row) for row in rows):
            writer.lock_hierarchy()
        # A known study may have been deleted by another process, and must not be while its counts are changed.
        for uid in sorted({row.study_instance_uid for row in rows}) if not writer.is_sqlite else ():
            writer.one(_FIND_STUDY, {"study_uid": uid})
        for index in sorted(range(len(rows)), key=lambda index: rows[index].study_instance_uid):
            found[index] = self._resolve(writer, rows[index])
        return [one for one in found if one is not None]

    def _is_known(self, row: Row) -> bool:
        place = self._places.get((row.study_instance_uid, row.series_instance_uid))
        return place is not None and row.fingerprint in place.differences and row.sop_class_uid in place.sop_classes

    def _resolve(self, writer: Writer, row: Row) -> tuple[Place, tuple[str, ...]]:
        key = (row.study_instance_uid, row.series_instance_uid)
        place = self._places.get(key)
        differs = None if place is None else place.differences.get(row.fingerprint)
        if place is None:
            place = self._places[key] = self._find_or_make(writer, row)
        if differs is None:
            differs = self._compare(writer, place, row)
            if row.fingerprint and len(place.differences) < MOST_FINGERPRINTS:
                place.differences[row.fingerprint] = differs
        if row.sop_class_uid not in place.sop_classes:
            self._join(writer, place.study_pk, "sop_classes", row.sop_class_uid)
            place.sop_classes.add(row.sop_class_uid)
        return place, differs

    # --- finding and making ---

    def _find_or_make(self, writer: Writer, row: Row) -> Place:
        series_uid = row.series_instance_uid
        study_pk = self._study(writer, row)
        found = writer.one(_FIND_SERIES, {"series_uid": series_uid, "study_pk": study_pk})
        if found is not None:
            return Place(study_pk, int(found[0]), row.study_instance_uid, series_uid)
        columns = series_columns(row)
        made = writer.one(_INSERT_SERIES, columns | {"study_pk": study_pk})
        assert made is not None
        if columns["modality"]:
            self._join(writer, study_pk, "modalities", columns["modality"])
        return Place(study_pk, int(made[0]), row.study_instance_uid, series_uid, is_new=True)

    def _study(self, writer: Writer, row: Row) -> int:
        found = writer.one(_FIND_STUDY, {"study_uid": row.study_instance_uid})
        if found is None:
            patient_pk = self._patient(writer, row)
            times = {"first_received": row.received, "last_received": row.received}
            joined = {"modalities": "", "sop_classes": ""}
            found = writer.one(_INSERT_STUDY, study_columns(row) | times | joined | {"patient_pk": patient_pk})
            assert found is not None
        return int(found[0])

    def _patient(self, writer: Writer, row: Row) -> int:
        columns = patient_columns(row)
        identity = {name: columns[name] for name in ("patient_id", "issuer", "only_study")}
        found = writer.one(_FIND_PATIENT, identity)
        if found is None:
            found = writer.one(_INSERT_PATIENT, columns)
            assert found is not None
            _insert_words(writer, int(found[0]), columns["name"])
        return int(found[0])

    def _join(self, writer: Writer, study_pk: int, column: str, value: str) -> None:
        """Add a value to a list of distinct ones that a study has."""
        loaded = _load(writer, "study", study_pk)
        values = {one for one in loaded[column].split("\\") if one}
        if not values.issuperset(added := split(value)):
            joined = "\\".join(sorted(values.union(added)))
            writer.run(_CHANGE["study", column], {"pk_": study_pk, "value_": joined})

    # --- comparing ---

    def _compare(self, writer: Writer, place: Place, row: Row) -> tuple[str, ...]:
        """Compare a row with its patient, study and series, and fill in what they lack.

        Returns:
            The attributes that differ, by keyword.
        """
        patient_pk = int((writer.one(_PATIENT_OF, {"pk_": place.study_pk}) or [0])[0])
        said = (
            ("patient", patient_pk, patient_columns(row)),
            ("study", place.study_pk, study_columns(row)),
            ("series", place.series_pk, series_columns(row)),
        )
        differs: list[str] = []
        for table, pk, columns in said:
            if not (place.is_new and table == "series"):
                differs += self._compare_level(writer, table, pk, columns)
        return tuple(differs)

    def _compare_level(self, writer: Writer, table: str, pk: int, columns: Columns) -> list[str]:
        loaded = _load(writer, table, pk)
        differs: list[str] = []
        changes: Columns = {}
        if table == "patient" and (
            columns["patient_id"] != loaded["patient_id"] or columns["issuer"] not in ("", loaded["issuer"])
        ):
            # Its other values are those of another patient.
            return ["PatientID"]
        for name, value in columns.items():
            if name in ("attrs", "patient_id", "issuer", "only_study") or value in ("", None) or value == loaded[name]:
                continue
            is_empty = loaded[name] in ("", None)
            if not is_empty and name in _COMPARED.get(table, ()):
                differs.append(_KEYWORDS[name])
            if (is_empty or self._latest) and not any(name in derived for derived in _DERIVED.values()):
                changes |= {name: value} | {one: columns[one] for one in _DERIVED.get(name, ()) if one in columns}
        attrs = _merged(loaded["attrs"], columns["attrs"], latest=self._latest)
        if attrs is not None:
            changes["attrs"] = attrs
        for name, value in changes.items():
            writer.run(_CHANGE[table, name], {"pk_": pk, "value_": value})
        if table == "patient" and "name" in changes:
            writer.run(_DELETE_WORDS, {"pk_": pk})
            _insert_words(writer, pk, changes["name"])
        return differs


def _load(writer: Writer, table: str, pk: int) -> Mapping[str, Any]:
    """Return the columns of a patient, a study or a series.

    Raises:
        Stale: It is gone.
    """
    found = writer.one(_LOAD[table], {"pk_": pk})
    if found is None:
        raise Stale
    return dict(zip(_NAMES[table], found, strict=True))


_NAMES = {table.name: _columns(table) for table in (PATIENT, STUDY, SERIES)}


def _merged(stored: str | dict[str, Any] | None, said: str | None, *, latest: bool) -> str | None:
    """Return the JSON of two columns `attrs` in one; None if it is the stored one."""
    if said is None:
        return None
    # PostgreSQL's driver parses JSON, that of SQLite does not.
    before: dict[str, Any] = json.loads(stored) if isinstance(stored, str) else stored or {}
    now: dict[str, Any] = json.loads(said)
    merged = before | now if latest else now | before
    return None if merged == before else json.dumps(merged, ensure_ascii=False, separators=(",", ":"))


def _insert_words(writer: Writer, patient_pk: int, name: str) -> None:
    for word, sound in name_words(name):
        writer.run(_INSERT_WORD, {"patient_pk": patient_pk, "word": word, "sound": sound})
