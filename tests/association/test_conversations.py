"""Requests of both sides under way at one time: many responses, requests within answers, cancels and roles, on every driver."""

from __future__ import annotations

import logging
import struct
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

import dimse
from dimse import uids
from dimse.association.answering import MOST_NESTED
from dimse.association.association import Arrived, BaseAssociation
from dimse.association.outstanding import MOST_WAITING
from dimse.association.sinks import MemorySink, Sink, SpooledSink
from dimse.errors import InvalidResponse, LocalProtocolError, NoPresentationContext, OperationTimeout
from dimse.message.command import (
    CEchoRQ,
    CFindRQ,
    CGetRQ,
    CStoreRQ,
    NEventReportRQ,
    Request,
    respond,
)
from dimse.services import Association
from dimse.settings import ProposedContext, Role, Timeouts
from dimse.support.values import replace
from tests.drivers import (
    CT_IN_EXPLICIT_VR,
    Driver,
    Face,
    Received,
    make_instance,
    on_both_faces,
    on_each_driver,
    running,
    until_it_ends,
)
from tests.faulty_peer import (
    A_ASSOCIATE_RQ,
    A_RELEASE_RQ,
    COMMAND_DATA_SET_TYPE,
    P_DATA_TF,
    Connection,
    FaultyPeer,
    Message,
    command_set,
    item,
    pdu,
    pdv,
    us,
)

FIND = uids.StudyRootQueryRetrieveInformationModelFind
GET = uids.StudyRootQueryRetrieveInformationModelGet
PUSH_MODEL = uids.StorageCommitmentPushModel
CT = uids.CTImageStorage
CONTEXTS: list[str | ProposedContext] = [FIND, GET, PUSH_MODEL, uids.Verification, CT_IN_EXPLICIT_VR]
# The requestor of a C-GET takes instances, and so is SCP of their SOP class.
TAKES_INSTANCES = [Role(CT, scu=False, scp=True)]

SUCCESS, CANCELLED, PENDING = 0x0000, 0xFE00, 0xFF00
RESOURCE_LIMITATION = 0x0213
MANY, SOME = 10_000, 1_000
A_FEW = 50
LONG = 30.0
SOON = 0.2


# --- the acceptor ---


class SCP:
    """A dispatcher that sends `matches` pending responses to a C-FIND, and `matches` instances to a C-GET.

    Args:
        matches: How many.
        within: Called in the middle of an answer.

    Attributes:
        sent: How many of them it sent, for each request.
        arrived: The requests.
        stored: The statuses that its own C-STOREs were answered with.
    """

    store = commitment = None

    def __init__(self, matches: int, within: Callable[[BaseAssociation], Awaitable[None]] | None = None) -> None:
        self.matches, self.within = matches, within
        self.sent: list[int] = []
        self.arrived: list[Arrived] = []
        self.stored: list[int] = []

    async def begin(self, association: BaseAssociation, arrived: Arrived) -> Sink:
        return SpooledSink()

    async def answer(self, association: BaseAssociation, arrived: Arrived) -> None:
        self.arrived.append(arrived)
        match arrived.message:
            case CFindRQ() | CGetRQ() as request:
                await association.poll()
                self.sent.append(await self._send_matches(association, arrived, request))
                status = CANCELLED if arrived.cancelled else SUCCESS
                await association.send_response(arrived.context, respond(request, status))
            case Request() as request:
                await association.send_response(arrived.context, respond(request, SUCCESS))

    async def _send_matches(self, association: BaseAssociation, arrived: Arrived, request: CFindRQ | CGetRQ) -> int:
        for number in range(self.matches):
            if arrived.cancelled:
                return number
            if self.within is not None and number == self.matches // 2:
                await self.within(association)
            if isinstance(request, CGetRQ):
                self.stored.append(await send_instance(association, number))
                pending = respond(request, PENDING, number_of_completed_suboperations=number + 1)
                await association.send_response(arrived.context, pending)
            else:
                pending = respond(request, PENDING, has_data_set=True)
                await association.send_response(arrived.context, pending, identifier(number))
        return self.matches


def identifier(number: int) -> bytes:
    return struct.pack("<HHI", 0x0020, 0x0013, 8) + f"{number:8}".encode()


def number_of(sink: Sink | None) -> int:
    assert isinstance(sink, MemorySink)
    return int(bytes(sink.view()[8:]))


async def send_instance(association: BaseAssociation, number: int) -> int:
    """Send a C-STORE-RQ within the answer to another request; return the status that answers it."""
    context = association.context_for(CT)
    request = CStoreRQ(
        message_id=association.next_message_id(),
        affected_sop_class_uid=CT,
        affected_sop_instance_uid=f"1.2.3.{number}",
    )
    async with association.operation(nested=True):
        await association.send_request(context, request, identifier(number))
        return (await association.wait_response(request)).status


def accepting(face: Face, scp: SCP) -> Any:
    """Return a server of a face with a dispatcher of the tests."""
    dispatcher: Any = scp
    return running(face, dispatcher, contexts=(FIND, GET, PUSH_MODEL, CT, uids.Verification), async_ops=0)


async def associated(driver: Driver, server: Any, handlers: Any = None, **options: Any) -> Association:
    server.acceptor = replace(server.acceptor, roles=TAKES_INSTANCES)
    return await driver.associate(server.address[1], CONTEXTS, handlers=handlers, **options)


# --- the requestor ---


def asking(association: BaseAssociation, kind: type[Any], model: str) -> Any:
    return kind(message_id=association.next_message_id(), affected_sop_class_uid=model)


async def find(association: BaseAssociation, cancel_after: int | None = None) -> tuple[list[int], int]:
    """Ask a C-FIND; return the numbers of the matches and the final status."""
    numbers: list[int] = []
    request = asking(association, CFindRQ, FIND)
    async with association.operation():
        context = association.context_for(FIND)
        await association.send_request(context, request, identifier(0), sink=MemorySink)
        async for response, data_set in association.responses(request):
            assert len(association._outstanding.responded) <= MOST_WAITING
            if response.status != PENDING:
                assert data_set is None
                return numbers, response.status
            numbers.append(number_of(data_set))
            if len(numbers) == cancel_after:
                await association.cancel(request)
    raise AssertionError("there was no final response")


async def get(association: BaseAssociation, cancel_after: int | None = None) -> tuple[list[int], int]:
    """Ask a C-GET; return what the pending responses count and the final status."""
    counts: list[int] = []
    request = asking(association, CGetRQ, GET)
    async with association.operation():
        await association.send_request(association.context_for(GET), request, identifier(0))
        async for response, _ in association.responses(request):
            if response.status != PENDING:
                return counts, response.status
            counts.append(response.number_of_completed_suboperations)  # type: ignore[attr-defined]
            if len(counts) == cancel_after:
                await association.cancel(request)
    raise AssertionError("there was no final response")


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
async def test_a_request_that_no_one_knows_is_refused_while_a_response_is_awaited(driver: Driver) -> None:
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


# --- roles ---


def accepting_roles(scu: int, scp: int) -> Callable[[Connection], None]:
    """Return a peer that accepts each context, and for the CT class these roles."""

    def behaviour(connection: Connection) -> None:
        connection.read_request()
        uid = CT.encode()
        selection = item(0x54, struct.pack(">H", len(uid)) + uid + bytes([scu, scp]))
        accept = connection.associate_ac()
        body = accept[6:]
        # The selection is the last item of the user information, which is the last item of all.
        start = body.rindex(item(0x52, b"1.2.826.0.1.3680043.8.498.1")) - 8 - 4
        information = body[start + 4 :] + selection
        connection.send(pdu(2, body[:start] + item(0x50, information)))
        connection.serve()

    return behaviour


@on_each_driver
@pytest.mark.parametrize(("scu", "scp"), [(0, 1), (0, 0)])
async def test_an_operation_in_a_role_that_was_refused_sends_nothing(
    driver: Driver, scu: int, scp: int, tmp_path: Any
) -> None:
    peer = FaultyPeer(accepting_roles(scu, scp))
    with peer as port:
        async with await driver.associate(port, roles=[Role(CT, scu=True, scp=True)]) as association:
            with pytest.raises(NoPresentationContext, match="for the SCU role"):
                await association.store(make_instance(tmp_path).path)
            assert bool(association.accepted(CT, role="SCP")) is bool(scp)
            assert association.accepted(CT, role=None)
            assert await association.echo() == SUCCESS
    connection = peer.connections[0]
    assert [message.command_field for message in connection.messages] == [0x0030]


@on_both_faces
@on_each_driver
async def test_without_role_selection_the_acceptor_is_no_scu(driver: Driver, face: Face) -> None:
    raised: list[NoPresentationContext] = []

    class Tries(SCP):
        async def answer(self, association: BaseAssociation, arrived: Arrived) -> None:
            try:
                await send_instance(association, 1)
            except NoPresentationContext as error:
                raised.append(error)
            await super().answer(association, arrived)

    received = Received()
    with accepting(face, Tries(0)) as server:
        async with await associated(driver, server, received.handlers) as association:
            assert await association.echo() == SUCCESS
            with pytest.raises(NoPresentationContext, match="for the SCP role"):
                association.context_for(CT, role="SCP")
    assert len(raised) == 1 and "for the SCU role" in str(raised[0])
    assert not received.data_sets
