"""UpperLayer: the protocol machine of one association, for a requestor or an acceptor (PS3.8 section 9.2).

Bytes and local primitives go in; indications and the bytes that are owed to the peer come out. It has no socket and no clock:
whoever has them feeds `receive`, sends `data_to_send()`, closes when `closing` is set, and runs the ARTIM timer while `artim` is.
"""

from __future__ import annotations

from struct import Struct

from dimse.errors import LocalProtocolError, RemoteProtocolError
from dimse.support.values import value
from dimse.upper_layer import pdu
from dimse.upper_layer.fsm import ACTIONS, EVENTS, TRANSITIONS
from dimse.upper_layer.pdata import P_DATA_TF, Fragment, PDVReader

_PDU_HEADER = Struct(">BxL")

# PDU type -> the event of its arrival, and the lengths that are allowed after its header (PS3.8 9.3).
_MOST_ASSOCIATE = 256 * 1024
_ARRIVALS = {
    0x01: ("Evt6", range(68, _MOST_ASSOCIATE + 1)),
    0x02: ("Evt3", range(68, _MOST_ASSOCIATE + 1)),
    0x03: ("Evt4", range(4, 5)),
    0x04: ("Evt10", range(6, 1 << 32)),
    0x05: ("Evt12", range(4, 5)),
    0x06: ("Evt13", range(4, 5)),
    0x07: ("Evt16", range(4, 5)),
}

_UNLIMITED = (1 << 32) - 1  # bytes: no PDU can have more
_TAKES_DATA = frozenset(
    state for (event, state), action in TRANSITIONS.items() if event == "Evt10" and ACTIONS[action].indicates == "pdu"
)

# A-ABORT reasons where the source is the service provider (PS3.8 Table 9-26)
_UNRECOGNISED_PDU, _UNEXPECTED_PDU, _INVALID_PARAMETER = 1, 2, 6


def _ignore(_fragment: Fragment) -> None:
    """Nobody wants it."""


def _fault(header: bytes | bytearray) -> tuple[int, str, bytes] | None:
    """Return why no PDU begins with these first 1 to 6 bytes of a header: A-ABORT reason, words, foreign bytes.

    The first byte often shows that a peer does not speak DICOM, and the peer may send no other. What is returned does not depend
    on how many bytes have come.
    """
    arrival = _ARRIVALS.get(header[0])
    if arrival is None:
        return _UNRECOGNISED_PDU, f"PDU type {header[0]:02X}H is not in the Standard", bytes(header[:1])
    lengths, missing = arrival[1], 8 * (6 - max(len(header), 2))
    least = int.from_bytes(header[2:6]) << missing
    if least < lengths.stop and least + (1 << missing) > lengths.start:
        return None
    allowed = f"{lengths.start} to {lengths.stop - 1}" if len(lengths) > 1 else f"{lengths.start}"
    return _INVALID_PARAMETER, f"a PDU of type {header[0]:02X}H whose length is not {allowed} bytes", b""


@value
class ProviderAbort:
    """A-P-ABORT indication that our own upper layer issues (PS3.8 7.4).

    Attributes:
        reason: The reason that was sent to the peer (PS3.8 Table 9-26).
        why: What was wrong, in words; empty if the transport connection was lost.
        foreign: The first byte received, where no PDU of the Standard begins with it.
    """

    reason: int = 0
    why: str = ""
    foreign: bytes = b""


Indication = (
    pdu.AssociateRQ
    | pdu.AssociateAC
    | pdu.AssociateRJ
    | pdu.ReleaseRQ
    | pdu.ReleaseRP
    | pdu.Abort
    | Fragment
    | ProviderAbort
)


class UpperLayer:
    """One association's upper layer.

    Args:
        requestor: True for the side that requests the association.
        maximum_length: The largest P-DATA-TF variable field that we announce, in bytes; 0 is unlimited.

    Attributes:
        state: "Sta1" to "Sta13".
        artim: Does the association request/reject/release timer run?
        artim_starts: How often it was started, so that whoever has the clock sees a restart.
        closing: The transport connection is to be closed once `data_to_send()` has gone out.
        pdus: How many PDUs have begun to arrive.
        pdu_length: Bytes of the last of them, without its header.
        fault: Why the association was given up, if it was.
        rest: The bytes that the last call of `receive` has left, to be passed to the next one; None if it has left none.
    """

    def __init__(self, *, requestor: bool, maximum_length: int) -> None:
        self.state = "Sta1"
        self.artim = False
        self.artim_starts = 0
        self.closing = False
        self.pdus = self.pdu_length = 0
        self.fault = ProviderAbort()
        self.rest: memoryview | None = None
        self._requestor = requestor
        self._most = maximum_length or _UNLIMITED
        self._primitive: pdu.PDU | None = None
        self._owed = bytearray()
        self._indications: list[Indication] = []
        self._held = bytearray()  # the start of a PDU, until it is whole; never a P-DATA-TF PDU's variable field
        self._pdvs = PDVReader()
        self._skip = 0  # bytes of a PDU that the state does not allow
        self._deaf = False  # framing is lost: what follows cannot be read

    # --- primitives of the local user ---

    def associate_request(self, request: pdu.AssociateRQ) -> None:
        """A-ASSOCIATE request; it is sent when the transport connection stands."""
        self._local("Evt1", request)

    def associate_response(self, response: pdu.AssociateAC | pdu.AssociateRJ) -> None:
        """A-ASSOCIATE response, accept or reject."""
        self._local("Evt7" if isinstance(response, pdu.AssociateAC) else "Evt8", response)

    def p_data_request(self) -> None:
        """P-DATA request: asks leave; the caller sends the PDUs that `pdata.cut` makes."""
        self._local("Evt9", None)

    def release_request(self) -> None:
        """A-RELEASE request."""
        self._local("Evt11", pdu.ReleaseRQ())

    def release_response(self) -> None:
        """A-RELEASE response."""
        self._local("Evt14", pdu.ReleaseRP())

    def abort(self, source: int = 0, reason: int = 0) -> None:
        """A-ABORT request; `source` 2 with a `reason` is an A-P-ABORT that the layers above ask for."""
        self._local("Evt15", pdu.Abort(source, reason))

    # --- events of the transport connection ---

    def transport_opened(self) -> None:
        """The transport connection stands: the confirmation of ours, or the indication of the peer's."""
        self._remote("Evt2" if self._requestor else "Evt5", None)

    def transport_closed(self) -> list[Indication]:
        """The transport connection was closed, by the peer or by a fault."""
        self._remote("Evt17", None)
        return self._take_indications()

    def artim_expired(self) -> None:
        """The ARTIM timer ran out."""
        self._remote("Evt18", None)

    def receive(self, data: memoryview, most: int = _UNLIMITED) -> list[Indication]:
        """Take bytes that arrived, however they are cut.

        Fragments refer to `data`: use them before its memory is used again.

        Args:
            data: The bytes.
            most: The number of indications after which no further PDU is taken: the remaining bytes are left in `rest`.
        """
        position, end = 0, len(data)
        try:
            while position < end and not self._deaf and len(self._indications) < most:
                position = self._step(data, position)
        except RemoteProtocolError as error:
            self._invalid(error.abort_reason, str(error))
        self.rest = data[position:] if position < end and not self._deaf else None
        return self._take_indications()

    def data_to_send(self) -> bytes:
        """The PDUs owed to the peer since the last call, P-DATA-TF excepted."""
        owed = bytes(self._owed)
        self._owed.clear()
        return owed

    @property
    def owes(self) -> bool:
        """Is there anything in `data_to_send()`?"""
        return bool(self._owed)

    @property
    def held(self) -> int:
        """Bytes of a PDU that has arrived in part."""
        return len(self._held)

    @property
    def within_pdu(self) -> bool:
        """Has a PDU arrived in part?"""
        return bool(self._held or self._pdvs.left or self._skip)

    # --- framing ---

    def _step(self, data: memoryview, position: int) -> int:
        """Take the next piece of `data` from `position` on; returns where it ends."""
        if self._pdvs.left:
            if self.state in _TAKES_DATA:
                return self._pdvs.read(data, position, self._indications.append)
            return self._pdvs.read(data, position, _ignore)  # we have aborted within this PDU (AA-6)
        left = len(data) - position
        if self._skip:
            skipped = min(self._skip, left)
            self._skip -= skipped
            return position + skipped
        held = self._held
        if not held and left >= 6:
            self._header(data, position)
            return position + 6
        if len(held) < 6:
            taken = min(6 - len(held), left)
            held += data[position : position + taken]
            fault = _fault(held)
            if fault is not None:
                held.clear()
                self._invalid(*fault)
            elif len(held) == 6:
                header = bytes(held)
                held.clear()
                self._header(header, 0)
            return position + taken
        length: int = _PDU_HEADER.unpack_from(held)[1]
        taken = min(6 + length - len(held), left)
        held += data[position : position + taken]
        if len(held) == 6 + length:
            self._whole_pdu()
        return position + taken

    def _header(self, data: bytes | memoryview, position: int) -> None:
        """Decide on a PDU by its header alone: is it known, of a possible length, and allowed now?"""
        pdu_type, length = _PDU_HEADER.unpack_from(data, position)
        if pdu_type == P_DATA_TF and 6 <= length <= self._most and self.state in _TAKES_DATA:  # nearly every one
            self.pdus += 1
            self.pdu_length = length
            self._pdvs.begin(length)
            return
        header = bytes(data[position : position + 6])
        fault = _fault(header)
        if fault is not None:
            self._invalid(*fault)
            return
        self.pdus += 1
        self.pdu_length = length
        event = _ARRIVALS[pdu_type][0]
        action = TRANSITIONS.get((event, self.state), "AA-2")
        if ACTIONS[action].indicates != "pdu" and event != "Evt16":
            self._skip = length
            self._remote(event, None, "it is not allowed in this state: " + EVENTS[event])
        elif pdu_type == P_DATA_TF:
            raise RemoteProtocolError(f"a P-DATA-TF PDU of {length} bytes, and {self._most} were announced")
        else:
            self._held += header

    def _whole_pdu(self) -> None:
        whole = bytes(self._held)
        self._held.clear()
        arrived = pdu.decode(whole[0], whole[6:])
        self._remote(_ARRIVALS[whole[0]][0], arrived)

    def _invalid(self, reason: int, why: str, foreign: bytes = b"") -> None:
        """An unrecognized or invalid PDU (Evt19). What follows it cannot be trusted to be framed."""
        self._deaf = True
        self._remote("Evt19", None, why, reason, foreign)

    # --- the machine ---

    def _local(self, event: str, primitive: pdu.PDU | None) -> None:
        action = TRANSITIONS.get((event, self.state))
        if action is None:
            raise LocalProtocolError(f"{EVENTS[event]} is not possible in {self.state}")
        if event == "Evt1":
            self._primitive = primitive  # sent by AE-2
        self._perform(action, primitive)

    def _remote(
        self, event: str, arrived: pdu.PDU | None, why: str = "", reason: int = _UNEXPECTED_PDU, foreign: bytes = b""
    ) -> None:
        # What the Standard leaves undefined cannot come from a peer, but from the transport at most: close.
        action = TRANSITIONS.get((event, self.state), "AA-2")
        if action == "AE-6" and isinstance(arrived, pdu.AssociateRQ) and not arrived.protocol_version & 1:
            self._perform("AE-8", pdu.AssociateRJ(result=1, source=2, reason=2))
            return
        if why and not self.fault.why:
            self.fault = ProviderAbort(reason, why, foreign)
        self._perform(action, self._primitive if event == "Evt2" else arrived)

    def _perform(self, name: str, about: pdu.PDU | None) -> None:
        action = ACTIONS[name]
        if action.sends == "primitive" and about is not None:
            self._owed += pdu.encode(about)
        elif action.sends == "abort":
            self._owed += pdu.encode(about if isinstance(about, pdu.Abort) else pdu.Abort())
        elif action.sends == "provider abort":
            self._owed += pdu.encode(pdu.Abort(source=2, reason=self.fault.reason))
        if action.indicates == "pdu" and about is not None:
            self._indications.append(about)
        elif action.indicates == "provider abort":
            self._indications.append(self.fault)
        if action.artim:
            self.artim = action.artim == "start"
            self.artim_starts += self.artim
        self.closing = self.closing or action.closes
        self.state = "Sta10" if name == "AR-8" and not self._requestor else action.next_state

    def _take_indications(self) -> list[Indication]:
        indications, self._indications = self._indications, []
        return indications
