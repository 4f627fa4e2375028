"""What a log record is about: the association that is under way where it is written; and what of it is not for everybody's eyes.

A handler's formatter finds the association in `ABOUT`, whose value is the thread's or the task's own:

    association = dimse.logs.ABOUT.get()
    if association is not None:
        print(association.number, association.calling_ae_title)
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from itertools import count

from dimse.values import field, value


@value
class About:
    """An association, as the log knows it; made when it is asked for.

    Attributes:
        peer: Host and port of the peer: as given for an association of ours, as a number for the peer's.
        calling_ae_title: Who asks for it. Of a peer: as it came, to be escaped.
        called_ae_title: Whom it asks.
        number: Of the association, counted in this process from 1.
        began: When that was, on `time.monotonic()`.
    """

    peer: tuple[str, int]
    calling_ae_title: str
    called_ae_title: str
    number: int = field(default_factory=count(1).__next__)
    began: float = field(default_factory=time.monotonic)

    @property
    def milliseconds(self) -> float:
        """Since it began."""
        return (time.monotonic() - self.began) * 1000


ABOUT: ContextVar[About | None] = ContextVar("dimse.logs.ABOUT", default=None)
"""The association that is under way; None between associations."""


@contextmanager
def within(about: About | None) -> Iterator[None]:
    """What is logged in the block is about this association."""
    before = ABOUT.get()
    ABOUT.set(about)
    try:
        yield
    finally:
        ABOUT.set(before)


class Private:
    """An argument of a log record that may identify a patient: it shows as something that does not.

    Args:
        words: What it is.
        shown: What is shown, unless a handler has the filter `show_private`.
    """

    __slots__ = ("shown", "words")

    def __init__(self, words: str, shown: str) -> None:
        self.words, self.shown = words, shown

    def __str__(self) -> str:
        return self.shown


def show_private(record: logging.LogRecord) -> bool:
    """A filter for a handler whose log may hold patient data: what is `Private` shows as it is."""
    if isinstance(record.args, tuple):
        record.args = tuple(item.words if isinstance(item, Private) else item for item in record.args)
    return True
