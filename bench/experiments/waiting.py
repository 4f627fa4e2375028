"""An experiment on waiting for the answer to a small request: try and poll, poll first, a blocking call, or spinning."""

from __future__ import annotations

import os
import select
import socket
import struct
import time
from collections.abc import Callable
from functools import partial

from bench.experiments.comparing import Spent, beside, compare, poller

REQUEST, RESPONSE = os.urandom(8192), bytes(150)
COUNT = 750
# Seconds that a side computes between receiving and sending.
WORK = 150e-6
TIMEOUT = 60
SPIN = 1e-3  # seconds

Receive = Callable[[memoryview], int]
Way = Callable[[socket.socket], Receive]


def receive_poll_receive(connection: socket.socket, *, spin: float = 0) -> Receive:
    """Try, and poll if it would block, after spinning for `spin` seconds: the way in use within a message."""
    poll = poller(connection, select.POLLIN)

    def receive(buffer: memoryview) -> int:
        began = time.monotonic() if spin else 0.0
        while True:
            try:
                return connection.recv_into(buffer)
            except BlockingIOError:
                if not spin or time.monotonic() - began > spin:
                    poll.poll(TIMEOUT * 1000)

    return receive


def poll_receive(connection: socket.socket) -> Receive:
    """Poll first: the way in use between messages."""
    poll = poller(connection, select.POLLIN)

    def receive(buffer: memoryview) -> int:
        poll.poll(TIMEOUT * 1000)
        return connection.recv_into(buffer)

    return receive


def time_limit(connection: socket.socket) -> Receive:
    """Leave it to Python, which polls and receives."""
    connection.settimeout(TIMEOUT)
    return connection.recv_into


def blocking(connection: socket.socket) -> Receive:
    """Leave it to the system, with a time limit of its own."""
    connection.setblocking(True)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", TIMEOUT, 0))
    return connection.recv_into


def compute(seconds: float) -> None:
    """Keep the processor busy."""
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        pass


def side(
    way: Way, work: float, processors: set[int], out: bytes, awaited: int, asks: bool, connection: socket.socket
) -> None:
    """Ask or answer, `COUNT` times."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, processors or before)
    buffer = memoryview(bytearray(256 * 1024))
    receive = way(connection)
    for _ in range(COUNT):
        if asks:
            compute(work)
            connection.send(out)
        left = awaited
        while left:
            left -= receive(buffer)
        if not asks:
            compute(work)
            connection.send(out)
    os.sched_setaffinity(0, before)


def lock_step(way: Way, work: float, processors: set[int]) -> Spent:
    """Send requests, each after the response to the last one."""
    return beside(
        partial(side, way, work, processors, REQUEST, len(RESPONSE), True),
        partial(side, way, work, processors, RESPONSE, len(REQUEST), False),
    )


def main() -> None:
    """Print a table without work, one with work, and one where both sides share a processor."""
    ways: dict[str, Way] = {
        "poll, receive": poll_receive,
        "receive, poll, receive": receive_poll_receive,
        "settimeout": time_limit,
        "blocking, SO_RCVTIMEO": blocking,
        f"receive again for {SPIN * 1000:.0f} ms, poll, receive": partial(receive_poll_receive, spin=SPIN),
    }
    for title, work, processors in (
        ("no work", 0.0, set[int]()),
        (f"{WORK * 1e6:.0f} us of work a side", WORK, set[int]()),
        (f"{WORK * 1e6:.0f} us of work a side, both on one processor", WORK, {0}),
    ):
        compare(
            f"a request and its response, {title}",
            {name: partial(lock_step, way, work, processors) for name, way in ways.items()},
            count=COUNT,
        )


if __name__ == "__main__":
    main()
