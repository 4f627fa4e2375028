"""Queries with many matches: `python -m bench.querying` compares findscu with those of DCMTK and pynetdicom.

`replay_find` answers with ready bytes, in a process of its own, so that the program that asks is what is measured. The private
memory of findscu and getscu is printed too, where the result is large.
"""

from __future__ import annotations

import argparse
import struct
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median

from bench import replay_find
from bench.measure import LONGEST, in_turn, scratch
from bench.processes import PrivateMemory, Running, listening
from bench.programs import BEST, LOOPBACK, ROOT, dcmtk, ours, pynetdicom
from dimse import uids
from dimse.media import part10

# The SCP is a module of this folder.
ENVIRONMENT = BEST.environment | {"PYTHONPATH": str(ROOT)}
KEYWORDS = (
    "StudyInstanceUID PatientName PatientID StudyDate StudyTime AccessionNumber ModalitiesInStudy StudyDescription"
)
KEYS = ["-S", "-k", "QueryRetrieveLevel=STUDY", *(word for key in KEYWORDS.split() for word in ("-k", key))]
MATCHES, MANY_MATCHES = 10_000, 1_000_000
LARGE = 2_000_000_000  # bytes of pixel data

PROGRAMS = {
    "ours": lambda: [ours("findscu")],
    "ours, JSON lines": lambda: [ours("findscu"), "--format", "jsonl"],
    "ours, quiet": lambda: [ours("findscu"), "-q"],
    "DCMTK": lambda: [dcmtk("findscu")],
    "DCMTK, responses hidden": lambda: [dcmtk("findscu"), "-sr"],
    "pynetdicom": lambda: pynetdicom("findscu"),
}
"""The programs, which print each match unless the name says otherwise."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, and print the figures."""
    parser = argparse.ArgumentParser(prog="bench.querying", description=__doc__)
    parser.add_argument("--rounds", type=int, default=7, help="rounds that count (%(default)s)")
    parser.add_argument("--no-memory", action="store_true", help="leave the large results out, which take a minute")
    options = parser.parse_args(arguments)
    compare_rates(options.rounds)
    if not options.no_memory:
        print(
            f"findscu, {MANY_MATCHES:,} matches as JSON lines: {memory_of_matches() / 2**20:.1f} MiB private",
            flush=True,
        )
        print(f"getscu, an object of {LARGE:,} bytes: {memory_of_object() / 2**20:.1f} MiB private", flush=True)


@contextmanager
def answering(matches: int) -> Iterator[int]:
    """Run the SCP with ready answers within the block, and yield its port."""

    def command(port: int) -> list[str]:
        return [sys.executable, "-m", replay_find.__name__, str(port), str(matches)]

    with scratch() as folder, listening(command, ENVIRONMENT, folder) as listener:
        yield listener.port


def seconds_of(command: Sequence[str]) -> tuple[float, float]:
    """Return the seconds and the processor seconds of a program."""
    with scratch() as folder:
        ended = Running(command, ENVIRONMENT, folder / "log").wait(LONGEST)
        if ended.status:
            sys.exit(f"{command}: {ended.status}, {(folder / 'log').read_text(errors='replace')[-2000:]}")
    return ended.seconds, ended.cpu_seconds


def compare_rates(rounds: int) -> None:
    """Measure the seconds from the start of each program to its exit with many matches, and print a line for each."""
    seen: dict[str, list[tuple[float, float]]] = {name: [] for name in PROGRAMS}
    with answering(MATCHES) as port:

        def one(name: str, turn: int) -> None:
            took = seconds_of([*PROGRAMS[name](), *KEYS, LOOPBACK, str(port)])
            if turn:
                seen[name].append(took)

        in_turn(list(PROGRAMS), lambda name: min(rounds, 3) if name == "pynetdicom" else rounds, one)
    for name, runs in seen.items():
        seconds, cpu = (median(run[part] for run in runs) for part in range(2))
        ratio = median(other[0] / our[0] for our, other in zip(seen["ours"], runs, strict=False))
        rate = MATCHES / seconds
        print(f"{name:26}{seconds:8.3f} s{cpu:8.3f} s cpu{rate:10,.0f} matches/s   ours is {ratio:.2f} x", flush=True)


def memory_of_matches() -> int:
    """Return the private memory of findscu with many matches as JSON lines."""
    with answering(MANY_MATCHES) as port, scratch() as folder:
        command = [ours("findscu"), *KEYS, "--format", "jsonl", LOOPBACK, str(port)]
        return peak_of(command, folder)


def memory_of_object() -> int:
    """Return the private memory of getscu with a large object, which comes from an SCP of ours."""
    with scratch() as folder:
        path = folder / "large.dcm"
        write_large(path)

        def command(port: int) -> list[str]:
            return [sys.executable, "-c", SERVER, str(port), str(path)]

        with listening(command, ENVIRONMENT, folder) as listener:
            kept = folder / "kept"
            asking = [ours("getscu"), "-q", "-S", "--study-uid", "1.2.3", "-od", str(kept), "--durability", "none"]
            return peak_of([*asking, LOOPBACK, str(listener.port)], folder)


SERVER = """
import sys, time
from pathlib import Path
import dimse
from dimse.testing import QueryRetrieveSCP

archive = QueryRetrieveSCP([Path(sys.argv[2])])
with dimse.Server(("127.0.0.1", int(sys.argv[1])), archive.handlers()):
    time.sleep(1000)
"""


def peak_of(command: Sequence[str], folder: Path) -> int:
    """Run a program, and return its largest private memory in bytes."""
    running = Running(command, ENVIRONMENT, folder / "log")
    with PrivateMemory(running.pid) as memory:
        ended = running.wait(LONGEST)
    if ended.status:
        with (folder / "log").open("rb") as log:
            sys.exit(f"{command}: {ended.status}, {log.read(2000)!r}")
    return memory.peaks[0]


def write_large(path: Path) -> None:
    """Write a file with a large value of pixel data, which is a hole."""
    values = [
        (0x00080016, b"UI", uids.CTImageStorage.encode()),
        (0x00080018, b"UI", b"1.2.3.1.1"),
        (0x00080060, b"CS", b"CT"),
        (0x0020000D, b"UI", b"1.2.3"),
        (0x0020000E, b"UI", b"1.2.3.1"),
    ]
    meta = part10.FileMeta(uids.CTImageStorage, "1.2.3.1.1", uids.ExplicitVRLittleEndian, "1.2")
    with path.open("wb") as file:
        file.write(part10.encode(meta))
        for tag, vr, value in values:
            padded = value + (b"\0" if vr == b"UI" else b" ") * (len(value) % 2)
            file.write(struct.pack("<HH2sH", tag >> 16, tag & 0xFFFF, vr, len(padded)) + padded)
        file.write(struct.pack("<HH2sHL", 0x7FE0, 0x0010, b"OW", 0, LARGE))
        file.truncate(file.tell() + LARGE)


if __name__ == "__main__":
    main()
