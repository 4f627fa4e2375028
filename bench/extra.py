"""Measurements other than those of pairs: echoes, associations, start-up, many associations at one time, workers."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import dimse
from bench import replay
from bench.measure import LONGEST, scratch, stored
from bench.processes import Running, listening
from bench.programs import BEST, LOOPBACK, dcmtk, ours, pynetdicom
from bench.works import WORKS

# The smaller numbers are for pynetdicom, which waits for its own polling.
ECHOES, SLOW_ECHOES = 2000, 200
ASSOCIATIONS, SLOW_ASSOCIATIONS = 500, 50
SIMULTANEOUS = (1, 10, 100)
# All 100 associations come from one address, which may have 90 by default.
FROM_ONE_ADDRESS = ("--max-per-address", "0")
LOAD = {"ct": 800, "small": 4000}  # objects over all associations

Value = tuple[float, float | None]
"""A measured value, and the load's processor seconds in each second if the load itself is not measured."""


class FailedError(Exception):
    """A program under measurement did not do what it should."""


@dataclass(frozen=True)
class Measurement:
    """A figure that can be measured.

    Attributes:
        section, name, unit: See `results.Figure`.
        measure: A function that measures it once.
        runs: The least number of runs.
    """

    section: str
    name: str
    unit: str
    measure: Callable[[], Value]
    runs: int = 0


# ---- the programs; receivers are given a port and a folder

PYTHON = "python -c pass"
OURS, WORKERS, FORKING = "our storescp", "our storescp --workers 2", "DCMTK's storescp --fork"

Command = Callable[[int, str], list[str]]

ECHO_SCPS: Mapping[str, Command] = {
    "our echoscp": lambda port, _: [ours("echoscp"), str(port)],
    "DCMTK's storescp": lambda port, folder: [dcmtk("storescp"), *BEST.dcmtk, "-od", folder, str(port)],
    "pynetdicom's echoscp": lambda port, _: [*pynetdicom("echoscp"), str(port)],
}

STORAGE_SCPS: Mapping[str, Command] = {
    OURS: lambda port, folder: [ours("storescp"), *FROM_ONE_ADDRESS, str(port), "-od", folder],
    WORKERS: lambda port, folder: [ours("storescp"), *FROM_ONE_ADDRESS, "--workers", "2", str(port), "-od", folder],
    FORKING: lambda port, folder: [
        *(dcmtk("storescp"), *BEST.dcmtk, "--fork", "+xa", "-od", folder),
        str(port),
    ],
}

ECHO_SCUS: Mapping[str, Callable[[], list[str]]] = {
    "our echoscu": lambda: [ours("echoscu")],
    "DCMTK's echoscu": lambda: [dcmtk("echoscu")],
    "pynetdicom's echoscu": lambda: pynetdicom("echoscu"),
}


ECHO_PAIRS = (
    ("our echoscu", "our echoscp"),
    ("DCMTK's echoscu", "our echoscp"),
    ("DCMTK's echoscu", "DCMTK's storescp"),
    ("pynetdicom's echoscu", "our echoscp"),
    ("pynetdicom's echoscu", "pynetdicom's echoscp"),
)


@contextmanager
def running(command: Command) -> Iterator[tuple[int, Path]]:
    """Run a receiver, and yield its port and its folder."""
    with scratch() as folder:
        received = folder / "received"
        received.mkdir()
        with listening(lambda port: command(port, str(received)), BEST.environment, folder) as listener:
            yield listener.port, received


def seconds_of(command: list[str]) -> float:
    """Run a program to its end, and return the seconds.

    Raises:
        FailedError: The program fails.
    """
    with scratch() as folder:
        ended = Running(command, BEST.environment, folder / "log").wait(LONGEST)
        if ended.status:
            raise FailedError(f"{command}: {ended.status}, {(folder / 'log').read_text(errors='replace')}")
    return ended.seconds


# ---- the measurements


def echoes_by_library(scp: Command, count: int) -> Value:
    """Return C-ECHOs a second on one association of our library, each awaited."""
    with running(scp) as (port, _), dimse.associate(LOOPBACK, port, contexts=[dimse.Verification]) as association:
        started = time.perf_counter()
        for _ in range(count):
            association.echo()
        return count / (time.perf_counter() - started), None


def echoes_by_program(scu: Callable[[], list[str]], scp: Command, count: int) -> Value:
    """Return C-ECHOs a second on one association of a program. A run with one echo is subtracted, to remove start and end."""
    with running(scp) as (port, _):
        one, many = (seconds_of([*scu(), "--repeat", str(n), LOOPBACK, str(port)]) for n in (1, count + 1))
        return count / (many - one), None


def associations(scp: Command, count: int) -> Value:
    """Return associations a second that our library requests and releases, one after another."""
    with running(scp) as (port, _):
        started = time.perf_counter()
        for _ in range(count):
            with dimse.associate(LOOPBACK, port, contexts=[dimse.Verification]):
                pass
        return count / (time.perf_counter() - started), None


def start_up(scu: Callable[[], list[str]]) -> Value:
    """Return the milliseconds of one echo by a program against our echoscp, from its start to its exit."""
    with running(ECHO_SCPS["our echoscp"]) as (port, _):
        return seconds_of([*scu(), LOOPBACK, str(port)]) * 1000, None


def python_start_up() -> Value:
    """Return the milliseconds of a Python that does nothing."""
    return seconds_of([sys.executable, "-c", "pass"]) * 1000, None


def simultaneous(scp: Command, work: str, count: int) -> Value:
    """Return what a receiver stores a second over a number of concurrent associations: MB of CT images, or small objects.

    Raises:
        FailedError: Not all objects are stored.
    """
    file = min(WORKS[work].folder().iterdir())
    with running(scp) as (port, received), scratch() as folder:
        command = [sys.executable, replay.__file__, str(port), str(file), str(count), str(LOAD[work])]
        ended = Running(command, BEST.environment, folder / "load").wait(LONGEST)
        said, arrived = (folder / "load").read_text(errors="replace"), len(stored(received))
    if ended.status or arrived != LOAD[work]:
        raise FailedError(f"{arrived} of {LOAD[work]} objects arrived: {said}")
    played = json.loads(said)
    amount = played["bytes"] / 1e6 if work == "ct" else played["objects"]
    return amount / played["seconds"], played["cpu_seconds"] / played["seconds"]


# ---- the table


def measurements() -> Iterator[Measurement]:
    """Yield all measurements."""
    for name, scp in ECHO_SCPS.items():
        slow = "pynetdicom" in name
        title = f"our library → {name}"
        yield Measurement("echo", title, "/s", partial(echoes_by_library, scp, SLOW_ECHOES if slow else ECHOES))
        count = SLOW_ASSOCIATIONS if slow else ASSOCIATIONS
        yield Measurement("associations", title, "/s", partial(associations, scp, count))
    for scu_name, scp_name in ECHO_PAIRS:
        count = SLOW_ECHOES if "pynetdicom" in scu_name + scp_name else ECHOES
        once = partial(echoes_by_program, ECHO_SCUS[scu_name], ECHO_SCPS[scp_name], count)
        yield Measurement("echo", f"{scu_name} → {scp_name}", "/s", once)
    yield Measurement("start-up", PYTHON, "ms", python_start_up, runs=11)
    for name, program in ECHO_SCUS.items():
        yield Measurement("start-up", name, "ms", partial(start_up, program), runs=11)
    for work, unit in (("ct", "MB/s"), ("small", "/s")):
        for count in SIMULTANEOUS:
            for name in (OURS, FORKING):
                once = partial(simultaneous, STORAGE_SCPS[name], work, count)
                yield Measurement("simultaneous", at_one_time(name, work, count), unit, once)
        for name in (OURS, WORKERS):
            once = partial(simultaneous, STORAGE_SCPS[name], work, SIMULTANEOUS[-1])
            yield Measurement("workers", at_one_time(name, work, SIMULTANEOUS[-1]), unit, once)


def at_one_time(scp: str, work: str, count: int) -> str:
    """Return the name of a figure of `simultaneous`."""
    return f"{scp}, {work}, {count} association{'s' * (count > 1)}"


SECTIONS = {
    "echo": "C-ECHOs on one association",
    "associations": "Associations requested and released, one after the other",
    "start-up": "One echo, from the program's start to its exit, against our echoscp",
    "simultaneous": "Associations at one time, what the receiver stores over all of them",
    "workers": "Processes of our storescp",
}
"""Every section of figures, by its name."""
