"""A C-GET or C-MOVE to an archive: the instances that its identifier names (PS3.4 C.4.2.2.1)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, cast

from dimse.archive.index.attributes import LEVELS, Level
from dimse.archive.index.row import EVERYTHING, Location, Scope
from dimse.data_set.attributes import Attribute, Attributes
from dimse.matching import UnfitKey, verify_limits
from dimse.services.information_models import LEVEL, UNIQUE_KEYS
from dimse.tags import SPECIFIC_CHARACTER_SET

if TYPE_CHECKING:
    from dimse.archive.index import Index
    from dimse.services.retrieve_scp import RetrieveRequest

ISSUER_OF_PATIENT_ID = 0x00100021


class Wanted:
    """The instances that a C-GET or C-MOVE names.

    Args:
        request: The request.

    Attributes:
        level: The Query/Retrieve Level.
        uids: The values of its unique key.
        above: The value of the unique key of each level above that has one.
        ignored: The tags of the keys that are ignored, because they are not unique keys.

    Raises:
        UnfitKey: The unique key of the level is missing or empty, one has too many values, or the identifier is beyond the limits.
    """

    def __init__(self, request: RetrieveRequest) -> None:
        keys = request.identifier.attributes
        verify_limits(keys)
        self.level = cast(Level, request.level)
        self.uids = _values(keys, UNIQUE_KEYS[self.level])
        if not self.uids:
            raise UnfitKey(UNIQUE_KEYS[self.level], f"needs a value: it is the unique key of the level {self.level}")
        if self.level == "PATIENT" and len(self.uids) > 1:
            raise UnfitKey(UNIQUE_KEYS[self.level], "has several values")
        self.above: dict[Level, str] = {}
        for level in LEVELS[: LEVELS.index(self.level)]:
            values = _values(keys, UNIQUE_KEYS[level])
            if len(values) > 1:
                raise UnfitKey(UNIQUE_KEYS[level], f"has several values above the level {self.level}")
            if values:
                self.above[level] = values[0]
        self._issuer = "".join(_values(keys, ISSUER_OF_PATIENT_ID)) or None
        taken = {LEVEL, SPECIFIC_CHARACTER_SET, ISSUER_OF_PATIENT_ID, *UNIQUE_KEYS.values()}
        self.ignored = tuple(sorted(tag for tag in keys if tag not in taken))

    def locate(self, index: Index, scope: Scope = EVERYTHING) -> Iterator[Location]:
        """Return the places of the instances: series after series, in the order of their numbers.

        Raises:
            UnfitKey: The Patient ID is one of several patients, of several issuers.
        """
        return index.locate(self.level, self.uids, above=self.above, issuer=self._issuer, scope=scope)


def _values(keys: Attributes, tag: int) -> list[str]:
    """Return the values of a unique key that are not empty, each once."""
    values = keys.get(tag, Attribute("UI", ())).values
    return list(dict.fromkeys(text for value in values if (text := str(value).strip(" \0"))))
