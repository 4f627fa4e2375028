"""The storage of received instances: the names of their files, how they are kept, and the archive that finds them again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dimse.archive.file_store import FileStore
from dimse.archive.sink import FileSink
from dimse.archive.stored import Stored
from dimse.instances.received import ReceivedInstance

if TYPE_CHECKING:
    from dimse.archive.archive import Archive, Limits
    from dimse.archive.peers import KnownPeer, Peers

__all__ = ["Archive", "FileSink", "FileStore", "KnownPeer", "Limits", "Peers", "ReceivedInstance", "Stored"]

# They load SQLAlchemy, or are for archives alone.
_LATER = {"Archive": "archive", "Limits": "archive", "KnownPeer": "peers", "Peers": "peers"}


def __getattr__(name: str) -> object:
    """Return a name of `_LATER`, loaded on first use."""
    from importlib import import_module

    if name in _LATER:
        return getattr(import_module(f"dimse.archive.{_LATER[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
