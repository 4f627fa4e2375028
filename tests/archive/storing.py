"""Storing without a network: data sets of a few bytes, what an association does with them, and what is in the folder after.

A process under strace that imports this starts quickly: nothing of pytest or pydicom comes with it.
"""

from __future__ import annotations

import os
import struct
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dimse import uids
from dimse.archive import FileStore
from dimse.instances.received import ReceivedInstance
from dimse.message.status import Status
from dimse.services.store_request import StoreRequest
from dimse.upper_layer.negotiation import Peer, PresentationContext

ROOT = Path(__file__).parents[2]
ENVIRONMENT = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path]), "PYTHONDONTWRITEBYTECODE": "1"}

CT = uids.CTImageStorage
KEPT, OUT_OF_RESOURCES, DOES_NOT_MATCH, DUPLICATE, CANNOT_UNDERSTAND = 0x0000, 0xA700, 0xA900, 0x0111, 0xC000

PATIENT_ID, STUDY_INSTANCE_UID, SERIES_INSTANCE_UID = 0x00100020, 0x0020000D, 0x0020000E

# What has been tried on receivers that made paths of a peer's UIDs, AE titles and patient data.
ATTACKS = [
    "../../../x",
    "/abs/x",
    "../secret/VICTIM",
    "..",
    ".",
    "...",
    "1.2\0.3",
    "1.2/3",
    "a/b",
    "..\\..\\x",
    "9" * 65,
    "9" * 1000,
    "9" * 4000,
    "1.2.3\n",
    "1.2.\xb3",
    "CON",
    "%2e%2e",
    "%s%n",
    ".incoming",
    "x~2",
    "~root",
    "$(id)",
    "`id`",
    '";touch scratch;"',
    "1.2.3\r\nE: forged",
    "\xff" * 16,
    "-rf",
]


def element(tag: int, vr: bytes, value: bytes) -> bytes:
    """Return a data element in Explicit VR Little Endian, of a VR with 16 bits of length."""
    value += (b"\0" if vr == b"UI" else b" ") * (len(value) % 2)
    return struct.pack("<HH2sH", tag >> 16, tag & 0xFFFF, vr, len(value)) + value


def data_set(
    uid: str = "1.2.3", sop_class: str = CT, content: bytes = b"Doe^John", others: dict[int, str] | None = None
) -> bytes:
    """Return a data set. `others` are more values by tag, in later groups, as text in Latin-1."""
    return (
        element(0x00080016, b"UI", sop_class.encode("latin-1"))
        + element(0x00080018, b"UI", uid.encode("latin-1"))
        + element(0x00100010, b"PN", content)
        + b"".join(element(tag, b"LO", value.encode("latin-1")) for tag, value in sorted((others or {}).items()))
    )


def store_request(
    uid: str = "1.2.3",
    sop_class: str = CT,
    syntax: str = uids.ExplicitVRLittleEndian,
    ae_title: str = "MODALITY",
    called: str = "ARCHIVE",
) -> StoreRequest:
    context = PresentationContext(1, sop_class, 0, syntax, (syntax,))
    address = ("192.0.2.1", 50000)
    return StoreRequest(
        sop_class,
        uid,
        syntax,
        context,
        Peer(ae_title, address=address),
        message_id=1,
        calling_ae_title=ae_title,
        called_ae_title=called,
        peer_address=address,
    )


def take(store: FileStore, request: ReceivedInstance, *pieces: bytes) -> Status:
    """Do what an association does with a C-STORE-RQ whose data set arrives in these pieces."""
    request.sink = store.begin(request)
    try:
        for piece in pieces:
            request.sink.write([memoryview(piece)])
        return store.store(request)
    finally:
        request.sink.discard()


def keep(
    store: FileStore, uid: str = "1.2.3", content: bytes = b"Doe^John", others: dict[int, str] | None = None
) -> Status:
    """Store a CT instance."""
    return take(store, store_request(uid), data_set(uid, content=content, others=others))


def tree(folder: Path) -> dict[str, bytes | None]:
    """Return the contents of a folder by path: the bytes of each file, and None for everything else."""
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() and not path.is_symlink() else None
        for path in folder.rglob("*")
    }


def names(folder: Path) -> list[str]:
    """Return the paths of the files in a store's folder, after a check that no temporary file is left."""
    incoming = folder / ".incoming"
    assert not incoming.exists() or list(incoming.iterdir()) == []
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_symlink() or not path.is_dir())


def stored_data_set(path: Path) -> bytes:
    """Return the data set of a Part 10 file whose File Meta begins with its group length (PS3.10 7.1)."""
    content = path.read_bytes()
    assert content[:140] == bytes(128) + b"DICM\2\0\0\0UL\4\0"
    return content[144 + int.from_bytes(content[140:144], "little") :]


def _python(code: str, arguments: tuple[object, ...]) -> list[str]:
    header = "import os, sys; from pathlib import Path; from tests.archive.storing import *\n"
    return [sys.executable, "-c", header + code, *map(str, arguments)]


def in_a_process(code: str, *arguments: object, before: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    """Run Python code that has this module's helpers; `before` are the words in front of the command."""
    return subprocess.run(
        [*before, *_python(code, arguments)],
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
        cwd=ROOT,
        env=ENVIRONMENT,
    )


@contextmanager
def start_a_process(code: str, *arguments: object) -> Iterator[subprocess.Popen[bytes]]:
    """Run a process as `run_in_a_process` does, and yield it; it ends with the block."""
    with subprocess.Popen(
        _python(code, arguments), stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT, env=ENVIRONMENT
    ) as process:
        try:
            yield process
        finally:
            process.kill()
