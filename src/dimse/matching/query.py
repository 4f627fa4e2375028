"""The keys of a query, prepared for being matched against many entities (PS3.4 C.2.2.2)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, TypeAlias

from dimse import tags, uids
from dimse.data_set.attributes import BYTES, TEXT, Attribute, Attributes
from dimse.matching import dates
from dimse.matching.names import fuzzy_predicate, name_predicate
from dimse.matching.rules import Rules
from dimse.matching.texts import CASELESS_VRS, EXACT_TAGS, WILDCARD_VRS, number_predicate, text_predicate, trim
from dimse.matching.wildcards import TooManyWildcards

MOST_KEYS = 256
"""Keys of a query, those in sequences included."""
MOST_UIDS = 10_000
"""UIDs of one key."""
MOST_VALUES = 256
"""Values of one key of another VR: each may be held against every value of an entity."""
DEEPEST = 8
"""Sequences within each other in the keys."""
LONGEST_VALUE = 64 * 1024
"""Characters of the values of a key together, of UIDs aside."""

EMPTY_VALUE = '""'

# Keys that say how to query: Specific Character Set, Query/Retrieve Level and Query/Retrieve View.
_NOT_MATCHED = frozenset((0x00080005, 0x00080052, 0x00080053))

# VRs of which a key may have several values: any of them matches, or all of them if that was negotiated.
_SEVERAL_VALUES = frozenset("AE AS AT CS IS LO PN SH UC UI".split())

# A date and its time: Study, Series, Acquisition, Content, Performed and Scheduled Procedure Step.
_PAIRS = (
    (0x00080020, 0x00080030),
    (0x00080021, 0x00080031),
    (0x00080022, 0x00080032),
    (0x00080023, 0x00080033),
    (0x00400244, 0x00400245),
    (0x00400250, 0x00400251),
    (0x00400002, 0x00400003),
    (0x00400004, 0x00400005),
)

Test: TypeAlias = "Callable[[Any], bool]"
"""A predicate of one value of an entity."""
Meets: TypeAlias = "Callable[[tuple[Any, ...], bool], bool]"
"""A predicate of all values of an attribute; the second argument is for what is unknown in the items of a sequence."""


class UnfitKey(ValueError):
    """A key that cannot be matched. The message names the attribute and the rule, never a value.

    Attributes:
        tag: The tag of the key.
    """

    def __init__(self, tag: int, reason: str) -> None:
        super().__init__(f"{tags.label(tag)} {reason}")
        self.tag = tag


class _Condition:
    """A condition on one attribute of an entity."""

    __slots__ = ("creator", "is_met_by", "tag", "vr")

    def __init__(self, tag: int, vr: str, is_met_by: Meets | None) -> None:
        self.tag, self.vr = tag, vr
        # A predicate of the values, of which there is at least one. None: the condition is met by no value alone.
        self.is_met_by = is_met_by
        # The creator of a private attribute, whose block may be another in the entity.
        self.creator: str | None = None

    def meets(self, entity: Attributes, unknown: bool) -> bool:
        """Return whether an entity meets the condition; `unknown` if it has no value for it."""
        tag = self.tag if self.creator is None else _private_tag(entity, self.tag, self.creator)
        values = _values(entity, tag, self.vr)
        if self.is_met_by is None:
            return not values
        return self.is_met_by(values, unknown) if values else unknown


class _Joint:
    """A condition on a date and its time together."""

    __slots__ = ("tag", "time_tag", "wanted")

    def __init__(self, tag: int, time_tag: int, wanted: dates.Interval) -> None:
        self.tag, self.time_tag, self.wanted = tag, time_tag, wanted

    def meets(self, entity: Attributes, unknown: bool) -> bool:
        """Return whether an entity meets the condition; `unknown` if it has no date or no time."""
        days, times = _values(entity, self.tag, "DA"), _values(entity, self.time_tag, "TM")
        if not days or not times:
            return unknown
        day, time = dates.date(days[0]), dates.time(times[0])
        if day is None or time is None:
            return False
        return self.wanted[0] <= day[0] * dates.DAY + time[0] <= self.wanted[1]


class Query:
    """The keys of a query, ready to be matched. `prepare` makes it."""

    def __init__(self, conditions: Sequence[_Condition | _Joint], rules: Rules) -> None:
        self._conditions, self._rules = conditions, rules

    @property
    def is_universal(self) -> bool:
        """True if the keys match every entity."""
        return not self._conditions

    def matches(self, entity: Attributes) -> bool:
        """Return whether an entity matches every key."""
        return self.meets(entity, self._rules.match_unknown)

    def meets(self, entity: Attributes, unknown: bool) -> bool:
        """Return whether an entity matches every key, and `unknown` where it has no value for one."""
        return all(condition.meets(entity, unknown) for condition in self._conditions)

    def contradicted(self, entity: Attributes) -> list[int]:
        """Return the tags of the keys that a value of an entity contradicts; one without a value contradicts none.

        Of a date and its time that are matched together it is the date's.
        """
        return [condition.tag for condition in self._conditions if not condition.meets(entity, True)]


def _values(entity: Attributes, tag: int, vr: str) -> tuple[Any, ...]:
    """Return the values of an attribute that are not empty, trimmed."""
    attribute = entity.get(tag)
    if attribute is None:
        return ()
    if vr in TEXT:
        return tuple(text for value in attribute.values if isinstance(value, str) and (text := trim(vr, value)))
    return attribute.values


def _private_tag(entity: Attributes, tag: int, creator: str) -> int:
    """Return the tag that a private attribute has in an entity (PS3.5 7.8.1); 0 if its creator has no block there."""
    group = tag & 0xFFFF0000
    for block in entity:
        if group + 0x10 <= block <= group + 0xFF and _values(entity, block, "LO") == (creator,):
            return group | (block & 0xFF) << 8 | tag & 0xFF
    return 0


def prepare(keys: Attributes, rules: Rules | None = None) -> Query:
    """Prepare the keys of a query for being matched.

    Args:
        keys: The keys; those that say how to query, such as Query/Retrieve Level, are passed over.
        rules: What was negotiated and configured; `Rules()` by default.

    Raises:
        UnfitKey: A key is not one that can be matched, or the keys are beyond the limits.
    """
    return _Preparation(rules or Rules()).query(keys, 0)


class _Preparation:
    """A preparation of the keys of one query, which counts them."""

    def __init__(self, rules: Rules) -> None:
        self.rules, self.count = rules, 0

    def query(self, keys: Attributes, depth: int) -> Query:
        """Prepare the keys of a data set or of an item."""
        joint = self._joint(keys) if self.rules.date_time else []
        taken = _NOT_MATCHED.union(*((pair.tag, pair.time_tag) for pair in joint))
        conditions: list[_Condition | _Joint] = []
        for tag, key in keys.items():
            self.count += 1
            if self.count > MOST_KEYS:
                raise UnfitKey(tag, f"is one of more than {MOST_KEYS} keys")
            if tag in taken or tags.is_private_creator(tag):
                continue
            try:
                condition = self._condition(tag, key, depth)
            except TooManyWildcards as error:
                raise UnfitKey(tag, f"has {error}") from error
            if condition is not None:
                condition.creator = _creator(keys, tag)
                conditions.append(condition)
        return Query([*conditions, *joint], self.rules)

    def _joint(self, keys: Attributes) -> list[_Joint]:
        """Return the conditions on date and time keys that are matched together."""
        found = []
        for date_tag, time_tag in _PAIRS:
            date, time = _single(keys, date_tag), _single(keys, time_tag)
            if date is None or time is None:
                continue
            days, times = dates.range_bounds(date, dates.date), dates.range_bounds(time, dates.time)
            if days is None or times is None or [not bound for bound in days] != [not bound for bound in times]:
                continue
            # An open end is open for both.
            first = days[0][0] * dates.DAY + times[0][0] if days[0] and times[0] else -dates.FOREVER
            last = days[1][0] * dates.DAY + times[1][1] if days[1] and times[1] else dates.FOREVER
            found.append(_Joint(date_tag, time_tag, (first, last)))
        return found

    def _condition(self, tag: int, key: Attribute, depth: int) -> _Condition | None:
        """Return the condition that a key sets; None if it is universal."""
        vr = key.vr
        if vr == "SQ":
            return self._sequence(tag, key, depth)
        values = key.values
        if vr in TEXT:
            values = tuple(text for value in values if (text := trim(vr, value)))
        if not values or (len(values) == 1 and vr in WILDCARD_VRS and not values[0].strip("*")):
            return None
        if vr in BYTES:
            raise UnfitKey(tag, f"has VR {vr}, of which values are not matched")
        if self.rules.empty_values and values == (EMPTY_VALUE,):
            return _Condition(tag, vr, None)
        if len(values) > 1 and vr not in _SEVERAL_VALUES:
            raise UnfitKey(tag, f"has several values, which a key of VR {vr} has not")
        if vr == "UI":
            return self._uids(tag, values)
        if len(values) > MOST_VALUES:
            raise UnfitKey(tag, f"has {len(values):,} values, more than {MOST_VALUES}")
        if vr in TEXT and sum(map(len, values)) > LONGEST_VALUE:
            raise UnfitKey(tag, f"has more than {LONGEST_VALUE:,} characters")
        return self._plain(tag, vr, values)

    def _plain(self, tag: int, vr: str, values: tuple[Any, ...]) -> _Condition:
        must_all = self.rules.multiple_values and len(values) > 1
        tests = [self._test(tag, vr, value, wildcards=not must_all) for value in values]
        return _Condition(tag, vr, partial(_all_match if must_all else _any_matches, tests))

    def _sequence(self, tag: int, key: Attribute, depth: int) -> _Condition | None:
        if depth >= DEEPEST:
            raise UnfitKey(tag, f"is nested more than {DEEPEST} sequences deep")
        if len(key.values) > 1:
            raise UnfitKey(tag, f"has {len(key.values)} items, and a key has one")
        query = self.query(key.values[0], depth + 1) if key.values else None
        if query is None or query.is_universal:
            return None

        def meets(items: tuple[Any, ...], unknown: bool) -> bool:
            return any(isinstance(item, Mapping) and query.meets(item, unknown) for item in items)

        return _Condition(tag, "SQ", meets)

    def _uids(self, tag: int, values: tuple[str, ...]) -> _Condition:
        # A component that begins with a zero is against PS3.5 9.1, but instances have such UIDs, and should be found by them.
        if len(values) > MOST_UIDS:
            raise UnfitKey(tag, f"has {len(values):,} UIDs, more than {MOST_UIDS:,}")
        wanted = frozenset(uid for uid in values if uids.is_uid(uid) and "" not in uid.split("."))
        return _Condition(tag, "UI", lambda values, _: not wanted.isdisjoint(values))

    def _test(self, tag: int, vr: str, wanted: Any, *, wildcards: bool) -> Test:
        """Return the predicate of one value of a key."""
        if vr not in TEXT:
            return lambda value: bool(value == wanted)
        if vr == "PN":
            return self._name_test(wanted, wildcards)
        if vr in ("IS", "DS"):
            return number_predicate(vr, wanted)
        if vr in ("DA", "TM", "DT"):
            return self._date_test(vr, wanted)
        ignore_case = vr in CASELESS_VRS and tag not in EXACT_TAGS and not self.rules.match_case
        return text_predicate(vr, wanted, ignore_case=ignore_case, wildcards=wildcards)

    def _name_test(self, wanted: str, wildcards: bool) -> Test:
        exact = name_predicate(wanted, wildcards=wildcards)
        more = fuzzy_predicate(wanted) if self.rules.fuzzy else None
        return exact if more is None else lambda value: exact(value) or more(value)

    def _date_test(self, vr: str, wanted: str) -> Test:
        parse: dates.Parse = partial(dates.date_time, utc_offset=self.rules.utc_offset)
        if vr != "DT":
            parse = dates.date if vr == "DA" else dates.time
        interval = dates.interval_of(wanted, parse)
        if interval is None:
            return lambda value: False
        return lambda value: dates.matches(interval, parse(value))


def _any_matches(tests: list[Test], values: tuple[Any, ...], _: bool) -> bool:
    return any(test(value) for value in values for test in tests)


def _all_match(tests: list[Test], values: tuple[Any, ...], _: bool) -> bool:
    return all(any(map(test, values)) for test in tests)


def _creator(keys: Attributes, tag: int) -> str | None:
    """Return the private creator that the keys name for a private key (PS3.5 7.8.1)."""
    if not tags.is_private(tag):
        return None
    named = _values(keys, tag & 0xFFFF0000 | (tag & 0xFFFF) >> 8, "LO")
    return named[0] if len(named) == 1 else None


def _single(keys: Attributes, tag: int) -> str | None:
    """Return the only value of a key of text; None if it has none or several."""
    key = keys.get(tag)
    if key is None or key.vr not in TEXT or len(key.values) != 1:
        return None
    return trim(key.vr, key.values[0])
