"""What the tools share: options, logging, exit statuses, and the lines that say what went wrong."""

from __future__ import annotations

import argparse
import gc
import logging
import sys
from collections.abc import Callable, Iterable, Sequence
from importlib import import_module
from typing import TYPE_CHECKING

import dimse
from dimse import settings, uids
from dimse.logs import show_private
from dimse.logs.notices import LOGGER as NOTICES
from dimse.logs.notices import OncePerMinute
from dimse.message.command import HIGH, LOW, MEDIUM
from dimse.support.text import host_and_port, one_line
from dimse.tools import command_line

if TYPE_CHECKING:
    from dimse.sending import AssociationOptions, Syntaxes

# Exit statuses: the worst of what happened, where 1 is worse than 3.
SUCCESS = 0  # everything asked for succeeded
NO_ASSOCIATION = 1  # there was something to do, and never a usable association
USAGE = 2
SHORTFALL = 3  # any other: a failure status, a time-out, a lost association, a file that could not be sent
INTERRUPTED = 130  # by SIGINT, Ctrl-C
TERMINATED = 143  # by SIGTERM
UNWRITTEN = 120  # the output cannot be written, as where Python itself finds so

LEVELS = ("critical", "error", "warning", "warn", "info", "debug")
PRIORITIES = {"low": LOW, "medium": MEDIUM, "high": HIGH}
PROPOSABLE = (uids.ImplicitVRLittleEndian, uids.ExplicitVRLittleEndian, uids.ExplicitVRBigEndian)

Parser = command_line.Parser

MOST_REFUSALS = 6  # lines about refused contexts


def number(least: float, most: float, kind: type[int] | type[float] = int) -> Callable[[str], float]:
    """An argparse type: a number within bounds."""

    def read(text: str) -> float:
        try:
            value = kind(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"{text!r} is not a number") from None
        if not least <= value <= most:
            raise argparse.ArgumentTypeError(f"{text} is not {least:.15g} to {most:.15g}")
        return value

    return read


def validated(check: Callable[..., object], kind: Callable[[str], object] = str) -> Callable[[str], object]:
    """An argparse type: what a function of `dimse.settings` lets through."""

    def read(text: str) -> object:
        try:
            return check(kind(text))
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return read


seconds = number(0, 1e9, float)
ae_title = validated(settings.validate_ae_title)
maximum_length = validated(settings.validate_maximum_length, int)


def add_peer(parser: Parser, *, needed: bool = True) -> None:
    """`addr` and `port`."""
    count = None if needed else "?"
    parser.add_argument("addr", nargs=count, help="name, IPv4 or IPv6 address of the peer")
    parser.add_argument("port", nargs=count, type=number(1, 65535), help="its port")


def add_logging(parser: Parser) -> argparse._ArgumentGroup:
    """How much is said, and how; the group is returned for what else a tool prints."""
    group = parser.add_argument_group("output")
    amount = group.add_mutually_exclusive_group()
    amount.add_argument("-q", "--quiet", action="store_true", help="print nothing at all")
    amount.add_argument("-v", "--verbose", action="store_true", help="say what is done")
    amount.add_argument("-d", "--debug", action="store_true", help="say everything, PDUs and messages too")
    group.add_argument(
        "-ll", "--log-level", metavar="L", choices=LEVELS, help=f"this level and more severe: {', '.join(LEVELS)}"
    )
    group.add_argument(
        "-lc",
        "--log-config",
        metavar="F",
        help="a Python logging configuration (INI, JSON or TOML); it can run code: use only files that you trust",
    )
    group.add_argument(
        "--log-format",
        choices=("text", "json"),
        default="text",
        help="json: one JSON object per line (%(default)s)",
    )
    group.add_argument("--log-phi", action="store_true", help="do not hide what may identify patients")
    return group


def add_network(parser: Parser, calling_ae_title: str) -> None:
    """AE titles, deadlines and lengths of a requestor."""
    group = parser.add_argument_group("association")
    for short, long, other, default, whose in (  # the others are DCMTK's
        ("-aet", "--calling-aet", "--aetitle", calling_ae_title, "our"),
        ("-aec", "--called-aet", "--call", "ANY-SCP", "the peer's"),
    ):
        group.add_argument(
            short, long, other, metavar="A", type=ae_title, default=default, help=f"{whose} AE title (%(default)s)"
        )
    add_waits(group, connecting=True)
    group.add_argument(
        "-pdu",
        "--max-pdu",
        metavar="N",
        type=maximum_length,
        default=settings.REQUESTOR_MAXIMUM_LENGTH,
        help="largest P-DATA PDU that we receive: 0 (unlimited) or 4096 and more bytes (%(default)s)",
    )
    group.add_argument(
        "--max-send-pdu",
        metavar="N",
        type=number(4096, 0xFFFFFFFF),
        default=settings.MAXIMUM_SEND_LENGTH,
        help="cap on what we send below the peer's maximum, bytes (%(default)s)",
    )
    group.add_argument("--abort", action="store_true", help="abort the association at the end instead of releasing it")


def add_waits(group: argparse._ArgumentGroup, *, connecting: bool) -> None:
    """The deadlines; `connecting` for a requestor."""
    waits = (
        ("-to", "--timeout", 10, "connecting"),
        ("-ta", "--acse-timeout", 30, "an answer to an association or release request"),
        ("-td", "--dimse-timeout", 30, "a response, from the last byte of its request"),
        ("-tn", "--network-timeout", 30, "no byte moves while a message is under way"),
    )
    for short, long, default, what in waits[0 if connecting else 1 :]:
        group.add_argument(
            short,
            long,
            metavar="S",
            type=seconds,
            default=default,
            help=f"{what}: seconds (%(default)s), 0 is unlimited",
        )


def add_syntaxes(parser: Parser) -> argparse._MutuallyExclusiveGroup:
    """What transfer syntaxes are proposed; the group is returned for what else excludes them."""
    group = parser.add_argument_group("transfer syntaxes").add_mutually_exclusive_group()
    for short, long, uid, name in (  # with names, because nothing else would need the table of them that early
        ("-xe", "--request-little", uids.ExplicitVRLittleEndian, "Explicit VR Little Endian"),
        ("-xb", "--request-big", uids.ExplicitVRBigEndian, "Explicit VR Big Endian"),
        ("-xi", "--request-implicit", uids.ImplicitVRLittleEndian, "Implicit VR Little Endian"),
    ):
        group.add_argument(
            short, long, action="store_const", const=(uid,), dest="syntaxes", help=f"propose {name} only"
        )
    group.add_argument(
        "-pts",
        "--propose-ts",
        metavar="N",
        type=number(1, len(PROPOSABLE)),
        help="propose the first N (1-3) of Implicit VR Little Endian, Explicit VR Little Endian, Explicit VR Big Endian",
    )
    return group


def chosen_syntaxes(arguments: argparse.Namespace) -> tuple[str, ...] | None:
    """The transfer syntaxes that the user asked to propose; None if the tool is to choose."""
    syntaxes: tuple[str, ...] | None = arguments.syntaxes
    return PROPOSABLE[: arguments.propose_ts] if arguments.propose_ts else syntaxes


def syntaxes(options: argparse.Namespace) -> Syntaxes:
    """How a sender chooses the transfer syntaxes that it proposes."""
    from dimse.sending import Syntaxes

    return Syntaxes(chosen_syntaxes(options) or (), exact=options.required_contexts)


def timeouts(arguments: argparse.Namespace) -> settings.Timeouts:
    """The deadlines that the user asked for."""
    return settings.Timeouts(
        connect=arguments.timeout,
        acse=arguments.acse_timeout,
        dimse=arguments.dimse_timeout,
        network=arguments.network_timeout,
    )


def association_options(options: argparse.Namespace) -> AssociationOptions:
    """What the options of a requestor say of its associations: arguments of `dimse.associate`."""
    return {
        "calling_ae_title": options.calling_aet,
        "called_ae_title": options.called_aet,
        "timeouts": timeouts(options),
        "maximum_length": options.max_pdu,
        "maximum_send_length": options.max_send_pdu,
        "tls": options.tls,
        "identity": options.identity,
    }


def associate(
    options: argparse.Namespace,
    contexts: Iterable[str | tuple[str, tuple[str, ...]] | settings.ProposedContext],
    handlers: dimse.Handlers | None = None,
) -> dimse.Association:
    """Request the association that the options of a requestor ask for; `handlers` answer what the peer asks.

    Raises: As `dimse.associate` does.
    """
    return dimse.associate(
        options.addr, options.port, contexts=contexts, handlers=handlers, **association_options(options)
    )


# --- logging ---


def start_logging(parser: Parser, arguments: argparse.Namespace) -> logging.Logger:
    """Set logging up as the user asked; returns the tool's own logger.

    Raises:
        SystemExit: The logging configuration cannot be used (exit status 2).
    """
    logger = logging.getLogger(f"dimse.tools.{parser.tool}")
    if arguments.log_config:
        if arguments.log_format != "text":
            parser.error("--log-config says itself what the log looks like: it does not go with --log-format")
        try:
            _configure(arguments.log_config)
        except Exception as error:  # whatever the logging package makes of a configuration that is not right
            parser.error(f"cannot use the logging configuration {arguments.log_config}: {one_line(str(error))}")
    else:
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(_formatter(arguments.log_format))
        logging.getLogger("dimse").addHandler(handler)
    if arguments.log_phi:
        show_private()
    level = logging.ERROR
    if arguments.log_level:
        level = logging.getLevelNamesMapping()[arguments.log_level.upper()]
    elif arguments.quiet:
        level = logging.CRITICAL + 1
    elif arguments.verbose or arguments.debug:
        level = logging.INFO if arguments.verbose else logging.DEBUG
    if not arguments.log_config:
        logging.getLogger("dimse").setLevel(level)
    start_notices(quiet=arguments.quiet)
    logger.debug("%s.py v%s", parser.tool, dimse.__version__)
    logger.debug("")
    return logger


def _formatter(log_format: str) -> logging.Formatter:
    if log_format == "json":
        from dimse.tools.json_log import Formatter

        return Formatter()
    return logging.Formatter("%(levelname).1s: %(message)s")


def start_notices(*, quiet: bool) -> OncePerMinute:
    """Show notices at every log level but with `quiet`; return the filter, which counts those that are held back."""
    for before in [each for each in NOTICES.filters if isinstance(each, OncePerMinute)]:
        NOTICES.removeFilter(before)
    once = OncePerMinute()
    NOTICES.addFilter(once)
    NOTICES.setLevel(
        logging.CRITICAL + 1 if quiet else min(logging.getLogger("dimse").getEffectiveLevel(), logging.WARNING)
    )
    return once


def flush_notices() -> None:
    """Say how many notices were held back."""
    for each in NOTICES.filters:
        if isinstance(each, OncePerMinute):
            each.flush()


def warn(warning: str) -> None:
    """Say what bears on safety: at every log level, but not with -q."""
    NOTICES.warning("%s", warning)


def _configure(path: str) -> None:
    import logging.config

    if path.endswith((".json", ".toml")):
        with open(path, "rb") as file:
            if path.endswith(".json"):
                import json

                configuration = json.load(file)
            else:
                import tomllib

                configuration = tomllib.load(file)
        logging.config.dictConfig({"version": 1, "disable_existing_loggers": False, **configuration})
    else:
        logging.config.fileConfig(path, disable_existing_loggers=False)


# --- what went wrong ---


NO_ANSWER = "Perhaps it wants TLS (--tls), or it does not admit this address or AE title (-aec, -aet)"
NO_ANSWER_TLS = "Perhaps it does not admit this address or AE title (-aec, -aet)"


def explain_request(error: dimse.DimseError, options: argparse.Namespace) -> list[str]:
    """Return the lines for an association that was not established; the last one says with which peer."""
    where = host_and_port(options.addr, options.port)
    peer = f"Peer: {where}, called {options.called_aet}, calling {options.calling_aet}"
    return [*_why_no_association(error, options), one_line(peer)]


def _why_no_association(error: dimse.DimseError, options: argparse.Namespace) -> list[str]:
    words = one_line(str(error))
    match error:
        case dimse.TLSError():
            lines = [f"Association request failed: {words}"]
        case dimse.ConnectError():
            lines = ["Association request failed: unable to connect to remote", f"TCP Initialisation Error: {words}"]
        case dimse.AssociationRejected():
            lines = [
                "Association Rejected",
                f"Result: {error.result_text}, Source: {error.source_text}",
                f"Reason: {error.reason_text}",
            ]
        case dimse.RefusedContexts():
            more = len(error.refused) - MOST_REFUSALS
            rest = [f"... and {more} more"] if more > 0 else []
            lines = [words, *(one_line(refusal) for refusal in error.refused[:MOST_REFUSALS]), *rest]
        case dimse.NotDicomPeer():
            lines = [f"Association request failed: {words}"]
        case dimse.RemoteProtocolError():
            lines = ["Received an invalid A-ASSOCIATE response from the peer", words]
        case dimse.AssociationAborted():
            lines = ["Association Aborted"]
        case dimse.ConnectionLost():
            lines = ["Peer closed the connection without an answer", NO_ANSWER_TLS if options.tls else NO_ANSWER]
        case _:
            lines = [words]
    return lines


def explain(error: dimse.DimseError) -> list[str]:
    """The lines for an association that ended before its time."""
    match error:
        case dimse.InvalidResponse():
            return [f"Received an invalid {error.awaited} response from the peer", one_line(error.why)]
        case dimse.RemoteProtocolError():
            return ["Association Aborted", f"The peer broke the protocol: {one_line(str(error))}"]
        case dimse.AssociationAborted():
            return ["Association Aborted", one_line(str(error))]
        case dimse.ConnectionLost(__cause__=OSError(strerror=str(words))):
            return [one_line(str(error)), words]
        case _:
            return [one_line(str(error))]


def explain_unusable(outcome: dimse.Outcome) -> str:
    """The line for a path that was asked for and that nothing can be sent of."""
    assert isinstance(outcome.error, dimse.FileError)
    what = "Cannot access path" if isinstance(outcome.error, dimse.InaccessiblePath) else "Bad DICOM file"
    return f"{what}: {one_line(outcome.path)}: {one_line(outcome.error.reason)}"


def say(logger: logging.Logger, lines: Sequence[str]) -> None:
    """Each line at ERROR."""
    for line in lines:
        logger.error("%s", line)


def say_traceback(logger: logging.Logger, error: BaseException) -> None:
    """Where an error came from, for who asked for everything."""
    if logger.isEnabledFor(logging.DEBUG):
        logger.debug("this is where it comes from:", exc_info=error)


def loaded() -> None:
    """What a run needs is loaded, and stays: from here on there may be garbage, which Python has not looked for so far."""
    import_module("dimse.blocking")
    if not gc.isenabled():
        gc.freeze()
        gc.enable()


def run(work: Callable[[], int], logger: logging.Logger, interrupted: Callable[[], None] | None = None) -> int:
    """Run a tool's work; Ctrl-C is an exit status, not a traceback.

    Args:
        work: Returns the exit status.
        logger: The tool's.
        interrupted: What Ctrl-C still does: abort, and say how far it came.
    """
    loaded()
    try:
        return work()
    except KeyboardInterrupt:
        if interrupted is not None:
            interrupted()
        else:
            logger.error("Interrupted")
        return INTERRUPTED
