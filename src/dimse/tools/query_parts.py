"""A query that a peer has cut short, sent again in parts."""

from __future__ import annotations

import logging
from collections.abc import Callable
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
    """A query for studies, in parts that the peer answers wholly, the newest first.

    Args:
        find: Sends one C-FIND, hands on its matches, and returns how it ended.
        conclude: Logs the end of a C-FIND, and returns the exit status that it deserves.
        identifier: The whole query.
        accepted: The features that the peer has accepted.
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
        logger: logging.Logger,
    ) -> None:
        self._find, self._conclude_one = find, conclude
        self._identifier, self._accepted, self._logger = identifier, accepted, logger
        self._status = running.SUCCESS
        # Days that were split by time.
        self._days: list[Part] = []
        whole = whole_of(identifier, date.today())  # noqa: DTZ011  (the user's day)
        self._parts = [whole] if whole is not None else []
        if identifier.text(LEVEL) != "STUDY":
            self.reason = "only a query for studies can"
        elif UNIQUE_KEYS["STUDY"] not in identifier:
            self.reason = f"ask for {tags.label(UNIQUE_KEYS['STUDY'])}, by which its parts are united"
        elif whole is None:
            self.reason = "its Study Date is not a range"
        else:
            self.reason = ""

    def run(self) -> int:
        """Send each part, and return the exit status that they deserve."""
        by_time = not has_value(self._identifier, STUDY_TIME)
        while self._parts:
            part = self._parts.pop()
            found = self._find(part.of(self._identifier))
            if not found.is_cut:
                self._conclude(found)
                continue
            halves = part.halves(by_time=by_time)
            if halves is None:
                self._logger.error("The peer cuts short what it has of %s", part)
                self._status = running.SHORTFALL
                continue
            if part.first == part.last and part.minutes is None:
                self._days.append(part)
            self._parts += reversed(halves)
        if not has_value(self._identifier, STUDY_DATE):
            self._ask_for_empty(self._identifier, STUDY_DATE)
        for day in self._days:
            self._ask_for_empty(day.of(self._identifier), STUDY_TIME)
        return self._status

    def _ask_for_empty(self, identifier: Identifier, tag: int) -> None:
        """Ask for the studies without a date or a time, which no range has."""
        if not self._accepted.empty_values:
            self._logger.error("Studies without a %s cannot be reached (--empty-values)", tags.label(tag))
            self._status = running.SHORTFALL
            return
        self._conclude(self._find(asking_for_empty(identifier, tag)))

    def _conclude(self, found: Found) -> None:
        self._status = max(self._status, self._conclude_one(found))
