"""Which of many descriptors are ready, by the way that this system has and by the general one."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator

import pytest

from dimse.transport import READ, WRITE, descriptors

Ends = tuple[socket.socket, socket.socket]


@pytest.fixture(params=[descriptors.none_yet, descriptors.Descriptors], ids=["of this system", "general"])
def many(request: pytest.FixtureRequest) -> Iterator[descriptors.Descriptors]:
    many: descriptors.Descriptors = request.param()
    yield many
    many.close()


@pytest.fixture
def ends() -> Iterator[Ends]:
    near, far = socket.socketpair()
    with near, far:
        yield near, far


def test_what_is_ready_is_told_with_its_events(many: descriptors.Descriptors, ends: Ends) -> None:
    near, far = ends
    many.register(near.fileno(), READ)
    assert many.wait(0) == []
    far.send(b"x")
    assert many.wait(None) == [(near.fileno(), READ)]
    many.modify(near.fileno(), READ | WRITE)
    assert many.wait(0) == [(near.fileno(), READ | WRITE)]
    many.modify(near.fileno(), WRITE)
    assert many.wait(0) == [(near.fileno(), WRITE)]
    many.unregister(near.fileno())
    assert many.wait(0) == []


def test_the_end_of_a_connection_ends_each_wait_for_it(many: descriptors.Descriptors, ends: Ends) -> None:
    near, far = ends
    many.register(near.fileno(), READ)
    far.close()
    [(descriptor, events)] = many.wait(10)
    assert descriptor == near.fileno() and events & READ


def test_another_thread_may_register_one_meanwhile(many: descriptors.Descriptors, ends: Ends) -> None:
    near, far = ends
    far.send(b"x")
    timer = threading.Timer(0.05, many.register, (near.fileno(), READ))
    timer.start()
    if many.wait(0.2) == []:  # the general way may look at what was registered when it began
        assert many.wait(10) == [(near.fileno(), READ)]
    timer.join()


def test_one_that_has_been_closed_is_none_of_them(many: descriptors.Descriptors) -> None:
    reading, writing = os.pipe()
    many.register(reading, READ)
    os.close(reading)
    os.close(writing)
    many.unregister(reading)
    with pytest.raises((OSError, ValueError, KeyError)):
        many.modify(reading, READ)
    assert many.wait(0) == []
