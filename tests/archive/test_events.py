"""Commands and callables learn of what was kept, exactly and as data; none of it makes an association wait."""

from __future__ import annotations

import json
import logging
import os
import queue
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

import dimse
from dimse.archive import FileStore
from dimse.archive.events import Command, CommandFailed, Events, Report, Study, document
from dimse.archive.stored import Stored
from dimse.logs import PrivateFormatter
from dimse.support.values import replace
from tests.tools import running

SECONDS = 50.0

STORED = Stored(
    path="/archive/CT.1.2.3",
    relative_path="CT.1.2.3",
    sop_class_uid="1.2.840.10008.5.1.4.1.1.2",
    sop_instance_uid="1.2.3",
    transfer_syntax_uid="1.2.840.10008.1.2.1",
    size=1000,
    calling_ae_title="MODALITY",
    called_ae_title="ARCHIVE",
    peer_address=("192.0.2.1", 50000),
    duplicate=False,
    received=1_700_000_000.5,
    elements={0x00100020: "4711", 0x0020000D: "1.2", 0x0020000E: "1.2.1"},
)

# Tells what it was given, as JSON in a new file of the folder that its first argument names.
RECORDER = """
import json, os, sys
variables = {name.decode(): value.decode() for name, value in os.environb.items() if name.startswith(b"DIMSE_")}
told = {
    "arguments": sys.argv[2:],
    "variables": variables,
    "input": sys.stdin.read(),
    "files": sorted(int(name) for name in os.listdir("/dev/fd")),
    "output": not os.isatty(1) and os.fstat(1).st_nlink == 0 and os.path.samestat(os.fstat(1), os.fstat(2)),
    "leads": os.getsid(0) == os.getpgrp() == os.getpid(),
}
with open(os.path.join(sys.argv[1], str(os.getpid())), "x") as file:
    json.dump(told, file)
"""

# Starts a process of its own; both write to the FIFO that the first argument names, hold it open, and never end.
NEVER_ENDS = """
import os, signal, sys
signal.signal(signal.SIGTERM, signal.SIG_IGN)
os.fork()
os.write(os.open(sys.argv[1], os.O_WRONLY), b"x")
signal.pause()
"""


def python(script: str, *arguments: object) -> list[str]:
    """Return a command that runs a script."""
    return [sys.executable, "-I", "-S", "-c", script, *map(str, arguments)]


@pytest.fixture
def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict[str, Any]]:
    """Run the recorder for an event, in an empty folder; what it was given."""
    records = tmp_path / "records"
    empty = tmp_path / "empty"
    records.mkdir()
    empty.mkdir()
    monkeypatch.chdir(empty)

    def tell(event: Stored | Study, *arguments: str) -> dict[str, Any]:
        Command(python(RECORDER, records, *arguments))(event)
        (record,) = records.iterdir()
        told: dict[str, Any] = json.loads(record.read_bytes())
        # The program has run nothing that a peer sent.
        assert list(empty.iterdir()) == []
        assert sorted(path.name for path in tmp_path.iterdir()) == ["empty", "records"]
        return told

    return tell


@pytest.fixture
def fifo(tmp_path: Path) -> Iterator[int]:
    """Yield the reading end of `tmp_path / "fifo"`: it ends when no process has the other end open."""
    path = tmp_path / "fifo"
    os.mkfifo(path)
    file = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    yield file
    os.close(file)


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


ELEMENTS = {"patient_id": 0x00100020, "study_instance_uid": 0x0020000D, "series_instance_uid": 0x0020000E}


def changed(**changes: Any) -> Stored:
    """Return `STORED` with other attributes, some of which are values of the data set."""
    elements = {tag: changes.pop(name) for name, tag in ELEMENTS.items() if name in changes}
    return replace(STORED, elements={**STORED.elements, **elements}, **changes)


def instance(number: int = 3, study: str = "1.2", **changes: Any) -> Stored:
    uid = f"{study}.{number}"
    name = f"CT.{uid}"
    return changed(
        sop_instance_uid=uid, study_instance_uid=study, path=f"/archive/{name}", relative_path=name, **changes
    )


# --- commands ---

PEER_SAYS = (
    "sop_class_uid",
    "sop_instance_uid",
    "study_instance_uid",
    "series_instance_uid",
    "patient_id",
    "transfer_syntax_uid",
    "calling_ae_title",
    "called_ae_title",
)
HOSTILE = [
    '";touch scratch;"',
    "`touch scratch`",
    "$(touch scratch)",
    "x\ntouch scratch\n",
    "| touch scratch",
    "'; touch scratch #",
    "--help",
    "=",
    "${PATH}",
    "%s%n{0.__class__}",
    "../../scratch",
    "\x1b[2J\r\t",
    "".join(map(chr, range(1, 256))),
    "",
]


@pytest.mark.parametrize("said", HOSTILE)
def test_what_a_peer_says_reaches_a_command_as_data(told: Callable[..., dict[str, Any]], said: str) -> None:
    said_in: dict[str, Any] = dict.fromkeys(PEER_SAYS, said)
    event = changed(**said_in)
    record = told(event, "as it is", "$(touch scratch)", "{patient_id}")
    assert record["arguments"] == ["as it is", "$(touch scratch)", "{patient_id}"]
    assert json.loads(record["input"]) == document(event)
    assert {record["variables"][f"DIMSE_{name.upper()}"] for name in PEER_SAYS} == {said}


def test_a_nul_is_exact_in_the_document_and_marked_in_the_variable(told: Callable[..., dict[str, Any]]) -> None:
    record = told(changed(patient_id="a\0b"))
    assert json.loads(record["input"])["patient_id"] == "a\0b"
    assert record["variables"]["DIMSE_PATIENT_ID"] == "a\N{REPLACEMENT CHARACTER}b"


def test_a_command_is_told_all_there_is_to_an_instance(told: Callable[..., dict[str, Any]]) -> None:
    record = told(STORED)
    expected = {
        "event": "instance",
        "path": "/archive/CT.1.2.3",
        "relative_path": "CT.1.2.3",
        "sop_class_uid": "1.2.840.10008.5.1.4.1.1.2",
        "sop_instance_uid": "1.2.3",
        "study_instance_uid": "1.2",
        "series_instance_uid": "1.2.1",
        "patient_id": "4711",
        "transfer_syntax_uid": "1.2.840.10008.1.2.1",
        "size": 1000,
        "calling_ae_title": "MODALITY",
        "called_ae_title": "ARCHIVE",
        "peer": "192.0.2.1:50000",
        "duplicate": False,
        "received": "2023-11-14T22:13:20.500000+00:00",
    }
    assert json.loads(record["input"]) == expected
    variables = {f"DIMSE_{name.upper()}": str(value) for name, value in expected.items()}
    assert record["variables"] == variables | {"DIMSE_DUPLICATE": "false"}


def test_a_command_is_told_all_there_is_to_a_study(told: Callable[..., dict[str, Any]]) -> None:
    record = told(Study("1.2", "4711", "/archive", 3, 1, 3000, 1_700_000_000.0, 1_700_000_001.0, "ab12"))
    expected = {
        "event": "study",
        "study_instance_uid": "1.2",
        "patient_id": "4711",
        "folder": "/archive",
        "instances": 3,
        "duplicates": 1,
        "size": 3000,
        "first_received": "2023-11-14T22:13:20+00:00",
        "last_received": "2023-11-14T22:13:21+00:00",
        "event_id": "ab12",
    }
    assert json.loads(record["input"]) == expected
    assert record["variables"] == {f"DIMSE_{name.upper()}": str(value) for name, value in expected.items()}


def test_a_path_of_any_bytes_arrives(tmp_path: Path) -> None:
    path = os.fsdecode(b"/archive/\xff\xfe/CT.1")
    script = "import os, sys; open(os.environb[b'DIMSE_PATH'][-2:] + b'.seen', 'x')"
    there = Command(python(f"import os; os.chdir({str(tmp_path)!r}); {script}"))
    there(changed(path=path))
    assert [found.name for found in tmp_path.iterdir()] == [".1.seen"]


def test_the_address_of_an_ipv6_peer_is_in_brackets() -> None:
    assert document(changed(peer_address=("::1", 104)))["peer"] == "[::1]:104"


def test_a_command_inherits_nothing_and_leads_a_session(told: Callable[..., dict[str, Any]]) -> None:
    reading, writing = os.pipe()
    try:
        os.set_inheritable(writing, True)
        record = told(STORED)
    finally:
        os.close(reading)
        os.close(writing)
    assert record["files"] == [0, 1, 2, 3]  # 3 is the listing's own
    # The output went to a file without a name; its size is logged where the command fails.
    assert record["output"]
    assert record["leads"]


@pytest.mark.parametrize(
    ("command", "arguments"),
    [
        ("true", ("true",)),
        ("true -x 'two words' \"and $HOME\" `id` ;", ("true", "-x", "two words", "and $HOME", "`id`", ";")),
        (["true", "two words", ""], ("true", "two words", "")),
    ],
)
def test_a_string_is_split_and_nothing_more(command: str | list[str], arguments: tuple[str, ...]) -> None:
    assert Command(command).arguments == arguments


@pytest.mark.parametrize("command", ["", "  ", [], "'", "no-such-program-anywhere -x", "/etc/passwd", "/tmp"])
def test_a_command_that_cannot_run_is_refused_when_it_is_made(command: str | list[str]) -> None:
    with pytest.raises(
        ValueError,
        match=r"empty|no program|is not executable|the command .* cannot be split into arguments: no closing quotation",
    ):
        Command(command)


def test_a_negative_deadline_is_refused() -> None:
    with pytest.raises(ValueError, match="deadline"):
        Command("true", deadline=-1)


def test_a_command_need_not_read(caplog: pytest.LogCaptureFixture) -> None:
    Command("true", deadline=0)(STORED)
    Command("true")(changed(patient_id="x" * 100_000))  # more than a pipe holds
    assert warnings(caplog) == []


def test_a_command_has_our_own_environment_too(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("OWN", "kept")
    Command(python("import os; raise SystemExit(os.environ['OWN'] != 'kept')"))(STORED)
    assert warnings(caplog) == []


# A command that fails raises: `Events` knows what becomes of the event, and tells of it.


def test_more_than_the_system_hands_on_is_a_failure() -> None:
    with pytest.raises(CommandFailed, match=r"^command true: it cannot be run: Argument list too long$"):
        Command("true")(changed(patient_id="x" * 10_000_000))


@pytest.mark.parametrize(
    ("script", "why"),
    [
        ("raise SystemExit(7)", "exit status 7, 0 bytes printed"),
        ("import sys; print('Doe^Jane'); print('x', file=sys.stderr); sys.exit(3)", "exit status 3, 11 bytes printed"),
        ("import os; os.kill(os.getpid(), 9)", "killed by signal 9, 0 bytes printed"),
    ],
)
def test_a_failure_is_one_notice_with_how_much_was_printed_but_not_what(
    caplog: pytest.LogCaptureFixture, script: str, why: str
) -> None:
    with Events(Command(python(script))) as events:
        events(changed(sop_instance_uid="1.2\nE: forged"))
    assert warnings(caplog) == [f"command {sys.executable} for instance 1.2\\nE: forged: {why}"]
    assert {record.name for record in caplog.records} == {"dimse.notices"}


def test_a_program_that_has_gone_is_a_failure(tmp_path: Path) -> None:
    program = tmp_path / "program"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o700)
    command = Command([str(program)])
    program.unlink()
    with pytest.raises(CommandFailed, match=rf"^command {program}: it cannot be run: No such file or directory$"):
        command(Study("1.2", "", "/archive", 1, 0, 1, 0.0, 0.0))


@pytest.mark.thorough
def test_the_deadline_kills_a_command_and_what_it_has_started(tmp_path: Path, fifo: int) -> None:
    with pytest.raises(CommandFailed, match="killed after 2 seconds"):
        Command(python(NEVER_ENDS, tmp_path / "fifo"), deadline=2)(STORED)
    os.set_blocking(fifo, True)
    with open(fifo, "rb", closefd=False) as reading:
        # This reads to the end: both have run, and no command still runs.
        assert reading.read() == b"xx"


def test_output_is_logged_at_debug_only_and_only_its_beginning(caplog: pytest.LogCaptureFixture) -> None:
    command = Command(
        python("import sys; print('one\\x1b'); print('two', file=sys.stderr, flush=True); print('x' * 10**6)")
    )
    caplog.set_level(logging.INFO, "dimse.archive")
    command(STORED)
    assert caplog.records == []
    caplog.set_level(logging.DEBUG, "dimse.archive")
    command(STORED)
    assert f"{sys.executable}: (4 characters of output)" in caplog.messages  # which may be a patient's
    caplog.clear()
    command(STORED)
    formatter = PrivateFormatter()
    said = [formatter.format(record).removeprefix(f"{sys.executable}: ") for record in caplog.records]
    assert sorted(said)[:2] == ["one\\x1b", "two"]
    assert sum(map(len, said)) < 5000
    assert {record.levelno for record in caplog.records} == {logging.DEBUG}


# --- instances ---


def test_callables_learn_of_every_instance() -> None:
    seen: list[Stored] = []
    sent = [instance(number) for number in range(100)]
    with Events(seen.append, workers=1) as events:
        for stored in sent:
            events(stored)
    assert seen == sent


def test_only_so_many_run_at_a_time() -> None:
    four = threading.Barrier(4)
    lock = threading.Lock()
    running, most = 0, 0

    def call(stored: Stored) -> None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        four.wait(SECONDS)  # four there are
        with lock:
            running -= 1
        four.wait(SECONDS)

    with Events(call) as events:
        for number in range(16):
            events(instance(number))
    assert most == 4


def test_a_slow_callable_delays_no_storing_and_dropped_events_are_counted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    began, go_on = threading.Event(), threading.Event()
    seen: list[Stored] = []

    def slow(stored: Stored) -> None:
        began.set()
        assert go_on.wait(SECONDS)
        seen.append(stored)

    path = tmp_path / "report"
    sent = [instance(number) for number in range(16)]
    with Events(slow, report=Report(path), workers=1, waiting=10) as events:
        events(sent[0])
        assert began.wait(SECONDS)
        for stored in sent[1:]:
            events(stored)
        assert warnings(caplog) == ["events are dropped: too many wait, or the program is ending"]
        go_on.set()
    assert seen == sent[:11]
    assert warnings(caplog)[1:] == ["events dropped: 5"]
    assert [json.loads(line) for line in path.read_text().splitlines()] == [document(stored) for stored in sent]


def test_what_raises_is_a_line_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    seen: list[str] = []

    def fails(event: Stored | Study) -> None:
        seen.append(type(event).__name__)
        raise RuntimeError("no\nreason")

    with Events(fails, fails, report=fails, workers=1) as events:
        events(instance(1))
        events(instance(2))
    assert sorted(seen) == ["Stored"] * 4 + ["Study"]
    assert sorted(warnings(caplog)) == sorted(
        [f"the call for instance 1.2.{number} failed: RuntimeError: no\\nreason" for number in (1, 1, 2, 2)]
        + ["the call for study 1.2 failed: RuntimeError: no\\nreason; given up, because the program is ending"]
    )


def test_a_report_alone_needs_no_thread(tmp_path: Path) -> None:
    before = threading.active_count()
    with Events(report=Report(tmp_path / "report")) as events:
        assert threading.active_count() == before
        events(STORED)
    assert len((tmp_path / "report").read_text().splitlines()) == 1


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no device that is full")
def test_a_report_that_cannot_be_written_is_named(caplog: pytest.LogCaptureFixture) -> None:
    with Events(report=Report("/dev/full")) as events:
        events(STORED)
    [line] = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
    assert "the report cannot be written: No space left on device: '/dev/full'" in line


@pytest.mark.parametrize("name", ["on_instance", "on_study", "report"])
def test_a_listener_that_cannot_be_called_is_named(name: str) -> None:
    with pytest.raises(TypeError, match=f"{name} is a function or a Command, not 5"):
        Events(**{name: 5})  # type: ignore[arg-type]


def test_a_program_that_is_not_executable_is_told_from_one_that_is_not_there(tmp_path: Path) -> None:
    program = tmp_path / "import.py"
    with pytest.raises(ValueError, match="there is no program"):
        Command(str(program))
    program.write_text("print()")
    with pytest.raises(ValueError, match=r"import.py' is not executable: chmod \+x makes it so"):
        Command(str(program))


@pytest.mark.parametrize("wrong", [{"workers": 0}, {"waiting": 0}, {"study_timeout": -1}])
def test_numbers_that_cannot_be(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="too small"):
        Events(print, **wrong)


# --- studies ---


class Clock:
    """A clock that stands still unless it is set."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_study_is_told_of_once_it_is_quiet_and_again_when_more_comes() -> None:
    clock = Clock()
    seen: queue.Queue[str] = queue.Queue()
    studies: queue.Queue[Study] = queue.Queue()
    sent = 0
    with Events(
        lambda stored: seen.put(stored.study_instance_uid), studies.put, study_timeout=60, workers=1, clock=clock
    ) as events:

        def send(at: float, study: str) -> None:
            """Send an instance; when the one thread has come to it, it has looked at the studies before."""
            nonlocal sent
            sent += 1
            clock.now = at
            events(instance(sent, study))
            assert seen.get(timeout=SECONDS) == study

        for at in (0, 30, 59):
            send(at, "1.2")
        send(118.9, "1.3")
        assert studies.empty()
        send(119, "1.3")
        first = studies.get(timeout=SECONDS)
        assert (first.study_instance_uid, first.instances) == ("1.2", 3)
        send(120, "1.2")
        send(178.9, "1.4")
        assert studies.empty()
        send(180, "1.4")
        found = [studies.get(timeout=SECONDS) for _ in range(2)]
        assert [(study.study_instance_uid, study.instances) for study in found] == [("1.3", 2), ("1.2", 1)]
    assert studies.get(timeout=SECONDS).study_instance_uid == "1.4"  # the end has come
    assert studies.empty()


def test_the_time_of_a_real_clock_passes() -> None:
    studies: queue.Queue[Study] = queue.Queue()
    with Events(None, studies.put, study_timeout=0.05) as events:
        for number in range(3):
            for study in ("1.2", "1.3"):
                events(instance(number, study))
        found = [studies.get(timeout=SECONDS)]
        # A machine may be busy for longer than the time-out.
        while sum(study.instances for study in found) < 6:
            found.append(studies.get(timeout=SECONDS))
    assert {study.study_instance_uid for study in found} == {"1.2", "1.3"}


def test_a_study_waits_for_what_is_done_for_its_instances() -> None:
    other_told = threading.Event()
    order: list[str] = []

    def on_instance(stored: Stored) -> None:
        if stored.study_instance_uid == "1.2":
            assert other_told.wait(SECONDS)
            order.append("instance of 1.2")

    def on_study(study: Study) -> None:
        order.append(f"study {study.study_instance_uid}")
        if study.study_instance_uid == "1.3":
            other_told.set()

    with Events(on_instance, on_study, study_timeout=0, workers=2) as events:
        events(instance(1, "1.2"))
        events(instance(1, "1.3"))
    assert order == ["study 1.3", "instance of 1.2", "study 1.2"]


def test_studies_that_are_open_at_the_end_are_told_of() -> None:
    studies: list[Study] = []
    with Events(None, studies.append, study_timeout=3600) as events:
        for study in range(1000):
            events(instance(1, f"1.{study}"))
    assert sorted(study.study_instance_uid for study in studies) == sorted(f"1.{study}" for study in range(1000))


def test_a_study_counts_and_says_where_it_is() -> None:
    studies: list[Study] = []
    with Events(None, studies.append) as events:

        def arrive(path: str, **changes: Any) -> None:
            events(changed(path=path, **changes))

        arrive("/archive/4711/1.2/1/a", patient_id="", received=10.0)
        arrive("/archive/4711/1.2/1/b", received=11.0, size=5)
        arrive("/archive/4711/1.2/2/c", received=12.0, patient_id="other")
        arrive("/archive/4711/1.2/1/a", received=13.0, duplicate=True)
        arrive("/archive/none", study_instance_uid="")
    (study,) = studies
    assert study == Study("1.2", "4711", "/archive/4711/1.2", 3, 1, 2005, 10.0, 13.0, study.event_id)
    assert len(study.event_id) == 32


def test_more_studies_than_there_is_room_for_are_dropped_and_counted(caplog: pytest.LogCaptureFixture) -> None:
    studies: list[Study] = []
    with Events(None, studies.append, waiting=2, workers=1) as events:
        for study in ("1.2", "1.3", "1.4", "1.5", "1.2"):
            events(instance(1, study))
    assert sorted((study.study_instance_uid, study.instances) for study in studies) == [("1.2", 2), ("1.3", 1)]
    assert warnings(caplog) == ["events are dropped: too many wait, or the program is ending", "events dropped: 2"]


# --- the documentation ---


@pytest.mark.parametrize("event", [STORED, Study("1.2", "4711", "/archive", 3, 1, 3000, 0.0, 1.0, "ab12")])
def test_every_entry_of_an_event_is_documented(event: Stored | Study) -> None:
    text = (Path(__file__).parents[2] / "docs" / "receiving.md").read_text()
    assert [name for name in document(event) if f"`{name}`" not in text] == []


# --- over the network ---


def test_what_a_peer_sends_is_told_of_from_end_to_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    empty, records, folder = tmp_path / "empty", tmp_path / "records", tmp_path / "incoming"
    empty.mkdir()
    records.mkdir()
    monkeypatch.chdir(empty)
    patient = "`touch a`\n$(id)\0b"
    rest = running.element(0x0010, 0x0020, "LO", patient.encode()) + running.element(0x0020, 0x000D, "UI", b"1.2;id")
    sent = [running.Instance(f"1.2.{number}", rest=rest).write(tmp_path / "sent" / str(number)) for number in range(3)]
    tell = Command(python(RECORDER, records))
    with (
        Events(tell, tell, report=Report(tmp_path / "report")) as events,
        FileStore(folder, stored=events) as store,
        dimse.Server(("127.0.0.1", 0), store.handlers()) as server,
        dimse.associate(
            *server.address,
            contexts=dimse.contexts_for(sent),
            calling_ae_title='";touch b;"',
            called_ae_title="$(id>c)",
        ) as association,
    ):
        assert [outcome.status for outcome in association.store_many([*sent, sent[0]])] == [0] * 4

    told = [json.loads(json.loads(path.read_bytes())["input"]) for path in records.iterdir()]
    instances = sorted((entry for entry in told if entry["event"] == "instance"), key=lambda entry: entry["received"])
    (study,) = (entry for entry in told if entry["event"] == "study")
    assert [(entry["sop_instance_uid"], entry["duplicate"]) for entry in instances] == [
        ("1.2.0", False),
        ("1.2.1", False),
        ("1.2.2", False),
        ("1.2.0", True),
    ]
    for entry in instances:
        assert Path(entry["path"]).is_file()
        assert entry["path"] == str(folder / entry["relative_path"])
        assert (entry["patient_id"], entry["study_instance_uid"]) == (patient, "1.2;id")
        assert (entry["calling_ae_title"], entry["called_ae_title"]) == ('";touch b;"', "$(id>c)")
        assert entry["peer"].startswith("127.0.0.1:")
    assert (study["instances"], study["duplicates"], study["folder"]) == (3, 1, str(folder))
    assert study["size"] == sum(entry["size"] for entry in instances[:3])
    assert [json.loads(line) for line in (tmp_path / "report").read_text().splitlines()] == instances
    assert list(empty.iterdir()) == []


# --- the end ---


def test_the_end_kills_a_command_that_takes_too_long_and_says_what_was_not_done(
    tmp_path: Path, fifo: int, caplog: pytest.LogCaptureFixture
) -> None:
    command = Command(python(NEVER_ENDS, tmp_path / "fifo"))
    events = Events(command, print, workers=1)
    for number in range(3):
        events(instance(number))
    os.set_blocking(fifo, True)
    with open(fifo, "rb", closefd=False, buffering=0) as reading:
        while not reading.read(1):  # until it runs
            os.sched_yield()
        events.close(drain=0)
        assert set(reading.readall()) <= set(b"x")
    events.close()
    said = warnings(caplog)
    assert "events dropped: 3" in said  # two instances and the study
    assert any(
        f"command {sys.executable} for instance 1.2.0: killed, because the program is ending" in line for line in said
    )
    with pytest.raises(CommandFailed, match="it was not run, because the program is ending"):
        command(STORED)


def test_what_comes_after_the_end_is_said_to_be_dropped(caplog: pytest.LogCaptureFixture) -> None:
    seen: list[Stored] = []
    with Events(seen.append) as events:
        pass
    events(STORED)
    assert seen == []
    assert warnings(caplog) == ["events are dropped: too many wait, or the program is ending"]


def test_no_thread_is_left() -> None:
    before = threading.active_count()
    with Events(lambda stored: None, lambda study: None) as events:
        for number in range(100):
            events(instance(number, f"1.{number % 7}"))
    assert threading.active_count() == before


# --- reports ---


def test_a_report_has_a_line_for_each_instance_from_any_thread(tmp_path: Path) -> None:
    path = tmp_path / "report.jsonl"
    report = Report(path)
    with ThreadPoolExecutor(20) as threads:
        list(threads.map(lambda number: report(instance(number, patient_id="ä\n\0")), range(1000)))
    report.close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    lines = [json.loads(line) for line in path.read_bytes().decode("ascii").splitlines()]
    assert sorted(line["sop_instance_uid"] for line in lines) == sorted(f"1.2.{number}" for number in range(1000))
    assert {line["patient_id"] for line in lines} == {"ä\n\0"}
    assert lines[0].keys() == document(STORED).keys()
    assert datetime.fromisoformat(lines[0]["received"]) == datetime.fromtimestamp(STORED.received, UTC)


def test_a_report_goes_on_after_rotation(tmp_path: Path) -> None:
    path, rotated = tmp_path / "report", tmp_path / "report.1"
    report = Report(path)
    report(instance(1))
    path.rename(rotated)
    report(instance(2))
    path.unlink()
    report(instance(3))
    report.close()
    report(instance(4))
    report.close()

    def uids(path: Path) -> list[str]:
        return [json.loads(line)["sop_instance_uid"] for line in path.read_text().splitlines()]

    assert uids(rotated) == ["1.2.1"]
    assert uids(path) == ["1.2.3", "1.2.4"]


def test_two_processes_append_to_one_report(tmp_path: Path) -> None:
    # Each has a descriptor of its own, as in processes.
    reports = [Report(tmp_path / "report") for _ in range(2)]
    for number in range(10):
        reports[number % 2](instance(number))
    for report in reports:
        report.close()
    assert len([json.loads(line) for line in (tmp_path / "report").read_text().splitlines()]) == 10


def test_a_report_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Report(tmp_path / "none" / "report")
    path = tmp_path / "report"
    report = Report(path)
    path.unlink()
    tmp_path.joinpath("elsewhere").symlink_to(tmp_path / "none" / "report")
    tmp_path.joinpath("elsewhere").rename(path)
    with pytest.raises(FileNotFoundError):
        report(instance(1))
    path.unlink()
    report(instance(2))
    report.close()
    assert json.loads(path.read_text())["sop_instance_uid"] == "1.2.2"


FULL_DISK = """
import resource, sys
from tests.archive.test_events import STORED
from dimse.archive.events import Report
report = Report(sys.argv[1])
report(STORED)
resource.setrlimit(resource.RLIMIT_FSIZE, (600, resource.RLIM_INFINITY))
for _ in range(2):
    try:
        report(STORED)
    except OSError as error:
        print(error.strerror or error)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
report(STORED)
"""


def test_a_line_that_is_cut_short_spoils_no_other(tmp_path: Path) -> None:
    path = tmp_path / "report"
    root = str(Path(__file__).parents[2])
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(path)],
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
        env=os.environ | {"PYTHONPATH": os.pathsep.join([root, *sys.path])},
    )
    assert done.returncode == 0, done.stderr
    first, second = done.stdout.splitlines()
    assert first.startswith("only ")
    assert second == "the report cannot be written: File too large"
    whole, cut, also_whole = path.read_text().splitlines()
    assert json.loads(whole) == json.loads(also_whole) == document(STORED)
    with pytest.raises(json.JSONDecodeError):
        json.loads(cut)
