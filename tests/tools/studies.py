"""A study of small instances to be sent, and what a report says of them."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

from tests.tools.running import Instance, element


def instance(series: int, number: int) -> Instance:
    """Return an instance of a series."""
    return Instance(f"1.2.{series}.{number}", rest=element(0x0020, 0x000E, "UI", f"1.9.{series}".encode()))


def write_study(folder: Path) -> Path:
    """Write four series of five instances, whose names are in their order; the folder."""
    for series in range(4):
        for number in range(5):
            instance(series, number).write(folder / f"{series}{number}.dcm")
    return folder


def files_in(folder: Path) -> list[str]:
    """Return the paths of the files in a folder."""
    return sorted(map(str, folder.iterdir()))


def rows(report: Path) -> list[dict[str, Any]]:
    """Return the rows of a complete report of JSON lines, without the summary at its end."""
    *found, last = [json.loads(line) for line in report.read_text().splitlines()]
    assert last.keys() == {"summary"}
    return found


def outcomes(report: Path) -> Counter[str]:
    """Return the number of each outcome in a report."""
    return Counter(row["outcome"] for row in rows(report))
