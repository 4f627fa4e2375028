"""Real peers: the programs of DCMTK, Orthanc and pynetdicom, found, started on a free port, and stopped again.

The functions that start one are context managers that yield a listening `StorageSCP`. Where a peer is not installed the
test skips and says so; with DIMSE_REQUIRE_PEERS=1 in the environment it fails instead.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from tests.files import Part10File, part10_files, read_part10

ROOT = Path(__file__).parents[2]
START_SECONDS = 20.0
POLL_SECONDS = 0.02
ATTEMPTS = 5  # the port may be taken
SHOWN = 100_000  # bytes of its output
# In pynetdicom a thread may take the response that another thread waits for until its time-out. It says so, at this level.
TAKEN_ASIDE = "Received unexpected C-[A-Z]+ service message"
PYNETDICOM_OPTIONS = ("-ll", "warn", "--dimse-timeout", "10")
RUNS = 3


class NotListeningError(Exception):
    """The peer's process ended, or time ran out, before it listened."""


@dataclass(frozen=True)
class StorageSCP:
    """A storage SCP that listens on 127.0.0.1.

    Attributes:
        ports: Its ports: the DICOM port, and behind it the HTTP port of an Orthanc.
        folder: The folder of its own, where it may keep what it gets.
        process: Its process.
        received: What it has stored so far, by SOP instance UID.
    """

    ports: tuple[int, ...]
    folder: Path
    process: subprocess.Popen[bytes]
    received: Callable[[], dict[str, Part10File]]

    @property
    def port(self) -> int:
        """The DICOM port."""
        return self.ports[0]

    @property
    def output(self) -> str:
        """The output of the peer."""
        return log_of(self.folder).read_text(errors="replace")


StartSCP = Callable[..., StorageSCP]  # the fixtures of these peers


def missing(reason: str) -> str:
    """Skip the test for `reason`, or fail it where the peers must be there."""
    if os.environ.get("DIMSE_REQUIRE_PEERS") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


def dcmtk(program: str) -> str:
    """Return the path of a program of DCMTK, found beside its dcmdump, because the first echoscu of the path may be another."""
    dcmdump = shutil.which("dcmdump")
    path = dcmdump and shutil.which(program, path=str(Path(dcmdump).parent))
    return path or missing(f"DCMTK's {program} is not installed")


def orthanc() -> str:
    """Return the path of Orthanc."""
    folders = [*os.get_exec_path(), "/usr/sbin", "/usr/local/sbin"]
    return shutil.which("Orthanc", path=os.pathsep.join(folders)) or missing("Orthanc is not installed")


def tshark() -> str:
    """Return the path of tshark, Wireshark's dissector."""
    return shutil.which("tshark") or missing("tshark is not installed")


def pynetdicom() -> str:
    """Return the path of a Python that has pynetdicom: DIMSE_PEERS, or the one of scripts/peers."""
    path = os.environ.get("DIMSE_PEERS") or str(ROOT / ".venv-peers" / "bin" / "python")
    return shutil.which(path) or missing(f"no Python with pynetdicom at {path}: run scripts/peers, or set DIMSE_PEERS")


def run(*command: str | os.PathLike[str], nodelay: bool = True) -> subprocess.CompletedProcess[str]:
    """Run a peer's SCU to its end; again if a thread of it took a response aside that another one waited for.

    Args:
        command: The program (`dcmtk("storescu")`, `pynetdicom(), "-m", "pynetdicom", "echoscu"`) and its arguments.
        nodelay: As in `dcmtk_storescp`.
    """
    for _ in range(RUNS):
        done = _run(command, nodelay)
        if not re.search(TAKEN_ASIDE, done.stdout):
            break
    return done


def _run(command: Sequence[str | os.PathLike[str]], nodelay: bool) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=50,
        check=False,
        env=environment(nodelay),
    )


def environment(nodelay: bool) -> dict[str, str]:
    """Return the environment for a peer: DCMTK reads TCP_NODELAY from it."""
    return os.environ | {"TCP_NODELAY": "1" if nodelay else "0"}


def free_port() -> int:
    """Return a port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def log_of(folder: Path) -> Path:
    """Return the file for the output of the peer with this folder."""
    return folder.with_name(folder.name + ".log")


@contextmanager
def running(command: Sequence[str], folder: Path, nodelay: bool = True) -> Iterator[subprocess.Popen[bytes]]:
    """Run a peer with its output in a file, and stop it in the end, with all processes that it has started.

    pytest shows the end of the output where the test failed.
    """
    with log_of(folder).open("wb") as log:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env=environment(nodelay),
            cwd=folder,
            process_group=0,
        )
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):  # all of them have ended
            # Nothing of it is needed any more, and Orthanc takes seconds to end by itself.
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        print(f"$ {' '.join(command)}\n{tail(log_of(folder))}")


def tail(path: Path) -> str:
    """Return the last `SHOWN` bytes of a file."""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - SHOWN))
        return file.read().decode(errors="replace")


def wait_until(ready: Callable[[], bool], process: subprocess.Popen[Any]) -> None:
    """Ask `ready` until it is.

    Raises:
        NotListeningError: The process ended, or it took too long.
    """
    deadline = time.monotonic() + START_SECONDS
    while not ready():
        if time.monotonic() > deadline:
            raise NotListeningError(f"not ready after {START_SECONDS:g} s")
        try:
            raise NotListeningError(f"ended with {process.wait(POLL_SECONDS)} before it listened")
        except subprocess.TimeoutExpired:
            continue


def listens(*ports: int) -> Callable[[], bool]:
    """Return a function that tests whether each of these ports accepts a connection."""

    def connects() -> bool:
        try:
            for port in ports:
                socket.create_connection(("127.0.0.1", port), timeout=START_SECONDS).close()
        except ConnectionError:
            return False
        return True

    return connects


@contextmanager
def listening(
    command: Callable[..., Sequence[str]], folder: Path, *, ports: int = 1, nodelay: bool = True
) -> Iterator[StorageSCP]:
    """Run a peer that is told its ports and stores into its folder.

    Args:
        command: Gives the command for these ports.
        folder: Its folder, made here.
        ports: How many it listens on, the DICOM port first.
        nodelay: As in `dcmtk_storescp`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for attempt in range(1, ATTEMPTS + 1):
        chosen = tuple(free_port() for _ in range(ports))
        with running(command(*chosen), folder, nodelay) as process:
            try:
                wait_until(listens(*chosen), process)
            except NotListeningError:
                if attempt == ATTEMPTS:
                    raise
                continue
            yield StorageSCP(chosen, folder, process, lambda: by_instance(part10_files(folder)))
            return


def by_instance(files: Sequence[Part10File]) -> dict[str, Part10File]:
    """Return files by the SOP Instance UID of their data set."""
    return {file.sop_instance_uid: file for file in files}


@contextmanager
def dcmtk_storescp(folder: Path, *options: str, nodelay: bool = True) -> Iterator[StorageSCP]:
    """Run DCMTK's storescp.

    Args:
        folder: The folder for received files.
        options: `+xa -pm +B` takes everything and keeps the bytes, `+xi` takes Implicit VR Little Endian only, ...
        nodelay: False leaves Nagle's algorithm on, as DCMTK does by itself.
    """
    program = dcmtk("storescp")
    with listening(lambda port: [program, *options, "-od", str(folder), str(port)], folder, nodelay=nodelay) as scp:
        yield scp


@contextmanager
def dcmtk_dcmqrscp(folder: Path, *options: str, destinations: Mapping[str, int] | None = None) -> Iterator[StorageSCP]:
    """Run DCMTK's dcmqrscp, an archive into which everyone may store under the AE title DCMQRSCP.

    Args:
        folder: The folder of its configuration; the instances and their index are in its folder "storage".
        options: `+B` keeps the bytes of the data sets, `-v` tells what it does.
        destinations: Ports of this machine that it may move to, by AE title.
    """
    hosts = "".join(f"{title.lower()} = ({title}, 127.0.0.1, {at})\n" for title, at in (destinations or {}).items())
    program, path, storage = dcmtk("dcmqrscp"), folder / "dcmqrscp.cfg", folder / "storage"

    def command(port: int) -> Sequence[str]:
        storage.mkdir(exist_ok=True)
        path.write_text(
            f"MaxPDUSize = 16384\nMaxAssociations = 64\nHostTable BEGIN\n{hosts}HostTable END\nVendorTable BEGIN\nVendorTable END\n"
            f"AETable BEGIN\nDCMQRSCP {storage} RW (200, 1024mb) ANY\nAETable END\n"
        )
        return [program, "-c", str(path), *options, str(port)]

    with listening(command, folder) as scp:
        yield scp


@contextmanager
def pynetdicom_storescp(folder: Path, *options: str) -> Iterator[StorageSCP]:
    """Run pynetdicom's storescp application, with its options."""
    python = pynetdicom()
    with listening(
        lambda port: [python, "-m", "pynetdicom", "storescp", str(port), "-od", str(folder), *options], folder
    ) as scp:
        yield scp


@contextmanager
def pynetdicom_echoscp(folder: Path, *options: str) -> Iterator[StorageSCP]:
    """Run pynetdicom's echoscp application, with its options: it stores nothing."""
    python = pynetdicom()
    with listening(lambda port: [python, "-m", "pynetdicom", "echoscp", str(port), *options], folder) as scp:
        yield scp


@contextmanager
def pynetdicom_qrscp(folder: Path, destinations: Mapping[str, int] | None = None) -> Iterator[StorageSCP]:
    """Run pynetdicom's qrscp application, an archive into which everyone may store.

    Args:
        folder: The folder of its configuration, its database and its instances.
        destinations: Ports of this machine that it may move to, by AE title.
    """
    python, path = pynetdicom(), folder / "qrscp.ini"
    if subprocess.run([python, "-c", "import sqlalchemy"], capture_output=True, check=False).returncode:
        missing(f"pynetdicom's qrscp needs SQLAlchemy, which {python} lacks: run scripts/peers again")

    def command(port: int) -> Sequence[str]:
        lines = ["[DEFAULT]", "ae_title: QRSCP", f"port: {port}", "max_pdu: 16382", "acse_timeout: 30"]
        lines += ["dimse_timeout: 30", "network_timeout: 30", "bind_address: 127.0.0.1"]
        lines += [f"instance_location: {folder / 'instances'}", f"database_location: {folder / 'index.sqlite'}"]
        for title, at in (destinations or {}).items():
            lines += [f"[{title}]", "address: 127.0.0.1", f"port: {at}"]
        path.write_text("\n".join(lines) + "\n")
        (folder / "index.sqlite").touch()
        (folder / "instances").mkdir(exist_ok=True)
        return [python, "-m", "pynetdicom", "qrscp", "-c", str(path)]

    with listening(command, folder) as scp:
        yield scp


@contextmanager
def pynetdicom_scp(
    folder: Path,
    *,
    transfer_syntaxes: Sequence[str] = (),
    status: int = 0x0000,
    maximum_length: int = 16382,
) -> Iterator[StorageSCP]:
    """Run a Verification and Storage SCP on pynetdicom's library that keeps the bytes of the data sets.

    Args:
        folder: The folder for received files.
        transfer_syntaxes: The UIDs that it accepts; without any it accepts all.
        status: The status of its C-STORE responses.
        maximum_length: The maximum length that it announces.
    """
    arguments = [str(folder), *transfer_syntaxes, "--status", str(status), "--maximum-length", str(maximum_length)]
    with pynetdicom_script("pynetdicom_scp.py", folder, *arguments) as scp:
        yield scp


@contextmanager
def pynetdicom_commitment_scp(folder: Path, *options: str) -> Iterator[StorageSCP]:
    """Run a Storage and Storage Commitment SCP on pynetdicom's library, which keeps only the UIDs of instances.

    Args:
        folder: The folder in which it runs.
        options: `--report-to PORT` reports on an association of its own, `--role` proposes the SCP role on it; `--lose UID` does
            not keep that instance.
    """
    with pynetdicom_script("pynetdicom_commitment_scp.py", folder, *options) as scp:
        yield scp


@contextmanager
def pynetdicom_script(name: str, folder: Path, *arguments: str) -> Iterator[StorageSCP]:
    """Run a script of this folder with the Python that has pynetdicom; it prints its port."""
    script = str(Path(__file__).with_name(name))
    folder.mkdir(parents=True, exist_ok=True)
    with running([pynetdicom(), script, *arguments], folder) as process:
        log = log_of(folder)
        wait_until(lambda: log.read_bytes().startswith(b"port ") and b"\n" in log.read_bytes(), process)
        port = int(log.read_text().split()[1])
        yield StorageSCP((port,), folder, process, lambda: by_instance(part10_files(folder)))


@contextmanager
def orthanc_scp(folder: Path, **configuration: object) -> Iterator[StorageSCP]:
    """Run Orthanc, which accepts every transfer syntax and SOP class from everyone.

    Args:
        folder: The folder of its database and its configuration.
        configuration: Further entries of its configuration, which also override those given here.
    """
    program, path = orthanc(), folder / "orthanc.json"

    def command(dicom_port: int, http_port: int) -> Sequence[str]:
        path.write_text(json.dumps(orthanc_configuration(folder, dicom_port, http_port) | configuration))
        return [program, str(path)]

    with listening(command, folder, ports=2) as scp:
        yield replace(scp, received=lambda: by_instance(orthanc_files(scp.ports[1])))


def orthanc_configuration(folder: Path, dicom_port: int, http_port: int) -> dict[str, object]:
    """Return the configuration of an Orthanc for one test: in a folder of its own, for this machine only, without plugins."""
    return {
        "Name": "interop",
        "StorageDirectory": str(folder / "storage"),
        "IndexDirectory": str(folder / "index"),
        "Plugins": [],
        "HttpPort": http_port,
        "RemoteAccessAllowed": False,
        "AuthenticationEnabled": False,
        "DicomAet": "ORTHANC",
        "DicomPort": dicom_port,
        "DicomCheckCalledAet": False,
        "DicomAlwaysAllowEcho": True,
        "DicomAlwaysAllowStore": True,
        "UnknownSopClassAccepted": True,
        "AcceptedTransferSyntaxes": ["1.2.840.10008.1.*"],
        "OverwriteInstances": True,
        "SaveJobs": False,
    }


def orthanc_files(http_port: int) -> list[Part10File]:
    """Return the files that Orthanc holds, through its REST interface."""
    identifiers = json.loads(orthanc_rest(http_port, "/instances"))
    return [
        read_part10(orthanc_rest(http_port, f"/instances/{identifier}/file"), Path(identifier))
        for identifier in identifiers
    ]


def orthanc_upload(http_port: int, files: Sequence[Part10File]) -> list[Part10File]:
    """Give Orthanc these files, through its REST interface; those that it does not take."""
    refused = []
    for file in files:
        try:
            orthanc_rest(http_port, "/instances", "POST", file.content)
        except urllib.error.HTTPError as error:
            error.close()
            refused.append(file)
    return refused


def orthanc_send(http_port: int, port: int) -> None:
    """Have Orthanc send all that it holds to 127.0.0.1 and `port`."""
    receiver = {"AET": "RECEIVER", "Host": "127.0.0.1", "Port": port}
    everything = {"Resources": json.loads(orthanc_rest(http_port, "/instances")), "Synchronous": True}
    orthanc_rest(http_port, "/modalities/receiver", "PUT", json.dumps(receiver).encode())
    orthanc_rest(http_port, "/modalities/receiver/store", "POST", json.dumps(everything).encode())


def orthanc_rest(http_port: int, path: str, method: str = "GET", body: bytes | None = None) -> bytes:
    """Send one request to Orthanc's REST interface, and return the body of the response.

    Raises:
        urllib.error.HTTPError: The request failed.
    """
    request = urllib.request.Request(f"http://127.0.0.1:{http_port}{path}", body, method=method)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=START_SECONDS) as response:
        content: bytes = response.read()
        return content
