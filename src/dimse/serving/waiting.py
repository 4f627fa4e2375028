"""The descriptors of an event loop: the connections of its coroutines, and others that a function is called for."""

from __future__ import annotations

import math
import socket
import threading
from collections.abc import Callable
from contextlib import ExitStack, suppress

from dimse.serving.served import Connection, Served
from dimse.transport import READ
from dimse.transport.poller import new_poller


class Waker:
    """A socket pair: a byte that is sent into it ends the wait of an event loop.

    Raises:
        OSError: The system has no descriptors for it.
    """

    def __init__(self) -> None:
        self._near, self._far = socket.socketpair()
        self._near.setblocking(False)
        self._far.setblocking(False)

    def fileno(self) -> int:
        """Return the descriptor that can be read from after `wake`."""
        return self._far.fileno()

    def wake(self) -> None:
        """End the wait, from any thread.

        Raises:
            OSError: The sockets are broken, or closed.
        """
        # If the system takes no more bytes, the loop is awake already.
        with suppress(BlockingIOError):
            self._near.send(b"x")

    def take(self) -> None:
        """Take the bytes out, so that the next wait is one."""
        with suppress(BlockingIOError):
            self._far.recv(4096)

    def close(self) -> None:
        """Close both sockets."""
        self._near.close()
        self._far.close()


class Waiting:
    """The descriptors that an event loop waits for, each with the coroutine or function for it. Safe to use from any thread.

    Attributes:
        soonest: No coroutine that waits has a deadline before, on `time.monotonic()`.
        poller: Waits for the descriptors.
        waker: Ends that wait.

    Raises:
        OSError: The system has no descriptors for it.
    """

    def __init__(self) -> None:
        self.soonest = math.inf
        self.poller = new_poller()
        with ExitStack() as half_made:
            half_made.callback(self.poller.close)
            self.waker = Waker()
            half_made.callback(self.waker.close)
            self.poller.watch(self.waker.fileno(), READ)
            half_made.pop_all()
        # Held to change two things that must fit.
        self._lock = threading.Lock()
        self._events = {self.waker.fileno(): READ}
        self._served: dict[int, Served] = {}
        self._calls: dict[int, Callable[[], None]] = {self.waker.fileno(): self.waker.take}

    def add(self, served: Served, connection: Connection) -> bool:
        """Let a coroutine wait for its connection; return True if its deadline is the soonest.

        Raises:
            OSError, ValueError: The connection is closed.
        """
        descriptor, deadline = connection.descriptor, connection.deadline
        served.wanted, served.deadline = connection.wanted, deadline
        with self._lock:
            if self._events.get(descriptor) != served.wanted:
                self._poll(descriptor, served.wanted)
            self._served[descriptor] = served
            if deadline is None or deadline >= self.soonest:
                return False
            self.soonest = deadline
            return True

    def call(self, descriptor: int, events: int, call: Callable[[], None]) -> None:
        """Register a function to call whenever a descriptor has one of some events, in place of the function before.

        Raises:
            OSError, ValueError: The descriptor is closed.
        """
        with self._lock:
            self._calls[descriptor] = call
            self._poll(descriptor, events)

    def uncall(self, descriptor: int) -> None:
        """Remove the function for a descriptor; harmless if the descriptor has no function.

        The poller still reports it, for a coroutine may wait for it next.
        """
        self._calls.pop(descriptor, None)

    def take(self, descriptor: int, events: int) -> Served | Callable[[], None] | None:
        """Return the waiter for these events of a descriptor: a coroutine, which is removed, or the function to call."""
        served = self._served.pop(descriptor, None)
        if served is not None:
            if events & served.wanted:
                return served
            # They have happened before they were waited for.
            self._served[descriptor] = served
            return None
        if (call := self._calls.get(descriptor)) is not None:
            return call
        with self._lock:
            if descriptor not in self._served:
                self._forget(descriptor)
        return None

    def leave_to(self, connection: Connection) -> None:
        """Do not report a connection, for its coroutine polls it by itself."""
        if connection.descriptor in self._events:
            with self._lock:
                self._forget(connection.descriptor)

    def forget(self, descriptor: int) -> Served | None:
        """Remove a descriptor that is about to be closed; return the coroutine that waits for it."""
        with self._lock:
            self._forget(descriptor)
            self._calls.pop(descriptor, None)
            return self._served.pop(descriptor, None)

    def expire(self, now: float) -> list[Served]:
        """Remove and return the coroutines whose deadline has passed."""
        with self._lock:
            waiting = [(each.deadline, descriptor) for descriptor, each in list(self._served.items()) if each.deadline]
            self.soonest = min((deadline for deadline, _ in waiting if deadline > now), default=math.inf)
            late = [self._served.pop(descriptor, None) for deadline, descriptor in waiting if deadline <= now]
        return [served for served in late if served is not None]

    def close(self) -> None:
        """Wait for nothing any more."""
        self.poller.close()
        self.waker.close()

    # --- with the lock held ---

    def _poll(self, descriptor: int, events: int) -> None:
        self._events.pop(descriptor, None)
        self.poller.watch(descriptor, events)
        self._events[descriptor] = events

    def _forget(self, descriptor: int) -> None:
        if self._events.pop(descriptor, 0):
            self.poller.forget(descriptor)
