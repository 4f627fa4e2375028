"""A study is told of when nothing of it is arriving, at least once, and never twice at a time, whatever is killed meanwhile."""

from __future__ import annotations

import json
import os
import queue
import stat
import sys
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dimse import uids
from dimse.archive import FileStore
from dimse.archive.events import Command, Events, PendingStudies, PendingStudy, Study, pending_studies
from dimse.archive.events.studies import BUSY, WAITS, Claim, Studies
from dimse.support.values import replace
from tests.archive import storing
from tests.archive.storing import KEPT, OUT_OF_RESOURCES, STUDY_INSTANCE_UID
from tests.archive.test_events import Clock, instance, warnings

SECONDS = 50.0
TIMEOUT = 60.0

Waiting = Studies | PendingStudies


@pytest.fixture(params=["in memory", "in a folder"])
def studies(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Waiting]:
    """Yield the pending studies of the store in the folder `store`."""
    if request.param == "in memory":
        yield Studies()
    else:
        with PendingStudies(tmp_path / "store") as pending:
            yield pending


@pytest.fixture
def pending(tmp_path: Path) -> Iterator[PendingStudies]:
    with PendingStudies(tmp_path / "store") as studies:
        yield studies


def claimed(studies: Waiting, key: str, now: float) -> Claim:
    """Claim a study that is to be told of now."""
    claim = studies.claim(key, now, TIMEOUT)
    assert claim is not None
    assert not isinstance(claim, float)
    return claim


def wait(studies: Waiting, key: str, now: float) -> float:
    """Claim a study that is not to be told of yet; return the seconds until it is to be looked at."""
    seconds = studies.claim(key, now, TIMEOUT)
    assert isinstance(seconds, float)
    assert seconds > 0
    return seconds


def with_study(uid: str, study: str = "1.2") -> bytes:
    return storing.data_set(uid, others={STUDY_INSTANCE_UID: study})


def store_into(studies: Waiting, folder: Path, now: Callable[[], float]) -> FileStore:
    """Make a store whose instances the studies are told of."""
    return FileStore(folder, stored=lambda stored: void(studies.join(stored, now())))


def void(_: object) -> None:
    """Return nothing."""


# --- quiet ---


def pieces(content: bytes, size: int) -> list[bytes]:
    return [content[offset : offset + size] for offset in range(0, len(content), size)]


@pytest.mark.parametrize("size", [1, 7, 64, 10_000])
def test_a_study_is_not_quiet_while_one_of_its_instances_is_arriving(
    tmp_path: Path, studies: Waiting, size: int
) -> None:
    clock = Clock()
    with store_into(studies, tmp_path / "store", clock) as store:
        assert storing.take(store, storing.store_request("1.2.1"), with_study("1.2.1")) == KEPT
        request = storing.store_request("1.2.2")
        request.sink = sink = store.begin(request)
        for piece in pieces(with_study("1.2.2"), size):
            sink.write([memoryview(piece)])
        for _ in range(10):
            clock.now += 2 * TIMEOUT
            wait(studies, "1.2", clock.now)
        # It is complete, and still has to be answered.
        assert store.store(request) == KEPT
        assert wait(studies, "1.2", clock.now) == TIMEOUT
        sink.discard()
        clock.now += TIMEOUT
        claim = claimed(studies, "1.2", clock.now)
        assert claim.study.instances == 2
        claim.succeeded()
        assert studies.claim("1.2", clock.now, TIMEOUT) is None


SYNTAXES: list[tuple[str, Callable[[bytes], bytes]]] = [
    (uids.ExplicitVRLittleEndian, lambda content: content),
    (uids.JPEGBaseline8Bit, lambda content: content),
    (
        uids.DeflatedExplicitVRLittleEndian,
        lambda content: (deflate := zlib.compressobj(wbits=-15)).compress(content) + deflate.flush(zlib.Z_SYNC_FLUSH),
    ),
]


@pytest.mark.parametrize(("syntax", "encode"), SYNTAXES, ids=[uids.name(syntax) for syntax, _ in SYNTAXES])
@pytest.mark.parametrize(("study", "is_held_up"), [("1.2", True), ("1.3", False)])
def test_only_the_study_that_is_arriving_waits(
    tmp_path: Path,
    studies: Waiting,
    syntax: str,
    encode: Callable[[bytes], bytes],
    study: str,
    is_held_up: bool,
) -> None:
    with store_into(studies, tmp_path / "store", lambda: 0.0) as store:
        assert storing.take(store, storing.store_request("1.2.1"), with_study("1.2.1")) == KEPT
        sink = store.begin(storing.store_request("9.9", syntax=syntax))
        sink.write([memoryview(encode(with_study("9.9", study)))])
        if is_held_up:
            assert wait(studies, "1.2", TIMEOUT) == TIMEOUT
        else:
            claimed(studies, "1.2", TIMEOUT).succeeded()
        sink.discard()


def test_an_instance_that_is_lost_on_its_way_holds_nothing_up_for_good(tmp_path: Path, studies: Waiting) -> None:
    with store_into(studies, tmp_path / "store", lambda: 0.0) as store:
        assert storing.take(store, storing.store_request("1.2.1"), with_study("1.2.1")) == KEPT
        sink = store.begin(storing.store_request("1.2.2"))
        sink.write([memoryview(with_study("1.2.2"))])
        again = TIMEOUT + wait(studies, "1.2", TIMEOUT)
        sink.discard()
        assert claimed(studies, "1.2", again).study.instances == 1


def test_an_instance_of_which_no_byte_has_come_holds_every_study_up_for_a_while(
    tmp_path: Path, studies: Waiting
) -> None:
    with store_into(studies, tmp_path / "store", lambda: 0.0) as store:
        assert storing.take(store, storing.store_request("1.2.1"), with_study("1.2.1")) == KEPT
        sink = store.begin(storing.store_request("1.2.2"))
        now = TIMEOUT
        while isinstance(seconds := studies.claim("1.2", now, TIMEOUT), float):
            assert seconds <= 1
            now += seconds
        assert seconds is not None
        assert 20 < now - TIMEOUT <= 30
        sink.discard()


def test_an_instance_of_very_many_elements_is_not_stepped_over_at_every_look(tmp_path: Path, studies: Waiting) -> None:
    with store_into(studies, tmp_path / "store", lambda: 0.0) as store:
        assert storing.take(store, storing.store_request("1.2.1"), with_study("1.2.1")) == KEPT
        sink = store.begin(storing.store_request("1.2.2"))
        sink.write([memoryview(200_000 * storing.element(0x00080050, b"SH", b""))])
        began = time.thread_time()
        wait(studies, "1.2", TIMEOUT)
        first = time.thread_time() - began
        for _ in range(100):
            # It goes on to arrive, little by little.
            sink.write([memoryview(storing.element(0x00080050, b"SH", b""))])
            wait(studies, "1.2", TIMEOUT)
        assert time.thread_time() - began < 20 * first
        # Its study is found all the same.
        sink.write([memoryview(storing.element(STUDY_INSTANCE_UID, b"UI", b"1.2") + bytes(600_000))])
        assert wait(studies, "1.2", TIMEOUT) == TIMEOUT
        sink.discard()


def test_a_file_that_was_left_behind_holds_nothing_up(tmp_path: Path, studies: Waiting) -> None:
    with store_into(studies, tmp_path / "store", lambda: 0.0) as store:
        assert storing.take(store, storing.store_request("1.2.1"), with_study("1.2.1")) == KEPT
        sink = store.begin(storing.store_request("1.2.2"))
        sink.write([memoryview(with_study("1.2.2"))])
        assert sink.path is not None
        os.utime(sink.path, (time.time() - 4000, time.time() - 4000))
        claimed(studies, "1.2", TIMEOUT).succeeded()
        sink.discard()


ARRIVES_ELSEWHERE = """
store = FileStore(sys.argv[1])
sink = store.begin(store_request("1.2.2"))
sink.write([memoryview(data_set("1.2.2", others={STUDY_INSTANCE_UID: "1.2"}))])
os.write(1, b".")
sys.stdin.read()
"""


def test_what_arrives_in_another_process_of_the_folder_counts(tmp_path: Path, studies: Waiting) -> None:
    studies.join(replace(instance(1), path=str(tmp_path / "store" / "CT.1.2.1")), 0.0)
    with storing.start_a_process(ARRIVES_ELSEWHERE, tmp_path / "store") as process:
        assert process.stdout is not None
        assert process.stdout.read(1) == b"."
        wait(studies, "1.2", TIMEOUT)


def test_instances_that_another_process_has_noted_count(tmp_path: Path) -> None:
    with PendingStudies(tmp_path) as ours, PendingStudies(tmp_path) as theirs:  # each with descriptors of its own
        ours.join(instance(1), 0.0)
        theirs.join(instance(2), 50.0)
        assert wait(ours, "1.2", 60.0) == 50.0
        claim = claimed(ours, "1.2", 110.0)
        assert claim.study.instances == 2
        assert wait(theirs, "1.2", 110.0) == BUSY
        claim.succeeded()
        assert theirs.claim("1.2", 110.0, TIMEOUT) is None


def test_a_clock_that_began_anew_with_the_machine_keeps_no_study_waiting(tmp_path: Path) -> None:
    with PendingStudies(tmp_path) as before:
        before.join(instance(1), 1_000_000.0)
    with PendingStudies(tmp_path) as studies:
        claimed(studies, "1.2", 100.0).succeeded()


# --- once at least, and not twice at a time ---


def test_a_study_that_waits_is_there_after_the_end_with_its_event(tmp_path: Path) -> None:
    folder = tmp_path / "store"
    killed = PendingStudies(folder)
    for number in range(3):
        killed.join(instance(number, received=10.0 + number), 0.0)
    killed.join(instance(0, duplicate=True), 0.0)
    event = claimed(killed, "1.2", TIMEOUT).study  # and nothing more of this process
    os.close(killed._directory)
    with PendingStudies(folder) as studies:
        assert studies.listed() == ["1.2"]
        # The descriptor of the process that was killed still has its lock here.
        assert wait(studies, "1.2", 0.0) == BUSY
    entry = pending_studies(folder)[0]
    assert entry.study == event
    assert (event.instances, event.duplicates, event.first_received) == (3, 1, 10.0)


def test_nothing_is_left_of_what_has_been_told(tmp_path: Path) -> None:
    with PendingStudies(tmp_path) as studies:
        studies.join(instance(1), 0.0)
        assert [path.name for path in tmp_path.iterdir()] == [".studies"]
        claimed(studies, "1.2", TIMEOUT).succeeded()
        assert studies.listed() == []
        assert pending_studies(tmp_path) == []
    assert list(tmp_path.iterdir()) == []


def test_the_folder_is_for_its_owner_only_and_a_name_cannot_leave_it(tmp_path: Path) -> None:
    store = tmp_path / "store"
    said = [*storing.ATTACKS, "1.2.3", "x-" + "0" * 32, ".telling", "1.2.telling", ".lock", "A", "a"]
    with PendingStudies(store) as studies:
        keys = {studies.join(instance(1, study), 0.0) for study in said if study}
        assert len(keys) == len(set(filter(None, said)))
        assert [path.name for path in store.iterdir()] == [".studies"]
        assert [path.name for path in tmp_path.iterdir()] == ["store"]
        assert stat.S_IMODE((store / ".studies").stat().st_mode) == 0o700
        for path in (store / ".studies").iterdir():
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert {entry.study.study_instance_uid for entry in pending_studies(store)} == set(filter(None, said))
        for key in keys:
            claimed(studies, key, TIMEOUT).succeeded()
        assert studies.listed() == []


def test_a_study_is_claimed_once_at_a_time(studies: Waiting) -> None:
    studies.join(instance(1), 0.0)
    claim = claimed(studies, "1.2", TIMEOUT)
    studies.join(instance(2), TIMEOUT)
    assert wait(studies, "1.2", 2 * TIMEOUT) == BUSY
    claim.succeeded()
    later = claimed(studies, "1.2", 2 * TIMEOUT)
    assert (claim.study.instances, later.study.instances) == (1, 1)
    assert claim.study.event_id != later.study.event_id


# Tells of a study by a command that ends when the FIFO does, and is killed meanwhile.
RUNS_A_COMMAND = """
from dimse.archive.events import Command, PendingStudies
from tests.archive.test_events import instance
studies = PendingStudies(sys.argv[1])
studies.join(instance(1), 0.0)
claim = studies.claim("1.2", 60.0, 60.0)
command = Command(["sh", "-c", "echo started >$0; read x <$1", sys.argv[2], sys.argv[3]])
command(claim.study, claim.lock)
"""


def test_a_command_that_outlives_a_kill_is_not_run_a_second_time_beside_itself(tmp_path: Path) -> None:
    started, end = tmp_path / "started", tmp_path / "end"
    os.mkfifo(started)
    os.mkfifo(end)
    with storing.start_a_process(RUNS_A_COMMAND, tmp_path / "store", started, end) as process:
        assert started.read_text() == "started\n"
        process.kill()
        process.wait()
    with PendingStudies(tmp_path / "store") as studies:
        assert wait(studies, "1.2", 0.0) == BUSY
        assert [entry.state for entry in pending_studies(tmp_path / "store")] == ["running"]
        end.write_text("\n")
        deadline = time.monotonic() + SECONDS
        while isinstance(claim := studies.claim("1.2", 0.0, TIMEOUT), float):
            assert time.monotonic() < deadline
        assert claim is not None
        claim.succeeded()


def test_what_a_command_has_left_running_does_not_keep_the_study_locked(
    pending: PendingStudies, tmp_path: Path
) -> None:
    end = tmp_path / "end"
    os.mkfifo(end)
    pending.join(instance(1), 0.0)
    claim = claimed(pending, "1.2", TIMEOUT)
    Command(["sh", "-c", "(read x <$0) & exit 0", str(end)])(claim.study, claim.lock)
    claim.failed("as if", TIMEOUT)
    claimed(pending, "1.2", TIMEOUT + WAITS[0]).succeeded()
    with end.open("w"):
        pass


def test_a_claim_that_is_released_may_be_claimed_again_as_it_was(studies: Waiting) -> None:
    studies.join(instance(1), 0.0)
    claim = claimed(studies, "1.2", TIMEOUT)
    claim.release()
    again = claimed(studies, "1.2", TIMEOUT)
    assert (again.study, again.attempts) == (claim.study, 0)


# --- what fails ---


def test_a_failure_is_tried_again_after_10_seconds_1_10_and_60_minutes(studies: Waiting) -> None:
    studies.join(instance(1), 0.0)
    now, events = TIMEOUT, set()
    for seconds in (10.0, 60.0, 600.0, 3600.0):
        claim = claimed(studies, "1.2", now)
        events.add(claim.study)
        assert claim.failed("exit status 1", now) == seconds
        assert wait(studies, "1.2", now + seconds / 2) == seconds / 2
        now += seconds
    claim = claimed(studies, "1.2", now)
    events.add(claim.study)
    assert claim.failed("exit status 1", now) is None
    assert studies.claim("1.2", now + 1e9, TIMEOUT) is None
    assert len(events) == 1  # with one event ID


def test_what_was_given_up_is_kept_and_the_next_start_tries_it_again(tmp_path: Path) -> None:
    now = TIMEOUT
    with PendingStudies(tmp_path) as studies:
        studies.join(instance(1), 0.0)
        for _ in range(len(WAITS) + 1):
            claim = claimed(studies, "1.2", now)
            now += claim.failed("exit status 7", now) or 0.0
        assert pending_studies(tmp_path) == [PendingStudy(claim.study, "failed", 5, "exit status 7")]
    with PendingStudies(tmp_path) as studies:
        assert pending_studies(tmp_path) == [PendingStudy(claim.study, "waiting", 0, "exit status 7")]
        again = claimed(studies, "1.2", now)
        assert again.study == claim.study
        again.succeeded()


def test_a_study_that_goes_on_takes_over_what_could_not_be_told(studies: Waiting) -> None:
    for number in (1, 2):
        studies.join(instance(number), 0.0)
    failed = claimed(studies, "1.2", TIMEOUT)
    failed.failed("exit status 1", TIMEOUT)
    studies.join(instance(3, received=2_000_000_000.0), TIMEOUT)
    # The attempt that is due is not made: the study is not quiet any more.
    assert wait(studies, "1.2", TIMEOUT + 10) == TIMEOUT - 10
    claim = claimed(studies, "1.2", 2 * TIMEOUT)
    assert (claim.study.instances, claim.attempts) == (3, 0)
    assert claim.study.event_id != failed.study.event_id
    assert claim.study.last_received == 2_000_000_000.0
    claim.succeeded()
    assert studies.claim("1.2", 9 * TIMEOUT, TIMEOUT) is None


def test_what_was_taken_over_counts_once_though_a_kill_came_in_between(tmp_path: Path) -> None:
    files = tmp_path / ".studies"
    with PendingStudies(tmp_path) as studies:
        studies.join(instance(1), 0.0)
        claimed(studies, "1.2", TIMEOUT).failed("exit status 1", TIMEOUT)
        failed = (files / "1.2.telling").read_bytes()
        studies.join(instance(2), TIMEOUT)
        claimed(studies, "1.2", 2 * TIMEOUT).release()
    # As if the line had been written, and the file not been renamed.
    os.rename(files / "1.2.telling", files / "1.2")
    (files / "1.2.telling").write_bytes(failed)
    with PendingStudies(tmp_path) as studies:
        assert claimed(studies, "1.2", 3 * TIMEOUT).study.instances == 2


@pytest.mark.parametrize("rest", [b'{"event_id": "12', b"\0" * 100, b"null", b'{"event_id": 1}', b"[]\n{}\n\xff"])
def test_a_line_that_is_not_whole_spoils_no_other(tmp_path: Path, rest: bytes) -> None:
    with PendingStudies(tmp_path) as studies:
        studies.join(instance(1), 0.0)
        with (tmp_path / ".studies" / "1.2").open("ab") as file:
            file.write(rest)
        studies.join(instance(2), 0.0)
        assert claimed(studies, "1.2", TIMEOUT).study.instances == 2


def test_a_file_without_any_line_is_removed_and_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with PendingStudies(tmp_path) as studies:
        (tmp_path / ".studies" / "1.2").write_bytes(b"\0\0\0")
        assert studies.claim("1.2", 0.0, TIMEOUT) is None
    assert warnings(caplog) == ["removed the empty file of a waiting study: 1.2"]
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_was_removed_is_made_anew(tmp_path: Path) -> None:
    with PendingStudies(tmp_path) as studies:
        studies.join(instance(1), 0.0)
        for path in (tmp_path / ".studies").iterdir():
            path.unlink()
        (tmp_path / ".studies").rmdir()
        studies.join(instance(2), 0.0)
        assert claimed(studies, "1.2", TIMEOUT).study.instances == 1


def test_studies_go_along_to_the_folder_that_takes_the_place_of_the_stores(tmp_path: Path) -> None:
    store = tmp_path / "store"
    with PendingStudies(store) as studies, PendingStudies(store) as theirs:  # as of two processes
        studies.join(instance(1), 0.0)
        failed = claimed(studies, "1.2", TIMEOUT)
        studies.join(instance(2, study="1.3"), 0.0)
        store.rename(tmp_path / "moved")
        # As long as there is no folder, nothing is lost.
        theirs.join(instance(3), 0.0)
        store.mkdir()
        studies.join(instance(4, study="1.3"), 0.0)
        failed.failed("why", TIMEOUT)
        theirs.join(instance(5), 0.0)
        # What a process that is killed now leaves is where the next one looks.
        waiting = [(each.study.study_instance_uid, each.state, each.study.instances) for each in pending_studies(store)]
        assert waiting == [("1.2", "arriving", 2), ("1.2", "waiting", 1), ("1.3", "arriving", 2)]
        assert pending_studies(tmp_path / "moved") == []
        claimed(theirs, "1.3", TIMEOUT).succeeded()
        again = claimed(theirs, "1.2", TIMEOUT + WAITS[0])
        assert again.study.instances == 3
        again.succeeded()
        assert studies.listed() == []
    assert list(store.iterdir()) == []


def test_a_study_that_cannot_go_along_is_told_of_and_stays(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    store, other = tmp_path / "store", tmp_path / "other"
    with PendingStudies(other) as earlier:
        earlier.join(instance(1), 0.0)
    with PendingStudies(store) as studies:
        studies.join(instance(2), 0.0)
        store.rename(tmp_path / "moved")
        other.rename(store)
        studies.join(instance(3), 0.0)
        assert [found.study.instances for found in pending_studies(store)] == [2]
        assert [found.study.instances for found in pending_studies(tmp_path / "moved")] == [1]
    assert warnings(caplog) == [
        f"1 study left in the folder that was {store} before: storescp on that folder runs the program"
    ]


def test_an_instance_whose_study_cannot_be_noted_is_not_acknowledged(tmp_path: Path, pending: PendingStudies) -> None:
    in_the_way = tmp_path / "store" / ".studies" / "1.2"
    in_the_way.mkdir()
    told: list[Study] = []
    with Events(None, told.append, studies=pending) as events, FileStore(tmp_path / "store", stored=events) as store:
        status = storing.take(store, storing.store_request("1.2.1"), with_study("1.2.1"))
        assert status == OUT_OF_RESOURCES
        assert status.comment == "cannot note that its study waits: Is a directory"
        in_the_way.rmdir()
        assert storing.take(store, storing.store_request("1.2.1"), with_study("1.2.1")) == KEPT
    assert [(study.instances, study.duplicates) for study in told] == [(0, 1)]


# --- with threads ---


def tell_at(events: Events, clock: Clock, now: float) -> None:
    """Set the clock, and have the threads look at it: an instance without a study wakes one of them."""
    clock.now = now
    with events._changed:
        events._changed.notify_all()


def test_a_command_that_fails_is_a_notice_and_is_run_again_with_the_same_event(
    tmp_path: Path, pending: PendingStudies, caplog: pytest.LogCaptureFixture
) -> None:
    clock = Clock()
    told = tmp_path / "told"
    script = (
        "import os, sys; open(sys.argv[1], 'a').write(os.environ['DIMSE_EVENT_ID'] + '\\n'); print('Doe'); sys.exit(4)"
    )
    command = Command([sys.executable, "-I", "-S", "-c", script, str(told)])
    with Events(None, command, studies=pending, clock=clock, study_timeout=TIMEOUT) as events:
        events(instance(1))
        for attempt, seconds in enumerate((TIMEOUT, *WAITS), 1):
            tell_at(events, clock, clock.now + seconds)
            deadline = time.monotonic() + SECONDS
            while len(caplog.records) < attempt:
                assert time.monotonic() < deadline
                os.sched_yield()
    failed = f"command {sys.executable} for study 1.2: exit status 4, 4 bytes printed"
    assert warnings(caplog) == [
        *(f"{failed}; it is tried again in {after}" for after in ("10 s", "1 min", "10 min", "60 min")),
        f"{failed}; given up after 5 attempts: `storescp --pending-studies` lists it, and the next start tries again",
    ]
    assert [record.levelname for record in caplog.records] == ["WARNING"] * 4 + ["ERROR"]
    assert {record.name for record in caplog.records[:4]} == {"dimse.notices"}
    assert len(events_told := told.read_text().split()) == 5
    assert len(set(events_told)) == 1
    (entry,) = pending_studies(pending.folder)
    assert (entry.state, entry.why) == ("failed", "exit status 4, 4 bytes printed")


def test_what_hangs_whenever_it_is_tried_again_leaves_threads_to_others(studies: Waiting) -> None:
    clock, let_go = Clock(), threading.Event()
    failures: queue.Queue[str] = queue.Queue()
    told: queue.Queue[str] = queue.Queue()
    attempts: dict[str, int] = {}

    def on_study(study: Study) -> None:
        uid = study.study_instance_uid
        attempts[uid] = attempts.get(uid, 0) + 1
        if uid.startswith("1."):
            told.put(uid)
            return
        failures.put(uid)
        if attempts[uid] > 1:
            let_go.wait(SECONDS)
        raise RuntimeError

    pending = studies if isinstance(studies, PendingStudies) else None
    events = Events(None, on_study, studies=pending, clock=clock, study_timeout=TIMEOUT, workers=2)
    for study in ("2.1", "2.2", "2.3"):
        events(instance(1, study))
    tell_at(events, clock, TIMEOUT)
    assert {failures.get(timeout=SECONDS) for _ in range(3)} == {"2.1", "2.2", "2.3"}
    # The failures are noted a moment later than they are told.
    deadline = time.monotonic() + SECONDS
    while len(events._timed) < 3:
        assert time.monotonic() < deadline
    events(instance(1, "1.2"))
    tell_at(events, clock, 2 * TIMEOUT)
    assert told.get(timeout=SECONDS) == "1.2"
    let_go.set()
    events.close()


def test_studies_of_before_are_taken_up_when_they_have_been_quiet_anew(tmp_path: Path) -> None:
    with PendingStudies(tmp_path) as before:
        before.join(instance(1), 0.0)
        before.join(instance(1, "1.3"), 0.0)
        claimed(before, "1.3", TIMEOUT).release()
    told: queue.Queue[Study] = queue.Queue()
    clock = Clock()
    clock.now = 1000.0
    with PendingStudies(tmp_path) as studies:
        events = Events(None, told.put, studies=studies, clock=clock, study_timeout=TIMEOUT)
        tell_at(events, clock, 1000.0 + TIMEOUT - 0.1)
        assert told.empty()
        tell_at(events, clock, 1000.0 + TIMEOUT)
        assert {told.get(timeout=SECONDS).study_instance_uid for _ in range(2)} == {"1.2", "1.3"}
        events.close()
    assert list(tmp_path.iterdir()) == []


def test_more_studies_than_are_looked_at_wait_in_the_folder(pending: PendingStudies) -> None:
    told: list[str] = []
    with Events(None, lambda study: told.append(study.study_instance_uid), studies=pending, waiting=3) as events:
        for number in range(20):
            events(instance(1, f"1.{number}"))
    assert sorted(told) == sorted(f"1.{number}" for number in range(20))


def test_a_command_that_the_end_kills_stays_pending(
    tmp_path: Path, pending: PendingStudies, caplog: pytest.LogCaptureFixture
) -> None:
    started = tmp_path / "started"
    os.mkfifo(started)
    command = Command(["sh", "-c", "echo x >$0; exec sleep 1000", str(started)])
    events = Events(None, command, studies=pending, study_timeout=0)
    events(instance(1))
    assert started.read_text() == "x\n"
    events.close(drain=0)
    assert [(entry.state, entry.attempts) for entry in pending_studies(pending.folder)] == [("waiting", 0)]
    assert warnings(caplog) == [
        "command sh for study 1.2: killed, because the program is ending, 0 bytes printed; the next start runs it again"
    ]


def test_at_the_end_a_study_of_which_an_instance_is_arriving_elsewhere_is_left_for_the_next_start(
    tmp_path: Path, pending: PendingStudies
) -> None:
    told: list[Study] = []
    with FileStore(tmp_path / "store") as store:
        sink = store.begin(storing.store_request("1.2.2"))
        sink.write([memoryview(with_study("1.2.2"))])
        with Events(None, told.append, studies=pending) as events:
            events(instance(1))
        sink.discard()
    assert told == []
    assert pending.listed() == ["1.2"]


def test_a_study_is_told_of_by_one_of_several_processes(tmp_path: Path) -> None:
    """Each of four processes forked, as `storescp --workers` does, notes instances of the same studies at the same time."""
    told = tmp_path / "told"
    with PendingStudies(tmp_path / "store") as studies:
        children = []
        for worker in range(4):
            child = os.fork()
            if not child:
                status = 1
                try:
                    with Events(None, lambda study: note(told, study), studies=studies, study_timeout=0.2) as events:
                        for number in range(50):
                            events(instance(100 * worker + number, f"1.{number % 5}"))
                    status = 0
                finally:
                    os._exit(status)
            children.append(child)
        for child in children:
            assert os.waitpid(child, 0)[1] == 0
    found = [json.loads(line) for line in told.read_text().splitlines()]
    counts: dict[str, int] = {}
    for uid, instances in found:
        counts[uid] = counts.get(uid, 0) + instances
    assert counts == {f"1.{number}": 40 for number in range(5)}
    assert not (tmp_path / "store" / ".studies").exists()


def note(path: Path, study: Study) -> None:
    """Append a line, in one write."""
    file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(file, json.dumps([study.study_instance_uid, study.instances]).encode() + b"\n")
    os.close(file)
