"""Group commit: the rows of all threads that wait share a transaction, and each thread returns once its own row is visible.

There is no thread for it. The first that comes commits what waits, its own row included. The others wait for their turn, and find
their rows committed. So one association alone changes no thread, and many share the cost of a commit.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial

from dimse.archive.index.row import Added, Row
from dimse.errors import DatabaseError
from dimse.support.closing import Closing

MOST_ROWS = 256
"""Rows of one transaction."""

_Entry = tuple[Row, "Future[Added]"]


class Committer(Closing):
    """A queue of rows that are committed in groups.

    Args:
        add: Adds rows in one transaction, and returns what became of each.
    """

    def __init__(self, add: Callable[[Sequence[Row]], list[Added]]) -> None:
        self._add = add
        self._waiting: deque[_Entry] = deque()
        self._turn = threading.Lock()
        self._executor: ThreadPoolExecutor | None = None

    def commit(self, row: Row) -> Added:
        """Commit a row, and return what became of it once it is visible to queries.

        Raises:
            DatabaseError: It is not in the index.
        """
        return self._wait(self._queue(row))

    def queue(self, row: Row) -> Callable[[], Added]:
        """Queue a row to be committed with the next ones, and return a callable that does what `commit` does."""
        return partial(self._wait, self._queue(row))

    def begin(self, row: Row) -> Future[Added]:
        """Commit a row in another thread, for an event loop to wait for."""
        future = self._queue(row)
        with self._turn:
            if self._executor is None:
                self._executor = ThreadPoolExecutor(1, "dimse-index")
        self._executor.submit(self._wait, future)
        return future

    def _queue(self, row: Row) -> Future[Added]:
        future: Future[Added] = Future()
        self._waiting.append((row, future))
        return future

    def _wait(self, future: Future[Added]) -> Added:
        while not future.done():
            with self._turn:
                if not future.done():
                    self._commit_waiting()
        return future.result()

    def _commit_waiting(self) -> None:
        """Commit rows that wait, at most `MOST_ROWS`."""
        entries: list[_Entry] = []
        while self._waiting and len(entries) < MOST_ROWS:
            entries.append(self._waiting.popleft())
        try:
            self._settle(entries)
        except BaseException as error:
            for _, future in entries:
                if not future.done():
                    future.set_exception(DatabaseError(f"the commit was broken off: {type(error).__name__}"))
            raise

    def _settle(self, entries: list[_Entry]) -> None:
        try:
            added = self._add([row for row, _ in entries])
        except Exception as error:
            if len(entries) == 1:
                entries[0][1].set_exception(error)
            elif isinstance(error, DatabaseError) and error.is_of_database:
                # The database is full, locked or gone, for every row.
                for _, future in entries:
                    future.set_exception(error)
            else:
                # One bad row must not refuse the others.
                for entry in entries:
                    self._settle([entry])
            return
        for (_, future), one in zip(entries, added, strict=True):
            future.set_result(one)

    def close(self) -> None:
        """Commit rows that are queued and not waited for, and end the thread of `begin`. This is idempotent."""
        with self._turn:
            while self._waiting:
                self._commit_waiting()
        if self._executor is not None:
            self._executor.shutdown()
