"""An SCU that says to an archive whatever it is told to, and reads the answers up to the final one."""

from __future__ import annotations

import socket
import struct
from collections.abc import Mapping, Sequence
from typing import Self

from tests.faulty_peer import (
    AFFECTED_SOP_CLASS_UID,
    AFFECTED_SOP_INSTANCE_UID,
    COMMAND_DATA_SET_TYPE,
    COMMAND_FIELD,
    MESSAGE_ID,
    NO_DATA_SET,
    command_set,
    item,
    us,
)
from tests.hostile_scu import HAS_DATA_SET, USER_INFORMATION, associate_rq, context, p_data
from tests.interop.evil import stock
from tests.interop.evil.conversation import C_CANCEL, C_STORE, COMMAND, LAST, MOVE_DESTINATION, PRIORITY, data_pdus
from tests.interop.evil.raw_scu import MODELS, STORE, STUDY_ROOT, RawSCU
from tests.interop.evil.stock import CT_IMAGE_STORAGE, EXPLICIT, STUDY, STUDY_UID, Attribute

COMMIT, ECHO = 9, 11
COMMITMENT, COMMITMENT_INSTANCE = "1.2.840.10008.1.20.1", "1.2.840.10008.1.20.1.1"
VERIFICATION = "1.2.840.10008.1.1"
N_ACTION = 0x0130
REQUESTED_SOP_CLASS_UID, REQUESTED_SOP_INSTANCE_UID, ACTION_TYPE = 0x0003, 0x1001, 0x1008
PENDING = ("FF00H", "FF01H")

ENDED = ("closed", "a torn PDU", "A-ABORT", "A-ASSOCIATE-RJ")

STUDY_KEYS: tuple[Attribute, ...] = (
    (stock.LEVEL, "CS", "STUDY"),
    (stock.PATIENT_NAME, "PN", ""),
    (STUDY_UID, "UI", STUDY),
    (stock.INSTANCE_COUNT, "IS", ""),
)
EVERYTHING: tuple[Attribute, ...] = (
    (stock.LEVEL, "CS", "STUDY"),
    (stock.PATIENT_NAME, "PN", "*"),
    (STUDY_UID, "UI", ""),
)


def raw_ui(value: bytes) -> bytes:
    """Return a UID of a command as it stands, in even length."""
    return value + b"\0" * (len(value) % 2)


def encoded(keys: Sequence[Attribute]) -> bytes:
    """Return an identifier in Explicit VR Little Endian."""
    return stock.encode(keys, explicit=True)


class Attacker(RawSCU):
    """A requestor with contexts for queries, retrievals, CT images, storage commitment and C-ECHO.

    Args:
        port: The port of the archive on 127.0.0.1.
        seconds: Nothing takes longer.
        source: The address that it calls from.
        transfer_syntax: The one transfer syntax that it proposes.
    """

    def __init__(
        self, port: int, seconds: float = 30.0, *, source: str = "127.0.0.1", transfer_syntax: str = EXPLICIT
    ) -> None:
        super().__init__(port, seconds, transfer_syntax=transfer_syntax, source=source)

    def __enter__(self) -> Self:
        return self

    def greet(self, calling: bytes = b"HOSTILE", features: bytes = b"", called: bytes = b"ANY-SCP") -> str:
        """Request an association, with these bytes as extended negotiation of each model; return the answer in a line."""
        uid = CT_IMAGE_STORAGE.encode()
        user_information = USER_INFORMATION + item(0x54, struct.pack(">H", len(uid)) + uid + b"\0\1")
        for _, suffix, _ in MODELS.values():
            model = (STUDY_ROOT + suffix).encode()
            if features:
                user_information += item(0x56, struct.pack(">H", len(model)) + model + features)
        contexts = [context(number, STUDY_ROOT + suffix, self.transfer_syntax) for number, suffix, _ in MODELS.values()]
        contexts.append(context(STORE, CT_IMAGE_STORAGE, self.transfer_syntax))
        contexts.append(context(COMMIT, COMMITMENT, self.transfer_syntax))
        contexts.append(context(ECHO, VERIFICATION, self.transfer_syntax))
        self.send(associate_rq(contexts, user_information=user_information, calling=calling, called=called))
        return self.line()

    # ---- what it asks

    def request_of(
        self,
        operation: str,
        identifier: bytes | None,
        message_id: int = 1,
        *,
        destination: bytes = b"HOSTILE",
        longest: int = 16378,
        context_id: int = 0,
        changes: Mapping[int, bytes] | None = None,
    ) -> bytes:
        """Return a C-FIND, C-GET or C-MOVE request with an identifier in fragments of at most `longest` bytes."""
        own_context, suffix, field = MODELS[operation]
        elements = {
            AFFECTED_SOP_CLASS_UID: raw_ui((STUDY_ROOT + suffix).encode()),
            COMMAND_FIELD: us(field),
            MESSAGE_ID: us(message_id),
            PRIORITY: us(0),
            COMMAND_DATA_SET_TYPE: us(NO_DATA_SET if identifier is None else HAS_DATA_SET),
        }
        if operation == "move":
            elements[MOVE_DESTINATION] = destination + b" " * (len(destination) % 2)
        command = command_set({**elements, **(changes or {})})
        context_id = context_id or own_context
        return p_data(context_id, COMMAND | LAST, command) + data_pdus(context_id, identifier, longest)

    def say(self, operation: str, identifier: bytes | None, message_id: int = 1, **how: object) -> None:
        """Send what `request_of` returns."""
        self._asked = 0
        self.send(self.request_of(operation, identifier, message_id, **how))  # type: ignore[arg-type]

    def say_cancel(self, operation: str, message_id: int = 1, times: int = 1) -> None:
        """Send C-CANCELs of a message ID."""
        self.send(cancel_of(operation, message_id) * times)

    def store_of(self, data_set: bytes, uid: bytes, message_id: int = 1, sop_class: str = CT_IMAGE_STORAGE) -> bytes:
        """Return a C-STORE request of a data set."""
        elements = {
            AFFECTED_SOP_CLASS_UID: raw_ui(sop_class.encode()),
            COMMAND_FIELD: us(C_STORE),
            MESSAGE_ID: us(message_id),
            PRIORITY: us(0),
            COMMAND_DATA_SET_TYPE: us(HAS_DATA_SET),
            AFFECTED_SOP_INSTANCE_UID: raw_ui(uid),
        }
        return p_data(STORE, COMMAND | LAST, command_set(elements)) + data_pdus(STORE, data_set)

    def commitment_of(self, data_set: bytes, message_id: int = 1, changes: Mapping[int, bytes] | None = None) -> bytes:
        """Return an N-ACTION request for storage commitment."""
        elements = {
            REQUESTED_SOP_CLASS_UID: raw_ui(COMMITMENT.encode()),
            COMMAND_FIELD: us(N_ACTION),
            MESSAGE_ID: us(message_id),
            COMMAND_DATA_SET_TYPE: us(HAS_DATA_SET),
            REQUESTED_SOP_INSTANCE_UID: raw_ui(COMMITMENT_INSTANCE.encode()),
            ACTION_TYPE: us(1),
        }
        command = command_set({**elements, **(changes or {})})
        return p_data(COMMIT, COMMAND | LAST, command) + data_pdus(COMMIT, data_set)

    def echo_of(self, message_id: int = 1) -> bytes:
        """Return a C-ECHO request."""
        elements = {
            AFFECTED_SOP_CLASS_UID: raw_ui(VERIFICATION.encode()),
            COMMAND_FIELD: us(0x0030),
            MESSAGE_ID: us(message_id),
            COMMAND_DATA_SET_TYPE: us(NO_DATA_SET),
        }
        return p_data(ECHO, COMMAND | LAST, command_set(elements))

    # ---- what it gets

    def answer(self) -> tuple[str, int]:
        """Return the status of the next final response, such as "0000H", with the number of pending ones before it.

        A line such as "closed" stands for the status if the association ends first.
        """
        pending = 0
        while True:
            line = self.line()
            if line.startswith(ENDED):
                return line, pending
            words = line.split()
            if words[0].endswith("-RSP"):
                if words[1] not in PENDING:
                    return words[1], pending
                pending += 1

    def ask_and_read(self, operation: str, keys: Sequence[Attribute], message_id: int = 1) -> tuple[str, int]:
        """Send a request, and return its `answer`."""
        self.say(operation, encoded(keys), message_id)
        return self.answer()

    def store_and_read(self, data_set: bytes, uid: bytes, message_id: int = 1) -> str:
        """Send a C-STORE, and return the status of its response."""
        self.send(self.store_of(data_set, uid, message_id))
        return self.answer()[0]

    def never_read(self) -> None:
        """Take no more than a few bytes of what comes."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)


def cancel_of(operation: str, message_id: int = 1) -> bytes:
    """Return a C-CANCEL of a message ID."""
    elements = {COMMAND_FIELD: us(C_CANCEL), 0x0120: us(message_id), COMMAND_DATA_SET_TYPE: us(NO_DATA_SET)}
    return p_data(MODELS[operation][0], COMMAND | LAST, command_set(elements))
