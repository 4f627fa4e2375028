"""echoscp: answer C-ECHO (PS3.4 Annex A)."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import dimse
from dimse.tools import listening, log_setup, server_log
from dimse.tools.command_line import Parser
from dimse.tools.processes import Serving


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the tool, and return its exit status."""
    parser = Parser(
        "echoscp",
        "Answer C-ECHO, so that a DICOM connection can be verified.",
        (
            ("echoscp 11112", "on every address, until SIGTERM or Ctrl-C"),
            ("echoscp -v -ba 127.0.0.1 0", "on a free port of this machine, logging every step"),
        ),
        positionals="port",
    )
    listening.add_options(parser, "ECHOSCP")
    options = parser.read(arguments)
    logger = log_setup.start_logging(parser, options)
    server_log.drop_unread_lines()
    return listening.run(parser, options, logger, shared)


@contextmanager
def shared(options: argparse.Namespace) -> Iterator[Serving]:
    """Give the function that each worker runs; workers share only the options."""
    yield lambda: listening.make_server(options, dimse.Handlers())
