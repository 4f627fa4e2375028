"""A peer that sends TLS records without data: it keeps no thread, puts off no timeout, and makes no memory grow."""

from __future__ import annotations

import errno
import mmap
import os
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

import dimse
from dimse.settings import Timeouts
from dimse.settings.tls import of_a_requestor, of_a_server
from dimse.transport import READ, WRITE
from dimse.transport.tls import MOST_UNSENT, RECEIVED, TLSSocket
from tests import hostile_scu
from tests.drivers import LOOPBACK, Face, Received, errors, on_both_faces, serving
from tests.hostile_scu import HostileSCU, associate_rq, p_data, store_command
from tests.tls import others
from tests.tls.certificates import Certificates
from tests.tls.key_updates import REQUESTED, SECONDS, Updating, connected

# 27 bytes each: more than a connection may take without data.
TOO_MANY = 3000
SHORT = 0.6  # seconds: a timeout in these tests
OFTEN = 0.05  # seconds between two key updates
WITHOUT_DATA = "the peer sends records of TLS without end, and no data in them"


@pytest.fixture
def server(certificates: Certificates) -> dimse.TLS:
    return dimse.TLS(certificates.server.pem, ca=certificates.ca)


@pytest.fixture
def client(certificates: Certificates) -> dimse.TLS:
    return dimse.TLS(certificates.client.pem, ca=certificates.ca)


@contextmanager
def updating(port: int, client: dimse.TLS, tmp_path: Path) -> Iterator[Updating]:
    """Yield a client after its handshake."""
    scu = connected(port, of_a_requestor(client).context, tmp_path / "secrets")
    with scu.socket:
        yield scu


def verify(port: int, client: dimse.TLS) -> None:
    """Ask for a C-ECHO, which is answered soon."""
    started = time.monotonic()
    with dimse.associate(LOOPBACK, port, contexts=[dimse.Verification], tls=client) as association:
        assert association.echo() == 0
    assert time.monotonic() - started < SECONDS / 2


def associate(scu: Updating) -> None:
    """Have an association."""
    scu.send(associate_rq())
    assert scu.read()[:1] == b"\2"


def begin_a_message(scu: Updating) -> None:
    """Send a C-STORE-RQ without its data set."""
    scu.send(p_data(hostile_scu.STORE, 3, store_command("1.2.3")))


def begin_a_pdu(scu: Updating) -> None:
    """Send half of a PDU."""
    scu.send(p_data(hostile_scu.STORE, 3, store_command("1.2.3"))[:20])


STEPS = {
    "before an A-ASSOCIATE-RQ": (),
    "between messages": (associate,),
    "within a message": (associate, begin_a_message),
    "within a PDU": (associate, begin_a_pdu),
}
steps = pytest.mark.parametrize("before", STEPS)


# --- without end ---


@pytest.mark.sample("*-answered by key updates-between messages", "*-answered by nothing-within a PDU")
@steps
@pytest.mark.parametrize("request_", [0, REQUESTED], ids=["answered by nothing", "answered by key updates"])
@on_both_faces
def test_key_updates_without_end_end_a_connection(
    face: Face,
    server: dimse.TLS,
    client: dimse.TLS,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    before: str,
    request_: int,
) -> None:
    with serving(face, Received().handlers, tls=server) as port, updating(port, client, tmp_path) as scu:
        for step in STEPS[before]:
            step(scu)
        updates = scu.writer.key_updates(TOO_MANY, request_)
        with suppress(ConnectionError):
            scu.socket.sendall(updates)
        assert scu.is_put_out()
        verify(port, client)
        others.until(lambda: any(WITHOUT_DATA in line for line in caplog.messages))
    assert len([line for line in caplog.messages if WITHOUT_DATA in line]) == 1


@pytest.mark.thorough
@on_both_faces
def test_key_updates_between_data_delay_no_other_connection(
    face: Face, server: dimse.TLS, client: dimse.TLS, tmp_path: Path
) -> None:
    """A peer may send so many: then it is served like any other."""
    with serving(face, Received().handlers, tls=server) as port, updating(port, client, tmp_path) as scu:
        associate(scu)
        for _ in range(20):
            scu.socket.sendall(scu.writer.key_updates(100))
            scu.send(hostile_scu.echo())
            assert scu.read()[:1] == b"\4"
            verify(port, client)


@pytest.mark.parametrize(
    "record",
    [b"\x14\3\3\0\1\1", b"\x15\3\3\0\2\1\0", b"\x16\3\3\0\0", b"\x17\3\3\0\0"],
    ids=["change cipher spec", "a warning", "an empty handshake", "empty data"],
)
@on_both_faces
def test_records_without_end_in_a_handshake_end_it(
    face: Face,
    server: dimse.TLS,
    client: dimse.TLS,
    caplog: pytest.LogCaptureFixture,
    record: bytes,
) -> None:
    with serving(face, Received().handlers, tls=server) as port, HostileSCU(port) as scu:
        scu.send(others.client_hello(of_a_requestor(client).context))
        assert scu.socket.recv(65536)
        with suppress(ConnectionError):
            scu.send(record * 10_000)
        verify(port, client)
        with suppress(ConnectionError):
            while scu.socket.recv(65536):
                pass
    (line,) = errors(caplog)
    assert "TLS handshake failed: " in line


# --- now and then ---


@pytest.mark.sample("threads-within a message")
@steps
@on_both_faces
def test_a_key_update_now_and_then_puts_no_timeout_off(
    face: Face, server: dimse.TLS, client: dimse.TLS, tmp_path: Path, before: str
) -> None:
    # Each state has one timeout of its own.
    timeouts = Timeouts(acse=SHORT, network=SHORT, idle=SHORT if before == "between messages" else SECONDS)
    with (
        serving(face, Received().handlers, tls=server, timeouts=timeouts) as port,
        updating(port, client, tmp_path) as scu,
    ):
        for step in STEPS[before]:
            step(scu)
        started = time.monotonic()
        scu.socket.settimeout(OFTEN)
        heard = b"\0"
        while heard and time.monotonic() - started < SECONDS:
            with suppress(TimeoutError):
                try:
                    scu.socket.sendall(scu.writer.key_update())
                    heard = scu.socket.recv(65536)
                except ConnectionError:
                    heard = b""
        assert not heard
        assert time.monotonic() - started < SECONDS / 2
        verify(port, client)


# --- what one call does ---


@pytest.fixture
def both(server: dimse.TLS, client: dimse.TLS, tmp_path: Path) -> Iterator[tuple[TLSSocket, Updating]]:
    """Yield our end of a connection, a server's, and the other one."""
    ours, theirs = socket.socketpair()
    with theirs:
        theirs.settimeout(SECONDS)
        ours.setblocking(False)
        secured = TLSSocket(ours, of_a_server(server), None)
        with others.in_a_thread(lambda: shake_hands(secured)):
            other = Updating(theirs, of_a_requestor(client).context, tmp_path / "secrets")
        yield secured, other
        secured.close()


def shake_hands(secured: TLSSocket) -> None:
    """Make the handshake to its end, by looking again and again."""
    deadline = time.monotonic() + SECONDS
    while not secured.handshake():
        assert time.monotonic() < deadline


def received(secured: TLSSocket, room: int = RECEIVED) -> bytes | None:
    """Call once; None if it would block."""
    buffer = memoryview(bytearray(room))
    try:
        return bytes(buffer[: secured.recv_into(buffer)])
    except BlockingIOError:
        return None


def test_a_call_takes_a_bounded_number_of_bytes(both: tuple[TLSSocket, Updating]) -> None:
    secured, other = both
    # Each goes with so much data that it may be there.
    pair = 1000
    whole = b"".join(other.writer.key_update() + other.writer.record(bytes(pair)) for _ in range(300))
    assert len(whole) > 2 * RECEIVED
    with others.in_a_thread(lambda: other.socket.sendall(whole)):
        calls, data = 0, 0
        while data < 300 * pair:
            piece = received(secured)
            calls += piece is not None
            data += len(piece or b"")
            assert len(piece or b"") <= RECEIVED
    assert calls > 2


def test_memory_does_not_grow_where_a_peer_has_key_updates_answered_and_reads_nothing(
    both: tuple[TLSSocket, Updating],
) -> None:
    secured, other = both
    other.socket.setblocking(False)
    pieces = (other.writer.key_update(REQUESTED) + other.writer.record(b"x") for _ in range(60_000))
    unsent = b""
    with pytest.raises(OSError, match="does not read the answers"):
        while True:
            with suppress(BlockingIOError):
                unsent = unsent or b"".join(next(pieces) for _ in range(100))
                unsent = unsent[other.socket.send(unsent) :]
            received(secured)
    assert secured._waiting <= MOST_UNSENT + RECEIVED


def test_data_in_records_of_a_byte_arrive(both: tuple[TLSSocket, Updating]) -> None:
    secured, other = both
    data = bytes(index % 251 for index in range(10_000))
    whole = b"".join(other.writer.record(data[at : at + 1]) for at in range(len(data)))
    arrived = b""
    with others.in_a_thread(lambda: other.socket.sendall(whole)):
        while len(arrived) < len(data):
            arrived += received(secured) or b""
    assert arrived == data


def test_what_has_no_room_is_kept_and_said_to_be_there(both: tuple[TLSSocket, Updating]) -> None:
    secured, other = both
    other.send(b"one and two")
    other.send(b"three")
    others.until(lambda: received(secured, 3) == b"one")
    assert secured.pending()
    arrived = [received(secured, 4) for _ in range(4)]
    assert b"".join(piece or b"" for piece in arrived) == b" and twothree"
    assert received(secured) is None
    assert not secured.pending()


@pytest.mark.parametrize("ends", ["by close_notify", "by the end of the connection"])
def test_an_end_is_an_end_once_all_before_it_is_received(both: tuple[TLSSocket, Updating], ends: str) -> None:
    secured, other = both
    other.send(b"last words")
    if ends == "by close_notify":
        # An alert (RFC 8446 6.1); the connection stays open the other way.
        other.socket.sendall(other.writer.record(b"\1\0", 21))
    else:
        other.socket.shutdown(socket.SHUT_WR)
    others.until(lambda: received(secured) == b"last words")
    others.until(lambda: received(secured) == b"")
    assert secured.pending()
    assert received(secured) == b""
    assert secured.sendmsg([b"an answer"]) == 9
    assert other.read() == b"an answer"


def test_a_record_that_was_changed_ends_the_connection(both: tuple[TLSSocket, Updating]) -> None:
    secured, other = both
    other.send(b"good")
    record = other.writer.record(b"bad")
    other.socket.sendall(record[:-1] + bytes([record[-1] ^ 1]))
    others.until(lambda: received(secured) == b"good")
    for _ in range(2):
        with pytest.raises(OSError, match="a device in between changes what is sent"):
            others.until(lambda: received(secured) == b"bad")
    # The peer is told (RFC 8446 6.2).
    with pytest.raises(ssl.SSLError, match="BAD_RECORD_MAC"):
        other.read()


def test_what_the_socket_does_not_take_goes_first_later(both: tuple[TLSSocket, Updating]) -> None:
    secured, other = both
    data = bytes(index % 251 for index in range(300_000)) * 10
    sent, arrived = 0, b""
    with pytest.raises(BlockingIOError):
        while True:
            sent += secured.sendmsg([data[sent:]])
    assert secured.waits_for(READ) == READ | WRITE
    secured.send_now(b"not within something else")
    while len(arrived) < len(data):
        arrived += other.read()
        with suppress(BlockingIOError):
            sent += secured.sendmsg([data[sent:]]) if sent < len(data) else 0
    assert arrived == data


def test_a_mapped_file_that_has_become_shorter_is_an_error(both: tuple[TLSSocket, Updating], tmp_path: Path) -> None:
    """To encrypt what is not there any more would end the process by a signal."""
    secured, other = both
    path, size = tmp_path / "mapped", 1 << 20
    path.write_bytes(bytes(size))
    with path.open("rb") as file, memoryview(mmap.mmap(file.fileno(), size, access=mmap.ACCESS_READ)) as mapped:
        sent = secured.sendmsg([mapped[: 1 << 14]])
        assert sent == 1 << 14
        assert other.read() == bytes(1 << 14)
        os.truncate(path, 1 << 15)
        with pytest.raises(OSError, match="Bad address") as raised:
            secured.sendmsg([mapped[sent:]])
    assert raised.value.errno == errno.EFAULT
