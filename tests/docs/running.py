"""A reader who types what the pages print: the runner of sessions."""

from __future__ import annotations

import shlex
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.docs.commands import INTERRUPT, Entry, agrees, entries
from tests.docs.given import GIVEN, SAMPLES
from tests.docs.not_run import NOT_RUN
from tests.docs.pages import Block, Session
from tests.docs.shell import PORTS, Places, Shell, Terminal, until
from tests.interop import peers

# The seconds after which a program that runs on has printed everything, while a page is amended.
QUIET = 1.5

Amend = Callable[[Block, list[Entry]], None]
"""A function that is told of each block and its entries, with the real output, instead of a comparison."""


def read(session: Session, folder: Path, amend: Amend | None = None) -> None:
    """Do what every block of a session says, from the first to the last.

    Args:
        session: The session.
        folder: A folder that does not exist yet or is empty.
        amend: Takes the real output.

    Raises:
        AssertionError: A command failed, or printed something else.
    """
    require(session.needs)
    places = Places("\n".join(block.text for block in session.blocks))
    shell = Shell(folder, places)
    with ExitStack() as stack:
        stack.callback(shell.close)
        for name in session.given:
            stack.enter_context(GIVEN[name](shell.home, places))
        reader = Reader(shell, amend)
        for block in session.blocks:
            if (block.page.name, block.head) not in NOT_RUN:
                reader.do(block)


class Reader:
    """A reader of a session, who does what a block says, and compares what is printed."""

    def __init__(self, shell: Shell, amend: Amend | None = None) -> None:
        self._shell, self._amend = shell, amend
        self._said = ""

    def do(self, block: Block) -> None:
        """Do what a block says."""
        if block.title:
            self._shell.write(block.title, block.text)
        elif "output" in block.notes:
            self._compare(block, [Entry("", block.text.split("\n"))], [self._said])
        elif block.language == "console":
            self._type(block)
        elif block.language == "sh":
            for command in commands(block.text):
                self._run(block, command)
        elif block.language == "python":
            self._run_python(block)
        else:
            pytest.fail(f"{block.where}: a block of {block.language or 'no language'} is neither run nor in NOT_RUN")

    # --- blocks without commands of a user ---

    def _run_python(self, block: Block) -> None:
        self._shell.write("example.py", source(block))
        command = with_python(block, "python example.py")
        if "ready" in block.notes:
            with self._serving(block, command, int(block.notes["ready"])) as port:
                if "store" in block.text:
                    self._run(block, f"storescu 127.0.0.1 {port} {shlex.quote(str(SAMPLES / 'CT_small.dcm'))}")
        else:
            self._said = self._run(block, command)

    def _run(self, block: Block, command: str) -> str:
        """Run a command, and return what it prints; one that listens is ended once it does."""
        words = shlex.split(command, comments=True)
        ports = [int(word) for word in words if word in map(str, PORTS)]
        if words[0].endswith("scp") and ports:
            with self._serving(block, command, ports[0]):
                return ""
        ((said, status),) = self._shell.run(command)
        assert status == 0, f"{block.where}: {command}: {status}\n{said}"
        return said

    @contextmanager
    def _serving(self, block: Block, command: str, port: int) -> Iterator[int]:
        """Run a program that listens; it ends with Ctrl-C."""
        terminal = self._shell.terminal("server")
        assert not self._shell.listens(port), f"{block.where}: something listens on port {port} already"
        self._shell.start(terminal, command)
        until(lambda: self._shell.listens(port))
        assert self._shell.listens(port), f"{block.where}: {command}\n{self._shell.printed_in(terminal)}"
        yield port
        self._shell.interrupt(terminal)

    # --- what a user types ---

    def _type(self, block: Block) -> None:
        found = entries(block.text)
        if name := block.notes.get("terminal"):
            terminal = self._shell.terminal(name)
            self._compare(block, found, [self._type_into(terminal, block, entry) for entry in found])
            return
        done = self._shell.run(*(entry.command for entry in found), first=block.notes.get("first", ""))
        for number, (entry, (output, status)) in enumerate(zip(found, done, strict=True)):
            following = found[number + 1].command if number + 1 < len(found) else ""
            assert status == 0 or following == "echo $?", f"{block.where}: {entry.command}: {status}\n{output}"
        self._compare(block, found, [output for output, _ in done])

    def _type_into(self, terminal: Terminal, block: Block, entry: Entry) -> str:
        """Type something in another terminal, and return what it prints, once that agrees or the time is over."""
        shell = self._shell
        if entry.command == INTERRUPT:
            shell.interrupt(terminal)
        elif entry.command:
            shell.start(terminal, with_python(block, entry.command), block.notes.get("first", ""))
            if "ready" in block.notes:
                until(lambda: shell.listens(int(block.notes["ready"])))
        if self._amend is not None:
            time.sleep(QUIET)
        else:
            until(lambda: agrees("\n".join(entry.output), shell.printed_in(terminal)))
        said = shell.printed_in(terminal)
        terminal.seen = terminal.output.stat().st_size
        return said

    def _compare(self, block: Block, found: list[Entry], said: list[str]) -> None:
        for entry, output in zip(found, said, strict=True):
            printed = "\n".join(entry.output)
            if self._amend is None:
                where = f"{block.where}: {entry.command}"
                assert agrees(printed, output), f"{where}\n-- printed:\n{printed}\n-- said:\n{output}"
            elif not agrees(printed, output):
                entry.output = output.strip("\n").split("\n") if output.strip("\n") else []
        if self._amend is not None:
            self._amend(block, found)


def with_python(block: Block, command: str) -> str:
    """Return a command with the Python that the block asks for."""
    if block.notes.get("python") != "pynetdicom":
        return command
    return command.replace("python ", f"{shlex.quote(peers.pynetdicom())} ", 1)


def commands(text: str) -> list[str]:
    """Return the commands of a block of `sh`."""
    return [line for line in text.replace("\\\n", " ").split("\n") if line.strip() and not line.startswith("#")]


def source(block: Block) -> str:
    """Return a program, complete with what an earlier block of its section has imported."""
    imports = block.notes.get("imports")
    return f"import {imports}\n\n{block.text}" if imports else block.text


def require(names: list[str]) -> None:
    """Skip the test where a program is not installed, or fail where no test may be skipped."""
    for name in names:
        if name == "dcmtk":
            peers.dcmtk("storescp")
        elif name == "pynetdicom":
            peers.pynetdicom()
        elif shutil.which(name) is None:
            peers.missing(f"{name} is not installed")
