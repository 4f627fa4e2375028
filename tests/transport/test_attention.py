"""The wait for a peer's next message: a thread polls without sleeping for a moment, but only where that helps and harms nobody.

What can be seen from outside is how often the system took a thread off its processor because the thread waited: its voluntary
context switches. A thread that sleeps until each message comes has one or more for a message. One that polls has none.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import dimse
from dimse.transport import READ
from dimse.transport.blocking import BlockingTransport, run
from tests.drivers import LOOPBACK

PROCESSORS = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1
pytestmark = pytest.mark.skipif(PROCESSORS < 2 or sys.platform != "linux", reason="needs Linux and two processors")

ECHOES = 50  # of a round
ROUNDS = 40  # in one of which the machine is not busy with something else
LONG = 10.0  # seconds

SERVER = """
import sys
import dimse
with dimse.Server(("127.0.0.1", 0), dimse.Handlers()) as server:
    print(server.address[1], flush=True)
    sys.stdin.read()
"""

REQUESTOR = """
import sys
import dimse
from tests.transport.test_attention import switches_of_a_round
with dimse.associate("127.0.0.1", int(sys.argv[1]), contexts=[dimse.Verification]) as association:
    print(switches_of_a_round(association, 0)[0])
"""

BUSY = "print(flush=True)\nwhile True: pass"


def switches(pid: int) -> int:
    """Return the voluntary context switches of all threads of a process; 0 stands for this process."""
    found = 0
    for task in Path(f"/proc/{pid or 'self'}/task").iterdir():
        lines = (task / "status").read_text().splitlines()
        found += sum(int(line.split()[1]) for line in lines if line.startswith("voluntary_ctxt_switches"))
    return found


def switches_of_a_round(association: dimse.Association, server: int) -> tuple[int, int]:
    """Return the voluntary context switches of this process and of a server's for some C-ECHOs in succession."""
    before = switches(0), switches(server)
    for _ in range(ECHOES):
        assert association.echo().is_success
    return switches(0) - before[0], switches(server) - before[1]


@contextmanager
def program(*words: str) -> Iterator[subprocess.Popen[str]]:
    """Run a program that says something and then goes on until it is killed."""
    with subprocess.Popen(
        [sys.executable, "-c", *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


@contextmanager
def on_one_processor() -> Iterator[None]:
    """Leave this process, and what it starts meanwhile, one processor."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def first_line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline()


def associated(server: subprocess.Popen[str]) -> dimse.Association:
    return dimse.associate(LOOPBACK, int(first_line(server)), contexts=[dimse.Verification])


@pytest.mark.parametrize("side", [0, 1], ids=["requestor", "server"])
def test_where_messages_come_at_once_neither_side_sleeps_between_them(side: int) -> None:
    with program(SERVER) as server, associated(server) as association:
        assert any(switches_of_a_round(association, server.pid)[side] < ECHOES / 2 for _ in range(ROUNDS))


def test_a_wait_for_what_does_not_come_takes_hardly_any_processor_time() -> None:
    near, far = socket.socketpair()
    with far:
        transport = BlockingTransport(near)
        far.send(b"x")
        assert run(transport.ready(READ, time.monotonic() + LONG, awaited=True)) == READ
        assert transport.receive_now(memoryview(bytearray(1))) == 1
        started, worked = time.monotonic(), time.thread_time()
        assert run(transport.ready(READ, started + 0.2, awaited=True)) == 0
        assert time.monotonic() - started >= 0.2
        assert time.thread_time() - worked < 0.05
        transport.close()


def test_on_the_only_processor_a_thread_sleeps_so_that_its_peer_can_work() -> None:
    with on_one_processor(), program(SERVER) as server, program(REQUESTOR, first_line(server)) as requestor:
        assert int(first_line(requestor)) > ECHOES / 2


def test_a_thread_sleeps_where_others_need_its_processor() -> None:
    with program(SERVER) as server, associated(server) as association, on_one_processor():
        os.sched_setaffinity(server.pid, os.sched_getaffinity(0))
        with program(BUSY) as busy:
            assert first_line(busy) == "\n"
            assert any(switches_of_a_round(association, server.pid)[0] > ECHOES / 2 for _ in range(3))
