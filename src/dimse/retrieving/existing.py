"""The instances that are in the folder of a retrieval already, by study."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Callable, Iterator

from dimse.errors import FileError
from dimse.instances import InstanceFile
from dimse.support.closing import Closing

_TABLE = "CREATE TABLE instance (study TEXT, uid TEXT, PRIMARY KEY (study, uid)) WITHOUT ROWID"


class ExistingInstances(Closing):
    """The complete instances in a folder and in the folders below it. A temporary database holds them, so memory stays small.

    Args:
        folder: The folder. Files that are not DICOM, and those that are cut short, do not count.
        stopped: Returns True if the search is to end early.
    """

    def __init__(self, folder: str, stopped: Callable[[], bool]) -> None:
        self._folder, self._stopped = folder, stopped
        self._lock = threading.Lock()
        # An empty name makes a file that goes with the connection.
        self._connection = sqlite3.connect("", check_same_thread=False)
        self._connection.execute(_TABLE)

    def find(self) -> None:
        """Look at every file in the folder."""
        with self._lock, self._connection:
            self._connection.executemany("INSERT OR IGNORE INTO instance VALUES (?, ?)", self._found())

    def of(self, study: str) -> set[str]:
        """Return the SOP Instance UIDs of a study."""
        with self._lock:
            rows = self._connection.execute("SELECT uid FROM instance WHERE study = ?", (study,))
            return {uid for (uid,) in rows}

    def close(self) -> None:
        """Remove the database."""
        self._connection.close()

    def _found(self) -> Iterator[tuple[str, str]]:
        for folder, below, names in os.walk(self._folder):
            # A store keeps what is not complete in such folders.
            below[:] = [name for name in below if not name.startswith(".")]
            for name in names:
                if self._stopped():
                    return
                try:
                    file = InstanceFile.check(os.path.join(folder, name))
                except FileError:
                    continue
                yield file.study_instance_uid, file.sop_instance_uid
