"""Results: every single run and figure, kept as JSON, and the medians and ratios made from them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import Any, Self


@dataclass(frozen=True)
class Seen:
    """The observations of one run of a pair.

    Attributes:
        arrived: The number of objects that the receiver has kept.
        seconds: The seconds from the sender's start to its exit.
        sender_cpu, receiver_cpu: The processor seconds in that time.
        sender_memory, receiver_memory: The largest private memory that was observed, in bytes.
        status: The sender's exit status.
    """

    arrived: int
    seconds: float
    sender_cpu: float
    receiver_cpu: float
    sender_memory: int
    receiver_memory: int
    status: int


@dataclass(frozen=True)
class Run:
    """A run of one pair.

    Attributes:
        work, pair: The names of the work and of the pair.
        round: The number of the round, from 1; 0 is the warm-up and does not count.
        share: The share of the work that was sent.
        size: The bytes of the files that were sent.
        sent: The number of objects that were sent.
        arrived, seconds, sender_cpu, receiver_cpu, sender_memory, receiver_memory, status: See `Seen`.
    """

    work: str
    pair: str
    round: int
    share: float
    size: int
    sent: int
    arrived: int
    seconds: float
    sender_cpu: float
    receiver_cpu: float
    sender_memory: int
    receiver_memory: int
    status: int

    @property
    def complete(self) -> bool:
        """True if all objects arrived and the sender succeeded; otherwise the run does not count."""
        return self.arrived == self.sent and self.status == 0

    @property
    def whole_seconds(self) -> float:
        """The seconds that the whole work would take, in proportion to the share that was sent."""
        return self.seconds / self.share


@dataclass(frozen=True)
class Figure:
    """A figure that is not the transfer of a work, measured once.

    Attributes:
        section: The section, a key of `extra.SECTIONS`.
        name: The name of the measurement.
        round: See `Run`.
        value: The measured value.
        unit: The unit of the value.
        load: The processor seconds of the load generator in each second; None if the load itself is measured.
    """

    section: str
    name: str
    round: int
    value: float
    unit: str
    load: float | None = None


@dataclass
class Results:
    """The results of one `make bench`.

    Attributes:
        machine: The description of the machine, in words by name.
        runs: The runs of pairs.
        figures: The other figures.
        failures: A line for each measurement that failed.
    """

    machine: dict[str, str]
    runs: list[Run] = field(default_factory=list)
    figures: list[Figure] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    def counted(self, work: str, pair: str) -> list[Run]:
        """Return the runs that count: complete, and after the warm-up."""
        return [run for run in self.runs if (run.work, run.pair) == (work, pair) and run.round and run.complete]

    def not_counted(self) -> list[str]:
        """Return a line for each run in which not everything arrived, and for each measurement that failed."""
        said = (
            f"{run.work}, {run.pair}, round {run.round}: {run.arrived:,} of {run.sent:,} objects arrived"
            + (f", exit status {run.status}" if run.status else "")
            for run in self.runs
            if not run.complete
        )
        return [*said, *self.failures]

    def ratios(self, work: str, pair: str, reference: str) -> list[float]:
        """Return the speed of a pair as a multiple of another's, for each round in which both ran."""
        others = {run.round: run.whole_seconds for run in self.counted(work, reference)}
        return [others[run.round] / run.whole_seconds for run in self.counted(work, pair) if run.round in others]

    def values(self, section: str, name: str) -> dict[int, float]:
        """Return the values of a figure by round, without the warm-up."""
        asked = [each for each in self.figures if (each.section, each.name) == (section, name)]
        return {each.round: each.value for each in asked if each.round}

    def figure_ratios(self, section: str, name: str, reference: str) -> list[float]:
        """Return the values of a figure divided by those of another, round by round."""
        others = self.values(section, reference)
        return [value / others[turn] for turn, value in self.values(section, name).items() if turn in others]

    def write(self, path: Path) -> None:
        """Write the results to a JSON file."""
        kept = asdict(self)
        for record in (*kept["runs"], *kept["figures"]):
            record |= {name: round(value, 6) for name, value in record.items() if isinstance(value, float)}
        parts = [f'"machine": {json.dumps(kept.pop("machine"))}']
        # One record a line, so that two results can be compared line by line.
        for key, records in kept.items():
            parts.append(f'"{key}": [\n' + ",\n".join(map(json.dumps, records)) + "\n]")
        path.parent.mkdir(exist_ok=True)
        path.write_text("{" + ",\n".join(parts) + "}\n", encoding="utf-8")

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read results from a JSON file."""
        kept: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        runs, figures = ([Run(**each) for each in kept["runs"]], [Figure(**each) for each in kept["figures"]])
        return cls(kept["machine"], runs, figures, kept["failures"])


def middle(values: Sequence[float]) -> float | None:
    """Return the median; None without values."""
    return median(values) if values else None
