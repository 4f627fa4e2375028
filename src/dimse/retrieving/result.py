"""The requests and results of a bulk retrieval: each is of a study, or of one series of it."""

from __future__ import annotations

from typing import Literal

from dimse.errors import DimseError
from dimse.support.values import value

State = Literal["complete", "partial", "failed", "already"]


@value
class Wanted:
    """A study that is wanted, or one series of it.

    Attributes:
        study: The Study Instance UID.
        series: The Series Instance UID; empty for the whole study.
    """

    study: str
    series: str = ""


@value
class StudyResult:
    """The result of a study, or of one series of it.

    Attributes:
        study_instance_uid: The study.
        state: "complete": all its instances are here. "already": the journal or the folder shows that they were here before.
            "partial": some are missing, or may be missing. "failed": no instance is here.
        method: "get" or "move", by which it came last; empty if no method was tried.
        expected: The number of instances that the peer lists; None if it does not list them.
        stored: The number of instances that are here, those of earlier runs included.
        missing: The SOP Instance UIDs that the peer lists and that are not here, in order.
        attempts: The number of times that instances were asked for.
        size: The bytes of the data sets that came in this run.
        seconds: The time that it took, in seconds.
        error: The reason why it is not complete; None if it is.
        series_instance_uid: The series, if only one was wanted; empty for the whole study.
    """

    study_instance_uid: str
    state: State
    method: str = ""
    expected: int | None = None
    stored: int = 0
    missing: tuple[str, ...] = ()
    attempts: int = 0
    size: int = 0
    seconds: float = 0.0
    error: DimseError | None = None
    series_instance_uid: str = ""

    @property
    def is_complete(self) -> bool:
        """True if all instances of the study are here."""
        return self.state in ("complete", "already")
