"""A second implementation of attribute matching (PS3.4 C.2.2.2), to hold the first one against.

It is written from the Standard alone, as plainly as possible, and is slow. It shares no code with the package.
A key and a stored element go in, both decoded to text; True or False comes out:

    matches(Element("PN", ("DOE*",)), Element("PN", ("Doe^John",)))  # True

Neither the Standard nor the project's decisions settle these; the choice made here is open to change in both:

- A stored DT or TM of less precision stands for its first moment: `10` is within `1000-1010`, not within `1015-1030`.
- A DT without an offset from UTC has `Options.offset`, for the key and the stored value alike.
- A key whose attributes are all universal within a sequence is universal, also for an entity without items.
- A name key of nothing but `^` and `=` is universal, and such a stored name has no value.
- `DOE^*` does not match `DOE`: there is no delimiter for the key's own.
- Marks are characters of a combining class other than 0. So the voiced marks of Japanese kana do not count either.
- Case of a person name never counts. A wild card is one in ASCII only, not in full width.
- `ß` is `ss` where case does not count, so `?` does not match it.
- Empty values among several values of a key are left out.
- Several values in a key of another VR than those that may have several (DA, DS, US ...) are refused.
- A key of OB, OD, OF, OL, OV, OW or UN with a value is refused.
- Fuzzy words with wild cards are matched with them; words of all component groups count together. A key without words adds nothing.
- Combined matching takes the first date and the first time of an entity; either one missing is unknown.
"""

from __future__ import annotations

import re
import struct
import unicodedata
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from functools import cache

from tests.matching.reference_times import FOR_EVER, Interval, moment, range_bounds, range_of

# Value representations for which `*` and `?` are wild cards (C.2.2.2.4).
WILD_CARDS = frozenset(["AE", "CS", "LO", "LT", "PN", "SH", "ST", "UC", "UR", "UT"])

# Value representations of which an element has one value only: a backslash is text (PS3.5 6.2).
SINGLE_VALUED = frozenset(["LT", "ST", "UR", "UT"])

# Leading spaces are significant in these (PS3.5 6.2).
LEADING_SPACES_COUNT = frozenset(["LT", "ST", "UT"])

# A key of these may hold several values: any one of them has to match.
SEVERAL_VALUES = frozenset(["AE", "AS", "AT", "CS", "IS", "LO", "PN", "SH", "UC", "UI"])

# Upper and lower case are the same in these, except for the identifying attributes below.
CASELESS = frozenset(["LO", "LT", "SH", "ST", "UC", "UT"])
CASE_COUNTS = frozenset(["AccessionNumber", "IssuerOfPatientID", "PatientID", "StudyID"])

INTEGERS = frozenset(["SL", "SS", "SV", "UL", "US", "UV"])
BULK = frozenset(["OB", "OD", "OF", "OL", "OV", "OW", "UN"])

MAXIMUM_STARS = 32
MAXIMUM_DEPTH = 8

# Attributes that combined date-time matching joins (C.2.2.2.5).
DATE_TIME_PAIRS = (
    ("StudyDate", "StudyTime"),
    ("SeriesDate", "SeriesTime"),
    ("ContentDate", "ContentTime"),
    ("PerformedProcedureStepStartDate", "PerformedProcedureStepStartTime"),
)


class KeyRefusedError(ValueError):
    """The key is one that a service class provider answers with A900H."""


@dataclass(frozen=True)
class Element:
    """A data element: its value representation and its values as text, or its items for a sequence."""

    vr: str
    values: tuple[str, ...] = ()
    items: tuple[Mapping[str, Element], ...] = ()


@dataclass(frozen=True)
class Options:
    """The options that were negotiated or configured.

    Attributes:
        match_case: Upper and lower case differ in every text.
        match_unknown: An element without a value matches every key (C.2.2.1.2 to the letter).
        multiple_values: Multiple value matching was negotiated: every value of the key has to match.
        empty_values: Empty value matching was negotiated: `""` matches an element without a value.
        fuzzy: Fuzzy semantic matching of person names was negotiated.
        date_time: Combined date-time matching was negotiated.
        offset: Minutes east of UTC, for a DT that does not say its own.
    """

    match_case: bool = False
    match_unknown: bool = False
    multiple_values: bool = False
    empty_values: bool = False
    fuzzy: bool = False
    date_time: bool = False
    offset: int = 0


DEFAULT = Options()


def all_match(keys: Mapping[str, Element], entity: Mapping[str, Element], options: Options = DEFAULT) -> bool:
    """Return True if every key matches the element of the same keyword in `entity`."""
    joined: set[str] = set()
    for date_name, time_name in DATE_TIME_PAIRS if options.date_time else ():
        interval = _joined_range(keys.get(date_name), keys.get(time_name))
        if interval is not None:
            joined |= {date_name, time_name}
            if not _is_within(interval, entity.get(date_name), entity.get(time_name), options):
                return False
    return all(
        matches(key, entity.get(keyword), options, keyword) for keyword, key in keys.items() if keyword not in joined
    )


def matches(
    key: Element, stored: Element | None, options: Options = DEFAULT, keyword: str = "", depth: int = 0
) -> bool:
    """Return True if `stored` (None: the entity has no such element) matches `key`.

    Args:
        key: The element of the identifier.
        stored: The element of the entity.
        options: What was negotiated.
        keyword: The attribute's keyword, which decides about case for a few.
        depth: The number of sequences around the key.

    Raises:
        KeyRefusedError: The key is not allowed.
    """
    if key.vr == "SQ":
        return _sequence_matches(key, stored, options, depth)
    wanted = [trimmed(value, key.vr) for value in key.values]
    wanted = [value for value in wanted if value]
    present = [trimmed(value, key.vr) for value in (stored.values if stored else ())]
    present = [value for value in present if value]
    if _is_universal(key.vr, wanted):
        return True
    if key.vr in BULK:
        raise KeyRefusedError(f"a key of VR {key.vr} with a value")
    if options.empty_values and wanted == ['""']:
        return not present
    if len(wanted) > 1 and key.vr not in SEVERAL_VALUES:
        raise KeyRefusedError(f"a key of VR {key.vr} with several values")
    literal = options.multiple_values and len(wanted) > 1 and key.vr != "UI"
    # A key that is not allowed is refused, whatever is stored.
    tests = [_test(key.vr, value, options, keyword, literal) for value in wanted]
    if not present:
        return options.match_unknown
    found = [any(test(value) for value in present) for test in tests]
    return all(found) if literal else any(found)


def trimmed(value: str, vr: str) -> str:
    """Return the value without the padding that does not count (PS3.5 6.2)."""
    value = value.rstrip(" \0")
    if vr not in LEADING_SPACES_COUNT:
        value = value.lstrip(" ")
    # A name of which nothing but delimiters is there is a name without a value.
    if vr == "PN" and not value.strip(" ^="):
        return ""
    return value


def _is_universal(vr: str, wanted: list[str]) -> bool:
    """Universal matching, C.2.2.2.3: no value, or nothing but stars."""
    return not wanted or (len(wanted) == 1 and vr in WILD_CARDS and not wanted[0].strip("*"))


def _sequence_matches(key: Element, stored: Element | None, options: Options, depth: int) -> bool:
    """Sequence matching, C.2.2.2.6: some item of the entity has to match every attribute of the key's one item."""
    if depth >= MAXIMUM_DEPTH:
        raise KeyRefusedError(f"sequences nested deeper than {MAXIMUM_DEPTH}")
    if len(key.items) > 1:
        raise KeyRefusedError("a sequence with more than one item as a key")
    if not key.items or _asks_nothing(key.items[0]):
        return True
    stored_items = stored.items if stored else ()
    for _, inner in key.items[0].items():
        # A key that is not allowed is refused, whatever is stored.
        matches(inner, None, options, depth=depth + 1)
    if not stored_items:
        return options.match_unknown
    return any(
        all(matches(inner, item.get(keyword), options, keyword, depth + 1) for keyword, inner in key.items[0].items())
        for item in stored_items
    )


def _asks_nothing(item: Mapping[str, Element]) -> bool:
    """Return True if every attribute of the item is matched universally."""
    for element in item.values():
        if element.vr == "SQ":
            if element.items and not (len(element.items) == 1 and _asks_nothing(element.items[0])):
                return False
        elif not _is_universal(element.vr, [v for v in (trimmed(v, element.vr) for v in element.values) if v]):
            return False
    return True


Test = Callable[[str], bool]


def _test(vr: str, wanted: str, options: Options, keyword: str, literal: bool) -> Test:
    """Return the test that one stored value has to pass for one value of the key."""
    if vr == "PN":
        return _name_test(wanted, options, literal)
    if vr in WILD_CARDS:
        caseless = vr in CASELESS and not options.match_case and keyword not in CASE_COUNTS
        fold = _without_case if caseless else _composed
        pattern = pattern_of(wanted, fold, literal)
        return lambda value: wild_card_matches(pattern, fold(value))
    if vr in ("DA", "TM", "DT"):
        interval = range_of(vr, wanted, options.offset)
        return lambda value: interval is not None and _starts_within(vr, value, interval, options)
    return lambda value: _is_same(vr, wanted, value)


def _is_same(vr: str, wanted: str, value: str) -> bool:
    """Single value matching (C.2.2.2.1) of what is neither text with wild cards nor a time."""
    if vr == "UI":
        return is_uid(wanted) and value == wanted
    if vr in ("IS", "DS"):
        return _same_number_text(vr, wanted, value)
    if vr in INTEGERS or vr in ("FL", "FD", "AT"):
        return _same_binary_number(vr, wanted, value)
    return value == wanted


# --- text ---


def _composed(text: str) -> str:
    return unicodedata.normalize("NFC", text)


def _without_case(text: str) -> str:
    return _composed(_composed(text).casefold())


# One element of a pattern: a character, or one of the two wild cards.
STAR, ANY = "star", "any"
Pattern = tuple[tuple[str, str], ...]


def pattern_of(wanted: str, fold: Callable[[str], str], literal: bool = False) -> Pattern:
    """Return the pattern of a key: pairs of a kind ("star", "any", "is") and a character.

    The text between wild cards is folded after the wild cards are found: folding can make a `*` of another character.
    """
    if literal:
        return tuple(("is", character) for character in fold(wanted))
    pattern: list[tuple[str, str]] = []
    for piece in re.split(r"([*?])", wanted):
        if piece == "*":
            if not pattern or pattern[-1][0] != STAR:
                pattern.append((STAR, ""))
        elif piece == "?":
            pattern.append((ANY, ""))
        else:
            pattern += [("is", character) for character in fold(piece)]
    if sum(kind == STAR for kind, _ in pattern) > MAXIMUM_STARS:
        raise KeyRefusedError(f"more than {MAXIMUM_STARS} stars")
    return tuple(pattern)


def wild_card_matches(pattern: Pattern, text: str) -> bool:
    """Return True if the whole text matches the pattern (C.2.2.2.4), by trying every way."""

    @cache
    def rest_matches(at: int, position: int) -> bool:
        if at == len(pattern):
            return position == len(text)
        kind, character = pattern[at]
        if kind == STAR:
            return any(rest_matches(at + 1, later) for later in range(position, len(text) + 1))
        if position == len(text) or (kind == "is" and text[position] != character):
            return False
        return rest_matches(at + 1, position + 1)

    return rest_matches(0, 0)


# --- person names ---


def folded_name(text: str) -> str:
    """Return a piece of a name without what a search for a name ignores: width, case and marks."""
    text = unicodedata.normalize("NFKC", text).casefold()
    decomposed = unicodedata.normalize("NFD", text)
    return _composed("".join(character for character in decomposed if not unicodedata.combining(character)))


def name_groups(name: str) -> list[str]:
    """Return the component groups of a stored name (PS3.5 6.2.1), folded, without delimiters at their ends."""
    return [
        "^".join(folded_name(part).strip(" ") for part in group.split("^")).rstrip("^") for group in name.split("=")
    ]


def _group_pattern(group: str, literal: bool) -> Pattern:
    """Return the pattern of one component group of a key."""
    pattern: list[tuple[str, str]] = []
    for component in group.split("^"):
        part = list(pattern_of(component, folded_name, literal))
        while part and part[0] == ("is", " "):
            del part[0]
        while part and part[-1] == ("is", " "):
            del part[-1]
        pattern += [*part, ("is", "^")]
    while pattern and pattern[-1] == ("is", "^"):
        del pattern[-1]
    if sum(kind == STAR for kind, _ in pattern) > MAXIMUM_STARS:
        raise KeyRefusedError(f"more than {MAXIMUM_STARS} stars")
    return tuple(pattern)


def _name_test(wanted: str, options: Options, literal: bool) -> Test:
    patterns = [_group_pattern(group, literal) for group in wanted.split("=")]

    def test(value: str) -> bool:
        groups = name_groups(value)
        if len(patterns) == 1:
            ordinary = any(group and wild_card_matches(patterns[0], group) for group in groups)
        else:
            # Each group that the key has must match the group in the same place.
            groups += [""] * (len(patterns) - len(groups))
            pairs = zip(patterns, groups, strict=False)
            ordinary = all(wild_card_matches(pattern, group) for pattern, group in pairs if pattern)
        return ordinary or (options.fuzzy and fuzzy_name_matches(wanted, value))

    return test


def name_words(name: str) -> list[str]:
    """Return the words of a name, of every component group, not folded."""
    return [part for part in re.split(r"[=^ ,\-\u3000]+", name) if folded_name(part)]


def fuzzy_name_matches(wanted: str, value: str) -> bool:
    """Return True if the key has words, and every one begins, or sounds as, some word of the name."""
    present = [folded_name(word) for word in name_words(value)]
    words = name_words(wanted)
    return bool(words) and all(any(_word_matches(word, other) for other in present) for word in words)


def _word_matches(wanted: str, word: str) -> bool:
    if "*" in wanted or "?" in wanted:
        return wild_card_matches(pattern_of(wanted, folded_name), word)
    wanted = folded_name(wanted)
    if word.startswith(wanted):
        return True
    return soundex(wanted) is not None and soundex(wanted) == soundex(word)


SOUNDEX = {
    **dict.fromkeys("bfpv", "1"),
    **dict.fromkeys("cgjkqsxz", "2"),
    **dict.fromkeys("dt", "3"),
    "l": "4",
    **dict.fromkeys("mn", "5"),
    "r": "6",
}


def soundex(word: str) -> str | None:
    """Return the American Soundex of a folded word; None if it has fewer than three letters, or others than a to z."""
    letters = [character for character in word if character.isalpha()]
    if len(letters) < 3 or not all("a" <= letter <= "z" for letter in letters):
        return None
    code, last = letters[0], SOUNDEX.get(letters[0], "")
    for letter in letters[1:]:
        # h and w do not part two letters of one sound; a vowel does.
        if letter in "hw":
            continue
        digit = SOUNDEX.get(letter, "")
        if digit and digit != last:
            code += digit
        last = digit
    return (code + "000")[:4]


# --- dates and times ---


def _starts_within(vr: str, value: str, interval: Interval, options: Options) -> bool:
    """Return True if a stored value is in the interval: a value of less precision stands for its first moment."""
    stored = moment(vr, value, options.offset)
    return stored is not None and interval[0] <= stored[0] <= interval[1]


def _joined_range(date: Element | None, time_of_day: Element | None) -> Interval | None:
    """Return the one interval of two ranges with the same open ends; None if the keys are of another shape."""
    if date is None or time_of_day is None or len(date.values) != 1 or len(time_of_day.values) != 1:
        return None
    days, times = range_bounds("DA", date.values[0]), range_bounds("TM", time_of_day.values[0])
    if days is None or times is None or [bound is None for bound in days] != [bound is None for bound in times]:
        return None
    start, end = FOR_EVER
    if days[0] is not None and times[0] is not None:
        start = days[0][0] + times[0][0]
    if days[1] is not None and times[1] is not None:
        end = days[1][0] + times[1][1]
    return start, end


def _is_within(interval: Interval, date: Element | None, time_of_day: Element | None, options: Options) -> bool:
    days = [value for value in (date.values if date else ()) if value.strip(" \0")]
    times = [value for value in (time_of_day.values if time_of_day else ()) if value.strip(" \0")]
    if not days or not times:
        return options.match_unknown
    day, hour = moment("DA", days[0]), moment("TM", times[0])
    return day is not None and hour is not None and interval[0] <= day[0] + hour[0] <= interval[1]


# --- numbers and unique identifiers ---

INTEGER_TEXT = re.compile(r"[+-]?[0-9]+")
DECIMAL_TEXT = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?")


def _same_number_text(vr: str, wanted: str, value: str) -> bool:
    """Compare IS and DS as numbers, or as text if one of the two is not a number."""
    form = INTEGER_TEXT if vr == "IS" else DECIMAL_TEXT
    if form.fullmatch(wanted) and form.fullmatch(value):
        with suppress(InvalidOperation):  # an exponent beyond all reason
            return Decimal(wanted) == Decimal(value)
    return wanted == value


def _same_binary_number(vr: str, wanted: str, value: str) -> bool:
    try:
        return _number(vr, wanted) == _number(vr, value)
    except (ValueError, OverflowError, struct.error):
        return wanted == value


def _number(vr: str, text: str) -> float:
    if vr == "AT":
        digits = text.removeprefix("(").removesuffix(")").replace(",", "")
        return int(digits, 16)
    if vr == "FL":
        # A number as it is after it was stored in 32 bits.
        rounded: float = struct.unpack("<f", struct.pack("<f", float(text)))[0]
        return rounded
    return float(text) if vr == "FD" else int(text)


UID = re.compile(r"[0-9]+(\.[0-9]+)*")


def is_uid(text: str) -> bool:
    """Return True for a unique identifier as PS3.5 9.1 wants it, but for zeros before a component, which are met."""
    return len(text) <= 64 and UID.fullmatch(text) is not None


def element(vr: str, text: str) -> Element:
    """Return an element of the text of its value field, split at backslashes where the VR may have several values."""
    if not text:
        return Element(vr)
    return Element(vr, (text,) if vr in SINGLE_VALUED else tuple(text.split("\\")))
