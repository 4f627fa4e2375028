"""The limits on an identifier as a peer has sent it, verified before a value is decoded."""

from __future__ import annotations

from collections.abc import Mapping

from dimse.data_set.attributes import AnyElements, Attributes, Decoded
from dimse.matching.query import DEEPEST, LONGEST_VALUE, MOST_KEYS, MOST_UIDS, UnfitKey


def verify_limits(keys: Attributes) -> None:
    """Verify that an identifier is within the limits; its keys that are not matched count too.

    Each of them may be part of each response, so a few MiB of them would be multiplied by the number of matches.

    Raises:
        UnfitKey: There are too many keys, one is too long, or sequences are nested too deeply.
    """
    if isinstance(keys, Decoded):
        _verify(keys.elements, 0, 0)


def _verify(elements: AnyElements, depth: int, count: int) -> int:
    """Return the number of keys, with those that were counted before."""
    for tag, element in elements.items():
        count += 1
        if count > MOST_KEYS:
            raise UnfitKey(tag, f"is one of more than {MOST_KEYS} keys")
        value = element.value
        if isinstance(value, memoryview):
            _verify_length(tag, element.vr, value)
            continue
        if depth >= DEEPEST:
            raise UnfitKey(tag, f"is nested more than {DEEPEST} sequences deep")
        for item in value:
            if isinstance(item, Mapping):
                count = _verify(item, depth + 1, count)
    return count


def _verify_length(tag: int, vr: str, value: memoryview) -> None:
    if len(value) <= LONGEST_VALUE:
        return
    if vr != "UI":
        raise UnfitKey(tag, f"has more than {LONGEST_VALUE:,} bytes")
    if bytes(value).count(b"\\") >= MOST_UIDS:
        raise UnfitKey(tag, f"has more than {MOST_UIDS:,} UIDs")
