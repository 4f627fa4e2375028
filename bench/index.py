"""The queries of an index of many studies, without a network: `python -m bench.index`.

The index is made of a seed, in memory, unless `--database` names one that was kept. A query takes all its matches, and of each the
attributes of a typical response. The median of its runs is shown, and what a C-FIND may take in all.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from bench.measure import scratch
from bench.rows import studies, study_uid
from dimse import tags
from dimse.archive.index import Index
from dimse.archive.index.attributes import Level
from dimse.archive.index.levels import Root
from dimse.data_set.attributes import Attribute
from dimse.matching import Rules

_FOLDER = "/nonexistent/archive"
# Studies of one transaction while the index is made.
_BATCH = 100
_ASKED = "StudyDate StudyTime AccessionNumber PatientName PatientID StudyInstanceUID StudyDescription ModalitiesInStudy".split()


@dataclass(frozen=True)
class Question:
    """A query.

    Attributes:
        title: What it asks for.
        keys: Its keys, by keyword.
        most: The milliseconds that it may take; 0 without a goal.
        level: Its level.
        rules: The rules of matching.
        limit: The most matches that are taken; 0 for all.
    """

    title: str
    keys: Mapping[str, str | tuple[str, ...]]
    most: float = 0.0
    level: Level = "STUDY"
    rules: Rules = field(default_factory=Rules)
    limit: int = 0


def questions(number: int) -> Iterator[Question]:
    """Yield the queries of an index of so many studies."""
    uid = study_uid(number // 2)
    yield Question("study by UID", {"StudyInstanceUID": uid}, 2)
    yield Question("series of a study", {"StudyInstanceUID": uid}, 2, "SERIES")
    yield Question("instances of a study", {"StudyInstanceUID": uid}, 2, "IMAGE")
    yield Question("by accession number", {"AccessionNumber": f"A{number // 2:08}"}, 2)
    yield Question("by Patient ID", {"PatientID": f"P{number // 3:07}"}, 2)
    yield Question("one day", {"StudyDate": "20200315"}, 5)
    yield Question("one day, one modality", {"StudyDate": "20200315", "ModalitiesInStudy": "CT"}, 5)
    yield Question("one month", {"StudyDate": "20200301-20200331"})
    yield Question("1,000 matches", {"StudyDate": "20200101-"}, 60, limit=1_000)
    yield Question("10,000 matches", {"StudyDate": "20180101-"}, 600, limit=10_000)
    yield Question("all", {})
    yield Question("name, its beginning", {"PatientName": "Yamada^Z*"})
    yield Question("name, 1 in 30", {"PatientName": "yamada*"}, limit=1_000)
    yield Question("name, a part of it", {"PatientName": "*lü*^*77"})
    yield Question("name, fuzzy", {"PatientName": "zoe yamata"}, rules=Rules(fuzzy=True), limit=1_000)
    yield Question("name without a match", {"PatientName": "UNKNOWN^X"}, 2)
    yield Question("a modality", {"ModalitiesInStudy": "PT"}, limit=1_000)
    yield Question("an absent modality", {"ModalitiesInStudy": "XX"})
    yield Question("description without a match", {"StudyDescription": "*nothing*"})
    yield Question("an attribute in JSON", {"PatientAge": "101Y"})
    yield Question("patients, by name", {}, level="PATIENT", limit=1_000)
    uids = tuple(study_uid(study) for study in range(0, number, max(1, number // 10_000)))[:10_000]
    yield Question("10,000 UIDs", {"StudyInstanceUID": uids})


def fill(index: Index, number: int, instances: int) -> None:
    """Add so many studies to an empty index."""
    made = studies(number, instances=instances)
    while batch := list(islice(made, _BATCH)):
        index.add([row for rows in batch for row in rows])


def ask(index: Index, question: Question) -> int:
    """Ask a query, and return the number of its matches."""
    given: dict[str, str | tuple[str, ...]] = dict.fromkeys(_ASKED, "")
    keys = dict(map(_attribute, (given | dict(question.keys)).items()))
    asked, count = list(keys), 0
    root: Root = "patient" if question.level == "PATIENT" else "study"
    if question.level == "PATIENT":
        # The others are keys of lower levels.
        keys = {tag: key for tag, key in keys.items() if tag >> 16 == 0x0010}
    for entity in index.search(question.level, keys, root=root, rules=question.rules, limit=question.limit):
        for tag in asked:
            entity.get(tag)
        count += 1
    return count


def _attribute(item: tuple[str, str | tuple[str, ...]]) -> tuple[int, Attribute]:
    tag = tags.find(item[0])
    assert tag is not None
    values = item[1] if isinstance(item[1], tuple) else (item[1],) if item[1] else ()
    return tag, Attribute(tags.vr(tag), values)


def measure(index: Index, number: int, rounds: int) -> bool:
    """Print a table of the queries, and return whether each took no longer than it may."""
    good = True
    print(f"{'query':30} {'matches':>8} {'ms':>9} {'worst':>9} {'goal':>6}")
    for question in questions(number):
        seconds, count = [], ask(index, question)
        for _ in range(rounds):
            start = time.perf_counter()
            ask(index, question)
            seconds.append(time.perf_counter() - start)
        median, worst = 1000 * statistics.median(seconds), 1000 * max(seconds)
        good = good and (not question.most or median <= question.most)
        goal = f"{question.most:g}" if question.most else ""
        print(f"{question.title:30} {count:8,} {median:9.2f} {worst:9.2f} {goal:>6}", flush=True)
    return good


def main(arguments: list[str]) -> int:
    """Measure, and return 1 if a query took longer than it may."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.index", description="The queries of an index of many studies"
    )
    parser.add_argument("--studies", type=int, default=100_000, help="studies of the index (default 100,000)")
    parser.add_argument("--instances", type=int, default=10, help="instances of a study (default 10)")
    parser.add_argument("--rounds", type=int, default=5, help="runs of each query (default 5)")
    parser.add_argument(
        "--database", help="a file or a postgresql:// URL to keep the index in; it is filled if it is empty"
    )
    options = parser.parse_args(arguments)
    with scratch() as folder, Index(options.database or str(Path(folder) / "index.db"), _FOLDER) as index:
        number = index.counts()["studies"]
        if not number:
            start = time.monotonic()
            fill(index, options.studies, options.instances)
            rows = options.studies * options.instances
            print(f"{rows:,} instances added in {time.monotonic() - start:.0f} s", flush=True)
            number = options.studies
        return 0 if measure(index, number, options.rounds) else 1


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
