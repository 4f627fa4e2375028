"""The works that are sent: each is a folder of DICOM files, made once in memory (tmpfs), and always of the same bytes."""

from __future__ import annotations

import io
import os
import random
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pydicom
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian

from dimse import uids
from dimse.errors import FileError
from dimse.instances import InstanceFile

MEMORY = Path("/dev/shm")
SHARED = MEMORY / f"dimse-bench-{os.getuid()}"
"""The folder of works, and of received files during a measurement. `make clean` removes it."""

MADE = "complete"  # suffix of a mark
CHUNK = 1 << 20
# It has the length of every UID of ours, so a UID can replace it without changing any length.
PLACEHOLDER = "2.25." + "1" * 39


def instance_uid(series: int, number: int) -> str:
    """Return a UID that is unique for series and number, of the length of `PLACEHOLDER` (PS3.5 B.2)."""
    return f"2.25.1{series:08d}{number:030d}"


@dataclass(frozen=True)
class Image:
    """A kind of images that differ in SOP Instance UID and pixels only.

    Attributes:
        sop_class_uid: The SOP class.
        modality: (0008,0060).
        rows, columns, frames: The shape; a pixel has 16 bits.
        series: A number that distinguishes their UIDs from those of other images.
    """

    sop_class_uid: str
    modality: str
    rows: int
    columns: int
    frames: int
    series: int

    @property
    def pixel_bytes(self) -> int:
        """The number of bytes of pixel data of one image."""
        return self.rows * self.columns * self.frames * 2

    def head(self) -> bytes:
        """Return the file up to the first pixel, with a placeholder for its SOP Instance UID."""
        file = FileDataset(io.BytesIO(), Dataset(), preamble=bytes(128), file_meta=FileMetaDataset())
        file.file_meta.MediaStorageSOPClassUID = file.SOPClassUID = UID(self.sop_class_uid)
        file.file_meta.MediaStorageSOPInstanceUID = file.SOPInstanceUID = UID(PLACEHOLDER)
        file.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        file.StudyInstanceUID, file.SeriesInstanceUID = (instance_uid(self.series, 0) + end for end in (".1", ".2"))
        file.Modality = self.modality
        file.PatientName, file.PatientID, file.PatientSex = "Bench^Mark", "BENCH", "O"
        file.StudyDate, file.StudyTime, file.AccessionNumber = "20240101", "120000", "1"
        file.StudyID, file.SeriesNumber, file.InstanceNumber = "1", 1, 1
        file.Rows, file.Columns, file.NumberOfFrames = self.rows, self.columns, self.frames
        file.SamplesPerPixel, file.PhotometricInterpretation = 1, "MONOCHROME2"
        file.BitsAllocated, file.BitsStored, file.HighBit, file.PixelRepresentation = 16, 16, 15, 0
        if self.frames == 1:
            del file.NumberOfFrames
        file.PixelData = bytes(2)
        written = io.BytesIO()
        file.save_as(written, enforce_file_format=True)
        return written.getvalue()[:-6] + self.pixel_bytes.to_bytes(4, "little")

    def contents(self, count: int) -> Iterator[Iterator[bytes]]:
        """Yield a number of files, each in pieces."""
        head = self.head()
        for number in range(1, count + 1):
            yield self._content(head, number)

    def _content(self, head: bytes, number: int) -> Iterator[bytes]:
        pixels = random.Random(f"{self.series} {number}")
        yield head.replace(PLACEHOLDER.encode(), instance_uid(self.series, number).encode())
        for start in range(0, self.pixel_bytes, CHUNK):
            yield pixels.randbytes(min(CHUNK, self.pixel_bytes - start))


CT_IMAGES = Image(uids.CTImageStorage, "CT", 512, 512, 1, series=1)
SMALL = Image(uids.MRImageStorage, "MR", 40, 42, 1, series=2)
LARGE = Image(uids.MultiFrameGrayscaleWordSecondaryCaptureImageStorage, "OT", 512, 512, 1024, series=3)


NOT_EVERYWHERE = (uids.ColorPaletteStorage, "SC_rgb_jpeg.dcm")
"""Files of pydicom that DCMTK does not send and receive: one SOP class, and a file with a wrong transfer syntax."""


def mixed_contents(count: int) -> Iterator[Iterator[bytes]]:
    """Yield the first `count` of pydicom's own files that every program can send and receive, each with a UID of its own."""
    known = set(NOT_EVERYWHERE)
    for path in sorted((Path(pydicom.__file__).parent / "data").rglob("*")):
        if path.is_file() and path.name not in NOT_EVERYWHERE and count:
            try:
                instance = InstanceFile.check(str(path))
            except FileError:
                continue
            if known.isdisjoint((instance.sop_class_uid, instance.sop_instance_uid)):
                count -= 1
                known.add(instance.sop_instance_uid)
                yield iter([path.read_bytes()])


@dataclass(frozen=True)
class Work:
    """A work: a set of files to send.

    Attributes:
        name: The short name, for options and folders.
        title: The title in words.
        objects: The largest number of SOP instances.
        contents: A function that yields the contents of a number of files.
    """

    name: str
    title: str
    objects: int
    contents: Callable[[int], Iterator[Iterator[bytes]]]

    def folder(self, share: float = 1.0, where: Path = SHARED) -> Path:
        """Return the folder with its files, or with the first `share` of them but at least one; create it in `where` if needed."""
        count = max(1, round(self.objects * share))
        folder = where / f"{self.name}-{count}"
        mark = folder.with_suffix(f".{MADE}")
        if not mark.exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            for number, content in enumerate(self.contents(count)):
                with (folder / f"{number:05d}.dcm").open("wb") as file:
                    file.writelines(content)
            mark.touch()
        return folder


WORKS = {
    work.name: work
    for work in (
        Work("ct", "400 CT images of 512x512x16 bit", 400, CT_IMAGES.contents),
        Work("small", "2,000 objects of 4 KB", 2000, SMALL.contents),
        Work("large", "one object of 537 MB", 1, LARGE.contents),
        Work("mixed", "pydicom's mixed files", 132, mixed_contents),
    )
}
"""Every work, by its name."""
