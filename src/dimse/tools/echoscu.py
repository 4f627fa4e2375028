"""echoscu: verify a DICOM connection (PS3.4 Annex A)."""

from __future__ import annotations

import argparse
import logging
import time
from collections.abc import Sequence

import dimse
from dimse import settings
from dimse.support.text import one_line
from dimse.tools import common, identity, tls

MOST_ECHOES = 10  # that are listed one by one


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the tool; returns its exit status."""
    parser = common.Parser(
        "echoscu",
        "Verify a DICOM connection: request an association and send C-ECHO.",
        (
            ("echoscu 127.0.0.1 11112", "silent, exit status 0: it works"),
            ("echoscu -v -aec ARCHIVE pacs.example.org 104", "say what happens, and how long it takes"),
            ("echoscu -d --repeat 3 ::1 11112", "three echoes, and every PDU"),
        ),
        positionals="addr port",
    )
    common.add_peer(parser)
    common.add_logging(parser)
    common.add_network(parser, "ECHOSCU")
    common.add_syntaxes(parser)
    tls.add_options(parser, server=False)
    identity.add_requestor_options(parser)
    parser.add_argument(
        "--repeat", metavar="N", type=common.number(1, 1e9), default=1, help="send C-ECHO N times (%(default)s)"
    )
    options = parser.read(arguments)
    logger = common.start_logging(parser, options)
    tls.settle(parser, options, logger)
    identity.settle_requestor(parser, options)
    return common.run(lambda: verify(options, logger), logger)


def verify(options: argparse.Namespace, logger: logging.Logger) -> int:
    """Associate, echo, and part; returns the exit status."""
    syntaxes = common.chosen_syntaxes(options) or settings.DEFAULT_TRANSFER_SYNTAXES
    try:
        association = common.associate(options, [(dimse.Verification, syntaxes)])
    except dimse.DimseError as error:
        common.say(logger, common.explain_request(error, options))
        common.say_traceback(logger, error)
        return common.NO_ASSOCIATION
    status, echoes = common.SUCCESS, []
    try:
        for _ in range(options.repeat):
            started = time.perf_counter()
            answer = association.echo()
            echoes.append((time.perf_counter() - started) * 1000)
            if not answer.is_success:
                common.say(logger, [one_line(f"Echo failed: {answer}: {answer.meaning} {answer.comment}".rstrip())])
                status = common.SHORTFALL
        part(association, options.abort, logger)
    except dimse.DimseError as error:
        common.say(logger, common.explain(error))
        common.say_traceback(logger, error)
        return common.SHORTFALL
    except KeyboardInterrupt:
        association.abort()
        raise
    say_times(logger, association, echoes)
    return status


def part(association: dimse.Association, abort: bool, logger: logging.Logger) -> None:
    """Release the association, or abort it. All is done by now: how the peer parts from us is a warning at most."""
    if abort:
        association.abort()
        return
    try:
        association.release()
    except dimse.DimseError as error:
        logger.warning("the association was not released: %s", one_line(str(error)))


def say_times(logger: logging.Logger, association: dimse.Association, echoes: list[float]) -> None:
    """The milliseconds of each step, and who the peer says it is."""
    connect, negotiate = association.connect_seconds * 1000, association.negotiate_seconds * 1000
    if len(echoes) <= MOST_ECHOES:
        each = ", ".join(f"{echo:.1f} ms" for echo in echoes)
    else:
        ordered = sorted(echoes)
        each = f"{ordered[0]:.1f}-{ordered[-1]:.1f} ms, median {ordered[len(ordered) // 2]:.1f} ms"
    logger.info("Connected in %.1f ms, associated in %.1f ms, echo in %s", connect, negotiate, each)
    peer = association.peer
    version = one_line(peer.implementation_version_name) or "no version name"
    class_uid = one_line(peer.implementation_class_uid) or "no implementation class UID"
    logger.info("Peer: %s, implementation %s (%s)", one_line(peer.ae_title), version, class_uid)
