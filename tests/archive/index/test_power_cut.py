"""A power cut at any moment, simulated by the recorded system calls of an archive: what was acknowledged is found afterwards."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
from pathlib import Path

import pytest

from dimse.archive.index import Index
from dimse.archive.index.check import check
from tests.archive.index.replay import CALLS, Disk, bytes_of, recorded
from tests.archive.index.rows import contents
from tests.archive.index.test_arriving import archive, data_set, keep
from tests.archive.storing import in_a_process

# Starts an archive, and stores instances from three threads; it says so after each.
PROGRAM = """
import threading
from dimse.archive.index import upkeep
from tests.archive.index.test_arriving import archive, data_set, keep
upkeep.EVERY = 0.15
with archive(Path(sys.argv[1]), sys.argv[2]) as (store, index):
    os.write(1, b"started" if index.start() else b"unclean")
    def run(thread):
        for number in range(int(sys.argv[3])):
            uid = f"1.2.3.{thread}.{number}"
            if keep(store, data_set(uid, f"1.2.{number // 4}", f"1.2.{number // 4}.{thread}"), uid) == 0:
                os.write(1, uid.encode())
    threads = [threading.Thread(target=run, args=(thread,)) for thread in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    os._exit(0)
"""

SHARES = (0.0, 0.5, 1.0)


def cut_the_power(folder: Path, scratch: Path, cuts: int, instances: int, seed: int) -> int:
    """Record an archive, cut its power at random moments of the record, and verify each time what was acknowledged.

    Returns:
        The number of instances that recoveries have added.
    """
    chance = random.Random(seed)
    database, trace = scratch / "index.db", scratch / "trace"
    with archive(folder, str(database)) as (store, index):
        index.start()
        assert keep(store, data_set("1.2.3"), "1.2.3").is_success
    before = {"": database.read_bytes()}
    watch = ["strace", "-f", "-y", "-xx", "-qq", "-s", "70000", "-o", str(trace), "-e", f"trace={CALLS}"]
    if not shutil.which("strace") or subprocess.run([*watch, "true"], capture_output=True, check=False).returncode:
        pytest.skip("there is no strace here that may trace")
    done = in_a_process(PROGRAM, folder, database, instances, before=tuple(watch))
    assert done.returncode == 0, done.stderr
    calls = list(recorded(trace))
    said = [
        number
        for number, call in enumerate(calls)
        if call.name == "write" and call.path.startswith("pipe:") and call.ended
    ]
    added = 0
    for number in range(cuts):
        # Half of the cuts come right after a success, since nothing of its transaction has become old by then.
        moment = chance.choice(said) + 1 if number % 2 else chance.randrange(said[0], len(calls))
        disk, acknowledged = Disk(str(database), before), {"1.2.3"}
        for call in calls[:moment]:
            disk.replay(call)
            if call.name == "write" and call.path.startswith("pipe:") and call.ended:
                acknowledged.add(bytes_of(call.rest).decode())
        assert "unclean" not in acknowledged
        added += verify(disk, folder, scratch / "cut", acknowledged - {"started"}, chance)
    return added


def verify(disk: Disk, folder: Path, scratch: Path, acknowledged: set[str], chance: random.Random) -> int:
    """Start an archive with what a power cut has left, and return the number of instances that its recovery has added."""
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir()
    for file in [folder / "1.2/1.3/1.2.3.dcm", *disk.after_a_cut(scratch / "index.db", chance, chance.choice(SHARES))]:
        copy = scratch / "store" / file.relative_to(folder)
        copy.parent.mkdir(parents=True, exist_ok=True)
        os.link(file, copy)
    with Index(scratch / "index.db", scratch / "store") as index:
        added = 0 if index.start() else index.recover().added
        found = {one["sop_uid"] for one in contents(index)["instance"]}
        assert acknowledged - found == set()
        assert list(check(index, full=True)) == []
    return added


@pytest.mark.parametrize(
    ("cuts", "instances"),
    [pytest.param(30, 10, marks=pytest.mark.thorough), pytest.param(1000, 40, marks=pytest.mark.campaign)],
    ids=["30 cuts", "1000 cuts"],
)
@pytest.mark.timeout(1200)
def test_a_power_cut_loses_nothing_that_was_acknowledged(
    folder: Path, tmp_path: Path, cuts: int, instances: int
) -> None:
    # A test without any loss would prove nothing.
    assert cut_the_power(folder, tmp_path, cuts, instances, cuts) > cuts // 10
