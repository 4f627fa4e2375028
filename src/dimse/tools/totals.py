"""Totals of many files by study and modality, and their table."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TextIO

from dimse.support.text import one_line
from dimse.support.values import fields, record

if TYPE_CHECKING:
    from dimse.services.outcome import Outcome
    from dimse.tools.tables import Cell

STUDY_INSTANCE_UID, MODALITY = 0x0020000D, 0x00080060

# Studies and modalities that are told apart. It bounds memory.
MOST_GROUPS = 20_000
OTHERS = "others", ""

_SENT = ("stored", "warning", "already")


@record
class Total:
    """The totals of some files.

    Attributes:
        files: The number of files.
        bytes: Bytes of their data sets.
        stored: The number of files that the peer has stored, in this run or an earlier one.
        failed: The number of files with another outcome.
    """

    files: int = 0
    bytes: int = 0
    stored: int = 0
    failed: int = 0


class Totals:
    """The totals of files by study and modality. Files are added one at a time, and memory is bounded.

    Attributes:
        skipped: The number of files that were passed over, which count nowhere else.
        has_outcomes: True if the files were sent, or are to be.
    """

    def __init__(self, *, has_outcomes: bool) -> None:
        self.skipped = 0
        self.has_outcomes = has_outcomes
        self._groups: dict[tuple[str, str], Total] = {}

    def add(self, study_instance_uid: str, modality: str, size: int, outcome: str = "") -> None:
        """Add a file.

        Args:
            study_instance_uid: Its study; empty if it is not known.
            modality: Its modality; empty if it is not known.
            size: Bytes of its data set.
            outcome: The outcome as a report has it; empty if it was not sent.
        """
        if outcome == "skipped":
            self.skipped += 1
            return
        key = one_line(study_instance_uid, 64), one_line(modality, 16)
        if key not in self._groups and len(self._groups) >= MOST_GROUPS:
            key = OTHERS
        total = self._groups.get(key)
        if total is None:
            total = self._groups[key] = Total()
        total.files += 1
        total.bytes += size
        if outcome in _SENT:
            total.stored += 1
        elif outcome:
            total.failed += 1

    @property
    def tags(self) -> tuple[int, ...]:
        """The tags of the elements by which files are counted."""
        return STUDY_INSTANCE_UID, MODALITY

    def take(self, outcome: Outcome) -> None:
        """Add the outcome of a file that was to be sent."""
        elements = dict(outcome.source.elements) if outcome.source is not None else {}
        study, modality = elements.get(STUDY_INSTANCE_UID, ""), elements.get(MODALITY, "")
        self.add(study, modality, outcome.size, outcome.state)

    def add_row(self, row: Mapping[str, Any]) -> None:
        """Add a row of a report. One in CSV has its numbers as text, and an older report does not name the study."""
        study, modality = row.get("study_instance_uid") or "", row.get("modality") or ""
        self.add(study, modality, int(row.get("bytes") or 0), row["outcome"])

    @property
    def all(self) -> Total:
        """The totals of all files."""
        return Total(*(sum(getattr(total, name) for total in self._groups.values()) for name in fields(Total)))

    def print(self, file: TextIO | None = None) -> None:
        """Print a row for each study and modality, and a line with the totals; on stdout by default."""
        from dimse.tools.tables import print_table, printing

        out = file or sys.stdout
        columns = ["study", "modality", ">files", ">bytes"]
        if self.has_outcomes:
            columns += [">stored", ">failed"]
        with printing():
            print_table(columns, self._rows(), out)
            out.write(f"\n{self._sum()}\n")

    def document(self) -> dict[str, Any]:
        """Return the totals as an object of JSON."""
        names = [name for name in fields(Total) if self.has_outcomes or name in ("files", "bytes")]

        def counts(total: Total) -> dict[str, int]:
            return {name: getattr(total, name) for name in names}

        studies = [
            {"study_instance_uid": study or None, "modality": modality or None} | counts(total)
            for (study, modality), total in sorted(self._groups.items())
        ]
        return {"studies": studies, "total": counts(self.all) | {"skipped": self.skipped}}

    def _rows(self) -> Iterator[Sequence[Cell]]:
        for (study, modality), total in sorted(self._groups.items()):
            row: list[Cell] = [study, modality, total.files, total.bytes]
            yield [*row, total.stored, total.failed] if self.has_outcomes else row

    def _sum(self) -> str:
        from dimse.support.text import counted

        total, studies = self.all, len({study for study, _ in self._groups if study})
        parts = [counted(total.files, "file", separator=","), counted(studies, "study", "studies", separator=",")]
        parts += [counted(total.bytes, "byte", separator=",")]
        if self.has_outcomes:
            parts += [f"{total.stored:,} stored", f"{total.failed:,} failed"]
        return ", ".join([*parts, f"{self.skipped:,} skipped"] if self.skipped else parts)
