"""Requests that a peer sends before those ahead of them are answered: they wait in the connection, and cost nothing meanwhile."""

from __future__ import annotations

import socket
import struct
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import FrameType

import pytest

import dimse
from dimse import uids
from dimse.archive import FileStore
from dimse.association.association import Arrived, BaseAssociation
from dimse.association.sinks import Sink, SpooledSink
from dimse.logs.security_events import SecurityEvent
from dimse.message import command
from dimse.settings import Limits, Timeouts
from tests import hostile_scu
from tests.drivers import Driver, Face, errors, on_both_faces, on_each_driver, running, serving
from tests.faulty_peer import A_RELEASE_RQ, Connection, FaultyPeer, command_set, item, pdu, pdv, us
from tests.hostile_scu import ABORT, COMMAND, ECHO, LAST, RELEASE_RQ, STORE, USER_INFORMATION, HostileSCU, associate_rq

FLOOD = 120
LONG = 20.0


class CountingSink(SpooledSink):
    """A sink that counts how many of its kind hold something."""

    open_now = most_open = 0
    lock = threading.Lock()

    def __init__(self) -> None:
        super().__init__()
        self._is_open = True
        with self.lock:
            CountingSink.open_now += 1
            CountingSink.most_open = max(CountingSink.most_open, CountingSink.open_now)

    def discard(self) -> None:
        super().discard()
        if self._is_open:
            self._is_open = False
            with self.lock:
                CountingSink.open_now -= 1


@pytest.fixture(autouse=True)
def nothing_is_open() -> None:
    CountingSink.open_now = CountingSink.most_open = 0


class Kept:
    """A set of handlers that keep what was stored, and record what they were asked."""

    def __init__(self) -> None:
        self.data_sets: dict[str, bytes] = {}
        self.ended = threading.Event()
        self.handlers = dimse.Handlers(store=self.store, store_begin=self.begin)

    def begin(self, request: dimse.StoreRequest) -> Sink:
        return CountingSink()

    def store(self, request: dimse.StoreRequest) -> int:
        self.data_sets[request.sop_instance_uid] = bytes(request.view())
        return 0x0000

    def observe(self, event: SecurityEvent) -> None:
        if event.kind == "ended":
            self.ended.set()


def request_with_window(invoked: int | None) -> bytes:
    """Return an A-ASSOCIATE-RQ that asks for a window of asynchronous operations, or for none."""
    window = b"" if invoked is None else item(0x53, struct.pack(">HH", invoked, 1))
    return associate_rq(user_information=USER_INFORMATION + window)


def uid(number: int) -> str:
    return f"1.2.826.0.1.3680043.10.999.{number}"


def stores(numbers: Sequence[int], size: int = 100) -> bytes:
    return b"".join(hostile_scu.store(uid(number), size, number) for number in numbers)


@on_both_faces
@pytest.mark.parametrize("window", [None, 1, 4, 0])
def test_a_flood_waits_for_its_turn_and_all_of_it_is_stored(face: Face, window: int | None) -> None:
    kept = Kept()
    numbers = range(1, FLOOD + 1)
    with serving(face, kept.handlers, async_ops=4) as port, HostileSCU(port) as scu:
        scu.associate(request_with_window(window))
        scu.send(stores(numbers) + RELEASE_RQ)
        answers = scu.answers()
    assert answers == ["C-STORE-RSP 0000H"] * FLOOD + ["A-RELEASE-RP"]
    assert kept.data_sets == {uid(number): hostile_scu.data_set(uid(number), 100) for number in numbers}
    assert CountingSink.most_open == 1, "an instance that waits holds nothing"


@on_both_faces
@pytest.mark.parametrize("size", [0, 100, 20_000, 300_000, 1_500_000])
def test_instances_of_any_size_arrive_whole_behind_one_another(face: Face, size: int, tmp_path: Path) -> None:
    count = 2_000_000 // max(size, 50_000)
    with FileStore(tmp_path) as store, serving(face, store.handlers(), async_ops=4) as port, HostileSCU(port) as scu:
        scu.associate(request_with_window(4))
        sender = threading.Thread(target=scu.send, args=(stores(range(1, count + 1), size) + RELEASE_RQ,))
        sender.start()
        answers = scu.answers()
        sender.join()
    assert answers == ["C-STORE-RSP 0000H"] * count + ["A-RELEASE-RP"]
    files = [path for path in tmp_path.rglob("*") if path.is_file() and "1.2.826" in path.name]
    assert len(files) == count
    for path in files:
        number = path.name.removesuffix(".dcm").rpartition(".")[2]
        assert path.read_bytes().endswith(hostile_scu.data_set(uid(int(number)), size))


@on_both_faces
def test_pieces_of_two_bytes_behind_a_request_arrive_whole(face: Face) -> None:
    """One receive brings more fragments than are kept in a list: the rest of its bytes is looked at later."""
    kept = Kept()
    expected = hostile_scu.data_set(uid(2), 40_000)
    pieces = [expected[start : start + 2] for start in range(0, len(expected), 2)]
    pdvs = [pdv(STORE, LAST * (number == len(pieces) - 1), piece) for number, piece in enumerate(pieces)]
    pdus = [pdu(4, b"".join(pdvs[start : start + 500])) for start in range(0, len(pdvs), 500)]
    second = hostile_scu.p_data(STORE, COMMAND | LAST, hostile_scu.store_command(uid(2), 2)) + b"".join(pdus)
    with serving(face, kept.handlers) as port, HostileSCU(port) as scu:
        scu.associate()
        scu.send(stores([1]) + second + stores([3]) + RELEASE_RQ)
        answers = scu.answers()
    assert answers == ["C-STORE-RSP 0000H"] * 3 + ["A-RELEASE-RP"]
    assert kept.data_sets[uid(2)] == expected


@on_both_faces
def test_echoes_and_unknown_messages_wait_too(face: Face) -> None:
    unknown = hostile_scu.p_data(ECHO, COMMAND | LAST, hostile_scu.echo_command(9, {0x0100: us(0x0077)}))
    with serving(face, Kept().handlers) as port, HostileSCU(port) as scu:
        scu.associate()
        scu.send((hostile_scu.echo(1) + unknown + stores([1])) * 5 + RELEASE_RQ)
        answers = scu.answers()
    assert answers == ["C-ECHO-RSP 0000H", "8077H 0211H", "C-STORE-RSP 0000H"] * 5 + ["A-RELEASE-RP"]


@on_both_faces
def test_a_cancel_is_not_answered_and_holds_nothing_up(face: Face) -> None:
    cancel = hostile_scu.p_data(
        ECHO, COMMAND | LAST, command_set({0x0100: us(0x0FFF), 0x0120: us(1), 0x0800: us(0x0101)})
    )
    with serving(face, Kept().handlers, limits=Limits(queued_requests=8)) as port, HostileSCU(port) as scu:
        scu.associate()
        scu.send(stores([1]) + cancel * 30 + stores([2]) + RELEASE_RQ)
        answers = scu.answers()
    assert answers == ["C-STORE-RSP 0000H"] * 2 + ["A-RELEASE-RP"]


@on_both_faces
def test_a_peer_that_ends_its_direction_is_answered_to_the_end(face: Face) -> None:
    kept = Kept()
    with serving(face, kept.handlers) as port, HostileSCU(port) as scu:
        scu.associate()
        scu.send(stores(range(1, FLOOD + 1)))
        scu.socket.shutdown(socket.SHUT_WR)
        answers = [scu.read() for _ in range(FLOOD)]
        assert scu.read() == "closed"
    assert answers == ["C-STORE-RSP 0000H"] * FLOOD


@on_both_faces
@pytest.mark.parametrize("end", ["abort", "RST", "nonsense"])
def test_an_end_behind_the_flood_is_noticed_before_all_of_it_is_worked_off(face: Face, end: str) -> None:
    kept = Kept()
    begun, go_on = threading.Event(), threading.Event()

    def store(request: dimse.StoreRequest) -> int:
        begun.set()
        assert go_on.wait(LONG)
        return kept.store(request)

    handlers = dimse.Handlers(store=store, store_begin=kept.begin)
    with running(face, handlers, observe=kept.observe) as server, HostileSCU(server.address[1]) as scu:
        scu.associate()
        scu.send(stores(range(1, FLOOD + 1)) + {"abort": ABORT, "RST": b"", "nonsense": pdu(0x77, b"")}[end])
        assert begun.wait(LONG)
        if end == "RST":
            scu.reset()
        go_on.set()
        assert kept.ended.wait(LONG)
    # Of those whose response the peer cannot get a few are stored at the most.
    assert 1 <= len(kept.data_sets) <= 3
    assert CountingSink.open_now == 0


@pytest.mark.sample("threads")
@on_both_faces
def test_the_time_that_a_handler_takes_does_not_count_against_a_pdu_behind_its_request(face: Face) -> None:
    never = threading.Event()

    def store(request: dimse.StoreRequest) -> int:
        never.wait(0.4 if request.message_id == 1 else 0)
        return 0x0000

    handlers = dimse.Handlers(store=store)
    both = stores([1, 2], size=10_000)
    split = len(both) - 5_000
    with serving(face, handlers, timeouts=Timeouts(network=0.2)) as port, HostileSCU(port) as scu:
        scu.associate()
        scu.send(both[:split])
        assert scu.read() == "C-STORE-RSP 0000H"
        scu.send(both[split : split + 10])
        scu.send(both[split + 10 :] + RELEASE_RQ)
        assert scu.answers() == ["C-STORE-RSP 0000H", "A-RELEASE-RP"]


@pytest.mark.thorough
@on_both_faces
def test_a_peer_that_floods_and_reads_no_answer_is_ended_by_the_network_timeout(
    face: Face, caplog: pytest.LogCaptureFixture
) -> None:
    kept = Kept()
    options = {"observe": kept.observe, "timeouts": Timeouts(network=0.3)}
    with running(face, kept.handlers, **options) as server, HostileSCU(server.address[1]) as scu:
        scu.associate()
        echoes = hostile_scu.echo() * 1000

        def flood() -> None:
            with suppress(OSError):
                while not kept.ended.is_set():
                    scu.socket.sendall(echoes)

        flooding = threading.Thread(target=flood)
        flooding.start()
        assert kept.ended.wait(LONG)
        scu.socket.close()
        flooding.join()
    assert any("Network timeout reached" in line for line in errors(caplog))


# --- on an association of ours ---


def echo_request(message_id: int) -> bytes:
    """Return a C-ECHO-RQ of a peer that accepted the association."""
    return hostile_scu.p_data(ECHO, COMMAND | LAST, hostile_scu.echo_command(message_id))


@on_each_driver
async def test_requests_ahead_of_a_response_are_answered_and_the_response_is_taken(driver: Driver) -> None:
    answered: list[int] = []

    def behave(connection: Connection) -> None:
        connection.accept()
        message = connection.read_message()
        connection.send(b"".join(map(echo_request, (1, 2, 3))) + connection.response(message))
        answered.extend(connection.read_message().elements[0x0120][0] for _ in range(3))
        connection.serve()

    with FaultyPeer(behave) as port:
        async with await driver.associate(port, handlers=dimse.Handlers()) as association:
            assert await association.echo() == 0
    assert answered == [1, 2, 3]


@on_each_driver
async def test_a_release_does_not_wait_for_requests_that_crossed_it(driver: Driver) -> None:
    def behave(connection: Connection) -> None:
        connection.accept()
        while connection.read_pdu()[0] != A_RELEASE_RQ:
            pass
        connection.send(b"".join(map(echo_request, (1, 2, 3))))
        connection.send_release_response()

    with FaultyPeer(behave) as port:
        association = await driver.associate(port, handlers=dimse.Handlers(), timeouts=Timeouts(acse=LONG))
        await association.release()
    assert not association.open


class AsksBack(dimse.Handlers):
    """A set of handlers that verify the peer in the middle of their answer to its first request."""

    async def answer(self, association: BaseAssociation, arrived: Arrived) -> None:
        assert isinstance(arrived.message, command.CEchoRQ)
        if arrived.message.message_id == 1:
            context = association.context_for(uids.Verification)
            request = command.CEchoRQ(
                message_id=association.next_message_id(), affected_sop_class_uid=uids.Verification
            )
            await association.send_request(context, request)
            assert (await association.wait_response(request)).status == 0
            association.finish()
            assert association.open, "an answer is under way"
        await super().answer(association, arrived)


@pytest.mark.usefixtures("brief_linger")
@on_each_driver
async def test_a_handler_may_await_a_response_while_requests_wait_behind_its_own(driver: Driver) -> None:
    def behave(connection: Connection) -> None:
        connection.accept()
        connection.send(b"".join(map(echo_request, (1, 2, 3))))
        asked = connection.read_message()
        while asked.command_field != 0x0030:
            asked = connection.read_message()
        connection.respond(asked)
        connection.drain()

    peer = FaultyPeer(behave)
    with peer as port:
        association = await driver.associate(port, handlers=AsksBack())
        with pytest.raises(dimse.AssociationAborted):  # by `finish`, when all is answered
            await association.serve()
    fields = [(message.command_field, message.elements.get(0x0120)) for message in peer.connections[0].messages]
    assert fields == [(0x0030, None), (0x8030, us(2)), (0x8030, us(3)), (0x8030, us(1))]


class Watch:
    """A trace function that looks at each line whether the association is at work, until it has answered."""

    def __init__(self, association: BaseAssociation) -> None:
        self.association = association
        self.begun = self.answered = False
        self.idle_at: list[tuple[str, int]] = []

    def __call__(self, frame: FrameType, event: str, argument: object) -> Watch:
        if not self.answered:
            at_work = self.association._inbox.is_at_work
            if self.begun and not at_work:
                self.idle_at.append((frame.f_code.co_filename, frame.f_lineno))
            self.begun = self.begun or at_work
        return self


@on_each_driver
async def test_a_request_is_under_way_from_its_first_byte_to_its_response(driver: Driver) -> None:
    traced = threading.Event()

    def behave(connection: Connection) -> None:
        connection.accept()
        traced.wait(LONG)
        command_bytes = hostile_scu.store_command("1.2.3")
        pieces = [
            (COMMAND, command_bytes[:20]),
            (COMMAND | LAST, command_bytes[20:]),
            (0, bytes(100)),
            (LAST, bytes(100)),
        ]
        for control, piece in pieces:
            connection.send(hostile_scu.p_data(STORE, control, piece))
        connection.read_message()
        connection.close()

    class Answers(dimse.Handlers):
        async def answer(self, association: BaseAssociation, arrived: Arrived) -> None:
            await super().answer(association, arrived)
            watch.answered = True

    with FaultyPeer(behave) as port:
        association = await driver.associate(port, handlers=Answers())
        watch, before = Watch(association), sys.gettrace()
        sys.settrace(watch)
        traced.set()
        try:
            with suppress(dimse.DimseError):
                await association.serve()
        finally:
            sys.settrace(before)
    assert watch.begun and watch.answered
    assert watch.idle_at == []
