"""Visitors: connections that are not associated yet, and which of them gives way when there are too many."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from dimse.serving.places import address_of
from dimse.support.text import host_and_port

if TYPE_CHECKING:
    from dimse.serving.admission import RequestRefusal
    from dimse.settings import UserIdentity
    from dimse.transport.base import Transport
    from dimse.upper_layer import pdu
    from dimse.upper_layer.provider import UpperLayer


class Visitor:
    """A connection in the waiting room.

    Attributes:
        transport: The connection.
        peer: Host and port of its other end.
        upper_layer: Its protocol machine, with what has arrived so far.
        deadline: The moment at which it has to leave, on `time.monotonic()`.
        secured: True once the TLS handshake is over, or for a plain connection.
        closing: True while its connection is being closed, if its association is released and its place is free.
        leaving: True once it has been answered, and stays only to read the answer.
        held: Bytes of its request that have arrived.
        address: The address under which it is counted.
        request: Its A-ASSOCIATE-RQ, from when that is complete until it is refused.
        identity: The user identity of that, while it waits for its check or the check runs.
        identified: The answer to that identity once it is verified; None where none had to be.
        refusal: The answer that it waits for, after a failed check.
    """

    __slots__ = (
        "address",
        "closing",
        "deadline",
        "held",
        "identified",
        "identity",
        "leaving",
        "peer",
        "refusal",
        "request",
        "secured",
        "transport",
        "upper_layer",
    )

    def __init__(self, transport: Transport, upper_layer: UpperLayer, deadline: float) -> None:
        self.transport, self.upper_layer, self.deadline = transport, upper_layer, deadline
        self.peer = transport.peer_address  # while it can be asked for
        self.secured, self.leaving, self.held = True, False, 0
        self.closing = False
        self.address = address_of(self.peer[0])
        self.request: pdu.AssociateRQ | None = None
        self.identity: UserIdentity | None = None
        self.identified: bytes | None = None
        self.refusal: RequestRefusal | None = None

    @property
    def rank(self) -> int:
        """The order in which visitors of one address give way: first those that have their answer, last whole requests."""
        return 0 if self.leaving or self.refusal else 1 if self.request is None else 2

    def __str__(self) -> str:
        return host_and_port(*self.peer)


class Crowd:
    """The visitors that are here, by address.

    Attributes:
        held: Bytes of all their requests.
    """

    def __init__(self) -> None:
        self.held = 0
        # Of each address the oldest is first.
        self._here: dict[str, dict[Visitor, None]] = {}

    def __len__(self) -> int:
        return sum(map(len, self._here.values()))

    def __contains__(self, visitor: Visitor) -> bool:
        return visitor in self._here.get(visitor.address, ())

    def add(self, visitor: Visitor) -> None:
        """Count a visitor; one that is here already becomes the newest of its address."""
        theirs = self._here.setdefault(visitor.address, {})
        theirs.pop(visitor, None)
        theirs[visitor] = None

    def remove(self, visitor: Visitor) -> None:
        """Remove a visitor; harmless if it is not here."""
        theirs = self._here.get(visitor.address, {})
        theirs.pop(visitor, None)
        if not theirs:
            self._here.pop(visitor.address, None)

    def hold(self, visitor: Visitor, held: int) -> None:
        """Count what has arrived of a visitor's request, in bytes, instead of what was counted before."""
        self.held += held - visitor.held
        visitor.held = held

    def one_of_most(self) -> Visitor:
        """Return the visitor that is to give way, of the address that has most of them."""
        fullest = max(self._here, key=lambda address: len(self._here[address]))
        return _first(self._here[fullest])

    def one_of_most_bytes(self) -> Visitor:
        """Return the visitor that is to give way, of the address whose requests have most bytes."""
        heaviest = max(self._here.values(), key=lambda theirs: sum(each.held for each in theirs))
        return _first(each for each in heaviest if each.held)


def _first(visitors: Iterable[Visitor]) -> Visitor:
    """Return the one of the lowest rank, and of several the oldest."""
    return min(visitors, key=lambda each: each.rank)
