"""storescu at work: what is said of what is sent, and what it comes to in the end."""

from __future__ import annotations

import _signal as signal  # type: ignore[import-not-found]  # `signal` itself makes enumerations, which takes long
import argparse
import logging
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from types import FrameType
from typing import TYPE_CHECKING

import dimse
from dimse.sending import AssociationFault, Retry, Sending
from dimse.support.text import one_line
from dimse.support.values import field, record
from dimse.tools import common

if TYPE_CHECKING:
    from dimse.tools.audit import Sent
    from dimse.tools.commitment import Kept
    from dimse.tools.report import Report

PATIENCE = 1.0  # seconds that what was aborted has to end, before another signal breaks it off
MOST_UNSENT = 3  # files that are named when they were not sent for want of an association


@record
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
    _sending: Sending | None = None
    _sent: Sent | None = None  # for the audit trail
    _signalled: int = 0  # SIGINT or SIGTERM
    _signalled_at: float = 0.0
    _waits: bool = True  # for what a signal may break off
    _unsent: list[str] = field(default_factory=list)
    _unsent_count: int = 0
    _refusals: dict[tuple[str, ...], None] = field(default_factory=dict)  # the lines about each, not said yet
    _explained: BaseException | None = None  # the fault that the last lines were about
    _kept: list[Kept] = field(default_factory=list)  # what the peer says it has

    def run(self, paths: Iterable[str | None]) -> int:
        """Send; returns the exit status."""
        with self._stopped_by_signals(), self._audited():
            try:
                with ExitStack() as resources:
                    report = self._open_report(resources)
                    self._sending = resources.enter_context(self._make_sending(paths))
                    self._work(self._sending, report)
            except dimse.DimseError as error:
                self.fell_short = True
                common.say(self.logger, [one_line(str(error))])
            except KeyboardInterrupt:
                self.logger.error("Interrupted")
        return self._status()

    def _work(self, sending: Sending, report: Report | None) -> None:
        complete, started = False, time.monotonic()
        try:
            self._send(sending, report)
            complete = not self._signalled and not sending.counts.searching
        finally:
            seconds = time.monotonic() - started
            self._say_refusals()
            self._say_unsent(sending)
            self._sum_up(sending, seconds)
            committed = self._verify()
            if report is not None:
                self._finish(report, committed, complete, seconds, sending.skipped.not_dicom)

    def _make_sending(self, paths: Iterable[str | None]) -> Sending:
        options = self.options
        association = common.association_options(options)
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
            syntaxes=common.syntaxes(options),
            priority=common.PRIORITIES[options.priority],
            transcode="never" if options.required_contexts else options.transcode,
            repeat=options.repeat,
            abort=options.abort,
            announce=self._sent.begin if self._sent else None,
            logger=self.logger,
            **association,
        )

    def _send(self, sending: Sending, report: Report | None) -> None:
        from dimse.tools.progress import Bar

        def take(outcome: dimse.Outcome) -> None:
            self._take(outcome)
            if self._sent is not None:
                self._sent.take(outcome)
            if report is not None:
                report.add(outcome)

        with self._until_a_signal(), Bar(sending, enabled=not self.options.no_progress):
            for event in sending.events():
                if isinstance(event, AssociationFault):
                    self._say_fault(event)
                else:
                    take(event)
        if self._signalled:
            sending.abort()
            for outcome in sending.rest():
                take(outcome)

    @contextmanager
    def _audited(self) -> Iterator[None]:
        """Keep the audit trail that the user asked for."""
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
            self._sent.end("interrupted" if self._signalled else "")
            trail.stopped()
            trail.close()

    # --- Ctrl-C

    @contextmanager
    def _stopped_by_signals(self) -> Iterator[None]:
        """SIGINT and SIGTERM abort what is under way, and what is known of it is told; one that comes later does not wait."""

        def stop(number: int, _frame: FrameType | None) -> None:
            aborted = self._sending is not None and self._sending.abort()
            if self._signalled:
                breaks_off = time.monotonic() - self._signalled_at > PATIENCE
            else:
                self._signalled, self._signalled_at = number, time.monotonic()
                breaks_off = not aborted
            if breaks_off and self._waits:
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

    def _was_signalled(self) -> bool:
        return self._signalled != 0

    @contextmanager
    def _until_a_signal(self) -> Iterator[None]:
        """What a signal breaks off; what comes after it only takes a moment, and is done in any case."""
        self._waits = True
        with suppress(KeyboardInterrupt):
            yield
            self._waits = False
        self._waits = False

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
            case dimse.Outcome(error=dimse.DimseError()) if self._signalled:
                return  # we have broken it off ourselves
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
        requested = partial(common.explain_request, options=self.options)
        words = requested if fault.stage == "request" else common.explain
        if fault.stage == "release":
            self.logger.warning("the association was not released: %s", one_line(str(fault.error)))
            return
        if fault.again is not None:
            # The peer is named in the end, where no attempt has helped.
            lines = words(fault.error)
            what = ": ".join(lines[:-1] if fault.stage == "request" else lines)
            if self.options.retry:
                self.logger.warning("%s; trying again in %.1f s", what, fault.again)
            else:
                self.logger.warning("%s; going on with another association", what)
        elif fault.stage == "request":
            self.refused = True
            self._refusals[tuple(words(fault.error))] = None
            if self.options.jobs == 1:
                self._say_refusals()
        else:
            self.fell_short = True
            common.say(self.logger, self._explain(fault.error))
        common.say_traceback(self.logger, fault.error)

    def _say_refusals(self) -> None:
        """Why there was no association; no error where others did all that it was for, which is known in the end."""
        for lines in self._refusals:
            if self.options.jobs > 1 and self._is_associated and not self._unsent_count:
                self.logger.warning("%s; the other associations had to do", ": ".join(lines[:-1]))
            else:
                common.say(self.logger, lines)
        self._refusals.clear()

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
            # An error where nothing else has said why: a failure is never silent.
            level = logging.WARNING if self.fell_short or sending.skipped.any else logging.ERROR
            self.fell_short = True
            self.logger.log(level, "No suitable DICOM files found")
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

    def _finish(self, report: Report, committed: dict[str, bool], complete: bool, seconds: float, skipped: int) -> None:
        try:
            report.finish(committed=committed, complete=complete, seconds=seconds, skipped=skipped)
        except OSError as error:
            self.fell_short = True
            path = one_line(self.options.report)
            self.logger.error("The report was not written: %s: %s", path, (error.strerror or str(error)).lower())

    def _verify(self) -> dict[str, bool]:
        """Whether the peer commits itself to what it has stored, by SOP instance UID."""
        if not self.options.verify or self._was_signalled() or not self._kept:
            return {}
        from dimse.tools.commitment import Verification

        verification = Verification(self.options, self.logger)
        with self._until_a_signal():
            verification.run(self._kept)
        if self._was_signalled():
            self.logger.error("Interrupted while waiting for storage commitment")
        self.fell_short = self.fell_short or verification.fell_short
        return verification.committed

    def _status(self) -> int:
        if self._signalled:
            return common.INTERRUPTED if self._signalled == signal.SIGINT else common.TERMINATED
        if self.refused and not self._is_associated:
            return common.NO_ASSOCIATION
        return common.SHORTFALL if self.fell_short else common.SUCCESS  # others may have sent what one was refused for

    @property
    def _is_associated(self) -> bool:
        """Was there ever a usable association?"""
        return self._sending is not None and self._sending.associated
