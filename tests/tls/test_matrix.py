"""The peers that we refuse over TLS, and those that we accept: a table of cases, against openssl, DCMTK and ourselves.

What is not about certificates, versions and cipher suites is in the other modules of this folder.
"""

from __future__ import annotations

import logging
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

import dimse
from dimse import uids
from dimse.settings.tls import CIPHER_SUITES, Security, of_a_requestor
from dimse.transport.tls import TLSSession
from tests.drivers import BLOCKING, LOOPBACK, Driver, Face, errors, on_both_faces, on_each_driver, serving
from tests.hostile_scu import associate_rq
from tests.interop import peers
from tests.tls import others
from tests.tls.certificates import BAD_CLIENTS, BAD_SERVERS, Certificates, Identity
from tests.tls.others import EVERYBODY, Who, s_client, s_server
from tests.tools import running

IN_TIME = 10.0
HANDSHAKE = logging.getLogger("dimse.tls")


def bad_server(certificates: Certificates, case: str) -> tuple[Identity, dict[str, Any]]:
    """Return the identity of a server in a case of `BAD_SERVERS`, and the authorities that a requestor trusts."""
    identity = BAD_SERVERS[case][0](certificates)
    return identity, {"ca": certificates.ca} | ({"crl": certificates.crl(identity)} if case == "revoked" else {})


def bad_client(certificates: Certificates, case: str) -> Identity | None:
    """Return the identity of a client in a case of `BAD_CLIENTS`."""
    make = BAD_CLIENTS[case][0]
    return make(certificates) if make is not None else None


def shake_hands(port: int, security: Security) -> TLSSession:
    """Make a handshake as a requestor; return what was negotiated."""

    async def scenario() -> TLSSession:
        transport = await BLOCKING.connect(LOOPBACK, port, IN_TIME)
        await transport.secure(security, time.monotonic() + IN_TIME, host=LOOPBACK)
        negotiated = transport.tls
        transport.close()
        assert negotiated is not None
        return negotiated

    session: TLSSession = BLOCKING.run(scenario())
    return session


# --- the certificates of servers ---


@pytest.mark.parametrize("case", BAD_SERVERS)
@on_each_driver
async def test_a_server_is_refused_for_its_certificate(driver: Driver, certificates: Certificates, case: str) -> None:
    words = BAD_SERVERS[case][1]
    identity, trust = bad_server(certificates, case)
    with others.server("ours", identity, certificates) as server:
        with pytest.raises(dimse.TLSError, match="TLS handshake failed: the peer's certificate") as raised:
            await driver.associate(server.port, tls=dimse.TLS(**trust))
        assert words in str(raised.value)
        assert raised.value.lasting
        assert server.said() == "0 associations"


@pytest.mark.thorough
@pytest.mark.parametrize("case", BAD_SERVERS)
@pytest.mark.parametrize("who", EVERYBODY)
def test_echoscu_refuses_a_server_in_one_line(who: Who, certificates: Certificates, case: str) -> None:
    words = BAD_SERVERS[case][1]
    identity, trust = bad_server(certificates, case)
    files = [f"--tls-{name}={path}" for name, path in trust.items()]
    with others.server(who, identity, certificates) as server:
        done = running.tool("echoscu", LOOPBACK, server.port, "--tls", *files)
        assert done.returncode == 1
        (line,) = running.errors_of_request(done)
        assert line.startswith("Association request failed: TLS handshake failed: the peer's certificate ")
        assert words in line
        assert uids.ApplicationContextName not in server.said()  # nothing of an A-ASSOCIATE-RQ


# --- the certificates of clients ---


VERSIONS_OF_CLIENTS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}


@on_both_faces
@pytest.mark.parametrize("version", VERSIONS_OF_CLIENTS)
@pytest.mark.parametrize("case", BAD_CLIENTS)
def test_a_client_is_refused_for_its_certificate(
    face: Face,
    certificates: Certificates,
    caplog: pytest.LogCaptureFixture,
    case: str,
    version: str,
) -> None:
    _, said, heard = BAD_CLIENTS[case]
    context = ssl.create_default_context(cafile=certificates.ca)
    context.maximum_version = VERSIONS_OF_CLIENTS[version]
    if (identity := bad_client(certificates, case)) is not None:
        context.load_cert_chain(identity.pem)
    caplog.set_level(logging.INFO)
    with serving(face, tls=dimse.TLS(certificates.server.pem, ca=certificates.ca)) as port:
        with pytest.raises(dimse.TLSError, match="TLS handshake failed: ") as raised:
            dimse.associate(LOOPBACK, port, contexts=[dimse.Verification], tls=context)
        assert heard in str(raised.value)
        good = dimse.TLS(certificates.client.pem, ca=certificates.ca)
        with dimse.associate(LOOPBACK, port, contexts=[dimse.Verification], tls=good) as association:
            assert association.echo() == 0
    (line,) = errors(caplog)
    assert said in line
    assert caplog.messages.count("Association Accepted") == 1  # the good one's


@pytest.mark.thorough
@pytest.mark.parametrize("case", BAD_CLIENTS)
@pytest.mark.parametrize("who", ["openssl -tls1_2", "openssl -tls1_3", "DCMTK", "ours"])
def test_anybodys_client_is_refused(
    who: str, certificates: Certificates, caplog: pytest.LogCaptureFixture, case: str
) -> None:
    said = BAD_CLIENTS[case][1]
    caplog.set_level(logging.INFO)
    shown = bad_client(certificates, case)
    with serving("threads", tls=dimse.TLS(certificates.server.pem, ca=certificates.ca)) as port:
        if who == "ours":
            options = ["--tls", f"--tls-ca={certificates.ca}", *([f"--tls-cert={shown.pem}"] if shown else [])]
            done = running.tool("echoscu", "-v", LOOPBACK, port, *options)
            assert done.returncode == 1
            (line,) = running.errors_of_request(done)
            assert BAD_CLIENTS[case][2] in line
            assert "Association Accepted" not in done.stderr
        elif who == "DCMTK":
            tls = ["+tls", shown.key, shown.certificate] if shown else ["+tla"]
            refused = peers.run(peers.dcmtk("echoscu"), *tls, "+cf", certificates.ca, LOOPBACK, str(port))
            assert refused.returncode != 0
        else:
            tls = ["-cert", shown.certificate, "-key", shown.key] if shown else []
            s_client(port, who.split()[1], *tls, says=associate_rq())
        others.until(lambda: bool(errors(caplog)))
    assert said in errors(caplog)[0]
    assert "Accepting Association" not in caplog.messages


# --- versions ---

SSL_3 = 0x0300
# SSLv3 is sent byte by byte: no openssl of today speaks it.
OLD = ("SSLv3", "-tls1", "-tls1_1")
NEW = {"-tls1_2": "TLSv1.2", "-tls1_3": "TLSv1.3"}
TOO_OLD = "TLS handshake failed: the peer's versions of TLS are too old: TLS 1.2 is the least"


@pytest.mark.thorough
@pytest.mark.parametrize("version", OLD)
def test_a_server_of_an_old_version_is_refused(certificates: Certificates, version: str) -> None:
    security = of_a_requestor(dimse.TLS(ca=certificates.ca))
    if version == "SSLv3":
        with others.answering(others.server_hello(SSL_3, 0x002F)) as port, pytest.raises(dimse.TLSError):
            shake_hands(port, security)
        return
    words = "the peer allows no version of TLS that we do"
    with s_server(certificates.server, version) as server, pytest.raises(dimse.TLSError, match=words):
        shake_hands(server.port, security)


@pytest.mark.thorough
@on_both_faces
@pytest.mark.parametrize("version", OLD)
def test_a_client_of_an_old_version_is_refused(
    face: Face, certificates: Certificates, caplog: pytest.LogCaptureFixture, version: str
) -> None:
    with serving(face, tls=dimse.TLS(certificates.server.pem, require_client_certificate=False)) as port:
        if version == "SSLv3":
            answer = others.exchange(port, others.old_client_hello(SSL_3, 0x002F))
            assert answer[:1] == b"\x15"  # an alert, and nothing else
        else:
            assert s_client(port, version, "-cipher", others.WEAK, says=associate_rq()).returncode == 1
        others.until(lambda: bool(errors(caplog)))
    (line,) = errors(caplog)
    assert TOO_OLD in line


@pytest.mark.thorough
@pytest.mark.parametrize("version", NEW)
def test_a_new_version_is_spoken(certificates: Certificates, caplog: pytest.LogCaptureFixture, version: str) -> None:
    tls = dimse.TLS(certificates.client.pem, ca=certificates.ca)
    with s_server(certificates.server, version) as server:
        assert shake_hands(server.port, of_a_requestor(tls)).version == NEW[version]
    caplog.set_level(logging.INFO)
    with serving("threads", tls=dimse.TLS(certificates.server.pem, ca=certificates.ca)) as port:
        mine = ("-cert", certificates.client.certificate, "-key", certificates.client.key)
        s_client(port, version, *mine, says=associate_rq())
        others.until(lambda: "Accepting Association" in caplog.messages)
    assert any(f": {NEW[version]}, " in line for line in caplog.messages)


# --- cipher suites ---


@dataclass(frozen=True)
class Suite:
    """A cipher suite that is refused: by openssl's name, or by its number where openssl has it no more."""

    name: str
    number: int = 0
    options: tuple[str, ...] = ()


REFUSED = {
    "NULL": Suite("NULL-SHA256"),
    "RC4": Suite("", 0x0005),
    "3DES": Suite("", 0x000A),
    "CBC": Suite("ECDHE-RSA-AES128-SHA256"),
    "RSA key exchange": Suite("AES128-GCM-SHA256"),
    "DHE of 1024 bits": Suite("DHE-RSA-AES128-GCM-SHA256", options=("-dhparam",)),
}
NO_CIPHER = "TLS handshake failed: there is no cipher suite that both sides allow"
TLS_1_3_SUITES = ("TLS_AES_256_GCM_SHA384", "TLS_AES_128_GCM_SHA256", "TLS_CHACHA20_POLY1305_SHA256")
ALLOWED = dict.fromkeys(CIPHER_SUITES, "-cipher") | dict.fromkeys(TLS_1_3_SUITES, "-ciphersuites")


@pytest.fixture(scope="module")
def by_key(certificates: Certificates) -> dict[str, Identity]:
    """Return a server's certificate for each kind of key."""
    return {"RSA": certificates.by_trustme("rsa", key_type=others.RSA), "ECDSA": certificates.server}


@pytest.mark.thorough
@pytest.mark.parametrize("case", REFUSED)
def test_a_server_with_a_weak_cipher_suite_is_refused(
    certificates: Certificates, by_key: dict[str, Identity], case: str
) -> None:
    security, suite = of_a_requestor(dimse.TLS(ca=certificates.ca)), REFUSED[case]
    if suite.number:
        with others.answering(others.server_hello(0x0303, suite.number)) as port, pytest.raises(dimse.TLSError):
            shake_hands(port, security)
        return
    options = [*suite.options, others.short_dh_parameters(certificates.folder)] if suite.options else []
    with (
        s_server(by_key["RSA"], "-tls1_2", "-cipher", f"{suite.name}:@SECLEVEL=0", *options) as server,
        pytest.raises(dimse.TLSError, match="the peer allows none of our cipher suites"),
    ):
        shake_hands(server.port, security)


@pytest.mark.thorough
@pytest.mark.parametrize("case", REFUSED)
def test_a_client_with_a_weak_cipher_suite_is_refused(
    certificates: Certificates, by_key: dict[str, Identity], caplog: pytest.LogCaptureFixture, case: str
) -> None:
    suite = REFUSED[case]
    with serving("threads", tls=dimse.TLS(by_key["RSA"].pem, require_client_certificate=False)) as port:
        if suite.number:
            assert others.exchange(port, others.old_client_hello(0x0303, suite.number))[:1] == b"\x15"
        else:
            done = s_client(port, "-tls1_2", "-cipher", f"{suite.name}:@SECLEVEL=0", says=associate_rq())
            assert done.returncode == 1
        others.until(lambda: bool(errors(caplog)))
    (line,) = errors(caplog)
    assert NO_CIPHER in line


@pytest.mark.thorough
@pytest.mark.parametrize("suite", ALLOWED)
def test_a_cipher_suite_of_the_profile_is_spoken(
    certificates: Certificates, by_key: dict[str, Identity], caplog: pytest.LogCaptureFixture, suite: str
) -> None:
    identity = by_key["RSA" if "RSA" in suite else "ECDSA"]
    version = "-tls1_2" if suite in CIPHER_SUITES else "-tls1_3"
    with s_server(identity, version, ALLOWED[suite], suite) as server:
        assert shake_hands(server.port, of_a_requestor(dimse.TLS(ca=certificates.ca))).cipher_suite == suite
    caplog.set_level(logging.INFO)
    with serving("threads", tls=dimse.TLS(identity.pem, require_client_certificate=False)) as port:
        s_client(port, version, ALLOWED[suite], suite, says=associate_rq())
        others.until(lambda: "Accepting Association" in caplog.messages)
    assert any(f", {suite}, " in line for line in caplog.messages)


@pytest.mark.thorough
@pytest.mark.parametrize("curve", ["P-256", "X25519", "P-384", "secp224r1"])
@pytest.mark.parametrize("profile", ["bcp195", "modified"])
def test_the_modified_profile_restricts_the_key_exchange(certificates: Certificates, profile: Any, curve: str) -> None:
    tls = dimse.TLS(ca=certificates.ca, profile=profile)
    allowed = ["P-256"] if profile == "modified" else ["P-256", "X25519", "P-384"]
    with s_server(certificates.server, "-curves", curve) as server:
        if curve in allowed:
            assert shake_hands(server.port, of_a_requestor(tls)).version == "TLSv1.3"
        else:
            with pytest.raises(dimse.TLSError):
                shake_hands(server.port, of_a_requestor(tls))


# --- an attacker in between that cuts versions ---


def without_tls_1_3(hello: bytes) -> bytes:
    """Return a ClientHello whose extension "supported versions" has a number that no server knows."""
    at = hello.index(bytes.fromhex("002b"), 43 + hello[43])
    return hello[:at] + bytes.fromhex("6a6a") + hello[at + 2 :]


def as_tls_1_0(hello: bytes) -> bytes:
    """Return a ClientHello of a client that has TLS 1.0 at most."""
    hello = without_tls_1_3(hello)
    return hello[:9] + b"\3\1" + hello[11:]


DOWNGRADES: dict[str, Callable[[bytes], bytes]] = {"to 1.2": without_tls_1_3, "to 1.0": as_tls_1_0}


@pytest.mark.parametrize("case", DOWNGRADES)
def test_a_downgrade_is_refused(certificates: Certificates, caplog: pytest.LogCaptureFixture, case: str) -> None:
    caplog.set_level(logging.INFO)
    with serving("threads", tls=dimse.TLS(certificates.server.pem, require_client_certificate=False)) as port:
        with others.in_between(port, DOWNGRADES[case]) as there, pytest.raises(dimse.TLSError):
            dimse.associate(LOOPBACK, there, contexts=[dimse.Verification], tls=dimse.TLS(ca=certificates.ca))
        others.until(lambda: bool(errors(caplog)))
        with others.in_between(port, lambda hello: hello) as there:  # a relay that changes nothing
            tls = dimse.TLS(ca=certificates.ca)
            with dimse.associate(LOOPBACK, there, contexts=[dimse.Verification], tls=tls) as association:
                assert association.echo() == 0
    assert len(errors(caplog)) == 1
    assert caplog.messages.count("Accepting Association") == 1


# --- how many there are ---


def test_the_matrix_is_whole() -> None:
    cells = {
        "server certificates": len(BAD_SERVERS),
        "client certificates": len(BAD_CLIENTS),
        "versions": len(OLD) + len(NEW),
        "cipher suites": len(REFUSED) + len(ALLOWED),
        "downgrades": len(DOWNGRADES),
        **others.CELLS_ELSEWHERE,
    }
    print(", ".join(f"{count} {what}" for what, count in cells.items()), "=", sum(cells.values()))
    assert sum(cells.values()) == 46
