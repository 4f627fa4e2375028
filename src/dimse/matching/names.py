"""Matching of person names, VR PN (PS3.4 C.2.2.2.1.1; PS3.5 6.2.1).

Names are compared without regard to case, to diacritical marks and to the width of characters. A key with `=` asks for groups of
components each by itself, and one without for any group.
"""

from __future__ import annotations

import unicodedata

from dimse.matching.wildcards import Predicate, has_wildcards, pattern

# An asterisk that folding makes of one of full width is a character like others. No text that was decoded has surrogates.
ANY_RUN, ANY_ONE = "\ud800", "\ud801"
"""The wild cards of a key that is folded."""

_MARKED = {ord("*"): ANY_RUN, ord("?"): ANY_ONE}
_UNMARKED = {"any_run": ANY_RUN, "any_one": ANY_ONE}
_SEPARATORS = str.maketrans(dict.fromkeys("^=,-\u3000", " "))  # of words, for fuzzy matching
_SHORTEST_SOUND = 3  # letters
# Words of a key: each is held against every word of a name.
_MOST_WORDS = 32
_CODES = {
    letter: code for code, letters in enumerate(("bfpv", "cgjkqsxz", "dt", "l", "mn", "r"), 1) for letter in letters
}


def fold(text: str) -> str:
    """Return a text in the form in which names are compared."""
    if text.isascii():
        return text.lower()
    folded = unicodedata.normalize("NFKC", text).casefold()
    apart = unicodedata.normalize("NFD", folded)
    return unicodedata.normalize("NFC", "".join(char for char in apart if not unicodedata.combining(char)))


def groups(name: str) -> list[str]:
    """Return the component groups of a name, in the form in which they are compared."""
    return [
        "^".join(fold(component).strip(" ") for component in group.split("^")).rstrip("^") for group in name.split("=")
    ]


def key_groups(name: str, *, wildcards: bool = True) -> list[str]:
    """Return the component groups of a key in the form in which they are compared, with `ANY_RUN` and `ANY_ONE` as wild cards."""
    return groups(name.translate(_MARKED) if wildcards else name)


def name_predicate(name: str, *, wildcards: bool = True) -> Predicate:
    """Return the predicate of a key.

    Args:
        name: The key.
        wildcards: `*` and `?` are wild cards.

    Raises:
        TooManyWildcards: The key has wild cards beyond the limits.
    """
    wanted = key_groups(name, wildcards=wildcards)
    tests = [pattern(group, **_UNMARKED) if group else None for group in wanted]
    if len(tests) == 1:
        # A key of nothing but marks has no character left, and is not in any name.
        test = tests[0] or (lambda value: False)
        return lambda value: any(group != "" and test(group) for group in groups(value))

    def each_matches(value: str) -> bool:
        found = groups(value)
        found += [""] * (len(tests) - len(found))
        return all(test is None or test(group) for test, group in zip(tests, found, strict=False))

    return each_matches


def words(name: str) -> list[str]:
    """Return the words of a name in every component of every group."""
    found = (fold(word) for word in name.translate(_SEPARATORS).split(" "))
    return [word for word in found if word]


def key_words(name: str) -> list[str]:
    """Return the words of a key for fuzzy matching, with `ANY_RUN` and `ANY_ONE` as wild cards; none if it has more than 32."""
    found = list(dict.fromkeys(words(name.translate(_MARKED))))
    return found if len(found) <= _MOST_WORDS else []


def fuzzy_predicate(name: str) -> Predicate | None:
    """Return what fuzzy matching adds to the predicate of a key; None if the key has no word, or more than 32.

    Every word of the key begins a word of the name, or sounds like one, in any order. A word with wild cards matches one.

    Raises:
        TooManyWildcards: The key has wild cards beyond the limits.
    """
    tests = [_word_predicate(word) for word in key_words(name)]
    if not tests:
        return None

    def matches(value: str) -> bool:
        found = words(value)
        return all(any(map(test, found)) for test in tests)

    return matches


def _word_predicate(wanted: str) -> Predicate:
    if has_wildcards(wanted, **_UNMARKED):
        return pattern(wanted, **_UNMARKED)
    heard = sound(wanted)
    if heard is None:
        return lambda word: word.startswith(wanted)
    return lambda word: word.startswith(wanted) or sound(word) == heard


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
        # An h or a w does not separate two letters of one code.
        if letter not in "hw":
            before = code
    return letters[0] + "".join(map(str, codes[:3])).ljust(3, "0")
