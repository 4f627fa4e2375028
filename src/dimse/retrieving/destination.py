"""The destination of C-MOVEs in this process: a storage SCP that takes instances from the peer that was asked (PS3.4 C.4.2)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from dimse import uids
from dimse.archive.asked import Asked
from dimse.services.handlers import Handlers
from dimse.serving.server import Server
from dimse.settings import Limits, Timeouts
from dimse.support.closing import Closing
from dimse.support.values import value

PORT = 11113
MOST_ASSOCIATIONS = 20
# Seconds that the peer has to release its associations once everything has come.
RELEASE = 1.0


@value
class Destination:
    """A storage SCP in this process that a C-MOVE names as its destination.

    The peer has to know the AE title, with our address and the port.

    Attributes:
        ae_title: The AE title, 1 to 16 characters.
        address: The address and port that it listens on; port 0 picks a free one.
        networks: Networks that instances are taken from, beside the peer's address and this machine: "10.1.0.0/16".
        take_all: True to take instances from these addresses that no C-MOVE under way has asked for.
    """

    ae_title: str = "STORESCP"
    address: tuple[str, int] = ("0.0.0.0", PORT)
    networks: tuple[str, ...] = ()
    take_all: bool = False


class DestinationServer(Closing):
    """The server of a `Destination`, which listens until it is closed. It takes what `Asked` takes.

    Args:
        destination: The destination.
        handlers: The handlers that store instances.
        timeouts: The timeouts of its associations.
        calling_ae_title: The AE title that sends the C-MOVEs.
        sop_classes: The SOP classes that are accepted, by UID; empty for all storage SOP classes.
        transfer_syntaxes: The transfer syntaxes that are accepted, by UID; empty for all.

    Attributes:
        asked: The rule by which it takes instances.

    Raises:
        OSError: It cannot listen.
    """

    def __init__(
        self,
        destination: Destination,
        handlers: Handlers,
        timeouts: Timeouts,
        calling_ae_title: str,
        sop_classes: Iterable[str],
        transfer_syntaxes: Sequence[str],
    ) -> None:
        self.asked = Asked(calling_ae_title, destination.networks, take_all=destination.take_all)
        self._server = Server(
            destination.address,
            self.asked.checking(handlers),
            ae_title=destination.ae_title,
            contexts={*(sop_classes or uids.STORAGE_SOP_CLASSES), uids.Verification},
            transfer_syntaxes=transfer_syntaxes or uids.STORABLE_TRANSFER_SYNTAXES,
            timeouts=timeouts,
            limits=Limits(associations=MOST_ASSOCIATIONS),
        )
        self._server.start()

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return self._server.address[1]

    def close(self) -> None:
        """Stop listening, once the peer has released its associations or has had the time for it."""
        self._server.shutdown(RELEASE)
