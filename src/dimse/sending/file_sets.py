"""What a DICOMDIR lists (PS3.10 section 8, PS3.3 Annex F): the files of the DICOM file-set that it is the directory of.

A Referenced File ID is data: it leads to nothing outside the folder of its DICOMDIR, through symbolic links neither.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from functools import lru_cache

from dimse import uids
from dimse.data_set import walk
from dimse.errors import FileError, InaccessiblePath
from dimse.media import part10
from dimse.support.text import one_line

_DIRECTORY_RECORD_SEQUENCE = 0x00041220
_REFERENCED_FILE_ID = 0x00041500
_FOLDERS = 64  # whose names are kept

# What file systems and programs that write media add to a File ID: a full stop, an extension, a version (ISO 9660).
_ADDED = re.compile(r"(\.|\.dcm)?(;\d+)?$", re.IGNORECASE)


class FileSet:
    """A DICOM file-set, known by its DICOMDIR.

    Args:
        path: The DICOMDIR; what it lists is relative to its folder.
    """

    def __init__(self, path: str) -> None:
        self._path, self._folder = path, os.path.dirname(path)
        self._root = os.path.realpath(self._folder)
        self._names = lru_cache(_FOLDERS)(_names)

    def files(self) -> Iterator[str | FileError]:
        """The paths of the files that the directory lists, in its order.

        One that is refused is an error in its place, `InaccessiblePath` where there is no such file. Where not all of the
        directory can be read, an error that says so is the last.

        Raises:
            FileError: Nothing of the directory can be read.
        """
        file_ids, rest = _file_ids(self._path)
        for file_id in file_ids:
            if file_id:  # the records of patients, studies and series lead to no file
                yield self._find([os.fsdecode(one.strip(" \0").encode("latin-1")) for one in file_id.split("\\")])
        if rest is not None:
            yield FileError(self._path, f"not all of it can be read: {rest}")

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


def _file_ids(path: str) -> tuple[list[str], str | None]:
    """The Referenced File IDs (0004,1500) of a DICOMDIR, and why they are not all."""
    try:
        with open(path, "rb") as file:

            def read(offset: int, size: int) -> bytes:
                file.seek(offset)
                return file.read(size)

            meta = part10.parse(read(0, part10.MAXIMUM_SIZE))
            if meta is None:
                raise FileError(path, "cut short: the file ends with its File Meta Information")
            syntax = uids.transfer_syntax(meta.transfer_syntax_uid or uids.ExplicitVRLittleEndian)
            if syntax is None or syntax.deflated:  # PS3.10 8.6
                raise FileError(path, f"no DICOMDIR may be in {uids.name(meta.transfer_syntax_uid or '')}")
            size = os.fstat(file.fileno()).st_size
            return walk.values_within(
                read, meta.data_set_offset, size, syntax, _DIRECTORY_RECORD_SEQUENCE, _REFERENCED_FILE_ID
            )
    except (part10.NotPart10, walk.MalformedDataSet) as error:
        raise FileError(path, str(error)) from error
    except OSError as error:
        raise FileError(path, (error.strerror or str(error)).lower()) from error
