"""Attribute matching (PS3.4 C.2.2.2): whether an entity matches the keys of a query.

`prepare` makes a `Query` of the keys once, and `Query.matches` is called for each entity. The text of keys and entities is decoded,
so that their character sets may differ. The module does no I/O and has no clock. The work is bounded whatever the keys are.
"""

from dimse.data_set.attributes import Attributes
from dimse.matching.query import Query, UnfitKey, prepare
from dimse.matching.rules import Rules

__all__ = ["Query", "Rules", "UnfitKey", "matches", "prepare"]


def matches(keys: Attributes, entity: Attributes, rules: Rules | None = None) -> bool:
    """Return whether an entity matches the keys of a query.

    Args:
        keys: The keys.
        entity: The attributes of the entity.
        rules: What was negotiated and configured; `Rules()` by default.

    Raises:
        UnfitKey: A key is not one that can be matched.
    """
    return prepare(keys, rules).matches(entity)
