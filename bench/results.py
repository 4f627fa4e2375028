"""What was seen: every single run and figure, kept as JSON, and the medians and ratios that are made of them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import Any, Self


@dataclass(frozen=True)
class Seen:
    """What was seen of one pair while it ran.

    Attributes:
        arrived: Objects that the receiver has kept.
        seconds: From the sender's start to its exit.
        sender_cpu, receiver_cpu: Processor seconds meanwhile.
        sender_memory, receiver_memory: Most private memory that was seen, bytes.
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
        work, pair: Their names.
        round: Which one, from 1 on; 0 warms up and does not count.
        share: The share of the work that was sent.
        size: Bytes of the files that were sent.
        sent: Objects.
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
        """Whether all arrived and the sender is content: only then its time counts."""
        return self.arrived == self.sent and self.status == 0

    @property
    def whole_seconds(self) -> float:
        """The seconds that the whole work takes, if all of it takes in proportion to the share that was sent."""
        return self.seconds / self.share


@dataclass(frozen=True)
class Figure:
    """Something measured once that is no transfer of a work.

    Attributes:
        section: What it is about: see `extra.SECTIONS`.
        name: What was measured.
        round: As in `Run`.
        value: What came out.
        unit: Of the value.
        load: Processor seconds that the load generator took in each second; None if it is what is measured.
    """

    section: str
    name: str
    round: int
    value: float
    unit: str
    load: float | None = None


@dataclass
class Results:
    """All of a run of `make bench`.

    Attributes:
        machine: What it ran on, in words by name.
        runs: Of pairs.
        figures: Of the rest.
        failures: A line for each that could not be measured.
    """

    machine: dict[str, str]
    runs: list[Run] = field(default_factory=list)
    figures: list[Figure] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    def counted(self, work: str, pair: str) -> list[Run]:
        """The runs that count: complete, and after the warm-up."""
        return [run for run in self.runs if (run.work, run.pair) == (work, pair) and run.round and run.complete]

    def amiss(self) -> list[str]:
        """A line for each run in which not everything arrived, and for each that could not be measured."""
        said = (
            f"{run.work}, {run.pair}, round {run.round}: {run.arrived:,} of {run.sent:,} objects arrived"
            + (f", exit status {run.status}" if run.status else "")
            for run in self.runs
            if not run.complete
        )
        return [*said, *self.failures]

    def ratios(self, work: str, pair: str, reference: str) -> list[float]:
        """How many times as fast a pair was as another, in each round in which both ran."""
        others = {run.round: run.whole_seconds for run in self.counted(work, reference)}
        return [others[run.round] / run.whole_seconds for run in self.counted(work, pair) if run.round in others]

    def values(self, section: str, name: str) -> dict[int, float]:
        """The values of a figure by round, without the warm-up."""
        asked = [each for each in self.figures if (each.section, each.name) == (section, name)]
        return {each.round: each.value for each in asked if each.round}

    def figure_ratios(self, section: str, name: str, reference: str) -> list[float]:
        """The values of a figure divided by those of another, round by round."""
        others = self.values(section, reference)
        return [value / others[turn] for turn, value in self.values(section, name).items() if turn in others]

    def write(self, path: Path) -> None:
        """Keep them."""
        kept = asdict(self)
        for record in (*kept["runs"], *kept["figures"]):
            record |= {name: round(value, 6) for name, value in record.items() if isinstance(value, float)}
        parts = [f'"machine": {json.dumps(kept.pop("machine"))}']
        for key, records in kept.items():  # one a line, so that two results compare line by line
            parts.append(f'"{key}": [\n' + ",\n".join(map(json.dumps, records)) + "\n]")
        path.parent.mkdir(exist_ok=True)
        path.write_text("{" + ",\n".join(parts) + "}\n", encoding="utf-8")

    @classmethod
    def read(cls, path: Path) -> Self:
        """Those that were kept."""
        kept: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        runs, figures = ([Run(**each) for each in kept["runs"]], [Figure(**each) for each in kept["figures"]])
        return cls(kept["machine"], runs, figures, kept["failures"])


def middle(values: Sequence[float]) -> float | None:
    """The median; None of nothing."""
    return median(values) if values else None
