"""Turns: one thread at a time, but nobody waits for one that hangs."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

import dimse
from dimse import turns
from dimse.support.pace import brief
from dimse.turns import HERE, PATIENCE, Round, Turn, aside

LOOPBACK = "127.0.0.1"


@contextmanager
def working(shared: Round) -> Iterator[Turn]:
    """This thread takes turns, and has its own."""
    turn = Turn(shared)
    HERE.turn = turn
    turn.begin()
    try:
        yield turn
    finally:
        turn.end()
        HERE.turn = None


def elsewhere(function: Callable[[], float]) -> float:
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(function).result(10)


def seconds_until_it_begins(shared: Round) -> float:
    started = time.monotonic()
    with working(shared):
        return time.monotonic() - started


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Turns that are waited for until the test is over."""
    monkeypatch.setattr(turns, "PATIENCE", 20)


@pytest.mark.usefixtures("patient")
def test_who_steps_aside_lets_another_one_work() -> None:
    shared = Round()
    with working(shared):
        assert shared.lock.locked()
        with aside():
            assert elsewhere(lambda: seconds_until_it_begins(shared)) < 10
        assert shared.lock.locked()
    assert not shared.lock.locked()


def test_when_somebody_keeps_its_turn_the_others_go_on_without() -> None:
    shared = Round()
    with working(shared):
        assert PATIENCE <= elsewhere(lambda: seconds_until_it_begins(shared)) < 5
        assert not shared.lock.locked()  # once is enough to know: the next one does not wait
    assert not shared.lock.locked()


@pytest.mark.usefixtures("patient")
def test_who_is_aside_already_does_not_come_back_for_an_inner_block() -> None:
    shared = Round()
    with working(shared), aside():
        with aside():
            assert not shared.lock.locked()
        assert not shared.lock.locked()
        assert elsewhere(lambda: seconds_until_it_begins(shared)) < 10


def test_a_thread_that_takes_no_turns_is_not_held_up() -> None:
    assert HERE.turn is None
    with aside():
        assert HERE.turn is None


def test_the_others_are_patient_as_long_as_the_turn_goes_round() -> None:
    shared = Round()
    with working(shared), ThreadPoolExecutor(1) as pool:
        shared.passed = time.monotonic() + 60  # as if it were somebody else's at every moment
        waiting = pool.submit(seconds_until_it_begins, shared)
        with pytest.raises(TimeoutError):
            waiting.result(5 * PATIENCE)
        with aside():
            assert waiting.result(10) >= 5 * PATIENCE


def test_a_handler_that_hangs_does_not_stop_other_associations() -> None:
    hanging, go_on = threading.Event(), threading.Event()

    @brief
    def echo(request: dimse.EchoRequest) -> int:
        if request.peer.ae_title == "HANGS":
            hanging.set()
            go_on.wait(20)
        return 0x0000

    def ask(title: str) -> float:
        started = time.monotonic()
        contexts = [dimse.Verification]
        with dimse.associate(*server.address[:2], contexts=contexts, calling_ae_title=title) as association:
            assert association.echo().is_success
        return time.monotonic() - started

    with dimse.Server((LOOPBACK, 0), dimse.Handlers(echo=echo)) as server, ThreadPoolExecutor(1) as pool:
        held_up = pool.submit(ask, "HANGS")
        assert hanging.wait(10)
        assert ask("OTHER") < 2
        assert not held_up.done()
        go_on.set()
        held_up.result(10)


def test_handlers_that_wait_do_so_at_the_same_time() -> None:
    together = threading.Barrier(5)

    def echo(_: dimse.EchoRequest) -> int:
        together.wait(20)
        return 0x0000

    def ask(_: int) -> bool:
        with dimse.associate(*server.address[:2], contexts=[dimse.Verification]) as association:
            return association.echo().is_success

    with dimse.Server((LOOPBACK, 0), dimse.Handlers(echo=echo)) as server, ThreadPoolExecutor(5) as pool:
        assert all(pool.map(ask, range(5)))
