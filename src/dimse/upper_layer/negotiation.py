"""Negotiation: what two AEs agree on when an association is established (PS3.8 7.1, PS3.7 Annex D), as pure functions.

The requestor builds its A-ASSOCIATE-RQ with `propose` and reads the answer with `conclude`; the acceptor does both with `answer`.
Faults of a peer are tolerated as docs/tolerance.md says, and recorded in `Negotiated.oddities`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from dimse import uids
from dimse.errors import IdentityNotConfirmed, RefusedContexts, RemoteProtocolError
from dimse.settings import (
    IMPLEMENTATION_CLASS_UID,
    IMPLEMENTATION_VERSION_NAME,
    MOST_CONTEXTS,
    Acceptor,
    ExtendedNegotiation,
    Requestor,
    Role,
    UserIdentity,
)
from dimse.support.values import replace, value
from dimse.upper_layer import pdu
from dimse.upper_layer.codec import Oddities
from dimse.upper_layer.user_information import (
    extended,
    find,
    find_all,
    first,
    narrower,
    selected_roles,
    send_length,
    window_of,
)

# Result/Reason of a presentation context in an A-ASSOCIATE-AC (PS3.8 Table 9-18)
ACCEPTANCE, USER_REJECTION, NO_REASON, ABSTRACT_SYNTAX_NOT_SUPPORTED, TRANSFER_SYNTAXES_NOT_SUPPORTED = range(5)
CONTEXT_RESULTS = (
    "Accepted",
    "User Rejection",
    "Provider Rejection",
    "Rejected - Abstract Syntax Not Supported",
    "Rejected - Transfer Syntax Not Supported",
)
UNUSABLE = 256
"""Our own result for a context that the peer accepted without a transfer syntax, or with one that was not proposed."""
UNUSABLE_IN_WORDS = "Accepted, but not with one of these transfer syntaxes"


@value
class PresentationContext:
    """A presentation context after negotiation (PS3.8 7.1.1.13, 7.1.1.14).

    Attributes:
        context_id: 1 to 255; odd, unless a peer proposed it.
        abstract_syntax: The SOP class; empty if a peer proposed one that cannot be read.
        result: 0 accepted; otherwise the reason for the refusal (`CONTEXT_RESULTS`, `UNUSABLE`).
        transfer_syntax: The accepted one; empty if the context was refused.
        proposed_transfer_syntaxes: The transfer syntaxes that the requestor proposed.
        requestor_is_scu: True if the requestor may act as SCU of the SOP class.
        requestor_is_scp: True if the requestor may act as SCP of the SOP class.
    """

    context_id: int
    abstract_syntax: str
    result: int
    transfer_syntax: str = ""
    proposed_transfer_syntaxes: tuple[str, ...] = ()
    requestor_is_scu: bool = True
    requestor_is_scp: bool = False

    @property
    def accepted(self) -> bool:
        """True if the peer has accepted the context."""
        return self.result == ACCEPTANCE


@value
class Peer:
    """The peer of an association, as it describes itself.

    Attributes:
        ae_title: The AE title: the requestor's own, or the called one for an acceptor.
        implementation_class_uid: The UID of its software; empty if it is unknown.
        implementation_version_name: The version of its software; empty if it is unknown.
        address: Host and port of the transport connection, set by the owner of the connection.
        user: The verified user name (PS3.7 D.3.3.7); empty if no name was verified, or the identity is a ticket or token.
        fingerprint: The SHA-256 of its certificate, in hexadecimal digits, set likewise; empty if it has shown none by TLS, and
            None on a plain connection.
    """

    ae_title: str
    implementation_class_uid: str = ""
    implementation_version_name: str = ""
    address: tuple[str, int] = ("", 0)
    user: str = ""
    fingerprint: str | None = None


@value
class Negotiated:
    """The terms of an association after negotiation.

    Attributes:
        contexts: Every proposed context with its result, by context ID.
        peer: The peer, as it describes itself.
        called_ae_title: The AE title that the requestor called.
        send_length: The most bytes of a P-DATA-TF PDU after its header that we send.
        invoked: The number of operations that we may have outstanding (asynchronous operations window); 0 is unlimited.
        performed: The number of operations that the peer may have outstanding; 0 is unlimited.
        extended: The peer's service-class application information.
        agreed: The service-class application information that the acceptor has answered with.
        identity_response: The acceptor's response to a user identity; None if it gave none.
        oddities: The faults of the peer that were tolerated during negotiation, one line each. Faults that were tolerated while
            the PDU was read are in its own `oddities`.
    """

    contexts: dict[int, PresentationContext]
    peer: Peer
    called_ae_title: str
    send_length: int
    invoked: int = 1
    performed: int = 1
    extended: tuple[ExtendedNegotiation, ...] = ()
    agreed: tuple[ExtendedNegotiation, ...] = ()
    identity_response: bytes | None = None
    oddities: tuple[str, ...] = ()

    def accepted(self, abstract_syntax: str | None = None) -> list[PresentationContext]:
        """Return the accepted contexts, all of them or those of one abstract syntax."""
        return [
            context
            for context in self.contexts.values()
            if context.accepted and abstract_syntax in (None, context.abstract_syntax)
        ]


# --- the requestor ---


def propose(requestor: Requestor) -> pdu.AssociateRQ:
    """Return the A-ASSOCIATE-RQ for `requestor`; context IDs are 1, 3, 5 ... in its order."""
    contexts = tuple(
        pdu.PresentationContextRQ(2 * index + 1, context.abstract_syntax, context.transfer_syntaxes)
        for index, context in enumerate(requestor.proposed_contexts)
    )
    items: list[pdu.UserInformationItem] = _our_information(requestor.maximum_length)
    if requestor.async_ops != 1:
        items.append(pdu.AsynchronousOperationsWindow(requestor.async_ops, 1))
    items += (pdu.RoleSelection(role.sop_class_uid, int(role.scu), int(role.scp)) for role in requestor.roles)
    items += (pdu.SOPClassExtendedNegotiation(item.sop_class_uid, item.information) for item in requestor.extended)
    items += (
        pdu.SOPClassCommonExtendedNegotiation(
            item.sop_class_uid, item.service_class_uid, item.related_general_sop_class_uids
        )
        for item in requestor.common_extended
    )
    if requestor.identity is not None:
        identity = requestor.identity
        items.append(
            pdu.UserIdentityRQ(
                identity.identity_type,
                int(identity.positive_response_requested),
                identity.primary,
                identity.secondary,
            )
        )
    return pdu.AssociateRQ(requestor.called_ae_title, requestor.calling_ae_title, contexts, tuple(items))


def conclude(requestor: Requestor, request: pdu.AssociateRQ, accept: pdu.AssociateAC) -> Negotiated:
    """Return the terms that an A-ASSOCIATE-AC results in for our request.

    Raises:
        RemoteProtocolError: It answers one context twice with different content.
        UnusableMaximumLength: The peer's maximum length is too small to send anything.
        RefusedContexts: No context was accepted in a usable way.
        IdentityNotConfirmed: A requested response to the user identity is missing, or there are several different ones.
    """
    odd = Oddities()
    answers = _answers(request, accept, odd)
    items = accept.user_information
    offered = {role.sop_class_uid: role for role in requestor.roles}
    roles = {
        sop_class_uid: _common_roles(offered[sop_class_uid], role)
        for sop_class_uid, role in selected_roles(items, odd).items()
        if sop_class_uid in offered
    }
    contexts = {
        context.context_id: _concluded(
            context, answers.get(context.context_id), roles.get(context.abstract_syntax), odd
        )
        for context in request.presentation_contexts
    }
    if accept.application_context not in ("", request.application_context):
        odd.add("the Application Context differs from the proposed one: it is without significance here")
    window = window_of(items, odd)
    answered = extended(items, odd)
    confirmations = set(find_all(items, pdu.UserIdentityAC))
    if len(confirmations) > 1:
        odd.add("User Identity response (59H) comes more than once with different content: it confirms nothing")
    identity = confirmations.pop() if len(confirmations) == 1 else None
    negotiated = Negotiated(
        contexts=contexts,
        peer=_described_peer(request.called_ae_title, items, odd),
        called_ae_title=request.called_ae_title,
        send_length=send_length(items, requestor.maximum_send_length, odd),
        invoked=narrower(window.maximum_invoked, requestor.async_ops) if window else 1,
        extended=answered,
        agreed=answered,
        identity_response=identity.server_response if identity else None,
        oddities=odd.lines(),
    )
    if not negotiated.accepted():
        raise RefusedContexts([describe_refusal(context) for context in contexts.values()])
    if identity is None and requestor.identity is not None and requestor.identity.positive_response_requested:
        raise IdentityNotConfirmed("the peer accepted the association without confirming the user identity")
    return negotiated


def _answers(request: pdu.AssociateRQ, accept: pdu.AssociateAC, odd: Oddities) -> dict[int, pdu.PresentationContextAC]:
    """Return the answer to each proposed context, by its ID; a context that the peer does not mention has none.

    Raises:
        RemoteProtocolError: Two answers to one context contradict each other.
    """
    proposed = {context.context_id for context in request.presentation_contexts}
    answers: dict[int, pdu.PresentationContextAC] = {}
    for answered in accept.presentation_contexts:
        context_id, accepted = answered.context_id, answered.result == ACCEPTANCE
        if context_id not in proposed:
            done = "accepted" if accepted else "refused"
            odd.add(f"Presentation Context {context_id} was {done} and never proposed: that is ignored")
            continue
        # The transfer syntax of a refused context is without significance.
        said = answered if accepted else replace(answered, transfer_syntax="")
        if answers.setdefault(context_id, said) != said:
            raise RemoteProtocolError(
                f"presentation context {context_id} is answered twice with different content", abort_source=0
            )
        if answers[context_id] is not said:
            odd.add(f"Presentation Context {context_id} is answered twice with the same content: that counts once")
    return answers


def describe_refusal(context: PresentationContext) -> str:
    """Describe a refused presentation context and the reason, in one line."""
    if context.result == UNUSABLE:
        reason = UNUSABLE_IN_WORDS
    elif context.result < len(CONTEXT_RESULTS):
        reason = CONTEXT_RESULTS[context.result]
    else:
        reason = f"(unknown result {context.result})"
    proposed = ", ".join(uids.name(uid) for uid in context.proposed_transfer_syntaxes)
    if context.result == NO_REASON:
        reason += " - No Reason Given"
    return f"{uids.name(context.abstract_syntax)} ({proposed}): {reason}"


def _concluded(
    proposed: pdu.PresentationContextRQ,
    answer: pdu.PresentationContextAC | None,
    role: pdu.RoleSelection | None,
    odd: Oddities,
) -> PresentationContext:
    # A context that the acceptor does not mention is refused without a reason.
    if answer is None:
        return _context(proposed, role, NO_REASON)
    if answer.result != ACCEPTANCE or answer.transfer_syntax in proposed.transfer_syntaxes:
        return _context(proposed, role, answer.result, answer.transfer_syntax)
    chosen = f"with the transfer syntax {answer.transfer_syntax}, which was not proposed"
    if not answer.transfer_syntax:
        chosen = "without a transfer syntax"
    odd.add(f"Presentation Context {proposed.context_id} was accepted {chosen}: it is not used")
    return _context(proposed, role, UNUSABLE)


# --- the acceptor ---


def user_identity(request: pdu.AssociateRQ) -> UserIdentity | None:
    """Return the user identity of the requestor, or None (PS3.7 D.3.3.7)."""
    item = find(request.user_information, pdu.UserIdentityRQ)
    if item is None:
        return None
    return UserIdentity(item.identity_type, item.primary, item.secondary, bool(item.positive_response_requested))


def answer(
    acceptor: Acceptor,
    request: pdu.AssociateRQ,
    identity_response: bytes | None = None,
    denied: Collection[str] = (),
) -> tuple[pdu.AssociateAC, Negotiated] | pdu.AssociateRJ:
    """Answer a request: return the A-ASSOCIATE-AC and the resulting terms, or the A-ASSOCIATE-RJ.

    Args:
        acceptor: The settings of this side.
        request: The A-ASSOCIATE-RQ.
        identity_response: The response to its user identity, which has been verified; None if it was not checked.
        denied: The abstract syntaxes that this requestor may not use. Their contexts are rejected by the user (PS3.8 Table 9-18).

    Raises:
        UnusableMaximumLength: The requestor's maximum length is too small to answer in.
    """
    refused = rejection(acceptor, request)
    if refused is not None:
        return refused
    verified = user_identity(request) if identity_response is not None else None
    odd = Oddities()
    roles = _roles(acceptor, request, odd)
    contexts = {
        context.context_id: _accepted(acceptor, context, roles.get(context.abstract_syntax), odd, denied)
        for context in request.presentation_contexts
    }
    if len(contexts) < len(request.presentation_contexts):
        odd.add("a Presentation Context is proposed twice with the same content: it is answered once")
    items = _our_information(acceptor.maximum_length)
    window = window_of(request.user_information, odd)
    performed = narrower(window.maximum_invoked, acceptor.async_ops) if window else 1
    if performed != 1:
        items.append(pdu.AsynchronousOperationsWindow(performed, 1))
    items += roles.values()
    proposed = extended(request.user_information, odd)
    agreed = _supported(
        acceptor, proposed, {context.abstract_syntax for context in contexts.values() if context.accepted}
    )
    items += (pdu.SOPClassExtendedNegotiation(item.sop_class_uid, item.information) for item in agreed)
    if verified is not None and verified.positive_response_requested and identity_response is not None:
        items.append(pdu.UserIdentityAC(identity_response))
    accept = pdu.AssociateAC(
        request.called_ae_title,
        request.calling_ae_title,
        tuple(
            pdu.PresentationContextAC(context.context_id, context.result, _answered_syntax(context))
            for context in contexts.values()
        ),
        tuple(items),
    )
    negotiated = Negotiated(
        contexts=contexts,
        peer=_described_peer(
            request.calling_ae_title, request.user_information, odd, verified.user if verified else ""
        ),
        called_ae_title=request.called_ae_title,
        send_length=send_length(request.user_information, acceptor.maximum_send_length, odd),
        performed=performed,
        extended=proposed,
        agreed=agreed,
        oddities=odd.lines(),
    )
    return accept, negotiated


def _answered_syntax(context: PresentationContext) -> str:
    """Return the transfer syntax to answer a context with.

    The transfer syntax of a refused context is without significance. The first proposed one satisfies every decoder. If none could
    be read, the default transfer syntax does.
    """
    return context.transfer_syntax or next(iter(context.proposed_transfer_syntaxes), uids.ImplicitVRLittleEndian)


def rejection(acceptor: Acceptor, request: pdu.AssociateRQ) -> pdu.AssociateRJ | None:
    """Return the rejection of a request as a whole, or None (PS3.8 Table 9-21)."""
    contexts = request.presentation_contexts
    if request.application_context != uids.ApplicationContextName:
        return pdu.AssociateRJ(result=1, source=1, reason=2)
    if len(contexts) > MOST_CONTEXTS or len(set(contexts)) > len({context.context_id for context in contexts}):
        return pdu.AssociateRJ(result=1, source=2, reason=1)
    titles = acceptor.calling_ae_titles
    if not request.calling_ae_title or (titles and request.calling_ae_title not in titles):
        return pdu.AssociateRJ(result=1, source=1, reason=3)
    if acceptor.require_called and request.called_ae_title != acceptor.ae_title:
        return pdu.AssociateRJ(result=1, source=1, reason=7)
    if identity_fault(request):
        return pdu.AssociateRJ(result=1, source=1, reason=1)
    return None


def identity_fault(request: pdu.AssociateRQ) -> str:
    """Return why the user identity of a request cannot be used, in words; empty if it can, and without an identity.

    Such a request is rejected even if no identity is required, because it is not anonymous.
    """
    identities = set(find_all(request.user_information, pdu.UserIdentityRQ))
    if len(identities) > 1:
        return "its user identity (58H) comes more than once with different content"
    return "its user identity (58H) is empty or cannot be read" if any(not one.primary for one in identities) else ""


def _accepted(
    acceptor: Acceptor,
    proposed: pdu.PresentationContextRQ,
    role: pdu.RoleSelection | None,
    odd: Oddities,
    denied: Collection[str],
) -> PresentationContext:
    if not (proposed.abstract_syntax and proposed.transfer_syntaxes):
        odd.add(
            f"Presentation Context {proposed.context_id} lacks an abstract or a transfer syntax that can be read: it is refused"
        )
    known = proposed.abstract_syntax in (acceptor.contexts or ())
    if not known and not (acceptor.accept_unknown and proposed.abstract_syntax):
        return _context(proposed, role, ABSTRACT_SYNTAX_NOT_SUPPORTED)
    if proposed.abstract_syntax in denied:
        return _context(proposed, role, USER_REJECTION)
    chosen = _chosen_syntax(acceptor, proposed.transfer_syntaxes)
    return _context(proposed, role, ACCEPTANCE if chosen else TRANSFER_SYNTAXES_NOT_SUPPORTED, chosen)


def _chosen_syntax(acceptor: Acceptor, proposed: tuple[str, ...]) -> str:
    """Return the transfer syntax that is accepted of those proposed; empty if all are refused."""
    supported = acceptor.transfer_syntaxes or ()
    takes_any, takes_private = uids.ANY_SYNTAX in supported, uids.PRIVATE_SYNTAXES in supported
    if acceptor.prefer_ours and (ours := next((uid for uid in supported if uid in proposed), "")):
        return ours
    return next(
        (
            uid
            for uid in proposed
            if uid in supported or (takes_any and uid) or (takes_private and uids.is_private(uid))
        ),
        "",
    )


def _roles(acceptor: Acceptor, request: pdu.AssociateRQ, odd: Oddities) -> dict[str, pdu.RoleSelection]:
    """Return our answers to the role selection items: the offered roles that `acceptor` allows (PS3.7 D.3.3.4)."""
    allowed = {role.sop_class_uid: role for role in acceptor.roles}
    offered = selected_roles(request.user_information, odd)
    return {uid: _common_roles(allowed[uid], role) for uid, role in offered.items() if uid in allowed}


def _supported(
    acceptor: Acceptor, proposed: Iterable[ExtendedNegotiation], accepted: Collection[str]
) -> tuple[ExtendedNegotiation, ...]:
    """Return our answers to the application information of a requestor: each byte is 1 if both sides have it so (PS3.4 C.5).

    A SOP class for which we support nothing has no answer, and neither has one without an accepted context (PS3.7 D.3.3.5).
    """
    ours = {item.sop_class_uid: item.information for item in acceptor.extended if item.sop_class_uid in accepted}
    return tuple(
        ExtendedNegotiation(
            item.sop_class_uid,
            bytes(have == want == 1 for have, want in zip(ours[item.sop_class_uid], item.information, strict=False)),
        )
        for item in proposed
        if item.sop_class_uid in ours
    )


# --- both ---


def _context(
    proposed: pdu.PresentationContextRQ, role: pdu.RoleSelection | None, result: int, transfer_syntax: str = ""
) -> PresentationContext:
    """Return a proposed context with its result. `role` has the agreed roles; None means the default roles."""
    return PresentationContext(
        context_id=proposed.context_id,
        abstract_syntax=proposed.abstract_syntax,
        result=result,
        transfer_syntax=transfer_syntax,
        proposed_transfer_syntaxes=proposed.transfer_syntaxes,
        requestor_is_scu=bool(role.scu_role) if role else True,
        requestor_is_scp=bool(role.scp_role) if role else False,
    )


def _common_roles(ours: Role, theirs: pdu.RoleSelection) -> pdu.RoleSelection:
    """Return the roles of the requestor that both sides want (PS3.7 D.3.3.4)."""
    return pdu.RoleSelection(ours.sop_class_uid, ours.scu & theirs.scu_role, ours.scp & theirs.scp_role)


def _our_information(maximum_length: int) -> list[pdu.UserInformationItem]:
    return [
        pdu.MaximumLength(maximum_length),
        pdu.ImplementationClassUID(IMPLEMENTATION_CLASS_UID),
        pdu.ImplementationVersionName(IMPLEMENTATION_VERSION_NAME),
    ]


def _described_peer(ae_title: str, items: Sequence[pdu.UserInformationItem], odd: Oddities, user: str = "") -> Peer:
    class_uid = first(items, pdu.ImplementationClassUID, "Implementation Class UID (52H)", odd)
    version = first(items, pdu.ImplementationVersionName, "Implementation Version Name (55H)", odd)
    return Peer(ae_title, class_uid.uid if class_uid else "", version.name if version else "", user=user)
