"""Studies that wait to be announced: when a study is quiet, and how often and when a failed attempt is repeated.

`Studies` keeps them in memory, and they end with the process; `dimse.archive.events.pending` keeps them in a folder. To both the
time is an argument: they have no clock and no thread, and may be called by any number of threads.
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
"""Seconds from a failed attempt to the next one; after the last of them a study is given up."""

BUSY = 1.0
"""Seconds until a study is looked at again that another thread or process announces, or that no thread is free for."""

_LOOK_AGAIN = 0.5  # seconds from finding an instance whose study is not known yet until it is looked at again
_UNKNOWN = 30.0  # seconds, at most, that instances of unknown studies keep a study from being quiet


class Claim(Protocol):
    """The right to announce a study, which one thread of one process has at a time; it ends with one of its methods."""

    @property
    def study(self) -> Study:
        """The event."""

    @property
    def attempts(self) -> int:
        """The number of attempts that have failed."""

    @property
    def lock(self) -> int | None:
        """A file that a command keeps open, so that no other process announces the study while it runs; None if there is none."""

    def told(self) -> None:
        """Forget the event: it has been told."""

    def failed(self, why: str, now: float) -> float | None:
        """Note that an attempt has failed; return the seconds until the next one, None if there is none."""

    def release(self) -> None:
        """Let the event wait as it did before: there was no attempt, or it was broken off."""


class Waiting(Protocol):
    """Studies that wait to be announced.

    Attributes:
        survive: They are still there when the process has ended.
    """

    survive: bool

    def join(self, stored: Stored, now: float) -> str:
        """Note an instance of a study; return the key of the study."""

    def listed(self) -> Iterable[str]:
        """Return the keys of the studies that wait."""

    def claim(self, key: str, now: float, timeout: float, *, at_the_end: bool = False) -> Claim | float | None:
        """Claim a study if it is quiet, or if it is time for the next attempt.

        Args:
            key: Of the study.
            now: The time, in seconds.
            timeout: Seconds without an instance after which a study is quiet.
            at_the_end: The process is about to end: a study counts as quiet if none of its instances is arriving.

        Returns:
            The claim; or the seconds until the study should be looked at again; or None: there is nothing to be done.
        """


class Quiet:
    """Decides how long a study of which nothing has come for a while may still not be announced, for what is arriving."""

    def __init__(self) -> None:
        # By key: when instances of unknown studies began to hold it up.
        self._held_up: dict[str, float] = {}

    def wait(self, key: str, arrivals: Arrivals, now: float, timeout: float) -> float:
        """Return the seconds until the study should be looked at again; 0 if nothing of it is arriving."""
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
    """A study that instances come of.

    Attributes:
        study: Its instances so far.
        last: When the last of them came.
        arrivals: What is arriving in the store that they are in.
    """

    study: Study
    last: float
    arrivals: Arrivals


@record
class _Telling:
    """A study that was quiet, until it has been announced or is given up.

    Attributes:
        study: Its instances.
        attempts: That have failed.
        due: When the next one is made.
        claimed: A thread announces it now.
    """

    study: Study
    attempts: int = 0
    due: float = 0.0
    claimed: bool = True


class Studies:
    """Studies that wait in memory."""

    survive = False

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._gathering: dict[str, _Gathering] = {}
        self._telling: dict[str, _Telling] = {}
        self._arrivals: dict[str, Arrivals] = {}
        self._quiet = Quiet()

    def join(self, stored: Stored, now: float) -> str:
        """Note an instance of a study; return the key of the study."""
        key, folder = key_of(stored.study_instance_uid), stored.path.removesuffix(stored.relative_path)
        with self._lock:
            if (gathering := self._gathering.get(key)) is None:
                arrivals = self._arrivals.setdefault(folder, Arrivals(folder))
                self._gathering[key] = _Gathering(Study.of(stored, new_event_id()), now, arrivals)
            else:
                gathering.study, gathering.last = gathering.study.joined_by(Study.of(stored, "")), now
        return key

    def listed(self) -> Iterable[str]:
        """Return the keys of the studies that wait."""
        with self._lock:
            return [*self._gathering, *self._telling]

    def claim(self, key: str, now: float, timeout: float, *, at_the_end: bool = False) -> Claim | float | None:
        """Claim a study, as `Waiting` describes it. At the end, the next attempt is made at once, for there is no later one."""
        gathering = self._gathering.get(key)
        if gathering is not None and not at_the_end:
            wait = gathering.last + timeout - now
            if wait <= 0:
                wait = self._quiet.wait(key, gathering.arrivals, now, timeout)
            if wait > 0:
                return wait
        with self._lock:
            telling = self._telling.get(key)
            if telling is not None and telling.claimed:
                return BUSY
            gathering = self._gathering.get(key)
            if gathering is not None and not at_the_end and gathering.last + timeout > now:
                return gathering.last + timeout - now
            if gathering is not None:
                del self._gathering[key]
                study = gathering.study if telling is None else telling.study.continued_by(gathering.study)
                self._telling[key] = telling = _Telling(study)
            elif telling is None:
                return None
            elif telling.due > now and not at_the_end:
                return telling.due - now
            telling.claimed = True
            return _MemoryClaim(telling, self._telling, key)


class _MemoryClaim:
    """A claim of a study that waits in memory."""

    lock: int | None = None

    def __init__(self, telling: _Telling, all_telling: dict[str, _Telling], key: str) -> None:
        self.study, self.attempts = telling.study, telling.attempts
        self._telling, self._all, self._key = telling, all_telling, key

    def told(self) -> None:
        """Forget the event."""
        del self._all[self._key]

    def failed(self, why: str, now: float) -> float | None:
        """Note that an attempt has failed; return the seconds until the next one."""
        self._telling.attempts += 1
        if self._telling.attempts > len(WAITS):
            self.told()
            return None
        wait = WAITS[self._telling.attempts - 1]
        self._telling.due = now + wait
        self._telling.claimed = False
        return wait

    def release(self) -> None:
        """Let the event wait as it did before."""
        self._telling.claimed = False
