"""Behaviours in the negotiation of an association (PS3.8 9.3; PS3.7 D.3.3)."""

from __future__ import annotations

from tests.faulty_peer import A_ASSOCIATE_AC, A_ASSOCIATE_RJ, PeerGoneError, item, pdu
from tests.interop.evil.conversation import (
    EXTENDED_NEGOTIATION,
    ROLE_SELECTION,
    Conversation,
    Request,
    answer_honestly,
)
from tests.interop.evil.registry import ANY, GET, Accept, behaviour

USER_REJECTION, ABSTRACT_SYNTAX_NOT_SUPPORTED = 1, 3
MPEG_4 = "1.2.840.10008.1.2.4.102"


def _accepts(name: str, says: str, accept: Accept, *operations: str) -> None:
    """Enter a behaviour that is in the answer to the A-ASSOCIATE-RQ; a request that comes all the same is answered."""

    def act(talk: Conversation, request: Request) -> None:
        answer_honestly(talk, request)

    act.__name__, act.__doc__ = name, says
    behaviour(*(operations or ANY), accept=accept)(act)


def _reject(talk: Conversation) -> None:
    talk.read_request()
    talk.send(pdu(A_ASSOCIATE_RJ, bytes([0, 1, 1, 1])))
    talk.drain()
    raise PeerGoneError


def _never_accept(talk: Conversation) -> None:
    talk.read_request()
    talk.drain()
    raise PeerGoneError


def _accept_nothing(talk: Conversation) -> None:
    talk.read_request()
    results = [(context.context_id, ABSTRACT_SYNTAX_NOT_SUPPORTED, "") for context in talk.contexts]
    talk.send(talk.acceptance(results))


def _reject_each_context(talk: Conversation) -> None:
    talk.read_request()
    talk.send(talk.acceptance([(context.context_id, USER_REJECTION, "") for context in talk.contexts]))


def _accept_another_syntax(talk: Conversation) -> None:
    talk.read_request()
    talk.send(talk.acceptance([(context.context_id, 0, MPEG_4) for context in talk.contexts]))


def _accept_contexts_not_proposed(talk: Conversation) -> None:
    talk.read_request()
    talk.send(talk.acceptance([(251, 0, MPEG_4), (253, 0, MPEG_4)]))


def _accept_each_twice(talk: Conversation) -> None:
    talk.read_request()
    once = [(context.context_id, 0, context.transfer_syntaxes[0]) for context in talk.contexts]
    refused = [(context_id, ABSTRACT_SYNTAX_NOT_SUPPORTED, "") for context_id, _, _ in once]
    talk.send(talk.acceptance(once + refused))


def _take_pdus_of_one_byte(talk: Conversation) -> None:
    talk.read_request()
    talk.send(talk.acceptance(maximum_length=1))


def _take_pdus_of_8_bytes(talk: Conversation) -> None:
    talk.read_request()
    talk.send(talk.acceptance(maximum_length=8))


def _extended_negotiation_of_noise(talk: Conversation) -> None:
    talk.read_request()
    noise = b"\x00\x40" + b"1" * 20 + b"\xff" * 5
    talk.send(talk.acceptance(negotiation=[(EXTENDED_NEGOTIATION, noise)]))


def _accept_features_not_asked(talk: Conversation) -> None:
    talk.read_request()
    items = []
    for context in talk.contexts:
        uid = context.abstract_syntax.encode("ascii")
        items.append((EXTENDED_NEGOTIATION, len(uid).to_bytes(2) + uid + b"\1" * 7))
    talk.send(talk.acceptance(negotiation=items))


def _take_roles_away(talk: Conversation) -> None:
    talk.read_request()
    roles = [(kind, content[:-2] + b"\0\0") for kind, content in talk.negotiation if kind == ROLE_SELECTION]
    talk.send(talk.acceptance(negotiation=roles))


def _acceptance_cut_short(talk: Conversation) -> None:
    talk.read_request()
    whole = talk.acceptance()
    talk.send(whole[: len(whole) // 2])
    talk.half_close()
    talk.drain()
    raise PeerGoneError


def _acceptance_with_item_too_long(talk: Conversation) -> None:
    talk.read_request()
    body = talk.acceptance()[6:]
    talk.send(pdu(A_ASSOCIATE_AC, body + item(0x50, b"", length=65535)))
    talk.drain()
    raise PeerGoneError


_accepts("rejected", "Reject the association.", _reject)
_accepts("never_accepted", "Answer nothing to the A-ASSOCIATE-RQ.", _never_accept)
_accepts("no_context_accepted", "Accept the association, and no context.", _accept_nothing)
_accepts("each_context_rejected", "Accept the association, and reject each context by the user.", _reject_each_context)
_accepts(
    "another_syntax_accepted",
    "Accept each context with a transfer syntax that was not proposed.",
    _accept_another_syntax,
)
_accepts("other_contexts_accepted", "Accept contexts that were not proposed.", _accept_contexts_not_proposed)
_accepts("each_context_twice", "Accept each context, and refuse it in the same PDU.", _accept_each_twice)
_accepts("pdus_of_one_byte", "Take P-DATA-TFs of one byte, in which nothing fits.", _take_pdus_of_one_byte)
_accepts("pdus_of_8_bytes", "Take P-DATA-TFs of eight bytes.", _take_pdus_of_8_bytes)
_accepts(
    "extended_negotiation_of_noise",
    "Answer an extended negotiation that cannot be read.",
    _extended_negotiation_of_noise,
)
_accepts("features_not_asked", "Claim every feature of extended negotiation, unasked.", _accept_features_not_asked)
_accepts(
    "roles_taken_away", "Answer each role selection with neither role, and store all the same.", _take_roles_away, GET
)
_accepts("acceptance_cut_short", "Close the connection in the middle of the A-ASSOCIATE-AC.", _acceptance_cut_short)
_accepts(
    "acceptance_with_long_item",
    "Send an A-ASSOCIATE-AC whose last item is longer than the PDU.",
    _acceptance_with_item_too_long,
)
