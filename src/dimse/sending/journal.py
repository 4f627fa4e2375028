"""The journal of a sender: a record of acknowledged files, so that a later run sends only the rest.

A journal is one SQLite database with one table, which has a row for each file and peer. Three statements over one table are
plain SQL. An object-relational mapper would be a dependency, slow to load, and save no line.

The key of a row is the peer (host, port, called AE title) and the file (SOP instance UID, transfer syntax, size, modification
time, path). A row goes through these states:

    queued -> sending -> acked | refused | unknown

A row that a killed run left at `sending` is `unknown` to the next run: the file may have arrived, and is sent again. A row
that is `acked` stays so.

The system has a commit before `record` returns, so a killed process loses nothing. Only one commit a second, and the last one,
waits for the disk (write-ahead log, `synchronous=NORMAL`, and `FULL` for those). To wait at each commit would take 0.25 ms
instead of 0.06 ms on a fast disk. On a slow one it takes some 10 ms, during which other associations wait too. A power cut may
revert the acknowledgements of the last second: those instances are sent once more, and none is lost.
"""

from __future__ import annotations

import filecmp
import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING
from urllib.parse import quote

from dimse.errors import JournalError
from dimse.instances import InstanceFile
from dimse.journals import why_not_opened
from dimse.message.status import Status
from dimse.support.closing import Closing
from dimse.support.text import one_line
from dimse.support.values import value

if TYPE_CHECKING:
    from dimse.services.outcome import Outcome

QUEUED, SENDING, ACKED, REFUSED, UNKNOWN = "queued", "sending", "acked", "refused", "unknown"

# The state of a file by `Outcome.state`. With any other outcome the file may have arrived.
_STATES = {"stored": ACKED, "warning": ACKED, "refused": REFUSED}

# "DCMJ", in the header of the database.
_APPLICATION_ID = 0x44434D4A
# The version of the table.
_VERSION = 1
# Seconds to wait for another process that writes.
_WAIT = 30.0
# Seconds between two commits that wait for the disk.
_SYNC_EVERY = 1.0
# Changes that wait for the next commit.
_MOST_WAITING = 1000

# `attempts` counts those whose outcome is recorded; `trying` is the number of the attempt under way.
_TABLE = """
CREATE TABLE file (
    host TEXT NOT NULL,
    port INTEGER NOT NULL,
    called_ae_title TEXT NOT NULL,
    sop_instance_uid TEXT NOT NULL,
    transfer_syntax_uid TEXT NOT NULL,
    size INTEGER NOT NULL,
    mtime_ns INTEGER NOT NULL,
    path BLOB NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('queued', 'sending', 'acked', 'refused', 'unknown')),
    status INTEGER,
    attempts INTEGER NOT NULL,
    trying INTEGER NOT NULL,
    changed REAL NOT NULL,
    PRIMARY KEY (host, port, called_ae_title, sop_instance_uid, transfer_syntax_uid, size, mtime_ns, path)
) WITHOUT ROWID
"""
_KEY = "(host, port, called_ae_title, sop_instance_uid, transfer_syntax_uid, size, mtime_ns, path) = (?, ?, ?, ?, ?, ?, ?, ?)"
_QUEUE = "INSERT INTO file VALUES (?, ?, ?, ?, ?, ?, ?, ?, 'queued', NULL, 0, 0, ?) ON CONFLICT DO NOTHING"
_SENDING = f"UPDATE file SET state = 'sending', trying = ?, changed = ? WHERE {_KEY} AND state <> 'acked'"
_SENT = f"""
UPDATE file SET state = ?, status = ?, attempts = attempts + ?, trying = 0, changed = ? WHERE {_KEY} AND state <> 'acked'
"""
_NOT_SENT = f"""
UPDATE file SET state = iif(attempts, 'unknown', 'queued'), trying = 0, changed = ? WHERE {_KEY} AND state = 'sending'
"""
_INTERRUPTED = """
UPDATE file SET state = 'unknown', attempts = attempts + trying, trying = 0
WHERE (host, port, called_ae_title) = (?, ?, ?) AND state = 'sending'
"""
_ALIKE = """
SELECT path, state, status FROM file
WHERE (host, port, called_ae_title, sop_instance_uid, transfer_syntax_uid, size, mtime_ns) = (?, ?, ?, ?, ?, ?, ?)
"""
_MOVED = f"UPDATE OR REPLACE file SET path = ? WHERE {_KEY}"
_HEADER = """
SELECT application_id, user_version, (SELECT count(*) FROM sqlite_master) FROM pragma_application_id, pragma_user_version
"""
_ENTRIES = """
SELECT host, port, called_ae_title, sop_instance_uid, transfer_syntax_uid, size, mtime_ns, path,
state, status, attempts + trying AS attempts, changed FROM file
"""

_Key = tuple[str, int, str, str, str, int, int, bytes]
# A statement and its parameters.
_Change = tuple[str, tuple[object, ...]]


@value
class Entry:
    """A row of a journal.

    Attributes:
        host: The host of the peer as it was named, in lower case.
        port: The port of the peer.
        called_ae_title: The AE title of the peer.
        sop_instance_uid: The SOP instance UID of the file.
        transfer_syntax_uid: The transfer syntax of the file.
        size: Bytes of the file.
        mtime_ns: Modification time of the file, nanoseconds since 1970.
        path: Absolute path of the file; bytes that are not text are surrogates (`os.fsdecode`).
        state: "queued", "sending", "acked", "refused" or "unknown".
        status: The peer's status, if there is one.
        attempts: The number of times that the file was sent, in all runs.
        changed: Time of the last change of state, seconds since 1970.
    """

    host: str
    port: int
    called_ae_title: str
    sop_instance_uid: str
    transfer_syntax_uid: str
    size: int
    mtime_ns: int
    path: str
    state: str
    status: int | None
    attempts: int
    changed: float


class Journal(Closing):
    """The acknowledgements of one peer. Threads may share a journal, and processes its file.

    Args:
        path: The database; if it does not exist it is created for the user alone (0600).
        host: The peer, as the user names it.
        port: The port of the peer.
        called_ae_title: The AE title of the peer.

    Raises:
        JournalError: The database cannot be opened, is not a journal, or is of a later version. Every method raises it too if
            the journal cannot be read or written.
    """

    def __init__(self, path: str, *, host: str, port: int, called_ae_title: str) -> None:
        self._path = os.path.realpath(path)
        self._peer = host.lower(), port, called_ae_title
        self._lock = threading.Lock()
        self._waiting: list[_Change] = []
        self._synced = 0.0
        with _failures(path):
            _make_file(self._path)
            # With isolation level None, transactions begin and end only as written here.
            self._connection = sqlite3.connect(
                os.fsencode(self._path), timeout=_WAIT, isolation_level=None, check_same_thread=False
            )
        try:
            with _failures(path):
                self._open()
        except BaseException:
            self._connection.close()
            raise

    def _open(self) -> None:
        is_new = _verify(self._connection, self._path)
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = NORMAL")
        with self._transaction():
            # Another process may have made the table meanwhile.
            if is_new and _verify(self._connection, self._path):
                self._connection.execute(_TABLE)
                self._connection.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
                self._connection.execute(f"PRAGMA user_version = {_VERSION}")
            self._connection.execute(_INTERRUPTED, self._peer)

    def acknowledged(self, file: InstanceFile) -> Status | None:
        """Return the status with which the peer acknowledged a file in this run or an earlier one; None if it is to be sent.

        Two instances may have the same UID, size and time. The acknowledgement of a file at another path counts if the files
        have the same bytes. It also counts if that path is gone and this one is new: then the file was moved, and its row gets
        the new path.
        """
        *known, path = key = self._key(file)
        with _failures(self._path), self._lock:
            rows = self._connection.execute(_ALIKE, known).fetchall()
        alike = {other: (state, status) for other, state, status in rows}
        acked = {other: status for other, (state, status) in alike.items() if state == ACKED}
        if path in acked:
            return Status(acked[path], service="storage")
        gone = [other for other in alike if other != path and _is_gone(os.fsdecode(other))]
        for other, status in acked.items():
            if other not in gone and _is_copy(file, os.fsdecode(other)):
                return Status(status, service="storage")
        # If one of several files that are gone was not acknowledged, this may be it.
        if gone and path not in alike and acked.keys() >= set(gone):
            self._change(_MOVED, (path, *known, gone[0]))
            return Status(acked[gone[0]], service="storage")
        # The row shows that this is a different file, even when the others are gone.
        if alike:
            self._change(_QUEUE, (*key, time.time()))
        return None

    def queue(self, file: InstanceFile) -> None:
        """Record that a file was found; a row of an earlier run stays."""
        self._change_later(_QUEUE, (*self._key(file), time.time()))

    def sending(self, file: InstanceFile, attempt: int) -> None:
        """Record that a queued file is about to be sent.

        Args:
            file: The file.
            attempt: The number of the attempt in this run, from 1.
        """
        self._change(_SENDING, (attempt, time.time(), *self._key(file)))

    def record(self, file: InstanceFile, outcome: Outcome) -> None:
        """Record the outcome of a file. If it was sent, the record survives the process as soon as this returns."""
        if outcome.attempts:
            state, status = _STATES.get(outcome.state, UNKNOWN), None if outcome.status is None else int(outcome.status)
            self._change(_SENT, (state, status, outcome.attempts, time.time(), *self._key(file)))
        elif outcome.state != "already":
            self._change_later(_NOT_SENT, (time.time(), *self._key(file)))

    def close(self) -> None:
        """Write the changes that wait, sync the database, and close it; idempotent.

        Raises:
            JournalError: The changes cannot be written or synced; the journal is closed all the same.
        """
        with self._lock:
            try:
                if self._waiting:
                    with _failures(self._path), self._transaction():
                        pass
                # A closed connection raises ProgrammingError.
                with _failures(self._path), suppress(sqlite3.ProgrammingError):
                    self._connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
            finally:
                self._connection.close()

    def _key(self, file: InstanceFile) -> _Key:
        path = os.fsencode(os.path.realpath(file.path))
        return *self._peer, file.sop_instance_uid, file.transfer_syntax_uid, file.size, file.mtime_ns, path

    def _change(self, statement: str, parameters: tuple[object, ...]) -> None:
        with _failures(self._path), self._lock, self._transaction():
            self._connection.execute(statement, parameters)

    def _change_later(self, statement: str, parameters: tuple[object, ...]) -> None:
        """Apply a change with the next commit. An open transaction would make other processes wait."""
        self._waiting.append((statement, parameters))
        if len(self._waiting) >= _MOST_WAITING:
            with _failures(self._path), self._lock, self._transaction():
                pass

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


def entries(path: str) -> Iterator[Entry]:
    """Yield the rows of a journal, in the order of its key. Another process may be using it.

    Args:
        path: The journal, which is neither created nor changed.

    Raises:
        JournalError: The journal does not exist, cannot be read, or is not a journal. It is raised at the first row.
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
            if not _verify(connection, path):
                for row in connection.execute(_ENTRIES):
                    yield Entry(**dict(row) | {"path": os.fsdecode(row["path"])})
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


def _make_file(path: str) -> None:
    """Create an empty file, which SQLite takes for a new database.

    An existing file is not opened, because closing it would end its locks.
    """
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))


def _verify(connection: sqlite3.Connection, path: str) -> bool:
    """Return True if a database is empty, and may become a journal; False if it is a journal.

    Raises:
        JournalError: The database is not a journal, or is of a later version.
    """
    application_id, version, tables = connection.execute(_HEADER).fetchone()
    if (application_id, version, tables) == (0, 0, 0):
        return True
    if application_id != _APPLICATION_ID:
        raise JournalError(f"{one_line(path)} is not a journal of a sender: name another file")
    if version != _VERSION:
        raise JournalError(f"the journal {one_line(path)} has version {version}, and only {_VERSION} is supported")
    return False


def _is_gone(path: str) -> bool:
    """Return True if neither the file exists nor an archive that holds it ("a.zip:x/1.dcm")."""
    try:
        os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return not any(os.path.isfile(path[:at]) for at, character in enumerate(path) if character == ":")
    except OSError:
        pass
    return False


def _is_copy(file: InstanceFile, path: str) -> bool:
    """Return True if the file at `path` has the same bytes. A member of an archive is not inflated to find out."""
    try:
        return file.container is None and filecmp.cmp(file.path, path, shallow=False)
    except OSError:
        # One of the two cannot be read, which sending it reports.
        return False
