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
        pulse: The state of the loop, as far as this thread leads it. A thread whose term has ended changes that of no other.
    """

    __slots__ = ("at", "kept", "pulse")

    def __init__(self) -> None:
        self.at: list[Served] = []
        self.pulse = Pulse()
        self.kept: Kept | None = None


class Leadership:
    """The right to lead an event loop, which one thread has at a time.

    Args:
        workers: The threads, one of which leads.
        lead: Called in a thread that is to lead, with its term; returns when the term has ended.

    Attributes:
        term: The term of the thread that leads.
        thread: The `ident` of that thread.
        kept: The number of threads that a coroutine keeps from leading.
    """

    def __init__(self, workers: Workers, lead: Callable[[Term], None]) -> None:
        self._workers, self._lead = workers, lead
        self._lock = threading.Lock()
        self.term = Term()
        self.thread = self.kept = 0

    def is_here(self) -> bool:
        """Return True if the calling thread leads, and is in no coroutine."""
        return self.thread == threading.get_ident() and not self.term.at

    def pulse(self) -> Pulse:
        """Return the state of the loop."""
        return self.term.pulse

    def term_at_work(self) -> Term | None:
        """Return the term of the calling thread, which is in a coroutine; None if the thread does not lead."""
        # In this order, because a leader records that it leads before it resumes a coroutine.
        term = self.term
        return term if term.at and self.thread == threading.get_ident() else None

    def begin(self) -> None:
        """Make the first thread the leader.

        Raises:
            RuntimeError: The system has no thread for it.
        """
        self._workers.begin(partial(self._lead, self.term))

    def go_on(self, term: Term) -> bool:
        """Return True if a thread that has gone on with a coroutine still leads."""
        try:
            term.at.pop()
        except IndexError:
            # Another thread leads, unless the system had none.
            with self._lock:
                leads = self.term is term
                kept, term.kept = term.kept, None
                if kept is not None:
                    self.kept -= 1
            if kept is not None:
                kept.end()
            return leads
        return True

    def take_over(self) -> Kept | None:
        """Make another thread the leader if a coroutine keeps the one that leads; return a record of that, or None."""
        with self._lock:
            term = self.term
            kept_since, thread = term.pulse.since, self.thread
            try:
                served = term.at.pop()
            except IndexError:
                return None
            term.kept = kept = Kept(served, thread, kept_since)
            self.kept += 1
            self.term = Term()
            try:
                self._workers.begin(partial(self._lead, self.term))
            except Exception:
                # It is not asked for again until the coroutine ends its step.
                term.pulse.since = math.inf
                self.term = term
            return kept
