"""Queries of an archive over the network: `python -m bench.finding` asks qrscp in a standing association.

Its index is made of a seed, as that of `bench.index`; an archive of 10,000 studies is compared with Orthanc, which has the same
files. The time of a query is that from its request to its last response, with our library as the client, which reads all values.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import dimse
from bench.archives import ARCHIVES, TITLE, qrscp
from bench.index import fill
from bench.measure import in_turn, scratch
from bench.processes import PrivateMemory
from bench.programs import LOOPBACK
from bench.rows import studies, study_uid
from dimse import tags, uids
from dimse.archive.index import Index
from dimse.data_set import identifier
from dimse.media import part10
from dimse.uids import transfer_syntax

ASKED = "StudyDate StudyTime AccessionNumber PatientName PatientID StudyInstanceUID StudyDescription ModalitiesInStudy".split()
COMPARED = 10_000
"""Studies of the archive that is compared with Orthanc."""
OTHER = "Orthanc"


@dataclass(frozen=True)
class Question:
    """A query.

    Attributes:
        title: What it asks for.
        keys: Its matching keys, by keyword.
        most: The milliseconds that it may take; 0 without a goal.
        limit: The most matches to take; 0 for all.
    """

    title: str
    keys: Mapping[str, str]
    most: float = 0.0
    limit: int = 0


def questions(number: int) -> Iterator[Question]:
    """Yield the queries of an archive with so many studies, as `bench.rows` makes them: one to ten years of days."""
    yield Question("study by UID", {"StudyInstanceUID": study_uid(number // 2)}, 2)
    yield Question("by Patient ID", {"PatientID": f"P{number // 3:07}"}, 2)
    yield Question("by accession number", {"AccessionNumber": f"A{number // 2:08}"}, 2)
    yield Question("one day", {"StudyDate": "20200315"}, 5)
    # 3,333 days have all studies.
    yield Question("about 1,000 matches", {"StudyDate": _since(number, 1_000)}, 60)
    yield Question("about 10,000 matches", {"StudyDate": _since(number, 10_000)}, 600)


def _since(number: int, matches: int) -> str:
    """Return the range of the last days that have about so many of the studies."""
    days = min(3333, round(3333 * matches / number))
    return f"{time.strftime('%Y%m%d', time.gmtime(_LAST_DAY - days * 86_400))}-"


# 2024-02-16, the last day of the studies
_LAST_DAY = 1_708_041_600


def ask(association: dimse.Association, question: Question) -> int:
    """Ask a query, read all values of its matches, and return their number."""
    count = 0
    for match in association.find(dict.fromkeys(ASKED, "") | dict(question.keys), model="study", level="STUDY"):
        for keyword in ASKED:
            match.identifier.get(keyword)
        count += 1
    return count


@contextmanager
def asking(port: int) -> Iterator[dimse.Association]:
    """Open an association for queries."""
    with dimse.associate(
        LOOPBACK, port, called_ae_title=TITLE, contexts=[uids.StudyRootQueryRetrieveInformationModelFind]
    ) as association:
        yield association


# --- an index of any size ---


def measure_large(database: Path, number: int, instances: int, rounds: int) -> bool:
    """Measure the queries of an index, which is made if the database does not exist; return whether none missed its goal."""
    if not database.exists():
        start = time.monotonic()
        with Index(database, database.parent / "files") as index:
            fill(index, number, instances)
        seconds = time.monotonic() - start
        print(f"{number * instances:,} instances added to the index in {seconds:.0f} s", flush=True)
    good = True
    with qrscp("--database-location", str(database), "--max-matches", "0") as archive, asking(archive.port) as asked:
        print(f"{'query':24}{'matches':>8}{'ms':>9}{'worst':>9}{'goal':>7}")
        with PrivateMemory(archive.pid) as memory:
            for question in questions(number):
                count = ask(asked, question)
                took = [_milliseconds(asked, question) for _ in range(rounds)]
                median = statistics.median(took)
                good = good and (not question.most or median <= question.most)
                goal = f"{question.most:g}" if question.most else ""
                print(f"{question.title:24}{count:8,}{median:9.2f}{max(took):9.2f}{goal:>7}", flush=True)
        print(f"private memory of qrscp: {memory.peaks[0] / 2**20:.1f} MiB", flush=True)
    return good


def _milliseconds(association: dimse.Association, question: Question) -> float:
    start = time.perf_counter()
    ask(association, question)
    return 1000 * (time.perf_counter() - start)


# --- the same studies in two archives ---


def write_files(folder: Path, number: int) -> None:
    """Write a file of each study, with its first instance and without pixel data."""
    syntax = transfer_syntax(uids.ExplicitVRLittleEndian)
    assert syntax is not None
    for count, (row, *_) in enumerate(studies(number, instances=1)):
        unique = {
            "SOPClassUID": row.sop_class_uid,
            "SOPInstanceUID": row.sop_instance_uid,
            "StudyInstanceUID": row.study_instance_uid,
            "SeriesInstanceUID": row.series_instance_uid,
        }
        words = {tag: list(attribute.values) for tag, attribute in row.attributes.items()}
        given = {tags.keyword(tag): value for tag, value in words.items()} | unique
        meta = part10.FileMeta(row.sop_class_uid, row.sop_instance_uid, uids.ExplicitVRLittleEndian, "1.2")
        (folder / f"{count:06}.dcm").write_bytes(part10.encode(meta) + identifier.encode(given, syntax))


def compare(number: int, rounds: int) -> None:
    """Store the same studies in our archive and in Orthanc, and compare queries and the seconds of storing."""
    names = ("qrscp", OTHER)
    with ExitStack() as stack:
        files = stack.enter_context(scratch())
        write_files(files, number)
        asked: dict[str, dimse.Association] = {}
        stored: dict[str, float] = {}
        for name in names:
            archive = stack.enter_context(qrscp("--max-matches", "0") if name == "qrscp" else ARCHIVES[name]())
            start = time.monotonic()
            archive.fill(files)
            stored[name] = time.monotonic() - start
            asked[name] = stack.enter_context(asking(archive.port))
        said = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in stored.items())
        print(f"\n{number:,} studies of one small object were stored: {said}", flush=True)
        print(f"{'query':24}{'matches':>8}{'qrscp, ms':>12}{OTHER + ', ms':>14}{'times as fast':>15}")
        for question in questions(number):
            counts = {ask(asked[name], question) for name in names}
            took: dict[str, list[float]] = {name: [] for name in names}

            def one(name: str, turn: int, question: Question = question, took: dict[str, list[float]] = took) -> None:
                milliseconds = _milliseconds(asked[name], question)
                if turn:
                    took[name].append(milliseconds)

            in_turn(names, lambda _: rounds, one)
            ours, other = (statistics.median(took[name]) for name in names)
            ratio = statistics.median(b / a for a, b in zip(*took.values(), strict=True))
            found = "/".join(f"{count:,}" for count in sorted(counts))
            print(f"{question.title:24}{found:>8}{ours:12.2f}{other:14.2f}{ratio:15.2f}", flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, and return 1 if a query took longer than it may."""
    parser = argparse.ArgumentParser(prog="python -m bench.finding", description=__doc__)
    parser.add_argument("--studies", type=int, default=100_000, help="studies of the index (%(default)s; 0 for none)")
    parser.add_argument("--instances", type=int, default=10, help="instances of a study (%(default)s)")
    parser.add_argument("--rounds", type=int, default=7, help="runs of each query (%(default)s)")
    parser.add_argument("--database", type=Path, help="the file that keeps the index (none)")
    parser.add_argument(
        "--compared",
        type=int,
        default=COMPARED,
        help=f"studies of the comparison with {OTHER} (%(default)s; 0 for none)",
    )
    options = parser.parse_args(arguments)
    good = True
    with scratch() as folder:
        if options.studies:
            database = options.database or folder / "index.sqlite"
            good = measure_large(database, options.studies, options.instances, options.rounds)
    if options.compared:
        compare(options.compared, options.rounds)
    return 0 if good else 1


if __name__ == "__main__":
    raise SystemExit(main())
