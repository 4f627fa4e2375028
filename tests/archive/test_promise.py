"""The promise of a success, kept by `python -m dimse storescp` itself: killed at any moment, watched, and asked by many."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Timer
from time import monotonic

import pytest

import dimse
from dimse.association.sinks import SpooledSink
from dimse.settings import ProposedContext
from dimse.uids import ExplicitVRLittleEndian
from tests.archive.storing import (
    CT,
    ENVIRONMENT,
    KEPT,
    ROOT,
    STUDY_INSTANCE_UID,
    data_set,
    names,
    store_request,
    stored_data_set,
)
from tests.interop.ours import TIMEOUTS


@dataclass(frozen=True)
class Receiver:
    """A storescp that listens."""

    process: subprocess.Popen[str]
    port: int

    def associate(self) -> dimse.Association:
        contexts = [ProposedContext(CT, (ExplicitVRLittleEndian,))]
        return dimse.associate("127.0.0.1", self.port, contexts=contexts, timeouts=TIMEOUTS)


@contextmanager
def storescp(folder: Path, *options: object, before: tuple[str, ...] = ()) -> Iterator[Receiver]:
    """Run storescp; `before` are the words in front of it. It ends by SIGTERM, unless it has ended."""
    words = [*before, sys.executable, "-m", "dimse", "storescp", "0", "-v", "-ba", "127.0.0.1", "-od", str(folder)]
    words += map(str, options)
    with subprocess.Popen(words, stderr=subprocess.PIPE, text=True, cwd=ROOT, env=ENVIRONMENT) as process:
        try:
            assert process.stderr is not None
            said = iter(process.stderr.readline, "")
            listening = next(line for line in said if line.startswith("I: Listening on "))
            yield Receiver(process, int(listening.rpartition(":")[2]))
            killed = process.poll() is not None
            process.send_signal(signal.SIGTERM)
            _, rest = process.communicate(timeout=30)
            assert "Traceback" not in rest
            assert process.returncode == (-signal.SIGKILL if killed else 0)
        finally:
            process.kill()


def send(association: dimse.Association, uid: str, content: bytes, study: str = "") -> int:
    """Store an instance that has these bytes in it."""
    request = store_request(uid)
    request.sink = SpooledSink()
    others = {STUDY_INSTANCE_UID: study} if study else None
    request.sink.write([memoryview(data_set(uid, content=content, others=others))])
    return association.store(request)


def sent_content(uid: str) -> bytes:
    """Return the content of an instance of that UID: up to 60,000 bytes, the same at every call."""
    return random.Random(uid).randbytes(random.Random(uid).randrange(60_000))


def send_until_killed(receiver: Receiver, uids: list[str], seconds: float) -> list[str]:
    """Send instances to a receiver that is killed after `seconds`; those that were acknowledged."""
    kept: list[str] = []
    timer = Timer(seconds, receiver.process.kill)
    timer.start()
    with suppress(dimse.DimseError), receiver.associate() as association:
        for uid in uids:
            if send(association, uid, sent_content(uid)) == KEPT:
                kept.append(uid)
    receiver.process.wait()
    timer.join()
    return kept


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("kills", "objects"),
    [pytest.param(10, 30, marks=pytest.mark.thorough), pytest.param(100, 100, marks=pytest.mark.campaign)],
    ids=["10 kills", "100 kills"],
)
def test_a_kill_at_any_moment_loses_nothing_that_was_acknowledged(tmp_path: Path, kills: int, objects: int) -> None:
    folder, chance = tmp_path / "store", random.Random(kills)
    with storescp(tmp_path / "measured") as receiver, receiver.associate() as association:
        start = monotonic()
        for number in range(objects):
            assert send(association, f"1.{number}", sent_content(f"1.{number}")) == KEPT
        seconds = monotonic() - start
    kept: list[str] = []
    cut = 0
    for kill in range(kills):
        batch = [f"1.{kill}.{number}" for number in range(objects)]
        # It has cleared what the process before it left.
        with storescp(folder) as receiver:
            assert names(folder) == [f"CT.{uid}" for uid in sorted(kept, key=lambda uid: f"CT.{uid}")]
            acknowledged = send_until_killed(receiver, batch, chance.uniform(0, seconds))
        cut += len(acknowledged) < objects
        assert acknowledged == batch[: len(acknowledged)]
        with storescp(folder) as receiver, receiver.associate() as association:
            there = set(names(folder))
            assert {f"CT.{uid}" for uid in acknowledged} <= there
            for uid in acknowledged:
                assert stored_data_set(folder / f"CT.{uid}") == data_set(uid, content=sent_content(uid))
            # What was under way may be there, whole: then it is not stored again.
            for uid in batch[len(acknowledged) :]:
                assert send(association, uid, sent_content(uid)) == KEPT
        kept += batch
    assert cut > kills // 2
    assert sorted(path.name for path in folder.iterdir()) == sorted(f"CT.{uid}" for uid in kept)
    for uid in kept:
        assert stored_data_set(folder / f"CT.{uid}") == data_set(uid, content=sent_content(uid))


# (0000,0900) US 0000H, as strace prints it.
SUCCESS = r"\x00\x00\x00\x09\x02\x00\x00\x00\x00\x00"


def test_every_success_is_sent_after_the_disk_has_the_file_its_name_and_the_folder(tmp_path: Path) -> None:
    folder, trace = tmp_path / "store", tmp_path / "trace"
    folder.mkdir()
    calls = "fsync,fdatasync,linkat,renameat,renameat2,sendmsg,sendto,write,writev"
    watch = ("strace", "-D", "-f", "--seccomp-bpf", "-qq", "-yy", "-x", "-s", "1000", "-o", str(trace), "-e", calls)
    if not shutil.which("strace") or subprocess.run([*watch, "true"], capture_output=True, check=False).returncode:
        pytest.skip("there is no strace here that may trace")
    with storescp(folder, before=watch) as receiver, receiver.associate() as association:
        for number in range(50):
            assert send(association, f"1.2.{number}", sent_content(f"1.2.{number}")) == KEPT
    done: list[str] = []  # since the last success
    successes = 0
    for line in trace.read_text().splitlines():
        call, _, rest = line.split(maxsplit=1)[1].partition("(")
        if call == "fsync":
            done.append("fsync file" if ".part>" in rest else "fsync folder" if f"<{folder}>)" in rest else "fsync")
            assert rest.endswith(" = 0")
        elif call == "linkat":
            done.append(f"name {rest.split(chr(34))[3]}")
            assert rest.endswith(" = 0")
        elif "<TCP" in rest and SUCCESS in rest:
            assert done == ["fsync file", f"name CT.1.2.{successes}", "fsync folder"]
            done = []
            successes += 1
    assert successes == 50
    assert len(names(folder)) == 50


def test_a_hundred_associations_that_send_one_instance_make_one_file(tmp_path: Path) -> None:
    content = sent_content("1.2.3")

    def send_it(receiver: Receiver) -> int:
        with receiver.associate() as association:
            return send(association, "1.2.3", content)

    with storescp(tmp_path) as receiver, ThreadPoolExecutor(20) as pool:
        assert list(pool.map(send_it, [receiver] * 100)) == [KEPT] * 100
    assert os.listdir(tmp_path) == ["CT.1.2.3"]
    assert stored_data_set(tmp_path / "CT.1.2.3") == data_set("1.2.3", content=content)
