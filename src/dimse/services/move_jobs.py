"""The jobs of a C-MOVE that sends over several associations at a time: each is a thread, and has an association of its own."""

from __future__ import annotations

import threading
import time
from collections.abc import Container, Coroutine, Sequence
from queue import SimpleQueue
from typing import Any

from dimse.association.association import BaseAssociation
from dimse.errors import FileError, NoPresentationContext
from dimse.message.command import CStoreRQ, Request, Response
from dimse.message.status import Status
from dimse.services.sources import Outgoing, Source
from dimse.services.sub_operations import SubOperations
from dimse.transport.threaded import connect, run

Told = tuple[Source, Status | None, str]
"""An instance with the status of its C-STORE, or without one and with the reason why it was not sent."""


class JobOperations:
    """The sub-operations of one job. It tells the thread of the request what becomes of them, which counts all of them.

    Args:
        operations: The sub-operations of the request.
        told: Is given each instance that was sent or has failed.
        ended: Is set once the job is to end, because the association of the request has.
    """

    open_transport = staticmethod(connect)

    def __init__(self, operations: SubOperations, told: SimpleQueue[Told], ended: threading.Event) -> None:
        self._operations, self._told, self._ended = operations, told, ended

    @property
    def message(self) -> Request:
        """The C-MOVE-RQ."""
        return self._operations.message

    @property
    def our_ae_title(self) -> str:
        """The AE title that the peer has called."""
        return self._operations.our_ae_title

    @property
    def is_orphaned(self) -> bool:
        """True once the association of the request has ended, and the sub-operations end with it."""
        return self._ended.is_set()

    @property
    def cancelled(self) -> bool:
        """True once nothing more is to be sent."""
        return self._ended.is_set() or self._operations.cancelled

    def explain(self, comment: str) -> None:
        """Set the Error Comment of the final response."""
        self._operations.explain(comment)

    async def go_on(self) -> bool:
        """Return False if nothing more is to be sent."""
        return not self.cancelled

    async def pause(self, seconds: float) -> bool:
        """Wait, and return False if nothing more is to be sent."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0 and not self.cancelled:
            self._ended.wait(min(left, 0.05))
        return not self.cancelled

    async def open(self, source: Source, association: BaseAssociation, accepting: Any) -> Outgoing | None:
        """Return an instance, opened for the contexts that are accepted; None if it cannot be sent."""
        try:
            return source.open_for(accepting, self._operations.transcode)
        except (FileError, NoPresentationContext, OSError, ValueError) as error:
            await self.fail(source, str(error))
            return None

    def store_request(self, source: Source, association: BaseAssociation) -> CStoreRQ:
        """Return the C-STORE-RQ for an instance."""
        return self._operations.store_request(source, association)

    async def wait_response(self, association: BaseAssociation, among: Container[int]) -> Response:
        """Wait for a response to any of the requests with these message IDs.

        Raises:
            DimseError: The association has ended.
        """
        return await association.wait_any_response(among)

    async def answered(self, source: Source, status: Status) -> None:
        """Tell the status of the C-STORE of an instance."""
        self._told.put((source, status, ""))

    async def fail(self, source: Source, why: str) -> None:
        """Tell that an instance has failed."""
        self._told.put((source, None, why))


def run_job(job: Coroutine[Any, Any, None]) -> None:
    """Run a job to its end in this thread."""
    run(job)


def parts_of(sources: Sequence[Source], jobs: int) -> list[list[Source]]:
    """Return instances in as many parts as there are jobs, or fewer; the instances of a series are in one part, in their order."""
    series: dict[object, list[Source]] = {}
    for source in sources:
        series.setdefault(getattr(source.given, "series_instance_uid", ""), []).append(source)
    parts: list[list[Source]] = [[] for _ in range(min(jobs, len(series)))]
    for some in sorted(series.values(), key=len, reverse=True):
        min(parts, key=len).extend(some)
    return parts
