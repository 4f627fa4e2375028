"""echoscp and storescp as processes of their own, and a requestor that says byte by byte what a test wants to be said."""

from __future__ import annotations

import os
import signal
import socket
import struct
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import IO, Any, Self

import pytest

import dimse
from dimse import uids
from tests import faulty_peer as peer
from tests.interop import ours
from tests.tools import running

OPEN = "Listening on every address, and any AE may associate"
AT_ONCE = 5.0  # seconds, below every other deadline

C_STORE_RQ, C_ECHO_RQ = 0x0001, 0x0030


@dataclass
class Listener:
    """A tool that listens.

    Attributes:
        process: Its process; with its workers and commands it is a process group.
        where: `HOST:PORT`, as it said in its ready file.
        said: The lines that it has printed on stderr and that were read.
        also: `HOST:PORT` of each of its other ports.
    """

    process: subprocess.Popen[str]
    where: str
    said: list[str] = field(default_factory=list)
    also: list[str] = field(default_factory=list)

    @property
    def host(self) -> str:
        return self.where.rpartition(":")[0].strip("[]")

    @property
    def port(self) -> int:
        return int(self.where.rpartition(":")[2])

    def associate(self, *contexts: str | dimse.ProposedContext, **options: Any) -> dimse.Association:
        """Request an association with it, for Verification by default."""
        wanted = contexts or (dimse.Verification,)
        return dimse.associate(self.host, self.port, contexts=wanted, timeouts=ours.TIMEOUTS, **options)

    def echo(self, **options: Any) -> dimse.Status:
        """Send one C-ECHO over an association of its own."""
        with self.associate(**options) as association:
            return association.echo()

    def run(self, name: str, *arguments: object, exit_status: int = 0) -> subprocess.CompletedProcess[str]:
        """Run an SCU of ours with it."""
        done = running.tool(name, self.host, self.port, *arguments)
        assert done.returncode == exit_status, done.stderr
        return done

    def until(self, words: str) -> None:
        """Read what it prints until a line has these words."""
        for line in self._stderr:
            self.said.append(line.rstrip("\n"))
            if words in line:
                return
        pytest.fail(f"it ended without {words!r}: {self.said}")

    def until_closed(self) -> None:
        """Return when it takes no connections any more."""
        with suppress(ConnectionError):
            while True:
                socket.create_connection((self.host, self.port), timeout=AT_ONCE).close()

    def end(self, number: int | None = signal.SIGTERM, status: int = 0) -> list[str]:
        """End it by a signal, or let it end; every line that it has said on stderr, which is all that it says.

        Args:
            number: The signal; None if it ends by itself.
            status: Its exit status.
        """
        if number is not None:
            self.process.send_signal(number)
        self.said += self._stderr.read().splitlines()
        assert self.process.stdout is not None
        assert self.process.stdout.read() == ""
        assert self.process.wait(running.SECONDS) == status, self.said
        assert not any("Traceback" in line for line in self.said)
        return self.said

    @property
    def _stderr(self) -> IO[str]:
        assert self.process.stderr is not None
        return self.process.stderr


@contextmanager
def listening(
    name: str, *arguments: object, port: int = 0, start: Callable[..., Any] = subprocess.Popen
) -> Iterator[Listener]:
    """Start a tool on 127.0.0.1, or what `-ba` says, and wait until it is ready; nothing of it outlives the test."""
    read, write = os.pipe()
    options = ["-ba", "127.0.0.1", "--ready-file", f"/dev/fd/{write}"]
    with (
        open(read, encoding="ascii") as ready,
        start(
            running.command(name, *options, *arguments, port),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            pass_fds=(write,),
            start_new_session=True,
        ) as process,
    ):
        os.close(write)
        try:
            where = ready.readline().strip()
            if not where:
                pytest.fail(f"{name} did not listen: {process.stderr.read()}")
            also = [ready.readline().strip() for _ in range(arguments.count("--also-port"))]
            yield Listener(process, where, also=also)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


class Requestor:
    """A requestor made of bytes, on a connection of its own while entered.

    Args:
        listener: Whom it connects to.
        abstract_syntax: Of its one presentation context, which has ID 1 and Explicit VR Little Endian.
    """

    def __init__(self, listener: Listener, abstract_syntax: str = uids.Verification) -> None:
        self._abstract_syntax = abstract_syntax
        self.socket = socket.create_connection((listener.host, listener.port), timeout=running.SECONDS)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.socket.close()

    @property
    def request(self) -> bytes:
        """The A-ASSOCIATE-RQ of the peer."""
        context = (
            b"\1\0\0\0"
            + peer.item(0x30, self._abstract_syntax.encode())
            + peer.item(0x40, uids.ExplicitVRLittleEndian.encode())
        )
        body = b"\0\1\0\0" + b"ANY-SCP".ljust(16) + b"RAW".ljust(16) + bytes(32)
        body += peer.item(0x10, uids.ApplicationContextName.encode()) + peer.item(0x20, context)
        body += peer.item(0x50, peer.item(0x51, struct.pack(">I", 16384)) + peer.item(0x52, b"1.2.3"))
        return peer.pdu(peer.A_ASSOCIATE_RQ, body)

    def associate(self) -> Self:
        """Ask for the association; it has to be accepted."""
        self.socket.sendall(self.request)
        assert self.read()[0] == peer.A_ASSOCIATE_AC
        return self

    def begin_store(self, instance: running.Instance) -> bytes:
        """Send a C-STORE-RQ and half of its data set; what is still to be sent."""
        half = len(instance.data_set) // 2
        command = peer.command_set(
            {
                peer.AFFECTED_SOP_CLASS_UID: peer.ui(instance.sop_class_uid),
                peer.COMMAND_FIELD: peer.us(C_STORE_RQ),
                peer.MESSAGE_ID: peer.us(1),
                0x0700: peer.us(0),
                peer.COMMAND_DATA_SET_TYPE: peer.us(0),
                peer.AFFECTED_SOP_INSTANCE_UID: peer.ui(instance.sop_instance_uid),
            }
        )
        self.socket.sendall(
            peer.pdu(peer.P_DATA_TF, peer.pdv(1, 3, command))
            + peer.pdu(peer.P_DATA_TF, peer.pdv(1, 0, instance.data_set[:half]))
        )
        return peer.pdu(peer.P_DATA_TF, peer.pdv(1, 2, instance.data_set[half:]))

    def read(self) -> tuple[int, bytes]:
        """Return the type and body of the next PDU; (0, b"") if the connection has ended."""
        header = self.socket.recv(6, socket.MSG_WAITALL)
        if not header:
            return 0, b""
        pdu_type, _, length = struct.unpack(">BBI", header)
        return pdu_type, self.socket.recv(length, socket.MSG_WAITALL)

    def read_status(self) -> int:
        """Return the status of the next response."""
        pdu_type, body = self.read()
        assert pdu_type == peer.P_DATA_TF, (pdu_type, body)
        elements: Mapping[int, bytes] = dict(_elements(body[6:]))
        return int.from_bytes(elements[peer.STATUS], "little")


def _elements(command_set: bytes) -> Iterator[tuple[int, bytes]]:
    position = 0
    while position < len(command_set):
        _, number, length = struct.unpack_from("<HHI", command_set, position)
        yield number, command_set[position + 8 : position + 8 + length]
        position += 8 + length
