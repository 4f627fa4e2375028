"""A list of studies to retrieve: UIDs, a line each, or what findscu has written as CSV or JSON lines."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import nullcontext

from dimse import uids
from dimse.support.text import one_line
from dimse.tools.query_options import UnusableKeys

KEYWORD, TAG = "StudyInstanceUID", "0020000D"
# Characters of a line that are looked at: a match of findscu as JSON may be long.
MOST_CHARACTERS = 4 * 1024 * 1024


def studies(path: str, report: Callable[[str], object]) -> Iterator[str]:
    """Yield the Study Instance UIDs of a list, each as often as it stands there; - is stdin.

    Empty lines, and lines that begin with #, are passed over.

    Args:
        path: The path of the list.
        report: Called with the words about each line that has no Study Instance UID.

    Raises:
        UnusableKeys: The list cannot be read.
    """
    name = "stdin" if path == "-" else one_line(path)
    try:
        with nullcontext(sys.stdin) if path == "-" else open(path, encoding="utf-8-sig", newline=None) as lines:
            for number, uid in _uids(iter(lambda: lines.readline(MOST_CHARACTERS), "")):
                if uids.is_uid(uid):
                    yield uid
                else:
                    report(f"{name}, line {number}: {one_line(uid, 64) or 'nothing'} is not a UID")
    except OSError as error:
        raise UnusableKeys(f"Cannot read the list {name}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise UnusableKeys(f"Cannot read the list {name}: it is not text in UTF-8") from error


def _uids(lines: Iterable[str]) -> Iterator[tuple[int, str]]:
    """Yield the number of each line with its UID."""
    column: int | None = None
    for number, line in enumerate(lines, 1):
        text = line.strip().removeprefix("\ufeff")
        if not text or text.startswith("#"):
            continue
        if text.startswith("{"):
            yield number, _of_json(text)
            continue
        try:
            cells = next(csv.reader([text]))
        except csv.Error:
            cells = [text]
        if KEYWORD in cells:
            column = cells.index(KEYWORD)
            continue
        at = column or 0
        yield number, cells[at].strip() if at < len(cells) else ""


def _of_json(text: str) -> str:
    """Return the UID in a match of findscu: an object of keywords, or DICOM JSON."""
    try:
        match = json.loads(text)
    except (ValueError, RecursionError):
        return text
    found = match.get(KEYWORD, match.get(TAG, ""))
    if isinstance(found, dict):
        found = next(iter(found.get("Value", ())), "")
    return found if isinstance(found, str) else ""
