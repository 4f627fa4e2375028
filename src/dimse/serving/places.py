"""Places for associations, turns for checks of user identities, and delays after failed ones: fair between addresses."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Generic, TypeVar

T = TypeVar("T")

IPV6_PREFIX = 64
"""Bits of an IPv6 address that count: a host, or the one who runs it, can use every address below them."""

DELAYS = (1.0, 2.0, 4.0, 5.0)
"""Seconds that the answer to a failed check of an identity waits, by the failures of its address in succession."""
DELAY_MEMORY = 60.0
"""Seconds after its last failure for which an address is remembered."""
MOST_FAILED_ADDRESSES = 1024
"""Addresses with failures that are remembered; beyond them the one whose last failure is oldest is forgotten."""


def address_of(host: str) -> str:
    """Return the address under which a host is counted.

    An IPv4 address counts as a whole, also where it is mapped into IPv6. Of an IPv6 address its first 64 bits count.
    Of a link-local one all bits count, because every host of the link shares the first 64.
    """
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        # A connection that was reset has no address any more.
        return host
    if not isinstance(address, IPv6Address):
        return host
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    if address.is_link_local:
        return str(address)
    return str(ip_network((address, IPV6_PREFIX), strict=False))


class Places:
    """The places for associations of a server; safe to use from any thread.

    Args:
        most: Places in all.
        per_address: Places that one address may hold; 0 is without limit.

    Attributes:
        taken: Places that are taken now.
    """

    def __init__(self, most: int, per_address: int) -> None:
        self._most, self._per_address = most, per_address
        self._lock = threading.Lock()
        self._holders: Counter[str] = Counter()
        self.taken = 0
        self._closing = 0

    def why_none(self, address: str) -> str:
        """Return why an address cannot have a place now, in words; empty if it can."""
        if self.taken >= self._most:
            return f"there are as many associations as there may be at one time ({self._most})"
        if self._per_address and self._holders[address] >= self._per_address:
            return f"its address has as many associations as one address may have ({self._per_address})"
        return ""

    def take(self, address: str) -> str:
        """Take a place for an address; return why it cannot have one, or an empty text."""
        with self._lock:
            why = self.why_none(address)
            if not why:
                self.taken += 1
                self._holders[address] += 1
            return why

    def give_back(self, address: str) -> None:
        """Free a place of an address."""
        with self._lock:
            self._free(address)

    def begin_closing(self, address: str) -> bool:
        """Free a place of an address whose association is released, though its connection is not closed yet.

        So the next association of a peer is not rejected for want of the place of its last one.

        Returns:
            True if the place is free, and `end_closing` is to be called. False if as many connections are being closed as there
            are places: then the place is taken until `give_back`.
        """
        with self._lock:
            if self._closing >= self._most:
                return False
            self._closing += 1
            self._free(address)
            return True

    def end_closing(self) -> None:
        """Note that a connection whose place was freed before is closed."""
        with self._lock:
            self._closing -= 1

    def _free(self, address: str) -> None:
        self.taken -= 1
        self._holders[address] -= 1
        if not self._holders[address]:
            del self._holders[address]


_Line = dict[str, dict[bytes, dict[T, None]]]


class Checks(Generic[T]):
    """The items that wait for a check of their user identity, and the number of checks that run.

    Identities that were verified before come first. Apart from that addresses have their turns one after another, and so have
    the users that the requests of one address name. So a request does not wait for all those of another address, or of another
    user, that came before it.

    Args:
        most: Checks that run at one time; one address has half of them, at least 1.
    """

    def __init__(self, most: int) -> None:
        self._most, self._per_address = most, max(1, most // 2)
        # Items by address and user. The first of each dictionary is the next to have its turn.
        self._known: _Line[T] = {}
        self._new: _Line[T] = {}
        self._running: Counter[str] = Counter()

    def put(self, address: str, user: bytes, item: T, *, known: bool = False) -> None:
        """Let an item wait for its turn; `known` says that its identity was verified before."""
        line = self._known if known else self._new
        line.setdefault(address, {}).setdefault(user, {})[item] = None

    def remove(self, address: str, user: bytes, item: T) -> None:
        """Take an item out that waits; harmless if it does not."""
        for line in (self._known, self._new):
            users = line.get(address, {})
            users.get(user, {}).pop(item, None)
            if user in users and not users[user]:
                del users[user]
            if address in line and not users:
                del line[address]

    def begin(self) -> T | None:
        """Return the next item whose check may run now, or None; its check then counts until `end`."""
        if self._running.total() >= self._most:
            return None
        for line in (self._known, self._new):
            for address in line:
                if self._running[address] < self._per_address:
                    self._running[address] += 1
                    return _take_first(line, address)
        return None

    def end(self, address: str) -> None:
        """Stop counting a check of an address."""
        self._running[address] -= 1
        if not self._running[address]:
            del self._running[address]


def _take_first(line: _Line[T], address: str) -> T:
    """Take the first item of an address out of a line; its user and its address then are behind the others."""
    users = line.pop(address)
    user, items = next(iter(users.items()))
    item = next(iter(items))
    del users[user], items[item]
    if items:
        users[user] = items
    if users:
        line[address] = users
    return item


class Delays:
    """The delays of the answers to failed checks, by address.

    Args:
        clock: Returns seconds; `time.monotonic` but in tests.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        # By address: the moment of its last failure, and the number of them in succession. The oldest is first.
        self._failures: dict[str, tuple[float, int]] = {}

    def __len__(self) -> int:
        return len(self._failures)

    def failed(self, address: str) -> float:
        """Count a failure of an address, and return the seconds that its answer waits."""
        now = self._clock()
        before, failures = self._failures.pop(address, (now, 0))
        if now - before > DELAY_MEMORY:
            failures = 0
        self._failures[address] = now, failures + 1
        while len(self._failures) > MOST_FAILED_ADDRESSES:
            del self._failures[next(iter(self._failures))]
        return DELAYS[min(failures, len(DELAYS) - 1)]

    def succeeded(self, address: str) -> None:
        """Forget the failures of an address."""
        self._failures.pop(address, None)
