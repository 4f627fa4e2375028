"""The transactions of storage commitment in the database of an index."""

from __future__ import annotations

import pytest

from dimse import uids
from dimse.archive.index import Index, commitments
from dimse.archive.index.commitments import KEPT, LEASE, LONGEST, Commitments, TooManyReferences, Transaction
from dimse.archive.index.database import Database
from dimse.archive.index.schema import COMMITMENT, COMMITMENT_ITEM

NOW = 1_700_000_000.0
REFERENCES = ((uids.CTImageStorage, "1.2.3.1"), (uids.MRImageStorage, "1.2.3.2"))


@pytest.fixture
def kept(index: Index) -> Commitments:
    return Commitments(index.database)


def add(kept: Commitments, uid: str = "2.25.1", ae_title: str = "MODALITY", at: float = NOW) -> Transaction:
    """Keep a transaction whose first attempt is due after 12 seconds."""
    return kept.add(uid, REFERENCES, ae_title, "ARCHIVE", at, at + 12)


def rows(index: Index) -> tuple[int, int]:
    """Return the numbers of transactions and of references in the database."""
    with index.database.reading() as connection:
        counts = [len(connection.execute(table.select()).all()) for table in (COMMITMENT, COMMITMENT_ITEM)]
    return counts[0], counts[1]


def test_a_transaction_is_due_after_its_first_wait(kept: Commitments) -> None:
    assert kept.next_at() is None
    added = add(kept)
    assert kept.next_at() == NOW + 12
    assert kept.claim(NOW + 11.9) == []
    assert kept.claim(NOW + 12) == [added]
    assert added.references == REFERENCES


def test_a_claimed_transaction_is_left_to_its_process_for_a_time(kept: Commitments, database: str) -> None:
    add(kept)
    [claimed] = kept.claim(NOW + 12)
    with Database(database) as connected:
        other = Commitments(connected)
        assert other.claim(NOW + 12) == []
        # The process may have ended.
        assert other.claim(NOW + 12 + LEASE) == [claimed]


def test_failed_attempts_are_further_and_further_apart_for_a_day(kept: Commitments) -> None:
    add(kept)
    now, delays = NOW + 12, []
    while True:
        [claimed] = kept.claim(now)
        next_at = kept.put_off(claimed, now)
        if next_at is None:
            break
        delays.append(next_at - now)
        assert kept.next_at() == next_at
        assert kept.claim(next_at - 1) == []
        now = next_at
    assert delays[:5] == [10, 60, 600, 3600, 3600]
    assert set(delays[3:]) == {3600}
    assert NOW + LONGEST - 3600 <= now <= NOW + LONGEST
    assert kept.next_at() is None


def test_a_restart_goes_on_with_the_attempts(kept: Commitments, database: str) -> None:
    add(kept)
    [claimed] = kept.claim(NOW + 12)
    kept.put_off(claimed, NOW + 12)
    with Database(database) as connected:
        [again] = Commitments(connected).claim(NOW + 22)
    assert (again.transaction_uid, again.references, again.attempts) == ("2.25.1", REFERENCES, 1)
    assert (again.ae_title, again.called_ae_title, again.asked_at) == ("MODALITY", "ARCHIVE", NOW)


def test_a_reported_transaction_is_not_due_again(kept: Commitments, index: Index) -> None:
    added = add(kept)
    kept.close_reported(added.key)
    assert kept.claim(NOW + LONGEST) == []
    kept.set_next(added.key, NOW)
    kept.put_off(added, NOW)
    assert kept.claim(NOW + LONGEST) == []
    assert rows(index) == (1, 0)


def test_the_next_attempt_can_be_brought_forward(kept: Commitments) -> None:
    added = add(kept)
    kept.set_next(added.key, NOW + 1)
    assert kept.claim(NOW + 1) == [added]


def test_a_uid_is_repeated_while_its_transaction_is_open(kept: Commitments) -> None:
    first, second, other = add(kept), add(kept), add(kept, "2.25.2")
    assert [one.is_repeated for one in (first, second, other)] == [False, True, False]
    assert [one.is_repeated for one in kept.claim(NOW + 12)] == [False, True, False]
    kept.close_reported(first.key)
    kept.close_reported(second.key)
    assert not add(kept).is_repeated


def test_transactions_of_one_peer_are_claimed_together(kept: Commitments) -> None:
    add(kept, "2.25.1", "MODALITY")
    add(kept, "2.25.2", "OTHER", NOW - 1)
    add(kept, "2.25.3", "MODALITY")
    add(kept, "2.25.4", "MODALITY", NOW + 100)
    claimed = [kept.claim(NOW + 12) for _ in range(3)]
    assert [[one.transaction_uid for one in peer] for peer in claimed] == [["2.25.2"], ["2.25.1", "2.25.3"], []]


def test_too_many_references_are_refused(kept: Commitments, index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commitments, "MOST_REFERENCES", 4)
    add(kept, "2.25.1")
    last = add(kept, "2.25.2")
    with pytest.raises(TooManyReferences):
        add(kept, "2.25.3")
    assert rows(index) == (2, 4)
    kept.close_reported(last.key)
    add(kept, "2.25.3")


def test_old_rows_are_deleted(kept: Commitments, index: Index) -> None:
    kept.close_reported(add(kept).key)
    still_open = add(kept, "2.25.2")
    add(kept, "2.25.3", at=NOW + KEPT + 1)
    assert rows(index) == (2, 4)
    assert kept.claim(NOW + KEPT) == [still_open]
