"""What two AEs agree on when an association is made (PS3.8 7.1, PS3.7 Annex D): pure functions, one side each.

The requestor builds its A-ASSOCIATE-RQ with `propose` and reads the answer with `conclude`; the acceptor does both with `answer`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

from dimse import uids
from dimse.errors import IdentityNotConfirmed, RefusedContexts, RemoteProtocolError, UnusableMaximumLength
from dimse.settings import (
    IMPLEMENTATION_CLASS_UID,
    IMPLEMENTATION_VERSION_NAME,
    LEAST_SEND_LENGTH,
    MOST_CONTEXTS,
    Acceptor,
    ExtendedNegotiation,
    Requestor,
    Role,
    UserIdentity,
)
from dimse.upper_layer import pdu
from dimse.values import value

# Result/Reason of a presentation context in an A-ASSOCIATE-AC (PS3.8 Table 9-18)
ACCEPTANCE, USER_REJECTION, NO_REASON, ABSTRACT_SYNTAX_NOT_SUPPORTED, TRANSFER_SYNTAXES_NOT_SUPPORTED = range(5)
CONTEXT_RESULTS = (
    "Accepted",
    "User Rejection",
    "Provider Rejection",
    "Rejected - Abstract Syntax Not Supported",
    "Rejected - Transfer Syntax Not Supported",
)


@value
class PresentationContext:
    """A presentation context after negotiation (PS3.8 7.1.1.13, 7.1.1.14).

    Attributes:
        context_id: Odd, 1 to 255.
        abstract_syntax: The SOP class.
        result: 0 accepted; otherwise why not (`CONTEXT_RESULTS`).
        transfer_syntax: The accepted one; empty if the context was refused.
        proposed_transfer_syntaxes: What the requestor proposed.
        requestor_is_scu: May the requestor act as SCU of the SOP class here?
        requestor_is_scp: May it act as SCP?
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
        return self.result == ACCEPTANCE


@value
class Peer:
    """Who the peer says it is.

    Attributes:
        ae_title: Its AE title: what it calls itself (requestor), or what we called (acceptor).
        implementation_class_uid: Of its software; empty if it did not say.
        implementation_version_name: Of its software; empty if it did not say.
        address: Host and port of the transport connection; set by whoever has it.
        user: The user name that was verified (PS3.7 D.3.3.7); empty if none was, or the identity is a ticket or token.
    """

    ae_title: str
    implementation_class_uid: str = ""
    implementation_version_name: str = ""
    address: tuple[str, int] = ("", 0)
    user: str = ""


@value
class Negotiated:
    """What holds during the association.

    Attributes:
        contexts: Every proposed context with its result, by context ID.
        peer: Who the peer says it is.
        called_ae_title: The AE title that the requestor called.
        send_length: The most bytes of a P-DATA-TF PDU after its header that we send.
        invoked: Operations that we may have outstanding (asynchronous operations window); 0 is unlimited.
        performed: Operations that the peer may have outstanding; 0 is unlimited.
        extended: The peer's service-class application information.
        identity_response: The acceptor's answer to a user identity; None if it gave none.
    """

    contexts: dict[int, PresentationContext]
    peer: Peer
    called_ae_title: str
    send_length: int
    invoked: int = 1
    performed: int = 1
    extended: tuple[ExtendedNegotiation, ...] = ()
    identity_response: bytes | None = None

    def accepted(self, abstract_syntax: str | None = None) -> list[PresentationContext]:
        """The accepted contexts, all of them or those of one abstract syntax."""
        return [
            context
            for context in self.contexts.values()
            if context.accepted and abstract_syntax in (None, context.abstract_syntax)
        ]


_Item = TypeVar("_Item", bound=pdu.UserInformationItem)


def find(items: Iterable[pdu.UserInformationItem], kind: type[_Item]) -> _Item | None:
    """The user information item of a kind, if it is there."""
    return next((item for item in items if isinstance(item, kind)), None)


def find_all(items: Iterable[pdu.UserInformationItem], kind: type[_Item]) -> list[_Item]:
    """Every user information item of a kind."""
    return [item for item in items if isinstance(item, kind)]


# --- the requestor ---


def propose(requestor: Requestor) -> pdu.AssociateRQ:
    """The A-ASSOCIATE-RQ that asks for what `requestor` says; context IDs are 1, 3, 5 ... in its order."""
    contexts = tuple(
        pdu.PresentationContextRQ(2 * index + 1, context.abstract_syntax, context.transfer_syntaxes)
        for index, context in enumerate(requestor.contexts)
    )
    items: list[pdu.UserInformationItem] = _who_we_are(requestor.maximum_length)
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
        who = requestor.identity
        items.append(
            pdu.UserIdentityRQ(who.identity_type, int(who.positive_response_requested), who.primary, who.secondary)
        )
    return pdu.AssociateRQ(requestor.called_ae_title, requestor.calling_ae_title, contexts, tuple(items))


def conclude(requestor: Requestor, request: pdu.AssociateRQ, accept: pdu.AssociateAC) -> Negotiated:
    """What an A-ASSOCIATE-AC makes of our request.

    Raises:
        RemoteProtocolError: It answers what was not asked: another context ID, a transfer syntax that was not proposed.
        UnusableMaximumLength: The peer's maximum length is too small to send anything in.
        RefusedContexts: No context was accepted.
        IdentityNotConfirmed: The user identity was not answered, though that was asked for.
    """
    answers: dict[int, pdu.PresentationContextAC] = {}
    proposed = {context.context_id: context for context in request.presentation_contexts}
    for answered in accept.presentation_contexts:
        if answered.context_id not in proposed:
            raise RemoteProtocolError(f"presentation context {answered.context_id} was not proposed", abort_source=0)
        if answered.context_id in answers:
            raise RemoteProtocolError(f"presentation context {answered.context_id} is answered twice", abort_source=0)
        if (
            answered.result == ACCEPTANCE
            and answered.transfer_syntax not in proposed[answered.context_id].transfer_syntaxes
        ):
            raise RemoteProtocolError(
                f"presentation context {answered.context_id} was accepted with a transfer syntax that was not proposed:"
                f" {answered.transfer_syntax}",
                abort_source=0,
            )
        answers[answered.context_id] = answered

    offered = {role.sop_class_uid: role for role in requestor.roles}
    roles = {
        role.sop_class_uid: _both(offered[role.sop_class_uid], role)
        for role in find_all(accept.user_information, pdu.RoleSelection)
        if role.sop_class_uid in offered
    }
    contexts = {
        context_id: _concluded(context, answers.get(context_id), roles.get(context.abstract_syntax))
        for context_id, context in proposed.items()
    }
    window = find(accept.user_information, pdu.AsynchronousOperationsWindow)
    identity = find(accept.user_information, pdu.UserIdentityAC)
    negotiated = Negotiated(
        contexts=contexts,
        peer=_who_the_peer_is(request.called_ae_title, accept.user_information),
        called_ae_title=request.called_ae_title,
        send_length=_send_length(accept.user_information, requestor.maximum_send_length),
        invoked=_narrower(window.maximum_invoked, requestor.async_ops) if window else 1,
        extended=_extended(accept.user_information),
        identity_response=identity.server_response if identity else None,
    )
    if not negotiated.accepted():
        raise RefusedContexts([describe_refusal(context) for context in contexts.values()])
    if identity is None and requestor.identity is not None and requestor.identity.positive_response_requested:
        raise IdentityNotConfirmed("the peer accepted the association without confirming the user identity")
    return negotiated


def describe_refusal(context: PresentationContext) -> str:
    """One refused presentation context and why, in one line."""
    reason = (
        CONTEXT_RESULTS[context.result]
        if context.result < len(CONTEXT_RESULTS)
        else f"(unknown result {context.result})"
    )
    proposed = ", ".join(uids.name(uid) for uid in context.proposed_transfer_syntaxes)
    if context.result == NO_REASON:
        reason += " - No Reason Given"
    return f"{uids.name(context.abstract_syntax)} ({proposed}): {reason}"


def _concluded(
    proposed: pdu.PresentationContextRQ, answer: pdu.PresentationContextAC | None, role: pdu.RoleSelection | None
) -> PresentationContext:
    # A context that the acceptor does not mention is refused without a reason.
    if answer is None:
        return _context(proposed, role, NO_REASON)
    return _context(proposed, role, answer.result, answer.transfer_syntax if answer.result == ACCEPTANCE else "")


# --- the acceptor ---


def user_identity(request: pdu.AssociateRQ) -> UserIdentity | None:
    """Who asks, if the request says so (PS3.7 D.3.3.7)."""
    item = find(request.user_information, pdu.UserIdentityRQ)
    if item is None:
        return None
    return UserIdentity(item.identity_type, item.primary, item.secondary, bool(item.positive_response_requested))


def answer(
    acceptor: Acceptor, request: pdu.AssociateRQ, identity_response: bytes | None = None
) -> tuple[pdu.AssociateAC, Negotiated] | pdu.AssociateRJ:
    """What `acceptor` makes of a request: the A-ASSOCIATE-AC and what then holds, or the A-ASSOCIATE-RJ.

    Args:
        acceptor: Us.
        request: The A-ASSOCIATE-RQ.
        identity_response: What answers its user identity, which has been verified; None if it was not looked at.

    Raises:
        UnusableMaximumLength: The requestor's maximum length is too small to answer in.
    """
    refused = rejection(acceptor, request)
    if refused is not None:
        return refused
    verified = user_identity(request) if identity_response is not None else None
    roles = _roles(acceptor, request)
    contexts = {
        context.context_id: _accepted(acceptor, context, roles.get(context.abstract_syntax))
        for context in request.presentation_contexts
    }
    items = _who_we_are(acceptor.maximum_length)
    invoked, performed = _windows(acceptor, request)
    if find(request.user_information, pdu.AsynchronousOperationsWindow) and (invoked, performed) != (1, 1):
        items.append(pdu.AsynchronousOperationsWindow(performed, invoked))
    items += roles.values()
    if verified is not None and verified.positive_response_requested and identity_response is not None:
        items.append(pdu.UserIdentityAC(identity_response))
    accept = pdu.AssociateAC(
        request.called_ae_title,
        request.calling_ae_title,
        tuple(
            # The transfer syntax of a refused context is not significant; the first proposed one satisfies every decoder.
            pdu.PresentationContextAC(
                context.context_id, context.result, context.transfer_syntax or context.proposed_transfer_syntaxes[0]
            )
            for context in contexts.values()
        ),
        tuple(items),
    )
    negotiated = Negotiated(
        contexts=contexts,
        peer=_who_the_peer_is(request.calling_ae_title, request.user_information, verified.user if verified else ""),
        called_ae_title=request.called_ae_title,
        send_length=_send_length(request.user_information, acceptor.maximum_send_length),
        invoked=invoked,
        performed=performed,
        extended=_extended(request.user_information),
    )
    return accept, negotiated


def rejection(acceptor: Acceptor, request: pdu.AssociateRQ) -> pdu.AssociateRJ | None:
    """Why the request as a whole is refused, if it is (PS3.8 Table 9-21)."""
    ids = [context.context_id for context in request.presentation_contexts]
    if request.application_context != uids.ApplicationContextName:
        return pdu.AssociateRJ(result=1, source=1, reason=2)
    if len(ids) > MOST_CONTEXTS or len(ids) != len(set(ids)):
        return pdu.AssociateRJ(result=1, source=2, reason=1)
    titles = acceptor.calling_ae_titles
    if not request.calling_ae_title or (titles and request.calling_ae_title not in titles):
        return pdu.AssociateRJ(result=1, source=1, reason=3)
    if acceptor.require_called and request.called_ae_title != acceptor.ae_title:
        return pdu.AssociateRJ(result=1, source=1, reason=7)
    return None


def _accepted(
    acceptor: Acceptor, proposed: pdu.PresentationContextRQ, role: pdu.RoleSelection | None
) -> PresentationContext:
    if proposed.abstract_syntax not in acceptor.contexts and not acceptor.accept_unknown:
        return _context(proposed, role, ABSTRACT_SYNTAX_NOT_SUPPORTED)
    chosen = _chosen_syntax(acceptor, proposed.transfer_syntaxes)
    return _context(proposed, role, ACCEPTANCE if chosen else TRANSFER_SYNTAXES_NOT_SUPPORTED, chosen)


def _chosen_syntax(acceptor: Acceptor, proposed: tuple[str, ...]) -> str:
    """Return the transfer syntax that is accepted of those proposed; empty if none is."""
    supported = (uids.ANY_SYNTAX,) if acceptor.transfer_syntaxes is None else acceptor.transfer_syntaxes
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


def _roles(acceptor: Acceptor, request: pdu.AssociateRQ) -> dict[str, pdu.RoleSelection]:
    """Our answers to the role selection items: of what was offered, what `acceptor` allows (PS3.7 D.3.3.4)."""
    allowed = {role.sop_class_uid: role for role in acceptor.roles}
    answers = {}
    for item in find_all(request.user_information, pdu.RoleSelection):
        mine = allowed.get(item.sop_class_uid)
        if mine is not None:
            answers[item.sop_class_uid] = _both(mine, item)
    return answers


def _windows(acceptor: Acceptor, request: pdu.AssociateRQ) -> tuple[int, int]:
    """Operations that we may have outstanding, and that the requestor may (PS3.7 D.3.3.3)."""
    window = find(request.user_information, pdu.AsynchronousOperationsWindow)
    return 1, _narrower(window.maximum_invoked, acceptor.async_ops) if window else 1


# --- both ---


def _context(
    proposed: pdu.PresentationContextRQ, role: pdu.RoleSelection | None, result: int, transfer_syntax: str = ""
) -> PresentationContext:
    """A proposed context with its result; `role` is what was agreed, None for the roles that it has without."""
    return PresentationContext(
        context_id=proposed.context_id,
        abstract_syntax=proposed.abstract_syntax,
        result=result,
        transfer_syntax=transfer_syntax,
        proposed_transfer_syntaxes=proposed.transfer_syntaxes,
        requestor_is_scu=bool(role.scu_role) if role else True,
        requestor_is_scp=bool(role.scp_role) if role else False,
    )


def _both(ours: Role, theirs: pdu.RoleSelection) -> pdu.RoleSelection:
    """The roles of the requestor that both sides want (PS3.7 D.3.3.4)."""
    return pdu.RoleSelection(ours.sop_class_uid, ours.scu & theirs.scu_role, ours.scp & theirs.scp_role)


def _narrower(one: int, other: int) -> int:
    """The narrower of two asynchronous operations windows; 0 is unlimited (PS3.7 D.3.3.3)."""
    return min(one, other) if one and other else one or other


def _who_we_are(maximum_length: int) -> list[pdu.UserInformationItem]:
    return [
        pdu.MaximumLength(maximum_length),
        pdu.ImplementationClassUID(IMPLEMENTATION_CLASS_UID),
        pdu.ImplementationVersionName(IMPLEMENTATION_VERSION_NAME),
    ]


def _who_the_peer_is(ae_title: str, items: tuple[pdu.UserInformationItem, ...], user: str = "") -> Peer:
    class_uid = find(items, pdu.ImplementationClassUID)
    version = find(items, pdu.ImplementationVersionName)
    return Peer(ae_title, class_uid.uid if class_uid else "", version.name if version else "", user=user)


def _send_length(items: tuple[pdu.UserInformationItem, ...], cap: int) -> int:
    """The peer's maximum length (PS3.8 D.1: it does not count the PDU's header; 0 or none is no limit), below our own cap."""
    announced = find(items, pdu.MaximumLength)
    length = announced.length if announced else 0
    if 0 < length < LEAST_SEND_LENGTH:
        raise UnusableMaximumLength(f"the peer's maximum length of {length} bytes is too small to send anything in")
    return min(length, cap) if length else cap


def _extended(items: tuple[pdu.UserInformationItem, ...]) -> tuple[ExtendedNegotiation, ...]:
    return tuple(
        ExtendedNegotiation(item.sop_class_uid, item.information)
        for item in find_all(items, pdu.SOPClassExtendedNegotiation)
    )
