"""A terminal to run a program on, and what its user sees there."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

SECONDS = 50.0  # no program is waited for longer
SOURCE = Path(__file__).parents[2] / "src"
ERASE = "\r\x1b[J"


class Terminal:
    """A Python on a terminal of its own while entered. Its stderr and stdout are the terminal, or one of them is.

    Args:
        arguments: The arguments of Python.
        columns: The terminal's width.
        stdout: True if stdout is the terminal too; otherwise it is a pipe, read by `answer`.
        environment: Variables besides those of this process that do not concern colours or widths.
    """

    def __init__(
        self, *arguments: object, columns: int = 80, stdout: bool = False, environment: Mapping[str, str] | None = None
    ) -> None:
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        self._process = subprocess.Popen(
            [sys.executable, *map(str, arguments)],
            stdin=subprocess.PIPE,
            stdout=slave if stdout else subprocess.PIPE,
            stderr=slave,
            text=True,
            env=_without_opinion() | {"TERM": "xterm-256color", "PYTHONPATH": str(SOURCE), **(environment or {})},
        )
        os.close(slave)
        self.output = ""  # output of the program so far
        self._bytes = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.wait(SECONDS)
        for pipe in filter(None, (self._process.stdin, self._process.stdout)):
            pipe.close()
        os.close(self._master)

    def type(self, line: str) -> None:
        """Give the program a line on its stdin."""
        assert self._process.stdin is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()

    def press(self, keys: str) -> None:
        """Press keys on the terminal itself, for a program that has it as its controlling one."""
        os.write(self._master, keys.encode())

    def answer(self) -> str:
        """Return a line of the program's stdout, if that is a pipe."""
        assert self._process.stdout is not None
        return self._process.stdout.readline().rstrip("\n")

    def resize(self, columns: int) -> None:
        """Change the width of the terminal."""
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))

    def interrupt(self) -> None:
        """Send Ctrl-C."""
        self._process.send_signal(signal.SIGINT)

    def until(self, text: str) -> None:
        """Read until the program has written something since the last call."""
        seen = len(self.output)
        while text not in self.output[seen:]:
            assert self._read(), f"it ended with {self.output!r}"

    def end(self) -> int:
        """Read until the program ends; its exit status."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        while self._read():
            pass
        return self._process.wait(SECONDS)

    def _read(self) -> bool:
        assert select.select([self._master], [], [], SECONDS)[0], f"it stands still after {self.output!r}"
        try:
            new = os.read(self._master, 65536)
        except OSError:  # what Linux makes of the end
            new = b""
        self._bytes += new
        self.output = self._bytes.decode(errors="replace")
        return bool(new)

    @property
    def screen(self) -> list[str]:
        """The lines that are left to see, the one that the cursor is in last."""
        lines = [""]
        for line in self.output.split("\r\n"):
            lines[-1] = line.rpartition(ERASE)[2].rstrip("\r")
            lines.append("")
        return lines[:-1]


class Screen:
    """The screen of a terminal, as far as a bar and lines of a log use one.

    Args:
        columns: Its width.
        reflows: True if it wraps its lines anew when it is resized, as most do; False if it cuts them, as xterm does.
    """

    def __init__(self, columns: int, *, reflows: bool = True) -> None:
        self._columns, self._reflows = columns, reflows
        # Each line may take several rows.
        self._lines = [""]
        self._line = self._column = 0

    def feed(self, output: str) -> None:
        """Show what a program writes to the terminal, after the terminal's driver has made CR LF of each LF."""
        for control, letter in re.findall(r"\x1b\[[0-9;]*([A-Za-z])|(.)", output, re.DOTALL):
            if control == "J":
                self._lines[self._line] = self._lines[self._line][: self._column]
                del self._lines[self._line + 1 :]
            elif control:
                assert control == "m", "the screen knows colours, and how to erase to its end"
            elif letter == "\r":
                self._column -= self._column % self._columns
            elif letter == "\n":
                self._line += 1
                self._lines[self._line :] = self._lines[self._line :] or [""]
            else:
                line = self._lines[self._line].ljust(self._column)
                self._lines[self._line] = line[: self._column] + letter + line[self._column + 1 :]
                self._column += 1

    def resize(self, columns: int) -> None:
        """Change the width."""
        self._columns = columns
        if not self._reflows:
            self._lines = [line[:columns] for line in self._lines]
            self._column = min(self._column, columns - 1)

    @property
    def rows(self) -> list[str]:
        """The rows that are not empty."""
        size = self._columns
        rows = [line[start : start + size] for line in self._lines for start in range(0, len(line), size)]
        return [row.rstrip() for row in rows]


def _without_opinion() -> dict[str, str]:
    mute = ("COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR", "COLORTERM", "TTY_COMPATIBLE", "TTY_INTERACTIVE")
    return {name: value for name, value in os.environ.items() if name not in mute}
