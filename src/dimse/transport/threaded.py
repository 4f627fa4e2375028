"""The driver of the blocking face: `ready` polls, so that a coroutine runs to its end in the calling thread."""

from __future__ import annotations

import select
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from types import CoroutineType
from typing import Any, TypeVar, cast

from dimse.transport import INTERRUPTED, READ, WRITE
from dimse.transport.base import Address, Transport, call_in_thread
from dimse.transport.base import connect as _connect
from dimse.transport.spinning import Spinner, time_to

T = TypeVar("T")

POLLED = {READ: select.POLLIN, WRITE: select.POLLOUT, READ | WRITE: select.POLLIN | select.POLLOUT}
_READABLE = select.POLLIN | select.POLLHUP | select.POLLERR | select.POLLNVAL
_WRITABLE = select.POLLOUT | select.POLLHUP | select.POLLERR | select.POLLNVAL

# Seconds between two looks whether a wait is interrupted.
INTERRUPTION_INTERVAL = 0.5

MILLISECONDS = 1000
"""In a second: `select.poll` takes milliseconds."""


class ThreadTransport(Transport):
    """A transport connection for the calling thread.

    Attributes:
        spinner: The spinner that begins the waits for its messages.
    """

    def __init__(self, connection: socket.socket) -> None:
        super().__init__(connection)
        self._descriptor = connection.fileno()
        self._poll = select.poll()
        self.spinner = Spinner(self._descriptor)
        self._registered = 0

    async def open_another(self, host: str, port: int, timeout: float) -> Transport:
        """Open another connection for the calling thread."""
        return await connect(host, port, timeout)

    async def breathe(self, count: int) -> None:
        """Do nothing, because the system schedules the threads."""

    async def _wait(self, events: int, deadline: float | None, awaited: bool = False) -> int:
        """Poll until an event or the deadline; the thread waits here."""
        self._want(events)
        end = deadline
        while True:
            if self.interruptible and events == READ:
                if self.interrupted:
                    self.interrupted = False
                    return INTERRUPTED
                slice_end = time.monotonic() + INTERRUPTION_INTERVAL
                end = slice_end if deadline is None else min(deadline, slice_end)
            if awaited:
                polled = self.spinner.wait(self._poll.poll, end, MILLISECONDS)
            else:
                polled = self._poll.poll(time_to(end, MILLISECONDS))
            if polled:
                return events_of(polled[0][1])
            if deadline is not None and time.monotonic() >= deadline:
                return 0

    def _want(self, events: int) -> None:
        if self._registered != events:
            self._poll.register(self._descriptor, POLLED[events])
            self._registered = events

    async def call(self, function: Callable[..., T | Awaitable[T]], *args: Any) -> T:
        """Call the function in this thread; an `async def` runs on an event loop of its own."""
        return to_its_end(function, *args)

    async def call_within(self, seconds: float, function: Callable[..., T | Awaitable[T]], *args: Any) -> T:
        """Call the function in a thread of its own, and wait at most `seconds` for its result."""
        answer: T = call_in_thread(to_its_end, function, *args).result(seconds)
        return answer


def events_of(flags: int) -> int:
    """Return the events that the flags of a poll stand for."""
    return (READ if flags & _READABLE else 0) | (WRITE if flags & _WRITABLE else 0)


def to_its_end(function: Callable[..., T | Awaitable[T]], *args: Any) -> T:
    """Run a `def` or an `async def` in the calling thread, and return its answer."""
    result = function(*args)
    if isinstance(result, CoroutineType):
        import asyncio

        answer: T = asyncio.run(result)
        return answer
    return cast(T, result)


async def resolve(host: str, port: int, deadline: float | None) -> list[tuple[int, Address]]:
    """Look a name up, by the deadline.

    The system's resolver has no deadline, so it looks up a name (not a number) in a thread of its own.

    Raises:
        OSError: The name is unknown, or the deadline has passed.
    """
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
    # As bytes: for a name given as text Python loads its tables of international domain names, even if it is ASCII.
    name = host.encode("ascii") if host.isascii() else host
    found = socket.getaddrinfo(name, port, type=socket.SOCK_STREAM, flags=flags)
    return [(family, address) for family, _, _, _, address in found]


async def connect(host: str, port: int, timeout: float) -> Transport:
    """Open a transport connection from the calling thread."""
    return await _connect(ThreadTransport, resolve, host, port, timeout)


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end, and return its result. It may wait only in `ready`."""
    try:
        coroutine.send(None)
    except StopIteration as end:
        result: T = end.value
        return result
    coroutine.close()
    raise RuntimeError("a coroutine of the blocking driver was suspended")


def iterate(iterator: AsyncIterator[T]) -> Iterator[T]:
    """Yield the items of an asynchronous iterator, each computed when it is asked for."""
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
