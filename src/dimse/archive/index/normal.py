r"""Values of attributes as the columns of the index have them, and back.

Text is trimmed, in Unicode's normalization form C, and without the characters that a database refuses. Several values are joined by
backslashes, with one in front of the first: ``\A\B``. So one range of text finds every row with several values. Dates and times
have the form of DICOM 3.0, and only the first value. A value of more than 1 KiB is left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from dimse import tags
from dimse.archive.index.attributes import Key
from dimse.data_set.attributes import TEXT, Attribute, Attributes
from dimse.matching import dates
from dimse.matching.names import groups, sound, words
from dimse.matching.texts import caseless, composed, trim

LONGEST = 1024
"""Bytes of a value that is kept."""
SEVERAL = "\\"
"""The first character of a column with several values, or of a normalized name that cannot be compared by its columns."""
MOST_GROUPS = 3
"""Component groups of a name that have columns."""

_REFUSED = re.compile("[\0\ud800-\udfff]")
# Text that is as the index keeps it, as most is: it needs no other look.
_PLAIN = re.compile(r"[!-\[\]-~](?:[ -\[\]-~]{0,62}[!-\[\]-~])?").fullmatch
_PLAIN_WITH_FORM = {
    "DA": re.compile("[0-9]{8}").fullmatch,
    "PN": re.compile(r"[A-Za-z](?:[ -\[\]-~]{0,62}[!-\[\]-~])?").fullmatch,
    "TM": re.compile("[0-9.]{2,16}").fullmatch,
}
_INTEGER = re.compile(r"[+-]?[0-9]{1,18}")


def values_of(tag: int, attribute: Attribute | None) -> tuple[str, ...]:
    """Return the values that a column has of an attribute of text, in the VR of the dictionary."""
    if attribute is None or attribute.vr not in TEXT:
        return ()
    vr, values = tags.vr(tag), attribute.values
    if len(values) == 1 and isinstance(values[0], str) and _PLAIN_WITH_FORM.get(vr, _PLAIN)(values[0]):
        return values
    texts = (part for value in values if isinstance(value, str) for part in value.split(SEVERAL))
    values = tuple(plain(vr, text) for text in texts)
    if vr in ("DA", "TM"):
        values = values[:1]
    return values if any(values) and sum(len(value.encode()) + 1 for value in values) <= LONGEST else ()


def plain(vr: str, text: str) -> str:
    """Return one value of text in the form in which the index keeps it."""
    if _PLAIN_WITH_FORM.get(vr, _PLAIN)(text):
        return text
    text = composed(trim(vr, _REFUSED.sub("\ufffd", text.rstrip(" \0"))))
    if vr == "DA" and "." in text and dates.date(text):
        return text.replace(".", "")
    return text.replace(":", "") if vr == "TM" and ":" in text and dates.time(text) else text


def is_storable(text: str) -> bool:
    """Return whether a column may have a text; a key with another one matches nothing in the index."""
    return _REFUSED.search(text) is None


def join(values: tuple[str, ...]) -> str:
    """Return values as one text for a column."""
    return values[0] if len(values) == 1 else "".join(SEVERAL + value for value in values)


def split(text: str) -> tuple[str, ...]:
    """Return the values in a column of text."""
    if not text:
        return ()
    return tuple(text[1:].split(SEVERAL)) if text.startswith(SEVERAL) else (text,)


def add_columns(row: dict[str, Any], key: Key, attributes: Attributes) -> None:
    """Add to a row the column of an attribute, and those that are derived from it."""
    values = values_of(key.tag, attributes.get(key.tag))
    column = key.column
    if column == "number":
        row[column] = whole_number(join(values))
        return
    row[column] = join(values)
    if column == "name":
        row["name_norm"], row["name_i"], row["name_p"] = name_columns(values)
    elif column == "referring":
        row["referring_norm"] = join(tuple("=".join(groups(value)) for value in values))
    elif column in ("accession", "description"):
        row[f"{column}_norm"] = join(tuple(map(caseless, values)))


def whole_number(text: str) -> int | None:
    """Return the number in the text of an IS; None if it is malformed, or does not fit into 64 bits."""
    text = text.strip(" \0")
    return int(text) if _INTEGER.fullmatch(text) else None


def name_columns(values: tuple[str, ...]) -> tuple[str, str, str]:
    """Return the component groups of a name, each in the form in which it is compared.

    A name of several values or more than three groups has `SEVERAL` as its first group: it is compared by its words.
    """
    if not values:
        return "", "", ""
    found = groups(values[0])
    if len(values) > 1 or len(found) > MOST_GROUPS or sum(map(len, found)) > LONGEST:
        return SEVERAL, "", ""
    first, second, third = (*found, "", "", "")[:MOST_GROUPS]
    return first, second, third


def name_words(name: str) -> list[tuple[str, str]]:
    """Return the words in a column with a name, each with its sound, for fuzzy matching; an empty sound if a word has none."""
    found: Iterable[str] = (word for value in split(name) for word in words(value))
    return [(word, sound(word) or "") for word in dict.fromkeys(found)]
