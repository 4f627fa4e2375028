"""The keys of a query by the levels of their attributes (PS3.4 C.4.1)."""

from __future__ import annotations

from typing import Literal, TypeAlias

from dimse.archive.index.attributes import LEVELS, Level, keys
from dimse.data_set.attributes import Attribute, Attributes
from dimse.matching import UnfitKey
from dimse.matching.query import MOST_KEYS
from dimse.services.information_models import UNIQUE_KEYS

Root: TypeAlias = Literal["patient", "study"]

_MODALITY, _MODALITIES_IN_STUDY = 0x00080060, 0x00080061


def levels_to(level: Level) -> tuple[Level, ...]:
    """Return a level and those above it, from the top."""
    return LEVELS[: LEVELS.index(level) + 1]


def is_matched(tag: int, level: Level) -> bool:
    """Return whether a key of a level is matched: those of the index are, if their entity is of the level or above it."""
    key = keys().get(tag)
    return key is not None and key.level in levels_to(level)


def matched(level: Level, wanted: Attributes, root: Root = "study") -> list[Attributes]:
    """Return the keys that are matched, each list of which an entity must match; other keys are passed over.

    Modality, which is of the series, means Modalities in Study at STUDY level. If both are given, both must match.

    Args:
        level: The level of the query.
        wanted: The keys.
        root: The information model.

    Raises:
        UnfitKey: There are too many keys, or the unique key of a lower level.
        ValueError: The model does not have the level.
    """
    if level not in LEVELS or (root == "study" and level == "PATIENT"):
        raise ValueError(f"{level!r} is not a level of the {root} root")
    lower = {UNIQUE_KEYS[below]: below for below in LEVELS if below not in levels_to(level)}
    for number, tag in enumerate(wanted):
        if tag in lower:
            raise UnfitKey(tag, f"is the unique key of level {lower[tag]}, below {level}")
        if number >= MOST_KEYS:
            raise UnfitKey(tag, f"is one of more than {MOST_KEYS} keys")
    found = {tag: key for tag, key in wanted.items() if is_matched(tag, level)}
    modality = wanted.get(_MODALITY)
    if level != "STUDY" or modality is None:
        return [found]
    if _MODALITIES_IN_STUDY not in found:
        return [found | {_MODALITIES_IN_STUDY: modality}]
    return [found, {_MODALITIES_IN_STUDY: modality}]


def check_strictly(level: Level, wanted: Attributes, root: Root = "study") -> None:
    """Raise `UnfitKey` unless each level above that of a query has one value of its unique key (PS3.4 C.4.1.3.1.1).

    Args:
        level: The level of the query.
        wanted: The keys.
        root: The information model, which decides about the level at the top.
    """
    for above in levels_to(level)[1 if root == "study" else 0 : -1]:
        tag = UNIQUE_KEYS[above]
        values = wanted.get(tag, Attribute("UI", ())).values
        if len(values) != 1 or not values[0].strip(" \0") or (above == "PATIENT" and set("*?") & set(values[0])):
            raise UnfitKey(tag, f"must have one value, for there is no relational query at level {level}")
