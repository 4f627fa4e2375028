"""The upkeep of an index while a process serves it: checkpoints of the log, and the note until when rows are on the disk."""

from __future__ import annotations

import logging
import threading
import time

from dimse.archive.index.opened import OpenIndex
from dimse.archive.index.stores import mark_store
from dimse.errors import DatabaseError
from dimse.support.closing import Closing

LOGGER = logging.getLogger("dimse.archive")

EVERY = 5.0
"""The seconds between two checkpoints, if rows were committed."""


class Upkeep(Closing):
    """A thread that keeps an index.

    Args:
        index: The index, whose store is marked as in use until `close`.
        recovered: True if nothing is to be recovered, so that `close` may mark the store as clean.
    """

    def __init__(self, index: OpenIndex, *, recovered: bool) -> None:
        self._index, self.recovered = index, recovered
        self._synced_at = index.store.synced_at
        self._mark(clean=False)
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="dimse-index-upkeep", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        before = -1
        while not self._ending.wait(EVERY):
            number = self._index.commits
            if number == before:
                continue
            try:
                self.sync()
                before = number
            except DatabaseError as error:
                LOGGER.error("%s", error)

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

    def _mark(self, *, clean: bool) -> None:
        pk, synced_at = self._index.store.pk, self._synced_at
        self._index.database.write(lambda writer: mark_store(writer, pk, clean=clean, synced_at=synced_at))

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
