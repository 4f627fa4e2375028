"""qrscp: keep DICOM files in an archive, and answer queries and retrievals (PS3.4 Annexes B and C)."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING

import dimse
from dimse import uids
from dimse.archive.layout import OF_AN_ARCHIVE
from dimse.archive.stored import Stored
from dimse.logs.security_events import ignore
from dimse.matching import Rules
from dimse.message.status import SOP_CLASS_NOT_SUPPORTED
from dimse.services.information_models import find_model
from dimse.support.values import replace
from dimse.tools import (
    audit,
    file_options,
    listening,
    log_setup,
    qr_configuration,
    qr_maintenance,
    qr_peers,
    running,
    server_log,
    store_events,
)
from dimse.tools.command_line import Parser
from dimse.tools.options import add_group, choice, common, flag, number, option, timeouts
from dimse.tools.processes import Serving
from dimse.tools.qr_configuration import Configuration
from dimse.tools.qr_log import RequestLog

if TYPE_CHECKING:
    # It loads SQLAlchemy, which may not be installed.
    from dimse.archive.archive import Archive
    from dimse.services.storage_commitment_scp import CommitHandler

PORT = 11112

# The information models that are served, each with the option that leaves it out.
MODELS = {"patient": "no_patient_root", "study": "no_study_root", "patient-study-only": "no_patient_study"}

ARCHIVE = (
    common(
        option(
            "-c --config F", str, None, "configuration with peers and their rights (INI); SIGHUP reads the peers again"
        )
    ),
    option("--port P", number(0, 65535), None, "the port to listen on, as another form"),
    common(option("--instance-location D", str, "instances", "folder for the files (%(default)s)")),
    choice(
        "--digest",
        qr_configuration.DIGESTS,
        qr_configuration.DIGESTS[0],
        "digest of each data set (%(default)s); without one, copies of an instance are compared by their bytes",
    ),
    common(
        option(
            "--database-location F",
            str,
            "instances.sqlite",
            "index of the files: a file for SQLite, or a URL that begins with postgresql:// (%(default)s)",
        )
    ),
)

SERVED = (
    flag("--allow-anyone", "let peers without a section query and retrieve, on any address"),
    flag("--no-echo", "do not accept C-ECHO"),
    flag("--no-store", "do not accept instances"),
    flag("--no-find", "do not answer queries"),
    flag("--no-get", "do not answer C-GET"),
    flag("--no-move", "do not answer C-MOVE"),
    flag("--no-commit", "do not answer requests for storage commitment"),
    flag("-QP --no-patient-root", "do not offer the Patient Root model"),
    flag("-QS --no-study-root", "do not offer the Study Root model"),
    flag("-QO --no-patient-study", "do not offer the Patient/Study Only model"),
    choice(
        "--move-restrict",
        ("self", "host"),
        None,
        "let a C-MOVE name the requestor's own AE title only, or a destination on its host",
    ),
)

ANSWERS = (
    option(
        "--max-matches N",
        number(0, 10**9),
        10_000,
        "most matches of a query; more end in A700H (%(default)s; 0 is no limit)",
    ),
    option(
        "--max-retrieve N",
        number(0, 10**9),
        0,
        "most instances of a retrieval; more are A701H (%(default)s; 0 is no limit)",
    ),
    flag("--strict-hierarchy", "refuse identifiers without a unique key of each level above"),
    flag("--match-unknown", "let an attribute without a value match every key (PS3.4 C.2.2.1.2)"),
    flag("--strict-roles", "fail what a C-GET would send without the role that the peer has to negotiate for it"),
    flag("--finish-moves", "finish a C-MOVE although the peer that has asked for it is gone"),
    flag("--serve-while-recovering", "answer queries while the index may lack instances, after an unclean end"),
    flag("--match-case", "compare text with regard to case; names are never compared so"),
    choice(
        "--transcode",
        ("never", "lossless", "always"),
        "always",
        "convert data sets whose transfer syntax is not accepted (%(default)s): always decompresses lossy ones too",
    ),
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the tool, and return its exit status."""
    parser = make_parser()
    options, configuration = _read(parser, arguments)
    if command := qr_maintenance.asked(parser, options):
        logger = log_setup.start_logging(parser, options)
        return running.run(lambda: qr_maintenance.perform(command, options, logger), logger)
    qr_peers.settle(parser, options, configuration)
    if options.pending_studies:
        from dimse.tools.pending import show_pending_studies

        logger = log_setup.start_logging(parser, options)
        return running.run(lambda: show_pending_studies(options, logger), logger)
    logger = log_setup.start_logging(parser, options)
    _log_configuration(logger, options, configuration)
    if find_spec("sqlalchemy") is None:
        logger.error("qrscp needs SQLAlchemy: pip install 'dimse[archive]'")
        return running.NO_ASSOCIATION
    if options.allow_anyone:
        log_setup.warn("--allow-anyone: every AE that reaches this port may query and retrieve")
    server_log.drop_unread_lines()
    options.configuration = configuration
    # The archive has it, once there is one.
    options.reload_peers = lambda: None
    return listening.run(parser, options, logger, shared)


def make_parser() -> Parser:
    """Return the parser."""
    parser = Parser(
        "qrscp",
        "Keep DICOM files in an archive, and answer queries and retrievals of its peers.",
        (
            ("qrscp", "an archive for this machine alone, in the folder instances"),
            ("qrscp -c archive.ini", "an archive for the peers that a file describes"),
            ("qrscp -v --allow-from 10.1.0.0/16 -ba 0.0.0.0 104", "an archive for a network"),
        ),
        positionals="[port]",
    )
    listening.add_options(parser, "QRSCP", port_needed=False)
    add_group(parser, "archive", *ARCHIVE, file_options.layout(OF_AN_ARCHIVE), *file_options.KEEPING)
    add_group(parser, "services", *SERVED)
    add_group(parser, "answers", *ANSWERS)
    add_group(parser, "events", *store_events.EVENTS)
    qr_maintenance.add_options(parser)
    for action in parser.actions():
        if action.dest == "bind_address":
            action.default, action.help = (
                "",
                "address to listen on (127.0.0.1; all addresses if the configuration has peers)",
            )
        elif action.option_strings == ["--port"]:
            action.dest = "port_option"
        elif action.option_strings == ["--instance-location"]:
            action.dest = "output_directory"
    return parser


def _read(parser: Parser, arguments: Sequence[str] | None) -> tuple[argparse.Namespace, Configuration]:
    """Return the options, and the configuration, whose settings are the defaults of the options.

    Raises:
        SystemExit: The configuration cannot be used (exit status 2).
    """
    given = sys.argv[1:] if arguments is None else list(arguments)
    options = parser.read(given)
    configuration = qr_configuration.NONE
    if options.config is not None:
        try:
            configuration = qr_configuration.read(options.config)
        except ValueError as error:
            parser.error(f"cannot use the configuration {error}")
        general = dict(configuration.general)
        parser.set_defaults(port_option=general.pop("port", None), **general)
        options = parser.read(given)
    found = (port for port in (options.port, options.port_option) if port is not None)
    options.port = next(found, PORT)
    options.log_identifier = getattr(options, "log_identifier", False)
    options.ignore = False
    return options, configuration


def _log_configuration(logger: logging.Logger, options: argparse.Namespace, configuration: Configuration) -> None:
    """Log the settings, as scripts look for them."""
    logger.debug("Configuration settings")
    logger.debug("  AE title: %s, Port: %s, Max. PDU: %s", options.ae_title, options.port, options.max_pdu)
    logger.debug("  Timeouts:")
    seconds = options.acse_timeout, options.dimse_timeout, options.network_timeout
    logger.debug("    ACSE: %g, DIMSE: %g, Network: %g", *seconds)
    logger.debug("  Storage directory: %s", options.output_directory)
    logger.debug("  Database location: %s", options.database_location.partition("://")[0])
    destinations = [peer for peer in configuration.peers if peer.is_destination]
    logger.debug("  Move destinations: %s", "" if destinations else "none")
    for peer in destinations:
        logger.debug("    %s: (%s, %s)", peer.ae_title, peer.address, peer.port)
    logger.debug("")


@contextmanager
def shared(options: argparse.Namespace) -> Iterator[Serving]:
    """Give the function that each worker runs. Workers share the folder and the report; each has an index of its own."""
    # Those of this process.
    listeners: list[store_events.Listener] = []

    def tell(stored: Stored) -> None:
        if options.trail is not None:
            audit.stored(options.trail, stored)
        for events in listeners:
            events(stored)

    with (
        store_events.report(options) as report,
        _archive(options, tell) as archive,
        store_events.pending(options) as studies,
        _kept_index(options, archive),
    ):

        @contextmanager
        def serving() -> Iterator[dimse.Server]:
            with (
                store_events.events(options, report, studies, listeners),
                _committing(options, archive) as commit,
                _server(options, archive, commit) as server,
            ):
                yield server

        yield serving


@contextmanager
def _kept_index(options: argparse.Namespace, archive: Archive) -> Iterator[None]:
    """Keep the index for all workers: recover it before there is one, and mark it as in use while they run."""
    if options.workers == 1:
        yield
        return
    from dimse.archive.index import Index

    with Index(options.database_location, archive.folder, on_duplicate=options.on_duplicate) as index:
        if not index.start():
            index.recover()
        yield


def _archive(options: argparse.Namespace, tell: store_events.Listener) -> Archive:
    """Return the archive that the options ask for."""
    from dimse.archive.archive import Archive, Limits

    tells = options.exec or options.exec_study or options.report or options.trail
    archive = Archive(
        options.output_directory,
        options.database_location,
        ae_title=options.ae_title,
        peers=qr_peers.peers_of(options, options.configuration),
        rules=Rules(match_case=options.match_case, match_unknown=options.match_unknown),
        limits=Limits(
            options.max_matches,
            options.max_retrieve,
            options.strict_hierarchy,
            options.move_restrict or "any",
            options.transcode,
            options.strict_roles,
            options.finish_moves,
            options.serve_while_recovering,
        ),
        digest=options.digest != "none",
        stored=tell if tells else None,
        observe=options.trail.observe if options.trail is not None else ignore,
        layout=options.layout,
        durability=options.durability,
        on_duplicate=options.on_duplicate,
        max_duplicates=options.max_duplicates,
        accept_cut_short=options.accept_cut_short,
        mode=options.mode,
        keeps_index=options.workers == 1,
        timeouts=timeouts(options),
    )

    def reload_peers() -> None:
        if options.config is not None:
            archive.peers = qr_peers.peers_of(options, qr_configuration.read(options.config))

    options.reload_peers = reload_peers
    return archive


@contextmanager
def _committing(options: argparse.Namespace, archive: Archive) -> Iterator[CommitHandler | None]:
    """Give the handler of storage commitment, whose reports are delivered while the body runs; None if it is not offered."""
    if options.no_commit:
        yield None
        return
    from dimse.sending.commitment_scp import commitment_scp

    waits = timeouts(options)

    def remote_of(ae_title: str) -> dimse.Remote | None:
        peer = archive.peers.destination(ae_title)
        if peer is None:
            return None
        return dimse.Remote(
            peer.address,
            peer.port,
            called_ae_title=peer.ae_title,
            calling_ae_title=options.ae_title,
            tls=peer.tls,
            timeouts=waits,
        )

    with commitment_scp(archive.index, remote_of) as scp:

        def commit(request: dimse.CommitmentRequest) -> dimse.ReportLater | int:
            refusal = archive.refusal("commit", request.peer, request.called_ae_title)
            refusal = refusal or archive.unready("storage commitment")
            return scp.commit(request, archive.caller(request.peer).commit_wait) if refusal is None else refusal

        yield commit


def _server(options: argparse.Namespace, archive: Archive, commit: CommitHandler | None) -> dimse.Server:
    handlers = audit.audited(archive.handlers(), options.trail)
    handlers = audit.retrievals_audited(audit.queries_audited(handlers, options.trail), options.trail)
    handlers = replace(_offered(options, handlers), commit=commit)
    log = RequestLog(logging.getLogger("dimse.tools.qrscp"), shows_identifiers=options.log_identifier)
    features = dimse.Features(
        relational=not options.strict_hierarchy,
        date_time=True,
        fuzzy_names=True,
        empty_values=True,
        multiple_values=True,
    )
    return listening.make_server(
        options, log.around(handlers), contexts=contexts(options), extended=features.supported(), deny=archive.denied
    )


def _offered(options: argparse.Namespace, handlers: dimse.Handlers) -> dimse.Handlers:
    """Return the handlers without those of services that are not offered."""
    left_out = {name: None for name in ("find", "get", "move") if getattr(options, f"no_{name}")}
    if options.no_store:
        refusal = dimse.Status(SOP_CLASS_NOT_SUPPORTED, service="storage", comment="instances are not taken here")
        handlers = replace(handlers, store_begin=lambda request: refusal)
    return replace(handlers, **left_out)


def contexts(options: argparse.Namespace) -> set[str]:
    """Return the abstract syntaxes that are accepted: those of the services and models that are offered."""
    found: set[str] = set()
    if not options.no_echo:
        found.add(uids.Verification)
    if not options.no_commit:
        found.add(uids.StorageCommitmentPushModel)
    if not (options.no_store and options.no_get):
        found |= uids.STORAGE_SOP_CLASSES
    models = [find_model("composite-instance", "get")]
    models += [find_model(name, "find") for name, option in MODELS.items() if not getattr(options, option)]
    for model in models:
        for operation in ("find", "get", "move"):
            if not getattr(options, f"no_{operation}"):
                found.add(model.sop_class(operation))
    return found - {""}
