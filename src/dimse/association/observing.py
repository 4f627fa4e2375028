"""The events of one association, told to an observer. Loaded only for an association that has one.

It stands where a `Dump` would stand, so an association without an observer makes no call for it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Literal, TypeVar

from dimse.association.receiver import LOGGER
from dimse.errors import AssociationReleased, DimseError
from dimse.message.command import Message, Request, Response
from dimse.settings.observer import AssociationEvent, ConnectionEvent, MessageEvent, Observer
from dimse.support.text import one_line
from dimse.upper_layer import pdu

if TYPE_CHECKING:
    from dimse.association.receiver import Watching
    from dimse.logs import About

E = TypeVar("E")

_PENDING, _PENDING_BITS = 0xFF00, 0xFFFE


class Observing:
    """A reporter of the events of one association.

    Args:
        observer: The functions that are told.
        about: The association.
        dump: A further observer of PDUs and messages; None without one.
        secured: True if the connection is over TLS.
        seconds: The seconds that opening the connection took.
    """

    def __init__(
        self, observer: Observer, about: About, dump: Watching | None, *, secured: bool, seconds: float = 0.0
    ) -> None:
        self._observer, self._about, self._dump, self._secured = observer, about, dump, secured
        self._opened = time.monotonic()
        self._requested = 0.0
        self._is_rejected = self._is_closed = False
        # The moments of requests that are not answered, by message ID: of ours, and of the peer.
        self._sent: dict[int, float] = {}
        self._received: dict[int, float] = {}
        self._connection("opened", seconds)

    # --- the calls of a dump

    def pdu(self, sent_or_received: pdu.PDU, *, outgoing: bool) -> None:
        """Take a PDU: the request of the association, or its answer."""
        if self._dump is not None:
            self._dump.pdu(sent_or_received, outgoing=outgoing)
        if isinstance(sent_or_received, pdu.AssociateRQ):
            self._requested = time.monotonic()
            self._association("requested")
        elif isinstance(sent_or_received, pdu.AssociateAC):
            self._association("accepted")
        elif isinstance(sent_or_received, pdu.AssociateRJ):
            self._is_rejected = True
            self._association("rejected")

    def command_set(self) -> None:
        """Take note that a command set has been received."""
        if self._dump is not None:
            self._dump.command_set()

    def message(self, message: Message, context_id: int, *, outgoing: bool) -> None:
        """Take a message."""
        if self._dump is not None:
            self._dump.message(message, context_id, outgoing=outgoing)
        if self._observer.message is None:
            return
        now, since, status = time.monotonic(), None, None
        if isinstance(message, Request):
            message_id = message.message_id
            (self._sent if outgoing else self._received)[message_id] = now
        else:
            message_id = getattr(message, "message_id_being_responded_to", 0)
            if isinstance(message, Response):
                status = message.status
                asked = self._received if outgoing else self._sent
                is_pending = status & _PENDING_BITS == _PENDING
                since = asked.get(message_id) if is_pending else asked.pop(message_id, None)
        event = MessageEvent(
            "sent" if outgoing else "received",
            self._about.number,
            message.name,
            message_id,
            context_id,
            _uid(message, "sop_class_uid"),
            _uid(message, "sop_instance_uid"),
            status,
            time.time(),
            0.0 if since is None else now - since,
        )
        tell(self._observer.message, event)

    # --- the end

    def closed(self, ended: DimseError | None, is_aborted: bool, sent_bytes: int) -> None:
        """Take the end of the association and of its connection; only the first call counts.

        Args:
            ended: The reason why the association ended; None if it was released or never begun.
            is_aborted: True if the program aborted it.
            sent_bytes: The bytes of PDUs that were sent.
        """
        if self._is_closed:
            return
        self._is_closed = True
        if self._requested and not self._is_rejected:
            if is_aborted:
                self._association("aborted")
            elif ended is None or isinstance(ended, AssociationReleased):
                self._association("released")
            else:
                self._association("aborted", ended)
        self._connection("closed", time.monotonic() - self._opened, sent_bytes)

    def _association(
        self,
        kind: Literal["requested", "accepted", "rejected", "released", "aborted"],
        error: DimseError | None = None,
    ) -> None:
        about, seconds = self._about, time.monotonic() - self._requested
        titles = about.calling_ae_title, about.called_ae_title
        tell(
            self._observer.association,
            AssociationEvent(kind, about.number, about.peer, *titles, time.time(), seconds, error),
        )

    def _connection(self, kind: Literal["opened", "closed"], seconds: float, sent_bytes: int = 0) -> None:
        about = self._about
        event = ConnectionEvent(kind, about.number, about.peer, time.time(), seconds, self._secured, sent_bytes)
        tell(self._observer.connection, event)


def tell(function: Callable[[E], object] | None, event: E) -> None:
    """Tell a function of an event; an exception that it raises is a line in the log."""
    if function is None:
        return
    try:
        function(event)
    except Exception as error:
        # It is the program's own code, and the association is not to suffer.
        LOGGER.error("an observer failed: %s", one_line(f"{type(error).__name__}: {error}"))


def tell_failed(observer: Observer, about: About, seconds: float, error: DimseError) -> None:
    """Tell an observer that a connection could not be opened."""
    event = ConnectionEvent("failed", about.number, about.peer, time.time(), seconds, error=error)
    tell(observer.connection, event)


def _uid(message: Message, name: str) -> str:
    uid: str | None = getattr(message, f"affected_{name}", None) or getattr(message, f"requested_{name}", None)
    return uid or ""
