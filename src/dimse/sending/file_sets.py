"""What a DICOMDIR lists (PS3.10 section 8, PS3.3 Annex F): the files of the DICOM file-set that it is the directory of.

A Referenced File ID is data: it leads to nothing outside the folder of its DICOMDIR, through symbolic links neither.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from functools import lru_cache
from struct import Struct
from typing import BinaryIO

from dimse import uids
from dimse.data_set import walk
from dimse.encoding import is_vr
from dimse.errors import FileError, InaccessiblePath
from dimse.media import part10
from dimse.text import one_line
from dimse.values import value

_DIRECTORY_RECORD_SEQUENCE = 0x00041220
_REFERENCED_FILE_ID = 0x00041500
_FOLDERS = 64  # whose names are kept

# What file systems and programs that write media add to a File ID: a full stop, an extension, a version (ISO 9660).
_ADDED = re.compile(r"(\.|\.dcm)?(;\d+)?$", re.IGNORECASE)


class FileSet:
    """A DICOM file-set, known by its DICOMDIR.

    Args:
        path: The DICOMDIR; what it lists is relative to its folder.

    Attributes:
        warnings: What is amiss with the directory and no reason not to follow it, a line each.

    Raises:
        FileError: It cannot be read, or is not whole.
    """

    def __init__(self, path: str) -> None:
        self._path, self._folder = path, os.path.dirname(path)
        self._root = os.path.realpath(self._folder)
        self._names = lru_cache(_FOLDERS)(_names)
        try:
            with open(path, "rb") as file:
                self._records = _Records.find(path, file)
        except OSError as error:
            raise _unreadable(path, error) from error
        self.warnings = self._records.warnings

    def files(self) -> Iterator[str | FileError]:
        """The paths of the files that the directory lists, in its order; each record is read when it is its turn.

        A path that is refused is an error in its place, `InaccessiblePath` where there is no such file. If the directory cannot be
        read any further, an error that says so is the last.
        """
        try:
            with open(self._path, "rb") as file:
                for file_id in self._records.file_ids(file):
                    if file_id.strip(b" \0"):
                        yield self._find([os.fsdecode(one.strip(b" \0")) for one in file_id.split(b"\\")])
        except OSError as error:
            yield _unreadable(self._path, error)
        except Exception as error:  # whatever pydicom makes of a faulty record
            yield FileError(self._path, f"the directory cannot be read: {error}")

    def _find(self, components: list[str]) -> str | FileError:
        """The path of a listed file (PS3.10 8.2: the components of a File ID are folders, and the file)."""
        path = self._folder
        for component in components:
            if component in ("", os.curdir, os.pardir) or os.sep in component or "\0" in component:
                listed = one_line("\\".join(components))
                return FileError(self._path, f'it lists "{listed}", which is no File ID')
            path = os.path.join(path, self._actual_name(path, component))
        if not os.path.lexists(path):
            return InaccessiblePath(path, f"no such file or directory, and {self._path} lists it")
        if os.path.commonpath((self._root, os.path.realpath(path))) != self._root:
            return FileError(self._path, f"it lists {path}, which leads out of its folder")
        return path

    def _actual_name(self, folder: str, component: str) -> str:
        """The name in a folder that a component means: the very same, else one in other case or with something added."""
        if os.path.lexists(os.path.join(folder, component)):
            return component
        return self._names(folder).get(_plain(component), component)


def _plain(name: str) -> str:
    return _ADDED.sub("", name).upper()


def _names(folder: str) -> dict[str, str]:
    """The names in a folder, by what they are without what may have been added; of several the shortest counts."""
    try:
        names = sorted(os.listdir(folder or os.curdir), key=lambda name: (-len(name), name))
    except OSError:
        return {}  # what is listed there is missing, and said to be
    return {_plain(name): name for name in names}


@value
class _Records:
    """Where the directory records are in a DICOMDIR, and how they are encoded.

    Attributes:
        start: Offset of the first Item of the Directory Record Sequence.
        end: Offset where they end at the latest.
        implicit_vr: Whether they are in Implicit VR.
        little_endian: Their byte order.
        warnings: What is amiss, a line each.
    """

    start: int
    end: int
    implicit_vr: bool
    little_endian: bool
    warnings: tuple[str, ...]

    @classmethod
    def find(cls, path: str, file: BinaryIO) -> _Records:
        """Make sure that a DICOMDIR is whole, and look where its records are.

        Raises:
            FileError: It is not whole.
        """
        from pydicom.filereader import read_dataset

        def read(offset: int, size: int) -> bytes:
            file.seek(offset)
            return file.read(size)

        size = file.seek(0, os.SEEK_END)
        try:
            meta = part10.parse(read(0, part10.MAXIMUM_SIZE))
            if meta is None:
                raise FileError(path, "cut short: the file ends with its File Meta Information")
            syntax = uids.transfer_syntax(meta.transfer_syntax_uid or uids.ExplicitVRLittleEndian)
            if syntax is None or syntax.deflated:  # PS3.10 8.6
                raise FileError(path, f"no DICOMDIR may be in {uids.name(meta.transfer_syntax_uid or '')}")
            outline = walk.walk(read, meta.data_set_offset, size, syntax)
        except (part10.NotPart10, walk.MalformedDataSet) as error:
            raise FileError(path, str(error)) from error
        implicit_vr = not is_vr(read(meta.data_set_offset, 6)[4:])
        file.seek(meta.data_set_offset)
        read_dataset(
            file, implicit_vr, syntax.little_endian, stop_when=lambda tag, vr, length: tag >= _DIRECTORY_RECORD_SEQUENCE
        )
        header = Struct(("<" if syntax.little_endian else ">") + ("HHL" if implicit_vr else "HHxxxxL"))
        start, length = file.tell() + header.size, 0
        if start <= outline.end:
            group, element, length = header.unpack(file.read(header.size))
            if group << 16 | element != _DIRECTORY_RECORD_SEQUENCE:
                length = 0
        return cls(start, min(start + length, outline.end), implicit_vr, syntax.little_endian, outline.warnings)

    def file_ids(self, file: BinaryIO) -> Iterator[bytes]:
        """The Referenced File IDs (0004,1500) of all records that have one, as they are encoded."""
        from pydicom.filereader import read_sequence_item

        position = self.start
        while position < self.end:
            file.seek(position)
            record = read_sequence_item(file, self.implicit_vr, self.little_endian, "iso8859")
            if record is None:  # the delimiter of a sequence of undefined length
                return
            position = file.tell()
            if _REFERENCED_FILE_ID in record:
                yield record.get_item(_REFERENCED_FILE_ID).value or b""


def _unreadable(path: str, error: OSError) -> FileError:
    unreadable = FileError(path, (error.strerror or str(error)).lower())
    unreadable.__cause__ = error
    return unreadable
