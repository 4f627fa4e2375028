"""A certification authority (CA) in a folder, and the certificates that it issues (RFC 5280).

`ca.pem` and `ca.key` are the certificate and the private key of the CA, `NAME.pem` and `NAME.key` those that it issues. Keys are on
the curve P-256, which both profiles of PS3.15 B.12 and B.13 allow. Only their owner may read them.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from dimse.archive.folders import give_name
from dimse.support import content
from dimse.support.disk import sync

AUTHORITY = "ca"
# The clocks of two hosts may differ by so much.
CLOCK_SKEW = timedelta(minutes=5)
# A certificate is to be replaced when it has less left.
NOTICE = timedelta(days=30)


class Pair(NamedTuple):
    """The files of a certificate and its private key."""

    certificate: str
    key: str

    @classmethod
    def within(cls, folder: str, name: str) -> Pair:
        """Return the files of a name in a folder."""
        return cls(os.path.join(folder, f"{name}.pem"), os.path.join(folder, f"{name}.key"))


def make_authority(folder: str, name: str, days: int) -> x509.Certificate:
    """Make a CA in a folder, which is made too if it does not exist. Return its certificate.

    Args:
        folder: The folder.
        name: The Common Name of the CA.
        days: The days for which its certificate is valid.

    Raises:
        FileExistsError: The folder has a CA.
        OSError: The files cannot be written.
    """
    pair = Pair.within(folder, AUTHORITY)
    _refuse_existing(pair)
    key = ec.generate_private_key(ec.SECP256R1())
    subject, now = _common_name(name), datetime.now(UTC)
    builder = (
        _builder(subject, subject, key.public_key(), now, now + timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(authority=True), critical=True)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), critical=False)
    )
    certificate = builder.sign(key, hashes.SHA256())
    os.makedirs(folder, 0o700, exist_ok=True)
    _write(folder, pair, key, certificate, replace=False)
    return certificate


def issue(folder: str, name: str, hosts: Iterable[str], days: int, *, replace: bool = False) -> x509.Certificate:
    """Issue a certificate for servers and clients, with a new key. Return it.

    It is not valid for longer than the certificate of the CA.

    Args:
        folder: The folder of the CA.
        name: The Common Name, and the name of the files.
        hosts: The host names and IP addresses that the certificate is for.
        days: The days for which it is valid.
        replace: Replace the files of an earlier certificate of this name.

    Raises:
        FileExistsError: The name has a certificate or a key, and `replace` is False.
        OSError: The files of the CA cannot be read, or the new ones cannot be written.
        ValueError: The files of the CA cannot be used; the message says why.
    """
    pair = Pair.within(folder, name)
    if not replace:
        _refuse_existing(pair, " (--force)")
    authority, signing_key = _read_authority(folder)
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    end = min(now + timedelta(days=days), authority.not_valid_after_utc)
    builder = (
        _builder(_common_name(name), authority.subject, key.public_key(), now, end)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(authority=False), critical=True)
        .add_extension(
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False
        )
        .add_extension(x509.SubjectAlternativeName([_general_name(host) for host in hosts]), critical=False)
        .add_extension(_authority_key(authority), critical=False)
    )
    certificate = builder.sign(signing_key, hashes.SHA256())
    _write(folder, pair, key, certificate, replace=replace)
    return certificate


def read(path: str) -> Sequence[x509.Certificate]:
    """Return the certificates in a PEM file.

    Raises:
        OSError: The file cannot be read.
        ValueError: The file has no certificate, or a damaged one.
    """
    pem = content.read(path)
    if b"CERTIFICATE-----" not in pem:
        raise ValueError(f"{path}: there is no certificate in it in PEM form")
    try:
        return x509.load_pem_x509_certificates(pem)
    except ValueError as error:
        raise ValueError(f"{path}: a certificate in it is damaged") from error


def in_words(name: x509.Name) -> str:
    """Return the subject or the issuer of a certificate in words: "O=Hospital, CN=pacs"."""
    return ", ".join(f"{attribute.rfc4514_attribute_name}={attribute.value!s}" for attribute in name)


def hosts_of(certificate: x509.Certificate) -> list[str]:
    """Return the host names and IP addresses that a certificate is for."""
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return []
    return [str(name.value) for name in names if isinstance(name, x509.DNSName | x509.IPAddress)]


def is_authority(certificate: x509.Certificate) -> bool:
    """Return True if a certificate is that of a CA."""
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return False


# --- certificates ---


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, now: datetime, end: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - CLOCK_SKEW)
        .not_valid_after(end)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _authority_key(authority: x509.Certificate) -> x509.AuthorityKeyIdentifier:
    """Return the identifier of a CA's key as its own certificate has it."""
    try:
        identifier = authority.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    except x509.ExtensionNotFound:
        identifier = x509.SubjectKeyIdentifier.from_public_key(authority.public_key())
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier)


def _common_name(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _key_usage(*, authority: bool) -> x509.KeyUsage:
    """Return the uses of a key: a CA signs certificates and revocation lists, and others sign the handshake of TLS."""
    return x509.KeyUsage(
        digital_signature=not authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=authority,
        crl_sign=authority,
        encipher_only=False,
        decipher_only=False,
    )


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(host))
    except ValueError:
        return x509.DNSName(host)


# --- files ---


def _read_authority(folder: str) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey]:
    """Return the certificate and the private key of the CA in a folder."""
    pair = Pair.within(folder, AUTHORITY)
    if not os.path.exists(pair.certificate):
        raise ValueError(f"{folder} has no {AUTHORITY}.pem: make a CA with dimse certificate ca {folder}")
    certificate = read(pair.certificate)[0]
    pem = content.read(pair.key, private=True)
    try:
        key = serialization.load_pem_private_key(pem, None)
    except TypeError as error:
        raise ValueError(f"{pair.key}: it is encrypted with a password") from error
    except ValueError as error:
        raise ValueError(f"{pair.key}: there is no private key in it in PEM form") from error
    if not is_authority(certificate):
        raise ValueError(f"{pair.certificate}: it is not the certificate of a CA")
    if certificate.public_key() != key.public_key():
        raise ValueError(f"{pair.key}: it does not belong to {pair.certificate}")
    if certificate.not_valid_after_utc <= datetime.now(UTC):
        raise ValueError(f"{pair.certificate}: it has expired: make another CA in another folder")
    match key:
        case ec.EllipticCurvePrivateKey() | rsa.RSAPrivateKey():
            return certificate, key
    raise ValueError(f"{pair.key}: it is neither an EC nor an RSA key")


def _refuse_existing(pair: Pair, hint: str = "") -> None:
    for path in pair:
        if os.path.lexists(path):
            raise FileExistsError(f"{path} exists, and is not overwritten{hint}")


def _write(
    folder: str, pair: Pair, key: ec.EllipticCurvePrivateKey, certificate: x509.Certificate, *, replace: bool
) -> None:
    """Write a key and its certificate under temporary names, and then give them their names.

    Raises:
        FileExistsError: A file exists, and `replace` is False; nothing has changed.
        OSError: A file cannot be written; nothing has changed unless one was to be replaced.
    """
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    contents = {pair.key: (pem, 0o600), pair.certificate: (certificate.public_bytes(serialization.Encoding.PEM), 0o644)}
    temporary = {path: f"{path}.{os.urandom(4).hex()}" for path in contents}
    named: list[str] = []
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        for path, (content, mode) in contents.items():
            with open(os.open(temporary[path], os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
                file.write(content)
                file.flush()
                sync(file.fileno())
        for path, name in temporary.items():
            if replace:
                os.replace(name, path)
            else:
                give_name(descriptor, os.path.basename(name), descriptor, os.path.basename(path))
                named.append(path)
        sync(descriptor)
    except OSError as error:
        for path in named:
            os.unlink(path)
        if isinstance(error, FileExistsError):
            raise FileExistsError(f"{error.filename2 or folder} exists, and is not overwritten") from error
        raise
    finally:
        for name in temporary.values():
            with suppress(FileNotFoundError):
                os.unlink(name)
        os.close(descriptor)
