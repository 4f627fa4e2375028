"""An SCU by hand for C-FIND, C-GET and C-MOVE, which writes down what it gets a line a message.

with RawSCU(port) as scu:
    scu.ask("find")
    scu.line()  # "C-FIND-RSP FF00H to 1 with data set"
"""

from __future__ import annotations

import socket
import struct
import time
from collections import deque
from collections.abc import Sequence

from tests.faulty_peer import (
    A_ABORT,
    A_ASSOCIATE_RJ,
    A_RELEASE_RP,
    A_RELEASE_RQ,
    AFFECTED_SOP_INSTANCE_UID,
    COMMAND_DATA_SET_TYPE,
    COMMAND_FIELD,
    MESSAGE_ID,
    MESSAGE_ID_BEING_RESPONDED_TO,
    NO_DATA_SET,
    P_DATA_TF,
    STATUS,
    command_elements,
    command_set,
    item,
    ui,
    us,
)
from tests.hostile_scu import LOOPBACK, RELEASE_RQ, USER_INFORMATION, HostileSCU, associate_rq, context, p_data
from tests.interop.evil import stock
from tests.interop.evil.conversation import (
    C_CANCEL,
    C_FIND,
    C_GET,
    C_MOVE,
    C_STORE,
    COMMAND,
    COMPLETED,
    DATA_SET,
    FAILED,
    LAST,
    MOVE_DESTINATION,
    PRIORITY,
    REMAINING,
    RESPONSE,
    WARNING,
)
from tests.interop.evil.stock import CT_IMAGE_STORAGE, EXPLICIT, IMPLICIT, STUDY

STUDY_ROOT = "1.2.840.10008.5.1.4.1.2.2."
FIND, MOVE, GET, STORE = 1, 3, 5, 7
MODELS = {"find": (FIND, "1", C_FIND), "move": (MOVE, "2", C_MOVE), "get": (GET, "3", C_GET)}
NAMES = {C_STORE: "C-STORE", C_GET: "C-GET", C_FIND: "C-FIND", C_MOVE: "C-MOVE", 0x0030: "C-ECHO", C_CANCEL: "C-CANCEL"}
PDUS = {A_RELEASE_RQ: "A-RELEASE-RQ", A_RELEASE_RP: "A-RELEASE-RP", 1: "A-ASSOCIATE-RQ", 2: "A-ASSOCIATE-AC"}

KEYS: list[stock.Attribute] = [
    (stock.LEVEL, "CS", "STUDY"),
    (stock.PATIENT_NAME, "PN", ""),
    (stock.PATIENT_ID, "LO", "P1"),
    (stock.STUDY_UID, "UI", STUDY),
]


class RawSCU(HostileSCU):
    """A connection that asks and writes down the answers.

    Attributes:
        acceptance: The body of the A-ASSOCIATE-AC.
        stored: The data set of each C-STORE that came, which is answered with Success.
        data_sets: The other data sets that came whole.
    """

    acceptance = b""

    def __init__(
        self, port: int, seconds: float = 10.0, *, transfer_syntax: str = EXPLICIT, source: str = LOOPBACK
    ) -> None:
        """Connect to a port of 127.0.0.1; the operations and CT images are proposed with this transfer syntax."""
        super().__init__(port, seconds, source=source)
        self.transfer_syntax = transfer_syntax
        self.stored: list[bytes] = []
        self.data_sets: list[bytes] = []
        self._lines: deque[str] = deque()
        self._command, self._data, self._fragments = b"", b"", 0
        self._asked = 0
        self._store: tuple[int, dict[int, bytes]] | None = None

    def ask_for_association(self, window: bytes = b"", features: tuple[str, bytes] | None = None) -> str:
        """Send an A-ASSOCIATE-RQ, and return the answer in a line.

        Args:
            window: The content of an asynchronous operations window to propose (PS3.7 D.3.3.3).
            features: The SOP class and the service class information of an extended negotiation (PS3.7 D.3.3.5).
        """
        self.send(self.association_request(window, features))
        return self.line()

    def association_request(self, window: bytes = b"", features: tuple[str, bytes] | None = None) -> bytes:
        """Return an A-ASSOCIATE-RQ for the three operations, and for CT images with the role of an SCP."""
        uid = CT_IMAGE_STORAGE.encode("ascii")
        role = item(0x54, struct.pack(">H", len(uid)) + uid + b"\0\1")
        contexts = [context(number, STUDY_ROOT + suffix, self.transfer_syntax) for number, suffix, _ in MODELS.values()]
        contexts = [*contexts, context(STORE, CT_IMAGE_STORAGE, self.transfer_syntax)]
        user_information = USER_INFORMATION + role
        if window:
            user_information += item(0x53, window)
        if features is not None:
            sop_class = features[0].encode("ascii")
            user_information += item(0x56, struct.pack(">H", len(sop_class)) + sop_class + features[1])
        return associate_rq(contexts, user_information=user_information)

    def ask(self, operation: str, destination: bytes = b"DESTINATION", keys: Sequence[stock.Attribute] = KEYS) -> None:
        """Send a C-FIND, C-GET or C-MOVE request of Message ID 1, by default for the study of the stock."""
        context_id, suffix, field = MODELS[operation]
        self._asked = context_id
        elements = {
            0x0002: ui(STUDY_ROOT + suffix),
            COMMAND_FIELD: us(field),
            MESSAGE_ID: us(1),
            PRIORITY: us(0),
            COMMAND_DATA_SET_TYPE: us(DATA_SET),
        }
        if operation == "move":
            elements[MOVE_DESTINATION] = destination + b" " * (len(destination) % 2)
        identifier = stock.encode(keys, explicit=self.transfer_syntax != IMPLICIT)
        self.send(p_data(context_id, COMMAND | LAST, command_set(elements)) + p_data(context_id, LAST, identifier))

    def cancel(self, operation: str) -> None:
        """Send a C-CANCEL for Message ID 1."""
        elements = {
            COMMAND_FIELD: us(C_CANCEL),
            MESSAGE_ID_BEING_RESPONDED_TO: us(1),
            COMMAND_DATA_SET_TYPE: us(NO_DATA_SET),
        }
        self.send(p_data(MODELS[operation][0], COMMAND | LAST, command_set(elements)))

    def release(self) -> None:
        """Send an A-RELEASE-RQ."""
        self.send(RELEASE_RQ)

    def peek(self, count: int) -> bytes:
        """Return the next bytes without taking them."""
        self.socket.settimeout(max(self.deadline - time.monotonic(), 0.001))
        return self.socket.recv(count, socket.MSG_PEEK)

    def line(self, seconds: float | None = None) -> str:
        """Return what comes next in a line: "silence" if nothing does in so many seconds."""
        before = self.deadline
        self.deadline = before if seconds is None else time.monotonic() + seconds
        try:
            while not self._lines:
                self._read_pdu()
        except TimeoutError:
            if seconds is None:
                raise
            return "silence"
        finally:
            self.deadline = before
        return self._lines.popleft()

    def _read_pdu(self) -> None:
        header = self._take(6)
        if len(header) < 6:
            self._lines.append("a torn PDU" if header else "closed")
            return
        pdu_type, length = header[0], int.from_bytes(header[2:])
        if length > 1 << 25:
            self._lines.append(f"PDU type {pdu_type:02X}H of {length} bytes")
            return
        body = self._take(length)
        if len(body) < length:
            self._lines.append("a torn PDU")
        elif pdu_type == P_DATA_TF:
            self._take_pdvs(body)
        elif pdu_type == A_ASSOCIATE_RJ and length == 4:
            self._lines.append(f"A-ASSOCIATE-RJ {body[1]}/{body[2]}/{body[3]}")
        elif pdu_type == A_ABORT and length == 4:
            self._lines.append(f"A-ABORT {body[2]}/{body[3]}")
        else:
            self.acceptance = body if pdu_type == 2 else self.acceptance
            self._lines.append(PDUS.get(pdu_type, f"PDU type {pdu_type:02X}H of {length} bytes"))

    def _take_pdvs(self, body: bytes) -> None:
        while body:
            length = int.from_bytes(body[:4])
            if not 2 <= length <= len(body) - 4:
                self._lines.append(f"a PDV of length {length} in {len(body)} bytes")
                return
            self._take_fragment(body[4], body[5], body[6 : 4 + length])
            body = body[4 + length :]

    def _take_fragment(self, context_id: int, control: int, fragment: bytes) -> None:
        self._fragments += 1
        if control & COMMAND:
            self._command += fragment
        else:
            self._data += fragment
        if self._fragments == 1000:
            self._lines.append("a thousand fragments without a last one")
        if not control & LAST:
            return
        number, self._fragments = self._fragments, 0
        in_fragments = f" in {number} fragments" if number > 1 else ""
        on_context = f" on context {context_id}" if context_id > STORE else ""
        if control & COMMAND and self._asked and context_id not in (self._asked, STORE) and not on_context:
            on_context = " on the wrong context"
        if control & COMMAND:
            command, self._command = self._command, b""
            self._lines.append(self._command_line(context_id, command) + on_context + in_fragments)
        else:
            data, self._data = self._data, b""
            self._take_data_set(data)
            self._lines.append(f"data set of {_size(len(data))}" + on_context + in_fragments)

    def _command_line(self, context_id: int, command: bytes) -> str:
        try:
            elements = command_elements(command)
            field = int.from_bytes(elements[COMMAND_FIELD], "little")
        except (KeyError, struct.error):
            return "a command that cannot be read"
        if field == C_STORE:
            self._store = (context_id, elements)
            if elements[COMMAND_DATA_SET_TYPE] == us(NO_DATA_SET):
                self._answer_store()
        odd = [number for number, value in elements.items() if len(value) % 2]
        return _told(field, elements) + (" of odd length" if odd else "")

    def _take_data_set(self, data: bytes) -> None:
        if self._store is None:
            self.data_sets.append(data)
        else:
            self.stored.append(data)
            self._answer_store()

    def _answer_store(self) -> None:
        assert self._store is not None
        context_id, request = self._store
        self._store = None
        elements = {
            0x0002: request[0x0002],
            COMMAND_FIELD: us(C_STORE | RESPONSE),
            MESSAGE_ID_BEING_RESPONDED_TO: request[MESSAGE_ID],
            COMMAND_DATA_SET_TYPE: us(NO_DATA_SET),
            STATUS: us(0),
            AFFECTED_SOP_INSTANCE_UID: request[AFFECTED_SOP_INSTANCE_UID],
        }
        self.send(p_data(context_id, COMMAND | LAST, command_set(elements)))


def _told(field: int, elements: dict[int, bytes]) -> str:
    """Return a command set in a line."""
    words = [f"{NAMES.get(field & ~RESPONSE, f'{field:04X}H')}-{'RSP' if field & RESPONSE else 'RQ'}"]
    if field & RESPONSE:
        status, answered = elements.get(STATUS), elements.get(MESSAGE_ID_BEING_RESPONDED_TO)
        words.append("without status" if status is None else f"{status[::-1].hex().upper()}H")
        words.append("to nothing" if answered is None else f"to {int.from_bytes(answered, 'little')}")
    elif field == C_STORE:
        words.append(ascii(elements[AFFECTED_SOP_INSTANCE_UID].rstrip(b"\0").decode("latin-1")).strip("'")[:40])
    counts = [elements.get(number) for number in (REMAINING, COMPLETED, FAILED, WARNING)]
    if any(counts):
        words.append("/".join("-" if count is None else str(int.from_bytes(count, "little")) for count in counts))
    announced = elements.get(COMMAND_DATA_SET_TYPE)
    if announced is None:
        words.append("without data set type")
    elif announced != us(NO_DATA_SET):
        words.append("with data set")
    return " ".join(words)


def _size(length: int) -> str:
    return f"{length >> 20} MiB" if length >= 1 << 20 else f"{length} bytes"
