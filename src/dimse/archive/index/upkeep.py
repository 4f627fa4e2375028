"""The upkeep of an index while a process serves it: checkpoints of the log, and the note until when rows are on the disk."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from functools import partial
from time import monotonic

from sqlalchemy import func, select

from dimse.archive.index.changes import trim_changes
from dimse.archive.index.database import Writer
from dimse.archive.index.opened import OpenIndex
from dimse.archive.index.schema import CHANGE
from dimse.archive.index.stores import mark_store
from dimse.errors import DatabaseError
from dimse.support.closing import Closing

LOGGER = logging.getLogger("dimse.archive")

_LAST = select(func.coalesce(func.max(CHANGE.c.number), 0))

EVERY = 5.0
"""The seconds between two checkpoints, if rows were committed."""
TRIMMED_EVERY = 3600.0
"""The seconds between two removals of old changes."""
_DAY = 86_400.0


class Upkeep(Closing):
    """A thread that keeps an index.

    Args:
        index: The index, whose store is marked as in use until `close`.
        recovered: True if nothing is to be recovered, so that `close` may mark the store as clean.
        keep_changes: The days for which entries of the change feed are kept; None for ever.
    """

    def __init__(self, index: OpenIndex, *, recovered: bool, keep_changes: float | None = None) -> None:
        self._index, self.recovered, self._keep_changes = index, recovered, keep_changes
        self._synced_at = index.store.synced_at
        # A power cut must not lose this mark. Otherwise the next start would not look for the rows that it has lost too.
        index.database.write_durably(self._marking(clean=False))
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="dimse-index-upkeep", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        before, trim_at = -1, 0.0
        while not self._ending.wait(EVERY):
            try:
                number = self._last_change()
                if number != before:
                    self.sync()
                    before = number
                if monotonic() >= trim_at:
                    trim_at = monotonic() + TRIMMED_EVERY
                    self.trim()
            except DatabaseError as error:
                LOGGER.error("%s", error)

    def _last_change(self) -> int:
        """Return the number of the last change; other processes of the archive make changes too."""
        with self._index.database.reading() as connection:
            return int(connection.execute(_LAST).scalar_one())

    def trim(self) -> None:
        """Remove the entries of the change feed that are older than they are kept.

        Raises:
            DatabaseError: The database cannot be used.
        """
        if self._keep_changes is not None:
            trim_changes(self._index.database, time.time() - self._keep_changes * _DAY)

    def sync(self) -> None:
        """Wait until the disk has all rows that were committed, and record that.

        Raises:
            DatabaseError: The database cannot be used.
        """
        now = time.time()
        self._index.database.checkpoint()
        if self.recovered:
            self._synced_at = now
            self._mark(clean=False)

    def _marking(self, *, clean: bool) -> Callable[[Writer], None]:
        return partial(mark_store, pk=self._index.store.pk, clean=clean, synced_at=self._synced_at)

    def _mark(self, *, clean: bool) -> None:
        self._index.database.write(self._marking(clean=clean))

    def close(self) -> None:
        """End the thread, sync the database and mark the store as clean. This is idempotent."""
        if self._ending.is_set():
            return
        self._ending.set()
        self._thread.join()
        try:
            self.sync()
            self._mark(clean=self.recovered)
        except DatabaseError as error:
            LOGGER.error("%s", error)
