"""Things that a section of the documentation takes for granted: files, certificates, and archives named pacs.example.org.

Each is a context manager. It takes the folder of the session, and its places, to which it may add a port of the archive.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import cache
from pathlib import Path

import pydicom.data
import trustme
from pydicom import dcmread

import dimse
from dimse.testing import LOOPBACK, QueryRetrieveSCP, StorageSCP
from tests.docs.shell import Places
from tests.interop import peers

STUDIES = ("1.2.840.1", "1.2.840.2")

MY_PROGRAM = """
import dimse
from pydicom import Dataset
from pydicom.dataset import FileMetaDataset


def my_program(host, port):
    with dimse.associate(host, port, contexts=["CTImageStorage"]) as association:
        for uid in ("1.2.3", "1.2.4"):
            image = Dataset()
            image.SOPClassUID, image.SOPInstanceUID = dimse.uids.CTImageStorage, uid
            image.file_meta = FileMetaDataset()
            image.file_meta.TransferSyntaxUID = dimse.uids.ExplicitVRLittleEndian
            association.store(image)
"""

SAMPLES = Path(pydicom.data.__path__[0]) / "test_files"
DISK = SAMPLES / "dicomdirtests"


class Archive(QueryRetrieveSCP):
    """An archive that accepts whatever is sent to it.

    Attributes:
        stored: The SOP Instance UIDs that were sent to it.
    """

    def __init__(self, data_sets: Sequence[pydicom.Dataset], destinations: dict[str, tuple[str, int]]) -> None:
        self.stored: list[str] = []
        super().__init__(data_sets, destinations=destinations, ae_title="ARCHIVE", accept_unknown=True)

    def handlers(self) -> dimse.Handlers:
        """Return the handlers of the server, with one for C-STORE."""
        return dimse.Handlers(find=self.find, get=self.get, move=self.move, store=self._store)

    def _store(self, request: dimse.StoreRequest) -> int:
        self.stored.append(request.sop_instance_uid)
        return 0x0000


@cache
def disk() -> tuple[pydicom.Dataset, ...]:
    """Return the data sets of pydicom's disk."""
    return tuple(dcmread(path) for path in sorted(DISK.rglob("*")) if path.is_file() and path.name.isdigit())


@contextmanager
def study(folder: Path, _: Places) -> Iterator[None]:
    """Make the folder `study` with four CT images."""
    shutil.copytree(DISK / "77654033" / "CT2", folder / "study")
    yield


@contextmanager
def files(folder: Path, _: Places) -> Iterator[None]:
    """Make the files `image.dcm`, `one.dcm` and `two.dcm`."""
    for name, sample in (("image", "CT_small"), ("one", "CT_small"), ("two", "MR_small")):
        shutil.copy(SAMPLES / f"{sample}.dcm", folder / f"{name}.dcm")
    yield


@contextmanager
def compressed(folder: Path, _: Places) -> Iterator[None]:
    """Make the file `compressed.dcm`, in JPEG 2000 Lossless."""
    shutil.copy(SAMPLES / "MR_small_jp2klossless.dcm", folder / "compressed.dcm")
    yield


@contextmanager
def whole_disk(folder: Path, _: Places) -> Iterator[None]:
    """Make the folder `disk`, which has a DICOMDIR, and the archive `study.zip`."""
    shutil.copytree(DISK, folder / "disk", ignore=shutil.ignore_patterns("DICOMDIR-*", "TINY*", "README*"))
    shutil.make_archive(str(folder / "study"), "zip", DISK / "77654033" / "CT2")
    yield


@contextmanager
def programs(folder: Path, _: Places) -> Iterator[None]:
    """Make the programs `import` and `notify`, for instances that were received."""
    for name in ("import", "notify"):
        (folder / name).write_text("#!/bin/sh\n")
        (folder / name).chmod(0o755)
    yield


@contextmanager
def my_program(folder: Path, _: Places) -> Iterator[None]:
    """Make the program that the example of a test tests."""
    (folder / "my_program.py").write_text(MY_PROGRAM)
    yield


@contextmanager
def pacs(_: Path, places: Places) -> Iterator[None]:
    """Run the archive pacs.example.org with the studies of pydicom's disk."""
    with archive_of(disk(), places):
        yield


@contextmanager
def archive_of(data_sets: Sequence[pydicom.Dataset], places: Places) -> Iterator[None]:
    """Run the archive pacs.example.org, which knows ME at port 11113, and WORKSTATION, which is itself."""
    with Archive(data_sets, {"ME": (LOOPBACK, places.ports[11113])}) as archive:
        archive.destinations["WORKSTATION"] = (LOOPBACK, archive.port)
        places.remote[104] = archive.port
        yield


@contextmanager
def two_studies(folder: Path, places: Places) -> Iterator[None]:
    """Run the archive with two studies, and make lists of them."""
    paths = sorted((DISK / "77654033").glob("C*/*"))
    data_sets = [dcmread(path) for path in paths]
    for data_set in data_sets:
        data_set.StudyInstanceUID = STUDIES[data_set.Modality == "CR"]
    (folder / "list.txt").write_text("\n".join(STUDIES))
    (folder / "list.csv").write_text("\n".join(["StudyInstanceUID", *STUDIES]))
    with archive_of(data_sets, places):
        yield


@contextmanager
def committing(folder: Path, places: Places) -> Iterator[None]:
    """Run an archive that commits to keep what it has stored."""
    with peers.pynetdicom_commitment_scp(folder / ".committing") as archive:
        places.remote[104] = archive.ports[0]
        yield


@contextmanager
def certificates(folder: Path, _: Places) -> Iterator[None]:
    """Make certificates for a client and for servers."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(folder / "hospital.pem")
    authority.cert_pem.write_to_path(folder / "clients.pem")
    for name, host in (("me", "me"), ("archive", LOOPBACK), ("server", LOOPBACK)):
        certificate = authority.issue_cert(host)
        certificate.private_key_pem.write_to_path(folder / f"{name}.key")
        (folder / f"{name}.key").chmod(0o600)
        # A server may have its key in the file of its certificate.
        parts = [*certificate.cert_chain_pems, *([certificate.private_key_pem] if name == "server" else [])]
        (folder / f"{name}.pem").write_bytes(b"".join(part.bytes() for part in parts))
        (folder / f"{name}.pem").chmod(0o600)
    yield


@contextmanager
def tls_pacs(folder: Path, places: Places) -> Iterator[None]:
    """Run an archive that speaks TLS and asks for a certificate."""
    tls = dimse.TLS(certificate=f"{folder}/archive.pem", key=f"{folder}/archive.key", ca=f"{folder}/hospital.pem")
    with StorageSCP(tls=tls) as archive:
        places.remote[2762] = archive.port
        yield


GIVEN: dict[str, Callable[[Path, Places], AbstractContextManager[None]]] = {
    "disk": whole_disk,
    **{given.__name__: given for given in (study, files, compressed, programs, my_program)},
    **{given.__name__: given for given in (pacs, two_studies, committing, certificates, tls_pacs)},
}
