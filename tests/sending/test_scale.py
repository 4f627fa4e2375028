"""Much to send: what several associations gain, what 100,000 files cost, and when the first of them is on its way."""

from __future__ import annotations

import os
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

import dimse
from dimse import uids
from dimse.archive import folders
from dimse.archive.file_store import FileStore
from dimse.association.sinks import DiscardSink
from dimse.instances import InstanceFile
from dimse.sending import Sending
from dimse.sending import feed as feeding
from dimse.sending.feed import Feed
from dimse.sending.journal import entries
from dimse.sending.proposal import Proposal, Syntaxes
from dimse.support.disk import sync
from tests.hostile_scu import resident
from tests.tools import running
from tests.tools.running import Instance, element, pixel_data

CT, MR = uids.CTImageStorage, uids.MRImageStorage


@pytest.fixture(scope="module")
def in_memory() -> Iterator[Path]:
    """Yield a folder in memory where the system has one, so that no disk slows the test down."""
    shm = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=shm if os.access(shm, os.W_OK) else None) as folder:
        yield Path(folder)


def make_files(
    folder: Path, count: int, *, a_folder: int, sop_class_of: Callable[[int], str] = lambda number: CT
) -> Path:
    """Write instances of about 1 KB, each folder one series."""
    for number in range(count):
        series = number // a_folder + 1
        rest = element(0x0020, 0x000E, "UI", f"2.25.{series}".encode()) + pixel_data(400)
        instance = Instance(f"2.25.1{number:06}", sop_class_of(number), rest=rest)
        path = folder / f"{series:03}" / f"{number:06}.dcm"
        if number % a_folder:
            path.write_bytes(instance.content)
        else:
            instance.write(path)
    return folder


# --- several associations ---

# At most this share of the time of one job is what four may take: a quarter is waiting, the rest is work.
GAIN = 0.65
# Seconds that a disk takes; each object waits for it twice.
SLOW = 0.002


@pytest.mark.thorough
def test_four_jobs_beat_one_where_the_receiver_waits_for_its_disk(
    in_memory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def slow(descriptor: int) -> None:
        time.sleep(SLOW)
        sync(descriptor)

    monkeypatch.setattr(folders, "sync", slow)
    files = make_files(in_memory / "series", 400, a_folder=20)
    took = {}
    for jobs in (1, 4):
        folder = tmp_path / str(jobs)
        with (
            FileStore(folder) as store,
            dimse.Server(("127.0.0.1", 0), store.handlers()) as server,
            Sending([files], server.address, jobs=jobs, recurse=True) as sending,
        ):
            started = time.monotonic()
            assert {outcome.status for outcome in sending.events() if isinstance(outcome, dimse.Outcome)} == {0}
            took[jobs] = time.monotonic() - started
        assert len(list(folder.iterdir())) == 400
    print(f"400 objects, each waited for: {took[1]:.2f} s with one job, {took[4]:.2f} s with four")
    assert took[4] < GAIN * took[1]


# --- many files ---

COUNT = 100_000
FROM = 60_000  # on they need another presentation context
MOST_MEMORY = 150_000_000  # bytes, with what the interpreter maps
# Seconds from the start of the process to the first object at the receiver.
SOON = 2.0


@pytest.fixture(scope="module")
def many_files(in_memory: Path) -> Path:
    return make_files(in_memory / "many", COUNT, a_folder=1000, sop_class_of=lambda number: CT if number < FROM else MR)


@dataclass
class Arrivals:
    """A receiver that keeps nothing but what it was sent when.

    Attributes:
        began: Set when the first object has come.
        first: When that was, on `time.monotonic()`.
        uids: The SOP instances.
        sop_classes: What each association carried, in the order in which they began to.
    """

    began: threading.Event = field(default_factory=threading.Event)
    first: float = 0.0
    uids: set[str] = field(default_factory=set)
    sop_classes: dict[object, set[str]] = field(default_factory=dict)

    def handlers(self) -> dimse.Handlers:
        return dimse.Handlers(store=lambda request: 0, store_begin=self._begin)

    def _begin(self, request: dimse.StoreRequest) -> DiscardSink:
        self.first = self.first or time.monotonic()
        self.began.set()
        self.uids.add(request.sop_instance_uid)
        self.sop_classes.setdefault(request.peer.address, set()).add(request.sop_class_uid)
        return DiscardSink()


def peak_memory(process: subprocess.Popen[str]) -> int:
    """Return the peak of memory, in bytes, of a process that has ended: VmHWM, which counts what it maps too."""
    peak = 0
    while process.poll() is None:
        with suppress(StopIteration):  # it has just ended
            peak = max(peak, resident(process.pid, peak=True))
        with suppress(subprocess.TimeoutExpired):
            process.wait(0.05)
    return peak


def acknowledged(folder: Path) -> int:
    return sum(entry.state == "acked" for entry in entries(str(folder / "journal")))


def reported(folder: Path) -> int:
    return (folder / "report.jsonl").read_text().count('"stored"')


@pytest.mark.campaign
@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("jobs", "options", "kept"),
    [
        (1, (), None),
        (4, (), None),
        (1, ("--journal", "journal"), acknowledged),
        (1, ("--report", "report.jsonl"), reported),
        (4, ("--journal", "journal", "--report", "report.jsonl"), acknowledged),
    ],
    ids=["one-job", "four-jobs", "journal", "report", "everything"],
)
def test_a_hundred_thousand_files_are_sent_in_little_memory(
    many_files: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    jobs: int,
    options: Sequence[str],
    kept: Callable[[Path], int] | None,
) -> None:
    monkeypatch.chdir(tmp_path)
    arrivals = Arrivals()
    with dimse.Server(("127.0.0.1", 0), arrivals.handlers()) as server:
        started = time.monotonic()
        with running.start("storescu", *server.address, "-r", many_files, "--jobs", jobs, *options) as process:
            peak = peak_memory(process)
            out, err = process.communicate()
    seconds, first = time.monotonic() - started, arrivals.first - started
    print(f"{COUNT} files: {peak / 1e6:.0f} MB at most, first object after {first:.2f} s, all after {seconds:.1f} s")
    assert (process.returncode, out, err) == (0, "", "")
    assert len(arrivals.uids) == COUNT
    assert kept is None or kept(tmp_path) == COUNT
    # No association knew yet of the others.
    assert list(arrivals.sop_classes.values())[:jobs] == [{CT}] * jobs
    assert {CT, MR} == set.union(*arrivals.sop_classes.values())
    assert peak < MOST_MEMORY


@pytest.mark.campaign
@pytest.mark.parametrize(
    "options", [(), ("--jobs", 4), ("--jobs", 4, "--journal", "journal", "--report", "report.csv")]
)
def test_the_first_of_a_hundred_thousand_is_there_within_two_seconds(
    many_files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: Sequence[object]
) -> None:
    monkeypatch.chdir(tmp_path)
    took = []
    # The machine may be busy with something else.
    for _ in range(3):
        arrivals = Arrivals()
        with dimse.Server(("127.0.0.1", 0), arrivals.handlers()) as server:
            started = time.monotonic()
            with running.start("storescu", *server.address, "-r", many_files, *options):
                assert arrivals.began.wait(running.SECONDS)
        took.append(arrivals.first - started)
        Path("journal").unlink(missing_ok=True)
    print(f"the first object after {', '.join(f'{seconds:.2f}' for seconds in took)} s")
    assert min(took) < SOON


@pytest.mark.thorough
@pytest.mark.parametrize("jobs", [1, 4])
def test_files_are_sent_while_others_are_searched(in_memory: Path, monkeypatch: pytest.MonkeyPatch, jobs: int) -> None:
    monkeypatch.setattr(feeding, "GATHERING", 0.01)
    folder = in_memory / f"some{jobs}"
    files = make_files(folder, 2500, a_folder=100, sop_class_of=lambda number: CT if number < 1500 else MR)
    arrivals = Arrivals()
    with (
        dimse.Server(("127.0.0.1", 0), arrivals.handlers()) as server,
        Sending([files], server.address, jobs=jobs, recurse=True) as sending,
    ):
        events = sending.events()
        next(events)
        assert sending.counts.searching
        assert [event for event in events if not isinstance(event, dimse.Outcome)] == []
    assert len(arrivals.uids) == 2500
    assert next(iter(arrivals.sop_classes.values())) == {CT}
    assert sending.counts.done == 2500


@pytest.mark.parametrize("keep_series", [False, True])
def test_what_waits_for_another_association_does_not_slow_this_one_down(keep_series: bool) -> None:
    syntax = uids.ExplicitVRLittleEndian
    files = [
        InstanceFile("", CT if number % 2 else MR, "1.2", syntax, 0, 10, (0, 0), 10, 0, (), f"1.{number}")
        for number in range(16_000)
    ]
    feed, only_ct = Feed(files, Syntaxes(), keep_series=keep_series), Proposal(Syntaxes(), [(CT, syntax)])
    started = time.process_time()
    taken = list(iter(lambda: feed.take("job", only_ct), None))
    assert len(taken) == 8000
    # To look at each waiting file each time takes 10 seconds.
    assert time.process_time() - started < 2
