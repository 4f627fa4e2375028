"""An experiment on asyncio: system calls with the descriptor kept or not between waits, or a `BufferedProtocol`."""

from __future__ import annotations

import asyncio
import os
import select
import socket
from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine, Iterator, Sequence
from functools import partial
from typing import cast

from bench.experiments.comparing import Side, beside, compare

KB = 1 << 10
REQUEST, RESPONSE = os.urandom(8 * KB), bytes(150)
MESSAGES = 2000
HUGE, PDU = 256 << 20, 128 * KB
BATCH = 64  # buffers
RECEIVED = 256 * KB
TIMEOUT = 60
BREATH = 256 * KB  # bytes between two yields


class Way(ABC):
    """A connection on the running event loop, for one task."""

    @abstractmethod
    async def open(self, connection: socket.socket) -> None:
        """Begin to use a connection."""

    @abstractmethod
    async def receive(self) -> int:
        """Receive some bytes and discard them; return 0 at the end."""

    @abstractmethod
    async def send(self, buffers: Sequence[memoryview]) -> None:
        """Send all buffers, or pass them to something that limits how much it keeps."""

    async def close(self) -> None:
        """Wait until everything has been sent."""


class Calls(Way):
    """A way with system calls, the one in use: if one would block, the descriptor is added to the loop for the wait only."""

    async def open(self, connection: socket.socket) -> None:
        connection.setblocking(False)
        self._connection, self._file = connection, connection.fileno()
        self._loop = asyncio.get_running_loop()
        self._buffer = memoryview(bytearray(RECEIVED))
        self._moved = 0

    async def _breathe(self, count: int) -> None:
        self._moved += count
        if self._moved >= BREATH:
            self._moved = 0
            await asyncio.sleep(0)

    async def receive(self) -> int:
        while True:
            try:
                count = self._connection.recv_into(self._buffer)
            except BlockingIOError:
                await self._readable()
            else:
                await self._breathe(count)
                return count

    async def _readable(self) -> None:
        waiter = self._loop.create_future()
        self._loop.add_reader(self._file, _done, waiter)
        timer = self._loop.call_later(TIMEOUT, _done, waiter)
        try:
            await waiter
        finally:
            timer.cancel()
            self._loop.remove_reader(self._file)

    async def send(self, buffers: Sequence[memoryview]) -> None:
        left = list(buffers)
        while left:
            try:
                sent = self._connection.sendmsg(left)
            except BlockingIOError:
                waiter = self._loop.create_future()
                self._loop.add_writer(self._file, _done, waiter)
                await waiter
                self._loop.remove_writer(self._file)
                continue
            await self._breathe(sent)
            index = 0
            while index < len(left) and sent >= len(left[index]):
                sent -= len(left[index])
                index += 1
            left = left[index:]
            if sent:
                left[0] = left[0][sent:]


class KeptReader(Calls):
    """A way like `Calls` that leaves the descriptor with the loop until something arrives while nothing waits for it."""

    async def open(self, connection: socket.socket) -> None:
        await super().open(connection)
        self._waiter: asyncio.Future[None] | None = None
        self._kept = False

    def _arrived(self) -> None:
        if self._waiter is None or self._waiter.done():
            self._loop.remove_reader(self._file)
            self._kept = False
        else:
            self._waiter.set_result(None)

    async def _readable(self) -> None:
        self._waiter = self._loop.create_future()
        if not self._kept:
            self._loop.add_reader(self._file, self._arrived)
            self._kept = True
        timer = self._loop.call_later(TIMEOUT, _done, self._waiter)
        try:
            await self._waiter
        finally:
            timer.cancel()
            self._waiter = None


class LoopCalls(Calls):
    """A way with the loop's own `sock_recv_into`, within a time limit."""

    async def receive(self) -> int:
        async with asyncio.timeout(TIMEOUT):
            return await self._loop.sock_recv_into(self._connection, cast(bytearray, self._buffer))


class Protocol(Way, asyncio.BufferedProtocol):
    """A way with a `BufferedProtocol`: the loop receives into our buffer, and sends or keeps what is written."""

    async def open(self, connection: socket.socket) -> None:
        self._loop = asyncio.get_running_loop()
        self._buffer = memoryview(bytearray(RECEIVED))
        self._held, self._ended = 0, False
        self._waiter: asyncio.Future[None] | None = None
        self._writable = asyncio.Event()
        self._writable.set()
        self._lost = self._loop.create_future()
        self._transport, _ = await self._loop.connect_accepted_socket(lambda: self, connection)

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._buffer[self._held :]

    def buffer_updated(self, nbytes: int) -> None:
        self._held += nbytes
        if self._held == RECEIVED:
            self._transport.pause_reading()
        self._wake()

    def eof_received(self) -> bool:
        self._ended = True
        self._wake()
        return True

    def _wake(self) -> None:
        if self._waiter is not None:
            _done(self._waiter)

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def connection_lost(self, exc: Exception | None) -> None:
        self._lost.set_result(None)

    async def receive(self) -> int:
        if not self._held and not self._ended:
            self._waiter = self._loop.create_future()
            timer = self._loop.call_later(TIMEOUT, _done, self._waiter)
            try:
                await self._waiter
            finally:
                timer.cancel()
                self._waiter = None
        count, self._held = self._held, 0
        if count == RECEIVED:
            self._transport.resume_reading()
        return count

    async def send(self, buffers: Sequence[memoryview]) -> None:
        self._transport.writelines(buffers)
        if not self._writable.is_set():
            await self._writable.wait()

    async def close(self) -> None:
        self._transport.close()
        await self._lost


def _done(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)


# --- the tasks: a fixed amount in total, over a number of connections ---


async def answer(way: Way, connections: int) -> None:
    """Answer small requests."""
    for _ in range(MESSAGES // connections):
        left = len(REQUEST)
        while left:
            left -= await way.receive()
        await way.send([memoryview(RESPONSE)])


async def take(way: Way, connections: int) -> None:
    """Receive until the end."""
    while await way.receive():
        pass


async def give(way: Way, connections: int) -> None:
    """Send PDUs in batches."""
    batch = [memoryview(os.urandom(PDU))] * (BATCH // 2)
    for _ in range(HUGE // connections // (PDU * len(batch))):
        await way.send(batch)


def ask(connection: socket.socket, connections: int) -> Iterator[int]:
    """Act as the peer of `answer`, and yield the events that it waits for."""
    buffer = bytearray(len(RESPONSE))
    for _ in range(MESSAGES // connections):
        connection.send(REQUEST)
        yield select.POLLIN
        connection.recv_into(buffer)


def pour(connection: socket.socket, connections: int) -> Iterator[int]:
    """Act as the peer of `take`."""
    chunk, left = os.urandom(BREATH), HUGE // connections
    while left > 0:
        yield select.POLLOUT
        left -= connection.send(chunk)


def drain(connection: socket.socket, connections: int) -> Iterator[int]:
    """Act as the peer of `give`."""
    buffer = bytearray(RECEIVED)
    while True:
        yield select.POLLIN
        if not connection.recv_into(buffer):
            return


def on_a_loop(
    make: Callable[[], Way], task: Callable[[Way, int], Coroutine[None, None, None]], connections: int
) -> Side:
    """Return a side that makes a number of connections to its peer, and runs a task for each."""

    async def one(port: int) -> None:
        with socket.create_connection(("127.0.0.1", port)) as connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            way = make()
            await way.open(connection)
            await task(way, connections)
            await way.close()

    async def run(port: int) -> None:
        await asyncio.gather(*(one(port) for _ in range(connections)))

    return lambda control: asyncio.run(run(int(control.recv(16))))


def beside_it(peer: Callable[[socket.socket, int], Iterator[int]], connections: int, control: socket.socket) -> None:
    """Run the side that listens, with a peer for each connection, all in one `poll`."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        control.sendall(str(listener.getsockname()[1]).encode())
        poll, running = select.poll(), {}
        for _ in range(connections):
            connection, _ = listener.accept()
            connection.setblocking(False)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            steps = peer(connection, connections)
            running[connection.fileno()] = connection, steps
            poll.register(connection, next(steps))
        while running:
            for file, _ in poll.poll():
                connection, steps = running[file]
                if next(steps, None) is None:
                    poll.unregister(file)
                    running.pop(file)
                    connection.close()


def main() -> None:
    """Print a table for each task and number of connections."""
    ways: dict[str, Callable[[], Way]] = {
        "system calls, add_reader for each wait": Calls,
        "system calls, reader kept": KeptReader,
        "loop.sock_recv_into": LoopCalls,
        "BufferedProtocol": Protocol,
    }
    for title, task, peer in (("8 KB answered", answer, ask), ("received", take, pour), ("sent", give, drain)):
        for connections in (1, 50):
            many = f"{MESSAGES} of " if task is answer else f"{HUGE >> 20} MB "
            compare(
                f"{many}{title}, {connections} connections",
                {
                    name: partial(beside, on_a_loop(make, task, connections), partial(beside_it, peer, connections))
                    for name, make in ways.items()
                },
                count=MESSAGES if task is answer else 1,
                rounds=5,
            )


if __name__ == "__main__":
    main()
