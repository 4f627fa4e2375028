"""storescp: receive DICOM files and keep them (PS3.4 Annex B)."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from typing import TYPE_CHECKING, get_args

import dimse
from dimse import uids
from dimse.archive import FileStore
from dimse.archive.file_store import MOST_DUPLICATES, Durability, OnDuplicate
from dimse.archive.layout import DEFAULT, FIELDS, Layout
from dimse.archive.stored import Stored
from dimse.association.sinks import DiscardSink
from dimse.tools import audit, common, identity, listening, processes, tls

if TYPE_CHECKING:
    # They load much, and are for the options under "events".
    from dimse.archive.events import Command, Events, PendingStudies, Report


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the tool; returns its exit status."""
    parser = make_parser(sys.argv[1:] if arguments is None else arguments)
    options = parser.read(arguments)
    _verify_together(parser, options)
    logger = common.start_logging(parser, options)
    if options.pending_studies:
        from dimse.tools.pending import show_pending_studies

        return common.run(lambda: show_pending_studies(options, logger), logger)
    tls.settle(parser, options, logger)
    identity.settle_acceptor(parser, options, logger)
    audit.settle(parser, options, options.ae_title, sends=False)
    return processes.run(options, logger, shared)


def make_parser(arguments: Sequence[str]) -> common.Parser:
    """Make the parser; with `--pending-studies` among the arguments no port needs to be named."""
    parser = common.Parser(
        "storescp",
        "Receive DICOM files: an instance is acknowledged when it is safely in the folder, byte for byte as it came.",
        (
            ("storescp 11112 -od incoming", "keep what comes in the folder incoming"),
            ("storescp -v -aet ARCHIVE -ba 127.0.0.1 0", "on a free port of this machine, saying what happens"),
            ("storescp 11112 -od in --exec-study ./import", "run a program when a study is complete"),
            ("storescp -od in --pending-studies", "list the studies that wait for their program"),
        ),
        positionals="port",
    )
    listening.add_options(parser, "STORESCP", needs_port="--pending-studies" not in arguments)
    add_what_is_accepted(parser)
    add_files(parser)
    add_events(parser)
    return parser


def add_what_is_accepted(parser: common.Parser) -> None:
    """SOP classes and transfer syntaxes."""
    group = parser.add_argument_group("what is accepted")
    group.add_argument("--accept-unknown", action="store_true", help="accept private and unknown SOP classes too")
    group.add_argument(
        "--accept-only",
        metavar="UID",
        type=common.validated(uids.find),
        action="append",
        default=[],
        help="accept this SOP class or transfer syntax only (UID or keyword); repeatable",
    )
    group.add_argument(
        "--accept-syntax",
        metavar="UID",
        type=common.validated(uids.find_syntax),
        action="append",
        default=[],
        help="accept this transfer syntax too: a UID, a keyword, private (every private one) or any; repeatable",
    )
    group.add_argument("--no-echo", action="store_true", help="do not accept C-ECHO")


def add_files(parser: common.Parser) -> None:
    """Where instances go, and how."""
    group = parser.add_argument_group("files")
    group.add_argument(
        "-od", "--output-directory", metavar="D", default=".", help="folder for the files (the current folder)"
    )
    group.add_argument("--ignore", action="store_true", help="accept everything that comes, and keep nothing")
    group.add_argument(
        "--layout",
        metavar="T",
        type=common.validated(Layout),
        default=DEFAULT,
        help=f"where a file goes in the folder (%(default)s); in braces one of {', '.join(FIELDS)}",
    )
    group.add_argument(
        "--on-duplicate",
        choices=get_args(OnDuplicate),
        default="keep-both",
        help="when a SOP instance UID comes again with other bytes (%(default)s)",
    )
    group.add_argument(
        "--max-duplicates",
        metavar="N",
        type=common.number(0, 100_000),
        default=MOST_DUPLICATES,
        help="copies with other bytes that are kept beside an instance (%(default)s); more are refused",
    )
    group.add_argument(
        "--accept-cut-short",
        action="store_true",
        help="keep a data set that ends inside an element, and answer a warning",
    )
    group.add_argument(
        "--durability",
        choices=get_args(Durability),
        default="full",
        help="full: what is acknowledged survives a power cut; none: a killed process only (%(default)s)",
    )
    group.add_argument(
        "--mode",
        metavar="M",
        type=common.validated(_mode),
        default=0o600,
        help="permissions of the files (600)",
    )


def _mode(text: str) -> int:
    if not text or set(text) - set("01234567") or not 0o400 <= int(text, 8) <= 0o777:
        raise ValueError(f"{text!r} is not 400 to 777, octal, so that the owner can read the files")
    return int(text, 8)


def add_events(parser: common.Parser) -> None:
    """What happens when something has been kept."""
    group = parser.add_argument_group("events")
    group.add_argument(
        "--exec",
        metavar="CMD",
        type=common.validated(_command),
        help="run a program for each instance, without a shell; it gets values in DIMSE_... variables and as JSON on its input",
    )
    group.add_argument(
        "--exec-study",
        metavar="CMD",
        type=common.validated(_command),
        help="run a program for each study once it is quiet; if it fails, again after 10 s, 1, 10 and 60 min",
    )
    group.add_argument(
        "--study-timeout",
        metavar="S",
        type=common.seconds,
        default=60.0,
        help="a study is quiet when no instance of it has come for S seconds, and none is arriving (%(default)s)",
    )
    group.add_argument(
        "--pending-studies",
        action="store_true",
        help="print the studies whose program has not succeeded yet, and exit; the exit status is 3 if any was given up",
    )
    group.add_argument("--report", metavar="F", help="append a JSON line for each instance to a file")


def _verify_together(parser: common.Parser, options: argparse.Namespace) -> None:
    """Refuse options about what is kept, where nothing is kept."""
    for option in ("--exec", "--exec-study", "--report"):
        if options.ignore and getattr(options, option.removeprefix("--").replace("-", "_")):
            parser.error(f"{option} does not go with --ignore: nothing is kept that could be told of")


def _command(text: str) -> Command:
    from dimse.archive.events import Command

    return Command(text)


@contextmanager
def shared(options: argparse.Namespace) -> Iterator[processes.Serving]:
    """The folder and the report, which are one for all workers; each has events of its own."""
    listeners: list[Events] = []  # of this process

    def tell(stored: Stored) -> None:
        if options.trail is not None:
            audit.stored(options.trail, stored)
        for events in listeners:
            events(stored)

    with _report(options) as report, _storing(options, tell) as handlers, _pending(options) as studies:

        @contextmanager
        def serving() -> Iterator[dimse.Server]:
            with _events(options, report, studies, listeners), _server(options, handlers) as server:
                yield server

        yield serving


def _report(options: argparse.Namespace) -> AbstractContextManager[Report | None]:
    if not options.report:
        return nullcontext()
    from dimse.archive.events import Report

    return closing(Report(options.report))


@contextmanager
def _pending(options: argparse.Namespace) -> Iterator[PendingStudies | None]:
    """Give the studies that wait in the folder, which its workers have in common."""
    if not options.exec_study or options.ignore:
        _say_that_studies_wait(options)
        yield None
        return
    from dimse.archive.events import PendingStudies

    with PendingStudies(options.output_directory, durable=options.durability == "full") as studies:
        yield studies


def _say_that_studies_wait(options: argparse.Namespace) -> None:
    """Say that studies wait from an earlier run that had a program for them, if there are any."""
    if os.path.isdir(os.path.join(options.output_directory, ".studies")):
        from dimse.archive.events import pending_studies

        if waiting := len(pending_studies(options.output_directory)):
            common.warn(f"{waiting} studies wait for a program: --exec-study runs one, --pending-studies lists them")


@contextmanager
def _events(
    options: argparse.Namespace, report: Report | None, studies: PendingStudies | None, listeners: list[Events]
) -> Iterator[None]:
    """While the body runs there is one more listener, if the user asked for anything that it does."""
    if not (options.exec or options.exec_study or report):
        yield
        return
    from dimse.archive.events import Events

    events = Events(
        options.exec, options.exec_study, report=report, study_timeout=options.study_timeout, studies=studies
    )
    listeners.append(events)
    try:
        yield
    finally:
        events.close(options.drain)


@contextmanager
def _storing(options: argparse.Namespace, tell: Callable[[Stored], None]) -> Iterator[dimse.Handlers]:
    if options.ignore:
        yield dimse.Handlers(store_begin=lambda request: DiscardSink(), store=lambda request: 0x0000)
        return
    with FileStore(
        options.output_directory,
        layout=options.layout,
        durability=options.durability,
        on_duplicate=options.on_duplicate,
        max_duplicates=options.max_duplicates,
        accept_cut_short=options.accept_cut_short,
        mode=options.mode,
        stored=tell if options.exec or options.exec_study or options.report or options.trail else None,
    ) as store:
        yield audit.audited(store.handlers(), options.trail)


def _server(options: argparse.Namespace, handlers: dimse.Handlers) -> dimse.Server:
    syntaxes = tuple(uid for uid in options.accept_only if uid in uids.TRANSFER_SYNTAXES)
    contexts = {uid for uid in options.accept_only if uid not in syntaxes} or set(uids.STORAGE_SOP_CLASSES)
    if not options.no_echo:
        contexts.add(uids.Verification)
    return listening.make_server(options, handlers, contexts=contexts, only=syntaxes, more=tuple(options.accept_syntax))
