"""A poller, which waits for many descriptors at once: by epoll where the system has it, otherwise by `selectors`."""

from __future__ import annotations

import resource
import select
import selectors
import sys
from contextlib import suppress

from dimse.transport.threaded import POLLED, events_of

_MOST = 1024
"""The most descriptors that one wait reports."""
_EVENTS = [events_of(flags) for flags in range(64)]
"""Events by the flags that epoll and poll have in common."""


class Poller:
    """The descriptors that are waited for; threads may change them while another thread waits."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()

    def watch(self, descriptor: int, events: int) -> None:
        """Register the events of a descriptor to wait for, in place of earlier ones.

        Raises:
            OSError, ValueError: The descriptor is closed.
        """
        if descriptor in self._selector.get_map():
            self._selector.modify(descriptor, events)
        else:
            self._selector.register(descriptor, events)

    def forget(self, descriptor: int) -> None:
        """Unregister a descriptor; harmless if it is not registered."""
        with suppress(KeyError, OSError, ValueError):
            self._selector.unregister(descriptor)

    def wait(self, seconds: float | None) -> list[tuple[int, int]]:
        """Return the descriptors that are ready, each with its events, after at most `seconds`; None is without limit."""
        return [(key.fd, events) for key, events in self._selector.select(seconds)]

    def fileno(self) -> int:
        """Return a descriptor that can be read from when a descriptor is ready; -1 where the system has none."""
        fileno = getattr(self._selector, "fileno", None)
        return -1 if fileno is None else fileno()

    def close(self) -> None:
        """Release the resources of the poller."""
        self._selector.close()


class EpollPoller(Poller):
    """A poller by epoll."""

    def __init__(self) -> None:
        self._epoll = select.epoll()

    def watch(self, descriptor: int, events: int) -> None:
        try:
            self._epoll.register(descriptor, POLLED[events])
        except FileExistsError:
            self._epoll.modify(descriptor, POLLED[events])

    def forget(self, descriptor: int) -> None:
        # A descriptor that was closed is forgotten already.
        with suppress(OSError, ValueError):
            self._epoll.unregister(descriptor)

    def wait(self, seconds: float | None) -> list[tuple[int, int]]:
        return [(descriptor, _EVENTS[flags & 63]) for descriptor, flags in self._epoll.poll(seconds, _MOST)]

    def fileno(self) -> int:
        return self._epoll.fileno()

    def close(self) -> None:
        self._epoll.close()


def new_poller() -> Poller:
    """Return a poller of the fastest kind that the system has."""
    return EpollPoller() if hasattr(select, "epoll") else Poller()


def most_descriptors() -> int:
    """Return how many descriptors the process may have open."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return soft if soft != resource.RLIM_INFINITY else sys.maxsize
