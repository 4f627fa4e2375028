"""Every example of the documentation runs as it is printed, and prints what is printed for it.

`tests/docs/pages.py` tells how a page is read, and `tests/docs/commands.py` what may differ from run to run.
"""

from __future__ import annotations

import configparser
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.pages import DOCS, Block, Session, items, sessions
from tests.docs.running import NOT_RUN, reading

ALL = list(sessions())
BLOCKS = [block for session in ALL for block in session.blocks]


@pytest.mark.sample("start", "debug-a-connection", "router", "howto: Send*memory*")
@pytest.mark.parametrize("session", ALL, ids=str)
def test_a_page_runs_as_it_is_printed(session: Session, tmp_path: Path) -> None:
    with reading(session, tmp_path) as reader:
        reader.read()


def test_a_block_that_does_not_run_exists() -> None:
    assert NOT_RUN.keys() <= {(block.page.name, block.head) for block in BLOCKS}


def test_each_page_is_complete() -> None:
    """A page whose blocks are not found, for a fence that is not closed, is no test."""
    for page in {block.page for block in BLOCKS}:
        found = sum(isinstance(item, Block) for item in items(page))
        assert found == len(re.findall(r"^ *```\S", page.read_text(), re.MULTILINE)), page


def python_blocks() -> list[Block]:
    """Return the blocks of Python that use dimse."""
    return [block for block in BLOCKS if block.language == "python" and block.notes.get("python") != "pynetdicom"]


@pytest.mark.thorough
@pytest.mark.timeout(300)
def test_each_program_is_typed(tmp_path: Path) -> None:
    paths = []
    for block in python_blocks():
        path = tmp_path / f"{block.page.stem.replace('-', '_')}_{block.line}" / "example.py"
        path.parent.mkdir()
        path.write_text(block.text + "\n")
        paths.append(path)
    faults = []
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--config-file=", "--scripts-are-modules", *paths],
        capture_output=True, text=True, check=False, cwd=tmp_path,
    )  # fmt: skip
    faults += done.stdout.splitlines()
    assert done.returncode == 0, "\n".join(faults)
