"""The document of an event: the input of a command, and a line of a report."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from dimse.archive.events.study import Study
from dimse.archive.stored import Stored
from dimse.support.text import host_and_port, one_line
from dimse.support.values import fields

Event = Stored | Study

# The attributes of an instance in a document, in their order.
_INSTANCE_FIELDS = (
    *("path", "relative_path", "sop_class_uid", "sop_instance_uid", "study_instance_uid", "series_instance_uid"),
    *("patient_id", "transfer_syntax_uid", "size", "calling_ae_title", "called_ae_title", "peer_address"),
    *("duplicate", "received"),
)


def document(event: Event) -> dict[str, str | int]:
    """Return an event as the document that commands read on their standard input and that is a line of a report.

    It has the attributes of `Stored` or `Study` under their names, with `event` ("instance" or "study") before them. Times are ISO
    8601 in UTC, and `peer_address` becomes `peer`, as HOST:PORT.
    """
    entries: dict[str, Any] = {"event": "study" if isinstance(event, Study) else "instance"}
    for name in fields(event) if isinstance(event, Study) else _INSTANCE_FIELDS:
        said = getattr(event, name)
        if name == "peer_address":
            entries["peer"] = host_and_port(*said)
        elif isinstance(said, float):
            entries[name] = datetime.fromtimestamp(said, UTC).isoformat()
        else:
            entries[name] = said
    return entries


def encoded(entries: dict[str, str | int]) -> bytes:
    """Return a document as one line of ASCII."""
    return json.dumps(entries).encode("ascii") + b"\n"


def subject(event: Event) -> str:
    """Return the subject of an event, for the log."""
    if isinstance(event, Study):
        return f"study {one_line(event.study_instance_uid)}"
    return f"instance {one_line(event.sop_instance_uid)}"
