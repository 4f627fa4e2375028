"""The stores of an index: folders of files. A process writes to one, and reads from all."""

from __future__ import annotations

import os

from sqlalchemy import bindparam, select, update

from dimse.archive.folders import FOLDER, close, lock
from dimse.archive.index.database import Database, Writer
from dimse.archive.index.inserting import insert
from dimse.archive.index.schema import STORE
from dimse.errors import DatabaseError
from dimse.support.text import one_line
from dimse.support.values import value


@value
class Store:
    """The store of this process.

    Attributes:
        pk: Its key.
        was_clean: True if the process that had it before has ended in order.
        synced_at: Rows of files that were received before this are on the disk; seconds since 1970-01-01 UTC.
    """

    pk: int
    was_clean: bool
    synced_at: float


_FIND = select(STORE.c.pk, STORE.c.clean, STORE.c.synced_at, STORE.c.root).where(STORE.c.node == bindparam("node"))
_INSERT = (
    insert(STORE)
    .values(node=bindparam("node"), root=bindparam("root"), clean=bindparam("clean_"))
    .on_conflict_do_nothing(index_elements=["node"])
    .returning(STORE.c.pk)
)
_MARK = (
    update(STORE)
    .where(STORE.c.pk == bindparam("pk_"))
    .values(clean=bindparam("clean_"), synced_at=bindparam("synced_"))
)
_MOVE = update(STORE).where(STORE.c.pk == bindparam("pk_")).values(root=bindparam("root_"))


def folder_of(database: Database, node: str = "") -> str:
    """Return the folder that a store had when it was last opened; empty if there is no such store.

    Raises:
        DatabaseError: The database cannot be read.
    """
    with database.reading() as connection:
        return connection.execute(select(STORE.c.root).where(STORE.c.node == node)).scalar() or ""


def enter_store(writer: Writer, node: str, root: str) -> Store:
    """Return the store of a name, which is made if it does not exist; its folder may have moved.

    A new one is clean only if its folder has no files. Otherwise the index before it was deleted, and this one lacks their rows.

    Raises:
        DatabaseError: A process uses the store in another folder: the places of its files would be lost.
    """
    is_empty = not _has_files(root)
    made = writer.one(_INSERT, {"node": node, "root": root, "clean_": int(is_empty)})
    if made is not None:
        return Store(int(made[0]), is_empty, 0.0)
    found = writer.one(_FIND, {"node": node})
    assert found is not None
    pk, clean, synced_at, before = found
    if before != root:
        if _is_used(before):
            said = f"the store {one_line(node)!r}" if node else "this index"
            raise DatabaseError(
                f"another process uses {said} for the folder {one_line(before)}: each folder needs an index of its own,"
                " or a name of its own in one index"
            )
        writer.run(_MOVE, {"pk_": pk, "root_": root})
    return Store(int(pk), bool(clean), float(synced_at))


def _has_files(root: str) -> bool:
    """Return True if a folder has anything but hidden files, such as those of arriving instances and of an index."""
    try:
        with os.scandir(root) as entries:
            return any(not entry.name.startswith(".") for entry in entries)
    except OSError:
        return False


def _is_used(root: str) -> bool:
    """Return True if a process has locked the folder of a store."""
    try:
        folder = os.open(root, FOLDER)
    except OSError:
        return False
    try:
        lock(folder, root, shared=True)
    except OSError:
        return True
    finally:
        close(folder)
    return False


def mark_store(writer: Writer, pk: int, *, clean: bool, synced_at: float) -> None:
    """Record that the process of a store has ended in order, or that it serves; and until when its rows are on the disk."""
    writer.run(_MARK, {"pk_": pk, "clean_": int(clean), "synced_": synced_at})
