"""archive: fill, list, check and repair the archive of a qrscp, without a network."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Sequence
from importlib import import_module
from typing import get_args

from dimse.archive.file_store import Durability, OnDuplicate
from dimse.archive.layout import Layout
from dimse.support.values import value
from dimse.tools import log_setup, query_options, running
from dimse.tools.command_line import Parser
from dimse.tools.options import (
    Row,
    add_group,
    add_output,
    add_rows,
    choice,
    common,
    flag,
    number,
    option,
    repeatable,
    validated,
)

FORMATS = ("table", "json", "jsonl", "csv", "uid")
"""The formats; "uid" is for lists of entities only."""

LEVELS = ("patient", "study", "series", "image", "instance")


@value
class Command:
    """A command of the tool.

    Attributes:
        module: The module of `dimse.tools` with its function, which has the name of the command.
        arguments: Its arguments, as usage shows them; "..." for any number of the last one.
        least: The least number of arguments.
        most: The most.
        takes: The options that it takes besides those of all commands, by the names of their values.
    """

    module: str
    arguments: str
    least: int = 0
    most: int = 0
    takes: tuple[str, ...] = ()


_KEYS = ("key", *(f"key_{keyword}" for keyword in query_options.USUAL_KEYS))

COMMANDS = {
    "import": Command(
        "archive_import",
        "PATH ...",
        1,
        1_000_000,
        ("link", "jobs", "on_duplicate", "durability", "layout", "no_progress"),
    ),
    "list": Command("archive_listing", "[LEVEL]", 0, 1, (*_KEYS, "return", "columns", "sort", "limit")),
    "stats": Command("archive_listing", ""),
    "duplicates": Command("archive_listing", ""),
    "export": Command("archive_export", "FOLDER", 1, 1, (*_KEYS, "everything", "link", "layout", "no_progress")),
    "check": Command("archive_upkeep", "", takes=("full", "no_progress")),
    "reindex": Command("archive_upkeep", "", takes=("full", "jobs", "no_progress")),
    "delete": Command("archive_changes", "LEVEL UID", 2, 2),
    "move-study": Command("archive_changes", "UID PATIENT", 2, 2, ("issuer",)),
    "clean": Command("archive_changes", "", takes=("yes",)),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the tool, and return its exit status."""
    parser = make_parser()
    options = parser.read(arguments)
    _settle(parser, options)
    logger = log_setup.start_logging(parser, options)

    return running.run(lambda: perform(options.command, options, logger), logger)


def perform(command: str, options: argparse.Namespace, logger: logging.Logger) -> int:
    """Perform a command, and return its exit status: 1 if the archive cannot be opened, and 3 for any other failure."""
    from dimse.errors import DatabaseError
    from dimse.tools import wording
    from dimse.tools.archive_places import UnusableArchive

    module = import_module(f"dimse.tools.{COMMANDS[command].module}")
    try:
        status: int = getattr(module, f"{command.replace('-', '_')}_command")(options, logger)
    except UnusableArchive as error:
        logger.error("%s", error)
        return running.NO_ASSOCIATION
    except (DatabaseError, OSError) as error:
        logger.error("%s", wording.reason_with_path(error))
        return running.SHORTFALL
    return status


def make_parser() -> Parser:
    """Return the parser."""
    parser = Parser(
        "archive",
        "Fill, list, check and repair the archive of a qrscp. Its files are never changed.",
        (
            ("dimse archive import /mnt/disk", "take the DICOM files below a folder"),
            ("dimse archive list --patient-name 'DOE*'", "the studies of a patient"),
            ("dimse archive list series --study-uid 1.2.3 --format csv", "the series of a study"),
            ("dimse archive export out --study-uid 1.2.3", "copy the files of a study"),
            ("dimse archive check --full", "compare the index and the files, byte for byte"),
            ("dimse archive reindex", "build the index again from the files"),
        ),
        positionals="COMMAND [argument ...]",
        program="dimse archive",
    )
    add_rows(
        parser,
        (
            (["command"], {"choices": tuple(COMMANDS), "metavar": "COMMAND", "help": _commands_help()}),
            (["arguments"], {"nargs": "*", "metavar": "argument", "help": _arguments_help()}),
        ),
    )
    add_group(parser, "archive", *_PLACES)
    add_group(parser, "list and export: keys", *_of_keys())
    add_group(parser, "list", *_LIST)
    add_group(parser, "import and export", *_FILES)
    add_group(parser, "check, reindex and import", *_UPKEEP)
    add_group(parser, "changes", *_CHANGES)
    add_output(parser, _OUTPUT)
    return parser


def _commands_help() -> str:
    return ", ".join(COMMANDS)


def _arguments_help() -> str:
    shown = [f"{name}: {command.arguments}" for name, command in COMMANDS.items() if command.arguments]
    return "; ".join(shown) + "; a LEVEL is study, series or image, for list patient too"


def _keyword(text: str) -> int:
    from dimse.data_set.keys import find_tag

    return find_tag(text)


def _keywords(text: str) -> list[int]:
    return [_keyword(word.strip()) for word in text.split(",")]


_PLACES = (
    common(option("-c --config F", str, None, "the configuration of qrscp, for the two places below")),
    common(
        option("--instance-location D", str, None, "folder of the files (that which the index knows, else instances)")
    ),
    common(
        option(
            "--database-location F",
            str,
            None,
            "index of the files: a file for SQLite, or a URL that begins with postgresql:// (instances.sqlite)",
        )
    ),
)


def _of_keys() -> list[Row]:
    rows: list[Row] = [repeatable("-k --key KEY", str, "a key, KEYWORD=VALUE or gggg,eeee=VALUE")]
    for keyword, (names, keywords) in query_options.USUAL_KEYS.items():
        rows.append((names, keywords | {"dest": f"key_{keyword}"}))
    return [*rows, flag("--everything", "export: all files, without a key")]


_LIST = (
    repeatable("-r --return KEYS", str, "keys to show, separated by commas; @study @series @image stand for several"),
    option("--columns KEYS", validated(_keywords), None, "columns of a table or CSV, separated by commas (all keys)"),
    option("--sort KEY", validated(_keyword), None, "sort a table or CSV by this key"),
    option("--limit N", number(1, 1e9), None, "show N entities at most"),
)

_FILES = (
    common(flag("--link", "make hard links where the file system has them, in place of copies")),
    option("--layout T", validated(Layout), None, "where a file goes in the folder, as of qrscp and storescp"),
    choice(
        "--on-duplicate",
        get_args(OnDuplicate),
        None,
        "import: when a SOP Instance UID is there with other bytes (keep-both)",
    ),
    choice(
        "--durability",
        get_args(Durability),
        None,
        "import: full waits for the disk; none leaves that to the system (full)",
    ),
)

_UPKEEP = (
    common(flag("--full", "check, reindex: read every file completely, for its digest")),
    option("--jobs N", number(1, 64), None, "import, reindex: files that are read at one time (4)"),
    flag("--no-progress", "show no progress bar"),
)

_CHANGES = (
    option("--issuer TEXT", str, None, "move-study: Issuer of Patient ID"),
    flag("--yes", "clean: remove everything without asking"),
)

_OUTPUT = (common(choice("--format", FORMATS, "table", "table, json, jsonl, csv; list has uid too (%(default)s)")),)


def _settle(parser: Parser, options: argparse.Namespace) -> None:
    """Check what argparse does not.

    Raises:
        SystemExit: The usage is wrong (exit status 2).
    """
    name, command = options.command, COMMANDS[options.command]
    if not command.least <= len(options.arguments) <= command.most:
        parser.error(f"{name} takes these arguments: {command.arguments or 'none'}")
    known = {option for each in COMMANDS.values() for option in each.takes}
    for action in parser.actions():
        if action.dest in known - set(command.takes) and getattr(options, action.dest):
            parser.error(f"{max(action.option_strings, key=len)} does not go with {name}")
    if options.format == "uid" and name != "list":
        parser.error("--format uid goes with list")
    if name in ("list", "delete") and options.arguments:
        level = options.arguments[0].lower()
        allowed = LEVELS if name == "list" else LEVELS[1:]
        if level not in allowed:
            parser.error(f"the level is one of {', '.join(allowed)}, not {options.arguments[0]!r}")
