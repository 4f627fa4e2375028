"""The binding of a socket to the address that a server listens on."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager

from dimse.support.text import host_and_port


@contextmanager
def saying_where(host: str, port: int) -> Iterator[socket.AddressFamily]:
    """Bind a socket of the family that is given to an address: an `OSError` that this raises says which address."""
    try:
        yield socket.AF_INET6 if ":" in host else socket.AF_INET
    except OSError as error:
        # `socket.create_server` adds to the system's words what it was doing.
        words = (error.strerror or str(error)).partition(" (while")[0]
        raise OSError(error.errno, f"cannot listen on {host_and_port(host, port)}: {words}") from error
