"""Size of an archive: `python -m bench.archive_size` prints the bytes of its index, its memory, and the time of a reindex.

The rows are those of `bench.rows`. An index is measured in three sizes, to show how it grows. The files of the reindex are those of
one study of small objects, each with a UID of its own.
"""

from __future__ import annotations

import argparse
import os
import sqlite3
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from bench.archives import qrscp
from bench.finding import ask, asking, questions
from bench.index import fill
from bench.measure import scratch
from bench.processes import PrivateMemory
from bench.works import WORKS
from dimse.archive.index import Index
from dimse.archive.index.reindex import reindex_sqlite
from dimse.archive.names import safe_component

ASSOCIATIONS = 100
INSTANCES = 10
"""Instances of a study."""


def size(database: Path, number: int) -> None:
    """Make the index of so many studies, and print the bytes that an instance takes in it."""
    start = time.monotonic()
    with Index(database, database.parent / "files") as index:
        fill(index, number, INSTANCES)
    seconds, instances = time.monotonic() - start, number * INSTANCES
    bytes_each = database.stat().st_size / instances
    said = ", ".join(f"{name} {count / instances:.0f}" for name, count in parts(database))
    print(
        f"{instances:,} instances: {bytes_each:.0f} bytes each ({said}), {instances / seconds:,.0f} added a second",
        flush=True,
    )


def parts(database: Path) -> list[tuple[str, int]]:
    """Return the bytes of each table with its indexes, the largest first; none where SQLite cannot tell."""
    connection = sqlite3.connect(database)
    try:
        found = connection.execute(
            "SELECT tbl_name, sum(pgsize) FROM dbstat JOIN sqlite_master USING (name)"
            " GROUP BY tbl_name HAVING sum(pgsize) > 100000 ORDER BY 2 DESC"
        )
        return [(str(name), int(count)) for name, count in found]
    except sqlite3.OperationalError:
        return []
    finally:
        connection.close()


def memory(database: Path, number: int) -> None:
    """Print the private memory of qrscp while many associations query an index."""
    with ExitStack() as stack:
        options = ("--database-location", str(database), "--max-per-address", "0", "--max-associations", "200")
        archive = stack.enter_context(qrscp(*options, "--max-matches", "0"))
        sampler = stack.enter_context(PrivateMemory(archive.pid))
        asked = [stack.enter_context(asking(archive.port)) for _ in range(ASSOCIATIONS)]
        for question in questions(number):
            for association in asked if question.most < 60 else asked[:3]:
                ask(association, question)
        time.sleep(0.1)
        print(f"qrscp with {len(asked)} associations: {sampler.peaks[0] / 2**20:.1f} MiB private", flush=True)


def reindex(number: int) -> None:
    """Print the seconds of a reindex of so many files."""
    with scratch() as folder:
        store = folder / "files"
        source = min(WORKS["small"].folder().iterdir()).read_bytes()
        uid = _uid(source)
        for count in range(number):
            name = b"%s%06d" % (uid[:-6], count)
            place = store / f"1.2.{count // 1000}" / f"1.2.{count // 1000}.1"
            place.mkdir(parents=True, exist_ok=True)
            (place / f"{safe_component(name.decode())}.dcm").write_bytes(source.replace(uid, name))
        database = str(folder / "index.sqlite")
        start = time.monotonic()
        done = reindex_sqlite(lambda path: Index(path, store), database, processes=os.cpu_count() or 1)
        seconds = time.monotonic() - start
        rate = done.instances / seconds
        print(f"{done.instances:,} files reindexed in {seconds:.1f} s, {rate:,.0f} a second with digests", flush=True)


def _uid(file: bytes) -> bytes:
    """Return the SOP Instance UID of a file of `bench.works`, which ends in six digits that may be replaced."""
    start = file.index(b"2.25.1")
    end = start
    while file[end : end + 1].isdigit() or file[end : end + 1] == b".":
        end += 1
    return file[start:end]


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.archive_size", description=__doc__)
    parser.add_argument(
        "--studies",
        type=int,
        action="append",
        help="studies of an index, each of 10 instances; again for more sizes (1,000, 10,000 and 100,000)",
    )
    parser.add_argument("--files", type=int, default=20_000, help="files that are reindexed (%(default)s; 0 for none)")
    options = parser.parse_args(arguments)
    with scratch() as folder:
        for number in options.studies or (1_000, 10_000, 100_000):
            database = folder / f"{number}.sqlite"
            size(database, number)
            memory(database, number)
    if options.files:
        reindex(options.files)


if __name__ == "__main__":
    main()
