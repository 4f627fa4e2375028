"""The service manager hears that all is well only while it is: a server that hangs is silent, and one that fails ends its tool."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import dimse
from dimse.tools.ready import watchdog_seconds
from tests.tools import running
from tests.tools.listeners import Listener, listening
from tests.tools.test_ready import unit

SECONDS = 1.0
"""In which the manager of these tests wants to hear something."""
WELL = b"WATCHDOG=1"

SEVERAL = ("--workers", 2)
WORKERS = pytest.mark.parametrize("workers", [(), SEVERAL], ids=["one process", "workers"])
ON_LINUX = pytest.mark.skipif(sys.platform != "linux", reason="the processes of a group are found in /proc")


class Manager:
    """A service manager's end of the notifications.

    Args:
        channel: The socket that it is told by.
    """

    def __init__(self, channel: socket.socket) -> None:
        self._channel = channel

    def hears(self) -> bytes:
        """Return the next message; empty if none came in twice the time that the manager waits."""
        self._channel.settimeout(2 * SECONDS)
        try:
            return self._channel.recv(4096)
        except TimeoutError:
            return b""

    def hears_that_all_is_well(self, times: int = 3) -> bool:
        """Return True if the watchdog's sign of life comes so often in a row."""
        return all(self.hears() == WELL for _ in range(times))

    def hears_nothing_any_more(self) -> bool:
        """Return True if it becomes silent, after what was on its way."""
        return any(self.hears() == b"" for _ in range(10))


@pytest.fixture
def manager(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Manager]:
    """Listen as a service manager does; tools that are started have its address."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NOTIFY_SOCKET", os.fspath(tmp_path / "notify"))
    monkeypatch.setenv("WATCHDOG_USEC", str(int(SECONDS * 1e6)))
    monkeypatch.delenv("WATCHDOG_PID", raising=False)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
        channel.bind(os.fspath(tmp_path / "notify"))
        yield Manager(channel)


def children_of(process: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{process}/task/{process}/children").read_text().split()]


# --- alive ---


@pytest.mark.sample("echoscp-one process")
@WORKERS
@pytest.mark.parametrize("name", ["echoscp", pytest.param("storescp", marks=pytest.mark.thorough)])
def test_while_it_answers_the_manager_hears_it_often_enough(
    name: str, workers: tuple[object, ...], manager: Manager
) -> None:
    with listening(name, *workers) as listener:
        assert manager.hears().startswith(b"READY=1")
        assert manager.hears_that_all_is_well()
        assert listener.echo().is_success
        with listener.associate() as association:  # one that stands and is silent
            assert manager.hears_that_all_is_well()
            assert association.echo().is_success
        assert listener.end() == []


@pytest.mark.thorough
@WORKERS
def test_an_instance_that_takes_its_time_is_no_reason_to_be_silent(
    workers: tuple[object, ...], manager: Manager, tmp_path: Path
) -> None:
    """A program of --exec that never returns, and an association in the middle of a message."""
    instance = running.Instance("1.2.3")
    instance.write(tmp_path / "a.dcm")
    with listening("storescp", *workers, "-od", tmp_path / "in", "--exec", "sleep 20", "--drain", 0) as listener:
        assert manager.hears().startswith(b"READY=1")
        listener.run("storescu", tmp_path / "a.dcm")
        assert manager.hears_that_all_is_well()
        listener.end()


@pytest.mark.thorough
def test_without_a_watchdog_nothing_is_notified(manager: Manager, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WATCHDOG_USEC")
    with listening("echoscp") as listener:
        assert manager.hears().startswith(b"READY=1")
        assert listener.echo().is_success
        assert manager.hears() == b""
        listener.end()
        assert manager.hears() == b"STOPPING=1"


@pytest.mark.parametrize(
    ("environment", "seconds"),
    [
        ({}, 0),
        ({"WATCHDOG_USEC": "2500000"}, 2.5),
        ({"WATCHDOG_USEC": "2500000", "WATCHDOG_PID": str(os.getpid())}, 2.5),
        ({"WATCHDOG_USEC": "2500000", "WATCHDOG_PID": "1"}, 0),
        ({"WATCHDOG_USEC": "soon"}, 0),
    ],
)
def test_how_long_the_manager_waits(
    environment: dict[str, str], seconds: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("WATCHDOG_USEC", "WATCHDOG_PID"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert watchdog_seconds() == seconds


def test_the_unit_has_a_watchdog_that_waits_for_the_end() -> None:
    settings = unit()
    assert int(settings["WatchdogSec"][0]) > int(settings["TimeoutStopSec"][0])
    # An end by the watchdog counts as a failure.
    assert settings["Restart"] == ["on-failure"]


# --- not alive ---


@pytest.mark.thorough
@ON_LINUX
@WORKERS
def test_a_process_that_is_stopped_is_silent(workers: tuple[object, ...], manager: Manager) -> None:
    with listening("echoscp", *workers) as listener:
        assert manager.hears().startswith(b"READY=1")
        assert manager.hears_that_all_is_well()
        victim = children_of(listener.process.pid)[0] if workers else listener.process.pid
        os.kill(victim, signal.SIGSTOP)
        assert manager.hears_nothing_any_more()
        os.kill(victim, signal.SIGCONT)
        assert any(manager.hears() == WELL for _ in range(5))
        lines = listener.end()
        silent = f"E: no answer from worker {victim}: the watchdog of the service manager is not notified"
        assert lines == ([silent] if workers else []) or not workers


HANGS = """
import os, sys, threading
from dimse.serving import listening, loop
WHAT
from dimse.__main__ import dimse
dimse()
"""

# A thread of the server hangs as soon as a connection comes.
THREADS = {
    "accepting": "listening.Listening._take_some = lambda self, *_: threading.Event().wait()",
    "the loop": "loop.Loop._take = lambda self, *_: threading.Event().wait()",
}

# A thread of the server fails again and again as soon as a connection comes.
FAILURES = {
    "accepting": "listening.Listening._take_some = lambda self, *_: [].pop()",
    "the loop": "loop.Loop._take = lambda self, *_: [].pop()",
}


def changed(what: str) -> Any:
    """Start a tool, with a change of its inner life."""

    def start(words: list[str], **options: Any) -> subprocess.Popen[str]:
        assert words[1:3] == ["-m", "dimse"]
        return subprocess.Popen([words[0], "-c", HANGS.replace("WHAT", what), *words[3:]], **options)

    return start


@contextmanager
def connected(listener: Listener) -> Iterator[socket.socket]:
    with socket.create_connection((listener.host, listener.port), timeout=running.SECONDS) as connection:
        yield connection


@pytest.mark.thorough
@WORKERS
@pytest.mark.parametrize("what", THREADS)
def test_a_server_that_hangs_is_silent(what: str, workers: tuple[object, ...], manager: Manager) -> None:
    with listening("echoscp", *workers, start=changed(THREADS[what])) as listener:
        assert manager.hears().startswith(b"READY=1")
        with connected(listener):
            assert manager.hears_nothing_any_more()
        listener.until(": the watchdog of the service manager is not notified")
        listener.process.kill()


@pytest.mark.thorough
@WORKERS
@pytest.mark.parametrize("what", FAILURES)
def test_a_server_that_fails_ends_its_tool(what: str, workers: tuple[object, ...], manager: Manager) -> None:
    with listening("echoscp", *workers, start=changed(FAILURES[what])) as listener, connected(listener):
        if what == "the loop":
            with pytest.raises(dimse.DimseError):
                listener.echo()
        lines = listener.end(None, status=1)
        said = "E: the server has failed and listens no more: IndexError: pop from empty list"
        ended = ["E: a worker has ended (1): shutting the others down"] if workers else []
        # Of two workers the other one may fail too, before it is ended.
        assert {line for line in lines if "round" not in line and "no answer" not in line} == {said, *ended}
