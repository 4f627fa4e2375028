"""`dimse.TLS`: what can be chosen, what is trusted, and what is said of files that cannot be used."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any

import pytest

import dimse
from dimse.settings.tls import CIPHER_SUITES, of_a_requestor, of_a_server
from tests.drivers import LOOPBACK, Driver, Face, errors, on_both_faces, on_each_driver, running, serving
from tests.tls.certificates import PASSWORD, Certificates


@pytest.fixture
def server(certificates: Certificates) -> dimse.TLS:
    """Return the settings of a server that asks for a certificate."""
    return dimse.TLS(certificates.server.pem, ca=certificates.ca)


# --- contexts ---


@pytest.mark.parametrize("profile", ["bcp195", "modified"])
@pytest.mark.parametrize("make", [of_a_requestor, of_a_server])
def test_a_context_is_what_the_profile_says(certificates: Certificates, make: Any, profile: Any) -> None:
    context = make(dimse.TLS(certificates.server.pem, ca=certificates.ca, profile=profile)).context
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2
    named = [suite["name"] for suite in context.get_ciphers()]
    assert [name for name in named if not name.startswith("TLS_")] == list(CIPHER_SUITES)
    assert context.options & ssl.OP_NO_COMPRESSION
    assert context.options & ssl.OP_NO_RENEGOTIATION
    assert context.security_level == 2
    assert context.verify_mode == ssl.CERT_REQUIRED
    assert context.check_hostname == (make is of_a_requestor)


def test_any_context_of_ssl_is_taken_as_it_is() -> None:
    context = ssl.create_default_context()
    for make in (of_a_requestor, of_a_server):
        assert make(context).context is context


def test_the_system_decides_whom_to_trust_where_nothing_else_is_said(certificates: Certificates) -> None:
    assert of_a_requestor(dimse.TLS()).context.cert_store_stats()["x509_ca"] == _trusted_by_the_system()
    assert of_a_requestor(dimse.TLS(ca=certificates.ca)).context.cert_store_stats()["x509"] == 1


def _trusted_by_the_system() -> int:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_default_certs()
    return context.cert_store_stats()["x509_ca"]


@pytest.mark.parametrize(
    ("choices", "words"),
    [
        ({"pin": "abc"}, "a pin is the SHA-256 of a certificate, 64 hexadecimal digits, not 'abc'"),
        ({"pin": ["0" * 64, "x" * 64]}, "64 hexadecimal digits"),
        ({"profile": "basic"}, 'the TLS profile is "bcp195" or "modified", not \'basic\''),
    ],
)
def test_what_is_no_choice_is_refused(choices: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        dimse.TLS(**choices)


def test_it_shows_no_secret(certificates: Certificates) -> None:
    tls = dimse.TLS(certificates.server.pem, password=lambda: PASSWORD)
    assert PASSWORD not in repr(tls)
    assert "password" not in repr(tls)


# --- files ---


def test_files_may_be_named_by_paths(certificates: Certificates) -> None:
    server = certificates.server
    by_path = dimse.TLS(Path(server.certificate), Path(server.key), ca=Path(certificates.ca))
    assert by_path == dimse.TLS(server.certificate, server.key, ca=certificates.ca)
    of_a_server(by_path)


def test_a_private_key_that_others_may_read_is_refused(certificates: Certificates) -> None:
    for mode, usable in ((0o600, True), (0o400, True), (0o640, False), (0o604, False), (0o666, False)):
        Path(certificates.server.key).chmod(mode)
        tls = dimse.TLS(certificates.server.certificate, certificates.server.key, ca=certificates.ca)
        if usable:
            of_a_server(tls)
            continue
        with pytest.raises(dimse.TLSConfigurationError, match=rf"\(mode {mode:04o}\): chmod 600 it") as raised:
            of_a_server(tls)
        assert raised.value.path == certificates.server.key
        assert str(raised.value).startswith(f"{certificates.server.key}: others than its owner may read")
    Path(certificates.server.key).chmod(0o600)


@pytest.mark.sample("of_a_server-*")
@pytest.mark.parametrize(
    ("choices", "path", "words"),
    [
        ({"certificate": "{none}"}, "none", "No such file or directory"),
        ({"certificate": "{empty}"}, "empty", "there is no certificate in it in PEM form"),
        ({"certificate": "{crt}"}, "crt", "there is no private key in it in PEM form"),
        ({"certificate": "{crt}", "key": "{none}"}, "none", "No such file or directory"),
        (
            {"certificate": "{crt}", "key": "{other}"},
            "other",
            "this private key does not belong to the certificate in ",
        ),
        ({"certificate": "{crt}", "key": "{bad_key}"}, "bad_key", "damaged, or the password is wrong"),
        ({"certificate": "{crt}", "key": "{encrypted}"}, "encrypted", "is encrypted, and its password is not given"),
        ({"certificate": "{weak}"}, "weak", "the key is too short: RSA needs 2048 bits"),
        ({"ca": "{none}"}, "none", "No such file or directory"),
        ({"ca": "{empty}"}, "empty", "there is no certificate in it in PEM form"),
        ({"ca": "{bad_ca}"}, "bad_ca", "a certificate in it is damaged"),
        ({"ca": "{marked}"}, "marked", "it begins with a byte order mark, which OpenSSL does not read"),
        ({"ca": "{ca}", "crl": "{ca}"}, "ca", r"there is no revocation list \(CRL\) in it in PEM form"),
        ({"crl": "{ca}", "verify": False}, "ca", "a revocation list is of no use where chains are not verified"),
    ],
)
@pytest.mark.parametrize("make", [of_a_requestor, of_a_server])
def test_a_file_that_cannot_be_used_is_named(
    certificates: Certificates, tmp_path: Path, make: Any, choices: dict[str, Any], path: str, words: str
) -> None:
    files = {
        "none": str(tmp_path / "none.pem"),
        "empty": _file(tmp_path / "empty.pem", ""),
        "crt": certificates.server.certificate,
        "other": certificates.client.key,
        "weak": _weak(certificates),
        "bad_key": _file(tmp_path / "bad.key", "-----BEGIN PRIVATE KEY-----\nQUJD\n-----END PRIVATE KEY-----\n"),
        "bad_ca": _file(tmp_path / "bad.pem", "-----BEGIN CERTIFICATE-----\nQUJD\n-----END CERTIFICATE-----\n"),
        "marked": _file(tmp_path / "marked.pem", "\ufeff" + Path(certificates.ca).read_text()),
        "encrypted": certificates.encrypted_key(certificates.server),
        "ca": certificates.ca,
    }
    chosen: dict[str, Any] = {"certificate": certificates.server.pem}
    chosen |= {name: value.format(**files) if isinstance(value, str) else value for name, value in choices.items()}
    with pytest.raises(dimse.TLSConfigurationError, match=words) as raised:
        make(dimse.TLS(**chosen))
    assert raised.value.path == files[path]
    assert "\n" not in str(raised.value)


def _file(path: Path, content: str) -> str:
    path.touch(0o600)
    path.write_text(content)
    return str(path)


def _weak(certificates: Certificates) -> str:
    from cryptography.hazmat.primitives.asymmetric import rsa

    return certificates.made("weak", key=rsa.generate_private_key(65537, 1024)).pem


@pytest.mark.parametrize(
    ("make", "choices", "words"),
    [
        (of_a_server, {}, "a server needs a certificate of its own"),
        (of_a_server, {"pin": "0" * 64, "require_client_certificate": False}, "clients can be pinned only where"),
        (of_a_requestor, {"key": "me.key"}, "me.key: a private key is of no use without its certificate"),
    ],
)
def test_choices_that_do_not_go_together_are_refused(make: Any, choices: dict[str, Any], words: str) -> None:
    with pytest.raises(dimse.TLSConfigurationError, match=words):
        make(dimse.TLS(**choices))


@pytest.mark.parametrize(("password", "works"), [(PASSWORD, True), ("another", False)])
def test_a_private_key_under_a_password(certificates: Certificates, password: str, works: bool) -> None:
    key = certificates.encrypted_key(certificates.server)
    tls = dimse.TLS(certificates.server.certificate, key, ca=certificates.ca, password=lambda: password)
    if works:
        of_a_server(tls)
        return
    with pytest.raises(dimse.TLSConfigurationError, match="the password is wrong") as raised:
        of_a_server(tls)
    assert password not in str(raised.value)


# --- trust ---


@on_both_faces
@on_each_driver
async def test_an_association_tells_what_tls_has_negotiated(
    driver: Driver, face: Face, certificates: Certificates, server: dimse.TLS
) -> None:
    with serving(face, tls=server) as port:
        async with await driver.associate(
            port, tls=dimse.TLS(certificates.client.pem, ca=certificates.ca)
        ) as association:
            session = association.tls
        assert isinstance(session, dimse.TLSSession)
        assert session.version == "TLSv1.3"
        assert session.cipher_suite == "TLS_AES_256_GCM_SHA384"
        assert session.certificate is not None
        assert session.certificate.sha256 == certificates.server.sha256.replace(":", "").lower()
        assert association.tls == session  # afterwards too
    with serving(face) as port:
        async with await driver.associate(port) as association:
            assert association.tls is None


@pytest.mark.parametrize(
    ("pinned", "trusted", "name", "words"),
    [
        ("the server's", None, "", ""),
        ("the server's", None, "not looked at", ""),
        ("one of two", None, "", ""),
        ("the server's", "ca", "localhost", ""),
        ("another", None, "", "the peer's certificate is not the one that is pinned: its SHA-256 is "),
        ("another", "ca", "", "the peer's certificate is not the one that is pinned"),
        ("the server's", "other_ca", "", "signed by a CA that is not trusted"),
        ("the server's", "ca", "elsewhere", "is not for elsewhere"),
    ],
)
def test_a_pin_alone_is_enough_and_with_a_ca_both_must_hold(
    certificates: Certificates, server: dimse.TLS, pinned: str, trusted: str | None, name: str, words: str
) -> None:
    pins = {"the server's": [certificates.server.sha256], "another": [certificates.client.sha256]}
    tls = dimse.TLS(
        certificates.client.pem,
        pin=pins.get(pinned, ["0" * 64, certificates.server.sha256]),
        ca=getattr(certificates, trusted) if trusted else "",
        server_name=name,
    )
    with serving("threads", tls=server) as port:
        if words:
            with pytest.raises(dimse.TLSError, match=words):
                dimse.associate(LOOPBACK, port, contexts=[dimse.Verification], tls=tls)
        else:
            with dimse.associate(LOOPBACK, port, contexts=[dimse.Verification], tls=tls) as association:
                assert association.echo() == 0


@pytest.mark.thorough
@on_both_faces
def test_a_server_may_pin_its_clients(face: Face, certificates: Certificates, caplog: pytest.LogCaptureFixture) -> None:
    pinned = certificates.by_trustme("pinned", "pinned@example.org")
    server = dimse.TLS(certificates.server.pem, ca=certificates.ca, pin=pinned.sha256)
    with serving(face, tls=server) as port:
        tls = dimse.TLS(pinned.pem, ca=certificates.ca)
        with dimse.associate(LOOPBACK, port, contexts=[dimse.Verification], tls=tls) as association:
            assert association.echo() == 0
        other = dimse.TLS(certificates.client.pem, ca=certificates.ca)
        with pytest.raises(dimse.TLSError, match="perhaps it refused our certificate"):
            dimse.associate(LOOPBACK, port, contexts=[dimse.Verification], tls=other)
    (line,) = errors(caplog)
    assert "the peer's certificate is not the one that is pinned" in line


def test_without_verification_every_certificate_is_believed(certificates: Certificates) -> None:
    stranger = certificates.by_trustme("intruder", "elsewhere", authority=certificates.stranger)
    with serving("threads", tls=dimse.TLS(stranger.pem, require_client_certificate=False)) as port:
        tls = dimse.TLS(verify=False)
        with dimse.associate(LOOPBACK, port, contexts=[dimse.Verification], tls=tls) as association:
            assert association.echo() == 0


def test_the_certificate_of_a_peer_may_be_trusted_itself(certificates: Certificates) -> None:
    alone = certificates.made("alone", self_signed=True)
    for identity in (alone, certificates.server):
        with serving("threads", tls=dimse.TLS(identity.pem, require_client_certificate=False)) as port:
            tls = dimse.TLS(ca=identity.certificate)
            with dimse.associate(LOOPBACK, port, contexts=[dimse.Verification], tls=tls) as association:
                assert association.echo() == 0


# --- read again ---


@on_both_faces
def test_certificates_are_read_again_and_associations_stay(face: Face, tmp_path: Path) -> None:
    certificates = Certificates(tmp_path)
    path, first = Path(certificates.server.pem), certificates.server.sha256
    client = dimse.TLS(certificates.client.pem, ca=certificates.ca)
    with running(face, tls=dimse.TLS(str(path), ca=certificates.ca)) as server:
        port = server.address[1]
        with dimse.associate(LOOPBACK, port, contexts=[dimse.Verification], tls=client) as association:
            path.write_text("no certificate any more")
            with pytest.raises(dimse.TLSConfigurationError, match="there is no certificate in it"):
                server.reload_tls()
            assert shown(port, client) == first.replace(":", "").lower()
            second = certificates.by_trustme("second")
            path.write_bytes(Path(second.pem).read_bytes())
            assert shown(port, client) == first.replace(":", "").lower()  # not yet reloaded
            server.reload_tls()
            assert shown(port, client) == second.sha256.replace(":", "").lower()
            assert association.echo() == 0


def shown(port: int, client: dimse.TLS) -> str:
    """Return the fingerprint of the certificate that a server shows."""
    with dimse.associate(LOOPBACK, port, contexts=[dimse.Verification], tls=client) as association:
        assert association.tls is not None
        assert association.tls.certificate is not None
        return association.tls.certificate.sha256


def test_a_plain_server_has_nothing_to_read_again() -> None:
    with running("threads") as server:
        server.reload_tls()
