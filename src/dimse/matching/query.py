"""The keys of a query, prepared for being matched against many entities (PS3.4 C.2.2.2)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, TypeAlias

from dimse import tags, uids
from dimse.data_set.attributes import NUMBERS, TEXT, Attribute, Attributes
from dimse.matching import dates
from dimse.matching.names import fuzzy_predicate, name_predicate
from dimse.matching.rules import Rules
from dimse.matching.texts import CASELESS_VRS, EXACT_TAGS, number_predicate, strip, text_predicate
from dimse.matching.wildcards import TooManyWildcards

MOST_KEYS = 256
"""Keys of a query, those in sequences included."""
MOST_UIDS = 10_000
"""UIDs of one key."""
DEEPEST = 8
"""Sequences within each other in the keys."""
LONGEST_VALUE = 64 * 1024
"""Characters of the values of a key together, of UIDs aside."""

EMPTY_VALUE = '""'

# Keys that say how to query: Specific Character Set, Query/Retrieve Level and Query/Retrieve View.
_NOT_MATCHED = frozenset((0x00080005, 0x00080052, 0x00080053))

# VRs of which a key may have several values though that was not negotiated: any of them matches.
_ANY_OF_VALUES = frozenset("AE AS AT CS IS LO PN SH UC UI".split())  # noqa: SIM905

_BULK_VRS = frozenset("OB OD OF OL OV OW".split())  # noqa: SIM905

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

    __slots__ = ("is_met_by", "tag", "wants_none")

    def __init__(self, tag: int, is_met_by: Callable[[tuple[Any, ...]], bool], wants_none: bool = False) -> None:
        self.tag = tag
        self.is_met_by = is_met_by  # by these values, of which there is at least one
        self.wants_none = wants_none  # met by an attribute without a value, and by no other


class Query:
    """Keys that are ready to be matched; made by `prepare`."""

    def __init__(
        self, conditions: list[_Condition], joint: list[tuple[int, int, dates.Interval]], rules: Rules
    ) -> None:
        self._conditions, self._joint, self._rules = conditions, joint, rules

    @property
    def is_universal(self) -> bool:
        """True if the keys match every entity."""
        return not self._conditions and not self._joint

    def matches(self, entity: Attributes) -> bool:
        """Return whether an entity matches every key."""
        unknown = self._rules.match_unknown
        return all(_meets(condition, entity, unknown) for condition in self._conditions) and all(
            self._meets_joint(pair, entity, unknown) for pair in self._joint
        )

    def contradicted(self, entity: Attributes) -> list[int]:
        """Return the tags of the keys that a value of an entity contradicts; one without a value contradicts none."""
        tags = [condition.tag for condition in self._conditions if not _meets(condition, entity, True)]
        return tags + [pair[0] for pair in self._joint if not self._meets_joint(pair, entity, True)]

    def _meets_joint(self, pair: tuple[int, int, dates.Interval], entity: Attributes, unknown: bool) -> bool:
        date_tag, time_tag, wanted = pair
        days, times = _values(entity, date_tag), _values(entity, time_tag)
        if not days or not times:
            return unknown
        day, time = (dates.date(_text(days[0])), dates.time(_text(times[0])))
        return day is not None and time is not None and wanted[0] <= day[0] * dates.DAY + time[0] <= wanted[1]


def _text(value: object) -> str:
    return value.strip(" \0") if isinstance(value, str) else ""


def _values(entity: Attributes, tag: int) -> tuple[Any, ...]:
    """Return the values of an attribute that are not empty."""
    attribute = entity.get(tag)
    if attribute is None:
        return ()
    return tuple(value for value in attribute.values if not isinstance(value, str) or value.strip(" \0"))


def _meets(condition: _Condition, entity: Attributes, unknown: bool) -> bool:
    values = _values(entity, condition.tag)
    if condition.wants_none:
        return not values
    return condition.is_met_by(values) if values else unknown


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
    """Makes conditions of keys, and counts them."""

    def __init__(self, rules: Rules) -> None:
        self.rules, self.count = rules, 0

    def query(self, keys: Attributes, depth: int) -> Query:
        """Prepare the keys of a data set or of an item."""
        joint = self._joint(keys) if self.rules.date_time else []
        taken = _NOT_MATCHED.union(*(pair[:2] for pair in joint))
        conditions = []
        for tag, key in keys.items():
            self.count += 1
            if self.count > MOST_KEYS:
                raise UnfitKey(tag, f"is one of more than {MOST_KEYS} keys")
            if tag in taken:
                continue
            try:
                condition = self._condition(tag, key, depth)
            except TooManyWildcards as error:
                raise UnfitKey(tag, f"has {error}") from error
            if condition is not None:
                conditions.append(condition)
        return Query(conditions, joint, self.rules)

    def _joint(self, keys: Attributes) -> list[tuple[int, int, dates.Interval]]:
        """Return the date and time keys that are matched together, and the range of each pair."""
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
            found.append((date_tag, time_tag, (first, last)))
        return found

    def _condition(self, tag: int, key: Attribute, depth: int) -> _Condition | None:
        """Return the condition that a key sets; None if it is universal."""
        vr = key.vr
        if vr == "SQ":
            return self._sequence(tag, key, depth)
        values = key.values
        if vr in TEXT:
            values = tuple(stripped for value in values if (stripped := strip(vr, value)))
        if not values:
            return None
        if vr in _BULK_VRS:
            raise UnfitKey(tag, f"has VR {vr}, which is not matched")
        if vr != "UI" and vr in TEXT and sum(map(len, values)) > LONGEST_VALUE:
            raise UnfitKey(tag, f"has more than {LONGEST_VALUE:,} characters")
        if self.rules.empty_values and values == (EMPTY_VALUE,):
            return _Condition(tag, bool, wants_none=True)
        if vr == "UI":
            return self._uids(tag, values)
        return self._plain(tag, vr, values)

    def _plain(self, tag: int, vr: str, values: tuple[Any, ...]) -> _Condition | None:
        several = self.rules.multiple_values and len(values) > 1
        tests = [self._test(tag, vr, value, wildcards=not several) for value in values]
        wanted = [test for test in tests if test is not None]
        if len(wanted) < len(tests):
            return None
        if several:
            return _Condition(tag, partial(_all_match, wanted))
        if len(wanted) == 1 or vr in _ANY_OF_VALUES:
            return _Condition(tag, partial(_any_matches, wanted))
        return _Condition(tag, partial(_each_matches, wanted))

    def _sequence(self, tag: int, key: Attribute, depth: int) -> _Condition | None:
        if depth >= DEEPEST:
            raise UnfitKey(tag, f"is nested more than {DEEPEST} sequences deep")
        items = [item for item in key.values if item]
        if len(items) > 1:
            raise UnfitKey(tag, f"has {len(items)} items, and a key has one")
        if not items:
            return None
        query = self.query(items[0], depth + 1)
        if query.is_universal:
            return None
        return _Condition(tag, lambda items: any(isinstance(item, Mapping) and query.matches(item) for item in items))

    def _uids(self, tag: int, values: tuple[str, ...]) -> _Condition:
        if len(values) > MOST_UIDS:
            raise UnfitKey(tag, f"has {len(values):,} UIDs, more than {MOST_UIDS:,}")
        wanted = frozenset(filter(uids.is_uid, values))
        return _Condition(
            tag, lambda values: any(isinstance(value, str) and strip("UI", value) in wanted for value in values)
        )

    def _test(self, tag: int, vr: str, wanted: Any, *, wildcards: bool) -> Test | None:
        """Return what one value of a key asks of one value of an entity; None if it matches everything."""
        if vr not in TEXT:
            if vr in NUMBERS or vr == "AT":
                return lambda value: bool(value == wanted)
            return lambda value: _octets(value) == _octets(wanted)
        test = self._text_test(tag, vr, wanted, wildcards)
        return None if test is None else lambda value: isinstance(value, str) and test(value)

    def _text_test(self, tag: int, vr: str, wanted: str, wildcards: bool) -> Callable[[str], bool] | None:
        if vr == "PN":
            return self._name_test(wanted, wildcards)
        if vr in ("IS", "DS"):
            return number_predicate(vr, wanted)
        if vr in ("DA", "TM", "DT"):
            return self._date_test(vr, wanted)
        ignore_case = vr in CASELESS_VRS and tag not in EXACT_TAGS and not self.rules.match_case
        return text_predicate(vr, wanted, ignore_case=ignore_case, wildcards=wildcards)

    def _name_test(self, wanted: str, wildcards: bool) -> Callable[[str], bool] | None:
        exact = name_predicate(wanted, wildcards=wildcards)
        more = fuzzy_predicate(wanted) if self.rules.fuzzy else None
        if exact is None or more is None:
            return exact
        return lambda value: exact(value) or more(value)

    def _date_test(self, vr: str, wanted: str) -> Callable[[str], bool]:
        parse: dates.Parse = partial(dates.date_time, utc_offset=self.rules.utc_offset)
        if vr != "DT":
            parse = dates.date if vr == "DA" else dates.time
        interval = dates.key(wanted, parse)
        if interval is None:
            return lambda value: False
        return lambda value: dates.matches(interval, parse(value.strip(" \0")))


def _any_matches(tests: list[Test], values: tuple[Any, ...]) -> bool:
    return any(test(value) for value in values for test in tests)


def _all_match(tests: list[Test], values: tuple[Any, ...]) -> bool:
    return all(any(map(test, values)) for test in tests)


def _each_matches(tests: list[Test], values: tuple[Any, ...]) -> bool:
    return len(tests) == len(values) and all(test(value) for test, value in zip(tests, values, strict=True))


def _octets(value: object) -> bytes:
    """Return a value of VR UN without padding; of text the bytes that it has in UTF-8."""
    raw = value.encode("utf_8", "replace") if isinstance(value, str) else value
    return raw.rstrip(b" \0") if isinstance(raw, bytes) else b""


def _single(keys: Attributes, tag: int) -> str | None:
    """Return the only value of a key of text; None if it has none or several."""
    key = keys.get(tag)
    if key is None or key.vr not in TEXT or len(key.values) != 1:
        return None
    return _text(key.values[0])
