"""Pages of rows, each read in a transaction of its own, so that a caller who takes them slowly holds none open."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Select, UnaryExpression, and_, or_
from sqlalchemy.sql.operators import desc_op

from dimse.archive.index.database import Database


def rows(
    database: Database, statement: Select[Any], order: Sequence[ColumnElement[Any]], page: int
) -> Iterator[Sequence[Any]]:
    """Yield the rows of a statement in an order.

    A page begins behind the last row of the page before, so that rows which are added or deleted meanwhile shift no other.

    Args:
        database: The database of the index.
        statement: The statement, without an order. Its last columns are those of the order: see `columns_of`.
        order: What the rows are ordered by, ascending, or descending by `desc`; no two rows are equal in it.
        page: The rows of a page.
    """
    statement = statement.order_by(*order).limit(page)
    following = statement
    while True:
        with database.reading() as connection:
            found = connection.execute(following).fetchall()
        yield from found
        if len(found) < page:
            return
        following = statement.where(_behind(order, found[-1][-len(order) :]))


def columns_of(order: Sequence[ColumnElement[Any]]) -> list[ColumnElement[Any]]:
    """Return the columns of an order."""
    return [_column(term) for term in order]


def _column(term: ColumnElement[Any]) -> ColumnElement[Any]:
    return term.element if _is_descending(term) else term


def _is_descending(term: ColumnElement[Any]) -> bool:
    return isinstance(term, UnaryExpression) and term.modifier is desc_op


def _behind(order: Sequence[ColumnElement[Any]], key: Sequence[Any]) -> ColumnElement[bool]:
    """Return the condition that a row comes behind the one with a key."""
    condition: ColumnElement[bool] | None = None
    for term, last in reversed(list(zip(order, key, strict=True))):
        column = _column(term)
        further = column < last if _is_descending(term) else column > last
        condition = further if condition is None else or_(further, and_(column == last, condition))
    first = _column(order[0])
    assert condition is not None
    # An index is entered at the first column.
    return and_(first <= key[0] if _is_descending(order[0]) else first >= key[0], condition)
