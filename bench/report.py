"""Results as tables and a picture, on the terminal, and in docs/speed.md (`python -m bench.report [JSON]`).

The tables of the page are between markers, and are made from `bench/results.json`. A JSON file that is named replaces it.
"""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from textwrap import fill

from rich.console import Console
from rich.table import Table as Printed

from bench import extra, programs
from bench.results import Results, Run, middle
from bench.targets import targets
from bench.works import WORKS

KEPT = programs.ROOT / "bench" / "results.json"
PAGE = programs.ROOT / "docs" / "speed.md"
PICTURE = programs.ROOT / "docs" / "speed.svg"


@dataclass(frozen=True)
class Table:
    """A table for the terminal and for a page.

    Attributes:
        title: The title above it.
        heads: The heads of the columns.
        rows: The rows, with as many cells each.
        words: The number of columns at the left that hold words; the others hold figures.
        bad: The numbers of the rows to highlight.
    """

    title: str
    heads: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]
    words: int = 1
    bad: frozenset[int] = frozenset()


# ---- the tables


def tables(results: Results) -> Iterator[Table]:
    """Yield all tables that are not empty, the targets first."""
    made = [
        reached(results),
        *(table for name in WORKS for table in of_work(results, name)),
        *(of_section(results, name) for name in extra.SECTIONS),
    ]
    yield from (table for table in made if table.rows)


def reached(results: Results) -> Table:
    """Return the table of targets and results."""
    rows: list[tuple[str, ...]] = []
    missed: set[int] = set()
    for target in targets():
        if (found := target.find(results)) is not None:
            if target.missed(found):
                missed.add(len(rows))
            wanted = f"{'≤' if target.most else '≥'} {target.wanted:g}{target.unit}"
            verdict = "missed" if target.missed(found) else "reached"
            rows.append((target.about, target.name, wanted, three(found) + target.unit, verdict))
    return Table("Targets", ("work", "what", "wanted", "measured", ""), rows, 2, frozenset(missed))


HEADS = (
    "sender → receiver",
    "seconds",
    "least – most",
    "× DCMTK's best",
    "× pynetdicom",
    "CPU s, both",
    "MiB, both",
    "runs × objects",
)


def of_work(results: Results, work: str) -> Iterator[Table]:
    """Yield the tables of a work, one for each title of its pairs."""
    for title in dict.fromkeys(pair.group.title for pair in programs.PAIRS):
        pairs = [pair for pair in programs.PAIRS if pair.group.title == title]
        rows = [of_pair(results, work, pair, runs) for pair in pairs if (runs := results.counted(work, pair.name))]
        yield Table(WORKS[work].title + title, HEADS, rows)


def of_pair(results: Results, work: str, pair: programs.Pair, runs: Sequence[Run]) -> tuple[str, ...]:
    """Return the row of a pair."""
    seconds = [run.whole_seconds for run in runs]
    share = f" of {WORKS[work].objects:,}" if runs[0].share < 1 else ""
    others = (pair.reference, programs.PYNETDICOM_BOTH)
    against = (middle(results.ratios(work, pair.name, other.name)) for other in others)
    cpu = [middle([getattr(run, f"{side}_cpu") / run.share for run in runs]) for side in ("sender", "receiver")]
    memory = [max(getattr(run, f"{side}_memory") for run in runs) / 2**20 for side in ("sender", "receiver")]
    return (
        pair.name,
        three(middle(seconds)),
        f"{three(min(seconds))} – {three(max(seconds))}",
        *map(three, against),
        " + ".join(map(three, cpu)),
        " + ".join(f"{used:.0f}" for used in memory) if any(memory) else "",
        f"{len(runs)} × {runs[0].arrived:,}{share}",
    )


def of_section(results: Results, section: str) -> Table:
    """Return the table of a section of figures, with the processor time of the load if there is one."""
    counted = [each for each in results.figures if each.section == section and each.round]
    loaded = any(each.load is not None for each in counted)
    rows: list[tuple[str, ...]] = []
    # The order is that of the first round.
    for name in dict.fromkeys(each.name for each in results.figures):
        if not (mine := [each for each in counted if each.name == name]):
            continue
        values = [each.value for each in mine]
        load = f"{median([each.load or 0.0 for each in mine]):.0%}"
        least_most = f"{three(min(values))} – {three(max(values))}"
        rows.append((name, f"{three(middle(values))} {mine[0].unit}", least_most, *[load] * loaded, str(len(values))))
    heads = ("what", "median", "least – most", *["CPU of the load"] * loaded, "runs")
    return Table(extra.SECTIONS[section], heads, rows)


def three(value: float | None) -> str:
    """Return a figure with three digits, or with three behind the point."""
    if value is None:
        return ""
    return f"{value:,.{0 if value >= 100 else 1 if value >= 10 else 2 if value >= 1 else 3}f}"


# ---- the terminal


def print_tables(results: Results) -> None:
    """Print all tables, and highlight what went wrong."""
    console = Console(width=None if sys.stdout.isatty() else 160)
    for table in tables(results):
        printed = Printed(title=table.title, title_justify="left")
        for number, head in enumerate(table.heads):
            printed.add_column(head, justify="left" if number < table.words else "right")
        for number, row in enumerate(table.rows):
            printed.add_row(*row, style="bold red" if number in table.bad else None)
        console.print(printed)
    for line in results.not_counted():
        console.print(f"NOT COUNTED: {line}", style="bold red")


# ---- the page and its picture


def page(text: str, results: Results) -> str:
    """Return the page with new contents between its markers."""
    made = {"machine": machine(results), "tables": "\n".join(markdown(results))}
    for name, content in made.items():
        before, after = re.split(f"(?<=<!-- {name} -->).*?(?=<!-- end -->)", text, maxsplit=1, flags=re.DOTALL)
        text = f"{before}\n\n{content}\n{after}"
    return text


def machine(results: Results) -> str:
    """Return a paragraph that describes the machine."""
    return ", ".join(f"{name} {value}" for name, value in results.machine.items()) + ".\n"


def markdown(results: Results) -> Iterator[str]:
    """Yield the lines of all tables."""
    for table in tables(results):
        rule = ["---" if number < table.words else "---:" for number in range(len(table.heads))]
        yield from (f"### {table.title}", "", row_of(table.heads), row_of(rule))
        for number, row in enumerate(table.rows):
            yield row_of([f"**{cell}**" if cell and number in table.bad else cell for cell in row])
        yield ""
    yield from (f"- **Not counted:** {line}" for line in results.not_counted())


def row_of(cells: Iterable[str]) -> str:
    """Return a row of Markdown."""
    return f"| {' | '.join(cells)} |"


def draw(results: Results, path: Path) -> None:
    """Draw the headline pairs of each work as bars, by their speed as a multiple of DCMTK's best."""
    import matplotlib as mpl

    mpl.use("svg")
    from matplotlib import pyplot as plt

    mpl.rcParams.update({"svg.hashsalt": "dimse", "svg.fonttype": "none", "font.family": "sans-serif"})
    shown = (programs.OURS, programs.OUR_SENDER, programs.OUR_RECEIVER, programs.DCMTK_BEST)
    works = [name for name in WORKS if results.counted(name, programs.DCMTK_BEST.name)]
    figure, axes = plt.subplots(figsize=(9, 4))
    width = 0.8 / len(shown)
    for place, (pair, colour) in enumerate(zip(shown, ("#1b6ca8", "#5fa8d3", "#9ccbe6", "#b0b0b0"), strict=True)):
        heights = [middle(results.ratios(name, pair.name, programs.DCMTK_BEST.name)) or 0.0 for name in works]
        at = [number + (place - 1.5) * width for number in range(len(works))]
        bars = axes.bar(at, heights, width * 0.95, color=colour, label=pair.name)
        axes.bar_label(bars, [f"{height:.2f}" for height in heights], fontsize=8)
    axes.axhline(1, color="#606060", linewidth=0.8)
    axes.set_xticks(range(len(works)), [fill(WORKS[name].title, 22) for name in works], fontsize=9)
    axes.set_ylabel("times as fast as DCMTK's best")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(
        title="sender → receiver",
        fontsize=8,
        title_fontsize=8,
        frameon=False,
        ncols=4,
        loc="upper center",
        bbox_to_anchor=(0.5, -0.16),
    )
    figure.savefig(path, bbox_inches="tight", metadata={"Date": None})
    plt.close(figure)


def main(arguments: Sequence[str]) -> None:
    """Keep the results that are named, and write page and picture from the kept ones."""
    if arguments:
        shutil.copyfile(arguments[0], KEPT)
    results = Results.read(KEPT)
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8"), results), encoding="utf-8")
    draw(results, PICTURE)


if __name__ == "__main__":
    main(sys.argv[1:])
