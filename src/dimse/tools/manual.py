"""The manual of a tool, made from its parser: the man page (man(7)), and the parts that the documentation site shows too."""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence

import dimse
from dimse.support.values import value
from dimse.tools import TOOLS, running

Examples = Sequence[tuple[str, str]]


@value
class Entry:
    """An option or a positional argument.

    Attributes:
        names: The spellings of an option; none for a positional argument.
        placeholder: The value as the help shows it; empty for an option without one.
        meaning: The text of the help.
        default: The default that a user can give too; empty without a default.
    """

    names: tuple[str, ...]
    placeholder: str
    meaning: str
    default: str


@value
class Variable:
    """An environment variable.

    Attributes:
        meaning: Its meaning.
        option: The option without which a tool does not read the variable; empty for a variable of every tool.
    """

    meaning: str
    option: str = ""


REQUESTOR_STATUSES: Mapping[int, str] = {
    running.SUCCESS: "Everything succeeded.",
    running.NO_ASSOCIATION: "There was work to do, but no usable association was ever established.",
    running.USAGE: "The usage is wrong.",
    running.SHORTFALL: "Any other failure: a failure status, a timeout, a lost association, a file that could not be sent, an"
    " instance that is missing.",
    running.UNWRITTEN: "The output cannot be written.",
    running.INTERRUPTED: "The tool was interrupted by Ctrl-C (SIGINT).",
    running.TERMINATED: "The tool was ended by SIGTERM.",
}
"""The exit statuses of the tools that request associations. Where both apply, 1 wins over 3."""

LISTENER_STATUSES: Mapping[int, str] = {
    running.SUCCESS: "The tool was ended by SIGTERM or Ctrl-C.",
    running.NO_ASSOCIATION: "The tool cannot listen, or can no longer serve.",
    running.USAGE: "The usage is wrong.",
    running.UNWRITTEN: "The output cannot be written.",
}
"""The exit statuses of the tools that listen."""

PENDING_STATUSES: Mapping[int, str] = {
    running.SHORTFALL: "With `--pending-studies`: the program of a study has failed."
}
"""The further exit statuses of a tool that listens and can list the studies which wait for their program."""

OTHER_STATUSES: Mapping[int, str] = {
    running.SUCCESS: "Everything succeeded.",
    running.NO_ASSOCIATION: "The tool could not do its work.",
    running.USAGE: "The usage is wrong.",
    running.UNWRITTEN: "The output cannot be written.",
}
"""The exit statuses of the other tools."""

ARCHIVE_STATUSES: Mapping[int, str] = {
    running.SUCCESS: "Everything succeeded.",
    running.NO_ASSOCIATION: "There is no such archive, it is in use, or it cannot be opened.",
    running.USAGE: "The usage is wrong.",
    running.SHORTFALL: "Any other failure: a file that was not taken, a finding of a check, a study that is not there.",
    running.UNWRITTEN: "The output cannot be written.",
    running.INTERRUPTED: "The tool was interrupted by Ctrl-C (SIGINT).",
}
"""The exit statuses of `dimse archive`."""

ENVIRONMENT: Mapping[str, Variable] = {
    "DIMSE_PASSWORD": Variable("The password of the user. Other users of the machine cannot read it.", "--user"),
    "DIMSE_TLS_PASSWORD": Variable("The password of the file with the private key.", "--tls-key"),
    "DIMSE_CONFIG": Variable("The file of named remotes.", "--remote"),
    "XDG_CONFIG_HOME": Variable("The folder with `dimse/remotes.toml`, in place of `~/.config`.", "--remote"),
    "NO_COLOR": Variable("If it is set and not empty, tables and the progress bar have no colours."),
    "TERM": Variable("If it is `dumb` or not set, there is no progress bar.", "--no-progress"),
    "COLUMNS": Variable("The width of the help and of tables, instead of the width of the terminal."),
    "SSL_CERT_FILE": Variable(
        "A file of authorities to trust, in place of the system's; OpenSSL reads it.", "--tls-ca"
    ),
    "SSL_CERT_DIR": Variable(
        "A folder of authorities to trust, in place of the system's; OpenSSL reads it.", "--tls-ca"
    ),
    "NOTIFY_SOCKET": Variable("The socket of systemd that is told when connections are accepted.", "--ready-file"),
    "WATCHDOG_USEC": Variable("The microseconds in which systemd expects a sign of life.", "--ready-file"),
    "WATCHDOG_PID": Variable("The process from which systemd expects it.", "--ready-file"),
}
"""The environment variables that the tools read."""


def show(tool: str, parser: argparse.ArgumentParser, examples: Examples) -> None:
    """Show the man page on a terminal, and print its source otherwise. Without a program `man`, show the help instead."""
    if not display(page(tool, parser, examples)):
        parser.print_help()


def display(source: str) -> bool:
    """Show a man page on a terminal, and print its source otherwise. Return False if it cannot be shown."""
    if not sys.stdout.isatty():
        print(source, end="")
        return True
    try:
        return subprocess.run(["man", "-l", "-"], input=source, text=True, check=False).returncode == 0
    except OSError:
        return False


# ---- the parts


def purposes() -> Mapping[str, str]:
    """Return the purpose of each tool by its name."""
    return {tool: purpose for tool, (purpose, _) in TOOLS.items()}


def groups(parser: argparse.ArgumentParser) -> Iterator[tuple[str, list[Entry]]]:
    """Yield the titles of the groups of the help, each with its entries."""
    for group in parser._action_groups:
        entries = [_entry(parser, action) for action in group._group_actions if action.help is not argparse.SUPPRESS]
        if entries:
            yield group.title or "", entries


def _entry(parser: argparse.ArgumentParser, action: argparse.Action) -> Entry:
    formatter = parser._get_formatter()
    named = bool(action.option_strings)
    placeholder = formatter._format_args(action, action.dest.upper() if named else action.dest)
    given = not isinstance(action.default, bool | list | tuple) and action.default not in (None, argparse.SUPPRESS)
    takes_value = action.nargs != 0
    return Entry(
        tuple(action.option_strings),
        placeholder if takes_value or not named else "",
        formatter._expand_help(action),
        f"{action.default:g}"
        if isinstance(action.default, float)
        else str(action.default)
        if given and takes_value
        else "",
    )


def synopsis(parser: argparse.ArgumentParser) -> str:
    """Return the usage in one line."""
    return str(parser.usage) % {"prog": parser.prog}


def statuses(parser: argparse.ArgumentParser) -> Mapping[int, str]:
    """Return the meanings of the exit statuses of a tool."""
    known = parser._option_string_actions
    if "--called-aet" in known:
        return REQUESTOR_STATUSES
    if "--bind-address" not in known:
        return ARCHIVE_STATUSES if "--database-location" in known else OTHER_STATUSES
    pending = PENDING_STATUSES if "--pending-studies" in known else {}
    return dict(sorted({**LISTENER_STATUSES, **pending}.items()))


def environment(parser: argparse.ArgumentParser) -> Mapping[str, str]:
    """Return the meanings of the environment variables that a tool reads."""
    known = parser._option_string_actions
    return {name: each.meaning for name, each in ENVIRONMENT.items() if not each.option or each.option in known}


# ---- the page

# A backslash begins an escape; the others would be typographic ones in the output, which cannot be copied into a shell.
_ESCAPES = str.maketrans({"\\": r"\e", "-": r"\-", "'": r"\(aq", "`": r"\(ga", "^": r"\(ha", "~": r"\(ti"})


COMMANDS = ("echoscu", "storescu", "findscu", "getscu", "movescu", "echoscp", "storescp", "qrscp")
"""The tools that are commands of their own. The others exist as `dimse TOOL` only."""


def name(tool: str) -> str:
    """Return the name of a tool's page."""
    return tool if tool in COMMANDS else f"dimse-{tool}"


def page(tool: str, parser: argparse.ArgumentParser, examples: Examples) -> str:
    """Return the man page of a tool as the source of roff (man(7))."""
    title = name(tool)
    return "\n".join(
        (
            *_head(title, purposes()[tool]),
            ".SH SYNOPSIS",
            _text(synopsis(parser)),
            ".SH DESCRIPTION",
            _text(str(parser.description)),
            *_options(parser),
            ".SH EXAMPLES",
            *_items((_text(does), f"\\fB{_text(command)}\\fR") for command, does in examples),
            *_section("EXIT STATUS", {str(status): meaning for status, meaning in statuses(parser).items()}),
            *_section("ENVIRONMENT", environment(parser)),
            *_see_also(title),
        )
    )


def overview() -> str:
    """Return the man page of `dimse` itself, which lists the tools."""
    return "\n".join(
        (
            *_head("dimse", "DICOM networking"),
            ".SH SYNOPSIS",
            r"dimse \fITOOL\fR [options] ...",
            *_section("TOOLS", purposes()),
            *_see_also("dimse"),
        )
    )


def _head(title: str, purpose: str) -> Iterator[str]:
    yield f'.TH {title.upper()} 1 "" "dimse {dimse.__version__}" "DICOM networking"'
    # Neither hyphenation nor justified lines, so that options and addresses stay whole.
    yield ".nh"
    yield ".ad l"
    yield ".SH NAME"
    yield rf"{_text(title)} \- {_text(purpose)}"


def _options(parser: argparse.ArgumentParser) -> Iterator[str]:
    yield ".SH OPTIONS"
    for title, entries in groups(parser):
        yield f".SS {_text(title)}"
        yield from _items((_text(entry.meaning), _spelling(entry)) for entry in entries)


def _spelling(entry: Entry) -> str:
    spellings = ", ".join(rf"\fB{_text(name)}\fR" for name in entry.names)
    placeholder = rf"\fI{_text(entry.placeholder)}\fR" if entry.placeholder else ""
    return f"{spellings} {placeholder}".strip()


def _section(title: str, entries: Mapping[str, str]) -> Iterator[str]:
    yield f".SH {title}"
    yield from _items((_text(_without_code(meaning)), rf"\fB{_text(name)}\fR") for name, meaning in entries.items())


def _items(items: Iterator[tuple[str, str]]) -> Iterator[str]:
    """Yield a list of texts, each behind its tag."""
    for text, tag in items:
        yield ".TP"
        yield tag
        yield text


def _see_also(title: str) -> Iterator[str]:
    yield ".SH SEE ALSO"
    pages = ["dimse", *(name(tool) for tool in TOOLS)]
    yield ",\n".join(rf"\fB{_text(other)}\fR(1)" for other in pages if other != title)
    yield ""


def _without_code(text: str) -> str:
    return re.sub("`([^`]*)`", r"\1", text)


def _text(text: str) -> str:
    """Return a text as one line of roff, which no macro and no escape can begin."""
    line = " ".join(text.split()).translate(_ESCAPES)
    return rf"\&{line}" if line.startswith((".", r"\(aq")) else line
