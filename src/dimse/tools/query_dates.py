"""Dates as a user writes them: words, ISO 8601, ranges; and as DICOM has them (PS3.5 6.2, PS3.4 C.2.2.2.5)."""

from __future__ import annotations

import re
from datetime import date, timedelta

_LAST = re.compile(r"last-(\d{1,5})-days")


def date_range(text: str, today: date | None = None) -> str:
    """Return a key of VR DA for a date or a range of dates.

    Args:
        text: `today`, `yesterday`, `last-7-days` (today included), `this-month`, a date as 2024-01-31 or 20240131, or two of them
            with `..` or, without hyphens, `-` between. One end may be missing. `""` is the empty value.
        today: The date of today; by default that of the clock.

    Raises:
        ValueError: It has none of these forms.
    """
    today = today or date.today()  # noqa: DTZ011  (the user's day)
    words = _words(text, today)
    if words is not None:
        return words
    if ".." in text:
        begin, _, end = text.partition("..")
    elif re.fullmatch(r"(\d{8})?-(\d{8})?", text):
        begin, _, end = text.partition("-")
    else:
        return _date(text)
    if not (begin or end):
        raise ValueError("a range of dates has a first or a last day")
    first, final = _date(begin) if begin else "", _date(end) if end else ""
    if first and final and first > final:
        raise ValueError(f"{text}: the range ends before it begins")
    return f"{first}-{final}"


def _words(text: str, today: date) -> str | None:
    """Return the key for words; None for anything else."""
    last = _LAST.fullmatch(text)
    if last is not None and 0 < int(last[1]) < today.toordinal():
        return f"{today - timedelta(int(last[1]) - 1):%Y%m%d}-{today:%Y%m%d}"
    return {
        "": "",
        '""': text,
        "today": f"{today:%Y%m%d}",
        "yesterday": f"{today - timedelta(1):%Y%m%d}",
        "this-month": f"{today.replace(day=1):%Y%m%d}-{today:%Y%m%d}",
    }.get(text)


def _date(text: str) -> str:
    digits = text.replace("-", "") if re.fullmatch(r"\d{4}-\d{2}-\d{2}", text) else text
    try:
        if not re.fullmatch(r"\d{8}", digits):
            raise ValueError
        date(int(digits[:4]), int(digits[4:6]), int(digits[6:]))
    except ValueError:
        raise ValueError(f"{text!r} is not a date such as 2024-01-31, a range of dates, or today") from None
    return digits
