"""storescu at work: what is said of what is sent, and what it comes to in the end."""

from __future__ import annotations

import argparse
import logging
import signal
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from types import FrameType
from typing import TYPE_CHECKING

import dimse
from dimse.sending import AssociationFault, Retry, Sending
from dimse.text import one_line
from dimse.tools import common

if TYPE_CHECKING:
    from dimse.tools.commitment import Kept
    from dimse.tools.report import Report

MOST_UNSENT = 3  # files that are named when they were not sent for want of an association


@dataclass
class Sender:
    """Sends what the user asked for, and says what did not go.

    Attributes:
        stored: Requests that were answered with success or a warning.
        fell_short: Was there any failure that is exit status 3?
        refused: Did an association not come about?
    """

    parser: common.Parser
    options: argparse.Namespace
    logger: logging.Logger
    stored: int = 0
    stored_bytes: int = 0
    fell_short: bool = False
    refused: bool = False
    _signalled: int = 0
    _unsent: list[str] = field(default_factory=list)
    _unsent_count: int = 0
    _explained: BaseException | None = None  # the fault that the last lines were about
    _kept: list[Kept] = field(default_factory=list)  # what the peer says it has

    def run(self, paths: Iterable[str]) -> int:
        """Send; returns the exit status."""
        with ExitStack() as resources:
            try:
                report = self._open_report(resources)
                sending = resources.enter_context(self._sending(paths))
            except dimse.DimseError as error:
                common.say(self.logger, [one_line(str(error))])
                return common.SHORTFALL
            started = time.monotonic()
            try:
                self._send(sending, report)
            except dimse.JournalError as error:
                self.fell_short = True
                common.say(self.logger, [one_line(str(error))])
            seconds = time.monotonic() - started
            self._say_unsent(sending)
            self._sum_up(sending, seconds)
            committed = self._verify()
            if report is not None:
                complete = not self._signalled and not sending.counts.searching
                self._finish(report, committed, complete, seconds)
            return self._status(sending)

    def _sending(self, paths: Iterable[str]) -> Sending:
        options = self.options
        return Sending(
            paths,
            (options.addr, options.port),
            jobs=options.jobs,
            retry=Retry(options.retry, options.retry_wait),
            journal=options.journal,
            any_order=options.any_order,
            recurse=options.recurse,
            raw_transfer_syntax_uid=options.raw_ts,
            skip_invalid=options.skip_invalid,
            syntaxes=common.syntaxes(options),
            priority=common.PRIORITIES[options.priority],
            transcode="never" if options.required_contexts else options.transcode,
            repeat=options.repeat,
            abort=options.abort,
            logger=self.logger,
            **common.association_options(options),
        )

    def _send(self, sending: Sending, report: Report | None) -> None:
        from dimse.tools.progress import Bar

        def take(outcome: dimse.Outcome) -> None:
            self._take(outcome)
            if report is not None:
                report.add(outcome)

        with self._stopped_by_signals(sending), Bar(sending, enabled=not self.options.no_progress):
            try:
                for event in sending.events():
                    if isinstance(event, AssociationFault):
                        self._say_fault(event)
                    else:
                        take(event)
            except KeyboardInterrupt:
                self._signalled = self._signalled or signal.SIGINT
            if self._signalled:
                sending.abort()
                for outcome in sending.rest():
                    take(outcome)

    # --- Ctrl-C

    @contextmanager
    def _stopped_by_signals(self, sending: Sending) -> Iterator[None]:
        """SIGINT and SIGTERM abort what is under way, and what is known of it is told; a second one does not wait."""

        def stop(number: int, _frame: FrameType | None) -> None:
            again, self._signalled = self._signalled, number
            if again or not sending.abort():
                raise KeyboardInterrupt

        wanted = [
            number for number in (signal.SIGINT, signal.SIGTERM) if signal.getsignal(number) is not signal.SIG_IGN
        ]
        before = {}
        with suppress(ValueError):  # not in the main thread: then nobody sends us signals
            before = {number: signal.signal(number, stop) for number in wanted}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    # --- what is said

    def _take(self, outcome: dimse.Outcome) -> None:
        """Count one outcome, and say it if it is none that was hoped for."""
        path = one_line(outcome.path)
        match outcome:
            case dimse.Outcome(status=dimse.Status() as status) if status.is_success or status.is_warning:
                self._take_stored(outcome, status)
                return
            case dimse.Outcome(status=dimse.Status() as status):
                comment = f" ({one_line(status.comment)})" if status.comment else ""
                lines = [f"Store failed: {path}: {status}: {status.meaning}{comment}"]
            case dimse.Outcome(error=dimse.NoPresentationContext() as error):
                lines = [str(error), f"Store failed: {path}"]
            case dimse.Outcome(error=dimse.NotSent()):
                self._unsent_count += 1
                self._unsent[MOST_UNSENT:] = [outcome.path]
                return
            case dimse.Outcome(error=dimse.FileError(), source=None):
                lines = [common.explain_unusable(outcome)]
            case dimse.Outcome(error=dimse.FileError() as error):
                lines = [f"Store failed: {path}: {one_line(error.reason)}"]
            case dimse.Outcome(error=dimse.DimseError() as error):
                lines = [*self._explain(error), f"Store failed: {path}: it is unknown whether the peer has it"]
            case _:
                raise AssertionError(outcome)
        self.fell_short = True
        common.say(self.logger, lines)

    def _take_stored(self, outcome: dimse.Outcome, status: dimse.Status) -> None:
        if self.options.verify:
            from dimse.tools.commitment import Kept

            self._kept.append(Kept(outcome.sop_class_uid, outcome.sop_instance_uid, outcome.path))
        if outcome.state == "already":
            return
        self.stored += 1
        self.stored_bytes += outcome.size
        if status.is_warning:
            self.logger.warning("Stored with a warning: %s: %s: %s", one_line(outcome.path), status, status.meaning)

    def _explain(self, error: dimse.DimseError) -> list[str]:
        """Why an association ended: once, however many instances were under way on it."""
        if error is self._explained:
            return []
        self._explained = error
        return common.explain(error)

    def _say_fault(self, fault: AssociationFault) -> None:
        words = common.explain_request if fault.stage == "request" else common.explain
        if fault.stage == "release":
            self.logger.warning("the association was not released: %s", one_line(str(fault.error)))
            return
        if fault.again is not None:
            what = ": ".join(words(fault.error))
            self.logger.warning("%s; trying again in %.1f s", what, fault.again)
        elif fault.stage == "request":
            self.refused = True
            common.say(self.logger, words(fault.error))
        else:
            self.fell_short = True
            common.say(self.logger, self._explain(fault.error))
        common.say_traceback(self.logger, fault.error)

    def _say_unsent(self, sending: Sending) -> None:
        """Name some of the files that were not sent, the last one among them."""
        if self._signalled:
            self.logger.error("Interrupted: %d stored, the rest was not sent or is unknown", self.stored)
            return
        if not self._unsent_count or not sending.associated:
            return  # without any association that is no news
        self.fell_short = True
        paths = self._unsent
        if self._unsent_count > MOST_UNSENT:
            more = " found so far" if sending.counts.searching else ""
            self.logger.error("Not sent: %d files%s, from %s", self._unsent_count, more, one_line(paths[0]))
            paths = paths[-1:]
        for path in dict.fromkeys(paths):
            self.logger.error("Not sent: %s", one_line(path))

    def _sum_up(self, sending: Sending, seconds: float) -> None:
        counts = sending.counts
        if not (counts.found or counts.already or self._signalled):
            self.fell_short = True
            self.logger.warning("No suitable DICOM files found")
            return
        rate = self.stored_bytes / 1e6 / seconds if seconds else 0.0
        earlier = f", {counts.already} acknowledged earlier" if counts.already else ""
        self.logger.info(
            "Stored %d of %d files, %.1f MB in %.2f s (%.1f MB/s), %d failed%s",
            self.stored, counts.found, self.stored_bytes / 1e6, seconds, rate, counts.failed, earlier,
        )  # fmt: skip

    # --- report and commitment

    def _open_report(self, resources: ExitStack) -> Report | None:
        if self.options.report is None:
            return None
        from dimse.tools.report import Report

        try:
            return resources.enter_context(Report(self.options.report))
        except OSError as error:
            self.parser.error(f"cannot write the report {self.options.report}: {error.strerror or error}")

    def _finish(self, report: Report, committed: dict[str, bool], complete: bool, seconds: float) -> None:
        try:
            report.finish(committed=committed, complete=complete, seconds=seconds)
        except OSError as error:
            self.fell_short = True
            path = one_line(self.options.report)
            self.logger.error("The report was not written: %s: %s", path, (error.strerror or str(error)).lower())

    def _verify(self) -> dict[str, bool]:
        """Whether the peer commits itself to what it has stored, by SOP instance UID."""
        if not self.options.verify or self._signalled or not self._kept:
            return {}
        from dimse.tools.commitment import Verification

        verification = Verification(self.options, self.logger)
        try:
            verification.run(self._kept)
        except KeyboardInterrupt:
            self._signalled = signal.SIGINT
            self.logger.error("Interrupted while waiting for storage commitment")
        self.fell_short = self.fell_short or verification.fell_short
        return verification.committed

    def _status(self, sending: Sending) -> int:
        if self._signalled:
            return common.INTERRUPTED if self._signalled == signal.SIGINT else common.TERMINATED
        if self.refused and not sending.associated:
            return common.NO_ASSOCIATION
        return common.SHORTFALL if self.fell_short or self.refused else common.SUCCESS
