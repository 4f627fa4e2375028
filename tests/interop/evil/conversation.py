"""One association of an evil SCP: it reads requests with their identifiers, and says whatever it is told to say.

It stands on `tests.faulty_peer`, which records what the other side does wrong.
"""

from __future__ import annotations

import select
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tests.faulty_peer import (
    A_ASSOCIATE_AC,
    A_RELEASE_RQ,
    AFFECTED_SOP_CLASS_UID,
    AFFECTED_SOP_INSTANCE_UID,
    COMMAND_DATA_SET_TYPE,
    COMMAND_FIELD,
    MESSAGE_ID,
    MESSAGE_ID_BEING_RESPONDED_TO,
    NO_DATA_SET,
    P_DATA_TF,
    STATUS,
    Connection,
    Message,
    PeerGoneError,
    command_set,
    item,
    items,
    pdu,
    pdv,
    ui,
    us,
)
from tests.interop.evil import stock
from tests.interop.evil.stock import EXPLICIT, IMPLICIT, Instance

C_STORE, C_GET, C_FIND, C_MOVE, C_ECHO, C_CANCEL = 0x0001, 0x0010, 0x0020, 0x0021, 0x0030, 0x0FFF
RESPONSE = 0x8000
OPERATIONS = {C_FIND: "find", C_GET: "get", C_MOVE: "move"}

PRIORITY, MOVE_DESTINATION = 0x0700, 0x0600
REMAINING, COMPLETED, FAILED, WARNING = 0x1020, 0x1021, 0x1022, 0x1023
MOVE_ORIGINATOR, MOVE_ORIGINATOR_MESSAGE_ID = 0x1030, 0x1031
DATA_SET = 0x0001

SUCCESS, PENDING, CANCELLED = 0x0000, 0xFF00, 0xFE00
COMMAND, LAST = 1, 2  # message control header (PS3.8 E.2)

ROLE_SELECTION, EXTENDED_NEGOTIATION = 0x54, 0x56
LONGEST_PDV = 16378

Counts = tuple[int | None, int | None, int | None, int | None]


@dataclass(frozen=True)
class Request:
    """A C-FIND, C-GET or C-MOVE request.

    Attributes:
        operation: "find", "get" or "move".
        message: Its command set and context.
        identifier: The bytes of its identifier.
        keys: VR and value of the identifier's own elements by tag.
        explicit: The identifier is in Explicit VR, and so are those that answer it.
        originator: The AE title of the requestor.
    """

    operation: str
    message: Message
    identifier: bytes
    keys: Mapping[int, tuple[str, bytes]]
    explicit: bool
    originator: bytes

    @property
    def message_id(self) -> int:
        """The Message ID."""
        return int.from_bytes(self.message.elements[MESSAGE_ID], "little")

    @property
    def level(self) -> str:
        """The Query/Retrieve Level."""
        return self.keys.get(stock.LEVEL, ("CS", b""))[1].decode("ascii").strip(" \0")


@dataclass
class Conversation(Connection):
    """An association as the provider sees it.

    Attributes:
        requests: The C-FIND, C-GET and C-MOVE requests so far.
        cancels: The Message ID of each C-CANCEL so far.
        store_statuses: The status of each C-STORE response so far.
        destination: The port of the storage SCP that a C-MOVE goes to.
        deliveries: What that storage SCP answered, a list an association.
    """

    requests: list[Request] = field(default_factory=list)
    cancels: list[int] = field(default_factory=list)
    store_statuses: list[int] = field(default_factory=list)
    destination: int = 0
    deliveries: list[list[str]] = field(default_factory=list)
    accepted: dict[int, str] = field(default_factory=dict)
    negotiation: list[tuple[int, bytes]] = field(default_factory=list)
    _data: bytearray = field(default_factory=bytearray)
    _next_message_id: int = 1

    # ---- the association

    def accept_honestly(self) -> None:
        """Accept every context, uncompressed where that was proposed, and every role that was proposed."""
        self.read_request()
        self.send(self.acceptance())

    def read_request(self) -> bytes:
        """Read the A-ASSOCIATE-RQ and note what its user information proposes."""
        body = super().read_request()
        for kind, content in items(body[68:]):
            if kind == 0x50:
                self.negotiation = items(content)
        return body

    def acceptance(
        self,
        results: Sequence[tuple[int, int, str]] | None = None,
        negotiation: Sequence[tuple[int, bytes]] | None = None,
        maximum_length: int = 16384,
    ) -> bytes:
        """Return an A-ASSOCIATE-AC.

        Args:
            results: Context ID, result and transfer syntax of each; by default everything is accepted.
            negotiation: Further sub-items of the user information; by default the roles that were proposed.
            maximum_length: The longest P-DATA-TF that we say we take.
        """
        if results is None:
            results = [(context.context_id, 0, _best(context.transfer_syntaxes)) for context in self.contexts]
        if negotiation is None:
            negotiation = [(kind, content) for kind, content in self.negotiation if kind == ROLE_SELECTION]
        self.maximum_length = maximum_length
        self.accepted = {context_id: syntax for context_id, result, syntax in results if result == 0}
        user = item(0x51, struct.pack(">I", maximum_length)) + item(0x52, b"1.2.826.0.1.3680043.10.999")
        user += b"".join(item(kind, content) for kind, content in negotiation)
        body = struct.pack(">HH", 1, 0) + self.called_and_calling + item(0x10, b"1.2.840.10008.3.1.1.1")
        for context_id, result, syntax in results:
            body += item(0x21, bytes([context_id, 0, result, 0]) + item(0x40, syntax.encode("ascii")))
        return pdu(A_ASSOCIATE_AC, body + item(0x50, user))

    def storage_context(self, sop_class: str = stock.CT_IMAGE_STORAGE) -> tuple[int, bool]:
        """Return an accepted context of a class, uncompressed, and True if it is in Explicit VR.

        Raises:
            PeerGoneError: There is no such context: the behaviour cannot go on.
        """
        for context in self.contexts:
            syntax = self.accepted.get(context.context_id)
            if context.abstract_syntax == sop_class and syntax in (IMPLICIT, EXPLICIT):
                return context.context_id, syntax == EXPLICIT
        self.faults.append(f"no uncompressed context for {sop_class}")
        raise PeerGoneError

    # ---- what comes

    def next_message(self) -> Message | None:
        """Read the next message and file it; None: the other side asked to release, and has the answer.

        The data set of the message is in `last_data_set` until the next one comes.
        """
        before = len(self.messages)
        self._data.clear()
        while len(self.messages) == before:
            pdu_type, body = self.read_pdu()
            if pdu_type == A_RELEASE_RQ:
                self.send_release_response()
                return None
            if pdu_type == P_DATA_TF:
                self._keep_data(body)
        message = self.messages[-1]
        if message.command_field == C_CANCEL:
            self.cancels.append(int.from_bytes(message.elements[MESSAGE_ID_BEING_RESPONDED_TO], "little"))
        elif message.command_field == C_STORE | RESPONSE:
            self.store_statuses.append(int.from_bytes(message.elements[STATUS], "little"))
        elif message.command_field in OPERATIONS:
            self.requests.append(self._request(message))
        return message

    @property
    def last_data_set(self) -> bytes:
        """The data set of the message read last."""
        return bytes(self._data)

    def has_input(self, seconds: float = 0.0) -> bool:
        """Return True if there is something to read within so many seconds."""
        return bool(self._received) or bool(select.select([self.socket], [], [], seconds)[0])

    def take_input(self, seconds: float = 0.0) -> None:
        """Read the messages that have come, waiting so long for the first: a C-CANCEL, responses to C-STOREs."""
        while self.has_input(seconds):
            if self.next_message() is None:
                raise PeerGoneError
            seconds = 0.0

    def wait_for_cancel(self) -> None:
        """Read until a C-CANCEL comes."""
        before = len(self.cancels)
        while len(self.cancels) == before:
            if self.next_message() is None:
                raise PeerGoneError

    # ---- what goes

    def send(self, data: bytes) -> None:
        """Send these bytes, unless the test is over.

        Raises:
            PeerGoneError: The other side takes no more.
        """
        if self.leaving.is_set():
            raise PeerGoneError
        super().send(data)

    def say(
        self,
        context_id: int,
        elements: Mapping[int, bytes | None],
        data_set: bytes | None = None,
        longest: int = LONGEST_PDV,
    ) -> None:
        """Send a message: command elements (None leaves one out), and a data set if there is one."""
        command = command_set({number: value for number, value in elements.items() if value is not None})
        self.send(pdu(P_DATA_TF, pdv(context_id, COMMAND | LAST, command)) + data_pdus(context_id, data_set, longest))

    def respond_to(
        self,
        request: Request,
        status: int,
        identifier: bytes | None = None,
        counts: Counts = (None, None, None, None),
        changes: Mapping[int, bytes | None] | None = None,
        context_id: int | None = None,
    ) -> None:
        """Send a response.

        Args:
            request: What is answered.
            status: The status.
            identifier: The bytes of an identifier to go with it.
            counts: Remaining, completed, failed and warning sub-operations; None leaves one out.
            changes: Command elements to put in, or with None to leave out.
            context_id: The context to answer in; by default the request's.
        """
        elements = response_elements(request, status, identifier, counts)
        self.say(context_id or request.message.context_id, {**elements, **(changes or {})}, identifier)

    def pending(
        self,
        request: Request,
        remaining: int = 2,
        completed: int = 1,
        changes: Mapping[int, bytes | None] | None = None,
    ) -> None:
        """Send an honest pending response: a match for C-FIND, counts for C-GET and C-MOVE."""
        if request.operation == "find":
            self.respond_to(request, PENDING, match_of(request), changes=changes)
        else:
            self.respond_to(request, PENDING, counts=(remaining, completed, 0, 0), changes=changes)

    def final(self, request: Request, status: int = SUCCESS, completed: int = 0) -> None:
        """Send a final response, with counts for C-GET and C-MOVE."""
        counts: Counts = (None, completed, 0, 0)
        self.respond_to(request, status, counts=counts if request.operation != "find" else (None,) * 4)

    def store(
        self,
        request: Request,
        instance: Instance,
        *,
        uid: str | None = None,
        data_uid: str | None = None,
        pixels: bytes = b"pixels" * 20,
        changes: Mapping[int, bytes | None] | None = None,
        context_id: int | None = None,
        wait: bool = True,
    ) -> None:
        """Send a C-STORE of a C-GET, and wait for its response.

        Args:
            request: The C-GET that it belongs to.
            instance: What is stored.
            uid: The Affected SOP Instance UID, if it is not the instance's.
            data_uid: The SOP Instance UID in the data set, if it is not the one in the command.
            pixels: The pixel data.
            changes: Command elements to put in, or with None to leave out.
            context_id: The context to send it in; by default one of CT Image Storage.
            wait: Wait for the response.
        """
        own_context, explicit = self.storage_context()
        uid = instance.uid if uid is None else uid
        attributes = instance.attributes(uid if data_uid is None else data_uid, pixels)
        elements = {**self.store_elements(instance, uid), **(changes or {})}
        self.say(context_id or own_context, elements, stock.encode(attributes, explicit=explicit))
        if wait:
            self.wait_for_responses(1)

    def store_elements(self, instance: Instance, uid: str | None = None) -> dict[int, bytes | None]:
        """Return the command elements of a C-STORE request with the next Message ID."""
        self._next_message_id += 1
        return {
            AFFECTED_SOP_CLASS_UID: ui(instance.sop_class),
            COMMAND_FIELD: us(C_STORE),
            MESSAGE_ID: us(self._next_message_id),
            PRIORITY: us(0),
            COMMAND_DATA_SET_TYPE: us(DATA_SET),
            AFFECTED_SOP_INSTANCE_UID: ui(instance.uid if uid is None else uid),
        }

    def wait_for_responses(self, count: int) -> None:
        """Read until so many more C-STORE responses have come."""
        awaited = len(self.store_statuses) + count
        while len(self.store_statuses) < awaited:
            if self.next_message() is None:
                raise PeerGoneError

    # ---- inside

    def _keep_data(self, body: bytes) -> None:
        while len(body) >= 6:
            length, _, control = struct.unpack_from(">IBB", body)
            if not control & COMMAND:
                self._data += body[6 : 4 + length]
            body = body[4 + max(length, 2) :]

    def _request(self, message: Message) -> Request:
        explicit = self.accepted.get(message.context_id) != IMPLICIT
        identifier = self.last_data_set
        keys = stock.parse(identifier, explicit=explicit)
        return Request(
            OPERATIONS[message.command_field],
            message,
            identifier,
            keys,
            explicit,
            self.called_and_calling[16:32].strip(),
        )


def _best(transfer_syntaxes: Sequence[str]) -> str:
    return next((syntax for syntax in (EXPLICIT, IMPLICIT) if syntax in transfer_syntaxes), transfer_syntaxes[0])


def data_pdus(context_id: int, data_set: bytes | None, longest: int = LONGEST_PDV) -> bytes:
    """Return a data set as P-DATA-TF PDUs with fragments of at most `longest` bytes; None: nothing."""
    if data_set is None:
        return b""
    pieces = [data_set[start : start + longest] for start in range(0, len(data_set), longest)] or [b""]
    last = len(pieces) - 1
    return b"".join(
        pdu(P_DATA_TF, pdv(context_id, LAST * (number == last), piece)) for number, piece in enumerate(pieces)
    )


def response_elements(
    request: Request, status: int, identifier: bytes | None = None, counts: Counts = (None, None, None, None)
) -> dict[int, bytes | None]:
    """Return the command elements of an honest response."""
    numbers = {
        number: None if count is None else us(count)
        for number, count in zip(range(REMAINING, WARNING + 1), counts, strict=True)
    }
    return {
        AFFECTED_SOP_CLASS_UID: request.message.elements.get(AFFECTED_SOP_CLASS_UID),
        COMMAND_FIELD: us(request.message.command_field | RESPONSE),
        MESSAGE_ID_BEING_RESPONDED_TO: request.message.elements[MESSAGE_ID],
        COMMAND_DATA_SET_TYPE: us(NO_DATA_SET if identifier is None else DATA_SET),
        STATUS: us(status),
        **numbers,
    }


def match_of(request: Request, number: int = 0, changes: Mapping[int, tuple[str, str | bytes]] | None = None) -> bytes:
    """Return the identifier of an honest match: the keys that were asked for, with the values of the stock.

    Args:
        request: The C-FIND request.
        number: Which entity of the level, from 0.
        changes: VR and value by tag, to put in.
    """
    entities = stock.values_of(request.level)
    values: dict[int, tuple[str, str | bytes]] = {**entities[number % len(entities)]}
    asked = {tag: values.get(tag, (vr, b"")) for tag, (vr, _) in request.keys.items()}
    asked[stock.LEVEL] = ("CS", request.level)
    asked.update(changes or {})
    return stock.encode(((tag, vr, value) for tag, (vr, value) in sorted(asked.items())), explicit=request.explicit)


def answer_honestly(conversation: Conversation, request: Request) -> None:
    """Answer a request as a provider without faults does: matches, or C-STOREs of the three instances, and Success."""
    if request.operation == "find":
        for number in range(len(stock.values_of(request.level))):
            conversation.respond_to(request, PENDING, match_of(request, number))
        conversation.final(request)
        return
    instances = stock.INSTANCES if request.operation == "get" else ()
    for number, instance in enumerate(instances, 1):
        conversation.store(request, instance)
        conversation.pending(request, len(instances) - number, number)
    conversation.final(request, completed=len(instances))
