"""Counts of the work of a tool for one object more, so that figures which do not depend on the machine hold the speed.

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
        """Return the number of system calls by name, from the first call named `since` on."""
        calls = [found[1] for line in self._trace.read_text().splitlines() if (found := _CALL.match(line))]
        return Counter(ALIKE.get(call, call) for call in calls[calls.index(since) :])

    def moved(self, call: str) -> int:
        """Return the number of bytes that a system call has moved in total."""
        results = map(_RESULT.match, self._trace.read_text().splitlines())
        return sum(int(found[2]) for found in results if found and found[1] == call)


# ---- one more


Counts = dict[str, Counter[str]]  # by the name of a tool


@dataclass(frozen=True)
class Work:
    """A workload of CT images that are sent over one association, and its budget.

    Attributes:
        pixels: The bytes of pixel data of each image.
        objects: The number of images, in two runs.
        storescu, storescp: The calls that either tool may make for one image, on average.
    """

    pixels: int
    objects: tuple[int, int]
    storescu: Mapping[str, float]
    storescp: Mapping[str, float]

    def exceeded(self, folder: Path, *, spare: float = 0) -> dict[str, dict[str, float]]:
        """Return the calls that exceeded their budget, and their number, for both tools.

        Args:
            folder: The folder for everything that is sent, kept and counted.
            spare: A number of further calls in a run, also of calls that are not in the tables.
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
    """Return what each tool does for one more of something, on average.

    Args:
        few, more: The numbers in the two runs.
        counts: A function that returns what the tools do in a run with a number of them.
    """
    short, long = counts(few), counts(more)
    return {tool: {what: (long[tool][what] - short[tool][what]) / (more - few) for what in long[tool]} for tool in long}


def too_many(counts: Mapping[str, float], most: Mapping[str, float], spare: float = 0) -> dict[str, float]:
    """Return the calls that exceed a table; `spare` is added to each entry, and allowed for each missing one."""
    return {what: count for what, count in counts.items() if count > most.get(what, 0) + spare}


def transfer(objects: int, pixels: int, folder: Path, window: int = 1) -> Counts:
    """Return what storescu and storescp do when a number of images go from one to the other.

    Without a window there is one request at a time. With one, it depends on the machine how often a side finds bytes at once.
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
