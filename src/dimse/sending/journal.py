"""What a sender was acknowledged, kept so that a later run sends only the rest.

A journal is one SQLite database with one table, a row for each file and peer. Three statements over one table are SQL that
anyone can read; an object-relational mapper would be a dependency, a slow start, and no line less.

A file is known by the peer (host, port, called AE title), its SOP instance UID, transfer syntax, size and modification
time, and by where it is:

    queued -> sending -> acked | refused | unknown

What a killed run left at `sending` is `unknown` to the next one: it may have arrived, and is sent again. Nothing changes a
row that is `acked`.

A commit is in the system's hands before `record` returns, so a killed process loses nothing. The disk is waited for at one
commit a second and at the end (write-ahead log, `synchronous=NORMAL`, and `FULL` for that one). To wait at each commit takes
0.25 ms instead of 0.06 ms on a fast disk, on a slow one some 10 ms for which the other associations wait too. So a power cut may
take back the acknowledgements of the last second: those instances are sent once more, and none is lost.
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
from dimse.message.status import Status
from dimse.support.closing import Closing
from dimse.support.text import one_line
from dimse.support.values import value

if TYPE_CHECKING:
    from dimse.services.outcome import Outcome

QUEUED, SENDING, ACKED, REFUSED, UNKNOWN = "queued", "sending", "acked", "refused", "unknown"

# What `Outcome.state` makes of what was sent; with any other it may have arrived.
_STATES = {"stored": ACKED, "warning": ACKED, "refused": REFUSED}

_APPLICATION_ID = 0x44434D4A  # "DCMJ", in the header of the database
_VERSION = 1  # of the table
_WAIT = 30.0  # seconds for another process that writes
_SYNC_EVERY = 1.0  # seconds
_MOST_WAITING = 1000  # changes that need no commit of their own

# `attempts` are those whose outcome was recorded; `trying` is the one that a row stands at `sending` for.
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
_Change = tuple[str, tuple[object, ...]]  # a statement and its parameters


@value
class Entry:
    """A row of a journal.

    Attributes:
        host, port, called_ae_title: The peer, the host in lower case.
        sop_instance_uid: The instance.
        transfer_syntax_uid: The transfer syntax that the file is stored in.
        size: Bytes of the file.
        mtime_ns: When the file was last changed, nanoseconds since 1970.
        path: Where the file was, from the root; bytes that are no text are kept by surrogates (`os.fsdecode`).
        state: "queued", "sending", "acked", "refused" or "unknown".
        status: The peer's answer, if there is one.
        attempts: How often it was sent, over all runs.
        changed: When it came into this state, seconds since 1970.
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
    """What one peer acknowledged. Threads may share it, and processes its file.

    Args:
        path: The database; made, for nobody else to read, if it does not exist.
        host: The peer, as the user names it.
        port: Its port.
        called_ae_title: Its AE title.

    Raises:
        JournalError: It cannot be opened, is no journal, or is one of a later version. So do all methods when it cannot be
            read or written any more.
    """

    def __init__(self, path: str, *, host: str, port: int, called_ae_title: str) -> None:
        self._path = os.path.realpath(path)
        self._peer = host.lower(), port, called_ae_title
        self._lock = threading.Lock()
        self._waiting: list[_Change] = []
        self._synced = 0.0
        with _failures(path):
            _make_file(self._path)
            # Each transaction is begun and ended here, not by the module: isolation level None.
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
            if is_new and _verify(self._connection, self._path):  # no other process has made the table meanwhile
                self._connection.execute(_TABLE)
                self._connection.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
                self._connection.execute(f"PRAGMA user_version = {_VERSION}")
            self._connection.execute(_INTERRUPTED, self._peer)

    def acknowledged(self, file: InstanceFile) -> Status | None:
        """The status with which the peer took a file in this run or an earlier one; None if it is to be sent.

        Two instances may carry one UID, one size and one time. So an acknowledgement of a file elsewhere is one of this file
        only if the two are the same to the byte, or if this is new here and that one gone: it was moved, and its row moves too.
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
        if (
            gone and path not in alike and acked.keys() >= set(gone)
        ):  # of several, none may be the one that is to be sent
            self._change(_MOVED, (path, *known, gone[0]))
            return Status(acked[gone[0]], service="storage")
        if alike:  # that it is another one must be known when they are gone
            self._change(_QUEUE, (*key, time.time()))
        return None

    def queue(self, file: InstanceFile) -> None:
        """A file was found. What an earlier run knew of it stays."""
        self._change_later(_QUEUE, (*self._key(file), time.time()))

    def sending(self, file: InstanceFile, attempt: int) -> None:
        """A file that is queued is about to be sent.

        Args:
            attempt: How often in this run, this time included.
        """
        self._change(_SENDING, (attempt, time.time(), *self._key(file)))

    def record(self, file: InstanceFile, outcome: Outcome) -> None:
        """What became of a file. If it was sent, that outlives the process from when this returns."""
        if outcome.attempts:
            state, status = _STATES.get(outcome.state, UNKNOWN), None if outcome.status is None else int(outcome.status)
            self._change(_SENT, (state, status, outcome.attempts, time.time(), *self._key(file)))
        elif outcome.state != "already":
            self._change_later(_NOT_SENT, (time.time(), *self._key(file)))

    def close(self) -> None:
        """Write what waits and have the disk keep all of it. Harmless twice.

        Raises:
            JournalError: The disk does not; the journal is closed all the same.
        """
        with self._lock:
            try:
                if self._waiting:
                    with _failures(self._path), self._transaction():
                        pass
                with _failures(self._path), suppress(sqlite3.ProgrammingError):  # it is closed
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
        """With the next commit. None is left open for it, which would keep other processes waiting."""
        self._waiting.append((statement, parameters))
        if len(self._waiting) >= _MOST_WAITING:
            with _failures(self._path), self._lock, self._transaction():
                pass

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """Write what waits and what is done inside, or nothing of it."""
        now = time.monotonic()
        sync = now - self._synced >= _SYNC_EVERY
        if sync:
            self._connection.execute("PRAGMA synchronous = FULL")
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            waiting = len(self._waiting)  # other threads add more
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
    """The rows of a journal, in the order of its key. It may be in use.

    Args:
        path: The journal, which is neither made nor changed.

    Raises:
        JournalError: It does not exist, cannot be read or is no journal; when the first row is asked for.
    """
    path = os.path.realpath(path)
    if not os.path.exists(path):
        raise JournalError(f"there is no journal {one_line(path)}")
    # Where there is no write-ahead log nobody writes, and one would be made to look into it.
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
    """Failures of the database and of the system are errors that name the journal."""
    try:
        yield
    except sqlite3.Error as error:
        reason = "is a folder" if os.path.isdir(path) else str(error)
        raise JournalError(f"the journal {one_line(path)} cannot be used: {one_line(reason)}") from error
    except OSError as error:
        reason = error.strerror or str(error)
        raise JournalError(f"the journal {one_line(path)} cannot be used: {reason.lower()}") from error


def _make_file(path: str) -> None:
    """Have an empty file, which SQLite takes for a new database. One that exists is not opened: to close it would end its locks."""
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))


def _verify(connection: sqlite3.Connection, path: str) -> bool:
    """Whether a database is empty, and may become a journal; if not, it must be one.

    Raises:
        JournalError: It is none, or of a later version.
    """
    application_id, version, tables = connection.execute(_HEADER).fetchone()
    if (application_id, version, tables) == (0, 0, 0):
        return True
    if application_id != _APPLICATION_ID:
        raise JournalError(f"{one_line(path)} is no journal of a sender, and is left alone; name another file")
    if version != _VERSION:
        raise JournalError(f"the journal {one_line(path)} is of version {version}, and only {_VERSION} is known here")
    return False


def _is_gone(path: str) -> bool:
    """Whether there is no such file any more; nor an archive that holds it, "a.zip:x/1.dcm"."""
    try:
        os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return not any(os.path.isfile(path[:at]) for at, character in enumerate(path) if character == ":")
    except OSError:
        pass
    return False


def _is_copy(file: InstanceFile, path: str) -> bool:
    """Whether the file at `path` is the same to the byte. What lies in an archive is not unpacked for that."""
    try:
        return file.container is None and filecmp.cmp(file.path, path, shallow=False)
    except OSError:
        return False  # one of the two cannot be read: sending it will say so
