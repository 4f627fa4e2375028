"""Two files with one instance: what tells them apart at a glance, and whether they hold the same."""

from __future__ import annotations

import hashlib
import os
import stat

from dimse.media import part10

EXISTING = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC  # not to wait for a FIFO's writer

_COMPARED = 1024 * 1024  # bytes at a time
_END = 32 * 1024  # bytes of a data set, from its end


def fingerprint(file: int) -> bytes | None:
    """Return a fingerprint of the instance in a Part 10 file; None if it is not such a file.

    Its transfer syntax, its size, its beginning and its end count. Instances with different fingerprints differ; those with one
    fingerprint have to be compared.

    Raises:
        OSError: The file cannot be read.
    """
    head = os.pread(file, part10.MAXIMUM_SIZE, 0)
    meta = _parsed(head)
    if meta is None:
        return None
    size = os.fstat(file).st_size
    start = meta.data_set_offset
    end = os.pread(file, _END, max(start + _END, size - _END))
    said = f"{meta.transfer_syntax_uid} {size - start} ".encode()
    return hashlib.blake2b(said + head[start : start + _END] + end, digest_size=16).digest()


def same_instance(one: int, other: int) -> bool:
    """Return whether two files hold the same data set in the same transfer syntax.

    The rest of the File Meta does not count: it says who sent the instance, and which version of which program wrote the file.

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
        os.pread(one, _COMPARED, ours.data_set_offset + position)
        == os.pread(other, _COMPARED, theirs.data_set_offset + position)
        for position in range(0, size, _COMPARED)
    )


def instance_of(folder: int, name: str) -> str | None:
    """Return the SOP Instance UID that the File Meta of a file names; None if it is not a Part 10 file.

    Args:
        folder: The descriptor of the folder that the file is in.
        name: The name of the file, which may be anything else too.
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
    """Return the File Meta that a file begins with; None if it is not a Part 10 file."""
    try:
        return part10.parse(head)
    except part10.NotPart10:
        return None
