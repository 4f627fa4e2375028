"""The option --expand of findscu: the series of each study that was found, or their instances, as queries of their own."""

from __future__ import annotations

from dimse import tags
from dimse.data_set.attributes import Attribute
from dimse.data_set.identifier import Identifier
from dimse.services.information_models import LEVEL, UNIQUE_KEYS, InformationModel, levels_of_keys
from dimse.tools.query_options import RETURN_SETS

# By the value of the option: the levels that are asked for behind that of studies.
LEVELS = {"series": ("SERIES",), "image": ("SERIES", "IMAGE")}

MODALITY = 0x00080060

_LEVEL_OF_UNIQUE_KEY = {tag: level for level, tag in UNIQUE_KEYS.items()}


class Expansion:
    """The queries for what is below the studies that a query has found.

    Args:
        model: The information model.
        levels: The levels that are asked for, from the top.
        modality: The modality of the series that are wanted, with wildcards and several values as in a key; None for any.

    Attributes:
        levels: As given.
    """

    def __init__(self, model: InformationModel, levels: tuple[str, ...], modality: str | None) -> None:
        self._model, self.levels, self._modality = model, levels, modality

    def complete(self, identifier: Identifier) -> Identifier:
        """Return an identifier that has keys of each level, those of `@series` and `@image` where the user asks for none."""
        attributes = dict(identifier.attributes)
        if self._modality is not None:
            attributes[MODALITY] = Attribute("CS", tuple(self._modality.split("\\")))
        for level in self.levels:
            if not any(_level_of(tag) == level for tag in identifier.attributes):
                for keyword in RETURN_SETS[f"@{level.lower()}"].split(","):
                    tag = tags.find(keyword)
                    assert tag is not None
                    attributes.setdefault(tag, Attribute(tags.vr(tag), ()))
            attributes.setdefault(UNIQUE_KEYS[level], Attribute("UI", ()))
        attributes.setdefault(UNIQUE_KEYS["STUDY"], Attribute("UI", ()))
        return Identifier(attributes)

    def of_studies(self, identifier: Identifier) -> Identifier:
        """Return the part of a complete identifier that asks for studies."""
        return Identifier(
            {tag: each for tag, each in identifier.attributes.items() if _level_of(tag) not in self.levels}
        )

    def below(self, identifier: Identifier, above: Identifier, level: str) -> Identifier:
        """Return the identifier that asks for what is below a match.

        Args:
            identifier: The complete identifier.
            above: The match, with the unique keys of the levels above.
            level: The level below it.
        """
        attributes = {LEVEL: Attribute("CS", (level,))}
        for higher in self._model.levels[: self._model.levels.index(level)]:
            tag = UNIQUE_KEYS[higher]
            if tag in above.attributes:
                attributes[tag] = above.attributes[tag]
        own = {tag: each for tag, each in identifier.attributes.items() if _level_of(tag) == level}
        return Identifier(attributes | own)

    def selects(self, identifier: Identifier) -> bool:
        """Return True if a key below the level of studies has a value."""
        return any(_level_of(tag) in self.levels and any(each.values) for tag, each in identifier.attributes.items())


def merged(above: Identifier, match: Identifier) -> Identifier:
    """Return a match with the attributes of what is above it."""
    return Identifier(dict(above.attributes) | dict(match.attributes))


def _level_of(tag: int) -> str:
    """Return the level of a key; empty if it is of none."""
    return _LEVEL_OF_UNIQUE_KEY.get(tag) or levels_of_keys().get(tag, "")
