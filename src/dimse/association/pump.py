"""The pump: it moves the PDUs of one association both ways at once, and ends it.

While something goes out or is waited for, whatever arrives is taken in. What the messages in it mean is the affair of
`dimse.association`; how a wait waits is the transport's.
"""

from __future__ import annotations

import logging
import time
from abc import ABC, abstractmethod
from types import TracebackType
from typing import TYPE_CHECKING

from dimse.errors import (
    AssociationAborted,
    AssociationError,
    ConnectionLost,
    DimseError,
    LocalProtocolError,
    NotDicomPeer,
    ProviderAborted,
    RemoteProtocolError,
)
from dimse.logs import ABOUT
from dimse.settings import Limits, Timeouts
from dimse.transport import READ, WRITE
from dimse.transport.base import Transport, deadline_after, is_a_breach, timed_out
from dimse.upper_layer import pdata, pdu
from dimse.upper_layer.pdata import Buffer, Fragment
from dimse.upper_layer.pdv import COMMAND
from dimse.upper_layer.provider import Indication, ProviderAbort, UpperLayer

if TYPE_CHECKING:
    from dimse.association.dump import Dump

LOGGER = logging.getLogger("dimse.association")
MESSAGES = logging.getLogger("dimse.message")

RECEIVE_BUFFER = 256 * 1024  # bytes; the most that one system call brings
MOST_SPARE = 16  # of them that are kept

# Indications that are looked at together. A flood of tiny PDVs behind a request that is being answered takes no more memory.
MOST_INDICATIONS = 1024

# After an A-ABORT the peer is given this many seconds to close: closing over its unread bytes would reset the connection,
# and the reset can overtake the A-ABORT.
LINGER = 0.5

# A PDU that has begun has the network timeout, and a second more for this many bytes, to be complete.
LEAST_RATE = 8192

MOST_HEARD = 12  # bytes of what is no DICOM that an error shows: 'HTTP/1.1 400'


class Buffers:
    """Memory to receive into, lent for as long as what came is looked at.

    The one used last is lent first, for the processor still has it at hand; and a hundred associations that wait need none.
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


class Pump(ABC):
    """The PDUs of one association, over its transport.

    Attributes:
        timeouts: In seconds.
        sent_bytes: What has gone out so far; may be read from any thread.
        about: What its lines in the log are about.
    """

    def __init__(
        self, transport: Transport, upper_layer: UpperLayer, timeouts: Timeouts, limits: Limits, buffers: Buffers
    ) -> None:
        self.timeouts = timeouts
        self._transport = transport
        self._upper = upper_layer
        self._limits = limits
        self._buffers = buffers
        self._heard = b""  # the first bytes of the peer's
        self._answer: pdu.AssociateRQ | pdu.AssociateAC | pdu.AssociateRJ | None = None
        self._release_asked = self._release_confirmed = False
        self._ended: DimseError | None = None  # why nothing can be sent or received any more
        self._busy = False
        self._torn = False  # a PDU has gone out in part
        self._abort_wanted = False
        self.sent_bytes = 0
        # What arrived behind a request whose turn has not come, and the receive buffer that it refers to.
        self._kept: list[Indication] = []
        self._kept_in: memoryview | None = None
        self._pdus = 0  # that have begun to arrive
        self._pdu_deadline: float | None = None  # for the last of them
        self._dump = dump_if_debugging()
        self.about = ABOUT.get()  # whoever makes it says what it is

    # --- what is above: messages ---

    @abstractmethod
    async def _p_data(self, fragments: list[Fragment]) -> list[Fragment]:
        """Take fragments of messages that have arrived, and return those behind a request whose turn has not come.

        The bytes of those that are taken are valid until this returns.
        """

    @abstractmethod
    def _accepted(self, accept: pdu.AssociateAC) -> None:
        """The peer has accepted the association: a message may follow in the same bytes."""

    @property
    @abstractmethod
    def _within_message(self) -> bool:
        """Has a message arrived in part?"""

    @property
    @abstractmethod
    def _awaiting(self) -> bool:
        """Is a response awaited?"""

    @property
    @abstractmethod
    def _expecting(self) -> bool:
        """Is the peer to send more, before we send anything?"""

    @property
    @abstractmethod
    def _held_back(self) -> bool:
        """Has a request arrived whose turn has not come? Until then nothing more is read."""

    @abstractmethod
    async def _begin_held_back(self) -> None:
        """Take the request that was held back: its turn has come."""

    @abstractmethod
    async def _answer_no_more(self) -> None:
        """Drop the requests that wait, and those that arrive from now on."""

    @abstractmethod
    def _let_go(self) -> None:
        """Nobody will ask any more for what has arrived."""

    # --- one operation at a time ---

    def operation(self) -> _Operation:
        """What every operation runs within: alone, and a failure in it ends the association."""
        return _Operation(self)

    @property
    def open(self) -> bool:
        """Does the association still stand, as far as we know?"""
        return self._ended is None and not self._abort_wanted and not self._transport.closed

    # --- the end ---

    def abort(self) -> None:
        """Abort the association (PS3.8 7.3) and close the connection; from any thread, and again.

        Who waits on the association in another thread or task gets `AssociationAborted`.
        """
        if self._abort_wanted or self._transport.closed:
            return
        self._abort_wanted = True
        before = ABOUT.set(self.about)  # whoever calls may be no part of the association
        try:
            LOGGER.info("Aborting Association")
            if not (self._busy and self._transport.secured):  # TLS is not for two threads at a time
                self._say_abort(pdu.Abort())
        finally:
            ABOUT.reset(before)
        self._transport.wake()
        if not self._busy:
            self._end(AssociationAborted())
            self._close()

    def _say_abort(self, abort: pdu.Abort) -> bool:
        """Send an A-ABORT, unless it would land in the middle of a PDU or there is no association; was it sent?"""
        if self._torn or self._ended is not None or self._upper.state in ("Sta1", "Sta2", "Sta13"):
            return False
        if self._dump:
            self._dump.pdu(abort, outgoing=True)
        self._transport.send_now(pdu.encode(abort))
        return True

    async def _give_up(self, error: BaseException) -> None:
        """After a failure inside a message nothing can be sent any more but an A-ABORT, and that only between PDUs."""
        if self._ended is None and not self._abort_wanted:
            source, reason = (
                (error.abort_source, error.abort_reason) if isinstance(error, RemoteProtocolError) else (0, 0)
            )
            said = self._say_abort(pdu.Abort(source, reason if source == 2 else 0))
            if said or self._torn:
                LOGGER.info("Aborting Association")
            self._end(error if isinstance(error, DimseError) else AssociationAborted())
            if said and isinstance(error, Exception):
                await self._linger()
        self._end(error if isinstance(error, DimseError) else AssociationAborted())
        self._close()

    async def _linger(self) -> None:
        """Wait a moment for the peer to close, dropping what it sends."""
        deadline = time.monotonic() + LINGER
        buffer = self._buffers.lend()
        try:
            while time.monotonic() < deadline:
                received = await self._transport.receive_some(buffer)
                if received == 0 or (received is None and not await self._transport.ready(READ, deadline)):
                    return
        except ConnectionLost:
            return
        finally:
            self._buffers.give_back(buffer)

    async def _await_close(self) -> None:
        """Sta13: the peer closes the connection; the ARTIM timer bounds the wait (PS3.8 9.1.5)."""
        deadline = deadline_after(self.timeouts.acse)
        try:
            while not self._upper.closing and not self._ended:
                await self._receive(deadline, "acse")
        except (DimseError, TimeoutError):
            self._upper.artim_expired()
        self._close()

    def _close(self) -> None:
        """Close the connection, and let go of what nobody will ask for any more."""
        self._let_go()
        self._transport.close()

    def _end(self, reason: DimseError) -> None:
        if self._ended is None:
            self._ended = reason

    # --- out ---

    async def _transmit(self, context_id: int, length: int, command_set: bytes, data_set: Buffer | None) -> None:
        """Send a command set and its data set; the first PDUs of both in one system call."""
        parts: list[tuple[int, Buffer]] = [(COMMAND, command_set)]
        if data_set is not None:
            parts.append((0, data_set))
        for batch in pdata.cut(parts, context_id, length):
            if self._ended:
                raise self._ended
            self._upper.p_data_request()
            await self._push(batch)

    async def _push(self, buffers: list[Buffer]) -> None:
        """Send all of `buffers`. While that would block, take in what arrives: the peer may be aborting, or sending as we are."""
        self._torn = True
        left = sum(map(len, buffers))
        deadline = deadline_after(self.timeouts.network)
        while True:
            if self._abort_wanted:
                raise AssociationAborted
            try:
                sent = self._transport.send_some(buffers)
            except ConnectionLost:
                await self._last_words()
                raise
            if sent:
                self.sent_bytes += sent
                left -= sent
                self._torn = left > 0
                await self._transport.breathe(sent)
                if not left:
                    break
                buffers = _after(buffers, sent)
                deadline = deadline_after(self.timeouts.network)  # what arrives meanwhile does not put it off
            events = await self._transport.ready(WRITE if self._held_back else WRITE | READ, deadline)
            if not events:
                raise timed_out("network")
            if events & READ:
                if deadline is not None and time.monotonic() > deadline:
                    raise timed_out("network")
                await self._receive_once()
                if self._ended:
                    raise self._ended

    async def _last_words(self) -> None:
        """Sending failed: what the peer said before it closed tells more than the failure does."""
        try:
            await self._answer_no_more()
            while not self._ended and not self._upper.closing and await self._receive_once():
                pass
        except DimseError:
            return
        if isinstance(self._ended, AssociationAborted):
            raise self._ended

    async def _send_owed(self) -> None:
        owed = self._upper.data_to_send()
        if owed:
            await self._push([owed])

    # --- in ---

    async def _receive(self, deadline: float | None, wait: str) -> None:
        """Take in what one system call brings, waiting for it until `deadline`; a message under way has the network timeout too.

        Raises:
            DimseError: The association has ended, or the deadline passed.
        """
        if self._ended:  # only now: what arrived before the end has been looked at
            raise self._ended
        if deadline is not None and time.monotonic() > deadline:
            raise timed_out(wait, self.timeouts.idle)  # a peer that never stops sending does not stop the clock
        # Between messages it takes the peer a moment, and a call that brings nothing is one too many.
        under_way = self._within_message or self._upper.within_pdu
        if under_way and wait == "idle":
            # The peer is not idle: it stands still in the middle of a message.
            wait = "network"
        until, why = deadline, ""
        while not (under_way and await self._receive_once()):
            if not why:
                until, why = self._first_deadline(deadline, wait)
            elif until is not None and time.monotonic() > until:
                raise timed_out(
                    why, self.timeouts.idle
                )  # TLS takes bytes in that carry no data, and they put nothing off
            if not await self._transport.ready(READ, until, awaited=not under_way):
                raise timed_out(why, self.timeouts.idle)
            under_way = True

    def _first_deadline(self, deadline: float | None, wait: str) -> tuple[float | None, str]:
        """Return until when something has to arrive, and the wait that is over then: as given, or the network timeout before it."""
        until, why = deadline, wait
        for limit in self._progress_deadlines():
            if limit is not None and (until is None or limit < until):
                until, why = limit, "network"
        return until, why

    def _progress_deadlines(self) -> tuple[float | None, ...]:
        """Until when something has to move: a message under way, and a PDU, which a byte now and then does not keep alive."""
        if self._upper.within_pdu:
            return deadline_after(self.timeouts.network), self._pdu_deadline
        return (deadline_after(self.timeouts.network),) if self._within_message else ()

    async def _take_what_is_here(self) -> None:
        """Take in what has arrived, without waiting.

        Raises:
            DimseError: The association has ended.
        """
        deadline = deadline_after(self.timeouts.network)
        while not self._ended and not self._held_back and await self._receive_once():
            if deadline is not None and time.monotonic() > deadline:
                break  # a peer that never stops sending
        if self._ended:
            raise self._ended

    async def _receive_once(self) -> bool:
        """One system call; False if it would block."""
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
        """As `Transport.receive_now`, and what has come is taken in."""
        try:
            count = self._transport.receive_now(buffer)
        except ConnectionLost as error:
            self._upper.transport_closed()
            lost = error if is_a_breach(error) and not self._abort_wanted else self._lost()
            lost.__cause__ = error.__cause__
            self._end(lost)
            return 0
        if count is None:
            return None
        if self._answer is None and not self._heard:
            self._heard = bytes(buffer[: min(count, MOST_HEARD)])
        await self._take_in(
            self._upper.receive(buffer[:count], MOST_INDICATIONS) if count else self._upper.transport_closed()
        )
        if self._held_back:
            self._kept_in = buffer
        if self._expecting or self._upper.within_pdu:
            self._transport.acknowledge()
        if self._upper.pdus != self._pdus:
            self._pdus = self._upper.pdus
            if self.timeouts.network:
                allowed = self.timeouts.network + self._upper.pdu_length / LEAST_RATE
                self._pdu_deadline = time.monotonic() + allowed
        elif self._upper.within_pdu and self._pdu_deadline is not None and time.monotonic() > self._pdu_deadline:
            raise timed_out("network")
        if self._upper.owes:
            self._say_owed_now()
        if self._ended is None and self._answer is None and self._upper.state in ("Sta1", "Sta13"):
            self._provider_aborted(self._upper.fault)  # nothing is indicated before an association is asked for
        return count

    def _say_owed_now(self) -> None:
        """Send what the upper layer owes the peer, unless it would stand within a PDU of ours."""
        owed = self._upper.data_to_send()
        if not self._torn:
            self._transport.send_now(owed)
            if self._dump:
                self._dump.pdu(pdu.decode(owed[0], owed[6:]), outgoing=True)

    def _put_off(self, since: float) -> None:
        """Do not count the time since then against the PDU that is arriving: nothing was read meanwhile."""
        if self._pdu_deadline is not None:
            self._pdu_deadline += time.monotonic() - since

    async def _pull_until(self, end: float) -> bool:
        if self._ended:
            raise self._ended
        if not await self._transport.ready(READ, end):
            return False
        await self._receive_once()
        return True

    async def _take_in(self, indications: list[Indication]) -> None:
        """Hand on what has arrived, in order, up to a request whose turn has not come; what is behind it is kept."""
        self._kept = await self._hand_on(indications)
        while (rest := self._upper.rest) is not None and not self._held_back:
            self._kept = await self._hand_on(self._upper.receive(rest, MOST_INDICATIONS))

    async def _take_in_kept(self) -> None:
        """Go on with the request that was held back and with what is behind it: its turn has come."""
        kept, self._kept = self._kept, []
        await self._begin_held_back()
        await self._take_in(kept)
        if self._upper.owes:
            self._say_owed_now()
        if not self._held_back and self._kept_in is not None:
            self._buffers.give_back(self._kept_in)
            self._kept_in = None
        await self._transport.breathe(0)

    async def _hand_on(self, indications: list[Indication]) -> list[Indication]:
        """Hand on indications in order, and return those behind a request whose turn has not come."""
        fragments: list[Fragment] = []
        for index, indication in enumerate(indications):
            if type(indication) is Fragment:
                fragments.append(indication)
                continue
            if fragments:
                left = await self._p_data(fragments)
                if self._held_back:
                    return self._without_end([*left, *indications[index:]])
                fragments = []
            self._indicated(indication)
        return [*await self._p_data(fragments)] if fragments else []

    def _without_end(self, indications: list[Indication]) -> list[Indication]:
        """Return the indications; where the end of the association is among them it counts now, and nothing else does."""
        for indication in indications:
            if isinstance(indication, (pdu.Abort, ProviderAbort)):
                self._indicated(indication)
                return []
        return indications

    def _indicated(self, indication: Indication) -> None:
        """Everything that the upper layer says but data."""
        match indication:
            case pdu.AssociateRQ() | pdu.AssociateAC() | pdu.AssociateRJ():
                if self._dump:
                    self._dump.pdu(indication, outgoing=False)
                self._answer = indication
                if isinstance(indication, pdu.AssociateAC):
                    self._accepted(indication)
            case pdu.ReleaseRQ():
                self._release_asked = True
            case pdu.ReleaseRP():
                self._release_confirmed = True
            case pdu.Abort(source, reason):
                if self._dump:
                    self._dump.pdu(indication, outgoing=False)
                self._end(AssociationAborted(source, reason) if source == 0 else ProviderAborted(source, reason))
            case ProviderAbort():
                self._provider_aborted(indication)

    def _lost(self) -> AssociationError:
        """The connection has ended under us, by our own hand or without a word."""
        if self._abort_wanted:
            return AssociationAborted()
        return ConnectionLost(f"Connection closed{' while waiting for DIMSE message' if self._awaiting else ''}")

    def _provider_aborted(self, abort: ProviderAbort) -> None:
        if self._abort_wanted or not abort.why:
            self._end(self._lost())
        elif abort.foreign and self._answer is None:
            self._end(NotDicomPeer(self._heard if self._heard.startswith(abort.foreign) else abort.foreign))
        else:
            self._end(RemoteProtocolError(abort.why, abort_reason=abort.reason))


class _Operation:
    """One operation on an association: there is no other meanwhile, and an exception that leaves it ends the association."""

    def __init__(self, pump: Pump) -> None:
        self._pump = pump

    async def __aenter__(self) -> None:
        if self._pump._busy:
            raise LocalProtocolError("another operation is under way on this association")
        self._pump._busy = True
        self._before = ABOUT.get()
        ABOUT.set(self._pump.about)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if error is not None:
                await self._pump._give_up(error)
        finally:
            self._pump._busy = False
            ABOUT.set(self._before)


def _after(buffers: list[Buffer], sent: int) -> list[Buffer]:
    """What is left of `buffers` once `sent` bytes of them are gone."""
    for index, buffer in enumerate(buffers):
        if sent < len(buffer):
            rest = buffers[index:]
            rest[0] = memoryview(buffer)[sent:]
            return rest
        sent -= len(buffer)
    return []


def dump_if_debugging() -> Dump | None:
    """What prints PDUs and messages, if anybody wants to see them; asked once an association."""
    if not (LOGGER.isEnabledFor(logging.DEBUG) or MESSAGES.isEnabledFor(logging.DEBUG)):
        return None
    from dimse.association.dump import Dump

    return Dump()
