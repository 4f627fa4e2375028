"""qrscp as the archive of others: the findscu, getscu and movescu of DCMTK, of pynetdicom and of ours."""

from __future__ import annotations

import functools
import subprocess
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pydicom
import pytest

from tests import files
from tests.files import Part10File, part10_files
from tests.interop import peers
from tests.tools.listeners import Listener, listening
from tests.tools.running import tool

KEYS = {"PATIENT": "PatientID", "STUDY": "StudyInstanceUID", "SERIES": "SeriesInstanceUID", "IMAGE": "SOPInstanceUID"}
# One of four images in the corpus.
STUDY = "1.3.6.1.4.1.5962.1.1.0.0.0.1196530851.28319.0.1"

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@functools.cache
def described() -> dict[str, pydicom.Dataset]:
    """Return the data set of each file that an archive takes, by SOP Instance UID, without its pixels."""
    with warnings.catch_warnings():
        # pydicom remarks on files whose transfer syntax is not the one that they name.
        warnings.simplefilter("ignore")
        read = {
            file.sop_instance_uid: pydicom.dcmread(file.path, stop_before_pixels=True)
            for file in files.pydicom_files().sendable
        }
        return {
            uid: data_set
            for uid, data_set in read.items()
            if data_set.get("StudyInstanceUID") and data_set.get("SeriesInstanceUID")
        }


@functools.cache
def corpus() -> list[Part10File]:
    """Return the files that an archive takes."""
    return [file for file in files.pydicom_files().sendable if file.sop_instance_uid in described()]


def data_set_of(file: Part10File) -> pydicom.Dataset:
    return described()[file.sop_instance_uid]


@pytest.fixture(scope="module")
def moved(tmp_path_factory: pytest.TempPathFactory) -> Iterator[peers.StorageSCP]:
    """Start DCMTK's storescp, a destination of C-MOVE."""
    with peers.dcmtk_storescp(tmp_path_factory.mktemp("moved"), "+B", "+xa") as scp:
        yield scp


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory, moved: peers.StorageSCP) -> Iterator[Listener]:
    """Start qrscp, and store the corpus in it."""
    folder = tmp_path_factory.mktemp("archive")
    own = {title: peers.free_port() for title in ("DCMTK", "PYNETDICOM", "OURS")}
    sections = {"STORE": moved.port} | own
    (folder / "archive.ini").write_text(
        "".join(f"[{title}]\naddress: 127.0.0.1\nport: {port}\n" for title, port in sections.items())
    )
    places = ("--instance-location", folder / "instances", "--database-location", folder / "index.sqlite")
    with listening("qrscp", "-c", folder / "archive.ini", *places) as listener:
        listener.run("storescu", *(file.path for file in corpus()))
        vars(listener)["ports"] = own
        yield listener


def theirs(name: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    return peers.run(peers.dcmtk(name), *map(str, arguments))


def pynetdicoms(name: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    return peers.run(peers.pynetdicom(), "-m", "pynetdicom", name, *map(str, arguments))


RUN: dict[str, Run] = {"DCMTK": theirs, "PYNETDICOM": pynetdicoms, "OURS": tool}


def keys(level: str, **values: str) -> list[str]:
    """Return the options for the keys of a query or retrieval."""
    return [word for key, value in {"QueryRetrieveLevel": level, **values}.items() for word in ("-k", f"{key}={value}")]


def expected(level: str, **values: str) -> int:
    """Return the number of entities of the corpus that have these values."""
    matching = [
        data_set
        for data_set in map(data_set_of, corpus())
        if all(str(data_set.get(key, "")) == value for key, value in values.items() if value)
    ]
    if level == "PATIENT":
        # Patients without an ID are one for each study.
        return len({data_set.get("PatientID") or data_set.StudyInstanceUID for data_set in matching})
    return len({data_set[KEYS[level]].value for data_set in matching})


# Of each query: the model, the level, and keys with values.
QUERIES: list[tuple[str, str, dict[str, str]]] = [
    ("-P", "PATIENT", {"PatientID": ""}),
    ("-P", "STUDY", {"StudyInstanceUID": ""}),
    ("-P", "SERIES", {"SeriesInstanceUID": ""}),
    ("-P", "IMAGE", {"SOPInstanceUID": ""}),
    ("-S", "STUDY", {"StudyInstanceUID": ""}),
    ("-S", "STUDY", {"StudyInstanceUID": STUDY}),
    ("-S", "SERIES", {"StudyInstanceUID": STUDY, "SeriesInstanceUID": ""}),
    ("-S", "SERIES", {"SeriesInstanceUID": "", "Modality": "MR"}),
    ("-S", "IMAGE", {"SOPInstanceUID": "", "StudyInstanceUID": STUDY}),
    ("-O", "STUDY", {"StudyInstanceUID": ""}),
]


@pytest.mark.parametrize(("model", "level", "values"), QUERIES)
@pytest.mark.parametrize("peer", RUN)
def test_each_entity_is_found_once(
    archive: Listener, peer: str, model: str, level: str, values: dict[str, str]
) -> None:
    verbose = ["-v"] if peer != "OURS" else []
    done = RUN[peer]("findscu", *verbose, model, *keys(level, **values), "127.0.0.1", archive.port)
    assert done.returncode == 0, done.stderr
    said = done.stdout + (done.stderr or "")
    found = sum("Find Response" in line and "Pending" in line for line in said.splitlines())
    found = found or sum("Find SCP Response: " in line and "Pending" in line for line in said.splitlines())
    assert found == expected(level, **values), said


def get(peer: str, archive: Listener, folder: Path, *identifier: str) -> None:
    folder.mkdir()
    binary = ["+B"] if peer == "DCMTK" else []
    done = RUN[peer]("getscu", "-S", *binary, "-od", folder, *identifier, "127.0.0.1", archive.port)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("peer", RUN)
def test_a_study_comes_as_it_was_stored(archive: Listener, peer: str, tmp_path: Path) -> None:
    wanted = {file.sop_instance_uid: file for file in corpus() if data_set_of(file).StudyInstanceUID == STUDY}
    get(peer, archive, tmp_path / "in", *keys("STUDY", StudyInstanceUID=STUDY))
    came = {file.sop_instance_uid: file for file in part10_files(tmp_path / "in")}
    assert came.keys() == wanted.keys()
    for uid, file in came.items():
        # The others' getscu decodes, or proposes uncompressed transfer syntaxes alone.
        if file.transfer_syntax == wanted[uid].transfer_syntax and peer != "PYNETDICOM":
            assert file.data_set == wanted[uid].data_set


@pytest.mark.thorough
@pytest.mark.timeout(120)
def test_every_file_comes_back_as_it_was_stored(archive: Listener, tmp_path: Path) -> None:
    studies = sorted({str(data_set_of(file).StudyInstanceUID) for file in corpus()})
    for study in studies:
        done = tool("getscu", "-S", "127.0.0.1", archive.port, "--study-uid", study, "-od", tmp_path / "in")
        assert done.returncode == 0, done.stderr
    came = {file.sop_instance_uid: file for file in part10_files(tmp_path / "in")}
    assert came.keys() == {file.sop_instance_uid for file in corpus()}
    changed = {file.path.name for file in corpus() if came[file.sop_instance_uid].data_set != file.data_set}
    # Two came in the transfer syntax that getscu prefers. storescu has re-encoded one, and padded a deflated one.
    assert changed == {"ExplVR_BigEnd.dcm", "rtplan.dcm", "SC_rgb_jpeg.dcm", "image_dfl.dcm"}


@pytest.mark.parametrize("peer", RUN)
def test_a_study_is_moved_to_the_program_itself(archive: Listener, peer: str, tmp_path: Path) -> None:
    port: int = vars(archive)["ports"][peer]
    folder = tmp_path / "in"
    folder.mkdir()
    receiving: dict[str, list[Any]] = {
        "DCMTK": ["-aem", "DCMTK", "+P", port, "+xa"],
        "PYNETDICOM": ["-aem", "PYNETDICOM", "--store", "--store-port", port],
        "OURS": ["--store-aet", "OURS", "--store-port", port],
    }
    done = RUN[peer](
        "movescu",
        "-S",
        "-od",
        folder,
        *receiving[peer],
        *keys("STUDY", StudyInstanceUID=STUDY),
        "127.0.0.1",
        archive.port,
    )
    assert done.returncode == 0, done.stderr
    wanted = {file.sop_instance_uid for file in corpus() if data_set_of(file).StudyInstanceUID == STUDY}
    assert {file.sop_instance_uid for file in part10_files(folder)} == wanted


@pytest.mark.parametrize("peer", RUN)
def test_a_study_is_moved_to_another_program(archive: Listener, peer: str, moved: peers.StorageSCP) -> None:
    done = RUN[peer](
        "movescu", "-S", "-aem", "STORE", *keys("STUDY", StudyInstanceUID=STUDY), "127.0.0.1", archive.port
    )
    assert done.returncode == 0, done.stderr
    wanted = {file.sop_instance_uid: file.data_set for file in corpus() if data_set_of(file).StudyInstanceUID == STUDY}
    came = {uid: file.data_set for uid, file in moved.received().items()}
    assert came == wanted
