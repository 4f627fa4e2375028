"""The report of a sending, for programs and people: a row for each file, written atomically at the end."""

from __future__ import annotations

import csv
import errno
import json
import os
import stat
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import IO, Any, get_args

from dimse.services.outcome import Outcome, State
from dimse.support.closing import Closing
from dimse.support.disk import sync
from dimse.support.text import one_line

Row = dict[str, Any]
Write = Callable[[IO[str], Iterator[Row], Mapping[str, Any]], None]


class Report(Closing):
    """A report of the outcome of each file, collected in an unnamed file beside the target, which is written at the end.

    An earlier report of that name stays until then.

    Args:
        path: The path of the report. Its suffix is that of the format. A ".json" is one object with a summary and the files.
            A ".jsonl" has a JSON object on a line for each file. A ".csv" has a heading, and a line for each file.

    Raises:
        ValueError: The path has another suffix.
        OSError: The report cannot be written there.
    """

    def __init__(self, path: str) -> None:
        suffix = os.path.splitext(path)[1].lower()
        if suffix not in FORMATS:
            raise ValueError(f"a report ends with {', '.join(FORMATS)}, not {one_line(path)}")
        self._write = FORMATS[suffix]
        # The target of a symbolic link is replaced, not the link.
        self._path = os.path.realpath(path)
        self._folder = os.path.dirname(self._path)
        self._failure: OSError | None = None
        self._count, self._bytes = 0, 0
        self._states = Counter(dict.fromkeys(get_args(State), 0))
        with _named(path):
            if os.path.exists(self._path) and not stat.S_ISREG(os.stat(self._path).st_mode):
                raise OSError(errno.EINVAL, "not a regular file")
            self._rows = tempfile.TemporaryFile("w+", encoding="utf-8", dir=self._folder)  # noqa: SIM115

    def add(self, outcome: Outcome) -> None:
        """Add the outcome of a file. A full disk does not stop the sending: `finish` raises its error."""
        row = {name: value(outcome) for name, value in FIELDS.items()}
        self._count += 1
        self._states[outcome.state] += 1
        if outcome.state in ("stored", "warning"):
            self._bytes += outcome.size
        try:
            if self._failure is None:
                self._rows.write(_json(row) + "\n")
        except OSError as error:
            self._failure = error

    def finish(
        self, *, committed: Mapping[str, bool] | None = None, complete: bool, seconds: float, skipped: int = 0
    ) -> None:
        """Write the report atomically, and sync it; nothing can be added after that.

        Args:
            committed: The peer's answers to requests for storage commitment (PS3.4 Annex J), by SOP instance UID.
            complete: Whether the sending came to its end, and was not interrupted.
            seconds: The duration of the sending.
            skipped: Number of files in folders and archives that are not DICOM.

        Raises:
            OSError: The report cannot be written; an earlier one stays.
        """
        summary = {
            "complete": complete,
            "seconds": round(seconds, 3),
            "files": self._count,
            "skipped": skipped,
            "bytes": self._bytes,
            "outcomes": dict(self._states),
        }
        with _named(self._path):
            try:
                if self._failure is not None:
                    raise self._failure
                self._rows.seek(0)
                self._replace(summary, committed or {})
            finally:
                self.close()

    def close(self) -> None:
        """Discard the collected rows; idempotent, and harmless after `finish`."""
        # Rows that cannot be written at this point are not needed.
        with suppress(OSError):
            self._rows.close()

    def _replace(self, summary: Mapping[str, Any], committed: Mapping[str, bool]) -> None:
        temporary = os.path.join(self._folder, f".report-{os.urandom(8).hex()}")
        try:
            with open(temporary, "x", encoding="utf-8", newline="") as target:
                self._write(target, self._collected(committed), summary)
                target.flush()
                sync(target.fileno())
            os.replace(temporary, self._path)
        except BaseException:
            with suppress(FileNotFoundError):
                os.unlink(temporary)
            raise
        folder = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            sync(folder)
        finally:
            os.close(folder)

    def _collected(self, committed: Mapping[str, bool]) -> Iterator[Row]:
        for line in self._rows:
            row = json.loads(line)
            yield row | {"committed": committed.get(row["sop_instance_uid"])}


@contextmanager
def _named(path: str) -> Iterator[None]:
    """Name the report in an `OSError` of the body, instead of a temporary file."""
    try:
        yield
    except OSError as error:
        raise OSError(error.errno, error.strerror or str(error), path) from error


# ---- rows


def _plain(name: str) -> str:
    """Return a file name as text. In one with bytes that are not UTF-8, those bytes and backslashes are escaped."""
    if _is_utf8(name):
        return name
    return os.fsencode(name.replace("\\", "\\\\")).decode("utf-8", "backslashreplace")


def _is_utf8(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _meaning(outcome: Outcome) -> str:
    """Return the status in words with the peer's Error Comment, or the reason why there is no status."""
    if outcome.status is None:
        return one_line(str(outcome.error))
    return one_line(": ".join(part for part in (outcome.status.meaning, outcome.status.comment) if part))


FIELDS: Mapping[str, Callable[[Outcome], Any]] = {
    "file": lambda outcome: _plain(outcome.path),
    "file_escaped": lambda outcome: not _is_utf8(outcome.path),
    "sop_instance_uid": lambda outcome: one_line(outcome.sop_instance_uid) or None,
    "sop_class_uid": lambda outcome: one_line(outcome.sop_class_uid) or None,
    "outcome": lambda outcome: outcome.state,
    "status": lambda outcome: None if outcome.status is None else f"0x{int(outcome.status):04X}",
    "meaning": _meaning,
    "milliseconds": lambda outcome: round(outcome.seconds * 1000, 3) if outcome.attempts else None,
    "bytes": lambda outcome: outcome.size,
    "context_id": lambda outcome: outcome.context.context_id if outcome.context else None,
    "transfer_syntax_stored": lambda outcome: one_line(outcome.transfer_syntax_uid) or None,
    "transfer_syntax_sent": lambda outcome: outcome.context.transfer_syntax if outcome.context else None,
    "attempts": lambda outcome: outcome.attempts,
    # It is known at the end.
    "committed": lambda outcome: None,
}
"""The fields of a row in their order, with the function that takes each from an outcome. A missing value is null, and empty in CSV.

`file_escaped` is true if the name of the file is not UTF-8. In `file` those bytes are then `\\xhh`, and a backslash is two.
"""


# ---- formats


_json = json.JSONEncoder(ensure_ascii=False).encode


def _write_json(target: IO[str], rows: Iterator[Row], summary: Mapping[str, Any]) -> None:
    """Write one object, with the summary and each file on a line of its own."""
    target.write(f'{{\n"summary": {_json(summary)},\n"files": [')
    for number, row in enumerate(rows):
        target.write((",\n" if number else "\n") + _json(row))
    target.write("\n]\n}\n")


def _write_jsonl(target: IO[str], rows: Iterator[Row], summary: Mapping[str, Any]) -> None:
    for row in rows:
        target.write(_json(row) + "\n")


_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def _cell(value: object) -> object:
    """Return a field as CSV has it. Text that a spreadsheet would take for a formula gets an apostrophe before it."""
    if isinstance(value, bool):
        return _json(value)
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value


def _write_csv(target: IO[str], rows: Iterator[Row], summary: Mapping[str, Any]) -> None:
    lines = csv.writer(target, lineterminator="\n")
    lines.writerow(FIELDS)
    for row in rows:
        lines.writerow(map(_cell, row.values()))


FORMATS: Mapping[str, Write] = {".json": _write_json, ".jsonl": _write_jsonl, ".csv": _write_csv}
"""The functions that write a report, by its suffix."""
