"""The journal in several hands: processes that are killed, that share it, and whose disk is full."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from dimse.instances import InstanceFile
from dimse.sending.journal import Journal
from tests.sending.recording import a_file, journal, rows, send, states

ROOT = Path(__file__).parents[2]
ENVIRONMENT = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "sent.journal"


RECORD = """
import sys
from dimse.errors import JournalError
from dimse.instances import InstanceFile
from dimse.message.status import Status
from dimse.sending.finding import Finder
from dimse.sending.journal import Journal, entries
from dimse.services.outcome import Outcome

def files(prefix, most):
    for number in range(most):
        yield InstanceFile(f"/no/such/{prefix}/{number}", "1.2", f"1.2.{prefix}.{number}", "1.2.840.10008.1.2", 0, 9, (0, 0), 9, 9)

def record(journal, file):
    journal.queue(file)
    journal.sending(file, 1)
    journal.record(file, Outcome(file.path, Status(0), attempts=1))
    print(file.sop_instance_uid, flush=True)

journal = Journal(sys.argv[1], host="pacs", port=104, called_ae_title="ANY-SCP")
"""
RECORD_ALL = (
    RECORD
    + """
for file in files(sys.argv[2], int(sys.argv[3])):
    record(journal, file)
journal.close()
"""
)
RECORD_UNTIL_FULL = (
    RECORD
    + """
printed = 0
try:
    for file in files(1, 1_000_000):
        journal.queue(file)
        journal.sending(file, 1)
        journal.record(file, Outcome(file.path, Status(0), attempts=1))
        printed += 1
except JournalError as error:
    print(error)
try:
    journal.close()
except JournalError:
    pass
print(printed > 100, printed == sum(entry.state == "acked" for entry in entries(sys.argv[1])))
"""
)


def start(program: str, *arguments: object, before: tuple[str, ...] = ()) -> subprocess.Popen[str]:
    words = (*before, sys.executable, "-c", program, *map(str, arguments))
    return subprocess.Popen(words, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.parametrize("kills", [4, pytest.param(20, marks=pytest.mark.thorough)])
def test_a_killed_process_loses_no_acknowledgement(path: Path, kills: int) -> None:
    printed = set()
    for number in range(kills):
        with start(RECORD_ALL, path, number, 1_000_000) as process:
            assert process.stdout is not None
            printed |= {process.stdout.readline().strip() for _ in range(1 + number * 7)}
            process.kill()
            printed |= {line.strip() for line in process.stdout if line.endswith("\n")}
        assert process.returncode == -signal.SIGKILL
        acknowledged = {entry.sop_instance_uid for entry in rows(path) if entry.state == "acked"}
        assert printed <= acknowledged
    with journal(path):
        assert set(states(path)) <= {"acked", "unknown"}
    # For each kill, one is recorded and not printed, and one is under way.
    assert len(rows(path)) - len(printed) <= 2 * kills


def test_processes_share_a_journal(path: Path) -> None:
    processes = [start(RECORD_ALL, path, number, 200) for number in range(3)]
    faults = [process.communicate(timeout=50)[1] for process in processes]
    assert faults == [""] * 3
    assert states(path) == ["acked"] * 600


def test_threads_share_a_journal(path: Path, tmp_path: Path) -> None:
    files = [a_file(tmp_path / f"{number}.dcm", uid=f"1.2.{number}") for number in range(80)]
    faults: list[BaseException] = []

    def some(shared: Journal, files: list[InstanceFile]) -> None:
        try:
            for file in files:
                send(shared, file)
                assert shared.acknowledged(file) == 0
        except BaseException as error:
            faults.append(error)
            raise

    with journal(path) as shared:
        threads = [threading.Thread(target=some, args=(shared, files[first::4])) for first in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert faults == []
    assert states(path) == ["acked"] * 80


def test_a_journal_in_use_can_be_read_without_blocking(path: Path, tmp_path: Path) -> None:
    files = [a_file(tmp_path / f"{number}.dcm", uid=f"1.2.{number}") for number in range(2)]
    with journal(path) as one, journal(path, "other") as another:
        one.queue(files[0])
        send(another, files[1])
        one.sending(files[0], 1)
        assert [(entry.host, entry.state) for entry in rows(path)] == [("other", "acked"), ("pacs", "sending")]


def test_a_full_disk_is_said_and_what_was_acknowledged_stays(tmp_path: Path) -> None:
    small_disk = ("unshare", "--mount", "sh", "-c", f"mount -t tmpfs -o size=1m none '{tmp_path}' && exec \"$@\"", "sh")
    if (
        not shutil.which("unshare")
        or subprocess.run([*small_disk, "true"], capture_output=True, check=False).returncode
    ):
        pytest.skip("only root may mount a small file system")
    path = tmp_path / "sent.journal"
    with start(RECORD_UNTIL_FULL, path, before=small_disk) as process:
        said, faults = process.communicate(timeout=50)
    assert said.splitlines() == [f"the journal {path} cannot be used: database or disk is full", "True True"], faults
