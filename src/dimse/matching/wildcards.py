"""Wild card matching (PS3.4 C.2.2.2.4): `*` for any run of characters, `?` for any one.

The parts between asterisks are looked for from left to right, each as early as it is found, and never again. A part with question
marks is looked for by one number that has a bit for each of its characters. So the work is bounded whatever a peer sends.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

Predicate: TypeAlias = "Callable[[str], bool]"

MOST_ASTERISKS = 32
"""Runs of asterisks that a key may have."""
LONGEST_WITH_QUESTION_MARKS = 1024
"""Characters that a key with question marks may have."""


class TooManyWildcards(ValueError):
    """A key with wild cards is beyond the limits."""


def has_wildcards(text: str, any_run: str = "*", any_one: str = "?") -> bool:
    """Return whether a key has a wild card."""
    return any_run in text or any_one in text


def pattern(text: str, any_run: str = "*", any_one: str = "?") -> Predicate:
    """Return the predicate of a key with wild cards, or without.

    Args:
        text: The key.
        any_run: The character that stands for any run of characters.
        any_one: The character that stands for any one.

    Raises:
        TooManyWildcards: The key has more than 32 runs of asterisks, or question marks and more than 1,024 characters.
    """
    if not has_wildcards(text, any_run, any_one):
        return lambda value: value == text
    if any_one in text and len(text) > LONGEST_WITH_QUESTION_MARKS:
        raise TooManyWildcards(f"question marks in more than {LONGEST_WITH_QUESTION_MARKS:,} characters")
    parts = text.split(any_run)
    inner = [part for part in parts[1:-1] if part]
    if len(inner) >= MOST_ASTERISKS:
        raise TooManyWildcards(f"more than {MOST_ASTERISKS} runs of asterisks")
    if len(parts) == 1:
        return lambda value: len(value) == len(text) and _fits(text, any_one, value, 0)
    first, last, finders = parts[0], parts[-1], [(_finder(part, any_one), len(part)) for part in inner]
    shortest = len(first) + len(last)

    def matches(value: str) -> bool:
        if (
            len(value) < shortest
            or not _fits(first, any_one, value, 0)
            or not _fits(last, any_one, value, len(value) - len(last))
        ):
            return False
        at, end = len(first), len(value) - len(last)
        for find, length in finders:
            found = find(value, at, end)
            if found < 0:
                return False
            at = found + length
        return True

    return matches


def _fits(part: str, any_one: str, value: str, at: int) -> bool:
    """Return whether a part without asterisks stands at one place of a value that is long enough."""
    if any_one not in part:
        return value.startswith(part, at)
    return all(wanted in (any_one, value[at + offset]) for offset, wanted in enumerate(part))


def _finder(part: str, any_one: str) -> Callable[[str, int, int], int]:
    """Return a function that finds a part between two places of a value, or returns -1."""
    if any_one not in part:
        return lambda value, start, end: value.find(part, start, end)
    masks = dict.fromkeys(part, 0)
    for at, character in enumerate(part):
        masks[character] |= 1 << at
    anything = masks[any_one]
    allowed = {character: mask | anything for character, mask in masks.items()}
    complete = 1 << len(part) - 1

    def find(value: str, start: int, end: int) -> int:
        # Bit n of the state: the n + 1 characters up to here are the first of the part.
        state = 0
        for at in range(start, end):
            state = (state << 1 | 1) & allowed.get(value[at], anything)
            if state & complete:
                return at + 1 - len(part)
        return -1

    return find
