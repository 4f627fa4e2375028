"""The listening thread of a blocking server.

It accepts connections, keeps them in the waiting room until their request is complete, and looks out for the crew that serves them
afterwards. A round of its loop that fails is a line in the log; a thread that fails again and again ends, and tells its server so.
"""

from __future__ import annotations

import errno
import selectors
import socket
import threading
import time
from collections.abc import Callable, Coroutine
from contextlib import ExitStack, suppress
from typing import Any

from dimse.serving.visitors import Visitor
from dimse.serving.waiting_room import WaitingRoom
from dimse.transport import READ
from dimse.transport.base import Listener, tune
from dimse.transport.crew import BREATHER, MOST_FAILURES, Crew, say_failed
from dimse.transport.suspending import CrewTransport

AT_ONCE = 64
"""Connections that are accepted before the others get their turn."""

BROKEN = (errno.EBADF, errno.EFAULT, errno.EINVAL, errno.ENOTSOCK)


def is_broken(error: Exception) -> bool:
    """Return False if accepting a connection failed for something that passes, such as a lack of descriptors or memory."""
    if isinstance(error, OSError):
        return error.errno in BROKEN
    return not isinstance(error, MemoryError)


class ListeningThread(threading.Thread):
    """The thread that accepts connections and receives requests for associations.

    Args:
        listener: Where connections come from; the thread closes it.
        furnish: Makes the waiting room. Its arguments watch and unwatch a visitor, run a coroutine of one beside the room, and end
            the thread's wait.
        note_accepting: Called with None when a connection was accepted, and with the error where none can be at the moment.
        fail: Called with the error by which the thread, or the crew, ends before its time; from any thread.

    Attributes:
        crew: Serves the associations.
        is_deaf: Set when no connection is accepted any more: the listener is closed, and the waiting room is empty.
        beat: When it has last begun a round of its loop, on `time.monotonic()`.

    Raises:
        OSError: The system has no descriptors for it.
        RuntimeError: The system has no thread for the crew.
    """

    def __init__(
        self,
        listener: Listener,
        *,
        furnish: Callable[..., WaitingRoom],
        note_accepting: Callable[[Exception | None], None],
        fail: Callable[[BaseException], None],
    ) -> None:
        super().__init__(name="dimse-listener", daemon=True)
        self._listener = listener
        self._note_accepting, self._fail = note_accepting, fail
        self.is_deaf = threading.Event()
        self.beat = 0.0
        self._is_ending = self._has_ended = False
        # Until then no connection is accepted, on `time.monotonic()`; 0 if they are.
        self._paused_until = 0.0
        self._room = furnish(self._watch, self._unwatch, self._serve, self.rouse)
        self._waker, self._woken = socket.socketpair()
        with ExitStack() as half_made:
            half_made.callback(self._waker.close)
            half_made.callback(self._woken.close)
            self._waker.setblocking(False)
            self._woken.setblocking(False)
            self._selector = half_made.enter_context(selectors.DefaultSelector())
            self._selector.register(listener, selectors.EVENT_READ)
            self._selector.register(self._woken, selectors.EVENT_READ)
            self.crew = Crew(self.rouse, fail)
            half_made.pop_all()

    # --- for the server, from any thread ---

    def start(self) -> None:
        """Begin to listen.

        Raises:
            RuntimeError: The system has no thread for it; what it held is let go of.
        """
        try:
            super().start()
        except BaseException:
            self.crew.close()
            self._let_go()
            raise

    def stop(self) -> None:
        """Accept no more connections, and close those that are no association; `is_deaf` is set afterwards."""
        self._is_ending = True
        self.rouse()

    def end(self, seconds: float) -> None:
        """End the thread, and wait so many seconds for it."""
        self._is_ending = self._has_ended = True
        self.rouse()
        self.join(seconds)

    def rouse(self) -> None:
        """End the thread's wait."""
        # If that fails it is awake already, or has ended.
        with suppress(OSError):
            self._waker.send(b"x")

    # --- the thread ---

    def run(self) -> None:
        try:
            self._repeat(self._receive_visitors)
        except BaseException as error:
            self._fall_silent()
            self._fail(error)
        self._fall_silent()
        try:
            self._repeat(self._look_out)
        except BaseException as error:
            self._fail(error)
        self._let_go()

    def _repeat(self, go_round: Callable[[], bool]) -> None:
        """Go round and round until that returns False.

        Raises:
            Exception: `MOST_FAILURES` rounds in a row have failed, and one more.
        """
        failures = 0
        while True:
            try:
                while go_round():
                    failures = 0
                return
            except Exception as error:
                failures += 1
                if failures > MOST_FAILURES:
                    raise
                if failures == 1:
                    say_failed("a round of the listening thread failed", error)
                time.sleep(BREATHER)

    def _receive_visitors(self) -> bool:
        if self._is_ending:
            return False
        if self._listener.fileno() < 0:
            raise OSError(errno.EBADF, "the listening socket was closed")
        self.beat = time.monotonic()
        if self._paused_until and self.beat >= self._paused_until:
            self._selector.register(self._listener, selectors.EVENT_READ)
            self._paused_until = 0.0
        wait = _least(self._room.expire(), self.crew.look_out(), BREATHER if self._paused_until else None)
        for key, _ in self._selector.select(wait):
            if isinstance(key.data, Visitor):
                self._room.ready(key.data)
            elif key.fileobj is self._woken:
                self._woken.recv(4096)
            elif not self._accept():
                self._selector.unregister(self._listener)
                self._paused_until = time.monotonic() + BREATHER
        return True

    def _look_out(self) -> bool:
        if self._has_ended:
            return False
        self.beat = time.monotonic()
        if self._selector.select(self.crew.look_out()):
            self._woken.recv(4096)
        return True

    def _fall_silent(self) -> None:
        """Accept no more connections, and close those that are no association; again does nothing, and nothing is raised."""
        if self.is_deaf.is_set():
            return
        self._room.clear()
        with suppress(Exception):
            self._selector.unregister(self._listener)
        with suppress(Exception):
            self._listener.close()
        self.is_deaf.set()

    def _let_go(self) -> None:
        self._selector.close()
        self._waker.close()
        self._woken.close()

    # --- connections ---

    def _accept(self) -> bool:
        """Take new connections in; return False if the system has no descriptors or no memory for them."""
        for _ in range(AT_ONCE):
            try:
                connection, _ = self._listener.accept()
            except (BlockingIOError, InterruptedError, ConnectionError):
                return True
            except Exception as error:
                if is_broken(error):
                    raise
                self._note_accepting(error)
                return False
            self._note_accepting(None)
            self._take_in(connection)
        return True

    def _take_in(self, connection: socket.socket) -> None:
        try:
            # A connection that has been reset already says so at its first read.
            with suppress(OSError):
                tune(connection)
            transport = CrewTransport(connection, self.crew)
        except Exception as error:
            say_failed("a connection was closed, for the server failed", error)
            connection.close()
        else:
            self._room.enter(transport)

    def _watch(self, visitor: Visitor, events: int) -> None:
        wanted = selectors.EVENT_READ if events == READ else selectors.EVENT_WRITE
        key = self._selector.get_map().get(visitor.transport)
        if key is not None and key.data is visitor:
            self._selector.modify(visitor.transport, wanted, visitor)
            return
        if key is not None:
            # Of a connection that had the same descriptor and was closed without a word to the selector.
            self._selector.unregister(visitor.transport)
        self._selector.register(visitor.transport, wanted, visitor)

    def _unwatch(self, visitor: Visitor) -> None:
        with suppress(KeyError):
            self._selector.unregister(visitor.transport)

    def _serve(self, visitor: Visitor, coroutine: Coroutine[Any, Any, None], abandon: Callable[[], None]) -> None:
        """Have the crew run a coroutine of a visitor; where it does not begin to run, `abandon` is called."""
        try:
            self.crew.serve(coroutine, abandon)
        except BaseException:
            abandon()
            raise


def _least(*waits: float | None) -> float | None:
    """The shortest of some waits, where None has no end."""
    return min((wait for wait in waits if wait is not None), default=None)
