"""Explanations of every line of the tools at E: and W:, in one table: what it means, and what to do.

`dimse explain` prints them, and `scripts/make_troubleshooting.py` writes `docs/troubleshooting.md` from them. A tool imports this
package only when a line is to be explained. A code is never used again for another meaning.
"""

from __future__ import annotations

from collections.abc import Iterable

from dimse.tools.explanations import (
    archive,
    association,
    connecting,
    files,
    identity,
    programs,
    querying,
    receiving,
    sending,
    serving,
    tls,
    usage,
)
from dimse.tools.explanations.entry import Entry, Subject

SUBJECTS: tuple[Subject, ...] = (
    connecting.SUBJECT,
    association.SUBJECT,
    tls.SUBJECT,
    identity.SUBJECT,
    files.SUBJECT,
    sending.SUBJECT,
    receiving.SUBJECT,
    serving.SUBJECT,
    archive.SUBJECT,
    programs.SUBJECT,
    querying.SUBJECT,
    usage.SUBJECT,
)
ENTRIES: dict[str, Entry] = {entry.code: entry for subject in SUBJECTS for entry in subject.entries}


# Codes that are named at the end of a run.
MOST_NAMED = 3


def normalized(code: str) -> str:
    """Return a code as the table has it: `E017` for `e17`, `dimse-e017` and `17`; an empty text if it is not a code."""
    text = code.strip().upper().removeprefix("DIMSE-")
    letter, digits = (text[:1], text[1:]) if text[:1] in ("E", "W") else ("E", text)
    return f"{letter}{int(digits):03}" if digits.isascii() and digits.isdigit() and len(digits) <= 4 else ""


def named_in(line: str) -> list[str]:
    """Return the codes that a line names as the last line of a tool does: `See DIMSE-E002 (dimse explain E002)`."""
    words = line.replace(",", " ").split()
    codes = (normalized(word) for word in words if word.startswith("DIMSE-"))
    return [code for code in codes if code in ENTRIES]


def explanations_of(line: str) -> list[Entry]:
    """Return the explanations that fit a line of a tool, the most specific one first."""
    text = line.strip()
    for level in ("E: ", "W: "):
        text = text.removeprefix(level)
    scores = {entry.code: entry.score(text) for entry in ENTRIES.values()}
    return sorted((ENTRIES[code] for code, score in scores.items() if score), key=lambda entry: -scores[entry.code])


def explanation_of(line: str) -> Entry | None:
    """Return the most specific explanation of a line; None if it is not a line of the tools."""
    return next(iter(explanations_of(line)), None)


def codes_of(lines: Iterable[str]) -> list[str]:
    """Return the codes of the most helpful explanations of some lines, at most three, in the order of the lines."""
    found = dict.fromkeys(entry for line in lines if (entry := explanation_of(line)) is not None)
    telling = [entry for entry in found if not entry.is_general]
    return [entry.code for entry in (telling or list(found))[:MOST_NAMED]]


def near(code: str) -> list[str]:
    """Return the codes that are nearest to one that does not exist, at most three."""
    letter, number = code[0], int(code[1:])
    same = [known for known in ENTRIES if known[0] == letter]
    return sorted(sorted(same, key=lambda known: abs(int(known[1:]) - number))[:MOST_NAMED])
