"""The option --retry-failed of storescu: the files that an earlier run has not sent, out of its journal or its report."""

from __future__ import annotations

import argparse
import logging
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from typing import BinaryIO, cast

import dimse
from dimse.sending.finding import listed_paths
from dimse.support.closing import Closing
from dimse.support.text import counted, one_line, path_of
from dimse.tools import report_formats, running, wording

FAILED = ("refused", "unknown", "unsent", "invalid")
"""The outcomes in a report after which a file is sent again."""

_DATABASE = b"SQLite format 3\0"


class FailedFiles(Closing):
    """The paths of the files that are to be sent again, in their order.

    They are copied into an unnamed file at first. So the journal or report can be written meanwhile, and memory is bounded.

    Args:
        options: The parsed options.

    Attributes:
        count: The number of paths.

    Raises:
        JournalError: The journal cannot be read.
        UnusableReport: The report cannot be read, or the file is neither a journal nor a report.
    """

    def __init__(self, options: argparse.Namespace) -> None:
        self.count = 0
        self._file = cast(BinaryIO, tempfile.TemporaryFile())  # noqa: SIM115
        try:
            for path in _failed(options):
                self._file.write(os.fsencode(path) + b"\0")
                self.count += 1
            self._file.seek(0)
        except BaseException:
            self._file.close()
            raise

    def __iter__(self) -> Iterator[str]:
        return listed_paths(self._file)

    def close(self) -> None:
        """Release the file."""
        self._file.close()


def is_journal(path: str) -> bool:
    """Return True if a file is a database, which only a journal is."""
    try:
        with open(path, "rb") as file:
            return file.read(len(_DATABASE)) == _DATABASE
    except OSError:
        return False


def _failed(options: argparse.Namespace) -> Iterator[str]:
    source = options.retry_failed
    if not is_journal(source):
        try:
            report_formats.format_of(report_formats.written_name(source))
        except ValueError:
            raise report_formats.UnusableReport(f"{one_line(source)} is neither a journal nor a report") from None
        for row in report_formats.read(source):
            # A retrieval names no file for an instance that did not come.
            if row["outcome"] in FAILED and row["file"]:
                yield path_of(row["file"]) if row.get("file_escaped") else row["file"]
        return
    from dimse.sending.journal import ACKED, entries

    peer = options.addr.lower(), options.port, options.called_aet
    for entry in entries(source):
        if (entry.host, entry.port, entry.called_ae_title) == peer and entry.state != ACKED:
            yield entry.path


def send_again(options: argparse.Namespace, logger: logging.Logger, send: Callable[[Iterable[str]], int]) -> int:
    """Send the files that have failed, and return the exit status; if none has, there is nothing to do, which is a success."""
    try:
        with FailedFiles(options) as files:
            if not files.count:
                logger.info("Nothing to send: %s has no file that failed", one_line(options.retry_failed))
                return running.SUCCESS
            logger.info("Sending %s again that failed", counted(files.count, "file"))
            if options.journal is None and is_journal(options.retry_failed):
                options.journal = options.retry_failed
            return send(files)
    except (dimse.JournalError, report_formats.UnusableReport) as error:
        wording.log_failure(logger, [one_line(str(error))])
        return running.SHORTFALL
