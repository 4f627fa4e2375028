"""Runs of a pair, and rounds of many."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TypeVar

from bench import loopback, security
from bench.processes import PrivateMemory, Running, connected, cpu_seconds, free_port, listening
from bench.programs import LOOPBACK_LIMIT, ROOT, Pair, openssl, receiver, sender
from bench.results import Run, Seen
from bench.works import SHARED, Work

LONGEST = 300.0  # seconds of one run
RUN = "run-"  # the prefix of its folder

T = TypeVar("T")


class NotADiskError(Exception):
    """The checkout is in memory, where a disk is needed."""


@contextmanager
def scratch(where: Path = SHARED) -> Iterator[Path]:
    """Create a folder, and remove it at the end."""
    folder = new_folder(where)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


@contextmanager
def scratch_on_disk() -> Iterator[Path]:
    """Create a folder on the disk. At the end its files are truncated, and `remove_emptied` removes them later.

    For some time after many files have been removed, ext4 takes far longer to create one. That would affect the next run.

    Raises:
        NotADiskError: There is no disk.
    """
    folder = new_folder(disk())
    try:
        yield folder
    finally:
        for path in stored(folder):
            os.truncate(path, 0)


def remove_emptied() -> None:
    """Remove what was received on the disk."""
    for folder in (ROOT / ".bench").glob(f"{RUN}*"):
        shutil.rmtree(folder)


def new_folder(where: Path) -> Path:
    """Create a folder for a run, and return it."""
    where.mkdir(parents=True, exist_ok=True)
    return Path(tempfile.mkdtemp(prefix=RUN, dir=where))


def measure(pair: Pair, work: Work, turn: int, share: float, where: Path = SHARED) -> Run:
    """Run a pair once, into an empty folder.

    Args:
        pair: The sender and the receiver.
        work: The files to send.
        turn: The number of the round.
        share: The share of the work to send.
        where: The folder for works, and for received files unless they go to a disk.

    Raises:
        MissingError: One of the programs is not installed.
        NotADiskError: There is no disk to receive on.
        NotListeningError: The receiver does not listen.
    """
    files = sorted(work.folder(share, where).iterdir())
    one = loopback_limit if pair == LOOPBACK_LIMIT else two_programs
    with scratch_on_disk() if pair.group.on_disk else scratch(where) as folder:
        received = folder / "received"
        received.mkdir()
        seen = one(pair, files, folder, received)
    size = sum(file.stat().st_size for file in files)
    return Run(work.name, pair.name, turn, len(files) / work.objects, size, len(files), **asdict(seen))


def two_programs(pair: Pair, files: Sequence[Path], folder: Path, received: Path) -> Seen:
    """Run a sender and a receiver, and return what was observed."""
    environment, tls = pair.setting.environment, None
    if pair.setting.tls:
        security.make(openssl())
        tls = security.context()

    def command_of_receiver(port: int) -> list[str]:
        return receiver(pair.receiver, pair.setting, port, received)

    with listening(command_of_receiver, environment, folder, tls) as listener:
        command = sender(pair.sender, pair.setting, listener.port, files[0].parent)
        if pair.group.on_disk:
            # Writes of an earlier run must not fall into this one.
            os.sync()
        before = cpu_seconds(listener.pid)
        running = Running(command, environment, folder / "sender.log")
        with PrivateMemory(running.pid, listener.pid) as memory:
            ended = running.wait(LONGEST)
            receiver_cpu = cpu_seconds(listener.pid) - before
    arrived = len(stored(received))
    sender_memory, receiver_memory = memory.peaks
    return Seen(arrived, ended.seconds, ended.cpu_seconds, receiver_cpu, sender_memory, receiver_memory, ended.status)


def loopback_limit(pair: Pair, files: Sequence[Path], folder: Path, received: Path) -> Seen:
    """Run `loopback` with this process as the sender, and return what was observed."""
    port, into = free_port(), received / "received"
    command = [sys.executable, loopback.__file__, str(port), str(into)]
    receiving = Running(command, pair.setting.environment, folder / "receiver.log")
    with connected(port) as connection:
        before, mine = cpu_seconds(receiving.pid), time.process_time()
        seconds = loopback.send(connection, files)
        mine = time.process_time() - mine
    ended = receiving.wait(LONGEST)
    complete = into.stat().st_size == sum(file.stat().st_size for file in files)
    arrived = len(files) if complete else 0
    return Seen(arrived, seconds, mine, ended.cpu_seconds - before, 0, 0, ended.status)


def disk() -> Path:
    """Return a folder on the disk of this checkout.

    Raises:
        NotADiskError: The checkout is in memory.
    """
    folder = ROOT / ".bench"
    folder.mkdir(exist_ok=True)
    device = os.stat(folder).st_dev
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        before, _, behind = line.partition(" - ")
        kind = behind.split()[0]
        if before.split()[2] == f"{os.major(device)}:{os.minor(device)}" and kind in ("tmpfs", "ramfs"):
            raise NotADiskError(f"{ROOT} is in memory ({kind}): no disk to measure there")
    return folder


def stored(folder: Path) -> list[Path]:
    """Return the files that a receiver has stored; names with a dot at the beginning are its own files."""
    return [path for path in folder.rglob("[!.]*") if path.is_file()]


def in_turn(contestants: Sequence[T], runs: Callable[[T], int], one: Callable[[T, int], None]) -> None:
    """Run all contestants in rounds, each once a round, in an order that rotates; round 0 is the warm-up.

    Args:
        contestants: The pairs or figures to compare.
        runs: A function that returns the number of rounds of a contestant.
        one: A function that runs a contestant in a round.
    """
    for turn in range(max(map(runs, contestants), default=-1) + 1):
        first = turn % len(contestants)
        for contestant in (*contestants[first:], *contestants[:first]):
            if turn <= runs(contestant):
                one(contestant, turn)
