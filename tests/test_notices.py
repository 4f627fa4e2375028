"""Notices: one line a minute for a peer and a reason, and no line is lost without being counted."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from dimse.notices import INTERVAL, LOGGER, MOST_REMEMBERED, OncePerMinute, notice


class _Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> _Clock:
    return _Clock()


@pytest.fixture
def once(clock: _Clock) -> Iterator[OncePerMinute]:
    once = OncePerMinute(clock)
    LOGGER.addFilter(once)
    yield once
    LOGGER.removeFilter(once)


def _lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


def test_a_reason_is_told_once_a_minute_for_each_peer(
    caplog: pytest.LogCaptureFixture, once: OncePerMinute, clock: _Clock
) -> None:
    for peer in ("10.0.0.1", "10.0.0.1", "10.0.0.2"):
        notice("rejected", peer, "%s: rejected", peer)
    notice("refused", "10.0.0.1", "10.0.0.1: refused")
    assert _lines(caplog) == ["10.0.0.1: rejected", "10.0.0.2: rejected", "10.0.0.1: refused"]


def test_the_line_after_the_minute_counts_those_that_were_held_back(
    caplog: pytest.LogCaptureFixture, once: OncePerMinute, clock: _Clock
) -> None:
    for _ in range(4):
        notice("rejected", "10.0.0.1", "%s: rejected", "10.0.0.1")
    clock.now = INTERVAL
    notice("rejected", "10.0.0.1", "%s: rejected", "10.0.0.1")
    assert _lines(caplog) == ["10.0.0.1: rejected", "10.0.0.1: rejected (and 3 more like it since)"]


def test_what_is_held_back_at_the_end_is_counted(
    caplog: pytest.LogCaptureFixture, once: OncePerMinute, clock: _Clock
) -> None:
    for number in range(3):
        notice("rejected", "10.0.0.1", "rejected %d", number)
    once.flush()
    assert _lines(caplog) == ["rejected 0", "rejected 2 (and 1 more like it since)"]


def test_a_single_line_that_is_held_back_at_the_end_is_told_without_a_count(
    caplog: pytest.LogCaptureFixture, once: OncePerMinute, clock: _Clock
) -> None:
    for number in range(2):
        notice("rejected", "10.0.0.1", "rejected %d", number)
    once.flush()
    assert _lines(caplog) == ["rejected 0", "rejected 1"]


def test_with_a_verbose_log_each_is_a_line_of_its_own(
    caplog: pytest.LogCaptureFixture, once: OncePerMinute, clock: _Clock
) -> None:
    with caplog.at_level(logging.INFO, logger="dimse"):
        for _ in range(3):
            notice("rejected", "10.0.0.1", "rejected")
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO", "INFO"]


def test_many_peers_take_no_more_memory_than_some(once: OncePerMinute, clock: _Clock) -> None:
    for number in range(2 * MOST_REMEMBERED):
        notice("rejected", f"peer {number}", "rejected")
    assert len(once._told) == MOST_REMEMBERED
