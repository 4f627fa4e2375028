"""`--remote NAME` on the command line: a named remote in place of address and port, and as the default of other options."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from dimse.settings.remote import Remote
from dimse.settings.remotes import read
from dimse.support.values import fields
from dimse.tools.command_line import Parser

OPTION = "--remote"

# The field of the parsed options for each field of a remote that an option may give too.
OPTIONS = {
    "host": "addr",
    "port": "port",
    "called_ae_title": "called_aet",
    "calling_ae_title": "calling_aet",
    "maximum_length": "max_pdu",
    "maximum_send_length": "max_send_pdu",
    "async_ops": "async_ops",
}


def use(parser: Parser, arguments: Iterable[str]) -> None:
    """Make the remote that the arguments name the default of the options; address and port are then no arguments.

    An option that is given wins.

    Raises:
        SystemExit: There is no such remote, or the file of remotes cannot be used (exit status 2).
    """
    name = _named(arguments)
    if name is None:
        return
    try:
        given = read(name, Remote)
    except ValueError as error:
        parser.error(f"{OPTION}: {error}")
    parser.remove_arguments("addr", "port")
    known = {action.dest for action in parser.actions()} | {"addr", "port"}
    defaults: dict[str, Any] = {
        option: given[field] for field, option in OPTIONS.items() if field in given and option in known
    }
    if "timeouts" in given:
        seconds = {f"{wait}_timeout": getattr(given["timeouts"], wait) for wait in fields(given["timeouts"])}
        defaults |= {option: value for option, value in seconds.items() if option in known}
    parser.set_defaults(**defaults, remote_tls=given.get("tls"), remote_identity=given.get("identity"))


def _named(arguments: Iterable[str]) -> str | None:
    """Return the name of the last `--remote` among the arguments, in front of "--"; None without one, or without its name."""
    name, is_next = None, False
    for argument in arguments:
        if is_next:
            name, is_next = argument, False
        elif argument == "--":
            break
        elif argument == OPTION:
            is_next = True
        elif argument.startswith(f"{OPTION}="):
            name = argument.partition("=")[2]
    return name
