"""The contract of every transport: both drivers, plain and with TLS over them."""

from __future__ import annotations

import asyncio
import errno
import socket
import ssl
import struct
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import pytest

from dimse.errors import ConnectError, ConnectionLost
from dimse.settings.tls import Security
from dimse.transport import READ, WRITE, threaded
from dimse.transport.base import Transport
from tests.drivers import ASYNCIO, LOOPBACK, Driver, TLSContexts, on_each_driver, open_descriptors, tls_contexts

SOON = 0.1  # seconds: a deadline to pass
IN_TIME = 10.0  # seconds: one that is not
# Seconds: nothing that ends by a deadline of `SOON` takes as long.
LATE = 5.0

plain_and_tls = pytest.mark.parametrize("secured", [False, True], ids=["plain", "tls"])


@pytest.fixture(scope="module")
def contexts() -> TLSContexts:
    return tls_contexts()


@contextmanager
def listening(family: int = socket.AF_INET, host: str = LOOPBACK, backlog: int = 8) -> Iterator[socket.socket]:
    with socket.socket(family, socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)  # a window that fills soon
        listener.bind((host, 0))
        listener.listen(backlog)
        yield listener


@contextmanager
def deaf() -> Iterator[int]:
    """Yield the port of a listener whose queue is full: it answers no further connection."""
    with listening(backlog=0) as listener:
        waiting = [socket.socket() for _ in range(4)]
        for connection in waiting:
            connection.setblocking(False)
            connection.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]
        for connection in waiting:
            connection.close()


@asynccontextmanager
async def connected(
    driver: Driver, contexts: TLSContexts | None = None, secured: bool = False
) -> AsyncIterator[tuple[Transport, socket.socket]]:
    """Yield a transport, and the socket at its other end, which blocks."""
    with listening() as listener, ThreadPoolExecutor(1) as executor:
        transport = await driver.connect(LOOPBACK, listener.getsockname()[1], IN_TIME)
        other, _ = listener.accept()
        if secured:
            assert contexts is not None
            handshake = executor.submit(contexts.server.wrap_socket, other, server_side=True)
            await transport.secure(Security(contexts.client), time.monotonic() + IN_TIME, host=LOOPBACK)
            other = handshake.result()
            other.sendall(b"\0")
            # The session tickets of TLS 1.3 come with it.
            assert await receive(transport, 1) == b"\0"
        try:
            yield transport, other
        finally:
            transport.close()
            other.close()


async def receive(transport: Transport, count: int) -> bytes:
    """Exactly `count` bytes, waiting for them as an association does."""
    received, buffer = b"", memoryview(bytearray(65536))
    while len(received) < count:
        taken = await transport.receive_some(buffer)
        if taken is None:
            assert await transport.ready(READ, time.monotonic() + IN_TIME)
            continue
        assert taken
        received += buffer[:taken]
    return received


async def send(transport: Transport, data: bytes) -> None:
    view = memoryview(data)
    while view:
        sent = transport.send_some([view[:70000], view[70000:]])
        view = view[sent:]
        if not sent:
            assert await transport.ready(WRITE, time.monotonic() + IN_TIME)


def read_all(connection: socket.socket, count: int) -> bytes:
    received = bytearray()
    while len(received) < count:
        received += connection.recv(1 << 20)
    return bytes(received)


# --- connecting ---


@on_each_driver
async def test_it_connects_and_knows_the_other_end(driver: Driver) -> None:
    async with connected(driver) as (transport, other):
        assert transport.peer_address == other.getsockname()
        assert not transport.closed
        assert not other.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)


@on_each_driver
async def test_no_small_message_waits_for_an_acknowledgement(driver: Driver) -> None:
    with listening() as listener:
        transport = await driver.connect(LOOPBACK, listener.getsockname()[1], IN_TIME)
        assert transport._plain.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        transport.close()


@on_each_driver
async def test_a_refused_connection_says_so(driver: Driver) -> None:
    with listening() as listener:
        port = listener.getsockname()[1]
    with pytest.raises(ConnectError, match=r"^Connection refused$") as raised:
        await driver.connect(LOOPBACK, port, IN_TIME)
    assert isinstance(raised.value.__cause__, ConnectionRefusedError)


@on_each_driver
@pytest.mark.parametrize("host", ["no-such-host.invalid", "a" * 64 + ".invalid", "..", "1.2.3.4.5.6"])
async def test_an_unknown_host_says_so(driver: Driver, host: str) -> None:
    with pytest.raises(ConnectError, match=r"(?i)name") as raised:
        await driver.connect(host, 104, IN_TIME)
    assert isinstance(raised.value.__cause__, (OSError, UnicodeError))


@on_each_driver
async def test_a_host_that_does_not_accept_is_given_up_at_the_deadline(driver: Driver) -> None:
    before = open_descriptors()
    with deaf() as port:
        started = time.monotonic()
        with pytest.raises(ConnectError, match=r"^Connection timed out$") as raised:
            await driver.connect(LOOPBACK, port, SOON)
        assert SOON <= time.monotonic() - started < LATE
    assert isinstance(raised.value.__cause__, TimeoutError)
    assert open_descriptors() == before


@on_each_driver
async def test_an_ipv6_address_is_connected_to(driver: Driver) -> None:
    try:
        listener_of = listening(socket.AF_INET6, "::1")
        listener = listener_of.__enter__()
    except OSError as error:
        pytest.skip(f"no IPv6 here: {error}")
    transport = await driver.connect("::1", listener.getsockname()[1], IN_TIME)
    assert transport.peer_address == ("::1", listener.getsockname()[1])
    transport.close()
    listener_of.__exit__(None, None, None)


@on_each_driver
async def test_each_address_of_a_name_is_tried(driver: Driver) -> None:
    # This is on 127.0.0.1 only, and localhost may be ::1 first.
    with listening() as listener:
        transport = await driver.connect("localhost", listener.getsockname()[1], IN_TIME)
        assert transport.peer_address == (LOOPBACK, listener.getsockname()[1])
        transport.close()


# --- bytes ---


@plain_and_tls
@on_each_driver
async def test_bytes_go_both_ways(driver: Driver, contexts: TLSContexts, secured: bool) -> None:
    async with connected(driver, contexts, secured) as (transport, other):
        assert transport.send_some([b"A-ASSO", memoryview(b"CIATE")]) == 11
        assert read_all(other, 11) == b"A-ASSOCIATE"
        other.sendall(b"answer")
        assert await receive(transport, 6) == b"answer"


@plain_and_tls
@on_each_driver
async def test_megabytes_arrive_as_they_were_sent(driver: Driver, contexts: TLSContexts, secured: bool) -> None:
    data = bytes(range(256)) * (1 << 14)
    async with connected(driver, contexts, secured) as (transport, other):
        with ThreadPoolExecutor(1) as executor:
            arriving = executor.submit(read_all, other, len(data))
            await send(transport, data)
            assert arriving.result() == data
            sending = executor.submit(other.sendall, data)
            assert await receive(transport, len(data)) == data
            sending.result()


@plain_and_tls
@on_each_driver
async def test_nothing_to_receive_is_not_the_end(driver: Driver, contexts: TLSContexts, secured: bool) -> None:
    async with connected(driver, contexts, secured) as (transport, other):
        buffer = memoryview(bytearray(10))
        assert await transport.receive_some(buffer) is None
        other.close()
        assert await transport.ready(READ, time.monotonic() + IN_TIME) & READ
        assert await transport.receive_some(buffer) == 0


@plain_and_tls
@on_each_driver
async def test_what_was_received_in_part_is_ready_at_once(driver: Driver, contexts: TLSContexts, secured: bool) -> None:
    async with connected(driver, contexts, secured) as (transport, other):
        other.sendall(b"0123456789")
        assert await transport.ready(READ, time.monotonic() + IN_TIME)
        buffer = memoryview(bytearray(4))
        received = b""
        while len(received) < 10:
            # TLS holds the rest; poll does not see it.
            assert await transport.ready(READ, time.monotonic() + IN_TIME)
            received += buffer[: await transport.receive_some(buffer) or 0]
        assert received == b"0123456789"


# --- waiting ---


@plain_and_tls
@on_each_driver
async def test_a_wait_ends_at_its_deadline(driver: Driver, contexts: TLSContexts, secured: bool) -> None:
    async with connected(driver, contexts, secured) as (transport, _):
        buffer = memoryview(bytearray(10))
        assert await transport.receive_some(buffer) is None
        started = time.monotonic()
        assert await transport.ready(READ, started + SOON) == 0
        assert SOON <= time.monotonic() - started < LATE
        assert await transport.ready(READ, started) == 0  # passed already


@on_each_driver
async def test_what_can_be_written_is_ready_at_once(driver: Driver) -> None:
    async with connected(driver) as (transport, other):
        assert await transport.ready(WRITE, None) == WRITE
        assert await transport.ready(READ | WRITE, None) == WRITE
        other.sendall(b"x")
        assert await transport.ready(READ, None) == READ


@plain_and_tls
@on_each_driver
async def test_a_full_connection_can_be_written_once_the_peer_reads(
    driver: Driver, contexts: TLSContexts, secured: bool
) -> None:
    async with connected(driver, contexts, secured) as (transport, other):
        block, total = bytes(1 << 20), 0
        while sent := transport.send_some([block]):
            total += sent
        assert await transport.ready(WRITE, time.monotonic() + SOON) == 0
        with ThreadPoolExecutor(1) as executor:
            reading = executor.submit(read_all, other, total)
            assert await transport.ready(WRITE, time.monotonic() + IN_TIME)
            # With TLS, the bytes that could not go out come first.
            await send(transport, block)
            reading.result()
            other.settimeout(IN_TIME)


@plain_and_tls
@on_each_driver
async def test_after_a_send_that_took_a_part_the_rest_can_be_written(
    driver: Driver, contexts: TLSContexts, secured: bool
) -> None:
    async with connected(driver, contexts, secured) as (transport, _):
        assert transport.send_some([b"header", bytes(100_000)]) > 0
        assert await transport.ready(READ | WRITE, time.monotonic() + IN_TIME) & WRITE


@plain_and_tls
@on_each_driver
async def test_while_a_send_waits_what_arrives_is_seen(driver: Driver, contexts: TLSContexts, secured: bool) -> None:
    async with connected(driver, contexts, secured) as (transport, other):
        block = bytes(1 << 20)
        while transport.send_some([block]):
            pass
        other.sendall(b"abort")
        assert await transport.ready(READ | WRITE, time.monotonic() + IN_TIME) & READ
        assert await receive(transport, 5) == b"abort"


@plain_and_tls
@on_each_driver
async def test_a_wait_is_woken_from_another_thread(driver: Driver, contexts: TLSContexts, secured: bool) -> None:
    async with connected(driver, contexts, secured) as (transport, _):
        buffer = memoryview(bytearray(10))
        assert await transport.receive_some(buffer) is None
        timer = threading.Timer(SOON, transport.wake)
        timer.start()
        assert await transport.ready(READ, None) & READ
        assert await transport.receive_some(buffer) == 0
        timer.join()
        transport.wake()
        with pytest.raises(ConnectionLost):
            transport.send_some([b"x"])


# --- the end ---


@on_each_driver
async def test_a_reset_connection_is_lost(driver: Driver) -> None:
    async with connected(driver) as (transport, other):
        other.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        other.close()
        assert await transport.ready(READ, time.monotonic() + IN_TIME)
        with pytest.raises(ConnectionLost, match="reset by peer") as raised:
            await transport.receive_some(memoryview(bytearray(10)))
        assert isinstance(raised.value.__cause__, ConnectionResetError)
        with pytest.raises(ConnectionLost, match="while sending: Broken pipe"):
            transport.send_some([b"x"])
        transport.send_now(b"x")  # raises nothing


@plain_and_tls
@on_each_driver
async def test_it_closes_once(driver: Driver, contexts: TLSContexts, secured: bool) -> None:
    async with connected(driver, contexts, secured) as (transport, other):
        before = open_descriptors()
        transport.close()
        assert transport.closed and transport.peer_address == ("", 0)
        # This may get the number of the closed descriptor.
        with open("/dev/null", "rb"):
            transport.close()
            transport.wake()
            transport.send_now(b"x")
            assert open_descriptors() == before
        assert other.recv(10) == b""


# --- handlers ---


@on_each_driver
async def test_a_handler_is_called_def_or_async_def(driver: Driver) -> None:
    def handler(first: int, second: int) -> int:
        return first + second

    async def asynchronous(first: int, second: int) -> int:
        await asyncio.sleep(0)
        return first * second

    def failing() -> int:
        raise KeyError("mine")

    async with connected(driver) as (transport, _):
        assert await transport.call(handler, 2, 3) == 5
        awaitable: Callable[..., Any] = asynchronous
        assert await transport.call(awaitable, 2, 3) == 6
        assert await transport.call(lambda: awaitable(3, 3)) == 9
        with pytest.raises(KeyError, match="mine"):
            await transport.call(failing)


def test_on_a_loop_a_blocking_handler_delays_no_other() -> None:
    async def scenario() -> None:
        async with connected(ASYNCIO) as (transport, _):
            release = threading.Event()
            blocked = asyncio.create_task(transport.call(release.wait, IN_TIME))
            asyncio.get_running_loop().call_later(0, release.set)
            assert await blocked

    asyncio.run(scenario())


def test_on_a_loop_others_have_their_turn_while_bytes_move() -> None:
    async def scenario() -> None:
        turns = 0

        async def other_task() -> None:
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        async with connected(ASYNCIO) as (transport, other):
            task = asyncio.create_task(other_task())
            buffer = memoryview(bytearray(1 << 16))
            # This makes 4 MiB, and none of the calls ever blocks.
            for _ in range(64):
                other.sendall(buffer)
                while await transport.receive_some(buffer):
                    pass
            assert turns >= 8
            task.cancel()

    asyncio.run(scenario())


# --- TLS ---


@on_each_driver
async def test_a_certificate_that_is_not_trusted_is_refused(driver: Driver, contexts: TLSContexts) -> None:
    with listening() as listener, ThreadPoolExecutor(1) as executor:
        transport = await driver.connect(LOOPBACK, listener.getsockname()[1], IN_TIME)
        other, _ = listener.accept()
        with other:
            handshake = executor.submit(contexts.server.wrap_socket, other, server_side=True)
            with pytest.raises(ConnectError, match="TLS handshake failed") as raised:
                await transport.secure(Security(contexts.stranger), time.monotonic() + IN_TIME, host=LOOPBACK)
            assert isinstance(raised.value.__cause__, ssl.SSLCertVerificationError)
            assert transport.closed
            with pytest.raises(ssl.SSLError):
                handshake.result().recv(1)


@on_each_driver
async def test_a_handshake_that_stalls_is_given_up_at_the_deadline(driver: Driver, contexts: TLSContexts) -> None:
    async with connected(driver) as (transport, _):
        with pytest.raises(ConnectError, match="TLS handshake failed: Connection timed out") as raised:
            await transport.secure(Security(contexts.client), time.monotonic() + SOON, host=LOOPBACK)
        assert isinstance(raised.value.__cause__, OSError)
        assert raised.value.__cause__.errno == errno.ETIMEDOUT
        assert transport.closed


@on_each_driver
async def test_a_peer_without_tls_is_refused(driver: Driver, contexts: TLSContexts) -> None:
    async with connected(driver) as (transport, other):
        other.sendall(b"\x03\x00\x00\x00\x00\x04\x00\x01\x01\x01")
        with pytest.raises(ConnectError, match="TLS handshake failed: the peer speaks DICOM without TLS"):
            await transport.secure(Security(contexts.client), time.monotonic() + IN_TIME, host=LOOPBACK)
        assert transport.closed


# --- the blocking driver's own ---


def test_a_coroutine_of_the_blocking_driver_must_not_be_suspended() -> None:
    with pytest.raises(RuntimeError, match="suspended"):
        threaded.run(asyncio.sleep(0))


def test_an_iterator_of_the_blocking_driver_is_closed_with_its_loop() -> None:
    ended = []

    async def numbers() -> AsyncIterator[int]:
        try:
            yield 1
            yield 2
        finally:
            ended.append(True)

    assert list(threaded.iterate(numbers())) == [1, 2]
    started = threaded.iterate(numbers())
    assert next(started) == 1
    started.close()  # type: ignore[attr-defined]  # an Iterator to its users, who leave a `for` loop early
    assert ended == [True, True]
