"""Matching of person names, VR PN (PS3.4 C.2.2.2.1.1; PS3.5 6.2.1).

Names are compared without regard to case, to diacritical marks and to the width of characters. A key with `=` asks for groups of
components each by itself, and one without for any group.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable

from dimse.matching.wildcards import Predicate, pattern

_SPACES = " \0"
# Characters that separate words for fuzzy matching. Wild cards do too: they are for the ordinary rule.
_SEPARATORS = str.maketrans(dict.fromkeys("^=,-*?\0", " "))
_SHORTEST_SOUND = 3  # letters
_CODES = {
    letter: code for code, letters in enumerate(("bfpv", "cgjkqsxz", "dt", "l", "mn", "r"), 1) for letter in letters
}


def fold(text: str) -> str:
    """Return a text in the form in which names are compared."""
    if text.isascii():
        return text.lower()
    folded = unicodedata.normalize("NFKC", text).casefold()
    apart = unicodedata.normalize("NFKD", folded)
    return unicodedata.normalize("NFC", "".join(char for char in apart if not unicodedata.combining(char)))


def groups(name: str) -> tuple[str, ...]:
    """Return the component groups of a name, in the form in which they are compared."""
    return tuple(_group(fold(group)) for group in name.split("="))


def _group(group: str) -> str:
    return "^".join(component.strip(_SPACES) for component in group.split("^")).rstrip("^")


def name_predicate(name: str, *, wildcards: bool = True) -> Predicate | None:
    """Return the predicate of a key; None if it matches every name.

    Args:
        name: The key.
        wildcards: `*` and `?` are wild cards.

    Raises:
        TooManyWildcards: The key has wild cards beyond the limits.
    """
    wanted = groups(name)
    tests = [_group_predicate(group, wildcards) for group in wanted]
    if not any(tests):
        return None
    if len(wanted) == 1:
        test = tests[0]
        assert test is not None
        return lambda value: any(test(group) for group in groups(value) if group)

    def each_matches(value: str) -> bool:
        found = groups(value)
        return all(
            test is None or (at < len(found) and found[at] != "" and test(found[at])) for at, test in enumerate(tests)
        )

    return each_matches


def _group_predicate(group: str, wildcards: bool) -> Callable[[str], bool] | None:
    if wildcards:
        return pattern(group) if group.strip("*") else None
    return group.__eq__ if group else None


def words(name: str) -> list[str]:
    """Return the words of a name in every component of every group."""
    return fold(name).translate(_SEPARATORS).split()


def fuzzy_predicate(name: str) -> Predicate | None:
    """Return what fuzzy matching adds to the predicate of a key; None if the key has no word.

    Every word of the key begins a word of the name, or sounds like one, in any order.
    """
    wanted = tuple((word, sound(word)) for word in dict.fromkeys(words(name)))
    if not wanted:
        return None

    def matches(value: str) -> bool:
        found = words(value)
        sounds = {code for code in map(sound, found) if code}
        return all(heard in sounds or any(word.startswith(begin) for word in found) for begin, heard in wanted)

    return matches


def sound(word: str) -> str | None:
    """Return the Soundex code of a word in small letters; None for one of less than three letters A to Z, or with others."""
    letters = "".join(filter(str.isalpha, word))
    if len(letters) < _SHORTEST_SOUND or not letters.isascii():
        return None
    codes: list[int] = []
    before = _CODES.get(letters[0], 0)
    for letter in letters[1:]:
        code = _CODES.get(letter, 0)
        if code and code != before:
            codes.append(code)
        if letter not in "hw":  # they do not separate two letters of one code
            before = code
    return letters[0] + "".join(map(str, codes[:3])).ljust(3, "0")
