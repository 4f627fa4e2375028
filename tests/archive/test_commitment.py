"""The judgement on instances for which storage commitment is requested."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from dimse import uids
from dimse.archive.commitment import judge
from dimse.archive.index.row import Location
from tests.drivers import Instance, errors, make_instance


def location(instance: Instance, sop_class_uid: str = uids.CTImageStorage, path: Path | None = None) -> Location:
    """Return the row of an instance, as the index has it."""
    return Location(
        sop_instance_uid=instance.sop_instance_uid,
        sop_class_uid=sop_class_uid,
        transfer_syntax_uid=uids.ExplicitVRLittleEndian,
        path=str(path or instance.path),
        size=len(instance.data_set),
        study_instance_uid="1.2",
        series_instance_uid="1.3",
    )


def test_an_instance_with_its_row_and_its_file_is_committed(tmp_path: Path) -> None:
    instances = [make_instance(tmp_path, number) for number in range(3)]
    references = [(uids.CTImageStorage, instance.sop_instance_uid) for instance in instances]
    assert judge(references, map(location, instances)) == {}


def test_an_instance_without_a_row_does_not_exist(tmp_path: Path) -> None:
    instance = make_instance(tmp_path)
    references = [(uids.CTImageStorage, instance.sop_instance_uid), (uids.CTImageStorage, "1.2.3")]
    assert judge(references, [location(instance)]) == {"1.2.3": 0x0112}
    assert judge(references, []) == {instance.sop_instance_uid: 0x0112, "1.2.3": 0x0112}


def test_an_instance_of_another_class_is_not_the_one(tmp_path: Path) -> None:
    instance = make_instance(tmp_path)
    references = [(uids.MRImageStorage, instance.sop_instance_uid)]
    assert judge(references, [location(instance)]) == {instance.sop_instance_uid: 0x0119}


def test_an_instance_of_two_classes_fails(tmp_path: Path) -> None:
    instance = make_instance(tmp_path)
    references = [(uids.MRImageStorage, instance.sop_instance_uid), (uids.CTImageStorage, instance.sop_instance_uid)]
    assert judge(references, [location(instance)]) == {instance.sop_instance_uid: 0x0119}


@pytest.mark.parametrize(
    ("size", "words"),
    [(-1, "is cut short"), (1, "is too long"), (None, "is missing"), (-1400, "is cut short"), (-1350, "is cut short")],
)
def test_a_file_that_is_not_as_it_was_acknowledged_is_an_alarm(
    tmp_path: Path, size: int | None, words: str, caplog: pytest.LogCaptureFixture
) -> None:
    instance = make_instance(tmp_path)
    if size is None:
        instance.path.unlink()
    else:
        os.truncate(instance.path, max(instance.path.stat().st_size + size, 0))
    references = [(uids.CTImageStorage, instance.sop_instance_uid)]
    assert judge(references, [location(instance)]) == {instance.sop_instance_uid: 0x0110}
    [line] = errors(caplog)
    assert line.startswith(f"the file of the acknowledged instance {instance.sop_instance_uid} {words}")


def test_a_file_that_is_not_dicom_any_more_is_an_alarm(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    instance = make_instance(tmp_path)
    instance.path.write_bytes(b"x" * instance.path.stat().st_size)
    references = [(uids.CTImageStorage, instance.sop_instance_uid)]
    assert judge(references, [location(instance)]) == {instance.sop_instance_uid: 0x0110}
    assert "is damaged: not DICOM" in errors(caplog)[0]


def test_a_folder_in_the_place_of_a_file_is_an_alarm(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    instance = make_instance(tmp_path)
    references = [(uids.CTImageStorage, instance.sop_instance_uid)]
    assert judge(references, [location(instance, path=tmp_path)]) == {instance.sop_instance_uid: 0x0110}
    assert "cannot be read" in errors(caplog)[0]
