"""A query that is sent in parts, because a peer has cut it short or the user wants it so."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from datetime import date
from typing import TYPE_CHECKING

from dimse import tags
from dimse.data_set.identifier import Identifier
from dimse.services.features import Features
from dimse.services.information_models import LEVEL, UNIQUE_KEYS
from dimse.tools import running
from dimse.tools.splitting import STUDY_DATE, STUDY_TIME, Part, asking_for_empty, has_value, whole_of

if TYPE_CHECKING:
    from dimse.tools.found import Found


class QueryInParts:
    """A query for studies, or for patients by the dates of their studies, in parts that the peer answers wholly, the newest first.

    Args:
        find: Sends one C-FIND, hands on its matches, and returns how it ended.
        conclude: Logs the end of a C-FIND, and returns the exit status that it deserves.
        identifier: The whole query.
        accepted: The features that the peer has accepted.
        days: The number of days that each part has at first; None begins with the whole query.
        logger: The logger of the tool.

    Attributes:
        reason: Why the query cannot be split; empty if it can.
    """

    def __init__(
        self,
        find: Callable[[Identifier], Found],
        conclude: Callable[[Found], int],
        identifier: Identifier,
        accepted: Features,
        days: int | None,
        logger: logging.Logger,
    ) -> None:
        self._find, self._conclude_one = find, conclude
        self._identifier, self._accepted, self._logger = identifier, accepted, logger
        self._status = running.SUCCESS
        self._is_over = False
        # Days that were split by time.
        self._days: list[Part] = []
        whole = whole_of(identifier, date.today())  # noqa: DTZ011  (the user's day)
        self._parts: Iterable[Part] = ()
        if whole is not None:
            self._parts = whole.of_days(days) if days is not None else (whole,)
        level = identifier.text(LEVEL)
        if level == "PATIENT" and not accepted.relational:
            # Study Date is a key below the level of patients (PS3.4 C.4.1.3.2).
            self.reason = "one for patients can only where the peer accepts --relational-query"
        elif level not in ("PATIENT", "STUDY"):
            self.reason = "only a query for studies can"
        elif UNIQUE_KEYS[level] not in identifier:
            self.reason = f"ask for {tags.label(UNIQUE_KEYS[level])}, by which its parts are united"
        elif whole is None:
            self.reason = "its Study Date is not a range"
        else:
            self.reason = ""

    def run(self) -> int:
        """Send each part, and return the exit status that they deserve. A limit or a C-CANCEL ends the parts too."""
        for part in self._parts:
            self._send(part)
            if self._is_over:
                break
        if not has_value(self._identifier, STUDY_DATE):
            self._ask_for_empty(self._identifier, STUDY_DATE)
        for day in self._days:
            self._ask_for_empty(day.of(self._identifier), STUDY_TIME)
        return self._status

    def _send(self, whole: Part) -> None:
        """Send a part, and halve it as long as the peer cuts it short."""
        by_time = not has_value(self._identifier, STUDY_TIME)
        parts = [whole]
        while parts and not self._is_over:
            part = parts.pop()
            found = self._find(part.of(self._identifier))
            self._is_over = found.is_limited or found.is_cancelled
            if self._is_over or not found.is_cut:
                self._conclude(found)
                continue
            halves = part.halves(by_time=by_time)
            if halves is None:
                self._logger.error("The peer cuts short what it has of %s", part)
                self._status = running.SHORTFALL
                continue
            if part.first == part.last and part.minutes is None:
                self._days.append(part)
            parts += reversed(halves)

    def _ask_for_empty(self, identifier: Identifier, tag: int) -> None:
        """Ask for the studies without a date or a time, which no range has."""
        if self._is_over:
            return
        if not self._accepted.empty_values:
            self._logger.error("Studies without a %s cannot be reached (--empty-values)", tags.label(tag))
            self._status = running.SHORTFALL
            return
        found = self._find(asking_for_empty(identifier, tag))
        self._is_over = found.is_limited or found.is_cancelled
        self._conclude(found)

    def _conclude(self, found: Found) -> None:
        # Where the limit of the user was reached, the final status is that of a C-CANCEL.
        if not found.is_limited:
            self._status = max(self._status, self._conclude_one(found))
