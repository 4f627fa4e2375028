"""Write the pages of the reference from the package: options from the parsers, everything else from the tables in the code.

`make docs` adds these pages to the site (`scripts/docs_hooks.py`), and they are not kept in the repository.
`python -m scripts.make_reference` prints them.
"""

from __future__ import annotations

import inspect
import json
import logging
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import dimse
from dimse import logs
from dimse.archive.events.document import document
from dimse.archive.events.study import Study
from dimse.archive.stored import Stored
from dimse.sending import journal
from dimse.support.values import MISSING, fields
from dimse.tools import TOOLS, json_log, manual, report
from dimse.tools.command_line import Parser
from scripts import python_reference
from scripts.log_lines import log_lines
from scripts.make_signatures import documented
from scripts.parsers import parser_of

GENERATED = "This page is generated from the code."

REPORT_FIELDS: Mapping[str, str] = {
    "file": "The path of the file.",
    "file_escaped": "True if bytes of the path that are not text are written as `\\xhh`, and a backslash as two.",
    "sop_instance_uid": "The SOP Instance UID of the data set.",
    "sop_class_uid": "The SOP Class UID of the data set.",
    "outcome": "`stored`; `warning` (stored, with a warning status); `refused` by the peer; `unknown` (no answer: it may have"
    " arrived); `unsent` (no association, or no context for it); `invalid` (the file); `already` (acknowledged in an earlier run).",
    "status": "The status of the peer, in hexadecimal.",
    "meaning": "The status in words with the comment of the peer, or the reason why there is no status.",
    "milliseconds": "The time from the request to the response.",
    "bytes": "The size of the data set.",
    "context_id": "The presentation context ID.",
    "transfer_syntax_stored": "The transfer syntax of the file.",
    "transfer_syntax_sent": "The transfer syntax in which it was sent.",
    "attempts": "The number of times that it was sent; 0 for never.",
    "committed": "With `--verify`: true if the peer has committed itself to keeping it.",
    "started": "The time when its request began to go out, ISO 8601 in UTC.",
    "study_instance_uid": "The Study Instance UID of the data set.",
    "series_instance_uid": "The Series Instance UID of the data set.",
    "modality": "The Modality of the data set.",
    "patient_id": "The Patient ID of the data set, with `--log-phi` only.",
    "peer": "The address of the peer.",
    "called_ae_title": "The AE title of the peer.",
}
"""The meaning of each field that a report of `storescu` can have."""


def report_fields() -> Sequence[str]:
    """Return the names of the fields of a row in a report of `storescu`, in their order."""
    return getattr(report, "COLUMNS", tuple(report.FIELDS))


LIMIT_OPTIONS = {"associations": "--max-associations", "per_address": "--max-per-address"}


def pages() -> dict[str, str]:
    """Return the text of each page by its path within the folder `docs`."""
    tools = {f"reference/tools/{tool}.md": tool_page(tool, parser_of(tool)) for tool in TOOLS}
    return {
        "reference/index.md": index_page(),
        **tools,
        "reference/environment.md": environment_page(),
        "reference/exit-statuses.md": statuses_page(),
        "reference/reports.md": reports_page(),
        "reference/events.md": events_page(),
        "reference/journal.md": journal_page(),
        "reference/limits.md": limits_page(),
        "reference/log.md": log_page(),
        **python_reference.pages(),
    }


# ---- Markdown


def plain(text: str) -> str:
    """Return a text so that no character of it is Markdown."""
    return re.sub(r"([\\`*_{}\[\]#|~])", r"\\\1", text).replace("<", "&lt;")


def code(text: str) -> str:
    """Return a text as code."""
    return f"`{text}`" if text else ""


def table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table. Its cells are Markdown."""
    lines = [headings, ["---"] * len(headings), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def page(title: str, *parts: str) -> str:
    """Return a page with a title and its parts."""
    return "\n\n".join((f"# {title}", *parts)) + "\n"


def attributes(kind: type) -> dict[str, str]:
    """Return the documentation of the attributes of a class, by name. Each is one paragraph."""
    found: dict[str, str] = {}
    for names, entry in documented(inspect.getdoc(kind) or "").items():
        text = " ".join(entry.partition(":")[2].split())
        found |= dict.fromkeys(re.split(", *", names), text)
    return found


# ---- the tools


def index_page() -> str:
    """Return the page that leads to the others."""
    tools = table(
        ("tool", "purpose"), ((f"[`{tool}`](tools/{tool}.md)", does) for tool, does in manual.purposes().items())
    )
    python = table(
        ("page", "contents"),
        (
            (f"[{each.title}](python/{name}.md)", each.about)
            for name, each in python_reference.PAGES.items()
            if python_reference.shown(name)
        ),
    )
    return page(
        "Reference",
        "Every page of this reference is generated from the code, so it has what this version has.",
        "## Tools\n\n" + tools,
        "Every tool is also a word of `dimse`: `dimse storescu` is the same as `storescu`. `dimse TOOL --man` shows the man page.",
        "## Common to the tools\n\n"
        "- [Environment variables](environment.md)\n- [Exit statuses](exit-statuses.md)\n- [Reports](reports.md)\n"
        "- [Events of storescp](events.md)\n- [The journal](journal.md)\n- [Limits](limits.md)\n- [Log lines](log.md)",
        "## Python\n\n" + python,
    )


def tool_page(tool: str, parser: Parser) -> str:
    """Return the page of a tool."""
    examples = "\n".join(f"# {does}\n{command}\n" for command, does in parser.examples)
    return page(
        tool,
        plain(str(parser.description)),
        f"```sh\n{manual.synopsis(parser)}\n```",
        f"## Examples\n\n```sh\n{examples}```",
        "## Options",
        *(_group(title, entries) for title, entries in manual.groups(parser)),
        "An option may stand anywhere on the line. `@FILE` in front of the first argument that is not an option reads"
        " arguments from FILE, one a line.",
        "## Exit statuses\n\n"
        + table(("status", "meaning"), ((code(str(number)), text) for number, text in manual.statuses(parser).items())),
        "## Environment variables\n\n"
        + table(("variable", "meaning"), ((code(name), text) for name, text in manual.environment(parser).items())),
    )


def _group(title: str, entries: Iterable[manual.Entry]) -> str:
    """Return the options of a group. Each option can be linked to by its longest spelling."""
    heading = {"positional arguments": "Arguments", "options": "General"}.get(title, title[:1].upper() + title[1:])
    headings: Sequence[str] = ("argument" if heading == "Arguments" else "option", "default", "meaning")
    rows: list[Sequence[str]] = [(_names(each), code(each.default), plain(each.meaning)) for each in entries]
    if not any(default for _, default, _ in rows):
        headings, rows = headings[::2], [row[::2] for row in rows]
    return f"### {heading}\n\n{table(headings, rows)}"


def _names(entry: manual.Entry) -> str:
    if not entry.names:
        return code(entry.placeholder)
    *others, last = sorted(entry.names, key=len)
    spellings = [code(name) for name in others]
    anchor = last.lstrip("-+")
    spellings.append(f"`{last}{f' {entry.placeholder}' if entry.placeholder else ''}`{{ #{anchor} }}")
    return " ".join(spellings)


# ---- what is common to the tools


def environment_page() -> str:
    """Return the page of the environment variables."""
    tools = {tool: manual.environment(parser_of(tool)) for tool in TOOLS}
    rows = (
        (code(name), variable.meaning, _all_or([tool for tool, known in tools.items() if name in known]))
        for name, variable in manual.ENVIRONMENT.items()
    )
    return page(
        "Environment variables",
        GENERATED + " These are the variables that the tools read.",
        table(("variable", "meaning", "tools"), rows),
        "The programs that `storescp --exec` and `--exec-study` start find [further variables](events.md) in their environment."
        " They do not see variables of ours whose names begin with `DIMSE_`.",
    )


def _all_or(tools: Sequence[str]) -> str:
    return "all" if len(tools) == len(TOOLS) else ", ".join(f"[{tool}](tools/{tool}.md)" for tool in tools)


def statuses_page() -> str:
    """Return the page of the exit statuses."""

    def of(statuses: Mapping[int, str]) -> str:
        return table(("status", "meaning"), ((code(str(number)), text) for number, text in statuses.items()))

    return page(
        "Exit statuses",
        GENERATED,
        "## Tools that request associations\n\nWhere both apply, 1 wins over 3.\n\n" + of(manual.REQUESTOR_STATUSES),
        "## Tools that listen\n\n" + of({**manual.LISTENER_STATUSES, **manual.PENDING_STATUSES}),
        "## dimse archive\n\n" + of(manual.ARCHIVE_STATUSES),
        "## Other tools\n\n" + of(manual.OTHER_STATUSES),
    )


def reports_page() -> str:
    """Return the page of the reports of storescu and storescp."""
    rows = ((code(name), REPORT_FIELDS[name]) for name in report_fields())
    return page(
        "Reports",
        GENERATED,
        "## storescu --report\n\nA report has a row for each file. A value that is missing is `null` in JSON, and empty in CSV.\n\n"
        + table(("field", "content"), rows),
        "## storescp --report\n\nA line of JSON is appended for each instance. It is the [document of the event](events.md).",
    )


def events_page() -> str:
    """Return the page of the documents that programs and reports get."""
    return page(
        "Events of storescp",
        GENERATED,
        "`storescp --exec` and `--exec-study` start a program for an event. Each entry of the event is in an environment"
        " variable, and all of them are a JSON object on standard input. `--report` writes that object too. The values come"
        " from a peer: a program must treat them as data.",
        "## An instance\n\n" + _event(Stored),
        "## A study\n\n" + _event(Study),
    )


def _event(kind: type) -> str:
    """Return the entries of an event, with their variables."""
    known = attributes(kind)
    samples: dict[str, Any] = {"float": 0.0, "int": 0, "bool": False, "tuple[str, int]": ("", 0)}
    given = {name: samples.get(str(kind.__annotations__[name]), "") for name in fields(kind) if name != "elements"}
    rows = []
    for name in document(kind(**given)):
        about = known.get({"peer": "peer_address"}.get(name, name), "")
        if name == "event":
            about = "`study`" if kind is Study else "`instance`"
        elif not about:
            about = inspect.getdoc(getattr(kind, name)) or ""
        about = re.sub("in seconds since 1970-01-01 UTC", "ISO 8601 in UTC", about)
        rows.append((code(name), code(f"DIMSE_{name.upper()}"), about))
    return table(("entry", "variable", "content"), rows)


def journal_page() -> str:
    """Return the page of the journal."""
    known = attributes(journal.Entry)
    key = re.sub(r"[()\n ]", "", journal._KEY.partition("=")[0]).split(",")
    rows = ((code(name), "yes" if name in key else "", known[name]) for name in fields(journal.Entry))
    return page(
        "The journal",
        GENERATED,
        "\n\n".join((inspect.getdoc(journal) or "").split("\n\n")[2:])
        .replace("    queued", "```text\nqueued")
        .replace("unknown\n\nA row", "unknown\n```\n\nA row"),
        "## The columns\n\nThe columns of the key tell which acknowledgement counts for which file.\n\n"
        + table(("column", "key", "content"), rows),
        f"## The table\n\n```sql\n{journal.SCHEMA.tables[0].strip()}\n```",
    )


def limits_page() -> str:
    """Return the page of the timeouts and the limits."""
    options = {entry.dest: entry for tool in TOOLS for entry in parser_of(tool)._actions}

    def rows(kind: type, dest: str) -> Iterable[Sequence[str]]:
        known = attributes(kind)
        for name, field in fields(kind).items():
            action = options.get(dest.format(name))
            option = LIMIT_OPTIONS.get(name) or (max(action.option_strings, key=len) if action else "")
            default = "" if field.default is MISSING or field.default is None else str(field.default)
            yield code(name), code(default), code(option), known[name]

    headings = ("name", "default", "option", "meaning")
    return page(
        "Limits",
        GENERATED + " [Security](../security.md) lists the fixed limits too, with what happens beyond each.",
        "## dimse.Timeouts\n\nThe deadlines of the waits, in seconds; 0 is unlimited.\n\n"
        + table(headings, rows(dimse.Timeouts, "{}_timeout")),
        "## dimse.Limits\n\nThe limits on the resources that peers may use on a server.\n\n"
        + table(headings, rows(dimse.Limits, "max_{}")),
    )


# ---- the log


def log_page() -> str:
    """Return the page of the log: its formats and its lines."""

    def lines(level: str) -> str:
        found = sorted({(code(line.logger), code(line.text)) for line in log_lines() if line.level == level})
        return table(("module", "line"), found)

    parts = [f"## Lines at {level}\n\n{lines(level)}" for level in ("ERROR", "WARNING", "INFO")]
    usage = "A tool prints such a line as `TOOL: error: LINE`, whatever the level of the log, and exits with status 2."
    return page(
        "Log lines",
        GENERATED,
        "A line begins with the first letter of its level: `E:`, `W:`, `I:` or `D:`. Without an option, lines at ERROR are"
        " shown, and the warnings that a person must act on. `-v` adds INFO and `-d` DEBUG; `-ll warn` is between. An"
        " ellipsis stands for a value."
        " Text from a peer is escaped, so an event is always one line.",
        "[Troubleshooting](../troubleshooting.md) has the cause and the cure of each error and warning.",
        f"## JSON\n\n{_json_about()}\n\n```json\n{_json_example()}\n```",
        *parts,
        f"## Wrong usage\n\n{usage}\n\n{lines('USAGE')}",
    )


def _json_about() -> str:
    return (
        "With `--log-format json` each line is an object. "
        + (inspect.getdoc(json_log.Formatter) or "").partition("\n\n")[2]
    )


def _json_example() -> str:
    """Return the line that the formatter makes for a record, printed on several lines."""
    record = logging.LogRecord("dimse.tools.storescu", logging.INFO, "", 0, "Association Accepted", None, None)
    record.created, record.process = 1767225600.0, 4711
    about = logs.About(("pacs.example.org", 104), "STORESCU", "ARCHIVE", number=1)
    with logs.within(about):
        line = json.loads(json_log.Formatter().format(record))
    return json.dumps(line | {"milliseconds": 2.031}, indent=2)


if __name__ == "__main__":
    for path, text in pages().items():
        print(f"==== {path}\n\n{text}")
