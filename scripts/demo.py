"""A demonstration of dimse: DICOM files sent to a storage SCP, and to an archive that finds them and gives them back.

`make demo` runs it. Every command is printed before it runs, as one would type it in a shell in this folder. The files are
some of those that pydicom ships.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import pydicom

ROOT = Path(__file__).parents[1]
RECEIVED = Path(".demo")
DIMSE = Path(sys.executable).with_name("dimse")
FILES = (
    "CT_small.dcm",
    "MR_small_jpeg_ls_lossless.dcm",
    "JPEG2000.dcm",
    "rtplan.dcm",
    "waveform_ecg.dcm",
    "examples_ybr_color.dcm",
)

CONFIGURATION = """[DEFAULT]
instance_location: {folder}/instances
database_location: {folder}/instances.sqlite

[DEMO]
address: 127.0.0.1
port: {port}
"""


def main() -> int:
    """Run the demonstration, and return 0 if all files have arrived and come back."""
    os.chdir(ROOT)
    shutil.rmtree(RECEIVED, ignore_errors=True)
    RECEIVED.mkdir()
    folder = Path(pydicom.__file__).parent / "data" / "test_files"
    files = [str(folder / name) for name in FILES]
    return max(receive(files), keep(files))


def receive(files: Sequence[str]) -> int:
    """Send files to storescp, show what arrived, and return 0 if that is all."""
    incoming = RECEIVED / "incoming"
    with serving("storescp", "-v", "-ba", "127.0.0.1", "-od", incoming, "0") as (server, port):
        verified = subprocess.run(shown(DIMSE, "echoscu", "-v", "127.0.0.1", port), check=False).returncode
        stored = subprocess.run(shown(DIMSE, "storescu", "-v", "127.0.0.1", port, files=files), check=False).returncode
    assert server.stderr is not None
    log = server.stderr.read()
    print(f"\nWhat storescp said, until it was ended with SIGTERM (exit status {server.returncode}):\n{log}")

    arrived = sorted(path for path in incoming.rglob("*") if path.is_file())
    print(f"What arrived in {incoming}:\n\n  {'bytes':>9}  name")
    for path in arrived:
        print(f"  {path.stat().st_size:9,}  {path.relative_to(incoming)}")
    complete = len(arrived) == len(files)
    print(f"\n{len(arrived)} of {len(files)} files sent are there.")
    return 0 if complete and (verified, stored, server.returncode) == (0, 0, 0) else 1


def keep(files: Sequence[str]) -> int:
    """Send files to an archive, find them, get them back, and return 0 if each has the same data set."""
    print("\nAn archive answers queries too, and gives back what it has:")
    back, own_port, config = RECEIVED / "back", free_port(), RECEIVED / "archive.ini"
    config.write_text(CONFIGURATION.format(folder=RECEIVED, port=own_port))
    print(f"\n$ cat {config}\n{config.read_text()}", end="")
    with serving("qrscp", "-v", "-ba", "127.0.0.1", "-c", config, "0") as (server, port):
        peer = "-aet", "DEMO", "127.0.0.1", port
        keys = "-r", "StudyInstanceUID,PatientName,ModalitiesInStudy"
        statuses = [
            subprocess.run(shown(DIMSE, "storescu", *peer, files=files), check=False).returncode,
            subprocess.run(shown(DIMSE, "findscu", "-S", *peer, *keys, "--format", "table"), check=False).returncode,
        ]
        studies = sorted({str(pydicom.dcmread(file, stop_before_pixels=True).StudyInstanceUID) for file in files})
        own = "--method", "move", "--store-aet", "DEMO", "--store-port", own_port
        command = shown(DIMSE, "retrieve", "-q", "-S", *own, "-od", back, *peer, files=studies)
        statuses.append(subprocess.run(command, check=False).returncode)
        statuses.append(
            subprocess.run(shown(DIMSE, "archive", "check", "--full", "-c", config), check=False).returncode
        )
    sent, returned = data_sets(files), data_sets(path for path in back.rglob("*") if path.is_file())
    same = sum(returned.get(uid) == data_set for uid, data_set in sent.items())
    print(f"\n{same} of {len(files)} files came back from the archive with the same data set, byte for byte.")
    return 0 if same == len(files) and not any([*statuses, server.returncode]) else 1


def data_sets(paths: Iterable[str | Path]) -> dict[str, bytes]:
    """Return the encoded data sets of files, by SOP Instance UID."""
    found = {}
    for path in paths:
        content, read = Path(path).read_bytes(), pydicom.dcmread(path, stop_before_pixels=True)
        # The group length counts the bytes behind its own element, which ends at 144.
        found[str(read.SOPInstanceUID)] = content[144 + read.file_meta.FileMetaInformationGroupLength :]
    return found


@contextmanager
def serving(tool: str, *arguments: str | os.PathLike[str]) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run a tool that listens until the body ends, and give its process and its port."""
    server = subprocess.Popen(
        shown(DIMSE, tool, *arguments), stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    try:
        assert server.stderr is not None
        yield server, listening_port(server.stderr)
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(timeout=30)


def shown(*command: str | os.PathLike[str], files: Sequence[str] = ()) -> list[str]:
    """Print a command as one would type it, with relative paths and one line for each file, and return it."""
    words, paths = (
        [os.path.relpath(word) if os.path.isabs(word) else os.fspath(word) for word in part]
        for part in (command, files)
    )
    print("\n$ " + " \\\n      ".join([shlex.join(words), *map(shlex.quote, paths)]), flush=True)
    return words + paths


def free_port() -> str:
    """Return a port that nothing listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return str(server.getsockname()[1])


def listening_port(output: IO[str]) -> str:
    """Return the port that a server has chosen, from its line `I: Listening on 127.0.0.1:41234`."""
    for line in output:
        print(line, end="", flush=True)
        if "istening" in line:
            return str(re.findall(r"\d+", line.rpartition(":")[2])[0])
    raise SystemExit("the server ended before it listened")


if __name__ == "__main__":
    sys.exit(main())
