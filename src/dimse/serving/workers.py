"""Worker threads: they make the calls that block.

They are daemon threads, which Python does not wait for at its end: a handler that never returns does not keep the process from
ending. There are as many threads as there are calls at one time, so that a few such handlers leave threads for the others.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

IDLE_WORKER = 1.0
"""Seconds after which a thread without a call ends."""


class Workers:
    """The worker threads of a server: each call is made at once.

    Args:
        name: The name of the threads.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        # The thread that worked last is the first to work again.
        self._idle: list[_Worker] = []
        self._threads: set[_Worker] = set()
        self._is_over = False

    def begin(self, call: Callable[[], None]) -> None:
        """Make a call in a thread. The call is to raise nothing.

        Raises:
            RuntimeError: The threads have been told to end, or the system has no more threads.
        """
        if self._is_over:
            raise RuntimeError("the threads of the server have ended")
        try:
            worker = self._idle.pop()
        except IndexError:
            self._start(call)
        else:
            worker.call = call
            worker.called.release()

    def _start(self, call: Callable[[], None]) -> None:
        worker = _Worker(self, self._name, call)
        self._threads.add(worker)
        try:
            worker.start()
        except BaseException:
            self._threads.discard(worker)
            raise

    def close(self) -> None:
        """End the threads that have no call, and each other one after its call."""
        self._is_over = True
        while self._idle:
            try:
                worker = self._idle.pop()
            except IndexError:
                return
            worker.called.release()

    def join(self, seconds: float) -> None:
        """Wait at most `seconds` until all threads except the calling one have ended."""
        deadline = time.monotonic() + seconds
        for worker in list(self._threads):
            if worker is not threading.current_thread():
                worker.join(max(0.0, deadline - time.monotonic()))

    # --- for a worker ---

    def rest(self, worker: _Worker) -> bool:
        """Wait for the next call of a worker; return False if the worker is to end."""
        self._idle.append(worker)
        if not self._is_over and worker.called.acquire(timeout=IDLE_WORKER):
            return worker.call is not None
        try:
            self._idle.remove(worker)
        except ValueError:
            # It has been taken out for a call, or for its end, in this moment.
            worker.called.acquire()
            return worker.call is not None
        return False

    def leave(self, worker: _Worker) -> None:
        """Take a worker out that ends."""
        self._threads.discard(worker)


class _Worker(threading.Thread):
    """A thread of a pool.

    Attributes:
        call: The call that it is to make.
        called: A lock that is released when there is one, or when the thread is to end.
    """

    def __init__(self, workers: Workers, name: str, call: Callable[[], None]) -> None:
        super().__init__(name=name, daemon=True)
        self._workers = workers
        self.call: Callable[[], None] | None = call
        self.called = threading.Lock()
        self.called.acquire()

    def run(self) -> None:
        try:
            while True:
                call, self.call = self.call, None
                if call is not None:
                    call()
                # What it refers to is not to live until the next call.
                call = None
                if not self._workers.rest(self):
                    return
        finally:
            self._workers.leave(self)
