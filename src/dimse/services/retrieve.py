"""Retrieval as SCU (PS3.4 C.4.2 and C.4.3): C-GET, whose instances come on the same association, and C-MOVE.

The SCP's half is `dimse.services.retrieve_scp`. What a C-GET proposes is made by `dimse.services.retrieve_contexts`.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import TypeVar, cast

from dimse import uids
from dimse.association.association import LOGGER, MESSAGES, BaseAssociation
from dimse.association.outstanding import Answer
from dimse.association.sinks import MemorySink, Sink
from dimse.data_set.encoding import EXPLICIT_VR_LITTLE_ENDIAN
from dimse.data_set.identifier import Identifier, Keys, encode
from dimse.data_set.walk import MalformedDataSet
from dimse.errors import AssociationAborted, DimseError
from dimse.message.command import (
    MEDIUM,
    CGetRQ,
    CMoveRQ,
    Request,
    Response,
)
from dimse.message.status import Status
from dimse.services.features import Features, accepted_features
from dimse.services.get_receiver import Receiver, Store, store_handlers
from dimse.services.information_models import FAILED_SOP_INSTANCE_UID_LIST, Operation, find_model
from dimse.services.query import with_level
from dimse.services.responses import Responses
from dimse.services.store_request import StoreRequest
from dimse.settings import arguments, validate_ae_title
from dimse.support.text import one_line
from dimse.support.values import replace, value
from dimse.upper_layer.negotiation import PresentationContext

T = TypeVar("T")

SUB_OPERATIONS_COMPLETE_WITH_FAILURES = 0xB000  # PS3.4 Table C.4-3
# Of sub-operations, as fields of a response (PS3.7 Table 9.3-7); and their values in a response that has none.
COUNTS = tuple(f"number_of_{name}_suboperations" for name in ("remaining", "completed", "failed", "warning"))
NO_COUNTS = (None,) * len(COUNTS)
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
        return None if counts == NO_COUNTS else sum(filter(None, counts))


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


# --- the operation ---


class _Retrieving(Responses[T]):
    """A C-GET or C-MOVE under way; what it yields is decided by its subclasses.

    Attributes:
        result: The end of the retrieval; None before it has come.
        features: The features of the retrieval that the peer has agreed to.
    """

    def __init__(
        self, asking: _Asking, request: Request, receiver: Receiver | None, timeout: float | None, total_timeout: float
    ) -> None:
        super().__init__(asking.association, asking.context, request, asking.data_set)
        self.result: Retrieved | None = None
        self.features = asking.features
        self._name: Operation = asking.operation
        self._receiver = receiver
        self._timeout, self._total_timeout = timeout, total_timeout
        self._last = Progress(None)
        self._promised = 0
        self._has_started = self._has_warned = False

    def log_request(self) -> None:
        """Log that the request goes out."""
        MESSAGES.info("Sending %s Request: MsgID %d", self._name.title(), self.request.message_id)

    async def _send(self) -> None:
        """Send the request, and have what arrives go to the receiver."""
        self._has_started = True
        if self._total_timeout:
            self._end = time.monotonic() + self._total_timeout
        if self._receiver is not None:
            self._receiver.others = self.association.dispatch_to(self._receiver)
        await super()._send()

    async def _leave(self, error: BaseException | None) -> None:
        """End the operation; an error aborts the association."""
        if self._receiver is not None and self._has_started:
            self.association.dispatch_to(self._receiver.others)
        if self.result is None:
            self.result = self._ended(error if isinstance(error, DimseError) else None)
        await super()._leave(error)

    # --- what the peer says ---

    def _note(self, answer: Answer) -> Progress | None:
        """Take the state of a pending response; None for the final one, which makes the result."""
        response, sink = answer
        state = self._state(response, Progress)
        if state.status is None or not state.status.is_pending:
            self.result = self._finished(response, sink)
            return None
        if sink is not None:
            sink.discard()
            if not self._has_warned:
                self._has_warned = True
                LOGGER.warning("the peer sends data sets with its pending responses: they are ignored")
        self._promised = max(self._promised, state.total or 0)
        self._last = state
        return state

    def _state(self, response: Response, kind: Callable[..., Progress]) -> Progress:
        counts = (getattr(response, name, None) for name in COUNTS)
        status = Status(response.status, service=self._name, comment=response.error_comment)
        return kind(status, *counts, self._received)

    @property
    def _received(self) -> int | None:
        return None if self._receiver is None else self._receiver.received

    def _finished(self, response: Response, sink: Sink | None) -> Retrieved:
        """Return the end of a retrieval that had a final response."""
        failed_uids = self._failed_uids(sink) if sink is not None else ()
        end = cast(Retrieved, self._state(response, partial(Retrieved, failed_uids=failed_uids)))
        sent, failed = (end.completed or 0) + (end.warning or 0), end.failed or 0
        if self._receiver is None:
            missing = self._promised - sent - failed if end.total is not None else 0
            return replace(end, missing=max(0, missing))
        missing = max(sent, self._promised - failed) - self._receiver.received - self._receiver.refused
        return replace(end, missing=max(0, missing), refused=self._receiver.refused)

    def _ended(self, error: DimseError | None) -> Retrieved:
        """Return the end of a retrieval that had no final response."""
        last, receiver, received = self._last, self._receiver, self._received
        missing = self._promised - (received if received is not None else last.completed or 0)
        return Retrieved(
            None, last.remaining, last.completed, last.failed, last.warning, received,
            refused=receiver.refused if receiver else 0, missing=max(0, missing), error=error or AssociationAborted(),
        )  # fmt: skip

    def _failed_uids(self, sink: Sink) -> tuple[str, ...]:
        """Return the UIDs of the Failed SOP Instance UID List, each once; none if the data set cannot be read."""
        assert isinstance(sink, MemorySink)
        syntax = uids.transfer_syntax(self.context.transfer_syntax) or EXPLICIT_VR_LITTLE_ENDIAN
        try:
            text = Identifier.read(bytes(sink.view()), syntax).text(FAILED_SOP_INSTANCE_UID_LIST)
        except MalformedDataSet as error:
            LOGGER.warning("the list of failed SOP instances cannot be read: %s", one_line(str(error)))
            return ()
        listed = (one_line(uid.strip(" \0"), 64) for uid in text.split("\\"))
        return tuple(dict.fromkeys(uid for uid in listed if uid))[:MOST_FAILED_UIDS]


class Retrieving(_Retrieving[Progress]):
    """A C-GET or C-MOVE under way: an asynchronous iterator of its progress.

    The last item is a `Retrieved`, the `result`. If the association has ended before the final response, the error follows it.
    """

    _failure: DimseError | None = None
    _has_told = False

    async def __anext__(self) -> Progress:
        if self._failure is not None:
            failure, self._failure = self._failure, None
            raise failure
        try:
            return await super().__anext__()
        except StopAsyncIteration:
            if self._has_told or self.result is None:
                raise
        except DimseError as error:
            if not self._has_started:
                raise
            self._failure = error
        self._has_told = True
        assert self.result is not None
        return self.result

    async def _next(self) -> Progress | None:
        answer = await self._answer()
        assert answer is not None
        return self._note(answer)


class RetrievingInstances(_Retrieving[StoreRequest]):
    """A C-GET under way: an asynchronous iterator of the instances that it brings.

    An instance may be used until the next one is asked for. The error of an association that has ended early is raised.
    """

    _current: StoreRequest | None = None

    async def _next(self) -> StoreRequest | None:
        assert self._receiver is not None
        self._drop_current()
        held = self._receiver.held
        assert held is not None
        # An instance may have come right before the final response.
        while not held and self.result is None:
            answer = await self._answer(until=lambda: bool(held))
            if answer is not None:
                self._note(answer)
        self._current = held.popleft() if held else None
        return self._current

    async def _leave(self, error: BaseException | None) -> None:
        """End the operation, and drop the instances that were not asked for."""
        self._drop_current()
        assert self._receiver is not None
        while self._receiver.held:
            _discard(self._receiver.held.popleft())
        await super()._leave(error)

    def _drop_current(self) -> None:
        current, self._current = self._current, None
        if current is not None:
            _discard(current)


def _discard(request: StoreRequest) -> None:
    if request.sink is not None:
        request.sink.discard()


# --- asking ---


def get(
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
) -> Retrieving:
    """Retrieve instances over this association (C-GET, PS3.4 C.4.3), and return an iterator of the progress.

    The contexts and roles of `dimse.contexts_for_get` are to be proposed for it. The request goes out when the first item is asked
    for. A loop that is left early sends a C-CANCEL; what comes up to the final response is still stored.

    Args:
        keys: The identifier: a mapping of keywords to values, a pydicom data set, DICOM JSON, or an encoded data set.
        model: The information model: "patient", "study" and so on, or the UID or keyword of its SOP class.
        level: The Query/Retrieve Level. By default that of the keys; if they have none it is that of the lowest unique key, else of
            the lowest key. An empty text leaves it as the keys have it.
        store: The `FileStore`, or the function like `Handlers.store`, that keeps the instances. By default they go to the handlers
            of the association.
        priority: 0 medium, 1 high, 2 low.
        charset: The Specific Character Set of the request.
        timeout: Seconds in which no byte comes; None is the DIMSE timeout, and 0 is unlimited.
        total_timeout: Seconds that the whole retrieval may take; 0 is unlimited.

    Returns:
        An iterator, which yields a `Progress` for each pending response, and then a `Retrieved`.

    Raises:
        ValueError: A key, a value, the model or the level is not one; nothing was sent.
        TypeError: A value is of no type that its VR has; nothing was sent.
        NoPresentationContext: The model was not negotiated; the association stands.

    The iterator raises, after the `Retrieved`:
        OperationTimeout: Nothing came within `timeout`, or not all within `total_timeout`; the association was aborted.
        AssociationError: The association ended.
        RemoteProtocolError: The peer sent something that is not a valid response; the association was aborted.
    """
    asking = _prepare(association, "get", keys, model, level, charset)
    receiver = Receiver(asking.context, *store_handlers(association, store))
    return Retrieving(asking, _get_request(asking, priority), receiver, timeout, total_timeout)


def get_instances(
    association: BaseAssociation,
    keys: Keys,
    *,
    model: str = "study",
    level: str | None = None,
    priority: int = MEDIUM,
    charset: str | None = None,
    timeout: float | None = None,
    total_timeout: float = 0,
) -> RetrievingInstances:
    """Retrieve instances over this association (C-GET, PS3.4 C.4.3), and return an iterator of them as they arrive.

    Each is answered with success, and can be used until the next one is asked for: `instance.dataset()` decodes it. One above 1 MiB
    is kept in a temporary file. The `result` of the iterator tells whether all came.

    Args:
        keys, model, level, priority, charset, timeout, total_timeout: See `get`.

    Raises:
        ValueError, TypeError, NoPresentationContext: See `get`. The errors of an association that ends are raised by the iterator.
    """
    asking = _prepare(association, "get", keys, model, level, charset)
    receiver = Receiver(asking.context, None, None, held=deque())
    return RetrievingInstances(asking, _get_request(asking, priority), receiver, timeout, total_timeout)


def move(
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
) -> Retrieving:
    """Ask the peer to send instances to an AE that it knows (C-MOVE, PS3.4 C.4.2), and return an iterator of the progress.

    The peer alone counts what arrives there. A loop that is left early sends a C-CANCEL.

    Args:
        keys: The identifier; see `get`, as for the other arguments.
        destination: The AE title that the instances go to, 1 to 16 characters.
        model, level, priority, charset, timeout, total_timeout: See `get`.

    Returns:
        An iterator, which yields a `Progress` for each pending response, and then a `Retrieved`.

    Raises:
        ValueError, TypeError, NoPresentationContext: See `get`. The iterator raises what that of `get` does.
    """
    title = validate_ae_title(destination)
    arguments.priority(priority)
    asking = _prepare(association, "move", keys, model, level, charset)
    request = CMoveRQ(
        message_id=association.next_message_id(),
        affected_sop_class_uid=asking.context.abstract_syntax,
        priority=priority,
        move_destination=title,
    )
    return Retrieving(asking, request, None, timeout, total_timeout)


@value
class _Asking:
    """A retrieval that is about to be asked for, checked and encoded.

    Attributes:
        association: The association.
        operation: "get" or "move".
        context: The presentation context of the model.
        data_set: The encoded identifier.
        features: The features that the peer has agreed to.
    """

    association: BaseAssociation
    operation: Operation
    context: PresentationContext
    data_set: bytes
    features: Features


def _prepare(
    association: BaseAssociation, operation: Operation, keys: Keys, model: str, level: str | None, charset: str | None
) -> _Asking:
    found = find_model(model, operation)
    context = association.context_for(found.sop_class(operation))
    syntax = uids.transfer_syntax(context.transfer_syntax) or EXPLICIT_VR_LITTLE_ENDIAN
    data_set = encode(with_level(found, keys, level), syntax, charset)
    return _Asking(
        association, operation, context, data_set, accepted_features(association.negotiated, found, operation)
    )


def _get_request(asking: _Asking, priority: int) -> CGetRQ:
    arguments.priority(priority)
    return CGetRQ(
        message_id=asking.association.next_message_id(),
        affected_sop_class_uid=asking.context.abstract_syntax,
        priority=priority,
    )
