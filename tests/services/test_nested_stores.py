"""Files that are stored within the answer to a C-GET, by the operations that store them otherwise, on every driver."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dimse.association.association import Arrived, BaseAssociation
from dimse.message.command import CGetRQ, respond
from dimse.services import Association
from tests.association.conversations import PENDING, SCP, SUCCESS, TAKES_INSTANCES, accepting, associated, get
from tests.drivers import Driver, Face, Received, make_instance, on_both_faces, on_each_driver


class Archive(SCP):
    """A dispatcher that answers a C-GET with the instances in some files."""

    def __init__(self, paths: list[Path]) -> None:
        super().__init__(len(paths))
        self._paths = paths

    async def answer(self, association: BaseAssociation, arrived: Arrived) -> None:
        request = arrived.message
        assert isinstance(request, CGetRQ) and isinstance(association, Association)
        self.stored.append(await association.store(self._paths[0], nested=True))
        completed: dict[str, Any] = {"number_of_completed_suboperations": 1}
        await association.send_response(arrived.context, respond(request, PENDING, **completed))
        async for outcome in association.store_many(self._paths[1:], nested=True):
            assert outcome.status is not None
            self.stored.append(outcome.status)
            completed["number_of_completed_suboperations"] += 1
            await association.send_response(arrived.context, respond(request, PENDING, **completed))
        await association.send_response(arrived.context, respond(request, SUCCESS))


@on_both_faces
@on_each_driver
async def test_files_are_stored_within_an_answer(driver: Driver, face: Face, tmp_path: Path) -> None:
    instances = [make_instance(tmp_path, number) for number in range(20)]
    archive, received = Archive([instance.path for instance in instances]), Received()
    with accepting(face, archive) as server:
        async with await associated(driver, server, received.handlers, roles=TAKES_INSTANCES) as association:
            assert await get(association) == (list(range(1, 21)), SUCCESS)
    assert archive.stored == [SUCCESS] * 20
    assert received.data_sets == {instance.sop_instance_uid: instance.data_set for instance in instances}
