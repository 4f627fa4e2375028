"""Every study of which an instance was acknowledged is told of, though storescp is killed at any moment."""

from __future__ import annotations

import json
import random
import shlex
import shutil
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from threading import Timer
from time import monotonic
from typing import Any

import pytest

import dimse
from dimse.archive.events import pending_studies
from tests.archive.storing import KEPT
from tests.archive.test_promise import SUCCESS, Receiver, send, sent_content, storescp

SECONDS = 60.0

# Appends what it is told as one line, in one write.
TELL = """
import os, sys
file = os.open(sys.argv[1], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
os.write(file, sys.stdin.buffer.read())
"""


def telling(told: Path, *options: str) -> list[str]:
    """Return the options of a storescp that notes in a file which studies it announces."""
    return ["--exec-study", shlex.join([sys.executable, "-I", "-S", "-c", TELL, str(told)]), *options]


def counted(told: Path) -> Counter[str]:
    """Return the instances that each study was announced with; an event that was repeated counts once."""
    events: dict[str, dict[str, Any]] = {}
    for line in told.read_text().splitlines() if told.exists() else []:
        event = json.loads(line)
        # The same event is told of in the same words.
        assert events.setdefault(event["event_id"], event) == event
    counts: Counter[str] = Counter()
    for event in events.values():
        counts[event["study_instance_uid"]] += event["instances"] + event["duplicates"]
    return counts


def send_until_killed(receiver: Receiver, number: int, seconds: float) -> Counter[str]:
    """Send instances of three studies over two associations to a receiver that is killed; how many of each were acknowledged."""
    kept: Counter[str] = Counter()

    def send_some(sender: int) -> None:
        with suppress(dimse.DimseError), receiver.associate() as association:
            for instance in range(1000):
                uid, study = f"1.{number}.{sender}.{instance}", f"1.{number % 7}.{instance % 3}"
                if send(association, uid, sent_content(uid)[:5000], study) == KEPT:
                    kept[f"{sender} {study}"] += 1

    timer = Timer(seconds, receiver.process.kill)
    timer.start()
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(send_some, range(2)))
    receiver.process.wait()
    timer.join()
    studies: Counter[str] = Counter()
    for sent, count in kept.items():
        studies[sent.split()[1]] += count
    return studies


@pytest.mark.timeout(1800)
@pytest.mark.parametrize(
    "kills",
    [pytest.param(8, marks=pytest.mark.thorough), pytest.param(200, marks=pytest.mark.campaign)],
    ids=["8 kills", "200 kills"],
)
def test_a_kill_at_any_moment_leaves_every_study_told_of_or_pending(tmp_path: Path, kills: int) -> None:
    folder, told, chance = tmp_path / "store", tmp_path / "told", random.Random(kills)
    options = telling(told, "--study-timeout", "0.05")
    acknowledged: Counter[str] = Counter()
    for kill in range(kills):
        with storescp(folder, *options) as receiver:
            acknowledged += send_until_killed(receiver, kill, chance.uniform(0.02, 0.8))
        waiting = {entry.study.study_instance_uid for entry in pending_studies(folder)}
        assert set(acknowledged) <= set(counted(told)) | waiting
    with storescp(folder, *options):
        deadline = monotonic() + SECONDS
        while pending_studies(folder):
            assert monotonic() < deadline
    assert sum(acknowledged.values()) > 10 * kills
    found = counted(told)
    for study, count in acknowledged.items():
        # An instance that was kept and not acknowledged may have been told of too.
        assert found[study] >= count
    assert not (folder / ".studies").exists()


CALLS = "fsync,sendmsg,sendto,write,writev"


def test_a_success_is_sent_after_the_disk_knows_that_the_study_waits(tmp_path: Path) -> None:
    folder, trace = tmp_path / "store", tmp_path / "trace"
    folder.mkdir()
    watch = ("strace", "-D", "-f", "--seccomp-bpf", "-qq", "-yy", "-x", "-s", "1000", "-o", str(trace), "-e", CALLS)
    if not shutil.which("strace") or subprocess.run([*watch, "true"], capture_output=True, check=False).returncode:
        pytest.skip("there is no strace here that may trace")
    with storescp(folder, "--exec-study", "true", before=watch) as receiver, receiver.associate() as association:
        for number in range(20):
            assert send(association, f"1.2.{number}", b"", study=f"1.{number // 5}") == KEPT
    successes, synced = 0, set()
    for line in trace.read_text().splitlines():
        call, _, rest = line.split(maxsplit=1)[1].partition("(")
        if call == "fsync" and "/.studies" in rest:
            assert rest.endswith(" = 0")
            synced.add(rest.partition("/.studies")[2].partition(">")[0])
        elif "<TCP" in rest and SUCCESS in rest:
            # The file of the study, which has a name of its own, and the folder: once a study.
            assert {f"/1.{successes // 5}", ""} <= synced
            if successes % 5 == 4:
                synced.clear()
            successes += 1
    assert successes == 20
