"""Help in two lengths, and the list of the tools."""

from __future__ import annotations

import re
import shlex
import tomllib
from pathlib import Path

import pytest

from dimse.tools import TOOLS
from tests.tools import running

SCREEN, COLUMNS = 30, 80
SCRIPTS = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]["scripts"]

# Options that everybody needs, by tool.
NEEDED = {
    "echoscu": "-aet -aec -v -d --tls",
    "storescu": "-aet -aec -v -d --tls -r --dry-run --jobs --retry --journal --report",
    "findscu": "-aet -aec -v -d --tls -S -W -k -r --patient-id --study-uid",
    "getscu": "-aet -aec -v -d --tls -S -k --patient-id --study-uid -od",
    "movescu": "-aet -aec -v -d --tls -S -k --patient-id --study-uid -od -aem --store",
    "retrieve": "-aet -aec -v -d --tls --from -k --patient-id -od --jobs --journal",
    "echoscp": "-aet -v -d --tls -ba --allow-calling --allow-from",
    "storescp": "-aet -v -d --tls -ba --allow-calling --allow-from -od --exec --exec-study",
    "qrscp": "-aet -v -d --tls -ba --allow-calling --allow-from -c --instance-location --database-location",
    "archive": "-c --instance-location --database-location --format",
    "passwd": "--delete",
    "summary": "--json",
    "explain": "--list",
    "certificate": "--host",
}


def printed(tool: str, option: str, columns: int = COLUMNS) -> str:
    """Return the help that a tool prints on a terminal of this width."""
    process = running.run("env", f"COLUMNS={columns}", *running.command(tool, option))
    assert (process.returncode, process.stderr) == (0, "")
    return process.stdout


def options_in(text: str) -> set[str]:
    """Return the options that a help lists."""
    entries = re.findall(r"^  ([-+].*?)(?:  |$)", text, re.MULTILINE)
    return {word for entry in entries for word in re.findall(r"[-+][\w=+-]*", entry)}


@pytest.mark.parametrize("tool", TOOLS)
def test_the_short_help_fits_a_screen_and_has_examples(tool: str) -> None:
    lines = printed(tool, "-h").splitlines()
    assert len(lines) <= SCREEN
    assert max(map(len, lines)) <= COLUMNS
    assert lines[-1] == "--help shows all options"
    command = f"  {tool if tool in SCRIPTS else f'dimse {tool}'} "
    assert sum(line.startswith(command) for line in lines[lines.index("examples:") :]) >= 2


@pytest.mark.parametrize("tool", TOOLS)
def test_the_short_help_has_what_everybody_needs_and_the_long_one_all(tool: str) -> None:
    short, long = options_in(printed(tool, "-h")), options_in(printed(tool, "--help"))
    assert set(NEEDED[tool].split()) <= short
    assert short < long
    assert {"-h", "--help", "--version", "--print-completion"} <= long


@pytest.mark.parametrize("columns", [40, 60, 200])
def test_the_short_help_is_as_wide_as_the_terminal(columns: int) -> None:
    lines = printed("echoscu", "-h", columns).splitlines()
    assert max(len(line) for line in lines[: lines.index("examples:")]) <= columns
    assert "  -aec, --called-aet A   the peer's AE title (ANY-SCP)" in printed("echoscu", "-h")


@pytest.mark.parametrize("tool", TOOLS)
def test_the_usage_names_a_command_that_exists(tool: str) -> None:
    """A console script has its own name; other tools are named with `dimse`, because another program may have theirs."""
    called = tool if tool in SCRIPTS else f"dimse {tool}"
    for option in ("-h", "--help"):
        assert printed(tool, option).startswith(f"usage: {called} [options]")
    wrong = running.tool(tool, "--no-such-option")
    assert wrong.returncode == 2
    assert wrong.stderr.splitlines()[-1].startswith(f"{called}: error: ")


@pytest.mark.parametrize("arguments", [[], ["-h"], ["--help"]])
def test_dimse_alone_lists_each_tool_with_its_commonest_command(arguments: list[str]) -> None:
    process = running.run(*running.command("")[:3], *arguments)
    assert (process.returncode, process.stderr) == (0, "")
    lines = process.stdout.splitlines()
    # Two lines a tool are more than a small terminal has.
    assert len(lines) <= 2 * len(TOOLS) + 6
    assert max(map(len, lines)) <= COLUMNS
    for tool, (purpose, _) in TOOLS.items():
        place = lines.index(f"  {tool:12} {purpose}")
        assert lines[place + 1].strip().startswith(f"dimse {tool} ")


@pytest.mark.parametrize("tool", TOOLS)
def test_the_options_of_the_commonest_command_exist(tool: str) -> None:
    given = [word for word in shlex.split(TOOLS[tool][1]) if word.startswith("-")]
    assert set(given) <= options_in(printed(tool, "--help"))
