"""The journal of a bulk retrieval: which studies are complete, and which instances of the others are here.

The key of a study is the peer (host, port, called AE title) and the Study Instance UID. A study goes through these states:

    queued -> retrieving -> complete | partial | failed

An instance has a row as soon as its file is synced, before the peer gets its success.
"""

from __future__ import annotations

import os
import time

from dimse import journals
from dimse.archive.stored import Stored

COMPLETE = "complete"

SCHEMA = journals.Schema(
    "a retrieval",
    # "DCMR", in the header of the database.
    0x44434D52,
    1,
    (
        """
        CREATE TABLE study (
            host TEXT NOT NULL,
            port INTEGER NOT NULL,
            called_ae_title TEXT NOT NULL,
            study_instance_uid TEXT NOT NULL,
            state TEXT NOT NULL CHECK (state IN ('queued', 'retrieving', 'complete', 'partial', 'failed')),
            method TEXT NOT NULL,
            expected INTEGER,
            stored INTEGER NOT NULL,
            attempts INTEGER NOT NULL,
            error TEXT NOT NULL,
            changed REAL NOT NULL,
            PRIMARY KEY (host, port, called_ae_title, study_instance_uid)
        ) WITHOUT ROWID
        """,
        """
        CREATE TABLE instance (
            study_instance_uid TEXT NOT NULL,
            sop_instance_uid TEXT NOT NULL,
            path BLOB NOT NULL,
            size INTEGER NOT NULL,
            changed REAL NOT NULL,
            PRIMARY KEY (study_instance_uid, sop_instance_uid)
        ) WITHOUT ROWID
        """,
    ),
)

_KEY = "(host, port, called_ae_title, study_instance_uid) = (?, ?, ?, ?)"
_BEGIN = """
INSERT INTO study VALUES (?, ?, ?, ?, 'retrieving', '', NULL, 0, 0, '', ?)
ON CONFLICT DO UPDATE SET state = 'retrieving', changed = excluded.changed
"""
_END = f"""
UPDATE study SET state = ?, method = ?, expected = ?, stored = ?, attempts = attempts + ?, error = ?, changed = ? WHERE {_KEY}
"""
_ARRIVED = "INSERT OR REPLACE INTO instance VALUES (?, ?, ?, ?, ?)"
_HELD = "SELECT sop_instance_uid, path FROM instance WHERE study_instance_uid = ?"
_STATE = f"SELECT state, expected, stored FROM study WHERE {_KEY}"


class RetrievalJournal(journals.Journal):
    """The studies and instances that were retrieved from one peer.

    Args:
        path: The database; if it does not exist it is created for the user alone (0600).
        host: The peer, as the user names it.
        port: The port of the peer.
        called_ae_title: The AE title of the peer.

    Raises:
        JournalError: The database cannot be opened, is another one, or is of a later version. Every method raises it too.
    """

    def __init__(self, path: str, *, host: str, port: int, called_ae_title: str) -> None:
        self._peer = host.lower(), port, called_ae_title
        super().__init__(path, SCHEMA)

    def completed(self, study_instance_uid: str) -> int | None:
        """Return the number of instances of a study that is complete; None if it is not, or a file of it is gone."""
        rows = self.rows(_STATE, (*self._peer, study_instance_uid))
        if not rows or rows[0][0] != COMPLETE:
            return None
        expected, stored = rows[0][1:]
        count = stored if expected is None else max(expected, stored)
        # Another peer may have sent more, which do not stand for those of this one.
        paths = [path for _, path in self.rows(_HELD, (study_instance_uid,))]
        return count if len(paths) >= count and all(map(os.path.isfile, paths)) else None

    def held(self, study_instance_uid: str) -> set[str]:
        """Return the SOP Instance UIDs of a study whose files are here. A row without its file does not count."""
        return {uid for uid, path in self.rows(_HELD, (study_instance_uid,)) if os.path.isfile(path)}

    def begin(self, study_instance_uid: str) -> None:
        """Record that a study is about to be retrieved."""
        self.change((_BEGIN, (*self._peer, study_instance_uid, time.time())))

    def arrived(self, stored: Stored, study_instance_uid: str) -> None:
        """Record an instance whose file is synced, with the study that it was asked for."""
        path = os.fsencode(stored.path)
        row = study_instance_uid, stored.sop_instance_uid, path, stored.size, stored.received
        self.change((_ARRIVED, row))

    def end(
        self,
        study_instance_uid: str,
        state: str,
        method: str,
        expected: int | None,
        stored: int,
        attempts: int,
        error: str,
    ) -> None:
        """Record what became of a study."""
        values = state, method, expected, stored, attempts, error, time.time()
        self.change((_END, (*values, *self._peer, study_instance_uid)))
