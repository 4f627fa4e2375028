"""Leader and followers: one thread of a server leads its event loop, and another one follows where an association keeps it."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from functools import partial

from dimse.serving.served import Served
from dimse.serving.watchdog import Kept, Pulse
from dimse.serving.workers import Workers


class Term:
    """The time for which one thread leads the loop.

    Attributes:
        at: The coroutine that the thread goes on with, if there is one. The thread takes it out and leads on, unless another thread
            has taken it out before: that ends the term.
        kept: The record of the watchdog, if the watchdog has ended the term.
    """

    __slots__ = ("at", "kept")

    def __init__(self) -> None:
        self.at: list[Served] = []
        self.kept: Kept | None = None


class Leadership:
    """The right to lead an event loop, which one thread has at a time.

    Args:
        workers: The threads, one of which leads.
        pulse: The state of the loop.
        lead: Called in a thread that is to lead, with its term; returns when the term has ended.

    Attributes:
        term: The term of the thread that leads.
        thread: The `ident` of that thread.
    """

    def __init__(self, workers: Workers, pulse: Pulse, lead: Callable[[Term], None]) -> None:
        self._workers, self._pulse, self._lead = workers, pulse, lead
        self._lock = threading.Lock()
        self.term = Term()
        self.thread = 0

    def is_here(self) -> bool:
        """Return whether the calling thread leads, and is in no coroutine."""
        return self.thread == threading.get_ident() and not self.term.at

    def begin(self) -> None:
        """Have the first thread lead.

        Raises:
            RuntimeError: The system has no thread for it.
        """
        self._workers.begin(partial(self._lead, self.term))

    def go_on(self, term: Term) -> bool:
        """Return whether a thread that has gone on with a coroutine leads on."""
        try:
            term.at.pop()
        except IndexError:
            # Another thread leads, unless the system had none.
            with self._lock:
                leads = self.term is term
            if term.kept is not None:
                term.kept.end()
                term.kept = None
            return leads
        return True

    def take_over(self) -> Kept | None:
        """Have another thread lead, if a coroutine keeps the one that leads; return a record of that, None if there is none."""
        with self._lock:
            term = self.term
            kept_since, thread = self._pulse.since, self.thread
            try:
                served = term.at.pop()
            except IndexError:
                return None
            term.kept = kept = Kept(served, thread, kept_since)
            self._pulse.since = math.inf
            self.term = Term()
            try:
                self._workers.begin(partial(self._lead, self.term))
            except Exception:
                self.term = term
            return kept
