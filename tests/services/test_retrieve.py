"""C-GET and C-MOVE, asked on every driver and answered by both faces: what is counted is what came."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

import dimse
from dimse import uids
from dimse.archive import FileStore
from dimse.errors import NoPresentationContext, OperationTimeout
from dimse.services.retrieve import Progress, Retrieved
from dimse.services.retrieve_contexts import contexts_for_get
from dimse.services.retrieve_scp import MoveTo, RetrieveRequest
from dimse.testing import StorageSCP, faulty_peer
from tests.drivers import (
    Driver,
    Face,
    Instance,
    Received,
    errors,
    make_instance,
    on_both_faces,
    on_each_driver,
    serving,
    silent,
)
from tests.faulty_peer import FaultyPeer

KEYS = {"StudyInstanceUID": "1.2.3"}
MOVE_UID = "1.2.840.10008.5.1.4.1.2.2.2"
CONTEXTS, ROLES = contexts_for_get("study", [uids.CTImageStorage])


async def everything(operation: AsyncIterator[Progress]) -> tuple[list[Progress], Retrieved]:
    """Return what a retrieval yields: the progress, and the end."""
    *progress, end = [one async for one in operation]
    assert isinstance(end, Retrieved)
    return progress, end


@pytest.fixture
def instances(tmp_path: Path) -> list[Instance]:
    (tmp_path / "source").mkdir()
    return [make_instance(tmp_path / "source", number, 5000) for number in (1, 2, 3)]


def giving(instances: list[Instance]) -> dimse.Handlers:
    return dimse.Handlers(get=lambda request: [instance.path for instance in instances])


# --- C-GET ---


@on_both_faces
@on_each_driver
async def test_instances_come_as_they_are_stored_there(driver: Driver, face: Face, instances: list[Instance]) -> None:
    received = Received()
    with serving(face, giving(instances)) as port:
        async with await driver.associate(port, CONTEXTS, roles=ROLES) as association:
            progress, end = await everything(association.get(KEYS, store=received.store))
    assert received.data_sets == {instance.sop_instance_uid: instance.data_set for instance in instances}
    assert [(one.remaining, one.completed, one.received) for one in progress] == [(2, 1, 1)]
    assert (end.status, end.completed, end.failed, end.received, end.missing) == (0, 3, 0, 3, 0)
    assert end.is_complete


@on_each_driver
async def test_instances_go_to_a_folder(driver: Driver, instances: list[Instance], tmp_path: Path) -> None:
    with serving(handlers=giving(instances)) as port, FileStore(tmp_path / "kept") as store:
        async with await driver.associate(port, CONTEXTS, roles=ROLES) as association:
            _, end = await everything(association.get(KEYS, store=store))
    assert end.is_complete
    assert sorted(file.name for file in (tmp_path / "kept").iterdir()) == [
        f"CT.{instance.sop_instance_uid}" for instance in instances
    ]


@on_each_driver
async def test_nothing_that_matches_is_a_success(driver: Driver) -> None:
    with serving(handlers=dimse.Handlers(get=lambda request: [])) as port:
        async with await driver.associate(port, CONTEXTS, roles=ROLES) as association:
            progress, end = await everything(association.get(KEYS, store=lambda request: 0))
    assert (progress, end.status, end.total, end.is_complete) == ([], 0, 0, True)


@on_both_faces
@on_each_driver
async def test_a_handler_may_be_a_generator(driver: Driver, face: Face, instances: list[Instance]) -> None:
    def generate(request: RetrieveRequest) -> Iterator[Path]:
        yield from (instance.path for instance in instances)

    async def generate_asynchronously(request: RetrieveRequest) -> AsyncIterator[Path]:
        for instance in instances:
            yield instance.path

    for handler in (generate, generate_asynchronously):
        received = Received()
        with serving(face, dimse.Handlers(get=handler)) as port:
            async with await driver.associate(port, CONTEXTS, roles=ROLES) as association:
                _, end = await everything(association.get(KEYS, store=received.store))
        assert (len(received.data_sets), end.is_complete) == (3, True)


@on_each_driver
async def test_a_handler_is_asked_with_the_keys(driver: Driver) -> None:
    asked: list[RetrieveRequest] = []

    def get(request: RetrieveRequest) -> int:
        asked.append(request)
        return dimse.Status(0xA701, service="get", comment="try later")

    with serving(handlers=dimse.Handlers(get=get)) as port:
        async with await driver.associate(port, CONTEXTS, roles=ROLES, calling_ae_title="ME") as association:
            _, end = await everything(association.get(KEYS, level="study", store=lambda request: 0, priority=1))
    assert end.status is not None
    assert (end.status, end.status.comment, end.is_complete) == (0xA701, "try later", False)
    request = asked[0]
    assert (request.model.name, request.level, request.peer.ae_title, request.priority) == ("study", "STUDY", "ME", 1)
    assert (request.identifier["StudyInstanceUID"], request.destination, request.cancelled) == ("1.2.3", "", False)


@on_both_faces
@on_each_driver
async def test_a_handler_that_fails_is_a_failure_status(
    driver: Driver, face: Face, caplog: pytest.LogCaptureFixture
) -> None:
    def raising(request: RetrieveRequest) -> Iterator[Path]:
        index: dict[str, Path] = {}
        yield index["1.2.3"]

    with serving(face, dimse.Handlers(get=raising)) as port:
        async with await driver.associate(port, CONTEXTS, roles=ROLES) as association:
            _, end = await everything(association.get(KEYS, store=lambda request: 0))
            assert association.open
    assert (end.status, end.is_complete) == (0x0110, False)
    assert any("KeyError" in line for line in errors(caplog))


@on_each_driver
async def test_an_instance_that_is_refused_here_is_no_success(driver: Driver, instances: list[Instance]) -> None:
    refused = instances[1].sop_instance_uid

    def store(request: dimse.StoreRequest) -> int:
        return 0xA700 if request.sop_instance_uid == refused else 0x0000

    with serving(handlers=giving(instances)) as port:
        async with await driver.associate(port, CONTEXTS, roles=ROLES) as association:
            _, end = await everything(association.get(KEYS, store=store))
    assert (end.status, end.completed, end.failed, end.failed_uids) == (0xB000, 2, 1, (refused,))
    assert (end.received, end.refused, end.missing, end.is_complete) == (2, 1, 0, False)


@on_each_driver
async def test_a_file_that_is_gone_is_listed_as_failed(
    driver: Driver, instances: list[Instance], caplog: pytest.LogCaptureFixture
) -> None:
    instances[0].path.unlink()
    with serving(handlers=giving(instances)) as port:
        async with await driver.associate(port, CONTEXTS, roles=ROLES) as association:
            _, some = await everything(association.get(KEYS, store=lambda request: 0))
            for instance in instances[1:]:
                instance.path.unlink()
            _, none = await everything(association.get(KEYS, store=lambda request: 0))
    assert (some.status, some.completed, some.failed, some.is_complete) == (0xB000, 2, 1, False)
    assert (none.status, none.completed, none.failed, none.is_complete) == (0xA702, 0, 3, False)
    assert any(str(instances[0].path) in line for line in errors(caplog))


@on_both_faces
@on_each_driver
async def test_without_roles_instances_are_sent_and_taken_with_one_warning(
    driver: Driver, face: Face, instances: list[Instance], caplog: pytest.LogCaptureFixture
) -> None:
    received = Received()
    with serving(face, giving(instances)) as port:
        async with await driver.associate(port, CONTEXTS) as association:
            _, end = await everything(association.get(KEYS, store=received.store))
    assert (len(received.data_sets), end.is_complete) == (3, True)
    assert caplog.text.count("has not accepted that we are SCP") == 1


@on_each_driver
async def test_instances_go_to_the_handlers_of_the_association(driver: Driver, instances: list[Instance]) -> None:
    received = Received()
    with serving(handlers=giving(instances)) as port:
        options: dict[str, Any] = {"roles": ROLES, "handlers": received.handlers}
        async with await driver.associate(port, CONTEXTS, **options) as association:
            _, end = await everything(association.get(KEYS))
    assert (len(received.data_sets), end.is_complete) == (3, True)


@on_each_driver
async def test_without_a_store_every_instance_is_refused(driver: Driver, instances: list[Instance]) -> None:
    with serving(handlers=giving(instances)) as port:
        async with await driver.associate(port, CONTEXTS, roles=ROLES) as association:
            _, end = await everything(association.get(KEYS))
    assert (end.status, end.received, end.refused, end.is_complete) == (0xA702, 0, 3, False)


# --- the end before the end ---


@on_both_faces
@on_each_driver
async def test_a_cancelled_retrieval_ends_with_its_counts(
    driver: Driver, face: Face, instances: list[Instance]
) -> None:
    with serving(face, giving(instances)) as port:
        async with await driver.associate(port, CONTEXTS, roles=ROLES) as association:
            end: Progress = Progress(None)
            async for progress in association.get(KEYS, store=lambda request: 0):
                if progress.completed == 1 and progress.status == 0xFF00:
                    await association.cancel()
                end = progress
            assert isinstance(end, Retrieved)
            assert (end.status, end.total, end.is_complete) == (0xFE00, 3, False)
            assert end.completed in (1, 2)
            _, again = await everything(association.get(KEYS, store=lambda request: 0))
            assert again.is_complete


@on_both_faces
@on_each_driver
async def test_a_loop_that_is_left_early_leaves_the_association_usable(
    driver: Driver, face: Face, instances: list[Instance]
) -> None:
    with serving(face, giving(instances)) as port:
        async with await driver.associate(port, CONTEXTS, roles=ROLES) as association:
            async with association.get(KEYS, store=lambda request: 0) as retrieval:
                async for _ in retrieval:
                    break
            assert retrieval.result is not None and retrieval.result.status == 0xFE00
            _, again = await everything(association.get(KEYS, store=lambda request: 0))
            assert again.is_complete


@on_both_faces
@on_each_driver
async def test_a_retrieval_that_is_left_without_a_block_is_cancelled_by_the_next_call(
    driver: Driver, face: Face, instances: list[Instance]
) -> None:
    with serving(face, giving(instances)) as port:
        async with await driver.associate(port, CONTEXTS, roles=ROLES) as association:
            for _ in range(3):
                async for _progress in association.get(KEYS, store=lambda request: 0):
                    break
                assert len([one async for one in association.get_instances(KEYS)]) == 3
                async for _instance in association.get_instances(KEYS):
                    break
                _, end = await everything(association.get(KEYS, store=lambda request: 0))
                assert end.is_complete
            async for _progress in association.get(KEYS, store=lambda request: 0):
                break
            # The end of the block releases the association.


@on_each_driver
async def test_a_peer_that_falls_silent_ends_in_a_result_and_a_timeout(driver: Driver) -> None:
    with FaultyPeer(silent) as port:
        association = await driver.associate(port, CONTEXTS, roles=ROLES)
        yielded: list[Progress] = []
        with pytest.raises(OperationTimeout):
            async for one in association.get(KEYS, store=lambda request: 0, timeout=0.05):
                yielded.append(one)
    (end,) = yielded
    assert isinstance(end, Retrieved)
    assert (end.status, end.is_complete, isinstance(end.error, OperationTimeout)) == (None, False, True)


@on_each_driver
async def test_a_model_that_was_not_accepted_sends_nothing(driver: Driver) -> None:
    with serving(handlers=dimse.Handlers(get=lambda request: [])) as port:
        async with await driver.associate(port, CONTEXTS, roles=ROLES) as association:
            with pytest.raises(NoPresentationContext):
                association.get(KEYS, model="patient")
            with pytest.raises(ValueError, match="not a level"):
                association.get(KEYS, level="patient")
            assert (await everything(association.get(KEYS)))[1].is_complete


# --- instances without a disk ---


@on_both_faces
@on_each_driver
async def test_instances_are_yielded_as_they_arrive(driver: Driver, face: Face, tmp_path: Path) -> None:
    made = [make_instance(tmp_path, number, pixels) for number, pixels in ((1, 100), (2, 3 << 20), (3, 100))]
    with serving(face, giving(made)) as port:
        async with await driver.associate(port, CONTEXTS, roles=ROLES) as association:
            instances = association.get_instances(KEYS)
            assert [bytes(one.view()) async for one in instances] == [one.data_set for one in made]
            assert instances.result is not None and instances.result.is_complete
            assert instances.result.received == 3


@on_both_faces
@on_each_driver
async def test_a_loop_over_instances_that_is_left_early_drops_the_rest(
    driver: Driver, face: Face, instances: list[Instance]
) -> None:
    with serving(face, giving(instances)) as port:
        async with await driver.associate(port, CONTEXTS, roles=ROLES) as association:
            async with association.get_instances(KEYS) as arriving:
                async for one in arriving:
                    assert one.dataset().SOPInstanceUID == instances[0].sop_instance_uid
                    break
            assert len([one async for one in association.get_instances(KEYS)]) == 3


def test_the_blocking_face_retrieves(instances: list[Instance]) -> None:
    with (
        serving(handlers=giving(instances)) as port,
        dimse.associate("127.0.0.1", port, contexts=CONTEXTS, roles=ROLES) as association,
    ):
        retrieval = association.get(KEYS, store=lambda request: 0)
        assert [one.completed for one in retrieval] == [1, 3]
        assert retrieval.result is not None and retrieval.result.is_complete
        for _ in association.get(KEYS, store=lambda request: 0):
            break
        arriving = association.get_instances(KEYS)
        assert [one.sop_instance_uid for one in arriving] == [one.sop_instance_uid for one in instances]
        assert arriving.result is not None and arriving.result.is_complete


# --- C-MOVE ---


def moving(instances: list[Instance], port: int) -> dimse.Handlers:
    def move(request: RetrieveRequest) -> MoveTo | int:
        if request.destination != "STORE":
            return dimse.Status(0xA801, service="move")
        return MoveTo(("127.0.0.1", port), [instance.path for instance in instances])

    return dimse.Handlers(move=move)


@on_both_faces
@on_each_driver
async def test_instances_are_sent_to_the_destination(driver: Driver, face: Face, instances: list[Instance]) -> None:
    with StorageSCP() as destination, serving(face, moving(instances, destination.port)) as port:
        async with await driver.associate(
            port, [MOVE_UID], calling_ae_title="ME", called_ae_title="PACS"
        ) as association:
            progress, end = await everything(association.move(KEYS, "STORE"))
    assert destination.sop_instance_uids == [instance.sop_instance_uid for instance in instances]
    assert {(one.calling_ae_title, one.called_ae_title) for one in destination.instances} == {("PACS", "STORE")}
    assert [(one.remaining, one.completed) for one in progress] == [(2, 1)]
    assert (end.status, end.completed, end.received, end.is_complete) == (0, 3, None, True)


@on_each_driver
async def test_an_unknown_destination_is_a_failure(driver: Driver, instances: list[Instance]) -> None:
    with serving(handlers=moving(instances, 1)) as port:
        async with await driver.associate(port, [MOVE_UID]) as association:
            _, end = await everything(association.move(KEYS, "NOWHERE"))
    assert (end.status, end.is_complete) == (0xA801, False)


@on_both_faces
@on_each_driver
async def test_a_destination_that_does_not_listen_fails_every_instance(
    driver: Driver, face: Face, instances: list[Instance], caplog: pytest.LogCaptureFixture
) -> None:
    with serving(face, moving(instances, 1)) as port:
        async with await driver.associate(port, [MOVE_UID]) as association:
            _, end = await everything(association.move(KEYS, "STORE"))
    assert (end.status, end.failed, end.is_complete) == (0xA702, 3, False)
    assert any("Unable to associate with destination AE" in line for line in errors(caplog))


@on_both_faces
@on_each_driver
async def test_a_destination_that_refuses_or_aborts_is_counted(
    driver: Driver, face: Face, instances: list[Instance]
) -> None:
    with StorageSCP(status=[0, 0xA700]) as destination, serving(face, moving(instances, destination.port)) as port:
        async with await driver.associate(port, [MOVE_UID]) as association:
            _, end = await everything(association.move(KEYS, "STORE"))
    assert (end.status, end.completed, end.failed) == (0xB000, 2, 1)
    assert end.failed_uids == (instances[1].sop_instance_uid,)
    with faulty_peer("aborts", after=1) as aborting, serving(face, moving(instances, aborting)) as port:
        async with await driver.associate(port, [MOVE_UID]) as association:
            _, end = await everything(association.move(KEYS, "STORE"))
            assert association.open
    assert (end.status, end.completed, end.failed, end.is_complete) == (0xB000, 1, 2, False)


@on_each_driver
async def test_the_destination_learns_of_the_move_that_an_instance_belongs_to(
    driver: Driver, instances: list[Instance]
) -> None:
    originators: list[tuple[str, int] | None] = []

    def store(request: dimse.StoreRequest) -> int:
        originators.append(request.move_originator)
        return 0

    with (
        serving(handlers=dimse.Handlers(store=store)) as destination,
        serving(handlers=moving(instances, destination)) as port,
    ):
        async with await driver.associate(port, [MOVE_UID], calling_ae_title="ME") as association:
            assert (await everything(association.move(KEYS, "STORE")))[1].is_complete
    assert originators == [("ME", 1)] * 3


# --- what is proposed ---


def test_the_usual_classes_fit_into_one_association() -> None:
    contexts, roles = contexts_for_get()
    assert len(contexts) <= 127
    assert {role.sop_class_uid for role in roles} == {context.abstract_syntax for context in contexts[1:]}
    assert all((role.scu, role.scp) == (False, True) for role in roles)


def test_a_class_that_is_named_has_a_context_for_each_compressed_syntax() -> None:
    contexts, _ = contexts_for_get("study", ["CTImageStorage"])
    assert contexts[-1].transfer_syntaxes == (uids.ExplicitVRLittleEndian, uids.ImplicitVRLittleEndian)
    assert all(len(context.transfer_syntaxes) == 1 for context in contexts[1:-1])
    contexts, _ = contexts_for_get("study", ["BasicTextSRStorage"])
    assert len(contexts) == 2


def test_too_many_classes_are_refused() -> None:
    with pytest.raises(ValueError, match="more than 127"):
        contexts_for_get("study", sorted(uids.STORAGE_SOP_CLASSES))
