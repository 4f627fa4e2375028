"""The walks of docs/design.md, whose stops must exist in the code."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "design.md").read_text()
STOPS = re.findall(r"^\d+\. `([\w/]+\.py)`: `([\w.]+)`", PAGE, re.MULTILINE)


def definitions(module: Path) -> set[str]:
    """Return the names of the classes, methods and functions of a module."""
    found = set()
    for node in ast.parse(module.read_text()).body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            found.add(node.name)
        if isinstance(node, ast.ClassDef):
            methods = (child for child in node.body if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef))
            found |= {f"{node.name}.{method.name}" for method in methods}
    return found


@pytest.mark.parametrize(("file", "name"), STOPS)
def test_a_stop_of_a_walk_exists(file: str, name: str) -> None:
    assert name in definitions(ROOT / "src" / "dimse" / file)


def test_the_walks_are_short() -> None:
    walks = re.findall(r"\*\*From .*?\*\*\n\n((?:\d+\. .*\n)+)", PAGE)
    assert len(walks) == 2
    assert all(len(walk.splitlines()) <= 12 for walk in walks)
