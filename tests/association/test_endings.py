"""The ends of an association that come from the peer or from an interrupted caller, on each driver."""

from __future__ import annotations

import asyncio
import gc
import signal
import threading
import time
from collections.abc import Callable
from functools import partial

import pytest

import dimse
from dimse import uids
from dimse.association import establishing
from dimse.association.pump import Buffers
from dimse.errors import (
    AssociationAborted,
    AssociationReleased,
    ConnectionLost,
    DimseError,
    ProviderAborted,
    RemoteProtocolError,
)
from dimse.services import Association
from dimse.settings import Acceptor
from tests.association.peers import (
    AT_ONCE,
    LONG,
    timeouts,
    wait_until_sent,
)
from tests.drivers import (
    ASYNCIO,
    BLOCKING,
    Driver,
    Instance,
    in_the_callers_thread,
    on_each_driver,
    open_descriptors,
    serving,
)
from tests.faulty_peer import (
    A_ABORT,
    A_ASSOCIATE_RQ,
    A_RELEASE_RP,
    A_RELEASE_RQ,
    P_DATA_TF,
    Connection,
    FaultyPeer,
    pdu,
)

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
        # The requestor is the first to confirm (PS3.8 9.2, Sta9).
        assert connection.read_pdu()[0] == A_RELEASE_RP
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
    """Return a peer that reads no more in the midst of a long data set."""

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
    # Bytes are unread, which makes it a reset.
    connection.close()


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
        # The answer came before the end, and counts.
        assert await association.echo() == 0
        with pytest.raises(ProviderAborted):
            await association.echo()
        await association.release()


# --- interrupted ---


def from_a_thread(call: Callable[[], object]) -> Callable[[], None]:
    """Return a function that has the running loop call `call`."""
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
    # It runs on the loop, where the message has been sent by then.
    cancel: list[Callable[[], None]] = []

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

    # So that nothing that an earlier test has left is closed meanwhile.
    gc.collect()
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
