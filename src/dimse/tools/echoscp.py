"""echoscp: answer C-ECHO (PS3.4 Annex A)."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import dimse
from dimse.tools import audit, common, identity, listening, processes, tls


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the tool; returns its exit status."""
    parser = common.Parser(
        "echoscp",
        "Answer C-ECHO: something to verify a DICOM connection against.",
        (
            ("echoscp 11112", "on every address, until SIGTERM or Ctrl-C"),
            ("echoscp -v -ba 127.0.0.1 0", "on a free port of this machine, saying what happens"),
        ),
        positionals="port",
    )
    listening.add_options(parser, "ECHOSCP")
    options = parser.read(arguments)
    logger = common.start_logging(parser, options)
    tls.settle(parser, options, logger)
    identity.settle_acceptor(parser, options, logger)
    audit.settle(parser, options, options.ae_title, sends=False)
    return processes.run(options, logger, shared)


@contextmanager
def shared(options: argparse.Namespace) -> Iterator[processes.Serving]:
    """Nothing but the options."""
    yield lambda: listening.make_server(options, dimse.Handlers())
