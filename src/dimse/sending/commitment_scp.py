"""The Storage Commitment SCP of an archive: it keeps the requests, and delivers their reports (PS3.4 Annex J).

    with commitment_scp(index, remotes.get) as scp:
        with Server(("0.0.0.0", 11112), Handlers(commit=scp.commit)) as server:
            server.serve_forever()

A report goes out on the association of the request, if that stands for a while. Otherwise it goes over an association of ours, to
the address that is known of the AE title of the peer. It is tried for a day, also by a later process.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Self

from dimse import services, uids
from dimse.association.association import LOGGER
from dimse.errors import DatabaseError, DimseError, NotSent
from dimse.logs.notices import notice
from dimse.message.status import DUPLICATE_TRANSACTION_UID, PROCESSING_FAILURE, RESOURCE_LIMITATION, Status
from dimse.services.commitment_information import SERVICE, Reference
from dimse.services.storage_commitment_scp import CommitmentRequest, ReportLater
from dimse.settings import Role
from dimse.support.closing import Closing
from dimse.support.text import one_line
from dimse.transport.threaded import connect, run

if TYPE_CHECKING:
    from dimse.archive.index import Index
    from dimse.archive.index.commitments import Commitments, Transaction
    from dimse.services import Association
    from dimse.settings.remote import Remote

WAIT = 2.0
"""The seconds for which a peer may release the association of its request, to get the report on another one."""

# Seconds for which the association of the request alone is used for the report, after it is due there.
_GRACE = 10.0
# Seconds between two looks at what other processes have left.
_LOOK_EVERY = 10.0
# Seconds for which `close` waits for the thread.
_LEAVING = 5.0

AS_SCP = Role(uids.StorageCommitmentPushModel, scu=False, scp=True)


def commitment_scp(index: Index, remote_of: Callable[[str], Remote | None], *, wait: float = WAIT) -> CommitmentSCP:
    """Return the Storage Commitment SCP of an archive, by its index.

    Args:
        index: The index, which also keeps the transactions. It stays open longer than the SCP.
        remote_of: Given the AE title of a peer, returns how to reach it; None if that is not known.
        wait: Seconds before a report on the association of its request.
    """
    from dimse.archive.commitment import judge
    from dimse.archive.index.commitments import Commitments

    transactions = Commitments(index.database)

    def judge_references(references: Sequence[Reference]) -> Mapping[str, int]:
        return judge(references, index.locate("IMAGE", [uid for _, uid in references]))

    return CommitmentSCP(transactions, judge_references, remote_of, wait=wait)


class CommitmentSCP(Closing):
    """A Storage Commitment SCP, whose thread delivers reports while its `with` block is active.

    Where several processes serve, each has one. They share the transactions.

    Args:
        transactions: The transactions, in the database of the archive's index.
        judge: Given references, returns the Failure Reason by SOP instance UID of each instance that is not committed.
        remote_of: Given the AE title of a peer, returns how to reach it; None if that is not known.
        wait: Seconds before a report on the association of its request.
        clock: Returns the time in seconds since 1970-01-01 UTC; `time.time` except in tests.
    """

    def __init__(
        self,
        transactions: Commitments,
        judge: Callable[[Sequence[Reference]], Mapping[str, int]],
        remote_of: Callable[[str], Remote | None],
        *,
        wait: float = WAIT,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._transactions, self._judge_references, self._remote_of = transactions, judge, remote_of
        self._wait, self._clock = wait, clock
        # The keys of transactions whose report was missed on the association of the request.
        self._missed: deque[int] = deque()
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None
        self._association: Association | None = None
        self._closed = False

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._run, name="dimse-commitment", daemon=True)
        self._thread.start()
        return self

    def close(self) -> None:
        """End the thread, and abort its association. Reports that were not delivered are left to the next process."""
        self._closed = True
        self._wake.set()
        if (association := self._association) is not None:
            association.abort()
        if self._thread is not None:
            self._thread.join(_LEAVING)
        with suppress(DatabaseError):
            self._hasten_missed(self._clock())

    # --- requests ---

    def commit(self, request: CommitmentRequest, wait: float | None = None) -> ReportLater | Status:
        """Keep a request, and report on it later; a handler for `dimse.Handlers(commit=...)`.

        Args:
            request: The request.
            wait: Seconds before the report on this association; None is that of the SCP.

        Returns:
            0213H if too many references are open. 0110H if the peer cannot take the report on this association, and no address is
            known of it.
        """
        from dimse.archive.index.commitments import TooManyReferences

        ae_title, now = request.peer.ae_title, self._clock()
        wait = self._wait if wait is None else wait
        if not request.can_report_here and self._remote_of(ae_title) is None:
            return Status(PROCESSING_FAILURE, service=SERVICE, comment="no address is known to report to")
        try:
            transaction = self._transactions.add(
                request.transaction_uid,
                request.references,
                ae_title,
                request.called_ae_title,
                now,
                now + wait + _GRACE,
            )
        except TooManyReferences:
            return Status(RESOURCE_LIMITATION, service=SERVICE, comment="too many references wait for their report")
        return ReportLater(
            partial(self._judge_here, transaction),
            wait,
            partial(self._reported_here, transaction),
            partial(self._missed_here, transaction),
        )

    def _judge_here(self, transaction: Transaction, _: CommitmentRequest) -> Mapping[str, int]:
        """Judge a transaction whose report goes out on the association of its request."""
        from dimse.archive.index.commitments import LEASE

        # Until then no other process reports on it.
        self._transactions.set_next(transaction.key, self._clock() + LEASE)
        return self._judge(transaction)

    def _reported_here(self, transaction: Transaction, _: CommitmentRequest) -> None:
        self._transactions.close_reported(transaction.key)

    def _missed_here(self, transaction: Transaction, _: CommitmentRequest) -> None:
        self._missed.append(transaction.key)
        self._wake.set()

    def _judge(self, transaction: Transaction) -> Mapping[str, int]:
        if transaction.is_repeated:
            return {uid: DUPLICATE_TRANSACTION_UID for _, uid in transaction.references}
        return self._judge_references(transaction.references)

    # --- reports over associations of ours ---

    def deliver(self, now: float) -> None:
        """Make each attempt to deliver a report that is due.

        Args:
            now: The time, in seconds since 1970-01-01 UTC.

        Raises:
            DatabaseError: The transactions cannot be read or written.
        """
        self._hasten_missed(now)
        while not self._closed and (claimed := self._transactions.claim(now)):
            self._deliver(claimed, now)

    def _hasten_missed(self, now: float) -> None:
        """Make the attempts of missed reports due at once."""
        while self._missed:
            self._transactions.set_next(self._missed[0], now)
            self._missed.popleft()

    def _deliver(self, claimed: Sequence[Transaction], now: float) -> None:
        """Report on transactions of one peer over one association."""
        left, why = deque(claimed), ""
        try:
            association = self._open(claimed[0])
            try:
                while left and not self._closed:
                    self._report(association, left[0], now)
                    left.popleft()
                with suppress(DimseError):
                    run(association.release())
            finally:
                self._association = None
                association.abort()
        except DatabaseError:
            raise
        except (DimseError, ValueError) as error:
            why = str(error)
        for transaction in left:
            self._put_off(transaction, now, why)

    def _open(self, transaction: Transaction) -> Association:
        """Request an association with the peer of a transaction, in the role of the SCP.

        Raises:
            DimseError: No association could be made.
        """
        ae_title = transaction.ae_title
        remote = self._remote_of(ae_title)
        if remote is None:
            raise NotSent(f"no address is known of {one_line(ae_title)}")
        association = run(
            services.associate(
                connect,
                remote,
                contexts=[uids.StorageCommitmentPushModel],
                roles=[AS_SCP],
                called_ae_title=ae_title,
                calling_ae_title=transaction.called_ae_title,
            )
        )
        self._association = association
        # `close` may have looked for it before.
        if self._closed:
            association.abort()
        return association

    def _report(self, association: Association, transaction: Transaction, now: float) -> None:
        failed = self._judge(transaction)
        status = run(association.report_commitment(transaction.transaction_uid, transaction.references, failed))
        if status.is_success or status.is_warning:
            self._transactions.close_reported(transaction.key)
        else:
            self._put_off(transaction, now, f"{status}: {status.meaning}")

    def _put_off(self, transaction: Transaction, now: float, why: str) -> None:
        if self._closed:
            # The next process makes the attempt.
            self._transactions.set_next(transaction.key, now)
            return
        next_at = self._transactions.put_off(transaction, now)
        then = "it is given up" if next_at is None else f"the next attempt is in {next_at - now:.0f} seconds"
        notice(
            "not reported",
            transaction.ae_title,
            "%s has not taken the report on storage commitment %s: %s; %s",
            one_line(transaction.ae_title),
            one_line(transaction.transaction_uid),
            one_line(why),
            then,
        )

    def _run(self) -> None:
        """Deliver reports when they are due, until the SCP is closed."""
        while not self._closed:
            self._wake.clear()
            try:
                self.deliver(self._clock())
                next_at = self._transactions.next_at()
            except Exception as error:
                # A fault of one attempt does not end the others.
                LOGGER.error("storage commitment reports are not delivered: %s", one_line(str(error)))
                next_at = None
            seconds = _LOOK_EVERY if next_at is None else next_at - self._clock()
            self._wake.wait(min(max(seconds, 0.1), _LOOK_EVERY))
