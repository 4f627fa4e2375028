"""The options of getscu, movescu and retrieve about what happens with stored instances: programs, and the audit trail."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

import dimse
from dimse.support.values import record
from dimse.tools import audit, running
from dimse.tools.command_line import Parser
from dimse.tools.options import option, validated

if TYPE_CHECKING:
    from dimse.archive.events import Command
    from dimse.archive.stored import Stored
    from dimse.audit import Trail
    from dimse.tools.interruption import Interruption
    from dimse.tools.programs import Programs


def _command(text: str) -> Command:
    from dimse.archive.events import Command

    return Command(text)


PROGRAMS = (
    option(
        "--exec CMD",
        validated(_command),
        None,
        "run a program for each instance, without a shell; it gets values in DIMSE_... variables and as JSON on its input",
    ),
    option(
        "--exec-study CMD",
        validated(_command),
        None,
        "run a program, likewise, for each study once all of it is here; exit status 3 if it fails",
    ),
)
ROWS = (*PROGRAMS, audit.OPTION)


def settle(parser: Parser, options: argparse.Namespace) -> None:
    """Exit with a usage error for an option about what is kept, where nothing is."""
    for name in ("exec", "exec_study", "audit"):
        if options.ignore and getattr(options, name):
            parser.error(
                f"--{name.replace('_', '-')} does not go with --ignore: nothing is kept that could be reported"
            )


@record
class Reactions:
    """The reactions to what is stored, as the options ask for them.

    Attributes:
        trail: The audit trail; None without one.
        programs: The programs; None without any.
    """

    trail: Trail | None = None
    programs: Programs | None = None

    def stored(self, stored: Stored) -> None:
        """Take an instance that was stored; any thread may call this."""
        if self.trail is not None:
            audit.stored(self.trail, stored)
        if self.programs is not None:
            self.programs.stored(stored)

    def audited(self, handlers: dimse.Handlers) -> dimse.Handlers:
        """Return the handlers of a store, made to report what they refuse."""
        return audit.audited(handlers, self.trail)

    def end(self, *, complete: bool) -> None:
        """Take the end of a retrieval: either all studies are complete, or no study is known to be."""
        if self.programs is not None:
            self.programs.end_all(complete=complete)

    def end_study(self, uid: str, instances: int, *, complete: bool) -> None:
        """Take the end of a study, of which so many instances are here."""
        if self.programs is None:
            return
        if complete:
            self.programs.complete(uid, instances)
        else:
            self.programs.drop(uid)


@contextmanager
def reacting(
    options: argparse.Namespace, logger: logging.Logger, outcome: list[int], interruption: Interruption
) -> Iterator[Reactions]:
    """Give the reactions that the options ask for, and end them; a failure is added to the exit statuses in `outcome`.

    At the end it waits for the programs. A signal, even one that came earlier, kills them.
    """
    with ExitStack() as resources:
        trail: Trail | None = options.trail
        if trail is not None:
            resources.enter_context(_auditing(trail, outcome))
        if not (options.exec or options.exec_study):
            yield Reactions(trail)
            return
        from dimse.tools.programs import Programs

        programs = Programs(options.exec, options.exec_study, options.output_directory, logger)
        try:
            yield Reactions(trail, programs)
        finally:
            # In this order, no signal is lost: it comes either before the assignment or after it.
            interruption.abort = programs.kill
            programs.close(wait=not interruption.has_come())
            if programs.failed:
                outcome.append(running.SHORTFALL)


@contextmanager
def _auditing(trail: Trail, outcome: list[int]) -> Iterator[None]:
    """Keep the audit trail as long as the body runs."""
    trail.started()
    try:
        yield
    finally:
        is_complete = bool(outcome) and max(outcome) == running.SUCCESS
        trail.end_transfers("" if is_complete else "the retrieval is not complete")
        trail.stopped()
        trail.close()
