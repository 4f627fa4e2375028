"""A program that ingests while the n-th system call of a kind fails, for every n. It runs under strace, which makes it fail.

It does for an archive with an index in SQLite what `tests.archive.faulty_disk` does for a store.

    strace -f -e inject=pwrite64:error=EIO:when=600 python -m tests.archive.index.faulty_ingest FOLDER 1 pwrite64 EIO

prints a line of JSON for each case.
"""

from __future__ import annotations

import errno
import fcntl
import json
import logging
import os
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dimse.archive.index.check import check
from dimse.archive.index.ingest import OnDuplicate
from dimse.errors import DatabaseError
from tests.archive import faulty_disk
from tests.archive.index.test_arriving import archive, data_set, keep
from tests.archive.storing import KEPT, stored_data_set

WHEN = 600
"""A number of calls of a kind that exceeds those of a case."""

_NONE = 999_999  # no descriptor

CALLS: dict[str, tuple[Callable[[], object], tuple[str, ...]]] = {
    "pwrite64": (lambda: os.pwrite(_NONE, b"x", 0), ("EIO", "ENOSPC", "EDQUOT")),
    "pread64": (lambda: os.pread(_NONE, 1, 0), ("EIO",)),
    "fdatasync": (lambda: os.fdatasync(_NONE), ("EIO", "ENOSPC")),
    "ftruncate": (lambda: os.ftruncate(_NONE, 0), ("EIO", "ENOSPC")),
    "fcntl": (lambda: fcntl.fcntl(_NONE, fcntl.F_GETFD), ("EIO", "ENOLCK", "EACCES")),
    "unlink": (lambda: os.unlink("/no/such/file"), ("EIO", "EROFS")),
} | {
    name: faulty_disk.CALLS[name]
    for name in ("openat", "writev", "fsync", "linkat", "unlinkat", "mkdirat", "close", "fchmod")
}
POLICIES: tuple[OnDuplicate, ...] = ("keep-both", "replace", "reject")

# UID, study, pixel: instances of two studies, one of them again, and again with other bytes, and the first once more.
SENT = (
    ("1.2.1", "1", 1),
    ("1.2.2", "1", 2),
    ("1.2.3", "2", 3),
    ("1.2.1", "1", 1),
    ("1.2.1", "1", 4),
    ("1.2.1", "1", 1),
)


def sent_data_set(uid: str, study: str, pixel: int) -> bytes:
    """Return the data set of an instance that is sent."""
    return data_set(uid, f"1.3.{study}", f"1.3.{study}.1")[:-1] + bytes([pixel])


def ingest_some(folder: Path, policy: OnDuplicate) -> list[int]:
    """Ingest what is to be `SENT`, and return the numbers of those that were acknowledged."""
    kept: list[int] = []
    try:
        with archive(folder / "store", str(folder / "index.db"), policy) as (store, index):
            index.start()
            kept += [number for number, one in enumerate(SENT) if keep(store, sent_data_set(*one), one[0]) == KEPT]
    except (DatabaseError, OSError):
        # The archive may not open.
        pass
    return kept


def _call(call: str, error: str) -> bool:
    """Make a call that does no harm, and return True if it was the one to fail."""
    try:
        CALLS[call][0]()
    except OSError as raised:
        return errno.errorcode[raised.errno or 0] == error
    return False


def _case(folder: Path, call: str, error: str, number: int, policy: OnDuplicate) -> bool:
    """Run one case in a child, and return True if the call was one of those that the ingest made."""
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    try:
        folder.mkdir()
        made = 0
        while made < WHEN - number:
            # The folder of the case may have taken a call.
            made += 1
            assert not _call(call, error)
        kept = ingest_some(folder, policy)
        failed = not any(_call(call, error) for _ in range(number))
        if failed:
            said = {"folder": str(folder), "case": [call, error, number, policy], "kept": kept}
            os.write(1, f"{json.dumps(said)}\n".encode())
        os._exit(0 if failed else 1)
    finally:
        # This point is reached by an exception only.
        traceback.print_exc()
        os._exit(2)


def main() -> None:
    """Run the cases. The arguments are FOLDER, STEP to run each STEP-th case only, then pairs of a call and an error."""
    logging.disable()
    folder, step, *pairs = sys.argv[1:]
    for turn, (call, error) in enumerate(zip(pairs[::2], pairs[1::2], strict=True)):
        number = 1
        policy = POLICIES[turn % 3]
        while _case(Path(f"{folder}/{call}-{error}-{number}"), call, error, number, policy):
            policy = POLICIES[(turn + number // int(step)) % 3]
            number += int(step)


def problems(said: dict[str, Any]) -> list[str]:
    """Return the faults that the index of a case has, after it was recovered."""
    folder, (_, _, _, policy) = Path(said["folder"]), said["case"]
    wrong: list[str] = []
    sent = [sent_data_set(*one) for one in SENT]
    with archive(folder / "store", str(folder / "index.db"), policy) as (_, index):
        served = {one.sop_instance_uid: Path(one.path) for one in index.locate("STUDY", ["1.3.1", "1.3.2"])}
        for number in said["kept"]:
            uid = SENT[number][0]
            if uid not in served:
                wrong.append(f"{uid} was acknowledged and is not found")
        for uid, path in served.items():
            if stored_data_set(path) not in sent:
                wrong.append(f"{uid} is not what was sent")
        latest = [SENT[number] for number in said["kept"] if SENT[number][0] == "1.2.1"]
        if policy == "replace" and latest and stored_data_set(served["1.2.1"]) != sent_data_set(*latest[-1]):
            wrong.append("what was acknowledged last is not what is served")
        wrong += [f"{one}" for one in check(index, full=True) if one.kind not in ("no row", "no instance")]
        if not index.start():
            index.recover()
        wrong += [f"after the recovery: {one}" for one in check(index, full=True) if one.kind != "no row"]
    return [f"{said['case']}: {one}" for one in wrong]


if __name__ == "__main__":
    main()
