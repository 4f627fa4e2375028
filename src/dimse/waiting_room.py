"""The waiting room: every connection of a server until its A-ASSOCIATE-RQ is complete, and those on their way out.

Idle connections, slow ones, health checks and whoever speaks no DICOM cost neither a thread nor a task here, but a socket and an
`UpperLayer`, and they do not count as associations. The room has no loop of its own: a server's selector or event loop watches the
sockets, and calls `ready` and `expire`.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import TYPE_CHECKING

from dimse.errors import AssociationRejected, ConnectionLost, NotDicomPeer, TLSError
from dimse.happenings import Happening, Observe, ignore
from dimse.logs import About, within
from dimse.pump import LINGER, LOGGER, MOST_HEARD
from dimse.settings import Limits, Timeouts
from dimse.text import one_line
from dimse.transport import READ
from dimse.transport.base import Transport
from dimse.upper_layer import pdu
from dimse.upper_layer.negotiation import identity_fault
from dimse.upper_layer.provider import UpperLayer

if TYPE_CHECKING:
    from dimse.tls import Security

Network = IPv4Network | IPv6Network

_RECEIVED = 64 * 1024  # bytes that one look at a connection takes


class Visitor:
    """A connection in the waiting room.

    Attributes:
        transport: The connection.
        peer: Host and port of its other end.
        upper_layer: What it has said so far.
        deadline: When it has to leave, on `time.monotonic()`.
        secured: Is it past the TLS handshake, or without one?
        leaving: Has it been answered, and is it waited for only so that it can read the answer?
        held: Bytes of its request that have arrived.
    """

    __slots__ = ("deadline", "held", "leaving", "peer", "secured", "transport", "upper_layer")

    def __init__(self, transport: Transport, upper_layer: UpperLayer, deadline: float) -> None:
        self.transport, self.upper_layer, self.deadline = transport, upper_layer, deadline
        self.peer = transport.peer_address  # while it can be asked for
        self.secured, self.leaving, self.held = True, False, 0


class WaitingRoom:
    """Connections that are no association yet, and those that will be none.

    Args:
        watch: Begin to watch a visitor for an event (`READ`, `WRITE`), or go on with another one.
        unwatch: Watch it no more.
        judge: Whether the A-ASSOCIATE-RQ is rejected as it stands, and how.
        welcome: An A-ASSOCIATE-RQ is complete and not rejected: the connection is now yours.
        maximum_length: The largest P-DATA-TF PDU that is announced.
        timeouts: ARTIM is the `acse` one, absolute from the connection's start; a TLS handshake before that has `connect`.
        limits: `half_open` visitors at most; the oldest gives way.
        networks: Where visitors may come from; empty: from anywhere.
        security: Asked at each connection how it is to speak TLS; None for a plain one.
        observe: Told of who is not let in.
    """

    def __init__(
        self,
        *,
        watch: Callable[[Visitor, int], None],
        unwatch: Callable[[Visitor], None],
        judge: Callable[[pdu.AssociateRQ], pdu.AssociateRJ | None],
        welcome: Callable[[Transport, UpperLayer, pdu.AssociateRQ], None],
        maximum_length: int,
        timeouts: Timeouts,
        limits: Limits,
        networks: Iterable[Network] = (),
        security: Callable[[], Security | None] = lambda: None,
        observe: Observe = ignore,
    ) -> None:
        self._watch, self._unwatch, self._judge, self._welcome = watch, unwatch, judge, welcome
        self._maximum_length = maximum_length
        self._timeouts = timeouts
        self._limits = limits
        self._networks = tuple(networks)
        self._security, self._observe = security, observe
        self._buffer = memoryview(bytearray(_RECEIVED))
        # In the order of their deadlines, since each kind has one time-out.
        self._shaking_hands: dict[Visitor, None] = {}
        self._waiting: dict[Visitor, None] = {}
        self._leaving: dict[Visitor, None] = {}
        self._held = 0  # bytes of all their requests

    def __len__(self) -> int:
        return len(self._shaking_hands) + len(self._waiting) + len(self._leaving)

    def enter(self, transport: Transport) -> None:
        """Take a new connection in; it may be turned away."""
        host, port = transport.peer_address
        if self._networks and not _is_in(host, self._networks):
            LOGGER.warning("%s:%d: not allowed to connect from there", host, port)
            self._observe(Happening("turned away", (host, port)))
            transport.close()
            return
        if len(self) >= self._limits.half_open:
            self._close(next(iter(self._leaving or self._shaking_hands or self._waiting)))
        upper = UpperLayer(requestor=False, maximum_length=self._maximum_length)
        upper.transport_opened()
        visitor = Visitor(transport, upper, _after(self._timeouts.acse))
        security = self._security()
        if security is None:
            self._waiting[visitor] = None
        else:
            visitor.secured, visitor.deadline = False, _after(self._timeouts.connect)
            try:
                transport.begin_tls(security)
            except TLSError:  # it is gone already
                transport.close()
                return
            self._shaking_hands[visitor] = None
        self._watch(visitor, READ)

    def ready(self, visitor: Visitor) -> None:
        """Something can be read from a visitor, or written to it in its TLS handshake."""
        if not any(visitor in those for those in (self._waiting, self._shaking_hands, self._leaving)):
            return  # it has given way to another one since that was seen
        try:
            if visitor.secured or self._shake_hands(visitor):
                self._receive(visitor)
        except ConnectionLost as error:
            # Health checks connect and go again: no news.
            LOGGER.debug("%s:%d: %s", *visitor.peer, one_line(str(error)))
            self._close(visitor)
        except TLSError as error:
            level = logging.DEBUG if visitor.transport.silent else logging.ERROR
            LOGGER.log(level, "%s:%d: %s", *visitor.peer, one_line(str(error)))
            if not visitor.transport.silent:
                self._observe(Happening("tls", visitor.peer, why=str(error)))
            if error.lasting:
                self._see_off(visitor, LINGER)
            else:
                self._close(visitor)

    def _shake_hands(self, visitor: Visitor) -> bool:
        wanted = visitor.transport.shake_hands()
        if wanted:
            self._watch(visitor, wanted)
            return False
        visitor.secured = True
        visitor.deadline = _after(self._timeouts.acse)
        del self._shaking_hands[visitor]
        self._waiting[visitor] = None
        self._watch(visitor, READ)
        return True

    def _receive(self, visitor: Visitor) -> None:
        upper = visitor.upper_layer
        while True:
            count = visitor.transport.receive_now(self._buffer)
            if count is None:
                return
            if count == 0:
                self._close(visitor)
                return
            if visitor.leaving:
                return  # one look a turn: who never stops talking does not take everybody's time
            indications = upper.receive(self._buffer[:count])
            self._hold(visitor, upper.held)
            request = indications[0] if indications else None
            if isinstance(request, pdu.AssociateRQ) and upper.state == "Sta3":
                self._decide(visitor, request)
                return
            if upper.owes:  # it spoke no DICOM, or out of turn
                self._say_why(visitor)
                self._see_off(visitor, LINGER)
            elif upper.closing:
                self._close(visitor)
            if visitor.transport.closed:
                return
            visitor.transport.acknowledge()  # the rest of its request may wait for that

    def _hold(self, visitor: Visitor, held: int) -> None:
        """Count what has arrived of a visitor's request; the oldest give way when all of them are too much."""
        self._held += held - visitor.held
        visitor.held = held
        while self._held > self._limits.half_open_bytes:
            self._close(next(iter(self._waiting)))

    def _decide(self, visitor: Visitor, request: pdu.AssociateRQ) -> None:
        rejection = self._judge(request)
        if rejection is None:
            self._unwatch(visitor)
            del self._waiting[visitor]
            self._welcome(visitor.transport, visitor.upper_layer, request)
            return
        host, port = visitor.peer
        with within(About((host, port), request.calling_ae_title, request.called_ae_title)):
            LOGGER.info("Rejecting Association")
            for fault in (*request.oddities, identity_fault(request)):
                if fault:
                    LOGGER.info("The request: %s", fault)
            LOGGER.warning(
                "%s:%d: rejected %s", host, port, one_line(f"{request.calling_ae_title} -> {request.called_ae_title}")
            )
        titles = request.calling_ae_title, request.called_ae_title
        why = AssociationRejected(rejection.result, rejection.source, rejection.reason).reason_text
        self._observe(Happening("rejected", visitor.peer, *titles, why=why))
        visitor.upper_layer.associate_response(rejection)
        self._see_off(visitor, self._timeouts.acse)

    def _say_why(self, visitor: Visitor) -> None:
        host, port = visitor.peer
        fault = visitor.upper_layer.fault
        heard = bytes(self._buffer[:MOST_HEARD])
        why = fault.why or "the protocol version is not supported"
        if fault.foreign:
            why = str(NotDicomPeer(heard if heard.startswith(fault.foreign) else fault.foreign))
        LOGGER.error("%s:%d: %s", host, port, one_line(why))
        self._observe(Happening("protocol", visitor.peer, why=why))

    def _see_off(self, visitor: Visitor, seconds: float) -> None:
        """Send what is owed, and wait a while for the visitor to read it and close: closing first could reset the connection."""
        visitor.transport.send_now(visitor.upper_layer.data_to_send())
        self._hold(visitor, 0)
        visitor.leaving = visitor.secured = True
        visitor.deadline = time.monotonic() + min(seconds or LINGER, LINGER)
        self._shaking_hands.pop(visitor, None)
        self._waiting.pop(visitor, None)
        self._leaving[visitor] = None
        self._watch(visitor, READ)

    def expire(self) -> float | None:
        """Close who has been here too long; returns the seconds until the next has, or None if nobody will have."""
        now = time.monotonic()
        nearest = float("inf")  # as the deadlines are where the timeout is unlimited
        for visitors in (self._shaking_hands, self._waiting, self._leaving):
            while visitors:
                visitor = next(iter(visitors))
                if visitor.deadline > now:
                    nearest = min(nearest, visitor.deadline - now)
                    break
                self._close(visitor)
        return nearest if nearest < float("inf") else None

    def clear(self) -> None:
        """Close every connection."""
        for visitor in (*self._shaking_hands, *self._waiting, *self._leaving):
            self._close(visitor)

    def _close(self, visitor: Visitor) -> None:
        self._unwatch(visitor)
        self._shaking_hands.pop(visitor, None)
        self._waiting.pop(visitor, None)
        self._leaving.pop(visitor, None)
        self._held -= visitor.held
        visitor.held = 0
        visitor.transport.close()


def _after(seconds: float) -> float:
    """The moment that is so far away; 0 is unlimited."""
    return time.monotonic() + (seconds or float("inf"))


def _is_in(host: str, networks: Iterable[Network]) -> bool:
    address: IPv4Address | IPv6Address = ip_address(host.partition("%")[0])
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return any(address in network for network in networks)
