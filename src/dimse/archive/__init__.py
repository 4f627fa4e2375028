"""The storage of received instances: the names of their files, and how they are kept."""

from __future__ import annotations

from dimse.archive.file_store import FileStore
from dimse.archive.sink import FileSink
from dimse.archive.stored import Stored
from dimse.instances.received import ReceivedInstance

__all__ = ["FileSink", "FileStore", "ReceivedInstance", "Stored"]
