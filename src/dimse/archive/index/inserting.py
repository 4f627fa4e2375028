"""The statement INSERT with ON CONFLICT, which SQLite and PostgreSQL have in the same words.

That of SQLAlchemy's own dialect of PostgreSQL would do too. But this dialect takes long to import, and SQLite does without it.
"""

from __future__ import annotations

from typing import Any, Self

from sqlalchemy import Table
from sqlalchemy.dialects import sqlite
from sqlalchemy.dialects.sqlite.dml import OnConflictDoNothing, OnConflictDoUpdate


class _DoNothing(OnConflictDoNothing):
    """A clause ON CONFLICT DO NOTHING. The compiler for PostgreSQL asks for the name of a constraint too."""

    inherit_cache = True
    constraint_target = None


class _DoUpdate(OnConflictDoUpdate):
    """A clause ON CONFLICT DO UPDATE."""

    inherit_cache = True
    constraint_target = None


class Insert(sqlite.Insert):
    """An INSERT statement for both databases."""

    inherit_cache = True

    def on_conflict_do_nothing(self, index_elements: Any = None, index_where: Any = None) -> Self:
        """Return the statement made to pass over rows that are there."""
        return self.ext(_DoNothing(index_elements, index_where))

    def on_conflict_do_update(
        self, index_elements: Any = None, index_where: Any = None, set_: Any = None, where: Any = None
    ) -> Self:
        """Return the statement made to change rows that are there."""
        return self.ext(_DoUpdate(index_elements, index_where, set_, where))


def insert(table: Table) -> Insert:
    """Return an INSERT statement for a table."""
    return Insert(table)
