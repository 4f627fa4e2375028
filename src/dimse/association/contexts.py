"""The presentation contexts that one side may use, in the role that it acts in (PS3.8 7.1.1.13, PS3.7 D.3.3.4)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from dimse import uids
from dimse.errors import NoPresentationContext
from dimse.upper_layer.negotiation import Negotiated, PresentationContext

ActsAs = Literal["SCU", "SCP"] | None
"""The role that one side acts in; None disregards the roles that were negotiated."""


class AcceptedContexts:
    """The accepted contexts of one association.

    Without role selection the requestor is SCU, and the acceptor is SCP.

    Args:
        negotiated: The result of the negotiation.
        is_requestor: True on the side that has requested the association.
    """

    def __init__(self, negotiated: Negotiated, *, is_requestor: bool) -> None:
        self._negotiated = negotiated
        self._is_requestor = is_requestor
        # By abstract syntax and role: the contexts that were looked up before.
        self._known: dict[tuple[str, ActsAs], Mapping[str, PresentationContext]] = {}

    def by_transfer_syntax(self, abstract_syntax: str, role: ActsAs) -> Mapping[str, PresentationContext]:
        """Return the contexts of a SOP class by transfer syntax; of several with the same one, the first."""
        known = self._known.get((abstract_syntax, role))
        if known is not None:
            return known
        by_syntax: dict[str, PresentationContext] = {}
        for context in self._negotiated.accepted(abstract_syntax):
            if role is None or self._allows(context, role):
                by_syntax.setdefault(context.transfer_syntax, context)
        # What a caller asks for in vain is not remembered: it may ask for anything.
        if by_syntax:
            self._known[abstract_syntax, role] = by_syntax
        return by_syntax

    def find(self, abstract_syntax: str, transfer_syntax: str | None, role: ActsAs) -> PresentationContext:
        """Return the context for a SOP class, and for a transfer syntax if one is given.

        Raises:
            NoPresentationContext: No such context was accepted.
        """
        contexts = self.by_transfer_syntax(abstract_syntax, role)
        if transfer_syntax is None and contexts:
            return next(iter(contexts.values()))
        if transfer_syntax is not None and transfer_syntax in contexts:
            return contexts[transfer_syntax]
        with_syntax = f" with '{uids.name(transfer_syntax)}' transfer syntax" if transfer_syntax else ""
        for_role = f" for the {role} role" if role else ""
        raise NoPresentationContext(
            f"No presentation context for '{uids.name(abstract_syntax)}' has been accepted by the peer{with_syntax}{for_role}"
        )

    def _allows(self, context: PresentationContext, role: ActsAs) -> bool:
        """Return True if we may act in a role: the peer is in the other one."""
        return context.requestor_is_scu if (role == "SCU") is self._is_requestor else context.requestor_is_scp
