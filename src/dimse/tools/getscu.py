"""getscu: retrieve instances over the association that asks for them (C-GET, PS3.4 C.4.3)."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

import dimse
from dimse import settings, uids
from dimse.tools import (
    audit,
    file_options,
    query_options,
    requesting,
    retrieve_events,
    retrieve_options,
    running,
    wording,
)
from dimse.tools.command_line import Parser
from dimse.tools.options import (
    REPEAT,
    add_group,
    add_rows,
    choice,
    constant,
    positional,
    repeatable,
    transfer_syntax,
    validated,
)

if TYPE_CHECKING:
    from dimse.data_set.identifier import Identifier
    from dimse.services.retrieve import Retrieved
    from dimse.tools.retrieving import Ask

PROPOSED = (
    choice(
        "--contexts",
        ("auto", "list"),
        "auto",
        "auto: where the keys name a study, ask the peer for its SOP classes first, and propose these in every syntax;"
        " list: propose the most frequent classes (%(default)s)",
    ),
    repeatable(
        "--sop-class UID",
        validated(uids.find),
        "propose storage contexts for this SOP class only, by UID or keyword (the most frequent 77)",
    ),
    repeatable(
        "--ts UID",
        transfer_syntax,
        "propose this transfer syntax only for storage, by UID or keyword (all that can hold the class)",
    ),
    file_options.ACCEPT_ONLY,
)

SYNTAXES = (
    constant(
        "-x= +x= --prefer-uncompr",
        "syntaxes",
        (uids.ExplicitVRLittleEndian, uids.ImplicitVRLittleEndian),
        "propose uncompressed transfer syntaxes only, in this machine's byte order",
    ),
    constant(
        "+xi --implicit", "syntaxes", (uids.ImplicitVRLittleEndian,), "propose Implicit VR Little Endian only, as -xi"
    ),
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the tool, and return its exit status."""
    parser = Parser(
        "getscu",
        "Retrieve instances with C-GET, over the association that asks for them: each is kept byte for byte as it came.",
        (
            ("getscu -S pacs.example.org 104 --study-uid 1.2.3 -od study", "a study, into the folder study"),
            ("getscu -S pacs.example.org 104 --study-uid 1.2.3 --series-uid 1.2.3.4", "a series"),
            (
                "getscu -v -aec ARCHIVE pacs.example.org 104 --patient-id 4711",
                "all studies of a patient, logging every step",
            ),
            ("getscu -S pacs.example.org 104 --study-uid 1.2.3 --sop-class CTImageStorage", "its CT images"),
        ),
        positionals="addr port [query-file ...]",
        prefixes="-+",
    )
    requesting.add_options(
        parser,
        "GETSCU",
        arguments=[positional("files", "*", str, "files with keys, as -f")],
        output=retrieve_options.OUTPUT,
        # Instances come on this association, and peers send most of them faster in large PDUs.
        most_received=settings.ACCEPTOR_MAXIMUM_LENGTH,
        syntaxes=SYNTAXES,
    )
    query_options.add_options(parser, "get")
    retrieve_options.add_features(parser)
    add_group(parser, "contexts", *PROPOSED)
    retrieve_options.add_options(parser)
    add_rows(parser, [REPEAT])
    options, logger = requesting.read(parser, arguments, partial(_settle, parser))
    audit.settle(parser, options, options.calling_aet, sends=False)
    return running.run(lambda: get(parser, options, logger), logger)


def _settle(parser: Parser, options: argparse.Namespace) -> None:
    retrieve_options.settle(parser, options)
    # What a C-GET accepts is what it proposes.
    for uid in options.accept_only:
        (options.ts if uid in uids.TRANSFER_SYNTAXES else options.sop_class).append(uid)


def get(parser: Parser, options: argparse.Namespace, logger: logging.Logger) -> int:
    """Retrieve what the options ask for, and return the exit status."""
    from dimse.tools.interruption import Interruption
    from dimse.tools.retrieving import Arrivals, Retriever, identifiers_of, reporting, status_of

    identifiers, found = identifiers_of(options, logger)
    if not identifiers:
        return found
    model = query_options.model_of(options)
    syntaxes = options.ts or requesting.chosen_syntaxes(options) or ()
    try:
        classes = options.sop_class or _ask_for_classes(options, identifiers, logger)
        contexts, roles = dimse.contexts_for_get(model.name, classes, transfer_syntaxes=syntaxes)
    except dimse.DimseError as error:
        wording.log_failure(logger, wording.explain_request(error, options), error)
        return running.NO_ASSOCIATION
    except ValueError as error:
        if options.sop_class:
            parser.error(str(error))
        contexts, roles = dimse.contexts_for_get(model.name, transfer_syntaxes=syntaxes)
    extended = retrieve_options.negotiation(parser, options, "get")
    outcome = [found] if found else []
    interruption = Interruption()
    with (
        interruption.handled(),
        reporting(parser, options, logger, outcome) as report,
        retrieve_events.reacting(options, logger, outcome, interruption) as reactions,
    ):
        arrivals = Arrivals(logger, report, reactions)
        retriever = Retriever(options, logger, "Get", arrivals, interruption, is_storing=True)
        try:
            with file_options.storing(options, arrivals.stored, arrivals.tags) as storing:
                handlers = reactions.audited(storing)

                def again(identifier: Identifier, end: Retrieved) -> Retrieved:
                    # It loads much, and most retrievals do without.
                    from dimse.tools.second_pass import SecondPass

                    second = SecondPass(options, model, arrivals, logger, partial(_asking, options), handlers)
                    return second(retriever, identifier, end)

                retriever.again = again
                associate = partial(requesting.associate, options, contexts, handlers, roles=roles, extended=extended)
                outcome.append(retriever.run(associate, identifiers, partial(_asking, options)))
        except (OSError, ValueError) as error:
            wording.log_failure(logger, [f"Cannot store in {options.output_directory}: {wording.reason(error)}"], error)
            outcome.append(running.NO_ASSOCIATION)
    return status_of(interruption, outcome)


def _asking(options: argparse.Namespace, association: dimse.Association) -> Ask:
    """Return the function that begins a retrieval over an association."""

    def begin(identifier: Identifier) -> dimse.blocking.Retrieval:
        return association.get(
            identifier,
            model=query_options.model_of(options).name,
            level="",
            priority=requesting.PRIORITIES[options.priority],
            charset=options.charset,
            timeout=retrieve_options.timeout(options),
            total_timeout=options.retrieve_timeout_total,
        )

    return begin


def _ask_for_classes(options: argparse.Namespace, identifiers: list[Identifier], logger: logging.Logger) -> list[str]:
    """Return the SOP classes to propose; none for the most frequent ones."""
    if options.contexts == "list":
        return []
    from dimse.tools.retrieve_question import sop_classes

    found = sop_classes(options, query_options.model_of(options), identifiers, logger)
    return [uid for uid in found if uids.is_uid(uid)]
