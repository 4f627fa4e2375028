"""The rebuilding of an index from the files of its store. The old index serves searches until the new one takes its place."""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, TypeVar

from sqlalchemy import select

from dimse.archive.index.database import Database, Writer
from dimse.archive.index.deleting import delete_rows
from dimse.archive.index.migrations import prepare
from dimse.archive.index.moving import move_again
from dimse.archive.index.reading import Unindexable
from dimse.archive.index.removing import MOVED
from dimse.archive.index.row import Row
from dimse.archive.index.scanning import File, groups_of, rows_of
from dimse.archive.index.schema import CHANGE, COMMITMENT, COMMITMENT_ITEM, INSTANCE
from dimse.archive.index.stores import mark_store
from dimse.data_set.keys import copy
from dimse.errors import DatabaseError
from dimse.support.disk import replace as replace_file
from dimse.support.values import record, replace

if TYPE_CHECKING:
    from dimse.archive.index import Index

T = TypeVar("T")

_AT_A_TIME = 256
# What is not derived from files.
_KEPT = (CHANGE, COMMITMENT, COMMITMENT_ITEM)


@record
class Reindexed:
    """The result of a rebuilding.

    Attributes:
        instances: The number of instances that are served.
        duplicates: The number of files that are kept beside them.
        skipped: The paths of files that have no place in the index, with the reason.
    """

    instances: int = 0
    duplicates: int = 0
    skipped: list[str] | None = None


def reindex_sqlite(
    open_index: Callable[[str], Index],
    path: str,
    *,
    processes: int = 1,
    digest: bool = True,
    progress: Callable[[int], None] | None = None,
) -> Reindexed:
    """Build an index anew, and put it in the place of the old one. No process may add instances meanwhile.

    The change feed and the transactions of storage commitment are kept. The feed has each instance again, with larger numbers.

    Args:
        open_index: Opens the index in a database file, as the old one was opened.
        path: The database of the old index. It may be missing, or damaged.
        processes: The number of processes that read files.
        digest: Make the digests of the files, for which each is read completely.
        progress: Called with the number of files that were read so far.

    Raises:
        DatabaseError: The new database cannot be written.
        OSError: The store cannot be read.
    """
    new = f"{path}.new"
    _unlink(new, f"{new}-wal", f"{new}-shm")
    begun = time.time()
    try:
        with open_index(new) as index:
            _keep(index, path)
            done = fill(index, processes=processes, digest=digest, progress=progress)
            index.database.write(move_again)
            index.database.write(partial(mark_store, pk=index.store.pk, clean=True, synced_at=begun))
            index.database.checkpoint()
    except BaseException:
        # It may fill the disk.
        _unlink(new, f"{new}-wal", f"{new}-shm")
        raise
    # The log of the old database must not be taken for that of the new one.
    _unlink(f"{path}-wal", f"{path}-shm")
    replace_file(new, path)
    return done


def _unlink(*paths: str) -> None:
    for path in paths:
        with suppress(FileNotFoundError):
            os.unlink(path)


def reindex_in_place(index: Index, *, digest: bool = True) -> int:
    """Add the rows that an index lacks, and remove those whose file is not there; return the number of the latter.

    This is for PostgreSQL, whose database has the stores of other processes too.

    Raises:
        DatabaseError: The database cannot be used.
        OSError: The store cannot be read.
    """
    index.recover(everything=True, digest=digest)
    query = select(INSTANCE.c.sop_uid).where(INSTANCE.c.store == index.store.pk, INSTANCE.c.missing == 1)
    with index.database.reading() as connection:
        missing = connection.execute(query).scalars().all()
    for uid in missing:
        index.database.write(partial(delete_rows, level="IMAGE", uid=uid))
    return len(missing)


def fill(
    index: Index, *, processes: int = 1, digest: bool = True, progress: Callable[[int], None] | None = None
) -> Reindexed:
    """Add the rows of all files of a store to an index.

    Raises:
        DatabaseError: The database cannot be written.
        OSError: The store cannot be read.
    """
    done, count = Reindexed(skipped=[]), 0
    index.add_by_time()
    chunks = (chunk for group in groups_of(index.folder) for chunk in _chunks(group, _AT_A_TIME))
    read = partial(_read, index.folder, digest)
    for found in _in_processes(read, chunks, processes):
        count += len(found)
        rows = [one for one in found if isinstance(one, Row)]
        done.skipped = [*(done.skipped or ()), *(one for one in found if isinstance(one, str))]
        index.add(rows)
        if progress is not None:
            progress(count)
    counts = index.counts()
    done.instances, done.duplicates = counts["instances"], counts["duplicates"]
    return done


def _chunks(items: Iterable[T], size: int) -> Iterator[list[T]]:
    iterator = iter(items)
    while chunk := list(islice(iterator, size)):
        yield chunk


def _in_processes(
    read: Callable[[list[File]], list[Row | str]], chunks: Iterable[list[File]], processes: int
) -> Iterator[list[Row | str]]:
    if processes <= 1:
        yield from map(read, chunks)
        return
    # A process that is forked would share connections.
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        yield from pool.imap(read, chunks)


def _read(root: str, digest: bool, files: list[File]) -> list[Row | str]:
    """Return the rows of files, or why one has none, in a form that another process can be sent."""
    found: list[Row | str] = []
    for one in rows_of(root, files, digest=digest):
        if isinstance(one, Unindexable):
            found.append(str(one))
        else:
            found.append(replace(one, attributes=copy(one.attributes)))
    return found


def _keep(index: Index, path: str) -> None:
    """Copy what is not derived from files out of the old index, as far as it can be read."""
    if not os.path.exists(path):
        return
    # A damaged database is a reason to build another.
    with suppress(DatabaseError):
        with Database(path) as old:
            prepare(old)
        index.database.run_alone(lambda writer: _copy(writer, path))


def _copy(writer: Writer, path: str) -> None:
    quoted = path.replace("'", "''")
    writer.text(f"ATTACH '{quoted}' AS old")
    try:
        for table in _KEPT:
            columns = ", ".join(f'"{column.name}"' for column in table.columns)
            writer.text(f"INSERT INTO {table.name} ({columns}) SELECT {columns} FROM old.{table.name}")
        writer.text(f"INSERT INTO meta SELECT key, value FROM old.meta WHERE substr(key, 1, {len(MOVED)}) = '{MOVED}'")
    finally:
        writer.text("DETACH old")
