"""TLS on the command line: its options, and the `dimse.TLS` that they ask for."""

from __future__ import annotations

import argparse
import logging
import os
from typing import TYPE_CHECKING

import dimse
from dimse.support.text import one_line
from dimse.tools import log_setup
from dimse.tools.command_line import Parser
from dimse.tools.options import add_group, choice, common, flag, option, repeatable, validated

if TYPE_CHECKING:
    from dimse.settings.tls import TLS

# An environment variable, because every user of a machine can read command lines.
PASSWORD = "DIMSE_TLS_PASSWORD"

# The option for each argument of `dimse.TLS`, as hints name it to the user of a tool.
NAMES = {
    "certificate": "--tls-cert",
    "key": "--tls-key",
    "ca": "--tls-ca",
    "crl": "--tls-crl",
    "server_name": "--tls-server-name",
    "pin": "--tls-pin",
    "require_client_certificate": "--tls-no-client-cert",
    "verify": "--tls-insecure",
    "profile": "--tls-profile",
    "password": PASSWORD,
}

# Options that ask for less security than TLS can give are logged at every run.
INSECURE = (
    "--tls-insecure: the peer's certificate is not verified, so a machine in between can read and change what is sent"
)
INSECURE_REMOTE = (
    "verify = false: the peer's certificate is not verified, so a machine in between can read and change what is sent"
)
ANY_CLIENT = "--tls-no-client-cert: every client that reaches this port may connect, without a certificate"
EVERY_CA = "no --tls-ca: clients may have their certificate from any CA that this system trusts"


def _pin(text: str) -> str:
    from dimse.settings.tls import validate_pin

    return validate_pin(text)


CERTIFICATES = (
    common(flag("--tls", "speak TLS 1.2 or 1.3 (PS3.15 B.12); its registered port is 2762")),
    option("--tls-cert F", str, "", "our certificate, and the intermediate ones up to its CA (PEM)"),
    option(
        "--tls-key F",
        str,
        "",
        f"the private key of --tls-cert, a file of mode 600 (PEM; by default in --tls-cert; password in {PASSWORD})",
    ),
    option("--tls-ca F", str, "", "CAs, or certificates of peers, to trust (PEM; by default the system's CAs)"),
    option("--tls-crl F", str, "", "the CAs' lists of revoked certificates (PEM)"),
)

OF_A_SERVER = (
    repeatable(
        "--tls-pin SHA256", validated(_pin), "accept this certificate of the peer only, and verify it by --tls-ca"
    ),
    flag("--tls-no-client-cert", "accept clients that show no certificate"),
)

OF_A_REQUESTOR = (
    repeatable(
        "--tls-pin SHA256",
        validated(_pin),
        "accept this certificate of the peer only; without --tls-ca nothing else is verified",
    ),
    option("--tls-server-name N", str, "", "the name that the peer's certificate must be for (addr)"),
    flag("--tls-insecure", "do not verify the peer's certificate"),
)

PROFILE = (
    choice(
        "--tls-profile",
        ("bcp195", "modified"),
        "bcp195",
        "modified is PS3.15 B.13: key exchange on the curve P-256 alone (%(default)s)",
    ),
    flag("--tls-info", "print what was negotiated, and the peer's certificate"),
)


def add_options(parser: Parser, *, server: bool) -> None:
    """Add the options; `server` for a tool that listens."""
    add_group(parser, "TLS", *CERTIFICATES, *(OF_A_SERVER if server else OF_A_REQUESTOR), *PROFILE)


def settle(parser: Parser, options: argparse.Namespace) -> TLS | None:
    """Replace `options.tls` with the `dimse.TLS` that the options ask for, or None.

    Returns:
        The `dimse.TLS`, also where only `--also-port` asks for it; None if nothing does.

    Raises:
        SystemExit: The options do not go together, or a file cannot be used (exit status 2).
    """
    if not (options.tls or any(secured for _, secured in getattr(options, "also_port", ()))):
        # A tool that listens may call peers by TLS.
        if not getattr(options, "calls_by_tls", False):
            _refuse_unused(parser, options)
        options.tls = settled = _settle_remote(parser, options)
        return settled
    server = "tls_no_client_cert" in options
    insecure = not server and options.tls_insecure
    if insecure and (options.tls_ca or options.tls_crl or options.tls_pin or options.tls_server_name):
        parser.error("--tls-insecure verifies nothing: it does not go with --tls-ca, -crl, -pin or -server-name")
    tls = dimse.TLS(
        certificate=options.tls_cert,
        key=options.tls_key,
        ca=options.tls_ca,
        crl=options.tls_crl,
        server_name="" if server else options.tls_server_name,
        pin=options.tls_pin,
        require_client_certificate=not (server and options.tls_no_client_cert),
        verify=not insecure,
        profile=options.tls_profile,
        password=(lambda: os.environ[PASSWORD]) if PASSWORD in os.environ else None,
        named=NAMES.__getitem__,
    )
    _verify_files(parser, tls, server=server)
    options.tls = tls if options.tls else None
    if options.tls_info:
        logging.getLogger("dimse.tls").setLevel(logging.INFO)
    if insecure:
        log_setup.warn(INSECURE)
    elif server and options.tls_no_client_cert:
        log_setup.warn(ANY_CLIENT)
    elif server and not options.tls_ca:
        log_setup.warn(EVERY_CA)
    return tls


def _settle_remote(parser: Parser, options: argparse.Namespace) -> TLS | None:
    """Return the TLS of a named remote, checked; None without one."""
    tls: TLS | None = getattr(options, "remote_tls", None)
    if tls is None:
        return None
    _verify_files(parser, tls, server=False)
    if options.tls_info:
        logging.getLogger("dimse.tls").setLevel(logging.INFO)
    if not tls.verify and not tls.pins:
        log_setup.warn(INSECURE_REMOTE)
    return tls


def _refuse_unused(parser: Parser, options: argparse.Namespace) -> None:
    for name, value in vars(options).items():
        is_for_remote = name == "tls_info" and getattr(options, "remote_tls", None) is not None
        if name.startswith("tls_") and value != parser.get_default(name) and not is_for_remote:
            parser.error(f"--{name.replace('_', '-')} is for --tls")


def _verify_files(parser: Parser, tls: TLS, *, server: bool) -> None:
    """Report files that cannot be used at the start, not when the first connection is to be secured."""
    from dimse.settings.tls import of_a_requestor, of_a_server

    try:
        of_a_server(tls) if server else of_a_requestor(tls)
    except dimse.TLSConfigurationError as error:
        if server and not tls.certificate:
            parser.error("--tls needs --tls-cert: a server shows a certificate of its own")
        parser.error(f"cannot use TLS: {one_line(str(error))}")
