"""A power cut by simulation: system calls that strace recorded are replayed up to a moment, as a disk may have them then.

What was written before the last sync of a file is there. Of later writes, any may be there or not.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CALLS = "pwrite64,fdatasync,fsync,ftruncate,linkat,write,unlink"

_LINE = re.compile(r"^\d+ +(?P<call>\w+)\((?P<rest>.*)\) += (?P<result>-?\d+)")
_FILE = re.compile(r"^(?:AT_FDCWD|\d+)<(?P<path>[^>]*)>")


@dataclass
class Call:
    """A system call: its thread and name, the file, and its other arguments as strace prints them.

    A call that others have interrupted comes twice: when it begins, with `ended` False, and when it has succeeded.
    """

    thread: str
    name: str
    path: str
    rest: str
    ended: bool = True


def recorded(trace: Path) -> Iterator[Call]:
    """Yield the calls of a trace of `strace -f -y -xx`."""
    begun: dict[str, str] = {}
    for line in trace.read_text().splitlines():
        thread = line.partition(" ")[0]
        if line.endswith("<unfinished ...>"):
            begun[thread] = line.removesuffix("<unfinished ...>").rstrip()
            if call := _call(thread, f"{begun[thread]}) = 0", ended=False):
                yield call
            continue
        whole = begun.pop(thread) + line.partition(" resumed>")[2].lstrip() if "<... " in line else line
        if call := _call(thread, whole, ended=True):
            yield call


def _call(thread: str, line: str, *, ended: bool) -> Call | None:
    found = _LINE.match(line)
    if found is None or found["result"].startswith("-"):
        return None
    file = _FILE.match(found["rest"])
    path = text_of(file["path"]) if file else ""
    rest = found["rest"][file.end() :].lstrip(", ") if file else found["rest"]
    return Call(thread, found["call"], path, rest, ended)


def text_of(printed: str) -> str:
    """Return a path that strace has printed with -xx."""
    return bytes.fromhex(printed.replace("\\x", "")).decode() if printed.startswith("\\x") else printed


class Synced:
    """The changes of a file or a folder, and those of them that the disk has for certain.

    Attributes:
        later: The changes since the last sync, in order.
    """

    def __init__(self) -> None:
        self.later: list[Any] = []
        self._number = 0
        self._begun: dict[str, int] = {}

    def sync(self, call: Call) -> list[Any]:
        """Take the beginning or the end of a sync, and return what the disk has by its end: what was there when it began."""
        if not call.ended:
            self._begun[call.thread] = self._number + len(self.later)
            return []
        until = self._begun.pop(call.thread, self._number + len(self.later)) - self._number
        done, self.later = self.later[: max(0, until)], self.later[max(0, until) :]
        self._number += len(done)
        return done


def bytes_of(printed: str) -> bytes:
    """Return the bytes of the first string that strace has printed with -xx."""
    return bytes.fromhex(printed.split('"')[1].replace("\\x", ""))


def _apply(content: bytearray, change: tuple[int, bytes | None]) -> None:
    offset, written = change
    if written is None:
        del content[offset:]
        content.extend(bytes(offset - len(content)))
        return
    content.extend(bytes(max(0, offset - len(content))))
    content[offset : offset + len(written)] = written


class Disk:
    """The files of an SQLite database and the names of a store's files, as recorded calls change them.

    Args:
        database: The path of the database.
        before: The contents of its files before the first call, by their suffix.
    """

    def __init__(self, database: str, before: dict[str, bytes]) -> None:
        self._database = database
        # Later writes by their offset; a truncation has the new size, and no bytes.
        self._changes: dict[str, Synced] = {f"{database}{suffix}": Synced() for suffix in ("", "-wal")}
        self._contents = {f"{database}{suffix}": bytearray(before.get(suffix, b"")) for suffix in ("", "-wal")}
        self._folders: dict[str, Synced] = {}
        self._names: list[Path] = []

    def replay(self, call: Call) -> None:
        """Take a call."""
        if call.name in ("fsync", "fdatasync"):
            if call.path in self._changes:
                for change in self._changes[call.path].sync(call):
                    _apply(self._contents[call.path], change)
            elif call.path in self._folders:
                self._names += self._folders[call.path].sync(call)
        elif not call.ended:
            return
        elif call.name == "linkat":
            _, target, name, _ = call.rest.split(", ")
            folder = text_of(target.partition("<")[2].rstrip(">"))
            self._folders.setdefault(folder, Synced()).later.append(Path(folder, bytes_of(name).decode()))
        elif call.path in self._changes:
            later = self._changes[call.path].later
            if call.name == "pwrite64":
                later.append((int(call.rest.rpartition(", ")[2]), bytes_of(call.rest)))
            elif call.name == "ftruncate":
                later.append((int(call.rest), None))

    def after_a_cut(self, database: Path, chance: random.Random, share: float) -> list[Path]:
        """Write the database as a power cut may leave it, and return the files of the store.

        Args:
            database: The path to write it to.
            chance: Random numbers.
            share: The probability with which the disk has something that was not synced.
        """
        for path, content in self._contents.items():
            left = bytearray(content)
            for change in self._changes[path].later:
                if chance.random() < share:
                    _apply(left, change)
            Path(f"{database}{path.removeprefix(self._database)}").write_bytes(left)
        unsynced = [name for folder in self._folders.values() for name in folder.later]
        return self._names + [name for name in unsynced if chance.random() < share]
