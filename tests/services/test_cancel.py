"""C-CANCEL at every moment of a C-FIND, C-GET and C-MOVE, as SCP and as SCU (PS3.7 9.3.2.3, 9.3.3.3 and 9.3.4.3).

`AS_SCP` and `AS_SCU` are the tables of the moments, with the outcome of each.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import dimse
import dimse.aio
from dimse import uids
from dimse.services import Association
from dimse.services.retrieve_contexts import contexts_for_get
from dimse.transport.threaded import run
from tests.drivers import LOOPBACK, Driver, Face, in_the_callers_thread, make_instance, on_both_faces, serving
from tests.faulty_peer import COMMAND_DATA_SET_TYPE, COMMAND_FIELD, MESSAGE_ID_BEING_RESPONDED_TO, command_set, us
from tests.hostile_scu import p_data
from tests.interop.evil.conversation import C_CANCEL, C_STORE, COMMAND, LAST, RESPONSE, Conversation, Request
from tests.interop.evil.raw_scu import MODELS, STORE, RawSCU
from tests.interop.evil.registry import ANY, Behaviour
from tests.interop.evil.stock import INSTANCES
from tests.interop.evil_query import EvilSCP, serve

NO_DATA_SET = 0x0101
CANCELLED, SUCCESS = 0xFE00, 0x0000
OPERATIONS = ("find", "get", "move")
NUMBER = 5
"""Matches or instances of the operations that are not cancelled."""


# --- as SCP ---


class CancellingSCU(RawSCU):
    """An SCU by hand that sends C-CANCELs as it is told to.

    Attributes:
        within_store: The operation that it cancels before its first C-STORE response; empty for none.
    """

    within_store = ""

    def __init__(self, port: int) -> None:
        super().__init__(port)
        self._held: bytearray | None = None

    def send(self, data: bytes) -> None:
        """Send these bytes, or hold them."""
        if self._held is None:
            super().send(data)
        else:
            self._held += data

    @contextmanager
    def at_once(self) -> Iterator[None]:
        """Send all that is sent in the block in one piece."""
        self._held = bytearray()
        yield
        held, self._held = bytes(self._held), None
        self.send(held)

    def cancel_message(self, message_id: int, context_id: int) -> None:
        """Send a C-CANCEL for a message ID on a presentation context."""
        elements = {
            COMMAND_FIELD: us(C_CANCEL),
            MESSAGE_ID_BEING_RESPONDED_TO: us(message_id),
            COMMAND_DATA_SET_TYPE: us(NO_DATA_SET),
        }
        self.send(p_data(context_id, COMMAND | LAST, command_set(elements)))

    def until(self, begin: str) -> str:
        """Return the next line that begins so."""
        while not (line := self.line()).startswith(begin):
            assert line.startswith(("C-", "data set")), line
        return line

    def final(self, operation: str) -> str:
        """Return the line of the final response."""
        name = f"C-{operation.upper()}-RSP "
        while (line := self.until(name)).startswith(f"{name}FF0"):
            pass
        return line.removeprefix(name)

    def _answer_store(self) -> None:
        if self.within_store:
            self.cancel(self.within_store)
            self.within_store = ""
        super()._answer_store()


class Archive:
    """A program whose handlers answer with instances, and whose destination of a C-MOVE waits.

    Attributes:
        go_on: Set once the destination may answer its second C-STORE.
        destination: The port of the destination.
        is_endless: True if a query has matches until it is cancelled.
    """

    def __init__(self, folder: Path) -> None:
        self._paths = [make_instance(folder, number).path for number in range(NUMBER)]
        self.go_on = threading.Event()
        self.destination = 0
        self.is_endless = False
        self._stored = 0

    def find(self, request: dimse.FindRequest) -> Iterator[dict[str, str]]:
        """Yield matches."""
        number = 0
        while not request.cancelled and (number < NUMBER or self.is_endless):
            number += 1
            yield {"StudyInstanceUID": f"1.2.{number}", "PatientID": "P1"}

    def get(self, request: dimse.RetrieveRequest) -> list[Path]:
        """Return the instances."""
        return self._paths

    def move(self, request: dimse.RetrieveRequest) -> dimse.MoveTo:
        """Return the instances and their destination."""
        return dimse.MoveTo((LOOPBACK, self.destination), self._paths)

    def store(self, request: dimse.StoreRequest) -> int:
        """Answer a C-STORE of the destination."""
        self._stored += 1
        if self._stored == 2:
            assert self.go_on.wait(20)
        return SUCCESS


def before_the_request(scu: CancellingSCU, operation: str, archive: Archive) -> None:
    archive.go_on.set()
    scu.cancel(operation)
    scu.ask(operation)


def with_the_request(scu: CancellingSCU, operation: str, archive: Archive) -> None:
    with scu.at_once():
        scu.ask(operation)
        scu.cancel(operation)


def between(scu: CancellingSCU, operation: str, archive: Archive, *, times: int = 1, context_id: int = 0) -> None:
    archive.is_endless = True
    scu.ask(operation)
    scu.until(f"C-{operation.upper()}-RSP FF0")
    for _ in range(times):
        scu.cancel_message(1, context_id or MODELS[operation][0])
    archive.go_on.set()


def twice(scu: CancellingSCU, operation: str, archive: Archive) -> None:
    between(scu, operation, archive, times=2)


def on_another_context(scu: CancellingSCU, operation: str, archive: Archive) -> None:
    between(scu, operation, archive, context_id=STORE)


def of_an_unknown_message(scu: CancellingSCU, operation: str, archive: Archive) -> None:
    scu.ask(operation)
    scu.until(f"C-{operation.upper()}-RSP FF0")
    scu.cancel_message(99, MODELS[operation][0])
    archive.go_on.set()


def after_the_last(scu: CancellingSCU, operation: str, archive: Archive) -> None:
    archive.go_on.set()
    scu.ask(operation)
    scu.final(operation)
    with scu.at_once():
        scu.cancel(operation)
        scu.ask(operation)


def during_a_sub_operation(scu: CancellingSCU, operation: str, archive: Archive) -> None:
    scu.within_store = operation
    scu.ask(operation)


# The C-CANCEL may come before the second sub-operation, or while that is under way.
ONE_OR_TWO = ("4/1/0/0", "3/2/0/0")
ALL = ("-/5/0/0",)
# The moment, whether the operation ends with FE00H, and the counts that a retrieval may have: remaining, completed, failed and
# warning sub-operations.
AS_SCP: list[tuple[Callable[[CancellingSCU, str, Archive], None], bool, tuple[str, ...]]] = [
    (before_the_request, False, ALL),
    (with_the_request, True, ("5/0/0/0",)),
    (between, True, ONE_OR_TWO),
    (twice, True, ONE_OR_TWO),
    (on_another_context, True, ONE_OR_TWO),
    (of_an_unknown_message, False, ALL),
    (after_the_last, False, ALL),
    (during_a_sub_operation, True, ("4/1/0/0",)),
]
SCP_CASES = [
    pytest.param(operation, *row, id=f"{operation}-{row[0].__name__}")
    for row in AS_SCP
    for operation in (("get",) if row[0] is during_a_sub_operation else OPERATIONS)
]


@on_both_faces
@pytest.mark.parametrize(("operation", "act", "is_cancelled", "counts"), SCP_CASES)
def test_as_scp(
    face: Face,
    operation: str,
    act: Callable[[CancellingSCU, str, Archive], None],
    is_cancelled: bool,
    counts: tuple[str, ...],
    tmp_path: Path,
) -> None:
    archive = Archive(tmp_path)
    handlers = dimse.Handlers(find=archive.find, get=archive.get, move=archive.move)
    with (
        serving("threads", dimse.Handlers(store=archive.store)) as archive.destination,
        serving(face, handlers) as port,
        CancellingSCU(port) as scu,
    ):
        assert scu.ask_for_association() == "A-ASSOCIATE-AC"
        act(scu, operation, archive)
        status = "FE00H" if is_cancelled else "0000H"
        ends = [f" {each}" for each in counts] if operation != "find" else [""]
        assert scu.final(operation) in [f"{status} to 1{end}" for end in ends]
        # The association goes on, and nothing of the C-CANCEL is left.
        archive.is_endless = False
        archive.go_on.set()
        scu.ask(operation)
        assert scu.final(operation).startswith("0000H to 1")
        scu.release()
        assert scu.line() == "A-RELEASE-RP"


# --- as SCU ---


CONTEXTS, ROLES = contexts_for_get("study", [uids.CTImageStorage])
MODELS_OF_THE_REST = [
    uids.StudyRootQueryRetrieveInformationModelFind,
    uids.StudyRootQueryRetrieveInformationModelMove,
    uids.Verification,
]
KEYS = {"StudyInstanceUID": "1.2.3", "PatientID": None}
SECONDS = 0.3


def begin(association: Association, operation: str, store: Callable[[Any], Any] = lambda request: 0) -> Any:
    """Return an operation that is about to begin."""
    if operation == "find":
        return association.find(KEYS)
    return association.get(KEYS, store=store) if operation == "get" else association.move(KEYS, "THERE")


def status_of(under_way: Any) -> int | None:
    """Return the final status of an operation."""
    status: int | None = under_way.result.status if hasattr(under_way, "result") else under_way.status
    return status


async def drain(under_way: Any) -> None:
    """Take what is left of an operation."""
    async for _ in under_way:
        pass


async def cancel_first(association: Association, under_way: Any) -> None:
    await under_way.cancel()
    await drain(under_way)


async def cancel_between(association: Association, under_way: Any) -> None:
    await anext(under_way)
    await under_way.cancel()
    await drain(under_way)


async def cancel_twice(association: Association, under_way: Any) -> None:
    await anext(under_way)
    await under_way.cancel()
    await association.cancel()
    await under_way.cancel()
    await drain(under_way)


async def cancel_last(association: Association, under_way: Any) -> None:
    await drain(under_way)
    await under_way.cancel()
    await association.cancel()


async def leave(association: Association, under_way: Any) -> None:
    async with under_way:
        await anext(under_way)


def complete(talk: Conversation, request: Request) -> None:
    """Send pending responses, and end with Success."""
    talk.pending(request)
    talk.pending(request)
    talk.final(request)


def obey(talk: Conversation, request: Request) -> None:
    """Wait for a C-CANCEL, and end with FE00H."""
    talk.pending(request)
    talk.wait_for_cancel()
    talk.final(request, CANCELLED)


Act = Callable[[Association, Any], Awaitable[None]]
# The moment, what the peer does, the number of C-CANCELs on the wire, and the final status; None: the association is aborted.
AS_SCU: list[tuple[Act, str | Callable[[Conversation, Request], None], int, int | None]] = [
    (cancel_first, complete, 0, SUCCESS),
    (cancel_between, obey, 1, CANCELLED),
    (cancel_twice, obey, 1, CANCELLED),
    (cancel_last, complete, 0, SUCCESS),
    (leave, obey, 1, CANCELLED),
    (cancel_between, "cancel_ignored", 1, SUCCESS),
    (leave, "cancel_ignored", 1, SUCCESS),
    (cancel_between, "cancel_answered_twice", 1, CANCELLED),
    (cancel_between, "pending_after_cancelled", 1, CANCELLED),
    (cancel_between, "cancel_never_answered", 1, None),
    (cancel_between, "pending_for_ever", 1, None),
    (leave, "cancel_never_answered", 1, None),
]


def _name(behaviour: str | Callable[[Conversation, Request], None]) -> str:
    return behaviour if isinstance(behaviour, str) else behaviour.__name__


SCU_CASES = [
    # A peer that does not end is waited for.
    pytest.param(
        operation,
        *row,
        id=f"{operation}-{row[0].__name__}-{_name(row[1])}",
        marks=[pytest.mark.thorough] if row[3] is None else [],
    )
    for row in AS_SCU
    for operation in OPERATIONS
]


@contextmanager
def behaving(behaviour: str | Callable[[Conversation, Request], None], operation: str) -> Iterator[EvilSCP]:
    chosen = behaviour if isinstance(behaviour, str) else Behaviour(behaviour.__name__, "", ANY, behaviour, accept)
    with serve(chosen, operation) as scp:
        yield scp


def accept(talk: Conversation) -> None:
    talk.accept_honestly()


async def associate(driver: Driver, port: int, seconds: float) -> Association:
    timeouts = dimse.Timeouts(dimse=seconds)
    return await driver.associate(port, [*CONTEXTS, *MODELS_OF_THE_REST], roles=ROLES, timeouts=timeouts)


@in_the_callers_thread
@pytest.mark.parametrize(("operation", "act", "behaviour", "cancels", "status"), SCU_CASES)
def test_as_scu(
    driver: Driver,
    operation: str,
    act: Act,
    behaviour: str | Callable[[Conversation, Request], None],
    cancels: int,
    status: int | None,
) -> None:
    async def work(port: int) -> None:
        async with await associate(driver, port, 10 if status is not None else SECONDS) as association:
            under_way = begin(association, operation)
            if status is None:
                try:
                    await act(association, under_way)
                except dimse.OperationTimeout:
                    assert act is not leave
                assert not association.open
                return
            await act(association, under_way)
            assert status_of(under_way) == status
            assert await association.echo() == SUCCESS

    with behaving(behaviour, operation) as scp:
        driver.run(work(scp.port))
        assert scp.wait(10)
    assert scp.cancels == [1] * cancels


@in_the_callers_thread
def test_as_scu_during_a_sub_operation(driver: Driver) -> None:
    def store_and_obey(talk: Conversation, request: Request) -> None:
        """Send a C-STORE, and end with FE00H."""
        talk.store(request, INSTANCES[0])
        talk.final(request, CANCELLED, completed=1)

    async def work(port: int) -> None:
        async with await associate(driver, port, 10) as association:

            def store(request: dimse.StoreRequest) -> int:
                run(association.cancel())
                return SUCCESS

            async def store_on_the_loop(request: dimse.StoreRequest) -> int:
                await association.cancel()
                return SUCCESS

            under_way = begin(association, "get", store if driver.name == "blocking" else store_on_the_loop)
            await drain(under_way)
            assert (under_way.result.status, under_way.result.received) == (CANCELLED, 1)
            assert await association.echo() == SUCCESS

    with behaving(store_and_obey, "get") as scp:
        driver.run(work(scp.port))
        assert scp.wait(10)
    fields = [message.command_field for message in scp.conversations[0].messages]
    assert fields.index(C_CANCEL) < fields.index(C_STORE | RESPONSE)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_as_scu_before_the_first_response(operation: str) -> None:
    came = threading.Event()

    def wait(talk: Conversation, request: Request) -> None:
        """Answer only a C-CANCEL."""
        came.set()
        talk.wait_for_cancel()
        talk.final(request, CANCELLED)

    async def work(port: int) -> None:
        async with await dimse.aio.associate(
            LOOPBACK, port, contexts=[*CONTEXTS, *MODELS_OF_THE_REST], roles=ROLES
        ) as association:
            under_way = begin(association, operation)
            task = asyncio.create_task(drain(under_way))
            await asyncio.to_thread(came.wait, 10)
            await association.cancel()
            await task
            assert status_of(under_way) == CANCELLED
            assert await association.echo() == SUCCESS

    with behaving(wait, operation) as scp:
        asyncio.run(work(scp.port))
    assert scp.cancels == [1]
