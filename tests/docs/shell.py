"""A shell for the examples: it runs commands one after the other, and programs that run on, each in a terminal of its own.

Hosts and ports of the pages are replaced by local ones that are free, and put back in what the programs print.
"""

from __future__ import annotations

import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tests.interop import peers

LOCAL = "127.0.0.1"
PORTS = (104, 2762, 8042, 9100, 11112, 11113, 11114, 11115)
TOOLS = ("dimse", "echoscu", "storescu", "findscu", "getscu", "movescu", "echoscp", "storescp", "qrscp")
# Ctrl-C counts, even where whoever started the tests has it ignored.
BASH = [
    sys.executable, "-c",
    "import os, signal, sys; signal.signal(signal.SIGINT, signal.SIG_DFL); os.execvp('bash', ['bash', *sys.argv[1:]])",
]  # fmt: skip
# No command of a page runs longer.
SECONDS = 30.0
# The seconds between two looks at a program that runs on.
PAUSE = 0.02
# It separates what a command printed from its exit status.
MARK = "\x1e"


# A host of the pages, and the port behind it, as in a command or in a file of remotes.
REMOTE = re.compile(r"([\w-]+(?:\.[\w-]+)*\.example\.org)(\W{1,4}|\"\nport = )(\d+)")


class Places:
    """The hosts and ports of a session, and the local ones that stand in for them.

    Args:
        text: All blocks of the session.

    Attributes:
        ports: The local port for each port of the pages.
        remote: The local port for a port of another host, where that is another one.
    """

    def __init__(self, text: str) -> None:
        self.ports = {port: peers.free_port() for port in PORTS}
        self.remote: dict[int, int] = {}
        self._remote = {(host, int(port)) for host, _, port in REMOTE.findall(text)}

    def to_local(self, text: str) -> str:
        """Return a text with local hosts and free ports."""
        text = REMOTE.sub(lambda found: f"{LOCAL}{found[2]}{self._remote_port(int(found[3]))}", text)
        text = re.sub(r"\b[\w-]+\.example\.org\b", LOCAL, text)
        return re.sub(r"(?<![\w.-])\d+(?![\w-]|\.\d)", lambda found: str(self.ports.get(int(found[0]), found[0])), text)

    def to_printed(self, text: str) -> str:
        """Return a text with the hosts and ports of the page."""
        for host, port in self._remote:
            local = self._remote_port(port)
            text = text.replace(f"{LOCAL}:{local}", f"{host}:{port}").replace(f"{LOCAL} {local}", f"{host} {port}")
        for port, local in self.ports.items():
            text = re.sub(rf"\b{local}\b", str(port), text)
        return text

    def _remote_port(self, port: int) -> int:
        return self.remote.get(port) or self.ports[port]


@dataclass
class Terminal:
    """A terminal in which a program may run on.

    Attributes:
        output: The file with all that was printed.
        process: The program, if one was started.
        seen: The bytes of the output that were compared.
    """

    output: Path
    process: subprocess.Popen[bytes] | None = None
    seen: int = 0


class Shell:
    """A bash that goes on where the last command ended, with the folder and the variables of it.

    Args:
        folder: A folder for its files; the commands run in `home` in it.
        places: The hosts and ports to replace.
    """

    def __init__(self, folder: Path, places: Places) -> None:
        self.home = folder / "home"
        self.home.mkdir(parents=True)
        self._folder, self._places = folder, places
        self._state = folder / "state"
        self._state.write_text(f"cd {shlex.quote(str(self.home))}\n")
        self._terminals: dict[str, Terminal] = {}
        self._environment = {
            "PATH": f"{self._programs()}:{os.environ['PATH']}",
            "HOME": str(self.home),
            "LC_ALL": "C.UTF-8",
            "TZ": "UTC",
            "COLUMNS": "100",
        }

    def run(self, *commands: str, first: str = "") -> list[tuple[str, int]]:
        """Run commands to their ends, and return the output and the exit status of each.

        Args:
            commands: The commands, as they are printed.
            first: "dcmtk" where its programs come first on the path.
        """
        lines = self._begin(first)
        for command in commands:
            lines += [self._places.to_local(command), f"{{ s=$?; printf '{MARK}%d{MARK}' $s; (exit $s); }}"]
        lines.append(f"PATH={shlex.quote(self._environment['PATH'])}")
        lines.append(f'{{ echo cd "$(printf %q "$PWD")"; declare -px; }} > {shlex.quote(str(self._state))}')
        done = subprocess.run(
            [*BASH, self._script("script", lines)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, env=self._environment, timeout=SECONDS, check=False,
        )  # fmt: skip
        parts = self._printed(done.stdout).split(MARK)
        return [(parts[number], int(parts[number + 1])) for number in range(0, len(parts) - 1, 2)]

    def write(self, name: str, text: str) -> None:
        """Write a file; it is executable if it begins as a script."""
        path = self.home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(self._places.to_local(text) + "\n")
        path.chmod(0o755 if text.startswith("#!") else 0o644)

    # --- programs that run on ---

    def terminal(self, name: str) -> Terminal:
        """Return the terminal of this name."""
        return self._terminals.setdefault(name, Terminal(self._folder / f"{name}.log"))

    def start(self, terminal: Terminal, command: str, first: str = "") -> None:
        """Start a program in a terminal."""
        script = self._script(terminal.output.stem, [*self._begin(first), self._places.to_local(command)])
        terminal.seen = 0
        with terminal.output.open("wb") as output:
            terminal.process = subprocess.Popen(
                [*BASH, script], stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                env=self._environment, start_new_session=True,
            )  # fmt: skip

    def interrupt(self, terminal: Terminal) -> None:
        """Press Ctrl-C in a terminal, and wait until its program has ended."""
        assert terminal.process is not None
        os.killpg(terminal.process.pid, signal.SIGINT)
        terminal.process.wait(SECONDS)

    def printed_in(self, terminal: Terminal) -> str:
        """Return what was printed in a terminal since it was last marked as seen."""
        return self._printed(terminal.output.read_bytes()[terminal.seen :])

    def listens(self, port: int) -> bool:
        """Return True if a program accepts connections on this port of the page."""
        with suppress(OSError), socket.create_connection((LOCAL, self._places.ports[port]), timeout=1):
            return True
        return False

    def close(self) -> None:
        """Kill what still runs."""
        for terminal in self._terminals.values():
            if terminal.process is not None:
                with suppress(ProcessLookupError):
                    os.killpg(terminal.process.pid, signal.SIGKILL)
                terminal.process.wait(SECONDS)

    def _script(self, name: str, lines: list[str]) -> Path:
        script = self._folder / f"{name}.sh"
        script.write_text("\n".join([*lines, ""]))
        return script

    def _begin(self, first: str) -> list[str]:
        # Every variable is exported, so that the state has all of them.
        lines = [f". {shlex.quote(str(self._state))}", "set -a"]
        if first:
            lines.append(f"PATH={shlex.quote(str(Path(peers.dcmtk('storescp')).parent))}:$PATH")
        return lines

    def _printed(self, output: bytes) -> str:
        text = output.decode("utf-8", "backslashreplace").replace(str(self.home), "/home/you")
        return self._places.to_printed(text)

    def _programs(self) -> Path:
        """Return a folder with the programs that the pages call."""
        folder = self._folder / "bin"
        folder.mkdir()
        python = shlex.quote(sys.executable)
        lines = {tool: f"-m dimse {tool}" if tool != "dimse" else "-m dimse" for tool in TOOLS}
        lines |= {"python": "", "python3": "", "pytest": "-m pytest -p no:cacheprovider"}
        for name, words in lines.items():
            (folder / name).write_text(f'#!/bin/sh\nexec {python} {words} "$@"\n')
            (folder / name).chmod(0o755)
        return folder


def until(holds: Callable[[], bool]) -> None:
    """Return when a condition holds, or when the time for a command is over."""
    end = time.monotonic() + SECONDS
    while not holds() and time.monotonic() < end:
        time.sleep(PAUSE)
