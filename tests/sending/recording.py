"""A journal that records the calls of a sender, and the entries of a real one."""

from __future__ import annotations

import os
from pathlib import Path

from dimse.errors import DimseError
from dimse.instances import InstanceFile
from dimse.message.status import Status
from dimse.sending.journal import Entry, Journal, entries
from dimse.services.outcome import Outcome
from tests.tools.running import Instance, element

MTIME = 1_700_000_000_123_456_789


def journal(path: Path, host: str = "pacs", port: int = 104, called_ae_title: str = "ANY-SCP") -> Journal:
    return Journal(os.fspath(path), host=host, port=port, called_ae_title=called_ae_title)


def rows(path: Path) -> list[Entry]:
    return list(entries(os.fspath(path)))


def states(path: Path) -> list[str]:
    return [entry.state for entry in rows(path)]


def a_file(path: Path, name: str = "Doe^Jane", uid: str = "1.2.3") -> InstanceFile:
    """Create a file of an instance; names of one length give files of one size, and all have one time."""
    Instance(uid, rest=element(0x0010, 0x0010, "PN", name.encode())).write(path)
    os.utime(path, ns=(MTIME, MTIME))
    return InstanceFile.check(os.fspath(path))


def answered(status: int, attempts: int = 1) -> Outcome:
    return Outcome("", Status(status, service="storage"), attempts=attempts)


def failed(error: DimseError, attempts: int = 1) -> Outcome:
    return Outcome("", error=error, attempts=attempts)


def send(journal: Journal, file: InstanceFile, outcome: Outcome | None = None) -> None:
    """Tell the journal what a sender does of a file that it sends once; by default it was stored."""
    journal.queue(file)
    journal.sending(file, 1)
    journal.record(file, outcome or answered(0x0000))
