"""Helpers that run the tools as a user does, in a process of their own, and show what the peer receives.

`asked` shows the A-ASSOCIATE-RQ and the messages, parsed by a peer that shares no code with the package. `Receiver` is a server of
ours that keeps what it receives. `Instance` makes DICOM files of a few bytes.
"""

from __future__ import annotations

import os
import shutil
import signal
import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pytest

import dimse
from dimse import uids
from tests import faulty_peer as scp
from tests.faulty_peer import Behaviour, Connection, FaultyPeer

SECONDS = 50.0  # no tool runs longer

# Ctrl-C counts, even where whoever started the tests has it ignored.
INTERRUPTIBLE = (
    "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); from dimse.__main__ import dimse; dimse()"
)


# ---- the tools


def command(name: str, *arguments: object) -> list[str]:
    """Return the command `python -m dimse {name} ...`."""
    return [sys.executable, "-m", "dimse", name, *map(str, arguments)]


def run(*words: str, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run a command to its end; `options` are those of `subprocess.run`."""
    if "input" not in options:
        options["stdin"] = subprocess.DEVNULL
    return subprocess.run(words, capture_output=True, text=True, timeout=SECONDS, check=False, **options)


def tool(name: str, *arguments: object, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run a tool to its end."""
    return run(*command(name, *arguments), **options)


@contextmanager
def start(
    name: str, *arguments: object, stdin: int = subprocess.DEVNULL, **environment: str
) -> Iterator[subprocess.Popen[str]]:
    """Start a tool that can be interrupted; it does not outlive the test. `environment` comes on top of our own."""
    with subprocess.Popen(
        [sys.executable, "-c", INTERRUPTIBLE, name, *map(str, arguments)],
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | environment,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def interrupt(process: subprocess.Popen[str]) -> str:
    """Send Ctrl-C, and return what the tool printed on stderr until it ended, after a check that stdout is empty."""
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=SECONDS)
    assert out == ""
    assert "Traceback" not in err
    return err


def until_asleep(process: subprocess.Popen[str]) -> None:
    """Return when the tool waits for something; at once where the system does not tell."""
    state = Path(f"/proc/{process.pid}/stat")
    while process.poll() is None and state.exists() and state.read_text().rpartition(")")[2].split()[0] != "S":
        os.sched_yield()


def lines(process: subprocess.CompletedProcess[str], level: str) -> list[str]:
    """Return the lines of a level: "E", "W", "I", "D"."""
    assert "Traceback" not in process.stderr
    assert process.stdout == ""
    return [line[3:] for line in process.stderr.splitlines() if line.startswith(f"{level}: ")]


def errors(process: subprocess.CompletedProcess[str]) -> list[str]:
    """Return the `E:` lines, which are all lines at the default level."""
    found = lines(process, "E")
    assert len(found) == len(process.stderr.splitlines()), process.stderr
    return found


def errors_of_request(process: subprocess.CompletedProcess[str]) -> list[str]:
    """Return the `E:` lines for an association that was not established, without those that name the peer and the code."""
    *why, where = (line for line in lines(process, "E") if not line.startswith("See DIMSE-"))
    assert where.startswith("Peer: ") and ", called " in where and ", calling " in where, where
    return why


# ---- what the peer sees


@dataclass(frozen=True)
class Request:
    """An association as the peer saw it.

    Attributes:
        connection: The record of it.
        body: The A-ASSOCIATE-RQ.
        lengths: Bytes of each PDU's body behind it.
    """

    connection: Connection
    body: bytes
    lengths: list[int] = field(default_factory=list)

    @property
    def called(self) -> str:
        return self.body[4:20].decode("ascii")

    @property
    def calling(self) -> str:
        return self.body[20:36].decode("ascii")

    @property
    def maximum_length(self) -> int:
        """The maximum length in the user information (PS3.8 D.1)."""
        information = dict(scp.items(self.body[68:]))[0x50]
        return int(struct.unpack(">I", dict(scp.items(information))[0x51])[0])

    @property
    def contexts(self) -> list[tuple[str, list[str]]]:
        """Abstract syntax and transfer syntaxes of each presentation context, in order."""
        return [(context.abstract_syntax, context.transfer_syntaxes) for context in self.connection.contexts]

    @property
    def message_ids(self) -> list[int]:
        return [self._us(message, scp.MESSAGE_ID) for message in self.connection.messages]

    @property
    def priorities(self) -> list[int]:
        return [self._us(message, 0x0700) for message in self.connection.messages]

    @staticmethod
    def _us(message: scp.Message, element: int) -> int:
        return int.from_bytes(message.elements[element], "little")


def asked(
    name: str, *arguments: object, status: int = 0, maximum_length: int = 16384, exit_status: int = 0
) -> list[Request]:
    """Run a tool against a peer without faults; the associations that it asked for.

    Args:
        name: The tool.
        arguments: Its arguments; "PEER" stands for address and port.
        status: Of the peer's responses.
        maximum_length: That the peer announces.
        exit_status: That the tool has to have.
    """
    requests: list[Request] = []

    def behave(connection: Connection) -> None:
        requests.append(Request(connection, connection.read_request()))
        connection.send(connection.associate_ac(maximum_length))
        serve(connection, status, requests[-1].lengths)

    process = against(behave, name, *arguments)
    assert process.returncode == exit_status, process.stderr
    for request in requests:
        assert request.connection.faults == []
    return requests


def serve(connection: Connection, status: int, lengths: list[int]) -> None:
    """Answer every message, and the release at the end; `lengths` grows by that of each PDU."""
    while True:
        answered = len(connection.messages)
        pdu_type, body = connection.read_pdu()
        lengths.append(len(body))
        if pdu_type == scp.A_RELEASE_RQ:
            connection.send_release_response()
            return
        for message in connection.messages[answered:]:
            connection.respond(message, status)


def against(behaviour: Behaviour, name: str, *arguments: object, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run a tool to its end against a peer that behaves so; "PEER" stands for its address and port."""
    with FaultyPeer(behaviour) as port:
        return tool(name, *at(port, arguments), **options)


def at(port: int, arguments: Sequence[object]) -> list[object]:
    """Return the arguments, with "127.0.0.1" and the port for "PEER"."""
    return [word for argument in arguments for word in (("127.0.0.1", port) if argument == "PEER" else (argument,))]


# ---- a receiver


@dataclass(frozen=True)
class Stored:
    """An instance that was sent to a `Receiver`."""

    association: tuple[str, int]
    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax: str
    message_id: int
    data_set: bytes


class Receiver:
    """A server of ours that takes every SOP class and keeps what comes, while entered.

    Args:
        status: What it answers, or what makes the status of an instance.
        transfer_syntaxes: Those that it accepts; by default every one of the Standard.

    Attributes:
        stored: What came, in order.
        port: Where it listens on 127.0.0.1.
    """

    def __init__(
        self, status: int | Callable[[Stored], int] = 0, transfer_syntaxes: Sequence[str] | None = None
    ) -> None:
        self.stored: list[Stored] = []
        self._status = status
        self._server = dimse.Server(
            ("127.0.0.1", 0),
            dimse.Handlers(store=self._store),
            accept_unknown=True,
            transfer_syntaxes=transfer_syntaxes,
        )

    def _store(self, request: dimse.StoreRequest) -> int:
        stored = Stored(
            request.peer.address,
            request.sop_class_uid,
            request.sop_instance_uid,
            request.context.transfer_syntax,
            request.message_id,
            bytes(request.view()),
        )
        self.stored.append(stored)
        return self._status(stored) if callable(self._status) else self._status

    def __enter__(self) -> Self:
        self._server.__enter__()
        self.port = self._server.address[1]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.__exit__(kind, error, trace)

    @property
    def uids(self) -> list[str]:
        """The SOP instance UIDs of what came, in order."""
        return [stored.sop_instance_uid for stored in self.stored]

    @property
    def associations(self) -> int:
        """The number of associations over which the instances arrived."""
        return len({stored.association for stored in self.stored})

    def storescu(self, *arguments: object, **options: Any) -> subprocess.CompletedProcess[str]:
        """Run storescu with this peer to its end."""
        return tool("storescu", "127.0.0.1", self.port, *arguments, **options)


# ---- a peer that can be held still


class Gate:
    """A gate that stops a peer in the middle of what the tool sends, until the test opens it.

    Attributes:
        reached: An event that is set when the peer has stopped.
    """

    def __init__(self) -> None:
        self.reached, self._opened = threading.Event(), threading.Event()

    def stop(self) -> None:
        """Wait in the peer until the gate is opened."""
        self.reached.set()
        assert self._opened.wait(SECONDS)

    def open(self) -> None:
        """Let the peer continue."""
        self._opened.set()

    def wait(self) -> None:
        """Wait in the test until the peer has stopped."""
        assert self.reached.wait(SECONDS)


# ---- files


def element(group: int, number: int, vr: str, value: bytes) -> bytes:
    """Return a data element in Explicit VR Little Endian (PS3.5 7.1.2), its value padded."""
    value += (b"\0" if vr in ("UI", "OB", "UN") else b" ") * (len(value) % 2)
    head = struct.pack("<HH2s", group, number, vr.encode("ascii"))
    if vr in ("OB", "OW", "SQ", "UN"):
        return head + struct.pack("<HI", 0, len(value)) + value
    return head + struct.pack("<H", len(value)) + value


@dataclass(frozen=True)
class Instance:
    """An SOP instance and its file, Explicit VR Little Endian whatever its transfer syntax says.

    Attributes:
        sop_instance_uid, sop_class_uid: In the data set; an empty one is left out.
        transfer_syntax: In the File Meta Information; an empty one is left out.
        meta: (0002,0002) and (0002,0003), where they are others than in the data set; empty ones are left out.
        rest: Elements behind the UIDs.
    """

    sop_instance_uid: str = "1.2.3"
    sop_class_uid: str = uids.SecondaryCaptureImageStorage
    transfer_syntax: str = uids.ExplicitVRLittleEndian
    meta: tuple[str, str] | None = None
    rest: bytes = element(0x0010, 0x0010, "PN", b"Doe^Jane")

    @property
    def data_set(self) -> bytes:
        return (
            self._uid(0x0008, 0x0016, self.sop_class_uid) + self._uid(0x0008, 0x0018, self.sop_instance_uid) + self.rest
        )

    @property
    def file_meta(self) -> bytes:
        """Preamble, prefix and File Meta Information (PS3.10 7.1)."""
        sop_class, sop_instance = self.meta or (self.sop_class_uid, self.sop_instance_uid)
        group = (
            element(0x0002, 0x0001, "OB", b"\0\1")
            + self._uid(0x0002, 0x0002, sop_class)
            + self._uid(0x0002, 0x0003, sop_instance)
            + self._uid(0x0002, 0x0010, self.transfer_syntax)
        )
        return bytes(128) + b"DICM" + element(0x0002, 0x0000, "UL", struct.pack("<I", len(group))) + group

    @property
    def content(self) -> bytes:
        return self.file_meta + self.data_set

    def write(self, path: Path) -> Path:
        """Write the file; its folder is made."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(self.content)
        return path

    @staticmethod
    def _uid(group: int, number: int, uid: str) -> bytes:
        return element(group, number, "UI", uid.encode("ascii")) if uid else b""


def pixel_data(size: int) -> bytes:
    """Return Pixel Data (7FE0,0010) of this size in bytes."""
    return element(0x7FE0, 0x0010, "OB", bytes(size))


def fragments(*content: bytes) -> bytes:
    """Return Pixel Data (7FE0,0010) of these fragments, with an empty Basic Offset Table (PS3.5 A.4)."""
    items = b"".join(struct.pack("<HHI", 0xFFFE, 0xE000, len(one)) + one for one in (b"", *content))
    header = struct.pack("<HH2sHI", 0x7FE0, 0x0010, b"OB", 0, 0xFFFFFFFF)
    return header + items + struct.pack("<HHI", 0xFFFE, 0xE0DD, 0)


def unprivileged() -> tuple[str, ...]:
    """Return the words before a command for which the mode of a file counts, because root has to give up a privilege for that."""
    if os.geteuid() != 0:
        return ()
    if shutil.which("setpriv") is None:
        pytest.skip("root reads every file, and setpriv is not installed")
    return "setpriv", "--bounding-set=-dac_override,-dac_read_search", "--inh-caps=-all"
