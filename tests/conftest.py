"""Fixtures and settings for every test."""

from __future__ import annotations

import logging
import os
from collections import defaultdict
from collections.abc import Iterator
from fnmatch import fnmatchcase
from zlib import crc32

import pytest
from hypothesis import settings

from dimse.association import pump
from dimse.logs import ABOUT
from dimse.serving import places
from tests import files

# The time limit of a test is pytest-timeout's; a slow machine is not a failure of one example. Where DIMSE_SEQUENCES asks for
# long sequences, as CI does, each property is tried with as many examples as Hypothesis takes by itself.
settings.register_profile(
    "dimse", deadline=None, print_blob=True, max_examples=100 if "DIMSE_SEQUENCES" in os.environ else 30
)
settings.load_profile("dimse")

# Without the files that Python compiles, each of several hundred commands would compile the package anew.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)


# Parameter sets of a test that a newcomer runs, where its mark `sample` does not say which.
MOST_SETS = 6


# This runs before pytest chooses tests by their marks.
@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark as thorough the parameter sets of a test that its mark `sample` does not name, or all but a few of them."""
    sets: defaultdict[str, list[pytest.Function]] = defaultdict(list)
    for item in items:
        if isinstance(item, pytest.Function) and hasattr(item, "callspec"):
            sets[item.nodeid.partition("[")[0]].append(item)
    stale = []
    for name, functions in sets.items():
        kept = _sample(functions)
        for function in functions:
            if function not in kept:
                function.add_marker(pytest.mark.thorough)
        if not kept:
            stale.append(name)
    if stale and not any("::" in argument for argument in config.args):
        raise pytest.UsageError(f"the mark `sample` names no parameter set of {', '.join(stale)}")


def _sample(functions: list[pytest.Function]) -> set[pytest.Function]:
    """Return the parameter sets of one test that a newcomer runs: the same ones in every run."""
    mark = functions[0].get_closest_marker("sample")
    if mark is not None:
        return {one for one in functions if any(fnmatchcase(one.callspec.id, pattern) for pattern in mark.args)}
    others = [one for one in functions if one.get_closest_marker("thorough") is None]
    # In the order of a checksum, neighbours are apart: of two crossed parameters every value has its turn.
    return set(sorted(others, key=lambda one: crc32(one.callspec.id.encode()))[:MOST_SETS]) or set(functions)


BRIEF = 0.05  # seconds


@pytest.fixture
def brief_linger(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorten the wait for a peer to close after an A-ABORT, for peers that never do."""
    monkeypatch.setattr(pump, "LINGER", BRIEF)
    monkeypatch.setattr("dimse.serving.waiting_room.LINGER", BRIEF)


@pytest.fixture
def brief_delays(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorten the delay of the answer to an identity that was not verified."""
    delays = tuple(BRIEF * number / 5 for number in range(1, len(places.DELAYS) + 1))
    monkeypatch.setattr(places, "DELAYS", delays)
    monkeypatch.setattr("dimse.serving.waiting_room.DELAYS", delays)


@pytest.fixture
def brief_leaving(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorten the wait of a server that ends for what does not return."""
    for module in ("aio", "serving.server", "serving.loop"):
        monkeypatch.setattr(f"dimse.{module}.THREADS_LEAVING", 4 * BRIEF)
    monkeypatch.setattr("dimse.serving.handler_calls.HANDLERS_LEAVING", 4 * BRIEF)


@pytest.fixture(scope="session")
def pydicom_files() -> files.PydicomFiles:
    """Return every Part 10 file that pydicom ships, sorted into those that can be sent and the others."""
    return files.pydicom_files()


@pytest.fixture(autouse=True)
def logging_as_it_was() -> Iterator[None]:
    """Restore the log set-up after a test, because a tool in the test's process sets up the log of the process.

    The association that log lines are attributed to is restored too: an operation that a test leaves under way keeps it.
    """
    loggers = logging.getLogger("dimse"), logging.getLogger("dimse.notices")
    before = [(logger.level, list(logger.handlers), list(logger.filters)) for logger in loggers]
    yield
    for logger, (level, handlers, filters) in zip(loggers, before, strict=True):
        logger.setLevel(level)
        logger.handlers[:] = handlers
        logger.filters[:] = filters
    ABOUT.set(None)
