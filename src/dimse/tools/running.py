"""The run of a tool: its exit status, the end of its start-up, and Ctrl-C."""

from __future__ import annotations

import gc
import logging
import signal
from collections.abc import Callable
from importlib import import_module

# Exit statuses. Where several are deserved NO_ASSOCIATION wins over SHORTFALL.
SUCCESS = 0
# There was something to do, and never a usable association.
NO_ASSOCIATION = 1
USAGE = 2
# A failure status, a time-out, a lost association, a file that could not be sent.
SHORTFALL = 3
# The output cannot be written: the status that Python itself gives then.
UNWRITTEN = 120
# Ctrl-C, which is SIGINT.
INTERRUPTED = 130
# SIGTERM.
TERMINATED = 143


def finish_loading() -> None:
    """Load the modules for the network, and enable garbage collection, which is off during start-up.

    The objects made until then stay, so `gc.freeze` exempts them from every collection.
    """
    import_module("dimse.blocking")
    if not gc.isenabled():
        gc.freeze()
        gc.enable()


def run(work: Callable[[], int], logger: logging.Logger) -> int:
    """Run the work of a tool, and return its exit status; Ctrl-C is a line and an exit status, not a traceback."""
    finish_loading()
    try:
        return work()
    except KeyboardInterrupt as error:
        logger.error("Interrupted")
        return TERMINATED if error.args == (signal.SIGTERM,) else INTERRUPTED
