"""The blocking driver: `ready` polls, so nothing ever suspends and a coroutine runs to its end in the calling thread."""

from __future__ import annotations

import select
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from types import CoroutineType
from typing import Any, TypeVar, cast

from dimse.support.pace import is_brief
from dimse.transport import READ, WRITE
from dimse.transport.attention import Attention
from dimse.transport.base import Address, Transport, call_in_thread
from dimse.transport.base import connect as _connect
from dimse.turns import aside

T = TypeVar("T")

# As on an event loop, but more: to hand a turn on costs more, and who keeps it for too long is overtaken.
BREATH_BYTES = 1024**2

POLLED = {READ: select.POLLIN, WRITE: select.POLLOUT, READ | WRITE: select.POLLIN | select.POLLOUT}
_READABLE = select.POLLIN | select.POLLHUP | select.POLLERR | select.POLLNVAL
_WRITABLE = select.POLLOUT | select.POLLHUP | select.POLLERR | select.POLLNVAL


class BlockingTransport(Transport):
    """A transport connection for the calling thread."""

    def __init__(self, connection: socket.socket) -> None:
        super().__init__(connection)
        self._descriptor = connection.fileno()
        self._poll = select.poll()
        self._attention = Attention(self._descriptor)
        self._registered = 0
        self._moved = 0

    async def breathe(self, count: int) -> None:
        """Let other threads have their turn after a MiB without a wait."""
        self._moved += count
        if self._moved >= BREATH_BYTES:
            self._moved = 0
            with aside():
                return

    async def _wait(self, events: int, deadline: float | None, awaited: bool = False) -> int:
        """Poll until an event or the deadline; the thread waits here."""
        self._want(events)
        while True:
            with aside():
                polled = self._attention.poll(self._poll, deadline, awaited)
            if polled:
                return events_of(polled[0][1])
            if deadline is not None and time.monotonic() >= deadline:
                return 0

    def close(self) -> None:
        """Close the connection; again does nothing."""
        try:
            if not self.closed:
                self._attention.end()
        finally:
            super().close()

    def _want(self, events: int) -> None:
        if self._registered != events:
            self._poll.register(self._descriptor, POLLED[events])
            self._registered = events

    async def call(self, function: Callable[..., T | Awaitable[T]], *args: Any) -> T:
        """Run it here; an `async def` gets an event loop of its own for the time."""
        if is_brief(function):
            return self._to_its_end(function, *args)
        with aside():
            return self._to_its_end(function, *args)

    async def call_within(self, seconds: float, function: Callable[..., T | Awaitable[T]], *args: Any) -> T:
        """As `call`, in a thread of its own."""
        with aside():
            answer: T = call_in_thread(self._to_its_end, function, *args).result(seconds)
        return answer

    def _to_its_end(self, function: Callable[..., T | Awaitable[T]], *args: Any) -> T:
        """Call a `def` or an `async def` in the calling thread, and return its answer."""
        return to_its_end(function, *args)


def events_of(flags: int) -> int:
    """What a poll has seen."""
    return (READ if flags & _READABLE else 0) | (WRITE if flags & _WRITABLE else 0)


def to_its_end(function: Callable[..., T | Awaitable[T]], *args: Any) -> T:
    """Run a `def` or an `async def` in the calling thread."""
    result = function(*args)
    if isinstance(result, CoroutineType):
        import asyncio

        answer: T = asyncio.run(result)
        return answer
    return cast(T, result)


async def resolve(host: str, port: int, deadline: float | None) -> list[tuple[int, Address]]:
    """Look a name up. The system's resolver has no deadline, so a name (not a number) is asked for in a thread of its own."""
    try:
        return _addresses(host, port, socket.AI_NUMERICHOST)
    except socket.gaierror:
        pass
    import threading

    found: list[list[tuple[int, Address]]] = []
    failed: list[OSError | UnicodeError] = []

    def look_up() -> None:
        try:
            found.append(_addresses(host, port, 0))
        except (OSError, UnicodeError) as error:
            failed.append(error)

    thread = threading.Thread(target=look_up, daemon=True)
    thread.start()
    thread.join(None if deadline is None else max(0.0, deadline - time.monotonic()))
    if failed:
        raise failed[0]
    if not found:
        raise socket.gaierror(socket.EAI_AGAIN, f"the name {host!r} could not be looked up in time")
    return found[0]


def _addresses(host: str, port: int, flags: int) -> list[tuple[int, Address]]:
    # As bytes: a name given as text makes Python load its tables of international domain names, for ASCII too.
    name = host.encode("ascii") if host.isascii() else host
    found = socket.getaddrinfo(name, port, type=socket.SOCK_STREAM, flags=flags)
    return [(family, address) for family, _, _, _, address in found]


async def connect(host: str, port: int, timeout: float) -> Transport:
    """Open a transport connection from the calling thread."""
    return await _connect(BlockingTransport, resolve, host, port, timeout)


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine that only ever waits in `ready` to its end."""
    try:
        coroutine.send(None)
    except StopIteration as end:
        result: T = end.value
        return result
    coroutine.close()
    raise RuntimeError("a coroutine of the blocking driver was suspended")


def iterate(iterator: AsyncIterator[T]) -> Iterator[T]:
    """The items of an asynchronous iterator, each computed when it is asked for."""
    try:
        while True:
            try:
                item = run(_next(iterator))
            except StopAsyncIteration:
                return
            yield item
    finally:
        close = getattr(iterator, "aclose", None)
        if close is not None:
            run(close())


async def _next(iterator: AsyncIterator[T]) -> T:
    return await anext(iterator)
