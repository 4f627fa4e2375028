"""The listening part of a blocking server: it accepts connections, and keeps them until their request is complete.

The event loop that serves the associations calls it. What fails while connections are accepted is tried again a moment later; what
fails again and again ends the loop, and with it the server.
"""

from __future__ import annotations

import errno
import math
import socket
import threading
import time
from collections.abc import Callable, Coroutine
from contextlib import suppress
from functools import partial
from typing import Any

from dimse.serving.loop import MOST_FAILED_ROUNDS, PAUSE_AFTER_FAILURE, Loop, say_failed
from dimse.serving.ports import ListeningPort, Ports
from dimse.serving.transport import ServedTransport
from dimse.serving.visitors import Visitor
from dimse.serving.waiting_room import WaitingRoom
from dimse.transport import READ
from dimse.transport.base import Listener, tune

ACCEPTED_AT_ONCE = 64
"""Connections that are accepted before the others get their turn."""

BROKEN = (errno.EBADF, errno.EFAULT, errno.EINVAL, errno.ENOTSOCK)


def is_broken(error: Exception) -> bool:
    """Return False if accepting a connection failed for something that passes, such as a lack of descriptors or memory."""
    if isinstance(error, OSError):
        return error.errno in BROKEN
    return not isinstance(error, MemoryError)


class Listening:
    """The listening sockets of a server and the waiting room of their connections, on an event loop.

    Args:
        ports: The ports, which are open; closed at the end.
        loop: The event loop.
        furnish: Makes the waiting room. Its arguments are functions that watch a visitor, unwatch it, run a coroutine of it beside
            the room, and have `WaitingRoom.expire` called.
        note_accepting: Called with None when a connection was accepted, and with the error where none can be at the moment.

    Attributes:
        is_over: Set once no connection is accepted any more: the ports are closed, and the waiting room is empty.
    """

    def __init__(
        self,
        ports: Ports,
        loop: Loop,
        *,
        furnish: Callable[..., WaitingRoom],
        note_accepting: Callable[[Exception | None], None],
    ) -> None:
        self._ports, self._loop = ports, loop
        self._descriptors = {port: port.listener.fileno() for port in ports if port.listener is not None}
        self._note_accepting = note_accepting
        self.is_over = threading.Event()
        self._failures = 0
        # The end of a pause without accepting, on `time.monotonic()`; `math.inf` if there is no pause.
        self._paused_until = math.inf
        loop.when_ended = self.close
        self._room = furnish(self._watch, self._unwatch, self._serve, lambda: loop.post(self._keep_time))

    def begin(self) -> None:
        """Begin to accept connections."""
        for port, descriptor in self._descriptors.items():
            self._loop.waiting.call(descriptor, READ, partial(self._accept, port))

    def stop(self) -> None:
        """Stop accepting connections, and close the half-open ones; `is_over` is set afterwards. From any thread."""
        self._loop.post(self.close)

    def close(self) -> None:
        """Stop accepting connections, and close the half-open ones. This is idempotent and raises nothing."""
        if self.is_over.is_set():
            return
        with suppress(Exception):
            self._room.clear()
        with suppress(Exception):
            self._loop.alarm(None, self._keep_time)
            self._forget_all()
        self._ports.close()
        self.is_over.set()

    def _forget_all(self) -> None:
        for descriptor in self._descriptors.values():
            self._loop.forget(descriptor)

    # --- in the thread of the loop ---

    def _accept(self, port: ListeningPort) -> None:
        """Take new connections in; where that fails it is tried again a moment later.

        Raises:
            Exception: It has failed `MOST_FAILED_ROUNDS` times in a row, and once more, or the pause has.
        """
        if self.is_over.is_set():
            return
        try:
            if port.listener is None or port.listener.fileno() < 0:
                raise OSError(errno.EBADF, "the listening socket was closed")
            self._take_some(port, port.listener)
            self._failures = 0
        except Exception as error:
            self._pause(error)
        self._keep_time()

    def _take_some(self, port: ListeningPort, listener: Listener) -> None:
        for _ in range(ACCEPTED_AT_ONCE):
            try:
                connection, _ = listener.accept()
            except (BlockingIOError, InterruptedError, ConnectionError):
                return
            self._note_accepting(None)
            self._take_in(connection, port)

    def _take_in(self, connection: socket.socket, port: ListeningPort) -> None:
        try:
            # If the connection has been reset already, its first read raises the error.
            with suppress(OSError):
                tune(connection)
            transport = ServedTransport(connection, self._loop)
        except Exception as error:
            say_failed("a connection was closed, for the server failed", error)
            connection.close()
        else:
            self._room.enter(transport, port.security)

    def _pause(self, error: Exception) -> None:
        """Accept nothing for a moment."""
        if is_broken(error):
            self._failures += 1
            if self._failures > MOST_FAILED_ROUNDS:
                self._loop.give_up(error)
                return
            if self._failures == 1:
                say_failed("a round of accepting connections failed", error)
        else:
            self._note_accepting(error)
        self._forget_all()
        self._paused_until = time.monotonic() + PAUSE_AFTER_FAILURE

    def _keep_time(self) -> None:
        """Close visitors whose time is over, and set the alarm for the next one."""
        if self.is_over.is_set():
            return
        if time.monotonic() >= self._paused_until:
            self._paused_until = math.inf
            self.begin()
        nearest = self._room.expire()
        pause = self._paused_until - time.monotonic()
        if pause < math.inf:
            nearest = max(0.0, pause if nearest is None else min(nearest, pause))
        self._loop.alarm(nearest, self._keep_time)

    def _watch(self, visitor: Visitor, events: int) -> None:
        self._loop.waiting.call(visitor.transport.fileno(), events, partial(self._ready, visitor))

    def _unwatch(self, visitor: Visitor) -> None:
        self._loop.waiting.uncall(visitor.transport.fileno())

    def _ready(self, visitor: Visitor) -> None:
        self._room.ready(visitor)
        self._keep_time()

    def _serve(self, visitor: Visitor, coroutine: Coroutine[Any, Any, None], abandon: Callable[[], None]) -> None:
        """Let the loop run a coroutine of a visitor; if it does not begin to run, call `abandon`."""
        try:
            self._loop.serve(coroutine, abandon)
        except BaseException:
            abandon()
            raise
