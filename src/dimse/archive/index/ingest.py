"""The transaction that adds rows: patients, studies, series and instances with their counts, duplicates, and the change feed.

The order of effects is the same in every transaction, so that two of them never wait for each other in a circle. First come the
studies by UID, then the instances by UID, then the changes, and the counts at the end. SQLite has one writer at a time anyway.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Literal, Protocol

from sqlalchemy import bindparam, case, select, update

from dimse.archive.index.changes import record_change
from dimse.archive.index.database import Database, Stale, Writer
from dimse.archive.index.deleting import keep_deleted
from dimse.archive.index.frames import pack
from dimse.archive.index.hierarchy import MOST_PLACES, Hierarchy, Place
from dimse.archive.index.inserting import insert
from dimse.archive.index.removing import remove_empty
from dimse.archive.index.row import Added, Row, What, default_path
from dimse.archive.index.schema import DUPLICATE, INSTANCE, PIXELS, SERIES, STUDY, UID_NAME
from dimse.errors import DatabaseError
from dimse.support.text import one_line
from dimse.support.values import record

OnDuplicate = Literal["keep-both", "reject", "replace"]


def _bound(*names: str) -> dict[str, Any]:
    return {name: bindparam(name) for name in names}


_COLUMNS = ("series_pk", "sop_class", "ts", "number", "store", "path", "size", "digest", "received", "calling_ae")
_INSERT_INSTANCE = (
    insert(INSTANCE)
    .values(_bound("sop_uid", *_COLUMNS))
    .on_conflict_do_nothing(index_elements=["sop_uid"])
    .returning(INSTANCE.c.pk)
)
_FIND_INSTANCE = (
    select(
        *(
            INSTANCE.c[name]
            for name in ("pk", "series_pk", "store", "path", "size", "digest", "received", "calling_ae")
        ),
        SERIES.c.study_pk,
        SERIES.c.series_uid,
        STUDY.c.study_uid,
    )
    .join(SERIES, SERIES.c.pk == INSTANCE.c.series_pk)
    .join(STUDY, STUDY.c.pk == SERIES.c.study_pk)
    .where(INSTANCE.c.sop_uid == bindparam("sop_uid"))
)
_REPLACE_INSTANCE = update(INSTANCE).where(INSTANCE.c.pk == bindparam("pk_")).values(_bound(*_COLUMNS) | {"missing": 0})
_INSERT_PIXELS = insert(PIXELS).values(
    _bound("instance_pk", "offset", "length", "frames", "rows", "columns", "bits", "table")
)
_DELETE_PIXELS = PIXELS.delete().where(PIXELS.c.instance_pk == bindparam("pk_"))
_INSERT_DUPLICATE = (
    insert(DUPLICATE)
    .values(_bound("sop_uid", "store", "path", "digest", "received", "calling_ae", "why"))
    .on_conflict_do_nothing(index_elements=["store", "path"])
    .returning(DUPLICATE.c.pk)
)
_DELETE_DUPLICATE = DUPLICATE.delete().where(
    DUPLICATE.c.store == bindparam("store_"), DUPLICATE.c.path == bindparam("path_")
)
_INSERT_UID = (
    insert(UID_NAME).values(_bound("uid")).on_conflict_do_nothing(index_elements=["uid"]).returning(UID_NAME.c.pk)
)
_FIND_UID = select(UID_NAME.c.pk).where(UID_NAME.c.uid == bindparam("uid"))
_COUNTED = {
    "n_instances": STUDY.c.n_instances + bindparam("instances"),
    "n_series": STUDY.c.n_series + bindparam("series"),
    "size": STUDY.c.size + bindparam("bytes"),
    "differing": STUDY.c.differing + bindparam("differ"),
}
_TIMED = {
    "first_received": case(
        (STUDY.c.first_received > bindparam("first"), bindparam("first")), else_=STUDY.c.first_received
    ),
    "last_received": case((STUDY.c.last_received < bindparam("last"), bindparam("last")), else_=STUDY.c.last_received),
}
_THIS_STUDY = (STUDY.c.pk == bindparam("pk_"), STUDY.c.study_uid == bindparam("uid_"))
_COUNT_STUDY = update(STUDY).where(*_THIS_STUDY).values(_COUNTED)
_COUNT_AND_TIME_STUDY = update(STUDY).where(*_THIS_STUDY).values(_COUNTED | _TIMED)
_COUNT_SERIES = (
    update(SERIES)
    .where(SERIES.c.pk == bindparam("pk_"), SERIES.c.series_uid == bindparam("uid_"))
    .values(n_instances=SERIES.c.n_instances + bindparam("instances"))
)
# Seconds by which `last_received` of a study may lag behind: its index is another page to be written in each transaction.
_LAG = 1.0
# Beyond every time.
LATEST = 1e15


class Files(Protocol):
    """The files of a store, by their paths relative to its folder."""

    def exists(self, path: str) -> bool:
        """Return True if there is a file at a path."""

    def are_same(self, one: str, other: str) -> bool:
        """Return True if two files hold the same data set in the same transfer syntax."""

    def is_younger(self, one: str, other: str) -> bool:
        """Return True if a file was written after another one."""

    def make_younger(self, one: str, other: str) -> None:
        """Let a file have been written after another one, also after a power cut."""


class Ingest:
    """The ingest of rows into an index. It remembers the places of series, as far as they were committed.

    Attributes:
        by_time: True to treat duplicates by the time when they were received, and not by the order in which they come. A rebuilding
            needs that. Otherwise a clock that was set back could take the place of an instance that is served.

    Args:
        store: The key of the store that holds the files.
        files: The files of the store.
        on_duplicate: What becomes of another data set with the SOP Instance UID of one that is served.
        latest: True to let the values of later instances replace those in force for their patient, study and series.
    """

    def __init__(
        self,
        store: int,
        files: Files,
        on_duplicate: OnDuplicate = "keep-both",
        *,
        latest: bool = False,
    ) -> None:
        self.store, self.files, self.on_duplicate = store, files, on_duplicate
        self._hierarchy = Hierarchy(latest=latest)
        self._uids: dict[str, int] = {}
        self._timed: dict[int, float] = {}
        self.by_time = False

    def forget(self) -> None:
        """Forget what was remembered, after a transaction that was not committed, or that removed something."""
        self._hierarchy.forget()
        self._uids.clear()
        self._timed.clear()

    def add_all(self, database: Database, rows: Sequence[Row], *, found: bool = False) -> list[Added]:
        """Add rows in a transaction of a database, and return what became of each, in their order.

        Args:
            database: The database.
            rows: The rows.
            found: True for files that a recovery has found, at any time after they were written.

        Raises:
            DatabaseError: Nothing has been added.
            OSError: A file cannot be made younger than the one that it replaces. Nothing has been added.
        """
        # What was remembered in a transaction that failed is not in the database.
        return database.write(lambda writer: self.add(writer, rows, found=found), self.forget)

    def add(self, writer: Writer, rows: Sequence[Row], *, found: bool = False) -> list[Added]:
        """Add rows in the transaction of `writer`, and return what became of each, in their order.

        Raises:
            OSError: A file cannot be made younger than the one that it replaces.
            Stale: Something that was remembered is gone; the transaction must be run again.
        """
        keep_deleted(writer, self.store, [row.path for row in rows])
        for row in rows:
            # A deletion may have removed the file since its store found it.
            if row.was_there and not self.files.exists(row.path):
                raise DatabaseError(f"the file of {one_line(row.sop_instance_uid, 64)} is gone", is_of_database=False)
        batch = _Batch(self, writer, found=found)
        places = self._hierarchy.resolve(writer, rows)
        what: dict[int, What] = {}
        for index in sorted(range(len(rows)), key=lambda index: rows[index].sop_instance_uid):
            place, differs = places[index]
            what[index] = batch.add(rows[index], place, bool(differs))
        batch.finish()
        return [Added(what[index], row.sop_instance_uid, row.path, places[index][1]) for index, row in enumerate(rows)]

    def is_to_be_timed(self, study: int, first: float, last: float) -> bool:
        """Return True if the times of a study are to be written, which its instances were received at."""
        timed = self._timed.get(study)
        if timed is not None and timed <= first and last < timed + _LAG:
            return False
        if len(self._timed) > MOST_PLACES:
            self._timed.clear()
        self._timed[study] = last
        return True

    def uid(self, writer: Writer, uid: str) -> int:
        """Return the key of a SOP class or transfer syntax."""
        pk = self._uids.get(uid)
        if pk is None:
            found = writer.one(_INSERT_UID, {"uid": uid}) or writer.one(_FIND_UID, {"uid": uid})
            assert found is not None
            pk = self._uids[uid] = int(found[0])
        return pk


@record
class _Tally:
    """The numbers that a transaction adds to the counts of a study or of a series."""

    uid: str
    instances: int = 0
    series: int = 0
    size: int = 0
    differing: int = 0
    first: float = math.inf
    last: float = 0.0


@record
class _Served:
    """The instance that has a SOP Instance UID."""

    pk: int
    series_pk: int
    store: int
    path: str | None
    size: int
    digest: bytes | None
    received: float
    calling_ae: str
    study_pk: int
    series_uid: str
    study_uid: str

    def path_of(self, sop_uid: str) -> str:
        """Return the path of its file, relative to its store."""
        return default_path(self.study_uid, self.series_uid, sop_uid) if self.path is None else self.path


class _Batch:
    """The rows of one transaction, and what they add to the counts."""

    def __init__(self, ingest: Ingest, writer: Writer, *, found: bool) -> None:
        self._ingest, self._writer, self._is_found = ingest, writer, found
        self._studies: dict[int, _Tally] = {}
        self._series: dict[int, _Tally] = {}
        self._changes: list[tuple[str, str, str, str]] = []
        self._new: list[Place] = []

    def add(self, row: Row, place: Place, differs: bool) -> What:
        """Add one row."""
        if place.is_new:
            self._new.append(place)
            place.is_new = False
        made = self._writer.one(_INSERT_INSTANCE, self._columns(row, place) | {"sop_uid": row.sop_instance_uid})
        if made is None:
            return self._meet(row, place)
        self._insert_pixels(int(made[0]), row)
        self._count(place, row, differs)
        self._record("stored", row)
        return "stored"

    def _columns(self, row: Row, place: Place) -> dict[str, Any]:
        usual = default_path(row.study_instance_uid, row.series_instance_uid, row.sop_instance_uid)
        return {
            "series_pk": place.series_pk,
            "sop_class": self._ingest.uid(self._writer, row.sop_class_uid),
            "ts": self._ingest.uid(self._writer, row.transfer_syntax_uid),
            "number": row.number,
            "store": self._ingest.store,
            "path": None if row.path == usual else row.path,
            "size": row.size,
            "digest": row.digest or None,
            "received": row.received,
            "calling_ae": row.calling_ae_title,
        }

    def _insert_pixels(self, pk: int, row: Row) -> None:
        if (pixels := row.pixels) is not None:
            values = {name: getattr(pixels, name) for name in ("offset", "length", "frames", "rows", "columns", "bits")}
            self._writer.run(_INSERT_PIXELS, values | {"instance_pk": pk, "table": pack(pixels.table)})

    def _count(self, place: Place, row: Row, differs: bool) -> None:
        study = self._tally(self._studies, place.study_pk, place.study_uid)
        study.instances += 1
        study.size += row.size
        study.differing += differs
        study.first, study.last = min(study.first, row.received), max(study.last, row.received)
        self._tally(self._series, place.series_pk, place.series_uid).instances += 1

    @staticmethod
    def _tally(tallies: dict[int, _Tally], pk: int, uid: str) -> _Tally:
        found = tallies.get(pk)
        if found is None:
            found = tallies[pk] = _Tally(uid)
        return found

    # --- a SOP Instance UID that is served already ---

    def _meet(self, row: Row, place: Place) -> What:
        found = self._writer.one(_FIND_INSTANCE, {"sop_uid": row.sop_instance_uid})
        if found is None:
            raise Stale
        served = _Served(*found)
        is_its_file = served.store == self._ingest.store and served.path_of(row.sop_instance_uid) == row.path
        if self._is_same(row, served, is_its_file):
            if not is_its_file:
                self._keep_beside(row.sop_instance_uid, self._columns(row, place), row.path, "same data set")
            return "same"
        policy = self._ingest.on_duplicate
        if is_its_file or self._is_earlier(row, served) is not (policy == "replace"):
            self._replace(row, place, served, is_its_file)
            self._record("replaced", row)
            return "replaced"
        what: What = "duplicate" if policy == "keep-both" else "rejected"
        why = "other data set" if what == "duplicate" else what
        if self._keep_beside(row.sop_instance_uid, self._columns(row, place), row.path, why):
            self._record("duplicate", row)
        return what

    def _is_earlier(self, row: Row, served: _Served) -> bool:
        """Return True if the file of a row was written before the one that is served, although its row comes later."""
        if self._ingest.by_time:
            return row.received < served.received
        if served.store != self._ingest.store:
            return False
        path = served.path_of(row.sop_instance_uid)
        if self._is_found:
            return self._ingest.files.is_younger(path, row.path)
        # A recovery and a rebuilding know by the times alone which of the files came last.
        self._ingest.files.make_younger(row.path, path)
        return False

    def _record(self, what: str, row: Row) -> None:
        self._changes.append((what, row.study_instance_uid, row.series_instance_uid, row.sop_instance_uid))

    def _is_same(self, row: Row, served: _Served, is_its_file: bool) -> bool:
        if row.digest and served.digest:
            return row.digest == bytes(served.digest)
        if is_its_file or served.store != self._ingest.store:
            # Without digests, the files of other hosts cannot be compared.
            return is_its_file and row.size == served.size
        return row.size == served.size and self._ingest.files.are_same(row.path, served.path_of(row.sop_instance_uid))

    def _keep_beside(self, sop_uid: str, columns: dict[str, Any], path: str, why: str) -> bool:
        """Record a file that is kept beside the one that is served; return False if it was recorded before."""
        values = {name: columns[name] for name in ("store", "digest", "received", "calling_ae")}
        return self._writer.one(_INSERT_DUPLICATE, values | {"sop_uid": sop_uid, "path": path, "why": why}) is not None

    def _replace(self, row: Row, place: Place, served: _Served, is_its_file: bool) -> None:
        """Serve the file of a row instead of another one, which is kept beside it unless it is the same file with other bytes."""
        sop_uid = row.sop_instance_uid
        self._writer.run(_DELETE_DUPLICATE, {"store_": self._ingest.store, "path_": row.path})
        if not is_its_file:
            old = {name: getattr(served, name) for name in ("store", "digest", "received", "calling_ae")}
            self._keep_beside(sop_uid, old, served.path_of(sop_uid), "replaced")
        self._writer.run(_REPLACE_INSTANCE, self._columns(row, place) | {"pk_": served.pk})
        self._writer.run(_DELETE_PIXELS, {"pk_": served.pk})
        self._insert_pixels(served.pk, row)
        study = self._tally(self._studies, served.study_pk, served.study_uid)
        study.instances -= 1
        study.size -= served.size
        self._tally(self._series, served.series_pk, served.series_uid).instances -= 1
        self._count(place, row, False)

    # --- the end ---

    def finish(self) -> None:
        """Write the changes and the counts, and remove what has no instance.

        Raises:
            Stale: A study or series is gone.
        """
        writer = self._writer
        if self._changes:
            writer.lock_changes()
        for change in self._changes:
            record_change(writer, *change)
        for place in self._new:
            self._tally(self._studies, place.study_pk, place.study_uid).series += 1
            self._tally(self._series, place.series_pk, place.series_uid)
        for pk, tally in sorted(self._studies.items()):
            counts = {
                "instances": tally.instances,
                "series": tally.series,
                "bytes": tally.size,
                "differ": tally.differing,
            }
            parameters = counts | {"pk_": pk, "uid_": tally.uid}
            statement = _COUNT_STUDY
            if self._ingest.is_to_be_timed(pk, tally.first, tally.last):
                statement = _COUNT_AND_TIME_STUDY
                # A study whose only news is a series without instance has no new time.
                parameters |= {"first": min(tally.first, LATEST), "last": tally.last}
            if not writer.changed(statement, parameters):
                raise Stale
        emptied = []
        for pk, tally in sorted(self._series.items()):
            parameters = {"pk_": pk, "uid_": tally.uid, "instances": tally.instances}
            if not writer.changed(_COUNT_SERIES, parameters):
                raise Stale
            if tally.instances <= 0:
                emptied.append(pk)
        if emptied and remove_empty(writer, emptied):
            self._ingest.forget()
