"""The declaration of a port that a server listens on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dimse.settings import arguments
from dimse.support.values import value

if TYPE_CHECKING:
    import ssl

    from dimse.settings.tls import TLS


@value
class Port:
    """A port that a server listens on besides the one of its address.

    Attributes:
        port: The number; 0 picks a free one.
        tls: A `dimse.TLS`, or any context of `ssl`; None for plain connections.
        host: The address to listen on; None for that of the server.

    Raises:
        TypeError: The number or the host is of the wrong type.
        ValueError: The number is not 0 to 65535.
    """

    port: int
    tls: TLS | ssl.SSLContext | None = None
    host: str | None = None

    def __post_init__(self) -> None:
        arguments.host_and_port("a port", ("" if self.host is None else self.host, self.port), least=0)
