"""Keys as a user writes them: `PatientName=DOE*`, `0010,0020=`, `RequestAttributesSequence[0].ScheduledProcedureStepID=X`.

A key is a path, an equals sign and a value. The components of the path are joined by dots. A component is a keyword or a tag.
Before it may stand a private creator in brackets, and behind it `:VR`, and `[n]` for an item of a sequence.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, TypeAlias

from dimse import tags
from dimse.data_set.attributes import BYTES, KNOWN, NUMBERS, SINGLE, TEXT, Attribute, Attributes, choose_vr
from dimse.support.text import tag_name

MOST_EMPTY_ITEMS = 64
"""Items that a key may skip in a sequence."""

Tree: TypeAlias = "dict[int, Attribute]"

Component = NamedTuple(
    "Component",
    [("tag", int), ("vr", str), ("creator", str | None), ("item", int | None)],
)
"""A component of a path: `creator` is a private creator, and `item` the number of an item."""


class MalformedKey(ValueError):
    """A key cannot be read. The message quotes the key, and says what to write instead."""


def parse(keys: Iterable[str], base: Attributes | None = None) -> Tree:
    """Return the attributes of an identifier from keys.

    Args:
        keys: Each is `KEY=VALUE`; without an equals sign the value is empty. A later key replaces an earlier one.
        base: Attributes that the keys add to, or replace.

    Raises:
        MalformedKey: A key cannot be read.
    """
    found = copy(base or {})
    for key in keys:
        try:
            _add(found, key)
        except ValueError as error:
            raise MalformedKey(f"{key!r}: {error}") from error
    return found


def copy(attributes: Attributes) -> Tree:
    """Return a copy of attributes that may be changed, with the items of its sequences."""
    return {
        tag: Attribute(vr, tuple(copy(item) for item in values) if vr == "SQ" else values)
        for tag, (vr, values) in attributes.items()
    }


def _add(attributes: Tree, key: str) -> None:
    path, rest = [], key
    while True:
        component, rest = _component(rest)
        path.append(component)
        if not rest.startswith("."):
            break
        rest = rest[1:]
    if rest and not rest.startswith("="):
        raise ValueError(f"{rest[0]!r} stands where `=`, `.` or nothing should")
    value = rest[1:]
    for component in path[:-1]:
        if component.item is None:
            name = tags.label(component.tag)
            raise ValueError(f"which item of {name}? Write {name}[0] for the first")
        attributes = _item(attributes, component)
    last = path[-1]
    if last.vr == "SQ":
        if value:
            raise ValueError(
                f"{tags.label(last.tag)} is a sequence, and has no value of its own: name an attribute in it"
            )
        if last.item is None:
            _place(attributes, last, Attribute("SQ", ()))
        else:
            _item(attributes, last)
    elif last.item is not None:
        raise ValueError(f"{tags.label(last.tag)} is not a sequence (its VR is {last.vr}), and has no items")
    else:
        _place(attributes, last, Attribute(last.vr, parse_value(last.vr, value)))


def _component(text: str) -> tuple[Component, str]:
    """Return the first component of a path, and what follows it."""
    creator = None
    if text.startswith("["):
        creator, bracket, text = text[1:].partition("]")
        if not bracket or not creator:
            raise ValueError("a private creator stands between [ and ]")
    name, rest = _head(text)
    vr: str | None = None
    item: int | None = None
    while rest[:1] in (":", "["):
        if rest[0] == ":":
            vr, rest = rest[1:3], rest[3:]
            if vr not in KNOWN:
                raise ValueError(f"{vr!r} is not a VR")
        else:
            number, bracket, rest = rest[1:].partition("]")
            if not bracket or not (number.isascii() and number.isdigit()) or len(number) > 6:
                raise ValueError("an item has its number in brackets, from [0] on")
            item = int(number)
    tag = find_tag(name)
    if creator is not None and (not tags.is_private(tag) or tag & 0xFFFF < 0x1000):
        raise ValueError(f"{tag_name(tag)} is not a private element that may have a creator")
    return Component(tag, vr or default_vr(tag), creator, item), rest


def _head(text: str) -> tuple[str, str]:
    """Return a keyword or tag, and what follows it."""
    end = text.find(")") + 1 if text.startswith("(") else 0
    while end < len(text) and text[end] not in ".=:[":
        end += 1
    return text[:end], text[end:]


def find_tag(text: str) -> int:
    """Return the tag that a keyword of PS3.6, `gggg,eeee`, `(gggg,eeee)` or `ggggeeee` means.

    Raises:
        ValueError: It has none of these forms; the message names a similar keyword if there is one.
    """
    found = tags.find(text)
    if found is not None:
        return found
    digits = text.replace("(", "").replace(")", "")
    group, comma, element = digits.partition(",")
    if comma and len(group) == len(element) == 4:
        digits = group + element
    if len(digits) == 8 and not set(digits.upper()) - set("0123456789ABCDEF"):
        return int(digits, 16)
    if tags.is_repeating(text):
        raise ValueError(f"{text} is of a repeating group: write its tag, (gggg,eeee)")
    near = tags.similar(text) if text else None
    meant = f"; did you mean {near}?" if near else ""
    raise ValueError(f"{text!r} is neither a keyword of PS3.6 nor a tag such as 0010,0020{meant}")


def default_vr(tag: int) -> str:
    """Return the VR that the dictionary has for a tag, one of its alternatives."""
    return choose_vr(tag, tags.vr(tag))


def _item(attributes: Tree, component: Component) -> Tree:
    """Return an item of a sequence, which is made if it is not there."""
    tag, name = component.tag, tags.label(component.tag)
    if component.vr != "SQ":
        raise ValueError(f"{name} is not a sequence: its VR is {component.vr}")
    assert component.item is not None
    there = attributes.get(tag, Attribute("SQ", ())).values
    if component.item - len(there) > MOST_EMPTY_ITEMS:
        raise ValueError(f"{name} has {len(there)} items so far: a key skips at most {MOST_EMPTY_ITEMS}")
    items = [*there, *({} for _ in range(len(there), component.item + 1))]
    _place(attributes, component, Attribute("SQ", tuple(items)))
    item: Tree = items[component.item]
    return item


def _place(attributes: Tree, component: Component, attribute: Attribute) -> None:
    """Put an attribute in its place, and its private creator in the same item (PS3.5 7.8.1)."""
    if component.creator is not None:
        add_creator(attributes, component.tag, component.creator)
    attributes[component.tag] = attribute


def add_creator(attributes: Tree, tag: int, creator: str) -> None:
    """Add the Private Creator Data Element of a private element.

    Raises:
        ValueError: Another creator has its block already.
    """
    block = tag & 0xFFFF0000 | (tag & 0xFFFF) >> 8
    held = attributes.setdefault(block, Attribute("LO", (creator,))).values
    if held != (creator,):
        raise ValueError(f"the block of {tag_name(tag)} is that of another private creator, {held[0]!r}")


def parse_value(vr: str, text: str) -> tuple[Any, ...]:
    r"""Return the values that a user wrote, separated by ``\``; none for an empty text.

    Raises:
        ValueError: They cannot be values of this VR.
    """
    if not text:
        return ()
    if vr in BYTES:
        try:
            return (bytes.fromhex(text),)
        except ValueError:
            raise ValueError(f"a value of VR {vr} is written in hexadecimal digits, two a byte") from None
    if vr in SINGLE:
        return (text,)
    values: Sequence[str] = text.split("\\")
    return tuple(values) if vr in TEXT else tuple(number(vr, value) for value in values)


def number(vr: str, text: str) -> int | float:
    """Return a number of a binary VR, or the tag that a value of AT is.

    Raises:
        ValueError: The text is not one.
    """
    if vr == "AT":
        return find_tag(text.strip())
    try:
        return float(text) if NUMBERS[vr] in "fd" else int(text)
    except ValueError:
        kind = "a number" if NUMBERS[vr] in "fd" else "a whole number"
        raise ValueError(f"{text!r} is not {kind}, as VR {vr} has it") from None


# --- Doubtful values -------------------------------------------------------------------------------------------------

_UPPER, _DIGITS, _WILDCARDS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "0123456789", "*?"
_ALLOWED = {
    "AS": frozenset(_DIGITS + "DWMY "),
    "CS": frozenset(_UPPER + _DIGITS + "_ " + _WILDCARDS),
    "DA": frozenset(_DIGITS + ".- "),
    "DS": frozenset(_DIGITS + "+-.eE "),
    "DT": frozenset(_DIGITS + "+-. "),
    "IS": frozenset(_DIGITS + "+- "),
    "TM": frozenset(_DIGITS + ".:- "),
    "UI": frozenset(_DIGITS + "."),
}


def doubts(attributes: Tree) -> list[str]:
    """Return a line for each attribute whose values its VR does not allow, not as a key either (PS3.5 6.2)."""
    lines = []
    for tag, (vr, values) in attributes.items():
        if vr == "SQ":
            lines += [line for item in values for line in doubts(item)]
        elif vr in TEXT and any(_is_doubtful(vr, value) for value in values):
            lines.append(f"{tags.label(tag)} has a value that VR {vr} does not allow")
    return lines


def _is_doubtful(vr: str, value: str) -> bool:
    if value == '""':  # empty value matching
        return False
    allowed = _ALLOWED.get(vr)
    if allowed is not None:
        return not allowed.issuperset(value) or (vr == "DA" and not _is_date_or_range(value))
    return any(
        char < " " and not (char in "\t\n\f\r" and vr in ("LT", "ST", "UT")) and char != "\x1b" for char in value
    )


def _is_date_or_range(value: str) -> bool:
    bounds = [bound.strip(" ").replace(".", "") for bound in value.split("-")]
    return len(bounds) <= 2 and all(len(bound) in (0, 8) for bound in bounds)
