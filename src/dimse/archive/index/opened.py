"""The open index, as the modules see it that `Index` consists of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from dimse.archive.file_store import OnDuplicate
from dimse.archive.index.database import Database
from dimse.archive.index.row import Added, Row
from dimse.archive.index.stores import Store


class OpenIndex(Protocol):
    """An open index.

    Attributes:
        folder: The absolute path of the folder of the files.
        database: The database.
        store: The store in the database.
        commits: The number of transactions that added rows.
        on_duplicate: What becomes of another data set with the SOP Instance UID of one that is served.
    """

    folder: str
    database: Database
    store: Store
    commits: int
    on_duplicate: OnDuplicate

    def add_found(self, rows: Sequence[Row]) -> list[Added]:
        """Add the rows of files that were found, in one transaction."""
