"""The folder and the index of the archive that a command works on, opened as the command needs them."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING

from dimse.errors import DatabaseError
from dimse.support.text import one_line
from dimse.support.values import value
from dimse.tools import qr_configuration, wording

if TYPE_CHECKING:
    from dimse.archive.file_store import OnDuplicate
    from dimse.archive.index import Index

FOLDER, DATABASE = "instances", "instances.sqlite"
"""The folder and the index where nothing else is said, as those of qrscp."""


class UnusableArchive(Exception):
    """The error for an archive that cannot be opened. The message is a line for the log."""


@value
class Places:
    """The places of an archive.

    Attributes:
        folder: The folder of the files; empty if the index has to say it.
        database: The database: a path, or a URL.
    """

    folder: str
    database: str

    @property
    def is_file(self) -> bool:
        """True if the database is a file."""
        return "://" not in self.database


def places_of(options: argparse.Namespace) -> Places:
    """Return the places that the options name, or the configuration.

    Raises:
        UnusableArchive: The configuration cannot be used.
    """
    general = {}
    if options.config is not None:
        try:
            general = dict(qr_configuration.read(options.config).general)
        except ValueError as error:
            raise UnusableArchive(f"cannot use the configuration {error}") from error
    folder = options.instance_location or general.get("output_directory", "")
    return Places(folder, options.database_location or general.get("database_location", DATABASE))


@contextmanager
def opened(
    options: argparse.Namespace, *, creates: bool = False, on_duplicate: OnDuplicate = "keep-both"
) -> Iterator[Index]:
    """Give the index of the archive that the options name.

    Args:
        options: The parsed options.
        creates: Make an archive where the folder has no index.
        on_duplicate: As of `Index`.

    Raises:
        UnusableArchive: There is no such archive, or it cannot be used.
    """
    index = open_index(places_of(options), creates=creates, on_duplicate=on_duplicate)
    with index:
        yield index


def open_index(places: Places, *, creates: bool = False, on_duplicate: OnDuplicate = "keep-both") -> Index:
    """Return an open index; arguments and errors are those of `opened`."""
    require_sqlalchemy()
    from dimse.archive.index import Index

    database = places.database
    if places.is_file and not creates and not os.path.isfile(database):
        why = "name it with --database-location, or make it with import or reindex"
        raise UnusableArchive(f"There is no index {one_line(database)}: {why}")
    try:
        folder = folder_of(places)
        if not creates and not os.path.isdir(folder):
            raise UnusableArchive(f"There is no folder {one_line(folder)}: name it with --instance-location")
        return Index(database, folder, on_duplicate=on_duplicate)
    except (DatabaseError, OSError) as error:
        raise UnusableArchive(wording.reason_with_path(error)) from error


def folder_of(places: Places) -> str:
    """Return the folder of the files: the one that was named, or the one that the index knows.

    Raises:
        DatabaseError: The database cannot be read.
        UnusableArchive: The index belongs to another folder, which is there.
    """
    known = known_folder(places)
    folder = places.folder or known or FOLDER
    # An index is given to another folder only if the archive was moved there.
    if known and os.path.isdir(known) and os.path.realpath(known) != os.path.realpath(folder):
        raise _of_another(one_line(known), one_line(folder))
    return folder


def _of_another(known: str, folder: str) -> UnusableArchive:
    return UnusableArchive(f"The index is that of the folder {known}, not of {folder}")


def known_folder(places: Places) -> str:
    """Return the folder that an index knows; empty if there is no index.

    Raises:
        DatabaseError: The database cannot be read.
    """
    from dimse.archive.index.database import Database
    from dimse.archive.index.migrations import prepare
    from dimse.archive.index.stores import folder_of as folder_in

    if places.is_file and not os.path.isfile(places.database):
        return ""
    with Database(places.database) as database:
        prepare(database)
        return folder_in(database)


@contextmanager
def alone(folder: str) -> Iterator[None]:
    """Keep other processes from adding to the folder of an archive while the body runs.

    Raises:
        UnusableArchive: One does, or the folder cannot be opened.
    """
    from dimse.archive.folders import FOLDER as OPENING
    from dimse.archive.folders import close, lock

    try:
        descriptor = os.open(folder, OPENING)
    except OSError as error:
        raise UnusableArchive(wording.reason_with_path(error)) from error
    try:
        lock(descriptor, folder)
        yield
    except BlockingIOError as error:
        raise in_use(folder) from error
    finally:
        close(descriptor)


def in_use(folder: str) -> UnusableArchive:
    """Return the error for an archive that another process serves."""
    return UnusableArchive(f"The archive {one_line(folder)} is in use by another process, such as qrscp: end it first")


def require_sqlalchemy() -> None:
    """Verify that SQLAlchemy is installed.

    Raises:
        UnusableArchive: It is not.
    """
    if find_spec("sqlalchemy") is None:
        raise UnusableArchive("dimse archive needs SQLAlchemy: pip install 'dimse[archive]'")
