"""The asyncio face: the same names as `dimse`, to be awaited.

async with aio.associate("127.0.0.1", 11112, contexts=[dimse.Verification]) as association:
    await association.echo()
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Generator
from functools import wraps
from types import TracebackType
from typing import Any, Concatenate, ParamSpec, Self

from dimse import services
from dimse.association import LOGGER, Open
from dimse.server import Reception
from dimse.services import AsyncAssociation as Association
from dimse.transport.asyncio import accept, connect
from dimse.transport.base import Listener

__all__ = ["Association", "Server", "associate"]

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
        """Listen, and accept connections in a task.

        Raises:
            OSError: The address cannot be bound.
        """
        listener = self.listen()
        listener.setblocking(False)
        self._tasks: set[asyncio.Task[None]] = set()
        self._accepting = asyncio.create_task(self._accept_all(listener), name="dimse-listener")

    async def serve_forever(self) -> None:
        """Wait until the server is shut down or the task is cancelled."""
        await asyncio.wait([self._accepting])

    async def shutdown(self, drain: float = 0) -> None:
        """Stop listening; let associations end for `drain` seconds, and abort those that have not."""
        self._accepting.cancel()
        await asyncio.wait([self._accepting])
        if self._listener is not None:
            self._listener.close()
        if self._tasks and drain:
            await asyncio.wait(self._tasks, timeout=drain)
        self._abort_all()
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        for transport in self._transports:  # of a task that was cancelled before its first step
            transport.close()
        self._transports.clear()

    async def _accept_all(self, listener: Listener) -> None:
        while True:
            try:
                transport = await accept(listener)
            except OSError as error:
                LOGGER.warning("cannot accept a connection: %s", error.strerror)
                await asyncio.sleep(0.1)  # descriptors have run out: wait a little for some to come back
                continue
            if len(self._tasks) >= self.limits.associations + self.limits.half_open:
                transport.close()
                continue
            self._transports.add(transport)
            task = asyncio.create_task(self.receive(transport), name="dimse-association")
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
