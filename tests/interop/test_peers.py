"""The peers themselves, before anything of ours meets them: they listen, keep every byte, and say what came."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.files import PydicomFiles
from tests.interop import peers

STORAGE_SCPS = {
    "dcmtk_storescp": ("+xa", "-pm", "+B"),
    "orthanc": (),
    "pynetdicom_scp": (),
    "pynetdicom_storescp": (),
}
# DCMTK's storescu decodes and encodes what it sends.
UNCHANGED_BY_STORESCU = "examples_overlay.dcm"


@pytest.mark.sample("dcmtk_storescp", "orthanc")
@pytest.mark.parametrize("name", [*STORAGE_SCPS, "pynetdicom_echoscp"])
def test_a_peer_is_verified_by_dcmtk(name: str, request: pytest.FixtureRequest) -> None:
    start: peers.StartSCP = request.getfixturevalue(name)
    scp = start(*STORAGE_SCPS.get(name, ()))
    echo = peers.run(peers.dcmtk("echoscu"), "127.0.0.1", str(scp.port))
    assert echo.returncode == 0, echo.stdout


@pytest.mark.sample("dcmtk_storescp", "orthanc")
@pytest.mark.parametrize("name", ["dcmtk_storescp", "orthanc", "pynetdicom_scp"])
def test_a_peer_says_what_it_received_byte_for_byte(
    name: str, request: pytest.FixtureRequest, pydicom_files: PydicomFiles
) -> None:
    start: peers.StartSCP = request.getfixturevalue(name)
    scp = start(*STORAGE_SCPS[name])
    sent = next(file for file in pydicom_files.sendable if file.path.name == UNCHANGED_BY_STORESCU)
    store = peers.run(peers.dcmtk("storescu"), "127.0.0.1", str(scp.port), sent.path)
    assert store.returncode == 0, store.stdout
    received = scp.received()
    assert list(received) == [sent.sop_instance_uid]
    assert received[sent.sop_instance_uid].transfer_syntax == sent.transfer_syntax
    assert received[sent.sop_instance_uid].data_set == sent.data_set


def test_a_peer_that_ends_before_it_listens_is_reported(tmp_path: Path) -> None:
    with (
        pytest.raises(peers.NotListeningError, match="ended with 3"),
        peers.listening(lambda port: ["sh", "-c", "exit 3"], tmp_path / "folder"),
    ):
        pass


def test_what_a_peer_has_started_ends_with_it(tmp_path: Path) -> None:
    folder, fifo = tmp_path / "peer", tmp_path / "fifo"
    folder.mkdir()
    os.mkfifo(fifo)
    with peers.running(["sh", "-c", f"sleep 100 > {fifo} & wait"], folder):
        reader = fifo.open("rb")  # when there is a writer
    with reader:
        assert reader.read() == b""  # when the last writer is gone
