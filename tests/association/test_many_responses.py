"""Requests with many responses: a C-FIND of 10,000 matches, its cancels, and peers that answer wrong, on every driver."""

from __future__ import annotations

import logging
import threading
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from dimse import uids
from dimse.association.outstanding import MOST_WAITING
from dimse.association.sinks import MemorySink
from dimse.errors import InvalidResponse, LocalProtocolError, OperationTimeout
from dimse.message.command import (
    CEchoRQ,
    CFindRQ,
)
from dimse.services import Association
from dimse.settings import Timeouts
from tests.association.conversations import (
    A_FEW,
    CANCELLED,
    FIND,
    LONG,
    MANY,
    PENDING,
    SCP,
    SOON,
    SUCCESS,
    accepting,
    asking,
    associated,
    find,
    identifier,
)
from tests.drivers import (
    Driver,
    Face,
    on_both_faces,
    on_each_driver,
    until_it_ends,
)
from tests.faulty_peer import (
    COMMAND_DATA_SET_TYPE,
    P_DATA_TF,
    Connection,
    FaultyPeer,
    Message,
    pdu,
    pdv,
    us,
)

# --- many responses ---


@pytest.mark.thorough
@on_both_faces
@on_each_driver
async def test_ten_thousand_pending_responses_arrive_in_order(driver: Driver, face: Face) -> None:
    with accepting(face, SCP(MANY)) as server:
        async with await associated(driver, server) as association:
            assert await find(association) == (list(range(MANY)), SUCCESS)


@on_both_faces
@on_each_driver
async def test_pending_responses_arrive_with_their_identifiers(driver: Driver, face: Face) -> None:
    with accepting(face, SCP(A_FEW * MOST_WAITING // 10)) as server:
        async with await associated(driver, server) as association:
            for _ in range(2):
                numbers, status = await find(association)
                assert (numbers, status) == (list(range(A_FEW * MOST_WAITING // 10)), SUCCESS)
            assert await association.echo() == SUCCESS


@on_both_faces
@on_each_driver
async def test_a_cancel_ends_a_query_between_two_matches(driver: Driver, face: Face) -> None:
    scp = SCP(MANY)
    with accepting(face, scp) as server:
        async with await associated(driver, server) as association:
            numbers, status = await find(association, cancel_after=A_FEW)
            assert status == CANCELLED
            assert numbers == list(range(scp.sent[0]))
            assert A_FEW <= len(numbers) < MANY
            scp.matches = 3
            assert await find(association) == ([0, 1, 2], SUCCESS)


@on_both_faces
@on_each_driver
async def test_a_cancel_directly_behind_its_request_counts(driver: Driver, face: Face) -> None:
    scp = SCP(MANY)
    with accepting(face, scp) as server:
        async with await associated(driver, server) as association, association.operation():
            request = asking(association, CFindRQ, FIND)
            await association.send_request(association.context_for(FIND), request, identifier(0))
            await association.cancel(request)
            statuses = [response.status async for response, _ in association.responses(request)]
    assert statuses[-1] == CANCELLED
    assert scp.sent[0] == len(statuses) - 1 < MANY


@on_each_driver
async def test_a_loop_over_responses_may_be_left(driver: Driver) -> None:
    scp = SCP(A_FEW)
    with accepting("threads", scp) as server:
        async with await associated(driver, server) as association:
            async with association.operation():
                request = asking(association, CFindRQ, FIND)
                await association.send_request(association.context_for(FIND), request, identifier(0), sink=MemorySink)
                responses = association.responses(request)
                await anext(responses)
                await responses.aclose()  # type: ignore[attr-defined]
                await association.cancel(request)
            assert await association.echo() == SUCCESS
            assert await find(association) == (list(range(A_FEW)), SUCCESS)
            assert not association.is_outstanding(request.message_id)


@pytest.mark.thorough
@on_each_driver
async def test_the_time_that_a_caller_takes_does_not_count_against_a_response(driver: Driver) -> None:
    looked_at = threading.Event()

    def answers_in_pieces(connection: Connection) -> None:
        connection.accept()
        message = connection.read_message()
        rest = pending(connection, message, identifier(1)) + connection.response(message)
        connection.send(pending(connection, message, identifier(0)) + rest[:40])
        looked_at.wait(LONG)
        connection.stall(0.1)
        connection.send(rest[40:])
        connection.serve()

    with FaultyPeer(answers_in_pieces) as port:
        async with await driver.associate(port, [FIND], timeouts=Timeouts(network=0.5)) as association:
            statuses: list[int] = []
            async with association.operation():
                request = asking(association, CFindRQ, FIND)
                await association.send_request(association.context_for(FIND), request, identifier(0))
                async for response, _ in association.responses(request):
                    if not statuses:
                        threading.Event().wait(0.6)
                        looked_at.set()
                    statuses.append(response.status)
    assert statuses == [PENDING, PENDING, SUCCESS]


# --- responses that are not as they should be ---


def pending(connection: Connection, message: Message, data_set: bytes, status: int = PENDING) -> bytes:
    """Return the bytes of a response with a data set."""
    response = connection.response(message, status, {COMMAND_DATA_SET_TYPE: us(1)})
    return response + pdu(P_DATA_TF, pdv(message.context_id, 2, data_set))


async def with_peer(
    driver: Driver, answer: Callable[[Connection, Message], object], use: Callable[[Association], Awaitable[Any]]
) -> FaultyPeer:
    """Use an association with a peer whose answer to a C-FIND is given."""

    def behaviour(connection: Connection) -> None:
        connection.accept()
        answer(connection, connection.read_message())
        connection.serve()

    peer = FaultyPeer(behaviour)
    with peer as port:
        association = await driver.associate(port, [FIND, uids.Verification], timeouts=Timeouts(dimse=LONG))
        try:
            await use(association)
        finally:
            await association.release()
    return peer


@on_each_driver
async def test_many_responses_in_one_segment_are_taken(driver: Driver) -> None:
    def answer(connection: Connection, message: Message) -> None:
        matches = b"".join(pending(connection, message, identifier(number)) for number in range(3 * MOST_WAITING))
        connection.send(matches + connection.response(message))

    async def use(association: Association) -> None:
        assert await find(association) == (list(range(3 * MOST_WAITING)), SUCCESS)
        assert await association.echo() == SUCCESS

    await with_peer(driver, answer, use)


@on_each_driver
async def test_responses_that_come_after_a_cancelled_query_is_over_are_dropped(
    driver: Driver, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "dimse.association")

    def answer(connection: Connection, message: Message) -> None:
        connection.send(pending(connection, message, identifier(0)))
        connection.read_message()
        late = pending(connection, message, identifier(1)) + connection.response(message, CANCELLED)
        connection.send(connection.response(message, CANCELLED) + late)

    async def use(association: Association) -> None:
        assert await find(association, cancel_after=1) == ([0], CANCELLED)
        assert await association.echo() == SUCCESS

    peer = await with_peer(driver, answer, use)
    assert [message.command_field for message in peer.connections[0].messages] == [0x0020, 0x0FFF, 0x0030]
    assert sum("which was cancelled and is over" in record.getMessage() for record in caplog.records) == 2


@on_each_driver
async def test_without_a_cancel_a_response_after_the_final_one_is_invalid(driver: Driver) -> None:
    def answer(connection: Connection, message: Message) -> None:
        connection.send(connection.response(message) + pending(connection, message, identifier(1)))
        until_it_ends(connection)

    async def use(association: Association) -> None:
        with pytest.raises(InvalidResponse, match=r"second response|not outstanding"):
            await find(association)
            await association.echo()

    await with_peer(driver, answer, use)


@on_each_driver
@pytest.mark.parametrize("ends", [True, False])
async def test_an_identifier_that_is_too_long_ends_the_association(driver: Driver, ends: bool) -> None:
    def answer(connection: Connection, message: Message) -> None:
        connection.send(connection.response(message, PENDING, {COMMAND_DATA_SET_TYPE: us(1)}))
        for _ in range(5 * 1024 if ends else 1 << 20):
            connection.send(pdu(P_DATA_TF, pdv(message.context_id, 0, bytes(1024))))
        until_it_ends(connection)

    async def use(association: Association) -> None:
        with pytest.raises(InvalidResponse, match=r"C-FIND .*its data set is longer than 4,194,304 bytes"):
            await find(association)
        assert not association.open

    await with_peer(driver, answer, use)


@on_each_driver
async def test_responses_that_wait_do_not_pile_up_behind_another_request(driver: Driver) -> None:
    def answer(connection: Connection, message: Message) -> None:
        echo = connection.read_message()
        matches = b"".join(pending(connection, message, identifier(number)) for number in range(2 * MOST_WAITING))
        connection.send(matches + connection.response(echo))
        until_it_ends(connection)

    async def use(association: Association) -> None:
        with pytest.raises(LocalProtocolError, match="wait to be fetched"):
            async with association.operation():
                request = asking(association, CFindRQ, FIND)
                await association.send_request(association.context_for(FIND), request, identifier(0), sink=MemorySink)
                echo = asking(association, CEchoRQ, uids.Verification)
                await association.send_request(association.context_for(uids.Verification), echo)
                await association.wait_response(echo)

    await with_peer(driver, answer, use)


@on_each_driver
async def test_silence_between_two_responses_is_bounded_by_the_dimse_timeout(driver: Driver) -> None:
    def answers_one(connection: Connection) -> None:
        connection.accept()
        message = connection.read_message()
        connection.send(pending(connection, message, identifier(0)))
        until_it_ends(connection)

    with FaultyPeer(answers_one) as port:
        association = await driver.associate(port, [FIND], timeouts=Timeouts(dimse=SOON))
        with pytest.raises(OperationTimeout, match="DIMSE timeout"):
            await find(association)
