"""Every example of the README and of the documentation runs as it is printed, and prints what is printed for it.

`tests/docs/pages.py` tells how a page is read, and `tests/docs/commands.py` what may differ from run to run.
"""

from __future__ import annotations

import configparser
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from dimse.testing import StorageSCP
from tests.docs.not_run import NOT_RUN
from tests.docs.pages import PAGES, ROOT, SESSIONS, Block, Session, items, sessions
from tests.docs.running import read, source
from tests.interop.peers import free_port
from tests.tools import running

ALL = list(sessions())
BLOCKS = [block for session in ALL for block in session.blocks]

# Each imports something that stands in another block, or that is installed elsewhere.
NOT_TYPED = ("import pandas", "from pynetdicom", "from my_program", "from backup")


@pytest.mark.sample("start", "README: *", "howto: Send from memory")
@pytest.mark.parametrize("session", ALL, ids=str)
def test_a_page_runs_as_it_is_printed(session: Session, tmp_path: Path) -> None:
    read(session, tmp_path)


def test_a_block_that_does_not_run_exists() -> None:
    assert NOT_RUN.keys() <= {(block.page.name, block.head) for block in BLOCKS}


def test_each_block_is_found() -> None:
    for page in {block.page for block in BLOCKS}:
        found = sum(isinstance(item, Block) for item in items(page))
        assert found == len(re.findall(r"^ *```\w", page.read_text(), re.MULTILINE)), page


@pytest.mark.parametrize("page", [*SESSIONS, *PAGES], ids=lambda page: page.stem)
def test_no_block_is_indented_only(page: Path) -> None:
    """A block without a fence has no language, and would not run."""
    lines = page.read_text().split("\n")
    found = [number + 2 for number, line in enumerate(lines[:-1]) if not line and lines[number + 1].startswith("    ")]
    fenced = [block for session in ALL for block in session.blocks if block.page == page]
    inside = {block.line + offset for block in fenced for offset in range(len(block.text.split("\n")))}
    assert set(found) - inside == set()


@pytest.mark.parametrize(
    "block", [block for block in BLOCKS if block.title.endswith(".conf")], ids=lambda block: str(block.where)
)
def test_an_override_fits_the_unit(block: Block, tmp_path: Path) -> None:
    unit = (ROOT / "deploy" / "storescp.service").read_text()
    for text in (block.text, unit):
        parser = configparser.RawConfigParser(strict=False)
        parser.read_string(text.replace("\\\n", " "))
        assert "Service" in parser
    if shutil.which("systemd-analyze"):
        # systemd looks for the program too, so each is one that is there.
        (tmp_path / "storescp.service").write_text(unit.replace("/opt/dimse/bin/storescp", "/bin/sh"))
        (tmp_path / "storescp.service.d").mkdir()
        (tmp_path / "storescp.service.d" / block.title).write_text(
            block.text.replace("/opt/dimse/bin/storescp", "/bin/sh")
        )
        done = running.run("systemd-analyze", "verify", str(tmp_path / "storescp.service"))
        assert done.stderr == ""


@pytest.mark.thorough
@pytest.mark.timeout(300)
def test_each_program_is_typed(tmp_path: Path) -> None:
    paths = []
    for block in BLOCKS:
        is_program = block.language == "python" and (block.page.name, block.head) not in NOT_RUN
        if is_program and not any(words in block.text for words in NOT_TYPED):
            paths.append(tmp_path / f"{block.page.stem.replace('-', '_')}_{block.line}.py")
            paths[-1].write_text(source(block) + "\n")
    command = [sys.executable, "-m", "mypy", "--strict", "--config-file=", *map(str, paths)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.thorough
def test_the_demonstration_succeeds() -> None:
    done = running.run(sys.executable, str(ROOT / "scripts" / "demo.py"))
    assert done.returncode == 0, done.stderr
    assert "6 of 6 files sent are there." in done.stdout
    assert "6 of 6 files came back from the archive with the same data set, byte for byte." in done.stdout


def test_the_exit_statuses_are_those_of_the_tools() -> None:
    assert running.tool("echoscu", "127.0.0.1", free_port()).returncode == 1
    assert running.tool("echoscu").returncode == 2
    with StorageSCP() as scp:
        assert running.tool("storescu", "127.0.0.1", scp.port, "no-such-file.dcm").returncode == 3
