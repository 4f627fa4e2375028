"""Tables on stdout: the plan of a dry run, and the content of a journal.

On a terminal rich sets them, and wraps a cell that is too wide inside its column. In a pipe, and if they are long, they are
plain lines for scripts. There, columns are at least two spaces apart, and no cell is empty, cut or wrapped. Rows are printed
as they come, so that memory use does not depend on the length.
"""

from __future__ import annotations

import sys
from contextlib import contextmanager
from itertools import count, islice
from typing import TYPE_CHECKING, TextIO

from dimse import uids
from dimse.support.text import counted, host_and_port, one_line
from dimse.tools.running import UNWRITTEN

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from dimse.instances import InstanceFile
    from dimse.sending.journal import Entry
    from dimse.settings import ProposedContext

Cell = str | int
# Rows that decide the widths of the columns. A wider cell further down makes its own row wider.
LOOKED_AT = 1000
# The text of an empty cell.
NOTHING = "-"


@contextmanager
def printing() -> Iterator[None]:
    """Run a body that prints, and end it if its reader has closed the pipe, which is not an error.

    Raises:
        SystemExit: The output cannot be written; `dimse.__main__.command` says so on stderr.
    """
    try:
        yield
    except BrokenPipeError:
        pass
    except OSError as error:
        raise SystemExit(UNWRITTEN) from error


def print_table(columns: Sequence[str], rows: Iterable[Sequence[Cell]], file: TextIO) -> None:
    """Print a table.

    Args:
        columns: The headings; ">" at the head of one marks a column of numbers, which are aligned to the right.
        rows: The rows, with a cell for each column. Text may be a peer's; it is escaped.
        file: The stream to print to.
    """
    rest = iter(rows)
    first = list(islice(rest, LOOKED_AT))
    if file.isatty() and len(first) < LOOKED_AT:
        _print_set(columns, first, file)
    else:
        _print_plain(columns, first, rest, file)


def _print_set(columns: Sequence[str], rows: Iterable[Sequence[Cell]], file: TextIO) -> None:
    """Print a table for people, within the width of the terminal."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, header_style="bold")
    for column in columns:
        number = column.startswith(">")
        table.add_column(column.lstrip(">"), justify="right" if number else "left", no_wrap=number, overflow="fold")
    for row in rows:
        # `Text` is not parsed as markup: a file may be called "[red]".
        table.add_row(*(Text(f"{cell:,}" if isinstance(cell, int) else _shown(cell)) for cell in row))
    Console(file=file).print(table)


def _print_plain(
    columns: Sequence[str], first: Sequence[Sequence[Cell]], rest: Iterable[Sequence[Cell]], file: TextIO
) -> None:
    """Print a line for each row, for scripts."""
    lines = [[_shown(cell) for cell in row] for row in ([column.lstrip(">") for column in columns], *first)]
    widths = [max(map(len, cells)) for cells in zip(*lines, strict=True)]
    sides = [">" if column.startswith(">") else "<" for column in columns]
    if sides[-1] == "<":
        # No blanks at the end of a line.
        widths[-1] = 0
    line = "  ".join(f"{{:{side}{width}}}" for side, width in zip(sides, widths, strict=True)) + "\n"
    file.writelines(line.format(*cells) for cells in lines)
    file.writelines(line.format(*map(_shown, row)) for row in rest)


def _shown(cell: Cell) -> str:
    return str(cell) if isinstance(cell, int) else one_line(cell) or NOTHING


# --- storescu --dry-run


def dry_run(
    files: Iterable[InstanceFile], proposals: Iterable[Sequence[ProposedContext]], file: TextIO | None = None
) -> None:
    """Print the files that would be sent, the contexts that would be proposed, and the totals.

    Args:
        files: The files that would be sent.
        proposals: The contexts of each association, in the order of their IDs (PS3.8 9.3.2.2: 1, 3, 5, ...). It is read
            after the last file.
        file: The stream to print to; by default stdout.
    """
    out = file or sys.stdout
    sent = size = associations = 0

    def instances() -> Iterator[Sequence[Cell]]:
        nonlocal sent, size
        for instance in files:
            sent += 1
            size += instance.data_set_size
            sop_class, syntax = uids.name(instance.sop_class_uid), uids.name(instance.transfer_syntax_uid)
            yield instance.data_set_size, sop_class, syntax, instance.path

    def contexts() -> Iterator[Sequence[Cell]]:
        nonlocal associations
        for proposal in proposals:
            associations += 1
            for context_id, context in zip(count(1, 2), proposal, strict=False):
                syntaxes = "; ".join(map(uids.name, context.transfer_syntaxes))
                yield associations, context_id, uids.name(context.abstract_syntax), syntaxes

    with printing():
        print_table((">bytes", "SOP class", "transfer syntax", "file"), instances(), out)
        out.write("\n")
        print_table((">association", ">context ID", "abstract syntax", "transfer syntaxes"), contexts(), out)
        out.write(
            f"\n{counted(sent, 'file', separator=',')}, {size:,} bytes, {counted(associations, 'association', separator=',')}\n"
        )


# --- storescu --status


def journal_status(entries: Callable[[], Iterable[Entry]], *, every: bool, file: TextIO | None = None) -> None:
    """Print a journal: totals for each peer, and the files that are not acknowledged.

    Args:
        entries: Returns the rows. It is called twice, so that they are never all in memory.
        every: Whether to list acknowledged files too.
        file: The stream to print to; by default stdout.

    Raises:
        JournalError: `entries` raises it.
    """
    from dimse.sending.journal import ACKED

    out = file or sys.stdout
    # Instances and bytes by peer and state.
    totals: dict[tuple[str, str, str], tuple[int, int]] = {}
    for entry in entries():
        number, size = totals.get(key := (*_peer(entry), entry.state), (0, 0))
        totals[key] = number + 1, size + entry.size
    with printing():
        print_table(
            ("peer", "called AE title", "state", ">instances", ">bytes"),
            ((*key, *total) for key, total in sorted(totals.items())),
            out,
        )
        if every or any(state != ACKED for _, _, state in totals):
            out.write("\n")
            _print_entries((entry for entry in entries() if every or entry.state != ACKED), totals, out)


def _print_entries(entries: Iterable[Entry], totals: Iterable[tuple[str, str, str]], file: TextIO) -> None:
    """Print a row for each entry, with its peer if there are several."""
    several = len({(peer, title) for peer, title, _ in totals}) > 1
    columns = ("state", "status", ">attempts", "SOP instance UID", "file")

    def row(entry: Entry) -> Sequence[Cell]:
        status = "" if entry.status is None else f"0x{entry.status:04X}"
        own = entry.state, status, entry.attempts, entry.sop_instance_uid, entry.path
        return (*_peer(entry), *own) if several else own

    print_table(("peer", "called AE title", *columns) if several else columns, map(row, entries), file)


def _peer(entry: Entry) -> tuple[str, str]:
    return host_and_port(entry.host, entry.port), entry.called_ae_title
