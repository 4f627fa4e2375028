"""The elements of the second implementation as attributes of the package, so that both can be asked the same."""

from __future__ import annotations

from collections.abc import Mapping

from dimse import tags
from dimse.data_set.attributes import BYTES, TEXT, Attribute, Attributes, decode, encode
from dimse.data_set.keys import add_creator, find_tag, number
from dimse.data_set.text import CharacterSets
from dimse.matching import Rules, UnfitKey, prepare
from tests.matching.reference import Element, Options

# For a case that names no attribute, whatever its VR.
SOME_TAG = 0x00081030
_NO_SETS = CharacterSets()


def attribute(element: Element) -> Attribute:
    """Return an element as an attribute; a number of 32 bits as it is after it was stored in them."""
    if element.vr == "SQ":
        return Attribute("SQ", tuple(map(attributes, element.items)))
    if element.vr in TEXT:
        return Attribute(element.vr, element.values)
    if element.vr in BYTES:
        return Attribute(element.vr, tuple(value.encode("utf-8") for value in element.values if value))
    numbers = tuple(number(element.vr, value) for value in element.values if value.strip())
    stored = encode(Attribute(element.vr, numbers), True, _NO_SETS)
    return Attribute(element.vr, decode(element.vr, stored, True, _NO_SETS))


def attributes(elements: Mapping[str, Element]) -> Attributes:
    """Return elements by keyword as attributes by tag."""
    found: dict[int, Attribute] = {}
    for keyword, element in elements.items():
        creator, _, name = keyword.rpartition("]")
        tag = find_tag(name)
        if creator:
            add_creator(found, tag, creator.removeprefix("["))
        found[tag] = attribute(element)
    return found


def rules(options: Options) -> Rules:
    """Return the options of the second implementation as rules."""
    return Rules(
        date_time=options.date_time,
        fuzzy=options.fuzzy,
        empty_values=options.empty_values,
        multiple_values=options.multiple_values,
        match_case=options.match_case,
        match_unknown=options.match_unknown,
        utc_offset=options.offset,
    )


def answer(keys: Attributes, entity: Attributes, options: Options) -> bool | None:
    """Return whether an entity matches; None if a key is refused."""
    try:
        return prepare(keys, rules(options)).matches(entity)
    except UnfitKey:
        return None


def answer_of(key: Element, stored: Element | None, options: Options, keyword: str) -> bool | None:
    """Return whether one element matches; None if the key is refused."""
    tag = tags.find(keyword) or SOME_TAG
    return answer({tag: attribute(key)}, {} if stored is None else {tag: attribute(stored)}, options)
