"""getscu and movescu with the archives of others: DCMTK's dcmqrscp, Orthanc, and pynetdicom's qrscp."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pydicom
import pytest

from dimse import uids
from tests.files import part10_files, read_part10
from tests.interop import peers
from tests.tools.retrieved import STUDY, UIDS, ct, kept, write_images
from tests.tools.running import lines, tool

PYDICOM = Path(pydicom.__file__).parent / "data" / "test_files"

on_each_archive = pytest.mark.parametrize("archive", ["dcmtk_dcmqrscp", "orthanc", "pynetdicom_qrscp"])


def archive_with(request: pytest.FixtureRequest, name: str, files: list[Path], **destinations: int) -> peers.StorageSCP:
    """Start an archive that may move to the destinations, store the files in it, and return it."""
    options: dict[str, Any] = {"destinations": destinations}
    if name == "orthanc":
        modalities = {title.lower(): [title, "127.0.0.1", port] for title, port in destinations.items()}
        options = {
            "DicomModalities": modalities, "DicomAlwaysAllowGet": True, "DicomAlwaysAllowMove": True,
            "DicomAlwaysAllowFind": True,
        }  # fmt: skip
    scp: peers.StorageSCP = request.getfixturevalue(name)(*(["+B"] if name == "dcmtk_dcmqrscp" else []), **options)
    stored = tool("storescu", "-aec", title_of(name), "127.0.0.1", scp.port, *files)
    assert stored.returncode == 0, stored.stderr
    return scp


def title_of(archive: str) -> str:
    return {"dcmtk_dcmqrscp": "DCMQRSCP", "orthanc": "ORTHANC", "pynetdicom_qrscp": "QRSCP"}[archive]


@on_each_archive
def test_a_study_comes_byte_for_byte(request: pytest.FixtureRequest, archive: str, tmp_path: Path) -> None:
    files = write_images(tmp_path / "source")
    scp = archive_with(request, archive, files)
    done = tool(
        "getscu", "-S", "-aec", title_of(archive), "127.0.0.1", scp.port, "--study-uid", STUDY, "-od", tmp_path / "in"
    )
    assert done.returncode == 0, done.stderr
    assert kept(tmp_path / "in") == [f"CT.{uid}" for uid in UIDS]
    sent = {file.sop_instance_uid: file for file in map(read, files)}
    for got in part10_files(tmp_path / "in"):
        # pynetdicom decodes what it stores, and encodes it again.
        if archive != "pynetdicom_qrscp":
            assert got.data_set == sent[got.sop_instance_uid].data_set
    assert "Get SCP Result: 0x0000 (Success)" in lines(done, "I")


def read(path: Path) -> Any:
    return read_part10(path.read_bytes(), path)


@on_each_archive
@pytest.mark.parametrize(
    ("keys", "found"),
    [
        (["-P", "-L", "patient", "--patient-id", "P1"], 3),
        (["-S", "--study-uid", STUDY, "--series-uid", f"{STUDY}.1"], 3),
        (["-S", "--study-uid", STUDY, "--series-uid", f"{STUDY}.1", "--sop-uid", UIDS[0]], 1),
        (["-S", "--study-uid", "1.2.3.4.5"], 0),
    ],
    ids=["patient", "series", "image", "nothing"],
)
def test_each_level_is_retrieved(
    request: pytest.FixtureRequest, archive: str, keys: list[str], found: int, tmp_path: Path
) -> None:
    scp = archive_with(request, archive, write_images(tmp_path / "source"))
    done = tool("getscu", "-aec", title_of(archive), "127.0.0.1", scp.port, *keys, "-od", tmp_path / "in")
    # Orthanc answers C000H where nothing is found.
    assert done.returncode == (3 if archive == "orthanc" and not found else 0), done.stderr
    assert len(kept(tmp_path / "in")) == found


@on_each_archive
def test_a_study_is_moved_to_the_program_itself(request: pytest.FixtureRequest, archive: str, tmp_path: Path) -> None:
    port = peers.free_port()
    scp = archive_with(request, archive, write_images(tmp_path / "source"), ME=port)
    done = tool(
        "movescu", "-S", "-aec", title_of(archive), "127.0.0.1", scp.port, "--study-uid", STUDY, "--store-aet", "ME",
        "--store-port", port, "-od", tmp_path / "in",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert kept(tmp_path / "in") == [f"CT.{uid}" for uid in UIDS]


@on_each_archive
def test_an_unknown_destination_is_told(request: pytest.FixtureRequest, archive: str, tmp_path: Path) -> None:
    scp = archive_with(request, archive, write_images(tmp_path / "source"))
    done = tool(
        "movescu", "-S", "-aec", title_of(archive), "127.0.0.1", scp.port, "--study-uid", STUDY, "-aem", "ELSEWHERE"
    )
    assert done.returncode == 3
    assert any("ELSEWHERE" in line or line.startswith(("0xA801", "0xC")) for line in lines(done, "E"))


@pytest.mark.thorough
@pytest.mark.parametrize("archive", ["orthanc"])
@pytest.mark.parametrize("name", ["JPEG2000.dcm", "MR_small_RLE.dcm", "MR_small_jpeg_ls_lossless.dcm"])
def test_what_is_compressed_comes_as_it_is_stored(
    request: pytest.FixtureRequest, archive: str, name: str, tmp_path: Path
) -> None:
    file = PYDICOM / name
    stored = pydicom.dcmread(file)
    scp = archive_with(request, archive, [file])
    done = tool("getscu", "-S", "127.0.0.1", scp.port, "--study-uid", stored.StudyInstanceUID, "-od", tmp_path / "in")
    assert done.returncode == 0, done.stderr
    (got,) = part10_files(tmp_path / "in")
    assert got.transfer_syntax == stored.file_meta.TransferSyntaxUID
    assert got.transfer_syntax not in (uids.ExplicitVRLittleEndian, uids.ImplicitVRLittleEndian)


@pytest.mark.thorough
@on_each_archive
@pytest.mark.parametrize("method", ["auto", "move"])
def test_many_studies_are_complete(request: pytest.FixtureRequest, archive: str, method: str, tmp_path: Path) -> None:
    port = peers.free_port()
    studies = [f"{STUDY}.{number}" for number in range(5)]
    uids_of = {study: [f"{study}.1.{number}" for number in (1, 2, 3)] for study in studies}
    files = [
        ct(uid, study).write(tmp_path / "source" / f"{uid}.dcm") for study, found in uids_of.items() for uid in found
    ]
    scp = archive_with(request, archive, files, ME=port)
    arguments = [
        "-aec", title_of(archive), "127.0.0.1", scp.port, "--method", method, "--jobs", 2, "--journal",
        tmp_path / "journal.db", *(["--store-aet", "ME", "--store-port", port] if method == "move" else []),
        "-od", tmp_path / "in", *studies,
    ]  # fmt: skip
    done = tool("retrieve", *arguments)
    assert done.returncode == 0, done.stderr
    way = "C-MOVE" if method == "move" else "C-GET"
    assert sorted(done.stdout.splitlines()) == [f"{study}  complete  3 of 3  {way}" for study in studies]
    assert len(kept(tmp_path / "in")) == 15
    again = tool("retrieve", *arguments)
    assert (again.returncode, again.stdout.count("  already  3 of 3")) == (0, 5)


@on_each_archive
def test_series_are_found_and_retrieved(request: pytest.FixtureRequest, archive: str, tmp_path: Path) -> None:
    other = ct("1.2.9.1.1", "1.2.9").write(tmp_path / "other.dcm")
    scp = archive_with(request, archive, [*write_images(tmp_path / "source"), other])
    peer = ("-aec", title_of(archive), "127.0.0.1", scp.port)
    listed = tool(
        "findscu", "-S", *peer, "-r", "PatientID", "--study-uid", STUDY, "--expand", "series", "--format", "csv"
    )
    assert listed.returncode == 0, listed.stderr
    done = tool("retrieve", *peer, "--from", "-", "-od", tmp_path / "in", input=listed.stdout)
    assert (done.returncode, done.stdout) == (0, f"{STUDY},{STUDY}.1  complete  3 of 3  C-GET\n"), done.stderr
    again = tool("retrieve", *peer, STUDY, "--skip-existing", "-od", tmp_path / "in")
    assert (again.returncode, again.stdout) == (0, f"{STUDY}  already  3 of 3\n"), again.stderr


@on_each_archive
def test_instances_of_a_c_move_are_known_as_asked_for(
    request: pytest.FixtureRequest, archive: str, tmp_path: Path
) -> None:
    port = peers.free_port()
    scp = archive_with(request, archive, write_images(tmp_path / "source"), ME=port)
    done = tool(
        "movescu", "-S", "-aec", title_of(archive), "127.0.0.1", scp.port, "-L", "study", "--patient-id", "P1",
        "--resolve", "--store-aet", "ME", "--store-port", port, "-od", tmp_path / "in",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert kept(tmp_path / "in") == [f"CT.{uid}" for uid in UIDS]
