"""UpperLayer: the protocol machine of one association, for a requestor or an acceptor (PS3.8 section 9.2).

Bytes and local primitives go in; indications and the bytes owed to the peer come out. It has no socket and no clock. Its owner
feeds `receive`, sends `data_to_send()`, closes when `closing` is set, and bounds its waits while `artim` is set.

An association leaves two of these things to its pump (`dimse.association.pump`). Each wait has a deadline of its own in place of
the ARTIM timer. An A-ABORT request, which any thread may make, is sent past the machine, and ends its use.
"""

from __future__ import annotations

from struct import Struct

from dimse.errors import LocalProtocolError, RemoteProtocolError
from dimse.support.values import value
from dimse.upper_layer import pdu
from dimse.upper_layer.fsm import ACTIONS, EVENTS, TRANSITIONS
from dimse.upper_layer.pdata import P_DATA_TF, Fragment, PDVReader

_PDU_HEADER = Struct(">BxL")

# PDU type -> the event of its arrival, and the allowed lengths after its header (PS3.8 9.3).
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

_UNLIMITED = (1 << 32) - 1  # the longest PDU possible, in bytes
_TAKES_DATA = frozenset(
    state for (event, state), action in TRANSITIONS.items() if event == "Evt10" and ACTIONS[action].indicates == "pdu"
)

# A-ABORT reasons if the source is the service provider (PS3.8 Table 9-26)
_UNRECOGNISED_PDU, _UNEXPECTED_PDU, _INVALID_PARAMETER = 1, 2, 6


def _ignore(_fragment: Fragment) -> None:
    """Ignore a fragment that arrives after an abort."""


def _fault(header: bytes | bytearray) -> tuple[int, str, bytes] | None:
    """Return why no PDU begins with these 1 to 6 bytes of a header: A-ABORT reason, words, foreign bytes.

    The first byte often shows that a peer does not speak DICOM, and the peer may send no more than that. The result does not
    depend on the number of bytes that have arrived.
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
    """An A-P-ABORT indication that our own upper layer issues (PS3.8 7.4).

    Attributes:
        reason: The reason that was sent to the peer (PS3.8 Table 9-26).
        why: The fault in words; empty if the transport connection was lost.
        foreign: The first byte received, if no PDU of the Standard begins with it.
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
    """The upper layer of one association.

    Args:
        requestor: True for the side that requests the association.
        maximum_length: The largest P-DATA-TF variable field that we announce, in bytes; 0 is unlimited.

    Attributes:
        state: "Sta1" to "Sta13".
        artim: True while the association request/reject/release timer runs.
        artim_starts: The number of times it was started, so that the owner of the clock notices a restart.
        closing: True if the transport connection is to be closed after `data_to_send()` has been sent.
        pdus: The number of PDUs that have begun to arrive.
        pdu_length: The length of the last of them, without its header, in bytes.
        fault: The reason why the association was aborted by this side, if it was.
        rest: The bytes that the last call of `receive` has left, to be passed to the next call; None if it has left none.
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
        # The start of an incomplete PDU; never the variable field of a P-DATA-TF PDU.
        self._held = bytearray()
        self._pdvs = PDVReader()
        # Bytes of a PDU that the state does not allow.
        self._skip = 0
        # Framing is lost, so no further bytes can be read.
        self._unframed = False

    # --- primitives of the local user ---

    def associate_request(self, request: pdu.AssociateRQ) -> None:
        """Issue an A-ASSOCIATE request. It is sent when the transport connection is established."""
        self._local("Evt1", request)

    def associate_response(self, response: pdu.AssociateAC | pdu.AssociateRJ) -> None:
        """Issue an A-ASSOCIATE response, accept or reject."""
        self._local("Evt7" if isinstance(response, pdu.AssociateAC) else "Evt8", response)

    def p_data_request(self) -> None:
        """Issue a P-DATA request, which asks for permission. The caller sends the PDUs that `pdata.cut` makes."""
        self._local("Evt9", None)

    def release_request(self) -> None:
        """Issue an A-RELEASE request."""
        self._local("Evt11", pdu.ReleaseRQ())

    def release_response(self) -> None:
        """Issue an A-RELEASE response."""
        self._local("Evt14", pdu.ReleaseRP())

    def abort(self, source: int = 0, reason: int = 0) -> None:
        """Issue an A-ABORT request. With `source` 2 and a `reason` it is an A-P-ABORT for the layers above."""
        self._local("Evt15", pdu.Abort(source, reason))

    # --- events of the transport connection ---

    def transport_opened(self) -> None:
        """Report that the transport connection is established: as confirmation of ours, or indication of the peer's."""
        self._remote("Evt2" if self._requestor else "Evt5", None)

    def transport_closed(self) -> list[Indication]:
        """Report that the transport connection was closed, by the peer or by a fault, and return the indications."""
        self._remote("Evt17", None)
        return self._take_indications()

    def artim_expired(self) -> None:
        """Report that the ARTIM timer has expired."""
        self._remote("Evt18", None)

    def receive(self, data: memoryview, most: int = _UNLIMITED) -> list[Indication]:
        """Take bytes that arrived, however they are split, and return the indications.

        Fragments refer to `data`: use them before its memory is used again.

        Args:
            data: The bytes.
            most: The number of indications after which no further PDU is taken. The remaining bytes are left in `rest`.
        """
        position, end = 0, len(data)
        try:
            while position < end and not self._unframed and len(self._indications) < most:
                position = self._step(data, position)
        except RemoteProtocolError as error:
            self._invalid(error.abort_reason, str(error))
        self.rest = data[position:] if position < end and not self._unframed else None
        return self._take_indications()

    def data_to_send(self) -> bytes:
        """Return the PDUs owed to the peer since the last call, without P-DATA-TF."""
        owed = bytes(self._owed)
        self._owed.clear()
        return owed

    @property
    def owes(self) -> bool:
        """True if `data_to_send()` would return anything."""
        return bool(self._owed)

    @property
    def held(self) -> int:
        """The number of bytes held of an incomplete PDU."""
        return len(self._held)

    @property
    def within_pdu(self) -> bool:
        """True if a PDU has arrived in part."""
        return bool(self._held or self._pdvs.left or self._skip)

    # --- framing ---

    def _step(self, data: memoryview, position: int) -> int:
        """Take the next piece of `data` at `position`, and return the position after it."""
        if self._pdvs.left:
            if self.state in _TAKES_DATA:
                return self._pdvs.read(data, position, self._indications.append)
            # We have aborted within this PDU (AA-6).
            return self._pdvs.read(data, position, _ignore)
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
        """Accept or refuse a PDU by its header: its type, its length, and whether the state allows it."""
        pdu_type, length = _PDU_HEADER.unpack_from(data, position)
        # Nearly every PDU is of this kind.
        if pdu_type == P_DATA_TF and 6 <= length <= self._most and self.state in _TAKES_DATA:
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
        """Handle an unrecognized or invalid PDU (Evt19). The bytes behind it cannot be framed reliably."""
        self._unframed = True
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
        # A peer cannot cause an event that the Standard leaves undefined; only the transport can. So the connection is closed.
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
