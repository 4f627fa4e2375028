"""A peer has its rights if its AE title, its address and its certificate are those that are configured."""

from __future__ import annotations

import pytest

from dimse.archive.peers import OPEN_RIGHTS, RIGHTS, KnownPeer, Peers

PIN = "ab" * 32

# The peer, and each caller: AE title, address, fingerprint, and whether it is taken for the peer.
CALLERS: list[tuple[KnownPeer, tuple[str, str, str | None], bool]] = [
    (KnownPeer("A", "10.1.2.3", 104), ("A", "10.1.2.3", None), True),
    (KnownPeer("A", "10.1.2.3", 104), ("A", "10.1.2.4", None), False),
    (KnownPeer("A", "10.1.2.3", 104), ("B", "10.1.2.3", None), False),
    (KnownPeer("A", "10.1.2.3", 104), ("a", "10.1.2.3", None), False),
    (KnownPeer("A", "fe80::1", 104), ("A", "fe80::1%eth0", None), True),
    (KnownPeer("A", "10.1.2.3", 104, networks=("10.2.0.0/16",)), ("A", "10.2.7.7", None), True),
    (KnownPeer("A", "10.1.2.3", 104, networks=("10.2.0.0/16",)), ("A", "10.1.2.3", None), False),
    (KnownPeer("A", networks=("0.0.0.0/0",)), ("A", "10.1.2.3", None), True),
    (KnownPeer("A", networks=("0.0.0.0/0",)), ("A", "::1", None), False),
    (KnownPeer("A"), ("A", "10.1.2.3", None), False),
    (KnownPeer("A", "pacs.example.org", 104), ("A", "10.1.2.3", None), False),
    (KnownPeer("A", "10.1.2.3", 104, needs_tls=True), ("A", "10.1.2.3", None), False),
    (KnownPeer("A", "10.1.2.3", 104, needs_tls=True), ("A", "10.1.2.3", ""), True),
    (KnownPeer("A", "10.1.2.3", 104, needs_tls=True, pins=frozenset({PIN})), ("A", "10.1.2.3", ""), False),
    (KnownPeer("A", "10.1.2.3", 104, needs_tls=True, pins=frozenset({PIN})), ("A", "10.1.2.3", "cd" * 32), False),
    (KnownPeer("A", "10.1.2.3", 104, needs_tls=True, pins=frozenset({PIN})), ("A", "10.1.2.3", PIN), True),
]


@pytest.mark.parametrize(("peer", "caller", "is_it"), CALLERS)
def test_a_caller_is_a_known_peer_only_by_everything_that_is_configured(
    peer: KnownPeer, caller: tuple[str, str, str | None], is_it: bool
) -> None:
    found = Peers([peer]).caller(*caller)
    assert found == (peer if is_it else KnownPeer("", allow=OPEN_RIGHTS))


def test_strangers_have_the_rights_that_are_given_to_them() -> None:
    strangers = KnownPeer("", allow=RIGHTS)
    assert Peers(strangers=strangers).caller("X", "10.1.2.3") is strangers


def test_only_a_peer_with_an_address_and_a_port_is_a_destination() -> None:
    peers = Peers([KnownPeer("A", "10.1.2.3", 104), KnownPeer("B", "10.1.2.3"), KnownPeer("C", networks=("::/0",))])
    assert [title for title in "ABCD" if peers.destination(title)] == ["A"]
    assert peers.destination(" A ") is peers.destination("A") is not None


def test_a_peer_without_a_list_may_move_to_every_destination() -> None:
    assert KnownPeer("A").may_move_to("B")
    assert KnownPeer("A", move_to=frozenset({"B"})).may_move_to("B")
    assert not KnownPeer("A", move_to=frozenset({"B"})).may_move_to("C")


def test_two_peers_of_one_title_are_an_error() -> None:
    with pytest.raises(ValueError, match="two peers have the AE title A"):
        Peers([KnownPeer("A"), KnownPeer("A")])


@pytest.mark.parametrize(
    "wrong",
    [
        {"ae_title": "x" * 17},
        {"port": 65536},
        {"allow": frozenset({"print"})},
        {"networks": ("10.1.2.3/8",)},
        {"transcode": "sometimes"},
        {"move_jobs": 0},
        {"max_matches": -1},
    ],
)
def test_a_field_that_cannot_be_is_an_error(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError):
        KnownPeer(**{"ae_title": "A"} | wrong)  # type: ignore[arg-type]
