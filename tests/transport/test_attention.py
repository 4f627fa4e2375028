"""Who stays awake while the next message is awaited, and who sleeps: told by the processor time that it takes."""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Iterator

import pytest

import dimse
from dimse.transport import READ, attention
from dimse.transport.blocking import BlockingTransport, run
from tests.hostile_scu import HostileSCU, echo

QUIET = 0.1  # seconds in which nothing comes
AWAKE, ASLEEP = 0.01, 0.005  # seconds of processor time in it: at least, on a machine that has much to do; at the most
LONG = 10.0


@pytest.fixture(autouse=True)
def long_attention(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that it is seen in the processor time; and what other tests have left open does not count."""
    monkeypatch.setattr(attention, "BRIEF", LONG)
    monkeypatch.setattr(attention, "_HAS_SEVERAL_PROCESSORS", True)
    monkeypatch.setattr(attention, "_open", set())


@pytest.fixture
def ends() -> Iterator[tuple[BlockingTransport, socket.socket]]:
    """A transport, and the socket at its other end."""
    near, far = socket.socketpair()
    transport = BlockingTransport(near)
    yield transport, far
    transport.close()
    far.close()


def wait(transport: BlockingTransport, seconds: float, *, awaited: bool = True) -> int:
    return run(transport.ready(READ, time.monotonic() + seconds, awaited=awaited))


def awaken(transport: BlockingTransport, far: socket.socket) -> None:
    """A message comes at once."""
    far.send(b"x")
    assert wait(transport, LONG) == READ
    assert transport.receive_now(memoryview(bytearray(1))) == 1


def time_awake(transport: BlockingTransport, *, awaited: bool = True) -> float:
    """Processor seconds of a wait for what does not come."""
    before = time.thread_time()
    assert wait(transport, QUIET, awaited=awaited) == 0
    return time.thread_time() - before


def test_after_a_message_that_came_at_once_the_next_is_awaited_awake(
    ends: tuple[BlockingTransport, socket.socket],
) -> None:
    awaken(*ends)
    assert time_awake(ends[0]) >= AWAKE


def test_the_first_message_is_awaited_asleep(ends: tuple[BlockingTransport, socket.socket]) -> None:
    assert time_awake(ends[0]) <= ASLEEP


def test_after_a_message_that_took_long_the_next_is_awaited_asleep(
    ends: tuple[BlockingTransport, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    awaken(*ends)
    monkeypatch.setattr(attention, "BRIEF", QUIET / 2)
    assert time_awake(ends[0]) >= AWAKE / 2
    assert time_awake(ends[0]) <= ASLEEP


def test_the_rest_of_a_message_is_awaited_asleep(ends: tuple[BlockingTransport, socket.socket]) -> None:
    awaken(*ends)
    assert time_awake(ends[0], awaited=False) <= ASLEEP


def test_with_another_connection_both_are_awaited_asleep(ends: tuple[BlockingTransport, socket.socket]) -> None:
    near, far = socket.socketpair()
    with far:
        other = BlockingTransport(near)
        awaken(*ends)
        assert time_awake(ends[0]) <= ASLEEP
        other.close()
    awaken(*ends)
    assert time_awake(ends[0]) >= AWAKE


def test_with_one_processor_it_is_left_to_the_peer(
    ends: tuple[BlockingTransport, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attention, "_HAS_SEVERAL_PROCESSORS", False)
    awaken(*ends)
    assert time_awake(ends[0]) <= ASLEEP


def test_a_server_with_one_association_awaits_its_next_message_awake() -> None:
    with dimse.Server(("127.0.0.1", 0), dimse.Handlers()) as server, HostileSCU(server.address[1]) as scu:
        scu.associate()
        for _ in range(2):
            scu.send(echo())
            assert scu.read() == "C-ECHO-RSP 0000H"
        before = time.process_time()
        assert select.select([scu.socket], [], [], QUIET)[0] == []
        assert time.process_time() - before >= AWAKE
