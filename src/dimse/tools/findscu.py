"""findscu: query a peer (PS3.4 Annex C, and the other services with C-FIND)."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from dimse.tools import audit, query_options, requesting, running
from dimse.tools.command_line import Parser
from dimse.tools.find_output import FORMATS
from dimse.tools.options import (
    REPEAT,
    Row,
    add_group,
    add_rows,
    choice,
    common,
    constant,
    flag,
    number,
    option,
    positional,
    seconds,
    validated,
)

if TYPE_CHECKING:
    from dimse.services.features import Features

MODELS = (
    common(constant("-W --worklist", "model", "worklist", "Modality Worklist")),
    constant("-U --ups", "model", "ups", "Unified Procedure Step Pull"),
    constant("--ups-watch", "model", "ups-watch", "Unified Procedure Step Watch"),
    constant("--ups-query", "model", "ups-query", "Unified Procedure Step Query"),
)

# By option: the feature of `Features`, and the help.
FEATURES = {
    "--relational-query": ("relational", "keys of any level"),
    "--dt-matching": ("date_time", "a range of dates and one of times as one range"),
    "--fuzzy-names": ("fuzzy_names", "similar names"),
    "--timezone-adj": ("timezone", "dates and times in the time zone of the query"),
    "--enhanced-conversion": ("enhanced_conversion", "instances as converted from or to multi-frame ones"),
    "--empty-values": ("empty_values", 'the value "" matches what has no value; exit status 3 if refused'),
    "--multiple-values": ("multiple_values", "all values of a key must match; exit status 3 if refused"),
}


def _keyword(text: str) -> int:
    from dimse.data_set.keys import find_tag

    return find_tag(text)


def _keywords(text: str) -> list[int]:
    return [_keyword(word.strip()) for word in text.split(",")]


def _split(text: str) -> str | int:
    if text in ("auto", "never"):
        return text
    if not re.fullmatch("[0-9]{1,5}", text) or not int(text):
        raise ValueError(f"{text!r} is not auto, never or a number of days, 1 to 99999")
    return int(text)


OUTPUT: tuple[Row, ...] = (
    choice(
        "--format",
        FORMATS,
        None,
        "the matches on stdout (table on a terminal); log: in the log on stderr (the default)",
    ),
    option("--columns KEYS", validated(_keywords), None, "columns of a table or CSV, separated by commas (all keys)"),
    option("--sort KEY", validated(_keyword), None, "sort a table or CSV by this key"),
    flag("--count", "print only the number of matches"),
    flag("-w --write -X --extract", "write each match to a file, rsp000001.dcm and so on; those that exist are kept"),
    option("-od --output-directory D", str, ".", "where -w writes (the current folder)"),
    option("--extract-json F", str, None, "write all matches to a file, as one array of DICOM JSON"),
    audit.OPTION,
)

BEHAVIOUR: tuple[Row, ...] = (
    option("--limit N", number(1, 1e9), None, "take N matches of each query, cancel the rest, and call that a success"),
    choice(
        "--expand",
        ("series", "image"),
        None,
        "ask for the series of each study too, or for their images: a row for each of these, with what is above it",
    ),
    option("--cancel N", number(1, 1e9), None, "send C-CANCEL after N matches, and take what comes after it"),
    option(
        "--max-responses N",
        number(1, 1e9),
        1_000_000,
        "the most matches of one query; a peer that sends more is aborted (%(default)s)",
    ),
    option("--find-timeout-total S", seconds, 0.0, "the whole of a query: seconds (%(default)s), 0 is unlimited"),
    option(
        "--assume-charset C",
        str,
        None,
        "how to read text that names no character set (UTF-8 if valid, else ISO_IR 100)",
    ),
    option(
        "--split WHEN",
        validated(_split),
        "auto",
        "ask for studies in parts: auto, where the peer cuts the result short; never; or a number of days, which each part has from"
        " the start (%(default)s)",
    ),
    option("--peer-limit N", number(1, 1e9), None, "the peer stops silently after N matches: take that as cut short"),
    flag("--strict", "drop matches that contradict a key"),
    flag("--fail-empty", "exit status 3 if nothing matched"),
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the tool, and return its exit status."""
    parser = Parser(
        "findscu",
        "Query a peer with C-FIND: for patients, studies, series, images, a worklist.",
        (
            ("findscu pacs.example.org 104 --patient-name 'DOE*' -r @study", "studies of a patient"),
            ("findscu -S pacs.example.org 104 --study-date today -r @study --format csv", "as CSV"),
            (
                "findscu -S pacs.example.org 104 --accession A1 -r @study --format uid",
                "UIDs, one a line",
            ),
            ("findscu -W -aec RIS ris.example.org 104 -r @worklist", "the worklist"),
        ),
        positionals="addr port [query-file ...]",
    )
    requesting.add_options(
        parser,
        "FINDSCU",
        arguments=[positional("files", "*", str, "files with keys, as -f")],
        output=OUTPUT,
    )
    query_options.add_options(parser, "find", MODELS)
    features: list[tuple[list[str], dict[str, Any]]] = []
    for name, (feature, words) in FEATURES.items():
        row, keywords = flag(name, words)
        features.append((row, keywords | {"dest": feature}))
    add_group(parser, "features to negotiate", *features)
    add_group(parser, "matches", *BEHAVIOUR)
    add_rows(parser, [REPEAT])
    options, logger = requesting.read(parser, arguments, lambda options: _settle(parser, options))
    audit.settle(parser, options, options.calling_aet, sends=True)
    from dimse.tools import querying

    def work() -> int:
        with audit.keeping(options.trail):
            return querying.query(options, _features(options), logger)

    return running.run(work, logger)


def _settle(parser: Parser, options: argparse.Namespace) -> None:
    """Check what argparse does not, and choose the format and the log level."""
    if not query_options.has_keys(options):
        parser.error("-f and/or -k must be specified")
    if options.format is None:
        options.format = "table" if sys.stdout.isatty() and not options.count else "log"
    if options.expand:
        _settle_expansion(parser, options)
    for name in ("sort", "columns"):
        if getattr(options, name) is not None and options.format not in ("table", "csv"):
            parser.error(f"--{name} goes with --format table or csv")
    if not (options.quiet or options.verbose or options.debug or options.log_level):
        options.log_level = "info" if options.format == "log" and not options.count else "warning"


def _settle_expansion(parser: Parser, options: argparse.Namespace) -> None:
    levels = query_options.model_of(options).levels
    if not {"STUDY", "IMAGE"} <= set(levels):
        parser.error(f"--expand: the information model {options.model} has no levels of studies, series and images")
    if options.level not in (None, "STUDY"):
        parser.error("--expand begins with studies: it goes with --level study only")
    options.level = "STUDY"


def _features(options: argparse.Namespace) -> Features:
    from dimse.services.features import Features

    return Features(**{feature: getattr(options, feature) for feature, _ in FEATURES.values()})
