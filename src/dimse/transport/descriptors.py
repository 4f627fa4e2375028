"""Which of many descriptors are ready, and how many there may be.

By epoll where the system has it, without what the general way costs for each event.
"""

from __future__ import annotations

import resource
import select
import selectors
import sys
from contextlib import suppress

from dimse.transport.blocking import POLLED, events_of

_MOST = 1024  # that are told of at one time
_EVENTS = [events_of(flags) for flags in range(64)]  # by the flags that epoll and poll have in common


class Descriptors:
    """Descriptors that are waited for; other threads may change which, meanwhile. By whatever the system has for that."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()

    def register(self, descriptor: int, events: int) -> None:
        """Wait for these events too.

        Raises:
            OSError, ValueError, KeyError: It is closed, or registered.
        """
        self._selector.register(descriptor, events)

    def modify(self, descriptor: int, events: int) -> None:
        """Wait for these events of it instead; raises as `register`."""
        self._selector.modify(descriptor, events)

    def unregister(self, descriptor: int) -> None:
        """Do not wait for it any more."""
        self._selector.unregister(descriptor)

    def wait(self, seconds: float | None) -> list[tuple[int, int]]:
        """Wait so long, None is without limit; the descriptors that are ready, each with its events, and perhaps others."""
        return [(key.fd, events) for key, events in self._selector.select(seconds)]

    def close(self) -> None:
        """Let go of all of them."""
        self._selector.close()


class _Polled(Descriptors):
    """By epoll."""

    def __init__(self) -> None:
        self._epoll = select.epoll()

    def register(self, descriptor: int, events: int) -> None:
        self._epoll.register(descriptor, POLLED[events])

    def modify(self, descriptor: int, events: int) -> None:
        self._epoll.modify(descriptor, POLLED[events])

    def unregister(self, descriptor: int) -> None:
        with suppress(OSError):  # it has been closed, and so is none of them already
            self._epoll.unregister(descriptor)

    def wait(self, seconds: float | None) -> list[tuple[int, int]]:
        return [(descriptor, _EVENTS[flags & 63]) for descriptor, flags in self._epoll.poll(seconds, _MOST)]

    def close(self) -> None:
        self._epoll.close()


def none_yet() -> Descriptors:
    """Descriptors that are waited for, by the fastest way that the system has."""
    return _Polled() if hasattr(select, "epoll") else Descriptors()


def most_descriptors() -> int:
    """Return how many descriptors the process may have open."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return soft if soft != resource.RLIM_INFINITY else sys.maxsize
