"""An association from its request to its end, against a peer that does what each test needs: on both drivers."""

from __future__ import annotations

import asyncio
import signal
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import dimse
from dimse import uids
from dimse.association import establishing
from dimse.association.pump import LINGER, Buffers
from dimse.errors import (
    AssociationAborted,
    AssociationRejected,
    AssociationReleased,
    ConnectError,
    ConnectionLost,
    DimseError,
    InvalidResponse,
    LocalProtocolError,
    NegotiationError,
    NotDicomPeer,
    OperationTimeout,
    ProviderAborted,
    RefusedContexts,
    RemoteProtocolError,
)
from dimse.message.command import CEchoRQ
from dimse.services import Association
from dimse.settings import Acceptor, Timeouts
from dimse.transport import READ, threaded
from tests.drivers import (
    ASYNCIO,
    BLOCKING,
    LOOPBACK,
    Driver,
    Instance,
    Received,
    in_the_callers_thread,
    make_instance,
    on_each_driver,
    open_descriptors,
    serving,
    silent,
    until_it_ends,
)
from tests.faulty_peer import (
    A_ABORT,
    A_ASSOCIATE_RJ,
    A_ASSOCIATE_RQ,
    A_RELEASE_RP,
    A_RELEASE_RQ,
    AFFECTED_SOP_CLASS_UID,
    AFFECTED_SOP_INSTANCE_UID,
    COMMAND_DATA_SET_TYPE,
    COMMAND_FIELD,
    ERROR_COMMENT,
    MESSAGE_ID,
    MESSAGE_ID_BEING_RESPONDED_TO,
    NO_DATA_SET,
    P_DATA_TF,
    STATUS,
    Connection,
    FaultyPeer,
    command_set,
    pdu,
    pdv,
    ui,
    us,
)

LONG = 30.0  # seconds: nothing here waits that long
SOON = 0.15  # seconds: a deadline that is to pass
AT_ONCE = 5.0  # seconds: far below LONG, whatever the machine

STORE_RSP, ECHO_RSP = 0x8001, 0x8030


@pytest.fixture
def large(tmp_path: Path) -> Instance:
    """More than the buffers of a connection hold."""
    return make_instance(tmp_path, pixels=12 << 20)


def timeouts(**changes: float) -> Timeouts:
    return Timeouts(**{"connect": LONG, "acse": LONG, "dimse": LONG, "network": LONG, **changes})


def serve(connection: Connection) -> None:
    connection.accept()
    connection.serve()


def request(command_field: int, context_id: int = 1, message_id: int = 7, data_set: bool = False, **uid: str) -> bytes:
    """The P-DATA-TF with a request of the peer's."""
    elements = {
        AFFECTED_SOP_CLASS_UID: ui(uid.get("sop_class", uids.Verification)),
        COMMAND_FIELD: us(command_field),
        MESSAGE_ID: us(message_id),
        COMMAND_DATA_SET_TYPE: us(1 if data_set else NO_DATA_SET),
    }
    if "sop_instance" in uid:
        elements |= {AFFECTED_SOP_INSTANCE_UID: ui(uid["sop_instance"]), 0x0700: us(0)}
    return pdu(P_DATA_TF, pdv(context_id, 3, command_set(elements)))


STORE_RQ = partial(request, 0x0001, 3, data_set=True, sop_class=uids.CTImageStorage, sop_instance="1.2.3")
ECHO_RQ = partial(request, 0x0030)


# --- from request to release ---


@on_each_driver
async def test_an_association_is_requested_used_and_released(driver: Driver) -> None:
    peer = FaultyPeer(serve)
    with peer as port:
        async with await driver.associate(port, called_ae_title="THEM", calling_ae_title="US") as association:
            assert association.peer.ae_title == "THEM"
            assert association.peer.implementation_version_name == "FAULTY_PEER"
            assert association.peer.address == (LOOPBACK, port)
            assert [context.accepted for context in association.contexts] == [True, True]
            assert association.connect_seconds > 0 and association.negotiate_seconds > 0
            assert await association.echo() == 0
        assert not association.open
        await association.release()  # again: nothing happens
        association.abort()
        with pytest.raises(AssociationReleased):
            await association.echo()
    [connection] = peer.connections
    assert connection.pdu_types == [A_ASSOCIATE_RQ, P_DATA_TF, A_RELEASE_RQ]
    assert connection.end == "FIN"
    assert connection.called_and_calling[:32] == b"THEM            US              "
    assert not connection.faults


@on_each_driver
async def test_without_limits_of_time_it_works_too(driver: Driver) -> None:
    with FaultyPeer(serve) as port:
        async with await driver.associate(port, timeouts=Timeouts(0, 0, 0, 0, 0)) as association:
            assert await association.echo() == 0


@on_each_driver
async def test_leaving_by_an_exception_aborts(driver: Driver) -> None:
    peer = FaultyPeer(serve)
    with peer as port:
        with pytest.raises(KeyError, match="mine"):
            async with await driver.associate(port) as association:
                raise KeyError("mine")
        assert not association.open
        with pytest.raises(AssociationAborted):
            await association.echo()
    [connection] = peer.connections
    assert connection.pdu_types == [A_ASSOCIATE_RQ, A_ABORT]
    assert connection.abort == (0, 0)


@on_each_driver
async def test_message_ids_count_up_and_begin_again_after_65535(driver: Driver) -> None:
    peer = FaultyPeer(serve)
    with peer as port:
        async with await driver.associate(port) as association:
            for _ in range(3):
                await association.echo()
            association._outstanding._last_message_id = 65_533
            for _ in range(4):
                await association.echo()
    ids = [int.from_bytes(message.elements[MESSAGE_ID], "little") for message in peer.connections[0].messages]
    assert ids == [1, 2, 3, 65_534, 65_535, 1, 2]


@on_each_driver
async def test_a_message_id_that_is_outstanding_is_not_used_again(driver: Driver) -> None:
    with FaultyPeer(serve) as port:
        async with await driver.associate(port) as association:
            context = association.context_for(uids.Verification)
            outstanding = CEchoRQ(message_id=1, affected_sop_class_uid=uids.Verification)
            await association.send_request(context, outstanding)
            association._outstanding._last_message_id = 0xFFFF
            assert association.next_message_id() == 2
            assert (await association.wait_response(outstanding)).status == 0


# --- requests that come to nothing ---


def answering(data: bytes) -> Callable[[Connection], None]:
    """What answers an association request with these bytes."""

    def behaviour(connection: Connection) -> None:
        connection.read_request()
        connection.send(data)
        until_it_ends(connection)

    return behaviour


def accepting(**arguments: Any) -> Callable[[Connection], None]:
    def behaviour(connection: Connection) -> None:
        connection.read_request()
        if "result" in arguments:
            arguments["contexts"] = connection.each(arguments.pop("result"))
        connection.send(connection.associate_ac(**arguments))
        until_it_ends(connection)

    return behaviour


def closing(connection: Connection) -> None:
    connection.read_request()
    connection.close()


NOT_REQUESTED = [
    pytest.param(
        answering(pdu(A_ASSOCIATE_RJ, bytes([0, 2, 3, 2]))),
        AssociationRejected,
        "Rejected Transient, Service Provider .Presentation., Local limit exceeded",
        None,
        id="rejected",
    ),
    pytest.param(answering(pdu(A_ABORT, bytes(4))), AssociationAborted, "by the DUL service-user", None, id="aborted"),
    pytest.param(closing, ConnectionLost, "Connection closed", None, id="closed"),
    pytest.param(
        answering(b"HTTP/1.1 400 Bad Request\r\n"),
        NotDicomPeer,
        "does not speak DICOM .it sent 'HTTP/1.1 400",
        (2, 1),
        id="HTTP",
    ),
    pytest.param(accepting(result=3), RefusedContexts, "No accepted presentation contexts", (0, 0), id="no context"),
    pytest.param(accepting(contexts=[]), RefusedContexts, "No accepted", (0, 0), id="contexts not mentioned"),
    pytest.param(
        # Superseded: the answer to a context that was not proposed is ignored, and the proposed ones may be unanswered.
        accepting(contexts=[(99, 0, uids.ImplicitVRLittleEndian)]),
        RefusedContexts,
        "No accepted presentation contexts",
        (0, 0),
        id="another context",
    ),
    pytest.param(
        # Superseded: it costs the context alone, and here there is no other one.
        accepting(contexts=[(1, 0, uids.ExplicitVRBigEndian + ".1")]),
        RefusedContexts,
        "No accepted presentation contexts",
        (0, 0),
        id="another transfer syntax",
    ),
    pytest.param(accepting(maximum_length=7), NegotiationError, "maximum length of 7 bytes", (0, 0), id="too short"),
    pytest.param(
        answering(pdu(0x02, bytes(67))), RemoteProtocolError, "length is not 68 to 262144 bytes", (2, 6), id="short AC"
    ),
    pytest.param(
        answering(pdu(A_RELEASE_RP, bytes(4))), RemoteProtocolError, "not allowed in this state", (2, 2), id="not yet"
    ),
]


@on_each_driver
@pytest.mark.parametrize(("behaviour", "error", "words", "abort"), NOT_REQUESTED)
async def test_a_request_that_is_not_accepted_says_why(
    driver: Driver,
    behaviour: Callable[[Connection], None],
    error: type[DimseError],
    words: str,
    abort: tuple[int, int] | None,
) -> None:
    before = open_descriptors()
    peer = FaultyPeer(behaviour)
    with peer as port, pytest.raises(error, match=words):
        await driver.associate(port, timeouts=timeouts())
    assert peer.connections[0].abort == abort
    assert not peer.connections[0].faults
    assert open_descriptors() == before


@on_each_driver
async def test_a_port_without_a_listener(driver: Driver) -> None:
    with FaultyPeer(serve) as port:
        pass
    with pytest.raises(ConnectError, match="Connection refused"):
        await driver.associate(port)


# --- deadlines ---


def never_answers_the_request(connection: Connection) -> None:
    connection.read_request()
    until_it_ends(connection)


def never_answers_the_release(connection: Connection) -> None:
    connection.accept()
    until_it_ends(connection)


def stops_within_its_response(connection: Connection) -> None:
    connection.accept()
    connection.send(connection.response(connection.read_message())[:20])
    until_it_ends(connection)


def stops_within_its_command_set(connection: Connection) -> None:
    connection.accept()
    whole = connection.response(connection.read_message())
    connection.send(pdu(P_DATA_TF, pdv(1, 1, whole[12:40])))
    until_it_ends(connection)


def dribbles_its_response(connection: Connection) -> None:
    connection.accept()
    connection.dribble(connection.response(connection.read_message()), 2.0)


def never_stops_sending(connection: Connection) -> None:
    connection.accept()
    connection.read_message()
    connection.send(STORE_RQ())
    block = pdu(P_DATA_TF, pdv(3, 0, bytes(16_000))) * 64
    while True:
        connection.send(block)


async def echo(association: Association) -> None:
    await association.echo()


async def release(association: Association) -> None:
    await association.release()


WAITS = [
    ("acse", "association request", never_answers_the_request, None, (0, 0)),
    ("acse", "release request", never_answers_the_release, release, (0, 0)),
    ("dimse", "message response", silent, echo, (0, 0)),
    ("network", "Network", stops_within_its_response, echo, (0, 0)),
    ("network", "Network", stops_within_its_command_set, echo, (0, 0)),
    ("dimse", "message response", dribbles_its_response, echo, None),
    ("dimse", "message response", never_stops_sending, echo, None),
    # A byte now and then keeps no PDU alive: it has the network time-out as a whole.
    ("network", "Network", dribbles_its_response, echo, None),
]


@pytest.mark.thorough
@on_each_driver
@pytest.mark.parametrize(
    ("wait", "words", "behaviour", "operation", "abort"),
    [pytest.param(*case, id=f"{case[0]}-{case[2].__name__}") for case in WAITS],
)
async def test_a_wait_that_passes_its_deadline_aborts_and_says_which(
    driver: Driver,
    wait: str,
    words: str,
    behaviour: Callable[[Connection], None],
    operation: Callable[[Association], Any] | None,
    abort: tuple[int, int] | None,
) -> None:
    peer = FaultyPeer(behaviour)
    with peer as port:
        started = time.monotonic()
        with pytest.raises(OperationTimeout, match=words) as raised:
            association = await driver.associate(port, timeouts=timeouts(**{wait: SOON}))
            assert operation is not None
            started = time.monotonic()
            await operation(association)
        assert SOON <= time.monotonic() - started < AT_ONCE
        assert raised.value.wait == wait
        assert isinstance(raised.value, TimeoutError)
    if abort:
        assert peer.connections[0].abort == abort


def stops_reading(connection: Connection) -> None:
    connection.accept()
    connection.read_pdu()
    connection.stall(LONG)


def sends_and_does_not_read(connection: Connection) -> None:
    connection.accept()
    connection.read_pdu()
    connection.send(STORE_RQ())
    block = pdu(P_DATA_TF, pdv(3, 0, bytes(16_000))) * 64
    while True:
        connection.send(block)


@pytest.mark.sample("stops_reading-*")
@on_each_driver
@pytest.mark.parametrize("behaviour", [stops_reading, sends_and_does_not_read], ids=lambda function: function.__name__)
async def test_a_peer_that_does_not_read_is_given_up_at_the_deadline(
    driver: Driver, behaviour: Callable[[Connection], None], large: Instance
) -> None:
    peer = FaultyPeer(behaviour)
    with peer as port:
        association = await driver.associate(port, timeouts=timeouts(network=SOON))
        started = time.monotonic()
        with pytest.raises(OperationTimeout, match="Network timeout reached") as raised:
            await association.store(large.path)
        assert SOON <= time.monotonic() - started < AT_ONCE
        assert raised.value.wait == "network"
        assert not association.open
    assert peer.connections[0].abort is None  # it would stand within a PDU
    assert not peer.connections[0].faults


@pytest.mark.thorough
@on_each_driver
async def test_a_slow_peer_that_keeps_reading_is_waited_for(driver: Driver, large: Instance) -> None:
    def reads_slowly(connection: Connection) -> None:
        connection.accept()
        while not connection.messages:
            connection.read_pdu()
            connection.stall(0.001)  # after each of 750 PDUs: longer in all than the network timeout
        connection.respond(connection.messages[0])
        connection.serve()

    with FaultyPeer(reads_slowly) as port:
        async with await driver.associate(port, timeouts=timeouts(network=0.5)) as association:
            started = time.monotonic()
            assert await association.store(large.path) == 0
            assert time.monotonic() - started > 0.5


# --- abort ---


def wait_until_sent(association: Association) -> None:
    """The peer may have a message before its sender knows that the last byte is gone: within a PDU it could not abort."""
    while association.pump.lifecycle.torn:
        pass


@on_each_driver
async def test_abort_from_another_thread_wakes_a_waiting_thread(driver: Driver) -> None:
    made: list[Association] = []

    def is_aborted_meanwhile(connection: Connection) -> None:
        connection.accept()
        connection.read_message()
        wait_until_sent(made[0])
        made[0].abort()  # this is the peer's thread
        made[0].abort()
        connection.drain()

    peer = FaultyPeer(is_aborted_meanwhile)
    with peer as port:
        association = await driver.associate(port, timeouts=timeouts())
        made.append(association)
        started = time.monotonic()
        with pytest.raises(AssociationAborted):
            await association.echo()
        assert time.monotonic() - started < AT_ONCE
        association.abort()
        assert not association.open
    assert peer.connections[0].abort == (0, 0)
    assert peer.connections[0].pdu_types == [A_ASSOCIATE_RQ, P_DATA_TF, A_ABORT]


@on_each_driver
async def test_abort_wakes_a_waiting_sender_and_puts_nothing_into_a_pdu(driver: Driver, large: Instance) -> None:
    made: list[Association] = []

    def is_aborted_meanwhile(connection: Connection) -> None:
        connection.accept(maximum_length=0)
        connection._take(1 << 20)  # the sender is in the midst of it, and blocked now or soon
        made[0].abort()

    peer = FaultyPeer(is_aborted_meanwhile)
    with peer as port:
        association = await driver.associate(port, timeouts=timeouts())
        made.append(association)
        with pytest.raises(AssociationAborted):
            await association.store(large.path)
    assert peer.connections[0].abort is None


def test_abort_from_another_task_wakes_a_waiting_task() -> None:
    loops: list[asyncio.AbstractEventLoop] = []
    aborting: list[Callable[[], None]] = []

    def is_aborted_meanwhile(connection: Connection) -> None:
        connection.accept()
        connection.read_message()
        loops[0].call_soon_threadsafe(aborting[0])
        connection.drain()

    async def scenario(port: int) -> None:
        association = await ASYNCIO.associate(port, timeouts=timeouts())
        loops.append(asyncio.get_running_loop())
        aborting.append(association.abort)
        with pytest.raises(AssociationAborted):
            await association.echo()

    peer = FaultyPeer(is_aborted_meanwhile)
    with peer as port:
        asyncio.run(scenario(port))
    assert peer.connections[0].abort == (0, 0)


# --- one operation at a time ---


@on_each_driver
async def test_a_second_operation_is_refused_and_the_first_goes_on(driver: Driver) -> None:
    made: list[Association] = []
    refused: list[BaseException] = []

    def asks_for_another_meanwhile(connection: Connection) -> None:
        connection.accept()
        message = connection.read_message()
        for operation in (made[0].echo, made[0].release, made[0].serve):
            with pytest.raises(LocalProtocolError, match="another operation is under way") as raised:
                threaded.run(operation())
            refused.append(raised.value)
        connection.respond(message)
        connection.serve()

    peer = FaultyPeer(asks_for_another_meanwhile)
    with peer as port:
        async with await driver.associate(port) as association:
            made.append(association)
            assert await association.echo() == 0
            assert await association.echo() == 0
    assert len(refused) == 3
    assert peer.connections[0].pdu_types == [A_ASSOCIATE_RQ, P_DATA_TF, P_DATA_TF, A_RELEASE_RQ]


def test_of_two_tasks_the_second_is_refused() -> None:
    refused = threading.Event()

    def answers_later(connection: Connection) -> None:
        connection.accept()
        message = connection.read_message()
        refused.wait()
        connection.respond(message)
        connection.serve()

    async def scenario(port: int) -> None:
        async with await ASYNCIO.associate(port) as association:
            first = asyncio.create_task(association.echo())
            await asyncio.sleep(0)  # its turn
            with pytest.raises(LocalProtocolError, match="another operation is under way"):
                await association.echo()
            refused.set()
            assert await first == 0

    with FaultyPeer(answers_later) as port:
        asyncio.run(scenario(port))


# --- the peer ends it ---


@on_each_driver
async def test_a_peer_that_releases_instead_of_answering_gets_its_confirmation(driver: Driver) -> None:
    def releases(connection: Connection) -> None:
        connection.accept()
        connection.read_message()
        connection.send_release_request()
        assert connection.read_pdu()[0] == A_RELEASE_RP
        connection.close()

    peer = FaultyPeer(releases)
    with peer as port:
        association = await driver.associate(port, timeouts=timeouts())
        with pytest.raises(AssociationReleased, match="instead of responding"):
            await association.echo()
        with pytest.raises(AssociationReleased):
            await association.echo()
        await association.release()
    assert peer.connections[0].pdu_types == [A_ASSOCIATE_RQ, P_DATA_TF, A_RELEASE_RP]


@on_each_driver
async def test_both_sides_release_at_once(driver: Driver) -> None:
    def collides(connection: Connection) -> None:
        connection.accept()
        assert connection.read_pdu()[0] == A_RELEASE_RQ
        connection.send_release_request()
        assert connection.read_pdu()[0] == A_RELEASE_RP  # the requestor is the first to confirm (PS3.8 9.2, Sta9)
        connection.send_release_response()

    peer = FaultyPeer(collides)
    with peer as port:
        async with await driver.associate(port, timeouts=timeouts()):
            pass
    assert peer.connections[0].end == "FIN"
    assert peer.connections[0].abort is None


@on_each_driver
async def test_an_acceptor_releases_and_collides(driver: Driver) -> None:
    """Sta10, Sta12: the acceptor confirms after the requestor did, and waits for it to close."""
    with serving() as port:
        requesting = await BLOCKING.associate(port)  # made for its A-ASSOCIATE-RQ
        proposal = requesting.pump.upper_layer._primitive
        await requesting.release()
    assert proposal is not None
    from dimse.upper_layer.pdu import AssociateRQ, encode
    from dimse.upper_layer.provider import UpperLayer
    from tests.transport.test_transport import connected

    async with connected(driver) as (transport, other):
        upper = UpperLayer(requestor=False, maximum_length=131072)
        upper.transport_opened()
        [request] = upper.receive(memoryview(encode(proposal)))
        assert isinstance(request, AssociateRQ)
        acceptor = Acceptor(frozenset([uids.Verification]))
        accepted = await establishing.accept(
            Association, transport, upper, request, acceptor, timeouts(), dimse.Handlers(), Buffers()
        )
        assert accepted is not None
        answered: list[bytes] = []

        def requestor() -> None:
            received = b""
            while not received.endswith(pdu(A_RELEASE_RQ, bytes(4))):
                received += other.recv(65536)
            other.sendall(pdu(A_RELEASE_RQ, bytes(4)) + pdu(A_RELEASE_RP, bytes(4)))
            answered.append(other.recv(65536))
            other.close()

        thread = threading.Thread(target=requestor)
        thread.start()
        await accepted.release()
        thread.join()
        assert answered == [pdu(A_RELEASE_RP, bytes(4))]


def talks_back(last: Callable[[Connection], None]) -> Callable[[Connection], None]:
    """A peer that has had enough in the midst of a long data set: it reads no more."""

    def behaviour(connection: Connection) -> None:
        connection.accept()
        connection.read_pdu()
        last(connection)

    return behaviour


def aborts_and_stays(connection: Connection, source: int, reason: int) -> None:
    connection.send_abort(source, reason)
    connection.stall(LONG)


def aborts_and_resets(connection: Connection) -> None:
    connection.send_abort()
    connection.close()  # with bytes unread, which is a reset


MIDST = [
    pytest.param(partial(aborts_and_stays, source=0, reason=0), AssociationAborted, "service-user", id="A-ABORT"),
    pytest.param(
        partial(aborts_and_stays, source=2, reason=6), ProviderAborted, "Invalid PDU parameter", id="A-P-ABORT"
    ),
    pytest.param(aborts_and_resets, AssociationAborted, "service-user", id="A-ABORT and reset"),
    pytest.param(Connection.close, ConnectionLost, "Connection closed", id="closes"),
    pytest.param(Connection.reset, ConnectionLost, "Connection closed", id="resets"),
    pytest.param(lambda peer: peer.send(pdu(0x99, b"?")), RemoteProtocolError, "PDU type 99H", id="unknown PDU"),
]


@pytest.mark.sample("A-ABORT-*", "unknown PDU-*")
@on_each_driver
@pytest.mark.parametrize(("last", "error", "words"), MIDST)
async def test_what_the_peer_says_in_the_midst_of_a_long_message_is_seen_at_once(
    driver: Driver, last: Callable[[Connection], None], error: type[DimseError], words: str, large: Instance
) -> None:
    peer = FaultyPeer(talks_back(last))
    with peer as port:
        association = await driver.associate(port, timeouts=timeouts())
        started = time.monotonic()
        with pytest.raises(error, match=words) as raised:
            await association.store(large.path)
        assert time.monotonic() - started < AT_ONCE
        assert type(raised.value) is error
        with pytest.raises(error):
            await association.echo()
    assert peer.connections[0].abort is None  # none within a PDU
    assert not bytes(peer.connections[0]._received).endswith(pdu(A_ABORT, bytes([0, 0, 2, 1])))


@on_each_driver
async def test_a_peer_that_vanishes_before_an_operation_is_noticed(driver: Driver) -> None:
    def vanishes(connection: Connection) -> None:
        connection.accept()
        connection.read_message()
        connection.respond(connection.messages[0])
        connection.send_abort(2, 0)
        connection.close()

    with FaultyPeer(vanishes) as port:
        association = await driver.associate(port)
        assert await association.echo() == 0  # the answer came before the end, and counts
        with pytest.raises(ProviderAborted):
            await association.echo()
        await association.release()


# --- interrupted ---


def from_a_thread(call: Callable[[], object]) -> Callable[[], None]:
    """What has `call` called on the running loop."""
    loop = asyncio.get_running_loop()

    def ask() -> None:
        loop.call_soon_threadsafe(call)

    return ask


def test_a_task_cancelled_within_a_pdu_says_no_more(large: Instance) -> None:
    cancel: list[Callable[[], None]] = []
    cancelled = threading.Event()
    stream = bytearray()

    def reads_a_part_and_cancels(connection: Connection) -> None:
        connection.accept(maximum_length=0)
        stream.extend(connection._take(1 << 20))
        cancel[0]()
        cancelled.wait()
        while data := connection.socket.recv(1 << 20):
            stream.extend(data)
        connection.close()

    async def scenario(port: int) -> None:
        association = await ASYNCIO.associate(port, timeouts=timeouts())
        task = asyncio.create_task(association.store(large.path))
        cancel.append(from_a_thread(task.cancel))
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not association.open
        with pytest.raises(AssociationAborted):
            await association.echo()
        cancelled.set()

    with FaultyPeer(reads_a_part_and_cancels) as port:
        asyncio.run(scenario(port))
    rest = bytes(stream)
    while len(rest) >= 6 and len(rest) >= 6 + int.from_bytes(rest[2:6]):
        assert rest[0] == P_DATA_TF
        rest = rest[6 + int.from_bytes(rest[2:6]) :]
    assert not rest.endswith(pdu(A_ABORT, bytes(4)))
    assert len(stream) < len(large.data_set)


def cancelled_by(connection: Connection, cancel: list[Callable[[], None]]) -> None:
    cancel[0]()
    connection.drain()


def test_a_task_cancelled_between_pdus_aborts() -> None:
    cancel: list[Callable[[], None]] = []  # runs on the loop, where the message has been sent by then

    def cancels(connection: Connection) -> None:
        connection.accept()
        connection.read_message()
        cancelled_by(connection, cancel)

    async def scenario(port: int) -> None:
        association = await ASYNCIO.associate(port, timeouts=timeouts())
        task = asyncio.create_task(association.echo())
        cancel.append(from_a_thread(task.cancel))
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not association.open

    peer = FaultyPeer(cancels)
    with peer as port:
        asyncio.run(scenario(port))
    assert peer.connections[0].abort == (0, 0)


def test_a_task_cancelled_while_it_asks_for_an_association_leaves_nothing_open() -> None:
    cancel: list[Callable[[], None]] = []

    def cancels(connection: Connection) -> None:
        connection.read_request()
        cancelled_by(connection, cancel)

    async def scenario(port: int) -> None:
        task = asyncio.create_task(ASYNCIO.associate(port, timeouts=timeouts()))
        cancel.append(from_a_thread(task.cancel))
        with pytest.raises(asyncio.CancelledError):
            await task

    before = open_descriptors()
    peer = FaultyPeer(cancels)
    with peer as port:
        asyncio.run(scenario(port))
    assert peer.connections[0].abort == (0, 0)
    assert open_descriptors() == before


@in_the_callers_thread
def test_an_interrupt_from_the_keyboard_aborts(driver: Driver) -> None:
    user = threading.main_thread().ident
    assert user is not None
    made: list[Association] = []

    def presses_control_c(connection: Connection) -> None:
        connection.accept()
        connection.read_message()
        wait_until_sent(made[0])
        signal.pthread_kill(user, signal.SIGINT)
        connection.drain()

    async def scenario(port: int) -> None:
        async with await driver.associate(port, timeouts=timeouts()) as association:
            made.append(association)
            await association.echo()

    peer = FaultyPeer(presses_control_c)
    with peer as port, pytest.raises(KeyboardInterrupt):
        driver.run(scenario(port))
    assert peer.connections[0].abort == (0, 0)
    assert peer.connections[0].pdu_types == [A_ASSOCIATE_RQ, P_DATA_TF, A_ABORT]


# --- responses that are none ---

LIES: list[tuple[str, dict[str, Any], str]] = [
    ("another message ID", {"changes": {MESSAGE_ID_BEING_RESPONDED_TO: us(2)}}, "answers message ID 2"),
    ("another command", {"changes": {COMMAND_FIELD: us(0x8030)}}, "it is a C-ECHO-RSP"),
    ("another context", {"context_id": 1}, "presentation context 1, not 3"),
    ("no status", {"changes": {STATUS: None}}, "no status"),
    ("no message ID", {"changes": {MESSAGE_ID_BEING_RESPONDED_TO: None}}, "no message_id_being_responded_to"),
    ("another class", {"changes": {AFFECTED_SOP_CLASS_UID: ui("1.2")}}, "affected sop class uid is '1.2'"),
    ("another instance", {"changes": {AFFECTED_SOP_INSTANCE_UID: ui("1.2")}}, "affected sop instance uid is '1.2'"),
    ("a data set", {"changes": {COMMAND_DATA_SET_TYPE: us(0)}}, "a data set where none is due"),
    ("no command that exists", {"changes": {COMMAND_FIELD: us(0x8999)}}, "unknown command field 0x8999"),
]


@on_each_driver
@pytest.mark.parametrize(("arguments", "why"), [pytest.param(*lie[1:], id=lie[0]) for lie in LIES])
async def test_what_is_no_response_is_not_taken_for_one(
    driver: Driver, arguments: dict[str, Any], why: str, tmp_path: Path
) -> None:
    def lies(connection: Connection) -> None:
        connection.accept()
        connection.respond(connection.read_message(), **arguments)
        connection.send(pdu(P_DATA_TF, pdv(3, 2, b"")) if why.startswith("a data set") else b"")
        until_it_ends(connection)

    peer = FaultyPeer(lies)
    with peer as port:
        association = await driver.associate(port, timeouts=timeouts())
        with pytest.raises(InvalidResponse, match=why) as raised:
            await association.store(make_instance(tmp_path).path)
        assert raised.value.awaited == "C-STORE"
        assert not association.open
    assert peer.connections[0].abort == (0, 0)


@on_each_driver
async def test_a_second_response_to_one_request_is_invalid(driver: Driver) -> None:
    def answers_twice(connection: Connection) -> None:
        connection.accept()
        response = connection.response(connection.read_message())
        connection.send(response + response)
        until_it_ends(connection)

    peer = FaultyPeer(answers_twice)
    with peer as port:
        association = await driver.associate(port, timeouts=timeouts())
        with pytest.raises(InvalidResponse, match=r"second response|which is not outstanding"):
            await association.echo()
            await association.echo()
    assert peer.connections[0].abort == (0, 0)


@on_each_driver
async def test_a_response_without_a_request_is_invalid(driver: Driver) -> None:
    def speaks_first(connection: Connection) -> None:
        connection.accept()
        elements = {COMMAND_FIELD: us(ECHO_RSP), MESSAGE_ID_BEING_RESPONDED_TO: us(1), STATUS: us(0)}
        command = command_set({**elements, COMMAND_DATA_SET_TYPE: us(NO_DATA_SET)})
        connection.send(pdu(P_DATA_TF, pdv(1, 3, command)))
        until_it_ends(connection)

    with FaultyPeer(speaks_first) as port, pytest.raises(InvalidResponse, match="Received an invalid DIMSE response"):
        association = await driver.associate(port, timeouts=timeouts())
        await association.serve()


@on_each_driver
@pytest.mark.parametrize(
    ("data", "words", "abort"),
    [
        pytest.param(ECHO_RQ(5), "presentation context 5, which was not accepted", (0, 0), id="unknown context"),
        pytest.param(pdu(P_DATA_TF, pdv(1, 2, b"x")), "a data set fragment", (0, 0), id="data set without command"),
        pytest.param(pdu(P_DATA_TF, pdv(1, 3, b"x" * 20)), "command", (0, 0), id="broken command set"),
        pytest.param(pdu(P_DATA_TF, pdv(1, 3, b"x", 99)), "does not fit its PDU", (2, 6), id="PDV too long"),
        pytest.param(pdu(P_DATA_TF, b"", 16_383), "16382 were announced", (2, 6), id="PDU too long"),
        pytest.param(pdu(0x99, b""), "PDU type 99H", (2, 1), id="unknown PDU"),
        pytest.param(pdu(A_RELEASE_RP, bytes(4)), "not allowed in this state", (2, 2), id="unexpected PDU"),
    ],
)
async def test_a_peer_that_breaks_the_protocol_is_aborted(
    driver: Driver, data: bytes, words: str, abort: tuple[int, int]
) -> None:
    def breaks_it(connection: Connection) -> None:
        connection.accept()
        connection.read_message()
        connection.send(data)
        until_it_ends(connection)

    peer = FaultyPeer(breaks_it)
    with peer as port:
        association = await driver.associate(port, timeouts=timeouts())
        with pytest.raises(RemoteProtocolError, match=words):
            await association.echo()
        assert not association.open
    assert peer.connections[0].abort == abort


# --- what the peer asks meanwhile ---


def statuses(connection: Connection) -> list[tuple[int, int]]:
    """Command field and status of each response of ours."""
    return [
        (message.command_field, int.from_bytes(message.elements[STATUS], "little"))
        for message in connection.messages
        if message.command_field & 0x8000
    ]


def asks_meanwhile(*requests: bytes) -> Callable[[Connection], None]:
    """Ask before answering what was asked first."""

    def behaviour(connection: Connection) -> None:
        connection.accept()
        asked = connection.read_message()
        for data in requests:
            connection.send(data)
            connection.read_message()
        connection.respond(asked)
        connection.serve()

    return behaviour


@on_each_driver
async def test_a_request_of_the_peers_is_answered_while_a_response_is_awaited(driver: Driver) -> None:
    asked = []

    def answer(request: dimse.EchoRequest) -> int:
        asked.append((request.message_id, request.context.abstract_syntax))
        return 0x0122

    peer = FaultyPeer(asks_meanwhile(ECHO_RQ(message_id=7), ECHO_RQ(message_id=8)))
    with peer as port:
        async with await driver.associate(port, handlers=dimse.Handlers(echo=answer)) as association:
            assert await association.echo() == 0
    assert asked == [(7, uids.Verification), (8, uids.Verification)]
    assert statuses(peer.connections[0]) == [(ECHO_RSP, 0x0122)] * 2


@on_each_driver
async def test_without_handlers_a_request_of_the_peers_is_refused(driver: Driver) -> None:
    store = STORE_RQ() + pdu(P_DATA_TF, pdv(3, 2, b"data set"))
    peer = FaultyPeer(asks_meanwhile(ECHO_RQ(), store))
    with peer as port:
        async with await driver.associate(port) as association:
            assert await association.echo() == 0
    assert statuses(peer.connections[0]) == [(ECHO_RSP, 0x0211), (STORE_RSP, 0x0211)]


@on_each_driver
async def test_an_instance_that_comes_meanwhile_is_stored(driver: Driver) -> None:
    received = Received()
    data = bytes(range(256)) * 100
    store = STORE_RQ() + b"".join(
        pdu(P_DATA_TF, pdv(3, 2 if start == 20_000 else 0, data[start : start + 10_000]))
        for start in range(0, 30_000, 10_000)
    )
    peer = FaultyPeer(asks_meanwhile(store))
    with peer as port:
        async with await driver.associate(port, handlers=received.handlers) as association:
            assert await association.echo() == 0
    assert received.data_sets == {"1.2.3": data}
    assert statuses(peer.connections[0]) == [(STORE_RSP, 0)]


@on_each_driver
async def test_a_request_that_comes_in_the_midst_of_a_long_message_is_answered_after_it(
    driver: Driver, large: Instance
) -> None:
    def asks_in_the_midst(connection: Connection) -> None:
        connection.accept()
        connection.read_pdu()
        connection.send(ECHO_RQ())
        store = connection.read_message()
        connection.read_message()
        connection.respond(store)
        connection.serve()

    peer = FaultyPeer(asks_in_the_midst)
    with peer as port:
        async with await driver.associate(port, handlers=dimse.Handlers()) as association:
            assert await association.store(large.path) == 0
    assert [message.command_field for message in peer.connections[0].messages] == [0x0001, ECHO_RSP]
    assert peer.connections[0].messages[0].data_set_length == len(large.data_set)
    assert not peer.connections[0].faults


@on_each_driver
async def test_a_message_that_does_not_exist_is_refused_in_its_own_terms(driver: Driver) -> None:
    def asks_nonsense(connection: Connection) -> None:
        connection.accept()
        connection.send(request(0x0077, data_set=True) + pdu(P_DATA_TF, pdv(1, 2, b"whatever")))
        connection.read_message()
        connection.send_release_request()
        connection.read_pdu()
        connection.close()

    peer = FaultyPeer(asks_nonsense)
    with peer as port:
        async with await driver.associate(port, handlers=dimse.Handlers()) as association:
            await association.serve()
    assert statuses(peer.connections[0]) == [(0x8077, 0x0211)]
    assert b"0x0077" in peer.connections[0].messages[0].elements[ERROR_COMMENT]
    assert peer.connections[0].pdu_types == [A_ASSOCIATE_RQ, P_DATA_TF, A_RELEASE_RP]


@on_each_driver
async def test_requests_are_not_collected_without_bound(driver: Driver, large: Instance) -> None:
    def asks_and_asks(connection: Connection) -> None:
        connection.accept()
        connection.read_pdu()
        while True:
            connection.send(ECHO_RQ() * 100)

    peer = FaultyPeer(asks_and_asks)
    with peer as port:
        association = await driver.associate(port, timeouts=timeouts(network=SOON), handlers=dimse.Handlers())
        with pytest.raises((OperationTimeout, RemoteProtocolError)):
            await association.store(large.path)
        assert len(association._inbox.requests) <= 128


@on_each_driver
async def test_serve_answers_until_its_time_is_over(driver: Driver) -> None:
    def asks(connection: Connection) -> None:
        connection.accept()
        connection.send(ECHO_RQ())
        connection.read_message()
        connection.serve()

    peer = FaultyPeer(asks)
    with peer as port:
        async with await driver.associate(port, handlers=dimse.Handlers(), timeouts=timeouts()) as association:
            started = time.monotonic()
            await association.serve(timeout=SOON)
            assert SOON <= time.monotonic() - started < AT_ONCE
            assert await association.echo() == 0
    assert statuses(peer.connections[0]) == [(ECHO_RSP, 0)]


@on_each_driver
async def test_serve_ends_at_its_time_in_the_midst_of_a_message(driver: Driver) -> None:
    def goes_on_later(connection: Connection) -> None:
        connection.accept()
        connection.send(ECHO_RQ()[:30])
        asked = connection.read_message()
        connection.send(ECHO_RQ()[30:])
        connection.read_message()
        connection.respond(asked)
        connection.serve()

    peer = FaultyPeer(goes_on_later)
    with peer as port:
        async with await driver.associate(port, handlers=dimse.Handlers(), timeouts=timeouts()) as association:
            await association.serve(timeout=SOON)
            assert await association.echo() == 0
    assert statuses(peer.connections[0]) == [(ECHO_RSP, 0)]


@on_each_driver
async def test_a_handler_may_abort_its_own_association(driver: Driver) -> None:
    made: list[Association] = []

    def abort(_: dimse.EchoRequest) -> int:
        made[0].abort()
        return 0

    peer = FaultyPeer(asks_meanwhile(ECHO_RQ()))
    with peer as port:
        association = await driver.associate(port, handlers=dimse.Handlers(echo=abort), timeouts=timeouts())
        made.append(association)
        with pytest.raises(AssociationAborted):
            await association.echo()
    assert peer.connections[0].abort == (0, 0)


def test_an_aborting_side_waits_only_a_moment_for_the_peer_to_close() -> None:
    with FaultyPeer(silent) as port:
        association = BLOCKING.run(BLOCKING.associate(port, timeouts=timeouts(dimse=SOON)))
        started = time.monotonic()
        with pytest.raises(OperationTimeout):
            BLOCKING.run(association.echo())
        assert time.monotonic() - started < SOON + LINGER + AT_ONCE


@on_each_driver
async def test_a_release_whose_response_cannot_be_sent_any_more_ends(
    driver: Driver, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried, gone = threading.Event(), threading.Event()

    def releases_and_is_gone(connection: Connection) -> None:
        connection.accept()
        connection.send_release_request()
        tried.wait()
        connection.close()
        gone.set()

    def broken(_: object) -> int:
        tried.set()
        gone.wait()
        raise ConnectionLost("Connection closed while sending: Broken pipe")

    with FaultyPeer(releases_and_is_gone) as port:
        association = await driver.associate(port)
        if not association.pump.lifecycle.release_asked:  # it did not come with the answer to ours
            await association.pump.transport.ready(READ, None)
        # What the system says when the peer's reset has come in between: sending fails, receiving is at its end for ever.
        monkeypatch.setattr(association.pump.transport, "send_some", broken)
        with pytest.raises(ConnectionLost):
            await association.release()
