"""What a log record is about: the association that is under way where it is written; and what of it is not for everybody's eyes.

A handler's formatter finds the association in `ABOUT`, whose value is the thread's or the task's own:

    association = dimse.logs.ABOUT.get()
    if association is not None:
        print(association.number, association.calling_ae_title)
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from itertools import count

from dimse.support.values import field, value


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
        words: The private words.
        shown: The text that is logged instead, unless the handler's formatter is a `PrivateFormatter`.
    """

    __slots__ = ("shown", "words")

    def __init__(self, words: str, shown: str) -> None:
        self.words, self.shown = words, shown

    def __str__(self) -> str:
        return self.shown


class PrivateFormatter(logging.Formatter):
    """A formatter for a log that may hold patient data: what is `Private` shows as it is.

    Other handlers of the same record do not see it: the record itself is left as it was.

    Args:
        formatter: Formats the record; None for the default of the `logging` package.
    """

    def __init__(self, formatter: logging.Formatter | None = None) -> None:
        super().__init__()
        self._formatter = formatter or logging.Formatter()

    def format(self, record: logging.LogRecord) -> str:
        """Format a copy of the record, in which what is private shows."""
        return self._formatter.format(_revealed(record))


def show_private() -> None:
    """Have every handler of the root logger, of `dimse` and of the loggers below it show what is `Private`."""
    names = [name for name in logging.root.manager.loggerDict if name == "dimse" or name.startswith("dimse.")]
    for logger in (logging.root, *map(logging.getLogger, names)):
        for handler in logger.handlers:
            _show_by(handler)


def _show_by(handler: logging.Handler) -> None:
    """Give a handler, and the one that it passes records to, a formatter that shows what is private."""
    if not isinstance(handler.formatter, PrivateFormatter):
        handler.setFormatter(PrivateFormatter(handler.formatter))
    target = getattr(handler, "target", None)
    if isinstance(target, logging.Handler):
        _show_by(target)


def _revealed(record: logging.LogRecord) -> logging.LogRecord:
    """Return the record with its private arguments shown: a copy, where it has any."""
    args = record.args
    if isinstance(args, tuple) and any(isinstance(item, Private) for item in args):
        revealed: tuple[object, ...] | dict[str, object] = tuple(map(_words, args))
    elif isinstance(args, Mapping) and any(isinstance(item, Private) for item in args.values()):
        revealed = {name: _words(item) for name, item in args.items()}
    else:
        return record
    return logging.makeLogRecord({**record.__dict__, "args": revealed})


def _words(item: object) -> object:
    return item.words if isinstance(item, Private) else item
