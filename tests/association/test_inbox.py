"""The requests of a peer that arrive while an operation of ours is under way, on each driver."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest

import dimse
from dimse import uids
from dimse.association.pump import LINGER
from dimse.errors import (
    AssociationAborted,
    ConnectionLost,
    OperationTimeout,
    RemoteProtocolError,
)
from dimse.services import Association
from dimse.transport import READ
from tests.association.peers import (
    AT_ONCE,
    ECHO_RQ,
    ECHO_RSP,
    SOON,
    STORE_RQ,
    STORE_RSP,
    request,
    timeouts,
)
from tests.drivers import (
    BLOCKING,
    Driver,
    Instance,
    Received,
    on_each_driver,
    silent,
)
from tests.faulty_peer import (
    A_ASSOCIATE_RQ,
    A_RELEASE_RP,
    ERROR_COMMENT,
    P_DATA_TF,
    STATUS,
    Connection,
    FaultyPeer,
    pdu,
    pdv,
)

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
        # It did not come with the answer to ours.
        if not association.pump.lifecycle.release_asked:
            await association.pump.transport.ready(READ, None)
        # What the system says when the peer's reset has come in between: sending fails, receiving is at its end for ever.
        monkeypatch.setattr(association.pump.transport, "send_some", broken)
        with pytest.raises(ConnectionLost):
            await association.release()
