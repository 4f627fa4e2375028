"""The feed: the choice of the next instance for each job."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator

import pytest

import dimse
from dimse import uids
from dimse.instances import InstanceFile
from dimse.message.status import Status
from dimse.sending import feed as feeding
from dimse.sending.feed import Feed, Item
from dimse.sending.proposal import Proposal, Syntaxes
from dimse.services.outcome import Outcome

CT, MR = uids.CTImageStorage, uids.MRImageStorage


def file(name: str, series: str = "1.2", sop_class: str = CT) -> InstanceFile:
    """Return a file that is never opened."""
    return InstanceFile(
        name, sop_class, f"1.2.3.{len(name)}", uids.ExplicitVRLittleEndian, 0, 10, (0, 0), 10, 0, series_instance_uid=series
    )  # fmt: skip


def feed_of(*found: InstanceFile | Outcome, keep_series: bool = False, repeat: int = 1) -> Feed:
    return Feed(found, Syntaxes(), keep_series=keep_series, repeat=repeat)


def proposal_for(feed: Feed, job: object) -> Proposal:
    proposal = feed.propose(job)
    assert proposal is not None
    return proposal


def taken(feed: Feed, job: object, proposal: Proposal, most: int = 1000) -> list[Item]:
    """Return what a job takes until there is nothing for it."""
    return list(itertools.islice(iter(lambda: feed.take(job, proposal), None), most))


def names(items: Iterable[Item | Outcome]) -> list[str]:
    return [item.file.path if isinstance(item, Item) else item.path for item in items]


def stored(item: Item) -> Outcome:
    return Outcome(item.file.path, Status(0), attempts=1, source=item.file)


def test_one_job_gets_everything_in_the_order_in_which_it_was_found() -> None:
    feed = feed_of(file("a"), file("b", "1.3"), file("c"))
    assert names(taken(feed, "job", proposal_for(feed, "job"))) == ["a", "b", "c"]
    assert feed.propose("job") is None


def test_a_series_stays_with_the_job_that_has_begun_it() -> None:
    feed = feed_of(file("a", "1"), file("b", "2"), file("c", "1"), file("d", "2"), file("e", "3"), keep_series=True)
    proposal = proposal_for(feed, "one")
    first, second = feed.take("one", proposal), feed.take("two", proposal)
    assert first is not None and second is not None
    assert names([first, second]) == ["a", "b"]
    assert names(taken(feed, "one", proposal)) == ["c", "e"]
    assert names(taken(feed, "two", proposal)) == ["d"]


def test_what_was_taken_and_not_sent_is_the_next_of_its_series() -> None:
    feed = feed_of(*(file(name) for name in "abcd"))
    proposal = proposal_for(feed, "job")
    items = taken(feed, "job", proposal, 3)
    feed.put_back([items[2], items[1]])
    assert names(taken(feed, "job", proposal)) == ["b", "c", "d"]


def test_the_series_of_a_job_that_ends_are_for_the_others() -> None:
    feed = feed_of(file("a", "1"), file("b", "1"), keep_series=True)
    proposal = proposal_for(feed, "one")
    item = feed.take("one", proposal)
    assert item is not None
    assert taken(feed, "two", proposal) == []
    feed.put_back([item])
    feed.leave("one")
    assert names(taken(feed, "two", proposal)) == ["a", "b"]


def test_a_series_without_outstanding_items_belongs_to_no_job() -> None:
    def found() -> Iterator[InstanceFile]:
        yield file("a", "1")
        assert item is not None
        feed.settle(item, stored(item))
        yield file("b", "1")

    feed = Feed(found(), Syntaxes(), keep_series=True)
    item: Item | None = None
    # There is no search ahead: the second is found when the first is answered.
    feed._gathered_at = 0
    proposal = proposal_for(feed, "one")
    with feed._changed:
        item = feed._claim("one", proposal)
    assert names(taken(feed, "two", proposal)) == ["b"]


def test_what_an_association_is_not_for_waits_for_another() -> None:
    feed = feed_of(file("a"), file("b", sop_class=MR), file("c"))
    only_ct = Proposal(Syntaxes(), [(CT, uids.ExplicitVRLittleEndian)])
    assert names(taken(feed, "job", only_ct)) == ["a", "c"]
    assert names(taken(feed, "job", proposal_for(feed, "job"))) == ["b"]


def test_no_more_is_known_ahead_than_may_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feeding, "LOOK_AHEAD", 10)
    found = (file(f"{number}") for number in itertools.count())
    feed = Feed(found, Syntaxes())
    proposal = proposal_for(feed, "job")
    assert feed.counts.found == 10
    taken(feed, "job", proposal, 25)
    assert feed.counts.found == 35
    assert feed.counts.searching


def test_sending_begins_when_enough_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feeding, "GATHERED", 5)
    feed = Feed((file(f"{number}") for number in itertools.count()), Syntaxes())
    proposal_for(feed, "job")
    assert feed.counts.found == 5


def test_what_is_known_while_the_search_goes_on_is_proposed_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feeding, "LOOK_AHEAD", 1)
    feed = feed_of(file("a"), file("b", sop_class=MR), file("c"))
    assert [context.abstract_syntax for context in proposal_for(feed, "job").contexts] == [CT, CT]
    taken(feed, "job", proposal_for(feed, "job"))
    later = proposal_for(feed, "job")
    assert [context.abstract_syntax for context in later.contexts] == [MR, MR, CT, CT]
    assert names(taken(feed, "job", later)) == ["b", "c"]


def test_outcomes_of_the_search_come_once() -> None:
    refused = Outcome("bad", error=dimse.FileError("bad", "cut short"))
    feed = feed_of(refused, file("a"))
    proposal_for(feed, "job")
    assert list(feed.outcomes()) == [refused]
    assert list(feed.outcomes()) == []


class Ledger:
    """A journal in memory: what was acknowledged, and what is written."""

    def __init__(self, *acknowledged: str) -> None:
        self.acknowledged_paths = acknowledged
        self.told: list[tuple[str, str]] = []

    def acknowledged(self, file: InstanceFile) -> Status | None:
        return Status(0xB000, service="storage") if file.path in self.acknowledged_paths else None

    def queue(self, file: InstanceFile) -> None:
        self.told.append(("queued", file.path))

    def sending(self, file: InstanceFile, attempt: int) -> None:
        self.told.append((f"sending {attempt}", file.path))

    def record(self, file: InstanceFile, outcome: Outcome) -> None:
        self.told.append((outcome.state, file.path))


def test_what_an_earlier_run_has_the_acknowledgement_of_is_not_sent() -> None:
    ledger = Ledger("b")
    feed = Feed([file("a"), file("b"), file("c")], Syntaxes(), ledger=ledger)
    (item, _) = taken(feed, "job", proposal_for(feed, "job"))
    (already,) = feed.outcomes()
    assert (already.path, already.state, already.status) == ("b", "already", 0xB000)
    assert feed.counts.found == 2
    feed.settle(item, stored(item))
    assert ledger.told == [("queued", "a"), ("queued", "c"), ("stored", "a")]


def test_what_is_left_in_the_end_was_not_sent_and_what_was_tried_keeps_its_outcome() -> None:
    ledger = Ledger()
    feed = Feed([file("a"), file("b"), file("c")], Syntaxes(), ledger=ledger)
    proposal = proposal_for(feed, "job")
    item = feed.take("job", proposal)
    assert item is not None
    item.attempts, item.last = 1, Outcome("a", error=dimse.ConnectionLost("Connection closed"), attempts=1)
    feed.put_back([item])
    refused = dimse.ConnectError("Connection refused")
    left = list(feed.rest(refused))
    assert [(outcome.path, outcome.state) for outcome in left] == [("a", "unknown"), ("b", "unsent"), ("c", "unsent")]
    assert isinstance(left[1].error, dimse.NotSent)
    assert left[1].error.__cause__ is refused
    assert ledger.told[3:] == [("unknown", "a"), ("unsent", "b"), ("unsent", "c")]


def test_what_refused_contexts_were_for_is_not_sent_and_the_rest_waits() -> None:
    feed = feed_of(file("a"), file("b", sop_class=MR))
    proposal_for(feed, "job")
    feed.refuse(Proposal(Syntaxes(), [(CT, uids.ExplicitVRLittleEndian)]), dimse.RefusedContexts(["CT"]))
    assert [(outcome.path, outcome.state) for outcome in feed.outcomes()] == [("a", "unsent")]
    assert names(taken(feed, "job", proposal_for(feed, "job"))) == ["b"]


def test_each_repetition_is_an_item_of_its_own() -> None:
    feed = feed_of(file("a"), file("b"), repeat=2)
    items = taken(feed, "job", proposal_for(feed, "job"))
    assert names(items) == ["a", "a", "b", "b"]
    assert len({id(item.file) for item in items}) == 4
    assert (feed.counts.found, feed.counts.found_bytes) == (4, 40)


def test_one_that_was_stopped_gives_nothing_more() -> None:
    feed = feed_of(file("a"), file("b"))
    proposal = proposal_for(feed, "job")
    feed.stopped = True
    assert feed.take("job", proposal) is None
    assert feed.propose("job") is None
    assert names(feed.rest(dimse.NotSent("the sending was stopped"))) == ["a", "b"]
