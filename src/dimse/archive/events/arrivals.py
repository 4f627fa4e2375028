"""Arrivals: the studies whose instances are arriving in a store, over any association of any process.

A `FileStore` writes each instance that arrives to a file in its `.incoming`, from its command on until it has been answered. So the
folder says what is arriving in all processes that share it, and to receive an instance costs nothing more. Its study is known as
soon as its Study Instance UID has been written.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import suppress

from dimse import uids
from dimse.archive.folders import INCOMING, PART
from dimse.archive.names import safe_component
from dimse.data_set.walk import peek
from dimse.media import part10

_STUDY_INSTANCE_UID = 0x0020000D
_FAR = 4 * 1024 * 1024  # bytes of a data set, at most, in which its Study Instance UID is looked for
_SMALL = 64 * 1024  # bytes of a file that is looked at whenever it has grown
_FORGOTTEN = 3600.0  # seconds without a byte, after which a file is one that could not be removed
_EXISTING = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_DIGITS_AND_DOTS = frozenset("0123456789.")


def key_of(study_instance_uid: str) -> str:
    """Return the name by which a study is known, which is that of a file: no two studies share one.

    A UID keeps its name. The name of anything else begins with `x-`, even if it looks like such a name already.
    """
    if _DIGITS_AND_DOTS.issuperset(study_instance_uid):
        return safe_component(study_instance_uid)
    return safe_component("\0" + study_instance_uid)


class Arrivals:
    """The instances that are arriving in the folder of a store. Safe in any number of threads.

    Args:
        folder: The store's.
    """

    def __init__(self, folder: str) -> None:
        self._incoming = os.path.join(folder, INCOMING)
        # Of each file the size that was looked at, and the study that was found: it does not change.
        self._seen: dict[str, tuple[int, str | None]] = {}

    def studies(self) -> set[str | None]:
        """Return the keys of the studies that are arriving; None stands for instances whose study is not known yet."""
        self._seen = dict(self._look())
        return {key for _, key in self._seen.values()}

    def _look(self) -> Iterator[tuple[str, tuple[int, str | None]]]:
        """Give each file that is arriving, with what is known of it."""
        seen = self._seen
        names: list[str] = []
        with suppress(OSError):  # there is no such folder: nothing has arrived yet
            names = os.listdir(self._incoming)
        for name in names:
            if name.endswith(PART):
                with suppress(FileNotFoundError):  # it has been answered meanwhile
                    path = os.path.join(self._incoming, name)
                    status = os.stat(path, follow_symlinks=False)
                    if time.time() - status.st_mtime < _FORGOTTEN:
                        size, key = seen.get(name, (-1, None))
                        if key is None and _is_worth_a_look(size, status.st_size):
                            size, key = status.st_size, _key_within(path)
                        yield name, (size, key)


def _is_worth_a_look(before: int, size: int) -> bool:
    """Return whether a file whose study was not found before may have it now.

    A large one has to grow by a quarter first: to step over small elements without end is not to take all the time there is.
    """
    return size > before and (size <= _SMALL or (before < _FAR and 4 * size >= 5 * before))


def _key_within(path: str) -> str | None:
    """Return the key of the study of the instance that is arriving in a file; None if it is not known yet.

    Raises:
        FileNotFoundError: There is no such file any more.
    """
    try:
        file = os.open(path, _EXISTING)
    except FileNotFoundError:
        raise
    except OSError:
        return None
    try:
        meta = part10.parse(os.pread(file, part10.MAXIMUM_SIZE, 0))
        if meta is None:
            return None
        start = meta.data_set_offset
        end = min(os.fstat(file).st_size - start, _FAR)
        syntax = uids.transfer_syntax(meta.transfer_syntax_uid or "")
        found = peek(lambda offset, size: os.pread(file, size, start + offset), end, syntax, {_STUDY_INSTANCE_UID})
    except (OSError, part10.NotPart10):
        return None
    finally:
        os.close(file)
    said = found.get(_STUDY_INSTANCE_UID)
    return key_of(said) if said else None
