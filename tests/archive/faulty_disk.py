"""A program that stores while the n-th system call of a kind fails, for every n. It runs under strace, which makes it fail.

strace counts the calls of each process separately and fails number `when(call)`. So one run is enough for all n. Each case is a
child that makes `when(call)` - n calls of that kind before it begins to store.

    strace -f -e inject=fsync:error=EIO:when=60 python -m tests.archive.faulty_disk FOLDER fsync

prints a line of JSON for each case. `problems` returns the faults that are found afterwards.
"""

from __future__ import annotations

import errno
import json
import logging
import os
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from dimse.archive import FileStore
from dimse.archive.file_store import OnDuplicate
from tests.archive.storing import KEPT, PATIENT_ID, data_set, keep, names, stored_data_set


def when(call: str) -> int:
    """Return a number of calls of a kind that exceeds those of Python's start, and those of the cases."""
    return 400 if call in ("openat", "close") else 60


_NONE = 999_999  # no descriptor

# Calls that fail by themselves and do no harm, and what to inject instead.
CALLS: dict[str, tuple[Callable[[], object], tuple[str, ...]]] = {
    "openat": (lambda: os.open("/no/such/file", os.O_RDONLY), ("EMFILE", "ENOSPC", "EACCES", "EIO", "EROFS")),
    "writev": (lambda: os.writev(_NONE, [b"x"]), ("ENOSPC", "EIO", "EFBIG", "EDQUOT")),
    "fsync": (lambda: os.fsync(_NONE), ("EIO", "ENOSPC", "EDQUOT")),
    "linkat": (
        lambda: os.link("x", "y", src_dir_fd=_NONE, dst_dir_fd=_NONE),
        ("ENOSPC", "EIO", "EPERM", "EACCES", "EMLINK"),
    ),
    "renameat": (lambda: os.rename("x", "y", src_dir_fd=_NONE, dst_dir_fd=_NONE), ("EIO", "ENOSPC", "EACCES")),
    "unlinkat": (lambda: os.unlink("x", dir_fd=_NONE), ("EIO", "EROFS", "EBUSY")),
    "mkdirat": (lambda: os.mkdir("x", dir_fd=_NONE), ("ENOSPC", "EACCES", "EIO", "EMLINK")),
    "pread64": (lambda: os.pread(_NONE, 1, 0), ("EIO",)),
    "fchmod": (lambda: os.fchmod(_NONE, 0o600), ("EPERM", "EIO")),
    "fstatfs": (lambda: os.fstatvfs(_NONE), ("EIO",)),
    "close": (lambda: os.close(_NONE), ("EIO", "ENOSPC", "EINTR")),
}
POLICIES: tuple[OnDuplicate, ...] = ("keep-both", "replace")

# Four instances for three folders; one again, and again with other bytes.
SENT = (
    ("1.2.1", "A", "1"),
    ("1.2.2", "A", "2"),
    ("1.2.3", "B", "3"),
    ("1.2.4", "C", "4"),
    ("1.2.1", "A", "1"),
    ("1.2.1", "A", "other"),
)


def sent_data_set(uid: str, patient: str, content: str) -> bytes:
    return data_set(uid, content=content.encode(), others={PATIENT_ID: patient})


def store_some(folder: str, on_duplicate: OnDuplicate) -> list[int]:
    """Store what is to be `SENT`; returns the numbers of those that were acknowledged."""
    kept = []
    with suppress(OSError):  # the store may not open
        store = FileStore(folder, layout="{PatientID}/{SOPInstanceUID}", on_duplicate=on_duplicate, mode=0o640)
        for number, (uid, patient, content) in enumerate(SENT):
            if keep(store, uid, content.encode(), {PATIENT_ID: patient}) == KEPT:
                kept.append(number)
        store.close()
    return kept


def _call(call: str, error: str) -> bool:
    """Make a call that does no harm; whether it was the one to fail."""
    try:
        CALLS[call][0]()
    except OSError as raised:
        return errno.errorcode[raised.errno or 0] == error
    return False


def _case(folder: str, call: str, error: str, number: int, on_duplicate: OnDuplicate) -> bool:
    """Run one case in a child, and return True if the call was one of those that the storing made."""
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    try:
        assert not any(_call(call, error) for _ in range(when(call) - number))
        kept = store_some(folder, on_duplicate)
        failed = not any(_call(call, error) for _ in range(number))
        if failed:
            said = {"folder": folder, "case": [call, error, number, on_duplicate], "kept": kept}
            os.write(1, f"{json.dumps(said)}\n".encode())
        os._exit(0 if failed else 1)
    finally:
        # This point is reached by an exception only.
        traceback.print_exc()
        os._exit(2)


def main() -> None:
    """Run all cases. The arguments are FOLDER, then pairs of a call and the error that strace injects at it."""
    logging.disable()
    folder, *pairs = sys.argv[1:]
    for call, error in zip(pairs[::2], pairs[1::2], strict=True):
        for on_duplicate in POLICIES:
            number = 1
            while _case(f"{folder}/{call}-{error}-{number}-{on_duplicate}", call, error, number, on_duplicate):
                number += 1


def problems(said: dict[str, Any]) -> list[str]:
    """Return the faults in the folder of a case, after another store has been opened there."""
    folder, on_duplicate = Path(said["folder"]), said["case"][3]
    FileStore(folder).close()
    files = {path: stored_data_set(folder / path) for path in names(folder)}
    found = [f"{path} was never sent" for path in files if files[path] not in [sent_data_set(*one) for one in SENT]]
    if (folder / ".incoming").exists():
        found.append("something is left over")
    acknowledged = {SENT[number][0]: SENT[number] for number in said["kept"]}
    expected = [SENT[number] for number in said["kept"]] if on_duplicate == "keep-both" else acknowledged.values()
    for uid, patient, content in expected:
        paths = [path for path in files if path.partition("~")[0] == f"{patient}/{uid}"]
        if sent_data_set(uid, patient, content) not in [files[path] for path in paths]:
            found.append(f"{uid} with {content!r} was acknowledged and is not there")
    return [f"{said['case']}: {problem}" for problem in found]


if __name__ == "__main__":
    main()
