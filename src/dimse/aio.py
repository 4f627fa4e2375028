"""The asyncio face: the same names as `dimse`, to be awaited.

async with aio.associate("127.0.0.1", 11112, contexts=[dimse.Verification]) as association:
    await association.echo()
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Generator
from concurrent.futures import ThreadPoolExecutor
from functools import partial, wraps
from types import TracebackType
from typing import Any, Concatenate, ParamSpec, Self

from dimse import services
from dimse.association import Open
from dimse.sending import Sending
from dimse.sending import send as outcomes_of
from dimse.server import AT_ONCE, BREATHER, Reception
from dimse.services import AsyncAssociation as Association
from dimse.services.storage import Outcome
from dimse.transport import READ
from dimse.transport.asyncio import accept, connect
from dimse.visitors import Visitor

__all__ = ["Association", "Server", "associate", "send"]

P = ParamSpec("P")


class _Associating:
    """An association in the making: to be awaited, or to be entered with `async with`."""

    def __init__(self, coroutine: Coroutine[Any, Any, Association]) -> None:
        self._coroutine = coroutine

    def __await__(self) -> Generator[Any, Any, Association]:
        return self._coroutine.__await__()

    async def __aenter__(self) -> Association:
        self._association = await self._coroutine
        return await self._association.__aenter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._association.__aexit__(kind, error, trace)


def _on_the_loop(
    make: Callable[Concatenate[Open, P], Coroutine[Any, Any, Association]],
) -> Callable[P, _Associating]:
    @wraps(make)
    def associate(*args: P.args, **kwargs: P.kwargs) -> _Associating:
        return _Associating(make(connect, *args, **kwargs))

    return associate


associate = _on_the_loop(services.associate)


def _beside_the_loop(make: Callable[P, Sending]) -> Callable[P, AsyncIterator[Outcome]]:
    @wraps(outcomes_of)
    async def send(*args: P.args, **kwargs: P.kwargs) -> AsyncIterator[Outcome]:
        # In a thread: it reads files and writes a journal, and the loop is not to wait for a disk.
        thread = ThreadPoolExecutor(1, "dimse-send")
        run = partial(asyncio.get_running_loop().run_in_executor, thread)
        try:
            sending = await run(partial(make, *args, **kwargs))
            events = sending.events()
            try:
                while (event := await asyncio.shield(run(next, events, None))) is not None:
                    if isinstance(event, Outcome):
                        yield event
            finally:
                sending.abort()
                await asyncio.shield(run(sending.close))  # behind what the thread is at
        finally:
            thread.shutdown(wait=False)

    return send


send = _beside_the_loop(Sending)


class Server(Reception):
    """A server whose associations each have a task; `def` handlers run in threads.

    Use it with `async with`: it listens within the block. See `dimse.server.Reception` for the arguments.
    """

    async def __aenter__(self) -> Self:
        self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.shutdown()

    def start(self) -> None:
        """Listen, and accept connections on the running event loop.

        Raises:
            OSError: The address cannot be bound.
        """
        self._loop = asyncio.get_running_loop()
        self._stopped = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._room = self._waiting_room(self._watch, self._unwatch, self._run_in_task, self._keep_time)
        self._loop.add_reader(self.listen(), self._accept)

    async def serve_forever(self) -> None:
        """Wait until the server is shut down or the task is cancelled."""
        await self._stopped.wait()

    async def shutdown(self, drain: float = 0) -> None:
        """Stop listening; let messages under way be answered for `drain` seconds, and abort every association."""
        if self._listener is None:
            return
        self._loop.remove_reader(self._listener)
        self._listener.close()
        self._listener = None
        self._room.clear()
        if self._timer is not None:
            self._timer.cancel()
        mine = asyncio.current_task()  # a handler may end the server
        tasks = {task for task in self._tasks if task is not mine}
        if drain:
            self._end_all(Association.finish)
        if tasks and drain:
            await asyncio.wait(tasks, timeout=drain)
        self._end_all(Association.abort)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        self._stopped.set()

    # --- callbacks of the event loop ---

    def _accept(self) -> None:
        assert self._listener is not None
        try:
            for transport in accept(self._listener, AT_ONCE):
                self._accepting = True
                self._room.enter(transport)
        except OSError as error:
            self._cannot_accept(error)
            self._loop.remove_reader(self._listener)
            self._loop.call_later(BREATHER, self._accept_again)
        self._keep_time()

    def _accept_again(self) -> None:
        if self._listener is not None:
            self._loop.add_reader(self._listener, self._accept)

    def _watch(self, visitor: Visitor, events: int) -> None:
        descriptor = visitor.transport.fileno()
        self._unwatch(visitor)
        add = self._loop.add_reader if events == READ else self._loop.add_writer
        add(descriptor, self._ready, visitor)

    def _unwatch(self, visitor: Visitor) -> None:
        descriptor = visitor.transport.fileno()
        self._loop.remove_reader(descriptor)
        self._loop.remove_writer(descriptor)

    def _ready(self, visitor: Visitor) -> None:
        self._room.ready(visitor)
        self._keep_time()

    def _keep_time(self) -> None:
        """Call `expire` when the first visitor's time is over."""
        nearest = self._room.expire()
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None if nearest is None else self._loop.call_later(nearest, self._keep_time)

    def _run_in_task(self, coroutine: Coroutine[Any, Any, None], abandon: Callable[[], None]) -> None:
        try:
            task = self._loop.create_task(coroutine, name="dimse-association")
        except BaseException:
            abandon()
            raise
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
