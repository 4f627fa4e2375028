"""The promise of `qrscp` itself: killed at any moment while storescu sends, and watched by its system calls."""

from __future__ import annotations

import json
import random
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Timer
from time import monotonic
from typing import Any

import pytest

import dimse
from dimse import uids
from dimse.archive.index import Index
from dimse.archive.index.check import check
from tests.archive.storing import ENVIRONMENT, ROOT
from tests.interop.ours import TIMEOUTS
from tests.tools import running
from tests.tools.listeners import Listener, listening
from tests.tools.running import Instance, element

FIND = uids.StudyRootQueryRetrieveInformationModelFind


@contextmanager
def qrscp(folder: Path, database: str, *arguments: object, before: tuple[str, ...] = ()) -> Iterator[Listener]:
    """Run qrscp; `before` are the words in front of its command."""

    def start(command: list[str], **options: Any) -> subprocess.Popen[str]:
        return subprocess.Popen([*before, *command], cwd=ROOT, env=ENVIRONMENT, **options)

    places = ("--instance-location", folder, "--database-location", database)
    with listening("qrscp", *places, "--max-matches", 0, *arguments, start=start) as listener:
        yield listener


def write(folder: Path, names: list[str]) -> None:
    """Write files of up to 20,000 bytes; a name is the number of the study, and that of the instance."""
    for name in names:
        study = name.partition(".")[0]
        chance = random.Random(name)
        rest = (
            element(0x0010, 0x0020, "LO", study.encode())
            + element(0x0020, 0x000D, "UI", f"1.2.{study}".encode())
            + element(0x0020, 0x000E, "UI", f"1.2.{study}.{chance.randint(1, 3)}".encode())
            + element(0x7FE0, 0x0010, "OB", chance.randbytes(2 * chance.randrange(10_000)))
        )
        Instance(f"1.9.{name}", rest=rest).write(folder / f"{name}.dcm")


def found(listener: Listener) -> set[str]:
    """Return the SOP Instance UIDs that a query finds; while the index is recovered, it is asked again."""
    with dimse.associate(listener.host, listener.port, contexts=[FIND], timeouts=TIMEOUTS) as association:
        while True:
            try:
                matches = list(association.find({"SOPInstanceUID": ""}, level="IMAGE"))
            except dimse.StatusError as error:
                assert "recovered" in str(error)
            else:
                return {str(match.dataset().SOPInstanceUID) for match in matches}


def acknowledged(report: Path) -> set[str]:
    """Return the SOP Instance UIDs that a report has as stored."""
    lines = map(json.loads, report.read_text().splitlines()) if report.exists() else ()
    return {line["sop_instance_uid"] for line in lines if line.get("outcome") == "stored"}


def send_until_killed(listener: Listener, folder: Path, report: Path, seconds: float) -> set[str]:
    """Send a folder over four associations to a qrscp that is killed meanwhile, and return what was acknowledged."""
    timer = Timer(seconds, listener.process.kill)
    timer.start()
    running.tool("storescu", "--jobs", 4, "-r", "--report", report, listener.host, listener.port, folder)
    timer.cancel()
    timer.join()
    listener.process.kill()
    listener.process.wait()
    return acknowledged(report)


@pytest.mark.parametrize(
    ("kills", "seed"),
    [
        pytest.param(4, 0, marks=pytest.mark.thorough),
        *(pytest.param(10, seed, marks=pytest.mark.campaign) for seed in range(1, 11)),
    ],
)
@pytest.mark.timeout(600)
def test_a_kill_under_load_loses_nothing_that_was_acknowledged(
    folder: Path, tmp_path: Path, database: str, kills: int, seed: int
) -> None:
    chance, cut = random.Random(seed), 0
    kept: set[str] = set()
    for kill in range(kills):
        # Half of the studies go on from one process to the next.
        names = [f"{number % 10 + (kill if number % 2 else 0)}.{kill}.{number}" for number in range(500)]
        write(tmp_path / f"sent{kill}", names)
        with qrscp(folder, database) as listener:
            assert kept <= found(listener)
            begun = monotonic()
            new = send_until_killed(
                listener, tmp_path / f"sent{kill}", tmp_path / f"{kill}.jsonl", chance.uniform(0.2, 0.9)
            )
            cut += len(new) < len(names)
            kept |= new
            assert monotonic() - begun < 50
    assert cut > 0
    with qrscp(folder, database) as listener:
        assert kept <= found(listener)
        listener.end()
    with Index(database, folder) as index:
        assert index.store.was_clean
        assert list(check(index, full=True)) == []


# (0000,0900) US 0000H, as strace prints it.
SUCCESS = r"\x00\x00\x00\x09\x02\x00\x00\x00\x00\x00"


def test_every_success_is_sent_after_file_name_folder_and_row(folder: Path, tmp_path: Path, database: str) -> None:
    trace = tmp_path / "trace"
    folder.mkdir()
    calls = "fsync,linkat,pwrite64,sendmsg,sendto,write,writev,recvfrom"
    watch = ("strace", "-D", "-f", "--seccomp-bpf", "-qq", "-yy", "-x", "-s", "2000", "-o", str(trace), "-e", calls)
    if not shutil.which("strace") or subprocess.run([*watch, "true"], capture_output=True, check=False).returncode:
        pytest.skip("there is no strace here that may trace")
    write(tmp_path / "sent", [f"1.{number}" for number in range(30)])
    with qrscp(folder, database, before=watch) as listener:
        listener.run("storescu", "-r", tmp_path / "sent")
        listener.process.send_signal(signal.SIGTERM)
        listener.process.wait(30)
    successes = 0
    done: list[str] = []
    for line in trace.read_text().splitlines():
        step = _step(line, folder, database)
        if step == "success":
            # Folders of a new series, and those above them, are synced one after another.
            assert [one for number, one in enumerate(done) if one not in done[:number]] == STEPS
            assert done.index("commit") > max(number for number, one in enumerate(done) if one == "fsync folder")
            done = []
            successes += 1
        elif step and (done or step != "commit"):
            done.append(step)
    assert successes == 30


COMMIT = "".join(f"\\x{byte:02x}" for byte in b"COMMIT")
STEPS = ["fsync file", "name", "fsync folder", "commit"]


def _step(line: str, folder: Path, database: str) -> str:
    """Return the step of an instance that a line of the trace is; empty for others, and for what the upkeep does."""
    call, _, rest = line.split(maxsplit=1)[1].partition("(")
    if call == "fsync" and f"<{folder}" in rest:
        assert rest.endswith(" = 0")
        return "fsync file" if ".part>" in rest else "fsync folder"
    if call == "linkat":
        assert rest.endswith(" = 0")
        return "name"
    if "<TCP" in rest and SUCCESS in rest and call.startswith(("send", "write")):
        return "success"
    if call == "pwrite64" and f"<{database}-wal>" in rest:
        return "commit"
    # The server has answered to the COMMIT.
    return "commit" if call == "recvfrom" and "<UNIX" in rest and COMMIT in rest else ""
