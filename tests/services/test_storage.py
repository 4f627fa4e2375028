"""C-STORE, asked on both drivers and answered by both faces: what arrives is what was sent, and every failure is honest."""

from __future__ import annotations

import asyncio
import os
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pydicom
import pytest

import dimse
from dimse import uids
from dimse.association.sinks import SPOOL_MEMORY, SpooledSink
from dimse.errors import (
    AssociationAborted,
    AssociationError,
    DimseError,
    FileError,
    NoPresentationContext,
)
from dimse.instances import InstanceFile
from dimse.message.command import CStoreRQ
from dimse.services.preparing import AHEAD
from dimse.services.storage import contexts_for
from dimse.settings import ProposedContext
from dimse.transport import READ
from tests.drivers import (
    CT_IN_EXPLICIT_VR,
    Driver,
    Face,
    Received,
    errors,
    make_instance,
    on_both_faces,
    on_each_driver,
    serving,
)
from tests.faulty_peer import Connection, FaultyPeer

CT_SMALL = Path(pydicom.__file__).parent / "data" / "test_files" / "CT_small.dcm"


def decoded(data_set: bytes) -> pydicom.Dataset:
    from io import BytesIO

    return pydicom.dcmread(BytesIO(data_set), force=True)


# --- what can be sent ---


@on_both_faces
@on_each_driver
@pytest.mark.parametrize("pixels", [0, 1000, 70_000, SPOOL_MEMORY + 2, 5 << 20])
async def test_what_arrives_is_what_was_sent(driver: Driver, face: Face, pixels: int, tmp_path: Path) -> None:
    received, instance = Received(), make_instance(tmp_path, pixels=pixels)
    with serving(face, received.handlers) as port:
        async with await driver.associate(port) as association:
            status = await association.store(instance.path)
            assert (status, status.is_success) == (0, True)
    assert received.data_sets == {instance.sop_instance_uid: instance.data_set}


@on_each_driver
async def test_a_path_a_file_and_a_data_set_are_sent(driver: Driver, tmp_path: Path) -> None:
    instance = make_instance(tmp_path)
    data_set = pydicom.dcmread(instance.path)
    for source in (instance.path, str(instance.path), InstanceFile.check(str(instance.path)), data_set):
        received = Received()
        with serving(handlers=received.handlers) as port:
            async with await driver.associate(port) as association:
                assert await association.store(source) == 0
        assert received.data_sets == {instance.sop_instance_uid: instance.data_set}, source


@on_each_driver
@pytest.mark.parametrize("syntax", [uids.ImplicitVRLittleEndian, uids.ExplicitVRLittleEndian])
async def test_a_data_set_that_never_was_a_file_is_encoded_as_the_peer_accepts(driver: Driver, syntax: str) -> None:
    data_set = pydicom.Dataset()
    data_set.SOPClassUID = uids.CTImageStorage
    data_set.SOPInstanceUID = "1.2.3"
    data_set.PatientName = "Of^No^File"
    kept: list[pydicom.Dataset] = []

    def keep(request: dimse.StoreRequest) -> int:
        kept.append(request.dataset())
        return 0

    with serving(handlers=dimse.Handlers(store=keep)) as port:
        async with await driver.associate(port, [ProposedContext(uids.CTImageStorage, (syntax,))]) as association:
            assert await association.store(data_set) == 0
    assert kept[0].PatientName == "Of^No^File"
    assert kept[0].file_meta.TransferSyntaxUID == syntax


@on_each_driver
async def test_a_router_passes_an_instance_on_undecoded(driver: Driver, tmp_path: Path) -> None:
    instance, last = make_instance(tmp_path, pixels=SPOOL_MEMORY * 2), Received()
    with serving(handlers=last.handlers) as last_port:

        def pass_on(request: dimse.StoreRequest) -> int:
            with dimse.associate("127.0.0.1", last_port, contexts=[CT_IN_EXPLICIT_VR]) as onwards:
                return onwards.store(request)

        with serving("threads", dimse.Handlers(store=pass_on)) as port:
            async with await driver.associate(port) as association:
                assert await association.store(instance.path) == 0
    assert last.data_sets == {instance.sop_instance_uid: instance.data_set}


@on_each_driver
async def test_a_peer_that_refuses_the_files_own_syntax_gets_another(driver: Driver) -> None:
    received = Received()
    options: dict[str, Any] = {"transfer_syntaxes": [uids.ImplicitVRLittleEndian]}
    with serving("threads", received.handlers, **options) as port:
        async with await driver.associate(port, contexts_for([CT_SMALL])) as association:
            with pytest.raises(NoPresentationContext, match="Explicit VR Little Endian"):
                await association.store(CT_SMALL, transcode="never")
            assert await association.store(CT_SMALL) == 0
    [data_set] = received.data_sets.values()
    assert decoded(data_set).PixelData == pydicom.dcmread(CT_SMALL).PixelData


def test_the_contexts_for_files_are_their_own_and_a_fall_back(tmp_path: Path) -> None:
    contexts = contexts_for([make_instance(tmp_path, 1).path, make_instance(tmp_path, 2).path])
    assert contexts == (
        CT_IN_EXPLICIT_VR,
        ProposedContext(uids.CTImageStorage, (uids.ExplicitVRLittleEndian, uids.ImplicitVRLittleEndian)),
    )
    with pytest.raises(FileError):
        contexts_for([tmp_path / "missing.dcm"])


# --- what cannot ---


@on_each_driver
async def test_what_cannot_be_sent_leaves_the_association_standing(driver: Driver, tmp_path: Path) -> None:
    text = tmp_path / "notes.txt"
    text.write_text("not an image")
    without_uid = pydicom.Dataset()
    without_uid.SOPClassUID = uids.CTImageStorage
    received = Received()
    with serving(handlers=received.handlers) as port:
        async with await driver.associate(port) as association:
            for source, words in (
                (tmp_path / "missing.dcm", "missing.dcm: no such file or directory"),
                (text, "notes.txt: not DICOM"),
                (tmp_path, "not a regular file"),
                (without_uid, "no SOP Instance UID"),
            ):
                with pytest.raises(FileError, match=words):
                    await association.store(source)
            assert await association.echo() == 0
    assert not received.data_sets


@on_each_driver
async def test_a_class_that_was_not_accepted_leaves_the_association_standing(driver: Driver, tmp_path: Path) -> None:
    with serving() as port:  # it does not store
        async with await driver.associate(port) as association:
            with pytest.raises(NoPresentationContext, match="CT Image Storage"):
                await association.store(make_instance(tmp_path).path)
            assert await association.echo() == 0


@on_each_driver
async def test_a_file_cut_short_while_it_is_sent_is_never_taken_for_whole(driver: Driver, tmp_path: Path) -> None:
    instance = make_instance(tmp_path, pixels=12 << 20)

    def cuts_it_short(connection: Connection) -> None:
        connection.accept()
        connection.read_pdu()
        os.truncate(instance.path, 4096)
        connection.drain()

    peer = FaultyPeer(cuts_it_short)
    with peer as port:
        association = await driver.associate(port)
        with pytest.raises(FileError, match="cut short while it was being sent") as raised:
            await association.store(instance.path)
        assert isinstance(raised.value.__cause__, OSError)
        assert not association.open
    assert not peer.connections[0].messages


@on_each_driver
async def test_while_the_peer_works_no_file_is_mapped(driver: Driver, tmp_path: Path) -> None:
    """To take the map of a large file down takes milliseconds: they are not to come on top of the peer's."""
    instance = make_instance(tmp_path, pixels=1 << 20)
    mapped = True

    def answers_then(connection: Connection) -> None:
        nonlocal mapped
        connection.accept()
        message = connection.read_message()
        give_up = time.monotonic() + 10
        while mapped and time.monotonic() < give_up:
            mapped = str(instance.path) in Path("/proc/self/maps").read_text()
        connection.respond(message)

    with FaultyPeer(answers_then) as port:
        association = await driver.associate(port)
        assert await association.store(instance.path) == 0
        association.abort()
    assert not mapped


# --- many ---


@on_both_faces
@on_each_driver
async def test_of_many_a_bad_one_is_an_outcome_and_the_others_go(driver: Driver, face: Face, tmp_path: Path) -> None:
    received = Received()
    good = [make_instance(tmp_path, number) for number in (1, 2, 3)]
    bad = tmp_path / "bad.dcm"
    bad.write_bytes(good[0].path.read_bytes()[:-10])
    other_class = CT_SMALL.with_name("MR_small.dcm")
    sources = [good[0].path, bad, good[1].path, other_class, good[2].path]
    with serving(face, received.handlers) as port:
        async with await driver.associate(port) as association:
            outcomes = [outcome async for outcome in association.store_many(sources)]
            assert [outcome async for outcome in association.store_many([])] == []
    assert [outcome.path for outcome in outcomes] == [str(source) for source in sources]
    assert [outcome.status for outcome in outcomes] == [0, None, 0, None, 0]
    assert [type(outcome.error) for outcome in outcomes] == [
        type(None),
        FileError,
        type(None),
        NoPresentationContext,
        type(None),
    ]
    assert [outcome.sop_instance_uid for outcome in outcomes if outcome.status is not None] == [
        instance.sop_instance_uid for instance in good
    ]
    assert received.data_sets == {instance.sop_instance_uid: instance.data_set for instance in good}


@on_each_driver
async def test_when_the_association_ends_the_one_under_way_is_unknown(driver: Driver, tmp_path: Path) -> None:
    def aborts_after_one(connection: Connection) -> None:
        connection.accept()
        connection.respond(connection.read_message())
        connection.read_message()
        connection.send_abort()
        connection.close()

    instances = [make_instance(tmp_path, number) for number in (1, 2, 3)]
    outcomes = []
    with FaultyPeer(aborts_after_one) as port:
        association = await driver.associate(port)
        with pytest.raises(AssociationAborted):
            async for outcome in association.store_many([instance.path for instance in instances]):
                outcomes.append(outcome)
    assert [outcome.status for outcome in outcomes] == [0, None]
    assert isinstance(outcomes[1].error, AssociationAborted)
    assert outcomes[1].sop_instance_uid == instances[1].sop_instance_uid


@on_each_driver
async def test_what_an_association_that_has_ended_did_not_carry_is_not_unknown(driver: Driver, tmp_path: Path) -> None:
    def aborts_between(connection: Connection) -> None:
        connection.accept()
        connection.respond(connection.read_message())
        connection.send_abort()
        connection.close()

    instances = [make_instance(tmp_path, number) for number in (1, 2)]
    with FaultyPeer(aborts_between) as port:
        association = await driver.associate(port)
        outcomes = association.store_many([instance.path for instance in instances])
        assert (await anext(outcomes)).status == 0
        # What the peer has sent may take a moment to get here.
        assert await association.pump.transport.ready(READ, None)
        with pytest.raises(AssociationAborted):
            await anext(outcomes)


@on_each_driver
@pytest.mark.parametrize(("pixels", "goes_ahead"), [(100, True), (AHEAD, False)])
async def test_sent_ahead_a_small_instance_is_on_its_way_when_the_one_before_is_told(
    driver: Driver, tmp_path: Path, pixels: int, goes_ahead: bool
) -> None:
    came = threading.Event()

    def answers_the_first(connection: Connection) -> None:
        connection.accept()
        connection.respond(connection.read_message())
        connection.read_message()
        came.set()
        connection.send_abort()

    instances = [make_instance(tmp_path, 1), make_instance(tmp_path, 2, pixels=pixels)]
    with FaultyPeer(answers_the_first) as port:
        association = await driver.associate(port)
        outcomes = association.store_many([instance.path for instance in instances], ahead=True)
        assert (await anext(outcomes)).status == 0
        assert came.wait(10 if goes_ahead else 0.1) is goes_ahead
        assert isinstance((await anext(outcomes)).error, AssociationAborted)
        with pytest.raises(AssociationAborted):
            await anext(outcomes)


@on_each_driver
async def test_a_caller_that_has_seen_enough_outcomes_can_do_something_else(driver: Driver, tmp_path: Path) -> None:
    received = Received()
    sources = [make_instance(tmp_path, number).path for number in (1, 2, 3)]
    with serving(handlers=received.handlers) as port:
        async with await driver.associate(port) as association:
            outcomes = association.store_many(sources)
            assert (await anext(outcomes)).status == 0
            await outcomes.aclose()  # type: ignore[attr-defined]  # what leaving a loop does, sooner or later
            assert await association.echo() == 0
            assert not association._outstanding.requests
    assert len(received.data_sets) == 1


# --- what a handler has ---


@on_both_faces
@on_each_driver
@pytest.mark.parametrize("pixels", [1000, SPOOL_MEMORY * 2])
async def test_a_handler_reads_the_instance_as_it_likes(
    driver: Driver, face: Face, pixels: int, tmp_path: Path
) -> None:
    instance, kept = make_instance(tmp_path, pixels=pixels), tmp_path / "kept.dcm"
    seen: dict[str, Any] = {}

    def look(request: dimse.StoreRequest) -> int:
        seen["said"] = (request.sop_class_uid, request.sop_instance_uid, request.peer.ae_title)
        seen["asked"] = (request.message_id, request.priority, request.called_ae_title, request.move_originator)
        seen["size"], seen["path"] = request.size, request.path
        seen["view"] = bytes(request.view())
        with request.open() as file:
            seen["file"] = file.read()
        seen["decoded"] = request.dataset()
        request.move_to(kept)
        return 0

    with serving(face, dimse.Handlers(store=look)) as port:
        async with await driver.associate(port, calling_ae_title="US", called_ae_title="THEM") as association:
            assert await association.store(instance.path, priority=1) == 0
    assert seen["said"] == (uids.CTImageStorage, instance.sop_instance_uid, "US")
    assert seen["asked"] == (1, 1, "THEM", None)
    assert (seen["size"], seen["path"]) == (len(instance.data_set), None)
    assert seen["view"] == instance.data_set
    assert seen["file"] == kept.read_bytes()
    assert seen["decoded"].SOPInstanceUID == instance.sop_instance_uid
    stored = InstanceFile.check(str(kept))
    assert bytes(stored.data_set()) == instance.data_set
    assert stored.transfer_syntax_uid == uids.ExplicitVRLittleEndian


@on_each_driver
async def test_a_sub_operation_says_whose_it_is(driver: Driver) -> None:
    originators = []

    def note(request: dimse.StoreRequest) -> int:
        originators.append(request.move_originator)
        return 0

    with serving(handlers=dimse.Handlers(store=note)) as port:
        async with await driver.associate(port) as association:
            message = CStoreRQ(
                message_id=1,
                affected_sop_class_uid=uids.CTImageStorage,
                affected_sop_instance_uid="1.2.3",
                priority=0,
                move_originator_application_entity_title="MOVER",
                move_originator_message_id=77,
            )
            await association.exchange(association.context_for(uids.CTImageStorage), message, b"")
    assert originators == [("MOVER", 77)]


def test_an_instance_moved_to_a_path_never_replaces_another_unless_asked_to(tmp_path: Path) -> None:
    final = tmp_path / "final.dcm"
    instance = make_instance(tmp_path)
    problems: list[type[BaseException]] = []

    def move(request: dimse.StoreRequest) -> int:
        request.move_to(final)
        first = final.read_bytes()
        request.move_to(str(final))
        assert final.read_bytes() == first
        another_instance = tmp_path / "another.dcm"
        another_instance.write_bytes(b"theirs")
        for path in (another_instance, tmp_path / "nowhere" / "x.dcm"):
            try:
                request.move_to(path)
            except OSError as error:
                problems.append(type(error))
        assert another_instance.read_bytes() == b"theirs"
        request.move_to(another_instance, overwrite=True)
        assert another_instance.read_bytes() == first
        assert {path.name for path in tmp_path.iterdir()} == {"another.dcm", "final.dcm", instance.path.name}
        return 0

    with (
        serving(handlers=dimse.Handlers(store=move)) as port,
        dimse.associate("127.0.0.1", port, contexts=[CT_IN_EXPLICIT_VR]) as association,
    ):
        assert association.store(instance.path) == 0
    assert problems == [FileExistsError, FileNotFoundError]


# --- what a handler does ---


@on_both_faces
@on_each_driver
async def test_a_handler_that_raises_is_a_status_and_a_line(
    driver: Driver, face: Face, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def fails(_: dimse.StoreRequest) -> int:
        await asyncio.sleep(0)
        raise ValueError("full moon")

    with serving(face, dimse.Handlers(store=fails)) as port:
        async with await driver.associate(port) as association:
            status = await association.store(make_instance(tmp_path).path)
            assert (status, status.comment) == (0x0110, "the handler failed")
            assert errors(caplog) == ["the handler of StoreRequest failed: ValueError: full moon"]
            assert await association.echo() == 0


class Memory:
    """A sink of a user's own."""

    error: OSError | None = None

    def __init__(self, fails_after: int | None = None) -> None:
        self.content = bytearray()
        self.discarded = 0
        self._fails_after = fails_after

    def write(self, buffers: Sequence[memoryview]) -> None:
        for view in buffers:
            self.content += view
        if self._fails_after is not None and len(self.content) > self._fails_after:
            self.error = OSError(28, "No space left on device")

    def discard(self) -> None:
        self.discarded += 1


@on_both_faces
@on_each_driver
async def test_before_the_data_set_comes_it_may_be_refused(driver: Driver, face: Face, tmp_path: Path) -> None:
    answers: list[Any] = [0xA700, dimse.Status(0x0124, comment="not you"), 0x1_0000, 0, None]
    stored: list[int] = []

    def begin(request: dimse.StoreRequest) -> Any:
        assert request.sink is None
        return answers.pop(0)

    def store(request: dimse.StoreRequest) -> int:
        stored.append(request.size)
        return 0

    instance = make_instance(tmp_path, pixels=SPOOL_MEMORY * 2)
    with serving(face, dimse.Handlers(store=store, store_begin=begin)) as port:
        async with await driver.associate(port) as association:
            statuses = [await association.store(instance.path) for _ in range(5)]
    assert statuses == [0xA700, 0x0124, 0x0110, 0, 0]
    assert statuses[1].comment == "not you"
    assert stored == [len(instance.data_set)] * 2


@on_both_faces
@on_each_driver
async def test_a_handler_that_fails_before_the_data_set_comes_refuses_it(
    driver: Driver, face: Face, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def begin(_: dimse.StoreRequest) -> int:
        raise ValueError("no")

    with serving(face, dimse.Handlers(store=lambda _: 0, store_begin=begin)) as port:
        async with await driver.associate(port) as association:
            assert await association.store(make_instance(tmp_path).path) == 0x0110
            assert await association.echo() == 0
    assert len(errors(caplog)) == 1


@on_both_faces
@on_each_driver
async def test_a_sink_of_ones_own_takes_the_data_set(driver: Driver, face: Face, tmp_path: Path) -> None:
    sink, seen = Memory(), []

    async def begin(_: dimse.StoreRequest) -> Memory:
        await asyncio.sleep(0)
        return sink

    def store(request: dimse.StoreRequest) -> int:
        seen.append((request.sink is sink, sink.discarded))
        with pytest.raises(DimseError, match="does not give back"):
            request.view()
        return 0

    instance = make_instance(tmp_path, pixels=SPOOL_MEMORY * 2)
    with serving(face, dimse.Handlers(store=store, store_begin=begin)) as port:
        async with await driver.associate(port) as association:
            assert await association.store(instance.path) == 0
    assert sink.content == instance.data_set
    assert seen == [(True, 0)]
    assert sink.discarded == 1


@on_both_faces
@on_each_driver
async def test_a_sink_that_fails_is_out_of_resources_once_all_has_come(
    driver: Driver, face: Face, tmp_path: Path
) -> None:
    sink = Memory(fails_after=100_000)
    instance = make_instance(tmp_path, pixels=SPOOL_MEMORY * 2)
    received = Received()
    with serving(face, dimse.Handlers(store=received.store, store_begin=lambda _: sink)) as port:
        async with await driver.associate(port) as association:
            status = await association.store(instance.path)
            assert (status, status.comment) == (0xA700, "No space left on device")
            assert await association.echo() == 0
    assert len(sink.content) == len(instance.data_set)
    assert not received.data_sets


@on_both_faces
@on_each_driver
async def test_without_room_for_temporary_files_the_answer_is_out_of_resources(
    driver: Driver, face: Face, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    received = Received()
    small, large = make_instance(tmp_path, 1), make_instance(tmp_path, 2, pixels=SPOOL_MEMORY * 2)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
    with serving(face, received.handlers) as port:
        async with await driver.associate(port) as association:
            assert await association.store(large.path) == 0xA700
            assert await association.store(small.path) == 0
    assert list(received.data_sets) == [small.sop_instance_uid]


@on_each_driver
async def test_a_class_other_than_its_contexts_does_not_match(driver: Driver) -> None:
    received = Received()
    with serving(handlers=received.handlers) as port:
        async with await driver.associate(port) as association:
            message = CStoreRQ(
                message_id=1,
                affected_sop_class_uid=uids.MRImageStorage,
                affected_sop_instance_uid="1.2.3",
                priority=0,
            )
            context = association.context_for(uids.CTImageStorage)
            response = await association.exchange(context, message, bytes(100))
            assert response.status == 0xA900
            assert await association.echo() == 0
    assert not received.data_sets


@on_each_driver
async def test_an_instance_that_nothing_takes_is_refused(driver: Driver, tmp_path: Path) -> None:
    with serving("threads", None, contexts=[uids.CTImageStorage]) as port:
        async with await driver.associate(port) as association:
            assert await association.store(make_instance(tmp_path).path) == 0x0110


@on_both_faces
def test_what_arrived_in_part_is_let_go(face: Face, tmp_path: Path) -> None:
    sinks: list[SpooledSink] = []
    begun = threading.Event()

    def begin(_: dimse.StoreRequest) -> SpooledSink:
        sinks.append(Discarded())
        begun.set()
        return sinks[-1]

    class Discarded(SpooledSink):
        discarded = False

        def discard(self) -> None:
            super().discard()
            self.discarded = True

    received = Received()
    instance = make_instance(tmp_path, pixels=SPOOL_MEMORY * 4)

    def leaves_in_the_midst(port: int) -> None:
        from tests.drivers import BLOCKING

        async def scenario() -> None:
            association = await BLOCKING.associate(port)
            message = CStoreRQ(
                message_id=1,
                affected_sop_class_uid=uids.CTImageStorage,
                affected_sop_instance_uid="1.2.3",
                priority=0,
            )
            context = association.context_for(uids.CTImageStorage)
            from dimse.message import command
            from dimse.upper_layer import pdata
            from dimse.upper_layer.pdata import COMMAND

            parts = ((COMMAND, command.encode(message)), (0, instance.data_set))
            await association.pump.push(next(pdata.cut(parts, context.context_id, 16384)))
            association.abort()

        BLOCKING.run(scenario())

    with serving(face, dimse.Handlers(store=received.store, store_begin=begin)) as port:
        leaves_in_the_midst(port)
        assert begun.wait(30)
    assert not received.data_sets
    assert [getattr(sink, "discarded", False) for sink in sinks] == [True]


@on_each_driver
async def test_a_status_that_is_a_failure_is_a_value(driver: Driver, tmp_path: Path) -> None:
    with serving(handlers=dimse.Handlers(store=lambda _: 0xC001)) as port:
        async with await driver.associate(port) as association:
            status = await association.store(make_instance(tmp_path).path)
            assert (status, status.is_success) == (0xC001, False)
            with pytest.raises(dimse.StatusError) as raised:
                status.check()
            assert raised.value.status == 0xC001
            assert not issubclass(dimse.StatusError, AssociationError)
