"""Sending files: found, sent over as many associations as are wanted, tried again where that helps, and none lost count of.

    with Sending("study/", ("pacs.example.org", 104), jobs=4, retry=3, journal="sent.db") as sending:
        for event in sending.events(): ...

A `Job` sends over one association at a time what it is given by the `Feed`, which all jobs share. A single job runs where its
events are asked for; several have a thread each. `send` is the same for who wants the outcomes alone.
"""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from importlib import import_module
from typing import TYPE_CHECKING, ParamSpec, Unpack, get_args

from dimse.errors import DimseError, NotSent
from dimse.instances import PATHS
from dimse.message.command import LOW
from dimse.sending.associations import Associations
from dimse.sending.feed import GLANCE, Counts, Feed, Ledger
from dimse.sending.finding import LOGGER, Finder
from dimse.sending.job import AssociationFault, Event, Job, Manner
from dimse.sending.proposal import Syntaxes
from dimse.sending.retry import Retry
from dimse.services.outcome import Outcome
from dimse.services.sources import Transcode
from dimse.settings import arguments
from dimse.support.closing import Closing
from dimse.transport.threaded import iterate

if TYPE_CHECKING:
    import logging
    from queue import Queue

    from dimse.instances import InstanceFile, Path
    from dimse.sending.options import AssociationOptions

P = ParamSpec("P")

__all__ = ["AssociationFault", "AssociationOptions", "Counts", "Event", "Retry", "Sending", "Syntaxes", "send"]

MOST_UNSEEN = 1000
"""Events that wait to be asked for; then the jobs wait too."""
PATIENCE = 2.0
"""Seconds that the jobs have to end when they are aborted: one that waits for a disk, a name or a connection is left behind."""


def __getattr__(name: str) -> object:
    """`AssociationOptions`, loaded for who asks: Python compiles each annotation of a `TypedDict`, and a C-ECHO takes no longer."""
    if name == "AssociationOptions":
        return import_module("dimse.sending.options").AssociationOptions
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


class Sending(Closing):
    """Files on their way to a peer. Use it with `with`: leaving the block aborts what is still under way.

    Args:
        paths: Files, folders, DICOMDIRs and ZIP archives; asked for one by one. One path needs no list. None: there is nothing for
            the moment.
        peer: Host and port.
        jobs: Associations at one time.
        retry: How often an instance is tried again when its connection fails or the peer is out of resources; or a `Retry`.
        journal: A file that remembers what was acknowledged: that is not sent again. See `dimse.sending.journal`.
        any_order: With several jobs, let the instances of a series go over different associations.
        recurse: Read folders all the way down, not one level only.
        recurse_hint: What a user is told to say where folders below are not read.
        raw_transfer_syntax_uid: How files are encoded that do not say it themselves.
        skip_invalid: Files that were named and cannot be sent are skipped like those met in folders.
        syntaxes: What transfer syntaxes are proposed.
        priority: 0 medium, 1 high, 2 low.
        transcode: See `dimse.Association.store`.
        repeat: How often each file is sent. Not with a journal.
        abort: End associations by A-ABORT, not by release.
        announce: Called with each file whose request is about to go out, in the thread of its job.
        logger: Where it is said what is skipped.
        association: As for `dimse.associate`. Where `async_ops` proposes a window of asynchronous operations, and the peer closes,
            aborts or rejects the association before it has answered anything, the following ones are requested without it.

    Attributes:
        counts: How far it has come; may be read from any thread.
        skipped: What was passed over in folders and archives so far.

    Raises:
        TypeError, ValueError: An argument is wrong, or they do not go together.
        JournalError: The journal cannot be used.
    """

    def __init__(
        self,
        paths: Path | Iterable[Path | None],
        peer: tuple[str, int],
        *,
        jobs: int = 1,
        retry: int | Retry = 0,
        journal: str | os.PathLike[str] | None = None,
        any_order: bool = False,
        recurse: bool = True,
        recurse_hint: str = "recurse=True",
        raw_transfer_syntax_uid: str | None = None,
        skip_invalid: bool = False,
        syntaxes: Syntaxes = Syntaxes(),  # noqa: B008  (a value)
        priority: int = LOW,
        transcode: Transcode = "lossless",
        repeat: int = 1,
        abort: bool = False,
        announce: Callable[[InstanceFile], object] | None = None,
        logger: logging.Logger = LOGGER,
        **association: Unpack[AssociationOptions],
    ) -> None:
        if jobs < 1 or repeat < 1:
            raise ValueError(f"there is at least one job, and each file is sent at least once: {jobs} and {repeat}")
        if journal is not None and repeat > 1:
            raise ValueError("what is sent repeatedly cannot be told apart in a journal")
        host, port = arguments.host_and_port("peer", peer)
        # A mistake is told before anything is looked for.
        associations = Associations(host, port, association)
        if transcode not in (choices := get_args(Transcode)):
            raise ValueError(f"transcode is one of {', '.join(choices)}, not {transcode!r}")
        if raw_transfer_syntax_uid is not None:
            raw_transfer_syntax_uid = arguments.uid("raw_transfer_syntax_uid", raw_transfer_syntax_uid)
        if not isinstance(paths, (*PATHS, Iterable)):
            raise TypeError(f"paths takes a path or a list of paths, not {paths!r}")
        with ExitStack() as resources:
            finder = Finder(
                paths,
                recurse=recurse,
                recurse_hint=recurse_hint,
                raw_transfer_syntax_uid=raw_transfer_syntax_uid,
                skip_invalid=skip_invalid,
                logger=logger,
            )
            resources.callback(finder.close)
            ledger: Ledger | None = None
            if journal is not None:
                from dimse.sending.journal import Journal

                called = associations.called_ae_title
                ledger = resources.enter_context(
                    Journal(os.fspath(journal), host=host, port=port, called_ae_title=called)
                )
            self._resources = resources.pop_all()
        self.skipped = finder.skipped
        self._feed = Feed(finder, syntaxes, ledger=ledger, repeat=repeat, keep_series=jobs > 1 and not any_order)
        retry = retry if isinstance(retry, Retry) else Retry(retry)
        manner = Manner(priority, transcode, retry, abort, announce)
        self._jobs = [Job(self._feed, associations, manner, ledger) for _ in range(jobs)]
        self._threads: list[threading.Thread] = []
        self._unseen: deque[Outcome] = deque()  # that jobs still said after they were told to stop
        self._patient_until = 0.0  # with them
        self._fault: DimseError = NotSent("it was called off")

    @property
    def counts(self) -> Counts:
        """How far it has come; may be read from any thread."""
        return self._feed.counts

    @property
    def sent_bytes(self) -> int:
        """Bytes that have gone out so far; may be read from any thread."""
        under_way = [job.association for job in self._jobs]
        ended = sum(job.sent_bytes for job in self._jobs)
        return ended + sum(association.sent_bytes for association in under_way if association is not None)

    @property
    def associated(self) -> bool:
        """Was there ever a usable association?"""
        return any(job.associated for job in self._jobs)

    def events(self) -> Iterator[Event]:
        """Send. Yields the outcome of each file as it becomes known, and what befell associations.

        Raises:
            JournalError: The journal cannot be written any more; what is under way was aborted.
        """
        events = iterate(self._jobs[0].run()) if len(self._jobs) == 1 else self._run_in_threads()
        for event in events:
            if isinstance(event, Outcome):
                self._count(event)
            elif event.again is None and event.stage != "release":
                self._fault = event.error
            yield event
        yield from self.rest()

    def rest(self) -> Iterator[Outcome]:
        """The outcomes of what was found and not sent, when `events` has ended or was interrupted."""
        for outcomes in (self._unseen, self._feed.rest(self._fault)):
            for outcome in outcomes:
                self._count(outcome)
                yield outcome

    def abort(self) -> bool:
        """Send no more, and abort what is under way: from any thread, and from a signal's handler, for it takes no lock.

        Returns:
            Was there an association to be aborted? If not, a job may still wait for a disk, a name or a connection.
        """
        if not self._feed.stopped:
            self._patient_until = time.monotonic() + PATIENCE
        self._feed.stopped = True
        return sum(job.abort() for job in self._jobs) > 0

    def close(self) -> None:
        """Abort what is under way, and let go of journal and temporary files."""
        self.abort()
        for thread in self._threads:
            if thread.ident is not None:  # it was started
                thread.join(self._patience)
        self._resources.close()

    @property
    def _patience(self) -> float:
        """Seconds that are left of it."""
        return max(0.0, self._patient_until - time.monotonic())

    def _count(self, outcome: Outcome) -> None:
        counts = self.counts
        if outcome.state == "already":
            counts.already += 1
            return
        if outcome.source is not None:  # else it was never one of those found
            counts.done += 1
            counts.done_bytes += outcome.source.data_set_size
        if outcome.state not in ("stored", "warning"):
            counts.failed += 1

    def _run_in_threads(self) -> Iterator[Event]:
        from queue import Empty, Queue  # one job needs none

        happened: Queue[Event | BaseException | None] = Queue(MOST_UNSEEN)
        self._threads = [
            threading.Thread(target=_work, args=(job, happened), name="dimse-job", daemon=True) for job in self._jobs
        ]
        running = len(self._threads)
        try:
            for thread in self._threads:
                thread.start()
            while running:
                try:
                    event = happened.get(timeout=GLANCE)
                except Empty:
                    if self._feed.stopped:
                        return  # those that have not ended wait for something
                    continue
                if event is None:
                    running -= 1
                elif isinstance(event, BaseException):
                    raise event
                else:
                    yield event
        finally:
            running -= sum(thread.ident is None for thread in self._threads)  # which a signal kept from being started
            if running:
                self.abort()
                self._unseen.extend(self._drain(happened, running))

    def _drain(self, happened: Queue[Event | BaseException | None], running: int) -> Iterator[Outcome]:
        """What jobs that were told to stop still say, for as long as it takes them, and one that hangs may be left behind."""
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
    except BaseException as error:  # raised again where the events are asked for
        happened.put(error)
    finally:
        happened.put(None)


def _only_outcomes(make: Callable[P, Sending]) -> Callable[P, Iterator[Outcome]]:
    def send(*args: P.args, **kwargs: P.kwargs) -> Iterator[Outcome]:
        """Send files; yields the outcome of each. The arguments are those of `dimse.sending.Sending`.

        Nothing is sent before the first outcome is asked for. What could not be sent for want of an association is an outcome
        too, whose error tells why; leaving the loop early aborts what is under way.

        Raises:
            ValueError: The arguments do not go together.
            JournalError: The journal cannot be used.
        """
        with make(*args, **kwargs) as sending:
            for event in sending.events():
                if isinstance(event, Outcome):
                    yield event

    return send


send = _only_outcomes(Sending)
