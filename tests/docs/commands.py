"""The text of a `console` block: the commands behind `$`, the output of each, and how far that may differ from run to run.

Some things may differ: times and rates, dates, fingerprints, versions of programs, ports that the system chose, and the width of
columns. A line `...` stands for any number of lines, and `...` within a line for any text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

INTERRUPT = "^C"

# What differs, and what is compared in its place. The order matters.
VARYING = (
    (re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d[\d.,:+Z]*"), "DATE"),
    (re.compile(r"\b20[2-9]\d-\d\d-\d\d\b"), "DATE"),
    (re.compile(r"\bSHA-256 [0-9a-f]{64}\b"), "SHA-256"),
    (re.compile(r"\b\d[\d.,]* ?(?:ms|s|min|seconds?)\b"), "TIME"),
    (re.compile(r"\b\d[\d.,]* [kMG]?i?B/s\b"), "RATE"),
    (re.compile(r"(?<=\d):[3-6]\d{4}\b"), ":PORT"),
    (re.compile(r"\b(DIMSE|OFFIS_DCMTK|PYNETDICOM)_[\d_]+\b"), r"\1"),
    (re.compile(r"\bv\d+\.\d+\.\d+\b"), "VERSION"),
    (re.compile(r" +$", re.MULTILINE), ""),
    (re.compile(r"(?<=\S) {2,}"), "  "),
)


@dataclass
class Entry:
    """A command and the lines behind it; the command is empty if the block begins with output."""

    command: str
    output: list[str] = field(default_factory=list)


def entries(text: str) -> list[Entry]:
    """Return the commands of a block, each with the output that is printed for it."""
    found: list[Entry] = []
    continued = False
    for line in text.split("\n"):
        if continued:
            found[-1].command += "\n" + line
        elif line.startswith("$ "):
            found.append(Entry(line.removeprefix("$ ")))
        elif line.startswith(INTERRUPT):
            found.append(Entry(INTERRUPT))
        else:
            if not found:
                found.append(Entry(""))
            found[-1].output.append(line)
        continued = (continued or line.startswith("$ ")) and line.endswith("\\")
    return found


def block_of(found: list[Entry]) -> str:
    """Return the text of a block with these commands and outputs."""
    lines: list[str] = []
    for entry in found:
        if entry.command:
            lines.append(INTERRUPT if entry.command == INTERRUPT else f"$ {entry.command}")
        lines += entry.output
    return "\n".join(lines)


def normal(text: str) -> str:
    """Return a text with a word in the place of everything that may differ."""
    for pattern, word in VARYING:
        text = pattern.sub(word, text)
    return text.strip("\n")


def agrees(printed: str, said: str) -> bool:
    """Return True if a program said what is printed."""
    parts = []
    for line in normal(printed).split("\n"):
        if line.strip() == "...":
            parts.append(r"(?:[^\n]*\n)*?")
        else:
            parts.append(r"[^\n]*".join(re.escape(part) for part in line.split("...")) + "\n")
    return re.fullmatch("".join(parts), normal(said) + "\n") is not None
