"""The programs that run for what a retrieval has stored: one for each instance, and one for each study that is complete."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections import Counter, deque

from dimse.archive.events import Command, CommandFailed, Event, Study
from dimse.archive.events.document import subject
from dimse.archive.events.study import new_event_id
from dimse.archive.stored import Stored
from dimse.support.text import one_line

WORKERS = 4
"""Programs that run at a time."""
MOST_WAITING = 10_000
"""Instances that may wait for their program: no instance waits for a program before it is acknowledged."""
# Seconds that a thread of a killed program has to end, and after which a missed signal is noticed.
LEAVING = 0.5


class Programs:
    """The programs of one run. Each program runs once; a failure is an error in the log.

    The program of a study runs after those of its instances. Studies that were not said to be complete have none.

    Args:
        on_instance: The program for each instance; None runs none.
        on_study: The program for each complete study; None runs none.
        folder: The folder that the instances are kept in.
        logger: The logger of the tool.

    Attributes:
        failed: The number of programs that failed, or were not run.
    """

    def __init__(
        self, on_instance: Command | None, on_study: Command | None, folder: str, logger: logging.Logger
    ) -> None:
        self._on_instance, self._on_study = on_instance, on_study
        self._folder, self._logger = folder, logger
        self._changed = threading.Condition()
        # The instances, and the studies whose instances are done with.
        self._waiting: deque[Event] = deque()
        self._arriving: dict[str, Study] = {}
        # Complete studies, some of whose instances wait or run; and the number of these by study.
        self._complete: dict[str, Study] = {}
        self._calls: Counter[str] = Counter()
        self._is_closing = False
        self.failed = 0
        count = WORKERS if on_instance or on_study else 0
        self._threads = [threading.Thread(target=self._work, name="dimse-programs", daemon=True) for _ in range(count)]
        for thread in self._threads:
            thread.start()

    def stored(self, stored: Stored) -> None:
        """Take an instance that was stored; any thread may call this."""
        uid = stored.study_instance_uid
        with self._changed:
            if self._on_study is not None and uid:
                part = Study.of(stored, new_event_id())
                before = self._arriving.get(uid)
                self._arriving[uid] = part if before is None else before.merged_with(part)
            if self._on_instance is None:
                return
            if len(self._waiting) >= MOST_WAITING:
                self._drop()
                return
            self._waiting.append(stored)
            self._calls[uid] += 1
            self._changed.notify()

    def _drop(self) -> None:
        if not self.failed:
            self._logger.error("More than %d instances wait for a program: it is not run for some", MOST_WAITING)
        self.failed += 1

    def complete(self, uid: str, instances: int = 0) -> None:
        """Have the program of a study run, since all of the study is here.

        Args:
            uid: The Study Instance UID.
            instances: The number of its instances, for a study of which none came in this run.
        """
        if self._on_study is None:
            return
        with self._changed:
            study = self._arriving.pop(uid, None)
            if study is None:
                now = time.time()
                study = Study(uid, "", os.path.abspath(self._folder), instances, 0, 0, now, now, new_event_id())
            if self._calls[uid]:
                self._complete[uid] = study
            else:
                self._waiting.append(study)
                self._changed.notify()

    def drop(self, uid: str) -> None:
        """Forget what came of a study, since it is not complete."""
        with self._changed:
            self._arriving.pop(uid, None)

    def end_all(self, *, complete: bool) -> None:
        """End the studies that are arriving, either all as complete, or all as not known to be."""
        with self._changed:
            studies = list(self._arriving)
        for uid in studies:
            if complete:
                self.complete(uid)
            else:
                self.drop(uid)

    def close(self, *, wait: bool = True) -> None:
        """Wait until all programs have run, or kill those that run."""
        with self._changed:
            self._is_closing = True
            self._changed.notify_all()
        if not wait:
            self.kill()
        for thread in self._threads:
            thread.join(LEAVING)
            # Python misses a signal that comes just before a wait until the wait ends. So no wait is long.
            while wait and thread.is_alive():
                thread.join(LEAVING)

    def kill(self) -> bool:
        """Kill the programs that run, and run no others; a handler of signals may call this.

        Returns:
            True, as the handling of signals wants it: there was something to end.
        """
        with self._changed:
            self._waiting.clear()
            self._complete.clear()
            self._changed.notify_all()
        for command in (self._on_instance, self._on_study):
            if command is not None:
                command.close()
        return True

    # --- in the threads ---

    def _work(self) -> None:
        while (event := self._next()) is not None:
            command = self._on_study if isinstance(event, Study) else self._on_instance
            assert command is not None
            try:
                command(event)
            except CommandFailed as error:
                self._fail(event, error)
            self._end(event)

    def _next(self) -> Event | None:
        """Wait for an instance or a study, and return it; None at the end."""
        with self._changed:
            while not self._waiting:
                if self._is_closing and not self._complete:
                    return None
                self._changed.wait()
            return self._waiting.popleft()

    def _fail(self, event: Event, error: CommandFailed) -> None:
        with self._changed:
            self.failed += 1
        self._logger.error("Command %s for %s: %s", one_line(error.program), subject(event), error.why)

    def _end(self, event: Event) -> None:
        """Let the program of a study run once those of its instances have ended."""
        if isinstance(event, Study):
            return
        uid = event.study_instance_uid
        with self._changed:
            self._calls[uid] -= 1
            if self._calls[uid]:
                return
            del self._calls[uid]
            if uid in self._complete:
                self._waiting.append(self._complete.pop(uid))
            # Threads may wait for the last study.
            self._changed.notify_all()
