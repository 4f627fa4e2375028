"""The journal of a sender: a record of acknowledged files, so that a later run sends only the rest.

A journal is one SQLite database with one table, which has a row for each file and peer. Three statements over one table are
plain SQL. An object-relational mapper would be a dependency, slow to load, and save no line.

The key of a row is the peer (host, port, called AE title) and the file (SOP instance UID, transfer syntax, size, modification
time, path). A row goes through these states:

    queued -> sending -> acked | refused | unknown

A file is the same as an earlier one for the peer of the same host, port and title as the user writes them. `localhost` is another
peer than 127.0.0.1, because only the user knows what a name stands for. If the journal has a file that is new to this peer as
acknowledged by another one, a notice says so once.

A row that a killed run left at `sending` is `unknown` to the next run: the file may have arrived, and is sent again. A row
that is `acked` stays so.

The system has a commit before `record` returns, so a killed process loses nothing. Only one commit a second, and the last one,
waits for the disk (write-ahead log, `synchronous=NORMAL`, and `FULL` for those). To wait at each commit would take 0.25 ms
instead of 0.06 ms on a fast disk. On a slow one it takes some 10 ms, during which other associations wait too. A power cut may
revert the acknowledgements of the last second: those instances are sent once more, and not lost.
"""

from __future__ import annotations

import filecmp
import os
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, cast

from dimse import journals
from dimse.instances import InstanceFile
from dimse.logs.notices import notice
from dimse.message.status import Status
from dimse.support.text import host_and_port, one_line
from dimse.support.values import value

if TYPE_CHECKING:
    from dimse.services.outcome import Outcome

QUEUED, SENDING, ACKED, REFUSED, UNKNOWN = "queued", "sending", "acked", "refused", "unknown"

# The state of a file by `Outcome.state`. With any other outcome the file may have arrived.
_STATES = {"stored": ACKED, "warning": ACKED, "refused": REFUSED}

# Other peers, and files, that are looked for among the acknowledgements of other peers.
_MOST_PEERS, _MOST_SOUGHT = 8, 1000

# `attempts` counts those whose outcome is recorded; `trying` is the number of the attempt under way.
SCHEMA = journals.Schema(
    "a sender",
    # "DCMJ", in the header of the database.
    0x44434D4A,
    1,
    (
        """
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
        """,
    ),
)
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
# The peer that follows a peer, in the order of the key.
_NEXT_PEER = """
SELECT host, port, called_ae_title FROM file WHERE (host, port, called_ae_title) > (?, ?, ?)
ORDER BY host, port, called_ae_title LIMIT 1
"""
_ACKED_BY = f"{_ALIKE} AND state = 'acked' LIMIT 1"
_ENTRIES = """
SELECT host, port, called_ae_title, sop_instance_uid, transfer_syntax_uid, size, mtime_ns, path,
state, status, attempts + trying AS attempts, changed FROM file
"""

_Key = tuple[str, int, str, str, str, int, int, bytes]


@value
class Entry:
    """A row of a journal.

    Attributes:
        host: The host of the peer as it was named, in lower case.
        port: The port of the peer.
        called_ae_title: The AE title of the peer.
        sop_instance_uid: The SOP instance UID of the file.
        transfer_syntax_uid: The transfer syntax of the file.
        size: Bytes of the file.
        mtime_ns: Modification time of the file, nanoseconds since 1970.
        path: Absolute path of the file; bytes that are not text are surrogates (`os.fsdecode`).
        state: "queued", "sending", "acked", "refused" or "unknown".
        status: The peer's status, if there is one.
        attempts: The number of times that the file was sent, in all runs.
        changed: Time of the last change of state, seconds since 1970.
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


class Journal(journals.Journal):
    """The acknowledgements of one peer. Threads may share a journal, and processes its file.

    Args:
        path: The database; if it does not exist it is created for the user alone (0600).
        host: The peer, as the user names it.
        port: The port of the peer.
        called_ae_title: The AE title of the peer.

    Raises:
        JournalError: The database cannot be opened, is not a journal, or is of a later version. Every method raises it too if
            the journal cannot be read or written.
    """

    def __init__(self, path: str, *, host: str, port: int, called_ae_title: str) -> None:
        self._peer = host.lower(), port, called_ae_title
        # Peers that may have acknowledged the files of this run, and the number of files to look for.
        self._others: list[tuple[str, int, str]] = []
        self._sought = _MOST_SOUGHT
        super().__init__(path, SCHEMA)
        try:
            self.change((_INTERRUPTED, self._peer))
            self._find_other_peers()
        except BaseException:
            self.close()
            raise

    def _find_other_peers(self) -> None:
        peer: tuple[str, int, str] = ("", -1, "")
        while len(self._others) < _MOST_PEERS and (rows := self.rows(_NEXT_PEER, peer)):
            peer = cast("tuple[str, int, str]", rows[0])
            if peer != self._peer:
                self._others.append(peer)

    def acknowledged(self, file: InstanceFile) -> Status | None:
        """Return the status with which the peer acknowledged a file in this run or an earlier one; None if it is to be sent.

        Two instances may have the same UID, size and time. The acknowledgement of a file at another path counts if the files
        have the same bytes. It also counts if that path is gone and this one is new: then the file was moved, and its row gets
        the new path.
        """
        *known, path = key = self._key(file)
        alike = {other: (state, status) for other, state, status in self.rows(_ALIKE, (*known,))}
        acked = {other: status for other, (state, status) in alike.items() if state == ACKED}
        if path in acked:
            return Status(acked[path], service="storage")
        gone = [other for other in alike if other != path and _is_gone(os.fsdecode(other))]
        for other, status in acked.items():
            if other not in gone and _is_copy(file, os.fsdecode(other)):
                return Status(status, service="storage")
        # If one of several files that are gone was not acknowledged, this may be it.
        if gone and path not in alike and acked.keys() >= set(gone):
            self.change((_MOVED, (path, *known, gone[0])))
            return Status(acked[gone[0]], service="storage")
        # The row shows that this is a different file, even when the others are gone.
        if alike:
            self.change((_QUEUE, (*key, time.time())))
        elif self._others:
            self._look_elsewhere(file)
        return None

    def _look_elsewhere(self, file: InstanceFile) -> None:
        """Give a notice if another peer has acknowledged a file that is new to this one: an address may be written in two ways."""
        known = file.sop_instance_uid, file.transfer_syntax_uid, file.size, file.mtime_ns
        others = [peer for peer in self._others if self.rows(_ACKED_BY, (*peer, *known))]
        self._sought -= 1
        if others:
            told = f"{one_line(self.path)} holds these files as acknowledged by {_name(others[0])}"
            notice("journal", "", "%s", f"{told}: they are sent to {_name(self._peer)} all the same")
        if others or not self._sought:
            self._others = []

    def queue(self, file: InstanceFile) -> None:
        """Record that a file was found; a row of an earlier run stays."""
        self.change_later(_QUEUE, (*self._key(file), time.time()))

    def sending(self, file: InstanceFile, attempt: int) -> None:
        """Record that a queued file is about to be sent.

        Args:
            file: The file.
            attempt: The number of the attempt in this run, from 1.
        """
        self.change((_SENDING, (attempt, time.time(), *self._key(file))))

    def record(self, file: InstanceFile, outcome: Outcome) -> None:
        """Record the outcome of a file. If it was sent, the record survives the process as soon as this returns."""
        if outcome.attempts:
            state, status = _STATES.get(outcome.state, UNKNOWN), None if outcome.status is None else int(outcome.status)
            self.change((_SENT, (state, status, outcome.attempts, time.time(), *self._key(file))))
        elif outcome.state != "already":
            self.change_later(_NOT_SENT, (time.time(), *self._key(file)))

    def _key(self, file: InstanceFile) -> _Key:
        path = os.fsencode(os.path.realpath(file.path))
        return *self._peer, file.sop_instance_uid, file.transfer_syntax_uid, file.size, file.mtime_ns, path


def entries(path: str) -> Iterator[Entry]:
    """Yield the rows of a journal, in the order of its key. Another process may be using it.

    Args:
        path: The journal, which is neither created nor changed.

    Raises:
        JournalError: The journal does not exist, cannot be read, or is not a journal. It is raised at the first row.
    """
    for row in journals.read(path, SCHEMA, _ENTRIES):
        yield Entry(**row | {"path": os.fsdecode(row["path"])})


def _name(peer: tuple[str, int, str]) -> str:
    host, port, called_ae_title = peer
    return one_line(f"{host_and_port(host, port)}, called {called_ae_title}")


def _is_gone(path: str) -> bool:
    """Return True if neither the file exists nor an archive that holds it ("a.zip:x/1.dcm")."""
    try:
        os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return not any(os.path.isfile(path[:at]) for at, character in enumerate(path) if character == ":")
    except OSError:
        pass
    return False


def _is_copy(file: InstanceFile, path: str) -> bool:
    """Return True if the file at `path` has the same bytes. A member of an archive is not inflated to find out."""
    try:
        return file.container is None and filecmp.cmp(file.path, path, shallow=False)
    except OSError:
        # One of the two cannot be read, which sending it reports.
        return False
