"""passwd: add users to a password file for the tools that listen, and delete them."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from dimse.tools import identity, passwords, running
from dimse.tools.command_line import Parser
from dimse.tools.options import add_rows, common, flag, positional, validated
from dimse.tools.wording import reason


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the tool, and return its exit status."""
    parser = Parser(
        "passwd",
        "Give a user a password, for storescp and echoscp with --password-file.",
        (
            ("dimse passwd users modality1", "ask for the password; make the file if it does not exist"),
            ("dimse passwd users modality1 < password", "read it from a file's first line"),
            ("dimse passwd --delete users modality1", "forget the user"),
        ),
        positionals="path user",
        program="dimse passwd",
    )
    add_rows(
        parser,
        (
            positional("path", None, str, "the password file"),
            positional("user", None, validated(passwords.validate_user), "the user's name"),
            common(flag("--delete", "forget the user")),
        ),
    )
    options = parser.read(arguments)
    try:
        change(options)
    except (OSError, ValueError) as error:
        parser.exit(running.NO_ASSOCIATION, f"{parser.prog}: {reason(error)}\n")
    return running.SUCCESS


def change(options: argparse.Namespace) -> None:
    """Ask for a password and give it to the user, or delete the user.

    Raises:
        OSError: The file cannot be read or written.
        ValueError: The file is not a password file, there is no such user, or no password was given.
    """
    try:
        hashes = passwords.read(options.path)
    except FileNotFoundError:
        if options.delete:
            raise
        hashes = {}
    if options.delete:
        if hashes.pop(options.user, None) is None:
            raise ValueError(f"{options.path} has no user {options.user}")
    else:
        hashes[options.user] = passwords.Hash.of(_new_password(options.user))
    passwords.write(options.path, hashes)


def _new_password(user: str) -> bytes:
    """Ask for a password twice on a terminal, or return the first line of stdin."""
    if not sys.stdin.isatty():
        password = sys.stdin.readline().rstrip("\r\n").removeprefix("\ufeff")
    else:
        password = identity.ask(f"Password for {user}: ")
        if identity.ask("Again: ") != password:
            raise ValueError("the two passwords differ")
    if not password:
        raise ValueError("the password is empty")
    return password.encode()
