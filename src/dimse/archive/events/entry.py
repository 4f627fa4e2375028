"""The file of a waiting study: a line of JSON for each instance, and for each failed attempt to announce the study."""

from __future__ import annotations

import errno
import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import suppress
from math import inf
from typing import Any

from dimse.archive.events.study import Study
from dimse.support.values import fields, record

FOLDER_NAME = ".studies"
"""The name of the folder of these files, within that of the store."""
QUIET_SUFFIX = ".telling"
"""The suffix of a file whose study was quiet."""

Line = dict[str, Any]


@record
class Entry:
    """The content of the lines of a file.

    Attributes:
        study: The event; None if there is no line.
        attempts: The number of attempts that have failed since storescp started.
        due: The time of the next attempt; infinite if there is no further one.
        why: The reason of the last failure.
    """

    study: Study | None = None
    attempts: int = 0
    due: float = -inf
    why: str = ""


def read(file: int) -> Entry:
    """Read the file of a waiting study."""
    entry, parts = Entry(), set[str]()
    for line in lines(os.pread(file, os.fstat(file).st_size, 0)):
        if line.get("resumed"):
            entry.attempts, entry.due = 0, -inf
        elif "failed" in line:
            entry.attempts += 1
            entry.why = line["failed"]
            entry.due = inf if line["due"] is None else line["due"]
        elif (part := line.get("continues")) is None or part not in parts:
            # Even if some lines of a file have been overwritten, the others count.
            with suppress(KeyError, TypeError, ValueError):
                study = Study(**{name: line[name] for name in fields(Study)})
                entry.study = study if entry.study is None else entry.study.merged_with(study)
                parts.add(part or "")
    return entry


def lines(content: bytes) -> Iterator[Line]:
    """Yield the complete lines; a full disk or a power cut may have left incomplete ones."""
    for line in content.splitlines():
        with suppress(ValueError):
            found = json.loads(line)
            if isinstance(found, dict):
                yield found


def line_of(study: Study) -> Line:
    """Return the line for a study or a part of it, with the event's ID first."""
    return {"event_id": study.event_id} | {name: getattr(study, name) for name in fields(study)}


def write(file: int, line: Line) -> None:
    """Append a line, which begins on a line of its own, whatever precedes it.

    Raises:
        OSError: The line was not written completely.
    """
    content = b"\n" + json.dumps(line).encode("ascii") + b"\n"
    if os.write(file, content) < len(content):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def try_lock(file: int, kind: int = fcntl.LOCK_EX) -> bool:
    """Lock a file unless another thread or process has locked it, and return True if it is locked now."""
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
