"""The copies of a name: instances with one SOP Instance UID and different bytes, kept beside the first as `X~2.dcm`, `X~3.dcm` ...

A device with a stuck counter sends thousands of them. So a store remembers the last number of a name, and a fingerprint of each
copy. The next copy takes the same time whether it is the second or the thousandth. The memory is bounded. A name that was dropped
from it, for example by a restart, is looked up in the folder.
"""

from __future__ import annotations

import os
import stat
from collections import OrderedDict
from threading import Lock

from dimse.archive.fingerprint import EXISTING, fingerprint
from dimse.archive.folders import close
from dimse.archive.names import copy_name, former_copy_name
from dimse.support.values import value

MOST_REMEMBERED = 64
"""Names whose copies a store remembers; the least recently used name is dropped."""
MOST_COMPARED = 8
"""Copies with the same fingerprint with which an instance is compared."""


@value
class Copy:
    """A copy of a name.

    Attributes:
        number: 2 for the first copy; 1 is the file itself.
        is_former: True if its name has the form that earlier versions used.
    """

    number: int
    is_former: bool = False

    def name(self, of: str) -> str:
        """Return the name, or the path, of the copy of the file `of`."""
        if self.number == 1:
            return of
        return former_copy_name(of, self.number) if self.is_former else copy_name(of, self.number)


class Copies:
    """The known copies of one name in one folder.

    Attributes:
        last: The number of the last copy; 1 without copies.

    Args:
        folder: The descriptor of the folder.
        name: The name of the first instance.
        most: The largest number of copies to look for.

    Raises:
        OSError: The folder cannot be read.
    """

    def __init__(self, folder: int, name: str, most: int) -> None:
        self._name = name
        self._by_fingerprint: dict[bytes, list[Copy]] = {}
        self.last = 1
        last = self._find_last(folder, most)
        while self.last < last:
            self.look_at_next(folder)

    def _find_last(self, folder: int, most: int) -> int:
        """Return the number of the last copy, searched for in steps that double and then halve.

        A gap that a removed copy left may hide the copies behind it. `FileStore` skips those that it meets.
        """
        known, step = 1, 1
        while known + step <= most + 1 and self._find(folder, known + step) is not None:
            known, step = known + step, 2 * step
        while step := step // 2:
            if known + step <= most + 1 and self._find(folder, known + step) is not None:
                known += step
        return known

    def _find(self, folder: int, number: int) -> Copy | None:
        """Return the copy of this number, or None."""
        for copy in (Copy(number), Copy(number, is_former=True)):
            try:
                os.stat(copy.name(self._name), dir_fd=folder, follow_symlinks=False)
            except FileNotFoundError:
                continue
            return copy
        return None

    def is_last_there(self, folder: int) -> bool:
        """Return True if the last copy is still in the folder."""
        return self._find(folder, self.last) is not None

    def look_at_next(self, folder: int) -> bytes | None:
        """Add the copy of the next number, which another process or an earlier run has kept, and return its fingerprint."""
        copy = self._find(folder, self.last + 1) or Copy(self.last + 1)
        found = _fingerprint_of(folder, copy.name(self._name))
        self.add(found, copy.is_former)
        return found

    def add(self, fingerprint: bytes | None, is_former: bool = False) -> None:
        """Add the copy of the next number; without a fingerprint it is not an instance."""
        self.last += 1
        if fingerprint is not None:
            self._by_fingerprint.setdefault(fingerprint, []).append(Copy(self.last, is_former))

    def like(self, fingerprint: bytes | None) -> list[Copy]:
        """Return copies that may have the same bytes as an instance with this fingerprint, at most `MOST_COMPARED`."""
        return self._by_fingerprint.get(fingerprint, [])[:MOST_COMPARED] if fingerprint else []


class Remembered:
    """A cache of the copies of recently used names.

    Args:
        most: The largest number of copies of a name to look for.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._by_path: OrderedDict[str, Copies] = OrderedDict()
        self._place = 0
        self._lock = Lock()

    def of(self, path: str, folder: int, name: str, place: int) -> Copies:
        """Return the copies of a name.

        Args:
            path: The path of the name in the store.
            folder: The descriptor of its folder.
            name: The name. Only one thread at a time may ask for it.
            place: `Folders.place`. If it has changed, the whole cache is invalid.

        Raises:
            OSError: The folder cannot be read.
        """
        with self._lock:
            if place != self._place:
                self._by_path.clear()
                self._place = place
            copies = self._by_path.get(path)
            if copies is not None:
                self._by_path.move_to_end(path)
        if copies is not None and (copies.last <= self._most or copies.is_last_there(folder)):
            return copies
        copies = Copies(folder, name, self._most)
        with self._lock:
            self._by_path[path] = copies
            while len(self._by_path) > MOST_REMEMBERED:
                self._by_path.popitem(last=False)
        return copies


def _fingerprint_of(folder: int, name: str) -> bytes | None:
    """Return the fingerprint of a file; None if it does not hold an instance."""
    try:
        file = os.open(name, EXISTING, dir_fd=folder)
    except OSError:
        return None
    try:
        return fingerprint(file) if stat.S_ISREG(os.fstat(file).st_mode) else None
    finally:
        close(file)
