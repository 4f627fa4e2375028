"""One side speaks TLS and the other does not: closed at once, with a line on our side, and no effect on other connections."""

from __future__ import annotations

import gc
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

import dimse
from dimse.settings.tls import of_a_requestor, of_a_server
from dimse.transport.tls import TLSSocket
from tests.drivers import LOOPBACK, Driver, Face, errors, on_both_faces, on_each_driver, serving
from tests.hostile_scu import HostileSCU, associate_rq, echo
from tests.interop import peers
from tests.tls import others
from tests.tls.certificates import Certificates
from tests.tools import running

AT_ONCE = 5.0  # seconds: far below every timeout
A_COMMAND = 5.0  # seconds, including a command's start
PLAIN_TO_TLS = "TLS handshake failed: the peer speaks DICOM without TLS: both sides have to speak TLS, or none"
TLS_TO_PLAIN = "the peer does not speak DICOM, but TLS: both sides have to speak it, or none"


@contextmanager
def living_listener(face: Face, tls: dimse.TLS | None, client: dimse.TLS | None) -> Iterator[int]:
    """Run a server, and check in the end that it still serves."""
    with serving(face, tls=tls) as port:
        yield port
        with dimse.associate(LOOPBACK, port, contexts=[dimse.Verification], tls=client) as association:
            assert association.echo() == 0


@contextmanager
def at_once(seconds: float = AT_ONCE) -> Iterator[None]:
    """Check that what is done within takes no time."""
    started = time.monotonic()
    yield
    assert time.monotonic() - started < seconds


@pytest.fixture
def server_tls(certificates: Certificates) -> dimse.TLS:
    return dimse.TLS(certificates.server.pem, ca=certificates.ca)


@pytest.fixture
def client_tls(certificates: Certificates) -> dimse.TLS:
    return dimse.TLS(certificates.client.pem, ca=certificates.ca)


@on_both_faces
@on_each_driver
async def test_a_requestor_without_tls_on_a_port_with_it(
    driver: Driver, face: Face, server_tls: dimse.TLS, client_tls: dimse.TLS, caplog: pytest.LogCaptureFixture
) -> None:
    with living_listener(face, server_tls, client_tls) as port:
        with at_once(), pytest.raises(dimse.NotDicomPeer, match="but TLS: both sides have to speak it, or none"):
            await driver.associate(port)
        with at_once():
            assert others.exchange(port, associate_rq())[:1] == b"\x15"  # a TLS alert
    lines = errors(caplog)
    assert len(lines) == 2
    assert all(line.startswith(f"{LOOPBACK}:") and line.endswith(PLAIN_TO_TLS) for line in lines)


@on_both_faces
@on_each_driver
async def test_a_requestor_with_tls_on_a_port_without_it(
    driver: Driver, face: Face, client_tls: dimse.TLS, caplog: pytest.LogCaptureFixture
) -> None:
    words = "the peer (speaks DICOM without|does not speak) TLS: both sides have to speak TLS, or none"
    with living_listener(face, None, None) as port, at_once(), pytest.raises(dimse.TLSError, match=words):
        await driver.associate(port, tls=client_tls)
    (line,) = errors(caplog)
    assert line.endswith(TLS_TO_PLAIN)


@on_both_faces
@pytest.mark.parametrize(
    ("says", "words"),
    [
        (b"GET / HTTP/1.1\r\nHost: pacs\r\n\r\n", "(it sent 'GET / HTTP/1')"),
        (b"CONNECT pacs:443 HTTP/1.1\r\n\r\n", "(it sent 'CONNECT pacs')"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "(it sent 'SSH-2.0-Open')"),
        (b"\0", r"(it sent '\x00')"),
    ],
    ids=["HTTP", "proxy", "SSH", "a byte"],
)
def test_a_peer_that_speaks_neither_on_a_port_with_tls(
    face: Face,
    server_tls: dimse.TLS,
    client_tls: dimse.TLS,
    caplog: pytest.LogCaptureFixture,
    says: bytes,
    words: str,
) -> None:
    with living_listener(face, server_tls, client_tls) as port, at_once():
        assert others.exchange(port, says)[:1] == b"\x15"
    (line,) = errors(caplog)
    assert "TLS handshake failed: the peer " in line
    assert words in line or PLAIN_TO_TLS in line


@on_both_faces
def test_a_health_check_on_a_port_with_tls_is_no_news(
    face: Face, server_tls: dimse.TLS, client_tls: dimse.TLS, caplog: pytest.LogCaptureFixture
) -> None:
    with living_listener(face, server_tls, client_tls) as port:
        for _ in range(5):
            HostileSCU(port).socket.close()
            HostileSCU(port).reset()
    assert not errors(caplog)


def test_a_connection_that_is_reset_while_tls_begins_is_not_left_open(server_tls: dimse.TLS) -> None:
    """It can be made all the same, since it is not the socket that OpenSSL is given; the first step says that it is gone."""
    with socket.create_server((LOOPBACK, 0)) as listener:
        scu = HostileSCU(listener.getsockname()[1])
        connection, _ = listener.accept()
        scu.reset()
        connection.setblocking(False)
        secured = TLSSocket(connection, of_a_server(server_tls), None)
        with pytest.raises(dimse.TLSError, match="the peer closed the connection") as raised:
            secured.handshake()
        assert not raised.value.lasting
        secured.close()
    gc.collect()  # a ResourceWarning is an error


@on_both_faces
def test_tls_does_not_begin_within_a_plain_connection(face: Face, client_tls: dimse.TLS) -> None:
    hello = others.client_hello(of_a_requestor(client_tls).context)
    with living_listener(face, None, None) as port, HostileSCU(port) as scu:
        scu.associate()
        scu.send(echo())
        assert scu.read() == "C-ECHO-RSP 0000H"
        scu.send(hello)
        assert scu.answers() == ["A-ABORT 2/1"]  # unrecognised PDU


# --- others ---


@pytest.mark.thorough
def test_dcmtk_without_tls_on_our_port_with_it(
    server_tls: dimse.TLS, client_tls: dimse.TLS, caplog: pytest.LogCaptureFixture
) -> None:
    with living_listener("threads", server_tls, client_tls) as port, at_once(A_COMMAND):
        assert peers.run(peers.dcmtk("echoscu"), LOOPBACK, str(port)).returncode != 0
    assert [line.endswith(PLAIN_TO_TLS) for line in errors(caplog)] == [True]


@pytest.mark.thorough
def test_others_with_tls_on_our_port_without_it(certificates: Certificates, caplog: pytest.LogCaptureFixture) -> None:
    client = certificates.client
    with living_listener("threads", None, None) as port:
        tls = ["+tls", client.key, client.certificate, "+cf", certificates.ca]
        with at_once(A_COMMAND):
            assert peers.run(peers.dcmtk("echoscu"), *tls, LOOPBACK, str(port)).returncode != 0
        with at_once(A_COMMAND):
            assert others.s_client(port).returncode != 0
    assert [line.endswith(TLS_TO_PLAIN) for line in errors(caplog)] == [True, True]


@pytest.mark.thorough
@pytest.mark.parametrize("who", ["openssl", "DCMTK"])
def test_ours_without_tls_on_another_servers_port_with_it(who: others.Who, certificates: Certificates) -> None:
    with others.server(who, certificates.server, certificates) as server, at_once(A_COMMAND):
        done = running.tool("echoscu", LOOPBACK, server.port)
    assert done.returncode == 1
    assert len(running.errors_of_request(done)) in (1, 2)


@pytest.mark.thorough
def test_ours_with_tls_on_dcmtks_port_without_it(certificates: Certificates) -> None:
    with peers.dcmtk_storescp(certificates.folder / "plain") as scp, at_once(A_COMMAND):
        done = running.tool("echoscu", LOOPBACK, scp.port, "--tls", "--tls-ca", certificates.ca)
    assert done.returncode == 1
    assert running.errors_of_request(done) == [
        "Association request failed: TLS handshake failed: the peer closed the connection: does it speak TLS on this port?"
    ]
