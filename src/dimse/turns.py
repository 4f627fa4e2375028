"""Turns: of many threads that do a little between two waits, one works at a time.

Python runs one thread at a time, and at every system call hands that right on to another one that wants it. With a hundred
associations that receive, most of the time would go into handing it on. So a thread that wakes up waits for its turn first, keeps
it until it waits again, and steps aside where it may take long:

    with aside():
        answer = ask_a_database()

A turn is no lock: when somebody has had it for longer than `PATIENCE`, the others go on without. So what one thread hangs in does
not stop them.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from contextvars import ContextVar
from types import TracebackType
from typing import Any, TypeVar

F = TypeVar("F", bound=Callable[..., Any])

PATIENCE = 0.02
"""Seconds that one may have its turn for, as far as the others go."""
WORTH = 0.0002
"""Seconds of a wait that it is worth to step aside for: what handing on costs, twice."""


class Round:
    """Those who take turns.

    Attributes:
        lock: Held by the one who has its turn.
        passed: When the turn was last taken, on `time.monotonic()`.
    """

    __slots__ = ("lock", "passed")

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.passed = 0.0


class Turn:
    """A thread's place in a round. It has its turn from `begin` to `end`."""

    __slots__ = ("_begun", "_has", "_round")

    def __init__(self, round_: Round) -> None:
        self._round = round_
        self._begun = self._has = False

    def begin(self) -> None:
        """Wait for the turn; go on without if somebody has it for longer than `PATIENCE`."""
        self._begun = True
        wait = PATIENCE
        while not self._round.lock.acquire(timeout=wait):
            if time.monotonic() - self._round.passed > PATIENCE:
                return
            wait *= 2  # many have theirs before us
        self._has = True
        self._round.passed = time.monotonic()

    def end(self) -> bool:
        """Let others have theirs; returns False if it was at its end already."""
        begun, self._begun = self._begun, False
        if self._has:
            self._has = False
            self._round.lock.release()
        return begun


TURN: ContextVar[Turn | None] = ContextVar("dimse.turns.TURN", default=None)
"""That of this thread; None if it takes no turns."""


class aside:  # noqa: N801  (used like a function)
    """Others have their turn within the block."""

    __slots__ = ("_turn",)

    def __enter__(self) -> None:
        turn = TURN.get()
        self._turn = turn if turn is not None and turn.end() else None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._turn is not None:
            self._turn.begin()


class Wait:
    """Something that is waited for again and again: others have their turn meanwhile, if it takes as long as to be worth that."""

    __slots__ = ("_seconds",)

    def __init__(self) -> None:
        self._seconds = 1.0  # that it takes lately

    def call(self, function: Callable[..., object], *args: object) -> None:
        """Call what waits."""
        if self._seconds < WORTH:
            self._time(function, *args)
        else:
            with aside():
                self._time(function, *args)

    def _time(self, function: Callable[..., object], *args: object) -> None:
        started = time.monotonic()
        try:
            function(*args)
        finally:
            self._seconds += (time.monotonic() - started - self._seconds) / 8


def brief(handler: F) -> F:
    """Mark a handler that keeps its turn: what it does takes a moment, and it steps aside itself where it waits."""
    handler.is_brief = True  # type: ignore[attr-defined]
    return handler


def is_brief(handler: Callable[..., Any]) -> bool:
    """Does a handler keep its turn?"""
    return getattr(handler, "is_brief", False)


def are_of_use() -> bool:
    """Does this Python run one thread at a time?"""
    is_gil_enabled = getattr(sys, "_is_gil_enabled", None)  # since 3.13
    return is_gil_enabled is None or bool(is_gil_enabled())
