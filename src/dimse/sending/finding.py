"""The search for files to send: in folders, on media and in archives, each file once."""

from __future__ import annotations

import logging
import os
import stat
import threading
from codecs import BOM_UTF8
from collections.abc import Callable, Collection, Generator, Iterable, Iterator
from contextlib import suppress
from types import GeneratorType
from typing import TYPE_CHECKING, Any, BinaryIO, TypeAlias, cast

from dimse.errors import FileError, InaccessiblePath
from dimse.instances import LEFT_OUT, Container, InstanceFile, IsDicomdir, NotDicom, Path, is_path
from dimse.logs.notices import notice
from dimse.sending.file_sets import FileSet
from dimse.sending.known import KnownFiles
from dimse.sending.skipped import Skipped
from dimse.services.outcome import Outcome
from dimse.support.text import one_line
from dimse.support.values import record

if TYPE_CHECKING:
    # It loads much, and few users send archives.
    from dimse.instances import memory
    from dimse.sending.zipped import Archives

LOGGER = logging.getLogger("dimse.sending")

Found: TypeAlias = InstanceFile | Outcome
Sendable: TypeAlias = "Path | InstanceFile | memory.InMemory"
# The place of a file: its path, or the member of an archive.
Place: TypeAlias = str | Container


@record
class Tally:
    """A number of files.

    Attributes:
        files: The number.
        size: Their bytes.
    """

    files: int = 0
    size: int = 0


class Finder:
    """A search for files to send, which goes on as it is iterated over. It can be iterated over once.

    It yields an `InstanceFile` for each file or instance in memory to send. For a named path that cannot be sent it yields an
    `Outcome` with an `InaccessiblePath` or another `FileError`. It yields None when the next path is not there yet.

    Folders on real media hold other files too. A file is skipped if it neither begins as a DICOM file nor is named `.dcm`, or
    if its name begins with a dot. One line at the end counts the skipped files.

    Args:
        paths: Files; folders, which are read in sorted order; DICOMDIRs, for the files that they list; ZIP archives, for their
            members. In a folder the last two are skipped. Instances in memory may stand among them. It may be a single one.
        recurse: True to read folders all the way down, False to read them one level deep.
        raw_transfer_syntax_uid: The transfer syntax of files that do not name theirs, which are read as data sets.
        skip_invalid: True to skip named files whose content cannot be sent.
        logger: The logger for lines about skipped files, and about faults of files that are sent.
        recurse_hint: The words by which a user asks for `recurse`, for the line about folders that are not read.
        tags: Tags of elements whose values `InstanceFile.elements` is to have.
        tell_skipped: Called with the path and the reason of each file and folder that is passed over.

    Attributes:
        skipped: The files and folders passed over so far.
        met: The files that the search has come to in folders and by their names, whether they are sent or not.
    """

    def __init__(
        self,
        paths: Sendable | Iterable[Sendable | None],
        *,
        recurse: bool,
        raw_transfer_syntax_uid: str | None = None,
        skip_invalid: bool = False,
        logger: logging.Logger = LOGGER,
        recurse_hint: str = "recurse=True",
        tags: Collection[int] = (),
        tell_skipped: Callable[[str, str], object] | None = None,
    ) -> None:
        self.skipped, self.met = Skipped(recurse_hint, tell_each=tell_skipped), Tally()
        self._tags = tags
        self._recurse, self._skip_invalid, self._logger = recurse, skip_invalid, logger
        self._raw_transfer_syntax_uid = raw_transfer_syntax_uid
        # So that there is no loop, and no file twice.
        self._known = KnownFiles()
        # By SOP instance UID, the files behind the first one, which have other bytes.
        self._further: dict[str, list[Place]] = {}
        self._archives: Archives | None = None
        self._found = self._find(iter(_each(paths)))

    def __iter__(self) -> Iterator[Found | None]:
        return self._found

    def close(self) -> None:
        """End the search, and close the archives."""
        # A thread that was left behind may still run the search, and wait for a path or a disk.
        with suppress(ValueError):
            self._found.close()
        if self._archives is not None:
            self._archives.close()
        self._known.close()

    def is_copy(self, file: InstanceFile) -> bool:
        """Return True if another file with the SOP instance UID of this one, and another data set, was found before it."""
        others = self._further.get(file.sop_instance_uid)
        return others is not None and (file.path if file.container is None else _place(file)) in others

    def _find(self, paths: Iterator[Sendable | None]) -> Generator[Found | None, None, None]:
        found_any, number = False, 0
        for given in paths:
            if given is None:
                yield None
                continue
            number += 1
            places = self._asked_for(os.fsdecode(given)) if is_path(given) else self._given(given, number)
            for found in places:
                if found is not None:
                    found_any = True
                    yield found
        self.skipped.tell(self._logger, found_any=found_any)

    # Each of these yields the results for one path or instance, with None for skipped files.

    def _given(self, given: Any, number: int) -> Iterator[Found | None]:
        """Yield an instance that is in memory, or a file that was checked.

        Raises:
            TypeError: It is neither.
        """
        if isinstance(given, InstanceFile):
            yield self._wanted(given)
            return
        # Few users send what is in memory.
        from dimse.instances import memory

        if not memory.is_instance(given):
            raise TypeError(
                "what is sent is a path, the bytes of a Part 10 file, an open binary file or a pydicom data set, not"
                f" {given!r}"
            )
        in_memory = cast("memory.InMemory", given)
        name = memory.name_of(in_memory, number)
        try:
            instance = memory.check(in_memory, name, lasting=True, tags=self._tags)
        except FileError as error:
            yield self._refuse(error)
        else:
            yield self._wanted(instance)

    def _asked_for(self, path: str) -> Iterator[Found | None]:
        """Yield the files of a named path."""
        try:
            status = os.stat(path)
        except (OSError, ValueError) as error:
            self.met.files += 1
            yield self._member(path, _inaccessible(path, error))
            return
        if stat.S_ISDIR(status.st_mode):
            yield from self._walk(path, _identity(status))
            return
        self.met.files += 1
        self.met.size += status.st_size
        if self._is_new(_identity(status), path):
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
        """Yield the files that a DICOMDIR lists."""
        try:
            for file in FileSet(path).files():
                yield self._refuse(file) if isinstance(file, FileError) else self._listed(file)
        except FileError as error:
            yield self._refuse(error)

    def _listed(self, path: str) -> Found | None:
        """Return a file that a DICOMDIR lists, which counts as a named one."""
        try:
            return self._wanted(self._check(path)) if self._is_new(_identity(os.stat(path)), path) else None
        except FileError as error:
            return self._refuse(error)
        except OSError as error:
            return self._refuse(_inaccessible(path, error))

    def _archive(self, path: str) -> Iterator[Found | None]:
        """Yield the files in a ZIP archive, which may hold other files too, as a folder may."""
        from dimse.sending.zipped import Archives

        self._archives = self._archives or Archives()
        try:
            for member in self._archives.members(path):
                if _is_hidden(member.name):
                    self.skipped.hidden += 1
                    self.skipped.pass_over(member.path, _HIDDEN)
                else:
                    yield self._met(member)
        except FileError as error:
            yield self._refuse(error)

    def _member(self, path: str, missing: InaccessiblePath) -> Found | None:
        """Return the member of an archive that a path names, or the outcome of a path that names nothing."""
        if ":" not in path:
            return self._refuse(missing)
        from dimse.sending.zipped import Archives

        self._archives = self._archives or Archives()
        try:
            member = self._archives.member(path)
            return self._refuse(missing) if member is None else self._wanted(self._check(member))
        except FileError as error:
            return self._refuse(error)

    def _walk(self, folder: str, identity: int) -> Iterator[Found | None]:
        """Yield the files of a folder in sorted order, and with `recurse` those of each folder in it at the place of its name."""
        asked_for, folders, content, met = folder, [(folder, identity)], 0, self.met
        while folders:
            folder, identity = folders.pop()
            if not self._known.is_new(identity):
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
                    met.files += 1
                    yield self._refuse(_inaccessible(path, error))
                    continue
                identity = _identity(status)
                if stat.S_ISDIR(status.st_mode):
                    below.append((path, identity))
                    continue
                met.files += 1
                met.size += status.st_size
                if self._is_new(identity, path):
                    yield self._met(path)
            if self._recurse:
                folders += reversed(below)
                content -= len(below)
            else:
                self.skipped.unread += len(below)
                for path, _ in below:
                    self.skipped.pass_over(path, f"a subfolder, which is read with {self.skipped.recurse_hint}")
        if not content:
            self.skipped.empty.append(asked_for)

    def _names(self, folder: str) -> list[str]:
        """Return the names in a folder, the last first; those that begin with a dot are skipped."""
        names = os.listdir(folder)
        shown = [name for name in names if name[0] != "."]
        self.skipped.hidden += len(names) - len(shown)
        if len(shown) < len(names) and self.skipped.tell_each is not None:
            for name in sorted(set(names).difference(shown)):
                self.skipped.pass_over(os.path.join(folder, name), _HIDDEN)
        return sorted(shown, reverse=True)

    def _met(self, place: Place) -> Found | None:
        """Return a file of a folder or an archive, or None if it is skipped."""
        try:
            return self._wanted(self._check(place))
        except IsDicomdir as error:
            self._skip(error)
            return None
        except NotDicom as error:
            if self._raw_transfer_syntax_uid is not None or _name(place).lower().endswith(_SUFFIX):
                return self._refuse(error)
            self.skipped.not_dicom += 1
            self.skipped.pass_over(error.path, error.reason)
            if isinstance(place, str) and _is_archive(place):
                self._warn(f"Skipped: {place}: a ZIP archive: name it to send what it holds")
            else:
                self._logger.info("%s", one_line(f"Skipped: {error}"))
            return None
        except FileError as error:
            return self._refuse(error)

    def _check(self, place: Place) -> InstanceFile:
        if isinstance(place, str):
            return InstanceFile.check(place, raw_transfer_syntax_uid=self._raw_transfer_syntax_uid, tags=self._tags)
        return place.check(raw_transfer_syntax_uid=self._raw_transfer_syntax_uid, tags=self._tags)

    def _is_new(self, identity: int, path: str) -> bool:
        """Return True if a file is met for the first time; otherwise log that the path is passed over, and return False."""
        if self._known.is_new(identity):
            return True
        self.skipped.pass_over(path, "the same file was found before")
        return False

    def _refuse(self, error: FileError) -> Outcome | None:
        """Return the outcome of a named path that cannot be sent, or None if it is skipped."""
        accessible = not isinstance(error, InaccessiblePath) and not isinstance(error.__cause__, OSError)
        if self._skip_invalid and accessible:
            self._skip(error)
            return None
        return Outcome(error.path, error=error)

    def _skip(self, error: FileError) -> None:
        self.skipped.pass_over(error.path, error.reason)
        self._warn(f"Skipped: {error}")

    def _warn(self, line: str) -> None:
        self._logger.warning("%s", one_line(line))

    def _wanted(self, instance: InstanceFile) -> InstanceFile | None:
        """Return a file to send, or None if another file has the same SOP instance UID and the same bytes."""
        for warning in instance.warnings:
            line = f"{instance.path}: {warning}"
            if warning == LEFT_OUT:
                notice("group 0002", "", "%s", one_line(line))
            else:
                self._warn(line)
        uid, place = instance.sop_instance_uid, instance.path if instance.container is None else _place(instance)
        first = self._known.first_with(uid, place)
        if first is not place:
            others = self._further.setdefault(uid, [])
            for other in (first, *others):
                if self._is_same(instance, other):
                    self._warn(f"Sent once: {instance.path} is the same instance as {_name(other)}")
                    self.skipped.pass_over(instance.path, f"the same instance as {_name(other)}")
                    return None
            # Data sets in memory are not kept to be compared.
            from dimse.instances.memory import Emptied

            is_compared = not _is_in_memory(instance) and not isinstance(first, Emptied)
            other_data_set = ", and another data set" if is_compared else ""
            self._warn(f"Both are sent: {instance.path} has the SOP instance UID of {_name(first)}{other_data_set}")
            others.append(place)
        return instance

    def _is_same(self, one: InstanceFile, place: Place) -> bool:
        """Return True if the file at a place holds the same instance with the same bytes."""
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
            # The file cannot be read any longer, which sending it reports.
            return False
        return True


# Bytes of two files that are compared at a time.
_COMPARED = 1024 * 1024
_HIDDEN = "its name begins with a dot"
_SUFFIX = ".dcm"
"""The suffix, in any case, of files in a folder that are reported if they cannot be sent."""


def _is_archive(path: str) -> bool:
    from dimse.sending.zipped import is_archive

    return is_archive(path)


def _encoding(instance: InstanceFile) -> tuple[str, str, int, bytes]:
    return instance.sop_instance_uid, instance.transfer_syntax_uid, instance.data_set_size, instance.front


def _is_hidden(member: str) -> bool:
    """Return True if the name of a member of an archive, or of a folder that it is in, begins with a dot."""
    parts = member.replace("\\", "/").split("/")
    return any(part.startswith(".") and part not in (os.curdir, os.pardir) for part in parts)


def _place(instance: InstanceFile) -> Place:
    """Return the place of an instance in a container: of one in memory a name, so that its bytes are not kept."""
    assert instance.container is not None
    if not _is_in_memory(instance):
        return instance.container
    from dimse.instances.memory import Emptied

    return Emptied(instance.path)


def _is_in_memory(instance: InstanceFile) -> bool:
    return instance.container is not None and instance.container.held > 0


def _each(paths: Sendable | Iterable[Sendable | None]) -> Iterable[Sendable | None]:
    """Return what was given, in a tuple if it is a single path or instance."""
    if isinstance(paths, (list, tuple, GeneratorType)):
        return paths
    if isinstance(paths, InstanceFile) or is_path(paths):
        return (paths,)
    from dimse.instances.memory import is_instance

    many: Any = (paths,) if is_instance(paths) else paths
    each: Iterable[Sendable | None] = many
    return each


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
    """Yield the paths of a list, and read the list only as far as needed.

    Lines end with a line feed, or with a NUL if the first block of the list has one. Empty lines are left out. Bytes that are
    not text become surrogates (`os.fsdecode`). A byte order mark before a line and a carriage return behind it are dropped, but
    not in a list with NULs.
    """
    # `read1` does not wait until a pipe has filled the block.
    read = getattr(stream, "read1", stream.read)
    rest, separator = b"", b""
    while block := read(_BLOCK):
        rest += block
        if not separator:
            separator = next((one for one in (b"\0", b"\n") if one in rest), b"")
        if separator:
            *paths, rest = rest.split(separator)
            yield from _decoded(paths, separator)
    yield from _decoded([rest], separator)


def _decoded(lines: Iterable[bytes], separator: bytes) -> Iterator[str]:
    """Yield the paths in the lines of a list."""
    for line in lines:
        # Editors on Windows write both.
        path = line if separator == b"\0" else line.removeprefix(BOM_UTF8).removesuffix(b"\r")
        if path:
            yield os.fsdecode(path)


# Bytes of a list that are read at once.
_BLOCK = 65_536


def as_they_come(paths: Iterable[str], moment: float = 0.1) -> Iterator[str | None]:
    """Yield paths from a source that may be slow, which a thread of its own reads.

    Yields:
        The paths, and None after each `moment` seconds without one.
    """
    # Few users need it.
    from queue import Empty, Queue

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


# Paths that are read ahead.
_MOST_COME = 1000
