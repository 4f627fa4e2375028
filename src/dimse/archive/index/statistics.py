"""The numbers of what an index holds."""

from __future__ import annotations

from sqlalchemy import func, select

from dimse.archive.index.database import Database
from dimse.archive.index.schema import SERIES, STUDY
from dimse.support.values import value


@value
class OfModality:
    """The numbers of a modality.

    Attributes:
        modality: The modality; empty for series that name none.
        studies: The number of studies with such series.
        series: The number of series.
        instances: The number of their instances.
    """

    modality: str
    studies: int
    series: int
    instances: int


@value
class Span:
    """The span of time of the studies.

    Attributes:
        first_study: The earliest Study Date; empty if no study has one.
        last_study: The latest Study Date.
        last_received: The time when the last instance was received, in seconds since 1970-01-01 UTC; 0 without any.
    """

    first_study: str
    last_study: str
    last_received: float


def by_modality(database: Database) -> list[OfModality]:
    """Return the numbers of each modality, in alphabetical order.

    Raises:
        DatabaseError: The database cannot be read.
    """
    query = (
        select(
            SERIES.c.modality,
            func.count(SERIES.c.study_pk.distinct()),
            func.count(),
            func.sum(SERIES.c.n_instances),
        )
        .group_by(SERIES.c.modality)
        .order_by(SERIES.c.modality)
    )
    with database.reading() as connection:
        return [OfModality(name, int(a), int(b), int(c)) for name, a, b, c in connection.execute(query)]


def span(database: Database) -> Span:
    """Return the span of time of all studies.

    Raises:
        DatabaseError: The database cannot be read.
    """
    dated = select(func.min(STUDY.c.study_date), func.max(STUDY.c.study_date)).where(STUDY.c.study_date != "")
    with database.reading() as connection:
        first, last = connection.execute(dated).one()
        received = connection.execute(select(func.max(STUDY.c.last_received))).scalar_one()
    return Span(first or "", last or "", float(received or 0.0))
