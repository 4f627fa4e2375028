"""An association that hangs keeps no other one waiting, and the log says for how long it hung."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

import dimse
from dimse.archive import FileStore, folders, sink
from dimse.association.sinks import MemorySink
from dimse.logs.security_events import SecurityEvent
from dimse.serving import watchdog
from dimse.serving.watchdog import HANGS_AFTER
from dimse.serving.workers import Workers
from dimse.support.disk import sync
from dimse.support.pace import brief
from tests.drivers import CT_IN_EXPLICIT_VR, LOOPBACK, Instance, make_instance
from tests.hostile_scu import HostileSCU

LONG = 30.0  # seconds: nothing here waits that long
OTHERS = 20


class Hangs:
    """A call that hangs once, until `go_on` is called."""

    def __init__(self) -> None:
        self.reached, self._over = threading.Event(), threading.Event()

    def once(self) -> None:
        if not self.reached.is_set():
            self.reached.set()
            assert self._over.wait(LONG)

    def go_on(self) -> None:
        self._over.set()


@pytest.fixture
def hangs() -> Iterator[Hangs]:
    hangs = Hangs()
    yield hangs
    hangs.go_on()


@pytest.fixture
def instance(tmp_path: Path) -> Instance:
    return make_instance(tmp_path)


def associate(server: dimse.Server, **options: Any) -> dimse.Association:
    return dimse.associate(*server.address, contexts=[dimse.Verification, CT_IN_EXPLICIT_VR], **options)


def worst_echo(associations: list[dimse.Association]) -> float:
    """Return the seconds of the slowest of some echoes over each of these associations."""
    worst = 0.0
    for association in associations * 3:
        started = time.monotonic()
        assert association.echo().is_success
        worst = max(worst, time.monotonic() - started)
    return worst


def until_logged(caplog: pytest.LogCaptureFixture, words: str) -> str:
    """Return the first line of the log with these words, when it has come."""
    give_up = time.monotonic() + LONG
    while not (lines := [line for line in caplog.messages if words in line]):
        assert time.monotonic() < give_up
        threading.Event().wait(0.01)
    return lines[0]


def hanging_write(hangs: Hangs) -> Callable[..., None]:
    write_all = sink._write_all

    def write(*args: Any) -> None:
        hangs.once()
        write_all(*args)

    return write


def hanging_sync(hangs: Hangs) -> Callable[[int], None]:
    def wait_and_sync(descriptor: int) -> None:
        hangs.once()
        sync(descriptor)

    return wait_and_sync


@pytest.mark.parametrize(
    ("module", "name", "hanging"),
    [(sink, "_write_all", hanging_write), (folders, "sync", hanging_sync)],
    ids=["in a write", "in a sync"],
)
def test_beside_a_disk_that_hangs_others_are_answered_soon(
    module: Any, name: str, hanging: Callable[[Hangs], Any], hangs: Hangs, instance: Instance, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    with (
        FileStore(tmp_path / "in") as store,
        dimse.Server((LOOPBACK, 0), store.handlers()) as server,
        ExitStack() as stack,
        ThreadPoolExecutor(1) as pool,
    ):
        monkeypatch.setattr(module, name, hanging(hangs))
        others = [stack.enter_context(associate(server)) for _ in range(OTHERS)]
        storing = stack.enter_context(associate(server))
        stored = pool.submit(storing.store, instance.path)
        assert hangs.reached.wait(LONG)
        # It takes a quarter of that where the machine has nothing else to do.
        assert worst_echo(others) < 1
        with associate(server) as new:
            assert new.echo().is_success
        assert not stored.done()
        hangs.go_on()
        assert stored.result(LONG) == 0x0000


def test_the_log_says_what_an_association_hangs_in_and_for_how_long(
    hangs: Hangs, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watchdog, "SAID_TO_HANG", 0.1)

    @brief
    def echo(_: dimse.EchoRequest) -> int:
        hangs.once()
        return 0x0000

    with (
        dimse.Server((LOOPBACK, 0), dimse.Handlers(echo=echo)) as server,
        associate(server) as association,
        ThreadPoolExecutor(1) as pool,
    ):
        answer = pool.submit(association.echo)
        blocked = until_logged(caplog, "blocked for")
        assert blocked.startswith("blocked for 0.") and "threading.py" in blocked
        hangs.go_on()
        assert answer.result(LONG).is_success
        assert until_logged(caplog, "goes on after").startswith("goes on after 0.")
        assert association.echo().is_success


def test_a_handler_that_takes_its_time_in_a_worker_is_not_said_to_hang(
    hangs: Hangs, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watchdog, "SAID_TO_HANG", 0.1)

    def echo(_: dimse.EchoRequest) -> int:
        threading.Event().wait(0.3)
        return 0x0000

    with dimse.Server((LOOPBACK, 0), dimse.Handlers(echo=echo)) as server, associate(server) as association:
        assert association.echo().is_success
    assert not [line for line in caplog.messages if "blocked" in line]


def test_the_log_says_that_the_loop_itself_hangs(
    hangs: Hangs, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before it is associated, a connection has no thread that could be replaced."""
    monkeypatch.setattr(watchdog, "SAID_TO_HANG", 0.1)

    def observe(_: SecurityEvent) -> None:
        hangs.once()

    with dimse.Server((LOOPBACK, 0), observe=observe) as server, HostileSCU(server.address[1]) as stranger:
        stranger.send(b"GET / HTTP/1.1\r\n\r\n")
        assert "the event loop of the server has been blocked for 0." in until_logged(caplog, "event loop")
        hangs.go_on()
        with associate(server) as association:
            assert association.echo().is_success
    assert [record.levelno for record in caplog.records if "event loop" in record.getMessage()] == [logging.ERROR]


def test_where_all_hang_in_the_same_others_wait_for_the_first_one_alone() -> None:
    """A disk or a database that stalls keeps every association; the loop is kept once, and not once for each."""
    reached, go_on = threading.Semaphore(0), threading.Event()

    @brief
    def echo(request: dimse.EchoRequest) -> int:
        if request.peer.ae_title == "HANGS":
            reached.release()
            assert go_on.wait(LONG)
        return 0x0000

    with (
        dimse.Server((LOOPBACK, 0), dimse.Handlers(echo=echo)) as server,
        ExitStack() as stack,
        ThreadPoolExecutor(OTHERS) as pool,
        associate(server) as other,
    ):
        hung = [stack.enter_context(associate(server, calling_ae_title="HANGS")) for _ in range(OTHERS)]
        held_up = [pool.submit(association.echo) for association in hung]
        try:
            assert reached.acquire(timeout=LONG)
            started = time.monotonic()
            for _ in hung[1:]:
                assert reached.acquire(timeout=LONG)
            assert other.echo().is_success
            assert time.monotonic() - started < OTHERS * HANGS_AFTER / 2
        finally:
            go_on.set()
        assert all(answer.result(LONG).is_success for answer in held_up)


class StallingSink(MemorySink):
    """A sink on a disk that stalls."""

    def __init__(self, reached: threading.Semaphore, go_on: threading.Event) -> None:
        super().__init__()
        self._reached, self._go_on = reached, go_on

    def write(self, buffers: Sequence[memoryview]) -> None:
        self._reached.release()
        assert self._go_on.wait(LONG)
        super().write(buffers)


def test_where_a_disk_stalls_others_do_not_wait_for_each_association_that_writes(instance: Instance) -> None:
    """A data set is written by the loop itself, and each association that writes keeps a thread."""
    reached, go_on = threading.Semaphore(0), threading.Event()
    handlers = dimse.Handlers(store_begin=lambda _: StallingSink(reached, go_on), store=lambda _: 0x0000)
    with (
        dimse.Server((LOOPBACK, 0), handlers) as server,
        ExitStack() as stack,
        ThreadPoolExecutor(OTHERS) as pool,
        associate(server) as other,
    ):
        storing = [stack.enter_context(associate(server)) for _ in range(OTHERS)]
        held_up = [pool.submit(association.store, instance.path) for association in storing]
        try:
            assert reached.acquire(timeout=LONG)
            started = time.monotonic()
            for _ in storing[1:]:
                assert reached.acquire(timeout=LONG)
            assert other.echo().is_success
            assert time.monotonic() - started < OTHERS * HANGS_AFTER / 2
        finally:
            go_on.set()
        assert all(answer.result(LONG) == 0x0000 for answer in held_up)


class NowAndThenBrief:
    """A handler of C-ECHO that the loop calls itself and that hangs once, or one that the loop gives to a worker."""

    def __init__(self) -> None:
        self.hangs, self.is_brief = Hangs(), True

    def __call__(self, _: dimse.EchoRequest) -> int:
        if self.is_brief:
            self.hangs.once()
        return 0x0000


def test_a_thread_that_goes_on_before_the_next_one_leads_leaves_the_loop_to_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two threads that both believe to lead lose the news that a worker has made a call."""
    echo = NowAndThenBrief()
    begin, is_answered = Workers.begin, threading.Event()

    def late(workers: Workers, call: Callable[[], None]) -> None:
        if echo.is_brief:
            echo.hangs.go_on()
            assert is_answered.wait(LONG)
        begin(workers, call)

    monkeypatch.setattr(Workers, "begin", late)
    # The moment is a short one, and is not met each time.
    for _ in range(10):
        echo.is_brief = False
        is_answered.clear()
        with (
            dimse.Server((LOOPBACK, 0), dimse.Handlers(echo=echo)) as server,
            associate(server, timeouts=dimse.Timeouts(dimse=5)) as association,
        ):
            echo.hangs, echo.is_brief = Hangs(), True
            assert association.echo().is_success
            echo.is_brief = False
            is_answered.set()
            for _ in range(20):
                assert association.echo().is_success
