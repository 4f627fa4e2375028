"""The wait for a disk."""

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
