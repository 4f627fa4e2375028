"""The options about the folder that received instances are kept in, and the store that they ask for."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, get_args

import dimse
from dimse import uids
from dimse.archive import FileStore
from dimse.archive.file_store import MOST_DUPLICATES, Durability, OnDuplicate
from dimse.archive.layout import DEFAULT, FIELDS, Layout
from dimse.association.sinks import DiscardSink
from dimse.tools.options import Row, choice, common, flag, number, option, repeatable, validated

if TYPE_CHECKING:
    from dimse.archive.stored import Stored


def _mode(text: str) -> int:
    if not text or set(text) - set("01234567") or not 0o400 <= int(text, 8) <= 0o777:
        raise ValueError(f"{text!r} is not 400 to 777, octal, so that the owner can read the files")
    return int(text, 8)


ACCEPT_ONLY = repeatable(
    "--accept-only UID", validated(uids.find), "accept this SOP class or transfer syntax only (UID or keyword)"
)


def layout(default: str) -> Row:
    """Return the row of the layout of the folder."""
    return option(
        "--layout T",
        validated(Layout),
        default,
        f"where a file goes in the folder (%(default)s); in braces one of {', '.join(FIELDS)}",
    )


KEEPING = (
    choice(
        "--on-duplicate",
        get_args(OnDuplicate),
        "keep-both",
        "when a SOP instance UID comes again with other bytes (%(default)s)",
    ),
    option(
        "--max-duplicates N",
        number(0, 100_000),
        MOST_DUPLICATES,
        "copies with other bytes that are kept beside an instance (%(default)s); more are refused",
    ),
    flag("--accept-cut-short", "keep a data set that ends inside an element, and answer with a warning"),
    choice(
        "--durability",
        get_args(Durability),
        "full",
        "full: what is acknowledged survives a power cut; none: a killed process only (%(default)s)",
    ),
    option("--mode M", validated(_mode), 0o600, "permissions of the files (600)"),
)

FILES = (
    common(option("-od --output-directory D", str, ".", "folder for the files (the current folder)")),
    flag("--ignore", "accept everything that comes, and keep nothing"),
    layout(DEFAULT),
    *KEEPING,
)


@contextmanager
def storing(
    options: argparse.Namespace, stored: Callable[[Stored], None] | None, tags: Iterable[int] = ()
) -> Iterator[dimse.Handlers]:
    """Give the handlers that keep instances as the options ask, or drop them with `--ignore`.

    Arguments and errors are those of `store`.
    """
    if options.ignore:
        yield dimse.Handlers(store_begin=lambda request: DiscardSink(), store=lambda request: 0x0000)
        return
    with store(options, stored, tags) as kept:
        yield kept.handlers()


def store(options: argparse.Namespace, stored: Callable[[Stored], None] | None, tags: Iterable[int] = ()) -> FileStore:
    """Return the store that the options ask for.

    Args:
        options: The parsed options.
        stored: Called with each instance that was stored; None calls nothing.
        tags: The elements whose values `Stored.elements` is to have.

    Raises:
        OSError: The folder cannot be used.
        ValueError: The layout or the permissions cannot be.
    """
    return FileStore(
        options.output_directory,
        layout=options.layout,
        durability=options.durability,
        on_duplicate=options.on_duplicate,
        max_duplicates=options.max_duplicates,
        accept_cut_short=options.accept_cut_short,
        mode=options.mode,
        stored=stored,
        tags=tags,
    )
