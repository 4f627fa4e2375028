"""Receivers of instances, started on a free port, and what each of them holds in the end.

Each is a context manager over a folder of its own that yields a `Receiver`. Where a peer is not installed the test skips;
see tests/interop/peers.py.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from tests.files import Part10File, part10_files
from tests.interop import ours, peers
from tests.tools.listeners import listening

Held = list[tuple[str, str, str]]
"""SOP instance UID, transfer syntax, and hash of the data set of each instance, in order."""


@dataclass(frozen=True)
class Receiver:
    """A storage SCP on 127.0.0.1.

    Attributes:
        port: Where it listens.
        ae_title: What it is called.
        process: Its process.
        files: All that it has stored, a file for each.
        jobs: Associations that it takes at one time.
    """

    port: int
    ae_title: str
    process: subprocess.Popen[Any]
    files: Callable[[], Sequence[Part10File]]
    jobs: int = 3

    def verify_holds(self, files: Sequence[Part10File]) -> None:
        """Verify that it holds these files, byte for byte, and no others. It may still process connections that were cut."""
        expected = hashes(files)
        with suppress(peers.NotListeningError):
            peers.wait_until(lambda: hashes(self.files()) == expected, self.process)
        assert hashes(self.files()) == expected


def hashes(files: Sequence[Part10File]) -> Held:
    """Return what is compared of files, which excludes the receiver's own File Meta Information."""
    encoded = sorted(ours.encoded(file) for file in files)
    return [(uid, transfer_syntax, sha256(data_set).hexdigest()) for uid, transfer_syntax, data_set in encoded]


@contextmanager
def storescp(folder: Path) -> Iterator[Receiver]:
    """Run our storescp, which syncs every file, and grants a window of asynchronous operations."""

    def files() -> list[Part10File]:
        return [file for file in part10_files(kept) if file.path.parent == kept]

    kept = folder / "storescp"
    with listening("storescp", "-od", kept, "--async-ops", 8) as listener:
        yield Receiver(listener.port, "ANY-SCP", listener.process, files)
        listener.end()
    assert sorted(os.listdir(kept)) == [file.path.name for file in files()]  # nothing half done is left


@contextmanager
def dcmqrscp(folder: Path) -> Iterator[Receiver]:
    """Run DCMTK's archive. Its process for each association names files as if it were alone, so there is one at a time."""

    def files() -> list[Part10File]:
        stored = part10_files(scp.folder)
        listing = peers.run(peers.dcmtk("dcmqridx"), "-p", str(scp.folder / "storage")).stdout
        indexed = sorted(line.split(": ")[1] for line in listing.splitlines() if line.startswith("  Filename: "))
        return stored if indexed == [str(file.path) for file in stored] else []

    with peers.dcmtk_dcmqrscp(folder / "dcmqrscp", "+B") as scp:
        yield Receiver(scp.port, "DCMQRSCP", scp.process, files, jobs=1)


@contextmanager
def orthanc(folder: Path) -> Iterator[Receiver]:
    """Run Orthanc, which by default keeps its first copy of an instance that arrives again."""
    with peers.orthanc_scp(folder / "orthanc", OverwriteInstances=False) as scp:
        yield Receiver(scp.port, "ORTHANC", scp.process, lambda: peers.orthanc_files(scp.ports[1]))


RECEIVERS: Mapping[str, Callable[[Path], AbstractContextManager[Receiver]]] = {
    "storescp": storescp,
    "dcmqrscp": dcmqrscp,
    "Orthanc": orthanc,
}
