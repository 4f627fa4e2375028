"""The coroutines that an event loop serves, each run from one wait to the next; and the objects of their waits."""

from __future__ import annotations

import types
from collections.abc import Callable, Coroutine, Generator
from contextvars import ContextVar, copy_context
from functools import partial
from typing import Any, Protocol, TypeAlias, cast

from dimse.transport.spinning import Spinner


class Connection(Protocol):
    """A connection that a coroutine waits for.

    Attributes:
        descriptor: Its descriptor, after it has been closed too.
        wanted: The events that are waited for.
        deadline: The end of the wait on `time.monotonic()`; None is without limit.
        awaited: True if the wait is for the peer's next message.
        spinner: The spinner that begins the waits for its messages.
    """

    descriptor: int
    wanted: int
    deadline: float | None
    awaited: bool
    spinner: Spinner


class BlockingCall:
    """A call that a worker thread makes for a coroutine, in the context of the coroutine.

    Args:
        function: The function to call.
        args: Its arguments.
    """

    __slots__ = ("_call", "_error", "_result")

    def __init__(self, function: Callable[..., Any], *args: Any) -> None:
        self._call = partial(copy_context().run, function, *args)
        self._error: BaseException | None = None
        self._result: Any = None

    def make(self) -> None:
        """Make the call; what it raises is kept for `result`."""
        try:
            self._result = self._call()
        except BaseException as error:
            self._error = error

    def result(self) -> Any:
        """Return what the call returned, or raise what it raised."""
        if self._error is not None:
            raise self._error
        return self._result


Awaited: TypeAlias = "Connection | BlockingCall | None"
"""The object of a wait: a connection, a call, or None until the other coroutines have had their turn."""


@types.coroutine
def suspended(awaited: Awaited) -> Generator[Awaited, int, int]:
    """Suspend the coroutine until what it waits for has happened; return the events, 0 if the deadline has passed."""
    return (yield awaited)


class Served:
    """A coroutine that an event loop serves, in a context of its own.

    Args:
        coroutine: The coroutine to run.
        abandoned: Called if the coroutine is given up before it has begun.

    Attributes:
        context: The context that it runs in.
        go_on: Runs the coroutine, with what has happened, until it waits again; raises `StopIteration` when it has ended.
        wanted: The events that it waits for.
        deadline: The end of that wait.
        is_called_for: True while a worker makes a call for it.
    """

    __slots__ = ("_abandoned", "_coroutine", "context", "deadline", "go_on", "is_called_for", "wanted")

    def __init__(self, coroutine: Coroutine[Any, Any, None], abandoned: Callable[[], None]) -> None:
        self.context = copy_context()
        self.context.run(SERVED.set, self)
        self._coroutine = coroutine
        self._abandoned: Callable[[], None] | None = abandoned
        self.go_on: Callable[[int | None], Awaited] = self._begin
        self.wanted = 0
        self.deadline: float | None = None
        self.is_called_for = False

    def _begin(self, event: int | None) -> Awaited:
        self._abandoned = None
        # What has happened is the argument that is missing here.
        run = cast(Callable[..., Awaited], self.context.run)
        self.go_on = partial(run, self._coroutine.send)
        return self.go_on(event)

    def close(self) -> bool:
        """End the coroutine where it waits; return False if a thread is at work on it."""
        if self.is_called_for:
            return False
        abandoned, self._abandoned = self._abandoned, None
        try:
            self.context.run(self._coroutine.close)
        except (RuntimeError, ValueError):
            if getattr(self._coroutine, "cr_frame", None) is not None:
                # A thread runs it, or ran it when this was tried, and ends it.
                return False
        if abandoned is not None:
            # It has not begun, so that nothing in it has been cleaned up.
            abandoned()
        return True


SERVED: ContextVar[Served | None] = ContextVar("dimse.serving.served.SERVED", default=None)
"""The coroutine that is served where this is asked for, in a thread or a task of a handler too."""
