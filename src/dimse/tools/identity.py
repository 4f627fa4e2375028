"""User identity on the command line (PS3.7 D.3.3.7): a requestor's own, and those that a listener admits."""

from __future__ import annotations

import argparse
import os
from codecs import BOM_UTF8
from typing import NoReturn

import dimse
from dimse import settings
from dimse.support.text import one_line
from dimse.support.values import replace
from dimse.tools import log_setup
from dimse.tools.command_line import Parser
from dimse.tools.options import add_group, add_rows, flag, option

# An environment variable, because every user of a machine can read command lines.
PASSWORD = "DIMSE_PASSWORD"

# The identities that are read from a file: option, type, name, and True for text, which is stripped of white space.
TOKENS = (
    ("jwt", settings.JSON_WEB_TOKEN, "JSON Web Token", True),
    ("saml", settings.SAML, "SAML assertion", True),
    ("kerberos", settings.KERBEROS, "Kerberos service ticket", False),
)

PLAIN = "without --tls a machine in between can read it; --allow-plain-password allows that"


ALLOW_PLAIN = flag("--allow-plain-password", "allow passwords and tokens without TLS")

IDENTITIES = (
    option("--user U", str, None, "associate as this user"),
    *(option(f"--{name} F", str, None, f"associate with the {what} in a file") for name, _, what, _ in TOKENS),
)

CREDENTIALS = (
    option(
        "--password P",
        str,
        None,
        f"the user's password; - asks for it. Others can read command lines: {PASSWORD} in the environment is safer",
    ),
    flag("--positive-response", "ask the peer to confirm the identity, and end the association if it does not"),
    ALLOW_PLAIN,
)

ADMITTED = (
    option(
        "--password-file F",
        str,
        None,
        "accept only users in this file, with their passwords; dimse passwd makes it",
    ),
    ALLOW_PLAIN,
)


def add_requestor_options(parser: Parser) -> None:
    """Add the options about the identity that a requestor gives."""
    group = parser.add_argument_group("user identity")
    add_rows(group.add_mutually_exclusive_group(), IDENTITIES)
    add_rows(group, CREDENTIALS)


def add_acceptor_options(parser: Parser) -> None:
    """Add the options about the users that an acceptor admits."""
    add_group(parser, "user identity", *ADMITTED)


def settle_requestor(parser: Parser, options: argparse.Namespace) -> None:
    """Set `options.identity` to the `dimse.UserIdentity` that the options ask for, or None. `options.tls` must be settled.

    Raises:
        SystemExit: The options do not go together, or a file cannot be used (exit status 2).
    """
    if options.password is not None and options.user is None:
        parser.error("--password is for --user")
    options.identity = _user(parser, options) if options.user is not None else _token(parser, options)
    if options.identity is None:
        options.identity = _remote(options)
    if options.identity is None:
        if options.positive_response:
            parser.error("--positive-response needs --user, --jwt, --saml or --kerberos")
        return
    try:
        settings.validate_identity(options.identity)
    except ValueError as error:
        parser.error(str(error))
    if options.identity.identity_type != settings.USER_NAME and not (options.tls or options.allow_plain_password):
        parser.error(f"a password or token is not sent: {PLAIN}")


def _remote(options: argparse.Namespace) -> dimse.UserIdentity | None:
    """Return the identity of a named remote, with the password of the environment if it has none."""
    identity: dimse.UserIdentity | None = getattr(options, "remote_identity", None)
    if identity is None:
        return None
    asks = identity.positive_response_requested or options.positive_response
    if identity.identity_type == settings.USER_NAME and (password := os.environ.get(PASSWORD)) is not None:
        return dimse.UserIdentity(
            settings.USER_NAME_AND_PASSCODE,
            identity.primary,
            os.fsencode(password),
            positive_response_requested=asks,
        )
    return replace(identity, positive_response_requested=asks)


def _user(parser: Parser, options: argparse.Namespace) -> dimse.UserIdentity:
    password = options.password if options.password is not None else os.environ.get(PASSWORD)
    if not options.user:
        parser.error("--user is empty")
    if options.password == "-":
        try:
            password = ask(f"Password for {options.user}: ")
        except ValueError as error:
            parser.error(str(error))
    name = os.fsencode(options.user)
    if password is None:
        return dimse.UserIdentity(settings.USER_NAME, name, positive_response_requested=options.positive_response)
    return dimse.UserIdentity(
        settings.USER_NAME_AND_PASSCODE,
        name,
        os.fsencode(password),
        positive_response_requested=options.positive_response,
    )


def _token(parser: Parser, options: argparse.Namespace) -> dimse.UserIdentity | None:
    for name, identity_type, what, is_text in TOKENS:
        path: str | None = getattr(options, name)
        if path is not None:
            content = _read(parser, path)
            content = content.removeprefix(BOM_UTF8).strip() if is_text else content
            if not content:
                parser.error(f"{one_line(path)}: there is no {what} in it")
            return dimse.UserIdentity(identity_type, content, positive_response_requested=options.positive_response)
    return None


def _read(parser: Parser, path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            # Two bytes more than can be sent, so that a longer identity is noticed and refused.
            return file.read(settings.LONGEST_IDENTITY + 2)
    except OSError as error:
        parser.error(f"cannot read {one_line(path)}: {error.strerror}")


def settle_acceptor(parser: Parser, options: argparse.Namespace) -> None:
    """Set `options.passwords` to the `Passwords` of the file that the options name, or None.

    `options.tls` and `options.also_ports` must be settled.

    Raises:
        SystemExit: The file cannot be used (exit status 2).
    """
    options.passwords = None
    if options.password_file is None:
        return
    plain = [port.port for port in options.also_ports if port.tls is None]
    if plain and options.tls and not options.allow_plain_password:
        why = "a machine in between can read them; --allow-plain-password allows that"
        parser.error(
            f"--password-file makes peers send their passwords, to the plain --also-port {plain[0]} too: {why}"
        )
    if not (options.tls or options.allow_plain_password):
        parser.error(f"--password-file makes peers send their passwords: {PLAIN}")
    from dimse.tools.passwords import Passwords

    try:
        options.passwords = Passwords(options.password_file)
    except OSError as error:
        _refuse(parser, f"{options.password_file}: {error.strerror}")
    except ValueError as error:
        _refuse(parser, str(error))
    if plain or not options.tls:
        log_setup.warn("--allow-plain-password: a machine in between can read the passwords of peers")


def _refuse(parser: Parser, why: str) -> NoReturn:
    parser.error(f"cannot use the password file {one_line(why)}")


def ask(prompt: str) -> str:
    """Ask for a password on the terminal, without showing it.

    Raises:
        ValueError: There is no terminal.
    """
    import warnings
    from getpass import GetPassWarning, getpass

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", GetPassWarning)
            return getpass(prompt)
    except (GetPassWarning, EOFError, OSError):
        raise ValueError(f"there is no terminal to ask for the password; {PASSWORD} may hold it") from None
