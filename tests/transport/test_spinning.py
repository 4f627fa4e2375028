"""Who stays awake while the next message is awaited, and who sleeps: told by how often it looks."""

from __future__ import annotations

import os
import select
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

import dimse
from dimse.transport import READ, spinning
from dimse.transport.threaded import ThreadTransport, run
from tests.hostile_scu import HostileSCU, echo

pytestmark = pytest.mark.skipif(not hasattr(os, "sched_yield"), reason="who cannot give way always sleeps")

QUIET = 0.1  # seconds in which nothing comes
AWAKE = 3  # looks in it, at least, on a machine that has much to do
LONG = 10.0

Ends = tuple[ThreadTransport, socket.socket]


class Looks:
    """How often somebody who is awake has looked."""

    def __init__(self) -> None:
        self._count, self._give_way = 0, os.sched_yield

    def __call__(self) -> None:
        self._count += 1
        self._give_way()

    def pop(self) -> int:
        """How many there were since it was last asked."""
        count, self._count = self._count, 0
        return count


@pytest.fixture(autouse=True)
def looks(monkeypatch: pytest.MonkeyPatch) -> Looks:
    """Attention lasts, and what other tests have left open does not count."""
    looks = Looks()
    monkeypatch.setattr(os, "sched_yield", looks)
    monkeypatch.setattr(spinning, "LONGEST_SPIN", LONG)
    monkeypatch.setattr(spinning, "DISTURBED", LONG)  # by what else this machine has to do
    monkeypatch.setattr(spinning, "_HAS_SEVERAL_PROCESSORS", True)
    return looks


@pytest.fixture
def ends() -> Iterator[Ends]:
    """A transport, and the socket at its other end."""
    near, far = socket.socketpair()
    transport = ThreadTransport(near)
    yield transport, far
    transport.close()
    far.close()


def wait(transport: ThreadTransport, seconds: float, *, awaited: bool = True) -> int:
    return run(transport.ready(READ, time.monotonic() + seconds, awaited=awaited))


def awaken(transport: ThreadTransport, far: socket.socket) -> None:
    """A message comes at once."""
    far.send(b"x")
    assert wait(transport, LONG) == READ
    assert transport.receive_now(memoryview(bytearray(1))) == 1


def looks_in(transport: ThreadTransport, looks: Looks, *, awaited: bool = True) -> int:
    """How often it is looked for what does not come."""
    looks.pop()
    assert wait(transport, QUIET, awaited=awaited) == 0
    return looks.pop()


def test_after_a_message_that_came_at_once_the_next_is_awaited_awake(ends: Ends, looks: Looks) -> None:
    awaken(*ends)
    assert looks_in(ends[0], looks) >= AWAKE


def test_the_first_message_is_awaited_asleep(ends: Ends, looks: Looks) -> None:
    assert looks_in(ends[0], looks) == 0


def test_after_a_message_that_took_long_the_next_is_awaited_asleep(
    ends: Ends, looks: Looks, monkeypatch: pytest.MonkeyPatch
) -> None:
    awaken(*ends)
    monkeypatch.setattr(spinning, "LONGEST_SPIN", QUIET / 2)
    assert looks_in(ends[0], looks) >= AWAKE
    assert looks_in(ends[0], looks) == 0


def test_the_rest_of_a_message_is_awaited_asleep(ends: Ends, looks: Looks) -> None:
    awaken(*ends)
    assert looks_in(ends[0], looks, awaited=False) == 0


@contextmanager
def another() -> Iterator[Ends]:
    near, far = socket.socketpair()
    transport = ThreadTransport(near)
    with far:
        yield transport, far
        transport.close()


def test_connections_that_are_idle_do_not_matter(ends: Ends, looks: Looks) -> None:
    with another(), another():
        awaken(*ends)
        assert looks_in(ends[0], looks) >= AWAKE


def test_while_another_connection_receives_both_are_awaited_asleep(ends: Ends, looks: Looks) -> None:
    with another() as busy:
        awaken(*ends)
        awaken(*busy)
        assert looks_in(ends[0], looks) == 0
    awaken(*ends)
    assert looks_in(ends[0], looks) >= AWAKE


def test_with_one_processor_it_is_left_to_the_peer(ends: Ends, looks: Looks, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spinning, "_HAS_SEVERAL_PROCESSORS", False)
    awaken(*ends)
    assert looks_in(ends[0], looks) == 0


@contextmanager
def somebody_else() -> Iterator[None]:
    """A program that works all the time, and we have one processor with it."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    with subprocess.Popen(
        [sys.executable, "-c", "print(flush=True)\nwhile True: pass"], stdout=subprocess.PIPE
    ) as other:
        assert other.stdout is not None and other.stdout.readline()
        try:
            yield
        finally:
            other.kill()
            os.sched_setaffinity(0, before)


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="the system cannot be told which processor to use")
def test_if_another_program_needs_the_processor_the_next_waits_do_not_spin(
    ends: Ends, looks: Looks, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spinning, "DISTURBED", 0.0002)
    monkeypatch.setattr(spinning, "SPIN_REST", LONG)
    awaken(*ends)
    with somebody_else():
        looks_in(ends[0], looks)
    awaken(*ends)
    assert looks_in(ends[0], looks) == 0


@pytest.mark.parametrize("idle", [0, 2])
def test_a_server_awaits_the_next_message_of_its_one_busy_association_awake(idle: int, looks: Looks) -> None:
    with dimse.Server(("127.0.0.1", 0), dimse.Handlers()) as server, ExitStack() as stack:
        others = [stack.enter_context(HostileSCU(server.address[1])) for _ in range(2 * idle)]
        for other in others[:idle]:
            other.associate()
        scu = stack.enter_context(HostileSCU(server.address[1]))
        scu.associate()
        for _ in range(3):
            scu.send(echo())
            assert scu.read() == "C-ECHO-RSP 0000H"
        looks.pop()
        assert select.select([scu.socket], [], [], QUIET)[0] == []
        assert looks.pop() >= AWAKE
