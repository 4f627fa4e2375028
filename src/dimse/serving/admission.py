"""Admission: the decision on a request for an association, and the lines of the log about it (PS3.8 7.1)."""

from __future__ import annotations

from collections.abc import Iterable

from dimse import uids
from dimse.errors import AssociationRejected
from dimse.serving.places import Places
from dimse.settings import Acceptor
from dimse.support.text import one_line
from dimse.support.values import value
from dimse.upper_layer import negotiation, pdu
from dimse.upper_layer.negotiation import ABSTRACT_SYNTAX_NOT_SUPPORTED, CONTEXT_RESULTS, PresentationContext

MOST_NAMED = 5
"""SOP classes or transfer syntaxes that one line names."""

# Result, source and reason of an A-ASSOCIATE-RJ (PS3.8 Table 9-21).
NOT_IDENTIFIED = pdu.AssociateRJ(result=1, source=1, reason=1)
TEMPORARY_CONGESTION = pdu.AssociateRJ(result=2, source=3, reason=1)
LOCAL_LIMIT_EXCEEDED = pdu.AssociateRJ(result=2, source=3, reason=2)


@value
class RequestRefusal:
    """An A-ASSOCIATE-RJ, and why it is sent.

    Attributes:
        rejection: The answer to the requestor.
        why: The fault of the request, for the people who run the server; in one line.
    """

    rejection: pdu.AssociateRJ
    why: str

    @property
    def reason(self) -> str:
        """The reason of a notice about it: the same for each refusal of its kind."""
        return f"rejected {self.rejection.result}/{self.rejection.source}/{self.rejection.reason}"

    @property
    def reason_text(self) -> str:
        """The Standard's words for it (PS3.8 Table 9-21)."""
        return AssociationRejected(self.rejection.result, self.rejection.source, self.rejection.reason).reason_text


def judge(acceptor: Acceptor, places: Places, request: pdu.AssociateRQ, address: str) -> RequestRefusal | None:
    """Return why a request is refused as it stands: for what it says, or because no place is free."""
    rejection = negotiation.rejection(acceptor, request)
    if rejection is not None:
        return RequestRefusal(rejection, one_line(_why(acceptor, request, rejection)))
    why = places.why_none(address)
    return RequestRefusal(LOCAL_LIMIT_EXCEEDED, why) if why else None


def _why(acceptor: Acceptor, request: pdu.AssociateRQ, rejection: pdu.AssociateRJ) -> str:
    match rejection.source, rejection.reason:
        case 1, 1:
            return negotiation.identity_fault(request)
        case 1, 2:
            return f"its application context name '{request.application_context}' is not that of DICOM"
        case 1, 3 if not request.calling_ae_title:
            return "its calling AE title is empty"
        case 1, 3:
            return f"the calling AE title '{request.calling_ae_title}' is not among those that may associate"
        case 1, 7:
            return f"the called AE title '{request.called_ae_title}' is not ours, which is '{acceptor.ae_title}'"
    return AssociationRejected(rejection.result, rejection.source, rejection.reason).reason_text


def titles(request: pdu.AssociateRQ) -> str:
    """Return the AE titles of a request, for a line of the log."""
    return one_line(f"{request.calling_ae_title} -> {request.called_ae_title}")


def refused_contexts(contexts: Iterable[PresentationContext]) -> str:
    """Return the SOP classes and transfer syntaxes that were refused, by name and in one line; empty if all were accepted."""
    by_result: dict[int, dict[str, None]] = {}
    for context in contexts:
        if not context.accepted:
            named = uids.name(context.abstract_syntax) or "no abstract syntax"
            if context.result != ABSTRACT_SYNTAX_NOT_SUPPORTED:
                proposed = [uids.name(uid) for uid in context.proposed_transfer_syntaxes if uid]
                named += f" ({_list(proposed) or 'no transfer syntax'})"
            by_result.setdefault(context.result, {})[named] = None
    return one_line("; ".join(f"{_kind(result)}: {_list(list(named))}" for result, named in sorted(by_result.items())))


def _kind(result: int) -> str:
    return CONTEXT_RESULTS[result].removeprefix("Rejected - ")


def _list(names: list[str]) -> str:
    shown = ", ".join(names[:MOST_NAMED])
    return shown if len(names) <= MOST_NAMED else f"{shown} and {len(names) - MOST_NAMED} more"
