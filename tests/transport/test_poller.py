"""The descriptors that are ready of many, by the poller of this system and by the general one."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator

import pytest

from dimse.transport import READ, WRITE
from dimse.transport.poller import Poller, new_poller

Ends = tuple[socket.socket, socket.socket]


@pytest.fixture(params=[new_poller, Poller], ids=["of this system", "general"])
def poller(request: pytest.FixtureRequest) -> Iterator[Poller]:
    poller: Poller = request.param()
    yield poller
    poller.close()


@pytest.fixture
def ends() -> Iterator[Ends]:
    near, far = socket.socketpair()
    with near, far:
        yield near, far


def test_what_is_ready_is_told_with_its_events(poller: Poller, ends: Ends) -> None:
    near, far = ends
    poller.watch(near.fileno(), READ)
    assert poller.wait(0) == []
    far.send(b"x")
    assert poller.wait(None) == [(near.fileno(), READ)]
    poller.watch(near.fileno(), READ | WRITE)
    assert poller.wait(0) == [(near.fileno(), READ | WRITE)]
    poller.watch(near.fileno(), WRITE)
    assert poller.wait(0) == [(near.fileno(), WRITE)]
    poller.forget(near.fileno())
    assert poller.wait(0) == []


def test_the_end_of_a_connection_ends_each_wait_for_it(poller: Poller, ends: Ends) -> None:
    near, far = ends
    poller.watch(near.fileno(), READ)
    far.close()
    [(descriptor, events)] = poller.wait(10)
    assert descriptor == near.fileno() and events & READ


def test_another_thread_may_register_one_meanwhile(poller: Poller, ends: Ends) -> None:
    near, far = ends
    far.send(b"x")
    timer = threading.Timer(0.05, poller.watch, (near.fileno(), READ))
    timer.start()
    # The general way may look at what was registered when it began.
    if poller.wait(0.2) == []:
        assert poller.wait(10) == [(near.fileno(), READ)]
    timer.join()


def test_a_closed_descriptor_is_not_among_them(poller: Poller) -> None:
    reading, writing = os.pipe()
    poller.watch(reading, READ)
    os.close(reading)
    os.close(writing)
    poller.forget(reading)
    with pytest.raises((OSError, ValueError)):
        poller.watch(reading, READ)
    assert poller.wait(0) == []
