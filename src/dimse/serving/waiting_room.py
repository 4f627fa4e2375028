"""The waiting room: every connection of a server until its A-ASSOCIATE-RQ is complete, and those on their way out.

Idle and slow peers, health checks and peers that speak no DICOM cost neither a thread nor a task here. Each costs a socket and an
`UpperLayer`, and does not count as an association. The room has no loop of its own: the event loop of a server polls the sockets,
and calls `ready` and `expire`.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import TYPE_CHECKING, ParamSpec

from dimse.association.pump import LINGER, LOGGER
from dimse.errors import ConnectionLost, TLSError
from dimse.logs.security_events import Observe, ignore
from dimse.serving import admission
from dimse.serving.admission import RequestRefusal
from dimse.serving.identification import Verified
from dimse.serving.loop import say_failed
from dimse.serving.places import DELAYS, Checks, Delays, Places
from dimse.serving.visitor_reports import VisitorReports
from dimse.serving.visitors import Crowd, Visitor
from dimse.settings import Acceptor, Limits, Timeouts, UserIdentity
from dimse.support.text import host_and_port, one_line
from dimse.transport import READ
from dimse.transport.base import Transport, is_a_breach
from dimse.transport.poller import most_descriptors
from dimse.upper_layer import negotiation, pdu
from dimse.upper_layer.provider import UpperLayer

if TYPE_CHECKING:
    from dimse.settings.tls import Security

P = ParamSpec("P")

Network = IPv4Network | IPv6Network

_RECEIVED = 64 * 1024
"""Bytes that one call receives."""


class WaitingRoom:
    """The half-open connections of a server, and those that are being rejected.

    Args:
        watch: Begins to watch a visitor for an event (`READ`, `WRITE`), or goes on with another event.
        unwatch: Ends that.
        check: Begins to verify the user identity of a visitor; `checked` is to be called at the end.
        welcome: Takes over a connection whose A-ASSOCIATE-RQ is complete and not rejected; it has one of the `places`.
        acceptor: The parameters by which requests are judged.
        places: The places for associations.
        timeouts: ARTIM is the `acse` one, absolute from the connection's start; a TLS handshake before that has `connect`.
        limits: `half_open` visitors at most, but half of the descriptors that the process may have, and `half_open_bytes` of
            their requests. Beyond that the oldest connection of the address that has most of them is closed.
        networks: The networks that visitors may come from; empty allows all.
        observe: Called with a security event for each connection that is not admitted.
    """

    def __init__(
        self,
        *,
        watch: Callable[[Visitor, int], None],
        unwatch: Callable[[Visitor], None],
        check: Callable[[Visitor], None],
        welcome: Callable[[Visitor], None],
        acceptor: Acceptor,
        places: Places,
        timeouts: Timeouts,
        limits: Limits,
        networks: Iterable[Network] = (),
        observe: Observe = ignore,
    ) -> None:
        self._watch, self._unwatch, self._check, self._welcome = watch, unwatch, check, welcome
        self._acceptor, self._places = acceptor, places
        self._timeouts = timeouts
        self._limits = limits
        self._networks = tuple(networks)
        self._reports = VisitorReports(observe)
        self._buffer = memoryview(bytearray(_RECEIVED))
        # In the order of their deadlines, since each kind has one time-out.
        self._shaking_hands: dict[Visitor, None] = {}
        self._waiting: dict[Visitor, None] = {}
        self._checking: dict[Visitor, None] = {}
        # One dictionary for each delay, for the same reason.
        self._delayed: dict[float, dict[Visitor, None]] = {seconds: {} for seconds in DELAYS}
        self._leaving: dict[Visitor, None] = {}
        self._stages = self._shaking_hands, self._waiting, self._checking, *self._delayed.values(), self._leaving
        self._crowd = Crowd()
        self._checks = Checks[Visitor](limits.identity_checks)
        self._delays = Delays()
        self._verified = Verified()
        # Visitors whose check has ended, and why it failed; empty if it did not.
        self._checked: deque[tuple[Visitor, str]] = deque()

    def __len__(self) -> int:
        return len(self._crowd)

    def enter(self, transport: Transport, security: Security | None = None) -> None:
        """Take a new connection in, or turn it away; nothing is raised. `security` is that of its port."""
        visitor: Visitor | None = None
        try:
            upper = UpperLayer(requestor=False, maximum_length=self._acceptor.maximum_length)
            upper.transport_opened()
            visitor = Visitor(transport, upper, _after(self._timeouts.acse))
            self._take_in(visitor, security)
        except Exception as error:
            _say_failed(visitor.peer if visitor else ("", 0), error)
            if visitor is not None:
                self._close(visitor)
            _close_transport(transport)

    def _take_in(self, visitor: Visitor, security: Security | None) -> None:
        host = visitor.peer[0]
        if not host:
            # Without an address of its other end the connection has been reset already.
            LOGGER.debug("a connection was reset before it was looked at")
            visitor.transport.close()
            return
        if self._networks and not _is_in(host, self._networks):
            self._reports.turned_away(visitor)
            visitor.transport.close()
            return
        # Half of the descriptors are for others: associations, and the files of what they receive.
        most = min(self._limits.half_open, most_descriptors() // 2)
        if self._crowd and len(self) >= most:
            self._give_way(self._crowd.one_of_most(), f"{most} connections")
        if security is None:
            self._waiting[visitor] = None
        else:
            visitor.secured, visitor.deadline = False, _after(self._timeouts.connect)
            try:
                visitor.transport.begin_tls(security)
            except TLSError:  # it is gone already
                visitor.transport.close()
                return
            self._shaking_hands[visitor] = None
        self._crowd.add(visitor)
        self._watch(visitor, READ)

    def _give_way(self, visitor: Visitor, limit: str) -> None:
        """Close a visitor because of a limit that all of them reach together."""
        if visitor.rank:
            self._reports.given_way(visitor, limit)
        self._close(visitor)

    def ready(self, visitor: Visitor) -> None:
        """Go on with a visitor that can be read from, or written to in its TLS handshake; nothing is raised."""
        # It may have given way to another one since that was seen.
        if visitor in self._crowd:
            self._guarded(visitor, self._look_at, visitor)

    def _guarded(self, visitor: Visitor, act: Callable[P, None], *args: P.args, **kwargs: P.kwargs) -> None:
        """Do something with a visitor; where that fails, the visitor's connection is closed and nothing else notices."""
        try:
            act(*args, **kwargs)
        except Exception as error:
            _say_failed(visitor.peer, error)
            self._close(visitor)

    def _look_at(self, visitor: Visitor) -> None:
        try:
            if visitor.secured or self._shake_hands(visitor):
                self._receive(visitor)
        except (ConnectionLost, TLSError) as error:
            # Health checks connect and go again, which is not worth a line. A breach of the protocol of TLS is.
            if visitor.transport.silent if isinstance(error, TLSError) else not is_a_breach(error):
                LOGGER.debug("%s:%d: %s", *visitor.peer, one_line(str(error)))
            else:
                self._reports.fault("tls", visitor, str(error))
            if isinstance(error, TLSError) and error.lasting:
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
        """Take in what has come; one look a turn, so that a visitor that never stops sending does not take the time of all."""
        while self._receive_some(visitor) and visitor.transport.holds_data:
            pass

    def _receive_some(self, visitor: Visitor) -> bool:
        """Take in what one call brings; return True if the visitor may have sent more."""
        upper = visitor.upper_layer
        count = visitor.transport.receive_now(self._buffer)
        if not count or visitor.leaving:
            if count == 0:
                self._close(visitor)
            return False
        indications = upper.receive(self._buffer[:count])
        request = indications[0] if indications else None
        if isinstance(request, pdu.AssociateRQ) and upper.state == "Sta3":
            # The bytes behind the request belong to the association, and are not counted here.
            self._crowd.hold(visitor, 0)
            self._decide(visitor, request)
            return False
        if visitor.request is None:
            self._hold(visitor, upper.held)
            if visitor not in self._crowd:
                # It has given way to what it brought itself.
                return False
        # An A-ABORT is owed where it spoke no DICOM, or out of turn.
        if upper.owes:
            self._reports.protocol_fault(visitor, self._buffer)
            self._see_off(visitor, LINGER)
        elif upper.closing:
            self._close(visitor)
        if visitor.transport.closed:
            return False
        # The peer may wait for that before it sends the rest of its request.
        visitor.transport.acknowledge()
        return True

    def _hold(self, visitor: Visitor, held: int) -> None:
        """Count what has arrived of a visitor's request; the oldest give way when all of them are too much."""
        self._crowd.hold(visitor, held)
        while self._crowd.held > self._limits.half_open_bytes:
            self._give_way(self._crowd.one_of_most_bytes(), f"requests of {self._limits.half_open_bytes} bytes")

    # --- a request that is complete ---

    def _decide(self, visitor: Visitor, request: pdu.AssociateRQ) -> None:
        visitor.request = request
        refusal = admission.judge(self._acceptor, self._places, request, visitor.address)
        identity = negotiation.user_identity(request)
        if refusal is not None:
            self._reject(visitor, refusal)
        elif self._acceptor.identify is None or (identity is None and self._acceptor.allow_anonymous):
            self._admit(visitor)
        elif identity is None:
            self._not_identified(visitor, "the request has no user identity")
        else:
            self._line_up(visitor, identity)

    def _admit(self, visitor: Visitor) -> None:
        # First of all: no place is taken by a visitor that cannot be handed over.
        self._unwatch(visitor)
        if why := self._places.take(visitor.address):
            self._reject(visitor, RequestRefusal(admission.LOCAL_LIMIT_EXCEEDED, why))
            return
        self._crowd.hold(visitor, 0)
        self._forget(visitor)
        self._welcome(visitor)

    def _reject(self, visitor: Visitor, refusal: RequestRefusal) -> None:
        self._reports.rejected(visitor, refusal)
        self._answer(visitor, refusal)

    def _answer(self, visitor: Visitor, refusal: RequestRefusal) -> None:
        visitor.upper_layer.associate_response(refusal.rejection)
        self._see_off(visitor, self._timeouts.acse)

    # --- checks of user identities ---

    def _line_up(self, visitor: Visitor, identity: UserIdentity) -> None:
        """Let a visitor wait until its user identity is checked; it holds no place meanwhile."""
        self._hold(visitor, visitor.upper_layer.pdu_length)
        if visitor not in self._crowd:  # it has given way
            return
        visitor.identity = identity
        visitor.deadline = _after(self._timeouts.acse)
        del self._waiting[visitor]
        self._checking[visitor] = None
        self._checks.put(visitor.address, identity.primary, visitor, known=identity in self._verified)
        self._begin_checks()

    def _begin_checks(self) -> None:
        while (visitor := self._checks.begin()) is not None:
            self._guarded(visitor, self._check, visitor)

    def checked(self, visitor: Visitor, why: str) -> None:
        """Note that the check of a visitor's user identity has ended; from any thread. `expire` then goes on with the visitor.

        Args:
            visitor: The visitor; its `identified` is set if the identity was verified.
            why: The reason why the visitor is refused; empty if it is not.
        """
        self._checked.append((visitor, why))

    def _settle(self, visitor: Visitor, why: str) -> None:
        """Begin the next check, and admit or refuse a visitor whose check has ended."""
        self._checks.end(visitor.address)
        self._begin_checks()
        identity = visitor.identity
        if identity is not None and why:
            self._verified.discard(identity)
        elif identity is not None:
            self._verified.add(identity)
            self._delays.succeeded(visitor.address)
        if visitor in self._checking:  # else it has left meanwhile
            if why:
                self._not_identified(visitor, why, self._delays.failed(visitor.address))
            else:
                self._admit(visitor)

    def _not_identified(self, visitor: Visitor, why: str, delay: float = 0) -> None:
        """Refuse a visitor for its user identity; the answer goes out after a delay in seconds."""
        refusal = RequestRefusal(admission.NOT_IDENTIFIED, why)
        self._reports.unidentified(visitor, refusal)
        if not delay:
            self._answer(visitor, refusal)
            return
        self._crowd.hold(visitor, 0)
        visitor.refusal, visitor.request, visitor.identity = refusal, None, None
        visitor.deadline = _after(delay)
        del self._checking[visitor]
        self._delayed[delay][visitor] = None

    # --- the end of a visit ---

    def _see_off(self, visitor: Visitor, seconds: float) -> None:
        """Send what is owed, and wait a while for the visitor to read it and close: closing first could reset the connection."""
        visitor.transport.send_now(visitor.upper_layer.data_to_send())
        self._hold(visitor, 0)
        visitor.leaving = visitor.secured = True
        visitor.deadline = time.monotonic() + min(seconds or LINGER, LINGER)
        self._forget(visitor)
        visitor.request = visitor.identity = None
        self._leaving[visitor] = None
        self._crowd.add(visitor)
        self._watch(visitor, READ)

    def expire(self) -> float | None:
        """Go on with visitors whose check has ended, and close those that have been here too long.

        Returns:
            The seconds until the next has been here too long; None if none will have.
        """
        while self._checked:
            visitor, why = self._checked.popleft()
            self._guarded(visitor, self._settle, visitor, why)
        now = time.monotonic()
        # The deadlines are infinite too where the timeout is unlimited.
        nearest = float("inf")
        for visitors in self._stages:
            while visitors:
                visitor = next(iter(visitors))
                if visitor.deadline > now:
                    nearest = min(nearest, visitor.deadline - now)
                    break
                self._guarded(visitor, self._time_is_up, visitor)
        return nearest if nearest < float("inf") else None

    def _time_is_up(self, visitor: Visitor) -> None:
        if visitor in self._checking:
            why = "its user identity was not checked in time, for too many wait for that"
            self._reject(visitor, RequestRefusal(admission.TEMPORARY_CONGESTION, why))
        elif visitor.refusal is not None and not visitor.leaving:
            self._answer(visitor, visitor.refusal)
        else:
            self._close(visitor)

    def clear(self) -> None:
        """Close every connection."""
        for visitors in self._stages:
            for visitor in list(visitors):
                self._close(visitor)

    def _close(self, visitor: Visitor) -> None:
        """Close a visitor's connection; again does nothing, and nothing is raised."""
        self._forget(visitor)
        self._crowd.hold(visitor, 0)
        if visitor.transport.closed:
            return
        # The system forgets a descriptor when it is closed, and a loop finds out when the number is used again.
        with suppress(Exception):
            self._unwatch(visitor)
        _close_transport(visitor.transport)

    def _forget(self, visitor: Visitor) -> None:
        """Take a visitor out of the room's tables."""
        for visitors in self._stages:
            visitors.pop(visitor, None)
        self._crowd.remove(visitor)
        if visitor.identity is not None:
            self._checks.remove(visitor.address, visitor.identity.primary, visitor)


def _close_transport(transport: Transport) -> None:
    """Close a connection, and log what fails in that; nothing is raised."""
    try:
        transport.close()
    except Exception as error:
        _say_failed(("", 0), error)


def _say_failed(peer: tuple[str, int], error: Exception) -> None:
    """Log why a connection was closed that its peer has done nothing to; nothing is raised."""
    where = f"{host_and_port(*peer)}: " if peer[0] else ""
    say_failed(f"{where}the connection was closed, for the server failed", error)


def _after(seconds: float) -> float:
    """Return the moment in so many seconds; 0 is unlimited."""
    return time.monotonic() + (seconds or float("inf"))


def _is_in(host: str, networks: Iterable[Network]) -> bool:
    address: IPv4Address | IPv6Address = ip_address(host.partition("%")[0])
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return any(address in network for network in networks)
