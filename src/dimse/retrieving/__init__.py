"""Retrieval of many studies: over several associations, with retries and a journal, and with a result for every study.

    with BulkRetrieval(["1.2.3", "1.2.4"], ("pacs.example.org", 104), "incoming", jobs=4, journal="retrieved.db") as retrieval:
        for result in retrieval.results(): ...

A `Job` retrieves one study at a time, in a thread of its own. It lists the instances of the study, retrieves them by C-GET or
C-MOVE, and compares what came with the list. `retrieve` yields the results alone.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import ExitStack
from functools import partial, update_wrapper
from queue import Empty, Full, Queue
from typing import TYPE_CHECKING, Any, ParamSpec, Unpack, cast, get_args

from dimse.archive.file_store import FileStore
from dimse.archive.stored import Stored
from dimse.errors import AssociationRejected, ConnectError, DimseError, NotSent, TLSError
from dimse.logs.notices import notice
from dimse.retrieving.arrivals import Arrivals, StudiesUnderWay
from dimse.retrieving.destination import Destination, DestinationServer
from dimse.retrieving.job import POLL_INTERVAL, Expect, Job, Manner, Method
from dimse.retrieving.result import StudyResult, Wanted
from dimse.sending.associations import options_in_full
from dimse.sending.retry import Retry
from dimse.services.information_models import find_model
from dimse.settings import Requestor, Timeouts, arguments
from dimse.settings.keywords import InFull, gather
from dimse.support.closing import Closing
from dimse.support.text import one_line
from dimse.support.values import replace
from dimse.transport.threaded import run
from dimse.uids import is_uid

if TYPE_CHECKING:
    from dimse.retrieving.existing import ExistingInstances
    from dimse.retrieving.journal import RetrievalJournal
    from dimse.sending.options import AssociationOptions
    from dimse.settings.remote import Remote

P = ParamSpec("P")

__all__ = ["BulkRetrieval", "Destination", "Expect", "Method", "Retry", "StudyResult", "retrieve"]

MOST_FAILED = 5
"""Studies in a row for which no association was established, after which the peer is given up."""
MOST_RESULTS = 100
"""Results that wait to be taken; when there are as many the jobs wait too."""
REJECTED_WAIT = 0.5
"""Seconds after which a job asks again that was rejected while the peer serves another one."""
MOST_REJECTED = 4
"""Rejections in a row, while no other job is served, with the last of which a study has failed."""
TRANSIENT = 2
"""The result of a rejection that may pass (PS3.8 9.3.4)."""
LEAVING = 5.0
"""Seconds that the jobs have to end after an abort."""

Keeping = Callable[[Callable[[Stored], None]], FileStore]
"""A function that makes the store of a retrieval. The store calls what it is given with each instance that it keeps."""


class BulkRetrieval(Closing):
    """A retrieval of many studies from one peer. It is a context manager: leaving the block aborts what is under way.

    Args:
        studies: Study Instance UIDs, or pairs of a Study and a Series Instance UID for a single series. They are iterated over on
            demand, so a million of them need no memory.
        peer: Host and port; or a `Remote`, which stands for them and the keywords of its fields.
        folder: The folder for the instances, as of `dimse.archive.FileStore`; or a function that makes the store.
        jobs: The number of studies that are retrieved at a time, each over an association of its own.
        retry: The number of further attempts for a study if the connection fails, the peer is out of resources, or instances are
            missing; or a `Retry`.
        journal: A file that records what was retrieved. A later run skips studies that are complete, and takes up the others at
            the first instance that is missing.
        skip_existing: True to look into the folder first. Complete instances that are there, under whatever name, are not
            retrieved.
        method: "get", "move", or "auto" for whichever works, C-GET first.
        expect: "find" lists the instances of each study first, and compares. "count" believes the counts of the peer.
        model: The information model.
        destination: The storage SCP in this process that C-MOVEs name; without one only C-GET is used.
        sop_classes: The SOP classes that are wanted, by UID; by default all. Instances of other classes are not asked for where the
            peer lists them, and are refused.
        transfer_syntaxes: The transfer syntaxes that are accepted, by UID; by default all.
        timeout: Seconds in which no byte comes; None is the DIMSE timeout, 0 is unlimited.
        total_timeout: Seconds that one request may take, with all its responses; 0 is unlimited.
        settle: Seconds for which an instance of a C-MOVE may come after the last one.
        stored: Called with each instance that was stored, in the thread that stores it.
        begun: Called with the UID of each study that is about to be retrieved, in the thread of its job.
        association: Arguments of `dimse.associate`.

    Attributes:
        arrivals: The counts of what was stored; may be read from any thread.
        failure: The error for which the peer was given up; None if it was not.

    Raises:
        TypeError, ValueError: An argument is wrong, or the arguments do not go together.
        JournalError: The journal cannot be used.
        OSError: The folder cannot be used, or the destination cannot listen.
    """

    __signature__ = InFull(options_in_full)

    def __init__(
        self,
        studies: Iterable[str | tuple[str, str]],
        peer: tuple[str, int] | Remote,
        folder: str | os.PathLike[str] | Keeping,
        *,
        jobs: int = 1,
        retry: int | Retry = 0,
        journal: str | os.PathLike[str] | None = None,
        skip_existing: bool = False,
        method: Method = "auto",
        expect: Expect = "find",
        model: str = "study",
        destination: Destination | None = None,
        sop_classes: Iterable[str] = (),
        transfer_syntaxes: Iterable[str] = (),
        timeout: float | None = None,
        total_timeout: float = 0,
        settle: float = 10.0,
        stored: Callable[[Stored], None] | None = None,
        begun: Callable[[str], object] = lambda study: None,
        **association: Unpack[AssociationOptions],
    ) -> None:
        if jobs < 1:
            raise ValueError(f"there is at least one job, not {jobs}")
        for name, given, choices in (("method", method, get_args(Method)), ("expect", expect, get_args(Expect))):
            if given not in choices:
                raise ValueError(f"{name} is one of {', '.join(choices)}, not {given!r}")
        if method == "move" and destination is None:
            raise ValueError("method 'move' needs a destination")
        if not isinstance(peer, tuple):
            from dimse.settings.remote import address_and_options

            peer, completed = address_and_options("peer", peer, None, cast("dict[str, Any]", association))
            association = cast("AssociationOptions", completed)
        host, port = arguments.host_and_port("peer", peer)
        found = find_model(model, "find")
        requestor = gather("requestor", Requestor, {**association, "contexts": (found.find,)})
        called = requestor.called_ae_title
        classes, syntaxes = frozenset(sop_classes), tuple(transfer_syntaxes)
        self._host, self._is_of_all_classes = host, not classes
        self._studies = iter([studies] if isinstance(studies, str) else studies)
        self._begun = begun
        # A list may block for long, so it has a lock of its own.
        self._listing, self._lock = threading.Lock(), threading.Lock()
        self._under_way = StudiesUnderWay()
        self._stopped = False
        self._leave_by: float | None = None
        self._failed = 0
        self.failure: DimseError | None = None
        self._threads: list[threading.Thread] = []
        with ExitStack() as resources:
            self._journal: RetrievalJournal | None = None
            if journal is not None:
                from dimse.retrieving.journal import RetrievalJournal

                self._journal = resources.enter_context(
                    RetrievalJournal(os.fspath(journal), host=host, port=port, called_ae_title=called)
                )
            self.arrivals = Arrivals(self._journal, stored)
            make = folder if callable(folder) else partial(_store, folder)
            store = resources.enter_context(make(self.arrivals.take))
            self._existing: ExistingInstances | None = None
            if skip_existing:
                from dimse.retrieving.existing import ExistingInstances

                self._existing = resources.enter_context(ExistingInstances(store.folder, lambda: self._stopped))
            server: DestinationServer | None = None
            if destination is not None and method != "get":
                timeouts = association.get("timeouts", Timeouts())
                server = resources.enter_context(
                    DestinationServer(
                        destination, store.handlers(), timeouts, requestor.calling_ae_title, classes, syntaxes
                    )
                )
            self._resources = resources.pop_all()
        self._port = server.port if server is not None else None
        manner = Manner(
            found, method, expect, retry if isinstance(retry, Retry) else Retry(retry), timeout, total_timeout, settle,
            destination.ae_title if destination is not None else "", classes, syntaxes,
        )  # fmt: skip
        self._jobs = [
            Job((host, port), association, manner, store, self.arrivals, server, lambda: self._stopped)
            for _ in range(jobs)
        ]

    @property
    def destination_port(self) -> int | None:
        """The port of the destination of C-MOVEs; None without one."""
        return self._port

    @property
    def associated(self) -> bool:
        """True if any association was established."""
        return any(job.associated for job in self._jobs)

    def results(self) -> Iterator[StudyResult]:
        """Retrieve the studies, and yield what became of each as it becomes known.

        Raises:
            JournalError: The journal cannot be written; what was under way was aborted.
        """
        if self._existing is not None:
            self._existing.find()
        happened: Queue[StudyResult | BaseException | None] = Queue(MOST_RESULTS)
        self._threads = [
            threading.Thread(target=self._work, args=(job, happened), name="dimse-retrieve", daemon=True)
            for job in self._jobs
        ]
        running = 0
        try:
            for thread in self._threads:
                thread.start()
                running += 1
            while running:
                try:
                    event = happened.get(timeout=POLL_INTERVAL)
                except Empty:
                    if self._have_ended() and happened.empty():
                        running = 0
                    continue
                if event is None:
                    running -= 1
                elif isinstance(event, BaseException):
                    raise event
                else:
                    yield event
        finally:
            if running:
                self.abort()

    def abort(self) -> bool:
        """Stop retrieving, and abort the associations under way; from any thread and a signal handler.

        Returns:
            True if an association was aborted.
        """
        if self._leave_by is None:
            self._leave_by = time.monotonic() + LEAVING
        self._stopped = True
        return sum(job.abort() for job in self._jobs) > 0

    def close(self) -> None:
        """Abort what is under way, and close the journal and the store."""
        self.abort()
        for thread in self._threads:
            if thread.ident is not None:
                thread.join(max(0.0, (self._leave_by or 0.0) - time.monotonic()))
        self._resources.close()

    def _have_ended(self) -> bool:
        """Return True if no job runs, or those that run have had the time to end. Once stopped, they may end without a word."""
        if self._leave_by is not None and time.monotonic() > self._leave_by:
            return True
        return not any(thread.is_alive() for thread in self._threads)

    # --- in the threads of the jobs ---

    def _work(self, job: Job, happened: Queue[StudyResult | BaseException | None]) -> None:
        try:
            while (study := self._next()) is not None:
                self._tell(happened, self._retrieve(job, study))
            run(job.release())
        # The thread that iterates over the results raises it again.
        except BaseException as error:
            self._tell(happened, error)
        finally:
            self._tell(happened, None)

    def _tell(
        self,
        happened: Queue[StudyResult | BaseException | None],
        event: StudyResult | BaseException | None,
    ) -> None:
        """Pass an event on; once the retrieval was stopped it is dropped if it is not taken."""
        while True:
            try:
                happened.put(event, timeout=POLL_INTERVAL)
                return
            except Full:
                if self._stopped:
                    return

    def _next(self) -> str | tuple[str, str] | None:
        with self._listing:
            return None if self._stopped else next(self._studies, None)

    def _retrieve(self, job: Job, given: str | tuple[str, str]) -> StudyResult:
        study, series = (given, "") if isinstance(given, str) else given
        wanted = Wanted(study.strip(" \0"), series.strip(" \0"))
        # An empty UID or a list of UIDs would match other studies.
        for uid in (wanted.study,) if isinstance(given, str) else (wanted.study, wanted.series):
            if not is_uid(uid):
                error = NotSent(f"{one_line(uid, 64) or 'nothing'} is not a UID")
                return StudyResult(study, "failed", error=error, series_instance_uid=series)
        with self._under_way.alone(wanted.study):
            return self._retrieve_alone(job, wanted)

    def _retrieve_alone(self, job: Job, wanted: Wanted) -> StudyResult:
        study, journal = wanted.study, self._journal
        # The state of a study says nothing about a part of it, whose instances alone are recorded.
        is_whole = not wanted.series and self._is_of_all_classes
        recorded: set[str] = set()
        if journal is not None:
            if is_whole and (count := journal.completed(study)) is not None:
                return StudyResult(study, "already", expected=count, stored=count)
            recorded = journal.held(study)
            if is_whole:
                journal.begin(study)
        held = recorded if self._existing is None else recorded | self._existing.of(study)
        self._begun(study)
        result = run(job.retrieve(wanted, set(held)))
        # A job that has just ended its association frees the place for another one.
        patience = MOST_REJECTED
        while patience and self._is_rejected(result):
            patience = MOST_REJECTED if self._is_another_served(job) else patience - 1
            self._wait()
            result = run(job.retrieve(wanted, set(held)))
        if journal is not None and is_whole:
            words = "" if result.error is None else one_line(str(result.error))
            journal.end(study, result.state, result.method, result.expected, result.stored, result.attempts, words)
        self._judge(result)
        # What an earlier run with the journal has brought was not told of as complete.
        is_nothing_new = result.is_complete and not result.attempts and not recorded
        return replace(result, state="already") if is_nothing_new else result

    def _is_rejected(self, result: StudyResult) -> bool:
        """Return True if the peer has rejected an association for now; another job may have the last one that it allows."""
        error = result.error
        if self._stopped or not isinstance(error, AssociationRejected) or error.result != TRANSIENT or result.attempts:
            return False
        return len(self._jobs) > 1

    def _is_another_served(self, job: Job) -> bool:
        if not any(other.association is not None for other in self._jobs if other is not job):
            return False
        notice(
            "jobs", self._host, "%s allows fewer associations than there are jobs: some wait for the others", self._host
        )
        return True

    def _wait(self) -> None:
        end = time.monotonic() + REJECTED_WAIT
        while not self._stopped and (left := end - time.monotonic()) > 0:
            time.sleep(min(left, POLL_INTERVAL))

    def _judge(self, result: StudyResult) -> None:
        """Give the peer up after some studies in a row for which there was no association."""
        with self._lock:
            is_out = isinstance(result.error, ConnectError | AssociationRejected | TLSError) and not result.attempts
            self._failed = self._failed + 1 if is_out else 0
            if self._failed >= MOST_FAILED and not self._stopped:
                self.failure = result.error
                self._stopped = True


def _store(folder: str | os.PathLike[str], stored: Callable[[Stored], None]) -> FileStore:
    return FileStore(folder, stored=stored)


def _only_results(make: Callable[P, BulkRetrieval]) -> Callable[P, Iterator[StudyResult]]:
    def retrieve(*args: P.args, **kwargs: P.kwargs) -> Iterator[StudyResult]:
        """Retrieve studies, and yield what became of each. The arguments are those of `dimse.retrieving.BulkRetrieval`.

        A study whose instances are not all here is never called complete. Leaving the loop early aborts what is under way. Nothing
        is retrieved before the first result is asked for; to drop the iterator before that is a `ResourceWarning`.

        Raises:
            TypeError, ValueError: The arguments do not go together.
            JournalError: The journal cannot be used.
            OSError: The folder cannot be used, or the destination cannot listen.
        """
        from dimse.support.unstarted import Unstarted

        retrieval = make(*args, **kwargs)
        return Unstarted("dimse.retrieve", _results(retrieval), retrieval.close)

    # The signature to show.
    update_wrapper(retrieve, make, assigned=(), updated=())
    return retrieve


def _results(retrieval: BulkRetrieval) -> Generator[StudyResult]:
    with retrieval:
        yield from retrieval.results()


retrieve = _only_results(BulkRetrieval)
