"""The recovery of an index whose process has not ended in order: it reads the folders that changed since the last sync.

A process that is killed loses no row, since the system has the log of the database. A power cut may lose the rows of the last
seconds, whose files are synced. A file whose instance was not acknowledged may have no row either.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from functools import partial
from itertools import islice
from typing import Any

from sqlalchemy import bindparam, select, update

from dimse.archive.index.database import Writer
from dimse.archive.index.deleting import remove_files
from dimse.archive.index.opened import OpenIndex
from dimse.archive.index.reading import Unindexable
from dimse.archive.index.row import Row, default_path
from dimse.archive.index.scanning import groups_of, missing_rows, rows_beside, rows_of, with_digest
from dimse.archive.index.schema import INSTANCE, SERIES, STUDY
from dimse.support.text import one_line
from dimse.support.values import record

LOGGER = logging.getLogger("dimse.archive")

MARGIN = 60.0
"""Seconds before the last sync; folders that changed since are read. The clock of a file system may be that of a server."""

_AT_A_TIME = 256
_MARK = update(INSTANCE).where(INSTANCE.c.pk == bindparam("pk_")).values(missing=bindparam("missing_"))


@record
class Recovered:
    """The result of a recovery.

    Attributes:
        files: The number of files that were read.
        added: The number of instances and duplicates that the index lacked.
        removed: The number of files that were removed, because their rows had been deleted.
        missing: The number of instances whose file is not there. They are marked, and not deleted.
        skipped: The paths of files that have no place in the index, with the reason.
    """

    files: int = 0
    added: int = 0
    removed: int = 0
    missing: int = 0
    skipped: list[str] | None = None


def recover(index: OpenIndex, changed_since: float, *, digest: bool = True) -> Recovered:
    """Add the rows that an index lacks, of the folders of its store that changed since a time.

    Args:
        index: The index.
        changed_since: In seconds since 1970-01-01 UTC; 0 for all folders.
        digest: Make the digest of the files that are added.

    Raises:
        DatabaseError: The database cannot be used.
        OSError: The store cannot be read.
    """
    done = Recovered(removed=remove_files(index.database, index.store.pk, index.folder), skipped=[])
    for files in groups_of(index.folder, changed_since):
        found = iter(rows_of(index.folder, files, digest=False))
        while batch := list(islice(found, _AT_A_TIME)):
            done.files += len(batch)
            rows = [row for row in batch if isinstance(row, Row)]
            _skip(done, [one for one in batch if isinstance(one, Unindexable)])
            with index.database.reading() as connection:
                lacking = missing_rows(connection, index.store.pk, rows)
                # The last transaction may have made one of these the file that is served: their times say so.
                beside = rows_beside(connection, index.store.pk, rows) if index.on_duplicate == "replace" else []
            added = index.add_found([with_digest(index.folder, row) if digest else row for row in lacking])
            done.added += sum(one.what != "same" for one in added)
            added = index.add_found([with_digest(index.folder, row) if digest else row for row in beside])
            done.added += sum(one.what == "replaced" for one in added)
    done.missing = mark_missing(index, changed_since)
    return done


def _skip(done: Recovered, unindexable: Sequence[Unindexable]) -> None:
    for one in unindexable:
        LOGGER.warning("not in the index: %s", one_line(str(one)))
        if done.skipped is not None:
            done.skipped.append(str(one))


def _mark(writer: Writer, changes: list[dict[str, Any]]) -> None:
    writer.many(_MARK, changes)


def mark_missing(index: OpenIndex, received_since: float) -> int:
    """Mark the instances received since a time whose file is not there, and return their number."""
    query = (
        select(
            *(INSTANCE.c[name] for name in ("pk", "sop_uid", "path", "missing")), SERIES.c.series_uid, STUDY.c.study_uid
        )
        .join(SERIES, SERIES.c.pk == INSTANCE.c.series_pk)
        .join(STUDY, STUDY.c.pk == SERIES.c.study_pk)
        .where(INSTANCE.c.store == index.store.pk, INSTANCE.c.pk > bindparam("after"))
        .where(INSTANCE.c.received >= received_since)
        .order_by(INSTANCE.c.pk)
        .limit(10_000)
    )
    missing, after = 0, 0
    while True:
        with index.database.reading() as connection:
            rows = connection.execute(query, {"after": after}).all()
        if not rows:
            return missing
        after = rows[-1].pk
        changes = []
        for row in rows:
            path = default_path(row.study_uid, row.series_uid, row.sop_uid) if row.path is None else row.path
            is_missing = not os.path.lexists(os.path.join(index.folder, path))
            missing += is_missing
            if is_missing != bool(row.missing):
                changes.append({"pk_": row.pk, "missing_": int(is_missing)})
            if is_missing:
                LOGGER.error("the file of %s is missing", one_line(row.sop_uid, 64))
        if changes:
            index.database.write(partial(_mark, changes=changes))
