"""The agreement of the two sides of an association: the peer, the presentation contexts and the connection (PS3.7 D.3)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from dimse.association.contexts import AcceptedContexts, ActsAs
from dimse.association.pump import Pump
from dimse.errors import AssociationReleased
from dimse.support.text import host_and_port, one_line
from dimse.upper_layer.negotiation import Negotiated, Peer, PresentationContext

if TYPE_CHECKING:
    from dimse.transport.tls import TLSSession


class AgreedAssociation:
    """The part of an association that tells what was agreed.

    Attributes:
        negotiated: The result of the negotiation.
        accepted_contexts: The presentation contexts that were accepted.
        pump: The pump that moves the PDUs.
    """

    negotiated: Negotiated
    accepted_contexts: AcceptedContexts
    pump: Pump

    def __repr__(self) -> str:
        return f"<dimse.aio.Association {self.description}>"

    @property
    def description(self) -> str:
        """The AE titles, the peer's address, the contexts and the state, in one line."""
        about, pump, parts = self.pump.about, self.pump, list[str]()
        if about is not None:
            titles = f"{one_line(about.calling_ae_title)} to {one_line(about.called_ae_title)}"
            parts.append(f"{titles} ({host_and_port(*about.peer)})")
        # An association that is being requested has agreed on nothing.
        if hasattr(self, "negotiated"):
            contexts = self.negotiated.contexts
            parts.append(f"{len(self.negotiated.accepted())} of {len(contexts)} contexts accepted")
        if pump.transport.secured:
            parts.append("TLS")
        return ", ".join([*parts, self._state])

    @property
    def _state(self) -> str:
        pump, ended = self.pump, self.pump.lifecycle.ended
        if pump.open:
            return "busy" if pump.busy else "open"
        if pump.lifecycle.abort_wanted:
            return "aborted"
        if ended is None:
            return "closed"
        return "released" if isinstance(ended, AssociationReleased) else f"ended: {one_line(str(ended))}"

    @property
    def open(self) -> bool:
        """True while the association stands, as far as we know."""
        return self.pump.open

    @property
    def contexts(self) -> tuple[PresentationContext, ...]:
        """Every proposed presentation context with its result."""
        return tuple(self.negotiated.contexts.values())

    @property
    def peer(self) -> Peer:
        """The peer as it describes itself."""
        return self.negotiated.peer

    @property
    def identity_response(self) -> bytes | None:
        """The peer's answer to our user identity: a ticket, assertion or token, empty for a user name; None if it gave none."""
        return self.negotiated.identity_response

    @property
    def tls(self) -> TLSSession | None:
        """The outcome of the TLS handshake, and the peer's certificate; None on a plain connection."""
        return self.pump.transport.tls

    @property
    def sent_bytes(self) -> int:
        """Bytes sent so far; may be read from any thread."""
        return self.pump.sent_bytes

    def accepted(self, abstract_syntax: str, role: ActsAs = "SCU") -> Mapping[str, PresentationContext]:
        """Return the accepted contexts of a SOP class by transfer syntax; of several with the same one, the first.

        Args:
            abstract_syntax: The SOP class.
            role: The role that we act in. Contexts for which it was not negotiated are left out.
        """
        return self.accepted_contexts.by_transfer_syntax(abstract_syntax, role)

    def context_for(
        self, abstract_syntax: str, transfer_syntax: str | None = None, role: ActsAs = "SCU"
    ) -> PresentationContext:
        """Return an accepted context for a SOP class in our role, and for a transfer syntax if one is given.

        Raises:
            NoPresentationContext: No such context was accepted; nothing was sent.
        """
        return self.accepted_contexts.find(abstract_syntax, transfer_syntax, role)
