"""Searching the index: the keys of a query to entities, page by page (PS3.4 C.2.2 and C.4.1)."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

from sqlalchemy import ColumnElement, Select, desc, func, literal, select

from dimse import tags
from dimse.archive.index.attributes import Level
from dimse.archive.index.conditions import Conditions
from dimse.archive.index.entity import Entity, Layout, ReadFile
from dimse.archive.index.levels import Root, is_matched, matched
from dimse.archive.index.pages import Reading, rows
from dimse.archive.index.row import EVERYTHING, Scope
from dimse.archive.index.schema import INSTANCE, PATIENT, SERIES, STUDY
from dimse.archive.index.tables import DIALECTS, Dialect, listed, within
from dimse.data_set.attributes import Attributes
from dimse.matching import Rules, prepare

PAGE = 500
"""Entities that are read in one transaction."""

_LAST = 2**63 - 1
# Studies newest first; patients by name. A series is beside the others of its study, and an instance beside those of its series.
_ORDERS: dict[Level, tuple[ColumnElement[Any], ...]] = {
    "PATIENT": (PATIENT.c.name_norm, PATIENT.c.pk),
    "STUDY": (desc(STUDY.c.study_date), STUDY.c.study_uid),
    "SERIES": (desc(SERIES.c.study_pk), func.coalesce(SERIES.c.number, _LAST), SERIES.c.series_uid),
    "IMAGE": (INSTANCE.c.series_pk, func.coalesce(INSTANCE.c.number, _LAST), INSTANCE.c.sop_uid),
}

_NO_SUM = literal(0)
# What the numbers of a patient's studies, series and instances are added up of.
_STUDIES = STUDY.alias("studies")
_NUMBERS: dict[str, ColumnElement[Any]] = {
    "NumberOfPatientRelatedStudies": func.count(),
    "NumberOfPatientRelatedSeries": func.coalesce(func.sum(_STUDIES.c.n_series), _NO_SUM),
    "NumberOfPatientRelatedInstances": func.coalesce(func.sum(_STUDIES.c.n_instances), _NO_SUM),
}


def search(
    reading: Reading,
    level: Level,
    keys: Attributes,
    *,
    root: Root = "study",
    rules: Rules | None = None,
    scope: Scope = EVERYTHING,
    limit: int = 0,
    page: int = PAGE,
    read_file: ReadFile,
) -> Iterator[Entity]:
    """Yield the entities of a level that match keys: studies newest first, patients by name, series and instances by number.

    Keys of the level and of those above it are matched; others are passed over. An entity has all attributes of these levels that
    the index has. Of the numbers of a patient's studies, series and instances it has those that are among the keys.

    Args:
        reading: Makes a read transaction.
        level: The level.
        keys: The keys.
        root: The root of the information model.
        rules: The rules of matching.
        scope: What the caller may see.
        limit: The most entities; 0 for no limit.
        page: Entities that are read in one transaction.
        read_file: Reads the attributes of an instance that are in its file only.

    Raises:
        UnfitKey: A key cannot be matched, or is the unique key of a lower level.
        ValueError: The root does not have the level.
    """
    rules = rules or Rules()
    wanted = matched(level, keys, root)
    queries = [prepare(some, rules) for some in wanted]
    with reading() as connection:
        dialect = DIALECTS[connection.dialect.name]
    layout = Layout(level, dialect, frozenset(keys), read_file)
    for keyword, number in _NUMBERS.items():
        tag = tags.find(keyword)
        if tag is not None and tag in keys and is_matched(tag, level):
            layout.add(tag, _of_patient(number, scope, dialect))
    compiler = Conditions(dialect, rules)
    statement = within(layout.columns, level, scope, dialect)
    statement = statement.where(*(condition for some in wanted for condition in compiler.of(some)))
    found = (Entity(row, layout) for row in rows(reading, statement, _ORDERS[level], page))
    matching = (entity for entity in found if all(query.matches(entity) for query in queries))
    return islice(matching, limit or None)


def _of_patient(number: ColumnElement[Any], scope: Scope, dialect: Dialect) -> ColumnElement[Any]:
    """Return a number that is added up of the studies of a patient which a caller may see."""
    statement: Select[Any] = select(number).select_from(_STUDIES).where(_STUDIES.c.patient_pk == PATIENT.c.pk)
    if scope.studies is not None:
        statement = statement.where(listed(_STUDIES.c.study_uid, scope.studies, dialect))
    return statement.correlate(PATIENT).scalar_subquery()
