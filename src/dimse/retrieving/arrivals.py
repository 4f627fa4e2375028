"""The instances of a bulk retrieval that were stored here, by study."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Condition
from typing import TYPE_CHECKING

from dimse.archive.stored import NotAcknowledged, Stored
from dimse.errors import JournalError

if TYPE_CHECKING:
    from dimse.retrieving.journal import RetrievalJournal


class StudiesUnderWay:
    """The studies that are being retrieved, each by one thread at a time: a list may name a study more than once."""

    def __init__(self) -> None:
        self._studies: set[str] = set()
        self._ended = Condition()

    @contextmanager
    def alone(self, study: str) -> Iterator[None]:
        """Run the body once no other thread retrieves the study."""
        with self._ended:
            self._ended.wait_for(lambda: study not in self._studies)
            self._studies.add(study)
        try:
            yield
        finally:
            with self._ended:
                self._studies.remove(study)
                self._ended.notify_all()


class Arriving:
    """The instances that have come of a study which is being retrieved.

    Attributes:
        study: The Study Instance UID.
        uids: The SOP Instance UIDs of what was stored.
        came: Those of what was stored since the last request.
        size: The bytes of their data sets.
        last: The moment at which the last one came, on `time.monotonic()`.
        expected: Returns True for an instance that the peer lists for this study.
    """

    def __init__(self, study: str, held: set[str]) -> None:
        self.study = study
        self.uids = held
        self.came: set[str] = set()
        self.size = 0
        self.last = time.monotonic()
        self.expected: Callable[[str], bool] = lambda uid: False


class Arrivals:
    """The instances that were stored, each with the study that it is of. Threads may share it.

    Args:
        journal: Records each instance; None records nothing.
        stored: Called with each instance, in the thread that stores it.

    Attributes:
        count: The number of instances that came.
        size: The bytes of their data sets.
        strays: The number of instances of no study that is being retrieved.
    """

    def __init__(self, journal: RetrievalJournal | None, stored: Callable[[Stored], None] | None) -> None:
        self._journal, self._stored = journal, stored
        self._came = Condition()
        self._studies: dict[str, Arriving] = {}
        self.count = self.size = self.strays = 0

    @contextmanager
    def of(self, study: str, held: set[str]) -> Iterator[Arriving]:
        """Collect the instances of a study within the block, beside those that are here already."""
        arriving = Arriving(study, held)
        with self._came:
            self._studies[study] = arriving
        try:
            yield arriving
        finally:
            with self._came:
                del self._studies[study]

    def take(self, stored: Stored) -> None:
        """Take an instance whose file is synced and whose success is about to be reported.

        Raises:
            NotAcknowledged: The journal cannot record it.
        """
        with self._came:
            self.count += 1
            self.size += stored.size
            arriving = self._studies.get(stored.study_instance_uid)
            if arriving is None:
                # The elements of a private transfer syntax cannot be read.
                uid = stored.sop_instance_uid
                arriving = next((each for each in self._studies.values() if each.expected(uid)), None)
            if arriving is None:
                self.strays += 1
            else:
                arriving.uids.add(stored.sop_instance_uid)
                arriving.came.add(stored.sop_instance_uid)
                arriving.size += stored.size
                arriving.last = time.monotonic()
            self._came.notify_all()
        if self._journal is not None:
            try:
                self._journal.arrived(stored, stored.study_instance_uid if arriving is None else arriving.study)
            except JournalError as error:
                raise NotAcknowledged(str(error)) from error
        if self._stored is not None:
            self._stored(stored)

    def wait(self, arriving: Arriving, is_done: Callable[[], bool], settle: float) -> None:
        """Wait until `is_done`, or until nothing of the study has come for `settle` seconds."""
        begun = time.monotonic()
        with self._came:
            while not is_done():
                left = max(begun, arriving.last) + settle - time.monotonic()
                if left <= 0:
                    return
                self._came.wait(left)
