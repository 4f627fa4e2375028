"""The waiting studies in the folder of a store, for its administrator."""

from __future__ import annotations

import fcntl
import os
from contextlib import suppress
from math import inf

from dimse.archive.events.entry import FOLDER_NAME, QUIET_SUFFIX, Entry, read, try_lock
from dimse.archive.events.study import Study
from dimse.archive.folders import close
from dimse.support.values import value


@value
class PendingStudy:
    """A waiting study, as `pending_studies` finds it.

    Attributes:
        study: The study with its instances so far.
        state: "arriving": it is not quiet yet. "running": a command runs. "waiting": there will be another attempt. "failed": it is
            given up until storescp restarts.
        attempts: The number of attempts that have failed since storescp started.
        why: The reason of the last failure; empty if no attempt has failed.
    """

    study: Study
    state: str
    attempts: int
    why: str


def pending_studies(folder: str | os.PathLike[str]) -> list[PendingStudy]:
    """Return the waiting studies in the folder of a store, which may be in use.

    Raises:
        OSError: The folder cannot be read.
    """
    os.listdir(folder)
    path = os.path.join(folder, FOLDER_NAME)
    found = []
    try:
        names = sorted(name for name in os.listdir(path) if not name.startswith("."))
    except FileNotFoundError:
        return []
    for name in names:
        # A file that is missing has been announced meanwhile.
        with suppress(FileNotFoundError):
            file = os.open(os.path.join(path, name), os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
            try:
                entry, is_free = read(file), not name.endswith(QUIET_SUFFIX) or try_lock(file, fcntl.LOCK_SH)
            finally:
                close(file)
            if entry.study is not None:
                found.append(PendingStudy(entry.study, _state(name, entry, is_free), entry.attempts, entry.why))
    return found


def _state(name: str, entry: Entry, is_free: bool) -> str:
    if not name.endswith(QUIET_SUFFIX):
        return "arriving"
    if not is_free:
        return "running"
    return "failed" if entry.due == inf else "waiting"
