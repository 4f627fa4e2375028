"""A list of studies or series to retrieve: UIDs, a line each, or what findscu has written as CSV or JSON lines."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import nullcontext

from dimse import uids
from dimse.support.text import one_line
from dimse.tools.query_options import UnusableKeys

STUDY, SERIES = ("StudyInstanceUID", "0020000D"), ("SeriesInstanceUID", "0020000E")
"""The keyword and the tag of each UID of a list."""
# Characters of a line that are looked at: a match of findscu as JSON may be long.
MOST_CHARACTERS = 4 * 1024 * 1024

Selection = str | tuple[str, str]
"""A Study Instance UID, or a Study and a Series Instance UID."""


def read(text: str) -> Selection:
    """Return the study that a text names, or the series: the UIDs of its study and of itself, with a comma between them.

    Raises:
        ValueError: The text is neither.
    """
    return _selection([uid.strip() for uid in text.split(",")])


def _selection(found: list[str]) -> Selection:
    """Return what one or two UIDs name.

    Raises:
        ValueError: They are not one or two UIDs.
    """
    for uid in found:
        if not uids.is_uid(uid):
            raise ValueError(f"{one_line(uid, 64) or 'nothing'} is not a UID")
    if len(found) > 2:
        raise ValueError("more than a study and a series")
    return found[0] if len(found) == 1 else (found[0], found[1])


def studies(path: str, report: Callable[[str], object]) -> Iterator[Selection]:
    """Yield the studies of a list, or the series where it has these too; - is stdin.

    Each is yielded as often as it stands there, but not twice in a row. Empty lines, and lines that begin with #, are passed over.

    Args:
        path: The path of the list.
        report: Called with the words about each line that names no study.

    Raises:
        UnusableKeys: The list cannot be read.
    """
    name = "stdin" if path == "-" else one_line(path)
    before: Selection = ""
    try:
        with nullcontext(sys.stdin) if path == "-" else open(path, encoding="utf-8-sig", newline=None) as lines:
            for number, found in _uids(iter(lambda: lines.readline(MOST_CHARACTERS), "")):
                try:
                    selection = _selection(found)
                except ValueError as error:
                    report(f"{name}, line {number}: {error}")
                    continue
                if selection != before:
                    yield selection
                before = selection
    except OSError as error:
        raise UnusableKeys(f"Cannot read the list {name}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise UnusableKeys(f"Cannot read the list {name}: it is not text in UTF-8") from error


def _uids(lines: Iterable[str]) -> Iterator[tuple[int, list[str]]]:
    """Yield the number of each line with its UIDs."""
    columns: list[int] | None = None
    for number, line in enumerate(lines, 1):
        text = line.strip().removeprefix("\ufeff")
        if not text or text.startswith("#"):
            continue
        if text.startswith("{"):
            yield number, _of_json(text)
            continue
        try:
            cells = [cell.strip() for cell in next(csv.reader([text]))]
        except csv.Error:
            cells = [text]
        if STUDY[0] in cells:
            columns = [cells.index(keyword) for keyword, _ in (STUDY, SERIES) if keyword in cells]
            continue
        if columns is None:
            # Without a heading, what stands behind the UIDs does not count: a number of instances, for example.
            found = cells[:1] + [cell for cell in cells[1:2] if "." in cell and uids.is_uid(cell)]
        else:
            found = [cells[at] if at < len(cells) else "" for at in columns]
        # A match at the level of studies may have the column of the series, without a value.
        yield number, found[:1] + [uid for uid in found[1:] if uid]


def _of_json(text: str) -> list[str]:
    """Return the UIDs in a match of findscu: an object of keywords, or DICOM JSON."""
    try:
        match = json.loads(text)
    except (ValueError, RecursionError):
        return [text]
    study, series = (_value(match, *names) for names in (STUDY, SERIES))
    return [study, series] if series else [study]


def _value(match: dict[str, object], keyword: str, tag: str) -> str:
    found = match.get(keyword, match.get(tag, ""))
    if isinstance(found, dict):
        found = next(iter(found.get("Value", ())), "")
    return found if isinstance(found, str) else ""
