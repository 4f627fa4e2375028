"""The options that getscu and movescu share."""

from __future__ import annotations

import argparse
import sys

from dimse import settings
from dimse.tools import query_options, retrieve_events
from dimse.tools.command_line import Parser
from dimse.tools.file_options import FILES
from dimse.tools.options import add_group, flag, number, option, report_path, seconds

OUTPUT = (
    flag("--no-progress", "no progress bar on the terminal"),
    option("--report F", report_path, None, "what became of each instance, as .json, .jsonl or .csv"),
)

# Seconds of silence that a retrieval may have, where the user asks for none: the peer may search on tape.
SILENCE = 300.0

RETRIEVAL = (
    option("--cancel N", number(1, 1e9), None, "send C-CANCEL after N pending responses, and take what comes after it"),
    option(
        "--retrieve-timeout S",
        seconds,
        None,
        f"no response and no instance comes: seconds ({SILENCE:g}, or as -td if that is not its default), 0 is unlimited",
    ),
    option(
        "--retrieve-timeout-total S", seconds, 0.0, "the whole of a retrieval: seconds (%(default)s), 0 is unlimited"
    ),
    flag("--fail-empty", "exit status 3 if nothing matched"),
)


def add_options(parser: Parser, files: str = "files", events: str = "events") -> None:
    """Add the options about the retrieval, the files and the events; the titles of the latter two in the help may be given."""
    add_group(parser, "retrieval", *RETRIEVAL)
    add_group(parser, files, *FILES)
    add_group(parser, events, *retrieve_events.ROWS)


def settle(parser: Parser, options: argparse.Namespace) -> None:
    """Check what argparse does not, and choose the log level: without a progress bar every step is logged."""
    if not query_options.has_keys(options):
        parser.error("-f and/or -k must be specified")
    if options.ignore and options.report is not None:
        parser.error("--report does not go with --ignore: nothing is kept that could be reported")
    retrieve_events.settle(parser, options)
    if not (options.quiet or options.verbose or options.debug or options.log_level):
        shows_bar = sys.stderr.isatty() and not options.no_progress
        options.log_level = "warning" if shows_bar else "info"


def timeout(options: argparse.Namespace) -> float:
    """Return the seconds of silence that a retrieval may have."""
    if options.retrieve_timeout is not None:
        return float(options.retrieve_timeout)
    given = float(options.dimse_timeout)
    return given if given != settings.Timeouts().dimse else SILENCE
