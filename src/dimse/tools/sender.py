"""The work of storescu: sending the files, logging those that fail, and deciding the exit status."""

from __future__ import annotations

import argparse
import logging
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import TYPE_CHECKING

import dimse
from dimse.sending import AssociationFault, Retry, Sending
from dimse.support.text import counted, one_line
from dimse.tools import requesting, running, wording
from dimse.tools.command_line import Parser
from dimse.tools.interruption import Interruption

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from dimse.sending import Counts
    from dimse.tools.audit import Sent
    from dimse.tools.commitment import Kept
    from dimse.tools.progress import Bar, Run
    from dimse.tools.report import Report
    from dimse.tools.totals import Totals

# Files that are named when they were not sent because there was no association.
MOST_UNSENT = 3
# Studies whose UIDs are kept to count them.
MOST_STUDIES = 10_000


class Sum:
    """The sum of a run: what was stored, and the line about it at the end.

    Args:
        repeat: The number of times that each file is sent.

    Attributes:
        stored: Number of requests that were answered with success or a warning.
        size: Bytes of their data sets.
    """

    def __init__(self, repeat: int) -> None:
        self.stored = self.size = 0
        self._repeat, self._copies = repeat, 0
        self._studies: set[str] = set()

    def add(self, outcome: dimse.Outcome, *, is_copy: bool) -> None:
        """Add an instance that was stored; `is_copy` says that another file has its SOP instance UID."""
        self.stored += 1
        self.size += outcome.size
        self._copies += is_copy
        study = outcome.source.study_instance_uid
        if study and len(self._studies) < MOST_STUDIES:
            self._studies.add(study)

    def line(self, counts: Counts, seconds: float) -> str:
        """Return the line about the run."""
        megabytes = self.size / 1e6
        rate = megabytes / seconds if seconds else 0.0
        parts = [
            f"Stored {self.stored} of {counted(counts.found, 'file')}",
            self._instances(),
            f"{megabytes:.1f} MB in {seconds:.2f} s ({rate:.1f} MB/s)",
            f"{counts.failed} failed",
        ]
        if counts.already:
            parts.append(f"{counts.already} acknowledged earlier")
        return ", ".join(parts)

    def _instances(self) -> str:
        # Every file was sent as often as the others, or once less where the run was interrupted.
        number = -(-self.stored // self._repeat) - -(-self._copies // self._repeat)
        instances = counted(number, "instance")
        studies = len(self._studies)
        if not studies:
            return instances
        return f"{instances} of {counted(studies, 'study', 'studies', at_least=studies == MOST_STUDIES)}"


class Sender:
    """The work of storescu: the files that it sends, and the lines that it logs about them.

    Args:
        parser: The parser of the tool.
        options: The parsed options.
        logger: The logger of the tool.

    Attributes:
        sum: The sum of what was stored.
        fell_short: Whether there was a failure of exit status 3.
        refused: Whether an association was not established.
    """

    def __init__(self, parser: Parser, options: argparse.Namespace, logger: logging.Logger) -> None:
        self.parser, self.options, self.logger = parser, options, logger
        self.sum = Sum(options.repeat)
        self.fell_short = self.refused = False
        self._sending: Sending | None = None
        self._report: Report | None = None
        self._totals: Totals | None = None
        self._interruption = Interruption(lambda: self._sending is not None and self._sending.abort())
        # For the audit trail.
        self._sent: Sent | None = None
        # The first paths that were not sent, and the last one; and how many they are.
        self._unsent: list[str] = []
        self._unsent_count = 0
        # The lines about each refusal that are not logged yet.
        self._refusals: dict[tuple[str, ...], None] = {}
        # The error that the last lines were about.
        self._explained: BaseException | None = None
        # The instances that the peer says it has stored.
        self._kept: list[Kept] = []
        self._bar: Bar | None = None

    def run(self, paths: Iterable[str | None]) -> int:
        """Send the files, and return the exit status."""
        with self._interruption.handled(), self._audited():
            try:
                with ExitStack() as resources:
                    self._describe(resources)
                    self._sending = resources.enter_context(self._make_sending(paths))
                    self._work(self._sending)
            except dimse.DimseError as error:
                self._fail([one_line(str(error))])
            except KeyboardInterrupt:
                self.logger.error("Interrupted")
        return self._status()

    def _work(self, sending: Sending) -> None:
        complete, started = False, time.monotonic()
        try:
            self._send(sending)
            complete = not self._interruption.has_come() and not sending.counts.searching
        finally:
            seconds = time.monotonic() - started
            self._log_refusals()
            self._log_unsent(sending)
            self._log_sum(sending, seconds)
            committed = self._verify()
            if self._report is not None:
                self._finish(self._report, committed, complete, seconds)
            if self._totals is not None:
                self._totals.print()

    def _make_sending(self, paths: Iterable[str | None]) -> Sending:
        options = self.options
        association = requesting.association_options(options)
        association["async_ops"] = options.async_ops
        return Sending(
            paths,
            (options.addr, options.port),
            jobs=options.jobs,
            retry=Retry(options.retry, options.retry_wait),
            journal=options.journal,
            any_order=options.any_order,
            recurse=options.recurse,
            recurse_hint="-r",
            raw_transfer_syntax_uid=options.raw_ts,
            skip_invalid=options.skip_invalid,
            syntaxes=requesting.sender_syntaxes(options),
            priority=requesting.PRIORITIES[options.priority],
            transcode="never" if options.required_contexts else options.transcode,
            repeat=options.repeat,
            abort=options.abort,
            announce=self._sent.begin if self._sent else None,
            tags=self._report.tags if self._report else self._totals.tags if self._totals else (),
            tell_skipped=self._skip if self._report or self._totals else None,
            logger=self.logger,
            **association,
        )

    def _send(self, sending: Sending) -> None:
        from dimse.tools.progress import Bar

        takers = [self._take]
        takers += [each.take for each in (self._sent, self._totals) if each is not None]
        if self._report is not None:
            takers.append(self._report.add)
        self._bar = Bar(partial(_watched, sending, self.options), enabled=not self.options.no_progress)

        def take(outcome: dimse.Outcome) -> None:
            for each in takers:
                each(outcome)

        with self._interruption.breakable(), self._bar:
            for event in sending.events():
                if isinstance(event, AssociationFault):
                    self._log_fault(event)
                else:
                    take(event)
        if self._interruption.has_come():
            sending.abort()
            for outcome in sending.rest():
                take(outcome)

    @contextmanager
    def _audited(self) -> Iterator[None]:
        """Keep the audit trail as long as the body runs, if the user asked for one."""
        trail = self.options.trail
        if trail is None:
            yield
            return
        from dimse.tools.audit import Sent

        trail.started()
        self._sent = Sent(trail, self.options)
        try:
            yield
        finally:
            self._sent.end("interrupted" if self._interruption.has_come() else "")
            trail.stopped()
            trail.close()

    # --- outcomes

    def _take(self, outcome: dimse.Outcome) -> None:
        """Count an outcome, and log a failure or a warning."""
        path = one_line(outcome.path)
        status, error = outcome.status, outcome.error
        match outcome.state:
            case "stored" | "warning" | "already":
                assert status is not None
                self._take_stored(outcome, status)
            case "refused":
                assert status is not None
                comment = f" ({one_line(status.comment)})" if status.comment else ""
                self._fail([f"Store failed: {path}: {status}: {status.meaning}{comment}"])
            case "unsent" if isinstance(error, dimse.NotSent):
                self._unsent_count += 1
                self._unsent[MOST_UNSENT:] = [outcome.path]
            case "unsent":
                self._fail([str(error), f"Store failed: {path}"])
            case "invalid":
                assert isinstance(error, dimse.FileError)
                line = f"Store failed: {path}: {one_line(error.reason)}"
                self._fail([wording.explain_unusable(outcome) if outcome.source is None else line])
            case "unknown":
                assert error is not None
                # After a signal the abort is our own.
                if not self._interruption.has_come():
                    unknown = f"Store failed: {path}: it is unknown whether the peer has it"
                    self._fail([*self._explain(error), unknown])

    def _skip(self, path: str, reason: str) -> None:
        """Note a file that is passed over; called in the thread of a job."""
        if self._report is not None:
            self._report.skip(path, reason)
        if self._totals is not None:
            self._totals.skipped += 1

    def _take_stored(self, outcome: dimse.Outcome, status: dimse.Status) -> None:
        if self.options.verify:
            from dimse.tools.commitment import Kept

            self._kept.append(Kept(outcome.sop_class_uid, outcome.sop_instance_uid, outcome.path))
        if outcome.state == "already":
            return
        assert self._sending is not None
        self.sum.add(outcome, is_copy=self._sending.is_copy(outcome.source))
        if status.is_warning:
            self.logger.warning("Stored with a warning: %s: %s: %s", one_line(outcome.path), status, status.meaning)

    def _fail(self, lines: Iterable[str]) -> None:
        self.fell_short = True
        wording.log_failure(self.logger, lines)

    def _explain(self, error: dimse.DimseError) -> list[str]:
        """Return the lines about the end of an association, once, however many instances were under way on it."""
        if error is self._explained:
            return []
        self._explained = error
        return wording.explain(error)

    # --- associations

    def _log_fault(self, fault: AssociationFault) -> None:
        requested = fault.stage == "request"
        words = partial(wording.explain_request, options=self.options) if requested else wording.explain
        if fault.stage == "release":
            wording.log_not_released(self.logger, fault.error)
            return
        if fault.again is not None:
            lines = words(fault.error)
            # The last line names the peer, which is logged at the end if no attempt succeeds.
            what = ": ".join(lines[:-1] if requested else lines)
            if self.options.retry:
                self.logger.warning("%s; trying again in %.1f s", what, fault.again)
            else:
                self.logger.warning("%s; going on with another association", what)
        elif requested:
            self.refused = True
            self._refusals[tuple(words(fault.error))] = None
            if self.options.jobs == 1:
                self._log_refusals()
        else:
            self._fail(self._explain(fault.error))
        wording.log_traceback(self.logger, fault.error)

    def _log_refusals(self) -> None:
        """Log why there was no association; only as a warning if other associations have sent every file."""
        for lines in self._refusals:
            if self.options.jobs > 1 and self._is_associated and not self._unsent_count:
                self.logger.warning("%s; other associations have sent the files", ": ".join(lines[:-1]))
            else:
                wording.log_failure(self.logger, lines)
        self._refusals.clear()

    @property
    def _is_associated(self) -> bool:
        """True if any association was established."""
        return self._sending is not None and self._sending.associated

    # --- the end

    def _log_unsent(self, sending: Sending) -> None:
        """Name some of the files that were not sent, among them the last one."""
        if self._interruption.has_come():
            self.logger.error("Interrupted: %d stored, the rest was not sent or is unknown", self.sum.stored)
            return
        # Without any association, the refusals say enough.
        if not self._unsent_count or not sending.associated:
            return
        self.fell_short = True
        paths = self._unsent
        if self._unsent_count > MOST_UNSENT:
            more = " found so far" if sending.counts.searching else ""
            self.logger.error("Not sent: %d files%s, from %s", self._unsent_count, more, one_line(paths[0]))
            paths = paths[-1:]
        for path in dict.fromkeys(paths):
            self.logger.error("Not sent: %s", one_line(path))

    def _log_sum(self, sending: Sending, seconds: float) -> None:
        counts = sending.counts
        if not (counts.found or counts.already or self._interruption.has_come()):
            # It is an error unless another line gives the reason: a failure is never silent.
            level = logging.WARNING if self.fell_short or sending.skipped.any else logging.ERROR
            self.fell_short = True
            self.logger.log(level, "No suitable DICOM files found")
            return
        line = self.sum.line(counts, seconds) + self._how_to_go_on()
        self.logger.info("%s", line)
        if self._bar is not None:
            self._bar.conclude(line)

    def _how_to_go_on(self) -> str:
        """Return the words about how to send what is left; an empty text if nothing is."""
        if not (self.fell_short or self.refused or self._interruption.has_come()):
            return ""
        if self.options.journal is not None:
            return "; the same command again sends what is left"
        return "; with --journal F, the same command again would send only what is left" if self.sum.stored else ""

    def _describe(self, resources: ExitStack) -> None:
        """Open the report and the table that the user wants."""
        if self.options.report is not None:
            from dimse.tools.report import open_report

            self._report = resources.enter_context(open_report(self.parser, self.options))
        if self.options.summary:
            from dimse.tools.totals import Totals

            self._totals = Totals(has_outcomes=True)

    def _finish(self, report: Report, committed: dict[str, bool], complete: bool, seconds: float) -> None:
        try:
            report.finish(committed=committed, complete=complete, seconds=seconds)
        except OSError as error:
            path = one_line(self.options.report)
            self._fail([f"The report was not written: {path}: {wording.reason(error).lower()}"])

    def _verify(self) -> dict[str, bool]:
        """Ask for storage commitment if the user wants it; return the answers by SOP instance UID."""
        if not self.options.verify or self._interruption.has_come() or not self._kept:
            return {}
        from dimse.tools.commitment import Verification

        verification = Verification(self.options, self.logger)
        with self._interruption.breakable():
            verification.run(self._kept)
        if self._interruption.has_come():
            self.logger.error("Interrupted while waiting for storage commitment")
        self.fell_short = self.fell_short or verification.fell_short
        return verification.committed

    def _status(self) -> int:
        if self._interruption.has_come():
            return self._interruption.status
        # With an association, others may have sent the files of one that was refused.
        if self.refused and not self._is_associated:
            return running.NO_ASSOCIATION
        return running.SHORTFALL if self.fell_short else running.SUCCESS


def _watched(sending: Sending, options: argparse.Namespace) -> AbstractContextManager[Run]:
    """Return the progress of a sending for the bar, whose module is loaded only where a bar is shown."""
    from dimse.tools.sending_progress import watched

    return watched(sending, options)
