"""Instances that a `FileStore` has kept, on their way into the index, before they are acknowledged."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable
from functools import cache, partial
from typing import Protocol

from dimse import uids
from dimse.archive.index.attributes import read_tags
from dimse.archive.index.header import PIXEL_DATA, SHAPE, Unread
from dimse.archive.index.normal import whole_number
from dimse.archive.index.reading import (
    INSTANCE_NUMBER,
    SERIES_INSTANCE_UID,
    STUDY_INSTANCE_UID,
    Unindexable,
    frames_in_file,
    row_of_file,
)
from dimse.archive.index.row import Added, Frames, Row
from dimse.archive.stored import NotAcknowledged, Stored
from dimse.data_set.encoding import UNDEFINED_LENGTH
from dimse.errors import DatabaseError
from dimse.logs.notices import notice
from dimse.message.status import DUPLICATE_SOP_INSTANCE
from dimse.support.text import one_line
from dimse.tags import vr

LOGGER = logging.getLogger("dimse.archive")

REQUIRED_TAGS = (STUDY_INSTANCE_UID, SERIES_INSTANCE_UID)
"""The tags of elements without which no search would find an instance."""

_NUMBER_OF_FRAMES, _ROWS, _COLUMNS, _BITS_ALLOCATED = SHAPE


@cache
def arriving_tags() -> frozenset[int]:
    """Return the tags that the index needs of a store: `FileStore(folder, tags=arriving_tags())`.

    Sequences are not among them. They are read from the file of the first instance of a series.
    """
    return frozenset(tag for tag in read_tags() if vr(tag) != "SQ") | {*SHAPE, PIXEL_DATA}


@cache
def _fingerprint_tags() -> tuple[int, ...]:
    own = {0x00080016, 0x00080018, INSTANCE_NUMBER, PIXEL_DATA, *SHAPE}
    return tuple(sorted(arriving_tags() - own))


class Committing(Protocol):
    """An index, as far as instances are added to it."""

    def queue(self, row: Row) -> Callable[[], Added]:
        """Queue a row, and return a callable that returns once a search finds it."""


class Arrivals:
    """The `stored` callable of a store whose instances go into an index.

    Args:
        index: The index.
        added: Called with each instance and what became of it.
    """

    def __init__(self, index: Committing, added: Callable[[Stored, Added], None] | None = None) -> None:
        self._index, self._added = index, added

    def __call__(self, stored: Stored) -> Callable[[], None]:
        """Queue an instance for the index, and return a callable that returns once a search finds it.

        Both raise:
            NotAcknowledged: It is not in the index, or it is rejected because another data set is served.
        """
        try:
            settle = self._index.queue(row_of(stored))
        except (DatabaseError, Unindexable, OSError) as error:
            raise _not_acknowledged(error) from error
        return partial(self._finish, stored, settle)

    def _finish(self, stored: Stored, settle: Callable[[], Added]) -> None:
        try:
            added = settle()
        except (DatabaseError, Unindexable, OSError) as error:
            raise _not_acknowledged(error) from error
        if added.what != "stored":
            self._tell(stored, added)
        if added.differs:
            self._tell_differences(stored, added)
        if self._added is not None:
            self._added(stored, added)
        if added.what == "rejected":
            raise NotAcknowledged("it is stored with another data set", status=DUPLICATE_SOP_INSTANCE)

    def _tell(self, stored: Stored, added: Added) -> None:
        if added.what != "same":
            uid = one_line(stored.sop_instance_uid, 64)
            words = {"duplicate": "kept beside the one that is served", "replaced": "served from now on"}
            said = words.get(added.what, "rejected")
            notice(f"{added.what} in the index", stored.peer_address[0], "%s came with another data set, %s", uid, said)

    def _tell_differences(self, stored: Stored, added: Added) -> None:
        study = one_line(stored.study_instance_uid, 64)
        if "PatientID" in added.differs:
            words = "%s of the study %s names another patient: the study stays with its first"
            notice(f"another patient {study}", "", words, one_line(stored.sop_instance_uid, 64), study)
        else:
            words = "%s differs in %s from what is in force for its study %s"
            notice(
                f"differs {study}", "", words, one_line(stored.sop_instance_uid, 64), ", ".join(added.differs), study
            )


def _not_acknowledged(error: Exception) -> NotAcknowledged:
    """Return the error for an instance that cannot be added to the index.

    Raises:
        OSError: `error` is one without the words of the system.
    """
    if not isinstance(error, OSError):
        return NotAcknowledged(str(error))
    # The comment goes to the peer, so it has the words of the system only.
    if error.strerror is None:
        raise error
    return NotAcknowledged(f"its file cannot be read: {error.strerror}")


def row_of(stored: Stored) -> Row:
    """Return the row of an instance that a store with the tags `arriving_tags` has kept.

    Raises:
        OSError: Its file cannot be read.
        Unindexable: It has no place in the index.
    """
    elements = stored.elements
    study, series = elements.get(STUDY_INSTANCE_UID, ""), elements.get(SERIES_INSTANCE_UID, "")
    if not is_plain(stored.sop_instance_uid + study + series):
        # What is decoded here must be what is decoded of the file later.
        folder = stored.path.removesuffix(stored.relative_path)
        return row_of_file(folder, stored.relative_path, digest=bool(stored.digest))
    if not study or not series:
        raise Unindexable("it has no Study or Series Instance UID")
    get = elements.get
    values = "\0".join([get(tag, "") for tag in _fingerprint_tags()])
    return Row(
        stored.sop_instance_uid,
        stored.sop_class_uid,
        stored.transfer_syntax_uid,
        study,
        series,
        Unread(stored.path),
        whole_number(get(INSTANCE_NUMBER, "")),
        stored.relative_path,
        stored.size,
        stored.digest,
        stored.received,
        stored.calling_ae_title,
        _frames_of(stored),
        hashlib.blake2b(values.encode("latin-1"), digest_size=16).digest(),
        stored.duplicate,
    )


def is_plain(text: str) -> bool:
    """Return True if a text has ASCII letters without a control character or a backslash."""
    return text.isascii() and (text.isprintable() and "\\" not in text)


def _frames_of(stored: Stored) -> Frames | None:
    found = stored.pixel_data
    if found is None or not found[1]:
        return None
    offset, length = found
    if length == UNDEFINED_LENGTH:
        return frames_in_file(stored.path)
    is_big = stored.transfer_syntax_uid == uids.ExplicitVRBigEndian
    get = stored.elements.get

    def number(tag: int) -> int:
        return int.from_bytes(get(tag, "")[:2].encode("latin-1"), "big" if is_big else "little")

    frames = whole_number(get(_NUMBER_OF_FRAMES, "")) or 1
    return Frames(offset, length, max(1, frames), number(_ROWS), number(_COLUMNS), number(_BITS_ALLOCATED))
