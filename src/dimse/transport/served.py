"""An association that a crew serves: its coroutine, which is run from one wait to the next."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from contextvars import ContextVar, copy_context
from functools import partial
from typing import Any, cast

from dimse.transport.suspending import Awaited


class Served:
    """An association that is served: its coroutine, in a context of its own, and what it waits for.

    Attributes:
        go_on: Run it, with what has happened, until it waits for something; raises `StopIteration` when it has ended.
        wanted: The events that it waits for.
        deadline: Until when.
        has_job: Does another thread do a job for it?
    """

    __slots__ = ("_abandoned", "_context", "_coroutine", "deadline", "go_on", "has_job", "wanted")

    def __init__(self, coroutine: Coroutine[Any, Any, None], abandoned: Callable[[], None]) -> None:
        self._context = copy_context()
        self._context.run(SERVED.set, self)
        self._coroutine = coroutine
        self._abandoned: Callable[[], None] | None = abandoned
        self.go_on: Callable[[int | None], Awaited] = self._begin
        self.wanted = 0
        self.deadline: float | None = None
        self.has_job = False

    def _begin(self, event: int | None) -> Awaited:
        self._abandoned = None
        # What has happened is the argument that is missing here.
        go_on = partial(self._context.run, self._coroutine.send)  # type: ignore[call-arg]
        self.go_on = cast(Callable[[int | None], Awaited], go_on)
        return self.go_on(event)

    def close(self) -> bool:
        """End the coroutine where it waits; return False if a thread is at work on it."""
        if self.has_job:
            return False
        abandoned, self._abandoned = self._abandoned, None
        try:
            self._context.run(self._coroutine.close)
        except (RuntimeError, ValueError):
            if getattr(self._coroutine, "cr_frame", None) is not None:
                # A thread runs it, or ran it when this was tried, and ends it.
                return False
        if abandoned is not None:
            # It has not begun, so that nothing in it has been cleaned up.
            abandoned()
        return True


SERVED: ContextVar[Served | None] = ContextVar("dimse.transport.served.SERVED", default=None)
"""The association that is served where this is asked for, in a thread or a task of a handler."""
