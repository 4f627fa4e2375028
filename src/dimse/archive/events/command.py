"""Command: a program that runs for an event."""

from __future__ import annotations

import json
import logging
import os
import shlex
import signal
import subprocess
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from tempfile import TemporaryFile
from typing import IO

from dimse.archive.events.document import Event, document, encoded
from dimse.logs import Private
from dimse.support.text import one_line

LOGGER = logging.getLogger("dimse.archive")

DEADLINE = 300.0
"""The default limit of a command's running time, in seconds."""

_MOST_OUTPUT = 4_096  # bytes of output that are logged


class CommandFailed(Exception):
    """A command did not run to its end, or its exit status was not 0.

    Attributes:
        program: The name of the program, as given.
        why: The reason in one line, without the output of the command.
        ended_by_us: True if the command did not fail by itself, but was ended because the process is about to end.
    """

    def __init__(self, program: str, why: str, *, ended_by_us: bool = False) -> None:
        super().__init__(f"command {one_line(program)}: {why}")
        self.program, self.why, self.ended_by_us = program, why, ended_by_us


class Command:
    """A program that runs for each event, as `on_instance` or `on_study` of `Events`.

    It is started from its arguments as they are, without a shell, and nothing is inserted into them. It receives the event's
    `document` as JSON on standard input. Each entry is also in an environment variable: `DIMSE_EVENT`, `DIMSE_PATH`,
    `DIMSE_STUDY_INSTANCE_UID`, `DIMSE_PATIENT_ID`, `DIMSE_CALLING_AE_TITLE`, `DIMSE_PEER` and so on. Variables are in UTF-8, with
    U+FFFD for a NUL, which a variable cannot hold. The values come from a peer, and the program must treat them as data too.

    The program has a session of its own. It inherits no file except the lock of its study. Its output is discarded; at level DEBUG
    its first 4,096 bytes are logged. Exit status 0 means success.

    Args:
        command: The program and its arguments: a string as a shell would split it, or the arguments themselves.
        deadline: The seconds after which it is killed, with everything in its process group; 0 is unlimited.

    Raises:
        ValueError: The string cannot be split or is empty, or there is no such program.
    """

    def __init__(self, command: str | Sequence[str], *, deadline: float = DEADLINE) -> None:
        from shutil import which

        try:
            self.arguments = tuple(shlex.split(command) if isinstance(command, str) else command)
        except ValueError as error:
            raise ValueError(f"the command {command!r} cannot be split into arguments: {str(error).lower()}") from None
        if not self.arguments:
            raise ValueError("the command is empty")
        if which(self.arguments[0]) is None:
            program = self.arguments[0]
            if os.path.isfile(program):
                raise ValueError(f"the program {program!r} is not executable: chmod +x makes it so")
            raise ValueError(f"there is no program {program!r}")
        if deadline < 0:
            raise ValueError(f"a deadline of {deadline} seconds")
        self.deadline = deadline
        self._lock = threading.Lock()
        self._running: set[subprocess.Popen[bytes]] = set()
        self._closed = False

    def __call__(self, event: Event, lock: int | None = None) -> None:
        """Run it for an event, to its end.

        Args:
            event: An instance or a study.
            lock: A locked file that the program inherits. So the file stays locked while the program runs, even if this process is
                killed.

        Raises:
            CommandFailed: The program did not run to its end, or its exit status is not 0.
        """
        with _output() as output:
            process = self._start(document(event), output, lock)
            why = self._wait(process, encoded(document(event)))
            printed = self._log(output)
        if why:
            ended_by_us = self._closed and process.returncode == -signal.SIGKILL
            why = "killed, because the program is ending" if ended_by_us else why
            raise CommandFailed(self.arguments[0], f"{why}, {printed} printed", ended_by_us=ended_by_us)

    def close(self) -> None:
        """Kill the running programs, and run no others."""
        with self._lock:
            self._closed = True
            for process in self._running:
                if process.poll() is None:
                    _kill(process)

    def _start(
        self, entries: dict[str, str | int], output: IO[bytes] | int, lock: int | None
    ) -> subprocess.Popen[bytes]:
        # Under the lock, so that `close` misses no process.
        with self._lock:
            if self._closed:
                raise CommandFailed(
                    self.arguments[0], "it was not run, because the program is ending", ended_by_us=True
                )
            try:
                process = subprocess.Popen(
                    self.arguments,
                    env=_inherited() | _environment(entries),
                    stdin=subprocess.PIPE,
                    stdout=output,
                    stderr=output,
                    start_new_session=True,
                    pass_fds=() if lock is None else (lock,),
                )
            except OSError as error:
                raise CommandFailed(self.arguments[0], f"it cannot be run: {error.strerror}") from error
            self._running.add(process)
            return process

    def _wait(self, process: subprocess.Popen[bytes], entries: bytes) -> str:
        """Wait for the end of a process, and return why it failed; empty if it succeeded."""
        with process:
            try:
                process.communicate(entries, self.deadline or None)
            except subprocess.TimeoutExpired:
                _kill(process)
                return f"killed after {self.deadline:g} seconds"
            finally:
                with self._lock:
                    self._running.remove(process)
        status = process.returncode
        if status < 0:
            return f"killed by signal {-status}"
        return f"exit status {status}" if status else ""

    def _log(self, output: IO[bytes] | int) -> str:
        """Log the beginning of a command's output, and return the amount of output in words."""
        if isinstance(output, int):
            return "unknown what it"
        if LOGGER.isEnabledFor(logging.DEBUG):
            shown = os.pread(output.fileno(), _MOST_OUTPUT, 0).decode("utf-8", "replace")
            for line in shown.splitlines():
                hidden = Private(one_line(line), f"({len(line)} characters of output)")
                LOGGER.debug("%s: %s", one_line(self.arguments[0]), hidden)
        return f"{os.fstat(output.fileno()).st_size:,} bytes"


def _inherited() -> dict[bytes, bytes]:
    """Return our own environment, without variables that could be mistaken for those of the event."""
    return {name: value for name, value in os.environb.items() if not name.startswith(b"DIMSE_")}


def _environment(entries: dict[str, str | int]) -> dict[bytes, bytes]:
    """Return the entries of a document as environment variables."""
    return {
        f"DIMSE_{name}".upper().encode(): (value if isinstance(value, str) else json.dumps(value))
        .replace("\0", "\N{REPLACEMENT CHARACTER}")
        .encode("utf-8", "surrogateescape")  # a path may be any bytes
        for name, value in entries.items()
    }


@contextmanager
def _output() -> Iterator[IO[bytes] | int]:
    """Yield the file for the output of a command, or DEVNULL if there is no room for temporary files."""
    try:
        file = TemporaryFile()  # noqa: SIM115  (closed below)
    except OSError:
        yield subprocess.DEVNULL
        return
    with file:
        yield file


def _kill(process: subprocess.Popen[bytes]) -> None:
    """Kill a command with its process group, which it leads because it leads a session."""
    # It may have just ended; macOS reports that by the latter.
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
