"""The folders of a store: opened relative to their parent's descriptor, never through a symbolic link, and synced."""

from __future__ import annotations

import errno
import fcntl
import os
import stat
from collections.abc import Callable
from contextlib import suppress
from threading import Lock
from weakref import WeakSet

from dimse.logs.notices import notice
from dimse.support.pace import Pace

FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC

INCOMING = ".incoming"
"""The folder for what arrives, inside the store's folder, so that it is on the same file system."""

PART = ".part"
"""The ending of the name of a file that is arriving."""

_MOST_KNOWN = 1024  # folders whose names are known to be on the disk
_MOST_SPARE = 16  # descriptors of the store's folder that nobody uses for the moment
_FULL_FSYNC: int | None = getattr(fcntl, "F_FULLFSYNC", None)  # macOS: fsync leaves the bytes in the drive's cache
_ADVISE: Callable[[int, int, int, int], None] | None = getattr(os, "posix_fadvise", None)  # macOS has none
_RENAME_NOREPLACE = 1  # linux/fs.h

UNSUPPORTED = frozenset((errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL, errno.EMLINK))
"""What the system says to a hard link, or to a kind of renaming, that the file system does not have."""


def sync(descriptor: int) -> None:
    """Wait until the disk has a file or a folder. A failure is final: another fsync may succeed over what this one lost."""
    if _FULL_FSYNC is not None:
        fcntl.fcntl(descriptor, _FULL_FSYNC)
    else:
        os.fsync(descriptor)


def begin_sync(descriptor: int, offset: int, size: int) -> None:
    """Have the disk begin with bytes of a file, where the system can be told to: `sync` then waits for less.

    What is called "not needed" is written to the disk by Linux, and out of its memory only if it had been before.
    """
    if _ADVISE is not None:
        with suppress(OSError):  # it is an advice
            _ADVISE(descriptor, offset, size, os.POSIX_FADV_DONTNEED)


def close(descriptor: int) -> None:
    """Close a file or a folder. What the system says to that is no news: what must not be lost has been synced."""
    try:
        os.close(descriptor)
    except OSError:
        return


def _close_all(descriptors: list[int]) -> None:
    while descriptors:
        close(descriptors.pop())


def lock(root: int, path: str, *, shared: bool = False) -> None:
    """Lock the folder of a store.

    Raises:
        BlockingIOError: Another storescp or `FileStore` uses it.
    """
    try:
        fcntl.flock(root, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise BlockingIOError(errno.EWOULDBLOCK, "another storescp or FileStore uses this folder", path) from error


def open_incoming(root: int, path: str) -> int:
    """Open the folder for what arrives, which is made if it does not exist; return its descriptor.

    Raises:
        OSError: It cannot be made or opened, is a symbolic link, or is on another file system than the store's folder.
    """
    with suppress(FileExistsError):
        os.mkdir(INCOMING, 0o700, dir_fd=root)
    incoming = os.open(INCOMING, FOLDER | os.O_NOFOLLOW, dir_fd=root)
    if os.fstat(incoming).st_dev != os.fstat(root).st_dev:
        close(incoming)
        raise OSError(errno.EXDEV, "not on the same file system", os.path.join(path, INCOMING))
    return incoming


# --- a name for a file, if nothing has it yet ---


def give_name(source: int, temporary: str, folder: int, name: str) -> str:
    """Give the file `temporary` in one folder the name `name` in another; returns how it was done.

    As a hard link, where the file system has them: `temporary` stands for the file too, then. Otherwise it is renamed, by
    renameat2(RENAME_NOREPLACE); and where that is not supported either, over an empty file that was made to keep the place, which
    a crash in between may leave.

    Raises:
        FileExistsError: The name stands for something already; nothing has changed.
        OSError: The file cannot have that name; nothing has changed.
    """
    for way in (_link, _rename_no_replace):
        try:
            way(source, temporary, folder, name)
            return way.__name__
        except OSError as error:
            if error.errno not in UNSUPPORTED:
                raise
    _keep_place_and_rename(source, temporary, folder, name)
    return _keep_place_and_rename.__name__


def _link(source: int, temporary: str, folder: int, name: str) -> None:
    os.link(temporary, name, src_dir_fd=source, dst_dir_fd=folder, follow_symlinks=False)


def _rename_no_replace(source: int, temporary: str, folder: int, name: str) -> None:
    import ctypes  # a slow start is for those who need it

    renameat2 = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if renameat2 is None:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
    if renameat2(source, os.fsencode(temporary), folder, os.fsencode(name), _RENAME_NOREPLACE) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _keep_place_and_rename(source: int, temporary: str, folder: int, name: str) -> None:
    os.close(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600, dir_fd=folder))
    try:
        os.rename(temporary, name, src_dir_fd=source, dst_dir_fd=folder)
    except OSError:
        os.unlink(name, dir_fd=folder)
        raise


# --- folders ---


class Branch:
    """A folder within a store that is open, and those it is in, until the end of a `with` block.

    The descriptors are of that block alone: the system reports a failed write-back once a descriptor, and another thread must not
    take the report away.

    Attributes:
        components: Its path within the store; none is the store's own folder.
        descriptors: Of the store's own folder, and of each one on the path.
        place: The store's `Folders.place` when it was opened.
    """

    __slots__ = ("_folders", "components", "descriptors", "place")

    def __init__(self, folders: Folders, components: tuple[str, ...], descriptors: list[int], place: int) -> None:
        self._folders, self.components, self.descriptors, self.place = folders, components, descriptors, place

    @property
    def folder(self) -> int:
        """The descriptor of the folder itself."""
        return self.descriptors[-1]

    def __enter__(self) -> Branch:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._folders.leave(self, failed=kind is not None)


_ALL: WeakSet[Folders] = WeakSet()  # of this process


def _forget_shared() -> None:
    """In a child process: close what it shares with its parent, for only one of the two is told of a failed write-back."""
    for folders in _ALL:
        folders.close_spare()


os.register_at_fork(after_in_child=_forget_shared)


class Folders:
    """The folder of a store and those within it.

    The folder is held open, and its descriptors stay the same numbers. If another folder stands at its path one day, because it was
    moved away or a mount came or went, then `verify_place` opens that one in the place of the first.

    Attributes:
        path: The store's folder, absolute.
        root: Its descriptor; -1 once it is closed.
        incoming: The descriptor of the folder for what arrives; -1 before it is opened.
        place: Counts how often another folder was opened.

    Args:
        path: The store's folder, absolute; made if it does not exist.
        permissions: Of the folders that are made.
        pace: Takes up how long a sync takes.
        durable: Whether to wait for the disk.

    Raises:
        OSError: The folder cannot be made or opened.
    """

    def __init__(self, path: str, permissions: int, pace: Pace, *, durable: bool) -> None:
        self._permissions, self._durable = permissions, durable
        self._pace = pace
        # By path: device and inode of folders whose names are synced. One that is removed and made again is another one.
        self._known: dict[tuple[str, ...], tuple[int, int]] = {}
        # Of the store's folder, which each instance needs one of. A failed write-back that came meanwhile is then reported too.
        self._spare: list[int] = []
        self.path, self.place, self.incoming, self._moving = path, 0, -1, Lock()
        self._make(path)
        self.root = os.open(path, FOLDER)
        self._identity = _identity(os.fstat(self.root))
        _ALL.add(self)

    def close(self) -> None:
        """Let go of the store's folder; harmless twice."""
        self.close_spare()
        for descriptor in (self.incoming, self.root):
            if descriptor >= 0:
                close(descriptor)
        self.incoming = self.root = -1

    def close_spare(self) -> None:
        """Close the descriptors of the store's folder that are kept for the next instances."""
        _close_all(self._spare)

    def lock_and_open_incoming(self) -> None:
        """Lock the folder, and open the one for what arrives.

        Raises:
            OSError: Another store uses the folder, or it cannot be written to.
        """
        lock(self.root, self.path)
        self.incoming = open_incoming(self.root, self.path)

    def clear_incoming(self) -> None:
        """Remove what was arriving, and was never acknowledged.

        Raises:
            OSError: It cannot be removed.
        """
        for name in os.listdir(self.incoming):
            if name.endswith(PART):
                os.unlink(name, dir_fd=self.incoming)

    def renew_incoming(self) -> None:
        """Make the folder for what arrives anew: it has been removed.

        Raises:
            OSError: It cannot be made.
        """
        with self._moving:
            self._verify_open()
            _put_in_place(open_incoming(self.root, self.path), self.incoming)

    def verify_place(self) -> None:
        """Make sure that the folder that is held open is the one at its path; open the one that stands there now if it is another.

        What is acknowledged is then found at the path that is told. What is arriving goes along to the other folder, unless that is
        on another file system: then it fails.

        Raises:
            OSError: There is no folder at the path, or it cannot be used.
        """
        if self._is_in_place():
            return
        with self._moving:
            self._verify_open()
            if not self._is_in_place():
                self._reopen()

    def _verify_open(self) -> None:
        if self.root < 0:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))

    def _is_in_place(self) -> bool:
        try:
            status = os.stat(self.path)
            return (status.st_dev, status.st_ino) == self._identity
        except FileNotFoundError:
            notice("folder is gone", "", "The folder %s is not there: nothing can be stored", self.path)
            raise FileNotFoundError(errno.ENOENT, "the folder for the files is not there", self.path) from None

    def _reopen(self) -> None:
        root = os.open(self.path, FOLDER)
        try:
            # Shared, for other worker processes of this store open it too. A store that starts wants it alone.
            lock(root, self.path, shared=True)
            incoming = open_incoming(root, self.path)
        except OSError:
            close(root)
            raise
        with suppress(OSError):
            # Where the folder was removed, some systems do not list it any more.
            for name in os.listdir(self.incoming):
                if name.endswith(PART):
                    _take_along(name, self.incoming, incoming)
            os.rmdir(INCOMING, dir_fd=self.root)
        with suppress(OSError):
            # Other processes may have this lock in common with us, and the folder may be moved back one day.
            fcntl.flock(self.root, fcntl.LOCK_UN)
        self.place += 1
        _put_in_place(incoming, self.incoming)
        _put_in_place(root, self.root)
        self._identity = _identity(os.fstat(self.root))
        self.close_spare()
        self._known.clear()
        notice("folder was replaced", "", "The folder %s is another one now: what comes is kept in it", self.path)

    def _make(self, path: str) -> None:
        """Make a folder and those it is in; their names must not get lost with the power either."""
        if os.path.isdir(path):
            return
        parent = os.path.dirname(path)
        self._make(parent)
        with suppress(FileExistsError):
            os.mkdir(path, 0o700)
            self._permit(path)
        descriptor = os.open(parent, FOLDER)
        try:
            if self._durable:
                sync(descriptor)
        finally:
            close(descriptor)

    def _permit(self, folder: int | str) -> None:
        """Give a folder that was just made its permissions, whatever the umask is; a set-group-ID bit that it inherited stays."""
        if self._permissions != 0o700:
            os.chmod(folder, os.stat(folder).st_mode & stat.S_ISGID | self._permissions)

    def opened(self, components: tuple[str, ...]) -> Branch:
        """A folder within the store; it and those it is in are made where they do not exist.

        Raises:
            OSError: It cannot be made; or something else, a symbolic link too, has the name of one of them.
        """
        place = self.place
        try:
            root = self._spare.pop()
        except IndexError:
            root = os.open(".", FOLDER, dir_fd=self.root)
        branch = Branch(self, components, [root], place)
        try:
            for depth in range(len(components)):
                branch.descriptors.append(self._enter(branch.folder, components[: depth + 1]))
        except BaseException:
            self.leave(branch, failed=True)
            raise
        return branch

    def leave(self, branch: Branch, *, failed: bool) -> None:
        """Let go of what was opened; the descriptor of the store's folder may be used again, unless something has failed."""
        root, *within = branch.descriptors
        for descriptor in within:
            close(descriptor)
        if failed or self.root < 0 or branch.place != self.place or len(self._spare) >= _MOST_SPARE:
            close(root)
        else:
            self._spare.append(root)

    def _enter(self, parent: int, components: tuple[str, ...]) -> int:
        flags, name, made = FOLDER | os.O_NOFOLLOW, components[-1], False
        with suppress(FileNotFoundError):
            return os.open(name, flags, dir_fd=parent)
        self._known.pop(components, None)  # the new one may get the inode of one that was removed
        with suppress(FileExistsError):  # another thread's
            os.mkdir(name, 0o700, dir_fd=parent)
            made = True
        descriptor = os.open(name, flags, dir_fd=parent)
        try:
            if made:
                self._permit(descriptor)
        except OSError:
            close(descriptor)
            raise
        return descriptor

    def begin_to_flush(self, descriptor: int, offset: int, size: int) -> None:
        """Have the disk begin with bytes of a file, if its sync will be waited for."""
        if self._durable:
            begin_sync(descriptor, offset, size)

    def flush(self, descriptor: int) -> None:
        """Wait until the disk has a file or a folder, and take up how long that took.

        Raises:
            OSError: What is not on the disk is lost.
        """
        self._pace.call(sync, descriptor)

    def sync(self, branch: Branch) -> None:
        """Wait until the disk has what stands in a folder, and the names of those it is in: whoever made them may not have waited.

        Raises:
            OSError: What is not on the disk is lost.
        """
        if not self._durable:
            return
        self.flush(branch.folder)
        for depth in range(len(branch.components), 0, -1):
            path, identity = branch.components[:depth], _identity(os.fstat(branch.descriptors[depth]))
            if self._known.get(path) != identity:
                self.flush(branch.descriptors[depth - 1])
                if len(self._known) >= _MOST_KNOWN:
                    self._known.clear()
                self._known[path] = identity


def _take_along(name: str, source: int, target: int) -> None:
    """Move a file that is arriving to another folder; where that cannot be, remove it, so that it cannot be published any more."""
    try:
        os.rename(name, name, src_dir_fd=source, dst_dir_fd=target)
    except OSError:
        with suppress(OSError):  # the next store in that folder removes it
            os.unlink(name, dir_fd=source)


def _identity(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino


def _put_in_place(new: int, old: int) -> None:
    """Let the descriptor `old` stand for what `new` stands for: who has its number needs no other, and it stays open throughout."""
    os.dup2(new, old, inheritable=False)
    os.close(new)
