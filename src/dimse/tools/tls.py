"""TLS on the command line: its options, and what is made of them."""

from __future__ import annotations

import argparse
import logging
import os
from typing import TYPE_CHECKING

import dimse
from dimse.support.text import one_line
from dimse.tools import common

if TYPE_CHECKING:
    from dimse.settings.tls import TLS

PASSWORD = "DIMSE_TLS_PASSWORD"  # from the environment: everybody on a machine can read its command lines

# How a hint names an argument of `dimse.TLS` to the user of a tool.
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

# Options that ask for less than TLS can do are said at every run.
INSECURE = (
    "--tls-insecure: the peer's certificate is not verified, and whoever is in between can read and change what is sent"
)
ANYBODY = "--tls-no-client-cert: whoever reaches this port may connect, for no client has to show a certificate"
EVERY_CA = "no --tls-ca: clients may have their certificate from any CA that this system trusts"


def add_options(parser: common.Parser, *, server: bool) -> None:
    """The options; `server` for a tool that listens."""
    group = parser.add_argument_group("TLS")
    group.add_argument(
        "--tls", action="store_true", help="speak TLS 1.2 or 1.3 (PS3.15 B.12); its registered port is 2762"
    )
    group.add_argument(
        "--tls-cert", metavar="F", default="", help="our certificate, and the intermediate ones up to its CA (PEM)"
    )
    group.add_argument(
        "--tls-key",
        metavar="F",
        default="",
        help=f"the private key of --tls-cert, a file of mode 600 (PEM; by default in --tls-cert; password in {PASSWORD})",
    )
    group.add_argument(
        "--tls-ca",
        metavar="F",
        default="",
        help="CAs, or certificates of peers, to trust (PEM; by default the system's CAs)",
    )
    group.add_argument("--tls-crl", metavar="F", default="", help="the CAs' lists of revoked certificates (PEM)")
    group.add_argument(
        "--tls-pin",
        metavar="SHA256",
        type=common.validated(_pin),
        action="append",
        default=[],
        help="accept this certificate of the peer only; repeatable; "
        + ("--tls-ca applies too" if server else "without --tls-ca nothing else is verified"),
    )
    if server:
        group.add_argument("--tls-no-client-cert", action="store_true", help="accept clients that show no certificate")
    else:
        group.add_argument(
            "--tls-server-name", metavar="N", default="", help="the name that the peer's certificate must be for (addr)"
        )
        group.add_argument("--tls-insecure", action="store_true", help="do not verify the peer's certificate")
    group.add_argument(
        "--tls-profile",
        choices=("bcp195", "modified"),
        default="bcp195",
        help="modified is PS3.15 B.13: key exchange on the curve P-256 alone (%(default)s)",
    )
    group.add_argument("--tls-info", action="store_true", help="print what was negotiated, and the peer's certificate")


def _pin(text: str) -> str:
    from dimse.settings.tls import validate_pin

    return validate_pin(text)


def settle(parser: common.Parser, options: argparse.Namespace, logger: logging.Logger) -> None:
    """Make of `options.tls` the `dimse.TLS` that the options ask for, or None.

    Raises:
        SystemExit: They do not go together, or a file cannot be used (exit status 2).
    """
    if not options.tls:
        _verify_unused(parser, options)
        options.tls = None
        return
    server = "tls_no_client_cert" in options
    insecure = not server and options.tls_insecure
    if insecure and (options.tls_ca or options.tls_crl or options.tls_pin or options.tls_server_name):
        parser.error("--tls-insecure verifies nothing: it does not go with --tls-ca, -crl, -pin or -server-name")
    options.tls = dimse.TLS(
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
    _verify_files(parser, options.tls, server=server)
    if options.tls_info:
        logging.getLogger("dimse.tls").setLevel(logging.INFO)
    if insecure:
        common.warn(INSECURE)
    elif server and options.tls_no_client_cert:
        common.warn(ANYBODY)
    elif server and not options.tls_ca:
        common.warn(EVERY_CA)


def _verify_unused(parser: common.Parser, options: argparse.Namespace) -> None:
    for name, value in vars(options).items():
        if name.startswith("tls_") and value != parser.get_default(name):
            parser.error(f"--{name.replace('_', '-')} is for --tls")


def _verify_files(parser: common.Parser, tls: TLS, *, server: bool) -> None:
    """Say at once what cannot be used, not when the first connection is to be secured."""
    from dimse.settings.tls import of_a_requestor, of_a_server

    try:
        of_a_server(tls) if server else of_a_requestor(tls)
    except dimse.TLSConfigurationError as error:
        if server and not tls.certificate:
            parser.error("--tls needs --tls-cert: a server shows a certificate of its own")
        parser.error(f"cannot use TLS: {one_line(str(error))}")
