"""PendingStudies: studies that wait to be announced, in a folder, where they survive the end of the process.

The folder is `.studies` within that of the store. It has a file for each study that waits:

    KEY             instances come; a line of JSON for each of them
    KEY.telling     the study was quiet: a command runs, or will run again, or has failed for good
    .lock           locked while any of them is changed

A file's first line has the event's ID, and is on the disk before the first instance is acknowledged (unless durability is "none").
So whatever happens, a study of which an instance was acknowledged has a file until it has been announced. `KEY` becomes
`KEY.telling` by being renamed.

The thread that announces a study holds a lock on `KEY.telling`, and the command inherits it. So a study is announced once at a
time, by one of the processes that share the folder, and also when storescp was killed and its command lives on.

Where another folder stands at the store's path one day, the files are moved along, as the store goes on there.

Where an event has failed and the study goes on, the later event takes its instances over: the line that does so is written
before `KEY.telling` is removed, and names the event, so that it counts once.
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
from dimse.archive.events.entry import FOLDER_NAME, TELLING, line_of, lines, read, try_lock, write
from dimse.archive.events.studies import BUSY, WAITS, Claim, Quiet
from dimse.archive.events.study import Study, new_event_id
from dimse.archive.folders import FOLDER, close, give_name, sync
from dimse.archive.stored import Stored
from dimse.logs.notices import notice
from dimse.support.closing import Closing

LOGGER = logging.getLogger("dimse.archive")

_LOCK = ".lock"
_FILE = os.O_RDWR | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
_TAIL = 64 * 1024  # bytes at the end of a file, at least one line of which is whole
_IDENTITY = 64  # bytes at the beginning of a file that have the ID of its event
_MOST_SYNCED = 10_000  # files that are known to be on the disk


class PendingStudies(Closing):
    """Studies that wait to be announced, in the folder of a store. Any number of threads, and of forked processes, may share it.

    Make it where the store is made, before processes are forked. Studies that waited before, those too that were given up, are
    announced anew: their quiet time begins, and their attempts are counted from 0.

    Args:
        folder: The store's; made if it does not exist.
        durable: An instance is not acknowledged before the disk knows that its study waits.

    Raises:
        OSError: The folder cannot be made or read.
    """

    survive = True

    def __init__(self, folder: str | os.PathLike[str], *, durable: bool = True) -> None:
        self.folder = os.path.abspath(folder)
        self._durable = durable
        self._arrivals, self._quiet = Arrivals(self.folder), Quiet()
        self._mutex = threading.Lock()
        self._synced: set[bytes] = set()
        # By key: when this process has noted the last instance. Other processes may have noted later ones.
        self._last: dict[str, float] = {}
        self._directory = -1
        self._open()
        self._resume()

    def _open(self) -> None:
        """Open the folder, and make it if there is none."""
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
        """Return whether the store's folder is the one at its path; True too where none is, for nothing comes then."""
        try:
            return os.path.samestat(os.stat(self.folder), self._place)
        except OSError:
            return True

    def _follow(self) -> None:
        """Go on in the folder that stands at the store's path now. The studies that wait go along, as what is arriving does."""
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
            words = "%d studies wait in the folder that was %s before, and storescp on that folder runs their program"
            notice("studies left", "", words, left, self.folder)

    def close(self) -> None:
        """Close the folder, and remove it if nothing waits; harmless twice. The processes that share it must have ended."""
        if self._directory < 0:
            return
        with suppress(OSError):  # the folder is gone
            if not self._is_in_place():
                self._follow()
            if waiting := len(self.listed()):
                LOGGER.info("Studies that wait until the next start: %d", waiting)
            else:
                with suppress(FileNotFoundError):
                    os.unlink(_LOCK, dir_fd=self._directory)
                os.rmdir(os.path.join(self.folder, FOLDER_NAME))
        close(self._directory)
        self._directory = -1

    def _resume(self) -> None:
        """Let every study that waits be announced anew, those too that were given up."""
        for key in self.listed():
            with suppress(FileNotFoundError), self._opened(key + TELLING) as file:
                write(file, {"resumed": True})

    # --- as `Waiting` ---

    def join(self, stored: Stored, now: float) -> str:
        """Note an instance of a study; return the key of the study.

        Raises:
            OSError: It could not be noted, or the disk does not have it.
        """
        key = key_of(stored.study_instance_uid)
        try:
            self._note(key, stored, now)
        except FileNotFoundError:
            # The folder was removed meanwhile.
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
        """Wait until the disk knows of a file, once for each. Later lines only add to what is announced the study."""
        # Not the inode, which the file of another event may have next.
        identity = os.pread(file, _IDENTITY, 0)
        if self._durable and identity not in self._synced:
            sync(file)
            sync(self._directory)
            if len(self._synced) >= _MOST_SYNCED:
                self._synced.clear()
            self._synced.add(identity)

    def listed(self) -> list[str]:
        """Return the keys of the studies that wait."""
        names = (name.removesuffix(TELLING) for name in os.listdir(self._directory) if not name.startswith("."))
        return sorted(set(names))

    def claim(self, key: str, now: float, timeout: float, *, at_the_end: bool = False) -> Claim | float | None:
        """Claim a study, as `Waiting` describes it.

        Raises:
            OSError: Its files cannot be read or changed.
        """
        wait = self._wait_before(key, now, timeout, at_the_end)
        if wait > 0:
            return None if at_the_end else wait
        with self._locked(), self._telling(key) as telling:
            found = BUSY if telling.busy else self._take(key, telling, now, timeout, at_the_end)
        return _Claim.of(self, key, found) if isinstance(found, _LockedFile) else found

    def _wait_before(self, key: str, now: float, timeout: float, at_the_end: bool) -> float:
        """Return how long a study is certainly not quiet, as can be said without keeping others from noting instances."""
        wait = self._last.get(key, -inf) + timeout - now
        if wait > 0 and not at_the_end:
            return wait
        return self._quiet.wait(key, self._arrivals, now, timeout) if self._exists(key) else 0.0

    def _take(
        self, key: str, telling: _LockedFile, now: float, timeout: float, at_the_end: bool
    ) -> _LockedFile | float | None:
        """Return the file of a study that is to be announced; or the seconds until then, or None, as `claim` does."""
        if self._exists(key):
            wait = self._last_noted(key, now) + timeout - now
            return wait if wait > 0 and not at_the_end else self._begin(key, telling)
        if telling.file < 0:
            self._last.pop(key, None)
            return None
        wait = read(telling.file).due - now
        if wait > 0:
            return None if at_the_end or wait == inf else wait
        return telling.handed_on()

    def _begin(self, key: str, telling: _LockedFile) -> _LockedFile:
        """Begin to announce a study that is quiet; an event that could not be announced becomes a part of it.

        Returns:
            Its file.
        """
        file = os.open(key, _FILE, dir_fd=self._directory)
        try:
            # Only `KEY.telling` is ever locked for longer, so there is nothing to wait for.
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if telling.file >= 0:
                before = read(telling.file).study
                if before is not None:
                    write(file, line_of(before) | {"continues": before.event_id})
            os.rename(key, key + TELLING, src_dir_fd=self._directory, dst_dir_fd=self._directory)
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
            # Opened each time: a process that was forked would share the lock of a file that was opened before.
            lock = self._lock()
            try:
                while not self._is_in_place():
                    # With the lock of the folder that is left: other processes may still use it.
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
    def _telling(self, key: str) -> Iterator[_LockedFile]:
        """Give the file of the event that is announced, or will be again, locked for the block unless it is kept."""
        telling = _LockedFile()
        with suppress(FileNotFoundError):
            telling.file = os.open(key + TELLING, _FILE, dir_fd=self._directory)
        try:
            if telling.file >= 0:
                telling.busy = not try_lock(telling.file)
            yield telling
        finally:
            if telling.file >= 0:
                close(telling.file)

    def _exists(self, name: str) -> bool:
        try:
            os.stat(name, dir_fd=self._directory, follow_symlinks=False)
        except FileNotFoundError:
            return False
        return True

    def _last_noted(self, key: str, now: float) -> float:
        """Return when any process has noted the last instance of a study; before an hour if that was in an earlier life."""
        with self._opened(key) as file:
            tail = os.pread(file, _TAIL, max(0, os.fstat(file).st_size - _TAIL))
        times = [line["at"] for line in lines(tail) if "at" in line]
        # A clock that began anew with the machine may be behind.
        return times[-1] if times and times[-1] <= now else -inf

    @contextmanager
    def _opened(self, name: str) -> Iterator[int]:
        file = os.open(name, _FILE, dir_fd=self._directory)
        try:
            yield file
        finally:
            close(file)


class _LockedFile:
    """The file of a study, locked.

    Attributes:
        file: Its descriptor; -1 if there is no such file.
        busy: Another thread or process has locked it.
    """

    def __init__(self, file: int = -1) -> None:
        self.file, self.busy = file, False

    def handed_on(self) -> _LockedFile:
        """Return the file, which from now on is the caller's."""
        handed_on, self.file = _LockedFile(self.file), -1
        return handed_on


class _Claim:
    """A claim of a study that waits in a folder: its file is locked."""

    def __init__(self, studies: PendingStudies, key: str, file: int, study: Study, attempts: int) -> None:
        self._studies, self._key, self._file = studies, key, file
        self.lock: int | None = file
        self.study, self.attempts = study, attempts

    @classmethod
    def of(cls, studies: PendingStudies, key: str, locked: _LockedFile) -> _Claim | None:
        """Claim the study whose file is locked; None if there is no line in the file."""
        file = locked.file
        entry = read(file)
        if entry.study is not None:
            return cls(studies, key, file, entry.study, entry.attempts)
        # A power cut leaves such a file, of an instance that had not been acknowledged.
        LOGGER.warning("removed a file of a study that waits: there is nothing in it: %s", key)
        with studies._locked():
            os.unlink(key + TELLING, dir_fd=studies._directory)
            close(file)
        return None

    def told(self) -> None:
        """Remove the event."""
        with self._ending(), suppress(FileNotFoundError):  # a person has removed it
            os.unlink(self._key + TELLING, dir_fd=self._studies._directory)

    def failed(self, why: str, now: float) -> float | None:
        """Note that an attempt has failed; return the seconds until the next one, None if there is none."""
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
        """Unlock the file behind the block. That has to be said, as processes that the command has started may have it open."""
        try:
            with self._studies._locked():
                yield
        finally:
            fcntl.flock(self._file, fcntl.LOCK_UN)
            close(self._file)
