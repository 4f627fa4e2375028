"""The form of an explanation, and how it recognises a line."""

from __future__ import annotations

import re
from functools import cache
from typing import NamedTuple

_HOLE = re.compile(r"\{[\w ]*\}")


class Entry(NamedTuple):
    """An explanation of lines that have one meaning.

    Attributes:
        code: The code without its prefix: `E` for an error or `W` for a warning, and three digits. It is never used again.
        templates: The texts of the lines. A name in braces stands for what differs from line to line.
        cause: What the line means, in sentences.
        cure: What to do, in sentences.
        is_general: True if other lines of the same fault say more.
    """

    code: str
    templates: tuple[str, ...]
    cause: str
    cure: str
    is_general: bool = False

    @property
    def name(self) -> str:
        """The code as it is printed, such as `DIMSE-E001`."""
        return f"DIMSE-{self.code}"

    def score(self, line: str) -> int:
        """Return how well the best template fits a line: the number of characters that they share, and half of it if general."""
        best = max(fit(template, line) for template in self.templates)
        return (best + 1) // 2 if self.is_general else best


class Subject(NamedTuple):
    """The explanations about one subject.

    Attributes:
        title: The subject.
        entries: Its explanations.
    """

    title: str
    entries: tuple[Entry, ...]


def entry(code: str, *templates: str, cause: str, cure: str, is_general: bool = False) -> Entry:
    """Return an explanation whose texts may be broken over several lines."""
    return Entry(code, templates, " ".join(cause.split()), " ".join(cure.split()), is_general)


def fit(template: str, line: str) -> int:
    """Return the number of fixed characters of a template if it fits a line or a part of it, otherwise 0.

    Upper and lower case are the same, since some lines have the words of the operating system in lower case. The fixed parts must
    stand in the line in their order, and the first one must not begin inside a word.
    """
    first, *rest = _fixed_parts(template)
    line = line.lower()
    at = line.find(first)
    while at > 0 and first and line[at - 1].isalnum():
        at = line.find(first, at + 1)
    if at < 0:
        return 0
    at += len(first)
    for part in rest:
        found = line.find(part, at)
        if found < 0:
            return 0
        at = found + len(part)
    return len(first) + sum(map(len, rest))


@cache
def _fixed_parts(template: str) -> list[str]:
    return _HOLE.split(template.lower())
