"""What a tool does for one object more, counted: so that speed is held by figures that do not depend on the machine.

A tool runs with a few objects and again with more, and the difference counts: its start and its end do not. The other end is our
other tool. An object is answered before the next one is sent, so that hardly anything depends on which of them is faster.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.drivers import make_instance
from tests.interop import peers
from tests.tools import running
from tests.tools.listeners import listening

# Where no bytecode is written, a first run does the same as a second one.
ENVIRONMENT = os.environ | {"PYTHONDONTWRITEBYTECODE": "1"}


# ---- system calls

# Calls that do one thing: which of them the C library makes depends on its version and on the processor.
ALIKE = {"newfstatat": "stat", "fstat": "stat", "statx": "stat", "ppoll": "poll", "clone": "clone3"}

_STRACE = ("strace", "-D", "-f", "-qq", "-s", "0")
_CALL = re.compile(r"\d+ +(\w+)\(")
_RESULT = re.compile(r"\d+ +(?:<\.\.\. )?(\w+)[( ].* = (\d+)$")


class Traced:
    """A tool under strace.

    Args:
        trace: Where strace writes.
    """

    def __init__(self, trace: Path) -> None:
        self._trace = trace
        command = [*_STRACE, "-o", str(trace), "true"]
        if not shutil.which("strace") or subprocess.run(command, capture_output=True, check=False).returncode:
            peers.missing("there is no strace here that may trace")

    def start(self, words: list[str], **options: Any) -> subprocess.Popen[str]:
        """Start the command of a tool, `python -m dimse NAME ...`; options as of `subprocess.Popen`."""
        return subprocess.Popen([*_STRACE, "-o", str(self._trace), *words], env=ENVIRONMENT, **options)

    def counts(self, since: str = "execve") -> Counter[str]:
        """How often it called the system for what, from the first call of that name on."""
        calls = [found[1] for line in self._trace.read_text().splitlines() if (found := _CALL.match(line))]
        return Counter(ALIKE.get(call, call) for call in calls[calls.index(since) :])

    def moved(self, call: str) -> int:
        """How many bytes a call that moves some has moved in all."""
        results = map(_RESULT.match, self._trace.read_text().splitlines())
        return sum(int(found[2]) for found in results if found and found[1] == call)


# ---- one more


Counts = dict[str, Counter[str]]  # by the name of a tool


@dataclass(frozen=True)
class Work:
    """CT images that are sent over one association, and what they may cost.

    Attributes:
        pixels: Bytes of pixel data of each.
        objects: How many, in two runs.
        storescu, storescp: How often either tool may do what for one of them, on average.
    """

    pixels: int
    objects: tuple[int, int]
    storescu: Mapping[str, float]
    storescp: Mapping[str, float]

    def exceeded(self, folder: Path, *, spare: float = 0) -> dict[str, dict[str, float]]:
        """Return the system calls that were made more often than they may be, and how often, by tool.

        Args:
            folder: For everything that is sent, kept and counted.
            spare: So many calls more are allowed in a run, also of those that are not in the tables.
        """

        def counts(objects: int) -> Counts:
            return transfer(objects, self.pixels, folder / str(objects))

        few, more = self.objects
        done = one_more(few, more, counts)
        return {
            tool: too_many(done[tool], most, spare / (more - few))
            for tool, most in (("storescu", self.storescu), ("storescp", self.storescp))
        }


def one_more(few: int, more: int, counts: Callable[[int], Counts]) -> dict[str, dict[str, float]]:
    """What each tool does for one more of something, on average.

    Args:
        few, more: How many there are in one run, and in the other.
        counts: What the tools do in a run with so many.
    """
    short, long = counts(few), counts(more)
    return {tool: {what: (long[tool][what] - short[tool][what]) / (more - few) for what in long[tool]} for tool in long}


def too_many(counts: Mapping[str, float], most: Mapping[str, float], spare: float = 0) -> dict[str, float]:
    """What was done more often than a table says; `spare` is on top of each entry, and of each that is not there."""
    return {what: count for what, count in counts.items() if count > most.get(what, 0) + spare}


def transfer(objects: int, pixels: int, folder: Path, window: int = 1) -> Counts:
    """What storescu and storescp do when so many images go from one to the other.

    One at a time, unless there is a window: then it depends on the machine how often a side finds something without waiting.
    """
    files, incoming = folder / "files", folder / "incoming"
    files.mkdir(parents=True)
    for number in range(objects):
        make_instance(files, number, pixels)
    scu, scp = Traced(folder / "storescu"), Traced(folder / "storescp")
    with listening("storescp", "-od", incoming, start=scp.start) as listener:
        run(scu, "storescu", listener.host, listener.port, files, "--async-ops", window)
        assert listener.end() == []
    assert len(list(incoming.iterdir())) == objects
    return {"storescu": scu.counts(), "storescp": scp.counts()}


def run(tool: Traced, name: str, *arguments: object) -> None:
    """Run a tool to its end, which is a success without a word."""
    words = running.command(name, *arguments)
    pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with tool.start(words, text=True, **pipes) as process:
        said = process.communicate(timeout=running.SECONDS)
    assert (process.returncode, *said) == (0, "", "")
