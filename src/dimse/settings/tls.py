"""TLS as DICOM profiles it (PS3.15 Annex B): the certificates that are trusted and shown, and errors about their files.

    tls = dimse.TLS(certificate="me.pem", key="me.key", ca="hospital.pem")
    with dimse.associate("pacs.example.org", 2762, contexts=[dimse.Verification], tls=tls) as association: ...

The module `ssl` is loaded when a connection is to be secured, so that plain connections do not wait for it.
"""

from __future__ import annotations

import os
import stat
from codecs import BOM_UTF8
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Literal

from dimse.errors import TLSConfigurationError
from dimse.support import content
from dimse.support.values import field, value

if TYPE_CHECKING:
    import ssl

Profile = Literal["bcp195", "modified"]

# Those of TLS 1.2 (PS3.15 B.12, RFC 9325 4.2); TLS 1.3 has OpenSSL's own three. The security level refuses RSA keys below 2048
# bits and signatures with SHA-1, even if the system's configuration allows them.
CIPHER_SUITES = (
    "ECDHE-ECDSA-AES256-GCM-SHA384",
    "ECDHE-RSA-AES256-GCM-SHA384",
    "ECDHE-ECDSA-AES128-GCM-SHA256",
    "ECDHE-RSA-AES128-GCM-SHA256",
)
SECURITY_LEVEL = "@SECLEVEL=2"

# The profile of PS3.15 B.13 wants a key exchange of 256 bits or more. Every implementation knows this curve, which has them.
MODIFIED_CURVE = "prime256v1"

# Digits of a SHA-256.
_DIGITS = 64


def argument(name: str) -> str:
    """Return an argument of `TLS` as a Python program writes it."""
    return f"dimse.TLS({name}=...)"


@value
class TLS:
    """The configuration of TLS, for a requestor and for a server.

    A requestor verifies the server's certificate: its chain up to a trusted CA, its time, its purpose and its host name. With
    `pin` and without `ca` it verifies only that the certificate is the pinned one; with both, it verifies everything. A server
    verifies chain, time and purpose of its clients' certificates, and a `pin` as well.

    The files are named by text or by `os.PathLike`, which becomes text.

    Attributes:
        certificate: PEM file with our certificate, followed by those that lead to its CA. A server must have one.
        key: PEM file with its private key, which only its owner may read; by default it is in `certificate`.
        ca: PEM file with the trusted certificates, of CAs or of peers themselves; by default those of the system.
        crl: PEM file with the CAs' lists of revoked certificates.
        server_name: The name that the server's certificate must be for; by default the host of the connection.
        pin: SHA-256 of the peer's certificate, in hexadecimal digits; several if the peer may have any of them.
        require_client_certificate: True if a server refuses clients without a certificate. False asks for none.
        verify: False verifies only a `pin`. Without one, a machine in between can read and change everything that is sent.
        profile: "bcp195" (PS3.15 B.12), or "modified" (B.13), which restricts the key exchange further.
        password: Returns the password of an encrypted private key.
        named: Returns the words by which errors name an argument of `TLS` to the user. Programs whose users do not write Python
            set it; the tools name their options by it.

    Raises:
        ValueError: A pin is not a SHA-256, or there is no such profile.
    """

    certificate: str | os.PathLike[str] = ""
    key: str | os.PathLike[str] = ""
    ca: str | os.PathLike[str] = ""
    crl: str | os.PathLike[str] = ""
    server_name: str = ""
    pin: str | Iterable[str] = ()
    require_client_certificate: bool = True
    verify: bool = True
    profile: Profile = "bcp195"
    password: Callable[[], str] | None = field(default=None, repr=False)
    named: Callable[[str], str] = field(default=argument, repr=False, kw_only=True)

    def __post_init__(self) -> None:
        for name in ("certificate", "key", "ca", "crl"):
            object.__setattr__(self, name, os.fspath(getattr(self, name)))
        pins = self.pin.split() if isinstance(self.pin, str) else self.pin
        object.__setattr__(self, "pin", tuple(validate_pin(pin) for pin in pins))
        if self.profile not in ("bcp195", "modified"):
            raise ValueError(f'the TLS profile is "bcp195" or "modified", not {self.profile!r}')

    @property
    def pins(self) -> tuple[str, ...]:
        """The pins, in lower-case hexadecimal digits."""
        return tuple(self.pin)


@value
class Security:
    """The settings that secure the connections of one side.

    Attributes:
        context: The context of `ssl`.
        pins: The SHA-256 of each certificate that the peer may have; empty accepts every one that `context` verifies.
        server_name: The name that the server's certificate must be for; empty for the host of the connection.
        named: Returns the words by which errors name an argument of `TLS`.
    """

    context: ssl.SSLContext
    pins: tuple[str, ...] = ()
    server_name: str = ""
    named: Callable[[str], str] = field(default=argument, repr=False)


def validate_pin(pin: str) -> str:
    """Return a SHA-256 in lower-case hexadecimal digits, without colons.

    Raises:
        ValueError: The text is not a SHA-256.
    """
    digits = pin.replace(":", "").lower()
    if len(digits) != _DIGITS or set(digits) - set("0123456789abcdef"):
        raise ValueError(f"a pin is the SHA-256 of a certificate, {_DIGITS} hexadecimal digits, not {pin!r}")
    return digits


def validate(tls: object) -> None:
    """Check the type of an argument `tls`.

    Raises:
        TypeError: The argument is neither a `TLS` nor a context of `ssl`.
    """
    import ssl

    if not isinstance(tls, (TLS, ssl.SSLContext)):
        raise TypeError(f"tls is a dimse.TLS or an ssl.SSLContext, not {tls!r}: tls=dimse.TLS(ca=...)")


def _given(context: ssl.SSLContext) -> Security:
    """Return the security that a context of `ssl` gives.

    Raises:
        TypeError: The argument is not a context.
    """
    validate(context)
    return Security(context)


def of_a_requestor(tls: TLS | ssl.SSLContext) -> Security:
    """Return the security of a requestor's connections.

    Raises:
        TypeError: The argument is neither of the two.
        TLSConfigurationError: A file cannot be used, or the choices do not go together.
    """
    if not isinstance(tls, TLS):
        return _given(tls)
    import ssl

    context = _context(tls, ssl.PROTOCOL_TLS_CLIENT)
    chain = tls.verify and not (tls.pins and not tls.ca)
    if not chain:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    _trust(context, tls, chain, ssl.Purpose.SERVER_AUTH)
    if tls.certificate:
        _show(context, tls)
    elif tls.key:
        why = f"a private key is of no use without its certificate ({tls.named('certificate')})"
        raise TLSConfigurationError(os.fspath(tls.key), why)
    return Security(context, tls.pins, tls.server_name, tls.named)


def of_a_server(tls: TLS | ssl.SSLContext) -> Security:
    """Return the security of a server's connections.

    Raises:
        TypeError: The argument is neither of the two.
        TLSConfigurationError: A file cannot be used, or the choices do not go together.
    """
    if not isinstance(tls, TLS):
        return _given(tls)
    import ssl

    context = _context(tls, ssl.PROTOCOL_TLS_SERVER)
    # A resumed session would not notice that a certificate was revoked or lost its trust.
    context.num_tickets = 0
    context.options |= ssl.OP_NO_TICKET
    asked_for = tls.verify and tls.require_client_certificate
    if asked_for:
        context.verify_mode = ssl.CERT_REQUIRED
    elif tls.pins:
        raise TLSConfigurationError("", "clients can be pinned only where they are asked for a certificate")
    _trust(context, tls, asked_for, ssl.Purpose.CLIENT_AUTH)
    if not tls.certificate:
        why = f"a server needs a certificate of its own to speak TLS ({tls.named('certificate')})"
        raise TLSConfigurationError("", why)
    _show(context, tls)
    return Security(context, tls.pins, named=tls.named)


def _context(tls: TLS, protocol: int) -> ssl.SSLContext:
    """Return a context for either side. Every option is set, because defaults differ between systems and versions of Python."""
    import ssl

    context = ssl.SSLContext(protocol)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(":".join((*CIPHER_SUITES, SECURITY_LEVEL)))
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION | ssl.OP_CIPHER_SERVER_PREFERENCE
    # A certificate that is named as trusted needs no trusted issuer.
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    if tls.profile == "modified":
        context.set_ecdh_curve(MODIFIED_CURVE)
    return context


def _trust(context: ssl.SSLContext, tls: TLS, chain: bool, purpose: ssl.Purpose) -> None:
    import ssl

    ca, crl = os.fspath(tls.ca), os.fspath(tls.crl)
    if crl and not chain:
        why = f"a revocation list is of no use where chains are not verified: trust a CA ({tls.named('ca')})"
        raise TLSConfigurationError(crl, why)
    if not chain:
        return
    if ca:
        _load(context, ca, b"CERTIFICATE-----", "certificate")
    else:
        context.load_default_certs(purpose)
    if crl:
        _load(context, crl, b"X509 CRL-----", "revocation list (CRL)")
        context.verify_flags |= ssl.VERIFY_CRL_CHECK_LEAF


def _load(context: ssl.SSLContext, path: str, mark: bytes, what: str) -> None:
    import ssl

    _read(path, mark, what)
    try:
        context.load_verify_locations(path)
    except ssl.SSLError as error:
        raise TLSConfigurationError(path, f"a {what} in it is damaged") from error


def _show(context: ssl.SSLContext, tls: TLS) -> None:
    """Load our own certificate and its private key."""
    import ssl

    certificate = os.fspath(tls.certificate)
    key = os.fspath(tls.key) or certificate
    _read(certificate, b"CERTIFICATE-----", "certificate")
    _read(key, b"PRIVATE KEY-----", "private key")
    _verify_private(key)

    def password() -> str:
        if tls.password is None:
            why = f"the private key is encrypted, and its password is not given ({tls.named('password')})"
            raise TLSConfigurationError(key, why)
        return tls.password()

    try:
        context.load_cert_chain(certificate, key, password)
    except ssl.SSLError as error:
        raise TLSConfigurationError(key, _why_not_loaded(error, certificate)) from error


def _why_not_loaded(error: ssl.SSLError, certificate: str) -> str:
    words = {
        "KEY_VALUES_MISMATCH": f"this private key does not belong to the certificate in {certificate}",
        "EE_KEY_TOO_SMALL": "the key is too short: RSA needs 2048 bits",
        "CA_MD_TOO_WEAK": f"the certificate in {certificate} is signed with a weak algorithm",
    }
    return words.get(error.reason or "", f"cannot be used with {certificate}: damaged, or the password is wrong")


def _read(path: str, mark: bytes, what: str) -> None:
    """Verify that a PEM file can be read and contains `mark`."""
    try:
        pem = content.read(path)
    except OSError as error:
        raise TLSConfigurationError(path, error.strerror or str(error)) from error
    if pem.startswith(BOM_UTF8):
        raise TLSConfigurationError(
            path, "it begins with a byte order mark, which OpenSSL does not read: save it without"
        )
    if mark not in pem:
        raise TLSConfigurationError(path, f"there is no {what} in it in PEM form")


def _verify_private(path: str) -> None:
    mode = stat.S_IMODE(os.stat(path).st_mode)
    if mode & 0o077:
        why = f"others than its owner may read the private key (mode {mode:04o}): chmod 600 it"
        raise TLSConfigurationError(path, why)
