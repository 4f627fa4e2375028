"""The import of files into an archive: each gets its place in the folder, and its row, as an instance that arrives does.

An import that was broken off, by a power cut too, is begun again. It finds what is there by its SOP Instance UID, and leaves that
alone.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from threading import local
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from sqlalchemy import bindparam, select

from dimse.archive.file_store import Durability, FileStore
from dimse.archive.filing import digest_of, filled, instance_of
from dimse.archive.index.arriving import REQUIRED_TAGS, arriving_tags
from dimse.archive.index.row import Added, default_path
from dimse.archive.index.schema import INSTANCE, SERIES, STUDY
from dimse.archive.layout import OF_AN_ARCHIVE, Layout
from dimse.archive.stored import Stored
from dimse.errors import FileError
from dimse.instances import InstanceFile, IsDicomdir, NotDicom
from dimse.message.status import OUT_OF_RESOURCES, Status
from dimse.support.closing import Closing
from dimse.support.values import value

if TYPE_CHECKING:
    from dimse.archive.index import Index

MOST_FAILED = 8
"""Files in a row that the archive could not take, after which an import is given up."""
JOBS = 4
"""Files that are imported at one time: while one waits for the disk, others are read."""

MISLABELLED = "its encoding contradicts itself: storescu sends it as it should be"
"""The reason for not importing a file whose data set has to be encoded anew."""

_AT_A_TIME = 32

Fate: TypeAlias = Literal["imported", "there", "duplicate", "replaced", "rejected", "not DICOM", "damaged", "failed"]


@value
class Imported:
    """The outcome of the import of a file.

    Attributes:
        path: The path of the file.
        fate: "imported": it is served. "there": it was there already. "duplicate": another data set with its SOP Instance UID is
            served, and it is kept beside it. "replaced": it is served instead of another one. "rejected": another one is served.
            "not DICOM": it is no DICOM file, or a DICOMDIR. "damaged": it cannot be read, or has no place in an archive. "failed":
            the archive could not take it.
        sop_instance_uid: Its SOP Instance UID; empty if it is not known.
        size: The bytes of its data set.
        is_linked: True if no bytes were copied.
        why: The reason why it is not served.
    """

    path: str
    fate: Fate
    sop_instance_uid: str = ""
    size: int = 0
    is_linked: bool = False
    why: str = ""


class Importer(Closing):
    """An import into an archive, which no other process serves meanwhile.

    Args:
        index: The index of the archive.
        links: Make hard links in place of copies where the file system has them. A program that changes the file where it was
            then changes the archive.
        layout: The paths of the files in the archive.
        durability: As of `FileStore`.
        jobs: The number of files at one time.

    Attributes:
        is_given_up: True after the archive could not take several files in a row.

    Raises:
        OSError: The folder of the archive cannot be written to, or another process uses it.
    """

    def __init__(
        self,
        index: Index,
        *,
        links: bool = False,
        layout: str | Layout = OF_AN_ARCHIVE,
        durability: Durability = "full",
        jobs: int = JOBS,
    ) -> None:
        self._index, self._links, self._jobs = index, links, jobs
        self.is_given_up = self._stops = False
        # Threads may miss some of each other's failures, which are more than enough then.
        self._failed = 0
        # What became of the instance that a thread stores.
        self._told = local()
        self._store = FileStore(
            index.folder,
            layout=layout,
            durability=durability,
            stored=index.arrivals(self._note),
            tags=arriving_tags(),
            required=REQUIRED_TAGS,
            digest=True,
            on_duplicate="keep-both",
        )

    def close(self) -> None:
        """Close the folder of the archive. This is idempotent."""
        self._store.close()

    def take(self, paths: Iterable[str]) -> Iterator[Imported]:
        """Import files, and yield what became of each. Breaking off the iteration waits for the files under way.

        It ends early if the archive cannot take several files in a row.

        Raises:
            DatabaseError: The index cannot be read.
        """
        self._stops, self._failed = False, 0
        rest = iter(paths)
        under_way: deque[Future[list[Imported]]] = deque()
        pool = ThreadPoolExecutor(self._jobs, thread_name_prefix="dimse-import")
        try:
            while True:
                while not self._stops and len(under_way) < 2 * self._jobs and (some := list(islice(rest, _AT_A_TIME))):
                    under_way.append(pool.submit(self._take, some))
                if not under_way:
                    return
                yield from under_way.popleft().result()
        finally:
            self._stops = True
            pool.shutdown(cancel_futures=True)

    def _take(self, paths: Sequence[str]) -> list[Imported]:
        """Import some files."""
        found: list[Imported] = []
        files: list[InstanceFile] = []
        for path in paths:
            try:
                files.append(InstanceFile.check(path))
            except (NotDicom, IsDicomdir) as error:
                found.append(Imported(path, "not DICOM", why=error.reason))
            except FileError as error:
                found.append(Imported(path, "damaged", why=error.reason))
        known = self._known([file.sop_instance_uid for file in files])
        for file in files:
            if self._stops:
                break
            try:
                imported = self._import(file, known.get(file.sop_instance_uid))
                self._failed = self._failed + 1 if imported.fate == "failed" else 0
                if self._failed >= MOST_FAILED:
                    self.is_given_up = self._stops = True
                found.append(imported)
            except FileError as error:
                found.append(Imported(file.path, "damaged", file.sop_instance_uid, why=error.reason))
        return found

    def _known(self, uids: Sequence[str]) -> dict[str, Any]:
        """Return the rows of instances that are served from the folder, by SOP Instance UID."""
        with self._index.database.reading() as connection:
            rows = connection.execute(_SERVED, {"store": self._index.store.pk, "uids": list(uids)}).all()
        return {row.sop_uid: row for row in rows}

    def _import(self, file: InstanceFile, row: Any) -> Imported:
        uid, size = file.sop_instance_uid, file.data_set_size
        if row is not None and self._is_there(file, row):
            return Imported(file.path, "there", uid, size)
        if why := _unfit(file):
            return Imported(file.path, "damaged", uid, size, why=why)
        instance = instance_of(file)
        sink, is_linked = filled(self._store, instance, file, links=self._links)
        try:
            instance.sink = sink
            self._told.added = None
            status = self._store.store(instance)
            return self._outcome(file, status, is_linked)
        finally:
            sink.discard()

    def _is_there(self, file: InstanceFile, row: Any) -> bool:
        """Return True if an instance that is served has the bytes of a file, and its own file is there."""
        if row.size != file.data_set_size:
            return False
        path = default_path(row.study_uid, row.series_uid, row.sop_uid) if row.path is None else row.path
        try:
            stored = os.stat(os.path.join(self._index.folder, path))
        except FileNotFoundError:
            return False
        if (stored.st_dev, stored.st_ino) == file.identity:
            return True
        return stored.st_size >= row.size and row.digest is not None and bytes(row.digest) == digest_of(file)

    def _note(self, stored: Stored, added: Added) -> None:
        self._told.added = stored, added

    def _outcome(self, file: InstanceFile, status: Status, is_linked: bool) -> Imported:
        why = status.comment
        fate: Fate = "failed" if int(status) == OUT_OF_RESOURCES else "damaged"
        if (told := self._told.added) is not None:
            stored, added = told
            if added.what == "stored":
                # Its file may have been there without a row, if an import before was killed.
                fate = "imported"
            else:
                is_old = added.what == "same" or (stored.duplicate and added.what == "duplicate")
                fate = "there" if is_old else added.what
        if fate == "duplicate":
            why = "another data set with its SOP Instance UID is served"
        is_new = fate != "there"
        return Imported(file.path, fate, file.sop_instance_uid, file.data_set_size, is_linked and is_new, why)


def _unfit(file: InstanceFile) -> str:
    """Return why a file has no place in an archive; empty if it has one."""
    if not file.study_instance_uid or not file.series_instance_uid:
        which = "Study Instance UID (0020,000D)" if not file.study_instance_uid else "Series Instance UID (0020,000E)"
        return f"no {which} in its data set"
    return MISLABELLED if file.mislabelled else ""


_SERVED = (
    select(
        INSTANCE.c.sop_uid, INSTANCE.c.path, INSTANCE.c.size, INSTANCE.c.digest, SERIES.c.series_uid, STUDY.c.study_uid
    )
    .join(SERIES, SERIES.c.pk == INSTANCE.c.series_pk)
    .join(STUDY, STUDY.c.pk == SERIES.c.study_pk)
    .where(INSTANCE.c.store == bindparam("store"), INSTANCE.c.sop_uid.in_(bindparam("uids", expanding=True)))
)
