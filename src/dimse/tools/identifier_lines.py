"""Identifiers as lines for people: in the log, in a table, and as text in CSV."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import TYPE_CHECKING

from dimse import tags
from dimse.support.text import one_line, tag_name

if TYPE_CHECKING:
    from dimse.data_set.attributes import Attribute, Attributes

# Bytes of a binary value that are shown.
MOST_BYTES = 13
# Levels of sequences that are shown.
DEEPEST = 64
# Characters of a value that are shown.
MOST_CHARACTERS = 1024


def lines(attributes: Attributes, depth: int = 0) -> Iterator[str]:
    """Yield a line for each attribute; what a peer sent is escaped."""
    indent = "  " * depth
    for tag in sorted(attributes):
        attribute = attributes[tag]
        vr, values = attribute
        head, keyword = _named(tag)
        yield f"{indent}{head} {vr} {_shown(attribute):<40} # {1 if vr == 'SQ' else len(values)} {keyword}".rstrip()
        if vr == "SQ" and depth < DEEPEST:
            for number, item in enumerate(values, 1):
                yield f"{indent}  (Sequence item #{number})"
                yield from lines(item, depth + 2)


@lru_cache(maxsize=1024)
def _named(tag: int) -> tuple[str, str]:
    """Return a tag as the Standard writes it, and its keyword."""
    return tag_name(tag), tags.keyword(tag)


def _shown(attribute: Attribute) -> str:
    vr, values = attribute
    # The shortest way for what most attributes are: one text that can be printed.
    if len(values) == 1 and isinstance(first := values[0], str) and first.isprintable():
        shown = first if vr == "DA" else first.strip(" ")
        if len(shown) <= MOST_CHARACTERS:
            return f"[{shown}]"
    if vr == "SQ":
        return f"(Sequence with {len(values)} item{'s' * (len(values) != 1)})"
    if not values:
        return "(no value available)"
    if isinstance(values[0], bytes):
        length = sum(map(len, values))
        return f"[{values[0].hex(' ')}]" if length <= MOST_BYTES else f"({length} bytes of binary data)"
    return f"[{one_line(text(attribute), MOST_CHARACTERS)}]"


def text(attribute: Attribute) -> str:
    r"""Return the values of an attribute as one text, separated by ``\``; a sequence as DICOM JSON."""
    vr, values = attribute
    if vr == "SQ":
        from dimse.data_set.identifier import Identifier

        return f"[{','.join(Identifier(item).json() for item in values)}]" if values else ""
    if vr == "AT":
        return "\\".join(map(tag_name, values))
    if vr == "DA" or not values or not isinstance(values[0], str):
        return "\\".join(value.hex() if isinstance(value, bytes) else str(value) for value in values)
    return "\\".join(value.strip(" ") for value in values)
