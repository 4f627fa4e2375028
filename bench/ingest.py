"""Ingest with an index: `python -m bench.ingest` compares qrscp with storescp, and with Orthanc, in memory and without a sync.

Each run has a new receiver with an empty folder. storescu sends over four associations, and is measured from its start to its exit.
The rows "4 associations of the load" leave out the start of a program, and have a cheap sender: `bench.replay`. The row with four
clients has queries without pause meanwhile, in a process of its own.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from bench import querying_clients, replay
from bench.archives import TITLE, Archive, orthanc, qrscp
from bench.measure import LONGEST, in_turn, scratch
from bench.processes import Running, cpu_seconds, listening
from bench.programs import BEST, LOOPBACK, ROOT, ours
from bench.works import WORKS, Work

ENVIRONMENT = BEST.environment | {"PYTHONPATH": str(ROOT)}
JOBS = 4

# An archive without the digest of each instance, which no option of the tool leaves out.
WITHOUT_DIGEST = """
import sys, time
import dimse
from dimse.archive import Archive

port, folder = int(sys.argv[1]), sys.argv[2]
archive = Archive(folder + "/files", folder + "/index.sqlite", digest=False, durability="none")
with dimse.Server(("127.0.0.1", port), archive.handlers()):
    time.sleep(1000)
"""


@contextmanager
def storescp(*options: str) -> Iterator[Archive]:
    """Run our storescp within the block, as an archive without an index."""
    with scratch() as folder:

        def command(port: int) -> list[str]:
            return [ours("storescp"), "--durability", "none", *options, str(port), "-od", str(folder / "files")]

        with listening(command, BEST.environment, folder) as listener:
            yield Archive(listener.port, listener.pid, 0, folder)


@contextmanager
def without_digest() -> Iterator[Archive]:
    """Run an archive of our library that makes no digests within the block."""
    with scratch() as folder:

        def command(port: int) -> list[str]:
            return [sys.executable, "-c", WITHOUT_DIGEST, str(port), str(folder)]

        with listening(command, BEST.environment, folder) as listener:
            yield Archive(listener.port, listener.pid, 0, folder)


LAYOUT = "{StudyInstanceUID}/{SeriesInstanceUID}/{SOPInstanceUID}.dcm"
STORESCP = "storescp"
RECEIVERS: Mapping[str, Callable[[], AbstractContextManager[Archive]]] = {
    STORESCP: storescp,
    "storescp, layout of qrscp": lambda: storescp("--layout", LAYOUT),
    "qrscp": qrscp,
    "archive without digest": without_digest,
    "Orthanc": orthanc,
}
"""The receivers."""
QUERIED = "qrscp, 4 clients query"


@dataclass(frozen=True)
class Taken:
    """The time of a run.

    Attributes:
        seconds: The seconds.
        cpu: The receiver's processor seconds.
        queries: The queries that were answered meanwhile.
        worst: The longest of them, in milliseconds.
    """

    seconds: float
    cpu: float
    queries: int = 0
    worst: float = 0.0


def sent(archive: Archive, work: Work, log: Path) -> float:
    """Send a work with our storescu, and return its seconds."""
    command = [ours("storescu"), "-q", "-aec", TITLE, "--jobs", str(JOBS), LOOPBACK, str(archive.port)]
    ended = Running([*command, str(work.folder())], BEST.environment, log).wait(LONGEST)
    if ended.status:
        sys.exit(f"storescu: {ended.status}, {log.read_text(errors='replace')[-2000:]}")
    return ended.seconds


def played(archive: Archive, work: Work, log: Path) -> float:
    """Send as many objects as a work has from the cheap load, and return its seconds."""
    file = min(work.folder().iterdir())
    command = [sys.executable, replay.__file__, str(archive.port), str(file), str(JOBS), str(work.objects)]
    ended = Running(command, ENVIRONMENT, log).wait(LONGEST)
    said = log.read_text(errors="replace")
    if ended.status:
        sys.exit(f"the load: {ended.status}, {said[-2000:]}")
    return float(json.loads(said)["seconds"])


SENDERS: Mapping[str, Callable[[Archive, Work, Path], float]] = {
    "storescu --jobs 4": sent,
    "4 associations of the load": played,
}
"""The senders."""


def run(name: str, sender: str, work: Work) -> Taken:
    """Run a receiver and a sender once."""
    is_queried = name == QUERIED
    with RECEIVERS["qrscp" if is_queried else name]() as archive, scratch() as folder:
        querying = (
            Running(querying_clients.command(archive.port), ENVIRONMENT, folder / "queries") if is_queried else None
        )
        if querying is not None:
            querying_clients.until_asking(folder / "queries")
        before = cpu_seconds(archive.pid)
        seconds = SENDERS[sender](archive, work, folder / "log")
        cpu = cpu_seconds(archive.pid) - before
        if querying is None:
            return Taken(seconds, cpu)
        count, worst = querying_clients.stop(querying, folder / "queries")
        return Taken(seconds, cpu, count, worst)


def compare(work: Work, sender: str, names: Sequence[str], rounds: int) -> None:
    """Measure receivers in turn, and print a line for each."""
    seen: dict[str, list[Taken]] = {name: [] for name in names}

    def one(name: str, turn: int) -> None:
        taken = run(name, sender, work)
        if turn:
            seen[name].append(taken)

    in_turn(names, lambda _: rounds, one)
    print(
        f"\n{work.title}, {sender}\n{'receiver':28}{'seconds':>9}{'a second':>10}{'cpu, s':>8}{': storescp':>12}{': qrscp':>10}"
    )
    for name, runs in seen.items():
        seconds, cpu = median(each.seconds for each in runs), median(each.cpu for each in runs)
        ratios = [
            f"{median(b.seconds / a.seconds for a, b in zip(runs, seen[other], strict=True)):.3f}"
            if other in seen
            else ""
            for other in (STORESCP, "qrscp")
        ]
        said = f"{name:28}{seconds:9.3f}{work.objects / seconds:10,.0f}{cpu:8.3f}{ratios[0]:>12}{ratios[1]:>10}"
        if name == QUERIED:
            queries = median(each.queries / each.seconds for each in runs)
            said += f"  {queries:,.0f} queries/s, the longest {max(each.worst for each in runs):.0f} ms"
        print(said, flush=True)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, and print tables."""
    parser = argparse.ArgumentParser(prog="python -m bench.ingest", description=__doc__)
    names = (*RECEIVERS, QUERIED)
    parser.add_argument("--rounds", type=int, default=5, help="rounds that count (%(default)s)")
    parser.add_argument("--work", choices=("ct", "small"), action="append", help="what is sent (ct and small)")
    parser.add_argument("--receiver", choices=names, action="append", help="a receiver; again for more (all)")
    parser.add_argument("--sender", choices=SENDERS, action="append", help="a sender (all)")
    options = parser.parse_args(arguments)
    for work in options.work or ("small", "ct"):
        for sender in options.sender or SENDERS:
            compare(WORKS[work], sender, options.receiver or names, options.rounds)


if __name__ == "__main__":
    main()
