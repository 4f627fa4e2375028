"""Mutated conversations with running servers and requestors: each ends in time, and nothing else notices.

What DCMTK, pynetdicom and we say is recorded, changed by a seed and said again. A campaign has ten times as many conversations:
`DIMSE_CONVERSATIONS` and `DIMSE_SEED` choose how many, and which.
"""

from __future__ import annotations

import asyncio
import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from random import Random

import pytest

import dimse
from dimse import aio
from dimse.testing import LOOPBACK, StorageSCP
from tests.chaos.mutation import Pdus, Recorder, cut_into_pdus, mutate
from tests.drivers import Face, on_both_faces
from tests.files import pydicom_files
from tests.hostile_scu import descriptors_and_threads, works
from tests.interop import peers
from tests.server_process import server_process
from tests.tools import running

SEED = int(os.environ.get("DIMSE_SEED", "12"))
CONVERSATIONS = int(os.environ.get("DIMSE_CONVERSATIONS", "10000"))
SOON = 0.02
"""Seconds for the server's answer before the requestor goes on anyway."""
A_LOOK = 200
"""Conversations between two looks at the server."""
LONGEST = 10.0
"""Seconds that a requestor of ours may take: its timeouts are shorter."""
TIMEOUTS = dimse.Timeouts(connect=2, acse=0.5, dimse=0.5, network=0.5)

CT = [
    file
    for file in pydicom_files().sendable
    if file.sop_class_uid == dimse.uids.CTImageStorage
    and file.transfer_syntax in (dimse.uids.ImplicitVRLittleEndian, dimse.uids.ExplicitVRLittleEndian)
][:3]

CONTEXTS = (
    dimse.ProposedContext(dimse.uids.CTImageStorage, tuple(dict.fromkeys(file.transfer_syntax for file in CT))),
    dimse.Verification,
)

sizes = pytest.mark.parametrize(
    "count",
    [
        pytest.param(CONVERSATIONS // 10, marks=pytest.mark.thorough),
        pytest.param(CONVERSATIONS, marks=[pytest.mark.campaign, pytest.mark.timeout(0)]),
    ],
    ids=["a tenth", "all"],
)


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[Pdus, Pdus]]:
    """Return what requestors and acceptors send each other when all is well."""
    paths = [str(file.path) for file in CT]
    with StorageSCP(async_ops=4) as scp:
        recorder = Recorder(scp.port)
        with recorder as port:
            for tool in ("echoscu", "storescu"):
                files = paths if tool == "storescu" else []
                assert running.tool(tool, LOOPBACK, port, *files).returncode == 0
            assert running.tool("storescu", "--async-ops", 4, LOOPBACK, port, *paths).returncode == 0
            identity = dimse.UserIdentity(2, b"user", b"secret", positive_response_requested=False)
            with dimse.associate(
                LOOPBACK, port, contexts=["CTImageStorage", dimse.Verification], identity=identity
            ) as ours:
                ours.echo()
                ours.abort()
            for name in ("echoscu", "storescu"):
                path = peers.dcmtk(name)
                files = paths if name == "storescu" else []
                assert running.run(path, LOOPBACK, str(port), *files).returncode == 0
    conversations = [(cut_into_pdus(asked), cut_into_pdus(said)) for asked, said in recorder.conversations]
    assert len(conversations) >= 5
    return conversations


def _say(port: int, pdus: Pdus, random: Random) -> None:
    """Say a conversation to a server, in pieces, and end it in one way or another."""
    with suppress(OSError), socket.create_connection((LOOPBACK, port), timeout=5) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.settimeout(SOON)
        for index, pdu in enumerate(pdus):
            split = random.randrange(len(pdu) + 1)
            connection.sendall(pdu[:split])
            connection.sendall(pdu[split:])
            if index == 0 or random.random() < 0.2:
                with suppress(TimeoutError):
                    if not connection.recv(65536):
                        return
        if random.random() < 0.3:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        elif random.random() < 0.3:
            connection.shutdown(socket.SHUT_WR)
            with suppress(TimeoutError):
                connection.recv(65536)


@sizes
@on_both_faces
def test_a_server_goes_on_whatever_it_is_told(
    face: Face, count: int, recorded: list[tuple[Pdus, Pdus]], tmp_path: Path
) -> None:
    asked = [conversation for conversation, _ in recorded]
    with server_process(face, tmp_path / "in") as server:
        works(server.port, "1.2.3.1")
        base = descriptors_and_threads(server.pid)
        for number in range(count):
            random = Random(f"{SEED}/{number}")
            _say(server.port, mutate(random.choice(asked), asked, random), random)
            if number % A_LOOK == A_LOOK - 1:
                works(server.port, f"1.2.4.{number}")
        works(server.port, "1.2.3.2")
        # Those that were cut off in the middle have the network timeout to go on.
        server.settle((base[0] + 100, base[1] + 100))
        said = "\n".join(server.said())
        assert "Traceback" not in said
        assert "Error:" not in said, said[-2000:]


# --- requestors of ours


class _MutatingSCP:
    """An acceptor that says what another one said, with changes that the seed decides."""

    def __init__(self, said: list[Pdus]) -> None:
        self._said = said
        self.random = Random(SEED)

    def __enter__(self) -> int:
        self._listener = socket.create_server((LOOPBACK, 0))
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()
        port: int = self._listener.getsockname()[1]
        return port

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(30)

    def _listen(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                with suppress(OSError), connection:
                    self._serve(connection)

    def _serve(self, connection: socket.socket) -> None:
        connection.settimeout(0.3)
        for pdu in mutate(self.random.choice(self._said), self._said, self.random):
            with suppress(TimeoutError):
                if not connection.recv(65536):
                    return
            connection.sendall(pdu)
        with suppress(TimeoutError):
            while connection.recv(65536):
                pass


def _store_with(port: int) -> Iterator[dimse.Outcome]:
    with dimse.associate(LOOPBACK, port, contexts=CONTEXTS, timeouts=TIMEOUTS) as association:
        association.echo()
        yield from association.store_many([file.path for file in CT])


async def _store_on_a_loop(port: int) -> None:
    async with aio.associate(LOOPBACK, port, contexts=CONTEXTS, timeouts=TIMEOUTS) as association:
        await association.echo()
        async for _ in association.store_many([file.path for file in CT]):
            pass


@pytest.mark.parametrize(
    "count",
    [
        pytest.param(CONVERSATIONS // 200, marks=pytest.mark.thorough),
        pytest.param(CONVERSATIONS // 20, marks=[pytest.mark.campaign, pytest.mark.timeout(0)]),
    ],
    ids=["a tenth", "all"],
)
@on_both_faces
def test_a_requestor_ends_in_time_whatever_it_is_told(
    face: Face, count: int, recorded: list[tuple[Pdus, Pdus]]
) -> None:
    with _MutatingSCP([said for _, said in recorded]) as port:
        for _ in range(count):
            started = time.monotonic()
            with suppress(dimse.DimseError):
                if face == "asyncio":
                    asyncio.run(_store_on_a_loop(port))
                else:
                    list(_store_with(port))
            assert time.monotonic() - started < LONGEST
