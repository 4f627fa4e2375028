"""An event loop serves many associations, and none waits for what another one hangs in."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest

import dimse
from dimse.serving import workers
from dimse.serving.watchdog import HANGS_AFTER
from dimse.support.pace import brief
from tests.drivers import LOOPBACK
from tests.server_process import verify_rest

LONG = 30.0  # seconds: nothing here waits that long
SOON = 0.15  # seconds: a deadline to pass
MANY = 50

Echo = Callable[[dimse.EchoRequest], int]


def associate(server: dimse.Server, title: str = "DIMSE", **options: Any) -> dimse.Association:
    return dimse.associate(*server.address, contexts=[dimse.Verification], calling_ae_title=title, **options)


@contextmanager
def serving(echo: Echo | None = None, **options: Any) -> Iterator[dimse.Server]:
    with dimse.Server((LOOPBACK, 0), dimse.Handlers(echo=echo), **options) as server:
        yield server


others: set[threading.Thread] = set()
"""Threads that were there before the test: handlers of another test may have been left behind in them."""


@pytest.fixture(autouse=True)
def _know_the_others() -> None:
    others.clear()
    others.update(threading.enumerate())


def threads_of_the_server() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "dimse-server" and thread not in others]


def until(holds: Callable[[], bool]) -> None:
    give_up = time.monotonic() + LONG / 2
    while not holds():
        assert time.monotonic() < give_up


def test_one_thread_serves_many_associations() -> None:
    with serving() as server, ExitStack() as stack:
        associations = [stack.enter_context(associate(server)) for _ in range(MANY)]
        for association in associations * 3:
            assert association.echo().is_success
        # There is another one where the machine made the first look as if it hung.
        assert len(threads_of_the_server()) <= 2


def test_each_association_has_what_is_its_own() -> None:
    def echo(request: dimse.EchoRequest) -> int:
        about = dimse.logs.ABOUT.get()
        assert about is not None
        return 0x0000 if about.calling_ae_title == request.peer.ae_title else 0x0122

    with serving(echo) as server, ExitStack() as stack, ThreadPoolExecutor(MANY) as pool:
        associations = [stack.enter_context(associate(server, f"SCU{number}")) for number in range(MANY)]
        for _ in range(3):
            assert all(status.is_success for status in pool.map(dimse.Association.echo, associations))


def test_a_handler_that_waits_for_another_association_gets_it() -> None:
    """This holds also for a handler that has been quick so often that it is not expected to wait."""
    others = threading.Semaphore(0)

    def echo(request: dimse.EchoRequest) -> int:
        if request.peer.ae_title == "WAITS":
            assert others.acquire(timeout=LONG)
        if request.peer.ae_title == "HELPS":
            others.release()
        return 0x0000

    with serving(echo) as server, associate(server, "QUICK") as quick, ThreadPoolExecutor(1) as pool:
        for _ in range(100):
            assert quick.echo().is_success
        with associate(server, "WAITS") as waits, associate(server, "HELPS") as helps:
            for _ in range(10):
                waiting = pool.submit(waits.echo)
                assert helps.echo().is_success
                assert waiting.result(LONG).is_success


def test_where_several_hang_the_others_are_as_quick_as_before() -> None:
    hanging, go_on = threading.Semaphore(0), threading.Event()

    @brief
    def echo(request: dimse.EchoRequest) -> int:
        if request.peer.ae_title == "HANGS":
            hanging.release()
            assert go_on.wait(LONG)
        return 0x0000

    with serving(echo) as server, ThreadPoolExecutor(5) as pool, ExitStack() as stack:
        hung = [stack.enter_context(associate(server, "HANGS")) for _ in range(5)]
        held_up = [pool.submit(association.echo) for association in hung]
        for _ in hung:
            assert hanging.acquire(timeout=LONG)
        with associate(server) as other:
            assert other.echo().is_success
            took = []
            for _ in range(10):
                started = time.monotonic()
                for _ in range(10):
                    assert other.echo().is_success
                took.append(time.monotonic() - started)
            # The machine may be busy with something else for a part of them.
            assert min(took) < 10 * HANGS_AFTER / 2
        go_on.set()
        assert all(answer.result(LONG).is_success for answer in held_up)


def test_a_handler_may_ask_its_own_server() -> None:
    def echo(request: dimse.EchoRequest) -> int:
        if request.peer.ae_title == "OUTER":
            with associate(server, "INNER") as inner:
                return int(inner.echo())
        return 0x0000

    with serving(echo) as server, associate(server, "OUTER") as outer:
        for _ in range(20):
            assert outer.echo().is_success


@pytest.mark.parametrize("drain", [0, LONG])
def test_a_handler_may_end_its_server(drain: float) -> None:
    threads = threading.active_count()

    def echo(_: dimse.EchoRequest) -> int:
        server.shutdown(drain)
        return 0x0000

    with serving(echo) as server:
        others = [associate(server) for _ in range(3)]
        with pytest.raises(dimse.AssociationError), associate(server) as association:
            association.echo()
        for other in others:
            with pytest.raises(dimse.AssociationError):
                other.serve(LONG)
    until(lambda: threading.active_count() == threads)


def test_each_deadline_is_kept_though_nothing_else_happens() -> None:
    """The sooner one comes later, while the loop waits for the other."""
    with serving(timeouts=dimse.Timeouts(idle=SOON, network=LONG)) as server:
        first = associate(server)
        assert first.echo().is_success
        started = time.monotonic()
        with pytest.raises(dimse.AssociationError):
            first.serve(LONG)
        assert time.monotonic() - started < LONG / 2
        second = associate(server)
        with pytest.raises(dimse.AssociationError):
            second.serve(LONG)


def test_threads_that_waited_with_handlers_end_when_they_are_not_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "IDLE_WORKER", SOON)
    together = threading.Barrier(10)

    def echo(_: dimse.EchoRequest) -> int:
        together.wait(LONG)
        return 0x0000

    with serving(echo) as server, ThreadPoolExecutor(10) as pool, ExitStack() as stack:
        associations = [stack.enter_context(associate(server)) for _ in range(10)]
        assert all(status.is_success for status in pool.map(dimse.Association.echo, associations))
        until(lambda: len(threads_of_the_server()) == 1)
    assert not threads_of_the_server()


def test_a_server_with_nothing_to_do_does_nothing() -> None:
    with serving() as server, associate(server) as association:
        assert association.echo().is_success
        verify_rest(os.getpid())


def test_where_the_system_has_no_more_threads_the_one_there_is_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    def echo(_: dimse.EchoRequest) -> int:
        threading.Event().wait(0.001)  # worth a worker
        return 0x0000

    def no_more(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with serving(echo) as server, associate(server) as one, associate(server) as other:
        monkeypatch.setattr(threading.Thread, "start", no_more)
        for association in (one, other) * 3:
            assert association.echo().is_success
        monkeypatch.undo()


def test_an_unexpected_exception_is_logged_and_ends_its_association_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told: list[threading.ExceptHookArgs] = []
    monkeypatch.setattr(threading, "excepthook", told.append)

    def echo(request: dimse.EchoRequest) -> int:
        if request.peer.ae_title == "EXITS":
            raise KeyboardInterrupt
        return 0x0000

    with serving(echo) as server, associate(server) as other:
        with pytest.raises(dimse.AssociationError), associate(server, "EXITS") as association:
            association.echo()
        assert other.echo().is_success
    assert [args.exc_type for args in told] == [KeyboardInterrupt]


def test_handlers_that_wait_do_so_at_the_same_time() -> None:
    together = threading.Barrier(5)

    def echo(_: dimse.EchoRequest) -> int:
        together.wait(LONG)
        return 0x0000

    with serving(echo) as server, ExitStack() as stack, ThreadPoolExecutor(5) as pool:
        associations = [stack.enter_context(associate(server)) for _ in range(5)]
        assert all(status.is_success for status in pool.map(dimse.Association.echo, associations))
