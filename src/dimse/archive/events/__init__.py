"""Events: the reactions to an instance that has been kept, and to a study that has become quiet.

    studies = PendingStudies("incoming")
    with Events(Command("notify-archive"), Command("export-study --fast"), studies=studies) as events:
        with FileStore("incoming", stored=events) as store: ...

No association waits for a command or a callable. Values from a peer reach a command as data only, in environment variables and as
JSON on standard input. They never appear in its arguments, and there is no shell.

- `document`: an event as JSON.
- `study`: the instances of a study.
- `report`: a file with one line for each instance.
- `command`: a program that runs for an event.
- `arrivals`: the studies whose instances are arriving.
- `studies`: the waiting studies, in memory.
- `pending`: the waiting studies, in a folder, where they survive the end of the process.
- `entry`: the file of such a study.
- `listing`: the waiting studies of a folder, for its administrator.
- `dispatcher`: `Events`, the threads that call commands and callables.
"""

from __future__ import annotations

from dimse.archive.events.command import Command, CommandFailed
from dimse.archive.events.dispatcher import Events
from dimse.archive.events.document import Event, document
from dimse.archive.events.listing import PendingStudy, pending_studies
from dimse.archive.events.pending import PendingStudies
from dimse.archive.events.report import Report
from dimse.archive.events.study import Study

__all__ = [
    "Command",
    "CommandFailed",
    "Event",
    "Events",
    "PendingStudies",
    "PendingStudy",
    "Report",
    "Study",
    "document",
    "pending_studies",
]
