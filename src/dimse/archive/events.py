"""Events: what follows when an instance has been kept, and when a study has gone quiet.

    with Events(Command("notify-archive"), Command("export-study --fast"), report=Report("received.jsonl")) as events:
        with FileStore("incoming", stored=events) as store: ...

Whatever follows, it follows later: no association waits for a command or a callable. What a peer says reaches a command as data
alone, in environment variables and as JSON on its standard input: never in its arguments, and there is no shell.
"""

from __future__ import annotations

import json
import logging
import os
import shlex
import signal
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import IO, Any

from dimse.archive.stored import Stored
from dimse.closing import Closing
from dimse.line_file import LineFile
from dimse.logs import Private
from dimse.text import host_and_port, one_line
from dimse.values import fields, record, replace, value

LOGGER = logging.getLogger("dimse.archive")

WAITING = 10_000  # instance events that wait, and studies that are open, at most
WORKERS = 4
STUDY_TIMEOUT = 60.0
DEADLINE = 300.0
DRAIN = 30.0

_SHOWN = 4_096  # bytes of a command's output that are logged
_LAST_MOMENT = 1.0  # seconds in which the threads of killed commands end


@value
class Study:
    """The instances of a study that came one after the other until it went quiet.

    Attributes:
        study_instance_uid: (0020,000D), as the instances have it. Like the Patient ID it is what a peer says: data.
        patient_id: (0010,0020) of the first instance that has one.
        folder: The innermost folder that holds them all, absolute.
        instances: Files that were added.
        duplicates: Instances that came again and were stored already; no file was added for them.
        size: Bytes of the data sets of the files that were added.
        first_received: When the first was kept, in seconds since 1970-01-01 UTC.
        last_received: When the last was.
    """

    study_instance_uid: str
    patient_id: str
    folder: str
    instances: int
    duplicates: int
    size: int
    first_received: float
    last_received: float

    def joined_by(self, stored: Stored) -> Study:
        """This study, with one more instance."""
        return replace(
            self,
            patient_id=self.patient_id or stored.patient_id,
            folder=os.path.commonpath((self.folder, os.path.dirname(stored.path))),
            instances=self.instances + (not stored.duplicate),
            duplicates=self.duplicates + stored.duplicate,
            size=self.size + (0 if stored.duplicate else stored.size),
            last_received=stored.received,
        )

    @classmethod
    def begun_by(cls, stored: Stored) -> Study:
        """A study that has one instance so far."""
        folder = os.path.dirname(stored.path)
        return cls(stored.study_instance_uid, "", folder, 0, 0, 0, stored.received, 0.0).joined_by(stored)


Event = Stored | Study


def document(event: Event) -> dict[str, str | int]:
    """An event as the one document that commands read on their standard input and that is a line of a report.

    The attributes of `Stored` or `Study` under their names, with `event` ("instance" or "study") before them; times are ISO 8601 in
    UTC, and `peer_address` is `peer`, as HOST:PORT.
    """
    entries: dict[str, Any] = {"event": "study" if isinstance(event, Study) else "instance"}
    for name in fields(event):
        said = getattr(event, name)
        if name == "peer_address":
            entries["peer"] = host_and_port(*said)
        elif isinstance(said, float):
            entries[name] = datetime.fromtimestamp(said, UTC).isoformat()
        else:
            entries[name] = said
    return entries


def _encoded(entries: dict[str, str | int]) -> bytes:
    """A document as one line of ASCII."""
    return json.dumps(entries).encode("ascii") + b"\n"


class Report(LineFile):
    """A file that gets a line of JSON, the `document`, for each instance: `FileStore("incoming", stored=Report("received.jsonl"))`.

    A line is appended in one write, so lines of several processes do not mix. When the file was renamed or removed, as log rotation
    does, the next line begins a new one. Safe in any number of threads.

    Args:
        path: The file; made for its owner only (0600) if it does not exist.

    Raises:
        OSError: It cannot be opened; on a call: the line cannot be written.
    """

    def __call__(self, stored: Stored) -> None:
        """Append the line of an instance."""
        self.append(_encoded(document(stored)))


class Command:
    """A program that is run for each event, as `on_instance` or `on_study` of `Events`.

    It is started from its arguments as they are: there is no shell, and nothing is put into them. The event comes as its
    `document` in JSON on standard input, and with each entry in an environment variable: `DIMSE_EVENT`, `DIMSE_PATH`,
    `DIMSE_STUDY_INSTANCE_UID`, `DIMSE_PATIENT_ID`, `DIMSE_CALLING_AE_TITLE`, `DIMSE_PEER` and so on, in UTF-8 (a NUL, which none
    can hold, as U+FFFD). Values are what a peer said: the program must treat them as data too.

    It has a session of its own and inherits no file. Its output is discarded; with DEBUG logging on, the first 4,096 bytes are
    logged. It has succeeded if its exit status is 0; else a warning is logged, and that is all.

    Args:
        command: The program and its arguments: a string as a shell would split it, or the arguments themselves.
        deadline: Seconds after which it is killed, with all that it has started in its process group; 0 is unlimited.

    Raises:
        ValueError: The string cannot be split, is empty, or there is no such program.
    """

    def __init__(self, command: str | Sequence[str], *, deadline: float = DEADLINE) -> None:
        from shutil import which

        self.arguments = tuple(shlex.split(command) if isinstance(command, str) else command)
        if not self.arguments or which(self.arguments[0]) is None:
            raise ValueError(f"there is no program {self.arguments[0]!r}" if self.arguments else "the command is empty")
        if deadline < 0:
            raise ValueError(f"a deadline of {deadline} seconds")
        self.deadline = deadline
        self._lock = threading.Lock()
        self._running: set[subprocess.Popen[bytes]] = set()
        self._closed = False

    def __call__(self, event: Event) -> None:
        """Run it for an event, to its end."""
        with _output() as output:
            try:
                failure = self._run(document(event), output)
            except OSError as error:
                failure = f"it cannot be run: {error.strerror}"
            if not isinstance(output, int):
                shown = os.pread(output.fileno(), _SHOWN, 0).decode("utf-8", "replace")
                for line in shown.splitlines():
                    LOGGER.debug(
                        "%s: %s",
                        one_line(self.arguments[0]),
                        Private(one_line(line), f"({len(line)} characters of output)"),
                    )
        if failure:
            LOGGER.warning("command %s for %s: %s", one_line(self.arguments[0]), _name(event), failure)

    def close(self) -> None:
        """Kill what runs, and run nothing any more."""
        with self._lock:
            self._closed = True
            for process in self._running:
                if process.poll() is None:
                    _kill(process)

    def _run(self, entries: dict[str, str | int], output: IO[bytes] | int) -> str:
        """Why it failed; empty if it did not."""
        process = self._start(entries, output)
        if process is None:
            return "it was not run: the end has come"
        with process:
            try:
                process.communicate(_encoded(entries), self.deadline or None)
            except subprocess.TimeoutExpired:
                _kill(process)
                return f"killed after {self.deadline:g} seconds"
            finally:
                with self._lock:
                    self._running.remove(process)
        status = process.returncode
        if status < 0:
            return "killed, as the end has come" if self._closed else f"killed by signal {-status}"
        return f"exit status {status}" if status else ""

    def _start(self, entries: dict[str, str | int], output: IO[bytes] | int) -> subprocess.Popen[bytes] | None:
        with self._lock:  # so that `close` misses none
            if self._closed:
                return None
            process = subprocess.Popen(
                self.arguments,
                env=_inherited() | _environment(entries),
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
            self._running.add(process)
            return process


def _inherited() -> dict[bytes, bytes]:
    """Our own environment, without variables that could be taken for those of the event."""
    return {name: value for name, value in os.environb.items() if not name.startswith(b"DIMSE_")}


def _environment(entries: dict[str, str | int]) -> dict[bytes, bytes]:
    """The entries of a document as environment variables."""
    return {
        f"DIMSE_{name}".upper().encode(): (value if isinstance(value, str) else json.dumps(value))
        .replace("\0", "\N{REPLACEMENT CHARACTER}")
        .encode("utf-8", "surrogateescape")  # a path may be any bytes
        for name, value in entries.items()
    }


@contextmanager
def _output() -> Iterator[IO[bytes] | int]:
    """Where the output of a command goes."""
    if not LOGGER.isEnabledFor(logging.DEBUG):
        yield subprocess.DEVNULL
        return
    from tempfile import TemporaryFile

    with TemporaryFile() as file:
        yield file


def _kill(process: subprocess.Popen[bytes]) -> None:
    """Kill a command with its process group: it leads one, as it leads a session."""
    with suppress(ProcessLookupError, PermissionError):  # it has just ended; macOS says so by the latter
        os.killpg(process.pid, signal.SIGKILL)


def _name(event: Event) -> str:
    """What an event is about, for the log."""
    if isinstance(event, Study):
        return f"study {one_line(event.study_instance_uid)}"
    return f"instance {one_line(event.sop_instance_uid)}"


@record
class _Open:
    """A study that has not been quiet long enough.

    Attributes:
        study: Its instances so far.
        quiet_at: When it will have been.
        pending: How many of its instances' events wait or run.
    """

    study: Study
    quiet_at: float
    pending: int = 0


Job = tuple[Callable[[Any], object], Event, _Open | None]


class Events(Closing):
    """Tells of instances and of studies: `FileStore("incoming", stored=events)`. Use it as a context manager, or `close` it.

    A call returns at once. `report` has its line by then; what `on_instance` and `on_study` do is done by threads of its own
    (so make it after a fork), several at a time, in about the order of arrival. A callable that raises is a line in the log. What
    waits is in memory: when the process is killed it is lost, and the report is not.

    A study is told of once it is quiet: no instance of it, nor a duplicate of one, has arrived for `study_timeout` seconds, and
    all `on_instance` calls for its instances have ended. A later instance opens it anew. Instances without a Study Instance UID
    belong to none.

    Args:
        on_instance: Called with a `Stored` for each instance: a `Command`, or any `def` function.
        on_study: Called with a `Study`, likewise.
        report: Called with a `Stored` for each instance too, by the thread that stores it; none is left out.
        study_timeout: In seconds.
        workers: Calls, and thereby commands, that run at a time.
        waiting: Instance events that may wait, and studies that may be open. What comes beyond it is dropped, with a warning that
            says so, and one with the number once there is room again.
        clock: What tells the time, in seconds.
    """

    def __init__(
        self,
        on_instance: Callable[[Stored], object] | None = None,
        on_study: Callable[[Study], object] | None = None,
        *,
        report: Callable[[Stored], object] | None = None,
        study_timeout: float = STUDY_TIMEOUT,
        workers: int = WORKERS,
        waiting: int = WAITING,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if workers < 1 or waiting < 1 or study_timeout < 0:
            raise ValueError(f"workers {workers}, waiting {waiting} or study_timeout {study_timeout} is too small")
        self._on_instance, self._on_study, self._report = on_instance, on_study, report
        self._study_timeout, self._most, self._clock = study_timeout, waiting, clock
        self._changed = threading.Condition()
        self._instances: deque[Job] = deque()
        self._studies: dict[str, _Open] = {}  # in the order in which they will be quiet
        self._dropped = 0
        self._closing = False
        count = workers if on_instance or on_study else 0
        self._threads = [threading.Thread(target=self._work, name="dimse-events", daemon=True) for _ in range(count)]
        for thread in self._threads:
            thread.start()

    def __call__(self, stored: Stored) -> None:
        """An instance has been kept."""
        if self._report is not None:
            _call(self._report, stored)
        if not self._threads:
            return
        with self._changed:
            if self._closing:
                self._drop()
                return
            study = self._join(stored) if self._on_study and stored.study_instance_uid else None
            if self._on_instance is None:
                return
            if len(self._instances) >= self._most:
                self._drop()
                return
            self._instances.append((self._on_instance, stored, study))
            if study is not None:
                study.pending += 1
            self._changed.notify()

    def close(self, drain: float = DRAIN) -> None:
        """Tell of what waits, and of every study that is open though it may not be whole, and end; harmless twice.

        To be called when nothing is stored any more.

        Args:
            drain: Seconds that this may take. Then commands that still run are killed and what waits is dropped, with a warning.
        """
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._join_threads(drain)
        with self._changed:
            self._dropped += len(self._instances) + len(self._studies)
            self._instances.clear()
            self._studies.clear()
            self._say_dropped()
            self._changed.notify_all()
        for called in (self._on_instance, self._on_study):
            if isinstance(called, Command):
                called.close()
        self._join_threads(_LAST_MOMENT)

    def _join_threads(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))

    # --- under the lock ---

    def _join(self, stored: Stored) -> _Open | None:
        """Count an instance for its study; None if there is no room for one more study."""
        quiet_at = self._clock() + self._study_timeout
        uid = stored.study_instance_uid
        opened = self._studies.pop(uid, None)
        if opened is None:
            if len(self._studies) >= self._most:
                self._drop()
                return None
            opened = _Open(Study.begun_by(stored), quiet_at)
            self._changed.notify()  # someone has to wait for it
        else:
            opened.study, opened.quiet_at = opened.study.joined_by(stored), quiet_at
        self._studies[uid] = opened  # the last one now
        return opened

    def _drop(self) -> None:
        if not self._dropped:
            LOGGER.warning("events are dropped: too many wait, or the end has come")
        self._dropped += 1

    def _say_dropped(self) -> None:
        if self._dropped:
            LOGGER.warning("events that were dropped: %d", self._dropped)
            self._dropped = 0

    def _quiet(self) -> tuple[_Open | None, float | None]:
        """A study that is quiet, taken out; else how many seconds the next one needs at least, None if there is no next one."""
        now = self._clock()
        for uid, opened in self._studies.items():
            if opened.quiet_at > now and not self._closing:
                return None, opened.quiet_at - now
            if not opened.pending:
                del self._studies[uid]
                return opened, None
        return None, None  # those that wait for their instances' events are looked at when these end

    # --- the threads ---

    def _work(self) -> None:
        while (job := self._next()) is not None:
            call, event, study = job
            _call(call, event)
            if study is not None:
                with self._changed:
                    study.pending -= 1  # where none is left, this thread finds it quiet, or waits until it will be

    def _next(self) -> Job | None:
        """Wait for what is to be done; None at the end."""
        with self._changed:
            while True:
                opened, seconds = self._quiet()
                if opened is not None:
                    assert self._on_study is not None
                    self._changed.notify()  # this thread may have been the one that waited for the next study
                    return self._on_study, opened.study, None
                if self._instances:
                    self._changed.notify()
                    return self._instances.popleft()
                if len(self._studies) <= self._most // 2:  # not at every one that comes and goes
                    self._say_dropped()
                if self._closing and not self._studies:
                    self._changed.notify_all()
                    return None
                self._changed.wait(seconds)


def _call(call: Callable[[Any], object], event: Event) -> None:
    """Call a user's callable."""
    try:
        call(event)
    except Exception as error:
        # Whatever a user's own code raises must neither undo that an instance is kept nor end the thread.
        LOGGER.error(
            "telling of %s failed: %s",
            _name(event),
            one_line(f"{type(error).__name__}: {error}"),
            exc_info=LOGGER.isEnabledFor(logging.DEBUG),
        )
