"""The options --dry-run and --status of storescu, which print its plan and its journal. Neither connects to the peer."""

from __future__ import annotations

import argparse
import logging
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, closing
from functools import partial

import dimse
from dimse.instances import InstanceFile
from dimse.sending.finding import Finder
from dimse.sending.journal import Journal, entries
from dimse.sending.proposal import Need, Proposal, Syntaxes, need_of
from dimse.settings import ProposedContext
from dimse.support.text import one_line
from dimse.tools import requesting, running, tables, wording


def show_journal(options: argparse.Namespace, logger: logging.Logger) -> int:
    """Print the journal, and return the exit status."""
    try:
        tables.journal_status(partial(entries, options.journal), every=options.verbose or options.debug)
    except dimse.JournalError as error:
        wording.log_failure(logger, [one_line(str(error))])
        return running.SHORTFALL
    return running.SUCCESS


def show_what_would_be_sent(options: argparse.Namespace, paths: Iterable[str | None], logger: logging.Logger) -> int:
    """Print the files that would be sent and the contexts that would be proposed, and return the exit status."""
    preview = Preview(logger)
    try:
        with ExitStack() as resources:
            finder = resources.enter_context(
                closing(
                    Finder(
                        paths,
                        recurse=options.recurse,
                        recurse_hint="-r",
                        raw_transfer_syntax_uid=options.raw_ts,
                        skip_invalid=options.skip_invalid,
                        logger=logger,
                    )
                )
            )
            if options.journal is not None and os.path.exists(options.journal):
                called = options.called_aet
                preview.journal = resources.enter_context(
                    Journal(options.journal, host=options.addr, port=options.port, called_ae_title=called)
                )
            tables.dry_run(preview.files(finder), preview.proposals(requesting.sender_syntaxes(options)))
    except dimse.JournalError as error:
        wording.log_failure(logger, [one_line(str(error))])
        return running.SHORTFALL
    if not preview.needs and not preview.acknowledged:
        logger.warning("No suitable DICOM files found")
        return running.SHORTFALL
    return running.SHORTFALL if preview.faults else running.SUCCESS


class Preview:
    """The files that would be sent, and the associations that would be requested for them.

    Attributes:
        journal: The journal of acknowledgements, if there is one.
        needs: SOP classes and transfer syntaxes of the files that were found.
        faults: Number of paths of the command line that cannot be sent.
        acknowledged: Number of files that the journal has as acknowledged.
    """

    def __init__(self, logger: logging.Logger) -> None:
        self.journal: Journal | None = None
        self.needs: dict[Need, None] = {}
        self.faults = self.acknowledged = 0
        self._logger = logger

    def files(self, finder: Finder) -> Iterator[InstanceFile]:
        """Yield the files that would be sent, as they are found, and log those that cannot be."""
        for found in finder:
            if found is None:
                # The next path on stdin is not there yet.
                continue
            if not isinstance(found, InstanceFile):
                self.faults += 1
                wording.log_failure(self._logger, [wording.explain_unusable(found)])
            elif self.journal is not None and self.journal.acknowledged(found) is not None:
                self.acknowledged += 1
            else:
                self.needs[need_of(found)] = None
                yield found

    def proposals(self, syntaxes: Syntaxes) -> Iterator[Sequence[ProposedContext]]:
        """Yield the contexts of each association that would be requested."""
        left = dict(self.needs)
        while left:
            proposal = Proposal(syntaxes, left)
            yield proposal.contexts
            left = {need: None for need in left if not proposal.covers(need)}
