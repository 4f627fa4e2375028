"""The connections to the database of an index: one that writes, and a pool of those that read.

A transaction that writes runs the text of its statements on the driver's own cursor. SQLAlchemy makes the text once for each
statement, in the words of the database. That takes a third of the time of its own execution.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

from sqlalchemy import URL, Connection, Engine, PoolProxiedConnection, create_engine, event, make_url
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.sql.elements import ClauseElement

from dimse.errors import DatabaseError, QueryTooLong
from dimse.support.closing import Closing
from dimse.support.mounts import network_file_system
from dimse.support.text import one_line

T = TypeVar("T")

LONGEST_WAIT = 5.0
"""The seconds for which a transaction waits for another process that writes."""
LONGEST_QUERY = {"sqlite": 5.0, "postgresql": 30.0}
"""The seconds that a query may take, by database."""
MOST_READERS = 8
"""The connections that read at a time; further readers wait."""

# The number in the header of an SQLite database that tells an index from other databases.
APPLICATION_ID = 0x64694978
_MAP_SIZE = 256 * 1024 * 1024
# Virtual machine instructions of SQLite between two looks at the clock.
_BETWEEN_LOOKS = 10_000

# Bytes of SQLite's log beyond which it is copied while the writer waits.
_LARGEST_LOG = 64 * 1024 * 1024

MOST_ATTEMPTS = 4
"""Attempts of a transaction that fails because of another one at the same time."""
# PostgreSQL: serialization failure, deadlock, and a reference to a row that another transaction has deleted.
_PASSING = ("40001", "40P01", "23503")
_QUERY_CANCELED = "57014"


class Stale(Exception):
    """The exception for a row that was remembered and is gone: the transaction is to be run again."""


class Writer:
    """The connection that writes, within a transaction.

    Attributes:
        is_sqlite: True on SQLite.
    """

    def __init__(self, engine: Engine, texts: dict[ClauseElement, tuple[str, dict[str, Any]]]) -> None:
        self._connection: PoolProxiedConnection = engine.raw_connection()
        self._cursor = self._connection.cursor()
        self._dialect, self._texts = engine.dialect, texts
        self.is_sqlite = engine.dialect.name == "sqlite"

    def run(self, statement: ClauseElement, parameters: Mapping[str, Any] | None = None) -> Any:
        """Execute a statement, and return the driver's cursor with its rows.

        Args:
            statement: The statement. Make it once: its text is kept for ever.
            parameters: The values of its parameters, as the driver takes them: JSON is text.
        """
        prepared = self._texts.get(statement)
        if prepared is None:
            compiled = statement.compile(dialect=self._dialect)
            constants = {name: value for name, value in (compiled.params or {}).items() if value is not None}
            prepared = self._texts[statement] = str(compiled), constants
        text, constants = prepared
        return self._cursor.execute(text, {**constants, **(parameters or {})} if constants else parameters or {})

    def all(self, statement: ClauseElement, parameters: Mapping[str, Any] | None = None) -> list[tuple[Any, ...]]:
        """Execute a statement and return its rows."""
        self.run(statement, parameters)
        return self._cursor.fetchall()  # type: ignore[return-value]

    def one(self, statement: ClauseElement, parameters: Mapping[str, Any] | None = None) -> tuple[Any, ...] | None:
        """Execute a statement and return its first row; None if it has no row."""
        self.run(statement, parameters)
        return self._cursor.fetchone()

    def changed(self, statement: ClauseElement, parameters: Mapping[str, Any] | None = None) -> int:
        """Execute a statement and return the number of rows that it changed."""
        self.run(statement, parameters)
        return self._cursor.rowcount

    def many(self, statement: ClauseElement, parameters: list[dict[str, Any]]) -> None:
        """Execute a statement without result once for each set of parameters."""
        for one in parameters:
            self.run(statement, one)

    def text(self, statement: str) -> Any:
        """Execute the text of a statement without parameters."""
        return self._cursor.execute(statement)

    def begin(self) -> None:
        """Begin a transaction; on SQLite, wait until no other process writes."""
        self.text("BEGIN IMMEDIATE" if self.is_sqlite else "BEGIN")

    def lock_hierarchy(self) -> None:
        """Keep other transactions from making patients, studies and series until this one has ended."""
        if not self.is_sqlite:
            self.text(f"SELECT pg_advisory_xact_lock({APPLICATION_ID}, 1)")

    def lock_changes(self) -> None:
        """Keep other transactions from adding to the change feed until this one has ended, so that numbers follow the commits."""
        if not self.is_sqlite:
            self.text(f"SELECT pg_advisory_xact_lock({APPLICATION_ID}, 2)")

    def close(self) -> None:
        """Close the connection. Errors are ignored, because everything that must survive has been committed."""
        with suppress(Exception):
            self._connection.invalidate()
            self._connection.close()


class Database(Closing):
    """The database of an index.

    Threads share it. Connections are made when they are first needed, and anew in a process that was forked.

    Attributes:
        name: The database in words, without a password.
        is_sqlite: True on SQLite.

    Args:
        where: The file of an SQLite database, which is created for its owner alone (0600), or a URL `postgresql://...`.

    Raises:
        DatabaseError: The database cannot be opened, or is not an index.
    """

    def __init__(self, where: str | os.PathLike[str]) -> None:
        url = _url(os.fspath(where))
        self.is_sqlite = url.get_backend_name() == "sqlite"
        self.name = url.database or "" if self.is_sqlite else url.render_as_string()
        self._url, self._lock = url, threading.Lock()
        self._texts: dict[ClauseElement, tuple[str, dict[str, Any]]] = {}
        self._open()

    def _open(self) -> None:
        self._process = os.getpid()
        self._writer: Writer | None = None
        if self.is_sqlite:
            if url_path := self._url.database:
                _make_file(url_path)
            self._writers = _sqlite_engine(self._url, writes=True)
            self._readers = _sqlite_engine(self._url, writes=False)
            self._checkpoints = _sqlite_engine(self._url, writes=True)
        else:
            self._writers = _postgresql_engine(self._url, writes=True)
            self._readers = _postgresql_engine(self._url, writes=False)
            self._checkpoints = self._writers
        driver: Any = self._writers.dialect.loaded_dbapi
        self._errors: tuple[type[Exception], ...] = (SQLAlchemyError, driver.Error)
        self._repeated: tuple[type[Exception], ...] = (Stale, *self._errors)
        self._errors_of_values = (
            driver.DataError,
            driver.IntegrityError,
            driver.ProgrammingError,
            driver.InterfaceError,
        )

    def close(self) -> None:
        """Close all connections. This is idempotent."""
        with self._lock:
            self._drop_writer()
            self._writers.dispose()
            self._readers.dispose()
            self._checkpoints.dispose()

    def _drop_writer(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def _renew_after_fork(self) -> None:
        """Make connections of its own in a process that was forked: the parent's must not be touched."""
        if self._process != os.getpid():
            self._writers.dispose(close=False)
            self._readers.dispose(close=False)
            self._checkpoints.dispose(close=False)
            self._lock = threading.Lock()
            self._open()

    def write(self, work: Callable[[Writer], T], failed: Callable[[], None] | None = None) -> T:
        """Run `work` in a transaction and return its result. It is run again after a conflict with another transaction.

        Args:
            work: What is to be done.
            failed: Called after each attempt that fails, before any other transaction.

        Raises:
            DatabaseError: The transaction failed. Unless the connection was lost during the commit, nothing has changed.
        """
        self._renew_after_fork()
        attempt = 1
        while True:
            try:
                with self._lock:
                    try:
                        return self._transaction(work)
                    except BaseException:
                        if failed is not None:
                            failed()
                        raise
            except self._repeated as error:
                is_passing = isinstance(error, Stale) or _sql_state(error) in _PASSING
                if is_passing and attempt < MOST_ATTEMPTS:
                    attempt += 1
                    continue
                raise self._explained(error) from error

    def write_durably(self, work: Callable[[Writer], T]) -> T:
        """Run `work` as `write` does, and return once the disk has what was committed. PostgreSQL does so at each commit.

        Raises:
            DatabaseError: The transaction failed.
        """
        if not self.is_sqlite:
            return self.write(work)
        self.run_alone(lambda writer: writer.text("PRAGMA synchronous = FULL"))
        try:
            return self.write(work)
        finally:
            self.run_alone(lambda writer: writer.text("PRAGMA synchronous = NORMAL"))

    def _begin(self) -> Writer:
        """Begin a transaction. If the server has ended the connection since its last one, make another connection."""
        writer = self._writer
        if writer is not None and not self.is_sqlite:
            try:
                writer.begin()
            except self._errors:
                self._drop_writer()
            else:
                return writer
        if self._writer is None:
            self._writer = Writer(self._writers, self._texts)
        self._writer.begin()
        return self._writer

    def _transaction(self, work: Callable[[Writer], T]) -> T:
        try:
            writer = self._begin()
            result = work(writer)
            writer.text("COMMIT")
        except BaseException:
            self._roll_back()
            raise
        return result

    def _roll_back(self) -> None:
        try:
            if self._writer is not None:
                self._writer.text("ROLLBACK")
        except self._errors:
            # The connection is broken, or there is no transaction.
            self._drop_writer()

    def run_alone(self, work: Callable[[Writer], T]) -> T:
        """Run `work` with the writing connection, and without a transaction.

        Raises:
            DatabaseError: It failed.
        """
        self._renew_after_fork()
        with self.failures(), self._lock:
            if self._writer is None:
                self._writer = Writer(self._writers, self._texts)
            return work(self._writer)

    def checkpoint(self) -> None:
        """Wait until the disk has what was committed. PostgreSQL does so at each commit.

        Raises:
            DatabaseError: The database cannot be used.
        """
        if not self.is_sqlite:
            return
        self._renew_after_fork()
        with self.failures():
            # Meanwhile others commit.
            with self._checkpoints.connect() as connection:
                connection.exec_driver_sql("PRAGMA wal_checkpoint(PASSIVE)").all()
            if _size(f"{self._url.database}-wal") > _LARGEST_LOG:
                # The log begins anew only if it is copied completely.
                self.run_alone(lambda writer: writer.text("PRAGMA wal_checkpoint(PASSIVE)").fetchall())

    @contextmanager
    def reading(self, seconds: float | None = None) -> Iterator[Connection]:
        """Lend a connection that reads. Each of its queries sees what was committed before it.

        Args:
            seconds: The time for the body, on SQLite; by default that of `LONGEST_QUERY`. On PostgreSQL each query has its limit.

        Raises:
            QueryTooLong: The time has passed.
            DatabaseError: The database cannot be read.
        """
        self._renew_after_fork()
        with self.failures(), self._readers.connect() as connection:
            if not self.is_sqlite:
                yield connection
                return
            driver: Any = connection.connection.driver_connection
            deadline = time.monotonic() + (LONGEST_QUERY["sqlite"] if seconds is None else seconds)
            driver.set_progress_handler(lambda: time.monotonic() > deadline, _BETWEEN_LOOKS)
            try:
                yield connection
            finally:
                driver.set_progress_handler(None, 0)

    @contextmanager
    def failures(self) -> Iterator[None]:
        """Raise errors of the database in the body as a `DatabaseError`."""
        try:
            yield
        except self._errors as error:
            raise self._explained(error) from error

    def _explained(self, error: Exception) -> DatabaseError:
        cause: BaseException = error
        if isinstance(error, DBAPIError) and error.orig is not None:
            cause = error.orig
        if getattr(cause, "sqlite_errorcode", 0) == sqlite3.SQLITE_INTERRUPT or _sql_state(error) == _QUERY_CANCELED:
            return QueryTooLong(f"a query of the database {one_line(self.name)} took too long")
        # A driver may quote values of patients in further lines.
        reason = str(cause).partition("\n")[0] or type(cause).__name__
        # A value that cannot be stored is at fault, not the database.
        is_of_database = not isinstance(cause, self._errors_of_values)
        return DatabaseError(
            f"the database {one_line(self.name)} cannot be used: {one_line(reason)}", is_of_database=is_of_database
        )


def _sql_state(error: BaseException) -> str:
    cause = getattr(error, "orig", None) or error
    return str(getattr(cause, "sqlstate", "") or "")


def _url(where: str) -> URL:
    if "://" not in where:
        return URL.create("sqlite", database=os.path.abspath(where))
    url = make_url(where)
    if url.drivername in ("postgresql", "postgres"):
        return url.set(drivername="postgresql+psycopg")
    if url.drivername == "sqlite":
        return url.set(database=os.path.abspath(url.database or ""))
    if url.drivername == "postgresql+psycopg":
        return url
    raise DatabaseError(f"{one_line(url.render_as_string())} is neither the path of a file nor a postgresql:// URL")


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size
    except OSError:
        return 0


def _make_file(path: str) -> None:
    """Create an empty file, which SQLite takes for a new database. An existing one is not opened: closing it would end its locks.

    Raises:
        DatabaseError: It cannot be created, or its folder is on a network file system.
    """
    if kind := network_file_system(os.path.dirname(path)):
        raise DatabaseError(
            f"the database {one_line(path)} is on a network file system ({kind}), whose locks SQLite cannot trust:"
            " use a local disk, or PostgreSQL"
        )
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    except FileExistsError:
        return
    except OSError as error:
        raise DatabaseError(f"the database {one_line(path)} cannot be created: {error.strerror}") from error


def _sqlite_engine(url: URL, *, writes: bool) -> Engine:
    engine = create_engine(
        url,
        isolation_level="AUTOCOMMIT",
        paramstyle="named",
        pool_size=1 if writes else MOST_READERS,
        max_overflow=0,
        pool_timeout=30,
        connect_args={"timeout": LONGEST_WAIT, "check_same_thread": False, "cached_statements": 256},
    )

    @event.listens_for(engine, "connect")
    def prepare(connection: sqlite3.Connection, _: object) -> None:
        cursor = connection.cursor()
        if writes:
            cursor.execute("PRAGMA synchronous = NORMAL")
        else:
            cursor.execute("PRAGMA query_only = 1")
        cursor.execute(f"PRAGMA mmap_size = {_MAP_SIZE}")
        cursor.close()

    return engine


def _postgresql_engine(url: URL, *, writes: bool) -> Engine:
    try:
        return create_engine(
            url,
            isolation_level="AUTOCOMMIT",
            pool_size=1 if writes else MOST_READERS,
            max_overflow=0,
            pool_timeout=30,
            pool_pre_ping=not writes,
            connect_args={
                "connect_timeout": 5,
                "options": ""
                if writes
                else f"-c statement_timeout={int(1000 * LONGEST_QUERY['postgresql'])} -c default_transaction_read_only=on",
            },
        )
    except ImportError as error:
        raise DatabaseError("PostgreSQL needs psycopg: install dimse[postgresql]") from error
