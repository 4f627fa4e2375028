"""Databases for tests of the index: SQLite in a file, and a PostgreSQL that runs while the tests do."""

from __future__ import annotations

import itertools
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import psycopg
import pytest

from dimse.archive.index import Index
from tests.archive.index.rows import ARCHIVE_FOLDER

_NUMBERS = itertools.count(1)


def _programs() -> Path | None:
    """Return the folder of PostgreSQL's programs; None if it is not installed."""
    found = shutil.which("initdb")
    # Debian has the programs of each version in a folder that is not in PATH.
    programs = [Path(found).resolve()] if found else sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return programs[-1].parent if programs else None


def _user() -> str | None:
    """Return a user to run PostgreSQL as, which refuses root; None for the user of this process."""
    return "postgres" if os.geteuid() == 0 else None


class PostgreSQL:
    """A PostgreSQL in a folder of its own, which may be killed and started again.

    Attributes:
        folder: The folder of its socket.
    """

    def __init__(self, folder: str, programs: Path) -> None:
        self.folder, self._programs, self._user = folder, programs, _user()
        if self._user is not None:
            os.chown(folder, pwd.getpwnam(self._user).pw_uid, -1)
        options = ["-A", "trust", "-U", "dimse", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"]
        self._run("initdb", "-D", f"{folder}/data", *options)
        self.start()

    def _run(self, program: str, *arguments: str) -> None:
        command = [f"{self._programs}/{program}", *arguments]
        subprocess.run(command, user=self._user, check=True, capture_output=True, timeout=60, cwd=self.folder)

    def start(self) -> None:
        """Start it, and return when it takes connections."""
        settings = ["-c", "listen_addresses=", "-c", f"unix_socket_directories={self.folder}", "-c", "fsync=off"]
        command = [f"{self._programs}/postgres", "-D", f"{self.folder}/data", *settings]
        with open(f"{self.folder}/log", "ab") as log:
            self._server = subprocess.Popen(command, user=self._user, stderr=log, cwd=self.folder)
        ready = [f"{self._programs}/pg_isready", "-h", self.folder, "-q"]
        while subprocess.run(ready, check=False, timeout=30).returncode:
            assert self._server.poll() is None, Path(self.folder, "log").read_text()

    def stop(self, how: signal.Signals) -> None:
        """End it. SIGINT ends the connections in order; SIGQUIT breaks them off, and its next start is a recovery."""
        self._server.send_signal(how)
        self._server.wait(30)

    def execute(self, statement: str) -> None:
        """Execute a statement outside of a transaction."""
        _execute(self.folder, statement)


@contextmanager
def new_postgresql() -> Iterator[PostgreSQL]:
    """Run a PostgreSQL while entered."""
    programs = _programs()
    if programs is None:
        if os.environ.get("DIMSE_REQUIRE_PEERS"):
            pytest.fail("PostgreSQL is not installed")
        pytest.skip("PostgreSQL is not installed")
    # The path of a socket has at most 107 bytes.
    with tempfile.TemporaryDirectory(prefix="dimse-pg-", dir="/tmp", ignore_cleanup_errors=True) as folder:
        server = PostgreSQL(folder, programs)
        try:
            yield server
        finally:
            server.stop(signal.SIGINT)


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """Run a PostgreSQL, and return the folder of its socket."""
    with new_postgresql() as server:
        yield server.folder


def _execute(socket: str, statement: str) -> None:
    with psycopg.connect(host=socket, user="dimse", dbname="postgres", autocommit=True) as connection:
        connection.execute(statement)


@contextmanager
def _new_database(request: pytest.FixtureRequest, folder: Path, kind: str) -> Iterator[str]:
    number = next(_NUMBERS)
    if kind == "sqlite":
        yield str(folder / f"index{number}.db")
        return
    socket: str = request.getfixturevalue("postgresql")
    _execute(socket, f"CREATE DATABASE index{number}")
    yield f"postgresql://dimse@/index{number}?host={socket}"
    _execute(socket, f"DROP DATABASE index{number} WITH (FORCE)")


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Return an empty database, as `Index` takes it: on SQLite and on PostgreSQL in turn."""
    with _new_database(request, tmp_path, request.param) as database:
        yield database


@pytest.fixture(params=["sqlite", "postgresql"])
def new_index(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], AbstractContextManager[Index]]:
    """Return a function that opens an empty index of rows without files, in a database of its own."""

    @contextmanager
    def open_index() -> Iterator[Index]:
        with _new_database(request, tmp_path, request.param) as database, Index(database, ARCHIVE_FOLDER) as index:
            yield index

    return open_index


@pytest.fixture
def index(database: str) -> Iterator[Index]:
    """Return an index of rows without files."""
    with Index(database, ARCHIVE_FOLDER) as index:
        yield index
