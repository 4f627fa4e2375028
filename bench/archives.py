"""The archives that are measured: our qrscp, DCMTK's dcmqrscp, Orthanc, and pynetdicom's qrscp, each with its files in memory.

None of them syncs what it keeps. dcmqrscp forks a process for each association.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.measure import LONGEST, scratch
from bench.processes import Running, free_port, listening
from bench.programs import BEST, LOOPBACK, MissingError, dcmtk, ours, pynetdicom

# The title that the bench calls to see whether a program listens.
TITLE, AREA = "ANY-SCP", "area"


@dataclass(frozen=True)
class Archive:
    """An archive that runs.

    Attributes:
        port: Its port.
        pid: Its process.
        destination: The port to which it moves instances, for the AE title ME.
        folder: A folder of its own.
    """

    port: int
    pid: int
    destination: int
    folder: Path

    def fill(self, files: Path) -> None:
        """Store all files of a folder in it."""
        sending = [ours("storescu"), "-q", "-aec", TITLE, LOOPBACK, str(self.port), str(files)]
        log = self.folder / "filling.log"
        if Running(sending, BEST.environment, log).wait(LONGEST).status:
            sys.exit(f"the archive did not store the files: {log.read_text(errors='replace')}")


@contextmanager
def qrscp(*options: str) -> Iterator[Archive]:
    """Run our qrscp within the block."""
    destination = free_port()
    with scratch() as folder:
        configuration = folder / "configuration.ini"
        configuration.write_text(f"[ME]\naddress = {LOOPBACK}\nport = {destination}\n")

        def command(port: int) -> list[str]:
            places = ["--instance-location", str(folder / "files"), "--database-location", str(folder / "index.sqlite")]
            settings = ["-c", str(configuration), "--allow-anyone", "--durability", "none", "-ba", LOOPBACK]
            return [ours("qrscp"), *settings, *places, *options, str(port)]

        with listening(command, BEST.environment, folder) as listener:
            yield Archive(listener.port, listener.pid, destination, folder)


@contextmanager
def dcmqrscp() -> Iterator[Archive]:
    """Run DCMTK's dcmqrscp within the block."""
    destination = free_port()
    with scratch() as folder:
        (folder / AREA).mkdir()

        def command(port: int) -> list[str]:
            (folder / "configuration").write_text(
                CONFIGURATION.format(port=port, destination=destination, folder=folder)
            )
            return [dcmtk("dcmqrscp"), "-c", str(folder / "configuration")]

        with listening(command, BEST.environment, folder) as listener:
            yield Archive(listener.port, listener.pid, destination, folder)


@contextmanager
def orthanc() -> Iterator[Archive]:
    """Run Orthanc within the block.

    Raises:
        MissingError: It is not installed.
    """
    destination = free_port()
    program = shutil.which("Orthanc", path=f"{os.environ['PATH']}:/usr/sbin:/usr/local/sbin")
    if program is None:
        raise MissingError("Orthanc is not installed")
    with scratch() as folder:

        def command(port: int) -> list[str]:
            settings = {
                "DicomPort": port,
                "HttpPort": free_port(),
                "StorageDirectory": str(folder / "storage"),
                "IndexDirectory": str(folder / "index"),
                "Plugins": [],
                "DicomCheckCalledAet": False,
                "DicomModalities": {"me": ["ME", LOOPBACK, destination]},
                **{f"DicomAlwaysAllow{operation}": True for operation in ("Echo", "Store", "Find", "Get", "Move")},
            }
            (folder / "configuration.json").write_text(json.dumps(settings))
            return [str(program), str(folder / "configuration.json")]

        with listening(command, BEST.environment, folder) as listener:
            yield Archive(listener.port, listener.pid, destination, folder)


@contextmanager
def pynetdicom_qrscp() -> Iterator[Archive]:
    """Run pynetdicom's qrscp within the block.

    Raises:
        MissingError: It is not installed.
    """
    destination = free_port()
    with scratch() as folder:
        (folder / AREA).mkdir()

        def command(port: int) -> list[str]:
            configuration = folder / "configuration.ini"
            configuration.write_text(OF_PYNETDICOM.format(port=port, destination=destination, folder=folder))
            return [*pynetdicom("qrscp"), "-c", str(configuration)]

        with listening(command, BEST.environment, folder) as listener:
            yield Archive(listener.port, listener.pid, destination, folder)


ARCHIVES: dict[str, Callable[[], AbstractContextManager[Archive]]] = {
    "qrscp": qrscp,
    "dcmqrscp": dcmqrscp,
    "Orthanc": orthanc,
    "pynetdicom": pynetdicom_qrscp,
}
"""Every archive, by its name."""

CONFIGURATION = """
NetworkTCPPort = {port}
MaxPDUSize = 131072
MaxAssociations = 16
HostTable BEGIN
me = (ME, 127.0.0.1, {destination})
HostTable END
VendorTable BEGIN
VendorTable END
AETable BEGIN
ANY-SCP {folder}/area RW (2500, 4096mb) ANY
AETable END
"""

OF_PYNETDICOM = """
[DEFAULT]
ae_title: ANY-SCP
port: {port}
max_pdu: 131072
acse_timeout: 30
dimse_timeout: 30
network_timeout: 30
bind_address: 127.0.0.1
instance_location: {folder}/area
database_location: {folder}/index.sqlite
log_identifier: False

[ME]
    address: 127.0.0.1
    port: {destination}
"""
