"""The formats of a report: JSON, JSON lines and CSV, written and read a row at a time."""

from __future__ import annotations

import csv
import json
import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from typing import IO, Any, Protocol

from dimse.support.text import one_line

Row = dict[str, Any]

UNFINISHED = ".part"
"""The suffix of a report that is being written, or whose run was killed."""
REPLACED = ".old"
"""The suffix behind `UNFINISHED` of one that a later run would have overwritten."""


class UnusableReport(Exception):
    """A file is not a report, or cannot be read; the message says why."""


class Format(Protocol):
    """The text of a report in one format.

    Attributes:
        grows: True if a report is readable without its end, so that it is written while its run goes on.
    """

    grows: bool

    def head(self, columns: Sequence[str], summary: Mapping[str, Any]) -> str:
        """Return the text before the first row; the summary is empty in a report that grows."""

    def line(self, row: Row, number: int) -> str:
        """Return the text of a row; the first one has the number 0."""

    def tail(self, summary: Mapping[str, Any]) -> str:
        """Return the text behind the last row."""

    def rows(self, file: IO[str]) -> Iterator[Row]:
        """Yield the rows of a report. A last row that is cut is left out."""


_json = json.JSONEncoder(ensure_ascii=False).encode


class JSON:
    """An object, with the summary and each row on a line of its own."""

    grows = False

    def head(self, columns: Sequence[str], summary: Mapping[str, Any]) -> str:
        return f'{{\n"summary": {_json(summary)},\n"files": ['

    def line(self, row: Row, number: int) -> str:
        return (",\n" if number else "\n") + _json(row)

    def tail(self, summary: Mapping[str, Any]) -> str:
        return "\n]\n}\n"

    def rows(self, file: IO[str]) -> Iterator[Row]:
        head = [file.readline() for _ in range(3)]
        # Another program may have changed the lines. Then all of it is read at once.
        if head[0] != "{\n" or not head[1].startswith('"summary": ') or not head[2].startswith('"files": ['):
            file.seek(0)
            yield from json.load(file)["files"]
            return
        for line in file:
            if line.startswith("]"):
                return
            yield json.loads(line.rstrip("\n").removesuffix(","))


class JSONLines:
    """An object on a line for each row, and at the end one with the summary."""

    grows = True

    def head(self, columns: Sequence[str], summary: Mapping[str, Any]) -> str:
        return ""

    def line(self, row: Row, number: int) -> str:
        return _json(row) + "\n"

    def tail(self, summary: Mapping[str, Any]) -> str:
        return _json({"summary": summary}) + "\n"

    def rows(self, file: IO[str]) -> Iterator[Row]:
        for line in _whole_lines(file):
            row = json.loads(line)
            if "file" in row:
                yield row


_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_SUSPECT = {*_FORMULA, "'"}
_FLAGS = "file_escaped", "committed"


class _Echo:
    """A destination of `csv.writer` that gives back each line."""

    @staticmethod
    def write(line: str) -> str:
        return line


class CSV:
    """A heading, and a line for each row.

    Text that a spreadsheet would take for a formula gets an apostrophe before it. Reading takes the apostrophe away again. All
    other values are read as text, except true, false and those that are missing.
    """

    grows = True

    def head(self, columns: Sequence[str], summary: Mapping[str, Any]) -> str:
        return self._line(columns)

    def line(self, row: Row, number: int) -> str:
        return self._line([self._cell(value) for value in row.values()])

    def tail(self, summary: Mapping[str, Any]) -> str:
        return ""

    def rows(self, file: IO[str]) -> Iterator[Row]:
        for row in csv.DictReader(_whole_lines(file)):
            if None in row:
                raise ValueError("a row of it has more cells than the heading")
            # A row that is cut has too few cells.
            if None not in row.values():
                yield {name: self._value(name, cell) for name, cell in row.items()}

    @staticmethod
    def _line(cells: Sequence[object]) -> str:
        # A carriage return is quoted only if it is part of the line terminator. `writerow` returns what `write` does.
        line: str = csv.writer(_Echo, lineterminator="\r\n").writerow(cells)
        return line[:-2] + "\n"

    @staticmethod
    def _cell(value: object) -> object:
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, str) and value[:1] in _SUSPECT and value.lstrip("'").startswith(_FORMULA):
            return f"'{value}"
        return value

    @staticmethod
    def _value(name: str, cell: str) -> object:
        if name in _FLAGS and cell in ("true", "false"):
            return cell == "true"
        if cell.startswith("'") and cell.lstrip("'").startswith(_FORMULA):
            return cell[1:]
        return cell if cell or name == "file" else None


FORMATS: Mapping[str, Format] = {".json": JSON(), ".jsonl": JSONLines(), ".csv": CSV()}
"""The formats of a report, by the suffix of its path."""


OF_STUDY = "study "
"""The beginning of the outcome in a row about a study, which is no row of a file."""


def _whole_lines(file: IO[str]) -> Iterator[str]:
    """Yield the lines of a file, except a last one that is cut."""
    return (line for line in file if line.endswith("\n"))


def written_name(path: str) -> str:
    """Return the name that a report with this path has at its end."""
    return path.removesuffix(REPLACED).removesuffix(UNFINISHED)


def format_of(path: str) -> Format:
    """Return the format of the report with this path.

    Raises:
        ValueError: The suffix is not that of a format.
    """
    suffix = os.path.splitext(path)[1].lower()
    if suffix not in FORMATS:
        raise ValueError(f"a report ends with {', '.join(FORMATS)}, not {one_line(path)}")
    return FORMATS[suffix]


def _verify(row: object) -> None:
    """Verify that a row has a file and an outcome, and that its values are of their types.

    Raises:
        ValueError: It has not, or they are not.
    """
    match row:
        case {"file": str(), "outcome": str(), **others}:
            pass
        case _:
            raise ValueError("a row of it has no file and no outcome")
    texts = ("study_instance_uid", "modality", "sop_instance_uid")
    if wrong := [name for name in texts if not isinstance(others.get(name) or "", str)]:
        raise ValueError(f"a row of it has a {wrong[0]} that is not a text")
    match others.get("bytes"):
        case None | int():
            pass
        case str(size):
            # A CSV has its numbers as text.
            int(size or 0)
        case _:
            raise ValueError("a row of it has bytes that are not a number")


def read(path: str) -> Iterator[Row]:
    """Yield the rows of a report, one at a time; a report whose run was killed has those that were written.

    Raises:
        UnusableReport: It is not a report, or cannot be read. It is raised at the first row that is at fault.
    """
    try:
        format = format_of(written_name(path))
        with open(path, encoding="utf-8", newline="\n") as file:
            # A device such as /dev/zero may have no end.
            if stat.S_ISCHR(os.fstat(file.fileno()).st_mode):
                raise ValueError("it is a device")
            for row in format.rows(file):
                _verify(row)
                yield row
    except OSError as error:
        raise UnusableReport(f"cannot read the report {one_line(path)}: {error.strerror or error}") from error
    except RecursionError as error:
        raise UnusableReport(f"{one_line(path)} is not a report: its values are nested too deep") from error
    except (ValueError, KeyError, TypeError, csv.Error) as error:
        raise UnusableReport(f"{one_line(path)} is not a report: {one_line(str(error))}") from error
