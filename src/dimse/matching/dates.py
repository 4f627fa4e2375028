"""Dates, times and date-times as intervals, and the ranges of them that keys give (PS3.4 C.2.2.2.1 and C.2.2.2.5).

A date is an interval of days, a time one of microseconds of a day, a date-time one of microseconds. A value of less precision is
the whole interval that it leaves open: "1010" is 10:10:00 to 10:10:59.999999.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

Interval: TypeAlias = "tuple[int, int]"
"""The first and the last unit of time, both included."""
Parse: TypeAlias = "Callable[[str], Interval | None]"

MICROSECONDS = 1_000_000
DAY = 24 * 60 * 60 * MICROSECONDS
_MINUTE = 60 * MICROSECONDS
_BEFORE_MONTH = (0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365)
# Characters: two DTs of 26, a hyphen, and some spaces.
_LONGEST_RANGE = 64
FOREVER = 10_000 * 366 * DAY
"""More than any date-time, for an open end of a range."""
# Hours of an offset from UTC (PS3.5 6.2): as far as behind and as far as ahead.
_MOST_BEHIND, _MOST_AHEAD = 12, 14


def _digits(text: str) -> bool:
    return text.isascii() and text.isdigit()


def _is_leap(year: int) -> bool:
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)


def _first_day(year: int, month: int) -> int:
    """Return the number of the first day of a month; of the 13th that of the year after."""
    before = year - 1
    leap_day = 1 if month > 2 and _is_leap(year) else 0
    return before * 365 + before // 4 - before // 100 + before // 400 + _BEFORE_MONTH[month - 1] + leap_day


def _days(text: str) -> Interval | None:
    """Return the days of `YYYY`, `YYYYMM` or `YYYYMMDD`."""
    year, month, day = int(text[:4]), int(text[4:6] or 0), int(text[6:8] or 0)
    if year < 1:
        return None
    if len(text) == 4:
        return _first_day(year, 1), _first_day(year, 13) - 1
    if not 1 <= month <= 12:
        return None
    first, behind = _first_day(year, month), _first_day(year, month + 1)
    if len(text) == 6:
        return first, behind - 1
    if not 1 <= day <= behind - first:
        return None
    return first + day - 1, first + day - 1


def date(text: str) -> Interval | None:
    """Return the day of a DA, as an interval of one; None if it is malformed. `YYYY.MM.DD` is the form of before DICOM 3.0."""
    if len(text) == 10 and text[4] == text[7] == ".":
        text = text[:4] + text[5:7] + text[8:]
    return _days(text) if len(text) == 8 and _digits(text) else None


def time(text: str) -> Interval | None:
    """Return the microseconds of a TM; None if it is malformed. `HH:MM:SS` is the form of before DICOM 3.0."""
    if ":" in text:
        whole, dot, fraction = text.partition(".")
        parts = whole.split(":")
        if any(len(part) != 2 for part in parts):
            return None
        text = "".join(parts) + dot + fraction
    return _time(text)


def _time(text: str) -> Interval | None:
    """Return the microseconds of `HH`, `HHMM`, `HHMMSS` or `HHMMSS.F` with one to six digits of a fraction."""
    whole, dot, fraction = text.partition(".")
    if len(whole) not in (2, 4, 6) or not _digits(whole):
        return None
    if dot and not (len(whole) == 6 and 1 <= len(fraction) <= 6 and _digits(fraction)):
        return None
    hours, minutes, seconds = int(whole[:2]), int(whole[2:4] or 0), int(whole[4:6] or 0)
    if hours > 23 or minutes > 59 or seconds > 59:
        return None
    start = ((hours * 60 + minutes) * 60 + seconds) * MICROSECONDS + int(f"{fraction:0<6}")
    width = {2: 60 * _MINUTE, 4: _MINUTE, 6: 10 ** (6 - len(fraction))}[len(whole)]
    return start, start + width - 1


def date_time(text: str, utc_offset: int = 0) -> Interval | None:
    """Return the microseconds of a DT, in UTC; None if it is malformed.

    Args:
        text: The DT.
        utc_offset: Minutes that local time is ahead of UTC, for a DT that does not say it.
    """
    text, offset = _without_offset(text)
    whole = text.partition(".")[0]
    if len(whole) not in (4, 6, 8, 10, 12, 14) or not _digits(whole) or (len(whole) < 14 and whole != text):
        return None
    days = _days(whole[:8])
    if days is None:
        return None
    shift = (utc_offset if offset is None else offset) * _MINUTE
    if len(text) <= 8:
        return days[0] * DAY - shift, (days[1] + 1) * DAY - 1 - shift
    within = _time(text[8:])
    if within is None:
        return None
    return days[0] * DAY + within[0] - shift, days[0] * DAY + within[1] - shift


def _without_offset(text: str) -> tuple[str, int | None]:
    """Return a DT without its offset from UTC, and that in minutes."""
    sign, digits = text[-5:-4], text[-4:]
    if len(text) < 9 or sign not in ("+", "-") or not _digits(digits):
        return text, None
    hours, minutes = int(digits[:2]), int(digits[2:])
    if hours > (_MOST_AHEAD if sign == "+" else _MOST_BEHIND) or minutes > 59:
        return text, None
    offset = hours * 60 + minutes
    return text[:-5], offset if sign == "+" else -offset


def interval_of(text: str, parse: Parse) -> Interval | None:
    """Return the interval that a key asks for, a value or a range; None where nothing can match it.

    A final "-hhmm" behind a year of a date-time is an offset from UTC. Any other hyphen is that of a range. Where several hyphens
    might be, the first is.
    """
    found = parse(text)
    if found is not None or "-" not in text:
        return found
    bounds = range_bounds(text, parse)
    if bounds is None:
        return None
    first, last = bounds
    return (first[0] if first else -FOREVER), (last[1] if last else FOREVER)


def range_bounds(text: str, parse: Parse) -> tuple[Interval | None, Interval | None] | None:
    """Return the bounds of a range, None for an open end; None if the text is not a range."""
    at = text.find("-") if len(text) <= _LONGEST_RANGE else -1
    while at >= 0:
        lower, upper = text[:at].strip(" "), text[at + 1 :].strip(" ")
        first, last = parse(lower), parse(upper)
        if (first or not lower) and (last or not upper) and (lower or upper):
            return first, last
        at = text.find("-", at + 1)
    return None


def matches(wanted: Interval, found: Interval | None) -> bool:
    """Return whether a value begins in the interval that is wanted; a malformed one, None, does not."""
    return found is not None and wanted[0] <= found[0] <= wanted[1]
