"""The example names of PS3.5 H to K and of other groups, asked for in their character set by DCMTK, by pynetdicom and by us."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian

import dimse
from dimse import uids
from dimse.testing import QueryRetrieveSCP
from tests.interop import peers
from tests.tools.running import tool

# By the place in the Standard, or the language: the values of Specific Character Set, and the name. K.2 is among the cases of
# tests/matching instead, since pydicom leaves its escape sequence out.
NAMES: dict[str, tuple[list[str], str]] = {
    "H.3-1": (["", "ISO 2022 IR 87"], "Yamada^Tarou=山田^太郎=やまだ^たろう"),
    "H.3-2": (["ISO 2022 IR 13", "ISO 2022 IR 87"], "ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎=やまだ^たろう"),
    "I.2": (["", "ISO 2022 IR 149"], "Hong^Gildong=洪^吉洞=홍^길동"),
    "J.1": (["ISO_IR 192"], "Wang^XiaoDong=王^小東"),
    "J.3": (["GB18030"], "Wang^XiaoDong=王^小东"),
    "French": (["ISO_IR 100"], "Buc^Jérôme"),
    "Polish": (["ISO_IR 101"], "Wałęsa^Łucja"),
    "Greek": (["ISO_IR 126"], "Διονυσιος"),
    "Russian": (["ISO_IR 144"], "Люкceмбypг"),
    "Arabic": (["ISO_IR 127"], "قباني^لنزار"),
    "Hebrew": (["ISO_IR 138"], "שרון^דבורה"),
    "Thai": (["ISO_IR 166"], "นามสกุล^ชื่อ"),
}
ROOT = "1.2.826.0.1.3680043.10.999.8"
UIDS = {place: f"{ROOT}.{number}" for number, place in enumerate(NAMES, 1)}


def data_set(place: str, **values: str) -> Dataset:
    """Return a data set with a name in its character set, encoded by pydicom."""
    terms, name = NAMES[place]
    made = Dataset()
    made.SpecificCharacterSet = terms
    made.PatientName = name
    for keyword, value in values.items():
        setattr(made, keyword, value)
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return made


@pytest.fixture(scope="module")
def scp(tmp_path_factory: pytest.TempPathFactory) -> Iterator[QueryRetrieveSCP]:
    """Run an SCP with a study of each name."""
    folder, paths = tmp_path_factory.mktemp("archive"), []
    for place, uid in UIDS.items():
        stored = data_set(
            place, PatientID=place, StudyInstanceUID=uid, SeriesInstanceUID=f"{uid}.1", SOPInstanceUID=f"{uid}.1.1",
            SOPClassUID=uids.CTImageStorage, Modality="CT",
        )  # fmt: skip
        paths.append(folder / f"{uid}.dcm")
        stored.save_as(paths[-1], enforce_file_format=True)
    with QueryRetrieveSCP(paths) as scp:
        yield scp


def write_query(place: str, folder: Path) -> Path:
    """Write a file with the keys of a query for a name."""
    query = data_set(place, QueryRetrieveLevel="STUDY", StudyInstanceUID="")
    query.file_meta.MediaStorageSOPClassUID = UID(uids.StudyRootQueryRetrieveInformationModelFind)
    query.file_meta.MediaStorageSOPInstanceUID = UID(f"{ROOT}.9")
    query.save_as(folder / "query.dcm", enforce_file_format=True)
    return folder / "query.dcm"


def found_by_dcmtk(place: str, port: int, folder: Path) -> str:
    """Return the output of DCMTK's findscu."""
    command = peers.dcmtk("findscu"), "-v", "-S", "127.0.0.1", str(port), write_query(place, folder)
    # It prints names in their own bytes.
    asked = subprocess.run(command, capture_output=True, timeout=30, check=False, encoding="latin-1")
    output = asked.stdout + asked.stderr
    assert asked.returncode == 0, output
    return output.rpartition("Received Final Find Response")[0].partition("Find Response: 1")[2]


def found_by_pynetdicom(place: str, port: int, folder: Path) -> str:
    """Return the output of pynetdicom's findscu."""
    keys = "-k", "QueryRetrieveLevel=STUDY", "-f", write_query(place, folder)
    asked = peers.run(peers.pynetdicom(), "-m", "pynetdicom", "findscu", "-v", "-S", "127.0.0.1", str(port), *keys)
    assert asked.returncode == 0, asked.stdout
    return asked.stdout.partition("Find SCP Response: 1")[2]


def found_by_findscu(place: str, port: int, folder: Path) -> str:
    """Return the output of our findscu."""
    asked = tool("findscu", "-S", "127.0.0.1", port, "-f", write_query(place, folder), "--format", "jsonl", "--strict")
    assert asked.returncode == 0, asked.stderr
    return asked.stdout


def found_by_the_library(place: str, port: int, folder: Path) -> str:
    """Return what our library finds, after a check that the name comes back as it was stored."""
    terms, name = NAMES[place]
    keys = {"PatientName": name, "StudyInstanceUID": None}
    model = uids.StudyRootQueryRetrieveInformationModelFind
    with dimse.associate("127.0.0.1", port, contexts=[model]) as association:
        matches = list(association.find(keys, level="STUDY", charset="\\".join(terms)))
    assert [match.identifier.text("PatientName") for match in matches] == [name]
    return " ".join(match.identifier.text("StudyInstanceUID") for match in matches)


SCUS: dict[str, Callable[[str, int, Path], str]] = {
    "DCMTK": found_by_dcmtk,
    "pynetdicom": found_by_pynetdicom,
    "findscu": found_by_findscu,
    "library": found_by_the_library,
}


@pytest.mark.sample("library-*", "findscu-H.3-2", "DCMTK-H.3-2")
@pytest.mark.parametrize("place", NAMES)
@pytest.mark.parametrize("scu", SCUS)
def test_a_name_is_found_in_its_character_set(scu: str, place: str, scp: QueryRetrieveSCP, tmp_path: Path) -> None:
    output = SCUS[scu](place, scp.port, tmp_path)
    assert set(re.findall(rf"{re.escape(ROOT)}\.\d+\b", output)) == {UIDS[place]}
