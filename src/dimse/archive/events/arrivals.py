"""Arrivals: the studies whose instances are arriving in a store, over any association of any process.

A `FileStore` writes each arriving instance to a file in `.incoming`, from its command until its answer. So the folder shows what
all processes that share it are receiving, and reception costs nothing more. The study of an instance is known as soon as its Study
Instance UID has been written.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import suppress

from dimse import uids
from dimse.archive.fingerprint import EXISTING
from dimse.archive.folders import INCOMING, PART
from dimse.archive.names import safe_component
from dimse.archive.stored import STUDY_INSTANCE_UID
from dimse.data_set.walk import peek
from dimse.media import part10

# The most bytes of a data set in which its Study Instance UID is searched for.
_MOST_SEARCHED = 4 * 1024 * 1024
# A file of so many bytes is examined whenever it has grown.
_SMALL = 64 * 1024
# After so many seconds without a byte, a file counts as one that could not be removed.
_FORGOTTEN = 3600.0
_DIGITS_AND_DOTS = frozenset("0123456789.")


def key_of(study_instance_uid: str) -> str:
    """Return the key of a study, which is also the name of its file: no two studies share one.

    A UID keeps its name. For any other text the name begins with `x-`, even if the text looks like such a name already.
    """
    if _DIGITS_AND_DOTS.issuperset(study_instance_uid):
        return safe_component(study_instance_uid)
    return safe_component("\0" + study_instance_uid)


class Arrivals:
    """The instances that are arriving in the folder of a store. Any number of threads may use it.

    Args:
        folder: The folder of the store.
    """

    def __init__(self, folder: str) -> None:
        self._incoming = os.path.join(folder, INCOMING)
        # For each file, the size at which it was examined, and the study that was found, which does not change.
        self._seen: dict[str, tuple[int, str | None]] = {}

    def studies(self) -> set[str | None]:
        """Return the keys of the arriving studies; None stands for instances whose study is not yet known."""
        self._seen = dict(self._look())
        return {key for _, key in self._seen.values()}

    def _look(self) -> Iterator[tuple[str, tuple[int, str | None]]]:
        """Yield each arriving file, with its examined size and its study."""
        seen = self._seen
        names: list[str] = []
        # Without the folder, nothing has arrived yet.
        with suppress(OSError):
            names = os.listdir(self._incoming)
        for name in names:
            if name.endswith(PART):
                # The file may have been published and removed meanwhile.
                with suppress(FileNotFoundError):
                    path = os.path.join(self._incoming, name)
                    status = os.stat(path, follow_symlinks=False)
                    if time.time() - status.st_mtime < _FORGOTTEN:
                        size, key = seen.get(name, (-1, None))
                        if key is None and _may_have_study(size, status.st_size):
                            size, key = status.st_size, _key_within(path)
                        yield name, (size, key)


def _may_have_study(before: int, size: int) -> bool:
    """Return True if a file whose study is not known may have it now.

    A large file has to grow by a quarter first, because walking over endless small elements must not take all the time.
    """
    return size > before and (size <= _SMALL or (before < _MOST_SEARCHED and 4 * size >= 5 * before))


def _key_within(path: str) -> str | None:
    """Return the key of the study of the instance in a file; None if it is not yet known.

    Raises:
        FileNotFoundError: The file has been removed.
    """
    try:
        file = os.open(path, EXISTING)
    except FileNotFoundError:
        raise
    except OSError:
        return None
    try:
        meta = part10.parse(os.pread(file, part10.MAXIMUM_SIZE, 0))
        if meta is None:
            return None
        start = meta.data_set_offset
        end = min(os.fstat(file).st_size - start, _MOST_SEARCHED)
        syntax = uids.transfer_syntax(meta.transfer_syntax_uid or "")
        found = peek(lambda offset, size: os.pread(file, size, start + offset), end, syntax, {STUDY_INSTANCE_UID})
    except (OSError, part10.NotPart10):
        return None
    finally:
        os.close(file)
    said = found.get(STUDY_INSTANCE_UID)
    return key_of(said) if said else None
