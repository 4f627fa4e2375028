"""The asyncio face: the same names as in `dimse`, as coroutines and asynchronous iterators.

async with aio.associate("127.0.0.1", 11112, contexts=[dimse.Verification]) as association:
    await association.echo()
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Coroutine, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial, wraps
from types import TracebackType
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, Protocol, Self, TypeVar, cast

from dimse import services
from dimse.association.establishing import Open
from dimse.errors import ServerFailed
from dimse.retrieving import BulkRetrieval
from dimse.retrieving import retrieve as results_of
from dimse.sending import Sending
from dimse.sending import send as outcomes_of
from dimse.services import Association
from dimse.services.outcome import Outcome
from dimse.serving.executor import WorkerExecutor
from dimse.serving.listening import ACCEPTED_AT_ONCE, is_broken
from dimse.serving.loop import MOST_FAILED_ROUNDS, PAUSE_AFTER_FAILURE, THREADS_LEAVING, say_failed
from dimse.serving.ports import ListeningPort
from dimse.serving.reception import Reception
from dimse.serving.visitors import Visitor
from dimse.settings import Acceptor, Requestor
from dimse.settings.observer import Observer
from dimse.settings.remote import Remote
from dimse.support.unstarted import AsyncUnstarted
from dimse.transport import READ
from dimse.transport.looped import AsyncioTransport, accept, connect

if TYPE_CHECKING:
    from dimse.services.associating import Associate

__all__ = [
    "Acceptor",
    "Association",
    "Observer",
    "Remote",
    "Requestor",
    "Server",
    "ServerFailed",
    "associate",
    "retrieve",
    "send",
]


P = ParamSpec("P")


class _Associating:
    """An association that is being requested: await it, or enter it with `async with`."""

    def __init__(self, coroutine: Coroutine[Any, Any, Association]) -> None:
        self._coroutine = coroutine

    def __await__(self) -> Generator[Any, Any, Association]:
        return self._coroutine.__await__()

    async def __aenter__(self) -> Association:
        self._association = await self._coroutine
        return await self._association.__aenter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._association.__aexit__(kind, error, trace)


def _on_the_loop(
    make: Callable[Concatenate[Open, P], Coroutine[Any, Any, Association]],
) -> Callable[P, _Associating]:
    """Make a function that requests an association on the running event loop."""

    @wraps(make)
    def associate(*args: P.args, **kwargs: P.kwargs) -> _Associating:
        return _Associating(make(connect, *args, **kwargs))

    # The signature to show lacks the driver's way to connect.
    associate.__wrapped__ = partial(make, connect)
    return associate


# A type checker is shown its two forms.
associate = cast("Associate[_Associating]", _on_the_loop(services.associate))


T = TypeVar("T")


class _Work(Protocol):
    """The interface of work that blocks, and that any thread can end."""

    def abort(self) -> bool:
        """Abort what is under way."""

    def close(self) -> None:
        """Close files and connections."""


W = TypeVar("W", bound=_Work)


def _beside_the_loop(
    make: Callable[P, W],
    items_of: Callable[[W], Iterator[T]],
    shown: Callable[..., object],
    *,
    opens_files: bool,
) -> Callable[P, AsyncIterator[T]]:
    """Make a function that does work in a thread, and yields its items on the running event loop.

    Args:
        make: Makes the work. It reads files and writes a journal, so the loop never waits for a disk.
        items_of: Returns the items of the work.
        shown: The blocking function of the same name.
        opens_files: True if `make` does so itself. Else it is called at once, so that a wrong argument raises at the call.
    """

    name = f"dimse.aio.{shown.__name__}"

    @wraps(shown)
    def iterating(*args: P.args, **kwargs: P.kwargs) -> AsyncIterator[T]:
        made = partial(make, *args, **kwargs)
        if not opens_files:
            work = made()
            return AsyncUnstarted(name, _items(lambda: work, items_of))
        return AsyncUnstarted(name, _items(made, items_of))

    return iterating


async def _items(made: Callable[[], W], items_of: Callable[[W], Iterator[T]]) -> AsyncIterator[T]:
    """Yield the items of work that a thread does."""
    thread = ThreadPoolExecutor(1, "dimse-work")
    run = partial(asyncio.get_running_loop().run_in_executor, thread)
    try:
        work = await run(made)
        items = items_of(work)
        try:
            while (item := await asyncio.shield(run(next, items, None))) is not None:
                yield item
        finally:
            work.abort()
            # The thread runs this after its current task.
            await asyncio.shield(run(work.close))
    finally:
        thread.shutdown(wait=False)


def _outcomes(sending: Sending) -> Iterator[Outcome]:
    return (event for event in sending.events() if isinstance(event, Outcome))


send = _beside_the_loop(Sending, _outcomes, outcomes_of, opens_files=False)
retrieve = _beside_the_loop(BulkRetrieval, BulkRetrieval.results, results_of, opens_files=True)


class Server(Reception):
    """A server on an event loop, with one task for each association; `def` handlers run in threads.

    Use it with `async with`: it listens while the block is active. `dimse.serving.reception.Reception` describes the arguments.
    """

    _tasks: dict[asyncio.Task[None], AsyncioTransport] | None = None

    async def __aenter__(self) -> Self:
        self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.shutdown()

    def start(self) -> None:
        """Listen for connections and accept them on the running event loop.

        Raises:
            OSError: The address cannot be bound.
        """
        self._loop = asyncio.get_running_loop()
        self._stopped = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None
        self._executor = WorkerExecutor()
        self._room = self._waiting_room(self._watch, self._unwatch, self._run_in_task, self._keep_time)
        self._accept_failures = self._time_failures = 0
        self.failed = None
        self.listen()
        try:
            self._begin_to_accept()
        except BaseException:
            self._stop_accepting()
            raise
        self._tasks = {}

    async def serve_forever(self) -> None:
        """Wait until the server is shut down or the task is cancelled.

        Raises:
            ServerFailed: The server can no longer serve, and has stopped listening.
        """
        await self._stopped.wait()
        if self.failed is not None:
            raise self.failed

    async def shutdown(self, drain: float = 0) -> None:
        """Stop listening, wait up to `drain` seconds for messages in progress, and abort every association.

        This returns a few seconds later at most. Handlers that have not returned by then are abandoned, with an error in the log.
        They do not keep the process from ending.
        """
        served, self._tasks = self._tasks, None
        if served is None:
            return
        self._stop_accepting()
        # A handler may call this, so the current task may be one of ours.
        mine = asyncio.current_task()
        tasks = {task: transport for task, transport in served.items() if task is not mine and not task.done()}
        if drain:
            self._end_all(Association.finish)
        if tasks and drain:
            await asyncio.wait(tasks, timeout=drain)
        self._end_all(Association.abort)
        await self._cancel(tasks)
        left = {task: transport for task, transport in tasks.items() if not task.done()}
        self._say_left_behind(len(left))
        for transport in left.values():
            transport.abandon()
        await self._cancel(left)
        self._executor.shutdown()
        self._stopped.set()

    async def _cancel(self, tasks: Collection[asyncio.Task[None]]) -> None:
        """Cancel tasks, and wait a few seconds for them to end."""
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=THREADS_LEAVING)

    def _fail(self, error: BaseException) -> None:
        """Record that the server can no longer serve, close its listener and abort its associations."""
        super()._fail(error)
        self._stop_accepting()
        self._stopped.set()

    def _stop_accepting(self) -> None:
        """Stop accepting, and close the half-open connections. This is idempotent and raises nothing."""
        if not self._ports.are_open:
            return
        with suppress(Exception):
            self._forget_listeners()
        self._ports.close()
        self._room.clear()
        if self._timer is not None:
            self._timer.cancel()

    # --- callbacks of the event loop ---

    def _begin_to_accept(self) -> None:
        for port in self._ports:
            if port.listener is not None:
                self._loop.add_reader(port.listener, self._accept, port)

    def _forget_listeners(self) -> None:
        for port in self._ports:
            if port.listener is not None:
                self._loop.remove_reader(port.listener)

    def _accept(self, port: ListeningPort) -> None:
        """Accept new connections. After a failure, try again a moment later."""
        try:
            if port.listener is None:
                return
            for _ in range(ACCEPTED_AT_ONCE):
                transport = accept(port.listener, self._executor)
                if transport is None:
                    break
                self._note_accepting(None)
                self._room.enter(transport, port.security)
            self._accept_failures = 0
        except Exception as error:
            self._pause(error)
        self._keep_time()

    def _pause(self, error: Exception) -> None:
        """Stop accepting for a moment; after too many successive failures, let the server fail."""
        try:
            if is_broken(error):
                self._accept_failures = self._counted(self._accept_failures, error)
            else:
                self._note_accepting(error)
            if self._ports.are_open:
                self._forget_listeners()
                self._loop.call_later(PAUSE_AFTER_FAILURE, self._accept_again)
        except Exception as last:
            self._fail(last)

    def _counted(self, failures: int, error: Exception) -> int:
        """Return the count of successive failures, plus one.

        The first is logged. The error is raised after `MOST_FAILED_ROUNDS`.
        """
        if failures == MOST_FAILED_ROUNDS:
            raise error
        if failures == 0:
            say_failed("a round of the listening loop failed", error)
        return failures + 1

    def _accept_again(self) -> None:
        try:
            self._begin_to_accept()
        except Exception as error:
            self._fail(error)

    def _watch(self, visitor: Visitor, events: int) -> None:
        descriptor = visitor.transport.fileno()
        self._unwatch(visitor)
        add = self._loop.add_reader if events == READ else self._loop.add_writer
        add(descriptor, self._ready, visitor)

    def _unwatch(self, visitor: Visitor) -> None:
        descriptor = visitor.transport.fileno()
        self._loop.remove_reader(descriptor)
        self._loop.remove_writer(descriptor)

    def _ready(self, visitor: Visitor) -> None:
        self._room.ready(visitor)
        self._keep_time()

    def _keep_time(self) -> None:
        """Close expired half-open connections, and schedule the next call for when another one expires."""
        try:
            if self._timer is not None:
                self._timer.cancel()
            nearest = self._room.expire()
            self._timer = None if nearest is None else self._loop.call_later(nearest, self._keep_time)
            self._time_failures = 0
        except Exception as error:
            self._keep_time_later(error)

    def _keep_time_later(self, error: Exception) -> None:
        try:
            self._time_failures = self._counted(self._time_failures, error)
            self._timer = self._loop.call_later(PAUSE_AFTER_FAILURE, self._keep_time)
        except Exception as last:
            self._fail(last)

    def _run_in_task(self, visitor: Visitor, coroutine: Coroutine[Any, Any, None], abandon: Callable[[], None]) -> None:
        """Run a coroutine of a visitor in a task; if it never begins to run, call `abandon`."""
        transport = visitor.transport
        assert isinstance(transport, AsyncioTransport) and self._tasks is not None
        begun = False

        async def run() -> None:
            nonlocal begun
            begun = True
            try:
                await coroutine
            except SystemExit:
                # It would end the event loop, and so every other association. It has been logged already.
                return

        def ended(task: asyncio.Task[None]) -> None:
            if self._tasks is not None:
                self._tasks.pop(task, None)
            if not begun:
                coroutine.close()
                abandon()

        running = run()
        try:
            task = self._loop.create_task(running, name="dimse-association")
        except BaseException:
            running.close()
            coroutine.close()
            abandon()
            raise
        self._tasks[task] = transport
        task.add_done_callback(ended)
