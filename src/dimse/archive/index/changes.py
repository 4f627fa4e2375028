"""The change feed, as a transaction adds to it."""

from __future__ import annotations

import time

from sqlalchemy import bindparam
from sqlalchemy.dialects.postgresql import insert

from dimse.archive.index.database import Writer
from dimse.archive.index.schema import CHANGE

_INSERT = insert(CHANGE).values({name: bindparam(name) for name in ("what", "study", "series", "instance", "at")})


def record_change(writer: Writer, what: str, study: str, series: str = "", instance: str = "") -> None:
    """Add an entry to the change feed; `Writer.lock_changes` comes before the first of a transaction."""
    parameters = {"what": what, "study": study, "series": series, "instance": instance, "at": time.time()}
    writer.run(_INSERT, parameters)
