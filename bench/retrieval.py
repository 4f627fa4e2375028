"""Queries and retrievals: `python -m bench.retrieval` compares getscu, movescu and findscu with DCMTK's, from two archives.

dcmqrscp forks a process for each association, and both it and Orthanc have their files in memory. What is received stays in memory
too, without a sync. A round runs each program once, and a ratio is formed of two runs of one round, as `bench.measure` does. The
last line of a work compares our findscu with our echoscu, which shows how much longer a query with one match takes to start.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from pydicom import dcmread

from bench.measure import LONGEST, in_turn, scratch, stored
from bench.processes import Running, free_port, listening
from bench.programs import BEST, LONG, LOOPBACK, MissingError, dcmtk, ours, pynetdicom
from bench.works import WORKS, Work

# The title that the bench calls to see whether a program listens.
TITLE, AREA = "ANY-SCP", "area"


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
        "pynetdicom": lambda asked, folder: [
            *(*pynetdicom("movescu"), "-S", "-aec", TITLE, "-aem", "ME", "-od", str(folder)),
            *("--store", "--store-aet", "ME", "--store-port", str(asked.destination)),
            *("-k", "QueryRetrieveLevel=STUDY", "-k", f"StudyInstanceUID={asked.study}", LOOPBACK, str(asked.port)),
        ],
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

# Programs that run once, since they take far longer.
SLOW = ("pynetdicom",)

Row = tuple[str, str]
"""An operation, and the name of the program."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(prog="bench.retrieval", description=__doc__)
    parser.add_argument("--rounds", type=int, default=7, help="rounds that count (%(default)s)")
    parser.add_argument("--work", choices=("ct", "small"), action="append", help="what the study has (ct and small)")
    parser.add_argument("--archive", choices=ARCHIVES, action="append", help="the archive that holds it (all)")
    parser.add_argument("--only", choices=COMMANDS, action="append", help="this operation; again for more (all)")
    options = parser.parse_args(arguments)
    print(f"{'':10}{'':7}{'':9}{'':12}{'seconds':>9}{'cpu, s':>9}{'x ours':>9}")
    for name in options.archive or ARCHIVES:
        for work in options.work or ("ct", "small"):
            compare(name, WORKS[work], options.only or list(COMMANDS), options.rounds)


def compare(name: str, work: Work, operations: Sequence[str], rounds: int) -> None:
    """Measure operations with a study of a work in an archive, and print a line for each program."""
    rows: list[Row] = [(operation, program) for operation in operations for program in COMMANDS[operation]]
    seen: dict[Row, list[tuple[float, float]]] = {row: [] for row in rows}
    with ARCHIVES[name](work) as asked:

        def one(row: Row, turn: int) -> None:
            if turn or row[1] in SLOW:
                seen[row].append(run(row, asked, work))
            else:
                run(row, asked, work)

        in_turn(rows, lambda row: 0 if row[1] in SLOW else rounds, one)
    for operation, program in rows:
        runs = seen[operation, program]
        ratio = ratio_of(runs, seen[operation, "ours"])
        seconds, cpu = (median(each[part] for each in runs) for part in range(2))
        print(
            f"{name:10}{work.name:7}{operation:9}{program:12}{seconds:9.3f}{cpu:9.3f}{ratio:9.3f}",
            flush=True,
        )
    if {"C-FIND", "C-ECHO"} <= set(operations):
        print(
            f"{name:10}{work.name:7}findscu : echoscu {ratio_of(seen['C-FIND', 'ours'], seen['C-ECHO', 'ours']):.3f}",
            flush=True,
        )


def ratio_of(some: Sequence[tuple[float, float]], others: Sequence[tuple[float, float]]) -> float:
    """Return the median of the ratios of the seconds of two programs, each of two runs of one round."""
    return median(one[0] / other[0] for one, other in zip(some, others, strict=False))


@contextmanager
def dcmqrscp(work: Work) -> Iterator[Question]:
    """Run DCMTK's dcmqrscp with the instances of a work within the block."""
    destination = free_port()
    with scratch() as folder:
        (folder / AREA).mkdir()

        def command(port: int) -> list[str]:
            (folder / "configuration").write_text(
                CONFIGURATION.format(port=port, destination=destination, folder=folder)
            )
            return [dcmtk("dcmqrscp"), "-c", str(folder / "configuration")]

        with listening(command, BEST.environment, folder) as listener:
            yield filled(work, listener.port, destination, folder)


@contextmanager
def orthanc(work: Work) -> Iterator[Question]:
    """Run Orthanc with the instances of a work within the block.

    Raises:
        MissingError: It is not installed.
    """
    destination = free_port()
    program = shutil.which("Orthanc", path=f"{os.environ['PATH']}:/usr/sbin:/usr/local/sbin")
    if program is None:
        raise MissingError("Orthanc is not installed")
    with scratch() as folder:

        def command(port: int) -> list[str]:
            settings = {
                "DicomPort": port,
                "HttpPort": free_port(),
                "StorageDirectory": str(folder / "storage"),
                "IndexDirectory": str(folder / "index"),
                "Plugins": [],
                "DicomCheckCalledAet": False,
                "DicomModalities": {"me": ["ME", LOOPBACK, destination]},
                **{f"DicomAlwaysAllow{operation}": True for operation in ("Echo", "Store", "Find", "Get", "Move")},
            }
            (folder / "configuration.json").write_text(json.dumps(settings))
            return [str(program), str(folder / "configuration.json")]

        with listening(command, BEST.environment, folder) as listener:
            yield filled(work, listener.port, destination, folder)


def filled(work: Work, port: int, destination: int, folder: Path) -> Question:
    """Store the instances of a work in an archive, and return what to ask it."""
    files = sorted(work.folder().iterdir())
    sending = [ours("storescu"), "-q", "-aec", TITLE, LOOPBACK, str(port), str(work.folder())]
    if Running(sending, BEST.environment, folder / "log").wait(LONGEST).status:
        sys.exit(f"the archive did not store the files: {(folder / 'log').read_text(errors='replace')}")
    return Question(port, str(dcmread(files[0], stop_before_pixels=True).StudyInstanceUID), destination)


ARCHIVES: dict[str, Callable[[Work], AbstractContextManager[Question]]] = {"dcmqrscp": dcmqrscp, "Orthanc": orthanc}


def run(row: Row, asked: Question, work: Work) -> tuple[float, float]:
    """Return the seconds and the processor seconds of one program."""
    operation, program = row
    with scratch() as folder:
        received, log = folder / "received", folder / "log"
        received.mkdir()
        ended = Running(COMMANDS[operation][program](asked, received), BEST.environment, log).wait(LONGEST)
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
