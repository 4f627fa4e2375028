"""Both sides of a C-FIND and of a C-GET, made of the messages alone, for the tests of conversations."""

from __future__ import annotations

import struct
from collections.abc import Awaitable, Callable
from typing import Any

from dimse import uids
from dimse.association.association import Arrived, BaseAssociation
from dimse.association.outstanding import MOST_WAITING
from dimse.association.sinks import MemorySink, Sink, SpooledSink
from dimse.message.command import (
    CFindRQ,
    CGetRQ,
    CStoreRQ,
    Request,
    respond,
)
from dimse.services import Association
from dimse.settings import ProposedContext, Role
from dimse.support.values import replace
from tests.drivers import (
    CT_IN_EXPLICIT_VR,
    Driver,
    Face,
    running,
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
