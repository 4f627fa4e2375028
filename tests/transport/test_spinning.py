"""The wait for a peer's next message: a thread spins for a moment before it sleeps, but only where that holds up no other work.

It shows from outside in the processor time that a thread takes while it waits. A thread that spins takes all of the wait, and one
that sleeps takes next to none. A round counts in which the machine is not busy with something else.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

import dimse
from dimse.transport import READ
from dimse.transport.threaded import ThreadTransport, run
from tests.drivers import LOOPBACK
from tests.hostile_scu import HostileSCU

ROOT = Path(__file__).parents[2]
PROCESSORS = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1
pytestmark = pytest.mark.skipif(PROCESSORS < 2, reason="needs two processors, and a system that tells of them")

PAUSE = 0.0001  # seconds before each message
MESSAGES = 50  # of a round
ROUNDS = 200
SPINS = 0.5  # of the time of a round
LONG = 10.0  # seconds

# A peer that answers each byte after a pause, in which it works.
ANSWERS = f"""
import socket, sys, time
with socket.socket(fileno=int(sys.argv[1])) as connection:
    while byte := connection.recv(1):
        end = time.perf_counter() + {PAUSE}
        while time.perf_counter() < end:
            pass
        connection.send(byte)
"""

AT_ONCE = ANSWERS.replace(str(PAUSE), "0")

SERVER = """
import sys
import dimse
with dimse.Server(("127.0.0.1", 0), dimse.Handlers()) as server:
    print(server.address[1], flush=True)
    sys.stdin.read()
"""

BUSY = "print(flush=True)\nwhile True: pass"


@contextmanager
def program(*words: str, **options: Any) -> Iterator[subprocess.Popen[str]]:
    """Run a program of Python until it is left; `options` are those of `subprocess.Popen`."""
    command = [sys.executable, "-c", *words]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT, **options
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def first_line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline()


class Peer:
    """A peer that answers each byte, and our end of the connection with it."""

    def __init__(self, near: socket.socket) -> None:
        self.transport = ThreadTransport(near)
        self._near = near

    def exchange(self) -> None:
        """Send a byte and wait for its answer, as a requestor waits for a response."""
        self._near.send(b"x")
        assert run(self.transport.ready(READ, time.monotonic() + LONG, awaited=True)) == READ
        assert self.transport.receive_now(memoryview(bytearray(1))) == 1


@contextmanager
def peer(answers: str = ANSWERS) -> Iterator[Peer]:
    """Start a peer."""
    near, far = socket.socketpair()
    with far, program(answers, str(far.fileno()), pass_fds=(far.fileno(),)):
        it = Peer(near)
        try:
            yield it
        finally:
            it.transport.close()


def share(clock: Callable[[], float], exchange: Callable[[], object]) -> float:
    """Return the processor time that a clock counts in a round of messages, as a share of the time of the round."""
    started, worked = time.perf_counter(), clock()
    for _ in range(MESSAGES):
        exchange()
    return (clock() - worked) / (time.perf_counter() - started)


def spins(clock: Callable[[], float], exchange: Callable[[], object]) -> bool:
    """Return whether the thread or program that has this clock spins in a round, unless the machine has too much else to do."""
    if any(share(clock, exchange) > SPINS for _ in range(ROUNDS)):
        return True
    if os.getloadavg()[0] > PROCESSORS / 2:
        pytest.skip("other programs need the processors, and threads give way to them")
    return False


def test_a_thread_spins_for_a_message_that_comes_soon() -> None:
    with peer() as it:
        assert spins(time.thread_time, it.exchange)


def test_a_thread_sleeps_while_another_connection_receives() -> None:
    with peer() as one, peer() as other:

        def both() -> None:
            one.exchange()
            other.exchange()

        both()
        assert share(time.thread_time, both) < SPINS


@pytest.mark.thorough
@pytest.mark.parametrize("idle", [0, 2])
def test_a_server_spins_for_a_message_that_comes_soon_on_its_one_busy_association(idle: int) -> None:
    with program(SERVER) as server, ExitStack() as stack:
        port = int(first_line(server))
        others = [stack.enter_context(HostileSCU(port)) for _ in range(2 * idle)]
        for other in others[:idle]:
            other.associate()
        association = stack.enter_context(dimse.associate(LOOPBACK, port, contexts=[dimse.Verification]))

        def echo() -> None:
            assert association.echo().is_success
            end = time.perf_counter() + PAUSE
            while time.perf_counter() < end:
                pass

        # The number of the clock is that of clock_getcpuclockid(3).
        clock = ~server.pid << 3 | 2
        assert spins(lambda: time.clock_gettime(clock), echo)


def test_a_wait_in_vain_takes_hardly_any_processor_time() -> None:
    with peer(AT_ONCE) as it:
        for _ in range(3):
            it.exchange()
        started, worked = time.monotonic(), time.thread_time()
        assert run(it.transport.ready(READ, started + 0.2, awaited=True)) == 0
        assert time.monotonic() - started >= 0.2
        assert time.thread_time() - worked < 0.05


def test_a_thread_sleeps_where_another_program_needs_its_processor() -> None:
    with peer() as it:
        it.exchange()
        before = os.sched_getaffinity(0)
        os.sched_setaffinity(0, {min(before)})
        try:
            with program(BUSY) as busy:
                assert first_line(busy) == "\n"
                assert share(time.thread_time, it.exchange) < SPINS / 2
        finally:
            os.sched_setaffinity(0, before)
