"""Things that a section of the documentation takes for granted: files, and an archive named pacs.example.org."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cache
from pathlib import Path

import pydicom.data
from pydicom import dcmread

import dimse
from dimse.testing import QueryRetrieveSCP

SAMPLES = Path(pydicom.data.__path__[0]) / "test_files"
DISK = SAMPLES / "dicomdirtests"


class Archive(QueryRetrieveSCP):
    """An archive that holds the studies of pydicom's disk, and accepts whatever is sent to it.

    Attributes:
        stored: The SOP Instance UIDs that were sent to it.
    """

    def __init__(self) -> None:
        self.stored: list[str] = []
        super().__init__(disk(), ae_title="ARCHIVE", accept_unknown=True)

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


def study(folder: Path) -> AbstractContextManager[None]:
    """Make the folder `study` with four CT images."""
    shutil.copytree(DISK / "77654033" / "CT2", folder / "study")
    return nullcontext()


def two_files(folder: Path) -> AbstractContextManager[None]:
    """Make the files `image.dcm`, `one.dcm` and `two.dcm`."""
    for name, sample in (("image", "CT_small"), ("one", "CT_small"), ("two", "MR_small")):
        shutil.copy(SAMPLES / f"{sample}.dcm", folder / f"{name}.dcm")
    return nullcontext()


def compressed(folder: Path) -> AbstractContextManager[None]:
    """Make the file `compressed.dcm`, in JPEG 2000 Lossless."""
    shutil.copy(SAMPLES / "MR_small_jp2klossless.dcm", folder / "compressed.dcm")
    return nullcontext()


@contextmanager
def pacs(_: Path) -> Iterator[int]:
    """Run the archive pacs.example.org, and yield its port."""
    with Archive() as archive:
        yield archive.port


GIVEN: dict[str, Callable[[Path], AbstractContextManager[int | None]]] = {
    "study": study,
    "files": two_files,
    "compressed": compressed,
    "pacs": pacs,
}
