"""Files that a user names and that are read as a whole. There is a limit, because a device such as `/dev/zero` has no end."""

from __future__ import annotations

import errno
import io
import os
import stat

LARGEST = 64 * 1024 * 1024
"""Bytes that a file may have. Revocation lists and lists of arguments can have tens of megabytes."""


def read(path: str | os.PathLike[str], *, private: bool = False) -> bytes:
    """Return the content of a file.

    Args:
        path: The path of the file.
        private: Refuse a file to which others than its owner have access.

    Raises:
        OSError: The file cannot be read, or has more than `LARGEST` bytes.
        ValueError: Others have access to it.
    """
    with open(path, "rb") as file:
        if private and stat.S_IMODE(os.fstat(file.fileno()).st_mode) & 0o077:
            raise ValueError(f"{path}: others than its owner have access to it: chmod 600")
        content = file.read(LARGEST + 1)
    if len(content) > LARGEST:
        raise OSError(errno.EFBIG, f"it has more than {LARGEST:,} bytes", os.fspath(path))
    return content


def decode(content: bytes, encoding: str = "utf-8-sig", errors: str = "strict") -> str:
    """Return the content of a file as text whose lines end with a line feed. By default a byte order mark is dropped.

    Raises:
        UnicodeDecodeError: It is not text in that encoding.
    """
    return io.TextIOWrapper(io.BytesIO(content), encoding, errors).read()
