"""Requests of the peer within the answers to others: the C-STOREs of a C-GET, reports of events, and cancels, on every driver."""

from __future__ import annotations

import logging

import pytest

import dimse
from dimse import uids
from dimse.association.answering import MOST_NESTED
from dimse.association.association import Arrived, BaseAssociation
from dimse.association.sinks import MemorySink, Sink, SpooledSink
from dimse.errors import LocalProtocolError
from dimse.message.command import (
    CEchoRQ,
    CFindRQ,
    NEventReportRQ,
    respond,
)
from tests.association.conversations import (
    A_FEW,
    CANCELLED,
    FIND,
    MANY,
    PENDING,
    PUSH_MODEL,
    RESOURCE_LIMITATION,
    SCP,
    SOME,
    SUCCESS,
    TAKES_INSTANCES,
    accepting,
    asking,
    associated,
    find,
    get,
    identifier,
)
from tests.drivers import (
    Driver,
    Face,
    Received,
    on_both_faces,
    on_each_driver,
)
from tests.faulty_peer import (
    A_ASSOCIATE_RQ,
    A_RELEASE_RQ,
    COMMAND_DATA_SET_TYPE,
    P_DATA_TF,
    Connection,
    FaultyPeer,
    command_set,
    pdu,
    pdv,
    us,
)

# --- requests within answers ---


@on_both_faces
@on_each_driver
async def test_a_thousand_instances_come_between_the_responses(driver: Driver, face: Face) -> None:
    scp, received = SCP(SOME), Received()
    with accepting(face, scp) as server:
        async with await associated(driver, server, received.handlers, roles=TAKES_INSTANCES) as association:
            assert await get(association) == (list(range(1, SOME + 1)), SUCCESS)
            assert await association.echo() == SUCCESS
    assert received.data_sets == {f"1.2.3.{number}": identifier(number) for number in range(SOME)}
    assert scp.stored == [SUCCESS] * SOME


@on_both_faces
@on_each_driver
async def test_a_cancel_ends_a_retrieval_between_two_instances(driver: Driver, face: Face) -> None:
    scp, received = SCP(MANY), Received()
    with accepting(face, scp) as server:
        async with await associated(driver, server, received.handlers, roles=TAKES_INSTANCES) as association:
            counts, status = await get(association, cancel_after=A_FEW)
            assert status == CANCELLED
            assert A_FEW <= len(counts) == len(received.data_sets) == scp.sent[0] < MANY
            assert await association.echo() == SUCCESS


@on_both_faces
@on_each_driver
async def test_an_event_is_reported_in_the_middle_of_a_query(driver: Driver, face: Face) -> None:
    statuses = []

    async def report(association: BaseAssociation) -> None:
        event = NEventReportRQ(
            message_id=association.next_message_id(),
            affected_sop_class_uid=PUSH_MODEL,
            affected_sop_instance_uid=uids.StorageCommitmentPushModelInstance,
            event_type_id=1,
        )
        context = association.context_for(PUSH_MODEL, role="SCP")
        statuses.append((await association.exchange(context, event, nested=True)).status)

    mine = SCP(0)
    with accepting(face, SCP(A_FEW, within=report)) as server:
        async with await associated(driver, server, mine) as association:
            assert await find(association) == (list(range(A_FEW)), SUCCESS)
    assert statuses == [SUCCESS]
    assert [arrived.message.name for arrived in mine.arrived] == ["N-EVENT-REPORT-RQ"]  # type: ignore[union-attr]


class AsksBack:
    """A dispatcher that verifies the peer in the middle of each answer, and so is asked again in the middle of it.

    Attributes:
        depth, deepest: The number of answers that are under way, and the most that there were.
    """

    def __init__(self) -> None:
        self.depth = self.deepest = 0

    async def begin(self, association: BaseAssociation, arrived: Arrived) -> Sink:
        return SpooledSink()

    async def answer(self, association: BaseAssociation, arrived: Arrived) -> None:
        assert isinstance(arrived.message, CEchoRQ)
        self.depth += 1
        self.deepest = max(self.depth, self.deepest)
        context = association.context_for(uids.Verification)
        await association.exchange(context, asking(association, CEchoRQ, uids.Verification), nested=True)
        self.depth -= 1
        await association.send_response(arrived.context, respond(arrived.message, SUCCESS))


@on_each_driver
async def test_answers_within_answers_have_a_bound(driver: Driver) -> None:
    # The peer asks while it is asked, again and again. Beyond the bound it is refused, and each request before that is answered.
    rounds = 3 * MOST_NESTED

    def behaviour(connection: Connection) -> None:
        connection.accept()
        mine = []
        for message_id in range(1, rounds + 1):
            elements = {0x0002: uids.Verification.encode() + b"\0", 0x0100: us(0x0030), 0x0110: us(message_id)}
            command = command_set({**elements, COMMAND_DATA_SET_TYPE: us(0x0101)})
            connection.send(pdu(P_DATA_TF, pdv(1, 3, command)))
            mine.append(connection.read_message())
        for asked in reversed([message for message in mine if message.command_field == 0x0030]):
            connection.respond(asked)
            connection.read_message()
        connection.send_release_request()
        connection.read_pdu()
        connection.close()

    peer, dispatcher = FaultyPeer(behaviour), AsksBack()
    with peer as port:
        association = await driver.associate(port, handlers=dispatcher)
        await association.serve()
    assert dispatcher.deepest == MOST_NESTED
    answered = [m.elements[0x0900] for m in peer.connections[0].messages if m.command_field == 0x8030]
    assert answered == [us(RESOURCE_LIMITATION)] * (rounds - MOST_NESTED) + [us(SUCCESS)] * MOST_NESTED


@on_each_driver
async def test_a_nested_operation_needs_one_that_it_is_nested_in(driver: Driver) -> None:
    with accepting("threads", SCP(0)) as server:
        async with await associated(driver, server) as association:
            with pytest.raises(LocalProtocolError, match="nested"):
                async with association.operation(nested=True):
                    raise AssertionError("it was entered")
            assert await association.echo() == SUCCESS


@on_each_driver
async def test_an_unknown_request_is_refused_while_a_response_is_awaited(driver: Driver) -> None:
    unknown = {0x0002: uids.Verification.encode() + b"\0", 0x0100: us(0x0077), 0x0110: us(7)}

    def asks(connection: Connection) -> None:
        connection.accept()
        asked = connection.read_message()
        connection.send(pdu(P_DATA_TF, pdv(1, 3, command_set({**unknown, COMMAND_DATA_SET_TYPE: us(0x0101)}))))
        assert connection.read_message().command_field == 0x8077
        connection.respond(asked)
        connection.serve()

    with FaultyPeer(asks) as port:
        async with await driver.associate(port, handlers=dimse.Handlers()) as association:
            assert await association.echo() == SUCCESS


@on_each_driver
async def test_a_wait_among_some_requests_leaves_the_responses_to_others(driver: Driver) -> None:
    with accepting("threads", SCP(1)) as server:
        async with await associated(driver, server, async_ops=3) as association, association.operation():
            query = asking(association, CFindRQ, FIND)
            await association.send_request(association.context_for(FIND), query, identifier(0), sink=MemorySink)
            echo = asking(association, CEchoRQ, uids.Verification)
            await association.send_request(association.context_for(uids.Verification), echo)
            response = await association.wait_any_response({echo.message_id})
            assert response.message_id_being_responded_to == echo.message_id
            assert association.response_here({echo.message_id}) is None
            statuses = [response.status async for response, _ in association.responses(query)]
            assert statuses == [PENDING, SUCCESS]


# --- cancels ---


@on_each_driver
async def test_a_cancel_of_nothing_is_a_line_for_debugging(driver: Driver, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "dimse.association")

    def cancels(connection: Connection) -> None:
        connection.accept()
        asked = connection.read_message()
        cancel = command_set({0x0100: us(0x0FFF), 0x0120: us(77), COMMAND_DATA_SET_TYPE: us(0x0101)})
        connection.send(pdu(P_DATA_TF, pdv(1, 3, cancel)))
        connection.respond(asked)
        connection.serve()

    peer = FaultyPeer(cancels)
    with peer as port:
        async with await driver.associate(port, handlers=dimse.Handlers()) as association:
            assert await association.echo() == SUCCESS
    assert peer.connections[0].pdu_types == [A_ASSOCIATE_RQ, P_DATA_TF, A_RELEASE_RQ]
    [line] = [record for record in caplog.records if "C-CANCEL" in record.getMessage()]
    assert line.levelno == logging.DEBUG and "message ID 77" in line.getMessage()


@on_each_driver
async def test_an_echo_cannot_be_cancelled(driver: Driver) -> None:
    with accepting("threads", SCP(0)) as server:
        async with await associated(driver, server) as association:
            with pytest.raises(LocalProtocolError, match="C-ECHO-RQ cannot be cancelled"):
                await association.cancel(asking(association, CEchoRQ, uids.Verification))
