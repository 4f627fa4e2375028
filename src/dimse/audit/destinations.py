"""The destinations of audit messages: a file, or a syslog server over UDP or TLS (PS3.15 A.6, A.7)."""

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
from dimse.support import content
from dimse.support.text import host_and_port, one_line

if TYPE_CHECKING:
    import ssl

LOGGER = logging.getLogger("dimse.audit")

# RFC 5424 6.2.1: security, and a normal but significant condition.
FACILITY, NOTICE = 10, 5
# PS3.15 A.6.
MESSAGE_ID = "DICOM+RFC3881"
# It marks a message in UTF-8.
BOM = b"\xef\xbb\xbf"
APPLICATION = "dimse"

TLS_PORT, UDP_PORT = 6514, 514
# Messages that wait while the server cannot be reached.
MOST_WAITING = 10_000
# Seconds to connect or to send a message, and between two attempts.
TIMEOUT, RETRY_INTERVAL = 10.0, 2.0
# Seconds to send the messages that wait at the end, and for the server to close the connection.
DRAIN_SECONDS, CLOSE_SECONDS = 5.0, 1.0


class Destination(Protocol):
    """A receiver of audit messages, which come from any thread."""

    def write(self, message: bytes) -> None:
        """Write a message.

        Raises:
            OSError: The message is lost.
        """

    def close(self) -> None:
        """Close the destination after the last message."""


class AuditFile(LineFile):
    """A file with a message on each line, created for its owner only (0600)."""

    def write(self, message: bytes) -> None:
        """Append a message."""
        self.append(message + b"\n")


def syslog_message(message: bytes, host: str) -> bytes:
    """Return an audit message as RFC 5424 frames it."""
    moment = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    head = f"<{FACILITY * 8 + NOTICE}>1 {moment} {host} {APPLICATION} {os.getpid()} {MESSAGE_ID} - "
    return head.encode("ascii") + BOM + message


class UDPSyslog:
    """A syslog server over UDP (RFC 5426). A message is a datagram; one that is lost is not noticed.

    Args:
        host: The name or address of the server.
        port: The port of the server.

    Raises:
        OSError: The name cannot be resolved.
    """

    def __init__(self, host: str, port: int = UDP_PORT) -> None:
        self._address: tuple[Any, ...]
        family, _, _, _, self._address = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
        self._socket = socket.socket(family, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._name = host_name()

    def write(self, message: bytes) -> None:
        """Send a message."""
        self._socket.sendto(syslog_message(message, self._name), self._address)

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()


class TLSSyslog:
    """A syslog server over TLS (RFC 5425). Messages wait in a queue for a thread of their own, which sends them.

    The thread starts with the first message, in the process that writes it. It tries again while the server cannot be reached.
    Messages that do not fit in the queue, or are left at the end, are lost, and a line of the log says so.

    Args:
        host: The name or address of the server, which its certificate must be for.
        port: The port of the server.
        ca: A PEM file with the CAs of the server's certificate; empty for the CAs of the system.
        certificate: A PEM file with our certificate, for a server that asks for one.
        key: A PEM file with its private key; empty if it is in `certificate`.

    Raises:
        OSError: A file cannot be used.
    """

    def __init__(self, host: str, port: int = TLS_PORT, *, ca: str = "", certificate: str = "", key: str = "") -> None:
        import ssl

        # OpenSSL would read a device to its end.
        for path in filter(None, (ca, certificate, key)):
            content.read(path)
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
        """Put a message into the queue.

        Raises:
            OSError: The queue is full.
        """
        framed = syslog_message(message, self._name)
        with self._changed:
            if len(self._queue) >= MOST_WAITING:
                raise OSError("too many audit messages wait for the syslog server")
            self._queue.append(b"%d %s" % (len(framed), framed))
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="dimse-audit", daemon=True)
                self._thread.start()
            self._changed.notify()

    def close(self) -> None:
        """Send the messages that wait, for some seconds at most, and close the connection."""
        with self._changed:
            self._closing_at = time.monotonic() + DRAIN_SECONDS
            self._changed.notify()
        if self._thread is not None:
            self._thread.join(DRAIN_SECONDS + CLOSE_SECONDS)
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
        """Wait for a message, and return True; return False after the last one, and when the time is over."""
        with self._changed:
            self._changed.wait_for(lambda: self._queue or self._closing_at is not None)
            return bool(self._queue) and not self._is_late()

    def _is_late(self) -> bool:
        return self._closing_at is not None and time.monotonic() >= self._closing_at

    def _pause(self) -> bool:
        """Wait before another attempt; return False if there is no time for one."""
        time.sleep(RETRY_INTERVAL)
        return not self._is_late()

    def _connected(self) -> ssl.SSLSocket:
        if self._connection is None:
            plain = socket.create_connection(self._address, TIMEOUT)
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
                connection.settimeout(CLOSE_SECONDS)
                # To close with unread bytes would reset the connection, and lose messages that were sent.
                connection.unwrap()


def host_name() -> str:
    """Return the name of this machine in printable ASCII; "-" if nothing is left of it."""
    return "".join(char for char in socket.gethostname() if char.isascii() and char.isprintable()) or "-"
