"""TLS as others speak it: openssl's s_server and s_client, DCMTK with `+tls`, and ours without its good manners."""

from __future__ import annotations

import os
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pytest
import trustme

from tests.drivers import LOOPBACK, running
from tests.interop import peers
from tests.tls.certificates import Certificates, Identity, openssl, openssl_command

Who = Literal["openssl", "DCMTK", "ours"]
EVERYBODY: tuple[Who, ...] = ("openssl", "DCMTK", "ours")

SECONDS = 20.0
WEAK = "ALL:eNULL:@SECLEVEL=0"  # all suites, and all key sizes

# OpenSSL of Debian loads no weak certificate unless its configuration says so; DCMTK has no option for that.
WEAK_CONFIGURATION = """
openssl_conf = start
[start]
ssl_conf = ssl
[ssl]
system_default = weak
[weak]
CipherString = DEFAULT:@SECLEVEL=0
MinProtocol = TLSv1
"""


@dataclass(frozen=True)
class Other:
    """A server of another implementation.

    Attributes:
        port: The port on this machine.
        said: Its output, and the bytes that it received.
    """

    port: int
    said: Callable[[], str]


@contextmanager
def server(who: Who, identity: Identity, certificates: Certificates, *options: str) -> Iterator[Other]:
    """Run a server that shows this certificate, asks for none, and allows whatever its OpenSSL can do.

    Args:
        who: The implementation.
        identity: The certificate that it shows.
        certificates: The folder for its files.
        options: Options of openssl's s_server.
    """
    if who == "openssl":
        with s_server(identity, *options) as other:
            yield other
    elif who == "DCMTK":
        configuration = certificates.folder / "weak.cnf"
        configuration.write_text(WEAK_CONFIGURATION)
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("OPENSSL_CONF", str(configuration))
            tls = ("+tls", identity.key, identity.certificate, "-ic")
            with peers.dcmtk_storescp(certificates.folder / "dcmtk", "-d", *tls) as scp:
                yield Other(scp.port, lambda: scp.output)
    else:
        context = weak_context()
        context.load_cert_chain(identity.certificate, identity.key)
        with running("threads", tls=context) as ours:
            yield Other(ours.address[1], lambda: f"{ours.associations} associations")


def weak_context() -> ssl.SSLContext:
    """Return a server's context that allows what ours does not."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_ciphers(WEAK)
    return context


@contextmanager
def s_server(identity: Identity, *options: str) -> Iterator[Other]:
    """Run openssl's s_server."""
    command = [
        openssl_command(),
        "s_server",
        "-accept",
        f"{LOOPBACK}:0",
        "-cert",
        identity.certificate,
        "-key",
        identity.key,
    ]
    if "-cipher" not in options:
        command += ["-cipher", WEAK]
    with subprocess.Popen(
        [*command, *options], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as process:
        assert process.stdout is not None
        said: list[bytes] = []
        try:
            for line in process.stdout:
                said.append(line)
                if line.startswith(b"ACCEPT"):
                    break
            else:
                pytest.fail(b"".join(said).decode())
            port = int(said[-1].rpartition(b":")[2])
            reader = threading.Thread(target=lambda: said.extend(process.stdout or ()))
            reader.start()
            yield Other(port, lambda: b"".join(said).decode(errors="replace"))
        finally:
            process.kill()
        reader.join()


def s_client(port: int, *options: str, says: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    """Run openssl's s_client, which connects, sends something, and ends."""
    command = [openssl_command(), "s_client", "-connect", f"{LOOPBACK}:{port}", *options]
    return subprocess.run(
        command, input=says, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=SECONDS, check=False
    )


def exchange(port: int, data: bytes) -> bytes:
    """Say something without TLS; everything that is answered until the end."""
    answer = b""
    with socket.create_connection((LOOPBACK, port), timeout=SECONDS) as connection:
        connection.sendall(data)
        with suppress(ConnectionError):
            while piece := connection.recv(65536):
                answer += piece
    return answer


# --- hellos, byte by byte ---

RECORD, HANDSHAKE = 5, 4  # bytes of the headers


def client_hello(context: ssl.SSLContext) -> bytes:
    """Return the first bytes of a client with this context."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    with suppress(ssl.SSLWantReadError):
        context.wrap_bio(incoming, outgoing, server_hostname="localhost").do_handshake()
    return outgoing.read()


def old_client_hello(version: int, *cipher_suites: int, compression: bytes = b"\0") -> bytes:
    """Return a ClientHello of a version before TLS 1.3 (RFC 5246 7.4.1.2): RSA or nothing, no extensions but the groups."""
    suites = b"".join(suite.to_bytes(2, "big") for suite in cipher_suites)
    body = version.to_bytes(2, "big") + bytes(range(32)) + b"\0"
    body += len(suites).to_bytes(2, "big") + suites + bytes([len(compression)]) + compression
    groups = bytes.fromhex("000a 0004 0002 0017  000d 0008 0006 0401 0403 0804")  # P-256; RSA and ECDSA with SHA-256
    body += len(groups).to_bytes(2, "big") + groups
    return _record(version, 1, body)


def server_hello(version: int, cipher_suite: int) -> bytes:
    """Return a ServerHello (RFC 5246 7.4.1.3)."""
    body = version.to_bytes(2, "big") + bytes(range(32)) + b"\0" + cipher_suite.to_bytes(2, "big") + b"\0"
    return _record(version, 2, body)


def _record(version: int, kind: int, body: bytes) -> bytes:
    handshake = bytes([kind]) + len(body).to_bytes(3, "big") + body
    return b"\x16" + version.to_bytes(2, "big") + len(handshake).to_bytes(2, "big") + handshake


@contextmanager
def answering(answer: bytes) -> Iterator[int]:
    """Run a server that answers the first bytes of each of its clients with `answer`."""

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection, suppress(ConnectionError):
                connection.recv(65536)
                connection.sendall(answer)
                connection.recv(65536)

    with socket.create_server((LOOPBACK, 0)) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()


@contextmanager
def in_between(port: int, change: Callable[[bytes], bytes]) -> Iterator[int]:
    """Run a proxy between a client and the server on `port` that changes the first bytes of the client."""

    def pump(source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                sink.sendall(data)
        for end in (source, sink):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def serve() -> None:
        client, _ = listener.accept()
        with client, socket.create_connection((LOOPBACK, port)) as other:
            header = client.recv(RECORD, socket.MSG_WAITALL)
            hello = header + client.recv(int.from_bytes(header[3:], "big"), socket.MSG_WAITALL)
            other.sendall(change(hello))
            back = threading.Thread(target=pump, args=(other, client))
            back.start()
            pump(client, other)
            back.join()

    with socket.create_server((LOOPBACK, 0)) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        yield listener.getsockname()[1]
        thread.join()


RSA = trustme.KeyType.RSA

# Cases that are tests of their own in the other modules of this folder.
CELLS_ELSEWHERE = {
    "mistaken ports": 3,  # test_mistakes.py
    "slow handshakes": 2,  # test_handshakes.py
    "truncation": 1,  # test_connections.py, and so the next
    "renegotiation, compression, tickets, key update": 4,
    "reload and mode of the key": 2,  # test_tools.py, test_tls.py
    "no STARTTLS": 1,  # test_mistakes.py
}


def short_dh_parameters(folder: Path) -> str:
    """Return the path of Diffie-Hellman parameters of 1024 bits."""
    path = folder / "dh.pem"
    if not path.exists():
        openssl("dhparam", "-dsaparam", "-out", str(path), "1024")
    return str(path)


def until(true: Callable[[], bool]) -> None:
    """Return when something has come true in another thread."""
    deadline = time.monotonic() + SECONDS
    while not true():
        assert time.monotonic() < deadline
        os.sched_yield()


@contextmanager
def in_a_thread(what: Callable[[], object]) -> Iterator[None]:
    """Do something meanwhile; it is done when the block is left."""
    with ThreadPoolExecutor(1) as executor:
        done = executor.submit(what)
        yield
        done.result(SECONDS)
