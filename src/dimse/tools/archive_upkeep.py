"""`dimse archive check` and `reindex`. A check may run beside a qrscp that serves the archive."""

from __future__ import annotations

import argparse
import logging
import os
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from dimse.support.text import counted, one_line
from dimse.tools import archive_places, running
from dimse.tools.archive_output import print_line, print_rows
from dimse.tools.archive_places import Places, UnusableArchive
from dimse.tools.archive_progress import Progress
from dimse.tools.tables import Cell

if TYPE_CHECKING:
    from dimse.archive.index import Index
    from dimse.archive.index.reindex import Reindexed

JOBS = 4
"""Processes that read files for a new index."""


def check_command(options: argparse.Namespace, logger: logging.Logger) -> int:
    """Compare the index with itself and with the files, and return the exit status: 3 if there is a finding."""
    from dimse.archive.index.check import check

    with archive_places.opened(options) as index:
        counts = index.counts()
        progress = Progress(counts["instances"])

        def rows() -> Iterator[Sequence[Cell]]:
            with progress.bar(enabled=not options.no_progress):
                for finding in check(index, full=options.full, progress=progress.reach):
                    progress.failed += 1
                    yield finding.kind, finding.entity, finding.detail

        columns = {"kind": "finding", "entity": "UID or file", "detail": "detail"}
        found = print_rows(options.format, columns, rows())
    if options.format == "table":
        instances = counted(counts["instances"], "instance", separator=",")
        what = counted(found, "finding", separator=",") if found else "no finding"
        studies = counted(counts["studies"], "study", "studies", separator=",")
        print_line(f"{instances} of {studies} checked: {what}")
    if found:
        logger.error("The check has %s", counted(found, "finding", separator=","))
    return running.SHORTFALL if found else running.SUCCESS


def reindex_command(options: argparse.Namespace, logger: logging.Logger) -> int:
    """Build the index again from the files, and return the exit status: 3 if a file has no place in it."""
    archive_places.require_sqlalchemy()
    places = archive_places.places_of(options)
    progress = Progress()
    if not places.is_file:
        return _reindex_in_place(options, logger, places)
    folder = _folder(places)
    with archive_places.alone(folder), progress.bar(enabled=not options.no_progress):
        done = _reindexed(options, places.database, folder, progress)
    skipped = done.skipped or []
    for line in skipped:
        logger.warning("not in the index: %s", one_line(line))
    columns = {"instances": ">instances", "duplicates": ">duplicates", "skipped": ">skipped"}
    print_rows(options.format, columns, [(done.instances, done.duplicates, len(skipped))])
    if skipped:
        logger.error("%s of the archive cannot be in the index", counted(len(skipped), "file"))
    return running.SHORTFALL if skipped else running.SUCCESS


def _folder(places: Places) -> str:
    """Return the folder whose files are read. An index that cannot be read is no obstacle: another one is made.

    Raises:
        UnusableArchive: The index is that of another folder, or of another program.
    """
    from dimse.errors import DatabaseError

    try:
        return archive_places.folder_of(places)
    except DatabaseError as error:
        if _is_foreign(places.database):
            raise UnusableArchive(str(error)) from error
        return places.folder or archive_places.FOLDER


def _is_foreign(path: str) -> bool:
    """Return True if a file is an SQLite database that is not an index, which must not be replaced."""
    from dimse.archive.index.database import APPLICATION_ID

    try:
        with open(path, "rb") as file:
            head = file.read(72)
    except OSError:
        return True
    # The number is at offset 68 (SQLite's file format, 1.3).
    return head.startswith(b"SQLite format 3\0") and head[68:72] != APPLICATION_ID.to_bytes(4, "big")


def _reindexed(options: argparse.Namespace, database: str, folder: str, progress: Progress) -> Reindexed:
    from dimse.archive.index import Index
    from dimse.archive.index.reindex import reindex_sqlite

    def open_index(path: str) -> Index:
        return Index(path, folder)

    path = os.path.realpath(database)
    return reindex_sqlite(
        open_index,
        path,
        processes=options.jobs or min(JOBS, os.cpu_count() or 1),
        digest=options.full,
        progress=progress.reach,
    )


def _reindex_in_place(options: argparse.Namespace, logger: logging.Logger, places: Places) -> int:
    from dimse.archive.index.reindex import reindex_in_place

    with archive_places.open_index(places, creates=False) as index:
        removed = reindex_in_place(index, digest=options.full)
        counts = index.counts()
    columns = {"instances": ">instances", "duplicates": ">duplicates", "removed": ">removed"}
    print_rows(options.format, columns, [(counts["instances"], counts["duplicates"], removed)])
    return running.SUCCESS
