"""The process of a tool that listens: its shutdown by a signal, and the watchdog of the service manager."""

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
from typing import Protocol, Self, TypeAlias

import dimse
from dimse.tools import log_setup, running
from dimse.tools.ready import notify, watchdog_seconds
from dimse.tools.wording import reason_with_path

# Makes a server that listens while it is entered.
Serving: TypeAlias = "Callable[[], AbstractContextManager[dimse.Server]]"

# How often the server is asked for a heartbeat within the time that the service manager sets.
TICKS = 4


class Shutdown:
    """The handling of SIGTERM and SIGINT: the first one shuts the tool down in order, a second one kills it.

    The handler only sets a flag and signals the workers: an exception raised in it could break into any code. The system may
    deliver a signal to any thread, but Python runs handlers in the main one. So signals wake `wait` through a socket.

    Args:
        reloads: True if SIGHUP is to make the tool read its files again, and open its log file again, instead of ending it.

    Attributes:
        begun: Whether the shutdown has begun.
        workers: IDs of the processes that are shut down with this one.
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
        """Begin the shutdown, as the first signal does; idempotent."""
        self.begun = True
        self.end_workers()

    def end_workers(self) -> None:
        """Ask every worker to shut down in order."""
        self._tell_workers(signal.SIGTERM)

    def _tell_workers(self, number: int) -> None:
        for worker in self.workers:
            with suppress(ProcessLookupError):
                os.kill(worker, number)

    def become_worker(self, supervisor: int) -> None:
        """Handle signals as a worker does: shut down on the supervisor's SIGTERM, and end at once when the supervisor has ended.

        A terminal or a service manager may send a signal to every process, and the supervisor passes its own on. So to a worker
        the same signal twice is not a second one.

        Args:
            supervisor: A pipe whose other end only the supervisor holds.
        """
        self.workers.clear()
        # The pipe so far is the supervisor's.
        self._close_pipe()
        self._open_pipe()
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.signal(signal.SIGINT, lambda number, frame: None)
        signal.signal(signal.SIGTERM, lambda number, frame: self.begin())
        signal.pthread_sigmask(signal.SIG_UNBLOCK, self.SIGNALS)

        def watch() -> None:
            os.read(supervisor, 1)
            os._exit(running.NO_ASSOCIATION)

        threading.Thread(target=watch, name="dimse-supervisor", daemon=True).start()

    def wake(self) -> None:
        """Wake the main thread from `wait`; may be called in any thread."""
        # A full socket wakes it as well.
        with suppress(OSError):
            self._waker.send(b"x")

    def wait(self, seconds: float | None) -> None:
        """Wait until a signal or `wake` has come since the last call, at most for so many seconds."""
        self._woken.settimeout(seconds)
        with suppress(TimeoutError):
            self._woken.recv(4096)

    def take_reload(self) -> bool:
        """Return True if SIGHUP has come since the last call."""
        to_reload, self._to_reload = self._to_reload, False
        return to_reload


class Heartbeats(Protocol):
    """The receiver of the heartbeats of a server.

    Attributes:
        seconds: The interval in which it expects one; 0 expects none.
    """

    seconds: float

    def tell(self, silent: str) -> None:
        """Take a heartbeat; `silent` names the part that has not answered since the last one, and is empty if all have."""


class Watchdog:
    """The service manager's watchdog: it hears that all is well, and only while that is so (sd_watchdog_enabled(3)).

    Args:
        logger: The logger of the tool.
    """

    def __init__(self, logger: logging.Logger) -> None:
        self.seconds = watchdog_seconds()
        self._logger = logger
        self._silent = ""

    def tell(self, silent: str) -> None:
        """Notify the service manager unless something is silent; log that once, as an error."""
        if not silent:
            notify("WATCHDOG=1")
        elif silent != self._silent:
            self._logger.error("no answer from %s: the watchdog of the service manager is not notified", silent)
        self._silent = silent


def serve_until_shutdown(
    options: argparse.Namespace,
    logger: logging.Logger,
    server: dimse.Server,
    shutdown: Shutdown,
    heartbeats: Heartbeats,
) -> str:
    """Serve until a signal comes or the server fails, which it logs itself; return the words of a failure, or an empty text.

    Args:
        options: The parsed options.
        logger: The logger of the tool.
        server: The server, which listens already.
        shutdown: The handling of signals.
        heartbeats: The receiver of the server's heartbeats.
    """
    interval = heartbeats.seconds / TICKS
    server.when_failed = shutdown.wake
    asked = time.monotonic()
    server.ask_for_heartbeat()
    while not shutdown.begun and server.failed is None:
        shutdown.wait(interval or None)
        if shutdown.take_reload():
            _reload(options, logger, server)
        if interval and time.monotonic() - asked >= interval:
            heartbeats.tell("" if server.heartbeat >= asked else "the server")
            asked = time.monotonic()
            server.ask_for_heartbeat()
    server.shutdown(options.drain if server.failed is None else 0)
    return "" if server.failed is None else "the server has failed"


def _reload(options: argparse.Namespace, logger: logging.Logger, server: dimse.Server) -> None:
    """Open the log file again, and read certificates, passwords and peers again; those that cannot be used stay as they were."""
    if options.log_file:
        log_setup.reopen()
        logger.info("Log file opened again")
    reloads = {
        "certificates": options.port_tls and server.reload_tls,
        "passwords": options.passwords and options.passwords.reload,
        "peers": getattr(options, "reload_peers", None),
    }
    for name, reload in reloads.items():
        if reload:
            try:
                reload()
            except (OSError, ValueError, dimse.TLSConfigurationError) as error:
                logger.error("the %s stay as they were: %s", name, reason_with_path(error))
            else:
                logger.info("%s read again", name.capitalize())
