"""A Finder, run to its end, with the files that it found sorted by kind."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pydicom

from dimse.errors import FileError
from dimse.instances import InstanceFile
from dimse.logs.notices import LOGGER as NOTICES
from dimse.sending.finding import Finder

TEST_FILES = Path(pydicom.__file__).parent / "data" / "test_files"


@dataclass
class Found:
    """The result of a search.

    Attributes:
        items: All that was found, in order.
        warnings: The warnings in the log.
        infos: The INFO lines in the log: each file that is skipped and counted.
        notices: The lines that the user gets even if warnings are not shown.
    """

    items: list[Any] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    infos: list[str] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)

    @property
    def files(self) -> list[InstanceFile]:
        return [item for item in self.items if isinstance(item, InstanceFile)]

    @property
    def paths(self) -> list[str]:
        return [file.path for file in self.files]

    @property
    def errors(self) -> list[FileError]:
        """The reasons why files cannot be sent."""
        outcomes = [item for item in self.items if not isinstance(item, InstanceFile)]
        assert [outcome.path for outcome in outcomes] == [outcome.error.path for outcome in outcomes]
        return [outcome.error for outcome in outcomes]

    @property
    def error(self) -> FileError:
        (error,) = self.errors
        return error


class _Kept(logging.Handler):
    def __init__(self, level: int, kept: list[str]) -> None:
        super().__init__(level)
        self.kept = kept

    def emit(self, record: logging.LogRecord) -> None:
        if record.levelno == self.level:
            self.kept.append(record.getMessage())


@contextmanager
def finding(
    *paths: str | os.PathLike[str] | None, recurse: bool = False, **options: Any
) -> Iterator[tuple[Finder, Found]]:
    """Yield a Finder, and its results so far."""
    found = Found()
    logger = logging.Logger("finding")
    logger.addHandler(_Kept(logging.WARNING, found.warnings))
    logger.addHandler(_Kept(logging.INFO, found.infos))
    notices = _Kept(logging.WARNING, found.notices)
    NOTICES.addHandler(notices)
    try:
        finder = Finder(paths, recurse=recurse, logger=logger, **options)
        yield finder, found
        finder.close()
    finally:
        NOTICES.removeHandler(notices)


def find(*paths: str | os.PathLike[str], recurse: bool = False, **options: Any) -> Found:
    """Return everything that a Finder finds."""
    with finding(*paths, recurse=recurse, **options) as (finder, found):
        found.items += finder
    return found
