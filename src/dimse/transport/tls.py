"""TLS over a transport's socket (PS3.15 Annex B), with the methods of a socket that `Transport` uses.

OpenSSL never sees the socket. Each call receives a bounded number of bytes, has OpenSSL take them, and sends what OpenSSL made of
them. OpenSSL itself goes on as long as records come that carry no data. So a peer could keep a thread in one call for ever.
"""

from __future__ import annotations

import errno
import logging
import os
import socket
import ssl
from collections.abc import Iterator, Sequence
from contextlib import suppress
from mmap import mmap
from typing import Any

from dimse.errors import is_tls
from dimse.settings.tls import Security
from dimse.support.text import host_and_port, one_line
from dimse.support.values import value
from dimse.transport import READ, WRITE, certificate
from dimse.transport.certificate import Certificate
from dimse.transport.tls_faults import UNREAD, WITHOUT_DATA, Fault

LOGGER = logging.getLogger("dimse.tls")

RECEIVED = 128 * 1024
"""The most bytes that one call takes from the socket."""
FED = 64 * 1024
"""Bytes that OpenSSL is given at a time. A connection never frees the memory that it once needed for them."""
SHAKEN = 16 * 1024
"""Bytes of a handshake that one call takes."""
ENCRYPTED = 64 * 1024
"""Bytes that OpenSSL is given to encrypt at a time. Several buffers are joined, because each call makes a record."""
SENT = 1024**2
"""The most bytes that one call sends, so that other connections have their turns."""
MOST_UNSENT = 256 * 1024
"""Encrypted bytes that wait for the socket: a piece of what is sent, and answers to key updates of a peer that does not read."""
RECORDS = 64
"""Bytes of records for each byte of data that a peer may send. With a record for each byte it needs 23."""
MOST_WITHOUT_DATA = 64 * 1024
"""Bytes of records beyond that: some 2,000 key updates, each of which costs as much as to decrypt 20 KB."""

HEARD = 12
"""Bytes that show the protocol of a peer that speaks no TLS."""

# For a peer that does not speak TLS: a fatal alert, protocol version (RFC 8446 6.2), which our requestor reports as such.
NO_TLS_ALERT = b"\x15\x03\x03\x00\x02\x02\x46"

_SSL2_HELLO = 0x80
"""The first byte of a very old client; OpenSSL describes the fault."""

_spare: list[memoryview] = []
"""Buffers of `RECEIVED` bytes; each is lent for one call."""


@value
class TLSSession:
    """The outcome of a TLS handshake.

    Attributes:
        version: "TLSv1.3".
        cipher_suite: The cipher suite, by its name in OpenSSL.
        certificate: The certificate of the peer; None if the peer has sent none.
    """

    version: str
    cipher_suite: str
    certificate: Certificate | None

    def __str__(self) -> str:
        return f"{self.version}, {self.cipher_suite}, peer's certificate: {self.certificate or 'none'}"


class TLSSocket:
    """A TLS connection over a socket that does not block.

    A call may have to wait for the other direction: while bytes are unsent, `waits_for` asks for `WRITE` besides. A connection that
    ends without `close_notify` counts as closed. A message is complete by its own lengths, and an incomplete one is dropped.

    Args:
        connection: The plain socket.
        security: The settings of TLS.
        host: The host that is connected to; None for a server.

    Attributes:
        wanted: `READ` or `WRITE` if the handshake waits for that, else 0.
        heard: The first bytes of the peer.
        named: Returns the words by which errors name an argument of `dimse.TLS`.
        session: The outcome of the handshake; None before it is complete.
    """

    def __init__(self, connection: socket.socket, security: Security, host: str | None) -> None:
        self._name = None if host is None else security.server_name or host
        self._connection = connection
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = security.context.wrap_bio(
            self._incoming, self._outgoing, server_side=host is None, server_hostname=self._name
        )
        self._security = security
        # Encrypted bytes that the socket has not taken; older than those in `_outgoing`.
        self._unsent: bytes | memoryview = b""
        # The number of leading bytes of the next `sendmsg` that are encrypted already.
        self._ahead = 0
        # True if OpenSSL has to read before it writes: the peer renegotiates, which only a context of the caller's own allows.
        self._write_wants_read = False
        # True if OpenSSL has more data than the caller's buffer had room for.
        self._holds_data = False
        self._without_data = 0
        self._has_failed = self._is_at_end = False
        self._fault: Fault | None = None
        self.wanted = READ if host is None else 0
        self.heard = b""
        self.named = security.named
        self.session: TLSSession | None = None

    # --- the handshake ---

    def handshake(self) -> bool:
        """Go on with the handshake; False if it has to wait for `wanted`.

        Raises:
            TLSError: It failed.
        """
        try:
            if self._flush():
                if self.wanted == READ:
                    self._hear()
                self._shake()
        except OSError as error:
            self._has_failed = True
            with suppress(OSError):
                # The alert gives the peer the reason.
                self._flush()
                self.shutdown(socket.SHUT_WR)
            self._fault = self._fault_of(error)
            raise self._fault.handshake_error() from error
        return not self.wanted

    def _hear(self) -> None:
        """Receive some of the handshake. A peer that does not speak TLS gets an alert before OpenSSL has read a whole record."""
        try:
            data = self._connection.recv(SHAKEN)
        except (BlockingIOError, InterruptedError):
            return
        if not data:
            raise ssl.SSLEOFError(ssl.SSL_ERROR_EOF, "the connection ended")
        if not self.heard:
            self.heard = data[:HEARD]
            if not is_tls(self.heard.ljust(2, b"\3")) and not self.heard[0] & _SSL2_HELLO:
                with suppress(OSError):
                    self._connection.send(NO_TLS_ALERT)
                raise ssl.SSLError(errno.EPROTO, Fault.foreign(self.heard))
        self._incoming.write(data)

    def _shake(self) -> None:
        """Let OpenSSL take its next step; `wanted` is the event that it then waits for."""
        try:
            self._tls.do_handshake()
            self._verify_pin()
            is_done = True
        except ssl.SSLWantReadError:
            is_done = False
        if not self._flush():
            self.wanted = WRITE
        elif not is_done:
            self.wanted = READ
        else:
            self.wanted, self.session = 0, self._negotiated()
            # The first data may have come with the end of the handshake.
            self._holds_data = self._incoming.pending > 0
            if LOGGER.isEnabledFor(logging.INFO):
                with suppress(OSError):  # it is gone again
                    where = host_and_port(*self._connection.getpeername()[:2])
                    LOGGER.info("TLS with %s: %s", where, one_line(str(self.session)))

    def _verify_pin(self) -> None:
        if not self._security.pins:
            return
        shown = self._tls.getpeercert(binary_form=True)
        if shown is None or certificate.fingerprint(shown) not in self._security.pins:
            what = f"its SHA-256 is {certificate.fingerprint(shown)}" if shown else "it showed none"
            raise ssl.SSLError(errno.EACCES, f"the peer's certificate is not the one that is pinned: {what}")

    def _negotiated(self) -> TLSSession:
        cipher, shown = self._tls.cipher(), self._tls.getpeercert(binary_form=True)
        return TLSSession(
            self._tls.version() or "", cipher[0] if cipher else "", certificate.read(shown) if shown else None
        )

    def _fault_of(self, error: OSError) -> Fault:
        return Fault.of(error, self._security, name=self._name, heard=self.heard)

    @property
    def alert(self) -> str:
        """The reason that the peer gave for the end of the connection; empty without one."""
        return self._fault.words if self._fault is not None and self._fault.is_alert else ""

    # --- the methods of a socket: send ---

    def sendmsg(self, buffers: Sequence[bytes | memoryview]) -> int:
        """Send the first bytes of `buffers`; return the number that have certainly gone out.

        Raises:
            BlockingIOError: It would block; the next call must come with the same bytes in front.
        """
        if self._has_failed:
            raise BrokenPipeError(errno.EPIPE, "TLS was not agreed on")
        ahead, self._write_wants_read = self._ahead, False
        try:
            if not self._is_waiting or self._flush():
                for parts, length in _cut(buffers, ahead):
                    self._tls.write(_joined(parts))
                    ahead += length
                    if not self._flush():
                        break
        except ssl.SSLWantReadError:
            self._write_wants_read = True
            self._flush()
        except ssl.SSLError as error:
            raise self._failed(error) from error
        # The encrypted bytes that wait are at least as many as the bytes of data in them.
        sent = max(0, ahead - self._waiting) if self._is_waiting else ahead
        self._ahead = ahead - sent
        if not sent and any(buffers):
            raise BlockingIOError
        return sent

    def send_now(self, data: bytes) -> None:
        """Send all of `data` if the socket takes it at once. The rest is sent before any other data.

        Raises:
            OSError: The connection is broken.
        """
        if self._ahead:  # it would stand within something else
            return
        with suppress(BlockingIOError):
            self.sendmsg([data])
        self._ahead = 0

    @property
    def _is_waiting(self) -> bool:
        """True if the socket has not taken all encrypted bytes."""
        return self._outgoing.pending > 0 or len(self._unsent) > 0

    @property
    def _waiting(self) -> int:
        """The number of encrypted bytes that the socket has not taken."""
        return len(self._unsent) + self._outgoing.pending

    def _flush(self) -> bool:
        """Send the encrypted bytes; return True if all were taken."""
        while unsent := self._unsent or self._outgoing.read():
            try:
                sent = self._connection.send(unsent)
            except (BlockingIOError, InterruptedError):
                sent = 0
            if sent < len(unsent):
                self._unsent = memoryview(unsent)[sent:]
                return False
            self._unsent = b""
            if not self._outgoing.pending:
                break
        return True

    # --- receive ---

    def recv_into(self, buffer: memoryview) -> int:
        """Receive into `buffer`; return the number of bytes, 0 at the end.

        One call takes at most `RECEIVED` bytes from the socket.

        Raises:
            BlockingIOError: It would block, or nothing of what came was data.
        """
        # Further data is read and dropped. If it stayed unread, the peer could lose the alert.
        if self._has_failed:
            return self._connection.recv_into(buffer)
        received = (self._holds_data and self._decrypt(buffer)) or self._receive(buffer)
        if self._is_waiting:
            # If the connection is broken, the next call raises the error.
            with suppress(OSError):
                self._flush()
        if received:
            return received
        if self._fault is not None:
            raise self._fault.connection_error()
        if self._is_at_end:
            return 0
        raise BlockingIOError

    def _receive(self, buffer: memoryview) -> int:
        """Take bytes from the socket, decrypt them into `buffer`, and return the number of bytes of data, which may be 0."""
        if self._is_at_end or self._fault is not None:
            return 0
        if self._waiting > MOST_UNSENT:
            self._fault = Fault(UNREAD)
            return 0
        scratch = _spare.pop() if _spare else memoryview(bytearray(RECEIVED))
        try:
            count = self._connection.recv_into(scratch)
            self._is_at_end = not count
            received = self._feed(scratch[: min(count, FED)], buffer)
            for start in range(FED, count, FED):
                received += self._feed(scratch[start : min(count, start + FED)], buffer[received:])
        except (BlockingIOError, InterruptedError):
            return 0
        finally:
            _spare.append(scratch)
        return received

    def _feed(self, encrypted: memoryview, buffer: memoryview) -> int:
        """Give bytes to OpenSSL, and decrypt as many into `buffer` as it has room for."""
        self._incoming.write(encrypted)
        self._without_data += len(encrypted)
        received = self._decrypt(buffer)
        if self._without_data > MOST_WITHOUT_DATA and not self.pending():
            self._fault = Fault(WITHOUT_DATA)
        return received

    def _decrypt(self, buffer: memoryview) -> int:
        """Decrypt the bytes that OpenSSL has into `buffer`. A failure is raised after the data before it has been taken."""
        if self._is_at_end or self._fault is not None:
            return 0
        read, pending, incoming = self._tls.read, self._tls.pending, self._incoming
        received, room = 0, len(buffer)
        self._holds_data = False
        try:
            # A record at a time. With a buffer, `read` returns the number of bytes.
            while incoming.pending or pending():
                if received == room:
                    self._holds_data = True
                    break
                count: Any = read(room - received, buffer[received:])
                if not count:
                    self._is_at_end = True
                    break
                received += count
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLZeroReturnError:
            self._is_at_end = True
        except ssl.SSLError as error:
            self._failed(error)
        self._without_data = max(0, self._without_data - RECORDS * received)
        return received

    def _failed(self, error: ssl.SSLError) -> OSError:
        """Keep the first failure of the connection, which says more than those that follow from it."""
        if self._fault is None:
            self._fault = self._fault_of(error)
        return self._fault.connection_error()

    # --- wait, and end ---

    def waits_for(self, events: int) -> int:
        """Return the events of the socket to poll for, so that the connection can make progress on `events`."""
        wanted = events
        if events & WRITE and self._write_wants_read:
            wanted = events & ~WRITE | READ
        return wanted | WRITE if self._is_waiting else wanted

    def pending(self) -> bool:
        """Return True if `recv_into` has data, an end or a fault to report that `poll` does not see."""
        return (self._holds_data or self._is_at_end or self._fault is not None) and not self._has_failed

    def close(self) -> None:
        """Send close_notify (RFC 8446 6.1), and close the socket without waiting for the peer's."""
        if self.session is not None:
            with suppress(OSError, ValueError):
                self._tls.unwrap()
            with suppress(OSError):
                self._flush()
        self._connection.close()

    def shutdown(self, how: int) -> None:
        """Shut the socket down, which ends the wait of another thread."""
        self._connection.shutdown(how)


def _cut(buffers: Sequence[bytes | memoryview], skipped: int) -> Iterator[tuple[list[bytes | memoryview], int]]:
    """Cut what stands behind the first `skipped` bytes of `buffers` into pieces to encrypt, of `SENT` bytes in all.

    Yields:
        The parts of each piece, and their length.
    """
    joined: list[bytes | memoryview] = []
    length, left = 0, SENT
    for buffer in buffers:
        start, end = skipped, len(buffer)
        skipped = max(0, skipped - end)
        while start < end and left > 0:
            part = buffer[start : start + min(ENCRYPTED - length, left)]
            start += len(part)
            length += len(part)
            left -= len(part)
            joined.append(part)
            if length == ENCRYPTED:
                yield joined, length
                joined, length = [], 0
    if joined:
        yield joined, length


def _joined(parts: list[bytes | memoryview]) -> bytes | memoryview:
    """Join the parts of a piece, since each that OpenSSL is given makes records of its own.

    Raises:
        OSError: EFAULT, as `sendmsg` of a plain socket raises it, where a mapped file has become shorter.
    """
    for part in parts:
        # To read a map beyond the end of its file ends the process by a signal. So the size of the file is compared first.
        if type(part) is memoryview and isinstance(part.obj, mmap) and part.obj.size() < len(part.obj):
            raise OSError(errno.EFAULT, os.strerror(errno.EFAULT))
    return parts[0] if len(parts) == 1 else b"".join(parts)
