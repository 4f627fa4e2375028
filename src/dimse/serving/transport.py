"""The driver of a blocking server: where an association waits, its coroutine is suspended, and the event loop goes on."""

from __future__ import annotations

import socket
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from dimse.serving.loop import Loop
from dimse.serving.served import BlockingCall, suspended
from dimse.support.pace import LONG_CALL, Paced, is_brief
from dimse.transport import READ
from dimse.transport.base import Address, Transport, call_in_thread, connect
from dimse.transport.threaded import POLLED, ThreadTransport, resolve, run

T = TypeVar("T")

BREATH_BYTES = 1024**2
"""Bytes that one association moves without a wait before the others have their turn."""
LONE_BREATH_BYTES = 4 * BREATH_BYTES
"""The same for the only association of a server: connections that are half open wait meanwhile."""
LONG_CALL_ALONE = 0.005
"""The counterpart of `dimse.support.pace.LONG_CALL` for the only association of a server."""
BREATH_PIECE = 32 * 1024
"""Bytes that each call of `breathe` adds to those that have moved, for the work besides them, which small instances mostly are."""


class ServedTransport(ThreadTransport):
    """A transport connection of an association that an event loop serves.

    Args:
        connection: A connected socket, or one about to be.
        loop: The event loop.

    Attributes:
        descriptor: The connection's, after it has been closed too.
        wanted: The events that are waited for.
        deadline: The end of that wait on `time.monotonic()`; None is without limit.
        awaited: True if the wait is for the peer's next message.
    """

    def __init__(self, connection: socket.socket, loop: Loop) -> None:
        super().__init__(connection)
        self._loop = loop
        self._moved = 0
        self.descriptor = self._descriptor
        self.wanted = 0
        self.deadline: float | None = None
        self.awaited = False

    async def _wait(self, events: int, deadline: float | None, awaited: bool = False) -> int:
        """Wait until the event loop sees an event, or that the deadline has passed."""
        self._moved = 0
        self.wanted, self.deadline, self.awaited = events, deadline, awaited
        if self._loop.has_one:
            if self._registered != events:
                self._want(events)
            happened = self._loop.wait_alone(self, self._poll)
            if happened is not None:
                return happened
        return await suspended(self)

    def _want(self, events: int) -> None:
        is_first = not self._registered
        super()._want(events)
        # Behind the connection, which is looked at first.
        if is_first and (others := self._loop.waiting.poller.fileno()) >= 0:
            self._poll.register(others, POLLED[READ])

    async def open_another(self, host: str, port: int, timeout: float) -> Transport:
        """Open another connection that the event loop serves; a worker thread looks the name up."""

        async def look_up(host: str, port: int, deadline: float | None) -> list[tuple[int, Address]]:
            found: list[tuple[int, Address]] = await self._in_worker(_look_up, host, port, deadline)
            return found

        return await connect(lambda opened: ServedTransport(opened, self._loop), look_up, host, port, timeout)

    async def breathe(self, count: int) -> None:
        """Let others have their turn after a MiB without a wait, or 32 small pieces."""
        self._moved += count + BREATH_PIECE
        if self._moved >= BREATH_BYTES and (self._moved >= LONE_BREATH_BYTES or not self._loop.has_one):
            self._moved = 0
            await suspended(None)

    async def call(self, function: Callable[..., T | Awaitable[T]], *args: Any) -> T:
        """Call a function in this thread if it is marked as brief or was brief lately, otherwise in a worker thread.

        While a thread is kept by a call, every call is made by a worker: the next one may wait for the same thing.
        """
        answer: T
        is_any_kept = self._loop.leadership.kept > 0
        if not is_any_kept and is_brief(function):
            if not self._loop.has_one and isinstance(function, Paced) and function.begin is not None:
                answer = await self._call_in_parts(function.begin, *args)
                return answer
            return self._loop.handlers.call(function, *args)
        pace = self._loop.handlers.paces.of(function)
        if is_any_kept or pace.is_longer(LONG_CALL_ALONE if self._loop.has_one else LONG_CALL):
            answer = await self._in_worker(pace.call, self._loop.handlers.call, function, *args)
        else:
            answer = pace.call(self._loop.handlers.call, function, *args)
        return answer

    async def _call_in_parts(self, begin: Callable[..., Any], *args: Any) -> Any:
        """Begin a call, and make the rest of it after those of the associations that are ready too have been begun."""
        rest = self._loop.handlers.call(begin, *args)
        if not callable(rest):
            return rest
        await suspended(None)
        return self._loop.handlers.call(rest)

    async def call_within(self, seconds: float, function: Callable[..., T | Awaitable[T]], *args: Any) -> T:
        """Call a function in a thread of its own, for which a worker thread waits."""
        answer: T = await self._in_worker(_call_within, seconds, self._loop.handlers.call, function, *args)
        return answer

    async def _in_worker(self, function: Callable[..., T], *args: Any) -> T:
        call = BlockingCall(function, *args)
        await suspended(call)
        answer: T = call.result()
        return answer

    def close(self) -> None:
        """Close the connection. This is idempotent."""
        try:
            if not self.closed:
                self._loop.forget(self.descriptor)
        finally:
            super().close()


def _call_within(seconds: float, function: Callable[..., T], *args: Any) -> T:
    return call_in_thread(function, *args).result(seconds)


def _look_up(host: str, port: int, deadline: float | None) -> list[tuple[int, Address]]:
    return run(resolve(host, port, deadline))
