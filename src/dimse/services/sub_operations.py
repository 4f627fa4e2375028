"""The C-STORE sub-operations of one C-GET or C-MOVE: each of them, their counts, and the responses that tell them (PS3.4 C.4.2)."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Container
from contextlib import asynccontextmanager, suppress
from typing import Any

from dimse import uids
from dimse.association.association import LOGGER, MESSAGES, Arrived, BaseAssociation
from dimse.data_set import identifier
from dimse.data_set.encoding import EXPLICIT_VR_LITTLE_ENDIAN
from dimse.errors import DimseError, FileError, NoPresentationContext
from dimse.message.command import CMoveRQ, CStoreRQ, Request, Response, respond
from dimse.message.status import UNABLE_TO_PERFORM_SUB_OPERATIONS, Status
from dimse.services.information_models import FAILED_SOP_INSTANCE_UID_LIST
from dimse.services.retrieve_request import RetrieveRequest
from dimse.services.sources import Outgoing, Source, Transcode
from dimse.services.storage import send, status_of
from dimse.support.text import one_line
from dimse.support.values import field, record

# PS3.4 Tables C.4-2 and C.4-3
WITH_FAILURES_OR_WARNINGS = 0xB000
CANCELLED, PENDING = 0xFE00, 0xFF00

# The value of an element in Explicit VR has at most so many bytes, and a count 16 bits.
LONGEST_LIST, LARGEST_COUNT = 0xFFFE, 0xFFFF
# Characters of an Error Comment (PS3.7 Annex C).
LONGEST_COMMENT = 64

LEAST_BETWEEN = 0.05
"""Seconds between two pending responses: a peer need not hear of thousands of instances a second."""
LARGEST_AHEAD = 1024**2
"""Bytes of an instance that is opened while the one before it is stored, so that the peer's work overlaps with ours."""
MOST_BETWEEN = 5.0
"""Seconds after which a pending response goes out though nothing has changed, so that the peer does not give up."""


@record
class SubOperations:
    """The sub-operations of one request, and their counts.

    Attributes:
        association: The association that the request came on.
        arrived: The request.
        remaining: The number of instances that are still to be sent.
        completed: The number of instances that were stored.
        failed: The number of instances that were not.
        warning: The number of instances that were stored with a warning.
        failed_uids: The SOP instance UIDs of those that failed, each once.
        comment: The Error Comment of the final response; empty for none.
        outlives: True to go on although the association of the request has ended.
    """

    association: BaseAssociation
    arrived: Arrived
    remaining: int
    completed: int = 0
    failed: int = 0
    warning: int = 0
    failed_uids: dict[str, None] = field(default_factory=dict)
    comment: str = ""
    outlives: bool = False
    # The time of the last pending response; None before the first.
    _told: float | None = None
    _began: float = field(default_factory=time.monotonic)
    # The next instance of a C-GET, if it has been opened already.
    _ahead: tuple[Source, Outgoing] | None = None

    @property
    def message(self) -> Request:
        """The C-GET-RQ or C-MOVE-RQ."""
        assert isinstance(self.arrived.message, Request)
        return self.arrived.message

    @property
    def name(self) -> str:
        """The name of the operation in the log."""
        return "Move" if isinstance(self.arrived.message, CMoveRQ) else "Get"

    @property
    def our_ae_title(self) -> str:
        """The AE title that the peer has called."""
        return self.association.negotiated.called_ae_title

    @property
    def transcode(self) -> Transcode:
        """The conversion of a data set whose transfer syntax is not accepted."""
        request = self.arrived.request
        return request.transcode if isinstance(request, RetrieveRequest) else "always"

    @property
    def open_transport(self) -> Callable[[str, int, float], Awaitable[Any]]:
        """The function that opens a connection with the destination of a C-MOVE, as that of the request was opened."""
        return self.association.pump.transport.open_another

    def explain(self, comment: str) -> None:
        """Set the Error Comment of the final response."""
        self.comment = comment

    @property
    def cancelled(self) -> bool:
        """True once the peer has cancelled the request."""
        return self.arrived.cancelled

    @property
    def is_orphaned(self) -> bool:
        """True once the association of the request has ended, and the sub-operations end with it."""
        return not self.outlives and not self.association.open

    async def go_on(self) -> bool:
        """Receive what is here, and return False if the peer has cancelled the request."""
        async with self._with_requestor():
            await self.association.poll()
        return not self.cancelled

    @asynccontextmanager
    async def _with_requestor(self) -> AsyncIterator[None]:
        """Do something with the association of the request, whose end is an error only if the sub-operations end with it."""
        try:
            yield
        except DimseError:
            if not self.outlives or self.association.open:
                raise

    async def pause(self, seconds: float) -> bool:
        """Wait, and return False if the peer has cancelled the request; pending responses go out meanwhile.

        Raises:
            DimseError: The association of the request has ended.
        """
        end = time.monotonic() + seconds
        while time.monotonic() < end and not self.cancelled:
            await self._wait_until(end)
        return not self.cancelled

    async def wait(self, seconds: float) -> None:
        """Wait, also after the peer has cancelled the request; pending responses go out meanwhile.

        Raises:
            DimseError: The association of the request has ended.
        """
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            await self._wait_until(end)

    async def _wait_until(self, end: float) -> None:
        """Wait until a time on `time.monotonic()`, or until the peer has sent something or is to be told something."""
        if not self.association.open:
            await self.association.call(time.sleep, max(0.0, end - time.monotonic()))
            return
        async with self._with_requestor():
            await self.association.pump.receive_until(min(end, self.due))
            await self.association.poll()
            await self.keep_alive()

    @property
    def due(self) -> float:
        """The time on `time.monotonic()` at which a pending response is due, though nothing has changed."""
        return (self._began if self._told is None else self._told) + MOST_BETWEEN

    async def keep_alive(self) -> None:
        """Send a pending response if one is due."""
        if time.monotonic() >= self.due:
            await self._send_pending()

    @property
    def _transcode(self) -> Transcode:
        request = self.arrived.request
        return request.transcode if isinstance(request, RetrieveRequest) else "always"

    async def store(
        self, source: Source, association: BaseAssociation, accepting: Any, following: Source | None = None
    ) -> None:
        """Send one instance of a C-GET over the association of the request, and a pending response to the peer.

        Args:
            source: The instance.
            association: The association.
            accepting: The contexts to choose from.
            following: The next instance, which is opened while the peer stores this one; None for the last one.

        Raises:
            DimseError: An association has ended.
        """
        ahead, self._ahead = self._ahead, None
        if ahead is not None and ahead[0] is source:
            outgoing: Outgoing | None = ahead[1]
        else:
            outgoing = await self.open(source, association, accepting)
        if outgoing is None:
            return
        store_request = self.store_request(source, association)
        # A C-GET needs no sign of life: its peer is at work itself.
        async with association.operation(nested=True):
            await send(association, outgoing, store_request)
            if following is not None and not association.calls_in_threads:
                self._open_ahead(following, accepting)
            status = status_of(await association.wait_response(store_request))
        await self.answered(source, status)

    async def open(self, source: Source, association: BaseAssociation, accepting: Any) -> Outgoing | None:
        """Return an instance, opened for the contexts that are accepted; None if it cannot be sent, which is counted."""
        try:
            if association.calls_in_threads:
                return await association.begin_call(source.open_for, accepting, self.transcode)
            return source.open_for(accepting, self.transcode)
        except (FileError, NoPresentationContext, OSError, ValueError) as error:
            await self.fail(source, str(error))
            return None

    def _open_ahead(self, source: Source, accepting: Any) -> None:
        """Open an instance before its turn, unless it is large or may change; a failure is told when its turn comes."""
        if source.is_lasting and 0 < source.size <= LARGEST_AHEAD:
            with suppress(FileError, NoPresentationContext, OSError, ValueError):
                self._ahead = source, source.open_for(accepting, self._transcode)

    async def wait_response(self, association: BaseAssociation, among: Container[int]) -> Response:
        """Wait for a response to any of the requests with these message IDs; pending responses go out meanwhile.

        Raises:
            DimseError: An association has ended.
        """
        return await association.wait_any_response(among, meanwhile=self.keep_alive, every=MOST_BETWEEN)

    async def answered(self, source: Source, status: Status) -> None:
        """Count an instance by the status of its C-STORE, and send a pending response to the peer."""
        MESSAGES.info("%s SCP: Received Store SCP response 0x%04X (%s)", self.name, int(status), status.category)
        if status.is_success or status.is_warning:
            self.remaining -= 1
            self.completed += status.is_success
            self.warning += status.is_warning
            self._settle(source, stored=True)
            await self._tell()
        else:
            await self.fail(source, f"{status}: {status.meaning} {status.comment}")

    def store_request(self, source: Source, association: BaseAssociation) -> CStoreRQ:
        message, is_move = self.message, isinstance(self.arrived.message, CMoveRQ)
        return CStoreRQ(
            message_id=association.next_message_id(),
            affected_sop_class_uid=source.sop_class_uid,
            affected_sop_instance_uid=source.sop_instance_uid,
            priority=getattr(message, "priority", 0),
            move_originator_application_entity_title=self.association.peer.ae_title if is_move else None,
            move_originator_message_id=message.message_id if is_move else None,
        )

    async def fail(self, source: Source, why: str) -> None:
        """Count an instance as failed, and send a pending response to the peer."""
        LOGGER.error("%s SCP: %s was not sent: %s", self.name, one_line(source.name), one_line(why.strip()))
        self.remaining -= 1
        self.failed += 1
        self._settle(source, stored=False)
        if source.sop_instance_uid:
            self.failed_uids[source.sop_instance_uid] = None
        await self._tell()

    def _settle(self, source: Source, *, stored: bool) -> None:
        """Count an instance, and tell the program that gave it what became of it."""
        request = self.arrived.request
        if isinstance(request, RetrieveRequest):
            request.sent += stored
            request.not_sent += not stored
            if request.settled is not None:
                request.settled(source.given, stored)

    def end(self) -> None:
        """Tell the program that no further instance is sent."""
        request = self.arrived.request
        if isinstance(request, RetrieveRequest) and request.ended is not None:
            request.ended()

    async def _tell(self) -> None:
        """Send a pending response after a sub-operation: always the first, and later ones not too often."""
        told = self._told
        if told is None or (self.remaining and time.monotonic() - told >= LEAST_BETWEEN):
            await self._send_pending()

    async def _send_pending(self) -> None:
        self._told = time.monotonic()
        counts = self._counts(number_of_remaining_suboperations=self.remaining)
        async with self._with_requestor():
            await self.association.send_response(self.arrived.context, respond(self.message, PENDING, **counts))

    def _counts(self, **more: int) -> dict[str, Any]:
        """Return the counts for a response; one that does not fit is the largest that does."""
        counts = {
            "number_of_completed_suboperations": self.completed,
            "number_of_failed_suboperations": self.failed,
            "number_of_warning_suboperations": self.warning,
        } | more
        return {name: min(count, LARGEST_COUNT) for name, count in counts.items()}

    async def finish(self) -> None:
        """Send the final response, with the list of what failed."""
        status, counts = 0x0000, self._counts()
        if self.arrived.cancelled and self.remaining:
            status, counts = CANCELLED, self._counts(number_of_remaining_suboperations=self.remaining)
        elif self.failed and not (self.completed or self.warning):
            status = UNABLE_TO_PERFORM_SUB_OPERATIONS
        elif self.failed or self.warning:
            status = WITH_FAILURES_OR_WARNINGS
        listed = self._listed()
        context, data_set = self.arrived.context, None
        if listed:
            syntax = uids.transfer_syntax(context.transfer_syntax) or EXPLICIT_VR_LITTLE_ENDIAN
            data_set = identifier.encode({FAILED_SOP_INSTANCE_UID_LIST: listed}, syntax)
        comment = self.comment if status else ""
        if status and len(listed) < len(self.failed_uids) and not comment:
            comment = f"{len(self.failed_uids):,} instances failed: the list has the first {len(listed):,}"
        MESSAGES.info("%s SCP Response: 0x%04X (%s)", self.name, status, Status(status, service="get").category)
        final = respond(
            self.message,
            status,
            has_data_set=data_set is not None,
            error_comment=comment[:LONGEST_COMMENT] or None,
            **counts,
        )
        async with self._with_requestor():
            await self.association.send_response(context, final, data_set)

    def _listed(self) -> list[str]:
        """Return the SOP Instance UIDs that failed, as many as an element has room for."""
        listed: list[str] = []
        room = LONGEST_LIST
        for uid in self.failed_uids:
            room -= len(uid) + 1
            if room < 0:
                break
            listed.append(uid)
        return listed
