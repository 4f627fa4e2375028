"""The lines about a certificate, whether or not it is trusted, and whatever bytes it has."""

from __future__ import annotations

import ssl
from pathlib import Path

from cryptography import x509
from hypothesis import given
from hypothesis import strategies as st

from dimse.transport import certificate
from tests.tls.certificates import Certificates, Identity


def der(identity: Identity) -> bytes:
    """Return the first certificate of an identity."""
    pem = Path(identity.certificate).read_text()
    return ssl.PEM_cert_to_DER_cert(pem[: pem.index("-----END CERTIFICATE-----") + 26])


def test_it_is_read_as_others_read_it(certificates: Certificates) -> None:
    for identity in (certificates.server, certificates.client, certificates.made("unknown"), certificates.sha1()):
        read, theirs = certificate.read(der(identity)), x509.load_der_x509_certificate(der(identity))
        for attribute in theirs.subject:
            assert f"={attribute.value!s}" in read.subject
        for attribute in theirs.issuer:
            assert f"={attribute.value!s}" in read.issuer
        assert read.not_after == f"{theirs.not_valid_after_utc:%Y-%m-%d %H:%M:%S} UTC"
        assert read.sha256 == identity.sha256.replace(":", "").lower()
        assert str(read).startswith(f"{read.subject}, issued by ")


@given(st.binary(max_size=200))
def test_what_cannot_be_read_is_a_question_mark(data: bytes) -> None:
    assert certificate.read(data).sha256 == certificate.fingerprint(data)


def test_a_certificate_cut_anywhere_is_no_error(certificates: Certificates) -> None:
    whole = der(certificates.server)
    for length in range(len(whole)):
        assert certificate.read(whole[:length]).subject == "?"
        certificate.read(whole[:length] + b"\xff" + whole[length + 1 :])
