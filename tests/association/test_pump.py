"""The deadlines of an association, its abort by us, and one operation at a time, on each driver."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import pytest

from dimse.errors import (
    AssociationAborted,
    LocalProtocolError,
    OperationTimeout,
)
from dimse.services import Association
from dimse.transport import threaded
from tests.association.peers import (
    AT_ONCE,
    LONG,
    SOON,
    STORE_RQ,
    timeouts,
    wait_until_sent,
)
from tests.drivers import (
    ASYNCIO,
    BLOCKING,
    SERVED,
    Driver,
    Instance,
    on_each_driver,
    silent,
    until_it_ends,
)
from tests.faulty_peer import (
    A_ABORT,
    A_ASSOCIATE_RQ,
    A_RELEASE_RQ,
    P_DATA_TF,
    Connection,
    FaultyPeer,
    pdu,
    pdv,
)

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
            # After each of 750 PDUs: in all that is longer than the network timeout.
            connection.stall(0.001)
        connection.respond(connection.messages[0])
        connection.serve()

    with FaultyPeer(reads_slowly) as port:
        async with await driver.associate(port, timeouts=timeouts(network=0.5)) as association:
            started = time.monotonic()
            assert await association.store(large.path) == 0
            assert time.monotonic() - started > 0.5


# --- abort ---


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
        # The sender is in the midst of it, and blocked now or soon.
        connection._take(1 << 20)
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


@pytest.mark.parametrize("driver", [BLOCKING, SERVED], ids=lambda driver: driver.name)
def test_a_second_operation_is_refused_and_the_first_goes_on(driver: Driver) -> None:
    """On an event loop it waits instead: `tests/services/test_turns.py`."""
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

        async def scenario() -> None:
            async with await driver.associate(port) as association:
                made.append(association)
                assert await association.echo() == 0
                assert await association.echo() == 0

        driver.run(scenario())
    assert len(refused) == 3
    assert peer.connections[0].pdu_types == [A_ASSOCIATE_RQ, P_DATA_TF, P_DATA_TF, A_RELEASE_RQ]
