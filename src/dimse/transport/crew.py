"""The driver of a server: its associations share a crew of threads, one of which has the watch.

Who has the watch waits for all connections at once, and goes on with those that are ready, one after the other: `ready` suspends a
coroutine, which whoever has the watch then takes up again. A handler that takes long is called by another thread, the coroutine
suspended meanwhile. Before something else that takes long (`turns.aside`) the watch is handed on; who hangs in what should have
taken a moment loses it to the one whom the lookout, a thread of the server's, appoints. So a hundred associations that receive are
the work of one thread, and handlers that wait do so at the same time.
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
from types import CoroutineType
from typing import Any, TypeVar, cast

from dimse import turns
from dimse.support.pace import Paces
from dimse.support.text import one_line
from dimse.transport import READ, descriptors
from dimse.transport.handler_loop import HandlerCancelled, HandlerLoop
from dimse.transport.mates import Mate, MatesTurn
from dimse.transport.served import SERVED, Served
from dimse.transport.suspending import CrewTransport, Job
from dimse.turns import PATIENCE, Round, aside

LOGGER = logging.getLogger("dimse.association")

T = TypeVar("T")

IDLE = 1.0
"""Seconds after which a thread that nobody needs ends."""
LEAVING = 2.0
"""Seconds that threads are waited for which have been told to end."""
MOST_FAILURES = 20
"""Rounds in a row in which a thread that serves many may fail; with one more it gives up."""
BREATHER = 0.1
"""Seconds without work after such a round."""


class Crew:
    """Threads that serve associations.

    Args:
        rouse: Called, from any thread, when `look_out` is to be called again, as it is after `serve`.
        failed: Called, from any thread, with the error that ends the crew before its time; it is to abort the associations.

    Attributes:
        is_shared: Is there more than one association?
        takes_turns: Does one thread at a time run? Else the watch goes on before each round of work.
        paces: How long the handlers take.
        beat: When the last round of work began that a thread has ended, on `time.monotonic()`.
        is_beat_wanted: Is the one association that there is to give its thread back?

    Raises:
        RuntimeError: The system has no thread for it.
        OSError: It has no descriptors for it.
    """

    def __init__(self, rouse: Callable[[], None], failed: Callable[[BaseException], None] = lambda error: None) -> None:
        self.takes_turns = turns.are_of_use()
        self._round = Round()
        with ExitStack() as half_made:
            self._descriptors = descriptors.none_yet()
            half_made.callback(self._descriptors.close)
            self._waker, self._woken = socket.socketpair()
            half_made.callback(self._waker.close)
            half_made.callback(self._woken.close)
            self._waker.setblocking(False)
            self._woken.setblocking(False)
            self._descriptors.register(self._woken.fileno(), READ)
            half_made.pop_all()
        # Held to change two things that must fit, here and among the descriptors.
        self._lock = threading.Lock()
        self._one_ended = threading.Condition(self._lock)
        self._served: set[Served] = set()
        self.is_shared = False
        self._waiting: dict[int, Served] = {}  # by descriptor
        self._interests: dict[int, int] = {}  # what is waited for, by descriptor
        self._soonest = math.inf  # none of those who wait has a deadline before
        self._happened: deque[tuple[int, int]] = deque()  # what they have said: descriptors, and the events of each
        self._due: deque[tuple[Served, int | None]] = deque()  # to go on with, whatever it says
        self.paces = Paces()
        self._handlers = HandlerLoop()
        self._threads: set[Mate] = set()
        self._idle: list[Mate] = []
        self._watch: Mate | None = None
        self._is_aside = False  # who has the watch has stepped aside with it, for there was no other association
        self._is_closing = self._is_over = self._has_failed = False
        self._failed = failed
        self._failures = 0  # rounds in a row
        self.beat, self.is_beat_wanted = 0.0, False
        # The lookout's.
        self._rouse = rouse
        self._awake = math.inf  # since when who has the watch works; not while it waits
        self._is_unobserved = False
        self._seen = 0.0
        try:
            with self._lock:
                self._appoint()
        except BaseException:
            self._let_go()
            raise

    # --- for a server ---

    def serve(self, coroutine: Coroutine[Any, Any, None], abandoned: Callable[[], None] = lambda: None) -> None:
        """Run a coroutine, which waits by a `CrewTransport` of this crew, to its end.

        Args:
            coroutine: What to run; closed if this raises.
            abandoned: Called if the coroutine is given up before it has begun, other than by an exception of this call.

        Raises:
            RuntimeError: The crew has ended.
        """
        served = None
        try:
            served = Served(coroutine, abandoned)
            with self._lock:
                if self._is_over:
                    raise RuntimeError("the threads of the server have ended")
                if self._is_aside:
                    self._appoint()
                self._served.add(served)
                self.is_shared = len(self._served) > 1
                self._due.append((served, None))
        except BaseException:
            coroutine.close()
            with self._lock:
                self._served.discard(served)
            raise
        self._wake()

    def wait(self, seconds: float | None) -> int:
        """Wait until every association has ended but the one that the caller serves, or for so long; return how many are left."""
        mine = {SERVED.get()}
        with aside(), self._one_ended:
            self._one_ended.wait_for(lambda: self._served <= mine, seconds)
            return len(self._served - mine)

    def cancel(self) -> None:
        """Cancel the `async def` handlers that run."""
        self._handlers.cancel()

    def close(self) -> None:
        """Let the threads end. Those of associations that are served still end once these have ended."""
        self._handlers.close()
        with self._lock:
            self._is_closing = True
            if self._served:
                return
            self._dismiss()
            threads = list(self._threads)
        for thread in threads:
            if thread is not threading.current_thread():
                thread.join(LEAVING)

    def give_up(self, error: BaseException) -> None:
        """End every association and every thread, for one of them cannot go on, and have the server told."""
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
        """Have a thread go round, which sets `beat`; where the one that should hangs, another one does."""
        self.is_beat_wanted = True
        with self._lock:
            hangs = self.takes_turns and time.monotonic() - self._awake > PATIENCE
            if self._is_aside or hangs:
                self._appoint()
        self._wake()

    def look_out(self) -> float | None:
        """Appoint another thread if the one that has the watch hangs.

        Returns:
            In how many seconds to call it again; None when that will be said.
        """
        if not (self.takes_turns and self.is_shared):  # there is nobody that could have to wait
            self._is_unobserved = False
            return None
        awake, passed = self._awake, self._round.passed
        if awake == math.inf and passed == self._seen:
            self._is_unobserved = True
            if self._awake == math.inf:
                return None
            self._is_unobserved = False  # it has got something to do in this moment
        elif time.monotonic() - max(awake, passed) > PATIENCE:
            with self._lock:
                self._appoint()
        self._seen = passed
        return PATIENCE

    # --- for a transport ---

    @property
    def woken(self) -> int:
        """A descriptor that can be read when there is something else to go on with than the one association."""
        return self._woken.fileno()

    def wait_alone(self, wait: Callable[[], list[tuple[int, int]]]) -> list[tuple[int, int]] | None:
        """With one association, wait for that right here: to suspend it and go on with it would be in vain.

        Returns:
            What `wait` returns; None if it is not for the caller to wait.
        """
        turn = turns.HERE.turn
        if not isinstance(turn, MatesTurn) or self._watch is not turn.mate or self.is_shared:
            return None
        self._is_aside = False
        self._awake = math.inf
        # Another association has come in this moment, or whether the thread goes round is to be seen.
        if self._due or self.is_beat_wanted or self._watch is not turn.mate:
            return None
        polled = wait()
        self._awake = time.monotonic()
        turn.keep()
        return polled

    def to_its_end(self, function: Callable[..., T | Awaitable[T]], *args: Any) -> T:
        """Call a `def` here, and run an `async def` on the event loop of the server; return its answer."""
        result = function(*args)
        if isinstance(result, CoroutineType):
            answer: T = self._handlers.run(result)
            return answer
        return cast(T, result)

    def forget(self, descriptor: int) -> None:
        """A connection is about to be closed; who waits for it goes on."""
        with self._lock:
            self._unregister(descriptor)
            served = self._waiting.pop(descriptor, None)
        if served is not None:
            self._make_due(served, served.wanted)

    # --- for a thread of the crew ---

    def keep_watch(self, mate: Mate) -> None:
        """Wait for all connections and go on with those that are ready, until another thread has the watch.

        A round that fails is a line in the log, and the next one follows. What fails in one association ends that one alone.

        Raises:
            Exception: `MOST_FAILURES` rounds in a row have failed, and one more.
        """
        while True:
            try:
                while self._watch is mate:
                    self._is_aside = False
                    if not self._happened:
                        self._awake = math.inf
                        self._happened.extend(self._descriptors.wait(self._seconds_left(mate)))
                    began = self._awake = time.monotonic()
                    if self._is_unobserved:
                        self._is_unobserved = False
                        self._rouse()
                    if not self.takes_turns:
                        self.hand_on(mate)
                        self._go_on(mate)
                    else:
                        try:
                            mate.turn.begin()
                            self._go_on(mate)
                        finally:
                            mate.turn.end()
                    self._failures, self.beat = 0, began
                    self.is_beat_wanted = False
                return
            except Exception as error:
                # Of all threads together: the next one may have the watch before this one tries again.
                self._failures += 1
                if self._failures > MOST_FAILURES:
                    raise
                if self._failures == 1:
                    say_failed("a round of the threads that serve associations failed", error)
                time.sleep(BREATHER)

    def hand_on(self, mate: Mate) -> None:
        """Give the watch to another thread, if `mate` has it and there is something to watch."""
        with self._lock:
            if self._watch is not mate:
                return
            if self.is_shared:
                self._appoint()
            else:
                self._is_aside = True

    def work(self, mate: Mate, job: Job) -> None:
        """Do a job for an association, which then goes on."""
        served, mate.job = mate.serving, None
        assert served is not None
        job.do()
        mate.serving = None
        self._job_done(served)

    def rest(self, mate: Mate) -> bool:
        """Wait to be given the watch, or a job; False if the thread is to end."""
        with self._lock:
            if self._is_over:
                self._leave(mate)
                return False
            self._idle.append(mate)
        while not mate.called.acquire(timeout=IDLE):
            with self._lock:
                if mate in self._idle:  # else it is called in this moment
                    self._idle.remove(mate)
                    self._leave(mate)
                    return False
        return True

    def leave(self, mate: Mate) -> None:
        """Note that a thread ends by an error."""
        with self._lock:
            self._leave(mate)

    def _seconds_left(self, mate: Mate) -> float | None:
        """How long it may be waited for descriptors."""
        if self._due or self._watch is not mate:
            return 0
        return None if self._soonest == math.inf else max(0.0, self._soonest - time.monotonic())

    def _go_on(self, mate: Mate) -> None:
        """With one after the other; who has lost the watch meanwhile leaves the rest to the one who has it."""
        if self._soonest <= self._awake:
            self._expire()
        for _ in range(len(self._happened) + len(self._due)):
            if (following := self._following()) is None:
                return
            try:
                self._step(mate, *following)
            except Exception as error:
                say_failed("an association was ended, for the server failed", error)
                self._drop(following[0])
            if self.takes_turns and self._watch is not mate:
                return

    def _following(self) -> tuple[Served, int | None] | None:
        """The next one to go on with, and what has happened to it; None if there is none."""
        try:
            while self._happened:
                descriptor, events = self._happened.popleft()
                served = self._waiting.pop(descriptor, None)
                if served is None:
                    self._nobody_waits(descriptor)
                elif event := events & served.wanted:
                    return served, event
                else:  # it was before it waited
                    self._waiting[descriptor] = served
            return self._due.popleft()
        except IndexError:
            return None

    def _step(self, mate: Mate, served: Served, event: int | None) -> None:
        """Go on with one association until it waits again, or ends.

        Raises:
            Exception: Something failed that has no place in an association; it is to be dropped.
        """
        if self.takes_turns:
            mate.turn.keep()
        mate.serving = served
        try:
            awaited = served.go_on(event)
        except (StopIteration, HandlerCancelled):
            self._end(served)
        except Exception:
            raise
        except BaseException as error:
            # A handler wants to end the thread, and the other associations of this one are not to suffer.
            threading.excepthook(threading.ExceptHookArgs((type(error), error, error.__traceback__, mate)))
            self._end(served)
        else:
            if self._is_over:
                self._drop(served)
            elif isinstance(awaited, CrewTransport):
                self._await(served, awaited)
            elif awaited is None:
                self._make_due(served, None)
            else:
                self._give(served, awaited)
        finally:
            mate.serving = None

    def _drop(self, served: Served) -> None:
        """End an association where it waits; if a thread is at work on it, that thread ends it afterwards."""
        try:
            if not served.close():
                return
        except BaseException as error:
            say_failed("an association did not end in order", error)
        self._end(served)

    def _await(self, served: Served, transport: CrewTransport) -> None:
        """Have it go on when its transport is ready."""
        descriptor, wanted, deadline = transport.descriptor, transport.wanted, transport.deadline
        served.wanted, served.deadline = wanted, deadline
        try:
            with self._lock:
                if (interest := self._interests.get(descriptor)) != wanted:
                    if interest is None:
                        self._descriptors.register(descriptor, wanted)
                    else:
                        self._descriptors.modify(descriptor, wanted)
                    self._interests[descriptor] = wanted
                self._waiting[descriptor] = served
                if is_sooner := deadline is not None and deadline < self._soonest:
                    self._soonest = deadline
        except (OSError, ValueError, KeyError):  # it is closed, and the next call says so
            self._make_due(served, wanted)
        else:
            if is_sooner:
                self._wake()

    def _give(self, served: Served, job: Job) -> None:
        """Have another thread do a job; where the system has none, this one."""
        served.has_job = True
        try:
            with self._lock:
                mate = self._another()
                mate.serving, mate.job = served, job
                self._call(mate)
        except Exception:
            job.do()
            self._job_done(served)

    def _job_done(self, served: Served) -> None:
        """Go on with an association whose job is done."""
        served.has_job = False
        if self._is_over:
            self._drop(served)
        else:
            self._make_due(served, None)

    def _expire(self) -> None:
        """Have those go on whose deadline has passed."""
        now = time.monotonic()
        with self._lock:
            waiting = [(each.deadline, descriptor) for descriptor, each in list(self._waiting.items()) if each.deadline]
            self._soonest = min((deadline for deadline, _ in waiting if deadline > now), default=math.inf)
            late = [self._waiting.pop(descriptor, None) for deadline, descriptor in waiting if deadline <= now]
        for served in filter(None, late):
            self._make_due(served, 0)

    def _make_due(self, served: Served, event: int | None) -> None:
        self._due.append((served, event))
        self._wake()

    def _nobody_waits(self, descriptor: int) -> None:
        """What has happened is for an association that somebody else goes on with, or for us."""
        if descriptor == self._woken.fileno():
            with suppress(BlockingIOError):
                self._woken.recv(4096)
            return
        with self._lock:
            if descriptor not in self._waiting:
                self._unregister(descriptor)

    def _end(self, served: Served) -> None:
        with self._lock:
            self._served.discard(served)
            self.is_shared = len(self._served) > 1
            self._one_ended.notify_all()
            if self._is_closing and not self._served:
                self._dismiss()

    def _wake(self) -> None:
        """Wake the thread that has the watch, if it waits: before that it says so, and then looks at what there is."""
        if self._awake != math.inf:
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

    # --- with the lock held ---

    def _appoint(self) -> None:
        """Give the watch to another thread; where the system has none, the one that has it keeps it."""
        if self._is_over:
            return
        before, self._watch = self._watch, self._another()
        awake, self._awake = self._awake, math.inf  # it does not hang before it has begun
        try:
            self._call(self._watch)
        except Exception:
            self._watch, self._awake = before, awake
            if before is None:
                raise
        else:
            self._is_aside = False

    def _another(self) -> Mate:
        """A thread that has nothing to do, or has not been started."""
        return self._idle.pop() if self._idle else Mate(self, self._round)

    def _call(self, mate: Mate) -> None:
        """Have it do what was given to it.

        Raises:
            RuntimeError: It was not started, and the system has no more threads.
        """
        is_idle = mate in self._threads
        try:
            if is_idle:
                mate.called.release()
            else:
                self._threads.add(mate)
                mate.start()
        except BaseException:
            mate.serving = mate.job = None
            if is_idle:
                self._idle.append(mate)
            else:
                self._threads.discard(mate)
            raise

    def _dismiss(self) -> None:
        """Have all threads end."""
        self._is_over, self._watch = True, None
        while self._idle:
            self._idle.pop().called.release()
        self._wake()

    def _leave(self, mate: Mate) -> None:
        """The last one closes the door."""
        self._threads.discard(mate)
        if self._is_over and not self._threads:
            self._let_go()

    def _let_go(self) -> None:
        self._descriptors.close()
        self._waker.close()
        self._woken.close()

    def _unregister(self, descriptor: int) -> None:
        if self._interests.pop(descriptor, 0):
            self._descriptors.unregister(descriptor)


def say_failed(what: str, error: BaseException) -> None:
    """Log an error that was not expected, in one line; nothing is raised."""
    with suppress(Exception):
        words = one_line(f"{type(error).__name__}: {error}")
        LOGGER.error("%s: %s", what, words, exc_info=error if LOGGER.isEnabledFor(logging.DEBUG) else None)
