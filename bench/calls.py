"""The function calls that one object takes of storescu and of storescp: `python -m bench.calls`, or `make bench-calls`.

The interpreter calls functions, and that is most of what a small object takes. So these counts say what a change does to the path
of an object where a clock says nothing yet. Each tool runs on one processor, with a few objects and again with more. The difference
is divided by the objects, so that the start and the end of a tool do not count. No figure is right or wrong. The table is to be
compared with the one in bench/README.md.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bench.measure import LONGEST, scratch, stored
from bench.processes import Running, listening
from bench.programs import LOOPBACK
from bench.works import LARGE, WORKS, Image, Work

PROFILED = """
import atexit, itertools, os, sys, threading
counters = {"call": itertools.count(), "c_call": itertools.count()}

def count(frame, event, argument):
    if event in counters:
        next(counters[event])

@atexit.register
def tell():
    sys.setprofile(None)
    with open(os.environ["COUNTS"], "w") as file:
        print(*map(next, counters.values()), file=file)

from dimse.__main__ import main
threading.setprofile(count)
sys.setprofile(count)
raise SystemExit(main())
"""
"""A program that counts the calls of a tool, in all its threads.

A call of a function written in Python counts, and so does each time that a generator or a coroutine goes on. A call of a function
written in C counts apart from them.
"""


@dataclass(frozen=True)
class Counted:
    """A row of the table: objects that are sent, one at a time over one association.

    Attributes:
        title: What one of them is.
        work: The work that they are taken from.
        few: The number of objects of the first run.
        more: The number of objects of the second run.
    """

    title: str
    work: Work
    few: int
    more: int


PART_OF_LARGE = Image(LARGE.sop_class_uid, LARGE.modality, LARGE.rows, LARGE.columns, 40, series=4)
COUNTED = (
    Counted("an object of 4 KB", WORKS["small"], 50, 150),
    Counted("a CT image of 525 KB", WORKS["ct"], 50, 150),
    Counted("an object of 21 MB", Work("multi-frame", "3 objects of 21 MB", 3, PART_OF_LARGE.contents), 1, 3),
)

Calls = dict[str, tuple[int, int]]
"""The calls of Python and of C functions, by tool."""


class FailedError(Exception):
    """A tool failed, or not all that was sent has arrived."""


def main() -> None:
    """Count, and print a table in Markdown."""
    if hasattr(os, "sched_setaffinity"):
        # With several processors a side that waits polls as often as it has time to.
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    print("| for | tool | Python | C |\n|---|---|---|---|")
    for counted in COUNTED:
        few, more = calls(counted.work, counted.few), calls(counted.work, counted.more)
        for tool in few:
            python, c = ((b - a) / (counted.more - counted.few) for a, b in zip(few[tool], more[tool], strict=True))
            print(f"| {counted.title} | {tool} | {python:,.0f} | {c:,.0f} |", flush=True)


def calls(work: Work, objects: int) -> Calls:
    """Return the calls that both tools make while so many objects of a work go from one to the other.

    Raises:
        FailedError: A tool fails, or not all objects arrive.
    """
    with scratch() as folder:
        received, counts = folder / "received", {tool: folder / tool for tool in ("storescu", "storescp")}
        received.mkdir()
        with listening(
            lambda port: profiled("storescp", port, "-od", received), environment(counts["storescp"]), folder
        ) as listener:
            files = work.folder(objects / work.objects)
            command = profiled("storescu", LOOPBACK, listener.port, files, "--async-ops", 1)
            ended = Running(command, environment(counts["storescu"]), folder / "log").wait(LONGEST)
        if ended.status or len(stored(received)) != objects:
            raise FailedError((folder / "log").read_text(errors="replace"))
        return {tool: read(path) for tool, path in counts.items()}


def profiled(tool: str, *arguments: object) -> list[str]:
    """Return the command of a tool whose calls are counted."""
    return [sys.executable, "-c", PROFILED, tool, *map(str, arguments)]


def environment(counts: Path) -> Mapping[str, str]:
    """Return the environment of a tool that writes its counts to a file."""
    return os.environ | {"COUNTS": str(counts)}


def read(counts: Path) -> tuple[int, int]:
    """Return the calls of Python and of C functions that a tool has counted."""
    python, c = map(int, counts.read_text().split())
    return python, c


if __name__ == "__main__":
    main()
