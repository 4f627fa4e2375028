"""The wait for a disk, and the renaming of a complete file."""

from __future__ import annotations

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
