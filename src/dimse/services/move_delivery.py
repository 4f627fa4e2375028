"""The delivery of the instances of a C-MOVE to its destination, over associations of its own (PS3.4 C.4.2)."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from contextvars import copy_context
from queue import SimpleQueue

from dimse.association import establishing
from dimse.association.association import LOGGER, BaseAssociation
from dimse.errors import DimseError, FileError, NoPresentationContext, RefusedContexts, TLSConfigurationError
from dimse.message.command import CMoveRQ
from dimse.services.move_jobs import JobOperations, Told, parts_of, run_job
from dimse.services.retrieve_request import MoveTo
from dimse.services.sources import FALL_BACK, Source
from dimse.services.storage import send, status_of
from dimse.services.store_many import MOST_OUTSTANDING
from dimse.services.sub_operations import SubOperations
from dimse.settings import MOST_CONTEXTS, ProposedContext, Requestor
from dimse.support.text import one_line

Contexts = tuple[ProposedContext, ...]

BEFORE_RETRY = 1.0
"""Seconds before the second attempt to associate with a destination."""
WAIT_FOR_PLACE = 0.25
"""Seconds between two looks at whether a destination has a place for another request."""
BETWEEN_LOOKS = 0.01
"""Seconds between two looks at what the jobs have sent."""
MOST_LOST_WITH_ONE = 2
"""Associations that may end with one instance under way; then it has failed."""
MOST_LOST_IN_A_ROW = 3
"""Associations that may end without an instance stored in between; then all the rest has failed."""


async def deliver(operations: SubOperations, move: MoveTo, sources: Sequence[Source]) -> None:
    """Send the instances of a C-MOVE to its destination; each that is not sent counts as failed.

    Raises:
        DimseError: The association of the request has ended.
    """
    while not move.gate.enter():
        if not await operations.pause(WAIT_FOR_PLACE):
            return
    deliveries: list[_Delivery] = []
    try:
        parts = parts_of(sources, move.jobs)
        if len(parts) > 1:
            await _deliver_in_jobs(operations, move, parts, deliveries)
        else:
            deliveries.append(_Delivery(operations, move))
            # It reads the files that it knows nothing of.
            await deliveries[0].send_all(await operations.association.call(_groups, sources))
    finally:
        move.gate.leave(any(delivery.was_away for delivery in deliveries))


async def _deliver_in_jobs(
    operations: SubOperations, move: MoveTo, parts: list[list[Source]], deliveries: list[_Delivery]
) -> None:
    """Send each part over an association of its own at the same time, in a thread.

    Raises:
        DimseError: The association of the request has ended.
    """
    told: SimpleQueue[Told] = SimpleQueue()
    ended = threading.Event()
    threads = []
    for part in parts:
        deliveries.append(delivery := _Delivery(JobOperations(operations, told, ended), move))
        # The lines of the log are of the association of the request.
        arguments = copy_context().run, _run_job, delivery, part
        threads.append(threading.Thread(target=arguments[0], args=arguments[1:], name="dimse-move", daemon=True))
    left = {id(source): source for part in parts for source in part}
    try:
        for thread in threads:
            thread.start()
        is_running = True
        while is_running:
            is_running = any(thread.is_alive() for thread in threads)
            while not told.empty():
                source, status, why = told.get()
                del left[id(source)]
                await (operations.fail(source, why) if status is None else operations.answered(source, status))
            if is_running:
                await operations.wait(BETWEEN_LOOKS)
    finally:
        ended.set()
    if not operations.cancelled:
        for source in left.values():
            await operations.fail(source, "its job has failed")


def _run_job(delivery: _Delivery, part: list[Source]) -> None:
    """Send a part in this thread."""
    # It ends with the association of the request, and what it has not sent is counted there.
    with suppress(DimseError):
        run_job(delivery.send_all(_groups(part)))


class _Delivery:
    """The delivery of the instances of one C-MOVE.

    Attributes:
        was_away: True if no association with the destination could be made.
    """

    def __init__(self, operations: SubOperations | JobOperations, move: MoveTo) -> None:
        self._operations, self._move = operations, move
        self._lost_in_a_row = 0
        # How many associations have ended while an instance was under way, by its name.
        self._lost: dict[str, int] = {}
        # The reason why nothing more is sent; empty while the destination takes instances.
        self._given_up = ""
        self.was_away = False

    async def send_all(self, groups: Sequence[tuple[Contexts, list[Source]]]) -> None:
        """Send instances in groups, each over associations of its own, until the request is cancelled."""
        for contexts, group in groups:
            await self.send(contexts, deque(group))
            if self._operations.cancelled:
                return

    async def send(self, contexts: Contexts, left: deque[Source]) -> None:
        """Send instances that one association has room for; if it ends, the rest goes over another one."""
        while left and await self._operations.go_on():
            association = None if self._given_up else await self._associate(contexts)
            if association is None:
                await self._fail_all(left, self._given_up or "no association with its destination")
                return
            under_way: dict[int, Source] = {}
            error = await self._store_all(association, left, under_way)
            if error is not None:
                await self._note_lost(error, left, list(under_way.values()))

    async def _note_lost(self, error: DimseError, left: deque[Source], lost: list[Source]) -> None:
        """Note that an association has ended with instances under way: they may have been stored, and are sent once more."""
        self._lost_in_a_row += 1
        if self._lost_in_a_row >= MOST_LOST_IN_A_ROW:
            self._give_up(str(error))
        for source in reversed(lost):
            count = self._lost[source.name] = self._lost.get(source.name, 0) + 1
            if count >= MOST_LOST_WITH_ONE and not self._given_up:
                await self._operations.fail(source, str(error))
            else:
                left.appendleft(source)

    async def _store_all(
        self, association: BaseAssociation, left: deque[Source], under_way: dict[int, Source]
    ) -> DimseError | None:
        """Send the instances over an association, and release it.

        Args:
            association: The association.
            left: The instances; each that is sent is taken from it.
            under_way: Is given the instances that are sent and not yet answered, by message ID.

        Returns:
            The error that has ended the association; None without one.

        Raises:
            DimseError: The association of the request has ended.
        """
        try:
            async with association.operation():
                while under_way or (left and await self._operations.go_on()):
                    if await self._has_room(association, left, under_way):
                        await self._store_next(association, left, under_way)
                    else:
                        await self._take_answer(association, under_way)
            with suppress(DimseError):
                await association.release()
            return None
        except DimseError as error:
            if self._operations.is_orphaned:
                raise
            return error
        finally:
            association.abort()

    async def _has_room(self, association: BaseAssociation, left: deque[Source], under_way: dict[int, Source]) -> bool:
        """Return True if the next instance may be sent before another one is answered.

        One that was under way when an association ended goes alone, so that it is known which one an association dies of.
        """
        if not under_way:
            return True
        most = min(association.negotiated.invoked or MOST_OUTSTANDING, MOST_OUTSTANDING)
        if len(under_way) >= most or not left or not self._lost.keys().isdisjoint(self._names(left[0], under_way)):
            return False
        return await self._operations.go_on()

    @staticmethod
    def _names(following: Source, under_way: dict[int, Source]) -> Iterator[str]:
        yield following.name
        yield from (source.name for source in under_way.values())

    async def _store_next(
        self, association: BaseAssociation, left: deque[Source], under_way: dict[int, Source]
    ) -> None:
        """Send the next instance; one that cannot be sent counts as failed."""
        operations, source = self._operations, left.popleft()
        outgoing = await operations.open(source, association, association)
        if outgoing is not None:
            request = operations.store_request(source, association)
            under_way[request.message_id] = source
            await send(association, outgoing, request)

    async def _take_answer(self, association: BaseAssociation, under_way: dict[int, Source]) -> None:
        """Wait for the response to one of the requests under way, and count its instance."""
        operations = self._operations
        response = await operations.wait_response(association, under_way)
        source = under_way.pop(response.message_id_being_responded_to)
        self._lost_in_a_row = 0
        await operations.answered(source, status_of(response))

    async def _associate(self, contexts: Contexts) -> BaseAssociation | None:
        """Return an association with the destination, after a second attempt at the most; None if that fails too."""
        for is_last in (False, True):
            try:
                return await self._request(contexts)
            except (NoPresentationContext, RefusedContexts) as error:
                self._log(error)
                return None
            except (TLSConfigurationError, ValueError) as error:
                self._log(error)
                self._give_up(str(error))
                return None
            except DimseError as error:
                self._log(error)
                if is_last or not await self._operations.pause(BEFORE_RETRY):
                    self.was_away = True
                    self._give_up(str(error))
        return None

    async def _request(self, contexts: Contexts) -> BaseAssociation:
        move, operations = self._move, self._operations
        message = operations.message
        assert isinstance(message, CMoveRQ)
        if not contexts:
            raise NoPresentationContext("no instance of them can be read")
        requestor = Requestor(
            contexts,
            calling_ae_title=move.calling_ae_title or operations.our_ae_title,
            called_ae_title=move.called_ae_title or message.move_destination,
            async_ops=move.async_ops,
        )
        return await establishing.request(
            BaseAssociation, operations.open_transport, move.address, requestor, move.timeouts, None, move.tls
        )

    @staticmethod
    def _log(error: Exception) -> None:
        LOGGER.error("Move SCP: Unable to associate with destination AE: %s", one_line(str(error)))

    def _give_up(self, why: str) -> None:
        """Note that nothing more is sent, and why."""
        title = self._move.called_ae_title or getattr(self._operations.message, "move_destination", "")
        self._given_up = why
        self._operations.explain(one_line(f"destination {title}: {why}"))

    async def _fail_all(self, left: deque[Source], why: str) -> None:
        while left:
            await self._operations.fail(left.popleft(), why)


def _groups(sources: Sequence[Source]) -> list[tuple[Contexts, list[Source]]]:
    """Return the sources in groups, each with the contexts that it needs, which one association has room for."""
    groups: list[tuple[dict[ProposedContext, None], list[Source]]] = []
    for source in sources:
        needed = _contexts_of(source)
        if not groups or len(groups[-1][0] | needed) > MOST_CONTEXTS:
            groups.append(({}, []))
        groups[-1][0].update(needed)
        groups[-1][1].append(source)
    return [(tuple(contexts), group) for contexts, group in groups]


def _contexts_of(source: Source) -> dict[ProposedContext, None]:
    """Return the contexts that an instance can be sent on; none where it cannot be read, which is found when it is opened."""
    if not source.sop_class_uid:
        with suppress(FileError):
            source.check()
    if not source.sop_class_uid:
        return {}
    own = (source.transfer_syntax_uid,) if source.transfer_syntax_uid else ()
    fall_back = ProposedContext(source.sop_class_uid, FALL_BACK)
    return {ProposedContext(source.sop_class_uid, own): None, fall_back: None} if own else {fall_back: None}
