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
from types import TracebackType

PATIENCE = 0.02
"""Seconds that one may have its turn for, as far as the others go."""


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


def are_of_use() -> bool:
    """Does this Python run one thread at a time?"""
    is_gil_enabled = getattr(sys, "_is_gil_enabled", None)  # since 3.13
    return is_gil_enabled is None or bool(is_gil_enabled())
