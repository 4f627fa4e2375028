"""The event loop of a blocking server: one thread owns all sockets, and worker threads make the calls that block.

The loop waits for all connections at once and goes on with those that are ready, one after the other: `ready` suspends a coroutine,
which the loop takes up again. So a hundred associations that receive are the work of one thread, with next to no change of
threads. A handler that blocks is called by a worker thread, which posts its answer back.

What blocks though it should not have, such as a disk that hangs in a write, keeps its own association alone from going on: the
watchdog notices it, and has another thread lead the loop. The thread that was kept ends what it is at, and then follows.
"""

from __future__ import annotations

import logging
import math
import socket
import threading
import time
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import ExitStack, suppress
from functools import partial
from types import CoroutineType
from typing import TYPE_CHECKING, Any, TypeVar, cast

from dimse.serving.handler_loop import HandlerCancelled, HandlerLoop
from dimse.serving.served import SERVED, Connection, Job, Served
from dimse.serving.watchdog import Kept, Pulse, Watchdog
from dimse.serving.workers import Workers
from dimse.support.pace import Paces
from dimse.support.text import one_line
from dimse.transport import READ
from dimse.transport.poller import new_poller
from dimse.transport.spinning import time_to
from dimse.transport.threaded import MILLISECONDS, events_of

if TYPE_CHECKING:
    import select

LOGGER = logging.getLogger("dimse.association")

T = TypeVar("T")

LEAVING = 2.0
"""Seconds that threads are waited for which have been told to end."""
MOST_FAILURES = 20
"""Rounds in a row in which a loop may fail; with one more it gives up."""
BREATHER = 0.1
"""Seconds without work after such a round."""


class _Term:
    """The time for which one thread leads the loop.

    Attributes:
        at: The coroutine that the thread goes on with, if it does. The thread takes it out and leads on, unless another thread has
            taken it out: that ends the term.
        kept: What the watchdog knows of it, if it has ended the term.
    """

    __slots__ = ("at", "kept")

    def __init__(self) -> None:
        self.at: list[Served] = []
        self.kept: Kept | None = None


class Loop:
    """An event loop in a thread of its own.

    Args:
        failed: Called, from any thread, with the error that ends the loop before its time; it is to abort the associations.

    Attributes:
        when_ended: Called in the thread of the loop when it has ended.
        has_one: Whether the loop serves one coroutine alone.
        paces: How long the handlers take.
        beat: When the last round began that has come to its end, on `time.monotonic()`.

    Raises:
        OSError: The system has no descriptors for it.
    """

    def __init__(self, failed: Callable[[BaseException], None] = lambda error: None) -> None:
        self._failed = failed
        self.when_ended: Callable[[], None] = lambda: None
        self._poller = new_poller()
        with ExitStack() as half_made:
            half_made.callback(self._poller.close)
            self._waker, self._woken = socket.socketpair()
            half_made.callback(self._woken.close)
            half_made.callback(self._waker.close)
            self._waker.setblocking(False)
            self._woken.setblocking(False)
            self._poller.watch(self._woken.fileno(), READ)
            half_made.pop_all()
        # Held to change two things that must fit: who is served, who leads, and what the poller waits for.
        self._lock = threading.Lock()
        self._one_ended = threading.Condition(self._lock)
        self._served: set[Served] = set()
        self.has_one = False
        # By descriptor: what is waited for, who waits for it, and what is called instead.
        self._interests: dict[int, int] = {}
        self._waiting: dict[int, Served] = {}
        self._watched: dict[int, Callable[[], None]] = {self._woken.fileno(): self._take_wakening}
        # No coroutine that waits has a deadline before.
        self._soonest = math.inf
        self._alarm_at, self._alarm = math.inf, self._take_wakening
        self._happened: deque[tuple[int, int]] = deque()
        self._due: deque[tuple[Served, int | None]] = deque()
        self._posted: deque[Callable[[], None]] = deque()
        # The connection whose next message is awaited, if nothing has happened but on this one.
        self._awaiting: Connection | None = None
        self._is_single = False
        self.paces = Paces()
        self._handlers = HandlerLoop()
        self._workers = Workers("dimse-server")
        self._pulse = Pulse()
        self._watchdog = Watchdog(self._pulse, self._take_over)
        self._term = _Term()
        self._leader = 0
        self._is_beat_wanted = self._is_closing = self._is_over = self._has_failed = False
        self._failures = 0
        self.beat = 0.0

    # --- for a server, from any thread ---

    def start(self) -> None:
        """Start the threads.

        Raises:
            RuntimeError: The system has no threads for it; the loop has let go of what it held.
        """
        try:
            self._watchdog.start()
            self._workers.begin(partial(self._lead, self._term))
        except BaseException:
            self._is_over = True
            self._watchdog.end()
            self._let_go()
            raise

    def serve(self, coroutine: Coroutine[Any, Any, None], abandoned: Callable[[], None] = lambda: None) -> None:
        """Run a coroutine, which waits by a `ServedTransport` of this loop, to its end.

        Args:
            coroutine: What to run; closed if this raises.
            abandoned: Called if the coroutine is given up before it has begun, other than by an exception of this call.

        Raises:
            RuntimeError: The loop has ended.
        """
        served = None
        try:
            served = Served(coroutine, abandoned)
            with self._lock:
                if self._is_over:
                    raise RuntimeError("the threads of the server have ended")
                self._served.add(served)
                self.has_one = len(self._served) == 1
                self._due.append((served, None))
        except BaseException:
            coroutine.close()
            with self._lock:
                self._served.discard(served)
            raise
        self._wake()

    def post(self, call: Callable[[], None]) -> None:
        """Have the loop make a call in its next round."""
        self._posted.append(call)
        self._wake()

    def wait(self, seconds: float | None) -> int:
        """Wait until every coroutine has ended but that of the caller, or for so long; return how many are left."""
        mine = {SERVED.get()}
        with self._one_ended:
            self._one_ended.wait_for(lambda: self._served <= mine, seconds)
            return len(self._served - mine)

    def cancel(self) -> None:
        """Cancel the `async def` handlers that run."""
        self._handlers.cancel()

    def close(self) -> None:
        """End the threads; where coroutines are served still, the threads end once these have ended."""
        self._handlers.close()
        with self._lock:
            self._is_closing = True
            if self._served:
                return
            self._dismiss()
        self._workers.join(LEAVING)
        if self._watchdog is not threading.current_thread():
            self._watchdog.join(LEAVING)

    def give_up(self, error: BaseException) -> None:
        """End every coroutine and every thread, for the loop cannot go on, and have the server told."""
        with self._lock:
            if self._has_failed or self._is_over:
                return
            self._has_failed = True
        self._failed(error)
        with self._lock:
            self._dismiss()
            served = list(self._served)
        for each in served:
            self._drop(each)

    def ask_for_beat(self) -> None:
        """Have the loop go round, which sets `beat`."""
        self._is_beat_wanted = True
        self._wake()

    def leads_here(self) -> bool:
        """Return whether the calling thread leads the loop, and goes on with no coroutine at the moment."""
        return self._leader == threading.get_ident() and not self._term.at

    # --- for what is watched beside the coroutines, in the thread of the loop ---

    def watch(self, descriptor: int, events: int, call: Callable[[], None]) -> None:
        """Call a function whenever a descriptor has one of some events, instead of what was called before.

        Raises:
            OSError, ValueError: The descriptor is closed.
        """
        with self._lock:
            self._watched[descriptor] = call
            self._await_events(descriptor, events)

    def unwatch(self, descriptor: int) -> None:
        """Call nothing any more for a descriptor; harmless if it was not watched."""
        # What the poller reports until it is told otherwise is for a coroutine, which may wait for it next.
        self._watched.pop(descriptor, None)

    def alarm(self, seconds: float | None, call: Callable[[], None]) -> None:
        """Call a function in so many seconds; None is never. The alarm that was set before is forgotten."""
        self._alarm_at, self._alarm = math.inf if seconds is None else time.monotonic() + seconds, call

    # --- for a transport ---

    def fileno(self) -> int:
        """Return a descriptor that can be read from when the loop has something to go on with; -1 if there is none."""
        return self._poller.fileno()

    def wait_alone(self, connection: Connection, poll: select.poll) -> int | None:
        """Wait for the connection of the one coroutine that there is, without suspending it.

        Args:
            connection: What is waited for.
            poll: Waits for the connection, and for all else that the loop waits for.

        Returns:
            The events, 0 if the deadline has passed; None if the coroutine is to be suspended.
        """
        pulse, deadline = self._pulse, connection.deadline
        if self._leader != threading.get_ident():
            return None
        pulse.since = math.inf
        # A call or another coroutine may have come in this moment.
        if self._due or self._posted or self._happened or self._is_beat_wanted or not self.has_one:
            pulse.since = pulse.last = time.monotonic()
            return None
        if connection.descriptor in self._interests:
            with self._lock:
                self._forget(connection.descriptor)
        until = deadline
        if (alarm_at := self._alarm_at) != math.inf and (deadline is None or alarm_at < deadline):
            until = alarm_at
        if connection.awaited:
            polled = connection.spinner.wait(poll.poll, until, MILLISECONDS)
        else:
            polled = poll.poll(time_to(until, MILLISECONDS))
        now = pulse.since = pulse.last = time.monotonic()
        if pulse.is_unobserved:
            self._watchdog.rouse()
        for descriptor, flags in polled:
            if descriptor == connection.descriptor:
                return events_of(flags)
        return 0 if deadline is not None and now >= deadline else None

    def to_its_end(self, function: Callable[..., T | Awaitable[T]], *args: Any) -> T:
        """Call a `def` here, and run an `async def` on the event loop of the handlers; return the answer."""
        result = function(*args)
        if isinstance(result, CoroutineType):
            answer: T = self._handlers.run(result)
            return answer
        return cast(T, result)

    def forget(self, descriptor: int) -> None:
        """Wait for a connection no more, which is about to be closed; the coroutine that waits for it goes on."""
        with self._lock:
            self._forget(descriptor)
            self._watched.pop(descriptor, None)
            served = self._waiting.pop(descriptor, None)
        if served is not None:
            self._make_due(served, served.wanted)

    # --- the thread that leads ---

    def _lead(self, term: _Term) -> None:
        """Go round until another thread leads, or all is over.

        A round that fails is a line in the log, and the next one follows. What fails in one association ends that one alone.
        """
        self._leader = threading.get_ident()
        try:
            while self._term is term and not self._is_over:
                try:
                    self._go_round(term)
                except Exception as error:
                    self._failures += 1
                    if self._failures > MOST_FAILURES:
                        raise
                    if self._failures == 1:
                        say_failed("a round of the event loop failed", error)
                    time.sleep(BREATHER)
        except BaseException as error:
            self.give_up(error)
        if self._term is term:
            self._end_of_all()

    def _go_round(self, term: _Term) -> None:
        """Wait until something happens, and go on with whatever it is for."""
        pulse, happened = self._pulse, self._happened
        if not happened:
            pulse.since = math.inf
            happened.extend(self._wait())
        began = pulse.since = pulse.last = time.monotonic()
        if pulse.is_unobserved:
            self._watchdog.rouse()
        if self._soonest <= began:
            self._expire(began)
        if self._alarm_at <= began:
            self._alarm_at = math.inf
            self._alarm()
        while self._posted:
            self._posted.popleft()()
        self._awaiting, self._is_single = None, len(happened) + len(self._due) == 1
        while happened:
            if not self._take(term, *happened.popleft()):
                return
        for _ in range(len(self._due)):
            if not self._step(term, *self._due.popleft()):
                return
        self._failures, self.beat = 0, began
        self._is_beat_wanted = False

    def _wait(self) -> list[tuple[int, int]]:
        """Return the descriptors that something happens on."""
        if self._due or self._posted or self._is_beat_wanted:
            return self._poller.wait(0)
        until = min(self._soonest, self._alarm_at)
        deadline = None if until == math.inf else until
        if self._awaiting is not None and self._is_single:
            return self._awaiting.spinner.wait(self._poller.wait, deadline)
        return self._poller.wait(time_to(deadline))

    def _take(self, term: _Term, descriptor: int, events: int) -> bool:
        """Go on with whatever waits for a descriptor; return False if another thread leads afterwards."""
        served = self._waiting.pop(descriptor, None)
        if served is not None:
            if event := events & served.wanted:
                return self._step(term, served, event)
            # It has happened before it was waited for.
            self._waiting[descriptor] = served
        elif (call := self._watched.get(descriptor)) is not None:
            call()
        else:
            with self._lock:
                if descriptor not in self._waiting:
                    self._forget(descriptor)
        return True

    def _step(self, term: _Term, served: Served, event: int | None) -> bool:
        """Go on with one coroutine until it waits again, or ends; return False if another thread leads afterwards."""
        pulse = self._pulse
        pulse.since = pulse.last = time.monotonic()
        term.at.append(served)
        try:
            self._go_on(served, event)
        except Exception as error:
            say_failed("an association was ended, for the server failed", error)
            self._drop(served)
        try:
            term.at.pop()
        except IndexError:
            # Another thread leads, unless the system had none.
            with self._lock:
                leads = self._term is term
            if term.kept is not None:
                term.kept.end()
                term.kept = None
            return leads
        return True

    def _go_on(self, served: Served, event: int | None) -> None:
        """Run one coroutine until it waits again, or ends.

        Raises:
            Exception: Something failed that has no place in an association; it is to be dropped.
        """
        try:
            awaited = served.go_on(event)
        except (StopIteration, HandlerCancelled):
            self._end(served)
        except Exception:
            raise
        except BaseException as error:
            # A handler wants to end the thread, and the other associations of this one are not to suffer.
            threading.excepthook(
                threading.ExceptHookArgs((type(error), error, error.__traceback__, threading.current_thread()))
            )
            self._end(served)
        else:
            if self._is_over:
                self._drop(served)
            elif awaited is None:
                self._make_due(served, None)
            elif isinstance(awaited, Job):
                self._give(served, awaited)
            else:
                self._await(served, awaited)

    def _await(self, served: Served, connection: Connection) -> None:
        """Have a coroutine go on when its connection is ready."""
        descriptor, wanted, deadline = connection.descriptor, connection.wanted, connection.deadline
        served.wanted, served.deadline = wanted, deadline
        try:
            with self._lock:
                if self._interests.get(descriptor) != wanted:
                    self._await_events(descriptor, wanted)
                self._waiting[descriptor] = served
                self._awaiting = connection if connection.awaited else None
                if is_sooner := deadline is not None and deadline < self._soonest:
                    self._soonest = deadline
        except (OSError, ValueError):
            # It is closed, and the next call says so.
            self._make_due(served, wanted)
        else:
            if is_sooner:
                self._wake()

    def _give(self, served: Served, job: Job) -> None:
        """Have a worker do a job; where the system has no thread for it, do it here."""
        served.has_job = True
        try:
            self._workers.begin(partial(self._work, served, job))
        except Exception:
            self._work(served, job)

    def _work(self, served: Served, job: Job) -> None:
        job.do()
        served.has_job = False
        if self._is_over:
            self._drop(served)
        else:
            self._make_due(served, None)

    def _make_due(self, served: Served, event: int | None) -> None:
        self._due.append((served, event))
        self._wake()

    def _expire(self, now: float) -> None:
        """Have those go on whose deadline has passed."""
        with self._lock:
            waiting = [(each.deadline, descriptor) for descriptor, each in list(self._waiting.items()) if each.deadline]
            self._soonest = min((deadline for deadline, _ in waiting if deadline > now), default=math.inf)
            late = [self._waiting.pop(descriptor, None) for deadline, descriptor in waiting if deadline <= now]
        for served in filter(None, late):
            self._make_due(served, 0)

    def _drop(self, served: Served) -> None:
        """End a coroutine where it waits; if a thread is at work on it, that thread ends it afterwards."""
        try:
            if not served.close():
                return
        except BaseException as error:
            say_failed("an association did not end in order", error)
        self._end(served)

    def _end(self, served: Served) -> None:
        with self._lock:
            self._served.discard(served)
            self.has_one = len(self._served) == 1
            self._one_ended.notify_all()
            if self._is_closing and not self._served:
                self._dismiss()

    def _take_wakening(self) -> None:
        with suppress(BlockingIOError):
            self._woken.recv(4096)

    def _wake(self) -> None:
        """End the wait of the loop. Before it waits the loop says so, and then looks at what there is."""
        if self._pulse.since != math.inf:
            return
        try:
            self._waker.send(b"x")
        except BlockingIOError:
            # It is awake already.
            return
        except Exception as error:
            # It would sleep on, and nobody would be served. Once all is over there is nothing to wake it for.
            if not self._is_over:
                self.give_up(error)

    # --- the watchdog ---

    def _take_over(self) -> Kept | None:
        """Have another thread lead, if a coroutine keeps the one that leads from going on; from the watchdog."""
        thread, since = self._leader, self._pulse.since
        with self._lock:
            term = self._term
        if (served := self._replace()) is None:
            return None
        term.kept = Kept(served, thread, since)
        return term.kept

    def _replace(self) -> Served | None:
        """Have another thread lead while the one that leads goes on with a coroutine, and return that; None if it does not."""
        with self._lock:
            term = self._term
            if self._is_over or not term.at:
                return None
            try:
                served = term.at.pop()
            except IndexError:
                return None
            self._pulse.since = math.inf
            self._term = _Term()
            try:
                self._workers.begin(partial(self._lead, self._term))
            except Exception:
                self._term = term
            return served

    # --- with the lock held ---

    def _await_events(self, descriptor: int, events: int) -> None:
        self._interests.pop(descriptor, None)
        self._poller.watch(descriptor, events)
        self._interests[descriptor] = events

    def _forget(self, descriptor: int) -> None:
        if self._interests.pop(descriptor, 0):
            self._poller.forget(descriptor)

    def _dismiss(self) -> None:
        """Have all threads end."""
        self._is_over = True
        self._watchdog.end()
        self._workers.close()
        self._wake()

    # --- the end ---

    def _end_of_all(self) -> None:
        with suppress(Exception):
            self.when_ended()
        self._let_go()

    def _let_go(self) -> None:
        self._poller.close()
        self._waker.close()
        self._woken.close()


def say_failed(what: str, error: BaseException) -> None:
    """Log an error that was not expected, in one line; nothing is raised."""
    with suppress(Exception):
        words = one_line(f"{type(error).__name__}: {error}")
        LOGGER.error("%s: %s", what, words, exc_info=error if LOGGER.isEnabledFor(logging.DEBUG) else None)
