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
from dimse.testing import StorageSCP
from tests.drivers import Driver, Face, Instance, Received, errors, make_instance, on_both_faces, on_each_driver, serving

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
    assert [(one.remaining, one.completed, one.received) for one in progress] == [(2, 1, 1), (1, 2, 2)]
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
