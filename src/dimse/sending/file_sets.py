"""DICOM file-sets: the files that a DICOMDIR lists (PS3.10 section 8, PS3.3 Annex F).

A Referenced File ID is data. It must not lead out of the folder of its DICOMDIR, neither directly nor through symbolic links.
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
# Folders whose names are cached.
_FOLDERS = 64

# File systems and programs that write media add to a File ID: a full stop, an extension, a version (ISO 9660).
_ADDED = re.compile(r"(\.|\.dcm)?(;\d+)?$", re.IGNORECASE)


class FileSet:
    """A DICOM file-set, known by its DICOMDIR.

    Args:
        path: The path of the DICOMDIR; the files that it lists are relative to its folder.
    """

    def __init__(self, path: str) -> None:
        self._path, self._folder = path, os.path.dirname(path)
        self._root = os.path.realpath(self._folder)
        self._names = lru_cache(_FOLDERS)(_names)

    def files(self) -> Iterator[str | FileError]:
        """Yield the paths of the files that the directory lists, in its order.

        In place of a file that is refused there is an error: `InaccessiblePath` if it does not exist. If the directory cannot
        be read to its end, an error about that comes last.

        Raises:
            FileError: Nothing of the directory can be read.
        """
        file_ids, rest = _file_ids(self._path)
        for file_id in file_ids:
            # Records of patients, studies and series have no file.
            if file_id:
                yield self._find([os.fsdecode(one.strip(" \0").encode("latin-1")) for one in file_id.split("\\")])
        if rest is not None:
            yield FileError(self._path, f"not all of it can be read: {rest}")

    def _find(self, components: list[str]) -> str | FileError:
        """Return the path of a listed file. The components of its File ID are folders and the file (PS3.10 8.2)."""
        path = self._folder
        for component in components:
            if component in ("", os.curdir, os.pardir) or os.sep in component or "\0" in component:
                listed = one_line("\\".join(components))
                return FileError(self._path, f'it lists "{listed}", which is not a File ID')
            path = os.path.join(path, self._actual_name(path, component))
        if not os.path.lexists(path):
            return InaccessiblePath(path, f"no such file or directory, and {self._path} lists it")
        if os.path.commonpath((self._root, os.path.realpath(path))) != self._root:
            return FileError(self._path, f"it lists {path}, which leads out of its folder")
        return path

    def _actual_name(self, folder: str, component: str) -> str:
        """Return the name in a folder that a component means: the same one, or one in other case or with an addition."""
        if os.path.lexists(os.path.join(folder, component)):
            return component
        return self._names(folder).get(_plain(component), component)


def _plain(name: str) -> str:
    return _ADDED.sub("", name).upper()


def _names(folder: str) -> dict[str, str]:
    """Return the names in a folder by their plain form, without additions; of several the shortest counts."""
    try:
        names = sorted(os.listdir(folder or os.curdir), key=lambda name: (-len(name), name))
    except OSError:
        # The files that are listed there are reported as missing.
        return {}
    return {_plain(name): name for name in names}


def _file_ids(path: str) -> tuple[list[str], str | None]:
    """Return the Referenced File IDs (0004,1500) of a DICOMDIR, and the reason if some cannot be read."""
    try:
        with open(path, "rb") as file:

            def read(offset: int, size: int) -> bytes:
                file.seek(offset)
                return file.read(size)

            meta = part10.parse(read(0, part10.MAXIMUM_SIZE))
            if meta is None:
                raise FileError(path, "cut short: the file ends with its File Meta Information")
            syntax = uids.transfer_syntax(meta.transfer_syntax_uid or uids.ExplicitVRLittleEndian)
            # PS3.10 8.6.
            if syntax is None or syntax.deflated:
                raise FileError(path, f"a DICOMDIR cannot be in {uids.name(meta.transfer_syntax_uid or '')}")
            size = os.fstat(file.fileno()).st_size
            return walk.values_within(
                read, meta.data_set_offset, size, syntax, _DIRECTORY_RECORD_SEQUENCE, _REFERENCED_FILE_ID
            )
    except (part10.NotPart10, walk.MalformedDataSet) as error:
        raise FileError(path, str(error)) from error
    except OSError as error:
        raise FileError(path, (error.strerror or str(error)).lower()) from error
