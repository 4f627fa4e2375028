"""A journal: an SQLite database of one user, which records what is done so that a later run does the rest.

The system has a commit before `change` returns, so a killed process loses nothing. Only one commit a second, and the last one,
waits for the disk (write-ahead log, `synchronous=NORMAL`, and `FULL` for those). A power cut may revert the last second.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any
from urllib.parse import quote

from dimse.errors import JournalError
from dimse.support.closing import Closing
from dimse.support.disk import why_not_writable
from dimse.support.text import one_line
from dimse.support.values import value

# Seconds to wait for another process that writes.
_WAIT = 30.0
# Seconds between two commits that wait for the disk.
_SYNC_EVERY = 1.0
# Changes that wait for the next commit.
_MOST_WAITING = 1000

_HEADER = """
SELECT application_id, user_version, (SELECT count(*) FROM sqlite_master) FROM pragma_application_id, pragma_user_version
"""


Change = tuple[str, tuple[object, ...]]
"""A statement and its parameters."""


@value
class Schema:
    """The kind of a journal.

    Attributes:
        owner: The program that keeps it, for messages: "a sender".
        application_id: The number in the header of the database that tells the kind.
        version: The version of the tables.
        tables: The statements that make the tables.
    """

    owner: str
    application_id: int
    version: int
    tables: tuple[str, ...]


class Journal(Closing):
    """A journal of one kind. Threads may share it, and processes its file.

    Args:
        path: The database; if it does not exist it is created for the user alone (0600).
        schema: The kind of the journal.

    Attributes:
        path: The absolute path.

    Raises:
        JournalError: The database cannot be opened, is another one, or is of a later version. Every method raises it too if
            the journal cannot be read or written.
    """

    def __init__(self, path: str, schema: Schema) -> None:
        self.path = os.path.realpath(path)
        self._lock = threading.Lock()
        self._waiting: list[Change] = []
        self._synced = 0.0
        with _failures(path):
            _make_file(self.path)
            # With isolation level None, transactions begin and end only as written here.
            self._connection = sqlite3.connect(
                os.fsencode(self.path), timeout=_WAIT, isolation_level=None, check_same_thread=False
            )
        try:
            with _failures(path):
                self._open(schema)
        except BaseException:
            self._connection.close()
            raise

    def _open(self, schema: Schema) -> None:
        is_new = _verify(self._connection, self.path, schema)
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = NORMAL")
        with self._transaction():
            # Another process may have made the tables meanwhile.
            if is_new and _verify(self._connection, self.path, schema):
                for table in schema.tables:
                    self._connection.execute(table)
                self._connection.execute(f"PRAGMA application_id = {schema.application_id}")
                self._connection.execute(f"PRAGMA user_version = {schema.version}")

    def rows(self, query: str, parameters: tuple[object, ...] = ()) -> list[tuple[Any, ...]]:
        """Return the rows that a query finds."""
        with _failures(self.path), self._lock:
            return self._connection.execute(query, parameters).fetchall()

    def change(self, *changes: Change) -> None:
        """Make changes, and those that wait, in one transaction. They survive the process when this returns."""
        with _failures(self.path), self._lock, self._transaction():
            for statement, parameters in changes:
                self._connection.execute(statement, parameters)

    def change_later(self, statement: str, parameters: tuple[object, ...]) -> None:
        """Make a change with the next transaction. One that is left open would make other processes wait."""
        self._waiting.append((statement, parameters))
        if len(self._waiting) >= _MOST_WAITING:
            self.change()

    def close(self) -> None:
        """Write the changes that wait, sync the database, and close it; idempotent.

        Raises:
            JournalError: The changes cannot be written or synced; the journal is closed all the same.
        """
        with self._lock:
            try:
                if self._waiting:
                    with _failures(self.path), self._transaction():
                        pass
                # A closed connection raises ProgrammingError.
                with _failures(self.path), suppress(sqlite3.ProgrammingError):
                    self._connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
            finally:
                self._connection.close()

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """Commit the changes that wait and those of the body, or none of them."""
        now = time.monotonic()
        sync = now - self._synced >= _SYNC_EVERY
        if sync:
            self._connection.execute("PRAGMA synchronous = FULL")
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            # Other threads may add more meanwhile.
            waiting = len(self._waiting)
            for statement, parameters in self._waiting[:waiting]:
                self._connection.execute(statement, parameters)
            yield
            self._connection.execute("COMMIT")
        except BaseException:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise
        del self._waiting[:waiting]
        if sync:
            self._synced = now
            self._connection.execute("PRAGMA synchronous = NORMAL")


def read(path: str, schema: Schema, query: str) -> Iterator[dict[str, Any]]:
    """Yield the rows that a query finds in a journal, by column. Another process may be using it.

    Args:
        path: The journal, which is neither created nor changed.
        schema: The kind of the journal.
        query: The query.

    Raises:
        JournalError: The journal does not exist, cannot be read, or is another database. It is raised at the first row.
    """
    path = os.path.realpath(path)
    if not os.path.exists(path):
        raise JournalError(f"there is no journal {one_line(path)}")
    # Without a write-ahead log there is no writer, and a normal connection would create a log.
    mode = "mode=ro" if os.path.exists(f"{path}-wal") else "immutable=1"
    with _failures(path):
        connection = sqlite3.connect(f"file:{quote(os.fsencode(path))}?{mode}", uri=True, timeout=_WAIT)
        connection.row_factory = sqlite3.Row
        try:
            if not _verify(connection, path, schema):
                yield from map(dict, connection.execute(query))
        finally:
            connection.close()


@contextmanager
def _failures(path: str) -> Iterator[None]:
    """Raise errors of the database and of the system in the body as a `JournalError` that names the journal."""
    try:
        yield
    except sqlite3.Error as error:
        reason = "is a folder" if os.path.isdir(path) else why_not_opened(path, error) or str(error)
        raise JournalError(f"the journal {one_line(path)} cannot be used: {one_line(reason)}") from error
    except OSError as error:
        reason = error.strerror or str(error)
        raise JournalError(f"the journal {one_line(path)} cannot be used: {reason.lower()}") from error


def why_not_opened(path: str, error: sqlite3.Error) -> str:
    """Return why the system lets a database be neither opened nor changed, which SQLite does not say; empty if it does."""
    # An error of Python's module has no code.
    if getattr(error, "sqlite_errorcode", 0) & 0xFF not in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN):
        return ""
    folder = os.path.dirname(os.path.realpath(path))
    for place, prefix in ((path, ""), (folder, "its folder: ")):
        if os.path.exists(place) and (code := why_not_writable(place)):
            return prefix + os.strerror(code).lower()
    return ""


def _make_file(path: str) -> None:
    """Create an empty file, which SQLite takes for a new database.

    An existing file is not opened, because closing it would end its locks.
    """
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))


def _verify(connection: sqlite3.Connection, path: str, schema: Schema) -> bool:
    """Return True if a database is empty, and may become a journal; False if it is a journal of this kind.

    Raises:
        JournalError: The database is another one, or is of a later version.
    """
    application_id, version, tables = connection.execute(_HEADER).fetchone()
    if (application_id, version, tables) == (0, 0, 0):
        return True
    if application_id != schema.application_id:
        raise JournalError(f"{one_line(path)} is not a journal of {schema.owner}: name another file")
    if version != schema.version:
        raise JournalError(
            f"the journal {one_line(path)} has version {version}, and only {schema.version} is supported"
        )
    return False
