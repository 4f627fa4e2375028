"""The C-STORE sub-operations of a C-GET, which are served on the association that asks (PS3.4 C.4.3)."""

from __future__ import annotations

from collections import deque
from typing import Any, Protocol, cast

from dimse.association.association import LOGGER, Arrived, BaseAssociation, Dispatcher, Refusal
from dimse.association.sinks import DiscardSink, Sink
from dimse.message.command import CStoreRQ, Request
from dimse.message.status import SOP_CLASS_NOT_SUPPORTED, UNRECOGNIZED_OPERATION, Status
from dimse.services.handling import send_status
from dimse.services.storage import StoreBeginHandler, StoreHandler, begin_store, decide_store
from dimse.services.store_request import StoreRequest
from dimse.support.pace import brief
from dimse.support.values import record
from dimse.upper_layer.negotiation import PresentationContext


class KeepsInstances(Protocol):
    """The interface of a store, as a `dimse.archive.FileStore` is one."""

    def handlers(self) -> Any:
        """Return the handlers that store instances."""


Store = KeepsInstances | StoreHandler
"""A store that takes instances: a `FileStore`, or a function like `Handlers.store`."""


def store_handlers(
    association: BaseAssociation, store: Store | None
) -> tuple[StoreBeginHandler | None, StoreHandler | None]:
    """Return the handlers that begin and that keep an instance."""
    if store is None:
        handlers: Any = association.dispatcher
    elif callable(store) and not hasattr(store, "handlers"):
        return None, store
    else:
        handlers = cast(KeepsInstances, store).handlers()
    return getattr(handlers, "store_begin", None), getattr(handlers, "store", None)


@record
class Receiver:
    """A dispatcher that stores the instances of a C-GET and counts them, and leaves the rest to the one that was there before.

    Attributes:
        context: The context of the C-GET itself.
        begin_handler: The handler that begins a C-STORE.
        handler: The handler that answers one.
        others: The dispatcher for the rest; None refuses it.
        held: Holds instances until the user takes them; None where a handler stores them.
        refused: The number of instances that were not stored.
    """

    context: PresentationContext
    begin_handler: StoreBeginHandler | None
    handler: StoreHandler | None
    others: Dispatcher | None = None
    held: deque[StoreRequest] | None = None
    refused: int = 0
    _stored: set[bytes] | None = None
    _has_warned: bool = False

    @property
    def received(self) -> int:
        """The number of different instances that were stored."""
        return len(self._stored or ())

    async def begin(self, association: BaseAssociation, arrived: Arrived) -> Sink:
        if not isinstance(arrived.message, CStoreRQ):
            return DiscardSink() if self.others is None else await self.others.begin(association, arrived)
        if arrived.context.context_id == self.context.context_id:
            arrived.refusal = Refusal(SOP_CLASS_NOT_SUPPORTED, "the presentation context is not one for storage")
            return await begin_store(association, arrived, None)
        if not arrived.context.requestor_is_scp and not self._has_warned:
            self._has_warned = True
            LOGGER.warning("the peer sends instances though it has not accepted that we are SCP: they are taken")
        return await begin_store(association, arrived, self.begin_handler)

    async def answer(self, association: BaseAssociation, arrived: Arrived) -> None:
        if not isinstance(arrived.message, CStoreRQ):
            if self.others is not None:
                await self.others.answer(association, arrived)
            elif isinstance(arrived.message, Request):
                await send_status(association, arrived, Refusal(UNRECOGNIZED_OPERATION))
            return
        answer = await decide_store(association, arrived, self.handler if self.held is None else _take)
        status = Status(answer.status, service="storage")
        if status.is_success or status.is_warning:
            if self._stored is None:
                self._stored = set()
            assert isinstance(arrived.request, StoreRequest)
            self._stored.add(arrived.request.sop_instance_uid.encode())
            if self.held is not None:
                self.held.append(arrived.request)
                # It is discarded once the user has had it.
                arrived.sink = None
        else:
            self.refused += 1
        await send_status(association, arrived, answer)


@brief
def _take(request: StoreRequest) -> int:
    return 0x0000
