"""The processes of a tool that listens: how it ends, its workers, and what the service manager is told."""

from __future__ import annotations

import argparse
import logging
import os
import signal
import socket
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from types import FrameType, TracebackType
from typing import NoReturn, Self, TypeAlias

import dimse
from dimse.support.text import host_and_port, one_line
from dimse.tools import common
from dimse.tools.ready import announce, notify, watchdog_seconds

TICKS = 4
"""How often the server is asked within the time in which the service manager wants to hear of it."""


class Ending:
    """SIGTERM and SIGINT: the first ends the tool in order, a second one at once.

    The handler only notes it and tells the workers: an exception out of it could break into whatever is under way. The system
    may give a signal to any thread, and handlers run in the main one, which has to be woken: hence the socket that `wait` reads.

    Args:
        reloads: SIGHUP does not end the tool, but has it read its certificates and passwords again.

    Attributes:
        begun: Has the first of them come?
        workers: Processes that end with this one.
    """

    SIGNALS = (signal.SIGTERM, signal.SIGINT)

    def __init__(self, *, reloads: bool = False) -> None:
        self.begun = False
        self._reloads, self._to_reload = reloads, False
        self.workers: set[int] = set()

    def __enter__(self) -> Self:
        self._open_pipe()
        self._before = {number: signal.signal(number, self._begin) for number in self.SIGNALS}
        if self._reloads:
            self._before[signal.SIGHUP] = signal.signal(signal.SIGHUP, self._reload)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(-1)
        self._close_pipe()

    def _open_pipe(self) -> None:
        self._woken, self._waker = socket.socketpair()
        self._waker.setblocking(False)
        signal.set_wakeup_fd(self._waker.fileno())

    def _close_pipe(self) -> None:
        self._woken.close()
        self._waker.close()

    def _begin(self, number: int, frame: FrameType | None) -> None:
        for each in self.SIGNALS:
            signal.signal(each, signal.SIG_DFL)
        self.begin()

    def _reload(self, number: int, frame: FrameType | None) -> None:
        self._to_reload = True
        self._tell_workers(signal.SIGHUP)

    def begin(self) -> None:
        """End the tool in order, as the first signal does; harmless twice."""
        self.begun = True
        self.end_workers()

    def end_workers(self) -> None:
        """Ask every worker to end in order."""
        self._tell_workers(signal.SIGTERM)

    def _tell_workers(self, number: int) -> None:
        for worker in self.workers:
            with suppress(ProcessLookupError):
                os.kill(worker, number)

    def become_worker(self, supervisor: int) -> None:
        """In a worker's process: end in order on the supervisor's SIGTERM, and at once when the supervisor has ended.

        Signals of a terminal or a service manager may reach every process, and the supervisor passes its own on: here the same
        signal twice is no second one.

        Args:
            supervisor: A pipe whose other end the supervisor alone holds.
        """
        self.workers.clear()
        self._close_pipe()  # which is the supervisor's
        self._open_pipe()
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.signal(signal.SIGINT, lambda number, frame: None)
        signal.signal(signal.SIGTERM, lambda number, frame: self.begin())
        signal.pthread_sigmask(signal.SIG_UNBLOCK, self.SIGNALS)

        def watch() -> None:
            os.read(supervisor, 1)
            os._exit(common.NO_ASSOCIATION)

        threading.Thread(target=watch, name="dimse-supervisor", daemon=True).start()

    def wake(self) -> None:
        """End the wait of the main thread for a signal; from any thread."""
        with suppress(OSError):  # it is awake already
            self._waker.send(b"x")

    def wait(self, seconds: float | None) -> None:
        """Wait until a signal has come, or `wake` was called, since this was called last; or for so many seconds."""
        self._woken.settimeout(seconds)
        with suppress(TimeoutError):
            self._woken.recv(4096)

    def take_reload(self) -> bool:
        """Return whether SIGHUP has come since this was last asked."""
        to_reload, self._to_reload = self._to_reload, False
        return to_reload


Serving: TypeAlias = "Callable[[], AbstractContextManager[dimse.Server]]"


def run(
    options: argparse.Namespace,
    logger: logging.Logger,
    shared: Callable[[argparse.Namespace], AbstractContextManager[Serving]],
) -> int:
    """Serve until a signal ends it; returns the exit status.

    Args:
        options: As parsed.
        logger: The tool's.
        shared: What all workers have in common, such as the folder; gives what each of them does: it enters with a server that
            listens.
    """
    why = ""
    common.loaded()
    try:
        with Ending(reloads=bool(options.tls or options.passwords)) as ending, shared(options) as serving:
            if options.workers > 1:
                status = _supervise(options, logger, serving, ending)
                why = "a worker has ended" if status else ""
                return status
            with serving() as server, announce(server.address, options.ready_file):
                _say_ready(options, logger, server.address)
                watchdog = Watchdog(logger, watchdog_seconds())
                status = _serve(options, logger, server, ending, watchdog.seconds, watchdog.tell)
                why = "the server has failed" if status else ""
                return status
    except (OSError, ValueError, dimse.DimseError) as error:
        why = _words(error)
        common.say(logger, [why])
        common.say_traceback(logger, error)
        return common.NO_ASSOCIATION
    finally:
        common.flush_notices()
        if options.trail is not None:
            options.trail.stopped(why)
            options.trail.close()


def _serve(
    options: argparse.Namespace,
    logger: logging.Logger,
    server: dimse.Server,
    ending: Ending,
    seconds: float,
    tell: Callable[[str], None],
) -> int:
    """Serve until a signal comes, or the server fails, which it has said itself; return the exit status.

    Args:
        options: As parsed.
        logger: The tool's.
        server: The server, which listens.
        ending: The signals.
        seconds: Within how many of them `tell` is to be called; 0 is never.
        tell: Called with what is silent, empty where the threads of the server have worked since it was called last.
    """
    server.when_failed = ending.wake
    asked = time.monotonic()
    server.ask_for_heartbeat()
    while not ending.begun and server.failed is None:
        ending.wait(seconds / TICKS or None)
        if ending.take_reload():
            _reload(options, logger, server)
        if seconds and time.monotonic() - asked >= seconds / TICKS:
            tell("" if server.heartbeat >= asked else "the server")
            asked = time.monotonic()
            server.ask_for_heartbeat()
    server.shutdown(options.drain if server.failed is None else 0)
    return common.SUCCESS if server.failed is None else common.NO_ASSOCIATION


class Watchdog:
    """Tells the service manager that all is well, and only while it is.

    Args:
        logger: The tool's.
        seconds: Within how many of them the manager wants to hear it; 0 if it does not.
    """

    def __init__(self, logger: logging.Logger, seconds: float) -> None:
        self.seconds = seconds
        self._logger = logger
        self._silent = ""

    def tell(self, silent: str) -> None:
        """Tell the manager that all is well, unless something is silent: then that is an error in the log, once."""
        if not silent:
            notify("WATCHDOG=1")
        elif silent != self._silent:
            self._logger.error("no answer from %s: the service manager is told no more that all is well", silent)
        self._silent = silent


def _reload(options: argparse.Namespace, logger: logging.Logger, server: dimse.Server) -> None:
    """Read again what SIGHUP is for; what cannot be used stays as it was."""
    reloads = {
        "certificates": options.tls and server.reload_tls,
        "passwords": options.passwords and options.passwords.reload,
    }
    for what, reload in reloads.items():
        if reload:
            try:
                reload()
            except (OSError, ValueError, dimse.TLSConfigurationError) as error:
                logger.error("the %s are used as they were before: %s", what, _words(error))
            else:
                logger.info("%s read again", what.capitalize())


def _words(error: Exception) -> str:
    """What went wrong, without the number that `OSError` puts before it."""
    match error:
        case OSError(strerror=str(why), filename=str(path)):
            return one_line(f"{path}: {why}")
        case OSError(strerror=str(why)):
            return one_line(why)
        case _:
            return one_line(str(error))


def _say_ready(options: argparse.Namespace, logger: logging.Logger, address: tuple[str, int]) -> None:
    if address[0] in ("0.0.0.0", "::") and not (options.allow_calling or options.allow_from):
        common.warn(
            "Listening on every address, and any AE may associate: -ba 127.0.0.1 keeps it to this machine,"
            " --allow-from and --allow-calling to known peers",
        )
    logger.info("Listening on %s", host_and_port(*address))
    if options.trail is not None:
        options.trail.started()


# --- several processes on one port ---


def _supervise(options: argparse.Namespace, logger: logging.Logger, serving: Serving, ending: Ending) -> int:
    """Run workers that share the port until a signal comes, or one of them ends."""
    with _claim(options.bind_address, options.port) as claim:
        host, options.port = claim.getsockname()[:2]
        ready, tell = os.pipe()
        beats, beat = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        watchdog = Watchdog(logger, watchdog_seconds())
        supervisor, held = os.pipe()  # this end is held as long as this process lives
        signal.pthread_sigmask(signal.SIG_BLOCK, Ending.SIGNALS)  # until who gets one knows what to do with it
        # A worker that ends wakes the supervisor.
        signal.signal(signal.SIGCHLD, lambda number, frame: None)
        for _ in range(options.workers):
            worker = os.fork()
            if not worker:
                os.close(held)
                ending.become_worker(supervisor)
                _work(options, logger, serving, ending, tell, watchdog.seconds, beat)
            ending.workers.add(worker)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, Ending.SIGNALS)
        os.close(tell)
        if ending.begun:  # before they were there to be told
            ending.end_workers()
        with open(ready, "rb") as each_is_ready:
            if len(each_is_ready.read(options.workers)) == options.workers:
                with announce((host, options.port), options.ready_file):
                    _say_ready(options, logger, (host, options.port))
                    return _wait_for_workers(logger, ending, watchdog, beats)
        ending.end_workers()
        return _wait_for_workers(logger, ending, watchdog, beats)


def _claim(host: str, port: int) -> socket.socket:
    """A socket that holds the port for the workers, and takes no connections.

    Raises:
        OSError: The address cannot be bound.
    """
    from dimse.serving.server import saying_where

    def bound(*options: int) -> socket.socket:
        with saying_where(host, port) as family:
            bound = socket.socket(family)
            try:
                for option in options:
                    bound.setsockopt(socket.SOL_SOCKET, option, 1)
                if family == socket.AF_INET6:
                    bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)  # as the workers' listeners are
                bound.bind((host, port))
            except OSError:
                bound.close()
                raise
            return bound

    if port:  # where somebody else's workers share it, the system would let us in among them
        bound(socket.SO_REUSEADDR).close()
    return bound(socket.SO_REUSEADDR, socket.SO_REUSEPORT)


def _work(
    options: argparse.Namespace,
    logger: logging.Logger,
    serving: Serving,
    ending: Ending,
    tell: int,
    seconds: float,
    beat: socket.socket,
) -> NoReturn:
    """Do what a worker does, from its start to its end.

    Args:
        options: As parsed.
        logger: The tool's.
        serving: Enters with a server that listens.
        ending: The signals.
        tell: A pipe that gets a byte when the worker listens.
        seconds: As for `_serve`.
        beat: Gets the number of the process when the server has answered.
    """
    status = common.NO_ASSOCIATION

    def pass_on(silent: str) -> None:
        if not silent:
            with suppress(OSError):  # the supervisor has not looked for long, or is gone
                beat.send(b"%d" % os.getpid(), socket.MSG_DONTWAIT)

    try:
        with serving() as server:
            os.write(tell, b".")
            os.close(tell)
            status = _serve(options, logger, server, ending, seconds, pass_on)
    except (OSError, ValueError, dimse.DimseError) as error:
        common.say(logger, [_words(error)])
        status = common.NO_ASSOCIATION
    finally:
        common.flush_notices()
        if options.trail is not None:
            options.trail.close()
        logging.shutdown()
        os._exit(status)  # nothing of the supervisor's is to be closed here


def _wait_for_workers(logger: logging.Logger, ending: Ending, watchdog: Watchdog, beats: socket.socket) -> int:
    """Wait until every worker has ended, and tell the service manager meanwhile whether all of them answer."""
    status = common.SUCCESS
    heard = dict.fromkeys(ending.workers, time.monotonic())
    while ending.workers:
        worker, how = os.waitpid(-1, os.WNOHANG)
        if worker:
            ending.workers.discard(worker)
            if how or not ending.begun:
                status = common.NO_ASSOCIATION
            if not ending.begun:
                logger.error("a worker has ended (%d): the others are ended too", os.waitstatus_to_exitcode(how))
                ending.begin()
            continue
        if watchdog.seconds and not ending.begun:
            heard.update(_heard(beats))
            latest = time.monotonic() - watchdog.seconds / 2
            silent = [f"worker {worker}" for worker in sorted(ending.workers) if heard[worker] < latest]
            watchdog.tell(", ".join(silent))
        ending.wait(watchdog.seconds / TICKS if watchdog.seconds and not ending.begun else None)
    return status


def _heard(beats: socket.socket) -> dict[int, float]:
    """The workers that have been heard since this was last asked, each with the present time."""
    heard: dict[int, float] = {}
    with suppress(BlockingIOError):
        while True:
            heard[int(beats.recv(64, socket.MSG_DONTWAIT))] = time.monotonic()
    return heard
