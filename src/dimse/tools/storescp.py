"""storescp: receive DICOM files and keep them (PS3.4 Annex B)."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import dimse
from dimse import uids
from dimse.archive.stored import Stored
from dimse.tools import audit, file_options, listening, log_setup, running, server_log, store_events
from dimse.tools.command_line import Parser
from dimse.tools.options import add_group, flag, repeatable, validated
from dimse.tools.processes import Serving

ACCEPTED = (
    flag("--accept-unknown", "accept private and unknown SOP classes too"),
    repeatable(
        "--accept-only UID", validated(uids.find), "accept this SOP class or transfer syntax only (UID or keyword)"
    ),
    repeatable(
        "--accept-syntax UID",
        validated(uids.find_syntax),
        "accept this transfer syntax too: a UID, a keyword, private (every private one) or any",
    ),
    flag("--no-echo", "do not accept C-ECHO"),
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the tool, and return its exit status."""
    parser = make_parser(sys.argv[1:] if arguments is None else arguments)
    options = parser.read(arguments)
    _verify_together(parser, options)
    logger = log_setup.start_logging(parser, options)
    if options.pending_studies:
        from dimse.tools.pending import show_pending_studies

        return running.run(lambda: show_pending_studies(options, logger), logger)
    server_log.drop_unread_lines()
    return listening.run(parser, options, logger, shared)


def make_parser(arguments: Sequence[str]) -> Parser:
    """Return the parser; with `--pending-studies` among the arguments, the port may be left out."""
    parser = Parser(
        "storescp",
        "Receive DICOM files: an instance is acknowledged when it is safely in the folder, byte for byte as it came.",
        (
            ("storescp 11112 -od incoming", "keep what comes in the folder incoming"),
            ("storescp -v -aet ARCHIVE -ba 127.0.0.1 0", "on a free port of this machine, logging every step"),
            ("storescp 11112 -od in --exec-study ./import", "run a program when a study is complete"),
            ("storescp -od in --pending-studies", "list the studies that wait for their program"),
        ),
        positionals="port",
    )
    listening.add_options(parser, "STORESCP", port_needed="--pending-studies" not in arguments)
    add_group(parser, "what is accepted", *ACCEPTED)
    add_group(parser, "files", *file_options.FILES)
    add_group(parser, "events", *store_events.EVENTS)
    return parser


def _verify_together(parser: Parser, options: argparse.Namespace) -> None:
    """Refuse options that report instances, where no instance is kept."""
    for name in ("exec", "exec_study", "report"):
        if options.ignore and getattr(options, name):
            parser.error(
                f"--{name.replace('_', '-')} does not go with --ignore: nothing is kept that could be reported"
            )


@contextmanager
def shared(options: argparse.Namespace) -> Iterator[Serving]:
    """Give the function that each worker runs. Workers share the folder and the report; each has events of its own."""
    # Those of this process.
    listeners: list[store_events.Listener] = []

    def tell(stored: Stored) -> None:
        if options.trail is not None:
            audit.stored(options.trail, stored)
        for events in listeners:
            events(stored)

    with (
        store_events.report(options) as report,
        _storing(options, tell) as handlers,
        store_events.pending(options) as studies,
    ):

        @contextmanager
        def serving() -> Iterator[dimse.Server]:
            with store_events.events(options, report, studies, listeners), _server(options, handlers) as server:
                yield server

        yield serving


@contextmanager
def _storing(options: argparse.Namespace, tell: Callable[[Stored], None]) -> Iterator[dimse.Handlers]:
    tells = options.exec or options.exec_study or options.report or options.trail
    with file_options.storing(options, tell if tells else None) as handlers:
        yield handlers if options.ignore else audit.audited(handlers, options.trail)


def _server(options: argparse.Namespace, handlers: dimse.Handlers) -> dimse.Server:
    syntaxes = tuple(uid for uid in options.accept_only if uid in uids.TRANSFER_SYNTAXES)
    contexts = {uid for uid in options.accept_only if uid not in syntaxes} or set(uids.STORAGE_SOP_CLASSES)
    if not options.no_echo:
        contexts.add(uids.Verification)
    return listening.make_server(
        options,
        handlers,
        contexts=contexts,
        only=syntaxes,
        more=tuple(options.accept_syntax),
        accept_unknown=options.accept_unknown,
    )
