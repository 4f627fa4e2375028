"""Deleting: first the rows, in one transaction that notes the paths; then the files.

A file is removed in a transaction of its own. If an instance arrives again meanwhile, the transaction that adds its row takes back
the note, so its file stays. A crash in between leaves notes, which the next start acts upon.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from functools import partial

from sqlalchemy import Select, bindparam, select, update

from dimse.archive.index.attributes import Level
from dimse.archive.index.changes import record_change
from dimse.archive.index.database import Database, Writer
from dimse.archive.index.inserting import insert
from dimse.archive.index.removing import remove_empty
from dimse.archive.index.row import default_path
from dimse.archive.index.schema import DELETED, DUPLICATE, INSTANCE, PATIENT, PIXELS, SERIES, STUDY
from dimse.support.values import value

_UNIQUE = {
    "PATIENT": PATIENT.c.patient_id,
    "STUDY": STUDY.c.study_uid,
    "SERIES": SERIES.c.series_uid,
    "IMAGE": INSTANCE.c.sop_uid,
}


def _instances(level: str) -> Select[tuple[object, ...]]:
    columns = (INSTANCE.c[name] for name in ("pk", "sop_uid", "store", "path", "size", "series_pk"))
    return (
        select(*columns, SERIES.c.series_uid, STUDY.c.pk.label("study_pk"), STUDY.c.study_uid)
        .join(SERIES, SERIES.c.pk == INSTANCE.c.series_pk)
        .join(STUDY, STUDY.c.pk == SERIES.c.study_pk)
        .join(PATIENT, PATIENT.c.pk == STUDY.c.patient_pk)
        .where(_UNIQUE[level] == bindparam("uid"))
        .order_by(STUDY.c.study_uid, INSTANCE.c.sop_uid)
    )


_INSTANCES = {level: _instances(level) for level in _UNIQUE}
_DUPLICATES = select(DUPLICATE.c.pk, DUPLICATE.c.store, DUPLICATE.c.path).where(DUPLICATE.c.sop_uid == bindparam("uid"))
_DELETE_DUPLICATE = DUPLICATE.delete().where(DUPLICATE.c.pk == bindparam("pk_"))
_DELETE_PIXELS = PIXELS.delete().where(PIXELS.c.instance_pk == bindparam("pk_"))
_DELETE_INSTANCE = INSTANCE.delete().where(INSTANCE.c.pk == bindparam("pk_"))
_LOCK_STUDY = select(STUDY.c.pk).where(STUDY.c.study_uid == bindparam("uid")).with_for_update()
_COUNT_SERIES = (
    update(SERIES)
    .where(SERIES.c.pk == bindparam("pk_"))
    .values(n_instances=SERIES.c.n_instances - bindparam("instances"))
)
_COUNT_STUDY = (
    update(STUDY)
    .where(STUDY.c.pk == bindparam("pk_"))
    .values(n_instances=STUDY.c.n_instances - bindparam("instances"), size=STUDY.c.size - bindparam("bytes"))
)
_NOTE = insert(DELETED).values({name: bindparam(name) for name in ("store", "path", "at")})
_ANY_NOTE = select(DELETED.c.pk).limit(1)
_TAKE_BACK = DELETED.delete().where(DELETED.c.store == bindparam("store_"), DELETED.c.path == bindparam("path_"))
_NOTES = (
    select(DELETED.c.pk, DELETED.c.path)
    .where(DELETED.c.store == bindparam("store_"), DELETED.c.pk > bindparam("after"))
    .order_by(DELETED.c.pk)
    .limit(1)
    .with_for_update()
)
_DELETE_NOTE = DELETED.delete().where(DELETED.c.pk == bindparam("pk_"))


@value
class Deleted:
    """The result of a deletion.

    Attributes:
        instances: The number of instances.
        files: The number of files, those of duplicates included.
        size: The bytes of the data sets of the instances.
        studies: The Study Instance UIDs of the studies that had them.
    """

    instances: int = 0
    files: int = 0
    size: int = 0
    studies: tuple[str, ...] = ()


def keep_deleted(writer: Writer, store: int, paths: Iterable[str]) -> None:
    """Take back the notes that these files are to be removed, because their instances arrive again."""
    if writer.one(_ANY_NOTE) is not None:
        for path in paths:
            writer.run(_TAKE_BACK, {"store_": store, "path_": path})


def delete_rows(writer: Writer, level: Level, uid: str) -> Deleted:
    """Delete the instances of an entity with their duplicates, and note the paths of their files.

    Args:
        writer: The writer, in a transaction.
        level: The level of the entity.
        uid: Its unique key; of a patient the Patient ID, whatever its issuer.
    """
    writer.lock_hierarchy()
    found = writer.all(_INSTANCES[level], {"uid": uid})
    for study_uid in sorted({one[8] for one in found}) if not writer.is_sqlite else ():
        writer.one(_LOCK_STUDY, {"uid": study_uid})
    series: dict[int, int] = {}
    studies: dict[int, list[int]] = {}
    files: set[tuple[int, str]] = set()
    for pk, sop_uid, store, path, size, series_pk, series_uid, study_pk, study_uid in found:
        writer.run(_DELETE_PIXELS, {"pk_": pk})
        writer.run(_DELETE_INSTANCE, {"pk_": pk})
        files.add((store, default_path(study_uid, series_uid, sop_uid) if path is None else path))
        files |= _delete_duplicates(writer, sop_uid)
        series[series_pk] = series.get(series_pk, 0) + 1
        tally = studies.setdefault(study_pk, [0, 0])
        tally[0] += 1
        tally[1] += size
    for store, path in sorted(files):
        writer.run(_NOTE, {"store": store, "path": path, "at": time.time()})
    for pk, count in sorted(series.items()):
        writer.run(_COUNT_SERIES, {"pk_": pk, "instances": count})
    for pk, (count, size) in sorted(studies.items()):
        writer.run(_COUNT_STUDY, {"pk_": pk, "instances": count, "bytes": size})
    remove_empty(writer, sorted(series))
    _record(writer, level, found)
    size = sum(one[4] for one in found)
    return Deleted(len(found), len(files), size, tuple(sorted({one[8] for one in found})))


def _delete_duplicates(writer: Writer, sop_uid: str) -> set[tuple[int, str]]:
    found = writer.all(_DUPLICATES, {"uid": sop_uid})
    for pk, _, _ in found:
        writer.run(_DELETE_DUPLICATE, {"pk_": pk})
    return {(store, path) for _, store, path in found}


def _record(writer: Writer, level: Level, found: Sequence[tuple[object, ...]]) -> None:
    """Record the changes: one for each study, series or instance that was deleted."""
    below = {"PATIENT": 1, "STUDY": 1, "SERIES": 2, "IMAGE": 3}[level]
    entities = {(str(one[8]), str(one[6]), str(one[1]))[:below] for one in found}
    if entities:
        writer.lock_changes()
    for entity in sorted(entities):
        record_change(writer, "deleted", *entity)


def remove_files(database: Database, store: int, folder: str) -> int:
    """Remove the files of a store whose rows were deleted, and the folders that are empty then.

    Args:
        database: The database.
        store: The key of the store.
        folder: The folder of the store.

    Returns:
        The number of files that were removed.

    Raises:
        DatabaseError: The database cannot be used.
        OSError: A file cannot be removed. The next call tries again.
    """
    removed, after = 0, 0
    while True:
        noted = database.write(partial(_remove_one, store=store, folder=folder, after=after))
        if noted is None:
            return removed
        after, path = noted
        removed += 1
        _remove_empty_folders(folder, path)


def _remove_one(writer: Writer, store: int, folder: str, after: int) -> tuple[int, str] | None:
    """Remove the next file that is noted, and return the key of the note and its path; None if no further one is noted."""
    found = writer.one(_NOTES, {"store_": store, "after": after})
    if found is None:
        return None
    pk, path = found
    with suppress(FileNotFoundError):
        os.unlink(os.path.join(folder, path))
    writer.run(_DELETE_NOTE, {"pk_": pk})
    return int(pk), str(path)


def _remove_empty_folders(folder: str, path: str) -> None:
    while path := os.path.dirname(path):
        try:
            os.rmdir(os.path.join(folder, path))
        except OSError:
            return
