"""The drivers and the two faces, so that a test is written once and runs on each.

@on_each_driver
async def test_a_peer_is_verified(driver: Driver) -> None:
    with serving("threads") as port:
        async with await driver.associate(port) as association:
            assert await association.echo() == 0
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import ssl
import threading
from collections.abc import Callable, Coroutine, Iterable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any, Literal

import pytest

import dimse
from dimse import aio, services, uids
from dimse.association.establishing import Open
from dimse.media import part10
from dimse.services import Association
from dimse.serving.loop import Loop
from dimse.serving.reception import Reception
from dimse.serving.transport import ServedTransport
from dimse.settings import ProposedContext
from dimse.transport import base
from dimse.transport import looped as on_a_loop
from dimse.transport import threaded as in_a_thread
from dimse.transport.base import Transport
from tests.faulty_peer import Connection

LOOPBACK = "127.0.0.1"
CT_IN_EXPLICIT_VR = ProposedContext(uids.CTImageStorage, (uids.ExplicitVRLittleEndian,))


@dataclass(frozen=True, slots=True)
class Driver:
    """A driver, which is one of the ways to run everything that waits.

    Attributes:
        name: The name in the names of tests.
        run: A function that runs a coroutine to its end.
        connect: A function that opens a transport connection.
        transport: A function that makes a transport of a connected socket.
    """

    name: str
    run: Callable[[Coroutine[Any, Any, Any]], Any]
    connect: Open
    transport: Callable[[socket.socket], Transport]

    async def associate(
        self,
        port: int,
        contexts: Iterable[str | ProposedContext] = (uids.Verification, CT_IN_EXPLICIT_VR),
        **options: Any,
    ) -> Association:
        """Request an association with the server on `port` of this machine. Options are those of `dimse.associate`."""
        return await services.associate(self.connect, LOOPBACK, port, contexts=contexts, **options)


BLOCKING = Driver("blocking", in_a_thread.run, in_a_thread.connect, in_a_thread.ThreadTransport)
ASYNCIO = Driver("asyncio", asyncio.run, on_a_loop.connect, on_a_loop.AsyncioTransport)

_LOOP: ContextVar[Loop] = ContextVar("_LOOP")


def _run_by_a_loop(coroutine: Coroutine[Any, Any, Any]) -> Any:
    future: Future[Any] = Future()

    async def serve() -> None:
        try:
            future.set_result(await coroutine)
        except BaseException as error:  # raised again below
            future.set_exception(error)

    loop = Loop()
    before = _LOOP.set(loop)
    try:
        loop.start()
        loop.serve(serve())
        loop.wait(None)
        loop.close()
        return future.result(0)
    finally:
        _LOOP.reset(before)


def _served_transport(connection: socket.socket) -> Transport:
    return ServedTransport(connection, _LOOP.get())


SERVED = Driver(
    "served",
    _run_by_a_loop,
    lambda host, port, timeout: base.connect(_served_transport, in_a_thread.resolve, host, port, timeout),
    _served_transport,
)

in_the_callers_thread = pytest.mark.parametrize("driver", [BLOCKING, ASYNCIO], ids=lambda driver: driver.name)
# Every server of the tests has an event loop, so its driver is tested thoroughly only.
with_each_driver = pytest.mark.parametrize(
    "driver", [BLOCKING, ASYNCIO, pytest.param(SERVED, marks=pytest.mark.thorough)], ids=lambda driver: driver.name
)


def on_each_driver(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Let an `async def` test, whose first argument is `driver`, run on every driver."""

    @wraps(test)
    def run(*, driver: Driver, **fixtures: Any) -> None:
        driver.run(test(driver=driver, **fixtures))

    each: Callable[..., None] = with_each_driver(run)
    return each


# --- the servers ---

Face = Literal["threads", "asyncio"]
on_both_faces = pytest.mark.parametrize("face", ["threads", "asyncio"])


@contextmanager
def running(face: Face, handlers: dimse.Handlers | None = None, **options: Any) -> Iterator[Reception]:
    """Run a server of either face on a free port of this machine, in the background. Options are those of `dimse.Server`."""
    address = options.pop("address", (LOOPBACK, 0))
    if face == "threads":
        with dimse.Server(address, handlers, **options) as server:
            yield server
        return
    started: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []
    listens, failed = threading.Event(), list[BaseException]()
    loop_server = aio.Server(address, handlers, **options)

    async def serve() -> None:
        leave = asyncio.Event()
        async with loop_server:
            started.append((asyncio.get_running_loop(), leave))
            listens.set()
            await leave.wait()

    def run() -> None:
        try:
            asyncio.run(serve())
        except BaseException as error:  # raised again below
            failed.append(error)
        listens.set()

    thread = threading.Thread(target=run, name="aio.Server")
    thread.start()
    listens.wait()
    try:
        if started:
            yield loop_server
    finally:
        for loop, leave in started:
            loop.call_soon_threadsafe(leave.set)
        thread.join()
    if failed:
        raise failed[0]


@contextmanager
def serving(face: Face = "threads", handlers: dimse.Handlers | None = None, **options: Any) -> Iterator[int]:
    """Run a server as `running` does, and yield its port."""
    with running(face, handlers, **options) as server:
        yield server.address[1]


# --- instances ---


@dataclass(frozen=True, slots=True)
class Instance:
    """A CT image in Explicit VR Little Endian, made without pydicom.

    Attributes:
        path: The Part 10 file.
        sop_instance_uid: The SOP Instance UID.
        data_set: The bytes of the data set.
    """

    path: Path
    sop_instance_uid: str
    data_set: bytes


def make_instance(folder: Path, number: int = 1, pixels: int = 1000) -> Instance:
    """Write a file with one SOP instance.

    Args:
        folder: The folder of the file.
        number: The last component of its UID, and the seed of its pixels.
        pixels: The number of bytes of pixel data, even.
    """
    uid = f"1.2.826.0.1.3680043.10.999.{number}"
    pattern = bytes((number + 7 * index) % 251 for index in range(251))
    pixel_data = (pattern * (pixels // 251 + 1))[:pixels]
    data_set = (
        _short(0x0008, 0x0016, b"UI", uids.CTImageStorage.encode())
        + _short(0x0008, 0x0018, b"UI", uid.encode())
        + bytes.fromhex("E07F1000")
        + b"OW\0\0"
        + pixels.to_bytes(4, "little")
        + pixel_data
    )
    meta = part10.FileMeta(uids.CTImageStorage, uid, uids.ExplicitVRLittleEndian, "1.2.3.4")
    path = folder / f"{number}.dcm"
    path.write_bytes(part10.encode(meta) + data_set)
    return Instance(path, uid, data_set)


def _short(group: int, element: int, vr: bytes, value: bytes) -> bytes:
    value += b"\0" * (len(value) % 2)
    return group.to_bytes(2, "little") + element.to_bytes(2, "little") + vr + len(value).to_bytes(2, "little") + value


class Received:
    """A set of handlers that keep stored instances in memory."""

    def __init__(self) -> None:
        self.data_sets: dict[str, bytes] = {}
        self.handlers = dimse.Handlers(store=self.store)

    def store(self, request: dimse.StoreRequest) -> int:
        """Keep a data set under its SOP instance UID."""
        self.data_sets[request.sop_instance_uid] = bytes(request.view())
        return 0x0000


# --- the behaviour of a peer ---


def until_it_ends(connection: Connection) -> None:
    """Read until an A-ABORT or the end, and close at once, since an aborting side waits a moment for that."""
    while connection.read_pdu()[0] != 7:
        pass
    connection.close()


def silent(connection: Connection) -> None:
    """Accept the association and one message, answer nothing, and wait for the other side to end."""
    connection.accept()
    connection.read_message()
    until_it_ends(connection)


# --- what is left at the end ---


def open_descriptors() -> int:
    """Return the number of file descriptors that this process holds."""
    return len(os.listdir("/dev/fd"))


def errors(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return the lines that were logged as errors."""
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR]


# --- TLS ---


@dataclass(frozen=True, slots=True)
class TLSContexts:
    """A server's context, the context of a client that trusts it, and that of a client that does not."""

    server: ssl.SSLContext
    client: ssl.SSLContext
    stranger: ssl.SSLContext


def tls_contexts() -> TLSContexts:
    """Return contexts with a certificate for this machine, made for the test."""
    import trustme

    authority = trustme.CA()
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(LOOPBACK, "::1", "localhost").configure_cert(server)
    client, stranger = ssl.create_default_context(), ssl.create_default_context()
    authority.configure_trust(client)
    trustme.CA().configure_trust(stranger)
    return TLSContexts(server, client, stranger)
