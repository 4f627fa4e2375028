"""echoscu: verify a DICOM connection (PS3.4 Annex A)."""

from __future__ import annotations

import argparse
import logging
import time
from collections.abc import Sequence

import dimse
from dimse import settings
from dimse.support.text import one_line
from dimse.tools import requesting, running, wording
from dimse.tools.command_line import Parser
from dimse.tools.options import REPEAT, add_rows

# Echoes that are listed one by one.
MOST_ECHOES = 10


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the tool, and return its exit status."""
    parser = Parser(
        "echoscu",
        "Verify a DICOM connection: request an association and send C-ECHO.",
        (
            ("echoscu 127.0.0.1 11112", "silent, exit status 0: it works"),
            ("echoscu -v -aec ARCHIVE pacs.example.org 104", "log every step, and how long it takes"),
            ("echoscu -d --repeat 3 ::1 11112", "three echoes, and every PDU"),
        ),
        positionals="addr port",
    )
    requesting.add_options(parser, "ECHOSCU")
    add_rows(parser, [REPEAT])
    options, logger = requesting.read(parser, arguments)
    return running.run(lambda: verify(options, logger), logger)


def verify(options: argparse.Namespace, logger: logging.Logger) -> int:
    """Request an association, send C-ECHO on it, and return the exit status."""
    syntaxes = requesting.chosen_syntaxes(options) or settings.DEFAULT_TRANSFER_SYNTAXES
    try:
        association = requesting.associate(options, [(dimse.Verification, syntaxes)])
    except dimse.DimseError as error:
        wording.log_failure(logger, wording.explain_request(error, options), error)
        return running.NO_ASSOCIATION
    status, milliseconds = running.SUCCESS, []
    try:
        for _ in range(options.repeat):
            started = time.perf_counter()
            answer = association.echo()
            milliseconds.append((time.perf_counter() - started) * 1000)
            if not answer.is_success:
                line = one_line(f"Echo failed: {answer}: {answer.meaning} {answer.comment}".rstrip())
                wording.log_failure(logger, [line])
                status = running.SHORTFALL
        requesting.end(association, options, logger)
    except dimse.DimseError as error:
        wording.log_failure(logger, wording.explain(error), error)
        return running.SHORTFALL
    except KeyboardInterrupt:
        association.abort()
        raise
    log_times(logger, association, milliseconds)
    return status


def log_times(logger: logging.Logger, association: dimse.Association, echoes: list[float]) -> None:
    """Log the milliseconds of each step, and the peer's name and implementation."""
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
