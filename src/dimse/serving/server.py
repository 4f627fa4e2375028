"""The server of the blocking face: its associations are served on an event loop in a thread."""

from __future__ import annotations

import threading
from types import TracebackType
from typing import Self

from dimse.association.association import LOGGER
from dimse.errors import ServerFailed
from dimse.services import Association
from dimse.serving.listening import Listening
from dimse.serving.loop import THREADS_LEAVING, Loop
from dimse.serving.reception import Reception


class Server(Reception):
    """A server whose associations share a few threads; while a handler waits, others go on.

    Use it as a context manager: it listens within the block, in the background, and `serve_forever` waits. See `Reception` for the
    arguments. `async def` handlers run on one event loop, which lives as long as the server.
    """

    _running: tuple[Loop, Listening] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.shutdown()

    def start(self) -> None:
        """Listen, and accept connections in a thread of its own.

        Raises:
            OSError: The address cannot be bound, or the system has no descriptors.
            ServerFailed: The system has no thread for it.
        """
        ports = self.listen()
        self.failed = None
        self._stopped = threading.Event()
        try:
            loop = Loop(self._fail)
            listening = Listening(ports, loop, furnish=self._waiting_room, note_accepting=self._note_accepting)
            self._running = loop, listening
            listening.begin()
            loop.start()
        except BaseException as error:
            self._running = None
            ports.close()
            if isinstance(error, RuntimeError):
                raise ServerFailed(f"the server cannot start: {error}") from error
            raise

    def serve_forever(self) -> None:
        """Wait until `shutdown` is called, from a signal handler or another thread.

        Raises:
            ServerFailed: The server cannot go on; it has stopped listening.
        """
        running = self._running
        self._stopped.wait()
        if self.failed is not None:
            if running is not None:
                running[1].is_over.wait(THREADS_LEAVING)
            raise self.failed

    def _fail(self, error: BaseException) -> None:
        """Note that the server can serve no longer: its listener is closed, and its associations are aborted."""
        if self._running is not None:
            self._running[1].stop()
        super()._fail(error)
        self._stopped.set()

    def shutdown(self, drain: float = 0) -> None:
        """Stop listening; let messages under way be answered for `drain` seconds, and abort every association.

        This returns a few seconds later at most. Handlers that have not returned by then are abandoned, with an error in the log.
        They do not keep the process from ending.

        Any thread may call it. A handler may, and its own association then ends after it. Called in `observe` it returns before the
        server has ended.
        """
        running, self._running = self._running, None
        if running is None:
            return
        loop, listening = running
        if loop.leadership.is_here():
            # In `observe`: the loop cannot wait for itself.
            self._running = running
            threading.Thread(target=self.shutdown, args=(drain,), name="dimse-shutdown").start()
            return
        listening.stop()
        if not listening.is_over.wait(THREADS_LEAVING):
            LOGGER.error("the listening thread is left behind, for what observes the server has not returned")
        if drain:
            self._end_all(Association.finish)
            loop.wait(drain)
        self._end_all(Association.abort)
        loop.handlers.cancel()
        self._say_left_behind(loop.wait(THREADS_LEAVING))
        loop.close()
        self._ports.close()
        self._stopped.set()

    @property
    def heartbeat(self) -> float:
        """The moment at which the server was last seen to be alive, on `time.monotonic()`.

        Its event loop has gone round since then, as it does when there is work, and after `ask_for_heartbeat`.
        """
        running = self._running
        return 0.0 if running is None or self.failed is not None else running[0].beat

    def ask_for_heartbeat(self) -> None:
        """Wake the server: if it is alive, `heartbeat` is later than this call a moment afterwards."""
        running = self._running
        if running is not None:
            running[0].post(lambda: None)
