"""The peers of an archive: the rights of each, and the addresses of those that a C-MOVE may name as its destination."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

from dimse.services.sources import Transcode, check_transcode
from dimse.settings import validate_ae_title
from dimse.support.values import value

if TYPE_CHECKING:
    import ssl

    from dimse.settings.tls import TLS

Right: TypeAlias = Literal["echo", "store", "find", "get", "move", "commit"]
RIGHTS: frozenset[Right] = frozenset(get_args(Right))
"""The services that a peer may be allowed to use."""

OPEN_RIGHTS: frozenset[Right] = frozenset(("echo", "store"))
"""The services that give no data away."""

Network: TypeAlias = "IPv4Network | IPv6Network"


@value
class KnownPeer:
    """A peer of an archive, as the people who run the archive describe it.

    Attributes:
        ae_title: Its AE title; empty for the description of all peers that are not known.
        address: The host name or IP address on which it listens; empty if it is no destination of a C-MOVE.
        port: The port on which it listens; 0 if it is no destination of a C-MOVE.
        allow: The services that it may use.
        move_to: The AE titles of the destinations that its C-MOVE may name; None is every known one.
        networks: The networks that it calls from, in CIDR notation. By default it calls from `address`, if that is an IP address.
        tls: The TLS by which it is called; None for a plain connection.
        needs_tls: True if its rights hold over TLS only.
        pins: SHA-256 fingerprints of certificates, in hexadecimal digits: its rights hold for these only. Empty is any.
        charset: The Specific Character Set of responses to it, and of its requests that name none; empty follows the request.
        transcode: The conversion of data sets whose transfer syntax it does not accept; see `dimse.send`. None is the archive's.
        max_matches: The most matches of a C-FIND; 0 is unlimited, and None the archive's limit.
        move_jobs: Associations with it that one C-MOVE uses at a time.
        async_ops: Operations that may be outstanding on an association with it; 1 negotiates nothing, 0 is unlimited.
        commit_wait: Seconds for which it may release the association of a commitment request, to get the report on another one.

    Raises:
        ValueError: A field is outside of what it may be.
    """

    ae_title: str
    address: str = ""
    port: int = 0
    allow: frozenset[Right] = RIGHTS
    move_to: frozenset[str] | None = None
    networks: tuple[str, ...] = ()
    tls: TLS | ssl.SSLContext | None = None
    needs_tls: bool = False
    pins: frozenset[str] = frozenset()
    charset: str = ""
    transcode: Transcode | None = None
    max_matches: int | None = None
    move_jobs: int = 1
    async_ops: int = 1
    commit_wait: float = 2.0

    def __post_init__(self) -> None:
        if self.ae_title:
            object.__setattr__(self, "ae_title", validate_ae_title(self.ae_title))
        unknown = set(self.allow) - RIGHTS
        if unknown:
            raise ValueError(f"{min(unknown)!r} is not one of {', '.join(get_args(Right))}")
        if not 0 <= self.port <= 65535:
            raise ValueError(f"the port is 0 to 65535, not {self.port}")
        if self.transcode is not None:
            check_transcode(self.transcode)
        for name in ("max_matches", "move_jobs", "async_ops", "commit_wait"):
            number = getattr(self, name)
            if number is not None and number < (name == "move_jobs"):
                raise ValueError(f"{name} is not {number}")
        for network in self.networks:
            ip_network(network)

    @property
    def is_destination(self) -> bool:
        """True if a C-MOVE may name it as its destination."""
        return bool(self.address and self.port)

    def may_move_to(self, ae_title: str) -> bool:
        """Return whether its C-MOVE may name a destination."""
        return self.move_to is None or ae_title in self.move_to


STRANGER = KnownPeer("", allow=OPEN_RIGHTS)
"""A peer that is not known, on an archive that others than this machine can reach."""


class Peers:
    """The peers that an archive knows. It is not changed; an archive is given another one instead.

    Args:
        known: The peers, each with an AE title of its own.
        strangers: The rights of every other peer.

    Raises:
        ValueError: Two peers have one AE title.
    """

    def __init__(self, known: Iterable[KnownPeer] = (), strangers: KnownPeer = STRANGER) -> None:
        self.strangers = strangers
        self._known: dict[str, KnownPeer] = {}
        for peer in known:
            if peer.ae_title in self._known:
                raise ValueError(f"two peers have the AE title {peer.ae_title}")
            self._known[peer.ae_title] = peer
        self._networks = {title: _networks_of(peer) for title, peer in self._known.items()}

    def __len__(self) -> int:
        return len(self._known)

    def __iter__(self) -> Iterator[KnownPeer]:
        return iter(self._known.values())

    def destination(self, ae_title: str) -> KnownPeer | None:
        """Return the peer that a C-MOVE names as its destination; None if it is not known or has no address."""
        peer = self._known.get(ae_title.strip(" "))
        return peer if peer is not None and peer.is_destination else None

    def caller(self, ae_title: str, address: str, fingerprint: str | None = None) -> KnownPeer:
        """Return the peer that calls: a known one whose AE title, address and certificate are right, else the strangers.

        Args:
            ae_title: The calling AE title.
            address: The IP address that it calls from.
            fingerprint: The SHA-256 fingerprint of its certificate; empty if it has shown none, None on a plain connection.
        """
        peer = self._known.get(ae_title)
        if peer is None or not self.is_at(peer, address):
            return self.strangers
        if (peer.needs_tls and fingerprint is None) or (peer.pins and fingerprint not in peer.pins):
            return self.strangers
        return peer

    def is_at(self, peer: KnownPeer, address: str) -> bool:
        """Return whether an IP address is one that a known peer calls from."""
        try:
            here = ip_address(address.partition("%")[0])
        except ValueError:
            return False
        return any(here in network for network in self._networks[peer.ae_title])


def _networks_of(peer: KnownPeer) -> tuple[Network, ...]:
    """Return the networks that a peer calls from."""
    if peer.networks:
        return tuple(map(ip_network, peer.networks))
    try:
        return (ip_network(peer.address),)
    except ValueError:
        return ()
