"""Dates, times and ranges of them for the second implementation of matching (PS3.5 6.2; PS3.4 C.2.2.2.5).

Everything is a closed interval in microseconds since 1 January of the year 1, in UTC where an offset is known.
"""

from __future__ import annotations

import re
from calendar import isleap, monthrange
from datetime import datetime, timedelta

Interval = tuple[int, int]
FOR_EVER: Interval = (-(10**20), 10**20)


def _microseconds(moment: datetime) -> int:
    return (moment - datetime(1, 1, 1)) // timedelta(microseconds=1)  # noqa: DTZ001


def _span(numbers: list[int], fraction: str) -> Interval:
    """Return the interval of a date and time of which the later components may be absent."""
    year, month, day, hour, minute, second = numbers + [1, 1, 1, 0, 0, 0][len(numbers) :]
    first = datetime(year, month, day, hour, minute, second)  # noqa: DTZ001
    start = _microseconds(first)
    if fraction:
        unit = 10 ** (6 - len(fraction))
        return start + int(fraction) * unit, start + (int(fraction) + 1) * unit - 1
    one_day = 86_400_000_000
    in_year, in_month = 365 + isleap(year), monthrange(year, month)[1]
    lengths = [in_year * one_day, in_month * one_day, one_day, one_day // 24, 60_000_000, 1_000_000]
    return start, start + lengths[len(numbers) - 1] - 1


DATE = re.compile(r"([0-9]{4})([0-9]{2})([0-9]{2})|([0-9]{4})\.([0-9]{2})\.([0-9]{2})")
TIME = re.compile(
    r"([0-9]{2})(?:([0-9]{2})(?:([0-9]{2})(?:\.([0-9]{1,6}))?)?)?"
    r"|([0-9]{2}):([0-9]{2})(?::([0-9]{2})(?:\.([0-9]{1,6}))?)?"
)
DATE_TIME = re.compile(
    r"([0-9]{4})(?:([0-9]{2})(?:([0-9]{2})(?:([0-9]{2})(?:([0-9]{2})(?:([0-9]{2})(?:\.([0-9]{1,6}))?)?)?)?)?)?"
    r"(?:([+-])([0-9]{2})([0-9]{2}))?"
)


def moment(vr: str, text: str, local_offset: int = 0) -> Interval | None:
    """Return the interval that a DA, TM or DT stands for; None if it is malformed."""
    text = text.strip(" \0")
    try:
        if vr == "DA":
            return _date(text)
        return _time(text) if vr == "TM" else _date_time(text, local_offset)
    except ValueError:
        # The form is right and the numbers are not: the 31st of February, the 60th second.
        return None


def _date(text: str) -> Interval | None:
    found = DATE.fullmatch(text)
    if not found:
        return None
    return _span([int(part) for part in found.groups() if part], "")


def _time(text: str) -> Interval | None:
    found = TIME.fullmatch(text)
    if not found:
        return None
    *parts, fraction = found.groups()[:4] if found[1] else found.groups()[4:]
    numbers = [int(part) for part in parts if part]
    return _span([1, 1, 1, *numbers], fraction or "")


def _date_time(text: str, local_offset: int) -> Interval | None:
    found = DATE_TIME.fullmatch(text)
    if not found:
        return None
    *parts, fraction, sign, hours, minutes = found.groups()
    start, end = _span([int(part) for part in parts if part], fraction or "")
    offset = local_offset
    if sign:
        if int(hours) > (12 if sign == "-" else 14) or int(minutes) > 59:
            return None
        offset = (int(hours) * 60 + int(minutes)) * (-1 if sign == "-" else 1)
    shift = offset * 60_000_000
    return start - shift, end - shift


def range_of(vr: str, wanted: str, local_offset: int = 0) -> Interval | None:
    """Return the interval that a key asks for (C.2.2.2.1 and C.2.2.2.5); None if it can match nothing.

    A key of VR DT that can be read as one value with an offset from UTC is one value.
    """
    whole = moment(vr, wanted, local_offset)
    if whole is not None:
        return whole
    bounds = range_bounds(vr, wanted, local_offset)
    if bounds is None:
        return None
    first, last = bounds
    return (first or FOR_EVER)[0], (last or FOR_EVER)[1]


def range_bounds(vr: str, wanted: str, local_offset: int = 0) -> tuple[Interval | None, Interval | None] | None:
    """Return both bounds of a range, None for an open end; None if the key is not a range."""
    if moment(vr, wanted, local_offset) is not None or not wanted.strip(" -"):
        return None
    for hyphen in re.finditer("-", wanted):
        before, after = wanted[: hyphen.start()].strip(" "), wanted[hyphen.end() :].strip(" ")
        first = moment(vr, before, local_offset) if before else None
        last = moment(vr, after, local_offset) if after else None
        if (first is not None or not before) and (last is not None or not after):
            return first, last
    return None
