"""A service class user that says what it is told to, right or wrong: for tests of what a server makes of it.

It shares no code with the package, as `tests.faulty_peer`, whose way to put bytes together it has. What the server answers is
told in a line a PDU:

    with HostileSCU(port) as scu:
        scu.associate()
        scu.send(pdu(0xFF, b""))
        assert scu.answers() == ["A-ABORT 2/1"]
"""

from __future__ import annotations

import os
import socket
import struct
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest

from tests.faulty_peer import (
    A_ABORT,
    A_ASSOCIATE_AC,
    A_ASSOCIATE_RJ,
    A_ASSOCIATE_RQ,
    A_RELEASE_RP,
    A_RELEASE_RQ,
    AFFECTED_SOP_CLASS_UID,
    AFFECTED_SOP_INSTANCE_UID,
    COMMAND_DATA_SET_TYPE,
    COMMAND_FIELD,
    MESSAGE_ID,
    NO_DATA_SET,
    P_DATA_TF,
    STATUS,
    command_elements,
    command_set,
    item,
    pdu,
    pdv,
    ui,
    us,
)

LOOPBACK = "127.0.0.1"
SECONDS = 15.0  # no conversation lasts longer

APPLICATION_CONTEXT = "1.2.840.10008.3.1.1.1"
VERIFICATION = "1.2.840.10008.1.1"
CT_IMAGE_STORAGE = "1.2.840.10008.5.1.4.1.1.2"
IMPLICIT, EXPLICIT = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1"
HAS_DATA_SET = 0x0001
COMMAND, LAST = 1, 2  # message control header (PS3.8 E.2)

# The contexts that every association here has, by their IDs.
ECHO, STORE, UNKNOWN = 1, 3, 5

MESSAGES = {0x8001: "C-STORE-RSP", 0x8030: "C-ECHO-RSP"}


# --- what it says: an A-ASSOCIATE-RQ ---


def context(context_id: int, abstract_syntax: str, *transfer_syntaxes: str) -> bytes:
    """Return a presentation context to propose (PS3.8 9.3.2.2)."""
    syntaxes = b"".join(item(0x40, uid.encode("latin-1")) for uid in transfer_syntaxes)
    return item(0x20, bytes([context_id, 0, 0, 0]) + item(0x30, abstract_syntax.encode("latin-1")) + syntaxes)


CONTEXTS = (
    context(ECHO, VERIFICATION, IMPLICIT),
    context(STORE, CT_IMAGE_STORAGE, EXPLICIT),
    context(UNKNOWN, "1.2.826.0.1.3680043.10.999", IMPLICIT),
)
USER_INFORMATION = item(0x51, struct.pack(">I", 16384)) + item(0x52, b"1.2.826.0.1.3680043.10.999")


def associate_rq(
    contexts: Iterable[bytes] = CONTEXTS,
    *,
    called: bytes = b"ANY-SCP",
    calling: bytes = b"HOSTILE",
    version: int = 1,
    application_context: str | None = APPLICATION_CONTEXT,
    user_information: bytes | None = USER_INFORMATION,
) -> bytes:
    """Return an A-ASSOCIATE-RQ (PS3.8 9.3.2); None leaves an item out."""
    body = struct.pack(">HH", version, 0) + called.ljust(16) + calling.ljust(16) + bytes(32)
    if application_context is not None:
        body += item(0x10, application_context.encode("latin-1"))
    body += b"".join(contexts)
    if user_information is not None:
        body += item(0x50, user_information)
    return pdu(A_ASSOCIATE_RQ, body)


RELEASE_RQ = pdu(A_RELEASE_RQ, bytes(4))
ABORT = pdu(A_ABORT, bytes(4))


# --- messages ---


def echo_command(message_id: int = 1, changes: dict[int, bytes | None] | None = None) -> bytes:
    """Return the command set of a C-ECHO-RQ, with `changes` as in `command`."""
    return command({COMMAND_FIELD: us(0x0030), MESSAGE_ID: us(message_id), **(changes or {})})


def store_command(uid: str, message_id: int = 1, changes: dict[int, bytes | None] | None = None) -> bytes:
    """Return the command set of a C-STORE-RQ, with `changes` as in `command`."""
    return command(
        {
            AFFECTED_SOP_CLASS_UID: ui(CT_IMAGE_STORAGE),
            COMMAND_FIELD: us(0x0001),
            MESSAGE_ID: us(message_id),
            0x0700: us(0),
            COMMAND_DATA_SET_TYPE: us(HAS_DATA_SET),
            AFFECTED_SOP_INSTANCE_UID: ui(uid),
            **(changes or {}),
        }
    )


def command(elements: dict[int, bytes | None]) -> bytes:
    """Return a command set with these elements besides those of a C-ECHO-RQ; None leaves an element out."""
    whole = {AFFECTED_SOP_CLASS_UID: ui(VERIFICATION), COMMAND_DATA_SET_TYPE: us(NO_DATA_SET), **elements}
    return command_set({element: value for element, value in whole.items() if value is not None})


def p_data(context_id: int, control: int, fragment: bytes) -> bytes:
    """Return a P-DATA-TF PDU with one PDV."""
    return pdu(P_DATA_TF, pdv(context_id, control, fragment))


def echo(message_id: int = 1) -> bytes:
    """Return a whole C-ECHO-RQ."""
    return p_data(ECHO, COMMAND | LAST, echo_command(message_id))


def store(uid: str, size: int = 1000, message_id: int = 1) -> bytes:
    """Return a whole C-STORE-RQ with its data set."""
    return p_data(STORE, COMMAND | LAST, store_command(uid, message_id)) + data_pdus(data_set(uid, size))


def data_pdus(encoded: bytes, length: int = 16384 - 6) -> bytes:
    """Return a data set as P-DATA-TF PDUs of this length."""
    pieces = [encoded[start : start + length] for start in range(0, len(encoded), length)]
    return b"".join(p_data(STORE, LAST * (piece is pieces[-1]), piece) for piece in pieces)


def data_set(uid: str, size: int = 1000) -> bytes:
    """Return a data set in Explicit VR Little Endian with `size` bytes of pixel data, which differ from UID to UID."""
    pattern = uid.encode() * 37
    pixels = (pattern * (size // len(pattern) + 1))[:size]
    return (
        _uid_element(0x0016, CT_IMAGE_STORAGE)
        + _uid_element(0x0018, uid)
        + struct.pack("<HH2sHI", 0x7FE0, 0x0010, b"OW", 0, size)
        + pixels
    )


def _uid_element(number: int, uid: str) -> bytes:
    value = ui(uid)
    return struct.pack("<HH2sH", 0x0008, number, b"UI", len(value)) + value


# --- a conversation ---


class HostileSCU:
    """A connection to a server on 127.0.0.1 that says what it is told to.

    Attributes:
        socket: The connection.
        address: Our end of it, "127.0.0.1:PORT", as a server calls us in its log.
    """

    def __init__(self, port: int, seconds: float = SECONDS, *, source: str = LOOPBACK) -> None:
        """Connect to `port` from the address `source`; nothing takes longer than `seconds`."""
        self.deadline = time.monotonic() + seconds
        self.socket = socket.create_connection((LOOPBACK, port), timeout=seconds, source_address=(source, 0))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        host, number = self.socket.getsockname()
        self.address = f"{host}:{number}"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.socket.close()

    def send(self, data: bytes) -> None:
        """Send; a server that has hung up meanwhile is no failure here."""
        with suppress(ConnectionError):
            self.socket.sendall(data)

    def read(self) -> str:
        """Return the next PDU in one line; "closed" at the end, "nonsense" for bytes that are not a PDU."""
        header = self._take(6)
        if len(header) < 6:
            return "nonsense" if header else "closed"
        length = int.from_bytes(header[2:])
        return describe(header[0], self._take(length))

    def answers(self) -> list[str]:
        """Return everything up to the end of the connection, which the server closes after a final answer."""
        found: list[str] = []
        while (answer := self.read()) != "closed":
            found.append(answer)
            if answer.startswith(("A-ABORT", "A-ASSOCIATE-RJ", "A-RELEASE-RP", "nonsense")):
                # The answer is final, so this side closes.
                with suppress(OSError):
                    self.socket.shutdown(socket.SHUT_WR)
        return found

    def associate(self, request: bytes | None = None) -> None:
        """Have an association accepted."""
        self.send(request or associate_rq())
        answer = self.read()
        assert answer == "A-ASSOCIATE-AC", answer

    def reset(self) -> None:
        """End the connection by RST."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def _take(self, count: int) -> bytes:
        taken = b""
        with suppress(ConnectionError):
            while len(taken) < count:
                self.socket.settimeout(max(self.deadline - time.monotonic(), 0.001))
                data = self.socket.recv(count - len(taken))
                if not data:
                    break
                taken += data
        return taken


def describe(pdu_type: int, body: bytes) -> str:
    """Describe a server's PDU in one line."""
    if pdu_type == A_ASSOCIATE_AC:
        return "A-ASSOCIATE-AC"
    if pdu_type == A_ASSOCIATE_RJ and len(body) == 4:
        return f"A-ASSOCIATE-RJ {body[1]}/{body[2]}/{body[3]}"
    if pdu_type == A_ABORT and len(body) == 4:
        return f"A-ABORT {body[2]}/{body[3]}"
    if pdu_type == A_RELEASE_RP:
        return "A-RELEASE-RP"
    if pdu_type == P_DATA_TF:
        elements = {number: int.from_bytes(value, "little") for number, value in command_elements(body[6:]).items()}
        field = elements[COMMAND_FIELD]
        return f"{MESSAGES.get(field, f'{field:04X}H')} {elements[STATUS]:04X}H"
    return "nonsense"


def works(port: int, uid: str, size: int = 1000) -> None:
    """Test that an echo and a store without any fault succeed."""
    with HostileSCU(port) as scu:
        scu.associate()
        scu.send(echo(1) + store(uid, size, 2) + RELEASE_RQ)
        answers = scu.answers()
        assert answers == ["C-ECHO-RSP 0000H", "C-STORE-RSP 0000H", "A-RELEASE-RP"], answers


# --- what a server costs, as Linux tells it ---


def resident(pid: int, *, peak: bool = False) -> int:
    """Return the bytes of memory that a process has now, or had at most."""
    return _memory(pid, "VmHWM:" if peak else "VmRSS:")


def private(pid: int) -> int:
    """Return the bytes of private memory of a process, without mapped files; 0 after it has ended."""
    return _memory(pid, "RssAnon:")


def _memory(pid: int, kind: str) -> int:
    if not Path("/proc/self/status").exists():
        pytest.skip("only Linux tells how much memory another process has")
    lines: list[str] = []
    with suppress(FileNotFoundError, ProcessLookupError):  # it has ended
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith(kind)), 0)


def forget_peak(pid: int) -> int:
    """Let the peak of a process's memory start anew; what it has now."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")
    return resident(pid)


def descriptors_and_threads(pid: int) -> tuple[int, int]:
    """Return the numbers of descriptors and threads of a process."""
    return len(list(Path(f"/proc/{pid}/fd").iterdir())), len(list(Path(f"/proc/{pid}/task").iterdir()))


def cpu_seconds(pid: int) -> float:
    """Return the seconds of processor time that a process has used, in all its threads."""
    user, system = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")
