"""Connections are cut and the sender is killed, again and again: in the end the receiver has every instance, once.

`python -m dimse storescu` with a journal sends 200 instances through a proxy. It cuts each connection after 5 to 40 PDUs, by FIN or
by RST, between two PDUs or within one.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field
from math import inf
from pathlib import Path
from random import Random
from typing import Self

import pytest

from dimse.sending.journal import entries
from tests.chaos.proxy import Proxy
from tests.chaos.receivers import RECEIVERS, Receiver, hashes, storescp
from tests.files import Part10File, part10_files
from tests.interop import peers
from tests.tools import running
from tests.tools.listeners import listening
from tests.tools.running import Instance, element

COUNT, SERIES = 200, 10
# Instances in 40 PDUs: a command, a data set and a response each.
MOST_AT_ONCE = 13
# Bytes of each 20th instance: seven PDUs, so that cuts fall inside data sets.
LARGE = 100_000
STARTING = 0.25  # seconds until the tool connects, about
CONNECTED = 0.03  # seconds that a connection lives, about
AT_ONCE = 10.0  # seconds: far below every timeout


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[Part10File]:
    """Return the files that are to be sent."""
    folder, chance = tmp_path_factory.mktemp("instances"), Random(4)
    for number in range(COUNT):
        instance(number, chance.randbytes(2 * chance.randrange(1, 2000) if number % 20 else LARGE)).write(
            folder / f"series{number % SERIES}" / f"{number}.dcm"
        )
    return part10_files(folder)


def instance(number: int, pixels: bytes) -> Instance:
    """Make an instance of one study and one of the series."""
    series = number % SERIES
    rest = (
        element(0x0008, 0x0060, "CS", b"OT")
        + element(0x0010, 0x0010, "PN", b"Doe^Jane")
        + element(0x0010, 0x0020, "LO", b"4711")
        + element(0x0020, 0x000D, "UI", b"1.2.3")
        + element(0x0020, 0x000E, "UI", f"1.2.3.{series}".encode())
        + element(0x0020, 0x0013, "IS", str(number).encode())
        + element(0x7FE0, 0x0010, "OB", pixels)
    )
    return Instance(f"1.2.3.{series}.{number}", rest=rest)


@dataclass
class Cuts:
    """The numbers of PDUs after which connections are cut, in their order; it counts the connections.

    Attributes:
        chance: The source of the numbers.
        allowed: The connections that may come before the sender is killed. Others are cut before anything can be sent, so that
            it does not finish before that, however slow the machine is.
    """

    chance: Random
    count: int = 0
    allowed: float = inf
    _came: threading.Condition = field(default_factory=threading.Condition)

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> int:
        with self._came:
            self.count += 1
            self._came.notify_all()
            return self.chance.randint(5, 40) if self.count <= self.allowed else 1

    def allow(self, more: float) -> None:
        """Permit so many more connections, before the sender is run."""
        self.allowed = self.count + more

    def wait(self, process: subprocess.Popen[str]) -> None:
        """Wait until all permitted connections have come, or the sender has ended."""
        with self._came:
            while self.count < self.allowed and process.poll() is None:
                self._came.wait(0.1)


@dataclass(frozen=True)
class Sender:
    """A storescu with a journal and a report, run as often as necessary.

    Attributes:
        folder: The folder of its journal and its report.
        arguments: Peer, paths and options.
        retry_wait: Seconds before the second attempt.
    """

    folder: Path
    arguments: tuple[object, ...]
    retry_wait: float = 0.01

    @property
    def journal(self) -> Path:
        return self.folder / "journal"

    @property
    def options(self) -> tuple[object, ...]:
        retry = "--retry", 100, "--retry-wait", self.retry_wait
        return *self.arguments, *retry, "--journal", self.journal, "--report", self.folder / "report.json"

    def started(self) -> AbstractContextManager[subprocess.Popen[str]]:
        """Start it, so that it can be interrupted."""
        return running.start("storescu", *self.options)

    def run_and_kill(self, chance: Random, cuts: Cuts, left: int) -> bool:
        """Run it and kill it at some moment.

        Args:
            chance: Decides when: on its way to a connection, or while it has one.
            cuts: Lets it have some.
            left: How many instances are not acknowledged.

        Returns:
            Was it killed? False if it was done.
        """
        connections = chance.choice((0, 1, 1, 1, 2) if left > COUNT / 2 else (0, 1, 1) if left > MOST_AT_ONCE else (0,))
        cuts.allow(connections)
        with self.started() as process:
            cuts.wait(process)
            try:
                process.wait(chance.uniform(0, CONNECTED if connections else STARTING))
            except subprocess.TimeoutExpired:
                process.kill()
            _, said = process.communicate()
        assert "Traceback" not in said, said
        return process.returncode == -signal.SIGKILL

    def run_until_all_is_sent(self) -> None:
        """Run it to its end."""
        process = running.tool("storescu", *self.options)
        # Where a cut came before the first answer, the window that was proposed may have been the reason.
        said = [line for line in process.stderr.splitlines() if "requesting again without them" not in line]
        assert (process.returncode, said) == (0, [])

    @property
    def acknowledged(self) -> dict[str, tuple[float, int]]:
        """The time and the attempt of the acknowledgement of each file."""
        rows = entries(str(self.journal)) if self.journal.exists() else ()
        return {row.path: (row.changed, row.attempts) for row in rows if row.state == "acked"}

    @property
    def report(self) -> dict[str, str]:
        """The outcome of each file in the last run, by its path."""
        report = json.loads((self.folder / "report.json").read_text())
        outcomes = {row["file"]: row["outcome"] for row in report["files"]}
        assert len(outcomes) == len(report["files"])
        return outcomes


def lose_nothing(receiver: Receiver, files: list[Part10File], folder: Path, *, seed: int, kills: int) -> None:
    """Cut, kill, and look for what is missing."""
    chance = Random(seed)
    cuts = Cuts(Random(f"cuts {seed}"))
    jobs, window = (1, receiver.jobs)[seed % 2], (1, 8)[seed // 2 % 2]
    proxy = Proxy(receiver.port, cut_after=cuts, seed=seed)
    with proxy as port:
        options = "-r", "-aec", receiver.ae_title, "--jobs", jobs, "--async-ops", window
        sender = Sender(folder, ("127.0.0.1", port, files[0].path.parents[1], *options))
        before = sender.acknowledged
        for _ in range(kills):
            assert sender.run_and_kill(chance, cuts, COUNT - len(before)), "it was done before it could be killed"
            acknowledged = sender.acknowledged
            assert before.items() <= acknowledged.items()  # once, and for good
            before = acknowledged
        cuts.allow(inf)
        sender.run_until_all_is_sent()
    assert proxy.cuts
    receiver.verify_holds(files)
    paths = sorted(str(file.path) for file in files)
    rows = list(entries(str(sender.journal)))
    assert sorted(row.path for row in rows) == paths
    assert {(row.state, row.status) for row in rows} == {("acked", 0x0000)}
    assert before.items() <= sender.acknowledged.items()
    assert sender.report == {path: "already" if path in before else "stored" for path in paths}
    # This counts files that were under way, or next, when an association ended.
    again = sum(row.attempts for row in rows) - COUNT
    assert again <= proxy.connections * (window + 1)


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("name", "seed", "kills"), [("storescp", 0, 5), ("storescp", 3, 5), ("dcmqrscp", 1, 3), ("Orthanc", 1, 3)]
)
def test_nothing_is_lost_and_nothing_twice(
    name: str, seed: int, kills: int, files: list[Part10File], tmp_path: Path
) -> None:
    with RECEIVERS[name](tmp_path) as receiver:
        lose_nothing(receiver, files, tmp_path, seed=seed, kills=kills)


@pytest.mark.campaign
@pytest.mark.timeout(600)
@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("name", RECEIVERS)
def test_nothing_is_lost_in_twenty_kills(name: str, seed: int, files: list[Part10File], tmp_path: Path) -> None:
    with RECEIVERS[name](tmp_path) as receiver:
        lose_nothing(receiver, files, tmp_path, seed=seed, kills=20)


# ---- Ctrl-C


def verify_interrupted(sender: Sender, files: list[Part10File], stored: Sequence[Part10File]) -> None:
    """Check that the report has every file, and that it and the journal are true; `stored` is what the receiver has."""
    there = hashes(stored)
    by_path = {str(file.path): hash_ for file in files for hash_ in hashes([file])}
    outcomes = sender.report
    assert sorted(outcomes) == sorted(by_path)
    for path, outcome in outcomes.items():
        if outcome != "unknown":
            assert (by_path[path] in there) == (outcome == "stored"), path
    states = {row.path: row.state for row in entries(str(sender.journal))}
    assert states == {path: JOURNALED[outcome] for path, outcome in outcomes.items()}


def ended(line: str) -> bool:
    """Return True for a line of our storescp about a release, an abort, or a close without room for an A-ABORT."""
    return line in ("I: Association Released", "I: Association Aborted") or ": Connection closed" in line


JOURNALED = {"stored": "acked", "unknown": "unknown", "unsent": "queued"}


@pytest.mark.thorough
@pytest.mark.parametrize(
    "seed", [*range(2), *(pytest.param(seed, marks=pytest.mark.campaign) for seed in range(2, 20))]
)
@pytest.mark.parametrize("window", [1, 8])
@pytest.mark.parametrize("jobs", [1, 4])
def test_ctrl_c_ends_it_at_once_and_what_it_tells_is_true(
    jobs: int, window: int, seed: int, files: list[Part10File], tmp_path: Path
) -> None:
    kept = tmp_path / "storescp"
    with listening("storescp", "-v", "-od", kept, "--async-ops", window) as listener:
        options = "-r", "--jobs", jobs, "--async-ops", window
        sender = Sender(tmp_path, (listener.host, listener.port, files[0].path.parents[1], *options))
        with sender.started() as process:
            for _ in range(Random(f"{jobs} {window} {seed}").randint(1, COUNT - 2 * jobs * window)):
                listener.until("Received Store Request")
            started = time.monotonic()
            said = running.interrupt(process)
            assert time.monotonic() - started < AT_ONCE
        assert process.returncode == 130, said
        assert "Interrupted: " in said
        while sum(map(ended, listener.said)) < listener.said.count("I: Accepting Association"):
            listener.until("")
        assert not [line for line in listener.end() if line.startswith("E: ")]
    verify_interrupted(sender, files, part10_files(kept))
    assert sorted(os.listdir(kept)) == [file.path.name for file in part10_files(kept)]


@pytest.mark.thorough
@pytest.mark.parametrize("jobs", [1, 4])
def test_ctrl_c_does_not_wait_for_the_next_attempt(jobs: int, files: list[Part10File], tmp_path: Path) -> None:
    with storescp(tmp_path) as receiver:
        cuts = Cuts(Random(jobs))
        with Proxy(receiver.port, cut_after=cuts) as port:
            arguments = "127.0.0.1", port, files[0].path.parents[1], "-r", "-v", "--jobs", jobs
            sender = Sender(tmp_path, arguments, retry_wait=60)
            with sender.started() as process:
                assert process.stderr is not None
                while "trying again in" not in (line := process.stderr.readline()):
                    assert line, "it ended"
                started = time.monotonic()
                said = running.interrupt(process)
                assert time.monotonic() - started < AT_ONCE
            assert process.returncode == 130, said
        verify_interrupted(sender, files, receiver.files())


@pytest.mark.thorough
@pytest.mark.parametrize(
    "seed", [*range(2), *(pytest.param(seed, marks=pytest.mark.campaign) for seed in range(2, 20))]
)
@pytest.mark.parametrize("jobs", [1, 4])
def test_ctrl_c_while_it_gets_going(jobs: int, seed: int, files: list[Part10File], tmp_path: Path) -> None:
    chance = Random(f"{jobs} {seed}")
    with storescp(tmp_path) as receiver:
        arguments = "127.0.0.1", receiver.port, files[0].path.parents[1], "-r", "--jobs", jobs
        sender = Sender(tmp_path, arguments)
        with sender.started() as process:
            # It is there before files are searched for.
            peers.wait_until(sender.journal.exists, process)
            with suppress(subprocess.TimeoutExpired):
                process.wait(chance.uniform(0, STARTING))
            said = running.interrupt(process)
        assert process.returncode in (130, 0), said  # 0: it was done
        sender.run_until_all_is_sent()
        receiver.verify_holds(files)
        assert sorted(sender.acknowledged) == sorted(str(file.path) for file in files)
