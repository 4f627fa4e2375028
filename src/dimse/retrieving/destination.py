"""The destination of C-MOVEs in this process: a storage SCP that takes instances from the peer that was asked (PS3.4 C.4.2)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Any

from dimse import uids
from dimse.logs.notices import notice
from dimse.message.status import Status
from dimse.services.handlers import Handlers
from dimse.services.store_request import StoreRequest
from dimse.serving.server import Server
from dimse.settings import Limits, Timeouts
from dimse.support.closing import Closing
from dimse.support.pace import brief, is_brief
from dimse.support.text import one_line
from dimse.support.values import replace, value

PORT = 11113
NOT_AUTHORIZED = 0x0124  # PS3.7 C.5.8
MOST_ASSOCIATIONS = 20
# Seconds that the peer has to release its associations once everything has come.
RELEASE = 1.0

Network = IPv4Network | IPv6Network


@value
class Destination:
    """A storage SCP in this process that a C-MOVE names as its destination.

    The peer has to know the AE title, with our address and the port.

    Attributes:
        ae_title: The AE title, 1 to 16 characters.
        address: The address and port that it listens on; port 0 picks a free one.
        networks: Networks that instances are taken from, beside the peer's address and this machine: "10.1.0.0/16".
    """

    ae_title: str = "STORESCP"
    address: tuple[str, int] = ("0.0.0.0", PORT)
    networks: tuple[str, ...] = ()


class DestinationServer(Closing):
    """The server of a `Destination`, which listens until it is closed.

    Instances come from the address of the peer that was asked, from this machine, and from the networks that the user allows.
    Others are refused. The Move Originator is not looked at: many peers do not send it, and some send their own.

    Args:
        destination: The destination.
        handlers: The handlers that store instances.
        timeouts: The timeouts of its associations.

    Raises:
        OSError: It cannot listen.
    """

    def __init__(self, destination: Destination, handlers: Handlers, timeouts: Timeouts) -> None:
        self._allowed: list[Network] = [ip_network("127.0.0.0/8"), ip_network("::1/128")]
        self._allowed += map(ip_network, destination.networks)
        self._server = Server(
            destination.address,
            replace(handlers, store_begin=self._checking(handlers.store_begin)),
            ae_title=destination.ae_title,
            contexts={*uids.STORAGE_SOP_CLASSES, uids.Verification},
            transfer_syntaxes=uids.STORABLE_TRANSFER_SYNTAXES,
            timeouts=timeouts,
            limits=Limits(associations=MOST_ASSOCIATIONS),
        )
        self._server.start()

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return self._server.address[1]

    def allow(self, addresses: Iterable[str]) -> None:
        """Take instances from these IP addresses too."""
        for address in addresses:
            network = ip_network(address.partition("%")[0])
            if network not in self._allowed:
                self._allowed.append(network)

    def close(self) -> None:
        """Stop listening, once the peer has released its associations or has had the time for it."""
        self._server.shutdown(RELEASE)

    def _checking(self, begin: Callable[[StoreRequest], Any] | None) -> Callable[[StoreRequest], Any]:
        """Return `begin` as a handler that refuses instances from elsewhere."""
        assert begin is not None

        def check(request: StoreRequest) -> Any:
            return begin(request) if self._is_allowed(request) else Status(NOT_AUTHORIZED, service="storage")

        return brief(check) if is_brief(begin) else check

    def _is_allowed(self, request: StoreRequest) -> bool:
        address = ip_address(request.peer_address[0].partition("%")[0])
        # An IPv4 address that came to a socket of IPv6.
        address = getattr(address, "ipv4_mapped", None) or address
        if any(address in network for network in self._allowed):
            return True
        notice("not asked", str(address), "refused an instance from %s, which was not asked", one_line(str(address)))
        return False
