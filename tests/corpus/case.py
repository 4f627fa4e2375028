"""A case: bytes from a peer, the state in which they arrive, and what may come of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum

from dimse import uids
from dimse.data_set.walk import WINDOW, MalformedDataSet, peek, walk
from dimse.errors import NegotiationError, RemoteProtocolError
from dimse.message.assembly import DATA_SET_END
from dimse.uids import TransferSyntax
from dimse.upper_layer import pdu
from dimse.upper_layer.negotiation import answer, conclude
from dimse.upper_layer.pdata import COMMAND
from fuzz.pdu_stream import ACCEPTOR, REQUEST, REQUESTOR, SITUATIONS, Listener

# States in which bytes arrive, of the role that is the natural one: an index of fuzz.pdu_stream.SITUATIONS.
SITUATION = {state: [name for name, _, _ in SITUATIONS].index(state) for state in ("Sta2", "Sta5", "Sta6", "Sta7")}
UNLIMITED = "Sta6, without a maximum length"
SITUATION[UNLIMITED] = SITUATION["Sta6"] | 0x80

EXPLICIT = uids.transfer_syntax(uids.ExplicitVRLittleEndian)


class Outcome(StrEnum):
    """The final outcome of a case. An undocumented exception fails the test instead."""

    WAITING = "waiting"  # incomplete, and without a fault
    ABORTED = "aborted"  # `RemoteProtocolError`, A-ABORT
    # It is readable, and there is no association: A-ASSOCIATE-RJ, or `NegotiationError`.
    REJECTED = "rejected"
    REFUSED = "refused"  # `InvalidCommand`: answered with 0211H or 0212H
    MALFORMED = "malformed"  # `MalformedDataSet`
    # A PDU, a message or a data set is complete and correct.
    TAKEN = "taken"


ANSWERED = frozenset((Outcome.ABORTED, Outcome.REJECTED, Outcome.TAKEN))
"""The outcomes that are allowed for a whole A-ASSOCIATE PDU with damage somewhere in it."""


@dataclass(frozen=True, slots=True)
class Case:
    """A case: bytes from a peer.

    Attributes:
        name: The fault in the bytes.
        state: The state in which they arrive, a key of `SITUATION`.
        data: The bytes.
        may: The outcomes that are allowed.
        before: Correct bytes that have arrived before.
        transfer_syntax: The transfer syntax of a data set among them.
    """

    name: str
    state: str
    data: bytes = field(repr=False)
    may: frozenset[Outcome]
    before: bytes = field(default=b"", repr=False)
    transfer_syntax: TransferSyntax | None = EXPLICIT


def only(outcome: Outcome) -> frozenset[Outcome]:
    """Return the only outcome that is allowed."""
    return frozenset((outcome,))


def listen(case: Case, places: Iterable[int] = ()) -> Listener:
    """Return a listener that has heard a case, split at these places; it tests its conditions after each piece."""
    listener = Listener(SITUATION[case.state])
    if case.before:
        listener.receive(case.before)
    start = 0
    for place in (*places, len(case.data)):
        if place > start:
            listener.receive(case.data[start:place])
            start = place
    return listener


def outcome(case: Case, listener: Listener) -> Outcome:
    """Return the outcome if the peer then closes the connection."""
    came = _outcome(case, listener)
    listener.end()
    return came


def _outcome(case: Case, listener: Listener) -> Outcome:
    layer = listener.layer
    if listener.faulty or layer.fault.why:
        return Outcome.ABORTED
    came, data_set = Outcome.WAITING, bytearray()
    for said in listener.heard:
        match said:
            case pdu.AssociateRQ() | pdu.AssociateAC():
                came = _negotiated(said)
            case (_, int() as control, bytearray() as value):
                data_set += b"" if control & COMMAND else value
            case (_, str(), _):  # in place of an InvalidCommand
                came = Outcome.REFUSED
            case (_, _, bool() as has_data_set):
                came = Outcome.WAITING if has_data_set else Outcome.TAKEN
                data_set.clear()
            case _ if said is DATA_SET_END:
                came = walked(bytes(data_set), case.transfer_syntax) if came is Outcome.WAITING else came
            case _:  # the peer releases, rejects or aborts
                came = Outcome.TAKEN
    if came is Outcome.WAITING and layer.state == "Sta13":
        # The upper layer has rejected an unknown protocol version.
        return Outcome.REJECTED
    return Outcome.TAKEN if came is Outcome.WAITING and layer.closing else came


def _negotiated(said: pdu.AssociateRQ | pdu.AssociateAC) -> Outcome:
    """Return the outcome of a request, or of the answer to ours, in the layer above."""
    try:
        if isinstance(said, pdu.AssociateAC):
            conclude(REQUESTOR, REQUEST, said)
        elif isinstance(answered := answer(ACCEPTOR, said, b""), pdu.AssociateRJ):
            return Outcome.REJECTED
        else:
            pdu.encode(answered[0])
    except NegotiationError:
        return Outcome.REJECTED
    except RemoteProtocolError:
        return Outcome.ABORTED
    return Outcome.TAKEN


def walked(data: bytes, transfer_syntax: TransferSyntax | None) -> Outcome:
    """Return the outcome of a walk over a data set, and test that a peek never fails."""

    def read(offset: int, size: int) -> bytes:
        assert 0 <= size <= WINDOW
        return data[offset : offset + size]

    peek(read, len(data), transfer_syntax)
    try:
        outline = walk(read, 0, len(data), transfer_syntax)
    except MalformedDataSet as error:
        assert "\n" not in str(error)
        return Outcome.MALFORMED
    assert outline.end <= len(data)
    return Outcome.TAKEN
