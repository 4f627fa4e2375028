"""The files to send: found in folders, on media and in archives, looked at, each once."""

from __future__ import annotations

import logging
import os
import stat
import threading
from collections.abc import Generator, Iterable, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, BinaryIO, TypeAlias

from dimse.errors import FileError, InaccessiblePath
from dimse.instances import LEFT_OUT, PATHS, Container, InstanceFile, IsDicomdir, NotDicom, Path
from dimse.logs.notices import notice
from dimse.sending.file_sets import FileSet
from dimse.sending.skipped import Skipped
from dimse.services.outcome import Outcome
from dimse.support.text import one_line

if TYPE_CHECKING:
    from dimse.sending.zipped import Archives  # it loads much, and few send archives

LOGGER = logging.getLogger("dimse.sending")

Found: TypeAlias = InstanceFile | Outcome
Place: TypeAlias = str | Container  # where a file is: its path, or what holds it


class Finder:
    """Finds the files to send, one by one as it is iterated, and says why others cannot be sent. It can be iterated once.

    Yields `InstanceFile` for what is to be sent, and `Outcome` with an `InaccessiblePath` or another `FileError` for what was
    asked for and cannot be sent. Folders hold other files too on real media. What neither begins as a DICOM file nor is named
    `.dcm` is skipped, and counted in one line at the end; so is what has a name that begins with a dot. It yields None where
    `paths` has nothing for the moment.

    Args:
        paths: Files; folders, which are read sorted; DICOMDIRs, which stand for what they list; ZIP archives, which stand for what
            they hold. In a folder the last two are skipped. One path needs no list.
        recurse: Read folders all the way down, not only one level.
        raw_transfer_syntax_uid: Take files that do not say their transfer syntax as data sets in this one.
        skip_invalid: Skip what cannot be sent for what is in it, though it was asked for.
        logger: Gets the lines about what is skipped, and what is amiss with what is sent.
        recurse_hint: What a user is told to say so that folders are read all the way down.

    Attributes:
        skipped: What was passed over so far.
    """

    def __init__(
        self,
        paths: Path | Iterable[Path | None],
        *,
        recurse: bool,
        raw_transfer_syntax_uid: str | None = None,
        skip_invalid: bool = False,
        logger: logging.Logger = LOGGER,
        recurse_hint: str = "recurse=True",
    ) -> None:
        self.skipped = Skipped(recurse_hint)
        self._recurse, self._skip_invalid, self._logger = recurse, skip_invalid, logger
        self._raw_transfer_syntax_uid = raw_transfer_syntax_uid
        self._seen: set[int] = set()  # files and folders by device and inode: no loop, no file twice
        self._first: dict[str, Place] = {}  # SOP instance UID: the first file that has it
        self._further: dict[str, list[Place]] = {}  # and others, with other bytes
        self._archives: Archives | None = None
        self._found = self._find(iter((paths,) if isinstance(paths, PATHS) else paths))

    def __iter__(self) -> Iterator[Found | None]:
        return self._found

    def close(self) -> None:
        """Find nothing more, and close the archives that files were found in."""
        with suppress(ValueError):  # a thread that was left behind is still at it, and waits for a path or a disk
            self._found.close()
        if self._archives is not None:
            self._archives.close()

    def _find(self, paths: Iterator[Path | None]) -> Generator[Found | None, None, None]:
        found_any = False
        for path in paths:
            if path is None:
                yield None
                continue
            for found in self._asked_for(os.fsdecode(path)):
                if found is not None:
                    found_any = True
                    yield found
        self.skipped.tell(self._logger, found_any=found_any)

    # What one thing asked for leads to; None for what is skipped.

    def _asked_for(self, path: str) -> Iterator[Found | None]:
        """What is found where a path leads."""
        try:
            status = os.stat(path)
        except (OSError, ValueError) as error:
            yield self._refuse(_inaccessible(path, error))
            return
        if stat.S_ISDIR(status.st_mode):
            yield from self._walk(path, _identity(status))
        elif self._is_new(_identity(status)):
            try:
                yield self._wanted(self._check(path))
            except IsDicomdir:
                yield from self._file_set(path)
            except FileError as error:
                if isinstance(error, NotDicom) and _is_archive(path):
                    yield from self._archive(path)
                else:
                    yield self._refuse(error)

    def _file_set(self, path: str) -> Iterator[Found | None]:
        """What a DICOMDIR lists."""
        try:
            for file in FileSet(path).files():
                yield self._refuse(file) if isinstance(file, FileError) else self._listed(file)
        except FileError as error:
            yield self._refuse(error)

    def _listed(self, path: str) -> Found | None:
        """A file that a DICOMDIR lists: it was asked for, as if it had been named."""
        try:
            return self._wanted(self._check(path)) if self._is_new(_identity(os.stat(path))) else None
        except FileError as error:
            return self._refuse(error)
        except OSError as error:
            return self._refuse(_inaccessible(path, error))

    def _archive(self, path: str) -> Iterator[Found | None]:
        """What is in a ZIP archive; that it holds other files too is no fault, as in a folder."""
        from dimse.sending.zipped import Archives

        self._archives = self._archives or Archives()
        try:
            for member in self._archives.members(path):
                if _is_hidden(member.name):
                    self.skipped.hidden += 1
                else:
                    yield self._met(member)
        except FileError as error:
            yield self._refuse(error)

    def _walk(self, folder: str, identity: int) -> Iterator[Found | None]:
        """The files of a folder, sorted; those of the folders in it, if asked for, where their names stand."""
        asked_for, folders, content = folder, [(folder, identity)], 0
        while folders:
            folder, identity = folders.pop()
            if not self._is_new(identity):
                content += 1
                continue
            try:
                names = self._names(folder)
            except OSError as error:
                yield self._refuse(_inaccessible(folder, error))
                content += 1
                continue
            prefix, below = os.path.join(folder, ""), []
            content += len(names)
            while names:
                path = prefix + names.pop()
                try:
                    status = os.stat(path)
                except OSError as error:
                    yield self._refuse(_inaccessible(path, error))
                    continue
                identity = _identity(status)
                if stat.S_ISDIR(status.st_mode):
                    below.append((path, identity))
                elif self._is_new(identity):
                    yield self._met(path)
            if self._recurse:
                folders += reversed(below)
                content -= len(below)
            else:
                self.skipped.unread += len(below)
        if not content:
            self.skipped.empty.append(asked_for)

    def _names(self, folder: str) -> list[str]:
        """Return the names in a folder, the last first; those that begin with a dot are skipped."""
        names = os.listdir(folder)
        shown = [name for name in names if name[0] != "."]
        self.skipped.hidden += len(names) - len(shown)
        return sorted(shown, reverse=True)

    def _met(self, place: Place) -> Found | None:
        """What a folder or an archive holds."""
        try:
            return self._wanted(self._check(place))
        except IsDicomdir as error:
            self._skip(error)
            return None
        except NotDicom as error:
            if self._raw_transfer_syntax_uid is not None or _name(place).lower().endswith(_SUFFIX):
                return self._refuse(error)
            self.skipped.not_dicom += 1
            if isinstance(place, str) and _is_archive(place):
                self._warn(f"Skipped: {place}: a ZIP archive: name it to send what it holds")
            else:
                self._logger.info("%s", one_line(f"Skipped: {error}"))
            return None
        except FileError as error:
            return self._refuse(error)

    def _check(self, place: Place) -> InstanceFile:
        if isinstance(place, str):
            return InstanceFile.check(place, raw_transfer_syntax_uid=self._raw_transfer_syntax_uid)
        return place.check(raw_transfer_syntax_uid=self._raw_transfer_syntax_uid)

    def _is_new(self, identity: int) -> bool:
        if identity in self._seen:
            return False
        self._seen.add(identity)
        return True

    def _refuse(self, error: FileError) -> Outcome | None:
        """What was asked for and cannot be sent."""
        accessible = not isinstance(error, InaccessiblePath) and not isinstance(error.__cause__, OSError)
        if self._skip_invalid and accessible:
            self._skip(error)
            return None
        return Outcome(error.path, error=error)

    def _skip(self, error: FileError) -> None:
        self._warn(f"Skipped: {error}")

    def _warn(self, line: str) -> None:
        self._logger.warning("%s", one_line(line))

    def _wanted(self, instance: InstanceFile) -> InstanceFile | None:
        """Two files with one SOP instance UID: the same bytes are sent once, other bytes are both sent."""
        for warning in instance.warnings:
            line = f"{instance.path}: {warning}"
            if warning == LEFT_OUT:
                notice("group 0002", "", "%s", one_line(line))
            else:
                self._warn(line)
        uid, place = instance.sop_instance_uid, instance.path if instance.container is None else instance.container
        first = self._first.setdefault(uid, place)
        if first is not place:
            others = self._further.setdefault(uid, [])
            for other in (first, *others):
                if self._is_same(instance, other):
                    self._warn(f"Sent once: {instance.path} is the same instance as {_name(other)}")
                    return None
            self._warn(
                f"Both are sent: {instance.path} has the SOP instance UID of {_name(first)}, and another data set"
            )
            others.append(place)
        return instance

    def _is_same(self, one: InstanceFile, place: Place) -> bool:
        """Whether there is an instance that is encoded the same."""
        from dimse.sending.zipped import DAMAGED

        try:
            other = self._check(place)
            if _encoding(one) != _encoding(other):
                return False
            with one.open() as first, other.open() as second:
                left = one.data_set_size - len(one.front)
                while left > 0:
                    piece = min(left, _COMPARED)
                    if first.read(piece) != second.read(piece):
                        return False
                    left -= piece
        except (FileError, OSError, *DAMAGED):
            return False  # it is gone or cannot be read: sending it will say so
        return True


_COMPARED = 1024 * 1024  # bytes of two files that are looked at together
_SUFFIX = ".dcm"
"""A file of this name in a folder is sent, or it is said why not (in any case of letters)."""


def _is_archive(path: str) -> bool:
    from dimse.sending.zipped import is_archive

    return is_archive(path)


def _encoding(instance: InstanceFile) -> tuple[str, str, int, bytes]:
    return instance.sop_instance_uid, instance.transfer_syntax_uid, instance.data_set_size, instance.front


def _is_hidden(member: str) -> bool:
    """Return whether a member of an archive, or a folder that it is in, has a name that begins with a dot."""
    parts = member.replace("\\", "/").split("/")
    return any(part.startswith(".") and part not in (os.curdir, os.pardir) for part in parts)


def _name(place: Place) -> str:
    return place if isinstance(place, str) else place.path


def _identity(status: os.stat_result) -> int:
    return status.st_dev << 64 | status.st_ino


def _inaccessible(path: str, error: Exception) -> InaccessiblePath:
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    inaccessible = InaccessiblePath(path, reason.lower())
    inaccessible.__cause__ = error
    return inaccessible


def listed_paths(stream: BinaryIO) -> Iterator[str]:
    """Paths from a list, one a line, or each ended by a NUL if there is one in what comes first; read as they are asked for.

    Empty ones are left out. Bytes that are no text are kept by surrogates (`os.fsdecode`).
    """
    read = getattr(stream, "read1", stream.read)  # a pipe gives what it has
    rest, separator = b"", b""
    while block := read(_BLOCK):
        rest += block
        if not separator:
            separator = next((one for one in (b"\0", b"\n") if one in rest), b"")
        if separator:
            *paths, rest = rest.split(separator)
            yield from (os.fsdecode(path) for path in paths if path)
    if rest:
        yield os.fsdecode(rest)


_BLOCK = 65_536  # bytes of a list that are read at once


def as_they_come(paths: Iterable[str], moment: float = 0.1) -> Iterator[str | None]:
    """Paths from a source that may be slow, which is read in a thread of its own.

    Yields:
        The paths, and None where none has come for `moment` seconds.
    """
    from queue import Empty, Queue  # few need it

    come: Queue[str | None] = Queue(_MOST_COME)

    def read() -> None:
        for path in paths:
            come.put(path)
        come.put(None)

    threading.Thread(target=read, name="dimse-paths", daemon=True).start()
    while True:
        try:
            path = come.get(timeout=moment)
        except Empty:
            yield None
            continue
        if path is None:
            return
        yield path


_MOST_COME = 1000  # paths that are read ahead
