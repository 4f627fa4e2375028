"""An executor for asyncio over worker threads; a blocking server does without, and so without `concurrent.futures`."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor, Future
from functools import partial
from typing import ParamSpec, TypeVar

from dimse.serving.workers import Workers

P = ParamSpec("P")
T = TypeVar("T")


class WorkerExecutor(Executor):
    """An executor for an event loop, which makes every call at once in a worker thread.

    The number of threads is that of the calls that are submitted at one time.
    """

    def __init__(self) -> None:
        self._workers = Workers("dimse-handler")

    def submit(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Make a call in a worker thread.

        Raises:
            RuntimeError: The executor has been shut down, or the system has no more threads.
        """
        future: Future[T] = Future()
        self._workers.begin(partial(_fulfil, future, partial(function, *args, **kwargs)))
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """End the threads that have no call at once, and each other one after its call; nothing is waited for."""
        self._workers.close()


def _fulfil(future: Future[T], call: Callable[[], T]) -> None:
    if future.set_running_or_notify_cancel():
        try:
            future.set_result(call())
        except BaseException as error:
            future.set_exception(error)
