"""The files to send: found in folders, looked at, each once."""

from __future__ import annotations

import logging
import os
import stat
from collections.abc import Iterator, Sequence

from dimse.errors import FileError
from dimse.instances import InstanceFile, IsDicomdir, NotDicom
from dimse.text import one_line


class Finder:
    """Finds files to send, and says what is wrong with the others.

    Args:
        logger: Where it is said.
        recurse: Read folders all the way down, not only one level.

    Attributes:
        faults: How many paths were asked for and cannot be sent.
    """

    def __init__(self, logger: logging.Logger, *, recurse: bool) -> None:
        self.faults = 0
        self._logger = logger
        self._recurse = recurse
        self._seen: set[tuple[int, int]] = set()  # files and folders by device and inode: no loop, no file twice
        self._instances: dict[str, list[InstanceFile]] = {}

    def find(self, paths: Sequence[str]) -> list[InstanceFile]:
        """Every file that can be sent, in the order of `paths`, sorted within a folder."""
        found = []
        for path in paths:
            for named, file in self._files(path):
                instance = self._look_at(file, named=named)
                if instance is not None:
                    found.append(instance)
        return found

    def _files(self, path: str) -> Iterator[tuple[bool, str]]:
        """The files of one argument: whether each was named itself, and its path."""
        try:
            status = os.stat(path)
        except (OSError, ValueError) as error:
            self._fault(f"Cannot access path: {path}", error)
            return
        if stat.S_ISDIR(status.st_mode):
            yield from ((False, file) for file in self._walk(path, status))
        elif self._is_new(status):
            yield True, path

    def _walk(self, folder: str, status: os.stat_result) -> Iterator[str]:
        """The files of a folder, sorted; those of the folders in it, if asked for, where their names stand."""
        folders = [(folder, status)]
        while folders:
            folder, status = folders.pop()
            if not self._is_new(status):
                continue
            try:
                names = sorted(os.listdir(folder))
            except OSError as error:
                self._fault(f"Cannot access path: {folder}", error)
                continue
            below = []
            for name in names:
                path = os.path.join(folder, name)
                try:
                    status = os.stat(path)
                except OSError as error:
                    self._fault(f"Cannot access path: {path}", error)
                    continue
                if stat.S_ISDIR(status.st_mode):
                    below.append((path, status))
                elif self._is_new(status):
                    yield path
            if self._recurse:
                folders += reversed(below)

    def _is_new(self, status: os.stat_result) -> bool:
        identity = status.st_dev, status.st_ino
        if identity in self._seen:
            return False
        self._seen.add(identity)
        return True

    def _look_at(self, path: str, *, named: bool) -> InstanceFile | None:
        """A file that can be sent; of one that cannot, why: real media carry other files in their folders, which are skipped."""
        try:
            instance = InstanceFile.check(path)
        except (NotDicom, IsDicomdir) as error:
            if named:
                self._fault(f"Bad DICOM file: {path}", error)
            else:
                self._logger.warning("Skipped: %s", one_line(str(error)))
            return None
        except FileError as error:
            self._fault(f"Bad DICOM file: {path}", error)
            return None
        for warning in instance.warnings:
            self._logger.warning("%s", one_line(f"{path}: {warning}"))
        return instance if self._is_wanted(instance) else None

    def _is_wanted(self, instance: InstanceFile) -> bool:
        """Two files with one SOP instance UID: the same bytes are sent once, other bytes are both sent."""
        others = self._instances.setdefault(instance.sop_instance_uid, [])
        for other in others:
            if _same_data_set(instance, other):
                self._logger.warning("Sent once: %s", one_line(f"{instance.path} is the same instance as {other.path}"))
                return False
        if others:
            self._logger.warning(
                "Both are sent: %s",
                one_line(f"{instance.path} has the SOP instance UID of {others[0].path}, and another data set"),
            )
        others.append(instance)
        return True

    def _fault(self, what: str, error: Exception) -> None:
        self.faults += 1
        if isinstance(error, FileError):
            self._logger.error("%s: %s", one_line(what), one_line(error.reason))
        else:
            reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
            self._logger.error("%s: %s", one_line(what), one_line(reason.lower()))


_COMPARED = 1024 * 1024  # bytes of two files that are looked at together


def _same_data_set(one: InstanceFile, other: InstanceFile) -> bool:
    if (one.data_set_size, one.transfer_syntax_uid) != (other.data_set_size, other.transfer_syntax_uid):
        return False
    try:
        with open(one.path, "rb") as first, open(other.path, "rb") as second:
            first.seek(one.data_set_offset)
            second.seek(other.data_set_offset)
            left = one.data_set_size
            while left > 0:
                piece = min(left, _COMPARED)
                if first.read(piece) != second.read(piece):
                    return False
                left -= piece
    except OSError:
        return False  # it is gone or cannot be read: sending it will say so
    return True
