"""The folders of a store. They are opened relative to their parent's descriptor, never through a symbolic link, and synced."""

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
from dimse.support.disk import sync, why_not_writable
from dimse.support.pace import Pace

FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC

INCOMING = ".incoming"
"""The folder for arriving instances, inside the store's folder, so that it is on the same file system."""

PART = ".part"
"""The suffix of the file of an arriving instance."""

_MOST_KNOWN = 1024  # folders with synced names
_MOST_SPARE = 16  # unused descriptors of the store's folder
# macOS does not have it.
_ADVISE: Callable[[int, int, int, int], None] | None = getattr(os, "posix_fadvise", None)
_RENAME_NOREPLACE = 1  # linux/fs.h

UNSUPPORTED = frozenset((errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL, errno.EMLINK))
"""The errors for a hard link, or a kind of renaming, that the file system does not support."""


def begin_sync(descriptor: int, offset: int, size: int) -> None:
    """Let the disk begin to write bytes of a file, where the system supports it, so that `sync` has less to wait for.

    Linux writes bytes that are "not needed" to the disk. It drops them from memory only if they had been written before.
    """
    if _ADVISE is not None:
        # This is only a hint, so its failure does not matter.
        with suppress(OSError):
            _ADVISE(descriptor, offset, size, os.POSIX_FADV_DONTNEED)


def close(descriptor: int) -> None:
    """Close a file or a folder. Errors are ignored, because all data that must survive has been synced already."""
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
    """Open the folder for arriving instances, create it if necessary, and return its descriptor.

    Raises:
        OSError: The folder cannot be created or opened, is a symbolic link, or is on another file system than the store's.
    """
    try:
        os.mkdir(INCOMING, 0o700, dir_fd=root)
    except FileExistsError:
        pass
    except OSError as error:
        # The relative name would not say which folder it is.
        raise OSError(error.errno, error.strerror, path) from error
    incoming = os.open(INCOMING, FOLDER | os.O_NOFOLLOW, dir_fd=root)
    if os.fstat(incoming).st_dev != os.fstat(root).st_dev:
        close(incoming)
        raise OSError(errno.EXDEV, "not on the same file system", os.path.join(path, INCOMING))
    return incoming


def verify_writable(folder: str) -> None:
    """Verify that files may be created in a folder. It may be read-only though it has the folder for arriving instances already.

    Raises:
        OSError: They may not.
    """
    if code := why_not_writable(folder):
        raise OSError(code, os.strerror(code), folder)


# --- naming a file without replacing another ---


def give_name(source: int, temporary: str, folder: int, name: str) -> str:
    """Give the file `temporary` in one folder the name `name` in another, and return the method that was used.

    The method is a hard link where the file system has them, and `temporary` then stays a name of the file. Otherwise the file is
    renamed by renameat2(RENAME_NOREPLACE). If that is not supported either, the file is renamed over an empty file that reserves
    the name. A crash in between may leave the empty file.

    Raises:
        FileExistsError: The name exists already; nothing has changed.
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
    import ctypes  # it loads slowly

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
    """An open folder within a store, with the folders around it, for a `with` block.

    The descriptors belong to that block only. The system reports a failed write-back once for each descriptor, and another thread
    must not consume the report.

    Attributes:
        components: The path within the store; empty for the store's own folder.
        descriptors: The descriptors of the store's own folder, and of each folder on the path.
        place: The store's `Folders.place` when the folder was opened.
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
    """Close descriptors in a child process that it shares with its parent, since only one of them learns of a failed write-back."""
    for folders in _ALL:
        folders.close_spare()


os.register_at_fork(after_in_child=_forget_shared)


class Folders:
    """The folder of a store and the folders within it.

    The folder is held open, and the numbers of its descriptors never change. Another folder may appear at its path after a move or
    a mount. `verify_place` then opens the new folder under the same descriptors.

    Attributes:
        path: The absolute path of the store's folder.
        root: The descriptor of the store's folder; -1 after it has been closed.
        incoming: The descriptor of the folder for arriving instances; -1 before it is opened.
        place: The number of times that another folder was opened.

    Args:
        path: The absolute path of the store's folder; created if it does not exist.
        permissions: The permissions of folders that are created.
        pace: A record of how long syncs take.
        durable: True to wait for the disk.

    Raises:
        OSError: The folder cannot be created or opened.
    """

    def __init__(self, path: str, permissions: int, pace: Pace, *, durable: bool) -> None:
        self._permissions, self._durable = permissions, durable
        self._pace = pace
        # By path: device and inode of folders with synced names. A folder that was removed and created again has another inode.
        self._known: dict[tuple[str, ...], tuple[int, int]] = {}
        # Each instance needs a descriptor of the store's folder. It also reports a failed write-back since it was opened.
        self._spare: list[int] = []
        self.path, self.place, self.incoming, self._moving = path, 0, -1, Lock()
        self._make(path)
        self.root = os.open(path, FOLDER)
        self._identity = _identity(os.fstat(self.root))
        _ALL.add(self)

    def close(self) -> None:
        """Close the store's folder. This is idempotent."""
        self.close_spare()
        for descriptor in (self.incoming, self.root):
            if descriptor >= 0:
                close(descriptor)
        self.incoming = self.root = -1

    def close_spare(self) -> None:
        """Close the unused descriptors of the store's folder."""
        _close_all(self._spare)

    def lock_and_open_incoming(self) -> None:
        """Lock the folder, and open the folder for arriving instances.

        Raises:
            OSError: Another store uses the folder, or it cannot be written to.
        """
        lock(self.root, self.path)
        verify_writable(self.path)
        self.incoming = open_incoming(self.root, self.path)
        verify_writable(os.path.join(self.path, INCOMING))

    def clear_incoming(self) -> None:
        """Remove files that were arriving, and were never acknowledged.

        Raises:
            OSError: A file cannot be removed.
        """
        for name in os.listdir(self.incoming):
            if name.endswith(PART):
                os.unlink(name, dir_fd=self.incoming)

    def renew_incoming(self) -> None:
        """Create the folder for arriving instances again, after it has been removed.

        Raises:
            OSError: It cannot be created.
        """
        with self._moving:
            self._verify_open()
            _put_in_place(open_incoming(self.root, self.path), self.incoming)

    def verify_place(self) -> None:
        """Verify that the open folder is the one at its path, and open the one that is there now if it is another.

        So an acknowledged instance is found at the path that is reported. Arriving instances are moved to the other folder, unless
        it is on another file system: then they fail.

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
            notice("folder is gone", "", "The folder %s does not exist: nothing can be stored", self.path)
            raise FileNotFoundError(errno.ENOENT, "the folder for the files does not exist", self.path) from None

    def _reopen(self) -> None:
        root = os.open(self.path, FOLDER)
        try:
            # The lock is shared, because other worker processes of this store open the folder too. A new store needs it
            # exclusively.
            lock(root, self.path, shared=True)
            incoming = open_incoming(root, self.path)
        except OSError:
            close(root)
            raise
        with suppress(OSError):
            # Some systems no longer list a folder that was removed.
            for name in os.listdir(self.incoming):
                if name.endswith(PART):
                    _move_or_remove(name, self.incoming, incoming)
            os.rmdir(INCOMING, dir_fd=self.root)
        with suppress(OSError):
            # Other processes may share this lock, and the folder may be moved back later.
            fcntl.flock(self.root, fcntl.LOCK_UN)
        self.place += 1
        _put_in_place(incoming, self.incoming)
        _put_in_place(root, self.root)
        self._identity = _identity(os.fstat(self.root))
        self.close_spare()
        self._known.clear()
        notice(
            "folder was replaced", "", "The folder %s was replaced: new instances are kept in the new one", self.path
        )

    def _make(self, path: str) -> None:
        """Create a folder and its parents, whose names must survive a power cut too."""
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
        """Give a new folder its permissions, whatever the umask is. A set-group-ID bit that it inherited stays."""
        if self._permissions != 0o700:
            os.chmod(folder, os.stat(folder).st_mode & stat.S_ISGID | self._permissions)

    def opened(self, components: tuple[str, ...]) -> Branch:
        """Open a folder within the store, and create it and its parents if necessary.

        Raises:
            OSError: A folder cannot be created, or its name belongs to something else, such as a symbolic link.
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
        """Close a branch. The descriptor of the store's folder is kept for reuse, unless something has failed."""
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
        # The new folder may get the inode of one that was removed.
        self._known.pop(components, None)
        # Another thread may have created it.
        with suppress(FileExistsError):
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
        """Let the disk begin to write bytes of a file, if the store will wait for its sync."""
        if self._durable:
            begin_sync(descriptor, offset, size)

    def flush(self, descriptor: int) -> None:
        """Wait until the disk has a file or a folder, and record how long that took.

        Raises:
            OSError: Data that is not on the disk is lost.
        """
        self._pace.call(sync, descriptor)

    def sync(self, branch: Branch) -> None:
        """Wait until the disk has the contents of a folder, and the names of its parents, whose creators may not have waited.

        Raises:
            OSError: Data that is not on the disk is lost.
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


def _move_or_remove(name: str, source: int, target: int) -> None:
    """Move an arriving file to another folder, or remove it if that fails, so that it cannot be published."""
    try:
        os.rename(name, name, src_dir_fd=source, dst_dir_fd=target)
    except OSError:
        # If this fails, the next store in that folder removes it.
        with suppress(OSError):
            os.unlink(name, dir_fd=source)


def _identity(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino


def _put_in_place(new: int, old: int) -> None:
    """Let the descriptor `old` refer to the file of `new`. Its users keep its number, and it stays open throughout."""
    os.dup2(new, old, inheritable=False)
    os.close(new)
