"""storescu --verify: storage commitment for the instances that were sent (PS3.4 Annex J)."""

from __future__ import annotations

import argparse
import logging
import time
from collections.abc import Sequence
from contextlib import ExitStack

import dimse
from dimse import uids
from dimse.support.text import counted, one_line
from dimse.support.values import value
from dimse.tools import requesting, wording

# Instances of a transaction.
MOST_AT_ONCE = 1000
# Instances that are named when the peer does not commit itself to them.
MOST_NAMED = 20
# Seconds to wait for a report on our association if the peer may also report on one of its own.
SAME_ASSOCIATION_SECONDS = 1.0
# Seconds that stand for no limit.
UNLIMITED = 1e9
# Associations on which the peer may report at one time.
MOST_REPORTING = 4
# Seconds between two looks at the reports on associations of the peer.
POLL_INTERVAL = 0.1


@value
class Kept:
    """An instance that the peer says it has stored."""

    sop_class_uid: str
    sop_instance_uid: str
    path: str


class Verification:
    """A request for storage commitment, in transactions of at most `MOST_AT_ONCE` instances.

    Args:
        options: The parsed options of the tool.
        logger: The logger of the tool.

    Attributes:
        committed: The peer's answers by SOP instance UID, as far as it has reported.
        fell_short: Whether the peer does not commit itself to some instance, or has not reported.
    """

    def __init__(self, options: argparse.Namespace, logger: logging.Logger) -> None:
        self.committed: dict[str, bool] = {}
        self.fell_short = False
        self._options, self._logger = options, logger
        # The reports by transaction, those on associations of the peer included.
        self._reports: dict[str, dimse.Commitment] = {}

    def run(self, kept: Sequence[Kept]) -> None:
        """Request commitment, wait for the reports, and log which instances the peer does not commit itself to."""
        asked: dict[str, list[Kept]] = {}
        lost: dimse.DimseError | None = None
        handlers = dimse.Handlers(commitment=self._take)
        with ExitStack() as resources:
            if self._options.commit_port is not None and not self._listen(resources, handlers):
                return
            try:
                association = requesting.associate(self._options, [uids.StorageCommitmentPushModel], handlers)
            except dimse.DimseError as error:
                self._give_up(wording.explain_request(error, self._options), error)
                return
            try:
                with association:
                    self._ask(association, kept, asked)
                    self._wait_on(association, asked)
            except dimse.DimseError as error:
                lost = error
            self._wait_for_others(asked)
        distinct = {one.sop_instance_uid for one in kept}
        if lost is not None and not (self._are_reported(asked) and len(distinct) == sum(map(len, asked.values()))):
            self._give_up(wording.explain(lost), lost)
        self._judge(asked, in_time=lost is None)

    def _take(self, report: dimse.Commitment) -> int:
        """Keep a report; called in a thread of the server, or within a call of our association."""
        self._reports[report.transaction_uid] = report
        return 0x0000

    def _listen(self, resources: ExitStack, handlers: dimse.Handlers) -> bool:
        address = "0.0.0.0", self._options.commit_port
        try:
            server = dimse.Server(
                address,
                handlers,
                ae_title=self._options.calling_aet,
                limits=dimse.Limits(associations=MOST_REPORTING, per_address=0),
                tls=self._options.tls,
            )
            resources.enter_context(server)
        except OSError as error:
            self._fail([f"Storage commitment was not requested: {wording.reason(error)}"])
            return False
        self._logger.info("Waiting for the peer's report on port %d too", server.address[1])
        return True

    def _ask(self, association: dimse.Association, kept: Sequence[Kept], asked: dict[str, list[Kept]]) -> None:
        distinct = list({one.sop_instance_uid: one for one in kept}.values())
        for start in range(0, len(distinct), MOST_AT_ONCE):
            instances = distinct[start : start + MOST_AT_ONCE]
            transaction = association.begin_commitment([(one.sop_class_uid, one.sop_instance_uid) for one in instances])
            asked[transaction] = instances

    def _wait_on(self, association: dimse.Association, asked: dict[str, list[Kept]]) -> None:
        """Wait for reports on our association: as long as the user allows, unless they may come on another one as well."""
        own = self._options.commit_port is None
        seconds = self._seconds if own else SAME_ASSOCIATION_SECONDS
        association.serve(seconds, until=lambda: self._are_reported(asked))

    def _wait_for_others(self, asked: dict[str, list[Kept]]) -> None:
        if self._options.commit_port is None:
            return
        end = time.monotonic() + self._seconds
        while not self._are_reported(asked) and time.monotonic() < end:
            time.sleep(POLL_INTERVAL)

    def _are_reported(self, asked: dict[str, list[Kept]]) -> bool:
        return asked.keys() <= self._reports.keys()

    @property
    def _seconds(self) -> float:
        return float(self._options.commit_timeout or UNLIMITED)

    def _judge(self, asked: dict[str, list[Kept]], *, in_time: bool) -> None:
        """Compare the reports with the requests, and log each instance that the peer does not commit itself to."""
        lines = []
        for transaction, instances in asked.items():
            report = self._reports.get(transaction)
            if report is None:
                if in_time:
                    asked_about = f"(instances requested: {len(instances)})"
                    self._fail([f"No storage commitment report within the time given {asked_about}"])
                continue
            for one in instances:
                uid = one.sop_instance_uid
                self.committed[uid] = uid in report.committed
                if uid in report.failed:
                    lines.append(f"Not committed: {one.path}: {report.failed[uid]}: {report.failed[uid].meaning}")
                elif uid not in report.committed:
                    lines.append(f"Not committed: {one.path}: the peer's report does not name it")
        if lines:
            more = [f"... and {len(lines) - MOST_NAMED} more"] if len(lines) > MOST_NAMED else []
            self._fail([*map(one_line, lines[:MOST_NAMED]), *more])
        committed, total = sum(self.committed.values()), sum(map(len, asked.values()))
        self._logger.info("The peer commits itself to %d of %s", committed, counted(total, "instance"))

    def _give_up(self, why: Sequence[str], error: dimse.DimseError) -> None:
        self._fail([f"Storage commitment failed: {'; '.join(why)}"], error)

    def _fail(self, lines: Sequence[str], error: BaseException | None = None) -> None:
        self.fell_short = True
        wording.log_failure(self._logger, lines, error)
