"""A service class provider that does what it is told to, right or wrong: for tests of what our side makes of it.

It takes PDUs apart and puts them together by hand and shares no code with the package, so that a mistake there cannot
hide here. A behaviour is a function over a `Connection`; what the other side sent is on record there afterwards:

    def never_answers(connection: Connection) -> None:
        connection.accept()
        connection.read_message()

    peer = FaultyPeer(never_answers)
    with peer as port:
        ...  # something that connects to 127.0.0.1:port
    assert peer.connections[0].abort == (0, 0)

When a behaviour returns and its connection is still open, the rest of what comes is read and recorded until the other
side ends.
"""

from __future__ import annotations

import select
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field

A_ASSOCIATE_RQ, A_ASSOCIATE_AC, A_ASSOCIATE_RJ, P_DATA_TF, A_RELEASE_RQ, A_RELEASE_RP, A_ABORT = range(1, 8)

# Command elements (0000,eeee) by element number, PS3.7 E.1.
AFFECTED_SOP_CLASS_UID = 0x0002
COMMAND_FIELD = 0x0100
MESSAGE_ID = 0x0110
MESSAGE_ID_BEING_RESPONDED_TO = 0x0120
COMMAND_DATA_SET_TYPE = 0x0800
STATUS = 0x0900
ERROR_COMMENT = 0x0902
AFFECTED_SOP_INSTANCE_UID = 0x1000
NO_DATA_SET = 0x0101

ACCEPTED = 0


class PeerGoneError(Exception):
    """The other side ended the connection, or we did: the behaviour ends with it."""


@dataclass
class Context:
    """A presentation context as proposed."""

    context_id: int
    abstract_syntax: str
    transfer_syntaxes: list[str]


@dataclass
class Message:
    """A message received: its command elements by element number, and the length of its data set."""

    context_id: int
    elements: dict[int, bytes]
    data_set_length: int | None = None

    @property
    def command_field(self) -> int:
        return int.from_bytes(self.elements[COMMAND_FIELD], "little")

    @property
    def has_data_set(self) -> bool:
        return self.elements[COMMAND_DATA_SET_TYPE] != us(NO_DATA_SET)


def us(value: int) -> bytes:
    """Return a command element's value of VR US."""
    return struct.pack("<H", value)


def ui(uid: str) -> bytes:
    """Return a command element's value of VR UI."""
    return uid.encode("ascii") + b"\0" * (len(uid) % 2)


def pdu(pdu_type: int, body: bytes, length: int | None = None) -> bytes:
    """Return a PDU, whose length field may be wrong."""
    return struct.pack(">BBI", pdu_type, 0, len(body) if length is None else length) + body


def item(item_type: int, body: bytes, length: int | None = None) -> bytes:
    """Return an item or sub-item of an association PDU, whose length field may be wrong."""
    return struct.pack(">BBH", item_type, 0, len(body) if length is None else length) + body


def pdv(context_id: int, control: int, fragment: bytes, length: int | None = None) -> bytes:
    """Return a presentation data value item; `control` has bit 0 for command, bit 1 for last."""
    return struct.pack(">IBB", len(fragment) + 2 if length is None else length, context_id, control) + fragment


def command_set(elements: Mapping[int, bytes]) -> bytes:
    """Return a command set in Implicit VR Little Endian, group length first."""
    body = b"".join(struct.pack("<HHI", 0, element, len(value)) + value for element, value in sorted(elements.items()))
    return struct.pack("<HHII", 0, 0, 4, len(body)) + body


@dataclass
class Connection:
    """A connection, and the record of what arrived over it.

    Attributes:
        pdu_types: The type of each complete PDU, in order.
        messages: Each complete message.
        abort: Source and reason of the A-ABORT, after it arrived.
        torn: The bytes of an incomplete PDU at the end.
        end: The way it ended: "FIN" or "RST" of the other side, "deadline", or "nonsense" (the bytes can no longer be read). It is
            "" if this side ended it.
        faults: Violations by the other side.
    """

    socket: socket.socket
    leaving: threading.Event
    deadline: float
    pdu_types: list[int] = field(default_factory=list)
    messages: list[Message] = field(default_factory=list)
    abort: tuple[int, int] | None = None
    torn: int = 0
    end: str = ""
    faults: list[str] = field(default_factory=list)
    contexts: list[Context] = field(default_factory=list)
    called_and_calling: bytes = b""
    maximum_length: int = 0
    _received: bytearray = field(default_factory=bytearray)
    _command: bytearray = field(default_factory=bytearray)
    _open_message: Message | None = None
    _over: bool = False

    @property
    def data_sets(self) -> int:
        """Complete data sets received."""
        return sum(message.data_set_length is not None for message in self.messages)

    # ---- what comes

    def read_pdu(self) -> tuple[int, bytes]:
        """Return the type and body of the next PDU.

        Raises:
            PeerGoneError: There is no other.
        """
        header = self._take(6)
        pdu_type, _, length = struct.unpack(">BBI", header)
        if not A_ASSOCIATE_RQ <= pdu_type <= A_ABORT:
            self.faults.append(f"unknown PDU type {pdu_type:#04x}")
            self.end = "nonsense"
            raise PeerGoneError
        body = self._take(length, len(header))
        self._record(pdu_type, body)
        return pdu_type, body

    def read_request(self) -> bytes:
        """Return the body of the A-ASSOCIATE-RQ, whose contexts are known from now on."""
        pdu_type, body = self.read_pdu()
        if pdu_type != A_ASSOCIATE_RQ:
            self.faults.append(f"PDU type {pdu_type:#04x} instead of an A-ASSOCIATE-RQ")
            raise PeerGoneError
        return body

    def read_message(self) -> Message:
        """Return the next message, with its data set."""
        before = len(self.messages)
        while len(self.messages) == before:
            pdu_type, _ = self.read_pdu()
            if pdu_type not in (P_DATA_TF, A_ABORT):
                self.faults.append(f"PDU type {pdu_type:#04x} instead of a message")
                raise PeerGoneError
        return self.messages[-1]

    def drain(self) -> None:
        """Read until the other side ends."""
        try:
            while True:
                self.read_pdu()
        except PeerGoneError:
            return

    def stall(self, seconds: float) -> None:
        """Wait without reading or writing, for a time or until the test has seen enough."""
        self.leaving.wait(min(seconds, self._remaining()))

    # ---- what goes

    def send(self, data: bytes) -> None:
        """Send these bytes.

        Raises:
            PeerGoneError: The other side does not take them.
        """
        try:
            self.socket.settimeout(self._remaining())
            self.socket.sendall(data)
        except OSError as error:
            raise PeerGoneError from error

    def dribble(self, data: bytes, seconds: float) -> None:
        """Send these bytes one by one, so long in all."""
        for byte in data:
            self.send(bytes([byte]))
            self.stall(seconds / len(data))

    def accept(
        self,
        maximum_length: int | None = 16384,
        contexts: Iterable[tuple[int, int, str]] | None = None,
    ) -> None:
        """Read the A-ASSOCIATE-RQ and answer with `associate_ac`."""
        self.read_request()
        self.send(self.associate_ac(maximum_length, contexts))

    def associate_ac(
        self,
        maximum_length: int | None = 16384,
        contexts: Iterable[tuple[int, int, str]] | None = None,
        padding: bytes = b"",
    ) -> bytes:
        """Return an A-ASSOCIATE-AC.

        Args:
            maximum_length: The maximum length to announce; None leaves it out.
            contexts: Context ID, result and transfer syntax of each result; by default each context is accepted with
                the first transfer syntax proposed.
            padding: Items to append.
        """
        self.maximum_length = maximum_length or 0
        user_information = item(0x52, b"1.2.826.0.1.3680043.8.498.1") + item(0x55, b"FAULTY_PEER")
        if maximum_length is not None:
            user_information = item(0x51, struct.pack(">I", maximum_length)) + user_information
        results = self.each(ACCEPTED) if contexts is None else contexts
        body = struct.pack(">HH", 1, 0) + self.called_and_calling + item(0x10, b"1.2.840.10008.3.1.1.1")
        for context_id, result, transfer_syntax in results:
            body += item(0x21, bytes([context_id, 0, result, 0]) + item(0x40, transfer_syntax.encode("ascii")))
        return pdu(A_ASSOCIATE_AC, body + item(0x50, user_information) + padding)

    def each(self, result: int, transfer_syntax: str = "") -> list[tuple[int, int, str]]:
        """Return one result for each proposed context, with this transfer syntax or the first one proposed for it."""
        return [
            (context.context_id, result, transfer_syntax or context.transfer_syntaxes[0]) for context in self.contexts
        ]

    def respond(
        self,
        message: Message,
        status: int = 0,
        changes: Mapping[int, bytes | None] | None = None,
        context_id: int | None = None,
    ) -> None:
        """Send the `response` of the same arguments."""
        self.send(self.response(message, status, changes, context_id))

    def response(
        self,
        message: Message,
        status: int = 0,
        changes: Mapping[int, bytes | None] | None = None,
        context_id: int | None = None,
    ) -> bytes:
        """Return the P-DATA-TF with the response to `message`.

        Args:
            message: The request.
            status: The status.
            changes: Command elements to put in, by element number; None leaves the element out.
            context_id: The context to answer in; by default the request's.
        """
        elements: dict[int, bytes | None] = {
            AFFECTED_SOP_CLASS_UID: message.elements.get(AFFECTED_SOP_CLASS_UID),
            COMMAND_FIELD: us(message.command_field | 0x8000),
            MESSAGE_ID_BEING_RESPONDED_TO: message.elements[MESSAGE_ID],
            COMMAND_DATA_SET_TYPE: us(NO_DATA_SET),
            STATUS: us(status),
            AFFECTED_SOP_INSTANCE_UID: message.elements.get(AFFECTED_SOP_INSTANCE_UID),
            **(changes or {}),
        }
        command = command_set({element: value for element, value in elements.items() if value is not None})
        return pdu(P_DATA_TF, pdv(context_id or message.context_id, 3, command))

    def serve(self, status: int = 0) -> None:
        """Answer every message with this status, and the release at the end: what a peer without faults does."""
        while True:
            pdu_type, _ = self.read_pdu()
            if pdu_type == A_RELEASE_RQ:
                self.send_release_response()
                return
            if pdu_type == P_DATA_TF and self._open_message is None and not self._command:
                self.respond(self.messages[-1], status)

    # ---- ends

    def send_release_request(self) -> None:
        """Send an A-RELEASE-RQ."""
        self.send(pdu(A_RELEASE_RQ, bytes(4)))

    def send_release_response(self) -> None:
        """Send an A-RELEASE-RP: the association is over."""
        self.send(pdu(A_RELEASE_RP, bytes(4)))
        self._over = True

    def send_abort(self, source: int = 0, reason: int = 0) -> None:
        """Send an A-ABORT, and leave the connection open."""
        self.send(pdu(A_ABORT, bytes([0, 0, source, reason])))

    def half_close(self) -> None:
        """End our direction (FIN) and go on reading."""
        self.socket.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        """End the connection. The behaviour is over, whatever it still wanted."""
        self.socket.close()

    def reset(self) -> None:
        """End the connection by RST."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    # ---- inside

    def _remaining(self) -> float:
        return max(self.deadline - time.monotonic(), 0.001)

    def _take(self, count: int, already: int = 0) -> bytes:
        """Return the next `count` bytes; `already` bytes of their PDU were taken before."""
        while len(self._received) < count:
            self._fill(already)
        taken = bytes(self._received[:count])
        del self._received[:count]
        return taken

    def _fill(self, already: int) -> None:
        try:
            self.socket.settimeout(self._remaining())
            data = self.socket.recv(1 << 16)
        except TimeoutError as error:
            self.faults.append("still connected at the deadline")
            self.end = "deadline"
            raise PeerGoneError from error
        except OSError as error:
            self.end = "RST" if isinstance(error, ConnectionResetError) else self.end
            self.torn = already + len(self._received)
            raise PeerGoneError from error
        if not data:
            self.end = "FIN"
            self.torn = already + len(self._received)
            raise PeerGoneError
        self._received += data

    def _record(self, pdu_type: int, body: bytes) -> None:
        if self._over or (pdu_type == P_DATA_TF and A_RELEASE_RQ in self.pdu_types):
            self.faults.append(f"PDU type {pdu_type:#04x} after the end of the association")
        self.pdu_types.append(pdu_type)
        if pdu_type == A_ASSOCIATE_RQ:
            self._record_request(body)
        elif pdu_type == P_DATA_TF:
            self._record_data(body)
        elif pdu_type != A_ASSOCIATE_AC and len(body) != 4:
            self.faults.append(f"PDU type {pdu_type:#04x} of {len(body)} bytes")
        if pdu_type == A_ABORT:
            self.abort = body[2], body[3]
        self._over = self._over or pdu_type in (A_RELEASE_RP, A_ABORT)

    def _record_request(self, body: bytes) -> None:
        self.called_and_calling = body[4:68]
        for item_type, content in items(body[68:]):
            if item_type == 0x20:
                syntaxes = [(kind, uid.decode("ascii")) for kind, uid in items(content[4:])]
                abstract = next(uid for kind, uid in syntaxes if kind == 0x30)
                self.contexts.append(Context(content[0], abstract, [uid for kind, uid in syntaxes if kind == 0x40]))

    def _record_data(self, body: bytes) -> None:
        if self.maximum_length and len(body) > self.maximum_length:
            self.faults.append(f"a P-DATA-TF of {len(body)} bytes, and {self.maximum_length} were allowed")
        while body:
            length, context_id, control = struct.unpack_from(">IBB", body)
            if not 2 <= length <= len(body) - 4:
                self.faults.append(f"a PDV of {length} bytes in {len(body)}")
                return
            self._record_fragment(context_id, control, body[6 : 4 + length])
            body = body[4 + length :]

    def _record_fragment(self, context_id: int, control: int, fragment: bytes) -> None:
        if len(fragment) % 2:
            self.faults.append("a fragment of odd length")
        message = self._open_message
        if control & 1:
            if message is not None:
                self.faults.append("a command where a data set was due")
            self._command += fragment
            if control & 2:
                message = Message(context_id, command_elements(bytes(self._command)))
                self._command.clear()
                if message.has_data_set:
                    self._open_message = message
                else:
                    self.messages.append(message)
            return
        if message is None or message.context_id != context_id:
            self.faults.append("a data set that no command announced")
            return
        message.data_set_length = (message.data_set_length or 0) + len(fragment)
        if control & 2:
            self.messages.append(message)
            self._open_message = None


def items(data: bytes) -> list[tuple[int, bytes]]:
    """Return the type and content of each item of an association PDU."""
    found = []
    while data:
        item_type, _, length = struct.unpack_from(">BBH", data)
        found.append((item_type, data[4 : 4 + length]))
        data = data[4 + length :]
    return found


def command_elements(command: bytes) -> dict[int, bytes]:
    """Return the elements of a command set by element number."""
    found = {}
    while command:
        _, element, length = struct.unpack_from("<HHI", command)
        found[element] = command[8 : 8 + length]
        command = command[8 + length :]
    return found


Behaviour = Callable[[Connection], object]


class FaultyPeer:
    """A peer on a free port of 127.0.0.1 while entered, which treats each connection, one after another, as prescribed.

    Attributes:
        connections: Each connection, complete after the block was left.
    """

    def __init__(self, behaviour: Behaviour, seconds: float = 15.0) -> None:
        """Meet connections with `behaviour`; none lasts longer than `seconds`."""
        self.connections: list[Connection] = []
        self._behaviour, self._seconds = behaviour, seconds
        self._leaving = threading.Event()
        self._failure: BaseException | None = None

    def __enter__(self) -> int:
        self._listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        # A window that does not grow: a peer that stops reading is felt after some hundred KB.
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 17)
        self._listener.bind(("127.0.0.1", 0))
        self._listener.listen()
        self._waker, self._woken = socket.socketpair()
        self._thread = threading.Thread(target=self._run, name="FaultyPeer")
        self._thread.start()
        port: int = self._listener.getsockname()[1]
        return port

    def __exit__(self, *_: object) -> None:
        self._leaving.set()
        self._waker.close()
        self._thread.join(self._seconds + 5)
        self._listener.close()
        self._woken.close()
        assert not self._thread.is_alive(), "a behaviour passed its deadline"
        if self._failure is not None:
            raise self._failure

    def _run(self) -> None:
        try:
            while self._listener in select.select([self._listener, self._woken], [], [])[0]:
                self._meet(self._listener.accept()[0])
        except BaseException as error:  # raised again later
            self._failure = error

    def _meet(self, accepted: socket.socket) -> None:
        with accepted:
            accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection = Connection(accepted, self._leaving, time.monotonic() + self._seconds)
            self.connections.append(connection)
            with suppress(PeerGoneError):
                self._behaviour(connection)
            if accepted.fileno() != -1 and not connection.end:
                connection.drain()
