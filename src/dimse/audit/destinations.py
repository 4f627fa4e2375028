"""Where audit messages go: a file, or a syslog server over UDP or TLS (PS3.15 A.6, A.7)."""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
from collections import deque
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol

from dimse.logs.line_file import LineFile
from dimse.support.text import host_and_port, one_line

if TYPE_CHECKING:
    import ssl

LOGGER = logging.getLogger("dimse.audit")

FACILITY, NOTICE = 10, 5  # RFC 5424 6.2.1: security; a normal but significant condition
MESSAGE_ID = "DICOM+RFC3881"  # PS3.15 A.6
BOM = b"\xef\xbb\xbf"  # what follows is UTF-8
APPLICATION = "dimse"

TLS_PORT, UDP_PORT = 6514, 514
WAITING = 10_000  # messages that wait for a server that is away
CONNECT, AGAIN = 10.0, 2.0  # seconds: to connect or to send a message, and until it is tried again
LAST_MOMENT, FAREWELL = 5.0, 1.0  # seconds: for what waits at the end, and for the server to part from us


class Destination(Protocol):
    """Takes messages; from any thread."""

    def write(self, message: bytes) -> None:
        """Take one.

        Raises:
            OSError: It was not taken.
        """

    def close(self) -> None:
        """There are no more."""


class AuditFile(LineFile):
    """A file with a message a line, made for its owner only (0600)."""

    def write(self, message: bytes) -> None:
        """Append one."""
        self.append(message + b"\n")


def syslog_message(message: bytes, host: str) -> bytes:
    """An audit message as RFC 5424 has it."""
    moment = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    head = f"<{FACILITY * 8 + NOTICE}>1 {moment} {host} {APPLICATION} {os.getpid()} {MESSAGE_ID} - "
    return head.encode("ascii") + BOM + message


class UDPSyslog:
    """A syslog server over UDP (RFC 5426): a message is a datagram, and nobody knows whether it arrives.

    Args:
        host: Its name or address.
        port: Its port.

    Raises:
        OSError: There is no such host.
    """

    def __init__(self, host: str, port: int = UDP_PORT) -> None:
        self._address: tuple[Any, ...]
        family, _, _, _, self._address = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
        self._socket = socket.socket(family, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._name = host_name()

    def write(self, message: bytes) -> None:
        """Send one."""
        self._socket.sendto(syslog_message(message, self._name), self._address)

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()


class TLSSyslog:
    """A syslog server over TLS (RFC 5425): messages wait in memory for a thread of its own that sends them.

    The thread begins with the first message, in the process that has it. When the server is away it is tried again; what does not
    fit in the queue meanwhile, or is left at the end, is lost, and a line in the log says so.

    Args:
        host: Its name or address, which its certificate is for.
        port: Its port.
        ca: The CAs that its certificate may be from, a PEM file; empty: the system's.
        certificate: Our own, a PEM file, if it asks for one.
        key: Its private key; empty: in `certificate`.

    Raises:
        OSError: A file cannot be used.
    """

    def __init__(self, host: str, port: int = TLS_PORT, *, ca: str = "", certificate: str = "", key: str = "") -> None:
        import ssl

        self._address, self._context = (host, port), ssl.create_default_context(cafile=ca or None)
        if certificate:
            self._context.load_cert_chain(certificate, key or None)
        self._name = host_name()
        self._changed = threading.Condition()
        self._queue: deque[bytes] = deque()
        self._thread: threading.Thread | None = None
        self._closing_at: float | None = None
        self._connection: ssl.SSLSocket | None = None
        self._complained = False

    def write(self, message: bytes) -> None:
        """Queue one."""
        framed = syslog_message(message, self._name)
        with self._changed:
            if len(self._queue) >= WAITING:
                raise OSError("too many audit messages wait for the syslog server")
            self._queue.append(b"%d %s" % (len(framed), framed))
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="dimse-audit", daemon=True)
                self._thread.start()
            self._changed.notify()

    def close(self) -> None:
        """Send what waits, for a moment at most."""
        with self._changed:
            self._closing_at = time.monotonic() + LAST_MOMENT
            self._changed.notify()
        if self._thread is not None:
            self._thread.join(LAST_MOMENT + FAREWELL)
        if self._queue:
            LOGGER.error("audit messages that were not sent: %d", len(self._queue))

    def _run(self) -> None:
        while self._wait():
            message = self._queue[0]
            try:
                self._connected().sendall(message)
            except OSError as error:
                self._lose(error)
                if not self._pause():
                    return
            else:
                self._complained = False
                self._queue.popleft()
        self._disconnect()

    def _wait(self) -> bool:
        """Wait for a message; False when there are no more."""
        with self._changed:
            self._changed.wait_for(lambda: self._queue or self._closing_at is not None)
            return bool(self._queue) and not self._late()

    def _late(self) -> bool:
        return self._closing_at is not None and time.monotonic() >= self._closing_at

    def _pause(self) -> bool:
        """Wait until it is worth another attempt; False if there is none."""
        time.sleep(AGAIN)
        return not self._late()

    def _connected(self) -> ssl.SSLSocket:
        if self._connection is None:
            plain = socket.create_connection(self._address, CONNECT)
            try:
                self._connection = self._context.wrap_socket(plain, server_hostname=self._address[0])
            except OSError:
                plain.close()
                raise
        return self._connection

    def _lose(self, error: OSError) -> None:
        if not self._complained:
            where = host_and_port(*self._address)
            LOGGER.error("the audit trail does not reach %s: %s", where, one_line(error.strerror or str(error)))
        self._complained = True
        self._disconnect()

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(OSError), connection:
                connection.settimeout(FAREWELL)
                connection.unwrap()  # to close over what we have not read would reset it, and take back what was sent


def host_name() -> str:
    """What this machine calls itself."""
    return "".join(char for char in socket.gethostname() if char.isascii() and char.isprintable()) or "-"
