"""Connections that stand: they move data either way, take what TLS may do meanwhile, and a cut is no end."""

from __future__ import annotations

import fcntl
import logging
import socket
import ssl
import struct
import subprocess
import termios
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

import pytest
from pydicom.data import get_testdata_file

import dimse
from dimse.archive import FileStore
from dimse.association.sinks import DiscardSink
from dimse.settings.tls import of_a_requestor
from tests import hostile_scu
from tests.drivers import (
    LOOPBACK,
    Driver,
    Face,
    Received,
    errors,
    make_instance,
    on_both_faces,
    on_each_driver,
    serving,
)
from tests.hostile_scu import RELEASE_RQ, HostileSCU, associate_rq, data_pdus, p_data, store, store_command
from tests.interop import peers
from tests.tls import others
from tests.tls.certificates import Certificates, Identity, openssl_command

MIB = 1 << 20
GIB = 1 << 30


@pytest.fixture
def server(certificates: Certificates) -> dimse.TLS:
    return dimse.TLS(certificates.server.pem, ca=certificates.ca)


@pytest.fixture
def client(certificates: Certificates) -> dimse.TLS:
    return dimse.TLS(certificates.client.pem, ca=certificates.ca)


class SecuredSCU(HostileSCU):
    """An SCU that sends over TLS what it is told to."""

    def __init__(self, port: int, context: ssl.SSLContext) -> None:
        super().__init__(port)
        self.socket = context.wrap_socket(self.socket, server_hostname=LOOPBACK)

    def cut(self) -> None:
        """End the connection by a FIN, without TLS's farewell."""
        socket.socket.shutdown(self.socket, socket.SHUT_WR)


# --- a cut is no end ---


@on_both_faces
@pytest.mark.parametrize("cut", ["in a data set", "between two PDVs"])
def test_a_connection_that_is_cut_without_a_farewell_keeps_nothing_of_the_message(
    face: Face, server: dimse.TLS, client: dimse.TLS, tmp_path: Path, caplog: pytest.LogCaptureFixture, cut: str
) -> None:
    context = of_a_requestor(client).context
    whole = p_data(hostile_scu.STORE, 3, store_command("1.2.4")) + data_pdus(hostile_scu.data_set("1.2.4", 100_000))
    half = whole[:50_000] if cut == "in a data set" else whole[: -(len(whole) % 16384)]
    with (
        FileStore(tmp_path / "kept", layout="{SOPInstanceUID}") as kept,
        serving(face, kept.handlers(), tls=server) as port,
        SecuredSCU(port, context) as scu,
    ):
        scu.associate()
        scu.send(store("1.2.3"))
        assert scu.read() == "C-STORE-RSP 0000H"
        scu.send(half)
        scu.cut()
        with suppress(ssl.SSLError):  # an alert says what is missing
            assert scu.read() == "closed"
        with SecuredSCU(port, context) as again:
            again.associate()
            again.send(store("1.2.5") + RELEASE_RQ)
            assert [again.read() for _ in range(2)] == ["C-STORE-RSP 0000H", "A-RELEASE-RP"]
    assert sorted(path.name for path in (tmp_path / "kept").rglob("*") if path.is_file()) == ["1.2.3", "1.2.5"]
    assert [line for line in caplog.messages if "Connection closed" in line]


# --- what TLS may do meanwhile ---


@pytest.mark.thorough
@on_both_faces
def test_a_client_cannot_renegotiate(
    face: Face, certificates: Certificates, server: dimse.TLS, client: dimse.TLS
) -> None:
    with serving(face, tls=server) as port:
        with talking(port, certificates.client, "-tls1_2") as talk:
            talk.say(associate_rq())
            talk.until(b"\2\0\0\0")  # the A-ASSOCIATE-AC
            talk.say(b"R\n")
            assert b"no renegotiation" in talk.rest()
        with dimse.associate(LOOPBACK, port, contexts=[dimse.Verification], tls=client) as association:
            assert association.echo() == 0


@pytest.mark.thorough
@on_both_faces
def test_a_session_is_not_taken_up_again(
    face: Face, certificates: Certificates, server: dimse.TLS, tmp_path: Path
) -> None:
    session = str(tmp_path / "session")
    identity = ("-cert", certificates.client.certificate, "-key", certificates.client.key)
    for version in ("-tls1_2", "-tls1_3"):
        with serving(face, tls=server) as port:
            first = others.s_client(port, version, *identity, "-sess_out", session, says=associate_rq())
            assert b"New, TLSv1." in first.stdout
            taken_up = ("-sess_in", session) if Path(session).exists() else ()
            second = others.s_client(port, version, *identity, *taken_up, says=associate_rq())
            assert b"session ticket" not in first.stdout
            if version == "-tls1_3":
                assert b"Reused" not in second.stdout


@on_each_driver
async def test_the_session_tickets_of_a_server_are_no_message(
    driver: Driver, certificates: Certificates, client: dimse.TLS
) -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=certificates.ca)
    context.load_cert_chain(certificates.server.pem)
    context.num_tickets = 8
    with serving("threads", tls=context) as port:
        async with await driver.associate(port, tls=client, handlers=dimse.Handlers()) as association:
            await association.serve(timeout=0.1)
            assert await association.echo() == 0


@on_both_faces
def test_nothing_is_compressed(face: Face, certificates: Certificates, server: dimse.TLS, client: dimse.TLS) -> None:
    with serving(face, tls=server) as port:
        with SecuredSCU(port, of_a_requestor(client).context) as scu:
            assert isinstance(scu.socket, ssl.SSLSocket)
            assert scu.socket.compression() is None
        offers_deflate = others.old_client_hello(0x0303, 0xC02B, compression=b"\1\0")  # ECDHE-ECDSA-AES128-GCM-SHA256
        with HostileSCU(port) as raw:
            raw.send(offers_deflate)
            hello = raw.socket.recv(65536)
            assert hello[:1] == b"\x16"
            compression = hello[44 + hello[43] + 2]
            assert compression == 0


# --- key update ---


@contextmanager
def talking(port: int, identity: Identity, *options: str) -> Iterator[Talk]:
    """Start openssl's s_client, which is told what to send, and obeys the letters that it knows."""
    command = [
        openssl_command(),
        "s_client",
        "-connect",
        f"{LOOPBACK}:{port}",
        "-cert",
        identity.certificate,
        "-key",
        identity.key,
    ]
    with subprocess.Popen(
        [*command, *options], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, bufsize=0
    ) as process:
        try:
            yield Talk(process)
        finally:
            process.kill()


class Talk:
    """A conversation with s_client: what it is given, and what it prints."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._in: IO[bytes] = process.stdin
        self._out: IO[bytes] = process.stdout
        self.heard = b""

    def say(self, data: bytes) -> None:
        """Send this; it has been read when that returns, and what is said next is read apart from it."""
        view = memoryview(data)
        while view:
            view = view[self._in.write(view) :]
        waiting, deadline = 1, time.monotonic() + others.SECONDS
        while waiting:
            (waiting,) = struct.unpack("i", fcntl.ioctl(self._in, termios.FIONREAD, bytes(4)))
            assert time.monotonic() < deadline

    def until(self, words: bytes) -> None:
        """Read until something has come; what came before it is forgotten."""
        while words not in self.heard:
            piece = self._out.read(65536)
            assert piece, self.heard
            self.heard += piece
        self.heard = self.heard.partition(words)[2]

    def rest(self) -> bytes:
        """Read to its end."""
        while piece := self._out.read(65536):
            self.heard += piece
        return self.heard


class Counted(DiscardSink):
    """A server's handlers that count the bytes of data sets."""

    def __init__(self) -> None:
        super().__init__()
        self.bytes = 0
        self.handlers = dimse.Handlers(store_begin=lambda request: self, store=lambda request: 0x0000)

    def write(self, buffers: Sequence[memoryview]) -> None:
        """Count a piece."""
        self.bytes += sum(map(len, buffers))


@pytest.mark.parametrize(
    "size",
    [16 * MIB, pytest.param(GIB, marks=[pytest.mark.campaign, pytest.mark.timeout(600)])],
    ids=["16 MiB", "1 GiB"],
)
@pytest.mark.thorough
@on_both_faces
def test_keys_are_updated_during_a_transfer(
    face: Face, certificates: Certificates, server: dimse.TLS, size: int, caplog: pytest.LogCaptureFixture
) -> None:
    counted = Counted()
    head = hostile_scu.data_set("1.2.3", 0)[:-4] + struct.pack("<I", size)
    with serving(face, counted.handlers, tls=server) as port, talking(port, certificates.client, "-tls1_3") as talk:
        talk.say(associate_rq())
        talk.until(b"\2\0\0\0")
        talk.say(p_data(hostile_scu.STORE, 3, store_command("1.2.3")) + p_data(hostile_scu.STORE, 0, head))
        block = b"".join(p_data(hostile_scu.STORE, 0, bytes(16384 - 6)) for _ in range(64))
        sent, updates = 0, 0
        while sent + 64 * (16384 - 6) < size:
            talk.say(block)
            sent += 64 * (16384 - 6)
            # Every second update asks our side for one, too.
            talk.say((b"K\n", b"k\n")[updates % 2])
            updates += 1
        while sent < size:
            piece = min(16384 - 6, size - sent)
            sent += piece
            talk.say(p_data(hostile_scu.STORE, 2 * (sent == size), bytes(piece)))
        talk.until(b"\4\0\0\0")  # the C-STORE-RSP
        talk.say(hostile_scu.echo())
        talk.until(b"\4\0\0\0")
    assert counted.bytes == len(head) + size
    assert updates >= 15
    assert not errors(caplog)


# --- others ---


@pytest.mark.thorough
def test_dcmtk_sends_to_us_over_tls(certificates: Certificates, server: dimse.TLS, tmp_path: Path) -> None:
    received, instance = Received(), make_instance(tmp_path, pixels=5 * MIB)
    me = certificates.client
    with serving("threads", received.handlers, tls=server) as port:
        tls = ["+tls", me.key, me.certificate, "+cf", certificates.ca]
        for profile in ("+py", "+px"):
            done = peers.run(
                peers.dcmtk("storescu"), "-v", *tls, profile, "-xe", LOOPBACK, str(port), str(instance.path)
            )
            assert done.returncode == 0, done.stdout
    assert received.data_sets == {instance.sop_instance_uid: instance.data_set}


@pytest.mark.thorough
@on_each_driver
async def test_we_send_to_dcmtk_over_tls(
    driver: Driver, certificates: Certificates, client: dimse.TLS, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    instance, them = make_instance(tmp_path, pixels=5 * MIB), certificates.server
    tls = ("+tls", them.key, them.certificate, "+cf", certificates.ca)
    with peers.dcmtk_storescp(tmp_path / "kept", "-d", "+xa", "-pm", "+B", *tls) as scp:
        async with await driver.associate(scp.port, tls=client) as association:
            assert await association.store(instance.path) == 0
            assert association.tls is not None
        assert scp.received()[instance.sop_instance_uid].data_set == instance.data_set
        with pytest.raises(dimse.TLSError):  # without a certificate of ours
            await driver.associate(scp.port, tls=dimse.TLS(ca=certificates.ca))


@pytest.mark.thorough
def test_we_send_to_orthanc_over_tls(certificates: Certificates, client: dimse.TLS, tmp_path: Path) -> None:
    image = get_testdata_file("CT_small.dcm")
    configuration = {
        "DicomTlsEnabled": True,
        "DicomTlsCertificate": certificates.server.certificate,
        "DicomTlsPrivateKey": certificates.server.key,
        "DicomTlsTrustedCertificates": certificates.ca,
        "DicomTlsRemoteCertificateRequired": True,
    }
    with peers.orthanc_scp(tmp_path / "orthanc", **configuration) as scp:
        with pytest.raises(dimse.TLSError):  # without a certificate of ours
            dimse.associate(LOOPBACK, scp.port, contexts=[dimse.Verification], tls=dimse.TLS(ca=certificates.ca))
        (outcome,) = dimse.send([str(image)], (LOOPBACK, scp.port), tls=client)
        assert outcome.state == "stored"
        assert list(scp.received()) == [outcome.sop_instance_uid]


@pytest.mark.thorough
@on_both_faces
def test_many_instances_over_tls(face: Face, server: dimse.TLS, client: dimse.TLS, tmp_path: Path) -> None:
    received = Received()
    instances = [make_instance(tmp_path, number, pixels=526_528) for number in range(1, 401)]
    with serving(face, received.handlers, tls=server) as port:
        outcomes = list(dimse.send([tmp_path], (LOOPBACK, port), jobs=2, tls=client))
    assert {outcome.state for outcome in outcomes} == {"stored"}
    assert received.data_sets == {instance.sop_instance_uid: instance.data_set for instance in instances}


def test_a_sender_does_not_retry_what_tls_refuses(
    certificates: Certificates, server: dimse.TLS, tmp_path: Path
) -> None:
    make_instance(tmp_path)
    with serving("threads", Received().handlers, tls=server) as port:
        started = time.monotonic()
        tls = dimse.TLS(certificates.client.pem, ca=certificates.other_ca)
        (outcome,) = dimse.send([tmp_path], (LOOPBACK, port), retry=3, tls=tls)
        assert time.monotonic() - started < 5  # three retries would take ten
    assert outcome.state == "unsent"
    assert "is signed by a CA that is not trusted" in str(outcome.error)
