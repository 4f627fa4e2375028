"""PendingStudies: waiting studies in a folder, where they survive the end of the process.

The folder is `.studies` within that of the store. It has a file for each waiting study:

    KEY             instances arrive; a line of JSON for each of them
    KEY.telling     the study was quiet: a command runs, or will run again, or has failed finally
    .lock           locked while any file is changed

A file's first line has the event's ID. It is on the disk before the first instance is acknowledged (unless durability is "none").
So a study with an acknowledged instance always has a file until it has been announced. `KEY` is renamed to `KEY.telling`.

The thread that announces a study holds a lock on `KEY.telling`, and the command inherits it. So a study is announced once at a
time, by one of the processes that share the folder. This holds even if storescp was killed and its command still runs.

If another folder replaces the store's folder, the files are moved to it, and the store continues there.

If an event has failed and more of the study arrives, the later event includes its instances. The line that does so is written
before `KEY.telling` is removed. It names the earlier event, so that each event counts once.
"""

from __future__ import annotations

import fcntl
import logging
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from math import inf

from dimse.archive.events.arrivals import Arrivals, key_of
from dimse.archive.events.entry import FOLDER_NAME, QUIET_SUFFIX, line_of, lines, read, try_lock, write
from dimse.archive.events.studies import BUSY, WAITS, Claim, Quiet
from dimse.archive.events.study import Study, new_event_id
from dimse.archive.folders import FOLDER, close, give_name
from dimse.archive.stored import Stored
from dimse.logs.notices import notice
from dimse.support.closing import Closing
from dimse.support.disk import sync
from dimse.support.text import counted

LOGGER = logging.getLogger("dimse.archive")

_LOCK = ".lock"
_FILE = os.O_RDWR | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
# Bytes at the end of a file, which include at least one complete line.
_TAIL = 64 * 1024
_IDENTITY = 64  # first bytes, with the event ID
_MOST_SYNCED = 10_000  # files known to be synced


class PendingStudies(Closing):
    """A folder of waiting studies within that of a store. Any number of threads, and of forked processes, may share it.

    Create it where the store is created, before processes are forked. Studies that waited before, even those that were given up,
    are announced again. Their quiet time begins anew, and so does the count of attempts.

    Args:
        folder: The folder of the store; created if it does not exist.
        durable: True to acknowledge an instance only after the record of its study has been synced.

    Raises:
        OSError: The folder cannot be created or read.
    """

    survive = True

    def __init__(self, folder: str | os.PathLike[str], *, durable: bool = True) -> None:
        self.folder = os.path.abspath(folder)
        self._durable = durable
        self._arrivals, self._quiet = Arrivals(self.folder), Quiet()
        self._mutex = threading.Lock()
        self._synced: set[bytes] = set()
        # By key: when this process has recorded the last instance. Other processes may have recorded later ones.
        self._last: dict[str, float] = {}
        self._directory = -1
        self._open()
        self._resume()

    def _open(self) -> None:
        """Open the folder, and create it if necessary."""
        os.makedirs(self.folder, 0o700, exist_ok=True)
        store = os.open(self.folder, FOLDER)
        try:
            with suppress(FileExistsError):
                os.mkdir(FOLDER_NAME, 0o700, dir_fd=store)
            directory = os.open(FOLDER_NAME, FOLDER | os.O_NOFOLLOW, dir_fd=store)
            close(self._directory)
            self._directory, self._place = directory, os.fstat(store)
            self._synced.clear()
            if self._durable:
                sync(store)
        finally:
            close(store)
        if self._durable:
            parent = os.open(os.path.dirname(self.folder), FOLDER)
            try:
                sync(parent)
            finally:
                close(parent)

    def _is_in_place(self) -> bool:
        """Return True if the store's folder is the one at its path, or if that path does not exist, since nothing arrives then."""
        try:
            return os.path.samestat(os.stat(self.folder), self._place)
        except OSError:
            return True

    def _follow(self) -> None:
        """Continue in the folder that is at the store's path now. Waiting studies move along, like arriving instances."""
        before = os.dup(self._directory)
        try:
            self._open()
            names, left = [name for name in os.listdir(before) if not name.startswith(".")], 0
            for name in names:
                try:
                    give_name(before, name, self._directory, name)
                    with suppress(FileNotFoundError):
                        os.unlink(name, dir_fd=before)
                except OSError:
                    # The other folder is on another disk, or has a study of that name.
                    left += 1
            if self._durable and names:
                sync(self._directory)
        finally:
            close(before)
        if left:
            words = "%s left in the folder that was %s before: storescp on that folder runs the program"
            notice("studies left", "", words, counted(left, "study", "studies"), self.folder)

    def close(self) -> None:
        """Close the folder, and remove it if nothing waits. This is idempotent. The processes that share it must have ended."""
        if self._directory < 0:
            return
        # The folder may be gone.
        with suppress(OSError):
            if not self._is_in_place():
                self._follow()
            if waiting := len(self.listed()):
                LOGGER.info("Studies waiting for the next start: %d", waiting)
            else:
                with suppress(FileNotFoundError):
                    os.unlink(_LOCK, dir_fd=self._directory)
                os.rmdir(os.path.join(self.folder, FOLDER_NAME))
        close(self._directory)
        self._directory = -1

    def _resume(self) -> None:
        """Let every waiting study be announced again, even those that were given up."""
        for key in self.listed():
            with suppress(FileNotFoundError), self._opened(key + QUIET_SUFFIX) as file:
                write(file, {"resumed": True})

    # --- the interface `Waiting` ---

    def join(self, stored: Stored, now: float) -> str:
        """Record an instance of a study, and return the key of the study.

        Raises:
            OSError: The instance could not be recorded, or not synced.
        """
        key = key_of(stored.study_instance_uid)
        try:
            self._note(key, stored, now)
        except FileNotFoundError:
            # The folder has been removed meanwhile.
            with self._mutex:
                self._open()
            self._note(key, stored, now)
        self._last[key] = now
        return key

    def _note(self, key: str, stored: Stored, now: float) -> None:
        # The event has the ID of the first line.
        line = line_of(Study.of(stored, new_event_id())) | {"at": now}
        with self._locked():
            file = os.open(key, _FILE | os.O_CREAT, 0o600, dir_fd=self._directory)
            try:
                write(file, line)
            except OSError:
                close(file)
                raise
        try:
            self._sync(file)
        finally:
            close(file)

    def _sync(self, file: int) -> None:
        """Sync a file, once for each event. Later lines only add to an event that is sure to be announced."""
        # Not the inode, which may be reused for the file of another event.
        identity = os.pread(file, _IDENTITY, 0)
        if self._durable and identity not in self._synced:
            sync(file)
            sync(self._directory)
            if len(self._synced) >= _MOST_SYNCED:
                self._synced.clear()
            self._synced.add(identity)

    def listed(self) -> list[str]:
        """Return the keys of the waiting studies."""
        names = (name.removesuffix(QUIET_SUFFIX) for name in os.listdir(self._directory) if not name.startswith("."))
        return sorted(set(names))

    def claim(self, key: str, now: float, timeout: float, *, at_the_end: bool = False) -> Claim | float | None:
        """Claim a study, as `Waiting` describes it.

        Raises:
            OSError: The files of the study cannot be read or changed.
        """
        wait = self._wait_before(key, now, timeout, at_the_end)
        if wait > 0:
            return None if at_the_end else wait
        with self._locked(), self._announced_file(key) as announcement:
            found = BUSY if announcement.busy else self._take(key, announcement, now, timeout, at_the_end)
        return _Claim.of(self, key, found) if isinstance(found, _LockedFile) else found

    def _wait_before(self, key: str, now: float, timeout: float, at_the_end: bool) -> float:
        """Return how long a study is certainly not quiet, as far as can be known without blocking other threads."""
        wait = self._last.get(key, -inf) + timeout - now
        if wait > 0 and not at_the_end:
            return wait
        return self._quiet.wait(key, self._arrivals, now, timeout) if self._exists(key) else 0.0

    def _take(
        self, key: str, announcement: _LockedFile, now: float, timeout: float, at_the_end: bool
    ) -> _LockedFile | float | None:
        """Return the file of a study to announce; otherwise the seconds until then, or None, as `claim` does."""
        if self._exists(key):
            wait = self._last_noted(key, now) + timeout - now
            return wait if wait > 0 and not at_the_end else self._begin(key, announcement)
        if announcement.file < 0:
            self._last.pop(key, None)
            return None
        wait = read(announcement.file).due - now
        if wait > 0:
            return None if at_the_end or wait == inf else wait
        return announcement.detach()

    def _begin(self, key: str, announcement: _LockedFile) -> _LockedFile:
        """Begin to announce a quiet study, including an earlier event of it that could not be announced.

        Returns:
            The file of the study.
        """
        file = os.open(key, _FILE, dir_fd=self._directory)
        try:
            # Only `KEY.telling` is ever locked for long, so there is nothing to wait for.
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if announcement.file >= 0:
                before = read(announcement.file).study
                if before is not None:
                    write(file, line_of(before) | {"continues": before.event_id})
            os.rename(key, key + QUIET_SUFFIX, src_dir_fd=self._directory, dst_dir_fd=self._directory)
        except OSError:
            close(file)
            raise
        self._last.pop(key, None)
        return _LockedFile(file)

    # --- under the lock ---

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Keep every other thread and process from changing the files."""
        with self._mutex:
            # It is opened each time, because a forked process would share the lock of a file that was opened before the fork.
            lock = self._lock()
            try:
                while not self._is_in_place():
                    # The lock of the old folder is kept, because other processes may still use that folder.
                    before = lock
                    try:
                        self._follow()
                        lock = self._lock()
                    finally:
                        close(before)
                yield
            finally:
                close(lock)

    def _lock(self) -> int:
        lock = os.open(_LOCK, _FILE | os.O_CREAT, 0o600, dir_fd=self._directory)
        fcntl.flock(lock, fcntl.LOCK_EX)
        return lock

    @contextmanager
    def _announced_file(self, key: str) -> Iterator[_LockedFile]:
        """Yield the file of the event that is or will be announced. It is locked for the block, unless it is handed over."""
        announcement = _LockedFile()
        with suppress(FileNotFoundError):
            announcement.file = os.open(key + QUIET_SUFFIX, _FILE, dir_fd=self._directory)
        try:
            if announcement.file >= 0:
                announcement.busy = not try_lock(announcement.file)
            yield announcement
        finally:
            if announcement.file >= 0:
                close(announcement.file)

    def _exists(self, name: str) -> bool:
        try:
            os.stat(name, dir_fd=self._directory, follow_symlinks=False)
        except FileNotFoundError:
            return False
        return True

    def _last_noted(self, key: str, now: float) -> float:
        """Return when any process has recorded the last instance of a study; minus infinity if that was before a restart."""
        with self._opened(key) as file:
            tail = os.pread(file, _TAIL, max(0, os.fstat(file).st_size - _TAIL))
        times = [line["at"] for line in lines(tail) if "at" in line]
        # After a restart of the machine the clock may be behind.
        return times[-1] if times and times[-1] <= now else -inf

    @contextmanager
    def _opened(self, name: str) -> Iterator[int]:
        file = os.open(name, _FILE, dir_fd=self._directory)
        try:
            yield file
        finally:
            close(file)


class _LockedFile:
    """The locked file of a study.

    Attributes:
        file: The descriptor; -1 if there is no such file.
        busy: True if another thread or process has locked it.
    """

    def __init__(self, file: int = -1) -> None:
        self.file, self.busy = file, False

    def detach(self) -> _LockedFile:
        """Return the file, which belongs to the caller from now on."""
        detached, self.file = _LockedFile(self.file), -1
        return detached


class _Claim:
    """A claim of a study that waits in a folder, whose file is locked."""

    def __init__(self, studies: PendingStudies, key: str, file: int, study: Study, attempts: int) -> None:
        self._studies, self._key, self._file = studies, key, file
        self.lock: int | None = file
        self.study, self.attempts = study, attempts

    @classmethod
    def of(cls, studies: PendingStudies, key: str, locked: _LockedFile) -> _Claim | None:
        """Claim the study of a locked file; return None if the file has no line."""
        file = locked.file
        entry = read(file)
        if entry.study is not None:
            return cls(studies, key, file, entry.study, entry.attempts)
        # A power cut leaves such a file for an instance that had not been acknowledged.
        LOGGER.warning("removed the empty file of a waiting study: %s", key)
        with studies._locked():
            os.unlink(key + QUIET_SUFFIX, dir_fd=studies._directory)
            close(file)
        return None

    def succeeded(self) -> None:
        """Remove the event."""
        # A person may have removed it already.
        with self._ending(), suppress(FileNotFoundError):
            os.unlink(self._key + QUIET_SUFFIX, dir_fd=self._studies._directory)

    def failed(self, why: str, now: float) -> float | None:
        """Record that an attempt has failed, and return the seconds until the next one, or None."""
        attempts = self.attempts + 1
        wait = WAITS[attempts - 1] if attempts <= len(WAITS) else None
        with self._ending():
            write(self._file, {"failed": why, "due": None if wait is None else now + wait})
        return wait

    def release(self) -> None:
        """Let the event wait as it did before."""
        with self._ending():
            pass

    @contextmanager
    def _ending(self) -> Iterator[None]:
        """Unlock the file after the block. This must be explicit, because processes of the command may still have it open."""
        try:
            with self._studies._locked():
                yield
        finally:
            fcntl.flock(self._file, fcntl.LOCK_UN)
            close(self._file)
