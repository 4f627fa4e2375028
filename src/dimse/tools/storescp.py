"""storescp: receive DICOM files and keep them (PS3.4 Annex B)."""

from __future__ import annotations

import argparse
import logging
import signal
from collections.abc import Sequence

import dimse
from dimse import settings
from dimse.archive import FileStore
from dimse.text import one_line
from dimse.tools import common


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the tool; returns its exit status."""
    parser = common.Parser(
        "storescp",
        "Receive DICOM files: an instance is acknowledged when it is safely in the folder, byte for byte as it came.",
        (
            ("storescp 11112 -od incoming", "keep what comes in the folder incoming"),
            ("storescp -v -aet ARCHIVE -ba 127.0.0.1 0", "on a free port of this machine, saying what happens"),
        ),
    )
    parser.add_argument("port", type=common.number(0, 65535), help="port to listen on; 0 picks a free one")
    common.add_logging(parser)
    group = parser.add_argument_group("association")
    group.add_argument(
        "-aet", "--ae-title", metavar="A", type=common.ae_title, default="STORESCP", help="our AE title (%(default)s)"
    )
    group.add_argument(
        "-ba", "--bind-address", metavar="A", default="0.0.0.0", help="address to listen on (%(default)s, every one)"
    )
    common.add_waits(group, connecting=False)
    group.add_argument(
        "-pdu",
        "--max-pdu",
        metavar="N",
        type=common.maximum_length,
        default=settings.ACCEPTOR_MAXIMUM_LENGTH,
        help="largest P-DATA PDU that we receive: 0 (unlimited) or 4096 and more bytes (%(default)s)",
    )
    group = parser.add_argument_group("files")
    group.add_argument(
        "-od", "--output-directory", metavar="D", default=".", help="folder for the files (the current one)"
    )
    options = parser.read(arguments)
    logger = common.start_logging(parser, options)
    return receive(options, logger)


ENDINGS = (signal.SIGTERM, signal.SIGINT)


def receive(options: argparse.Namespace, logger: logging.Logger) -> int:
    """Listen until a signal ends it; returns the exit status."""
    # Held back from now on, in every thread, and waited for: none is lost, and none breaks into what is under way.
    signal.pthread_sigmask(signal.SIG_BLOCK, ENDINGS)
    timeouts = settings.Timeouts(
        acse=options.acse_timeout, dimse=options.dimse_timeout, network=options.network_timeout
    )
    try:
        with (
            FileStore(options.output_directory) as store,
            dimse.Server(
                (options.bind_address, options.port),
                store.handlers(),
                ae_title=options.ae_title,
                timeouts=timeouts,
                maximum_length=options.max_pdu,
            ) as server,
        ):
            common.warn_open_listener(logger, options)
            logger.info("Listening on %s:%d", *server.address)
            signal.sigwait(ENDINGS)
            for number in ENDINGS:  # a second one need not wait
                signal.signal(number, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDINGS)
    except (OSError, dimse.DimseError) as error:
        logger.error("%s", one_line(error.strerror or str(error) if isinstance(error, OSError) else str(error)))
        common.say_traceback(logger, error)
        return common.NO_ASSOCIATION
    return common.SUCCESS
