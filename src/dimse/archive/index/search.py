"""Searching the index: the keys of a query to entities, page by page (PS3.4 C.2.2 and C.4.1)."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

from sqlalchemy import ColumnElement, Select, desc, func, literal, select

from dimse import tags
from dimse.archive.index.attributes import Level, keys
from dimse.archive.index.conditions import Conditions
from dimse.archive.index.database import LONGEST_QUERY, Database
from dimse.archive.index.entity import Entity, Layout, ReadFile
from dimse.archive.index.levels import Root, is_matched, levels_to, matched
from dimse.archive.index.pages import columns_of, rows
from dimse.archive.index.row import EVERYTHING, Scope
from dimse.archive.index.schema import INSTANCE, PATIENT, SERIES, STUDY
from dimse.archive.index.tables import DIALECTS, TABLES, Dialect, listed, within
from dimse.data_set.attributes import Attribute, Attributes
from dimse.errors import QueryTooLong
from dimse.matching import Query, Rules, prepare
from dimse.services.information_models import UNIQUE_KEYS

PAGE = 500
"""Entities that are read in one transaction."""

MOST_ABOVE = 1_000
"""Entities above the level that are looked up first."""
MOST_UIDS = 500
"""UIDs of a key that are looked for at a time."""

_LAST = 2**63 - 1
_UIDS: dict[int, ColumnElement[str]] = {
    UNIQUE_KEYS["STUDY"]: STUDY.c.study_uid,
    UNIQUE_KEYS["SERIES"]: SERIES.c.series_uid,
    UNIQUE_KEYS["IMAGE"]: INSTANCE.c.sop_uid,
}
# The columns that refer to the entities of a level.
_PARENTS: dict[Level, ColumnElement[int]] = {
    "PATIENT": STUDY.c.patient_pk,
    "STUDY": SERIES.c.study_pk,
    "SERIES": INSTANCE.c.series_pk,
}
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


def entities(
    database: Database,
    level: Level,
    asked: Attributes,
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
        database: The database of the index.
        level: The level.
        asked: The keys.
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
    wanted = matched(level, asked, root)
    queries = [prepare(some, rules) for some in wanted]
    dialect = DIALECTS[database.is_sqlite]
    layout = Layout(level, dialect, frozenset(asked), read_file)
    for keyword, number in _NUMBERS.items():
        tag = tags.find(keyword)
        if tag is not None and tag in asked and is_matched(tag, level):
            layout.add(tag, _of_patient(number, scope, dialect))
    compiler = Conditions(dialect, rules)

    def found() -> Iterator[Entity]:
        for part in _parts(database, level, wanted, scope, dialect):
            conditions = _narrowed(database, level, [one for some in part for one in compiler.of(some)], scope, dialect)
            order = _ORDERS[level]
            statement = within((*layout.columns, *columns_of(order)), level, scope, dialect).where(*conditions)
            yield from (Entity(row, layout) for row in rows(database, statement, order, page))

    seconds = LONGEST_QUERY["sqlite" if database.is_sqlite else "postgresql"]
    return islice(_accepted(found(), queries, seconds), limit or None)


def _parts(
    database: Database, level: Level, wanted: list[Attributes], scope: Scope, dialect: Dialect
) -> Iterator[list[Attributes]]:
    """Yield the keys. Where one has many UIDs, yield them again and again with some of those, in the order of the search."""
    for tag, key in wanted[0].items():
        column = _UIDS.get(tag)
        if column is None or len(key.values) <= MOST_UIDS:
            continue
        order = _ORDERS[keys()[tag].level]
        statement = within((column,), keys()[tag].level, scope, dialect).order_by(*order)
        with database.reading() as connection:
            uids = connection.execute(statement.where(dialect.any_of(column, key.values))).scalars().all()
        for at in range(0, len(uids), MOST_UIDS):
            some = Attribute(key.vr, tuple(uids[at : at + MOST_UIDS]))
            yield [{**wanted[0], tag: some}, *wanted[1:]]
        return
    yield wanted


def _narrowed(
    database: Database,
    level: Level,
    conditions: list[tuple[Level, ColumnElement[bool]]],
    scope: Scope,
    dialect: Dialect,
) -> list[ColumnElement[bool]]:
    """Return the conditions of a statement. If only a few entities above the level meet theirs, these are looked up first.

    A database would test the conditions on patients for each study, in the order of the studies.
    """
    kept: list[ColumnElement[bool]] = []
    for above in levels_to(level)[:-1]:
        of_level = [condition for of, condition in conditions if of == above]
        kept += of_level
        if of_level:
            statement = within((TABLES[above].c.pk,), above, scope, dialect).where(*kept).limit(MOST_ABOVE + 1)
            with database.reading() as connection:
                found = connection.execute(statement).scalars().all()
            if len(found) <= MOST_ABOVE:
                kept = [dialect.any_of(_PARENTS[above], found)]
    return kept + [condition for of, condition in conditions if of == level]


def _accepted(found: Iterator[Entity], queries: Sequence[Query], seconds: float) -> Iterator[Entity]:
    """Yield the entities that attribute matching accepts.

    Raises:
        QueryTooLong: None was accepted for some seconds.
    """
    since = time.monotonic()
    for entity in found:
        if all(query.matches(entity) for query in queries):
            yield entity
            # The time that the caller takes is not the query's.
            since = time.monotonic()
        elif time.monotonic() - since > seconds:
            raise QueryTooLong(f"a query found nothing for {seconds:g} seconds")


def _of_patient(number: ColumnElement[Any], scope: Scope, dialect: Dialect) -> ColumnElement[Any]:
    """Return a number that is added up of the studies of a patient which a caller may see."""
    statement: Select[Any] = select(number).select_from(_STUDIES).where(_STUDIES.c.patient_pk == PATIENT.c.pk)
    if scope.studies is not None:
        statement = statement.where(listed(_STUDIES.c.study_uid, scope.studies, dialect))
    return statement.correlate(PATIENT).scalar_subquery()
