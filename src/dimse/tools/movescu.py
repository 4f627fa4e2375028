"""movescu: have instances sent to an AE (C-MOVE, PS3.4 C.4.2), to a storage SCP in this process if that is asked for."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import TYPE_CHECKING

import dimse
from dimse import settings
from dimse.tools import audit, query_options, requesting, retrieve_events, retrieve_options, running, wording
from dimse.tools.command_line import Parser
from dimse.tools.file_options import ACCEPT_ONLY, FILES
from dimse.tools.options import (
    REPEAT,
    add_group,
    add_rows,
    ae_title,
    common,
    flag,
    network,
    number,
    option,
    positional,
    repeatable,
    seconds,
)

if TYPE_CHECKING:
    from dimse.data_set.identifier import Identifier
    from dimse.tools.move_receiver import MoveReceiver
    from dimse.tools.retrieving import Arrivals, Ask

STORE_PORT = 11113


# Without --store no instance comes here, and these are of no use.
RECEPTION = (
    option("--store-aet A", ae_title, "STORESCP", "the AE title of --store (%(default)s)"),
    option("--store-address A", str, "0.0.0.0", "the address of --store (%(default)s, all addresses)"),
    repeatable(
        "--store-from NET",
        network,
        "take instances from this network too, beside the peer's address and this machine",
    ),
    flag(
        "--take-all",
        "take instances from these addresses that were not asked for too; otherwise they are refused with 0124H",
    ),
    ACCEPT_ONLY,
    option(
        "--settle S",
        seconds,
        10.0,
        "with --store, wait for instances that are missing after the final response: seconds without any (%(default)s)",
    ),
)

DESTINATION = (
    common(
        option(
            "-aem --move-aet A",
            ae_title,
            None,
            "the AE title to send to, which the peer has to know (STORESCP; with --store that of --store-aet)",
        )
    ),
    common(flag("--store", "receive the instances here, in a storage SCP in this process")),
    option(
        "+P --store-port P",
        number(0, 65535),
        None,
        f"the port of --store, which it implies ({STORE_PORT}); 0 picks a free one",
    ),
    *RECEPTION,
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the tool, and return its exit status."""
    parser = Parser(
        "movescu",
        "Have instances sent with C-MOVE, to an AE that the peer knows or to this tool.",
        (
            ("movescu -S -aem WORKSTATION pacs.example.org 104 --study-uid 1.2.3", "a study, to WORKSTATION"),
            (
                "movescu -S --store --store-aet ME pacs.example.org 104 --study-uid 1.2.3",
                "into this folder; the peer knows ME by our address and port 11113",
            ),
        ),
        positionals="addr port [query-file ...]",
        prefixes="-+",
    )
    requesting.add_options(
        parser,
        "MOVESCU",
        arguments=[positional("files", "*", str, "files with keys, as -f")],
        output=retrieve_options.OUTPUT,
    )
    query_options.add_options(parser, "move")
    retrieve_options.add_features(parser)
    add_group(parser, "destination", *DESTINATION)
    retrieve_options.add_options(parser, "files, with --store", "events, with --store")
    add_rows(parser, [REPEAT])
    options, logger = requesting.read(parser, arguments, partial(_settle, parser))
    audit.settle(parser, options, options.store_aet, sends=False)
    return running.run(lambda: move(parser, options, logger), logger)


def _settle(parser: Parser, options: argparse.Namespace) -> None:
    retrieve_options.settle(parser, options)
    options.store = options.store or options.store_port is not None
    if options.store_port is None:
        options.store_port = STORE_PORT
    if options.move_aet is None:
        options.move_aet = options.store_aet if options.store else "STORESCP"
    if not options.store:
        _refuse_unused(parser, options)


def _refuse_unused(parser: Parser, options: argparse.Namespace) -> None:
    """Exit with a usage error for an option about instances that come here."""
    for spellings, _ in (*RECEPTION, *FILES, *retrieve_events.ROWS, *retrieve_options.OUTPUT):
        field = spellings[-1].lstrip("-").replace("-", "_")
        # A default may be a text from which argparse makes a value.
        if field != "no_progress" and str(getattr(options, field)) != str(parser.get_default(field)):
            parser.error(f"{spellings[0]} goes with --store: without it no instance comes here")


def move(parser: Parser, options: argparse.Namespace, logger: logging.Logger) -> int:
    """Have the instances sent, and return the exit status."""
    from dimse.tools.interruption import Interruption
    from dimse.tools.retrieving import Arrivals, Retriever, identifiers_of, reporting, status_of

    identifiers, found = identifiers_of(options, logger)
    if not identifiers:
        return found
    extended = retrieve_options.negotiation(parser, options, "move")
    outcome = [found] if found else []
    interruption = Interruption()
    with (
        interruption.handled(),
        reporting(parser, options, logger, outcome) as report,
        retrieve_events.reacting(options, logger, outcome, interruption) as reactions,
    ):
        arrivals = Arrivals(logger, report, reactions)
        receiver = _receiver(options, logger, arrivals)
        retriever = Retriever(
            options,
            logger,
            "Move",
            arrivals,
            interruption,
            is_storing=options.store and not options.ignore,
            await_rest=receiver.await_rest if receiver else lambda promised: None,
        )
        try:
            storing: AbstractContextManager[object] = receiver or nullcontext()
            with storing:

                def associate() -> dimse.Association:
                    model = query_options.model_of(options)
                    syntaxes = requesting.chosen_syntaxes(options) or settings.DEFAULT_TRANSFER_SYNTAXES
                    association = requesting.associate(options, [(model.move, syntaxes)], extended=extended)
                    if receiver is not None:
                        receiver.expect(association.peer.address[0])
                    return association

                outcome.append(retriever.run(associate, identifiers, partial(_asking, options, receiver)))
        except (OSError, ValueError) as error:
            wording.log_failure(logger, [f"Cannot receive here: {wording.reason_with_path(error)}"], error)
            outcome.append(running.NO_ASSOCIATION)
        if retriever.destination_is_unknown:
            _explain_unknown(options, logger, receiver.port if receiver else None)
    return status_of(interruption, outcome)


def _receiver(options: argparse.Namespace, logger: logging.Logger, arrivals: Arrivals) -> MoveReceiver | None:
    from dimse.tools.move_receiver import MoveReceiver

    return MoveReceiver(options, logger, arrivals) if options.store else None


def _asking(options: argparse.Namespace, receiver: MoveReceiver | None, association: dimse.Association) -> Ask:
    def begin(identifier: Identifier) -> dimse.blocking.Retrieval:
        retrieval = association.move(
            identifier,
            options.move_aet,
            model=query_options.model_of(options).name,
            level="",
            priority=requesting.PRIORITIES[options.priority],
            charset=options.charset,
            timeout=retrieve_options.timeout(options),
            total_timeout=options.retrieve_timeout_total,
        )
        if receiver is not None:
            receiver.begin(retrieval.message_id, identifier)
        return retrieval

    return begin


def _explain_unknown(options: argparse.Namespace, logger: logging.Logger, port: int | None) -> None:
    where = f"our address and port {port}" if port is not None else "the address and port of that AE"
    logger.error(
        "The peer cannot send to the destination %s: its configuration must hold this AE title, %s",
        options.move_aet,
        where,
    )
