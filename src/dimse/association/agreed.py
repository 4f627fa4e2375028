"""The agreement of the two sides of an association: the peer, the presentation contexts and the connection (PS3.7 D.3)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from dimse.association.contexts import AcceptedContexts, ActsAs
from dimse.association.pump import Pump
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
