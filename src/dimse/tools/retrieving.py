"""The work of getscu and movescu: a retrieval for each identifier, its log lines, and the exit status that it deserves."""

from __future__ import annotations

import argparse
import logging
import time
from collections.abc import Callable, Iterable, Iterator, Sized
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING

import dimse
from dimse import errors, tags
from dimse.data_set.identifier import Identifier
from dimse.services.information_models import UNIQUE_KEYS
from dimse.services.retrieve import Progress, Retrieved
from dimse.support.text import counted, one_line
from dimse.support.values import field, record, replace
from dimse.tools import query_options, requesting, running, wording
from dimse.tools.find_output import log_identifier
from dimse.tools.interruption import Interruption
from dimse.tools.progress import Bar
from dimse.tools.retrieve_options import FEATURES

if TYPE_CHECKING:
    from dimse.archive.stored import Stored
    from dimse.blocking import Retrieval
    from dimse.tools.command_line import Parser
    from dimse.tools.report import Report
    from dimse.tools.retrieve_events import Reactions

STUDY_INSTANCE_UID, SERIES_INSTANCE_UID, SOP_INSTANCE_UID = (
    UNIQUE_KEYS[level] for level in ("STUDY", "SERIES", "IMAGE")
)
# Move Destination unknown, and unable to perform sub-operations (PS3.4 Table C.4-2).
UNREACHED = (0xA801, 0xA702)
# UIDs of failed instances that are logged.
MOST_NAMED = 3

Ask = Callable[[Identifier], "Retrieval"]
"""A function that begins the retrieval of what an identifier matches."""
Again = Callable[[Identifier, Retrieved], Retrieved]
"""A function that asks once more for what did not come; see `dimse.tools.second_pass`."""


@record
class Totals:
    """The counts of a run, which the progress bar shows.

    Attributes:
        found: The number of instances that are to come, as far as the peer has told.
        done: The number of instances that came.
        done_bytes: The bytes of their data sets.
        failed: The number of instances that the peer could not send, or that were not stored.
        searching: True until the peer has told the number.
        studies: A collection with as many members as there are studies that they are of.
        is_least: False: what the peer tells is the whole number.
        notes: No words: there is one association, and no retry.
    """

    found: int = 0
    done: int = 0
    done_bytes: int = 0
    failed: int = 0
    searching: bool = True
    studies: Sized = field(default_factory=set)
    is_least: bool = False
    notes: tuple[str, ...] = ()

    @property
    def found_bytes(self) -> None:
        """The bytes of all instances, which are not known before they have come."""
        return None


class Arrivals:
    """The instances that were stored here, held against what was asked for.

    Args:
        logger: The logger of the tool.
        report: The report that the user asked for.
        reactions: What else happens with an instance.

    Attributes:
        counts: The counts of the run.
        before: The counts when the retrieval under way began.
        foreign: The number of instances of the retrieval under way that were not asked for.
        reactions: As given.
    """

    def __init__(self, logger: logging.Logger, report: Report | None, reactions: Reactions) -> None:
        self.reactions = reactions
        self.counts = self.before = Totals()
        self.foreign = 0
        self._uids: set[bytes] = set()
        # Of each study: the number of instances that came, and the bytes of their data sets.
        self._studies: dict[str, tuple[int, int]] = {}
        self.counts.studies = self._studies
        self._logger, self._report = logger, report
        self._asked: dict[int, frozenset[str]] = {}

    def has(self, uid: str) -> bool:
        """Return whether an instance of the retrieval under way has come."""
        return uid.encode() in self._uids

    @property
    def tags(self) -> tuple[int, ...]:
        """The tags of the elements that the report wants of each instance."""
        return () if self._report is None else self._report.tags

    @property
    def count(self) -> int:
        """The number of different instances of the retrieval under way."""
        return len(self._uids)

    @property
    def sent_bytes(self) -> int:
        """The bytes that came, for the progress bar."""
        return self.counts.done_bytes

    def begin(self, identifier: Identifier) -> None:
        """Note what is asked for from here on."""
        self.before = replace(self.counts)
        self.foreign = 0
        self._uids.clear()
        self._asked = {}
        for tag in (STUDY_INSTANCE_UID, SERIES_INSTANCE_UID, SOP_INSTANCE_UID):
            uids = frozenset(uid.strip(" \0") for uid in identifier.text(tag).split("\\"))
            if all(uids) and not any("*" in uid for uid in uids):
                self._asked[tag] = uids

    def stored(self, stored: Stored) -> None:
        """Take an instance that was stored."""
        counts = self.counts
        self._uids.add(stored.sop_instance_uid.encode())
        counts.done += 1
        counts.done_bytes += stored.size
        found = {
            STUDY_INSTANCE_UID: stored.study_instance_uid,
            SERIES_INSTANCE_UID: stored.series_instance_uid,
            SOP_INSTANCE_UID: stored.sop_instance_uid,
        }
        number, size = self._studies.get(stored.study_instance_uid, (0, 0))
        self._studies[stored.study_instance_uid] = number + 1, size + stored.size
        wrong = [tag for tag, uids in self._asked.items() if found[tag].strip(" \0") not in uids and found[tag]]
        if wrong:
            self.foreign += 1
            if self.foreign == 1:
                uid = one_line(found[wrong[0]], 64)
                self._logger.warning("%s was not asked for: its %s is another", uid, tags.keyword(wrong[0]))
        if self._report is not None:
            report_stored(self._report, stored)
        self.reactions.stored(stored)

    def failed(self, uid: str) -> None:
        """Take an instance that the peer lists as failed."""
        if self._report is not None:
            self._report.add(dimse.Outcome("", None, errors.NotSent("the peer could not send it"), uid))

    def report_studies(self, *, complete: bool) -> None:
        """Add a row for each study to the report. Unless all is complete, each of them is called partial."""
        if self._report is None:
            return
        for uid, (number, size) in self._studies.items():
            words = counted(number, "instance")
            state = "complete" if complete else "partial"
            self._report.add_study(uid, "", state, words, size=size, attempts=1, seconds=None)


def report_stored(report: Report, stored: Stored) -> None:
    """Add an instance that was stored here to a report."""
    status = dimse.Status(0x0000, service="storage")
    outcome = dimse.Outcome(
        stored.path, status, None, stored.sop_instance_uid, stored.sop_class_uid,
        stored.transfer_syntax_uid, None, stored.size, 0.0, 1,
    )  # fmt: skip
    report.add(outcome, stored.elements)


class Retriever:
    """The retrievals of one run.

    Args:
        options: The parsed options.
        logger: The logger of the tool.
        name: "Get" or "Move".
        arrivals: What was stored here.
        interruption: The handling of SIGINT and SIGTERM: from now on, the first signal cancels the retrieval.
        is_storing: True if instances are stored by this process; then our own count is held against the peer's.
        await_rest: Waits for instances that may still come after the final response; it is given their number.

    Attributes:
        again: Asks once more for what did not come, and returns the end of both passes; None does not.
        association: The association; None before there is one.
        destination_is_unknown: True if the peer could not send to the destination of a C-MOVE.
    """

    def __init__(
        self,
        options: argparse.Namespace,
        logger: logging.Logger,
        name: str,
        arrivals: Arrivals,
        interruption: Interruption,
        *,
        is_storing: bool,
        await_rest: Callable[[int], None] = lambda promised: None,
    ) -> None:
        self.again: Again | None = None
        self._options, self._logger, self._name, self._arrivals = options, logger, name, arrivals
        self._is_storing, self._await_rest = is_storing, await_rest
        self.association: dimse.Association | None = None
        self.destination_is_unknown = False
        self._wants_cancel = False
        self._retrieval: Retrieval | None = None
        self._wanted = [name for name, _ in FEATURES.values() if getattr(options, name)]
        self._bar = Bar(lambda: nullcontext(arrivals), enabled=not options.no_progress)
        self._interruption, interruption.abort = interruption, self._interrupt

    @property
    def stopped(self) -> bool:
        """True once the user has interrupted the program."""
        return self._wants_cancel

    def _interrupt(self) -> bool:
        """Have the retrieval cancelled at the first signal, and abort the association at the second."""
        if self.association is None:
            return False
        if self._wants_cancel:
            self.association.abort()
        self._wants_cancel = True
        if self._retrieval is not None:
            self._retrieval.cancel_soon()
        return True

    def run(
        self,
        associate: Callable[[], dimse.Association],
        identifiers: Iterable[Identifier],
        ask: Callable[[dimse.Association], Ask],
    ) -> int:
        """Retrieve what each identifier matches, over one association, and return the exit status."""
        logger, started = self._logger, time.monotonic()
        try:
            association = associate()
        except dimse.DimseError as error:
            wording.log_failure(logger, wording.explain_request(error, self._options), error)
            return running.NO_ASSOCIATION
        status = running.SUCCESS
        self.association = association
        try:
            with self._bar:
                for _ in range(self._options.repeat):
                    for identifier in identifiers:
                        if not self._interruption.has_come():
                            status = max(status, self._retrieve(identifier, ask(association)))
            requesting.end(association, self._options, logger)
        except dimse.DimseError as error:
            if not self._interruption.has_come():
                wording.log_failure(logger, wording.explain(error), error)
            status = running.SHORTFALL
        except BaseException:
            association.abort()
            raise
        self._log_sum(time.monotonic() - started)
        self._arrivals.report_studies(complete=status == running.SUCCESS and not self._interruption.has_come())
        return status

    def _retrieve(self, identifier: Identifier, ask: Ask) -> int:
        """Retrieve what an identifier matches, and return the exit status that it deserves."""
        self._arrivals.begin(identifier)
        end, is_cancelled = self.take(identifier, ask)
        may_go_on = not (is_cancelled or self.stopped or self._options.ignore)
        if self.again is not None and may_go_on and _may_come_later(end):
            end = self.again(identifier, end)
        status = self._conclude(end, is_cancelled)
        self._arrivals.reactions.end(complete=status == running.SUCCESS and not is_cancelled)
        return status

    def take(self, identifier: Identifier, ask: Ask) -> tuple[Retrieved, bool]:
        """Send one request, and return its end, and whether it was cancelled."""
        logger, number = self._logger, 0
        log_identifier(logger, "Request", identifier)
        retrieval = ask(identifier)
        self._warn_of_features(retrieval)
        end: Retrieved | None = None
        is_cancelled = False
        self._retrieval = retrieval
        try:
            for progress in retrieval:
                is_cancelled = is_cancelled or self._wants_cancel
                if isinstance(progress, Retrieved):
                    end = progress
                    break
                number += 1
                assert progress.status is not None
                logger.info("%s SCP Response: %d - 0x%04X (Pending)", self._name, number, progress.status)
                self._log_counts(progress)
                self._count(progress)
                if number == self._options.cancel or self._wants_cancel:
                    is_cancelled = True
                    retrieval.cancel()
        finally:
            self._retrieval = None
            retrieval.close()
        assert end is not None
        if end.status is not None:
            logger.info("%s SCP Result: 0x%04X (%s)", self._name, end.status, end.status.category)
            self._log_counts(end)
        return end, is_cancelled

    def _warn_of_features(self, retrieval: Retrieval) -> None:
        """Warn once of features that the user wants, and that the peer has not agreed to."""
        wanted, self._wanted = self._wanted, []
        for name in wanted:
            if not getattr(retrieval.features, name):
                self._logger.warning("the peer did not accept the feature %s", name.replace("_", " "))

    def _log_counts(self, progress: Progress) -> None:
        if not self._logger.isEnabledFor(logging.INFO):
            return
        counts = (progress.remaining, progress.completed, progress.failed, progress.warning)
        shown = ["?" if count is None else count for count in counts]
        self._logger.info("Sub-Operations Remaining: %s, Completed: %s, Failed: %s, Warning: %s", *shown)

    def _count(self, progress: Progress) -> None:
        totals, before = self._arrivals.counts, self._arrivals.before
        totals.found = max(totals.found, before.found + (progress.total or 0))
        totals.failed = before.failed + (progress.failed or 0)
        totals.searching = progress.total is None
        if not self._is_storing:
            totals.done = before.done + (progress.completed or 0) + (progress.warning or 0)

    def _conclude(self, end: Retrieved, is_cancelled: bool) -> int:
        """Log the end of a retrieval, and return the exit status that it deserves."""
        logger, status = self._logger, end.status
        for uid in end.failed_uids:
            self._arrivals.failed(uid)
        if status is None:
            assert end.error is not None
            if not self._interruption.has_come():
                wording.log_failure(logger, wording.explain(end.error), end.error)
                logger.error("%s", f"No final response came: {self._so_far(end)}")
            return running.SHORTFALL
        if is_cancelled and (status.is_cancel or status.is_success):
            return running.SUCCESS
        self._count(end)
        if self._options.ignore:
            self._arrivals.counts.done += end.received or 0
        promised = (end.completed or 0) + (end.warning or 0)
        self._await_rest(promised)
        lines = list(self._faults(end, promised))
        came = promised or self._arrivals.count
        if self._name == "Move" and not came and (status in UNREACHED or 0xC500 <= status <= 0xC5FF):
            self.destination_is_unknown = True
        wording.log_failure(logger, lines)
        if not lines and self._options.fail_empty and not (promised or self._arrivals.count):
            logger.error("Nothing matched")
            return running.SHORTFALL
        return running.SHORTFALL if lines else running.SUCCESS

    def _so_far(self, end: Retrieved) -> str:
        stored = self._arrivals.count if self._is_storing else end.completed or 0
        return f"{counted(stored, 'instance')} stored, and it is not known what is missing"

    def _faults(self, end: Retrieved, promised: int) -> Iterator[str]:
        """Yield the lines about what makes a retrieval incomplete."""
        status = end.status
        assert status is not None
        if not (status.is_success or (end.is_complete and status.is_warning)):
            yield wording.explain_status(status)
        if status.is_warning and end.failed is None:
            yield "The peer does not say how many sub-operations have failed"
        if end.failed:
            yield f"The peer has not sent {end.failed} of {counted(end.total or end.failed, 'instance')}"
        for uid in end.failed_uids[:MOST_NAMED]:
            yield f"Not sent: {uid}"
        if len(end.failed_uids) > MOST_NAMED:
            yield f"Not sent: {len(end.failed_uids) - MOST_NAMED} more"
        if end.refused:
            yield f"{counted(end.refused, 'instance')} came and could not be stored"
        if end.remaining:
            yield f"The peer has left {counted(end.remaining, 'instance')} out"
        missing = end.missing
        if self._is_storing and end.received is None:
            missing = max(missing, promised - self._arrivals.count)
        if missing:
            yield f"{counted(missing, 'instance')} missing of those that the peer says it sent"
        if self._arrivals.foreign:
            yield f"{counted(self._arrivals.foreign, 'instance')} came without being asked for"

    def _log_sum(self, seconds: float) -> None:
        totals = self._arrivals.counts
        total = max(totals.found, totals.done)
        failed = f", {totals.failed} failed" if totals.failed else ""
        if self._is_storing:
            line = f"Retrieved {totals.done} of {counted(total, 'instance')}"
            line += f" of {counted(len(totals.studies), 'study', 'studies')}"
            line += f", {totals.done_bytes / 1e6:.1f} MB in {seconds:.1f} s{failed}"
        else:
            line = f"The peer has sent {totals.done} of {counted(total, 'instance')} in {seconds:.1f} s{failed}"
        self._logger.info("%s", line)
        self._bar.conclude(line)


def _may_come_later(end: Retrieved) -> bool:
    """Return whether instances did not come that may come if they are asked for once more; those refused here do not."""
    failed = max(end.failed or 0, len(end.failed_uids))
    return end.status is not None and (bool(end.missing) or failed > end.refused)


def status_of(interruption: Interruption, outcome: list[int]) -> int:
    """Return the exit status of a run from those of its parts; it may have been interrupted."""
    ended = running.NO_ASSOCIATION if running.NO_ASSOCIATION in outcome else max(outcome)
    return interruption.status or ended


@contextmanager
def reporting(
    parser: Parser, options: argparse.Namespace, logger: logging.Logger, outcome: list[int]
) -> Iterator[Report | None]:
    """Give the report that the options ask for, and write it at the end; a failure to is added to `outcome`."""
    if options.report is None:
        yield None
        return
    from dimse.tools.report import open_report

    started = time.monotonic()
    with open_report(parser, options) as report:
        try:
            yield report
        finally:
            try:
                report.finish(complete=outcome == [running.SUCCESS], seconds=time.monotonic() - started)
            except OSError as error:
                wording.log_failure(logger, [f"The report was not written: {wording.reason_with_path(error)}"])
                outcome.append(running.SHORTFALL)


def identifiers_of(options: argparse.Namespace, logger: logging.Logger) -> tuple[list[Identifier], int]:
    """Return the identifiers that the user asks with, and the exit status so far.

    Without any, a line in the log says why: they cannot be used, or `--resolve` has found nothing.
    """
    try:
        identifiers = query_options.identifiers(options, logger)
    except query_options.UnusableKeys as error:
        wording.log_failure(logger, [str(error)])
        return [], running.NO_ASSOCIATION
    if not options.resolve:
        return identifiers, running.SUCCESS
    from dimse.tools.resolving import resolve

    return resolve(options, identifiers, logger)
