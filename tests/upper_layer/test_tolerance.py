"""Peers as they are: each row of the table of docs/tolerance.md, from the bytes of a PDU to what is agreed."""

from __future__ import annotations

from pathlib import Path
from struct import pack

import pytest

from dimse.errors import NegotiationError, RemoteProtocolError
from dimse.support.text import one_line
from dimse.upper_layer import pdu
from dimse.upper_layer.codec import LONGEST_ODDITY, MOST_ODDITIES
from dimse.upper_layer.negotiation import Negotiated, answer, conclude, user_identity
from dimse.upper_layer.provider import UpperLayer
from dimse.upper_layer.structure import Item
from tests.upper_layer.bodies import AC, ACCEPTOR, REQUEST, REQUESTOR, RQ, body, only, proposed, with_second
from tests.upper_layer.samples import EXPLICIT, context_rq, decode_ac, decode_rq, item, prefixed, transfer_syntax
from tests.upper_layer.tolerance import FAULTS, Fault, rows, sub

PAGE = Path(__file__).parents[2] / "docs" / "tolerance.md"

TOLERATED = [pytest.param(fault, id=fault.name) for fault in FAULTS if fault.like]
NOT_TOLERATED = [pytest.param(fault, id=fault.name) for fault in FAULTS if not fault.like]


def in_words(sent: pdu.PDU) -> str:
    """Return the answer in the words of the table."""
    match sent:
        case pdu.AssociateRJ(result, source, reason):
            return f"A-ASSOCIATE-RJ {result}/{source}/{reason}"
        case pdu.Abort(source, reason):
            return f"A-ABORT {source}/{reason}"
    return type(sent).__name__


def arriving(which: str, said: bytes) -> UpperLayer | pdu.AssociateRQ | pdu.AssociateAC:
    """Return the PDU as it is indicated; if it is not, the upper layer, which owes an answer."""
    upper = UpperLayer(requestor=which == AC, maximum_length=16384)
    if which == AC:
        upper.associate_request(REQUEST)
    upper.transport_opened()
    upper.data_to_send()
    for indication in upper.receive(memoryview(pack(">BxL", 1 if which == RQ else 2, len(said)) + said)):
        if isinstance(indication, pdu.AssociateRQ | pdu.AssociateAC):
            return indication
    return upper


def negotiated(which: str, said: bytes) -> tuple[Negotiated, list[object]] | str:
    """Return what is agreed and what else the peer gets or says; or the answer to what is not tolerated."""
    arrived = arriving(which, said)
    if isinstance(arrived, UpperLayer):
        owed = arrived.data_to_send()
        return in_words(pdu.decode(owed[0], owed[6:]))
    try:
        if isinstance(arrived, pdu.AssociateAC):
            return conclude(REQUESTOR, REQUEST, arrived), []
        answered = answer(ACCEPTOR, arrived)
    except NegotiationError:
        return "A-ABORT 0/0"
    except RemoteProtocolError as error:
        return f"A-ABORT {error.abort_source}/{error.abort_reason if error.abort_source == 2 else 0}"
    if isinstance(answered, pdu.AssociateRJ):
        return in_words(answered)
    accept, agreed = answered
    sent = pdu.decode(2, pdu.encode(accept)[6:])
    assert isinstance(sent, pdu.AssociateAC)
    assert [(one.context_id, one.result) for one in sent.presentation_contexts] == [
        (one.context_id, one.result) for one in agreed.contexts.values()
    ]
    return agreed, [user_identity(arrived)]


def meaning(which: str, said: bytes) -> object:
    """Return all that a PDU means, without the words of what was refused."""
    agreed = negotiated(which, said)
    if isinstance(agreed, str):
        return agreed
    holds, others = agreed
    contexts = {
        one.context_id: (one.result, one.transfer_syntax, one.requestor_is_scu, one.requestor_is_scp)
        for one in holds.contexts.values()
    }
    numbers = (holds.send_length, holds.invoked, holds.performed, holds.extended, holds.identity_response)
    return contexts, holds.peer, holds.called_ae_title, numbers, others


def tolerated(which: str, said: bytes) -> tuple[str, ...]:
    """Return what was tolerated, in words."""
    arrived = arriving(which, said)
    agreed = negotiated(which, said)
    assert isinstance(arrived, pdu.AssociateRQ | pdu.AssociateAC)
    assert isinstance(agreed, tuple)
    return arrived.oddities + agreed[0].oddities


@pytest.mark.parametrize("fault", TOLERATED)
def test_a_fault_that_is_tolerated_reads_as_the_table_says(fault: Fault) -> None:
    assert meaning(fault.pdu, fault.said) == meaning(fault.pdu, fault.like)
    assert not isinstance(meaning(fault.pdu, fault.said), str)


@pytest.mark.parametrize("fault", TOLERATED)
def test_a_fault_that_is_tolerated_is_told_in_a_line(fault: Fault) -> None:
    told = set(tolerated(fault.pdu, fault.said)) - set(tolerated(fault.pdu, only(fault.pdu)))
    assert bool(told) == fault.told or fault.what.startswith("missing")
    assert all(line.isprintable() for line in told)


@pytest.mark.parametrize("fault", NOT_TOLERATED)
def test_a_fault_that_is_not_tolerated_is_answered_as_the_table_says(fault: Fault) -> None:
    assert negotiated(fault.pdu, fault.said) == fault.answer


@pytest.mark.parametrize("which", [RQ, AC])
def test_a_peer_without_faults_tolerates_nothing_of_us(which: str) -> None:
    assert tolerated(which, body(which)) == ()


def test_the_table_of_the_design_is_this_table() -> None:
    assert "\n".join(rows()) in PAGE.read_text(encoding="utf-8")


def declared() -> set[tuple[str, int]]:
    """Return every item that the two PDUs are declared to have, at each level, by PDU and item type."""
    found = {(which, item_type) for which in (RQ, AC) for item_type in pdu.USER_INFORMATION.items}
    for which, kinds in (
        (RQ, (pdu.AssociateRQ, pdu.PresentationContextRQ)),
        (AC, (pdu.AssociateAC, pdu.PresentationContextAC)),
    ):
        items: list[Item] = [one for kind in kinds for one in kind._items.values()]
        found |= {(which, one.item_type) for one in items}
    return found


def test_the_table_has_every_item() -> None:
    there = {
        (fault.pdu, item_type) for fault in FAULTS for item_type in range(256) if f"({item_type:02X}H)" in fault.part
    }
    assert there == declared()


# --- what no single row of the table shows ---


def test_what_is_tolerated_is_told_with_bounds_and_escaped() -> None:
    flood = sub(*(item(0x54, prefixed(f"1.2.{number}\n\x1b[2J") + b"\2\2") for number in range(128)))
    for which in (RQ, AC):
        told = tolerated(which, flood[which])
        assert 1 < len(told) <= 2 * (MOST_ODDITIES + 1)
        assert all(line.isprintable() and len(line) <= 2 * LONGEST_ODDITY for line in told)
        assert told[-1] == f"and {128 - MOST_ODDITIES} more"
    strange = tuple(b"%c" % number for number in range(0x60, 0x80))
    many = decode_rq(body(RQ) + b"".join(item(one[0], b"") for one in strange))
    assert len(many.oddities) == MOST_ODDITIES + 1
    assert many.oddities[-1] == f"and {len(strange) - MOST_ODDITIES} more"


def test_the_same_fault_is_told_once() -> None:
    padded = b"".join(proposed(number, "1.2.3\0", EXPLICIT + " ") for number in range(1, 256, 2))
    assert decode_rq(body(RQ, contexts=padded)).oddities == ("UID with padding around it: it is dropped",)


def test_what_was_tolerated_does_not_make_a_pdu_another_one() -> None:
    odd = decode_rq(body(RQ, item(0x99, b"")))
    assert odd.oddities
    assert odd == decode_rq(body(RQ))
    assert hash(odd) == hash(decode_rq(body(RQ)))
    assert "oddities" not in repr(odd)
    assert decode_ac(body(AC, item(0x99, b""))) == decode_ac(body(AC))


def test_an_identity_behind_a_thousand_other_faults_is_not_overlooked() -> None:
    others = tuple(item(0x60 + number % 64, b"") for number in range(900))
    assert negotiated(RQ, body(RQ, *others, item(0x58, b""))) == "A-ASSOCIATE-RJ 1/1/1"


def test_each_context_is_refused_for_a_reason_of_its_own() -> None:
    without_class = context_rq(5, transfer_syntax(EXPLICIT.encode()))
    without_syntax = context_rq(6, item(0x30, b"1.2.840.10008.1.1"))
    agreed = negotiated(RQ, with_second(RQ, without_class, without_syntax))
    assert isinstance(agreed, tuple)
    assert {number: one.result for number, one in agreed[0].contexts.items()} == {1: 0, 5: 3, 6: 4}
    assert [line for line in agreed[0].oddities if "is refused" in line] == [
        f"Presentation Context {number} lacks an abstract or a transfer syntax that can be read: it is refused"
        for number in (5, 6)
    ]


def test_what_a_peer_sent_is_shown_escaped() -> None:
    said = with_second(AC, item(0x21, b"\3\0\0\0" + transfer_syntax(b"1\n\xff")))
    assert [line for line in tolerated(AC, said) if "not used" in line] == [
        one_line(
            "Presentation Context 3 was accepted with the transfer syntax 1\n\xff, which was not proposed: it is not used"
        )
    ]
