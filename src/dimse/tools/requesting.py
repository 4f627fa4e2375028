"""The common part of the tools that request associations: their options, and the association that these ask for."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING

import dimse
from dimse import settings, uids
from dimse.message.command import HIGH, LOW, MEDIUM
from dimse.tools import identity, log_setup, tls, wording
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
    number,
    option,
    positional,
    timeouts,
    waits,
)

if TYPE_CHECKING:
    from dimse.sending import AssociationOptions, Syntaxes
    from dimse.tools.options import Row

PRIORITIES = {"low": LOW, "medium": MEDIUM, "high": HIGH}

PROPOSABLE = (uids.ImplicitVRLittleEndian, uids.ExplicitVRLittleEndian, uids.ExplicitVRBigEndian)

# With their names, because the table of names takes long to load.
SYNTAXES = (
    constant(
        "-xe --request-little", "syntaxes", (uids.ExplicitVRLittleEndian,), "propose Explicit VR Little Endian only"
    ),
    constant("-xb --request-big", "syntaxes", (uids.ExplicitVRBigEndian,), "propose Explicit VR Big Endian only"),
    constant(
        "-xi --request-implicit", "syntaxes", (uids.ImplicitVRLittleEndian,), "propose Implicit VR Little Endian only"
    ),
    option(
        "-pts --propose-ts N",
        number(1, len(PROPOSABLE)),
        None,
        "propose the first N (1-3) of Implicit VR Little Endian, Explicit VR Little Endian, Explicit VR Big Endian",
    ),
)


REMOTE = option(
    "--remote NAME",
    str,
    None,
    "take addr and port from this table of $DIMSE_CONFIG, or of ~/.config/dimse/remotes.toml, and the defaults of AE titles,"
    " TLS, user identity and deadlines too",
)


def add_options(
    parser: Parser,
    calling_ae_title: str,
    *,
    arguments: Iterable[Row] = (),
    output: Iterable[Row] = (),
    syntaxes: Iterable[Row] = (),
    peer_needed: bool = True,
    most_received: int = settings.REQUESTOR_MAXIMUM_LENGTH,
) -> None:
    """Add the options of a requestor.

    Args:
        parser: The parser of the tool.
        calling_ae_title: The default of our AE title.
        arguments: Positional arguments of the tool, behind the peer's address.
        output: Options of the tool about output.
        syntaxes: Options of the tool that exclude the others about transfer syntaxes.
        peer_needed: False if the command line may do without a peer.
        most_received: The default of the largest P-DATA PDU that we receive, in bytes.
    """
    count = None if peer_needed else "?"
    peer = (
        positional("addr", count, str, "name, IPv4 or IPv6 address of the peer"),
        positional("port", count, number(1, 65535), "its port"),
    )
    add_rows(parser, (*peer, *arguments))
    add_output(parser, output)
    add_group(
        parser,
        "association",
        REMOTE,
        # The third spelling of a title is DCMTK's.
        common(option("-aet --calling-aet --aetitle A", ae_title, calling_ae_title, "our AE title (%(default)s)")),
        common(option("-aec --called-aet --call A", ae_title, "ANY-SCP", "the peer's AE title (%(default)s)")),
        *waits("connect", "acse", "dimse", "network"),
        maximum_length(most_received),
        option(
            "--max-send-pdu N",
            number(4096, 0xFFFFFFFF),
            settings.MAXIMUM_SEND_LENGTH,
            "cap on what we send below the peer's maximum, bytes (%(default)s)",
        ),
        flag("--abort", "abort the association at the end instead of releasing it"),
    )
    group = parser.add_argument_group("transfer syntaxes")
    add_rows(group.add_mutually_exclusive_group(), (*SYNTAXES, *syntaxes))
    parser.before_parsing = partial(_use_remote, parser)
    tls.add_options(parser, server=False)
    identity.add_requestor_options(parser)


def _use_remote(parser: Parser, arguments: list[str]) -> None:
    """Have a named remote used where one may be among the arguments; few runs load the module for it."""
    if any(argument.startswith("--remote") for argument in arguments):
        from dimse.tools import remote

        remote.use(parser, arguments)


def read(
    parser: Parser, arguments: Sequence[str] | None, settle: Callable[[argparse.Namespace], None] | None = None
) -> tuple[argparse.Namespace, logging.Logger]:
    """Parse the command line of a requestor, set logging up, and return the options and the tool's logger.

    Args:
        parser: The parser of the tool.
        arguments: The arguments; None for those of the process.
        settle: Checks and completes the options before anything is logged.

    Raises:
        SystemExit: The usage is wrong (exit status 2), or only help was asked for.
    """
    options = parser.read(arguments)
    if settle is not None:
        settle(options)
    logger = log_setup.start_logging(parser, options)
    tls.settle(parser, options)
    identity.settle_requestor(parser, options)
    return options, logger


def end(association: dimse.Association, options: argparse.Namespace, logger: logging.Logger) -> None:
    """Release the association, or abort it where the user asked for that. A release that fails is only a warning."""
    if options.abort:
        association.abort()
        return
    try:
        association.release()
    except dimse.DimseError as error:
        wording.log_not_released(logger, error)


def chosen_syntaxes(options: argparse.Namespace) -> tuple[str, ...] | None:
    """Return the transfer syntaxes that the user asked to propose; None if the tool is to choose."""
    syntaxes: tuple[str, ...] | None = options.syntaxes
    return PROPOSABLE[: options.propose_ts] if options.propose_ts else syntaxes


def sender_syntaxes(options: argparse.Namespace) -> Syntaxes:
    """Return the rule by which a sender chooses the transfer syntaxes that it proposes."""
    from dimse.sending import Syntaxes

    return Syntaxes(chosen_syntaxes(options) or (), exact=options.required_contexts)


def association_options(options: argparse.Namespace) -> AssociationOptions:
    """Return the arguments of `dimse.associate` that the user asked for."""
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
    extended: Iterable[settings.ExtendedNegotiation] = (),
    roles: Iterable[settings.Role] = (),
) -> dimse.Association:
    """Request the association that the options ask for.

    Args:
        options: The parsed options.
        contexts: The presentation contexts to propose.
        handlers: The handlers of the peer's requests.
        extended: Service-class application information to propose.
        roles: SCU and SCP roles to propose.

    Raises:
        DimseError: The association was not established; see `dimse.associate`.
    """
    asked = association_options(options)
    asked["extended"] = tuple(extended)
    asked["roles"] = tuple(roles)
    return dimse.associate(options.addr, options.port, contexts=contexts, handlers=handlers, **asked)
