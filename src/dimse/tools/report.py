"""The report of a sending: a row for each file, for programs and people, written in one piece when it is over."""

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
from dimse.support.text import one_line

Row = dict[str, Any]
Write = Callable[[IO[str], Iterator[Row], Mapping[str, Any]], None]


class Report(Closing):
    """Gathers what became of each file, in an unnamed file beside the target, and writes the target at the end.

    Until then, and if it never comes to that, an earlier report of that name stands.

    Args:
        path: The report. Its suffix says how it is written: ".json" (an object of a summary and the files), ".jsonl" (a JSON
            object a line, for each file) or ".csv" (a line for each file, below a heading).

    Raises:
        ValueError: It has another suffix.
        OSError: It cannot be written there.
    """

    def __init__(self, path: str) -> None:
        suffix = os.path.splitext(path)[1].lower()
        if suffix not in FORMATS:
            raise ValueError(f"a report is written as {', '.join(FORMATS)}; {one_line(path)} is none of them")
        self._write = FORMATS[suffix]
        self._path = os.path.realpath(path)  # what a symbolic link leads to is replaced, not the link
        self._folder = os.path.dirname(self._path)
        self._failure: OSError | None = None
        self._count, self._bytes = 0, 0
        self._states = Counter(dict.fromkeys(get_args(State), 0))
        with _named(path):
            if os.path.exists(self._path) and not stat.S_ISREG(os.stat(self._path).st_mode):
                raise OSError(errno.EINVAL, "not a regular file")
            self._rows = tempfile.TemporaryFile("w+", encoding="utf-8", dir=self._folder)  # noqa: SIM115  (see close)

    def add(self, outcome: Outcome) -> None:
        """Put down what became of a file. A full disk is no reason not to send the next one: `finish` reports it."""
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
        """Write the report, all of it or nothing, and wait for the disk. Nothing is added any more.

        Args:
            committed: By SOP instance UID: whether the peer committed to keep it (PS3.4 Annex J). Others were not asked for.
            complete: Whether the sending came to its end, and was not broken off.
            seconds: That it took.
            skipped: Files in folders and archives that are not DICOM.

        Raises:
            OSError: It cannot be written; an earlier one stands.
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
        """Let go of what was gathered. Harmless twice, and after `finish`."""
        with suppress(OSError):  # what could not be written is not wanted any more
            self._rows.close()

    def _replace(self, summary: Mapping[str, Any], committed: Mapping[str, bool]) -> None:
        temporary = os.path.join(self._folder, f".report-{os.urandom(8).hex()}")
        try:
            with open(temporary, "x", encoding="utf-8", newline="") as target:
                self._write(target, self._gathered(committed), summary)
                target.flush()
                os.fsync(target.fileno())
            os.replace(temporary, self._path)
        except BaseException:
            with suppress(FileNotFoundError):
                os.unlink(temporary)
            raise
        folder = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def _gathered(self, committed: Mapping[str, bool]) -> Iterator[Row]:
        for line in self._rows:
            row = json.loads(line)
            yield row | {"committed": committed.get(row["sop_instance_uid"])}


@contextmanager
def _named(path: str) -> Iterator[None]:
    """Failures of the system name the report, not a temporary file of ours."""
    try:
        yield
    except OSError as error:
        raise OSError(error.errno, error.strerror or str(error), path) from error


# ---- what a row says


def _plain(name: str) -> str:
    """A file name as text; backslashes and bytes that are no UTF-8 are escaped where there are such bytes."""
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
    """The status in words, with the peer's Error Comment; or why there is no status."""
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
    "committed": lambda outcome: None,  # known at the end
}
"""The fields of a row in their order, and how an outcome gives them; null, in CSV an empty field, where there is none.

`file_escaped` says that the name of the file is no UTF-8: in `file` its odd bytes then stand as `\\xhh`, and a backslash as two.
"""


# ---- how it is written


_json = json.JSONEncoder(ensure_ascii=False).encode


def _write_json(target: IO[str], rows: Iterator[Row], summary: Mapping[str, Any]) -> None:
    """One object; the summary on a line of its own, and so is each file."""
    target.write(f'{{\n"summary": {_json(summary)},\n"files": [')
    for number, row in enumerate(rows):
        target.write((",\n" if number else "\n") + _json(row))
    target.write("\n]\n}\n")


def _write_jsonl(target: IO[str], rows: Iterator[Row], summary: Mapping[str, Any]) -> None:
    for row in rows:
        target.write(_json(row) + "\n")


_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def _cell(value: object) -> object:
    """A field in CSV: as JSON has it; text that a spreadsheet would take for a formula has an apostrophe before it."""
    if isinstance(value, bool):
        return _json(value)
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value


def _write_csv(target: IO[str], rows: Iterator[Row], summary: Mapping[str, Any]) -> None:
    lines = csv.writer(target, lineterminator="\n")
    lines.writerow(FIELDS)
    for row in rows:
        lines.writerow(map(_cell, row.values()))


FORMATS: Mapping[str, Write] = {".json": _write_json, ".jsonl": _write_jsonl, ".csv": _write_csv}
"""How a report is written, by its suffix."""
