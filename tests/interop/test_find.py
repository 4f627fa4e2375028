"""C-FIND to real archives: what was stored there is found, from the library and with findscu."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.uid import UID

import dimse
from dimse import uids
from tests.interop import peers
from tests.tools import running

STUDY = uids.StudyRootQueryRetrieveInformationModelFind


def files(folder: Path) -> list[Path]:
    """Write CT and MR images: of two patients three studies, of each a series with two images."""
    folder.mkdir()
    paths = []
    for number, (patient, name, modality) in enumerate(
        [("P1", "DOE^JANE", "CT"), ("P1", "DOE^JANE", "MR"), ("P2", "MÜLLER^JÖRG", "CT")], 1
    ):
        for image in (1, 2):
            data_set = Dataset()
            data_set.SpecificCharacterSet = "ISO_IR 100"
            data_set.PatientID, data_set.PatientName, data_set.Modality = patient, name, modality
            data_set.StudyDate, data_set.StudyTime = f"2024010{number}", "101010"
            data_set.AccessionNumber, data_set.StudyID = f"A{number}", str(number)
            data_set.StudyInstanceUID = f"1.2.826.0.1.3680043.10.999.7.{number}"
            data_set.SeriesInstanceUID = f"{data_set.StudyInstanceUID}.1"
            data_set.SOPInstanceUID = f"{data_set.SeriesInstanceUID}.{image}"
            data_set.SeriesNumber, data_set.InstanceNumber = 1, image
            data_set.SOPClassUID = uids.CTImageStorage if modality == "CT" else uids.MRImageStorage
            data_set.file_meta = FileMetaDataset()
            data_set.file_meta.TransferSyntaxUID = UID(uids.ExplicitVRLittleEndian)
            paths.append(folder / f"{number}-{image}.dcm")
            data_set.save_as(paths[-1], enforce_file_format=True)
    return paths


@contextmanager
def pynetdicom_qrscp(folder: Path) -> Iterator[peers.StorageSCP]:
    """Run pynetdicom's qrscp application, with its database and its instances in a folder."""
    python = peers.pynetdicom()
    if subprocess.run([python, "-c", "import sqlalchemy"], check=False, capture_output=True).returncode:
        peers.missing("pynetdicom's qrscp needs SQLAlchemy: run scripts/peers")

    def command(port: int) -> Sequence[str]:
        options = [
            "--instance-location",
            str(folder / "instances"),
            "--database-location",
            str(folder / "index.sqlite"),
        ]
        return [python, "-m", "pynetdicom", "qrscp", "--port", str(port), *options]

    with peers.listening(command, folder) as scp:
        yield scp


@contextmanager
def orthanc(folder: Path) -> Iterator[peers.StorageSCP]:
    """Run Orthanc, which anyone may query."""
    with peers.orthanc_scp(folder, DicomAlwaysAllowFind=True) as scp:
        yield scp


ARCHIVES = {"dcmqrscp": peers.dcmtk_dcmqrscp, "orthanc": orthanc, "pynetdicom": pynetdicom_qrscp}


@pytest.fixture(params=ARCHIVES, scope="module")
def archive(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[peers.StorageSCP]:
    """Start each archive, and store the images there."""
    folder = tmp_path_factory.mktemp(request.param)
    start: Callable[[Path], object] = ARCHIVES[request.param]
    with start(folder / "scp") as scp:  # type: ignore[attr-defined]
        done = running.tool("storescu", "127.0.0.1", scp.port, "-aec", "DCMQRSCP", *files(folder / "files"))
        assert done.returncode == 0, done.stderr
        yield scp


def findscu(archive: peers.StorageSCP, *options: object) -> str:
    done = running.tool("findscu", "127.0.0.1", archive.port, "-aec", "DCMQRSCP", *options)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize(
    ("options", "numbers"),
    [
        (["--patient-id", "P1"], {"1", "2"}),
        (["--patient-name", "DOE*"], {"1", "2"}),
        (["--study-date", "2024-01-02..2024-01-03"], {"2", "3"}),
        (["--study-date", "20240103-"], {"3"}),
        (["--accession", "A2"], {"2"}),
        (["-k", "PatientName=MÜLLER*", "--charset", "ISO_IR 100"], {"3"}),
        (["--patient-id", "unknown"], set()),
    ],
)
def test_studies_are_found(archive: peers.StorageSCP, options: list[str], numbers: set[str]) -> None:
    found = findscu(
        archive, "-S", "-L", "study", "-k", "StudyInstanceUID=", *options, "--format", "uid", "--strict"
    ).split()
    # One archive sends a response for each instance.
    assert {uid.rpartition(".")[2] for uid in found} == numbers


@pytest.mark.parametrize(
    ("level", "key", "least"),
    [("patient", "PatientID", 2), ("series", "SeriesInstanceUID", 1), ("image", "SOPInstanceUID", 2)],
)
def test_each_level_is_found(archive: peers.StorageSCP, level: str, key: str, least: int) -> None:
    above = [] if level == "patient" else ["--patient-id", "P2", "--study-uid", "1.2.826.0.1.3680043.10.999.7.3"]
    if level == "image":
        above += ["--series-uid", "1.2.826.0.1.3680043.10.999.7.3.1"]
    found = set(findscu(archive, "-P", "-L", level, *above, "-k", f"{key}=", "--format", "uid").split())
    assert len(found) == least


def test_names_are_read_in_their_character_set(archive: peers.StorageSCP) -> None:
    lines = findscu(
        archive, "-S", "--accession", "A3", "-r", "PatientName,StudyInstanceUID", "--format", "jsonl"
    ).splitlines()
    assert {json.loads(line)["00100010"]["Value"][0]["Alphabetic"] for line in lines} == {"MÜLLER^JÖRG"}


def test_the_library_finds_the_same_and_may_leave_early(archive: peers.StorageSCP) -> None:
    keys = {"StudyInstanceUID": None, "PatientID": "P1", "StudyDate": None}
    with dimse.associate("127.0.0.1", archive.port, contexts=[STUDY], called_ae_title="DCMQRSCP") as association:
        found = {match.identifier["StudyDate"] for match in association.find(keys)}
        assert found == {"20240101", "20240102"}
        with association.find(keys) as matches:
            next(matches)
        assert [match.dataset().PatientID for match in association.find(keys)][:1] == ["P1"]


@pytest.mark.parametrize("archive", ["dcmqrscp", "orthanc"], indirect=True)
def test_studies_are_found_by_a_list_of_uids(archive: peers.StorageSCP) -> None:
    asked = {"1.2.826.0.1.3680043.10.999.7.1", "1.2.826.0.1.3680043.10.999.7.3"}
    found = findscu(archive, "-S", "--study-uid", "\\".join(asked), "--format", "uid").split()
    assert set(found) == asked


@pytest.mark.parametrize("archive", ["dcmqrscp", "orthanc"], indirect=True)
def test_a_worklist_query_to_an_archive_is_refused_at_negotiation(archive: peers.StorageSCP) -> None:
    done = running.tool("findscu", "127.0.0.1", archive.port, "-aec", "DCMQRSCP", "-W", "-r", "@worklist")
    assert done.returncode in (1, 3)
    assert "E: " in done.stderr
