"""Daemon threads that make calls for an event loop.

asyncio's own pool has few threads, and Python waits for them at its end. So a handler that never returns would keep the process
from ending, and a few of them would leave no thread for the others.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

IDLE = 1.0
"""Seconds after which a thread that has nothing to do ends."""


class DaemonExecutor(Executor):
    """An executor that makes every call at once, in a daemon thread that has nothing to do or in a new one.

    There are as many threads as there are calls at one time: whoever submits them bounds their number.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._calls: deque[tuple[Future[Any], Callable[[], Any]]] = deque()
        self._idle = 0
        self._is_over = False

    def submit(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Make a call in another thread.

        Raises:
            RuntimeError: The executor has been shut down, or the system has no more threads.
        """
        future: Future[T] = Future()
        with self._changed:
            if self._is_over:
                raise RuntimeError("the executor has been shut down")
            if self._idle <= len(self._calls):
                thread = threading.Thread(target=self._work, name="dimse-handler", daemon=True)
                thread.start()
                # It counts from here on, so that the next call does not take it for free before it runs.
                self._idle += 1
            self._calls.append((future, lambda: function(*args, **kwargs)))
            self._changed.notify()
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """End the threads that have nothing to do, and each other one after its call; `wait` waits for the former alone."""
        with self._changed:
            self._is_over = True
            if cancel_futures:
                for future, _ in self._calls:
                    future.cancel()
            self._changed.notify_all()
            if wait:
                self._changed.wait_for(lambda: self._idle == 0)

    def _work(self) -> None:
        while True:
            with self._changed:
                called = self._changed.wait_for(lambda: self._calls or self._is_over, IDLE)
                if not (called and self._calls):
                    self._idle -= 1
                    self._changed.notify_all()
                    return
                self._idle -= 1
                future, call = self._calls.popleft()
            if future.set_running_or_notify_cancel():
                try:
                    future.set_result(call())
                except BaseException as error:  # whoever waits is told
                    future.set_exception(error)
            del future, call
            with self._changed:
                self._idle += 1
