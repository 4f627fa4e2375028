"""The transactions of storage commitment that wait for their report, kept over restarts (PS3.4 Annex J).

A transaction is open until the peer has taken its report, or for a day. The moment of the next attempt is in its row. A process
that makes an attempt puts that moment off first, so no other process makes the same one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy import BindParameter, bindparam, delete, func, insert, select, update

from dimse.archive.index.schema import COMMITMENT, COMMITMENT_ITEM
from dimse.services.commitment_information import Reference
from dimse.support.values import value

if TYPE_CHECKING:
    from dimse.archive.index.database import Database, Writer

DELAYS = (10.0, 60.0, 600.0, 3600.0)
"""The seconds from each failed attempt to the next one; the last of them repeats."""
LONGEST = 24 * 3600.0
"""The seconds for which a report is tried."""
LEASE = 600.0
"""The seconds that a process has for an attempt, before another one makes it."""
KEPT = 7 * 24 * 3600.0
"""The seconds for which the row of a transaction is kept that is not open any more."""
MOST_REFERENCES = 1_000_000
"""The most references of all open transactions. Beyond them requests are refused."""
MOST_AT_A_TIME = 100
"""The most transactions of one attempt, which are reported over one association."""

OPEN, REPORTED, GIVEN_UP = "open", "reported", "given up"

_T, _I = COMMITMENT.c, COMMITMENT_ITEM.c
_KEY: BindParameter[int] = bindparam("key_")
_IS_OPEN = _T.state == OPEN

_COUNT_REFERENCES = select(func.count()).select_from(COMMITMENT_ITEM)
_FIND_OPEN = select(_T.pk).where(_T.transaction_uid == bindparam("uid_"), _IS_OPEN).limit(1)
_ADD = (
    insert(COMMITMENT)
    .values(
        {
            name: bindparam(f"{name}_")
            for name in ("transaction_uid", "ae_title", "called_ae", "asked_at", "next_at", "repeated")
        }
        | {"state": OPEN, "attempts": 0}
    )
    .returning(_T.pk)
)
_ADD_ITEM = insert(COMMITMENT_ITEM).values(
    commitment_pk=_KEY, sop_class=bindparam("sop_class_"), sop_uid=bindparam("sop_uid_")
)
_NEXT = select(func.min(_T.next_at)).where(_IS_OPEN)
_FIRST_DUE = (
    select(_T.ae_title, _T.called_ae)
    .where(_IS_OPEN, _T.next_at <= bindparam("now_"))
    .order_by(_T.next_at, _T.pk)
    .limit(1)
)
_DUE = (
    select(_T.pk, _T.transaction_uid, _T.asked_at, _T.next_at, _T.attempts, _T.repeated)
    .where(
        _IS_OPEN,
        _T.next_at <= bindparam("now_"),
        _T.ae_title == bindparam("ae_title_"),
        _T.called_ae == bindparam("called_ae_"),
    )
    .order_by(_T.next_at, _T.pk)
    .limit(MOST_AT_A_TIME)
)
_ITEMS = select(_I.sop_class, _I.sop_uid).where(_I.commitment_pk == _KEY)
_CLAIM = (
    update(COMMITMENT)
    .where(_T.pk == _KEY, _IS_OPEN, _T.next_at == bindparam("seen_"))
    .values(next_at=bindparam("next_at_"))
)
_SET_NEXT = update(COMMITMENT).where(_T.pk == _KEY, _IS_OPEN).values(next_at=bindparam("next_at_"))
_PUT_OFF = (
    update(COMMITMENT)
    .where(_T.pk == _KEY, _IS_OPEN)
    .values(next_at=bindparam("next_at_"), attempts=bindparam("attempts_"))
)
_CLOSE = update(COMMITMENT).where(_T.pk == _KEY).values(state=bindparam("state_"))
_DELETE_ITEMS = delete(COMMITMENT_ITEM).where(_I.commitment_pk == _KEY)
_DELETE_OLD = delete(COMMITMENT).where(_T.state != OPEN, _T.asked_at < bindparam("before_"))


class TooManyReferences(Exception):
    """The open transactions have so many references that no more are taken."""


@value
class Transaction:
    """A transaction whose report is to be delivered.

    Attributes:
        key: The key of its row.
        transaction_uid: Its UID.
        references: SOP class UID and SOP instance UID of each instance.
        ae_title: The AE title of the peer that asked.
        called_ae_title: The AE title that the peer called.
        asked_at: The time of the request, in seconds since 1970-01-01 UTC.
        attempts: The attempts to deliver the report over an association of ours that have failed.
        is_repeated: True if another transaction with this UID was open when it was requested.
    """

    key: int
    transaction_uid: str
    references: tuple[Reference, ...]
    ae_title: str
    called_ae_title: str
    asked_at: float
    attempts: int = 0
    is_repeated: bool = False


class Commitments:
    """The transactions in the database of an index. Threads and processes may share it. Times are arguments.

    Every method raises `DatabaseError` if the database cannot be used.

    Args:
        database: The database of the index.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(
        self,
        transaction_uid: str,
        references: Sequence[Reference],
        ae_title: str,
        called_ae_title: str,
        now: float,
        next_at: float,
    ) -> Transaction:
        """Keep a transaction that was requested.

        Args:
            transaction_uid: Its UID.
            references: SOP class UID and SOP instance UID of each instance.
            ae_title: The AE title of the peer that asks.
            called_ae_title: The AE title that the peer has called.
            now: The time, in seconds since 1970-01-01 UTC.
            next_at: The time of the first attempt to report over an association of ours.

        Raises:
            TooManyReferences: Too many are open; nothing is kept.
        """

        def work(writer: Writer) -> Transaction:
            count = writer.one(_COUNT_REFERENCES)
            if count is not None and count[0] + len(references) > MOST_REFERENCES:
                raise TooManyReferences
            repeated = writer.one(_FIND_OPEN, {"uid_": transaction_uid}) is not None
            added = writer.one(
                _ADD,
                {
                    "transaction_uid_": transaction_uid,
                    "ae_title_": ae_title,
                    "called_ae_": called_ae_title,
                    "asked_at_": now,
                    "next_at_": next_at,
                    "repeated_": int(repeated),
                },
            )
            assert added is not None
            key = int(added[0])
            items = [{"key_": key, "sop_class_": sop_class, "sop_uid_": uid} for sop_class, uid in references]
            writer.many(_ADD_ITEM, items)
            writer.run(_DELETE_OLD, {"before_": now - KEPT})
            return Transaction(
                key, transaction_uid, tuple(references), ae_title, called_ae_title, now, is_repeated=repeated
            )

        return self._database.write(work)

    def next_at(self) -> float | None:
        """Return the time of the next attempt; None if no transaction is open."""
        with self._database.reading() as connection:
            found: float | None = connection.execute(_NEXT).scalar()
        return found

    def claim(self, now: float) -> list[Transaction]:
        """Return transactions of one peer whose attempt is due, and put that off for all other processes."""

        def work(writer: Writer) -> list[Transaction]:
            first = writer.one(_FIRST_DUE, {"now_": now})
            if first is None:
                return []
            ae_title, called_ae_title = first
            due = writer.all(_DUE, {"now_": now, "ae_title_": ae_title, "called_ae_": called_ae_title})
            claimed = []
            for key, uid, asked_at, seen, attempts, repeated in due:
                if writer.changed(_CLAIM, {"key_": key, "seen_": seen, "next_at_": now + LEASE}):
                    references: tuple[Any, ...] = tuple(writer.all(_ITEMS, {"key_": key}))
                    claimed.append(
                        Transaction(key, uid, references, ae_title, called_ae_title, asked_at, attempts, bool(repeated))
                    )
            return claimed

        return self._database.write(work)

    def set_next(self, key: int, next_at: float) -> None:
        """Set the time of the next attempt of a transaction, if it is open."""
        self._database.write(lambda writer: writer.changed(_SET_NEXT, {"key_": key, "next_at_": next_at}))

    def put_off(self, transaction: Transaction, now: float) -> float | None:
        """Note a failed attempt.

        Returns:
            The time of the next one; None if the report is given up.
        """
        attempts = transaction.attempts + 1
        next_at = now + DELAYS[min(attempts, len(DELAYS)) - 1]
        if next_at > transaction.asked_at + LONGEST:
            self._close(transaction.key, GIVEN_UP)
            return None
        values = {"key_": transaction.key, "next_at_": next_at, "attempts_": attempts}
        self._database.write(lambda writer: writer.changed(_PUT_OFF, values))
        return next_at

    def close_reported(self, key: int) -> None:
        """Close a transaction whose report the peer has taken."""
        self._close(key, REPORTED)

    def _close(self, key: int, state: str) -> None:
        def work(writer: Writer) -> None:
            writer.run(_CLOSE, {"key_": key, "state_": state})
            writer.run(_DELETE_ITEMS, {"key_": key})

        self._database.write(work)
