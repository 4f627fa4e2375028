"""The matches of a query as findscu prints and writes them."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from itertools import count
from logging import INFO
from typing import TYPE_CHECKING, TextIO

from dimse import tags
from dimse.services.information_models import LEVEL, UNIQUE_KEYS, InformationModel
from dimse.support.text import one_line
from dimse.tools.identifier_lines import lines, text
from dimse.tools.log_setup import log_lines
from dimse.tools.running import UNWRITTEN

if TYPE_CHECKING:
    import logging

    from dimse.data_set.identifier import Identifier

FORMATS = ("log", "table", "json", "jsonl", "csv", "uid")

# A spreadsheet takes a cell that begins so for a formula.
_FORMULA = ("=", "+", "-", "@")
# Keys that are no columns unless they are asked for.
_NO_COLUMNS = frozenset((tags.SPECIFIC_CHARACTER_SET, LEVEL))


def columns_of(identifiers: Iterable[Identifier]) -> list[int]:
    """Return the tags of the keys that are asked for, in the order of the command line."""
    found = dict.fromkeys(tag for identifier in identifiers for tag in identifier.attributes)
    return [tag for tag in found if tag not in _NO_COLUMNS]


def unique_key_of(model: InformationModel, identifier: Identifier) -> int | None:
    """Return the tag of the unique key at the level of an identifier; None without such a key."""
    return UNIQUE_KEYS.get(identifier.text(LEVEL)) if model.levels else model.unique_key


class Output:
    """The matches on stdout, in one format. Everything of a peer is escaped, but for JSON, which has escapes of its own.

    Args:
        form: One of `FORMATS`.
        columns: The tags of the columns of a table or of CSV.
        sort: The tag by whose value the rows are sorted; None leaves them as they come.
        logger: The logger of the tool, for the form "log".
    """

    def __init__(self, form: str, columns: Sequence[int], sort: int | None, logger: logging.Logger) -> None:
        self.unique_key: int | None = None
        self._form, self._columns, self._sort, self._logger = form, columns, sort, logger
        self._out = sys.stdout
        self._write_rows: Callable[[Iterable[Iterable[str]]], object] = csv_writer(self._out) if form == "csv" else list
        self._number = 0
        self._kept: list[tuple[tuple[int, float, str], list[str]]] = []

    def begin(self) -> None:
        """Print what stands before the first match."""
        if self._form == "csv":
            with writing():
                self._write_rows([map(tags.label, self._columns)])

    def add(self, identifier: Identifier) -> None:
        """Print a match, or keep it until the end where the format needs that."""
        self._number += 1
        with writing():
            if self._form == "jsonl":
                self._out.write(identifier.json() + "\n")
                self._out.flush()
            elif self._form == "json":
                self._out.write(("[\n" if self._number == 1 else ",\n") + identifier.json())
            elif self._form == "uid":
                self._add_uid(identifier)
            elif self._form in ("csv", "table"):
                row = [_cell(identifier, tag) for tag in self._columns]
                if self._form == "table" or self._sort is not None:
                    self._kept.append((_order(identifier, self._sort), row))
                else:
                    self._write_rows([map(without_formula, row)])

    def _add_uid(self, identifier: Identifier) -> None:
        uid = identifier.text(self.unique_key) if self.unique_key is not None else ""
        if uid:
            self._out.write(one_line(uid) + "\n")
            self._out.flush()

    def end(self) -> None:
        """Print what was kept, and what stands behind the last match."""
        with writing():
            if self._form == "json":
                self._out.write("\n]\n" if self._number else "[]\n")
            if self._sort is not None:
                self._kept.sort(key=lambda each: each[0])
            rows = [row for _, row in self._kept]
            if self._form == "csv":
                self._write_rows(map(without_formula, row) for row in rows)
            elif self._form == "table":
                from dimse.tools.tables import print_table

                print_table([tags.label(tag) for tag in self._columns], rows, self._out)
            self._out.flush()


class writing:  # noqa: N801  (as `suppress`)
    """A block that writes to stdout: a reader that has gone, or a full disk, ends the tool.

    Raises:
        SystemExit: The output cannot be written.
    """

    def __enter__(self) -> None:
        """Begin."""

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if isinstance(error, OSError):
            raise SystemExit(UNWRITTEN) from error


def csv_writer(out: TextIO) -> Callable[[Iterable[Iterable[str]]], object]:
    """Return a function that writes rows of CSV."""
    import csv

    return csv.writer(out, lineterminator="\n").writerows


def _cell(identifier: Identifier, tag: int) -> str:
    attribute = identifier.attributes.get(tag)
    return one_line(text(attribute), 64 * 1024) if attribute is not None else ""


def without_formula(cell: str) -> str:
    """Return a cell as a spreadsheet does not take it for a formula."""
    return f"'{cell}" if cell.startswith(_FORMULA) else cell


def _order(identifier: Identifier, tag: int | None) -> tuple[int, float, str]:
    """Return the place of a match among the others: by number or text, without a value at the end."""
    value = identifier.get(tag) if tag is not None else None
    if value is None:
        return 2, 0.0, ""
    if isinstance(value, (int, float)):
        return 0, float(value), ""
    return 1, 0.0, str(value).casefold()


def log_identifier(logger: logging.Logger, title: str, identifier: Identifier, before: Sequence[str] = ()) -> None:
    """Log an identifier, a line for each attribute, behind the lines that stand before it."""
    if logger.isEnabledFor(INFO):
        log_lines(logger, [*before, "", f"# {title} Identifier", *lines(identifier.attributes), ""])


class JSONFile:
    """A file with all matches as one array of DICOM JSON (PS3.18 F.2), under its name once it is complete."""

    def __init__(self, path: str) -> None:
        self._path, self._partial = path, f"{path}.partial"
        self._file = open(self._partial, "w", encoding="utf-8")  # noqa: SIM115  (closed by `end`)
        self._number = 0

    def add(self, identifier: Identifier) -> None:
        """Write a match."""
        self._number += 1
        self._file.write(("[\n" if self._number == 1 else ",\n") + identifier.json())

    def end(self) -> None:
        """Complete the file, and give it its name."""
        with self._file:
            self._file.write("\n]\n" if self._number else "[]\n")
        os.replace(self._partial, self._path)

    def discard(self) -> None:
        """Remove the file if it is not complete."""
        self._file.close()
        with suppress(OSError):
            os.unlink(self._partial)


class Files:
    """The Part 10 files of the matches, `rsp000001.dcm` and so on. A file that exists is left alone, and its number skipped."""

    def __init__(self, folder: str, sop_class_uid: str, logger: logging.Logger) -> None:
        self._folder, self._sop_class_uid, self._logger = folder, sop_class_uid, logger
        self._numbers = count(1)
        self._has_skipped = False

    def add(self, identifier: Identifier) -> None:
        """Write a match.

        Raises:
            OSError: The file cannot be written.
        """
        from uuid import uuid4

        from dimse.data_set.encoding import EXPLICIT_VR_LITTLE_ENDIAN
        from dimse.data_set.identifier import encode, fitting_charset
        from dimse.media import part10
        from dimse.settings import IMPLEMENTATION_CLASS_UID

        charset = fitting_charset(identifier, identifier.text(tags.SPECIFIC_CHARACTER_SET))
        data_set = encode(identifier, EXPLICIT_VR_LITTLE_ENDIAN, charset)
        meta = part10.FileMeta(
            self._sop_class_uid, f"2.25.{uuid4().int}", EXPLICIT_VR_LITTLE_ENDIAN.uid, IMPLEMENTATION_CLASS_UID
        )
        for number in self._numbers:
            path = os.path.join(self._folder, f"rsp{number:06}.dcm")
            try:
                file = open(path, "xb")  # noqa: SIM115
            except FileExistsError:
                if not self._has_skipped:
                    self._logger.warning("%s is there already: it is kept, and the number goes on", one_line(path))
                    self._has_skipped = True
                continue
            with file:
                file.write(part10.encode(meta) + data_set)
            return
