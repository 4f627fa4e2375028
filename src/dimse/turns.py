"""Turns: of many threads that do a little between two waits, one works at a time.

Python runs one thread at a time, and at every system call hands that right on to another one that wants it. Where several threads
receive, much of the time would go into handing it on. So a thread that has waited for something waits for its turn too, keeps it
until it waits again, and steps aside where it may take long:

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
from types import TracebackType
from typing import Any, TypeVar

F = TypeVar("F", bound=Callable[..., Any])
T = TypeVar("T")

PATIENCE = 0.02
"""Seconds that one may have its turn for, as far as the others go."""
WORTH = 0.0002
"""Seconds of a wait that it is worth to step aside for: what handing on costs, twice."""
MOST_WAITS = 64
"""Handlers whose times are known; a server has a few."""


class Round:
    """Those who take turns.

    Attributes:
        lock: Held by the one who has its turn.
        passed: When the turn was last taken, or its holder went on to the next thing in it, on `time.monotonic()`.
    """

    __slots__ = ("lock", "passed")

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.passed = 0.0


class Turn:
    """A thread's place in a round. It has its turn from `begin` to `end`."""

    __slots__ = ("_held", "_round")

    def __init__(self, round_: Round) -> None:
        self._round = round_
        self._held: threading.Lock | None = None  # it has its turn

    def begin(self) -> None:
        """Wait for the turn. Who has it for longer than `PATIENCE` hangs in something, and is left with what was a turn."""
        round_, wait = self._round, PATIENCE
        while not (lock := round_.lock).acquire(timeout=wait):
            if time.monotonic() - round_.passed > PATIENCE:
                round_.lock = threading.Lock()
            wait *= 2  # many have theirs before us
        self._held = lock
        round_.passed = time.monotonic()

    def keep(self) -> None:
        """Go on with the next of several things that belong to one turn."""
        self._round.passed = time.monotonic()

    def end(self) -> bool:
        """Let others have theirs; returns False if it was at its end already."""
        held, self._held = self._held, None
        if held is None:
            return False
        held.release()
        return True

    def step_aside(self) -> bool:
        """As `end`, in the middle of something that goes on later."""
        return self.end()


class _Here(threading.local):
    turn: Turn | None = None


HERE = _Here()
"""The turn of this thread; None if it takes no turns."""


class aside:  # noqa: N801  (used like a function)
    """Others have their turn within the block."""

    __slots__ = ("_turn",)

    def __enter__(self) -> None:
        turn = HERE.turn
        self._turn = turn if turn is not None and turn.step_aside() else None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._turn is not None:
            self._turn.begin()


class Wait:
    """Something that is waited for again and again: others have their turn meanwhile, if it takes as long as to be worth that."""

    __slots__ = ("_seconds",)

    def __init__(self) -> None:
        self._seconds: float | None = None  # that it takes lately

    @property
    def is_long(self) -> bool:
        """Is it worth it, as far as is known?"""
        return self._seconds is None or self._seconds >= WORTH

    def call(self, function: Callable[..., T], *args: object) -> T:
        """Call what waits, and return what it returns."""
        if not self.is_long:
            return self.time(function, *args)
        with aside():
            return self.time(function, *args)

    def time(self, function: Callable[..., T], *args: object) -> T:
        """Call it where it is in nobody's way, and note how long it takes."""
        started = time.monotonic()
        try:
            return function(*args)
        finally:
            seconds, before = time.monotonic() - started, self._seconds
            self._seconds = seconds if before is None else before + (seconds - before) / 8


class Waits:
    """How long each of some handlers takes. A handler is known by itself, and not by its `id`, which another one may have later."""

    __slots__ = ("_of",)

    def __init__(self) -> None:
        self._of: dict[Callable[..., object], Wait] = {}

    def of(self, handler: Callable[..., object]) -> Wait:
        """Return what is known of how long a handler takes: nothing, if it cannot be a key."""
        try:
            wait = self._of.get(handler)
        except TypeError:
            return Wait()
        if wait is None:
            if len(self._of) >= MOST_WAITS:
                self._of.clear()
            wait = self._of[handler] = Wait()
        return wait


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
