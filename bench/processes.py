"""Programs under measurement: their start, their end, and their use of the machine. Linux only: it reads /proc."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import dimse

START_SECONDS = 20.0
POLL_SECONDS = 0.01
ATTEMPTS = 5  # the port may be taken
# A sample of two processes takes some 20 us, which is half a percent of one core.
SAMPLE_SECONDS = 0.005


class NotListeningError(Exception):
    """A receiver ended, or time ran out, before it accepted connections."""


def free_port() -> int:
    """Return a port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def cpu_seconds(pid: int) -> float:
    """Return the processor time of a living process so far, in seconds, including threads that have ended."""
    # The clock that clock_getcpuclockid(3) gives for the process, in nanoseconds.
    return time.clock_gettime(~pid << 3 | 2)


class PrivateMemory(threading.Thread):
    """A sampler of the private memory (RssAnon) of processes, active while it is entered.

    Attributes:
        peaks: The largest value of each process, in bytes.
    """

    def __init__(self, *pids: int) -> None:
        super().__init__(daemon=True)
        self.peaks = (0,) * len(pids)
        self._files = [os.open(f"/proc/{pid}/status", os.O_RDONLY) for pid in pids]
        self._over = threading.Event()

    def run(self) -> None:
        """Sample until the block is left."""
        while not self._over.wait(SAMPLE_SECONDS):
            self.peaks = tuple(map(max, self.peaks, map(private_memory, self._files)))

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self.join()
        for file in self._files:
            os.close(file)


def private_memory(status: int) -> int:
    """Return the bytes of RssAnon in an open /proc/PID/status; 0 after the process has ended."""
    try:
        found = re.search(rb"RssAnon:\s+(\d+)", os.pread(status, 4096, 0))
    except ProcessLookupError:
        return 0
    return int(found[1]) * 1024 if found else 0


@dataclass(frozen=True)
class Listener:
    """A program that accepts associations on 127.0.0.1.

    Attributes:
        port: Its port.
        pid: Its process.
    """

    port: int
    pid: int


def answers_echo(port: int, tls: ssl.SSLContext | None = None) -> bool:
    """Return True if a C-ECHO to this port is answered."""
    try:
        with dimse.associate("127.0.0.1", port, contexts=[dimse.Verification], tls=tls) as association:
            return association.echo().is_success
    except dimse.AssociationError:
        return False


@contextlib.contextmanager
def listening(
    command: Callable[[int], Sequence[str]],
    environment: Mapping[str, str],
    folder: Path,
    tls: ssl.SSLContext | None = None,
) -> Iterator[Listener]:
    """Run a receiver within the block. It has answered one C-ECHO before it is yielded.

    Args:
        command: A function that returns its command, for a port.
        environment: The environment of the receiver.
        folder: The folder for a file with its output.
        tls: The context to connect with, if the receiver uses TLS.

    Raises:
        NotListeningError: The receiver does not listen.
    """
    for attempt in range(1, ATTEMPTS + 1):
        port = free_port()
        with (folder / "receiver.log").open("wb") as log:
            process = subprocess.Popen(
                command(port), stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, env=environment
            )
        try:
            if until_answered(port, process, tls):
                yield Listener(port, process.pid)
                return
            if attempt == ATTEMPTS:
                raise NotListeningError((folder / "receiver.log").read_text(errors="replace"))
        finally:
            process.terminate()
            try:
                process.wait(START_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def until_answered(port: int, process: subprocess.Popen[bytes], tls: ssl.SSLContext | None) -> bool:
    """Send C-ECHO until it is answered; return False if the process ends or takes too long instead."""
    deadline = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        if answers_echo(port, tls):
            return True
        time.sleep(POLL_SECONDS)
    return False


@dataclass(frozen=True)
class Ended:
    """A program that has run to its end.

    Attributes:
        seconds: The seconds from just before its start to its exit.
        cpu_seconds: The processor time, user and system.
        status: The exit status; a negative one is the signal that killed it.
    """

    seconds: float
    cpu_seconds: float
    status: int


class Running:
    """A program that runs from now on, with its output in a file.

    Args:
        command: The program and its arguments.
        environment: The environment of the program.
        log: The file for its output.
    """

    def __init__(self, command: Sequence[str], environment: Mapping[str, str], log: Path) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
        actions = (
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, str(log), flags, 0o600),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        )
        self._started = time.perf_counter()
        self.pid = os.posix_spawn(command[0], list(command), environment, file_actions=actions)

    def wait(self, longest: float) -> Ended:
        """Wait for the end of the program, and kill it after `longest` seconds."""
        timer = threading.Timer(longest, os.kill, (self.pid, signal.SIGKILL))
        timer.start()
        try:
            _, status, usage = os.wait4(self.pid, 0)
            seconds = time.perf_counter() - self._started
        finally:
            timer.cancel()
        return Ended(seconds, usage.ru_utime + usage.ru_stime, os.waitstatus_to_exitcode(status))


def connected(port: int) -> socket.socket:
    """Return a connection to a program that is about to listen.

    Raises:
        NotListeningError: It does not listen in time.
    """
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        try:
            return socket.create_connection(("127.0.0.1", port))
        except ConnectionRefusedError:
            time.sleep(POLL_SECONDS)
    raise NotListeningError(f"nothing listens on port {port}")
