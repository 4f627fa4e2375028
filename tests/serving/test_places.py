"""Places, checks and delays: what one address does is its own affair, and what is remembered of it is bounded."""

from __future__ import annotations

import pytest

from dimse.serving.places import DELAY_MEMORY, DELAYS, MOST_FAILED_ADDRESSES, Checks, Delays, Places, address_of
from dimse.settings import Limits

ONE, OTHER, THIRD = "10.0.0.1", "10.0.0.2", "10.0.0.3"


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("10.0.0.1", "10.0.0.1"),
        ("::ffff:10.0.0.1", "10.0.0.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::1", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::1", "2001:db8:1:3::/64"),
        ("fe80::1%eth0", "fe80::1"),
        ("fe80::2", "fe80::2"),
        ("::1", "::/64"),
        # A connection that was reset before it was looked at has no address.
        ("", ""),
    ],
)
def test_an_address_counts_by_the_part_that_its_owner_cannot_choose(host: str, address: str) -> None:
    assert address_of(host) == address


@pytest.mark.parametrize(
    ("limits", "most"),
    [
        (Limits(), 90),
        (Limits(associations=10), 9),
        (Limits(associations=2), 1),
        (Limits(associations=1), 1),
        (Limits(per_address=3), 3),
        (Limits(per_address=0), 0),
    ],
)
def test_by_default_nine_tenths_of_the_associations_are_for_one_address(limits: Limits, most: int) -> None:
    assert limits.most_per_address == most


@pytest.mark.parametrize("wrong", [{"identity_checks": 0}, {"per_address": -1}])
def test_a_limit_that_lets_nothing_happen_is_an_error(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=f"not {next(iter(wrong.values()))}"):
        Limits(**wrong)


def test_what_one_address_may_not_have_is_there_for_another() -> None:
    places = Places(3, 2)
    assert [places.take(ONE), places.take(ONE)] == ["", ""]
    assert places.take(ONE) == "its address has as many associations as one address may have (2)"
    assert places.take(OTHER) == ""
    assert places.take(THIRD) == "there are as many associations as there may be at one time (3)"
    assert places.taken == 3


def test_a_place_that_was_given_back_is_there_again() -> None:
    places = Places(2, 1)
    for _ in range(5):
        assert places.take(ONE) == ""
        assert places.why_none(ONE) and not places.why_none(OTHER)
        places.give_back(ONE)
    assert places.taken == 0


def test_without_a_limit_for_one_address_it_may_have_all_places() -> None:
    places = Places(3, 0)
    assert [places.take(ONE) for _ in range(3)] == [""] * 3


# --- checks ---


def order(checks: Checks[str], most: int = 100) -> list[str]:
    """Return all that waits in the order in which it has its turn, one at a time."""
    found: list[str] = []
    while len(found) < most and (item := checks.begin()) is not None:
        found.append(item)
        checks.end(item.partition("/")[0])
    return found


def queue(*items: str, most: int = 4) -> Checks[str]:
    """Return checks with these items "address/user/number" waiting."""
    checks = Checks[str](most)
    for item in items:
        address, user, _ = item.split("/")
        checks.put(address, user.encode(), item)
    return checks


def test_addresses_have_their_turns_one_after_another() -> None:
    checks = queue("A/x/1", "A/x/2", "A/x/3", "B/y/1", "C/z/1", "B/y/2")
    assert order(checks) == ["A/x/1", "B/y/1", "C/z/1", "A/x/2", "B/y/2", "A/x/3"]


def test_users_of_one_address_have_their_turns_one_after_another() -> None:
    checks = queue(*(f"A/x/{number}" for number in range(50)), "A/right/1")
    assert "A/right/1" in order(checks, 2)


def test_identities_that_were_verified_before_come_first() -> None:
    checks = queue(*(f"A/x/{number}" for number in range(50)), "B/y/1")
    checks.put("A", b"x", "A/x/known", known=True)
    checks.put("A", b"x", "A/x/known and left", known=True)
    checks.remove("A", b"x", "A/x/known and left")
    assert order(checks, 3) == ["A/x/known", "A/x/0", "B/y/1"]


def test_an_identity_that_was_verified_before_does_not_exceed_the_limit_of_its_address() -> None:
    checks = queue("A/x/1", "A/x/2", "B/x/1")
    assert [checks.begin(), checks.begin()] == ["A/x/1", "B/x/1"]
    assert checks.begin() == "A/x/2"
    checks.put("A", b"x", "A/x/known", known=True)
    assert checks.begin() is None
    checks.end("A")
    assert checks.begin() == "A/x/known"


def test_one_address_runs_half_of_the_checks_and_leaves_the_others_to_others() -> None:
    checks = queue("A/x/1", "A/x/2", "A/x/3", "A/y/1", "B/x/1", "B/x/2", "B/x/3")
    begun = [checks.begin() for _ in range(5)]
    assert sorted(filter(None, begun)) == ["A/x/1", "A/y/1", "B/x/1", "B/x/2"]
    assert begun[4] is None
    checks.end("B")
    assert checks.begin() == "B/x/3"
    checks.end("B")
    checks.end("B")
    assert checks.begin() is None
    checks.end("A")
    assert checks.begin() == "A/x/2"


def test_one_check_at_a_time_is_one_for_each_address() -> None:
    checks = queue("A/x/1", "A/x/2", most=1)
    assert [checks.begin(), checks.begin()] == ["A/x/1", None]
    checks.end("A")
    assert checks.begin() == "A/x/2"


def test_an_item_that_has_left_has_no_turn() -> None:
    checks = queue("A/x/1", "A/x/2", "B/y/1")
    checks.remove("A", b"x", "A/x/1")
    checks.remove("B", b"y", "B/y/1")
    # Again, and items that never were there.
    checks.remove("B", b"y", "B/y/1")
    checks.remove("A", b"z", "A/z/1")
    assert order(checks) == ["A/x/2"]


def test_an_item_that_leaves_while_it_is_checked_takes_no_other_with_it() -> None:
    checks = queue("A/x/1", "A/x/2")
    assert checks.begin() == "A/x/1"
    checks.remove("A", b"x", "A/x/1")
    assert checks.begin() == "A/x/2"


# --- delays ---


class _Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_failures_in_succession_wait_longer_and_longer_up_to_an_end() -> None:
    delays = Delays(_Clock())
    assert [delays.failed(ONE) for _ in range(6)] == [1, 2, 4, 5, 5, 5]
    assert delays.failed(OTHER) == 1


def test_a_success_ends_the_succession() -> None:
    delays = Delays(_Clock())
    delays.failed(ONE)
    delays.failed(OTHER)
    delays.succeeded(ONE)
    delays.succeeded(THIRD)
    assert (delays.failed(ONE), delays.failed(OTHER)) == (1, 2)


def test_failures_are_forgotten_after_a_while() -> None:
    clock = _Clock()
    delays = Delays(clock)
    assert [delays.failed(ONE) for _ in range(4)] == list(DELAYS)
    clock.now = DELAY_MEMORY
    assert delays.failed(ONE) == DELAYS[-1]
    clock.now += DELAY_MEMORY + 1
    assert delays.failed(ONE) == DELAYS[0]


def test_so_many_addresses_are_remembered_and_no_more() -> None:
    delays = Delays(_Clock())
    for number in range(MOST_FAILED_ADDRESSES + 1):
        delays.failed(f"address {number}")
    assert len(delays) == MOST_FAILED_ADDRESSES
    assert delays.failed("address 0") == DELAYS[0]
    assert delays.failed(f"address {MOST_FAILED_ADDRESSES}") == DELAYS[1]


def test_a_released_association_has_no_place_though_its_connection_stands() -> None:
    places = Places(1, 1)
    assert places.take(ONE) == ""
    assert places.begin_closing(ONE)
    assert (places.taken, places.take(ONE)) == (0, "")
    # As many connections are being closed as there are places: this one counts until it is closed.
    assert not places.begin_closing(ONE)
    assert places.taken == 1
    places.end_closing()
    assert places.begin_closing(ONE)
