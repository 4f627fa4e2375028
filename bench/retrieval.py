"""Queries and retrievals from DCMTK's dcmqrscp: `python -m bench.retrieval` compares getscu, movescu and findscu with DCMTK's.

dcmqrscp forks a process for each association, with files in memory. What is received stays in memory too, without a sync. A round
runs each program once, and a ratio is formed of two runs of one round, as `bench.measure` does. The last line of a work compares
our findscu with our echoscu, which shows how much longer a query with one match takes to start.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from pydicom import dcmread

from bench.measure import LONGEST, in_turn, scratch, stored
from bench.processes import Running, free_port, listening
from bench.programs import BEST, LONG, LOOPBACK, dcmtk, ours
from bench.works import WORKS, Work

# The title that the bench calls to see whether a program listens.
TITLE, AREA = "ANY-SCP", "area"
# Large PDUs and no delayed acknowledgements, as DCMTK is measured elsewhere.
ENVIRONMENT = BEST.environment


@dataclass(frozen=True)
class Question:
    """The study that is asked for, and the archive that has it.

    Attributes:
        port: The port of the archive.
        study: The Study Instance UID.
        destination: The port to which the archive moves instances.
    """

    port: int
    study: str
    destination: int

    def of_dcmtk(self, program: str, *options: object) -> list[str]:
        """Return the command of a program of DCMTK that asks for the study."""
        keys = ["-k", "QueryRetrieveLevel=STUDY", "-k", f"StudyInstanceUID={self.study}"]
        return [dcmtk(program), "-S", "-aec", TITLE, *map(str, options), *keys, LOOPBACK, str(self.port)]

    def of_ours(self, tool: str, *options: object) -> list[str]:
        """Return the command of a tool of ours that asks for the study."""
        keys = ["--study-uid", self.study]
        return [ours(tool), "-q", "-S", "-aec", TITLE, *map(str, options), *keys, LOOPBACK, str(self.port)]

    def of_echo(self, program: str, *options: str) -> list[str]:
        """Return the command of an echoscu that calls the archive."""
        return [program, *options, "-aec", TITLE, LOOPBACK, str(self.port)]


Command = Callable[[Question, Path], list[str]]

COMMANDS: dict[str, dict[str, Command]] = {
    "C-GET": {
        "ours": lambda asked, folder: asked.of_ours("getscu", "-od", folder, "--durability", "none"),
        "DCMTK": lambda asked, folder: asked.of_dcmtk("getscu", "-od", folder, *LONG),
    },
    "C-MOVE": {
        "ours": lambda asked, folder: asked.of_ours(
            "movescu", "-od", folder, "--durability", "none", "--store-aet", "ME", "--store-port", asked.destination
        ),
        "DCMTK": lambda asked, folder: asked.of_dcmtk(
            "movescu", "-od", folder, "-aet", "ME", "-aem", "ME", "+P", asked.destination, *LONG
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
"""The commands of each operation: ours, and DCMTK's."""

Row = tuple[str, str]
"""An operation, and the name of the program."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(prog="bench.retrieval", description=__doc__)
    parser.add_argument("--rounds", type=int, default=7, help="rounds that count (%(default)s)")
    parser.add_argument("--work", choices=("ct", "small"), action="append", help="what the study has (ct and small)")
    options = parser.parse_args(arguments)
    print(f"{'':8}{'':8}{'ours, s':>10}{'DCMTK, s':>10}{'DCMTK/ours':>12}{'cpu, s':>10}{'cpu, s':>10}")
    for name in options.work or ("ct", "small"):
        compare(WORKS[name], options.rounds)


def compare(work: Work, rounds: int) -> None:
    """Measure the operations with a study of a work, and print a line for each."""
    rows: list[Row] = [(operation, program) for operation, programs in COMMANDS.items() for program in programs]
    seen: dict[Row, list[tuple[float, float]]] = {row: [] for row in rows}
    with archive(work) as asked:

        def one(row: Row, turn: int) -> None:
            took = run(row, asked, work)
            if turn:
                seen[row].append(took)

        in_turn(rows, lambda row: rounds, one)
    for operation in COMMANDS:
        our_runs, others = seen[operation, "ours"], seen[operation, "DCMTK"]
        ratio = ratio_of(others, our_runs)
        seconds, cpu = ([median(each[part] for each in runs) for runs in (our_runs, others)] for part in range(2))
        print(
            f"{work.name:8}{operation:8}{seconds[0]:10.3f}{seconds[1]:10.3f}{ratio:12.3f}{cpu[0]:10.3f}{cpu[1]:10.3f}",
            flush=True,
        )
    print(f"{work.name:8}findscu : echoscu {ratio_of(seen['C-FIND', 'ours'], seen['C-ECHO', 'ours']):.3f}", flush=True)


def ratio_of(some: Sequence[tuple[float, float]], others: Sequence[tuple[float, float]]) -> float:
    """Return the median of the ratios of the seconds of two programs, each of two runs of one round."""
    return median(one[0] / other[0] for one, other in zip(some, others, strict=True))


@contextmanager
def archive(work: Work) -> Iterator[Question]:
    """Run dcmqrscp with the instances of a work within the block."""
    files = sorted(work.folder().iterdir())
    study, destination = str(dcmread(files[0], stop_before_pixels=True).StudyInstanceUID), free_port()
    with scratch() as folder:
        (folder / AREA).mkdir()

        def command(port: int) -> list[str]:
            (folder / "configuration").write_text(
                CONFIGURATION.format(port=port, destination=destination, folder=folder)
            )
            return [dcmtk("dcmqrscp"), "-c", str(folder / "configuration")]

        with listening(command, ENVIRONMENT, folder) as listener:
            sending = [ours("storescu"), "-q", "-aec", TITLE, LOOPBACK, str(listener.port), str(work.folder())]
            if Running(sending, ENVIRONMENT, folder / "log").wait(LONGEST).status:
                sys.exit(f"dcmqrscp did not store the files: {(folder / 'log').read_text(errors='replace')}")
            yield Question(listener.port, study, destination)


def run(row: Row, asked: Question, work: Work) -> tuple[float, float]:
    """Return the seconds and the processor seconds of one program."""
    operation, program = row
    with scratch() as folder:
        received, log = folder / "received", folder / "log"
        received.mkdir()
        ended = Running(COMMANDS[operation][program](asked, received), ENVIRONMENT, log).wait(LONGEST)
        missing = work.objects - len(stored(received)) if operation in ("C-GET", "C-MOVE") else 0
        if ended.status or missing:
            sys.exit(f"{row}: exit status {ended.status}, {missing} missing: {log.read_text(errors='replace')[-2000:]}")
    return ended.seconds, ended.cpu_seconds


CONFIGURATION = """
NetworkTCPPort = {port}
MaxPDUSize = 131072
MaxAssociations = 16
HostTable BEGIN
me = (ME, 127.0.0.1, {destination})
HostTable END
VendorTable BEGIN
VendorTable END
AETable BEGIN
ANY-SCP {folder}/area RW (2500, 4096mb) ANY
AETable END
"""


if __name__ == "__main__":
    main()
