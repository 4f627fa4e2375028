"""The limits on an identifier as it was sent: every key counts, matched or not."""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest

from dimse.data_set.attributes import Attribute, Decoded
from dimse.matching import UnfitKey
from dimse.matching.limits import verify_limits

MOST_KEYS, MOST_UIDS, LONGEST, DEEPEST = 256, 10_000, 65_536, 8
PRIVATE, SEQUENCE, UIDS, COMMENTS = 0x00091000, 0x00400275, 0x0020000D, 0x00104000


class Element(NamedTuple):
    """An element as a reader gives it."""

    tag: int
    vr: str
    value: Any
    little_endian: bool = True


def text(tag: int, vr: str, raw: bytes) -> dict[int, Any]:
    return {tag: Element(tag, vr, memoryview(raw))}


def nested(depth: int) -> dict[int, Any]:
    inner = text(COMMENTS, "LT", b"x")
    for _ in range(depth):
        inner = {SEQUENCE: Element(SEQUENCE, "SQ", [inner])}
    return inner


def many(number: int) -> dict[int, Any]:
    return {PRIVATE + n: Element(PRIVATE + n, "UN", memoryview(b"")) for n in range(number)}


@pytest.mark.parametrize(
    "elements",
    [
        many(MOST_KEYS),
        nested(DEEPEST),
        text(COMMENTS, "LT", b"x" * LONGEST),
        text(UIDS, "UI", b"\\".join([b"1.2.840.10008"] * MOST_UIDS)),
        # Fragments of encapsulated Pixel Data are no keys.
        {PRIVATE: Element(PRIVATE, "OB", (memoryview(b"12"), memoryview(b"34")))},
    ],
)
def test_what_is_within_the_limits(elements: dict[int, Any]) -> None:
    verify_limits(Decoded(elements))


@pytest.mark.parametrize(
    ("elements", "words"),
    [
        (many(MOST_KEYS + 1), "is one of more than 256 keys"),
        ({SEQUENCE: Element(SEQUENCE, "SQ", [many(100), many(100), many(100)])}, "is one of more than 256 keys"),
        (nested(DEEPEST + 1), "is nested more than 8 sequences deep"),
        (text(COMMENTS, "LT", b"x" * (LONGEST + 1)), "has more than 65,536 bytes"),
        (text(UIDS, "UI", b"\\".join([b"1.2.840.10008"] * (MOST_UIDS + 1))), "has more than 10,000 UIDs"),
    ],
)
def test_what_is_beyond_a_limit_is_named(elements: dict[int, Any], words: str) -> None:
    with pytest.raises(UnfitKey, match=words):
        verify_limits(Decoded(elements))


def test_keys_that_a_program_has_made_are_its_own_affair() -> None:
    verify_limits({COMMENTS: Attribute("LT", ("x" * (LONGEST + 1),))})
