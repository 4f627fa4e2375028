"""`storescp --pending-studies`: the studies in a folder whose program has not succeeded yet."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence
from datetime import UTC, datetime

from dimse.archive.events import PendingStudy, pending_studies
from dimse.support.text import one_line
from dimse.tools import running, tables, wording

COLUMNS = ("state", ">failed attempts", ">instances", "last instance", "last failure", "Study Instance UID")


def show_pending_studies(options: argparse.Namespace, logger: logging.Logger) -> int:
    """Print the studies that wait; return the exit status: 3 if one was given up, or the folder cannot be read."""
    try:
        pending = pending_studies(options.output_directory)
    except OSError as error:
        wording.log_failure(logger, [one_line(f"{error.filename}: {error.strerror}")])
        return running.SHORTFALL
    with tables.printing():
        tables.print_table(COLUMNS, map(_row, pending), sys.stdout)
    return running.SHORTFALL if any(entry.state == "failed" for entry in pending) else running.SUCCESS


def _row(entry: PendingStudy) -> Sequence[tables.Cell]:
    last = datetime.fromtimestamp(entry.study.last_received, UTC).isoformat(timespec="seconds")
    return entry.state, entry.attempts, entry.study.instances, last, entry.why, entry.study.study_instance_uid
