"""The ports of a server: their listening sockets, and the TLS of each."""

from __future__ import annotations

import socket
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING

from dimse.settings import arguments
from dimse.support.closing import Closing
from dimse.support.text import host_and_port
from dimse.support.values import value
from dimse.transport.base import Listener

if TYPE_CHECKING:
    import ssl

    from dimse.settings.tls import TLS, Security

BACKLOG = 1024


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


@contextmanager
def saying_where(host: str, port: int) -> Iterator[socket.AddressFamily]:
    """Bind a socket of the family that is given to an address: an `OSError` that this raises says which address."""
    try:
        yield socket.AF_INET6 if ":" in host else socket.AF_INET
    except OSError as error:
        # `socket.create_server` adds to the system's words what it was doing.
        words = (error.strerror or str(error)).partition(" (while")[0]
        raise OSError(error.errno, f"cannot listen on {host_and_port(host, port)}: {words}") from error


class ListeningPort:
    """A port of a server, with its socket while it listens.

    Attributes:
        listener: The socket; None while the port is not listened on.
        security: The security of its connections; None for plain ones.

    Raises:
        TLSConfigurationError: The TLS of the port cannot be used.
    """

    def __init__(self, host: str, port: Port) -> None:
        self._address, self._tls = (host if port.host is None else port.host, port.port), port.tls
        self.listener: Listener | None = None
        self.security = self.read_security()

    @property
    def address(self) -> tuple[str, int]:
        """The host and port that are listened on.

        Raises:
            RuntimeError: The port is not listened on.
        """
        listener = self.listener
        if listener is None or listener.fileno() < 0:
            raise RuntimeError("the server does not listen")
        host, port = listener.getsockname()[:2]
        return str(host), int(port)

    def open(self, *, shared: bool) -> Listener:
        """Bind and listen.

        Args:
            shared: True if other processes may listen on the same port.

        Raises:
            OSError: The address cannot be bound; its message names it.
        """
        with saying_where(*self._address) as family:
            self.listener = socket.create_server(self._address, family=family, backlog=BACKLOG, reuse_port=shared)
        self.listener.setblocking(False)
        return self.listener

    def close(self) -> None:
        """Close the socket; this is idempotent and raises nothing."""
        listener, self.listener = self.listener, None
        if listener is not None:
            with suppress(OSError):
                listener.close()

    def read_security(self) -> Security | None:
        """Return the security of new connections, from the files that it is in.

        Raises:
            TLSConfigurationError: A file cannot be used.
        """
        if self._tls is None:
            return None
        from dimse.settings.tls import of_a_server

        return of_a_server(self._tls)


class Ports(Closing):
    """The ports of a server, which are listened on all together; the first is that of its address.

    Args:
        host: The host of a port that has none of its own.
        ports: The ports.
        shared: True if other processes may listen on the same ports.

    Raises:
        TLSConfigurationError: The TLS of a port cannot be used.
    """

    def __init__(self, host: str, ports: Iterable[Port], *, shared: bool) -> None:
        self._ports = tuple(ListeningPort(host, port) for port in ports)
        self._shared = shared

    def __iter__(self) -> Iterator[ListeningPort]:
        return iter(self._ports)

    @property
    def are_open(self) -> bool:
        """True while the ports are listened on."""
        return self._ports[0].listener is not None

    @property
    def addresses(self) -> tuple[tuple[str, int], ...]:
        """The host and port of each.

        Raises:
            RuntimeError: They are not listened on.
        """
        return tuple(port.address for port in self._ports)

    def open(self) -> None:
        """Bind all ports, and listen on them; if that is impossible for one, none stays bound.

        Raises:
            OSError: An address cannot be bound; its message names it.
        """
        with ExitStack() as half_made:
            for port in self._ports:
                half_made.callback(port.close)
                port.open(shared=self._shared)
            half_made.pop_all()

    def close(self) -> None:
        """Close the sockets; this is idempotent and raises nothing."""
        for port in self._ports:
            port.close()

    def reload_tls(self) -> None:
        """Read the files of each `dimse.TLS` again, for connections that come from now on.

        Raises:
            TLSConfigurationError: A file cannot be used; every port goes on with what it had.
        """
        read = [port.read_security() for port in self._ports]
        for port, security in zip(self._ports, read, strict=True):
            port.security = security
