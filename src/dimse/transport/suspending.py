"""The transport connection of an association that shares threads with others: where it waits, its coroutine is suspended.

What it waits for goes to whoever runs the coroutine: `dimse.transport.crew`.
"""

from __future__ import annotations

import select
import socket
import time
import types
from collections.abc import Awaitable, Callable, Generator
from contextvars import copy_context
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from dimse.support.pace import is_brief
from dimse.transport.blocking import BREATH_BYTES, BlockingTransport, events_of
from dimse.turns import aside

if TYPE_CHECKING:
    from dimse.transport.crew import Crew

T = TypeVar("T")

PIECE = 32 * 1024
"""Bytes that a call of `breathe` counts more than have moved, for the work that goes with them: small instances are mostly that."""


class CrewTransport(BlockingTransport):
    """A transport connection of an association that a crew serves.

    Attributes:
        descriptor: The connection's, after it has been closed too.
        wanted: The events that it waits for, while it does.
        deadline: Until when; None is without limit.
    """

    def __init__(self, connection: socket.socket, crew: Crew) -> None:
        super().__init__(connection)
        self._crew = crew
        self._poll.register(crew.woken, select.POLLIN)
        self.descriptor = self._descriptor
        self.wanted = 0
        self.deadline: float | None = None

    async def _wait(self, events: int, deadline: float | None, awaited: bool = False) -> int:
        """Wait until who has the watch sees an event, or that the deadline has passed."""
        self._moved = 0
        self._want(events)
        polled = None
        if not self._crew.is_shared:
            polled = self._crew.wait_alone(lambda: self._attention.poll(self._poll, deadline, awaited))
        if polled is not None:
            for descriptor, flags in polled:
                if descriptor == self._descriptor:
                    return events_of(flags)
            if deadline is not None and time.monotonic() >= deadline:
                return 0
        self.wanted, self.deadline = events, deadline
        return await suspended(self)

    async def breathe(self, count: int) -> None:
        """Let other associations have their turn after a MiB without a wait, or 32 small pieces."""
        self._moved += count + PIECE
        if self._moved >= BREATH_BYTES and (self._crew.is_shared or self._crew.is_beat_wanted):
            self._moved = 0
            await suspended(None)

    async def call(self, function: Callable[..., T | Awaitable[T]], *args: Any) -> T:
        """As `BlockingTransport.call`; another thread calls it if it takes as long as to be worth that."""
        run: Callable[..., T] = self._to_its_end
        if is_brief(function):
            return run(function, *args)
        pace = self._crew.paces.of(function)
        if not pace.is_long:
            return pace.call(run, function, *args)
        if not self._crew.is_shared:
            with aside():
                return pace.call(run, function, *args)
        job = Job(pace.call, run, function, *args)
        await suspended(job)
        answer: T = job.result()
        return answer

    def _to_its_end(self, function: Callable[..., T | Awaitable[T]], *args: Any) -> T:
        """Call a `def` here, and run an `async def` on the event loop of the server; return its answer."""
        return self._crew.to_its_end(function, *args)

    def close(self) -> None:
        """Close the connection; again does nothing."""
        try:
            if not self.closed:
                self._crew.forget(self._descriptor)
        finally:
            super().close()


class Job:
    """A call that another thread makes, in the context of the one who wants it made."""

    __slots__ = ("_call", "_error", "_result")

    def __init__(self, function: Callable[..., Any], *args: Any) -> None:
        self._call = partial(copy_context().run, function, *args)
        self._error: BaseException | None = None
        self._result: Any = None

    def do(self) -> None:
        try:
            self._result = self._call()
        except BaseException as error:  # whoever wants it is told
            self._error = error

    def result(self) -> Any:
        """What was returned; or what was raised is raised."""
        if self._error is not None:
            raise self._error
        return self._result


Awaited: TypeAlias = "CrewTransport | Job | None"
"""What a coroutine waits for: that it is ready, that it is done, or that the others have had their turn."""


@types.coroutine
def suspended(awaited: Awaited) -> Generator[Awaited, int, int]:
    """Give the thread back."""
    return (yield awaited)
