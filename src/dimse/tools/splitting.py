"""Queries for studies in parts, where a peer cuts the result short: by ranges of Study Date, and within a day of Study Time."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date, timedelta

from dimse.data_set.attributes import Attribute
from dimse.data_set.identifier import Identifier
from dimse.support.values import value

STUDY_DATE, STUDY_TIME = 0x00080020, 0x00080030
EARLIEST = date(1900, 1, 1)
MINUTES = 24 * 60

_RANGE = re.compile(r"(\d{8})?-(\d{8})?")


@value
class Part:
    """A part of a query: some days, or some minutes of a day.

    Attributes:
        first, last: The first day and the last one.
        minutes: The first minute of the day and the last one; None for whole days.
    """

    first: date
    last: date
    minutes: tuple[int, int] | None = None

    def halves(self, *, by_time: bool) -> tuple[Part, Part] | None:
        """Return the newer half and the older one; None if the part cannot be halved.

        Args:
            by_time: True if a day may be halved too.
        """
        if self.first < self.last:
            middle = self.first + (self.last - self.first) // 2
            return Part(middle + timedelta(1), self.last), Part(self.first, middle)
        begin, end = self.minutes or (0, MINUTES - 1)
        if not by_time or begin == end:
            return None
        half = (begin + end) // 2
        return Part(self.first, self.last, (half + 1, end)), Part(self.first, self.last, (begin, half))

    def of_days(self, days: int) -> Iterator[Part]:
        """Yield parts of so many days each, the newest first; the oldest may be shorter."""
        last = self.last
        while days <= (last - self.first).days:
            yield Part(last - timedelta(days - 1), last)
            last -= timedelta(days)
        yield Part(self.first, last)

    def of(self, identifier: Identifier) -> Identifier:
        """Return an identifier limited to the part."""
        attributes = dict(identifier.attributes)
        days = f"{self.first:%Y%m%d}" if self.first == self.last else f"{self.first:%Y%m%d}-{self.last:%Y%m%d}"
        attributes[STUDY_DATE] = Attribute("DA", (days,))
        if self.minutes is not None:
            begin, end = (f"{minute // 60:02}{minute % 60:02}" for minute in self.minutes)
            attributes[STUDY_TIME] = Attribute("TM", (f"{begin}00-{end}59.999999",))
        return Identifier(attributes)

    def __str__(self) -> str:
        days = f"{self.first}" if self.first == self.last else f"{self.first} to {self.last}"
        if self.minutes is None:
            return days
        begin, end = (f"{minute // 60:02}:{minute % 60:02}" for minute in self.minutes)
        return f"{days} {begin} to {end}"


def whole_of(identifier: Identifier, today: date) -> Part | None:
    """Return the part that is the whole of a query; None if its Study Date is no date or range of dates."""
    text = identifier.text(STUDY_DATE).strip(" ")
    tomorrow = today + timedelta(1)
    try:
        if not text:
            return Part(EARLIEST, tomorrow)
        found = _RANGE.fullmatch(text)
        first, last = (found[1], found[2]) if found is not None else (text, text)
        part = Part(_date(first) if first else EARLIEST, _date(last) if last else tomorrow)
    except ValueError:
        return None
    return part if part.first <= part.last else None


def _date(text: str) -> date:
    if not re.fullmatch(r"\d{8}", text):
        raise ValueError(text)
    return date(int(text[:4]), int(text[4:6]), int(text[6:]))


def has_value(identifier: Identifier, tag: int) -> bool:
    """Return whether a key has a value to match."""
    return bool(identifier.text(tag))


def asking_for_empty(identifier: Identifier, tag: int) -> Identifier:
    """Return an identifier that asks for entities without a value, by empty value matching (PS3.4 C.2.2.2.7)."""
    vr = "DA" if tag == STUDY_DATE else "TM"
    return Identifier(dict(identifier.attributes) | {tag: Attribute(vr, ('""',))})
