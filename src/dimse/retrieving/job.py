"""A job of a bulk retrieval: it retrieves one study after the other, over associations of its own."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Literal

from dimse import services
from dimse.data_set.identifier import Identifier
from dimse.errors import AssociationAborted, DimseError, NotSent, StatusError
from dimse.meanings import is_passing, is_passing_status
from dimse.retrieving import listing
from dimse.retrieving.arrivals import Arrivals, Arriving
from dimse.retrieving.listing import Listed
from dimse.retrieving.result import State, StudyResult, Wanted
from dimse.sending.retry import Retry
from dimse.services.get_receiver import Store
from dimse.services.information_models import InformationModel
from dimse.services.retrieve import Retrieved, Retrieving
from dimse.services.retrieve_contexts import UNCOMPRESSED, contexts_for_get
from dimse.settings import MOST_CONTEXTS, ProposedContext, Role
from dimse.support.values import value
from dimse.transport.threaded import connect

if TYPE_CHECKING:
    from dimse.retrieving.destination import DestinationServer
    from dimse.sending.options import AssociationOptions

Method = Literal["auto", "get", "move"]
Expect = Literal["find", "count"]

# Statuses after which the other method may do better (PS3.4 Tables C.4-2 and C.4-3). The peer cannot count or send the matches, or
# does not support the SOP class; for a C-MOVE it may not know the destination.
NOT_BY_GET = (0xA701, 0xA702, 0x0122)
NOT_BY_MOVE = (*NOT_BY_GET, 0xA801)
# Seconds between two looks whether the retrieval was stopped.
POLL_INTERVAL = 0.1
# SOP classes of one association, where not all have room: each has three contexts at most.
MOST_CLASSES = 40


@value
class Manner:
    """The manner in which the jobs of a bulk retrieval retrieve.

    Attributes:
        model: The information model.
        method: By C-GET, by C-MOVE, or whichever works.
        expect: "find" lists the instances of a study first, and compares. "count" believes the peer's counts.
        retry: The number of further attempts for a study, and the waits between them.
        timeout: Seconds in which no byte comes; None is the DIMSE timeout, 0 is unlimited.
        total_timeout: Seconds that one request may take, with all its responses; 0 is unlimited.
        settle: Seconds for which an instance of a C-MOVE may come after the last one.
        destination: The AE title of the destination of a C-MOVE; empty without one.
        sop_classes: The SOP classes that are wanted; empty for all.
        transfer_syntaxes: The transfer syntaxes that are accepted; empty for all.
    """

    model: InformationModel
    method: Method = "auto"
    expect: Expect = "find"
    retry: Retry = Retry()
    timeout: float | None = None
    total_timeout: float = 0
    settle: float = 10.0
    destination: str = ""
    sop_classes: frozenset[str] = frozenset()
    transfer_syntaxes: tuple[str, ...] = ()


class Job:
    """A job of a bulk retrieval.

    Args:
        peer: Host and port.
        options: Arguments of `dimse.associate`.
        manner: The manner of the retrieval.
        store: Keeps what a C-GET brings.
        arrivals: Tells what has come.
        server: The destination of a C-MOVE; None without one.
        stopped: Returns True once the retrieval is to end.

    Attributes:
        association: The current association, if there is one.
        associated: True once an association was established.
    """

    def __init__(
        self,
        peer: tuple[str, int],
        options: AssociationOptions,
        manner: Manner,
        store: Store,
        arrivals: Arrivals,
        server: DestinationServer | None,
        stopped: Callable[[], bool],
    ) -> None:
        self.association: services.Association | None = None
        self.associated = False
        self._peer, self._options, self._manner = peer, options, manner
        self._store, self._arrivals, self._server, self._stopped = store, arrivals, server, stopped
        # The method that has worked, once one has.
        self._method = manner.method
        # The SOP classes for which the current association has a context for each transfer syntax, as far as there is room.
        self._in_each_syntax: frozenset[str] = frozenset()

    def abort(self) -> bool:
        """Abort the association under way; return False without one. Any thread and a signal handler may call it."""
        association = self.association
        if association is None or not association.open:
            return False
        association.abort()
        return True

    async def retrieve(self, wanted: Wanted, held: set[str]) -> StudyResult:
        """Retrieve a study, of which some instances may be here already; nothing is raised for what the peer does."""
        started = time.monotonic()
        with self._arrivals.of(wanted.study, held) as arriving:
            attempt = _Attempt(self, wanted, arriving, self._manner)
            await attempt.repeat()
            return attempt.result(time.monotonic() - started)

    async def release(self) -> None:
        """Release the association, if there is one; a failure of that loses nothing."""
        association, self.association = self.association, None
        if association is not None:
            try:
                await association.release()
            except DimseError:
                association.abort()

    # --- for an attempt ---

    async def association_for(
        self, sop_classes: Iterable[str] = (), *, in_each_syntax: bool = False
    ) -> services.Association:
        """Return an association on which instances of these classes can come, the current one if it can be used.

        Args:
            sop_classes: The classes; empty if they are not known.
            in_each_syntax: Want a context for each transfer syntax of each class, as far as there is room.

        Raises:
            DimseError: It was not established.
        """
        wanted = set(sop_classes) if self._method != "move" else set()
        association = self.association
        if association is not None and association.open:
            accepted = {context.abstract_syntax for context in association.contexts if context.accepted}
            if wanted <= accepted and (not in_each_syntax or self.offers_each_syntax_of(wanted)):
                return association
            await self.release()
        contexts, roles = self._contexts(wanted)
        self._in_each_syntax = frozenset(wanted)
        options: AssociationOptions = {**self._options, "roles": roles}
        self.association = association = await services.associate(connect, *self._peer, contexts=contexts, **options)
        self.associated = True
        # The retrieval may have been stopped during the request.
        if self._stopped():
            association.abort()
        if self._server is not None:
            self._server.asked.allow([association.peer.address[0]])
        return association

    def offers_each_syntax_of(self, sop_classes: Iterable[str]) -> bool:
        """Return True if the current association has a context for each transfer syntax of SOP classes that there is room for."""
        return self._in_each_syntax.issuperset(sop_classes)

    def parts(self, missing: Mapping[str, str]) -> list[list[str]]:
        """Return instances in parts, each of SOP classes whose presentation contexts one association has room for.

        Args:
            missing: The SOP class of each instance, by SOP Instance UID; empty if the instances are not known.
        """
        classes = sorted(set(missing.values()))
        if self._method == "move" or self._fit(classes):
            return [list(missing)]
        groups = [set(classes[start : start + MOST_CLASSES]) for start in range(0, len(classes), MOST_CLASSES)]
        return [[uid for uid, sop_class in missing.items() if sop_class in group] for group in groups]

    def _fit(self, classes: Sequence[str]) -> bool:
        """Return True if the contexts of SOP classes fit on one association, beside those of C-FIND, C-MOVE and C-GET."""
        syntaxes = self._manner.transfer_syntaxes
        try:
            contexts, _ = contexts_for_get(self._manner.model.name, filter(None, classes), transfer_syntaxes=syntaxes)
        except ValueError:
            return False
        return len(contexts) + 2 <= MOST_CONTEXTS

    def _contexts(self, sop_classes: Iterable[str]) -> tuple[list[ProposedContext], tuple[Role, ...]]:
        model, method = self._manner.model, self._method
        contexts = [ProposedContext(uid, UNCOMPRESSED) for uid in (model.find, model.move) if uid]
        if method == "move" or not model.get:
            return contexts, ()
        wanted, syntaxes = self._manner.sop_classes, self._manner.transfer_syntaxes
        try:
            storage, roles = contexts_for_get(
                model.name, sorted(set(sop_classes) or wanted), transfer_syntaxes=syntaxes
            )
        except ValueError:
            storage, roles = contexts_for_get(model.name, transfer_syntaxes=syntaxes)
        storage = storage[: MOST_CONTEXTS - len(contexts)]
        proposed = {context.abstract_syntax for context in storage}
        return [*contexts, *storage], tuple(role for role in roles if role.sop_class_uid in proposed)

    def method_on(self, association: services.Association) -> Literal["get", "move"]:
        """Return the method to retrieve with.

        Raises:
            NotSent: The peer accepts none.
        """
        model = self._manner.model
        accepted = {context.abstract_syntax for context in association.contexts if context.accepted}
        if self._method != "move" and model.get in accepted and len(accepted - {model.find, model.get, model.move}):
            return "get"
        if self._method != "get" and model.move in accepted and self._server is not None:
            return "move"
        raise NotSent(
            f"the peer accepts no {'C-MOVE' if self._method == 'move' else 'C-GET'} of the model {model.name}"
        )

    def failed_with(self, status: int, method: str) -> bool:
        """Return True if the other method is tried, and used from here on, after a status with which nothing came."""
        is_of = status in (NOT_BY_MOVE if method == "move" else NOT_BY_GET) or 0xC000 <= status <= 0xC0FF
        if not is_of or self._manner.method != "auto" or self._server is None or self._method != "auto":
            return False
        self._method = "get" if method == "move" else "move"
        return True

    def asking(self, retrieving: Retrieving, keys: dict[str, str | list[str]]) -> AbstractContextManager[None]:
        """Have the destination take what a retrieval asks for, until the block ends; a C-GET has no destination."""
        if self._server is None:
            return nullcontext()
        return self._server.asked.asking(retrieving.request.message_id, Identifier.of(keys).text)

    def begin(self, method: str, association: services.Association, keys: dict[str, str | list[str]]) -> Retrieving:
        """Return a retrieval that is about to begin."""
        manner = self._manner
        model, timeout, total = manner.model.name, manner.timeout, manner.total_timeout
        if method == "get":
            return association.get(keys, model=model, store=self._store, timeout=timeout, total_timeout=total)
        return association.move(keys, manner.destination, model=model, timeout=timeout, total_timeout=total)

    def settle(self, arriving: Arriving, is_done: Callable[[], bool]) -> None:
        """Wait for instances of a C-MOVE that may still come."""
        self._arrivals.wait(arriving, lambda: is_done() or self._stopped(), self._manner.settle)

    def pause(self, failures: int) -> None:
        """Wait before the next attempt."""
        end = time.monotonic() + self._manner.retry.pause(failures, os.urandom(1)[0] / 255)
        while not self._stopped() and (left := end - time.monotonic()) > 0:
            time.sleep(min(left, POLL_INTERVAL))

    @property
    def strays(self) -> int:
        """The number of instances that came and are of no study that is being retrieved."""
        return self._arrivals.strays

    @property
    def stopped(self) -> bool:
        """True once the retrieval is to end."""
        return self._stopped()


class _Attempt:
    """The attempts to have one study here."""

    def __init__(self, job: Job, wanted: Wanted, arriving: Arriving, manner: Manner) -> None:
        self._job, self._wanted, self._arriving, self._manner = job, wanted, arriving, manner
        # A peer may have deleted what came in an earlier run.
        self._held = frozenset(arriving.uids)
        # What the peer lists, and the part of it that is wanted.
        self._listed: dict[str, Listed] | None = None
        self._expected: dict[str, Listed] | None = None
        self._error: DimseError | None = None
        self._attempts = 0
        self._method = ""
        self._is_complete = self._was_listed_again = False
        # True once the peer has told that it could not send an instance.
        self._had_failures = False

    async def repeat(self) -> None:
        """Retrieve, and again what is missing, until all is here or the retries are used up."""
        failures = 0
        while not self._job.stopped:
            self._error = None
            try:
                await self._once()
            except DimseError as error:
                self._error = error
            if self._is_complete or not self._is_passing() or failures >= self._manner.retry.times:
                return
            failures += 1
            if isinstance(self._error, DimseError) and not isinstance(self._error, StatusError):
                await self._job.release()
            self._job.pause(failures)

    def result(self, seconds: float) -> StudyResult:
        """Return what became of the study."""
        missing, error = tuple(sorted(self._missing())), self._error
        stored = self._count_stored()
        if self._is_complete:
            error = None
        elif error is None:
            error = NotSent("the retrieval was stopped" if self._job.stopped else self._reason())
        state: State = "complete" if self._is_complete else "partial" if stored else "failed"
        expected = None if self._expected is None else len(self._expected)
        return StudyResult(
            self._wanted.study,
            state,
            self._method,
            expected,
            stored,
            missing,
            self._attempts,
            self._arriving.size,
            seconds,
            error,
            self._wanted.series,
        )

    def _count_stored(self) -> int:
        """Return the number of instances that are here; of those of other runs only the ones of the series, if one is wanted."""
        here = self._arriving.uids
        if self._wanted.series:
            here = {uid for uid in here if uid not in self._held or uid in (self._expected or ())}
        return len(here)

    def _reason(self) -> str:
        if self._expected is not None and not self._expected:
            return f"the peer lists no instance of it{' that is wanted' if self._listed else ''}"
        if missing := len(self._missing()):
            return f"{missing} of its instances did not come"
        if self._unlisted():
            return f"the peer lists {len(self._expected or ())} of its instances, and has sent {self._count_stored()}"
        return "it is not known that all its instances came"

    def _missing(self) -> set[str]:
        return set(self._expected or ()) - self._arriving.uids

    def _is_passing(self) -> bool:
        """Return True if another attempt may do better."""
        error = self._error
        if isinstance(error, StatusError):
            return is_passing_status(error.status)
        return is_passing(error) if error is not None else bool(self._missing())

    async def _once(self) -> None:
        """List what is to come if that is not known, and ask for what is missing."""
        if self._manner.expect == "find" and self._expected is None:
            await self._list()
        expected = self._expected
        if expected is not None:
            if not expected:
                return
            if not self._missing():
                self._is_complete = not self._unlisted()
                return
        complete = await self._ask()
        if complete is not None and self._is_for_other_syntaxes():
            self._error = None
            complete = await self._ask()
        if complete is not None:
            await self._compare(complete)

    def _is_for_other_syntaxes(self) -> bool:
        """Return True if the peer has failed to send instances that it may send in another transfer syntax.

        An association for classes that are not known has few contexts for each. So a peer has accepted few of their syntaxes.
        """
        was_refused = self._error is None or isinstance(self._error, StatusError)
        classes = set(filter(None, self._classes_of_missing().values()))
        is_new = bool(classes) and not self._job.offers_each_syntax_of(classes)
        return self._method == "get" and is_new and was_refused and self._had_failures and not self._job.stopped

    def _classes_of_missing(self) -> dict[str, str]:
        """Return the SOP class of each instance that is known to be missing, by SOP Instance UID."""
        expected = self._expected
        return {uid: expected[uid].sop_class_uid for uid in self._missing()} if expected else {}

    async def _ask(self) -> bool | None:
        """Ask for all that is missing, and return as `_ask_for` does."""
        missing = self._classes_of_missing()
        complete = True
        for part in self._job.parts(missing):
            if not complete and self._error is not None:
                break
            result = await self._ask_for(part, filter(None, {missing[uid] for uid in part}))
            if result is None:
                return None
            complete = complete and result
        return complete

    async def _ask_for(self, part: Collection[str], classes: Iterable[str]) -> bool | None:
        """Ask for missing instances over one association.

        Args:
            part: Their SOP Instance UIDs; empty for the whole study, whose instances are not known.
            classes: Their SOP classes, as far as they are known.

        Returns:
            True if nothing is missing as far as the counts tell; None if the other method was tried, and has compared.
        """
        job, arriving = self._job, self._arriving
        association = await job.association_for(classes, in_each_syntax=self._had_failures)
        self._method = method = job.method_on(association)
        self._attempts += 1
        before, strays, complete = len(arriving.uids), job.strays, True
        for keys in listing.identifiers(self._wanted.study, self._listed, part, self._wanted.series):
            arriving.came.clear()
            end = await self._retrieve(method, association, keys)
            promised = (end.completed or 0) + (end.warning or 0)
            self._had_failures = self._had_failures or bool(end.failed or end.failed_uids)
            complete = complete and end.is_complete and not end.failed_uids and len(arriving.came) >= promised
            status = end.status
            if end.error is not None:
                self._error = end.error
            elif status is not None and status.is_failure:
                self._error = StatusError(status, f"{status}: {status.meaning}")
            if status is not None and len(arriving.uids) == before and job.failed_with(status, method):
                await self._once()
                return None
            if end.status is None:
                break
        return complete and job.strays == strays

    async def _compare(self, complete: bool) -> None:
        """Note whether all is here. More instances than were listed mean that the study was still growing: it is listed again."""
        if self._expected is None:
            self._is_complete = complete and bool(self._count_stored())
            return
        if self._unlisted() and not self._was_listed_again:
            self._was_listed_again = True
            await self._list()
        self._is_complete = not self._missing() and not self._unlisted()

    def _unlisted(self) -> bool:
        """Return True if instances of the study have come that the peer does not list."""
        return self._listed is not None and not (self._arriving.uids - self._held) <= self._listed.keys()

    async def _list(self) -> None:
        association = await self._job.association_for()
        model, total_timeout = self._manner.model.name, self._manner.total_timeout
        expected = await listing.instances_of(
            association,
            self._wanted.study,
            model,
            total_timeout,
            lambda: self._job.stopped,
            series=self._wanted.series,
        )
        classes = self._manner.sop_classes
        self._listed = expected
        self._expected = {
            uid: each
            for uid, each in expected.items()
            if not classes or not each.sop_class_uid or each.sop_class_uid in classes
        }
        self._arriving.expected = expected.__contains__

    async def _retrieve(
        self, method: str, association: services.Association, keys: dict[str, str | list[str]]
    ) -> Retrieved:
        """Retrieve what an identifier matches, and return the end of that."""
        retrieving = self._job.begin(method, association, keys)
        with self._job.asking(retrieving, keys):
            return await self._to_its_end(method, retrieving)

    async def _to_its_end(self, method: str, retrieving: Retrieving) -> Retrieved:
        """Take a retrieval to its end, with the instances of a C-MOVE that come after it, and return that end."""
        end: Retrieved | None = None
        try:
            async for progress in retrieving:
                if isinstance(progress, Retrieved):
                    end = progress
        except DimseError as error:
            self._error = error
        if end is None:
            return Retrieved(None, error=self._error or AssociationAborted())
        if method == "move":
            promised = (end.completed or 0) + (end.warning or 0)
            is_counted = end.completed is not None
            expected, came = self._expected, self._arriving.came
            self._job.settle(
                self._arriving,
                lambda: not self._missing() if expected is not None else is_counted and len(came) >= promised,
            )
        return end
