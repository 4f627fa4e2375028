"""The report of a sending, for programs and people: a row for each file, written as the run goes."""

from __future__ import annotations

import argparse
import errno
import fcntl
import os
import stat
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import lru_cache
from typing import Any, get_args

from dimse.instances import InstanceFile
from dimse.services.outcome import Outcome, State
from dimse.support import disk
from dimse.support.closing import Closing
from dimse.support.text import host_and_port, is_utf8, one_line, path_text
from dimse.tools import wording
from dimse.tools.command_line import Parser
from dimse.tools.growing_file import GrowingFile
from dimse.tools.report_formats import FORMATS, OF_STUDY, REPLACED, UNFINISHED, Format, Row, format_of

STUDY_INSTANCE_UID, SERIES_INSTANCE_UID, MODALITY = 0x0020000D, 0x0020000E, 0x00080060
PATIENT_ID, SPECIFIC_CHARACTER_SET = 0x00100020, 0x00080005


def open_report(parser: Parser, options: argparse.Namespace) -> Report:
    """Return the report that the options of a requestor ask for.

    Raises:
        SystemExit: It cannot be written (exit status 2).
    """
    same = {"peer": one_line(host_and_port(options.addr, options.port)), "called_ae_title": options.called_aet}
    try:
        return Report(options.report, same=same, shows_patients=options.log_phi)
    except OSError as error:
        parser.error(f"cannot write the report {one_line(options.report)}: {wording.reason(error)}")


class Report(Closing):
    """A report of the outcome of each file.

    A ".jsonl" and a ".csv" grow in a file beside the target, named as the target and `.part`, which can be read at any time. The
    rows of a ".json" are collected in an unnamed file. At the end the report gets its name. An earlier report of that name stays
    until then. A `.part` that a killed run has left is kept as `.part.old`.

    Args:
        path: The path of the report. Its suffix is that of the format. A ".json" is one object with a summary and the files.
            A ".jsonl" has a JSON object on a line for each file, and at the end one with the summary. A ".csv" has a heading, and
            a line for each file.
        same: Values that are the same in every row.
        shows_patients: True if the user allows data that may identify patients: then a row has the Patient ID.
        more_columns: Columns behind those of `FIELDS`.

    Raises:
        ValueError: The path has another suffix.
        OSError: The report cannot be written there, or another process is writing it.
    """

    def __init__(
        self,
        path: str,
        *,
        same: Mapping[str, Any] | None = None,
        shows_patients: bool = False,
        more_columns: Sequence[str] = (),
    ) -> None:
        self._format = format_of(path)
        # The target of a symbolic link is replaced, not the link.
        self._path = os.path.realpath(path)
        self._folder = os.path.dirname(self._path)
        self._part = self._path + UNFINISHED if self._format.grows else None
        self._same, self._shows_patients = same or {}, shows_patients
        self._columns = (*COLUMNS, *more_columns)
        self._lock = threading.Lock()
        self._count = self._skipped = self._bytes = 0
        self._studies: Counter[str] = Counter()
        self._states = Counter(dict.fromkeys(get_args(State), 0))
        # The format in which the rows are collected.
        self._collected: Format = self._format if self._part else FORMATS[".jsonl"]
        with _named(path):
            if os.path.exists(self._path) and not stat.S_ISREG(os.stat(self._path).st_mode):
                raise OSError(errno.EINVAL, "not a regular file")
            self._file = GrowingFile(_begin(self._part) if self._part else _unnamed(self._folder))
        if self._part:
            self._file.add(self._format.head(self._columns, {}))

    @property
    def tags(self) -> tuple[int, ...]:
        """The tags of the elements that the report wants of each instance."""
        described = STUDY_INSTANCE_UID, MODALITY
        return (*described, PATIENT_ID, SPECIFIC_CHARACTER_SET) if self._shows_patients else described

    def add(self, outcome: Outcome, elements: Mapping[int, str] | None = None) -> None:
        """Add the outcome of a file. A full disk does not stop the sending: `finish` raises its error.

        Args:
            outcome: The outcome.
            elements: Values of the data set by tag, as Latin-1; None takes those of the `InstanceFile` that was sent.
        """
        row = {name: value(outcome) for name, value in FIELDS.items()} | _EMPTY
        if elements is not None:
            row |= self._described(elements)
        elif isinstance(outcome.source, InstanceFile):
            row |= self._described(dict(outcome.source.elements))
            row["series_instance_uid"] = one_line(outcome.source.series_instance_uid) or None
        self.add_row(row)

    def skip(self, path: str, reason: str) -> None:
        """Add a file that was passed over. Any thread may call it."""
        row = {
            "file": path_text(path),
            "file_escaped": not is_utf8(path),
            "outcome": "skipped",
            "meaning": one_line(reason),
        }
        self.add_row(dict.fromkeys(COLUMNS) | row | {"bytes": 0, "attempts": 0})

    def add_study(
        self, study: str, series: str, state: str, meaning: str, *, size: int, attempts: int, seconds: float | None
    ) -> None:
        """Add what became of a study, or of one series of it. Its row has the outcome "study complete", "study partial" and so on.

        Args:
            study: The Study Instance UID.
            series: The Series Instance UID; empty for the whole study.
            state: The state, as of `dimse.retrieving.StudyResult`.
            meaning: How many instances are here, and what is wrong.
            size: The bytes that came.
            attempts: The number of times that it was asked for.
            seconds: The time that it took, in seconds; None if it is not known.
        """
        row = {
            "file": "",
            "file_escaped": False,
            "outcome": OF_STUDY + state,
            "meaning": one_line(meaning),
            "milliseconds": None if seconds is None else round(seconds * 1000, 3),
            "bytes": size,
            "attempts": attempts,
            "study_instance_uid": one_line(study) or None,
            "series_instance_uid": one_line(series) or None,
        }
        self.add_row(dict.fromkeys(COLUMNS) | row)

    def add_row(self, row: Row) -> None:
        """Add a row, which has the `COLUMNS` and further ones in their order. Any thread may call it."""
        row |= self._same
        line, state = self._collected.line(row, 1), row["outcome"]
        with self._lock:
            if state == "skipped":
                self._skipped += 1
            elif state.startswith(OF_STUDY):
                self._studies[state.removeprefix(OF_STUDY)] += 1
            else:
                self._count += 1
                self._states[state] += 1
                if state in ("stored", "warning"):
                    self._bytes += row["bytes"] or 0
            self._file.add(line)

    def finish(self, *, committed: Mapping[str, bool] | None = None, complete: bool, seconds: float) -> None:
        """Complete the report, sync it and give it its name; nothing can be added after that.

        If that fails, an earlier report stays, and the rows so far stay in the `.part`.

        Args:
            committed: The peer's answers to requests for storage commitment (PS3.4 Annex J), by SOP instance UID.
            complete: Whether the sending came to its end, and was not interrupted.
            seconds: The duration of the sending.

        Raises:
            OSError: The report cannot be written; an earlier one stays.
        """
        summary: dict[str, Any] = {
            "complete": complete,
            "seconds": round(seconds, 3),
            "files": self._count,
            "skipped": self._skipped,
            "bytes": self._bytes,
            "outcomes": dict(self._states),
        }
        if self._studies:
            summary["studies"] = dict(self._studies)
        with _named(self._path):
            try:
                if self._part and not committed:
                    self._file.add(self._format.tail(summary))
                self._file.finish()
                if self._part and not committed:
                    disk.sync(self._file.descriptor)
                    disk.replace(self._part, self._path)
                else:
                    self._rewrite(summary, committed or {})
                self._part = None
            finally:
                self._file.close()

    def close(self) -> None:
        """Release the files; idempotent, and harmless after `finish`. A report without rows leaves no `.part`."""
        self._file.close()
        if self._part and not self._count and not self._skipped and not self._studies:
            with suppress(OSError):
                os.unlink(self._part)
        self._part = None

    def _described(self, elements: Mapping[int, str]) -> Row:
        """Return the fields of a row that are elements of the data set."""
        fields = {
            "study_instance_uid": one_line(elements.get(STUDY_INSTANCE_UID, "")) or None,
            "series_instance_uid": one_line(elements.get(SERIES_INSTANCE_UID, "")) or None,
            "modality": one_line(elements.get(MODALITY, "")) or None,
        }
        if self._shows_patients and PATIENT_ID in elements:
            from dimse.data_set.text import character_sets

            terms = elements.get(SPECIFIC_CHARACTER_SET, "").split("\\")
            patient_id = character_sets(terms).decode(elements[PATIENT_ID].encode("latin-1"))
            fields["patient_id"] = one_line(patient_id) or None
        return fields

    def _rewrite(self, summary: Mapping[str, Any], committed: Mapping[str, bool]) -> None:
        """Write the report anew out of the collected rows."""
        temporary = os.path.join(self._folder, f".report-{os.urandom(8).hex()}")
        rows = os.fdopen(os.dup(self._file.descriptor), "r", encoding="utf-8", newline="\n")
        try:
            with rows, open(temporary, "x", encoding="utf-8", newline="") as target:
                rows.seek(0)
                target.write(self._format.head(self._columns, summary))
                for number, row in enumerate(self._collected.rows(rows)):
                    row["committed"] = committed.get(row["sop_instance_uid"] or "")
                    target.write(self._format.line(row, number))
                target.write(self._format.tail(summary))
                target.flush()
                disk.sync(target.fileno())
            disk.replace(temporary, self._path)
        except BaseException:
            with suppress(FileNotFoundError):
                os.unlink(temporary)
            raise
        if self._part:
            os.unlink(self._part)


def _unnamed(folder: str) -> int:
    with tempfile.TemporaryFile("w+", dir=folder) as file:
        return os.dup(file.fileno())


def _begin(path: str) -> int:
    """Create the file of a report that grows, and return its descriptor. A lock on it shows that its run is not over.

    Raises:
        OSError: It cannot be created, or another process is writing it.
    """
    with suppress(FileNotFoundError):
        left_over = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            _lock(left_over)
            os.replace(path, path + REPLACED)
        finally:
            os.close(left_over)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o666)
    try:
        _lock(descriptor)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _lock(descriptor: int) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise OSError(errno.EBUSY, "another process is writing it") from error


@contextmanager
def _named(path: str) -> Iterator[None]:
    """Name the report in an `OSError` of the body, instead of a temporary file."""
    try:
        yield
    except OSError as error:
        raise OSError(error.errno, error.strerror or str(error), path) from error


# ---- rows


def _meaning(outcome: Outcome) -> str:
    """Return the status in words with the peer's Error Comment, or the reason why there is no status."""
    if outcome.status is None:
        return one_line(str(outcome.error))
    return one_line(": ".join(part for part in (outcome.status.meaning, outcome.status.comment) if part))


def time_text(seconds: float) -> str:
    """Return a time, in seconds since 1970, as ISO 8601 in UTC with milliseconds."""
    milliseconds = int(seconds * 1000)
    return f"{_second_text(milliseconds // 1000)}.{milliseconds % 1000:03}Z"


@lru_cache(maxsize=8)
def _second_text(second: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))


FIELDS: Mapping[str, Callable[[Outcome], Any]] = {
    "file": lambda outcome: path_text(outcome.path),
    "file_escaped": lambda outcome: not is_utf8(outcome.path),
    "sop_instance_uid": lambda outcome: one_line(outcome.sop_instance_uid) or None,
    "sop_class_uid": lambda outcome: one_line(outcome.sop_class_uid) or None,
    "outcome": lambda outcome: outcome.state,
    "status": lambda outcome: None if outcome.status is None else f"0x{int(outcome.status):04X}",
    "meaning": _meaning,
    "milliseconds": lambda outcome: round(outcome.seconds * 1000, 3) if outcome.started else None,
    "bytes": lambda outcome: outcome.size,
    "context_id": lambda outcome: outcome.context.context_id if outcome.context else None,
    "transfer_syntax_stored": lambda outcome: one_line(outcome.transfer_syntax_uid) or None,
    "transfer_syntax_sent": lambda outcome: outcome.context.transfer_syntax if outcome.context else None,
    "attempts": lambda outcome: outcome.attempts,
    # It is known at the end.
    "committed": lambda outcome: None,
    "started": lambda outcome: time_text(outcome.started) if outcome.started else None,
}
"""The first fields of a row in their order, with the function that takes each from an outcome. A missing value is null.

`file_escaped` is true if the name of the file is not UTF-8. In `file` those bytes are then `\\xhh`, and a backslash is two.
"""

_EMPTY = dict.fromkeys(
    ("study_instance_uid", "series_instance_uid", "modality", "patient_id", "peer", "called_ae_title")
)
COLUMNS = (*FIELDS, *_EMPTY)
"""The fields of a row. Scripts read a CSV by the place of its columns, so a new field comes last."""
