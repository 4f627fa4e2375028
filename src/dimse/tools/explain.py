"""explain: say what a line of the tools means, and what to do. It needs no network."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from dimse.support.text import one_line
from dimse.tools import running
from dimse.tools.command_line import Parser
from dimse.tools.options import add_rows, common, flag, positional

if TYPE_CHECKING:
    from dimse.tools.explanations.entry import Entry

# Lines of one explanation that are printed.
MOST_TEMPLATES = 8
# Other explanations that are named for a line.
MOST_OTHERS = 3
WIDEST = 100
# The services whose statuses are explained, with the name of the operation of each.
SERVICES = {"storage": "C-STORE", "find": "C-FIND", "get": "C-GET", "move": "C-MOVE"}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the tool, and return its exit status."""
    parser = Parser(
        "explain",
        "Say what a line that a tool has printed means, and what to do. Without arguments, list the codes by subject.",
        (
            ("dimse explain E002", "the explanation of DIMSE-E002"),
            ("dimse explain 'E: Association Rejected'", "the explanation of a line"),
            ("dimse explain 0xA700", "the meaning of a status of a peer"),
            ("dimse explain --list", "every line that has an explanation, with its code"),
        ),
        positionals="[code ... | status | line]",
        program="dimse explain",
    )
    add_rows(
        parser,
        (
            positional("words", "*", str, "codes such as E002, a status such as 0xA700, or a line as it was printed"),
            common(flag("--list", "list every line with its code")),
        ),
    )
    options = parser.read(arguments)
    answer = list(_answer(parser, options))
    try:
        print(*answer, sep="\n")
    except BrokenPipeError:
        pass  # its reader is gone
    except OSError as error:
        raise SystemExit(running.UNWRITTEN) from error
    return running.SUCCESS


def _answer(parser: Parser, options: argparse.Namespace) -> Iterator[str]:
    """Yield the lines to print.

    Raises:
        SystemExit: A code or a line is not known (exit status 2).
    """
    from dimse.tools.explanations import ENTRIES, explanations_of, named_in, near, normalized

    if options.list:
        yield from _all_lines()
        return
    if not options.words:
        yield from _overview()
        return
    given = " ".join(options.words)
    codes = named_in(given) or [normalized(word) for word in options.words]
    if all(codes):
        for number, code in enumerate(codes):
            if code not in ENTRIES:
                parser.exit(
                    running.USAGE, f"dimse explain: there is no code {code}; near it are {', '.join(near(code))}\n"
                )
            if number:
                yield ""
            yield from _explained(ENTRIES[code])
        return
    if (status := _status(given)) is not None:
        yield from _explained_status(status)
        return
    found = explanations_of(given)
    if not found:
        words = f"dimse explain: no line of the tools looks like {one_line(given)!r}: see dimse explain --list\n"
        parser.exit(running.USAGE, words)
    yield from _explained(found[0])
    if others := [entry.code for entry in found[1 : 1 + MOST_OTHERS]]:
        yield ""
        yield f"Parts of this line: {', '.join(others)}"


def _status(given: str) -> int | None:
    """Return the DIMSE status that is given as 0xA700, A700H or A700; None if it is something else."""
    found = re.fullmatch(r"(?:0x)?([0-9a-f]{4})h?", given, re.IGNORECASE)
    # Four digits alone may be a code of ours.
    return None if found is None or given.isdecimal() else int(found[1], 16)


def _explained_status(code: int) -> Iterator[str]:
    """Yield the meaning of a status in each service, and the explanation of a file that was not stored with it."""
    from dimse.message.status import Status
    from dimse.tools.explanations import explanation_of

    yield f"0x{code:04X}"
    yield ""
    for service, name in SERVICES.items():
        status = Status(code, service=service)
        yield f"    {name:7}  {status.category}: {status.meaning}"
    entry = explanation_of(f"Store failed: file: {Status(code, service='storage')}")
    if entry is not None and not entry.is_general:
        yield ""
        yield from _explained(entry)


def _explained(entry: Entry) -> Iterator[str]:
    """Yield the lines of an explanation."""
    yield entry.name
    yield ""
    for template in entry.templates[:MOST_TEMPLATES]:
        yield f"    {template}"
    if (more := len(entry.templates) - MOST_TEMPLATES) > 0:
        yield f"    ... and {more} more (dimse explain --list)"
    for title, text in (("What it means", entry.cause), ("What to do", entry.cure)):
        yield ""
        yield from _wrapped(f"{title}: {text}")


def _overview() -> Iterator[str]:
    """Yield the subjects with their codes."""
    from dimse.tools.explanations import SUBJECTS

    for subject in SUBJECTS:
        yield subject.title
        yield from _wrapped(" ".join(entry.code for entry in subject.entries), indent="    ")
        yield ""
    yield "`dimse explain CODE` or `dimse explain 'LINE'` explains one; `dimse explain --list` prints every line."


def _all_lines() -> Iterator[str]:
    """Yield every line that has an explanation, with its code."""
    from dimse.tools.explanations import ENTRIES

    for entry in ENTRIES.values():
        for template in entry.templates:
            yield f"{entry.code}  {template}"


def _wrapped(text: str, indent: str = "") -> Iterable[str]:
    """Return a text in lines that fit the terminal."""
    from shutil import get_terminal_size
    from textwrap import wrap

    width = min(get_terminal_size().columns, WIDEST)
    return wrap(text, max(width, 30), initial_indent=indent, subsequent_indent=indent, break_on_hyphens=False)
