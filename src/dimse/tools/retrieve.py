"""dimse retrieve: retrieve many studies, with retries and a journal, and say of each whether all of it is here."""

from __future__ import annotations

import argparse
import logging
import time
from collections.abc import Sequence
from contextlib import nullcontext
from functools import partial
from typing import TYPE_CHECKING

import dimse
from dimse import errors, settings, uids
from dimse.support.text import counted, one_line
from dimse.tools import (
    audit,
    file_options,
    query_options,
    requesting,
    retrieve_events,
    retrieve_options,
    retrieve_studies,
    running,
    wording,
)
from dimse.tools.command_line import Parser
from dimse.tools.movescu import DESTINATION
from dimse.tools.options import (
    RETRY_WAIT,
    add_group,
    choice,
    common,
    flag,
    number,
    option,
    positional,
    repeatable,
    retry,
    validated,
)

if TYPE_CHECKING:
    from dimse.archive.stored import Stored
    from dimse.retrieving import BulkRetrieval, StudyResult
    from dimse.tools.report import Report
    from dimse.tools.study_list import Selection

# Missing instances of a study that are named one by one.
MOST_NAMED = 3

STUDIES = (
    common(
        repeatable(
            "--from F",
            str,
            "a list of studies: on each line STUDY, or STUDY,SERIES, or the CSV or JSON lines of findscu; - is stdin",
        )
    ),
    choice("--method", ("auto", "get", "move"), "auto", "C-GET, C-MOVE, or whichever works, C-GET first (%(default)s)"),
    choice(
        "--expect",
        ("find", "count"),
        "find",
        "find: list the instances of each study first, and compare; count: believe the peer's counts (%(default)s)",
    ),
)

TRANSFER = (
    common(
        option("--jobs N", number(1, 64), 1, "studies at one time (%(default)s); each has an association of its own")
    ),
    retry(
        "try a study again N times when the connection fails, the peer is out of resources, or instances are missing"
    ),
    RETRY_WAIT,
    common(
        option("--journal F", str, None, "record in F what was retrieved; the next run fetches only what is missing")
    ),
    flag(
        "--skip-existing",
        "look into the output folder first: complete instances that are there, under whatever name, are not retrieved",
    ),
    file_options.ACCEPT_ONLY,
    choice("--format", ("text", "jsonl"), "text", "what is printed of each study (%(default)s)"),
)

# The rows of movescu about its own storage SCP, without the switch: here a port asks for it.
LISTENING = tuple(row for row in DESTINATION if not {"--store", "-aem", "--move-aet", "--accept-only"} & set(row[0]))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the tool, and return its exit status."""
    parser = Parser(
        "retrieve",
        "Retrieve many studies with C-GET or C-MOVE. Each is compared with what the peer lists, and is called complete only if all"
        " of it is here.",
        (
            ("dimse retrieve pacs.example.org 104 1.2.3 1.2.4 -od studies", "two studies"),
            (
                "dimse retrieve --from list.txt --jobs 4 --journal got.db pacs.example.org 104",
                "the studies of a list; the same command again goes on where it ended",
            ),
            (
                "dimse retrieve pacs.example.org 104 --modality CT --study-date yesterday",
                "yesterday's studies with CT images",
            ),
            (
                "dimse retrieve --method move --store-aet ME pacs.example.org 104 1.2.3",
                "with C-MOVE; the peer knows ME by our address and port 11113",
            ),
        ),
        positionals="addr port [study ...]",
        program="dimse retrieve",
        prefixes="-+",
    )
    requesting.add_options(
        parser,
        "RETRIEVE",
        arguments=[positional("studies", "*", validated(_study), "Study Instance UIDs; STUDY,SERIES is one series")],
        output=retrieve_options.OUTPUT,
        # Instances come on this association, and peers send most of them faster in large PDUs.
        most_received=settings.ACCEPTOR_MAXIMUM_LENGTH,
    )
    add_group(parser, "studies", *STUDIES)
    query_options.add_options(parser, "find")
    add_group(parser, "transfer", *TRANSFER)
    add_group(parser, "destination of C-MOVE", *LISTENING)
    add_group(
        parser,
        "retrieval",
        *(row for row in retrieve_options.RETRIEVAL if "--cancel" not in row[0]),
    )
    add_group(parser, "files", *(row for row in file_options.FILES if "--ignore" not in row[0]))
    add_group(parser, "events", *retrieve_events.ROWS)
    parser.set_defaults(files=[], ignore=False)
    options, logger = requesting.read(parser, arguments, partial(_settle, parser))
    audit.settle(parser, options, options.calling_aet, sends=False)
    return running.run(lambda: retrieve(parser, options, logger), logger)


def _study(text: str) -> Selection:
    from dimse.tools import study_list

    return study_list.read(text)


def _settle(parser: Parser, options: argparse.Namespace) -> None:
    if not (options.studies or getattr(options, "from") or query_options.has_keys(options)):
        parser.error("name studies, or give a list (--from) or keys")
    # This is what remains of `--study-uid "$uid"` where the variable is not set.
    if "" in (options.key_PatientID, options.key_StudyInstanceUID):
        parser.error("--patient-id and --study-uid need a value: without one every study matches")
    if options.model is None:
        options.model = "study"
    options.lists_to = options.store_port is not None or options.method == "move"
    if options.store_port is None:
        options.store_port = 11113


def retrieve(parser: Parser, options: argparse.Namespace, logger: logging.Logger) -> int:
    """Retrieve what the options ask for, and return the exit status."""
    from dimse.retrieving import BulkRetrieval, Destination, Retry
    from dimse.tools.interruption import Interruption
    from dimse.tools.retrieving import reporting, status_of

    outcome: list[int] = []
    run = _Run(options, logger)
    started = time.monotonic()
    interruption = Interruption()
    with (
        interruption.handled(),
        reporting(parser, options, logger, outcome) as report,
        retrieve_events.reacting(options, logger, outcome, interruption) as reactions,
    ):
        run.report, run.reactions = report, reactions
        studies = retrieve_studies.wanted(options, logger, run.fall_short)
        try:
            destination = None
            if options.lists_to:
                address = options.store_address, options.store_port
                networks = tuple(map(str, options.store_from))
                destination = Destination(options.store_aet, address, networks, options.take_all)
            retrieval = BulkRetrieval(
                studies,
                (options.addr, options.port),
                lambda stored: file_options.store(options, stored, () if report is None else report.tags),
                jobs=options.jobs,
                retry=Retry(options.retry, options.retry_wait),
                journal=options.journal,
                skip_existing=options.skip_existing,
                method=options.method,
                expect=options.expect,
                model=options.model,
                destination=destination,
                sop_classes=[uid for uid in options.accept_only if uid not in uids.TRANSFER_SYNTAXES],
                transfer_syntaxes=[uid for uid in options.accept_only if uid in uids.TRANSFER_SYNTAXES],
                timeout=retrieve_options.timeout(options),
                total_timeout=options.retrieve_timeout_total,
                settle=options.settle,
                stored=run.stored,
                begun=run.begun,
                **requesting.association_options(options),
            )
        except (OSError, ValueError, errors.JournalError) as error:
            wording.log_failure(logger, [f"Cannot retrieve: {wording.reason_with_path(error)}"], error)
            return running.NO_ASSOCIATION
        run.retrieval, interruption.abort = retrieval, retrieval.abort
        try:
            with retrieval, run.bar:
                for result in retrieval.results():
                    run.take(result)
        except (errors.JournalError, query_options.UnusableKeys) as error:
            wording.log_failure(logger, [str(error)], error)
            run.status = max(run.status, running.SHORTFALL)
        except dimse.DimseError as error:
            wording.log_failure(logger, wording.explain_request(error, options), error)
            run.status = running.NO_ASSOCIATION
        run.conclude(time.monotonic() - started, is_interrupted=interruption.has_come())
        outcome.append(run.status)
    return status_of(interruption, outcome)


class _Run:
    """A run of the tool, with the studies that it retrieves and their results.

    Attributes:
        status: The exit status so far.
        counts: The counts, which the progress bar shows.
        bar: The progress bar.
        report: The report that the user asked for.
        retrieval: The retrieval; None before it has begun.
        reactions: What else happens with what is stored.
    """

    def __init__(self, options: argparse.Namespace, logger: logging.Logger) -> None:
        from dimse.tools.progress import Bar
        from dimse.tools.retrieving import Totals

        self._options, self._logger = options, logger
        self.status = running.SUCCESS
        self.counts = Totals()
        self.bar = Bar(lambda: nullcontext(self), enabled=not options.no_progress)
        self.report: Report | None = None
        self.retrieval: BulkRetrieval | None = None
        self.reactions = retrieve_events.Reactions()
        self._states = {"complete": 0, "already": 0, "partial": 0, "failed": 0}
        self._fault: dimse.DimseError | None = None

    @property
    def sent_bytes(self) -> int:
        """The bytes that came, for the progress bar."""
        return self.counts.done_bytes

    def fall_short(self) -> None:
        """Note that not all is done that the user asked for."""
        self.status = max(self.status, running.SHORTFALL)

    def begun(self, study: str) -> None:
        """Log that a study is about to be retrieved."""
        self._logger.info("Retrieving study %s", study)

    def stored(self, stored: Stored) -> None:
        """Count an instance that was stored."""
        self.counts.done += 1
        self.counts.done_bytes += stored.size
        self.counts.found = max(self.counts.found, self.counts.done)
        if self.report is not None:
            from dimse.tools.retrieving import report_stored

            report_stored(self.report, stored)
        self.reactions.stored(stored)

    def take(self, result: StudyResult) -> None:
        """Print what became of a study, and note what that means for the exit status."""
        self._states[result.state] += 1
        # A million UIDs are not kept, only their number.
        self.counts.studies = range(sum(self._states.values()))
        self.bar.print(_line(result, self._options.format))
        if result.state != "already":
            self.reactions.end_study(result.study_instance_uid, result.stored, complete=result.is_complete)
        self._report(result)
        if result.is_complete:
            return
        # The peer may have named it.
        uid, logger = _name(result), self._logger
        self._fault = result.error
        self.status = max(self.status, running.SHORTFALL)
        logger.error("%s is %s: %s", uid, "incomplete" if result.state == "partial" else "not here", result.error)
        for missing in result.missing[:MOST_NAMED]:
            logger.error("Missing: %s", missing)
        if len(result.missing) > MOST_NAMED:
            logger.error("Missing: %d more", len(result.missing) - MOST_NAMED)

    def _report(self, result: StudyResult) -> None:
        """Add the missing instances of a study to the report, and then the study."""
        if self.report is None:
            return
        for missing in result.missing:
            self.report.add(dimse.Outcome("", None, errors.NotSent("it did not come"), missing))
        self.report.add_study(
            result.study_instance_uid, result.series_instance_uid, result.state, _meaning(result),
            size=result.size, attempts=result.attempts, seconds=result.seconds,
        )  # fmt: skip

    def conclude(self, taken: float, *, is_interrupted: bool) -> None:
        """Log the sum of the run."""
        states, logger = self._states, self._logger
        retrieval = self.retrieval
        assert retrieval is not None
        if self._fault is not None and not retrieval.associated and not is_interrupted:
            wording.log_failure(logger, wording.explain_request(self._fault, self._options), self._fault)
            self.status = running.NO_ASSOCIATION
        if retrieval.failure is not None:
            logger.error("The peer is given up: no association for several studies in a row")
        if retrieval.arrivals.strays:
            logger.warning("%s came of no study that was asked for", counted(retrieval.arrivals.strays, "instance"))
        complete = states["complete"] + states["already"]
        total = sum(states.values())
        studies = counted(total, "study", "studies")
        words = f"{complete} of {studies} complete, {self.counts.done_bytes / 1e6:.1f} MB in {taken:.1f} s"
        if states["already"]:
            words += f"; {states['already']} already here"
        if complete == total:
            logger.info("%s", words)
            self.bar.conclude(words)
            return
        if self._options.journal is not None:
            words += "; the same command again fetches what is missing"
        logger.error("%s", words)


def _name(result: StudyResult) -> str:
    """Return the UID of a study, or the UIDs of a study and of the series of it that was wanted."""
    return one_line(",".join(filter(None, (result.study_instance_uid, result.series_instance_uid))), 129)


def _meaning(result: StudyResult) -> str:
    """Return how many instances of a study are here, and why it is not complete."""
    words = f"{result.stored} of {'?' if result.expected is None else result.expected} instances"
    return words if result.error is None else f"{words}: {result.error}"


def _line(result: StudyResult, form: str) -> str:
    """Return what is printed of a study."""
    if form == "text":
        expected = "?" if result.expected is None else result.expected
        method = {"get": "C-GET", "move": "C-MOVE"}.get(result.method, "")
        return f"{_name(result)}  {result.state}  {result.stored} of {expected}  {method}".rstrip()
    import json

    return json.dumps(
        {
            "study_instance_uid": result.study_instance_uid,
            "series_instance_uid": result.series_instance_uid or None,
            "state": result.state,
            "method": result.method or None,
            "expected": result.expected,
            "stored": result.stored,
            "missing": list(result.missing),
            "attempts": result.attempts,
            "bytes": result.size,
            "seconds": round(result.seconds, 3),
            "error": None if result.error is None else str(result.error),
        }
    )
