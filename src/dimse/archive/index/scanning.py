"""The files of a store in the order in which they were received, and the rows of those that an index lacks."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from sqlalchemy import Connection, select

from dimse.archive.folders import INCOMING, PART
from dimse.archive.index.reading import Unindexable, row_of_file
from dimse.archive.index.row import Row, default_path
from dimse.archive.index.schema import DUPLICATE, INSTANCE, SERIES, STUDY
from dimse.archive.names import copy_number
from dimse.support.values import replace

_AT_A_TIME = 500

File = NamedTuple("File", [("path", str), ("modified", float)])
"""A file: its path, relative to the folder of its store, and the time when it was written."""


def groups_of(root: str, changed_since: float = 0.0) -> Iterator[list[File]]:
    """Yield the files of a store in groups, one for each folder at its top: by the default layout a study.

    Both the groups and the files of a group are in the order in which they were received. The folder for arriving instances, hidden
    files and symbolic links are left out.

    Args:
        root: The folder of the store.
        changed_since: Leave out the files of folders whose last change is older, in seconds since 1970-01-01 UTC.

    Raises:
        OSError: The folder of the store cannot be read. Folders within it that disappear meanwhile are left out.
    """
    files, folders = _entries(root, "", True)
    if files:
        yield _sorted(files)
    # Only the times are kept, since a store may have millions of files.
    begun: list[tuple[float, str]] = []
    for folder in folders:
        if found := _files_in(root, folder, changed_since):
            begun.append((min(file.modified for file in found), folder))
    for _, folder in sorted(begun):
        yield _sorted(_files_in(root, folder, changed_since))


def _files_in(root: str, top: str, changed_since: float) -> list[File]:
    """Return the files in a folder and in those within it."""
    found: list[File] = []
    waiting = [top]
    while waiting:
        folder = waiting.pop()
        try:
            is_recent = not changed_since or os.stat(os.path.join(root, folder)).st_mtime >= changed_since
            files, folders = _entries(root, folder, is_recent)
        except FileNotFoundError:
            continue
        found += files
        waiting += folders
    return found


def _sorted(files: list[File]) -> list[File]:
    # A copy is younger than the first, whatever the clock says.
    return sorted(files, key=lambda file: (copy_number(file.path), file.modified, file.path))


def _entries(root: str, folder: str, is_recent: bool) -> tuple[list[File], list[str]]:
    files: list[File] = []
    folders: list[str] = []
    with os.scandir(os.path.join(root, folder)) as entries:
        for entry in entries:
            path = os.path.join(folder, entry.name)
            if entry.is_dir(follow_symlinks=False):
                if path != INCOMING:
                    folders.append(path)
            elif is_recent and entry.is_file(follow_symlinks=False) and _is_instance(entry.name):
                files.append(File(path, entry.stat(follow_symlinks=False).st_mtime))
    return files, folders


def _is_instance(name: str) -> bool:
    return not name.startswith(".") and not name.endswith(PART)


def rows_of(root: str, files: Iterable[File], *, digest: bool) -> Iterator[Row | Unindexable]:
    """Yield the row of each file, or why it has none. Files that disappear meanwhile are left out.

    Raises:
        OSError: A file cannot be read.
    """
    for file in files:
        try:
            yield row_of_file(root, file.path, digest=digest)
        except Unindexable as error:
            yield Unindexable(f"{file.path}: {error}")
        except FileNotFoundError:
            continue


def missing_rows(connection: Connection, store: int, rows: Sequence[Row]) -> list[Row]:
    """Return those of the rows of files whose file is neither served nor a duplicate in the index.

    Args:
        connection: A connection that reads.
        store: The key of the store.
        rows: The rows, of any number.
    """
    missing: list[Row] = []
    for start in range(0, len(rows), _AT_A_TIME):
        some = rows[start : start + _AT_A_TIME]
        known = _known_paths(connection, store, [row.sop_instance_uid for row in some])
        missing += [row for row in some if known.get(row.path, -1) not in (row.size, None)]
    return missing


def rows_beside(connection: Connection, store: int, rows: Sequence[Row]) -> list[Row]:
    """Return those of the rows of files whose file is a duplicate in the index; arguments are those of `missing_rows`."""
    beside: list[Row] = []
    for start in range(0, len(rows), _AT_A_TIME):
        some = rows[start : start + _AT_A_TIME]
        known = _known_paths(connection, store, [row.sop_instance_uid for row in some])
        beside += [row for row in some if known.get(row.path, -1) is None]
    return beside


def _known_paths(connection: Connection, store: int, uids: Sequence[str]) -> dict[str, int | None]:
    """Return the paths of files of instances, with the bytes of their data sets; None for those of duplicates."""
    served = (
        select(INSTANCE.c.sop_uid, INSTANCE.c.path, INSTANCE.c.size, SERIES.c.series_uid, STUDY.c.study_uid)
        .join(SERIES, SERIES.c.pk == INSTANCE.c.series_pk)
        .join(STUDY, STUDY.c.pk == SERIES.c.study_pk)
        .where(INSTANCE.c.store == store, INSTANCE.c.sop_uid.in_(uids))
    )
    known: dict[str, int | None] = {
        default_path(row.study_uid, row.series_uid, row.sop_uid) if row.path is None else row.path: row.size
        for row in connection.execute(served)
    }
    beside = select(DUPLICATE.c.path).where(DUPLICATE.c.store == store, DUPLICATE.c.sop_uid.in_(uids))
    known |= {path: None for (path,) in connection.execute(beside)}
    return known


def with_digest(root: str, row: Row) -> Row:
    """Return a row with the digest of its file.

    Raises:
        OSError: The file cannot be read.
    """
    return replace(row, digest=row_of_file(root, row.path, digest=True).digest)
