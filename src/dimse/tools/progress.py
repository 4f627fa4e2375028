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
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Protocol, Self, TextIO

from dimse.support.values import value

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

    from rich.console import Console

# Seconds that a run lasts before the bar appears.
BAR_DELAY = 0.5
# Seconds between two drawings.
INTERVAL = 1 / 8
# Seconds over which the rate is averaged, so that a slow file does not make it jump.
RATE_WINDOW = 10.0

# ECMA-48: erase the line of the cursor.
ERASE = "\r\x1b[2K"
# Columns left free at the right, so that "^C" fits there and makes no new line.
MARGIN = 3
# Columns of the bar, least and most.
BAR = 10, 40


class Counts(Protocol):
    """The progress of a run, in files and their bytes.

    Attributes:
        found, found_bytes: The files found so far.
        done, done_bytes: The files that have an outcome.
        failed: Number of files that the peer does not keep.
        searching: Whether more files may be found.
    """

    @property
    def found(self) -> int: ...
    @property
    def found_bytes(self) -> int: ...
    @property
    def done(self) -> int: ...
    @property
    def done_bytes(self) -> int: ...
    @property
    def failed(self) -> int: ...
    @property
    def searching(self) -> bool: ...


class Run(Protocol):
    """A run whose progress is shown: a `dimse.sending.Sending`, or the `Arrivals` of a retrieval.

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
        run: The run.
        enabled: False never shows the bar.
    """

    def __init__(self, run: Run, *, enabled: bool = True) -> None:
        self._run = run
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
        with suppress(OSError), _bottom_line(sys.stderr) as line:
            while True:
                counts = self._run.counts
                reading = self._meter.read(time.monotonic(), counts, self._run.sent_bytes)
                line.show(drawn(console, counts, reading))
                if self._over.wait(INTERVAL):
                    return


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
        seconds_left: The estimated rest of the run; None while it cannot be estimated.
    """

    done_bytes: int = 0
    rate: float = 0.0
    seconds_left: float | None = None


class Meter:
    """A meter that turns counts into readings, and remembers the last seconds for the rate.

    Args:
        started: When the run began, in seconds.
    """

    def __init__(self, started: float) -> None:
        # Times, and the bytes sent until then.
        self._samples = deque([(started, 0)])
        self._counted = self._sent_then = self._shown = 0

    def read(self, now: float, counts: Counts, sent_bytes: int) -> Reading:
        """Return the reading at a time, in seconds."""
        if counts.done_bytes != self._counted:
            self._counted, self._sent_then = counts.done_bytes, sent_bytes
        # A file is counted when it is answered. Until then the bytes sent since the last one stand for it.
        under_way = sent_bytes - self._sent_then
        self._shown = min(max(self._shown, self._counted + under_way), counts.found_bytes)
        rate = self._rate(now, sent_bytes)
        left = None if counts.searching or not rate else (counts.found_bytes - self._shown) / rate
        return Reading(self._shown, rate, left)

    def _rate(self, now: float, sent_bytes: int) -> float:
        self._samples.append((now, sent_bytes))
        while len(self._samples) > 2 and self._samples[1][0] <= now - RATE_WINDOW:
            self._samples.popleft()
        then, sent_then = self._samples[0]
        return (sent_bytes - sent_then) / (now - then) if now > then else 0.0


# --- the line


def drawn(console: Console, counts: Counts, reading: Reading) -> str:
    """Return the line with its colours, as wide as the terminal allows, and with files and failures at least."""
    from rich.progress_bar import ProgressBar
    from rich.text import Text

    width = max(console.width - MARGIN, 1)
    words = words_beside(counts, reading, width - BAR[0])
    failed = failures(counts)
    text = Text("  ".join(["", *words]), end="")
    text.append(failed, style="red")
    room = width - len(text)
    bar = ProgressBar(
        total=None if counts.searching else max(counts.found_bytes, 1),
        completed=reading.done_bytes if counts.found_bytes else 1,
        width=min(room, BAR[1]),
        pulse=counts.searching,
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
    """Return the words beside the bar, without the least important ones if they are wider than `width` together."""
    more = "+" if counts.searching else ""
    factor, unit = (1e9, "GB") if counts.found_bytes >= 10e9 else (1e6, "MB")
    rate = reading.rate / 1e6
    words = {
        "files": f"{counts.done:,} of {counts.found:,}{more} files" if counts.found else "searching",
        "bytes": f"{reading.done_bytes / factor:,.1f} of {counts.found_bytes / factor:,.1f}{more} {unit}",
        "rate": f"{rate:.1f} MB/s" if rate >= 1 else f"{rate:.2f} MB/s",
        "left": "" if reading.seconds_left is None else f"{_clock(reading.seconds_left)} left",
    }
    for least in ("bytes", "rate", "left"):
        if sum(len(word) + 2 for word in words.values() if word) + len(failures(counts)) <= width:
            break
        del words[least]
    return [word for word in words.values() if word]


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
            self._shown = line
            self._terminal.write(ERASE + line)
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
