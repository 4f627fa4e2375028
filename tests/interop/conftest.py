"""Real peers as fixtures: each is a function that starts one with its options; they are stopped when the test ends."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path

import pytest

from tests.interop import peers


def starter(
    start: Callable[..., AbstractContextManager[peers.StorageSCP]], name: str
) -> Callable[[Path], Iterator[peers.StartSCP]]:
    """Return a fixture that starts this peer, as often as the test asks, each time in a folder of its own."""

    def fixture(tmp_path: Path) -> Iterator[peers.StartSCP]:
        folders = (tmp_path / f"{name}-{number}" for number in itertools.count(1))
        with ExitStack() as stack:
            yield lambda *options, **named: stack.enter_context(start(next(folders), *options, **named))

    return pytest.fixture(fixture, name=name)


dcmtk_storescp = starter(peers.dcmtk_storescp, "dcmtk_storescp")
dcmtk_dcmqrscp = starter(peers.dcmtk_dcmqrscp, "dcmtk_dcmqrscp")
pynetdicom_qrscp = starter(peers.pynetdicom_qrscp, "pynetdicom_qrscp")
orthanc = starter(peers.orthanc_scp, "orthanc")
pynetdicom_scp = starter(peers.pynetdicom_scp, "pynetdicom_scp")
pynetdicom_commitment_scp = starter(peers.pynetdicom_commitment_scp, "pynetdicom_commitment_scp")
pynetdicom_storescp = starter(peers.pynetdicom_storescp, "pynetdicom_storescp")
pynetdicom_echoscp = starter(peers.pynetdicom_echoscp, "pynetdicom_echoscp")
