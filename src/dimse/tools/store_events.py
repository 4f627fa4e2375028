"""The options of a listener about the instances that it keeps: programs that it runs for them, and reports."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from typing import TYPE_CHECKING, TypeAlias

from dimse.archive.stored import Stored
from dimse.support.text import counted
from dimse.tools import log_setup
from dimse.tools.options import common, flag, option, seconds, validated

if TYPE_CHECKING:
    # These load much, and only the options here need them.
    from dimse.archive.events import Command, PendingStudies, Report


Listener: TypeAlias = "Callable[[Stored], None]"
"""A function that is called with each instance that was stored."""


def _command(text: str) -> Command:
    from dimse.archive.events import Command

    return Command(text)


EVENTS = (
    common(
        option(
            "--exec CMD",
            validated(_command),
            None,
            "run a program for each instance, without a shell; it gets values in DIMSE_... variables and as JSON on its input",
        )
    ),
    common(
        option(
            "--exec-study CMD",
            validated(_command),
            None,
            "run a program for each study once it is quiet; if it fails, again after 10 s, 1, 10 and 60 min",
        )
    ),
    option(
        "--study-timeout S",
        seconds,
        60.0,
        "a study is quiet when no instance of it has come for S seconds, and no instance is arriving (%(default)s)",
    ),
    flag(
        "--pending-studies",
        "print the studies whose program has not succeeded yet, and exit; the exit status is 3 if any was given up",
    ),
    option("--report F", str, None, "append a JSON line for each instance to a file"),
)


def report(options: argparse.Namespace) -> AbstractContextManager[Report | None]:
    """Return a context manager that gives the report of `--report`; None without one."""
    if not options.report:
        return nullcontext()
    from dimse.archive.events import Report

    return closing(Report(options.report))


@contextmanager
def pending(options: argparse.Namespace) -> Iterator[PendingStudies | None]:
    """Give the studies that wait in the folder, which all workers share."""
    if not options.exec_study or options.ignore:
        _warn_of_waiting_studies(options)
        yield None
        return
    from dimse.archive.events import PendingStudies

    with PendingStudies(options.output_directory, durable=options.durability == "full") as studies:
        yield studies


def _warn_of_waiting_studies(options: argparse.Namespace) -> None:
    """Warn if studies wait from an earlier run that had a program for them."""
    if os.path.isdir(os.path.join(options.output_directory, ".studies")):
        from dimse.archive.events import pending_studies

        if waiting := len(pending_studies(options.output_directory)):
            studies = counted(waiting, "study", "studies")
            log_setup.warn(
                f"{studies} still waiting for a program: --exec-study runs one, --pending-studies lists them"
            )


@contextmanager
def events(
    options: argparse.Namespace, report: Report | None, studies: PendingStudies | None, listeners: list[Listener]
) -> Iterator[None]:
    """Add events to the listeners while the body runs, if the user asked for any."""
    if not (options.exec or options.exec_study or report):
        yield
        return
    from dimse.archive.events import Events

    events = Events(
        options.exec, options.exec_study, report=report, study_timeout=options.study_timeout, studies=studies
    )
    listeners.append(events)
    try:
        yield
    finally:
        events.close(options.drain)
