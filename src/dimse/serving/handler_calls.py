"""The calls of the handlers of a blocking server, and the event loop on which `async def` handlers run."""

from __future__ import annotations

import threading
from collections.abc import Awaitable, Callable
from contextlib import suppress
from types import CoroutineType
from typing import TYPE_CHECKING, Any, TypeVar, cast

from dimse.support.pace import Paces

if TYPE_CHECKING:
    import asyncio

T = TypeVar("T")

HANDLERS_LEAVING = 1.0
"""Seconds that handlers are given to end once they have been cancelled."""


class HandlerCancelled(BaseException):
    """A handler was cancelled because its server ends. Like `asyncio.CancelledError` it is not an `Exception`."""


class HandlerCalls:
    """The calls of the handlers of a server.

    Attributes:
        paces: The times that the handlers take.
    """

    def __init__(self) -> None:
        self.paces = Paces()
        self._loop = HandlerLoop()

    def call(self, function: Callable[..., T | Awaitable[T]], *args: Any) -> T:
        """Call a `def` here, and run an `async def` on the event loop of the handlers; return the answer.

        Raises:
            HandlerCancelled: The server ends.
        """
        result = function(*args)
        if isinstance(result, CoroutineType):
            answer: T = self._loop.run(result)
            return answer
        return cast(T, result)

    def cancel(self) -> None:
        """Cancel the `async def` handlers that run, and those that are called from now on."""
        self._loop.cancel()

    def close(self) -> None:
        """Cancel the `async def` handlers that run, and end their event loop."""
        self._loop.close()


class HandlerLoop:
    """An event loop in a thread of its own, started by the first call of `run`.

    It lives as long as its server, so that connections which handlers keep on their loop stay usable. Handlers of several
    associations run on it at the same time. A program without `async def` handlers never loads asyncio.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._is_closing = False

    def run(self, coroutine: CoroutineType[Any, Any, T]) -> T:
        """Run a coroutine to its end, in the context of the caller; the calling thread waits.

        Raises:
            HandlerCancelled: The loop is closing.
            asyncio.CancelledError: The coroutine was cancelled for another reason.
        """
        import asyncio
        from concurrent.futures import CancelledError

        try:
            with self._lock:
                if self._is_closing:
                    raise HandlerCancelled
                loop = self._loop or self._start()
                future = asyncio.run_coroutine_threadsafe(coroutine, loop)
        except BaseException:
            coroutine.close()
            raise
        try:
            return future.result()
        except CancelledError:
            if self._is_closing:
                raise HandlerCancelled from None
            raise asyncio.CancelledError from None

    def cancel(self) -> None:
        """Cancel every handler that runs, but the one that calls this; those that come are cancelled at once."""
        with self._lock:
            self._is_closing = True
            if self._loop is not None:
                self._loop.call_soon_threadsafe(self._cancel_all, _current_task())

    def close(self) -> None:
        """Cancel what runs and end the loop. A handler that does not end in `HANDLERS_LEAVING` seconds is left behind."""
        self.cancel()
        with self._lock:
            loop, self._loop = self._loop, None
            thread, self._thread = self._thread, None
        if loop is None or thread is None:
            return
        loop.call_soon_threadsafe(loop.stop)
        if thread is not threading.current_thread():
            thread.join(2 * HANDLERS_LEAVING)

    def _start(self) -> asyncio.AbstractEventLoop:
        import asyncio

        loop = asyncio.new_event_loop()
        thread = threading.Thread(target=self._run, args=(loop,), name="dimse-handlers", daemon=True)
        try:
            thread.start()
        except BaseException:
            loop.close()
            raise
        self._loop, self._thread = loop, thread
        return loop

    def _run(self, loop: asyncio.AbstractEventLoop) -> None:
        import asyncio

        asyncio.set_event_loop(loop)
        while True:
            # asyncio lets SystemExit and KeyboardInterrupt of a handler out of the loop; its caller gets them all the same.
            with suppress(BaseException):
                loop.run_forever()
            if self._is_closing and self._loop is None:
                break
        with suppress(BaseException):
            self._cancel_all(None)
            rest = asyncio.all_tasks(loop)
            if rest:
                loop.run_until_complete(asyncio.wait(rest, timeout=HANDLERS_LEAVING))
            loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()

    def _cancel_all(self, but: asyncio.Task[Any] | None) -> None:
        import asyncio

        for task in asyncio.all_tasks(self._loop) if self._loop is not None else ():
            if task is not but:
                task.cancel()


def _current_task() -> asyncio.Task[Any] | None:
    """Return the task that the calling thread runs, if it runs an event loop."""
    import asyncio

    with suppress(RuntimeError):
        return asyncio.current_task()
    return None
