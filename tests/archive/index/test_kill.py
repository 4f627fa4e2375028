"""The promise of an archive whose process is killed: what was acknowledged is found, and what is found is whole."""

from __future__ import annotations

import os
import random
import signal
from pathlib import Path

import pytest
from sqlalchemy import select

from dimse.archive.index import Index
from dimse.archive.index.check import check
from dimse.archive.index.schema import INSTANCE
from tests.archive.storing import start_a_process

# Stores instances for ever from four threads, and prints the UID of each that was acknowledged.
PROGRAM = """
import threading
from tests.archive.index.test_arriving import archive, data_set, keep
printing = threading.Lock()
with archive(Path(sys.argv[1]), sys.argv[2]) as (store, index):
    index.start()
    index.recover()
    def run(thread):
        number = 0
        while True:
            number += 1
            uid = f"1.2.{sys.argv[3]}.{thread}.{number}"
            data = data_set(uid, f"1.2.{number // 7}", f"1.2.{number // 7}.{thread}")
            if keep(store, data, uid) == 0:
                with printing:
                    os.write(1, f"{uid}\\n".encode())
    for thread in range(4):
        threading.Thread(target=run, args=(thread,), daemon=True).start()
    threading.Event().wait()
"""

RUNS = 8
# The kills of one archive: each is followed by a check of all its files.
IN_A_ROW = 15
MANY = int(os.environ.get("DIMSE_KILLS", "300")) // IN_A_ROW


def kill_again_and_again(folder: Path, database: str, runs: int, seed: int) -> None:
    """Kill an archive at random places, and verify after each time what was acknowledged."""
    places = random.Random(seed)
    acknowledged: set[str] = set()
    for run in range(runs):
        with start_a_process(PROGRAM, folder, database, run) as process:
            assert process.stdout is not None
            for _ in range(places.randint(1, 60)):
                acknowledged.add(process.stdout.readline().decode().strip())
            process.send_signal(signal.SIGKILL)
            acknowledged |= {line.decode().strip() for line in process.stdout if line.endswith(b"\n")}
        with Index(database, folder) as index, index.database.reading() as connection:
            found = set(connection.execute(select(INSTANCE.c.sop_uid)).scalars())
            assert acknowledged - found == set()
            # A file may have no row yet, since its instance was not acknowledged.
            assert {one.kind for one in check(index, full=True)} <= {"no row"}
    with Index(database, folder) as index:
        assert not index.start()
        index.recover()
        assert list(check(index, full=True)) == []


@pytest.mark.thorough
@pytest.mark.timeout(120)
def test_an_archive_that_is_killed_keeps_its_promise(folder: Path, database: str) -> None:
    kill_again_and_again(folder, database, RUNS, 1)


@pytest.mark.campaign
@pytest.mark.timeout(300)
@pytest.mark.parametrize("seed", range(2, 2 + MANY))
def test_an_archive_that_is_killed_often_keeps_its_promise(folder: Path, database: str, seed: int) -> None:
    kill_again_and_again(folder, database, IN_A_ROW, seed)
