"""The asyncio driver: `ready` is a reader or writer on the event loop, a `def` handler runs in a thread."""

from __future__ import annotations

import asyncio
import inspect
import socket
import time
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import Executor
from contextlib import suppress
from contextvars import ContextVar, copy_context
from functools import partial
from typing import Any, TypeVar, cast

from dimse.errors import LocalProtocolError
from dimse.transport import READ, WRITE
from dimse.transport.base import Address, Listener, Transport, call_in_thread, tune
from dimse.transport.base import connect as _connect

T = TypeVar("T")

# With a fast peer no call ever blocks. After so many bytes or seconds, other tasks run all the same.
BREATH_BYTES, BREATH_SECONDS = 256 * 1024, 0.002


# The operation that the running task is within, or the task that began it.
_TURN: ContextVar[object] = ContextVar("_TURN", default=None)


class TaskTurns:
    """The queue of the operations of several tasks on one connection, first come, first served. See `base.Turns`.

    Args:
        loop: The event loop of the connection.

    Attributes:
        lapsed: See `base.Turns`.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.lapsed = False
        self._loop = loop
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._ending: set[asyncio.Task[None]] = set()
        # A mark of the operation that has its turn.
        self._current = object()

    async def wait(self) -> None:
        """Wait for the turn of an operation; see `base.Turns`."""
        if _TURN.get() is self._current:
            raise LocalProtocolError("another operation is under way on this association, and this one is within it")
        waiter = self._loop.create_future()
        self._waiting.append(waiter)
        try:
            await waiter
        except BaseException:
            if waiter in self._waiting:
                self._waiting.remove(waiter)
            elif not waiter.cancelled() and waiter.exception() is None:
                self.lapsed = True
            raise

    def begin(self) -> None:
        """Note that the operation of the running task has its turn."""
        self._current = object()
        _TURN.set(self._current)

    def hand_on(self) -> bool:
        """Give the turn to the operation that has waited longest; return False if no operation waits."""
        self._current = object()
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return True
        return False

    def refuse(self, why: str) -> None:
        """Let every operation that waits raise a `LocalProtocolError`."""
        waiting, self._waiting = self._waiting, deque()
        for waiter in waiting:
            if not waiter.done():
                waiter.set_exception(LocalProtocolError(why))

    def rouse(self, end: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Run `end` in a task if operations wait; see `base.Turns`."""
        if self._waiting:
            with suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._end, end)

    def _end(self, end: Callable[[], Coroutine[Any, Any, None]]) -> None:
        task = self._loop.create_task(end())
        # The loop keeps only a weak reference to the task.
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)


class AsyncioTransport(Transport):
    """A transport connection on the running event loop.

    Args:
        connection: A connected socket, or one about to be.
        executor: The executor for `def` handlers; None for the loop's own pool of threads.
    """

    calls_in_threads = True

    def __init__(self, connection: socket.socket, executor: Executor | None = None) -> None:
        super().__init__(connection)
        self._executor = executor
        self._is_abandoned = False
        self._loop = asyncio.get_running_loop()
        self.turns = TaskTurns(self._loop)
        self._descriptor = connection.fileno()
        self._moved = 0
        self._breathed = time.monotonic()

    async def _wait(self, events: int, deadline: float | None, awaited: bool = False) -> int:
        """Wait for an event or the deadline, while the loop runs other tasks."""
        waiter: asyncio.Future[int] = self._loop.create_future()

        def arrived(event: int) -> None:
            if not waiter.done():
                waiter.set_result(event)

        try:
            if events & READ:
                self._loop.add_reader(self._descriptor, arrived, READ)
            if events & WRITE:
                self._loop.add_writer(self._descriptor, arrived, WRITE)
            timer = (
                None if deadline is None else self._loop.call_later(max(0.0, deadline - time.monotonic()), arrived, 0)
            )
            try:
                return await waiter
            finally:
                if timer is not None:
                    timer.cancel()
        finally:
            self._moved, self._breathed = 0, time.monotonic()
            self._loop.remove_reader(self._descriptor)
            self._loop.remove_writer(self._descriptor)

    async def breathe(self, count: int) -> None:
        """Let the loop run other tasks after 256 KiB or 2 ms without a wait."""
        self._moved += count
        if self._moved >= BREATH_BYTES or time.monotonic() - self._breathed >= BREATH_SECONDS:
            await asyncio.sleep(0)
            self._moved, self._breathed = 0, time.monotonic()

    async def open_another(self, host: str, port: int, timeout: float) -> Transport:
        """Open another connection on the running event loop."""
        return await connect(host, port, timeout)

    async def call(self, function: Callable[..., T | Awaitable[T]], *args: Any) -> T:
        """Await an `async def`; run a `def` in another thread."""
        if inspect.iscoroutinefunction(function):
            awaited: T = await function(*args)
            return awaited
        result: Any = await self._in_thread(function, *args)
        if inspect.isawaitable(result):
            result = await result
        return cast(T, result)

    def begin_call(self, function: Callable[..., T], *args: Any) -> Awaitable[T]:
        """Begin a disk operation in the loop's pool of threads."""
        return self._loop.run_in_executor(None, partial(copy_context().run, function, *args))

    async def call_within(self, seconds: float, function: Callable[..., T | Awaitable[T]], *args: Any) -> T:
        """Run a handler as `call` does, but a `def` in a thread of its own, because one that hangs would fill the pool."""
        async with asyncio.timeout(seconds):
            if inspect.iscoroutinefunction(function):
                awaited: T = await function(*args)
                return awaited
            result: Any = await asyncio.wrap_future(call_in_thread(function, *args))
            if inspect.isawaitable(result):
                result = await result
            return cast(T, result)

    async def _in_thread(self, function: Callable[..., T], *args: Any) -> T:
        """Run a function in a thread, to its end. A cancellation waits for that end, because it discards the sink afterwards."""
        future = self._loop.run_in_executor(self._executor, partial(copy_context().run, function, *args))
        cancelled = False
        while not future.done():
            try:
                await asyncio.wait([future])
            except asyncio.CancelledError:
                if self._is_abandoned:
                    future.cancel()
                    raise
                cancelled = True
        task = asyncio.current_task()
        if cancelled and task is not None:
            # The result is still used, and the next wait raises the cancellation.
            task.cancel()
        return future.result()

    def abandon(self) -> None:
        """Let a cancellation end the wait for a handler that does not return; its thread goes on, and its result is dropped."""
        self._is_abandoned = True


async def resolve(host: str, port: int, deadline: float | None) -> list[tuple[int, Address]]:
    """Look a name up in the loop's pool of threads."""
    try:
        async with asyncio.timeout(None if deadline is None else max(0.0, deadline - time.monotonic())):
            found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except TimeoutError as error:
        raise socket.gaierror(socket.EAI_AGAIN, f"the name {host!r} could not be looked up in time") from error
    return [(family, address) for family, _, _, _, address in found]


def accept(listener: Listener, executor: Executor) -> AsyncioTransport | None:
    """Accept the next connection of a listening socket; return None if no connection waits.

    Args:
        listener: The listening socket.
        executor: The executor for the handlers of the connection.

    Raises:
        OSError: Descriptors have run out.
    """
    try:
        connection, _ = listener.accept()
    except (BlockingIOError, InterruptedError, ConnectionError):
        return None
    try:
        # If the connection has been reset already, its first read raises the error.
        with suppress(OSError):
            tune(connection)
        return AsyncioTransport(connection, executor)
    except BaseException:
        connection.close()
        raise


async def connect(host: str, port: int, timeout: float) -> Transport:
    """Open a transport connection on the running event loop."""
    return await _connect(AsyncioTransport, resolve, host, port, timeout)
