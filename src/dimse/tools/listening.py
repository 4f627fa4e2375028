"""The common part of the tools that listen: their options, the server that these ask for, and its run."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from typing import TypeAlias

import dimse
from dimse import settings, uids
from dimse.logs.security_events import Observe, SecurityEvent, ignore
from dimse.support.text import host_and_port
from dimse.tools import audit, identity, log_setup, running, tls
from dimse.tools.command_line import Parser
from dimse.tools.options import (
    add_group,
    add_output,
    add_rows,
    ae_title,
    common,
    constant,
    flag,
    maximum_length,
    network,
    number,
    option,
    positional,
    repeatable,
    seconds,
    timeouts,
    validated,
    waits,
)
from dimse.tools.processes import Serving, Shutdown, Watchdog, serve_until_shutdown
from dimse.tools.ready import announce
from dimse.tools.wording import log_failure, reason_with_path

# A context manager with the resources that all workers share; it gives the function that each worker runs.
Shared: TypeAlias = "Callable[[argparse.Namespace], AbstractContextManager[Serving]]"

UNCOMPRESSED = (uids.ExplicitVRLittleEndian, uids.ExplicitVRBigEndian, uids.ImplicitVRLittleEndian)


LIMITS = settings.Limits()

PORT = number(0, 65535)


def _also_port(text: str) -> tuple[object, bool]:
    """Return the number of a port, and True if TLS is spoken there: `PORT` or `PORT,tls`."""
    digits, _, word = text.partition(",")
    if word not in ("", "tls") or text.endswith(","):
        raise ValueError(f"{text!r} is neither PORT nor PORT,tls")
    return PORT(digits), word == "tls"


def _metrics_address(text: str) -> tuple[str, int]:
    """Return the host and port of `[HOST:]PORT`; an IPv6 address is in brackets.

    Raises:
        ValueError: The text is something else.
    """
    host, colon, digits = text.rpartition(":")
    wrong = (":" in host) != (host.startswith("[") and host.endswith("]")) or (colon and not host)
    if wrong or not (digits.isascii() and digits.isdecimal()) or int(digits) > 65535:
        raise ValueError(f"{text!r} is not [HOST:]PORT")
    return host.strip("[]") or "127.0.0.1", int(digits)


LISTENING = (
    common(option("-ba --bind-address A", str, "0.0.0.0", "address to listen on (%(default)s, all addresses)")),
    repeatable("--also-port P", validated(_also_port), "listen on this port too, plain, or by TLS with P,tls"),
    option("--ready-file F", str, None, "write HOST:PORT of each port to this file once connections are accepted"),
    option(
        "--drain S",
        seconds,
        30,
        "at the end (SIGTERM, Ctrl-C), go on answering messages under way for up to S seconds (%(default)s)",
    ),
    option("--workers N", number(1, 256), 1, "processes that share the port (%(default)s)"),
    option(
        "--metrics P",
        validated(_metrics_address),
        None,
        "give metrics to Prometheus on [HOST:]PORT, by default on 127.0.0.1 (needs dimse[metrics])",
    ),
)

ADMISSION = (
    flag("--require-called", "reject callers that call another AE title than ours"),
    common(repeatable("--allow-calling A", ae_title, "accept callers with this AE title only")),
    common(repeatable("--allow-from NET", network, "accept connections from this network only, such as 10.1.0.0/16")),
    option(
        "--max-associations N",
        number(1, 100_000),
        LIMITS.associations,
        "most associations at one time, in each worker (%(default)s); more are rejected",
    ),
    option(
        "--max-per-address N",
        number(0, 100_000),
        None,
        "most associations from one address, in each worker (90 %% of --max-associations); more are rejected; 0 is unlimited",
    ),
)

ASYNC_OPS = option(
    "--async-ops N",
    number(0, 65535),
    settings.ASYNC_OPS,
    "operations that a requestor may have outstanding, if it asks (%(default)s);"
    f" 0, and any N above {LIMITS.queued_requests}, is {LIMITS.queued_requests}",
)

PREFERENCES = (
    constant(
        "-x= --prefer-uncompr",
        "preferred",
        uids.ExplicitVRLittleEndian,
        "prefer uncompressed ones, in this machine's byte order",
    ),
    constant("-xe --prefer-little", "preferred", uids.ExplicitVRLittleEndian, "prefer Explicit VR Little Endian"),
    constant("-xb --prefer-big", "preferred", uids.ExplicitVRBigEndian, "prefer Explicit VR Big Endian"),
    flag("-xi --implicit", "accept Implicit VR Little Endian only"),
)


def add_options(parser: Parser, our_ae_title: str, *, port_needed: bool = True) -> None:
    """Add the options of a tool that listens.

    Args:
        parser: The parser of the tool.
        our_ae_title: The default of our AE title.
        port_needed: False if the command line may do without a port.
    """
    count = None if port_needed else "?"
    add_rows(parser, [positional("port", count, PORT, "port to listen on; 0 picks a free one")])
    add_output(parser, [audit.OPTION])
    add_group(parser, "listening", *LISTENING)
    add_group(
        parser,
        "association",
        common(option("-aet --ae-title A", ae_title, our_ae_title, "our AE title (%(default)s)")),
        *ADMISSION,
        *waits("acse", "dimse", "network", "idle"),
        maximum_length(settings.ACCEPTOR_MAXIMUM_LENGTH),
        ASYNC_OPS,
    )
    tls.add_options(parser, server=True)
    identity.add_acceptor_options(parser)
    add_rows(parser.add_argument_group("transfer syntaxes").add_mutually_exclusive_group(), PREFERENCES)


def make_server(
    options: argparse.Namespace,
    handlers: dimse.Handlers,
    *,
    contexts: set[str] | None = None,
    only: tuple[str, ...] = (),
    more: tuple[str, ...] = (),
    accept_unknown: bool = False,
    extended: tuple[dimse.ExtendedNegotiation, ...] = (),
    deny: Callable[[dimse.Peer], Collection[str]] | None = None,
) -> dimse.Server:
    """Return the server that the options ask for.

    Args:
        options: The parsed options.
        handlers: The handlers of requests.
        contexts: The abstract syntaxes to accept; None accepts those that the handlers are for.
        only: The transfer syntaxes to accept; empty accepts every one that can be stored.
        more: Transfer syntaxes to accept as well, or the words of `dimse.uids` for private ones and for any.
        accept_unknown: Whether to accept private and unknown SOP classes.
        extended: The application information that the handlers support.
        deny: Returns the abstract syntaxes that a peer may not use.
    """
    if options.measures is not None:
        from dimse.tools.metrics import measured

        handlers = measured(handlers, options.measures)
    return dimse.Server(
        (options.bind_address, options.port),
        handlers,
        ae_title=options.ae_title,
        contexts=contexts,
        transfer_syntaxes=(*_accepted(options, only or uids.STORABLE_TRANSFER_SYNTAXES), *more),
        prefer_ours=bool(options.preferred),
        timeouts=timeouts(options),
        limits=settings.Limits(associations=options.max_associations, per_address=options.max_per_address),
        maximum_length=options.max_pdu,
        require_called=options.require_called,
        calling_ae_titles=options.allow_calling,
        networks=options.allow_from,
        accept_unknown=accept_unknown,
        extended=extended,
        deny=deny,
        async_ops=options.async_ops,
        share_port=options.workers > 1,
        identify=options.passwords.identify if options.passwords else None,
        tls=options.tls,
        observe=_observer(options),
        also_ports=options.also_ports,
    )


def _observer(options: argparse.Namespace) -> Observe:
    """Return the function that takes the security events of the server."""
    observers = [each.observe for each in (options.trail, options.measures) if each is not None]
    if len(observers) < 2:
        return observers[0] if observers else ignore

    def observe(event: SecurityEvent) -> None:
        for each in observers:
            each(event)

    return observe


def _accepted(options: argparse.Namespace, known: tuple[str, ...]) -> tuple[str, ...]:
    """Return the transfer syntaxes to accept, the preferred ones first."""
    if options.implicit:
        return (uids.ImplicitVRLittleEndian,)
    if not options.preferred:
        return known
    return tuple(uid for uid in dict.fromkeys((options.preferred, *UNCOMPRESSED, *known)) if uid in known)


def run(parser: Parser, options: argparse.Namespace, logger: logging.Logger, shared: Shared) -> int:
    """Listen until a signal or a failure, and return the exit status.

    Args:
        parser: The parser of the tool.
        options: The parsed options.
        logger: The logger of the tool.
        shared: The resources that all workers share.

    Raises:
        SystemExit: The options do not go together, or a file that they name cannot be used (exit status 2).
    """
    _verify_ports(parser, options)
    options.port_tls = tls.settle(parser, options)
    options.also_ports = [
        dimse.Port(port, options.port_tls if secured else None) for port, secured in options.also_port
    ]
    identity.settle_acceptor(parser, options)
    audit.settle(parser, options, options.ae_title, sends=False)
    _settle_metrics(parser, options)
    running.finish_loading()
    why = ""
    reloads = bool(options.port_tls or options.passwords or options.log_file or getattr(options, "reload_peers", None))
    try:
        with Shutdown(reloads=reloads) as shutdown, _endpoint(options), shared(options) as serving:
            why = _serve(options, logger, serving, shutdown)
    except (OSError, ValueError, dimse.DimseError) as error:
        why = reason_with_path(error)
        log_failure(logger, [why], error)
    finally:
        log_setup.flush_notices()
        if options.trail is not None:
            options.trail.stopped(why)
            options.trail.close()
    return running.NO_ASSOCIATION if why else running.SUCCESS


def _verify_ports(parser: Parser, options: argparse.Namespace) -> None:
    """Refuse a port that is named twice."""
    named = [port for port in (options.port, *(number for number, _ in options.also_port)) if port]
    if len(named) > len(set(named)):
        parser.error("--also-port names a port that is listened on already")


def _settle_metrics(parser: Parser, options: argparse.Namespace) -> None:
    """Set `options.measures` to the `Measures` that `--metrics` asks for, or None.

    Raises:
        SystemExit: The package for it is not installed (exit status 2).
    """
    options.measures = None
    if options.metrics is not None:
        from dimse.tools import metrics

        metrics.verify_installed(parser)
        options.measures = metrics.Measures(options.allow_calling, options.workers)


@contextmanager
def _endpoint(options: argparse.Namespace) -> Iterator[None]:
    """Listen for Prometheus while the body runs, if the user asked for that; `_announced` begins to answer.

    Raises:
        OSError: The address cannot be bound.
    """
    options.endpoint = None
    if options.measures is None:
        yield
        return
    from dimse.tools import metrics

    folder = None if getattr(options, "ignore", True) else options.output_directory
    with metrics.Endpoint(options.metrics, options.measures, folder) as options.endpoint:
        yield


def _serve(options: argparse.Namespace, logger: logging.Logger, serving: Serving, shutdown: Shutdown) -> str:
    """Serve until a signal or a failure; return the words of a failure, or an empty text."""
    watchdog = Watchdog(logger)
    announced = partial(_announced, options, logger)
    if options.workers > 1:
        from dimse.tools.workers import supervise

        return supervise(options, logger, serving, shutdown, watchdog, announced)
    with serving() as server, announced(server.addresses):
        return serve_until_shutdown(options, logger, server, shutdown, watchdog)


@contextmanager
def _announced(
    options: argparse.Namespace, logger: logging.Logger, addresses: Sequence[tuple[str, int]]
) -> Iterator[None]:
    """Announce that connections are accepted, as long as the body runs."""
    address, *also = addresses
    with announce(address, options.ready_file, also):
        if address[0] in ("0.0.0.0", "::") and not (options.allow_calling or options.allow_from):
            log_setup.warn(
                "Listening on every address, and any AE may associate: -ba 127.0.0.1 keeps it to this machine,"
                " --allow-from and --allow-calling to known peers",
            )
        logger.info("Listening on %s", host_and_port(*address))
        for port, where in zip(options.also_ports, also, strict=True):
            logger.info("Listening on %s too, %s", host_and_port(*where), "with TLS" if port.tls else "without TLS")
        if options.endpoint is not None:
            options.endpoint.start()
            logger.info("Metrics are at %s", options.endpoint.url)
        if options.trail is not None:
            options.trail.started()
        yield
