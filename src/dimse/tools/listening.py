"""What the tools that listen share: their options, and the server that these ask for."""

from __future__ import annotations

import argparse

import dimse
from dimse import settings, uids
from dimse.logs.happenings import ignore
from dimse.tools import audit, common, identity, tls

UNCOMPRESSED = (uids.ExplicitVRLittleEndian, uids.ExplicitVRBigEndian, uids.ImplicitVRLittleEndian)


def add_options(parser: common.Parser, ae_title: str, *, needs_port: bool = True) -> None:
    """Where to listen, who may come in, and how long things may take."""
    parser.add_argument(
        "port",
        nargs=None if needs_port else "?",
        type=common.number(0, 65535),
        help="port to listen on; 0 picks a free one",
    )
    audit.add_option(common.add_logging(parser))
    group = parser.add_argument_group("listening")
    group.add_argument(
        "-ba", "--bind-address", metavar="A", default="0.0.0.0", help="address to listen on (%(default)s, every one)"
    )
    group.add_argument("--ready-file", metavar="F", help="write HOST:PORT to this file once connections are taken")
    group.add_argument(
        "--drain",
        metavar="S",
        type=common.seconds,
        default=30,
        help="at the end (SIGTERM, Ctrl-C), go on answering messages under way for up to S seconds (%(default)s)",
    )
    group.add_argument(
        "--workers",
        metavar="N",
        type=common.number(1, 256),
        default=1,
        help="processes that share the port (%(default)s)",
    )
    group = parser.add_argument_group("association")
    group.add_argument(
        "-aet", "--ae-title", metavar="A", type=common.ae_title, default=ae_title, help="our AE title (%(default)s)"
    )
    group.add_argument(
        "--require-called", action="store_true", help="reject callers that call another AE title than ours"
    )
    group.add_argument(
        "--allow-calling",
        metavar="A",
        type=common.ae_title,
        action="append",
        default=[],
        help="accept callers with this AE title only; repeatable",
    )
    group.add_argument(
        "--allow-from",
        metavar="NET",
        type=common.validated(_network),
        action="append",
        default=[],
        help="accept connections from this network only, such as 10.1.0.0/16; repeatable",
    )
    group.add_argument(
        "--max-associations",
        metavar="N",
        type=common.number(1, 100_000),
        default=settings.Limits().associations,
        help="most associations at one time, in each worker (%(default)s); more are rejected",
    )
    group.add_argument(
        "--max-per-address",
        metavar="N",
        type=common.number(0, 100_000),
        help="most associations from one address, in each worker (90 %% of --max-associations); more are rejected; 0 is no limit",
    )
    common.add_waits(group, connecting=False)
    group.add_argument(
        "--idle-timeout",
        metavar="S",
        type=common.seconds,
        default=settings.Timeouts().idle,
        help="no request comes on an association: seconds (%(default)s), 0 is unlimited",
    )
    group.add_argument(
        "-pdu",
        "--max-pdu",
        metavar="N",
        type=common.maximum_length,
        default=settings.ACCEPTOR_MAXIMUM_LENGTH,
        help="largest P-DATA PDU that we receive: 0 (unlimited) or 4096 and more bytes (%(default)s)",
    )
    group.add_argument(
        "--async-ops",
        metavar="N",
        type=common.number(0, 65535),
        default=settings.ASYNC_OPS,
        help="operations that a requestor may have outstanding, if it asks (%(default)s);"
        f" 0, and any N above {settings.Limits().queued_requests}, is {settings.Limits().queued_requests}",
    )
    tls.add_options(parser, server=True)
    identity.add_acceptor_options(parser)
    preference = parser.add_argument_group("transfer syntaxes").add_mutually_exclusive_group()
    for short, long, first, words in (
        ("-x=", "--prefer-uncompr", UNCOMPRESSED[0], "prefer uncompressed ones, in this machine's byte order"),
        ("-xe", "--prefer-little", UNCOMPRESSED[0], "prefer Explicit VR Little Endian"),
        ("-xb", "--prefer-big", UNCOMPRESSED[1], "prefer Explicit VR Big Endian"),
    ):
        preference.add_argument(short, long, action="store_const", const=first, dest="preferred", help=words)
    preference.add_argument("-xi", "--implicit", action="store_true", help="accept Implicit VR Little Endian only")


def _network(text: str) -> str:
    from ipaddress import ip_network

    ip_network(text)
    return text


def make_server(
    options: argparse.Namespace,
    handlers: dimse.Handlers,
    *,
    contexts: set[str] | None = None,
    only: tuple[str, ...] = (),
    more: tuple[str, ...] = (),
) -> dimse.Server:
    """The server that the options ask for.

    Args:
        options: As parsed.
        handlers: What answers.
        contexts: The abstract syntaxes that are accepted; None: what the handlers are for.
        only: Transfer syntaxes, if no others are to be accepted.
        more: Transfer syntaxes that are accepted besides, or the words of `dimse.uids` for private ones and for any.
    """
    accepted = only or uids.STORABLE_TRANSFER_SYNTAXES
    if options.implicit:
        accepted = (uids.ImplicitVRLittleEndian,)
    elif options.preferred:
        known = accepted
        accepted = tuple(dict.fromkeys((options.preferred, *UNCOMPRESSED, *known)))
        accepted = tuple(uid for uid in accepted if uid in known)
    return dimse.Server(
        (options.bind_address, options.port),
        handlers,
        ae_title=options.ae_title,
        contexts=contexts,
        transfer_syntaxes=(*accepted, *more),
        prefer_ours=bool(options.preferred),
        timeouts=settings.Timeouts(
            acse=options.acse_timeout,
            dimse=options.dimse_timeout,
            network=options.network_timeout,
            idle=options.idle_timeout,
        ),
        limits=settings.Limits(associations=options.max_associations, per_address=options.max_per_address),
        maximum_length=options.max_pdu,
        require_called=options.require_called,
        calling_ae_titles=options.allow_calling,
        networks=options.allow_from,
        accept_unknown=getattr(options, "accept_unknown", False),
        async_ops=options.async_ops,
        share_port=options.workers > 1,
        identify=options.passwords.identify if options.passwords else None,
        tls=options.tls,
        observe=options.trail.observe if options.trail else ignore,
    )
