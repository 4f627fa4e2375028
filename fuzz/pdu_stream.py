"""A fuzz target for bytes from a peer, in every state that waits for some, whole and in pieces, up to messages and negotiation.

An input is two bytes of choice, `situation` and `size`, and the bytes that arrive. `situation` selects one of `SITUATIONS`. With
bit 7 set (80H) there is no maximum length, with bit 6 set (40H) the bytes arrive `TIMES` times in a row. `size` is the length of
the pieces in bytes.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator
from functools import cache, partial

from dimse import uids
from dimse.association.dump import Dump
from dimse.errors import InvalidCommand, LocalProtocolError, NegotiationError, RemoteProtocolError
from dimse.message.assembly import DATA_SET_END, DATA_SET_PART, Assembler, CommandSet
from dimse.settings import DEFAULT_TRANSFER_SYNTAXES, Acceptor, ProposedContext, Requestor, Role, UserIdentity
from dimse.upper_layer import pdu
from dimse.upper_layer.fsm import STATES
from dimse.upper_layer.negotiation import answer, conclude, propose
from dimse.upper_layer.pdata import Fragment
from dimse.upper_layer.provider import Indication, ProviderAbort, UpperLayer

MAXIMUM_LENGTH = 4096
MOST_PDVS = 1024  # in a PDU
TIMES = 64
LONGEST = 128 * 1024  # repeated bytes
# The longest PDUs that are held until they are complete, in bytes after the header.
LONGEST_ASSOCIATE = 256 * 1024
LONGEST_OTHER = 4

_BOTH_ROLES = (Role(uids.CTImageStorage, scu=True, scp=True),)
REQUESTOR = Requestor(
    (ProposedContext(uids.Verification), ProposedContext(uids.CTImageStorage)),
    roles=_BOTH_ROLES,
    identity=UserIdentity(1, b"user", positive_response_requested=True),
    async_ops=4,
)
ACCEPTOR = Acceptor(
    (uids.Verification, uids.CTImageStorage),
    transfer_syntaxes=DEFAULT_TRANSFER_SYNTAXES,
    roles=_BOTH_ROLES,
    identify=lambda who: who.primary or None,
    async_ops=8,
)
REQUEST = propose(REQUESTOR)
_ANSWER = answer(ACCEPTOR, REQUEST)
assert isinstance(_ANSWER, tuple)
ACCEPT = _ANSWER[0]

Step = Callable[[UpperLayer], object]


def _arrives(arriving: pdu.PDU) -> Step:
    return lambda layer: layer.receive(memoryview(pdu.encode(arriving)))


_OPENED: tuple[Step, ...] = (UpperLayer.transport_opened,)
_REQUESTED: tuple[Step, ...] = (partial(UpperLayer.associate_request, request=REQUEST), *_OPENED)
_INDICATED: tuple[Step, ...] = (*_OPENED, _arrives(REQUEST))
_REJECTED: tuple[Step, ...] = (*_INDICATED, partial(UpperLayer.associate_response, response=pdu.AssociateRJ(1, 1, 1)))
_REQUESTOR: tuple[Step, ...] = (*_REQUESTED, _arrives(ACCEPT))
_ACCEPTOR: tuple[Step, ...] = (*_INDICATED, partial(UpperLayer.associate_response, response=ACCEPT))
_RELEASES, _IS_RELEASED = UpperLayer.release_request, _arrives(pdu.ReleaseRQ())

# The states in which bytes arrive, True if we are the requestor, and the steps that lead there.
SITUATIONS: tuple[tuple[str, bool, tuple[Step, ...]], ...] = (
    ("Sta2", False, _OPENED),
    ("Sta5", True, _REQUESTED),
    ("Sta6", False, _ACCEPTOR),
    ("Sta6", True, _REQUESTOR),
    ("Sta3", False, _INDICATED),
    ("Sta7", True, (*_REQUESTOR, _RELEASES)),
    ("Sta7", False, (*_ACCEPTOR, _RELEASES)),
    ("Sta8", True, (*_REQUESTOR, _IS_RELEASED)),
    ("Sta9", True, (*_REQUESTOR, _RELEASES, _IS_RELEASED)),
    ("Sta10", False, (*_ACCEPTOR, _RELEASES, _IS_RELEASED)),
    ("Sta11", True, (*_REQUESTOR, _RELEASES, _IS_RELEASED, UpperLayer.release_response)),
    ("Sta12", False, (*_ACCEPTOR, _RELEASES, _IS_RELEASED, _arrives(pdu.ReleaseRP()))),
    ("Sta13", False, _REJECTED),
)


@cache
def _pickled(situation: int) -> bytes:
    """Return a pickled upper layer in a situation, which is much faster to copy than to bring there."""
    state, requestor, steps = SITUATIONS[(situation & 0x3F) % len(SITUATIONS)]
    layer = UpperLayer(requestor=requestor, maximum_length=0 if situation & 0x80 else MAXIMUM_LENGTH)
    for step in steps:
        step(layer)
    layer.data_to_send()
    # A view cannot be pickled, and `receive` sets it before anything reads it.
    assert not layer.rest
    del layer.rest
    assert layer.state == state
    return pickle.dumps(layer)


class Listener:
    """A listener to an upper layer in one of the situations, and to the messages in it, however the bytes are split.

    Attributes:
        heard: The indications, with assembled PDV values. It ends after a message that cannot be followed.
        faulty: True after such a message.
        established: True if P-DATA may arrive.
        most: The largest P-DATA-TF PDU that may arrive.
    """

    def __init__(self, situation: int) -> None:
        self.layer: UpperLayer = pickle.loads(_pickled(situation))
        self.established = self.layer.state in ("Sta6", "Sta7")
        self.most = 0xFFFFFFFF if situation & 0x80 else MAXIMUM_LENGTH
        self.heard: list[object] = []
        self.faulty = False
        self._assembler = Assembler()
        self._pdv: bytearray | None = None  # the value of an unfinished PDV

    def receive(self, piece: bytes) -> None:
        """Take a piece of the bytes, and test all conditions that must hold after it."""
        layer, deaf = self.layer, self.faulty
        indications = layer.receive(memoryview(piece))
        assert len(indications) <= len(piece)
        for indication in indications:
            if not self.faulty:
                self._hear(indication)
            assert not (deaf and isinstance(indication, Fragment))
        assert layer.state in STATES
        assert layer.artim == (layer.state in ("Sta2", "Sta13"))
        assert layer.closing or layer.state != "Sta1"
        if layer.held >= 6:
            assert layer.held - 6 < layer.pdu_length
            assert layer.pdu_length <= (LONGEST_ASSOCIATE if layer.state in ("Sta2", "Sta5") else LONGEST_OTHER)
        owed = _owed(layer)
        for indication in indications:
            assert not isinstance(indication, ProviderAbort) or pdu.Abort(2, indication.reason) in owed

    def _hear(self, indication: Indication) -> None:
        if isinstance(indication, Fragment):
            assert len(indication.data) <= self.most
            self._assemble(indication)
            return
        self.heard.append(indication)
        if isinstance(indication, ProviderAbort):
            assert 1 <= indication.reason <= 6
            assert indication.why
            return
        try:
            again = pdu.encode(indication)
        except LocalProtocolError:
            # A blank AE title or an empty version name can be read, and not written.
            return
        assert _decoded(again) == indication

    def _assemble(self, fragment: Fragment) -> None:
        if self._pdv is None:
            self._pdv = bytearray()
            self.heard.append((fragment.context_id, fragment.control, self._pdv))
        self._pdv += fragment.data
        if fragment.ends:
            self._pdv = None
        try:
            assembled = self._assembler.feed(*fragment)
        except RemoteProtocolError as error:
            self.faulty = True
            # It replaces the PDV, of which more or less has arrived before the fault was known.
            self.heard[-1] = str(error)
            if self.layer.state not in ("Sta1", "Sta13"):
                self.layer.abort(error.abort_source, error.abort_reason)
            return
        if isinstance(assembled, CommandSet):
            message, invalid = assembled.message, isinstance(assembled.message, InvalidCommand)
            self.heard.append((assembled.context_id, str(message) if invalid else message, assembled.has_data_set))
        elif assembled is DATA_SET_END:
            self.heard.append(assembled)
        else:
            assert assembled in (None, DATA_SET_PART)

    def end(self) -> None:
        """End the connection, and test that an association that was established is lost, and the machine idle."""
        stood = self.layer.state not in ("Sta1", "Sta2", "Sta13")
        indications = self.layer.transport_closed()
        assert len(indications) == stood
        assert self.layer.state == "Sta1"
        assert not self.layer.owes

    def state(self) -> tuple[object, ...]:
        """Return everything that must not depend on how the bytes were split."""
        layer = self.layer
        # How many of the later bytes were taken before the fault was known does depend on it.
        if self.faulty:
            return (self.heard,)
        known = (layer.state, layer.artim, layer.closing, layer.pdus, layer.pdu_length, layer.held, layer.within_pdu)
        return self.heard, known, layer.fault, self._assembler.between_messages, self._assembler.expecting_data_set


def _decoded(data: bytes) -> pdu.PDU:
    assert int.from_bytes(data[2:6]) == len(data) - 6
    return pdu.decode(data[0], data[6:])


def _owed(layer: UpperLayer) -> list[pdu.PDU]:
    """Return the PDUs that are owed to the peer; they must be whole."""
    return [_decoded(piece) for piece in pdus(layer.data_to_send())]


def pdus(data: bytes) -> Iterator[bytes]:
    """Yield the bytes, split where their lengths end a PDU; the last piece may be incomplete."""
    start = 0
    while start < len(data):
        end = start + 6 + int.from_bytes(data[start + 2 : start + 6])
        yield data[start:end]
        start = end


def _pdvs(data: bytes, most: int) -> tuple[list[object], bool]:
    """Return the PDVs of the P-DATA-TF PDUs at the front of `data`, read as PS3.8 9.3.5 says, and True if one is invalid."""
    found: list[object] = []
    for piece in pdus(data):
        length = int.from_bytes(piece[2:6])
        if len(piece) < 6 or piece[0] != 4:
            break
        if not 6 <= length <= most:
            return found, True
        position, end, count = 6, 6 + length, 0
        while position < len(piece):
            if position + 6 > len(piece):
                return found, len(piece) == end
            item = int.from_bytes(piece[position : position + 4])
            after, count = position + 4 + item, count + 1
            if item < 2 or after > end or count > MOST_PDVS:
                return found, True
            # None of its value has arrived.
            if after > position + 6 == len(piece):
                break
            found.append((piece[position + 4], piece[position + 5], piece[position + 6 : after]))
            position = after
    return found, False


def _test_pdvs(listener: Listener, data: bytes, most: int) -> None:
    """Test that an established association has heard exactly these PDVs."""
    expected, invalid = _pdvs(data, most)
    heard = [said for said in listener.heard if isinstance(said, tuple) and isinstance(said[2], bytearray)]
    if listener.faulty:
        # The next one was at fault.
        assert heard == expected[: len(heard)] != expected
    else:
        assert heard == expected
        assert not invalid or any(isinstance(said, ProviderAbort) for said in listener.heard)


def _in_pieces(situation: int, data: bytes, size: int) -> Listener:
    listener = Listener(situation)
    for start in range(0, len(data), size):
        listener.receive(data[start : start + size])
    return listener


def _answered(situation: int, data: bytes) -> None:
    """Let a local user answer each indication before the next PDU arrives, so that the peer gets further."""
    listener = Listener(situation)
    layer, dump = listener.layer, Dump()
    for piece in pdus(data):
        known = len(listener.heard)
        listener.receive(piece)
        for heard in listener.heard[known:]:
            if isinstance(heard, pdu.PDU):
                dump.pdu(heard, outgoing=False)
            try:
                if isinstance(heard, pdu.AssociateRQ):
                    answered = answer(ACCEPTOR, heard)
                    response = answered if isinstance(answered, pdu.AssociateRJ) else answered[0]
                    layer.associate_response(response)
                    dump.pdu(response, outgoing=True)
                elif isinstance(heard, pdu.AssociateAC):
                    conclude(REQUESTOR, REQUEST, heard)
            except (NegotiationError, RemoteProtocolError):
                layer.abort()
        if layer.state in ("Sta8", "Sta9", "Sta12"):
            layer.release_response()
        _owed(layer)
    if layer.artim:
        layer.artim_expired()
        assert layer.closing
    listener.end()


def one(data: bytes) -> None:
    """Test bytes of a peer as the head of this module describes.

    Raises:
        Exception: A promise was broken; any exception means that.
    """
    if len(data) < 3:
        return
    situation, size, arriving = data[0], data[1] or 1, data[2:]
    if situation & 0x40:
        size, arriving = size * TIMES, (arriving * TIMES)[:LONGEST]
    whole = _in_pieces(situation, arriving, len(arriving))
    pieces = _in_pieces(situation, arriving, size)
    assert pieces.state() == whole.state()
    if whole.established:
        _test_pdvs(whole, arriving, whole.most)
    pieces.end()
    whole.end()
    _answered(situation, arriving)
