"""DICOM files for the tests: a Part 10 file as a value, and every one that pydicom ships.

Files are taken apart here without `dimse`: a test compares against the Standard and not against ourselves.
"""

from __future__ import annotations

import functools
import io
import warnings
from dataclasses import dataclass
from pathlib import Path

import pydicom
from pydicom.dataelem import RawDataElement

MEDIA_STORAGE_DIRECTORY_STORAGE = "1.2.840.10008.1.3.10"
UNDEFINED_LENGTH = 0xFFFFFFFF
LONG_VRS = (b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV")


@dataclass(frozen=True, slots=True)
class Part10File:
    """A file (PS3.10 section 7), as far as the tests know it.

    Attributes:
        path: The path; only the name if it arrived over the network.
        content: All bytes of the file.
        offset: The offset of its data set.
        transfer_syntax: From the File Meta; empty if it has none.
        sop_class_uid: From the data set; empty if it has none.
        sop_instance_uid: From the data set; empty if it has none.
        complete: True if no value is truncated.
    """

    path: Path
    content: bytes
    offset: int
    transfer_syntax: str
    sop_class_uid: str
    sop_instance_uid: str
    complete: bool

    @property
    def data_set(self) -> bytes:
        """The data set as it is encoded."""
        return self.content[self.offset :]


@dataclass(frozen=True, slots=True)
class PydicomFiles:
    """The Part 10 files that pydicom ships, each once, in the order of the paths.

    Attributes:
        sendable: The first complete file of each SOP instance.
        repeated: Further complete files whose data set has the SOP instance UID of a sendable one.
        refused: Files that name no SOP class or instance in the data set, have no transfer syntax, or are cut short.
        directories: DICOMDIRs.
    """

    sendable: tuple[Part10File, ...]
    repeated: tuple[Part10File, ...]
    refused: tuple[Part10File, ...]
    directories: tuple[Part10File, ...]


def data_set_offset(content: bytes) -> int:
    """Return the offset of the data set, behind the last element of group 0002, whatever (0002,0000) says."""
    position = 132
    while content[position : position + 2] == b"\x02\x00":
        if content[position + 4 : position + 6] in LONG_VRS:
            position += 12 + int.from_bytes(content[position + 8 : position + 12], "little")
        else:
            position += 8 + int.from_bytes(content[position + 6 : position + 8], "little")
    return position


def is_complete(data_set: pydicom.Dataset) -> bool:
    """Return True if every value of the first level has the length of its header."""
    raw = [element for element in data_set.values() if isinstance(element, RawDataElement)]
    return all(len(element.value or b"") >= element.length for element in raw if element.length != UNDEFINED_LENGTH)


def read_part10(content: bytes, path: Path) -> Part10File:
    """Take a Part 10 file apart.

    Args:
        content: All its bytes.
        path: Its path, or a name for it.
    """
    with warnings.catch_warnings():
        # pydicom warns about some of its own files.
        warnings.simplefilter("ignore")
        data_set = pydicom.dcmread(io.BytesIO(content))
        return Part10File(
            path,
            content,
            data_set_offset(content),
            str(data_set.file_meta.get("TransferSyntaxUID", "")),
            str(data_set.get("SOPClassUID", None) or ""),
            str(data_set.get("SOPInstanceUID", None) or ""),
            is_complete(data_set),
        )


def part10_files(folder: Path) -> list[Part10File]:
    """Return the Part 10 files in `folder` and below it, sorted by path."""
    contents = ((path, path.read_bytes()) for path in sorted(folder.rglob("*")) if path.is_file())
    return [read_part10(content, path) for path, content in contents if content[128:132] == b"DICM"]


@functools.cache
def pydicom_files() -> PydicomFiles:
    """Return every Part 10 file that pydicom ships, sorted into those that can be sent and the others."""
    sendable: dict[str, Part10File] = {}
    repeated, refused, directories = [], [], []
    for file in part10_files(Path(pydicom.__file__).parent / "data"):
        if MEDIA_STORAGE_DIRECTORY_STORAGE.encode() in file.content[: file.offset]:
            directories.append(file)
        elif not (file.sop_class_uid and file.sop_instance_uid and file.transfer_syntax and file.complete):
            refused.append(file)
        elif file.sop_instance_uid in sendable:
            repeated.append(file)
        else:
            sendable[file.sop_instance_uid] = file
    return PydicomFiles(tuple(sendable.values()), tuple(repeated), tuple(refused), tuple(directories))
