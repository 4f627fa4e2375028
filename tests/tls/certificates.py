"""Certificates made for the occasion: good ones by trustme, and those that trustme would not make."""

from __future__ import annotations

import datetime
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from tests.drivers import LOOPBACK
from tests.interop.peers import missing

NOW = datetime.datetime.now(datetime.UTC)
DAY = datetime.timedelta(days=1)
PASSWORD = "a s3cret of the tests"


@dataclass(frozen=True)
class Identity:
    """An identity: a certificate and its key.

    Attributes:
        pem: The private key, and behind that the certificates, in one file.
        key: The private key alone.
        certificate: The certificates alone.
        trusted_by: The certificate of its CA.
    """

    pem: str
    key: str
    certificate: str
    trusted_by: str

    @property
    def sha256(self) -> str:
        """The fingerprint of the certificate, with colons as openssl prints it."""
        certificate = x509.load_pem_x509_certificate(Path(self.certificate).read_bytes())
        return certificate.fingerprint(hashes.SHA256()).hex(":").upper()


def openssl_command() -> str:
    """Return the path of the openssl command."""
    return shutil.which("openssl") or missing("the openssl command is not installed")


def openssl(*arguments: str) -> str:
    """Return the output of the openssl command."""
    return subprocess.run(
        [openssl_command(), *arguments], capture_output=True, text=True, check=True, timeout=20
    ).stdout


class Certificates:
    """A CA that we trust, one that we do not, and whom they have certified.

    Args:
        folder: Where the files go.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.authority, self.stranger = trustme.CA(), trustme.CA()
        self.ca = self._write("ca.pem", self.authority.cert_pem.bytes())
        self.other_ca = self._write("other-ca.pem", self.stranger.cert_pem.bytes())
        self.server = self.by_trustme("server")
        self.client = self.by_trustme("client", "scu@example.org")
        self._serial = 1000

    def by_trustme(
        self,
        name: str,
        *names: str,
        authority: trustme.CA | None = None,
        not_after: datetime.datetime | None = None,
        key_type: trustme.KeyType = trustme.KeyType.ECDSA,
    ) -> Identity:
        """Return an identity for these names, or for this machine."""
        authority = authority or self.authority
        issued = authority.issue_cert(
            *(names or (LOOPBACK, "::1", "localhost")), not_after=not_after, key_type=key_type
        )
        chain = b"".join(blob.bytes() for blob in issued.cert_chain_pems)
        return self._identity(name, issued.private_key_pem.bytes(), chain, authority)

    def made(
        self,
        name: str,
        *,
        key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | None = None,
        not_before: datetime.datetime = NOW - DAY,
        not_after: datetime.datetime = NOW + DAY,
        usage: x509.ObjectIdentifier = ExtendedKeyUsageOID.SERVER_AUTH,
        self_signed: bool = False,
    ) -> Identity:
        """Return an identity for this machine that has a fault."""
        key = key or ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self._serial += 1
        signer = x509.load_pem_x509_certificate(self.authority.cert_pem.bytes())
        certificate = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(subject if self_signed else signer.subject)
            .public_key(key.public_key())
            .serial_number(self._serial)
            .not_valid_before(not_before)
            .not_valid_after(not_after)
            .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address(LOOPBACK))]), critical=False)
            .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
            .sign(key if self_signed else self._signing_key(), hashes.SHA256())
        )
        return self._identity(name, _pem(key), certificate.public_bytes(serialization.Encoding.PEM), self.authority)

    def sha1(self) -> Identity:
        """Return an identity that is signed with SHA-1, which only openssl still does."""
        good = self.made("sha1")
        signing_key = self._write("ca.key", _pem(self._signing_key()))
        request = str(self.folder / "sha1.csr")
        openssl("req", "-new", "-key", good.key, "-subj", "/CN=sha1", "-out", request)
        extensions = self._write("sha1.cnf", f"subjectAltName=IP:{LOOPBACK}\n".encode())
        openssl(
            *("x509", "-req", "-sha1", "-in", request, "-CA", self.ca, "-CAkey", signing_key, "-CAcreateserial"),
            *("-extfile", extensions, "-out", good.certificate),
        )
        return good

    def crl(self, *revoked: Identity) -> str:
        """Return the path of the CA's list of revoked certificates."""
        signer = x509.load_pem_x509_certificate(self.authority.cert_pem.bytes())
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(signer.subject)
            .last_update(NOW - DAY)
            .next_update(NOW + DAY)
        )
        for identity in revoked:
            certificate = x509.load_pem_x509_certificate(Path(identity.certificate).read_bytes())
            entry = x509.RevokedCertificateBuilder().serial_number(certificate.serial_number).revocation_date(NOW)
            builder = builder.add_revoked_certificate(entry.build())
        signed = builder.sign(self._signing_key(), hashes.SHA256())
        return self._write("crl.pem", signed.public_bytes(serialization.Encoding.PEM))

    def encrypted_key(self, identity: Identity) -> str:
        """Return the path of the private key, encrypted with `PASSWORD`."""
        key = serialization.load_pem_private_key(Path(identity.key).read_bytes(), None)
        pem = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(PASSWORD.encode()),
        )
        return self._write("encrypted.key", pem)

    def _signing_key(self) -> ec.EllipticCurvePrivateKey:
        key = serialization.load_pem_private_key(self.authority.private_key_pem.bytes(), None)
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        return key

    def _identity(self, name: str, key: bytes, chain: bytes, authority: trustme.CA) -> Identity:
        return Identity(
            self._write(f"{name}.pem", key + chain),
            self._write(f"{name}.key", key),
            self._write(f"{name}.crt", chain),
            self.other_ca if authority is self.stranger else self.ca,
        )

    def _write(self, name: str, content: bytes) -> str:
        path = self.folder / name
        path.touch(0o600)
        path.write_bytes(content)
        return str(path)


def _pem(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )


Make = Callable[[Certificates], Identity]

# What a server of 3f shows, and what is said of it. How the requestor trusts: by the CA, and by its CRL if it is "revoked".
BAD_SERVERS: dict[str, tuple[Make, str]] = {
    "wrong CA": (lambda all: all.by_trustme("wrong-ca", authority=all.stranger), "signed by a CA that is not trusted"),
    "self-signed": (lambda all: all.made("self-signed", self_signed=True), "is self-signed and not trusted"),
    "expired": (lambda all: all.made("expired", not_before=NOW - 2 * DAY, not_after=NOW - DAY), "has expired"),
    "not yet valid": (
        lambda all: all.made("early", not_before=NOW + DAY, not_after=NOW + 2 * DAY),
        "is not valid yet: are the clocks",
    ),
    "wrong host name": (lambda all: all.by_trustme("elsewhere", "pacs.example.org"), f"is not for {LOOPBACK}"),
    "revoked": (lambda all: all.made("revoked"), "has been revoked by its CA"),
    "no serverAuth": (
        lambda all: all.made("no-server-auth", usage=ExtendedKeyUsageOID.CLIENT_AUTH),
        "is not meant for a server: its extended key usage lacks serverAuth",
    ),
    "RSA of 1024 bits": (
        lambda all: all.made("short", key=rsa.generate_private_key(65537, 1024)),
        "has a key that is too short",
    ),
    "SHA-1": (lambda all: all.sha1(), "is signed with a weak algorithm, SHA-1"),
}

# For each, the words of the server, and those of the client.
BAD_CLIENTS: dict[str, tuple[Make | None, str, str]] = {
    "none": (None, "the peer showed no certificate, and one is required", "a certificate of ours"),
    "wrong CA": (
        lambda all: all.by_trustme("stranger", "scu@example.org", authority=all.stranger),
        "is signed by a CA that is not trusted",
        "the peer refused our certificate: it does not trust the CA",
    ),
    "expired": (
        lambda all: all.made(
            "late", usage=ExtendedKeyUsageOID.CLIENT_AUTH, not_before=NOW - 2 * DAY, not_after=NOW - DAY
        ),
        "has expired",
        "the peer refused our certificate: it has expired",
    ),
    "wrong purpose": (
        lambda all: all.made("no-client-auth"),
        "is not meant for a client: its extended key usage lacks clientAuth",
        "the peer refused our certificate: it is not meant",
    ),
}
