"""The copies of a name: instances with one SOP Instance UID and other bytes, kept beside the first as `X~2.dcm`, `X~3.dcm` ...

A device whose counter is stuck sends thousands of them. So a store remembers the last number of a name, and a fingerprint of each
copy: the next one costs the same whether it is the second or the thousandth. What is remembered is bounded, and is found again in
the folder where it has been forgotten, after a restart for one.
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
"""Names whose copies a store remembers; the one that was not needed for longest is forgotten."""
MOST_COMPARED = 8
"""Copies with one fingerprint that an instance is compared with."""


@value
class Copy:
    """One copy of a name.

    Attributes:
        number: 2 for the first copy; 1 is the file itself.
        is_former: Its name has the form that earlier versions gave it.
    """

    number: int
    is_former: bool = False

    def name(self, of: str) -> str:
        """Return the name, or the path, of the copy of the file `of`."""
        if self.number == 1:
            return of
        return former_copy_name(of, self.number) if self.is_former else copy_name(of, self.number)


class Copies:
    """The copies of one name in one folder, as far as they are known.

    Attributes:
        last: The number of the last one; 1 where there is none.

    Args:
        folder: The descriptor of the folder.
        name: The name of the first instance.
        most: How many copies are looked for.

    Raises:
        OSError: The folder cannot be looked into.
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

        A gap, left by a copy that was removed, may hide the copies behind it. `FileStore` steps over those that stand in its way.
        """
        known, step = 1, 1
        while known + step <= most + 1 and self._find(folder, known + step) is not None:
            known, step = known + step, 2 * step
        while step := step // 2:
            if known + step <= most + 1 and self._find(folder, known + step) is not None:
                known += step
        return known

    def _find(self, folder: int, number: int) -> Copy | None:
        """Return the copy of that number; None if there is none."""
        for copy in (Copy(number), Copy(number, is_former=True)):
            try:
                os.stat(copy.name(self._name), dir_fd=folder, follow_symlinks=False)
            except FileNotFoundError:
                continue
            return copy
        return None

    def is_last_there(self, folder: int) -> bool:
        """Return whether the last copy still stands in the folder."""
        return self._find(folder, self.last) is not None

    def look_at_next(self, folder: int) -> bytes | None:
        """Take up the copy of the next number, which was kept by another process or before a restart; return its fingerprint."""
        copy = self._find(folder, self.last + 1) or Copy(self.last + 1)
        found = _fingerprint_of(folder, copy.name(self._name))
        self.add(found, copy.is_former)
        return found

    def add(self, fingerprint: bytes | None, is_former: bool = False) -> None:
        """Take up the copy of the next number; without a fingerprint it is not an instance."""
        self.last += 1
        if fingerprint is not None:
            self._by_fingerprint.setdefault(fingerprint, []).append(Copy(self.last, is_former))

    def like(self, fingerprint: bytes | None) -> list[Copy]:
        """Return copies that may have the same bytes as an instance with this fingerprint, `MOST_COMPARED` at most."""
        return self._by_fingerprint.get(fingerprint, [])[:MOST_COMPARED] if fingerprint else []


class Remembered:
    """The copies of the names that had any lately.

    Args:
        most: How many copies of a name are looked for.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._by_path: OrderedDict[str, Copies] = OrderedDict()
        self._place = 0
        self._lock = Lock()

    def of(self, path: str, folder: int, name: str, place: int) -> Copies:
        """Return the copies of a name.

        Args:
            path: Its path in the store.
            folder: The descriptor of the folder that it is in.
            name: The name itself. One thread at a time may ask for it.
            place: `Folders.place`: where it is another than before, nothing of what is remembered holds.

        Raises:
            OSError: The folder cannot be looked into.
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
    """Return the fingerprint of a file; None if it is not one with an instance."""
    try:
        file = os.open(name, EXISTING, dir_fd=folder)
    except OSError:
        return None
    try:
        return fingerprint(file) if stat.S_ISREG(os.fstat(file).st_mode) else None
    finally:
        close(file)
