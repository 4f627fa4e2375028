"""Retrieval as SCU (PS3.4 C.4.2 and C.4.3): C-GET, whose instances come on the same association, and C-MOVE.

The SCP's half is `dimse.services.retrieve_scp`. What a C-GET proposes is made by `dimse.services.retrieve_contexts`.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import Any, Protocol, cast

from dimse import uids
from dimse.association.association import LOGGER, MESSAGES, Arrived, BaseAssociation, Dispatcher, Refusal
from dimse.association.sinks import DiscardSink, MemorySink, Sink
from dimse.data_set import identifier
from dimse.data_set.identifier import EXPLICIT_VR_LITTLE_ENDIAN, Identifier, Keys
from dimse.data_set.walk import MalformedDataSet
from dimse.errors import DimseError
from dimse.message.command import (
    MEDIUM,
    UNRECOGNIZED_OPERATION,
    CGetRQ,
    CMoveRQ,
    CStoreRQ,
    Request,
    Response,
)
from dimse.message.status import Status
from dimse.services.handling import send_status
from dimse.services.information_models import LEVEL, UNIQUE_KEYS, InformationModel, Operation, find_model
from dimse.services.storage import StoreBeginHandler, StoreHandler, begin_store, decide_store
from dimse.services.store_request import StoreRequest
from dimse.settings import validate_ae_title
from dimse.support.text import one_line
from dimse.support.values import record, replace, value
from dimse.upper_layer.negotiation import PresentationContext

SOP_CLASS_NOT_SUPPORTED = 0x0122  # PS3.7 C.5.6
SUB_OPERATIONS_COMPLETE_WITH_FAILURES = 0xB000  # PS3.4 Table C.4-3
FAILED_SOP_INSTANCE_UID_LIST = 0x00080058
# UIDs of the Failed SOP Instance UID List that are kept.
MOST_FAILED_UIDS = 100_000


@value
class Progress:
    """The state of a retrieval, at a response of the peer.

    Attributes:
        status: The status of the response; None where the association ended without a final one.
        remaining: The peer's number of sub-operations to come; None where it does not tell, as for the next three.
        completed: The peer's number of instances that were stored.
        failed: The peer's number of instances that were not stored.
        warning: The peer's number of instances that were stored with a warning.
        received: The number of different instances that were stored here; None for a C-MOVE, whose instances come elsewhere.
    """

    status: Status | None
    remaining: int | None = None
    completed: int | None = None
    failed: int | None = None
    warning: int | None = None
    received: int | None = None

    @property
    def total(self) -> int | None:
        """The number of all sub-operations; None where the peer does not tell."""
        counts = (self.remaining, self.completed, self.failed, self.warning)
        return None if all(count is None for count in counts) else sum(count or 0 for count in counts)


@value
class Retrieved(Progress):
    """The end of a retrieval.

    Attributes:
        failed_uids: The SOP instance UIDs that the peer lists as failed, each once.
        refused: The number of instances that came and were not stored here.
        missing: The number of instances that the peer has promised or says it has sent, and that were not stored here.
        error: The reason why there is no final status; None if there is one.
    """

    failed_uids: tuple[str, ...] = ()
    refused: int = 0
    missing: int = 0
    error: DimseError | None = None

    @property
    def is_complete(self) -> bool:
        """True if everything that the keys match was retrieved, by the counts of the peer and by our own.

        A success with a failed sub-operation is not complete. With the status B000H it is, if the peer's counts say that
        instances were stored, all of them, some with a warning.
        """
        if self.status is None or self.failed or self.refused or self.missing or self.remaining:
            return False
        if self.status == SUB_OPERATIONS_COMPLETE_WITH_FAILURES:
            return self.failed == 0 and bool((self.completed or 0) + (self.warning or 0))
        return self.status.is_success


class KeepsInstances(Protocol):
    """The interface of a store, as a `dimse.archive.FileStore` is one."""

    def handlers(self) -> Any:
        """Return the handlers that store instances."""


Store = KeepsInstances | StoreHandler
"""A store that takes instances: a `FileStore`, or a function like `Handlers.store`."""


# --- asking ---


async def get(
    association: BaseAssociation,
    keys: Keys,
    *,
    model: str = "study",
    level: str | None = None,
    store: Store | None = None,
    priority: int = MEDIUM,
    charset: str | None = None,
    timeout: float | None = None,
    total_timeout: float = 0,
) -> AsyncIterator[Progress]:
    """Retrieve instances over this association (C-GET, PS3.4 C.4.3).

    The contexts of `dimse.contexts_for_get`, and the roles that come with them, are to be proposed for it. A caller that leaves the
    loop before its end sends a C-CANCEL; the responses and instances up to the final response are taken, and dropped.

    Args:
        keys: The identifier: a mapping of keywords, a pydicom data set, DICOM JSON or bytes.
        model: The information model, by its name, its SOP class UID or keyword.
        level: The Query/Retrieve Level. Without one it is that of the keys, or of the lowest unique key.
        store: The `FileStore`, or the function like `Handlers.store`, that keeps the instances. By default they go to the handlers
            of the association.
        priority: 0 medium, 1 high, 2 low.
        charset: The Specific Character Set of the keys.
        timeout: Seconds in which no byte comes; None is the DIMSE timeout, and 0 is unlimited.
        total_timeout: Seconds that the whole retrieval may take; 0 is unlimited.

    Yields:
        A `Progress` for each response of the peer. The last item is a `Retrieved`, if the association ends before too.

    Raises:
        ValueError: The keys, the model or the level is not one; nothing was sent.
        NoPresentationContext: The model was not accepted; nothing was sent.
        OperationTimeout: Nothing came within `timeout`, or not all within `total_timeout`; the association was aborted.
        AssociationError: The association ended.
        RemoteProtocolError: The peer sent something that is not a valid response; the association was aborted.
    """
    asking = _prepare(association, "get", keys, model, level, charset)
    request = CGetRQ(
        message_id=association.next_message_id(),
        affected_sop_class_uid=asking.context.abstract_syntax,
        priority=priority,
    )
    receiver = _Receiver(asking.context, *_store_handlers(association, store))
    receiver.others = association.dispatch_to(receiver)
    running = _Running(association, asking, request, receiver, timeout, total_timeout)
    operation = running.progress()
    try:
        async for progress in operation:
            yield progress
    finally:
        try:
            await cast(Any, operation).aclose()
        finally:
            association.dispatch_to(receiver.others)


async def move(
    association: BaseAssociation,
    keys: Keys,
    destination: str,
    *,
    model: str = "study",
    level: str | None = None,
    priority: int = MEDIUM,
    charset: str | None = None,
    timeout: float | None = None,
    total_timeout: float = 0,
) -> AsyncIterator[Progress]:
    """Ask the peer to send instances to an AE that it knows (C-MOVE, PS3.4 C.4.2).

    The peer alone counts what arrives there. A caller that leaves the loop before its end sends a C-CANCEL; the responses up to the
    final one are taken, and dropped.

    Args:
        keys: The identifier: a mapping of keywords, a pydicom data set, DICOM JSON or bytes.
        destination: The AE title that the instances go to, 1 to 16 characters.
        model: The information model, by its name, its SOP class UID or keyword.
        level: The Query/Retrieve Level. Without one it is that of the keys, or of the lowest unique key.
        priority: 0 medium, 1 high, 2 low.
        charset: The Specific Character Set of the keys.
        timeout: Seconds in which no byte comes; None is the DIMSE timeout, and 0 is unlimited.
        total_timeout: Seconds that the whole retrieval may take; 0 is unlimited.

    Yields:
        A `Progress` for each response of the peer. The last item is a `Retrieved`, if the association ends before too.

    Raises:
        ValueError: The keys, the destination, the model or the level is not one; nothing was sent.
        NoPresentationContext: The model was not accepted; nothing was sent.
        OperationTimeout: Nothing came within `timeout`, or not all within `total_timeout`; the association was aborted.
        AssociationError: The association ended.
        RemoteProtocolError: The peer sent something that is not a valid response; the association was aborted.
    """
    asking = _prepare(association, "move", keys, model, level, charset)
    request = CMoveRQ(
        message_id=association.next_message_id(),
        affected_sop_class_uid=asking.context.abstract_syntax,
        priority=priority,
        move_destination=validate_ae_title(destination),
    )
    operation = _Running(association, asking, request, None, timeout, total_timeout).progress()
    try:
        async for progress in operation:
            yield progress
    finally:
        await cast(Any, operation).aclose()


# --- the request ---


@value
class _Asking:
    """What is asked for, checked and encoded.

    Attributes:
        operation: "get" or "move".
        context: The presentation context of the model.
        data_set: The encoded identifier.
    """

    operation: Operation
    context: PresentationContext
    data_set: bytes


def _prepare(
    association: BaseAssociation, operation: Operation, keys: Keys, model: str, level: str | None, charset: str | None
) -> _Asking:
    found = find_model(model, operation)
    context = association.context_for(found.sop_class(operation))
    syntax = uids.transfer_syntax(context.transfer_syntax) or EXPLICIT_VR_LITTLE_ENDIAN
    asked = with_level(Identifier.of(keys), found, level)
    return _Asking(operation, context, identifier.encode(asked, syntax, charset))


def with_level(asked: Identifier, model: InformationModel, level: str | None = None) -> Identifier:
    """Return an identifier with its Query/Retrieve Level, which is that of its lowest unique key if none is given.

    Raises:
        ValueError: The model does not have the level.
    """
    if level is not None and level.upper() not in model.levels:
        levels = ", ".join(model.levels) or "none"
        raise ValueError(f"{level!r} is not a level of the information model {model.name!r}, which has {levels}")
    if not model.levels or (level is None and asked.text(LEVEL)):
        return asked
    if level is None:
        named = [one for one in model.levels if UNIQUE_KEYS[one] in asked]
        level = named[-1] if named else model.default_level
    attributes = dict(asked.attributes)
    attributes[LEVEL] = identifier.attributes_of({LEVEL: level.upper()})[LEVEL]
    return Identifier(attributes)


# --- the operation ---


@record
class _Running:
    """A retrieval under way.

    Attributes:
        association: The association.
        asking: What is asked for.
        request: The request.
        receiver: The dispatcher that takes the instances; None for a C-MOVE.
        timeout: Seconds in which no byte comes.
        total_timeout: Seconds that the whole retrieval may take; 0 is unlimited.
        last: The state at the last response.
        promised: The most sub-operations that a pending response has counted.
    """

    association: BaseAssociation
    asking: _Asking
    request: Request
    receiver: _Receiver | None
    timeout: float | None
    total_timeout: float
    last: Progress = Progress(None)
    promised: int = 0

    async def progress(self) -> AsyncIterator[Progress]:
        """Send the request, and yield the state at each response; the last item is a `Retrieved`."""
        association = self.association
        end = time.monotonic() + self.total_timeout if self.total_timeout else None
        try:
            async with association.operation():
                MESSAGES.info("Sending %s Request: MsgID %d", self.asking.operation.title(), self.request.message_id)
                await association.send_request(self.asking.context, self.request, self.asking.data_set, sink=MemorySink)
                while True:
                    answer = await association.next_response(self.request, timeout=self.timeout, end=end)
                    assert answer is not None
                    response, sink = answer
                    state, begun = self._state(response, Progress), time.monotonic()
                    if state.status is None or not state.status.is_pending:
                        break
                    self._warn_of_data_set(sink)
                    self.promised = max(self.promised, state.total or 0)
                    self.last = state
                    try:
                        yield state
                    except GeneratorExit:
                        await self._drain()
                        return
                    # While the caller looks at it, nothing is received.
                    association.pump.progress.put_off(begun)
                    if end is None and association.is_cancelled(self.request):
                        end = time.monotonic() + (association.timeouts.dimse or float("inf"))
        except DimseError as error:
            yield self._ended(error)
            raise
        yield self._finished(response, sink)

    async def _drain(self) -> None:
        """Cancel the request, and take what comes up to the final response, for the DIMSE timeout at the most."""
        association = self.association
        await association.cancel(self.request)
        end = time.monotonic() + association.timeouts.dimse if association.timeouts.dimse else None
        while association.is_outstanding(self.request.message_id):
            answer = await association.next_response(self.request, end=end)
            if answer is not None and answer[1] is not None:
                answer[1].discard()

    def _state(self, response: Response, kind: Callable[..., Progress]) -> Progress:
        counts = (
            getattr(response, f"number_of_{name}_suboperations", None)
            for name in ("remaining", "completed", "failed", "warning")
        )
        status = Status(response.status, service=self.asking.operation, comment=response.error_comment)
        return kind(status, *counts, self.receiver and self.receiver.received)

    def _warn_of_data_set(self, sink: Sink | None) -> None:
        if sink is not None:
            sink.discard()
            LOGGER.debug("ignored the data set of a pending response, which should have none")

    def _finished(self, response: Response, sink: Sink | None) -> Retrieved:
        """Return the end of a retrieval that had a final response."""
        failed_uids = self._failed_uids(sink) if sink is not None else ()
        end = cast(Retrieved, self._state(response, partial(Retrieved, failed_uids=failed_uids)))
        sent, failed = (end.completed or 0) + (end.warning or 0), end.failed or 0
        if self.receiver is None:
            missing = self.promised - sent - failed if end.total is not None else 0
            return replace(end, missing=max(0, missing))
        missing = max(sent, self.promised - failed) - self.receiver.received - self.receiver.refused
        return replace(end, missing=max(0, missing), refused=self.receiver.refused)

    def _ended(self, error: DimseError) -> Retrieved:
        """Return the end of a retrieval whose association ended before the final response."""
        last, receiver = self.last, self.receiver
        received = receiver.received if receiver else None
        missing = max(0, self.promised - (received if received is not None else last.completed or 0))
        return Retrieved(
            None, last.remaining, last.completed, last.failed, last.warning, received,
            refused=receiver.refused if receiver else 0, missing=missing, error=error,
        )  # fmt: skip

    def _failed_uids(self, sink: Sink) -> tuple[str, ...]:
        """Return the UIDs of the Failed SOP Instance UID List, each once; none if the data set cannot be read."""
        assert isinstance(sink, MemorySink)
        syntax = uids.transfer_syntax(self.asking.context.transfer_syntax) or EXPLICIT_VR_LITTLE_ENDIAN
        try:
            text = Identifier.read(sink.view(), syntax).text(FAILED_SOP_INSTANCE_UID_LIST)
        except MalformedDataSet as error:
            LOGGER.warning("the list of failed SOP instances cannot be read: %s", one_line(str(error)))
            return ()
        listed = (one_line(uid.strip(" \0"), 64) for uid in text.split("\\"))
        return tuple(dict.fromkeys(uid for uid in listed if uid))[:MOST_FAILED_UIDS]


# --- what arrives within a C-GET ---


def _store_handlers(
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
class _Receiver:
    """A dispatcher that stores the instances of a C-GET and counts them, and leaves the rest to the one that was there before.

    Attributes:
        context: The context of the C-GET itself.
        begin_handler: The handler that begins a C-STORE.
        handler: The handler that answers one.
        others: The dispatcher for the rest; None refuses it.
        refused: The number of instances that were not stored.
    """

    context: PresentationContext
    begin_handler: StoreBeginHandler | None
    handler: StoreHandler | None
    others: Dispatcher | None = None
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
        answer = await decide_store(association, arrived, self.handler)
        status = Status(answer.status, service="storage")
        if status.is_success or status.is_warning:
            if self._stored is None:
                self._stored = set()
            assert isinstance(arrived.request, StoreRequest)
            self._stored.add(arrived.request.sop_instance_uid.encode())
        else:
            self.refused += 1
        await send_status(association, arrived, answer)
