"""A check of an index against itself and against the files of its store. It changes nothing."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Literal

from sqlalchemy import Connection, bindparam, func, select

from dimse.archive.index.reading import Unindexable, row_of_file
from dimse.archive.index.row import Row, default_path
from dimse.archive.index.scanning import groups_of, missing_rows, rows_of
from dimse.archive.index.schema import DUPLICATE, INSTANCE, PATIENT, SERIES, STUDY
from dimse.support.values import value

if TYPE_CHECKING:
    from dimse.archive.index import Index

_PAGE = 1_000

Kind = Literal["counts", "empty", "differing", "file missing", "size", "digest", "no row", "no instance"]


@value
class Finding:
    """A fault, or a fact that deserves a look.

    Attributes:
        kind: "counts": those of a study or series are wrong. "empty": an entity has nothing below it. "differing": instances of a
            study differ in demographics. "file missing", "size", "digest": the file of an instance is not there, or another one.
            "no row": a file has no row. "no instance": a file cannot have one.
        entity: The UID of the entity, or the path of the file relative to the store.
        detail: The fault in words, without values of patients.
    """

    kind: Kind
    entity: str
    detail: str


def check(
    index: Index, *, files: bool = True, full: bool = False, progress: Callable[[int], None] = lambda number: None
) -> Iterator[Finding]:
    """Yield what is wrong with an index.

    Args:
        index: The index. It may be in use, and what arrives meanwhile may be reported.
        files: Compare it with the files of its store.
        full: Make the digest of each file, and compare it.
        progress: Called with the number of instances whose file was looked at.

    Raises:
        DatabaseError: The database cannot be used.
        OSError: The store cannot be read.
    """
    with index.database.reading(seconds=3600) as connection:
        yield from [*_counts(connection), *_empty(connection), *_differing(connection)]
    if files:
        yield from _served(index, full=full, progress=progress)
        yield from _unknown(index)


def _counts(connection: Connection) -> Iterator[Finding]:
    """Yield the studies and series whose counts are not those of their instances."""
    counted = select(INSTANCE.c.series_pk, func.count().label("n"), func.sum(INSTANCE.c.size).label("size"))
    by_series = counted.group_by(INSTANCE.c.series_pk).subquery()
    series = select(SERIES.c.series_uid, SERIES.c.n_instances, func.coalesce(by_series.c.n, 0).label("n")).outerjoin(
        by_series, by_series.c.series_pk == SERIES.c.pk
    )
    for row in connection.execute(series.where(SERIES.c.n_instances != func.coalesce(by_series.c.n, 0))):
        yield Finding("counts", row.series_uid, f"the series has {row.n:,} instances, not {row.n_instances:,}")
    in_study = (
        select(
            SERIES.c.study_pk,
            func.count().label("n_series"),
            func.sum(func.coalesce(by_series.c.n, 0)).label("n"),
            func.sum(func.coalesce(by_series.c.size, 0)).label("size"),
        )
        .outerjoin(by_series, by_series.c.series_pk == SERIES.c.pk)
        .group_by(SERIES.c.study_pk)
        .subquery()
    )
    studies = select(
        STUDY.c.study_uid,
        STUDY.c.n_series,
        STUDY.c.n_instances,
        STUDY.c.size,
        *(func.coalesce(in_study.c[name], 0).label(f"real_{name}") for name in ("n_series", "n", "size")),
    ).outerjoin(in_study, in_study.c.study_pk == STUDY.c.pk)
    for row in connection.execute(studies):
        said, real = (row.n_series, row.n_instances, row.size), (row.real_n_series, row.real_n, row.real_size)
        if said != tuple(map(int, real)):
            words = "the study has {:,} series, {:,} instances and {:,} bytes".format(*map(int, real))
            yield Finding("counts", row.study_uid, f"{words}, not {said[0]:,}, {said[1]:,} and {said[2]:,}")


def _empty(connection: Connection) -> Iterator[Finding]:
    """Yield the patients, studies and series that have nothing below them."""
    patients = select(func.count()).where(~select(STUDY.c.pk).where(STUDY.c.patient_pk == PATIENT.c.pk).exists())
    if number := connection.execute(patients.select_from(PATIENT)).scalar_one():
        yield Finding("empty", "", f"{number:,} patients have no study")
    studies = select(STUDY.c.study_uid).where(~select(SERIES.c.pk).where(SERIES.c.study_pk == STUDY.c.pk).exists())
    series = select(SERIES.c.series_uid).where(
        ~select(INSTANCE.c.pk).where(INSTANCE.c.series_pk == SERIES.c.pk).exists()
    )
    for (uid,) in connection.execute(studies):
        yield Finding("empty", uid, "the study has no series")
    for (uid,) in connection.execute(series):
        yield Finding("empty", uid, "the series has no instance")


def _differing(connection: Connection) -> Iterator[Finding]:
    query = select(STUDY.c.study_uid, STUDY.c.differing).where(STUDY.c.differing > 0)
    for uid, number in connection.execute(query):
        yield Finding("differing", uid, f"{number:,} instances differ from the patient or study in force")


_SERVED = (
    select(
        *(INSTANCE.c[name] for name in ("pk", "sop_uid", "path", "size", "digest")),
        SERIES.c.series_uid,
        STUDY.c.study_uid,
    )
    .join(SERIES, SERIES.c.pk == INSTANCE.c.series_pk)
    .join(STUDY, STUDY.c.pk == SERIES.c.study_pk)
    .where(INSTANCE.c.store == bindparam("store"), INSTANCE.c.pk > bindparam("after"))
    .order_by(INSTANCE.c.pk)
    .limit(_PAGE)
)


def _served(index: Index, *, full: bool, progress: Callable[[int], None]) -> Iterator[Finding]:
    """Yield the instances whose file is not there, or is not what the index says."""
    after = number = 0
    while True:
        with index.database.reading() as connection:
            rows = connection.execute(_SERVED, {"store": index.store.pk, "after": after}).all()
        if not rows:
            return
        after = rows[-1].pk
        for row in rows:
            path = default_path(row.study_uid, row.series_uid, row.sop_uid) if row.path is None else row.path
            number += 1
            progress(number)
            fault = _fault(index.folder, path, row.size, row.digest if full else None)
            if fault is not None:
                yield Finding(fault[0], row.sop_uid, f"{path}: {fault[1]}")


def _fault(folder: str, path: str, size: int, digest: bytes | None) -> tuple[Kind, str] | None:
    try:
        row = row_of_file(folder, path, digest=digest is not None)
    except FileNotFoundError:
        return "file missing", "there is no such file"
    except (OSError, Unindexable) as error:
        return "file missing", getattr(error, "strerror", "") or str(error)
    if row.size != size:
        return "size", f"the data set has {row.size:,} bytes, not {size:,}"
    if digest is not None and row.digest != bytes(digest):
        return "digest", "the data set is not the one that was stored"
    return None


def _unknown(index: Index) -> Iterator[Finding]:
    """Yield the files that have no row, and the duplicates without a file."""
    for files in groups_of(index.folder):
        found = list(rows_of(index.folder, files, digest=False))
        for one in found:
            if isinstance(one, Unindexable):
                path, _, reason = str(one).partition(": ")
                yield Finding("no instance", path, reason)
        rows = [one for one in found if isinstance(one, Row)]
        with index.database.reading() as connection:
            for row in missing_rows(connection, index.store.pk, rows):
                yield Finding("no row", row.path, "the file is not in the index")
    with index.database.reading() as connection:
        beside = connection.execute(select(DUPLICATE.c.path).where(DUPLICATE.c.store == index.store.pk)).scalars().all()
    for path in beside:
        if not os.path.lexists(os.path.join(index.folder, path)):
            yield Finding("file missing", path, "the file of a duplicate is not there")
