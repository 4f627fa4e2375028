"""The option --log-format json: each log record as a line of JSON."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime

from dimse.logs import ABOUT
from dimse.support.text import host_and_port


class Formatter(logging.Formatter):
    """A formatter that makes a record a JSON object, in ASCII and on one line.

    Its members are `time` (UTC, ISO 8601), `level`, `logger`, `message` and `process`. While an association is under way there
    are also `association` (its number in the process), `peer`, `calling_ae_title`, `called_ae_title`, and `milliseconds` since
    it began. An exception is in `exception`, with its stack. A warning or an error has `code`, for `dimse explain`, if its text
    has an explanation.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Return the line for a record."""
        entries: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC)
            .isoformat(timespec="milliseconds")
            .replace("+00:00", "Z"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            "process": record.process,
        }
        if record.levelno >= logging.WARNING:
            # Not at the top: most runs have no such line.
            from dimse.tools.explanations import explanation_of

            explanation = explanation_of(record.getMessage())
            if explanation is not None:
                entries["code"] = explanation.name
        about = ABOUT.get()
        if about is not None:
            entries |= {
                "association": about.number,
                "peer": host_and_port(*about.peer),
                "calling_ae_title": about.calling_ae_title,
                "called_ae_title": about.called_ae_title,
                "milliseconds": round(about.milliseconds, 3),
            }
        if record.exc_info:
            entries["exception"] = self.formatException(record.exc_info)
        return json.dumps(entries)
