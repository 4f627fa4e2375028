"""The peers of qrscp while it runs: made of its configuration and its options, and read again on SIGHUP."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from ipaddress import ip_address
from typing import TYPE_CHECKING

import dimse
from dimse.archive.peers import KnownPeer, Peers
from dimse.support.values import replace
from dimse.tools import qr_configuration, tls
from dimse.tools.command_line import Parser
from dimse.tools.qr_configuration import Configuration

if TYPE_CHECKING:
    from dimse.settings.tls import TLS

HERE, EVERYWHERE = "127.0.0.1", "0.0.0.0"


def settle(parser: Parser, options: argparse.Namespace, configuration: Configuration) -> None:
    """Complete the address to listen on, and verify that the rights of unknown peers fit it.

    Raises:
        SystemExit: They do not (exit status 2).
    """
    if not options.bind_address:
        options.bind_address = HERE if configuration.is_built_in or not configuration.peers else EVERYWHERE
    options.calls_by_tls = any(peer.needs_tls for peer in configuration.peers)
    try:
        qr_configuration.strangers_of(configuration, trusted=is_trusted(options))
    except ValueError as error:
        parser.error(str(error))


def is_trusted(options: argparse.Namespace) -> bool:
    """Return whether peers without a section may query and retrieve: all of them are of this machine, admitted, or identified."""
    if options.allow_anyone or options.allow_from or options.password_file or is_loopback(options.bind_address):
        return True
    all_tls = options.tls and all(secured for _, secured in options.also_port)
    return bool(all_tls and not options.tls_no_client_cert)


def is_loopback(host: str) -> bool:
    """Return whether only this machine reaches an address."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def peers_of(options: argparse.Namespace, configuration: Configuration) -> Peers:
    """Return the peers of a configuration, with the TLS by which they are called.

    Raises:
        ValueError: The configuration is not one that the archive can take.
        TLSConfigurationError: A file for TLS cannot be used.
    """
    strangers = qr_configuration.strangers_of(configuration, trusted=is_trusted(options))
    return Peers(_known(options, configuration), strangers)


def _known(options: argparse.Namespace, configuration: Configuration) -> Iterator[KnownPeer]:
    for peer in configuration.peers:
        found = qr_configuration.resolved(peer)
        yield replace(found, tls=_tls(options, found)) if found.needs_tls else found


def _tls(options: argparse.Namespace, peer: KnownPeer) -> TLS:
    """Return the TLS by which a peer is called: with our own certificate, and the CAs that verify the callers."""
    from dimse.settings.tls import of_a_requestor

    found = dimse.TLS(
        certificate=options.tls_cert,
        key=options.tls_key,
        ca=options.tls_ca,
        crl=options.tls_crl,
        pin=sorted(peer.pins),
        profile=options.tls_profile,
        password=(lambda: os.environ[tls.PASSWORD]) if tls.PASSWORD in os.environ else None,
        named=tls.NAMES.__getitem__,
    )
    # A file that cannot be used is found at the start.
    of_a_requestor(found)
    return found
