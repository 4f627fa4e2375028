"""The options that several tools have, declared in tables, and the types of their values.

`flag`, `option`, `repeatable`, `choice`, `constant` and `positional` make one row each. A row names an option as a user types
it, with a placeholder for its value: `"-to --timeout S"`. `common` marks the row of an option that `-h` shows, as it shows every
positional argument. `add_rows` gives rows to a parser or to a group of it.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

from dimse import settings, uids
from dimse.support.text import one_line
from dimse.support.values import fields
from dimse.tools.command_line import COMMON, Parser

# The units of a size.
UNITS = {"K": 2**10, "M": 2**20, "G": 2**30}

Row: TypeAlias = "tuple[list[str], dict[str, Any]]"
Type: TypeAlias = "Callable[[str], object]"


# --- rows


def flag(names: str, help: str) -> Row:
    """Return the row of an option without a value."""
    return names.split(), {"action": "store_true", "help": help}


def option(names: str, type: Type, default: object, help: str) -> Row:
    """Return the row of an option with one value."""
    *spellings, placeholder = names.split()
    return spellings, {"metavar": placeholder, "type": type, "default": default, "help": help}


def repeatable(names: str, type: Type, help: str) -> Row:
    """Return the row of an option that may be given several times; its values make a list."""
    spellings, keywords = option(names, type, [], f"{help}; repeatable")
    return spellings, keywords | {"action": "append"}


def choice(names: str, choices: Iterable[str], default: str | None, help: str) -> Row:
    """Return the row of an option whose value is one of several words; the help lists them."""
    return names.split(), {"choices": choices, "default": default, "help": help}


def constant(names: str, field: str, value: object, help: str) -> Row:
    """Return the row of an option without a value, which puts `value` into a field of the parsed options."""
    return names.split(), {"action": "store_const", "const": value, "dest": field, "help": help}


def positional(name: str, count: str | None, type: Type, help: str) -> Row:
    """Return the row of a positional argument; `count` is what argparse calls `nargs`."""
    return [name], {"nargs": count, "type": type, "help": help}


def common(row: Row) -> Row:
    """Return the row of an option that everybody needs, marked as such."""
    spellings, keywords = row
    return spellings, keywords | {COMMON: True}


def add_rows(group: argparse._ActionsContainer, rows: Iterable[Row]) -> None:
    """Add the rows of a table to a parser or a group."""
    for spellings, keywords in rows:
        own = dict(keywords)
        is_common = own.pop(COMMON, False)
        action = group.add_argument(*spellings, **own)
        # `dimse.tools.short_help` looks for it there.
        vars(action)[COMMON] = is_common


def add_group(parser: Parser, title: str, *rows: Row) -> None:
    """Add the rows of a table to a parser, as a group of their own in its help."""
    add_rows(parser.add_argument_group(title), rows)


# --- types of values


def number(least: float, most: float, kind: type[int] | type[float] = int) -> Type:
    """Return an argparse type for numbers from `least` to `most`."""

    def read(text: str) -> float:
        try:
            value = kind(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"{text!r} is not a number") from None
        if not least <= value <= most:
            raise argparse.ArgumentTypeError(f"{text} is not {least:.15g} to {most:.15g}")
        return value

    return read


def validated(check: Callable[..., object], kind: Type = str) -> Type:
    """Return an argparse type for values that `check` accepts; its `ValueError` becomes a usage error."""

    def read(text: str) -> object:
        try:
            return check(kind(text))
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return read


def _transfer_syntax(text: str) -> str:
    """Return the UID of the transfer syntax with this UID or keyword.

    Raises:
        ValueError: There is no such transfer syntax.
    """
    for uid, entry in uids.dictionary().items():
        if entry.kind == "Transfer Syntax" and text in (uid, entry.keyword):
            return uid
    raise ValueError(f"{text!r} is not a transfer syntax of PS3.6, by UID or keyword")


def _report_path(path: str) -> str:
    """Return the path of a report if its suffix is that of a format.

    Raises:
        ValueError: The suffix is another one.
    """
    if os.path.splitext(path)[1].lower() not in (".json", ".jsonl", ".csv"):
        raise ValueError(f"a report ends with .json, .jsonl or .csv, and {one_line(path)} does not")
    return path


def _rotation(text: str) -> int:
    """Return the size, in bytes, at which a log file is rotated; 0 for `daily`.

    Raises:
        ValueError: The text is neither a size of at least 1 KiB nor `daily`.
    """
    if text == "daily":
        return 0
    digits, unit = (text[:-1], text[-1]) if text[-1:] in UNITS else (text, "")
    size = int(digits) * UNITS.get(unit, 1) if digits.isascii() and digits.isdecimal() else 0
    if not 1024 <= size <= 2**50:
        raise ValueError(f"{text!r} is neither a size of 1K or more, such as 10M, nor daily")
    return size


def _network(text: str) -> str:
    from ipaddress import ip_network

    ip_network(text)
    return text


seconds = number(0, 1e9, float)
ae_title = validated(settings.validate_ae_title)
network = validated(_network)
transfer_syntax = validated(_transfer_syntax)
report_path = validated(_report_path)


# --- requests

REPEAT = option("--repeat N", number(1, 1e9), 1, "send each request N times (%(default)s)")

# --- output

AMOUNT = (
    flag("-q --quiet", "print nothing at all"),
    common(flag("-v --verbose", "log every step")),
    common(flag("-d --debug", "log everything, with PDUs and messages")),
)

LEVELS = ("critical", "error", "warning", "warn", "info", "debug")

LOG = (
    (
        ["-ll", "--log-level"],
        {"metavar": "L", "choices": LEVELS, "help": f"the least severe level: {', '.join(LEVELS)}"},
    ),
    option(
        "-lc --log-config F",
        str,
        None,
        "a Python logging configuration (INI, JSON or TOML); it can run code: use only files that you trust",
    ),
    choice("--log-format", ("text", "json"), "text", "json: one JSON object per line (%(default)s)"),
    flag("--log-time", "begin each line on stderr with the time"),
    option(
        "--log-file F", str, None, "append the log to this file, with times; stderr has its warnings and errors only"
    ),
    option("--log-rotate R", validated(_rotation), None, "begin a new log file at this size, such as 10M, or daily"),
    option("--log-keep N", number(1, 1000), 7, "rotated log files to keep, F.1 the newest (%(default)s)"),
    flag("--log-phi", "do not hide data that may identify patients"),
)


def add_output(parser: Parser, more: Iterable[Row] = ()) -> None:
    """Add the options about output, and a tool's own to the same group of the help."""
    group = parser.add_argument_group("output")
    add_rows(group.add_mutually_exclusive_group(), AMOUNT)
    add_rows(group, (*LOG, *more))


# --- associations

WAITS = {
    "connect": ("-to --timeout S", "connecting"),
    "acse": ("-ta --acse-timeout S", "an answer to an association or release request"),
    "dimse": ("-td --dimse-timeout S", "a response, from the last byte of its request"),
    "network": ("-tn --network-timeout S", "no byte moves while a message is under way"),
    "idle": ("--idle-timeout S", "no request comes on an association"),
}


def waits(*names: str) -> Iterable[Row]:
    """Return the rows of deadlines, each named as its field of `dimse.Timeouts`."""
    usual = settings.Timeouts()
    for name in names:
        spellings, limited = WAITS[name]
        words = f"{limited}: seconds (%(default)s), 0 is unlimited"
        row, keywords = option(spellings, seconds, getattr(usual, name), words)
        yield row, keywords | {"dest": f"{name}_timeout"}


def timeouts(options: argparse.Namespace) -> settings.Timeouts:
    """Return the deadlines that the user asked for."""
    given = {name: getattr(options, f"{name}_timeout", None) for name in fields(settings.Timeouts)}
    return settings.Timeouts(**{name: value for name, value in given.items() if value is not None})


def retry(words: str) -> Row:
    """Return the row of `--retry`; `words` say what is tried again, and when."""
    return option("--retry N", number(0, 1000), 0, f"{words} (%(default)s)")


RETRY_WAIT = option(
    "--retry-wait S",
    seconds,
    1.0,
    "seconds before the first retry (%(default)s); each further wait is four times as long, up to a minute",
)


def maximum_length(default: int) -> Row:
    """Return the row of the Maximum Length that we announce (PS3.8 D.1)."""
    return option(
        "-pdu --max-pdu N",
        validated(settings.validate_maximum_length, int),
        default,
        "largest P-DATA PDU that we receive: 0 (unlimited) or 4096 and more bytes (%(default)s)",
    )
