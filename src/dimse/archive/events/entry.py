"""The file of a study that waits: a line of JSON for each instance, and for each failed attempt to announce the study."""

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
"""The folder of these files, in that of the store."""
TELLING = ".telling"
"""The end of the name of a file whose study was quiet."""

Line = dict[str, Any]


@record
class Entry:
    """The content of the lines of a file.

    Attributes:
        study: The event; None if there is no line.
        attempts: That have failed since storescp started.
        due: When the next one is made; infinite if there is none.
        why: Of the last failure.
    """

    study: Study | None = None
    attempts: int = 0
    due: float = -inf
    why: str = ""


def read(file: int) -> Entry:
    """Read a file."""
    entry, parts = Entry(), set[str]()
    for line in lines(os.pread(file, os.fstat(file).st_size, 0)):
        if line.get("resumed"):
            entry.attempts, entry.due = 0, -inf
        elif "failed" in line:
            entry.attempts += 1
            entry.why = line["failed"]
            entry.due = inf if line["due"] is None else line["due"]
        elif (part := line.get("continues")) is None or part not in parts:
            # Whatever has been written over in a file, the rest of it counts.
            with suppress(KeyError, TypeError, ValueError):
                study = Study(**{name: line[name] for name in fields(Study)})
                entry.study = study if entry.study is None else entry.study.joined_by(study)
                parts.add(part or "")
    return entry


def lines(content: bytes) -> Iterator[Line]:
    """Give the lines that are whole: a full disk or a power cut may have left others."""
    for line in content.splitlines():
        with suppress(ValueError):
            found = json.loads(line)
            if isinstance(found, dict):
                yield found


def line_of(study: Study) -> Line:
    """Return the line for a study or a part of it; the event's ID comes first."""
    return {"event_id": study.event_id} | {name: getattr(study, name) for name in fields(study)}


def write(file: int, line: Line) -> None:
    """Append a line. It begins on a line of its own, whatever is before it.

    Raises:
        OSError: It was not written as a whole.
    """
    content = b"\n" + json.dumps(line).encode("ascii") + b"\n"
    if os.write(file, content) < len(content):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def try_lock(file: int, kind: int = fcntl.LOCK_EX) -> bool:
    """Lock a file, unless another thread or process has locked it; return whether it is locked now."""
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
