"""The man pages: complete, without a mistake that groff sees, and shown on a terminal."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

from dimse.tools import TOOLS, manual
from scripts import make_man
from scripts.parsers import parser_of
from tests.tools import running
from tests.tools.terminal import Terminal

NEEDS_GROFF = pytest.mark.skipif(shutil.which("groff") is None, reason="groff is not installed")
NEEDS_MAN = pytest.mark.skipif(shutil.which("man") is None, reason="man is not installed")


def formatted(source: str) -> str:
    """Return a page as groff prints it, without overstrikes; a warning fails the test."""
    groff = ("groff", "-man", "-ww", "-b", "-Tutf8", "-P-cbou", "-rLL=200n")
    done = subprocess.run(groff, input=source, capture_output=True, text=True, check=True, timeout=running.SECONDS)
    assert done.stderr == ""
    return done.stdout


@NEEDS_GROFF
@pytest.mark.parametrize("name", make_man.pages())
def test_a_page_is_formatted_without_a_warning(name: str) -> None:
    text = formatted(make_man.pages()[name])
    assert text.startswith(f"{name.partition('.')[0].upper()}(1)")
    assert "SEE ALSO" in text


@NEEDS_GROFF
@pytest.mark.parametrize("tool", TOOLS)
def test_a_page_has_every_option_with_its_help(tool: str) -> None:
    done = running.tool(tool, "--man")
    assert (done.returncode, done.stderr) == (0, "")
    text = " ".join(formatted(done.stdout).split())
    parser = parser_of(tool)
    formatter = parser._get_formatter()
    for action in parser._actions:
        if action.help != "==SUPPRESS==":
            assert ", ".join(action.option_strings) in text
            assert " ".join(formatter._expand_help(action).split()) in text
    assert all(command in text and does in text for command, does in parser.examples)


@NEEDS_GROFF
def test_a_command_can_be_copied_from_a_page() -> None:
    text = formatted(running.tool("findscu", "--man").stdout)
    assert "'" in text and not re.search("[\u2018\u2019\u2010\u2212]", text)


def test_a_page_has_the_name_of_its_command() -> None:
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    assert {"dimse", *manual.COMMANDS} == project["scripts"].keys()


def test_a_page_of_a_tool_without_a_command_does_not_hide_that_of_the_system() -> None:
    assert "dimse-passwd.1" in make_man.pages()
    assert "passwd.1" not in make_man.pages()


def test_the_pages_are_written_into_a_folder(tmp_path: Path) -> None:
    make_man.write(tmp_path / "share" / "man1")
    written = {path.name: path.read_text() for path in (tmp_path / "share" / "man1").iterdir()}
    assert written == make_man.pages()
    assert written["storescu.1"] == running.tool("storescu", "--man").stdout
    assert written["dimse.1"] == running.run(*running.command("--man")).stdout


@NEEDS_MAN
@pytest.mark.parametrize("arguments", [["storescu", "--man"], ["--man"]])
def test_a_terminal_shows_the_page(arguments: list[str]) -> None:
    with Terminal("-m", "dimse", *arguments, stdout=True, environment={"MANPAGER": "cat"}) as terminal:
        assert terminal.end() == 0
        assert "SYNOPSIS" in re.sub(".\b", "", terminal.output)
        assert ".SH" not in terminal.output


def test_a_terminal_without_man_shows_the_help(tmp_path: Path) -> None:
    environment = {"PATH": str(tmp_path), "COLUMNS": "80"}
    with Terminal("-m", "dimse", "echoscu", "--man", stdout=True, environment=environment) as terminal:
        assert terminal.end() == 0
        assert terminal.output.startswith("usage: echoscu")
    with Terminal("-m", "dimse", "--man", stdout=True, environment=environment) as terminal:
        assert terminal.end() == 0
        assert "echoscu" in terminal.output


def test_a_page_asks_for_no_other_argument() -> None:
    done = running.run(*running.command("storescu", "--no-progress", "--man"), env=os.environ | {"COLUMNS": "20"})
    assert done.returncode == 0
    assert done.stdout.startswith(".TH STORESCU 1")
