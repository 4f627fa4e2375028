"""The comparison of two files with one instance: a fingerprint to tell them apart quickly, and their contents."""

from __future__ import annotations

import os
import stat

from dimse.media import part10

# O_NONBLOCK, because opening a FIFO would wait for a writer.
EXISTING = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC

_PIECE = 1024 * 1024  # bytes at a time
_END = 32 * 1024  # last bytes of a data set


def fingerprint(file: int) -> bytes | None:
    """Return a fingerprint of the instance in a Part 10 file; None if it is not such a file.

    It covers the transfer syntax, the size, the beginning and the end. Instances with different fingerprints differ. Instances with
    the same fingerprint have to be compared.

    Raises:
        OSError: The file cannot be read.
    """
    # hashlib loads OpenSSL, which takes long.
    from hashlib import blake2b

    head = os.pread(file, part10.MAXIMUM_SIZE, 0)
    meta = _parsed(head)
    if meta is None:
        return None
    size = os.fstat(file).st_size
    start = meta.data_set_offset
    end = os.pread(file, _END, max(start + _END, size - _END))
    said = f"{meta.transfer_syntax_uid} {size - start} ".encode()
    return blake2b(said + head[start : start + _END] + end, digest_size=16).digest()


def same_instance(one: int, other: int) -> bool:
    """Return True if two files hold the same data set in the same transfer syntax.

    The rest of the File Meta Information is ignored, since it names the sender and the program that wrote the file.

    Raises:
        OSError: One of them cannot be read.
    """
    ours, theirs = (_parsed(os.pread(file, part10.MAXIMUM_SIZE, 0)) for file in (one, other))
    if ours is None or theirs is None or ours.transfer_syntax_uid != theirs.transfer_syntax_uid:
        return False
    size = os.fstat(other).st_size - theirs.data_set_offset
    if size != os.fstat(one).st_size - ours.data_set_offset:
        return False
    return all(
        os.pread(one, _PIECE, ours.data_set_offset + position)
        == os.pread(other, _PIECE, theirs.data_set_offset + position)
        for position in range(0, size, _PIECE)
    )


def instance_of(folder: int, name: str) -> str | None:
    """Return the SOP Instance UID in the File Meta Information of a file; None if it is not a Part 10 file.

    Args:
        folder: The descriptor of the file's folder.
        name: The name of the file, which may be of any kind.
    """
    try:
        file = os.open(name, EXISTING, dir_fd=folder)
    except OSError:
        return None
    try:
        meta = _parsed(os.pread(file, part10.MAXIMUM_SIZE, 0)) if stat.S_ISREG(os.fstat(file).st_mode) else None
    finally:
        os.close(file)
    return meta.media_storage_sop_instance_uid if meta is not None else None


def _parsed(head: bytes) -> part10.FileMeta | None:
    """Return the File Meta Information of a file; None if it is not a Part 10 file."""
    try:
        return part10.parse(head)
    except part10.NotPart10:
        return None
