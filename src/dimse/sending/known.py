"""The files that a search has found so far, so that no file is sent twice: the last ones in memory, the others on disk.

A million files would take some 300 MB of memory. So from a number of files on they are moved to a temporary database, which SQLite
deletes when it is closed or its process dies.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from dimse.instances import Container

if TYPE_CHECKING:
    # Few users send that many files.
    from sqlite3 import Connection

MOST_IN_MEMORY = 50_000
"""Files that are kept in memory before they are moved to disk."""

_TABLES = """
    CREATE TABLE identities (identity BLOB PRIMARY KEY) WITHOUT ROWID;
    CREATE TABLE places (uid BLOB PRIMARY KEY, path BLOB) WITHOUT ROWID;
"""
_IDENTITY = "SELECT identity FROM identities WHERE identity = ?"
_PATH = "SELECT path FROM places WHERE uid = ?"


class KnownFiles:
    """The files and folders that a search has come to, and the first file with each SOP instance UID.

    One thread at a time may use it. Where there is no room on disk, all stays in memory.
    """

    def __init__(self) -> None:
        self._identities: set[int] = set()
        self._paths: dict[str, str] = {}
        # Archives keep their members in memory as well.
        self._members: dict[str, Container] = {}
        self._database: Connection | None = None
        self._may_move = True

    def is_new(self, identity: int) -> bool:
        """Return True for a file or folder that the search has not come to before, and remember it."""
        if identity in self._identities:
            return False
        if self._database is not None and self._row(_IDENTITY, _bytes(identity)) is not None:
            return False
        self._identities.add(identity)
        if len(self._identities) >= MOST_IN_MEMORY and self._may_move:
            self._move()
        return True

    def first_with(self, uid: str, place: str | Container) -> str | Container:
        """Return the place of the first file with a SOP instance UID, and remember this one if it is the first."""
        first = self._paths.get(uid) or self._members.get(uid)
        if first is not None:
            return first
        if self._database is not None and (row := self._row(_PATH, _key(uid))) is not None:
            return os.fsdecode(row[0])
        if isinstance(place, str):
            self._paths[uid] = place
        else:
            self._members[uid] = place
        return place

    def close(self) -> None:
        """Delete the database."""
        if self._database is not None:
            self._database.close()

    def _row(self, query: str, key: bytes) -> tuple[bytes] | None:
        """Return the row with a key, or None; a file that cannot be looked up counts as new, so that it is not left out."""
        import sqlite3

        assert self._database is not None
        try:
            row: tuple[bytes] | None = self._database.execute(query, (key,)).fetchone()
        except sqlite3.Error:
            return None
        return row

    def _move(self) -> None:
        """Move what is in memory to disk, in the order of the keys, which is several times as fast as any other."""
        import sqlite3

        try:
            if self._database is None:
                # Jobs take turns with the search, and each has a thread.
                self._database = sqlite3.connect("", check_same_thread=False)
                self._database.executescript(_TABLES)
            # It is rolled back if it fails.
            with self._database as database:
                identities = ((_bytes(identity),) for identity in self._identities)
                database.executemany("INSERT OR IGNORE INTO identities VALUES (?)", sorted(identities))
                places = ((_key(uid), os.fsencode(path)) for uid, path in self._paths.items())
                database.executemany("INSERT OR IGNORE INTO places VALUES (?, ?)", sorted(places))
        except sqlite3.Error:
            self._may_move = False
            return
        self._identities.clear()
        self._paths.clear()


def _key(uid: str) -> bytes:
    return uid.encode("utf-8", "surrogatepass")


def _bytes(identity: int) -> bytes:
    return identity.to_bytes(16, "big")
