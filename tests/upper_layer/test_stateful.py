"""A requestor and an acceptor wired to each other, through any sequence of primitives, bytes, faults and closes.

The model is Table 9-10 itself, walked PDU by PDU; the real ones get the same PDUs as bytes, cut anywhere. Some 400
sequences are tried; DIMSE_SEQUENCES in the environment asks for another number of them, CI for 2,000.
"""

from __future__ import annotations

import os
from collections import deque
from itertools import product
from typing import ClassVar, NamedTuple

import pytest
from hypothesis import HealthCheck, Phase
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from dimse.errors import LocalProtocolError
from dimse.upper_layer import pdu
from dimse.upper_layer.fsm import ACTIONS, TRANSITIONS
from dimse.upper_layer.pdata import Fragment, cut
from dimse.upper_layer.provider import ProviderAbort, UpperLayer

SEQUENCES = int(os.environ.get("DIMSE_SEQUENCES", "200"))

RQ = pdu.AssociateRQ("A", "B", (pdu.PresentationContextRQ(1, "1.2.3", ("1.2.4",)),), (pdu.MaximumLength(0),))
AC = pdu.AssociateAC("A", "B", (pdu.PresentationContextAC(1, 0, "1.2.4"),), (pdu.MaximumLength(0),))


class Wire(NamedTuple):
    """A PDU on its way, and what it is for Table 9-10; with so many of its bytes it is decided on."""

    event: str
    data: bytes
    content: object = None
    reason: int = 2
    decided_by: int = 6


def control(event: str, value: pdu.PDU) -> Wire:
    return Wire(event, pdu.encode(value), value)


def p_data(size: int) -> Wire:
    value = bytes(range(size))
    (batch,) = cut([(0, value)], 1, 16384)
    return Wire("Evt10", b"".join(batch), value)


ASSOCIATE_RQ, ASSOCIATE_AC = control("Evt6", RQ), control("Evt3", AC)
RELEASE_RQ, RELEASE_RP = control("Evt12", pdu.ReleaseRQ()), control("Evt13", pdu.ReleaseRP())
REJECTIONS = [control("Evt4", pdu.AssociateRJ(1, 1, reason)) for reason in (1, 7)]
ABORTS = [control("Evt16", pdu.Abort()), control("Evt16", pdu.Abort(2, 6))]
INVALID = [
    Wire("Evt19", b"GET / HTTP/1.1\r\n\r\n", reason=1, decided_by=1),
    Wire("Evt19", b"\x05\0\0\1\0\0", reason=6, decided_by=4),
    Wire("Evt19", b"\x05\0\0\0\0\x05\0\0\0\0\0", reason=6),
]
P_DATA = [p_data(size) for size in (0, 2, 40)]

# Local primitives by event: what each is called with, and the PDU that it sends where the table lets it.
PRIMITIVES = {
    "Evt1": [ASSOCIATE_RQ],
    "Evt7": [ASSOCIATE_AC],
    "Evt8": REJECTIONS,
    "Evt9": P_DATA,
    "Evt11": [RELEASE_RQ],
    "Evt14": [RELEASE_RP],
    "Evt15": ABORTS,
}
POLITE = [event for event in PRIMITIVES if event != "Evt15"]
ANYTHING = [ASSOCIATE_RQ, ASSOCIATE_AC, RELEASE_RQ, RELEASE_RP, *REJECTIONS, *ABORTS, *INVALID, *P_DATA]


class Ask(NamedTuple):
    """A primitive that the table allows this side now, and no abort; or what was asked for, the connection."""

    which: int
    primitive: int
    value: int


class Deliver(NamedTuple):
    """A move: some bytes arrive at this side, or the end of the connection behind them."""

    which: int
    octets: int


class Disturb(NamedTuple):
    """An abort, a peer that says anything, a connection that breaks, a timer that ends, or a primitive out of place."""

    which: int
    how: int
    what: int


ASK = st.sampled_from([Ask(*move) for move in product(range(2), range(2), range(3))])
DELIVER = st.sampled_from([Deliver(*move) for move in product(range(2), (1000, 1000, 11, 7, 6, 5, 4, 1))])
DISTURB = st.sampled_from([Disturb(*move) for move in product(range(2), range(7), range(len(ANYTHING)))])
MOVES = st.one_of(ASK, DELIVER, ASK, DELIVER, DELIVER, DISTURB)


class Model:
    """The expectation of one side by Table 9-10: its state, what it owes and what it indicates."""

    def __init__(self, *, requestor: bool) -> None:
        self.requestor = requestor
        self.state, self.artim, self.artim_starts, self.closing = "Sta1", False, 0, False
        self.deaf = False
        self.owed: list[Wire] = []
        self.indicated: list[object] = []
        self.actions: set[str] = set()

    def apply(self, event: str, about: Wire | None = None) -> None:
        name = TRANSITIONS.get((event, self.state), "AA-2")
        action = ACTIONS[name]
        self.actions.add(name)
        if action.sends == "primitive" and about:
            self.owed.append(about)
        elif action.sends == "abort":
            self.owed.append(about if event == "Evt15" and about else ABORTS[0])
        elif action.sends == "provider abort":
            assert about
            self.owed.append(control("Evt16", pdu.Abort(2, about.reason)))
        if action.indicates == "pdu" and about:
            self.indicated.append(about.content)
        elif action.indicates:
            self.indicated.append("A-P-ABORT")
        if action.artim:
            self.artim = action.artim == "start"
            self.artim_starts += self.artim
        self.closing |= action.closes
        self.state = "Sta10" if name == "AR-8" and not self.requestor else action.next_state


class Side:
    """A side: the real upper layer, its model, and what is on the way to it."""

    def __init__(self, *, requestor: bool) -> None:
        self.real = UpperLayer(requestor=requestor, maximum_length=0)
        self.model = Model(requestor=requestor)
        self.arriving: deque[Wire] = deque()
        self.arrived = 0  # bytes of the first of them
        # Its header has decided on the first of them.
        self.decided = False
        # The first of them is not awaited.
        self.skipped = False
        self.peer_closed = False
        self.connected = False
        self.value = b""  # of the PDV that is arriving
        self.indicated: list[object] = []

    def indications(self, indications: list[object]) -> None:
        for indication in indications:
            if isinstance(indication, Fragment):
                self.value += indication.data
                if indication.ends:
                    self.indicated.append(self.value)
                    self.value = b""
            else:
                self.indicated.append("A-P-ABORT" if isinstance(indication, ProviderAbort) else indication)

    def takes(self, count: int) -> bytes:
        """Take the next `count` bytes that arrive, or as many as there are; show the model the PDUs that they decide."""
        data = b""
        while self.arriving and len(data) < count:
            wire = self.arriving[0]
            piece = wire.data[self.arrived : self.arrived + count - len(data)]
            data += piece
            self.arrived += len(piece)
            if self.arrived >= wire.decided_by and not self.decided:
                self.decided = True
                self.decide(wire)
            if self.arrived == len(wire.data):
                if self.decided and not self.model.deaf and not self.skipped:
                    self.model.apply(wire.event, wire)
                self.arriving.popleft()
                self.arrived, self.decided = 0, False
        return data

    def decide(self, wire: Wire) -> None:
        """Refuse a PDU at once, by its header, or await it."""
        if self.model.deaf:
            return
        action = ACTIONS[TRANSITIONS.get((wire.event, self.model.state), "AA-2")]
        self.skipped = action.indicates != "pdu" and wire.event != "Evt16"
        if self.skipped:
            self.model.apply(wire.event, wire)
        self.model.deaf = wire.event == "Evt19"


class Association(RuleBasedStateMachine):
    """The two sides of one transport connection."""

    actions: ClassVar[set[tuple[str, bool]]] = set()

    def __init__(self) -> None:
        super().__init__()
        self.sides = (Side(requestor=True), Side(requestor=False))

    def peer_of(self, side: Side) -> Side:
        return self.sides[side is self.sides[0]]

    def settle(self, side: Side) -> None:
        """Put what this side owes onto the wire, and close its connection if that is due."""
        owed, side.model.owed = side.model.owed, []
        assert side.real.data_to_send() == b"".join(wire.data for wire in owed if wire.event != "Evt10")
        peer = self.peer_of(side)
        if not peer.peer_closed and side.connected:
            peer.arriving += owed
        if side.real.closing:
            side.connected = False
            side.arriving.clear()
            peer.peer_closed = True

    def primitive(self, side: Side, event: str, wire: Wire) -> None:
        self.ask_real(side.real, event, wire)
        side.model.apply(event, wire)
        self.settle(side)

    def ask_real(self, real: UpperLayer, event: str, wire: Wire) -> None:
        value = wire.content
        match event:
            case "Evt1":
                assert isinstance(value, pdu.AssociateRQ)
                real.associate_request(value)
            case "Evt7" | "Evt8":
                assert isinstance(value, pdu.AssociateAC | pdu.AssociateRJ)
                real.associate_response(value)
            case "Evt9":
                real.p_data_request()
            case "Evt11":
                real.release_request()
            case "Evt14":
                real.release_response()
            case _:
                assert isinstance(value, pdu.Abort)
                real.abort(value.source, value.reason)

    @initialize(
        start=st.sampled_from(("established", "idle", "requested", "1 releases", "2 releases", "1 and 2 release"))
    )
    def begin(self, start: str) -> None:
        """Somewhere on the way that most associations go."""
        requestor, acceptor = self.sides
        if start == "idle":
            return
        self.primitive(requestor, "Evt1", ASSOCIATE_RQ)
        self.connect()
        self.deliver(1, 1000)
        if start == "requested":
            return
        self.primitive(acceptor, "Evt7", ASSOCIATE_AC)
        self.deliver(0, 1000)
        assert requestor.real.state == acceptor.real.state == "Sta6"
        if "1" in start:
            self.primitive(requestor, "Evt11", RELEASE_RQ)
        if "2" in start:
            self.primitive(acceptor, "Evt11", RELEASE_RQ)

    def connect(self) -> None:
        for side in reversed(self.sides):
            side.connected = True
            side.real.transport_opened()
            if side.model.requestor:
                side.model.apply("Evt2", ASSOCIATE_RQ)
            else:
                side.model.apply("Evt5")
            self.settle(side)

    @rule(move=MOVES)
    def move(self, move: Ask | Deliver | Disturb) -> None:
        """Make any move by this one rule: of several rules Hypothesis often leaves one out, and little happens."""
        match move:
            case Ask():
                self.ask(*move)
            case Deliver():
                self.deliver(*move)
            case Disturb():
                self.disturb(*move)

    def ask(self, which: int, primitive: int, value: int) -> None:
        side = self.sides[which]
        if side.model.state == "Sta4":
            self.connect()
        possible = [event for event in POLITE if (event, side.model.state) in TRANSITIONS]
        if "Evt1" in possible and (side.model.actions or not side.model.requestor):
            # An association that has ended does not begin again.
            return
        if possible:
            event = possible[primitive % len(possible)]
            self.primitive(side, event, PRIMITIVES[event][value % len(PRIMITIVES[event])])

    def deliver(self, which: int, count: int) -> None:
        side = self.sides[which]
        if not (side.arriving or side.peer_closed):
            side = self.peer_of(side)
        if not side.connected:
            return
        data = side.takes(count)
        if data:
            side.indications([*side.real.receive(memoryview(data))])
        elif side.peer_closed:
            self.lose(side)
        self.settle(side)

    def disturb(self, which: int, how: int, what: int) -> None:
        side, wire = self.sides[which], ANYTHING[what]
        match how:
            case 2:
                self.abort(side, ABORTS[what % 2])
            case 3 | 4 if side.connected:
                # Something arrives that the other side has not sent.
                side.arriving.append(wire)
            case 5 if side.connected:
                # The connection breaks, and what was on its way is lost.
                side.arriving.clear()
                self.lose(side)
                self.settle(side)
            case 6 if side.real.artim:
                side.real.artim_expired()
                side.model.apply("Evt18")
                self.settle(side)
            case _:
                self.ask_the_impossible(side)

    def abort(self, side: Side, wire: Wire) -> None:
        if ("Evt15", side.model.state) in TRANSITIONS:
            self.primitive(side, "Evt15", wire)

    def ask_the_impossible(self, side: Side) -> None:
        for event, wires in PRIMITIVES.items():
            if (event, side.model.state) not in TRANSITIONS:
                with pytest.raises(LocalProtocolError):
                    self.ask_real(side.real, event, wires[0])
        self.settle(side)

    def lose(self, side: Side) -> None:
        side.indications([*side.real.transport_closed()])
        side.model.apply("Evt17")
        side.connected = False
        self.peer_of(side).peer_closed = True

    @invariant()
    def each_is_as_the_table_says(self) -> None:
        for side in self.sides:
            real, model = side.real, side.model
            assert (real.state, real.artim, real.artim_starts, real.closing) == (
                model.state,
                model.artim,
                model.artim_starts,
                model.closing,
            )
            assert side.indicated == model.indicated
            assert not real.owes
            if side.connected and not model.deaf:
                assert real.within_pdu == bool(side.arrived)

    def teardown(self) -> None:
        for side in self.sides:
            self.actions.update((name, side.model.requestor) for name in side.model.actions)


@pytest.mark.timeout(60 + SEQUENCES // 20)
def test_any_sequence_is_as_table_9_10_says() -> None:
    Association.actions.clear()
    run_state_machine_as_test(
        Association,
        settings=hypothesis_settings(
            max_examples=SEQUENCES,
            stateful_step_count=18,
            suppress_health_check=list(HealthCheck),
            phases=[Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink],
        ),
    )
    if SEQUENCES < 2000:
        return  # too few to have done everything
    assert {name for name, _ in Association.actions} == set(ACTIONS)
    for requestor in (True, False):
        assert {("AR-6", requestor), ("AR-7", requestor), ("AR-8", requestor)} <= Association.actions
