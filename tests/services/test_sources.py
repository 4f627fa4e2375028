"""The sources that may be stored: a file, a file in memory, a received instance, a data set; each over each driver."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import dimse
from dimse import uids
from dimse.association.sinks import SpooledSink
from dimse.errors import FileError, NoPresentationContext
from dimse.instances import InstanceFile
from dimse.instances.received import ReceivedInstance
from dimse.services.sources import numbered, source_of
from tests.drivers import Driver, Instance, Received, make_instance, on_each_driver, serving

CONTEXTS = [dimse.ProposedContext(uids.CTImageStorage, (uids.ExplicitVRLittleEndian,))]
IMPLICIT = [dimse.ProposedContext(uids.CTImageStorage, (uids.ImplicitVRLittleEndian,))]


def received(instance: Instance) -> ReceivedInstance:
    """Return an instance as a store or a web service has received it."""
    sink = SpooledSink()
    sink.write([memoryview(instance.data_set)])
    return ReceivedInstance(uids.CTImageStorage, instance.sop_instance_uid, uids.ExplicitVRLittleEndian, sink=sink)


def sources(instance: Instance) -> dict[str, Any]:
    """Return one instance in each of the forms that may be stored as they are."""
    content = instance.path.read_bytes()
    return {
        "path": instance.path,
        "bytes path": str(instance.path).encode(),
        "checked": InstanceFile.check(str(instance.path)),
        "memory": memoryview(content),
        "bytearray": bytearray(content),
        "received": received(instance),
    }


@on_each_driver
async def test_every_form_of_an_instance_arrives_byte_for_byte(driver: Driver, tmp_path: Path) -> None:
    instance, arrived = make_instance(tmp_path), Received()
    with serving(handlers=arrived.handlers) as port:
        async with await driver.associate(port, CONTEXTS) as association:
            for name, source in sources(instance).items():
                assert await association.store(source) == 0, name
                assert arrived.data_sets.pop(instance.sop_instance_uid) == instance.data_set, name
            given = list(sources(instance).values())
            outcomes = [outcome async for outcome in association.store_many(given)]
    assert [(outcome.state, outcome.sop_instance_uid) for outcome in outcomes] == [
        ("stored", instance.sop_instance_uid)
    ] * len(given)
    assert all(outcome.source is source for outcome, source in zip(outcomes, given, strict=True))
    assert {outcome.size for outcome in outcomes} == {len(instance.data_set)}


@on_each_driver
async def test_a_file_in_memory_is_converted_like_a_file(driver: Driver, tmp_path: Path) -> None:
    instance, arrived = make_instance(tmp_path), Received()
    content = memoryview(instance.path.read_bytes())
    with serving(handlers=arrived.handlers) as port:
        async with await driver.associate(port, IMPLICIT) as association:
            assert await association.store(instance.path) == 0
            converted = arrived.data_sets.pop(instance.sop_instance_uid)
            assert await association.store(content) == 0
            with pytest.raises(NoPresentationContext):
                await association.store(received(instance))
            outcomes = [one async for one in association.store_many([content, received(instance)], transcode="never")]
    assert arrived.data_sets[instance.sop_instance_uid] == converted != instance.data_set
    assert [(one.state, one.sop_class_uid, one.size) for one in outcomes] == [
        ("unsent", uids.CTImageStorage, len(instance.data_set))
    ] * 2


@on_each_driver
async def test_bytes_that_are_not_a_file_are_refused_by_a_name(driver: Driver, tmp_path: Path) -> None:
    with serving(handlers=Received().handlers) as port:
        async with await driver.associate(port, CONTEXTS) as association:
            with pytest.raises(FileError, match="file in memory: not DICOM"):
                await association.store(memoryview(b"no file"))
            [outcome] = [one async for one in association.store_many(memoryview(b""))]
    assert (outcome.path, outcome.state) == ("file in memory", "invalid")


def test_one_source_needs_no_list(tmp_path: Path) -> None:
    for source in sources(make_instance(tmp_path)).values():
        assert tuple(numbered(source)) == ((None, source),)


@pytest.mark.parametrize("given", [None, 5, object()])
def test_another_object_is_refused(given: Any) -> None:
    with pytest.raises(TypeError, match="what is stored is a path"):
        source_of(given)
