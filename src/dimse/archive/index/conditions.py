"""The keys of a query as conditions of SQL.

A condition selects at least what `dimse.matching` accepts. The entities that are found are held against the keys once more. So a
condition may select more, where SQL cannot say it, or only slowly. There is one method for each kind of key.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterator
from functools import partial
from typing import Any

from sqlalchemy import ColumnElement, Integer, and_, false, func, literal, not_, or_, select, true

from dimse import tags
from dimse.archive.index import normal
from dimse.archive.index.attributes import Key, Level, keys
from dimse.archive.index.schema import NAME_WORD, PATIENT, UID_NAME
from dimse.archive.index.tables import ESCAPE, TABLES, Dialect, Test, all_of, one_of, starts_with
from dimse.data_set.attributes import SINGLE, TEXT, Attribute, Attributes
from dimse.matching import Rules, dates, prepare
from dimse.matching.names import ANY_ONE, ANY_RUN, key_groups, key_words, sound
from dimse.matching.query import EMPTY_VALUE
from dimse.matching.texts import CASELESS_VRS, EXACT_TAGS, WILDCARD_VRS, caseless, composed, trim

# Characters. SQLite refuses patterns of 50,000 bytes, and no value of the index is as long as this.
_LONGEST_PATTERN = 2 * normal.LONGEST
_PATIENT_NAME = 0x00100010
# ModalitiesInStudy and SOPClassesInStudy: the column has distinct values with a backslash between them.
_SETS = frozenset((0x00080061, 0x00080062))
# Values of a key that are compiled. A statement may have some 30,000 parameters, and more values are left to attribute matching.
_MOST_VALUES = 50
# Dates, and the times that may be matched together with them.
_PAIRS = {0x00080020: 0x00080030, 0x00080021: 0x00080031, 0x00400244: 0x00400245}
_INTEGER = re.compile("[+-]?[0-9]{1,64}")
_MOST = 2**63 - 1


class Conditions:
    """A compiler of the keys of one query."""

    def __init__(self, dialect: Dialect, rules: Rules) -> None:
        self.dialect, self.rules = dialect, rules

    def of(self, wanted: Attributes) -> Iterator[tuple[Level, ColumnElement[bool]]]:
        """Yield a condition for each key that SQL can say something about, with the level of its attribute.

        Args:
            wanted: Keys that `dimse.matching.prepare` takes, of attributes that the index has.
        """
        joint = self._joint(wanted)
        for tag, key in wanted.items():
            condition = None if tag in joint else self._condition(keys()[tag], key)
            if condition is not None:
                yield keys()[tag].level, condition

    def _joint(self, wanted: Attributes) -> set[int]:
        """Return the tags of the times that may be matched together with their dates, and so not by themselves."""
        if not self.rules.date_time:
            return set()
        pairs = {date: time for date, time in _PAIRS.items() if date in wanted and time in wanted}
        # A date without its time is unknown, whatever the date is.
        return {*pairs.values(), *(pairs if self.rules.match_unknown else ())}

    def _condition(self, key: Key, wanted: Attribute) -> ColumnElement[bool] | None:
        """Return the condition of a key; None if it is universal, or if the tables have nothing to hold it against."""
        if prepare({key.tag: wanted}, self.rules).is_universal:
            return None
        vr, values = _trimmed(wanted)
        asks_for_none = self.rules.empty_values and values == (EMPTY_VALUE,)
        if not key.column:
            # In JSON an attribute may have values that are not of its VR, which count as none.
            if key.is_computed or key.level == "IMAGE" or asks_for_none or self.rules.match_unknown:
                return None
            return self._in_json(key, vr, values)
        column = TABLES[key.level].c[key.column]
        known = column.is_not(None) if isinstance(column.type, Integer) else column != ""
        if asks_for_none:
            return not_(known)
        # The values of a key with another VR than its attribute's are compared as such.
        condition = self._in_column(key, vr, values) if vr == tags.vr(key.tag) else known
        return or_(condition, not_(known)) if self.rules.match_unknown else condition

    def _each(self, values: tuple[str, ...], test: Any) -> ColumnElement[bool]:
        """Return the condition that one value of a key matches, or each of them where that was negotiated."""
        must_all = self.rules.multiple_values and len(values) > 1
        if len(values) > _MOST_VALUES:
            return true()
        conditions = [test(value, wildcards=not must_all) for value in values]
        return all_of(conditions) if must_all else one_of(conditions)

    # --- Columns

    def _in_column(self, key: Key, vr: str, values: tuple[str, ...]) -> ColumnElement[bool]:
        table = TABLES[key.level].c
        column = table[key.column]
        if vr == "UI":
            return self._uids(key, column, values)
        test: Any = partial(self._text, key, vr)
        if isinstance(column.type, Integer):
            test = partial(_number, column)
        elif vr in ("DA", "TM"):
            test = partial(_moment, column, vr)
        elif key.tag == _PATIENT_NAME:
            test = self._patient_name
        elif vr == "PN":
            test = partial(self._name, table[f"{key.column}_norm"])
        elif key.tag in _SETS:
            test = partial(_member, column)
        return self._each(values, test)

    def _text(self, key: Key, vr: str, wanted: str, wildcards: bool) -> ColumnElement[bool]:
        """Return the condition of one value of text."""
        table = TABLES[key.level].c
        column: ColumnElement[str] = table[key.column]
        wildcards = wildcards and vr in WILDCARD_VRS
        if vr not in CASELESS_VRS or key.tag in EXACT_TAGS or self.rules.match_case:
            condition = _matches(column, composed(wanted), "*?" if wildcards else "")
        elif f"{key.column}_norm" in table:
            column = table[f"{key.column}_norm"]
            condition = _matches(column, caseless(wanted), "*?" if wildcards else "")
        else:
            condition = self._loosely(column, caseless(wanted), "*?" if wildcards else "")
        return or_(condition, starts_with(column, normal.SEVERAL))

    def _loosely(self, text: ColumnElement[str], wanted: str, wild: str) -> ColumnElement[bool]:
        """Return the condition that a text without a normalized column matches; any text beyond ASCII may."""
        if not _is_storable(wanted, wild):
            return self.dialect.is_beyond_ascii(text)
        pattern = _pattern(wanted, wild)
        if len(pattern) > _LONGEST_PATTERN:
            return true()
        return or_(self.dialect.caseless_like(text, pattern), self.dialect.is_beyond_ascii(text))

    def _uids(self, key: Key, column: ColumnElement[Any], values: tuple[str, ...]) -> ColumnElement[bool]:
        wanted = [uid for uid in dict.fromkeys(values) if normal.is_storable(uid)]
        if key.tag in _SETS:
            if len(wanted) > _MOST_VALUES:
                return column != ""
            return one_of(_member(column, uid, wildcards=False) for uid in wanted)
        if isinstance(column.type, Integer):
            return column.in_(select(UID_NAME.c.pk).where(self.dialect.any_of(UID_NAME.c.uid, wanted)))
        return column == wanted[0] if len(wanted) == 1 else self.dialect.any_of(column, wanted)

    def _patient_name(self, wanted: str, wildcards: bool) -> ColumnElement[bool]:
        """Return the condition of a name that has a column for each group."""
        columns = (PATIENT.c.name_norm, PATIENT.c.name_i, PATIENT.c.name_p)
        found = key_groups(wanted, wildcards=wildcards)
        if len(found) == 1:
            tests = [and_(column != "", _matches(column, found[0], ANY_RUN + ANY_ONE)) for column in columns]
            condition = one_of(tests if found[0] else ())
        elif any(found[len(columns) :]):
            condition = false()
        else:
            pairs = zip(columns, found, strict=False)
            condition = all_of(_matches(column, group, ANY_RUN + ANY_ONE) for column, group in pairs if group)
        conditions = [condition, starts_with(PATIENT.c.name_norm, normal.SEVERAL)]
        if self.rules.fuzzy and (words := key_words(wanted)):
            conditions.append(all_of(map(_has_word, words)))
        return one_of(conditions)

    def _name(self, column: ColumnElement[str], wanted: str, wildcards: bool) -> ColumnElement[bool]:
        """Return the condition of a name whose groups are in one column."""
        if self.rules.fuzzy:
            return column != ""
        first, *others = key_groups(wanted, wildcards=wildcards)
        conditions = [starts_with(column, normal.SEVERAL), column.like("%=%")]
        if first and not any(others):
            conditions.append(_matches(column, first, ANY_RUN + ANY_ONE))
        return one_of(conditions)

    # --- JSON

    def _in_json(self, key: Key, vr: str, values: tuple[Any, ...]) -> ColumnElement[bool]:
        """Return the condition of a key whose attribute is in `attrs`."""
        attrs = TABLES[key.level].c.attrs
        tests = self._tests(vr, values) if len(values) <= _MOST_VALUES else ()
        has_it = self.dialect.has_attribute(attrs, key.tag)
        return and_(has_it, *(self.dialect.any_text(attrs, key.tag, test) for test in tests))

    def _tests(self, vr: str, values: tuple[Any, ...]) -> Iterator[Test]:
        """Yield tests of the texts at any depth of an attribute; each is passed by one of them if the attribute matches."""
        if vr == "SQ":
            for tag, inner in values[0].items():
                asks_for_none = self.rules.empty_values and _trimmed(inner).values == (EMPTY_VALUE,)
                if not asks_for_none and not prepare({tag: inner}, self.rules).is_universal:
                    yield from self._tests(*_trimmed(inner))
        elif vr == "PN":
            if not self.rules.fuzzy and len(values) == 1:
                groups = key_groups(values[0])
                yield from (partial(self._group_loosely, group) for group in groups if group)
        elif vr in ("DA", "TM"):
            yield lambda text: one_of(_moment_in_json(text, vr, value) for value in values)
        elif vr == "UI":
            yield lambda text: self.dialect.any_of(text, filter(normal.is_storable, values))
        elif vr in TEXT and vr not in ("DS", "DT", "IS"):
            yield lambda text: one_of(self._text_in_json(text, vr, value) for value in values)

    def _group_loosely(self, group: str, text: ColumnElement[str]) -> ColumnElement[bool]:
        """Return the condition that a text has a component group, whatever spaces are around its components."""
        loose = group.replace("^", f"{ANY_RUN}^{ANY_RUN}")
        return self._loosely(text, f"{ANY_RUN}{loose}{ANY_RUN}", ANY_RUN + ANY_ONE)

    def _text_in_json(self, text: ColumnElement[str], vr: str, wanted: str) -> ColumnElement[bool]:
        stored = text if vr in SINGLE else func.trim(text)
        return self._loosely(stored, caseless(wanted), "*?" if vr in WILDCARD_VRS else "")


def _trimmed(wanted: Attribute) -> Attribute:
    """Return a key without the padding of its values, and without those that are empty."""
    vr, values = wanted
    return Attribute(vr, tuple(text for value in values if (text := trim(vr, value)))) if vr in TEXT else wanted


def _moment_in_json(text: ColumnElement[str], vr: str, wanted: str) -> ColumnElement[bool]:
    # A text of another VR may have the form of before DICOM 3.0.
    return or_(_moment(text, vr, wanted), text.like("%.%" if vr == "DA" else "%:%"))


def _is_storable(wanted: str, wild: str) -> bool:
    return normal.is_storable(wanted.translate(dict.fromkeys(map(ord, wild))))


def _matches(text: ColumnElement[str], wanted: str, wild: str) -> ColumnElement[bool]:
    """Return the condition that a text in the form of a key matches it.

    Args:
        text: The column.
        wanted: The key.
        wild: The characters of the key that stand for any run of characters and for any one; empty if none does.
    """
    if not _is_storable(wanted, wild):
        return false()
    at = next((at for at, character in enumerate(wanted) if character in wild), None)
    if at is None:
        return text == wanted
    pattern = _pattern(wanted, wild)
    conditions = [starts_with(text, wanted[:at])]
    if len(pattern) <= _LONGEST_PATTERN:
        conditions.append(text.like(pattern, escape=ESCAPE))
    return all_of(conditions)


def _pattern(wanted: str, wild: str) -> str:
    """Return the pattern of LIKE for a key."""
    forms = {ord(character): ESCAPE + character for character in "%_" + ESCAPE}
    pattern = wanted.translate(forms | dict(zip(map(ord, wild), "%_", strict=False)))
    return re.sub("%%+", "%", pattern) if "!%" not in pattern else pattern


def _has_word(wanted: str) -> ColumnElement[bool]:
    """Return the condition that a patient's name has a word that begins with one, or sounds like it."""
    word, heard = NAME_WORD.c.word, sound(wanted)
    if ANY_RUN in wanted or ANY_ONE in wanted:
        condition = _matches(word, wanted, ANY_RUN + ANY_ONE)
    else:
        condition = starts_with(word, wanted) if normal.is_storable(wanted) else false()
        condition = or_(condition, NAME_WORD.c.sound == heard) if heard else condition
    return PATIENT.c.pk.in_(select(NAME_WORD.c.patient_pk).where(condition))


def _number(column: ColumnElement[int], wanted: str, wildcards: bool) -> ColumnElement[bool]:
    """Return the condition of a whole number. A key that is malformed is compared as text, which no number is like."""
    number = int(wanted) if _INTEGER.fullmatch(wanted) else _MOST + 1
    return column == number if abs(number) <= _MOST else false()


def _member(column: ColumnElement[str], wanted: str, wildcards: bool) -> ColumnElement[bool]:
    """Return the condition that a value is one of those in a column."""
    if not normal.is_storable(wanted):
        return false()
    pattern = _pattern(composed(wanted), "*?" if wildcards else "")
    if len(pattern) > _LONGEST_PATTERN:
        return true()
    return literal("\\").concat(column).concat("\\").like(f"%\\{pattern}\\%", escape=ESCAPE)


def _moment(text: ColumnElement[str], vr: str, wanted: str, wildcards: bool = False) -> ColumnElement[bool]:
    """Return the condition of a date or a time, or of a range of them."""
    interval = dates.interval_of(wanted, dates.date if vr == "DA" else dates.time)
    if interval is None:
        return false()
    first, last = interval
    if vr == "DA":
        lower = _day(first) if first >= 0 else ""
        upper = _day(last) if last < dates.FOREVER else None
    else:
        # A time may leave out zeros at its end, and a text comes before those that it begins.
        lower = re.sub("(00){0,2}$", "", _time(first).rstrip("0").rstrip(".")) if first >= 0 else ""
        upper = _time(last) if last < dates.FOREVER else None
    if lower == upper:
        return text == lower
    conditions = [text >= lower if lower else text > ""]
    if upper is not None:
        conditions.append(text <= upper)
    return and_(*conditions)


def _day(number: int) -> str:
    day = datetime.date.fromordinal(number + 1)
    return f"{day.year:04}{day.month:02}{day.day:02}"


def _time(microseconds: int) -> str:
    seconds, fraction = divmod(microseconds, dates.MICROSECONDS)
    return f"{seconds // 3600:02}{seconds // 60 % 60:02}{seconds % 60:02}.{fraction:06}"
