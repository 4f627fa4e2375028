"""Programs under measurement: started, awaited, and what of the machine they used. Linux only: it reads /proc."""

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
ATTEMPTS = 5  # another program may take the free port first
SAMPLE_SECONDS = 0.005  # a sample of two processes takes some 20 us: half a percent of one core


class NotListeningError(Exception):
    """A receiver ended, or time ran out, before it took connections."""


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def cpu_seconds(pid: int) -> float:
    """Processor time that a living process has taken so far, all its threads, also those that ended."""
    return time.clock_gettime(~pid << 3 | 2)  # the clock that clock_getcpuclockid(3) gives for it, in nanoseconds


class PrivateMemory(threading.Thread):
    """Samples the private memory (RssAnon) of processes while entered.

    Attributes:
        peaks: The most that was seen of each process, bytes.
    """

    def __init__(self, *pids: int) -> None:
        super().__init__(daemon=True)
        self.peaks = (0,) * len(pids)
        self._files = [os.open(f"/proc/{pid}/status", os.O_RDONLY) for pid in pids]
        self._over = threading.Event()

    def run(self) -> None:
        """Until left."""
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
    """Bytes of RssAnon in an open /proc/PID/status; 0 once the process has ended."""
    try:
        found = re.search(rb"RssAnon:\s+(\d+)", os.pread(status, 4096, 0))
    except ProcessLookupError:
        return 0
    return int(found[1]) * 1024 if found else 0


@dataclass(frozen=True)
class Listener:
    """A program that takes associations on 127.0.0.1.

    Attributes:
        port: Its port.
        pid: Its process.
    """

    port: int
    pid: int


def answers_echo(port: int, tls: ssl.SSLContext | None = None) -> bool:
    """Whether a C-ECHO is answered there."""
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
    """Run a receiver until left; it has answered one C-ECHO before it is handed out.

    Args:
        command: Its command, for a port.
        environment: Its environment.
        folder: Where its output goes, in a file.
        tls: How it is spoken to, if it speaks TLS.

    Raises:
        NotListeningError: It does not listen.
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
    """Ask for C-ECHO until it is answered; False if the process ends or takes too long instead."""
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
        seconds: From just before it was started to its exit.
        cpu_seconds: Its processor time, user and system.
        status: Its exit status; negative is the signal that killed it.
    """

    seconds: float
    cpu_seconds: float
    status: int


class Running:
    """A program that runs from here on, its output in a file.

    Args:
        command: The program and its arguments.
        environment: Its environment.
        log: The file for what it prints.
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
        """Its end; it is killed after `longest` seconds."""
        timer = threading.Timer(longest, os.kill, (self.pid, signal.SIGKILL))
        timer.start()
        try:
            _, status, usage = os.wait4(self.pid, 0)
            seconds = time.perf_counter() - self._started
        finally:
            timer.cancel()
        return Ended(seconds, usage.ru_utime + usage.ru_stime, os.waitstatus_to_exitcode(status))


def connected(port: int) -> socket.socket:
    """A connection to a program that is about to listen there.

    Raises:
        NotListeningError: It does not, in time.
    """
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        try:
            return socket.create_connection(("127.0.0.1", port))
        except ConnectionRefusedError:
            time.sleep(POLL_SECONDS)
    raise NotListeningError(f"nothing listens on port {port}")
