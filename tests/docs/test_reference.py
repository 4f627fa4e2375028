"""The generated reference is complete: every option, name, variable, status and field of the package stands in it."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

import dimse
from dimse import aio, archive, sending
from dimse.archive import events
from dimse.tools import TOOLS, identity, manual, report, running, tls
from scripts import make_reference, python_reference
from scripts.log_lines import log_lines
from scripts.parsers import parser_of
from tests.tools import running as commands

SOURCE = Path(dimse.__file__).parent
PAGES = make_reference.pages()
API = "".join(text for path, text in PAGES.items() if "/python/" in path)
SHOWN = set(re.findall("^::: (.*)", API, re.MULTILINE))


@pytest.mark.parametrize("tool", TOOLS)
def test_a_tool_has_a_page_with_every_option_of_its_help(tool: str) -> None:
    page = PAGES[f"reference/tools/{tool}.md"]
    options = set(
        re.findall(r"^  ([-+][^\s,]+)|(?<=, )(--?[a-z][^\s,]*)", commands.tool(tool, "--help").stdout, re.MULTILINE)
    )
    names = {name for pair in options for name in pair if name}
    assert {"-h", "--help", "--version"} <= names
    assert [name for name in names if f"`{name}" not in page] == []


@pytest.mark.parametrize("tool", TOOLS)
def test_a_tool_has_a_page_with_its_defaults_and_examples(tool: str) -> None:
    page, parser = PAGES[f"reference/tools/{tool}.md"], parser_of(tool)
    assert all(command in page and does in page for command, does in parser.examples)
    for action in parser._actions:
        if isinstance(action.default, int | float) and not isinstance(action.default, bool):
            (row,) = re.findall(rf"^\| .*`{max(action.option_strings, key=len)}[ `].*", page, re.MULTILINE)
            assert float(row.split("|")[2].strip(" `")) == action.default


@pytest.mark.parametrize("path", PAGES)
def test_every_row_of_a_table_has_the_cells_of_its_heading(path: str) -> None:
    for block in re.findall(r"(?:^\|.*\n)+", PAGES[path], re.MULTILINE):
        counts = {len(re.findall(r"(?<!\\)\|", re.sub("`[^`]*`", "", line))) for line in block.splitlines()}
        assert len(counts) == 1, block


def read_from_the_environment(module: ast.Module) -> set[str]:
    """Return the names of the environment variables that a module reads; a name that is no literal is left out."""
    found = set()
    for node in ast.walk(module):
        if isinstance(node, ast.Call) and re.fullmatch(r"os\.environb?\.get|os\.getenv", ast.unparse(node.func)):
            name = node.args[0]
        elif isinstance(node, ast.Subscript) and re.fullmatch(r"os\.environb?", ast.unparse(node.value)):
            name = node.slice
        else:
            continue
        if isinstance(name, ast.Constant):
            found.add(name.value.decode() if isinstance(name.value, bytes) else str(name.value))
    return found


def test_every_environment_variable_that_is_read_is_documented() -> None:
    read = {name for path in SOURCE.rglob("*.py") for name in read_from_the_environment(ast.parse(path.read_text()))}
    assert {"COLUMNS", "NOTIFY_SOCKET"} <= read
    assert (read | {identity.PASSWORD, tls.PASSWORD, "NO_COLOR"}) - manual.ENVIRONMENT.keys() == set()


def test_every_exit_status_is_documented() -> None:
    constants = {value for name, value in vars(running).items() if name.isupper() and isinstance(value, int)}
    assert constants == manual.REQUESTOR_STATUSES.keys()
    page = PAGES["reference/exit-statuses.md"]
    assert [status for status in constants if f"| `{status}` |" not in page] == []


def test_every_field_of_a_report_is_documented() -> None:
    names = make_reference.report_fields()
    assert set(report.FIELDS) <= set(names) <= make_reference.REPORT_FIELDS.keys()


def test_every_variable_of_a_command_is_documented() -> None:
    page = PAGES["reference/events.md"]
    for name in ("EVENT", "PATH", "STUDY_INSTANCE_UID", "PATIENT_ID", "PEER", "RECEIVED", "FOLDER", "EVENT_ID"):
        assert re.search(rf"\| `DIMSE_{name}` \| \S", page), name


def test_the_lines_of_the_log_are_found() -> None:
    found = {(line.level, line.text) for line in log_lines()}
    assert {("INFO", "Association Accepted"), ("INFO", "Requesting Association"), ("INFO", "Listening on …")} <= found
    assert len({text for level, text in found if level in ("ERROR", "WARNING")}) > 50


# ---- the Python API


@pytest.mark.parametrize("module", [dimse, aio, sending, archive, events], ids=lambda module: str(module.__name__))
def test_every_public_name_of_a_module_is_shown(module: object) -> None:
    shown = {id(python_reference.find(name)) for name in SHOWN}
    names = python_reference.names_of(str(vars(module)["__name__"]))
    assert names
    assert [name for name in names if id(python_reference.find(name)) not in shown] == []


def test_every_error_is_shown() -> None:
    kinds = [dimse.DimseError]
    for kind in kinds:
        kinds += [each for each in kind.__subclasses__() if each.__module__ == "dimse.errors"]
    assert {f"dimse.errors.{kind.__name__}" for kind in kinds} <= SHOWN


def test_what_the_tests_of_a_program_need_is_shown() -> None:
    wanted = ("StorageSCP", "SentInstance", "QueryRetrieveSCP", "faulty_peer")
    assert {f"dimse.testing.{name}" for name in wanted} <= SHOWN


def test_no_name_is_shown_twice() -> None:
    listed = re.findall("^::: (.*)", API, re.MULTILINE)
    assert len(listed) == len(set(listed))
