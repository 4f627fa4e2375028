"""Handshakes that stall: they end at their own deadline, and no other connection waits for them meanwhile."""

from __future__ import annotations

import time
from contextlib import suppress

import pytest

import dimse
from dimse.settings import Timeouts
from dimse.settings.tls import of_a_requestor
from tests.drivers import LOOPBACK, Driver, Face, on_both_faces, on_each_driver, serving
from tests.hostile_scu import HostileSCU
from tests.serving.test_waiting_room import seconds_until_closed, visitors
from tests.tls import others
from tests.tls.certificates import Certificates

STALLED = 200
LIMIT = 2.0  # seconds, for a handshake
LONG = 30.0  # seconds: nothing here waits that long


def test_a_handshake_has_ten_seconds() -> None:
    assert Timeouts().connect == 10


@pytest.mark.thorough
@on_both_faces
def test_stalled_handshakes_end_at_their_deadline_and_delay_no_other(face: Face, certificates: Certificates) -> None:
    server = dimse.TLS(certificates.server.pem, ca=certificates.ca)
    client = dimse.TLS(certificates.client.pem, ca=certificates.ca)
    hello = others.client_hello(of_a_requestor(client).context)
    with serving(face, tls=server, timeouts=Timeouts(connect=LIMIT, acse=LONG)) as port:
        started = time.monotonic()
        with visitors(port, STALLED // 2, hello[:100]) as half, visitors(port, STALLED // 2, hello) as whole:
            asked = time.monotonic()
            with dimse.associate(LOOPBACK, port, contexts=[dimse.Verification], tls=client) as association:
                assert association.echo() == 0
            assert time.monotonic() - asked < LIMIT * 0.9
            for scu in (*half, *whole):
                assert seconds_until_closed(scu, started) < LONG / 2
            assert time.monotonic() - started > LIMIT * 0.9


@pytest.mark.thorough
@on_both_faces
def test_a_byte_now_and_then_does_not_keep_a_handshake_alive(face: Face, certificates: Certificates) -> None:
    tls = dimse.TLS(certificates.server.pem, ca=certificates.ca)
    hello = others.client_hello(of_a_requestor(dimse.TLS(ca=certificates.ca)).context)
    with serving(face, tls=tls, timeouts=Timeouts(connect=LIMIT, acse=LONG)) as port, HostileSCU(port) as slow:
        started = time.monotonic()
        slow.socket.settimeout(0.02)
        for byte in hello:
            slow.send(bytes([byte]))
            with suppress(TimeoutError, ConnectionError):
                if not slow.socket.recv(1):
                    break
            if time.monotonic() - started > LONG:
                break
        assert LIMIT * 0.9 < time.monotonic() - started < LONG / 2


@on_each_driver
async def test_a_requestor_gives_a_stalled_handshake_up(driver: Driver, certificates: Certificates) -> None:
    with others.answering(b"\x16\x03\x03") as port:
        started = time.monotonic()
        with pytest.raises(dimse.TLSError, match="TLS handshake failed: Connection timed out") as raised:
            await driver.associate(port, tls=dimse.TLS(ca=certificates.ca), timeouts=Timeouts(connect=0.3))
        assert time.monotonic() - started < LONG
        assert not raised.value.lasting
