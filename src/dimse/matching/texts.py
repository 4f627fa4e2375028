"""Matching of text other than names, of numbers and of bytes by single value, wild card and list (PS3.4 C.2.2.2.1 to C.2.2.2.4)."""

from __future__ import annotations

import unicodedata

from dimse.matching.wildcards import Predicate, has_wildcards, pattern

WILDCARD_VRS = frozenset("AE CS LO LT PN SH ST UC UR UT".split())
"""VRs whose keys may have wild cards."""
CASELESS_VRS = frozenset("LO LT SH ST UC UT".split())
"""VRs that are compared without regard to case, names aside."""
EXACT_TAGS = frozenset((0x00100020, 0x00100021, 0x00080050, 0x00200010))
"""Patient ID, Issuer of Patient ID, Accession Number and Study ID: identifiers, whose case counts."""

_PADDING = " \0"
_KEEPS_LEADING_SPACES = frozenset(("LT", "ST", "UT"))
_LONGEST_NUMBER = 64  # characters; DS has 16
_NUMBER_CHARACTERS = frozenset("0123456789+-.eE")


def trim(vr: str, text: str) -> str:
    """Return a text without the padding that is not significant in its VR (PS3.5 Table 6.2-1).

    A name of nothing but delimiters becomes empty.
    """
    text = text.rstrip(_PADDING)
    if vr not in _KEEPS_LEADING_SPACES:
        text = text.lstrip(" ")
    if vr == "PN" and not text.strip(" ^="):
        return ""
    return text


def caseless(text: str) -> str:
    """Return a text in the form in which it is compared without regard to case."""
    if text.isascii():
        return text.lower()
    return composed(composed(text).casefold())


def composed(text: str) -> str:
    """Return a text in Unicode's Normalization Form C, so that a letter and its mark are one character."""
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def text_predicate(vr: str, text: str, *, ignore_case: bool, wildcards: bool) -> Predicate:
    """Return the predicate of a key of text.

    Args:
        vr: The VR.
        text: The key, trimmed as the values are.
        ignore_case: Compare without regard to case.
        wildcards: `*` and `?` are wild cards, if the VR allows them.

    Raises:
        TooManyWildcards: The key has wild cards beyond the limits.
    """
    form = caseless if ignore_case else composed
    wanted = form(text)
    if wildcards and vr in WILDCARD_VRS and has_wildcards(wanted):
        test = pattern(wanted)
        return lambda value: test(form(value))
    return lambda value: form(value) == wanted


def number(text: str) -> tuple[bool, str, int] | None:
    """Return a number of an IS or DS in a form that is the same for equal ones; None if it is malformed.

    The form is the sign, the digits between the zeros at both ends, and the power of ten of the last of them. It is exact, as a
    binary number would not be.
    """
    if not text or len(text) > _LONGEST_NUMBER or not _NUMBER_CHARACTERS.issuperset(text):
        return None
    mantissa, exponent_sign, exponent = text.replace("E", "e").partition("e")
    power = _integer(exponent) if exponent_sign else 0
    whole, _, fraction = mantissa.removeprefix("-" if mantissa.startswith("-") else "+").partition(".")
    digits = whole + fraction
    if power is None or not digits.isdigit():
        return None
    power -= len(fraction)
    significant = digits.lstrip("0").rstrip("0")
    if not significant:
        return False, "", 0
    power += len(digits) - len(digits.rstrip("0"))
    return mantissa.startswith("-"), significant, power


def _integer(text: str) -> int | None:
    digits = text.removeprefix("-" if text.startswith("-") else "+")
    return int(text) if digits.isdigit() else None


def number_predicate(vr: str, text: str) -> Predicate:
    """Return the predicate of a key of VR IS or DS: as a number if it is one, else as text."""

    def form(value: str) -> object:
        found = number(value)
        # IS has neither a point nor an exponent: one that has is malformed.
        return value if found is None or (vr == "IS" and not value.lstrip("+-").isdigit()) else found

    wanted = form(text)
    return lambda value: form(value) == wanted
