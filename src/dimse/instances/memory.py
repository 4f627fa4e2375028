"""A Part 10 file whose bytes are in memory."""

from __future__ import annotations

import io
from collections.abc import Collection
from typing import BinaryIO

from dimse.instances import InstanceFile


class FileInMemory:
    """A container of one file: its bytes in memory. See `dimse.instances.Container`.

    Args:
        content: The bytes of the file.
        path: A name for it.
    """

    def __init__(self, content: memoryview | bytearray, path: str) -> None:
        self.path = path
        self._content = memoryview(content).cast("B").toreadonly()

    def check(self, *, raw_transfer_syntax_uid: str | None = None, tags: Collection[int] = ()) -> InstanceFile:
        """Look at the file; see `InstanceFile.check`."""
        return InstanceFile.examine(
            self.path,
            lambda offset, size: bytes(self._content[offset : offset + size]),
            (0, id(self)),
            len(self._content),
            0,
            raw_transfer_syntax_uid=raw_transfer_syntax_uid,
            container=self,
            tags=tags,
        )

    def open(self, offset: int) -> BinaryIO:
        """Return the bytes of the file from `offset` on, as a file to be read."""
        return io.BytesIO(self._content[offset:])

    def data_set(self, file: InstanceFile, *, mapped: bool) -> memoryview:
        """Return the bytes of the data set; see `InstanceFile.data_set`."""
        start = file.data_set_offset
        end = start + file.data_set_size - len(file.front)
        content = self._content[start:end]
        return memoryview(file.front + bytes(content)) if file.front else content
