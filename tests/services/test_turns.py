"""Concurrent calls on one association of the asyncio face, which wait their turn: first come, first served."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from functools import wraps
from pathlib import Path
from typing import Any

import pytest

import dimse
from dimse import aio, uids
from dimse.errors import AssociationAborted, AssociationError, AssociationTimeout, FileError, LocalProtocolError
from dimse.testing import QueryRetrieveSCP, StorageSCP
from tests.association.peers import ECHO_RQ
from tests.drivers import CT_IN_EXPLICIT_VR, LOOPBACK, make_instance
from tests.faulty_peer import Connection, FaultyPeer, Message

CONTEXTS: list[str | dimse.ProposedContext] = [dimse.Verification, CT_IN_EXPLICIT_VR]
Test = Callable[..., Coroutine[Any, Any, None]]


def on_a_loop(test: Test) -> Callable[..., None]:
    """Let an `async def` test run on an event loop."""

    @wraps(test)
    def run(**fixtures: Any) -> None:
        asyncio.run(test(**fixtures))

    return run


class Gate:
    """A handler of C-ECHO that answers when it is opened, and counts.

    Attributes:
        came: The message IDs in the order in which they came.
        begun: Set when the first one has come.
    """

    def __init__(self) -> None:
        self.came: list[int] = []
        self.begun, self._open = asyncio.Event(), asyncio.Event()

    async def echo(self, request: dimse.EchoRequest) -> int:
        """Wait until the gate is open."""
        self.came.append(request.message_id)
        self.begun.set()
        await self._open.wait()
        return 0

    def open(self) -> None:
        """Let all requests be answered."""
        self._open.set()


@asynccontextmanager
async def served(echo: Any, **options: Any) -> AsyncIterator[aio.Association]:
    """Associate with a server that has this handler of C-ECHO; options are those of `aio.associate`."""
    async with (
        aio.Server((LOOPBACK, 0), dimse.Handlers(echo=echo)) as server,
        aio.associate(*server.address, contexts=CONTEXTS, **options) as association,
    ):
        yield association


@on_a_loop
async def test_a_hundred_echoes_come_in_the_order_of_the_calls() -> None:
    gate = Gate()
    gate.open()
    order: list[int] = []

    async def echo(association: aio.Association, number: int) -> None:
        assert await association.echo() == 0
        order.append(number)

    async with served(gate.echo) as association:
        await asyncio.gather(*(echo(association, number) for number in range(100)))
    assert order == list(range(100))
    assert gate.came == list(range(1, 101))


@on_a_loop
async def test_a_hundred_stores_come_in_the_order_of_the_calls(tmp_path: Path) -> None:
    """Files of very different sizes take their turn when they are called, not when they are read."""
    instances = [make_instance(tmp_path, number, 2 * (1 + number * 7919 % 100_000)) for number in range(1, 101)]
    with StorageSCP() as scp:
        async with aio.associate(LOOPBACK, scp.port, contexts=CONTEXTS) as association:
            statuses = await asyncio.gather(*(association.store(instance.path) for instance in instances))
    assert set(statuses) == {0}
    assert scp.sop_instance_uids == [instance.sop_instance_uid for instance in instances]
    assert [sent.data_set for sent in scp.instances] == [instance.data_set for instance in instances]


@on_a_loop
async def test_the_fiftieth_is_cancelled_while_it_waits() -> None:
    gate = Gate()
    async with served(gate.echo) as association:
        tasks = [asyncio.create_task(association.echo()) for _ in range(100)]
        await gate.begun.wait()
        tasks[49].cancel()
        gate.open()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert await association.echo() == 0
    assert [type(result) for result in results].count(asyncio.CancelledError) == 1
    assert isinstance(results[49], asyncio.CancelledError)
    assert len(gate.came) == 100


@on_a_loop
async def test_one_that_is_cancelled_as_its_turn_comes_hands_it_on() -> None:
    """The cancellation and the end of the call before it fall into one round of the loop."""
    gate = Gate()
    async with served(gate.echo) as association:

        async def echo() -> int:
            status = await association.echo()
            # The second one has been given its turn, and has not begun.
            second.cancel()
            return status

        first = asyncio.create_task(echo())
        second, third = (asyncio.create_task(association.echo()) for _ in range(2))
        await gate.begun.wait()
        gate.open()
        assert (await first, await third) == (0, 0)
        assert second.cancelled()
        assert await association.echo() == 0


@on_a_loop
async def test_the_response_timeout_begins_with_the_turn() -> None:
    async def slow(request: dimse.EchoRequest) -> int:
        await asyncio.sleep(0.1)
        return 0

    timeouts = dimse.Timeouts(dimse=0.5)
    async with served(slow, timeouts=timeouts) as association:
        started = time.monotonic()
        assert await asyncio.gather(*(association.echo() for _ in range(10))) == [0] * 10
        assert time.monotonic() - started > timeouts.dimse


@on_a_loop
async def test_a_timeout_ends_the_association_and_those_that_wait_are_told() -> None:
    def silent(connection: Connection) -> None:
        connection.accept()
        connection.drain()

    with FaultyPeer(silent) as port:
        timeouts = dimse.Timeouts(dimse=0.2)
        association = await aio.associate(LOOPBACK, port, contexts=CONTEXTS, timeouts=timeouts)
        started = time.monotonic()
        calls = (association.echo() for _ in range(20))
        results = await asyncio.gather(*calls, return_exceptions=True)
    assert time.monotonic() - started < 5
    assert isinstance(results[0], AssociationTimeout)
    assert all(isinstance(result, AssociationError) for result in results)


@on_a_loop
async def test_an_abort_ends_those_that_wait() -> None:
    gate = Gate()
    async with aio.Server((LOOPBACK, 0), dimse.Handlers(echo=gate.echo)) as server:
        association = await aio.associate(*server.address, contexts=CONTEXTS)
        tasks = [asyncio.create_task(association.echo()) for _ in range(10)]
        await gate.begun.wait()
        association.abort()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert {type(result) for result in results} == {AssociationAborted}
        assert not association.open
        gate.open()


@on_a_loop
async def test_an_abort_between_two_turns_closes_the_connection() -> None:
    gate = Gate()
    async with aio.Server((LOOPBACK, 0), dimse.Handlers(echo=gate.echo)) as server:
        association = await aio.associate(*server.address, contexts=CONTEXTS)

        async def echo() -> int:
            status = await association.echo()
            association.abort()
            second.cancel()
            return status

        first = asyncio.create_task(echo())
        second = asyncio.create_task(association.echo())
        await gate.begun.wait()
        gate.open()
        assert await first == 0
        with pytest.raises(asyncio.CancelledError):
            await second
        assert "aborted" in repr(association)
        assert association.pump.transport.closed


@on_a_loop
async def test_release_waits_its_turn_and_a_second_one_is_harmless() -> None:
    gate = Gate()
    gate.open()
    async with aio.Server((LOOPBACK, 0), dimse.Handlers(echo=gate.echo)) as server:
        association = await aio.associate(*server.address, contexts=CONTEXTS)
        echo = asyncio.create_task(association.echo())
        await asyncio.sleep(0)
        await asyncio.gather(association.release(), association.release())
        assert await echo == 0
        with pytest.raises(AssociationError):
            await association.echo()


@on_a_loop
async def test_a_file_that_cannot_be_sent_leaves_the_others_their_turns(tmp_path: Path) -> None:
    instance, wrong = make_instance(tmp_path), tmp_path / "wrong"
    wrong.write_bytes(b"no")
    with StorageSCP() as scp:
        async with aio.associate(LOOPBACK, scp.port, contexts=CONTEXTS) as association:
            calls = (association.store(path) for path in (instance.path, wrong, instance.path, wrong, instance.path))
            results = await asyncio.gather(*calls, return_exceptions=True)
            assert await association.echo() == 0
    assert [isinstance(result, FileError) for result in results] == [False, True, False, True, False]


@on_a_loop
async def test_a_store_that_is_cancelled_before_it_is_sent_leaves_the_association(tmp_path: Path) -> None:
    instance = make_instance(tmp_path)
    with StorageSCP() as scp:
        async with aio.associate(LOOPBACK, scp.port, contexts=CONTEXTS) as association:
            store = asyncio.create_task(association.store(instance.path))
            await asyncio.sleep(0)
            store.cancel()
            with pytest.raises(asyncio.CancelledError):
                await store
            assert await association.store(instance.path) == 0
    assert len(scp.instances) == 1


@on_a_loop
async def test_several_sendings_share_an_association_instance_by_instance(tmp_path: Path) -> None:
    paths = [make_instance(tmp_path, number).path for number in range(1, 21)]

    async def send(association: aio.Association, some: list[Path]) -> list[str]:
        return [outcome.state async for outcome in association.store_many(some)]

    with StorageSCP() as scp:
        async with aio.associate(LOOPBACK, scp.port, contexts=CONTEXTS) as association:
            states = await asyncio.gather(send(association, paths[:10]), send(association, paths[10:]))
            assert [*states] == [["stored"] * 10] * 2
    assert len(scp.instances) == 20


# --- those that must not wait


@on_a_loop
async def test_behind_a_serve_a_call_raises() -> None:
    async with served(None) as association:
        serving = asyncio.create_task(association.serve(timeout=0.3))
        await asyncio.sleep(0)
        with pytest.raises(LocalProtocolError, match="another operation is under way"):
            await association.echo()
        await serving
        assert await association.echo() == 0


@on_a_loop
async def test_one_that_waits_raises_when_a_serve_has_its_turn() -> None:
    gate = Gate()
    async with served(gate.echo) as association:
        echo = asyncio.create_task(association.echo())
        await gate.begun.wait()
        serving = asyncio.create_task(association.serve(timeout=0.3))
        await asyncio.sleep(0)
        behind = asyncio.create_task(association.echo())
        await asyncio.sleep(0)
        gate.open()
        assert await echo == 0
        with pytest.raises(LocalProtocolError, match="another operation is under way"):
            await behind
        await serving


@on_a_loop
async def test_a_call_within_an_operation_raises() -> None:
    """It would wait for the operation, which waits for it: in its task, and in a task that it has begun."""
    keys = {"QueryRetrieveLevel": "STUDY", "StudyInstanceUID": ""}
    instances = [{"StudyInstanceUID": f"1.2.{number}"} for number in range(3)]
    contexts = [dimse.Verification, "StudyRootQueryRetrieveInformationModelFind"]
    with QueryRetrieveSCP(instances) as scp:
        async with aio.associate(LOOPBACK, scp.port, contexts=contexts) as association:
            count = 0
            async for _ in association.find(keys):
                count += 1
                for call in (association.echo(), asyncio.create_task(association.echo())):
                    with pytest.raises(LocalProtocolError, match="another operation is under way"):
                        await call
            assert count == 3
            assert await association.echo() == 0


@on_a_loop
async def test_a_handler_that_calls_back_raises() -> None:
    raised: list[BaseException] = []
    made: list[aio.Association] = []

    async def ask_back(_: dimse.EchoRequest) -> int:
        for call in (made[0].echo(), asyncio.create_task(made[0].echo())):
            try:
                await call
            except LocalProtocolError as error:
                raised.append(error)
        return 0

    def asks(connection: Connection) -> None:
        connection.accept()
        message: Message = connection.read_message()
        connection.send(ECHO_RQ())
        connection.read_message()
        connection.respond(message)
        connection.serve()

    handlers = dimse.Handlers(echo=ask_back)
    with FaultyPeer(asks) as port:
        async with aio.associate(LOOPBACK, port, contexts=CONTEXTS, handlers=handlers) as association:
            made.append(association)
            waits = asyncio.create_task(association.echo())
            assert [*await asyncio.gather(waits, association.echo())] == [0, 0]
    assert len(raised) == 2


@on_a_loop
async def test_a_task_of_its_own_waits_for_a_query_that_is_left() -> None:
    keys = {"QueryRetrieveLevel": "STUDY", "StudyInstanceUID": ""}
    instances = [{"StudyInstanceUID": f"1.2.{number}"} for number in range(30)]
    contexts = [uids.Verification, uids.StudyRootQueryRetrieveInformationModelFind]
    begun = asyncio.Event()
    with QueryRetrieveSCP(instances) as scp:
        async with aio.associate(LOOPBACK, scp.port, contexts=contexts) as association:

            async def echo() -> int:
                await begun.wait()
                return await association.echo()

            async def query() -> None:
                matches = association.find(keys)
                assert await anext(matches) is not None
                begun.set()
                # The other task waits for its turn by now.
                for _ in range(5):
                    await asyncio.sleep(0)
                del matches
                gc.collect()

            waiting = asyncio.create_task(echo())
            await asyncio.create_task(query())
            assert await asyncio.wait_for(waiting, 10) == 0


def test_the_blocking_face_is_unchanged(tmp_path: Path) -> None:
    """A window makes the association busy between the outcomes."""
    paths = [make_instance(tmp_path, number).path for number in range(1, 9)]
    with (
        StorageSCP(async_ops=4) as scp,
        dimse.associate(LOOPBACK, scp.port, contexts=CONTEXTS, async_ops=4) as association,
    ):
        for outcome in association.store_many(paths):
            assert outcome.state == "stored"
            with pytest.raises(LocalProtocolError, match="another operation is under way"):
                association.echo()
            break
        association.abort()
