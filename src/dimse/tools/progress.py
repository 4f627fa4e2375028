"""The live bar of a tool that sends: one line at the bottom of the terminal, gone without a trace at the end.

Nothing of it may be seen in a pipe, delay what is sent, or change a line of the log. So a thread of its own looks at the
counts eight times a second, rich is loaded only when a run has lasted half a second, the cursor is never hidden (a killed
process could not bring it back), and the log's lines pass through unchanged: each is written above the bar.
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

PATIENCE = 0.5  # seconds: shorter runs show no bar
INTERVAL = 1 / 8  # seconds between two looks
WINDOW = 10.0  # seconds over which the rate is taken: a slow file does not make it jump

ERASE = "\r\x1b[2K"  # ECMA-48: erase the line that the cursor is in
MARGIN = 3  # columns left free at the right: "^C" goes there and makes no new line
BAR = 10, 40  # columns of the bar, least and most


class Counts(Protocol):
    """How far a run is. Bytes are those of files.

    Attributes:
        found, found_bytes: What there is to be sent, as far as is known.
        done, done_bytes: What has an outcome, whatever it is.
        failed: Files among those that are not kept by the peer.
        searching: Whether there may be more to be found.
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
    """What is watched: `dimse.sending.Sending`. Both are read from the bar's thread."""

    @property
    def counts(self) -> Counts: ...
    @property
    def sent_bytes(self) -> int: ...


class Bar:
    """Shows how far a run is, while entered.

    It is shown if stderr is a terminal that can erase a line and the log says nothing of what goes well: its level is
    WARNING or ERROR. With -v and -d the lines are the progress; -q and CRITICAL want to be silent.

    Args:
        run: What is watched.
        enabled: False shows nothing, whatever the terminal.
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
        """The thread: wait whether it is worth while, then draw until it is over."""
        if self._over.wait(PATIENCE):
            return
        from rich.console import Console

        console = Console(file=sys.stderr)
        with suppress(OSError), _bottom_line(sys.stderr) as line:  # a terminal may go away
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


# --- how fast it is


@value
class Reading:
    """What is made of the counts.

    Attributes:
        done_bytes: As counted, and what is known to be sent of the files under way.
        rate: Bytes a second.
        seconds_left: None while nobody can know.
    """

    done_bytes: int = 0
    rate: float = 0.0
    seconds_left: float | None = None


class Meter:
    """Makes readings of counts, one after the other.

    Args:
        started: When the run began, in seconds.
    """

    def __init__(self, started: float) -> None:
        self._samples = deque([(started, 0)])  # when, and bytes sent until then
        self._counted = self._sent_then = self._shown = 0

    def read(self, now: float, counts: Counts, sent_bytes: int) -> Reading:
        """A reading at a time, in seconds."""
        if counts.done_bytes != self._counted:
            self._counted, self._sent_then = counts.done_bytes, sent_bytes
        # A file is counted when it is answered: meanwhile what has been sent since the last one stands for it.
        under_way = sent_bytes - self._sent_then
        self._shown = min(max(self._shown, self._counted + under_way), counts.found_bytes)
        rate = self._rate(now, sent_bytes)
        left = None if counts.searching or not rate else (counts.found_bytes - self._shown) / rate
        return Reading(self._shown, rate, left)

    def _rate(self, now: float, sent_bytes: int) -> float:
        self._samples.append((now, sent_bytes))
        while len(self._samples) > 2 and self._samples[1][0] <= now - WINDOW:
            self._samples.popleft()
        then, sent_then = self._samples[0]
        return (sent_bytes - sent_then) / (now - then) if now > then else 0.0


# --- what is drawn


def drawn(console: Console, counts: Counts, reading: Reading) -> str:
    """The line, with its colours; as wide as the terminal allows, and at least files and failures."""
    from rich.progress_bar import ProgressBar
    from rich.text import Text

    width = max(console.width - MARGIN, 1)
    words = said(counts, reading, width - BAR[0])
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


def said(counts: Counts, reading: Reading, width: int) -> list[str]:
    """The words beside the bar, in order; those that matter least are left out if they are wider than `width` together."""
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
    """The files that failed, set off from what stands before them; nothing if there are none."""
    return f"  {counts.failed:,} failed" if counts.failed else ""


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


# --- the terminal


class _BottomLine:
    """The last line of a terminal, drawn again and again in place; lines written to this, as to a stream, go above it."""

    def __init__(self, terminal: TextIO) -> None:
        self._terminal = terminal
        self._shown = ""
        self._lock = threading.Lock()

    def show(self, line: str) -> None:
        """Draw it."""
        with self._lock:
            self._shown = line
            self._terminal.write(ERASE + line)
            self._terminal.flush()

    def write(self, text: str) -> int:
        """Write whole lines above it."""
        with self._lock:
            self._terminal.write(f"{ERASE}{text}{self._shown}" if self._shown else text)
            self._terminal.flush()
        return len(text)

    def flush(self) -> None:
        """Nothing is held back."""


@contextmanager
def _bottom_line(terminal: TextIO) -> Iterator[_BottomLine]:
    """The last line of the terminal, erased at the end; until then what is logged to the terminal goes above it."""
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
