"""The certificate that programs show each other when TLS is measured. It is made once and used nowhere else."""

from __future__ import annotations

import ssl
import subprocess

from bench.works import SHARED

KEY, CERTIFICATE = SHARED / "tls.key", SHARED / "tls.pem"

# With an elliptic curve, a handshake is the smallest part of a run.
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
    """Return the TLS context with which this process connects to a program under measurement."""
    made = ssl.create_default_context(cafile=str(CERTIFICATE))
    made.load_cert_chain(CERTIFICATE, KEY)
    return made
