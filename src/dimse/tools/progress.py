"""The progress bar of a tool that sends or retrieves: the last line of the terminal, erased at the end.

The bar must not appear in a pipe, delay what is sent, or change a line of the log. So a thread of its own reads the counts
eight times a second, and loads rich only when a run has lasted half a second. Lines of the log are written above the bar,
unchanged. The cursor stays visible, because a killed process could not show it again.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
from collections import deque
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import TYPE_CHECKING, Protocol, Self, TextIO

from dimse.support.text import counted
from dimse.support.values import value

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from types import TracebackType

    from rich.console import Console

# Seconds that a run lasts before the bar appears.
BAR_DELAY = 0.5
# Seconds between two drawings.
INTERVAL = 1 / 8
# Seconds over which the rate is averaged, so that a slow file does not make it jump.
RATE_WINDOW = 10.0

# ECMA-48: erase from the beginning of the line to the end of the screen.
ERASE = "\r\x1b[J"
# The cursor rests at the beginning of the bar. Where a narrower terminal wraps the bar, all of it is then behind the cursor.
REST = "\r"
# Columns left free at the right, so that no terminal begins a new line.
MARGIN = 1
# Columns of the bar, least and most.
BAR = 10, 40


class Counts(Protocol):
    """The progress of a run, in files and their bytes.

    Attributes:
        found, found_bytes: The files of the run, as far as they are known. The bytes are None where only those done are known.
        done, done_bytes: The files that have an outcome.
        failed: Number of files that the peer does not keep.
        searching: Whether there may be more files.
        is_least: Whether `found` is a number that stays a least one until the end of the run.
        notes: Words about associations and retries, the least important ones first.
    """

    @property
    def found(self) -> int: ...
    @property
    def found_bytes(self) -> int | None: ...
    @property
    def done(self) -> int: ...
    @property
    def done_bytes(self) -> int: ...
    @property
    def failed(self) -> int: ...
    @property
    def searching(self) -> bool: ...
    @property
    def is_least(self) -> bool: ...
    @property
    def notes(self) -> Sequence[str]: ...


class Run(Protocol):
    """A run whose progress is shown: the `SendingProgress` of a sending, or the `Arrivals` of a retrieval.

    The thread of the bar reads both properties.
    """

    @property
    def counts(self) -> Counts: ...
    @property
    def sent_bytes(self) -> int: ...


class Bar:
    """The progress bar of a run, shown while it is entered.

    It is shown if stderr is a terminal that can erase a line, and the log level is WARNING or ERROR. With `-v` and `-d` the
    lines of the log are the progress. `-q` and CRITICAL ask for silence.

    Args:
        watch: Returns the run, as a context manager that is entered while the bar is shown.
        enabled: False never shows the bar.
    """

    def __init__(self, watch: Callable[[], AbstractContextManager[Run]], *, enabled: bool = True) -> None:
        self._watch_run = watch
        # The last line of the terminal, once the bar is shown.
        self._line: _BottomLine | None = None
        self._over = threading.Event()
        self._meter = Meter(time.monotonic())
        self._thread: threading.Thread | None = None
        if enabled and _is_wanted():
            self._thread = threading.Thread(target=self._watch, name="progress", daemon=True)

    def __enter__(self) -> Self:
        if self._thread is not None:
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        if self._thread is not None:
            self._thread.join()

    def _watch(self) -> None:
        """Wait until the run has lasted long enough for a bar, and draw it until the end; the body of the thread."""
        if self._over.wait(BAR_DELAY):
            return
        from rich.console import Console

        console = Console(file=sys.stderr)
        # The terminal may be closed meanwhile.
        with suppress(OSError), self._watch_run() as run, _bottom_line(sys.stderr) as line:
            self._line = line
            while True:
                counts = run.counts
                reading = self._meter.read(time.monotonic(), counts, run.sent_bytes)
                line.show(drawn(console, counts, reading))
                if self._over.wait(INTERVAL):
                    return

    def print(self, line: str) -> None:
        """Print a line on stdout; above the bar if stdout is a terminal too."""
        if self._line is not None and not self._over.is_set() and sys.stdout.isatty():
            self._line.write(f"{line}\n")
        else:
            print(line, flush=True)

    def conclude(self, line: str) -> None:
        """Write a line about the whole run to the terminal if the bar was shown there."""
        if self._line is not None:
            with suppress(OSError):
                print(line, file=sys.stderr, flush=True)


def _is_wanted() -> bool:
    level = logging.getLogger("dimse").getEffectiveLevel()
    able = sys.stderr.isatty() and os.environ.get("TERM", "dumb") != "dumb"
    return able and logging.WARNING <= level <= logging.ERROR


# --- the rate


@value
class Reading:
    """The figures that the bar shows.

    Attributes:
        done_bytes: Bytes of files that have an outcome, and bytes sent of the files under way.
        rate: Bytes a second.
        share: The part of the run that is done, from 0 to 1; None while its end is not known.
        seconds_left: The estimated rest of the run; None while it cannot be estimated.
    """

    done_bytes: int = 0
    rate: float = 0.0
    share: float | None = None
    seconds_left: float | None = None


class Meter:
    """A meter that turns counts into readings, and remembers the last seconds for the rate.

    Args:
        started: When the run began, in seconds.
    """

    def __init__(self, started: float) -> None:
        # Times, with the bytes sent and the files done until then.
        self._samples = deque([(started, 0, 0)])
        self._counted = self._sent_then = self._shown = 0

    def read(self, now: float, counts: Counts, sent_bytes: int) -> Reading:
        """Return the reading at a time, in seconds."""
        if counts.done_bytes != self._counted:
            self._counted, self._sent_then = counts.done_bytes, sent_bytes
        # A file is counted when it is answered. Until then the bytes sent since the last one stand for it.
        under_way = sent_bytes - self._sent_then
        shown = max(self._shown, self._counted + under_way)
        self._shown = shown if counts.found_bytes is None else min(shown, counts.found_bytes)
        rate, file_rate = self._rates(now, sent_bytes, counts.done)
        if counts.searching:
            return Reading(self._shown, rate)
        if counts.found_bytes:
            done, whole, speed = self._shown, counts.found_bytes, rate
        else:
            done, whole, speed = counts.done, counts.found, file_rate
        return Reading(self._shown, rate, done / whole if whole else None, (whole - done) / speed if speed else None)

    def _rates(self, now: float, sent_bytes: int, done: int) -> tuple[float, float]:
        """Return the bytes and the files a second."""
        self._samples.append((now, sent_bytes, done))
        while len(self._samples) > 2 and self._samples[1][0] <= now - RATE_WINDOW:
            self._samples.popleft()
        then, sent_then, done_then = self._samples[0]
        seconds = now - then
        return ((sent_bytes - sent_then) / seconds, (done - done_then) / seconds) if seconds > 0 else (0.0, 0.0)


# --- the line


def drawn(console: Console, counts: Counts, reading: Reading) -> str:
    """Return the line with its colours, as wide as the terminal allows, and with files and failures at least."""
    from rich.progress_bar import ProgressBar
    from rich.text import Text

    width = max(console.width - MARGIN, 1)
    words = words_beside(counts, reading, width)
    failed = failures(counts)
    text = Text("  ".join(["", *words]), end="")
    text.append(failed, style="red")
    room = width - len(text)
    bar = ProgressBar(
        total=None if reading.share is None else 1,
        completed=reading.share or 0,
        width=min(room, BAR[1]),
        pulse=reading.share is None,
        complete_style="green",
        finished_style="green",
        pulse_style="green",
    )
    with console.capture() as capture:
        if room >= BAR[0]:
            console.print(bar, end="")
        else:
            text = text[2:]
            text.truncate(width)
        console.print(text, end="", no_wrap=True, crop=False)
    return capture.get()


def words_beside(counts: Counts, reading: Reading, width: int) -> list[str]:
    """Return the words of a line of this width. The least important ones are left out if there is no room for a bar beside them.

    The bar itself is left out before the files, the percentage and the time left are.
    """
    words = {
        "share": _percentage(counts, reading.share),
        "files": _files(counts),
        "bytes": _bytes(counts, reading.done_bytes),
        "rate": _rate(reading.rate),
        "left": "" if reading.seconds_left is None else f"{_clock(reading.seconds_left)} left",
    }
    notes = {f"note {number}": note for number, note in enumerate(counts.notes)}
    words |= notes

    def is_wider_than(room: int) -> bool:
        return sum(len(word) + 2 for word in words.values() if word) + len(failures(counts)) > room

    for least in ("bytes", *notes, "rate"):
        if is_wider_than(width - BAR[0]):
            del words[least]
    for least in ("left", "share"):
        # Without a bar there are no blanks in front of the first word.
        if is_wider_than(width + 2):
            del words[least]
    return [word for word in words.values() if word]


def _percentage(counts: Counts, share: float | None) -> str:
    """Return the percentage that is done; it is not 100 before the last file has an outcome."""
    if share is None:
        return ""
    return f"{min(int(share * 100), 99 if counts.done < counts.found else 100)}%"


def _files(counts: Counts) -> str:
    if not counts.found:
        return "searching" if counts.searching else "0 files"
    least, more = ("at least ", "") if counts.is_least else ("", "+" if counts.searching else "")
    return f"{counts.done:,} of {least}{counted(counts.found, 'file', separator=',', at_least=bool(more))}"


def _bytes(counts: Counts, done: int) -> str:
    found = counts.found_bytes
    factor, unit = (1e9, "GB") if (found or done) >= 10e9 else (1e6, "MB")
    if found is None:
        return f"{done / factor:,.1f} {unit}"
    return f"{done / factor:,.1f} of {found / factor:,.1f}{'+' if counts.searching else ''} {unit}"


def _rate(rate: float) -> str:
    return f"{rate / 1e6:.1f} MB/s" if rate >= 1e6 else f"{rate / 1e6:.2f} MB/s"


def failures(counts: Counts) -> str:
    """Return the number of files that failed, with blanks before it; an empty text for none."""
    return f"  {counts.failed:,} failed" if counts.failed else ""


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


# --- the terminal


class _BottomLine:
    """The last line of a terminal, redrawn in place. It is also a stream: lines written to it appear above."""

    def __init__(self, terminal: TextIO) -> None:
        self._terminal = terminal
        self._shown = ""
        self._lock = threading.Lock()

    def show(self, line: str) -> None:
        """Draw the line."""
        with self._lock:
            self._shown = line and line + REST
            self._terminal.write(ERASE + self._shown)
            self._terminal.flush()

    def write(self, text: str) -> int:
        """Write complete lines above the line."""
        with self._lock:
            self._terminal.write(f"{ERASE}{text}{self._shown}" if self._shown else text)
            self._terminal.flush()
        return len(text)

    def flush(self) -> None:
        """Do nothing: every write is flushed."""


@contextmanager
def _bottom_line(terminal: TextIO) -> Iterator[_BottomLine]:
    """Give the last line of the terminal, and erase it at the end; until then lines of the log appear above it."""
    line = _BottomLine(terminal)
    loggers = logging.getLogger("dimse"), logging.getLogger()
    handlers = [
        handler
        for logger in loggers
        for handler in logger.handlers
        if isinstance(handler, logging.StreamHandler) and handler.stream is terminal
    ]
    for handler in handlers:
        handler.setStream(line)
    try:
        try:
            yield line
        finally:
            line.show("")
    finally:
        for handler in handlers:
            handler.setStream(terminal)
