"""storescu broken off by Ctrl-C or SIGTERM, whatever it is at: it ends at once, and accounts for every file."""

from __future__ import annotations

import fcntl
import json
import signal
import socket
import subprocess
import termios
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from dimse import uids
from tests.faulty_peer import Connection, FaultyPeer
from tests.interop.peers import free_port
from tests.tools import running
from tests.tools.running import Gate, Receiver, Stored
from tests.tools.studies import files_in, outcomes, write_study

AT_ONCE = 10.0  # seconds: far below every timeout
INTERRUPTED = "Interrupted: {} stored, the rest was not sent or is unknown"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Write a study of 20 instances."""
    return write_study(tmp_path / "study")


@contextmanager
def black_hole() -> Iterator[int]:
    """Yield a port that answers no connection, because its queue is full."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]


def broken_off(process: subprocess.Popen[str], *signals: signal.Signals) -> list[str]:
    """Return what it prints when it gets these signals, one after the other; check that it ends at once."""
    running.until_asleep(process)
    started = time.monotonic()
    for number in signals:
        process.send_signal(number)
    out, err = process.communicate(timeout=running.SECONDS)
    assert time.monotonic() - started < AT_ONCE
    assert out == ""
    assert "Traceback" not in err
    return err.splitlines()


def until_said(process: subprocess.Popen[str], words: str, times: int = 1) -> None:
    """Read its stderr until it has said this so often."""
    assert process.stderr is not None
    while times:
        line = process.stderr.readline()
        assert line, f"it ended without {words!r}"
        times -= words in line


@pytest.mark.thorough
@pytest.mark.parametrize("jobs", [1, 4])
@pytest.mark.parametrize(
    ("signals", "status"),
    [([signal.SIGINT], 130), ([signal.SIGTERM], 143), ([signal.SIGINT, signal.SIGINT], 130)],
    ids=["SIGINT", "SIGTERM", "twice"],
)
def test_broken_off_while_it_sends_every_file_is_accounted_for(
    folder: Path, tmp_path: Path, jobs: int, signals: list[signal.Signals], status: int
) -> None:
    gate, report = Gate(), tmp_path / "r.json"

    def store(stored: Stored) -> int:
        if stored.sop_instance_uid == "1.2.0.3":
            gate.stop()
        return 0

    with (
        Receiver(store) as receiver,
        running.start(
            "storescu", "127.0.0.1", receiver.port, folder, "--jobs", jobs, "--report", report, "--any-order"
        ) as process,
    ):
        gate.wait()
        said = broken_off(process, *signals)
        gate.open()
    assert process.returncode == status
    written = json.loads(report.read_text())
    assert written["summary"]["complete"] is False
    assert sorted(row["file"] for row in written["files"]) == files_in(folder)
    found = Counter(row["outcome"] for row in written["files"])
    assert found["unknown"] >= 1
    assert found["stored"] + found["unknown"] + found["unsent"] == 20
    assert said == [f"E: {INTERRUPTED.format(found['stored'])}"]


@pytest.mark.thorough
@pytest.mark.parametrize("jobs", [1, 4])
def test_broken_off_while_it_connects(folder: Path, tmp_path: Path, jobs: int) -> None:
    report = tmp_path / "r.jsonl"
    with (
        black_hole() as port,
        running.start("storescu", "127.0.0.1", port, folder, "--jobs", jobs, "-v", "--report", report) as process,
    ):
        until_said(process, "Requesting Association", jobs)
        said = broken_off(process, signal.SIGINT)
    assert process.returncode == 130
    assert said[0] == f"E: {INTERRUPTED.format(0)}"
    assert outcomes(report) == {"unsent": 20}


@pytest.mark.thorough
def test_broken_off_while_one_job_sends_and_another_waits_for_an_association(folder: Path, tmp_path: Path) -> None:
    report, gate = tmp_path / "r.jsonl", Gate()

    def behave(connection: Connection) -> None:
        if connection is peer.connections[0]:  # and the second gets no answer
            connection.accept()
            connection.read_message()
            gate.reached.set()
        connection.drain()

    peer = FaultyPeer(behave)
    with (
        peer as port,
        running.start("storescu", "127.0.0.1", port, folder, "--jobs", 2, "-v", "--report", report) as process,
    ):
        until_said(process, "Requesting Association", 2)
        gate.wait()
        said = broken_off(process, signal.SIGINT)
    assert process.returncode == 130
    assert f"E: {INTERRUPTED.format(0)}" in said
    assert outcomes(report) == {"unsent": 19, "unknown": 1}


@pytest.mark.thorough
@pytest.mark.parametrize("jobs", [1, 3])
@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_broken_off_between_two_attempts(
    folder: Path, tmp_path: Path, jobs: int, number: signal.Signals, status: int
) -> None:
    report = tmp_path / "r.jsonl"
    options = "--jobs", jobs, "--retry", 9, "--retry-wait", 1000, "-ll", "warn", "--report", report
    with running.start("storescu", "127.0.0.1", free_port(), folder, *options) as process:
        until_said(process, "trying again in", jobs)
        said = broken_off(process, number)
    assert process.returncode == status
    assert said == [f"E: {INTERRUPTED.format(0)}"]
    assert outcomes(report) == {"unsent": 20}


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("options", "said"),
    [
        ([], INTERRUPTED.format(0)),
        (["--jobs", "3"], INTERRUPTED.format(0)),
        (["--dry-run"], "Interrupted"),
    ],
    ids=["", "jobs", "dry run"],
)
def test_broken_off_while_it_waits_for_a_list(folder: Path, options: list[str], said: str) -> None:
    with running.start("storescu", "127.0.0.1", 104, "-", *options, stdin=subprocess.PIPE) as process:
        assert process.stdin is not None
        process.stdin.write(f"{folder / '00.dcm'}\n")
        process.stdin.flush()
        while fcntl.ioctl(process.stdin, termios.FIONREAD, bytes(4)) != bytes(4):
            pass  # it has not read it yet
        assert broken_off(process, signal.SIGINT) == [f"E: {said}"]
    assert process.returncode == 130


@pytest.mark.thorough
@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_broken_off_while_it_waits_for_storage_commitment(
    folder: Path, tmp_path: Path, number: signal.Signals, status: int
) -> None:
    report, asked = tmp_path / "r.jsonl", threading.Event()

    def never_reports(connection: Connection) -> None:
        connection.accept()
        if connection.contexts[0].abstract_syntax != uids.StorageCommitmentPushModel:
            connection.serve()
            return
        connection.respond(connection.read_message())
        asked.set()
        connection.drain()

    peer = FaultyPeer(never_reports)
    with peer as port, running.start("storescu", "127.0.0.1", port, folder, "--verify", "--report", report) as process:
        assert asked.wait(running.SECONDS)
        said = broken_off(process, number)
    assert process.returncode == status
    assert said == ["E: Interrupted while waiting for storage commitment"]
    assert outcomes(report) == {"stored": 20}
    assert peer.connections[1].abort == (0, 0)
