"""Failures of TLS, in words: the fault and its remedy."""

from __future__ import annotations

import errno
import ssl

from dimse.errors import TLSError
from dimse.settings.tls import Security

MOST_PDU_TYPES = 7  # PS3.8 9.3.1

# The faults of a peer's certificate, by OpenSSL's numbers (X509_V_ERR_...).
VERIFICATION = {
    3: "cannot be looked up in a revocation list: the lists that are given are not its CA's",
    9: "is not valid yet: are the clocks of both machines right?",
    10: "has expired: the peer needs a new one",
    11: "cannot be looked up: its CA's revocation list is not valid yet",
    12: "cannot be looked up: its CA's revocation list has expired, fetch a new one",
    18: "is self-signed and not trusted: make sure that it is the peer's, then trust it ({ca}) or pin it ({pin})",
    19: "is signed by a CA that is not trusted: if it should be, name the CA's certificate ({ca})",
    20: "is signed by a CA that is not trusted: if it should be, name the CA's certificate ({ca})",
    21: "is signed by a CA that is not trusted: if it should be, name the CA's certificate ({ca})",
    23: "has been revoked by its CA",
    66: "has a key that is too short: RSA needs 2048 bits",
    67: "is signed by a CA whose key is too short: RSA needs 2048 bits",
    68: "is signed with a weak algorithm, SHA-1 or MD5",
}
_PURPOSE, _HOST_NAME, _ADDRESS = 26, 62, 64

# The reasons, by their names in OpenSSL and in the alerts of TLS (RFC 8446 6.2).
_OUR_CERTIFICATE = "the peer refused our certificate"
REASONS = {
    "PEER_DID_NOT_RETURN_A_CERTIFICATE": "the peer showed no certificate, and one is required",
    "NO_SHARED_CIPHER": "there is no cipher suite that both sides allow",
    "NO_SUITABLE_SIGNATURE_ALGORITHM": "there is no signature algorithm that both sides allow",
    "NO_SHARED_SIGNATURE_ALGORITHMS": "there is no signature algorithm that both sides allow",
    "NO_SUITABLE_KEY_SHARE": "there is no key exchange that both sides allow",
    "NO_SHARED_GROUPS": "there is no key exchange that both sides allow",
    "WRONG_VERSION_NUMBER": "the peer does not speak TLS: both sides have to speak TLS, or none",
    "UNSUPPORTED_PROTOCOL": "the peer's versions of TLS are too old: TLS 1.2 is the least",
    "VERSION_TOO_LOW": "the peer's versions of TLS are too old: TLS 1.2 is the least",
    "WRONG_SSL_VERSION": "the peer's versions of TLS are too old: TLS 1.2 is the least",
    "TLSV1_ALERT_PROTOCOL_VERSION": "the peer allows no version of TLS that we do, 1.2 and 1.3",
    "INAPPROPRIATE_FALLBACK": "a device in between changes what is negotiated",
    "TLSV1_ALERT_INAPPROPRIATE_FALLBACK": "a device in between changes what is negotiated",
    "SSLV3_ALERT_HANDSHAKE_FAILURE": "the peer allows none of our cipher suites, or wants a certificate of ours ({certificate})",
    "TLSV1_ALERT_INSUFFICIENT_SECURITY": "the peer finds our cipher suites too weak",
    "TLSV13_ALERT_CERTIFICATE_REQUIRED": "the peer requires a certificate of ours ({certificate})",
    "SSLV3_ALERT_NO_CERTIFICATE": "the peer requires a certificate of ours ({certificate})",
    "SSLV3_ALERT_BAD_CERTIFICATE": _OUR_CERTIFICATE,
    "SSLV3_ALERT_UNSUPPORTED_CERTIFICATE": f"{_OUR_CERTIFICATE}: it is not meant for this side of a connection",
    "SSLV3_ALERT_CERTIFICATE_REVOKED": f"{_OUR_CERTIFICATE}: it has been revoked",
    "SSLV3_ALERT_CERTIFICATE_EXPIRED": f"{_OUR_CERTIFICATE}: it has expired, or is not valid yet",
    "SSLV3_ALERT_CERTIFICATE_UNKNOWN": _OUR_CERTIFICATE,
    "TLSV1_ALERT_UNKNOWN_CA": f"{_OUR_CERTIFICATE}: it does not trust the CA that signed it",
    "TLSV1_ALERT_ACCESS_DENIED": f"{_OUR_CERTIFICATE}: it does not let us in",
    "TLSV1_UNRECOGNIZED_NAME": "the peer does not know the server name that we asked for",
    "SSLV3_ALERT_BAD_RECORD_MAC": "a device in between changes what is sent",
    "DECRYPTION_FAILED_OR_BAD_RECORD_MAC": "a device in between changes what is sent",
}

UNREAD = "the peer has key updates of TLS answered without end, and does not read the answers"
WITHOUT_DATA = "the peer sends records of TLS without end, and no data in them"


class Fault:
    """A failure of a TLS connection.

    Args:
        words: The fault, and its remedy.
        is_alert: True if the peer has reported it by an alert.
        is_lasting: True if the next attempt would fail too.
    """

    def __init__(self, words: str, *, is_alert: bool = False, is_lasting: bool = True) -> None:
        self.words, self.is_alert, self.is_lasting = words, is_alert, is_lasting

    @classmethod
    def of(cls, error: OSError, security: Security, *, name: str | None, heard: bytes) -> Fault:
        """Make a failure of an error that `ssl` or the system has raised.

        Args:
            error: The error that was raised.
            security: The settings of the connection.
            name: The name that the peer's certificate should have been for; None on a server.
            heard: The first bytes of the peer.
        """
        match error:
            case ssl.SSLCertVerificationError():
                return cls(f"the peer's certificate {_fault_of_a_certificate(error, security, name)}")
            case ssl.SSLEOFError() | ConnectionResetError() | BrokenPipeError():
                words = "the peer closed the connection" + ("" if heard else ": does it speak TLS on this port?")
                return cls(words, is_lasting=False)
            case ssl.SSLError(reason=str(reason)):
                words = _with_names(REASONS.get(reason, reason.lower().replace("_", " ")), security)
                return cls(words, is_alert="_ALERT_" in reason or words.startswith("the peer "))
            case _:
                return cls(error.strerror or str(error), is_lasting=isinstance(error, ssl.SSLError))

    @staticmethod
    def foreign(heard: bytes) -> str:
        """Return the protocol of a peer that does not speak TLS, by its first bytes."""
        if heard[0] <= MOST_PDU_TYPES and heard[1:2] in (b"", b"\0"):
            return "the peer speaks DICOM without TLS: both sides have to speak TLS, or none"
        text = heard.split(b"\r")[0].split(b"\n")[0].decode("latin-1")
        return f"the peer does not speak TLS (it sent {text!a})"

    def handshake_error(self) -> TLSError:
        """Return the error for a handshake that failed."""
        return TLSError(f"TLS handshake failed: {self.words}", lasting=self.is_lasting)

    def connection_error(self) -> OSError:
        """Return the error for an established connection."""
        return OSError(errno.EPROTO, self.words)


def _fault_of_a_certificate(error: ssl.SSLCertVerificationError, security: Security, name: str | None) -> str:
    if error.verify_code in (_HOST_NAME, _ADDRESS):
        hint = "connect to the name that it is for, or say that name ({server_name})"
        return f"is not for {name}: {_with_names(hint, security)}"
    if error.verify_code == _PURPOSE:
        side = "client" if name is None else "server"
        return f"is not meant for a {side}: its extended key usage lacks {side}Auth"
    words = VERIFICATION.get(error.verify_code)
    return f"is refused: {error.verify_message}" if words is None else _with_names(words, security)


def _with_names(words: str, security: Security) -> str:
    """Fill in the names of the arguments of `dimse.TLS` as the user knows them."""
    return words.format_map(_Names(security))


class _Names:
    def __init__(self, security: Security) -> None:
        self._security = security

    def __getitem__(self, argument: str) -> str:
        return self._security.named(argument)
