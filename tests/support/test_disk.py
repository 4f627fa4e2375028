"""The wait for a disk, which is the same wherever an instance is to survive a power cut."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from dimse import uids
from dimse.association.sinks import SpooledSink
from dimse.instances.received import ReceivedInstance
from dimse.support import disk
from dimse.support.disk import sync


def test_a_moved_instance_and_its_folder_are_synced_as_those_of_a_store_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced = []

    def noted(descriptor: int) -> None:
        synced.append(os.fstat(descriptor).st_ino)
        sync(descriptor)

    monkeypatch.setattr(disk, "sync", noted)
    sink = SpooledSink()
    sink.write([memoryview(b"data set")])
    ReceivedInstance(uids.CTImageStorage, "1.2.3", uids.ExplicitVRLittleEndian, sink=sink).move_to(
        tmp_path / "kept.dcm"
    )
    assert synced == [(tmp_path / "kept.dcm").stat().st_ino, tmp_path.stat().st_ino]


def test_one_function_alone_syncs() -> None:
    """On macOS, fsync leaves the bytes in the cache of the drive."""
    source = Path(disk.__file__).parents[1]
    assert [path for path in source.rglob("*.py") if "os.fsync(" in path.read_text()] == [Path(disk.__file__)]
