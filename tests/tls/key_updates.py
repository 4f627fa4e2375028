"""A TLS 1.3 client that sends key updates as it likes, which no library lets its user do.

Python's `ssl` shakes hands and reads. What is written is made here, of the secret that it logs for debuggers (RFC 8446 4.6.3,
5.2, 7).
"""

from __future__ import annotations

import socket
import ssl
import struct
from collections.abc import Callable
from pathlib import Path

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA384
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from tests.drivers import LOOPBACK

SECONDS = 20.0

# Of TLS_AES_256_GCM_SHA384, which both sides prefer: lengths of the secret, the key and the nonce.
SECRET, KEY, NONCE = 48, 32, 12
HANDSHAKE, APPLICATION_DATA = 22, 23
NOT_REQUESTED, REQUESTED = 0, 1


class Writer:
    """A writer for one direction of a connection, from the first application data on.

    Args:
        secret: The application traffic secret.
    """

    def __init__(self, secret: bytes) -> None:
        self._take(secret)

    def _take(self, secret: bytes) -> None:
        self._secret, self._number = secret, 0
        self._cipher = AESGCM(_expanded(secret, b"key", KEY))
        self._nonce = int.from_bytes(_expanded(secret, b"iv", NONCE))

    def record(self, content: bytes, kind: int = APPLICATION_DATA) -> bytes:
        """Encrypt one record."""
        header = struct.pack(">BHH", APPLICATION_DATA, 0x0303, len(content) + 1 + 16)
        nonce = (self._nonce ^ self._number).to_bytes(NONCE)
        self._number += 1
        return header + self._cipher.encrypt(nonce, content + bytes([kind]), header)

    def key_update(self, request: int = NOT_REQUESTED) -> bytes:
        """Encrypt a KeyUpdate, and go on with the next key."""
        record = self.record(bytes([24, 0, 0, 1, request]), HANDSHAKE)
        self._take(_expanded(self._secret, b"traffic upd", SECRET))
        return record

    def key_updates(self, count: int, request: int = NOT_REQUESTED) -> bytes:
        """Encrypt so many of them."""
        return b"".join(self.key_update(request) for _ in range(count))


def _expanded(secret: bytes, label: bytes, length: int) -> bytes:
    label = b"tls13 " + label
    info = struct.pack(">HB", length, len(label)) + label + b"\0"
    return HKDFExpand(algorithm=SHA384(), length=length, info=info).derive(secret)


class Updating:
    """A client past the handshake.

    Args:
        connection: A connected socket.
        context: How it speaks TLS; it writes its secrets to a file.
        log: That file.

    Attributes:
        socket: The plain socket, to send records that `writer` made.
        writer: Makes them.
    """

    def __init__(self, connection: socket.socket, context: ssl.SSLContext, log: Path) -> None:
        context.keylog_filename = str(log)
        self.socket = connection
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=LOOPBACK)
        self._until(self._tls.do_handshake)
        cipher = self._tls.cipher()
        assert cipher is not None
        assert cipher[0] == "TLS_AES_256_GCM_SHA384"
        (secret,) = [
            line.split()[2] for line in log.read_text().splitlines() if line.startswith("CLIENT_TRAFFIC_SECRET_0")
        ]
        self.writer = Writer(bytes.fromhex(secret))

    def _until(self, done: Callable[[], object]) -> object:
        while True:
            try:
                result = done()
            except ssl.SSLWantReadError:
                self._flush()
                data = self.socket.recv(65536)
                assert data, "the connection ended"
                self._incoming.write(data)
            else:
                self._flush()
                return result

    def _flush(self) -> None:
        if self._outgoing.pending:
            self.socket.sendall(self._outgoing.read())

    def send(self, data: bytes) -> None:
        """Send data in one record."""
        self.socket.sendall(self.writer.record(data))

    def read(self) -> bytes:
        """Read some data."""
        data = self._until(lambda: self._tls.read(65536))
        assert isinstance(data, bytes)
        return data

    def is_put_out(self) -> bool:
        """Drop what comes until the other side has closed the connection; False if it does not in time."""
        try:
            while self.socket.recv(65536):
                pass
        except TimeoutError:
            return False
        except ConnectionError:
            return True
        return True


def connected(port: int, context: ssl.SSLContext, log: Path) -> Updating:
    """Connect to a server on this machine."""
    return Updating(socket.create_connection((LOOPBACK, port), timeout=SECONDS), context, log)
