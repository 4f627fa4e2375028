"""What every test may use."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest
from hypothesis import settings

from tests import files

# The time limit of a test is pytest-timeout's; a slow machine is not a failure of one example.
settings.register_profile("dimse", deadline=None, print_blob=True)
settings.load_profile("dimse")


@pytest.fixture(scope="session")
def pydicom_files() -> files.PydicomFiles:
    """Return every Part 10 file that pydicom ships, sorted into those that can be sent and the others."""
    return files.pydicom_files()


@pytest.fixture(autouse=True)
def logging_as_it_was() -> Iterator[None]:
    """Restore the log set-up after a test, because a tool in the test's process sets up the log of the process."""
    loggers = logging.getLogger("dimse"), logging.getLogger("dimse.notices")
    before = [(logger.level, list(logger.handlers), list(logger.filters)) for logger in loggers]
    yield
    for logger, (level, handlers, filters) in zip(loggers, before, strict=True):
        logger.setLevel(level)
        logger.handlers[:] = handlers
        logger.filters[:] = filters
