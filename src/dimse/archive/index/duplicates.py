"""The files that are kept beside the instances that are served."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import bindparam, select

from dimse.archive.index.database import Database
from dimse.archive.index.schema import DUPLICATE, INSTANCE, SERIES, STORE, STUDY
from dimse.support.values import value

_PAGE = 1_000


@value
class Duplicate:
    """A file with the SOP Instance UID of an instance that is served.

    Attributes:
        sop_instance_uid: The SOP Instance UID.
        study_instance_uid: The Study Instance UID of the instance that is served; empty if no instance is served.
        path: The absolute path of the file.
        received: The time when it came, in seconds since 1970-01-01 UTC.
        calling_ae_title: The AE title of its sender; empty if it is not known.
        why: The reason why it is not served: "other data set", "same data set", "replaced" or "rejected".
    """

    sop_instance_uid: str
    study_instance_uid: str
    path: str
    received: float
    calling_ae_title: str
    why: str


_QUERY = (
    select(DUPLICATE.c.pk, DUPLICATE.c.sop_uid, STUDY.c.study_uid, STORE.c.root)
    .add_columns(*(DUPLICATE.c[name] for name in ("path", "received", "calling_ae", "why")))
    .join(STORE, STORE.c.pk == DUPLICATE.c.store)
    .outerjoin(INSTANCE, INSTANCE.c.sop_uid == DUPLICATE.c.sop_uid)
    .outerjoin(SERIES, SERIES.c.pk == INSTANCE.c.series_pk)
    .outerjoin(STUDY, STUDY.c.pk == SERIES.c.study_pk)
    .where(
        (DUPLICATE.c.sop_uid > bindparam("after"))
        | ((DUPLICATE.c.sop_uid == bindparam("after")) & (DUPLICATE.c.pk > bindparam("pk_")))
    )
    .order_by(DUPLICATE.c.sop_uid, DUPLICATE.c.pk)
    .limit(_PAGE)
)


def duplicates(database: Database) -> Iterator[Duplicate]:
    """Yield all duplicates, by SOP Instance UID.

    Raises:
        DatabaseError: The database cannot be read.
    """
    after, pk = "", 0
    while True:
        with database.reading() as connection:
            rows = connection.execute(_QUERY, {"after": after, "pk_": pk}).all()
        if not rows:
            return
        for _, uid, study, root, path, received, title, why in rows:
            yield Duplicate(uid, study or "", f"{root}/{path}", float(received), title, why)
        pk, after = rows[-1][:2]
