"""storescu's options of sending, as its user notices them: jobs, retries, journal, report, and what is sent."""

from __future__ import annotations

import csv
import json
import os
import re
import sqlite3
import subprocess
import threading
import zipfile
from collections import Counter
from pathlib import Path

import pytest
from pydicom.data import get_testdata_file

import dimse
from dimse import uids
from dimse.testing import StorageSCP
from tests.chaos.proxy import Proxy
from tests.faulty_peer import Connection
from tests.interop.peers import free_port
from tests.tools import running
from tests.tools.listeners import listening
from tests.tools.running import Receiver, Stored, errors, lines
from tests.tools.studies import files_in, instance, rows, write_study
from tests.tools.terminal import ERASE, Terminal

FULL = 0xA700
CANNOT_UNDERSTAND = 0xC000


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Write a study of 20 instances."""
    return write_study(tmp_path / "study")


# ---- several jobs


class Together:
    """A behaviour of a `Receiver` that stores nothing before so many associations have sent something."""

    def __init__(self, associations: int) -> None:
        self._barrier = threading.Barrier(associations, timeout=running.SECONDS)
        self._seen: set[tuple[str, int]] = set()

    def __call__(self, stored: Stored) -> int:
        if stored.association not in self._seen:
            self._seen.add(stored.association)
            self._barrier.wait()
        return 0


def test_jobs_send_at_one_time_and_a_series_stays_together_in_order(folder: Path) -> None:
    with Receiver(Together(4)) as receiver:
        process = receiver.storescu(folder, "--jobs", 4)
    assert (process.returncode, process.stderr) == (0, "")
    assert receiver.associations == 4
    for series in range(4):
        stored = [one for one in receiver.stored if one.sop_instance_uid.startswith(f"1.2.{series}.")]
        assert [one.sop_instance_uid for one in stored] == [f"1.2.{series}.{number}" for number in range(5)]
        assert len({one.association for one in stored}) == 1


@pytest.mark.thorough
def test_any_order_spreads_a_series(tmp_path: Path) -> None:
    for number in range(8):
        instance(0, number).write(tmp_path / f"{number}.dcm")
    with Receiver() as receiver:
        assert receiver.storescu(tmp_path, "--jobs", 2).returncode == 0
    assert receiver.associations == 1
    with Receiver(Together(2)) as receiver:
        assert receiver.storescu(tmp_path, "--jobs", 2, "--any-order").returncode == 0
    assert receiver.associations == 2
    assert sorted(receiver.uids) == [f"1.2.0.{number}" for number in range(8)]


@pytest.mark.thorough
def test_a_peer_that_takes_fewer_associations_gets_everything_over_those(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    gate, arrived = running.Gate(), []

    def store(request: dimse.StoreRequest) -> int:
        gate.stop()
        arrived.append(request.sop_instance_uid)
        return 0

    # By default one address may not have all associations, and here two of them are to stand.
    handlers, limits = dimse.Handlers(store=store), dimse.Limits(associations=2, per_address=0)
    with dimse.Server(("127.0.0.1", 0), handlers, accept_unknown=True, limits=limits) as server:
        arguments = *server.address, folder, "--jobs", 4, "-ll", "warn"
        with running.start("storescu", *arguments) as process:
            while caplog.text.count("rejected STORESCU") < 2:
                os.sched_yield()
            gate.open()
            _, said = process.communicate(timeout=running.SECONDS)
    assert said == (
        "W: Association Rejected: Result: Rejected Transient, Source: Service Provider (Presentation): "
        "Reason: Local limit exceeded; other associations have sent the files\n"
    )
    assert process.returncode == 0
    assert len(set(arrived)) == 20


def test_why_no_job_has_an_association_is_said_once(folder: Path) -> None:
    process = running.tool("storescu", "127.0.0.1", free_port(), folder, "--jobs", 4)
    assert process.returncode == 1
    assert running.errors_of_request(process) == [
        "Association request failed: unable to connect to remote",
        "TCP Initialisation Error: Connection refused",
    ]


def test_the_lines_of_each_job_name_the_file(folder: Path) -> None:
    with Receiver() as receiver:
        said = lines(receiver.storescu(folder, "--jobs", 4, "-v"), "I")
    files = {line.removeprefix("Sending file: ") for line in said if line.startswith("Sending file: ")}
    assert len(files) == 20
    for words in ("Sending Store Request: MsgID ", "Received Store Response (Status: 0x0000 - Success): MsgID "):
        about = [line for line in said if line.startswith(words)]
        assert {line.rpartition(", ")[2] for line in about} == files


# ---- requests that wait for their responses together


@pytest.mark.thorough
def test_async_ops_are_used_where_they_are_granted(folder: Path, tmp_path: Path) -> None:
    with listening("storescp", "-od", tmp_path / "in", "--async-ops", 8) as listener:
        with Proxy(listener.port, delay=0.05) as port:
            process = running.tool("storescu", "127.0.0.1", port, folder, "--async-ops", 8, "-d")
        assert process.returncode == 0
        listener.end()
    said = process.stderr.splitlines()
    granted = said.index("D: Accepted Asynchronous Operations Window Negotiation:")
    assert said[granted + 1] == "D:   Maximum Invoked Operations:     8"
    outstanding = most = 0
    for line in said:
        outstanding += line.startswith("I: Sending Store Request") - line.startswith("I: Received Store Response")
        most = max(most, outstanding)
    assert (outstanding, most) == (0, 8)
    sent = dict(
        re.findall(r"^I: Sending Store Request: MsgID (\d+)(?:, \(\w+\))?, (/.*)$", process.stderr, re.MULTILINE)
    )
    answered = re.findall(
        r"^I: Received Store Response \(Status: 0x0000 - Success\): MsgID (\d+), (/.*)$", process.stderr, re.MULTILINE
    )
    assert len(sent) == 20
    assert sent == dict(answered)
    assert len(list((tmp_path / "in").iterdir())) == 20


# ---- trying again


@pytest.mark.thorough
def test_it_tries_again_until_the_peer_is_there(folder: Path) -> None:
    port = free_port()
    arguments = "127.0.0.1", port, folder, "--retry", 6, "--retry-wait", 0.2, "-ll", "warn"
    with running.start("storescu", *arguments) as process:
        assert process.stderr is not None
        said = process.stderr.readline()
        with dimse.Server(("127.0.0.1", port), dimse.Handlers(store=lambda request: 0), accept_unknown=True):
            process.communicate(timeout=running.SECONDS)
    assert process.returncode == 0
    assert re.fullmatch(
        r"W: Association request failed: unable to connect to remote: TCP Initialisation Error: Connection refused; "
        r"trying again in 0\.[12] s\n",
        said,
    )


def test_no_peer_listens_at_any_attempt(folder: Path) -> None:
    process = running.tool("storescu", "127.0.0.1", free_port(), folder, "--retry", 2, "--retry-wait", 0, "-ll", "warn")
    assert process.returncode == 1
    assert [line.endswith("Connection refused; trying again in 0.0 s") for line in lines(process, "W")] == [True, True]
    assert running.errors_of_request(process) == [
        "Association request failed: unable to connect to remote",
        "TCP Initialisation Error: Connection refused",
    ]


def test_out_of_resources_is_tried_again(folder: Path, tmp_path: Path) -> None:
    refuse = iter([0, FULL])
    with Receiver(lambda stored: next(refuse, 0)) as receiver:
        options = "--retry", 1, "--retry-wait", 0.01, "--report", tmp_path / "r.jsonl", "-ll", "warn"
        process = receiver.storescu(folder, *options)
    assert process.returncode == 0
    (said,) = process.stderr.splitlines()
    path = folder / "01.dcm"
    assert said == f"W: {path}: 0xA700 - Failure: Refused: Out of Resources; trying again in 0.0 s"
    assert receiver.associations == 2
    assert {row["file"] for row in rows(tmp_path / "r.jsonl") if row["attempts"] == 2} == {str(path)}


@pytest.mark.parametrize(
    ("status", "attempts", "options"),
    [(FULL, 1, []), (FULL, 3, ["--retry", "2"]), (CANNOT_UNDERSTAND, 1, ["--retry", "2"])],
)
def test_what_is_refused_for_good_is_said_once(tmp_path: Path, status: int, attempts: int, options: list[str]) -> None:
    path = instance(0, 0).write(tmp_path / "a.dcm")
    with Receiver(status) as receiver:
        process = receiver.storescu(path, *options, "--retry-wait", 0)
    assert process.returncode == 3
    assert len(receiver.stored) == attempts
    (said,) = errors(process)
    assert said.startswith(f"Store failed: {path}: 0x{status:04X} - Failure: ")


# ---- the journal


@pytest.mark.thorough
def test_a_second_run_with_the_journal_sends_nothing(folder: Path, tmp_path: Path) -> None:
    journal = tmp_path / "sent.db"
    with Receiver() as receiver:
        assert receiver.storescu(folder, "--journal", journal).returncode == 0
        again = receiver.storescu(folder, "--journal", journal, "-v")
        instance(7, 7).write(folder / "new.dcm")
        assert receiver.storescu(folder, "--journal", journal, "--jobs", 2).returncode == 0
    assert again.returncode == 0
    (said,) = lines(again, "I")
    assert said.startswith("Stored 0 of 0 files, 0 instances, 0.0 MB in ")
    assert said.endswith(" s (0.0 MB/s), 0 failed, 20 acknowledged earlier")
    assert receiver.associations == 2
    assert receiver.uids[20:] == ["1.2.7.7"]


@pytest.mark.thorough
def test_the_status_of_a_journal(folder: Path, tmp_path: Path) -> None:
    journal = tmp_path / "sent.db"
    with Receiver(lambda stored: CANNOT_UNDERSTAND * stored.sop_instance_uid.endswith(".4")) as receiver:
        assert receiver.storescu(folder, "--journal", journal, "-q").returncode == 3
    short = running.tool("storescu", "--journal", journal, "--status")
    assert (short.returncode, short.stderr) == (0, "")
    totals, entries = (part.splitlines()[1:] for part in short.stdout.split("\n\n"))
    peer = f"127.0.0.1:{receiver.port}"
    assert [line.split()[:4] for line in totals] == [
        [peer, "ANY-SCP", "acked", "16"],
        [peer, "ANY-SCP", "refused", "4"],
    ]
    assert [line.split() for line in entries] == [
        ["refused", "0xC000", "1", f"1.2.{series}.4", str(folder / f"{series}4.dcm")] for series in range(4)
    ]
    full = running.tool("storescu", "127.0.0.1", receiver.port, folder, "--status", "-v", "--journal", journal)
    assert full.returncode == 0
    assert len(full.stdout.splitlines()) == len(short.stdout.splitlines()) + 16


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--status"], "--status needs --journal"),
        (["127.0.0.1", "104", "x", "--status"], "--status needs --journal"),
        (["127.0.0.1", "104", "x", "--journal", "j", "--repeat", "2"], "--repeat does not go with --journal"),
        (["127.0.0.1", "104", "x", "--report", "r.txt"], "a report ends with .json, .jsonl or .csv"),
        (["127.0.0.1", "104", "x", "--retry-failed", "r.csv"], "--retry-failed stands in place of paths"),
        (["127.0.0.1", "104", "--retry-failed", "r.csv", "--repeat", "2"], "--repeat does not go with --retry-failed"),
        (["127.0.0.1", "104", "x", "--dry-run", "--summary"], "--summary does not go with --dry-run"),
        (["--export", "r.csv"], "--export needs --journal"),
        (["127.0.0.1", "104"], "the following arguments are required: path"),
        (["127.0.0.1", "104", "x", "--report", "/no/such/folder/r.csv"], "cannot write the report"),
        (["127.0.0.1", "104", "x", "--raw-ts", "1.2.3"], "'1.2.3' is not a transfer syntax"),
        (["127.0.0.1", "104", "x", "--raw-ts", "CTImageStorage"], "'CTImageStorage' is not a transfer syntax"),
        (["127.0.0.1", "104", "x", "--commit-port", "11113"], "--commit-port is for --verify"),
        (["127.0.0.1", "104", "x", "--jobs", "0"], "0 is not 1 to 256"),
        (["127.0.0.1", "104", "x", "--async-ops", "-1"], "-1"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong_usage_is_one_clear_line(
    arguments: list[str],
    words: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    from dimse.tools import storescu

    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as end:
        storescu.main(arguments)
    out, err = capsys.readouterr()
    assert (end.value.code, out) == (2, "")
    assert err.splitlines()[-1].startswith("storescu: error: ")
    assert words in err.splitlines()[-1]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("options", [[], ["--status"], ["--dry-run"]], ids=" ".join)
def test_what_is_no_journal_is_said_and_nothing_is_sent(folder: Path, tmp_path: Path, options: list[str]) -> None:
    journal = tmp_path / "notes.txt"
    journal.write_text("something else altogether\n" * 100)
    with Receiver() as receiver:
        process = receiver.storescu(folder, "--journal", journal, *options)
    assert process.returncode == 3
    (said,) = errors(process)
    assert str(journal) in said
    assert receiver.stored == []
    assert journal.read_text() == "something else altogether\n" * 100


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_journal_that_fails_on_the_way_ends_it_with_one_line(folder: Path, tmp_path: Path, jobs: int) -> None:
    journal, report = tmp_path / "sent.db", tmp_path / "r.json"

    def store(stored: Stored) -> int:
        if stored.sop_instance_uid == "1.2.0.2":
            with sqlite3.connect(journal, timeout=running.SECONDS) as connection:
                connection.execute("DROP TABLE file")
            connection.close()
        return 0

    with Receiver(store) as receiver:
        process = receiver.storescu(folder, "--journal", journal, "--report", report, "--jobs", jobs)
    assert process.returncode == 3
    (said,) = errors(process)
    assert said == f"the journal {journal} cannot be used: no such table: file"
    assert len(receiver.stored) < 20
    assert json.loads(report.read_text())["summary"]["complete"] is False


# ---- the report


@pytest.mark.thorough
def test_each_file_is_a_row_of_the_report(folder: Path, tmp_path: Path) -> None:
    (folder / "cut.dcm").write_bytes(instance(5, 5).content[:-1])
    missing = folder / "missing.dcm"
    with Receiver() as receiver:
        for suffix in ("json", "jsonl", "csv"):
            process = receiver.storescu(folder, missing, "--report", tmp_path / f"r.{suffix}", "-q")
            assert process.returncode == 3
    written = json.loads((tmp_path / "r.json").read_text())
    assert written["summary"]["complete"] is True
    table = list(csv.DictReader((tmp_path / "r.csv").read_text().splitlines()))
    for found in (written["files"], rows(tmp_path / "r.jsonl"), table):
        assert sorted(row["file"] for row in found) == sorted([*files_in(folder), str(missing)])
        assert Counter(row["outcome"] for row in found) == {"stored": 20, "invalid": 2}


def test_a_folder_that_takes_no_report_is_said_before_anything_is_sent(folder: Path, tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o500)
    with Receiver() as receiver:
        command = running.command("storescu", "127.0.0.1", receiver.port, folder, "--report", closed / "r.csv")
        process = running.run(*running.unprivileged(), *command)
    assert process.returncode == 2
    last = process.stderr.splitlines()[-1]
    assert last == f"storescu: error: cannot write the report {closed}/r.csv: Permission denied"
    assert receiver.stored == []


# ---- what is sent


def test_a_dicomdir_stands_for_what_it_lists() -> None:
    directory = Path(str(get_testdata_file("DICOMDIR")))
    with Receiver() as receiver:
        process = receiver.storescu(directory)
    assert (process.returncode, process.stderr) == (0, "")
    assert len(set(receiver.uids)) == 31


def test_an_archive_stands_for_what_it_holds(folder: Path, tmp_path: Path) -> None:
    archive, report = tmp_path / "study.zip", tmp_path / "r.jsonl"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed:
        for path in files_in(folder):
            packed.write(path, f"x/{Path(path).name}")
    with Receiver() as receiver:
        process = receiver.storescu(archive, "--jobs", 2, "--report", report)
    assert (process.returncode, process.stderr) == (0, "")
    assert sorted(receiver.uids) == sorted(f"1.2.{series}.{number}" for series in range(4) for number in range(5))
    assert {row["file"] for row in rows(report)} == {f"{archive}:x/{Path(path).name}" for path in files_in(folder)}


@pytest.mark.parametrize("end", ["\n", "\0"])
@pytest.mark.parametrize("jobs", [1, 2])
def test_a_list_of_paths_on_stdin(folder: Path, end: str, jobs: int) -> None:
    listed = "".join(path + end for path in files_in(folder)[:12])
    more = files_in(folder)[12]
    with Receiver() as receiver:
        command = running.command("storescu", "127.0.0.1", receiver.port, "-", more, "--jobs", jobs)
        process = subprocess.run(
            command, input=listed, capture_output=True, text=True, timeout=running.SECONDS, check=False
        )
    assert (process.returncode, process.stdout, process.stderr) == (0, "", "")
    assert len(receiver.uids) == 13


def test_a_list_where_stdin_is_closed_is_wrong_usage() -> None:
    command = running.command("storescu", "127.0.0.1", 104, "-")
    process = running.run("sh", "-c", 'exec "$@" <&-', "sh", *command)
    assert process.returncode == 2
    assert process.stderr.splitlines()[-1].endswith("- stands for a list of paths on stdin, which is closed")


@pytest.mark.parametrize("syntax", [uids.ExplicitVRLittleEndian, "ExplicitVRLittleEndian"])
def test_data_sets_without_file_meta_in_the_syntax_that_is_said(tmp_path: Path, syntax: str) -> None:
    bare = tmp_path / "bare"
    bare.write_bytes(instance(1, 1).data_set)
    with Receiver() as receiver:
        assert receiver.storescu(bare, "-q").returncode == 3
        assert receiver.storescu(bare, "--raw-ts", syntax).returncode == 0
    (stored,) = receiver.stored
    assert (stored.transfer_syntax, stored.data_set) == (uids.ExplicitVRLittleEndian, instance(1, 1).data_set)


def test_skip_invalid_makes_bad_files_no_fault(folder: Path) -> None:
    (folder / "cut.dcm").write_bytes(instance(5, 5).content[:-1])
    (folder / "note.txt").write_text("hello")
    named = folder, folder / "note.txt", "--skip-invalid"
    with Receiver() as receiver:
        process = receiver.storescu(*named, "-ll", "warn")
        assert receiver.storescu(folder / "missing", *named).returncode == 3
    assert process.returncode == 0
    # The text is skipped twice: as what was named, and as what the folder holds.
    assert [line.split(":")[0] for line in lines(process, "W")] == ["Skipped", "1 file skipped"]
    assert len(receiver.stored) == 40


@pytest.mark.thorough
def test_a_dry_run_shows_what_would_be_sent_without_connecting(folder: Path, tmp_path: Path) -> None:
    journal = tmp_path / "sent.db"
    with Receiver() as receiver:
        assert receiver.storescu(folder / "00.dcm", folder / "01.dcm", "--journal", journal).returncode == 0
    for options, files in (([], 20), (["--journal", journal], 18), (["--journal", tmp_path / "none.db"], 20)):
        process = running.tool("storescu", "127.0.0.1", receiver.port, folder, "--dry-run", *options)
        assert (process.returncode, process.stderr) == (0, "")
        assert process.stdout.splitlines()[-1].startswith(f"{files} files, ")
        assert process.stdout.splitlines()[-1].endswith(", 1 association")
        assert process.stdout.count(".dcm\n") == files
    assert not (tmp_path / "none.db").exists()


def test_a_dry_run_has_the_exit_status_of_what_cannot_be_sent(folder: Path, tmp_path: Path) -> None:
    process = running.tool("storescu", "127.0.0.1", 104, folder, folder / "missing", "--dry-run")
    assert process.returncode == 3
    assert process.stdout.splitlines()[-1].startswith("20 files, ")
    assert process.stderr == f"E: Cannot access path: {folder / 'missing'}: no such file or directory\n"
    nothing = tmp_path / "nothing"
    nothing.mkdir()
    assert running.tool("storescu", "127.0.0.1", 104, nothing, "--dry-run").returncode == 3


# ---- storage commitment


def test_a_peer_that_leaves_before_it_has_reported_is_said_once(folder: Path) -> None:
    def leaves(connection: Connection) -> None:
        connection.accept()
        if connection.contexts[0].abstract_syntax != uids.StorageCommitmentPushModel:
            connection.serve()
            return
        connection.respond(connection.read_message())
        connection.send_abort()

    process = running.against(leaves, "storescu", "PEER", folder / "00.dcm", "--verify")
    assert process.returncode == 3
    (said,) = errors(process)
    assert said.startswith("Storage commitment failed: Association Aborted; ")


# ---- DCMTK's spellings, and what is said


def test_dcmtks_spellings(tmp_path: Path) -> None:
    instance(0, 0).write(tmp_path / "study" / "deep" / "er" / "a.dcm")
    (request,) = running.asked(
        "storescu", "--call", "THEM", "--aetitle", "US", "PEER", "+sd", "+r", "-R", tmp_path / "study"
    )
    assert (request.called.strip(), request.calling.strip()) == ("THEM", "US")
    assert request.contexts == [(uids.SecondaryCaptureImageStorage, [uids.ExplicitVRLittleEndian])]
    (request,) = running.asked("echoscu", "--call", "THEM", "PEER", "--aetitle", "US")
    assert (request.called.strip(), request.calling.strip()) == ("THEM", "US")


def test_the_closing_line(folder: Path) -> None:
    with Receiver(lambda stored: CANNOT_UNDERSTAND * (stored.sop_instance_uid == "1.2.3.4")) as receiver:
        process = receiver.storescu(folder, "-v")
    assert process.returncode == 3
    assert re.fullmatch(
        r"Stored 19 of 20 files, 19 instances, 0\.0 MB in \d+\.\d\d s \(\d+\.\d MB/s\), 1 failed"
        "; with --journal F, the same command again would send only what is left",
        lines(process, "I")[-1],
    )


# ---- the bar


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("options", "seen"),
    [([], True), (["--jobs", "2"], True), (["--no-progress"], False), (["-v"], False), (["-q"], False)],
)
def test_the_bar_is_on_a_terminal_where_the_lines_are_not_the_progress(
    folder: Path, options: list[str], seen: bool
) -> None:
    def arguments(port: int) -> list[str]:
        return running.command("storescu", "127.0.0.1", port, folder, *options)[1:]

    with Receiver() as receiver, Proxy(receiver.port, delay=0.03) as port:
        with Terminal(*arguments(port)) as terminal:
            assert terminal.end() == 0
        if seen:
            piped = running.tool("storescu", "127.0.0.1", port, folder, *options)
            assert (piped.returncode, piped.stdout, piped.stderr) == (0, "", "")
    assert (ERASE in terminal.output) is seen
    assert any(line.startswith("Stored 20 of 20 files, 20 instances, ") for line in terminal.screen) is seen
    assert terminal.screen[-1] == ""


def test_a_path_that_comes_late_does_not_keep_those_that_came(folder: Path) -> None:
    with StorageSCP() as scp, running.start("storescu", "127.0.0.1", scp.port, "-", stdin=subprocess.PIPE) as process:
        assert process.stdin is not None
        for number, path in enumerate(files_in(folder)[:3], 1):
            process.stdin.write(f"{path}\n")
            process.stdin.flush()
            scp.wait(number)  # before the next is written
        process.stdin.close()
        assert process.wait(running.SECONDS) == 0
