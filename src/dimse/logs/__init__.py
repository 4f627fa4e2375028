"""The context of log records: the association that is in progress, and the parts of a record that are private.

A handler's formatter finds the association in `ABOUT`, whose value belongs to the thread or task:

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
    """An association as it appears in the log; made when the association is requested.

    Attributes:
        peer: Host and port of the peer: as given for an association that we request, numeric for one that the peer requests.
        calling_ae_title: The AE title of the requestor. A peer's title is as received and must be escaped.
        called_ae_title: The AE title that the requestor called.
        number: The number of the association in this process, from 1.
        began: The moment of its request, on the clock `time.monotonic()`.
    """

    peer: tuple[str, int]
    calling_ae_title: str
    called_ae_title: str
    number: int = field(default_factory=count(1).__next__)
    began: float = field(default_factory=time.monotonic)

    @property
    def milliseconds(self) -> float:
        """Milliseconds since the association was requested."""
        return (time.monotonic() - self.began) * 1000


ABOUT: ContextVar[About | None] = ContextVar("dimse.logs.ABOUT", default=None)
"""The association in progress; None between associations."""


@contextmanager
def within(about: About | None) -> Iterator[None]:
    """Attribute the log records of the block to this association."""
    before = ABOUT.get()
    ABOUT.set(about)
    try:
        yield
    finally:
        ABOUT.set(before)


class Private:
    """An argument of a log record that may identify a patient. A substitute is shown in its place.

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
    """A formatter for logs that may hold patient data: it shows the words of `Private` arguments.

    The record itself is not changed, so other handlers of the same record do not show them.

    Args:
        formatter: The formatter of the record; None for the default of the `logging` package.
    """

    def __init__(self, formatter: logging.Formatter | None = None) -> None:
        super().__init__()
        self._formatter = formatter or logging.Formatter()

    def format(self, record: logging.LogRecord) -> str:
        """Format a copy of the record that shows its private arguments."""
        return self._formatter.format(_revealed(record))


def show_private() -> None:
    """Let every handler of the root logger, of `dimse` and of the loggers below it show `Private` arguments."""
    names = [name for name in logging.root.manager.loggerDict if name == "dimse" or name.startswith("dimse.")]
    for logger in (logging.root, *map(logging.getLogger, names)):
        for handler in logger.handlers:
            _show_by(handler)


def _show_by(handler: logging.Handler) -> None:
    """Give a handler, and its target handler, a formatter that shows private arguments."""
    if not isinstance(handler.formatter, PrivateFormatter):
        handler.setFormatter(PrivateFormatter(handler.formatter))
    target = getattr(handler, "target", None)
    if isinstance(target, logging.Handler):
        _show_by(target)


def _revealed(record: logging.LogRecord) -> logging.LogRecord:
    """Return the record with its private arguments shown, as a copy if it has any."""
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
