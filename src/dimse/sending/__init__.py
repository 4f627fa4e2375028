"""Sending of many files: over several associations, with retries and a journal, and with an outcome for every file.

    with Sending("study/", ("pacs.example.org", 104), jobs=4, retry=3, journal="sent.db") as sending:
        for event in sending.events(): ...

A `Job` sends over one association at a time, and takes instances from the `Feed`, which all jobs share. A single job runs in
the thread that iterates over its events; several have a thread each. `send` yields the outcomes alone.
"""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Generator, Iterable, Iterator
from contextlib import ExitStack
from functools import update_wrapper
from importlib import import_module
from typing import TYPE_CHECKING, Any, ParamSpec, Self, Unpack, cast

from dimse.errors import DimseError, NotSent
from dimse.instances import PATHS, InstanceFile
from dimse.message.command import LOW
from dimse.sending.associations import Associations, options_in_full
from dimse.sending.feed import POLL_INTERVAL, Counts, Feed
from dimse.sending.finding import LOGGER, Finder
from dimse.sending.job import AssociationFault, Event, Job, Manner
from dimse.sending.proposal import Syntaxes
from dimse.sending.retry import Retry
from dimse.services.outcome import Outcome
from dimse.services.sources import Transcode, check_transcode
from dimse.settings import arguments
from dimse.settings.keywords import InFull
from dimse.support.closing import Closing
from dimse.transport.threaded import iterate

if TYPE_CHECKING:
    import logging
    from queue import Queue

    from dimse.sending.finding import Sendable
    from dimse.sending.options import AssociationOptions
    from dimse.settings.remote import Remote

P = ParamSpec("P")

__all__ = ["AssociationFault", "AssociationOptions", "Counts", "Event", "Retry", "Sending", "Syntaxes", "send"]

MOST_EVENTS = 1000
"""Events that wait in the queue; when it is full the jobs wait too."""
ABORT_PATIENCE = 2.0
"""Seconds that the jobs have to end after an abort. A job that still waits for a disk, a name or a connection is left behind."""


def __getattr__(name: str) -> object:
    """Return `AssociationOptions`, loaded on demand: Python compiles each annotation of a `TypedDict`, which takes long."""
    if name == "AssociationOptions":
        return import_module("dimse.sending.options").AssociationOptions
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


class Sending(Closing):
    """A transfer of files to a peer. It is a context manager: leaving the block aborts the requests under way.

    Args:
        paths: Files, folders, DICOMDIRs and ZIP archives; pydicom data sets, bytes of Part 10 files and open binary files; or one
            of them. They are iterated over as they are sent: at most 64 MiB of memory wait. What is in memory is encoded or copied
            when it is taken, so it may be changed when the next one is asked for. A None among them says that the next one is
            not there yet.
        peer: Host and port; or a `Remote`, which stands for them and the keywords of its fields.
        jobs: Number of associations at one time.
        retry: The number of further attempts for an instance if its connection fails or the peer is out of resources; or a `Retry`.
        journal: A file that records acknowledged files, which are not sent again. See `dimse.sending.journal`. Instances in memory
            are sent each time, and are not recorded.
        any_order: True to let the instances of a series go over different associations, with several jobs.
        recurse: True to read folders all the way down, False to read them one level deep.
        recurse_hint: The words by which a user asks for `recurse`, for the line about folders that are not read.
        raw_transfer_syntax_uid: The transfer syntax of files that do not name theirs.
        skip_invalid: True to skip named files that cannot be sent, like files in folders.
        syntaxes: The rule for the transfer syntaxes to propose.
        priority: 0 medium, 1 high, 2 low.
        transcode: See `dimse.Association.store`.
        repeat: The number of times that each file is sent; 1 with a journal.
        abort: True to end associations by A-ABORT instead of a release.
        announce: Called with each file whose request is about to be sent, in the thread of its job.
        tags: Tags of elements whose values the `InstanceFile.elements` of each `Outcome.source` is to have.
        tell_skipped: Called with the path and the reason of each file and folder that is passed over, in the thread of a job.
        logger: The logger for lines about skipped files.
        association: Arguments of `dimse.associate`. If `async_ops` proposes a window of asynchronous operations, a peer may end
            the association before it has answered a request. The following ones are then requested without the window.

    Attributes:
        counts: The progress; may be read from any thread.
        skipped: The files and folders passed over so far.
        met: The files that the search has come to so far, whether they are sent or not.
        is_copy: Returns True for a file if another one with its SOP instance UID was found before it.

    Raises:
        TypeError, ValueError: An argument is wrong, or the arguments do not go together.
    """

    __signature__ = InFull(options_in_full)

    def __init__(
        self,
        paths: Sendable | Iterable[Sendable | None],
        peer: tuple[str, int] | Remote,
        *,
        jobs: int = 1,
        retry: int | Retry = 0,
        journal: str | os.PathLike[str] | None = None,
        any_order: bool = False,
        recurse: bool = True,
        recurse_hint: str = "recurse=True",
        raw_transfer_syntax_uid: str | None = None,
        skip_invalid: bool = False,
        syntaxes: Syntaxes = Syntaxes(),
        priority: int = LOW,
        transcode: Transcode = "lossless",
        repeat: int = 1,
        abort: bool = False,
        announce: Callable[[InstanceFile], object] | None = None,
        tags: Collection[int] = (),
        tell_skipped: Callable[[str, str], object] | None = None,
        logger: logging.Logger = LOGGER,
        **association: Unpack[AssociationOptions],
    ) -> None:
        if jobs < 1 or repeat < 1:
            raise ValueError(f"there is at least one job, and each file is sent at least once: {jobs} and {repeat}")
        arguments.priority(priority)
        if journal is not None and repeat > 1:
            raise ValueError("a journal has one entry for each instance: it does not go with repeat")
        options = cast("dict[str, Any]", association)
        if not isinstance(peer, tuple):
            from dimse.settings.remote import address_and_options

            peer, options = address_and_options("peer", peer, None, options)
        host, port = arguments.host_and_port("peer", peer)
        # A wrong argument is reported before the search for files begins.
        associations = Associations(host, port, cast("AssociationOptions", options))
        check_transcode(transcode)
        if raw_transfer_syntax_uid is not None:
            raw_transfer_syntax_uid = arguments.uid("raw_transfer_syntax_uid", raw_transfer_syntax_uid)
        if not (isinstance(paths, (InstanceFile, *PATHS, Iterable)) or hasattr(paths, "read")):
            raise TypeError(f"paths takes a path or a list of paths, not {paths!r}")
        arguments.instance_of("syntaxes", syntaxes, Syntaxes, "syntaxes=dimse.sending.Syntaxes(exact=True)")
        retry = retry if isinstance(retry, Retry) else Retry(retry)
        finder = Finder(
            paths,
            recurse=recurse,
            recurse_hint=recurse_hint,
            raw_transfer_syntax_uid=raw_transfer_syntax_uid,
            skip_invalid=skip_invalid,
            logger=logger,
            tags=tags,
            tell_skipped=tell_skipped,
        )
        self._resources = ExitStack()
        self._resources.callback(finder.close)
        # The journal: its path, and the peer that it is about. It is opened when the sending begins.
        self._journal = None if journal is None else (os.fspath(journal), host, port, associations.called_ae_title)
        self.skipped, self.met = finder.skipped, finder.met
        self.is_copy = finder.is_copy
        self._feed = Feed(finder, syntaxes, repeat=repeat, keep_series=jobs > 1 and not any_order)
        manner = Manner(priority, transcode, retry, abort, announce, named=jobs > 1)
        self._jobs = [Job(self._feed, associations, manner) for _ in range(jobs)]
        self._threads: list[threading.Thread] = []
        # Outcomes from jobs after they were stopped.
        self._late_outcomes: deque[Outcome] = deque()
        # The time until which jobs may take to stop.
        self._patient_until = 0.0
        self._fault: DimseError = NotSent("the sending was stopped")

    def __enter__(self) -> Self:
        """Open the journal.

        Raises:
            JournalError: The journal cannot be used.
        """
        if self._journal is not None and self._feed.ledger is None:
            from dimse.sending.journal import Journal

            path, host, port, called = self._journal
            journal = Journal(path, host=host, port=port, called_ae_title=called)
            self._feed.ledger = self._resources.enter_context(journal)
        return self

    @property
    def counts(self) -> Counts:
        """The progress; may be read from any thread."""
        return self._feed.counts

    @property
    def sent_bytes(self) -> int:
        """The bytes sent so far; may be read from any thread."""
        under_way = [job.association for job in self._jobs]
        ended = sum(job.sent_bytes for job in self._jobs)
        return ended + sum(association.sent_bytes for association in under_way if association is not None)

    @property
    def associations(self) -> int:
        """The number of associations at this time; may be read from any thread."""
        return sum(job.association is not None for job in self._jobs)

    @property
    def retries(self) -> int:
        """The number of times that an instance or an association was tried again; may be read from any thread."""
        return sum(job.retries for job in self._jobs)

    @property
    def associated(self) -> bool:
        """True if any association was established."""
        return any(job.associated for job in self._jobs)

    def events(self) -> Iterator[Event]:
        """Send the files, and yield the outcome of each file as it becomes known, and the faults of associations.

        Raises:
            JournalError: The journal cannot be used; or it cannot be written, and the requests under way were aborted.
        """
        self.__enter__()
        events = iterate(self._jobs[0].run()) if len(self._jobs) == 1 else self._run_in_threads()
        for event in events:
            if isinstance(event, Outcome):
                self._count(event)
            elif event.again is None and event.stage != "release":
                self._fault = event.error
            yield event
        yield from self.rest()

    def rest(self) -> Iterator[Outcome]:
        """Yield the outcomes of files that were found and not sent, after `events` has ended or was interrupted."""
        for outcomes in (self._late_outcomes, self._feed.rest(self._fault)):
            for outcome in outcomes:
                self._count(outcome)
                yield outcome

    def abort(self) -> bool:
        """Stop sending, and abort the requests under way. It takes no lock, so any thread and a signal handler may call it.

        Returns:
            True if an association was aborted. If False, a job may still wait for a disk, a name or a connection.
        """
        if not self._feed.stopped:
            self._patient_until = time.monotonic() + ABORT_PATIENCE
        self._feed.stopped = True
        return sum(job.abort() for job in self._jobs) > 0

    def close(self) -> None:
        """Abort the requests under way, and close the journal and temporary files."""
        self.abort()
        for thread in self._threads:
            # A thread without an ident was not started.
            if thread.ident is not None:
                thread.join(self._patience)
        self._resources.close()

    @property
    def _patience(self) -> float:
        """The seconds that jobs may still take to stop."""
        return max(0.0, self._patient_until - time.monotonic())

    def _count(self, outcome: Outcome) -> None:
        counts = self.counts
        if outcome.state == "already":
            counts.already += 1
            return
        # An outcome without a source is that of a path that cannot be sent.
        if outcome.source is not None:
            counts.done += 1
            counts.done_bytes += outcome.source.data_set_size
        if outcome.state not in ("stored", "warning"):
            counts.failed += 1

    def _run_in_threads(self) -> Iterator[Event]:
        # A single job needs no queue.
        from queue import Empty, Queue

        happened: Queue[Event | BaseException | None] = Queue(MOST_EVENTS)
        self._threads = [
            threading.Thread(target=_work, args=(job, happened), name="dimse-job", daemon=True) for job in self._jobs
        ]
        running = len(self._threads)
        try:
            for thread in self._threads:
                thread.start()
            while running:
                try:
                    event = happened.get(timeout=POLL_INTERVAL)
                except Empty:
                    # Jobs that have not ended by then are blocked.
                    if self._feed.stopped:
                        return
                    continue
                if event is None:
                    running -= 1
                elif isinstance(event, BaseException):
                    raise event
                else:
                    yield event
        finally:
            # A signal may have kept threads from being started.
            running -= sum(thread.ident is None for thread in self._threads)
            if running:
                self.abort()
                self._late_outcomes.extend(self._drain(happened, running))

    def _drain(self, happened: Queue[Event | BaseException | None], running: int) -> Iterator[Outcome]:
        """Yield the outcomes of jobs that are stopping, until the time for that is over."""
        from queue import Empty

        while running:
            try:
                event = happened.get(timeout=self._patience)
            except Empty:
                return
            running -= event is None
            if isinstance(event, Outcome):
                yield event


def _work(job: Job, happened: Queue[Event | BaseException | None]) -> None:
    try:
        for event in iterate(job.run()):
            happened.put(event)
    # The thread that iterates over the events raises it again.
    except BaseException as error:
        happened.put(error)
    finally:
        happened.put(None)


def _outcomes(sending: Sending) -> Generator[Outcome]:
    with sending:
        for event in sending.events():
            if isinstance(event, Outcome):
                yield event


def _only_outcomes(make: Callable[P, Sending]) -> Callable[P, Iterator[Outcome]]:
    def send(*args: P.args, **kwargs: P.kwargs) -> Iterator[Outcome]:
        """Send files and instances in memory, and yield the outcome of each. The arguments are those of `dimse.sending.Sending`.

        A wrong argument raises at the call. Nothing is opened or sent before the iteration begins. A file that could not be sent
        without an association has an outcome too, whose error is the reason. Leaving the loop early aborts the requests under way.
        An iterator that is dropped before the first outcome was asked for is a `ResourceWarning`.

        Raises:
            TypeError, ValueError: An argument is wrong, or the arguments do not go together.
            JournalError: At the first outcome: the journal cannot be used.
        """
        from dimse.support.unstarted import Unstarted

        return Unstarted("dimse.send", _outcomes(make(*args, **kwargs)))

    # The signature to show.
    update_wrapper(send, make, assigned=(), updated=())
    return send


send = _only_outcomes(Sending)
