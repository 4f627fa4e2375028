"""The options of qrscp for the upkeep of its archive: the commands of `dimse archive`, in place of serving it."""

from __future__ import annotations

import argparse
import logging

from dimse.tools.command_line import Parser
from dimse.tools.options import Row, add_rows, choice, flag

_LEVELS = ("study", "series", "image", "instance")

# The commands of `dimse archive`, each with the option that asks for it.
COMMANDS: dict[str, Row] = {
    "check": flag("--check", "compare index and files, print what is wrong, and exit"),
    "reindex": flag("--reindex", "build the index again from the files, and exit"),
    "duplicates": flag("--duplicates", "list files that are kept beside those that are served, and exit"),
    "delete": (
        ["--delete"],
        {"nargs": 2, "metavar": ("LEVEL", "UID"), "help": "delete a study, series or instance, and exit"},
    ),
    "move-study": (
        ["--move-study"],
        {
            "nargs": 2,
            "metavar": ("UID", "PATIENT"),
            "help": "give a study to the patient with this Patient ID, and exit",
        },
    ),
    "clean": flag("--clean", "remove all rows and their files after a yes on the terminal, and exit"),
}

_HOW = (
    flag("--full", "with --check and --reindex: read every file completely, for its digest"),
    flag("--yes", "with --clean: do not ask"),
    choice(
        "--format", ("table", "json", "jsonl", "csv"), "table", "the form of what these options print (%(default)s)"
    ),
)


def add_options(parser: Parser) -> None:
    """Add the options, of which a command line has one at most."""
    group = parser.add_argument_group("upkeep")
    add_rows(group.add_mutually_exclusive_group(), COMMANDS.values())
    add_rows(group, _HOW)


def asked(parser: Parser, options: argparse.Namespace) -> str:
    """Return the command that is asked for; empty for none.

    Raises:
        SystemExit: The level is unknown, or an option is without the one that it goes with (exit status 2).
    """
    command = next((name for name in COMMANDS if getattr(options, name.replace("-", "_"))), "")
    if command == "delete" and options.delete[0].lower() not in _LEVELS:
        parser.error(f"the level is one of {', '.join(_LEVELS)}, not {options.delete[0]!r}")
    if options.full and command not in ("check", "reindex"):
        parser.error("--full goes with --check or --reindex")
    if options.yes and command != "clean":
        parser.error("--yes goes with --clean")
    return command


def perform(command: str, options: argparse.Namespace, logger: logging.Logger) -> int:
    """Perform a command on the archive that the options name, and return the exit status."""
    from dimse.tools import archive

    arguments = getattr(options, command.replace("-", "_"))
    given = argparse.Namespace(**vars(options))
    given.arguments = arguments if isinstance(arguments, list) else []
    # The places of the configuration are among the options.
    given.config, given.instance_location = None, options.output_directory
    given.issuer, given.jobs, given.no_progress = None, None, False
    return archive.perform(command, given, logger)
