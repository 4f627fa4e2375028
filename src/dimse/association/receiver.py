"""The inward direction of an association: from one system call through the protocol machine to the layer above it."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any, Protocol

from dimse.errors import (
    AssociationAborted,
    AssociationError,
    ConnectionLost,
    DimseError,
    NotDicomPeer,
    ProviderAborted,
    RemoteProtocolError,
)
from dimse.message.assembly import CommandSet
from dimse.message.command import Message
from dimse.support.values import record
from dimse.transport.base import Transport, deadline_after, is_a_breach, timed_out
from dimse.upper_layer import pdu
from dimse.upper_layer.pdata import Fragment
from dimse.upper_layer.provider import Indication, ProviderAbort, UpperLayer

LOGGER = logging.getLogger("dimse.association")
MESSAGES = logging.getLogger("dimse.message")

# Bytes: the most that one system call brings.
RECEIVE_BUFFER = 256 * 1024
# Receive buffers that are kept for the next use.
MOST_SPARE = 16

# Indications that are looked at together. A flood of tiny PDVs behind a request that is being answered takes no more memory.
MOST_INDICATIONS = 1024

# A PDU that has begun has the network timeout, and a second more for this many bytes, to be complete.
LEAST_RATE = 8192

# Bytes of a peer that does not speak DICOM, shown in the error: 'HTTP/1.1 400'.
MOST_HEARD = 12


class Above(Protocol):
    """The layer above a pump: it takes what the pump receives.

    Attributes:
        held_back: The command set of a message that has arrived and must wait. Until it is taken the pump reads nothing more.
        owner: The association while an operation on it is under way, else None: they would keep each other's memory for longer.
    """

    held_back: CommandSet | None
    owner: Any

    async def data_arrived(self, fragments: list[Fragment]) -> list[Fragment]:
        """Take fragments of messages, and return those behind a message that must wait.

        The bytes of the fragments that are taken are valid until this returns.
        """

    async def take_held_back(self) -> None:
        """Take the message that was held back."""

    def stop_answering(self) -> None:
        """Drop the requests that wait, and those that arrive from now on."""

    def let_go(self) -> None:
        """Drop everything that has arrived: the association has ended, and no caller will ask for it."""

    @property
    def within_message(self) -> bool:
        """True if a message has arrived in part."""

    @property
    def expecting(self) -> bool:
        """True if the peer is to send more before we send anything."""

    @property
    def awaiting(self) -> bool:
        """True if a response is awaited."""


class Watching(Protocol):
    """The interface of an observer of the PDUs and messages of an association: a `Dump`, or an `Observing`."""

    def pdu(self, sent_or_received: pdu.PDU, *, outgoing: bool) -> None:
        """Take a PDU that is not data."""

    def command_set(self) -> None:
        """Take note that a command set has been received, which may not be a message."""

    def message(self, message: Message, context_id: int, *, outgoing: bool) -> None:
        """Take a message that is about to be sent, or has been received whole."""


class Buffers:
    """A pool of receive buffers, each lent for as long as what it received is looked at.

    The buffer used last is lent first, because it is still in the processor's cache. A hundred associations that wait need none.
    """

    def __init__(self) -> None:
        self._spare: list[memoryview] = []

    def lend(self) -> memoryview:
        try:
            return self._spare.pop()
        except IndexError:
            return memoryview(bytearray(RECEIVE_BUFFER))

    def give_back(self, buffer: memoryview) -> None:
        if len(self._spare) < MOST_SPARE:
            self._spare.append(buffer)


@record
class Lifecycle:
    """The state of an association that both of its directions share.

    Attributes:
        answer: The A-ASSOCIATE PDU that the peer has sent; None before it has.
        release_asked: True once the peer has asked for a release.
        release_confirmed: True once the peer has confirmed a release of ours.
        torn: True while a PDU of ours has gone out in part.
        abort_wanted: True once we abort the association.
        ended: The reason why nothing can be sent or received any more; None while the association stands.
    """

    answer: pdu.AssociateRQ | pdu.AssociateAC | pdu.AssociateRJ | None = None
    release_asked: bool = False
    release_confirmed: bool = False
    torn: bool = False
    abort_wanted: bool = False
    ended: DimseError | None = None

    def end(self, reason: DimseError) -> None:
        """Note why the association has ended; the first reason counts."""
        if self.ended is None:
            self.ended = reason


class Progress:
    """The deadlines by which more of a message and of a PDU under way has to arrive.

    A byte now and then restarts the network timeout, but does not keep a PDU alive: each PDU has a deadline of its own.
    """

    def __init__(self, upper_layer: UpperLayer, network: float) -> None:
        self._upper = upper_layer
        self._network = network
        self._pdus = 0
        self._pdu_deadline: float | None = None

    def note_received(self) -> None:
        """Give a PDU that has begun its deadline.

        Raises:
            AssociationTimeout: The PDU under way has passed its deadline.
        """
        upper = self._upper
        if upper.pdus != self._pdus:
            self._pdus = upper.pdus
            if self._network:
                self._pdu_deadline = time.monotonic() + self._network + upper.pdu_length / LEAST_RATE
        elif upper.within_pdu and self._pdu_deadline is not None and time.monotonic() > self._pdu_deadline:
            raise timed_out("network")

    def put_off(self, since: float) -> None:
        """Extend the deadline of the PDU under way by the time since `since`, in which nothing was read."""
        if self._pdu_deadline is not None:
            self._pdu_deadline += time.monotonic() - since

    def first_deadline(self, deadline: float | None, wait: str, within_message: bool) -> tuple[float | None, str]:
        """Return the moment by which something has to arrive, and the name of the wait that is over then.

        Args:
            deadline: The deadline of the caller's own wait.
            wait: The name of that wait, as of `timed_out`.
            within_message: True if a message has arrived in part.
        """
        limits: tuple[float | None, ...] = ()
        if self._upper.within_pdu:
            limits = deadline_after(self._network), self._pdu_deadline
        elif within_message:
            limits = (deadline_after(self._network),)
        until, why = deadline, wait
        for limit in limits:
            if limit is not None and (until is None or limit < until):
                until, why = limit, "network"
        return until, why


class Receiver:
    """The inward direction of one association.

    Args:
        transport: The connection.
        upper_layer: The protocol machine of the association.
        above: The layer that takes what arrives.
        lifecycle: The state of the association.
        progress: The deadlines of what is arriving.
        buffers: Memory to receive into.
        dump: Is told of PDUs; None for nothing.

    Attributes:
        dump: As given.
        when_accepted: Called with the peer's A-ASSOCIATE-AC, because a message may follow in the same bytes.
    """

    def __init__(
        self,
        transport: Transport,
        upper_layer: UpperLayer,
        above: Above,
        lifecycle: Lifecycle,
        progress: Progress,
        buffers: Buffers,
        dump: Watching | None,
    ) -> None:
        self.when_accepted: Callable[[pdu.AssociateAC], None] | None = None
        self._transport = transport
        self._upper = upper_layer
        self._above = above
        self._lifecycle = lifecycle
        self._progress = progress
        self._buffers = buffers
        self.dump = dump
        # The first bytes of the peer, for an error.
        self._heard = b""
        # What arrived behind a message that is held back, and the receive buffer that it refers to.
        self._kept: list[Indication] = []
        self._kept_in: memoryview | None = None

    async def receive_once(self) -> bool:
        """Receive by one system call; return False if it would block."""
        buffer = self._buffers.lend()
        try:
            count = await self._receive_into(buffer)
        finally:
            if self._kept_in is not buffer:
                self._buffers.give_back(buffer)
        if count:
            await self._transport.breathe(count)
        return count is not None

    async def _receive_into(self, buffer: memoryview) -> int | None:
        """Receive into `buffer`, and hand on what has come; the number of bytes is that of `Transport.receive_now`."""
        upper, lifecycle = self._upper, self._lifecycle
        try:
            count = self._transport.receive_now(buffer)
        except ConnectionLost as error:
            upper.transport_closed()
            lost = error if is_a_breach(error) and not lifecycle.abort_wanted else self._lost()
            lost.__cause__ = error.__cause__
            lifecycle.end(lost)
            return 0
        if count is None:
            return None
        if lifecycle.answer is None and not self._heard:
            self._heard = bytes(buffer[: min(count, MOST_HEARD)])
        await self._take_in(upper.receive(buffer[:count], MOST_INDICATIONS) if count else upper.transport_closed())
        if self._above.held_back is not None:
            self._kept_in = buffer
        if self._above.expecting or upper.within_pdu:
            self._transport.acknowledge()
        self._progress.note_received()
        if upper.owes:
            self._send_owed_now()
        if lifecycle.ended is None and lifecycle.answer is None and upper.state in ("Sta1", "Sta13"):
            # Nothing is indicated before an association is asked for.
            self._provider_aborted(upper.fault)
        return count

    def _send_owed_now(self) -> None:
        """Send what the protocol machine owes the peer, unless a PDU of ours has gone out in part."""
        owed = self._upper.data_to_send()
        if not self._lifecycle.torn:
            self._transport.send_now(owed)
            if self.dump:
                self.dump.pdu(pdu.decode(owed[0], owed[6:]), outgoing=True)

    async def _take_in(self, indications: list[Indication]) -> None:
        """Hand on what has arrived, in order, up to a message that must wait; keep what is behind it."""
        self._kept = await self._hand_on(indications)
        while (rest := self._upper.rest) is not None and self._above.held_back is None:
            self._kept = await self._hand_on(self._upper.receive(rest, MOST_INDICATIONS))

    async def take_held_back(self) -> None:
        """Go on with the message that was held back, and with what is behind it."""
        kept, self._kept = self._kept, []
        await self._above.take_held_back()
        await self._take_in(kept)
        if self._upper.owes:
            self._send_owed_now()
        if self._above.held_back is None and self._kept_in is not None:
            self._buffers.give_back(self._kept_in)
            self._kept_in = None
        await self._transport.breathe(0)

    async def _hand_on(self, indications: list[Indication]) -> list[Indication]:
        """Hand on indications in order, and return those behind a message that must wait."""
        fragments: list[Fragment] = []
        for index, indication in enumerate(indications):
            if type(indication) is Fragment:
                fragments.append(indication)
                continue
            if fragments:
                left = await self._above.data_arrived(fragments)
                if self._above.held_back is not None:
                    return self._without_end([*left, *indications[index:]])
                fragments = []
            self._indicated(indication)
        return [*await self._above.data_arrived(fragments)] if fragments else []

    def _without_end(self, indications: list[Indication]) -> list[Indication]:
        """Return the indications; if the end of the association is among them it counts at once, and nothing else does."""
        for indication in indications:
            if isinstance(indication, (pdu.Abort, ProviderAbort)):
                self._indicated(indication)
                return []
        return indications

    def _indicated(self, indication: Indication) -> None:
        """Take an indication that is not data."""
        match indication:
            case pdu.AssociateRQ() | pdu.AssociateAC() | pdu.AssociateRJ():
                if self.dump:
                    self.dump.pdu(indication, outgoing=False)
                self._lifecycle.answer = indication
                if isinstance(indication, pdu.AssociateAC) and self.when_accepted is not None:
                    self.when_accepted(indication)
            case pdu.ReleaseRQ():
                self._lifecycle.release_asked = True
            case pdu.ReleaseRP():
                self._lifecycle.release_confirmed = True
            case pdu.Abort(source, reason):
                if self.dump:
                    self.dump.pdu(indication, outgoing=False)
                self._lifecycle.end(
                    AssociationAborted(source, reason) if source == 0 else ProviderAborted(source, reason)
                )
            case ProviderAbort():
                self._provider_aborted(indication)

    def let_go(self) -> None:
        """Drop what has arrived behind a message that is held back."""
        self._kept.clear()
        self.when_accepted = None

    def _lost(self) -> AssociationError:
        """Return the error for a connection that has ended without a word of the peer, or by our own abort."""
        if self._lifecycle.abort_wanted:
            return AssociationAborted()
        return ConnectionLost(f"Connection closed{' while waiting for DIMSE message' if self._above.awaiting else ''}")

    def _provider_aborted(self, abort: ProviderAbort) -> None:
        if self._lifecycle.abort_wanted or not abort.why:
            self._lifecycle.end(self._lost())
        elif abort.foreign and self._lifecycle.answer is None:
            self._lifecycle.end(NotDicomPeer(self._heard if self._heard.startswith(abort.foreign) else abort.foreign))
        else:
            self._lifecycle.end(RemoteProtocolError(abort.why, abort_reason=abort.reason))
