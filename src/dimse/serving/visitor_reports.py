"""The log lines and security events about connections that are not associated."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Literal

from dimse.association.pump import LOGGER, MOST_HEARD, dump_if_debugging
from dimse.errors import NotDicomPeer
from dimse.logs import About, within
from dimse.logs.notices import notice
from dimse.logs.security_events import Observe, SecurityEvent
from dimse.serving import admission
from dimse.support.text import one_line

if TYPE_CHECKING:
    from dimse.serving.admission import RequestRefusal
    from dimse.serving.visitors import Visitor


class VisitorReports:
    """The reports about the visitors of a waiting room, to the log and to an observer.

    Args:
        observe: A function that takes the security events.
    """

    def __init__(self, observe: Observe) -> None:
        self._observe = observe

    def turned_away(self, visitor: Visitor) -> None:
        """Report a visitor from a network that may not connect."""
        host = visitor.peer[0]
        notice("turned away", host, "%s: closed, for its address is in no network that may connect", visitor)
        self._observe(SecurityEvent("turned away", visitor.peer))

    def given_way(self, visitor: Visitor, limit: str) -> None:
        """Report a visitor that is closed because of a limit which all visitors reach together."""
        notice(
            "half open",
            visitor.peer[0],
            "%s: closed before it was associated: %s wait for that, the most at one time, and its address has most",
            visitor,
            limit,
        )

    def rejected(self, visitor: Visitor, refusal: RequestRefusal) -> None:
        """Report a visitor whose request is rejected."""
        self._log_rejection(visitor, refusal)
        request = visitor.request
        assert request is not None
        titles = request.calling_ae_title, request.called_ae_title
        self._observe(SecurityEvent("rejected", visitor.peer, *titles, why=refusal.reason_text))

    def unidentified(self, visitor: Visitor, refusal: RequestRefusal) -> None:
        """Report a visitor that is rejected for its user identity."""
        self._log_rejection(visitor, refusal, "User identity failed verification")
        request, identity = visitor.request, visitor.identity
        assert request is not None
        titles = request.calling_ae_title, request.called_ae_title
        self._observe(SecurityEvent("unidentified", visitor.peer, *titles, user=identity.user if identity else ""))

    def _log_rejection(self, visitor: Visitor, refusal: RequestRefusal, *lines: str) -> None:
        """Log that a visitor is rejected and why, after other lines about it."""
        request = visitor.request
        assert request is not None
        with within(About(visitor.peer, request.calling_ae_title, request.called_ae_title)):
            tolerated = [f"The request: {oddity}" for oddity in request.oddities]
            for line in (*tolerated, *lines, "Rejecting Association"):
                LOGGER.info("%s", line)
            if dump := dump_if_debugging():
                dump.pdu(request, outgoing=False)
                dump.pdu(refusal.rejection, outgoing=True)
            words = "%s: rejected %s: %s"
            notice(refusal.reason, visitor.peer[0], words, visitor, admission.titles(request), refusal.why)

    def fault(self, reason: Literal["tls", "protocol"], visitor: Visitor, why: str) -> None:
        """Report a fault of a visitor; the log has it once a minute for an address, since the visitor may come again."""
        notice(reason, visitor.peer[0], "%s:%d: %s", *visitor.peer, one_line(why), level=logging.ERROR)
        self._observe(SecurityEvent(reason, visitor.peer, why=why))

    def protocol_fault(self, visitor: Visitor, received: memoryview) -> None:
        """Report a visitor that broke the protocol, or does not speak DICOM.

        Args:
            visitor: The visitor.
            received: The buffer with the bytes that it sent last.
        """
        fault = visitor.upper_layer.fault
        heard = bytes(received[:MOST_HEARD])
        why = fault.why or "the protocol version is not supported"
        if fault.foreign:
            why = str(NotDicomPeer(heard if heard.startswith(fault.foreign) else fault.foreign))
        self.fault("protocol", visitor, why)
