"""TLS over a transport's socket (PS3.15 Annex B): where `ssl.SSLSocket` differs from a plain one, and what went wrong, in words."""

from __future__ import annotations

import errno
import logging
import socket
import ssl
from collections.abc import Sequence
from contextlib import suppress
from traceback import walk_tb

from dimse import certificate
from dimse.certificate import Certificate
from dimse.errors import TLSError, is_tls
from dimse.text import host_and_port, one_line
from dimse.tls import Security
from dimse.transport import READ, WRITE
from dimse.values import value

LOGGER = logging.getLogger("dimse.tls")

# Buffers are joined up to here: an SSLSocket takes one at a time, and each would become a TLS record of its own.
JOINED = 65536

HEARD = 12  # bytes that show what a peer speaks that speaks no TLS

# To a peer that does not speak TLS: a fatal alert, protocol version (RFC 8446 6.2), by which ours knows what is the matter.
NO_TLS_ALERT = b"\x15\x03\x03\x00\x02\x02\x46"

MOST_PDU_TYPES = 7  # PS3.8 9.3.1
_SSL2_HELLO = 0x80  # how a very old client begins; OpenSSL says what is wrong with it

# What is wrong with a peer's certificate, by OpenSSL's numbers (X509_V_ERR_...).
VERIFICATION = {
    3: "cannot be looked up in a revocation list: the lists that are given are not its CA's",
    9: "is not valid yet: are the clocks of both machines right?",
    10: "has expired: the peer needs a new one",
    11: "cannot be looked up: its CA's revocation list is not valid yet",
    12: "cannot be looked up: its CA's revocation list has expired, fetch a new one",
    18: "is self-signed and not trusted: make sure that it is the peer's, then trust it (ca) or pin it (pin)",
    19: "is signed by a CA that is not trusted: if it should be, name the CA's certificate (ca)",
    20: "is signed by a CA that is not trusted: if it should be, name the CA's certificate (ca)",
    21: "is signed by a CA that is not trusted: if it should be, name the CA's certificate (ca)",
    23: "has been revoked by its CA",
    66: "has a key that is too short: RSA needs 2048 bits",
    67: "is signed by a CA whose key is too short: RSA needs 2048 bits",
    68: "is signed with a weak algorithm, SHA-1 or MD5",
}
_PURPOSE, _HOST_NAME, _ADDRESS = 26, 62, 64

# What OpenSSL and the alerts of TLS (RFC 8446 6.2) call a reason.
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
    "INAPPROPRIATE_FALLBACK": "somebody in between changes what is negotiated",
    "TLSV1_ALERT_INAPPROPRIATE_FALLBACK": "somebody in between changes what is negotiated",
    "SSLV3_ALERT_HANDSHAKE_FAILURE": "the peer allows none of our cipher suites, or wants a certificate of ours",
    "TLSV1_ALERT_INSUFFICIENT_SECURITY": "the peer finds our cipher suites too weak",
    "TLSV13_ALERT_CERTIFICATE_REQUIRED": "the peer requires a certificate of ours",
    "SSLV3_ALERT_NO_CERTIFICATE": "the peer requires a certificate of ours",
    "SSLV3_ALERT_BAD_CERTIFICATE": _OUR_CERTIFICATE,
    "SSLV3_ALERT_UNSUPPORTED_CERTIFICATE": f"{_OUR_CERTIFICATE}: it is not meant for this side of a connection",
    "SSLV3_ALERT_CERTIFICATE_REVOKED": f"{_OUR_CERTIFICATE}: it has been revoked",
    "SSLV3_ALERT_CERTIFICATE_EXPIRED": f"{_OUR_CERTIFICATE}: it has expired, or is not valid yet",
    "SSLV3_ALERT_CERTIFICATE_UNKNOWN": _OUR_CERTIFICATE,
    "TLSV1_ALERT_UNKNOWN_CA": f"{_OUR_CERTIFICATE}: it does not trust the CA that signed it",
    "TLSV1_ALERT_ACCESS_DENIED": f"{_OUR_CERTIFICATE}: it does not let us in",
    "TLSV1_UNRECOGNIZED_NAME": "the peer does not know the server name that we asked for",
    "SSLV3_ALERT_BAD_RECORD_MAC": "somebody in between changes what is sent",
    "DECRYPTION_FAILED_OR_BAD_RECORD_MAC": "somebody in between changes what is sent",
}


@value
class TLSSession:
    """What was negotiated.

    Attributes:
        version: "TLSv1.3".
        cipher_suite: By its name in OpenSSL.
        certificate: The peer's; None if it showed none.
    """

    version: str
    cipher_suite: str
    certificate: Certificate | None

    def __str__(self) -> str:
        return f"{self.version}, {self.cipher_suite}, peer's certificate: {self.certificate or 'none'}"


def _close_half_made(error: OSError) -> None:
    """Close what `wrap_socket` leaves open where a connection is reset while it looks whether there is one."""
    for frame, _ in walk_tb(error.__traceback__):
        made = frame.f_locals.get("self")
        if isinstance(made, ssl.SSLSocket):
            made.close()


class TLSSocket:
    """A TLS connection in the shape that `Transport` uses a socket in.

    What TLS needs to go on may be the other direction: a write may have to wait until something can be read. `wanted` says so.

    Args:
        connection: The plain socket.
        security: How TLS is spoken.
        host: The host that is connected to; None for a server.

    Attributes:
        socket: The TLS socket itself; it has taken the plain one's descriptor.
        wanted: `READ` or `WRITE` if the last call waits for that, else 0.
        heard: The first bytes of the peer's.
        alert: Why the peer ended the connection, if it told.
        session: What was negotiated; None before that.
    """

    def __init__(self, connection: socket.socket, security: Security, host: str | None) -> None:
        self._name = None if host is None else security.server_name or host
        try:
            self.socket = security.context.wrap_socket(
                connection, server_side=host is None, server_hostname=self._name, do_handshake_on_connect=False
            )
        except OSError as error:
            _close_half_made(error)
            raise
        self._pins = security.pins
        self._unsent = b""  # OpenSSL wants the same bytes again after a write that would have blocked
        self.wanted = self._read_wants = 0
        self.heard = b""
        self.alert = ""
        self.session: TLSSession | None = None
        self._failed = False

    # --- the handshake ---

    def handshake(self) -> bool:
        """Go on with the handshake; False if it has to wait for `wanted`.

        Raises:
            TLSError: It failed.
        """
        try:
            self._look_what_is_spoken()
            self.socket.do_handshake()
            self._verify_pin()
        except ssl.SSLWantReadError:
            self.wanted = READ
            return False
        except ssl.SSLWantWriteError:
            self.wanted = WRITE
            return False
        except OSError as error:
            self._failed = True
            with suppress(OSError):  # behind the alert that OpenSSL has sent
                self.shutdown(socket.SHUT_WR)
            lasting = isinstance(error, ssl.SSLError) and not isinstance(error, ssl.SSLEOFError)
            raise TLSError(f"TLS handshake failed: {self._words(error)}", lasting=lasting) from error
        self.wanted, self.session = 0, self._negotiated()
        if LOGGER.isEnabledFor(logging.INFO):
            with suppress(OSError):  # it is gone again
                where = host_and_port(*self.socket.getpeername()[:2])
                LOGGER.info("TLS with %s: %s", where, one_line(str(self.session)))
        return True

    def _look_what_is_spoken(self) -> None:
        """Who speaks no TLS is not kept waiting until OpenSSL has read enough to be sure of it, and is told."""
        if not self.heard:
            with suppress(BlockingIOError):
                self.heard = socket.socket.recv(self.socket, HEARD, socket.MSG_PEEK)
        if not self.heard or is_tls(self.heard.ljust(2, b"\3")) or self.heard[0] & _SSL2_HELLO:
            return
        with suppress(OSError):
            socket.socket.send(self.socket, NO_TLS_ALERT)
        raise ssl.SSLError(errno.EPROTO, _spoken(self.heard))

    def _verify_pin(self) -> None:
        if not self._pins:
            return
        shown = self.socket.getpeercert(binary_form=True)
        if shown is None or certificate.fingerprint(shown) not in self._pins:
            what = f"its SHA-256 is {certificate.fingerprint(shown)}" if shown else "it showed none"
            raise ssl.SSLError(errno.EACCES, f"the peer's certificate is not the one that is pinned: {what}")

    def _negotiated(self) -> TLSSession:
        cipher, shown = self.socket.cipher(), self.socket.getpeercert(binary_form=True)
        return TLSSession(
            self.socket.version() or "", cipher[0] if cipher else "", certificate.read(shown) if shown else None
        )

    def _words(self, error: OSError) -> str:
        """What is wrong, and what can be done about it."""
        match error:
            case ssl.SSLCertVerificationError():
                return f"the peer's certificate {self._fault_of_the_certificate(error)}"
            case ssl.SSLEOFError() | ConnectionResetError() | BrokenPipeError():
                return "the peer closed the connection" + ("" if self.heard else ": does it speak TLS on this port?")
            case ssl.SSLError(reason=str(reason)):
                words = REASONS.get(reason, reason.lower().replace("_", " "))
                if "_ALERT_" in reason or words.startswith("the peer "):
                    self.alert = words
                return words
            case _:
                return error.strerror or str(error)

    def _fault_of_the_certificate(self, error: ssl.SSLCertVerificationError) -> str:
        if error.verify_code in (_HOST_NAME, _ADDRESS):
            return f"is not for {self._name}: connect to the name that it is for, or say that name (server_name)"
        if error.verify_code == _PURPOSE:
            side = "client" if self.socket.server_side else "server"
            return f"is not meant for a {side}: its extended key usage lacks {side}Auth"
        return VERIFICATION.get(error.verify_code, f"is refused: {error.verify_message}")

    # --- what a transport does with a socket ---

    def sendmsg(self, buffers: Sequence[bytes | memoryview]) -> int:
        """Send the first bytes of `buffers`; returns how many.

        Raises:
            BlockingIOError: It would block; the next call must come with the same bytes in front.
        """
        if self._failed:
            raise BrokenPipeError(errno.EPIPE, "TLS was not agreed on")
        if not self._unsent:
            self._unsent = _joined(buffers)
        try:
            sent = self.socket.send(self._unsent)
        except ssl.SSLWantReadError:
            self.wanted = READ
            raise BlockingIOError from None
        except ssl.SSLWantWriteError:
            self.wanted = WRITE
            raise BlockingIOError from None
        except ssl.SSLError as error:
            raise OSError(errno.EPROTO, self._words(error)) from error
        self.wanted, self._unsent = 0, b""
        return sent

    def recv_into(self, buffer: memoryview) -> int:
        """Receive into `buffer`; returns the number of bytes, 0 at the end.

        Raises:
            BlockingIOError: It would block.
        """
        if self._failed:  # what still comes is dropped, so that the peer can read why
            return socket.socket.recv_into(self.socket, buffer)
        self._read_wants = 0
        try:
            return self.socket.recv_into(buffer)
        except ssl.SSLWantReadError:
            raise BlockingIOError from None
        except ssl.SSLWantWriteError:  # to answer a key update
            self._read_wants = WRITE
            raise BlockingIOError from None
        except ssl.SSLError as error:
            raise OSError(errno.EPROTO, self._words(error)) from error

    def waits_for(self, events: int) -> int:
        """The events of the socket that who waits for `events` of the connection has to wait for."""
        return (self.wanted or events & WRITE) | (events & READ) | (self._read_wants if events & READ else 0)

    def pending(self) -> bool:
        """Are there bytes that TLS has taken from the socket and nobody has received? `poll` does not see them."""
        return self.socket.pending() > 0

    def close(self) -> None:
        """Say farewell (RFC 8446 6.1), without waiting for the peer's, and close the socket."""
        if self.session is not None:
            with suppress(OSError, ValueError):
                self.socket.unwrap()
        self.socket.close()

    def shutdown(self, how: int) -> None:
        """Shut the socket down under whoever waits on it."""
        socket.socket.shutdown(self.socket, how)


def _spoken(heard: bytes) -> str:
    """What somebody speaks who does not speak TLS."""
    if heard[0] <= MOST_PDU_TYPES and heard[1:2] in (b"", b"\0"):
        return "the peer speaks DICOM without TLS: both sides have to speak TLS, or none"
    text = heard.split(b"\r")[0].split(b"\n")[0].decode("latin-1")
    return f"the peer does not speak TLS (it sent {text!a})"


def _joined(buffers: Sequence[bytes | memoryview]) -> bytes:
    if len(buffers[0]) >= JOINED:
        return bytes(buffers[0][:JOINED])
    taken, length = [], 0
    for buffer in buffers:
        taken.append(buffer[: JOINED - length])
        length += len(taken[-1])
        if length == JOINED:
            break
    return b"".join(taken)
