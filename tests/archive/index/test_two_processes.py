"""Two processes with stores of their own over one PostgreSQL, whose senders store the same studies at one time."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import pytest
from sqlalchemy import func, select

from dimse.archive.index import Index
from dimse.archive.index.check import check
from dimse.archive.index.schema import DUPLICATE, INSTANCE, PATIENT
from tests.archive.index.conftest import new_postgresql
from tests.archive.storing import start_a_process

# Stores instances from four threads once a line is read, and deletes those of a study of their own now and then.
PROGRAM = """
import random, threading
from dimse.archive.index import Index
from dimse.archive.index.arriving import REQUIRED_TAGS, arriving_tags
from tests.archive.index.test_arriving import LAYOUT, data_set, keep
from tests.archive.storing import element
folder, database, node, seed = sys.argv[1:]
with (
    Index(database, folder, node=node) as index,
    FileStore(
        folder, layout=LAYOUT, durability="none", stored=index.arrivals(),
        tags=arriving_tags(), required=REQUIRED_TAGS, digest=True,
    ) as store,
):
    def run(thread):
        chance = random.Random(f"{seed} {node} {thread}")
        pool = random.Random(seed)
        uids = [(f"1.9.{number}", pool.randint(1, 6), pool.randint(1, 3)) for number in range(40)]
        chance.shuffle(uids)
        for uid, study, series in uids:
            # A patient has two studies.
            own = element(0x00100020, b"LO", b"%d" % (study // 2))
            data = data_set(uid, f"1.2.{study}", f"1.2.{study}.{series}").replace(element(0x00100020, b"LO", b"7"), own)
            data = data[:-1] + chance.choice([b"\\0", b"\\0", b"\\1"])
            os.write(1, f"{uid} {int(keep(store, data, uid)):04X}\\n".encode())
            if chance.random() < 0.3:
                uid = f"1.8.{chance.randint(1, 6)}"
                status = keep(store, data_set(uid, "1.2.99", f"1.2.99.{chance.randint(1, 2)}"), uid)
                # Its file or folder may have been deleted meanwhile.
                is_in_order = status.is_success or status.comment.endswith(("is gone", "No such file or directory"))
                os.write(1, f"- {0 if is_in_order else int(status):04X}\\n".encode())
            if chance.random() < 0.1:
                index.delete(*chance.choice([("STUDY", "1.2.99"), ("SERIES", "1.2.99.1"), ("IMAGE", "1.8.1")]))
    os.write(1, b"ready\\n")
    sys.stdin.readline()
    threads = [threading.Thread(target=run, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
"""


def store_at_one_time(folders: list[Path], database: str, seed: int) -> None:
    """Let two processes store, and verify what the index has then."""
    with ExitStack() as stack:
        processes = [
            stack.enter_context(start_a_process(PROGRAM, folder, database, folder.name, seed)) for folder in folders
        ]
        for process in processes:
            assert process.stdout is not None
            assert process.stdout.readline() == b"ready\n"
        for process in processes:
            assert process.stdin is not None
            process.stdin.write(b"go\n")
            process.stdin.flush()
        said = [line.decode().split() for process in processes for line in process.stdout or ()]
        assert [process.wait(30) for process in processes] == [0, 0]
    assert {status for _, status in said} == {"0000"}
    acknowledged = {uid for uid, _ in said if uid != "-"}
    assert len(acknowledged) == 40
    verify(folders, database, acknowledged)


def verify(folders: list[Path], database: str, acknowledged: set[str]) -> None:
    """Verify counts, patients, and that each file of the stores is served or a duplicate."""
    known = 0
    for folder in folders:
        with Index(database, folder, node=folder.name) as index:
            # The other process may have deleted rows of files that this one has.
            index.remove_files()
            assert list(check(index, full=True)) == []
            known += len(list(folder.rglob("*.dcm")))
    with Index(database, folders[0], node=folders[0].name) as index, index.database.reading() as connection:
        served = list(connection.execute(select(INSTANCE.c.sop_uid)).scalars())
        assert acknowledged <= set(served)
        assert len(served) == len(set(served))
        duplicates = connection.execute(select(func.count()).select_from(DUPLICATE)).scalar_one()
        assert len(served) + duplicates == known
        patients = list(connection.execute(select(PATIENT.c.patient_id)).scalars())
        assert len(patients) == len(set(patients))
        numbers = [change.number for change in index.changes()]
        assert numbers == sorted(set(numbers))


@pytest.mark.parametrize(
    "seeds",
    [pytest.param(range(3), marks=pytest.mark.thorough), pytest.param(range(3, 53), marks=pytest.mark.campaign)],
    ids=["3 seeds", "50 seeds"],
)
@pytest.mark.timeout(900)
def test_two_processes_store_the_same_studies(tmp_path: Path, seeds: range) -> None:
    with new_postgresql() as server:
        for seed in seeds:
            server.execute(f"CREATE DATABASE seed{seed}")
            folders = [tmp_path / str(seed) / node for node in ("a", "b")]
            for folder in folders:
                folder.mkdir(parents=True)
            store_at_one_time(folders, f"postgresql://dimse@/seed{seed}?host={server.folder}", seed)
            server.execute(f"DROP DATABASE seed{seed}")
