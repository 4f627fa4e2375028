"""Statements of the index's queries: the tables of each level, joined, within a scope; and what differs between databases."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any, Protocol, TypeAlias

from sqlalchemy import (
    ARRAY,
    BigInteger,
    ColumnElement,
    FromClause,
    Integer,
    LargeBinary,
    Select,
    Table,
    Text,
    and_,
    bindparam,
    cast,
    exists,
    false,
    func,
    literal,
    literal_column,
    or_,
    select,
    true,
)

from dimse.archive.index.attributes import Level
from dimse.archive.index.row import Scope
from dimse.archive.index.schema import INSTANCE, PATIENT, SERIES, STUDY

Test: TypeAlias = "Callable[[ColumnElement[str]], ColumnElement[bool]]"
"""A condition on an expression of text."""

ESCAPE = "!"
"""The character before one of a pattern that stands for itself."""

TABLES: dict[Level, Table] = {"PATIENT": PATIENT, "STUDY": STUDY, "SERIES": SERIES, "IMAGE": INSTANCE}

_JOINED: dict[Level, FromClause] = {
    "PATIENT": PATIENT,
    "STUDY": STUDY.join(PATIENT),
    "SERIES": SERIES.join(STUDY).join(PATIENT),
    "IMAGE": INSTANCE.join(SERIES).join(STUDY).join(PATIENT),
}


class Dialect(Protocol):
    """The expressions that differ between databases."""

    def __hash__(self) -> int:
        """Return a number, since there is one object of each class."""

    def any_of(self, column: ColumnElement[Any], values: Iterable[Any]) -> ColumnElement[bool]:
        """Return the condition that a column has one of many values, which are one parameter together."""

    def caseless_like(self, text: ColumnElement[str], pattern: str) -> ColumnElement[bool]:
        """Return the condition that a text is like a pattern, whatever the case of ASCII letters."""

    def is_beyond_ascii(self, text: ColumnElement[str]) -> ColumnElement[bool]:
        """Return the condition that a text has other characters than ASCII."""

    def has_attribute(self, attrs: ColumnElement[Any], tag: int) -> ColumnElement[bool]:
        """Return the condition that a column of JSON has an attribute."""

    def any_text(self, attrs: ColumnElement[Any], tag: int, test: Test) -> ColumnElement[bool]:
        """Return the condition that a text in an attribute of a column of JSON, at any depth, passes a test."""

    def json_text(self, attrs: ColumnElement[Any]) -> ColumnElement[str]:
        """Return the text of a column of JSON."""


class SQLite:
    """The expressions of SQLite."""

    def any_of(self, column: ColumnElement[Any], values: Iterable[Any]) -> ColumnElement[bool]:
        listed = func.json_each(json.dumps(list(values))).table_valued("value", name="listed")
        return column.in_(select(listed.c.value))

    def caseless_like(self, text: ColumnElement[str], pattern: str) -> ColumnElement[bool]:
        return text.like(pattern, escape=ESCAPE)

    def is_beyond_ascii(self, text: ColumnElement[str]) -> ColumnElement[bool]:
        return func.length(cast(text, LargeBinary)) > func.length(text)

    def has_attribute(self, attrs: ColumnElement[Any], tag: int) -> ColumnElement[bool]:
        return func.json_type(attrs, f'$."{tag:08X}"').is_not(None)

    def any_text(self, attrs: ColumnElement[Any], tag: int, test: Test) -> ColumnElement[bool]:
        leaf = func.json_tree(attrs, f'$."{tag:08X}"').table_valued("type", "atom", name="leaf")
        found = select(literal(1)).select_from(leaf).where(leaf.c.type == "text", test(leaf.c.atom))
        return exists(found.correlate_except(leaf))

    def json_text(self, attrs: ColumnElement[Any]) -> ColumnElement[str]:
        return func.coalesce(attrs, literal_column("''"), type_=Text)


class PostgreSQL:
    """The expressions of PostgreSQL."""

    def any_of(self, column: ColumnElement[Any], values: Iterable[Any]) -> ColumnElement[bool]:
        kind = BigInteger() if isinstance(column.type, Integer) else Text()
        return column == func.any(bindparam(None, list(values), ARRAY(kind), unique=True))

    def caseless_like(self, text: ColumnElement[str], pattern: str) -> ColumnElement[bool]:
        return text.ilike(pattern, escape=ESCAPE)

    def is_beyond_ascii(self, text: ColumnElement[str]) -> ColumnElement[bool]:
        return func.octet_length(text) > func.char_length(text)

    def has_attribute(self, attrs: ColumnElement[Any], tag: int) -> ColumnElement[bool]:
        return attrs.op("?")(literal_column(f"'{tag:08X}'"))

    def any_text(self, attrs: ColumnElement[Any], tag: int, test: Test) -> ColumnElement[bool]:
        path: ColumnElement[Any] = literal_column(f"""'$."{tag:08X}".**'::jsonpath""")
        leaf = func.jsonb_path_query(attrs, path).table_valued("leaf", name="leaves").render_derived()
        # Letters of other locales have other cases.
        text = literal_column("(leaf #>> '{}') COLLATE \"C\"", Text)
        found = select(literal(1)).select_from(leaf)
        found = found.where(literal_column("jsonb_typeof(leaf) = 'string'"), test(text))
        return exists(found.correlate_except(leaf))

    def json_text(self, attrs: ColumnElement[Any]) -> ColumnElement[str]:
        return func.coalesce(cast(attrs, Text), literal_column("''"), type_=Text)


DIALECTS: dict[bool, Dialect] = {True: SQLite(), False: PostgreSQL()}
"""The dialect of a database that is SQLite, and of one that is not."""


@lru_cache(maxsize=64)
def _joined(columns: tuple[ColumnElement[Any], ...], level: Level) -> Select[Any]:
    return select(*columns).select_from(_JOINED[level])


def within(columns: tuple[ColumnElement[Any], ...], level: Level, scope: Scope, dialect: Dialect) -> Select[Any]:
    """Return the selection of columns of all entities of a level that a caller may see.

    Every query of the index begins with it.

    Args:
        columns: Columns of the tables of the level and of those above.
        level: The level.
        scope: What the caller may see.
        dialect: The database.
    """
    statement = _joined(columns, level)
    if scope.patients is not None:
        statement = statement.where(listed(PATIENT.c.patient_id, scope.patients, dialect))
    if scope.studies is not None:
        seen = listed(STUDY.c.study_uid, scope.studies, dialect)
        if level == "PATIENT":
            seen = exists(select(literal(1)).where(STUDY.c.patient_pk == PATIENT.c.pk, seen).correlate(PATIENT))
        statement = statement.where(seen)
    return statement


def listed(column: ColumnElement[str], values: Iterable[str], dialect: Dialect) -> ColumnElement[bool]:
    """Return the condition that a column has one of the values of a scope, of which there may be none."""
    wanted = sorted(values)
    return dialect.any_of(column, wanted) if wanted else false()


def starts_with(text: ColumnElement[str], prefix: str) -> ColumnElement[bool]:
    """Return the condition that a text begins with some characters, in a form for which an index is used."""
    # There is no character behind the last.
    prefix = prefix.rstrip("\U0010ffff")
    return and_(text >= prefix, text < _after(prefix)) if prefix else true()


def _after(prefix: str) -> str:
    """Return the first text, in the order of code points, behind all that begin with a prefix."""
    code = ord(prefix[-1]) + 1
    # Surrogates are no characters.
    return prefix[:-1] + chr(0xE000 if 0xD800 <= code < 0xE000 else code)


def one_of(conditions: Iterable[ColumnElement[bool]]) -> ColumnElement[bool]:
    """Return the condition that one of several is met; of none, it is never met."""
    return or_(false(), *conditions)


def all_of(conditions: Iterable[ColumnElement[bool]]) -> ColumnElement[bool]:
    """Return the condition that all of several are met; of none, it always is."""
    return and_(true(), *conditions)
