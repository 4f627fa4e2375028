"""The event loop of a blocking server: one thread owns all sockets, and worker threads make the calls that block.

The loop waits for all connections at once and goes on with those that are ready, one after the other. `ready` suspends a coroutine,
and the loop resumes it. So a hundred associations that receive are the work of one thread, with few changes of threads. A handler
that blocks is called by a worker thread, which posts its answer back.

A call may block though it should not, such as a write to a disk that hangs. Then the watchdog has another thread lead the loop. The
thread that was kept ends its step, and becomes a worker.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections import deque
from collections.abc import Callable, Coroutine
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from dimse.serving.handler_calls import HandlerCalls, HandlerCancelled
from dimse.serving.leading import Leadership, Term
from dimse.serving.served import SERVED, BlockingCall, Connection, Served
from dimse.serving.waiting import Waiting
from dimse.serving.watchdog import LoopWatchdog
from dimse.serving.workers import Workers
from dimse.support.text import one_line
from dimse.transport.spinning import time_to
from dimse.transport.threaded import MILLISECONDS, events_of

if TYPE_CHECKING:
    import select

LOGGER = logging.getLogger("dimse.association")

THREADS_LEAVING = 2.0
"""Seconds to wait for threads that have been told to end."""
MOST_FAILED_ROUNDS = 20
"""Rounds in a row in which a loop may fail; with one more it gives up."""
PAUSE_AFTER_FAILURE = 0.1
"""Seconds without work after such a round."""


class Loop:
    """An event loop in a thread of its own.

    Args:
        failed: Called, from any thread, with the error that ends the loop before its time. It is to abort the associations.

    Attributes:
        when_ended: Called in the thread of the loop when the loop has ended.
        has_one: True while the loop serves one coroutine alone.
        handlers: Calls the handlers.
        waiting: The descriptors that the loop waits for.
        leadership: The right of a thread to lead the loop.
        beat: The moment at which the last complete round began, on `time.monotonic()`.

    Raises:
        OSError: The system has no descriptors for it.
    """

    def __init__(self, failed: Callable[[BaseException], None] = lambda error: None) -> None:
        self._failed = failed
        self.when_ended: Callable[[], None] = lambda: None
        self.waiting = Waiting()
        # Held to change the set of associations, and to end.
        self._lock = threading.Lock()
        self._one_ended = threading.Condition(self._lock)
        self._served: set[Served] = set()
        self.has_one = False
        self._alarm_at = math.inf
        self._alarm: Callable[[], None] = lambda: None
        # What has happened: descriptors with their events, coroutines to resume, and calls to make.
        self._happened: deque[tuple[int, int]] = deque()
        self._due: deque[tuple[Served, int | None]] = deque()
        self._posted: deque[Callable[[], None]] = deque()
        # The connection whose next message is awaited, if the last round was for this connection alone.
        self._awaiting: Connection | None = None
        self.handlers = HandlerCalls()
        self._workers = Workers("dimse-server")
        self.leadership = Leadership(self._workers, self._lead)
        self._watchdog = LoopWatchdog(self.leadership.pulse, self.leadership.take_over)
        self._is_closing = self._is_over = self._has_failed = False
        self._failures, self.beat = 0, 0.0

    # --- for a server, from any thread ---

    def start(self) -> None:
        """Start the threads.

        Raises:
            RuntimeError: The system has no threads for it; the loop has closed its descriptors.
        """
        try:
            self._watchdog.start()
            self.leadership.begin()
        except BaseException:
            self._is_over = True
            self._watchdog.end()
            self.waiting.close()
            raise

    def serve(self, coroutine: Coroutine[Any, Any, None], abandoned: Callable[[], None] = lambda: None) -> None:
        """Run a coroutine, which waits by a `ServedTransport` of this loop, to its end.

        Args:
            coroutine: The coroutine; closed if this raises.
            abandoned: Called if the coroutine is given up before it has begun, unless this raises.

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
        """Make a call in the next round of the loop."""
        self._posted.append(call)
        self._wake()

    def wait(self, seconds: float | None) -> int:
        """Wait until every coroutine but that of the caller has ended, for `seconds` at most; return how many are left."""
        mine = {SERVED.get()}
        with self._one_ended:
            self._one_ended.wait_for(lambda: self._served <= mine, seconds)
            return len(self._served - mine)

    def close(self) -> None:
        """End the threads. Where coroutines are still served, the threads end after them."""
        self.handlers.close()
        with self._lock:
            self._is_closing = True
            if self._served:
                return
            self._dismiss()
        self._workers.join(THREADS_LEAVING)
        self._watchdog.join(THREADS_LEAVING)

    def give_up(self, error: BaseException) -> None:
        """End every coroutine and every thread, and tell the server, because the loop cannot go on."""
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

    # --- in the thread of the loop ---

    def alarm(self, seconds: float | None, call: Callable[[], None]) -> None:
        """Call a function in so many seconds, never for None. It takes the place of the last alarm."""
        self._alarm_at, self._alarm = math.inf if seconds is None else time.monotonic() + seconds, call

    # --- for a transport ---

    def wait_alone(self, connection: Connection, poll: select.poll) -> int | None:
        """Wait for the connection of the only coroutine, without suspending the coroutine.

        Args:
            connection: The connection.
            poll: Polls the connection, and the poller of the loop.

        Returns:
            The events, 0 if the deadline has passed; None if the coroutine is to be suspended.
        """
        if (term := self.leadership.term_at_work()) is None:
            return None
        pulse, deadline = term.pulse, connection.deadline
        pulse.since = math.inf
        # Another coroutine or a call may have come before this was said.
        if self._due or self._posted or self._happened or not self.has_one:
            pulse.since = pulse.last = time.monotonic()
            return None
        self.waiting.leave_to(connection)
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

    def forget(self, descriptor: int) -> None:
        """Wait no more for a connection that is about to be closed; resume the coroutine that waits for it."""
        if (served := self.waiting.forget(descriptor)) is not None:
            self._make_due(served, served.wanted)

    # --- the thread that leads ---

    def _lead(self, term: Term) -> None:
        """Go round until another thread leads, or the loop has ended. A round that fails is a line in the log."""
        try:
            self.leadership.thread = threading.get_ident()
            while self.leadership.term is term and not self._is_over:
                try:
                    self._go_round(term)
                except Exception as error:
                    self._failures += 1
                    if self._failures > MOST_FAILED_ROUNDS:
                        raise
                    if self._failures == 1:
                        say_failed("a round of the event loop failed", error)
                    time.sleep(PAUSE_AFTER_FAILURE)
        except BaseException as error:
            self.give_up(error)
        if self.leadership.term is term:
            for end in (self.when_ended, self.waiting.close):
                with suppress(Exception):
                    end()

    def _go_round(self, term: Term) -> None:
        """Wait until something happens, and go on with whatever waits for it."""
        pulse, happened = term.pulse, self._happened
        if not happened:
            pulse.since = math.inf
            happened.extend(self._wait())
        began = pulse.since = pulse.last = time.monotonic()
        if pulse.is_unobserved:
            self._watchdog.rouse()
        if self.waiting.soonest <= began:
            for served in self.waiting.expire(began):
                self._due.append((served, 0))
        if self._alarm_at <= began:
            self._alarm_at = math.inf
            self._alarm()
        while self._posted:
            self._posted.popleft()()
        self._awaiting, is_single = None, len(happened) + len(self._due) == 1
        while happened:
            if not self._take(term, *happened.popleft()):
                return
        for _ in range(len(self._due)):
            if not self._step(term, *self._due.popleft()):
                return
        if not is_single:
            self._awaiting = None
        self._failures, self.beat = 0, began

    def _wait(self) -> list[tuple[int, int]]:
        """Return the descriptors that are ready, each with its events."""
        poll = self.waiting.poller.wait
        if self._due or self._posted:
            return poll(0)
        until = min(self.waiting.soonest, self._alarm_at)
        deadline = None if until == math.inf else until
        if self._awaiting is not None:
            return self._awaiting.spinner.wait(poll, deadline)
        return poll(time_to(deadline))

    def _take(self, term: Term, descriptor: int, events: int) -> bool:
        """Go on with whatever waits for a descriptor; return False if another thread leads afterwards."""
        taker = self.waiting.take(descriptor, events)
        if isinstance(taker, Served):
            return self._step(term, taker, events & taker.wanted)
        if taker is not None:
            taker()
        return True

    def _step(self, term: Term, served: Served, event: int | None) -> bool:
        """Run one coroutine until it waits again, or ends; return False if another thread leads afterwards."""
        pulse = term.pulse
        pulse.since = pulse.last = time.monotonic()
        term.at.append(served)
        try:
            self._resume(served, event)
        except Exception as error:
            say_failed("an association was ended, for the server failed", error)
            self._drop(served)
        return self.leadership.go_on(term)

    def _resume(self, served: Served, event: int | None) -> None:
        """Run one coroutine until it waits again, or ends.

        Raises:
            Exception: The server failed, and the coroutine is to be dropped.
        """
        try:
            awaited = served.go_on(event)
        except (StopIteration, HandlerCancelled, SystemExit):
            # The call of a handler has logged a SystemExit. A hook would report it once more, with a traceback.
            self._end(served)
        except Exception:
            raise
        except BaseException as error:
            # A handler wants to end the thread, which serves other associations too.
            threading.excepthook(
                threading.ExceptHookArgs((type(error), error, error.__traceback__, threading.current_thread()))
            )
            self._end(served)
        else:
            if self._is_over:
                self._drop(served)
            elif awaited is None:
                self._make_due(served)
            elif isinstance(awaited, BlockingCall):
                self._give(served, awaited)
            else:
                self._await(served, awaited)

    def _await(self, served: Served, connection: Connection) -> None:
        """Resume a coroutine when its connection is ready."""
        try:
            is_soonest = self.waiting.add(served, connection)
        except (OSError, ValueError):
            # The connection is closed, and the next call raises the error.
            self._make_due(served, connection.wanted)
        else:
            self._awaiting = connection if connection.awaited else None
            if is_soonest:
                self._wake()

    def _give(self, served: Served, call: BlockingCall) -> None:
        """Give a call to a worker; make it here if the system has no thread for it."""
        served.is_called_for = True
        try:
            self._workers.begin(partial(self._work, served, call))
        except Exception:
            self._work(served, call)

    def _work(self, served: Served, call: BlockingCall) -> None:
        """Make a call, and resume the coroutine that waits for it."""
        try:
            call.make()
            served.is_called_for = False
            go_on = self._drop if self._is_over else self._make_due
            go_on(served)
        except BaseException as error:
            # The association would wait for ever.
            self.give_up(error)

    def _make_due(self, served: Served, event: int | None = None) -> None:
        self._due.append((served, event))
        self._wake()

    def _drop(self, served: Served) -> None:
        """End a coroutine where it waits. If a thread is at work on it, that thread ends it afterwards."""
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

    def _wake(self) -> None:
        """End the wait of the loop. The loop marks that it waits, and then looks at what is due before it does."""
        if self.leadership.term.pulse.since != math.inf:
            return
        try:
            self.waiting.waker.wake()
        except Exception as error:
            # The loop would wait on, and serve no association.
            if not self._is_over:
                self.give_up(error)

    def _dismiss(self) -> None:
        """End all threads; the lock is held."""
        self._is_over = True
        self._watchdog.end()
        self._workers.close()
        self._wake()


def say_failed(what: str, error: BaseException) -> None:
    """Log an error that was not expected, in one line; nothing is raised."""
    with suppress(Exception):
        words = one_line(f"{type(error).__name__}: {error}")
        LOGGER.error("%s: %s", what, words, exc_info=error if LOGGER.isEnabledFor(logging.DEBUG) else None)
