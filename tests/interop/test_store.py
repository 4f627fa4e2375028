"""C-STORE to real peers, from both faces and the tool: what the peer keeps is the file's data set, byte for byte."""

from __future__ import annotations

import io
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pydicom
import pytest
from pydicom.tag import BaseTag

import dimse
from dimse import uids
from tests.files import Part10File, PydicomFiles, part10_files
from tests.interop import ours, peers

# DCMTK's storescp stores every transfer syntax and the bytes as they come, under names of its own (+uf). A later instance with the
# SOP instance UID of an earlier one does not replace it.
AS_IT_COMES = ("+xa", "-pm", "+B", "+uf")
PEERS: dict[str, Sequence[str]] = {"dcmtk_storescp": AS_IT_COMES, "pynetdicom_scp": (), "orthanc": ()}

NO_CONTEXT = "no presentation context: it is not one of the SOP classes that the peer calls Storage"
A700 = "status A700: it has no Study and Series Instance UID, by which Orthanc files it"

# What Orthanc does not take.
REFUSED_BY_ORTHANC = {
    "JPEGLSNearLossless_08.dcm": A700,
    "JPEGLSNearLossless_16.dcm": A700,
    "SC_rgb_jls_lossy_line.dcm": A700,
    "SC_rgb_jls_lossy_sample.dcm": A700,
}
# Its elements are in Implicit VR, which its transfer syntax does not say: as it was Orthanc did not even answer it. To be sent they
# are written anew, with the values that they have.
MISLABELLED = "SC_rgb_jpeg.dcm"


def refusals(peer: str, files: Sequence[Part10File]) -> dict[Path, str]:
    """Return those of `files` that this peer refuses, with the reason."""
    known = REFUSED_BY_ORTHANC if peer == "orthanc" else {}
    return {
        file.path: NO_CONTEXT if file.sop_class_uid == uids.ColorPaletteStorage else known[file.path.name]
        for file in files
        if file.sop_class_uid == uids.ColorPaletteStorage or file.path.name in known
    }


def assert_kept(peer: str, scp: peers.StorageSCP, files: Sequence[Part10File]) -> None:
    """Check that the peer has these files and no others, unchanged but for the one that is re-encoded.

    Orthanc decodes what it receives and encodes it again, and most of them come out as they were. Of the others, every element has
    its value.
    """
    assert len(files) > 120
    if peer == "orthanc":
        kept = scp.received()
        changed = [file for file in files if ours.encoded(kept[file.sop_instance_uid]) != ours.encoded(file)]
        for file in changed:
            assert kept[file.sop_instance_uid].transfer_syntax == file.transfer_syntax
            assert elements(kept[file.sop_instance_uid]) == elements(file), file.path
        assert len(kept) == len(files)
        assert len(changed) < len(files) // 4
        return
    received = part10_files(scp.folder) if peer == "dcmtk_storescp" else scp.received().values()
    (mislabelled,) = (file for file in files if file.path.name == MISLABELLED)
    as_they_were = {ours.encoded(file) for file in files if file is not mislabelled}
    (anew,) = (file for file in received if ours.encoded(file) not in as_they_were)
    assert (anew.transfer_syntax, elements(anew)) == (mislabelled.transfer_syntax, elements(mislabelled))
    assert {ours.encoded(file) for file in received if file is not anew} == as_they_were


def elements(file: Part10File) -> dict[BaseTag, Any]:
    """Return the values that pydicom reads; not group lengths, which count bytes (retired, PS3.5 7.2)."""
    with warnings.catch_warnings():
        # pydicom's own files hold what it warns of.
        warnings.simplefilter("ignore")
        data_set = pydicom.dcmread(io.BytesIO(file.content))
        return {element.tag: element.value for element in data_set if element.tag.element}


@pytest.fixture(params=PEERS)
def peer(request: pytest.FixtureRequest) -> tuple[str, peers.StorageSCP]:
    """Return each peer in turn, with its name."""
    start: peers.StartSCP = request.getfixturevalue(request.param)
    return request.param, start(*PEERS[request.param])


# --- Every file that pydicom ships ------------------------------------------------------------------------------------


@pytest.mark.sample("dcmtk_storescp-*")
@pytest.mark.parametrize("face", ours.FACES)
def test_the_library_stores_every_file_as_it_is(
    face: ours.Face, peer: tuple[str, peers.StorageSCP], pydicom_files: PydicomFiles
) -> None:
    name, scp = peer
    files = list(pydicom_files.sendable)
    refused = refusals(name, files)

    outcomes = ours.store(face, scp.port, files)

    assert [outcome.path for outcome in outcomes] == [str(file.path) for file in files]
    for file, outcome in zip(files, outcomes, strict=True):
        match refused.get(file.path):
            case None:
                assert outcome.status == 0x0000 and outcome.error is None, outcome
                assert outcome.sop_instance_uid == file.sop_instance_uid
            case reason if reason is NO_CONTEXT:
                assert outcome.status is None and isinstance(outcome.error, dimse.NoPresentationContext), outcome
            case _:
                assert outcome.status == 0xA700 and outcome.error is None, outcome
    stored = [file for file in files if file.path not in refused]
    assert_kept(name, scp, stored)


@pytest.mark.sample("dcmtk_storescp")
def test_the_tool_stores_every_file_below_a_folder_and_names_what_it_could_not(
    peer: tuple[str, peers.StorageSCP], pydicom_files: PydicomFiles, tmp_path: Path
) -> None:
    name, scp = peer
    sendable = pydicom_files.sendable
    if name == "dcmtk_storescp":
        # The other peers would keep one of these only.
        sendable += pydicom_files.repeated
    everything = [*sendable, *pydicom_files.refused, *pydicom_files.directories]
    folder = tmp_path / "media"
    copies = ours.copies(everything, folder)
    (folder / "README.txt").write_text("what else is on a disc\n")
    refused = refusals(name, list(everything))

    process = ours.tool("storescu", "127.0.0.1", scp.port, "-r", folder)

    lines = ours.errors(process)
    assert process.returncode == 3
    for path, file in copies.items():
        faulty, unwanted = file in pydicom_files.refused, file.path in refused
        assert len([line for line in lines if f"{path}:" in f"{line}:"]) == (faulty or unwanted), path
        assert any(line.startswith(f"Bad DICOM file: {path}: ") for line in lines) == faulty
        assert any(line.startswith(f"Store failed: {path}") for line in lines) == unwanted
    no_context = [line for line in lines if line.startswith("No presentation context for 'Color Palette Storage' ")]
    assert len(no_context) == sum(reason is NO_CONTEXT for reason in refused.values())
    assert len(lines) == len(pydicom_files.refused) + len(refused) + len(no_context)

    stored = [file for file in sendable if file.path not in refused]
    assert_kept(name, scp, stored)


# --- What else a peer may do ------------------------------------------------------------------------------------------


@pytest.mark.sample("blocking-4096")
@pytest.mark.parametrize("maximum_length", [4096, 16382, 1_000_000, 0])
@pytest.mark.parametrize("face", ours.FACES)
def test_every_maximum_length_is_kept(
    face: ours.Face, maximum_length: int, pynetdicom_scp: peers.StartSCP, pydicom_files: PydicomFiles
) -> None:
    scp = pynetdicom_scp(maximum_length=maximum_length)
    large = max(pydicom_files.sendable, key=lambda file: len(file.content))
    assert [outcome.status for outcome in ours.store(face, scp.port, [large])] == [0x0000]
    assert ours.encoded(scp.received()[large.sop_instance_uid]) == ours.encoded(large)


STATUSES = [(0xA700, "Failure"), (0xC000, "Failure"), (0xB000, "Warning")]


@pytest.mark.sample("asyncio-*-Warning")
@pytest.mark.parametrize(("status", "category"), STATUSES)
@pytest.mark.parametrize("face", ours.FACES)
def test_a_status_is_a_value_and_the_association_survives_it(
    face: ours.Face, status: int, category: str, pynetdicom_scp: peers.StartSCP, pydicom_files: PydicomFiles
) -> None:
    scp, files = pynetdicom_scp(status=status), pydicom_files.sendable[-3:]
    outcomes = ours.store(face, scp.port, files)
    assert [(outcome.status, outcome.error) for outcome in outcomes] == [(status, None)] * 3
    assert {outcome.status.category for outcome in outcomes if outcome.status} == {category}
    assert len(scp.received()) == 3


@pytest.mark.sample("42752-Failure")
@pytest.mark.parametrize(("status", "category"), STATUSES)
def test_the_tool_reports_a_failure_status_for_each_file(
    status: int, category: str, pynetdicom_scp: peers.StartSCP, pydicom_files: PydicomFiles
) -> None:
    scp, files = pynetdicom_scp(status=status), pydicom_files.sendable[-3:]
    process = ours.tool("storescu", "127.0.0.1", scp.port, *(file.path for file in files))
    lines = ours.errors(process)
    if category == "Warning":
        assert (process.returncode, lines) == (0, [])
        return
    assert process.returncode == 3
    assert len(lines) == len(files)
    for file, line in zip(files, lines, strict=True):
        assert line.startswith(f"Store failed: {file.path}: 0x{status:04X} - {category}")


def test_a_peer_is_reached_by_its_name(
    dcmtk_storescp: peers.StartSCP, pydicom_files: PydicomFiles, tmp_path: Path
) -> None:
    scp, file = dcmtk_storescp(*AS_IT_COMES), pydicom_files.sendable[-1]
    for face in ours.FACES:
        assert [outcome.status for outcome in ours.store(face, scp.port, [file], host="localhost")] == [0x0000]
    assert ours.tool("storescu", "localhost", scp.port, file.path).returncode == 0
    assert [ours.encoded(received) for received in part10_files(scp.folder)] == [ours.encoded(file)] * 3


@pytest.mark.sample("blocking-::1-::1", "asyncio-127.0.0.1-127.0.0.1")
@pytest.mark.parametrize(("listens", "host"), ours.ADDRESSES)
@pytest.mark.parametrize("server", ours.FACES)
def test_our_server_is_sent_to_by_ipv4_ipv6_and_name(
    server: ours.Face, listens: str, host: str, pydicom_files: PydicomFiles
) -> None:
    kept: list[tuple[str, str, bytes]] = []

    def store(request: dimse.StoreRequest) -> int:
        kept.append((request.sop_instance_uid, request.context.transfer_syntax, bytes(request.view())))
        return 0x0000

    file = pydicom_files.sendable[-1]
    with ours.serving(server, dimse.Handlers(store=store), host=listens) as port:
        for face in ours.FACES:
            assert [outcome.status for outcome in ours.store(face, port, [file], host=host)] == [0x0000]
        process = ours.tool("storescu", host, port, file.path)
    assert (process.returncode, process.stderr) == (0, "")
    assert kept == [ours.encoded(file)] * 3
