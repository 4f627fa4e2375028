"""Events: the threads that call commands and callables, and the times at which studies are checked."""

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
"""The most instance events that wait, and the most studies that are checked."""
WORKERS = 4
STUDY_TIMEOUT = 60.0
DRAIN = 30.0

_SECONDS_TO_JOIN = 1.0  # seconds for threads of killed commands

OnStudy = Callable[[Study], object]
Job = Callable[[], None]


class Events(Closing):
    """A dispatcher of instances and studies: `FileStore("incoming", stored=events)`. Use it as a context manager, or `close` it.

    A call returns at once, after `report` was called. Threads of its own call `on_instance` and `on_study`, several at a time, in
    about the order of arrival. So create it after a fork. Instance events wait in memory: if the process is killed they are
    lost, unlike the report.

    A study is announced once it is quiet. That is the case if no instance or duplicate of it has arrived for `study_timeout`
    seconds, and no instance is arriving in the store. All `on_instance` calls for it must have ended too. A later instance begins
    a new event. Instances without a Study Instance UID belong to no study.

    If `on_study` raises, or its command fails, there is a notice. It is called again after 10 seconds, 1, 10 and 60 minutes, with
    the same event ID. Then the study is given up, with an error in the log.

    Args:
        on_instance: A `Command` or a `def` function that is called with a `Stored` for each instance.
        on_study: A `Command` or a `def` function that is called with a `Study`; never twice at a time for one study.
        report: A function that is called with a `Stored` for each instance without exception, by the thread that stores it.
        study_timeout: The seconds after which a study is quiet.
        studies: The folder for waiting studies, so that they survive the end of the process; None keeps them in memory. The caller
            closes it, after the events.
        workers: The number of calls, and so of commands, that run at a time.
        waiting: The most instance events that may wait, and the most studies that may be open. Others are dropped, with a warning,
            and a second one with their number once there is room again. Studies in a folder are not dropped.
        clock: A function that returns the time in seconds, the same for all processes that share `studies`.
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
        self._times: list[tuple[float, str]] = []  # a heap of times and keys
        self._timed: set[str] = set()  # the keys in `_times`
        # True if studies in the folder are not among them.
        self._unlisted = False
        # The number of instance events that wait or run, by study.
        self._calls: Counter[str] = Counter()
        # The studies that are checked when these have ended.
        self._parked: set[str] = set()
        # Calls that fail repeatedly, or hang, must leave threads for new events.
        self._retries = threading.Semaphore(max(1, workers // 2))
        self._dropped = 0
        # Waiting events are announced at once, and no others are accepted.
        self._closing = False
        # No event is announced any more.
        self._ended = False
        count = workers if on_instance or on_study else 0
        if on_study:
            with self._changed:
                self._list_studies()
        self._threads = [threading.Thread(target=self._work, name="dimse-events", daemon=True) for _ in range(count)]
        for thread in self._threads:
            thread.start()

    def __call__(self, stored: Stored) -> None:
        """Dispatch an instance that has been kept.

        Raises:
            NotAcknowledged: The waiting study cannot be recorded, so it is not announced either.
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
        """Record that the study of an instance waits, and return its key; None if there is no room for another study."""
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
        """Announce what waits, and every open study even if it may be incomplete, and end. This is idempotent.

        Call it when no more instances are stored. Studies in a folder that cannot be announced now stay there.

        Args:
            drain: The seconds that this may take. Commands that still run are then killed. Events in memory are dropped, with a
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
            self._log_dropped()
            self._changed.notify_all()
        for called in (self._on_instance, self._on_study):
            if isinstance(called, Command):
                called.close()
        self._join_threads(_SECONDS_TO_JOIN)

    def _join_threads(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))

    # --- under the lock ---

    def _look_at(self, key: str, when: float) -> None:
        """Check a study at a time, unless it is scheduled already."""
        if self._ended or key in self._timed or key in self._parked:
            return
        if len(self._timed) >= self._most:
            self._unlisted = True
            return
        self._timed.add(key)
        heapq.heappush(self._times, (when, key))
        self._changed.notify()

    def _list_studies(self) -> None:
        """Schedule the studies that wait in the folder."""
        self._unlisted = False
        for key in self._studies.listed():
            self._look_at(key, self._clock() + self._study_timeout)

    def _drop(self) -> None:
        if not self._dropped:
            notice("events are dropped", "", "events are dropped: too many wait, or the program is ending")
        self._dropped += 1

    def _log_dropped(self) -> None:
        if self._dropped:
            notice("events were dropped", "", "events dropped: %d", self._dropped)
            self._dropped = 0

    def _due(self) -> Job | None:
        """Return the job for a study that is due, or None."""
        while self._times and (self._closing or self._times[0][0] <= self._clock()):
            _, key = heapq.heappop(self._times)
            self._timed.remove(key)
            if not self._calls[key]:
                return partial(self._announce_study, key)
            self._parked.add(key)
        return None

    def _next(self) -> Job | None:
        """Wait for a job and return it; None at the end."""
        with self._changed:
            while True:
                job = self._due()
                if job is None and self._instances:
                    job = partial(self._call_for_instance, self._instances.popleft())
                if job is not None:
                    # This thread may have been the one that waited for the next study.
                    self._changed.notify()
                    return job
                # Half of the room must be free, so that this does not happen for every single study.
                if len(self._timed) <= self._most // 2:
                    self._log_dropped()
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

    def _call_for_instance(self, stored: Stored) -> None:
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

    def _announce_study(self, key: str) -> None:
        """Announce a study if it is quiet; otherwise schedule it for later."""
        try:
            found = self._studies.claim(key, self._clock(), self._study_timeout, at_the_end=self._closing)
            wait = found if found is None or isinstance(found, float) else self._announce(found)
        except OSError as error:
            LOGGER.error("cannot announce study %s now: %s", key, error.strerror or error)
            # Without the folder, the event does not exist either.
            found, wait = None, None if isinstance(error, FileNotFoundError) else WAITS[1]
        with self._changed:
            if self._closing:
                # Meanwhile instances may have arrived that another thread could not claim.
                if found is not None and not isinstance(found, float):
                    self._look_at(key, self._clock())
            elif wait is not None:
                self._look_at(key, self._clock() + wait)

    def _announce(self, claim: Claim) -> float | None:
        """Call `on_study`, and return the seconds until the next call; None if there is no other."""
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
            # No exception of a user's own code may end the thread.
            return self._failed(claim, error)
        finally:
            if claim.attempts:
                self._retries.release()
        claim.succeeded()
        return None

    def _failed(self, claim: Claim, error: Exception) -> float | None:
        """Log that an attempt has failed, and what follows. Return the seconds until the next attempt, or None."""
        words = _words(claim.study, error)
        survives = self._studies.survive
        if survives and isinstance(error, CommandFailed) and error.ended_by_us:
            claim.release()
            notice("study not announced", "", "%s; the next start runs it again", words)
            return None
        if self._closing and not survives:
            claim.succeeded()
            LOGGER.error("%s; given up, because the program is ending", words)
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
        # No exception of a user's own code may end the thread, or undo that an instance is kept.
        LOGGER.error("%s", _words(stored, error))


def _words(event: Event, error: Exception) -> str:
    """Return what failed for an event, and the reason, in one line."""
    if isinstance(error, CommandFailed):
        return f"command {one_line(error.program)} for {subject(event)}: {error.why}"
    LOGGER.debug("the error was raised here:", exc_info=error)
    return f"the call for {subject(event)} failed: {_in_words(error)}"


def _in_words(error: Exception) -> str:
    return one_line(f"{type(error).__name__}: {error}")
