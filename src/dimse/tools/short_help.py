"""The short help of a tool, on one screen: its arguments, the options that everybody needs, and examples."""

from __future__ import annotations

import argparse
import re
import textwrap
from collections.abc import Iterator, Sequence

from dimse.tools.command_line import COMMON, Parser

LAST_LINE = "--help shows all options"
# Lines of the whole, unless there is more to show without any example but two.
SCREEN = 30
# Columns of an option with its value; a longer one has a line of its own.
WIDEST = 28
# The part of an explanation in front of the first semicolon that is not within parentheses.
FIRST_PART = re.compile(r"(?:\([^)]*\)|[^;(])*")


def short_help(parser: Parser) -> str:
    """Return the help of a parser with its positional arguments and common options only, and examples.

    An option has at most two spellings there, and its explanation ends at the first semicolon.
    """
    shown = [action for action in parser._actions if not action.option_strings or vars(action).get(COMMON)]
    lines = [
        *parser.format_usage().splitlines(),
        "",
        *textwrap.wrap(parser.description or "", parser.columns),
        "",
        *_in_columns([_entry(parser, action) for action in shown], parser.columns),
        "",
        "examples:",
    ]
    for number, example in enumerate(parser.examples):
        shown_so = list(_example(*example, parser.columns))
        if number >= 2 and len(lines) + len(shown_so) + 2 > SCREEN:
            break
        lines += shown_so
    return "\n".join([*lines, "", LAST_LINE, ""])


def _entry(parser: Parser, action: argparse.Action) -> tuple[str, str]:
    """Return an argument as a user types it, and its explanation."""
    words = parser._get_formatter()._expand_help(action)
    found = FIRST_PART.match(words)
    words = found[0] if found else words
    if not action.option_strings:
        return action.dest, words
    first, *others = action.option_strings
    long = [spelling for spelling in others if spelling.startswith("--") and not first.startswith("--")]
    value = "" if action.nargs == 0 else f" {action.metavar}"
    return ", ".join((first, *long[:1])) + value, words


def _in_columns(entries: Sequence[tuple[str, str]], columns: int) -> Iterator[str]:
    width = min(max(len(typed) for typed, _ in entries), WIDEST)
    for typed, words in entries:
        lines = textwrap.wrap(words, max(columns - width - 4, 20))
        if len(typed) > width:
            yield f"  {typed}"
        else:
            yield f"  {typed:{width}}  {lines.pop(0)}"
        yield from (f"  {'':{width}}  {line}" for line in lines)


def _example(command: str, effect: str, columns: int) -> Iterator[str]:
    """Yield a command with its effect, below it if there is no room behind it."""
    if len(command) + len(effect) + 4 <= columns:
        yield f"  {command}  {effect}"
    else:
        yield from (f"  {command}", f"      {effect}")
