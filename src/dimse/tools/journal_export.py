"""The option --export of storescu: what a journal holds, in the formats of a report."""

from __future__ import annotations

import argparse
import logging
import time

import dimse
from dimse.message.status import Status
from dimse.sending.journal import ACKED, REFUSED, SENDING, UNKNOWN, Entry, entries
from dimse.support.text import host_and_port, is_utf8, one_line, path_text
from dimse.tools import running, wording
from dimse.tools.report import COLUMNS, Report, time_text
from dimse.tools.report_formats import Row

# The outcome of a file as a report has it. One that is "sending" may have arrived, unless its run goes on.
_OUTCOMES = {ACKED: "stored", REFUSED: "refused", UNKNOWN: "unknown", SENDING: "unknown"}

MORE_COLUMNS = "state", "changed"


def export(options: argparse.Namespace, logger: logging.Logger) -> int:
    """Write what the journal holds, and return the exit status."""
    started = time.monotonic()
    try:
        with Report(options.export, more_columns=MORE_COLUMNS) as report:
            for entry in entries(options.journal):
                report.add_row(row_of(entry))
            report.finish(complete=True, seconds=time.monotonic() - started)
    except dimse.JournalError as error:
        wording.log_failure(logger, [one_line(str(error))])
        return running.SHORTFALL
    except OSError as error:
        path = one_line(options.export)
        wording.log_failure(logger, [f"The journal was not exported: {path}: {wording.reason(error).lower()}"])
        return running.SHORTFALL
    return running.SUCCESS


def row_of(entry: Entry) -> Row:
    """Return the row of a file, with the fields of a report as far as a journal has them, and `MORE_COLUMNS`."""
    status = None if entry.status is None else Status(entry.status, service="storage")
    outcome = _OUTCOMES.get(entry.state, "unsent")
    if status is not None and status.is_warning and outcome == "stored":
        outcome = "warning"
    return dict.fromkeys(COLUMNS) | {
        "file": path_text(entry.path),
        "file_escaped": not is_utf8(entry.path),
        "sop_instance_uid": one_line(entry.sop_instance_uid),
        "outcome": outcome,
        "status": None if status is None else f"0x{int(status):04X}",
        "meaning": None if status is None else status.meaning,
        "bytes": entry.size,
        "transfer_syntax_stored": one_line(entry.transfer_syntax_uid),
        "attempts": entry.attempts,
        "peer": one_line(host_and_port(entry.host, entry.port)),
        "called_ae_title": one_line(entry.called_ae_title),
        "state": entry.state,
        "changed": time_text(entry.changed),
    }
