"""storescp: receive DICOM files and keep them (PS3.4 Annex B)."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING

import dimse
from dimse import uids
from dimse.archive.stored import Stored
from dimse.settings import validate_ae_title
from dimse.support.values import replace
from dimse.tools import audit, file_options, listening, log_setup, running, server_log, store_events
from dimse.tools.command_line import Parser
from dimse.tools.options import add_group, flag, repeatable, validated
from dimse.tools.processes import Serving

if TYPE_CHECKING:
    from dimse.tools.store_commit import Committing

ACCEPTED = (
    flag("--accept-unknown", "accept private and unknown SOP classes too"),
    file_options.ACCEPT_ONLY,
    repeatable(
        "--accept-syntax UID",
        validated(uids.find_syntax),
        "accept this transfer syntax too: a UID, a keyword, private (every private one) or any",
    ),
    flag("--no-echo", "do not accept C-ECHO"),
)


def _address(text: str) -> tuple[str, str, int]:
    """Return the AE title, host and port of `AET=HOST:PORT`; an IPv6 address is in brackets.

    Raises:
        ValueError: The text is something else.
    """
    title, _, address = text.partition("=")
    found = re.fullmatch(r"(?:\[(.+)\]|([^:\[\]]+)):([0-9]{1,5})", address, re.ASCII)
    if not found or not 1 <= int(found[3]) <= 65535:
        raise ValueError(f"{text!r} is not AET=HOST:PORT")
    return validate_ae_title(title), found[1] or found[2], int(found[3])


COMMITMENT = (
    flag("--commit", "answer requests for storage commitment too, by an index of the folder (needs dimse[archive])"),
    repeatable(
        "--report-to AET=HOST:PORT",
        validated(_address),
        "where this AE title listens for commitment reports that it does not take on the association of its request",
    ),
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the tool, and return its exit status."""
    parser = make_parser(sys.argv[1:] if arguments is None else arguments)
    options = parser.read(arguments)
    _verify_together(parser, options)
    logger = log_setup.start_logging(parser, options)
    if options.commit and find_spec("sqlalchemy") is None:
        logger.error("storescp --commit needs SQLAlchemy: pip install 'dimse[archive]'")
        return running.NO_ASSOCIATION
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
            ("storescp 11112 -od in --commit", "commit to the storage of what was received"),
            ("storescp -od in --pending-studies", "list the studies that wait for their program"),
        ),
        positionals="port",
    )
    listening.add_options(parser, "STORESCP", port_needed="--pending-studies" not in arguments)
    add_group(parser, "what is accepted", *ACCEPTED)
    add_group(parser, "files", *file_options.FILES)
    add_group(parser, "storage commitment", *COMMITMENT)
    add_group(parser, "events", *store_events.EVENTS)
    return parser


def _verify_together(parser: Parser, options: argparse.Namespace) -> None:
    """Refuse options that report instances, where no instance is kept."""
    if options.report_to and not options.commit:
        parser.error("--report-to needs --commit")
    for name in ("exec", "exec_study", "report", "commit"):
        if options.ignore and getattr(options, name):
            parser.error(
                f"--{name.replace('_', '-')} does not go with --ignore: nothing is kept that could be reported"
            )


@contextmanager
def shared(options: argparse.Namespace) -> Iterator[Serving]:
    """Give the function that each worker runs. Workers share the folder and the report; each has events of its own."""
    # Those of this process.
    listeners: list[store_events.Listener] = []
    committers: list[Committing] = []

    def tell(stored: Stored) -> None:
        for committing in committers:
            committing.keep(stored)
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
            with (
                _committing(options, committers) as committing,
                store_events.events(options, report, studies, listeners),
                _server(options, handlers, committing) as server,
            ):
                yield server

        yield serving


@contextmanager
def _committing(options: argparse.Namespace, committers: list[Committing]) -> Iterator[Committing | None]:
    """Add the index of this process to the committers while the body runs, if the user asked for commitment."""
    if not options.commit:
        yield None
        return
    from dimse.tools.store_commit import Committing

    with Committing(options) as committing, committing.scp:
        committers.append(committing)
        yield committing


@contextmanager
def _storing(options: argparse.Namespace, tell: Callable[[Stored], None]) -> Iterator[dimse.Handlers]:
    tells = options.commit or options.exec or options.exec_study or options.report or options.trail
    with file_options.storing(options, tell if tells else None) as handlers:
        yield handlers if options.ignore else audit.audited(handlers, options.trail)


def _server(options: argparse.Namespace, handlers: dimse.Handlers, committing: Committing | None) -> dimse.Server:
    syntaxes = tuple(uid for uid in options.accept_only if uid in uids.TRANSFER_SYNTAXES)
    contexts = {uid for uid in options.accept_only if uid not in syntaxes} or set(uids.STORAGE_SOP_CLASSES)
    if not options.no_echo:
        contexts.add(uids.Verification)
    if committing is not None:
        contexts.add(uids.StorageCommitmentPushModel)
        handlers = replace(handlers, commit=committing.scp.commit)
    return listening.make_server(
        options,
        handlers,
        contexts=contexts,
        only=syntaxes,
        more=tuple(options.accept_syntax),
        accept_unknown=options.accept_unknown,
    )
