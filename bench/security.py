"""The certificate that programs show each other where TLS is measured: made once, and known to nobody else."""

from __future__ import annotations

import ssl
import subprocess

from bench.works import SHARED

KEY, CERTIFICATE = SHARED / "tls.key", SHARED / "tls.pem"

# An elliptic curve: a handshake is then the least part of a run.
_REQUEST = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 365 -subj /CN=bench"


def make(openssl: str) -> None:
    """Make the key and its certificate, for 127.0.0.1, if they are not there.

    Args:
        openssl: The path of the openssl command.
    """
    if CERTIFICATE.exists():
        return
    SHARED.mkdir(parents=True, exist_ok=True)
    files = ("-keyout", str(KEY), "-out", str(CERTIFICATE), "-addext", "subjectAltName=IP:127.0.0.1")
    subprocess.run([openssl, *_REQUEST.split(), *files], check=True, capture_output=True)
    KEY.chmod(0o600)


def context() -> ssl.SSLContext:
    """Return how this process speaks TLS with a program that is measured."""
    made = ssl.create_default_context(cafile=str(CERTIFICATE))
    made.load_cert_chain(CERTIFICATE, KEY)
    return made
