"""Waiting studies: when a study is quiet, and how often and when a failed attempt is repeated.

`Studies` keeps them in memory, so they end with the process; `dimse.archive.events.pending` keeps them in a folder. Both take the
time as an argument. They have no clock and no thread, and any number of threads may call them.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from typing import Protocol

from dimse.archive.events.arrivals import Arrivals, key_of
from dimse.archive.events.study import Study, new_event_id
from dimse.archive.stored import Stored
from dimse.support.values import record

WAITS = (10.0, 60.0, 600.0, 3600.0)
"""The seconds from a failed attempt to the next one. After the last of them a study is given up."""

BUSY = 1.0
"""The seconds until a study is checked again if another thread or process announces it, or if no thread is free."""

# Seconds until an instance whose study is not known yet is examined again.
_LOOK_AGAIN = 0.5
# The most seconds that instances of unknown studies keep a study from being quiet.
_UNKNOWN = 30.0


class Claim(Protocol):
    """The right to announce a study, which one thread of one process has at a time. Each of its methods ends it."""

    @property
    def study(self) -> Study:
        """The event to announce."""

    @property
    def attempts(self) -> int:
        """The number of attempts that have failed."""

    @property
    def lock(self) -> int | None:
        """The file that a command keeps open, so that no other process announces the study meanwhile; None without a command."""

    def succeeded(self) -> None:
        """Remove the event, which has been announced."""

    def failed(self, why: str, now: float) -> float | None:
        """Record that an attempt has failed, and return the seconds until the next one, or None."""

    def release(self) -> None:
        """Let the event wait as before: there was no attempt, or it was interrupted."""


class Waiting(Protocol):
    """A collection of studies that wait to be announced.

    Attributes:
        survive: True if they survive the end of the process.
    """

    survive: bool

    def join(self, stored: Stored, now: float) -> str:
        """Record an instance of a study, and return the key of the study."""

    def listed(self) -> Iterable[str]:
        """Return the keys of the waiting studies."""

    def claim(self, key: str, now: float, timeout: float, *, at_the_end: bool = False) -> Claim | float | None:
        """Claim a study if it is quiet, or if it is time for the next attempt.

        Args:
            key: The key of the study.
            now: The time, in seconds.
            timeout: The seconds without an instance after which a study is quiet.
            at_the_end: True if the process is about to end. A study then counts as quiet if none of its instances is arriving.

        Returns:
            The claim; or the seconds until the study should be checked again; or None if there is nothing to do.
        """


class Quiet:
    """A rule for how long an apparently quiet study must wait, because of instances that are arriving."""

    def __init__(self) -> None:
        # By key: when instances of unknown studies began to delay it.
        self._held_up: dict[str, float] = {}

    def wait(self, key: str, arrivals: Arrivals, now: float, timeout: float) -> float:
        """Return the seconds until the study should be checked again; 0 if none of its instances is arriving."""
        arriving = arrivals.studies()
        if key in arriving:
            self._held_up.pop(key, None)
            return max(timeout, _LOOK_AGAIN)
        if None in arriving and now - self._held_up.setdefault(key, now) < _UNKNOWN:
            return _LOOK_AGAIN
        self._held_up.pop(key, None)
        return 0.0


@record
class _Gathering:
    """A study whose instances are arriving.

    Attributes:
        study: The study with its instances so far.
        last: The time of the last instance.
        arrivals: The arriving instances of the store that it is in.
    """

    study: Study
    last: float
    arrivals: Arrivals


@record
class _Announcement:
    """A quiet study, until it has been announced or is given up.

    Attributes:
        study: The study with its instances.
        attempts: The number of attempts that have failed.
        due: The time of the next attempt.
        claimed: True while a thread announces it.
    """

    study: Study
    attempts: int = 0
    due: float = 0.0
    claimed: bool = True


class Studies:
    """The collection of studies that wait in memory."""

    survive = False

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._gathering: dict[str, _Gathering] = {}
        self._announcements: dict[str, _Announcement] = {}
        self._arrivals: dict[str, Arrivals] = {}
        self._quiet = Quiet()

    def join(self, stored: Stored, now: float) -> str:
        """Record an instance of a study, and return the key of the study."""
        key, folder = key_of(stored.study_instance_uid), stored.path.removesuffix(stored.relative_path)
        with self._lock:
            if (gathering := self._gathering.get(key)) is None:
                arrivals = self._arrivals.setdefault(folder, Arrivals(folder))
                self._gathering[key] = _Gathering(Study.of(stored, new_event_id()), now, arrivals)
            else:
                gathering.study, gathering.last = gathering.study.merged_with(Study.of(stored, "")), now
        return key

    def listed(self) -> Iterable[str]:
        """Return the keys of the waiting studies."""
        with self._lock:
            return [*self._gathering, *self._announcements]

    def claim(self, key: str, now: float, timeout: float, *, at_the_end: bool = False) -> Claim | float | None:
        """Claim a study, as `Waiting` describes it. At the end the next attempt is due at once, because there is no later one."""
        gathering = self._gathering.get(key)
        if gathering is not None and not at_the_end:
            wait = gathering.last + timeout - now
            if wait <= 0:
                wait = self._quiet.wait(key, gathering.arrivals, now, timeout)
            if wait > 0:
                return wait
        with self._lock:
            announcement = self._announcements.get(key)
            if announcement is not None and announcement.claimed:
                return BUSY
            gathering = self._gathering.get(key)
            if gathering is not None and not at_the_end and gathering.last + timeout > now:
                return gathering.last + timeout - now
            if gathering is not None:
                del self._gathering[key]
                study = gathering.study if announcement is None else announcement.study.continued_by(gathering.study)
                self._announcements[key] = announcement = _Announcement(study)
            elif announcement is None:
                return None
            elif announcement.due > now and not at_the_end:
                return announcement.due - now
            announcement.claimed = True
            return _MemoryClaim(announcement, self._announcements, key)


class _MemoryClaim:
    """A claim of a study that waits in memory."""

    lock: int | None = None

    def __init__(self, announcement: _Announcement, all_announcements: dict[str, _Announcement], key: str) -> None:
        self.study, self.attempts = announcement.study, announcement.attempts
        self._announcement, self._all, self._key = announcement, all_announcements, key

    def succeeded(self) -> None:
        """Remove the event."""
        del self._all[self._key]

    def failed(self, why: str, now: float) -> float | None:
        """Record that an attempt has failed, and return the seconds until the next one, or None."""
        self._announcement.attempts += 1
        if self._announcement.attempts > len(WAITS):
            self.succeeded()
            return None
        wait = WAITS[self._announcement.attempts - 1]
        self._announcement.due = now + wait
        self._announcement.claimed = False
        return wait

    def release(self) -> None:
        """Let the event wait as before."""
        self._announcement.claimed = False
