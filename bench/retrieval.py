"""Queries and retrievals: `python -m bench.retrieval` compares getscu, movescu and findscu with those of others, from each archive.

What is received stays in memory, without a sync. A round runs each program once with each archive, and a ratio is formed of two
runs of one round, as `bench.measure` does. The last lines of a work compare pairs: a program with the archive of the same makers.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from pydicom import dcmread

from bench.archives import ARCHIVES, TITLE, Archive
from bench.measure import LONGEST, in_turn, measure, scratch, stored
from bench.processes import Running
from bench.programs import BEST, HEADLINE, LONG, LOOPBACK, NOT_DURABLE, Pair, dcmtk, ours, pynetdicom
from bench.works import WORKS, Work

SENDING = Pair("ours", "ours", HEADLINE, NOT_DURABLE)
"""Our storescu to our storescp, with which a retrieval from our archive is compared."""


@dataclass(frozen=True)
class Question:
    """The study that is asked for, and the archive that has it.

    Attributes:
        archive: The archive.
        study: The Study Instance UID.
    """

    archive: Archive
    study: str

    @property
    def port(self) -> str:
        """The port of the archive."""
        return str(self.archive.port)

    @property
    def destination(self) -> str:
        """The port to which the archive moves instances."""
        return str(self.archive.destination)

    def of_dcmtk(self, program: str, *options: object) -> list[str]:
        """Return the command of a program of DCMTK that asks for the study."""
        keys = ["-k", "QueryRetrieveLevel=STUDY", "-k", f"StudyInstanceUID={self.study}"]
        return [dcmtk(program), "-S", "-aec", TITLE, *map(str, options), *keys, LOOPBACK, self.port]

    def of_ours(self, tool: str, *options: object) -> list[str]:
        """Return the command of a tool of ours that asks for the study."""
        return [
            *(ours(tool), "-q", "-S", "-aec", TITLE, *map(str, options)),
            *("--study-uid", self.study, LOOPBACK, self.port),
        ]

    def of_pynetdicom(self, application: str, *options: object) -> list[str]:
        """Return the command of an application of pynetdicom that asks for the study."""
        keys = ["-k", "QueryRetrieveLevel=STUDY", "-k", f"StudyInstanceUID={self.study}"]
        return [*pynetdicom(application), "-S", "-aec", TITLE, *map(str, options), *keys, LOOPBACK, self.port]

    def of_echo(self, program: str, *options: str) -> list[str]:
        """Return the command of an echoscu that calls the archive."""
        return [program, *options, "-aec", TITLE, LOOPBACK, self.port]


Command = Callable[[Question, Path], list[str]]

COMMANDS: Mapping[str, Mapping[str, Command]] = {
    "C-GET": {
        "ours": lambda asked, folder: asked.of_ours("getscu", "-od", folder, "--durability", "none"),
        "DCMTK": lambda asked, folder: asked.of_dcmtk("getscu", "-od", folder, *LONG),
        "DCMTK +B": lambda asked, folder: asked.of_dcmtk("getscu", "+B", "-od", folder, *LONG),
        "pynetdicom": lambda asked, folder: asked.of_pynetdicom("getscu", "-od", folder),
    },
    "C-MOVE": {
        "ours": lambda asked, folder: asked.of_ours(
            "movescu", "-od", folder, "--durability", "none", "--store-aet", "ME", "--store-port", asked.destination
        ),
        "DCMTK": lambda asked, folder: asked.of_dcmtk(
            "movescu", "-od", folder, "-aet", "ME", "-aem", "ME", "+P", asked.destination, *LONG
        ),
        "pynetdicom": lambda asked, folder: asked.of_pynetdicom(
            *("movescu", "-aem", "ME", "-od", folder, "--store", "--store-aet", "ME"),
            *("--store-port", asked.destination),
        ),
    },
    "C-FIND": {
        "ours": lambda asked, folder: asked.of_ours("findscu", "-L", "study", "-k", "PatientID"),
        "DCMTK": lambda asked, folder: asked.of_dcmtk("findscu", "-k", "PatientID"),
    },
    "C-ECHO": {
        "ours": lambda asked, folder: asked.of_echo(ours("echoscu"), "-q"),
        "DCMTK": lambda asked, folder: asked.of_echo(dcmtk("echoscu")),
    },
}
"""The commands of each operation: ours, and those of others."""


@dataclass(frozen=True)
class Row:
    """A program that is run with an archive.

    Attributes:
        archive: The name of the archive; empty for a storescu with a storescp.
        operation: The operation.
        program: The makers of the program, and its options.
    """

    archive: str
    operation: str
    program: str

    @property
    def is_slow(self) -> bool:
        """True if it runs once, since it takes far longer than the others."""
        return "pynetdicom" in self.archive + self.program


STORE = Row("", "C-STORE", "ours")
COMPARED: tuple[tuple[Row, Row, dict[str, float]], ...] = (
    # The pair of ours, what it is compared with, and how many times as fast it should be by work
    (Row("qrscp", "C-GET", "ours"), Row("dcmqrscp", "C-GET", "DCMTK +B"), {"ct": 1.2, "small": 2.0}),
    (Row("qrscp", "C-GET", "ours"), Row("dcmqrscp", "C-GET", "DCMTK"), {}),
    (Row("qrscp", "C-GET", "ours"), Row("Orthanc", "C-GET", "DCMTK"), {}),
    (Row("qrscp", "C-GET", "ours"), Row("pynetdicom", "C-GET", "pynetdicom"), {}),
    (Row("qrscp", "C-GET", "ours"), STORE, {"ct": 0.9, "small": 0.9}),
    (Row("qrscp", "C-GET", "DCMTK"), Row("dcmqrscp", "C-GET", "DCMTK"), {"ct": 1.0, "small": 1.0}),
    (Row("qrscp", "C-GET", "DCMTK +B"), Row("dcmqrscp", "C-GET", "DCMTK +B"), {"ct": 1.0, "small": 1.0}),
    (Row("dcmqrscp", "C-GET", "ours"), Row("dcmqrscp", "C-GET", "DCMTK"), {"ct": 1.0, "small": 1.0}),
    (Row("Orthanc", "C-GET", "ours"), Row("Orthanc", "C-GET", "DCMTK"), {"ct": 1.0, "small": 1.0}),
    (Row("qrscp", "C-MOVE", "ours"), Row("dcmqrscp", "C-MOVE", "DCMTK"), {"ct": 2.0, "small": 2.0}),
    (Row("qrscp", "C-MOVE", "ours"), Row("Orthanc", "C-MOVE", "DCMTK"), {}),
    (Row("qrscp", "C-MOVE", "ours"), Row("pynetdicom", "C-MOVE", "pynetdicom"), {"ct": 30.0, "small": 30.0}),
    (Row("qrscp", "C-FIND", "ours"), Row("qrscp", "C-ECHO", "ours"), {"ct": 0.67, "small": 0.67}),
)
"""The comparisons of two rows."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, and print tables."""
    parser = argparse.ArgumentParser(prog="bench.retrieval", description=__doc__)
    parser.add_argument("--rounds", type=int, default=7, help="rounds that count (%(default)s)")
    parser.add_argument("--work", choices=("ct", "small"), action="append", help="what the study has (ct and small)")
    parser.add_argument("--archive", choices=ARCHIVES, action="append", help="the archive (all)")
    parser.add_argument("--only", choices=COMMANDS, action="append", help="this operation; again for more (all)")
    options = parser.parse_args(arguments)
    for work in options.work or ("ct", "small"):
        compare(WORKS[work], options.archive or list(ARCHIVES), options.only or list(COMMANDS), options.rounds)


def compare(work: Work, archives: Sequence[str], operations: Sequence[str], rounds: int) -> None:
    """Measure operations with a study of a work in each archive, and print a line for each program and for each comparison."""
    rows = [
        Row(archive, operation, program)
        for archive in archives
        for operation in operations
        for program in COMMANDS[operation]
        if is_run(archive, program)
    ]
    if "qrscp" in archives:
        rows.append(STORE)
    seen: dict[Row, list[tuple[float, float]]] = {row: [] for row in rows}
    with ExitStack() as stack:
        asked = {name: question(stack.enter_context(ARCHIVES[name]()), work) for name in archives}

        def one(row: Row, turn: int) -> None:
            took = run(row, asked.get(row.archive), work)
            if turn or row.is_slow:
                seen[row].append(took)

        in_turn(rows, lambda row: 0 if row.is_slow else rounds, one)
    print(
        f"\n{work.title}\n{'archive':12}{'operation':10}{'program':12}{'seconds':>9}{'cpu, s':>9}{'least':>9}{'most':>9}"
    )
    for row in rows:
        seconds, cpu = (median(each[part] for each in seen[row]) for part in range(2))
        least, most = min(seen[row])[0], max(seen[row])[0]
        said = f"{row.archive or 'storescp':12}{row.operation:10}{row.program:12}"
        print(f"{said}{seconds:9.3f}{cpu:9.3f}{least:9.3f}{most:9.3f}", flush=True)
    for mine, other, goals in COMPARED:
        if mine in seen and other in seen:
            goal = f" (goal {goals[work.name]:g})" if work.name in goals else ""
            said = f"{mine.program} {mine.operation} {mine.archive} : {other.program} {other.operation} {other.archive}"
            print(f"{said:62}{ratio_of(seen[other], seen[mine]):8.3f} times as fast{goal}", flush=True)


def is_run(archive: str, program: str) -> bool:
    """Return True if a program is run with an archive: pynetdicom's are slow, and run with each other and with dcmqrscp."""
    if archive == "pynetdicom":
        return program in ("pynetdicom", "ours")
    return program != "pynetdicom" or archive == "dcmqrscp"


def question(archive: Archive, work: Work) -> Question:
    """Store the instances of a work in an archive, and return what to ask it."""
    archive.fill(work.folder())
    file = min(work.folder().iterdir())
    return Question(archive, str(dcmread(file, stop_before_pixels=True).StudyInstanceUID))


def ratio_of(some: Sequence[tuple[float, float]], others: Sequence[tuple[float, float]]) -> float:
    """Return the median of the ratios of the seconds of two programs, each of two runs of one round."""
    if len(some) != len(others):
        # One of them runs once.
        return median(one[0] for one in some) / median(other[0] for other in others)
    return median(one[0] / other[0] for one, other in zip(some, others, strict=True))


def run(row: Row, asked: Question | None, work: Work) -> tuple[float, float]:
    """Return the seconds and the processor seconds of one program."""
    if asked is None:
        sent = measure(SENDING, work, 0, 1.0)
        return sent.seconds, sent.sender_cpu
    with scratch() as folder:
        received, log = folder / "received", folder / "log"
        received.mkdir()
        ended = Running(COMMANDS[row.operation][row.program](asked, received), BEST.environment, log).wait(LONGEST)
        missing = work.objects - len(stored(received)) if row.operation in ("C-GET", "C-MOVE") else 0
        if ended.status or missing:
            sys.exit(f"{row}: exit status {ended.status}, {missing} missing: {log.read_text(errors='replace')[-2000:]}")
    return ended.seconds, ended.cpu_seconds


if __name__ == "__main__":
    main()
