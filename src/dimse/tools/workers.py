"""Several processes of one tool that share a port (SO_REUSEPORT), and the supervisor that starts and ends them."""

from __future__ import annotations

import argparse
import logging
import os
import signal
import socket
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack, suppress
from typing import NoReturn, TypeAlias

import dimse
from dimse.support.values import replace
from dimse.tools import log_setup, running
from dimse.tools.processes import TICKS, Serving, Shutdown, Watchdog, serve_until_shutdown
from dimse.tools.wording import log_failure, reason_with_path

# Announces the addresses of the ports as long as it is entered.
Announced: TypeAlias = "Callable[[Sequence[tuple[str, int]]], AbstractContextManager[None]]"


def supervise(
    options: argparse.Namespace,
    logger: logging.Logger,
    serving: Serving,
    shutdown: Shutdown,
    watchdog: Watchdog,
    announced: Announced,
) -> str:
    """Run workers until a signal comes or one of them ends; return the words of a failure, or an empty text.

    Args:
        options: The parsed options; their ports become those that are bound.
        logger: The logger of the tool.
        serving: The function that each worker runs.
        shutdown: The handling of signals.
        watchdog: The service manager's watchdog.
        announced: Announces the addresses once every worker listens.

    Raises:
        OSError: The address cannot be bound.
    """
    with ExitStack() as claims:
        addresses = _claim_ports(options, claims)
        ready, tell = os.pipe()
        beats, beat = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        # The supervisor holds the other end as long as it lives.
        supervisor, held = os.pipe()
        # A signal waits until the process that gets it has handlers for it.
        signal.pthread_sigmask(signal.SIG_BLOCK, Shutdown.SIGNALS)
        # With a handler, the end of a worker wakes the supervisor.
        signal.signal(signal.SIGCHLD, lambda number, frame: None)
        for number in range(options.workers):
            worker = os.fork()
            if not worker:
                os.close(held)
                shutdown.become_worker(supervisor)
                if options.measures is not None:
                    options.measures.worker = number
                _work(options, logger, serving, shutdown, tell, WorkerHeartbeats(watchdog.seconds, beat))
            shutdown.workers.add(worker)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, Shutdown.SIGNALS)
        os.close(tell)
        # A signal may have come before the workers existed.
        if shutdown.begun:
            shutdown.end_workers()
        with open(ready, "rb") as each_is_ready:
            if len(each_is_ready.read(options.workers)) == options.workers:
                with announced(addresses):
                    return _wait_for_workers(logger, shutdown, watchdog, beats)
        shutdown.end_workers()
        return _wait_for_workers(logger, shutdown, watchdog, beats)


def _claim_ports(options: argparse.Namespace, claims: ExitStack) -> list[tuple[str, int]]:
    """Claim every port for the workers, put the numbers that are bound into the options, and return the addresses.

    Raises:
        OSError: An address cannot be bound.
    """
    addresses: list[tuple[str, int]] = []
    for number in (options.port, *(port.port for port in options.also_ports)):
        claim = claims.enter_context(_claim(options.bind_address, number))
        addresses.append(claim.getsockname()[:2])
    options.port = addresses[0][1]
    options.also_ports = [
        replace(port, port=bound) for port, (_, bound) in zip(options.also_ports, addresses[1:], strict=True)
    ]
    return addresses


def _claim(host: str, port: int) -> socket.socket:
    """Return a socket that holds the port for the workers, and accepts no connections.

    Raises:
        OSError: The address cannot be bound.
    """
    from dimse.serving.ports import saying_where

    def bound(*options: int) -> socket.socket:
        with saying_where(host, port) as family:
            bound = socket.socket(family)
            try:
                for option in options:
                    bound.setsockopt(socket.SOL_SOCKET, option, 1)
                # As for the listeners of the workers.
                if family == socket.AF_INET6:
                    bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                bound.bind((host, port))
            except OSError:
                bound.close()
                raise
            return bound

    # Without SO_REUSEPORT a port that another tool's workers share is in use; with it the system would add us to them.
    if port:
        bound(socket.SO_REUSEADDR).close()
    return bound(socket.SO_REUSEADDR, socket.SO_REUSEPORT)


class WorkerHeartbeats:
    """The heartbeats of a worker, sent to the supervisor.

    Args:
        seconds: The interval in which the service manager expects one; 0 expects none.
        beat: The socket that gets the number of the process.
    """

    def __init__(self, seconds: float, beat: socket.socket) -> None:
        self.seconds = seconds
        self._beat = beat

    def tell(self, silent: str) -> None:
        """Send a heartbeat unless the server is silent."""
        if not silent:
            # The socket may be full or closed: then the supervisor hangs or has ended.
            with suppress(OSError):
                self._beat.send(b"%d" % os.getpid(), socket.MSG_DONTWAIT)


def _work(
    options: argparse.Namespace,
    logger: logging.Logger,
    serving: Serving,
    shutdown: Shutdown,
    tell: int,
    heartbeats: WorkerHeartbeats,
) -> NoReturn:
    """Serve in the process of a worker, and end the process.

    Args:
        options: The parsed options.
        logger: The logger of the tool.
        serving: The function that each worker runs.
        shutdown: The handling of signals.
        tell: A pipe that gets a byte when the worker listens.
        heartbeats: The receiver of the server's heartbeats.
    """
    status = running.NO_ASSOCIATION
    try:
        with serving() as server:
            os.write(tell, b".")
            os.close(tell)
            if not serve_until_shutdown(options, logger, server, shutdown, heartbeats):
                status = running.SUCCESS
    except (OSError, ValueError, dimse.DimseError) as error:
        log_failure(logger, [reason_with_path(error)])
        status = running.NO_ASSOCIATION
    finally:
        log_setup.flush_notices()
        if options.trail is not None:
            options.trail.close()
        logging.shutdown()
        # Nothing that the supervisor has opened is to be closed here.
        os._exit(status)


def _wait_for_workers(logger: logging.Logger, shutdown: Shutdown, watchdog: Watchdog, beats: socket.socket) -> str:
    """Wait until every worker has ended, and tell the watchdog which ones are silent; return the words of a failure."""
    failed = ""
    heard = dict.fromkeys(shutdown.workers, time.monotonic())
    while shutdown.workers:
        if shutdown.take_reload():
            # The rest is for the workers, which get the signal too.
            log_setup.reopen()
        worker, how = os.waitpid(-1, os.WNOHANG)
        if worker:
            shutdown.workers.discard(worker)
            if how or not shutdown.begun:
                failed = "a worker has ended"
            if not shutdown.begun:
                logger.error("a worker has ended (%d): shutting the others down", os.waitstatus_to_exitcode(how))
                shutdown.begin()
            continue
        watches = watchdog.seconds and not shutdown.begun
        if watches:
            heard.update(_heard(beats))
            latest = time.monotonic() - watchdog.seconds / 2
            silent = [f"worker {worker}" for worker in sorted(shutdown.workers) if heard[worker] < latest]
            watchdog.tell(", ".join(silent))
        shutdown.wait(watchdog.seconds / TICKS if watches else None)
    return failed


def _heard(beats: socket.socket) -> dict[int, float]:
    """Return the workers whose heartbeats have come since the last call, each with the present time."""
    heard: dict[int, float] = {}
    with suppress(BlockingIOError):
        while True:
            heard[int(beats.recv(64, socket.MSG_DONTWAIT))] = time.monotonic()
    return heard
