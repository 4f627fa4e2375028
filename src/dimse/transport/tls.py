"""TLS over a transport's socket (PS3.15 Annex B): what of `ssl.SSLSocket` differs from a plain socket."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Sequence

from dimse.transport import READ, WRITE

# Buffers are joined up to here: an SSLSocket takes one at a time, and each would become a TLS record of its own.
JOINED = 65536


class TLSSocket:
    """A TLS connection in the shape that `Transport` uses a socket in.

    What TLS needs to go on may be the other direction: a write may have to wait until something can be read. `wanted` says so.

    Attributes:
        socket: The TLS socket itself; it has taken the plain one's descriptor.
        wanted: `READ` or `WRITE` if the last call waits for that, else 0.
    """

    def __init__(
        self, connection: socket.socket, context: ssl.SSLContext, *, server_side: bool, server_hostname: str | None
    ) -> None:
        self.socket = context.wrap_socket(
            connection, server_side=server_side, server_hostname=server_hostname, do_handshake_on_connect=False
        )
        self._unsent = b""  # OpenSSL wants the same bytes again after a write that would have blocked
        self.wanted = 0

    def handshake(self) -> bool:
        """Go on with the handshake; False if it has to wait for `wanted`."""
        try:
            self.socket.do_handshake()
        except ssl.SSLWantReadError:
            self.wanted = READ
            return False
        except ssl.SSLWantWriteError:
            self.wanted = WRITE
            return False
        self.wanted = 0
        return True

    def sendmsg(self, buffers: Sequence[bytes | memoryview]) -> int:
        """Send the first bytes of `buffers`; returns how many.

        Raises:
            BlockingIOError: It would block; the next call must come with the same bytes in front.
        """
        if not self._unsent:
            self._unsent = _joined(buffers)
        try:
            sent = self.socket.send(self._unsent)
        except ssl.SSLWantReadError:
            self.wanted = READ
            raise BlockingIOError from None
        except ssl.SSLWantWriteError:
            self.wanted = WRITE
            raise BlockingIOError from None
        self.wanted, self._unsent = 0, b""
        return sent

    def recv_into(self, buffer: memoryview) -> int:
        """Receive into `buffer`; returns the number of bytes, 0 at the end.

        Raises:
            BlockingIOError: It would block.
        """
        try:
            return self.socket.recv_into(buffer)
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            raise BlockingIOError from None

    def pending(self) -> bool:
        """Are there bytes that TLS has taken from the socket and nobody has received? `poll` does not see them."""
        return self.socket.pending() > 0

    def close(self) -> None:
        """Close the socket; what ends an association is its release or abort, not TLS's own farewell."""
        self.socket.close()

    def shutdown(self, how: int) -> None:
        """Shut the socket down under whoever waits on it."""
        socket.socket.shutdown(self.socket, how)

    def negotiated(self) -> tuple[str, str]:
        """TLS version and cipher suite."""
        cipher = self.socket.cipher()
        return self.socket.version() or "", cipher[0] if cipher else ""


def _joined(buffers: Sequence[bytes | memoryview]) -> bytes:
    if len(buffers[0]) >= JOINED:
        return bytes(buffers[0][:JOINED])
    taken, length = [], 0
    for buffer in buffers:
        taken.append(buffer[: JOINED - length])
        length += len(taken[-1])
        if length == JOINED:
            break
    return b"".join(taken)
