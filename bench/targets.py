"""The targets, in one place. The tables on the terminal and in docs/speed.md show them beside the results."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from bench import extra, programs
from bench.results import Results, middle
from bench.works import WORKS

FASTER: dict[str, tuple[float, float, float, float]] = {
    "ct": (1.0, 1.0, 1.3, 40.0),
    "small": (1.1, 1.1, 1.5, 200.0),
    "large": (1.0, 1.0, 1.2, 18.0),
}
"""The speed to reach by work, as multiples in the order of `COMPARED`."""

COMPARED = (
    ("our storescu : dcmsend, to dcmrecv", programs.OUR_SENDER, programs.DCMTK_BEST),
    ("our storescp : dcmrecv, from dcmsend", programs.OUR_RECEIVER, programs.DCMTK_BEST),
    ("both ours : both DCMTK", programs.OURS, programs.DCMTK_BEST),
    ("both ours : both pynetdicom", programs.OURS, programs.PYNETDICOM_BOTH),
)

SECURED = 1.0
"""The speed that each of `COMPARED_SECURED` is to reach, as a multiple of DCMTK's."""

COMPARED_SECURED = (
    ("over TLS, our storescu : DCMTK's, to DCMTK's storescp", programs.OUR_SENDER_SECURED),
    ("over TLS, our storescp : DCMTK's, from DCMTK's storescu", programs.OUR_RECEIVER_SECURED),
    ("over TLS, both ours : both DCMTK", programs.OURS_SECURED),
)

LOOPBACK_SHARE = 0.7  # for the large object
MEMORY = 48  # MiB private, each side
STARTS = 5.0  # as a multiple of Python's start


@dataclass(frozen=True)
class Target:
    """A target of a measurement.

    Attributes:
        about: The title of a work, or a section.
        name: The name of the measurement.
        wanted: The figure to reach.
        most: True if the figure is an upper limit, otherwise a lower one.
        unit: The unit of the figure, as printed behind it.
        find: A function that returns the result, or None if it was not measured.
    """

    about: str
    name: str
    wanted: float
    most: bool
    unit: str
    find: Callable[[Results], float | None]

    def missed(self, reached: float) -> bool:
        """Return True if a result misses the target."""
        return reached > self.wanted if self.most else reached < self.wanted


def targets() -> Iterator[Target]:
    """Yield all targets."""
    for name, wanted in FASTER.items():
        for (title, pair, reference), factor in zip(COMPARED, wanted, strict=True):
            yield Target(WORKS[name].title, title, factor, False, "×", partial(faster, name, pair, reference))
    for name in programs.DCMTK_SECURED.works:
        for title, pair in COMPARED_SECURED:
            find = partial(faster, name, pair, programs.DCMTK_SECURED)
            yield Target(WORKS[name].title, title, SECURED, False, "×", find)
    find = partial(faster, "large", programs.OURS, programs.LOOPBACK_LIMIT)
    yield Target(WORKS["large"].title, "both ours : the loopback limit", LOOPBACK_SHARE, False, "×", find)
    for work in WORKS.values():
        yield Target(work.title, "most private memory of either side", MEMORY, True, " MiB", partial(memory, work.name))
    for name in extra.LOAD:
        most, one = (extra.at_one_time(extra.OURS, name, count) for count in (extra.SIMULTANEOUS[-1], 1))
        find = partial(figures, "simultaneous", most, one)
        yield Target(WORKS[name].title, "100 associations at one time : one", 1.0, False, "×", find)
    for name in extra.LOAD:
        two, one = (extra.at_one_time(scp, name, extra.SIMULTANEOUS[-1]) for scp in (extra.WORKERS, extra.OURS))
        find = partial(figures, "workers", two, one)
        yield Target(WORKS[name].title, "--workers 2 : one", 1.5, False, "×", find)
    find = partial(figures, "start-up", "our echoscu", extra.PYTHON)
    yield Target("start-up", f"our echoscu : {extra.PYTHON}", STARTS, True, "×", find)


def faster(work: str, pair: programs.Pair, reference: programs.Pair, results: Results) -> float | None:
    """Return the speed of a pair as a multiple of another's: the median of the rounds."""
    return middle(results.ratios(work, pair.name, reference.name))


def memory(work: str, results: Results) -> float | None:
    """Return the largest private memory of a program of ours in any run that counts, in MiB."""
    seen = [
        used
        for pair in programs.PAIRS
        for run in results.counted(work, pair.name)
        for used in (
            (run.sender_memory,) * (pair.sender == "ours") + (run.receiver_memory,) * (pair.receiver == "ours")
        )
    ]
    return max(seen) / 2**20 if seen else None


def figures(section: str, name: str, reference: str, results: Results) -> float | None:
    """Return a figure as a multiple of another: the median of the rounds."""
    return middle(results.figure_ratios(section, name, reference))
