"""C-STORE with a window of asynchronous operations (PS3.7 D.3.3.3): several requests outstanding, every outcome still honest."""

from __future__ import annotations

import asyncio
import os
import select
import struct
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

import dimse
from dimse import aio
from dimse.archive import FileStore
from dimse.errors import (
    AssociationAborted,
    AssociationReleased,
    AssociationTimeout,
    ConnectionLost,
    DimseError,
    FileError,
    InvalidResponse,
    LocalProtocolError,
)
from dimse.instances import InstanceFile
from dimse.services import Association
from dimse.services.outcome import Outcome
from dimse.services.store_many import MOST_OUTSTANDING
from dimse.settings import ASYNC_OPS, Limits, Timeouts
from tests.chaos.proxy import Proxy
from tests.drivers import (
    CT_IN_EXPLICIT_VR,
    LOOPBACK,
    Driver,
    Face,
    Instance,
    Received,
    make_instance,
    on_both_faces,
    on_each_driver,
    serving,
    until_it_ends,
)
from tests.faulty_peer import Connection, FaultyPeer, Message, item

pytestmark = pytest.mark.usefixtures("brief_linger")

UNLIMITED = 0


def window(invoked: int, performed: int = 1) -> bytes:
    """Return an Asynchronous Operations Window sub-item (PS3.7 D.3.3.3.2)."""
    return item(0x53, struct.pack(">HH", invoked, performed))


def accept(connection: Connection, invoked: int) -> None:
    """Accept an association and grant a window."""
    connection.read_request()
    accepted = connection.associate_ac()
    length = int.from_bytes(accepted[2:6], "big")
    user_information = accepted.rindex(b"\x50\x00", 0, accepted.rindex(b"\x51\x00\x00\x04"))
    granted = item(0x50, accepted[user_information + 4 :] + window(invoked))
    body = accepted[6:user_information] + granted
    assert len(body) == length + len(window(invoked))
    connection.send(accepted[:2] + struct.pack(">I", len(body)) + body)


def nothing_more_comes(connection: Connection) -> bool:
    return not connection._received and not select.select([connection.socket], [], [], 0.1)[0]


def make_instances(folder: Path, count: int, pixels: int = 100) -> list[Instance]:
    return [make_instance(folder, number + 1, pixels) for number in range(count)]


def paths(instances: Sequence[Instance]) -> list[Path]:
    return [instance.path for instance in instances]


def numbers(outcomes: Sequence[Outcome]) -> list[int]:
    """Return the numbers of the instances, counted from 1."""
    return [int(outcome.sop_instance_uid.rpartition(".")[2]) for outcome in outcomes]


async def outcomes_until(association: Association, sources: Any, error: type[DimseError]) -> list[Outcome]:
    """Send until the association ends with `error`; the outcomes of what was sent."""
    outcomes = []
    with pytest.raises(error):
        async for outcome in association.store_many(sources):
            outcomes.append(outcome)
    assert not association.open
    return outcomes


# --- what was agreed ---


@on_both_faces
@on_each_driver
@pytest.mark.parametrize(
    ("asked", "allowed", "queued", "held"),
    [
        (8, 8, 64, 8),
        (8, 3, 64, 3),
        (3, 8, 64, 3),
        (8, 1, 64, 1),
        (1, 8, 64, 1),
        (8, 8, 5, 5),
        (0, 0, 64, 64),
        (0, 0, 5, 5),
    ],
)
async def test_the_window_is_what_both_sides_allow(
    driver: Driver, face: Face, asked: int, allowed: int, queued: int, held: int, tmp_path: Path
) -> None:
    received, instances = Received(), make_instances(tmp_path, 12)
    with serving(face, received.handlers, async_ops=allowed, limits=Limits(queued_requests=queued)) as port:
        async with await driver.associate(port, async_ops=asked) as association:
            assert association.negotiated.invoked == held
            outcomes = [outcome async for outcome in association.store_many(paths(instances))]
            assert await association.echo() == 0
    assert sorted(numbers(outcomes)) == list(range(1, 13))
    assert all(outcome.status == 0 and outcome.error is None for outcome in outcomes)
    assert received.data_sets == {instance.sop_instance_uid: instance.data_set for instance in instances}


@pytest.mark.parametrize("wrong", [-1, 65536])
def test_a_window_that_cannot_be_said_is_refused(wrong: int) -> None:
    with pytest.raises(ValueError, match="asynchronous operations window"):
        dimse.Server((LOOPBACK, 0), async_ops=wrong, limits=Limits(queued_requests=100_000))


@pytest.mark.sample("blocking")
@on_each_driver
async def test_a_peer_that_does_not_know_of_windows_gets_one_request_at_a_time(driver: Driver, tmp_path: Path) -> None:
    def strict(connection: Connection) -> None:
        connection.accept()
        for _ in range(5):
            message = connection.read_message()
            assert nothing_more_comes(connection)
            connection.respond(message)
        connection.serve()

    with FaultyPeer(strict) as port:
        async with await driver.associate(port, async_ops=8) as association:
            assert association.negotiated.invoked == 1
            outcomes = [outcome async for outcome in association.store_many(paths(make_instances(tmp_path, 5)))]
    assert numbers(outcomes) == [1, 2, 3, 4, 5]


@on_each_driver
@pytest.mark.parametrize(("granted", "outstanding"), [(3, 3), (UNLIMITED, MOST_OUTSTANDING)])
async def test_as_many_are_outstanding_as_were_granted_and_no_more(
    driver: Driver, granted: int, outstanding: int, tmp_path: Path
) -> None:
    count = 2 * outstanding + 1

    def one_too_few(connection: Connection) -> None:
        accept(connection, granted)
        messages = [connection.read_message() for _ in range(outstanding)]
        assert nothing_more_comes(connection)
        for message in messages:
            connection.respond(message)
        connection.serve()

    peer = FaultyPeer(one_too_few)
    with peer as port:
        async with await driver.associate(port, async_ops=UNLIMITED) as association:
            outcomes = [outcome async for outcome in association.store_many(paths(make_instances(tmp_path, count)))]
    assert numbers(outcomes) == list(range(1, count + 1))
    assert peer.connections[0].faults == []


@on_both_faces
def test_a_file_store_keeps_all_that_comes_at_once(face: Face, tmp_path: Path) -> None:
    (sent := tmp_path / "sent").mkdir()
    instances = [*make_instances(sent, 40), make_instance(sent, 41, pixels=3 << 20)]
    with (
        FileStore(tmp_path / "kept") as store,
        serving(face, store.handlers(), async_ops=UNLIMITED) as port,
        dimse.associate(LOOPBACK, port, contexts=[CT_IN_EXPLICIT_VR], async_ops=16) as association,
    ):
        outcomes = list(association.store_many(paths(instances)))
    assert [outcome.state for outcome in outcomes] == ["stored"] * 41
    kept = [
        InstanceFile.check(str(path))
        for path in (tmp_path / "kept").rglob("*")
        if path.is_file() and "1.2.826" in path.name
    ]
    assert {file.sop_instance_uid: bytes(file.data_set(mapped=False)) for file in kept} == {
        instance.sop_instance_uid: instance.data_set for instance in instances
    }


@on_both_faces
@pytest.mark.parametrize("queued", [1, 4])
def test_a_requestor_that_fills_its_window_at_once_is_answered(face: Face, queued: int, tmp_path: Path) -> None:
    received, instances = Received(), make_instances(tmp_path, 30)
    options: dict[str, Any] = {"async_ops": UNLIMITED, "limits": Limits(queued_requests=queued)}
    with (
        serving(face, received.handlers, **options) as port,
        dimse.associate(LOOPBACK, port, contexts=[CT_IN_EXPLICIT_VR], async_ops=UNLIMITED) as association,
    ):
        assert all(outcome.status == 0 for outcome in association.store_many(paths(instances)))
    assert len(received.data_sets) == 30


# --- in whatever order ---


def in_order(*order: int) -> Callable[[Connection], None]:
    """Return a peer that reads as many requests as there are, and answers them in this order; the status tells which it was."""

    def behave(connection: Connection) -> None:
        accept(connection, len(order))
        messages = [connection.read_message() for _ in order]
        # In one piece, so that they arrive together.
        connection.send(b"".join(connection.response(messages[number - 1], 0xC000 + number) for number in order))
        connection.serve()

    return behave


@on_each_driver
@pytest.mark.parametrize("order", [(1, 2, 3, 4), (4, 3, 2, 1), (2, 4, 1, 3)])
async def test_responses_meet_their_request_in_whatever_order_they_come(
    driver: Driver, order: tuple[int, ...], tmp_path: Path
) -> None:
    with FaultyPeer(in_order(*order)) as port:
        async with await driver.associate(port, async_ops=8) as association:
            sources = paths(make_instances(tmp_path, 6))
            outcomes = [outcome async for outcome in association.store_many(sources)]
    assert numbers(outcomes) == [*order, 5, 6]
    assert [outcome.status for outcome in outcomes] == [*(0xC000 + number for number in order), 0, 0]
    assert [outcome.state for outcome in outcomes] == ["refused"] * 4 + ["stored"] * 2


@on_each_driver
async def test_an_outcome_comes_as_its_response_does(driver: Driver, tmp_path: Path) -> None:
    go_on = threading.Event()

    def second_first(connection: Connection) -> None:
        accept(connection, 2)
        first, second = connection.read_message(), connection.read_message()
        connection.respond(second)
        assert go_on.wait(10)
        connection.respond(first)
        connection.serve()

    with FaultyPeer(second_first) as port:
        async with await driver.associate(port, async_ops=2) as association:
            outcomes = []
            async for outcome in association.store_many(paths(make_instances(tmp_path, 2))):
                outcomes.append(outcome)
                go_on.set()
    assert numbers(outcomes) == [2, 1]


@on_each_driver
async def test_a_bad_source_is_an_outcome_meanwhile_and_the_others_go(driver: Driver, tmp_path: Path) -> None:
    received, instances = Received(), make_instances(tmp_path, 4)
    missing = [tmp_path / f"missing-{number}" for number in range(5)]
    one, two, three, four = paths(instances)
    sources = [missing[0], one, missing[1], missing[2], two, three, missing[3], four, missing[4]]
    with serving(handlers=received.handlers, async_ops=3) as port:
        async with await driver.associate(port, async_ops=3) as association:
            outcomes = [outcome async for outcome in association.store_many(iter(sources))]
            assert await association.echo() == 0
    assert sorted(outcome.path for outcome in outcomes) == sorted(map(str, sources))
    assert len(received.data_sets) == 4
    for outcome in outcomes:
        assert outcome.source in sources and outcome.path == str(outcome.source)
        assert outcome.state == ("invalid" if "missing" in outcome.path else "stored")


@pytest.mark.parametrize(
    ("options", "pixels", "outstanding"),
    [
        # Nothing is proposed but what is asked for: there are peers that break on the proposal.
        ({}, 100, 1),
        ({"async_ops": 1}, 100, 1),
        ({"async_ops": ASYNC_OPS}, 100, ASYNC_OPS),
        ({"async_ops": 5}, 600_000, 5),
    ],
)
def test_a_sending_has_as_many_instances_outstanding_as_were_asked_for(
    options: dict[str, Any], pixels: int, outstanding: int, tmp_path: Path
) -> None:
    seen: list[int] = []

    def holds_back(connection: Connection) -> None:
        if options.get("async_ops", 1) == 1:
            connection.accept()
        else:
            accept(connection, 64)
        messages = [connection.read_message()]
        while not nothing_more_comes(connection):
            messages.append(connection.read_message())
        seen.append(len(messages))
        for message in messages:
            connection.respond(message)
        connection.serve()

    instances = make_instances(tmp_path, 6, pixels)
    with FaultyPeer(holds_back) as port:
        outcomes = list(dimse.send(paths(instances), (LOOPBACK, port), **options))
    assert [outcome.state for outcome in outcomes] == ["stored"] * 6
    assert seen == [outstanding]


def move_to(port: int, instances: Sequence[Instance], async_ops: int) -> dimse.Retrieved:
    """Answer a C-MOVE to a destination, and return its end."""
    handlers = dimse.Handlers(move=lambda _: dimse.MoveTo((LOOPBACK, port), paths(instances), async_ops=async_ops))
    with (
        serving(handlers=handlers) as archive,
        dimse.associate(LOOPBACK, archive, contexts=["StudyRootQueryRetrieveInformationModelMove"]) as association,
    ):
        *_, end = association.move({"StudyInstanceUID": "1.2.3"}, "STORE")
    assert isinstance(end, dimse.Retrieved)
    return end


@pytest.mark.parametrize(("asked", "granted", "outstanding"), [(1, 4, 1), (4, 4, 4), (0, 3, 3)])
def test_a_c_move_has_as_many_instances_outstanding_as_its_destination_grants(
    asked: int, granted: int, outstanding: int, tmp_path: Path
) -> None:
    def holds_back(connection: Connection) -> None:
        if asked == 1:
            connection.accept()
        else:
            accept(connection, granted)
        messages = [connection.read_message() for _ in range(outstanding)]
        assert nothing_more_comes(connection)
        for message in reversed(messages):
            connection.respond(message)
        connection.serve()

    peer = FaultyPeer(holds_back)
    with peer as port:
        end = move_to(port, make_instances(tmp_path, 8), asked)
    assert (end.status, end.completed) == (0, 8)
    assert peer.connections[0].faults == []


def test_a_c_move_sends_once_more_what_was_outstanding_when_its_destination_broke_off(tmp_path: Path) -> None:
    """The third of four requests is answered; the other three are sent again, one by one."""
    counts: list[int] = []

    def breaks_off_once(connection: Connection) -> None:
        accept(connection, 4)
        if not counts:
            messages = [connection.read_message() for _ in range(4)]
            counts.append(4)
            connection.respond(messages[2])
            abort(connection, messages)
            return
        for _ in range(3):
            message = connection.read_message()
            assert nothing_more_comes(connection)
            connection.respond(message)
        connection.serve()

    peer = FaultyPeer(breaks_off_once)
    with peer as port:
        end = move_to(port, make_instances(tmp_path, 6), 4)
    assert (end.status, end.completed, end.failed) == (0, 6, 0)
    assert peer.connections[1].faults == []


# --- when it goes wrong ---


def answers_one_and(end: Callable[[Connection, list[Message]], object], granted: int = 4) -> FaultyPeer:
    """Return a peer that reads 4 requests, answers the third with success, and does what `end` does."""

    def behave(connection: Connection) -> None:
        accept(connection, granted)
        messages = [connection.read_message() for _ in range(4)]
        connection.respond(messages[2])
        end(connection, messages)

    return FaultyPeer(behave)


def release(connection: Connection, messages: list[Message]) -> None:
    connection.send_release_request()
    connection.read_pdu()


def abort(connection: Connection, messages: list[Message]) -> None:
    connection.send_abort()
    connection.close()


@pytest.mark.sample("abort-*", "RST-*", "release-*", "silence-*")
@on_each_driver
@pytest.mark.parametrize(
    ("end", "error"),
    [
        (abort, AssociationAborted),
        (lambda connection, _: connection.reset(), ConnectionLost),
        (lambda connection, _: connection.close(), ConnectionLost),
        (release, AssociationReleased),
        (lambda connection, _: until_it_ends(connection), AssociationTimeout),
        (lambda connection, messages: connection.respond(messages[2]), InvalidResponse),
        (lambda connection, messages: connection.respond(messages[0], changes={0x0120: b"\x99\x00"}), InvalidResponse),
    ],
    ids=["abort", "RST", "FIN", "release", "silence", "a second response", "a response to nothing"],
)
async def test_a_loss_leaves_all_that_is_outstanding_unknown(
    driver: Driver, end: Callable[[Connection, list[Message]], object], error: type[DimseError], tmp_path: Path
) -> None:
    sources = paths(make_instances(tmp_path, 4))
    with answers_one_and(end) as port:
        association = await driver.associate(port, async_ops=4, timeouts=Timeouts(dimse=0.3))
        outcomes = await outcomes_until(association, sources, error)
    assert numbers(outcomes) == [3, 1, 2, 4]
    assert [outcome.state for outcome in outcomes] == ["stored", "unknown", "unknown", "unknown"]
    assert [type(outcome.error) for outcome in outcomes[1:]] == [error] * 3
    assert [outcome.attempts for outcome in outcomes] == [1] * 4


@on_each_driver
async def test_what_was_answered_before_the_end_counts(driver: Driver, tmp_path: Path) -> None:
    """The responses and the abort arrive together, while the next request is about to be sent."""

    def answers_and_aborts(connection: Connection) -> None:
        accept(connection, 3)
        messages = [connection.read_message() for _ in range(3)]
        connection.send(
            b"".join(connection.response(message) for message in messages[:2]) + bytes.fromhex("0700 00000004 00000000")
        )
        connection.close()

    with FaultyPeer(answers_and_aborts) as port:
        association = await driver.associate(port, async_ops=3)
        outcomes = await outcomes_until(association, paths(make_instances(tmp_path, 8)), AssociationAborted)
    states = {number: outcome.state for number, outcome in zip(numbers(outcomes), outcomes, strict=True)}
    assert states.pop(1) == states.pop(2) == "stored"
    # The fourth may have been about to go.
    assert set(states) <= {3, 4} and 3 in states
    assert set(states.values()) == {"unknown"}


@on_each_driver
async def test_a_response_that_is_pending_is_no_second_chance(driver: Driver, tmp_path: Path) -> None:
    def pending(connection: Connection) -> None:
        accept(connection, 2)
        first, second = connection.read_message(), connection.read_message()
        connection.send(connection.response(first, 0xFF00) + connection.response(first, 0))
        connection.respond(second)
        until_it_ends(connection)

    with FaultyPeer(pending) as port:
        association = await driver.associate(port, async_ops=2)
        outcomes = await outcomes_until(association, paths(make_instances(tmp_path, 2)), InvalidResponse)
    assert {outcome.state for outcome in outcomes} <= {"refused", "unknown"}
    assert sorted(numbers(outcomes)) == [1, 2]


@pytest.mark.thorough
@on_each_driver
async def test_each_response_gives_a_slow_peer_its_time_anew(driver: Driver, tmp_path: Path) -> None:
    def slow(connection: Connection) -> None:
        accept(connection, 4)
        messages = [connection.read_message() for _ in range(4)]
        for message in messages:
            connection.stall(0.25)
            connection.respond(message)
        connection.serve()

    with FaultyPeer(slow) as port:
        async with await driver.associate(port, async_ops=4, timeouts=Timeouts(dimse=0.6)) as association:
            outcomes = [outcome async for outcome in association.store_many(paths(make_instances(tmp_path, 4)))]
    assert [outcome.state for outcome in outcomes] == ["stored"] * 4
    assert outcomes[0].seconds < outcomes[3].seconds and outcomes[3].seconds >= 1.0


@on_each_driver
async def test_a_file_cut_short_is_itself_invalid_and_the_others_unknown(driver: Driver, tmp_path: Path) -> None:
    small, large = make_instance(tmp_path, 1), make_instance(tmp_path, 2, pixels=12 << 20)

    def cuts_it_short(connection: Connection) -> None:
        accept(connection, 4)
        connection.read_message()
        connection.read_pdu()
        os.truncate(large.path, 4096)
        connection.drain()

    with FaultyPeer(cuts_it_short) as port:
        association = await driver.associate(port, async_ops=4)
        outcomes = await outcomes_until(association, paths([small, large]), FileError)
    assert numbers(outcomes) == [1, 2]
    assert [outcome.state for outcome in outcomes] == ["unknown", "invalid"]
    assert isinstance(outcomes[0].error, AssociationAborted)


# --- whose association it is meanwhile ---


@on_each_driver
async def test_the_association_is_taken_while_requests_are_outstanding(driver: Driver, tmp_path: Path) -> None:
    received = Received()
    with serving(handlers=received.handlers, async_ops=4) as port:
        async with await driver.associate(port, async_ops=4) as association:
            seen = 0
            async for outcome in association.store_many(paths(make_instances(tmp_path, 4))):
                assert outcome.status == 0
                seen += 1
                if seen < 4:
                    with pytest.raises(LocalProtocolError, match="another operation is under way"):
                        await association.echo()
                else:
                    assert await association.echo() == 0  # nothing is outstanding any more
    assert len(received.data_sets) == 4


@on_each_driver
async def test_leaving_while_requests_are_outstanding_aborts(driver: Driver, tmp_path: Path) -> None:
    def answers_one(connection: Connection) -> None:
        accept(connection, 3)
        messages = [connection.read_message() for _ in range(3)]
        connection.respond(messages[0])
        until_it_ends(connection)

    peer = FaultyPeer(answers_one)
    with peer as port:
        association = await driver.associate(port, async_ops=3)
        outcomes = association.store_many(paths(make_instances(tmp_path, 5)))
        assert (await anext(outcomes)).status == 0
        await outcomes.aclose()  # type: ignore[attr-defined]  # what leaving a loop does, sooner or later
        assert not association.open
    assert peer.connections[0].abort == (0, 0)


def test_leaving_loop_and_association_aborts_it_on_either_face(tmp_path: Path) -> None:
    sources = paths(make_instances(tmp_path, 30))

    def blocking(port: int) -> None:
        with dimse.associate(LOOPBACK, port, contexts=[CT_IN_EXPLICIT_VR], async_ops=4) as association:
            for _ in association.store_many(sources):
                break

    async def on_a_loop(port: int) -> None:
        async with aio.associate(LOOPBACK, port, contexts=[CT_IN_EXPLICIT_VR], async_ops=4) as association:
            async for _ in association.store_many(sources):
                break

    def answers_one(connection: Connection) -> None:
        accept(connection, 4)
        connection.respond(connection.read_message())
        until_it_ends(connection)

    peer = FaultyPeer(answers_one)
    with peer as port:
        blocking(port)
        asyncio.run(on_a_loop(port))
    assert [connection.abort for connection in peer.connections] == [(0, 0)] * 2


def test_ctrl_c_while_requests_are_outstanding_aborts(tmp_path: Path) -> None:
    def sources() -> Iterator[Path]:
        yield from paths(make_instances(tmp_path, 2))
        raise KeyboardInterrupt

    def silent(connection: Connection) -> None:
        accept(connection, 4)
        until_it_ends(connection)

    peer = FaultyPeer(silent)
    with (
        peer as port,
        pytest.raises(KeyboardInterrupt),
        dimse.associate(LOOPBACK, port, contexts=[CT_IN_EXPLICIT_VR], async_ops=4) as association,
    ):
        list(association.store_many(sources()))
    assert peer.connections[0].abort == (0, 0)


# --- what it is for ---


# Without a window it would take 2 s.
@pytest.mark.thorough
def test_over_a_distance_a_window_is_at_least_three_times_faster(tmp_path: Path) -> None:
    sources = paths(make_instances(tmp_path, 40))
    seconds = {}
    with serving(handlers=Received().handlers, async_ops=16) as scp, Proxy(scp, delay=0.025) as port:
        for async_ops in (1, 16):
            with dimse.associate(LOOPBACK, port, contexts=[CT_IN_EXPLICIT_VR], async_ops=async_ops) as association:
                started = time.monotonic()
                assert all(outcome.status == 0 for outcome in association.store_many(sources))
                seconds[async_ops] = time.monotonic() - started
    assert seconds[1] >= 40 * 0.05
    assert seconds[16] <= seconds[1] / 3
