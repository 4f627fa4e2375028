"""The options that getscu and movescu share."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from dimse import settings
from dimse.tools import query_options, retrieve_events
from dimse.tools.command_line import Parser
from dimse.tools.file_options import FILES
from dimse.tools.options import add_group, flag, number, option, report_path, seconds

if TYPE_CHECKING:
    from dimse.services.information_models import Operation

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

RESOLVE = flag(
    "--resolve",
    "where the keys do not name the unique key of their level, ask by C-FIND for what matches, and retrieve that by UID",
)

# By option: the feature of `Features`, and the help.
FEATURES = {
    "--relational-retrieval": ("relational", "the keys need not name what is above their level"),
    "--enhanced-conversion": ("enhanced_conversion", "instances as converted from or to multi-frame ones"),
}


def add_features(parser: Parser) -> None:
    """Add the options about features that are negotiated (PS3.4 C.5.2 and C.5.3)."""
    rows = []
    for name, (feature, words) in FEATURES.items():
        row, keywords = flag(name, words)
        rows.append((row, keywords | {"dest": feature}))
    add_group(parser, "features to negotiate", *rows)


def negotiation(
    parser: Parser, options: argparse.Namespace, operation: Operation
) -> tuple[settings.ExtendedNegotiation, ...]:
    """Return the items that propose the features that the user wants.

    Raises:
        SystemExit: The information model has no such feature (exit status 2).
    """
    if not any(getattr(options, feature) for feature, _ in FEATURES.values()):
        return ()
    from dimse.services.features import Features

    wanted = Features(**{feature: getattr(options, feature) for feature, _ in FEATURES.values()})
    try:
        return wanted.negotiation(query_options.model_of(options), operation)
    except ValueError as error:
        parser.error(str(error))


def add_options(parser: Parser, files: str = "files", events: str = "events") -> None:
    """Add the options about the retrieval, the files and the events; the titles of the latter two in the help may be given."""
    add_group(parser, "retrieval", *RETRIEVAL, RESOLVE)
    add_group(parser, files, *FILES)
    add_group(parser, events, *retrieve_events.ROWS)


def settle(parser: Parser, options: argparse.Namespace) -> None:
    """Check what argparse does not, and choose the log level: without a progress bar every step is logged."""
    if not query_options.has_keys(options):
        parser.error("-f and/or -k must be specified")
    if options.ignore and options.report is not None:
        parser.error("--report does not go with --ignore: nothing is kept that could be reported")
    model = query_options.model_of(options)
    if options.resolve and not (model.find and model.levels):
        parser.error(f"--resolve: the information model {model.name} has no C-FIND with levels")
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
