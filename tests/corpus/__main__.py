"""`python -m tests.corpus`: the table of the corpus, and what came of its cases."""

from __future__ import annotations

import time

from tests.corpus.case import Outcome
from tests.corpus.table import CATEGORIES, cases, tally, that_differ


def main() -> None:
    """Print a row for each category: cases and floor, how many had which outcome, and CPU seconds: whole, and cut (C12)."""
    print(f"{'':51}{'cases':>8}{'floor':>8}", *(f"{name:>10}" for name in Outcome), f"{'whole':>8}{'C12':>8}")
    total, floors, seconds, cut = 0, 0, 0.0, 0.0
    for name, category in CATEGORIES.items():
        tallied, count = tally(name), len(cases(name))
        started = time.process_time()
        assert not tallied.wrong and not that_differ(name)
        taken = time.process_time() - started
        counts = (f"{tallied.outcomes[outcome]:>10,}" for outcome in Outcome)
        print(
            f"{name:4}{category.what:47}{count:8,}{category.floor:8,}", *counts, f"{tallied.seconds:8.2f}{taken:8.2f}"
        )
        total, floors = total + count, floors + category.floor
        seconds, cut = seconds + tallied.seconds, cut + taken
    print(f"{'':51}{total:8,}{floors:8,}", *(" " * 10 for _ in Outcome), f"{seconds:8.2f}{cut:8.2f}")


if __name__ == "__main__":
    main()
