"""`python -m bench`: measure everything, or what the options select, print the tables, and keep every single run as JSON."""

from __future__ import annotations

import argparse
import os
import platform
import re
import subprocess
import sys
from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from pathlib import Path

import dimse
from bench import extra, programs, report
from bench.measure import NotADiskError, disk, in_turn, measure, remove_emptied
from bench.processes import NotListeningError
from bench.programs import PAIRS, MissingError, Pair
from bench.results import Figure, Results
from bench.works import WORKS

FULL, PART = Path(".bench", "results.json"), Path(".bench", "part.json")
RUNS = 5
WARM_UP = 0.02  # of a work, for round 0
GROUPS = {pair.group.name: pair.group for pair in PAIRS}


def main() -> int:
    """Measure, and print the results, also after Ctrl-C. Return 0 if everything that was sent has arrived."""
    options = read_options()
    results = Results(machine())
    pairs = [pair for pair in PAIRS if pair.group.name in options.only and available(pair)]
    try:
        for work in options.work:
            run_pairs(results, work, [pair for pair in pairs if work in pair.works], options.runs)
        run_figures(results, options.only, options.runs)
    except KeyboardInterrupt:
        options.json = programs.ROOT / PART
    finally:
        remove_emptied()
    results.write(options.json)
    print(f"Every run is kept in {options.json}.\n")
    report.print_tables(results)
    return 1 if results.not_counted() else 0


def read_options() -> argparse.Namespace:
    """Return the options of the command line."""
    names = [*GROUPS, *extra.SECTIONS]
    parser = argparse.ArgumentParser("python -m bench", description="Measure dimse beside DCMTK and pynetdicom.")
    parser.add_argument("--work", choices=WORKS, action="append", help="pairs with this work; again for more (all)")
    parser.add_argument(
        "--only", choices=names, action="append", help="this group of pairs or section of figures; again for more (all)"
    )
    parser.add_argument("--runs", type=int, default=RUNS, help="how many of each count (%(default)s)")
    parser.add_argument("--json", type=Path, help=f"where the results go ({FULL}; of a part, {PART})")
    options = parser.parse_args()
    options.json = options.json or programs.ROOT / (PART if options.work or options.only else FULL)
    options.only = options.only or (GROUPS if options.work else names)
    options.work = options.work or WORKS
    return options


def machine() -> dict[str, str]:
    """Return a description of the machine and of what is measured, which does not identify its owner."""
    found = {
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "cores": str(len(os.sched_getaffinity(0))),
        "processor": processor(),
        "system": f"{platform.system()} {platform.machine()}",
        "Python": platform.python_version(),
        "dimse": dimse.__version__,
    }
    for name, command in (("DCMTK", programs.dcmtk_version), ("pynetdicom", programs.pynetdicom_version)):
        try:
            said = subprocess.run(command(), capture_output=True, text=True, check=True).stdout
        except MissingError:
            continue
        version = re.search(r"\d+(\.\d+)+", said)
        found[name] = version[0] if version else "unknown"
    return found


def processor() -> str:
    """Return the model of the processor, by the system's own name."""
    found = re.search(r"^model name\s*:\s*(.*)", Path("/proc/cpuinfo").read_text(encoding="utf-8"), re.MULTILINE)
    return found[1] if found else "unknown"


def available(pair: Pair) -> bool:
    """Return True if a pair can be measured here; print what is missing."""
    try:
        if pair.group.on_disk:
            disk()
        if pair.setting.tls:
            programs.openssl()
        if pair != programs.LOOPBACK_LIMIT:
            programs.sender(pair.sender, pair.setting, 0, Path())
            programs.receiver(pair.receiver, pair.setting, 0, Path())
    except (MissingError, NotADiskError) as missing:
        print(f"{pair.name} is left out: {missing}", flush=True)
        return False
    return True


def run_pairs(results: Results, name: str, pairs: Sequence[Pair], runs: int) -> None:
    """Measure pairs with one work."""

    def one(pair: Pair, turn: int) -> None:
        share = pair.group.shares.get(name, 1.0)
        try:
            run = measure(pair, WORKS[name], turn, share if turn else share * WARM_UP)
        except NotListeningError as why:
            fail(results, f"{name}, {pair.name}, round {turn}", why)
            return
        results.runs.append(run)
        note = "" if run.complete else "  NOT COUNTED: not all arrived"
        print(f"{name}, round {turn}: {run.seconds:8.3f} s  {pair.name}{note}", flush=True)

    in_turn(pairs, lambda pair: min(runs, pair.group.runs or runs), one)


def run_figures(results: Results, only: Collection[str], runs: int) -> None:
    """Measure the figures of these sections, one section after another."""
    missing: set[str] = set()

    def one(figure: extra.Measurement, turn: int) -> None:
        if figure.name in missing:
            return
        try:
            value, load = figure.measure()
        except (extra.FailedError, NotListeningError, dimse.DimseError) as why:
            fail(results, f"{figure.section}, {figure.name}, round {turn}", why)
            return
        except MissingError as why:
            missing.add(figure.name)
            print(f"{figure.section}, {figure.name} is left out: {why}", flush=True)
            return
        results.figures.append(Figure(figure.section, figure.name, turn, value, figure.unit, load))
        print(f"{figure.section}, round {turn}: {value:10.1f} {figure.unit:4}  {figure.name}", flush=True)

    for section in extra.SECTIONS:
        if section in only:
            figures = [each for each in extra.measurements() if each.section == section]
            in_turn(figures, lambda figure: max(runs, figure.runs) if runs > 1 else 1, one)


def fail(results: Results, what: str, why: Exception) -> None:
    """Record a failure, in full on the terminal and in one line with the results."""
    results.failures.append(f"{what}: {type(why).__name__}")
    print(f"NOT COUNTED: {what}: {why}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
