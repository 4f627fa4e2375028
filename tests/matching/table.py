"""The form of the table of cases for attribute matching: rows that share a VR, options and a reason stand in a block."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from tests.matching.reference import DEFAULT, Element, Options, element

# What is expected: the entity matches, it does not, the key is answered with A900H.
YES, NO, REFUSED = "matches", "does not match", "is refused"

# A value field as text, or the items of a sequence by keyword; None: the entity has no such element.
Value = str | Sequence[Mapping[str, tuple[str, "Value"]]] | None


class Case(NamedTuple):
    """A row of the table: a key held against a stored element.

    Attributes:
        vr: The value representation of both.
        key: The key's value field.
        stored: The stored element's value field, or None where it is absent.
        options: What was negotiated or configured.
        expected: YES, NO or REFUSED.
        why: The rule, with its section of PS3.4 unless another part is named.
        keyword: The attribute, where it decides.
    """

    vr: str
    key: Value
    stored: Value
    options: Options
    expected: str
    why: str
    keyword: str


def block(
    vr: str,
    why: str,
    rows: Iterable[tuple[Value, Value, str]],
    options: Options = DEFAULT,
    keyword: str = "",
) -> list[Case]:
    """Return the cases of rows (key, stored, expected) that share the rest."""
    return [Case(vr, key, stored, options, expected, why, keyword) for key, stored, expected in rows]


def blocks(
    vrs: str,
    why: str,
    rows: Iterable[tuple[Value, Value, str]],
    options: Options = DEFAULT,
) -> list[Case]:
    """Return the same rows for each of several value representations."""
    rows = list(rows)
    return [case for vr in vrs.split() for case in block(vr, why, rows, options)]


def element_of(vr: str, value: Value) -> Element | None:
    """Return the element that a case writes down as text or items."""
    if value is None:
        return None
    if isinstance(value, str):
        return element(vr, value)
    items = []
    for item in value:
        built = {keyword: element_of(inner_vr, inner) for keyword, (inner_vr, inner) in item.items()}
        items.append({keyword: found for keyword, found in built.items() if found is not None})
    return Element(vr, items=tuple(items))
