"""Table 9-10 on a real socket: every cell that a peer can bring about, and byte for byte what comes back.

A peer made of bytes leads one of our sides into a state, sends a PDU, and reads what is answered until the connection ends. Our
acceptor is a server of either face; what only an acceptor that releases can be in, an association of either driver that does so.
Our requestor associates, echoes and releases. What is expected is the action that tests/upper_layer has transcribed, and the
bytes of that action as PS3.8 9.3 prints them.
"""

from __future__ import annotations

import logging
import os
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import pytest

import dimse
from dimse import settings, uids
from dimse.association import establishing
from dimse.association.pump import Buffers
from dimse.errors import (
    AssociationAborted,
    AssociationRejected,
    AssociationReleased,
    ConnectError,
    ConnectionLost,
    RemoteProtocolError,
)
from dimse.services import Association
from dimse.settings import Acceptor
from dimse.transport import READ
from dimse.transport.base import Transport
from dimse.upper_layer import pdu as decoded
from dimse.upper_layer.provider import UpperLayer
from tests import faulty_peer as wire
from tests.drivers import ASYNCIO, BLOCKING, LOOPBACK, Driver, Face, running
from tests.faulty_peer import item, pdu, pdv, ui, us
from tests.hostile_scu import ECHO, IMPLICIT, VERIFICATION, HostileSCU, associate_rq, context
from tests.upper_layer.test_fsm import TRANSCRIBED

SECONDS = 20.0  # no wait takes longer
PATIENT = dimse.Timeouts(connect=SECONDS, acse=SECONDS, dimse=SECONDS, network=SECONDS)
IMPATIENT = dimse.Timeouts(connect=SECONDS, acse=0.1, dimse=SECONDS, network=SECONDS)  # ARTIM expires

Side = Literal["acceptor", "releasing acceptor", "requestor"]
DRIVERS: dict[Face, Driver] = {"threads": BLOCKING, "asyncio": ASYNCIO}

# ---- the bytes


def accept(maximum_length: int, class_uid: str, version_name: str, titles: bytes) -> bytes:
    """Return the A-ASSOCIATE-AC to `REQUEST` (PS3.8 9.3.3)."""
    information = (
        item(0x51, struct.pack(">I", maximum_length))
        + item(0x52, class_uid.encode("ascii"))
        + item(0x55, version_name.encode("ascii"))
    )
    return pdu(
        wire.A_ASSOCIATE_AC,
        struct.pack(">HH", 1, 0)
        + titles
        + bytes(32)
        + item(0x10, b"1.2.840.10008.3.1.1.1")
        + item(0x21, bytes([ECHO, 0, 0, 0]) + item(0x40, IMPLICIT.encode("ascii")))
        + item(0x50, information),
    )


REQUEST = associate_rq([context(ECHO, VERIFICATION, IMPLICIT)])
OUR_ACCEPT = accept(
    settings.ACCEPTOR_MAXIMUM_LENGTH,
    settings.IMPLEMENTATION_CLASS_UID,
    settings.IMPLEMENTATION_VERSION_NAME,
    b"ANY-SCP".ljust(16) + b"HOSTILE".ljust(16),
)
ACCEPT = accept(16384, "1.2.3", "PEER", b"ANY-SCP".ljust(16) + b"DIMSE".ljust(16))
REJECT = pdu(wire.A_ASSOCIATE_RJ, bytes([0, 1, 1, 7]))
RELEASE_RQ, RELEASE_RP = pdu(wire.A_RELEASE_RQ, bytes(4)), pdu(wire.A_RELEASE_RP, bytes(4))
ECHO_RQ = pdu(
    wire.P_DATA_TF,
    pdv(
        ECHO,
        3,
        wire.command_set(
            {
                wire.AFFECTED_SOP_CLASS_UID: ui(VERIFICATION),
                wire.COMMAND_FIELD: us(0x0030),
                wire.MESSAGE_ID: us(1),
                wire.COMMAND_DATA_SET_TYPE: us(wire.NO_DATA_SET),
            }
        ),
    ),
)
ECHO_RSP = pdu(
    wire.P_DATA_TF,
    pdv(
        ECHO,
        3,
        wire.command_set(
            {
                wire.AFFECTED_SOP_CLASS_UID: ui(VERIFICATION),
                wire.COMMAND_FIELD: us(0x8030),
                wire.MESSAGE_ID_BEING_RESPONDED_TO: us(1),
                wire.COMMAND_DATA_SET_TYPE: us(wire.NO_DATA_SET),
                wire.STATUS: us(0),
            }
        ),
    ),
)
PART_OF_A_COMMAND = pdu(wire.P_DATA_TF, pdv(ECHO, 1, b"\0\0"))
# By the service user: AA-1 and AA-7.
ABORT = bytes.fromhex("07000000000400000000")


def aborted_by_provider(reason: int) -> bytes:
    """Return the A-ABORT of AA-8; 1 is an unrecognized PDU, 2 an unexpected one, 6 an invalid parameter (PS3.8 Table 9-26)."""
    return bytes.fromhex("070000000004000002") + bytes([reason])


# What brings an event about, and the reason that AA-8 gives for it.
EVENTS: dict[str, list[tuple[bytes, int]]] = {
    "Evt3": [(ACCEPT, 2)],
    "Evt4": [(REJECT, 2)],
    "Evt6": [(REQUEST, 2)],
    "Evt10": [(ECHO_RQ, 2)],
    "Evt12": [(RELEASE_RQ, 2)],
    "Evt13": [(RELEASE_RP, 2)],
    "Evt16": [(pdu(wire.A_ABORT, bytes(4)), 0)],
    "Evt17": [(b"", 0)],
    "Evt18": [(b"", 0)],
    "Evt19": [(pdu(0xFF, bytes(4)), 1), (pdu(wire.A_RELEASE_RP, bytes(5)), 6)],
}
PDU_EVENTS = [event for event in EVENTS if event not in ("Evt17", "Evt18")]
CLOSED, ARTIM = "Evt17", "Evt18"

# ---- the ways into each state


@dataclass(frozen=True)
class Way:
    """The way in which a peer leads our side into a state.

    Attributes:
        steps: What it sends (bytes), and the type of the PDU that it then waits for (a number).
        passing: Our side leaves the state once it has taken in what has arrived: the PDU comes in one piece with the last step.
        echoes: Does our requestor echo before it releases?
    """

    steps: tuple[bytes | int, ...]
    passing: bool = False
    echoes: bool = True


ASSOCIATED = (REQUEST, wire.A_ASSOCIATE_AC)
WE_ECHO = (wire.A_ASSOCIATE_RQ, ACCEPT, wire.P_DATA_TF)
WE_RELEASE = (*WE_ECHO, ECHO_RSP, wire.A_RELEASE_RQ)
WAYS: dict[tuple[Side, str], Way] = {
    ("acceptor", "Sta2"): Way(()),
    ("acceptor", "Sta3"): Way((REQUEST,), passing=True),
    ("acceptor", "Sta6"): Way(ASSOCIATED),
    ("acceptor", "Sta8"): Way((*ASSOCIATED, RELEASE_RQ), passing=True),
    ("acceptor", "Sta13"): Way((*ASSOCIATED, RELEASE_RQ, wire.A_RELEASE_RP)),
    ("releasing acceptor", "Sta7"): Way((*ASSOCIATED, wire.A_RELEASE_RQ)),
    ("releasing acceptor", "Sta10"): Way((*ASSOCIATED, wire.A_RELEASE_RQ, RELEASE_RQ)),
    ("releasing acceptor", "Sta12"): Way((*ASSOCIATED, wire.A_RELEASE_RQ, RELEASE_RQ, RELEASE_RP), passing=True),
    ("releasing acceptor", "Sta13"): Way((*ASSOCIATED, wire.A_RELEASE_RQ, RELEASE_RQ, RELEASE_RP, wire.A_RELEASE_RP)),
    ("requestor", "Sta5"): Way((wire.A_ASSOCIATE_RQ,)),
    ("requestor", "Sta6"): Way(WE_ECHO),
    ("requestor", "Sta7"): Way(WE_RELEASE),
    ("requestor", "Sta8"): Way((*WE_ECHO, RELEASE_RQ), passing=True),
    ("requestor", "Sta9"): Way((*WE_RELEASE, RELEASE_RQ), passing=True),
    ("requestor", "Sta11"): Way((*WE_RELEASE, RELEASE_RQ, wire.A_RELEASE_RP)),
    ("requestor", "Sta13"): Way((wire.A_ASSOCIATE_RQ, ACCEPT + RELEASE_RQ, wire.A_RELEASE_RP), echoes=False),
}
STATES_WITH_A_CONNECTION = [f"Sta{number}" for number in (2, 3, *range(5, 14))]

# The cells that a peer has a hand in.
PEER_DRIVEN = [
    *((event, state) for event in PDU_EVENTS for state in STATES_WITH_A_CONNECTION),
    *((CLOSED, f"Sta{number}") for number in range(2, 14)),
    *((ARTIM, state) for state in ("Sta2", "Sta13")),
]

ANSWERED_AT_ONCE = (
    "our side answers in the same step in which it takes in what has led here, and sees the end after that"
)
UNREACHABLE = dict.fromkeys([(CLOSED, state) for state in ("Sta3", "Sta8", "Sta9", "Sta12")], ANSWERED_AT_ONCE)
# This has a test of its own: there is no connection yet.
BEFORE_CONNECTION = (CLOSED, "Sta4")

CELLS: list[tuple[Side, str, str, int]] = [
    (side, event, state, number)
    for event, state in PEER_DRIVEN
    for side, reached in WAYS
    if reached == state and (event, state) not in UNREACHABLE
    for number in range(len(EVENTS[event]))
]


def test_of_102_cells_98_are_reached() -> None:
    reached = {(event, state) for _, event, state, _ in CELLS} | {BEFORE_CONNECTION}
    assert len(PEER_DRIVEN) == len(set(PEER_DRIVEN)) == 102
    assert set(PEER_DRIVEN) <= TRANSCRIBED.keys()
    assert reached.isdisjoint(UNREACHABLE)
    assert reached | UNREACHABLE.keys() == set(PEER_DRIVEN)
    assert len(reached) == 98
    by_side = {side: len({(event, state) for it, event, state, _ in CELLS if it == side}) for side, _ in WAYS}
    assert by_side == {"acceptor": 45, "releasing acceptor": 36, "requestor": 62}


# ---- what comes back

# Our side closes, whatever the peer does.
CLOSES = {"AA-2", "AA-3", "AE-4", "AR-3"}

# What comes back, where that is the same for both roles. Where our local user answers at once, it is his answer.
ANSWERS = {
    **dict.fromkeys(("AA-1", "AA-7"), ABORT),
    **dict.fromkeys(("AA-2", "AA-3", "AA-4", "AA-5", "AA-6", "AE-4", "AR-3", "AR-5", "AR-6"), b""),
    "AE-3": ECHO_RQ,
    "AE-6": OUR_ACCEPT,
    "AR-2": RELEASE_RP,
    "AR-10": RELEASE_RP,
}

# What our requestor's user gets to know.
RAISES: dict[str, type[BaseException] | None] = {
    "AA-3": AssociationAborted,
    "AA-4": ConnectionLost,
    "AA-8": RemoteProtocolError,
    # After its echo, when the peer closes.
    "AE-3": ConnectionLost,
    "AE-4": AssociationRejected,
    # After its release, when the peer closes.
    "DT-2": ConnectionLost,
    "AR-2": AssociationReleased,
    "AR-6": ConnectionLost,
    "AR-8": ConnectionLost,
    **dict.fromkeys(("AR-3", "AR-5", "AA-2", "AA-6", "AA-7")),  # it is released
}


def answer(action: str, side: Side, reason: int) -> bytes:
    """Return all that our side sends when it performs this action."""
    if action == "AA-8":
        return aborted_by_provider(reason)
    if action == "DT-2":
        return RELEASE_RQ if side == "requestor" else ECHO_RSP
    if action == "AR-8":
        return RELEASE_RP if side == "requestor" else b""
    return ANSWERS[action]


def stimulus(side: Side, event: str, state: str, number: int) -> tuple[bytes, int]:
    """Return the bytes that bring the event about, and the reason of an A-ABORT for it."""
    sent, reason = EVENTS[event][number]
    if (event, state, side) == ("Evt10", "Sta6", "requestor"):
        return ECHO_RSP, reason
    if (event, state) == ("Evt10", "Sta7"):
        # Part of a command does not need an answer yet.
        return PART_OF_A_COMMAND, reason
    return sent, reason


# ---- our sides


class Acceptors:
    """A server of each face and patience, for all tests; what they have logged."""

    def __init__(self, resources: ExitStack) -> None:
        self.log = Lines()
        logging.getLogger("dimse").addHandler(self.log)
        resources.callback(logging.getLogger("dimse").removeHandler, self.log)
        self._resources = resources
        self._servers: dict[tuple[Face, dimse.Timeouts], int] = {}

    def port(self, face: Face, timeouts: dimse.Timeouts) -> int:
        """Return the port of the server on that face, started at the first call."""
        if (face, timeouts) not in self._servers:
            server = self._resources.enter_context(running(face, timeouts=timeouts))
            self._servers[face, timeouts] = server.address[1]
        return self._servers[face, timeouts]


class Lines(logging.Handler):
    """A handler that collects what is logged."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))


@pytest.fixture(scope="module")
def acceptors() -> Iterator[Acceptors]:
    with ExitStack() as resources:
        found = Acceptors(resources)
        yield found
    assert found.log.lines
    assert not [line for line in found.log.lines if "Traceback" in line or "is not possible in" in line]


@contextmanager
def in_a_thread(work: Callable[[], Any]) -> Iterator[list[BaseException]]:
    """Run our side; what it raised is known when the block is left."""
    raised: list[BaseException] = []

    def run() -> None:
        try:
            work()
        except BaseException as error:  # told to the test
            raised.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    yield raised
    thread.join(SECONDS)
    assert not thread.is_alive()


async def release_as_acceptor(driver: Driver, connection: socket.socket, timeouts: dimse.Timeouts) -> None:
    """Accept the association that is asked for, and release it."""
    upper = UpperLayer(requestor=False, maximum_length=settings.ACCEPTOR_MAXIMUM_LENGTH)
    upper.transport_opened()
    transport, buffer = driver.transport(connection), memoryview(bytearray(1 << 16))
    try:
        while not await transport.ready(READ, None):
            pass
        count = await transport.receive_some(buffer)
        (request,) = upper.receive(buffer[:count])
        assert isinstance(request, decoded.AssociateRQ)
        acceptor = Acceptor(contexts=[uids.Verification])
        association = await establishing.accept(
            Association, transport, upper, request, acceptor, timeouts, dimse.Handlers(), Buffers()
        )
        assert association is not None
        await association.release()
    finally:
        transport.close()


async def use(driver: Driver, port: int, timeouts: dimse.Timeouts, echoes: bool) -> None:
    """Use an association as our requestor."""
    contexts = [dimse.ProposedContext(uids.Verification, (IMPLICIT,))]
    async with await driver.associate(port, contexts, timeouts=timeouts) as association:
        if echoes:
            await association.echo()


@contextmanager
def led_by_a_peer(
    side: Side, face: Face, timeouts: dimse.Timeouts, echoes: bool, acceptors: Acceptors
) -> Iterator[tuple[Peer, list[BaseException]]]:
    """Connect a peer with our side; yield it, and the errors that our side has raised in the end."""
    driver = DRIVERS[face]
    if side == "acceptor":
        with Peer(socket.create_connection((LOOPBACK, acceptors.port(face, timeouts)), timeout=SECONDS)) as peer:
            yield peer, []
        return
    with socket.create_server((LOOPBACK, 0)) as listener:
        port = listener.getsockname()[1]
        if side == "requestor":
            with (
                in_a_thread(lambda: driver.run(use(driver, port, timeouts, echoes))) as raised,
                Peer(listener.accept()[0]) as peer,
            ):
                yield peer, raised
            return
        with socket.create_connection((LOOPBACK, port), timeout=SECONDS) as near:
            accepted, _ = listener.accept()
            with (
                in_a_thread(lambda: driver.run(release_as_acceptor(driver, accepted, timeouts))) as raised,
                Peer(near) as peer,
            ):
                yield peer, raised


class Peer:
    """The other side, made of bytes."""

    def __init__(self, connection: socket.socket) -> None:
        connection.settimeout(SECONDS)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket = connection

    def __enter__(self) -> Peer:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def lead(self, way: Way, then: bytes) -> None:
        """Lead the other side into the state, and send this."""
        for step in way.steps[: -1 if way.passing else None]:
            if isinstance(step, bytes):
                self._socket.sendall(step)
            else:
                header = self.read(6)
                assert header[0] == step, header
                self.read(int.from_bytes(header[2:], "big"))
        if way.passing:
            assert isinstance(way.steps[-1], bytes)
            then = way.steps[-1] + then
        if then:
            self._socket.sendall(then)

    def read(self, count: int) -> bytes:
        """Read so many bytes, or all until the end."""
        return self._socket.recv(count, socket.MSG_WAITALL) if count else b""

    def end(self) -> None:
        """End our direction."""
        self._socket.shutdown(socket.SHUT_WR)


@pytest.mark.sample("*-threads")
@pytest.mark.parametrize("face", DRIVERS)
@pytest.mark.parametrize(
    ("side", "event", "state", "number"),
    CELLS,
    ids=[f"{side}-{event}-{state}{'-invalid' * number}".replace(" ", "-") for side, event, state, number in CELLS],
)
def test_cell(side: Side, event: str, state: str, number: int, face: Face, acceptors: Acceptors) -> None:
    action, way = TRANSCRIBED[event, state], WAYS[side, state]
    sent, reason = stimulus(side, event, state, number)
    expected = answer(action, side, reason)
    timeouts = IMPATIENT if event == ARTIM else PATIENT
    with led_by_a_peer(side, face, timeouts, way.echoes, acceptors) as (peer, raised):
        peer.lead(way, sent)
        if action not in CLOSES:
            if event != CLOSED:
                assert peer.read(len(expected)) == expected
                expected = b""
            peer.end()
        assert peer.read(len(expected) + 1) == expected  # and the end
    if side == "requestor":
        wanted = RAISES[action]
        assert not raised if wanted is None else raised and isinstance(raised[0], wanted), raised
    assert all(isinstance(error, dimse.DimseError) and "is not possible in" not in str(error) for error in raised)


@pytest.mark.parametrize("driver", DRIVERS.values(), ids=DRIVERS)
def test_a_connection_that_does_not_come_about_is_told(driver: Driver) -> None:
    """The connection closes in Sta4 (Evt17): AA-4."""
    assert TRANSCRIBED[BEFORE_CONNECTION] == "AA-4"
    with socket.create_server((LOOPBACK, 0)) as listener:
        nobody = listener.getsockname()[1]
    with pytest.raises(ConnectError):
        driver.run(use(driver, nobody, PATIENT, echoes=True))


@pytest.mark.parametrize("face", DRIVERS)
def test_a_connection_that_breaks_under_the_answer_to_a_release_is_over(
    face: Face, monkeypatch: pytest.MonkeyPatch
) -> None:
    send_some = Transport.send_some

    def reset_first(transport: Transport, buffers: Sequence[bytes | memoryview]) -> int:
        if bytes(buffers[0]) == RELEASE_RP:
            scu.reset()
        return send_some(transport, buffers)

    monkeypatch.setattr(Transport, "send_some", reset_first)
    with running(face) as server:
        scu = HostileSCU(server.address[1])
        scu.associate()
        scu.send(RELEASE_RQ)
        deadline = time.monotonic() + SECONDS / 4
        while server.associations and time.monotonic() < deadline:
            os.sched_yield()
        assert server.associations == 0
