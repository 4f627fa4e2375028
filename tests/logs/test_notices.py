"""Notices: one line a minute for a peer and a reason, and no line is lost without being counted."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from dimse.logs.notices import INTERVAL, LOGGER, MOST_PEERS, MOST_REMEMBERED, OncePerMinute, notice


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
        clock.now += 2 * INTERVAL / MOST_PEERS
    assert len(once._by_peer) == MOST_REMEMBERED


def test_ten_thousand_peers_make_some_lines_and_a_count(
    caplog: pytest.LogCaptureFixture, once: OncePerMinute, clock: _Clock
) -> None:
    for number in range(10_000):
        notice("rejected", f"peer {number}", "peer %d: rejected", number)
    notice("refused", "peer 0", "peer 0: refused")
    assert _lines(caplog) == [*(f"peer {number}: rejected" for number in range(MOST_PEERS)), "peer 0: refused"]
    caplog.clear()
    clock.now = INTERVAL
    for number in (0, 1):
        notice("rejected", f"new peer {number}", "new peer %d: rejected", number)
    others = 10_000 - MOST_PEERS
    assert _lines(caplog) == [
        f"new peer 0: rejected (and {others} more like it of other peers since)",
        "new peer 1: rejected",
    ]


def test_at_the_end_those_of_many_peers_are_one_count(
    caplog: pytest.LogCaptureFixture, once: OncePerMinute, clock: _Clock
) -> None:
    for number in range(MOST_PEERS + 10):
        notice("rejected", f"peer {number}", "peer %d: rejected", number)
    caplog.clear()
    once.flush()
    assert _lines(caplog) == [f"peer {MOST_PEERS + 9}: rejected (and 9 more like it of other peers since)"]


def test_what_was_held_back_of_a_peer_that_is_forgotten_still_counts(
    caplog: pytest.LogCaptureFixture, once: OncePerMinute, clock: _Clock
) -> None:
    for _ in range(3):
        notice("rejected", "10.0.0.1", "10.0.0.1: rejected")
    for number in range(MOST_REMEMBERED):
        clock.now += 2 * INTERVAL / MOST_PEERS
        notice("rejected", f"peer {number}", "rejected")
    caplog.clear()
    clock.now += INTERVAL
    notice("rejected", "10.0.0.2", "10.0.0.2: rejected")
    assert _lines(caplog) == ["10.0.0.2: rejected (and 2 more like it of other peers since)"]
