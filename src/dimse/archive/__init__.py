"""What happens to a received instance: the names it gets on disk, and how it is kept."""

from __future__ import annotations

from dimse.archive.file_store import FileStore
from dimse.archive.sink import FileSink
from dimse.archive.stored import Stored

__all__ = ["FileSink", "FileStore", "Stored"]
