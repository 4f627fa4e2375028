"""A C-FIND to an archive: the keys that its index is asked for, and the responses to the entities that it finds (PS3.4 C.4.1)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, cast

from dimse import matching, tags
from dimse.archive.index.attributes import LEVELS, Level, keys
from dimse.data_set.attributes import TEXT, Attribute, Attributes
from dimse.data_set.identifier import Identifier
from dimse.matching import Rules, UnfitKey
from dimse.matching.limits import verify_limits
from dimse.services.information_models import LEVEL, UNIQUE_KEYS
from dimse.tags import SPECIFIC_CHARACTER_SET

RETRIEVE_AE_TITLE, INSTANCE_AVAILABILITY = 0x00080054, 0x00080056
MODALITY, MODALITIES_IN_STUDY = 0x00080060, 0x00080061
QUERY_RETRIEVE_VIEW, TIMEZONE = 0x00080053, 0x00080201

# The value of an element has at most 65,534 bytes in Explicit VR: so many values of 64 characters, with their separators.
MOST_VALUES = 1_000

# Keys that say how to query; a response has no value of the archive for them.
_ABOUT_THE_QUERY = frozenset((SPECIFIC_CHARACTER_SET, LEVEL, QUERY_RETRIEVE_VIEW))
_FIXED = frozenset((LEVEL, RETRIEVE_AE_TITLE, INSTANCE_AVAILABILITY))

Part = Callable[[Attributes], Attribute | None]
"""A function that returns the attribute of a response for an entity; None leaves it out."""


class Question:
    """The identifier of a C-FIND, with what an archive makes of it.

    Args:
        identifier: The identifier.
        level: The Query/Retrieve Level.
        levels: The levels of the information model, from the top.
        rules: The rules of matching.
        ae_title: Our AE title.
        strict: True to want exactly one value of the unique key of each level above.

    Attributes:
        level: The Query/Retrieve Level.
        keys: The keys that the index is asked for.
        has_unsupported_keys: True if a key is not supported: the matches then have the status FF01H.

    Raises:
        UnfitKey: A key does not fit the level or the rules.
    """

    def __init__(
        self,
        identifier: Identifier,
        level: str,
        levels: tuple[str, ...],
        rules: Rules,
        ae_title: str,
        *,
        strict: bool = False,
    ) -> None:
        self.level = cast(Level, level)
        self.has_unsupported_keys = False
        self._rules, self._ae_title = rules, ae_title
        self._below = frozenset(LEVELS[LEVELS.index(self.level) + 1 :])
        given = identifier.attributes
        if not set(given) - _ABOUT_THE_QUERY:
            raise UnfitKey(LEVEL, "is the only key")
        verify_limits(given)
        self._verify_levels(given, levels, strict)
        self.keys: dict[int, Attribute] = {}
        self._parts: list[tuple[int, Part]] = []
        for tag in sorted({*given, LEVEL, RETRIEVE_AE_TITLE} - {SPECIFIC_CHARACTER_SET, QUERY_RETRIEVE_VIEW}):
            self._add(tag, given.get(tag))
        # Whatever the index does, its limits and rules are those of matching.
        matching.prepare(self.keys, rules)

    def _verify_levels(self, given: Attributes, levels: tuple[str, ...], strict: bool) -> None:
        """Verify that no unique key of a level below is given, and with `strict` that those above have one value each.

        Raises:
            UnfitKey: One is given, or missing.
        """
        for level, tag in UNIQUE_KEYS.items():
            if level in self._below and tag in given:
                raise UnfitKey(tag, f"is the unique key of a level below {self.level}")
            is_above = level in levels and level != self.level and level not in self._below
            if strict and is_above and len(given.get(tag, Attribute("UI", ())).values) != 1:
                raise UnfitKey(tag, f"needs one value: it is the unique key of a level above {self.level}")

    def _add(self, tag: int, key: Attribute | None) -> None:
        """Add a key to those that the index is asked for, and its part of each response."""
        if tag in _FIXED or key is None:
            fixed = Attribute(*self._fixed(tag))
            self._parts.append((tag, lambda entity: fixed))
            return
        known = keys().get(tag)
        if tag == MODALITY and self.level == "STUDY":
            # A user who asks for Modality here means that of any series.
            self.keys.setdefault(MODALITIES_IN_STUDY, Attribute("CS", key.values))
            self._parts.append((tag, _copied(MODALITIES_IN_STUDY, key.vr)))
        elif known is not None and known.level in self._below:
            self.has_unsupported_keys = True
            empty = Attribute(key.vr, ())
            self._parts.append((tag, lambda entity: empty))
        elif known is None:
            self.has_unsupported_keys |= tag != TIMEZONE
            if not tag & 0xFFFF or tag >> 16 & 1:
                self._parts.append((tag, lambda entity: entity.get(tag)))
            else:
                self._parts.append((tag, _copied(tag, key.vr)))
        else:
            self.keys[tag] = key
            self._parts.append((tag, self._items(tag, key) if key.vr == "SQ" else _copied(tag, key.vr)))

    def _fixed(self, tag: int) -> tuple[str, tuple[str, ...]]:
        if tag == LEVEL:
            return "CS", (self.level,)
        return ("CS", ("ONLINE",)) if tag == INSTANCE_AVAILABILITY else ("AE", (self._ae_title,))

    def _items(self, tag: int, key: Attribute) -> Part:
        """Return the part of a sequence: the items that match, with the attributes that are asked for."""
        wanted = key.values[0] if key.values else {}
        if not wanted:
            return _copied(tag, "SQ")
        query = matching.prepare(wanted, self._rules)

        def items(entity: Attributes) -> Attribute:
            found = entity.get(tag, Attribute("SQ", ())).values
            return Attribute("SQ", tuple(_asked(item, wanted) for item in found if query.matches(item)))

        return items

    def response(self, entity: Attributes) -> Identifier:
        """Return the response for an entity: the level, our AE title, and every key that was asked for, in the order of tags."""
        found = {}
        for tag, part in self._parts:
            attribute = part(entity)
            if attribute is not None:
                found[tag] = attribute
        return Identifier(found)


def _copied(tag: int, vr: str) -> Part:
    """Return the part of an attribute that is the entity's own, or empty."""
    empty = Attribute(vr, ())

    def copied(entity: Attributes) -> Attribute:
        attribute = entity.get(tag)
        if attribute is None:
            return empty
        if len(attribute.values) > MOST_VALUES and attribute.vr in TEXT:
            return Attribute(attribute.vr, attribute.values[:MOST_VALUES])
        return attribute

    return copied


def _asked(item: Attributes, wanted: Mapping[int, Attribute]) -> dict[int, Any]:
    """Return the attributes of an item that are asked for."""
    return {
        tag: item.get(tag, Attribute(key.vr, ())) for tag, key in wanted.items() if not tags.is_private_creator(tag)
    }
