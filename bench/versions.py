"""Two checkouts of dimse measured in turn: `python -m bench.versions --before PATH` compares PATH with this one.

Each version sends to its own storescp, with files and folder in memory, without a sync. A round runs both versions of each row, so
that a drift of the machine affects both. A ratio is the median of the ratios of the rounds.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from bench.measure import LONGEST, in_turn, scratch, stored
from bench.processes import Running, cpu_seconds, listening
from bench.programs import LOOPBACK, ROOT
from bench.works import WORKS, Work

WINDOWS: dict[str, tuple[str, ...]] = {
    "as it comes": (),
    "--async-ops 1": ("--async-ops", "1"),
    "--async-ops 4": ("--async-ops", "4"),
}


@dataclass(frozen=True)
class Row:
    """A row of the table for one version.

    Attributes:
        version: "before" or "after".
        work: The work to send.
        window: The name of the sender's options, a key of `WINDOWS`.
    """

    version: str
    work: Work
    window: str


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(prog="bench.versions", description=__doc__)
    parser.add_argument("--before", type=Path, required=True, help="another checkout")
    parser.add_argument("--rounds", type=int, default=11, help="rounds that count (%(default)s)")
    parser.add_argument("--work", choices=WORKS, action="append", help="what is sent; again for more (ct and small)")
    options = parser.parse_args(arguments)
    checkouts = {"before": options.before.resolve(), "after": ROOT}
    works = [WORKS[name] for name in options.work or ("ct", "small")]
    rows = [Row(version, work, window) for work in works for window in WINDOWS for version in checkouts]
    seen: dict[Row, list[tuple[float, float, float]]] = {row: [] for row in rows}

    def one(row: Row, turn: int) -> None:
        took = run(row, checkouts[row.version])
        if turn:
            seen[row].append(took)

    in_turn(rows, lambda row: options.rounds, one)
    print(f"{'':8}{'':16}{'before, s':>10}{'after, s':>10}{'after/before':>14}{'sender cpu':>12}{'receiver cpu':>14}")
    for work in works:
        for window in WINDOWS:
            before, after = (seen[Row(version, work, window)] for version in checkouts)
            ratios = [
                median(new[part] / old[part] for old, new in zip(before, after, strict=True)) for part in range(3)
            ]
            seconds = [median(each[0] for each in runs) for runs in (before, after)]
            print(
                f"{work.name:8}{window:16}{seconds[0]:10.3f}{seconds[1]:10.3f}"
                f"{ratios[0]:14.3f}{ratios[1]:12.3f}{ratios[2]:14.3f}"
            )


def run(row: Row, checkout: Path) -> tuple[float, float, float]:
    """Return the seconds of one sending, and the processor seconds of its sender and its receiver."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    environment["PYTHONPATH"] = str(checkout / "src")
    tool = [sys.executable, "-m", "dimse"]
    folder = row.work.folder()
    with scratch() as here:
        received = here / "received"

        def command(port: int) -> list[str]:
            return [*tool, "storescp", "-ba", LOOPBACK, "-od", str(received), "--durability", "none", str(port)]

        with listening(command, environment, here) as listener:
            before = cpu_seconds(listener.pid)
            sending = [*tool, "storescu", *WINDOWS[row.window], LOOPBACK, str(listener.port), str(folder)]
            ended = Running(sending, environment, here / "sender.log").wait(LONGEST)
            receiver = cpu_seconds(listener.pid) - before
        if ended.status or len(stored(received)) != row.work.objects:
            sys.exit(f"{row}: exit status {ended.status}: {(here / 'sender.log').read_text(errors='replace')}")
    return ended.seconds, ended.cpu_seconds, receiver


if __name__ == "__main__":
    main()
