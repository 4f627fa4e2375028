"""The pump: it moves the PDUs of one association in both directions at once, and ends the association.

While the pump sends or waits, it also receives, by its `Receiver`. What it receives goes to the layer above, which is `Above`; how
a wait waits is decided by the transport.

The pump also has what the protocol machine of PS3.8 9.2 leaves to its user:

- The ARTIM timer is the deadline of the wait in question. That is `await_close` or `linger` here, and the waiting room of a server
  before an association is requested.
- An A-ABORT may be wanted by another thread, which must not touch the machine. So the pump encodes and sends each A-ABORT
  request itself, and the association is over at once.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import TYPE_CHECKING, Any

from dimse.association.receiver import (
    LOGGER,
    MESSAGES,
    MOST_HEARD,
    Above,
    Buffers,
    Lifecycle,
    Progress,
    Receiver,
    Watching,
)
from dimse.errors import (
    AssociationAborted,
    AssociationReleased,
    ConnectionLost,
    DimseError,
    LocalProtocolError,
    RemoteProtocolError,
)
from dimse.logs import ABOUT
from dimse.settings import Timeouts
from dimse.transport import INTERRUPTED, READ, WRITE
from dimse.transport.base import Transport, deadline_after, timed_out
from dimse.upper_layer import pdata, pdu
from dimse.upper_layer.pdata import COMMAND, Buffer
from dimse.upper_layer.provider import UpperLayer

if TYPE_CHECKING:
    from dimse.association.dump import Dump
    from dimse.association.observing import Observing

__all__ = ["LINGER", "LOGGER", "MESSAGES", "MOST_HEARD", "Above", "Buffers", "Pump", "dump_if_debugging"]

# After an A-ABORT the peer is given this many seconds to close. To close over its unread bytes would reset the connection, and the
# reset can overtake the A-ABORT.
LINGER = 0.5

# Said to a caller that waits while a message is held back: it would wait for ever.
NOTHING_MORE = "responses to another request wait to be fetched, and nothing more is received"


class Pump:
    """The two directions of one association, and its end.

    Args:
        transport: The connection.
        upper_layer: The protocol machine of the association.
        above: The layer that takes what arrives.
        timeouts: In seconds.
        buffers: Memory to receive into.

    Attributes:
        transport, upper_layer, timeouts: As given.
        lifecycle: The state of the association.
        progress: The deadlines of what is arriving.
        receiver: The inward direction.
        busy: True while an operation is under way, or has been given the turn to begin.
        serving: True while that operation is `serve`, behind which no other one waits.
        abandoned: Ends the operation under way, whose user has left it; None while it has a user.
        sent_bytes: Bytes sent so far; may be read from any thread.
        about: The subject of log lines about this association.
        dump: Is told of PDUs and messages; None for nothing.
        observing: Tells an observer of the end; None without one.
    """

    def __init__(
        self, transport: Transport, upper_layer: UpperLayer, above: Above, timeouts: Timeouts, buffers: Buffers
    ) -> None:
        self.transport = transport
        self.upper_layer = upper_layer
        self.timeouts = timeouts
        self.lifecycle = Lifecycle()
        self.progress = Progress(upper_layer, timeouts.network)
        self.busy = self.serving = False
        self.observing: Observing | None = None
        self.abandoned: Callable[[], Awaitable[None]] | None = None
        self.sent_bytes = 0
        self.about = ABOUT.get()
        self.dump: Watching | None = dump_if_debugging()
        self.receiver = Receiver(transport, upper_layer, above, self.lifecycle, self.progress, buffers, self.dump)
        self._above = above
        self._buffers = buffers

    def abandon(self, end: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Note that the user of the operation under way has left it; from any thread.

        Args:
            end: Ends the operation. It is called by the next operation, or soon if one waits already.
        """
        self.abandoned = end
        if self.transport.turns is not None:
            self.transport.turns.rouse(self.end_abandoned)

    async def end_abandoned(self) -> None:
        """End the operation whose user has left it; another one may follow then."""
        end, self.abandoned = self.abandoned, None
        if end is not None:
            await end()

    @property
    def open(self) -> bool:
        """True while the association stands, as far as we know."""
        return self.lifecycle.ended is None and not self.lifecycle.abort_wanted and not self.transport.closed

    # --- the end ---

    def abort(self) -> None:
        """Abort the association (PS3.8 7.3) and close the connection; from any thread, and idempotent.

        An operation that waits in another thread or task gets `AssociationAborted`.
        """
        if self.lifecycle.abort_wanted or self.transport.closed:
            return
        self.lifecycle.abort_wanted = True
        # The caller may not belong to the association.
        before = ABOUT.set(self.about)
        try:
            LOGGER.info("Aborting Association")
            # TLS cannot be used by two threads at a time.
            if not (self.busy and self.transport.secured):
                self._send_abort(pdu.Abort())
        finally:
            ABOUT.reset(before)
        self.transport.wake()
        if not self.busy:
            self.lifecycle.end(AssociationAborted())
            self.close()

    def _send_abort(self, abort: pdu.Abort) -> bool:
        """Send an A-ABORT, unless a PDU has gone out in part or there is no association; return True if it was sent."""
        if (
            self.lifecycle.torn
            or self.lifecycle.ended is not None
            or self.upper_layer.state in ("Sta1", "Sta2", "Sta13")
        ):
            return False
        if self.dump:
            self.dump.pdu(abort, outgoing=True)
        self.transport.send_now(pdu.encode(abort))
        return True

    async def give_up(self, error: BaseException) -> None:
        """End the association after a failure: within a message nothing but an A-ABORT can be sent, and only between PDUs."""
        if self.lifecycle.ended is None and not self.lifecycle.abort_wanted:
            source, reason = (
                (error.abort_source, error.abort_reason) if isinstance(error, RemoteProtocolError) else (0, 0)
            )
            sent = self._send_abort(pdu.Abort(source, reason if source == 2 else 0))
            if sent or self.lifecycle.torn:
                LOGGER.info("Aborting Association")
            self.lifecycle.end(error if isinstance(error, DimseError) else AssociationAborted())
            if sent and isinstance(error, Exception):
                await self.linger()
        self.lifecycle.end(error if isinstance(error, DimseError) else AssociationAborted())
        self.close()

    async def linger(self) -> None:
        """Wait a moment for the peer to close, and drop what it sends."""
        deadline = time.monotonic() + LINGER
        buffer = self._buffers.lend()
        try:
            while time.monotonic() < deadline:
                received = await self.transport.receive_some(buffer)
                if received == 0 or (received is None and not await self.transport.ready(READ, deadline)):
                    return
        except ConnectionLost:
            return
        finally:
            self._buffers.give_back(buffer)

    async def release(self) -> None:
        """Release the association (PS3.8 7.2) and close the connection; the releases of both sides may cross.

        Raises:
            DimseError: The association has ended in another way.
        """
        await self.receive_what_is_here()
        LOGGER.info("Releasing Association")
        await self.stop_answering()
        # Otherwise the peer was first.
        if not self.lifecycle.release_asked:
            self.upper_layer.release_request()
            await self.send_owed()
        await self._await_release()
        self.lifecycle.end(AssociationReleased("the association has been released"))
        self.close()

    async def _await_release(self) -> None:
        """Wait for the confirmation of our release; where the peer asks too, confirm its own when it is our turn."""
        upper, deadline = self.upper_layer, deadline_after(self.timeouts.acse)
        while True:
            if upper.state in ("Sta8", "Sta9", "Sta12"):
                await self.confirm_release()
                if upper.state == "Sta13":
                    await self.await_close()
                    return
            if self.lifecycle.release_confirmed:
                return
            await self.receive(deadline, "release")

    async def confirm_release(self) -> None:
        """Confirm the release that the peer has asked for."""
        self.upper_layer.release_response()
        await self.send_owed()

    async def confirm_release_instead(self) -> None:
        """Confirm a release that the peer has asked for while a response of its is awaited.

        Raises:
            AssociationError: Always, because the association has ended.
        """
        # It may have ended by what the peer sent behind its A-RELEASE-RQ.
        if self.lifecycle.ended is not None:
            raise self.lifecycle.ended
        await self.confirm_release()
        released = AssociationReleased("the peer released the association instead of responding")
        self.lifecycle.end(released)
        await self.linger()
        raise released

    async def await_close(self) -> None:
        """Wait in Sta13 until the peer closes the connection; the ARTIM timer bounds the wait (PS3.8 9.1.5)."""
        deadline = deadline_after(self.timeouts.acse)
        try:
            while not self.upper_layer.closing and not self.lifecycle.ended:
                await self.receive(deadline, "acse")
        except (DimseError, TimeoutError):
            self.upper_layer.artim_expired()
        self.close()

    def close(self) -> None:
        """Close the connection, and drop what has arrived."""
        self._above.let_go()
        self.receiver.let_go()
        self.transport.close()
        if self.observing is not None:
            lifecycle, is_over = self.lifecycle, self.upper_layer.state in ("Sta1", "Sta13")
            # After a release the connection alone is left to be aborted.
            if is_over and (lifecycle.release_asked or lifecycle.release_confirmed):
                self.observing.closed(None, False, self.sent_bytes)
            else:
                self.observing.closed(lifecycle.ended, lifecycle.abort_wanted, self.sent_bytes)

    # --- out ---

    async def transmit(self, context_id: int, length: int, command_set: bytes, data_set: Buffer | None) -> None:
        """Send a command set and its data set; the first PDUs of both in one system call."""
        parts: list[tuple[int, Buffer]] = [(COMMAND, command_set)]
        if data_set is not None:
            parts.append((0, data_set))
        for batch in pdata.cut(parts, context_id, length):
            if self.lifecycle.ended:
                raise self.lifecycle.ended
            self.upper_layer.p_data_request()
            await self.push(batch)

    async def push(self, buffers: list[Buffer]) -> None:
        """Send all of `buffers`. While that would block, receive: the peer may be aborting, or sending as we are."""
        self.lifecycle.torn = True
        left = sum(map(len, buffers))
        deadline = deadline_after(self.timeouts.network)
        while True:
            if self.lifecycle.abort_wanted:
                raise AssociationAborted
            try:
                sent = self.transport.send_some(buffers)
            except ConnectionLost:
                await self._hear_last_words()
                raise
            if sent:
                self.sent_bytes += sent
                left -= sent
                self.lifecycle.torn = left > 0
                await self.transport.breathe(sent)
                if not left:
                    break
                buffers = _after(buffers, sent)
                # Only sending puts the deadline off: what arrives meanwhile does not.
                deadline = deadline_after(self.timeouts.network)
            events = await self.transport.ready(WRITE if self._above.held_back else WRITE | READ, deadline)
            if not events:
                raise timed_out("network")
            if events & READ:
                if deadline is not None and time.monotonic() > deadline:
                    raise timed_out("network")
                await self.receiver.receive_once()
                if self.lifecycle.ended:
                    raise self.lifecycle.ended

    async def _hear_last_words(self) -> None:
        """Receive after a failure to send: what the peer sent before it closed tells more than the failure does."""
        try:
            await self.stop_answering()
            while not self.lifecycle.ended and not self.upper_layer.closing and await self.receiver.receive_once():
                pass
        except DimseError:
            return
        if isinstance(self.lifecycle.ended, AssociationAborted):
            raise self.lifecycle.ended

    async def stop_answering(self) -> None:
        """Drop the requests of the peer that wait or arrive from now on; responses count still."""
        self._above.stop_answering()
        if self._above.held_back is not None:
            await self.receiver.take_held_back()

    async def send_owed(self) -> None:
        """Send what the protocol machine owes the peer."""
        owed = self.upper_layer.data_to_send()
        if owed:
            await self.push([owed])

    # --- in ---

    async def receive(self, deadline: float | None, wait: str) -> None:
        """Receive once, and wait for that until `deadline`; a message under way has the network timeout too.

        It returns with nothing received if the wait is interrupted.

        Args:
            deadline: On `time.monotonic()`; None is without limit.
            wait: The name of the wait, as of `timed_out`.

        Raises:
            DimseError: The association has ended, or the deadline passed.
        """
        # What arrived before the end has been looked at by now.
        if self.lifecycle.ended:
            raise self.lifecycle.ended
        if self._above.held_back is not None:
            raise LocalProtocolError(NOTHING_MORE)
        # A peer that never stops sending does not stop the clock.
        if deadline is not None and time.monotonic() > deadline:
            raise timed_out(wait, self.timeouts.idle)
        # Between messages the peer takes a moment, and a system call that brings nothing would be one too many.
        under_way = self._above.within_message or self.upper_layer.within_pdu
        if under_way and wait == "idle":
            # The peer is not idle: it stands still in the middle of a message.
            wait = "network"
        until, why = deadline, ""
        while not (under_way and await self.receiver.receive_once()):
            if not why:
                until, why = self.progress.first_deadline(deadline, wait, self._above.within_message)
            elif until is not None and time.monotonic() > until:
                # TLS receives bytes that carry no data, and those put nothing off.
                raise timed_out(why, self.timeouts.idle)
            happened = await self.transport.ready(READ, until, awaited=not under_way)
            if not happened:
                raise timed_out(why, self.timeouts.idle)
            if happened == INTERRUPTED:
                return
            under_way = True

    async def receive_until(self, end: float) -> bool:
        """Wait until `end` for something to arrive, and receive it; return False if nothing has arrived."""
        if self.lifecycle.ended:
            raise self.lifecycle.ended
        if self._above.held_back is not None:
            raise LocalProtocolError(NOTHING_MORE)
        if not await self.transport.ready(READ, end):
            return False
        await self.receiver.receive_once()
        return True

    async def receive_what_is_here(self) -> None:
        """Receive what has arrived, without waiting.

        Raises:
            DimseError: The association has ended.
        """
        deadline = deadline_after(self.timeouts.network)
        while not self.lifecycle.ended and self._above.held_back is None and await self.receiver.receive_once():
            # A peer that never stops sending is not waited for.
            if deadline is not None and time.monotonic() > deadline:
                break
        if self.lifecycle.ended:
            raise self.lifecycle.ended


def _after(buffers: list[Buffer], sent: int) -> list[Buffer]:
    """Return what is left of `buffers` once `sent` bytes of them are gone."""
    for index, buffer in enumerate(buffers):
        if sent < len(buffer):
            rest = buffers[index:]
            rest[0] = memoryview(buffer)[sent:]
            return rest
        sent -= len(buffer)
    return []


def dump_if_debugging() -> Dump | None:
    """Return what prints PDUs and messages, if the log wants them; asked once an association."""
    if not (LOGGER.isEnabledFor(logging.DEBUG) or MESSAGES.isEnabledFor(logging.DEBUG)):
        return None
    from dimse.association.dump import Dump

    return Dump()
