"""A reader who types what the pages print: the runner of sessions.

Hosts and ports are replaced by local ones that are free, and put back in what the programs print.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.docs.commands import INTERRUPT, Entry, agrees, entries
from tests.docs.given import GIVEN, SAMPLES
from tests.docs.not_run import NOT_RUN
from tests.docs.pages import Block, Session
from tests.interop import peers

LOCAL = "127.0.0.1"
PORTS = (104, 2762, 8042, 11112, 11113, 11114, 11115)
TOOLS = ("dimse", "echoscu", "storescu", "findscu", "getscu", "movescu", "echoscp", "storescp")
# Ctrl-C counts, even where whoever started the tests has it ignored.
BASH = [
    sys.executable, "-c",
    "import os, signal, sys; signal.signal(signal.SIGINT, signal.SIG_DFL); os.execvp('bash', ['bash', *sys.argv[1:]])",
]  # fmt: skip
# No command of a page runs longer.
SECONDS = 30.0
# The seconds between two looks at a program that runs on.
PAUSE = 0.02
# The seconds after which such a program has printed everything, while a page is amended.
QUIET = 1.5
MARK = "\x1e"


class Places:
    """The hosts and ports of a session, and the local ones that stand in for them."""

    def __init__(self, session: Session) -> None:
        self.ports = {port: peers.free_port() for port in PORTS}
        text = "\n".join(block.text for block in session.blocks)
        self.remote = set(re.findall(r"([\w-]+(?:\.[\w-]+)*\.example\.org)\W{1,4}(\d+)", text))

    def to_local(self, text: str) -> str:
        """Return a text with local hosts and free ports."""
        text = re.sub(r"\b[\w-]+\.example\.org\b", LOCAL, text)
        return re.sub(r"(?<![\w.-])\d+(?![\w-]|\.\d)", lambda found: str(self.ports.get(int(found[0]), found[0])), text)

    def to_printed(self, text: str) -> str:
        """Return a text with the hosts and ports of the page."""
        for host, port in self.remote:
            local = self.ports[int(port)]
            text = text.replace(f"{LOCAL}:{local}", f"{host}:{port}").replace(f"{LOCAL} {local}", f"{host} {port}")
        for port, local in self.ports.items():
            text = re.sub(rf"\b{local}\b", str(port), text)
        return text


@dataclass
class Terminal:
    """A terminal in which a program may run on.

    Attributes:
        process: The program, if one runs.
        output: The file with all that was printed.
        seen: The bytes of it that were compared.
    """

    output: Path
    process: subprocess.Popen[bytes] | None = None
    seen: int = 0


@dataclass
class Reader:
    """A reader of a session: types each command, and compares what is printed.

    Attributes:
        session: The session.
        folder: The folder in which the reader works.
        amend: A function that is told of each block and its entries, with the real output, instead of a comparison.
    """

    session: Session
    folder: Path
    amend: Callable[[Block, list[Entry]], None] | None = None
    terminals: dict[str, Terminal] = field(default_factory=dict)
    said: str = ""

    def __post_init__(self) -> None:
        self.places = Places(self.session)
        self.home = self.folder / "home"
        self.home.mkdir(parents=True)
        self.state = self.folder / "state"
        self.state.write_text(f"cd {shlex.quote(str(self.home))}\n")
        self.environment = {
            "PATH": f"{self._programs()}:{os.environ['PATH']}",
            "HOME": str(self.home),
            "LC_ALL": "C.UTF-8",
            "TZ": "UTC",
            "COLUMNS": "100",
        }

    def read(self) -> None:
        """Do what every block says, from the first to the last."""
        with ExitStack() as stack:
            stack.callback(self._close)
            for name in self.session.given:
                stack.enter_context(GIVEN[name](self.home, self.places.ports))
            for block in self.session.blocks:
                self._do(block)

    def _do(self, block: Block) -> None:
        if (block.page.name, block.head) in NOT_RUN:
            return
        if block.title:
            path = self.home / block.title
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(self.places.to_local(block.text) + "\n")
            path.chmod(0o755 if block.text.startswith("#!") else 0o644)
        elif "output" in block.notes:
            self._compare(block, [Entry("", block.text.split("\n"))], [self.said])
        elif block.language == "console":
            self._type(block)
        elif block.language == "sh":
            for command in commands(block.text):
                self._run(block, command)
        elif block.language == "python":
            self._run_python(block)
        else:
            pytest.fail(f"{block.where}: a block of {block.language or 'no language'} is neither run nor in NOT_RUN")

    # --- blocks ---

    def _run_python(self, block: Block) -> None:
        path = self.home / "example.py"
        path.write_text(self.places.to_local(source(block)) + "\n")
        python = peers.pynetdicom() if block.notes.get("python") == "pynetdicom" else sys.executable
        command = f"{shlex.quote(python)} example.py"
        if "ready" in block.notes:
            with self._serving(block, command, int(block.notes["ready"])) as port:
                if "store" in block.text:
                    sent = self._bash(f"storescu 127.0.0.1 {port} {shlex.quote(str(SAMPLES / 'CT_small.dcm'))}")
                    assert sent[0] == ("", 0), f"{block.where}: {sent[0][0]}"
            return
        ((self.said, status),) = self._bash(command)
        assert status == 0, f"{block.where}: {self.said}"

    def _run(self, block: Block, command: str) -> None:
        """Run a command whose output is not printed; one that listens is ended once it does."""
        words = shlex.split(command, comments=True)
        ports = [int(word) for word in words if word in map(str, PORTS)]
        if words[0].endswith("scp") and ports:
            with self._serving(block, command, ports[0]):
                return
        ((said, status),) = self._bash(command)
        assert status == 0, f"{block.where}: {command}: {status}\n{said}"

    @contextmanager
    def _serving(self, block: Block, command: str, port: int) -> Iterator[int]:
        """Run a program that listens; it ends with Ctrl-C."""
        terminal = self._terminal("server")
        self._start(terminal, block, command)
        self._until(lambda: self._listens(port))
        assert self._listens(port), f"{block.where}: {command}\n{self._new(terminal)}"
        yield port
        self._interrupt(terminal)

    def _type(self, block: Block) -> None:
        found = entries(block.text)
        name = block.notes.get("terminal")
        if name is None:
            done = self._bash(*(entry.command for entry in found), first=block.notes.get("first", ""))
            for number, (entry, (output, status)) in enumerate(zip(found, done, strict=True)):
                following = found[number + 1].command if number + 1 < len(found) else ""
                assert status == 0 or following == "echo $?", f"{block.where}: {entry.command}: {status}\n{output}"
            self._compare(block, found, [output for output, _ in done])
            return
        terminal = self._terminal(name)
        self._compare(block, found, [self._type_into(terminal, block, entry) for entry in found])

    def _type_into(self, terminal: Terminal, block: Block, entry: Entry) -> str:
        """Type something in another terminal, and return what it prints, once that agrees or the time is over."""
        if entry.command == INTERRUPT:
            self._interrupt(terminal)
        elif entry.command:
            self._start(terminal, block, entry.command)
        if entry.command not in ("", INTERRUPT) and "ready" in block.notes:
            self._until(lambda: self._listens(int(block.notes["ready"])))
        printed = "\n".join(entry.output)
        if self.amend is not None:
            time.sleep(QUIET)
        else:
            self._until(lambda: agrees(printed, self._new(terminal)))
        said = self._new(terminal)
        terminal.seen = terminal.output.stat().st_size
        return said

    def _compare(self, block: Block, found: list[Entry], said: list[str]) -> None:
        if self.amend is not None:
            for entry, output in zip(found, said, strict=True):
                if not agrees("\n".join(entry.output), output):
                    entry.output = output.strip("\n").split("\n") if output.strip("\n") else []
            self.amend(block, found)
            return
        for entry, output in zip(found, said, strict=True):
            printed = "\n".join(entry.output)
            assert agrees(printed, output), (
                f"{block.where}: {entry.command}\n-- printed:\n{printed}\n-- said:\n{output}"
            )

    # --- programs that run on ---

    def _terminal(self, name: str) -> Terminal:
        return self.terminals.setdefault(name, Terminal(self.folder / f"{name}.log"))

    def _start(self, terminal: Terminal, block: Block, command: str) -> None:
        command = self.places.to_local(command)
        if block.notes.get("python") == "pynetdicom":
            command = command.replace("python ", f"{shlex.quote(peers.pynetdicom())} ", 1)
        script = terminal.output.with_suffix(".sh")
        script.write_text("\n".join([*self._begin(block.notes.get("first", "")), command, ""]))
        terminal.seen = 0
        with terminal.output.open("wb") as output:
            terminal.process = subprocess.Popen(
                [*BASH, script], stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                env=self.environment, start_new_session=True,
            )  # fmt: skip

    def _interrupt(self, terminal: Terminal) -> None:
        assert terminal.process is not None
        os.killpg(terminal.process.pid, signal.SIGINT)
        terminal.process.wait(SECONDS)

    # --- the shell ---

    def _bash(self, *commands: str, first: str = "") -> list[tuple[str, int]]:
        """Run commands in one bash that goes on where the last one ended; return the output and exit status of each."""
        lines = self._begin(first)
        for command in commands:
            lines += [self.places.to_local(command), f"{{ s=$?; printf '{MARK}%d{MARK}' $s; (exit $s); }}"]
        keep = 'echo cd "$(printf %q "$PWD")"; declare -px'
        lines += [
            f"PATH={shlex.quote(self.environment['PATH'])}",
            f"{{ {keep}; }} > {shlex.quote(str(self.state))}",
            "",
        ]
        script = self.folder / "script"
        script.write_text("\n".join(lines))
        done = subprocess.run(
            [*BASH, script], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            env=self.environment, timeout=SECONDS, check=False,
        )  # fmt: skip
        parts = self._printed(done.stdout).split(MARK)
        return [(parts[number], int(parts[number + 1])) for number in range(0, len(parts) - 1, 2)]

    def _begin(self, first: str) -> list[str]:
        """Return the lines that a script begins with; `first` is "dcmtk" where its programs come first on the path."""
        # Every variable is exported, so that the state has all of them.
        lines = [f". {shlex.quote(str(self.state))}", "set -a"]
        if first:
            lines.append(f"PATH={shlex.quote(str(Path(peers.dcmtk('storescp')).parent))}:$PATH")
        return lines

    def _printed(self, output: bytes) -> str:
        text = output.decode("utf-8", "backslashreplace").replace(str(self.home), "/home/you")
        return self.places.to_printed(text)

    def _new(self, terminal: Terminal) -> str:
        return self._printed(terminal.output.read_bytes()[terminal.seen :])

    def _listens(self, port: int) -> bool:
        with suppress(OSError), socket.create_connection((LOCAL, self.places.ports[port]), timeout=1):
            return True
        return False

    def _until(self, holds: Callable[[], bool]) -> None:
        end = time.monotonic() + SECONDS
        while not holds() and time.monotonic() < end:
            time.sleep(PAUSE)

    def _programs(self) -> Path:
        """Return a folder with the programs that the pages call."""
        folder = self.folder / "bin"
        folder.mkdir()
        python = shlex.quote(sys.executable)
        lines = {tool: f"-m dimse {tool}" if tool != "dimse" else "-m dimse" for tool in TOOLS}
        lines |= {"python": "", "python3": "", "pytest": "-m pytest -p no:cacheprovider"}
        for name, words in lines.items():
            (folder / name).write_text(f'#!/bin/sh\nexec {python} {words} "$@"\n')
            (folder / name).chmod(0o755)
        return folder

    def _close(self) -> None:
        for terminal in self.terminals.values():
            if terminal.process is not None:
                with suppress(ProcessLookupError):
                    os.killpg(terminal.process.pid, signal.SIGKILL)
                terminal.process.wait(SECONDS)


def commands(text: str) -> list[str]:
    """Return the commands of a block of `sh`."""
    return [line for line in text.replace("\\\n", " ").split("\n") if line.strip() and not line.startswith("#")]


def source(block: Block) -> str:
    """Return a program, complete with what an earlier block of its section has imported."""
    imports = block.notes.get("imports")
    return f"import {imports}\n\n{block.text}" if imports else block.text


def require(names: str) -> None:
    """Skip the test where a program is not installed, or fail where no test may be skipped."""
    for name in names.split(","):
        if name.strip() == "dcmtk":
            peers.dcmtk("storescp")
        elif name.strip() == "pynetdicom":
            peers.pynetdicom()
        elif name.strip() and shutil.which(name.strip()) is None:
            peers.missing(f"{name} is not installed")


@contextmanager
def reading(session: Session, folder: Path) -> Iterator[Reader]:
    """Yield a reader of a session, where what it needs is installed."""
    require(",".join(session.needs))
    yield Reader(session, folder)
