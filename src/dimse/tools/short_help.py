"""The short help of a tool, on one screen: its arguments, the options that everybody needs, and examples."""

from __future__ import annotations

import argparse
import re
import textwrap
from collections.abc import Iterable, Iterator, Sequence

LAST_LINE = "--help shows all options"
# Lines of the whole, unless there is more to show without any example but two.
SCREEN = 30
# Columns of an option with its value; a longer one has a line of its own.
WIDEST = 28
# Columns that an explanation needs behind it.
NARROWEST = 20
# The part of an explanation in front of the first semicolon that is not within parentheses.
FIRST_PART = re.compile(r"(?:\([^)]*\)|[^;(])*")


def short_help(
    parser: argparse.ArgumentParser,
    shown: Iterable[argparse.Action],
    examples: Iterable[tuple[str, str]],
    columns: int,
) -> str:
    """Return the help of a parser with some of its arguments only, and examples.

    An option has at most two spellings there, and its explanation ends at the first semicolon.

    Args:
        parser: The parser.
        shown: The positional arguments and the common options.
        examples: Commands, each with its effect.
        columns: The width of the lines.
    """
    lines = [
        *parser.format_usage().splitlines(),
        "",
        *textwrap.wrap(parser.description or "", columns),
        "",
        *_in_columns([_entry(parser, action) for action in shown], columns),
        "",
        "examples:",
    ]
    for number, (command, effect) in enumerate(examples):
        example = list(_example(command, effect, columns))
        if number >= 2 and len(lines) + len(example) + 2 > SCREEN:
            break
        lines += example
    return "\n".join([*lines, "", LAST_LINE])


def _entry(parser: argparse.ArgumentParser, action: argparse.Action) -> tuple[str, str]:
    """Return an argument as a user types it, and its explanation."""
    words = parser._get_formatter()._expand_help(action)
    found = FIRST_PART.match(words)
    words = found[0] if found else words
    if not action.option_strings:
        return str(action.metavar or action.dest), words
    first, *others = action.option_strings
    long = [spelling for spelling in others if spelling.startswith("--") and not first.startswith("--")]
    value = "" if action.nargs == 0 else f" {action.metavar or 'WORD'}"
    return ", ".join((first, *long[:1])) + value, words


def _in_columns(entries: Sequence[tuple[str, str]], columns: int) -> Iterator[str]:
    width = min(max(len(typed) for typed, _ in entries), WIDEST)
    if columns - width - 4 < NARROWEST:
        # The explanations stand below what they explain.
        width = 2
    for typed, words in entries:
        lines = textwrap.wrap(words, max(columns - width - 4, 1))
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
