"""User identity on the command line (PS3.7 D.3.3.7): who a requestor says it is, and who may associate with a listener."""

from __future__ import annotations

import argparse
import logging
import os
from typing import NoReturn

import dimse
from dimse import settings
from dimse.support.text import one_line
from dimse.tools import common

PASSWORD = "DIMSE_PASSWORD"  # from the environment: everybody on a machine can read its command lines

# What is read from a file: the option, the type, what it is, and whether it is text, where spaces around it do not count.
TOKENS = (
    ("jwt", settings.JSON_WEB_TOKEN, "JSON Web Token", True),
    ("saml", settings.SAML, "SAML assertion", True),
    ("kerberos", settings.KERBEROS, "Kerberos service ticket", False),
)

PLAIN = "without --tls whoever is in between can read it; --allow-plain-password if that is wanted"


def add_requestor_options(parser: common.Parser) -> None:
    """Who asks for an association."""
    group = parser.add_argument_group("user identity")
    who = group.add_mutually_exclusive_group()
    who.add_argument("--user", metavar="U", help="associate as this user")
    for name, _, what, _ in TOKENS:
        who.add_argument(f"--{name}", metavar="F", help=f"associate with the {what} in a file")
    group.add_argument(
        "--password",
        metavar="P",
        help=f"the user's password; - asks for it. Others can read command lines: {PASSWORD} in the environment is safer",
    )
    group.add_argument(
        "--positive-response",
        action="store_true",
        help="ask the peer to confirm the identity, and end the association if it does not",
    )
    _add_plain(group)


def add_acceptor_options(parser: common.Parser) -> None:
    """Who may associate."""
    group = parser.add_argument_group("user identity")
    group.add_argument(
        "--password-file",
        metavar="F",
        help="accept only users in this file, with their passwords; dimse passwd makes it",
    )
    _add_plain(group)


def _add_plain(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--allow-plain-password", action="store_true", help="allow passwords and tokens without TLS")


def settle_requestor(parser: common.Parser, options: argparse.Namespace) -> None:
    """Make `options.identity`, the `dimse.UserIdentity` that the options ask for, or None; once `options.tls` is settled.

    Raises:
        SystemExit: They do not go together, or a file cannot be used (exit status 2).
    """
    if options.password is not None and options.user is None:
        parser.error("--password is for --user")
    options.identity = _user(parser, options) if options.user is not None else _token(parser, options)
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


def _user(parser: common.Parser, options: argparse.Namespace) -> dimse.UserIdentity:
    password = options.password if options.password is not None else os.environ.get(PASSWORD)
    if not options.user:
        parser.error("--user has no name")
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


def _token(parser: common.Parser, options: argparse.Namespace) -> dimse.UserIdentity | None:
    for name, identity_type, what, is_text in TOKENS:
        path: str | None = getattr(options, name)
        if path is not None:
            content = _read(parser, path)
            content = content.strip() if is_text else content
            if not content:
                parser.error(f"{one_line(path)}: there is no {what} in it")
            return dimse.UserIdentity(identity_type, content, positive_response_requested=options.positive_response)
    return None


def _read(parser: common.Parser, path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read(settings.LONGEST_IDENTITY + 2)  # a longer one is refused, as it cannot be sent
    except OSError as error:
        parser.error(f"cannot read {one_line(path)}: {error.strerror}")


def settle_acceptor(parser: common.Parser, options: argparse.Namespace, logger: logging.Logger) -> None:
    """Make `options.passwords`, the `Passwords` of the file that the options name, or None; once `options.tls` is settled.

    Raises:
        SystemExit: It cannot be used (exit status 2).
    """
    options.passwords = None
    if options.password_file is None:
        return
    if not (options.tls or options.allow_plain_password):
        parser.error(f"--password-file has peers send their passwords: {PLAIN}")
    from dimse.tools.passwords import Passwords

    try:
        options.passwords = Passwords(options.password_file)
    except OSError as error:
        _refuse(parser, f"{options.password_file}: {error.strerror}")
    except ValueError as error:
        _refuse(parser, str(error))
    if not options.tls:
        common.warn("--allow-plain-password: whoever is in between can read the passwords of peers")


def _refuse(parser: common.Parser, why: str) -> NoReturn:
    parser.error(f"cannot use the password file {one_line(why)}")


def ask(prompt: str) -> str:
    """Ask for a password on the terminal, where it is not shown.

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
        raise ValueError(f"there is no terminal to ask for the password on; {PASSWORD} may hold it") from None
