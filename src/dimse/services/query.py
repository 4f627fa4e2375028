"""Query (PS3.4 Annex C and others): C-FIND as SCU and as SCP."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import AsyncIterable, Awaitable, Callable, Iterable
from typing import TYPE_CHECKING, Any, TypeAlias

from dimse.association.association import MESSAGES, Arrived, BaseAssociation, Refusal
from dimse.association.outstanding import Answer
from dimse.association.sinks import MemorySink
from dimse.data_set.attributes import Attribute
from dimse.data_set.encoding import EXPLICIT_VR_LITTLE_ENDIAN
from dimse.data_set.identifier import Identifier, Keys, encode, fitting_charset
from dimse.data_set.source import BeyondLimits, MalformedDataSet, NestedTooDeep
from dimse.errors import AssociationTimeout, InvalidResponse
from dimse.message.command import MEDIUM, CFindRQ, respond
from dimse.message.status import (
    IDENTIFIER_DOES_NOT_MATCH,
    MISTYPED_ARGUMENT,
    OUT_OF_RESOURCES,
    SOP_CLASS_NOT_SUPPORTED,
    UNABLE_TO_PROCESS,
    Status,
)
from dimse.services.features import Features, accepted_features
from dimse.services.handling import as_status, ask
from dimse.services.information_models import LEVEL, InformationModel, find_model, infer_level, model_of
from dimse.services.responses import Responses
from dimse.settings import arguments
from dimse.support.values import field, record, value
from dimse.tags import SPECIFIC_CHARACTER_SET
from dimse.uids import transfer_syntax
from dimse.upper_layer.negotiation import Peer, PresentationContext

if TYPE_CHECKING:
    from pydicom import Dataset

MOST_RESPONSES = 1_000_000
"""Responses to one C-FIND. A peer that sends more does not end."""

# PS3.4 Table C.4-1
SUCCESS, CANCELLED, MATCH, MATCH_WITHOUT_OPTIONAL_KEYS = 0x0000, 0xFE00, 0xFF00, 0xFF01


# --- SCU ---


@value
class Match:
    """A match that a peer has found.

    Attributes:
        status: FF00H; FF01H if the peer does not support every optional key.
        identifier: The attributes of the match.
    """

    status: Status
    identifier: Identifier

    def dataset(self) -> Dataset:
        """Return the identifier as a pydicom data set."""
        return self.identifier.dataset()


class Finding(Responses[Match]):
    """A C-FIND under way: an asynchronous iterator of its matches.

    Attributes:
        status: The status of the final response; None before it has come.
        offending_elements: The tags of the keys that the peer has refused, where it names them.
        features: The features of the query that the peer has accepted.
    """

    def __init__(
        self,
        association: BaseAssociation,
        model: InformationModel,
        request: CFindRQ,
        data: bytes,
        assume_charset: str | None,
        most: int,
        total_timeout: float,
    ) -> None:
        super().__init__(association, association.context_for(model.find), request, data)
        self.status: Status | None = None
        self.offending_elements: tuple[int, ...] = ()
        self.features = accepted_features(association.negotiated, model)
        self._service, self._assume_charset, self._most = model.find_service, assume_charset, most
        self._number = 0
        self._total_timeout, self._latest = total_timeout, math.inf
        # Only transfer syntaxes of the Standard are proposed for a query.
        self._syntax = transfer_syntax(self.context.transfer_syntax) or EXPLICIT_VR_LITTLE_ENDIAN

    def log_request(self) -> None:
        """Log that the request goes out. From here on the time counts."""
        if self._total_timeout:
            self._latest = time.monotonic() + self._total_timeout
        MESSAGES.info("Sending Find Request: MsgID %d", self.request.message_id)

    def take(self, answer: Answer) -> Match | None:
        """Return the match in a response; None for the final one."""
        response, sink = answer
        status = Status(response.status, service=self._service, comment=response.error_comment)
        if response.status not in (MATCH, MATCH_WITHOUT_OPTIONAL_KEYS):
            self.status, self.offending_elements = status, response.offending_element or ()
            return None
        self._number += 1
        # A peer may send matches for ever, each of them in time.
        if time.monotonic() > self._latest:
            raise AssociationTimeout("dimse", f"the query took more than {self._total_timeout:g} s")
        if self._number > self._most:
            raise InvalidResponse("C-FIND", f"it is one of more than {self._most:,}")
        if not isinstance(sink, MemorySink):
            raise InvalidResponse("C-FIND", "a pending response has no identifier")
        try:
            identifier = Identifier.read(bytes(sink.view()), self._syntax, self._assume_charset)
        except MalformedDataSet as error:
            raise InvalidResponse("C-FIND", f"its identifier cannot be read: {error}") from error
        return Match(status, identifier)

    def check(self) -> None:
        """Raise the error of a final response that is not a success.

        Raises:
            StatusError: The status is a failure, or a cancellation that was not asked for.
        """
        if self.status is not None and not (self.is_cancelled and self.status.is_cancel):
            self.status.check()


def find(
    association: BaseAssociation,
    keys: Keys,
    *,
    model: str = "study",
    level: str | None = None,
    priority: int = MEDIUM,
    charset: str | None = None,
    assume_charset: str | None = None,
    most: int = MOST_RESPONSES,
    total_timeout: float = 0,
) -> Finding:
    """Query the peer (C-FIND, PS3.7 9.1.2), and return an iterator of the matches as they arrive.

    The request goes out when the first match is asked for. Until the last one the association is taken. A loop that is left early
    sends C-CANCEL and drops the responses to come.

    Args:
        keys: The identifier: a mapping of keywords to values, a pydicom data set, DICOM JSON, or an encoded data set.
        model: The information model: "patient", "study", "worklist" and so on, or the UID or keyword of its SOP class.
        level: The Query/Retrieve Level: "PATIENT", "STUDY", "SERIES" or "IMAGE". By default that of the keys; if they have none it
            is that of the lowest unique key, else of the lowest key. An empty text leaves it as the keys have it.
        priority: 0 medium, 1 high, 2 low.
        charset: The Specific Character Set of the request; by default that of the keys, or UTF-8 for text beyond ASCII.
        assume_charset: The Specific Character Set of responses that name none; by default UTF-8 if that is valid, else ISO 8859-1.
        most: Responses to take; a peer that sends more breaks the protocol.
        total_timeout: Seconds that the whole query may take; 0 is unlimited.

    Returns:
        An iterator, which yields a `Match` for each pending response. Its `status` is that of the final response.

    Raises:
        ValueError: A key, a value, the model or the level is not one; nothing was sent.
        TypeError: A value is of no type that its VR has; nothing was sent.
        NoPresentationContext: The model was not negotiated; the association stands.

    The iterator raises:
        StatusError: The query failed. Its text has the status, the meaning and the peer's comment; the association stands.
        OperationTimeout: No response came within the DIMSE timeout, or not all within `total_timeout`; the association was aborted.
        AssociationError: The association ended.
        RemoteProtocolError: The peer sent something that is not a valid response; the association was aborted.
    """
    arguments.priority(priority)
    found = find_model(model, "find")
    identifier = with_level(found, keys, level)
    context = association.context_for(found.find)
    data = encode(identifier, transfer_syntax(context.transfer_syntax) or EXPLICIT_VR_LITTLE_ENDIAN, charset)
    request = CFindRQ(message_id=association.next_message_id(), affected_sop_class_uid=found.find, priority=priority)
    return Finding(association, found, request, data, assume_charset, most, total_timeout)


def with_level(model: InformationModel, keys: Keys, level: str | None = None) -> Identifier:
    """Return an identifier of `keys` with its Query/Retrieve Level; `level` is that of `find`.

    Raises:
        ValueError: A key or a value is not one, or the model does not have the level.
        TypeError: A value is of no type that its VR has.
    """
    attributes = dict(Identifier.of(keys).attributes)
    if level:
        attributes[LEVEL] = Attribute("CS", (model.check_level(level),))
    elif level is None and model.levels and LEVEL not in attributes:
        attributes[LEVEL] = Attribute("CS", (infer_level(model, attributes),))
    return Identifier(attributes)


# --- SCP ---


@record
class FindRequest:
    """A C-FIND-RQ that was received.

    Attributes:
        context: The presentation context that it came on.
        peer: The peer that sent it.
        called_ae_title: The AE title that the peer called.
        message_id: Its message ID.
        priority: 0 medium, 1 high, 2 low.
        model: The information model.
        level: The Query/Retrieve Level, one of the model's; empty where the model has none.
        identifier: The keys.
        features: The features that were agreed when the association was established.
        has_unsupported_keys: The handler sets this to True, before its first match, if it ignores optional keys: the matches then
            have the status FF01H.
        offending_elements: The handler sets this to the tags of the keys that a status of failure is about.
        charset: The handler may set this to the Specific Character Set of the matches, before its first one. Characters that it
            does not have become question marks. Empty follows the request.
        responses: The number of matches that were sent so far.
    """

    context: PresentationContext
    peer: Peer
    called_ae_title: str
    message_id: int
    priority: int
    model: InformationModel
    level: str
    identifier: Identifier
    features: Features = Features()
    has_unsupported_keys: bool = False
    offending_elements: tuple[int, ...] = ()
    charset: str = ""
    responses: int = 0
    arrived: Arrived | None = field(default=None, repr=False)

    @property
    def cancelled(self) -> bool:
        """True once the peer has sent a C-CANCEL for the request: the handler may end."""
        return self.arrived is not None and self.arrived.cancelled


FindAnswer: TypeAlias = "Iterable[Keys | int] | AsyncIterable[Keys | int] | int"
FindHandler: TypeAlias = "Callable[[FindRequest], FindAnswer | Awaitable[FindAnswer]]"


async def answer_find(association: BaseAssociation, arrived: Arrived, handler: FindHandler | None) -> None:
    """Answer a C-FIND-RQ: with the matches that `handler` yields, and a final status."""
    message = arrived.message
    assert isinstance(message, CFindRQ)
    MESSAGES.info("Received Find Request (MsgID %d)", message.message_id)
    offending: tuple[int, ...] | None = None
    sent = 0
    if handler is None:
        final = Refusal(SOP_CLASS_NOT_SUPPORTED, "nothing here answers queries")
    elif arrived.refusal is not None:
        final = arrived.refusal
    elif isinstance(request := read_request(association, arrived), Refusal):
        final = request
        offending = (LEVEL,) if final.status == IDENTIFIER_DOES_NOT_MATCH else None
    else:
        arrived.request = request
        # A C-CANCEL may be directly behind the request.
        await association.poll()
        final = await _send_matches(association, arrived, request, handler)
        offending = request.offending_elements or None
        sent = request.responses
    status = Status(final.status, service="find")
    _log_response(sent + 1, status)
    MESSAGES.info("Sending Find Response (Status: 0x%04X - %s)", status, status.category)
    response = respond(
        message,
        final.status,
        error_comment=final.comment or None,
        **({"offending_element": offending} if offending else {}),
    )
    await association.send_response(arrived.context, response)


def read_request(association: BaseAssociation, arrived: Arrived) -> FindRequest | Refusal:
    """Return the request for the handler, or the status that refuses it."""
    message, sink, context = arrived.message, arrived.sink, arrived.context
    assert isinstance(message, CFindRQ) and isinstance(sink, MemorySink)
    model = model_of(message.affected_sop_class_uid)
    if (
        message.affected_sop_class_uid != context.abstract_syntax
        or model is None
        or model.find != context.abstract_syntax
    ):
        return Refusal(SOP_CLASS_NOT_SUPPORTED, "the SOP class is not that of the presentation context")
    if sink.error is not None:
        return Refusal(OUT_OF_RESOURCES, f"the identifier is {sink.error.strerror}")
    syntax = transfer_syntax(context.transfer_syntax)
    try:
        if syntax is None:
            raise MalformedDataSet("its transfer syntax is not known")
        identifier = Identifier.read(bytes(sink.view()), syntax)
        level = model.check_level(identifier.text(LEVEL)) if model.levels else ""
    except (BeyondLimits, NestedTooDeep):
        return Refusal(IDENTIFIER_DOES_NOT_MATCH, "the identifier is too large or too deep")
    except MalformedDataSet:
        return Refusal(MISTYPED_ARGUMENT, "the identifier cannot be read")
    except ValueError:
        return Refusal(IDENTIFIER_DOES_NOT_MATCH, f"Query/Retrieve Level is not one of {', '.join(model.levels)}")
    return FindRequest(
        context,
        association.peer,
        association.negotiated.called_ae_title,
        message.message_id,
        message.priority,
        model,
        level,
        identifier,
        accepted_features(association.negotiated, model),
        arrived=arrived,
    )


def _log_response(number: int, code: int) -> None:
    """Log a response, as scripts look for it."""
    MESSAGES.info("Find SCP Response %d: 0x%04X (%s)", number, code, Status(code, service="find").category)


async def _send_matches(
    association: BaseAssociation, arrived: Arrived, request: FindRequest, handler: FindHandler
) -> Refusal:
    """Send a pending response for each match of the handler, and return the final status."""
    message = arrived.message
    assert isinstance(message, CFindRQ)
    matches = await ask(association, handler, request)
    if isinstance(matches, Refusal):
        return Refusal(UNABLE_TO_PROCESS, matches.comment)
    if isinstance(matches, int):
        return as_status(matches, request)
    encoded = EncodedMatches(matches, request)
    # One message for all matches, which is encoded once.
    pending = {code: respond(message, code, has_data_set=True) for code in (MATCH, MATCH_WITHOUT_OPTIONAL_KEYS)}
    logs = MESSAGES.isEnabledFor(logging.INFO)
    try:
        while not request.cancelled:
            batch = await ask(
                association, encoded.take_asynchronously if encoded.is_asynchronous else encoded.take, request
            )
            if isinstance(batch, Refusal):
                return Refusal(UNABLE_TO_PROCESS, batch.comment)
            for data in batch:
                if arrived.cancelled:
                    break
                status = MATCH_WITHOUT_OPTIONAL_KEYS if request.has_unsupported_keys else MATCH
                request.responses += 1
                if logs:
                    _log_response(request.responses, status)
                await association.send_response(arrived.context, pending[status], data)
            if encoded.final is not None and not arrived.cancelled:
                return as_status(encoded.final, request)
        return Refusal(CANCELLED)
    finally:
        # The generator of the handler may hold a transaction or a file.
        await association.call(encoded.close_asynchronously if encoded.is_asynchronous else encoded.close)


# Matches that are taken from a handler at a time, and the seconds after which those at hand are sent.
MOST_AT_A_TIME, LONGEST_BATCH = 64, 0.02


class EncodedMatches:
    """The matches of a handler, taken from it some at a time and encoded.

    Attributes:
        final: The status that ends them, once the handler has no further match; None before.
        is_asynchronous: True if the handler is an asynchronous generator.
    """

    def __init__(self, matches: Any, request: FindRequest) -> None:
        self.final: int | None = None
        self._error: Exception | None = None
        self.is_asynchronous = hasattr(matches, "__anext__") or hasattr(matches, "__aiter__")
        self._matches = matches.__aiter__() if self.is_asynchronous else iter(matches)
        charset = request.identifier.attributes.get(SPECIFIC_CHARACTER_SET)
        self._charset = "\\".join(charset.values) if charset else None
        self._request = request
        self._syntax = transfer_syntax(request.context.transfer_syntax) or EXPLICIT_VR_LITTLE_ENDIAN

    def take(self, request: FindRequest) -> list[bytes]:
        """Return some matches, encoded; fewer where the handler takes its time.

        Raises:
            Exception: The handler fails, or a match is no identifier; the matches before it were returned.
        """
        batch: list[bytes] = []
        end = time.monotonic() + LONGEST_BATCH
        while self._is_to_go_on(batch, end) and not request.cancelled:
            try:
                self._add(batch, next(self._matches, SUCCESS))
            except Exception as error:
                self._error = error
        return batch

    async def take_asynchronously(self, request: FindRequest) -> list[bytes]:
        """Return some matches of an asynchronous handler, encoded, as `take` does."""
        batch: list[bytes] = []
        end = time.monotonic() + LONGEST_BATCH
        while self._is_to_go_on(batch, end) and not request.cancelled:
            try:
                self._add(batch, await anext(self._matches, SUCCESS))
            except Exception as error:
                self._error = error
        return batch

    def _is_to_go_on(self, batch: list[bytes], end: float) -> bool:
        """Return whether another match is to be taken; raise the error of the last one, if the batch is empty."""
        if self._error is not None and not batch:
            raise self._error
        if self.final is not None or self._error is not None:
            return False
        return not batch or (len(batch) < MOST_AT_A_TIME and time.monotonic() < end)

    def _add(self, batch: list[bytes], match: Keys | int) -> None:
        """Encode a match, or note the status that ends the matches."""
        if isinstance(match, int):
            self.final = match
        else:
            forced = self._request.charset
            charset = forced or fitting_charset(match, self._charset)
            batch.append(encode(match, self._syntax, charset, replace=bool(forced)))

    def close(self) -> None:
        """Close the generator of the handler."""
        close = getattr(self._matches, "close", None)
        if close is not None:
            close()

    async def close_asynchronously(self) -> None:
        """Close the asynchronous generator of the handler."""
        close = getattr(self._matches, "aclose", None)
        if close is not None:
            await close()
