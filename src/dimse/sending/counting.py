"""A count of the files that a search will come to, by their names and sizes only.

The search is only as far ahead as the sending needs, so its end is not known for most of a run. The count walks over the same
folders and opens no file. It keeps no names: its memory is that of the folders that it has open. To leave the processor to the
sending, it pauses for half of the time. It ends at a bound.
"""

from __future__ import annotations

import os
import stat
import threading
import time
from collections.abc import Iterable, Iterator

from dimse.sending.finding import Tally

MOST_ENTRIES = 2_000_000
"""The most files and folders that are counted."""
MOST_SECONDS = 300.0
"""The most seconds that a count takes."""
DEEPEST = 100
"""Folders that may lie within one another; each is an open descriptor."""
SLICE = 100
"""Files and folders between two pauses."""
SHARE = 0.5
"""The share of its time for which the count uses the processor. It takes as much of it in any case, only sooner."""


class Count:
    """A count of files, made by a thread of its own between `start` and `stop`.

    A folder behind a symbolic link, a DICOMDIR and a ZIP archive are not looked into. Then, and after a bound, the number is a
    least one.

    Args:
        paths: Files and folders; None stands for paths that are not known yet.
        recurse: True to count the files of folders all the way down, False for those of the named folders alone.

    Attributes:
        tally: The files counted so far, and their bytes.
        is_over: True when nothing more will be counted.
        is_whole: True when every file is counted.
    """

    def __init__(self, paths: Iterable[str | None], *, recurse: bool) -> None:
        self.tally = Tally()
        self.is_over = self.is_whole = False
        self._paths, self._recurse = paths, recurse
        self._leaves_out = False
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self.run, name="dimse-count", daemon=True)

    def start(self) -> None:
        """Begin to count."""
        self._thread.start()

    def stop(self) -> None:
        """Stop counting; a thread that waits for a disk is left behind."""
        self._stopped.set()

    def run(self) -> None:
        """Count until the end, a bound or `stop`; the body of the thread."""
        tally, entries = self.tally, 0
        began, worked = time.monotonic(), time.thread_time()
        for size in self._sizes():
            entries += 1
            if size is not None:
                tally.files += 1
                tally.size += size
            if entries % SLICE:
                continue
            if entries >= MOST_ENTRIES or time.monotonic() - began > MOST_SECONDS:
                self._leaves_out = True
                break
            if self._stopped.wait((time.thread_time() - worked) * (1 / SHARE - 1)):
                return
            worked = time.thread_time()
        self.is_whole = not self._leaves_out
        self.is_over = True

    def _sizes(self) -> Iterator[int | None]:
        """Yield the size of each file, and None for each entry that is not counted."""
        for path in self._paths:
            if path is None:
                self._leaves_out = True
                continue
            try:
                status = os.stat(path)
            except (OSError, ValueError):
                # The search comes to it too, and reports it.
                yield 0
                continue
            if stat.S_ISDIR(status.st_mode):
                yield from self._below(path)
                continue
            name = os.path.basename(path).lower()
            if name == "dicomdir" or name.endswith(".zip"):
                self._leaves_out = True
            yield status.st_size

    def _below(self, folder: str) -> Iterator[int | None]:
        """Yield the sizes of the files below a folder; those of a folder in it come where its name does."""
        within = [_entries(folder)]
        while within:
            entry = next(within[-1], None)
            if entry is None:
                within.pop()
            elif entry.name[0] == ".":
                yield None
            elif not _is_folder(entry):
                yield _size(entry)
            else:
                yield None
                if not self._recurse:
                    continue
                if entry.is_symlink() or len(within) == DEEPEST:
                    self._leaves_out = True
                else:
                    within.append(_entries(entry.path))


def _entries(folder: str) -> Iterator[os.DirEntry[str]]:
    """Yield the entries of a folder as far as it can be read."""
    try:
        with os.scandir(folder) as entries:
            yield from entries
    except OSError:
        return


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False


def _size(entry: os.DirEntry[str]) -> int:
    try:
        return entry.stat().st_size
    except OSError:
        return 0
