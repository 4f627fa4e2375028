"""The bar of storescu, on a real terminal: what is seen, when nothing is, and that the log's lines are what they are without it."""

from __future__ import annotations

import io
import re
import subprocess
import sys
import time
from dataclasses import dataclass

import pytest
from rich.console import Console

from dimse.tools import progress
from tests.tools import running
from tests.tools.terminal import ERASE, Screen, Terminal

# A sender that executes its stdin, a statement a line. At the end it prints whether it had a bar, and rich.
DRIVER = """
import logging, signal, sys, threading
from contextlib import nullcontext
from types import SimpleNamespace
from dimse.tools import progress

signal.signal(signal.SIGINT, signal.default_int_handler)  # even where whoever started the tests has it ignored
level, enabled, patience = sys.argv[1:]
logging.basicConfig(stream=sys.stderr, format="%(levelname).1s: %(message)s")
log = logging.getLogger("dimse")
log.setLevel(level)
progress.BAR_DELAY = float(patience)
counts = SimpleNamespace(
    found=0, found_bytes=0, done=0, done_bytes=0, failed=0, searching=True, is_least=False, notes=()
)
run = SimpleNamespace(counts=counts, sent_bytes=0)
bar = progress.Bar(lambda: nullcontext(run), enabled=enabled == "enabled")
try:
    with bar:
        bars = [thread for thread in threading.enumerate() if thread.name == "progress"]
        for line in sys.stdin:
            exec(line)
except KeyboardInterrupt:
    log.error("Interrupted")
bar.conclude("10 files")
print(len(bars), "rich" in sys.modules)
"""


def sender(
    level: str = "ERROR",
    *,
    enabled: bool = True,
    patience: float = 0,
    columns: int = 80,
    stdout: bool = False,
    **environment: str,
) -> Terminal:
    """Start the driver on a terminal."""
    words = level, "enabled" if enabled else "disabled", patience
    return Terminal("-c", DRIVER, *words, columns=columns, stdout=stdout, environment=environment)


HALF_DONE = "vars(counts).update(found=10, found_bytes=20_000_000, done=5, done_bytes=10_000_000, searching=False)"

# ---- on a terminal


def test_the_bar_is_seen_while_files_are_sent_and_leaves_the_line_about_the_run() -> None:
    with sender() as terminal:
        terminal.until("searching")
        terminal.type("counts.found, counts.found_bytes = 3, 6_000_000")
        terminal.until("0 of 3+ files  0.0 of 6.0+ MB")
        terminal.type(HALF_DONE)
        terminal.until("5 of 10 files  10.0 of 20.0 MB")
        terminal.type("run.sent_bytes = 2_000_000")
        terminal.until("60%")
        terminal.until(" left")
        assert "failed" not in terminal.output
        terminal.type("counts.failed = 1")
        terminal.until("\x1b[31m  1 failed")
        assert terminal.end() == 0
        assert terminal.screen == ["10 files", ""]
        assert terminal.output.endswith(f"{ERASE}10 files\r\n")


LINES = (
    "Store failed: /data/[red]x[/red]/1.dcm: 0xA700: Out of Resources",
    "a line of :smile: 100% {0} \\\\ and 'quotes'",
    "a tab\\tand more than the terminal is wide" * 5,
    "M\u00fcller \u5c71\u7530",
)


def test_log_lines_are_written_above_the_bar_as_they_are() -> None:
    with sender() as terminal:
        terminal.type(HALF_DONE)
        terminal.until("5 of 10 files")
        for line in LINES:
            terminal.type(f'log.error("%s", "{line}")')
            terminal.until("5 of 10 files")  # the bar is there again
        terminal.type("logging.getLogger().warning('two\\nlines')")
        terminal.until("5 of 10 files")
        assert terminal.end() == 0
        said = [line.encode().decode("unicode_escape") if line.isascii() else line for line in LINES]
        assert terminal.screen == [*(f"E: {line}" for line in said), "W: two", "lines", "10 files", ""]


def test_results_are_printed_above_the_bar() -> None:
    with sender(stdout=True) as terminal:
        terminal.type(HALF_DONE)
        terminal.until("5 of 10 files")
        terminal.type("bar.print('1.2.3 complete')")
        terminal.until("5 of 10 files")
        assert terminal.end() == 0
        assert terminal.screen == ["1.2.3 complete", "10 files", "1 True", ""]


def test_results_in_a_pipe_are_printed_there() -> None:
    with sender() as terminal:
        terminal.type(HALF_DONE)
        terminal.until("5 of 10 files")
        terminal.type("bar.print('1.2.3 complete')")
        assert terminal.answer() == "1.2.3 complete"
        assert terminal.end() == 0
        assert terminal.screen == ["10 files", ""]


def test_ctrl_c_leaves_the_terminal_as_it_was() -> None:
    with sender() as terminal:
        terminal.type(HALF_DONE)
        terminal.until("5 of 10 files")
        terminal.interrupt()
        assert terminal.end() == 0
        assert terminal.screen == ["E: Interrupted", "10 files", ""]
        # The cursor was never hidden: a killed process could not bring it back.
        assert "\x1b[?25" not in terminal.output


def test_no_colour_where_the_user_wants_none() -> None:
    with sender(NO_COLOR="1") as terminal:
        terminal.type(HALF_DONE + "; counts.failed = 1")
        terminal.until("1 failed")
        assert terminal.end() == 0
        assert set(re.findall(r"\x1b\[[0-9;]*[A-Za-z]", terminal.output)) == {"\x1b[J"}


@pytest.mark.parametrize("columns", [12, 25, 40, 60, 80, 120, 200])
def test_the_bar_fits_in_a_line_of_the_terminal(columns: int) -> None:
    with sender(columns=columns) as terminal:
        terminal.type(HALF_DONE + "; counts.failed = 1234567; run.sent_bytes = 15_000_000")
        terminal.until("5 of 10")
        assert terminal.end() == 0
        drawn = [re.sub(r"\x1b\[[0-9;]*m", "", line) for line in terminal.output.split(ERASE)]
        assert max(len(line.rstrip("\r")) for line in drawn) < columns


def test_the_bar_follows_the_width_of_the_terminal() -> None:
    with sender(columns=120) as terminal:
        terminal.type(HALF_DONE)
        terminal.until("10.0 of 20.0 MB")
        terminal.resize(40)
        terminal.until("5 of 10 files")
        terminal.until("5 of 10 files")
        seen = len(terminal.output)
        terminal.until("5 of 10 files")
        assert terminal.end() == 0
        drawn = [re.sub(r"\x1b\[[0-9;]*m", "", line) for line in terminal.output[seen:].split(ERASE)[1:]]
        assert max(len(line.rstrip("\r")) for line in drawn if "10 files\r\n" not in line) < 40


@pytest.mark.parametrize("reflows", [True, False])
@pytest.mark.parametrize("widths", [(80, 40), (40, 80), (200, 13), (80, 79, 40, 20, 100)])
def test_nothing_of_the_bar_is_left_behind_when_the_terminal_is_resized(widths: tuple[int, ...], reflows: bool) -> None:
    screen, output = Screen(widths[0], reflows=reflows), io.StringIO()
    line = progress._BottomLine(output)
    shown = 0

    def show() -> None:
        nonlocal shown
        screen.feed(output.getvalue()[shown:].replace("\n", "\r\n"))
        shown = len(output.getvalue())

    for number, width in enumerate(widths):
        screen.resize(width)
        console = Console(file=io.StringIO(), force_terminal=True, width=width)
        line.show(progress.drawn(console, Counts(failed=3), READING))
        show()
        assert len(screen.rows) == number + 1
        line.write(f"E: {number}\n")
        show()
        assert screen.rows[:-1] == [f"E: {earlier}" for earlier in range(number + 1)]
        assert len(screen.rows[-1]) < width
    line.show("")
    show()
    assert screen.rows == [f"E: {number}" for number in range(len(widths))]


# ---- where nothing is shown


def test_a_short_run_shows_nothing_and_does_not_load_rich() -> None:
    with sender(patience=50) as terminal:
        terminal.type(HALF_DONE)
        assert terminal.end() == 0
        assert (terminal.output, terminal.answer()) == ("", "1 False")


@pytest.mark.parametrize("level", ["DEBUG", "INFO", "CRITICAL"])
def test_where_the_lines_are_the_progress_or_silence_is_wanted_there_is_no_bar(level: str) -> None:
    with sender(level) as terminal:
        assert terminal.end() == 0
        assert (terminal.output, terminal.answer()) == ("", "0 False")


def test_there_is_no_bar_if_it_is_switched_off() -> None:
    with sender(enabled=False) as terminal:
        terminal.type("log.error('an error')")
        assert terminal.end() == 0
        assert (terminal.output, terminal.answer()) == ("E: an error\r\n", "0 False")


def test_there_is_no_bar_on_a_terminal_that_cannot_erase() -> None:
    with sender(TERM="dumb") as terminal:
        assert terminal.end() == 0
        assert (terminal.output, terminal.answer()) == ("", "0 False")


def test_there_is_no_bar_in_a_pipe() -> None:
    process = subprocess.run(
        [sys.executable, "-c", DRIVER, "ERROR", "enabled", "0"],
        input="log.error('an error')\n",
        capture_output=True,
        text=True,
        timeout=running.SECONDS,
        check=True,
    )
    assert (process.stdout, process.stderr) == ("0 False\n", "E: an error\n")


# ---- what is said


@dataclass
class Counts:
    """The counts of a run."""

    found: int = 5000
    found_bytes: int | None = 2_500_000_000
    done: int = 1234
    done_bytes: int = 617_000_000
    failed: int = 0
    searching: bool = False
    is_least: bool = False
    notes: tuple[str, ...] = ()


READING = progress.Reading(617_000_000, 104_300_000, 0.2468, 18.1)
NOTES = ("3 of 4 jobs", "12 retries")
SAID = [
    (Counts(), READING, 99, "24% | 1,234 of 5,000 files | 617.0 of 2,500.0 MB | 104.3 MB/s | 0:18 left"),
    (Counts(), READING, 79, "24% | 1,234 of 5,000 files | 104.3 MB/s | 0:18 left"),
    (Counts(notes=NOTES), READING, 119,
     "24% | 1,234 of 5,000 files | 617.0 of 2,500.0 MB | 104.3 MB/s | 0:18 left | 3 of 4 jobs | 12 retries"),
    (Counts(notes=NOTES), READING, 89, "24% | 1,234 of 5,000 files | 104.3 MB/s | 0:18 left | 3 of 4 jobs | 12 retries"),
    (Counts(notes=NOTES), READING, 79, "24% | 1,234 of 5,000 files | 104.3 MB/s | 0:18 left | 12 retries"),
    (Counts(), READING, 39, "24% | 1,234 of 5,000 files | 0:18 left"),
    (Counts(failed=7), READING, 39, "24% | 1,234 of 5,000 files"),
    (Counts(), READING, 10, "1,234 of 5,000 files"),
    (Counts(failed=7), READING, 79, "24% | 1,234 of 5,000 files | 104.3 MB/s | 0:18 left"),
    (Counts(failed=7), READING, 59, "24% | 1,234 of 5,000 files | 0:18 left"),
    (Counts(found_bytes=10**11), progress.Reading(10**9, 5e6, 0.01, 19800), 99,
     "1% | 1,234 of 5,000 files | 1.0 of 100.0 GB | 5.0 MB/s | 5:30:00 left"),
    (Counts(searching=True), progress.Reading(0, 50_000), 99,
     "1,234 of 5,000+ files | 0.0 of 2,500.0+ MB | 0.05 MB/s"),
    (Counts(searching=True, is_least=True), progress.Reading(0, 50_000), 79,
     "1,234 of at least 5,000 files | 0.0 of 2,500.0+ MB | 0.05 MB/s"),
    (Counts(found=0, found_bytes=0, searching=True), progress.Reading(), 80, "searching | 0.0 of 0.0+ MB | 0.00 MB/s"),
    (Counts(found_bytes=None), progress.Reading(12_000_000, 1e6, 0.2468, 9), 79,
     "24% | 1,234 of 5,000 files | 12.0 MB | 1.0 MB/s | 0:09 left"),
]  # fmt: skip


@pytest.mark.parametrize(("counts", "reading", "width", "words"), SAID)
def test_what_matters_least_is_left_out_first(
    counts: Counts, reading: progress.Reading, width: int, words: str
) -> None:
    assert " | ".join(progress.words_beside(counts, reading, width)) == words


def test_bytes_under_way_count_and_never_twice() -> None:
    counts, meter = Counts(found_bytes=3000, done_bytes=0), progress.Meter(0)
    shown = [
        meter.read(1, counts, 400).done_bytes,
        # All of the first file is sent, and not yet answered.
        meter.read(2, counts, 1000).done_bytes,
    ]
    counts.done_bytes = 1000
    shown += [meter.read(3, counts, 1000).done_bytes, meter.read(4, counts, 1700).done_bytes]
    counts.done_bytes = 3000
    shown += [meter.read(5, counts, 4200).done_bytes]  # some of it was sent twice
    assert shown == [400, 1000, 1000, 1700, 3000]


def test_what_was_sent_in_an_earlier_run_is_done_and_no_speed() -> None:
    reading = progress.Meter(0).read(1, Counts(found_bytes=3000, done_bytes=2000), 0)
    assert reading == progress.Reading(2000, 0.0, 2 / 3, None)


def test_no_more_than_99_per_cent_are_done_before_the_last_file() -> None:
    words = progress.words_beside(Counts(done=4999), progress.Reading(2_500_000_000, 1e6, 1.0, 0), 39)
    assert words[0] == "99%"
    assert progress.words_beside(Counts(done=5000), progress.Reading(2_500_000_000, 1e6, 1.0, 0), 39)[0] == "100%"


def test_where_the_bytes_to_come_are_not_known_the_instances_count() -> None:
    reading = progress.Meter(0).read(10, Counts(found=50, found_bytes=None, done=20, done_bytes=2000), 2000)
    assert reading == progress.Reading(2000, 200.0, 0.4, 15.0)


def test_the_rate_is_that_of_the_last_seconds() -> None:
    counts, meter = Counts(found_bytes=10**6, done_bytes=0), progress.Meter(0)
    for second in range(1, 31):
        fast = meter.read(second, counts, 1000 * second)
    for second in range(31, 61):
        slow = meter.read(second, counts, 30_000 + 100 * (second - 30))
    assert (fast.rate, slow.rate) == (1000, 100)
    assert slow.seconds_left == (10**6 - 33_000) / 100


def test_the_remaining_time_is_unknown_while_more_may_be_found() -> None:
    counts = Counts(searching=True)
    reading = progress.Meter(0).read(1, counts, 10**6)
    assert (reading.share, reading.seconds_left) == (None, None)


def test_ten_seconds_of_the_bar_take_less_than_a_fiftieth_of_them() -> None:
    console = Console(file=io.StringIO(), force_terminal=True, width=100)
    meter, counts = progress.Meter(0), Counts(failed=3)
    started = time.process_time()
    for look in range(1, int(10 / progress.INTERVAL) + 1):
        progress.drawn(console, counts, meter.read(look, counts, look * 1000))
    assert time.process_time() - started < 0.2
