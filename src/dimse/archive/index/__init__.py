"""The index of an archive: a database derived from its files, which can be deleted and built again from them at any time.

Nothing here knows of DIMSE. A front end, such as C-FIND or a web service, searches, locates and ingests by `Index`.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import Future
from typing import Protocol

from sqlalchemy import func, select

from dimse.archive.index.committer import Committer
from dimse.archive.index.database import Database
from dimse.archive.index.ingest import Ingest, OnDuplicate
from dimse.archive.index.migrations import prepare
from dimse.archive.index.row import Added, Change, Counts, Row
from dimse.archive.index.schema import CHANGE, DUPLICATE, INSTANCE, PATIENT, SERIES, STUDY
from dimse.archive.index.stores import Store, enter_store
from dimse.support.closing import Closing


class StoreLike(Protocol):
    """A store of files, such as `FileStore`."""

    @property
    def folder(self) -> str:
        """The absolute path of its folder."""


class Index(Closing):
    """The index of an archive in a database. Threads share it, and processes share its database.

    Args:
        database: The file of an SQLite database, created for its owner alone if it does not exist. Or a URL `postgresql://...`.
        store: The folder of the files, or a store with a `folder`. Paths of rows are relative to it.
        node: The name of the store. Several processes, each with a folder of its own, have different names in one database.
        on_duplicate: The treatment of a second data set with a SOP Instance UID that is served. "keep-both" serves the first
            and records the other one as a duplicate. "replace" serves the latest, and "reject" does not acknowledge the other one.
            No file is deleted.
        update: "first" keeps the values of a patient, study or series that came first, and fills in what is empty. "latest" takes
            those that came last.

    Raises:
        DatabaseError: The database cannot be used. Every method raises it too.
    """

    def __init__(
        self,
        database: str | os.PathLike[str],
        store: str | os.PathLike[str] | StoreLike,
        *,
        node: str = "",
        on_duplicate: OnDuplicate = "keep-both",
        update: str = "first",
    ) -> None:
        if on_duplicate not in ("keep-both", "reject", "replace"):
            raise ValueError(f"on_duplicate is 'keep-both', 'reject' or 'replace', not {on_duplicate!r}")
        if update not in ("first", "latest"):
            raise ValueError(f"update is 'first' or 'latest', not {update!r}")
        self.folder = os.path.abspath(store if isinstance(store, str | os.PathLike) else store.folder)
        self.database = Database(database)
        try:
            prepare(self.database)
            self.store: Store = self.database.write(lambda writer: enter_store(writer, node, self.folder))
        except BaseException:
            self.database.close()
            raise
        self._ingest = Ingest(self.store.pk, self._is_same, on_duplicate, latest=update == "latest")
        self._committer = Committer(self.add)

    def close(self) -> None:
        """Close the database. This is idempotent."""
        self._committer.close()
        self.database.close()

    # --- ingest ---

    def add(self, rows: Sequence[Row]) -> list[Added]:
        """Add rows in one transaction, and return what became of each, in their order. All are visible then, or none."""
        return self._ingest.add_all(self.database, rows) if rows else []

    def commit(self, row: Row) -> Added:
        """Add a row together with those of other threads, and return what became of it once a search finds it."""
        return self._committer.commit(row)

    def begin(self, row: Row) -> Future[Added]:
        """Add a row as `commit` does, in another thread; the result is that of the future."""
        return self._committer.begin(row)

    def _is_same(self, one: str, other: str) -> bool:
        from dimse.archive.index.reading import same_data_set

        return same_data_set(os.path.join(self.folder, one), os.path.join(self.folder, other))

    # --- what it holds ---

    def changes(self, after: int = 0, limit: int = 1000) -> list[Change]:
        """Return changes in the order of their commits.

        Args:
            after: The number of the last change that is known.
            limit: The most changes to return.
        """
        query = select(CHANGE).where(CHANGE.c.number > after).order_by(CHANGE.c.number).limit(limit)
        with self.database.reading() as connection:
            return [Change(*row) for row in connection.execute(query)]

    def counts(self) -> Counts:
        """Return the numbers of patients, studies, series, instances, and duplicates, and "size": the bytes of the data sets."""
        tables = {
            "patients": PATIENT,
            "studies": STUDY,
            "series": SERIES,
            "instances": INSTANCE,
            "duplicates": DUPLICATE,
        }
        numbers = [
            select(func.count()).select_from(table).scalar_subquery().label(name) for name, table in tables.items()
        ]
        size = func.coalesce(select(func.sum(STUDY.c.size)).scalar_subquery(), 0).label("size")
        with self.database.reading() as connection:
            return {
                name: int(number) for name, number in connection.execute(select(*numbers, size)).one()._mapping.items()
            }
