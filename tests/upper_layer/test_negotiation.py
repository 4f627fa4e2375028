"""Proposal and answer of a negotiation; both sides then hold the same agreement."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from dimse import uids
from dimse.errors import IdentityNotConfirmed, NegotiationError, RefusedContexts, RemoteProtocolError
from dimse.settings import (
    IMPLEMENTATION_CLASS_UID,
    IMPLEMENTATION_VERSION_NAME,
    Acceptor,
    CommonExtendedNegotiation,
    ExtendedNegotiation,
    ProposedContext,
    Requestor,
    Role,
    UserIdentity,
)
from dimse.support.values import replace
from dimse.upper_layer import negotiation, pdu
from dimse.upper_layer.negotiation import Negotiated, Peer, answer, conclude, propose
from dimse.upper_layer.user_information import find, find_all

VERIFICATION, CT, MR = "1.2.840.10008.1.1", "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.4"
IMPLICIT, EXPLICIT, BIG = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2"
CONTEXTS = (ProposedContext(VERIFICATION), ProposedContext(CT, (EXPLICIT, IMPLICIT)), ProposedContext(CT, (BIG,)))
ACCEPTANCE = 0


def requestor(**chosen: Any) -> Requestor:
    return Requestor(**{"contexts": CONTEXTS} | chosen)


def acceptor(**chosen: Any) -> Acceptor:
    return Acceptor(**{"contexts": (VERIFICATION, CT)} | chosen)


def accepting(request: pdu.AssociateRQ, *items: pdu.UserInformationItem) -> pdu.AssociateAC:
    """Return an A-ASSOCIATE-AC that accepts every context with its first transfer syntax."""
    return pdu.AssociateAC(
        request.called_ae_title,
        request.calling_ae_title,
        tuple(
            pdu.PresentationContextAC(context.context_id, ACCEPTANCE, context.transfer_syntaxes[0])
            for context in request.presentation_contexts
        ),
        items,
    )


def requested(*items: pdu.UserInformationItem, **fields: Any) -> pdu.AssociateRQ:
    """Return an A-ASSOCIATE-RQ as another implementation might send it."""
    contexts = (pdu.PresentationContextRQ(1, VERIFICATION, (IMPLICIT,)),)
    return pdu.AssociateRQ(
        **{
            "called_ae_title": "ANY-SCP",
            "calling_ae_title": "OTHER-SCU",
            "presentation_contexts": contexts,
            "user_information": items,
        }
        | fields
    )


def accepted(
    acceptor: Acceptor, request: pdu.AssociateRQ, identity_response: bytes | None = None
) -> tuple[pdu.AssociateAC, Negotiated]:
    result = answer(acceptor, request, identity_response)
    assert isinstance(result, tuple)
    return result


# ---------------------------------------------------------------------------------------------------------------------
# The requestor proposes


def test_what_every_request_says() -> None:
    request = propose(requestor(calling_ae_title="ME", called_ae_title="YOU", maximum_length=4096))
    assert (request.called_ae_title, request.calling_ae_title) == ("YOU", "ME")
    assert (request.protocol_version, request.application_context) == (1, "1.2.840.10008.3.1.1.1")
    assert request.presentation_contexts == (
        pdu.PresentationContextRQ(1, VERIFICATION, CONTEXTS[0].transfer_syntaxes),
        pdu.PresentationContextRQ(3, CT, (EXPLICIT, IMPLICIT)),
        pdu.PresentationContextRQ(5, CT, (BIG,)),
    )
    assert request.user_information == (
        pdu.MaximumLength(4096),
        pdu.ImplementationClassUID(IMPLEMENTATION_CLASS_UID),
        pdu.ImplementationVersionName(IMPLEMENTATION_VERSION_NAME),
    )


def test_what_is_said_where_it_is_wanted() -> None:
    request = propose(
        requestor(
            async_ops=8,
            roles=(Role(CT, scu=False, scp=True), Role(MR)),
            extended=(ExtendedNegotiation(CT, b"\1\2"),),
            common_extended=(CommonExtendedNegotiation(MR, "1.2.3", (CT,)),),
            identity=UserIdentity(2, b"user", b"passcode", positive_response_requested=True),
        )
    )
    assert request.user_information[3:] == (
        pdu.AsynchronousOperationsWindow(8, 1),
        pdu.RoleSelection(CT, 0, 1),
        pdu.RoleSelection(MR, 1, 0),
        pdu.SOPClassExtendedNegotiation(CT, b"\1\2"),
        pdu.SOPClassCommonExtendedNegotiation(MR, "1.2.3", (CT,)),
        pdu.UserIdentityRQ(2, 1, b"user", b"passcode"),
    )


def test_128_contexts_have_the_odd_ids() -> None:
    request = propose(requestor(contexts=CONTEXTS[:1] * 128))
    assert [context.context_id for context in request.presentation_contexts] == list(range(1, 256, 2))
    assert pdu.decode(1, pdu.encode(request)[6:]) == request


# ---------------------------------------------------------------------------------------------------------------------
# The requestor concludes


def test_accepted_contexts() -> None:
    asked = requestor(called_ae_title="YOU")
    request = propose(asked)
    negotiated = conclude(asked, request, accepting(request))
    assert [context.context_id for context in negotiated.accepted()] == [1, 3, 5]
    assert [context.transfer_syntax for context in negotiated.accepted(CT)] == [EXPLICIT, BIG]
    assert negotiated.accepted(MR) == []
    first = negotiated.contexts[3]
    assert (first.abstract_syntax, first.proposed_transfer_syntaxes) == (CT, (EXPLICIT, IMPLICIT))
    assert (first.requestor_is_scu, first.requestor_is_scp) == (True, False)
    assert negotiated.called_ae_title == "YOU"
    assert negotiated.peer == Peer("YOU")
    assert (negotiated.invoked, negotiated.performed) == (1, 1)
    assert (negotiated.extended, negotiated.identity_response) == ((), None)


@pytest.mark.parametrize("result", [1, 2, 3, 4, 5, 255])
def test_a_refused_context_keeps_its_result_and_has_no_transfer_syntax(result: int) -> None:
    asked = requestor()
    request = propose(asked)
    contexts = (pdu.PresentationContextAC(1, ACCEPTANCE, BIG), pdu.PresentationContextAC(3, result, MR))
    negotiated = conclude(asked, request, replaced(accepting(request), contexts))
    assert [context.context_id for context in negotiated.accepted()] == [1]
    assert (negotiated.contexts[3].result, negotiated.contexts[3].transfer_syntax) == (result, "")
    # One that the acceptor does not mention is refused, without a reason.
    assert (negotiated.contexts[5].result, negotiated.contexts[5].transfer_syntax) == (2, "")


def replaced(accept: pdu.AssociateAC, contexts: tuple[pdu.PresentationContextAC, ...]) -> pdu.AssociateAC:
    return pdu.AssociateAC(accept.called_ae_title, accept.calling_ae_title, contexts, accept.user_information)


@pytest.mark.parametrize("contexts", [[(1, 3, ""), (1, ACCEPTANCE, IMPLICIT)], [(1, 3, ""), (1, 4, "")]])
def test_two_answers_that_contradict_each_other_are_an_error(contexts: list[tuple[int, int, str]]) -> None:
    asked = requestor()
    request = propose(asked)
    answered = tuple(pdu.PresentationContextAC(*context) for context in contexts)
    with pytest.raises(RemoteProtocolError, match="presentation context 1 is answered twice") as caught:
        conclude(asked, request, replaced(accepting(request), answered))
    assert (caught.value.abort_source, caught.value.abort_reason) == (0, 6)


@pytest.mark.parametrize("context_id", [2, 7, 99, 255])
@pytest.mark.parametrize("result", [ACCEPTANCE, 3])
def test_an_answer_to_a_context_that_was_not_proposed_is_ignored(context_id: int, result: int) -> None:
    """An association is not lost for it any more: no data can go on such a context."""
    asked = requestor()
    request = propose(asked)
    accept = accepting(request)
    more = (*accept.presentation_contexts, pdu.PresentationContextAC(context_id, result, IMPLICIT))
    negotiated = conclude(asked, request, replaced(accept, more))
    assert negotiated.contexts == conclude(asked, request, accept).contexts
    assert [line for line in negotiated.oddities if f"Presentation Context {context_id} was" in line]


def test_a_context_that_was_accepted_in_a_way_that_was_not_asked_for_is_refused_alone() -> None:
    asked = requestor()
    request = propose(asked)
    contexts = (pdu.PresentationContextAC(1, 0, IMPLICIT), pdu.PresentationContextAC(5, 0, IMPLICIT))
    negotiated = conclude(asked, request, replaced(accepting(request), contexts))
    assert [context.context_id for context in negotiated.accepted()] == [1]
    assert (negotiated.contexts[5].result, negotiated.contexts[5].transfer_syntax) == (negotiation.UNUSABLE, "")
    with pytest.raises(RefusedContexts) as caught:
        conclude(asked, request, replaced(accepting(request), contexts[1:]))
    assert caught.value.refused[2] == (
        f"{uids.name(CT)} ({uids.name(BIG)}): Accepted, but not with one of these transfer syntaxes"
    )


def test_an_association_without_an_accepted_context_says_why() -> None:
    asked = requestor(contexts=(*CONTEXTS, ProposedContext("1.2.3.4", (IMPLICIT, "1.2.5"))))
    request = propose(asked)
    contexts = (
        pdu.PresentationContextAC(3, 1, ""),
        pdu.PresentationContextAC(5, 4, ""),
        pdu.PresentationContextAC(7, 77, ""),
    )
    with pytest.raises(RefusedContexts, match="No accepted presentation contexts") as caught:
        conclude(asked, request, replaced(accepting(request), contexts))
    syntaxes = ", ".join(map(uids.name, CONTEXTS[0].transfer_syntaxes))
    assert caught.value.refused == (
        f"{uids.name(VERIFICATION)} ({syntaxes}): Provider Rejection - No Reason Given",
        f"{uids.name(CT)} ({uids.name(EXPLICIT)}, {uids.name(IMPLICIT)}): User Rejection",
        f"{uids.name(CT)} ({uids.name(BIG)}): Rejected - Transfer Syntax Not Supported",
        f"{uids.name('1.2.3.4')} ({uids.name(IMPLICIT)}, {uids.name('1.2.5')}): (unknown result 77)",
    )


def test_the_peer_describes_itself() -> None:
    asked = requestor(called_ae_title="YOU")
    request = propose(asked)
    accept = accepting(
        request,
        pdu.ImplementationClassUID("1.2.3"),
        pdu.ImplementationVersionName("THEIRS"),
        pdu.SOPClassExtendedNegotiation(CT, b"\1"),
        pdu.UserIdentityAC(b"ticket"),
    )
    negotiated = conclude(asked, request, accept)
    assert negotiated.peer == Peer("YOU", "1.2.3", "THEIRS")
    assert negotiated.extended == (ExtendedNegotiation(CT, b"\1"),)
    assert negotiated.identity_response == b"ticket"


# Announced by the peer (None: it says nothing), our own cap, what is sent; 0: nothing can be.
SEND_LENGTHS = [
    # The peer may not take more where it does not say.
    (None, 262144, 16384),
    (None, 4096, 4096),
    (0, 262144, 262144),
    *((length, 262144, 0) for length in range(1, 8)),
    (8, 262144, 8),
    (9, 262144, 9),
    (16384, 262144, 16384),
    (262145, 262144, 262144),
    (2**32 - 1, 262144, 262144),
    (2**32 - 1, 2**32 - 1, 2**32 - 1),
    (16384, 4096, 4096),
    (0, 4096, 4096),
]


@pytest.mark.parametrize(("announced", "cap", "sent"), SEND_LENGTHS)
def test_how_much_is_sent_in_a_pdu(announced: int | None, cap: int, sent: int) -> None:
    items = () if announced is None else (pdu.MaximumLength(announced),)
    asked = requestor(maximum_send_length=cap)
    request = propose(asked)
    if sent:
        assert conclude(asked, request, accepting(request, *items)).send_length == sent
        assert accepted(acceptor(maximum_send_length=cap), requested(*items))[1].send_length == sent
        return
    for negotiate in (
        lambda: conclude(asked, request, accepting(request, *items)),
        lambda: answer(acceptor(maximum_send_length=cap), requested(*items)),
    ):
        with pytest.raises(NegotiationError, match=f"maximum length of {announced} bytes is too small"):
            negotiate()


# ---------------------------------------------------------------------------------------------------------------------
# The acceptor answers


def test_what_every_answer_says() -> None:
    request = requested(pdu.ImplementationClassUID("1.2.3"), pdu.ImplementationVersionName("THEIRS"))
    accept, negotiated = accepted(acceptor(maximum_length=4096), request)
    assert (accept.called_ae_title, accept.calling_ae_title) == ("ANY-SCP", "OTHER-SCU")
    assert accept.presentation_contexts == (pdu.PresentationContextAC(1, ACCEPTANCE, IMPLICIT),)
    assert accept.user_information == (
        pdu.MaximumLength(4096),
        pdu.ImplementationClassUID(IMPLEMENTATION_CLASS_UID),
        pdu.ImplementationVersionName(IMPLEMENTATION_VERSION_NAME),
    )
    assert negotiated.called_ae_title == "ANY-SCP"
    assert negotiated.peer == Peer("OTHER-SCU", "1.2.3", "THEIRS")
    assert (negotiated.invoked, negotiated.performed) == (1, 1)


ONE, OTHER = (pdu.PresentationContextRQ(1, VERIFICATION, (syntax,)) for syntax in (IMPLICIT, EXPLICIT))
APPLICATION_CONTEXT, CALLING, CALLED = (
    {"application_context": "1.2.3"},
    {"calling_ae_title": ""},
    {"called_ae_title": "NO"},
)
TOO_MANY = {"presentation_contexts": tuple(ONE for _ in range(129))}


@pytest.mark.parametrize(
    ("ours", "theirs", "rejection"),
    [
        ({}, APPLICATION_CONTEXT, (1, 1, 2)),
        ({}, TOO_MANY, (1, 2, 1)),
        # In the same content it counts once.
        ({}, {"presentation_contexts": (ONE, ONE)}, None),
        ({}, {"presentation_contexts": (ONE, OTHER)}, (1, 2, 1)),
        ({}, CALLING, (1, 1, 3)),
        ({"calling_ae_titles": ("FRIEND", "OTHER")}, {}, (1, 1, 3)),
        ({"calling_ae_titles": ("FRIEND", "OTHER-SCU")}, {}, None),
        ({"calling_ae_titles": ("other-scu",)}, {}, (1, 1, 3)),
        ({"require_called": True, "ae_title": "NO"}, {}, (1, 1, 7)),
        ({"require_called": True, "ae_title": "ANY-SCP"}, {}, None),
        ({"require_called": True, "ae_title": " ANY-SCP "}, {}, None),
        ({"ae_title": "NO"}, {}, None),
        ({}, {"called_ae_title": ""}, None),
        # the first reason found is the one that is given
        ({}, APPLICATION_CONTEXT | TOO_MANY | CALLING, (1, 1, 2)),
        ({}, TOO_MANY | CALLING, (1, 2, 1)),
        ({"require_called": True}, CALLING | CALLED, (1, 1, 3)),
    ],
)
def test_a_request_is_rejected_as_a_whole(
    ours: dict[str, Any], theirs: dict[str, Any], rejection: tuple[int, int, int] | None
) -> None:
    result = answer(acceptor(**ours), requested(**theirs))
    assert isinstance(result, tuple) if rejection is None else result == pdu.AssociateRJ(*rejection)


@pytest.mark.parametrize(("count", "taken"), [(1, True), (127, True), (128, True), (129, False), (200, False)])
def test_up_to_128_contexts_are_answered_each(count: int, taken: bool) -> None:
    contexts = tuple(
        pdu.PresentationContextRQ((2 * index + 1) % 256, VERIFICATION if index % 2 else MR, (IMPLICIT, BIG))
        for index in range(count)
    )
    result = answer(acceptor(), requested(presentation_contexts=contexts))
    if not taken:
        assert result == pdu.AssociateRJ(1, 2, 1)
        return
    assert isinstance(result, tuple)
    accept, negotiated = result
    assert [context.context_id for context in accept.presentation_contexts] == [c.context_id for c in contexts]
    assert len(negotiated.accepted()) == count // 2
    assert pdu.decode(2, pdu.encode(accept)[6:]) == accept


def test_a_context_that_this_requestor_may_not_use_is_rejected_by_the_user() -> None:
    result = answer(acceptor(), propose(requestor()), denied={CT})
    assert isinstance(result, tuple)
    response, agreed = result
    # 1 is a rejection by the user (PS3.8 Table 9-18).
    assert [context.result for context in response.presentation_contexts] == [ACCEPTANCE, 1, 1]
    assert [context.accepted for context in agreed.contexts.values()] == [True, False, False]


@pytest.mark.parametrize(
    ("ours", "abstract_syntax", "proposed", "result", "chosen"),
    [
        ({}, CT, (EXPLICIT, IMPLICIT), 0, EXPLICIT),
        ({}, CT, ("1.2.3",), 4, ""),
        ({"transfer_syntaxes": ("any",)}, CT, ("1.2.3",), 0, "1.2.3"),
        ({}, MR, (IMPLICIT,), 3, ""),
        ({"accept_unknown": True}, MR, (IMPLICIT,), 0, IMPLICIT),
        ({"accept_unknown": True}, "../../x", (IMPLICIT,), 0, IMPLICIT),
        ({"transfer_syntaxes": (IMPLICIT, EXPLICIT)}, CT, (BIG, EXPLICIT, IMPLICIT), 0, EXPLICIT),
        ({"transfer_syntaxes": (IMPLICIT, EXPLICIT), "prefer_ours": True}, CT, (BIG, EXPLICIT, IMPLICIT), 0, IMPLICIT),
        ({"transfer_syntaxes": (IMPLICIT,)}, CT, (BIG, EXPLICIT), 4, ""),
        ({"transfer_syntaxes": (IMPLICIT,), "prefer_ours": True}, CT, (BIG, EXPLICIT), 4, ""),
        ({"transfer_syntaxes": ()}, CT, (IMPLICIT,), 4, ""),
        ({"transfer_syntaxes": (IMPLICIT,)}, MR, (IMPLICIT,), 3, ""),
        ({"transfer_syntaxes": (IMPLICIT, "private")}, CT, ("1.2.3", IMPLICIT), 0, "1.2.3"),
        ({"transfer_syntaxes": (IMPLICIT, "private"), "prefer_ours": True}, CT, ("1.2.3", IMPLICIT), 0, IMPLICIT),
        ({"transfer_syntaxes": (IMPLICIT, "private"), "prefer_ours": True}, CT, ("1.2.3", BIG), 0, "1.2.3"),
        ({"transfer_syntaxes": (IMPLICIT, "private")}, CT, (BIG, "1.2.840.10008.1.2.999"), 4, ""),
        ({"transfer_syntaxes": (IMPLICIT, "private")}, CT, ("no UID",), 4, ""),
        ({"transfer_syntaxes": (IMPLICIT, "any")}, CT, ("1.2.840.10008.1.2.999", IMPLICIT), 0, "1.2.840.10008.1.2.999"),
        ({"transfer_syntaxes": None, "prefer_ours": True}, CT, (BIG, IMPLICIT), 0, IMPLICIT),
    ],
)
def test_which_context_is_accepted_with_which_transfer_syntax(
    ours: dict[str, Any], abstract_syntax: str, proposed: tuple[str, ...], result: int, chosen: str
) -> None:
    context = pdu.PresentationContextRQ(7, abstract_syntax, proposed)
    accept, negotiated = accepted(acceptor(**ours), requested(presentation_contexts=(context,)))
    (answered,) = accept.presentation_contexts
    assert (answered.context_id, answered.result) == (7, result)
    assert answered.transfer_syntax == (chosen or proposed[0])  # without significance where refused
    held = negotiated.contexts[7]
    assert (held.abstract_syntax, held.result, held.transfer_syntax) == (abstract_syntax, result, chosen)
    assert held.proposed_transfer_syntaxes == proposed
    assert held.accepted == (result == 0)


@pytest.mark.parametrize(
    ("item", "response", "answered", "user"),
    [
        (pdu.UserIdentityRQ(1, 1, b"user"), None, None, ""),
        (None, None, None, ""),
        (pdu.UserIdentityRQ(1, 0, b"user"), b"", None, "user"),
        (pdu.UserIdentityRQ(1, 1, b"user"), b"", b"", "user"),
        (pdu.UserIdentityRQ(2, 255, "J\xf6rg".encode(), b"pass"), b"", b"", "J\xf6rg"),
        (pdu.UserIdentityRQ(5, 1, b"token"), b"answer", b"answer", ""),
    ],
)
def test_a_user_identity_that_was_verified_is_answered_where_that_is_asked_for(
    item: pdu.UserIdentityRQ | None, response: bytes | None, answered: bytes | None, user: str
) -> None:
    accept, negotiated = accepted(acceptor(), requested(*([item] if item else [])), response)
    found = find(accept.user_information, pdu.UserIdentityAC)
    assert (found and found.server_response) == answered
    assert negotiated.peer.user == user


def test_a_requestor_sends_its_user_identity() -> None:
    assert negotiation.user_identity(requested()) is None
    identity = negotiation.user_identity(requested(pdu.UserIdentityRQ(2, 255, b"user", b"pass")))
    assert identity == UserIdentity(2, b"user", b"pass", positive_response_requested=True)


def test_the_application_information_of_the_requestor_is_held() -> None:
    items = (pdu.SOPClassExtendedNegotiation(CT, b"\1"), pdu.SOPClassExtendedNegotiation(MR, b""))
    _, negotiated = accepted(acceptor(), requested(*items))
    assert negotiated.extended == (ExtendedNegotiation(CT, b"\1"), ExtendedNegotiation(MR, b""))


# ---------------------------------------------------------------------------------------------------------------------
# Both sides


def agreed(
    asked: Requestor, asking: Acceptor, identity_response: bytes | None = None
) -> tuple[Negotiated, Negotiated, pdu.AssociateAC]:
    """Return what the requestor and the acceptor hold, each from the bytes of the other, and the answer."""
    request = propose(asked)
    arrived = pdu.decode(1, pdu.encode(request)[6:])
    assert arrived == request
    assert isinstance(arrived, pdu.AssociateRQ)
    accept, acceptors = accepted(asking, arrived, identity_response)
    answered = pdu.decode(2, pdu.encode(accept)[6:])
    assert answered == accept
    assert isinstance(answered, pdu.AssociateAC)
    return conclude(asked, request, answered), acceptors, accept


TRUTH = [(False, False), (False, True), (True, False), (True, True)]


@pytest.mark.parametrize("offered", [None, *TRUTH])
@pytest.mark.parametrize("allowed", [None, *TRUTH])
def test_roles(offered: tuple[bool, bool] | None, allowed: tuple[bool, bool] | None) -> None:
    """PS3.7 D.3.3.4: the requestor may be what it offers to be and the acceptor allows; SCU alone, if one says nothing."""
    requestors, acceptors, accept = agreed(
        requestor(roles=(Role(CT, *offered),) if offered else ()),
        acceptor(roles=(Role(CT, *allowed),) if allowed else ()),
    )
    both = (True, False)
    items: tuple[pdu.RoleSelection, ...] = ()
    if offered and allowed:
        both = (offered[0] and allowed[0], offered[1] and allowed[1])
        items = (pdu.RoleSelection(CT, int(both[0]), int(both[1])),)
    assert tuple(find_all(accept.user_information, pdu.RoleSelection)) == items
    for negotiated in (requestors, acceptors):
        assert {(c.requestor_is_scu, c.requestor_is_scp) for c in negotiated.accepted(CT)} == {both}
        assert {(c.requestor_is_scu, c.requestor_is_scp) for c in negotiated.accepted(VERIFICATION)} == {(True, False)}


@pytest.mark.parametrize("offered", TRUTH)
@pytest.mark.parametrize("answered", TRUTH)
def test_a_role_that_was_not_offered_cannot_be_given(offered: tuple[bool, bool], answered: tuple[bool, bool]) -> None:
    asked = requestor(roles=(Role(CT, *offered),))
    request = propose(asked)
    roles = (pdu.RoleSelection(uid, int(answered[0]), int(answered[1])) for uid in (VERIFICATION, CT, MR))
    negotiated = conclude(asked, request, accepting(request, *roles))
    of_ct, of_verification = negotiated.contexts[3], negotiated.contexts[1]
    assert of_ct.requestor_is_scu == (offered[0] and answered[0])
    assert of_ct.requestor_is_scp == (offered[1] and answered[1])
    assert (of_verification.requestor_is_scu, of_verification.requestor_is_scp) == (True, False)


@pytest.mark.parametrize(
    ("asked", "allowed", "agreed_on"),
    [
        (1, 1, 1),
        (1, 8, 1),
        (8, 1, 1),
        (8, 8, 8),
        (8, 3, 3),
        (3, 8, 3),
        (0, 0, 0),
        (0, 8, 8),
        (8, 0, 8),
        (0, 1, 1),
        (1, 0, 1),
        (65535, 65535, 65535),
    ],
)
def test_operations_that_may_be_outstanding(asked: int, allowed: int, agreed_on: int) -> None:
    requestors, acceptors, accept = agreed(requestor(async_ops=asked), acceptor(async_ops=allowed))
    assert (requestors.invoked, acceptors.performed) == (agreed_on, agreed_on)
    assert (requestors.performed, acceptors.invoked) == (1, 1)
    window = find(accept.user_information, pdu.AsynchronousOperationsWindow)
    assert window == (None if agreed_on == 1 else pdu.AsynchronousOperationsWindow(agreed_on, 1))


@pytest.mark.parametrize(
    ("asked", "window", "held"), [(1, 8, 1), (1, 0, 1), (4, 8, 4), (4, 0, 4), (0, 8, 8), (0, 0, 0), (4, 2, 2)]
)
def test_no_more_operations_are_invoked_than_were_asked_for(asked: int, window: int, held: int) -> None:
    ours = requestor(async_ops=asked)
    request = propose(ours)
    accept = accepting(request, pdu.AsynchronousOperationsWindow(window, window))
    assert conclude(ours, request, accept).invoked == held


def test_a_user_identity_and_its_answer() -> None:
    requestors, *_ = agreed(
        requestor(identity=UserIdentity(3, b"ticket", positive_response_requested=True)), acceptor(), b"TICKET"
    )
    assert requestors.identity_response == b"TICKET"


def test_an_identity_that_was_to_be_confirmed_and_is_not_is_an_error() -> None:
    with pytest.raises(IdentityNotConfirmed, match="without confirming the user identity"):
        agreed(requestor(identity=UserIdentity(1, b"me", positive_response_requested=True)), acceptor())
    requestors, *_ = agreed(requestor(identity=UserIdentity(1, b"me")), acceptor())
    assert requestors.identity_response is None


UIDS = st.sampled_from((VERIFICATION, CT, MR, "1.2.3", IMPLICIT))
SYNTAXES = st.lists(st.sampled_from((IMPLICIT, EXPLICIT, BIG, "1.2.9")), min_size=1, max_size=5, unique=True).map(tuple)
ROLES = st.lists(st.builds(Role, UIDS, st.booleans(), st.booleans()), max_size=4).map(tuple)
WINDOWS = st.sampled_from((0, 1, 2, 7, 65535))
LENGTHS = st.sampled_from((0, 4096, 16382, 131072, 2**32 - 1))
CAPS = st.sampled_from((8, 4096, 262144, 2**32 - 1))
REQUESTORS = st.builds(
    Requestor,
    contexts=st.lists(st.builds(ProposedContext, UIDS, SYNTAXES), min_size=1, max_size=128).map(tuple),
    maximum_length=LENGTHS,
    maximum_send_length=CAPS,
    roles=ROLES,
    extended=st.lists(st.builds(ExtendedNegotiation, UIDS, st.binary(max_size=9)), max_size=3).map(tuple),
    common_extended=st.lists(
        st.builds(CommonExtendedNegotiation, UIDS, UIDS, st.lists(UIDS, max_size=3).map(tuple)), max_size=3
    ).map(tuple),
    identity=st.none()
    | st.builds(
        UserIdentity, st.integers(1, 5), st.binary(min_size=1, max_size=9), st.binary(max_size=9), st.booleans()
    ),
    async_ops=WINDOWS,
)
ACCEPTORS = st.builds(
    Acceptor,
    contexts=st.lists(UIDS, max_size=4).map(tuple),
    transfer_syntaxes=st.none() | SYNTAXES,
    prefer_ours=st.booleans(),
    maximum_length=LENGTHS,
    maximum_send_length=CAPS,
    accept_unknown=st.booleans(),
    roles=ROLES,
    async_ops=WINDOWS,
)


@given(asked=REQUESTORS, asking=ACCEPTORS, identity_response=st.none() | st.binary(max_size=9))
@hypothesis_settings(max_examples=200)
def test_both_sides_hold_the_same_to_be_agreed(
    asked: Requestor, asking: Acceptor, identity_response: bytes | None
) -> None:
    wanted = asked.identity is not None and asked.identity.positive_response_requested
    try:
        requestors, acceptors, _ = agreed(asked, asking, identity_response)
    except IdentityNotConfirmed:
        assert wanted and identity_response is None
        return
    except RefusedContexts as error:
        assert len(error.refused) == len(asked.proposed_contexts)
        return
    assert requestors.contexts == acceptors.contexts
    assert (requestors.invoked, requestors.performed) == (acceptors.performed, acceptors.invoked)
    assert requestors.called_ae_title == acceptors.called_ae_title == asked.called_ae_title
    assert requestors.peer == replace(acceptors.peer, ae_title=asked.called_ae_title, user="")
    for ours, cap, theirs in (
        (requestors, asked.maximum_send_length, asking.maximum_length),
        (acceptors, asking.maximum_send_length, asked.maximum_length),
    ):
        assert 8 <= ours.send_length <= cap
        assert not theirs or ours.send_length <= theirs
    assert requestors.identity_response == (identity_response if wanted else None)


LATIN_1 = st.characters(max_codepoint=255)
ANY_UID = UIDS | st.text(LATIN_1, min_size=1, max_size=64)
ANY_TITLE = st.text(LATIN_1, max_size=16).map(lambda title: title.rstrip("\0 ").lstrip(" "))
ANY_ITEMS = st.tuples(
    *(
        st.none() | one
        for one in (
            st.builds(pdu.MaximumLength, st.integers(0, 2**32 - 1)),
            st.builds(pdu.ImplementationClassUID, ANY_UID),
            st.builds(pdu.ImplementationVersionName, st.text(LATIN_1, max_size=16)),
            st.builds(pdu.AsynchronousOperationsWindow, st.integers(0, 65535), st.integers(0, 65535)),
            st.builds(pdu.RoleSelection, ANY_UID, st.integers(0, 255), st.integers(0, 255)),
            st.builds(pdu.RoleSelection, ANY_UID, st.integers(0, 255), st.integers(0, 255)),
            st.builds(pdu.SOPClassExtendedNegotiation, ANY_UID, st.binary(max_size=20)),
            st.builds(pdu.UserIdentityRQ, st.integers(0, 255), st.integers(0, 255), st.binary(max_size=20)),
        )
    )
).map(lambda items: tuple(item for item in items if item is not None))


@st.composite
def any_requests(draw: st.DrawFn) -> pdu.AssociateRQ:
    """Draw a request of any requestor, as far as it can be read: text where UIDs should be, IDs twice, no AE titles."""
    odd = st.integers(0, 127).map(lambda index: 2 * index + 1)
    ids = draw(st.lists(odd, min_size=1, max_size=128, unique=True) | st.lists(odd, min_size=1, max_size=200))
    contexts = tuple(
        pdu.PresentationContextRQ(context_id, draw(ANY_UID), draw(SYNTAXES | st.tuples(ANY_UID)))
        for context_id in ids[:8]
    )
    if draw(st.booleans()):
        contexts += tuple(pdu.PresentationContextRQ(context_id, CT, (IMPLICIT,)) for context_id in ids[8:])
    return requested(
        *draw(ANY_ITEMS),
        called_ae_title=draw(ANY_TITLE),
        calling_ae_title=draw(ANY_TITLE),
        presentation_contexts=contexts,
        application_context=draw(st.sampled_from((uids.ApplicationContextName,) * 4 + ("1.2.3",))),
        protocol_version=draw(st.integers(0, 65535)),
    )


@given(request=any_requests(), asking=ACCEPTORS)
@hypothesis_settings(max_examples=200)
def test_whatever_can_be_read_is_answered(request: pdu.AssociateRQ, asking: Acceptor) -> None:
    try:
        result = answer(asking, request)
    except NegotiationError:
        assert min(item.length for item in find_all(request.user_information, pdu.MaximumLength) if item.length) < 8
        return
    if isinstance(result, pdu.AssociateRJ):
        assert pdu.decode(3, pdu.encode(result)[6:]) == result
        return
    accept, negotiated = result
    answered = pdu.decode(2, pdu.encode(accept)[6:])
    assert isinstance(answered, pdu.AssociateAC)
    results = {context.context_id: context.result for context in answered.presentation_contexts}
    assert results == {context.context_id: context.result for context in negotiated.contexts.values()}
    # One that comes twice in the same content counts once.
    assert list(results) == list(dict.fromkeys(context.context_id for context in request.presentation_contexts))
