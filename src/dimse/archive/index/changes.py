"""The change feed, as a transaction adds to it, and how it is kept from growing for ever."""

from __future__ import annotations

import time

from sqlalchemy import bindparam, func, select

from dimse.archive.index.database import Database, Writer
from dimse.archive.index.inserting import insert
from dimse.archive.index.schema import CHANGE

_INSERT = insert(CHANGE).values({name: bindparam(name) for name in ("what", "study", "series", "instance", "at")})
# Changes that one transaction removes.
_AT_A_TIME = 10_000
_OLDEST = select(CHANGE.c.number, CHANGE.c.at).order_by(CHANGE.c.number).limit(_AT_A_TIME).subquery()
_LAST_OF_THE_OLD = select(func.max(_OLDEST.c.number)).where(_OLDEST.c.at < bindparam("before"))
_REMOVE = CHANGE.delete().where(
    CHANGE.c.number <= bindparam("number_"), CHANGE.c.number < select(func.max(CHANGE.c.number)).scalar_subquery()
)


def record_change(writer: Writer, what: str, study: str, series: str = "", instance: str = "") -> None:
    """Add an entry to the change feed; `Writer.lock_changes` comes before the first of a transaction."""
    parameters = {"what": what, "study": study, "series": series, "instance": instance, "at": time.time()}
    writer.run(_INSERT, parameters)


def trim_changes(database: Database, before: float) -> int:
    """Remove the changes of the time before, except for the last of all, and return their number.

    Args:
        database: The database of the index.
        before: In seconds since 1970-01-01 UTC.

    Raises:
        DatabaseError: The database cannot be used.
    """

    def work(writer: Writer) -> int:
        found = writer.one(_LAST_OF_THE_OLD, {"before": before})
        assert found is not None
        return 0 if found[0] is None else writer.changed(_REMOVE, {"number_": found[0]})

    removed = 0
    while some := database.write(work):
        removed += some
    return removed
