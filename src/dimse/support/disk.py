"""The wait for a disk, the renaming of a complete file, and the reason why a disk cannot be written to."""

from __future__ import annotations

import errno
import fcntl
import os

# On macOS, fsync leaves the bytes in the drive's cache.
_FULL_FSYNC: int | None = getattr(fcntl, "F_FULLFSYNC", None)


def sync(descriptor: int) -> None:
    """Wait until the disk has a file or a folder. A failure is final, because a later fsync may succeed despite the loss."""
    if _FULL_FSYNC is not None:
        fcntl.fcntl(descriptor, _FULL_FSYNC)
    else:
        os.fsync(descriptor)


def replace(temporary: str, final: str) -> None:
    """Give a complete and synced file its final name in the same folder, and wait until the disk has the name.

    Raises:
        OSError: It cannot be renamed, or the folder cannot be synced.
    """
    os.replace(temporary, final)
    sync_folder(os.path.dirname(final) or ".")


def sync_folder(path: str) -> None:
    """Wait until the disk has the names in a folder."""
    folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        sync(folder)
    finally:
        os.close(folder)


def why_not_writable(path: str) -> int:
    """Return the number of the error that a file or a folder cannot be written to with; 0 if it can.

    The file is not opened.
    """
    if os.access(path, os.W_OK | (os.X_OK if os.path.isdir(path) else 0)):
        return 0
    return errno.EROFS if os.statvfs(path).f_flag & os.ST_RDONLY else errno.EACCES
