"""The progress of storescu on a terminal: the end that is expected, and the line that is left."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from dimse.sending import Counts
from dimse.sending.counting import Count
from dimse.sending.finding import Tally
from dimse.tools.sending_progress import SendingProgress
from tests.chaos.proxy import Proxy
from tests.tools import running
from tests.tools.listeners import listening
from tests.tools.running import Instance, Receiver, element
from tests.tools.studies import write_study
from tests.tools.terminal import ERASE, Terminal

CANNOT_UNDERSTAND = 0xC000
# Seconds that a peer takes, so that there is time for a bar.
DELAY = 0.03


# ---- what is expected


def progress(count: Tally, counts: Counts, met: Tally, *, whole: bool | None = None, **more: Any) -> SendingProgress:
    """Return the progress of a sending; `whole` is None while the count goes on."""
    counting = Count([], recurse=True)
    counting.tally, counting.is_over, counting.is_whole = count, whole is not None, whole is True
    sending: Any = SimpleNamespace(
        counts=counts, met=met, sent_bytes=0, associations=more.pop("associations", 1), retries=more.pop("retries", 0)
    )
    return SendingProgress(sending, counting, **more)


FOUND = Counts(found=100, found_bytes=90_000, done=40, done_bytes=36_000)


def test_files_that_are_counted_and_not_met_are_expected() -> None:
    expected = progress(Tally(1000, 10**6), FOUND, Tally(110, 10**5), whole=True).counts
    assert (expected.found, expected.found_bytes, expected.done) == (990, 990_000, 40)
    assert not (expected.searching or expected.is_least)


@pytest.mark.parametrize(("whole", "is_least"), [(None, False), (False, True)])
def test_there_may_be_more_until_all_is_counted(whole: bool | None, is_least: bool) -> None:
    expected = progress(Tally(1000, 10**6), FOUND, Tally(110, 10**5), whole=whole).counts
    assert (expected.found, expected.searching, expected.is_least) == (990, True, is_least)


def test_the_count_lags_behind_the_search() -> None:
    assert progress(Tally(5, 50), FOUND, Tally(110, 10**5)).counts.found == 100


@pytest.mark.parametrize("whole", [None, False, True])
def test_what_is_found_is_exact_once_the_search_has_ended(whole: bool | None) -> None:
    counts = Counts(found=100, found_bytes=90_000, searching=False)
    expected = progress(Tally(1000, 10**6), counts, Tally(110, 10**5), whole=whole).counts
    assert (expected.found, expected.found_bytes) == (100, 90_000)
    assert not (expected.searching or expected.is_least)


def test_each_file_is_expected_as_often_as_it_is_sent() -> None:
    assert progress(Tally(20, 200), FOUND, Tally(10, 100), repeat=3).counts.found == 130


def test_jobs_and_retries_are_told() -> None:
    assert progress(Tally(), FOUND, Tally()).counts.notes == ()
    told = progress(Tally(), FOUND, Tally(), jobs=4, associations=3, retries=1).counts.notes
    assert told == ("3 of 4 jobs", "1 retry")
    assert progress(Tally(), FOUND, Tally(), retries=12).counts.notes == ("12 retries",)


# ---- on a terminal


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Write 20 instances."""
    return write_study(tmp_path / "study")


def drawn(terminal: Terminal) -> list[str]:
    """Return the bars that were drawn, without their colours."""
    text = re.sub(r"\x1b\[[0-9;]*m", "", terminal.output)
    return [line for line in re.split(re.escape(ERASE) + "|\r\n", text) if " files" in line and "Stored" not in line]


@pytest.mark.thorough
def test_total_percentage_and_time_left_are_seen_before_the_search_has_ended(folder: Path) -> None:
    for number in range(600):
        Instance(f"1.3.{number}").write(folder / "more" / f"{number}.dcm")
    with listening("storescp", "--ignore") as listener, Proxy(listener.port, delay=0.005) as port:
        with Terminal("-m", "dimse", "storescu", "127.0.0.1", port, folder, "-r", columns=100) as terminal:
            assert terminal.end() == 0
        listener.end()
    bars = [bar for bar in drawn(terminal) if "of 620 files" in bar]
    first = re.search(r"(\d+)%  (\d+) of 620 files  .* left", bars[0])
    assert first is not None
    # The search is 128 files ahead.
    assert int(first[2]) < 400
    assert all(" left" in bar for bar in bars)


@pytest.mark.thorough
def test_jobs_and_retries_are_seen(folder: Path) -> None:
    refused = iter([0, 0xA700])
    with Receiver(lambda stored: next(refused, 0)) as receiver, Proxy(receiver.port, delay=DELAY) as port:
        options = "--jobs", 2, "--any-order", "--retry", 1, "--retry-wait", 1
        with Terminal("-m", "dimse", "storescu", "127.0.0.1", port, folder, *options, columns=120) as terminal:
            assert terminal.end() == 0
    assert any("  1 retry" in bar for bar in drawn(terminal))
    assert any(re.search("  [12] of 2 jobs", bar) for bar in drawn(terminal))


@pytest.mark.thorough
@pytest.mark.parametrize("journal", [True, False])
def test_errors_stand_above_the_line_that_says_how_to_go_on(folder: Path, tmp_path: Path, journal: bool) -> None:
    options = ("--journal", tmp_path / "sent.db") if journal else ()
    hint = "the same command again sends what is left"
    if not journal:
        hint = "with --journal F, the same command again would send only what is left"
    refuse = Receiver(lambda stored: CANNOT_UNDERSTAND * (stored.sop_instance_uid == "1.2.3.4"))
    with (
        refuse as receiver,
        Proxy(receiver.port, delay=DELAY) as port,
        Terminal("-m", "dimse", "storescu", "127.0.0.1", port, folder, *options, columns=60) as terminal,
    ):
        assert terminal.end() == 3
    error, last, see, nothing = terminal.screen
    assert error.startswith(f"E: Store failed: {folder}/34.dcm: 0xC000 - Failure")
    assert re.fullmatch(
        rf"Stored 19 of 20 files, 19 instances, 0\.0 MB in \d+\.\d\d s \(\d+\.\d MB/s\), 1 failed; {hint}", last
    )
    assert see == "E: See DIMSE-E132 (dimse explain E132)"
    assert nothing == ""


@pytest.mark.thorough
@pytest.mark.parametrize("twice", [True, False])
def test_the_last_line_counts_instances_and_studies(tmp_path: Path, twice: bool) -> None:
    """Two files with one SOP instance UID are one instance."""
    study = [element(0x0020, 0x000D, "UI", f"1.9.{number}".encode()) for number in range(3)]
    for number in range(8):
        Instance(f"1.2.{number}", rest=study[number % 2]).write(tmp_path / f"{number}.dcm")
    Instance("1.2.7", rest=study[2]).write(tmp_path / "again.dcm")
    with Receiver() as receiver:
        process = receiver.storescu(tmp_path, "-v", *(("--repeat", 2) if twice else ()))
    assert process.returncode == 0
    files = 18 if twice else 9
    assert running.lines(process, "I")[-1].startswith(f"Stored {files} of {files} files, 8 instances of 3 studies, ")


# ---- many files

MANY, A_FOLDER = 20_000, 1000


@pytest.fixture(scope="module")
def many() -> Iterator[Path]:
    """Write 20,000 small instances, where possible in memory."""
    shm = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=shm if os.access(shm, os.W_OK) else None) as name:
        for number in range(MANY):
            path = Path(name) / f"{number // A_FOLDER:02}" / f"{number:05}.dcm"
            instance = Instance(f"1.2.{number}", rest=element(0x0020, 0x000D, "UI", f"1.9.{number // 500}".encode()))
            if number % A_FOLDER:
                path.write_bytes(instance.content)
            else:
                instance.write(path)
        yield Path(name)


@pytest.mark.thorough
@pytest.mark.timeout(180)
def test_the_end_of_twenty_thousand_files_is_seen_soon(many: Path) -> None:
    with listening("storescp", "--ignore") as listener:
        arguments = "storescu", "127.0.0.1", listener.port, many, "-r"
        with Terminal("-m", "dimse", *arguments, columns=100) as terminal:
            assert terminal.end() == 0
        listener.end()
    bars = [re.search(r"(\d+)%  ([\d,]+) of 20,000 files  (.*)", bar) for bar in drawn(terminal)]
    seen = [(int(bar[1]), int(bar[2].replace(",", "")), bar[3]) for bar in bars if bar is not None]
    share, done, _ = seen[0]
    assert done < MANY / 2 and share < 50
    assert [share for share, _, _ in seen] == sorted(share for share, _, _ in seen)
    assert all(re.fullmatch(r".* \d+\.\d\d? MB/s  \d+:\d\d left", rest.rstrip("\r")) for _, _, rest in seen)
    # The last bar is drawn up to an interval before the end, which is a tenth of so short a run and more.
    assert seen[-1][0] >= 75
    *_, last, nothing = terminal.screen
    assert last.startswith("Stored 20000 of 20000 files, 20000 instances of 40 studies, ")
    assert nothing == ""
