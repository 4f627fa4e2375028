"""The results of `dimse archive`, on stdout: rows as a table, JSON, JSON lines or CSV."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain

from dimse.support.text import one_line
from dimse.tools.find_output import csv_writer, without_formula
from dimse.tools.tables import Cell, print_table, printing

_json = json.JSONEncoder(ensure_ascii=False).encode


def print_rows(form: str, columns: Mapping[str, str], rows: Iterable[Sequence[Cell]]) -> int:
    """Print rows, and return their number.

    Args:
        form: "table", "json", "jsonl" or "csv".
        columns: The headings of a table by the names of the columns, which are the members of JSON and the head of CSV. ">" at the
            beginning of a heading marks numbers.
        rows: The rows, which are printed as they come, but for a table with few of them.
    """
    number = 0

    def numbered() -> Iterable[Sequence[Cell]]:
        nonlocal number
        for row in rows:
            number += 1
            yield row

    out = sys.stdout
    with printing():
        if form == "table":
            first = next(each := iter(numbered()), None)
            # A heading alone is no table.
            if first is not None:
                print_table(list(columns.values()), chain([first], each), out)
        elif form == "csv":
            write = csv_writer(out)
            write([list(columns)])
            write(map(_csv_cells, numbered()))
        elif form == "jsonl":
            for row in numbered():
                out.write(_json(dict(zip(columns, row, strict=True))) + "\n")
                out.flush()
        else:
            for row in numbered():
                out.write(("[\n" if number == 1 else ",\n") + _json(dict(zip(columns, row, strict=True))))
            out.write("\n]\n" if number else "[]\n")
        out.flush()
    return number


def _csv_cells(row: Sequence[Cell]) -> list[str]:
    return [str(cell) if isinstance(cell, int) else without_formula(one_line(cell)) for cell in row]


def print_object(content: Mapping[str, object]) -> None:
    """Print one object of JSON."""
    with printing():
        sys.stdout.write(json.dumps(content, indent=1, ensure_ascii=False) + "\n")


def print_line(line: str) -> None:
    """Print a line."""
    with printing():
        sys.stdout.write(line + "\n")
        sys.stdout.flush()


def time_text(seconds: float) -> str:
    """Return a time, in seconds since 1970-01-01 UTC, as ISO 8601; empty for 0."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds)) if seconds else ""
