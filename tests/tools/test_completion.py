"""`--print-completion`: scripts that shells take, and what bash makes of them."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from dimse.tools import TOOLS
from dimse.tools.command_line import Parser
from tests.tools import running

SHELLS = ("bash", "zsh", "tcsh")

WITH_BASH = pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed")


def completion(tool: str, shell: str) -> str:
    process = running.tool(tool, "--print-completion", shell)
    assert (process.returncode, process.stderr) == (0, "")
    return process.stdout


def completed(script: str, folder: Path, *words: str) -> set[str]:
    """Return the words that bash offers for the last word of a command line, in a folder."""
    source = folder.parent / "completion.bash"
    source.write_text(script)
    # What bash does on a tab: it calls the function that `complete -F` names, and takes COMPREPLY.
    ask = (
        'source "$0"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); spec=$(complete -p "$1"); spec=${spec##*-F }; '
        '${spec%% *}; printf "%s\\n" "${COMPREPLY[@]}"'
    )
    process = running.run("bash", "--norc", "-c", ask, str(source), *words, cwd=folder)
    assert (process.returncode, process.stderr) == (0, "")
    return set(process.stdout.split("\n")) - {""}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with a file and a folder in it."""
    (tmp_path / "here" / "study").mkdir(parents=True)
    (tmp_path / "here" / "image.dcm").touch()
    return tmp_path / "here"


@pytest.mark.sample("*-bash")
@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("tool", TOOLS)
def test_every_tool_prints_a_script_with_its_long_options(tool: str, shell: str) -> None:
    script = completion(tool, shell)
    choices = "critical error warning warn info debug"  # of --log-level
    own = {
        "explain": ("list",),
        "passwd": ("delete",),
        "certificate": ("days", "host", "force"),
        "summary": ("json", choices),
        "archive": ("database-location", "everything", choices),
    }
    theirs = own.get(tool, ("verbose", "log-level", "acse-timeout", choices))
    for option in ("print-completion", *theirs):
        assert option in script


@pytest.mark.sample("echoscu-*", "storescp-bash")
@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("tool", TOOLS)
def test_the_shell_takes_the_script(tool: str, shell: str) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    process = running.run(shell, "-n", "-c", completion(tool, shell))
    assert (process.returncode, process.stderr) == (0, "")


def test_an_unknown_shell_is_wrong_usage() -> None:
    process = running.tool("echoscu", "--print-completion", "sh")
    assert (process.returncode, process.stdout) == (2, "")
    assert "choose from" in process.stderr


def test_the_help_says_for_which_shells() -> None:
    assert "--print-completion {bash,zsh,tcsh}" in running.tool("echoscu", "--help").stdout


@WITH_BASH
def test_a_tool_without_a_command_of_its_own_is_completed_behind_dimse(folder: Path) -> None:
    """The command `passwd` is the system's, and keeps its completion."""
    script = completion("passwd", "bash")
    assert re.findall("^complete .*", script, re.MULTILINE) == ["complete -o bashdefault -F _shtab_dimse dimse"]
    assert completed(script, folder, "dimse", "pass") == {"passwd"}
    assert completed(script, folder, "dimse", "passwd", "--del") == {"--delete"}
    assert completed(script, folder, "dimse", "passwd", "im") == {"image.dcm"}


OFFERED = [
    ("echoscu", ["--called"], {"--called-aet"}),
    ("echoscu", ["127.0.0.1", "104", "--acse"], {"--acse-timeout"}),
    ("storescu", ["-ll", "w"], {"warning", "warn"}),
    ("storescu", ["--transcode", ""], {"never", "lossless", "always"}),
    ("storescu", ["127.0.0.1", "104", "im"], {"image.dcm"}),
    ("storescu", ["127.0.0.1", "104", "-r", ""], {"image.dcm", "study"}),
    ("storescu", ["127.0.0.1", "104", "image.dcm", "st"], {"study"}),
    ("storescu", ["-lc", "im"], {"image.dcm"}),
    ("storescp", ["-od", ""], {"study"}),
    ("storescp", ["-x"], {"-x=", "-xe", "-xb", "-xi"}),
]


@pytest.mark.sample("echoscu-*", "storescp-*")
@WITH_BASH
@pytest.mark.parametrize(("tool", "words", "offered"), OFFERED)
def test_bash_offers_options_choices_and_files(tool: str, words: list[str], offered: set[str], folder: Path) -> None:
    assert completed(completion(tool, "bash"), folder, tool, *words) == offered


@WITH_BASH
def test_bash_offers_options_that_begin_with_plus(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    parser = Parser("sender", "Send.", [("sender x", "it")], prefixes="-+")
    parser.add_argument("-r", "+r", "--recurse", action="store_true")
    parser.add_argument("+sd", "--scan-directories", action="store_true")
    parser.add_argument("path", nargs="+")
    assert vars(parser.read(["+sd", "a", "+r"])) == {"recurse": True, "scan_directories": True, "path": ["a"]}
    with pytest.raises(SystemExit) as end:
        parser.read(["--print-completion", "bash"])
    assert end.value.code == 0
    script = capsys.readouterr().out
    assert completed(script, folder, "sender", "+") == {"+r", "+sd"}
    assert completed(script, folder, "sender", "-r", "+s") == {"+sd"}
    assert completed(script, folder, "sender", "+r", "") == {"image.dcm", "study"}
