"""Worker threads: each call is made at once, and a thread without a call ends."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from functools import partial

import pytest

from dimse.serving import workers
from dimse.serving.executor import WorkerExecutor
from dimse.serving.workers import Workers

LONG = 10.0


def until(holds: Callable[[], bool]) -> None:
    give_up = time.monotonic() + LONG
    while not holds():
        assert time.monotonic() < give_up


def named(name: str) -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == name]


def wait_for_all(together: threading.Barrier) -> None:
    together.wait(LONG)


@pytest.fixture
def pool() -> Iterator[Workers]:
    pool = Workers("test-worker")
    yield pool
    pool.close()
    pool.join(LONG)
    assert named("test-worker") == []


def test_calls_are_made_at_the_same_time(pool: Workers) -> None:
    together = threading.Barrier(11)
    for _ in range(10):
        pool.begin(partial(wait_for_all, together))
    together.wait(LONG)


def test_a_thread_makes_one_call_after_another(pool: Workers) -> None:
    threads = set[int]()
    for _ in range(20):
        pool.begin(lambda: threads.add(threading.get_ident()))
        until(lambda: len(pool._idle) == 1)
    assert len(threads) == 1


def test_a_thread_without_a_call_ends(pool: Workers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "IDLE_WORKER", 0.01)
    done = threading.Event()
    pool.begin(done.set)
    assert done.wait(LONG)
    until(lambda: named("test-worker") == [])


def test_no_call_is_lost_where_threads_end_all_the_time(pool: Workers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "IDLE_WORKER", 0.0001)
    made = list[int]()
    for number in range(300):
        pool.begin(partial(made.append, number))
        if number % 3 == 0:
            until(lambda: len(made) == number + 1)  # noqa: B023  (called at once)
    until(lambda: len(made) == 300)


def test_no_call_is_taken_after_the_end() -> None:
    pool = Workers("test-worker")
    pool.close()
    with pytest.raises(RuntimeError, match="the threads of the server have ended"):
        pool.begin(lambda: None)


def test_an_executor_gives_back_what_a_call_returns_or_raises() -> None:
    executor = WorkerExecutor()
    assert executor.submit(divmod, 7, 2).result(LONG) == (3, 1)
    with pytest.raises(ZeroDivisionError):
        executor.submit(divmod, 7, 0).result(LONG)
    executor.shutdown()
    with pytest.raises(RuntimeError):
        executor.submit(divmod, 7, 2)
