"""Events: the threads that call commands and callables, and the times at which studies are looked at."""

from __future__ import annotations

import heapq
import logging
import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from functools import partial
from typing import Any

from dimse.archive.events.arrivals import key_of
from dimse.archive.events.command import Command, CommandFailed
from dimse.archive.events.document import Event, subject
from dimse.archive.events.pending import PendingStudies
from dimse.archive.events.studies import BUSY, WAITS, Claim, Studies, Waiting
from dimse.archive.events.study import Study
from dimse.archive.stored import NotAcknowledged, Stored
from dimse.logs.notices import notice
from dimse.support.closing import Closing
from dimse.support.text import one_line

LOGGER = logging.getLogger("dimse.archive")

WAITING = 10_000
"""Instance events that wait, and studies that are looked at, at most."""
WORKERS = 4
STUDY_TIMEOUT = 60.0
DRAIN = 30.0

_LAST_MOMENT = 1.0  # seconds in which the threads of killed commands end

OnStudy = Callable[[Study], object]
Job = Callable[[], None]


class Events(Closing):
    """Tells of instances and of studies: `FileStore("incoming", stored=events)`. Use it as a context manager, or `close` it.

    A call returns at once. `report` has its line by then. Threads of its own call `on_instance` and `on_study`, several at a time,
    in about the order of arrival; so make it after a fork. Instance events that wait are in memory: when the process is
    killed they are lost, and the report is not.

    A study is announced once it is quiet: no instance of it, nor a duplicate of one, has arrived for `study_timeout` seconds, none
    is arriving in the store, and all `on_instance` calls for its instances have ended. A later instance begins a new event.
    Instances without a Study Instance UID belong to no study.

    Where `on_study` raises, or its command fails, that is a notice, and it is called again after 10 seconds, 1, 10 and 60 minutes,
    with the same event ID. Then the study is given up, which is an error in the log.

    Args:
        on_instance: Called with a `Stored` for each instance: a `Command`, or any `def` function.
        on_study: Called with a `Study`, likewise; never twice at a time for one study.
        report: Called with a `Stored` for each instance too, by the thread that stores it; none is left out.
        study_timeout: In seconds.
        studies: Where studies that wait are kept, so that they survive the end of the process; None: in memory. The caller closes
            it, after the events.
        workers: Calls, and thereby commands, that run at a time.
        waiting: Instance events that may wait, and studies that may be open. What comes beyond it is dropped, with a warning that
            says so, and one with the number once there is room again. Studies that are kept in a folder are not dropped.
        clock: What tells the time, in seconds; the same for all processes that share `studies`.
    """

    def __init__(
        self,
        on_instance: Callable[[Stored], object] | None = None,
        on_study: OnStudy | None = None,
        *,
        report: Callable[[Stored], object] | None = None,
        study_timeout: float = STUDY_TIMEOUT,
        studies: PendingStudies | None = None,
        workers: int = WORKERS,
        waiting: int = WAITING,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        for name, listener in (("on_instance", on_instance), ("on_study", on_study), ("report", report)):
            if listener is not None and not callable(listener):
                raise TypeError(f"{name} is a function or a Command, not {listener!r}")
        if workers < 1 or waiting < 1 or study_timeout < 0:
            raise ValueError(f"workers {workers}, waiting {waiting} or study_timeout {study_timeout} is too small")
        self._on_instance, self._on_study, self._report = on_instance, on_study, report
        self._study_timeout, self._most, self._clock = study_timeout, waiting, clock
        self._studies: Waiting = Studies() if studies is None else studies
        self._changed = threading.Condition()
        self._instances: deque[Stored] = deque()
        self._times: list[tuple[float, str]] = []  # a heap: when each of the studies is to be looked at
        self._timed: set[str] = set()  # their keys
        self._unlisted = False  # there are studies in the folder that are not among them
        self._calls: Counter[str] = Counter()  # instance events that wait or run, by study
        self._parked: set[str] = set()  # studies that are looked at when these have ended
        # What fails again and again, or hangs, leaves threads for what is new.
        self._retries = threading.Semaphore(max(1, workers // 2))
        self._dropped = 0
        self._closing = False  # what is still to be told is told now
        self._ended = False  # and no more
        count = workers if on_instance or on_study else 0
        if on_study:
            with self._changed:
                self._list_studies()
        self._threads = [threading.Thread(target=self._work, name="dimse-events", daemon=True) for _ in range(count)]
        for thread in self._threads:
            thread.start()

    def __call__(self, stored: Stored) -> None:
        """Tell of an instance that has been kept.

        Raises:
            NotAcknowledged: It cannot be noted that its study waits; it is announced neither.
        """
        key = self._join(stored) if self._on_study and stored.study_instance_uid else None
        if self._report is not None:
            _call(self._report, stored)
        if not self._threads:
            return
        with self._changed:
            if self._on_instance is not None:
                if self._closing or len(self._instances) >= self._most:
                    self._drop()
                else:
                    self._instances.append(stored)
                    if key is not None:
                        self._calls[key] += 1
                    self._changed.notify()
            if key is not None:
                self._look_at(key, self._clock() + self._study_timeout)

    def _join(self, stored: Stored) -> str | None:
        """Note that the study of an instance waits; return its key, None where there is no room for another study."""
        if not self._studies.survive:
            with self._changed:
                key = key_of(stored.study_instance_uid)
                is_open = key in self._timed or key in self._parked
                if self._closing or (len(self._timed) >= self._most and not is_open):
                    self._drop()
                    return None
        try:
            return self._studies.join(stored, self._clock())
        except OSError as error:
            raise NotAcknowledged(f"cannot note that its study waits: {error.strerror or error}") from error

    def close(self, drain: float = DRAIN) -> None:
        """Tell of what waits, and of every study that is open though it may not be whole, and end; harmless twice.

        To be called when nothing is stored any more. Studies that are kept in a folder and cannot be announced now stay there.

        Args:
            drain: Seconds that this may take. Then commands that still run are killed. What waits in memory is dropped, with a
                warning.
        """
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._join_threads(drain)
        with self._changed:
            self._ended = True
            self._dropped += len(self._instances)
            if not self._studies.survive:
                self._dropped += len(self._timed | self._parked)
            self._instances.clear()
            self._times.clear()
            self._timed.clear()
            self._parked.clear()
            self._say_dropped()
            self._changed.notify_all()
        for called in (self._on_instance, self._on_study):
            if isinstance(called, Command):
                called.close()
        self._join_threads(_LAST_MOMENT)

    def _join_threads(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))

    # --- under the lock ---

    def _look_at(self, key: str, when: float) -> None:
        """Look at a study at a time, unless that is to be done anyway."""
        if self._ended or key in self._timed or key in self._parked:
            return
        if len(self._timed) >= self._most:
            self._unlisted = True
            return
        self._timed.add(key)
        heapq.heappush(self._times, (when, key))
        self._changed.notify()

    def _list_studies(self) -> None:
        """Look at the studies that wait in the folder."""
        self._unlisted = False
        for key in self._studies.listed():
            self._look_at(key, self._clock() + self._study_timeout)

    def _drop(self) -> None:
        if not self._dropped:
            notice("events are dropped", "", "events are dropped: too many wait, or the end has come")
        self._dropped += 1

    def _say_dropped(self) -> None:
        if self._dropped:
            notice("events were dropped", "", "events that were dropped: %d", self._dropped)
            self._dropped = 0

    def _due(self) -> Job | None:
        """Return the job for a study that is to be looked at now, if there is one."""
        while self._times and (self._closing or self._times[0][0] <= self._clock()):
            _, key = heapq.heappop(self._times)
            self._timed.remove(key)
            if not self._calls[key]:
                return partial(self._tell_of_study, key)
            self._parked.add(key)
        return None

    def _next(self) -> Job | None:
        """Wait for what is to be done; None at the end."""
        with self._changed:
            while True:
                job = self._due()
                if job is None and self._instances:
                    job = partial(self._tell_of_instance, self._instances.popleft())
                if job is not None:
                    # This thread may have been the one that waited for the next study.
                    self._changed.notify()
                    return job
                # Not at every study that comes and goes.
                if len(self._timed) <= self._most // 2:
                    self._say_dropped()
                    if self._unlisted:
                        self._list_studies()
                        continue
                if self._closing and not self._parked:
                    self._changed.notify_all()
                    return None
                self._changed.wait(self._times[0][0] - self._clock() if self._times else None)

    # --- the threads ---

    def _work(self) -> None:
        while (job := self._next()) is not None:
            job()

    def _tell_of_instance(self, stored: Stored) -> None:
        assert self._on_instance is not None
        _call(self._on_instance, stored)
        key = key_of(stored.study_instance_uid)
        with self._changed:
            self._calls[key] -= 1
            if self._calls[key] <= 0:
                del self._calls[key]
                if key in self._parked:
                    self._parked.remove(key)
                    self._look_at(key, self._clock())

    def _tell_of_study(self, key: str) -> None:
        """Announce a study, if it is quiet; otherwise it is looked at later."""
        try:
            found = self._studies.claim(key, self._clock(), self._study_timeout, at_the_end=self._closing)
            wait = found if found is None or isinstance(found, float) else self._tell(found)
        except OSError as error:
            LOGGER.error("cannot announce study %s now: %s", key, error.strerror or error)
            # Where the folder is gone, there is no event any more.
            found, wait = None, None if isinstance(error, FileNotFoundError) else WAITS[1]
        with self._changed:
            if self._closing:
                # While it was announced, instances may have come that another thread could not claim.
                if found is not None and not isinstance(found, float):
                    self._look_at(key, self._clock())
            elif wait is not None:
                self._look_at(key, self._clock() + wait)

    def _tell(self, claim: Claim) -> float | None:
        """Call `on_study`; return the seconds until it is to be called again, if it is."""
        assert self._on_study is not None
        if claim.attempts and not self._retries.acquire(blocking=False):
            claim.release()
            return BUSY
        try:
            if isinstance(self._on_study, Command):
                self._on_study(claim.study, claim.lock)
            else:
                self._on_study(claim.study)
        except Exception as error:
            # Whatever a user's own code raises must not end the thread.
            return self._failed(claim, error)
        finally:
            if claim.attempts:
                self._retries.release()
        claim.told()
        return None

    def _failed(self, claim: Claim, error: Exception) -> float | None:
        """Say that an attempt has failed, and what follows; return the seconds until the next one, if there is one."""
        words = _words(claim.study, error)
        survives = self._studies.survive
        if survives and isinstance(error, CommandFailed) and error.ended_by_us:
            claim.release()
            notice("study not announced", "", "%s; the next start runs it again", words)
            return None
        if self._closing and not survives:
            claim.told()
            LOGGER.error("%s; given up, as the end has come", words)
            return None
        try:
            wait = claim.failed(error.why if isinstance(error, CommandFailed) else _in_words(error), self._clock())
        except OSError:
            LOGGER.error("%s", words)
            raise
        if wait is None:
            hint = ": `storescp --pending-studies` lists it, and the next start tries again" if survives else ""
            LOGGER.error("%s; given up after %d attempts%s", words, len(WAITS) + 1, hint)
        else:
            after = f"{wait:g} s" if wait < 60 else f"{wait / 60:g} min"
            notice("study not announced", "", "%s; it is tried again in %s", words, after)
        return wait


def _call(call: Callable[[Any], object], stored: Stored) -> None:
    """Call a user's callable for an instance."""
    try:
        call(stored)
    except CommandFailed as failure:
        notice("command failed", stored.peer_address[0], "%s", _words(stored, failure))
    except Exception as error:
        # Whatever a user's own code raises must neither undo that an instance is kept nor end the thread.
        LOGGER.error("%s", _words(stored, error))


def _words(event: Event, error: Exception) -> str:
    """Return what failed for an event, and why, in one line."""
    if isinstance(error, CommandFailed):
        return f"command {one_line(error.program)} for {subject(event)}: {error.why}"
    LOGGER.debug("this is where it comes from:", exc_info=error)
    return f"telling of {subject(event)} failed: {_in_words(error)}"


def _in_words(error: Exception) -> str:
    return one_line(f"{type(error).__name__}: {error}")
