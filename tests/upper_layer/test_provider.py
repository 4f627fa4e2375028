"""UpperLayer: every cell of Table 9-10 on a real one, hostile bytes, and that it does not matter how bytes are cut."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable, Iterable
from itertools import pairwise
from struct import pack, pack_into
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from dimse.errors import LocalProtocolError
from dimse.upper_layer import pdu
from dimse.upper_layer.fsm import EVENTS, STATES, TRANSITIONS
from dimse.upper_layer.pdata import LAST, MOST_PDVS_IN_A_PDU, Fragment, cut
from dimse.upper_layer.provider import Indication, ProviderAbort, UpperLayer

MAXIMUM_LENGTH = 16384
VERIFICATION, IMPLICIT = "1.2.840.10008.1.1", "1.2.840.10008.1.2"

RQ = pdu.AssociateRQ(
    "ANY-SCP",
    "DIMSE",
    tuple(pdu.PresentationContextRQ(context_id, VERIFICATION, (IMPLICIT,)) for context_id in (1, 3)),
    (
        pdu.MaximumLength(MAXIMUM_LENGTH),
        pdu.ImplementationClassUID("1.2.3"),
        pdu.AsynchronousOperationsWindow(2, 2),
        pdu.RoleSelection(VERIFICATION, 1, 1),
        pdu.ImplementationVersionName("VERSION"),
        pdu.SOPClassExtendedNegotiation(VERIFICATION, b"\1\2"),
        pdu.SOPClassCommonExtendedNegotiation(VERIFICATION, "1.2.4", ("1.2.5",)),
        pdu.UserIdentityRQ(2, 1, b"user", b"passcode"),
    ),
)
AC = pdu.AssociateAC(
    "ANY-SCP",
    "DIMSE",
    tuple(pdu.PresentationContextAC(context_id, 0, IMPLICIT) for context_id in (1, 3)),
    (
        pdu.MaximumLength(MAXIMUM_LENGTH),
        pdu.ImplementationClassUID("1.2.3"),
        pdu.RoleSelection(VERIFICATION, 1, 1),
        pdu.UserIdentityAC(b"welcome"),
    ),
)
RJ = pdu.AssociateRJ(1, 1, 7)

RQ_BYTES, AC_BYTES, RJ_BYTES = pdu.encode(RQ), pdu.encode(AC), pdu.encode(RJ)
RELEASE_RQ = b"\x05\0\0\0\0\x04\0\0\0\0"
RELEASE_RP = b"\x06\0\0\0\0\x04\0\0\0\0"
# By the service user: what AA-1 and AA-7 send.
ABORT = b"\x07\0\0\0\0\x04\0\0\0\0"


def aborted_by_provider(reason: int) -> bytes:
    return b"\x07\0\0\0\0\x04\0\0\x02" + bytes((reason,))


def p_data(*values: tuple[int, int, bytes]) -> bytes:
    """Return one P-DATA-TF PDU with a PDV for each context ID, message control header and value."""
    pdvs = b"".join(pack(">LBB", len(value) + 2, context_id, control) + value for context_id, control, value in values)
    return pack(">BxL", 4, len(pdvs)) + pdvs


P_DATA = p_data((1, 3, b"command!"), (1, 0, b""), (1, 2, b"data"))
UNRECOGNISED = b"GET / HTTP/1.1\r\nHost: scp\r\n\r\n"
INVALID = b"\x06\0\0\0\0\x05\0\0\0\0\0"


def receive(upper: UpperLayer, data: bytes) -> list[Indication]:
    return upper.receive(memoryview(data))


# ---------------------------------------------------------------------------------------------------------------------
# A way to each state, for each role that can be in it

Step = Callable[[UpperLayer], list[Indication] | None]


def arrives(data: bytes) -> Step:
    return lambda upper: receive(upper, data)


OPENED, CLOSED, EXPIRED = UpperLayer.transport_opened, UpperLayer.transport_closed, UpperLayer.artim_expired
REQUEST: Step = lambda upper: upper.associate_request(RQ)  # noqa: E731
ACCEPT: Step = lambda upper: upper.associate_response(AC)  # noqa: E731
REJECT: Step = lambda upper: upper.associate_response(RJ)  # noqa: E731
RELEASE, RELEASE_RESPONSE = UpperLayer.release_request, UpperLayer.release_response
ABORT_REQUEST = UpperLayer.abort

ESTABLISHED: dict[bool, tuple[Step, ...]] = {
    True: (REQUEST, OPENED, arrives(AC_BYTES)),
    False: (OPENED, arrives(RQ_BYTES), ACCEPT),
}
WAYS: dict[tuple[str, bool], tuple[Step, ...]] = {
    ("Sta1", True): (),
    ("Sta1", False): (),
    ("Sta2", False): ESTABLISHED[False][:1],
    ("Sta3", False): ESTABLISHED[False][:2],
    ("Sta4", True): ESTABLISHED[True][:1],
    ("Sta5", True): ESTABLISHED[True][:2],
    **{("Sta6", role): ESTABLISHED[role] for role in (True, False)},
    **{("Sta7", role): (*ESTABLISHED[role], RELEASE) for role in (True, False)},
    **{("Sta8", role): (*ESTABLISHED[role], arrives(RELEASE_RQ)) for role in (True, False)},
    ("Sta9", True): (*ESTABLISHED[True], RELEASE, arrives(RELEASE_RQ)),
    ("Sta10", False): (*ESTABLISHED[False], RELEASE, arrives(RELEASE_RQ)),
    ("Sta11", True): (*ESTABLISHED[True], RELEASE, arrives(RELEASE_RQ), RELEASE_RESPONSE),
    ("Sta12", False): (*ESTABLISHED[False], RELEASE, arrives(RELEASE_RQ), arrives(RELEASE_RP)),
    ("Sta13", True): (*ESTABLISHED[True], arrives(RELEASE_RQ), RELEASE_RESPONSE),
    ("Sta13", False): (*ESTABLISHED[False][:2], REJECT),
}


def upper_layer(state: str, *, requestor: bool | None = None, maximum_length: int = MAXIMUM_LENGTH) -> UpperLayer:
    """Return an upper layer in `state`, with nothing left to send."""
    if requestor is None:
        requestor = (state, True) in WAYS
    upper = UpperLayer(requestor=requestor, maximum_length=maximum_length)
    for step in WAYS[state, requestor]:
        step(upper)
    upper.data_to_send()
    assert upper.state == state
    return upper


# ---------------------------------------------------------------------------------------------------------------------
# Table 9-10, cell by cell


class Stimulus(NamedTuple):
    """A way to bring an event about, and what goes with it: the bytes of the local user's PDU, or the indication."""

    apply: Step
    own: bytes = b""
    indication: tuple[object, ...] = ()
    # Of the A-ABORT, where the service provider sends one.
    reason: int = 2


FRAGMENTS = tuple(
    Fragment(1, control, memoryview(value), True) for control, value in ((3, b"command!"), (0, b""), (2, b"data"))
)
STIMULI: dict[str, tuple[Stimulus, ...]] = {
    "Evt1": (Stimulus(REQUEST),),
    "Evt2": (Stimulus(OPENED, own=RQ_BYTES),),
    "Evt3": (Stimulus(arrives(AC_BYTES), indication=(AC,)),),
    "Evt4": (Stimulus(arrives(RJ_BYTES), indication=(RJ,)),),
    "Evt5": (Stimulus(OPENED),),
    "Evt6": (Stimulus(arrives(RQ_BYTES), indication=(RQ,)),),
    "Evt7": (Stimulus(ACCEPT, own=AC_BYTES),),
    "Evt8": (Stimulus(REJECT, own=RJ_BYTES),),
    "Evt9": (Stimulus(UpperLayer.p_data_request),),  # the caller sends the P-DATA-TF PDUs
    "Evt10": (Stimulus(arrives(P_DATA), indication=FRAGMENTS),),
    "Evt11": (Stimulus(RELEASE, own=RELEASE_RQ),),
    "Evt12": (Stimulus(arrives(RELEASE_RQ), indication=(pdu.ReleaseRQ(),)),),
    "Evt13": (Stimulus(arrives(RELEASE_RP), indication=(pdu.ReleaseRP(),)),),
    "Evt14": (Stimulus(RELEASE_RESPONSE, own=RELEASE_RP),),
    "Evt15": (Stimulus(ABORT_REQUEST),),
    "Evt16": (
        Stimulus(arrives(ABORT), indication=(pdu.Abort(),)),
        Stimulus(arrives(aborted_by_provider(6)), indication=(pdu.Abort(2, 6),)),
    ),
    "Evt17": (Stimulus(CLOSED),),
    "Evt18": (Stimulus(EXPIRED),),
    "Evt19": (Stimulus(arrives(UNRECOGNISED), reason=1), Stimulus(arrives(INVALID), reason=6)),
}
LOCAL = {"Evt1", "Evt7", "Evt8", "Evt9", "Evt11", "Evt14", "Evt15"}

# PS3.8 Tables 9-6 to 9-9: next state; what is sent; what is indicated (what arrived, or A-P-ABORT); what becomes of ARTIM; whether
# the connection closes. Sent is the local user's own PDU, or an A-ABORT by the service user (source 0) or provider (source 2).
OUTCOMES = {
    "AE-1": ("Sta4", "", "", "", False),
    "AE-2": ("Sta5", "own", "", "", False),
    "AE-3": ("Sta6", "", "arrived", "", False),
    "AE-4": ("Sta1", "", "arrived", "", True),
    "AE-5": ("Sta2", "", "", "start", False),
    "AE-6": ("Sta3", "", "arrived", "stop", False),
    "AE-7": ("Sta6", "own", "", "", False),
    "AE-8": ("Sta13", "own", "", "start", False),
    "DT-1": ("Sta6", "own", "", "", False),
    "DT-2": ("Sta6", "", "arrived", "", False),
    "AR-1": ("Sta7", "own", "", "", False),
    "AR-2": ("Sta8", "", "arrived", "", False),
    "AR-3": ("Sta1", "", "arrived", "", True),
    "AR-4": ("Sta13", "own", "", "start", False),
    "AR-5": ("Sta1", "", "", "stop", False),
    "AR-6": ("Sta7", "", "arrived", "", False),
    "AR-7": ("Sta8", "own", "", "", False),
    "AR-8": ("Sta9 or Sta10", "", "arrived", "", False),
    "AR-9": ("Sta11", "own", "", "", False),
    "AR-10": ("Sta12", "", "arrived", "", False),
    "AA-1": ("Sta13", "user abort", "", "start", False),
    "AA-2": ("Sta1", "", "", "stop", True),
    "AA-3": ("Sta1", "", "arrived", "", True),
    "AA-4": ("Sta1", "", "A-P-ABORT", "", False),
    "AA-5": ("Sta1", "", "", "stop", False),
    "AA-6": ("Sta13", "", "", "", False),
    "AA-7": ("Sta13", "user abort", "", "", False),
    "AA-8": ("Sta13", "provider abort", "A-P-ABORT", "start", False),
}


def asked_of_a_role(event: str, requestor: bool) -> bool:
    """Return False for Evt5 of a requestor, whose connection is confirmed (Evt2), and for Evt2 of an acceptor."""
    return event != ("Evt5" if requestor else "Evt2")


CELLS = [(event, *way) for event in EVENTS for way in WAYS if asked_of_a_role(event, way[1])]


def test_all_cells_are_tried_but_eight_that_no_role_can_meet() -> None:
    missing = {(event, state) for event in EVENTS for state in STATES} - {(event, state) for event, state, _ in CELLS}
    assert missing == {("Evt2", state) for state in ("Sta2", "Sta3", "Sta10", "Sta12")} | {
        ("Evt5", state) for state in ("Sta4", "Sta5", "Sta9", "Sta11")
    }
    assert missing.isdisjoint(TRANSITIONS)


@pytest.mark.parametrize(
    ("event", "state", "requestor"),
    CELLS,
    ids=[f"{event}-{state}-{'requestor' if requestor else 'acceptor'}" for event, state, requestor in CELLS],
)
def test_cell_of_table_9_10(event: str, state: str, requestor: bool) -> None:
    action = TRANSITIONS.get((event, state))
    for stimulus in STIMULI[event]:
        upper = upper_layer(state, requestor=requestor)
        before = (upper.artim, upper.artim_starts, upper.closing)
        if action is None and event in LOCAL:
            with pytest.raises(LocalProtocolError, match=f" is not possible in {state}$"):
                stimulus.apply(upper)
            assert not upper.owes
            assert (upper.state, upper.artim, upper.artim_starts, upper.closing) == (state, *before)
            continue
        # What the table leaves undefined and is no local primitive comes from a broken transport: the connection is closed.
        indicated = stimulus.apply(upper) or []
        next_state, sends, indicates, artim, closes = OUTCOMES[action or "AA-2"]
        assert upper.state == (next_state if action != "AR-8" else "Sta9" if requestor else "Sta10")
        expected_bytes = {
            "": b"",
            "own": stimulus.own,
            "user abort": ABORT,
            "provider abort": aborted_by_provider(stimulus.reason),
        }
        assert upper.owes == bool(expected_bytes[sends])
        assert upper.data_to_send() == expected_bytes[sends]
        assert not upper.owes
        if indicates == "A-P-ABORT":
            (abort,) = indicated
            assert isinstance(abort, ProviderAbort)
            assert bool(abort.why) == (action == "AA-8")
            assert abort.reason == (stimulus.reason if action == "AA-8" else 0)
        else:
            assert tuple(indicated) == (stimulus.indication if indicates else ())
        assert upper.artim == (artim == "start" if artim else before[0])
        assert upper.artim_starts == before[1] + (artim == "start")
        assert upper.closing == (closes or before[2])


@pytest.mark.parametrize("version", [0, 2, 0xFFFE])
def test_a_protocol_version_without_bit_0_is_rejected_by_the_provider(version: int) -> None:
    upper = upper_layer("Sta2")
    request = bytearray(RQ_BYTES)
    pack_into(">H", request, 6, version)
    assert receive(upper, bytes(request)) == []
    assert upper.data_to_send() == b"\x03\0\0\0\0\x04\0\x01\x02\x02"
    assert (upper.state, upper.artim, upper.artim_starts, upper.closing) == ("Sta13", True, 2, False)


@pytest.mark.parametrize("version", [1, 3, 0xFFFF])
def test_a_protocol_version_with_bit_0_is_ours(version: int) -> None:
    upper = upper_layer("Sta2")
    request = bytearray(RQ_BYTES)
    pack_into(">H", request, 6, version)
    (indicated,) = receive(upper, bytes(request))
    assert isinstance(indicated, pdu.AssociateRQ)
    assert indicated.protocol_version == version


def test_layers_above_may_abort_as_the_provider() -> None:
    upper = upper_layer("Sta6")
    upper.abort(2, 6)
    assert upper.data_to_send() == aborted_by_provider(6)


@pytest.mark.parametrize(
    ("state", "primitive"),
    [
        ("Sta6", lambda upper: upper.abort(256)),
        ("Sta3", lambda upper: upper.associate_response(pdu.AssociateRJ(1, 1, -1))),
        ("Sta3", lambda upper: upper.associate_response(pdu.AssociateAC("A", "B", (), (pdu.MaximumLength(2**32),)))),
    ],
)
def test_a_primitive_that_has_no_encoding_changes_nothing(state: str, primitive: Step) -> None:
    upper = upper_layer(state)
    with pytest.raises(LocalProtocolError):
        primitive(upper)
    assert (upper.state, upper.owes, upper.artim, upper.closing) == (state, False, False, False)


# ---------------------------------------------------------------------------------------------------------------------
# Conversations: two real ones wired to each other


def deliver(source: UpperLayer, target: UpperLayer) -> list[Indication]:
    return receive(target, source.data_to_send())


def associated() -> tuple[UpperLayer, UpperLayer]:
    requestor = UpperLayer(requestor=True, maximum_length=MAXIMUM_LENGTH)
    acceptor = UpperLayer(requestor=False, maximum_length=MAXIMUM_LENGTH)
    requestor.associate_request(RQ)
    acceptor.transport_opened()
    requestor.transport_opened()
    assert deliver(requestor, acceptor) == [RQ]
    acceptor.associate_response(AC)
    assert deliver(acceptor, requestor) == [AC]
    assert requestor.state == acceptor.state == "Sta6"
    return requestor, acceptor


@pytest.mark.parametrize("requestor_releases", [True, False])
def test_release(requestor_releases: bool) -> None:
    releasing, other = associated() if requestor_releases else reversed(associated())
    releasing.release_request()
    assert deliver(releasing, other) == [pdu.ReleaseRQ()]
    other.p_data_request()  # what it still has to say
    assert receive(releasing, P_DATA) == list(FRAGMENTS)
    other.release_response()
    assert deliver(other, releasing) == [pdu.ReleaseRP()]
    assert (releasing.state, releasing.closing) == ("Sta1", True)
    assert (other.state, other.closing, other.artim) == ("Sta13", False, True)
    assert other.transport_closed() == []
    assert (other.state, other.artim) == ("Sta1", False)


def test_release_collision() -> None:
    requestor, acceptor = associated()
    requestor.release_request()
    acceptor.release_request()
    crossing = acceptor.data_to_send()
    assert deliver(requestor, acceptor) == [pdu.ReleaseRQ()]
    assert receive(requestor, crossing) == [pdu.ReleaseRQ()]
    assert (requestor.state, acceptor.state) == ("Sta9", "Sta10")
    requestor.release_response()
    assert deliver(requestor, acceptor) == [pdu.ReleaseRP()]
    assert (requestor.state, acceptor.state) == ("Sta11", "Sta12")
    acceptor.release_response()
    assert deliver(acceptor, requestor) == [pdu.ReleaseRP()]
    assert (requestor.state, requestor.closing) == ("Sta1", True)
    assert (acceptor.state, acceptor.artim) == ("Sta13", True)


def test_nothing_of_a_pdu_is_indicated_after_our_abort() -> None:
    upper = upper_layer("Sta6")
    assert receive(upper, P_DATA[:14]) == [Fragment(1, 3, memoryview(b"co"), False)]
    upper.abort()
    assert receive(upper, P_DATA[14:] + P_DATA) == []
    assert (upper.state, upper.data_to_send()) == ("Sta13", ABORT)
    upper = upper_layer("Sta5")
    assert receive(upper, AC_BYTES[:100]) == []
    upper.abort()
    assert receive(upper, AC_BYTES[100:]) == []
    assert (upper.state, upper.data_to_send()) == ("Sta13", ABORT)


def test_a_release_request_that_crosses_ours_half_way_is_a_collision() -> None:
    upper = upper_layer("Sta6", requestor=False)
    assert receive(upper, RELEASE_RQ[:8]) == []
    upper.release_request()
    assert receive(upper, RELEASE_RQ[8:]) == [pdu.ReleaseRQ()]
    assert upper.state == "Sta10"


def test_data_sent_during_our_release_arrives_in_pieces_of_the_callers_memory() -> None:
    upper = upper_layer("Sta7")
    buffer = bytearray(P_DATA)
    command, empty, data = upper.receive(memoryview(buffer))
    buffer[-4:] = b"DATA"
    assert isinstance(data, Fragment)
    assert bytes(data.data) == b"DATA"
    assert (command, empty, data) == (FRAGMENTS[0], FRAGMENTS[1], Fragment(1, 2, memoryview(b"DATA"), True))


def test_whether_a_pdu_has_arrived_in_part() -> None:
    for state, data in (("Sta2", RQ_BYTES), ("Sta6", P_DATA), ("Sta13", P_DATA), ("Sta13", RELEASE_RQ)):
        upper = upper_layer(state)
        for octet in data:
            receive(upper, bytes((octet,)))
            assert upper.within_pdu or octet is data[-1]
        assert not upper.within_pdu


def test_what_is_held_is_what_has_arrived_of_a_request_and_never_data() -> None:
    upper = upper_layer("Sta2")
    receive(upper, RQ_BYTES[:100])
    assert upper.held == 100
    receive(upper, RQ_BYTES[100:])
    assert upper.held == 0
    receiving = upper_layer("Sta6")
    receive(receiving, P_DATA[:-1])
    assert receiving.held == 0


def test_one_call_gives_a_bounded_number_of_indications_and_the_next_ones_the_rest() -> None:
    upper = upper_layer("Sta6")
    one_pdu = p_data(*((1, 0, bytes(2)),) * 500)
    data: memoryview | None = memoryview(one_pdu * 10 + RELEASE_RQ)
    counts = []
    indications: list[Indication] = []
    while data is not None:
        came = upper.receive(data, 100)
        counts.append(len(came))
        indications += came
        data = upper.rest
    assert 100 <= counts[0] <= max(counts) <= 100 + MOST_PDVS_IN_A_PDU
    assert indications == [Fragment(1, 0, memoryview(bytes(2)), True)] * 5000 + [pdu.ReleaseRQ()]


def test_nothing_is_left_of_what_cannot_be_framed() -> None:
    upper = upper_layer("Sta6")
    receive(upper, P_DATA + UNRECOGNISED)
    assert upper.rest is None


# ---------------------------------------------------------------------------------------------------------------------
# Hostile bytes

LENGTHS = (0, 1, 3, 4, 5, 6, 68, 16384, 16385, 262144, 262145, 2**32 - 1)
ALLOWED_LENGTHS = {
    1: range(68, 262145),
    2: range(68, 262145),
    3: (4,),
    4: range(6, 2**32),
    5: (4,),
    6: (4,),
    7: (4,),
}
AWAITED = {"Sta2": {1, 7}, "Sta5": {2, 3, 7}, "Sta6": {4, 5, 7}, "Sta7": {4, 5, 6, 7}}


def reason_to_abort(state: str, pdu_type: int, length: int) -> int:
    """Return the reason (PS3.8 Table 9-26) of the A-ABORT that answers this header at once; 0 if its PDU is awaited."""
    if pdu_type not in ALLOWED_LENGTHS:
        return 1
    if length not in ALLOWED_LENGTHS[pdu_type]:
        return 6
    if pdu_type not in AWAITED[state]:
        return 2
    return 6 if pdu_type == 4 and length > MAXIMUM_LENGTH else 0


@pytest.mark.parametrize("state", AWAITED)
def test_every_pdu_type_and_length_is_decided_by_its_header(state: str) -> None:
    for pdu_type in range(256):
        for length in LENGTHS:
            upper = upper_layer(state)
            indicated = receive(upper, pack(">BxL", pdu_type, length))
            reason = reason_to_abort(state, pdu_type, length)
            if not reason:
                assert (upper.state, upper.owes, indicated, upper.within_pdu) == (state, False, [], True)
                continue
            assert (upper.state, upper.artim, upper.closing) == ("Sta13", True, False)
            assert upper.data_to_send() == (ABORT if state == "Sta2" else aborted_by_provider(reason))
            assert upper.fault.reason == reason
            assert upper.fault.why
            assert bool(upper.fault.foreign) == (reason == 1)
            assert indicated == ([] if state == "Sta2" else [upper.fault])


@pytest.mark.parametrize(
    "heard",
    [
        UNRECOGNISED,
        b"SSH-2.0-OpenSSH_9.2p1\r\n",
        b"EHLO scanner\r\n",
        b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03" + bytes(500),
        bytes(1 << 20),
        b"\xff" * (1 << 20),
        b"\0\0\0\0\0\x04\0\0\0\0",
    ],
    ids=["HTTP", "SSH", "SMTP", "TLS", "zeros", "ones", "type 0"],
)
def test_what_is_no_dicom_is_answered_by_one_abort(heard: bytes) -> None:
    upper = upper_layer("Sta2")
    assert receive(upper, heard) == receive(upper, heard) == []
    assert (upper.state, upper.data_to_send(), upper.within_pdu) == ("Sta13", ABORT, False)
    assert (upper.fault.reason, upper.fault.foreign) == (1, heard[:1])
    requestor = upper_layer("Sta5")
    (abort,) = receive(requestor, heard)
    assert isinstance(abort, ProviderAbort)
    assert (abort.reason, abort.foreign) == (1, heard[:1])
    assert requestor.data_to_send() == aborted_by_provider(1)


def without(data: bytes, item: bytes) -> bytes:
    """Return an A-ASSOCIATE PDU without an item."""
    assert data.count(item) == 1
    shorter = data.replace(item, b"")
    return shorter[:2] + pack(">L", len(shorter) - 6) + shorter[6:]


APPLICATION_CONTEXT = b"\x10\0\0\x151.2.840.10008.3.1.1.1"
PROBES = {
    # what a peer sends in which state: the answer; the reason, by which the fault is known where the answer has source 0
    "release request before an association": ("Sta2", RELEASE_RQ, ABORT, 2),
    "release response before an association": ("Sta2", RELEASE_RP, ABORT, 2),
    "data before an association": ("Sta2", P_DATA, ABORT, 2),
    "answer before a request": ("Sta2", AC_BYTES, ABORT, 2),
    "no application context": ("Sta2", without(RQ_BYTES, APPLICATION_CONTEXT), ABORT, 6),
    "no presentation context": (
        "Sta2",
        without(RQ_BYTES, RQ_BYTES[RQ_BYTES.index(b"\x20\0\0") : RQ_BYTES.index(b"\x50\0\0")]),
        ABORT,
        6,
    ),
    "context ID 0 alone": (
        "Sta2",
        RQ_BYTES.replace(b"\x20\0\0\x2e\x01", b"\x20\0\0\x2e\0").replace(b"\x20\0\0\x2e\x03", b"\x20\0\0\x2e\0"),
        ABORT,
        6,
    ),
    "sub-item longer than the user information": ("Sta2", RQ_BYTES.replace(b"\x58\0\0", b"\x58\0\1"), ABORT, 6),
    "request of 4 GiB": ("Sta2", b"\x01\0\xff\xff\xff\xff", ABORT, 6),
    "answer of 4 GiB": ("Sta5", b"\x02\0\xff\xff\xff\xff", aborted_by_provider(6), 6),
    "answer cut short": ("Sta5", AC_BYTES[:5] + b"\x46" + AC_BYTES[6:76], aborted_by_provider(6), 6),
    "request in answer": ("Sta5", RQ_BYTES, aborted_by_provider(2), 2),
    "data before the answer": ("Sta5", P_DATA, aborted_by_provider(2), 2),
    "second request": ("Sta6", RQ_BYTES, aborted_by_provider(2), 2),
    "second answer": ("Sta6", AC_BYTES, aborted_by_provider(2), 2),
    "rejection after the answer": ("Sta6", RJ_BYTES, aborted_by_provider(2), 2),
    "release response to nothing": ("Sta6", RELEASE_RP, aborted_by_provider(2), 2),
    "unknown PDU": ("Sta6", b"\xff\0\0\0\0\x04\0\0\0\0", aborted_by_provider(1), 1),
    "release request of 5 bytes": ("Sta6", b"\x05\0\0\0\0\x05\0\0\0\0\0", aborted_by_provider(6), 6),
    "data longer than announced": ("Sta6", b"\x04\0\0\0\xfd\xee", aborted_by_provider(6), 6),
    "data one byte longer than announced": ("Sta6", b"\x04\0\0\0\x40\x01", aborted_by_provider(6), 6),
    "data of 4 GiB": ("Sta6", b"\x04\0\xff\xff\xff\xff", aborted_by_provider(6), 6),
    "data without a PDV": ("Sta6", b"\x04\0\0\0\0\0", aborted_by_provider(6), 6),
    "PDV of 0 bytes": ("Sta6", b"\x04\0\0\0\0\x06\0\0\0\0\x01\x03", aborted_by_provider(6), 6),
    "PDV of 1 byte": ("Sta6", b"\x04\0\0\0\0\x06\0\0\0\x01\x01\x03", aborted_by_provider(6), 6),
    "PDV longer than its PDU": ("Sta6", b"\x04\0\0\0\0\x08\0\0\0\x05\x01\x03xx", aborted_by_provider(6), 6),
    "PDV of 4 GiB": ("Sta6", b"\x04\0\0\0\0\x08\xff\xff\xff\xff\x01\x03xx", aborted_by_provider(6), 6),
    "second release request": ("Sta8", RELEASE_RQ, aborted_by_provider(2), 2),
    "data after the release request": ("Sta8", P_DATA, aborted_by_provider(2), 2),
    "data during a release collision": ("Sta9", P_DATA, aborted_by_provider(2), 2),
}


@pytest.mark.parametrize("probe", PROBES)
def test_a_broken_peer_is_answered_as_the_standard_says_and_never_again(probe: str) -> None:
    state, sent, answer, reason = PROBES[probe]
    upper = upper_layer(state)
    assert receive(upper, sent) == ([] if state == "Sta2" else [upper.fault])
    assert (upper.state, upper.data_to_send(), upper.fault.reason) == ("Sta13", answer, reason)
    assert upper.fault.why
    first = upper.fault
    assert receive(upper, P_DATA + RELEASE_RQ) == []
    assert not upper.owes
    assert upper.fault is first
    assert upper.transport_closed() == []
    assert upper.state == "Sta1"


def test_an_association_that_can_be_read_is_indicated_however_odd() -> None:
    """The negotiation decides on 200 contexts, one ID twice, no AE titles."""
    upper = upper_layer("Sta2")
    contexts = tuple(pdu.PresentationContextRQ(index % 100 * 2 + 1, VERIFICATION, (IMPLICIT,)) for index in range(200))
    request = bytearray(pdu.encode(pdu.AssociateRQ("A", "B", contexts, RQ.user_information)))
    request[10:42] = b" " * 32
    (indicated,) = receive(upper, bytes(request))
    assert indicated == pdu.AssociateRQ("", "", contexts, RQ.user_information)


def test_fragments_before_a_fault_in_their_pdu_stand() -> None:
    upper = upper_layer("Sta6")
    good, abort = receive(upper, b"\x04\0\0\0\0\x0e\0\0\0\x04\x01\x03ab\0\0\0\x01\x01\x03")
    assert good == Fragment(1, 3, memoryview(b"ab"), True)
    assert isinstance(abort, ProviderAbort)
    assert abort.reason == 6


@pytest.mark.parametrize("length", [MAXIMUM_LENGTH, MAXIMUM_LENGTH + 1, 2**32 - 1])
def test_an_unlimited_receiver_takes_data_of_any_length(length: int) -> None:
    upper = upper_layer("Sta6", maximum_length=0)
    header = pack(">BxLLBB", 4, length, length - 4, 1, 2)
    assert receive(upper, header + b"x") == [Fragment(1, 2, memoryview(b"x"), False)]
    assert upper.state == "Sta6"


def test_nothing_is_kept_of_data_however_long() -> None:
    upper = upper_layer("Sta6", maximum_length=0)
    chunk = memoryview(bytes(1 << 16))
    upper.receive(memoryview(pack(">BxLLBB", 4, 2**32 - 1, 2**32 - 5, 1, 2)))
    tracemalloc.start()
    for _ in range(256):
        (fragment,) = upper.receive(chunk)
        assert isinstance(fragment, Fragment)
        assert len(fragment.data) == len(chunk)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1 << 16


@pytest.mark.parametrize("header", [b"\x01\0\xff\xff\xff\xff", b"\x04\0\xff\xff\xff\xff", b"GET / "])
def test_nothing_is_kept_of_what_follows_a_fault(header: bytes) -> None:
    upper = upper_layer("Sta2")
    receive(upper, header)
    chunk = memoryview(b"\x01" * (1 << 16))
    tracemalloc.start()
    for _ in range(64):
        upper.receive(chunk)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1 << 16
    assert (upper.state, upper.data_to_send()) == ("Sta13", ABORT)


# ---------------------------------------------------------------------------------------------------------------------
# Cut at every byte, and closed

CUT = {
    "A-ASSOCIATE-RQ": ("Sta2", RQ_BYTES),
    "A-ASSOCIATE-AC": ("Sta5", AC_BYTES),
    "A-ASSOCIATE-RJ": ("Sta5", RJ_BYTES),
    "P-DATA-TF": (
        "Sta6",
        p_data((1, 1, bytes(range(100))), (1, 3, b""), *((3, 0, bytes(10)) for _ in range(40)), (3, 2, b"data")),
    ),
    "P-DATA-TF during release": ("Sta7", p_data((1, 0, bytes(120)), (1, 2, b"x"))),
    "A-RELEASE-RQ": ("Sta6", RELEASE_RQ),
    "A-RELEASE-RQ in collision": ("Sta7", RELEASE_RQ),
    "A-RELEASE-RP": ("Sta7", RELEASE_RP),
    "A-ABORT": ("Sta6", ABORT),
}


def test_there_are_enough_places_to_cut() -> None:
    assert sum(len(data) for _, data in CUT.values()) >= 1500


@pytest.mark.parametrize("name", CUT)
def test_a_pdu_cut_at_any_byte_is_not_indicated(name: str) -> None:
    state, data = CUT[name]
    for end in range(len(data)):
        upper = upper_layer(state)
        indicated = receive(upper, data[:end])
        assert (upper.state, upper.owes) == (state, False)
        assert upper.within_pdu == (end > 0)
        assert all(isinstance(piece, Fragment) for piece in indicated)
        assert Fragment(3, 2, memoryview(b"data"), True) not in indicated
        assert upper.transport_closed() == ([] if state == "Sta2" else [ProviderAbort()])
        assert (upper.state, upper.artim, upper.owes) == ("Sta1", False, False)


# ---------------------------------------------------------------------------------------------------------------------
# It does not matter how the bytes are cut


def outcome(upper: UpperLayer, chunks: Iterable[bytes]) -> tuple[object, ...]:
    """Return all that can be seen of the upper layer after these bytes; the pieces of each PDV's value are joined."""
    seen: list[object] = []
    value = b""
    for chunk in chunks:
        for indication in receive(upper, chunk):
            if not isinstance(indication, Fragment):
                seen.append(indication)
                continue
            value += indication.data
            if indication.ends:
                seen.append((indication.context_id, indication.control, value))
                value = b""
    owed = upper.data_to_send()
    return (
        seen,
        value,
        owed,
        upper.state,
        upper.artim,
        upper.artim_starts,
        upper.closing,
        upper.fault,
        upper.within_pdu,
    )


def pieces(data: bytes, places: Iterable[int]) -> list[bytes]:
    bounds = sorted({0, len(data), *(place % (len(data) + 1) for place in places)})
    return [data[start:end] for start, end in pairwise(bounds)]


VALID = (RQ_BYTES, AC_BYTES, RJ_BYTES, P_DATA, RELEASE_RQ, RELEASE_RP, ABORT, aborted_by_provider(3))
SEEDS = [
    *((state, data) for state, data, _, _ in PROBES.values()),
    *CUT.values(),
    *((state, b"".join(VALID)) for state in ("Sta2", "Sta5", "Sta6", "Sta7", "Sta13")),
    ("Sta6", P_DATA * 3 + RELEASE_RQ + P_DATA + RQ_BYTES + ABORT),
    ("Sta7", P_DATA * 3 + RELEASE_RP + RQ_BYTES),
    ("Sta13", P_DATA + RQ_BYTES + RQ_BYTES + RELEASE_RQ + INVALID + RQ_BYTES),
    ("Sta1", RQ_BYTES + UNRECOGNISED),
]


@pytest.mark.parametrize(("state", "data"), SEEDS, ids=range(len(SEEDS)))
def test_bytes_one_by_one_are_the_same_as_whole(state: str, data: bytes) -> None:
    assert outcome(upper_layer(state), pieces(data, range(len(data)))) == outcome(upper_layer(state), [data])


@st.composite
def streams(draw: st.DrawFn) -> bytes:
    """Draw PDUs that follow each other; most are valid, some are broken somewhere."""
    value = st.tuples(st.sampled_from((1, 2, 3)), st.integers(0, 255), st.binary(max_size=12))
    parts = draw(
        st.lists(
            st.sampled_from(VALID)
            | st.lists(value, min_size=1, max_size=5).map(lambda values: p_data(*values))
            | st.binary(max_size=12),
            max_size=6,
        )
    )
    stream = bytearray(b"".join(parts))
    if stream:
        for place, octet in draw(st.lists(st.tuples(st.integers(0, len(stream) - 1), st.integers(0, 255)), max_size=3)):
            stream[place] = octet
    return bytes(stream)


@given(
    way=st.sampled_from(sorted(WAYS)),
    stream=st.sampled_from([data for _, data in SEEDS]) | streams(),
    places=st.lists(st.integers(0, 2000), max_size=20),
)
@hypothesis_settings(max_examples=700)
def test_bytes_cut_anywhere_are_the_same_as_whole(way: tuple[str, bool], stream: bytes, places: list[int]) -> None:
    whole, cut_up = (upper_layer(way[0], requestor=way[1]) for _ in range(2))
    assert outcome(cut_up, pieces(stream, places)) == outcome(whole, [stream])


@given(
    sizes=st.lists(st.integers(0, 40000), min_size=1, max_size=4),
    maximum_length=st.integers(8, MAXIMUM_LENGTH),
    places=st.lists(st.integers(0, 100_000), max_size=30),
)
@hypothesis_settings(max_examples=100)
def test_what_is_cut_to_be_sent_is_put_together_again(sizes: list[int], maximum_length: int, places: list[int]) -> None:
    messages = [bytes(index % 251 for index in range(size + size % 2)) for size in sizes]
    maximum_length = max(maximum_length, max(sizes) // 200)
    batches = [batch for message in messages for batch in cut([(0, message)], 5, maximum_length)]
    sent = b"".join(b"".join(batch) for batch in batches)
    received, *_ = outcome(upper_layer("Sta6"), pieces(sent, places))
    assert isinstance(received, list)
    joined, value = [], b""
    for context_id, control, part in received:
        assert context_id == 5
        value += part
        if control == LAST:
            joined.append(value)
            value = b""
    assert joined == messages
