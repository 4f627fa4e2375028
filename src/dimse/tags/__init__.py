"""The data dictionary of PS3.6: keywords to tags, and tags to VR, VM, keyword and name.

The table is imported when something is first looked up in it. It stays one text, which is searched: to take it apart takes longer
than a query's few look-ups.
"""

from __future__ import annotations

from functools import cache, lru_cache
from typing import NamedTuple

from dimse.support.text import tag_name

Entry = NamedTuple(
    "Entry",
    [("tag", int), ("vr", str), ("vm", str), ("keyword", str), ("retired", bool)],
)
"""A line of the data dictionary.

`tag` is the tag that was asked for, of a repeating group too. `vr` has alternatives as the Standard words them ("US or SS").
`keyword` is empty for a few retired attributes and for private ones.
"""

SPECIFIC_CHARACTER_SET = 0x00080005

_UNKNOWN = ("UN", "1", "", False)
_PRIVATE_CREATOR = ("LO", "1", "", False)
_GROUP_LENGTH = ("UL", "1", "", True)


def is_private(tag: int) -> bool:
    """Return whether a tag is of a private group (PS3.5 7.8)."""
    return bool(tag >> 16 & 1)


def is_private_creator(tag: int) -> bool:
    """Return whether a tag is that of a Private Creator Data Element (PS3.5 7.8.1)."""
    return is_private(tag) and 0x10 <= tag & 0xFFFF <= 0xFF


@lru_cache(maxsize=1024)
def entry(tag: int) -> Entry:
    """Return what the dictionary says of a tag: VR UN and no keyword where it does not know it.

    Of private elements only private creators are known, whose VR is LO (PS3.5 7.8.1).
    """
    if is_private(tag):
        return Entry(tag, *(_PRIVATE_CREATOR if is_private_creator(tag) else _UNKNOWN))
    line = _line_of(f"{tag:08X}")
    if line is not None:
        _, vr, vm, keyword, retired = line.split("|")
        return Entry(tag, vr, vm, keyword, retired == "R")
    if tag & 0xFFFF == 0:
        return Entry(tag, *_GROUP_LENGTH)
    return Entry(tag, *_UNKNOWN)


@lru_cache(maxsize=1024)
def vr(tag: int) -> str:
    """Return the VR that the dictionary has for a tag; UN where it has none."""
    return entry(tag).vr


def keyword(tag: int) -> str:
    """Return the keyword of a tag; an empty text where it has none."""
    return entry(tag).keyword


def label(tag: int) -> str:
    """Return the keyword of a tag, or the tag as the Standard writes it where it has none."""
    return entry(tag).keyword or tag_name(tag)


def name(tag: int) -> str:
    """Return the Standard's name of a tag; an empty text where it has none."""
    if is_private_creator(tag):
        return "Private Creator"
    if is_private(tag):
        return ""
    from dimse.tags.names import NAMES

    text = f"{tag:08X}"
    found = _line_in(NAMES, text)
    if found is None and (mask := _mask_of(text)):
        found = _line_in(NAMES, mask)
    if found is not None:
        return found.partition("|")[2]
    return "Group Length" if tag & 0xFFFF == 0 else ""


@lru_cache(maxsize=1024)
def find(keyword: str) -> int | None:
    """Return the tag of a keyword of PS3.6; None where there is no such keyword. Keywords of repeating groups have no one tag."""
    if not keyword.isidentifier():
        return None
    from dimse.tags.table import ATTRIBUTES

    position = ATTRIBUTES.find(f"|{keyword}|")
    if position < 0:
        return None
    start = ATTRIBUTES.rindex("\n", 0, position) + 1
    line = ATTRIBUTES[start : ATTRIBUTES.index("\n", position)].split("|")
    return int(line[0], 16) if line[3] == keyword else None


def is_repeating(keyword: str) -> bool:
    """Return whether a keyword is that of a repeating group, which has a tag for each group."""
    from dimse.tags.table import REPEATING

    return keyword.isidentifier() and any(line.split("|")[3] == keyword for line in REPEATING.strip().split("\n"))


def similar(keyword: str) -> str | None:
    """Return the keyword of PS3.6 that is most like a mistyped one; None if no keyword is like it."""
    from difflib import get_close_matches

    from dimse.tags.table import ATTRIBUTES

    keywords = {line.split("|")[3].casefold(): line.split("|")[3] for line in ATTRIBUTES.strip().split("\n")}
    near = get_close_matches(keyword.casefold(), keywords, 1, 0.75)
    return keywords[near[0]] if near else None


def _line_in(table: str, tag: str) -> str | None:
    start = table.find(f"\n{tag}|") + 1
    return table[start : table.index("\n", start)] if start else None


def _line_of(tag: str) -> str | None:
    """Return the line of a tag, or of the repeating group that it is of."""
    from dimse.tags.table import ATTRIBUTES, REPEATING

    line = _line_in(ATTRIBUTES, tag)
    if line is None and (mask := _mask_of(tag)):
        line = _line_in(REPEATING, mask)
    return line


def _mask_of(tag: str) -> str | None:
    """Return the tag with "x" for digits under which the table has a repeating group's attribute."""
    for mask in _masks():
        if all(digit in ("x", of) for digit, of in zip(mask, tag, strict=True)):
            return mask
    return None


@cache
def _masks() -> tuple[str, ...]:
    from dimse.tags.table import REPEATING

    return tuple(line[:8] for line in REPEATING.strip().split("\n"))
