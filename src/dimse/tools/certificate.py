"""certificate: make a certification authority (CA), issue certificates for TLS, and show those in a file."""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from dimse.support.text import one_line
from dimse.tools import running
from dimse.tools.command_line import Parser
from dimse.tools.options import add_group, add_rows, common, flag, number, option, positional, repeatable, validated
from dimse.tools.wording import reason_with_path

if TYPE_CHECKING:
    from cryptography import x509

# Days.
OF_AN_AUTHORITY, OF_A_CERTIFICATE, MOST = 3650, 730, 36500
# Characters of a Common Name (RFC 5280, appendix A.1).
MOST_CHARACTERS = 64
LABEL = "[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
HOST_NAME = re.compile(rf"(\*\.)?({LABEL}\.)*(?![0-9]+$){LABEL}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the tool, and return its exit status."""
    parser = Parser(
        "certificate",
        "Make a certification authority (CA) of your own for TLS, and the certificates of servers and clients.",
        (
            ("dimse certificate ca tls", "make tls/ca.pem, for all hosts, and tls/ca.key, which stays here"),
            (
                "dimse certificate issue tls archive --host pacs.example.org",
                "issue tls/archive.pem and tls/archive.key",
            ),
            ("dimse certificate issue tls ct1", "issue one for this machine"),
            ("dimse certificate show tls/archive.pem", "show for what it is valid, and until when"),
        ),
        positionals="ca|issue|show FOLDER|FILE [NAME]",
        program="dimse certificate",
    )
    add_rows(
        parser,
        (
            (
                ["action"],
                {
                    "choices": tuple(ACTIONS),
                    "help": "make a CA, issue a certificate, or show the certificates of a file",
                },
            ),
            positional("path", None, str, "the folder of the CA; for show, a PEM file"),
            (
                ["certificate"],
                {
                    "metavar": "NAME",
                    "nargs": "?",
                    "type": validated(_validate_name),
                    "help": "for issue, the name of the certificate and of its files",
                },
            ),
        ),
    )
    add_group(
        parser,
        "ca and issue",
        option(
            "--days N", number(1, MOST), None, f"days of validity ({OF_AN_AUTHORITY} for a CA, else {OF_A_CERTIFICATE})"
        ),
        option("--name TEXT", validated(_validate_common_name), None, "the name of the CA (dimse CA of this machine)"),
        common(
            repeatable(
                "--host HOST",
                validated(_validate_host),
                "a host name or IP address that the certificate is for (localhost, 127.0.0.1, ::1 and this machine's name)",
            )
        ),
        flag("--force", "issue: replace an earlier certificate of this name"),
    )
    options = parser.read(arguments)
    _refuse_unused(parser, options)
    _require_cryptography(parser)
    try:
        status: int = ACTIONS[options.action](options)
    except (OSError, ValueError) as error:
        parser.exit(running.SHORTFALL, f"{parser.prog}: {reason_with_path(error)}\n")
    return status


def _refuse_unused(parser: Parser, options: argparse.Namespace) -> None:
    """Exit with a usage error for an argument that the action does not take."""
    taken = {"ca": ("days", "name"), "issue": ("certificate", "days", "host", "force"), "show": ()}[options.action]
    for name, words in (
        ("certificate", "NAME"),
        ("days", "--days"),
        ("name", "--name"),
        ("host", "--host"),
        ("force", "--force"),
    ):
        if name not in taken and getattr(options, name):
            parser.error(f"{words} is not for {options.action}")
    if options.action == "issue" and not options.certificate:
        parser.error("issue needs FOLDER and NAME")


def _require_cryptography(parser: Parser) -> None:
    try:
        import cryptography  # noqa: F401
    except ImportError:
        parser.exit(
            running.USAGE, f"{parser.prog}: the package cryptography is missing: pip install 'dimse[certificates]'\n"
        )


def _make_authority(options: argparse.Namespace) -> int:
    from dimse.tools import authority

    name = options.name or f"dimse CA of {os.uname().nodename}"[:MOST_CHARACTERS]
    made = authority.make_authority(options.path, name, options.days or OF_AN_AUTHORITY)
    pair = authority.Pair.within(options.path, authority.AUTHORITY)
    print(f"Made the CA {name}, valid until {made.not_valid_after_utc:%Y-%m-%d}:")
    print(f"  {pair.certificate}  its certificate: give it to every host (--tls-ca)")
    print(f"  {pair.key}  its private key: it stays here, for whoever has it can issue certificates")
    print("Next, for each host:")
    print(f"  dimse certificate issue {_quoted(options.path)} NAME --host HOST")
    return running.SUCCESS


def _issue(options: argparse.Namespace) -> int:
    from dimse.tools import authority

    hosts = list(dict.fromkeys(options.host or _this_machine()))
    days = options.days or OF_A_CERTIFICATE
    name = options.certificate
    issued = authority.issue(options.path, name, hosts, days, replace=options.force)
    pair, ca = authority.Pair.within(options.path, name), authority.Pair.within(options.path, authority.AUTHORITY)
    print(f"Issued {pair.certificate} and {pair.key}, valid until {issued.not_valid_after_utc:%Y-%m-%d}")
    by_default = "" if options.host else "  (this machine; others with --host)"
    print(f"It is for {', '.join(hosts)}{by_default}")
    if issued.not_valid_after_utc == authority.read(ca.certificate)[0].not_valid_after_utc:
        _warn(f"{ca.certificate} ends on {issued.not_valid_after_utc:%Y-%m-%d}, and this certificate with it")
    tls = (
        f"--tls --tls-cert {_quoted(pair.certificate)} --tls-key {_quoted(pair.key)} --tls-ca {_quoted(ca.certificate)}"
    )
    print("Next, to receive with it:")
    print(f"  storescp 2762 -od incoming {tls}")
    print("or to send with it:")
    host = next((host for host in hosts if "*" not in host), "HOST")
    print(f"  storescu {host} 2762 image.dcm {tls}")
    return running.SUCCESS


def _show(options: argparse.Namespace) -> int:
    from dimse.tools import authority

    return max([_show_one(options.path, certificate) for certificate in authority.read(options.path)])


def _show_one(path: str, certificate: x509.Certificate) -> int:
    """Print a certificate, and a warning if it is to be replaced. Return the exit status."""
    from datetime import UTC, datetime

    from cryptography.hazmat.primitives.hashes import SHA256

    from dimse.tools import authority

    subject, begin, end = (
        one_line(authority.in_words(certificate.subject)),
        certificate.not_valid_before_utc,
        certificate.not_valid_after_utc,
    )
    left = end - datetime.now(UTC)
    is_authority = authority.is_authority(certificate)
    print(f"Certificate: {subject}{' (a CA)' if is_authority else ''}")
    print(f"Issued by:   {one_line(authority.in_words(certificate.issuer))}")
    if not is_authority:
        print(f"For hosts:   {one_line(', '.join(authority.hosts_of(certificate))) or 'none'}")
    print(f"Valid until: {end:%Y-%m-%d %H:%M:%S} UTC")
    print(f"SHA-256:     {certificate.fingerprint(SHA256()).hex(':').upper()}")
    where = f"{one_line(path)}: {subject}"
    if left.total_seconds() <= 0:
        print(f"E: {where}: it has expired", file=sys.stderr)
        return running.SHORTFALL
    if begin > datetime.now(UTC):
        print(f"E: {where}: it is not valid before {begin:%Y-%m-%d %H:%M:%S} UTC", file=sys.stderr)
        return running.SHORTFALL
    if left < authority.NOTICE:
        _warn(f"{where}: it ends in {left.days} days: issue another one (dimse certificate issue --force)")
    return running.SUCCESS


ACTIONS = {"ca": _make_authority, "issue": _issue, "show": _show}


def _this_machine() -> list[str]:
    """Return the names and addresses by which programs on this machine reach it, and its host name."""
    name = os.uname().nodename
    return ["localhost", "127.0.0.1", "::1", *([name] if HOST_NAME.fullmatch(name) else [])]


def _quoted(path: str) -> str:
    """Return a path as a shell takes it."""
    from shlex import quote

    return quote(path)


def _warn(words: str) -> None:
    print(f"W: {words}", file=sys.stderr)


# --- types of values ---


def _validate_name(name: str) -> str:
    """Return the name of a certificate if it can be a name of files.

    Raises:
        ValueError: It cannot be.
    """
    if name.lower() == "ca":
        raise ValueError("the files named ca are those of the CA")
    if not name or name[0] in ".-" or "/" in name or name != name.strip():
        raise ValueError(f"the name of a certificate is that of its files, and does not begin with . or -: {name!r}")
    return _validate_common_name(name)


def _validate_common_name(name: str) -> str:
    """Return a Common Name if it is printable and not too long.

    Raises:
        ValueError: It is not.
    """
    if not name.isprintable() or not 0 < len(name) <= MOST_CHARACTERS:
        raise ValueError(f"a name has 1 to {MOST_CHARACTERS} printable characters: {name!r}")
    return name


def _validate_host(host: str) -> str:
    """Return an IP address, or a host name in ASCII (RFC 5890).

    Raises:
        ValueError: It is neither.
    """
    from ipaddress import ip_address

    try:
        return str(ip_address(host))
    except ValueError:
        pass
    try:
        name = host.encode("idna").decode("ascii")
    except UnicodeError:
        name = ""
    if not HOST_NAME.fullmatch(name):
        raise ValueError(f"it is neither a host name nor an IP address: {host!r}")
    return name
