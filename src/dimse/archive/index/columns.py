"""The columns of a patient, a study and a series, made of the attributes of an instance."""

from __future__ import annotations

from functools import cache
from typing import Any

from dimse.archive.index import normal
from dimse.archive.index.attributes import Key, Level, keys
from dimse.archive.index.attrs import write_attrs
from dimse.archive.index.row import Row
from dimse.data_set.attributes import Attributes

Columns = dict[str, Any]


def text_of(attributes: Attributes, tag: int) -> str:
    """Return the text of an attribute as a column has it; empty if it has none."""
    return normal.join(normal.values_of(tag, attributes.get(tag)))


@cache
def _keys_of(level: Level) -> tuple[tuple[Key, ...], tuple[int, ...]]:
    """Return the keys of a level that have a column, and the tags of those that have none."""
    stored = [key for key in keys().values() if key.level == level and not key.is_computed]
    return tuple(key for key in stored if key.column), tuple(key.tag for key in stored if not key.column)


def _level_columns(level: Level, attributes: Attributes) -> Columns:
    with_column, others = _keys_of(level)
    found: Columns = {}
    for key in with_column:
        normal.add_columns(found, key, attributes)
    found["attrs"] = write_attrs(attributes, others)
    return found


def patient_columns(row: Row) -> Columns:
    """Return the columns of the row's patient. A patient without Patient ID is one of the study alone."""
    found = _level_columns("PATIENT", row.attributes)
    if found["patient_id"]:
        found["only_study"] = ""
    else:
        found["only_study"], found["issuer"] = row.study_instance_uid, ""
    return found


def study_columns(row: Row) -> Columns:
    """Return the columns of the row's study, without counts and times."""
    found = _level_columns("STUDY", row.attributes)
    found["study_uid"] = row.study_instance_uid
    return found


def series_columns(row: Row) -> Columns:
    """Return the columns of the row's series, without counts."""
    found = _level_columns("SERIES", row.attributes)
    found["series_uid"] = row.series_instance_uid
    return found
