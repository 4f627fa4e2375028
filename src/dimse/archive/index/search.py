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
from dimse.archive.index.normal import is_storable
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

_SMALLEST_PAGE = 50

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
    search = _Search(database, level, rules, scope)
    layout = search.layout(asked, read_file)
    if limit:
        page = min(page, max(limit, _SMALLEST_PAGE))
    found = (Entity(row, layout) for part in search.parts(wanted) for row in search.rows(layout, part, page))
    return islice(
        _accepted(found, queries, LONGEST_QUERY["sqlite" if database.is_sqlite else "postgresql"]), limit or None
    )


class _Search:
    """The statements of a search."""

    def __init__(self, database: Database, level: Level, rules: Rules, scope: Scope) -> None:
        self.database, self.level, self.scope = database, level, scope
        self.dialect = DIALECTS[database.is_sqlite]
        self.compiler = Conditions(self.dialect, rules)

    def layout(self, asked: Attributes, read_file: ReadFile) -> Layout:
        """Return the columns to select, with the numbers of patients that are asked for."""
        layout = Layout(self.level, self.dialect, frozenset(asked), read_file)
        for keyword, number in _NUMBERS.items():
            tag = tags.find(keyword)
            if tag is not None and tag in asked and is_matched(tag, self.level):
                layout.add(tag, _of_patient(number, self.scope, self.dialect))
        return layout

    def rows(self, layout: Layout, wanted: list[Attributes], page: int) -> Iterator[Sequence[Any]]:
        """Yield the rows that may match keys."""
        order = _ORDERS[self.level]
        statement = self._select((*layout.columns, *columns_of(order)), self.level)
        conditions = [condition for some in wanted for condition in self.compiler.of(some)]
        return rows(self.database, statement.where(*self._narrowed(conditions)), order, page)

    def parts(self, wanted: list[Attributes]) -> Iterator[list[Attributes]]:
        """Yield the keys; where one has many UIDs, yield them with some of those at a time, in the order of the search."""
        many = (tag for tag, key in wanted[0].items() if key.vr == "UI" and len(key.values) > MOST_UIDS)
        tag = next(filter(_UIDS.__contains__, many), None)
        if tag is None:
            yield wanted
            return
        level = keys()[tag].level
        order = _ORDERS[level] if level == self.level else (desc(TABLES[level].c.pk),)
        uids = filter(is_storable, wanted[0][tag].values)
        statement = self._select((_UIDS[tag],), level).where(self.dialect.any_of(_UIDS[tag], uids))
        # One Series Instance UID may be in two studies.
        found = tuple(dict.fromkeys(self._values(statement.order_by(*order))))
        for at in range(0, len(found), MOST_UIDS):
            yield [{**wanted[0], tag: Attribute("UI", found[at : at + MOST_UIDS])}, *wanted[1:]]

    def _narrowed(self, conditions: list[tuple[Level, ColumnElement[bool]]]) -> list[ColumnElement[bool]]:
        """Return the conditions of a statement. If a few entities above the level meet theirs, these are looked up first.

        A database would test the conditions on patients for each study, in the order of the studies.
        """
        kept: list[ColumnElement[bool]] = []
        for above in levels_to(self.level)[:-1]:
            of_level = [condition for level, condition in conditions if level == above]
            kept += of_level
            if of_level:
                statement = self._select((TABLES[above].c.pk,), above).where(*kept).limit(MOST_ABOVE + 1)
                found = self._values(statement)
                if len(found) <= MOST_ABOVE:
                    kept = [self.dialect.any_of(_PARENTS[above], found)]
        return kept + [condition for level, condition in conditions if level == self.level]

    def _select(self, columns: tuple[ColumnElement[Any], ...], level: Level) -> Select[Any]:
        return within(columns, level, self.scope, self.dialect)

    def _values(self, statement: Select[Any]) -> Sequence[Any]:
        """Return the only column of a statement."""
        with self.database.reading() as connection:
            return connection.execute(statement).scalars().all()


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
